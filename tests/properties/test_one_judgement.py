"""Every command and report says the same of each machine, however odd its document.

The fleet stands in an emulator in this process, and each command's own function reads it through the product's whole
reading side: audit and watch read Resource Graph's rows, plan, verify and explain the provider's documents.
"""

import asyncio
import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.properties.odd_documents import BYPASS, PATHS, VALUES, members_read, odd_documents, put
from tests.properties.within import TARGET, Refusing, StandingClock, connection
from tests.unit.rules.builders import arc_document, machine_from, vm_document

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.protocol.throttle import Limits
from patchmode import cli
from patchmode.arm.machine_reading import machine_from_document
from patchmode.console.fleet import make_fleet
from patchmode.documents.audit import audit_document
from patchmode.model.finding import MachineAudit
from patchmode.model.left_alone import Skipped
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration, RebootSetting, WantedSettings
from patchmode.model.plan import Change, Plan, ThenAttach, Unchanged
from patchmode.model.report import AuditReport, Explanation
from patchmode.model.resource_id import ResourceId
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure
from patchmode.reports.formats.audit_record import audit_record
from patchmode.reports.formats.registry import SUFFIXES, pieces
from patchmode.reports.text.audit import audit_lines, explanation_lines
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.plan import leaf_changes
from patchmode.rules.drift import look_of
from patchmode.rules.eligibility.judgement import audit_machine
from patchmode.rules.registry import rule_texts
from patchmode.rules.schedules.attaching import attach_obstacle
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.transitions import wanted_of
from patchmode.rules.settings.verification import differences, touches_settings
from patchmode.workflow.inventory.audit import audit, explain
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.verification import verify_machines, verify_scope
from patchmode.workflow.schedules.views import check_schedules

WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
EVERYTHING = Scope(everything=True)
CLOCK = StandingClock()
_PLACE = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-web/providers/Microsoft.Maintenance"
NIGHTLY: dict[str, Any] = {
    "id": f"{_PLACE}/maintenanceConfigurations/nightly",
    "name": "nightly",
    "type": "Microsoft.Maintenance/maintenanceConfigurations",
    "location": "westeurope",
    "properties": {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": {
            "startDateTime": "2029-01-01 22:00",
            "duration": "03:00",
            "timeZone": "UTC",
            "recurEvery": "Day",
        },
        "installPatches": {"rebootSetting": "IfRequired", "windowsParameters": {}, "linuxParameters": {}},
    },
}
JUDGED = {
    "audit": "audit",
    "report": "the record of an audit, in every format",
    "watch": "the look that an audit leaves",
    "plan": "plan",
    "apply": "plan: with a scope it makes one; what it compares before and after sending is `differences`",
    "verify": "verify_scope",
    "explain": "explain",
    "console": "the rows of an audit",
    "policy": "audit_policies: what Azure Policy makes of it; whether it is set is `Machine.orchestration`",
    "schedule": "check_schedules, and the obstacle that attach names",
}
"""Commands that say something of a machine's settings, and by which function they are asked here."""
NOT_JUDGING = {
    "schema": "prints a published file",
    "completion": "writes what a shell completes with",
    "demo": "tells a story with other commands",
    "doctor": "looks at rights and locks",
    "export": "writes what a plan holds in another form",
    "evidence": "packs what a run recorded",
    "iac": "reads files, and compares what they declare",
    "mcp": "hands the other commands to an assistant",
    "live_check": "asks Azure about one machine of its own, and judges none",
    "rollback": "judges a change of a journal; its own properties stand in test_rollback",
    "runs": "tells of journals",
}


def test_every_command_is_asked() -> None:
    """A command that is added must say here how it judges."""
    found = {path.stem for path in (Path(cli.__file__).parent / "commands").glob("[a-z]*.py")}
    assert found == JUDGED.keys() | NOT_JUDGING.keys()


def test_every_member_that_is_read_is_spoiled() -> None:
    assert members_read() <= {step for path in PATHS for step in path}


