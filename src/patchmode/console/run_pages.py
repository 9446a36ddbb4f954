"""Runs as their journals tell them and as their page shows them."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from patchmode.console.operation import ConsoleOperation, finished
from patchmode.console.rendering import utc_text
from patchmode.console.rooms import Rooms
from patchmode.console.run_groups import Section, sections_of
from patchmode.console.timeline import Timeline, timeline_of
from patchmode.console.words import STATES, Word, on_the_page
from patchmode.errors import PatchmodeError
from patchmode.model.guardrails import RunGuardrails
from patchmode.model.plain_text import printable
from patchmode.model.plan import Plan
from patchmode.model.run import ChangeResult, HeldMachines, Result, RunReport, RunSummary
from patchmode.ports.azure import Clock
from patchmode.ports.run import JournalEntry, Progress
from patchmode.reports.names import MachineNames
from patchmode.reports.text.attachments import ATTACH_WORDS, kept_texts
from patchmode.reports.text.layout import plural
from patchmode.reports.text.left_alone import not_done_text
from patchmode.reports.text.next_steps import again_commands, attach_commands, nobody_text
from patchmode.reports.text.plan import LeafChange, leaf_changes, names_in
from patchmode.reports.text.run import brakes_text, requests_text
from patchmode.workflow.run.guardrails import RESUME, next_step
from patchmode.workflow.run.options import freeze_now, options_of
from patchmode.workflow.run.report import machines_of, report_of
from patchmode.workflow.run.resuming import Interrupted, Objection, in_force, machines_held, rolled_back_in_part
from patchmode.workflow.run.state import result_of

LOOKED_AT = 50
"""The newest runs that a machine's history comes from."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """One run."""

    report: RunReport
    plan: Plan
    standing: Interrupted
    """What is left of it, and what failed."""
    brakes: RunGuardrails
    """What would hold it back if it were taken up here now."""
    objections: Sequence[Objection]
    """Why somebody must say yes before it goes on; empty: nobody must."""
    timeline: Timeline | None
    """The run over time; None: nothing was sent."""

    @property
    def left(self) -> int:
        """Changes and schedules that have not ended: what taking the run up has to do."""
        return self.standing.left + self.standing.schedules_left


@dataclass(frozen=True, slots=True)
class Verified:
    """What the latest verification that was asked for on a run's page found."""

    at: datetime
    good: int
    total: int
    is_recorded: bool
    """Whether the journal has it."""

    @property
    def differing(self) -> int:
        """Machines that are not as the run left them, or could not be read."""
        return self.total - self.good


@dataclass(frozen=True, slots=True)
class Done:
    """What one run did to one machine."""

    run: str
    created_at: datetime | None
    result: Result
    error: str
    leaves: Sequence[LeafChange]
    rollback_of: str | None
    is_verified: bool | None


