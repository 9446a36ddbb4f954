"""Parses tabular operators: what stands between two pipes.

The operators that Resource Graph documents are read, and a few that public queries use (`UNLISTED`); any other of
Kusto's is refused by name, and a word that is none at all is a parser failure. Must not know columns or types.

Source: "Understanding the Azure Resource Graph query language", supported tabular operators (learn.microsoft.com).
"""

from arm_emulator.kql.errors import Code, KqlError
from arm_emulator.kql.lexer import Token
from arm_emulator.kql.parser_expressions import ExpressionParser
from arm_emulator.kql.syntax import (
    Assigned,
    Count,
    Distinct,
    Expansion,
    Extend,
    Join,
    JoinKey,
    MvApply,
    MvExpand,
    Operator,
    Order,
    Parse,
    ParsePart,
    Project,
    Query,
    Rename,
    Select,
    Serialize,
    SortKey,
    Summarize,
    Take,
    Top,
    Union,
    Where,
)
from arm_emulator.kql.types import TYPE_NAMES, Type

OPERATORS = {
    "where": "where", "filter": "where", "extend": "extend", "project": "project", "project-away": "select",
    "project-keep": "select", "project-reorder": "select", "project-rename": "rename", "summarize": "summarize",
    "distinct": "distinct", "order": "order", "sort": "order", "take": "take", "limit": "take", "top": "top",
    "count": "count", "join": "join", "lookup": "lookup", "union": "union", "mv-expand": "mv_expand",
    "serialize": "serialize", "mv-apply": "mv_apply",
    "mvexpand": "mv_expand", "parse": "parse", "parse-where": "parse",
}  # fmt: skip

# Read here because public queries use them, though the documentation does not list them.
UNLISTED = frozenset(
    {"datatable", "filter", "lookup", "mv-apply", "parse-where", "project-keep", "project-rename", "project-reorder",
     "serialize"}
)  # fmt: skip
# Operators of Kusto that Resource Graph's documentation does not list, and that no query here runs.
FOREIGN_OPERATORS = frozenset(
    {"as", "assert-schema", "consume", "evaluate", "execute-and-cache", "externaldata", "facet", "find", "fork",
     "getschema", "invoke", "macro-expand", "make-graph", "make-series", "parse-kv", "partition",
     "partition-by", "print", "project-by-names", "project-smart", "range", "reduce", "render", "sample",
     "sample-distinct", "scan", "search", "top-hitters", "top-nested"}
)  # fmt: skip
_JOIN_KINDS = frozenset({"innerunique", "inner", "leftouter", "fullouter"})
# Kinds of Kusto that Resource Graph answers with UnsupportedJoinFlavor, as it writes them.
_FOREIGN_KINDS = {
    "anti": "LeftAnti", "leftanti": "LeftAnti", "leftantisemi": "LeftAnti", "leftsemi": "LeftSemi",
    "rightanti": "RightAnti", "rightantisemi": "RightAnti", "rightsemi": "RightSemi", "rightouter": "RightOuter",
}  # fmt: skip
_LOOKUP_KINDS = frozenset({"leftouter", "inner"})
_HINTS = frozenset(
    {"strategy", "shufflekey", "num_partitions", "remote", "progressive_top", "concurrency", "spread", "distribution",
     "pass_filters", "pass_filters_column"}
)  # fmt: skip
_MAX_ROW_LIMIT = 2000


