"""Machines that schedules, failed runs and pasted text point at; each ends once, and nothing is guessed in silence."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workflow.azure_double import ALPHA, BETA, TARGET, AzureDouble, FixedClock, machine, machine_id
from tests.unit.workflow.maintenance_double import MaintenanceDouble, configuration, configuration_id

from patchmode.errors import EmptyScopeError, ForbiddenError, UsageError
from patchmode.model.machine import Machine, Subscription
from patchmode.model.patch_settings import OperatingSystem, WantedSettings
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    ConfigurationAssignment,
    DynamicScope,
    FailureKind,
    MachineRun,
    MaintenanceConfiguration,
    ScheduleBook,
    ScopeFilter,
)
from patchmode.model.scope import Filters, Scope, Since
from patchmode.rules.pasted_text.reading import read_log
from patchmode.workflow.inventory.doctor import examine
from patchmode.workflow.inventory.inventory import Inventory, take_inventory
from patchmode.workflow.inventory.planning import make_plan

NOW = FixedClock().now()
WEEK = Since.parse("7d")
TWO = (Subscription(ALPHA, "Alpha", TARGET.tenant_id), Subscription(BETA, "Beta", TARGET.tenant_id))
WEEKLY = configuration_id("Weekly", subscription=ALPHA)
OTHER = configuration_id("Nightly", subscription=ALPHA)
MACHINES = (
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines"
)


def assigned(name: str, *, to: ResourceId = WEEKLY, arc: bool = False) -> ConfigurationAssignment:
    return ConfigurationAssignment(f"to-{name}", machine_id(name, arc=arc), to)


def dynamic(wanted: ScopeFilter, *, group: str | None = None, subscription: str = ALPHA) -> DynamicScope:
    return DynamicScope("scope", subscription, group, WEEKLY, wanted)


def schedules(
    *entries: ConfigurationAssignment | DynamicScope, more: tuple[MaintenanceConfiguration, ...] = ()
) -> MaintenanceDouble:
    return MaintenanceDouble(
        configurations=[configuration(WEEKLY), configuration(OTHER), *more],
        assignments=[entry for entry in entries if isinstance(entry, ConfigurationAssignment)],
        dynamic_scopes=[entry for entry in entries if isinstance(entry, DynamicScope)],
    )


async def taken(azure: AzureDouble, scope: Scope, *, documents: bool = False) -> Inventory:
    return await take_inventory(azure, scope, documents=documents, now=NOW)


def names(inventory: Inventory) -> list[str]:
    return [entry.name for entry in inventory.machines]


# ------------------------------------------------------------------------------------------------ --schedule


@pytest.mark.parametrize("documents", [False, True])
@pytest.mark.parametrize("text", [str(WEEKLY), str(WEEKLY).upper(), "weekly"])
async def test_a_schedule_brings_its_static_and_dynamic_members(text: str, documents: bool) -> None:
    """The portal shows static ones only; a fleet fails on the others."""
    azure = AzureDouble(
        [
            machine("static"),
            machine("dynamic", tags={"ring": "1"}),
            machine("wrong-tag", tags={"ring": "2"}),
            machine("bystander", subscription=BETA, tags={"ring": "1"}),
            machine("linux-beta", subscription=BETA),
            machine("windows-beta", subscription=BETA, os=OperatingSystem.WINDOWS),
            machine("arc", arc=True),
        ],
        known=TWO,
        schedules=schedules(
            assigned("static"),
            assigned("dynamic"),
            assigned("arc", arc=True),
            assigned("wrong-tag", to=OTHER),
            dynamic(ScopeFilter(tags={"ring": ("1",)})),
            dynamic(ScopeFilter(os_types=("Windows",)), group="RG", subscription=BETA),
        ),
    )
    inventory = await taken(azure, Scope(schedules=(text,)), documents=documents)
    assert sorted(names(inventory)) == ["arc", "dynamic", "static", "windows-beta"]
    assert (inventory.skipped, inventory.unreadable, inventory.notes) == ((), (), ())


async def test_resource_graph_is_asked_by_the_page_and_not_by_the_machine_or_schedule() -> None:
    """A thousand machines and five schedules cost as many requests as one schedule."""
    fleet = [machine(f"vm{number:03}") for number in range(300)]
    entries = [assigned(entry.name) for entry in fleet]
    counts = []
    for chosen in ((str(WEEKLY),), (str(WEEKLY), str(OTHER))):
        azure = AzureDouble(fleet, page=100, schedules=schedules(*entries))
        azure.schedules.page = 100
        inventory = await taken(azure, Scope(schedules=chosen))
        assert len(inventory.machines) == 300
        counts.append(azure.requests["graph"])
    assert counts[0] == counts[1] <= 10


async def test_members_in_doubt_are_skipped_with_the_rule_of_the_doubt() -> None:
    """Whether tags compare with case is not documented; a plan must not take such a machine, nor lose it."""
    azure = AzureDouble(
        [machine("sure", tags={"ring": "one"}), machine("perhaps", tags={"ring": "ONE"}), machine("no")],
        schedules=schedules(dynamic(ScopeFilter(tags={"ring": ("one",)}))),
    )
    inventory = await taken(azure, Scope(schedules=("Weekly",)))
    assert names(inventory) == ["sure"]
    (skipped,) = inventory.skipped
    assert (skipped.id.name, skipped.rule) == ("perhaps", "tag-case")
    assert skipped.reason.startswith("It is not certain that Weekly reaches it: ")
    plan = await make_plan(
        azure, Scope(schedules=("Weekly",)), WantedSettings(periodic_assessment=True), clock=FixedClock()
    )
    assert plan.counts == {"scope": 2, "changes": 1, "unchanged": 0, "skipped": 1, "unreadable": 0}


async def test_another_selector_takes_what_is_in_doubt_and_a_filter_is_the_better_reason() -> None:
    """Selectors are united; each machine ends once."""
    azure = AzureDouble(
        [machine("perhaps", tags={"ring": "ONE"})],
        schedules=schedules(dynamic(ScopeFilter(tags={"ring": ("one",)}))),
    )
    chosen = Scope(schedules=("Weekly",), ids=(str(machine_id("perhaps")),))
    assert names(await taken(azure, chosen)) == ["perhaps"]
    with pytest.raises(EmptyScopeError, match="No machine in scope is certain"):
        await taken(azure, Scope(schedules=("Weekly",)))
    filtered = Scope(schedules=("Weekly",), include=Filters(os=("windows",)))
    with pytest.raises(EmptyScopeError, match=r"The filters left out every machine in scope \(1: filter-os 1\)"):
        await taken(azure, filtered)


async def test_an_assignment_to_a_machine_that_is_gone_is_told_and_takes_nothing() -> None:
    """Azure leaves it behind when a machine is deleted; it must not make every plan end with unreadable machines."""
    azure = AzureDouble(
        [machine("here"), machine("young")],
        graph_machines=[machine("here")],
        schedules=schedules(assigned("here"), assigned("gone"), assigned("young")),
    )
    inventory = await taken(azure, Scope(schedules=("Weekly",)))
    assert names(inventory) == ["here", "young"]
    assert inventory.unreadable == ()
    told = f"1 assignment names a machine that does not exist (assignment-orphaned): {MACHINES}/gone."
    assert inventory.notes == (told,)


async def test_an_assigned_machine_that_may_not_be_read_is_unreadable() -> None:
    """Only a 404 means that it does not exist."""
    azure = AzureDouble(
        [machine("here"), machine("hidden")],
        graph_machines=[machine("here")],
        refused=frozenset({"get:hidden"}),
        schedules=schedules(assigned("here"), assigned("hidden")),
    )
    inventory = await taken(azure, Scope(schedules=("Weekly",)))
    assert [entry.id for entry in inventory.unreadable] == [str(machine_id("hidden"))]


HOST = replace(configuration(configuration_id("Hosts", subscription=ALPHA)), scope="Host")
TWIN = configuration(configuration_id("WEEKLY", group="other", subscription=ALPHA))


@pytest.mark.parametrize(
    ("text", "message", "advice"),
    [
        ("weakly", "You see no maintenance configuration named 'weakly'", "Did you mean 'Weekly'?"),
        ("zzz", "You see no maintenance configuration named 'zzz'", "schedule list"),
        (str(configuration_id("weakly", subscription=ALPHA)), "There is not a maintenance configuration", "'Weekly'"),
        (str(machine_id("vm1")), "not a maintenance configuration", "schedule list"),
        ("/subscriptions/x", "is not a resource id", "schedule list"),
        ("hosts", "has the maintenance scope Host, not InGuestPatch", "schedule list"),
        (str(HOST.id), "has the maintenance scope Host, not InGuestPatch", "schedule list"),
    ],
)
async def test_a_schedule_that_is_none_is_refused_by_name(text: str, message: str, advice: str) -> None:
    """Told before anything is planned, with the nearest name."""
    azure = AzureDouble([machine("vm1")], schedules=schedules(assigned("vm1"), more=(HOST,)))
    with pytest.raises(UsageError) as caught:
        await taken(azure, Scope(schedules=(text,)))
    assert message in caught.value.message
    assert advice in caught.value.advice


async def test_a_name_that_several_have_is_refused_with_all_of_them() -> None:
    """Names are unique in a resource group only."""
    azure = AzureDouble([machine("vm1")], schedules=schedules(assigned("vm1"), more=(TWIN,)))
    with pytest.raises(UsageError) as caught:
        await taken(azure, Scope(schedules=("weekly",)))
    assert str(WEEKLY) in caught.value.message
    assert str(TWIN.id) in caught.value.message


async def test_a_deleted_configuration_that_is_still_assigned_is_told() -> None:
    """Somebody must clear these assignments."""
    gone = configuration_id("gone", subscription=ALPHA)
    azure = AzureDouble([machine("vm1")], schedules=schedules(assigned("vm1", to=gone)))
    with pytest.raises(UsageError, match="1 assignments still name it"):
        await taken(azure, Scope(schedules=(str(gone),)))


async def test_the_name_of_a_deleted_configuration_gets_the_same_hint() -> None:
    """The nearest other name would lead astray."""
    gone = configuration_id("weekley", subscription=ALPHA)
    azure = AzureDouble([machine("vm1")], schedules=schedules(assigned("vm1", to=gone)))
    with pytest.raises(UsageError, match="it does not exist, or you cannot read it") as caught:
        await taken(azure, Scope(schedules=("Weekley",)))
    assert "One assignment still names it" in caught.value.message
    assert "schedule check" in str(caught.value.advice)


async def test_a_configuration_too_young_for_resource_graph_is_read_from_its_provider() -> None:
    """Just created and attached: its members are there already."""
    double = schedules(assigned("vm1"))
    double.graph_book = ScheduleBook(assignments=tuple(double.assignments))
    azure = AzureDouble([machine("vm1")], schedules=double)
    assert names(await taken(azure, Scope(schedules=(str(WEEKLY),)))) == ["vm1"]


class Hidden(MaintenanceDouble):
    """Configurations that the principal may not read."""

    async def configuration(self, configuration_id: ResourceId) -> MaintenanceConfiguration:
        raise ForbiddenError(f"GET {configuration_id} is refused", code="AuthorizationFailed", status=403)


async def test_a_configuration_out_of_sight_is_known_by_what_attaches_it() -> None:
    """It stands in another team's subscription; its assignments stand on one's own machines."""
    azure = AzureDouble([machine("vm1")], schedules=Hidden(assignments=[assigned("vm1")]))
    inventory = await taken(azure, Scope(schedules=(str(WEEKLY),)))
    assert names(inventory) == ["vm1"]
    assert inventory.notes == (f"Weekly itself could not be read, only its assignments: GET {WEEKLY} is refused",)
    with pytest.raises(UsageError, match="could not be read: GET"):
        await taken(azure, Scope(schedules=(str(OTHER),)))


async def test_a_schedule_that_hits_nothing_is_an_empty_scope() -> None:
    """As with every other selector."""
    azure = AzureDouble([machine("vm1")], schedules=schedules())
    with pytest.raises(EmptyScopeError, match="The scope holds no machine"):
        await taken(azure, Scope(schedules=("Weekly",)))


async def test_schedules_that_may_not_be_read_are_no_empty_scope() -> None:
    """A refusal is not "nothing is there"."""
    azure = AzureDouble([machine("vm1")], schedules=schedules(assigned("vm1")))
    azure.schedules.refused = frozenset({"assignments"})
    with pytest.raises(ForbiddenError):
        await taken(azure, Scope(schedules=(str(WEEKLY),)))


# ------------------------------------------------------------------------------------------------ --failed-since


def run(name: str, failure: FailureKind | None, *, days_ago: float = 1, arc: bool = False) -> MachineRun:
    started = NOW - timedelta(days=days_ago)
    status = "Succeeded" if failure is None else "Failed"
    return MachineRun(machine_id(name, arc=arc), WEEKLY, f"run-{days_ago}", status, started, started, failure)


def failed(machines: list[Machine], runs: list[MachineRun]) -> AzureDouble:
    return AzureDouble(machines, schedules=MaintenanceDouble(runs=runs))


async def test_exactly_the_machines_whose_last_run_failed_on_the_prerequisite_are_taken() -> None:
    """What nobody offers: fix exactly those that failed for this reason."""
    azure = failed(
        [machine(name) for name in ("failed", "recovered", "off", "too-old", "never-ran")],
        [
            run("failed", FailureKind.PREREQUISITE),
            run("recovered", FailureKind.PREREQUISITE, days_ago=3),
            run("recovered", None),
            run("off", FailureKind.OFF),
            run("too-old", FailureKind.PREREQUISITE, days_ago=8),
        ],
    )
    inventory = await taken(azure, Scope(failed_since=WEEK))
    assert names(inventory) == ["failed"]
    assert inventory.notes == (
        "1 more failed for other reasons and were not selected (off 1); `patchmode schedule failures` shows them.",
    )


async def test_a_failure_without_a_reason_takes_machines_that_are_not_prepared_and_says_so() -> None:
    """The shape of the error in Resource Graph is not documented; then the machine itself tells."""
    ready = machine("prepared", mode="AutomaticByPlatform", bypass=True)
    azure = failed(
        [machine("unprepared"), ready, machine("arc", arc=True)],
        [run(name, FailureKind.NOT_TOLD, arc=name == "arc") for name in ("unprepared", "prepared", "arc")],
    )
    inventory = await taken(azure, Scope(failed_since=WEEK))
    assert names(inventory) == ["unprepared"]
    inferred, left = inventory.notes
    assert f"is inferred: {MACHINES}/unprepared." in inferred
    assert left.startswith(
        "2 more failed for other reasons and were not selected (no reason recorded, and prepared now 2)"
    )


async def test_nothing_that_failed_is_an_empty_scope_that_says_why() -> None:
    """Good news must not look like a mistake."""
    azure = failed([machine("vm1")], [run("vm1", FailureKind.OFF)])
    with pytest.raises(EmptyScopeError) as caught:
        await taken(azure, Scope(failed_since=WEEK))
    assert "No machine's last scheduled run in the last 7 days failed on the prerequisite." in caught.value.message
    assert "(off 1)" in caught.value.message


async def test_machines_that_failed_and_are_gone_are_told() -> None:
    """The record outlives them by up to 30 days."""
    azure = failed([machine("vm1")], [run("vm1", FailureKind.PREREQUISITE), run("gone", FailureKind.PREREQUISITE)])
    inventory = await taken(azure, Scope(failed_since=WEEK))
    assert (names(inventory), inventory.unreadable) == (["vm1"], ())
    assert inventory.notes == (f"1 that failed on the prerequisite no longer exist: {MACHINES}/gone.",)


async def test_asking_for_more_than_azure_keeps_is_told() -> None:
    """Thirty days."""
    azure = failed([machine("vm1")], [run("vm1", FailureKind.PREREQUISITE)])
    inventory = await taken(azure, Scope(failed_since=Since.parse("2029-12-01")))
    assert inventory.notes[0].startswith("Azure keeps the record of runs for 30 days. Nothing before 2030-01-01")


async def test_failures_unite_with_other_selectors() -> None:
    """As every selector does."""
    azure = failed([machine("failed"), machine("named")], [run("failed", FailureKind.PREREQUISITE)])
    inventory = await taken(azure, Scope(failed_since=WEEK, ids=(str(machine_id("named")),)))
    assert names(inventory) == ["failed", "named"]


async def test_run_records_that_may_not_be_read_are_no_empty_scope() -> None:
    """A refusal is not "nothing failed"."""
    azure = failed([machine("vm1")], [])
    azure.schedules.refused = frozenset({"runs"})
    with pytest.raises(ForbiddenError):
        await taken(azure, Scope(failed_since=WEEK))


# ------------------------------------------------------------------------------------------------ --from-log


async def test_a_log_of_ids_alone_costs_no_survey() -> None:
    """One machine by id is one read, as with --ids."""
    azure = AzureDouble([machine(f"vm{number}") for number in range(10)], page=2)
    inventory = await taken(azure, Scope(logs=(read_log(str(machine_id("vm1"))),)))
    assert names(inventory) == ["vm1"]
    assert azure.requests["get"] == 1


@pytest.mark.parametrize(
    ("fleet", "expected", "notes"),
    [(["web"], "web", 0), (["web01"], "web01", 0), (["web", "web01"], "web", 1)],
)
async def test_a_name_that_a_line_break_left_open_is_settled_by_what_exists(
    fleet: list[str], expected: str, notes: int
) -> None:
    """Text alone cannot tell; where both exist the reader is told."""
    azure = AzureDouble([machine(name) for name in fleet])
    inventory = await taken(azure, Scope(logs=(read_log(f"{machine_id('web')}\n01 failed", source="-"),)))
    assert names(inventory) == [expected]
    assert len(inventory.notes) == notes


# ------------------------------------------------------------------------------------------------ doctor


@pytest.mark.parametrize(
    ("scope", "looked_at"),
    [
        (Scope(schedules=("Weekly",)), [BETA]),
        (Scope(logs=(read_log("virtual machine 'web'"),)), [BETA]),
        (Scope(logs=(read_log(str(machine_id("db"))),)), [ALPHA]),
        (Scope(everything=True), [ALPHA, BETA]),
    ],
)
async def test_doctor_looks_where_these_selectors_lead_and_nowhere_else(scope: Scope, looked_at: list[str]) -> None:
    """Neither a selector that it does not follow nor another subscription's troubles may decide what it says."""
    web = machine("web", subscription=BETA)
    book = schedules(ConfigurationAssignment("a", web.id, WEEKLY))
    diagnosis = await examine(AzureDouble([machine("db"), web], known=TWO, schedules=book), scope)
    assert [entry.subscription.id for entry in diagnosis.subscriptions] == looked_at


