"""A run's report, its counts checked; and what a person who watches the run is told of it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from patchmode.errors import PatchmodeError
from patchmode.model.outcome import PatchedByNobody
from patchmode.model.plan import Plan
from patchmode.model.resource_id import is_resource
from patchmode.model.run import ChangeResult, Result, RunCounts, RunReport, WaveCounts, with_run
from patchmode.model.schedule import AttachResult
from patchmode.model.scope import Shard
from patchmode.ports.run import Observer, RunJournal
from patchmode.workflow.run.events import AttachmentEnded, Began, Ended, Event, Followed, Reader, Remarked
from patchmode.workflow.run.state import RunState, result_of, result_of_attachment

End = TypeVar("End", ChangeResult, AttachResult)


def told_to(observer: Observer, state: RunState) -> Reader:
    """A reader of a run's events that passes on what a person should know.

    Args:
        observer: whoever watches.
        state: reads each event first.
    """

    def read(event: Event) -> None:
        match event:
            case Ended(result):
                observer.progressed(state.progress(result))
            case AttachmentEnded() | Followed() | Began():
                observer.progressed(state.progress(None))
            case Remarked(text):
                observer.remarked(text)
            case _:
                pass

    return read


def report_of(journal: RunJournal) -> RunReport:
    """The report of a run as its journal stands: finished, stopped, or under way in another process.

    A change that was sent and has no end yet is reported as unknown, one that was not sent as notSent.

    Raises:
        StorageError: the journal is damaged.
    """
    halts, last = journal.halts, journal.brakes.last_wave if journal.brakes else None
    state = RunState(journal.plan, journal.entries(), journal.attachments(), last_wave=last)
    results = [result_of(entry, halt=state.held_by(entry.change.id, halts)) for entry in state.entries]
    settled = {one.id: one for one in results}
    report = make_report(
        journal.run,
        journal.plan,
        state=journal.state,
        requests=journal.requests(),
        results=results,
        attachments=[
            result_of_attachment(entry, settled.get(one), halt=state.held_by(one, halts))
            for one, entry in state.attachments.items()
        ],
    )
    at_least = not journal.tells_all_requests
    return replace(report, halts=tuple(halts), brakes=journal.brakes, requests_at_least=at_least)


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
        raise PatchmodeError(msg, advice=f"Please report it; `patchmode verify {run}` shows the current state.")
    told = dict(requests), tuple(results), plan.target, tuple(attachments), tuple(_waves(plan, results))
    shard = Shard.of_scope(plan.scope)
    return RunReport(
        run,
        state,
        counts,
        *told,
        shard=shard,
        blocked=plan.blocked,
        unread=plan.unreadable,
        nobody=_nobody(plan, results),
        options=plan.options,
        rollback_of=plan.rollback_of,
    )


def _nobody(plan: Plan, results: Iterable[ChangeResult]) -> PatchedByNobody | None:
    """The machines that are prepared now and that no schedule reached when they were planned."""
    waiting = set(plan.patched_by_nobody)
    prepared = {one.id for one in results if one.result is Result.APPLIED} | {one.id for one in plan.unchanged}
    seen = plan.nobody or PatchedByNobody(0, looked=False)
    count = len(waiting & prepared)
    return replace(seen, machines=count) if count or seen.not_known else None


ENDS_TAKEN = (
    *(one.value for one in Result),
    "notAsPlanned",
    "notAttached",
    "blocked",
    "unreadable",
    "patchedByNobody",
)
"""Ways in which a machine of a run may have ended, by which `--from-run` takes machines."""


def machines_of(journal: RunJournal, ends: Collection[str]) -> list[str]:
    """The ids of a run's machines that ended in one of these ways, in the order of its plan, each once.

    Args:
        journal: of the run.
        ends: of `ENDS_TAKEN`; empty: every machine that was asked for, however it ended.

    Raises:
        StorageError: the journal is damaged.
    """
    report, plan = report_of(journal), journal.plan
    by_end: dict[str, list[str]] = {end: [] for end in ENDS_TAKEN}
    for one in report.results:
        by_end[one.result.value].append(str(one.id))
        if one.result is Result.APPLIED and one.verification is not None and not one.verification.verified:
            by_end["notAsPlanned"].append(str(one.id))
    by_end["notAttached"] = [one.id for one in report.attachments if not one.is_fine]
    by_end["blocked"] = [str(one.id) for one in plan.blocked]
    # A subscription that could not be read is no machine: the scope itself has to be repeated for it.
    by_end["unreadable"] = [one.id for one in plan.unreadable if is_resource(one.id)]
    ready = {*by_end[Result.APPLIED.value], *(str(one.id) for one in plan.unchanged)}
    by_end["patchedByNobody"] = [text for text in map(str, plan.patched_by_nobody) if text in ready]
    asked = (str(one.id) for group in (plan.changes, plan.unchanged) for one in group)
    everything = [*asked, *by_end["blocked"], *by_end["unreadable"]]
    taken = (text for end in ends for text in by_end[end]) if ends else iter(everything)
    return list(dict.fromkeys(taken))


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
