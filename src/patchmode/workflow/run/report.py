"""What a run's journal says, as progress while it goes and as a report."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import TypeVar

from patchmode.errors import PatchmodeError
from patchmode.model.guardrails import Halt
from patchmode.model.left_alone import MachineError
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result, RunCounts, RunReport, WaveCounts, with_run
from patchmode.model.schedule import AttachResult
from patchmode.model.scope import Shard
from patchmode.ports.run import JournalEntry, Progress, RunJournal, Step
from patchmode.workflow.run.attach import result_of_attachment
from patchmode.workflow.run.guardrails import next_step
from patchmode.workflow.run.queue import queue_key_of
from patchmode.workflow.run.waves import LATER_WAVE, asked_for, waves_of


class RunProgress:
    """The results of one call of `apply_plan`, those of earlier sessions among them.

    Args:
        entries: every change of the run, as the journal has it at the beginning.
    """

    def __init__(self, entries: Sequence[JournalEntry]) -> None:
        self._total = len(entries)
        self.results = {entry.change.id: entry.result for entry in entries if entry.result and is_over(entry)}
        """What has ended for good, or ended in this session."""
        self._ends = Counter(result.result for result in self.results.values())
        self._errors: dict[str, MachineError] = {}
        self.wave = 0
        """Counted from 1; 0: none has begun, or the plan has none."""

    def ended(self, result: ChangeResult) -> None:
        """A change has ended."""
        self.results[result.id] = result
        self._ends[result.result] += 1
        if result.error is not None:
            self._errors[str(result.id)] = result.error

    def attachment_ended(self, result: AttachResult) -> None:
        """A schedule was attached or taken off, or was not."""
        if result.error is not None:
            self._errors[result.id] = result.error

    def progress(
        self, latest: ChangeResult | None, *, waiting: int, attached: int, to_attach: int, waves: Sequence[str]
    ) -> Progress:
        """The tally at this moment.

        Args:
            latest: the change that just ended.
            waiting: changes that were accepted and have not ended.
            attached: machines whose schedule has come to an end.
            to_attach: machines with a schedule to attach or take off.
            waves: the names of the plan's waves; empty: it has none.
        """
        return Progress(
            total=self._total,
            done=self._ends[Result.APPLIED],
            failed=self._ends[Result.FAILED],
            unknown=self._ends[Result.UNKNOWN],
            stale=self._ends[Result.STALE],
            not_sent=self._ends[Result.NOT_SENT],
            waiting=waiting,
            not_started=self._total - len(self.results) - waiting,
            attached=attached,
            to_attach=to_attach,
            wave=self.wave,
            waves=tuple(waves),
            latest=latest,
            errors=self._errors,
        )


def was_sent(entry: JournalEntry) -> bool:
    """Whether a PATCH of it left, or may have left, in this session or an earlier one."""
    return entry.step in {Step.INTENDED, Step.STARTED} or is_over(entry)


def may_have_changed(entry: JournalEntry) -> bool:
    """Whether the run changed the machine, or may have: what there is to roll back."""
    result = entry.result
    if entry.step is not Step.ENDED or result is None:
        return entry.step in {Step.INTENDED, Step.STARTED}
    if result.result is Result.APPLIED:
        return True
    return result.error is not None and result.error.may_have_been_applied


def is_over(entry: JournalEntry) -> bool:
    """Whether a change has ended for good: what was never sent has its turn when the run is taken up."""
    return entry.step is Step.ENDED and entry.result is not None and entry.result.result is not Result.NOT_SENT


End = TypeVar("End", ChangeResult, AttachResult)


def report_of(journal: RunJournal) -> RunReport:
    """The report of a run as its journal stands: finished, stopped, or under way in another process.

    A change that was sent and has no end yet is reported as unknown, one that was not sent as notSent.

    Raises:
        StorageError: the journal is damaged.
    """
    halts = journal.halts
    entries, attachments = journal.entries(), {one.id: one for one in journal.attachments()}
    held = Held(journal.plan, entries, attachments, last=journal.brakes.last_wave if journal.brakes else None)
    results = [result_of(entry, halt=held.by(entry.change.id, halts)) for entry in entries]
    settled = {one.id: one for one in results}
    report = make_report(
        journal.run,
        journal.plan,
        state=journal.state,
        requests=journal.requests(),
        results=results,
        attachments=[
            result_of_attachment(entry, settled.get(entry.id), halt=held.by(entry.id, halts))
            for entry in attachments.values()
        ],
    )
    at_least = not journal.tells_all_requests
    return replace(report, halts=tuple(halts), brakes=journal.brakes, requests_at_least=at_least)


class Held:
    """Which of a run's halts held a machine back.

    Args:
        plan: the run's.
        entries: one for each change, in plan order.
        attached: machines that the plan attaches a schedule to or takes one off.
        last: the last wave asked for, counted from 1; None: all are.
    """

    def __init__(
        self, plan: Plan, entries: Sequence[JournalEntry], attached: Collection[ResourceId], *, last: int | None
    ) -> None:
        self._waves = plan, entries, attached
        self._last = last
        self.regions = {entry.change.id: queue_key_of(entry).region for entry in entries}
        """The region of each machine that is changed, in lower case."""

    def by(self, machine_id: ResourceId, halts: Sequence[Halt]) -> Halt | None:
        """The first halt that is about a machine; None: none is, or none is known.

        Args:
            machine_id: had no turn.
            halts: of the run.
        """
        region = self.regions.get(machine_id)
        about = (one for one in halts if one.region in {None, region})
        # Whatever held back a machine of a wave that was asked for, the end of that wave did not.
        return next((one for one in about if one.code != LATER_WAVE or machine_id not in self._asked_for), None)

    @cached_property
    def _asked_for(self) -> Set[ResourceId]:
        return asked_for(self._last, waves_of(*self._waves))


def result_of(entry: JournalEntry, *, halt: Halt | None = None) -> ChangeResult:
    """What is known of one change, whatever step it has come to.

    Args:
        entry: as the journal has it.
        halt: what held the run back, where the change has not had its turn; None: that is not known.
    """
    if entry.step is Step.ENDED and entry.result is not None:
        return entry.result
    if entry.step is Step.PENDING and halt is not None:
        return not_sent(entry, halt.code, f"was still to come when {halt.because}.")
    if entry.step is Step.PENDING:
        return not_sent(entry, "Pending", "has not had its turn in this run.")
    how = "was sent" if entry.step is Step.STARTED else "may have been sent"
    message = f"PATCH {entry.change.id} {how}, and its end was not read."
    error = MachineError("Interrupted", message, True, "`patchmode runs resume` reads it.")
    return ChangeResult(
        entry.change.id,
        Result.UNKNOWN,
        error,
        entry.request_id,
        entry.correlation_id,
        entry.started_at or entry.intended_at,
    )


def not_sent(entry: JournalEntry, code: str, because: str) -> ChangeResult:
    """The result of a change that had no turn; `because` goes on from the machine's name."""
    error = MachineError(
        code,
        f"Nothing was sent to {entry.change.id}: it {because}",
        may_have_been_applied=False,
        advice=next_step(code),
    )
    return ChangeResult(entry.change.id, Result.NOT_SENT, error)


