"""Token buckets that learn, and how long an answer asks to wait: requests leave no faster than Azure allows."""

import asyncio
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from patchmode.arm.failures import read_fault
from patchmode.ports.azure import Clock

_DECREASE = 0.6
"""Part of the rate that is left after a 429: somebody else spends the same limit, and no answer says how much."""
_RECOVERY_S = 120.0
"""Seconds from the lowest rate back to the full one, when no further 429 comes."""
_LEAST_RATE = 0.1
"""Never nothing: only a request that leaves can show that the limit is free again."""
_FREEZE_UNSAID_S = 5.0
"""How long a bucket rests after a 429 that names no time. Recorded waits that do name one: 6 to 324 s."""
_DUST = 1e-6
"""Part of a token that rounding may leave missing."""
_SHORTEST_WAIT_S = 0.001
"""A shorter one may round to no wait at all, and the loop that waits would spin."""
_MARGIN = 1.0
"""Tokens left alone, for the difference between two clocks."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One published limit: `burst` tokens at most, refilled at `per_second`."""

    burst: float
    per_second: float


class HeldTooLongError(Exception):
    """A refusal asks for more time than there is patience, so nothing leaves here; how much stands in `wait_s`."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"no request may be sent for {wait_s:.0f} s")
        self.wait_s = wait_s


Tell = Callable[[float], None]
"""Is told how many seconds a limit will hold back what waits for it now, where that is long enough to be noticed."""
NOTICED_S = 1.0
"""A longer wait is told."""
TOLD_EVERY_S = 30.0
"""Waits of one kind that follow each other, as the windows of a long reading do, are not each told."""


class Teller:
    """Tells of waits at one limit, each once.

    Args:
        tell: who is told; None: nobody.
    """

    __slots__ = ("_tell", "_until")

    def __init__(self, tell: Tell | None) -> None:
        self._tell = tell
        self._until = -math.inf

    def hold(self, now: float, wait_s: float) -> None:
        """A wait begins or goes on; what was told already is not told again until it is over."""
        if self._tell is None or wait_s <= NOTICED_S or now < self._until:
            return
        self._until = now + max(wait_s, TOLD_EVERY_S)
        self._tell(wait_s)

    def knows(self, until: float) -> None:
        """Whoever watches has been told of a wait until this moment: a refusal is told by the request itself."""
        self._until = max(self._until, until)


class Ticket(NamedTuple):
    """One request's place in a bucket's order, taken when it left."""

    sent: int
    """Requests that had left through the bucket, this one included."""
    unanswered: int
    """Others that were on their way when it left."""


class Bucket:
    """One limit's tokens, as far as they can be known from here."""

    __slots__ = (
        "_answered",
        "_frozen_until",
        "_gate",
        "_level",
        "_limit",
        "_rate",
        "_rate_at",
        "_reserve",
        "_sent",
        "_teller",
        "_updated",
        "_waiting",
    )

    def __init__(self, limit: Limit, now: float, *, reserve: float = 0.0, tell: Tell | None = None) -> None:
        """Start full.

        Args:
            limit: what this client may spend.
            now: seconds of the clock.
            reserve: tokens that the service counts and this client leaves to others.
            tell: is told how long those who wait now will wait at most, where that is more than a second.
        """
        self._teller = Teller(tell)
        self._limit = limit
        self._reserve = reserve + _MARGIN
        self._level = limit.burst - _MARGIN
        self._updated = now
        self._frozen_until = now
        self._rate = 1.0
        self._rate_at = now
        self._sent = 0
        self._answered = 0
        self._waiting = 0
        self._gate: asyncio.Lock | None = None

    def level(self, now: float) -> float:
        """Tokens left, refilled up to this moment. Negative: the service says that more was spent than it has."""
        if now > self._updated:
            refill = (now - self._updated) * self._limit.per_second * self._share(now)
            self._level = min(self._limit.burst, self._level + refill)
            self._updated = now
        return self._level

    def _share(self, now: float) -> float:
        """The part of the published rate that is ours at present."""
        return min(1.0, self._rate + (now - self._rate_at) / _RECOVERY_S)

    def wait_s(self, now: float) -> float:
        """Seconds until a request may leave; 0: now."""
        if now < self._frozen_until:
            return self._frozen_until - now
        missing = 1.0 - self.level(now)
        if missing <= _DUST:
            return 0.0
        return max(_SHORTEST_WAIT_S, missing / (self._limit.per_second * self._share(now)))

    def _interval_s(self, now: float) -> float:
        """Seconds between two tokens."""
        return 1.0 / (self._limit.per_second * self._share(now))

    def line_s(self, now: float) -> float:
        """Seconds until a request that stood in line from now on might leave, those before it being served first."""
        frozen = max(0.0, self._frozen_until - now)
        missing = 1.0 + self._waiting - self.level(now)
        return frozen + max(0.0, missing - _DUST) / (self._limit.per_second * self._share(now))

    @property
    def sent(self) -> int:
        """Requests that have left through it."""
        return self._sent

    def try_spend(self, now: float) -> Ticket | None:
        """Take a token if there is one and nobody waits for it; None otherwise."""
        return self._spend() if not self._waiting and self.wait_s(now) <= 0 else None

    def _spend(self) -> Ticket:
        self._level -= 1.0
        unanswered = self._sent - self._answered
        self._sent += 1
        return Ticket(self._sent, unanswered)

    async def pass_through(self, clock: Clock, *, patience_s: float = math.inf) -> Ticket:
        """Wait for a token, first come first served, and take it.

        Args:
            clock: time.
            patience_s: how long a refusal may keep this bucket closed; the wait for its tokens, and for those who came
                first, is not bounded.

        Raises:
            HeldTooLongError: a refusal keeps it closed for longer than that.
        """
        if self._gate is None:
            self._gate = asyncio.Lock()
        self._waiting += 1
        try:
            async with self._gate:
                while (wait := self.wait_s(now := clock.monotonic())) > 0:
                    if self._frozen_until - now > patience_s:
                        raise HeldTooLongError(wait)
                    if wait > NOTICED_S:
                        await asyncio.sleep(0)  # those who come at the same moment stand in line, too
                    # Of all who stand in line, this one included: it is their first.
                    self._teller.hold(now, max(wait, self.line_s(now) - self._interval_s(now)))
                    await clock.sleep(wait)
                return self._spend()
        finally:
            self._waiting -= 1

    def answered(self, ticket: Ticket, now: float, *, remaining: float | None) -> None:
        """Learn from an answer.

        Args:
            ticket: the request's own.
            now: seconds of the clock.
            remaining: what the answer says is left; None: it does not say, or there was no answer.
        """
        self._answered += 1
        if remaining is None:
            return
        left = remaining - self._reserve
        level = self.level(now)
        if self._reserve <= _MARGIN:
            # All of it is ours, so what the service has beyond our own reckoning is too; a share keeps to its rate.
            self._limit = Limit(max(self._limit.burst, left + 1), self._limit.per_second)
            since = self._sent - ticket.sent
            level = max(level, left - since - ticket.unanswered)
        self._level = min(level, left - (self._sent - self._answered))

    def returned(self, ticket: Ticket, now: float) -> None:
        """Take a token back whose request never left."""
        self.answered(ticket, now, remaining=None)
        self._level = min(self._limit.burst, self.level(now) + 1.0)

    def refused(self, now: float, *, retry_after_s: float | None) -> None:
        """Learn from a 429 of this bucket: nothing leaves for the time asked, and less afterwards."""
        until = now + (retry_after_s if retry_after_s is not None else _FREEZE_UNSAID_S)
        # All refusals of one burst are one event: without this ten of them would take the rate to its least at once.
        if now >= self._frozen_until:
            self._rate = max(_LEAST_RATE, self._share(now) * _DECREASE)
            self._rate_at = now
        self._frozen_until = max(self._frozen_until, until)
        self._teller.knows(until)
        # One request tries whether the bucket is open again; a full burst would be refused as a whole.
        self._level = min(self.level(now), 1.0)
        self._updated = self._frozen_until


