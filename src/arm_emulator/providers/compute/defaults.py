"""What the service fills in by itself: at an accepted write, and once the operation behind it is over.

Only defaults that recorded answers show are here. Each function takes the document it may change and returns it;
callers hand in a document of their own (the merge has already copied what it touched).
"""

import re
from datetime import datetime
from typing import Any

from arm_emulator.providers.compute.identity import GuidSource, completed_identity, guid
from arm_emulator.providers.compute.members import Json, ordered
from arm_emulator.providers.compute.views import upper_group

_UPPER_GROUP = ("proximityPlacementGroup", "host", "hostGroup")
"""References whose resource group the service always answers in upper case."""
_GROUP = re.compile(r"(?i)(?<=/resourceGroups/)[^/]+")
_UPPER_NAME = "availabilitySet"
"""The reference whose last name the service always answers in upper case (recorded: 14 of 14 machines in a set)."""
APPLICATION_MANAGER = "VMAppExtension"
_PREMIUM_SIZE = re.compile(r"(?i)^standard_([dg]s\d|[a-z]+\d+(-\d+)?[a-z]*s)")
"""Sizes that take premium disks: an S in the series (``DS1_v2``) or behind the number (``D2s_v3``)."""


def filled(document: Json, before: Json) -> Json:
    """A merged machine with the defaults of a write filled in.

    Only what the write brought is looked at: a machine that was loaded as it is stays as it is.

    Args:
        document: as the merge left it.
        before: what stood, ``{}`` for a new machine.
    """
    properties = dict(document.get("properties") or {})
    stood = _object(before.get("properties"))
    if isinstance(properties.get("storageProfile"), dict):
        properties["storageProfile"] = _storage(properties["storageProfile"], properties, stood)
    for name in _UPPER_GROUP:
        reference = properties.get(name)
        if isinstance(reference, dict) and isinstance(reference.get("id"), str) and reference != stood.get(name):
            upper = _GROUP.sub(lambda found: upper_group(found.group()), reference["id"], count=1)
            properties[name] = {**reference, "id": upper}
    member = properties.get(_UPPER_NAME)
    if isinstance(member, dict) and isinstance(member.get("id"), str) and member != stood.get(_UPPER_NAME):
        place, _, name = member["id"].rpartition("/")
        properties[_UPPER_NAME] = {**member, "id": f"{place}/{name.upper()}"}
    if properties.get("applicationProfile") != stood.get("applicationProfile"):
        _applications(properties)
    if properties.get("securityProfile") != stood.get("securityProfile"):
        _proxy_agent(properties)
    return {**document, "properties": properties}


def _is_trusted(properties: Json) -> bool:
    return _object(properties.get("securityProfile")).get("securityType") == "TrustedLaunch"


def _storage(storage: Json, properties: Json, stood: Json) -> Json:
    result = dict(storage)
    if isinstance(storage.get("dataDisks"), list):
        kind, known = _disk_type(properties), _disks_by_lun(stood)
        result["dataDisks"] = [
            _disk(disk, kind) if isinstance(disk, dict) and disk.get("lun") not in known else disk
            for disk in storage["dataDisks"]
        ]
    if _is_trusted(properties) and not _is_trusted(stood):
        result.setdefault("diskControllerType", "SCSI")
    return result


def _disks_by_lun(properties: Json) -> dict[Any, Json]:
    """The data disks of a machine's properties by lun."""
    disks = _object(properties.get("storageProfile")).get("dataDisks")
    return {disk.get("lun"): disk for disk in disks if isinstance(disk, dict)} if isinstance(disks, list) else {}


def _disk(disk: Json, storage_type: str) -> Json:
    """A new data disk with what recorded answers to new disks carry; one that is attached by its id has its name."""
    result = dict(disk)
    result.setdefault("caching", "None")
    result.setdefault("deleteOption", "Detach")
    result.setdefault("toBeDetached", False)
    managed = _object(result.get("managedDisk"))
    if isinstance(managed.get("id"), str):
        result.setdefault("name", managed["id"].rpartition("/")[2])
    elif result.get("createOption") in {"Empty", "FromImage"} and "vhd" not in result:
        result["managedDisk"] = {"storageAccountType": storage_type, **managed}
    return {name: result[name] for name in ordered("properties.storageProfile.dataDisks", result)}


def _disk_type(properties: Json) -> str:
    size = str((properties.get("hardwareProfile") or {}).get("vmSize", ""))
    return "Premium_LRS" if _PREMIUM_SIZE.match(size) else "Standard_LRS"


