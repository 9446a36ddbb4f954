"""A plan for people: what cannot be undone, its waves, the diff, then every machine that is left alone and why."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from patchmode.model.outcome import Headline, OutcomeKind
from patchmode.model.patch_settings import PatchMode, PatchSettings, orchestration_of, same_value
from patchmode.model.plain_text import printable
from patchmode.model.plan import Change, Plan
from patchmode.model.scope import scope_text
from patchmode.reports.names import MachineNames
from patchmode.reports.text.audit import change_lines, legend_lines
from patchmode.reports.text.layout import Paint, TableColumn, lines, name_lines, plural, some, target_text, wrapped
from patchmode.reports.text.left_alone import not_done_text, skipped_lines, unreadable_lines
from patchmode.reports.text.next_steps import NOBODY, nobody_lines
from patchmode.reports.text.summary import Counted, SummaryBy, Tally
from patchmode.reports.text.summary import summary_lines as count_lines

AZURE_AGAIN = "Azure may patch and reboot these machines at a time it chooses now, and could again."
"""Why a rollback of such changes has to be allowed by name."""
SHOWN = 30
"""More waves than that are counted; the plan file names them all."""
_REGIONS = 3


def wave_lines(plan: Plan, *, paint: Paint) -> Iterator[str]:
    """A table of a plan's waves, followed by an empty line; nothing where everything is carried out at once."""
    if not plan.waves:
        return
    attaches = plan.then_attach is not None
    yield f"{plural(len(plan.waves), 'wave')}, one after the other:"
    columns = [TableColumn(""), TableColumn("WAVE", 12, is_name=True), TableColumn("CHANGE")]
    columns += [TableColumn("ONLY SCHEDULE")] if attaches else []
    columns += [TableColumn("SYSTEMS", 12), TableColumn("REGIONS", 12)]
    shown, more = wave_rows(plan), plan.waves[SHOWN:]
    yield from lines(columns, (_row(row, attaches=attaches) for row in shown), paint=paint)
    if more:
        machines = sum(wave.changes + wave.unchanged for wave in more)
        yield from wrapped(
            f"and {plural(len(more), 'more wave', 'more waves')} of {plural(machines, 'machine')}: they are in the "
            "plan file, and in this command's JSON.",
            paint=paint,
        )
    yield ""


class WaveRow(NamedTuple):
    """One wave of a plan as it is shown."""

    number: int
    """Counted from 1."""
    name: str
    changes: int
    only_schedule: int
    """Machines whose settings are compliant and that get the plan's schedule; 0 where it attaches none."""
    systems: str
    """Of those that are changed."""
    regions: str
    """Of those that are changed."""

    @property
    def machines(self) -> int:
        """How many it touches."""
        return self.changes + self.only_schedule


def wave_rows(plan: Plan) -> Sequence[WaveRow]:
    """The first `SHOWN` waves of a plan, in their order; empty: it has none."""
    return [_wave_row(plan, place) for place in range(len(plan.waves[:SHOWN]))]


def _wave_row(plan: Plan, place: int) -> WaveRow:
    wave, changes = plan.waves[place], plan.changes_of(place)
    systems = ", ".join(_counted(str(change.os) for change in changes))
    regions = some(_counted(change.location for change in changes), _REGIONS)
    return WaveRow(place + 1, wave.name, wave.changes, wave.unchanged, systems, regions)


def _row(row: WaveRow, *, attaches: bool) -> list[str]:
    only_schedule = [f"{row.only_schedule:,}"] if attaches else []
    return [str(row.number), row.name, f"{row.changes:,}", *only_schedule, row.systems, row.regions]


def _counted(values: Iterable[str]) -> list[str]:
    """`8 Windows`, `4 Linux`: the most frequent first."""
    counts = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return [f"{count:,} {value}" for value, count in counts]


ONE_BY_ONE = 10
"""Up to this many changes are shown machine by machine; more are shown by kind of change, with their machines."""


@dataclass(frozen=True, slots=True)
class LeafChange:
    """One setting that a change sends."""

    path: str
    """Below `patchSettings`."""
    before: str | None
    """JSON text; None: absent."""
    after: str

    @property
    def is_restated(self) -> bool:
        """Whether it is sent again as the model states it, because Azure must get it together with another."""
        return self.before == self.after


