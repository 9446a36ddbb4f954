"""Colours by meaning, or none.

Must not: decide whether the reader has colours; the command line knows the terminal.
"""

from dataclasses import dataclass

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
