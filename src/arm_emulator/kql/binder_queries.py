"""Binds whole queries: where the rows come from, the operators one after the other, let names, sub-queries, limits.

Must not know how an operator works, only which method binds it.

Source: "Understanding the Azure Resource Graph query language" for the default table, the table names and the limits of
three joins, three unions and three mv-expands; table names are taken in any case (published queries).
"""

from dataclasses import dataclass, field
from datetime import datetime

from arm_emulator.kql.binder import Binder, chain
from arm_emulator.kql.binder_tables import TableOperators
from arm_emulator.kql.code import Bound, Namespace
from arm_emulator.kql.conversions import convert, to_dynamic
from arm_emulator.kql.errors import Code
from arm_emulator.kql.lexer import Token
from arm_emulator.kql.plan import Given, Runner, Scan
from arm_emulator.kql.relation import Relation
from arm_emulator.kql.scopes import COMMON_COLUMNS, DEFAULT_TABLE, EMPTY_ROW, HIDDEN_COLUMN, TABLES, Lets, Named, Row
from arm_emulator.kql.syntax import (
    Among,
    Binary,
    Count,
    Datatable,
    Distinct,
    Expression,
    Extend,
    Join,
    Literal,
    MvApply,
    MvExpand,
    Name,
    Operator,
    Order,
    Parse,
    Program,
    Project,
    Query,
    Rename,
    Select,
    Serialize,
    Source,
    Summarize,
    Take,
    Top,
    Union,
    Where,
)
from arm_emulator.kql.types import Slot, Type
from arm_emulator.kql.values import Value

LIMITS = {"join": 3, "union": 3, "mv-expand": 3}


@dataclass(slots=True)
class Facts:
    """What is found out about a query while it is bound.

    `types` holds for each table the resource types (in lower case) that its rows are cut down to before anything else
    happens, or None where a reading of it is not cut down.
    """

    types: dict[str, frozenset[str] | None] = field(default_factory=dict)
    has_limit: bool = False
    used: dict[str, int] = field(default_factory=dict)
    late: list[tuple[str, Runner, bool]] = field(default_factory=list)


