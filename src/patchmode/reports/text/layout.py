"""What every text report is made of: colours by meaning or none, aligned columns, the target, counts and notes."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from patchmode.model.plain_text import cells_wide, printable
from patchmode.model.target import Target, labels

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
    """Columns of the terminal; None: not a terminal, nothing is broken."""
    height: int | None = None
    """Lines of the terminal; None: not a terminal, nothing is longer than it."""

    def __call__(self, meaning: str, text: str) -> str:
        """The text in the colour of its meaning (`good`, `bad`, `warn`, `add`, `change`, `remove`, `dim`, `strong`)."""
        return f"\x1b[{_CODES[meaning]}m{text}\x1b[0m" if self.colours and text else text


GAP = 2


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: its heading, and how narrow it may become on a terminal."""

    heading: str
    least: int | None = None
    """Columns that it keeps; what does not fit is broken between words. None: as wide as its widest text."""
    is_name: bool = False
    """Its texts are never broken, so that they can be copied: one that does not fit has a line of its own."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value and its meaning for colours."""

    text: str
    meaning: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """What several rows have in common: a line above them on a terminal, columns of their own in a pipe."""

    texts: tuple[str, ...]
    """One for each heading of the sections."""
    title: str
    """The line; may be wider than the terminal."""


def lines(columns: Sequence[TableColumn], rows: Iterable[Sequence[Cell | str]], *, paint: Paint) -> Iterator[str]:
    """A table as lines, without a trailing line feed each; nothing of it is cut.

    Args:
        columns: at least one.
        rows: one cell per column each.
        paint: where `width` is set, columns with a `least` shrink, widest first, until the table fits.
    """
    for block in blocks(columns, rows, paint=paint):
        yield from block


def blocks(
    columns: Sequence[TableColumn], rows: Iterable[Sequence[Cell | str]], *, paint: Paint
) -> Iterator[Sequence[str]]:
    """The same by row: the heading's lines, then the lines of each row."""
    cells = [[_cell(value) for value in row] for row in rows]
    texts = [Counter(row[index].text for row in cells) for index in range(len(columns))]
    fit = _Fit(columns, texts)
    widths = fit.widths if paint.width is None else fit.within(paint.width)
    yield _row_lines([Cell(column.heading, "strong") for column in columns], columns, widths, paint)
    for row in cells:
        yield _row_lines(row, columns, widths, paint)


def sectioned(
    columns: Sequence[TableColumn],
    rows: Sequence[tuple[Section, Sequence[Cell | str]]],
    headings: Sequence[str],
    *,
    paint: Paint,
) -> Iterator[str]:
    """A table in sections: below a line each on a terminal, with more columns in a pipe, where each line stands alone.

    Args:
        columns: without the sections'.
        rows: each with its section; on a terminal those of one section are put together, in the order of the first.
        headings: of the sections' columns in a pipe: `SUBSCRIPTION`, `GROUP`.
        paint: distinguishes a terminal from a pipe.
    """
    if paint.width is None:
        wide = (*map(TableColumn, headings), *columns)
        yield from lines(wide, ([*section.texts, *row] for section, row in rows), paint=paint)
        return
    sections: dict[Section, list[Sequence[Cell | str]]] = {}
    for section, row in rows:
        sections.setdefault(section, []).append(row)
    # All share their widths, so that the eye can run down the columns.
    table = blocks(columns, (row for members in sections.values() for row in members), paint=paint)
    yield from next(table)
    for section, members in sections.items():
        for line in wrapped(section.title, paint=paint, hang=GAP):
            yield paint("dim", line)
        for block in islice(table, len(members)):
            yield from block


def _cell(value: Cell | str) -> Cell:
    cell = value if isinstance(value, Cell) else Cell(value)
    return Cell(printable(cell.text), cell.meaning)


_PARTS = re.compile(r"[^\s-]*-?")
_LOOKED_AT = 2_000
"""So many different texts of a column decide how narrow it becomes; more would only take longer."""


