"""A failed patch extension: read from every source that tells of it, found, and an outcome in doubt."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.rules.builders import ARC_ID, VM_ID, arc_document, machine_from, vm
from tests.unit.rules.memberships import attached, hit, window

from patchmode.model.machine import Machine, PatchExtension, Surroundings, worse
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration, PatchSettings, WantedSettings
from patchmode.model.plan import Change
from patchmode.model.schedule import MachineSchedules, NextWindow, RunForecast, Timing
from patchmode.rules.eligibility.judgement import first_block, reasons_for
from patchmode.rules.schedules.forecast import forecast, predict
from patchmode.rules.settings.planning import plan_machine

CMS = WantedSettings(Orchestration.CUSTOMER_MANAGED_SCHEDULES)
READY = PatchSettings(patch_mode="AutomaticByPlatform", bypass=True)
AZURE = PatchSettings(patch_mode="AutomaticByPlatform")
NONE, SCHEDULE = MachineSchedules(looked_up=True), attached()
SAYS = "Failed to reach https://updates.contoso.example"
FAILED = PatchExtension("LinuxPatchExtension", "Failed", SAYS)
WELL = PatchExtension("LinuxPatchExtension", "Succeeded")


def status(code: str, level: str = "Info", message: object = None) -> dict[str, Any]:
    """One status of an instance view."""
    return {"code": f"ProvisioningState/{code}", "level": level, "displayStatus": "…", "message": message}


def resource(kind: str = "LinuxPatchExtension", **properties: Any) -> dict[str, Any]:
    """An extension as a GET of its machine shows it."""
    given = {"publisher": "Microsoft.CPlat.Core", "type": kind, "provisioningState": "Succeeded", **properties}
    return {"name": kind, "properties": given}


def broken(machine: Machine, extension: PatchExtension | None = FAILED, **around: Any) -> Machine:
    """The machine with an extension."""
    return replace(machine, surroundings=Surroundings(patch_extension=extension, **around))


LINUX = vm("Linux", {"patchMode": "ImageDefault"})
UNLISTED = vm("Linux", image={"publisher": "contoso", "offer": "appliance", "sku": "v1"})
SUPPORTED_BY_AZURE = vm("Linux")


@pytest.mark.parametrize(
    ("document", "read"),
    [
        (resource(), WELL),
        (
            resource("windowspatchextension", provisioningState="failed"),
            PatchExtension("windowspatchextension", "failed"),
        ),
        (resource(publisher="MICROSOFT.cplat.core"), WELL),
        (resource(publisher="Contoso.Core"), None),
        (resource("RunCommandLinux"), None),
        (resource("LinuxOsUpdateExtension", publisher="Microsoft.SoftwareUpdateManagement"), None),
        (resource(instanceView={"statuses": [status("failed/1", "Error", SAYS)]}), FAILED),
        (resource(instanceView={"statuses": [status("succeeded", "Info", "fine")]}), replace(WELL, message="fine")),
        (resource(provisioningState="Failed", instanceView={"statuses": [status("succeeded", message=SAYS)]}), FAILED),
        (resource(provisioningState=7, instanceView=[]), PatchExtension("LinuxPatchExtension", "")),
        ({"properties": {**resource()["properties"], "provisioningState": "Failed"}}, replace(FAILED, message=None)),
        ({}, None),
        ({"properties": [1]}, None),
    ],
)
def test_of_a_virtual_machines_resource(document: dict[str, Any], read: PatchExtension | None) -> None:
    """Model and instance view of it may differ: the failure counts, and what is no text is passed over."""
    assert PatchExtension.of_resource(document, is_arc=False) == read


def test_of_an_arc_server() -> None:
    """Another extension carries out schedules there; that of assessments is none of them. Its view has one status."""
    update = resource("WindowsOsUpdateExtension", publisher="Microsoft.SoftwareUpdateManagement")
    assert PatchExtension.of_resource(resource("WindowsPatchExtension"), is_arc=True) is None
    assert PatchExtension.of_resource(update, is_arc=True) == PatchExtension("WindowsOsUpdateExtension", "Succeeded")
    view = {"status": {"code": "error", "level": "Error", "message": SAYS}}
    update["properties"]["instanceView"] = view
    assert PatchExtension.of_resource(update, is_arc=True) == PatchExtension("WindowsOsUpdateExtension", "Failed", SAYS)


def test_of_a_machines_children() -> None:
    """A GET shows extensions whole; of a list, which shows ids, nothing is known."""
    assert PatchExtension.of_resources([{"id": "x"}, resource("Other"), resource()]) == WELL
    assert PatchExtension.of_resources([{"id": f"{VM_ID}/extensions/LinuxPatchExtension"}]) is None
    assert PatchExtension.of_resources(None) is None
    assert PatchExtension.of_resources([3, "x", None]) is None


def test_of_an_instance_view() -> None:
    """Named `publisher.type` there; the first error among its statuses is the one that is told, on one line."""
    long = "x" * 700
    entries = [
        {"name": "LinuxDiagnostic", "type": "Microsoft.OSTCExtensions.LinuxDiagnostic", "statuses": [status("failed")]},
        {
            "name": "patcher",
            "type": "Microsoft.CPlat.Core.LinuxPatchExtension",
            "statuses": [status("succeeded"), status("failed/5", "Error", "a\n\n b"), status("failed", "Error", "c")],
        },
    ]
    assert PatchExtension.of_view({"extensions": entries}) == PatchExtension("patcher", "Failed", "a b")
    entries[1]["statuses"] = [status("failed", message=long)]
    assert PatchExtension.of_view({"extensions": entries}) == PatchExtension("patcher", "Failed", "x" * 600 + " …")
    entries[1]["statuses"] = [status("NotReady/21")]
    assert PatchExtension.of_view({"extensions": entries}) == PatchExtension("patcher", "Notready")
    assert PatchExtension.of_view({"extensions": [7]}) is None
    assert PatchExtension.of_view({}) is None


def test_two_sources_of_one_moment() -> None:
    """The failure counts, and the message of whoever tells one."""
    silent = replace(FAILED, message=None)
    assert worse(None, FAILED) == worse(FAILED, None) == worse(silent, FAILED) == worse(FAILED, silent) == FAILED
    assert worse(WELL, FAILED) == worse(FAILED, WELL) == FAILED
    assert worse(None, None) is None
    assert WELL.with_message_of(FAILED) == WELL


def test_the_finding_has_the_extensions_own_message_and_a_command() -> None:
    """It stands in no way: the settings are right whatever the extension does."""
    (reason,) = [one for one in reasons_for(broken(LINUX), CMS) if one.rule == "patch-extension-failed"]
    assert SAYS in reason.message
    assert "in doubt" in reason.message
    assert reason.evidence == "extensions/LinuxPatchExtension provisioningState = Failed"
    assert reason.fix.splitlines()[1] == (
        "az vm extension delete --name LinuxPatchExtension --vm-name web-1 --resource-group rg-web "
        "--subscription 11111111-1111-1111-1111-111111111111"
    )
    assert first_block(reasons_for(broken(LINUX), CMS)) is None
    arc = broken(machine_from(arc_document()), PatchExtension("LinuxOsUpdateExtension", "Canceled"))
    (reason,) = [one for one in reasons_for(arc, CMS) if one.rule == "patch-extension-failed"]
    assert "az connectedmachine extension delete" in reason.fix
    assert ARC_ID.rsplit("/", 1)[-1] in reason.fix
    assert "explain shows it" in reason.message


@pytest.mark.parametrize(
    "extension", [None, WELL, PatchExtension("LinuxPatchExtension", "Updating"), PatchExtension("x", "")]
)
def test_what_has_not_failed_is_no_news(extension: PatchExtension | None) -> None:
    """One that is being installed, or of which nothing is known."""
    machine = broken(LINUX, extension)
    assert "patch-extension-failed" not in {reason.rule for reason in reasons_for(machine, CMS)}
    assert predict(READY, machine, SCHEDULE).kind is OutcomeKind.SCHEDULED


@pytest.mark.parametrize(
    ("settings", "machine", "schedules", "kind", "phrase"),
    [
        (READY, broken(LINUX), SCHEDULE, OutcomeKind.UNKNOWN, SAYS),
        (READY, broken(UNLISTED), SCHEDULE, OutcomeKind.UNKNOWN, SAYS),
        (None, broken(machine_from(arc_document())), SCHEDULE, OutcomeKind.UNKNOWN, SAYS),
        # what fails or is patched by nobody in any case stays what it is
        (AZURE, broken(LINUX), SCHEDULE, OutcomeKind.SCHEDULE_FAILS, "prerequisite"),
        (READY, broken(LINUX, power_state="deallocated"), SCHEDULE, OutcomeKind.SCHEDULE_FAILS, "deallocated"),
        (
            READY,
            broken(LINUX),
            attached(hit(following=NextWindow(Timing.COMING, window(minutes=20)))),
            OutcomeKind.SCHEDULE_FAILS,
            "25 minutes",
        ),
        (READY, broken(LINUX), NONE, OutcomeKind.PARKED, ""),
        (PatchSettings(patch_mode="ImageDefault"), broken(LINUX), NONE, OutcomeKind.GUEST_MANAGED, ""),
        # Azure's own patching goes through the same extension
        (AZURE, broken(LINUX), NONE, OutcomeKind.UNKNOWN, SAYS),
        (AZURE, broken(LINUX, WELL), NONE, OutcomeKind.AUTOPATCHED, ""),
    ],
)
def test_outcomes(
    settings: PatchSettings | None, machine: Machine, schedules: MachineSchedules, kind: OutcomeKind, phrase: str
) -> None:
    """In doubt where the extension alone decides: whether Azure installs it again is stated nowhere."""
    outcome = predict(settings, machine, schedules)
    assert outcome.kind is kind
    assert phrase in outcome.reason


def test_the_plan_tells_it_too() -> None:
    """A machine that is prepared by the plan is not told to be patched afterwards."""
    planned = plan_machine(broken(LINUX), CMS, SCHEDULE)
    assert isinstance(planned, Change)
    assert planned.outcome_after.kind is OutcomeKind.UNKNOWN
    found = forecast(READY, broken(LINUX), SCHEDULE.hits[0])
    assert (found.result, found.rule) == (RunForecast.UNKNOWN, "patch-extension-failed")
