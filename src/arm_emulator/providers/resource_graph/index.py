"""What Resource Graph knows: every resource as it stood a settable time ago, by type.

Azure's index follows the providers asynchronously: mostly within seconds, without an upper bound. Here each change
becomes visible after the emulator's lag; the fleet a file loads is known at once.
"""

import heapq
import itertools
import math
from datetime import datetime, timedelta
from random import Random

from arm_emulator.clock import Clock
from arm_emulator.state import Stored

USUAL_LAG_S = 30.0
"""95 % of changes are visible after that long, a Microsoft engineer is quoted in Azure/azure-dev#540; the shape between
is taken to be exponential, which has no upper bound either."""


class GraphIndex:
    """The lagging copy of an emulator's state.

    Args:
        clock: tells when the lag of a change is over.
        draw: the seeded source of drawn lags.
        lag_s: how long every change stays unknown, in seconds; None draws.
    """

    def __init__(self, clock: Clock, draw: Random, lag_s: float | None) -> None:
        self._clock = clock
        self._draw = draw
        self.lag_s = lag_s
        """How long it lags; None draws lags such as Azure's. A fault may change it."""
        self._by_type: dict[str, dict[str, Stored]] = {}
        self._types: dict[str, str] = {}
        self._coming: list[tuple[datetime, int, str, Stored | None]] = []
        self._order = itertools.count()
        self._waiting: dict[str, tuple[int, datetime]] = {}
        self.is_loading = False
        """While it is set, changes are visible at once."""

    def on_change(self, key: str, stored: Stored | None) -> None:
        """The state changed: know it at once, or when the lag is over."""
        lag = 0.0 if self.is_loading else self.draw_lag()
        count, latest = self._waiting.get(key, (0, None))
        if lag <= 0 and not count:
            self._apply(key, stored)
            return
        when = self._clock.now() + timedelta(seconds=lag)
        # A later change of one resource never becomes visible before an earlier one.
        when = when if latest is None else max(when, latest)
        self._waiting[key] = (count + 1, when)
        heapq.heappush(self._coming, (when, next(self._order), key, stored))

    def of_type(self, type_: str) -> list[Stored]:
        """The resources of a type in lower case, as they are known now."""
        self._catch_up()
        return list(self._by_type.get(type_, {}).values())

    def types(self) -> list[str]:
        """The types that have resources, in lower case."""
        self._catch_up()
        return [type_ for type_, held in self._by_type.items() if held]

    def clear(self) -> None:
        """Forget everything, what is coming too."""
        self._by_type.clear()
        self._types.clear()
        self._coming.clear()
        self._waiting.clear()

    def draw_lag(self) -> float:
        """How long one change stays unknown, in seconds: settled by the emulator's options, or drawn."""
        lag = self.lag_s
        return self._draw.expovariate(math.log(20) / USUAL_LAG_S) if lag is None else lag

    def _catch_up(self) -> None:
        now = self._clock.now()
        while self._coming and self._coming[0][0] <= now:
            _, _, key, stored = heapq.heappop(self._coming)
            self._apply(key, stored)
            count, latest = self._waiting.pop(key)
            if count > 1:
                self._waiting[key] = (count - 1, latest)

    def _apply(self, key: str, stored: Stored | None) -> None:
        known = self._types.get(key)
        if stored is None:
            if known is not None:
                self._by_type[known].pop(key, None)
                del self._types[key]
            return
        self._types[key] = stored.type
        self._by_type.setdefault(stored.type, {})[key] = stored