class PastRuns:
    """The runs of the state folder.

    Args:
        rooms: what the journals are reached through.
        around: what is added to the brakes of a run that is taken up here.
    """

    def __init__(self, rooms: Rooms, around: RunGuardrails) -> None:
        self._rooms = rooms
        self._around = around
        self._known: dict[str, tuple[str, Mapping[str, Done]]] = {}
        """Run → (state and number of ended changes, machine in lower case → what was done)."""
        self.verified: dict[str, Verified] = {}
        """By run; what took place since a run was resumed."""

    async def list(self) -> Sequence[RunSummary]:
        """Every run, the newest first."""
        return await asyncio.to_thread(lambda: tuple(self._rooms.runs.list())[::-1])

    async def read(self, run: str) -> RunPage:
        """One run in full.

        Raises:
            UsageError: there is none. RefusedError, StorageError: it cannot be read.
        """
        return await asyncio.to_thread(self._read, run)

    async def unscheduled(self, run: str) -> Sequence[str]:
        """The ids of a run's machines that are prepared and that no schedule reached when it was planned.

        Raises:
            UsageError, RefusedError, StorageError: as `read`.
        """
        return await asyncio.to_thread(self._unscheduled, run)

    async def holding(self, plan: Plan) -> Sequence[HeldMachines]:
        """The runs that have not ended and hold machines of a plan."""
        runs = self._rooms.runs
        return await asyncio.to_thread(lambda: machines_held(plan, runs.list(), runs.open))

    async def history(self, machine_id: str) -> Sequence[Done]:
        """What was done to a machine, the newest first; a run that cannot be read is left out, the list names it."""
        return await asyncio.to_thread(self._history, machine_id.casefold())

    def _read(self, run: str) -> RunPage:
        journal = self._rooms.runs.open(run)
        try:
            standing = Interrupted(journal, rolled_back_in_part(self._rooms.runs.list(), journal.run))
            brakes = in_force(standing.kept, RunGuardrails(), (), self._around)
            timeline = timeline_of(journal.entries(), journal.plan)
            return RunPage(report_of(journal), journal.plan, standing, brakes, standing.needs_yes(brakes), timeline)
        finally:
            journal.release()

    def _unscheduled(self, run: str) -> Sequence[str]:
        journal = self._rooms.runs.open(run)
        try:
            return machines_of(journal, ["patchedByNobody"])
        finally:
            journal.release()

    def _history(self, key: str) -> Sequence[Done]:
        found = []
        for summary in tuple(self._rooms.runs.list())[: -LOOKED_AT - 1 : -1]:
            done = self._of(summary).get(key)
            if done is not None:
                found.append(done)
        return found

    def _of(self, summary: RunSummary) -> Mapping[str, Done]:
        mark = f"{summary.state} {summary.ended} {summary.sent}"
        known = self._known.get(summary.run)
        if known is not None and known[0] == mark:
            return known[1]
        try:
            journal = self._rooms.runs.open(summary.run)
        except PatchmodeError:
            return {}
        try:
            done = {str(one.change.id).casefold(): _done(one, summary) for one in journal.entries()}
        except PatchmodeError:
            return {}
        finally:
            journal.release()
        self._known[summary.run] = mark, done
        return done


def _done(entry: JournalEntry, summary: RunSummary) -> Done:
    result: ChangeResult = result_of(entry)
    seen = result.verification
    return Done(
        run=summary.run,
        created_at=summary.created_at,
        result=result.result,
        error=result.error.message if result.error else "",
        leaves=leaf_changes(entry.change),
        rollback_of=summary.rollback_of,
        is_verified=None if seen is None else seen.verified,
    )


SECONDS_BEFORE_RATE = 2.0


_TONES = {"good": "good", "bad": "bad", "warn": "warn", "dim": "plain"}
UNRECORDED = "Its process ended without recording why: somebody stopped it, it was killed, or the computer stopped."


