"""What is not depended on cannot make a difference: the rules see the same machine, and would make the same change."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties.strategies import Planned, leaf_paths, planned_changes
from tests.unit.rules.builders import arc_document, machine_from, vm_document

from patchmode.arm.machine_reading import machine_from_document
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.plan import Change
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.precondition import is_depended_on, since_plan

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


_LOOKED_AT_AND_LEFT = {
    ("properties", "provisioningState"): "provisioning-in-progress: Azure answers 409 where it must wait",
    ("properties", "instanceView"): "what the guest reports of itself: there only while the agent does, and not asked",
    ("properties", "status"): "an Arc server's connection comes and goes",
    ("resources",): "extension children: a patch extension that failed is a warning",
    ("tags",): "depended on by name: those that tell an owner",
    ("etag",): "counts writes",
}
"""Members that the reading of a machine takes and the precondition leaves, each with its reason."""


class _Watched(dict[str, Any]):
    """A JSON object that notes each member that is asked for, at any depth."""

    def __init__(self, document: Mapping[str, Any], seen: set[tuple[str, ...]], at: tuple[str, ...] = ()) -> None:
        super().__init__(document)
        self._seen, self._at = seen, at

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def get(self, name: str, default: Any = None) -> Any:
        path = (*self._at, name)
        self._seen.add(path)
        value = super().get(name, default)
        return _Watched(value, self._seen, path) if isinstance(value, dict) else value


def members_read(document: dict[str, Any], kind: MachineKind) -> set[tuple[str, ...]]:
    """The paths of the members that the reading of a machine takes, the innermost only."""
    seen: set[tuple[str, ...]] = set()
    machine_from_document(_Watched(document, seen), kind)
    return {path for path in seen if not any(other[: len(path)] == path and other != path for other in seen)}


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (vm_document("Windows", {"patchMode": "Manual"}), MachineKind.VM),
        (vm_document("Linux", {"patchMode": "ImageDefault"}), MachineKind.VM),
        (arc_document("Windows", {}), MachineKind.ARC),
    ],
)
def test_every_member_that_the_rules_can_see_is_depended_on_or_left_by_name(
    document: dict[str, Any], kind: MachineKind
) -> None:
    """A fact that a rule begins to read is watched by the reading itself, whatever documents are drawn below."""
    plan = {"publisher": "checkpoint", "product": "check-point-cg-r8120", "name": "sg-byol"}
    full = {**document, "plan": plan, "managedBy": "/subscriptions/x", "tags": {}}
    read = members_read(full, kind)
    assert ("plan", "product") in read
    left = {path for path in read if not is_depended_on(path)}
    assert {path for path in left if not any(path[: len(one)] == one for one in _LOOKED_AT_AND_LEFT)} == set()


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
