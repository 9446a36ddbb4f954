"""What queries in the field use besides the published samples: window functions, datatables, hints, mixed types."""

import pytest
from tests.emulator.kql.asking import NOW, ask

from arm_emulator.kql import KqlError, compile_query

ROWS = [
    {"id": "1", "name": "a", "properties": {"n": 1, "at": "2026-01-01"}},
    {"id": "2", "name": "b", "properties": {"n": 2.5, "at": "2026-01-02"}},
    {"id": "3", "name": "b", "properties": {"n": "three"}},
    {"id": "4", "name": "c", "properties": {}},
]


def answer(text: str) -> list[tuple[object, ...]]:
    """The rows of a query over these."""
    return list(ask(text, ROWS).rows)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("row_number()", [1, 2, 3, 4]),
        ("row_number(7)", [7, 8, 9, 10]),
        ("row_number(1, name != prev(name))", [1, 1, 2, 1]),
        ("row_cumsum(tolong(id))", [1, 3, 6, 10]),
        ("row_cumsum(tolong(id), name == 'c')", [1, 3, 6, 4]),
        ("row_rank_dense(name)", [1, 2, 2, 3]),
        ("row_rank_min(name)", [1, 2, 2, 4]),
        ("prev(name)", ["", "a", "b", "b"]),
        ("prev(id, 2, 'none')", ["none", "none", "1", "2"]),
        ("next(id)", ["2", "3", "4", ""]),
    ],
)
def test_functions_that_look_at_the_rows_around(expression: str, expected: list[object]) -> None:
    """Behind an order, and behind serialize; each row has one value, in the order of the rows."""
    for before in ("order by id asc", "top 9 by id asc", "order by id asc | where true | take 9", "serialize"):
        values = [row[0] for row in answer(f"resources | {before} | extend x = {expression} | project x")]
        assert [value or "" for value in values] == expected if "" in expected else values == expected


def test_rows_without_an_order_have_no_numbers() -> None:
    """A cluster refuses them, too: what a table gives has no order, and summarize loses it."""
    for text in (
        "resources | extend n = row_number()",
        "resources | order by id | summarize by id | extend p = prev(id)",
    ):
        with pytest.raises(KqlError, match="rows in an order"):
            compile_query(text, now=NOW)


def test_a_row_may_be_chosen_by_its_number() -> None:
    """The newest of each, as public queries write it."""
    text = "resources | order by name asc, id desc | where row_number(1, name != prev(name)) == 1 | project id"
    assert answer(text) == [("1",), ("3",), ("4",)]


def test_a_datatable_brings_rows_of_its_own() -> None:
    """With every type, joined with a table of Resource Graph."""
    rows = answer(
        "let sizes = datatable (name:string, size:long, day:datetime, more:dynamic) "
        "['a', 1, datetime(2026-01-01), dynamic({'x': [1]}), 'c', -3, '2026-02-01', dynamic(null)]; "
        "resources | join kind=inner sizes on name | order by id asc | project id, size, day, y = more.x[0]"
    )
    assert rows == [("1", 1, "2026-01-01T00:00:00.0000000Z", 1), ("4", -3, "2026-02-01T00:00:00.0000000Z", None)]


@pytest.mark.parametrize("text", ["datatable (a:long, b:long) [1]", "datatable (a:long, a:long) [1, 2]",
                                  "datatable (a:string) [name]", "datatable (a:decimal) [1]"])  # fmt: skip
def test_a_datatable_that_makes_no_rows(text: str) -> None:
    """Values that fill no row, a column twice, and a value that is no constant."""
    with pytest.raises(KqlError):
        compile_query(text, now=NOW)


@pytest.mark.parametrize(
    ("expression", "kind", "expected"),
    [
        ("iff(name == 'a', 'none', properties.n)", "string", ["none", "2.5", "three", ""]),
        ("case(name == 'a', properties.n, name == 'b', 7, 8.5)", "real", [1.0, 7.0, 7.0, 8.5]),
        ("iff(name == 'a', 1, 'one')", "dynamic", [1, "one", "one", "one"]),
        ("coalesce(properties.n, 'none')", "string", ["1", "2.5", "three", "none"]),
        ("properties.n + properties.n", "dynamic", [2, 5.0, None, None]),
        ("-properties.n", "dynamic", [-1, -2.5, None, None]),
        ("datetime(2026-01-03) - properties.at", "timespan", ["2.00:00:00", "1.00:00:00", None, None]),
        ("datetime(2026-01-03) + dynamic('01:00:00')", "datetime", ["2026-01-03T01:00:00.0000000Z"] * 4),
    ],
)
def test_a_dynamic_beside_another_type(expression: str, kind: str, expected: list[object]) -> None:
    """Read as that type, as Microsoft's binder types it; what cannot be read is null."""
    table = ask(f"resources | order by id asc | project x = {expression}", ROWS)
    assert str(table.columns[0].type) == kind
    assert [row[0] for row in table.rows] == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("hash('World')", 1846988464401551951),
        ("hash('World', 100)", 51),
        ("hash('Nobody inspects the spammish repetition')", -302119147016844303),
        ("parse_version('1.2.3.40') > parse_version('1.2.3.5')", True),
        ("tostring(parse_version('0.1.2'))", "10000000200000000"),
        ("isnull(parse_version('1.2-beta'))", True),
        ("format_ipv4('192.168.1.255', 24)", "192.168.1.0"),
        ("format_ipv4(3232236031, 24)", "192.168.1.0"),
        ("format_ipv4('nowhere')", ""),
        ("column_ifexists('nosuch', 5)", 5),
        ("column_ifexists('name', 'none')", "c"),
    ],
)
def test_functions(expression: str, expected: object) -> None:
    """The examples of the documentation first."""
    assert answer(f"resources | top 1 by id desc | project x = {expression}") == [(expected,)]


def test_a_constant_beside_aggregates() -> None:
    """It says the same in every row."""
    text = "resources | summarize hint.strategy=shuffle n = count(), what = 'all' by name | order by name asc"
    assert answer(text) == [("a", 1, "all"), ("b", 2, "all"), ("c", 1, "all")]


def test_true_and_false_in_each_spelling_that_kusto_takes() -> None:
    """`tRue` is a name."""
    assert answer("resources | where True and TRUE and true and not(False) and not(FALSE) | count") == [(4,)]
    with pytest.raises(KqlError, match="tRue"):
        compile_query("resources | where tRue", now=NOW)
