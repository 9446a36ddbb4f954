# ruff: noqa: E501, C419 - every combination is tried, so no short cut; values read better on one line
"""Every function and every aggregate on values of every kind: an answer or a refusal, never another exception.

A property may hold anything at all, and one machine with an odd value must not take the whole answer away.
"""

from itertools import product

import pytest
from tests.emulator.kql.asking import NOW

from arm_emulator.kql import KqlError, aggregates, compile_query
from arm_emulator.kql.aggregates_several import SEVERAL
from arm_emulator.kql.functions import REGISTRY

ODD = [None, "", "x", "12", "1.5", "2024-01-01", "/a/b", "10.0.0.1/33", "😀", True, 0, -7, 2**63 - 1, 10**30, 2.5, 1e308, -0.0,
       [], [1, "a", None, [2], {"k": 1}], ["a", "b"], [3, 1], {}, {"a": 1, "b": [None]}, "{\"a\":", "9999-12-31"]  # fmt: skip
ROWS = [{"name": value if isinstance(value, str) else "n", "properties": {"p": value}, "tags": value} for value in ODD]
ARGUMENTS = [
    "properties.p", "tags", "name", "'a'", "'day'", "5", "-3", "2.5", "true", "dynamic([1, 'a'])", "dynamic({'a': 1})", "1d",
    "todatetime(properties.p)", "toint(properties.p)", "toreal(properties.p)", "totimespan(name)", "long(null)", "'(a)'", "toguid(name)", "todecimal(name)",
]  # fmt: skip


# A tenth of the pairs finds what all of them find, in a tenth of the time.
PAIRED = [ARGUMENTS[index] for index in (0, 2, 4, 5, 8, 9, 12, 13)]
# Functions whose constants (a path, a part's name, a group) are not among the arguments above.
NEEDS_OTHERS = {"extract", "extract_json", "extractjson", "datetime_add", "datetime_diff", "make_datetime"}
NEEDS_OTHERS |= {"format_datetime", "format_timespan", "replace", "replace_regex", "datetime_part", "datepart"}


def _survives(text: str) -> bool:
    """Run a query; tell whether it was accepted."""
    try:
        plan = compile_query(text, now=NOW)
    except KqlError:
        return False
    assert len(plan.run(lambda _table: ROWS).columns) >= 1
    return True


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_function_on_odd_values(name: str) -> None:
    """One, two and three arguments of every kind; each function accepts at least one of them."""
    lists = ["", *ARGUMENTS] + [", ".join(two) for two in product(PAIRED, repeat=2)]
    lists += [", ".join(three) for three in product([ARGUMENTS[index] for index in (0, 2, 5, 8, 17)], repeat=3)]
    accepted = [_survives(f"resources | extend x = {name}({each}) | project x") for each in lists]
    assert any(accepted) or name in NEEDS_OTHERS


@pytest.mark.parametrize("name", sorted({*aggregates.ONE, *SEVERAL}))
def test_aggregate_on_odd_values(name: str) -> None:
    """No argument, one and two, over all rows, over none, and by group."""
    lists = ["", *ARGUMENTS] + [", ".join(two) for two in product(PAIRED, repeat=2)]
    lists += [f"{one}, name == 'n'" for one in ARGUMENTS]
    accepted = [
        _survives(f"resources {keep} | summarize x = {name}({each}) {by}")
        for each in lists
        for keep, by in (("", ""), ("| where name == 'nobody'", ""), ("", "by name"))
    ]
    assert any(accepted)


@pytest.mark.parametrize(
    "operator", ["==", "!=", "<", ">=", "+", "-", "*", "/", "%", "=~", "contains", "has", "startswith", "in~", "and"]
)
def test_operator_on_odd_values(operator: str) -> None:
    """Every pair of kinds of value."""
    pairs = [(left, f"({right})" if operator == "in~" else right) for left, right in product(ARGUMENTS, repeat=2)]
    assert (
        any([_survives(f"resources | extend x = {left} {operator} {right} | project x") for left, right in pairs])
        or operator == "and"
    )