class _Fit:
    """Widths of a table's columns within a limit.

    Args:
        columns: each may become as narrow as it says.
        texts: of each column, with how often it has them.
    """

    def __init__(self, columns: Sequence[TableColumn], texts: Sequence[Counter[str]]) -> None:
        self._columns = columns
        self._natural = [
            max([cells_wide(column.heading), *map(cells_wide, of_column)])
            for column, of_column in zip(columns, texts, strict=True)
        ]
        self._bounds = [
            min(natural, max([column.least or 0, *map(cells_wide, column.heading.split())]))
            for column, natural in zip(columns, self._natural, strict=True)
        ]
        self._texts = texts
        self._shown = [of_column.most_common(_LOOKED_AT) for of_column in texts]
        self._counted: dict[tuple[int, int], int] = {}
        self.widths = list(self._natural)

    def within(self, limit: int) -> list[int]:
        """Widths that fit where that is possible: first words are broken at hyphens only, then anywhere.

        Each step takes from the column that needs the fewest lines more for it.
        """
        longest = [
            max([bound, *(cells_wide(part) for text in of_column for part in _PARTS.findall(text))])
            for bound, of_column in zip(self._bounds, self._texts, strict=True)
        ]
        for least in (longest, self._bounds):
            while self._over(limit) > 0:
                can = [at for at in self._breakable if self.widths[at] > least[at]]
                can += [at for at in self._names if self.widths[at] > self._bounds[at]]
                if not can:
                    break
                self.widths[min(can, key=self._price)] -= 1
        self._give_back(limit)
        return self.widths

    @property
    def _breakable(self) -> list[int]:
        return [at for at, one in enumerate(self._columns) if one.least is not None and not one.is_name]

    @property
    def _names(self) -> list[int]:
        return [at for at, one in enumerate(self._columns) if one.least is not None and one.is_name]

    def _over(self, limit: int) -> int:
        return sum(self.widths) + GAP * (len(self.widths) - 1) - limit

    def _price(self, at: int) -> tuple[int, int]:
        width = self.widths[at]
        return self._more_lines(at, width - 1) - self._more_lines(at, width), -width

    def _more_lines(self, at: int, width: int) -> int:
        """How many lines a column of that width adds to the table."""
        if (at, width) not in self._counted:
            # A name apart from its row is found less easily than a word below its cell.
            more = (
                (2 * (cells_wide(text) > width) if self._columns[at].is_name else len(folded(text, width)) - 1, count)
                for text, count in self._shown[at]
            )
            self._counted[at, width] = sum(lines * count for lines, count in more)
        return self._counted[at, width]

    def _give_back(self, limit: int) -> None:
        """What a column of names keeps for none of them is of use to texts that are broken."""
        for at in self._names:
            fitting = (wide for wide in map(cells_wide, self._texts[at]) if wide <= self.widths[at])
            self.widths[at] = max([self._bounds[at], *fitting])
        for at in sorted(self._breakable, key=lambda at: self._more_lines(at, self.widths[at]), reverse=True):
            self.widths[at] += max(0, min(-self._over(limit), self._natural[at] - self.widths[at]))


def _row_lines(
    row: Sequence[Cell], columns: Sequence[TableColumn], widths: Sequence[int], paint: Paint
) -> Sequence[str]:
    """A row's lines: names that do not fit first, each on its own, then the cells, as many lines as the longest has."""
    own: list[str] = []
    parts: list[Sequence[str]] = []
    for cell, column, width in zip(row, columns, widths, strict=True):
        if column.is_name and cells_wide(cell.text) > width:
            own.append(_painted(cell, cell.text, paint))
            parts.append(("",))
        else:
            parts.append(folded(cell.text, width))
    height = max(map(len, parts))
    return [*own, *(_line(row, [_at(part, number) for part in parts], widths, paint) for number in range(height))]


def _at(part: Sequence[str], number: int) -> str:
    return part[number] if number < len(part) else ""


def _line(row: Sequence[Cell], texts: Sequence[str], widths: Sequence[int], paint: Paint) -> str:
    parts = [
        _painted(cell, text, paint) + " " * (width - cells_wide(text))
        for cell, text, width in zip(row, texts, widths, strict=True)
    ]
    return (" " * GAP).join(parts).rstrip()


def _painted(cell: Cell, text: str, paint: Paint) -> str:
    return paint(cell.meaning, text) if cell.meaning else text


