"""The aggregates of summarize: their types, the names of their columns, and how a group's rows become a value.

Each works on the whole list of its argument tuples. Null is left out of everything but `count()`,
`make_list_with_nulls` and the other columns of `arg_max`; the empty string is a value.

Source: Kusto documentation of each aggregate; names of columns as Microsoft's language service gives them.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from operator import and_, or_, xor
from typing import TYPE_CHECKING

from arm_emulator.kql.arithmetic import divide_long
from arm_emulator.kql.code import Bound
from arm_emulator.kql.conversions import TO_DYNAMIC, convert, to_dynamic
from arm_emulator.kql.errors import KqlError
from arm_emulator.kql.syntax import Call
from arm_emulator.kql.types import INTEGERS, TIMES, WIDE_NUMBERS, Type
from arm_emulator.kql.values import DECIMALS, Value, finite, json_text, wrap_long

if TYPE_CHECKING:
    from arm_emulator.kql.binder import Binder

Group = list[tuple[Value, ...]]
Reducer = Callable[[Group], Value]
_LARGEST_LIST = 1_048_576


@dataclass(frozen=True, slots=True)
class One:
    """A bound aggregate of one column."""

    name: str
    type: Type
    arguments: list[Bound]
    function: Reducer
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Site:
    """Where an aggregate is called."""

    binder: "Binder"
    tree: Call

    def refusal(self, message: str) -> KqlError:
        """Return the refusal of the query at the call."""
        return self.binder.refusal(f"{self.tree.name}(): {message}", self.tree.at)

    def count(self, bounds: list[Bound], least: int, most: int) -> None:
        """Refuse a number of arguments outside `least` to `most`."""
        if not least <= len(bounds) <= most:
            raise self.refusal(f"the number of arguments, {len(bounds)}, does not fit.")

    def condition(self, bound: Bound) -> Bound:
        """Return a condition as a column that is true or not, nulls being not."""
        if bound.type is not Type.BOOL:
            raise self.refusal(f"a bool is expected, not a {bound.type}.")
        return Bound(
            Type.BOOL, f"(True if {bound.condition} else False)", bound.at, bound.slots, nullable=False, late=bound.late
        )

    def names(self, stem: str, bound: Bound) -> str:
        """Return `sum_x` for an argument with a name and `sum_` for one without."""
        return f"{stem}_{bound.name}"


Maker = Callable[[Site, list[Bound]], One]
ONE: dict[str, Maker] = {}


def _one(*names: str) -> Callable[[Maker], Maker]:
    def add(maker: Maker) -> Maker:
        for name in names:
            ONE[name] = maker
        return maker

    return add


def present(rows: Group) -> list[Value]:
    """Return the first argument of each row, nulls left out."""
    return [row[0] for row in rows if row[0] is not None]


@_one("count")
def _count(site: Site, bounds: list[Bound]) -> One:
    """Count rows; an argument, which a documented sample of Resource Graph gives, changes nothing."""
    site.count(bounds, 0, 1)
    return One("count_", Type.LONG, [], len, nullable=False)


@_one("countif")
def _countif(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 1, 1)
    condition = site.condition(bounds[0])
    return One(
        site.names("countif", bounds[0]),
        Type.LONG,
        [condition],
        lambda rows: sum(row[0] for row in rows),
        nullable=False,
    )


def _distinct(rows: Group) -> int:
    return len({_hashable(value) for value in present(rows)})


def _hashable(value: Value) -> Value:
    if isinstance(value, dict | list):
        return ("json", json_text(value))
    return (value.__class__ is bool, value)


def _filtered(rows: Group) -> Group:
    return [row for row in rows if row[-1]]


def _with_condition(name: str, plain: str, reducer: Callable[[Site, list[Bound]], One]) -> None:
    """Register `name`: the aggregate `plain` over the rows where its last argument is true."""

    def make(site: Site, bounds: list[Bound]) -> One:
        least = 2
        if len(bounds) < least:
            raise site.refusal("a condition is expected as the last argument.")
        position = 1
        condition = site.condition(bounds[position])
        made = reducer(site, [bounds[0], *bounds[position + 1 :]])
        function = made.function
        stem = made.name.removeprefix(plain) if made.name.startswith(plain) else f"_{made.name}"
        return One(
            name + stem if plain else made.name,
            made.type,
            [*made.arguments, condition],
            lambda rows: function([row[:-1] for row in _filtered(rows)]),
            nullable=made.nullable,
        )

    ONE[name] = make


@_one("dcount", "count_distinct")
def _dcount(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 1, 2)
    if bounds[0].type is Type.DYNAMIC and site.tree.name.startswith("count"):
        raise site.refusal("a dynamic cannot be counted; convert it.")
    return One(
        site.names(site.tree.name.removesuffix("if"), bounds[0]), Type.LONG, [bounds[0]], _distinct, nullable=False
    )


def _summable(site: Site, bound: Bound, *, times: bool) -> Type:
    if bound.type not in (WIDE_NUMBERS | TIMES if times else WIDE_NUMBERS):
        raise site.refusal(f"a number is expected, not a {bound.type}.")
    return Type.LONG if bound.type in INTEGERS else bound.type


def _sum_of(kind: Type) -> Reducer:
    if kind is Type.REAL:
        return lambda rows: float(sum(present(rows)))
    if kind is Type.DECIMAL:
        return lambda rows: finite(_added(present(rows)))
    return lambda rows: wrap_long(sum(present(rows)))


@_one("sum")
def _sum(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 1, 1)
    kind = _summable(site, bounds[0], times=True)
    if kind is Type.DATETIME:
        raise site.refusal("datetimes cannot be added up.")
    return One(site.names("sum", bounds[0]), kind, [bounds[0]], _sum_of(kind), nullable=False)


def _total(found: list[Value]) -> float:
    """Add up as exactly as reals allow; too large a sum is an infinity."""
    try:
        return math.fsum(found)
    except (OverflowError, ValueError):
        return float(sum(float(value) for value in found))


def _mean(rows: Group) -> float | None:
    found = present(rows)
    return _total(found) / len(found) if found else math.nan


def _mean_ticks(rows: Group) -> int | None:
    found = present(rows)
    return divide_long(sum(found), len(found)) if found else None


def _mean_decimal(rows: Group) -> Decimal | None:
    found = present(rows)
    return finite(DECIMALS.divide(_added(found), Decimal(len(found)))) if found else None


def _added(found: list[Value]) -> Decimal:
    return reduce(DECIMALS.add, found, Decimal(0))


@_one("avg")
def _avg(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 1, 1)
    kind = _summable(site, bounds[0], times=True)
    mean = _mean_ticks if kind in TIMES else _mean_decimal if kind is Type.DECIMAL else _mean
    return One(site.names("avg", bounds[0]), Type.REAL if mean is _mean else kind, [bounds[0]], mean)


def _extreme(pick: Callable[[list[Value]], Value]) -> Callable[[Site, list[Bound]], One]:
    def make(site: Site, bounds: list[Bound]) -> One:
        site.count(bounds, 1, 1)
        kind = bounds[0].type
        if kind is Type.DYNAMIC or kind is Type.GUID:
            raise site.refusal(f"a value that has an order is expected, not a {kind}.")
        blank = "" if kind is Type.STRING else None

        def reduce(rows: Group) -> Value:
            found = present(rows)
            return pick(found) if found else blank

        return One(site.names(site.tree.name.removesuffix("if"), bounds[0]), kind, [bounds[0]], reduce)

    return make


ONE["min"] = _extreme(min)
ONE["max"] = _extreme(max)


def _spread(sample: int, *, root: bool) -> Callable[[Site, list[Bound]], One]:
    def make(site: Site, bounds: list[Bound]) -> One:
        site.count(bounds, 1, 1)
        _summable(site, bounds[0], times=False)

        def reduce(rows: Group) -> float:
            found = [float(value) for value in present(rows)]
            if len(found) <= sample:
                return math.nan if not found else 0.0
            mean = _total(found) / len(found)
            variance = _total([(value - mean) * (value - mean) for value in found]) / (len(found) - sample)
            return math.sqrt(variance) if root else variance

        return One(site.names(site.tree.name.removesuffix("if"), bounds[0]), Type.REAL, [bounds[0]], reduce)

    return make


ONE["stdev"] = _spread(1, root=True)
ONE["stdevp"] = _spread(0, root=True)
ONE["variance"] = _spread(1, root=False)
ONE["variancep"] = _spread(0, root=False)


def _limit(site: Site, bounds: list[Bound]) -> int:
    if len(bounds) < 2:
        return _LARGEST_LIST
    value = site.binder.constant_of(bounds[1], "The largest size")
    if bounds[1].type not in INTEGERS or not isinstance(value, int) or value < 0:
        raise site.refusal("the largest size must be an integer that is not negative.")
    return value


def _as_dynamic(site: Site, bound: Bound) -> Bound:
    dynamic = to_dynamic(site.binder.space, bound)
    return Bound(dynamic.type, dynamic.text, bound.at, dynamic.slots, name=bound.name, late=dynamic.late)


@_one("make_list", "makelist")
def _make_list(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 1, 2)
    limit = _limit(site, bounds)
    argument = _as_dynamic(site, bounds[0])
    return One(site.names("list", bounds[0]), Type.DYNAMIC, [argument], lambda rows: present(rows)[:limit])


@_one("make_list_with_nulls")
def _make_list_with_nulls(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 1, 1)
    argument = _as_dynamic(site, bounds[0])
    return One(site.names("list", bounds[0]), Type.DYNAMIC, [argument], lambda rows: [row[0] for row in rows])


def _different(found: Iterable[Value]) -> list[Value]:
    first: dict[Value, Value] = {}
    for value in found:
        first.setdefault(_hashable(value), value)
    return list(first.values())


@_one("make_set", "makeset")
def _make_set(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 1, 2)
    limit = _limit(site, bounds)
    argument = _as_dynamic(site, bounds[0])

    def reduce(rows: Group) -> list[Value]:
        found: list[Value] = []
        for value in present(rows):
            found.extend([each for each in value if each is not None] if isinstance(value, list) else [value])
        return _different(found)[:limit]

    return One(site.names("set", bounds[0]), Type.DYNAMIC, [argument], reduce)


@_one("make_bag", "make_dictionary")
def _make_bag(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 1, 2)
    limit = _limit(site, bounds)
    if bounds[0].type is not Type.DYNAMIC:
        raise site.refusal(f"a dynamic is expected, not a {bounds[0].type}.")

    def reduce(rows: Group) -> dict[str, Value]:
        bag: dict[str, Value] = {}
        for value in present(rows):
            if isinstance(value, dict):
                for key, item in value.items():
                    if key not in bag and len(bag) < limit:
                        bag[key] = item
        return bag

    stem = "dictionary" if site.tree.name == "make_dictionary" else "bag"
    return One(site.names(stem, bounds[0]), Type.DYNAMIC, [bounds[0]], reduce)


def _schema(value: Value) -> Value:
    """Return what a value looks like: a type's name, a bag of schemas, or the schema of an array's items."""
    if isinstance(value, dict):
        return {key: _schema(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        items = _admitting([_schema(item) for item in value if item is not None])
        return {"`indexer`": items} if items is not None else {}
    return {bool: "bool", int: "long", float: "double"}.get(type(value), "string")


def _admitting(schemas: list[Value]) -> Value:
    """Return the smallest schema that all of `schemas` fit; several kinds side by side are an array of them."""
    bags = [schema for schema in schemas if isinstance(schema, dict)]
    kinds: list[Value] = list(dict.fromkeys(schema for schema in schemas if isinstance(schema, str)))
    if bags:
        keys = dict.fromkeys(key for bag in bags for key in bag)
        kinds.append({key: _admitting(_flat(bag[key] for bag in bags if key in bag)) for key in keys})
    return (kinds[0] if len(kinds) == 1 else kinds) if kinds else None


def _flat(schemas: Iterable[Value]) -> list[Value]:
    return [each for schema in schemas for each in (schema if isinstance(schema, list) else [schema])]


@_one("buildschema")
def _buildschema(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 1, 1)
    if bounds[0].type is not Type.DYNAMIC:
        raise site.refusal(f"a dynamic is expected, not a {bounds[0].type}.")

    def build(rows: Group) -> Value:
        return _admitting([_schema(value) for value in present(rows)])

    return One(site.names("schema", bounds[0]), Type.DYNAMIC, [bounds[0]], build)


def rank_of(found: list[Value], percent: float) -> Value:
    """Return the nearest-rank percentile of sorted values."""
    return found[max(0, math.ceil(percent / 100 * len(found)) - 1)]


def ranked(site: Site, bounds: list[Bound]) -> tuple[Type, list[Bound]]:
    """Return the type of a percentile, and its arguments; of decimals it is a real."""
    kind = _summable(site, bounds[0], times=True)
    if kind is Type.DECIMAL:
        return Type.REAL, [convert(site.binder.space, bounds[0], Type.REAL).named(bounds[0].name), *bounds[1:]]
    return kind, bounds


@_one("percentile")
def _percentile(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 2, 2)
    kind, bounds = ranked(site, bounds)
    percent = percent_of(site, bounds[1])

    def reduce(rows: Group) -> Value:
        found = sorted(present(rows))
        return rank_of(found, percent) if found else None

    return One(f"{site.names('percentile', bounds[0])}_{percent_name(percent)}", kind, [bounds[0]], reduce)


@_one("percentiles_array")
def _percentiles_array(site: Site, bounds: list[Bound]) -> One:
    if len(bounds) < 2:
        raise site.refusal("a percentile is expected.")
    kind, bounds = ranked(site, bounds)
    percents = [percent_of(site, bound) for bound in bounds[1:]]

    def reduce(rows: Group) -> Value:
        found = sorted(present(rows))
        ranks = [rank_of(found, percent) for percent in percents] if found else None
        return [TO_DYNAMIC[kind](rank) if kind in TO_DYNAMIC else rank for rank in ranks] if ranks else None

    return One(site.names("percentiles", bounds[0]), Type.DYNAMIC, [bounds[0]], reduce)


def _combined(combine: Callable[[int, int], int]) -> Callable[[Site, list[Bound]], One]:
    def make(site: Site, bounds: list[Bound]) -> One:
        site.count(bounds, 1, 1)
        if bounds[0].type not in INTEGERS:
            raise site.refusal(f"a whole number is expected, not a {bounds[0].type}.")
        return One(
            bounds[0].name,
            bounds[0].type,
            [bounds[0]],
            lambda rows: reduce(combine, found) if (found := present(rows)) else None,
        )

    return make


ONE["binary_all_and"] = _combined(and_)
ONE["binary_all_or"] = _combined(or_)
ONE["binary_all_xor"] = _combined(xor)


def percent_of(site: Site, bound: Bound) -> float:
    """Return a percentile's number; refuse what is no constant from 0 to 100."""
    value = site.binder.constant_of(bound, "A percentile")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise site.refusal("a percentile must be a number from 0 to 100.")
    return value


