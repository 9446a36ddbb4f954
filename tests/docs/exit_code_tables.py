"""The exit codes of the README and of the reference, between two marks each, as `patchmode.cli.exits` has them.

Must not: say anything that is not in `MEANINGS`, `EVERYWHERE` or `ENDS`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.docs.pages import DOCS, ROOT, read

from patchmode.cli.exits import ENDS, EVERYWHERE, MEANINGS, Exit

README, REFERENCE = ROOT / "README.md", DOCS / "reference" / "exit-codes.md"


def _meanings() -> Iterator[str]:
    yield "| code | meaning |"
    yield "|---|---|"
    yield from (f"| {int(code)} | {meaning} |" for code, meaning in MEANINGS.items())


def _commands() -> Iterator[str]:
    yield "| command | code | when |"
    yield "|---|---|---|"
    for command, ends in ENDS.items():
        yield from _rows(command, ends)
    for code, who in EVERYWHERE.items():
        yield f"| {who} | {int(code)} | {MEANINGS[code]} |"


def _rows(command: str, ends: Mapping[Exit, str]) -> Iterator[str]:
    shown = f"`{command}`"
    for code, when in ends.items():
        yield f"| {shown} | {int(code)} | {when} |"
        shown = ""


_TABLES: Mapping[str, Callable[[], Iterator[str]]] = {"meanings": _meanings, "commands": _commands}


def render(page: Path) -> str:
    """A page with its tables made anew; the text around them stays."""

    def table(found: "re.Match[str]") -> str:
        lines = "\n".join(_TABLES[found["name"]]())
        return f"<!-- exit codes: {found['name']} -->\n\n{lines}\n\n<!-- end -->"

    marks = r"<!-- exit codes: (?P<name>\w+) -->.*?<!-- end -->"
    text, count = re.subn(marks, table, read(page), flags=re.DOTALL)
    assert count, f"{page} has no marks for the tables of exit codes"
    return text
