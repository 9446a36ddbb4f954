"""Reading many machines costs as few requests as can be known, and never much more than reading each."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.workflow.fleet_double import (
    OTHER_SUBSCRIPTION,
    SUBSCRIPTION,
    FleetDouble,
    machine_id,
    run_virtually,
    vm,
)

from patchmode.model.machine import MachineKind
from patchmode.model.resource_id import ResourceId
from patchmode.workflow.inventory.bulk_reading import BulkReader, BulkReading, Wanted


def read(
    azure: FleetDouble,
    ids: Sequence[ResourceId],
    *,
    sweeper: BulkReader | None = None,
    besides: Sequence[ResourceId] = (),
) -> dict[ResourceId, BulkReading]:
    chosen = sweeper or BulkReader(azure.provider, azure.machines)
    return run_virtually(chosen.read([Wanted(one, MachineKind.VM) for one in ids], whole, besides=besides))


def whole(_: ResourceId, reading: BulkReading) -> BulkReading:
    """Keeps all of a reading."""
    return reading


def read_twice(azure: FleetDouble, ids: Sequence[ResourceId], *, known: Sequence[ResourceId]) -> tuple[list[str], ...]:
    """What each of two sweeps asked for."""
    sweeper = BulkReader(azure.provider, known)

    async def sweep() -> list[str]:
        azure.log.clear()
        await sweeper.read([Wanted(one, MachineKind.VM) for one in ids], whole)
        return [what for _, what in azure.log]

    async def main() -> tuple[list[str], ...]:
        return await sweep(), await sweep()

    return run_virtually(main())


def groups(**sizes: int) -> FleetDouble:
    return FleetDouble(
        [vm(f"{group}-{number}", group=group) for group, size in sizes.items() for number in range(size)]
    )


@settings(max_examples=examples(60), deadline=None)
@given(
    places=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([SUBSCRIPTION, OTHER_SUBSCRIPTION]), st.booleans()),
        max_size=60,
    ),
    page=st.integers(1, 20),
    known=st.booleans(),
)
def test_each_machine_wanted_is_read_at_no_more_than_about_twice_the_price(
    places: list[tuple[str, str, bool]], page: int, known: bool
) -> None:
    azure = FleetDouble(
        [vm(f"vm-{number}", group=group, subscription=where) for number, (group, where, _) in enumerate(places)],
        page=page,
    )
    wanted = [one for one, (_, _, is_wanted) in zip(azure.machines, places, strict=True) if is_wanted]
    found = read(azure, wanted, sweeper=BulkReader(azure.provider, azure.machines if known else ()))
    assert set(found) == set(wanted)
    assert {one: reading.machine.id for one, reading in found.items() if reading.machine} == {
        one: one for one in wanted
    }
    assert len(azure.log) <= 2 * len(wanted) + 4


def test_one_machine_is_read_by_itself() -> None:
    azure = groups(a=300)
    read(azure, [machine_id("a-7", group="a")])
    assert azure.log == [("GET", str(machine_id("a-7", group="a")))]


def test_a_whole_subscription_is_listed() -> None:
    azure = groups(a=60, b=60)
    found = read(azure, list(azure.machines))
    assert azure.log == [("GET", f"list {SUBSCRIPTION}")] * 3
    assert all(reading.by_list for reading in found.values())


def test_a_group_is_listed_where_the_subscription_is_large() -> None:
    azure = groups(a=40, b=500)
    read(azure, [one for one in azure.machines if one.resource_group == "a"])
    assert azure.log == [("GET", "list a")]


def test_machines_that_a_list_shows_besides_cost_nothing() -> None:
    azure = groups(a=40)
    ids = list(azure.machines)
    found = read(azure, ids[:20], besides=ids[20:30])
    assert (len(found), len(azure.log)) == (30, 1)


def test_list_is_left_when_all_are_found() -> None:
    azure = groups(a=500)
    read(azure, list(azure.machines)[:30], sweeper=BulkReader(azure.provider))
    assert len(azure.log) == 1


def test_what_a_list_costs_is_remembered() -> None:
    """Nothing is known of the group at first; afterwards its 50 pages are."""
    azure = FleetDouble([vm(f"vm-{number:03}", group="a") for number in range(100)], page=2)
    first, second = read_twice(azure, list(azure.machines)[-4:], known=())
    assert len(first) <= 9
    assert len(second) == 4


def test_list_that_is_refused_is_not_tried_again() -> None:
    azure = groups(a=60)
    azure.lists_forbidden = {SUBSCRIPTION, "a"}
    first, second = read_twice(azure, list(azure.machines), known=list(azure.machines))
    assert first[0].startswith("list ")
    assert not any(what.startswith("list ") for what in second)


def test_list_that_breaks_off_hides_no_machine_for_long() -> None:
    """Of those it owes a few are read singly at once; the others say so, and have their turn with the next look."""
    azure = groups(a=80)
    azure.lists_break = True
    found = read(azure, list(azure.machines))
    assert sum(reading.machine is not None for reading in found.values()) == 50 + 16
    assert {reading.error.code for reading in found.values() if reading.error} == {"ProviderError"}


def test_reading_that_fails_is_a_value() -> None:
    azure = groups(a=1)
    azure.machines[machine_id("a-0", group="a")].gone = True
    (reading,) = read(azure, list(azure.machines)).values()
    assert reading.machine is None
    assert reading.error is not None
    assert reading.error.code == "ResourceNotFound"


@pytest.mark.parametrize("kind", [MachineKind.VM, MachineKind.VMSS_FLEX])
def test_scale_set_members_stand_in_the_same_list(kind: MachineKind) -> None:
    azure = groups(a=10)
    sweeper = BulkReader(azure.provider, azure.machines)
    wanted = [Wanted(one, kind) for one in azure.machines]
    assert sweeper.cost(wanted) == 1
    run_virtually(sweeper.read(wanted, whole))
    assert len(azure.log) == 1


def test_a_page_is_taken_before_the_next_one_is_asked_for() -> None:
    """So that the documents of a fleet are never held together."""
    azure = groups(a=120)
    requests_at_take = []

    def take(machine_id: ResourceId, reading: BulkReading) -> str:
        requests_at_take.append(len(azure.log))
        return machine_id.name

    sweeper = BulkReader(azure.provider, azure.machines)
    found = run_virtually(sweeper.read([Wanted(one, MachineKind.VM) for one in azure.machines], take))
    assert requests_at_take == [1] * 50 + [2] * 50 + [3] * 20
    assert found == {one: one.name for one in azure.machines}
