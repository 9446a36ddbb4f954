"""One machine, from look to look: what is told is what stands."""

from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workflow.azure_double import machine
from tests.unit.workflow.schedule_doubles import WritableAzure, assigned, azure, ready, schedule_id

from patchmode.errors import RejectedError, SignInError
from patchmode.model.machine import Machine, ReadFrom
from patchmode.model.schedule import AttachEnd, MaintenanceConfiguration
from patchmode.workflow.schedules.attachment import attach_one, detach_one


def of_provider(one: Machine) -> Machine:
    return replace(one, read_from=ReadFrom.PROVIDER)


def nightly(one: WritableAzure) -> MaintenanceConfiguration:
    return one.schedules.configurations[0]


async def test_a_prepared_machine_is_attached_and_seen_to_be() -> None:
    vm = of_provider(ready("vm"))
    double = azure(vm)
    result = await attach_one(double, vm, nightly(double))
    assert (result.result, result.assignment, result.error) == (AttachEnd.ATTACHED, "nightly", None)
    assert double.schedules.assignments == [assigned(vm)]


async def test_an_arc_server_needs_no_preparation() -> None:
    arc = of_provider(machine("hq", arc=True))
    double = azure(arc)
    assert (await attach_one(double, arc, nightly(double), name="mine")).result is AttachEnd.ATTACHED
    assert double.schedules.assignments == [assigned(arc, name="mine")]


@pytest.mark.parametrize("mode", [("Manual", None), ("AutomaticByPlatform", None), ("AutomaticByPlatform", False)])
async def test_what_would_fail_is_not_sent(mode: tuple[str, bool | None]) -> None:
    vm = of_provider(machine("vm", mode=mode[0], bypass=mode[1]))
    double = azure(vm)
    result = await attach_one(double, vm, nightly(double))
    assert (result.result, result.rule) == (AttachEnd.REFUSED, "prerequisite-missing")
    assert result.fix == f"patchmode apply --ids {vm.id} --then-attach {schedule_id()}"
    assert double.schedules.assignments == []


async def test_a_machine_of_resource_graph_is_read_again() -> None:
    """Resource Graph still shows it prepared; its provider does not."""
    double = azure(machine("vm", mode="Manual"))
    result = await attach_one(double, replace(ready("vm"), read_from=ReadFrom.GRAPH), nightly(double))
    assert result.result is AttachEnd.REFUSED


async def test_a_schedule_of_another_scope_is_refused() -> None:
    vm = of_provider(ready("vm"))
    double = azure(vm)
    result = await attach_one(double, vm, replace(nightly(double), scope="Host"))
    assert (result.result, result.rule) == (AttachEnd.REFUSED, "wrong-maintenance-scope")


async def test_attached_under_another_name_is_unchanged() -> None:
    """A second assignment of the same schedule would change nothing; the policy's names are hashes."""
    vm = of_provider(ready("vm"))
    double = azure(vm, assignments=[assigned(vm, name="x-AzPolicy")])
    result = await attach_one(double, vm, nightly(double))
    assert (result.result, result.assignment) == (AttachEnd.UNCHANGED, "x-AzPolicy")


async def test_another_schedule_under_that_name_is_not_taken_off() -> None:
    vm = of_provider(ready("vm"))
    other = assigned(vm, "weekly", name="Nightly")
    double = azure(vm, assignments=[other])
    result = await attach_one(double, vm, nightly(double))
    assert (result.result, result.rule) == (AttachEnd.REFUSED, "assignment-name-taken")
    assert double.schedules.assignments == [other]
    assert (await attach_one(double, vm, nightly(double), name="second")).result is AttachEnd.ATTACHED
    assert double.schedules.assignments == [other, assigned(vm, name="second")]


FAULTS = st.lists(
    st.sampled_from(["not-sent", "lost-before", "lost-after", "UnsupportedResourceOperation:400", ""]), max_size=4
)


@given(FAULTS)
async def test_what_is_told_is_what_stands(faults: list[str]) -> None:
    """Attached means that it stands; failed and not sent mean that it does not; only unknown says neither."""
    vm = of_provider(ready("vm"))
    double = azure(vm)
    double.schedules.faults["nightly"] = deque(faults)
    result = await attach_one(double, vm, nightly(double))
    stands = bool(double.schedules.assignments)
    expected = {AttachEnd.ATTACHED: {True}, AttachEnd.FAILED: {False}, AttachEnd.NOT_SENT: {False}}
    assert stands in expected.get(result.result, {True, False}), (faults, result)
    assert result.result in {*expected, AttachEnd.UNKNOWN}
    assert (result.error is None) is (result.result is AttachEnd.ATTACHED)
    # Whatever happened, the same call ends it, once nothing goes wrong any more.
    double.schedules.faults.clear()
    again = await attach_one(double, vm, nightly(double))
    assert again.is_fine
    assert len(double.schedules.assignments) == 1


@given(FAULTS)
async def test_detaching_tells_what_stands_too(faults: list[str]) -> None:
    vm = of_provider(ready("vm"))
    double = azure(vm, assignments=[assigned(vm), assigned(vm, "weekly")])
    double.schedules.faults["nightly"] = deque(faults)
    result = await detach_one(double, vm.id, schedule_id())
    stands = assigned(vm) in double.schedules.assignments
    assert (result.result is AttachEnd.DETACHED) <= (not stands), (faults, result)
    assert (result.result in {AttachEnd.FAILED, AttachEnd.NOT_SENT}) <= stands, (faults, result)
    assert assigned(vm, "weekly") in double.schedules.assignments
    double.schedules.faults.clear()
    assert (await detach_one(double, vm.id, schedule_id())).is_fine
    assert double.schedules.assignments == [assigned(vm, "weekly")]


async def test_a_machine_that_is_gone_is_not_sent() -> None:
    double = azure()
    result = await attach_one(double, replace(ready("gone"), read_from=ReadFrom.GRAPH), nightly(double))
    assert result.result is AttachEnd.NOT_SENT
    assert result.error is not None
    assert result.error.advice == "It was moved or deleted: check the id."


async def test_a_write_that_is_not_seen_afterwards_is_a_mismatch() -> None:
    """Somebody deletes it at once: Azure had accepted it, and it does not stand."""
    vm = of_provider(ready("vm"))
    double = azure(vm)
    seen = iter(["look", "write"])

    async def arrive(method: str, what: str) -> None:
        if next(seen, None) is None:
            double.schedules.assignments.clear()

    double.schedules.arrive = arrive
    result = await attach_one(double, vm, nightly(double))
    assert result.result is AttachEnd.MISMATCH
    assert result.error is not None
    assert result.error.code == "NotAsWritten"


async def test_signed_out_ends_everything() -> None:
    """No other machine would fare better."""
    vm = of_provider(ready("vm"))
    double = azure(vm)

    def refuse(_: object) -> None:
        raise RejectedError("PUT: 401", code="InvalidAuthenticationToken", status=401)

    double.schedules.before_attach = refuse
    with pytest.raises(SignInError):
        await attach_one(double, vm, nightly(double))
