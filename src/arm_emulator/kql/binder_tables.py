"""Binds the operators that need all rows at once: summarize, distinct, order, take, top, count, join, union.

Must not bind what works row by row, which the class below it does.

Source: Kusto documentation of each operator; names of columns and refused types as Microsoft's language service has
them (KS116 a dynamic key, KS241 and KS242 a join's keys, KS198 a second key of top).
"""

from typing import Protocol

from arm_emulator.kql import aggregates
from arm_emulator.kql.aggregates_several import SEVERAL
from arm_emulator.kql.binder_rows import RowOperators, numbered
from arm_emulator.kql.code import Bound
from arm_emulator.kql.errors import Code
from arm_emulator.kql.lexer import Token
from arm_emulator.kql.plan import Aggregate, Compute, Concat, CountRows, Group, Sort, SortColumn, Take
from arm_emulator.kql.plan_join import HashJoin, Side
from arm_emulator.kql.relation import Relation, blank_text
from arm_emulator.kql.scopes import EMPTY_ROW, Lets, Row, free_name
from arm_emulator.kql.syntax import (
    Assigned,
    Call,
    Count,
    Distinct,
    Expression,
    Join,
    Labeled,
    Name,
    Order,
    Query,
    SortKey,
    Star,
    Summarize,
    Top,
    Union,
)
from arm_emulator.kql.syntax import Take as TakeTree
from arm_emulator.kql.types import INTEGERS, Slot, Type

_LARGEST_TAKE = 2**31 - 1


class QueryBinder(Protocol):
    """What binds a sub-query."""

    def bind_query(self, tree: Query, lets: Lets) -> Relation:
        """Return the relation of a query."""


