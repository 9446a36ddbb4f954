"""What the service refuses in a write to a machine, patch settings aside.

Called with the machine before, the request and the machine as the merge left it; each function raises or does nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from arm_emulator.profile import Profile
from arm_emulator.protocol.http import ArmError
from arm_emulator.providers.compute.errors import invalid_parameter, operation_not_allowed, property_change
from arm_emulator.providers.compute.members import Json, UnknownMember, is_at_least, misplaced_value, unknown_member

SPECIALISED_SINCE = "2023-07-01"
"""First api-version with which the built-in policy sends patch settings to a machine without osProfile."""
_SYSTEMS = ("windowsConfiguration", "linuxConfiguration")
_FIXED = (
    ("osProfile.computerName", ("osProfile", "computerName")),
    ("osProfile.adminUsername", ("osProfile", "adminUsername")),
    ("windowsConfiguration.provisionVMAgent", ("osProfile", "windowsConfiguration", "provisionVMAgent")),
    ("linuxConfiguration.provisionVMAgent", ("osProfile", "linuxConfiguration", "provisionVMAgent")),
    (
        "linuxConfiguration.disablePasswordAuthentication",
        ("osProfile", "linuxConfiguration", "disablePasswordAuthentication"),
    ),
    ("osDisk.createOption", ("storageProfile", "osDisk", "createOption")),
    ("osDisk.osType", ("storageProfile", "osDisk", "osType")),
    ("imageReference", ("storageProfile", "imageReference", "publisher")),
    ("imageReference", ("storageProfile", "imageReference", "offer")),
    ("imageReference", ("storageProfile", "imageReference", "sku")),
)
"""Properties that stay as they were created: the name in the error, the path below ``properties``. Quoted in reports:
``osDisk.createOption``; the others follow from what the reference says about each."""
_SPOT = frozenset({"low", "spot"})


@dataclass(frozen=True, slots=True)
class MachineWrite:
    """One write to a machine that exists."""

    stored: Json
    body: Json
    after: Json
    """As the merge left it."""
    api_version: str
    profile: Profile
    power: str
    """``running``, ``stopped``, ``deallocated``, or ``''`` where the stored document does not say."""


def check_members(body: Json, api_version: str, stored: Json | None) -> None:
    """Refuse a member that the api-version does not have, and a value that its member cannot take.

    Raises:
        ArmError: 400 BadRequest. The position is that of compact JSON, which is what every SDK sends but az.
    """
    misplaced = misplaced_value(body)
    if misplaced is not None:
        shown = json.dumps(misplaced.value, ensure_ascii=False)
        message = f"Error converting value {shown} to type '{misplaced.type_name}'. Path '{misplaced.path}', line 1."
        raise ArmError(400, "BadRequest", message, crlf=True)
    unknown = unknown_member(body, api_version, stored)
    if unknown is None:
        return
    message = (
        f"Could not find member '{unknown.name}' on object of type '{unknown.type_name}'. "
        f"Path '{unknown.path}', line 1, position {_position(body, unknown)}."
    )
    raise ArmError(400, "BadRequest", message, crlf=True)


def _position(body: Json, unknown: UnknownMember) -> int:
    """Where a JSON reader stands after the member's name and colon."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return text.find(f'"{unknown.name}":') + len(unknown.name) + 3


def check_os_profile(write: MachineWrite) -> None:
    """A machine made from a specialised disk takes an osProfile that holds patch settings alone, and no other.

    Source: the built-in policy 9905ca54 (1.3.0) does it with api-version 2023-09-01 and asks for 2023-07-01 at least;
    reports quote both refusals of anything more.

    Raises:
        ArmError: 409 PropertyChangeNotAllowed or 400 InvalidParameter, as the profile says.
    """
    sent = _at(write.body, ("properties", "osProfile"))
    stored = _at(write.stored, ("properties", "osProfile"))
    if sent is None or (isinstance(stored, dict) and "computerName" in stored):
        return
    is_allowed = is_at_least(write.api_version, SPECIALISED_SINCE) and _holds_patch_settings_alone(sent, stored)
    if is_allowed and write.profile.specialised_patch_settings == "accepted":
        return
    if write.profile.specialised_os_profile_error == "invalid-parameter":
        raise invalid_parameter("Parameter 'osProfile' is not allowed.", "osProfile")
    raise property_change("osProfile")


def _holds_patch_settings_alone(sent: Any, stored: Any) -> bool:
    """Whether an osProfile names nothing but patch settings, or what the machine has already."""
    known = stored if isinstance(stored, dict) else {}
    if not isinstance(sent, dict):
        return False
    for name, block in sent.items():
        if name in _SYSTEMS and isinstance(block, dict):
            had = known.get(name) or {}
            others = {key: value for key, value in block.items() if key != "patchSettings"}
            if any(had.get(key) != value for key, value in others.items()):
                return False
        elif known.get(name) != block:
            return False
    return True


