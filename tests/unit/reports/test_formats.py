"""Machine formats and columns: nothing is lost, nothing is run, nothing overflows."""

import csv
import io
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.errors import UsageError
from patchmode.model.plain_text import cells_wide, json_escaped, printable
from patchmode.reports.formats.structured import check_expression, indented, select, write_csv, write_json, write_jsonl
from patchmode.reports.text.layout import Cell, Paint, TableColumn, blocks, lines, wrapped

TEXT = st.text(max_size=30)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), TEXT | st.booleans() | st.none()), max_size=5))
def test_no_cell_of_a_csv_is_a_formula(rows: list[dict[str, object]]) -> None:
    """A tag or a name is somebody else's text, and a spreadsheet would run it."""
    stream = io.StringIO(newline="")
    write_csv(rows, ("a", "b"), stream)
    read = list(csv.reader(io.StringIO(stream.getvalue(), newline="")))
    assert read[0] == ["a", "b"]
    assert len(read) == len(rows) + 1
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for line in read for cell in line)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        ("=cmd()", "'=cmd()"),
        ("@sum", "'@sum"),
        ("a;b", "a;b"),
        ([{"rule": "client-os"}, {"rule": "read-only-lock"}], "client-os; read-only-lock"),
        ([], ""),
        (["a", "b"], "a; b"),
        ({"id": "/x"}, '{"id":"/x"}'),
        ({"properties": {"bypass": True, "name": "ü"}}, '{"properties":{"bypass":true,"name":"ü"}}'),
        ([{"action": "x", "neededFor": None}], '[{"action":"x","neededFor":null}]'),
        ([["a"], "b"], '[["a"],"b"]'),
        ({}, "{}"),
    ],
)
def test_values_of_a_csv(value: object, cell: str) -> None:
    """Lists become one cell; reasons are told by their rules, and other structures are JSON, never Python."""
    stream = io.StringIO()
    write_csv([{"x": value, "not asked for": 1}], ("x",), stream)
    assert list(csv.reader(io.StringIO(stream.getvalue()))) == [["x"], [cell] if cell else [""]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(TEXT, JSON, max_size=3).filter(lambda value: "rule" not in value))
def test_an_object_in_a_csv_is_json(value: dict[str, object]) -> None:
    """A program that reads the table gets the object back, whatever is in it."""
    stream = io.StringIO(newline="")
    write_csv([{"x": value}], ("x",), stream)
    ((_,), (cell,)) = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    assert json.loads(cell) == value


def test_json_and_json_lines() -> None:
    """Indented for people, compact for programs."""
    one, many = io.StringIO(), io.StringIO()
    write_json({"a": [1, "ü"]}, one)
    write_jsonl([{"a": 1}, {"a": 2}], many)
    assert one.getvalue() == '{\n  "a": [\n    1,\n    "ü"\n  ]\n}\n'
    assert many.getvalue() == '{"a":1}\n{"a":2}\n'


@pytest.mark.parametrize("expression", ["machines[", "foo bar", "a.b(", "'open", "nosuchfunction(@)"])
def test_wrong_expressions_are_usage_errors(expression: str) -> None:
    """Also a function that does not exist, which JMESPath finds only when it looks."""
    with pytest.raises(UsageError, match="is not JMESPath"):
        check_expression(expression)


def test_expressions_of_functions_are_not_refused_for_lack_of_data() -> None:
    """`length(machines)` is right, though there are no machines yet when it is checked."""
    check_expression("length(machines)")
    check_expression("sort_by(machines, &name)[].id")
    assert select({"machines": [1, 2]}, "length(machines)") == 2


@given(st.lists(st.lists(TEXT, min_size=3, max_size=3), max_size=6), st.integers(20, 100))
def test_a_table_never_overflows_where_columns_may_shrink(rows: list[list[str]], width: int) -> None:
    """A line that the terminal wraps cannot be read. A letter may take two columns."""
    columns = (TableColumn("A", 2), TableColumn("B", 2), TableColumn("C", 2))
    for line in lines(columns, rows, paint=Paint(width=width)):
        assert cells_wide(line) <= width


