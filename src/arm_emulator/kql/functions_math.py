"""The functions on numbers, and those that round numbers and times alike.

Registers them; must not be called directly.

Source: Kusto documentation of each function; `round()` rounds halves away from zero (its example: 2.15 to 2.2).
"""

import math
from collections.abc import Callable

from arm_emulator.kql.arithmetic import bin_long, bin_real, strict
from arm_emulator.kql.code import Bound
from arm_emulator.kql.conversions import applied, convert
from arm_emulator.kql.functions import Site, check, register, simple
from arm_emulator.kql.types import INTEGERS, NUMBERS, Type, common_type
from arm_emulator.kql.values import Value, wrap_long


@register("bin", "floor")
def _bin(site: Site, arguments: list[Bound]) -> Bound:
    value, size = check(site, "any any", arguments)
    if value.type is Type.DYNAMIC:
        value = convert(site.space, value, Type.DATETIME if size.type is Type.TIMESPAN else Type.REAL)
    kinds = {value.type, size.type}
    if kinds <= INTEGERS:
        kind = Type.LONG
    elif kinds <= NUMBERS:
        kind = Type.REAL
    elif value.type in {Type.DATETIME, Type.TIMESPAN} and size.type is Type.TIMESPAN:
        kind = value.type
    else:
        raise site.refusal(f"a {value.type} cannot be rounded to a {size.type}.")
    function: Callable[..., Value] = bin_real if kind is Type.REAL else bin_long
    return applied(site.space, strict(function), kind, value, size).named(arguments[0].name)


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


simple("round", "real long?", Type.REAL, _rounded, keeps_name=True)


@register("abs")
def _abs(site: Site, arguments: list[Bound]) -> Bound:
    (bound,) = check(site, "any", arguments)
    if bound.type is Type.DYNAMIC:
        bound = convert(site.space, bound, Type.REAL)
    if bound.type not in NUMBERS | {Type.TIMESPAN}:
        raise site.refusal(f"a number is expected, not a {bound.type}.", bound.at)
    kind = Type.LONG if bound.type is Type.INT else bound.type
    return applied(
        site.space, strict(lambda value: abs(value) if isinstance(value, float) else wrap_long(abs(value))), kind, bound
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
    simple(_names, "real", Type.REAL, _guarded(_function), keeps_name=_names != "exp10")
simple("pow", "real real", Type.REAL, _guarded(lambda base, exponent: float(base) ** exponent))
simple(
    "ceiling",
    "real",
    Type.REAL,
    lambda value: float(math.ceil(value)) if math.isfinite(value) else value,
    keeps_name=True,
)
simple("sign", "real", Type.REAL, lambda value: math.copysign(1.0, value) if value else 0.0)
simple("isnan", "real", Type.BOOL, math.isnan)
simple("isinf", "real", Type.BOOL, math.isinf)
simple("isfinite", "real", Type.BOOL, math.isfinite)
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
