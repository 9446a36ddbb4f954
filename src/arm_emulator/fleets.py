"""Fleet documents: checking one, loading one, and reading one from a file.

A fleet document is ``{"subscriptions": [...], "resources": [...]}``; the reference lists its optional members. Resource
groups and subscriptions that a resource's id names and the document does not list are made, so that recorded documents
load as they are.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from arm_emulator.directory import Account, Directory
from arm_emulator.protocol.authorization import OWNER
from arm_emulator.protocol.roles import BUILT_IN_ROLES
from arm_emulator.providers.compute.patches import Trouble
from arm_emulator.resource_id import parse_id
from arm_emulator.state import State, Stored

MEMBERS = frozenset(
    {
        "tenants",
        "subscriptions",
        "resources",
        "managementGroups",
        "principals",
        "locks",
        "roleAssignments",
        "roleDefinitions",
        "denyAssignments",
        "guests",
        "pastDays",
    }
)
MOST_PAST_DAYS = 30
"""Azure keeps runs and installations no longer ("Access Azure Update Manager operations data")."""
_GUEST_MEMBERS = frozenset({"id", "assessedDaysAgo", *Trouble.__struct_fields__})
_RESOURCE_LISTS = ("resources", "locks", "roleDefinitions", "roleAssignments", "denyAssignments")
GROUP_TYPE = "microsoft.resources/subscriptions/resourcegroups"


_LISTS_OF_ENTRIES = frozenset({"unregisteredProviders", "delegations", "certificates", "federatedCredentials"})


class _Key(msgspec.Struct):
    """An RSA key as its issuer publishes it (RFC 7517)."""

    kid: str
    kty: Literal["RSA"]
    n: str
    e: str


class _FederatedEntry(msgspec.Struct, forbid_unknown_fields=True):
    issuer: str
    subject: str
    keys: list[_Key]
    audiences: list[str] = []


class FleetError(ValueError):
    """A fleet document that cannot be read or is none."""


def checked(fleet: dict[str, Any]) -> dict[str, Any]:
    """The fleet document, if it is one.

    Raises:
        FleetError: naming the member that is wrong.
    """
    unknown = sorted(set(fleet) - MEMBERS)
    if unknown:
        raise FleetError(f"a fleet document has no member {', '.join(unknown)}; it has {', '.join(sorted(MEMBERS))}")
    _check_days(fleet.get("pastDays", 0))
    for name, entries in fleet.items():
        if name == "pastDays":
            continue
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise FleetError(f"fleet member {name} is not a list of objects")
    for name, member in (
        ("tenants", "tenantId"),
        ("subscriptions", "subscriptionId"),
        ("managementGroups", "name"),
        ("principals", "clientId"),
        ("guests", "id"),
    ):
        _need(fleet, name, member)
    _check_guests(fleet.get("guests", ()))
    for name in _RESOURCE_LISTS:
        _need(fleet, name, "id")
        for at, document in enumerate(fleet.get(name, ())):
            _check_document(f"{name}[{at}]", document, needs_properties=name != "resources" and name != "locks")
    for name in ("tenants", "subscriptions", "managementGroups", "principals"):
        for at, entry in enumerate(fleet.get(name, ())):
            _check_texts(f"{name}[{at}]", entry)
    _check_proofs(fleet.get("principals", ()))
    return fleet


def _check_document(place: str, document: dict[str, Any], *, needs_properties: bool) -> None:
    resource_id = document["id"]
    segments = resource_id.removesuffix("/").split("/")[1:]
    is_rooted = resource_id.startswith("/") and segments[0].lower() in ("subscriptions", "providers") and all(segments)
    if not (is_rooted and (len(segments) == 2 or _ends_in_a_name(segments))):
        raise FleetError(f"fleet member {place}: {resource_id!r} is not a resource id")
    if not isinstance(document.get("properties", None if needs_properties else {}), dict):
        raise FleetError(f"fleet member {place}: properties is not an object")
    for member in ("name", "type", "location"):
        if not isinstance(document.get(member) or "", str):
            raise FleetError(f"fleet member {place}: {member} is not a text")


def _ends_in_a_name(segments: list[str]) -> bool:
    """Whether an id's last part is pairs of type and name, after the namespace where it has one."""
    lowered = [segment.lower() for segment in segments]
    if "providers" not in lowered:
        return len(segments) == 4 and lowered[2] == "resourcegroups"
    tail = len(segments) - 1 - lowered[::-1].index("providers")
    after = len(segments) - tail - 1
    return after >= 3 and after % 2 == 1


