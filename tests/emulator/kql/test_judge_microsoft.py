# ruff: noqa: E501 - queries read better on one line
"""Microsoft's own parser and binder as a judge of what is accepted and of the columns' names and types.

Optional: needs Node and `npm --prefix tests/oracles install`; skipped, saying so, without. It judges Kusto, not
Resource Graph, so what Resource Graph alone refuses or allows is left out by name.
"""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from tests.emulator.kql.asking import NOW
from tests.emulator.kql.corpus import CORPUS
from tests.emulator.kql.published import QUERIES, REFUSED

from arm_emulator.kql import KqlError, compile_query

ORACLES = Path(__file__).parents[2] / "oracles"
MODULES = os.environ.get("NODE_PATH", str(ORACLES / "node_modules"))
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    NODE is None or not (Path(MODULES) / "@kusto/language-service-next").is_dir(),
    reason="the judge is absent: install Node and run `npm --prefix tests/oracles install`",
)

# Starts without a table, which Resource Graph alone allows.
WITHOUT_TABLE = {"q30_default_table"}
# Kusto has these operators, Resource Graph does not.
KUSTO_ONLY = {"b06_make_series_unsupported_in_arg", "b07_evaluate"}


@cache
def judged(texts: tuple[str, ...]) -> list[dict[str, list[object]]]:
    """What the judge says of each text, in one run of Node."""
    asked = "\n".join(json.dumps(text) for text in texts)
    answer = subprocess.run(
        [str(NODE), str(ORACLES / "bind.js")], input=asked, capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "NODE_PATH": MODULES},
    )  # fmt: skip
    return [json.loads(line) for line in answer.stdout.splitlines()]


def accepted_texts() -> list[str]:
    published = [text for name, (_, text) in QUERIES.items() if name not in WITHOUT_TABLE]
    return [*published, *CORPUS]


def test_what_we_accept_kusto_accepts_with_the_same_columns() -> None:
    """Names and types of every column, in order."""
    texts = tuple(accepted_texts())
    for text, verdict in zip(texts, judged(texts), strict=True):
        assert not verdict["errors"], text
        columns = compile_query(text, now=NOW).columns
        assert [[column.name, str(column.type)] for column in columns] == verdict["schema"], text


def test_what_we_refuse_kusto_refuses() -> None:
    """Except for the operators that Resource Graph leaves out."""
    names = [name for name in REFUSED if name not in KUSTO_ONLY]
    verdicts = judged(tuple(REFUSED[name][0] for name in names))
    for name, verdict in zip(names, verdicts, strict=True):
        assert verdict["errors"], name


TYPED = {
    "bool": "tobool(name)", "int": "toint(name)", "long": "strlen(name)", "real": "toreal(name)", "string": "name",
    "datetime": "todatetime(name)", "timespan": "totimespan(name)", "guid": "toguid(name)", "dynamic": "properties.x",
}  # fmt: skip
EQUALITY = ("=={}", "!={}", "in ({})", "!in ({})")
ORDER = ("< {}", "<= {}", "> {}", ">= {}", "between ({0} .. {0})")
ARITHMETIC = ("+ {}", "- {}", "* {}", "/ {}", "% {}")
WORDS = ("=~ {}", "!~ {}", "contains {}", "has {}", "startswith {}", "hassuffix {}", "in~ ({})", "and {}", "or {}")
CALLS = (
    "iff(true, {0}, {1})", "iif(true, {0}, {1})", "case(true, {0}, {1})", "coalesce({0}, {1})", "max_of({0}, {1})",
    "min_of({0}, {1})", "strcat({0}, {1})", "pack_array({0}, {1})",
)  # fmt: skip
NUMBERS = {"int", "long", "real"}
TIMES = {"datetime", "timespan"}
STRICTER = "the binder lets it by, and it means nothing or a cluster asks for a cast"
LOOSER = "the binder refuses it, and published queries of Resource Graph rely on it"


def excepted(form: str, left: str, right: str) -> str:
    """Why we need not agree with the binder on a pair of types; empty: we must."""
    pair = {left, right}
    if form in EQUALITY:
        return "" if "dynamic" in pair and pair != {"dynamic"} else STRICTER
    if form in ORDER and "dynamic" in pair:
        return LOOSER if pair & (TIMES | {"bool"}) else STRICTER if pair == {"dynamic"} else ""
    if form.startswith("between") and "bool" in pair:
        return LOOSER
    if form in ARITHMETIC and pair & TIMES and not (form in {"+ {}", "- {}"} and "dynamic" in pair):
        return STRICTER
    if form == "coalesce({0}, {1})" and "dynamic" in pair:
        return LOOSER
    return ""


def table() -> list[tuple[str, str, str, str]]:
    """Every operator and function of the table with every pair of types: form, types, query."""
    operators = [(form, "{0} " + form.replace("{}", "{1}").replace("{0}", "{1}")) for form in
                 (*EQUALITY, *ORDER, *ARITHMETIC, *WORDS)]  # fmt: skip
    return [
        (form, left, right, "resources | project x = " + text.format(TYPED[left], TYPED[right]))
        for form, text in [*operators, *((call, call) for call in CALLS)]
        for left in TYPED
        for right in TYPED
    ]


def test_operators_take_the_types_that_kusto_gives_them() -> None:
    """Every pair of types under every operator: refused by both, or of one type, but for the named exceptions."""
    rows = table()
    for (form, left, right, text), verdict in zip(rows, judged(tuple(row[3] for row in rows)), strict=True):
        reason = excepted(form, left, right)
        try:
            found = [[column.name, str(column.type)] for column in compile_query(text, now=NOW).columns]
        except KqlError:
            assert verdict["errors"] or reason == STRICTER, text
        else:
            if reason != LOOSER:
                assert not verdict["errors"], text
                assert found == verdict["schema"], text


FORMS = [
    "resources | where tobool(properties.x) == True or properties.y == FALSE",
    "resources | order by name asc | extend n = row_number(), s = row_cumsum(strlen(name)), p = prev(name), q = next(name)",
    "resources | serialize n = row_number(1, name != prev(name))",
    "resources | order by name asc | extend d = row_rank_dense(name), m = row_rank_min(name)",
    "let t = datatable (a:string, b:long) ['x', 1, 'y', 2]; t | join kind=leftouter (resources) on $left.a == $right.name",
    "datatable (a:datetime, ['b c']:dynamic) [datetime(2024-01-01), dynamic({'q': 1})]",
    "resources | summarize hint.strategy=shuffle n = count(), x = 'all', y = 1 by name",
    "resources | join hint.remote=left kind=inner (resourcecontainers) on subscriptionId",
    "resources | project hash(name), w = hash(location, 10), parse_version('1.2.3'), format_ipv4('10.0.0.1', 24)",
    "resources | project column_ifexists('name', ''), column_ifexists('nosuch', 1), t = column_ifexists('tags', '')",
    "let v = view () { resources | project name }; v",
    "resources | summarize ['a b'] = count() by ['c d'] = name",
    "resources | summarize n = count() by x = iff(isempty(properties.x), 'none', properties.x)",
    "resources | project x = case(name == 'a', 1, name == 'b', 2.5, properties.n), y = properties.a + properties.b, z = -properties.a",
]


def test_forms_that_public_queries_use_are_bound_alike() -> None:
    """Each is one that was refused here while Microsoft's binder took it."""
    for text, verdict in zip(FORMS, judged(tuple(FORMS)), strict=True):
        assert not verdict["errors"], text
        columns = compile_query(text, now=NOW).columns
        assert [[column.name, str(column.type)] for column in columns] == verdict["schema"], text
