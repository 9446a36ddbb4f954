# ruff: noqa: E501 - queries and rows read better on one line
"""What a compiled query tells about itself, how it reads tables, and what else it must refuse."""

from datetime import timedelta

import pytest
from tests.emulator.kql.asking import NOW, ask

from arm_emulator.kql import KqlError, compile_query

VM = "microsoft.compute/virtualmachines"


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("where name == 'x'", {"resources"}),
        ("ResourceContainers | count", {"resourcecontainers"}),
        ("resources | join (MaintenanceResources) on id", {"resources", "maintenanceresources"}),
        ("resources | where id in (advisorresources | project id)", {"resources", "advisorresources"}),
        (
            "let n = toscalar(policyresources | count); resources | where strlen(id) > n",
            {"resources", "policyresources"},
        ),
        ("let unused = policyresources; resources", {"resources"}),
    ],
)
def test_tables_are_those_that_are_read(text: str, tables: set[str]) -> None:
    """The provider fetches exactly these; names come in lower case whatever was written."""
    assert compile_query(text, now=NOW).tables == tables


@pytest.mark.parametrize(
    ("text", "limited", "with_id"),
    [
        ("resources", False, True),
        ("resources | take 5", True, True),
        ("resources | top 5 by name | project name", True, False),
        ("resources | summarize count()", False, False),
        ("resources | limit 3 | project id = name", True, True),
    ],
)
def test_what_paging_depends_on(text: str, limited: bool, with_id: bool) -> None:
    """A limit in the query, and an id in its answer, decide whether there is a skip token."""
    plan = compile_query(text, now=NOW)
    assert (plan.has_limit, plan.projects_id) == (limited, with_id)


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("resources | where type =~ 'Microsoft.Compute/virtualMachines'", {VM}),
        ("resources | where type in~ ('A/b', 'C/d') and name != ''", {"a/b", "c/d"}),
        ("resources | where name == 'x' | where type == 'a/b'", {"a/b"}),
        ("resources | where type =~ 'a/b' or type =~ 'c/d'", {"a/b", "c/d"}),
        ("resources | where type =~ 'a/b' or name == 'x'", None),
        ("resources | where not(type =~ 'a/b')", None),
        ("resources | where type != 'a/b'", None),
        ("resources | extend type = name | where type == 'a/b'", None),
        ("resources | where type =~ 'a/b' | join (resources | where type == 'c/d') on name", {"a/b", "c/d"}),
        ("resources | where type =~ 'a/b' | union resources", None),
        ("let type = 'z'; resources | where name == type", None),
    ],
)
def test_type_filter_never_leaves_out_a_row_that_counts(text: str, types: set[str] | None) -> None:
    """None where any type may count: a filter too narrow would be a wrong answer."""
    assert compile_query(text, now=NOW).type_filter("Resources") == types


def test_one_moment_for_the_whole_query() -> None:
    """now() is given from outside, so that the emulator's clock rules it."""
    assert ask("project a = now(), b = ago(1d), c = now() == now()", [{}]).rows == [
        ("2026-11-22T12:00:00.0000000Z", "2026-11-21T12:00:00.0000000Z", True)
    ]


def test_each_query_of_one_text_has_its_own_moment_and_rows() -> None:
    """Compiled queries are kept by their text; what was true at another moment or of other rows must not be."""
    dated = "resources | where todatetime(properties.at) > ago(1d) | project id"
    rows: list[dict[str, object]] = [
        {"id": "old", "properties": {"at": "2026-11-20T00:00:00Z"}},
        {"id": "new", "properties": {"at": "2026-11-22T00:00:00Z"}},
    ]
    assert [compile_query(dated, now=NOW - late).run(lambda _: rows).rows for late in (timedelta(0), timedelta(2))] == [
        [("new",)],
        [("old",), ("new",)],
    ]
    counted = "let n = toscalar(policyresources | count); resources | where toint(properties.size) == n | project size = toint(properties.size)"
    for size in (1, 2, 1):
        policies: list[dict[str, object]] = [{}] * size
        assert ask(counted, [{"properties": {"size": one}} for one in (1, 2)], policyresources=policies).rows == [
            (size,)
        ]


