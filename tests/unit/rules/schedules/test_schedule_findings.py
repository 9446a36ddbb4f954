"""What is wrong with a schedule, each rule once and with its subjects."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.rules.builders import SUBSCRIPTION
from tests.unit.rules.schedules.builders import NOW, configuration, configuration_id, machine, member, view

from patchmode.model.finding import Severity
from patchmode.model.maintenance_events import NO_EVENTS, EventKind, EventSubscription, ScheduleEvents
from patchmode.model.report import ScheduleView
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    ConfigurationAssignment,
    DynamicScope,
    Forecast,
    RunForecast,
    ScheduleBook,
    WindowRule,
)
from patchmode.rules.rule import Rule
from patchmode.rules.schedules.findings import book_findings, overlap_findings, view_findings
from patchmode.rules.schedules.memberships import PLATFORM_MODE_SCHEDULE, Clash, ScheduleIndex
from patchmode.rules.schedules.recurrence import WINDOW_TOO_SHORT

BLOCKED = Forecast(RunForecast.FAILS, "it is not prepared", "prerequisite-missing")
OFF = Forecast(RunForecast.MISSED, "it is off", "off-at-window")
OPEN = Forecast(RunForecast.UNKNOWN, "nobody knows", "scale-set-member")


def rules_of(*args: object, **facts: object) -> list[str]:
    return [finding.rule for finding in view_findings(view(*args, **facts), now=NOW)]  # type: ignore[arg-type]


def test_a_good_schedule_has_no_finding() -> None:
    assert rules_of(member("a")) == []


@pytest.mark.parametrize(
    ("window", "rule"),
    [
        (WindowRule("2030-01-01 03:00", "2030-01-15 00:00", "02:00", "UTC", "Day"), "schedule-expired"),
        (WindowRule("2030-02-01 03:00", None, "02:00", "UTC", "12Months day31"), "window-never-comes"),
        (WindowRule("2030-01-01 03:00", None, "02:00", "UTC", "Fortnight"), "unreadable-recurrence"),
        (WindowRule("2029-07-01 03:00", None, "02:00", "W. Europe Standard Time", "8Hours"), "recurrence-unconfirmed"),
        (WindowRule("2030-01-01 03:00", None, "02:00", "Middle-earth", "Day"), "unknown-time-zone"),
        (WindowRule("2030-01-01 03:00", None, "01:00", "UTC", "Day"), "window-too-short"),
        (WindowRule("2030-01-01 22:10", None, "02:00", "UTC", "Day"), "window-too-close"),
        (WindowRule("2030-01-01 03:00", None, "02:00", "UTC", "2Weeks Sunday,Monday"), "recurrence-unconfirmed"),
    ],
)
def test_windows(window: WindowRule, rule: str) -> None:
    assert rules_of(member("a"), window=window) == [rule]


@pytest.mark.parametrize(
    ("window", "rule", "severity", "says"),
    [
        (
            WindowRule("2030-01-01 03:00", None, "05:00", "UTC", "Day"),
            "window-too-long",
            Severity.NOTES,
            "03:55 at most",
        ),
        (WindowRule("2030-01-01 03:00", "", "02:00", "UTC", "Day"), "expiration-empty", Severity.NOTES, "no source"),
        (WindowRule("2030-01-01 03:00", " ", "02:00", "UTC", "Day"), "expiration-empty", Severity.NOTES, "no source"),
        (
            WindowRule("2030-01-01 03:00", None, "02:00", "UTC", "Month"),
            "unreadable-recurrence",
            Severity.WARNS,
            "names no day of the month",
        ),
    ],
)
def test_windows_that_stand_already(window: WindowRule, rule: str, severity: Severity, says: str) -> None:
    """What Azure would refuse today, and what is read without proof, is told and not condemned."""
    (found,) = view_findings(view(member("a"), window=window), now=NOW)
    assert (found.rule, found.severity) == (rule, severity)
    assert says in found.message


def test_a_schedule_that_names_nothing_at_all_is_told_itself() -> None:
    """Of one that names nothing for one system its members of that system are told."""
    nothing = {"installPatches": {"windowsParameters": {"excludeKbsRequiringReboot": True}}}
    (found,) = view_findings(view(member("a"), properties=nothing), now=NOW)
    assert (found.rule, found.severity) == ("schedule-installs-nothing", Severity.WARNS)
    linux = {"installPatches": {"linuxParameters": {"classificationsToInclude": ["Security"]}}}
    assert rules_of(member("a"), properties=linux) == []
    idle = Forecast(RunForecast.UNKNOWN, "it names no updates for Windows", "schedule-installs-nothing")
    (told,) = view_findings(view(member("a", idle), member("b"), properties=linux), now=NOW)
    assert (told.rule, told.severity, len(told.subjects)) == ("schedule-installs-nothing", Severity.WARNS, 1)


def test_fifteen_minutes_are_enough_without_a_pre_event() -> None:
    """The least that Microsoft's article asks for."""
    just = WindowRule("2030-01-01 22:15", None, "02:00", "UTC", "Day")
    assert rules_of(member("a"), window=just, events=NO_EVENTS) == []
    found = list(view_findings(view(member("a"), window=just, events=NO_EVENTS), now=NOW + timedelta(seconds=1)))
    assert [one.rule for one in found] == ["window-too-close"]
    assert "14 minutes" in found[0].message


