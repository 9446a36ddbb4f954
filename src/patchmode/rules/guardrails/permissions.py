"""Whether what somebody was granted covers an action, and which actions a plan needs on which machines.

Must not: ask Azure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from patchmode.model.access import ATTACH, DELETE_SCHEDULE, DETACH, WRITE_ARC, WRITE_SCHEDULE, WRITE_VM
from patchmode.model.machine import MachineKind
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId

ROLES: Mapping[str, str] = {
    WRITE_VM: "Virtual Machine Contributor",
    WRITE_ARC: "Azure Connected Machine Resource Administrator",
    ATTACH: "Scheduled Patching Contributor",
    DETACH: "Scheduled Patching Contributor",
    WRITE_SCHEDULE: "Scheduled Patching Contributor",
    DELETE_SCHEDULE: "Scheduled Patching Contributor",
}
"""Action that writes → the built-in role with the fewest other rights that has it.

Source: Microsoft, "Azure built-in roles", and "Roles and permissions in Azure Update Manager".
"""

Needs = Mapping[str, Sequence[ResourceId]]
"""Action → the machines on which it is needed."""


def is_allowed(action: str, permissions: Sequence[Mapping[str, Any]]) -> bool:
    """Whether permissions allow an action.

    Args:
        action: for example `Microsoft.Compute/virtualMachines/write`.
        permissions: objects with `actions` and `notActions`, each a list of texts in which `*` stands for anything.

    Source: Microsoft, "Understand Azure role definitions": an action is allowed where any one role has it in `actions`
    and not in the same role's `notActions`; `notActions` of one role take nothing from another. Case does not count.
    """
    return any(
        any(_covers(pattern, action) for pattern in entry.get("actions") or ())
        and not any(_covers(pattern, action) for pattern in entry.get("notActions") or ())
        for entry in permissions
    )


def lacking(action: str, granted: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[str, ...]:
    """The identities that are not allowed an action, in order; empty: all are.

    Args:
        action: as for `is_allowed`.
        granted: identity's name → its permissions, as `ports.Authorization.permissions` gives them.
    """
    return tuple(name for name, permissions in granted.items() if not is_allowed(action, permissions))


def needs_of(plan: Plan) -> Needs:
    """What carrying a plan out needs: writing each machine that it changes, and each assignment that it makes or takes.

    Returns:
        Only actions that it needs anywhere, so empty where the plan does nothing.
    """
    attached = [one.id for group in (plan.changes, plan.unchanged) for one in group] if plan.then_attach else []
    needs = {
        WRITE_VM: [one.id for one in plan.changes if one.kind is not MachineKind.ARC],
        WRITE_ARC: [one.id for one in plan.changes if one.kind is MachineKind.ARC],
        ATTACH: attached,
        DETACH: [one.id for one in plan.first_detach],
    }
    return {action: ids for action, ids in needs.items() if ids}


def _covers(pattern: str, action: str) -> bool:
    """Whether an action is one of those that a pattern with stars names, in any casing.

    By hand: an expression with a `.*` for each star tries them all against each other, and whoever writes a role may
    write many.
    """
    first, *others = pattern.casefold().split("*")
    text = action.casefold()
    if not others:
        return text == first
    *between, last = others
    at = len(first)
    if not text.startswith(first) or len(text) < at + len(last) or not text.endswith(last):
        return False
    end = len(text) - len(last)
    for part in between:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
