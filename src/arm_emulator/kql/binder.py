"""Binds scalar expressions: gives each its type, and Python text that computes it.

Refuses what Kusto refuses: names that are not there, operators on types that do not fit, functions that do not exist.
Must not bind tabular operators; a sub-query inside an expression goes to the query binder through `SubQueries`.

Source: operand types as Microsoft's own language service (`@kusto/language-service-next`) binds them, made stricter
where the service itself is known to ask for a cast (`==` between dynamics, or between a string and a number), and
looser where published queries of Resource Graph show that it converts: a dynamic beside a datetime, a timespan or a
bool is read as one in every comparison (`properties.lastModifiedDateTime > ago(7d)`).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from arm_emulator.kql import arithmetic, binder_lists, binder_strings, functions, values
from arm_emulator.kql.code import ABSENT, Bound, Namespace
from arm_emulator.kql.conversions import FROM_DYNAMIC, applied, composed, constant, convert, to_dynamic, to_text
from arm_emulator.kql.datetimes import from_datetime
from arm_emulator.kql.errors import Code, KqlError
from arm_emulator.kql.lexer import Token
from arm_emulator.kql.regexes import BadPatternError
from arm_emulator.kql.scopes import EMPTY_ROW, TABLES, Lets, Named, Row
from arm_emulator.kql.syntax import (
    Among,
    Between,
    Binary,
    Call,
    Expression,
    Index,
    Labeled,
    Lambda,
    Literal,
    Member,
    Name,
    Query,
    Scalar,
    Source,
    Star,
    Unary,
)
from arm_emulator.kql.types import INTEGERS, NUMBERS, TIMES, WIDE_NUMBERS, Type

_strict = arithmetic.shared_strict
_RELATIONS = {
    "<": (values.less, False),
    ">": (values.less, True),
    "<=": (values.at_most, False),
    ">=": (values.at_most, True),
}
_TABLES = {Type.REAL: arithmetic.REAL, Type.DECIMAL: arithmetic.DECIMAL}
_ZEROS: dict[Type, values.Value] = {Type.REAL: 0.0, Type.DECIMAL: Decimal(0)}
_TIME_RESULTS = {
    ("+", Type.DATETIME, Type.TIMESPAN): Type.DATETIME, ("+", Type.TIMESPAN, Type.DATETIME): Type.DATETIME,
    ("-", Type.DATETIME, Type.TIMESPAN): Type.DATETIME, ("-", Type.DATETIME, Type.DATETIME): Type.TIMESPAN,
    ("+", Type.TIMESPAN, Type.TIMESPAN): Type.TIMESPAN, ("-", Type.TIMESPAN, Type.TIMESPAN): Type.TIMESPAN,
    ("/", Type.TIMESPAN, Type.TIMESPAN): Type.REAL, ("%", Type.TIMESPAN, Type.TIMESPAN): Type.TIMESPAN,
    ("%", Type.DATETIME, Type.TIMESPAN): Type.TIMESPAN,
}  # fmt: skip


class SubQueries(Protocol):
    """What an expression needs from the query binder."""

    def scalar(self, query: Query, lets: Lets, at: Token) -> Bound:
        """Bind `toscalar(query)`."""

    def members(self, query: Query, lets: Lets, at: Token) -> Bound:
        """Bind a query in a list to a late constant: the set of its only column's values."""


AggregateHook = Callable[[Call], "Bound | None"]


