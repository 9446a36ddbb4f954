"""What became of machines in their windows, for people and as `patchmode/after-window/v1`.

Must not: call a machine patched that has no record, or hide that it is Resource Graph's record.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from patchmode.json_edge import Edge, Subscriptions, with_subscriptions
from patchmode.model.after_window import AfterWindowReport, WindowEnd, WindowResult
from patchmode.reports.audit_document import AuditTarget
from patchmode.reports.columns import wrapped
from patchmode.reports.headings import note_lines, plural, some
from patchmode.reports.left_alone import not_done_text
from patchmode.reports.machine_names import MachineNames
from patchmode.reports.paint import Paint

if TYPE_CHECKING:
    from patchmode.model.resource_id import ResourceId

_TITLES = {
    WindowEnd.FAILED: ("Failed in its window", "bad"),
    WindowEnd.MISSED: ("Missed its window: powered off or not responding", "bad"),
    WindowEnd.UNKNOWN: ("Not known", "warn"),
    WindowEnd.NO_SCHEDULE: ("No schedule", "warn"),
    WindowEnd.NOT_YET: ("Not yet", "change"),
}
_WORDS = {
    WindowEnd.SUCCEEDED: "succeeded",
    WindowEnd.FAILED: "failed",
    WindowEnd.MISSED: "missed",
    WindowEnd.NOT_YET: "not yet",
    WindowEnd.NO_SCHEDULE: "without a schedule",
    WindowEnd.UNKNOWN: "not known",
}


class WindowResultRow(Edge, frozen=True):
    """One machine."""

    id: str
    result: WindowEnd
    reason: str
    fix: str | None
    configuration: str | None
    run_started_at: datetime | None
    window_ends_at: datetime | None


class AfterWindowDocument(Edge, frozen=True):
    """`verify --after-window -o json`."""

    format: Literal["patchmode/after-window/v1"]
    source: Literal["resource-graph"]
    run: str | None
    """Null where a file or a scope was asked for."""
    target: AuditTarget
    since: datetime
    looked_at: datetime
    counts: dict[str, int]
    """`scope` is the sum of the others."""
    results: tuple[WindowResultRow, ...]
    notes: tuple[str, ...]
    not_done: dict[str, int] | msgspec.UnsetType = msgspec.UNSET
    """What of the run or the plan was not done, so that no window was looked for; left out: nothing."""
    subscriptions: Subscriptions = msgspec.UNSET
    """What its subscriptions are called; left out where no name is known."""


CSV_COLUMNS = WindowResultRow.__struct_encode_fields__


def after_window_document(report: AfterWindowReport, *, run: str | None) -> AfterWindowDocument:
    """The published struct."""
    target = report.target
    document = AfterWindowDocument(
        format="patchmode/after-window/v1",
        source="resource-graph",
        run=run,
        target=AuditTarget(cloud=target.cloud, endpoint=target.endpoint, tenant_id=target.tenant_id),
        since=report.since,
        looked_at=report.looked_at,
        counts=report.counts,
        results=tuple(map(window_row, report.results)),
        notes=report.notes,
        not_done=dict(report.not_done) or msgspec.UNSET,
    )
    return with_subscriptions(document, target.names)


def window_row(entry: WindowResult) -> WindowResultRow:
    """One machine as it stands in `results`."""
    return WindowResultRow(
        id=str(entry.id),
        result=entry.result,
        reason=entry.reason,
        fix=entry.fix,
        configuration=entry.configuration,
        run_started_at=entry.run_started_at,
        window_ends_at=entry.window_ends_at,
    )


def after_window_lines(report: AfterWindowReport, *, what: str, paint: Paint) -> Iterator[str]:
    """The lines for people: what did not succeed first, by reason, then the tally.

    Args:
        report: the report.
        what: the run, file or scope that was asked for.
        paint: colours and width.
    """
    ids: list[ResourceId | str] = [*(entry.id for entry in report.results), *report.unread]
    names = MachineNames.of(report.target, ids, paint=paint)
    for end, (title, meaning) in _TITLES.items():
        entries = [entry for entry in report.results if entry.result is end]
        if entries:
            yield paint(meaning, f"{title} ({len(entries):,}):")
            yield from _by_reason(entries, names, paint)
            yield ""
    counts = report.counts
    parts = [f"{counts[end.value]:,} {word}" for end, word in _WORDS.items() if counts[end.value]]
    since = f"{report.since.astimezone(UTC):%Y-%m-%d %H:%MZ}"
    text = f"After the window ({what}, since {since}): {', '.join(parts) or 'no machine'}; "
    fine = counts["succeeded"] == counts["scope"] and not report.unread
    missing = (
        f", without those in {plural(len(report.unread), 'place')} that could not be read" if report.unread else ""
    )
    where = f" in {names.place}" if names.place else ""
    for line in wrapped(f"{text}{plural(counts['scope'], 'machine')}{where}{missing}.", paint=paint, hang=4):
        yield paint("good" if fine else "bad", line)
    yield from note_lines(map(names.named, report.notes), paint=paint)
    if report.not_done:
        rest = not_done_text(report.not_done, ())
        text = f"Not everything of {what} is as asked: {rest}. No window of these machines was checked."
        yield from (paint("warn", line) for line in wrapped(text, paint=paint, hang=4))


def _by_reason(entries: Sequence[WindowResult], names: MachineNames, paint: Paint) -> Iterator[str]:
    groups: dict[tuple[str, str | None], list[WindowResult]] = defaultdict(list)
    for entry in entries:
        # A fix that names its machine would make a group of each.
        fix = entry.fix.replace(str(entry.id), "ID") if entry.fix else None
        groups[entry.reason, fix].append(entry)
    for (reason, fix), members in groups.items():
        machines = some([names.short(entry.id) for entry in members])
        yield from (paint("strong", line) for line in wrapped(machines, paint=paint, indent=2, hang=4))
        yield from wrapped(reason, paint=paint, indent=6)
        if fix:
            told = members[0].fix if len(members) == 1 else fix
            yield from wrapped(f"→ {told}", paint=paint, indent=6, hang=8)
