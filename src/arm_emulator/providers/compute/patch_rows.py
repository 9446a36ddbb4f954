"""Installations and assessments as rows of Resource Graph, and as the summaries of a machine's instance view.

Source: "Access Azure Update Manager operations data" and "Sample query logs" for the rows' members
and the casing of their ids; ``LastPatchInstallationSummary`` and ``AvailablePatchSummary`` of azure-mgmt-compute for
the summaries.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from arm_emulator.providers.compute.patches import Install, Patch, Trouble
from arm_emulator.providers.maintenance.run_rows import graph_time
from arm_emulator.providers.maintenance.runs import stable_guid
from arm_emulator.state import Document, Stored

_NO_ERROR: Document = {"details": [], "code": "Success", "message": "0 error/s reported"}
_CUT_OFF: Document = {
    "code": "MaintenanceWindowExceeded",
    "message": "The maintenance window had less than 25 minutes left.",
}
_CLASSES = {
    "windows": ("security", "critical", "definition", "updateRollup", "featurePack", "servicePack", "tools", "updates"),
    "linux": ("security", "critical", "other"),
}
_LOGS = {
    "windows": r"C:\WindowsAzure\Logs\Plugins\Microsoft.CPlat.Core.WindowsPatchExtension\WindowsUpdateExtension.log",
    "linux": "/var/log/azure/Microsoft.CPlat.Core.LinuxPatchExtension/0.core.log",
}
_SERVICES = {"windows": "WU-WSUS", "linux": "APT"}


def install_type(machine: Stored) -> str:
    """The row type of a machine's installations."""
    return f"{machine.type}/patchinstallationresults"


def assessment_type(machine: Stored) -> str:
    """The row type of a machine's assessments."""
    return f"{machine.type}/patchassessmentresults"


def install_rows(install: Install, now: datetime) -> Iterator[Stored]:
    """The installation as it stands at a moment, then its updates; nothing before it begins."""
    if now < install.begins:
        return
    machine = install.machine
    activity = _activity(install)
    base = f"{machine.id}/patchInstallationResults/{activity}"
    is_done = now >= install.ends
    modified = graph_time(install.ends if is_done else install.begins)
    properties = {
        "installationActivityId": activity,
        "status": install_status(install, is_done=is_done),
        "startedBy": install.started_by,
        "startDateTime": graph_time(install.begins),
        "lastModifiedDateTime": modified,
        "maintenanceWindowExceeded": install.is_cut_off and is_done,
        "rebootStatus": install.reboot_status if is_done else "NotNeeded",
        **install_counts(install, is_done=is_done),
        "errorDetails": install_error(install, is_done=is_done),
        "osType": _system(install.os),
        "patchServiceUsed": _SERVICES.get(install.os, "APT"),
    }
    if install.run_id:
        properties["maintenanceRunId"] = install.run_id
    yield _row(base, install_type(machine), activity, machine, properties)
    for patch, state in install_states(install, is_done=is_done):
        yield _patch_row(base, install_type(machine), machine, patch, {"installationState": state}, modified)


def installation_summary(install: Install, now: datetime) -> Document:
    """``lastPatchInstallationSummary`` of the instance view."""
    is_done = now >= install.ends
    return {
        "status": install_status(install, is_done=is_done),
        "installationActivityId": _activity(install),
        "maintenanceWindowExceeded": install.is_cut_off and is_done,
        **install_counts(install, is_done=is_done),
        "startTime": _wire_time(install.begins),
        "lastModifiedTime": _wire_time(install.ends if is_done else install.begins),
        "error": install_error(install, is_done=is_done),
    }


def assessment_rows(
    machine: Stored, os: str, at: datetime, missing: Sequence[Patch], *, support: str, mode_on: bool
) -> Iterator[Stored]:
    """The newest assessment of a machine, then the updates that it found.

    Args:
        machine: assessed.
        os: ``windows`` or ``linux``.
        at: when it was assessed.
        missing: what it lacked then.
        support: ``Supported``, ``Unsupported`` or ``Unknown``.
        mode_on: whether periodic assessment made it, rather than an installation.
    """
    base = f"{machine.id}/patchAssessmentResults/latest"
    activity = stable_guid(machine.key, "assessment", at.isoformat())
    system = "windows" if os == "windows" else "linux"
    counts = dict.fromkeys(_CLASSES[system], 0)
    for patch in missing:
        name = next(one for one in _CLASSES[system] if one.lower() == patch.classification.lower())
        counts[name] += 1
    properties = {
        "assessmentActivityId": activity,
        "status": "Succeeded",
        "startedBy": "Platform" if mode_on else "User",
        "rebootPending": False,
        "patchServiceUsed": _SERVICES[system],
        "osType": _system(os),
        "startDateTime": graph_time(at),
        "lastModifiedDateTime": graph_time(at),
        "availablePatchCountByClassification": counts,
        "errorDetails": _NO_ERROR,
        "configurationStatus": {"vmGuestPatchReadiness": {"detectedVMGuestPatchSupportState": support}},
    }
    yield _row(base, assessment_type(machine), activity, machine, properties)
    for patch in missing:
        yield _patch_row(base, assessment_type(machine), machine, patch, {}, graph_time(at))