@pytest.mark.parametrize(("start", "is_told"), [("22:39", True), ("22:40", False)])
def test_a_pre_event_needs_forty_minutes(start: str, is_told: bool) -> None:
    window = WindowRule(f"2030-01-01 {start}", None, "02:00", "UTC", "Day")
    pre = EventSubscription("/e", "start-web", (EventKind.PRE,), "WebHook", "hooks.example")
    found = list(view_findings(view(member("a"), window=window, events=ScheduleEvents((pre,))), now=NOW))
    assert [one.rule for one in found] == (["window-too-close"] if is_told else [])
    assert all("Azure cancels the run in this window" in one.message for one in found)


def test_what_may_be_started_is_noted_and_what_is_missed_is_a_problem() -> None:
    maybe = Forecast(RunForecast.UNKNOWN, "it is off, and the pre-event may start it", "off-at-window")
    off = Forecast(RunForecast.MISSED, "it is off; no pre-event", "off-at-window")
    found = list(view_findings(view(member("a", maybe), member("b", off)), now=NOW))
    assert [(one.rule, one.severity, len(one.subjects)) for one in found] == [
        ("off-at-window", Severity.WARNS, 1),
        ("off-at-window", Severity.NOTES, 1),
    ]
    assert "Start them" in found[0].fix
    assert "Check in the pre-event's receiver" in found[1].fix


def test_members_are_told_by_reason() -> None:
    """Those that run say nothing, those in doubt are not counted among those that fail."""
    found = list(
        view_findings(
            view(
                member("ok"),
                member("a", BLOCKED),
                member("b", BLOCKED),
                member("c", Forecast(RunForecast.FAILS, "another reason", "prerequisite-missing")),
                member("off", OFF),
                member("flex", OPEN),
                member("maybe", BLOCKED, doubt="the tag differs in case"),
            ),
            now=NOW,
        )
    )
    assert found[1].message == "It is not prepared (2); another reason (1)."
    told = {(one.rule, one.severity, tuple(subject.rpartition("/")[2] for subject in one.subjects)) for one in found}
    assert told == {
        ("prerequisite-missing", Severity.WARNS, ("a", "b", "c")),
        ("off-at-window", Severity.WARNS, ("off",)),
        ("scale-set-member", Severity.NOTES, ("flex",)),
        ("tag-case", Severity.NOTES, ("maybe",)),
    }


def test_a_schedule_without_machines_and_one_of_the_platform() -> None:
    assert rules_of() == ["schedule-hits-nothing"]
    assert rules_of(member("a"), patch_mode="Platform") == ["platform-mode-schedule"]


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({"patch_mode": "Platform"}, PLATFORM_MODE_SCHEDULE),
        ({"patch_mode": "Automatic"}, PLATFORM_MODE_SCHEDULE),
        (
            {"window": WindowRule("2030-01-01 03:00", None, "00:20", "UTC", "2Weeks Sunday,Monday")},
            WINDOW_TOO_SHORT,
        ),
    ],
)
def test_what_is_wrong_with_a_schedule_that_comes_is_told_once_with_its_own_remedy(
    facts: dict[str, Any], rule: Rule
) -> None:
    """The index, which knows the configuration, marks its next window with the same rule."""
    one = configuration(**facts)
    coming = ScheduleIndex(ScheduleBook((one,)), now=NOW).next_of(one.id)
    assert coming.rule == rule.id
    (found,) = view_findings(replace(view(member("a"), **facts), next=coming), now=NOW)
    assert (found.rule, found.fix) == (rule.id, rule.schedule_advice)


def test_assignments_without_machine_or_configuration() -> None:
    """Nothing is concluded of a subscription that was not read; a namesake elsewhere is a hint."""
    gone, here = machine("gone"), machine("here")
    moved = machine("gone").id
    elsewhere = machine("gone").id.parse(str(moved).replace("/rg/", "/rg-new/"))
    book = ScheduleBook(
        configurations=(configuration(),),
        assignments=(
            ConfigurationAssignment("a", gone.id, configuration_id()),
            ConfigurationAssignment("b", here.id, configuration_id("deleted")),
        ),
        dynamic_scopes=(DynamicScope("d", SUBSCRIPTION, None, configuration_id("deleted")),),
        visible=frozenset({SUBSCRIPTION}),
    )
    machines = {here.id: here}
    found = list(book_findings(book, machines, seen=frozenset({SUBSCRIPTION})))
    assert [(one.rule, len(one.subjects)) for one in found] == [
        ("assignment-orphaned", 1),
        ("configuration-missing", 2),
    ]
    assert "schedule detach" in found[0].fix
    assert [one.rule for one in book_findings(book, machines, seen=frozenset())] == ["configuration-missing"]
    namesake = {here.id: here, elsewhere: machine("gone")}
    hint = next(iter(book_findings(book, namesake, seen=frozenset({SUBSCRIPTION}))))
    assert "A machine of that name is at" in hint.message
    assert "schedule attach" in hint.fix
    unseen = ScheduleBook(assignments=book.assignments, configurations=(configuration(),))
    assert [one.rule for one in book_findings(unseen, machines, seen=frozenset())] == ["configuration-unseen"]


