"""`-o tsv` and `-o yaml` as az prints them, whatever names and messages hold."""

import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.reports.formats.az_forms import write_selected_tsv, write_tsv, write_yaml

ODD = (
    *("~", "=", "<<", "-", "---", "...", "#", "&", "*", "!", "|", ">", "%", "@", "`", "{", "[]", "'", '"', "?"),
    *(".inf", ".5", "1.", "+1", "1e3", "0x1f", "0o7", "012", "1_000", "12:30:00", "2026-11-30", "", " ", "null "),
    *("no", "Yes", "null", "y", "N", "- a", "a: b", "a:", "a #b", "&a", "*a", "!t", "? a", "a b", "a ", "a\tb", "a\nb"),
    *("/subscriptions/x", "Zürich", "Contoso Production", "rg-Größe (EU)", "\x85", "\u2028", "\ufeff", "\x7f"),
)
RESERVED = ("null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf")
TEXT = st.one_of(
    st.text(),
    st.sampled_from(
        (*ODD, "a\tb", "a\nb", "\x85", "\u2028", "\ufeff", "\x7f", "\U0001f600", "a b", "a ", " ", "null ")
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


def tsv(chosen: Any) -> str:
    stream = io.StringIO()
    write_selected_tsv(chosen, stream)
    return stream.getvalue()


def yaml_of(document: Any) -> str:
    stream = io.StringIO()
    write_yaml(document, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ("web-01", "web-01\n"),
        (["web-01", "web-02"], "web-01\nweb-02\n"),
        ([["web-01", None, True, 3, 1.5]], "web-01\tNone\tTrue\t3\t1.5\n"),
        ([{"name": "web-01", "tags": {"a": "b"}, "reasons": [1, 2], "size": None}], "web-01\t\t2\tNone\n"),
        ({"name": "web-01", "isReady": False}, "web-01\tFalse\n"),
        (True, "true\n"),
        ([False, None, 7], "false\nNone\n7\n"),
        (None, ""),
        ([], ""),
        ([["a\tb\r\nc", "d"]], "a b c\td\n"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_tsv_as_az_prints_what_a_query_selects(chosen: Any, told: str) -> None:
    """Source: knack's `_TsvOutput`; only a tab or line feed inside a value is ours, since it would make two of it."""
    assert tsv(chosen) == told


@given(st.lists(st.fixed_dictionaries({"a": TEXT, "b": JSON}), max_size=4))
def test_a_row_of_tsv_has_as_many_values_as_columns(rows: list[dict[str, Any]]) -> None:
    """`cut -f2` must find the second one."""
    stream = io.StringIO()
    write_tsv(rows, ("a", "b", "c"), stream)
    lines = stream.getvalue().split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(rows)
    assert all(line.count("\t") == 2 and line.endswith("\tNone") for line in lines)
    assert len(stream.getvalue().splitlines()) == len(rows)


DOCUMENT = {
    "format": "patchmode/audit/v1",
    "counts": {"machines": 2, "unreadable": 0},
    "machines": [
        {"id": "/subscriptions/2222/resourceGroups/rg", "bypass": None, "eligible": True, "reasons": []},
        {"id": "rg-Größe: (EU)", "bypass": False, "eligible": "no", "reasons": [{"rule": "x", "seen": ["a", ["b"]]}]},
    ],
    "share": 1e22,
    "empty": {},
}


def test_yaml_is_the_document_in_blocks() -> None:
    """Members in the document's order; what a reader could take for anything else than a text is quoted."""
    assert yaml_of(DOCUMENT).splitlines() == [
        "format: patchmode/audit/v1",
        "counts:",
        "  machines: 2",
        "  unreadable: 0",
        "machines:",
        "- id: /subscriptions/2222/resourceGroups/rg",
        "  bypass: null",
        "  eligible: true",
        "  reasons: []",
        "- id: 'rg-Größe: (EU)'",
        "  bypass: false",
        "  eligible: 'no'",
        "  reasons:",
        "  - rule: x",
        "    seen:",
        "    - a",
        "    - - b",
        "share: 1.0e+22",
        "empty: {}",
    ]


@given(JSON)
def test_yaml_says_what_json_says(document: Any) -> None:
    """Names and messages come back as they are, whatever a reader of YAML might take them for."""
    assert msgspec.yaml.decode(yaml_of(document)) == document
