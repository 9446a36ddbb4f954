"""What a pasted log or error text names: machines, and the error that stands with each.

Must not: read text; the rules do.
"""

from dataclasses import dataclass

from patchmode.model.resource_id import ResourceId


@dataclass(frozen=True, slots=True)
class LoggedError:
    """An error as the text words it."""

    code: str
    """Azure's code, such as `UnsupportedResourceOperation`; empty where only a sentence stands there."""
    sentence: str = ""
    """Azure's sentence, as far as it was recognized; empty where only a code stands there."""
    is_prerequisite: bool = False
    """Whether it is the one that patchmode cures."""


@dataclass(frozen=True, slots=True)
class LoggedMachine:
    """A machine that the text names by its id."""

    id: ResourceId
    error: LoggedError | None = None
    """The error nearest to it; None: none stands there."""
    or_else: ResourceId | None = None
    """The machine that is meant instead if a line break fell into the middle of its name, which the text alone cannot
    tell; None: there is no doubt."""


@dataclass(frozen=True, slots=True)
class LogReading:
    """Every machine that a text names, in the order of first mention."""

    machines: tuple[LoggedMachine, ...] = ()
    """Each machine once, whatever the casing of its id."""
    names_only: tuple[str, ...] = ()
    """Names of machines whose id does not stand in the text."""
    cut_short: tuple[str, ...] = ()
    """What is left of the names in ids that a table cut (`web-…`): they cannot be taken."""
    source: str = ""
    """The file's name, or `-`."""

    @property
    def names_nothing(self) -> bool:
        """Whether the text names no machine at all."""
        return not self.machines and not self.names_only

    @property
    def prerequisite(self) -> tuple[ResourceId, ...]:
        """The machines that stand with the prerequisite error."""
        return tuple(entry.id for entry in self.machines if entry.error and entry.error.is_prerequisite)
