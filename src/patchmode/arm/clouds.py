"""Which Azure: the three that have names, or any https URL whose metadata document tells the rest.

Must not: trust plain http.

Source: endpoints as `azure.mgmt.core.tools.get_arm_endpoints` and `azure.identity.AzureAuthorityHosts` have them; the
metadata document as az (`az cloud register --endpoint-resource-manager`) and Terraform read it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from patchmode.arm.connections import host_of, is_below, origin
from patchmode.arm.wire import decode
from patchmode.errors import CloudError
from patchmode.model.nearest import nearest

METADATA_PATH = "/metadata/endpoints?api-version=2022-09-01"


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where one Azure signs people in and where its Resource Manager is."""

    name: str
    endpoint: str
    """Resource Manager's https URL without a trailing slash."""
    authority: str
    """Whose tokens it takes: an https URL without tenant and trailing slash."""
    scope: str
    """What to ask a token for."""
    is_custom: bool = False
    """Its sign-in is not among the well-known ones: instance discovery must not go and ask those."""
    is_adfs: bool = False


PUBLIC_CLOUD = "AzureCloud"
KNOWN = {
    cloud.name.casefold(): cloud
    for cloud in (
        Cloud(
            PUBLIC_CLOUD,
            "https://management.azure.com",
            "https://login.microsoftonline.com",
            "https://management.azure.com/.default",
        ),
        Cloud(
            "AzureUSGovernment",
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
            "https://management.core.usgovcloudapi.net/.default",
        ),
        Cloud(
            "AzureChinaCloud",
            "https://management.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
            "https://management.chinacloudapi.cn/.default",
        ),
    )
}


ALIASES = {
    **dict.fromkeys(("azure", "azurepublic", "azurepubliccloud", "public", "global"), "AzureCloud"),
    **dict.fromkeys(("azuregov", "azureusgov", "azuregovernment", "usgov", "gov", "usgovernment"), "AzureUSGovernment"),
    **dict.fromkeys(("fairfax", "azureusgovernmentcloud", "government"), "AzureUSGovernment"),
    **dict.fromkeys(("azurechina", "china", "mooncake", "21vianet", "chinacloud"), "AzureChinaCloud"),
}
"""What people and other tools call them, without case, blanks and hyphens; suggested, never taken: a cloud is not
guessed."""
_CLOSED = frozenset({"azuregermany", "azuregermancloud", "germany", "germancloud", "blackforest"})
"""Source: Microsoft, `EnvironmentName.AzureGermanCloud` of Azure PowerShell: "Microsoft Cloud Germany was closed on
October 29th, 2021"."""


async def resolve(cloud: str, fetch: Callable[[str], Awaitable[tuple[int, bytes]]]) -> Cloud:
    """Find a cloud's endpoints.

    Args:
        cloud: one of the three names, in any case, or the https URL of a Resource Manager.
        fetch: reads a URL and answers (status, body); it is called for URLs only.

    Raises:
        CloudError: an unknown name, plain http, or a metadata document that cannot be read or trusted.
    """
    text = cloud.strip()
    if "://" not in text:
        return _named(text)
    url = _https(text, "the cloud's URL")
    status, body = await fetch(url + METADATA_PATH)
    if status != 200:
        msg = f"{url} answered {status} to a request for its metadata document ({METADATA_PATH})"
        raise CloudError(msg, advice="Check that the URL is that of a Resource Manager, without a path.")
    try:
        document = decode(body)
    except ValueError as error:
        msg = f"{url} is not a Resource Manager: {error}"
        raise CloudError(msg, advice="Check the URL; a proxy or a portal may have answered instead.") from error
    return _from_metadata(url, document)


def _named(name: str) -> Cloud:
    found = KNOWN.get(name.casefold())
    if found is not None:
        return found
    names = ", ".join(known.name for known in KNOWN.values())
    plain = "".join(letter for letter in name.casefold() if letter.isalnum())
    known = {**{cloud.name.casefold(): cloud.name for cloud in KNOWN.values()}, **ALIASES}
    near = nearest(plain, known)
    hint = f" Did you mean {near}?" if near else ""
    if plain in _CLOSED:
        hint = " That cloud was closed in 2021; Germany's regions are part of AzureCloud."
    msg = f"there is no cloud named {name!r}: the names are {names}.{hint}"
    raise CloudError(msg, advice="Any other cloud is given by the https URL of its Resource Manager.")


def _https(url: object, what: str) -> str:
    """The URL without a trailing slash, if it is https and names a host."""
    text = url.strip().rstrip("/") if isinstance(url, str) else ""
    try:
        parts = urlsplit(text)
        is_good = parts.scheme == "https" and bool(parts.hostname) and not parts.username and not parts.query
        is_good = is_good and is_below(f"{text}/", text) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good:
        msg = f"{what} must be an https URL, not {url!r}"
        raise CloudError(msg, advice="Tokens are never sent over plain http, and there is no switch for it.")
    return text


class Authentication(msgspec.Struct, rename="camel"):
    """Where a cloud signs people in."""

    login_endpoint: str
    audiences: list[str]


class Metadata(msgspec.Struct, rename="camel"):
    """One cloud of a metadata document; members beyond these are of no account here."""

    authentication: Authentication
    name: str | None = None
    resource_manager: str | None = None


def _from_metadata(url: str, document: Any) -> Cloud:
    entry = _entry_for(url, document)
    try:
        found = msgspec.convert(entry, Metadata)
    except msgspec.ValidationError as error:
        msg = f"the metadata document of {url} is not one of a Resource Manager: {error}"
        raise CloudError(msg, advice="Check the URL; it must be that of the Resource Manager itself.") from error
    login = _https(found.authentication.login_endpoint, f"the login endpoint in the metadata of {url}")
    if not found.authentication.audiences:
        msg = f"the metadata document of {url} names no audience to ask a token for"
        raise CloudError(msg)
    is_adfs = login.casefold().endswith("/adfs")
    return Cloud(
        name=found.name or urlsplit(url).hostname or url,
        endpoint=_https(found.resource_manager or url, f"the Resource Manager in the metadata of {url}"),
        authority=login[: -len("/adfs")] if is_adfs else login,
        # az asks for the audience as it stands, so one that ends in a slash gives two of them.
        scope=f"{found.authentication.audiences[0]}/.default",
        is_custom=login.casefold() not in {known.authority for known in KNOWN.values()},
        is_adfs=is_adfs,
    )


def _entry_for(url: str, document: Any) -> Mapping[str, Any]:
    """The one cloud of an object, or of a list the one whose Resource Manager was asked.

    Versions from 2022-09-01 answer an object, 2019-05-01 a list of clouds; custom clouds serve either at any version.
    """
    if isinstance(document, Mapping):
        return document
    entries = [entry for entry in document if isinstance(entry, Mapping)] if isinstance(document, list) else []
    asked = origin(url)
    for entry in entries:
        if origin(str(entry.get("resourceManager") or "")) == asked:
            return entry
    names = ", ".join(str(entry.get("name"))[:80] for entry in entries[:20])
    msg = f"the metadata document of {url} does not describe {host_of(url)}" + (
        f"; it describes: {names}" if names else ""
    )
    raise CloudError(msg, advice="Check the URL; it must be that of the Resource Manager itself.")