class Binder:
    """Binds expressions of one query; `now` is the one moment that the whole query sees."""

    def __init__(self, space: Namespace, now: datetime, queries: SubQueries) -> None:
        self.space = space
        self.now = from_datetime(now)
        self.operator = ""
        self._queries = queries

    def refusal(self, message: str, at: Token, code: Code = Code.SEMANTICS) -> KqlError:
        """Return the refusal of the query at a token."""
        return KqlError(message, code, at.line, at.position, at.text)

    def unresolved(self, name: str) -> str:
        """Return Resource Graph's words for a name that is nothing here."""
        place = f"'{self.operator}' operator: " if self.operator else ""
        return f"{place}Failed to resolve scalar expression named '{name}'"

    def bind(self, tree: Expression, row: Row, lets: Lets, hook: AggregateHook | None = None) -> Bound:
        """Bind one expression against the columns of `row` and the names of `lets`.

        `hook` is asked first about every call; summarize uses it to take the aggregates out.
        """
        return _Visit(self, row, lets, hook).bind(tree)

    def bool_text(self, bound: Bound) -> str:
        """Return text that is truthy where a condition is true; refuse what is no bool."""
        if bound.type is not Type.BOOL:
            raise self.refusal(f"A bool is expected here, not a {bound.type}.", bound.at)
        return bound.condition

    def constant_of(self, bound: Bound, what: str) -> values.Value:
        """Return the value of an expression that must be known beforehand."""
        if bound.constant is ABSENT:
            raise self.refusal(f"{what} must be a constant.", bound.at)
        return bound.constant

    def call(self, tree: Call, function: Named, arguments: list[Bound]) -> Bound:
        """Bind the call of a let function that gives a scalar, its arguments put in place of its parameters."""
        body = function.tree
        if not isinstance(body, Lambda) or isinstance(body.body, Query):
            raise self.refusal(f"'{tree.name}' gives a table where a value is expected.", tree.at)
        inner = self.scope_of_call(tree.at, body, function.lets, arguments)
        return self.bind(body.body, EMPTY_ROW, inner).named("")

    def scope_of_call(self, at: Token, body: Lambda, lets: Lets, arguments: list[Bound]) -> Lets:
        """Return the names that a let function's body sees in one call."""
        missing = body.parameters[len(arguments) :]
        if len(arguments) > len(body.parameters) or any(parameter.default is None for parameter in missing):
            raise self.refusal(f"The function takes {len(body.parameters)} arguments, not {len(arguments)}.", at)
        defaults = [parameter.default for parameter in missing if parameter.default is not None]
        arguments = [*arguments, *(self.bind(default, EMPTY_ROW, lets) for default in defaults)]
        for parameter, argument in zip(body.parameters, arguments, strict=True):
            if not functions.accepts(parameter.type, argument.type):
                raise self.refusal(f"The argument must be a {parameter.type}, not a {argument.type}.", argument.at)
            lets = lets.with_name(parameter.name, convert(self.space, argument, parameter.type))
        for let in body.lets:
            lets = self.let(let.name, let.value, lets)
        return lets

    def let(self, name: str, value: Expression | Query | Lambda, lets: Lets) -> Lets:
        """Return `lets` with one more name."""
        if isinstance(value, Query | Lambda):
            return lets.with_name(name, Named(value, lets))
        if isinstance(value, Name) and isinstance(known := lets.names.get(value.name), Named):
            return lets.with_name(name, known)
        return lets.with_name(name, self.bind(value, EMPTY_ROW, lets).named(""))

    def sub_query(self, tree: Scalar, lets: Lets) -> Bound:
        """Bind `toscalar(...)`."""
        return self._queries.scalar(tree.query, lets, tree.at)

    def sub_members(self, tree: Query, lets: Lets) -> Bound:
        """Bind a query that stands in a list."""
        return self._queries.members(tree, lets, tree.at)