def index_of(*views: ScheduleView) -> ScheduleIndex:
    return ScheduleIndex(ScheduleBook(configurations=tuple(one.configuration for one in views)), now=NOW)


@pytest.mark.parametrize(
    ("other", "rules"),
    [
        (WindowRule("2030-01-01 03:00", None, "02:00", "UTC", "Day"), ["schedules-same-trigger"]),
        (WindowRule("2030-01-01 04:59", None, "02:00", "UTC", "Day"), ["schedules-overlap"]),
        (WindowRule("2030-01-01 05:00", None, "02:00", "UTC", "Day"), []),
        (WindowRule("2030-01-01 03:00", None, "02:00", "UTC", "Fortnight"), []),
        (WindowRule("2030-01-01 14:00", None, "02:00", "UTC", "12Hours"), ["schedules-overlap"]),
        (WindowRule("2030-01-01 17:00", None, "02:00", "UTC", "12Hours"), []),
    ],
)
def test_overlaps(other: WindowRule, rules: list[str]) -> None:
    """Only on machines that both reach; windows that touch do not overlap."""
    one = view(member("a"), member("b"))
    two = view(member("a", schedule="weekly"), member("c", schedule="weekly"), name="weekly", window=other)
    found = list(overlap_findings([one, two], index_of(one, two)))
    assert [entry.rule for entry in found] == rules
    assert all([subject.rpartition("/")[2] for subject in entry.subjects] == ["a"] for entry in found)


def test_the_same_start_with_other_updates_overlaps_only() -> None:
    updates = {"installPatches": {"rebootSetting": "Never"}}
    one, two = view(member("a")), view(member("a", schedule="weekly"), name="weekly", properties=updates)
    assert [entry.rule for entry in overlap_findings([one, two], index_of(one, two))] == ["schedules-overlap"]


def test_a_meeting_after_the_next_windows_is_found() -> None:
    """A nightly and a weekly schedule have different next windows and meet every Saturday."""
    weekly = WindowRule("2030-01-05 04:00", None, "02:00", "UTC", "Week Saturday")
    one, two = view(member("a")), view(member("a", schedule="weekly"), name="weekly", window=weekly)
    found = list(overlap_findings([one, two], index_of(one, two)))
    assert [entry.rule for entry in found] == ["schedules-overlap"]
    assert "2030-02-02 03:00 UTC" in found[0].message


def test_reasons_that_begin_alike_are_said_once() -> None:
    """What a person counts is how many machines need which setting."""
    reasons = ("not met: mode A", "not met: mode B", "not met: mode A")
    members = [
        member(name, Forecast(RunForecast.FAILS, reason, "prerequisite-missing"))
        for name, reason in zip("abc", reasons, strict=True)
    ]
    found = list(view_findings(view(*members), now=NOW))
    assert [one.message for one in found] == ["Not met: mode A (2); mode B (1)."]


def test_commands_survive_being_copied() -> None:
    """Ids may hold what a shell reads as its own; each command of a way out stands on its own line."""
    gone = machine("gone").id
    odd = gone.parse(str(gone).replace("/rg/", "/rg-(old)/"))
    book = ScheduleBook(
        assignments=(ConfigurationAssignment("a", odd, configuration_id("deleted")),),
        dynamic_scopes=(DynamicScope("ring 1", SUBSCRIPTION, "rg-(old)", configuration_id("deleted")),),
        visible=frozenset({SUBSCRIPTION}),
    )
    found = next(iter(book_findings(book, {}, seen=frozenset())))
    detach = f"patchmode schedule detach {configuration_id('deleted')}"
    assert found.fix.splitlines()[1:] == [
        f"{detach} --ids '{odd}'",
        f"{detach} --dynamic 'ring 1' --subscription {SUBSCRIPTION} --resource-group 'rg-(old)'",
    ]


@pytest.mark.parametrize("machines", [1, 40])
def test_windows_are_compared_by_sets_of_schedules(machines: int) -> None:
    """Ten thousand machines of the same three schedules cost what one does."""
    asked: list[tuple[str, str]] = []

    class Counting(ScheduleIndex):
        def clash(self, one: ResourceId, other: ResourceId) -> Clash | None:
            asked.append((one.name, other.name))
            return super().clash(one, other)

    names = ("a", "b", "c")
    views = [view(*(member(f"vm{n:02}", schedule=name) for n in range(machines)), name=name) for name in names]
    index = Counting(ScheduleBook(configurations=tuple(one.configuration for one in views)), now=NOW)
    found = list(overlap_findings(views, index))
    assert [len(one.subjects) for one in found] == [machines] * 3
    assert len(asked) == 6