def numbered(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, document in enumerate(found):
        name = f"m-{number}"
        place, _, _ = document["id"].rpartition("/")
        yield {**document, "id": f"{place}/{name}", "name": name, "location": "westeurope", "type": _type(place)}


def _type(place: str) -> str:
    return place.rpartition("/providers/")[2]


def assignment(machine: dict[str, Any]) -> dict[str, Any]:
    name = "nightly"
    return {
        "id": f"{machine['id']}/providers/Microsoft.Maintenance/configurationAssignments/{name}",
        "name": name,
        "type": "Microsoft.Maintenance/configurationAssignments",
        "location": "westeurope",
        "properties": {"maintenanceConfigurationId": NIGHTLY["id"], "resourceId": machine["id"]},
    }


def emulated(machines: list[dict[str, Any]], *, is_attached: bool) -> Azure:
    assignments = [assignment(one) for one in machines] if is_attached else []
    document = {"resources": [*machines, NIGHTLY, *assignments]}
    clock = Clock(CLOCK.now(), monotonic=lambda: 0.0)
    emulator = Emulator(clock=clock, limits=Limits(is_off=True), fleet=document)
    return connection(Refusing(emulator))


async def asked(azure: Azure, wanted: WantedSettings) -> tuple[AuditReport, Plan, dict[str, Explanation], set[str]]:
    report = await audit(azure, EVERYTHING, wanted=wanted, clock=CLOCK)
    plan = await make_plan(azure, EVERYTHING, wanted, clock=CLOCK)
    told = {
        entry.machine.id.key: await explain(azure, str(entry.machine.id), wanted=wanted, clock=CLOCK)
        for entry in report.machines
    }
    verified = {one.id.key for one in (await verify_scope(azure, EVERYTHING, wanted)).found if one.verified}
    return report, plan, told, verified


wishes = st.sampled_from(
    (
        WANTED,
        WANTED,
        WANTED,
        WantedSettings(orchestration=Orchestration.AZURE_MANAGED),
        WantedSettings(orchestration=Orchestration.MANUAL),
        WantedSettings(orchestration=Orchestration.IMAGE_DEFAULT),
        WantedSettings(WANTED.orchestration, periodic_assessment=True, hotpatch_off=True),
        WantedSettings(periodic_assessment=False),
        WantedSettings(WANTED.orchestration, periodic_assessment=True, reboot=RebootSetting.NEVER),
        WantedSettings(WANTED.orchestration, reboot=RebootSetting.NEVER),
    )
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(found=st.lists(odd_documents(), min_size=6, max_size=6), wanted=wishes, is_attached=st.booleans())
def test_all_commands_agree(found: list[dict[str, Any]], wanted: WantedSettings, is_attached: bool) -> None:
    machines = list(numbered(found))
    azure = emulated(machines, is_attached=is_attached)
    report, plan, told, verified = asyncio.run(asked(azure, wanted))
    assert (len(report.machines), report.unreadable, plan.unreadable) == (len(machines), (), ())
    ends = {one.id.key: end for end in ("changes", "unchanged", "skipped") for one in getattr(plan, end)}
    rules = {one.id.key: one.rule for one in plan.skipped}
    assert len(ends) == len(machines)
    for entry in report.machines:
        key, is_arc = entry.machine.id.key, entry.machine.kind is MachineKind.ARC
        blocks = [reason.rule for reason in entry.reasons if reason.severity == "blocks"]
        is_arc_alone = is_arc and "arc-no-orchestration" in blocks
        expected = "skipped" if is_arc_alone or not (entry.as_wanted or entry.eligible) else None
        expected = expected or ("unchanged" if entry.as_wanted else "changes")
        assert (key, ends[key]) == (key, expected), machines
        assert rules.get(key) == (blocks[0] if expected == "skipped" else None)
        assert (key in verified) == (expected == "unchanged")
        explained = told[key].audit
        assert (explained.as_wanted, explained.eligible) == (entry.as_wanted, entry.eligible)
        assert explained.machine.settings == entry.machine.settings
        assert explained.machine.orchestration is entry.machine.orchestration
        assert [one.rule for one in explained.reasons if one.severity == "blocks"] == blocks
    undone = {one.id.key for one in (*plan.changes, *plan.blocked)}
    assert {entry.machine.id.key for entry in report.machines if not entry.as_wanted} == undone
    faces_agree(report)
    changes_are_seen(plan)


def faces_agree(report: AuditReport) -> None:
    """Watch, console, JSON and every report format say of each machine what the audit says."""
    look, document = look_of(report), audit_document(report)
    fleet = make_fleet(report, {}, {})
    record = audit_record(document, rule_texts())
    assert document.counts["asWanted"] == sum(entry.as_wanted for entry in report.machines)
    for entry, row, seen, listed in zip(report.machines, document.machines, fleet.rows, record.machines, strict=True):
        assert (row.as_wanted, row.eligible) == (entry.as_wanted, entry.eligible)
        assert (seen.is_as_wanted, seen.eligible) == (entry.as_wanted, entry.eligible)
        assert (listed.values["asWanted"], listed.values["eligible"]) == (entry.as_wanted, entry.eligible)
        assert (listed.standing.value == "finding") == (not entry.as_wanted)
        assert look.machines[entry.machine.id.key].settings["orchestration"] == entry.machine.orchestration.value
    for form in sorted(set(SUFFIXES.values())):
        written = b"".join(pieces(record, form))
        assert written, form
        if form == "csv":
            told = [row["asWanted"] for row in csv.DictReader(StringIO(written.decode()))]
            assert told == [str(entry.as_wanted).lower() for entry in report.machines]


def changes_are_seen(plan: Plan) -> None:
    """A change that is sent is one whose absence would be seen, and one that stands is one that is planned no more."""
    for change in plan.changes:
        assert any(map(touches_settings, differences(change, change.document))), change.before
        assert leaf_changes(change), change.before  # what is sent is shown
        sent = change.body["properties"]["osProfile"][change.os.configuration]["patchSettings"]
        if sent.get("patchMode") == "AutomaticByPlatform":
            assert sent["automaticByPlatformSettings"].keys() >= {"bypassPlatformSafetyChecksOnUserSchedule"}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(found=st.lists(odd_documents(), min_size=6, max_size=6))
def test_schedules_are_judged_by_the_same_settings(found: list[dict[str, Any]]) -> None:
    """Whether a schedule may be attached, and what is said of one that is, follows from the same reading."""
    azure = emulated(list(numbered(found)), is_attached=True)
    report = asyncio.run(audit(azure, EVERYTHING, clock=CLOCK))
    checked = asyncio.run(check_schedules(azure, (), clock=CLOCK))
    (view,) = checked.checked
    members = {member.machine.id: member for member in view.members}
    for entry in report.machines:
        machine = entry.machine
        obstacle = attach_obstacle(machine, view.configuration)
        if entry.outcome.kind is not OutcomeKind.INELIGIBLE:
            assert (obstacle is None) == entry.as_wanted
        assert members[machine.id].machine.settings == machine.settings
        rules = {reason.rule for reason in entry.reasons}
        if entry.as_wanted:
            assert "prerequisite-missing" not in rules
        if machine.kind is not MachineKind.ARC and machine.settings is not None and machine.settings.undecided:
            assert "odd-settings" in rules
            assert entry.outcome.kind in {OutcomeKind.UNKNOWN, OutcomeKind.INELIGIBLE, OutcomeKind.SCHEDULE_FAILS}


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_no_value_of_any_member_ends_a_reading(path: tuple[str, ...]) -> None:
    """Issue 10: 10 of 26 forms of one machine's document ended `plan` for all machines."""
    for system, value in product(("Windows", "Linux"), VALUES):
        document = put(vm_document(system, {"patchMode": "AutomaticByPlatform"}), path, value)
        machine = machine_from_document(document, MachineKind.VM)
        assert machine.document is document
        entry = audit_machine(machine, WANTED)
        assert isinstance(plan_machine(machine, WANTED), Change | Skipped | Unchanged)
        assert audit_record(audit_document(_report(entry)), rule_texts()).machines


_ORCHESTRATIONS = set(Orchestration) - {Orchestration.NOT_SET, Orchestration.NOT_APPLICABLE}
_WISHES = [
    WantedSettings(orchestration, assessment, reboot, hotpatch_off)
    for orchestration, assessment, reboot, hotpatch_off in product(
        (None, *_ORCHESTRATIONS), (None, True, False), (None, *RebootSetting), (False, True)
    )
]
"""Every wish that the command line can make, and the one of no setting."""
_ARC_SETTINGS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"assessmentMode": "AutomaticByPlatform"},
    {"assessmentMode": "ImageDefault"},
    {"assessmentMode": 7},
    {"patchMode": "AutomaticByPlatform"},
)


