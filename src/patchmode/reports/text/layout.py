"""What every text report is made of: colours by meaning or none, aligned columns, the target, counts and notes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from patchmode.model.plain_text import cells_wide, printable
from patchmode.model.target import Target

_CODES = {
    "good": "32",
    "bad": "31",
    "warn": "33",
    "add": "32",
    "change": "33",
    "remove": "31",
    "dim": "2",
    "strong": "1",
}


@dataclass(frozen=True, slots=True)
class Paint:
    """Where a text goes and how wide it may be."""

    colours: bool = False
    width: int | None = None
    """Columns of the terminal; None: not a terminal, nothing is cut."""

    def __call__(self, meaning: str, text: str) -> str:
        """The text in the colour of its meaning (`good`, `bad`, `warn`, `add`, `change`, `remove`, `dim`, `strong`)."""
        return f"\x1b[{_CODES[meaning]}m{text}\x1b[0m" if self.colours and text else text


GAP = 2


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: its heading, and how narrow it may become on a terminal."""

    heading: str
    least: int | None = None
    """Columns of text that must stay; None: never cut."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value and its meaning for colours."""

    text: str
    meaning: str | None = None


def lines(columns: Sequence[TableColumn], rows: Iterable[Sequence[Cell | str]], *, paint: Paint) -> Iterator[str]:
    """A table as lines, without a trailing line feed each.

    Args:
        columns: at least one.
        rows: one cell per column each.
        paint: where `width` is set, columns with a `least` shrink, widest first, until the table fits.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max([cells_wide(column.heading), *(cells_wide(row[index].text) for row in cells)])
        for index, column in enumerate(columns)
    ]
    if paint.width is not None:
        _shrink(widths, columns, paint.width)
    yield _line([Cell(column.heading, "strong") for column in columns], widths, paint)
    for row in cells:
        yield _line(row, widths, paint)


def sectioned(
    columns: Sequence[TableColumn], sections: Sequence[tuple[str, Sequence[Cell | str]]], heading: str, *, paint: Paint
) -> Iterator[str]:
    """A table in sections: below a line each on a terminal, with a column more in a pipe, where each line stands alone.

    Args:
        columns: without the section's.
        sections: each row with the title of its section, those of one section together.
        heading: of the section's column: `SUBSCRIPTION`.
        paint: tells a terminal from a pipe.
    """
    if paint.width is None:
        yield from lines((TableColumn(heading), *columns), ([title, *row] for title, row in sections), paint=paint)
        return
    table = lines(columns, (row for _, row in sections), paint=paint)
    yield next(table)
    before = None
    for (title, _), line in zip(sections, table, strict=True):
        if title != before:
            yield paint("dim", f"{heading.lower()} {title}")
        yield line
        before = title


def _cell(value: Cell | str) -> Cell:
    cell = value if isinstance(value, Cell) else Cell(value)
    return Cell(printable(cell.text), cell.meaning)


def _shrink(widths: list[int], columns: Sequence[TableColumn], limit: int) -> None:
    while sum(widths) + GAP * (len(widths) - 1) > limit:
        can = [
            index
            for index, column in enumerate(columns)
            if column.least is not None and widths[index] > max(column.least, cells_wide(column.heading))
        ]
        if not can:
            return
        widths[max(can, key=lambda index: widths[index])] -= 1


def _line(row: Sequence[Cell], widths: Sequence[int], paint: Paint) -> str:
    parts = []
    for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
        text = shortened(cell.text, width)
        padding = " " * (width - cells_wide(text)) if index < len(row) - 1 else ""
        parts.append((paint(cell.meaning, text) if cell.meaning else text) + padding)
    return (" " * GAP).join(parts).rstrip()


def shortened(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis where it is wider than `width` columns."""
    if cells_wide(text) <= width:
        return text
    kept = text
    while kept and cells_wide(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def wrapped(text: str, *, paint: Paint, indent: int = 0, hang: int | None = None) -> Iterator[str]:
    """A sentence broken at the terminal's width; whole, with its indent, where there is no terminal.

    Args:
        text: one paragraph.
        paint: gives the width.
        indent: columns before the first line; `hang`: before the others (None: as the first).
    """
    if paint.width is None:
        yield " " * indent + printable(text)
        return
    line, first = "", True
    hang = indent if hang is None else hang
    for word in _words(printable(text)):
        room = paint.width - (indent if first else hang)
        if line and cells_wide(line) + 1 + cells_wide(word) > room:
            yield " " * (indent if first else hang) + line
            line, first = word, False
        else:
            line = f"{line} {word}" if line else word
    yield " " * (indent if first else hang) + line


def phrases(parts: Sequence[tuple[str, str, str]], *, paint: Paint, indent: int = 0, hang: int = 0) -> Iterator[str]:
    """Phrases of a sentence, each with a colour of its own, broken between them at the terminal's width.

    Args:
        parts: each with its meaning, its text, and the punctuation behind it, which has no colour.
        paint: gives the width.
        indent: columns before the first line; `hang`: before the others.
    """
    line, wide = " " * indent, indent
    for number, (meaning, text, tail) in enumerate(parts):
        room = cells_wide(text) + len(tail)
        gap = " " if number else ""
        if gap and paint.width is not None and wide + 1 + room > paint.width:
            yield line
            line, wide, gap = " " * hang, hang, ""
        line += gap + (paint(meaning, text) if meaning else text) + tail
        wide += len(gap) + room
    yield line


_COMMAND = re.compile(
    r"(?<![\w/.-])(?:patchmode|az)(?: [a-z][a-z-]*){1,2}"
    r"(?: (?:--?[a-z][a-z-]*(?:[= ](?:'[^']*'|[^\s'-]\S*))?|'[^']*'|/\S+|\S*\d\S*))*"
)
"""A command with its options and ids in running text; a word of the sentence too many does no harm."""


def _words(text: str) -> Iterator[str]:
    """What is between blanks; a command is one word, or it could not be pasted."""
    parts = text.split("`")
    whole = "`".join(part.replace(" ", "\0") if place % 2 else part for place, part in enumerate(parts))
    # A lone backtick quotes nothing.
    whole = _COMMAND.sub(lambda match: match[0].replace(" ", "\0"), text if len(parts) % 2 == 0 else whole)
    return (word.replace("\0", " ") for word in whole.split(" "))


def way_out(text: str, *, paint: Paint) -> Iterator[str]:
    """What to do, behind an arrow, below what it is about.

    Args:
        text: sentences and commands, one a line; not empty. A command stays whole, whatever the width: a line feed in
            it would break it when it is copied.
        paint: gives the width.
    """
    for number, line in enumerate(text.splitlines()):
        before = "      → " if number == 0 else "        "
        if line.startswith(("patchmode ", "az ")):
            yield f"{before}{printable(line)}"
            continue
        first, *others = wrapped(line, paint=paint, indent=8)
        yield f"{before}{first[8:]}"
        yield from others


NAMES_SHOWN = 5


def target_text(target: Target) -> str:
    """Cloud, endpoint and tenant in one line."""
    return f"{target.cloud} ({target.endpoint}), tenant {target.tenant_id}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 machine`, `2 machines`, `1,234 machines`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def some(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    """The first names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")


def no_change_text(*, blocked: int, unreadable: int, where: str = "") -> str:
    """What to say of a plan without a change: that nothing has to be changed only where that is known.

    Args:
        blocked: machines that need a change and are kept from it.
        unreadable: machines, rows and places that could not be read.
        where: ` on AzureCloud (…)`, or nothing.
    """
    if not blocked and not unreadable:
        return f"Nothing has to be changed{where}."
    parts = [f"{plural(blocked, 'machine is', 'machines are')} blocked"] if blocked else []
    if unreadable:
        parts.append(f"{unreadable:,} could not be read, so whether anything has to be changed there is not known")
    return f"No change is planned{where}, but {' and '.join(parts)}."


def note_lines(notes: Iterable[str], *, paint: Paint) -> Iterator[str]:
    """What a reader must know about how this was read."""
    for note in notes:
        yield from wrapped(f"Note: {note}", paint=paint, hang=6)
