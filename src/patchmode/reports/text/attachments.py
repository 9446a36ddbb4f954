"""Attaching, detaching and creating schedules, for people: what would happen, and what did.

Must not: call a machine attached that was not seen to be.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from shlex import quote

from patchmode.model.outcome import BY_NOBODY, OutcomeKind
from patchmode.model.plan import Plan
from patchmode.model.report import (
    CreateReport,
    DeleteReport,
    Member,
    ScheduleFinding,
    ScheduleView,
    forecast_counts,
)
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ABSENT_TEXT, Difference
from patchmode.model.schedule import AttachAction, AttachEnd, AttachReport, AttachResult, RunForecast, Window
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import (
    Paint,
    listed,
    name_lines,
    note_lines,
    phrases,
    plural,
    target_text,
    way_out,
    wrapped,
)
from patchmode.reports.text.left_alone import NAMED_ON_A_LINE, skipped_lines, unreadable_lines
from patchmode.reports.text.next_steps import command
from patchmode.reports.text.schedules import window_words

_TITLES = {
    AttachEnd.FAILED: ("bad", "Failed: Azure refused it"),
    AttachEnd.UNKNOWN: ("bad", "Unknown: sent, and no answer was received; it may have been applied"),
    AttachEnd.MISMATCH: ("bad", "Accepted, but not found when read afterwards"),
    AttachEnd.NOT_SENT: ("warn", "Not sent"),
    AttachEnd.REFUSED: ("bad", "Refused, nothing was sent"),
}
ATTACH_WORDS = {
    AttachEnd.ATTACHED: ("attached", "good"),
    AttachEnd.DETACHED: ("detached", "good"),
    AttachEnd.UNCHANGED: ("unchanged", "dim"),
    AttachEnd.REFUSED: ("refused", "bad"),
    AttachEnd.FAILED: ("failed", "bad"),
    AttachEnd.UNKNOWN: ("unknown", "bad"),
    AttachEnd.MISMATCH: ("not as written", "bad"),
    AttachEnd.NOT_SENT: ("not sent", "warn"),
}
"""How an attachment ended → its word and its colour; a refused one ends a command with 11, so it is no mere warning."""


def attach_lines(report: AttachReport, *, paint: Paint, again: Sequence[str] | None = None) -> Iterator[str]:
    """The lines of an attach or detach, without line feeds.

    Args:
        report: how it ended.
        paint: colours and width.
        again: words of this command; None: it cannot be pasted.
    """
    names = names_in(report)
    for end, (meaning, title) in _TITLES.items():
        entries = [entry for entry in report.results if entry.result is end]
        if entries:
            yield paint(meaning, f"{title} ({len(entries):,}):")
            yield from _reasons(entries, names, paint, again)
            yield ""
    if report.skipped:
        yield f"Left out ({len(report.skipped):,}):"
        yield from skipped_lines(report.skipped, names, paint=paint)
        yield ""
    if report.unreadable:
        yield f"Could not be read ({len(report.unreadable):,}):"
        yield from unreadable_lines(report.unreadable, names, paint=paint)
        yield ""
    counts = report.counts
    told = [
        (meaning, f"{counts[end.value]:,} {word}") for end, (word, meaning) in ATTACH_WORDS.items() if counts[end.value]
    ]
    told += [("", f"{counts[name]:,} {name}") for name in ("skipped", "unreadable") if counts[name]]
    what = "dynamic scope" if report.dynamic else "machine"
    verb = "Attach" if report.action is AttachAction.ATTACH else "Detach"
    on = target_text(report.target, names.subscriptions)
    text = f"{verb} {names.short(report.configuration)} on {on}: {report.state}."
    yield from wrapped(text, paint=paint, hang=4)
    where = names_of_machines(report).place
    begin = f"{plural(counts['scope'], what)}{f' in {where}' if where else ''}: "
    whole = [*(("", word, "") for word in begin.split()), *listed(told or [("", "none")], ".")]
    yield from phrases(whole, paint=paint, hang=4)
    yield from note_lines(map(names.named, report.notes), paint=paint)


def names_in(report: AttachReport) -> MachineNames:
    """What a report's schedule, its machines and their subscriptions are called."""
    return MachineNames.of(report.target, [report.configuration, *_ids(report)])


def names_of_machines(report: AttachReport) -> MachineNames:
    """The same of its machines alone, which may stand in other subscriptions than the schedule."""
    return MachineNames.of(report.target, _ids(report))


def _ids(report: AttachReport) -> Iterator[ResourceId | str]:
    yield from (one.id for one in report.results)
    yield from (one.id for one in report.skipped)
    yield from (one.id for one in report.unreadable)


