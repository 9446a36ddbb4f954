"""How a bound expression becomes one of another type, explicitly or because an operator or function wants it.

Kusto converts a dynamic to whatever is asked for and puts any value into a dynamic; between other types it converts
numbers upwards only. Must not decide whether a conversion is allowed for an operator.
"""

from collections.abc import Callable
from dataclasses import replace

from arm_emulator.kql import values
from arm_emulator.kql.code import Bound, Namespace
from arm_emulator.kql.types import INTEGERS, Slot, Type
from arm_emulator.kql.values import Value

FROM_DYNAMIC: dict[Type, Callable[[Value], Value]] = {
    Type.STRING: values.text_of,
    Type.LONG: values.long_of,
    Type.INT: values.int_of,
    Type.REAL: values.real_of,
    Type.DECIMAL: values.decimal_of,
    Type.BOOL: values.bool_of,
    Type.DATETIME: values.datetime_of,
    Type.TIMESPAN: values.timespan_of,
    Type.GUID: values.guid_of,
}
TO_TEXT: dict[Type, Callable[[Value], str]] = {
    Type.BOOL: values.bool_text,
    Type.INT: values.long_text,
    Type.LONG: values.long_text,
    Type.REAL: values.real_text_or_empty,
    Type.DATETIME: values.datetime_text,
    Type.TIMESPAN: values.timespan_text,
    Type.GUID: values.guid_text,
    Type.DECIMAL: values.decimal_text,
    Type.DYNAMIC: values.text_of,
}
TO_DYNAMIC: dict[Type, Callable[[Value], Value]] = {
    Type.REAL: values.dynamic_of_real,
    Type.DECIMAL: lambda value: None if value is None else values.decimal_text(value),
    Type.DATETIME: values.dynamic_of_datetime,
    Type.TIMESPAN: values.dynamic_of_timespan,
}


def applied(space: Namespace, function: Callable[..., Value], kind: Type, *arguments: Bound) -> Bound:
    """Return the call of `function` on `arguments`, computed at once where all are constant."""
    text = f"{space.function(function)}({', '.join(argument.text for argument in arguments)})"
    return composed(space, kind, text, arguments)


def composed(space: Namespace, kind: Type, text: str, parts: tuple[Bound, ...], *, nullable: bool = True) -> Bound:
    """Return `text`, made of `parts`, as an expression of type `kind`, computed at once where all are constant."""
    slots = frozenset[Slot]().union(*(part.slots for part in parts))
    late = any(part.late for part in parts)
    at = parts[0].at
    if not slots and not late and parts and all(part.is_constant for part in parts):
        value = space.evaluate(text)
        return constant(space, kind, value, parts[0])
    return Bound(kind, text, at, slots, nullable=nullable and kind is not Type.STRING, late=late)


def constant(space: Namespace, kind: Type, value: Value, like: Bound) -> Bound:
    """Return a constant of type `kind` that stands where `like` stood."""
    text = space.constant(value)
    return Bound(kind, text, like.at, nullable=value is None, constant=value, name=like.name)


def to_text(space: Namespace, bound: Bound) -> Bound:
    """Convert anything to a string, as `tostring()` does."""
    if bound.type is Type.STRING:
        return bound
    return applied(space, TO_TEXT[bound.type], Type.STRING, bound)


def to_dynamic(space: Namespace, bound: Bound) -> Bound:
    """Put anything into a dynamic."""
    if bound.type is Type.DYNAMIC:
        return bound
    if function := TO_DYNAMIC.get(bound.type):
        return applied(space, function, Type.DYNAMIC, bound)
    return replace(bound, type=Type.DYNAMIC, truth="")


def convert(space: Namespace, bound: Bound, kind: Type) -> Bound:
    """Convert a dynamic to `kind`, anything to a dynamic or a string, and a number upwards."""
    if bound.type is kind:
        return bound
    if kind is Type.DYNAMIC:
        return to_dynamic(space, bound)
    if bound.type is Type.DYNAMIC:
        return applied(space, FROM_DYNAMIC[kind], kind, bound)
    if kind is Type.STRING:
        return to_text(space, bound)
    if kind is Type.REAL and bound.type in INTEGERS | {Type.DECIMAL}:
        return applied(space, values.real_of, Type.REAL, bound)
    if kind is Type.DECIMAL:
        return applied(space, values.decimal_of, Type.DECIMAL, bound)
    return replace(bound, type=kind)
