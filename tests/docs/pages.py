"""The pages of the documentation as the tests see them: fenced blocks with the marks before them, code spans, links.

A block of commands is marked by an HTML comment right before it, so that a reader of the page sees nothing of it:

    <!-- run -->                 the test runs it on the emulator; every command must end with 0
    <!-- run: exit 10 -->        the same; the last command must end with 10
    <!-- not run: REASON -->     nobody runs it, for this reason

A block after `<!-- output -->` is an excerpt of what the block before it printed: its lines must appear there in this
order. A line `…` stands for lines left out, and `…` at a line's end for the rest of that line. Where what is printed
hangs on today's date, the mark is `<!-- output: dates aside -->`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PROJECT = tuple(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"))
"""The pages that are not below docs/."""
PAGES = (*PROJECT, *DOCS.rglob("*.md"))
_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (?P<mark>[^>]+?) -->\n+\Z")
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    mark: str
    """The comment right before it; empty: none."""

    @property
    def is_run(self) -> bool:
        return self.mark == "run" or self.mark.startswith("run:")

    @property
    def is_output(self) -> bool:
        return self.mark == "output" or self.are_dates_aside

    @property
    def are_dates_aside(self) -> bool:
        return self.mark == "output: dates aside"

    @property
    def exit_code(self) -> int:
        found = re.fullmatch(r"run: exit (\d+)", self.mark)
        assert found or self.mark == "run", f"{self.where}: unknown mark {self.mark!r}"
        return int(found[1]) if found else 0

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def name_of(page: Path) -> str:
    """A page's path, for ids of tests."""
    return page.relative_to(ROOT).as_posix()


def read(page: Path) -> str:
    """A page's text."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = read(page)
    for found in _FENCE.finditer(text):
        before = _MARK.search(text, 0, found.start())
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, found["language"], found["text"], before["mark"] if before else "")


def fleet_of(page: Path) -> str:
    """The built-in fleet that a page's commands are for: the one of the shell that it opens, else `demo`."""
    found = re.search(r"arm-emulator exec --fleet (\w+) -- bash", read(page))
    return found[1] if found else "demo"


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", read(page))


def code_spans(page: Path) -> list[str]:
    """The inline code of a page."""
    return _SPAN.findall(prose(page))


def links(page: Path) -> list[str]:
    """The targets of the page's links, as written."""
    return _LINK.findall(_SPAN.sub("", prose(page)))


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def programs(block: Block) -> list[str]:
    """What a block of commands starts, in order: the first word of each line."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [words[0] for line in lines if (words := shlex.split(line, comments=True))]


def command_lines(page: Path) -> Iterator[tuple[str, str]]:
    """Every command line that the page shows, in blocks and in code spans, with where it stands."""
    for block in blocks(page):
        if block.language == "sh":
            for line in block.text.replace("\\\n", " ").splitlines():
                yield block.where, line
    for span in code_spans(page):
        yield name_of(page), span