def test_a_pipe_sees_whole_values() -> None:
    """grep must find what is there."""
    long = "x" * 300
    table = list(lines((TableColumn("NAME", 4), TableColumn("END")), [[long, Cell("ok", "good")]], paint=Paint()))
    assert table == [f"{'NAME':<300}  END", f"{long}  ok"]


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=6), st.integers(12, 60))
def test_a_table_cuts_nothing(rows: list[list[str]], width: int) -> None:
    """A cell is read whole: a name in one piece, a text below itself in its column."""
    columns = (TableColumn("NAME", 4, is_name=True), TableColumn("TEXT", 4))
    head, *table = blocks(columns, rows, paint=Paint(width=width))
    at = head[0].index("TEXT")
    for (name, text), block in zip(rows, table, strict=True):
        shown = printable(name)
        body = block[1:] if cells_wide(shown) > at - 2 else block
        assert block[0].startswith(shown.rstrip())
        if shown.isascii() and printable(text).isascii():
            assert "".join("".join(line[at:] for line in body).split()) == "".join(printable(text).split())


def test_a_name_that_does_not_fit_has_a_line_of_its_own() -> None:
    """So that a double click takes all of it; the other rows stay in their columns."""
    columns = (TableColumn("MACHINE", 8, is_name=True), TableColumn("STATE"), TableColumn("FINDING", 10))
    rows = [["web-01", "parked", "needs change, prerequisite-missing"], ["m" * 30, "parked", "compliant"]]
    assert list(lines(columns, rows, paint=Paint(width=40))) == [
        "MACHINE   STATE   FINDING",
        "web-01    parked  needs change,",
        "                  prerequisite-missing",
        "m" * 30,
        "          parked  compliant",
    ]


@given(st.lists(st.text("abcü", min_size=1, max_size=9), min_size=1, max_size=20), st.integers(12, 60))
def test_wrapping_loses_no_word(words: list[str], width: int) -> None:
    """Whatever the width."""
    broken = list(wrapped(" ".join(words), paint=Paint(width=width), indent=2))
    assert " ".join(broken).split() == words
    assert all(cells_wide(line) <= width and line.startswith("  ") for line in broken)


@given(TEXT)
def test_no_text_can_steer_the_terminal(text: str) -> None:
    """Names and messages come from outside."""
    assert printable(text + "\x1b[2J\x07").isprintable()


class _Row(msgspec.Struct, kw_only=True, rename="camel"):
    """A report's row, with a member that may be left out."""

    some_text: str
    inner: dict[str, object]
    left_out: int | msgspec.UnsetType = msgspec.UNSET


class _Report(msgspec.Struct, kw_only=True, rename="camel"):
    """A report as its published struct."""

    all_rows: tuple[_Row, ...]
    notes: tuple[str, ...]
    also: int | msgspec.UnsetType = msgspec.UNSET


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=15,
)


@given(document=JSON)
def test_json_in_pieces_is_the_json_of_the_whole(document: object) -> None:
    whole = json_escaped(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    assert "".join(indented(document)) == whole


@given(texts=st.lists(TEXT, max_size=3), inner=st.dictionaries(TEXT, JSON, max_size=3), also=st.booleans())
def test_a_struct_in_pieces_is_the_json_of_the_whole(texts: list[str], inner: dict[str, object], also: bool) -> None:
    rows = tuple(_Row(some_text=text, inner=inner) for text in texts)
    report = _Report(all_rows=rows, notes=tuple(texts), also=1 if also else msgspec.UNSET)
    whole = json_escaped(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    assert "".join(indented(report)) == whole


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_command_in_a_sentence_is_never_broken(width: int) -> None:
    """It is pasted; what stands around it is broken between words."""
    commands = [
        "patchmode runs resume 20261130T110403123Z-abcdef --last-wave 2",
        "patchmode schedule detach /subscriptions/a/b --ids '/c d/e'",
        "az login --tenant TENANT",
    ]
    for command in commands:
        text = f"Some words that are long enough to fill a line: {command}, and some that follow it to the end."
        lines = list(wrapped(text, paint=Paint(width=width), hang=4))
        assert sum(command in line for line in lines) == 1
        assert " ".join(" ".join(lines).split()) == text
        assert all(len(line) <= width or command in line for line in lines)
