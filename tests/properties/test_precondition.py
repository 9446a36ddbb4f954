"""What is not depended on cannot make a difference: the rules see the same machine, and would make the same change."""

import copy
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.properties.strategies import Planned, leaf_paths, planned_changes
from tests.unit.rules.builders import machine_from

from patchmode.arm.machine_reading import machine_from_document
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.plan import Change
from patchmode.rules.planning import plan_machine
from patchmode.rules.precondition import since_plan

_NOT_DEPENDED_ON = {
    "document": "the whole",
    "etag": "counts writes",
    "tags": "those that tell an owner are depended on; the rest the rules never look at",
    "provisioning_state": "what runs on the machine now; Azure answers 409 where it must wait",
    "surroundings": "Arc's status and the power state: notes, and nothing of the change's body",
    "oddities": "only told, but for those of members that are depended on leaf by leaf",
    "has_os_profile": "a note; whatever of it matters is depended on leaf by leaf",
}
"""Facts of a machine that may differ although the precondition holds, each with its reason. A fact that is added to
`Machine` stands here or its leaves stand in `rules.precondition`: this test fails until somebody has decided."""


def facts(machine: Machine) -> dict[str, Any]:
    names = (name for name in Machine.__dataclass_fields__ if name not in _NOT_DEPENDED_ON)
    return {name: getattr(machine, name) for name in names}


def with_one_leaf_else(document: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    now: Any = copy.deepcopy(document)
    path = data.draw(st.sampled_from([one for one in leaf_paths(now) if one != ("id",)]))
    holder = now
    for step in path[:-1]:
        holder = holder[step]
    if data.draw(st.booleans()) or isinstance(holder, list):
        holder[path[-1]] = data.draw(st.sampled_from(("else", True, None, "Vendor", "Linux", 7)))
    else:
        del holder[path[-1]]
    return now  # type: ignore[no-any-return]


@given(planned_changes(), st.data())
def test_where_the_precondition_holds_every_fact_that_the_rules_use_is_the_same(
    planned: Planned, data: st.DataObject
) -> None:
    """The wire's reading, member by member: nobody can add a fact and forget it here."""
    change, kind = planned.change, MachineKind.ARC if planned.change.kind is MachineKind.ARC else MachineKind.VM
    now = with_one_leaf_else(dict(change.document), data)
    if since_plan(change, now).depended_on or not isinstance(now.get("tags") or {}, dict):
        return
    assert facts(machine_from_document(now, kind)) == facts(machine_from_document(change.document, kind))


@given(planned_changes(), st.data())
def test_where_the_precondition_holds_the_rules_would_plan_the_same_request(
    planned: Planned, data: st.DataObject
) -> None:
    """So a change may leave under a newer etag without anybody planning anew."""
    machine, wanted, change = planned
    now = with_one_leaf_else(dict(change.document), data)
    if since_plan(change, now).depended_on or not isinstance(now.get("tags") or {}, dict):
        return
    state = {"provisioning_state": "Succeeded", "surroundings": machine.surroundings}
    again = plan_machine(replace(machine, document=now, tags=machine_from(now).tags, **state), wanted)
    assert isinstance(again, Change)
    assert (again.body, again.before, again.after) == (change.body, change.before, change.after)
