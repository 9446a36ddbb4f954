"""What handlers use of the emulated cloud: its state, clock, profile and the other services, as one value.

``arm_emulator.app`` composes it and passes it to every handler. Nothing here knows a provider: what a provider (and
whatever else hands the value on) keeps for one cloud is a part, found by its class.
"""

import random
from dataclasses import dataclass, field
from typing import Any, TypeVar

from arm_emulator import fleets
from arm_emulator.clock import Clock
from arm_emulator.directory import Directory
from arm_emulator.faults import Faults
from arm_emulator.ledger import Ledger
from arm_emulator.profile import Profile
from arm_emulator.protocol.authorization import Authorization
from arm_emulator.protocol.operations import Operations
from arm_emulator.protocol.throttle import Throttle
from arm_emulator.protocol.tokens import Tokens
from arm_emulator.state import State
from arm_emulator.store import Store

Part = TypeVar("Part")


class Parts:
    """What is kept for one cloud beside its resources: one object of a class."""

    def __init__(self) -> None:
        self._held: dict[type[Any], Any] = {}

    def add(self, part: Part) -> Part:
        """Keep a part; returns it.

        Raises:
            ValueError: when there is one of its class.
        """
        if type(part) in self._held:
            raise ValueError(f"two parts of class {type(part).__name__}")
        self._held[type(part)] = part
        return part

    def __getitem__(self, kind: type[Part]) -> Part:
        found: Part = self._held[kind]
        return found


@dataclass(slots=True, kw_only=True)
class Cloud:
    """One emulated cloud, as handlers see it."""

    clock: Clock
    profile: Profile
    random: random.Random
    """Of everything drawn but the lengths of operations."""
    state: State
    directory: Directory
    tokens: Tokens
    token_seconds: int
    """How long a token lasts."""
    authorization: Authorization
    throttle: Throttle
    operations: Operations
    faults: Faults
    store: Store | None = None
    """Where the state outlives the process; None keeps it in memory."""
    ledger: Ledger = field(default_factory=Ledger)
    parts: Parts = field(default_factory=Parts)

    def keep_directory(self) -> None:
        """Remember subscriptions, groups and principals beyond this process, where the state is stored."""
        if self.store is not None:
            self.store.keep_fleet(fleets.directory_of(self.directory))