@pytest.mark.parametrize("system", ["Windows", "Linux"])
@pytest.mark.parametrize("stated", _ARC_SETTINGS, ids=str)
def test_of_an_arc_server_all_say_the_same_whatever_is_asked_for(system: str, stated: dict[str, Any] | None) -> None:
    """With --periodic-assessment and --reboot, `audit` ended green over one that `plan` called blocked."""
    machine = machine_from(arc_document(system, stated))
    for wanted in _WISHES:
        entry = audit_machine(machine, wanted)
        planned = plan_machine(machine, wanted_of(machine, wanted))
        left_undone = isinstance(planned, Change) or (isinstance(planned, Skipped) and planned.is_asked_for(wanted))
        assert entry.as_wanted == (not left_undone), (wanted, planned)
        (verified,) = verify_machines([machine], wanted)
        is_aside = verified.blocked_by is not None and not verified.blocked_by.is_asked_for(wanted)
        assert entry.as_wanted == (verified.verified or is_aside), (wanted, planned)


@pytest.mark.parametrize("reboot", [None, *RebootSetting])
def test_an_arc_server_that_gets_no_schedule_for_a_reboot_setting_is_blocked(reboot: RebootSetting | None) -> None:
    """The schedule was asked for, so a plan that attaches none there is not all that was asked for."""
    machine = machine_from(arc_document("Linux"))
    wanted = replace(WANTED, reboot=reboot)
    planned = plan_machine(machine, wanted_of(machine, wanted, attaches=True))
    empty = Plan(TARGET, ("--all",), wanted, (), then_attach=ThenAttach(ResourceId.parse(NIGHTLY["id"]), "nightly"))
    plan = replace(empty, skipped=(planned,) if isinstance(planned, Skipped) else ())
    assert len(plan.blocked) == (0 if reboot is None else 1)
    assert isinstance(planned, Unchanged) == (reboot is None)


