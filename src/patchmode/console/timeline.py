"""A run over time, from its journal: how many changes had been sent, accepted, verified and had failed at each moment.

Must not: know HTML beyond the path of a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from patchmode.model.outcome import Readiness
from patchmode.model.plan import Plan
from patchmode.model.reading import Reading
from patchmode.model.run import Result
from patchmode.ports.run import JournalEntry

WIDTH, HEIGHT = 1000, 100
"""Of the drawing, in its own units; a line is at most `WIDTH` steps, however many changes there are."""
_NOT_DONE = frozenset({Result.FAILED, Result.UNKNOWN, Result.STALE})


@dataclass(frozen=True, slots=True)
class Line:
    """One count over time."""

    name: str
    count: int
    """At the end."""
    path: str
    """An SVG path of steps; empty: the count is 0."""


@dataclass(frozen=True, slots=True)
class WaveBegin:
    """When the first change of a wave was sent."""

    name: str
    at: datetime
    x: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run over time."""

    began: datetime
    """When the first request was about to leave."""
    ended: datetime
    """The latest moment that the journal has."""
    top: int
    """Changes at the upper edge."""
    lines: Sequence[Line]
    waves: Sequence[WaveBegin]
    """Empty: the plan has none."""


def timeline_of(entries: Sequence[JournalEntry], plan: Plan) -> Timeline | None:
    """A run over time; None: nothing was sent.

    Args:
        entries: the journal's, in any order.
        plan: of the run, for its waves.
    """
    ends = [one.result for one in entries if one.result is not None and one.result.ended_at is not None]
    moments = {
        "sent": [one.intended_at for one in entries if one.intended_at],
        "accepted": [one.started_at for one in entries if one.started_at],
        "verified": [
            one.result.ended_at
            for one in entries
            if one.result and one.result.ended_at and (one.verification_at_end and one.verification_at_end.verified)
        ],
        "failed, unknown or stale": [one.ended_at for one in ends if one.result in _NOT_DONE and one.ended_at],
    }
    sent = moments["sent"]
    if not sent:
        return None
    began, ended = min(sent), max(moment for times in moments.values() for moment in times)
    top = max(len(times) for times in moments.values())
    lines = [Line(name, len(times), _path(times, began, ended, top)) for name, times in moments.items()]
    return Timeline(began, ended, top, lines, _waves(entries, plan, began, ended))


@dataclass(frozen=True, slots=True)
class ReadinessLines:
    """How readiness changed."""

    began: datetime
    ended: datetime
    top: int
    """Machines at the upper edge."""
    lines: Sequence[Line]
    """One for each kind, in their order; `count` is of the last reading."""


def readiness_over(readings: Sequence[Reading]) -> ReadinessLines | None:
    """Readings over time; None: there are fewer than two.

    Args:
        readings: of one target, scope and principal, oldest first.
    """
    if len(readings) < 2:
        return None
    began, ended = readings[0].at, readings[-1].at
    top = max(sum(one.readiness.values()) for one in readings) or 1
    lines = []
    for kind in Readiness:
        counts = [one.readiness.get(kind, 0) for one in readings]
        heights = [f"{round(HEIGHT * (1 - count / top), 1):g}" for count in counts]
        steps = "".join(
            f"H{_x(one.at, began, ended):g}V{height}" for one, height in zip(readings[1:], heights[1:], strict=True)
        )
        lines.append(Line(kind.words, counts[-1], f"M0 {heights[0]}{steps}" if any(counts) else ""))
    return ReadinessLines(began, ended, top, lines)


def _x(moment: datetime, began: datetime, ended: datetime) -> float:
    whole = (ended - began).total_seconds()
    return round(WIDTH * (moment - began).total_seconds() / whole, 1) if whole > 0 else 0.0


def _path(times: Sequence[datetime], began: datetime, ended: datetime, top: int) -> str:
    if not times:
        return ""
    counts: dict[int, int] = {}
    for number, moment in enumerate(sorted(times), 1):
        counts[round(_x(max(moment, began), began, ended))] = number
    steps = "".join(f"H{x}V{round(HEIGHT * (1 - count / top), 1):g}" for x, count in sorted(counts.items()))
    return f"M0 {HEIGHT}{steps}H{WIDTH}"


def _waves(entries: Sequence[JournalEntry], plan: Plan, began: datetime, ended: datetime) -> Sequence[WaveBegin]:
    at = {one.change.id: one.intended_at for one in entries if one.intended_at}
    found = []
    for number, wave in enumerate(plan.waves):
        times = [at[change.id] for change in plan.changes_of(number) if change.id in at]
        if times:
            found.append(WaveBegin(wave.name, min(times), _x(min(times), began, ended)))
    return found
