"""Parses scalar expressions: literals, names, paths, calls and operators, with Kusto's precedence.

Must not know columns, types or functions. Sub-queries inside expressions are parsed by the query parser, which inherits
from this one.
"""

from decimal import Decimal

from arm_emulator.kql.cursor import Cursor
from arm_emulator.kql.datetimes import literal_datetime, literal_timespan, unit_ticks
from arm_emulator.kql.errors import RECORDED_EXPECTED_TOKEN
from arm_emulator.kql.lexer import Token
from arm_emulator.kql.syntax import (
    Among,
    Between,
    Binary,
    Call,
    Expression,
    Index,
    Labeled,
    Literal,
    Member,
    Name,
    Query,
    Scalar,
    Star,
    Unary,
)
from arm_emulator.kql.types import TYPE_NAMES, Type
from arm_emulator.kql.values import decimal_of, parse_guid, parse_number

_COMPARISONS = frozenset({"==", "!=", "<>", "<", ">", "<=", ">=", "=~", "!~"})
_STRING_OPERATORS = frozenset({"contains", "startswith", "endswith", "has", "hasprefix", "hassuffix"})
STRING_WORDS = frozenset(
    bang + word + case for bang in ("", "!") for word in _STRING_OPERATORS for case in ("", "_cs")
)  # fmt: skip
# Older spellings.
_SPELLINGS = {"<>": "!=", "notcontains": "!contains", "containscs": "contains_cs", "notcontainscs": "!contains_cs"}
_LIST_WORDS = frozenset({"in", "!in", "in~", "!in~", "has_any", "has_all"})

# Words that Kusto takes for no name. Standing where a value is expected, one of them is taken and the fault reported at
# the token behind it, as the recorded refusal of `where where` does. Source: Microsoft's language service; other words
# that start an operator (order, limit, take, …) may be names of columns.
RESERVED = frozenset(
    {"where", "project", "union", "by", "and", "or", "contains", "startswith", "endswith", "has", "matches", "between",
     "in"}
)  # fmt: skip
BOOLS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_LONG_MAX = 2**63 - 1