class QueryBinder:
    """Binds one program."""

    def __init__(self, now: datetime) -> None:
        self.space = Namespace()
        self.facts = Facts()
        self.scalars = Binder(self.space, now, self)
        self._operators = TableOperators(self.scalars)
        self._depth = 0

    def program(self, tree: Program) -> Relation:
        """Bind the let statements in turn, then the query."""
        lets = Lets()
        for let in tree.lets:
            value = let.value
            if isinstance(value, Name) and value.name not in lets.names and value.name.lower() in TABLES:
                value = Query(value.at, Source(value.at, value.name), ())
            lets = self.scalars.let(let.name, value, lets)
        if tree.query is None:
            raise self.scalars.refusal("A query is expected.", tree.at, Code.PARSER)
        return self.bind_query(tree.query, lets)

    def bind_query(self, tree: Query, lets: Lets) -> Relation:
        """Bind a source and its operators."""
        relation = self._source(tree, lets)
        self._note_types(tree, relation)
        return self._follow(relation, tree.operators, lets)

    def _follow(self, relation: Relation, operators: tuple[Operator, ...], lets: Lets) -> Relation:
        for operator in operators:
            relation = self._operator(relation, operator, lets)
        return relation

    def _source(self, tree: Query, lets: Lets) -> Relation:
        match tree.source:
            case None:
                return self._table(DEFAULT_TABLE)
            case Query():
                return self.bind_query(tree.source, lets)
            case Source():
                return self._named(tree.source, lets)
            case Datatable():
                return self._datatable(tree.source, lets)

    def _table(self, name: str) -> Relation:
        slots = tuple(Slot(column, kind) for column, kind in COMMON_COLUMNS)
        hidden = (Slot(*HIDDEN_COLUMN),)
        return Relation(Scan(name, slots + hidden, self.space), Row(slots, hidden), self.space)

    def _datatable(self, tree: Datatable, lets: Lets) -> Relation:
        slots = tuple(Slot(column.name, column.type) for column in tree.columns)
        if len({slot.name for slot in slots}) != len(slots):
            raise self.scalars.refusal("A column of that name is already declared.", tree.at)
        if not slots or len(tree.values) % len(slots):
            raise self.scalars.refusal("The values of a datatable must fill its rows.", tree.at)
        values = [self._datum(each, slots[number % len(slots)].type, lets) for number, each in enumerate(tree.values)]
        rows = tuple(tuple(values[at : at + len(slots)]) for at in range(0, len(values), len(slots)))
        return Relation(Given(slots, rows), Row(slots), self.space)

    def _datum(self, tree: Expression, kind: Type, lets: Lets) -> Value:
        """One value of a datatable, read as the type of its column; what cannot be read so is null."""
        bound = self.scalars.bind(tree, EMPTY_ROW, lets)
        self.scalars.constant_of(bound, "A value of a datatable")
        if bound.type is not kind and kind is not Type.STRING:
            bound = convert(self.space, to_dynamic(self.space, bound), kind)
        return self.scalars.constant_of(convert(self.space, bound, kind), "A value of a datatable")

    def _named(self, source: Source, lets: Lets) -> Relation:
        known = lets.names.get(source.name)
        if isinstance(known, Named):
            return self._let_query(source, known, lets)
        if isinstance(known, Bound) or source.arguments is not None:
            raise self.scalars.refusal(f"Unknown function: '{source.name}'.", source.at, Code.FUNCTION)
        if source.name.lower() not in TABLES:
            message = f"Table {source.name} is invalid, unsupported or disallowed."
            raise self.scalars.refusal(message, source.at, Code.TABLE)
        return self._table(source.name.lower())

    def _let_query(self, source: Source, known: Named, lets: Lets) -> Relation:
        tree = known.tree
        if isinstance(tree, Query):
            if source.arguments:
                raise self.scalars.refusal(f"'{source.name}' takes no arguments.", source.at)
            return self.bind_query(tree, known.lets)
        arguments = [self.scalars.bind(argument, Row(()), lets) for argument in source.arguments or ()]
        inner = self.scalars.scope_of_call(source.at, tree, known.lets, arguments)
        body = tree.body
        if isinstance(body, Name):
            body = Query(body.at, Source(body.at, body.name), ())
        if not isinstance(body, Query):
            raise self.scalars.refusal(f"'{source.name}' gives no table.", source.at)
        return self.bind_query(body, inner)

    def _count(self, what: str, at: Token) -> None:
        used = self.facts.used[what] = self.facts.used.get(what, 0) + 1
        if used > LIMITS[what]:
            raise self.scalars.refusal(
                f"A query may hold {LIMITS[what]} {what} operators at most.", at, Code.REMOTE_TABLES
            )

    def _operator(self, relation: Relation, tree: Operator, lets: Lets) -> Relation:
        operators = self._operators
        self.scalars.operator = tree.at.text
        match tree:
            case Where():
                return operators.where(relation, tree, lets)
            case Extend():
                return operators.extend(relation, tree, lets)
            case Serialize():
                return operators.serialize(relation, tree, lets)
            case Project():
                return operators.project(relation, tree, lets)
            case Parse():
                return operators.parse(relation, tree, lets)
            case MvExpand():
                self._count("mv-expand", tree.at)
                return operators.mv_expand(relation, tree, lets)
            case MvApply():
                self._count("mv-expand", tree.at)
                return operators.mv_apply(relation, tree, lets, lambda tray: self._follow(tray, tree.operators, lets))
            case Select():
                return operators.select(relation, tree)
            case Rename():
                return operators.rename(relation, tree)
        return self._table_operator(relation, tree, lets)

    def _table_operator(self, relation: Relation, tree: Operator, lets: Lets) -> Relation:
        operators = self._operators
        match tree:
            case Summarize():
                return operators.summarize(relation, tree, lets)
            case Distinct():
                return operators.distinct(relation, tree, lets)
            case Order():
                return operators.order(relation, tree, lets)
            case Count():
                return operators.count(relation, tree)
            case Take():
                self.facts.has_limit = True
                return operators.take(relation, tree, lets)
            case Top():
                self.facts.has_limit = True
                return operators.top(relation, tree, lets)
            case Join():
                self._count("join", tree.at)
                return operators.join(relation, self.bind_query(tree.right, lets), tree)
            case Union():
                return self._union(relation, tree, lets)
        raise self.scalars.refusal("This operator is not allowed here.", tree.at, Code.PARSER)

    def _union(self, relation: Relation, tree: Union, lets: Lets) -> Relation:
        scan = relation.base
        whole = isinstance(scan, Scan) and not relation.steps and relation.row.slots == scan.slots[:-1]
        legs = [(scan.table if whole and isinstance(scan, Scan) else "union_arg0", relation)]
        for number, leg in enumerate(tree.legs, start=1):
            self._count("union", leg.at)
            bare = isinstance(leg.source, Source) and not leg.operators and leg.source.name not in lets.names
            label = leg.source.name.lower() if bare and isinstance(leg.source, Source) else f"union_arg{number}"
            legs.append((label, self.bind_query(leg, lets)))
        return self._operators.union(legs, tree)

    def scalar(self, query: Query, lets: Lets, at: Token) -> Bound:
        """Bind `toscalar(query)`: the first column of its first row, put in when the query runs."""
        relation = self.bind_query(query, lets)
        first = relation.row.slots[0]
        return self._late(relation.node().prepare((first,)), first.type, at, whole=False)

    def members(self, query: Query, lets: Lets, at: Token) -> Bound:
        """Bind a query that stands in a list: an array of its only column's values."""
        relation = self.bind_query(query, lets)
        if len(relation.row.slots) != 1:
            raise self.scalars.refusal("A query in a list must give one column.", at)
        first = relation.row.slots[0]
        return self._late(relation.node().prepare((first,)), Type.DYNAMIC, at, whole=True)

    def _late(self, runner: Runner, kind: Type, at: Token, *, whole: bool) -> Bound:
        name = f"q{len(self.facts.late)}"
        self.facts.late.append((name, runner, whole))
        return Bound(kind, name, at, nullable=kind is not Type.STRING, late=True)

    def _note_types(self, tree: Query, relation: Relation) -> None:
        """Find the resource types that the leading conditions of a query on a table leave."""
        if not isinstance(relation.base, Scan) or relation.steps:
            return
        table = relation.base.table
        found: frozenset[str] | None = None
        for operator in tree.operators:
            if not isinstance(operator, Where):
                break
            named = resource_types(operator.condition)
            if named is not None:
                found = named if found is None else found & named
        known = self.facts.types.get(table, frozenset())
        self.facts.types[table] = None if known is None or found is None else known | found


def resource_types(condition: Expression) -> frozenset[str] | None:
    """Return the types, in lower case, that rows fulfilling a condition can have; None where any can."""
    match condition:
        case Binary(operator="and"):
            named = [found for part in chain(condition) if (found := resource_types(part)) is not None]
            return frozenset.intersection(*named) if named else None
        case Binary(operator="or"):
            either = [resource_types(part) for part in chain(condition)]
            known = [found for found in either if found is not None]
            return frozenset().union(*known) if len(known) == len(either) else None
        case Binary(operator="==" | "=~", left=Name(name="type"), right=Literal(type=Type.STRING, value=str(text))):
            return frozenset({text.lower()})
        case Among(operator="in" | "in~", left=Name(name="type"), items=items):
            texts = [item.value for item in items if isinstance(item, Literal) and isinstance(item.value, str)]
            return frozenset(text.lower() for text in texts) if len(texts) == len(items) else None
    return None