def percent_name(percent: float) -> str:
    """Return a percentile's number as the name of a column has it."""
    return str(percent).replace(".", "_")


def _any_value(rows: Group) -> Value:
    for row in rows:
        if row[0] is not None and row[0] != "":
            return row[0]
    return rows[0][0] if rows else None


def _kept(site: Site, bounds: list[Bound]) -> One:
    site.count(bounds, 1, 1)
    blank = "" if bounds[0].type is Type.STRING else None

    def reduce(rows: Group) -> Value:
        found = _any_value(rows)
        return blank if found is None else found

    return One(bounds[0].name, bounds[0].type, [bounds[0]], reduce)


def _named_anew(stem: str, maker: Maker) -> Maker:
    """Return an older spelling of an aggregate, whose column is called after it."""
    return lambda site, bounds: replace(maker(site, bounds), name=site.names(stem, bounds[0]))


for _name, _plain in (
    ("sumif", "sum"), ("avgif", "avg"), ("minif", "min"), ("maxif", "max"), ("dcountif", "dcount"),
    ("count_distinctif", "count_distinct"), ("stdevif", "stdev"), ("varianceif", "variance"),
    ("variancepif", "variancep"),
):  # fmt: skip
    _with_condition(_name, _plain, ONE[_plain])
for _name, _plain in (("make_list_if", "make_list"), ("make_set_if", "make_set"), ("make_bag_if", "make_bag")):
    _with_condition(_name, "", ONE[_plain])
_with_condition("take_anyif", "", _kept)
ONE["anyif"] = _named_anew("anyif", ONE["take_anyif"])