class ExpressionParser(Cursor):
    """The part of the parser that reads scalar expressions."""

    def parse_query(self) -> Query:
        """Read a query; the query parser overrides this."""
        raise self.failure("A query is not allowed here.")

    def expression(self) -> Expression:
        """Read one scalar expression."""
        self.deeper()
        left = self._conjunction()
        while token := self.accept("or"):
            left = Binary(token, "or", left, self._conjunction())
        self.shallower()
        return left

    def _conjunction(self) -> Expression:
        left = self._comparison()
        while token := self.accept("and"):
            left = Binary(token, "and", left, self._comparison())
        return left

    def _comparison(self) -> Expression:
        left = self._sum()
        while True:
            token, text = self.here, self.here.text
            if token.kind not in {"symbol", "name"}:
                return left
            if text in _COMPARISONS or text in STRING_WORDS or text in _SPELLINGS:
                self.advance()
                left = Binary(token, _SPELLINGS.get(text, text), left, self._sum())
            elif text == "matches":
                self.advance()
                self.expect("regex")
                left = Binary(token, "matches regex", left, self._sum())
            elif text in _LIST_WORDS:
                self.advance()
                left = Among(token, text, left, self._list())
            elif text in {"between", "!between"}:
                self.advance()
                left = self._range(token, left)
            else:
                return left

    def _range(self, token: Token, subject: Expression) -> Expression:
        self.expect("(")
        low = self._sum()
        self.expect("..")
        high = self._sum()
        self.expect(")")
        return Between(token, token.text, subject, low, high)

    def _list(self) -> tuple[Expression | Query, ...]:
        self.expect("(")
        items: list[Expression | Query] = []
        if self.accept(")"):
            return ()
        while True:
            items.append(self._item())
            if not self.accept(","):
                break
        self.expect(")")
        return tuple(items)

    def _item(self) -> Expression | Query:
        """Read one item of a list: a value, or a query when a pipe shows one."""
        start = self.next_index
        if self.here.kind == "name" and (self.ahead().text == "|" or self.here.text == "union"):
            return self.parse_query()
        inner = self.ahead()
        if self.sees("(") and inner.kind == "name" and (self.ahead(2).text == "|" or inner.text == "union"):
            self.advance()
            query = self.parse_query()
            self.expect(")")
            return query
        item = self.expression()
        if self.sees("|"):
            self.next_index = start
            return self.parse_query()
        return item

    def _sum(self) -> Expression:
        left = self._product()
        while token := self.accept("+", "-"):
            left = Binary(token, token.text, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._signed()
        while token := self.accept("*", "/", "%"):
            left = Binary(token, token.text, left, self._signed())
        return left

    def _signed(self) -> Expression:
        if token := self.accept("-", "+"):
            self.deeper()
            operand = self._signed()
            self.shallower()
            return self._folded(token, operand)
        return self._postfix()

    def _folded(self, token: Token, operand: Expression) -> Expression:
        if token.text == "-" and isinstance(operand, Literal) and isinstance(operand.value, int | float | Decimal):
            return Literal(token, operand.type, -operand.value)
        return Unary(token, token.text, operand)

    def _postfix(self) -> Expression:
        base = self._primary()
        while True:
            token = self.here
            if self.sees("."):
                self.advance()
                base = self._member(token, base)
            elif self.sees("["):
                base = self._subscript(token, base)
            else:
                return base

    def _member(self, token: Token, base: Expression) -> Expression:
        if self.sees("["):
            return self._subscript(token, base)
        if self.here.kind != "name":
            raise self.failure("A property's name is expected here.")
        return Member(token, base, self.advance().text)

    def _subscript(self, token: Token, base: Expression) -> Expression:
        self.expect("[")
        if self.here.kind == "string" and self.ahead().text == "]":
            key = self.advance().value
            self.expect("]")
            return Member(token, base, key)
        index = self.expression()
        self.expect("]")
        return Index(token, base, index)

    def _primary(self) -> Expression:
        token = self.here
        match token.kind:
            case "number" | "timespan":
                self.advance()
                return self._number(token)
            case "string":
                return self._string(token)
            case "literal":
                self.advance()
                return self.typed_literal(token)
            case "name":
                return self._named(token)
        if self.accept("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.sees("[") and self.ahead().kind == "string":
            return Name(token, self.name())
        if self.accept("*"):
            return Star(token)
        raise self.failure("A value is expected here.")

    def _string(self, token: Token) -> Expression:
        """Read a string; strings that stand side by side are one."""
        text = self.advance().value
        while self.here.kind == "string":
            text += self.advance().value
        return Literal(token, Type.STRING, text)

    def _named(self, token: Token) -> Expression:
        text = token.text
        self.advance()
        if text in BOOLS and not self.sees("("):
            return Literal(token, Type.BOOL, BOOLS[text])
        if text in RESERVED and not self.sees(*_COMPARISONS):
            raise self.failure("A value is expected here.", expected=RECORDED_EXPECTED_TOKEN)
        if not self.sees("("):
            return Name(token, text)
        if text == "dynamic":
            return self._dynamic(token)
        if text == "typeof":
            return self._type_literal(token)
        if text == "toscalar":
            self.expect("(")
            query = self.parse_query()
            self.expect(")")
            return Scalar(token, query)
        return Call(token, text, self.arguments())

    def _type_literal(self, token: Token) -> Expression:
        """Read `typeof(long)`, the constant that some functions take; its value is the type itself."""
        self.expect("(")
        word = self.advance()
        if word.text not in TYPE_NAMES:
            raise self.failure("A type is expected here.", at=word)
        self.expect(")")
        return Literal(token, Type.STRING, TYPE_NAMES[word.text])

    def arguments(self) -> tuple[Expression, ...]:
        """Read `(a, b, ...)`."""
        self.expect("(")
        values: list[Expression] = []
        if self.accept(")"):
            return ()
        while True:
            values.append(self._argument())
            if not self.accept(","):
                break
        self.expect(")")
        return tuple(values)

    def _argument(self) -> Expression:
        token = self.here
        if token.kind == "name" and self.ahead().text == "=" and self.ahead().kind == "symbol":
            name = self.name()
            self.expect("=")
            return Labeled(token, name, self.expression())
        return self.expression()

    def _number(self, token: Token) -> Expression:
        if token.kind == "timespan":
            amount = token.text[: -len(token.value)]
            ticks = round(float(amount) * unit_ticks(token.value)) if "." in amount or "e" in amount.lower() else None
            whole = ticks if ticks is not None else int(amount, 0) * unit_ticks(token.value)
            if abs(whole) > _LONG_MAX:
                raise self.failure("This time span is too long.", at=token)
            return Literal(token, Type.TIMESPAN, whole)
        value = parse_number(token.text)
        if value is None or (isinstance(value, int) and value > _LONG_MAX):
            raise self.failure("This number is too large.", at=token)
        return Literal(token, Type.REAL if isinstance(value, float) else Type.LONG, value)

    def typed_literal(self, token: Token) -> Expression:
        """Turn a token like `datetime(2024-01-01)` into its value; the word `null` gives the type's null."""
        word = token.text.split("(")[0].strip()
        kind = TYPE_NAMES[word]
        inside = token.value.strip("'\"").strip()
        if inside == "null":
            return Literal(token, kind, None)
        value = self._literal_value(kind, inside)
        if value is None:
            raise self.failure(f"This is not a {kind}.", at=token)
        return Literal(token, kind, value)

    def _literal_value(self, kind: Type, inside: str) -> object:
        match kind:
            case Type.DATETIME:
                return literal_datetime(inside)
            case Type.TIMESPAN:
                return literal_timespan(inside)
            case Type.GUID:
                return parse_guid(inside)
            case Type.BOOL:
                return {"true": True, "false": False, "1": True, "0": False}.get(inside.lower())
            case Type.DECIMAL:
                return decimal_of(inside)
            case Type.REAL:
                number = parse_number(inside, specials=True)
                return None if number is None else float(number)
        number = parse_number(inside)
        limit = 2**31 if kind is Type.INT else 2**63
        return number if isinstance(number, int) and -limit <= number < limit else None

    def _dynamic(self, token: Token) -> Expression:
        self.expect("(")
        value = self._json()
        self.expect(")")
        return Literal(token, Type.DYNAMIC, value)

    def _json(self) -> object:
        self.deeper()
        value = self._json_value()
        self.shallower()
        return value

    def _json_value(self) -> object:
        if self.accept("["):
            return self._json_array()
        if self.accept("{"):
            return self._json_object()
        token = self.here
        if token.kind == "name" and token.text in {"null", "true", "false"}:
            self.advance()
            return {"null": None, "true": True, "false": False}[token.text]
        if token.kind == "name" and token.text == "dynamic":
            self.advance()
            self.expect("(")
            value = self._json()
            self.expect(")")
            return value
        if token.kind in {"number", "string"} or self.sees("-", "+"):
            literal = self._signed()
            if isinstance(literal, Literal):
                return literal.value
        raise self.failure("A constant is expected here.", at=token)

    def _json_array(self) -> object:
        values: list[object] = []
        while not self.accept("]"):
            values.append(self._json())
            if not self.sees("]"):
                self.expect(",")
        return values

    def _json_object(self) -> object:
        bag: dict[str, object] = {}
        while not self.accept("}"):
            key = self.advance()
            if key.kind not in {"string", "name"}:
                raise self.failure("A property's name is expected here.", at=key)
            self.expect(":")
            bag[key.value if key.kind == "string" else key.text] = self._json()
            if not self.sees("}"):
                self.expect(",")
        return bag
