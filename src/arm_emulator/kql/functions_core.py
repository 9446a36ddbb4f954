"""Conversions, conditions and tests for emptiness: the functions that need the types of their arguments.

Registers them; must not be called directly.

Source: Kusto documentation of each function. `coalesce` passes over the empty string, which is a string's null.
"""

from dataclasses import replace

from arm_emulator.kql import values
from arm_emulator.kql.code import Bound
from arm_emulator.kql.conversions import applied, composed, constant, convert, to_text
from arm_emulator.kql.functions import Site, check, register
from arm_emulator.kql.types import INTEGERS, TIMES, WIDE_NUMBERS, Type, common_type
from arm_emulator.kql.values import Value


def _one(site: Site, arguments: list[Bound]) -> Bound:
    return check(site, "any", arguments)[0]


@register("tostring")
def _tostring(site: Site, arguments: list[Bound]) -> Bound:
    bound = _one(site, arguments)
    return to_text(site.space, bound).named(bound.name)


# What each gives, and the types that it reads; any other value is null.
_CONVERSIONS = {
    "todecimal": (Type.DECIMAL, values.decimal_of),
    "tolong": (Type.LONG, values.long_of),
    "toint": (Type.INT, values.int_of),
    "toreal": (Type.REAL, values.real_of),
    "todouble": (Type.REAL, values.real_of),
    "tobool": (Type.BOOL, values.bool_of),
    "toboolean": (Type.BOOL, values.bool_of),
    "totimespan": (Type.TIMESPAN, values.timespan_of),
    "totime": (Type.TIMESPAN, values.timespan_of),
    "todatetime": (Type.DATETIME, values.datetime_of),
    "toguid": (Type.GUID, values.guid_of),
}
_READ = WIDE_NUMBERS | {Type.BOOL, Type.STRING, Type.DYNAMIC}
_READABLE = {
    Type.LONG: _READ | TIMES,
    Type.TIMESPAN: INTEGERS | {Type.STRING, Type.DYNAMIC},
    Type.DATETIME: frozenset({Type.STRING, Type.DYNAMIC}),
    Type.GUID: frozenset({Type.STRING, Type.DYNAMIC}),
}


def _conversion(site: Site, arguments: list[Bound]) -> Bound:
    bound = _one(site, arguments)
    kind, function = _CONVERSIONS[site.name]
    if bound.type is kind and kind is not Type.GUID:
        return bound
    if kind is Type.GUID and bound.type not in _READABLE[kind]:
        raise site.refusal(f"a {bound.type} cannot be converted.", bound.at)
    if bound.type not in _READABLE.get(kind, _READ):
        return applied(site.space, lambda _: None, kind, bound).named(bound.name)
    return applied(site.space, function, kind, bound).named(bound.name)


for _name in _CONVERSIONS:
    register(_name)(_conversion)


@register("todynamic", "parse_json", "parsejson", "toobject")
def _parse_json(site: Site, arguments: list[Bound]) -> Bound:
    bound = _one(site, arguments)
    if bound.type not in {Type.STRING, Type.DYNAMIC}:
        raise site.refusal(f"a string is expected, not a {bound.type}.", bound.at)
    read = values.parse_json if bound.type is Type.STRING else _reparsed
    return applied(site.space, read, Type.DYNAMIC, bound).named(bound.name)


def _reparsed(value: Value) -> Value:
    """A dynamic stays as it is, but one that holds a text is read as JSON."""
    return values.parse_json(value) if isinstance(value, str) else value


@register("isnull", "isnotnull", "notnull")
def _isnull(site: Site, arguments: list[Bound]) -> Bound:
    bound = _one(site, arguments)
    word = "is" if site.name == "isnull" else "is not"
    if bound.type is Type.STRING:
        return constant(site.space, Type.BOOL, site.name != "isnull", bound).named("")
    if bound.is_constant:
        return constant(site.space, Type.BOOL, (bound.constant is None) == (site.name == "isnull"), bound).named("")
    return composed(site.space, Type.BOOL, f"({bound.text} {word} None)", (bound,), nullable=False)


