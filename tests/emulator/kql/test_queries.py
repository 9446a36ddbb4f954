"""The published queries against answers computed without the evaluator, and the published refusals.

They are the yardstick that the project's evaluator was chosen by; a fault here is a wrong answer to a real question.
"""

import copy
from datetime import UTC, datetime

import pytest
from tests.emulator.kql.estate import Tables, estate
from tests.emulator.kql.oracles import all_oracles
from tests.emulator.kql.published import QUERIES, REFUSED

from arm_emulator.kql import KqlError, compile_query

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ORACLES = dict(all_oracles())


@pytest.fixture(scope="module")
def tables() -> Tables:
    return estate()


def test_every_published_query_has_an_oracle() -> None:
    """A query without an oracle would pass unseen."""
    assert len(QUERIES) == 41
    assert {name.split("_")[0] for name in QUERIES} == set(ORACLES)


@pytest.mark.parametrize("name", QUERIES)
def test_published_query(name: str, tables: Tables) -> None:
    """Each query gives exactly the rows that the oracle computes, and at least one."""
    ordered, text = QUERIES[name]
    result = compile_query(text, now=NOW).run(lambda table: tables[table])
    expected = ORACLES[name.split("_", maxsplit=1)[0]](tables)
    assert expected, "an empty answer would prove nothing"
    if ordered:
        assert result.rows == expected
    else:
        assert sorted(result.rows, key=repr) == sorted(expected, key=repr)


def test_queries_leave_the_rows_as_they_were(tables: Tables) -> None:
    """The rows are the emulator's live state: a query that changed them would corrupt every later answer."""
    before = copy.deepcopy(tables)
    for _, text in QUERIES.values():
        compile_query(text, now=NOW).run(lambda table: tables[table])
    assert tables == before


@pytest.mark.parametrize("name", REFUSED)
def test_published_refusal(name: str) -> None:
    """Each is refused with the code that tells why and the place of the first token that is wrong."""
    text, code, position, token = REFUSED[name]
    with pytest.raises(KqlError) as caught:
        compile_query(text, now=NOW)
    fault = caught.value
    assert (str(fault.code), fault.line, fault.position, fault.token) == (code, 1, position, token)


@pytest.mark.parametrize(("text", "position"), [("project id, location | where where", 34), ("where where", 11)])
def test_the_recorded_refusal(text: str, position: int) -> None:
    """Resource Graph's own answer to a malformed query, member by member (a recorded exchange)."""
    with pytest.raises(KqlError) as caught:
        compile_query(text, now=NOW)
    assert caught.value.detail() == {
        "code": "ParserFailure",
        "message": "ParserFailure",
        "line": 1,
        "characterPositionInLine": position,
        "token": "<EOF>",
        "expectedToken": "\u01cf",
    }


def test_a_foreign_operator_is_refused_as_resource_graph_words_it() -> None:
    """An operator outside the language: line and position are -1 (Azure/azure-powershell#13762)."""
    with pytest.raises(KqlError) as caught:
        compile_query("resources | evaluate bag_unpack(tags)", now=NOW)
    assert caught.value.detail() == {
        "code": "InvalidQueryLanguage",
        "message": "InvalidQueryLanguage",
        "line": -1,
        "characterPositionInLine": -1,
        "token": "evaluate",
    }


def test_an_unknown_function_is_refused_as_resource_graph_words_it() -> None:
    """The words of a reported answer."""
    with pytest.raises(KqlError) as caught:
        compile_query("resources | summarize cout()", now=NOW)
    assert caught.value.detail() == {"code": "UnknownFunction", "message": "Unknown function: 'cout'."}
