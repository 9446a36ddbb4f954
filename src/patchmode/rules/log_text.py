"""Pasted text made readable: no colours, no invisible letters, and lines that a terminal broke put together again.

Must not: know what is looked for. Where lines were put together is remembered, so that whoever finds something across
a break can judge whether the break belonged to it.
"""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from unicodedata import normalize

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
"""Escape sequences of ECMA-48: colours, cursor moves, titles and links."""
_INVISIBLE = dict.fromkeys([0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF])
"""Soft hyphen, zero-width letters, direction marks: web pages put them where a long word may be broken."""
_DRAWN = re.compile(r"[ \t]*(?:[│┃╎╷╵|>]+ ?)*")
"""What is drawn in front of a line: Terraform's frame, PowerShell's bar, the quotation mark of a mail."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place where one line ended and the next began without anything between them."""

    at: int
    """Offset in the flat text."""
    width: int
    """Letters of the line that ended, its frame included: a terminal breaks all long lines at the same width."""
    indent: int
    """Blanks that the next line began with, after what is drawn in front of it."""


@dataclass(frozen=True, slots=True)
class FlatText:
    """A text whose lines follow one another without a line feed; only an empty line leaves one."""

    text: str
    breaks: tuple[Break, ...]
    """In order. A line that ended in a blank is followed by one blank and no break."""
    starts: tuple[int, ...]
    """Offset at which each line that is not empty begins, in order."""

    def breaks_within(self, start: int, end: int) -> tuple[Break, ...]:
        """Breaks strictly between two offsets."""
        first = bisect_right(self.breaks, start, key=_at)
        return self.breaks[first : bisect_left(self.breaks, end, key=_at)]

    def is_break(self, offset: int) -> bool:
        """Whether a line begins at an offset."""
        index = bisect_left(self.starts, offset)
        return index < len(self.starts) and self.starts[index] == offset

    def line_of(self, offset: int) -> int:
        """Number of the line that holds an offset."""
        return bisect_right(self.starts, offset)


def _at(entry: Break) -> int:
    return entry.at


def plain(text: str) -> str:
    """A text without colours and invisible letters, each letter in its composed form."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return text if text.isascii() else normalize("NFC", text.translate(_INVISIBLE))


def flatten(text: str) -> FlatText:
    """Put a text's broken lines together; linear in its length.

    Args:
        text: as pasted, any line ends, any length; empty gives an empty text.
    """
    lines = plain(text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    parts: list[str] = []
    breaks: list[Break] = []
    starts: list[int] = []
    length = 0
    before: int | None = None  # width of the line before, when nothing stands between it and this one
    for line in lines:
        drawn = _DRAWN.match(line)
        body = line[drawn.end() if drawn else 0 :]
        content = body.strip(" \t")
        if not content:
            parts.append("\n")
            length += 1
            before = None
            continue
        if before is not None:
            breaks.append(Break(length, before, len(body) - len(body.lstrip(" \t")) + _blanks(line)))
        starts.append(length)
        trailing = " " if body[-1] in " \t" else ""
        parts.append(content + trailing)
        length += len(content) + len(trailing)
        before = None if trailing else len(line)
    return FlatText("".join(parts), tuple(breaks), tuple(starts))


def _blanks(line: str) -> int:
    """Blanks at the very beginning of a line that has no frame."""
    return 0 if line.lstrip(" \t")[:1] in set("│┃╎╷╵|>") else len(line) - len(line.lstrip(" \t"))
