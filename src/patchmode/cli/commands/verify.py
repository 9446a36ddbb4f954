"""`patchmode verify`, of a scope, a plan, a run, or after a window."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import composition, exits
from patchmode.cli.choices import RUN_OR_FILE
from patchmode.cli.group import Command
from patchmode.cli.options import scope_options, settings_options, summary_option
from patchmode.cli.output import Result, emit, say, say_lines
from patchmode.cli.running import run_reading
from patchmode.cli.scoping import since_from
from patchmode.cli.settings import Settings, settings_of, state_folder
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import Result as ChangeEnd
from patchmode.model.run_history import AfterWindowReport
from patchmode.model.schedule import AttachEnd
from patchmode.model.scope import Scope, scope_text
from patchmode.ports.azure import Azure
from patchmode.workflow.inventory.history import Connect, Subject, after_window, after_window_waiting
from patchmode.workflow.run.report import report_of

if TYPE_CHECKING:
    from patchmode.model.patch_settings import WantedSettings
    from patchmode.model.report import VerifyReport
    from patchmode.model.run import RunReport
    from patchmode.store.journal import Journal


@click.command(cls=Command)
@click.argument("subject", type=RUN_OR_FILE, required=False, metavar="[RUN|FILE]")
@scope_options
@settings_options
@click.option(
    "--after-window", is_flag=True, help="Check in Azure's record whether the next maintenance window succeeded."
)
@click.option("--wait", is_flag=True, help="With --after-window: wait until the next windows are over and recorded.")
@click.option(
    "--since", metavar="7d|DATE", help="With --after-window: runs since then (default: the run's end; a scope: 7d)."
)
@summary_option
@click.pass_context
def command(
    context: click.Context,
    /,
    subject: str | None,
    after_window: bool,
    wait: bool,
    since: str | None,
    summary: str | None,
    **options: Any,
) -> exits.Exit:
    """Re-read every VM from Azure Resource Manager and compare its settings.

    With RUN the command verifies every machine that the run applied, and records the result in the run's journal. With
    FILE it verifies every change of a plan, whoever applied it. The last line counts what else of the run or the plan
    is not as asked (failed, not sent, blocked). A property outside the patch settings that was changed after the run,
    or since the plan, is listed and is not a mismatch. With a scope it verifies that every machine in it has the
    settings, and names the others with the reason, for example a rule that blocks their change. Without any of these
    it verifies the latest run that sent anything.

    With --after-window it shows whether the machines' next maintenance window succeeded, as Resource Graph recorded it.
    """
    from patchmode.cli import scoping
    from patchmode.cli.output import emit
    from patchmode.cli.results import verification_result
    from patchmode.errors import UsageError
    from patchmode.reports.text.next_steps import command as command_of
    from patchmode.reports.text.summary import SummaryBy

    settings = settings_of(context)
    scoping.set_ambient_shard_aside(context, options)
    if subject is not None:
        held = "A run or a file holds its own machines and settings"
        scoping.refuse_beside(context, options, held, "Give RUN or FILE alone, or a scope.")
    if not after_window and (wait or since is not None):
        raise UsageError("--wait and --since belong to --after-window.", advice="Add --after-window.")
    is_narrowed = any(options.values())
    wanted = scoping.wanted_from(options)
    scope = scoping.scope_from(options)
    if is_narrowed:
        scoping.require_selector(scope, "verify")
    if after_window:
        return _verify_window(subject, scope, settings, wait=wait, since=since)
    if scope.has_selector:
        report = _verify_scope(scope, wanted, settings)
    elif subject is not None and _is_file(subject):
        report = _verify_file(Path(subject), settings)
    else:
        report = _verify_run(subject, settings)
    again = settings.again(instead_of="verify", by="audit") if report.is_scope else None
    emit(verification_result(report, SummaryBy.of(summary)), settings)
    if report.found and again is not None:
        say("Settings alone were compared. Who patches these machines, and when:", settings)
        say_lines([f"  {command_of(*again)}"], settings)
    return exits.of_verification(report)


def _verify_window(
    subject: str | None, scope: "Scope", settings: Settings, *, wait: bool, since: str | None
) -> exits.Exit:

    if scope.has_selector:
        question = of_scope(scope, since)
    elif subject is not None and _is_file(subject):
        question = of_file(Path(subject), since)
    else:
        question = of_run(subject, since, settings)
    return answer(question, settings, wait=wait)


def _is_file(subject: str) -> bool:
    return Path(subject).is_file() or bool(Path(subject).suffix) or "/" in subject or "\\" in subject


def _verify_run(run: str | None, settings: Settings) -> "VerifyReport":
    from patchmode.cli import composition
    from patchmode.cli.running import run_reading
    from patchmode.model.report import VerifyReport
    from patchmode.workflow.run.report import report_of
    from patchmode.workflow.run.verification import verify_run

    journal = composition.open_sent(run, settings, for_writing=True)
    _note_rollbacks(journal.run, journal.plan, settings)

    async def work() -> VerifyReport:
        async with composition.connected(settings, read_only=True) as azure:
            composition.check_target(journal.plan, azure)
            found = await verify_run(azure, journal, record=True)
            report = report_of(journal)
            told = f"run {journal.run}", found, journal.run
            return VerifyReport(journal.plan.target, *told, not_done=report.not_set, nobody=report.nobody)

    try:
        _tell_unknown(report_of(journal), settings)
        return run_reading(work)
    finally:
        journal.release()


def _tell_unknown(report: "RunReport", settings: Settings) -> None:
    """What `unknown` means, and where a resume reads the end, how."""
    from patchmode.cli.output import say, say_lines
    from patchmode.model.run import Result

    unknown = [one for one in report.results if one.result is Result.UNKNOWN]
    if unknown:
        told = f"{len(unknown):,} unknown: the change was sent, or may have been, and its end was not read."
        say(f"Note: {told}", settings, hang=6)
    if any(one.ended_at is None for one in unknown):
        say_lines([f"      Read it with: patchmode runs resume {report.run}"], settings)


def _verify_file(path: Path, settings: Settings) -> "VerifyReport":
    from patchmode.cli import composition
    from patchmode.cli.confirming import reviewed_plan
    from patchmode.cli.running import run_reading
    from patchmode.model.report import VerifyReport
    from patchmode.workflow.run.verification import verify_plan

    plan = reviewed_plan(path, settings)
    journal = _run_of(plan, settings)

    async def work() -> VerifyReport:
        async with composition.connected(settings, read_only=True) as azure:
            composition.check_target(plan, azure)
            found = await verify_plan(azure, plan, run=journal)
            told = f"plan {path}", found
            return VerifyReport(plan.target, *told, not_done=plan.not_done, nobody=plan.nobody)

    try:
        return run_reading(work)
    finally:
        if journal is not None:
            journal.release()


def _run_of(plan: "Plan", settings: Settings) -> "Journal | None":
    """The run that carried a plan out, opened for reading and told; None, and what is compared instead, without one."""
    from patchmode.cli import composition
    from patchmode.cli.output import say
    from patchmode.reports.formats.recorded import when

    store = composition.run_store(settings)
    run = store.carried_out(plan.digest)
    if run is not None:
        say(f"Note: this plan was applied by run {run}.", settings, hang=6)
        _note_rollbacks(run, plan, settings)
        return store.open(run)
    read = f", read {when(plan.created_at)}" if plan.created_at else ""
    say(
        f"Note: no run in the state folder {state_folder(settings)} applied this plan. Each machine is "
        f"compared with the plan itself: its patch settings with those that the plan sets, every other property with "
        f"the VM as it was when the plan was made{read}.",
        settings,
        hang=6,
    )
    return None


def _note_rollbacks(run: str, plan: "Plan", settings: Settings) -> None:
    from patchmode.cli import composition
    from patchmode.cli.carrying_out import in_part_text
    from patchmode.cli.output import say
    from patchmode.workflow.run.resuming import rolled_back_in_part, rolled_back_whole

    runs = composition.run_store(settings).list()
    back, in_part = rolled_back_whole(runs, run), rolled_back_in_part(runs, run)
    if back:
        say(f"Note: run {run} was rolled back by run {back}.", settings, hang=6)
    if in_part:
        say(f"Note: {in_part_text(in_part, plan)}", settings, hang=6)


def _verify_scope(scope: "Scope", wanted: "WantedSettings", settings: Settings) -> "VerifyReport":
    from patchmode.cli import composition
    from patchmode.cli.running import run_reading
    from patchmode.workflow.run.verification import verify_scope

    async def work() -> "VerifyReport":
        async with composition.connected(settings, read_only=True) as azure:
            return await verify_scope(azure, scope, wanted)

    return run_reading(work)


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
    emit(_result(report, question, settings.again()), settings)
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


def _result(report: AfterWindowReport, question: Question, again: Sequence[str] | None) -> Result:
    from patchmode.documents.history import AFTER_WINDOW_COLUMNS, after_window_document
    from patchmode.reports.text.history import after_window_lines

    document = after_window_document(report, run=question.run)
    return Result(
        document=document,
        lines=lambda paint: after_window_lines(report, what=question.what, paint=paint, again=again),
        rows=lambda: document.results,
        columns=AFTER_WINDOW_COLUMNS,
    )