def _check_texts(place: str, entry: dict[str, Any]) -> None:
    for member, value in entry.items():
        if member not in _LISTS_OF_ENTRIES and not isinstance(value, str):
            raise FleetError(f"fleet member {place}: {member} is not a text")
    if "/" in entry.get("subscriptionId", ""):
        raise FleetError(f"fleet member {place}: {entry['subscriptionId']!r} is not a subscriptionId")
    for at, delegation in enumerate(entry.get("delegations", ())):
        _check_delegation(f"{place}.delegations[{at}]", delegation)


def _check_delegation(place: str, entry: object) -> None:
    """Refuse what Azure Lighthouse does not have.

    Source: "Tenants, users, and roles in Azure Lighthouse scenarios": built-in roles only, and not Owner.
    """
    given = entry.get("authorizations") if isinstance(entry, dict) else None
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("managedByTenantId"), str)
        or not isinstance(given, list)
    ):
        raise FleetError(f"fleet member {place}: managedByTenantId and authorizations must be there")
    for one in given:
        role = one.get("roleDefinitionId") if isinstance(one, dict) else None
        if role not in BUILT_IN_ROLES or not isinstance(one.get("principalId"), str):
            raise FleetError(f"fleet member {place}: an authorization is a principalId and the guid of a built-in role")
        if role == OWNER:
            raise FleetError(f"fleet member {place}: Azure Lighthouse does not have the role Owner")


def _check_proofs(principals: Iterable[dict[str, Any]]) -> None:
    for at, entry in enumerate(principals):
        _check_proofs_of(f"principals[{at}]", entry)


def _check_proofs_of(place: str, entry: dict[str, Any]) -> None:
    """See that what a principal signs in with can be used: else a client would be refused for no fault of its own."""
    if entry.get("managedIdentity", "user") not in ("system", "user"):
        raise FleetError(f"fleet member {place}: managedIdentity is neither system nor user")
    for pem in _list_of(place, entry, "certificates"):
        if not _has_rsa_key(pem):
            raise FleetError(f"fleet member {place}: certificates holds no PEM certificate with an RSA key")
    for one in _list_of(place, entry, "federatedCredentials"):
        try:
            msgspec.convert(one, _FederatedEntry)
        except msgspec.ValidationError as error:
            raise FleetError(f"fleet member {place}: federatedCredentials: {error}") from error


def _list_of(place: str, entry: dict[str, Any], member: str) -> list[Any]:
    found = entry.get(member, [])
    if not isinstance(found, list):
        raise FleetError(f"fleet member {place}: {member} is not a list")
    return found


def _has_rsa_key(pem: object) -> bool:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return isinstance(load_pem_x509_certificate(str(pem).encode()).public_key(), RSAPublicKey)
    except ValueError:
        return False


def _check_days(days: object) -> None:
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= MOST_PAST_DAYS:
        raise FleetError(f"fleet member pastDays is not a whole number from 0 to {MOST_PAST_DAYS}")


def _check_guests(guests: Iterable[dict[str, Any]]) -> None:
    for at, entry in enumerate(guests):
        _check_guest(f"guests[{at}]", entry)


def _check_guest(place: str, entry: dict[str, Any]) -> None:
    unknown = sorted(set(entry) - _GUEST_MEMBERS)
    if unknown:
        raise FleetError(f"fleet member {place} has no member {', '.join(unknown)}")
    age = entry.get("assessedDaysAgo", 0)
    if isinstance(age, bool) or not isinstance(age, int | float) or age < 0:
        raise FleetError(f"fleet member {place}: assessedDaysAgo is not a number of days, 0 or more")
    trouble = {name: value for name, value in entry.items() if name in Trouble.__struct_fields__}
    try:
        if trouble:
            msgspec.convert(trouble, Trouble)
    except msgspec.ValidationError as error:
        raise FleetError(f"fleet member {place}: {error}") from error


def _need(fleet: dict[str, Any], name: str, member: str) -> None:
    for at, entry in enumerate(fleet.get(name, ())):
        if not isinstance(entry.get(member), str) or not entry[member]:
            raise FleetError(f"fleet member {name}[{at}] has no {member}")


def load_resources(state: State, directory: Directory, fleet: dict[str, Any]) -> None:
    """Store every document of a checked fleet, and what their ids imply."""
    for name in _RESOURCE_LISTS:
        for document in fleet.get(name, ()):
            stored = state.load(completed(document))
            _imply(state, directory, stored.subscription, stored.group, stored.id, stored.location)
            _imply_groups_of_interfaces(state, directory, stored)
    for subscription in directory.subscriptions.values():
        state.load(subscription_document(subscription.id, subscription.display_name))


