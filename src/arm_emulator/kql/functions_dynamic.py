"""The functions on arrays and bags.

Registers them; must not be called directly. No value of a row is changed: every result is a new array or bag.

Source: Kusto documentation of each function.
"""

import re
from collections.abc import Callable, Iterable
from itertools import zip_longest

from arm_emulator.kql.code import Bound
from arm_emulator.kql.conversions import TO_DYNAMIC, applied, to_dynamic, to_text
from arm_emulator.kql.datetimes import HOUR
from arm_emulator.kql.functions import Site, check, register, simple
from arm_emulator.kql.types import TIMES, WIDE_NUMBERS, Type
from arm_emulator.kql.values import Value, item_of, json_text, parse_json, text_of


def _same(value: Value) -> Value:
    """Return what tells equal values of a dynamic apart from others."""
    return json_text(value) if isinstance(value, dict | list) else (isinstance(value, bool), value)


def _array(value: Value) -> bool:
    return isinstance(value, list)


simple("array_length arraylength", "dynamic", Type.LONG, lambda value: len(value) if _array(value) else None)
simple("array_reverse", "dynamic", Type.DYNAMIC, lambda value: value[::-1] if _array(value) else None)
simple("bag_keys", "dynamic", Type.DYNAMIC, lambda value: list(value) if isinstance(value, dict) else None)


def _array_sum(value: Value) -> float | None:
    if not _array(value) or any(isinstance(item, bool) or not isinstance(item, int | float) for item in value):
        return None
    return float(sum(value))


simple("array_sum", "dynamic", Type.REAL, _array_sum)


def _array_index_of(value: Value, wanted: Value, start: int = 0) -> int | None:
    if not _array(value):
        return None
    first = max(len(value) + start, 0) if start < 0 else start
    key = _same(wanted)
    return next((at for at in range(first, len(value)) if _same(value[at]) == key), -1)


simple("array_index_of", "dynamic value long?", Type.LONG, _array_index_of)


def _array_slice(value: Value, first: int, last: int) -> Value:
    if not _array(value):
        return None
    start = max(len(value) + first, 0) if first < 0 else first
    end = len(value) + last if last < 0 else last
    return value[start : end + 1] if end >= start else []


simple("array_slice", "dynamic long long", Type.DYNAMIC, _array_slice)


def _joined(*values: Value) -> Value:
    return [item for value in values if _array(value) for item in value]


simple("array_concat", "dynamic dynamic*", Type.DYNAMIC, _joined, nulls=True)


def _sorted(*, descending: bool) -> Callable[[Value], Value]:
    def order(value: Value) -> Value:
        if not _array(value):
            return None
        present = [item for item in value if item is not None]
        kinds = {
            str if isinstance(item, str) else float if isinstance(item, int | float) else object for item in present
        }
        if len(kinds) > 1 or object in kinds:
            return None
        return sorted(present, reverse=descending) + [None] * (len(value) - len(present))

    return order


@register("array_sort_asc", "array_sort_desc")
def _array_sort(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "dynamic", arguments)
    found = applied(site.space, _sorted(descending=site.name == "array_sort_desc"), Type.DYNAMIC, *bounds)
    return found.named(f"{bounds[0].name}_sorted" if bounds[0].name else "")


def _unique(values: Iterable[Value]) -> list[Value]:
    found: dict[Value, Value] = {}
    for value in values:
        found.setdefault(_same(value), value)
    return list(found.values())


def _set_intersect(first: Value, *others: Value) -> Value:
    if not all(_array(value) for value in (first, *others)):
        return None
    keys = [{_same(item) for item in other} for other in others]
    return _unique(item for item in first if all(_same(item) in wanted for wanted in keys))


def _set_difference(first: Value, *others: Value) -> Value:
    if not _array(first):
        return None
    gone = {_same(item) for other in others if _array(other) for item in other}
    return _unique(item for item in first if _same(item) not in gone)


simple("set_union", "dynamic dynamic*", Type.DYNAMIC, lambda *values: _unique(_joined(*values)), nulls=True)
simple("set_intersect", "dynamic dynamic*", Type.DYNAMIC, _set_intersect, nulls=True)
simple("set_difference", "dynamic dynamic*", Type.DYNAMIC, _set_difference, nulls=True)
simple(
    "set_has_element",
    "dynamic value",
    Type.BOOL,
    lambda value, wanted: _same(wanted) in {_same(item) for item in value} if _array(value) else None,
)
simple("bag_has_key", "dynamic string", Type.BOOL, lambda value, key: key in value if isinstance(value, dict) else None)


