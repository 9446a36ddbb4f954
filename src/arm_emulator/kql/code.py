"""Pieces of generated Python, and the namespace they run in.

A bound expression is Python text over the variables of its columns. Nothing of the query's own text ever gets into it:
constants are written by `ascii()` or held in the namespace under a counted name, columns are counted variables, and
functions are those of this package. Must not know KQL.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from arm_emulator.kql.lexer import Token
from arm_emulator.kql.types import Slot, Type
from arm_emulator.kql.values import Value


class _Absent:
    """The class of `ABSENT`, which tells "no constant" from the constant null."""


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Bound:
    """An expression with its type, as Python text.

    `truth` is text that is truthy exactly where a bool expression is true (so null and false are alike); `slots` are
    the columns it reads; `name` is what Kusto calls its column when the query does not; `late` marks text that needs a
    sub-query's answer and cannot be computed beforehand.
    """

    type: Type
    text: str
    at: Token
    slots: frozenset[Slot] = frozenset()
    nullable: bool = True
    truth: str = ""
    constant: Value | _Absent = ABSENT
    name: str = ""
    late: bool = False

    @property
    def condition(self) -> str:
        """Text that is truthy exactly where the value is true."""
        return self.truth or self.text

    @property
    def is_constant(self) -> bool:
        """Whether the value is known before any row is read."""
        return self.constant is not ABSENT

    def named(self, name: str) -> "Bound":
        """Return the same expression with another column name."""
        return replace(self, name=name)


@dataclass(slots=True)
class Namespace:
    """The globals of one query's generated functions."""

    names: dict[str, Value] = field(default_factory=dict)
    _functions: dict[int, str] = field(default_factory=dict)

    def function(self, function: Callable[..., Value]) -> str:
        """Return the name under which generated code calls `function`."""
        name = self._functions.get(id(function))
        if name is None:
            name = f"f{len(self.names)}"
            self.names[name] = function
            self._functions[id(function)] = name
        return name

    def constant(self, value: Value) -> str:
        """Return text that stands for `value`."""
        if value is None or isinstance(value, bool | int | str):
            text = ascii(value)
            return f"({text})" if text.startswith("-") else text
        name = f"k{len(self.names)}"
        self.names[name] = value
        return name

    def evaluate(self, text: str) -> Value:
        """Compute text that reads no column."""
        return eval(text, self.names)  # noqa: S307 - see the module's docstring: no text of the query is in it
