"""The emulator as one object: state, clock, profile, operations, throttle, faults, ledger, and the way through them.

No socket is opened here; ``arm_emulator.server`` brings requests in.
"""

import math
import random

from arm_emulator.clock import Clock
from arm_emulator.faults import Faults
from arm_emulator.profile import Profile
from arm_emulator.protocol.operations import Operation, Operations
from arm_emulator.protocol.paging import Snapshots
from arm_emulator.state import State


class Emulator:
    """One emulated cloud."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        profile: Profile | None = None,
        lro_seconds: float | None = None,
        seed: int = 0,
    ) -> None:
        self.clock = clock or Clock()
        self.profile = profile or Profile()
        self.random = seeded(seed)
        self.state = State()
        self.faults = Faults()
        self.snapshots = Snapshots()
        self.operations = Operations(seconds=lro_seconds, draw=seeded(seed + 1))

    def retry_after(self, seconds: float) -> str:
        """A ``Retry-After`` value: whole seconds of the client's own time, at least 1 (SDKs take 0 for absent)."""
        return str(max(1, math.ceil(self.clock.client_seconds(seconds))))

    def keep_operation(self, operation: Operation) -> None:
        """Remember an operation beyond this process, where the state is stored."""

    def settle(self, operation: Operation) -> None:
        """The default end of an operation: the target's ``provisioningState`` becomes its outcome."""
        stored = self.state.get(operation.target_id)
        if stored is not None:
            document = self.state.with_properties(stored, provisioningState=operation.outcome)
            self.state.put_quietly(stored, document)


def seeded(seed: int) -> random.Random:
    """A repeatable source of draws; nothing in an emulator needs to be unguessable."""
    return random.Random(seed)  # noqa: S311  repeatable on purpose, no secret
