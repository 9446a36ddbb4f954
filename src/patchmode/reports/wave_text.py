"""The waves of a plan for people: their order, how many machines are in each, where these run and what they are.

Must not: name machines; the diff does.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from patchmode.model.plan import Plan
from patchmode.reports.columns import Column, lines, wrapped
from patchmode.reports.headings import plural, some
from patchmode.reports.paint import Paint

SHOWN = 30
"""More waves than that are counted; the plan file names them all."""
_REGIONS = 3


def wave_lines(plan: Plan, *, paint: Paint) -> Iterator[str]:
    """A table of a plan's waves, followed by an empty line; nothing where everything is carried out at once."""
    if not plan.waves:
        return
    attaches = plan.then_attach is not None
    yield f"{plural(len(plan.waves), 'wave')}, one after the other:"
    columns = [Column(""), Column("WAVE", least=12), Column("CHANGE")]
    columns += [Column("ONLY SCHEDULE")] if attaches else []
    columns += [Column("SYSTEMS", least=12), Column("REGIONS", least=12)]
    shown, more = range(len(plan.waves[:SHOWN])), plan.waves[SHOWN:]
    yield from lines(columns, (_row(plan, place, attaches=attaches) for place in shown), paint=paint)
    if more:
        machines = sum(wave.changes + wave.unchanged for wave in more)
        yield from wrapped(
            f"and {plural(len(more), 'more wave', 'more waves')} of {plural(machines, 'machine')}: they stand in the "
            "plan file, and in this command's JSON.",
            paint=paint,
        )
    yield ""


def _row(plan: Plan, place: int, *, attaches: bool) -> list[str]:
    wave, changes = plan.waves[place], plan.changes_of(place)
    only_schedule = [f"{wave.unchanged:,}"] if attaches else []
    systems = _counted(str(change.os) for change in changes)
    regions = _counted(change.location for change in changes)
    return [str(place + 1), wave.name, f"{wave.changes:,}", *only_schedule, ", ".join(systems), some(regions, _REGIONS)]


def _counted(values: Iterable[str]) -> list[str]:
    """`8 Windows`, `4 Linux`: the most frequent first."""
    counts = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return [f"{count:,} {value}" for value, count in counts]
