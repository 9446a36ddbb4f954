"""Binds the operators that work row by row: where, extend, the projects, parse, mv-expand and mv-apply.

Each takes a relation and its syntax and returns the relation after it. Must not bind what needs all rows at once.

Source: Kusto documentation of each operator; names and order of columns as Microsoft's language service gives them.
"""

import sys
from collections.abc import Callable

from arm_emulator.kql import expansion, patterns
from arm_emulator.kql.binder import AggregateHook, Binder
from arm_emulator.kql.code import Bound
from arm_emulator.kql.conversions import convert, to_text
from arm_emulator.kql.errors import Code, KqlError
from arm_emulator.kql.lexer import Token
from arm_emulator.kql.plan import Apply, Expand, Filter, Tray, Unpack
from arm_emulator.kql.regexes import BadPatternError
from arm_emulator.kql.relation import Relation
from arm_emulator.kql.scopes import Lets, Row, free_name
from arm_emulator.kql.syntax import (
    Assigned,
    Call,
    Extend,
    MvApply,
    MvExpand,
    Name,
    Parse,
    Project,
    Rename,
    Select,
    Serialize,
    Where,
)
from arm_emulator.kql.types import Slot, Type
from arm_emulator.kql.values import Value
from arm_emulator.kql.windows import OF_A_COLUMN, WINDOWS
from arm_emulator.wildcards import wildcard

_DEFAULT_ROW_LIMIT = 128
Follow = Callable[[Relation], Relation]