def _applications(properties: Json) -> None:
    profile = _object(properties.get("applicationProfile"))
    applications = profile.get("galleryApplications")
    if applications == []:
        del properties["applicationProfile"]
    elif isinstance(applications, list):
        flags: tuple[str, ...] = ("manuallyManaged", "treatFailureAsDeploymentFailure", "enableAutomaticUpgrade")
        filled_in = [{**dict.fromkeys(flags, False), **item} for item in applications if isinstance(item, dict)]
        properties["applicationProfile"] = {**profile, "galleryApplications": filled_in}


def with_application_manager(document: Json, before: Json) -> Json:
    """The machine with the extension that installs gallery applications, once a write brings the first of them.

    Recorded: it is there in the answer to that write, ``Creating``, and ``Succeeded`` once the operation is over.

    Args:
        document: after the write, with its id.
        before: what stood, ``{}`` for a new machine.
    """
    if not _has_applications(document) or _has_applications(before):
        return document
    children = document.get("resources")
    known = [child for child in children if isinstance(child, dict)] if isinstance(children, list) else []
    if any(str(child.get("name", "")).lower() == APPLICATION_MANAGER.lower() for child in known):
        return document
    system = "Windows" if "windowsConfiguration" in _os_of(document) else "Linux"
    made = {
        "name": APPLICATION_MANAGER,
        "id": f"{document['id']}/extensions/{APPLICATION_MANAGER}",
        "type": "Microsoft.Compute/virtualMachines/extensions",
        "location": document["location"],
        "properties": {
            "autoUpgradeMinorVersion": True,
            "provisioningState": "Creating",
            "publisher": "Microsoft.CPlat.Core",
            "type": f"VMApplicationManager{system}",
            "typeHandlerVersion": "1.0",
            "settings": {},
        },
    }
    result = {**document, "resources": [*known, made]}
    return {name: result[name] for name in ordered("", result)}


def _has_applications(document: Json) -> bool:
    profile = _object(_object(document.get("properties")).get("applicationProfile"))
    return bool(profile.get("galleryApplications"))


def _os_of(document: Json) -> Json:
    return _object(_object(document.get("properties")).get("osProfile"))


def _proxy_agent(properties: Json) -> None:
    """``proxyAgentSettings.mode`` is stored as the mode of its wire server (recorded: sent, and answered there)."""
    security = _object(properties.get("securityProfile"))
    settings = _object(security.get("proxyAgentSettings"))
    if "mode" in settings:
        server = {**settings.get("wireServer", {}), "mode": settings["mode"]}
        kept = {name: value for name, value in settings.items() if name != "mode"}
        properties["securityProfile"] = {**security, "proxyAgentSettings": {**kept, "wireServer": server}}


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def completed(document: Json, before: Json, random: GuidSource, *, names_identity: bool) -> Json:
    """A machine once its operation is over: disks attached by it have their ids, disks detached by it are gone.

    Args:
        document: as it stands.
        before: the machine before the write; what was incomplete then stays so.
        random: for ids and names.
        names_identity: whether the request had an ``identity``.
    """
    properties = dict(document.get("properties") or {})
    known = _disks_by_lun(_object(before.get("properties")))
    storage = properties.get("storageProfile")
    if isinstance(storage, dict) and isinstance(storage.get("dataDisks"), list):
        disks = [
            _attached(disk, position, document, random) if _is_new(disk, known) else disk
            for position, disk in enumerate(storage["dataDisks"])
            if not _has_left(disk, known)
        ]
        properties["storageProfile"] = {**storage, "dataDisks": disks}
    result = {**document, "properties": properties}
    if isinstance(document.get("resources"), list) and _has_applications(document) and not _has_applications(before):
        result["resources"] = [_installed(child) for child in document["resources"]]
    if names_identity and isinstance(document.get("identity"), dict):
        result["identity"] = completed_identity(document["identity"], random)
    return result


def _installed(child: Any) -> Any:
    if not isinstance(child, dict) or child.get("name") != APPLICATION_MANAGER:
        return child
    return {**child, "properties": {**_object(child.get("properties")), "provisioningState": "Succeeded"}}


def _is_new(disk: Any, known: dict[Any, Json]) -> bool:
    return isinstance(disk, dict) and disk.get("lun") not in known


def _has_left(disk: Any, known: dict[Any, Json]) -> bool:
    """Whether this write detached the disk; one that was leaving before is another operation's."""
    if not isinstance(disk, dict) or not disk.get("toBeDetached"):
        return False
    return not known.get(disk.get("lun"), {}).get("toBeDetached")