def _report(entry: MachineAudit) -> AuditReport:
    return AuditReport(TARGET, (), WANTED, (entry,), created_at=CLOCK.now())


@pytest.mark.parametrize("value", ["true", "True", 1, 1.0, [True], {}, "AutomaticByPlatform"])
def test_only_the_boolean_true_is_as_wanted(value: object) -> None:
    """Issue 10: audit called a text not as wanted, plan called it unchanged and verify verified."""
    stated = {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": {BYPASS: value}}
    change = plan_machine(machine_from(vm_document("Windows", stated)), WANTED)
    assert json.loads(json.dumps(change.body)) == {  # type: ignore[union-attr]
        "properties": {
            "osProfile": {
                "windowsConfiguration": {
                    "patchSettings": {
                        "patchMode": "AutomaticByPlatform",
                        "automaticByPlatformSettings": {BYPASS: True},
                    }
                }
            }
        }
    }
    (leaf,) = leaf_changes(change)  # type: ignore[arg-type]
    assert (leaf.path, leaf.after) == (f"automaticByPlatformSettings.{BYPASS}", "true")
    assert not change.reversible  # type: ignore[union-attr]


def test_a_system_that_no_disk_names_is_one_for_all() -> None:
    """Issue 10: without `patchSettings` audit blocked such a machine and plan changed it."""
    document = vm_document("Windows")
    del document["properties"]["storageProfile"]["osDisk"]["osType"]
    azure = emulated(list(numbered([document])), is_attached=False)
    report, plan, _, _ = asyncio.run(asked(azure, WANTED))
    assert (report.machines[0].eligible, len(plan.changes)) == (True, 1)


@pytest.mark.parametrize(("value", "shown"), [("true", '"true"'), (1, "1"), ([True], "[true]")])
def test_explain_shows_what_stands_there(value: object, shown: str) -> None:
    """It is not absent: somebody wrote it."""
    stated = {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": {BYPASS: value}}
    azure = emulated(list(numbered([vm_document("Windows", stated)])), is_attached=False)
    told = asyncio.run(explain(azure, "m-0", clock=CLOCK))
    lines = [" ".join(line.split()) for line in explanation_lines(told, paint=Paint())]
    assert f"bypass unreadable: {shown}" in lines
    report = asyncio.run(audit(azure, EVERYTHING, clock=CLOCK))
    (line,) = (line for line in audit_lines(report, paint=Paint()) if "N/A (not set):" in line)
    assert line.strip() == "1 N/A (not set): 1 of them with settings that cannot be read (odd-settings)".replace(
        "1 N", "1  N"
    )
