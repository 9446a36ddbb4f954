"""How long an answer asks to wait: `Retry-After` in all its forms, in seconds.

Must not: wait, or decide whether to.

Source: RFC 9110, 10.2.3 (delay-seconds or HTTP-date) and 5.6.7 (the three forms of a date); `retry-after-ms` and
`x-ms-retry-after-ms` as azure-core reads them where `Retry-After` is absent; fractions of a second as azure-core
accepts them. Recorded answers of Azure have whole seconds only, 6 to 324.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from patchmode.arm.failures import read_fault

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
    return f"Azure asks to wait another {span_text(asked_s)}, which is past {patience}"
