"""Kusto's scalar types as the binder sees them, and which may stand where.

Static types exist so that a query which Kusto refuses is refused here too, before any row is read. This module must not
hold values; how a value of each type is represented at run time is said in `values.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import count


class Type(StrEnum):
    """A scalar type, spelled as in KQL."""

    BOOL = "bool"
    INT = "int"
    LONG = "long"
    REAL = "real"
    STRING = "string"
    DATETIME = "datetime"
    TIMESPAN = "timespan"
    GUID = "guid"
    DECIMAL = "decimal"
    """A number of 34 digits, as `todecimal` and `parse_version` give it."""
    DYNAMIC = "dynamic"


INTEGERS = frozenset({Type.INT, Type.LONG})
NUMBERS = INTEGERS | {Type.REAL}
WIDE_NUMBERS = NUMBERS | {Type.DECIMAL}
"""The numbers that arithmetic, comparisons and `iff` take side by side."""
TIMES = frozenset({Type.DATETIME, Type.TIMESPAN})

# Every spelling that `typeof()`, a parse pattern, a let function's parameter or a literal may use.
TYPE_NAMES: dict[str, Type] = {
    "bool": Type.BOOL,
    "boolean": Type.BOOL,
    "int": Type.INT,
    "int32": Type.INT,
    "long": Type.LONG,
    "int64": Type.LONG,
    "real": Type.REAL,
    "double": Type.REAL,
    "string": Type.STRING,
    "datetime": Type.DATETIME,
    "date": Type.DATETIME,
    "timespan": Type.TIMESPAN,
    "time": Type.TIMESPAN,
    "guid": Type.GUID,
    "uniqueid": Type.GUID,
    "uuid": Type.GUID,
    "decimal": Type.DECIMAL,
    "dynamic": Type.DYNAMIC,
}

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result: its name and its static type."""

    name: str
    type: Type


class Slot:
    """One column inside a plan, told from every other of the same name by identity.

    `variable` is the name that generated code uses for it; it comes from a counter, never from the query's text.
    """

    __slots__ = ("name", "type", "variable")

    def __init__(self, name: str, kind: Type) -> None:
        self.name = name
        self.type = kind
        self.variable = f"c{next(_numbers)}"

    def __repr__(self) -> str:
        return f"Slot({self.name}:{self.type})"


def common_type(types: set[Type]) -> Type | None:
    """Return the one type that values of all `types` widen to, or None where they have none.

    Integers widen to long, a real and then a decimal the rest; a dynamic beside another type is read as that.
    Source: Microsoft's language service, which types `iff` and `case` so.
    """
    scalars = types - {Type.DYNAMIC} or types
    if len(scalars) == 1:
        return next(iter(scalars))
    if scalars <= INTEGERS:
        return Type.LONG
    if scalars <= NUMBERS:
        return Type.REAL
    return Type.DECIMAL if scalars <= WIDE_NUMBERS else None