class OperatorParser(ExpressionParser):
    """The part of the parser that reads what follows a pipe."""

    listed_only = False
    """Whether operators that the documentation does not list are refused."""

    def check_listed(self, token: Token) -> None:
        """Refuse an operator that the documentation does not list, where only listed ones are read."""
        if self.listed_only and token.text in UNLISTED:
            raise self.unsupported(token, f"The operator {token.text!r}")

    def operator(self) -> Operator:
        """Read one operator with its name."""
        token = self.here
        if token.kind == "name" and token.text in OPERATORS:
            self.check_listed(token)
            self.advance()
            read = {
                "where": self._where, "extend": self._extend, "project": self._project, "select": self._select,
                "rename": self._rename, "summarize": self._summarize, "distinct": self._distinct, "order": self._order,
                "take": self._take, "top": self._top, "count": self._count, "join": self._join, "lookup": self._lookup,
                "union": self._union, "mv_expand": self._mv_expand, "parse": self._parse, "serialize": self._serialize,
                "mv_apply": self._mv_apply,
            }[OPERATORS[token.text]]  # fmt: skip
            return read(token)
        if token.kind == "name" and (token.text in FOREIGN_OPERATORS or token.text.startswith("graph-")):
            raise self.unsupported(token, f"The operator {token.text!r}")
        raise self.failure("An operator is expected here.")

    def _where(self, token: Token) -> Operator:
        return Where(token, self.expression())

    def assigned(self) -> Assigned:
        """Read `name = expression` or an expression alone."""
        token = self.here
        bracketed = self.sees("[") and self.ahead().kind == "string" and self.ahead(3).text == "="
        if bracketed or (token.kind == "name" and self.ahead().text == "="):
            name = self.name()
            self.expect("=")
            return Assigned(token, name, self.expression())
        return Assigned(token, "", self.expression())

    def _assignments(self) -> tuple[Assigned, ...]:
        columns = [self.assigned()]
        while self.accept(","):
            columns.append(self.assigned())
        return tuple(columns)

    def _extend(self, token: Token) -> Operator:
        return Extend(token, self._assignments())

    def _serialize(self, token: Token) -> Operator:
        is_bare = self.here.kind == "eof" or self.sees("|", ";", ")", "}")
        return Serialize(token, () if is_bare else self._assignments())

    def _project(self, token: Token) -> Operator:
        return Project(token, self._assignments())

    def _select(self, token: Token) -> Operator:
        patterns = [self._pattern(token.text)]
        while self.accept(","):
            patterns.append(self._pattern(token.text))
        return Select(token, token.text, tuple(patterns))

    def _pattern(self, mode: str) -> tuple[Token, str, str]:
        """Read a column's name, in which `*` stands for any characters, and for a reorder its order."""
        token = self.here
        if token.text == "kind":
            # Resource Graph answers ParserFailure at the token `kind`; it takes the bracketed name.
            raise self.failure("The column 'kind' must be written ['kind'] here.")
        text = "" if self.sees("*") else self.name()
        while self.sees("*") or (text.endswith("*") and self.here.kind == "name" and not self.here.spaced):
            text += self.advance().text
        order = ""
        if mode == "project-reorder" and self.sees("asc", "desc", "granny"):
            order = self.advance().text
            if order == "granny":
                raise self.failure("This order is not known.", at=self.tokens[self.next_index - 1])
        return token, text, order

    def _rename(self, token: Token) -> Operator:
        pairs: list[tuple[Token, str, str]] = []
        while True:
            new = self.name()
            self.expect("=")
            place = self.here
            pairs.append((place, new, self.name()))
            if not self.accept(","):
                return Rename(token, tuple(pairs))

    def _summarize(self, token: Token) -> Operator:
        aggregates: tuple[Assigned, ...] = ()
        self._hints()
        if not self.sees("by"):
            aggregates = self._assignments()
        if not self.accept("by"):
            return Summarize(token, aggregates, (), has_by=False)
        return Summarize(token, aggregates, self._assignments(), has_by=True)

    def _distinct(self, token: Token) -> Operator:
        self._hints()
        if self.accept("*"):
            return Distinct(token, ())
        return Distinct(token, self._assignments())

    def _sort_key(self) -> SortKey:
        token = self.here
        expression = self.expression()
        descending = True
        if word := self.accept("asc", "desc"):
            descending = word.text == "desc"
        nulls_first = not descending
        if self.accept("nulls"):
            word = self.accept("first", "last")
            if word is None:
                raise self.failure("'first' or 'last' is expected here.", expected="first")
            nulls_first = word.text == "first"
        return SortKey(token, expression, descending, nulls_first)

    def _order(self, token: Token) -> Operator:
        self._hints()
        self.expect("by")
        keys = [self._sort_key()]
        while self.accept(","):
            keys.append(self._sort_key())
        return Order(token, tuple(keys))

    def _take(self, token: Token) -> Operator:
        return Take(token, self._sum())

    def _top(self, token: Token) -> Operator:
        self._hints()
        count = self._sum()
        self.expect("by")
        return Top(token, count, self._sort_key())

    def _count(self, token: Token) -> Operator:
        if self.accept("as"):
            return Count(token, self.name())
        return Count(token)

    def _leg(self) -> Query:
        """Read the other side of a join or union: a name, or a query in parentheses."""
        token = self.here
        if self.accept("("):
            query = self.parse_query()
            self.expect(")")
            return query
        if token.kind != "name":
            raise self.failure("A table or a query in parentheses is expected here.")
        return self.source()

    def source(self) -> Query:
        """Read a table's name; the query parser overrides this."""
        raise self.failure("A table is not allowed here.")

    def _kind(self, known: frozenset[str], default: str) -> str:
        """Read `kind = word` where it stands, and hints around it."""
        kind = default
        self._hints()
        while self.here.kind == "name" and self.here.text == "kind":
            self.advance()
            self.expect("=")
            word = self.advance()
            if word.text not in known:
                raise self._foreign_kind(word)
            kind = word.text
            self._hints()
        return kind

    def _hints(self) -> None:
        """Read hints, `hint.strategy = shuffle` and its like: how a cluster works, not what it answers."""
        while self.here.kind == "name" and self.here.text == "hint" and self.ahead().text == ".":
            self.advance()
            self.expect(".")
            if self.here.text not in _HINTS:
                raise self.failure("This hint is not known.")
            self.advance()
            self.expect("=")
            self.advance()

    def _foreign_kind(self, word: Token) -> KqlError:
        flavor = _FOREIGN_KINDS.get(word.text)
        if flavor is None:
            return self.failure("This kind of join is not known.", at=word)
        message = f'The join kind "{flavor}" is not supported or not allowed.'
        return KqlError(message, Code.JOIN_FLAVOR, word.line, word.position, word.text)

    def _join(self, token: Token) -> Operator:
        kind = self._kind(_JOIN_KINDS, "innerunique")
        right = self._leg()
        return Join(token, kind, right, self._join_keys())

    def _lookup(self, token: Token) -> Operator:
        kind = self._kind(_LOOKUP_KINDS, "leftouter")
        right = self._leg()
        return Join(token, kind, right, self._join_keys(), is_lookup=True)

    def _join_keys(self) -> tuple[JoinKey, ...]:
        self.expect("on")
        keys = [self._join_key()]
        while self.accept(",", "and"):
            keys.append(self._join_key())
        return tuple(keys)

    def _join_key(self) -> JoinKey:
        token = self.here
        if self.accept("("):
            key = self._join_key()
            self.expect(")")
            return key
        if token.text not in {"$left", "$right"}:
            name = self.name()
            return JoinKey(token, name, name)
        first = self._side()
        self.expect("==")
        if self.here.text not in {"$left", "$right"}:
            raise self.failure("$left or $right is expected here.", expected="$right")
        second = self._side()
        sides = {first[0]: first[1], second[0]: second[1]}
        if len(sides) != len(("left", "right")):
            raise self.failure("A join's equality needs both $left and $right.", at=token)
        return JoinKey(token, sides["$left"], sides["$right"])

    def _side(self) -> tuple[str, str]:
        side = self.advance().text
        if not self.accept("."):
            if self.sees("["):
                return side, self.name()
            self.expect(".")
        return side, self.name()

    def _union(self, token: Token) -> Union:
        kind, source_column = "outer", ""
        self._hints()
        while self.here.kind == "name" and self.ahead().text == "=":
            option = self.advance()
            self.expect("=")
            if option.text == "kind" and self.here.text in {"inner", "outer"}:
                kind = self.advance().text
            elif option.text in {"withsource", "with_source"}:
                source_column = self.name()
            else:
                raise self.unsupported(option, f"The option {option.text!r} of union")
        legs = [self._leg()]
        while self.accept(","):
            legs.append(self._leg())
        return Union(token, kind, source_column, tuple(legs))

    def _mv_expand(self, token: Token) -> Operator:
        index_column, as_arrays = "", False
        while self.here.kind == "name" and self.ahead().text == "=" and self.here.text in {
            "kind", "bagexpansion", "with_itemindex"
        }:  # fmt: skip
            option = self.advance().text
            self.expect("=")
            if option == "with_itemindex":
                index_column = self.name()
            elif self.sees("bag", "array"):
                as_arrays = self.advance().text == "array"
            else:
                raise self.failure("'bag' or 'array' is expected here.", expected="bag")
        columns = [self._expansion()]
        while self.accept(","):
            columns.append(self._expansion())
        limit = self._row_limit() if self.accept("limit") else None
        return MvExpand(token, tuple(columns), index_column, as_arrays, limit)

    def _mv_apply(self, token: Token) -> Operator:
        index_column = ""
        if self.sees("with_itemindex") and self.ahead().text == "=":
            self.advance()
            self.expect("=")
            index_column = self.name()
        columns = [self._expansion()]
        while self.accept(","):
            columns.append(self._expansion())
        limit = self._row_limit() if self.accept("limit") else None
        self.expect("on")
        self.expect("(")
        operators = [self.operator()]
        while self.accept("|"):
            operators.append(self.operator())
        self.expect(")")
        return MvApply(token, tuple(columns), index_column, limit, tuple(operators))

    def _row_limit(self) -> int:
        token = self.advance()
        if token.kind != "number" or not token.text.isdigit():
            raise self.failure("A number of rows is expected here.", at=token)
        if int(token.text) > _MAX_ROW_LIMIT:
            raise self.unsupported(token, f"An mv-expand of more than {_MAX_ROW_LIMIT} rows")
        return int(token.text)

    def _expansion(self) -> Expansion:
        column = self.assigned()
        kind = None
        if self.accept("to"):
            self.expect("typeof")
            self.expect("(")
            kind = self.type_name()
            self.expect(")")
        return Expansion(column.at, column.name, column.expression, kind)

    def type_name(self) -> Type:
        """Read the name of a scalar type."""
        token = self.advance()
        if token.kind != "name" or token.text not in TYPE_NAMES:
            raise self.failure("A type is expected here.", at=token)
        return TYPE_NAMES[token.text]

    def _parse(self, token: Token) -> Operator:
        mode, flags = "simple", ""
        if self.sees("kind") and self.ahead().text == "=":
            self.advance()
            self.advance()
            word = self.advance()
            if word.text not in {"simple", "regex", "relaxed"}:
                raise self.failure("'simple', 'regex' or 'relaxed' is expected here.", at=word)
            mode = word.text
            if self.sees("flags") and self.ahead().text == "=":
                self.advance()
                self.advance()
                flags = self.advance().text
        subject = self.expression()
        self.expect("with")
        parts = self._parse_parts()
        return Parse(token, mode, flags, subject, parts, only_matches=token.text == "parse-where")

    def _parse_parts(self) -> tuple[ParsePart, ...]:
        parts: list[ParsePart] = []
        while True:
            token = self.here
            if self.accept("*"):
                parts.append(ParsePart(token, None, "", Type.STRING))
            elif token.kind == "string":
                parts.append(ParsePart(token, self.advance().value, "", Type.STRING))
            elif token.kind == "name" or self.sees("["):
                name = self.name()
                kind = self.type_name() if self.accept(":") else Type.STRING
                parts.append(ParsePart(token, None, name, kind))
            else:
                break
        if not parts:
            raise self.failure("A pattern is expected here.")
        return tuple(parts)