def _bag_merge(*values: Value) -> Value:
    merged: dict[str, Value] = {}
    for value in values:
        if isinstance(value, dict):
            for key, item in value.items():
                merged.setdefault(key, item)
    return merged


def _bag_remove_keys(value: Value, keys: Value) -> Value:
    if not isinstance(value, dict) or not _array(keys):
        return value
    return {key: item for key, item in value.items() if key not in keys}


def _bag_set_key(value: Value, key: str, item: Value) -> Value:
    return {**value, key: item} if isinstance(value, dict) else None


simple("bag_merge", "dynamic dynamic*", Type.DYNAMIC, _bag_merge, nulls=True)
simple("bag_remove_keys", "dynamic dynamic", Type.DYNAMIC, _bag_remove_keys)
simple("bag_set_key", "dynamic string value", Type.DYNAMIC, _bag_set_key, nulls=True)
simple(
    "zip",
    "dynamic dynamic*",
    Type.DYNAMIC,
    lambda *values: [list(items) for items in zip_longest(*(value if _array(value) else [value] for value in values))],
)


def _pack(*values: Value) -> Value:
    return dict(zip(values[::2], values[1::2], strict=True))


@register("bag_pack", "pack", "pack_dictionary")
def _bag_pack(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "any any any*", arguments)
    if len(bounds) % 2:
        raise site.refusal("keys and values in pairs are expected.")
    for key in bounds[::2]:
        if key.type not in {Type.STRING, Type.DYNAMIC}:
            raise site.refusal(f"a key must be a string, not a {key.type}.", key.at)
    bounds[::2] = [to_text(site.space, key) for key in bounds[::2]]
    return applied(site.space, _pack, Type.DYNAMIC, *(to_dynamic(site.space, bound) for bound in bounds))


@register("pack_array")
def _pack_array(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "any any*", arguments)
    return applied(
        site.space, lambda *values: list(values), Type.DYNAMIC, *(to_dynamic(site.space, bound) for bound in bounds)
    )


def _repeated(value: Value, times: int | None) -> Value:
    return None if times is None or times < 0 else [value] * min(times, _LONGEST)


@register("repeat")
def _repeat(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "value long", arguments)
    return applied(site.space, _repeated, Type.DYNAMIC, *bounds).named(f"repeat_{bounds[0].name}")


_LONGEST = 1_048_576


@register("range")
def _range(site: Site, arguments: list[Bound]) -> Bound:
    """Numbers, datetimes a timespan apart, or timespans."""
    bounds = check(site, "any any any?", arguments)
    first, step = bounds[0].type, bounds[2].type if len(bounds) > 2 else None
    kinds = {bound.type for bound in bounds}
    if kinds <= WIDE_NUMBERS:
        unit: Value = 1
    elif first in TIMES and bounds[1].type is first and step in {None, Type.TIMESPAN}:
        unit = HOUR
    else:
        raise site.refusal(f"a range cannot be made of a {first} and a {bounds[1].type}.")
    written = TO_DYNAMIC.get(first, lambda value: value)

    def numbers(start: Value, stop: Value, by: Value = unit) -> Value:
        if start is None or stop is None or not by or (stop - start) / by < 0:
            return None if None in (start, stop) or not by else []
        count = min(int((stop - start) / by) + 1, _LONGEST)
        return [written(start + at * by) for at in range(count)]

    return applied(site.space, numbers, Type.DYNAMIC, *bounds)


def _array_iff(conditions: Value, yes: Value, no: Value) -> Value:
    if not _array(conditions):
        return None
    return [
        item_of(yes, at) if condition and _array(yes) else yes if condition else item_of(no, at) if _array(no) else no
        for at, condition in enumerate(conditions)
    ]


simple("array_iff array_iif", "dynamic value value", Type.DYNAMIC, _array_iff, nulls=True)
_PATH = re.compile(r"\$((?:\.[A-Za-z_]\w*|\[\d+\]|\['[^']*'\]|\[\"[^\"]*\"\])*)")
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")


