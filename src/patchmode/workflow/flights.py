"""Machines whose PATCH was accepted and whose end is not known yet, and which of them are worth a look now.

Must not: read anything; `following` does.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from patchmode.model.machine import MachineKind
from patchmode.model.outcome import ChangeResult, Difference, MachineError, Result, Verification
from patchmode.model.plan import Change
from patchmode.model.resource_id import ResourceId
from patchmode.workflow.pace import PATIENT_LOOKS
from patchmode.workflow.sweeping import Sweeper, Wanted, family_of

WORTH = 8
"""While more is being sent, a list is read when it may find so many machines a request."""
OVERDUE_S = 20.0
"""... or when a machine has been due for so long."""
CLOSING_OVERDUE_S = 2.0
"""Once nothing more is sent, waiting for company does not pay for long."""
CLOSING_SHARE = 0.9
NAMED = 5
"""So many machines are named in a remark at most."""


@dataclass(slots=True, eq=False)
class Flight:
    """One accepted change on its way to its end."""

    change: Change
    started_at: datetime
    since: float
    """On the clock's monotonic scale."""
    due: float
    operation_url: str | None = None
    request_id: str | None = None
    correlation_id: str | None = None
    is_scout: bool = False
    looks: int = 0
    """How often it was due and found unfinished."""
    ask_at: float = 0.0
    """Its operation is not asked before: the service names the time."""
    operation_ended: bool = False
    """The operation said that it ended, or there is none to ask."""
    changed_since_plan: tuple[Difference, ...] = ()
    """What had changed on the machine when its PATCH left, in nothing the plan depends on."""

    @property
    def wanted(self) -> Wanted:
        """What to read."""
        return Wanted(self.change.id, self.change.kind)

    def asks_operation(self, now: float) -> bool:
        """Whether the machine is slow and its operation may be asked now."""
        is_slow = self.looks >= PATIENT_LOOKS and not self.operation_ended
        return is_slow and self.operation_url is not None and now >= self.ask_at

    def ended(
        self,
        result: Result,
        *,
        at: datetime,
        error: MachineError | None = None,
        verification: Verification | None = None,
    ) -> ChangeResult:
        """The flight's end."""
        return ChangeResult(
            self.change.id,
            result,
            error,
            self.request_id,
            self.correlation_id,
            self.started_at,
            at,
            verification,
            self.changed_since_plan,
        )


Part = tuple[str, MachineKind]
"""A subscription and a family of machines: what one list could show."""


@dataclass(slots=True)
class Board:
    """Every flight, by what one list could show."""

    sweeper: Sweeper
    is_awaited: Callable[[], bool]
    """Whether no PATCH is sent until a change ends: then waiting for company does not pay. Unlike at the end, a list is
    still preferred to many GETs: more of the fleet is to come, and to be read."""
    more_coming: bool = True
    """Whether PATCHes are still to be sent."""
    parts: dict[Part, dict[ResourceId, Flight]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, flight: Flight) -> None:
        """A change was accepted."""
        self.parts[_part(flight.change)][flight.change.id] = flight

    def forget(self, machine_id: ResourceId) -> None:
        """A change has ended."""
        for family in (MachineKind.VM, MachineKind.ARC):
            self.parts.get((machine_id.subscription_id, family), {}).pop(machine_id, None)

    def look_by(self, age_s: float) -> None:
        """Bring every first look forward to this age: operations were found to be quicker than was assumed."""
        for flights in self.parts.values():
            for flight in flights.values():
                if not flight.looks:
                    flight.due = min(flight.due, flight.since + age_s)

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    def overdue(self, now: float, *, looking: Collection[Part]) -> Iterator[tuple[Part, list[Flight], list[Flight]]]:
        """The parts worth a look now: those that are due, and those that a list would show besides.

        Args:
            now: on the clock's monotonic scale.
            looking: parts that are being looked at, which are left out.
        """
        for part, flights in self.parts.items():
            if part in looking:
                continue
            due = [flight for flight in flights.values() if flight.due <= now]
            if due and self._is_worth(due, len(flights), now):
                yield part, due, [flight for flight in flights.values() if flight.due > now]

    def next_due(self, *, looking: Collection[Part]) -> float | None:
        """When the next flight is due; None: nothing is in flight but what is being looked at."""
        idle = (flights for part, flights in self.parts.items() if part not in looking)
        return min((flight.due for flights in idle for flight in flights.values()), default=None)

    def oldest_first(self) -> list[Flight]:
        """Every flight, the one accepted first in front."""
        return sorted((one for flights in self.parts.values() for one in flights.values()), key=lambda one: one.since)

    def _is_worth(self, due: list[Flight], waiting: int, now: float) -> bool:
        waited = now - min(flight.due for flight in due)
        if any(flight.is_scout for flight in due):
            return True
        if self.more_coming and not self.is_awaited():
            return waited >= OVERDUE_S or len(due) >= WORTH * self.sweeper.cost([flight.wanted for flight in due])
        return waited >= CLOSING_OVERDUE_S or len(due) >= CLOSING_SHARE * waiting


def waiting_text(flights: Sequence[Flight], now: float) -> str:
    """`Still waiting for 1 machine: web-01 (4 min)`: who is waited for, and how long the oldest has been.

    Args:
        flights: at least one, oldest first.
        now: on the clock's monotonic scale.
    """
    count = len(flights)
    names = ", ".join(flight.change.id.name for flight in flights[:NAMED])
    more = f" and {count - NAMED:,} more" if count > NAMED else ""
    minutes = int(now - flights[0].since) // 60
    return f"Still waiting for {count:,} machine{'s' * (count > 1)}: {names}{more} ({minutes or '< 1'} min)"


def _part(change: Change) -> Part:
    return change.id.subscription_id, family_of(change.kind)
