"""Files as texts, and what is found in them as short lines."""

from collections.abc import Mapping

from patchmode.model.iac import IacReport, SourceFile
from patchmode.rules.iac.reading import report_of


def read(files: Mapping[str, str]) -> IacReport:
    return report_of(("infra",), (SourceFile(path, text.encode()) for path, text in files.items()), [])


def told(files: Mapping[str, str]) -> list[str]:
    """`main.tf:3 error iac-sets-mode-back web`: place, level, rule, and the end of the address."""
    report = read(files)
    assert report.unread == ()
    return [
        f"{one.machine.path}:{one.line} {one.level.value} {one.rule} {one.machine.address}" for one in report.findings
    ]
