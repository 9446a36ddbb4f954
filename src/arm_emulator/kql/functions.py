"""The registry of scalar functions, and how their signatures are written and checked.

A signature is one word a parameter: `string long? any*`; `?` makes it optional, `*` repeats it. A word is a type or one
of `_TAKEN`; what each takes is what Microsoft's language service takes there (the table `types.txt` of the tests): a
dynamic for a string and nothing else, no number for a text. Must not know what the functions do; the `functions_*`
modules fill the registry.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from arm_emulator.kql.arithmetic import strict
from arm_emulator.kql.code import ABSENT, Bound, Namespace
from arm_emulator.kql.conversions import applied, composed, convert
from arm_emulator.kql.errors import Code, KqlError
from arm_emulator.kql.lexer import Token
from arm_emulator.kql.types import INTEGERS, NUMBERS, WIDE_NUMBERS, Type
from arm_emulator.kql.values import Value


@dataclass(frozen=True, slots=True)
class Site:
    """Where a function is called: for refusals, for its namespace, and for the moment that `now()` means (ticks)."""

    space: Namespace
    at: Token
    name: str
    now: int

    def refusal(self, message: str, at: Token | None = None) -> KqlError:
        """Return the refusal of the query at the call, or at one argument."""
        token = at or self.at
        return KqlError(f"{self.name}(): {message}", Code.SEMANTICS, token.line, token.position, token.text)

    def constant(self, bound: Bound, what: str) -> Value:
        """Return the value of an argument that must be known beforehand."""
        if bound.constant is ABSENT:
            raise self.refusal(f"{what} must be a constant.", bound.at)
        return bound.constant


BoundFunction = Callable[[Site, list[Bound]], Bound]
REGISTRY: dict[str, BoundFunction] = {}


def register(*names: str) -> Callable[[BoundFunction], BoundFunction]:
    """Put a function that binds its own arguments into the registry under each of `names`."""

    def add(function: BoundFunction) -> BoundFunction:
        for name in names:
            REGISTRY[name] = function
        return function

    return add


def accepts(kind: Type, given: Type) -> bool:
    """Tell whether a let function that asks for `kind` may be given a value of type `given`."""
    if kind is given or Type.DYNAMIC in {kind, given} or kind is Type.STRING:
        return True
    return given in INTEGERS if kind in INTEGERS else kind is Type.REAL and given in NUMBERS


def simple(
    names: str,
    signature: str,
    result: Type,
    function: Callable[..., Value],
    *,
    nulls: bool = False,
    keeps_name: bool = False,
) -> None:
    """Register a plain function of values under each of `names`.

    Its arguments come converted to the signature's types. Unless `nulls` is set it is not called where an argument is
    null; the result is then null. `keeps_name` gives the column the name of the first argument.
    """
    called = function if nulls or _only_strings(signature) else strict(function)
    if result is Type.STRING and called is not function:
        called = _text_or_empty(called)

    def bind(site: Site, arguments: list[Bound]) -> Bound:
        converted = check(site, signature, arguments)
        bound = applied(site.space, called, result, *converted) if converted else late_call(site, result, called)
        return bound.named(arguments[0].name if keeps_name and arguments else "")

    register(*names.split())(bind)


def late_call(site: Site, result: Type, function: Callable[..., Value]) -> Bound:
    """Return the value of a function without arguments."""
    value = function()
    return Bound(result, site.space.constant(value), site.at, nullable=value is None, constant=value)


def template(names: str, signature: str, result: Type, text: str, *, keeps_name: bool = False) -> None:
    """Register a function that is Python text over its arguments, `{0}` and so on; no argument may be null."""

    def bind(site: Site, arguments: list[Bound]) -> Bound:
        converted = check(site, signature, arguments)
        written = text.format(*(argument.text for argument in converted))
        bound = composed(site.space, result, written, tuple(converted), nullable=False)
        return bound.named(arguments[0].name if keeps_name else "")

    register(*names.split())(bind)


def check(site: Site, signature: str, arguments: list[Bound]) -> list[Bound]:
    """Return the arguments converted to the signature's types; refuse a wrong number of them and a wrong type."""
    words = signature.split()
    repeats = bool(words) and words[-1].endswith("*")
    least = sum(not word.endswith(("?", "*")) for word in words)
    if len(arguments) < least or (len(arguments) > len(words) and not repeats):
        raise site.refusal(f"the number of arguments, {len(arguments)}, does not fit.")
    converted: list[Bound] = []
    for index, argument in enumerate(arguments):
        word = words[min(index, len(words) - 1)].rstrip("?*")
        converted.append(_converted(site, word, argument))
    return converted


_TEXTS = frozenset({Type.STRING, Type.DYNAMIC})
# word -> the types that a parameter takes, and the one that it is read as (None: as it comes).
_TAKEN: dict[str, tuple[frozenset[Type], Type | None]] = {
    "any": (frozenset(Type), None),
    "text": (frozenset(Type), Type.STRING),
    "scalar": (frozenset(Type) - {Type.DYNAMIC}, Type.STRING),
    "value": (frozenset(Type), Type.DYNAMIC),
    "number": (WIDE_NUMBERS, None),
    "codes": (INTEGERS | {Type.DYNAMIC}, None),
    "list": (_TEXTS, None),
    "string": (_TEXTS, Type.STRING),
    "real": (WIDE_NUMBERS, Type.REAL),
    "inexact": (NUMBERS, Type.REAL),
    "int": (INTEGERS, Type.INT),
    "long": (INTEGERS, Type.LONG),
}


def _converted(site: Site, word: str, argument: Bound) -> Bound:
    taken, kind = _TAKEN.get(word) or (frozenset({Type(word)}), Type(word))
    if argument.type not in taken:
        wanted = kind or "number"
        raise site.refusal(f"a {wanted} is expected, not a {argument.type}.", argument.at)
    if kind is None:
        return argument
    converted = convert(site.space, argument, kind)
    return replace(converted, constant=argument.constant) if converted.text == argument.text else converted


def _only_strings(signature: str) -> bool:
    return all(word.rstrip("?*") in {"string", "text", "scalar"} for word in signature.split())


def _text_or_empty(function: Callable[..., Value]) -> Callable[..., Value]:
    def call(*arguments: Value) -> Value:
        result = function(*arguments)
        return "" if result is None else result

    return call
