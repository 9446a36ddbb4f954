"""Parses a whole query text: let statements, and the one query that is answered.

`parse(text)` is the only thing to call. Must not know columns, types, functions or tables.
"""

from dataclasses import replace

from arm_emulator.kql.lexer import Token
from arm_emulator.kql.parser_operators import FOREIGN_OPERATORS, OPERATORS, OperatorParser
from arm_emulator.kql.syntax import Datatable, Expression, Lambda, Let, Operator, Parameter, Program, Query, Source


def parse(text: str, *, listed_only: bool = False) -> Program:
    """Return the tree of `text`; raise `KqlError` at the first token that does not fit.

    With `listed_only` an operator that Resource Graph's documentation does not list does not fit.
    """
    parser = Parser(text)
    parser.listed_only = listed_only
    return parser.program()


class Parser(OperatorParser):
    """Reads statements and queries; the operators and expressions come from the classes below it."""

    def program(self) -> Program:
        """Read everything up to the end of the text."""
        lets = self._lets()
        if self.here.kind == "eof":
            raise self.failure("A query is expected here.")
        query = self.parse_query()
        while self.accept(";"):
            pass
        if self.here.kind != "eof":
            raise self.failure("The query should end here.")
        return Program(self.tokens[0], lets, query)

    def _lets(self) -> tuple[Let, ...]:
        lets: list[Let] = []
        while True:
            while self.accept(";"):
                pass
            token = self.here
            if not self.accept("let"):
                return tuple(lets)
            name = self.name()
            self.expect("=")
            lets.append(Let(token, name, self._let_value()))
            if self.here.kind != "eof":
                self.expect(";")

    def _let_value(self) -> Expression | Query | Lambda:
        if (self.sees("view") and self.ahead().text == "(") or self._starts_lambda():
            return self._lambda()
        return self._scalar_or_query()

    def _scalar_or_query(self) -> Expression | Query:
        """Read a scalar where the text can be one, and a query where a pipe or an operator shows it."""
        start, depth = self.next_index, self._depth
        if self._starts_query():
            return self.parse_query()
        value = self.expression()
        if self.sees("|"):
            self.next_index, self._depth = start, depth
            return self.parse_query()
        return value

    def _starts_query(self) -> bool:
        token, behind = self.here, self.ahead()
        if token.text in {"union", "materialize"} and token.kind == "name":
            return True
        if token.kind == "name" and (behind.text == "|" or self._starts_datatable()):
            return True
        if token.kind == "name" and token.text in OPERATORS and behind.kind in {"name", "string"}:
            return True
        return token.text == "(" and behind.kind == "name" and self.ahead(2).text == "|"

    def _starts_lambda(self) -> bool:
        """Tell whether the parenthesis at the place closes in front of a brace."""
        if not self.sees("("):
            return False
        depth = 0
        for index in range(self.next_index, len(self.tokens)):
            text = self.tokens[index].text if self.tokens[index].kind == "symbol" else ""
            depth += (text == "(") - (text == ")")
            if depth == 0:
                return self.tokens[min(index + 1, len(self.tokens) - 1)].text == "{"
        return False

    def _lambda(self) -> Lambda:
        token = self.here
        self.accept("view")
        self.expect("(")
        parameters: list[Parameter] = []
        while not self.accept(")"):
            place = self.here
            name = self.name()
            self.expect(":")
            if self.sees("("):
                raise self.unsupported(self.here, "A tabular parameter")
            kind = self.type_name()
            parameters.append(Parameter(place, name, kind, self.expression() if self.accept("=") else None))
            if not self.sees(")"):
                self.expect(",")
        self.expect("{")
        lets = self._lets()
        body = self._scalar_or_query()
        self.accept(";")
        self.expect("}")
        return Lambda(token, tuple(parameters), lets, body)

    def parse_query(self) -> Query:
        """Read a source and the operators behind it; a query may start with an operator (the default table)."""
        self.deeper()
        token = self.here
        operators: list[Operator] = []
        source: Source | Query | Datatable | None = None
        if self.accept("union"):
            source = self._leading_union(token, operators)
        elif self._starts_with_operator():
            operators.append(self.operator())
        else:
            source = self._head(token)
        while self.accept("|"):
            operators.append(self.operator())
        self.shallower()
        return Query(token, source, tuple(operators))

    def _starts_with_operator(self) -> bool:
        token = self.here
        if token.kind != "name":
            return False
        if token.text in FOREIGN_OPERATORS:
            return self.ahead().text not in {"|", ";", ")"} and self.ahead().kind != "eof"
        return token.text in OPERATORS and (token.text == "count" or self.ahead().text != "|")

    def _leading_union(self, token: Token, operators: list[Operator]) -> Query:
        """Read a union that starts a query: its first leg is what the others are put below."""
        if self.listed_only:
            raise self.unsupported(token, "A union that starts a query")
        union = self._union(token)
        if len(union.legs) > 1 or union.source_column:
            operators.append(replace(union, legs=union.legs[1:]))
        return union.legs[0]

    def _head(self, token: Token) -> Source | Query | Datatable:
        if self._starts_datatable():
            return self._datatable(token)
        if self.sees("materialize") and self.ahead().text == "(":
            self.advance()  # it says how a cluster works, and changes no answer
        if self.accept("("):
            inner = self.parse_query()
            self.expect(")")
            return inner
        if token.kind != "name":
            if not self.sees("["):
                raise self.failure("A table is expected here.")
            return Source(token, self.name())
        return self._named_source()

    def _starts_datatable(self) -> bool:
        return self.sees("datatable") and self.ahead().text == "("

    def _datatable(self, token: Token) -> Datatable:
        self.check_listed(token)
        self.expect("datatable")
        self.expect("(")
        columns: list[Parameter] = []
        while not self.accept(")"):
            place, name = self.here, self.name()
            self.expect(":")
            columns.append(Parameter(place, name, self.type_name()))
            if not self.sees(")"):
                self.expect(",")
        self.expect("[")
        values: list[Expression] = []
        while not self.accept("]"):
            values.append(self.expression())
            if not self.sees("]"):
                self.expect(",")
        return Datatable(token, tuple(columns), tuple(values))

    def _named_source(self) -> Source:
        token = self.here
        name = self.name()
        if self.sees("("):
            return Source(token, name, self.arguments())
        return Source(token, name)

    def source(self) -> Query:
        """Read the bare name of a table, or a call of a let function, as a query of its own."""
        token = self.here
        return Query(token, self._named_source(), ())
