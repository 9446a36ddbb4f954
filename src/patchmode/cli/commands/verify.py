"""`patchmode verify`. Must not: change anything in Azure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.options import scope_options, settings_options
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.model.outcome import RunReport
    from patchmode.model.plan import Plan, WantedSettings
    from patchmode.model.report import VerifyReport
    from patchmode.model.scope import Scope
    from patchmode.store.journal import Journal


@click.command(cls=Command)
@click.argument("subject", required=False, metavar="[RUN|FILE]")
@scope_options
@settings_options
@click.option(
    "--after-window", is_flag=True, help="Did the next maintenance window really succeed? Azure's record says."
)
@click.option("--wait", is_flag=True, help="With --after-window: wait until the next windows are over and recorded.")
@click.option(
    "--since", metavar="7d|DATE", help="With --after-window: runs since then (default: the run's end; a scope: 7d)."
)
@click.pass_context
def command(
    context: click.Context,
    /,
    subject: str | None,
    after_window: bool,
    wait: bool,
    since: str | None,
    **options: Any,
) -> exits.Exit:
    """Re-read every VM from Azure Resource Manager and compare its settings.

    RUN: every machine that the run applied; its journal keeps what was found. FILE: every change of a plan, whoever
    carried it out. What else of the run or the plan is not as asked (failed, not sent, blocked) is counted in the last
    line. A property outside the patch settings that was changed after the run, or since the plan, is listed and is no
    mismatch. A scope: whether every machine in it has the settings; those that have not are named with the reason,
    be it that a rule blocks their change. Without any: the latest run that sent anything.

    With --after-window: whether the machines' next maintenance window succeeded, as Resource Graph recorded it.
    """
    from patchmode.cli.output import emit
    from patchmode.cli.results import verification_result
    from patchmode.cli.scoping import require_selector, scope_from, set_ambient_shard_aside, wanted_from
    from patchmode.errors import UsageError

    settings = settings_of(context)
    set_ambient_shard_aside(context, options)
    # Also a filter or a setting alone: whoever types one beside a run believes that it was looked at.
    if subject is not None and any(options.values()):
        raise UsageError(
            "A run or a file holds its own machines and settings, so a scope, a filter or a setting beside it means "
            "nothing.",
            advice="Give RUN or FILE alone, or a scope.",
        )
    if not after_window and (wait or since is not None):
        raise UsageError("--wait and --since belong to --after-window.", advice="Add --after-window.")
    is_narrowed = any(options.values())
    wanted = wanted_from(options)
    scope = scope_from(options)
    if is_narrowed:
        require_selector(scope, "verify")
    if after_window:
        return _verify_window(subject, scope, settings, wait=wait, since=since)
    if scope.has_selector:
        report = _verify_scope(scope, wanted, settings)
    elif subject is not None and _is_file(subject):
        report = _verify_file(Path(subject), settings)
    else:
        report = _verify_run(subject, settings)
    emit(verification_result(report), settings)
    return exits.of_verification(report)


def _verify_window(
    subject: str | None, scope: "Scope", settings: Settings, *, wait: bool, since: str | None
) -> exits.Exit:
    from patchmode.cli.after_window import answer, of_file, of_run, of_scope

    if scope.has_selector:
        question = of_scope(scope, since)
    elif subject is not None and _is_file(subject):
        question = of_file(Path(subject), since)
    else:
        question = of_run(subject, since, settings)
    return answer(question, settings, wait=wait)


def _is_file(subject: str) -> bool:
    return Path(subject).is_file() or subject.endswith(".json") or "/" in subject or "\\" in subject


def _verify_run(run: str | None, settings: Settings) -> "VerifyReport":
    from patchmode.cli import composition
    from patchmode.cli.running import run_reading
    from patchmode.model.report import VerifyReport
    from patchmode.workflow.runs import report_of
    from patchmode.workflow.verifying import verify_run

    journal = composition.open_sent(run, settings, for_writing=True)
    _note_rollbacks(journal.run, journal.plan, settings)

    async def work() -> VerifyReport:
        async with composition.connected(settings, read_only=True) as azure:
            composition.check_target(journal.plan, azure)
            found = await verify_run(azure, journal, record=True)
            rest = report_of(journal).not_set
            return VerifyReport(journal.plan.target, f"run {journal.run}", found, journal.run, not_done=rest)

    try:
        _tell_unknown(report_of(journal), settings)
        return run_reading(work)
    finally:
        journal.release()


def _tell_unknown(report: "RunReport", settings: Settings) -> None:
    """What `unknown` means, and where a resume reads the end, how."""
    from patchmode.cli.output import say, say_lines
    from patchmode.model.outcome import Result

    unknown = [one for one in report.results if one.result is Result.UNKNOWN]
    if unknown:
        told = f"{len(unknown):,} unknown: the change was sent, or may have been, and its end was not read."
        say(f"Note: {told}", settings, hang=6)
    if any(one.ended_at is None for one in unknown):
        say_lines([f"      Read it with: patchmode runs resume {report.run}"], settings)


def _verify_file(path: Path, settings: Settings) -> "VerifyReport":
    from patchmode.cli import composition
    from patchmode.cli.plan_reading import reviewed_plan
    from patchmode.cli.running import run_reading
    from patchmode.model.report import VerifyReport
    from patchmode.workflow.verifying import verify_plan

    plan = reviewed_plan(path, settings)
    journal = _run_of(plan, settings)

    async def work() -> VerifyReport:
        async with composition.connected(settings, read_only=True) as azure:
            composition.check_target(plan, azure)
            found = await verify_plan(azure, plan, run=journal)
            return VerifyReport(plan.target, f"plan {path}", found, not_done=plan.not_done)

    try:
        return run_reading(work)
    finally:
        if journal is not None:
            journal.release()


def _run_of(plan: "Plan", settings: Settings) -> "Journal | None":
    """The run that carried a plan out, opened for reading and told; None, and what is compared instead, without one."""
    from patchmode.cli import composition
    from patchmode.cli.output import say
    from patchmode.reports.recorded import when

    store = composition.run_store(settings)
    run = store.carried_out(plan.digest)
    if run is not None:
        say(f"Note: this plan was carried out by run {run}.", settings, hang=6)
        _note_rollbacks(run, plan, settings)
        return store.open(run)
    read = f", read {when(plan.created_at)}" if plan.created_at else ""
    say(
        f"Note: no run in the state folder {composition.state_folder(settings)} carried this plan out. Each machine is "
        f"compared with the plan itself: its patch settings with those that the plan sets, every other property with "
        f"the VM as it was when the plan was made{read}.",
        settings,
        hang=6,
    )
    return None


def _note_rollbacks(run: str, plan: "Plan", settings: Settings) -> None:
    from patchmode.cli import composition
    from patchmode.cli.output import say
    from patchmode.cli.resuming import in_part_text
    from patchmode.workflow.resuming import rolled_back_in_part, rolled_back_whole

    runs = composition.run_store(settings).list()
    back, in_part = rolled_back_whole(runs, run), rolled_back_in_part(runs, run)
    if back:
        say(f"Note: run {run} was rolled back by run {back}.", settings, hang=6)
    if in_part:
        say(f"Note: {in_part_text(in_part, plan, settings)}", settings, hang=6)


def _verify_scope(scope: "Scope", wanted: "WantedSettings", settings: Settings) -> "VerifyReport":
    from patchmode.cli import composition
    from patchmode.cli.running import run_reading
    from patchmode.workflow.verifying import verify_scope

    async def work() -> "VerifyReport":
        async with composition.connected(settings, read_only=True) as azure:
            return await verify_scope(azure, scope, wanted)

    return run_reading(work)
