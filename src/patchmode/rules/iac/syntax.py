"""Texts as trees: the parsers for HCL, Bicep and JSON, and what all readers need of a tree.

Must not: be imported where the parsers of `patchmode[iac]` may be missing, but through `load`.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING

from patchmode.errors import UsageError
from patchmode.model.iac import Term, TermKind

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

DEEPEST = 60
"""Levels of an object or list that are read; what is below is not known. Templates of machines have about ten."""
_PIECE = 1 << 16
_STEPS_AFTER_ERROR = 200
PATIENCE_S, PATIENCE_PER_MB_S = 3.0, 1.0
"""What a parse may take. A text that its grammar does not accept could otherwise take minutes for some hundred
kilobytes; one that it does takes a twentieth of this."""
_SHOWN = 60
"""Letters of an expression that are shown."""


class Language(StrEnum):
    """A grammar, by the name of its package."""

    HCL = "hcl"
    BICEP = "bicep"
    JSON = "json"


class NotReadError(Exception):
    """A text that its parser gave up on. Args: line: of the first fault, from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def check_parsers() -> None:
    """See that the parsers are installed.

    Raises:
        UsageError: one is missing.
    """
    for language in Language:
        _parser(language)


@cache
def _parser(language: Language) -> "Parser":
    try:
        tree_sitter = import_module("tree_sitter")
        grammar = import_module(f"tree_sitter_{language}")
    except ImportError as error:
        msg = f"`patchmode iac check` needs parsers that are not installed: {error.name or 'tree_sitter'} is missing."
        raise UsageError(
            msg, advice="Install patchmode with its extra `iac`: in a checkout `pip install '.[iac]'`."
        ) from error
    parser: Parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    return parser


def parse(language: Language, content: bytes) -> "Node":
    """The tree of a text, in no more time than its length allows.

    Args:
        language: its grammar.
        content: UTF-8.

    Raises:
        NotReadError: it is so far from the grammar that the parser gave up.
    """
    parser = _parser(language)
    until = monotonic() + PATIENCE_S + PATIENCE_PER_MB_S * len(content) / 1e6
    steps = 0

    def gives_up(_: int, has_error: bool) -> bool:
        nonlocal steps
        steps += has_error
        return steps > _STEPS_AFTER_ERROR or monotonic() > until

    parser.reset()
    try:
        parser.parse(lambda offset, _: content[offset : offset + _PIECE], progress_callback=gives_up)
    except ValueError as error:
        raise NotReadError(1) from error
    # NOTE: it ends. Only of a tree that was parsed from bytes can the text of a node be had without a copy of a piece.
    return parser.parse(content).root_node


def first_fault(root: "Node") -> int | None:
    """The line of the first place that the grammar does not accept, from 1; None: there is none."""
    node = root
    while node.has_error:
        if node.is_error or node.is_missing:
            break
        inside = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inside is None:
            break
        node = inside
    return node.start_point.row + 1 if root.has_error else None


def text_of(node: "Node") -> str:
    """A node's text."""
    return (node.text or b"").decode("utf-8", "replace")


def line_of(node: "Node") -> int:
    """The line on which a node begins, from 1."""
    return node.start_point.row + 1


def span_of(node: "Node") -> tuple[int, int]:
    """Its first byte, and the first one behind it."""
    return node.start_byte, node.end_byte


def literal(node: "Node", value: str | bool | int | float | None) -> Term:
    """A value that the text spells out."""
    return Term(TermKind.LITERAL, line_of(node), value=value, span=span_of(node))


def expression(node: "Node", why: str = "it is an expression") -> Term:
    """A value that only the tool knows."""
    text = " ".join((node.text or b"")[: _SHOWN * 4].decode("utf-8", "replace").split())
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return Term(TermKind.EXPRESSION, line_of(node), text=shown, origin=why)


def member(term: Term | None, *names: str) -> Term | None:
    """What an object has below these names, which Azure does not distinguish by case.

    Returns:
        None: it is absent or null. An expression in its way is returned itself: what is below is not known.
    """
    for name in names:
        if term is None or term.kind is TermKind.EXPRESSION:
            break
        found = next((one for key, one in term.members.items() if key.casefold() == name.casefold()), None)
        spread = next((one for key, one in term.members.items() if key.startswith("...")), None)
        term = found or spread
    return None if term is None or (term.is_literal and term.value is None) else term


def text_at(term: Term | None, *names: str) -> str:
    """The text below these names; empty: there is none, or it is not known."""
    found = member(term, *names)
    return found.value if found is not None and found.is_literal and isinstance(found.value, str) else ""


# --------------------------------------------------------------------------------------------------------------- JSON


def json_members(node: "Node | None") -> Iterator[tuple[str, "Node"]]:
    """Names and values of a JSON object; nothing where it is none."""
    for pair in node.named_children if node is not None and node.type == "object" else ():
        key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
        if key is not None and value is not None:
            yield _json_text(key), value


def json_member(node: "Node | None", *names: str) -> "Node | None":
    """The value below these names; None: absent."""
    for name in names:
        node = None if node is None else next((value for key, value in json_members(node) if key == name), None)
    return node


def json_items(node: "Node | None") -> Iterator["Node"]:
    """The items of a JSON list; nothing where it is none."""
    if node is not None and node.type == "array":
        yield from (one for one in node.named_children if one.type != "comment")


def json_text_at(node: "Node | None", *names: str) -> str:
    """The text below these names; empty where there is none."""
    found = json_member(node, *names)
    return _json_text(found) if found is not None and found.type == "string" else ""


_ESCAPED: Mapping[str, str] = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def unescaped(text: str) -> str:
    r"""A text with `\n`, `\"`, `A` and the like replaced by what they mean."""
    if "\\" not in text:
        return text
    made: list[str] = []
    rest = iter(text)
    for letter in rest:
        if letter != "\\":
            made.append(letter)
            continue
        after = next(rest, "")
        if after == "u":
            code = "".join(next(rest, "") for _ in range(4))
            made.append(chr(int(code, 16)) if all(one in "0123456789abcdefABCDEF" for one in code) and code else code)
        else:
            made.append(_ESCAPED.get(after, after))
    return "".join(made)


def _json_text(node: "Node") -> str:
    return unescaped(text_of(node)[1:-1])


def json_term(node: "Node", depth: int = DEEPEST) -> Term:
    """A JSON value whole, down to a depth."""
    if depth == 0:
        return expression(node, "it is nested too deeply to be read")
    match node.type:
        case "object":
            members = {key: json_term(value, depth - 1) for key, value in json_members(node)}
            return Term(TermKind.OBJECT, line_of(node), members=members, span=span_of(node))
        case "array":
            items = tuple(json_term(one, depth - 1) for one in json_items(node))
            return Term(TermKind.LIST, line_of(node), items=items, span=span_of(node))
        case "string":
            return literal(node, _json_text(node))
        case "true" | "false":
            return literal(node, node.type == "true")
        case "null":
            return literal(node, None)
        case "number":
            return literal(node, text_of(node))
        case _:
            return expression(node)
