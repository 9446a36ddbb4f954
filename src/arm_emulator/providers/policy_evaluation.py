"""What two of the built-in policies select, ask for and change, written out by hand from their published rules.

A second reading of the rules in ``policy_definitions``, so that whoever evaluates those can be compared with it. It
looks at a machine as it is now; how old Azure's own evaluation is, is not held here. ``ba0df93e`` (attaches a schedule)
is not evaluated.

Source: as ``policy_definitions``. Texts are compared in any casing, values of tags as they are.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from arm_emulator.providers.compute.images import scheduled_rows
from arm_emulator.providers.policy_definitions import (
    COMPARED_WHOLE,
    EXCEPT,
    PERIODIC_ASSESSMENT,
    PREREQUISITE,
    built_in_policies,
)
from arm_emulator.state import Stored

Json = dict[str, Any]
EVALUATED = frozenset({PREREQUISITE, PERIODIC_ASSESSMENT})
_SYSTEMS = ("windows", "linux")
_CUSTOM = ("microsoft.compute/galleries", "microsoft.compute/images")


def parameters_of(name: str, given: Mapping[str, Any]) -> Json:
    """Every parameter of a definition: as it was given, or its default."""
    described = built_in_policies()[name]["properties"]["parameters"]
    found = {key.lower(): one.get("value") for key, one in given.items() if isinstance(one, dict)}
    return {key: found.get(key.lower(), one.get("defaultValue")) for key, one in described.items()}


def is_changed(name: str, parameters: Json, machine: Stored, group: str) -> bool:
    """Whether a definition selects a machine that does not have what it asks for.

    Args:
        name: one of ``EVALUATED``.
        parameters: see ``parameters_of``.
        machine: of any type.
        group: the name of its resource group.
    """
    if machine.type != "microsoft.compute/virtualmachines":
        return False
    document = machine.document
    regions = {str(one).replace(" ", "").lower() for one in parameters["locations"]}
    if (regions and machine.location not in regions) or not _is_tagged(name, parameters, document):
        return False
    if name == PERIODIC_ASSESSMENT:
        return _needs_assessment(parameters, document)
    groups = {str(one).lower() for one in parameters["resourceGroups"]}
    systems = {str(one).lower() for one in parameters["operatingSystemTypes"]}
    if str(parameters["effect"]).lower() == "disabled" or (groups and group.lower() not in groups):
        return False
    is_wanted = not systems or _system(document) in systems
    return is_wanted and _has_image(document) and not any(_is_prepared(document, one) for one in _SYSTEMS)


def change_of(name: str, parameters: Json, machine: Stored) -> tuple[str, Json]:
    """The method and body of the request by which a definition changes a machine.

    ``deployIfNotExists`` deploys a template, whose resource is a PUT of a part of the machine; ``modify`` sets one
    property.
    """
    system = _system(machine.document) or "windows"
    if name == PREREQUISITE:
        settings: Json = {
            "patchMode": "AutomaticByPlatform",
            "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
        }
    else:
        system = str(parameters["osType"]).lower()
        settings = {"assessmentMode": parameters["assessmentMode"]}
    body: Json = {"properties": {"osProfile": {f"{system}Configuration": {"patchSettings": settings}}}}
    if name == PREREQUISITE:
        return "PUT", {"location": machine.document["location"], **body}
    return "PATCH", body


def _needs_assessment(parameters: Json, document: Json) -> bool:
    system = str(parameters["osType"]).lower()
    configuration = _profile(document).get(f"{system}Configuration")
    is_of_system = isinstance(configuration, dict) or _system(document).startswith(system)
    mode = _settings(document, system).get("assessmentMode")
    return is_of_system and _has_image(document) and str(mode).lower() != str(parameters["assessmentMode"]).lower()


def _is_tagged(name: str, parameters: Json, document: Json) -> bool:
    wanted = parameters["tagValues"]
    pairs = list(wanted.items()) if name == PERIODIC_ASSESSMENT else [(one["key"], one["value"]) for one in wanted]
    if not pairs:
        return True
    tags = document.get("tags") or {}
    met = [key in tags and tags[key] == value for key, value in pairs]
    return all(met) if str(parameters["tagOperator"]).lower() == "all" else any(met)


def _has_image(document: Json) -> bool:
    storage = document.get("properties", {}).get("storageProfile", {})
    image, disk = storage.get("imageReference") or {}, storage.get("osDisk") or {}
    is_custom = any(part in str(image.get("id") or "").lower() for part in _CUSTOM)
    if _system(document) and is_custom:
        return True
    is_attached = str(disk.get("createOption") or "").lower() == "attach"
    if _system(document) and is_attached and not _profile(document).get("computerName"):
        return True
    names = [str(image.get(part) or "").lower() for part in ("publisher", "offer", "sku")]
    return any(_is_row(names, *row) for row in scheduled_rows())


def _is_row(names: list[str], publisher: str, offers: list[str], skus: list[str]) -> bool:
    own, offer, sku = names
    is_offer = any(offer == one if one in COMPARED_WHOLE else fnmatchcase(offer, one) for one in offers)
    if own != publisher or not is_offer or not any(fnmatchcase(sku, one) for one in skus):
        return False
    values = {"Offer": offer, "Sku": sku}
    rows = EXCEPT.get((publisher, offers[0]), ())
    return not any(_is_left_out(values[part], operator, value) for part, operator, value in rows)


def _is_left_out(found: str, operator: str, value: object) -> bool:
    if operator == "notLike":
        return fnmatchcase(found, str(value).lower())
    return found in [str(one).lower() for one in (value if isinstance(value, list) else [value])]


def _is_prepared(document: Json, system: str) -> bool:
    settings = _settings(document, system)
    bypass = (settings.get("automaticByPlatformSettings") or {}).get("bypassPlatformSafetyChecksOnUserSchedule")
    return bypass is True and str(settings.get("patchMode")).lower() == "automaticbyplatform"


def _profile(document: Json) -> Json:
    found: Json = document.get("properties", {}).get("osProfile") or {}
    return found


def _settings(document: Json, system: str) -> Json:
    found: Json = (_profile(document).get(f"{system}Configuration") or {}).get("patchSettings") or {}
    return found


def _system(document: Json) -> str:
    disk = document.get("properties", {}).get("storageProfile", {}).get("osDisk") or {}
    return str(disk.get("osType") or "").lower()
