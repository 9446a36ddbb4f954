"""Machines of a run that are not begun for a reason of their own, which no brake's end changes.

Must not: read or send anything.
"""

from collections.abc import Mapping, Sequence

from patchmode.model.access import AccessCheck, MissingAction
from patchmode.model.brakes import Halt
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.rules.plan_derivation import not_derived
from patchmode.workflow.access import NOT_AUTHORIZED
from patchmode.workflow.brakes import PLAN_BROKEN
from patchmode.workflow.ports import JournalEntry
from patchmode.workflow.standing import was_sent


def left_alone(plan: Plan, entries: Sequence[JournalEntry], access: AccessCheck) -> Mapping[ResourceId, Halt]:
    """The machines, and why.

    Args:
        plan: the run's.
        entries: its changes, as the journal has them.
        access: where a role of the signed-in principal lacks something: no machine is to be left with its settings and
            without its schedule.

    Returns:
        Beside those the changes that were not sent yet and that the rules would make otherwise. A run of which nothing
        was sent has none: it was held against the rules as a whole.
    """
    refused = {machine_id: _not_authorized(lack) for machine_id, lack in access.refused.items()}
    unsent = [entry.change for entry in entries if not was_sent(entry)]
    if len(unsent) == len(entries):
        return refused
    return refused | {machine_id: _not_derived(problem) for machine_id, problem in not_derived(plan, unsent).items()}


def _not_authorized(lack: MissingAction) -> Halt:
    who = f"no role of {lack.identity}" if lack.identity else "no role of yours"
    grant = f"; {lack.role} there does" if lack.role else ""
    return Halt(NOT_AUTHORIZED, "", f"was left alone, since {who} allows {lack.action} on {lack.scope}{grant}")


def _not_derived(problem: str) -> Halt:
    return Halt(PLAN_BROKEN, "", f"was left alone, since {problem}; only a new plan sets it")
