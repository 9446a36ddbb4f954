"""Virtual machines in YAML: Ansible's tasks, and Pulumi's programs. In JSON: Pulumi's exported stacks.

Must not: judge. Sources: azure.azcollection 3.12.0 (its module azure_rm_virtualmachine has no argument for patch
settings); Pulumi's documentation of Pulumi YAML, azure-native and azure.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from patchmode.model.iac import DeclaredMachine, Omission, Part, Term, TermKind, Tool
from patchmode.rules.iac.arm import MACHINE_TYPE, NAMES, Origin, arm_settings, machine_os, template_machine
from patchmode.rules.iac.syntax import (
    DEEPEST,
    NotReadError,
    json_items,
    json_member,
    json_term,
    json_text_at,
    line_of,
    member,
    text_at,
)

if TYPE_CHECKING:
    from tree_sitter import Node

OF_INTEREST = (b"azure_rm_virtualmachine", b"azure_rm_resource", b"azure-native:compute", b"azure:compute")
"""A YAML file without any of them declares no machine."""
_MODULES = frozenset({"azure_rm_virtualmachine", "azure.azcollection.azure_rm_virtualmachine"})
_RESOURCES = frozenset({"azure_rm_resource", "azure.azcollection.azure_rm_resource"})
_DEEPEST_YAML = 200
_MOST_VALUES = 20_000
"""Of one machine that are looked at; an alias of YAML can stand for any number."""
_CLASSIC = {
    Part.MODE: "patchMode",
    Part.BYPASS: "bypassPlatformSafetyChecksOnUserScheduleEnabled",
    Part.HOTPATCH: "hotpatchingEnabled",
    Part.AGENT: "provisionVmAgent",
}
_CLASSIC_TYPES = {"linuxvirtualmachine": "linux", "windowsvirtualmachine": "windows"}
_IGNORED = {"patchmode": {Part.MODE}, _CLASSIC[Part.BYPASS].casefold(): {Part.BYPASS}, "osprofile": {*Part}}


class NoYamlError(NotReadError):
    """A text that is no YAML, or is nested too deeply."""


def yaml_machines(path: str, content: bytes) -> Iterator[DeclaredMachine]:
    """The machines of a playbook, a file of tasks or a Pulumi program.

    Raises:
        NoYamlError: it is no YAML, as templates of it are not.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_depth(content, loader)
        documents = list(yaml.compose_all(content, Loader=loader))
    except yaml.MarkedYAMLError as error:
        raise NoYamlError(error.problem_mark.line + 1 if error.problem_mark else 1) from error
    except yaml.YAMLError as error:
        raise NoYamlError(1) from error
    seen: set[int] = set()
    waiting = documents[::-1]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value[::-1]
        elif isinstance(node, yaml.MappingNode):
            waiting += [value for _, value in node.value[::-1]]
            yield from _of_mapping(path, node)


