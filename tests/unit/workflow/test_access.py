"""May whoever is signed in do what a plan does: asked at the scope of the machines, in as few requests as tell."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.azure_double import ALPHA, BETA, AzureDouble, machine_id
from tests.unit.workflow.fleet_double import FleetDouble, run_virtually
from tests.unit.workflow.run.test_then_attach import fleet, plan_of

from patchmode.model.access import ATTACH, WRITE_VM
from patchmode.model.resource_id import ResourceId
from patchmode.workflow.inventory.access import MOST_MACHINES_ASKED, check_access
from patchmode.workflow.run.not_begun import check_run_access

READER: Sequence[Mapping[str, Any]] = ({"actions": ["*/read"], "notActions": []},)
WRITER: Sequence[Mapping[str, Any]] = ({"actions": ["Microsoft.Compute/virtualMachines/*"], "notActions": []},)
USES = {WRITE_VM: "to change its settings", ATTACH: "to attach the schedule"}
SUBSCRIPTION = f"/subscriptions/{ALPHA}"
A, B = machine_id("a", group="rg-a"), machine_id("b", group="rg-b")
RG_A, RG_B = f"{SUBSCRIPTION}/resourceGroups/rg-a", f"{SUBSCRIPTION}/resourceGroups/rg-b"


async def test_a_role_on_the_subscription_answers_for_all_its_machines() -> None:
    """One request a subscription, however many machines."""
    azure = AzureDouble()
    ids = [*(machine_id(f"m{number}", group=f"g{number}") for number in range(50)), machine_id("x", subscription=BETA)]
    check = await check_access(azure, {WRITE_VM: ids}, uses=USES)
    assert (check.missing, check.unknown) == ((), ())
    assert azure.requests == {"permissions": 2}


async def test_a_role_on_a_group_answers_for_its_machines_alone() -> None:
    """What Azure's inheritance means: the subscription denies, one group allows, the other does not."""
    azure = AzureDouble(permission_list=READER, granted_at={RG_A: (*READER, *WRITER)})
    check = await check_access(azure, {WRITE_VM: [A, B]}, uses=USES)
    (lack,) = check.missing
    assert (lack.scope, lack.action, lack.machines) == (RG_B, WRITE_VM, (B,))
    assert (lack.needed_for, lack.role) == ("to change its settings", "Virtual Machine Contributor")
    assert set(check.refused) == {B}


async def test_a_role_on_a_single_machine_counts() -> None:
    """Only machines on which a role is assigned are asked one by one."""
    other = machine_id("other", group="rg-b")
    azure = AzureDouble(permission_list=READER, granted_at={str(B): (*READER, *WRITER)}, assigned=(B.key,))
    check = await check_access(azure, {WRITE_VM: [B, other]}, uses=USES)
    assert set(check.refused) == {other}
    assert azure.requests["permissions"] == 3  # the subscription, the group, the machine with a role


async def test_without_the_list_of_assignments_each_machine_is_asked_up_to_a_bound() -> None:
    """A Reader of a large group is not worth thousands of requests, and nothing is claimed that nobody looked at."""
    few = [machine_id(f"m{number}", group="rg-b") for number in range(3)]
    azure = AzureDouble(permission_list=READER, assigned=None, granted_at={str(few[0]): WRITER})
    assert set((await check_access(azure, {WRITE_VM: few}, uses=USES)).refused) == set(few[1:])
    many = [machine_id(f"m{number}", group="rg-b") for number in range(MOST_MACHINES_ASKED + 1)]
    check = await check_access(azure, {WRITE_VM: many}, uses=USES)
    assert (check.missing, check.refused) == ((), {})
    assert [(one.scope, len(one.machines)) for one in check.unknown] == [(RG_B, MOST_MACHINES_ASKED + 1)]


@pytest.mark.parametrize(
    ("refused", "unknown"),
    [
        ({f"permissions:{SUBSCRIPTION}"}, []),
        ({f"permissions:{RG_B}"}, [RG_B]),
        ({f"permissions:{SUBSCRIPTION}", f"permissions:{RG_B}"}, [RG_B]),
        ({f"assigned:{RG_B}", f"permissions:{B}"}, [str(B)]),
    ],
)
async def test_what_could_not_be_asked_is_not_called_lacking(refused: set[str], unknown: list[str]) -> None:
    """Azure itself then answers the write; a scope above or below is asked where that can tell."""
    azure = AzureDouble(permission_list=READER, granted_at={RG_A: WRITER}, refused=frozenset(refused))
    check = await check_access(azure, {WRITE_VM: [A, B]}, uses=USES)
    assert [one.scope for one in check.unknown] == unknown
    assert (B in check.refused) is not bool(unknown)


async def test_each_action_is_judged_by_itself_and_each_identity_is_named() -> None:
    azure = AzureDouble(granted={"blue": [*READER, *WRITER], "green": READER})
    check = await check_access(azure, {WRITE_VM: [A], ATTACH: [A, B]}, uses=USES)
    assert [(one.identity, one.action, one.machines) for one in check.missing] == [
        ("green", WRITE_VM, (A,)),
        ("blue", ATTACH, (A,)),
        ("green", ATTACH, (A,)),
        ("blue", ATTACH, (B,)),
        ("green", ATTACH, (B,)),
    ]


async def test_groups_are_one_however_they_are_cased() -> None:
    """Ids of one group come in several casings; it is asked once."""
    azure = AzureDouble(permission_list=READER)
    upper = ResourceId.parse(str(B).replace("rg-b", "RG-B").replace("/b", "/c"))
    check = await check_access(azure, {WRITE_VM: [B, upper]}, uses=USES)
    assert [one.machines for one in check.missing] == [(B, upper)]
    assert azure.requests["permissions"] == 2


async def test_nothing_needed_is_nothing_asked() -> None:
    azure = AzureDouble()
    assert (await check_access(azure, {}, uses=USES)).refused == {}
    assert azure.requests == {}


async def test_the_whole_check_asks_so_many_machines_and_no_more() -> None:
    """Groups are many: a bound for each of them is none."""
    groups = {f"g{number}": [machine_id(f"m{one}", group=f"g{number}") for one in range(20)] for number in range(30)}
    azure = AzureDouble(permission_list=READER, assigned=None)
    check = await check_access(azure, {WRITE_VM: [one for ids in groups.values() for one in ids]}, uses=USES)
    assert azure.requests["permissions"] <= 1 + len(groups) + MOST_MACHINES_ASKED
    assert len(check.refused) + sum(len(one.machines) for one in check.unknown) == check.machines == 600
    assert len(check.refused) == MOST_MACHINES_ASKED


def test_a_run_that_is_taken_up_asks_for_what_it_still_writes() -> None:
    """A role that was taken away since stands in the way of nothing that is done, or only has to be looked at."""
    azure = fleet("web", right=("db",))
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure, right=("db",)))
        journal = store.open()
        asked: list[str] = []

        class Asked(FleetDouble):
            async def permissions(self, scope: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
                asked.append(scope)
                return {"": READER}

        check = run_virtually(check_run_access(Asked([]), journal))
        journal.release()
    assert (asked, check.machines, check.refused) == ([], 0, {})
