"""Kusto's values at run time: how each type is held, converted, compared and written.

| type | held as | null |
| --- | --- | --- |
| bool, int, long, real | bool, int, int, float | None |
| string, guid | str | a string has no null: ''; a guid None |
| decimal | Decimal of 34 digits | None |
| datetime, timespan | int: ticks, see `datetimes.py` | None |
| dynamic | what JSON gives: dict, list, str, int, float, bool | None |

Values inside a dynamic belong to the caller's rows and are never changed. Must not know the query.

Source: the Kusto documentation of null values, dynamic and the to...() functions; that `false` compared with the text
'false' is equal, and a missing property with '', from recorded answers and published queries of Resource Graph.
"""

import json
import math
import re
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

from arm_emulator.kql.datetimes import format_datetime, format_timespan, parse_datetime, parse_timespan

Value = Any

# Nothing raises: what is too large is an infinity, and `finite` makes a null of it.
DECIMALS = Context(prec=34, Emax=40, Emin=-40, traps=[])
_LONG_LIMIT = 2**63
_INT_LIMIT = 2**31
_NUMBER = re.compile(r"\s*[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*")
_GUID = re.compile(
    r"\s*[{(]?([0-9a-fA-F]{8})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{12})[)}]?\s*"
)
_SPECIALS = {"nan": math.nan, "inf": math.inf, "+inf": math.inf, "-inf": -math.inf, "infinity": math.inf}
_EXPONENT_FROM = 1e15


def parse_number(text: str, *, specials: bool = False) -> int | float | None:
    """Return the number that `text` writes, an int where it has no point and no exponent; None where it is none."""
    if specials and (special := _SPECIALS.get(text.strip().lower())) is not None:
        return special
    if not _NUMBER.fullmatch(text):
        return None
    if re.fullmatch(r"\s*[+-]?(?:0[xX][0-9a-fA-F]+)\s*", text):
        return int(text, 16)
    if any(mark in text for mark in ".eE"):
        return float(text)
    return int(text)


def parse_guid(text: str) -> str | None:
    """Return the canonical lower-case form of a guid, or None."""
    match = _GUID.fullmatch(text)
    return "-".join(match.groups()).lower() if match else None


def real_text(value: float) -> str:
    """Write a real as Kusto does: shortest form that reads back the same, a point always, exponents as `1E+20`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = repr(float(value))
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}E{int(exponent):+03d}"
    if abs(value) < _EXPONENT_FROM:
        return text
    digits = text.lstrip("-").removesuffix(".0")
    fraction = digits[1:].rstrip("0")
    return ("-" if value < 0 else "") + digits[0] + (f".{fraction}" if fraction else "") + f"E+{len(digits) - 1}"


def json_text(value: Value) -> str:
    """Write a dynamic as compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def text_of(value: Value) -> str:
    """Write a dynamic as `tostring()` does: a string as it is, null as '', the rest as JSON."""
    if value.__class__ is str:
        return str(value)
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, float):
        return real_text(value)
    return json_text(value)


def bool_text(value: bool | None) -> str:
    """Write a bool as `tostring()` does, in capitals; inside a dynamic it is JSON's `true`. Null is ''."""
    return "" if value is None else "True" if value else "False"


def long_text(value: int | None) -> str:
    """Write an integer; null is ''."""
    return "" if value is None else str(int(value))


def real_text_or_empty(value: float | None) -> str:
    """Write a real; null is ''."""
    return "" if value is None else real_text(value)


def datetime_text(value: int | None) -> str:
    """Write a datetime; null is ''."""
    return "" if value is None else format_datetime(value)


def timespan_text(value: int | None) -> str:
    """Write a timespan; null is ''."""
    return "" if value is None else format_timespan(value)


def guid_text(value: str | None) -> str:
    """Write a guid; null is ''."""
    return value or ""


def wrap_long(value: int) -> int:
    """Bring an integer back into 64 bits, as Kusto's long does when it overflows."""
    return value if -_LONG_LIMIT <= value < _LONG_LIMIT else (value + _LONG_LIMIT) % (2 * _LONG_LIMIT) - _LONG_LIMIT


