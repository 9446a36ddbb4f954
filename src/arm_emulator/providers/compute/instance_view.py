"""The runtime side of a machine: power, provisioning and agent state, and what a patch assessment left behind.

A machine loaded with an ``instanceView`` shows that; any other shows one made from its model, in the shape that
recorded answers have. The stored one is only written by actions that change it (start, deallocate, assessPatches and
so on).
"""

from datetime import datetime
from typing import Any

from arm_emulator.providers.compute.members import Json

POWER_STATES = {
    "running": "VM running",
    "starting": "VM starting",
    "stopped": "VM stopped",
    "stopping": "VM stopping",
    "deallocated": "VM deallocated",
    "deallocating": "VM deallocating",
}
"""Power state → its display text."""
_POWER = "PowerState/"
_PROVISIONING = "ProvisioningState/"
_DISPLAY = {
    "succeeded": "Provisioning succeeded",
    "updating": "Updating",
    "creating": "Creating",
    "deleting": "Deleting",
    "failed": "Provisioning failed",
}


def known_power(document: Json) -> str:
    """The power state that the stored document tells: ``running``, ``deallocated``, ...; ``''`` where it tells none."""
    for status in _statuses(document.get("properties", {}).get("instanceView")):
        code = str(status.get("code", ""))
        if code.startswith(_POWER):
            return code.removeprefix(_POWER).lower()
    return ""


def instance_view(document: Json, now: datetime) -> Json:
    """The instance view of a machine: the stored one with its provisioning status brought up to date, or one made.

    Args:
        document: as stored.
        now: the emulator's time, for a made one.
    """
    stored = document.get("properties", {}).get("instanceView")
    view: Json = stored if isinstance(stored, dict) else _made(document, now)
    return {**_with_boot_diagnostics(view, document), "statuses": _current(view.get("statuses"), document, now)}


def with_power(document: Json, power: str, now: datetime) -> Json:
    """The document with an instance view of that power state; a machine that is off has no agent to report."""
    view = instance_view(document, now)
    others = [status for status in _statuses(view) if not str(status.get("code", "")).startswith(_POWER)]
    view = {**view, "statuses": [*others, _power(power)]}
    if power == "running":
        view = {**view, "vmAgent": view.get("vmAgent") or _agent(document, now)}
    else:
        gone = {"vmAgent", "computerName", "osName", "osVersion"}
        view = {name: value for name, value in view.items() if name not in gone}
    return _with_view(document, view)


def with_patch_summary(document: Json, name: str, summary: Json, now: datetime) -> Json:
    """The document with one summary of ``patchStatus`` set."""
    view = instance_view(document, now)
    return _with_view(document, {**view, "patchStatus": {**view.get("patchStatus", {}), name: summary}})


def generalized(document: Json, now: datetime) -> Json:
    """The document of a machine that was generalized."""
    view = instance_view(document, now)
    state = {"code": "OSState/generalized", "level": "Info", "displayStatus": "VM generalized"}
    kept = [status for status in view["statuses"] if not str(status.get("code", "")).startswith("OSState/")]
    return _with_view(document, {**view, "statuses": [kept[0], state, *kept[1:]] if kept else [state]})


def _with_view(document: Json, view: Json) -> Json:
    return {**document, "properties": {**document.get("properties", {}), "instanceView": view}}


def _statuses(view: Any) -> list[Json]:
    statuses = view.get("statuses") if isinstance(view, dict) else None
    return [status for status in statuses if isinstance(status, dict)] if isinstance(statuses, list) else []


def _current(statuses: Any, document: Json, now: datetime) -> list[Any]:
    """The statuses with the provisioning state that the model has; untouched where they agree already."""
    state = str(document.get("properties", {}).get("provisioningState", "Succeeded"))
    given = list(statuses) if isinstance(statuses, list) else []
    for position, status in enumerate(given):
        code = str(status.get("code", "")) if isinstance(status, dict) else ""
        if code.startswith(_PROVISIONING):
            if code.split("/")[1].lower() != state.lower():
                given[position] = _provisioning(state, now)
            return given
    return [_provisioning(state, now), *given]


def _provisioning(state: str, now: datetime) -> Json:
    """``time`` stands at succeeded and failed only, as recorded."""
    word = state.lower()
    level = "Error" if word == "failed" else "Info"
    status: Json = {"code": f"{_PROVISIONING}{word}", "level": level, "displayStatus": _DISPLAY.get(word, state)}
    if word in {"succeeded", "failed"}:
        status["time"] = _time(now)
    return status


def _with_boot_diagnostics(view: Json, document: Json) -> Json:
    """The view with what the model's boot diagnostics show: nothing while off, ``{}`` with storage of Azure's own.

    Recorded so for machines that run, are stopped and are deallocated. Ansible's azure_rm_virtualmachine_info ends with
    a KeyError where they are on and the view has none.
    """
    properties = document.get("properties", {})
    settings = (properties.get("diagnosticsProfile") or {}).get("bootDiagnostics")
    if not isinstance(settings, dict):
        return view
    rest = {name: value for name, value in view.items() if name != "bootDiagnostics"}
    if settings.get("enabled") is not True:
        return rest
    storage, known = str(settings.get("storageUri") or ""), view.get("bootDiagnostics")
    if isinstance(known, dict) and bool(known) == bool(storage):
        return view
    if not storage:
        return {**rest, "bootDiagnostics": {}}
    name, number = str(document.get("name", "")), properties.get("vmId", "")
    short = "".join(letter for letter in name.lower() if letter.isalnum())[:9]
    blob = f"{storage.rstrip('/')}/bootdiagnostics-{short}-{number}/{name}.{number}"
    uris = {
        "consoleScreenshotBlobUri": f"{blob}.screenshot.bmp",
        "serialConsoleLogBlobUri": f"{blob}.serialconsole.log",
    }
    return {**rest, "bootDiagnostics": uris}


def _power(power: str) -> Json:
    return {"code": f"{_POWER}{power}", "level": "Info", "displayStatus": POWER_STATES.get(power, power)}


def _made(document: Json, now: datetime) -> Json:
    properties = document.get("properties", {})
    disk = (properties.get("storageProfile") or {}).get("osDisk") or {}
    view: Json = {}
    profile = properties.get("osProfile") or {}
    if "computerName" in profile:
        view["computerName"] = profile["computerName"]
    view["vmAgent"] = _agent(document, now)
    succeeded = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"}
    view["disks"] = [{"name": disk.get("name", ""), "statuses": [{**succeeded, "time": _time(now)}]}]
    view["hyperVGeneration"] = "V2" if "securityProfile" in properties else "V1"
    view["statuses"] = [_provisioning("Succeeded", now), _power("running")]
    return view


def _agent(document: Json, now: datetime) -> Json:
    system = str(((document.get("properties", {}).get("storageProfile") or {}).get("osDisk") or {}).get("osType", ""))
    if system == "Windows":
        message, version = "GuestAgent is running and processing the extensions.", "2.7.41491.1095"
    else:
        message, version = "Guest Agent is running", "2.11.1.4"
    ready = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready", "message": message}
    return {"vmAgentVersion": version, "statuses": [{**ready, "time": _time(now)}]}


def _time(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}0+00:00"
