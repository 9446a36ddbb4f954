"""Text that cannot steer a terminal, and how many columns of one it takes.

Must not: cut or colour; reports do.
"""

import unicodedata

_WIDE = frozenset("WF")


def printable(text: str) -> str:
    """The text with control characters shown as escapes, so that a name or a message cannot steer the terminal."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def cells_wide(text: str) -> int:
    """How many terminal columns a text takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in _WIDE else 1 for letter in text)
