"""Machines of a run that are not begun: who may not be written, asked before the first request, and the rest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from patchmode.model.access import ATTACH, DETACH, AccessCheck, MissingAction
from patchmode.model.guardrails import Halt
from patchmode.model.left_alone import MachineError
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result
from patchmode.model.schedule import AttachAction, AttachEnd, AttachResult
from patchmode.ports.azure import Azure, Clock
from patchmode.ports.run import AttachmentEntry, JournalEntry, RunJournal, Step
from patchmode.rules.guardrails.permissions import needs_of
from patchmode.rules.settings.plan_derivation import not_derived
from patchmode.workflow.inventory.access import NOT_AUTHORIZED, USES, check_access
from patchmode.workflow.run.guardrails import PLAN_BROKEN
from patchmode.workflow.run.state import is_over, may_have_changed, was_sent

ROLLED_BACK = "RolledBack"
"""The code of what a run leaves alone because another run took it back."""


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
    return Halt(NOT_AUTHORIZED, "", f"was skipped, because {who} allows {lack.action} on {lack.scope}{grant}")


def _not_derived(problem: str) -> Halt:
    return Halt(PLAN_BROKEN, "", f"was skipped, because {problem}; only a new plan sets it")


def rolled_back_changes(
    entries: Iterable[JournalEntry], rolled_back: Mapping[ResourceId, str]
) -> Iterator[ChangeResult]:
    """The ends of changes that were sent, whose end was not read, and that were rolled back since.

    Without an end they would be looked at, found otherwise than planned, and sent again.

    Args:
        entries: the changes of a run that is taken up.
        rolled_back: machine → the run that rolled it back.
    """
    for entry in entries:
        run = rolled_back.get(entry.change.id)
        if run is not None and entry.step in {Step.INTENDED, Step.STARTED}:
            told = f"PATCH {entry.change.id} was sent, or may have been, and its end was not read"
            yield ChangeResult(
                entry.change.id,
                Result.UNKNOWN,
                _rolled_back(told, run, is_sent=True),
                entry.request_id,
                entry.correlation_id,
                entry.started_at or entry.intended_at,
            )


def rolled_back_schedules(
    attachments: Iterable[AttachmentEntry], entries: Iterable[JournalEntry], rolled_back: Mapping[ResourceId, str]
) -> Iterator[AttachResult]:
    """The ends of schedules that a run would still attach to machines that were rolled back since.

    Args:
        attachments: of the run that is taken up.
        entries: its changes; what was not sent yet was not rolled back, and has its turn.
        rolled_back: machine → the run that rolled it back.
    """
    changed = {entry.change.id for entry in entries if may_have_changed(entry)}
    for one in attachments:
        run, is_sent = rolled_back.get(one.id), one.step is Step.INTENDED
        if run is None or one.action is AttachAction.DETACH or is_over(one) or not (is_sent or one.id in changed):
            continue
        how = "may have been attached" if is_sent else "was not attached"
        end = AttachEnd.UNKNOWN if is_sent else AttachEnd.REFUSED
        error = _rolled_back(f"The schedule {how} to {one.id}", run, is_sent=is_sent)
        yield AttachResult(str(one.id), end, assignment=one.name if is_sent else None, error=error)


async def without_rolled_back(
    journal: RunJournal, entries: Sequence[JournalEntry], rolled_back: Mapping[ResourceId, str], clock: Clock
) -> Sequence[JournalEntry]:
    """The changes once what was rolled back has its end; committed, so that no later session sends it either."""
    if not rolled_back:
        return entries
    schedules = [*rolled_back_schedules(journal.attachments(), entries, rolled_back)]
    changes = [replace(one, ended_at=clock.now()) for one in rolled_back_changes(entries, rolled_back)]
    if changes:
        await journal.end_all(changes)
    for one in schedules:
        await journal.end_attachment(one.at(clock.now()))
    return journal.entries()


def _rolled_back(told: str, run: str, *, is_sent: bool) -> MachineError:
    message = f"{told}; run {run} rolled the machine back since, so this run sends nothing more to it."
    return MachineError(ROLLED_BACK, message, is_sent, "Make a new plan if it is to be changed after all.")


async def check_run_access(azure: Azure, journal: RunJournal) -> AccessCheck:
    """Whether what a run still has to write may be written: nothing is asked of what it has done, or only follows.

    Args:
        azure: a connection; reading is enough.
        journal: of a run that begins, or is taken up.
    """
    changes = [one.change for one in journal.entries() if one.step is not Step.STARTED and not is_over(one)]
    schedules = [one for one in journal.attachments() if not is_over(one)]
    writes = needs_of(replace(journal.plan, changes=tuple(changes), first_detach=(), then_attach=None))
    needs = {
        **writes,
        ATTACH: [one.id for one in schedules if one.action is AttachAction.ATTACH],
        DETACH: [one.id for one in schedules if one.action is AttachAction.DETACH],
    }
    return await check_access(azure, {action: ids for action, ids in needs.items() if ids}, uses=USES)
