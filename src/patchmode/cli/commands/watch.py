"""`patchmode watch`. Must not: write anything anywhere, or take a look that failed for machines that went."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.notifying import notice_options
from patchmode.cli.options import scope_options
from patchmode.cli.settings import Settings, settings_of

if TYPE_CHECKING:
    from patchmode.errors import PatchmodeError
    from patchmode.model.drift import Drift, Look
    from patchmode.model.resource_id import ResourceId
    from patchmode.model.scope import Scope
    from patchmode.reports.names import MachineNames
    from patchmode.workflow.inventory.audit import Seen, WatchOptions


@click.command(cls=Command)
@scope_options
@click.option("--interval", metavar="15m", default="15m", show_default=True, help="Time between two audits.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after this many audits.")
@click.option("--once", is_flag=True, help="One audit, compared with --baseline; for cron and CI.")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A saved audit (-o json) to compare the first one with.",
)
@click.option("--until-change", is_flag=True, help="Stop at the first audit that finds a change.")
@notice_options
@click.pass_context
def command(
    context: click.Context,
    /,
    interval: str,
    count: int | None,
    once: bool,
    baseline: Path | None,
    until_change: bool,
    **options: Any,
) -> exits.Exit:
    """Repeat the audit, and show only what changed.

    The command repeats the audit at an interval and shows each machine that changed: what changed, who patches it now,
    and who changed it as far as Azure records it.
    """
    from patchmode.cli.scoping import scope_from
    from patchmode.errors import UsageError
    from patchmode.rules.guardrails.limits import seconds_from
    from patchmode.store.baseline import read_baseline
    from patchmode.workflow.inventory.audit import WatchOptions

    settings = settings_of(context)
    if once and baseline is None:
        raise UsageError(
            "A single audit has nothing to be compared with.",
            advice="Save an audit, and give it with --baseline baseline.json:\npatchmode audit -o json > baseline.json",
        )
    if settings.format not in {"table", "json", "jsonl"} or settings.query:
        raise UsageError("watch prints lines or JSON lines.", advice="Use -o table or -o jsonl.")
    how = WatchOptions(seconds_from(interval, "--interval"), 1 if once else count, until_change)
    known = None if baseline is None else read_baseline(baseline)
    scope = scope_from(options)
    if not scope.has_selector:
        scope = replace(scope, everything=True)
    return _watch(scope, how, known, settings)


def _watch(scope: "Scope", how: "WatchOptions", known: "Look | None", settings: Settings) -> exits.Exit:
    from patchmode.cli import composition, notifying
    from patchmode.cli.running import run_reading
    from patchmode.workflow.inventory.audit import watch

    clock = composition.clock()

    async def work() -> exits.Exit:
        moved, looked, is_blind = 0, 0, False
        failure: PatchmodeError | None = None
        told = notifying.known()
        looks = watch(lambda: composition.connected(settings, read_only=True), scope, how, clock=clock, baseline=known)
        async for seen in looks:
            if seen.failure is None:
                _tell(seen, settings, is_first=not looked and known is None)
            else:
                failure = seen.failure
                if looked or seen.number != how.count:
                    _tell_failure(seen, settings, is_last=seen.number == how.count)
            moved, looked = moved + len(seen.drift), looked + (seen.look is not None)
            told.counts |= {"looks": looked, "changed": moved}
            if seen.look is None:
                told.counts["failedLooks"] = told.counts.get("failedLooks", 0) + 1
            else:
                told.target, told.counts["machines"] = seen.look.target, len(seen.look.machines)
            is_blind = seen.look is None or bool(seen.look.unreadable)
        if failure is not None and not looked:
            raise failure
        return exits.of_watch(changed=moved, is_blind=is_blind)

    return run_reading(work)


def _tell(seen: "Seen", settings: Settings, *, is_first: bool) -> None:

    from patchmode.cli.output import say
    from patchmode.reports.names import MachineNames
    from patchmode.reports.text.layout import plural

    assert seen.look is not None  # noqa: S101 - a look without a failure, for the type checker
    at = f"{seen.look.taken_at:%Y-%m-%d %H:%M:%SZ}" if seen.look.taken_at else ""
    machines = plural(len(seen.look.machines), "machine")
    if is_first:
        say(f"{at}  {machines}; from now on only changes are shown.", settings)
    elif not seen.drift:
        say(f"{at}  {machines}; nothing changed.", settings)
    else:
        say(f"{at}  {machines}; {len(seen.drift):,} changed.", settings)
    if is_first:
        for note in seen.notes:
            say(f"Note: {note}", settings, hang=6)
    if seen.look.unreadable:
        say(f"{at}  {len(seen.look.unreadable):,} could not be read; these are not compared.", settings)
    if not seen.drift:
        return
    ids: list[ResourceId | str] = [one.id for one in seen.look.machines.values()]
    ids += [one.id for one in seen.drift]
    names = MachineNames.of(seen.look.target, [*ids, *seen.look.unreadable])
    for drift in seen.drift:
        _write(drift, seen.look, names, settings)


def _write(drift: "Drift", look: "Look", names: "MachineNames", settings: Settings) -> None:
    import sys

    from patchmode.cli import composition
    from patchmode.cli.output import as_values, paint_for

    if settings.format == "table":
        from patchmode.reports.text.history import drift_lines

        paint = paint_for(sys.stdout, settings)
        sys.stdout.writelines(line + "\n" for line in drift_lines(drift, names, paint=paint))
    else:
        from patchmode.documents.history import drift_document
        from patchmode.reports.formats import structured

        document = drift_document(drift, seen_at=look.taken_at or composition.clock().now())
        structured.write_jsonl([as_values(document)], sys.stdout)
    sys.stdout.flush()


def _tell_failure(seen: "Seen", settings: Settings, *, is_last: bool) -> None:
    from patchmode.cli.output import say

    assert seen.failure is not None  # noqa: S101 - the caller looked, for the type checker
    then = "" if is_last else " The next audit tries again."
    # Errors of the sign-in have several lines, and this is one of many.
    message = " ".join(seen.failure.message.split())
    say(f"Look {seen.number} failed. It shows nothing about the machines: {message}{then}", settings)