class TableOperators(RowOperators):
    """The part of the query binder that needs all rows at once."""

    def key(self, bound: Bound) -> Bound:
        """Refuse a dynamic where rows are grouped, ordered or joined by it."""
        if bound.type is Type.DYNAMIC:
            raise self.scalars.refusal(
                f"The key '{bound.name or bound.at.text}' can't be dynamic; convert it, for example by tostring().",
                bound.at,
                Code.DYNAMIC_KEY,
            )
        return bound

    def summarize(self, relation: Relation, tree: Summarize, lets: Lets) -> Relation:
        """Bind the keys first, then the aggregates; an expression around an aggregate is computed on top."""
        if not tree.aggregates and not tree.has_by:
            raise self.scalars.refusal("summarize needs an aggregate or a key.", tree.at, Code.PARSER)
        keys = [(name, self.key(bound)) for name, bound in self.columns(relation, tree.keys, lets)]
        key_pairs = [(Slot(name, bound.type), relation.computed(bound, name)) for name, bound in keys]
        collected = _Aggregates(self, relation, lets, {below for _, below in key_pairs})
        outer = [(each, self._aggregate(each, lets, collected)) for each in tree.aggregates]
        grouped = Group(relation.node(), tuple(key_pairs), tuple(collected.found), whole=not tree.has_by)
        result = relation.moved(grouped, Row([slot for slot, _ in key_pairs]))
        taken = {slot.name for slot, _ in key_pairs}
        slots = [slot for slot, _ in key_pairs]
        slots.extend(
            result.computed(bound, name) for name, bound in self._result_names(outer, taken, set(relation.row.names))
        )
        result.row = Row(slots)
        return result

    def _aggregate(self, each: Assigned, lets: Lets, collected: "_Aggregates") -> list[Bound]:
        """Bind one column of a summarize; `arg_max` and its kin alone may give several."""
        expression = each.expression
        if isinstance(expression, Call) and expression.name in SEVERAL:
            return collected.several(expression)
        bound = self.scalars.bind(expression, EMPTY_ROW, lets, collected.one)
        if bound.slots and not collected.holds(bound):
            raise self.scalars.refusal("An aggregate is expected here.", each.at)
        return [bound]

    def _result_names(
        self, outer: list[tuple[Assigned, list[Bound]]], keys: set[str], old: set[str]
    ) -> list[tuple[str, Bound]]:
        """Name the columns: as written, else by the aggregate, numbered where the name is taken.

        Refuses two of one written name, and one of a key; without a name it is `Column1`, or the first such number
        that neither the answer nor the rows before it have.
        """
        used, written = set(keys), set(keys)
        named: list[tuple[str, Bound]] = []
        for each, bounds in outer:
            for position, bound in enumerate(bounds):
                is_written = bool(each.name) and position == 0
                if is_written and each.name in written:
                    raise self.scalars.refusal(f"A column with the name '{each.name}' is already declared.", each.at)
                wanted = each.name if is_written else bound.name
                name = free_name(wanted, used) if wanted else numbered("Column", 1, used | old)
                used.add(name)
                if is_written:
                    written.add(each.name)
                named.append((name, bound))
        return named

    def distinct(self, relation: Relation, tree: Distinct, lets: Lets) -> Relation:
        """Keep one row for each combination of the columns."""
        if tree.columns:
            named = self.columns(relation, tree.columns, lets)
        else:
            named = [
                (slot.name, Bound(slot.type, slot.variable, tree.at, frozenset({slot}), name=slot.name))
                for slot in relation.row.slots
            ]
        pairs = [(Slot(name, bound.type), relation.computed(self.key(bound), name)) for name, bound in named]
        grouped = Group(relation.node(), tuple(pairs), (), whole=False)
        return relation.moved(grouped, Row([slot for slot, _ in pairs]))

    def _sort_columns(self, relation: Relation, keys: tuple[SortKey, ...], lets: Lets) -> tuple[SortColumn, ...]:
        columns: list[SortColumn] = []
        for tree in keys:
            bound = self.key(self.scalars.bind(tree.expression, relation.row, lets))
            slot = relation.computed(bound, bound.name)
            columns.append(SortColumn(slot, tree.descending, tree.nulls_first))
        return tuple(columns)

    def order(self, relation: Relation, tree: Order, lets: Lets) -> Relation:
        """Sort; the order holds until an operator that does not keep it."""
        keys = self._sort_columns(relation, tree.keys, lets)
        return relation.moved(Sort(relation.node(), keys), relation.row, has_order=True)

    def take(self, relation: Relation, tree: TakeTree, lets: Lets) -> Relation:
        """Keep the first rows."""
        return relation.moved(
            Take(relation.node(), self._row_count(tree.count, lets)), relation.row, has_order=relation.has_order
        )

    def top(self, relation: Relation, tree: Top, lets: Lets) -> Relation:
        """Sort by one key and keep the first rows."""
        keys = self._sort_columns(relation, (tree.key,), lets)
        sort = Sort(relation.node(), keys, self._row_count(tree.count, lets))
        return relation.moved(sort, relation.row, has_order=True)

    def _row_count(self, tree: Expression, lets: Lets) -> int:
        bound = self.scalars.bind(tree, EMPTY_ROW, lets)
        value = self.scalars.constant_of(bound, "The number of rows")
        if bound.type not in INTEGERS or not isinstance(value, int) or not 0 <= value <= _LARGEST_TAKE:
            raise self.scalars.refusal("The number of rows must be an integer that is not negative.", bound.at)
        return value

    def count(self, relation: Relation, tree: Count) -> Relation:
        """Give one row with the number of rows."""
        return relation.moved(CountRows(relation.node()), Row([Slot(tree.name, Type.LONG)]))

    def join(self, left: Relation, right: Relation, tree: Join) -> Relation:
        """Join by equal columns; columns of the right side whose name is taken get a number."""
        left_keys, right_keys = self._join_keys(left, right, tree)
        outs: list[Slot] = []
        left_map = {slot: slot for slot in left.row.slots}
        right_map: dict[Slot, Slot] = {}
        taken = list(left.row.names)
        hidden = set(right_keys) if tree.is_lookup else set()
        for slot in right.row.slots:
            if slot in hidden:
                continue
            out = Slot(free_name(slot.name, taken), slot.type)
            taken.append(out.name)
            right_map[out] = slot
            outs.append(out)
        node = HashJoin(
            tree.kind,
            Side(left.node(), tuple(left_keys), left_map),
            Side(right.node(), tuple(right_keys), right_map),
        )
        return left.moved(node, Row([*left.row.slots, *outs]))

    def _join_keys(self, left: Relation, right: Relation, tree: Join) -> tuple[list[Slot], list[Slot]]:
        left_keys: list[Slot] = []
        right_keys: list[Slot] = []
        for key in tree.keys:
            mine = self._key_column(left, key.left, key.at)
            other = self._key_column(right, key.right, key.at)
            if mine.type is not other.type and not {mine.type, other.type} <= INTEGERS:
                raise self.scalars.refusal(f"The join's keys differ in type: {mine.type} and {other.type}.", key.at)
            left_keys.append(mine)
            right_keys.append(other)
        return left_keys, right_keys

    def _key_column(self, relation: Relation, name: str, at: Token) -> Slot:
        slot = relation.row.find(name)
        if slot is None:
            raise self.scalars.refusal(self.scalars.unresolved(name), at, Code.ENTITY)
        if slot.type is Type.DYNAMIC:
            self.key(Bound(Type.DYNAMIC, "", at, name=name))
        return slot

    def union(self, legs: list[tuple[str, Relation]], tree: Union) -> Relation:
        """Put rows below each other; columns of one name and type are one, of one name and two types are two."""
        first = legs[0][1]
        outs = self._union_columns(legs, tree)
        source = Slot(tree.source_column, Type.STRING) if tree.source_column else None
        nodes = []
        for label, leg in legs:
            by_key = {(slot.name, slot.type): slot for slot in leg.row.slots}
            for key, out in outs.items():
                slot = by_key.get(key)
                text = slot.variable if slot else blank_text(key[1])
                leg.steps.append(_compute(out, text, slot))
            if source:
                leg.steps.append(_compute(source, self.space.constant(label), None))
            nodes.append(leg.node())
        columns = list(outs.values())
        return first.moved(Concat(tuple(nodes)), Row([source, *columns] if source else columns))

    def _union_columns(self, legs: list[tuple[str, Relation]], tree: Union) -> dict[tuple[str, Type], Slot]:
        kinds: dict[str, dict[Type, int]] = {}
        for _, leg in legs:
            for slot in leg.row.slots:
                counts = kinds.setdefault(slot.name, {})
                counts[slot.type] = counts.get(slot.type, 0) + 1
        outs: dict[tuple[str, Type], Slot] = {}
        for name, counts in kinds.items():
            for kind, number in counts.items():
                if tree.kind == "inner" and number < len(legs):
                    continue
                outs[(name, kind)] = Slot(name if len(counts) == 1 else f"{name}_{kind}", kind)
        if tree.source_column and any(slot.name == tree.source_column for slot in outs.values()):
            raise self.scalars.refusal(f"A column with the name '{tree.source_column}' is already declared.", tree.at)
        return outs


