"""What the schedules that reach a machine say against its next run."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.rules.builders import ARC_ID, vm
from tests.unit.rules.memberships import DAILY, NOW, assignment, book, configuration, scope_of

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import Machine, MachineKind, Surroundings
from patchmode.model.patch_settings import WantedSettings
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import NOT_LOOKED_UP, ScheduleBook, WindowRule
from patchmode.rules.eligibility.judgement import audit_machine
from patchmode.rules.registry import rule_texts
from patchmode.rules.schedules.checks import schedule_reasons
from patchmode.rules.schedules.memberships import ScheduleIndex

READY = {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": {
    "bypassPlatformSafetyChecksOnUserSchedule": True}}  # fmt: skip
MACHINE = vm("Linux", READY, tags={"Env": "prod"})
OFF = replace(MACHINE, surroundings=Surroundings(power_state="deallocated"))
UNPREPARED = vm("Linux", {"patchMode": "ImageDefault"}, tags={"Env": "prod"})
ARC_AWAY = replace(
    UNPREPARED, id=ResourceId.parse(ARC_ID), kind=MachineKind.ARC, surroundings=Surroundings(arc_status="Disconnected")
)


def reasons(machine: Machine, contents: ScheduleBook) -> tuple[Reason, ...]:
    index = ScheduleIndex(contents, now=NOW)
    return schedule_reasons(machine, index.schedules_of(machine), index)


def written(**members: Any) -> ScheduleBook:
    """One schedule on the machine, whose window has these members."""
    return book([configuration(window=replace(DAILY, **members))], [assignment(MACHINE.id)])


ATTACHED = written()


@pytest.mark.parametrize(
    ("machine", "contents", "rules"),
    [
        (MACHINE, book(), []),
        (MACHINE, ATTACHED, []),
        (UNPREPARED, ATTACHED, ["prerequisite-missing"]),
        (UNPREPARED, written(expiration="2026-02-01 00:00"), ["schedule-expired"]),
        (OFF, ATTACHED, ["off-at-window"]),
        (ARC_AWAY, book([configuration()], [assignment(ARC_AWAY.id)]), ["off-at-window"]),
        (MACHINE, written(time_zone="Nowhere Standard Time"), ["unknown-time-zone"]),
        (MACHINE, written(recur_every="Fortnight"), ["unreadable-recurrence"]),
        (MACHINE, written(start="2026-02-01 22:00", recur_every="12Months day31"), ["window-never-comes"]),
        (MACHINE, written(expiration="2026-02-01 00:00"), ["schedule-expired"]),
        (MACHINE, written(duration="00:20"), ["window-too-short"]),
        (MACHINE, written(start="2026-01-04 22:00", recur_every="2Weeks Monday"), ["recurrence-unconfirmed"]),
        (MACHINE, book([configuration(patch_mode="Platform")], [assignment(MACHINE.id)]), ["platform-mode-schedule"]),
        (MACHINE, book([], [assignment(MACHINE.id)]), ["configuration-missing"]),
        (MACHINE, book([], [assignment(MACHINE.id)], visible=frozenset()), ["configuration-unseen"]),
        (MACHINE, book([configuration()], (), [scope_of(tags={"Env": ("Prod",)})]), ["tag-case"]),
        (MACHINE, book([configuration()], (), [scope_of(unknown=("zones",))]), ["unknown-filter-member"]),
        (replace(MACHINE, os=None), book([configuration()], (), [scope_of(os_types=("Linux",))]), []),
        (MACHINE, book([configuration()], [assignment(MACHINE.id), assignment(MACHINE.id, name="b")]),
         ["assigned-twice"]),
        (MACHINE, book([configuration("a"), configuration("b")], [assignment(MACHINE.id, "a"),
         assignment(MACHINE.id, "b")]), ["schedules-same-trigger"]),
        (MACHINE, book([configuration("a"), configuration("b", replace(DAILY, start="2026-01-01 23:00"))],
         [assignment(MACHINE.id, "a"), assignment(MACHINE.id, "b")]), ["schedules-overlap"]),
    ],
)  # fmt: skip
def test_each_rule_and_none_where_nothing_is_wrong(machine: Machine, contents: ScheduleBook, rules: list[str]) -> None:
    """Each with its evidence and a way out; none blocks."""
    found = reasons(machine, contents)
    assert [reason.rule for reason in found] == rules
    for reason in found:
        assert reason.severity is not Severity.BLOCKS
        assert reason.message
        assert reason.evidence
        assert reason.fix


def test_what_is_not_known_is_noted_and_what_never_runs_warns() -> None:
    """A reader should not be warned of what may be fine."""
    (unseen,) = reasons(MACHINE, book([], [assignment(MACHINE.id)], visible=frozenset()))
    assert unseen.severity is Severity.NOTES


def test_the_headline_rule_names_what_is_missing_and_every_schedule() -> None:
    """The sentence that explains a night without updates."""
    contents = book([configuration("a"), configuration("b", replace(DAILY, start="2026-01-01 05:00"))],
                    [assignment(UNPREPARED.id, "a")], [scope_of("prod", to="b")])  # fmt: skip
    found = {reason.rule: reason for reason in reasons(UNPREPARED, contents)}
    assert found["prerequisite-missing"].message == (
        "Runs of the schedules 'a', 'b' on this machine fail: its patch orchestration is Image Default (patchMode "
        "ImageDefault) instead of Customer Managed Schedules."
    )


def test_the_evidence_is_the_window_as_it_is_written() -> None:
    """So that nobody has to look it up."""
    (reason,) = reasons(MACHINE, written(recur_every="Fortnight"))
    assert reason.evidence == (
        "weekly: recurEvery = Fortnight, startDateTime = 2026-01-01 22:00, expirationDateTime = (absent), "
        "duration = 02:00, timeZone = W. Europe Standard Time"
    )


def test_without_a_lookup_nothing_is_said() -> None:
    """And the audit says so by its outcome."""
    assert schedule_reasons(UNPREPARED, NOT_LOOKED_UP) == ()


def test_the_audit_holds_schedules_and_reasons_in_the_registry_s_order() -> None:
    """A blocked machine still has its schedule's reasons."""
    index = ScheduleIndex(ATTACHED, now=NOW)
    audit = audit_machine(
        replace(UNPREPARED, image=replace(UNPREPARED.image, sku="unheard-of")), WantedSettings(), index
    )
    assert [hit.configuration.name for hit in audit.schedules.hits] == ["weekly"]
    rules = [reason.rule for reason in audit.reasons]
    assert "prerequisite-missing" in rules
    assert rules == sorted(rules, key=list(rule_texts()).index)


def test_two_readings_with_a_window_too_short_for_a_run() -> None:
    """The day is not known, the length is."""
    rule = WindowRule("2026-01-04 22:00", None, "00:20", "UTC", "2Weeks Monday")
    found = reasons(MACHINE, book([configuration(window=rule)], [assignment(MACHINE.id)]))
    assert [reason.rule for reason in found] == ["window-too-short"]
