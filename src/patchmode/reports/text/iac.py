"""What `iac check` found, for people."""

import difflib
from collections.abc import Iterator, Sequence

from patchmode.model.iac import IacFinding, IacReport, UnreadSource
from patchmode.model.plain_text import printable
from patchmode.model.record import Level
from patchmode.reports.text.layout import Paint, plural, way_out, wrapped

_MEANINGS = {Level.ERROR: "bad", Level.WARNING: "warn", Level.NOTE: "dim"}
_ELSEWHERE_SHOWN = 5


def iac_lines(report: IacReport, *, paint: Paint) -> Iterator[str]:
    """The findings by machine, what could not be read, and the counts.

    Args:
        report: what was found.
        paint: colours and width.
    """
    before = None
    for finding in report.findings:
        machine = finding.machine
        head = (machine.path, machine.address, machine.via)
        if head != before:
            before = head
            called = f", called at {machine.via}" if machine.via else ""
            yield from wrapped(f"{machine.path}:{machine.line}  {machine.address}{called}", paint=paint, hang=2)
        yield from _finding(finding, paint)
    for one in report.unread:
        yield from wrapped(f"{_place(one)}  could not be read: {one.reason}.", paint=paint, hang=2)
    if report.elsewhere:
        yield from wrapped(
            f"{plural(len(report.elsewhere), 'module call')} of modules that are not among these files; their machines "
            "were not looked at (those of Terraform are in its plan as JSON):",
            paint=paint,
            hang=2,
        )
        for call in report.elsewhere[:_ELSEWHERE_SHOWN]:
            yield f"  {printable(call)}"
        if (more := len(report.elsewhere) - _ELSEWHERE_SHOWN) > 0:
            yield f"  and {more:,} more"
    yield from wrapped(_counts(report), paint=paint, hang=2)


def _finding(finding: IacFinding, paint: Paint) -> Iterator[str]:
    title = f"{finding.level.value} {finding.rule}"
    where = f" line {finding.line}:" if finding.line != finding.machine.line else ""
    first, *others = wrapped(f"{title}:{where} {finding.message}", paint=paint, indent=2, hang=6)
    yield first.replace(title, paint(_MEANINGS[finding.level], title), 1)
    yield from others
    yield from way_out(printable(finding.fix), paint=paint)
    yield from (f"          {printable(line)}" for line in finding.keep)


def _place(one: UnreadSource) -> str:
    return one.path if one.line is None else f"{one.path}:{one.line}"


def _counts(report: IacReport) -> str:
    levels = [finding.level for finding in report.findings]
    found = ", ".join(
        plural(levels.count(level), level.value) for level in (Level.ERROR, Level.WARNING) if level in levels
    )
    with_findings = len({(one.machine.path, one.machine.address, one.machine.via) for one in report.findings})
    machines = plural(len(report.machines), "virtual machine")
    done = "opened" if report.unread else "read"
    told = [f"{plural(report.files, 'file')} {done}, {machines} declared"]
    if report.machines:
        told.append(f"{with_findings:,} with findings ({found})" if found else "none with findings")
    if report.unread:
        told.append(f"{len({one.path for one in report.unread}):,} could not be read, or only in part")
    return f"{'; '.join(told)}."


def diff_lines(path: str, before: bytes, after: bytes, *, paint: Paint) -> Iterator[str]:
    """A file's edits as a unified diff.

    Args:
        path: of the file.
        before: its content; `after`: with the edits.
        paint: colours; nothing is broken, so that the lines can be compared with the file's.
    """
    old, new = (text.decode("utf-8", "replace").splitlines() for text in (before, after))
    for line in difflib.unified_diff(old, new, path, path, lineterm="", n=2):
        meaning = {"+": "add", "-": "remove"}.get(line[:1], "")
        shown = "  ".join(map(printable, line.split("\t")))
        yield paint(meaning, shown) if meaning and line[:3] not in {"+++", "---"} else shown


def fixed_text(edited: Sequence[str], left: int) -> str:
    """What `--fix` did.

    Args:
        edited: paths of the files.
        left: how many findings no edit of a file alone solves.
    """
    rest = f" {plural(left, 'finding')} left, which no edit of one block solves." if left else ""
    return f"Edited {plural(len(edited), 'file')}: {', '.join(edited)}.{rest}"
