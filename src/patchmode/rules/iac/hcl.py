"""HCL, the language of Terraform: blocks, and expressions with what can be looked up of them.

Must not: know a resource; `terraform` does. Source of the syntax: HashiCorp, "HCL Native Syntax Specification".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from patchmode.model.iac import Term, TermKind
from patchmode.rules.iac.syntax import (
    DEEPEST,
    Language,
    expression,
    first_fault,
    line_of,
    literal,
    parse,
    span_of,
    text_of,
    unescaped,
)

if TYPE_CHECKING:
    from tree_sitter import Node

Lookup = Callable[[tuple[str, ...]], Term | None]
"""From a reference, as `("var", "patch_mode")`, to its value; None: it is not known."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block: `resource "azurerm_linux_virtual_machine" "web" { … }`."""

    type: str
    labels: tuple[str, ...]
    line: int
    end_line: int
    attributes: Mapping[str, "Node"]
    blocks: tuple["Block", ...] = ()
    opened_at: int | None = None
    """The byte behind the line that opens it; None: it is written on one line."""
    indent: str = ""
    """What its own lines begin with."""

    def inner(self, name: str) -> Iterator["Block"]:
        """The blocks of a type in it."""
        yield from (one for one in self.blocks if one.type == name)


@dataclass(frozen=True, slots=True)
class HclFile:
    """One file."""

    path: str
    body: Block
    """Its attributes and blocks."""
    fault: int | None = field(default=None)
    """The line of the first place that is no HCL; None: it is whole."""


def read_hcl(path: str, content: bytes) -> HclFile:
    """The blocks of a file; without those that hold a fault, since a part of them may be missing.

    Raises:
        NotReadError: the parser gave up on it.
    """
    root = parse(Language.HCL, content)
    bodies = (one for one in root.named_children if one.type in {"body", "object"})
    body = root if root.is_error else next(bodies, None)
    attributes, blocks = ({}, ()) if body is None else _inside(body, content, DEEPEST)
    whole = Block("", (), 1, root.end_point.row + 1, attributes, blocks)
    return HclFile(path, whole, first_fault(root))


def _inside(body: "Node", content: bytes, depth: int) -> tuple[Mapping[str, "Node"], tuple[Block, ...]]:
    attributes: dict[str, Node] = {}
    blocks: list[Block] = []
    for child in body.named_children:
        if child.has_error:
            continue
        if child.type == "attribute" and len(child.named_children) > 1:
            attributes[text_of(child.named_children[0])] = child.named_children[-1]
        elif child.type == "block" and depth:
            blocks.append(_block(child, content, depth - 1))
    return attributes, tuple(blocks)


def _block(node: "Node", content: bytes, depth: int) -> Block:
    name, *rest = node.named_children
    labels = tuple(
        text_of(one).strip('"') for one in rest if one.type in {"string_lit", "identifier"} and not one.is_missing
    )
    body = next((one for one in rest if one.type == "body"), None)
    attributes, blocks = ({}, ()) if body is None else _inside(body, content, depth)
    opening = next((one for one in rest if one.type == "block_start"), None)
    opened_at, indent = (None, "") if opening is None else _room(opening, body, node, content)
    return Block(text_of(name), labels, line_of(node), node.end_point.row + 1, attributes, blocks, opened_at, indent)


def _room(opening: "Node", body: "Node | None", node: "Node", content: bytes) -> tuple[int | None, str]:
    """Where lines can be added, and their indent; None where the block is on one line."""
    first = None if body is None or not body.named_children else body.named_children[0]
    if opening.start_point.row == node.end_point.row or (
        first is not None and first.start_point.row == opening.start_point.row
    ):
        return None, ""
    end = content.find(b"\n", opening.end_byte) + 1
    depth = node.start_point.column + 2 if first is None else first.start_point.column
    begin = end if first is None else first.start_byte - first.start_point.column
    before = content[begin : begin + depth].decode("utf-8", "replace")
    return end or None, before if first is not None and not before.strip() else " " * depth


def evaluated(node: "Node", lookup: Lookup, depth: int = DEEPEST) -> Term:
    """The value of an expression, as far as literals, references and conditions decide it.

    Args:
        node: an expression, or what is in one.
        lookup: gives the values of references.
        depth: how many levels of it are read.
    """
    if depth == 0:
        return expression(node, "it is nested too deeply to be read")
    only = node.named_children
    if node.type == "expression" and len(only) > 1 and only[0].type in {"variable_expr", "get_attr"}:
        return _reference(node, only, lookup)
    if node.type in _WRAPPERS and len(only) == 1:
        inner = evaluated(only[0], lookup, depth - 1)
        return replace(inner, text=expression(node).text) if inner.kind is TermKind.EXPRESSION else inner
    if node.type in _SPELLED:
        return literal(node, _SPELLED[node.type](text_of(node)))
    reader = _READERS.get(node.type)
    return expression(node) if reader is None else reader(node, lookup, depth)


_WRAPPERS = frozenset(
    {"expression", "literal_value", "collection_value", "template_expr", "parenthesized", "operation"}
)
_SPELLED: Mapping[str, Callable[[str], str | bool | None]] = {
    "bool_lit": lambda text: text == "true",
    "null_lit": lambda _: None,
    "numeric_lit": str,
}


