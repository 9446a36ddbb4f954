"""What a request's ``identity`` makes of a machine's.

A PATCH of identity is not a plain merge. The rules below are read off recorded exchanges of 2019 to 2024, before and
after.
"""

from typing import Any, Protocol

from arm_emulator.providers.compute.members import Json

_SYSTEM = "SystemAssigned"
_USER = "UserAssigned"


class GuidSource(Protocol):
    """Where new principal ids come from: the emulator's seeded ``random``."""

    def getrandbits(self, k: int, /) -> int:
        """A random number of ``k`` bits."""


def merged_identity(stored: Json | None, wanted: Json, *, tenant_id: str, random: GuidSource) -> Json | None:
    """The identity after a write; None where the machine has none left.

    * ``type: None`` removes the whole member.
    * ``SystemAssigned`` alone drops every user-assigned identity, ``UserAssigned`` alone the principal.
    * ``SystemAssigned, UserAssigned`` keeps both; a principal is made where there was none.
    * in ``userAssignedIdentities`` an object adds (shown as ``{}`` until the operation is over), null removes, absent
      keeps.

    Args:
        stored: the identity as it stands, or None.
        wanted: the request's ``identity``.
        tenant_id: of a new principal.
        random: for its id.
    """
    current = stored or {}
    kind = str(wanted.get("type") or current.get("type") or "None")
    kinds = {part.strip().lower() for part in kind.split(",")}
    if kinds == {"none"}:
        return None
    result: Json = {"type": kind}
    if _SYSTEM.lower() in kinds:
        result["principalId"] = current.get("principalId") or guid(random)
        result["tenantId"] = current.get("tenantId") or tenant_id
    if _USER.lower() in kinds:
        assigned = _merged_assigned(current.get("userAssignedIdentities"), wanted.get("userAssignedIdentities"))
        result["userAssignedIdentities"] = assigned
    for name, value in {**current, **wanted}.items():
        if name not in {"type", "principalId", "tenantId", "userAssignedIdentities"} and value is not None:
            result[name] = value
    return result


def _merged_assigned(stored: Any, wanted: Any) -> Json:
    """User-assigned identities by id in any casing; an existing entry keeps the spelling it has."""
    result: Json = dict(stored) if isinstance(stored, dict) else {}
    spelled = {name.lower(): name for name in result}
    for name, value in (wanted if isinstance(wanted, dict) else {}).items():
        known = spelled.get(name.lower())
        if value is None:
            if known is not None:
                del result[known]
        elif known is None:
            result[name] = {}
    return result


def completed_identity(identity: Json, random: GuidSource) -> Json:
    """The identity once the operation of a request that named it is over: every entry has its principal and client id.

    Entries that stood there empty have them, too: an identity is named with ``{}`` whether it is new or not.
    """
    assigned = identity.get("userAssignedIdentities")
    if not isinstance(assigned, dict):
        return identity
    filled = {
        name: value or {"principalId": guid(random), "clientId": guid(random)} for name, value in assigned.items()
    }
    return {**identity, "userAssignedIdentities": filled}


def guid(random: GuidSource) -> str:
    """A version 4 GUID from a seeded source."""
    digits = f"{random.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
