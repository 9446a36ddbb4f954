"""When machines ceased to be: for a moment the provider itself answers for one, then Resource Manager does."""

from datetime import datetime, timedelta

from arm_emulator.clock import Clock
from arm_emulator.resource_id import parse_id
from arm_emulator.state import Stored

_TYPE = "microsoft.compute/virtualmachines"


class Deletions:
    """The machines of one emulated cloud that were deleted, and when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: dict[str, datetime] = {}

    def on_change(self, key: str, stored: Stored | None) -> None:
        """A resource was written or deleted."""
        if stored is not None:
            self._at.pop(key, None)
        elif parse_id(key).type == _TYPE:
            self._at[key] = self._clock.now()

    def is_fresh(self, resource_id: str, seconds: float) -> bool:
        """Whether a machine was deleted at most so many seconds ago."""
        at = self._at.get(parse_id(resource_id).key)
        return at is not None and self._clock.now() - at <= timedelta(seconds=seconds)

    def forget(self) -> None:
        """Drop everything (a reset does)."""
        self._at.clear()
