"""Microsoft Graph, as far as role assignments need it: which principals there are, by id and by name.

``az role assignment list`` asks for the names behind its ids here. Everything else of Microsoft Graph is refused.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from arm_emulator.protocol.azure_clouds import cloud_of
from arm_emulator.protocol.http import ArmError, Response
from arm_emulator.protocol.sign_in import authority
from arm_emulator.protocol.tokens import is_microsoft_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arm_emulator.directory import Account
    from arm_emulator.protocol.cloud import Cloud
    from arm_emulator.protocol.wire import Call

PREFIX = "/graph/v1.0/"
_CLAUSE = re.compile(
    r"^\s*(?:(?P<name>appId|id|displayName)\s+eq|servicePrincipalNames/any\(\s*(?P<each>\w+)\s*:\s*(?P=each)\s+eq)"
    r"\s*'(?P<value>[^']*)'\s*\)?\s*$"
)


def answer(cloud: "Cloud", call: "Call", path: str, query: Mapping[str, str], base: str) -> Response | None:
    """The answer to a directory look-up, or None where the path is none.

    Args:
        cloud: whose principals there are.
        call: as it arrived; its token must be for Microsoft Graph.
        path: decoded, double slashes collapsed.
        query: keys lower-cased.
        base: ``https://host:port``.
    """
    # Under its own name, through a proxy, Microsoft Graph is all that there is.
    azure = cloud_of(base)
    is_own = azure is not None and base.lower() == azure.microsoft_graph
    path = f"/graph{path}" if is_own else path
    is_below = path.lower().startswith(PREFIX)
    if not is_own and not is_below:
        return None
    try:
        signs_in = authority(base, cloud.directory.tenant_id)
        caller = cloud.tokens.read(call.headers.get("authorization"), signs_in, base, accepts=is_microsoft_graph)
        accounts = [one for one in cloud.directory.accounts.values() if _is_known(one, caller.tenant_id)]
        return Response(200, _looked_up(accounts, call, path[len(PREFIX) :].strip("/") if is_below else "", query))
    except ArmError as error:
        return error.response()


def _is_known(account: "Account", tenant: str) -> bool:
    return account.is_everywhere or account.principal.tenant_id.lower() == tenant.lower()


def _looked_up(accounts: "Sequence[Account]", call: "Call", place: str, query: Mapping[str, str]) -> dict[str, Any]:
    kind, _, name = place.partition("/")
    match call.method, kind.lower():
        case "GET", "users" | "groups" if not name:
            return {"value": []}
        case "GET", "serviceprincipals" if not name:
            return {"value": list(_filtered(accounts, query.get("$filter", "")))}
        case "GET", "serviceprincipals" | "directoryobjects":
            found = list(_of_ids(accounts, {name.lower()}))
            if not found:
                message = f"Resource '{name}' does not exist or one of its queried reference-property objects are not."
                raise ArmError(404, "Request_ResourceNotFound", message)
            return found[0]
        case "POST", "directoryobjects" if name.lower() == "getbyids":
            return {"value": list(_of_ids(accounts, _wanted(call.body)))}
    asked = call.target.partition("?")[0]
    raise ArmError(501, "NotEmulated", f"The emulator does not emulate {call.method} {asked} of Microsoft Graph.")


def _wanted(body: bytes) -> set[str]:
    try:
        ids = msgspec.json.decode(body)["ids"]
        return {str(each).lower() for each in ids}
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ArmError(400, "Request_BadRequest", "The body must be an object with a list of ids.") from error


def _of_ids(accounts: "Sequence[Account]", ids: set[str]) -> Iterator[dict[str, Any]]:
    for account in accounts:
        if account.principal.object_id.lower() in ids:
            yield _shown(account)


def _filtered(accounts: "Sequence[Account]", clause: str) -> Iterator[dict[str, Any]]:
    found = _CLAUSE.match(clause) if clause else None
    if clause and found is None:
        raise ArmError(501, "NotEmulated", f"The emulator does not emulate the filter clause: {clause}")
    for account in accounts:
        shown = _shown(account)
        held = [shown[found["name"]]] if found and found["name"] else shown["servicePrincipalNames"]
        if found is None or found["value"].lower() in {str(value).lower() for value in held}:
            yield shown


def _shown(account: "Account") -> dict[str, Any]:
    principal = account.principal
    return {
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": principal.object_id,
        "appId": principal.client_id,
        "displayName": principal.display_name,
        "appDisplayName": principal.display_name,
        "servicePrincipalNames": [principal.client_id],
        "servicePrincipalType": "Application",
        "accountEnabled": True,
    }