def test_objects_have_every_column_nulls_written_out() -> None:
    """Resource Graph writes nulls and empty strings out, in the columns' order (recorded answers)."""
    found = ask("resources | take 1", [{"id": "/x"}]).as_objects()
    assert list(found[0]) == [
        "id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy",
        "sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation",
    ]  # fmt: skip
    assert found[0]["kind"] == ""
    assert found[0]["sku"] is None


def test_a_plan_runs_again_on_other_rows() -> None:
    """Sub-queries are answered anew in each run."""
    plan = compile_query("resources | where name in (resourcecontainers | project name) | project name", now=NOW)
    tables = {"resources": [{"name": "a"}, {"name": "b"}], "resourcecontainers": [{"name": "a"}]}
    assert plan.run(lambda table: tables[table]).rows == [("a",)]
    tables["resourcecontainers"] = [{"name": "b"}]
    assert plan.run(lambda table: tables[table]).rows == [("b",)]


def test_mv_expand_is_cut_at_the_row_limit_of_resource_graph() -> None:
    """128 rows of an array by default, as documented; more when asked for."""
    rows = [{"properties": {"a": list(range(500))}}]
    assert ask("mv-expand x = properties.a | count", rows).rows == [(128,)]
    assert ask("mv-expand x = properties.a limit 400 | count", rows).rows == [(400,)]


@pytest.mark.parametrize(
    ("text", "code", "token"),
    [
        ("resources | join (resources) on id | join (resources) on id | join (resources) on id | join (resources) on id",
         "DisallowedMaxNumberOfRemoteTables", "join"),
        ("resources | mv-expand tags | mv-expand plan | mv-expand sku | mv-expand zones", "DisallowedMaxNumberOfRemoteTables", "mv-expand"),
        ("union isfuzzy=true resources, resourcecontainers", "InvalidQueryLanguage", "isfuzzy"),
        ("resources | join hint.colour=red (resourcecontainers) on id", "ParserFailure", "colour"),
        ("resources | join kind=leftanti (resourcecontainers) on id", "UnsupportedJoinFlavor", "leftanti"),
        ("resources | project-away kind", "ParserFailure", "kind"),
        ("resources | project name, name", "InvalidQuerySemantics", "name"),
        ("resources | distinct *", "ExpressionKeyCantBeDynamic", "distinct"),
        ("resources | top 5 by tags", "ExpressionKeyCantBeDynamic", "tags"),
        ("resources | where name", "InvalidQuerySemantics", "name"),
        ("resources | where properties == tags", "InvalidQuerySemantics", "=="),
        ("resources | where name == 5", "InvalidQuerySemantics", "=="),
        ("resources | where name > 'a'", "InvalidQuerySemantics", ">"),
        ("resources | where properties.t > '2020'", "InvalidQuerySemantics", ">"),
        ("resources | where properties.t > properties.u", "InvalidQuerySemantics", ">"),
        ("resources | where name contains 5", "InvalidQuerySemantics", "contains"),
        ("resources | where name matches regex '(?=x)'", "InvalidQuerySemantics", "'(?=x)'"),
        ("resources | where name matches regex '['", "InvalidQuerySemantics", "'['"),
        ("resources | extend x = coalesce(name, 2.5)", "InvalidQuerySemantics", "2.5"),
        ("resources | extend x = case(true, 1)", "InvalidQuerySemantics", "case"),
        ("resources | extend x = name.y", "InvalidQuerySemantics", "."),
        ("resources | summarize sum(name)", "InvalidQuerySemantics", "sum"),
        ("resources | summarize name", "Operator_FailedToResolveEntity", "name"),
        ("resources | summarize max(tags)", "InvalidQuerySemantics", "max"),
        ("resources | take -1", "InvalidQuerySemantics", "-"),
        ("resources | take strlen(name)", "Operator_FailedToResolveEntity", "name"),
        ("resources | take 1.5", "InvalidQuerySemantics", "1.5"),
        ("resources | project Name", "Operator_FailedToResolveEntity", "Name"),
        ("resources | project-rename x = nosuch", "Operator_FailedToResolveEntity", "nosuch"),
        ("resources | extend x = ToLower(name)", "UnknownFunction", "ToLower"),
        ("resources | join (resourcecontainers | project n = name) on $left.name == $right.nosuch", "Operator_FailedToResolveEntity", "$left"),
        ("resources | join (resourcecontainers | extend n = 5) on $left.name == $right.n", "InvalidQuerySemantics", "$left"),
        ("resources | parse name with x *", "InvalidQuerySemantics", "parse"),
        ("resources | mv-expand name", "InvalidQuerySemantics", "name"),
        ("resources | extend x = decimal(one)", "ParserFailure", "decimal(one)"),
        ("resources | mv-apply x = name on (take 1)", "InvalidQuerySemantics", "name"),
        ("resources | mv-apply x = tags on (resources | take 1)", "ParserFailure", "resources"),
        ("resources | extend x = datetime(2024-13-01)", "ParserFailure", "datetime(2024-13-01)"),
        ("resources | extend x = 99999999999999999999", "ParserFailure", "99999999999999999999"),
        ("let f = (x:long) { x + 1 }; resources | extend y = f()", "InvalidQuerySemantics", "f"),
        ("", "ParserFailure", "<EOF>"),
        ("resources |", "ParserFailure", "<EOF>"),
        ("resources resources", "ParserFailure", "resources"),
    ],
)  # fmt: skip
def test_refusals(text: str, code: str, token: str) -> None:
    """What Resource Graph or Kusto does not take, with the code and the token it is about."""
    with pytest.raises(KqlError) as caught:
        compile_query(text, now=NOW)
    assert (str(caught.value.code), caught.value.token) == (code, token)


