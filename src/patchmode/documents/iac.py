"""`patchmode/iac-check/v1`: what files of Terraform, Bicep, ARM, Ansible and Pulumi would do to patch settings.

Must not: judge.
"""

from typing import Literal

from patchmode.documents.base import Edge
from patchmode.model.iac import IacFinding, IacReport, UnreadSource
from patchmode.model.record import Level

IAC_FORMAT: Literal["patchmode/iac-check/v1"] = "patchmode/iac-check/v1"
IAC_COLUMNS = ("path", "line", "rule", "level", "address", "message", "fix")


class IacFindingRow(Edge, frozen=True):
    """One rule's verdict on one declared machine."""

    rule: str
    level: Level
    tool: str
    """`terraform`, `terraform-plan`, `terraform-state`, `arm`, `bicep`, `ansible` or `pulumi`."""
    address: str
    """The machine, as the tool names it."""
    type: str
    """The type of the resource, as the file has it."""
    os: str | None
    """`linux` or `windows`; null: the file does not say."""
    path: str
    line: int
    """From 1: of the setting that it is about, or of the machine."""
    end_line: int
    """The last one of the machine."""
    called_at: str | None
    """The call of the module that the machine is in, as `main.tf:12`; null: none."""
    message: str
    evidence: str
    fix: str
    keep: tuple[str, ...]
    """Lines that keep the settings; empty: the tool has none, or the file is not written by hand."""
    can_be_fixed: bool
    """Whether `--fix` edits it."""


class IacCounts(Edge, frozen=True):
    """How many there are; `error`, `warning` and `note` add up to `findings`."""

    files: int
    machines: int
    findings: int
    error: int
    warning: int
    note: int
    unread: int
    modules_elsewhere: int


class IacCheckDocument(Edge, frozen=True):
    """What `iac check` found."""

    format: Literal["patchmode/iac-check/v1"]
    paths: tuple[str, ...]
    counts: IacCounts
    findings: tuple[IacFindingRow, ...]
    unread: tuple[UnreadSource, ...]
    modules_elsewhere: tuple[str, ...]
    """Calls of modules that are not among the files: their machines were not looked at."""


def iac_document(report: IacReport) -> IacCheckDocument:
    """The document of a report."""
    levels = [one.level for one in report.findings]
    return IacCheckDocument(
        format=IAC_FORMAT,
        paths=report.paths,
        counts=IacCounts(
            files=report.files,
            machines=len(report.machines),
            findings=len(levels),
            error=levels.count(Level.ERROR),
            warning=levels.count(Level.WARNING),
            note=levels.count(Level.NOTE),
            unread=len(report.unread),
            modules_elsewhere=len(report.elsewhere),
        ),
        findings=tuple(map(_row, report.findings)),
        unread=report.unread,
        modules_elsewhere=report.elsewhere,
    )


def _row(finding: IacFinding) -> IacFindingRow:
    machine = finding.machine
    return IacFindingRow(
        rule=finding.rule,
        level=finding.level,
        tool=machine.tool.value,
        address=machine.address,
        type=machine.kind,
        os=machine.os or None,
        path=machine.path,
        line=finding.line,
        end_line=machine.end_line,
        called_at=machine.via or None,
        message=finding.message,
        evidence=finding.evidence,
        fix=finding.fix,
        keep=finding.keep,
        can_be_fixed=bool(finding.edits),
    )
