"""The schedule of a plan is looked up and checked as a whole, before anything is sent."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.workflow.azure_double import ALPHA, AzureDouble, FixedClock, machine
from tests.unit.workflow.maintenance_double import MaintenanceDouble, configuration, configuration_id

from patchmode.errors import RefusedError, UsageError
from patchmode.model.machine import Lock, Machine
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import KeptBy, Plan, ThenAttach, Wave, wave_rules
from patchmode.model.schedule import ConfigurationAssignment, ScheduleBook, WindowRule
from patchmode.model.scope import Scope
from patchmode.rules.schedules.limits import Limits
from patchmode.store.plan_file import check_plan
from patchmode.workflow.inventory.planning import check_attachable, make_plan

WEEKLY = configuration_id("weekly", subscription=ALPHA)
OTHER = configuration_id("other", subscription=ALPHA)
EVERYTHING = Scope(everything=True)
SCHEDULED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)


def ready(name: str, **facts: Any) -> Machine:
    return machine(name, mode="AutomaticByPlatform", bypass=True, **facts)


def estate(*configurations: Any, attached: int = 0, machines: tuple[Machine, ...] = (ready("web"),)) -> AzureDouble:
    assignments = [ConfigurationAssignment("w", machine(f"old-{n}").id, WEEKLY) for n in range(attached)]
    schedules = MaintenanceDouble(configurations=list(configurations), assignments=assignments, page=1000)
    return AzureDouble(machines, schedules=schedules, page=1000)


async def wished(
    azure: AzureDouble, text: str, wanted: WantedSettings = SCHEDULED, *, name: str | None = None
) -> tuple[Plan, list[str]]:
    told: list[str] = []
    found = await make_plan(
        azure,
        EVERYTHING,
        wanted,
        clock=FixedClock(),
        remark=told.append,
        then_attach=text,
        assignment_name=name,
    )
    return found, told


@pytest.mark.parametrize("text", ["weekly", "WEEKLY", str(WEEKLY), str(WEEKLY).lower()])
async def test_by_id_and_by_name_in_any_case(text: str) -> None:
    found, told = await wished(estate(configuration(WEEKLY)), text)
    assert found.then_attach is not None
    assert found.then_attach.configuration == WEEKLY
    assert found.then_attach.name.casefold() == "weekly"
    assert found.has_work
    assert told == []


async def test_assignments_may_have_a_name_of_their_own() -> None:
    found, _ = await wished(estate(configuration(WEEKLY)), "weekly", name="mine")
    assert found.then_attach == ThenAttach(WEEKLY, "mine")


@pytest.mark.parametrize(
    ("configurations", "text", "wanted", "error", "words"),
    [
        ([], "weekly", SCHEDULED, RefusedError, "you see no maintenance configuration named 'weekly'"),
        ([], str(WEEKLY), SCHEDULED, RefusedError, "there is not a maintenance configuration"),
        ([configuration(WEEKLY, scope="Host")], "weekly", SCHEDULED, RefusedError, "which patches no guests"),
        (
            [configuration(WEEKLY), configuration(configuration_id("weekly", group="two", subscription=ALPHA))],
            "weekly",
            SCHEDULED,
            UsageError,
            "2 configurations are named 'weekly'",
        ),
        ([configuration(WEEKLY)], str(machine("web").id), SCHEDULED, UsageError, "is not a maintenance configuration"),
        ([configuration(WEEKLY)], "/subscriptions/x", SCHEDULED, UsageError, "is not a resource id"),
        (
            [configuration(WEEKLY)],
            "weekly",
            WantedSettings(orchestration=Orchestration.MANUAL),
            UsageError,
            "excludes every other",
        ),
    ],
    ids=["no-name", "no-id", "host", "two", "vm", "no-resource", "manual"],
)
async def test_what_cannot_be_attached_is_refused(
    configurations: list[Any], text: str, wanted: WantedSettings, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await wished(estate(*configurations), text, wanted)


async def test_other_settings_alone_may_be_attached_after() -> None:
    found, _ = await wished(estate(configuration(WEEKLY)), "weekly", WantedSettings(periodic_assessment=True))
    assert found.then_attach is not None


@pytest.mark.parametrize(("names", "fits"), [(("new-1",), True), (("new-1", "new-2"), False)])
async def test_limit_of_a_configuration(names: tuple[str, ...], fits: bool) -> None:
    azure = estate(configuration(WEEKLY), attached=Limits().machines - 1, machines=tuple(map(ready, names)))
    if fits:
        await wished(azure, "weekly")
        return
    with pytest.raises(RefusedError, match="would have 3,001 machines"):
        await wished(azure, "weekly")


async def test_machines_that_have_it_already_count_once() -> None:
    azure = estate(configuration(WEEKLY), attached=Limits().machines, machines=(ready("old-1"), ready("old-2")))
    await wished(azure, "weekly")


@pytest.mark.parametrize(("minutes", "is_close"), [(1, True), (14, True), (15, False), (600, False)])
async def test_window_that_is_too_close_is_remarked(minutes: int, is_close: bool) -> None:
    start = FixedClock().now() + timedelta(minutes=minutes)
    rule = WindowRule(f"{start:%Y-%m-%d %H:%M}", None, "02:00", "UTC", "Day")
    _, told = await wished(estate(configuration(WEEKLY, rule)), "weekly")
    assert [("window-too-close" in text) for text in told] == ([True] if is_close else [])


async def test_plan_without_a_wish_asks_nothing() -> None:
    azure = estate()
    made = await make_plan(azure, EVERYTHING, SCHEDULED, clock=FixedClock())
    azure.requests.clear()
    await check_attachable(azure, made, clock=FixedClock(), remark=lambda _: None)
    assert not azure.requests


async def test_configuration_deleted_since_the_plan_is_refused() -> None:
    made, _ = await wished(estate(configuration(WEEKLY)), "weekly")
    with pytest.raises(RefusedError, match="there is not a maintenance configuration"):
        await check_attachable(estate(), made, clock=FixedClock(), remark=lambda _: None)


# ------------------------------------------------------------------------------------------------ what it makes of them


async def outcomes(azure: AzureDouble) -> dict[str, tuple[OutcomeKind, OutcomeKind]]:
    """Machine → outcome before and after, of those that are changed or attached."""
    found, _ = await wished(azure, "weekly")
    changed = {one.id.name: (one.outcome_before.kind, one.outcome_after.kind) for one in found.changes}
    right = {one.id.name: (one.outcome.kind, (one.outcome_after or one.outcome).kind) for one in found.unchanged}
    return changed | right


async def test_outcome_after_counts_the_schedule_that_is_about_to_be_attached() -> None:
    """Without it both would be told to be patched by nobody once the plan was carried out."""
    azure = estate(configuration(WEEKLY), machines=(machine("web"), ready("db")))
    assert await outcomes(azure) == {
        "web": (OutcomeKind.GUEST_MANAGED, OutcomeKind.SCHEDULED),
        "db": (OutcomeKind.PARKED, OutcomeKind.SCHEDULED),
    }


async def test_machine_that_is_off_and_gets_it_fails_at_its_next_window() -> None:
    azure = estate(configuration(WEEKLY), machines=(ready("off", power="deallocated"),))
    assert await outcomes(azure) == {"off": (OutcomeKind.PARKED, OutcomeKind.SCHEDULE_FAILS)}


async def test_machine_that_has_it_already_is_told_once() -> None:
    """Its entry says nothing of an after: nothing will be other than it is."""
    azure = estate(configuration(WEEKLY), machines=(ready("web"),))
    azure.schedules.assignments.append(ConfigurationAssignment("by-hand", machine("web").id, WEEKLY))
    (entry,) = (await wished(azure, "weekly"))[0].unchanged
    assert (entry.outcome.kind, entry.outcome_after) == (OutcomeKind.SCHEDULED, None)


async def test_machine_whose_assignment_name_is_taken_gets_none() -> None:
    """Apply refuses it there, so the plan must not promise it."""
    azure = estate(configuration(WEEKLY), configuration(OTHER), machines=(machine("web"),))
    azure.schedules.assignments.append(ConfigurationAssignment("weekly", machine("web").id, OTHER))
    (change,) = (await wished(azure, "weekly"))[0].changes
    assert "'other'" in change.outcome_after.reason
    assert "'weekly'" not in change.outcome_after.reason


async def test_configuration_too_new_for_resource_graph_still_counts() -> None:
    azure = estate(configuration(WEEKLY))
    azure.schedules.graph_book = ScheduleBook()
    found, _ = await wished(azure, str(WEEKLY))
    (entry,) = found.unchanged
    assert entry.outcome_after is not None
    assert entry.outcome_after.kind is OutcomeKind.SCHEDULED


async def test_where_schedules_are_not_looked_up_no_after_is_promised() -> None:
    """An audit afterwards would not know either."""
    azure = replace_permissions(estate(configuration(WEEKLY)))
    assert await outcomes(azure) == {"web": (OutcomeKind.UNKNOWN, OutcomeKind.UNKNOWN)}


def replace_permissions(azure: AzureDouble) -> AzureDouble:
    azure.permission_list = ()
    return azure


# ------------------------------------------------------------------------------------------------ who gets it


async def test_arc_server_needs_no_setting_and_gets_the_schedule() -> None:
    azure = estate(configuration(WEEKLY), machines=(machine("arc", arc=True),))
    found, _ = await wished(azure, "weekly")
    assert (found.skipped, [one.id.name for one in found.unchanged]) == ((), ["arc"])
    assert await outcomes(azure) == {"arc": (OutcomeKind.GUEST_MANAGED, OutcomeKind.SCHEDULED)}


async def test_without_the_wish_an_arc_server_is_left_alone() -> None:
    azure = estate(configuration(WEEKLY), machines=(machine("arc", arc=True),))
    made = await make_plan(azure, EVERYTHING, SCHEDULED, clock=FixedClock())
    assert [one.rule for one in made.skipped] == ["arc-no-orchestration"]


@pytest.mark.parametrize("arc", [True, False])
async def test_machine_that_would_be_refused_is_left_alone_with_the_rule(arc: bool) -> None:
    """A client system is never patched by Update Manager; applied, its attachment would only end as refused."""
    one = machine("client", arc=True) if arc else ready("client")
    client = replace(one, license_type="Windows_Client", os_edition="Windows 11 Enterprise")
    found, _ = await wished(estate(configuration(WEEKLY), machines=(client,)), "weekly")
    assert [one.rule for one in found.skipped] == ["client-os"]
    assert not found.has_work


def locked(one: Machine, *levels: str) -> tuple[Machine, tuple[Lock, ...]]:
    group = f"/subscriptions/{ALPHA}/resourceGroups/{one.id.resource_group}"
    return one, tuple(Lock(group, f"keep-{level}", level) for level in levels)


async def test_read_only_lock_refuses_an_assignment_too() -> None:
    one, locks = locked(ready("web"), "ReadOnly")
    azure = estate(configuration(WEEKLY), machines=(one,))
    azure.lock_list = locks
    found, _ = await wished(azure, "weekly")
    assert [one.rule for one in found.skipped] == ["read-only-lock"]
    azure.schedules.assignments.append(ConfigurationAssignment("by-hand", one.id, WEEKLY))
    found, _ = await wished(azure, "weekly")
    assert [one.id.name for one in found.unchanged] == ["web"]


async def test_lock_under_which_the_schedule_stays_is_told_with_its_machines() -> None:
    """A rollback could not take the schedule off again: Azure answers 409 ScopeLocked."""
    one, locks = locked(machine("web"), "CanNotDelete")
    elsewhere = ready("far", group="other")
    azure = estate(configuration(WEEKLY), machines=(one, ready("db"), elsewhere, ready("has")))
    azure.lock_list = locks
    azure.schedules.assignments.append(ConfigurationAssignment("by-hand", machine("has").id, WEEKLY))
    found, _ = await wished(azure, "weekly")
    assert found.then_attach == ThenAttach(WEEKLY, "weekly", (KeptBy("keep-CanNotDelete", locks[0].scope, 2),))


async def test_machines_that_only_get_the_schedule_wait_for_their_wave() -> None:
    """Attaching decides who patches a machine, so a canary wave holds it too."""
    fleet = (ready("a", tags={"ring": "2"}), ready("b", tags={"ring": "1"}), machine("c", tags={"ring": "2"}))
    found = await make_plan(
        estate(configuration(WEEKLY), machines=fleet),
        EVERYTHING,
        SCHEDULED,
        clock=FixedClock(),
        then_attach="weekly",
        waves=wave_rules(["tag:ring"]),
        canary=2,
    )
    assert found.waves == (Wave("canary", 1, 1), Wave("ring=2", 0, 1))
    assert [entry.id.name for entry in found.unchanged] == ["b", "a"]
    assert [entry.id.name for entry in found.changes] == ["c"]
    check_plan(found, name="the plan", counts=None)
