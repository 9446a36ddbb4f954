"""The template expressions of a policy definition (`[length(parameters('tagValues'))]`), evaluated as far as known.

Must not: guess. A function, a member or an alias that is not known here makes the answer unknown, by name.

Source: Microsoft, "Azure Policy definition structure: policy rule", policy functions; the functions themselves are
those of ARM templates.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[()\[\].,]))")
_DEEPEST = 40
"""Brackets within each other; those of published definitions are nested up to eight."""


class UnknownError(Exception):
    """What an expression says cannot be told; the message names what of it."""


Node = tuple[Any, ...]
"""`("constant", value)`, `("call", name, arguments)` or `("member", node, node of its name)`."""


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What the functions of an expression ask for."""

    parameters: Mapping[str, Any]
    """Of the assignment, with the definition's defaults; names in lower case."""
    field: Callable[[str], Any]
    """The value of an alias or a field of the resource; None: it has none. Raises UnknownError."""
    group: str = ""
    """The resource group's name."""
    current: tuple[str, Any] | None = None
    """Within a `count`: the name of its entry, and the entry."""


def evaluate(value: Any, around: Surrounding) -> Any:
    """What a value of a definition says: a text in brackets is an expression, anything else is itself.

    Args:
        value: any JSON value.
        around: what its functions ask for.

    Raises:
        UnknownError: it uses what is not known here, or is no expression.
    """
    if not isinstance(value, str) or not value.startswith("["):
        return value
    if value.startswith("[["):
        return value[1:]
    if not value.endswith("]"):
        return value
    return _value(_parsed(value[1:-1]), around)


@lru_cache(maxsize=1024)  # a definition has few, and all machines ask for the same
def _parsed(text: str) -> "Node":
    return _Parser(text).parsed()


class _Parser:
    """Reads one expression: `name(arguments)`, texts and numbers, each perhaps with `.member` or `[index]` behind."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def parsed(self) -> Node:
        node = self._node()
        if self._text[self._at :].strip():
            self._fail()
        return node

    def _node(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise UnknownError("an expression that is nested too deep")
        kind, text = self._next()
        node: Node
        if kind == "text":
            node = ("constant", text[1:-1].replace("''", "'"))
        elif kind == "number":
            node = ("constant", int(text))
        elif kind == "name":
            node = ("call", text.lower(), self._arguments())
        else:
            self._fail()
        self._depth -= 1
        return self._members(node)

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        found: list[Node] = []
        while self._peek() != ")":
            found.append(self._node())
            if self._peek() != ",":
                break
            self._next()
        self._expect(")")
        return tuple(found)

    def _members(self, node: Node) -> Node:
        while self._peek() in (".", "["):
            if self._next()[1] == ".":
                kind, name = self._next()
                if kind != "name":
                    self._fail()
                node = ("member", node, ("constant", name))
            else:
                node = ("member", node, self._node())
                self._expect("]")
        return node

    def _peek(self) -> str:
        found = _TOKEN.match(self._text, self._at)
        return found[0].strip() if found and found["sign"] else ""

    def _next(self) -> tuple[str, str]:
        found = _TOKEN.match(self._text, self._at)
        if found is None or found.lastgroup is None:
            self._fail()
        self._at = found.end()
        return found.lastgroup, found[found.lastgroup]

    def _expect(self, sign: str) -> None:
        if self._next()[1] != sign:
            self._fail()

    def _fail(self) -> NoReturn:
        raise UnknownError(f"the expression [{self._text[:80]}]")


def _value(node: Node, around: Surrounding) -> Any:
    if node[0] == "constant":
        return node[1]
    if node[0] == "member":
        return _member(_value(node[1], around), _value(node[2], around))
    name, arguments = node[1], node[2]
    if name == "if" and len(arguments) == 3:  # only the branch that is taken is looked at
        return _value(arguments[1 if _truth(_value(arguments[0], around)) else 2], around)
    return _called(name, [_value(one, around) for one in arguments], around)


def _called(name: str, given: Sequence[Any], around: Surrounding) -> Any:
    match name, given:
        case "parameters", [str(which)]:
            if which.lower() not in around.parameters:
                raise UnknownError(f"the parameter {which}, which has no value")
            return around.parameters[which.lower()]
        case "field", [str(which)]:
            return around.field(which)
        case "current", [*_] if around.current is not None:
            if given and str(given[0]).lower() != around.current[0].lower():
                raise UnknownError(f"current({given[0]!r})")
            return around.current[1]
        case "resourcegroup", []:
            return {"name": around.group}
        case "requestcontext", []:
            # Source: "Policy functions": the newest version counts when existing resources are evaluated.
            return {"apiVersion": "9999-12-31"}
    function = _FUNCTIONS.get(name)
    if function is None:
        raise UnknownError(f"the function {name}")
    try:
        return function(*given)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        raise UnknownError(f"{name}() of such values") from error


def _member(holder: Any, name: Any) -> Any:
    if isinstance(holder, Mapping):
        key = next((one for one in holder if str(one).lower() == str(name).lower()), None)
        return None if key is None else holder[key]
    if isinstance(holder, list | tuple) and isinstance(name, int) and 0 <= name < len(holder):
        return holder[name]
    raise UnknownError(f"the member {name} of what has none")


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise UnknownError("a condition that is neither true nor false")


def _intersection(*given: Any) -> Any:
    """What all have in common. Of objects: members of the same name and value.

    Whether Azure regards case in the names of tags here is not documented; where that decides, nothing is said.
    """
    if any(one is None for one in given):
        return {}
    first, *others = given
    if isinstance(first, list):
        return [one for one in first if all(one in other for other in others)]
    found = {}
    for name, value in first.items():
        if all(name in other and other[name] == value for other in others):
            found[name] = value
        elif all(_loosely(other, name) == value for other in others):
            raise UnknownError(f"whether a tag's name is compared with regard to case ({name})")
    return found


def _loosely(holder: Mapping[str, Any], name: str) -> Any:
    return next((value for one, value in holder.items() if one.lower() == name.lower()), None)


def _contains(holder: Any, part: Any) -> bool:
    if isinstance(holder, Mapping):
        return any(str(one).lower() == str(part).lower() for one in holder)
    return holder is not None and part in holder


def _text(value: Any) -> str:
    return "" if value is None else str(value)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "empty": lambda value: value is None or len(value) == 0,
    "length": lambda value: 0 if value is None else len(value),
    "tolower": lambda value: _text(value).lower(),
    "toupper": lambda value: _text(value).upper(),
    "concat": lambda *given: "".join(map(_text, given)),
    "string": _text,
    "bool": _truth,
    "equals": lambda one, other: one == other and isinstance(one, bool) == isinstance(other, bool),
    "not": lambda value: not _truth(value),
    "and": lambda *given: all(map(_truth, given)),
    "or": lambda *given: any(map(_truth, given)),
    "greater": lambda one, other: one > other,
    "greaterorequals": lambda one, other: one >= other,
    "less": lambda one, other: one < other,
    "lessorequals": lambda one, other: one <= other,
    "contains": _contains,
    "intersection": _intersection,
    "createarray": lambda *given: list(given),
    "createobject": lambda *given: dict(zip(given[::2], given[1::2], strict=True)),
    "split": lambda text, at: text.split(at),
    "first": lambda value: value[0],
    "last": lambda value: value[-1],
    "startswith": lambda text, part: text.lower().startswith(part.lower()),
    "endswith": lambda text, part: text.lower().endswith(part.lower()),
}
"""Function in lower case → what it makes of its arguments."""
