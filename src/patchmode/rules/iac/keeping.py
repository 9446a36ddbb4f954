"""The lines that keep Customer Managed Schedules, in the language of a file, and the edits that put them there.

Must not: decide whether they are needed.
"""

from collections.abc import Mapping, Sequence

from patchmode.model.iac import DeclaredMachine, Edit, IacFinding, Omission, Part, Tool
from patchmode.rules.iac.arm import CONFIGURATIONS

_BICEP = (
    "patchSettings: {",
    "  patchMode: 'AutomaticByPlatform'",
    "  automaticByPlatformSettings: {",
    "    bypassPlatformSafetyChecksOnUserSchedule: true",
    "  }",
    "}",
)
_JSON = (
    '"patchSettings": {',
    '  "patchMode": "AutomaticByPlatform",',
    '  "automaticByPlatformSettings": {',
    '    "bypassPlatformSafetyChecksOnUserSchedule": true',
    "  }",
    "}",
)
_YAML = (
    "patchSettings:",
    "  patchMode: AutomaticByPlatform",
    "  automaticByPlatformSettings:",
    "    bypassPlatformSafetyChecksOnUserSchedule: true",
)
_AZAPI = (
    "patchSettings = {",
    '  patchMode = "AutomaticByPlatform"',
    "  automaticByPlatformSettings = {",
    "    bypassPlatformSafetyChecksOnUserSchedule = true",
    "  }",
    "}",
)
_BODIES = {Tool.BICEP: _BICEP, Tool.ARM: _JSON, Tool.PULUMI: _YAML, Tool.ANSIBLE: _YAML, Tool.TERRAFORM: _AZAPI}
_MODE, _FLAG = '"AutomaticByPlatform"', "true"


def lines_that_keep(machine: DeclaredMachine) -> tuple[str, ...]:
    """What the file has to say of the machine; empty: its tool cannot say it, or the file is not written by hand."""
    if machine.omission in {Omission.CANNOT, Omission.NOT_MANAGED, Omission.NOT_SAID}:
        return ()
    mode, flag = machine.names[Part.MODE], machine.names[Part.BYPASS]
    if machine.omission is Omission.DEFAULT:
        if machine.tool is Tool.PULUMI:
            return (f"{mode}: AutomaticByPlatform", f"{flag}: true")
        return tuple(_aligned([(mode, _MODE), (flag, _FLAG)]))
    return _BODIES.get(machine.tool, ())


def where_to_keep(machine: DeclaredMachine) -> str:
    """In which object of Azure's document the lines belong; empty: in the block of the machine itself."""
    if machine.omission is Omission.DEFAULT:
        return ""
    configurations = [CONFIGURATIONS[machine.os]] if machine.os else sorted(CONFIGURATIONS.values())
    return f" in properties.osProfile.{' or '.join(configurations)}"


def edits_of(machine: DeclaredMachine) -> tuple[Edit, ...]:
    """The edits of the machine's own block after which it has both settings.

    Returns:
        Empty where an edit of the block alone is not safe or not enough: a value that is elsewhere or is not known,
        hotpatching, no VM agent, ignored changes, or another language than HCL.
    """
    if machine.tool is not Tool.TERRAFORM or machine.insert_at is None or machine.ignored:
        return ()
    hotpatch, agent = machine.settings.get(Part.HOTPATCH), machine.settings.get(Part.AGENT)
    if (hotpatch is not None and hotpatch.value is not False) or (agent is not None and agent.value is not True):
        return ()
    edits: list[Edit] = []
    missing: list[tuple[str, str]] = []
    for part, wanted in ((Part.MODE, _MODE), (Part.BYPASS, _FLAG)):
        term = machine.settings.get(part)
        if term is None:
            missing.append((machine.names[part], wanted))
        elif not term.is_literal or term.span is None:
            return ()
        elif term.value != (True if part is Part.BYPASS else "AutomaticByPlatform"):
            edits.append(Edit(machine.path, *term.span, wanted))
    if missing:
        added = "".join(f"{machine.insert_indent}{line}\n" for line in _aligned(missing))
        edits.append(Edit(machine.path, machine.insert_at, machine.insert_at, f"{added}\n"))
    return tuple(edits)


def safe_edits(findings: Sequence[IacFinding]) -> tuple[Mapping[str, Sequence[Edit]], tuple[IacFinding, ...]]:
    """The edits that solve findings, and the findings that they leave.

    A block that several calls of its module share is edited only where the edit solves the finding of each.

    Returns:
        Path → edits, in the order of the file; and what is left.
    """
    blocks: dict[tuple[str, int], set[tuple[Edit, ...]]] = {}
    for finding in findings:
        blocks.setdefault((finding.machine.path, finding.machine.line), set()).add(finding.edits)
    chosen: dict[str, list[Edit]] = {}
    for (path, _), alternatives in blocks.items():
        if len(alternatives) == 1:
            for edit in next(iter(alternatives)):
                chosen.setdefault(path, []).append(edit)
    left = (one for one in findings if not one.edits or len(blocks[one.machine.path, one.machine.line]) > 1)
    return chosen, tuple(left)


def _aligned(pairs: list[tuple[str, str]]) -> list[str]:
    """Arguments as `terraform fmt` writes them."""
    wide = max(len(name) for name, _ in pairs)
    return [f"{name:<{wide}} = {value}" for name, value in pairs]