class QuotaWindow:
    """A quota that is whole again at a stated moment, as Resource Graph's: so many queries in so many seconds.

    What is left is bounded from above by what the service says, and from below by that, less every query that it may
    not have counted: a service that grants more than it publishes is asked for more. Answers say in whole seconds when
    the quota is whole again; the earliest of a window's is the nearest one, yet no window is shorter than published,
    whichever way those seconds are rounded.
    """

    __slots__ = (
        "_answered",
        "_forgotten",
        "_least_until",
        "_left",
        "_limit",
        "_reserve",
        "_resets_at",
        "_said",
        "_seconds",
        "_sent",
        "_teller",
    )

    def __init__(self, limit: int, seconds: float, now: float, *, reserve: int = 0, tell: Tell | None = None) -> None:
        """Start whole.

        Args:
            limit: queries that this client may send in a window, > 0.
            seconds: length of a window, > 0.
            now: seconds of the clock.
            reserve: queries that the service counts and this client leaves to others.
            tell: is told how long a query waits, where that is more than a second.
        """
        self._teller = Teller(tell)
        self._limit = limit
        self._seconds = seconds
        self._reserve = reserve
        self._left = float(limit)
        self._resets_at = now
        self._least_until = now
        self._said = math.inf
        self._sent = 0
        self._answered = 0
        self._forgotten = 0
        """The last query whose answer says nothing of the present window."""

    @property
    def resets_at(self) -> float:
        """The moment from which the quota is whole again, in seconds of the clock."""
        return self._resets_at

    def resume(self, remaining: float, resets_at: float, now: float) -> None:
        """Begin with what an earlier process was told, before the first query.

        Args:
            remaining: queries that were left.
            resets_at: when the quota is whole again; later than `now`, which is in seconds of the same clock.
            now: the present.
        """
        self._left = max(0.0, min(self._limit, remaining))
        self._resets_at = resets_at
        self._least_until = min(resets_at, now + self._seconds)

    def certain(self, ticket: Ticket, remaining: float) -> float:
        """Queries left at least, where an answer says so many: without all that it may not have counted."""
        return remaining - (self._sent - ticket.sent) - ticket.unanswered

    async def pass_through(self, clock: Clock, *, patience_s: float = math.inf) -> Ticket:
        """Wait until a query may leave.

        Args:
            clock: time.
            patience_s: how long the service may keep the quota at nought; an ordinary window is always waited for.

        Raises:
            HeldTooLongError: it says that it will be for longer.
        """
        while True:
            now = clock.monotonic()
            if now >= self._resets_at:
                self._begin(now)
            if self._left >= 1:
                return self._spend()
            wait = self._resets_at - now
            if wait > max(patience_s, self._seconds):
                raise HeldTooLongError(wait)
            self._teller.hold(now, wait)
            await clock.sleep(wait)

    def _begin(self, now: float) -> None:
        self._left = float(self._limit)
        self._resets_at = self._least_until = now + self._seconds
        self._said = math.inf
        self._forgotten = self._sent

    def _spend(self) -> Ticket:
        self._left -= 1
        unanswered = self._sent - self._answered
        self._sent += 1
        return Ticket(self._sent, unanswered)

    def answered(self, ticket: Ticket, now: float, *, remaining: float | None, resets_after_s: float | None) -> None:
        """Learn from an answer.

        Args:
            ticket: the query's own.
            now: seconds of the clock.
            remaining: queries that the answer says are left; None: it does not say, or there was no answer.
            resets_after_s: seconds after which the answer says that the quota is whole again; None: likewise.
        """
        self._answered += 1
        if ticket.sent <= self._forgotten:
            return
        if remaining is not None:
            self._left = min(self._left, remaining)
            certain = self.certain(ticket, remaining)
            if certain > self._left and not self._reserve:
                # More than is published, or the service's next window, which ends later than this one.
                self._left, self._said = certain, math.inf
        if resets_after_s is not None:
            self._said = min(self._said, now + resets_after_s)
            self._resets_at = max(self._least_until, self._said)

    def refused(self, now: float, *, retry_after_s: float | None) -> None:
        """Nothing leaves for the time asked, or for one whole window; what is still on its way changes nothing."""
        self._left = 0.0
        self._resets_at = max(self._resets_at, now + (retry_after_s or self._seconds))
        self._teller.knows(self._resets_at)
        self._forgotten = self._sent