@register("extract_json", "extractjson")
def _extract_json(site: Site, arguments: list[Bound]) -> Bound:
    path, text = check(site, "string string", arguments)
    match = _PATH.fullmatch(str(site.constant(path, "The path")))
    if match is None:
        raise site.refusal("this path is not supported.", path.at)
    steps = [
        int(index) if index else name or quoted or double for name, index, quoted, double in _STEP.findall(match[1])
    ]

    def extract(written: str) -> str:
        value = parse_json(written)
        for step in steps:
            value = item_of(value, step)
        return text_of(value)

    return applied(site.space, extract, Type.STRING, text)


simple("dynamic_to_json", "value", Type.STRING, lambda value: "" if value is None else _ordered_json(value), nulls=True)


def _ordered_json(value: Value) -> str:
    return json_text(_ordered(value))


def _ordered(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if _array(value) else value


def _pieces(value: Value, at: Value) -> Value:
    """Cut an array in front of each index; a negative one counts from the end."""
    if not _array(value):
        return None
    marks = at if _array(at) else [at]
    if not all(isinstance(mark, int) and not isinstance(mark, bool) for mark in marks):
        return None
    length = len(value)
    ends = [min(max(length + mark if mark < 0 else mark, 0), length) for mark in marks]
    return [value[start:end] for start, end in zip([0, *ends], [*ends, length], strict=True)]


simple("array_split", "dynamic codes", Type.DYNAMIC, _pieces)


def _moved(value: Value, by: int, *, fill: Value, turns: bool) -> Value:
    """Move items to the left; what falls off comes in again at the other end, or `fill` does."""
    if not _array(value) or not value:
        return value if _array(value) else None
    if turns:
        at = by % len(value)
        return value[at:] + value[:at]
    gap = [fill] * min(abs(by), len(value))
    return value[by:] + gap if by >= 0 else gap + value[: max(len(value) + by, 0)]


for _word, _sign in (("left", 1), ("right", -1)):
    simple(
        f"array_rotate_{_word}",
        "dynamic long",
        Type.DYNAMIC,
        lambda value, by, sign=_sign: _moved(value, by * sign, fill=None, turns=True),
    )
    simple(
        f"array_shift_{_word}",
        "dynamic long value?",
        Type.DYNAMIC,
        lambda value, by, fill=None, sign=_sign: (
            None if by is None else _moved(value, by * sign, fill=fill, turns=False)
        ),
        nulls=True,
    )


def _set_equals(left: Value, right: Value) -> bool | None:
    if not (_array(left) and _array(right)):
        return None
    return {_same(item) for item in left} == {_same(item) for item in right}


def _jaccard_index(left: Value, right: Value) -> float | None:
    if not (_array(left) and _array(right)):
        return None
    first, second = {_same(item) for item in left}, {_same(item) for item in right}
    return len(first & second) / len(first | second) if first | second else None


def _bag_zip(keys: Value, values: Value) -> Value:
    if not (_array(keys) and _array(values)):
        return None
    return {key: item_of(values, at) for at, key in enumerate(keys) if isinstance(key, str)}


def _paths(value: Value, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [each for key, item in value.items() for each in (f"{path}['{key}']", *_paths(item, f"{path}['{key}']"))]
    if _array(value):
        return [f"{path}[0]", *dict.fromkeys(each for item in value for each in _paths(item, f"{path}[0]"))]
    return []


simple("set_equals", "dynamic dynamic", Type.BOOL, _set_equals)
simple("jaccard_index", "dynamic dynamic", Type.DYNAMIC, _jaccard_index)
simple("bag_zip", "dynamic dynamic", Type.DYNAMIC, _bag_zip)


@register("treepath")
def _treepath(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "dynamic", arguments)
    return applied(site.space, _paths, Type.DYNAMIC, *bounds).named(f"tree_{bounds[0].name}")


@register("bag_pack_columns")
def _bag_pack_columns(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "any any*", arguments)
    names = [bound.name for bound in bounds]
    if not all(names):
        raise site.refusal("the names of columns are expected.")
    columns = [to_dynamic(site.space, bound) for bound in bounds]
    return applied(site.space, lambda *found: dict(zip(names, found, strict=True)), Type.DYNAMIC, *columns)