def folded(text: str, width: int) -> Sequence[str]:
    """A text in lines of at most `width` columns, broken between words; a wider word is broken where it must be.

    Args:
        text: without line feeds.
        width: at least 2, since a letter may take two columns.
    """
    if cells_wide(text) <= width:
        return (text,)
    made: list[str] = []
    line = ""
    for word in text.split():
        if line and cells_wide(line) + 1 + cells_wide(word) <= width:
            line += f" {word}"
            continue
        made += [line] if line else []
        line = word
        while cells_wide(line) > width:
            kept = _begin(line, width)
            made.append(kept)
            line = line[len(kept) :]
    return (*made, line) if line or not made else made


def _begin(text: str, width: int) -> str:
    """As much of a word's beginning as fits, one letter at least; up to a hyphen where it has one."""
    end = 1
    while end < len(text) and cells_wide(text[: end + 1]) <= width:
        end += 1
    return text[: text.rfind("-", 0, end) + 1] or text[:end]


def wrapped(
    text: str, *, paint: Paint, indent: int = 0, hang: int | None = None, whole: Sequence[str] = ()
) -> Iterator[str]:
    """A sentence broken at the terminal's width; whole, with its indent, where there is no terminal.

    Args:
        text: one paragraph.
        paint: gives the width.
        indent: columns before the first line; `hang`: before the others (None: as the first).
        whole: names in the text that are not broken, so that they can be copied, where a line has room for them.
    """
    if paint.width is None:
        yield " " * indent + printable(text)
        return
    line, first = "", True
    hang = indent if hang is None else hang
    fitting = [name for name in whole if cells_wide(name) < paint.width - max(indent, hang)]
    for word in _words(printable(text), fitting):
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


def listed(parts: Sequence[tuple[str, str]], end: str) -> list[tuple[str, str, str]]:
    """Phrases, each with its meaning, with commas between them and this behind the last."""
    return [
        (meaning, text, end if place == len(parts) else ",") for place, (meaning, text) in enumerate(parts, start=1)
    ]


_COMMAND = re.compile(
    r"(?<![\w/.-])(?:patchmode(?: [a-z][a-z-]*){1,2}|az(?: [a-z][a-z-]*){1,3})"
    r"(?: (?:--?[a-z][a-z-]*(?:[= ](?:'[^']*'|[^\s'-]\S*))?|'[^']*'|/\S+|\S*\d\S*))*"
)
"""A command with its options and ids in running text; a word of the sentence too many does no harm."""


def _words(text: str, names: Sequence[str] = ()) -> Iterator[str]:
    """What is between blanks; a command is one word, or it could not be pasted, and so is each of some names."""
    for name in names:
        text = text.replace(name, name.replace(" ", "\0")) if " " in name else text
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


def target_text(target: Target, about: Iterable[str] | None = None) -> str:
    """Cloud, endpoint and tenant in one line, and which of its subscriptions another tenant delegates.

    Args:
        target: with the names of subscriptions.
        about: the subscriptions that the output speaks of, ids in any case; None: all that have a name in `target`.
    """
    told = target if about is None else target.with_names_of(about)
    return f"{target.cloud} ({target.endpoint}), tenant {target.tenant_id}{delegated_text(told)}"


def delegated_text(target: Target) -> str:
    """` (Shop is delegated by tenant …)`; empty where no subscription is."""
    called = labels(target.names)
    told = [
        f"{some([called[one] for one in ids])} {'is' if len(ids) == 1 else 'are'} delegated by tenant {tenant_id}"
        for tenant_id, ids in target.names.delegated().items()
    ]
    return f" ({'; '.join(told)})" if told else ""


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 machine`, `2 machines`, `1,234 machines`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def some(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    """The first names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")


def name_lines(
    names: Sequence[str],
    shown: int = NAMES_SHOWN,
    *,
    paint: Paint,
    before: str = "",
    after: str = "",
    indent: int = 0,
    hang: int | None = None,
) -> Iterator[str]:
    """The first names and how many more there are, in lines broken between names.

    Args:
        names: as `MachineNames.short` gives them: that of a subscription may hold blanks.
        shown: so many at most.
        paint: gives the width.
        before: what the names end; `after`: what follows them.
        indent: columns before the first line; `hang`: before the others (None: as the first).
    """
    text = f"{before}{some(names, shown)}{after}"
    return wrapped(text, paint=paint, indent=indent, hang=hang, whole=names[:shown])


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