_TALLIES = (
    Tally("change", "TO CHANGE"),
    Tally("unchanged", "COMPLIANT"),
    Tally("skipped", "SKIPPED"),
    Tally("unreadable", "UNREADABLE"),
)


def plan_lines(
    plan: Plan, *, paint: Paint, by: SummaryBy | None = None, again: Sequence[str] | None = None
) -> Iterator[str]:
    """The lines of a plan, without line feeds.

    Args:
        plan: the plan.
        paint: colours, width and height.
        by: what its summary counts by; None: as `count_lines` says.
        again: words of the command that makes this plan once more; None: there is none that could be pasted.
    """
    yield from wrapped(f"Plan for {target_text(plan.target)}", paint=paint)
    scope = list(plan.scope)
    if plan.rollback_of:
        yield f"Undoes run {plan.rollback_of}."
        scope = [text for text in scope if text != f"--run {plan.rollback_of}"]
    names = names_in(plan)
    told = ", in ".join(filter(None, (scope_text(scope), names.place)))
    if told:
        yield from wrapped(f"Scope: {told}", paint=paint, hang=7)
    yield ""
    rows = plan.counts["scope"]
    yield from count_lines(_ends_of(plan), _TALLIES, names, whole="SCOPE", by=by, rows=rows, paint=paint)
    yield from irreversible_lines(plan, paint=paint)
    yield from wave_lines(plan, paint=paint)
    if len(plan.changes) <= ONE_BY_ONE:
        for change in plan.changes:
            yield from _one(change, names, paint)
    else:
        yield from _grouped(plan, names, paint)
    kinds = {one.kind for change in plan.changes for one in (change.outcome_before, change.outcome_after)}
    if kinds:
        yield from legend_lines(kinds, paint=paint)
        yield ""
    if plan.skipped:
        yield f"Skipped ({len(plan.skipped):,}):"
        yield from skipped_lines(plan.skipped, names, paint=paint)
        yield ""
    if plan.unreadable:
        yield f"Could not be read ({len(plan.unreadable):,}):"
        yield from unreadable_lines(plan.unreadable, names, paint=paint)
        yield ""
    yield from _headline(plan, paint)
    yield from _unpatched_lines(plan, names, paint)
    yield from nobody_lines(plan, again=again, paint=paint)
    yield from summary_lines(plan, paint=paint)


_PATCHED = frozenset({OutcomeKind.SCHEDULED, OutcomeKind.AUTOPATCHED, OutcomeKind.GUEST_MANAGED})
_UNPATCHED = (OutcomeKind.SCHEDULE_FAILS, OutcomeKind.NOT_PATCHED)
"""Beside `parked`, which `nobody_lines` tells."""


def _unpatched_lines(plan: Plan, names: MachineNames, paint: Paint) -> Iterator[str]:
    """The machines that are patched now and will not be, as after a rollback; nothing where there are none."""
    told = [(one.id, one.outcome_before, one.outcome_after) for one in plan.changes]
    told += [(one.id, one.outcome, one.outcome_in_the_end) for one in plan.unchanged]
    for kind in _UNPATCHED:
        lost = [names.short(one) for one, now, later in told if later.kind is kind and now.kind in _PATCHED]
        if lost:
            before = f"! {plural(len(lost), 'machine')} patched now will be {kind.words}: "
            yield from (paint("warn", line) for line in name_lines(lost, paint=paint, before=before, after=".", hang=2))
            yield ""


def _ends_of(plan: Plan) -> Iterator[Counted]:
    """Everything in scope with what the plan does with it."""
    yield from (Counted(one.id, ("change",)) for one in plan.changes)
    yield from (Counted(one.id, ("unchanged",)) for one in plan.unchanged)
    yield from (Counted(one.id, ("skipped",)) for one in plan.skipped)
    yield from (Counted(one.id, ("unreadable",)) for one in plan.unreadable)


def names_in(plan: Plan) -> MachineNames:
    """What the machines of a plan and their subscriptions are called."""
    return MachineNames.of(plan.target, plan.subscription_ids)


