"""Which tables one query may bring together.

Source: "Understanding the Azure Resource Graph query language", as revised in 2021, 2022 and 2024: three joins and
unions in all; of the joins one may be with another table, unless all of them are between `resources` and
`resourcecontainers`; a union is of one table, or of these two. That the service refuses more is UNCONFIRMED: users
report queries with more that it ran.
"""

from arm_emulator.kql.errors import Code, KqlError
from arm_emulator.kql.lexer import Token
from arm_emulator.kql.scopes import DEFAULT_TABLE, TABLES
from arm_emulator.kql.syntax import (
    Datatable,
    Join,
    Lambda,
    MvApply,
    Name,
    Operator,
    Program,
    Query,
    Source,
    Union,
)

AT_MOST = 3
"""Joins and unions of a query, counted together."""
CONTAINERS = frozenset({"resources", "resourcecontainers"})
Tables = frozenset[str]


def check_together(program: Program) -> None:
    """Refuse a query that brings more tables together than is documented.

    Raises:
        KqlError: more than three joins and unions, a second join with another table, or a union of two others than
            `resources` and `resourcecontainers`.
    """
    walk = _Walk()
    for let in program.lets:
        tree = let.value.body if isinstance(let.value, Lambda) else let.value
        if isinstance(tree, Name):
            tree = Query(tree.at, Source(tree.at, tree.name), ())
        if isinstance(tree, Query):
            walk.lets[let.name] = tree
    if program.query is not None:
        walk.tables_of(program.query)


class _Walk:
    def __init__(self) -> None:
        self.lets: dict[str, Query] = {}
        self._joined: list[Tables] = []
        self._count = 0

    def tables_of(self, tree: Query) -> Tables:
        """The tables that a query reads; its joins and unions are checked on the way."""
        return self._behind(self._source(tree), tree.operators)

    def _behind(self, seen: Tables, operators: tuple[Operator, ...]) -> Tables:
        for operator in operators:
            if isinstance(operator, Join):
                self._add(1, operator.at)
                other = self.tables_of(operator.right)
                if seen and other and seen != other:
                    self._join(seen | other, operator.at)
                seen |= other
            elif isinstance(operator, MvApply):
                seen = self._behind(seen, operator.operators)
            elif isinstance(operator, Union):
                self._add(len(operator.legs), operator.at)
                for leg in operator.legs:
                    seen |= self.tables_of(leg)
                if len(seen) > 1 and not seen <= CONTAINERS:
                    names = ", ".join(sorted(seen))
                    raise _refusal(f"A union of the tables {names} is not allowed.", operator.at)
        return seen

    def _source(self, tree: Query) -> Tables:
        match tree.source:
            case None:
                return frozenset({DEFAULT_TABLE})
            case Query():
                return self.tables_of(tree.source)
            case Datatable():
                return frozenset()
            case Source(name=name):
                named = self.lets.get(name)
                if named is not None:
                    return self.tables_of(named)
                return frozenset({name.lower()}) & TABLES

    def _add(self, operators: int, at: Token) -> None:
        self._count += operators
        if self._count > AT_MOST:
            raise _refusal(f"A query may hold {AT_MOST} join and union operators together at most.", at)

    def _join(self, tables: Tables, at: Token) -> None:
        self._joined.append(tables)
        if len(self._joined) > 1 and not all(one <= CONTAINERS for one in self._joined):
            raise _refusal("A query may hold 1 join with another table at most.", at)


def _refusal(message: str, at: Token) -> KqlError:
    return KqlError(message, Code.REMOTE_TABLES, at.line, at.position, at.text)
