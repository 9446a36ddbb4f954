"""A record as Markdown (GitHub's), for a pull request, a wiki or a ticket.

Must not: let a name from Azure become markup, a mention or a link.
"""

import re
from collections.abc import Iterator, Sequence

from patchmode.model.plain_text import printable
from patchmode.model.record import Chart, FindingGroup, Level, Meaning, Record, RecordedMachine, RecordState
from patchmode.reports.formats.recorded import shown_text
from patchmode.reports.text.layout import plural

MACHINES_SHOWN = 200
"""More are only counted: a comment on GitHub holds 65,536 characters."""
NAMES_SHOWN = 20
_MARKS = {Meaning.GOOD: "🟢", Meaning.WARN: "🟠", Meaning.BAD: "🔴", Meaning.DIM: "⚪"}
_LEVELS = {Level.ERROR: "🔴", Level.WARNING: "🟠", Level.NOTE: "⚪"}
_JOINER = "&#8205;"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#!|~^$&]|:(?=//))")


def markdown(record: Record) -> Iterator[str]:
    """The text, in pieces."""
    yield f"# {escaped(record.title)}\n\n{_MARKS[record.meaning]} **{escaped(record.verdict)}**\n\n"
    yield from _table(("", ""), [(escaped(name), escaped(text)) for name, text in record.facts])
    for chart in record.charts:
        yield from _chart(chart)
    groups = record.by_rule()
    if groups:
        yield "## What needs attention\n\n"
        several = record.has_several_subscriptions
        yield from (_group(group, several=several) for group in groups)
    yield from _machines(record)
    if record.notes:
        yield "## Notes\n\n" + "".join(f"- {escaped(note)}\n" for note in record.notes) + "\n"


def escaped(text: object) -> str:
    """Text as Markdown shows it and nothing else: no markup, no HTML, no mention, no link."""
    # A zero-width joiner breaks `@name` and `www.` without being seen; a backslash does not stop a mention. It is named
    # by its number, so that the file itself holds nothing that is not seen.
    plain = _MARKUP.sub(r"\\\1", printable(str(text))).replace("@", f"@{_JOINER}")
    return re.sub(r"(?i)\b(www)\.", rf"\1{_JOINER}.", plain)


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], numbers: frozenset[int] = frozenset()
) -> Iterator[str]:
    rule = "|".join("--:" if at in numbers else "---" for at, _ in enumerate(headings))
    yield f"| {' | '.join(headings)} |\n|{rule}|\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"
    yield "\n"


def _chart(chart: Chart) -> Iterator[str]:
    if chart.bars:
        yield f"## {escaped(chart.title)}\n\n"
        rows = [(f"{_MARKS[bar.meaning]} `{bar.name}`", escaped(bar.label), f"{bar.count:,}") for bar in chart.bars]
        yield from _table((chart.heading, "Meaning", "Machines"), rows, frozenset({2}))


def _group(group: FindingGroup, *, several: bool) -> str:
    rule, members = group.rule, group.members
    names = [escaped(one.called(several=several)) for one, _ in members[:NAMES_SHOWN]]
    more = f" and {len(members) - NAMES_SHOWN:,} more" if len(members) > NAMES_SHOWN else ""
    fixes = "".join(f"- **Fix:** {escaped(' '.join(fix.split()))}\n" for fix in group.fixes[:5])
    head = f"### {_LEVELS[group.level]} `{rule.id}` ({len(members):,})\n\n{escaped(rule.title)}.\n\n"
    return f"{head}- **Machines:** {', '.join(names)}{more}\n{fixes}\n"


def _machines(record: Record) -> Iterator[str]:
    columns = [column for column in record.columns if column.is_shown]
    # What needs attention must not fall to the limit.
    order = (RecordState.UNREADABLE, RecordState.FINDING, RecordState.FINE, RecordState.SKIPPED)
    machines = sorted(record.machines, key=lambda one: order.index(one.standing))
    shown = machines[:MACHINES_SHOWN]
    more = len(machines) - len(shown)
    yield f"<details><summary>{plural(len(machines), 'machine')}</summary>\n\n"
    several = record.has_several_subscriptions
    place = ["Subscription"] if several else []
    rows = [_row(one, record, has_place=several) for one in shown]
    headings = [column.heading for column in columns]
    yield from _table([*headings[:2], *place, *headings[2:]], rows)
    if more:
        yield f"{plural(more, 'more machine')} left out here; JSON, CSV, Excel and HTML have them all.\n\n"
    yield "</details>\n\n"


def _row(machine: RecordedMachine, record: Record, *, has_place: bool) -> list[str]:
    cells = [escaped(shown_text(machine, column)) for column in record.columns if column.is_shown]
    place = [escaped(machine.subscription)] if has_place else []
    return [f"{_MARKS[machine.meaning]} {cells[0]}", cells[1], *place, *cells[2:]]