def make_report(
    run: str,
    plan: Plan,
    *,
    state: str,
    requests: Mapping[str, int],
    results: Sequence[ChangeResult],
    attachments: Sequence[AttachResult] = (),
) -> RunReport:
    """A run's report, its counts checked.

    Args:
        run: the id.
        plan: the plan it carries out.
        state: `running`, `interrupted`, `stopped` or `finished`.
        requests: HTTP method → requests sent, all sessions together.
        results: one for each change, in plan order.
        attachments: one for each machine that the plan attaches a schedule to or takes one off, in plan order.

    Raises:
        PatchmodeError: the counts do not add up to the scope, which is a defect.
    """
    results, attachments = [_named(one, run) for one in results], [_named(one, run) for one in attachments]
    counts = count(plan, results)
    parts = counts.applied + counts.failed + counts.unknown + counts.stale + counts.not_sent
    if parts != len(plan.changes) or len({one.id for one in results}) != len(plan.changes):
        msg = f"run {run} has {len(results)} results for {len(plan.changes)} changes: this is a defect of patchmode."
        raise PatchmodeError(msg, advice=f"Please report it; `patchmode verify {run}` shows what is true.")
    told = dict(requests), tuple(results), plan.target, tuple(attachments), tuple(_waves(plan, results))
    shard = Shard.of_scope(plan.scope)
    return RunReport(run, state, counts, *told, shard=shard, blocked=plan.blocked, unread=plan.unreadable)


def _named(end: End, run: str) -> End:
    """A result whose advice names the run in each command that is about it."""
    error = end.error
    advice = "" if error is None else with_run(error.advice, run)
    return end if error is None or advice == error.advice else replace(end, error=replace(error, advice=advice))


def count(plan: Plan, results: Iterable[ChangeResult]) -> RunCounts:
    """The tally of a run."""
    found = list(results)
    tally = Counter(one.result for one in found)
    return RunCounts(
        scope=plan.counts["scope"],
        applied=tally[Result.APPLIED],
        failed=tally[Result.FAILED],
        unknown=tally[Result.UNKNOWN],
        stale=tally[Result.STALE],
        not_sent=tally[Result.NOT_SENT],
        unchanged=len(plan.unchanged),
        skipped=len(plan.skipped),
        unreadable=len(plan.unreadable),
        verified=sum(map(_is_verified, found)),
        blocked=len(plan.blocked),
    )


def _waves(plan: Plan, results: Sequence[ChangeResult]) -> Iterator[WaveCounts]:
    ends = iter(results)
    for wave in plan.waves:
        tally = Counter(one.result for one in islice(ends, wave.changes))
        yield WaveCounts(
            wave.name,
            wave.changes,
            applied=tally[Result.APPLIED],
            failed=tally[Result.FAILED],
            unknown=tally[Result.UNKNOWN],
            stale=tally[Result.STALE],
            not_sent=tally[Result.NOT_SENT],
        )


def _is_verified(result: ChangeResult) -> bool:
    # A machine whose operation failed may show the settings all the same; it is counted as failed and no more.
    shown = result.verification is not None and result.verification.verified
    return shown and result.result is Result.APPLIED


def add_requests(before: Mapping[str, int], since: Mapping[str, int]) -> dict[str, int]:
    """Two request counts together, methods in alphabetical order."""
    return dict(sorted((Counter(before) + Counter(since)).items()))
