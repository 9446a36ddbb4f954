"""`schedule list`, `show`, `next` and `check` over schedules in memory."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workflow.azure_double import ALPHA, BETA, FixedClock, machine
from tests.unit.workflow.maintenance_double import configuration
from tests.unit.workflow.schedule_doubles import WritableAzure, assigned, azure, ready, schedule_id

from patchmode.documents import schedules
from patchmode.errors import RequestError, UsageError
from patchmode.model.machine import Lock, Subscription
from patchmode.model.schedule import DynamicScope, FailureKind, MachineRun, RunForecast, ScopeFilter, WindowRule
from patchmode.model.scope import Scope
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.schedules import calendar_lines, check_lines, detail_lines, list_lines
from patchmode.workflow.schedules.views import check_schedules, list_schedules, next_windows, show_schedule

CLOCK = FixedClock()
RING = DynamicScope("ring", ALPHA, None, schedule_id(), ScopeFilter(tags={"ring": ("1",)}))


def fleet() -> WritableAzure:
    """Two static members, two dynamic ones, one in doubt, and a host configuration."""
    good, bad = ready("good"), machine("bad", mode="Manual")
    double = azure(
        good,
        bad,
        ready("d1", tags={"ring": "1"}),
        machine("d2", mode="ImageDefault", tags={"ring": "1"}),
        ready("maybe", tags={"other": "x", "zone": "A"}),
        ready("alone"),
        assignments=[assigned(good), assigned(bad)],
    )
    zone = DynamicScope("zone", ALPHA, None, schedule_id(), ScopeFilter(tags={"zone": ("a",)}))
    double.schedules.dynamic_scopes = [RING, zone]
    double.schedules.configurations.append(configuration(schedule_id("host"), scope="Host"))
    return double


async def test_the_list_counts_members_and_tells_what_is_not_listed() -> None:
    found = await list_schedules(fleet(), clock=CLOCK)
    (view,) = found.schedules
    assert {kind.value: count for kind, count in view.via.items()} == {"static": 2, "dynamic": 2}
    assert view.in_doubt == 1
    assert {kind.value: count for kind, count in view.forecasts.items()} == {
        "runs": 2,
        "fails": 2,
        "missed": 0,
        "noWindow": 0,
        "unknown": 1,
    }
    assert view.next.window is not None
    assert view.next.window.starts_at == datetime(2030, 2, 1, 3, 0, tzinfo=UTC)
    assert (found.other_scopes, view.window_text) == (1, "every day 03:00-05:00 UTC")
    text = "\n".join(list_lines(found, paint=Paint()))
    assert "rg     nightly   2030-02-01 03:00 UTC  02-01 03:00  2       2+1?" in text
    assert "1 configuration of other maintenance scopes patch no guests" in text


@given(
    st.lists(st.sampled_from(["nightly", "weekly", "gone"]), max_size=4),
    st.lists(st.tuples(st.sampled_from(["nightly", "weekly"]), st.booleans()), max_size=5),
    st.booleans(),
)
def test_the_list_and_one_schedule_count_the_same(
    orphans: list[str], attached: list[tuple[str, bool]], has_ring: bool
) -> None:
    """Findings and members of a schedule are one count, whichever command tells it, in text and as JSON."""
    machines = [
        ready(f"m{number}", tags={"ring": "1"}) if good else machine(f"m{number}", mode="Manual")
        for number, (_, good) in enumerate(attached)
    ]
    double = azure(
        *machines,
        assignments=[
            *(assigned(one, schedule) for one, (schedule, _) in zip(machines, attached, strict=True)),
            *(assigned(ready(f"moved-{number}"), schedule) for number, schedule in enumerate(orphans)),
        ],
    )
    double.schedules.configurations.append(configuration(schedule_id("weekly")))
    double.schedules.dynamic_scopes = [RING] if has_ring else []

    async def look() -> None:
        listed = await list_schedules(double, clock=CLOCK)
        checked = await check_schedules(double, [], clock=CLOCK)
        for view in listed.schedules:
            shown = await show_schedule(double, view.configuration.id.name, clock=CLOCK)
            assert shown.schedule == view
            assert set(view.findings) <= set(checked.findings)
            name = view.configuration.id.name
            row = next(line.split() for line in list_lines(listed, paint=Paint()) if line.startswith(f"rg     {name}"))
            static, dynamic = row[7:9]
            assert row[9:] == ([str(len(view.findings))] if view.findings else [])
            text = "\n".join(detail_lines(shown, paint=Paint()))
            if view.members:
                assert f"({static} static, {dynamic} dynamic" in text
            moved = orphans.count(name)
            assert sum(one.rule == "assignment-orphaned" for one in view.findings) == moved
            assert len(view.unseen) == moved

    asyncio.run(look())


async def test_orphans_are_findings_of_the_list() -> None:
    """An assignment whose machine was moved is told by each command that tells what is wrong with its schedule."""
    good = ready("good")
    double = azure(good, assignments=[assigned(good), assigned(ready("moved")), assigned(ready("deleted"))])
    (view,) = (await list_schedules(double, clock=CLOCK)).schedules
    assert [one.rule for one in view.findings] == ["assignment-orphaned"] * 2
    text = "\n".join(list_lines(await list_schedules(double, clock=CLOCK), paint=Paint()))
    assert "  assignment-orphaned (2 machines)\n" in text
    text = "\n".join(detail_lines(await show_schedule(double, "nightly", clock=CLOCK), paint=Paint()))
    assert "Attached by 3 assignments (2 of them to machines that you do not see) and 0 dynamic scopes." in text
    assert "Members now: 1 (1 static, 0 dynamic): 1 will run." in text


async def test_members_of_a_schedule_without_windows_are_not_called_unknown() -> None:
    """Audit says parked; whether a machine is in doubt does not matter where nothing comes."""
    double = fleet()
    window = WindowRule("2020-01-01 03:00", "2021-01-01 00:00", "02:00", "UTC", "Day")
    double.schedules.configurations[0] = configuration(schedule_id(), window)
    (view,) = (await list_schedules(double, clock=CLOCK)).schedules
    assert {kind.value: count for kind, count in view.forecasts.items() if count} == {"noWindow": 5}
    assert {member.forecast.rule for member in view.members} == {"schedule-expired"}


async def test_the_list_of_one_subscription() -> None:
    double = fleet()
    double.known = (Subscription(ALPHA, "Alpha", "t"), Subscription(BETA, "Beta", "t"))
    assert (await list_schedules(double, clock=CLOCK, subscriptions=("Beta",))).schedules == ()
    assert len((await list_schedules(double, clock=CLOCK, subscriptions=("alpha",))).schedules) == 1
    with pytest.raises(UsageError, match="no subscription named"):
        await list_schedules(double, clock=CLOCK, subscriptions=("Gamma",))


def run(name: str, started: datetime, **facts: Any) -> MachineRun:
    status = "Failed" if facts.get("failure") else "Succeeded"
    return MachineRun(machine(name).id, schedule_id(), facts.pop("correlation", "c2"), status, started, None, **facts)


async def test_the_last_run_tells_who_came_who_went_and_who_failed() -> None:
    double = fleet()
    late, early = datetime(2030, 1, 31, 3, 0, tzinfo=UTC), datetime(2030, 1, 30, 3, 0, tzinfo=UTC)
    double.schedules.runs = [
        run("alone", early, correlation="c1"),
        run("good", late),
        run("bad", late, failure=FailureKind.PREREQUISITE, message="The prerequisites were not met."),
        run("left", late.replace(minute=1), failure=FailureKind.OFF),
    ]
    detail = await show_schedule(double, "rg/NIGHTLY", clock=CLOCK)
    last = detail.last_run
    assert last is not None
    assert (last.started_at, dict(last.statuses)) == (late, {"Succeeded": 1, "Failed": 2})
    assert [text.rpartition("/")[2] for text in last.came] == ["d1", "d2"]
    assert [text.rpartition("/")[2] for text in last.went] == ["left"]
    told = {one.machine.name: one.forecast.result if one.forecast else None for one in last.failed}
    assert told == {"bad": RunForecast.FAILS, "left": None}
    assert len(detail.windows) == 5
    text = "\n".join(detail_lines(detail, paint=Paint()))
    assert "  Fri 2030-02-01 03:00-05:00 UTC  =  2030-02-01 03:00 UTC" in text
    assert f"ring on subscription {ALPHA}: tag ring=1" in text
    assert "Last run of 2030-01-31 03:00 UTC: 2 Failed, 1 Succeeded." in text
    assert "  Failed on 1, not prepared for schedules (the prerequisite); next time: fails: rg/bad" in text


async def test_past_runs_that_cannot_be_read_are_said_to_be() -> None:
    double = fleet()
    double.schedules.refused = frozenset({"runs"})
    detail = await show_schedule(double, str(schedule_id()), clock=CLOCK)
    assert detail.last_run is None
    assert any("past runs could not be read" in note for note in detail.notes)


async def test_names_that_are_none_or_several() -> None:
    double = fleet()
    with pytest.raises(UsageError, match="no maintenance configuration 'nightlu'") as caught:
        await show_schedule(double, "nightlu", clock=CLOCK)
    assert caught.value.advice == "Did you mean 'nightly'?"
    elsewhere = schedule_id().parse(str(schedule_id()).replace("/rg/", "/rg2/"))
    double.schedules.configurations.append(configuration(elsewhere))
    with pytest.raises(UsageError, match="2 configurations are named"):
        await show_schedule(double, "nightly", clock=CLOCK)
    assert (await show_schedule(double, "rg2/nightly", clock=CLOCK)).schedule.configuration.id == elsewhere


async def test_the_calendar_is_in_order_and_counts_each_window() -> None:
    double = fleet()
    weekly = configuration(schedule_id("weekly"), WindowRule("2030-01-01 01:00", None, "02:00", "UTC", "Week Saturday"))
    odd = configuration(schedule_id("odd"), WindowRule("2030-01-01 01:00", None, "02:00", "UTC", "Fortnight"))
    over = configuration(schedule_id("over"), WindowRule("2020-01-01 01:00", "2021-01-01 00:00", "02:00", "UTC", "Day"))
    double.schedules.configurations += [weekly, odd, over]
    double.schedules.assignments += [assigned(ready("alone"), name) for name in ("weekly", "odd", "over")]
    calendar = await next_windows(double, clock=CLOCK, days=3)
    told = [
        (f"{entry.window.starts_at:%m-%d %H}", entry.configuration.name, len(entry.members))
        for entry in calendar.entries
    ]
    assert told == [
        ("02-01 03", "nightly", 5),
        ("02-02 01", "weekly", 1),
        ("02-02 03", "nightly", 5),
        ("02-03 03", "nightly", 5),
    ]
    assert [view.configuration.name for view in calendar.silent] == ["odd", "over"]
    text = "\n".join(calendar_lines(calendar, paint=Paint()))
    assert "Fri 2030-02-01 03:00 UTC  02-01 03:00  nightly   2    2     0       1" in text
    assert "2 machines will fail in the current state: rg/bad, rg/d2." in text
    assert "rg/odd reaches 1 machine, and its next window is not known" in text
    assert "rg/over reaches 1 machine, and it will not run again: it expired on 2021-01-01 00:00 (UTC)." in text
    narrow = await next_windows(double, clock=CLOCK, days=3, scope=Scope(ids=(str(ready("alone").id),)))
    assert [entry.configuration.name for entry in narrow.entries] == ["weekly"]
    # A member of one schedule may be on others: with --schedule only the windows of the one that was named.
    double.schedules.assignments.append(assigned(ready("alone"), "nightly"))
    named = await next_windows(double, clock=CLOCK, days=3, scope=Scope(schedules=("weekly",)))
    assert [(entry.configuration.name, len(entry.members)) for entry in named.entries] == [("weekly", 1)]
    assert named.silent == ()


async def test_check_tells_each_rule_and_what_must_be_done_first() -> None:
    double = fleet()
    double.schedules.assignments.append(assigned(ready("gone")))
    double.schedules.assignments.append(assigned(ready("good"), "deleted"))
    double.schedules.configurations.append(configuration(schedule_id("empty")))
    report = await check_schedules(double, (), clock=CLOCK)
    # By severity, then those that concern most machines first.
    assert [(finding.rule, len(finding.subjects)) for finding in report.findings] == [
        ("prerequisite-missing", 2),
        ("assignment-orphaned", 1),
        ("configuration-missing", 1),
        ("schedule-hits-nothing", 0),
        ("tag-case", 1),
    ]
    assert not report.is_clean
    text = "\n".join(check_lines(report, paint=Paint()))
    assert "2 schedules checked" in text
    assert "5 findings (4 problems, 1 worth knowing)" in text
    one = await check_schedules(double, ("empty",), clock=CLOCK)
    assert [finding.rule for finding in one.findings] == ["schedule-hits-nothing"]


async def test_a_good_schedule_is_clean_and_overlaps_are_found_from_either_side() -> None:
    vm = ready("vm")
    double = azure(vm, assignments=[assigned(vm), assigned(vm, "twin")])
    clean = await check_schedules(double, ("nightly",), clock=CLOCK)
    assert clean.is_clean
    double.schedules.configurations.append(configuration(schedule_id("twin")))
    for name in ("nightly", "twin"):
        report = await check_schedules(double, (name,), clock=CLOCK)
        assert [finding.rule for finding in report.findings] == ["schedules-same-trigger"]


@pytest.mark.parametrize("what", ["assignments", "configurations"])
async def test_where_resource_graph_is_refused_nothing_is_concluded(what: str) -> None:
    """That there are no schedules, or nothing is wrong with them, must not be said of what was never read."""
    double = fleet()
    double.schedules.refused = frozenset({what})
    for asked in (
        list_schedules(double, clock=CLOCK),
        next_windows(double, clock=CLOCK, days=3),
        check_schedules(double, (), clock=CLOCK),
        show_schedule(double, "nightly", clock=CLOCK),
    ):
        with pytest.raises(RequestError, match="refused"):
            await asked


async def test_documents_are_what_their_structs_say() -> None:
    """Each document is read back by the struct that the schema is made from."""
    double = fleet()
    found = await list_schedules(double, clock=CLOCK)
    detail = await show_schedule(double, "nightly", clock=CLOCK)
    calendar = await next_windows(double, clock=CLOCK, days=3)
    report = await check_schedules(double, (), clock=CLOCK)
    for document in (
        schedules.list_document(found),
        schedules.show_document(detail),
        schedules.next_document(calendar),
        schedules.check_document(report),
    ):
        assert msgspec.json.decode(msgspec.json.encode(document), type=type(document)) == document
    assert [set(row) for row in schedules.list_rows(found)] == [set(schedules.LIST_COLUMNS)]
    assert {frozenset(row) for row in schedules.next_rows(calendar)} == {frozenset(schedules.NEXT_COLUMNS)}


@pytest.mark.parametrize("width", [60, 80, 132])
async def test_lines_fit_a_terminal(width: int) -> None:
    """Only an id or a command, which cannot be broken, may be wider."""
    double = fleet()
    paint = Paint(width=width)
    texts = [
        *list_lines(await list_schedules(double, clock=CLOCK), paint=paint),
        *detail_lines(await show_schedule(double, "nightly", clock=CLOCK), paint=paint),
        *calendar_lines(await next_windows(double, clock=CLOCK, days=3), paint=paint),
        *check_lines(await check_schedules(double, (), clock=CLOCK), paint=paint),
    ]
    fixed = 76  # the columns of numbers and times, which are never cut
    assert [line for line in texts if len(line) > max(width, fixed) and "/subscriptions/" not in line] == []


async def test_advice_to_detach_tells_the_lock_that_refuses_it() -> None:
    """Whoever follows the advice must not learn from Azure that it cannot be done."""
    double = azure(ready("good"), assignments=[assigned(ready("moved")), assigned(ready("good"), "gone")])
    group = f"/subscriptions/{ALPHA}/resourceGroups/rg"
    double.lock_list = [Lock(group, "keep", "CanNotDelete")]
    report = await check_schedules(double, [], clock=CLOCK)
    fixes = {one.rule: one.fix for one in report.findings}
    for rule in ("assignment-orphaned", "configuration-missing"):
        lines = fixes[rule].splitlines()
        assert lines[:2] == [
            f"The CanNotDelete lock 'keep' on {group} refuses to delete the assignment (ScopeLocked).",
            "Have the lock's owner remove it for the change first:",
        ]
        assert lines[-1].startswith("patchmode schedule detach ")
    double.lock_list = []
    fixes = {one.rule: one.fix for one in (await check_schedules(double, [], clock=CLOCK)).findings}
    assert not any("lock" in fix for fix in fixes.values())


async def test_a_schedule_that_reaches_nothing_is_deleted_by_the_command_that_is_printed() -> None:
    """Whole, as it is pasted: a bare name of a command is nothing that one can run."""
    double = azure()
    report = await check_schedules(double, (), clock=CLOCK)
    (found,) = [one for one in report.findings if one.rule == "schedule-hits-nothing"]
    assert found.fix.splitlines()[-1] == f"patchmode schedule delete {schedule_id()}"
