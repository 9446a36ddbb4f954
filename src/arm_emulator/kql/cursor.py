"""A place in the tokens of a query, and the small questions every parser asks there.

Must not know the grammar. Refusals made here name the token that stands at the place, as Resource Graph does.
"""

from arm_emulator.kql.errors import RECORDED_EXPECTED_TOKEN, Code, KqlError
from arm_emulator.kql.lexer import Lexer, Token

_DEEPEST = 90


class Cursor:
    """The tokens and the place of the next one; parsers inherit from it."""

    def __init__(self, text: str) -> None:
        self.tokens = Lexer(text).tokens()
        self.next_index = 0
        self._depth = 0

    @property
    def here(self) -> Token:
        """The token at the place; the last one, of kind eof, stays."""
        return self.tokens[self.next_index]

    def ahead(self, distance: int = 1) -> Token:
        """Return the token `distance` behind the place, or the last one."""
        return self.tokens[min(self.next_index + distance, len(self.tokens) - 1)]

    def advance(self) -> Token:
        """Return the token at the place and go to the next."""
        token = self.here
        if token.kind != "eof":
            self.next_index += 1
        return token

    def sees(self, *texts: str) -> bool:
        """Tell whether a symbol or word of `texts` stands at the place."""
        return self.here.kind in {"symbol", "name"} and self.here.text in texts

    def accept(self, *texts: str) -> Token | None:
        """Take the token at the place if it is one of `texts`."""
        return self.advance() if self.sees(*texts) else None

    def expect(self, text: str) -> Token:
        """Take the token `text`; refuse the query where another stands."""
        if not self.sees(text):
            raise self.failure(f"{text!r} is expected here.", expected=text)
        return self.advance()

    def name(self) -> str:
        """Take a bare name or a bracketed one, `['any text']`, and return it without brackets."""
        if self.here.kind == "name":
            return self.advance().text
        if self.sees("[") and self.ahead().kind == "string" and self.ahead(2).text == "]":
            self.advance()
            text = self.advance().value
            self.expect("]")
            return text
        raise self.failure("A name is expected here.")

    def failure(self, message: str, *, at: Token | None = None, expected: str | None = None) -> KqlError:
        """Return the refusal of the query at the place, or at `at`."""
        token = at or self.here
        if expected is None and token.kind == "eof":
            expected = RECORDED_EXPECTED_TOKEN
        return KqlError(message, Code.PARSER, token.line, token.position, token.text, expected or "")

    def unsupported(self, token: Token, what: str) -> KqlError:
        """Return the refusal of a part of Kusto that Resource Graph does not run."""
        message = f"{what} is not part of Resource Graph's query language."
        return KqlError(message, Code.LANGUAGE, token.line, token.position, token.text)

    def deeper(self) -> None:
        """Enter one level of nesting; refuse a query so deep that no parser of a service would follow it."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.failure("The query is nested too deeply.")

    def shallower(self) -> None:
        """Leave one level of nesting."""
        self._depth -= 1
