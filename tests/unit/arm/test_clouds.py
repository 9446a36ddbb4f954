"""Clouds by name and by URL; nothing is trusted that is not https."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from azure.core import AzureClouds
from azure.identity import AzureAuthorityHosts
from azure.mgmt.core.tools import get_arm_endpoints
from tests.unit.arm.wrong_answers import BODIES, WRONG, changed, paths_in

from patchmode.arm.clouds import KNOWN, METADATA_PATH, Cloud, resolve
from patchmode.errors import CloudError

URL = "https://arm.example"
ENTRY = {
    "name": "Example",
    "authentication": {"loginEndpoint": "https://login.example/", "audiences": ["https://arm.example/"]},
    "resourceManager": "https://arm.example/",
    "suffixes": {},
}


def answers(document: Any, status: int = 200) -> Callable[[str], Awaitable[tuple[int, bytes]]]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()

    async def fetch(url: str) -> tuple[int, bytes]:
        assert url == URL + METADATA_PATH
        return status, body

    return fetch


@pytest.mark.parametrize("name", ["AzureCloud", "azurecloud", " AzureUSGovernment ", "AzureChinaCloud"])
async def test_known_clouds_ask_nobody(name: str) -> None:
    assert await resolve(name, answers(b"")) is KNOWN[name.strip().casefold()]


@pytest.mark.parametrize(
    ("name", "theirs", "authority"),
    [
        ("AzureCloud", AzureClouds.AZURE_PUBLIC_CLOUD, AzureAuthorityHosts.AZURE_PUBLIC_CLOUD),
        ("AzureUSGovernment", AzureClouds.AZURE_US_GOVERNMENT, AzureAuthorityHosts.AZURE_GOVERNMENT),
        ("AzureChinaCloud", AzureClouds.AZURE_CHINA_CLOUD, AzureAuthorityHosts.AZURE_CHINA),
    ],
)
def test_endpoints_are_those_of_the_vendors_own_libraries(name: str, theirs: AzureClouds, authority: str) -> None:
    """Resource Manager, the audience of a token, and where it is had."""
    cloud, told = KNOWN[name.casefold()], get_arm_endpoints(theirs)
    assert (f"{cloud.endpoint}/", [cloud.scope]) == (told["resource_manager"], told["credential_scopes"])
    assert cloud.authority == f"https://{authority}"


@pytest.mark.parametrize("document", [ENTRY, [{"name": "Other", "resourceManager": "https://other.example"}, ENTRY]])
async def test_both_forms_of_the_metadata_document(document: Any) -> None:
    """An object at 2022-09-01, a list at 2019-05-01."""
    assert await resolve("https://arm.example/", answers(document)) == Cloud(
        name="Example",
        endpoint="https://arm.example",
        authority="https://login.example",
        scope="https://arm.example//.default",
        is_custom=True,
    )


async def test_an_adfs_login_is_told_apart() -> None:
    entry = {**ENTRY, "authentication": {"loginEndpoint": "https://arm.example/adfs", "audiences": ["https://a/"]}}
    found = await resolve(URL, answers(entry))
    assert (found.authority, found.is_adfs) == ("https://arm.example", True)


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        ("AzureClod", "Did you mean AzureCloud?"),
        ("AzureGermanCloud", "AzureCloud, AzureUSGovernment, AzureChinaCloud"),
        ("", "there is no cloud named ''"),
        ("http://arm.example", "must be an https URL"),
        ("ftp://arm.example", "must be an https URL"),
        ("https://", "must be an https URL"),
        ("https://user:secret@arm.example", "must be an https URL"),
        ("https://[::1", "must be an https URL"),
    ],
)
async def test_a_cloud_that_is_none(cloud: str, said: str) -> None:
    with pytest.raises(CloudError) as caught:
        await resolve(cloud, answers(b""))
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("document", "status", "said"),
    [
        (b"<html>", 200, "is not a Resource Manager"),
        (b"", 404, "answered 404"),
        ([], 200, "does not describe arm.example"),
        ([{"name": "Other", "resourceManager": "https://other.example"}], 200, "it describes: Other"),
        ({**ENTRY, "authentication": None}, 200, "at `$.authentication`"),
        ({**ENTRY, "authentication": {"loginEndpoint": "http://login.example", "audiences": ["x"]}}, 200, "https"),
        ({**ENTRY, "authentication": {"loginEndpoint": "https://login.example", "audiences": []}}, 200, "no audience"),
        ({**ENTRY, "resourceManager": "http://arm.example"}, 200, "https"),
        (3, 200, "does not describe"),
    ],
)
async def test_metadata_that_cannot_be_trusted(document: Any, status: int, said: str) -> None:
    with pytest.raises(CloudError) as caught:
        await resolve(URL, answers(document, status))
    assert said in caught.value.message


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_metadata_of_another_kind(body: bytes) -> None:
    with pytest.raises(CloudError):
        await resolve(URL, answers(body, 200))


async def test_metadata_whose_members_are_of_another_type() -> None:
    """A cloud, or a refusal, and nothing else: a list with a Resource Manager of `https://[` was a traceback."""
    for form in (ENTRY, [ENTRY], [{"resourceManager": "https://["}, ENTRY]):
        for path in paths_in(form):
            for value in (..., *WRONG, "https://[", "https://arm.example:99999", "https://x\r\ny"):
                with suppress(CloudError):
                    assert await resolve(URL, answers(json.loads(changed(form, path, value)), 200))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        *((name, "AzureUSGovernment") for name in ("AzureGov", "USGov", "Fairfax", "azure-us-gov", "AzureUSGovernmet")),
        *((name, "AzureChinaCloud") for name in ("China", "Mooncake", "AzureChina")),
        *((name, "AzureCloud") for name in ("AzurePublicCloud", "AzureClod")),
    ],
)
async def test_a_cloud_by_another_name_is_suggested_and_not_taken(given: str, meant: str) -> None:
    """AzureGov is nearer to AzureCloud by letters, and is another cloud."""
    with pytest.raises(CloudError) as caught:
        await resolve(given, answers(b""))
    assert caught.value.message.endswith(f"Did you mean {meant}?")


@pytest.mark.parametrize("given", ["AzureGermany", "AzureGermanCloud", "blackforest"])
async def test_a_cloud_that_was_closed_is_said_to_be(given: str) -> None:
    with pytest.raises(CloudError) as caught:
        await resolve(given, answers(b""))
    assert "closed in 2021" in caught.value.message
