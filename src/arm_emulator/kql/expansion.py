"""What mv-expand does to the values of one row.

A null, or a value that is neither array nor bag, stays one row; an empty array or bag gives none. Of several values
side by side the shorter are filled up with null.

Source: Kusto documentation of mv-expand ("single values", modes of expansion); the row limit of Resource Graph.
"""

from collections.abc import Callable
from itertools import islice, zip_longest

from arm_emulator.kql.types import Type
from arm_emulator.kql.values import Value, datetime_of, decimal_of, guid_of, int_of, long_of, real_of, text_of

Reader = Callable[[Value], Value] | None


def _number(value: Value) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bool(value: Value) -> bool | None:
    return bool(value) if isinstance(value, int) else None


def _text_only(read: Callable[[Value], Value]) -> Callable[[Value], Value]:
    return lambda value: read(value) if isinstance(value, str) else None


# `to typeof(...)` reads an item that has the kind already; a text that looks like a number stays null.
READERS: dict[Type, Reader] = {
    Type.STRING: text_of,
    Type.LONG: lambda value: long_of(_number(value)),
    Type.INT: lambda value: int_of(_number(value)),
    Type.REAL: lambda value: real_of(_number(value)),
    Type.DECIMAL: lambda value: decimal_of(_number(value)),
    Type.BOOL: _bool,
    Type.DATETIME: _text_only(datetime_of),
    Type.GUID: _text_only(guid_of),
    Type.DYNAMIC: None,
}


def items_of(value: Value, *, arrays: bool = False) -> list[Value]:
    """Return what a value expands to; a bag gives bags of one property, or pairs where `arrays` is set."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [[key, item] if arrays else {key: item} for key, item in value.items()]
    return [value]


def expander(
    readers: tuple[Reader, ...], *, limit: int, index: bool, arrays: bool
) -> Callable[..., list[tuple[Value, ...]]]:
    """Return the function from the values of one row to the tuples it expands to, at most `limit` of them."""
    single = readers[0]

    def one(value: Value) -> list[tuple[Value, ...]]:
        items = items_of(value, arrays=arrays)[:limit]
        return [(item,) for item in items] if single is None else [(single(item),) for item in items]

    def several(*values: Value) -> list[tuple[Value, ...]]:
        columns = [items_of(value, arrays=arrays) for value in values]
        found: list[tuple[Value, ...]] = []
        for number, items in enumerate(islice(zip_longest(*columns), limit)):
            read = tuple(item if reader is None else reader(item) for reader, item in zip(readers, items, strict=True))
            found.append((*read, number) if index else read)
        return found

    return one if len(readers) == 1 and not index else several