@register("isempty", "isnotempty", "notempty")
def _isempty(site: Site, arguments: list[Bound]) -> Bound:
    bound = _one(site, arguments)
    negated = site.name != "isempty"
    if bound.is_constant:
        return constant(site.space, Type.BOOL, (bound.constant in (None, "")) != negated, bound).named("")
    if bound.type is Type.STRING:
        text = f"({bound.text} != '')" if negated else f"({bound.text} == '')"
    elif bound.type is Type.DYNAMIC:
        text = f"({bound.text} {'not in' if negated else 'in'} (None, ''))"
    else:
        text = f"({bound.text} {'is not' if negated else 'is'} None)"
    return composed(site.space, Type.BOOL, text, (bound,), nullable=False)


@register("not")
def _not(site: Site, arguments: list[Bound]) -> Bound:
    (bound,) = check(site, "bool", arguments)
    if not bound.nullable:
        return composed(site.space, Type.BOOL, f"(not {bound.text})", (bound,), nullable=False)
    return applied(site.space, values.negate, Type.BOOL, bound)


def _common(site: Site, bounds: list[Bound]) -> tuple[Type, list[Bound]]:
    """Bring values to one type; those that have none in common become dynamics, as the language service binds them."""
    kind = common_type({bound.type for bound in bounds}) or Type.DYNAMIC
    return kind, [_typed(site, bound, kind) for bound in bounds]


def _typed(site: Site, bound: Bound, kind: Type) -> Bound:
    if bound.constant is None and kind is not Type.STRING:
        return replace(bound, type=kind)
    return convert(site.space, bound, kind)


def _condition(site: Site, bound: Bound) -> str:
    if bound.type is not Type.BOOL:
        raise site.refusal(f"a bool is expected, not a {bound.type}.", bound.at)
    return bound.condition


@register("iff", "iif")
def _iff(site: Site, arguments: list[Bound]) -> Bound:
    condition, *branches = check(site, "any any any", arguments)
    test = _condition(site, condition)
    kind, (yes, no) = _common(site, branches)
    text = f"({yes.text} if {test} else {no.text})"
    return composed(site.space, kind, text, (condition, yes, no), nullable=yes.nullable or no.nullable)


@register("case")
def _case(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "any any any any*", arguments)
    if len(bounds) % 2 == 0:
        raise site.refusal("conditions and values in pairs are expected, and one value at the end.")
    conditions, otherwise = bounds[:-1:2], bounds[-1]
    kind, typed = _common(site, [*bounds[1:-1:2], otherwise])
    written = [
        f"{value.text} if {_condition(site, test)} else" for test, value in zip(conditions, typed[:-1], strict=True)
    ]  # fmt: skip
    text = f"({' '.join(written)} {typed[-1].text})"
    return composed(site.space, kind, text, (*conditions, *typed), nullable=any(value.nullable for value in typed))


def _first_value(*found: Value) -> Value:
    """Pass over nulls and empty strings; where nothing else is left an empty string is the answer before null."""
    for value in found:
        if value is not None and value != "":
            return value
    return "" if "" in found else None


@register("coalesce")
def _coalesce(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "any any*", arguments)
    if common_type({bound.type for bound in bounds}) is None:
        raise site.refusal("the values must be of one type; convert them.", bounds[-1].at)
    kind, typed = _common(site, bounds)
    if kind is Type.STRING:
        text = " or ".join(bound.text for bound in typed)
        return composed(site.space, kind, f"({text})", tuple(typed), nullable=False)
    return applied(site.space, _first_value, kind, *typed)


@register("strcat")
def _strcat(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "any any*", arguments)
    texts = tuple(to_text(site.space, bound) for bound in bounds)
    return composed(site.space, Type.STRING, f"({' + '.join(text.text for text in texts)})", texts, nullable=False)


@register("gettype")
def _gettype(site: Site, arguments: list[Bound]) -> Bound:
    bound = _one(site, arguments)
    if bound.type is not Type.DYNAMIC:
        return constant(site.space, Type.STRING, str(bound.type), bound).named(f"type_{bound.name}")
    return applied(site.space, _type_of, Type.STRING, bound).named(f"type_{bound.name}")


def _type_of(value: Value) -> str:
    names = {bool: "bool", int: "long", float: "double", str: "string", list: "array", dict: "dictionary"}
    return "null" if value is None else names[type(value)]
