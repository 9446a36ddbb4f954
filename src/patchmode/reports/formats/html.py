"""A record as one HTML page: no script, no outside asset, charts as SVG in tables that say the same in numbers.

Every text is escaped by the template's environment, and the page's own policy lets nothing in but its one style sheet,
so that not even a fault here would let a machine's name run.

Must not: decide what is told; the record does.
"""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from patchmode.model.plain_text import with_marks
from patchmode.model.record import Chart, FindingGroup, Level, Meaning, Record, RecordedMachine, RecordState
from patchmode.reports.formats.recorded import shown_text
from patchmode.reports.text.layout import plural
from patchmode.version import __version__

if TYPE_CHECKING:
    from jinja2 import Template


NAMES_SHOWN = 100
"""Machines named below a finding; the table has all."""
SMALL = 200
"""Up to this many machines all tables are open."""
SUBSCRIPTIONS_SHOWN = 15
_BUFFER = 500
_END_COLUMNS = {"audit": "outcome", "run": "result"}
_BESIDE_NAME = frozenset({"resourceGroup"})
"""Told below the machine's name, which leaves room for what matters."""
_STANDINGS: Mapping[RecordState, tuple[str, Meaning]] = {
    RecordState.FINE: ("compliant", Meaning.GOOD),
    RecordState.FINDING: ("needs attention", Meaning.BAD),
    RecordState.UNREADABLE: ("unreadable or not known", Meaning.WARN),
    RecordState.SKIPPED: ("left out", Meaning.DIM),
}


@dataclass(frozen=True, slots=True)
class _BarPiece:
    """One piece of a bar, in hundredths of its length."""

    meaning: Meaning
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class _Bar:
    name: str
    label: str
    count: int
    share: str
    parts: Sequence[_BarPiece]


@dataclass(frozen=True, slots=True)
class _Legend:
    label: str
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class _Plot:
    title: str
    heading: str
    rows: Sequence[_Bar]
    legend: Sequence[_Legend] = ()
    more: str = ""


@dataclass(frozen=True, slots=True)
class _SubscriptionMachines:
    subscription: str
    """What it is called."""
    machines: Sequence[RecordedMachine]

    @property
    def attention(self) -> int:
        return sum(one.standing in {RecordState.FINDING, RecordState.UNREADABLE} for one in self.machines)


def html(record: Record) -> Iterator[str]:
    """The page, in pieces: a fleet's page has some megabytes."""
    style = _read("report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    places = _places(record)
    stream = _template().stream(
        record=record,
        style=_trusted(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        version=__version__,
        charts=[*(_plot(chart) for chart in record.charts if chart.bars), *_by_subscription(places)],
        sections=list(_sections(record)),
        places=places,
        columns=[column for column in record.columns if column.is_shown and column.name not in _BESIDE_NAME],
        end_column=_END_COLUMNS[record.kind],
        standings=[
            (one, text, record.standings[one]) for one, (text, _) in _STANDINGS.items() if record.standings[one]
        ],
        is_small=len(record.machines) <= SMALL,
        limit=NAMES_SHOWN,
        shown=shown_text,
        plural=plural,
        several=len(places) > 1,
    )
    stream.enable_buffering(_BUFFER)
    yield from stream


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True, finalize=with_marks
    )
    return environment.from_string(_read("report.html.j2"))


def _read(name: str) -> str:
    return files("patchmode.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _trusted(text: str) -> str:
    """Our own style sheet, which must stand unescaped to be what its digest says."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - a file of this package, nothing from outside


def _sections(record: Record) -> Iterator[tuple[str, str, Sequence[FindingGroup]]]:
    """Anchor, heading and findings of each section that has some."""
    groups = record.by_rule()
    urgent = [group for group in groups if group.level is not Level.NOTE]
    if urgent:
        yield "findings", "What needs attention", urgent
    if len(urgent) < len(groups):
        yield "remarks", "Worth knowing", groups[len(urgent) :]


def _plot(chart: Chart) -> _Plot:
    whole = sum(bar.count for bar in chart.bars)
    rows = [
        _Bar(
            bar.name,
            bar.label,
            bar.count,
            _share(bar.count, whole),
            [_BarPiece(bar.meaning, 0, _long(bar.count, whole))],
        )
        for bar in chart.bars
    ]
    return _Plot(chart.title, chart.heading, rows)


def _by_subscription(places: Sequence[_SubscriptionMachines]) -> Iterator[_Plot]:
    """How each subscription stands, the subscriptions with most of it first; nothing where there is but one."""
    if len(places) < 2:
        return
    ordered = sorted(places, key=lambda place: (-place.attention, -len(place.machines), place.subscription))
    longest = max(len(place.machines) for place in places)
    rows = []
    for place in ordered[:SUBSCRIPTIONS_SHOWN]:
        text = f"{place.attention:,} to look at" if place.attention else "nothing to look at"
        rows.append(_Bar(text, place.subscription, len(place.machines), "", list(_stack(place.machines, longest))))
    found = {machine.standing for place in places for machine in place.machines}
    legend = [_Legend(*_STANDINGS[one]) for one in _STANDINGS if one in found]
    more = len(ordered) - len(rows)
    told = f"and {plural(more, 'subscription')} more, with fewer to look at" if more else ""
    yield _Plot("By subscription", "Subscription", rows, legend, told)


def _stack(machines: Sequence[RecordedMachine], longest: int) -> Iterator[_BarPiece]:
    x = 0.0
    for standing, (_, meaning) in _STANDINGS.items():
        width = _long(sum(one.standing is standing for one in machines), longest)
        if width:
            yield _BarPiece(meaning, round(x, 2), width)
            x += width


def _long(count: int, longest: int) -> float:
    return round(100 * count / longest, 2) if longest else 0


def _share(count: int, whole: int) -> str:
    percent = 100 * count / whole
    return "<1 %" if percent < 1 else f"{percent:.0f} %"


def _places(record: Record) -> Sequence[_SubscriptionMachines]:
    places: dict[str, list[RecordedMachine]] = defaultdict(list)
    for machine in record.machines:
        places[machine.subscription].append(machine)
    return [_SubscriptionMachines(subscription, machines) for subscription, machines in sorted(places.items())]