def _headline(plan: Plan, paint: Paint) -> Iterator[str]:
    """What the plan makes of its machines, with the schedule that it attaches or takes off."""
    if not plan.has_work:
        return
    same = [entry.outcome for entry in plan.skipped if entry.outcome is not None]
    before = [*(one.outcome for one in plan.unchanged), *(change.outcome_before for change in plan.changes)]
    after = [one.outcome_after or one.outcome for one in plan.unchanged]
    after += [change.outcome_after for change in plan.changes]
    yield "Now and after the plan:"
    yield from change_lines(Headline.of((*same, *before)), Headline.of((*same, *after)), paint=paint)
    yield ""


def summary_lines(plan: Plan, *, paint: Paint) -> Iterator[str]:
    """The counts of a plan in one sentence, by subscription where it has several, and what it leaves undone."""
    counts = plan.counts
    text = (
        f"Plan: {counts['changes']:,} to change, {counts['unchanged']:,} already compliant, "
        f"{counts['skipped']:,} skipped, {counts['unreadable']:,} unreadable; {counts['scope']:,} in scope."
        + (f" {plural(len(plan.waves), 'wave')}." if plan.waves else "")
    )
    for line in wrapped(text, paint=paint, hang=6):
        yield paint("strong", line)
    names, touched = names_in(plan), plan.touched_in
    if names.are_several and touched:
        untouched = dict.fromkeys(names.subscriptions, 0)
        # The machines that only get or lose the schedule are among them, and not among those to change above.
        also = " or attach" if plan.then_attach is not None else " or detach" if plan.first_detach else ""
        text = f"To change{also}: {names.counted({**untouched, **touched})}."
        for line in wrapped(text, paint=paint, hang=6):
            yield paint("strong", line)
    if plan.not_done:
        rest = f"Not in this plan, although asked for: {not_done_text(plan.not_done, plan.blocked)}."
        yield from (paint("warn", line) for line in wrapped(rest, paint=paint, hang=4))


def leaf_changes(change: Change) -> list[LeafChange]:
    """What a change does to `patchSettings`, leaf by leaf, the patch mode first."""
    return [leaf for leaf in sent_leaves(change) if not leaf.is_restated]


def sent_leaves(change: Change) -> list[LeafChange]:
    """Every leaf of a change's request, the patch mode first: what is sent is what is shown."""
    before, sent = _leaves(change.before or {}), _leaves(_settings_of(change.body))
    paths = sorted(sent, key=lambda path: (path != "patchMode", path))
    return [LeafChange(path, _text(before[path]) if path in before else None, _text(sent[path])) for path in paths]


def _settings_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a request's body sends; the path down to it is `properties.osProfile.{configuration}.patchSettings`."""
    for _ in range(4):
        body = next(iter(body.values()))
    return body