@dataclass(frozen=True, slots=True)
class RunView:
    """One run, laid out."""

    page: RunPage
    sections: Sequence[Section]
    """What is listed, by cause, the worst first."""
    kept: Sequence[str]
    """Which locks must be removed before it can be undone."""
    aside: Mapping[str, int]
    """What the plan leaves aside, in words → machines."""
    not_done: str
    """What was asked for and is not so, in words; empty: all of it is."""
    nobody: str
    """How many of its machines nobody patches, in words; empty: none is known."""
    attach: Sequence[str]
    """Commands that give these a schedule; empty: there are none."""
    again: Sequence[str]
    """Commands that take up just those machines that are not as asked; empty: there are none."""
    frozen: str = ""
    """The freeze that holds now, and until when: until then it cannot be resumed; empty: none does."""

    @property
    def new_plan(self) -> str:
        """What to do where resuming would be held back again by the same; empty: resuming is what to do."""
        steps = dict.fromkeys(next_step(one.code) for one in self.page.report.halts)
        return " ".join(one for one in steps if one != RESUME)

    @property
    def tone(self) -> str:
        """Of the box at the top: nothing is `good` that is not as asked."""
        if self.page.report.state != "finished":
            return STATES[self.page.report.state].tone
        bad = {"failed", "unknown", "stale", "notAsPlanned"} & set(self.page.report.not_done)
        return "bad" if bad else "warn" if self.not_done else "good"

    @property
    def state(self) -> Word:
        """In words, in the tone of the box: a run that finished with failures is not green."""
        return Word(STATES[self.page.report.state].text, self.tone)

    @property
    def summary(self) -> str:
        """How far it has come, in a sentence or two."""
        counts, changes = self.page.report.counts, len(self.page.report.results)
        verified = "all of them verified" if counts.verified == counts.applied else f"{counts.verified:,} verified"
        more = f", {verified}" if counts.applied else ""
        told = [f"{counts.applied:,} of {plural(changes, 'change')} applied{more}."] if changes else []
        if self.schedules:
            ends = ", ".join(f"{count:,} {word.text}" for word, count in self.schedules)
            told.append(f"Schedule of {plural(len(self.page.report.attachments), 'machine')}: {ends}.")
        return " ".join(told) or "Nothing was to be done."

    @property
    def schedules(self) -> Sequence[tuple[Word, int]]:
        """How the schedules that the run attached or detached ended, and how many so; empty: it does neither."""
        tally = Counter(one.result for one in self.page.report.attachments)
        return [(Word(word, _TONES[tone]), tally[end]) for end, (word, tone) in ATTACH_WORDS.items() if tally[end]]

    @property
    def causes(self) -> Sequence[str]:
        """Why it has not finished, a sentence each; empty: it has, or another process applies it."""
        report = self.page.report
        if report.state in {"finished", "running"}:
            return ()
        return [f"{one.because[:1].upper()}{one.because[1:]}." for one in report.halts] or [UNRECORDED]

    @property
    def requests(self) -> str:
        """How many requests the run sent; empty: none known."""
        return requests_text(self.page.report)

    @property
    def in_force(self) -> str:
        """What would hold the run back if it were taken up; empty: nothing."""
        return brakes_text(self.page.brakes)

    @property
    def may_resume(self) -> bool:
        """Whether taking it up would do something."""
        return self.page.report.state != "running" and self.page.left > 0

    @property
    def may_roll_back(self) -> bool:
        """Whether there is anything that may be undone."""
        counts = self.page.report.counts
        has_attached = any(one.is_fine for one in self.page.report.attachments)
        return self.page.report.state != "running" and bool(counts.applied or counts.unknown or has_attached)


def view_of(found: RunPage, clock: Clock) -> RunView:
    """Lay a run out.

    Args:
        found: the run.
        clock: tells whether a freeze holds now.
    """
    counts = found.report.counts
    return RunView(
        page=found,
        sections=sections_of(found.report),
        kept=tuple(kept_texts(found.plan)),
        aside={
            name: count
            for name, count in (
                ("already compliant", counts.unchanged),
                ("skipped", counts.skipped - counts.blocked),
                ("blocked", counts.blocked),
                ("unreadable", counts.unreadable),
            )
            if count
        },
        not_done=not_done_text(found.report.not_done, found.report.blocked),
        nobody="" if found.report.nobody is None else nobody_text(found.report.nobody),
        attach=attach_commands(found.report.nobody, "--from-run", f"{found.report.run}:patchedByNobody"),
        again=again_commands(found.report),
        frozen=freeze_now(options_of(found.brakes).freezes, clock),
    )


