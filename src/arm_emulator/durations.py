"""ISO 8601 durations, the part that the clock's ``advance`` takes: weeks, days, hours, minutes, seconds."""

import re
from datetime import timedelta

_DURATION = re.compile(
    r"^P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?$"
)


def iso_duration(text: str) -> timedelta:
    """The duration of a text such as ``PT2H`` or ``P1DT30M``.

    Raises:
        ValueError: when it is no such duration (months and years have no fixed length and are refused).
    """
    match = _DURATION.match(text) if isinstance(text, str) else None
    parts = {name: float(value) for name, value in match.groupdict().items() if value} if match else {}
    if not parts:
        raise ValueError(f"{text!r} is not an ISO 8601 duration in weeks, days, hours, minutes and seconds")
    return timedelta(**parts)
