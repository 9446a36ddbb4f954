"""What happens in a run, as one stream: whoever keeps count of the run reads it, and the journal reads it first.

| reader | makes of it |
|---|---|
| the run's journal | what a kill leaves behind; an event that it keeps is told to nobody before it is committed |
| `state.RunState` | what is known of each machine, and the report |
| `gate.Gate` | the failures, which use budgets up |
| `report.told_to` | what a person who watches is told |
| `queue.SubscriptionQueues`, `queue.InProgress` | who may begin: a machine came to its end, or all was halted |

Must not: decide anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from patchmode.model.plan import Change
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult
from patchmode.model.schedule import AttachResult
from patchmode.ports.azure import PatchAnswer
from patchmode.ports.run import Observed, RunJournal

# ------------------------------------------------------------------------------------------------ kept by the journal


@dataclass(frozen=True, slots=True)
class Intended:
    """A PATCH is about to leave: from here on it may have been applied."""

    change: Change
    at: datetime
    observed: Observed | None
    """As `RunJournal.intend` takes it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service accepted a PATCH."""

    machine_id: ResourceId
    answer: PatchAnswer
    at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """A change has come to its end."""

    result: ChangeResult


@dataclass(frozen=True, slots=True)
class AttachmentIntended:
    """The request to attach or to detach a schedule is about to leave."""

    machine_id: ResourceId
    at: datetime


@dataclass(frozen=True, slots=True)
class AttachmentEnded:
    """A schedule was attached or detached, or was not."""

    machine_id: ResourceId
    result: AttachResult


Kept = Intended | Accepted | AttachmentIntended | AttachmentEnded

# ------------------------------------------------------------------------------------------------ of this session only


@dataclass(frozen=True, slots=True)
class Began:
    """The session has begun: what an earlier one left under way is followed."""


@dataclass(frozen=True, slots=True)
class WaveBegan:
    """A wave has begun."""

    number: int
    """Counted from 1; 0: the plan has none."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A change is followed to its end."""

    machine_id: ResourceId


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """A change was called off after a PATCH of which nobody knows what became. It keeps the step that it came to."""

    machine_id: ResourceId


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Nothing is left to do on a machine, and all went well."""

    machine_id: ResourceId


@dataclass(frozen=True, slots=True)
class Halted:
    """Nothing more is sent; what is under way is followed to its end."""

    region: str | None = None
    """In lower case: to this region. None: anywhere."""


@dataclass(frozen=True, slots=True)
class Remarked:
    """One line for whoever watches."""

    text: str


Event = Kept | Ended | Began | WaveBegan | Followed | LeftOpen | Succeeded | Halted | Remarked
Reader = Callable[[Event], None]


class RunEvents:
    """The stream of one session of a run.

    Args:
        journal: reads first: what it keeps is committed before any other reader hears of it.
    """

    def __init__(self, journal: RunJournal) -> None:
        self._journal = journal
        self._readers: Sequence[Reader] = ()

    def read_by(self, *readers: Reader) -> None:
        """These hear of each event from now on, in this order."""
        self._readers = readers

    async def commit(self, event: Kept) -> None:
        """Something happened that outlives this process.

        Raises:
            StorageError: it could not be committed; nobody else was told.
        """
        match event:
            case Intended(change, at, observed):
                await self._journal.intend(change.id, etag=change.etag, at=at, observed=observed)
                self.tell(event)
            case Accepted(machine_id, answer, at):
                await self._journal.start(machine_id, answer, at=at)
            case AttachmentIntended(machine_id, at):
                await self._journal.intend_attachment(machine_id, at=at)
            case AttachmentEnded(_, result):
                await self._journal.end_attachment(result)
                # Acceptances, and the intents of schedules, are the journal's alone: nobody counts them.
                self.tell(event)

    async def commit_ends(self, results: Sequence[ChangeResult]) -> None:
        """Changes have ended, many at a time: one commit, then one event each.

        Raises:
            StorageError: as `commit`.
        """
        if results:
            await self._journal.end_all(results)
        for result in results:
            self.tell(Ended(result))

    def tell(self, event: Event) -> None:
        """Something happened; what the journal keeps was committed."""
        for read in self._readers:
            read(event)

    def remark(self, text: str) -> None:
        """One line for whoever watches; empty: none."""
        if text:
            self.tell(Remarked(text))
