"""Many machines and dynamic scopes: counts add up, nobody is handed to Azure's own patching unasked."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workflow.azure_double import ALPHA, BETA, FixedClock, machine
from tests.unit.workflow.maintenance_double import configuration
from tests.unit.workflow.schedule_doubles import WritableAzure, assigned, azure, ready, schedule_id

from patchmode.errors import EmptyScopeError, RefusedError, UnsafeError, UsageError
from patchmode.model.machine import ImageReference, Lock, Machine
from patchmode.model.patch_settings import Orchestration
from patchmode.model.schedule import (
    AttachAction,
    AttachEnd,
    AttachReport,
    DynamicScope,
    RunForecast,
    ScheduleBook,
    ScopeFilter,
    WindowRule,
)
from patchmode.model.scope import Filters, Scope
from patchmode.workflow.schedules.attach_many import Preview, carry_out, preview_attach, preview_detach
from patchmode.workflow.schedules.dynamic_scopes import carry_out_scope, preview_attach_scope, preview_detach_scope

CLOCK = FixedClock()
ALL = Scope(everything=True)
UBUNTU = ImageReference("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2")


async def carried(double: WritableAzure, preview: Preview, *, stop: bool = False) -> AttachReport:
    event = asyncio.Event()
    if stop:
        event.set()
    return await carry_out(double, preview, name=None, clock=CLOCK, stop=event, progressed=lambda _: None)


async def attach(double: WritableAzure, scope: Scope = ALL) -> AttachReport:
    return await carried(double, await preview_attach(double, "nightly", scope, clock=CLOCK))


async def test_every_machine_has_one_end() -> None:
    """Attached, unchanged, refused, left out, unreadable: the counts add up to the scope."""
    there = ready("there")
    double = azure(ready("a"), there, machine("manual", mode="Manual"), ready("out"), assignments=[assigned(there)])
    ids = tuple(str(ready(name).id) for name in ("a", "there", "out", "gone", "manual"))
    report = await attach(double, Scope(ids=ids, exclude=Filters(names=("out",))))
    counts = report.counts
    assert {name: count for name, count in counts.items() if count} == {
        "scope": 5,
        "attached": 1,
        "unchanged": 1,
        "refused": 1,
        "skipped": 1,
        "unreadable": 1,
    }
    assert sorted(one.machine.name for one in double.schedules.assignments) == ["a", "there"]
    again = await attach(double, Scope(ids=ids[:2]))
    assert again.counts["unchanged"] == again.counts["scope"] == 2


@pytest.mark.parametrize("preview", [preview_attach, preview_detach])
async def test_a_group_inside_a_selected_subscription_is_refused(preview: Any) -> None:
    """As `apply` does: who means to narrow would otherwise give the whole subscription the schedule, or take it off."""
    double = azure(ready("a"))
    scope = Scope(subscriptions=(ALPHA,), resource_groups=(ready("a").id.resource_group,))
    with pytest.raises(UsageError, match="adds nothing"):
        await preview(double, "nightly", scope, clock=CLOCK)


async def test_resource_graph_is_not_believed() -> None:
    """It shows an assignment that is gone, and none where there is one."""
    one, two = ready("one"), ready("two")
    double = azure(one, two, assignments=[assigned(two)])
    double.schedules.graph_book = ScheduleBook(
        configurations=tuple(double.schedules.configurations), assignments=(assigned(one),)
    )
    preview = await preview_attach(double, "nightly", ALL, clock=CLOCK)
    assert preview.writes == 2
    report = await carried(double, preview)
    assert {entry.result for entry in report.results} == {AttachEnd.ATTACHED, AttachEnd.UNCHANGED}
    assert len(double.schedules.assignments) == 2


async def test_a_stop_leaves_what_can_be_repeated() -> None:
    double = azure(ready("a"), ready("b"))
    preview = await preview_attach(double, "nightly", ALL, clock=CLOCK)
    report = await carried(double, preview, stop=True)
    assert (report.state, report.counts["notSent"]) == ("interrupted", 2)
    assert double.schedules.assignments == []
    assert (await attach(double)).counts["attached"] == 2


async def test_what_is_refused_as_a_whole() -> None:
    double = azure(ready("a"))
    double.schedules.configurations.append(replace(configuration(schedule_id("host")), scope="Host"))
    with pytest.raises(RefusedError, match="wrong-maintenance-scope"):
        await preview_attach(double, "host", ALL, clock=CLOCK)
    with pytest.raises(UsageError, match="no maintenance configuration 'nightyl'"):
        await preview_attach(double, "nightyl", ALL, clock=CLOCK)
    with pytest.raises(UsageError, match="There is not a maintenance configuration"):
        await preview_attach(double, str(schedule_id("gone")), ALL, clock=CLOCK)
    with pytest.raises(UsageError, match="not a maintenance configuration"):
        await preview_attach(double, str(ready("a").id), ALL, clock=CLOCK)
    with pytest.raises(EmptyScopeError):
        await preview_attach(double, "nightly", Scope(resource_groups=("nowhere",)), clock=CLOCK)


async def test_three_thousand_machines_are_the_most() -> None:
    full = [assigned(ready(f"old{number}")) for number in range(3000)]
    double = azure(ready("new"), assignments=full)
    with pytest.raises(UnsafeError, match="3,000"):
        await preview_attach(double, "nightly", ALL, clock=CLOCK)
    double.schedules.assignments = full[:-1]
    assert (await attach(double)).counts["attached"] == 1


async def test_late_changes_are_warned_of() -> None:
    double = azure(ready("a"))
    late = FixedClock(CLOCK.moment.replace(hour=2, minute=50))
    preview = await preview_attach(double, "nightly", ALL, clock=late)
    assert preview.warnings == (
        "Its next window starts in 10 minutes: a change now may not count for it (window-too-close).",
    )


MODES = st.sampled_from(
    [("AutomaticByPlatform", True), ("AutomaticByPlatform", False), ("AutomaticByPlatform", None), ("Manual", None)]
)


@given(st.lists(st.tuples(MODES, st.booleans(), st.booleans()), min_size=1, max_size=6), st.booleans())
async def test_nobody_is_handed_to_azure_unasked(
    fleet: list[tuple[tuple[str, bool | None], bool, bool]], allow: bool
) -> None:
    """An Azure Managed machine never loses its last schedule, unless that was allowed by name."""
    machines: list[Machine] = []
    assignments = []
    for number, ((mode, bypass), has_nightly, has_weekly) in enumerate(fleet):
        one = machine(f"vm{number}", mode=mode, bypass=bypass, image=UBUNTU)
        machines.append(one)
        assignments += [assigned(one)] if has_nightly else []
        assignments += [assigned(one, "weekly")] if has_weekly else []
    double = azure(*machines, assignments=assignments)
    double.schedules.configurations.append(configuration(schedule_id("weekly")))
    preview = await preview_detach(double, "nightly", ALL, clock=CLOCK, allow_azure_managed=allow)
    report = await carried(double, preview)
    left = {one.machine for one in double.schedules.assignments}
    had = {one.machine for one in assignments}
    for one in machines:
        is_freed = one.id in had and one.id not in left
        assert allow or not (is_freed and one.orchestration is Orchestration.AZURE_MANAGED), one.name
    assert report.counts["scope"] == len(machines)
    assert report.counts["refused"] == 0 or not allow


async def test_a_detach_goes_by_what_stands_right_before_it() -> None:
    """Since the preview another detach took the other schedule off, or somebody made the machine Azure Managed."""
    vm = machine("vm", mode="AutomaticByPlatform", image=UBUNTU)
    double = azure(vm, assignments=[assigned(vm), assigned(vm, "weekly")])
    double.schedules.configurations.append(configuration(schedule_id("weekly")))
    first = await preview_detach(double, "nightly", ALL, clock=CLOCK)
    second = await preview_detach(double, "weekly", ALL, clock=CLOCK)
    assert (first.writes, second.writes) == (1, 1)
    assert [one.result for one in (await carried(double, first)).results] == [AttachEnd.DETACHED]
    assert [(one.result, one.rule) for one in (await carried(double, second)).results] == [
        (AttachEnd.REFUSED, "last-schedule")
    ]
    assert double.schedules.assignments == [assigned(vm, "weekly")]


async def test_settings_that_changed_since_the_preview_count() -> None:
    double = azure(ready("vm"), assignments=[assigned(ready("vm"))])
    preview = await preview_detach(double, "nightly", ALL, clock=CLOCK)
    double.machines = (machine("vm", mode="AutomaticByPlatform", image=UBUNTU),)
    assert [one.result for one in (await carried(double, preview)).results] == [AttachEnd.REFUSED]
    allowed = await preview_detach(double, "nightly", ALL, clock=CLOCK, allow_azure_managed=True)
    assert [one.result for one in (await carried(double, allowed)).results] == [AttachEnd.DETACHED]


async def test_two_detaches_at_the_same_instant_do_not_pass_unseen() -> None:
    """Azure has no precondition for a DELETE, and refuses to attach again: what is left is to say so."""
    vm = machine("vm", mode="AutomaticByPlatform", image=UBUNTU)
    double = azure(vm, assignments=[assigned(vm), assigned(vm, "weekly")])
    double.schedules.configurations.append(configuration(schedule_id("weekly")))
    preview = await preview_detach(double, "nightly", ALL, clock=CLOCK)

    async def other_detach(method: str, what: str) -> None:
        if method == "DELETE":
            double.schedules.assignments = [one for one in double.schedules.assignments if one.name != "weekly"]

    double.schedules.arrive = other_detach
    (end,) = (await carried(double, preview)).results
    assert (end.result, end.rule) == (AttachEnd.MISMATCH, "last-schedule")
    assert end.error is not None
    assert end.error.message.startswith("It was detached, and so were its other schedules meanwhile.")


@pytest.mark.parametrize(
    ("rest", "end"),
    [
        (WindowRule("2020-01-01 03:00", None, "02:00", "UTC", "Day"), AttachEnd.DETACHED),
        (WindowRule("2020-01-01 03:00", "2021-01-01 00:00", "02:00", "UTC", "Day"), AttachEnd.REFUSED),
        (WindowRule("2020-02-01 03:00", None, "02:00", "UTC", "12Months day31"), AttachEnd.REFUSED),
        (WindowRule("2020-01-01 03:00", None, "02:00", "Middle-earth", "Day"), AttachEnd.REFUSED),
        (None, AttachEnd.REFUSED),
    ],
    ids=["live", "expired", "never", "unknown-zone", "missing"],
)
async def test_only_a_schedule_that_runs_keeps_azure_away(rest: WindowRule | None, end: AttachEnd) -> None:
    """Whether Azure counts a schedule that never runs again as attached is stated nowhere, so it protects nobody."""
    one = machine("vm", mode="AutomaticByPlatform", image=UBUNTU)
    double = azure(one, assignments=[assigned(one), assigned(one, "rest")])
    if rest is not None:
        double.schedules.configurations.append(replace(configuration(schedule_id("rest")), window=rest))
    preview = await preview_detach(double, "nightly", ALL, clock=CLOCK)
    assert [entry.result for entry in (await carried(double, preview)).results] == [end]


async def test_who_stays_a_member_after_a_detach_is_told() -> None:
    """Whoever takes a machine off a schedule before the window must know that a dynamic scope still holds it."""
    vms = [ready(name, tags=tags) for name, tags in {"held": {"ring": "1"}, "freed": {}, "only": {"ring": "1"}}.items()]
    double = azure(*vms, assignments=[assigned(vms[0]), assigned(vms[1])])
    double.schedules.dynamic_scopes = [replace(ring(), configuration=schedule_id())]
    preview = await preview_detach(double, "nightly", ALL, clock=CLOCK)
    text = "2 machines will stay in nightly by dynamic scopes, which a detach from machines does not change: "
    held, only = (
        "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Compute"
        f"/virtualMachines/{name}"
        for name in ("held", "only")
    )
    told = [f"{text}{held}, {only}. Change the scope's filter, or the machine's tags."]
    assert list(preview.warnings) == told
    assert [note for note in (await carried(double, preview)).notes if "dynamic scopes" in note] == told


async def test_an_orphaned_assignment_can_be_deleted() -> None:
    """Neither the machine nor the configuration is there any more."""
    gone = ready("gone")
    double = azure(assignments=[assigned(gone, "retired")])
    scope = Scope(ids=(str(gone.id),))
    preview = await preview_detach(double, str(schedule_id("retired")), scope, clock=CLOCK)
    report = await carried(double, preview)
    assert (report.action, report.counts["detached"]) == (AttachAction.DETACH, 1)
    assert double.schedules.assignments == []
    again = await carried(double, await preview_detach(double, str(schedule_id("retired")), scope, clock=CLOCK))
    assert {name: count for name, count in again.counts.items() if count} == {"scope": 1, "unreadable": 1}


# ------------------------------------------------------------------------------------------------ dynamic scopes


def ring(**facts: object) -> DynamicScope:
    wanted = ScopeFilter(tags={"ring": ("1",)}, **facts)  # type: ignore[arg-type]
    return DynamicScope("ring", ALPHA, None, schedule_id("any"), wanted)


async def test_a_dynamic_scope_shows_whom_it_hits_and_is_read_back() -> None:
    double = azure(
        ready("a", tags={"ring": "1"}),
        machine("b", mode="Manual", tags={"Ring": "1"}),
        ready("c", tags={"ring": "2"}),
        ready("d", tags={"ring": "1"}, subscription=BETA),
    )
    preview = await preview_attach_scope(double, "nightly", ring(), replace=False, clock=CLOCK)
    told = {member.machine.name: member.forecast.result for member in preview.members}
    assert told == {"a": RunForecast.RUNS, "b": RunForecast.FAILS}
    report = await carry_out_scope(double, preview, clock=CLOCK)
    assert [entry.result for entry in report.results] == [AttachEnd.ATTACHED]
    assert double.schedules.dynamic_scopes == [replace(ring(), configuration=schedule_id())]
    again = await preview_attach_scope(double, "nightly", ring(), replace=False, clock=CLOCK)
    assert again.is_unchanged
    assert (await carry_out_scope(double, again, clock=CLOCK)).results[0].result is AttachEnd.UNCHANGED


async def test_another_scope_of_that_name_is_not_written_over() -> None:
    double = azure(ready("a"))
    double.schedules.dynamic_scopes = [replace(ring(os_types=("Linux",)), configuration=schedule_id())]
    with pytest.raises(RefusedError, match="differs"):
        await preview_attach_scope(double, "nightly", ring(), replace=False, clock=CLOCK)
    preview = await preview_attach_scope(double, "nightly", ring(), replace=True, clock=CLOCK)
    assert (await carry_out_scope(double, preview, clock=CLOCK)).results[0].result is AttachEnd.ATTACHED
    assert double.schedules.dynamic_scopes == [replace(ring(), configuration=schedule_id())]


async def test_limits_of_dynamic_scopes() -> None:
    double = azure(ready("a"))
    double.schedules.dynamic_scopes = [
        replace(ring(), name=f"s{number}", configuration=schedule_id()) for number in range(200)
    ]
    with pytest.raises(UnsafeError, match="201 dynamic scopes of one configuration"):
        await preview_attach_scope(double, "nightly", ring(), replace=False, clock=CLOCK)


async def test_detaching_a_scope_hands_nobody_to_azure() -> None:
    vm = machine("vm", mode="AutomaticByPlatform", image=UBUNTU, tags={"ring": "1"})
    double = azure(vm)
    double.schedules.dynamic_scopes = [replace(ring(), configuration=schedule_id())]
    preview = await preview_detach_scope(double, "nightly", ring(), clock=CLOCK, allow_azure_managed=False)
    report = await carry_out_scope(double, preview, clock=CLOCK)
    assert [(one.result, one.rule) for one in report.results] == [(AttachEnd.REFUSED, "last-schedule")]
    allowed = await preview_detach_scope(double, "nightly", ring(), clock=CLOCK, allow_azure_managed=True)
    assert (await carry_out_scope(double, allowed, clock=CLOCK)).results[0].result is AttachEnd.DETACHED
    assert double.schedules.dynamic_scopes == []
    gone = await preview_detach_scope(double, "nightly", ring(), clock=CLOCK, allow_azure_managed=False)
    assert (await carry_out_scope(double, gone, clock=CLOCK)).results[0].result is AttachEnd.UNCHANGED


async def test_writing_a_scope_over_hands_nobody_to_azure_either() -> None:
    """The new filter leaves out a machine that the old one took in."""
    vm = machine("vm", mode="AutomaticByPlatform", image=UBUNTU, tags={"ring": "1"})
    double = azure(vm)
    double.schedules.dynamic_scopes = [replace(ring(), configuration=schedule_id())]
    narrower = ring(os_types=("Windows",))
    preview = await preview_attach_scope(double, "nightly", narrower, replace=True, clock=CLOCK)
    report = await carry_out_scope(double, preview, clock=CLOCK)
    assert [(one.result, one.rule) for one in report.results] == [(AttachEnd.REFUSED, "last-schedule")]
    assert double.schedules.dynamic_scopes[0].filter == ring().filter
    same = await preview_attach_scope(double, "nightly", ring(os_types=("Linux",)), replace=True, clock=CLOCK)
    assert (await carry_out_scope(double, same, clock=CLOCK)).results[0].result is AttachEnd.ATTACHED


async def test_a_scope_of_another_schedule_is_not_deleted() -> None:
    double = azure(ready("a"))
    double.schedules.dynamic_scopes = [replace(ring(), configuration=schedule_id("weekly"))]
    with pytest.raises(RefusedError, match="attaches"):
        await preview_detach_scope(double, "nightly", ring(), clock=CLOCK, allow_azure_managed=False)


# ------------------------------------------------------------------------------------------------ locks


def keep(level: str, scope: str = f"/subscriptions/{ALPHA}/resourceGroups/rg") -> Lock:
    return Lock(scope, "keep", level)


@pytest.mark.parametrize("level", ["CanNotDelete", "ReadOnly"])
async def test_what_a_lock_keeps_is_refused_and_not_asked_about(level: str) -> None:
    """Nothing is left to do under a lock that covers every machine; machines elsewhere are detached all the same."""
    here, far, gone = ready("here"), ready("far", group="other"), ready("gone")
    double = azure(here, far, assignments=[assigned(here), assigned(far), assigned(gone)])
    double.lock_list = [keep(level), keep(level, f"{far.id}x"), keep("Odd", f"/subscriptions/{ALPHA}")]
    preview = await preview_detach(
        double, "nightly", Scope(ids=tuple(str(one.id) for one in (here, gone))), clock=CLOCK
    )
    assert (preview.writes, [one.rule for one in preview.refused]) == (0, ["delete-lock"] * 2)
    assert not preview.warnings
    preview = await preview_detach(double, "nightly", ALL, clock=CLOCK, allow_azure_managed=True)
    assert [one.id.name for one in preview.machines] == ["far"]
    report = await carried(double, preview)
    assert (report.counts["detached"], report.counts["refused"]) == (1, 1)
    assert {one.machine.name for one in double.schedules.assignments} == {"here", "gone"}
    refusal = next(one for one in report.results if one.rule == "delete-lock")
    assert refusal.error is not None
    assert f"The {level} lock 'keep' on /subscriptions/{ALPHA}/resourceGroups/rg refuses" in refusal.error.message


async def test_a_read_only_lock_refuses_to_attach_and_leaves_what_is_attached() -> None:
    has, lacks = ready("has"), ready("lacks")
    double = azure(has, lacks, assignments=[assigned(has)])
    double.lock_list = [keep("ReadOnly")]
    preview = await preview_attach(double, "nightly", ALL, clock=CLOCK)
    assert (preview.writes, [one.rule for one in preview.refused]) == (0, ["read-only-lock"])
    assert [one.id for one in preview.unchanged] == [str(has.id)]
    double.lock_list = [keep("CanNotDelete")]
    assert (await preview_attach(double, "nightly", ALL, clock=CLOCK)).writes == 1


async def test_locks_refuse_what_they_cover_of_dynamic_scopes() -> None:
    double = azure(ready("a", tags={"ring": "1"}))
    wanted = replace(ring(), configuration=schedule_id())
    double.lock_list = [keep("ReadOnly", f"/subscriptions/{ALPHA}")]
    preview = await preview_attach_scope(double, "nightly", wanted, replace=False, clock=CLOCK)
    assert preview.obstacle is not None
    assert preview.obstacle.rule == "read-only-lock"
    double.schedules.dynamic_scopes = [wanted]
    preview = await preview_attach_scope(double, "nightly", wanted, replace=False, clock=CLOCK)
    assert (preview.obstacle, preview.is_unchanged) == (None, True)
    detach = await preview_detach_scope(double, "nightly", wanted, clock=CLOCK, allow_azure_managed=True)
    assert detach.obstacle is not None
    assert detach.obstacle.rule == "delete-lock"
    double.lock_list = [keep("CanNotDelete")]  # on a group below the scope's place
    detach = await preview_detach_scope(double, "nightly", wanted, clock=CLOCK, allow_azure_managed=True)
    assert detach.obstacle is None
