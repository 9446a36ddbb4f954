"""The protocols of a live check: single requests as they are, and the journal that makes them undone after a crash."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from patchmode.model.live_check import Answered, Asked, ExperimentResult
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target
from patchmode.ports.azure import Azure


class Probe(Protocol):
    """One request at a time, sent once: an answer comes back whatever its status, 429 too."""

    async def send(self, asked: Asked, *, location: str = "") -> Answered:
        """Send one request.

        Args:
            asked: the request.
            location: the machine's region, whose limits it counts against.

        Raises:
            NotSentError: the service did not receive it. MaybeAppliedError: sent, and no usable answer came.
        """
        ...

    async def follow(self, url: str) -> Answered | None:
        """Ask the address of an operation once, verbatim; None: it leads out of this cloud, and is not asked.

        Raises:
            RequestError: no answer.
        """
        ...


class ProbingAzure(Azure, Protocol):
    """A connection that can also send single requests."""

    @property
    def probe(self) -> Probe:
        """Single requests; on a connection that was opened for reading only, each write raises UnsafeError."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """What a live check began with, as its journal holds it."""

    check: str
    target: Target
    machine: ResourceId
    document: Mapping[str, Any]
    """The machine as a GET showed it before the first request."""
    at: str
    """ISO 8601 with Z."""
    group: str | None = None
    group_location: str = ""
    allow_lasting: bool = False


@dataclass(slots=True)
class Recorded:
    """All that a journal tells of a live check."""

    begun: Begun
    results: list[ExperimentResult] = field(default_factory=list)
    """Of the experiments that ended and after which the machine was restored as far as Azure allowed it."""
    created: list[str] = field(default_factory=list)
    """Ids of what a PUT may have created and no DELETE is known to have removed, in order."""
    throttled: list[Answered] = field(default_factory=list)
    has_sent: bool = False
    """Whether a write was about to leave, and so may have."""
    state: str = "begun"
    """`begun`, `finished` or `undone`."""
    is_restored: bool = False
    """Whether the last read showed the machine as it was, and nothing created was left."""


class LiveCheckJournal(Protocol):
    """Intent before act: each call returns when the record is on the disk."""

    @property
    def recorded(self) -> Recorded:
        """What is known, the calls of this process included."""
        ...

    def intended(self, experiment: str, asked: Asked, document: Mapping[str, Any] | None) -> None:
        """A write is about to leave.

        Args:
            experiment: its name, or what it undoes.
            asked: the request.
            document: the machine before it.
        """
        ...

    def answered(self, asked: Asked, answered: Answered | None) -> None:
        """A write was answered; None: no usable answer came."""
        ...

    def throttled(self, answered: Answered) -> None:
        """A request was answered 429; it is sent again."""
        ...

    def ended(self, result: ExperimentResult) -> None:
        """An experiment ended, and the machine was restored as far as Azure allowed it."""
        ...

    def closed(self, state: str, *, is_restored: bool) -> None:
        """The check ended."""
        ...
