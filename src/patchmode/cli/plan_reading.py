"""Plan files as commands take them: read, and held against what the rules make of them.

Must not: change or carry out a plan.
"""

from collections.abc import Mapping
from pathlib import Path

from patchmode.cli import composition
from patchmode.cli.output import say
from patchmode.cli.settings import Settings
from patchmode.errors import UsageError
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.rules.plan_derivation import check_derived
from patchmode.store.plan_file import read_plan


def reviewed_plan(path: Path, settings: Settings) -> Plan:
    """The plan in a file, which is what its text tells and what the rules make of its documents.

    Args:
        path: of the file.
        settings: for the state folder, where the journal of a run that is undone may be.

    Raises:
        UsageError, BrokenPlanError: as `read_plan` and `check_derived`. StorageError: that journal is damaged.
    """
    plan = read_plan(path)
    check_derived(plan, name=str(path), recorded=_recorded(plan, settings))
    return plan


def _recorded(plan: Plan, settings: Settings) -> Mapping[ResourceId, Change] | None:
    """What the journal of the run that a plan undoes recorded; None: it undoes none, or its journal is elsewhere."""
    if plan.rollback_of is None:
        return None
    try:
        journal = composition.run_store(settings).open(plan.rollback_of)
    except UsageError:
        say(
            f"Note: run {plan.rollback_of} is not in this state folder, so it cannot be checked that the plan restores "
            "what the run changed. The diff shows all that is sent.",
            settings,
        )
        return None
    try:
        return {entry.change.id: entry.change for entry in journal.entries()}
    finally:
        journal.release()