def long_of(value: Value) -> int | None:
    """Convert as `tolong()` does; a text that is not a whole number, a bag and an array give null."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if -_LONG_LIMIT <= value < _LONG_LIMIT else None
    if isinstance(value, float | Decimal):
        return _saturated(value, _LONG_LIMIT)
    if isinstance(value, str):
        number = parse_number(value)
        return long_of(number) if isinstance(number, int) else None
    return None


def int_of(value: Value) -> int | None:
    """Convert as `toint()` does: a long is cut to its lower 32 bits, a real stops at the bounds, a text gives null."""
    if isinstance(value, float | Decimal):
        return _saturated(value, _INT_LIMIT)
    whole = long_of(value)
    if whole is None or -_INT_LIMIT <= whole < _INT_LIMIT:
        return whole
    return None if isinstance(value, str) else (whole + _INT_LIMIT) % (2 * _INT_LIMIT) - _INT_LIMIT


def _saturated(value: float | Decimal, limit: int) -> int | None:
    """Cut the fraction off a real; what is too large becomes the largest, NaN and the infinities null."""
    return max(-limit, min(limit - 1, int(value))) if math.isfinite(value) else None


def real_of(value: Value) -> float | None:
    """Convert as `toreal()` does."""
    if isinstance(value, str):
        value = parse_number(value, specials=True)
    return float(value) if isinstance(value, int | float | Decimal) else None


def decimal_of(value: Value) -> Decimal | None:
    """Convert as `todecimal()` does; what is no number, and an infinity, give null."""
    if isinstance(value, str):
        value = value.strip()
    elif isinstance(value, float):
        value = repr(value)
    if not isinstance(value, str | int | Decimal):
        return None
    return finite(DECIMALS.create_decimal(value))


def finite(value: Decimal) -> Decimal | None:
    """Return a decimal, or null for what is none."""
    return value if value.is_finite() else None


def decimal_text(value: Decimal | None) -> str:
    """Write a decimal without an exponent; null is ''."""
    return "" if value is None else f"{value:f}"


def bool_of(value: Value) -> bool | None:
    """Convert as `tobool()` does: numbers by being other than 0, texts `true`, `false` or a whole number."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return value != 0
    if isinstance(value, str):
        text = value.strip().lower()
        if text in {"true", "false"}:
            return text == "true"
        number = parse_number(text)
        return number != 0 if isinstance(number, int) else None
    return None


def datetime_of(value: Value) -> int | None:
    """Convert a dynamic or a text as `todatetime()` does."""
    if isinstance(value, str):
        return parse_datetime(value)
    return None


def timespan_of(value: Value) -> int | None:
    """Convert a dynamic or a text as `totimespan()` does."""
    if isinstance(value, str):
        return parse_timespan(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def guid_of(value: Value) -> str | None:
    """Convert a dynamic or a text as `toguid()` does."""
    return parse_guid(value) if isinstance(value, str) else None


def dynamic_of_real(value: float | None) -> Value:
    """Put a real into a dynamic; what JSON cannot write becomes its text."""
    return value if value is None or math.isfinite(value) else real_text(value)


def dynamic_of_datetime(value: int | None) -> Value:
    """Put a datetime into a dynamic, where it is its text."""
    return None if value is None else format_datetime(value)


def dynamic_of_timespan(value: int | None) -> Value:
    """Put a timespan into a dynamic, where it is its text."""
    return None if value is None else format_timespan(value)


def parse_json(text: str) -> Value:
    """Read JSON as `parse_json()` does: a text that is no JSON stays a string, '' is null."""
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def item_of(value: Value, index: Value) -> Value:
    """Return `value[index]` for an index known only at run time; what is not there is null."""
    if isinstance(value, list) and isinstance(index, int):
        return value[index] if -len(value) <= index < len(value) else None
    if isinstance(value, dict) and isinstance(index, str):
        return value.get(index)
    return None


def path_reader(keys: tuple[str, ...]) -> Callable[[Value], Value]:
    """Return a function that follows property names through bags; what is not there is null."""
    if len(keys) == 1:
        return _single_key(keys[0])
    first, *rest = keys

    def read(value: Value) -> Value:
        try:
            value = value[first]
            for key in rest:
                value = value[key]
        except (KeyError, TypeError, IndexError):
            return None
        return value

    return read


def _single_key(key: str) -> Callable[[Value], Value]:
    def read(value: Value) -> Value:
        return value.get(key) if value.__class__ is dict else None

    return read


def equal(left: Value, right: Value) -> bool | None:
    """Compare two values of one type: null with null is null, null with anything else is false."""
    if left is None and right is None:
        return None
    return left == right  # type: ignore[no-any-return]  # both are values of one scalar type


def unequal(left: Value, right: Value) -> bool | None:
    """Compare two values of one type: null with null is null, null with anything else is true."""
    if left is None and right is None:
        return None
    return left != right  # type: ignore[no-any-return]  # both are values of one scalar type


def less(left: Value, right: Value) -> bool | None:
    """Tell `left < right`; null where either is null."""
    return None if left is None or right is None else left < right


def at_most(left: Value, right: Value) -> bool | None:
    """Tell `left <= right`; null where either is null."""
    return None if left is None or right is None else left <= right


def every(*parts: bool | None) -> bool | None:
    """Three-valued `and`."""
    if False in parts:
        return False
    return None if None in parts else True


def some(*parts: bool | None) -> bool | None:
    """Three-valued `or`."""
    if True in parts:
        return True
    return None if None in parts else False


def negate(value: bool | None) -> bool | None:
    """Three-valued `not`."""
    return None if value is None else not value
