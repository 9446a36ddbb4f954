"""Virtual machines in ARM templates, and the values of files of parameters.

Must not: judge. Source: Microsoft's documentation of ARM template syntax, of linked and nested templates, and of
parameter files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from patchmode.model.iac import DeclaredMachine, Term, TermKind, Tool
from patchmode.rules.iac.arm import MACHINE_TYPE, Origin, template_machine
from patchmode.rules.iac.syntax import (
    json_items,
    json_member,
    json_members,
    json_term,
    json_text_at,
    line_of,
    member,
    text_at,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_DEPLOYMENT = "microsoft.resources/deployments"
_DEEPEST_TEMPLATE = 6
_DEEPEST_LOOKUP = 8
_WHY = "only the deployment knows it"


def is_template(root: "Node") -> bool:
    """Whether a document is an ARM template."""
    schema = json_text_at(root, "$schema").casefold()
    return "deploymenttemplate.json" in schema or (
        json_member(root, "contentVersion") is not None and json_member(root, "resources") is not None
    )


def parameter_values(path: str, root: "Node") -> Mapping[str, Term]:
    """What a file of parameters sets; empty where the document is none."""
    if "deploymentparameters.json" not in json_text_at(root, "$schema").casefold():
        return {}
    return {
        name: replace(json_term(value), span=None, origin=f"{path}:{line_of(value)}")
        for name, node in json_members(json_member(root, "parameters"))
        if (value := json_member(node, "value")) is not None
    }


def template_machines(path: str, root: "Node", given: Mapping[str, Term]) -> Iterator[DeclaredMachine]:
    """The machines of a template, with those of templates nested in it.

    Args:
        path: of the file.
        root: its document.
        given: what files of parameters beside it set.
    """
    yield from _machines(path, root, _Scope(path, root, given), _DEEPEST_TEMPLATE)


def _machines(path: str, template: "Node", scope: "_Scope", depth: int) -> Iterator[DeclaredMachine]:
    for node in _resources(json_member(template, "resources")):
        kind = json_text_at(node, "type")
        existing = json_member(node, "existing")
        if (existing is not None and existing.type == "true") or _is_off(scope, node):
            continue
        if kind.casefold() == MACHINE_TYPE:
            document = scope.resolved(json_term(node))
            name = text_at(document, "name") or json_text_at(node, "name")
            origin = Origin(Tool.ARM, path, line_of(node), node.end_point.row + 1)
            yield template_machine(origin, name, kind, document)
        elif kind.casefold() == _DEPLOYMENT and depth:
            nested = json_member(node, "properties", "template")
            if nested is not None:
                yield from _machines(path, nested, _nested_scope(path, node, nested, scope), depth - 1)


def _resources(node: "Node | None") -> Iterator["Node"]:
    """Resources, which a template of language version 2.0 has by name."""
    if node is not None and node.type == "object":
        yield from (value for _, value in json_members(node))
    yield from json_items(node)


def _is_off(scope: "_Scope", node: "Node") -> bool:
    condition = json_member(node, "condition")
    return condition is not None and scope.resolved(json_term(condition)).value is False


def _nested_scope(path: str, node: "Node", nested: "Node", outer: "_Scope") -> "_Scope":
    """What names mean in a nested template: what they mean outside, unless it has a scope of its own."""
    how = json_text_at(node, "properties", "expressionEvaluationOptions", "scope")
    if how.casefold() != "inner":
        return outer
    passed = {
        name: replace(outer.resolved(json_term(value)), origin=f"{path}:{line_of(value)}")
        for name, one in json_members(json_member(node, "properties", "parameters"))
        if (value := json_member(one, "value")) is not None
    }
    return _Scope(path, nested, passed, is_certain=True)


class _Scope:
    """The parameters and variables of one template.

    Args:
        path: of the file.
        template: the document.
        given: values of parameters.
        is_certain: whether they are the values; else a file may set them, and one that differs from the default is not
            known.
    """

    def __init__(self, path: str, template: "Node", given: Mapping[str, Term], *, is_certain: bool = False) -> None:
        self._path, self._given, self._is_certain = path, given, is_certain
        self._parameters = dict(json_members(json_member(template, "parameters")))
        self._variables = dict(json_members(json_member(template, "variables")))
        self._known: dict[str, Term | None] = {}
        self._lookups = 0

    def resolved(self, term: Term) -> Term:
        """A value with the parameters and variables in it looked up; other expressions are not known."""
        if term.kind is TermKind.OBJECT:
            return replace(term, members={name: self.resolved(one) for name, one in term.members.items()})
        if term.kind is TermKind.LIST:
            return replace(term, items=tuple(map(self.resolved, term.items)))
        if not isinstance(term.value, str) or not term.value.startswith("[") or not term.value.endswith("]"):
            return term
        if term.value.startswith("[["):
            return replace(term, value=term.value[1:], span=None)
        shown = term.value if len(term.value) <= 60 else f"{term.value[:59]}…"
        found = self._looked_up(term.value[1:-1].strip())
        if found is None:
            return Term(TermKind.EXPRESSION, term.line, text=shown, origin=_WHY)
        return replace(found, line=term.line, span=None, text=shown)

    def _looked_up(self, text: str) -> Term | None:
        """The value of `parameters('name')` or `variables('name').member`; None: it is something else."""
        function, _, rest = text.partition("('")
        name, end, path = rest.partition("')")
        if not end or "'" in name or function.strip().casefold() not in {"parameters", "variables"}:
            return None
        key = f"{function.strip().casefold()} {name}"
        if key not in self._known:
            if self._lookups > _DEEPEST_LOOKUP:
                return None
            self._lookups += 1
            self._known[key] = self._parameter(name) if key.startswith("p") else self._variable(name)
            self._lookups -= 1
        found = self._known[key]
        names = path.split(".")
        if names[0] or any(not one.isidentifier() for one in names[1:]):
            return None
        return found if found is None or len(names) == 1 else member(found, *names[1:])

    def _parameter(self, name: str) -> Term | None:
        given = self._given.get(name)
        declared = self._parameters.get(name)
        default = None if declared is None else json_member(declared, "defaultValue")
        if given is not None and (self._is_certain or default is None):
            return given
        if default is None:
            return None
        found = self.resolved(json_term(default))
        if given is not None and (given.value, given.members) != (found.value, found.members):
            return None
        origin = f"default of parameter {name}, {self._path}:{line_of(default)}"
        return replace(found, origin=found.origin or origin)

    def _variable(self, name: str) -> Term | None:
        node = self._variables.get(name)
        if node is None:
            return None
        found = self.resolved(json_term(node))
        return replace(found, origin=found.origin or f"variable {name}, {self._path}:{line_of(node)}")
