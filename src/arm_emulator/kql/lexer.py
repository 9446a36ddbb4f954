"""Cuts the text of a query into tokens.

Knows how KQL writes names, numbers, strings, time spans, comments and literals of the form `datetime(...)`; must not
know what may follow what, which is the parser's business. Raises `KqlError` with the place for text that is no token.
"""

import re
from dataclasses import dataclass

from arm_emulator.kql.errors import Code, KqlError

# Operators written with a hyphen: one token, and only where an operator may stand (behind a pipe or at the start), so
# that `top-1` elsewhere stays a subtraction.
HYPHENATED = re.compile(
    r"(?:project-(?:away|keep|rename|reorder|smart|by-names)|mv-(?:expand|apply)|make-(?:series|graph)|parse-(?:where|kv)"
    r"|sample-distinct|top-(?:nested|hitters)|graph-[a-z-]+|execute-and-cache|macro-expand|partition-by|assert-schema)\b"
)
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_DIGITS_NAME = re.compile(r"\d+[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(
    r"(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"(?P<unit>(?:microseconds?|milliseconds?|seconds?|minutes?|hours?|days?|ticks?|hrs?|min|sec|ms|d|h|m|s)"
    r"(?![A-Za-z0-9_]))?"
)
_BLANK = re.compile(r"(?:\s+|//[^\n]*)+")
_SYMBOL = re.compile(r"\.\.|==|=~|!=|!~|<=|>=|<>|=>|[-+*/%<>=(){}\[\],;|.:?@~&^!]")
_BANG = re.compile(
    r"!(?:between|contains_cs|contains|startswith_cs|startswith|endswith_cs|endswith|hasprefix_cs|hasprefix"
    r"|hassuffix_cs|hassuffix|has_cs|has|in~|in)(?![A-Za-z0-9_])"
)
_PLAIN = {"'": re.compile(r"'(?:[^'\\\r\n]|\\.)*'"), '"': re.compile(r'"(?:[^"\\\r\n]|\\.)*"')}
_VERBATIM = {"'": re.compile(r"'(?:[^']|'')*'"), '"': re.compile(r'"(?:[^"]|"")*"')}
_LITERAL = re.compile(
    r"(datetime|date|timespan|time|guid|uniqueid|bool|boolean|int|int32|long|int64|real|double|decimal)\s*\("
    r"([^()'\"]*|\s*'[^'\n]*'\s*|\s*\"[^\"\n]*\"\s*)\)"
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{1,3}|.)", re.DOTALL)
_SIMPLE_ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "0": "\0", "a": "\a", "b": "\b", "f": "\f",
    "v": "\v",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """One token: `kind` is name, string, number, timespan, literal, symbol or eof; `text` is as written.

    `value` is the text of a string without quotes and escapes, the unit of a time span, or the inside of a literal.
    """

    kind: str
    text: str
    line: int
    position: int
    start: int
    value: str = ""
    spaced: bool = False


class Lexer:
    """Walks once over the text; `tokens()` is the only thing to call."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._line_start = 0
        self._tokens: list[Token] = []
        self._spaced = False

    def tokens(self) -> list[Token]:
        """Return every token and a last one of kind `eof`.

        Raises `KqlError` for a character that starts no token and for a string that does not end.
        """
        while True:
            self._skip_blanks()
            if self._at >= len(self._text):
                self._push("eof", "")
                return self._tokens
            self._next()

    def _skip_blanks(self) -> None:
        match = _BLANK.match(self._text, self._at)
        self._spaced = match is not None
        if match:
            self._advance(match.end())

    def _advance(self, end: int) -> None:
        newline = self._text.rfind("\n", self._at, end)
        if newline >= 0:
            self._line += self._text.count("\n", self._at, end)
            self._line_start = newline + 1
        self._at = end

    def _push(self, kind: str, text: str, value: str = "") -> None:
        place = self._at - self._line_start
        written = text or "<EOF>"
        self._tokens.append(Token(kind, written, self._line, place, self._at, value, self._spaced))
        self._advance(self._at + len(text))

    def _fail(self, message: str, token: str) -> KqlError:
        return KqlError(message, Code.PARSER, self._line, self._at - self._line_start, token)

    def _operator_place(self) -> bool:
        return not self._tokens or self._tokens[-1].text in {"|", ";", "(", "{"}

    def _next(self) -> None:
        char = self._text[self._at]
        if char.isalpha() or char in "_$":
            self._word(char)
        elif char.isdigit() or (char == "." and self._text[self._at + 1 : self._at + 2].isdigit()):
            self._number()
        elif char in "'\"@" or self._text.startswith("```", self._at):
            self._string(self._at)
        else:
            self._symbol()

    def _word(self, char: str) -> None:
        if char in "hH" and self._text[self._at + 1 : self._at + 2] in {"'", '"', "@"}:
            self._string(self._at + 1)
            return
        if match := _LITERAL.match(self._text, self._at):
            self._push("literal", match.group(), match.group(2).strip())
            return
        if self._operator_place() and (hyphenated := HYPHENATED.match(self._text, self._at)):
            self._push("name", hyphenated.group())
            return
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise self._fail("This character starts no token.", char)
        text = match.group()
        if text in {"in", "has_any", "has_all"} and self._text.startswith("~", match.end()):
            text += "~"
        self._push("name", text)

    def _number(self) -> None:
        match = _NUMBER.match(self._text, self._at)
        if match and self._continues(match.end()) and (name := _DIGITS_NAME.match(self._text, self._at)):
            self._push("name", name.group())
            return
        if match is None or self._continues(match.end()):
            raise self._fail("This is not a number.", self._text[self._at : self._at + 20].split()[0])
        text = match.group()
        if text.endswith(".") and self._text.startswith(".", match.end()):
            text = text[:-1]  # `1..5` is the range of a between, not the real `1.`
        unit = match.group("unit")
        self._push("timespan" if unit else "number", text, unit or "")

    def _continues(self, end: int) -> bool:
        return end < len(self._text) and (self._text[end].isalnum() or self._text[end] == "_")

    def _string(self, quote_at: int) -> None:
        text = self._text
        if text.startswith("```", quote_at):
            end = text.find("```", quote_at + 3)
            if end < 0:
                raise self._fail("A string does not end.", text[self._at : self._at + 20])
            self._push("string", text[self._at : end + 3], text[quote_at + 3 : end])
            return
        verbatim = text[quote_at] == "@"
        start = quote_at + verbatim
        quote = text[start : start + 1]
        match = (_VERBATIM if verbatim else _PLAIN)[quote].match(text, start) if quote in _PLAIN else None
        if match is None:
            raise self._fail("A string does not end.", text[self._at : self._at + 20].split("\n")[0])
        inside = match.group()[1:-1]
        value = inside.replace(quote * 2, quote) if verbatim else self._unescape(inside)
        self._push("string", text[self._at : match.end()], value)

    def _unescape(self, inside: str) -> str:
        if "\\" not in inside:
            return inside
        return _ESCAPE.sub(self._one_escape, inside)

    def _one_escape(self, match: re.Match[str]) -> str:
        body = match.group(1)
        if body[0] in "uUx" and len(body) > 1:
            number = int(body[1:], 16)
            if number > 0x10FFFF:
                raise self._fail("This escape names no character.", match.group())
            return chr(number)
        if body in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[body]
        if body.isdigit() and body.isascii() and all(digit in "01234567" for digit in body):
            return chr(int(body, 8))
        raise self._fail("This escape is not known.", match.group())

    def _symbol(self) -> None:
        match = _BANG.match(self._text, self._at) or _SYMBOL.match(self._text, self._at)
        if match is None:
            raise self._fail("This character starts no token.", self._text[self._at])
        self._push("symbol", match.group())
