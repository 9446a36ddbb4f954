"""Virtual machines in what `terraform show -json` prints of a plan or a state, and in a state file itself.

Must not: judge. Source: HashiCorp, "JSON Output Format" (plan and values representations); state files of version 4.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from patchmode.model.iac import DeclaredMachine, Omission, Part, Term, TermKind, Tool
from patchmode.rules.iac.arm import IS_MACHINE, NAMES, arm_settings, machine_os
from patchmode.rules.iac.syntax import json_items, json_member, json_term, json_text_at, line_of
from patchmode.rules.iac.terraform import ARGUMENTS, AZAPI, LEGACY, MANAGED

if TYPE_CHECKING:
    from tree_sitter import Node

_ACTIONS = {
    ("create",): "create",
    ("update",): "update",
    ("no-op",): "no-op",
    ("read",): "no-op",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
}
_UNKNOWN = "it is known only after the apply"


def is_plan(root: "Node") -> bool:
    """Whether it is a plan as JSON."""
    return json_member(root, "resource_changes") is not None and json_member(root, "format_version") is not None


def is_state(root: "Node") -> bool:
    """Whether it is a state as JSON, or a state file."""
    shown = json_member(root, "values", "root_module") is not None and json_member(root, "format_version") is not None
    return shown or (json_member(root, "terraform_version") is not None and json_member(root, "lineage") is not None)


def plan_machines(path: str, root: "Node") -> Iterator[DeclaredMachine]:
    """The machines that a plan creates, changes, replaces or leaves as they are; not those that it only deletes."""
    for one in json_items(json_member(root, "resource_changes")):
        change = json_member(one, "change")
        kind = json_text_at(one, "type")
        actions = tuple(_text(action) for action in json_items(json_member(change, "actions")))
        if not _is_machine(kind, json_member(change, "after")) or actions not in _ACTIONS:
            continue
        after = _values(kind, json_member(change, "after"), json_member(change, "after_unknown"))
        before = _values(kind, json_member(change, "before"), None)
        yield _machine(
            path,
            one,
            Tool.TERRAFORM_PLAN,
            json_text_at(one, "address"),
            after,
            action=_ACTIONS[actions],
            before=before.settings,
            replaced_for=tuple(_reasons(json_member(change, "replace_paths"))),
        )


def state_machines(path: str, root: "Node") -> Iterator[DeclaredMachine]:
    """The machines that a state records."""
    waiting = [one for one in (json_member(root, "values", "root_module"),) if one is not None]
    while waiting:
        module = waiting.pop()
        waiting += json_items(json_member(module, "child_modules"))
        for one in json_items(json_member(module, "resources")):
            values = json_member(one, "values")
            kind = json_text_at(one, "type")
            if json_text_at(one, "mode") != "data" and _is_machine(kind, values):
                address = json_text_at(one, "address")
                yield _machine(path, one, Tool.TERRAFORM_STATE, address, _values(kind, values, None))
    for one in json_items(json_member(root, "resources")):
        kind = json_text_at(one, "type")
        module_name = json_text_at(one, "module")
        name = ".".join(part for part in (module_name, kind, json_text_at(one, "name")) if part)
        for instance in json_items(json_member(one, "instances")):
            values = json_member(instance, "attributes")
            if json_text_at(one, "mode") != "data" and _is_machine(kind, values):
                yield _machine(path, instance, Tool.TERRAFORM_STATE, name, _values(kind, values, None))


class _Values:
    """The settings that a resource's values hold.

    Args:
        kind: its type; system: `linux`, `windows` or empty.
        settings: those that are there; names: what they are called.
    """

    def __init__(self, kind: str, system: str, settings: Mapping[Part, Term], names: Mapping[Part, str]) -> None:
        self.kind, self.system, self.settings, self.names = kind, system, settings, names


def _values(kind: str, values: "Node | None", unknown: "Node | None") -> _Values:
    if kind == LEGACY:
        return _Values(kind, "", {}, {})
    if kind == AZAPI:
        body = json_member(values, "body")
        term = None if body is None else json_term(body)
        return _Values(kind, machine_os(term), arm_settings(term), NAMES)
    settings: dict[Part, Term] = {}
    names: dict[Part, str] = {}
    for part, arguments in ARGUMENTS.items():
        names[part] = arguments[0]
        for name in arguments:
            found, is_unknown = json_member(values, name), json_member(unknown, name)
            if is_unknown is not None and is_unknown.type == "true":
                settings[part] = Term(TermKind.EXPRESSION, line_of(is_unknown), text=_UNKNOWN, origin=_UNKNOWN)
                names[part] = name
            elif found is not None and found.type not in {"null", "object", "array"}:
                settings[part], names[part] = json_term(found), name
    return _Values(kind, MANAGED[kind], settings, names)


def _machine(
    path: str,
    node: "Node",
    tool: Tool,
    address: str,
    values: _Values,
    *,
    action: str = "",
    before: Mapping[Part, Term] | None = None,
    replaced_for: tuple[str, ...] = (),
) -> DeclaredMachine:
    if tool is Tool.TERRAFORM_STATE:
        omission = Omission.CANNOT if values.kind == LEGACY else Omission.NOT_SAID
    else:
        omission = {LEGACY: Omission.CANNOT, AZAPI: Omission.UNCONFIRMED}.get(values.kind, Omission.DEFAULT)
    return DeclaredMachine(
        tool=tool,
        address=address,
        kind=values.kind,
        os=values.system,
        path=path,
        line=line_of(node),
        end_line=node.end_point.row + 1,
        settings=values.settings,
        names=values.names,
        omission=omission,
        action=action,
        before=before or {},
        replaced_for=replaced_for,
    )


def _is_machine(kind: str, values: "Node | None") -> bool:
    if kind == AZAPI:
        return json_text_at(values, "type").casefold().startswith(IS_MACHINE)
    return kind in MANAGED or kind == LEGACY


def _text(node: "Node") -> str:
    found = json_term(node)
    return str(found.value) if found.is_literal else ""


def _reasons(paths: "Node | None") -> Iterator[str]:
    for one in json_items(paths):
        yield ".".join(_text(part) for part in json_items(one))
