"""The schedule of a plan is looked up and checked as a whole, before anything is sent."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.workflow.azure_double import ALPHA, AzureDouble, FixedClock, machine
from tests.unit.workflow.maintenance_double import MaintenanceDouble, configuration, configuration_id

from patchmode.errors import RefusedError, UsageError
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import Plan, ThenAttach, Unchanged, WantedSettings
from patchmode.model.schedule import ConfigurationAssignment, WindowRule
from patchmode.model.target import Target
from patchmode.workflow.attach_wish import MOST_MACHINES, check_attachable, with_attachment

WEEKLY = configuration_id("weekly", subscription=ALPHA)
TARGET = Target("AzureCloud", "https://management.azure.com", "99999999-9999-9999-9999-999999999999")
PARKED = Outcome(OutcomeKind.PARKED, "it waits for a schedule")


def plan(*names: str, to: Orchestration | None = Orchestration.CUSTOMER_MANAGED_SCHEDULES) -> Plan:
    unchanged = tuple(Unchanged(machine(name).id, MachineKind.VM, PARKED) for name in names)
    return Plan(TARGET, ("--all",), WantedSettings(orchestration=to), (), unchanged)


def estate(*configurations: Any, attached: int = 0) -> AzureDouble:
    assignments = [ConfigurationAssignment("w", machine(f"old-{n}").id, WEEKLY) for n in range(attached)]
    schedules = MaintenanceDouble(configurations=list(configurations), assignments=assignments, page=1000)
    return AzureDouble(schedules=schedules)


async def wished(azure: AzureDouble, text: str, made: Plan, *, name: str | None = None) -> tuple[Plan, list[str]]:
    told: list[str] = []
    found = await with_attachment(azure, made, text, name=name, clock=FixedClock(), remark=told.append)
    return found, told


@pytest.mark.parametrize("text", ["weekly", "WEEKLY", str(WEEKLY), str(WEEKLY).lower()])
async def test_by_id_and_by_name_in_any_case(text: str) -> None:
    found, told = await wished(estate(configuration(WEEKLY)), text, plan("web"))
    assert found.then_attach is not None
    assert found.then_attach.configuration == WEEKLY
    assert found.then_attach.name.casefold() == "weekly"
    assert found.has_work
    assert told == []


async def test_assignments_may_have_a_name_of_their_own() -> None:
    found, _ = await wished(estate(configuration(WEEKLY)), "weekly", plan("web"), name="mine")
    assert found.then_attach == ThenAttach(WEEKLY, "mine")


@pytest.mark.parametrize(
    ("configurations", "text", "made", "error", "words"),
    [
        ([], "weekly", plan("web"), RefusedError, "you see no maintenance configuration named 'weekly'"),
        ([], str(WEEKLY), plan("web"), RefusedError, "there is no maintenance configuration"),
        ([configuration(WEEKLY, scope="Host")], "weekly", plan("web"), RefusedError, "which patches no guests"),
        (
            [configuration(WEEKLY), configuration(configuration_id("weekly", group="two", subscription=ALPHA))],
            "weekly",
            plan("web"),
            UsageError,
            "2 configurations are named 'weekly'",
        ),
        ([configuration(WEEKLY)], str(machine("web").id), plan("web"), UsageError, "is no maintenance configuration"),
        ([configuration(WEEKLY)], "/subscriptions/x", plan("web"), UsageError, "is not a resource id"),
        ([configuration(WEEKLY)], "weekly", plan("web", to=Orchestration.MANUAL), UsageError, "excludes every other"),
    ],
    ids=["no-name", "no-id", "host", "two", "vm", "no-resource", "manual"],
)
async def test_what_cannot_be_attached_is_refused(
    configurations: list[Any], text: str, made: Plan, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await wished(estate(*configurations), text, made)


async def test_other_settings_alone_may_be_attached_after() -> None:
    found, _ = await wished(estate(configuration(WEEKLY)), "weekly", plan("web", to=None))
    assert found.then_attach is not None


@pytest.mark.parametrize(("names", "fits"), [(("new-1",), True), (("new-1", "new-2"), False)])
async def test_limit_of_a_configuration(names: tuple[str, ...], fits: bool) -> None:
    azure = estate(configuration(WEEKLY), attached=MOST_MACHINES - 1)
    if fits:
        await wished(azure, "weekly", plan(*names))
        return
    with pytest.raises(RefusedError, match="would have 3,001 machines"):
        await wished(azure, "weekly", plan(*names))


async def test_machines_that_have_it_already_count_once() -> None:
    azure = estate(configuration(WEEKLY), attached=MOST_MACHINES)
    await wished(azure, "weekly", plan("old-1", "old-2"))


@pytest.mark.parametrize(("minutes", "is_close"), [(1, True), (14, True), (15, False), (600, False)])
async def test_window_that_is_too_close_is_remarked(minutes: int, is_close: bool) -> None:
    start = FixedClock().now() + timedelta(minutes=minutes)
    rule = WindowRule(f"{start:%Y-%m-%d %H:%M}", None, "02:00", "UTC", "Day")
    _, told = await wished(estate(configuration(WEEKLY, rule)), "weekly", plan("web"))
    assert [("window-too-close" in text) for text in told] == ([True] if is_close else [])


async def test_plan_without_a_wish_asks_nothing() -> None:
    azure = estate()
    await check_attachable(azure, plan("web"), clock=FixedClock(), remark=lambda _: None)
    assert not azure.requests


async def test_configuration_deleted_since_the_plan_is_refused() -> None:
    made = replace(plan("web"), then_attach=ThenAttach(WEEKLY, "weekly"))
    with pytest.raises(RefusedError, match="there is no maintenance configuration"):
        await check_attachable(estate(), made, clock=FixedClock(), remark=lambda _: None)