def live_values(operation: ConsoleOperation, now: datetime) -> dict[str, Any]:
    """What the page of a run under way shows, as JSON values.

    Args:
        operation: carries the run out.
        now: aware.
    """
    progress = operation.progress or _untouched(len(operation.plan.changes))
    # Where no setting is changed, what has to end are the schedules.
    total, ended = (progress.total, finished(progress)) if progress.total else (progress.to_attach, progress.attached)
    failures = list(operation.failures)[::-1]
    silence = _silence(operation, now)
    # A large plan is gone through only where there is something to name.
    names = names_in(operation.plan) if failures else None
    return {
        "state": "stopping" if operation.is_stopping else "running",
        "silence": silence,
        "statement": _statement(operation, progress, is_silent=bool(silence)),
        "total": total,
        "finished": ended,
        "applied": progress.done,
        "failed": progress.failed,
        "unknown": progress.unknown,
        "stale": progress.stale,
        "notSent": progress.not_sent,
        "waiting": progress.waiting,
        "notStarted": progress.not_started,
        "attached": progress.attached,
        "toAttach": progress.to_attach,
        "pace": _pace(operation, progress, is_silent=bool(silence)),
        "wave": wave_text(progress, operation.plan),
        "remarks": [on_the_page(printable(text)) for text in operation.remarks][::-1],
        "failures": [_failure(one, names) for one in failures] if names else [],
        "noFailure": "None so far." if not silence else "None known: Azure does not answer.",
    }


def wave_text(progress: Progress, plan: Plan) -> str:
    """Which wave is under way, and what comes after it; empty: the plan has none.

    Args:
        progress: of the run.
        plan: that it carries out.
    """
    if not plan.waves:
        return ""
    count, wave = len(plan.waves), progress.wave
    if not wave:
        return f"None of the {count:,} waves has begun."

    def told(number: int) -> str:
        one = plan.waves[number - 1]
        return f"{number:,} of {count:,}, {printable(one.name)}: {plural(one.changes + one.unchanged, 'machine')}"

    return f"Wave {told(wave)}." + (f" Next: wave {told(wave + 1)}." if wave < count else " It is the last.")


RUNNING = "Running. The run continues if you leave this page; Ctrl-C in the terminal stops it cleanly."
WAITING = "Waiting for Azure. The run continues if you leave this page; Ctrl-C in the terminal stops it cleanly."
STOPPING = "Stopping: changes under way are followed to their end, no new one is sent."
HELD = "Nothing more is sent; changes under way are followed to their end. The newest remarks say why."
SILENCE_S = 5.0
"""A silence that is told: Azure answers a read in less, and a PATCH is no silence as long as others are answered."""


def _statement(operation: ConsoleOperation, progress: Progress, *, is_silent: bool) -> str:
    if operation.is_stopping:
        return STOPPING
    if is_silent:
        return WAITING
    return HELD if progress.is_halted else RUNNING


def _silence(operation: ConsoleOperation, now: datetime) -> str:
    """That Azure does not answer, and since when; empty: it does, or nothing was asked for so long."""
    since = operation.ledger.unanswered_since if operation.ledger is not None else None
    if since is None or (now - since).total_seconds() < SILENCE_S:
        return ""
    return (
        f"Azure has not answered since {utc_text(since)}. The figures below are those of its last answer. "
        "What is safe to repeat is sent again; the remarks say when."
    )


def _untouched(total: int) -> Progress:
    return Progress(total=total, not_started=total)


def _pace(operation: ConsoleOperation, progress: Progress, *, is_silent: bool) -> str:
    """How long, how fast, how much longer; no pace and no estimate where Azure is silent or nothing was changed yet."""
    elapsed_s = time.monotonic() - operation.began
    told, done = f"{_span(elapsed_s)} so far", progress.ended_here
    if elapsed_s < SECONDS_BEFORE_RATE or not done or is_silent:
        return told
    rate = done / elapsed_s
    left = progress.total - finished(progress)
    return f"{told}, {rate:.1f} machines/s" + (f", about {_span(left / rate)} left" if left else "")


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _failure(result: ChangeResult, names: MachineNames) -> dict[str, str]:
    error = result.error
    return {
        "id": str(result.id),
        "name": names.short(result.id),
        "result": result.result.value,
        "message": printable(error.message) if error else "",
        "advice": printable(error.advice) if error else "",
    }
