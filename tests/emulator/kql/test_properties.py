# ruff: noqa: E501 - queries and rows read better on one line
"""Properties of the evaluator over generated queries and rows.

The pipelines are run a second time by a reference that is as plain as possible: no types, no generated code, no leaving
out of columns. The words of the language in any order must end in an answer or a `KqlError`, never in another exception.
"""

from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.emulator.kql.asking import NOW, ask
from tests.emulator.kql.published import QUERIES
from tests.examples import examples

from arm_emulator.kql import KqlError, compile_query

NAMES = ["vm1", "VM1", "web-01", "", "sql"]
ROW = st.fixed_dictionaries(
    {
        "name": st.sampled_from(NAMES),
        "location": st.sampled_from(["eastus", "westus", ""]),
        "properties": st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {}, optional={"n": st.one_of(st.none(), st.integers(-5, 5)), "s": st.sampled_from(NAMES)}
            ),
        ),
    }
)
ROWS = st.lists(ROW, max_size=12)
State = dict[str, object]


def _number(row: State) -> int | None:
    bag = row["properties"]
    return bag.get("n") if isinstance(bag, dict) else None


def _text(row: State) -> str:
    bag = row["properties"]
    return bag.get("s", "") if isinstance(bag, dict) else ""


# Conditions as text and as a plain function that gives True, False or None.
CONDITIONS: dict[str, Callable[[State], bool | None]] = {
    "name == 'vm1'": lambda row: row["name"] == "vm1",
    "name =~ 'vm1'": lambda row: str(row["name"]).lower() == "vm1",
    "name has '01'": lambda row: "01" in str(row["name"]).split("-"),
    "name contains 'W'": lambda row: "w" in str(row["name"]).lower(),
    "isempty(name)": lambda row: row["name"] == "",
    "location in ('eastus', 'westus')": lambda row: row["location"] in {"eastus", "westus"},
    "location !in~ ('EASTUS')": lambda row: row["location"] != "eastus",
    "toint(properties.n) > 0": lambda row: None if _number(row) is None else _number(row) > 0,
    "toint(properties.n) != 2": lambda row: _number(row) != 2,
    "isnull(properties.n)": lambda row: _number(row) is None,
    "properties.s == 'sql'": lambda row: _text(row) == "sql",
    "properties.s != 'sql'": lambda row: _text(row) != "sql",
    "toint(properties.n) between (-1 .. 3)": lambda row: None if _number(row) is None else -1 <= _number(row) <= 3,
}
CONDITION = st.recursive(
    st.sampled_from(sorted(CONDITIONS)),
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("and"), inner, inner),
        st.tuples(st.just("or"), inner, inner),
    ),
    max_leaves=6,
)


def _written(tree: object) -> str:
    match tree:
        case str():
            return tree
        case ("not", inner):
            return f"not({_written(inner)})"
        case (word, left, right):
            return f"({_written(left)} {word} {_written(right)})"
    raise AssertionError(tree)


def _decided(tree: object, row: State) -> bool | None:
    match tree:
        case str():
            return CONDITIONS[tree](row)
        case ("not", inner):
            found = _decided(inner, row)
            return None if found is None else not found
        case (word, left, right):
            sides = [_decided(left, row), _decided(right, row)]
            winner = word == "or"
            if winner in sides:
                return winner
            return None if None in sides else not winner
    raise AssertionError(tree)


@given(tree=CONDITION, rows=ROWS)
@settings(max_examples=examples(100), deadline=None)
def test_where_keeps_what_three_valued_logic_keeps(tree: object, rows: list[State]) -> None:
    """A row goes on only where the condition is true; null is not true, and `not` of null is null."""
    result = ask(f"where {_written(tree)} | project name, location", rows)
    assert result.rows == [(row["name"], row["location"]) for row in rows if _decided(tree, row) is True]


@given(tree=CONDITION, rows=ROWS)
@settings(max_examples=examples(80), deadline=None)
def test_a_condition_as_a_value_is_the_same_condition(tree: object, rows: list[State]) -> None:
    """The value form and the filter form are generated apart; they must agree, null included."""
    result = ask(f"extend x = {_written(tree)} | project x", rows)
    assert [row[0] for row in result.rows] == [_decided(tree, row) for row in rows]


@given(tree=CONDITION, rows=ROWS)
@settings(max_examples=examples(60), deadline=None)
def test_summarize_counts_every_row_once(tree: object, rows: list[State]) -> None:
    """Groups and their counts against a counter over the rows."""
    text = f"summarize n = count(), yes = countif({_written(tree)}), total = sum(toint(properties.n)) by location"
    expected = []
    for location, number in Counter(row["location"] for row in rows).items():
        group = [row for row in rows if row["location"] == location]
        yes = sum(_decided(tree, row) is True for row in group)
        expected.append((location, number, yes, sum(_number(row) or 0 for row in group)))
    assert ask(text, rows).rows == expected


