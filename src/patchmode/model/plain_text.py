"""Text that cannot steer a terminal, and how many columns of one it takes.

Three forms of it: `printable` for one line of a screen, `marked` for a text that keeps its lines and every letter and
blank, `json_escaped` for JSON, which a reader gets back as it was.

Must not: cut or colour; reports do.
"""

import re
import unicodedata

_WIDE = frozenset("WF")
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
"""What steers a terminal, turns the order of a text, is not seen, or ends a line: Unicode's categories Cc (but for tab
and line feed), Cf, Cs, Zl and Zp."""


def printable(text: str) -> str:
    """The text with control characters shown as escapes, so that a name or a message cannot steer the terminal."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def marked(text: str) -> str:
    r"""The text with every character that steers, turns or hides shown as an escape: `\x1b`, `\u202e`.

    Tabs, line feeds, letters, blanks and emoji stay as they are.
    """
    return text if text.isprintable() else _STEERING.sub(_mark, text)


def with_marks(value: object) -> object:
    """What a template shows: a text with its marks, which escaping for HTML does not make; all else as it is."""
    return marked(value) if type(value) is str else value


def json_escaped(text: str) -> str:
    """A JSON text with the same characters as JSON's own escapes: whoever parses it gets the same values.

    Args:
        text: valid JSON, or a piece of it, in which they stand inside of texts only.
    """
    if text.isascii() and "\x7f" not in text:  # C0 is escaped by every writer of JSON
        return text
    return _STEERING.sub(_json_escape, text)


def _mark(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def cells_wide(text: str) -> int:
    """How many terminal columns a text takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in _WIDE else 1 for letter in text)