class RowOperators:
    """The row-by-row part of the query binder."""

    def __init__(self, binder: Binder) -> None:
        self.scalars = binder
        self.space = binder.space

    def where(self, relation: Relation, tree: Where, lets: Lets) -> Relation:
        """Keep the rows for which the condition is true."""
        bound = self.scalars.bind(tree.condition, relation.row, lets, self._window(relation, lets))
        relation.steps.append(Filter(self.scalars.bool_text(bound), bound.slots))
        return relation

    def columns(self, relation: Relation, trees: tuple[Assigned, ...], lets: Lets) -> list[tuple[str, Bound]]:
        """Bind columns with their names; one without a name is named by Kusto's rules, `Column1` where they give none.

        Refuses two columns of one written name; of two given by the rules the second gets a number.
        """
        hook = self._window(relation, lets)
        bounds = [(tree, self.scalars.bind(tree.expression, relation.row, lets, hook)) for tree in trees]
        written = [tree.name or (bound.name if _is_column(bound) else "") for tree, bound in bounds]
        for index, (name, (tree, _)) in enumerate(zip(written, bounds, strict=True)):
            if name and name in written[:index]:
                raise self.scalars.refusal(f"A column with the name '{name}' is already declared.", tree.at)
        declared, old = {name for name in written if name}, set(relation.row.names)
        taken: set[str] = set()
        named: list[tuple[str, Bound]] = []
        unnamed = 0
        for given, (_, bound) in zip(written, bounds, strict=True):
            wanted = given or bound.name
            if wanted:
                name = wanted if wanted not in taken else free_name(wanted, taken | declared)
            else:
                unnamed += 1
                name = numbered("Column", unnamed, taken | old)
            taken.add(name)
            named.append((name, bound))
        return named

    def _window(self, relation: Relation, lets: Lets) -> AggregateHook:
        """Return what binds the functions that look at the rows around, as columns of their own."""

        def bind(tree: Call) -> Bound | None:
            window = WINDOWS.get(tree.name)
            if window is None or tree.name in lets.names:
                return None
            if not relation.has_order:
                message = f"{tree.name}() needs rows in an order: put it behind order by, top or serialize."
                raise self.scalars.refusal(message, tree.at)
            if not window.least <= len(tree.arguments) <= window.most:
                count = len(tree.arguments)
                raise self.scalars.refusal(f"{tree.name}(): the number of arguments, {count}, does not fit.", tree.at)
            if tree.name in OF_A_COLUMN and not isinstance(tree.arguments[0], Name):
                raise self.scalars.refusal(f"{tree.name}(): the name of a column is expected here.", tree.at)
            bounds = [self.scalars.bind(argument, relation.row, lets, bind) for argument in tree.arguments]
            kind = window.type_of(bounds[0].type if bounds else None)
            if kind is None:
                message = f"{tree.name}(): a {bounds[0].type} does not fit here."
                raise self.scalars.refusal(message, bounds[0].at)
            if len(bounds) > 2:
                bounds[2] = convert(self.space, bounds[2], kind)
            slot = Slot(tree.name, kind)
            relation.numbered(slot, [relation.computed(bound, bound.name) for bound in bounds], window.function)
            nullable = kind is not Type.STRING
            return Bound(kind, slot.variable, tree.at, frozenset({slot}), nullable=nullable)

        return bind

    def serialize(self, relation: Relation, tree: Serialize, lets: Lets) -> Relation:
        """Give the rows the order in which they come, and extend them."""
        relation.has_order = True
        return self.extend(relation, Extend(tree.at, tree.columns), lets) if tree.columns else relation

    def extend(self, relation: Relation, tree: Extend, lets: Lets) -> Relation:
        """Add columns, or replace those of the same name where they stand; none sees another's new value."""
        named = self.columns(relation, tree.columns, lets)
        relation.row = relation.row.replaced({name: relation.computed(bound, name) for name, bound in named})
        return relation

    def project(self, relation: Relation, tree: Project, lets: Lets) -> Relation:
        """Leave exactly these columns, in this order."""
        named = self.columns(relation, tree.columns, lets)
        relation.row = Row([relation.computed(bound, name) for name, bound in named])
        return relation

    def select(self, relation: Relation, tree: Select) -> Relation:
        """Carry out project-away, project-keep and project-reorder."""
        groups = [
            (self._matching(relation.row, place, pattern), order) for place, pattern, order in tree.patterns
        ]  # fmt: skip
        chosen = dict.fromkeys(slot for slots, order in groups for slot in _ordered(slots, order))
        match tree.mode:
            case "project-away":
                row = [slot for slot in relation.row.slots if slot not in chosen]
            case "project-keep":
                row = [slot for slot in relation.row.slots if slot in chosen]
            case _:
                row = [*chosen, *(slot for slot in relation.row.slots if slot not in chosen)]
        relation.row = Row(row)
        return relation

    def _matching(self, row: Row, place: Token, pattern: str) -> list[Slot]:
        if "*" not in pattern:
            slot = row.find(pattern)
            if slot is None:
                raise self._no_column(pattern, place)
            return [slot]
        wanted = wildcard(pattern)
        return [slot for slot in row.slots if wanted.fullmatch(slot.name)]

    def _no_column(self, name: str, place: Token) -> KqlError:
        return self.scalars.refusal(self.scalars.unresolved(name), place, Code.ENTITY)

    def rename(self, relation: Relation, tree: Rename) -> Relation:
        """Give columns other names where they stand."""
        changes: dict[Slot, str] = {}
        for place, new, old in tree.pairs:
            slot = relation.row.find(old)
            if slot is None:
                raise self._no_column(old, place)
            changes[slot] = new
        names = [changes.get(slot, slot.name) for slot in relation.row.slots]
        if len(set(names)) != len(names):
            raise self.scalars.refusal("A column of that name is already declared.", tree.pairs[0][0])
        slots = [
            relation.computed(Bound(slot.type, slot.variable, tree.at, frozenset({slot})), name)
            for slot, name in zip(relation.row.slots, names, strict=True)
        ]
        relation.row = Row(slots)
        return relation

    def parse(self, relation: Relation, tree: Parse, lets: Lets) -> Relation:
        """Add the columns that a pattern takes out of a text."""
        subject = self.scalars.bind(tree.subject, relation.row, lets)
        if subject.type not in {Type.STRING, Type.DYNAMIC}:
            raise self.scalars.refusal(f"A string is expected here, not a {subject.type}.", subject.at)
        subject = to_text(self.space, subject)
        names = [part.name for part in tree.parts if part.name]
        if len(set(names)) != len(names):
            raise self.scalars.refusal("A column of the pattern is declared twice.", tree.at)
        try:
            reader = patterns.reader(tree)
        except BadPatternError as error:
            raise self.scalars.refusal(f"The pattern is not valid: {error}.", tree.at) from error
        slots = tuple(Slot(part.name, part.type) for part in tree.parts if part.name)
        text = f"{self.space.function(reader)}({subject.text})"
        relation.steps.append(Unpack(slots, text, subject.slots, tree.only_matches))
        relation.row = relation.row.replaced({slot.name: slot for slot in slots})
        return relation

    def mv_expand(self, relation: Relation, tree: MvExpand, lets: Lets) -> Relation:
        """Give one row for each item of the arrays; several arrays go side by side."""
        bounds, slots = self.expanded(relation, tree, lets)
        limit = _DEFAULT_ROW_LIMIT if tree.limit is None else tree.limit
        expand = _expander(tree, len(bounds), slots, limit, arrays=tree.bags_as_arrays)
        text = f"{self.space.function(expand)}({', '.join(bound.text for bound in bounds)})"
        uses = frozenset[Slot]().union(*(bound.slots for bound in bounds))
        relation.steps.append(Expand(slots, text, uses))
        relation.row = relation.row.replaced({slot.name: slot for slot in slots})
        return relation

    def mv_apply(self, relation: Relation, tree: MvApply, lets: Lets, follow: Follow) -> Relation:
        """Run operators over the rows that each row expands to; what they leave out of a row is the row's own.

        `follow` binds the operators on the relation that it is given.
        """
        bounds, slots = self.expanded(relation, tree, lets)
        outer = relation.row.slots
        arrays = tuple(relation.computed(bound, bound.name) for bound in bounds)
        expand = _expander(tree, len(bounds), slots, sys.maxsize if tree.limit is None else tree.limit, arrays=False)
        tray = Tray((*outer, *slots))
        inner = follow(Relation(tray, relation.row.replaced({slot.name: slot for slot in slots}), self.space))
        given = {slot.name: slot for slot in inner.row.slots}
        kept = [given.pop(slot.name, slot) for slot in outer]
        node = Apply(relation.node(), outer, arrays, expand, tray, inner.node(), frozenset(inner.row.slots))
        return relation.moved(node, Row([*kept, *given.values()]))

    def expanded(
        self, relation: Relation, tree: MvExpand | MvApply, lets: Lets
    ) -> tuple[list[Bound], tuple[Slot, ...]]:
        """Bind the arrays that are expanded, and the columns that their items become, an index among them."""
        bounds = [self.scalars.bind(column.expression, relation.row, lets) for column in tree.columns]
        slots: list[Slot] = []
        unnamed = 0
        for column, bound in zip(tree.columns, bounds, strict=True):
            if bound.type is not Type.DYNAMIC:
                raise self.scalars.refusal(f"A dynamic is expected here, not a {bound.type}.", bound.at)
            if column.type not in expansion.READERS and column.type is not None:
                raise self.scalars.refusal(f"An expansion to a {column.type} is not supported.", column.at)
            name = column.name or bound.name
            if not name:
                unnamed += 1
                name = numbered("Column", unnamed, set(relation.row.names))
            if name in {slot.name for slot in slots}:
                raise self.scalars.refusal("An expanded column needs a name of its own.", column.at)
            slots.append(Slot(name, column.type or Type.DYNAMIC))
        if tree.index_column:
            slots.append(Slot(tree.index_column, Type.LONG))
        return bounds, tuple(slots)


def _expander(
    tree: MvExpand | MvApply, count: int, slots: tuple[Slot, ...], limit: int, *, arrays: bool
) -> Callable[..., list[tuple[Value, ...]]]:
    readers = tuple(expansion.READERS[slot.type] for slot in slots[:count])
    return expansion.expander(readers, limit=limit, index=bool(tree.index_column), arrays=arrays)


def _is_column(bound: Bound) -> bool:
    """Tell whether an expression is nothing but a column."""
    return len(bound.slots) == 1 and bound.text == next(iter(bound.slots)).variable


def numbered(stem: str, number: int, taken: set[str]) -> str:
    """Return `stem` with the first number from `number` on that makes a name which is not taken."""
    while f"{stem}{number}" in taken:
        number += 1
    return f"{stem}{number}"


def _ordered(slots: list[Slot], order: str) -> list[Slot]:
    if not order:
        return slots
    return sorted(slots, key=lambda slot: slot.name, reverse=order == "desc")
