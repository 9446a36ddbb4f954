"""Virtual machines as files of Terraform, Bicep, ARM, Ansible and Pulumi declare them, and what is found there.

Must not: know any language; `rules/iac` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from patchmode.model.record import Level


class Tool(StrEnum):
    """What would apply a file."""

    TERRAFORM = "terraform"
    TERRAFORM_PLAN = "terraform-plan"
    TERRAFORM_STATE = "terraform-state"
    ARM = "arm"
    BICEP = "bicep"
    ANSIBLE = "ansible"
    PULUMI = "pulumi"


class TermKind(StrEnum):
    """What a value in a file is."""

    LITERAL = "literal"
    LIST = "list"
    OBJECT = "object"
    EXPRESSION = "expression"
    """Only the tool knows its value."""


@dataclass(frozen=True, slots=True)
class Term:
    """One value in a file, as it is written."""

    kind: TermKind
    line: int
    """From 1."""
    value: str | bool | int | float | None = None
    """Of a literal; None: null."""
    members: Mapping[str, "Term"] = field(default_factory=dict)
    """Of an object."""
    items: tuple["Term", ...] = ()
    """Of a list."""
    text: str = ""
    """Of an expression, as it is written, shortened."""
    origin: str = ""
    """Where the value is, if not where it is used: `default of var.patch_mode, variables.tf:3`. Of an expression: why
    its value is not known."""
    span: tuple[int, int] | None = None
    """First byte, and the one behind the last, in the machine's own file; None: elsewhere, or not to be edited."""

    @property
    def is_literal(self) -> bool:
        """Whether its value is known and is no list or object."""
        return self.kind is TermKind.LITERAL


class Part(StrEnum):
    """A setting that decides who patches a machine; the value is Azure's name for it."""

    MODE = "patchMode"
    BYPASS = "bypassPlatformSafetyChecksOnUserSchedule"
    HOTPATCH = "enableHotpatching"
    AGENT = "provisionVMAgent"
    AUTOMATIC_UPDATES = "enableAutomaticUpdates"


class Omission(StrEnum):
    """What applying a file does to a setting that the file leaves out."""

    DEFAULT = "default"
    """The tool sends its default."""
    UNCONFIRMED = "unconfirmed"
    """The tool sends the machine without it: a new one does not have it, and of an existing one no source says."""
    CANNOT = "cannot"
    """The tool has no argument for it, and otherwise as `UNCONFIRMED`."""
    NOT_MANAGED = "not-managed"
    """The tool has no argument for it here, and leaves it alone."""
    NOT_SAID = "not-said"
    """The file is a record of machines, and says nothing of what is applied."""


@dataclass(frozen=True, slots=True)
class DeclaredMachine:
    """One virtual machine in one file."""

    tool: Tool
    address: str
    """As the tool names it: `module.web.azurerm_linux_virtual_machine.this`."""
    kind: str
    """The type of the resource, as the file has it."""
    os: str
    """`linux`, `windows`, or empty: the file does not say."""
    path: str
    line: int
    end_line: int
    settings: Mapping[Part, Term]
    """What the file leaves out, or sets to null, is absent."""
    names: Mapping[Part, str]
    """What a setting is called in this file."""
    omission: Omission
    ignored: frozenset[Part] = frozenset()
    """Settings whose changes the tool is told to ignore on a machine that exists."""
    via: str = ""
    """The call of the module that the machine is in: `main.tf:12`; empty: none."""
    action: str = ""
    """What a plan does to the machine: `create`, `update`, `replace`, `no-op`; empty: not known."""
    before: Mapping[Part, Term] = field(default_factory=dict)
    """Of a plan: the settings before it is applied."""
    replaced_for: tuple[str, ...] = ()
    """Of a plan that replaces it: the arguments whose change forces that."""
    insert_at: int | None = None
    """The byte behind the line that opens its block, where lines can be added; None: not to be edited."""
    insert_indent: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in one file."""

    path: str
    start: int
    """First byte that is replaced; `end`: the first one behind them, equal to `start` for an insertion."""
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class IacFinding:
    """One rule's verdict on one machine."""

    rule: str
    level: Level
    machine: DeclaredMachine
    line: int
    """Of the setting that it is about, or of the machine, in the machine's file."""
    message: str
    evidence: str
    fix: str
    keep: tuple[str, ...] = ()
    """Lines that keep the settings, as they would be written in this file; empty: there are none."""
    edits: tuple[Edit, ...] = ()
    """What `--fix` does; empty: no edit of this file alone is safe."""


@dataclass(frozen=True, slots=True)
class UnreadSource:
    """A file or folder, or a part of one, that could not be read."""

    path: str
    reason: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that was read."""

    path: str
    """As it was named, or below a folder that was named."""
    content: bytes


@dataclass(frozen=True, slots=True)
class IacReport:
    """All that `iac check` found."""

    paths: tuple[str, ...]
    """As they were named."""
    files: int
    """How many were opened; some of `unread` may be among them."""
    machines: tuple[DeclaredMachine, ...]
    findings: tuple[IacFinding, ...]
    unread: tuple[UnreadSource, ...]
    elsewhere: tuple[str, ...] = ()
    """Modules whose files are not among those that were read, each with its place: `main.tf:12 Azure/…`."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing warns or blocks, and everything was read."""
        return not self.unread and all(one.level is Level.NOTE for one in self.findings)
