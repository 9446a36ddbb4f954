"""The functions on numbers, and those that round numbers and times alike.

Registers them; must not be called directly.

Source: Kusto documentation of each function; `round()` rounds halves away from zero (its example: 2.15 to 2.2).
"""

import math
import random
import uuid
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from arm_emulator.kql.arithmetic import bin_long, bin_real, strict
from arm_emulator.kql.code import Bound
from arm_emulator.kql.conversions import applied, convert
from arm_emulator.kql.functions import Site, check, register, simple
from arm_emulator.kql.types import INTEGERS, NUMBERS, TIMES, WIDE_NUMBERS, Type, common_type
from arm_emulator.kql.values import DECIMALS, Value, finite, wrap_long


def _bin_decimal(value: Decimal, size: Decimal) -> Decimal | None:
    if size <= 0:
        return None
    quotient = DECIMALS.divide(value, size)
    return finite(DECIMALS.multiply(quotient.to_integral_value(ROUND_FLOOR), size)) if quotient.is_finite() else None


_BINS: dict[Type, Callable[..., Value]] = {Type.REAL: bin_real, Type.DECIMAL: _bin_decimal}


@register("bin", "floor")
def _bin(site: Site, arguments: list[Bound]) -> Bound:
    value, size = check(site, "any any", arguments)
    kinds = {value.type, size.type}
    if kinds <= INTEGERS:
        kind = Type.LONG
    elif kinds <= NUMBERS:
        kind = Type.REAL
    elif kinds <= WIDE_NUMBERS:
        kind = Type.DECIMAL
        value, size = (convert(site.space, bound, kind) for bound in (value, size))
    elif value.type in {Type.DATETIME, Type.TIMESPAN} and size.type is Type.TIMESPAN:
        kind = value.type
    else:
        raise site.refusal(f"a {value.type} cannot be rounded to a {size.type}.")
    function = _BINS.get(kind, bin_long)
    return applied(site.space, strict(function), kind, value, size).named(arguments[0].name)


# Functions whose column is named after their argument, as the language service has it.
_NAMED = frozenset({"sin", "cos", "tan", "asin", "acos", "atan", "gamma", "loggamma", "erf", "erfc"})
_MOST_DIGITS = 300


def _rounded(value: float, digits: int = 0) -> float:
    if not math.isfinite(value) or digits > _MOST_DIGITS:
        return value
    if digits < -_MOST_DIGITS:
        return 0.0
    factor = 10.0 ** abs(digits)
    scaled = value * factor if digits >= 0 else value / factor
    if not math.isfinite(scaled):
        return value
    whole = math.copysign(math.floor(abs(scaled) + 0.5), value)
    return whole / factor if digits >= 0 else whole * factor


def _round_decimal(value: Decimal, digits: int = 0) -> Decimal:
    if abs(digits) > DECIMALS.prec:
        return value if digits > 0 else Decimal(0)
    rounded = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, DECIMALS)
    return rounded if rounded.is_finite() else value


@register("round", "ceiling")
def _round(site: Site, arguments: list[Bound]) -> Bound:
    """A number keeps its type; a whole one is rounded to tens and hundreds, if at all."""
    bounds = check(site, "number long?" if site.name == "round" else "number", arguments)
    for digits in bounds[1:]:
        site.constant(digits, "The number of digits")
    kind = bounds[0].type
    function = _ROUNDINGS.get((site.name, kind), _round_whole)
    return applied(site.space, strict(function), kind, *bounds).named(arguments[0].name)


def _round_whole(value: int, digits: int = 0) -> int:
    return value if digits >= 0 else int(_rounded(value, digits))


def _ceiling(value: float) -> float:
    return float(math.ceil(value)) if math.isfinite(value) else value


_ROUNDINGS: dict[tuple[str, Type], Callable[..., Value]] = {
    ("round", Type.REAL): _rounded,
    ("round", Type.DECIMAL): _round_decimal,
    ("ceiling", Type.REAL): _ceiling,
    ("ceiling", Type.DECIMAL): lambda value: value.to_integral_value(ROUND_CEILING),
}


@register("abs")
def _abs(site: Site, arguments: list[Bound]) -> Bound:
    (bound,) = check(site, "any", arguments)
    if bound.type not in WIDE_NUMBERS | {Type.TIMESPAN}:
        raise site.refusal(f"a number is expected, not a {bound.type}.", bound.at)
    kind = Type.LONG if bound.type is Type.INT else bound.type
    return applied(
        site.space, strict(lambda value: wrap_long(abs(value)) if isinstance(value, int) else abs(value)), kind, bound
    ).named(arguments[0].name)


def _guarded(function: Callable[..., float]) -> Callable[..., float]:
    """Return a function of reals that gives NaN or an infinity where Python raises."""

    def call(*numbers: float) -> float:
        try:
            result = function(*numbers)
        except ValueError:
            return math.nan
        except (OverflowError, ZeroDivisionError):
            return math.inf
        return result if isinstance(result, float) else math.nan

    return call


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: -math.inf if value == 0 else function(value)


for _names, _function in (
    ("sqrt", math.sqrt), ("exp", math.exp), ("exp2", lambda value: 2.0**value), ("exp10", lambda value: 10.0**value),
    ("log", _logarithm(math.log)), ("log2", _logarithm(math.log2)), ("log10", _logarithm(math.log10)),
):  # fmt: skip
    simple(_names, "real", Type.REAL, _guarded(_function), keeps_name=True)