# ------------------------------------------------------------------------------------------------ all together


def test_the_new_selectors_are_selectors_and_are_told_as_they_were_given() -> None:
    """They stand in the plan file, for whoever reads it a month later."""
    scope = Scope(
        schedules=("Weekly", "nightly"), failed_since=WEEK, logs=(read_log(str(machine_id("web")), source="error.txt"),)
    )
    assert scope.has_selector
    assert scope.describe() == (
        "--schedule Weekly",
        "--schedule nightly",
        "--failed-since 7d",
        "--from-log error.txt",
    )


_TAGS = st.sampled_from([{}, {"ring": "one"}, {"ring": "ONE"}, {"Ring": "one"}, {"ring": "two"}])


@given(
    fleet=st.lists(
        st.tuples(st.sampled_from("abcdef"), _TAGS, st.booleans()),
        unique_by=lambda entry: entry[0],
        min_size=1,
    ),
    assignments=st.sets(st.sampled_from("abcdefg")),
    failures=st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from([None, *FailureKind])),
    logged=st.sets(st.sampled_from("abcdefg")),
    pattern=st.sampled_from(["*", "[a-c]", "nobody"]),
    documents=st.booleans(),
)
async def test_every_machine_that_is_pointed_at_ends_exactly_once(
    fleet: list[tuple[str, dict[str, str], bool]],
    assignments: set[str],
    failures: dict[str, FailureKind | None],
    logged: set[str],
    pattern: str,
    documents: bool,
) -> None:
    """However selectors overlap: what is certain is taken, what is in doubt is not, and nothing counts twice."""
    machines = [machine(name, tags=tags) for name, tags, _ in fleet]
    shown = [entry for entry, (_, _, is_shown) in zip(machines, fleet, strict=True) if is_shown]
    double = schedules(*map(assigned, sorted(assignments)), dynamic(ScopeFilter(tags={"ring": ("one",)})))
    double.runs = [run(name, failure) for name, failure in failures.items()]
    scope = Scope(
        schedules=("Weekly",),
        failed_since=WEEK,
        logs=(read_log("\n".join(str(machine_id(name)) for name in sorted(logged))),) if logged else (),
        include=Filters(names=(pattern,)),
    )
    try:
        inventory = await taken(
            AzureDouble(machines, graph_machines=shown, schedules=double), scope, documents=documents
        )
    except EmptyScopeError:
        inventory = Inventory(())
    exists = {entry.name: entry for entry in machines}
    is_shown = {entry.name for entry in shown}
    ends = [*inventory.machines, *inventory.skipped]
    assert len({entry.id for entry in ends}) == len(ends)
    prerequisite = {name for name, failure in failures.items() if failure is FailureKind.PREREQUISITE}
    tagged = {name for name in is_shown if exists[name].tags == {"ring": "one"}}
    silent = {name for name, failure in failures.items() if failure is FailureKind.NOT_TOLD} & is_shown
    certain = (assignments | prerequisite | logged | tagged | silent) & set(exists)
    matching = {name for name in certain if pattern == "*" or (pattern == "[a-c]" and name in "abc")}
    assert set(names(inventory)) == matching
    assert {entry.id for entry in inventory.unreadable} <= {str(machine_id(name)) for name in logged - set(exists)}