def check_identity(body: Json) -> None:
    """Refuse an identity type that there is not; the sentence takes the shape recorded for another parameter.

    Raises:
        ArmError: 400 InvalidParameter.
    """
    kind = _at(body, ("identity", "type"))
    words = {word.strip().lower() for word in str(kind or "None").split(",")}
    if not words <= {"none", "systemassigned", "userassigned"}:
        raise invalid_parameter("The value of parameter identity.type is invalid.", "identity.type")


def check_fixed(write: MachineWrite) -> None:
    """Refuse a change of what is fixed at creation.

    Raises:
        ArmError: 409 PropertyChangeNotAllowed.
    """
    for name, path in _FIXED:
        before = _at(write.stored, ("properties", *path))
        sent = _at(write.body, ("properties", *path))
        if before is not None and sent is not None and str(before).lower() != str(sent).lower():
            raise property_change(name)
    for system, other in (("Windows", "linuxConfiguration"), ("Linux", "windowsConfiguration")):
        is_other = _at(write.body, ("properties", "osProfile", other)) is not None
        if is_other and _at(write.stored, ("properties", "storageProfile", "osDisk", "osType")) == system:
            raise invalid_parameter(f"Parameter '{other}' is not allowed.", other)
    _check_priority(write)


def _check_priority(write: MachineWrite) -> None:
    """Recorded: Regular to Spot is refused, Low to Spot accepted."""
    sent = _at(write.body, ("properties", "priority"))
    before = str(_at(write.stored, ("properties", "priority")) or "Regular").lower()
    if sent is None or str(sent).lower() == before:
        return
    if not {str(sent).lower(), before} <= _SPOT:
        raise property_change("priority")


def check_power(write: MachineWrite) -> None:
    """Refuse what a machine must be deallocated for. Without a known power state nothing is refused here.

    Raises:
        ArmError: 409 OperationNotAllowed, with the recorded sentences of 2020.
    """
    name = str(write.stored.get("name", ""))
    if write.power == "deallocated" and write.profile.deallocated_update == "refused":
        raise operation_not_allowed(f"Updating VM {name} is not allowed while the VM is deallocated.")
    if write.power != "running":
        return
    if _moves_group(write):
        raise operation_not_allowed(
            f"Updating proximity placement group of VM {name} is not allowed while the VM is running. "
            "Please stop/deallocate the VM and retry the operation."
        )
    before = _at(write.stored, ("properties", "billingProfile", "maxPrice"))
    if before is not None and _at(write.after, ("properties", "billingProfile", "maxPrice")) != before:
        raise _max_price(name)


def _moves_group(write: MachineWrite) -> bool:
    path = ("properties", "proximityPlacementGroup", "id")
    before, after = (str(_at(document, path) or "").lower() for document in (write.stored, write.after))
    return before != after


def _max_price(name: str) -> ArmError:
    more = "For more information, see http://aka.ms/AzureSpot/errormessages"
    detail = (
        f"Max price change is not allowed when the VM '{name}' is currently allocated. "
        f"Please deallocate and try again. {more}"
    )
    return ArmError(
        409,
        "OperationNotAllowed",
        f"Max price change is not allowed. {more}",
        details=[{"code": "OperationNotAllowed", "message": detail, "target": name}],
        crlf=True,
    )


def check_location(stored: Json, body: Json, group: str) -> None:
    """Refuse a PUT that names another region (the front door's sentence).

    Raises:
        ArmError: 409 InvalidResourceLocation.
    """
    sent, has = body.get("location"), stored.get("location")
    if not isinstance(sent, str) or not isinstance(has, str) or _region(sent) == _region(has):
        return
    message = (
        f"The resource '{stored.get('name')}' already exists in location '{_region(has)}' in resource group '{group}'. "
        f"A resource with the same name cannot be created in location '{_region(sent)}'. "
        "Please select a new resource name."
    )
    raise ArmError(409, "InvalidResourceLocation", message, gateway=True)


def _region(name: str) -> str:
    return name.replace(" ", "").lower()


def sent_blocks(body: Json) -> Iterator[tuple[str, Json]]:
    """The configuration blocks that a request names: (``windowsConfiguration``, its content)."""
    profile = _at(body, ("properties", "osProfile"))
    for system in _SYSTEMS:
        block = _at(profile, (system,)) if isinstance(profile, dict) else None
        if isinstance(block, dict):
            yield system, block


def _at(document: Any, path: tuple[str, ...]) -> Any:
    """The value at a path, names in any casing; None where something on the way is absent."""
    for name in path:
        if not isinstance(document, dict):
            return None
        if name in document:
            document = document[name]
        else:
            document = next((value for key, value in document.items() if key.lower() == name.lower()), None)
    return document


value_at = _at
"""The value at a path of names in any casing, or None."""