def refused_lines(results: Sequence[AttachResult], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """What will not be sent, by reason; nothing where there is none."""
    if results:
        yield paint("warn", f"Will be refused, nothing is sent for these ({len(results):,}):")
        yield from _reasons(results, names, paint)


WRITTEN_SHOWN = 10
"""So many machines are named before the question."""


def written_lines(
    action: AttachAction, ids: Sequence[ResourceId], names: MachineNames, *, paint: Paint
) -> Iterator[str]:
    """Which machines will be written to, before the question about them; nothing where there are none."""
    if ids:
        yield f"To be {'attached' if action is AttachAction.ATTACH else 'detached'} ({len(ids):,}):"
        yield from name_lines([names.short(one) for one in ids], WRITTEN_SHOWN, paint=paint, indent=6)


def member_lines(members: Sequence[Member], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """Whom a dynamic scope hits now, and what would become of them."""
    yield f"It has {plural(len(members), 'member')} now:"
    counts = forecast_counts(tuple(members))
    words = {
        RunForecast.RUNS: ("will run", "good"),
        RunForecast.FAILS: ("will fail", "bad"),
        RunForecast.MISSED: ("will be missed", "warn"),
        RunForecast.NO_WINDOW: ("no window will come", "warn"),
        RunForecast.UNKNOWN: ("not known", "warn"),
    }
    for kind, (word, meaning) in words.items():
        chosen = [one for one in members if one.result is kind]
        if not chosen:
            continue
        yield paint(meaning, f"  {word} ({counts[kind]:,})")
        yield from name_lines([names.short(one.machine.id) for one in chosen], paint=paint, indent=6)
        if kind is not RunForecast.RUNS:
            for reason in sorted({one.hit.doubt or one.forecast.reason for one in chosen})[:3]:
                yield from wrapped(reason, paint=paint, indent=6)


def draft_lines(
    identifier: ResourceId,
    properties: Mapping[str, object],
    before: Sequence[Difference],
    windows: Sequence[Window],
    warnings: Sequence[ScheduleFinding],
    names: MachineNames,
    *,
    text: str,
    replaces: bool,
    paint: Paint,
) -> Iterator[str]:
    """What would be created or written over, with its first windows."""
    mark, meaning = ("~", "change") if replaces else ("+", "add")
    label = names.subscription(identifier.subscription_id)
    yield f"{paint(meaning, mark)} {paint('strong', names.short(identifier))}  {text}"
    yield f"    in subscription {label}"
    if replaces:
        for one in before:
            yield paint("change", f"    ~ {one.path.removeprefix('properties.')}: {one.found} -> {one.expected}")
    else:
        for path, value in property_leaves(properties):
            yield paint("add", f"    + {path}: {value}")
    yield ""
    yield "First windows:" if windows else "No window comes."
    for window in windows:
        yield f"  {window_words(window)}"
    for finding in warnings:
        for line in wrapped(f"! {finding.message} ({finding.rule})", paint=paint, hang=4):
            yield paint("warn", line)


def difference_lines(differences: Sequence[Difference], *, paint: Paint) -> Iterator[str]:
    """Where a read afterwards shows something else than was sent, and an empty line; nothing where it does not."""
    if differences:
        yield paint("bad", f"Not as written ({len(differences):,}):")
        for one in differences:
            yield from wrapped(one.text, paint=paint, indent=4, hang=6)
        yield ""


def create_lines(report: CreateReport, *, paint: Paint) -> Iterator[str]:
    """The lines of a creation, without line feeds."""
    yield from difference_lines(report.differences, paint=paint)
    words = {"created": "Created", "replaced": "Replaced", "updated": "Updated"}
    word = words.get(report.result, "Already compliant, nothing was sent:")
    names = MachineNames.of(report.target, [report.id])
    text = f"{word} {report.id} in {names.place} on {target_text(report.target, names.subscriptions)}"
    fine = not report.differences
    checked = "; a read afterwards shows what was sent." if report.result != "unchanged" else "."
    for line in wrapped(text + (checked if fine else "."), paint=paint, hang=4):
        yield paint("good" if fine else "bad", line)
    for window in report.windows[:1]:
        yield f"It runs {'next' if report.result == 'updated' else 'first'} on {window_words(window)}."


def property_leaves(value: Mapping[str, object], path: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of a document: its path and its value as text.

    Args:
        value: the document.
        path: of it in a larger one; empty: it is the whole.
    """
    for name, entry in value.items():
        where = f"{path}.{name}" if path else name
        if isinstance(entry, Mapping):
            yield from property_leaves(entry, where)
        elif isinstance(entry, list | tuple):
            yield where, ", ".join(map(str, entry))
        else:
            yield where, ABSENT_TEXT if entry is None else str(entry)


def _reasons(
    results: Sequence[AttachResult], names: MachineNames, paint: Paint, again: Sequence[str] | None = None
) -> Iterator[str]:
    """By rule or code: each reason once with its machines, then one way out for all of them."""
    groups: dict[str, dict[str, list[AttachResult]]] = defaultdict(lambda: defaultdict(list))
    for entry in results:
        error = entry.error
        groups[entry.rule or (error.code if error else "")][error.message if error else ""].append(entry)
    for name, by_message in groups.items():
        members = [entry for found in by_message.values() for entry in found]
        yield f"  {paint('strong', name)} ({len(members):,})"
        for message, found in by_message.items():
            yield from name_lines([names.short(entry.id) for entry in found], paint=paint, indent=6)
            if message:
                yield from wrapped(message, paint=paint, indent=8)
            if found[0].request_id:
                yield f"        request id {found[0].request_id}"
        advice = _advice(name, members, again)
        if advice:
            yield from way_out(advice, paint=paint)


def _advice(rule: str, members: Sequence[AttachResult], again: Sequence[str] | None) -> str:
    first = members[0]
    own = first.fix or (first.error.advice if first.error else "")
    if len(members) == 1 or rule not in {PREREQUISITE_MISSING, LAST_SCHEDULE}:
        return own
    _, _, attach = own.rpartition(" --then-attach ")
    attach = f" --then-attach {attach}" if rule == PREREQUISITE_MISSING and attach else ""
    named = f"--ids {' '.join(quote(one.id) for one in members)}"
    commands = [f"patchmode apply {named}{attach}"]
    if len(members) > NAMED_ON_A_LINE:
        if again is None:
            return own
        listed = ("-o", "json", "--query", f"results[?rule=='{rule}'].id")
        commands = [f"{command(*again, *listed)} > ids.json", f"patchmode apply --ids-file ids.json{attach}"]
    if rule == LAST_SCHEDULE:
        said = "Repeat with --allow-azure-managed if Azure may patch them; else set them to Customer Managed Schedules:"
    else:
        said = "Prepare and attach them:"
    return "\n".join((said, *commands))


PREREQUISITE_MISSING, LAST_SCHEDULE = "prerequisite-missing", "last-schedule"
"""Rules for which one command clears the way for all machines."""


def kept_lines(plan: Plan, *, paint: Paint) -> Iterator[str]:
    """The locks that must go before a run of this plan can be undone; nothing where it attaches under none."""
    for text in kept_texts(plan):
        yield from (paint("warn", line) for line in wrapped(f"! {text}", paint=paint, hang=4))


def kept_texts(plan: Plan) -> Iterator[str]:
    """The same, a sentence a lock."""
    for one in plan.then_attach.kept_by if plan.then_attach is not None else ():
        yield (
            f"First have the lock '{one.lock}' on {one.scope} removed: below it no schedule can be detached, and a "
            "rollback leaves the settings of such a machine as well."
        )


def lasting_texts(plan: Plan) -> Iterator[str]:
    """From how many machines the plan's schedule cannot be detached again, a sentence for each lock."""
    for one in plan.then_attach.kept_by if plan.then_attach is not None else ():
        yield (
            f"From {plural(one.machines, 'machine')} it cannot be detached again, not by `patchmode rollback` either, "
            f"while the lock '{one.lock}' is on {one.scope}."
        )


def turned_by_schedule(plan: Plan) -> Counter[tuple[OutcomeKind, OutcomeKind]]:
    """How many compliant machines the plan's schedule gives another outcome: (before, after) → machines."""
    found = ((one.outcome.kind, one.outcome_after.kind) for one in plan.unchanged if one.outcome_after)
    return Counter(pair for pair in found if pair[0] is not pair[1])


def deletion_lines(
    view: ScheduleView,
    left: Mapping[OutcomeKind, Sequence[ResourceId]],
    names: MachineNames,
    *,
    lost: Sequence[str],
    paint: Paint,
) -> Iterator[str]:
    """What would be deleted, whom it reaches, and who patches those machines without it.

    Args:
        view: the schedule with its members.
        left: who patches its members afterwards, by outcome.
        names: of it and its members.
        lost: members of it that the printed command cannot make again.
        paint: colours and width.
    """
    one = view.configuration
    yield f"{paint('remove', '-')} {paint('strong', names.short(one.id))}  {view.window_text}"
    yield f"    in subscription {names.subscription(one.id.subscription_id)}"
    members = len(view.members)
    text = f"{plural(members, 'member')}, by {plural(len(view.assignments), 'static assignment')} and "
    text += f"{plural(len(view.dynamic_scopes), 'dynamic scope')}; all of these are detached first."
    yield from wrapped(
        text if members or view.assignments or view.dynamic_scopes else "No member.", paint=paint, indent=4
    )
    if view.in_doubt:
        yield from wrapped(f"Of {view.in_doubt:,} it is not certain that they are members.", paint=paint, indent=4)
    if view.unseen:
        absent = [names.short(each) for each in view.unseen]
        before = f"{plural(len(absent), 'assignment')} of machines that do not exist or are not seen: "
        yield from name_lines(absent, paint=paint, before=before, indent=4, hang=6)
    if members:
        yield "Who patches its members without it:"
    for meaning, words, ids in left_texts(left):
        yield paint(meaning, f"  {words} ({len(ids):,})")
        yield from name_lines([names.short(each) for each in ids], WRITTEN_SHOWN, paint=paint, indent=6)
    if lost:
        text = f"! The command that makes it again cannot set: {', '.join(lost)}."
        yield from (paint("warn", line) for line in wrapped(text, paint=paint, hang=4))


def left_texts(
    left: Mapping[OutcomeKind, Sequence[ResourceId]],
) -> Iterator[tuple[str, str, Sequence[ResourceId]]]:
    """Who patches machines once a schedule is taken away: meaning (`good`, `warn`, `bad`), words, machines."""
    for kind, ids in left.items():
        meaning = "bad" if kind in _BAD else "warn" if kind is not OutcomeKind.SCHEDULED else "good"
        yield meaning, _WITHOUT_IT.get(kind, kind.words), ids


_WITHOUT_IT = {
    OutcomeKind.SCHEDULED: "patched by another schedule",
    OutcomeKind.SCHEDULE_FAILS: "patched by nobody: another schedule is attached and its runs fail",
    OutcomeKind.UNKNOWN: "not known; `patchmode explain` of one says why",
}
"""What an outcome means where a schedule is taken away; the others mean what they always do."""
_BAD = BY_NOBODY | {OutcomeKind.AUTOPATCHED}


def delete_lines(report: DeleteReport, *, paint: Paint, again: Sequence[str] | None = None) -> Iterator[str]:
    """The lines of a deletion, without line feeds.

    Args:
        report: how it ended.
        paint: colours and width.
        again: words of this command; None: it cannot be pasted.
    """
    ids: list[ResourceId | str] = [report.configuration.id, *(one.id for one in report.detached)]
    names = MachineNames.of(report.target, ids)
    for end, (meaning, title) in _TITLES.items():
        entries = [one for one in report.detached if one.result is end]
        if entries:
            yield paint(meaning, f"{title} ({len(entries):,}):")
            yield from _reasons(entries, names, paint, again)
            yield ""
    identifier, error = report.configuration.id, report.end.error
    if error is None:
        on = target_text(report.target, names.subscriptions)
        text = f"Deleted {identifier} on {on}; a read afterwards does not find it."
        yield from (paint("good", line) for line in wrapped(text, paint=paint, hang=4))
    else:
        yield from (paint("bad", line) for line in wrapped(f"{identifier}: {error.message}", paint=paint, hang=4))
        if error.advice:
            yield from way_out(error.advice, paint=paint)
    counts = Counter(one.result for one in report.detached)
    told = ", ".join(f"{counts[end]:,} {ATTACH_WORDS[end][0]}" for end in AttachEnd if counts[end])
    if told:
        yield f"{plural(len(report.detached), 'assignment')}: {told}."
    nobody = sum(count for kind, count in report.left.items() if kind in BY_NOBODY)
    if nobody and error is None:
        verb = "is" if nobody == 1 else "are"
        yield paint("warn", f"{plural(nobody, 'machine')} that it reached {verb} patched by nobody now.")
    yield from note_lines(map(names.named, report.notes), paint=paint)


def reached_lines(now: ScheduleView, then: ScheduleView, *, paint: Paint) -> Iterator[str]:
    """How many machines a schedule reaches, and how its next window would end for them before and after a change."""
    unseen = f", and {plural(len(now.unseen), 'machine that is', 'machines that are')} not seen" if now.unseen else ""
    yield from wrapped(f"It reaches {plural(len(now.members), 'machine')}{unseen}.", paint=paint, hang=4)
    if now.members:
        before, after = _forecasts(now), _forecasts(then)
        text = f"Next window: {before}; after the change: {'the same' if before == after else after}."
        yield from wrapped(text, paint=paint, hang=4)


def _forecasts(view: ScheduleView) -> str:
    words = {
        RunForecast.RUNS: "run",
        RunForecast.FAILS: "fail",
        RunForecast.MISSED: "are missed",
        RunForecast.NO_WINDOW: "have no window",
        RunForecast.UNKNOWN: "are not known",
    }
    found = view.forecasts
    return ", ".join(f"{found[kind]:,} {word}" for kind, word in words.items() if found[kind])
