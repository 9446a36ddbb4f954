"""Virtual machines in Bicep files, as each call of a module among the files has them.

Must not: judge. Source of the syntax: Microsoft's documentation of Bicep (resources, modules, parameters, variables).
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from posixpath import dirname, normpath
from typing import TYPE_CHECKING

from patchmode.model.iac import DeclaredMachine, Term, TermKind, Tool
from patchmode.rules.iac.arm import IS_MACHINE, Origin, template_machine
from patchmode.rules.iac.hcl import combined
from patchmode.rules.iac.modules import DEEPEST_CALL, MOST_CALLS
from patchmode.rules.iac.syntax import (
    DEEPEST,
    Language,
    expression,
    first_fault,
    line_of,
    literal,
    member,
    parse,
    span_of,
    text_at,
    text_of,
    unescaped,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_DECLARATIONS = {"parameter_declaration", "variable_declaration", "resource_declaration", "module_declaration"}
_DEEPEST_LOOKUP = 8
_NO_DEFAULT = "it is a parameter without a default"


@dataclass(frozen=True, slots=True)
class BicepFile:
    """One file."""

    path: str
    parameters: Mapping[str, "Node | None"]
    """Name → default."""
    variables: Mapping[str, "Node"]
    resources: Sequence["Node"]
    modules: Sequence["Node"]
    fault: int | None


def read_bicep(path: str, content: bytes) -> BicepFile:
    """The declarations of a file, without those that hold a fault.

    Raises:
        NotReadError: the parser gave up on it.
    """
    root = parse(Language.BICEP, content)
    found: dict[str, list[Node]] = {kind: [] for kind in _DECLARATIONS}
    for child in root.named_children:
        if child.type in _DECLARATIONS and not child.has_error:
            found[child.type].append(child)
    parameters = {_name(one): _assigned(one) for one in found["parameter_declaration"]}
    variables = {_name(one): value for one in found["variable_declaration"] if (value := _assigned(one)) is not None}
    resources = [one for one in found["resource_declaration"] if all(part.type != "existing" for part in one.children)]
    return BicepFile(path, parameters, variables, resources, found["module_declaration"], first_fault(root))


def assigned_names(path: str, content: bytes) -> Mapping[str, Term]:
    """The parameters that a `.bicepparam` file sets. Their values are not read, so that none of them is known.

    Raises:
        NotReadError: the parser gave up on it.
    """
    root = parse(Language.BICEP, content)
    return {
        _name(one): Term(TermKind.EXPRESSION, line_of(one), text=_name(one), origin=f"{path} sets it")
        for one in root.named_children
        if one.type == "parameter_declaration"
    }


def _name(declaration: "Node") -> str:
    return next((text_of(one) for one in declaration.named_children if one.type == "identifier"), "")


def _assigned(declaration: "Node") -> "Node | None":
    """What stands behind its equals sign."""
    parts = declaration.children
    place = next((number for number, one in enumerate(parts) if one.type == "="), None)
    return None if place is None or place + 1 >= len(parts) else parts[place + 1]


def bicep_machines(
    files: Iterable[BicepFile], given: Callable[[str], Mapping[str, Term]]
) -> tuple[Sequence[DeclaredMachine], Sequence[str]]:
    """Every machine, and the calls of modules that are not among the files.

    Args:
        files: any number.
        given: a file's path → what files of parameters beside it set.
    """
    known = {normpath(one.path): one for one in files}
    calls = [(one, call) for one in known.values() for call in one.modules]
    called = {target for one, call in calls if (target := _target(one, call, known)) is not None}
    elsewhere = [
        f"{one.path}:{line_of(call)} {_source(call)}" for one, call in calls if _target(one, call, known) is None
    ]
    waiting = deque(_Scope(one, given(path), "", None) for path, one in known.items() if path not in called)
    counts: dict[str, int] = {}
    found: list[DeclaredMachine] = []
    while waiting:
        scope = waiting.popleft()
        counts[scope.file.path] = counts.get(scope.file.path, 0) + 1
        if counts[scope.file.path] > MOST_CALLS:
            continue
        found += filter(None, (_machine(scope, one) for one in scope.file.resources))
        for call in scope.file.modules if scope.depth < DEEPEST_CALL else ():
            target = _target(scope.file, call, known)
            if target is not None:
                values = member(scope.value(_assigned(call)), "params")
                waiting.append(_Scope(known[target], {}, f"{scope.file.path}:{line_of(call)}", scope, values))
    return found, elsewhere


class _Scope:
    """What names mean in one file, as one call of it has it.

    Args:
        file: the file.
        given: what files of parameters set; where that differs from a default, the value is not known.
        via: the place of the call; empty: none.
        caller: the scope of the call.
        params: what the call passes.
    """

    def __init__(
        self,
        file: BicepFile,
        given: Mapping[str, Term],
        via: str,
        caller: "_Scope | None",
        params: Term | None = None,
    ) -> None:
        self.file, self.via = file, via
        self.depth: int = 0 if caller is None else caller.depth + 1
        self._given, self._caller, self._params = given, caller, params
        self._known: dict[str, Term | None] = {}
        self._lookups = 0

    def value(self, node: "Node | None", depth: int = DEEPEST) -> Term | None:
        """The value of an expression; None: there is none."""
        return None if node is None else self._evaluated(node, depth)

    def _evaluated(self, node: "Node", depth: int) -> Term:
        if depth == 0:
            return expression(node, "it is nested too deeply to be read")
        only = node.named_children
        match node.type:
            case "object":
                return self._object(node, depth)
            case "array":
                items = tuple(self._evaluated(one, depth - 1) for one in only)
                return Term(TermKind.LIST, line_of(node), items=items, span=span_of(node))
            case "if_statement" | "for_statement" | "parenthesized_expression":
                return self._evaluated(only[-1], depth - 1) if only else expression(node)
            case "identifier" | "member_expression" | "ternary_expression" | "binary_expression":
                return self._looked_up(node, depth)
            case _:
                return _spelled(node)

    def _object(self, node: "Node", depth: int) -> Term:
        members: dict[str, Term] = {}
        for one in node.named_children:
            parts = one.named_children
            if one.type == "object_property" and len(parts) > 1:
                members[text_of(parts[0]).strip("'")] = self._evaluated(parts[-1], depth - 1)
        return Term(TermKind.OBJECT, line_of(node), members=members, span=span_of(node))

    def _looked_up(self, node: "Node", depth: int) -> Term:
        if node.type == "identifier":
            found = self._named(text_of(node))
        elif node.type == "member_expression":
            parts = node.named_children
            found = self._evaluated(parts[0], depth - 1).members.get(text_of(parts[-1])) if len(parts) == 2 else None
        elif node.type == "binary_expression":
            found = self._compared(node, depth)
        else:
            found = self._chosen(node, depth)
        if found is None:
            return expression(node)
        return replace(found, line=line_of(node), span=None, text=found.text or expression(node).text)

    def _compared(self, node: "Node", depth: int) -> Term | None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = node.child_by_field_name("operator")
        if left is None or right is None or operator is None:
            return None
        one, other = self._evaluated(left, depth - 1), self._evaluated(right, depth - 1)
        found = combined(text_of(operator), one, other)
        origin = next((term.origin for term in (one, other) if term.is_literal and term.origin), "")
        return None if found is None else replace(literal(node, found), origin=origin)

    def _chosen(self, node: "Node", depth: int) -> Term | None:
        parts = [node.child_by_field_name(name) for name in ("condition", "consequence", "alternative")]
        condition, yes, no = (None if one is None else self._evaluated(one, depth - 1) for one in parts)
        if condition is None or yes is None or no is None:
            return None
        if condition.is_literal and isinstance(condition.value, bool):
            return yes if condition.value else no
        return yes if yes.is_literal and no.is_literal and yes.value == no.value else None

    def _named(self, name: str) -> Term | None:
        if name not in self._known:
            if self._lookups > _DEEPEST_LOOKUP:
                return None
            self._lookups += 1
            self._known[name] = self._declared(name)
            self._lookups -= 1
        return self._known[name]

    def _declared(self, name: str) -> Term | None:
        if name in self.file.variables:
            node = self.file.variables[name]
            found = self._evaluated(node, DEEPEST)
            return replace(found, origin=found.origin or f"var {name}, {self.file.path}:{line_of(node)}")
        if name not in self.file.parameters:
            return None
        if self._params is not None:
            passed = self._params.members.get(name)
            if passed is not None:
                return replace(passed, origin=passed.origin or f"set at {self.via}")
            if self._params.kind is TermKind.EXPRESSION:
                return None
        default = self.file.parameters[name]
        set_by_file = self._given.get(name)
        if default is None:
            return set_by_file
        found = self._evaluated(default, DEEPEST)
        if set_by_file is not None and (set_by_file.value, set_by_file.members) != (found.value, found.members):
            return None
        return replace(found, origin=found.origin or f"default of {name}, {self.file.path}:{line_of(default)}")


def _spelled(node: "Node") -> Term:
    match node.type:
        case "string" if all(one.type in {"string_content", "escape_sequence"} for one in node.named_children):
            return literal(node, unescaped("".join(map(text_of, node.named_children))))
        case "boolean":
            return literal(node, text_of(node) == "true")
        case "null":
            return literal(node, None)
        case "number":
            return literal(node, text_of(node))
        case _:
            return expression(node)


def _machine(scope: _Scope, node: "Node") -> DeclaredMachine | None:
    kind = _source(node)
    if not kind.casefold().startswith(IS_MACHINE):
        return None
    document = scope.value(_assigned(node))
    name = text_at(document, "name") or _name(node)
    origin = Origin(Tool.BICEP, scope.file.path, line_of(node), node.end_point.row + 1, scope.via)
    return template_machine(origin, name, kind.partition("@")[0], document)


def _source(node: "Node") -> str:
    """The type of a resource, or the path of a module."""
    found = next((one for one in node.named_children if one.type == "string"), None)
    return "" if found is None else text_of(found).strip("'")


def _target(file: BicepFile, call: "Node", known: Mapping[str, BicepFile]) -> str | None:
    target = normpath(f"{dirname(file.path) or '.'}/{_source(call)}")
    return target if target in known and target != normpath(file.path) else None
