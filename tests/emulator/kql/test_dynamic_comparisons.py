"""A dynamic beside a typed scalar is read as that type, whichever side it stands on; what cannot be read is null."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.kql.asking import ask

DAY = "datetime(2024-01-02)"
SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

# (value in the row, scalar) -> what <, <=, ==, !=, >=, > give
LESS: list[bool | None] = [True, True, False, True, False, False]
SAME: list[bool | None] = [False, True, True, False, True, False]
MORE: list[bool | None] = [False, False, False, True, True, True]
UNREADABLE: list[bool | None] = [None, None, False, True, None, None]
OPERATORS = ["<", "<=", "==", "!=", ">=", ">"]
COMPARED: list[tuple[object, str, list[bool | None]]] = [
    ("2024-01-01T23:59:59.9999999Z", DAY, LESS),
    ("2024-01-02", DAY, SAME),
    ("2024-01-02T01:00:00+01:00", DAY, SAME),
    ("2024-01-02T00:00:00.0000001Z", DAY, MORE),
    ("soon", DAY, UNREADABLE),
    (None, DAY, UNREADABLE),
    ({"a": 1}, DAY, UNREADABLE),
    ([1], DAY, UNREADABLE),
    ("00:59:59", "1h", LESS),
    ("01:00:00", "1h", SAME),
    ("1.00:00:00", "1h", MORE),
    ("long", "1h", UNREADABLE),
    (None, "1h", UNREADABLE),
    (29.5, "30", LESS),
    (30, "30", SAME),
    ("30", "30.0", SAME),
    (30.5, "30", MORE),
    ("many", "30", UNREADABLE),
    (None, "30", UNREADABLE),
    (False, "true", LESS),
    ("true", "true", SAME),
]


@pytest.mark.parametrize(("value", "scalar", "expected"), COMPARED)
def test_both_orders_of_every_comparison(value: object, scalar: str, expected: list[bool | None]) -> None:
    """Equality with an unreadable value is false, its order is null."""
    row = [{"properties": {"t": value}}]
    straight = ", ".join(f"properties.t {operator} {scalar}" for operator in OPERATORS)
    swapped = ", ".join(f"{scalar} {SWAPPED[operator]} properties.t" for operator in OPERATORS)
    for listed in (straight, swapped):
        answer = ask(f"resources | project {listed}", row)
        assert [str(column.type) for column in answer.columns] == ["bool"] * len(OPERATORS)
        assert list(answer.rows[0]) == expected


BETWEEN: list[tuple[object, str, bool | None]] = [
    ("2024-01-02", "datetime(2024-01-01) .. datetime(2024-01-02)", True),
    ("2024-01-03", "datetime(2024-01-01) .. datetime(2024-01-02)", False),
    ("2024-01-08", "datetime(2024-01-01) .. 7d", True),
    ("2024-01-08T00:00:01Z", "datetime(2024-01-01) .. 7d", False),
    ("02:00:00", "1h .. 3h", True),
    (2.5, "2 .. 3", True),
    ("3.5", "2 .. 3", False),
    (None, "datetime(2024-01-01) .. 7d", None),
    ("soon", "1h .. 3h", None),
    (None, "2 .. 3", None),
]


@pytest.mark.parametrize(("value", "limits", "inside"), BETWEEN)
def test_between(value: object, limits: str, inside: bool | None) -> None:
    """Both ends belong to it; nothing lies inside or outside where the value cannot be read."""
    query = f"resources | project a = properties.t between ({limits}), b = properties.t !between ({limits})"
    outside = None if inside is None else not inside
    assert list(ask(query, [{"properties": {"t": value}}]).rows[0]) == [inside, outside]


def test_where_keeps_what_is_known_to_be_true() -> None:
    """The form in which Update Manager's history is asked for; an absent date is neither older nor newer."""
    rows = [
        {"name": name, "properties": properties}
        for name, properties in (
            ("new", {"lastModifiedDateTime": "2026-11-20T00:00:00Z"}),
            ("old", {"lastModifiedDateTime": "2026-11-01T00:00:00Z"}),
            ("none", {}),
        )
    ]
    query = "resources | where properties.lastModifiedDateTime {} ago(7d) | project name"
    found = {operator: [list(row) for row in ask(query.format(operator), rows).rows] for operator in (">", "<=")}
    assert found == {">": [["new"]], "<=": [["old"]]}


@given(st.datetimes(), st.sampled_from(OPERATORS))
def test_the_conversion_is_todatetime(moment: object, operator: str) -> None:
    """What a query with the cast written out answers, one without it does."""
    text = f"{moment:%Y-%m-%dT%H:%M:%S}Z"
    written, bare = (f"{left} {operator} {DAY}" for left in ("todatetime(properties.t)", "properties.t"))
    answer = ask(f"resources | project a = {written}, b = {bare}", [{"properties": {"t": text}}])
    assert answer.rows[0][0] == answer.rows[0][1]