simple("pow", "real real", Type.REAL, _guarded(lambda base, exponent: float(base) ** exponent), keeps_name=True)
simple("sign", "number", Type.REAL, lambda value: math.copysign(1.0, value) if value else 0.0)
simple("isnan", "inexact", Type.BOOL, math.isnan)
simple("isinf", "inexact", Type.BOOL, math.isinf)
simple("isfinite", "inexact", Type.BOOL, math.isfinite)
simple("pi", "", Type.REAL, lambda: math.pi)
simple("binary_and", "long long", Type.LONG, lambda left, right: left & right, keeps_name=True)
simple("binary_or", "long long", Type.LONG, lambda left, right: left | right, keeps_name=True)
simple("binary_xor", "long long", Type.LONG, lambda left, right: left ^ right, keeps_name=True)
simple("binary_not", "long", Type.LONG, lambda value: ~value, keeps_name=True)


def _extreme(pick: Callable[[list[Value]], Value]) -> Callable[..., Value]:
    def choose(*found: Value) -> Value:
        present = [value for value in found if value is not None]
        return pick(present) if present else None

    return choose


_EXTREMES = {"min_of": _extreme(min), "max_of": _extreme(max)}


@register("min_of", "max_of")
def _min_of(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "any any*", arguments)
    kinds = {bound.type for bound in bounds}
    kind = common_type(kinds)
    if kind is None or kinds & {Type.DYNAMIC, Type.GUID}:
        raise site.refusal("the arguments must be of one type that has an order.")
    return applied(site.space, _EXTREMES[site.name], kind, *(convert(site.space, bound, kind) for bound in bounds))


for _names, _function in (
    ("sin", math.sin), ("cos", math.cos), ("tan", math.tan), ("asin", math.asin), ("acos", math.acos),
    ("atan", math.atan), ("gamma", math.gamma), ("loggamma", math.lgamma), ("erf", math.erf), ("erfc", math.erfc),
    ("cot", lambda value: 1.0 / math.tan(value)), ("degrees", math.degrees), ("radians", math.radians),
):  # fmt: skip
    simple(_names, "real", Type.REAL, _guarded(_function), keeps_name=_names in _NAMED)
simple("atan2", "real real", Type.REAL, math.atan2, keeps_name=True)


def _shifted(value: int, by: int, *, left: bool) -> int | None:
    if by < 0:
        return None
    return wrap_long(value << by % 64) if left else value >> by % 64


simple("binary_shift_left", "long long", Type.LONG, lambda value, by: _shifted(value, by, left=True), keeps_name=True)
simple("binary_shift_right", "long long", Type.LONG, lambda value, by: _shifted(value, by, left=False), keeps_name=True)
simple("bitset_count_ones", "long", Type.LONG, lambda value: (value % 2**64).bit_count(), keeps_name=True)


@register("bin_at")
def _bin_at(site: Site, arguments: list[Bound]) -> Bound:
    value, size, fixed = check(site, "any any any", arguments)
    kinds = {value.type, size.type, fixed.type}
    if kinds <= WIDE_NUMBERS:
        kind = Type.LONG if kinds <= INTEGERS else Type.REAL if kinds <= NUMBERS else Type.DECIMAL
        value, size, fixed = (convert(site.space, bound, kind) for bound in (value, size, fixed))
    elif value.type in TIMES and fixed.type is value.type and size.type is Type.TIMESPAN:
        kind = value.type
    else:
        raise site.refusal(f"a {value.type} cannot be rounded to a {size.type} at a {fixed.type}.")
    function = _BINS.get(kind, bin_long)

    def call(moment: Value, step: Value, start: Value) -> Value:
        rounded = function(moment - start, step)
        return None if rounded is None else rounded + start

    return applied(site.space, strict(call), kind, value, size, fixed).named(arguments[0].name)


@register("around")
def _around(site: Site, arguments: list[Bound]) -> Bound:
    value, middle, delta = check(site, "any any any", arguments)
    kinds = {value.type, middle.type, delta.type}
    times = value.type in TIMES and middle.type is value.type and delta.type is Type.TIMESPAN
    if not (times or kinds <= NUMBERS):
        raise site.refusal(f"a {value.type} cannot be compared with a {middle.type} and a {delta.type}.")
    return applied(
        site.space, strict(lambda one, two, far: two - far <= one <= two + far), Type.BOOL, value, middle, delta
    )


_UNITS = ("B", "KB", "MB", "GB", "TB", "PB", "EB")


def _format_bytes(value: float, digits: int = 0, unit: str = "", base: int = 1024) -> str:
    """Write a size in `unit`, or in the largest in which it is 1 or more."""
    if not math.isfinite(value) or base not in {1000, 1024}:
        return ""
    known = [each for each in _UNITS if each == unit.upper()]
    at = (
        _UNITS.index(known[0])
        if known
        else max((at for at in range(len(_UNITS)) if at == 0 or abs(value) >= base**at), default=0)
    )
    text = f"{_rounded(value / base**at, max(0, digits)):.{min(max(0, digits), 15)}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {_UNITS[at]}"


simple("format_bytes", "real long? string? long?", Type.STRING, _format_bytes, keeps_name=True)


def _anew(site: Site, kind: Type, function: Callable[[], Value]) -> Bound:
    """Return a call that has another value in every row."""
    return Bound(kind, f"{site.space.function(function)}()", site.at, nullable=False, late=True)


@register("rand")
def _rand(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "long?", arguments)
    if not bounds:
        return _anew(site, Type.REAL, random.random)
    below = site.constant(bounds[0], "The bound")
    if not isinstance(below, int) or below <= 0:
        raise site.refusal("the bound must be larger than 0.", bounds[0].at)
    return _anew(site, Type.REAL, lambda: float(random.randrange(below)))  # noqa: S311 - no secret


@register("new_guid")
def _new_guid(site: Site, arguments: list[Bound]) -> Bound:
    check(site, "", arguments)
    return _anew(site, Type.GUID, lambda: str(uuid.uuid4()))