def subscription_document(subscription_id: str, display_name: str) -> dict[str, Any]:
    """A subscription as a resource, for Resource Graph's containers."""
    return {
        "id": f"/subscriptions/{subscription_id}",
        "name": display_name,
        "type": "Microsoft.Resources/subscriptions",
        "subscriptionId": subscription_id,
    }


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the ``name`` and ``type`` that its id says, where it lacks them."""
    if "name" in document and "type" in document:
        return document
    segments = document["id"].rstrip("/").split("/")
    return {"name": segments[-1], "type": _type_as_written(document["id"]), **document}


def _type_as_written(resource_id: str) -> str:
    at = resource_id.lower().rfind("/providers/")
    if at < 0:
        return "Microsoft.Resources/resourceGroups"
    parts = resource_id[at + len("/providers/") :].split("/")
    return "/".join([parts[0], *parts[1::2]])


def _imply(state: State, directory: Directory, subscription: str, group: str, resource_id: str, location: str) -> None:
    if not subscription:
        return
    segments = resource_id.strip("/").split("/")
    if directory.subscription(subscription) is None:
        directory.add_subscription(segments[1])
    if group and state.get(f"/subscriptions/{subscription}/resourceGroups/{group}") is None:
        group_id = f"/subscriptions/{segments[1]}/resourceGroups/{segments[3]}"
        state.put(group_document(group_id, segments[3], location or "westeurope"), etag=None)


def _imply_groups_of_interfaces(state: State, directory: Directory, machine: Stored) -> None:
    """An interface that a machine names is made as it is asked for, so its resource group is there, too."""
    profile = (machine.document.get("properties") or {}).get("networkProfile")
    interfaces = profile.get("networkInterfaces") if isinstance(profile, dict) else None
    for entry in interfaces if isinstance(interfaces, list) else ():
        interface = entry.get("id") if isinstance(entry, dict) else None
        parts = parse_id(interface) if isinstance(interface, str) else None
        if parts is not None and parts.group and directory.subscription(parts.subscription) is not None:
            _imply(state, directory, parts.subscription, parts.group, str(interface), machine.location)


def group_document(group_id: str, name: str, location: str, tags: dict[str, str] | None = None) -> dict[str, Any]:
    """A resource group as a GET answers it."""
    return {
        "id": group_id,
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": location,
        "tags": tags or {},
        "properties": {"provisioningState": "Succeeded"},
    }


def directory_of(directory: Directory) -> dict[str, Any]:
    """The directory's part of a fleet document, for a store to remember."""
    named = [{"tenantId": tenant, "displayName": name} for tenant, name in directory.tenant_names.items()]
    return {
        **({"tenants": named} if named else {}),
        "subscriptions": [
            {
                "subscriptionId": entry.id,
                "displayName": entry.display_name,
                "tenantId": entry.tenant_id,
                "state": entry.state,
                "managementGroup": entry.management_group,
                "unregisteredProviders": sorted(entry.unregistered),
                "delegations": [one.as_json() for one in entry.delegations],
            }
            for entry in directory.subscriptions.values()
        ],
        "managementGroups": [
            {"name": group.name, "displayName": group.display_name, "parent": group.parent}
            for group in directory.groups.values()
        ],
        "principals": list(_principals(directory)),
    }


def _principals(directory: Directory) -> Iterator[dict[str, Any]]:
    for account in directory.accounts.values():
        if account == directory.made_default():
            continue
        principal = account.principal
        entry = {
            "clientId": principal.client_id,
            "clientSecret": account.secret,
            "objectId": principal.object_id,
            "displayName": principal.display_name,
            **_proofs(account),
        }
        yield entry if account.is_everywhere else {**entry, "tenantId": principal.tenant_id}


def _proofs(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = {
        "certificates": list(account.certificates),
        "federatedCredentials": [
            {"issuer": one.issuer, "subject": one.subject, "audiences": list(one.audiences), "keys": list(one.keys)}
            for one in account.federated
        ],
        "managedIdentity": account.managed,
    }
    return {name: value for name, value in found.items() if value}


def fleet_file(path: Path) -> dict[str, Any]:
    """The fleet document that a file holds.

    Raises:
        FleetError: when it cannot be read, or is no fleet document.
    """
    try:
        content = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise FleetError(f"fleet file {path} could not be read: {error}") from error
    except msgspec.DecodeError as error:
        raise FleetError(f"fleet file {path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise FleetError(f"fleet file {path} is not a JSON object")
    return checked(content)


def is_group(type_: str) -> bool:
    """Whether a stored type is a resource group's."""
    return type_ == GROUP_TYPE


def parent_scope(resource_id: str) -> str:
    """The id that an extension resource stands on, in lower case."""
    return parse_id(resource_id).parent
