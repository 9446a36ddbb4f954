# ruff: noqa: E501 - queries read better on one line
"""Microsoft's own parser and binder as a judge of what is accepted and of the columns' names and types.

Optional: needs Node and `npm --prefix tests/oracles install`; skipped, saying so, without. It judges Kusto, not
Resource Graph, so what Resource Graph alone refuses or allows is left out by name.
"""

import json
import os
import re
import shutil
import subprocess
from bisect import bisect_right
from functools import cache
from pathlib import Path

import pytest
from tests.emulator.kql.asking import NOW
from tests.emulator.kql.corpus import CORPUS
from tests.emulator.kql.published import QUERIES
from tests.emulator.kql.published import REFUSED as REFUSED_QUERIES
from tests.emulator.kql.signatures import LETTERS, PLACE, REFUSED, Asked, forms, rows, table

from arm_emulator.kql import compile_query

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
    names = [name for name in REFUSED_QUERIES if name not in KUSTO_ONLY]
    verdicts = judged(tuple(REFUSED_QUERIES[name][0] for name in names))
    for name, verdict in zip(names, verdicts, strict=True):
        assert verdict["errors"], name


# Where our table of types need not agree with the binder: patterns of a row's title, and the reason.
STRICTER = {
    r"\w+ (==|!=|in|!in) ": "a cluster asks for a cast of one side, or the comparison means nothing",
    r"dynamic (<|>|<=|>=) \*": "a cluster asks for a cast of one of two dynamics",
    r"\w+ [-+*/%] \*|[-+]\*": "datetimes and timespans are multiplied, divided and negated without a documented meaning",
    r"(bin|bin_at|around|range)\(": "what a mix of numbers and times means is not documented",
    r"(sum|stdev|variance|percentiles?|binary_all_)\w*\(": "the documentation has it of numbers only",
}
LOOSER = {
    r"(bool|datetime|timespan|dynamic) (<|>|<=|>=|between|!between) ": "published queries compare a dynamic with a datetime",
    r"\w+ !?between ": "a dynamic or a bool stands between two bounds as it stands beside one",
    r"coalesce\(": "published queries give a default to a dynamic",
}
OURS = {r"column_ifexists\(": "a column that is there keeps its type"}
SHIFT = "kinds | "


def reason(title: str, mine: str, theirs: str) -> bool:
    """Whether a difference is among the named exceptions."""
    known = OURS | (STRICTER if mine == REFUSED else LOOSER if theirs == REFUSED else {})
    return any(re.match(pattern, title) for pattern in known)


def judged_row(operator: str, texts: list[str]) -> tuple[str, list[int]]:
    """One query for a whole row of the table, and where each of its expressions begins."""
    query, places = f"{SHIFT}{operator} ", []
    for number, text in enumerate(texts):
        query += f"{', ' if number else ''}x{number} = "
        places.append(len(query))
        query += text
    return query, places


def letters(verdict: dict[str, list[object]], places: list[int]) -> str:
    """What the judge makes of each expression of such a query."""
    kinds = dict(verdict["schema"])
    wrong = {bisect_right(places, place) - 1 for place in verdict["places"]}
    return "".join(REFUSED if number in wrong else LETTERS[kinds[f"x{number}"]] for number in range(len(places)))


def test_operators_and_functions_take_the_types_that_kusto_gives_them() -> None:
    """Every type in every place: refused by both, or of one type, but for the named exceptions."""
    asked = [judged_row(operator, texts) for _, operator, texts in rows()]
    wrong = []
    for line, (_, places), verdict in zip(table(), asked, judged(tuple(query for query, _ in asked)), strict=True):
        title, mine = line.split("\t")
        theirs = letters(verdict, places)
        if any(one != other and not reason(title, one, other) for one, other in zip(mine, theirs, strict=True)):
            wrong.append(f"{title}: {mine}, the judge {theirs}")
    assert not wrong


def test_columns_without_a_name_are_called_as_kusto_calls_them() -> None:
    """Of every function and aggregate, over columns and over constants."""
    plain = [(operator, PLACE.sub(r"\1_", form)) for operator, form in forms()]
    verdicts = judged(tuple(f"{SHIFT}{operator} {form}" for operator, form in plain))
    mine = [Asked().columns(operator, form) for operator, form in plain]
    wrong = [
        (form, columns, verdict["schema"])
        for (_, form), columns, verdict in zip(plain, mine, verdicts, strict=True)
        if [name for name, _ in columns] != [name for name, _ in verdict["schema"]]
    ]
    assert not wrong


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
    "union withsource=t (resources | project id, x = 1), (resourcecontainers | project id, x = 'a')",
    "let both = materialize(union resources, resourcecontainers); both | summarize count () by type",
    "resources | mv-apply d = properties.disks on (where d.size > 3 | project n = d.name, name = 'x')",
    "resources | mv-apply with_itemindex=i d = properties.disks to typeof(string) limit 3 on (summarize l = make_list(d) by i)",
    "resources | mv-apply properties.disks on (top 1 by tostring(properties_disks.name)) | mv-expand pack_array(1), split(name, '-')",
    "resources | where * has 'x' | project d = todecimal('1.5') + 1, e = decimal(1) > 2, f = round(decimal(1.25), 1), g = -decimal(1)",
    "resources | summarize s = sum(todecimal(name)), a = avg(todecimal(name)), p = percentile(todecimal(name), 5), buildschema(tags)",
    "let f = (a:string, n:long = 3) { strcat(a, n) }; let x = 3; resources | project f(name), f(name, 5), x",
    "resources | where name matches regex strcat('^', location) and name notcontains 'a' | extend order = 1, take = 2 | project order, take",
    "resources | parse kind=regex flags=Ui id with '.*/groups/' rg '/' rest | project rg, datetime(2020), 1st = 1",
    "resources | summarize count(), count_ = sum(1), arg_max(id, name), name = strcat(count(), 'x'), strcat(count(), 'y') by strcat(name, 'a')",
    "resources | summarize take_any(strcat(name, 'a'), name, strcat(name, 'b')), arg_max(name, strcat(name, 'b')), argmax(name, strcat(name, 'b'), id), any(strcat(name, 'c'))",
    "resources | project split(id, '/')[-1], properties.a[-1].b, tags[name], split(strcat(name, 'x'), '/')[0], parse_json(strcat(name, 'x')).c.d",
    "resources | project name, ago(7d) | summarize strcat(count(), '/'), max(strcat(name, 'a')), percentiles(strlen(name) + 1, 5, 10) by tolower(name)",
]


def test_forms_that_public_queries_use_are_bound_alike() -> None:
    """Each is one that was refused here while Microsoft's binder took it."""
    for text, verdict in zip(FORMS, judged(tuple(FORMS)), strict=True):
        assert not verdict["errors"], text
        columns = compile_query(text, now=NOW).columns
        assert [[column.name, str(column.type)] for column in columns] == verdict["schema"], text