def _text(node: "Node", lookup: Lookup, depth: int) -> Term:
    parts = [one for one in node.named_children if one.type not in {"quoted_template_start", "quoted_template_end"}]
    if all(one.type == "template_literal" for one in parts):
        return literal(node, unescaped("".join(map(text_of, parts))))
    if len(parts) == 1 and parts[0].type == "template_interpolation":
        inside = next((one for one in parts[0].named_children if one.type == "expression"), None)
        if inside is not None:
            return replace(evaluated(inside, lookup, depth - 1), span=None)
    return expression(node)


def _reference(node: "Node", parts: "list[Node]", lookup: Lookup) -> Term:
    names = []
    for part in parts:
        if part.type not in {"variable_expr", "get_attr"}:
            return expression(node)
        names.append(text_of(part.named_children[-1]))
    found = lookup(tuple(names))
    if found is None:
        return expression(node)
    return replace(found, line=line_of(node), span=None, text=found.text or expression(node).text)


def _condition(node: "Node", lookup: Lookup, depth: int) -> Term:
    parts = [one for one in node.named_children if one.type == "expression"]
    if len(parts) != 3:
        return expression(node)
    condition, yes, no = (evaluated(one, lookup, depth - 1) for one in parts)
    if condition.is_literal and isinstance(condition.value, bool):
        return replace(yes if condition.value else no, span=None)
    if yes.is_literal and no.is_literal and yes.value == no.value:
        return replace(yes, span=None)
    return expression(node, "it depends on a condition")


def _binary(node: "Node", lookup: Lookup, depth: int) -> Term:
    """`==`, `!=`, `&&` and `||` of values that are known; others are not known."""
    place = next((number for number, one in enumerate(node.children) if not one.is_named), None)
    if place is None:
        return expression(node)
    left, right = (
        _operand(node, side, lookup, depth - 1) for side in (node.children[:place], node.children[place + 1 :])
    )
    found = combined(text_of(node.children[place]), left, right)
    return expression(node) if found is None else replace(literal(node, found), span=None, origin=_origin(left, right))


def _operand(node: "Node", parts: "list[Node]", lookup: Lookup, depth: int) -> Term:
    named = [one for one in parts if one.is_named]
    if not named:
        return expression(node)
    return evaluated(named[0], lookup, depth) if len(named) == 1 else _reference(node, named, lookup)


def _negated(node: "Node", lookup: Lookup, depth: int) -> Term:
    inner = _operand(node, node.children[1:], lookup, depth - 1)
    if text_of(node.children[0]) != "!" or not isinstance(inner.value, bool):
        return expression(node)
    return replace(literal(node, not inner.value), span=None, origin=inner.origin)


def _origin(*terms: Term) -> str:
    return next((one.origin for one in terms if one.is_literal and one.origin), "")


def combined(operator: str, left: Term, right: Term) -> bool | None:
    """What an operation on two values gives; None: it is not known, or is no comparison.

    Args:
        operator: as Terraform and Bicep write it.
        left: a value that may not be known; right: another.
    """
    if operator in {"==", "!="}:
        return (left.value == right.value) is (operator == "==") if left.is_literal and right.is_literal else None
    decides = {"&&": False, "||": True}.get(operator)
    values = [one.value if one.is_literal and isinstance(one.value, bool) else None for one in (left, right)]
    if decides is None:
        return None
    return decides if decides in values else None if None in values else not decides


def _object(node: "Node", lookup: Lookup, depth: int) -> Term:
    members: dict[str, Term] = {}
    for element in node.named_children:
        key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
        if key is not None and value is not None:
            members[text_of(key).strip('"')] = evaluated(value, lookup, depth - 1)
    return Term(TermKind.OBJECT, line_of(node), members=members, span=span_of(node))


def _list(node: "Node", lookup: Lookup, depth: int) -> Term:
    items = (evaluated(one, lookup, depth - 1) for one in node.named_children if one.type == "expression")
    return Term(TermKind.LIST, line_of(node), items=tuple(items), span=span_of(node))


def _call(node: "Node", lookup: Lookup, depth: int) -> Term:
    """`jsonencode(…)` is what it is given, `coalesce(…)` its first value; other functions are not known."""
    name, *rest = node.named_children
    given = [one for arguments in rest for one in arguments.named_children if one.type == "expression"]
    if text_of(name) == "jsonencode" and len(given) == 1:
        return evaluated(given[0], lookup, depth - 1)
    if text_of(name) == "coalesce":
        values = (evaluated(one, lookup, depth - 1) for one in given)
        first = next((one for one in values if not one.is_literal or one.value not in {None, ""}), None)
        return expression(node) if first is None else replace(first, span=None)
    return expression(node)


_READERS: Mapping[str, Callable[["Node", Lookup, int], Term]] = {
    "string_lit": _text,
    "quoted_template": _text,
    "variable_expr": lambda node, lookup, _: _reference(node, [node], lookup),
    "conditional": _condition,
    "tuple": _list,
    "object": _object,
    "function_call": _call,
    "binary_operation": _binary,
    "unary_operation": _negated,
}