class _Visit:
    """One walk over an expression."""

    def __init__(self, binder: Binder, row: Row, lets: Lets, hook: AggregateHook | None) -> None:
        self._binder = binder
        self._space = binder.space
        self._row = row
        self._lets = lets
        self._hook = hook

    def bind(self, tree: Expression) -> Bound:
        match tree:
            case Literal() | Name() | Labeled() | Scalar():
                return self._plain(tree)
            case Member() | Index():
                return self._access(tree)
            case Call():
                return self._call(tree)
            case Unary():
                return self._unary(tree)
            case Binary():
                return self._binary(tree)
            case Among():
                return self._among(tree)
            case Between():
                return self._between(tree)
        raise self._binder.refusal("'*' is not allowed here.", tree.at, Code.PARSER)

    def _plain(self, tree: Literal | Name | Labeled | Scalar) -> Bound:
        match tree:
            case Literal():
                return self._literal(tree)
            case Name():
                return self._name(tree)
            case Labeled():
                return self.bind(tree.value).named(tree.name)
        return self._binder.sub_query(tree, self._lets)

    def _literal(self, tree: Literal) -> Bound:
        value = "" if tree.value is None and tree.type is Type.STRING else tree.value
        return Bound(tree.type, self._space.constant(value), tree.at, nullable=value is None, constant=value)

    def _name(self, tree: Name) -> Bound:
        if slot := self._row.find(tree.name):
            nullable = slot.type is not Type.STRING
            return Bound(slot.type, slot.variable, tree.at, frozenset({slot}), nullable=nullable, name=tree.name)
        known = self._lets.names.get(tree.name)
        if isinstance(known, Bound):
            return replace(known, at=tree.at, name=tree.name)
        raise self._binder.refusal(self._binder.unresolved(tree.name), tree.at, Code.ENTITY)

    def _access(self, tree: Member | Index) -> Bound:
        """Bind a path; names in a row are followed by one reader."""
        keys: list[str] = []
        base: Expression = tree
        while isinstance(base, Member):
            keys.insert(0, base.key)
            base = base.base
        subject = self._indexed(base) if isinstance(base, Index) else self.bind(base)
        if subject.type is not Type.DYNAMIC:
            raise self._binder.refusal(f"A property of a {subject.type} cannot be read; it must be a dynamic.", tree.at)
        if not keys:
            return subject
        reader = values.path_reader(tuple(keys))
        name = "_".join([subject.name, *keys] if subject.name else keys)
        return applied(self._space, reader, Type.DYNAMIC, subject).named(name)

    def _indexed(self, tree: Index) -> Bound:
        base, index = self.bind(tree.base), self.bind(tree.index)
        if base.type is not Type.DYNAMIC:
            raise self._binder.refusal(f"An item of a {base.type} cannot be read; it must be a dynamic.", tree.at)
        if index.type not in INTEGERS | {Type.STRING, Type.DYNAMIC}:
            raise self._binder.refusal(f"An index must be a number or a string, not a {index.type}.", index.at)
        written = isinstance(tree.index, Literal) and not tree.index.at.text.startswith("-")
        name = f"{base.name}{'_' if base.name else ''}{index.constant if written else ''}"
        return applied(self._space, values.item_of, Type.DYNAMIC, base, index).named(name)

    def _call(self, tree: Call) -> Bound:
        if self._hook and (found := self._hook(tree)):
            return found
        known = self._lets.names.get(tree.name)
        if isinstance(known, Named):
            return self._binder.call(tree, known, [self.bind(argument) for argument in tree.arguments])
        if tree.name in ROW_FUNCTIONS:
            return ROW_FUNCTIONS[tree.name](self, tree)
        function = functions.REGISTRY.get(tree.name)
        if function is None:
            raise self._binder.refusal(f"Unknown function: '{tree.name}'.", tree.at, Code.FUNCTION)
        arguments = [self.bind(argument) for argument in tree.arguments]
        site = functions.Site(self._space, tree.at, tree.name, self._binder.now)
        try:
            return function(site, arguments)
        except BadPatternError as error:
            raise self._binder.refusal(f"The regular expression is not valid: {error}.", tree.at) from error

    def column_if_exists(self, tree: Call) -> Bound:
        """Bind `column_ifexists('name', default)`: the column, or where there is none the default."""
        arguments = [self.bind(argument) for argument in tree.arguments]
        if len(arguments) != 2:
            raise self._binder.refusal(f"{tree.name}() takes a name and a default.", tree.at)
        name = self._binder.constant_of(arguments[0], "The name of a column")
        found = self._row.find(str(name))
        if found is None:
            return arguments[1].named("")
        column = self._name(Name(tree.at, found.name))
        if column.type is not Type.DYNAMIC:
            return column
        return convert(self._space, column, arguments[1].type).named(column.name)

    def is_column(self, tree: Call) -> Bound:
        """Bind `iscolumnexists('name')`."""
        bounds = [self.bind(argument) for argument in tree.arguments]
        if len(bounds) != 1:
            raise self._binder.refusal(f"{tree.name}() takes a name.", tree.at)
        name = self._binder.constant_of(bounds[0], "The name of a column")
        return constant(self._space, Type.BOOL, self._row.find(str(name)) is not None, bounds[0]).named("")

    def pack_all(self, tree: Call) -> Bound:
        """Bind the one function that reads the whole row; with `true` it leaves nulls and empty texts out."""
        arguments = [self.bind(argument) for argument in tree.arguments]
        skips = [self._binder.constant_of(argument, "The argument of pack_all()") for argument in arguments]
        if len(skips) > 1 or any(not isinstance(skip, bool) for skip in skips):
            raise self._binder.refusal("pack_all() takes one bool at most.", tree.at)
        columns = tuple(to_dynamic(self._space, self._name(Name(tree.at, name))) for name in self._row.names)
        names, skip = self._row.names, skips == [True]

        def pack(*found: values.Value) -> values.Value:
            pairs = zip(names, found, strict=True)
            return {name: value for name, value in pairs if not (skip and (value is None or value == ""))}

        if not columns:
            raise self._binder.refusal("pack_all() needs a row.", tree.at)
        return applied(self._space, pack, Type.DYNAMIC, *columns)

    def _unary(self, tree: Unary) -> Bound:
        operand = self.bind(tree.operand)
        if operand.type is Type.DYNAMIC:
            zero = constant(self._space, Type.DYNAMIC, 0, operand)
            return applied(self._space, arithmetic.DYNAMIC[tree.operator], Type.DYNAMIC, zero, operand)
        if operand.type not in WIDE_NUMBERS | {Type.TIMESPAN}:
            raise self._binder.refusal(f"The operator '{tree.operator}' is not defined for a {operand.type}.", tree.at)
        kind = Type.LONG if operand.type is Type.INT else operand.type
        if tree.operator == "+":
            return replace(operand, type=kind, name="")
        zero = constant(self._space, kind, _ZEROS.get(kind, 0), operand)
        return applied(self._space, _strict(_TABLES.get(kind, arithmetic.LONG)["-"]), kind, zero, operand)

    def _binary(self, tree: Binary) -> Bound:
        operator = tree.operator
        if operator in {"and", "or"}:
            return self._logic(tree.at, operator, [self.bind(part) for part in chain(tree)])
        if isinstance(tree.left, Star) and operator not in _RELATIONS | arithmetic.LONG:
            return self._in_any_column(tree)
        left, right = self.bind(tree.left), self.bind(tree.right)
        if operator in {"==", "!="}:
            return self._equality(tree, left, right)
        if operator in _RELATIONS:
            return self._relation(tree, left, right)
        if operator in {"+", "-", "*", "/", "%"}:
            return self._arithmetic(tree, left, right)
        return self._string(tree, left, right)

    def _in_any_column(self, tree: Binary) -> Bound:
        """Bind `* has 'text'`: the comparison of any column, numbers and times being read as texts."""
        found = [
            self._binary(Binary(tree.at, tree.operator, Call(tree.at, "tostring", (Name(tree.at, name),)), tree.right))
            for name in self._row.names
        ]
        return self._logic(tree.at, "or", found) if len(found) > 1 else found[0]

    def _mismatch(self, tree: Binary | Between, *kinds: Type) -> KqlError:
        words = " and ".join(str(kind) for kind in kinds)
        return self._binder.refusal(f"The operator '{tree.operator}' is not defined for {words}.", tree.at)

    def _logic(self, at: Token, operator: str, parts: list[Bound]) -> Bound:
        """Bind a whole chain of `and`s or of `or`s at once, so that a long one does not nest."""
        bools = [convert(self._space, part, Type.BOOL) if part.type is Type.DYNAMIC else part for part in parts]
        for part in bools:
            if part.type is not Type.BOOL:
                message = f"The operator '{operator}' is not defined for a {part.type}."
                raise self._binder.refusal(message, at)
        truth = f"({f' {operator} '.join(part.condition for part in bools)})"
        if not any(part.nullable for part in bools):
            return replace(composed(self._space, Type.BOOL, truth, tuple(bools), nullable=False), truth=truth)
        helper = values.every if operator == "and" else values.some
        return replace(applied(self._space, helper, Type.BOOL, *bools), truth=truth)

    def _aligned(self, left: Bound, right: Bound) -> tuple[Bound, Bound] | None:
        """Bring both sides of a comparison to one type, or return None where Kusto asks for a cast."""
        if left.type is Type.DYNAMIC and right.type is not Type.DYNAMIC:
            return self._from_dynamic(left, right.type), right
        if right.type is Type.DYNAMIC and left.type is not Type.DYNAMIC:
            return left, self._from_dynamic(right, left.type)
        if left.type is right.type:
            return None if left.type is Type.DYNAMIC else (left, right)
        if left.type is Type.STRING and left.is_constant:
            return self._read_literal(left, right.type), right
        if right.type is Type.STRING and right.is_constant:
            return left, self._read_literal(right, left.type)
        if Type.DECIMAL in {left.type, right.type} and {left.type, right.type} <= WIDE_NUMBERS:
            return convert(self._space, left, Type.DECIMAL), convert(self._space, right, Type.DECIMAL)
        comparable = WIDE_NUMBERS | {Type.BOOL}
        return (left, right) if left.type in comparable and right.type in comparable else None

    def _read_literal(self, bound: Bound, kind: Type) -> Bound:
        """Read a constant text beside a datetime, a timespan or a guid as one of those, as Kusto does."""
        if kind not in TIMES | {Type.GUID}:
            raise self._binder.refusal(f"A {kind} cannot be compared with a string.", bound.at)
        read = applied(self._space, FROM_DYNAMIC[kind], kind, bound)
        if read.constant is None:
            raise self._binder.refusal(f"This text is not a {kind}.", bound.at)
        return read

    def _from_dynamic(self, bound: Bound, kind: Type) -> Bound:
        """Read a dynamic as the other side's type; a number keeps its fraction beside an integer."""
        return convert(self._space, bound, Type.REAL if kind in NUMBERS and not bound.is_constant else kind)

    def _equality(self, tree: Binary, left: Bound, right: Bound) -> Bound:
        sides = self._aligned(left, right)
        if sides is None:
            raise self._mismatch(tree, left.type, right.type)
        left, right = sides
        text = f"({left.text} {tree.operator} {right.text})"
        if not (left.nullable and right.nullable):
            return composed(self._space, Type.BOOL, text, sides, nullable=False)
        helper = values.equal if tree.operator == "==" else values.unequal
        return applied(self._space, helper, Type.BOOL, left, right)

    def _relation(self, tree: Binary, left: Bound, right: Bound) -> Bound:
        ordered = WIDE_NUMBERS | TIMES | {Type.BOOL, Type.DYNAMIC}
        sides = self._aligned(left, right)
        if sides is None or left.type not in ordered or right.type not in ordered:
            raise self._mismatch(tree, left.type, right.type)
        left, right = sides
        if not (left.nullable or right.nullable):
            return composed(
                self._space, Type.BOOL, f"({left.text} {tree.operator} {right.text})", sides, nullable=False
            )
        helper, swapped = _RELATIONS[tree.operator]
        return applied(self._space, helper, Type.BOOL, *((right, left) if swapped else (left, right)))

    def _arithmetic(self, tree: Binary, left: Bound, right: Bound) -> Bound:
        if left.type is right.type is Type.DYNAMIC:
            return applied(self._space, arithmetic.DYNAMIC[tree.operator], Type.DYNAMIC, left, right)
        if Type.DYNAMIC in {left.type, right.type}:
            left, right = self._numbers(tree, left, right)
        kinds = (left.type, right.type)
        if set(kinds) <= NUMBERS:
            kind = Type.LONG if set(kinds) <= INTEGERS else Type.REAL
            function = _TABLES.get(kind, arithmetic.LONG)[tree.operator]
            return applied(self._space, _strict(function), kind, left, right)
        if set(kinds) <= WIDE_NUMBERS:
            sides = [convert(self._space, side, Type.DECIMAL) for side in (left, right)]
            return applied(self._space, _strict(arithmetic.DECIMAL[tree.operator]), Type.DECIMAL, *sides)
        if result := _TIME_RESULTS.get((tree.operator, *kinds)):
            return self._times(tree.operator, result, left, right)
        if (
            tree.operator == "*"
            and Type.TIMESPAN in kinds
            and set(kinds) <= WIDE_NUMBERS | {Type.TIMESPAN}
            and len(set(kinds)) > 1
        ):
            return applied(self._space, _strict(arithmetic.scale_ticks), Type.TIMESPAN, left, right)
        if tree.operator == "/" and left.type is Type.TIMESPAN and right.type in WIDE_NUMBERS:
            return applied(self._space, _strict(arithmetic.shrink_ticks), Type.TIMESPAN, left, right)
        raise self._mismatch(tree, *kinds)

    def _numbers(self, tree: Binary, left: Bound, right: Bound) -> tuple[Bound, Bound]:
        """Read a dynamic operand as what the other side asks for: a number, a moment to subtract, or a span to add."""
        other = right.type if left.type is Type.DYNAMIC else left.type
        if other not in WIDE_NUMBERS | TIMES or (other in TIMES and tree.operator not in "+-"):
            raise self._mismatch(tree, left.type, right.type)
        if other is Type.DATETIME and tree.operator == "+":
            other = Type.TIMESPAN
        if left.type is Type.DYNAMIC:
            return convert(self._space, left, other), right
        return left, convert(self._space, right, other)

    def _times(self, operator: str, result: Type, left: Bound, right: Bound) -> Bound:
        table = arithmetic.REAL if result is Type.REAL else arithmetic.LONG
        bound = applied(self._space, _strict(table[operator]), result, left, right)
        return (
            applied(self._space, _strict(arithmetic.in_calendar), result, bound) if result is Type.DATETIME else bound
        )

    def _string(self, tree: Binary, left: Bound, right: Bound) -> Bound:
        texts = {Type.STRING, Type.DYNAMIC}
        if left.type not in texts or right.type not in texts:
            raise self._mismatch(tree, left.type, right.type)
        if tree.operator != "matches regex":
            return binder_strings.string_operation(self._space, tree.operator, left, right, tree.at)
        pattern = to_text(self._space, right)
        if not pattern.is_constant:
            return applied(self._space, binder_strings.matches, Type.BOOL, to_text(self._space, left), pattern)
        try:
            return binder_strings.regex_operation(self._space, left, pattern, str(pattern.constant))
        except BadPatternError as error:
            raise self._binder.refusal(f"The regular expression is not valid: {error}.", right.at) from error

    def _between(self, tree: Between) -> Bound:
        subject, low, high = self.bind(tree.subject), self.bind(tree.low), self.bind(tree.high)
        is_moment = subject.type in {Type.DATETIME, Type.DYNAMIC}
        if is_moment and high.type is Type.TIMESPAN and low.type is Type.DATETIME:
            high = self._times("+", Type.DATETIME, low, high)
        lower = self._relation(Binary(tree.at, ">=", tree.subject, tree.low), subject, low)
        upper = self._relation(Binary(tree.at, "<=", tree.subject, tree.high), subject, high)
        inside = self._logic(tree.at, "and", [lower, upper])
        if tree.operator == "between":
            return inside
        return applied(self._space, values.negate, Type.BOOL, inside)

    def _among(self, tree: Among) -> Bound:
        left = self.bind(tree.left)
        return binder_lists.membership(
            self._binder.space, self._binder.refusal, tree, left, [self._list_item(item) for item in tree.items]
        )

    def _list_item(self, item: Expression | Query) -> Bound:
        """Bind one item of a list; the bare name of a table or of a let query is that query."""
        if isinstance(item, Name) and self._row.find(item.name) is None:
            known = self._lets.names.get(item.name)
            if isinstance(known, Named) or (known is None and item.name.lower() in TABLES):
                item = Query(item.at, Source(item.at, item.name), ())
        if isinstance(item, Query):
            return self._binder.sub_members(item, self._lets)
        return self.bind(item)


ROW_FUNCTIONS: dict[str, Callable[[_Visit, Call], Bound]] = {
    "pack_all": _Visit.pack_all,
    "column_ifexists": _Visit.column_if_exists,
    "columnifexists": _Visit.column_if_exists,
    "iscolumnexists": _Visit.is_column,
}
"""The functions that see the whole row."""


def chain(tree: Binary) -> list[Expression]:
    """Return the parts of a chain of one operator, from left to right."""
    parts = [tree.right]
    left = tree.left
    while isinstance(left, Binary) and left.operator == tree.operator:
        parts.append(left.right)
        left = left.left
    parts.append(left)
    return parts[::-1]