_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_TIME = r"(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})"
_DATES = tuple(
    re.compile(form)
    for form in (
        rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) (?P<month>[A-Z][a-z]{{2}}) (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"[A-Z][a-z]{{5,8}}, (?P<day>[0-9]{{2}})-(?P<month>[A-Z][a-z]{{2}})-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST_S = 1e9
"""What is asked beyond 31 years is not told apart: a number of any length is one that nobody waits for."""


def asked_wait_s(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> float | None:
    """The wait that a refusal asks for: in its headers, or in the text of a 429, which may be the only place.

    Args:
        status: of HTTP.
        headers: names in any case.
        body: of the answer.
        now: the moment it came, aware.

    Returns:
        Seconds, never negative; None: it asks for none.
    """
    said = said_wait_s(headers, now)
    if said is None and status == 429:
        return read_fault(body).retry_in_s
    return said


def said_wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that an answer's headers ask for. None: none of them does, or what they say is neither form."""
    text = headers.get("retry-after")
    if text is not None and (wait := wait_in(text, date=headers.get("date"), now=now)) is not None:
        return wait
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        text = headers.get(name)
        if text is not None and (milliseconds := _number_in(text.strip())) is not None:
            return milliseconds / 1000
    return None


def wait_in(text: str, *, date: str | None, now: datetime) -> float | None:
    """The seconds that a `Retry-After` names; a moment that has passed is 0.

    Args:
        text: the header's value. Where the header came twice, its values are joined by commas and the longest counts.
        date: the answer's own `Date`, from which a moment is counted, since two clocks differ; None: there is none.
        now: counted from where the answer gives no date; aware.

    Returns:
        None: it is neither a number nor a date.
    """
    stripped = text.strip()
    if "," in stripped and (several := [_number_in(part.strip()) for part in stripped.split(",")]):
        known = [number for number in several if number is not None]
        if len(known) == len(several):
            return max(known)
    if (number := _number_in(stripped)) is not None:
        return number
    until = http_date(stripped, now)
    if until is None:
        return None
    since = (None if date is None else http_date(date.strip(), now)) or now
    return max(0.0, (until - since) / timedelta(seconds=1))


def _number_in(text: str) -> float | None:
    return min(_LONGEST_S, float(text)) if _NUMBER.fullmatch(text) else None


def http_date(text: str, now: datetime) -> datetime | None:
    """A date in any of HTTP's three forms, in UTC; None: it is none.

    Args:
        text: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`.
        now: a year of two digits that seems to be more than 50 years ahead of it is of the century before.
    """
    for form in _DATES:
        if (found := form.fullmatch(text)) and found["month"] in _MONTHS:
            return _moment(found, now)
    return None


def _moment(found: re.Match[str], now: datetime) -> datetime | None:
    year = int(found["year"])
    if year < 100 and len(found["year"]) == 2:
        year += now.year - now.year % 100
        year -= 100 if year > now.year + 50 else 0
    hour, minute, second = map(int, found["time"].split(":"))
    month = _MONTHS.index(found["month"]) + 1
    try:
        # A leap second is the second before it.
        return datetime(year, month, int(found["day"]), hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None


def span_text(seconds: float) -> str:
    """`8 s`, `5 min`, `27 h 46 min`, `41 days`, `more than a year`: a wait for a line on the screen."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 72:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days = round(hours / 24)
    return f"{days} days" if days <= 366 else "more than a year"


def held_text(asked_s: float | None, patience_s: float) -> str:
    """Why a request that Azure holds back is not waited for any longer.

    Args:
        asked_s: what Azure asks to wait from now on; None: it does not say.
        patience_s: the whole patience.
    """
    patience = f"the throttle patience of {span_text(patience_s)}"
    if asked_s is None:
        return f"Azure went on refusing for all of {patience}"
    return f"Azure asks to wait another {span_text(asked_s)}, which is longer than {patience}"