def test_the_place_of_a_fault_counts_lines_from_one_and_characters_from_zero() -> None:
    """As Resource Graph counts them; comments and blank lines included."""
    with pytest.raises(KqlError) as caught:
        compile_query("resources // all of them\n\n| where name ==\n  | count", now=NOW)
    assert (caught.value.line, caught.value.position, caught.value.token) == (4, 2, "|")


def test_a_thousand_conditions_do_not_exhaust_the_parser() -> None:
    """Tools paste long lists of ids as one chain of `or`."""
    text = "resources | where " + " or ".join(f"name == 'vm{number}'" for number in range(1000)) + " | count"
    assert ask(text, [{"name": "vm999"}, {"name": "x"}]).rows == [(1,)]


LABELS = [
    {"id": "1", "name": "a=1,b=2,c=zz,d=4"},
    {"id": "2", "name": "a=1,b=2,c=3,d=4"},
    {"id": "3", "name": "nomatch"},
]


def test_parse_is_all_or_nothing() -> None:
    """A column that does not convert blanks the whole row; the engine's own behaviour."""
    text = "parse name with 'a=' a:long ',b=' b ',c=' c:long ',d=' d | project a, b, c, d"
    assert ask(text, LABELS).rows == [(None, "", None, ""), (1, "2", 3, "4"), (None, "", None, "")]


def test_parse_reaches_the_end_of_the_text() -> None:
    """A column in front of a last text takes as much as is needed to end there."""
    rows = [{"name": "aXcYc"}, {"name": "abcbd"}]
    assert ask("parse name with 'a' v 'c' | project v", rows).rows == [("XcY",), ("",)]


def test_null_keys_join_each_other() -> None:
    """Unlike in SQL; the engine's own behaviour."""
    rows = [{"id": "1", "properties": {"k": 1}}, {"id": "2", "properties": {}}]
    other = [{"name": "null's", "properties": None}, {"name": "one", "properties": {"k": 1}}]
    text = (
        "project id, k = toint(properties.k) | join kind=inner "
        "(resourcecontainers | project name, k = toint(properties.k)) on k | project id, name"
    )
    assert ask(text, rows, resourcecontainers=other).rows == [("1", "one"), ("2", "null's")]
