"""Operations whose PATCH was accepted and whose end is not known yet, and when each is worth a look."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from patchmode.model.left_alone import MachineError
from patchmode.model.machine import MachineKind
from patchmode.model.plan import Change
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Difference, Result, Verification
from patchmode.workflow.inventory.bulk_reading import BulkReader, Wanted, family_of
from patchmode.workflow.run.queue import InProgress

RECORDED_MEDIAN_S = 5.0
"""Recorded operations of a PATCH (153): median 4.8 s."""
PROBES = 3
FIRST_LOOK_S = 1.0
SHORTEST_S = 0.5
LONGEST_S = 20.0
PROBE_GROWTH, GROWTH = 0.6, 0.25
"""The next look comes after this share of the age: so much later than its end is an end seen at most."""
PATIENT_LOOKS = 6
"""After so many looks a machine is slow, and its operation is asked as well."""


@dataclass(slots=True)
class PollInterval:
    """How long operations take, as far as is known."""

    typical_s: float = RECORDED_MEDIAN_S
    probed: list[float] = field(default_factory=list)
    _probes: int = 0

    def next_is_probe(self) -> bool:
        """Whether the next machine is to be a probe."""
        self._probes += 1
        return self._probes <= PROBES

    def first_look_s(self, *, is_probe: bool) -> float:
        """How long to leave a machine alone after its PATCH was accepted."""
        return FIRST_LOOK_S if is_probe else self.typical_s

    def next_look_s(self, age_s: float, *, is_probe: bool) -> float:
        """How long to leave a machine alone that was found unfinished at this age."""
        if is_probe:
            return min(LONGEST_S, max(FIRST_LOOK_S, age_s * PROBE_GROWTH))
        return min(LONGEST_S, max(FIRST_LOOK_S, self.typical_s / 2, age_s * GROWTH))

    def probe_done(self, age_s: float) -> bool:
        """A probe was found done at this age. Whether it was the last: what is typical is known then."""
        self.probed.append(age_s)
        self.typical_s = max(SHORTEST_S, median(self.probed))
        return len(self.probed) == PROBES

    def list_read(self, due: int, done: int) -> None:
        """Of so many machines looked at for the first time, so many were done: correct an estimate that is far off."""
        if due < 5:
            return
        if done < due * 0.5:
            self.typical_s = min(LONGEST_S, self.typical_s * 1.4)
        elif done > due * 0.95:
            self.typical_s = max(SHORTEST_S, self.typical_s * 0.9)


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
class PendingOperation:
    """One accepted change on its way to its end."""

    change: Change
    started_at: datetime
    since: float
    """On the clock's monotonic scale."""
    due: float
    url: str | None = None
    """To ask the operation itself; None: there is none, or it cannot be asked."""
    request_id: str | None = None
    correlation_id: str | None = None
    is_probe: bool = False
    looks: int = 0
    """How often it was due and found unfinished."""
    ask_at: float = 0.0
    """Its operation is not asked before: the service names the time."""
    is_over: bool = False
    """The operation said that it ended, or there is none to ask."""
    changed_since_plan: tuple[Difference, ...] = ()
    """What had changed on the machine when its PATCH left, in nothing the plan depends on."""
    wanted: Wanted = field(init=False)
    """What to read."""

    def __post_init__(self) -> None:
        # Made once: what a look would cost is asked many times before an operation ends.
        self.wanted = Wanted(self.change.id, self.change.kind)

    def may_be_asked(self, now: float) -> bool:
        """Whether the machine is slow and its operation may be asked now."""
        is_slow = self.looks >= PATIENT_LOOKS and not self.is_over
        return is_slow and self.url is not None and now >= self.ask_at

    def ended(
        self,
        result: Result,
        *,
        at: datetime,
        error: MachineError | None = None,
        verification: Verification | None = None,
    ) -> ChangeResult:
        """The operation's end."""
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
class PendingOperations:
    """Every operation, by what one list could show."""

    reader: BulkReader
    in_progress: InProgress
    more_coming: bool = True
    """Whether PATCHes are still to be sent."""
    parts: dict[Part, dict[ResourceId, PendingOperation]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, operation: PendingOperation) -> None:
        """A change was accepted."""
        self.parts[_part(operation.change)][operation.change.id] = operation

    def forget(self, machine_id: ResourceId) -> None:
        """A change has ended."""
        for family in (MachineKind.VM, MachineKind.ARC):
            self.parts.get((machine_id.subscription_id, family), {}).pop(machine_id, None)

    def look_by(self, age_s: float) -> None:
        """Bring every first look forward to this age: operations were found to be quicker than was assumed."""
        for operations in self.parts.values():
            for operation in operations.values():
                if not operation.looks:
                    operation.due = min(operation.due, operation.since + age_s)

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    def overdue(
        self, now: float, *, looking: Collection[Part]
    ) -> Iterator[tuple[Part, list[PendingOperation], list[PendingOperation]]]:
        """The parts worth a look now: those that are due, and those that a list would show besides.

        Args:
            now: on the clock's monotonic scale.
            looking: parts that are being looked at, which are left out.
        """
        for part, operations in self.parts.items():
            if part in looking:
                continue
            due = [operation for operation in operations.values() if operation.due <= now]
            if due and self._is_worth(due, len(operations), now):
                yield part, due, [operation for operation in operations.values() if operation.due > now]

    def next_due(self, *, looking: Collection[Part]) -> float | None:
        """When the next operation is due; None: nothing is in operation but what is being looked at."""
        idle = (operations for part, operations in self.parts.items() if part not in looking)
        return min((operation.due for operations in idle for operation in operations.values()), default=None)

    def oldest_first(self) -> list[PendingOperation]:
        """Every operation, the one accepted first in front."""
        return sorted(
            (one for operations in self.parts.values() for one in operations.values()), key=lambda one: one.since
        )

    def _is_worth(self, due: list[PendingOperation], waiting: int, now: float) -> bool:
        waited = now - min(operation.due for operation in due)
        if any(operation.is_probe for operation in due):
            return True
        # Where no PATCH is sent until a change ends, waiting for company does not pay. Unlike at the end, a list is
        # still preferred to many GETs: more of the fleet is to come, and to be read.
        if self.more_coming and not self.in_progress.waits_for_ends:
            return waited >= OVERDUE_S or len(due) >= WORTH * self.reader.cost([operation.wanted for operation in due])
        return waited >= CLOSING_OVERDUE_S or len(due) >= CLOSING_SHARE * waiting


def waiting_text(operations: Sequence[PendingOperation], now: float) -> str:
    """`Still waiting for 1 machine: web-01 (4 min)`: who is waited for, and how long the oldest has been.

    Args:
        operations: at least one, oldest first.
        now: on the clock's monotonic scale.
    """
    count = len(operations)
    names = ", ".join(operation.change.id.name for operation in operations[:NAMED])
    more = f" and {count - NAMED:,} more" if count > NAMED else ""
    minutes = int(now - operations[0].since) // 60
    return f"Still waiting for {count:,} machine{'s' * (count > 1)}: {names}{more} ({minutes or '< 1'} min)"


def _part(change: Change) -> Part:
    return change.id.subscription_id, family_of(change.kind)
