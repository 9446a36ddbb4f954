"""The waves of a run: what belongs to each, and what is asked of one before the next begins."""

from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import islice

from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.ports.run import JournalEntry


@dataclass(frozen=True, slots=True)
class WaveWork:
    """What is carried out together."""

    number: int
    """Counted from 1."""
    of: int
    """How many there are; 1 where the plan has no waves."""
    name: str
    """Empty where the plan has no waves."""
    entries: tuple[JournalEntry, ...]
    """Its changes, in plan order."""
    unchanged: tuple[ResourceId, ...]
    """Machines as wanted that get the plan's schedule."""

    @property
    def machines(self) -> int:
        """How many machines it touches."""
        return len(self.entries) + len(self.unchanged)

    @property
    def is_last(self) -> bool:
        """Whether none comes after it."""
        return self.number == self.of

    def __str__(self) -> str:
        return f"wave {self.number} of {self.of}, {self.name}"


def waves_of(plan: Plan, entries: Sequence[JournalEntry], attached: Collection[ResourceId]) -> Iterator[WaveWork]:
    """The waves of a plan in their order; everything as one where it has none.

    Args:
        plan: whose changes `entries` are.
        entries: one for each change, in plan order.
        attached: machines that the plan attaches a schedule to.
    """
    same = [one.id for one in plan.unchanged if one.id in attached]
    if not plan.waves:
        yield WaveWork(1, 1, "", tuple(entries), tuple(same))
        return
    changing, attaching = iter(entries), iter(same)
    for number, wave in enumerate(plan.waves, start=1):
        ours = tuple(islice(changing, wave.changes)), tuple(islice(attaching, wave.unchanged))
        yield WaveWork(number, len(plan.waves), wave.name, *ours)


def asked_for(last: int | None, waves: Iterable[WaveWork]) -> Set[ResourceId]:
    """The machines of the waves up to the last one asked for.

    Args:
        last: counted from 1; None: no wave was named, so none is left to a later session.
        waves: of the run.
    """
    ours = (one for one in waves if last is None or one.number <= last)
    return {machine for one in ours for machine in (*(entry.change.id for entry in one.entries), *one.unchanged)}


LATER_WAVE = "LaterWave"
"""The code of machines whose wave was not asked for: nothing went wrong."""


@dataclass(frozen=True, slots=True)
class WaveRules:
    """What is asked of a wave before the next one begins."""

    pause_s: float = 0.0
    """From the end of one to the beginning of the next."""
    last: int | None = None
    """Counted from 1: those after it are not begun. None: all are."""
    accepted_failures: int = 0
    """So many failures in the waves before do not hold up the next one: somebody said yes to going on."""