def assessment_summary(machine: Stored, at: datetime, missing: Sequence[Patch]) -> Document:
    """``availablePatchSummary`` of the instance view."""
    return {
        "status": "Succeeded",
        "assessmentActivityId": stable_guid(machine.key, "assessment", at.isoformat()),
        "rebootPending": False,
        **counts_of(missing),
        "startTime": _wire_time(at),
        "lastModifiedTime": _wire_time(at),
        "error": _NO_ERROR,
    }


def counts_of(missing: Sequence[Patch]) -> dict[str, int]:
    """How many updates are urgent, and how many are not, under the names that assessments have."""
    urgent = sum(patch.classification in {"Security", "Critical"} for patch in missing)
    return {"criticalAndSecurityPatchCount": urgent, "otherPatchCount": len(missing) - urgent}


def available_patch(patch: Patch, activity: str, now: datetime) -> Document:
    """An update as the answer of ``assessPatches`` lists it. Source: azure-mgmt-compute, SoftwarePatchProperties."""
    return {
        **_listed_patch(patch),
        "rebootBehavior": "CanRequestReboot" if patch.needs_reboot else "NeverReboots",
        "activityId": activity,
        "publishedDate": _wire_time(patch.published),
        "lastModifiedDateTime": _wire_time(now),
        "assessmentState": "Available",
    }


def installed_patch(patch: Patch, state: str) -> Document:
    """An update as the answer of ``installPatches`` lists it. Source: azure-mgmt-compute, PatchInstallationDetail."""
    return {**_listed_patch(patch), "installationState": state}


def _listed_patch(patch: Patch) -> Document:
    named = {"kbId": patch.kb} if patch.kb else {"version": patch.version}
    return {
        "patchId": stable_guid(patch.name, patch.published.isoformat()),
        "name": patch.name,
        **named,
        "classifications": [patch.classification],
    }


def _activity(install: Install) -> str:
    return stable_guid(install.machine.key, install.run_id, install.begins.isoformat())


def install_status(install: Install, *, is_done: bool) -> str:
    """``InProgress``, and then ``Succeeded``, ``CompletedWithWarnings`` or ``Failed``."""
    if not is_done:
        return "InProgress"
    if install.is_failed:
        return "Failed"
    # Errors of attempts that were repeated with success are a warning (Azure/LinuxPatchExtension, PatchInstaller).
    return "Succeeded" if install.trouble is None else "CompletedWithWarnings"


def install_counts(install: Install, *, is_done: bool) -> dict[str, int]:
    """How many of the updates are in each state, under the names of the results."""
    installed = len(install.installed) if is_done else 0
    failed = len(install.failed) if is_done else 0
    return {
        "excludedPatchCount": 0,
        "failedPatchCount": failed,
        "installedPatchCount": installed,
        "notSelectedPatchCount": len(install.not_selected),
        "pendingPatchCount": len(install.selected) - installed - failed,
    }


def install_states(install: Install, *, is_done: bool) -> Iterator[tuple[Patch, str]]:
    """Each update with its ``installationState``."""
    installed, failed = (install.installed, install.failed) if is_done else ((), ())
    for patch in install.selected:
        yield patch, "Installed" if patch in installed else "Failed" if patch in failed else "Pending"
    for patch in install.not_selected:
        yield patch, "NotSelected"


def install_error(install: Install, *, is_done: bool) -> Document:
    """What an installation reported of errors: code ``Success`` where none did occur."""
    if not is_done:
        return _NO_ERROR
    if install.trouble is not None:
        return _reported(install.trouble, install.os)
    return {**_CUT_OFF, "details": [_CUT_OFF]} if install.is_cut_off else _NO_ERROR


def _reported(trouble: Trouble, os: str) -> Document:
    """One error as the patch extension reports it.

    Source: a recorded assessment on Ubuntu for the code "1" and the sentence; "Troubleshoot issues with Azure Update
    Manager" for the path on Windows. That Windows words it as Linux does is supposed.
    """
    message = (
        "1 error/s reported. The latest 1 error/s are shared in detail. "
        f"To view all errors, review this log file on the machine: {_LOGS.get(os, _LOGS['linux'])}"
    )
    return {"details": [{"code": trouble.code, "message": trouble.message}], "code": "1", "message": message}


def _patch_row(base: str, type_: str, machine: Stored, patch: Patch, more: dict[str, Any], modified: str) -> Stored:
    is_windows = bool(patch.kb)
    properties = {
        "patchName": patch.name,
        "classifications": [patch.classification],
        "rebootRequired": patch.needs_reboot,
        "rebootBehavior": "CanRequestReboot" if patch.needs_reboot else "NeverReboots",
        "lastModifiedDateTime": modified,
        "publishedDateTime": graph_time(patch.published) if is_windows else None,
        **({"kbId": patch.kb} if is_windows else {"version": patch.version}),
        **more,
    }
    name = stable_guid(base.lower(), patch.name)
    return _row(f"{base}/softwarePatches/{name}", f"{type_}/softwarepatches", name, machine, properties)


def _row(id_: str, type_: str, name: str, machine: Stored, properties: Document) -> Stored:
    document = {
        "id": id_,
        "name": name,
        "type": type_,
        "location": machine.document.get("location"),
        "properties": properties,
    }
    return Stored(id_, type_, machine.subscription, machine.group, document, None, id_.lower(), machine.key)


def _system(os: str) -> str:
    return "Windows" if os == "windows" else "Linux"


def _wire_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0+00:00"
