"""Assignments and dynamic scopes united: each configuration once, the next to run first."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rules.builders import SUBSCRIPTION, VM_ID, vm
from tests.unit.rules.memberships import DAILY, NOW, assignment, book, configuration, configuration_id, scope_of
from tests.unit.rules.schedules.test_dynamic_scope import machines, scopes

from patchmode.model.machine import Machine
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import DynamicScope, ScheduleBook, Timing, Via, WindowRule
from patchmode.rules.schedules.dynamic_scope import match
from patchmode.rules.schedules.memberships import ScheduleIndex

OTHER = "22222222-2222-2222-2222-222222222222"
MACHINE = vm("Linux", tags={"Env": "prod"})
SHOUTED = ResourceId.parse(VM_ID.upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"))
LATE = WindowRule("2026-12-24 22:00", None, "02:00", "UTC", "Day")


def index(contents: ScheduleBook) -> ScheduleIndex:
    return ScheduleIndex(contents, now=NOW)


def test_an_assignment_reaches_its_machine_however_the_id_is_cased() -> None:
    """Maintenance answers ids in lower case."""
    schedules = index(book([configuration()], [assignment(SHOUTED)])).schedules_of(MACHINE)
    (hit,) = schedules.hits
    assert schedules.looked_up
    assert (hit.via, hit.clause, hit.assignment, hit.doubt) == (Via.STATIC, "assignment 'by-hand'", "by-hand", None)
    assert hit.next.window is not None
    assert hit.next.window.starts_at.isoformat() == "2026-11-22T21:00:00+00:00"


def test_a_configuration_is_named_once_however_many_clauses_reach_the_machine() -> None:
    """Static before dynamic, certain before doubtful."""
    contents = book(
        [configuration()],
        [assignment(MACHINE.id), assignment(MACHINE.id, name="twice")],
        [scope_of("doubtful", tags={"Env": ("Prod",)}), scope_of("all")],
    )
    (hit,) = index(contents).schedules_of(MACHINE).hits
    assert hit.clause == "assignment 'by-hand'"
    assert [words.split(" on ")[0] for words in hit.also] == [
        "assignment 'twice'",
        "dynamic scope 'all'",
        "dynamic scope 'doubtful'",
    ]
    assert hit.doubt is None


def test_a_doubtful_static_sibling_does_not_hide_a_certain_dynamic_one() -> None:
    """Only where every clause is doubtful the machine is in doubt."""
    contents = book([configuration()], (), [scope_of("a", tags={"Env": ("Prod",)}), scope_of("b")])
    (hit,) = index(contents).schedules_of(MACHINE).hits
    assert (hit.assignment, hit.doubt) == ("b", None)
    only = book([configuration()], (), [scope_of("a", tags={"Env": ("Prod",)})])
    (hit,) = index(only).schedules_of(MACHINE).hits
    assert (hit.assignment, hit.doubt_rule) == ("a", "tag-case")


def test_only_guest_patching_counts() -> None:
    """Host and SQL configurations are somebody else's."""
    contents = book([configuration(scope="Host")], [assignment(MACHINE.id)])
    assert index(contents).schedules_of(MACHINE).hits == ()
    assert index(contents).configuration(configuration_id()) is not None


def test_the_next_to_run_comes_first_and_what_never_runs_last() -> None:
    """A reader looks at the top."""
    never = WindowRule("2026-02-01 22:00", None, "02:00", "UTC", "12Months day31")
    contents = book(
        [configuration("late", LATE), configuration("never", never), configuration("soon")],
        [assignment(MACHINE.id, name) for name in ("never", "late", "soon")],
    )
    hits = index(contents).schedules_of(MACHINE).hits
    assert [(hit.configuration.name, hit.next.timing) for hit in hits] == [
        ("soon", Timing.COMING),
        ("late", Timing.COMING),
        ("never", Timing.NEVER),
    ]


@pytest.mark.parametrize(
    ("visible", "timing", "rule"),
    [
        (frozenset({SUBSCRIPTION}), Timing.MISSING, "configuration-missing"),
        (frozenset(), Timing.UNSEEN, "configuration-unseen"),
    ],
)
def test_a_configuration_that_is_not_there(visible: frozenset[str], timing: Timing, rule: str) -> None:
    """Not there is said only where one would have seen it."""
    contents = replace(book(assignments=[assignment(MACHINE.id)]), visible=visible)
    (hit,) = index(contents).schedules_of(MACHINE).hits
    assert (hit.next.timing, hit.next.rule) == (timing, rule)


def test_a_subscription_that_the_book_does_not_cover_was_not_looked_up() -> None:
    """What was seen of it all the same is told."""
    contents = book([configuration()], [assignment(MACHINE.id)], covered=frozenset({OTHER}))
    schedules = index(contents).schedules_of(MACHINE)
    assert not schedules.looked_up
    assert schedules.why_not == f"schedules of subscription {SUBSCRIPTION} could not be looked up as a whole"
    assert len(schedules.hits) == 1
    assert index(ScheduleBook()).schedules_of(MACHINE).why_not == "no schedule was looked up"


def test_platform_mode_is_told_with_the_window() -> None:
    """The window comes; what Azure does in it is not documented."""
    following = index(book([configuration(patch_mode="Platform")])).next_of(configuration_id())
    assert (following.timing, following.rule) == (Timing.COMING, "platform-mode-schedule")
    assert following.window is not None


def test_windows_that_meet() -> None:
    """Same instant and same updates: one fires. Otherwise they overlap."""
    half_past = replace(DAILY, start="2026-01-01 23:30")
    far = replace(DAILY, start="2026-01-01 05:00")
    kb = {"installPatches": {"windowsParameters": {"kbNumbersToInclude": ["5034439"]}}}
    contents = book([
        configuration("a"), configuration("twin"), configuration("other", properties=kb),
        configuration("late", half_past), configuration("far", far),
    ])  # fmt: skip
    known = index(contents)
    twin, other = (
        known.clash(configuration_id("a"), configuration_id("twin")),
        known.clash(configuration_id("other"), configuration_id("a")),
    )
    late = known.clash(configuration_id("a"), configuration_id("late"))
    assert twin is not None
    assert twin.same_trigger
    assert other is not None
    assert not other.same_trigger
    assert late is not None
    assert not late.same_trigger
    assert known.clash(configuration_id("a"), configuration_id("far")) is None
    assert known.clash(configuration_id("a"), configuration_id("gone")) is None


@given(st.lists(scopes(), max_size=6), st.lists(machines(), min_size=1, max_size=4))
def test_the_index_finds_what_every_scope_by_itself_finds(entries: list[DynamicScope], fleet: list[Machine]) -> None:
    """However it narrows the search."""
    named = [replace(scope, name=f"s{place}", configuration=configuration_id(f"c{place}"))
             for place, scope in enumerate(entries)]  # fmt: skip
    contents = book([configuration(f"c{place}") for place in range(len(named))], (), named)
    known = index(contents)
    for machine in fleet:
        expected = {scope.configuration: match(scope, machine) for scope in named}
        hits = {hit.configuration: hit for hit in known.schedules_of(machine).hits}
        assert set(hits) == {one for one, found in expected.items() if found is not None}
        for scope in named:
            one, single = expected[scope.configuration], known.hits_of(scope.configuration, machine)
            assert (single.clause, single.doubt) == (one.clause, one.doubt) if one and single else one is single
            assert single == hits.get(scope.configuration)