@given(rows=ROWS, descending=st.booleans(), first=st.booleans())
def test_order_is_stable_and_places_nulls(rows: list[State], descending: bool, first: bool) -> None:
    """Equal keys keep their order; nulls stand where they are asked to."""
    numbered = [{**row, "id": str(index)} for index, row in enumerate(rows)]
    words = f"{'desc' if descending else 'asc'} nulls {'first' if first else 'last'}"
    result = ask(f"order by toint(properties.n) {words} | project id", numbered)
    present = sorted((row for row in numbered if _number(row) is not None), key=_number, reverse=descending)
    absent = [row for row in numbered if _number(row) is None]
    wanted = absent + present if first else present + absent
    assert [row[0] for row in result.rows] == [row["id"] for row in wanted]


@given(rows=ROWS, count=st.integers(0, 15))
def test_top_is_order_and_take(rows: list[State], count: int) -> None:
    """The two ways of writing it are one."""
    left = ask(f"top {count} by name asc | project name, location", rows).rows
    assert left == ask(f"order by name asc | take {count} | project name, location", rows).rows


@given(left=ROWS, right=ROWS)
@settings(max_examples=examples(60), deadline=None)
def test_joins_against_nested_loops(left: list[State], right: list[State]) -> None:
    """Every kind of join against two loops over the rows."""
    pairs = [(one["name"], other["location"]) for one in left for other in right if one["name"] == other["name"]]
    lonely_left = [(one["name"], "") for one in left if all(one["name"] != other["name"] for other in right)]
    lonely_right = [("", other["location"]) for other in right if all(one["name"] != other["name"] for one in left)]
    expected = {
        "inner": pairs,
        "leftouter": pairs + lonely_left,
        "fullouter": pairs + lonely_left + lonely_right,
        "innerunique": [
            (name, other["location"])
            for name in dict.fromkeys(one["name"] for one in left)
            for other in right
            if other["name"] == name
        ],
    }
    for kind, rows in expected.items():
        text = f"resources | join kind={kind} (resourcecontainers | project name, place = location) on name | project name, place"
        assert Counter(ask(text, left, resourcecontainers=right).rows) == Counter(rows), kind


@given(rows=ROWS)
def test_columns_that_nobody_reads_change_nothing(rows: list[State]) -> None:
    """The plan leaves out unread columns; leaving one out must not change the others."""
    whole = ask("extend a = strcat(name, '!'), b = toint(properties.n) | where b > 0 or isempty(a) == false", rows)
    names = [column.name for column in whole.columns]
    picked = ask(
        "extend a = strcat(name, '!'), b = toint(properties.n) | where b > 0 or isempty(a) == false | project b, name",
        rows,
    )
    assert picked.rows == [(row[names.index("b")], row[names.index("name")]) for row in whole.rows]


WORDS = sorted(
    {
        word
        for _, text in QUERIES.values()
        for word in text.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split()
    }
)
SOUP = st.lists(
    st.sampled_from([*WORDS, "|", "(", ")", "[", "]", "'", "==", "1", "1d", "-", "let", ";", "{", "}", "x", ":"]),
    max_size=25,
)


@given(words=SOUP)
@settings(max_examples=examples(200), deadline=None)
def test_words_in_any_order_give_an_answer_or_a_refusal(words: list[str]) -> None:
    """No text may bring out any exception but `KqlError`."""
    _answer_or_refusal("resources | " + " ".join(words))


@given(text=st.text(max_size=60))
@settings(max_examples=examples(100), deadline=None)
def test_any_text_gives_an_answer_or_a_refusal(text: str) -> None:
    """Not even text that is no KQL at all."""
    _answer_or_refusal(text)


@given(name=st.sampled_from(sorted(QUERIES)), cut=st.integers(0, 400), swap=st.text(max_size=2))
@settings(max_examples=examples(150), deadline=None)
def test_a_damaged_query_gives_an_answer_or_a_refusal(name: str, cut: int, swap: str) -> None:
    """A real query with a few characters changed, which gets further than noise does."""
    text = QUERIES[name][1]
    at = cut % len(text)
    _answer_or_refusal(text[:at] + swap + text[at + 1 :])


SAMPLE = [
    {
        "id": "/a",
        "name": "n",
        "type": "t",
        "properties": {"a": [1, "x", None, {"b": 2.5}], "t": "2024-01-01"},
        "tags": {"k": "v"},
    },
    {"id": "/b", "name": "", "type": "t", "properties": None, "tags": {}},
]


def _answer_or_refusal(text: str) -> None:
    try:
        plan = compile_query(text, now=NOW)
    except KqlError as refusal:
        placed = refusal.line >= 1 and refusal.position >= 0 and bool(refusal.token)
        assert placed, refusal  # noqa: PT017 - the refusal is one of two good ends here
        return
    result = plan.run(lambda _table: SAMPLE)
    assert all(len(row) == len(result.columns) for row in result.rows)
