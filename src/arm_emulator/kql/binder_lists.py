"""Binds `in`, `!in`, `in~`, `!in~`, `has_any` and `has_all`.

A list of constants becomes a set made once; an array in the list counts as its items; a query's answer is put in when
the query runs. Must not bind anything else.
"""

from collections.abc import Callable, Iterable

from arm_emulator.kql import binder_strings, values
from arm_emulator.kql.code import Bound, Namespace
from arm_emulator.kql.conversions import FROM_DYNAMIC, applied, composed, convert, to_text
from arm_emulator.kql.lexer import Token
from arm_emulator.kql.syntax import Among
from arm_emulator.kql.types import NUMBERS, WIDE_NUMBERS, Type
from arm_emulator.kql.values import Value

Refusal = Callable[[str, Token], Exception]
"""Makes the error that says why a query is refused, and at which word."""

_TERMS: dict[str, Callable[[str, Value], bool]] = {
    "has_any": binder_strings.any_term,
    "has_all": binder_strings.every_term,
}


def flattened(items: Iterable[Value]) -> Iterable[Value]:
    """Yield items, those of an array in place of the array."""
    for item in items:
        if isinstance(item, list):
            yield from item
        else:
            yield item


def membership(space: Namespace, refusal: Refusal, tree: Among, left: Bound, items: list[Bound]) -> Bound:
    """Bind `left operator (items)`; refuses items whose type cannot be compared with the left side's."""
    as_text = "~" in tree.operator or tree.operator in _TERMS
    kind = Type.STRING if as_text else _compared_type(left, items)
    if as_text:
        items = [item if item.type is Type.DYNAMIC else to_text(space, item) for item in items]
    for item in items:
        if not _fits(kind, item.type):
            raise refusal(f"The operator '{tree.operator}' is not defined for {left.type} and {item.type}.", item.at)
    if not _fits(kind, left.type):
        raise refusal(f"The operator '{tree.operator}' is not defined for a {left.type}.", tree.at)
    subject = to_text(space, left) if kind is Type.STRING else convert(space, left, kind)
    if tree.operator in _TERMS:
        return applied(space, _TERMS[tree.operator], Type.BOOL, subject, _text_list(space, items, subject))
    wanted = _wanted(space, kind, items, subject, lowered="~" in tree.operator)
    text = f"{subject.text}.lower()" if "~" in tree.operator else subject.text
    word = "not in" if tree.operator.startswith("!") else "in"
    return composed(space, Type.BOOL, f"({text} {word} {wanted.text})", (subject, wanted), nullable=False)


def _compared_type(left: Bound, items: list[Bound]) -> Type:
    """Return the type in which a list is compared: the left side's, or for a dynamic that of the items."""
    if left.type is not Type.DYNAMIC:
        return Type.REAL if left.type in NUMBERS else left.type
    kinds = {item.type for item in items} - {Type.DYNAMIC}
    if kinds and kinds <= NUMBERS:
        return Type.REAL
    return next(iter(kinds)) if len(kinds) == 1 else Type.STRING


def _fits(kind: Type, other: Type) -> bool:
    return other in {kind, Type.DYNAMIC} or (kind in WIDE_NUMBERS and other in WIDE_NUMBERS)


def _reader(kind: Type, *, lowered: bool) -> Callable[[Value], Value]:
    """Return what turns an item of an array into a value of `kind`."""
    if lowered:
        return lambda item: values.text_of(item).lower()
    return FROM_DYNAMIC[kind]


def _wanted(space: Namespace, kind: Type, items: list[Bound], subject: Bound, *, lowered: bool) -> Bound:
    """Return the values to look among: a constant set, or text that makes them for each row."""
    reader = _reader(kind, lowered=lowered)

    def gather(*found: Value) -> frozenset[Value]:
        members: set[Value] = set()
        for item, value in zip(items, found, strict=True):
            dynamic = item.type is Type.DYNAMIC
            whole = flattened((value,)) if dynamic else (value,)
            members.update(reader(each) if dynamic or lowered or kind is Type.DECIMAL else each for each in whole)
        members.discard(None)
        return frozenset(members)

    if not items:
        return Bound(Type.DYNAMIC, space.constant(frozenset()), subject.at, constant=frozenset())
    return applied(space, gather, Type.DYNAMIC, *items)


def _text_list(space: Namespace, items: list[Bound], subject: Bound) -> Bound:
    def gather(*found: Value) -> tuple[str, ...]:
        texts: list[str] = []
        for item, value in zip(items, found, strict=True):
            whole = flattened((value,)) if item.type is Type.DYNAMIC else (value,)
            texts.extend(values.text_of(each) for each in whole)
        return tuple(texts)

    if not items:
        return Bound(Type.DYNAMIC, space.constant(()), subject.at, constant=())
    return applied(space, gather, Type.DYNAMIC, *items)
