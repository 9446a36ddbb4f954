"""A schedule that names nothing to install on a system: told of the schedule and of its members."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.rules.builders import vm
from tests.unit.rules.memberships import DAILY, NOW, assignment, book, configuration

from patchmode.model.finding import Severity
from patchmode.model.machine import Machine
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.resource_id import ResourceId
from patchmode.rules.schedules.checks import schedule_reasons
from patchmode.rules.schedules.forecast import predict
from patchmode.rules.schedules.memberships import LONGEST_WAIT, ScheduleIndex
from patchmode.rules.schedules.window import names_nothing_for

WINDOWS, LINUX = OperatingSystem.WINDOWS, OperatingSystem.LINUX
CRITICAL = {"classificationsToInclude": ["Critical"]}
READY = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
Patches = Mapping[str, Any] | None


@pytest.mark.parametrize(
    ("patches", "idle"),
    [
        (None, set()),
        ({}, set()),
        ({"rebootSetting": "IfRequired"}, set()),
        ({"windowsParameters": CRITICAL, "linuxParameters": CRITICAL}, set()),
        ({"windowsParameters": CRITICAL}, {LINUX}),
        ({"linuxParameters": CRITICAL}, {WINDOWS}),
        ({"linuxParameters": CRITICAL, "windowsParameters": {}}, {WINDOWS}),
        ({"linuxParameters": CRITICAL, "windowsParameters": None}, {WINDOWS}),
        ({"windowsParameters": {"classificationsToInclude": []}, "linuxParameters": CRITICAL}, {WINDOWS}),
        ({"windowsParameters": {"kbNumbersToInclude": ["5034441"]}, "linuxParameters": CRITICAL}, set()),
        ({"linuxParameters": {"packageNameMasksToInclude": ["kernel*"]}, "windowsParameters": CRITICAL}, set()),
        ({"linuxParameters": {**CRITICAL, "packageNameMasksToExclude": ["*"]}, "windowsParameters": CRITICAL}, {LINUX}),
        ({"linuxParameters": {**CRITICAL, "packageNameMasksToExclude": ["k*"]}, "windowsParameters": CRITICAL}, set()),
        ({"windowsParameters": {"excludeKbsRequiringReboot": True}}, {WINDOWS, LINUX}),
        ({"windowsParameters": "Critical", "linuxParameters": CRITICAL}, {WINDOWS}),
        ({"windowsParameters": {"classificationsToInclude": "Critical"}, "linuxParameters": CRITICAL}, {WINDOWS}),
        ([], set()),
        ("everything", set()),
    ],
)
def test_what_a_configuration_names_for_each_system(patches: Any, idle: set[OperatingSystem]) -> None:
    """By the members of `installPatches`, whatever their shape."""
    assert set(names_nothing_for({"installPatches": patches})) == idle


def members(*names: str) -> list[Machine]:
    systems: dict[str, Any] = {"win": "Windows", "lin": "Linux"}
    made = []
    for name in names:
        machine = vm(systems[name], READY)
        made.append(replace(machine, id=ResourceId.parse(str(machine.id).rsplit("/", 1)[0] + f"/{name}")))
    return made


def index_of(machines: list[Machine], **changes: Any) -> ScheduleIndex:
    return ScheduleIndex(book([replace(configuration(), **changes)], [assignment(one.id) for one in machines]), now=NOW)


def test_the_member_of_the_other_system_alone_is_told_and_its_outcome_is_not_known() -> None:
    """In one schedule for both systems: a green `scheduled` would be believed."""
    windows, linux = members("win", "lin")
    index = index_of([windows, linux], properties={"installPatches": {"linuxParameters": CRITICAL}})
    told = schedule_reasons(windows, index.schedules_of(windows), index)
    assert [(one.rule, one.severity) for one in told] == [("schedule-installs-nothing", Severity.WARNS)]
    assert "it names no updates for Windows" in told[0].message
    assert schedule_reasons(linux, index.schedules_of(linux), index) == ()
    outcome = predict(windows.settings, windows, index.schedules_of(windows))
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert outcome.reason.endswith("and what Azure then installs is not documented: perhaps nothing")
    assert predict(linux.settings, linux, index.schedules_of(linux)).kind is OutcomeKind.SCHEDULED


def test_what_fails_anyway_is_told_as_failing() -> None:
    """The prerequisite comes first: the machine is not patched whatever is named."""
    machine = replace(members("win")[0], settings=None)
    index = index_of([machine], properties={"installPatches": {"linuxParameters": CRITICAL}})
    assert predict(None, machine, index.schedules_of(machine)).kind is OutcomeKind.SCHEDULE_FAILS


@pytest.mark.parametrize(
    ("window", "severity", "why"),
    [
        ({}, None, ""),
        ({"start": "2029-01-01 22:00"}, Severity.WARNS, "it begins only then"),
        ({"start": "2025-09-15 22:00", "recur_every": "6Months day15"}, Severity.NOTES, "it repeats that rarely"),
        ({"start": "2025-12-01 22:00", "recur_every": "12Months day1"}, None, ""),
    ],
)
def test_a_window_that_is_far_away_is_told_with_its_days(
    window: dict[str, str], severity: Severity | None, why: str
) -> None:
    """It stays `scheduled`, and nobody patches the machine before: both are said."""
    (machine,) = members("lin")
    index = index_of([machine], window=replace(DAILY, **window))
    schedules = index.schedules_of(machine)
    found = [one for one in schedule_reasons(machine, schedules, index) if one.rule == "next-window-far"]
    outcome = predict(machine.settings, machine, schedules)
    assert outcome.kind is OutcomeKind.SCHEDULED
    if severity is None:
        assert found == []
        assert "nothing patches it" not in outcome.reason
        return
    assert [(one.severity, why in one.message) for one in found] == [(severity, True)]
    wait = schedules.hits[0].next.wait_days
    assert wait is not None
    assert wait > LONGEST_WAIT.days
    assert f"until then, for {wait:,} days, nothing patches it" in outcome.reason


def test_another_schedule_that_comes_soon_makes_a_far_one_harmless() -> None:
    (machine,) = members("lin")
    far = configuration("far", replace(DAILY, start="2029-01-01 22:00"))
    both = book([configuration("soon"), far], [assignment(machine.id, "soon"), assignment(machine.id, "far")])
    index = ScheduleIndex(both, now=NOW)
    rules = [one.rule for one in schedule_reasons(machine, index.schedules_of(machine), index)]
    assert "next-window-far" not in rules


def test_the_bound_can_be_set() -> None:
    (machine,) = members("lin")
    contents = book([configuration(window=replace(DAILY, recur_every="Month day1"))], [assignment(machine.id)])
    strict = ScheduleIndex(contents, now=NOW, longest_wait=timedelta(days=1))
    assert strict.schedules_of(machine).hits[0].next.wait_days is not None
    assert ScheduleIndex(contents, now=NOW).schedules_of(machine).hits[0].next.wait_days is None
