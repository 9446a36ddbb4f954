"""What one throw-away machine is asked about Azure: a request, its answer, and which answer of which switch that is.

Must not: decide. The experiments are in `rules/live_check`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from patchmode.model.resource_id import ResourceId
from patchmode.model.run import Difference
from patchmode.model.target import Target

TAG = "patchmode-live-check"
"""The tag that a machine must carry, in Azure Resource Manager itself, before anything is sent to it."""
TAG_VALUE = "yes"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as it leaves."""

    method: str
    path: str
    """An id or a path below the endpoint, unescaped, without the query."""
    api_version: str
    body: Mapping[str, Any] | None = None
    etag: str | None = None
    """Sent as `If-Match`, with its quotes; None: unconditional."""
    query: tuple[tuple[str, str], ...] = ()
    """Further parameters with their values, unescaped."""

    @property
    def is_write(self) -> bool:
        """Whether it may change anything. The one POST that does not is Resource Graph's query."""
        return self.method not in {"GET", "HEAD", "POST"}

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; a repeated one joined by commas."""
    body: Any
    """Decoded JSON; None where there is none, or where it is not JSON."""
    code: str = ""
    """Azure's error code; empty: a success, or an answer that names none."""
    message: str = ""
    target: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the service accepted it."""
        return 200 <= self.status < 300

    @property
    def words(self) -> str:
        """Code, message and target in lower case, to look for names in."""
        return f"{self.code} {self.message} {self.target}".casefold()

    @property
    def told(self) -> str:
        """The status, with the code where it has one: `409 PropertyChangeNotAllowed`."""
        return f"{self.status} {self.code}".strip()


@dataclass(frozen=True, slots=True)
class Observed:
    """One request of an experiment and what was seen of it."""

    asked: Asked
    answered: Answered | None
    """None: no usable answer came back."""
    document: Mapping[str, Any] | None = None
    """The machine as a GET showed it once the operation had ended; None: the request was no accepted write to it."""
    overlapped: bool | None = None
    """Of a write that the next request did not wait for: whether its operation still ran when that was answered."""
    operation_code: str = ""
    """The error code of its operation; empty: it succeeded, or has none."""
    waited_s: float = 0.0
    """Of a read that was repeated: seconds until it showed what was looked for, or until it was given up."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A behaviour of Azure that no source confirms, as `arm-emulator --profile` names it."""

    name: str
    answers: tuple[str | int, ...]
    """Every answer; empty: a number."""
    assumed: str | int
    """What patchmode and the emulator take for granted until somebody measured it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an experiment says about a switch."""

    switch: str
    answer: str | None
    """None: it is not decided."""
    because: str
    """What Azure answered, in a few words; or why nothing follows from it."""
    applies: bool = True
    """False: this machine cannot decide it."""


class Outcome(StrEnum):
    """How an experiment ended."""

    ANSWERED = "answered"
    """Each switch that this machine can decide has an answer; an experiment without switches was observed."""
    PARTLY = "partly"
    UNDECIDED = "undecided"
    NOT_APPLICABLE = "notApplicable"
    """This machine cannot answer it."""
    NOT_RUN = "notRun"


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """One experiment and what came of it."""

    name: str
    sends: str
    """What it sends, a sentence."""
    outcome: Outcome
    because: str = ""
    """What Azure answered; or why it does not apply or was not run."""
    decisions: tuple[Decision, ...] = ()
    requests: tuple[str, ...] = ()
    """Its requests with what each was answered: `PATCH …/virtualMachines/vm: 200`."""


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """What a live check says of one switch."""

    switch: Switch
    answer: str | None
    """None: it was not decided."""
    experiment: str | None
    """The one that decides it; None: none does on one machine."""
    because: str

    @property
    def is_as_assumed(self) -> bool:
        """Whether it was decided as patchmode assumes."""
        return self.answer == self.switch.assumed


@dataclass(frozen=True, slots=True)
class LiveCheckReport:
    """All that came of a live check."""

    check: str
    """Its id, which its journal is named after."""
    target: Target
    machine: ResourceId
    state: str
    """`finished`, `interrupted` or `undone`."""
    results: tuple[ExperimentResult, ...]
    switches: tuple[SwitchResult, ...]
    """Every switch that there is, in the order of the emulator's reference."""
    remaining: tuple[Difference, ...] = ()
    """Where the machine is not as it was; empty: it was read back and every property is as before."""
    left: tuple[str, ...] = ()
    """Ids of what the check created and could not delete."""
    requests: Mapping[str, int] = field(default_factory=dict)
    """HTTP method → requests sent."""

    @property
    def decided(self) -> tuple[SwitchResult, ...]:
        """The switches that were decided."""
        return tuple(one for one in self.switches if one.answer is not None)

    @property
    def surprises(self) -> tuple[SwitchResult, ...]:
        """Those that were decided otherwise than patchmode assumes."""
        return tuple(one for one in self.decided if not one.is_as_assumed)

    @property
    def undecided(self) -> tuple[ExperimentResult, ...]:
        """Experiments that this machine could answer, and of which something was not decided."""
        return tuple(one for one in self.results if one.outcome in {Outcome.PARTLY, Outcome.UNDECIDED})

    @property
    def is_restored(self) -> bool:
        """Whether the machine is as it was, and nothing that was created is left."""
        return not self.remaining and not self.left
