"""Arithmetic on numbers, datetimes and timespans, with Kusto's nulls, truncation and overflow.

Every function takes values in the form of `values.py` and gives null where an operand is null. Must not know types:
the binder chooses the function.

Source: Kusto documentation, numerical operators (integer division truncates; modulo is never negative).
"""

import math
from collections.abc import Callable
from decimal import Decimal

from arm_emulator.kql.datetimes import LAST_TICK
from arm_emulator.kql.values import DECIMALS, Value, finite, wrap_long


def strict(function: Callable[..., Value]) -> Callable[..., Value]:
    """Return `function` with a null result where any argument is null."""

    def call(*arguments: Value) -> Value:
        for argument in arguments:
            if argument is None:
                return None
        return function(*arguments)

    return call


_STRICT: dict[Callable[..., Value], Callable[..., Value]] = {}


def shared_strict(function: Callable[..., Value]) -> Callable[..., Value]:
    """Return `strict(function)`, one and the same for each function."""
    if function not in _STRICT:
        _STRICT[function] = strict(function)
    return _STRICT[function]


def in_calendar(ticks: int) -> int | None:
    """Return a datetime that the calendar has, or null."""
    return ticks if 0 <= ticks <= LAST_TICK else None


def divide_long(left: int, right: int) -> int | None:
    """Divide whole numbers, cutting the fraction off; by zero gives null."""
    if right == 0:
        return None
    quotient = abs(left) // abs(right)
    return wrap_long(quotient if (left < 0) == (right < 0) else -quotient)


def divide_real(left: float, right: float) -> float:
    """Divide reals; by zero gives an infinity, or NaN for zero by zero."""
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def modulo_long(left: int, right: int) -> int | None:
    """Return the remainder that is never negative; by zero gives null."""
    return None if right == 0 else left % abs(right)


def modulo_real(left: float, right: float) -> float:
    """Return the remainder that is never negative; by zero gives NaN."""
    return math.nan if right == 0 or math.isinf(left) or math.isnan(right) else left % abs(right)


def times_real(left: float, right: float) -> float:
    """Multiply reals; too large gives an infinity."""
    return float(left) * float(right)


def scale_ticks(left: float, right: float) -> int | None:
    """Multiply a timespan by a number."""
    left, right = (side if isinstance(side, int) else float(side) for side in (left, right))
    product = left * right
    return None if isinstance(product, float) and not math.isfinite(product) else wrap_long(int(product))


def shrink_ticks(left: int, right: float) -> int | None:
    """Divide a timespan by a number; by zero gives null."""
    right = float(right)
    return None if right == 0 or not math.isfinite(right) else wrap_long(int(left / right))


def bin_long(value: int, size: int) -> int | None:
    """Round down to a multiple of `size`; a size that is not positive gives null."""
    return None if size <= 0 else wrap_long(value // size * size)


def bin_real(value: float, size: float) -> float | None:
    """Round down to a multiple of `size`."""
    if size <= 0 or not math.isfinite(value) or not math.isfinite(size):
        return None
    return float(math.floor(value / size) * size)


LONG: dict[str, Callable[..., Value]] = {
    "+": lambda left, right: wrap_long(left + right),
    "-": lambda left, right: wrap_long(left - right),
    "*": lambda left, right: wrap_long(left * right),
    "/": divide_long,
    "%": modulo_long,
}


def _on_dynamics(operator: str) -> Callable[..., Value]:
    """Return an operator on two dynamics: on two numbers it gives a number, on anything else null."""

    def call(left: Value, right: Value) -> Value:
        if not (_is_number(left) and _is_number(right)):
            return None
        table = REAL if isinstance(left, float) or isinstance(right, float) else LONG
        result = table[operator](left, right)
        return None if isinstance(result, float) and not math.isfinite(result) else result

    return call


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


REAL: dict[str, Callable[..., Value]] = {
    "+": lambda left, right: float(left) + float(right),
    "-": lambda left, right: float(left) - float(right),
    "*": times_real,
    "/": divide_real,
    "%": modulo_real,
}


def _remainder(left: Decimal, right: Decimal) -> Decimal:
    """Return the remainder that is never negative."""
    rest = DECIMALS.remainder(left, right)
    return DECIMALS.add(rest, abs(right)) if rest < 0 else rest


def _on_decimals(function: Callable[[Decimal, Decimal], Decimal]) -> Callable[..., Value]:
    """Return an operator on two decimals: by zero, and where the result is too large, it gives null."""
    return lambda left, right: finite(function(left, right))


DECIMAL: dict[str, Callable[..., Value]] = {
    "+": _on_decimals(DECIMALS.add),
    "-": _on_decimals(DECIMALS.subtract),
    "*": _on_decimals(DECIMALS.multiply),
    "/": _on_decimals(DECIMALS.divide),
    "%": _on_decimals(lambda left, right: _remainder(left, right) if right else Decimal("nan")),
}
DYNAMIC: dict[str, Callable[..., Value]] = {operator: _on_dynamics(operator) for operator in REAL}
