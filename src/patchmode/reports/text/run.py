"""A run for people: what holds it back, what did not end as planned, its schedules, then the tally and what to do."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from patchmode.model.guardrails import NAMES, RunGuardrails, option_name, typed_values
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import HANDED_OVER, ChangeResult, Result, RunReport, RunSummary, WaveCounts, undone_by
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.model.target import Target
from patchmode.reports.names import SUBSCRIPTIONS_SHOWN, MachineNames
from patchmode.reports.text.attachments import ATTACH_WORDS, lasting_texts, turned_by_schedule
from patchmode.reports.text.layout import (
    Cell,
    Paint,
    TableColumn,
    blocks,
    lines,
    listed,
    name_lines,
    no_change_text,
    phrases,
    plural,
    target_text,
    wrapped,
)
from patchmode.reports.text.left_alone import (
    FailedMachine,
    failed_lines,
    not_done_text,
    skipped_lines,
    unreadable_lines,
)
from patchmode.reports.text.next_steps import next_lines
from patchmode.reports.text.verification import mismatch_lines

NOT_WRITTEN_DOWN = "an earlier version began this run and did not record its limits"
_LABEL, _HANG = "Run options  ", 13


def brakes_text(brakes: RunGuardrails) -> str:
    """The options in force, each with where it comes from; empty: none was asked for."""
    sources = {option_name(name): f" (from {source})" for name, source in brakes.sources.items() if source}
    values = typed_values(brakes).items()
    typed = (f"{option} {_quoted(value)}".strip() + sources.get(option, "") for option, value in values)
    return ", ".join(typed)


def begun_lines(brakes: RunGuardrails, *, paint: Paint) -> Iterator[str]:
    """What holds a new run back; nothing where nothing was asked for."""
    text = brakes_text(brakes)
    if text:
        yield from wrapped(f"{_LABEL}{text}", paint=paint, hang=_HANG)


def resumed_lines(brakes: RunGuardrails, kept: RunGuardrails | None, *, paint: Paint) -> Iterator[str]:
    """What holds a run back that is taken up, and what is otherwise than when it was last under way.

    Args:
        brakes: in force now.
        kept: what the run kept; None: an earlier version began it.
        paint: gives the width.
    """
    text = brakes_text(brakes) or "no failure budget, no freeze and no other limit"
    if kept is None:
        yield from wrapped(f"{_LABEL}{NOT_WRITTEN_DOWN}; options now: {text}", paint=paint, hang=_HANG)
        return
    yield from wrapped(f"{_LABEL}{text}", paint=paint, hang=_HANG)
    before, now = typed_values(kept), typed_values(brakes)
    changed = [
        f"{_typed(option, now.get(option))} (was {_was(option, before.get(option))})"
        for option in map(option_name, NAMES)
        if before.get(option) != now.get(option)
    ]
    told = (
        f"Changed now: {', '.join(changed)}."
        if changed
        else "Unchanged since the run began; an option given here changes them."
    )
    if before or changed:
        yield from wrapped(told, paint=paint, indent=_HANG)


def _typed(option: str, value: str | None) -> str:
    """An option as it would be typed; None: as it is lifted."""
    if value == "":
        return option
    if value is None and option == option_name("strict"):
        return option_name("no_strict")
    return f"{option} {_quoted(value or 'none')}"


def _was(option: str, value: str | None) -> str:
    if value is None:
        return "not given"
    return _quoted(value) or option


def _quoted(value: str) -> str:
    return f"'{value}'" if " " in value else value


_ATTACH_TITLES = {
    AttachEnd.FAILED: "Not attached or detached: Azure refused it",
    AttachEnd.UNKNOWN: "Schedule unknown: sent, and no answer was received",
    AttachEnd.MISMATCH: "Schedule not as written",
    AttachEnd.REFUSED: "Schedule not changed, because it would fail or do harm",
    AttachEnd.NOT_SENT: "Schedule not attached or detached, nothing was sent",
}


def wish_lines(plan: Plan, *, paint: Paint) -> Iterator[str]:
    """What a plan attaches or takes off, in a sentence or two; nothing where it does neither."""
    if plan.then_attach is not None:
        wish, count = plan.then_attach, len(plan.changes) + len(plan.unchanged)
        right = f", {len(plan.unchanged):,} of them already compliant" if plan.unchanged else ""
        text = (
            f"Then attach: {wish.configuration.name} to {plural(count, 'machine')}{right}; each only once its settings "
            "were verified."
        )
        yield from (paint("strong", line) for line in wrapped(text, paint=paint, hang=6))
        yield from wrapped(f"{wish.configuration}, assignment {wish.name}", paint=paint, indent=6)
        yield from _already(plan, paint)
        yield from _turned(plan, paint)
        for text in lasting_texts(plan):
            yield from (paint("warn", line) for line in wrapped(f"! {text}", paint=paint, indent=6, hang=8))
    yield from _detach_lines(plan, paint)


def _already(plan: Plan, paint: Paint) -> Iterator[str]:
    """Who gets the schedule without a change of settings, which no diff shows."""
    if plan.unchanged:
        called = MachineNames.of(plan.target, plan.subscription_ids)
        names = [called.short(one.id) for one in plan.unchanged]
        yield from name_lines(names, paint=paint, before="already compliant: ", indent=6, hang=8)


def _detach_lines(plan: Plan, paint: Paint) -> Iterator[str]:
    """Which assignment is deleted from which machines, by configuration and name."""
    called = MachineNames.of(plan.target, plan.subscription_ids)
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in plan.first_detach:
        found[str(one.configuration), one.name].append(called.short(one.id))
    for (configuration, name), names in found.items():
        text = f"First detach: the schedule of {plural(len(names), 'machine')}, before any setting is changed: "
        yield from name_lines(names, paint=paint, before=text, hang=6)
        yield from wrapped(f"{configuration}, assignment {name}", paint=paint, indent=6)


def _turned(plan: Plan, paint: Paint) -> Iterator[str]:
    """What the schedule makes of machines that are as wanted, which the diff does not show."""
    for (before, after), count in turned_by_schedule(plan).items():
        yield from wrapped(f"{plural(count, 'machine')} already compliant: {before} -> {after}", paint=paint, indent=6)


def question_for(plan: Plan) -> str:
    """What is to be agreed to: `Change 3 machines and attach weekly to 5, in subscription Production`."""
    parts = [f"change {plural(len(plan.changes), 'machine')}"] if plan.changes else []
    if plan.then_attach is not None:
        parts.append(f"attach {plan.then_attach.configuration.name} to {len(plan.changes) + len(plan.unchanged):,}")
    if plan.first_detach:
        parts.insert(0, f"detach the schedule from {len(plan.first_detach):,}")
    text = " and ".join(parts)
    touched = plan.touched_in
    called = MachineNames.of(plan.target, touched)
    return text[:1].upper() + text[1:] + called.spread(touched)


def attachment_lines(found: Sequence[AttachResult], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """Attachments that did not end as planned, by kind and reason, followed by an empty line; nothing where all did."""
    for end, title in _ATTACH_TITLES.items():
        entries = [entry for entry in found if entry.result is end]
        if entries:
            yield paint("warn" if end is AttachEnd.NOT_SENT else "bad", f"{title} ({len(entries):,}):")
            failed = (FailedMachine(ResourceId.parse(entry.id), entry.error, entry.correlation_id) for entry in entries)
            yield from failed_lines(failed, names, paint=paint)
            yield ""


def tally_line(found: Sequence[AttachResult], *, paint: Paint) -> Iterator[str]:
    """How many schedules ended in which way, one line; nothing where there are none."""
    if found:
        tally = Counter(entry.result for entry in found)
        parts = [(meaning, f"{tally[end]:,} {word}") for end, (word, meaning) in ATTACH_WORDS.items() if tally[end]]
        whole = [("", "Schedule", ":"), *listed(parts, ";"), ("", plural(len(found), "machine"), ".")]
        yield from phrases(whole, paint=paint, indent=2, hang=4)


UNREAD_SHOWN = 20
_TITLES = {
    Result.FAILED: "Failed",
    Result.UNKNOWN: "Unknown: the change was sent, or may have been, and its end was not read",
    Result.STALE: "Stale: the machine changed since the plan, nothing was changed",
    Result.NOT_SENT: "Not sent",
}
_NAMED = 10
"""So many machines are told one by one where nothing has to be done about them."""
_ENDS = {
    Result.APPLIED: "applied",
    Result.FAILED: "failed",
    Result.UNKNOWN: "unknown",
    Result.STALE: "stale",
    Result.NOT_SENT: "not sent",
}
_STATES = {"finished": "good", "running": "change", "interrupted": "warn", "stopped": "bad", "unreadable": "bad"}


def past_text(report: RunReport) -> str:
    """What is said of a run of which nothing is left, in place of carrying it out."""
    ended = max((one.ended_at for one in report.results if one.ended_at), default=None)
    when = f" at {ended:%Y-%m-%d %H:%M} UTC" if ended else ""
    return f"Run {report.run} had ended{when}: nothing was left to do, and nothing was sent now. This is how it ended."


def past_lines(report: RunReport, *, paint: Paint) -> Iterator[str]:
    """`past_text` before the lines of the report, followed by an empty line."""
    yield from wrapped(past_text(report), paint=paint)
    yield ""


def run_lines(
    report: RunReport, target: Target, *, paint: Paint, tells_not_done: bool = True, names_not_touched: bool = True
) -> Iterator[str]:
    """The lines of a run's report, without line feeds.

    Args:
        report: of one run, or of several united.
        target: where it was carried out.
        paint: colours and width.
        tells_not_done: whether to end with what is not as asked.
        names_not_touched: whether to name the machines that the run never was to change, with the reason.
    """
    ids: list[ResourceId | str] = [*(entry.id for entry in report.results), *(entry.id for entry in report.attachments)]
    ids += [*(entry.id for entry in report.blocked), *(entry.id for entry in report.unread)]
    names = MachineNames.of(target, ids)
    for result, title in _TITLES.items():
        entries = [entry for entry in report.results if entry.result is result]
        if entries:
            yield paint("warn" if result is Result.NOT_SENT else "bad", f"{title} ({len(entries):,}):")
            # Machines that Azure may restart at any moment from now on cannot wait behind a screen of others.
            urgent_first = sorted(entries, key=lambda entry: entry.error is None or entry.error.code != HANDED_OVER)
            failed = (FailedMachine(entry.id, entry.error, entry.correlation_id) for entry in urgent_first)
            yield from failed_lines(failed, names, paint=paint)
            yield ""
    found = [entry.verification for entry in report.results if entry.verification is not None]
    yield from mismatch_lines(found, names, paint=paint)
    yield from _changed_lines(report.results, names, paint)
    yield from attachment_lines(report.attachments, names, paint=paint)
    if names_not_touched:
        yield from _not_touched(report, names, paint)
    yield from _waves(report.waves, paint)
    if report.parts:
        yield from _parts(report, target, names, paint)
    elif report.run:
        where = f" in {names.place}," if names.place else ""
        text = f"Run {report.run}{where} on {target_text(target)}: {report.state}."
        yield from wrapped(text, paint=paint, hang=4)
        for because in dict.fromkeys(one.because for one in report.halts):
            yield from wrapped(f"Reason: {because}.", paint=paint, indent=2, hang=4)
    else:
        counts, where = report.counts, f" on {target_text(target)}"
        # What is not as asked is said last.
        text = (
            f"No change is planned{where}."
            if report.not_done and tells_not_done
            else no_change_text(blocked=counts.blocked, unreadable=counts.unreadable, where=where)
        )
        yield from wrapped(text, paint=paint, hang=4)
    yield from _tally(report, paint)
    yield from _by_subscription(report, names, paint)
    yield from tally_line(report.attachments, paint=paint)
    if tells_not_done:
        yield from next_lines(report, paint=paint)
    if report.not_done and tells_not_done:
        text = f"Not everything is as asked: {not_done_text(report.not_done, report.blocked)}."
        yield from (paint("warn", line) for line in wrapped(text, paint=paint, hang=4))


def _not_touched(report: RunReport, names: MachineNames, paint: Paint) -> Iterator[str]:
    """Machines that were asked for and that the run never was to change: they keep the scope from being ready."""
    if report.blocked:
        yield paint("warn", f"Blocked ({len(report.blocked):,}):")
        yield from skipped_lines(report.blocked, names, paint=paint)
        yield ""
    if report.unread:
        yield paint("warn", f"Could not be read ({len(report.unread):,}):")
        yield from unreadable_lines(report.unread[:UNREAD_SHOWN], names, paint=paint)
        if len(report.unread) > UNREAD_SHOWN:
            yield f"  and {len(report.unread) - UNREAD_SHOWN:,} more, all in the JSON"
        yield ""


def _changed_lines(results: Sequence[ChangeResult], names: MachineNames, paint: Paint) -> Iterator[str]:
    """Machines that were sent their change although something else of them had changed since the plan."""
    changed = [entry for entry in results if entry.changed_since_plan]
    if not changed:
        return
    yield f"Changed since the plan in what it does not depend on, so they were not left out ({len(changed):,}):"
    for entry in changed[:_NAMED]:
        yield f"  {paint('strong', names.short(entry.id))}"
        for one in entry.changed_since_plan:
            yield from wrapped(f"{one.path}: was {one.expected}, is {one.found}", paint=paint, indent=6, hang=8)
    if len(changed) > _NAMED:
        yield f"  and {plural(len(changed) - _NAMED, 'more machine')}; `-o json` has all, as changedSincePlan"
    yield ""


def _waves(waves: Sequence[WaveCounts], paint: Paint) -> Iterator[str]:
    if not waves:
        return
    columns = (
        TableColumn("WAVE", 12, is_name=True),
        *map(TableColumn, ("CHANGES", "APPLIED", "FAILED", "UNKNOWN", "STALE", "NOT SENT")),
    )
    yield from lines(columns, [_wave_cells(one) for one in waves], paint=paint)
    yield ""


def _wave_cells(wave: WaveCounts) -> list[Cell | str]:
    bad = {"failed": wave.failed, "unknown": wave.unknown, "stale": wave.stale}
    return [
        wave.name,
        f"{wave.changes:,}",
        f"{wave.applied:,}",
        *(Cell(f"{count:,}", "bad" if count else None) for count in bad.values()),
        Cell(f"{wave.not_sent:,}", "warn" if wave.not_sent else None),
    ]


def _parts(report: RunReport, target: Target, names: MachineNames, paint: Paint) -> Iterator[str]:
    columns = (
        TableColumn("SHARD"),
        TableColumn("RUN", 12, is_name=True),
        TableColumn("STATE"),
        TableColumn("SCOPE"),
        TableColumn("APPLIED"),
        TableColumn("VERIFIED"),
    )
    rows: list[list[Cell | str]] = [
        [
            str(part.shard or ""),
            part.run or "(nothing to do)",
            Cell(part.state, _STATES.get(part.state)),
            f"{part.counts.scope:,}",
            f"{part.counts.applied:,}",
            f"{part.counts.verified:,}",
        ]
        for part in report.parts
    ]
    yield from lines(columns, rows, paint=paint)
    yield ""
    if report.missing:
        shards = ", ".join(map(str, report.missing))
        told = f"Missing: of {plural(len(report.missing), 'shard')} nothing is known: {shards}."
        yield from (paint("bad", line) for line in wrapped(told, paint=paint, hang=4))
    where = f" in {names.place}," if names.place else ""
    text = f"{plural(len(report.parts), 'part')}{where} on {target_text(target)}: {report.state}."
    yield from wrapped(text, paint=paint, hang=4)


def left_text(left: int, of: int, *, under_way: int) -> str:
    """How much of a run is left before it is taken up; follows the run's name.

    Args:
        left: changes that have no end, or were not sent.
        of: changes of the run.
        under_way: of those that are left, the ones that may have been sent.
    """
    if not left:
        return f"{f'its {of:,} changes have' if of != 1 else 'its change has'} ended; nothing is left to send"
    parts = [f"{left - under_way:,} not sent"] if left > under_way else []
    parts += [f"{under_way:,} sent, and the end not read"] if under_way else []
    return f"{left:,} of {plural(of, 'change')} left: {', '.join(parts)}"


def _tally(report: RunReport, paint: Paint) -> Iterator[str]:
    counts = report.counts
    parts = [
        ("applied", counts.applied, "good"),
        ("failed", counts.failed, "bad"),
        ("unknown", counts.unknown, "bad"),
        ("stale", counts.stale, "bad"),
        ("not sent", counts.not_sent, "warn"),
        ("unchanged", counts.unchanged, "dim"),
        ("skipped", counts.skipped, "dim"),
        ("unreadable", counts.unreadable, "warn"),
    ]
    shown = [(meaning, f"{count:,} {name}") for name, count, meaning in parts if count] or [("", "no machine")]
    whole = [("", f"{counts.scope:,} in scope", ","), ("", f"{counts.verified:,} verified", ".")]
    yield from phrases([*listed(shown, ";"), *whole], paint=paint, indent=2, hang=4)
    told = requests_text(report)
    if told:
        yield from wrapped(told, paint=paint, indent=2, hang=4)


def requests_text(report: RunReport) -> str:
    """How many requests a run sent, and what is counted; never told as all where it may not be. Empty: none known."""
    requests = sum(report.requests.values())
    if not requests and not report.requests_at_least:
        return ""
    each = ", ".join(f"{count:,} {method}" for method, count in sorted(report.requests.items()))
    told = f"{plural(requests, 'request')} to apply and verify{f': {each}' if each else ''}"
    if report.requests_at_least:
        told = f"At least {told}; a process of this run did not report all that it sent"
    return f"{told} (sign-in, planning and permission checks not counted)."


def _by_subscription(report: RunReport, names: MachineNames, paint: Paint) -> Iterator[str]:
    """How the changes of each subscription ended, one line each; nothing where there is but one subscription."""
    if not names.are_several:
        return
    ends: dict[str, Counter[Result]] = defaultdict(Counter)
    for entry in report.results:
        ends[entry.id.subscription_id][entry.result] += 1
    for one in sorted(ends)[:SUBSCRIPTIONS_SHOWN]:
        told = ", ".join(f"{ends[one][result]:,} {word}" for result, word in _ENDS.items() if ends[one][result])
        yield from wrapped(f"{names.subscription(one)}: {told}.", paint=paint, indent=2, hang=4)
    more = len(ends) - SUBSCRIPTIONS_SHOWN
    if more > 0:
        yield f"  and {plural(more, 'more subscription')}."


def runs_lines(runs: Sequence[RunSummary], *, paint: Paint) -> Iterator[str]:
    """The list of runs in the order given, as lines without line feeds.

    In a pipe each line tells all of a run. On a terminal two ids and a tenant do not fit beside each other: what else
    is to be told of a run stands below it, and the target once where all have the same.
    """
    held_back = any(_never_sent(one) for one in runs)
    columns = [TableColumn("RUN"), TableColumn("STATE"), TableColumn("ENDED")]
    columns += [TableColumn("NOT SENT")] if held_back else []
    cells = [_summary(one, tells_not_sent=held_back) for one in runs]
    if paint.width is None:
        wide = (*columns, *map(TableColumn, ("UNDOES", "UNDONE BY", "TARGET")))
        rows = [[*own, *_around(one, runs), _where(one)] for own, one in zip(cells, runs, strict=True)]
        yield from lines(wide, rows, paint=paint)
        yield from _what_ended_counts(paint) if held_back else ()
        return
    table = blocks(columns, cells, paint=paint)
    yield from next(table)
    targets = {one.target for one in runs if one.target}
    for run, block in zip(runs, table, strict=True):
        yield from block
        undoes, undone = _around(run, runs)
        told = [f"undoes {undoes}"] * bool(undoes) + [f"undone by {undone}"] * bool(undone)
        told += [_where(run)] if run.problem or len(targets) > 1 else []
        for text in told:
            yield from wrapped(text, paint=paint, indent=4, hang=6)
    if len(targets) == 1:
        yield ""
        yield from wrapped(f"Target: {target_text(targets.pop())}", paint=paint, hang=4)
    yield from _what_ended_counts(paint) if held_back else ()


def _what_ended_counts(paint: Paint) -> Iterator[str]:
    text = "ENDED counts the changes that have a result, NOT SENT those for which nothing was sent, of all in the plan."
    yield from ("", *wrapped(text, paint=paint))


def _summary(run: RunSummary, *, tells_not_sent: bool) -> list[Cell | str]:
    ended, unsent = run.ended - run.not_sent, _never_sent(run)
    cells: list[Cell | str] = [run.run, Cell(run.state, _STATES.get(run.state)), f"{ended:,}/{run.changes:,}"]
    return [*cells, Cell(f"{unsent:,}", "warn" if unsent else "dim")] if tells_not_sent else cells


def _never_sent(run: RunSummary) -> int:
    """As the run's own report counts them: ended as not sent, or never begun."""
    return run.not_sent + run.not_begun


def _around(run: RunSummary, runs: Sequence[RunSummary]) -> tuple[str, str]:
    """The run that it undoes, and the runs that undid it."""
    return f"{run.rollback_of}{_part(run)}" if run.rollback_of else "", undone_text(run, runs)


def undone_text(run: RunSummary, runs: Sequence[RunSummary]) -> str:
    """The rollbacks of a run, each with what it left undone; empty: none sent anything."""
    return ", ".join(f"{one.run}{_how(one)}" for one in undone_by(run, runs))


def _how(back: RunSummary) -> str:
    return _part(back) or ("" if back.state == "finished" else f" ({back.state})")


def _part(back: RunSummary) -> str:
    return f" ({plural(len(back.only), 'machine')} only)" if back.only else ""


def _where(run: RunSummary) -> str:
    return run.problem or (f"{run.target.endpoint} tenant {run.target.tenant_id}" if run.target else "")
