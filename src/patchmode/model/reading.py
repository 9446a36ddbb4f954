"""One reading of a fleet, as it is kept to show how readiness changes. Must not: name a machine, or anybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from patchmode.model.outcome import Readiness


@dataclass(frozen=True, slots=True)
class Reading:
    """How many machines were ready for a schedule at one time."""

    at: datetime
    """When the reading began; UTC."""
    of: str
    """A digest of the target, the scope and who read: only readings of the same can be compared."""
    readiness: Mapping[Readiness, int]
    """They add up to the machines; a kind that is not there has none."""