def _leaves(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            leaves |= _leaves(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def _text(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False))


def irreversible_lines(plan: Plan, *, paint: Paint) -> Iterator[str]:
    """The changes that rollback cannot undo, by reason, and those that it undoes only when allowed.

    Each kind is followed by an empty line; nothing where there are none.
    """
    by_reason: dict[str, list[str]] = defaultdict(list)
    called = names_in(plan)
    for change in plan.changes:
        if not change.reversible:
            by_reason[change.irreversible_because or "Azure does not allow this change to be undone."].append(
                called.short(change.id)
            )
    if by_reason:
        count = sum(len(names) for names in by_reason.values())
        yield paint("bad", f"! {plural(count, 'change')} cannot be undone by `patchmode rollback`:")
        for reason, names in sorted(by_reason.items(), key=lambda item: -len(item[1])):
            yield from wrapped(reason, paint=paint, indent=4)
            yield from name_lines(names, paint=paint, before=f"{len(names):,}: ", indent=6)
        yield ""
    allowed = [called.short(change.id) for change in plan.changes if change.reversible and change.ends_azure_managed]
    if allowed:
        are = "is" if len(allowed) == 1 else "are"
        yield paint("warn", f"! {plural(len(allowed), 'change')} {are} rolled back only with --allow-azure-managed:")
        yield from wrapped(AZURE_AGAIN, paint=paint, indent=4)
        yield from name_lines(allowed, paint=paint, before=f"{len(allowed):,}: ", indent=6)
        yield ""


def _one(change: Change, names: MachineNames, paint: Paint) -> Iterator[str]:
    mark = "" if change.reversible else paint("bad", "  ! cannot be undone")
    mark += _nobody_mark(change, paint)
    yield f"{paint('change', '~')} {paint('strong', names.short(change.id))}  {change.os}, {change.location}{mark}"
    yield from _diff(change, paint)
    yield ""


def _nobody_mark(change: Change, paint: Paint) -> str:
    return paint("warn", f"  ! {NOBODY}") if change.outcome_after.kind is OutcomeKind.PARKED else ""


def _diff(change: Change, paint: Paint) -> Iterator[str]:
    changed = sent_leaves(change)
    # The last name tells which setting it is: no two leaves of patchSettings share one.
    names = [entry.path.rpartition(".")[2] for entry in changed]
    width = max(map(len, names), default=0)
    for name, entry in zip(names, changed, strict=True):
        mark, meaning, values = _values(entry)
        yield paint(meaning, f"    {mark} {_fitted(name, width, values, paint)}")
    yield from _left_behind(change, paint)
    before, after = (orchestration_of(PatchSettings.from_document(one)) for one in (change.before, change.after))
    if before is not after:
        told_so = f"orchestration: {before.portal_name} -> {after.portal_name}"
        yield from (paint("dim", line) for line in wrapped(told_so, paint=paint, indent=6, hang=8))
    told = {change.outcome_before.kind, change.outcome_after.kind}
    is_failing = change.outcome_after.kind is OutcomeKind.SCHEDULE_FAILS
    if len(told) > 1 or is_failing:
        text = f"outcome: {change.outcome_before.kind} -> {change.outcome_after.kind}"
        text += f": {change.outcome_after.reason}" if is_failing else ""
        yield from (paint("dim", line) for line in wrapped(text, paint=paint, indent=6, hang=8))


def _left_behind(change: Change, paint: Paint) -> Iterator[str]:
    """What becomes of bypass, which no other mode lets be sent: it is a leaf that the change does not hold."""
    before, after = (PatchSettings.from_document(one) for one in (change.before, change.after))
    stays = after is not None and same_value(after.patch_mode, PatchMode.AUTOMATIC_BY_PLATFORM)
    if before is not None and before.bypass is not None and not stays:
        text = (
            "bypassPlatformSafetyChecksOnUserSchedule is not sent: Azure clears or keeps it, and outside "
            "AutomaticByPlatform it has no effect"
        )
        yield from (paint("dim", line) for line in wrapped(text, paint=paint, indent=6, hang=8))


def _values(entry: LeafChange) -> tuple[str, str, str]:
    """Mark, meaning for colours, and values of one leaf's change."""
    if entry.is_restated:
        return "=", "dim", f"{entry.after} (sent again)"
    if entry.before is None:
        return "+", "add", entry.after
    return "~", "change", f"{entry.before} -> {entry.after}"


def _fitted(name: str, width: int, values: str, paint: Paint) -> str:
    """Name and values in columns; side by side where columns do not fit, below each other where even that does not."""
    room = float("inf") if paint.width is None else paint.width - 6
    if width + 2 + len(values) <= room:
        return f"{name:<{width}}  {values}"
    return f"{name}  {values}" if len(name) + 2 + len(values) <= room else f"{name}\n          {values}"


def _grouped(plan: Plan, names: MachineNames, paint: Paint) -> Iterator[str]:
    groups: dict[tuple[str, ...], list[Change]] = defaultdict(list)
    for change in plan.changes:
        groups[change.os, _nobody_mark(change, Paint()), *_diff(change, Paint())].append(change)
    for members in sorted(groups.values(), key=len, reverse=True):
        title = f"{paint('change', '~')} {paint('strong', plural(len(members), 'machine'))}  {members[0].os}"
        yield title + _nobody_mark(members[0], paint)
        yield from _diff(members[0], paint)
        if names.are_several:
            counted = names.counted(Counter(change.id.subscription_id for change in members))
            yield from wrapped(counted, paint=paint, indent=6)
        yield from name_lines([names.short(change.id) for change in members], 40, paint=paint, indent=6)
        yield ""
    yield from wrapped("Every machine is in the plan file, and in this command's JSON.", paint=paint)
    yield ""