def _attached(disk: Any, position: int, machine: Json, random: GuidSource) -> Any:
    managed = disk.get("managedDisk") if isinstance(disk, dict) else None
    if not isinstance(managed, dict) or "id" in managed:
        return disk
    name = disk.get("name") or f"{machine.get('name')}_disk{position + 2}_{guid(random).replace('-', '')}"
    prefix = str(machine.get("id", "")).rpartition("/virtualMachines/")[0]
    result = {**disk, "name": name, "managedDisk": {**managed, "id": f"{prefix}/disks/{name}"}}
    return {member: result[member] for member in ordered("properties.storageProfile.dataDisks", result)}


def created(machine_id: str, body: Json, random: GuidSource, now: datetime) -> Json:
    """The members that a machine has from its creation on, around what the request gave.

    Args:
        machine_id: from the request path.
        body: the merged request: nothing stood before it.
        random: for ``vmId``.
        now: for ``timeCreated``.
    """
    properties = dict(body.get("properties") or {})
    properties.setdefault("vmId", guid(random))
    properties["timeCreated"] = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}0+00:00"
    storage = dict(properties.get("storageProfile") or {})
    storage.setdefault("dataDisks", [])
    storage["osDisk"] = _os_disk(dict(storage.get("osDisk") or {}), storage, properties)
    image = storage.get("imageReference")
    if isinstance(image, dict) and str(image.get("version", "latest")).lower() != "latest":
        storage["imageReference"] = {**image, "exactVersion": image["version"]}
    properties["storageProfile"] = storage
    if isinstance(properties.get("osProfile"), dict):
        properties["osProfile"] = _os_profile(properties["osProfile"], storage["osDisk"].get("osType"))
    base = {
        "name": machine_id.rpartition("/")[2],
        "id": machine_id,
        "type": "Microsoft.Compute/virtualMachines",
        "location": str(body.get("location", "")).replace(" ", "").lower(),
    }
    result = {**base, **{name: value for name, value in body.items() if name not in base}}
    result["properties"] = {name: properties[name] for name in ordered("properties", properties)}
    return {name: result[name] for name in ordered("", result)}


def _os_disk(disk: Json, storage: Json, properties: Json) -> Json:
    disk.setdefault("osType", _os_type(storage, properties))
    disk.setdefault("caching", "ReadWrite")
    disk.setdefault("createOption", "FromImage")
    disk.setdefault("deleteOption", "Detach")
    if "vhd" not in disk:
        disk["managedDisk"] = {"storageAccountType": _disk_type(properties), **_object(disk.get("managedDisk"))}
    return disk


def _os_type(storage: Json, properties: Json) -> str:
    profile = properties.get("osProfile") or {}
    if "windowsConfiguration" in profile:
        return "Windows"
    publisher = str((storage.get("imageReference") or {}).get("publisher", ""))
    is_windows = "linuxConfiguration" not in profile and publisher.lower().startswith("microsoftwindows")
    return "Windows" if is_windows else "Linux"


_SECRETS = ("adminPassword", "customData")


def _os_profile(profile: Json, os_type: object) -> Json:
    """The osProfile of a new machine. Source: recorded creates with and without configuration blocks."""
    result = {name: value for name, value in profile.items() if name not in _SECRETS}
    if os_type == "Windows":
        windows = {
            "provisionVMAgent": True,
            "enableAutomaticUpdates": True,
            **(result.get("windowsConfiguration") or {}),
        }
        mode = "AutomaticByOS" if windows["enableAutomaticUpdates"] else "Manual"
        windows["patchSettings"] = _patch_settings(windows.get("patchSettings"), mode)
        windows.setdefault("enableVMAgentPlatformUpdates", False)
        result["windowsConfiguration"] = windows
    else:
        given = result.get("linuxConfiguration") or {}
        linux = {"disablePasswordAuthentication": False, "provisionVMAgent": True, **given}
        linux["patchSettings"] = _patch_settings(linux.get("patchSettings"), "ImageDefault")
        linux.setdefault("enableVMAgentPlatformUpdates", False)
        path = "properties.osProfile.linuxConfiguration"
        result["linuxConfiguration"] = {name: linux[name] for name in ordered(path, linux)}
    result.setdefault("secrets", [])
    result.setdefault("allowExtensionOperations", True)
    result.setdefault("requireGuestProvisionSignal", True)
    return {name: result[name] for name in ordered("properties.osProfile", result)}


def _patch_settings(given: object, mode: str) -> Json:
    settings = {"patchMode": mode, "assessmentMode": "ImageDefault", **(given if isinstance(given, dict) else {})}
    if settings.get("enableHotpatching") is True:
        # Recorded on a hotpatch machine: the flag stands there, false, though nobody sent it.
        settings.setdefault("automaticByPlatformSettings", {"bypassPlatformSafetyChecksOnUserSchedule": False})
    path = "properties.osProfile.windowsConfiguration.patchSettings"
    return {name: settings[name] for name in ordered(path, settings)}
