"""`verify --after-window`: which machines are asked about, since when, and what the answer ends in.

Must not: write anything but the result.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from patchmode.cli import composition, exits
from patchmode.cli.output import Result, emit, say
from patchmode.cli.running import run_reading
from patchmode.cli.scoping import since_from
from patchmode.cli.settings import Settings
from patchmode.model.after_window import AfterWindowReport
from patchmode.model.attachment import AttachEnd
from patchmode.model.outcome import Result as ChangeEnd
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.scope import Scope, scope_text
from patchmode.workflow.after_window import Connect, Subject, after_window, after_window_waiting
from patchmode.workflow.ports import Azure
from patchmode.workflow.runs import report_of

DEFAULT_SINCE = "7d"
"""Of a scope, which does not say when its machines were set."""
_ATTACHED = frozenset({AttachEnd.ATTACHED, AttachEnd.UNCHANGED})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about."""

    subject: Subject
    since: datetime
    what: str
    """As the answer calls it."""
    run: str | None = None
    plan: Plan | None = None
    """Where given, the answer is refused of any other target."""
    not_done: Mapping[str, int] = field(default_factory=dict)
    """What of the run or the plan was not done, and is not asked about."""


def of_run(name: str | None, since: str | None, settings: Settings) -> Question:
    """The machines that a run applied or gave a schedule, since it ended.

    Raises:
        UsageError: there is no such run, or `since` is no moment.
    """
    journal = composition.open_sent(name, settings)
    try:
        report, plan, run = report_of(journal), journal.plan, journal.run
    finally:
        journal.release()
    applied = [(entry.id, entry.ended_at) for entry in report.results if entry.result is ChangeEnd.APPLIED]
    attached = [
        (ResourceId.parse(entry.id), entry.ended_at) for entry in report.attachments if entry.result in _ATTACHED
    ]
    ends = [at for _, at in (*applied, *attached) if at is not None]
    moment = max(ends, default=plan.created_at or composition.clock().now())
    machines = dict.fromkeys(machine_id for machine_id, _ in (*applied, *attached))
    return Question(tuple(machines), _since(since, moment), f"run {run}", run, plan, report.not_set)


def of_file(path: Path, since: str | None) -> Question:
    """The machines that a plan changes or found as wanted, since it was made.

    Raises:
        UsageError, BrokenPlanError: the file is no plan.
    """
    from patchmode.store.plan_file import read_plan

    plan = read_plan(path)
    machines = (*(one.id for one in plan.changes), *(one.id for one in plan.unchanged))
    moment = _since(since, plan.created_at or composition.clock().now())
    return Question(machines, moment, f"plan {path}", plan=plan, not_done=plan.not_done)


def of_scope(scope: Scope, since: str | None) -> Question:
    """The machines of a scope, since a moment that is named; seven days where none is."""
    return Question(scope, _since(since or DEFAULT_SINCE, composition.clock().now()), scope_text(scope.describe()))


def answer(question: Question, settings: Settings, *, wait: bool) -> exits.Exit:
    """Tell what became of the machines, and give the exit code.

    Raises:
        PatchmodeError: no connection, another target, nothing in scope. KeyboardInterrupt: interrupted while waiting.
    """
    clock = composition.clock()
    connect = _connecting(question, settings)

    async def work() -> AfterWindowReport:
        if not wait:
            return await after_window(connect, question.subject, since=question.since, clock=clock)
        return await after_window_waiting(
            connect, question.subject, since=question.since, clock=clock, remark=lambda text: say(text, settings)
        )

    report = replace(run_reading(work), not_done=question.not_done)
    if question.plan is not None:
        names = report.target.names.joined(question.plan.target.names)
        report = replace(report, target=replace(report.target, names=names))
    emit(_result(report, question), settings)
    return exits.of_windows(report)


def _connecting(question: Question, settings: Settings) -> Connect:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Azure]:
        async with composition.connected(settings, read_only=True) as azure:
            if question.plan is not None:
                composition.check_target(question.plan, azure)
            yield azure

    return connect


def _since(text: str | None, otherwise: datetime) -> datetime:
    return otherwise if text is None else since_from(text, "--since").moment(composition.clock().now())


def _result(report: AfterWindowReport, question: Question) -> Result:
    from patchmode.reports.after_window import CSV_COLUMNS, after_window_document, after_window_lines, window_row

    return Result(
        document=after_window_document(report, run=question.run),
        lines=lambda paint: after_window_lines(report, what=question.what, paint=paint),
        rows=lambda: map(window_row, report.results),
        columns=CSV_COLUMNS,
    )