def _check_depth(content: bytes, loader: Any) -> None:
    """See that a text is not nested so deeply that PyYAML, which calls itself for each level, would end the process.

    Raises:
        NoYamlError: it is. YAMLError: it is no YAML.
    """
    depth = 0
    for event in yaml.parse(content, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST_YAML:
            raise NoYamlError(event.start_mark.line + 1)


def _of_mapping(path: str, node: yaml.MappingNode) -> Iterator[DeclaredMachine]:
    for key, value in node.value:
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
        if not isinstance(value, yaml.MappingNode):
            continue
        if name in _MODULES or name in _RESOURCES:
            found = _task(path, name, key, value)
        else:
            found = _pulumi(path, name, key, value)
        if found is not None:
            yield found


def _task(path: str, name: str, key: yaml.Node, value: yaml.MappingNode) -> DeclaredMachine | None:
    arguments = _term(value)
    if text_at(arguments, "state").casefold() == "absent":
        return None
    origin = Origin(Tool.ANSIBLE, path, key.start_mark.line + 1, _last_line(value))
    if name in _RESOURCES:
        kind = f"{text_at(arguments, 'provider')}/{text_at(arguments, 'resource_type')}"
        full = kind if kind.casefold().startswith("microsoft.") else f"Microsoft.{kind}"
        method = text_at(arguments, "method").casefold() or "put"
        body = member(arguments, "body")
        has_settings = Part.MODE in arm_settings(body) or Part.BYPASS in arm_settings(body)
        # A PATCH changes what it names; without patch settings it leaves them.
        if (
            full.casefold() != MACHINE_TYPE
            or method in {"get", "delete", "post"}
            or (method == "patch" and not has_settings)
        ):
            return None
        return template_machine(origin, text_at(arguments, "resource_name"), full, body)
    system = text_at(arguments, "os_type").casefold()
    return DeclaredMachine(
        tool=Tool.ANSIBLE,
        address=f"{name} {text_at(arguments, 'name')}".strip(),
        kind=name,
        os=system if system in {"linux", "windows"} else "",
        path=path,
        line=origin.line,
        end_line=origin.end_line,
        settings={},
        names={},
        omission=Omission.CANNOT,
    )


def _pulumi(path: str, name: str, key: yaml.Node, value: yaml.MappingNode) -> DeclaredMachine | None:
    kind = next(
        (str(one.value) for own, one in value.value if own.value == "type" and isinstance(one, yaml.ScalarNode)), ""
    )
    if not _is_pulumi_machine(kind):
        return None
    resource = _term(value)
    ignored = member(resource, "options", "ignoreChanges")
    return pulumi_machine(
        Origin(Tool.PULUMI, path, key.start_mark.line + 1, _last_line(value)),
        name,
        kind,
        member(resource, "properties"),
        frozenset(
            part
            for one in (() if ignored is None else ignored.items)
            for part in _IGNORED.get(str(one.value).partition(".")[0].casefold(), ())
        ),
    )


def _is_pulumi_machine(kind: str) -> bool:
    package, _, rest = kind.casefold().partition(":")
    last = rest.rpartition(":")[2]
    if package == "azure-native":
        return last == "virtualmachine" and rest.startswith("compute")
    return package == "azure" and last in _CLASSIC_TYPES and rest.startswith("compute")


def pulumi_machine(
    origin: Origin, name: str, kind: str, properties: Term | None, ignored: frozenset[Part], *, is_state: bool = False
) -> DeclaredMachine:
    """A machine of Pulumi.

    Args:
        origin: where it is.
        name: what the program calls it; kind: the type.
        properties: its inputs.
        ignored: settings whose changes are ignored.
        is_state: whether it is a record of what was applied.
    """
    system = _CLASSIC_TYPES.get(kind.casefold().rpartition(":")[2], "")
    settings: Mapping[Part, Term]
    if system:
        found = {part: member(properties, called) for part, called in _CLASSIC.items()}
        settings = {part: term for part, term in found.items() if term is not None}
        names, omission = _CLASSIC, Omission.DEFAULT
    else:
        settings, names, omission = arm_settings(properties), NAMES, Omission.UNCONFIRMED
    return DeclaredMachine(
        tool=origin.tool,
        address=f"{kind} {name}",
        kind=kind,
        os=system or machine_os(properties),
        path=origin.path,
        line=origin.line,
        end_line=origin.end_line,
        settings=settings,
        names=names,
        omission=Omission.NOT_SAID if is_state else omission,
        ignored=ignored,
    )


def stack_machines(path: str, root: "Node") -> Iterator[DeclaredMachine]:
    """The machines of a stack as `pulumi stack export` prints it: a record, as a state of Terraform is."""
    for one in json_items(json_member(root, "deployment", "resources")):
        kind, urn = json_text_at(one, "type"), json_text_at(one, "urn")
        inputs = json_member(one, "inputs")
        if _is_pulumi_machine(kind) and inputs is not None:
            origin = Origin(Tool.PULUMI, path, line_of(one), one.end_point.row + 1)
            name = urn.rpartition("::")[2]
            yield pulumi_machine(origin, name, kind, json_term(inputs), frozenset(), is_state=True)


def _last_line(node: yaml.Node) -> int:
    """The last line of a block, whose end YAML puts at the beginning of what follows."""
    first, mark = int(node.start_mark.line), node.end_mark
    return max(first + 1, int(mark.line) + (1 if mark.column else 0))


def _term(node: yaml.Node) -> Term:
    return _Conversion().term(node, DEEPEST)


class _Conversion:
    """One machine's YAML as terms, of which there are never more than so many."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def term(self, node: yaml.Node, depth: int) -> Term:
        """A node's value, down to a depth."""
        line = node.start_mark.line + 1
        self._left -= 1
        if depth == 0 or self._left < 0:
            return Term(TermKind.EXPRESSION, line, text="…", origin="there is too much of it to be read")
        if isinstance(node, yaml.MappingNode):
            members = {str(key.value): self.term(value, depth - 1) for key, value in node.value if self._left > 0}
            merged = members.pop("<<", None)
            return Term(TermKind.OBJECT, line, members={**(merged.members if merged else {}), **members})
        if isinstance(node, yaml.SequenceNode):
            return Term(
                TermKind.LIST, line, items=tuple(self.term(one, depth - 1) for one in node.value if self._left > 0)
            )
        text = str(node.value)
        if "{{" in text or "${" in text:
            shown = text if len(text) <= 60 else f"{text[:59]}…"
            return Term(TermKind.EXPRESSION, line, text=shown, origin="it is an expression")
        kind = node.tag.rpartition(":")[2]
        values: Mapping[str, str | bool | None] = {"null": None, "bool": text.casefold() in {"true", "yes", "on", "y"}}
        return Term(TermKind.LITERAL, line, value=values.get(kind, text))
