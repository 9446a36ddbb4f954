"""What holds a run back: budgets, waves, freezes, concurrency, patience, share. It belongs to the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

MOST_CANARIES = 1000
"""More than that is a wave, and a rule makes waves."""
MOST_AT_ONCE = 1000
"""The largest `concurrency` that may be asked for."""


@dataclass(frozen=True, slots=True)
class KeptFreeze:
    """A freeze as it was written, and the time zone in which it was read."""

    text: str
    """Without its zone."""
    zone: str
    """IANA name: the zone that the text named, or that of the computer on which it was read."""

    def __str__(self) -> str:
        return f"{self.text} {self.zone}"


@dataclass(frozen=True, slots=True)
class RunGuardrails:
    """What a run was begun with, or what is in force now. None and empty: not asked for."""

    max_failures: str | None = None
    """`N` or `P%`, as the other budgets."""
    max_failures_per_wave: str | None = None
    max_failures_per_region: str | None = None
    concurrency: int | None = None
    operation_timeout: float | None = None
    """Seconds; None: the standard patience."""
    throttle_patience: float | None = None
    """Seconds; None: the standard patience."""
    wave_pause: float | None = None
    """Seconds, > 0."""
    last_wave: int | None = None
    """Counted from 1."""
    freeze: tuple[KeptFreeze, ...] = ()
    strict: bool = False
    """A machine is left alone when anything of it changed since the plan, and not only what the plan depends on."""
    share: str | None = None
    """Of Azure's limits, `50%`."""
    max_changes: str | None = None
    """`N` or `P%` of the scope."""
    accepted_failures: int = 0
    """So many failures were named to somebody who said yes to going on: they do not hold up the next wave."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Field → where its value comes from, in words, where that is not the option itself: `PATCHMODE_FREEZE`."""


NAMES = tuple(one.name for one in fields(RunGuardrails) if one.name not in {"accepted_failures", "sources"})
"""The fields that are options, in the order in which they are told."""


_SPANS = ("throttle_patience", "wave_pause")
"""Options that are written as `15m`."""


def typed_values(brakes: RunGuardrails) -> dict[str, str]:
    """Option → its value as it would be typed, several freezes separated by `;`; what was not asked for is left out."""
    found: dict[str, str] = {}
    for name in NAMES:
        value = getattr(brakes, name)
        if name in _SPANS and value:
            found[option_name(name)] = _span(value)
        elif name == "freeze" and value:
            found[option_name(name)] = "; ".join(map(str, value))
        elif value is True:
            found[option_name(name)] = ""
        elif value:
            found[option_name(name)] = f"{value:g}" if isinstance(value, float) else str(value)
    return found


def option_name(name: str) -> str:
    """A field as its option: `--max-failures`."""
    return f"--{name.replace('_', '-')}"


def _span(seconds: float) -> str:
    minutes = seconds / 60
    for unit, length in (("w", 7 * 24 * 60), ("d", 24 * 60), ("h", 60)):
        if minutes and minutes % length == 0:
            return f"{minutes / length:g}{unit}"
    return f"{minutes:g}m"


@dataclass(frozen=True, slots=True)
class Halt:
    """Why machines had no turn."""

    code: str
    """Ours, as in `MachineError.code`."""
    because: str
    """Goes on from "it was still to come when"."""
    reason: str = ""
    """Goes on from "it", where the machine was not waiting for its turn; empty: see `because`."""
    region: str | None = None
    """In lower case: it holds up this region only. None: the whole run."""

    @property
    def told(self) -> str:
        """Goes on from "it"."""
        return self.reason or f"was still to come when {self.because}"


@dataclass(frozen=True, slots=True)
class Once:
    """One span of time, UTC, without its end."""

    starts: datetime
    ends: datetime
    """After `starts`."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """The same hours on some days of every week, by the clock on the wall."""

    days: frozenset[int]
    """On which it starts; Monday is 0."""
    start: timedelta
    """After midnight, below 24 hours."""
    length: timedelta
    """By the clock on the wall, which may be put forward or back meanwhile; above 0, at most 7 days."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time during which nothing may be changed, once or every week."""

    text: str
    """As it was written, without its time zone."""
    zone: ZoneInfo
    span: Once | Weekly

    @property
    def zone_name(self) -> str:
        """As messages name it; a zone that is only known from a file of this computer has no name of its own."""
        return self.zone.key if self.zone.key and self.zone.key != "local" else "local time"

    def __str__(self) -> str:
        return f"{self.text} ({self.zone_name})"