def _compute(out: Slot, text: str, slot: Slot | None) -> Compute:
    return Compute(out, text, frozenset({slot}) if slot else frozenset())


class _Aggregates:
    """Takes the aggregates out of a summarize's expressions, each into columns of the grouped rows."""

    def __init__(self, operators: TableOperators, relation: Relation, lets: Lets, keys: set[Slot]) -> None:
        self._operators = operators
        self._relation = relation
        self._lets = lets
        self._keys = keys
        self.found: list[Aggregate] = []
        self._made: set[Slot] = set()

    def holds(self, bound: Bound) -> bool:
        """Tell whether an expression has an aggregate in it."""
        return bool(bound.slots & self._made)

    def one(self, tree: Call) -> Bound | None:
        """Bind an aggregate of one column; None where the call is none."""
        kind = aggregates.ONE.get(tree.name)
        if kind is None:
            return None
        bounds = [self._argument(argument) for argument in tree.arguments]
        site = aggregates.Site(self._operators.scalars, tree)
        made = kind(site, bounds)
        slot = Slot(made.name, made.type)
        self._add((slot,), made.arguments, made.function)
        return Bound(slot.type, slot.variable, tree.at, frozenset({slot}), nullable=made.nullable, name=made.name)

    def several(self, tree: Call) -> list[Bound]:
        """Bind an aggregate that gives several columns."""
        site = aggregates.Site(self._operators.scalars, tree)
        arguments = [self._argument(argument) for argument in self._spread(tree)]
        made = SEVERAL[tree.name](site, arguments)
        slots = tuple(Slot(name, kind) for name, kind in made.columns)
        self._add(slots, made.arguments, made.function)
        return [Bound(slot.type, slot.variable, tree.at, frozenset({slot}), name=slot.name) for slot in slots]

    def _argument(self, tree: Expression) -> Bound:
        if isinstance(tree, Labeled):
            return self._argument(tree.value).named(tree.name)
        return self._operators.scalars.bind(tree, self._relation.row, self._lets)

    def _spread(self, tree: Call) -> list[Expression]:
        """Put every column that is no key and not named already in place of `*`."""
        named = {argument.name for argument in tree.arguments if isinstance(argument, Name)}
        spread: list[Expression] = []
        for argument in tree.arguments:
            if not isinstance(argument, Star):
                spread.append(argument)
                continue
            spread.extend(
                Name(argument.at, slot.name)
                for slot in self._relation.row.slots
                if slot not in self._keys and slot.name not in named
            )
        return spread

    def _add(self, slots: tuple[Slot, ...], arguments: list[Bound], function: aggregates.Reducer) -> None:
        reads = tuple(self._relation.computed(bound, bound.name) for bound in arguments)
        self.found.append(Aggregate(slots, reads, function))
        self._made.update(slots)
