# ruff: noqa: E501 - queries and rows read better on one line
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
                                  "datatable (a:string) [name]", "datatable (a:number) [1]"])  # fmt: skip
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
        ("iscolumnexists('name')", True),
        ("format_bytes(564)", "564 B"),
        ("format_bytes(10332, 1)", "10.1 KB"),
        ("format_bytes(20010332, 2)", "19.08 MB"),
        ("format_bytes(20010332, 0, 'KB')", "19541 KB"),
        ("bin_at(6.5, 2.5, 7)", 4.5),
        (
            "bin_at(datetime(2017-05-17 10:20:00.0), 7d, datetime(2017-06-04 00:00:00.0))",
            "2017-05-14T00:00:00.0000000Z",
        ),
        ("array_split(dynamic([1,2,3,4,5]), 2)", [[1, 2], [3, 4, 5]]),
        ("array_split(dynamic([1,2,3,4,5]), dynamic([1,3,-2]))", [[1], [2, 3], [], [4, 5]]),
        ("array_rotate_left(dynamic([1,2,3,4,5]), 2)", [3, 4, 5, 1, 2]),
        ("array_rotate_left(dynamic([1,2,3,4,5]), -2)", [4, 5, 1, 2, 3]),
        ("array_rotate_right(dynamic([1,2,3,4,5]), 2)", [4, 5, 1, 2, 3]),
        ("array_shift_left(dynamic([1,2,3,4,5]), 2)", [3, 4, 5, None, None]),
        ("array_shift_left(dynamic([1,2,3,4,5]), -2, -1)", [-1, -1, 1, 2, 3]),
        ("array_shift_right(dynamic([1,2,3,4,5]), 2, -1)", [-1, -1, 1, 2, 3]),
        ("set_equals(dynamic([1,2,2]), dynamic([2,1]))", True),
        ("jaccard_index(dynamic([1,2,3]), dynamic([1,2,3,4,4,4]))", 0.75),
        ("bag_zip(dynamic(['a','b']), dynamic([1]))", {"a": 1, "b": None}),
        ("treepath(dynamic({'prop1':[1,2,3,4], 'prop2':'value2'}))", ["['prop1']", "['prop1'][0]", "['prop2']"]),
        ("bag_pack_columns(id, name)", {"id": "4", "name": "c"}),
        ("replace_strings('The quick', dynamic(['quick','The','T']), dynamic(['slow','A','x']))", "A slow"),
        ("regex_quote('a.b*')", "a\\.b\\*"),
        ("indexof_regex('abcabcdefg', @'a.c', 0, -1, 2)", 3),
        ("indexof_regex('abcabcdefg', 'z')", -1),
        ("has_any_index('this is an example', dynamic(['that', 'example', 'is']))", 1),
        ("has_any_index('this', dynamic(['thi']))", -1),
        ("has_ipv4('05:04:54 127.0.0.1 GET /favicon.ico 404', '127.0.0.1')", True),
        ("has_ipv4('05:04:54 127.0.0.256 GET', '127.0.0.256')", False),
        ("has_ipv4('05:04:54127.0.0.1 GET', '127.0.0.1')", False),
        ("has_ipv4_prefix('05:04:54 127.0.0.1 GET', '127.0.')", True),
        ("has_any_ipv4('GET 10.1.2.3', '1.1.1.1', '10.1.2.3')", True),
        ("has_any_ipv4_prefix('GET 10.1.2.3', dynamic(['1.', '10.1.']))", True),
        ("parse_ipv4_mask('192.1.168.2', 24)", 3221334016),
        ("parse_ipv6('127.0.0.1')", "0000:0000:0000:0000:0000:ffff:7f00:0001"),
        ("parse_ipv6_mask('fe80::85d:e82c:9446:7994', 120)", "fe80:0000:0000:0000:085d:e82c:9446:7900"),
        (
            "ipv6_is_in_range('a5e:f127:8a9d:146d:e102:b5d3:c755:abcd', 'a5e:f127:8a9d:146d:e102:b5d3:c755:0000/112')",
            True,
        ),
        ("ipv6_compare('192.168.1.1', '192.168.1.2', 112)", 0),
        ("ipv4_range_to_cidr_list('1.1.128.0', '1.1.140.255')", ["1.1.128.0/21", "1.1.136.0/22", "1.1.140.0/24"]),
        ("parse_path(@'C:\\temp\\file.txt').DirectoryPath", "C:\\temp"),
        ("parse_path(@'temp\\file.txt').Filename", "file.txt"),
        (
            "parse_path('file://C:/temp/file.txt:some.exe')",
            {
                "Scheme": "file",
                "RootPath": "C:",
                "DirectoryPath": "C:/temp",
                "DirectoryName": "temp",
                "Filename": "file.txt",
                "Extension": "txt",
                "AlternateDataStreamName": "some.exe",
            },
        ),
        ("parse_path('/usr/lib/temp/file.txt').DirectoryName", "temp"),
        ("base64_encode_fromguid(guid(ae3133f2-6e22-49ae-b06a-16e6a9b212eb))", "8jMxriJurkmwahbmqbIS6w=="),
        ("base64_decode_toguid('8jMxriJurkmwahbmqbIS6w==')", "ae3133f2-6e22-49ae-b06a-16e6a9b212eb"),
        ("base64_decode_toarray('S3VzdG8=')", [75, 117, 115, 116, 111]),
        ("base64_encode_fromarray(dynamic([75, 117, 115, 116, 111]))", "S3VzdG8="),
        ("unicode_codepoints_to_string(75, dynamic([117, 115]))", "Kus"),
        ("unicode_codepoints_from_string('Ku')", [75, 117]),
        ("datetime_utc_to_local(datetime(2024-07-01), 'Europe/Berlin')", "2024-07-01T02:00:00.0000000Z"),
        ("datetime_local_to_utc(datetime(2024-01-01), 'US/Pacific')", "2024-01-01T08:00:00.0000000Z"),
        ("isnull(datetime_utc_to_local(datetime(2024-07-01), 'Nowhere'))", True),
        ("unixtime_nanoseconds_todatetime(1546300800000000000)", "2019-01-01T00:00:00.0000000Z"),
        ("binary_shift_left(1, 3)", 8),
        ("binary_shift_right(-8, 1)", -4),
        ("bitset_count_ones(42)", 3),
        ("around(datetime(2024-01-02), datetime(2024-01-01), 1d)", True),
        ("round(atan2(1, 1) / pi(), 4)", 0.25),
        ("rand(1)", 0.0),
        ("strlen(tostring(new_guid()))", 36),
        ("todecimal('1.10') + 1", "2.10"),
        ("todecimal(0.1) == 0.1", True),
        ("decimal(7) / 2", "3.5"),
        ("decimal(-7) % 2", "1"),
        ("tolong(decimal(7.9))", 7),
        ("round(decimal(2.155), 2)", "2.16"),
        ("bin(decimal(7), 2)", "6"),
        ("todecimal('seven')", None),
        ("tostring(pack('a', decimal(1.5)))", '{"a":"1.5"}'),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("union resources, (resources | take 1) | count", [(5,)]),
        ("union (resources | where name == 'a' | project id), (resources | where name == 'c' | project id)", [("1",), ("4",)]),
        ("union kind=inner withsource=t resources, resourcecontainers | summarize count() by t", [("resources", 4)]),
        ("let both = union resources, resourcecontainers; both | count", [(4,)]),
        ("resources | where id in (union (resources | take 1), (resources | take 2) | project id) | project id", [("1",), ("2",)]),
        ("resources | join kind=inner (union resources, resourcecontainers | project id) on id | count", [(4,)]),
        ("resources | extend n = toscalar(union resources, resources | count) | take 1 | project n", [(8,)]),
        ("union resources | count", [(4,)]),
    ],
)  # fmt: skip
def test_a_union_may_begin_a_query(text: str, expected: list[tuple[object, ...]]) -> None:
    """Public queries write so; the documentation shows it behind a pipe only, and does not exclude it."""
    assert answer(text) == expected


DISKS = [
    {"id": "a", "properties": {"disks": [{"n": 3, "gb": 64}, {"n": 1, "gb": 32}, {"n": 2, "gb": 128}]}},
    {"id": "b", "properties": {"disks": [{"n": 9, "gb": 8}]}},
    {"id": "c", "properties": {"disks": []}},
    {"id": "d", "properties": {}},
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("d = properties.disks on (where d.gb > 32) | project id, n = d.n", [("a", 3), ("a", 2)]),
        ("d = properties.disks on (top 1 by toint(d.gb) | project gb = d.gb) | project id, gb", [("a", 128), ("b", 8), ("d", None)]),
        ("d = properties.disks on (summarize total = sum(toint(d.gb)), c = count()) | project id, total, c",
         [("a", 224, 3), ("b", 8, 1), ("d", 0, 1)]),
        ("d = properties.disks on (order by toint(d.n) asc | extend r = row_number() | where r == 1 | project n = d.n) | project id, n",
         [("a", 1), ("b", 9), ("d", None)]),
        ("with_itemindex=i d = properties.disks limit 2 on (where i == 1) | project id, i, n = d.n", [("a", 1, 1)]),
        ("k = dynamic([1, 2]) to typeof(long) on (where k > 1) | project id, k", [("a", 2), ("b", 2), ("c", 2), ("d", 2)]),
        ("d = properties.disks on (mv-expand x = pack_array(d.n, d.gb) | where x == 64) | project id, x", [("a", 64)]),
    ],
)  # fmt: skip
def test_mv_apply_runs_operators_over_what_each_row_expands_to(text: str, expected: list[tuple[object, ...]]) -> None:
    """The row's own columns stay beside what the operators give; an empty array leaves no row."""
    assert ask(f"resources | mv-apply {text}", DISKS).rows == expected


def test_the_columns_of_an_mv_apply() -> None:
    """Those of the row in their order, then what is new; a column that the operators drop is the row's own again."""
    table = ask(
        "resources | project id, p = properties.disks | mv-apply p on (where p.n == 9 | project m = p.n)", DISKS
    )
    assert [column.name for column in table.columns] == ["id", "p", "m"]
    assert table.rows == [("b", [{"n": 9, "gb": 8}], 9)]


def test_any_column_may_be_searched() -> None:
    """`*` stands for each column, numbers and bags read as texts."""
    assert answer("resources | where * has 'three' | project id") == [("3",)]
    assert answer("resources | extend n = 77 | where * contains '77' | count") == [(4,)]


def test_a_let_value_gives_its_name_and_a_function_its_default() -> None:
    """A column made of a let name is called so; a parameter with a default may be left out."""
    assert [column.name for column in ask("let x = 3; resources | project x, y = x", ROWS).columns] == ["x", "y"]
    text = "let f = (a:string, n:long = 2) { strcat(a, n) }; resources | take 1 | project f(name), f(name, 5)"
    assert answer(text) == [("a2", "a5")]


def test_flags_of_a_regex_parse() -> None:
    """`U` turns greedy and lazy round, `i` ignores case."""
    rows = [{"id": "/subscriptions/s/resourceGroups/g/x/y"}]
    text = "resources | parse kind=regex flags=Ui id with '.*/RESOURCEGROUPS/' rg '/' rest | project rg"
    assert ask(text, rows).rows == [("g",)]


def test_decimals_are_grouped_summed_and_ordered() -> None:
    """Exactly, which reals are not."""
    text = "resources | extend d = todecimal('0.1') * tolong(id) | summarize s = sum(d), a = avg(d), m = max(d), c = dcount(d)"
    assert answer(text) == [("1.0", "0.25", "0.4", 4)]
    assert answer(
        "resources | extend d = todecimal(id) | where d in (1, 2.0) and d between (1 .. 1.5) | project d"
    ) == [("1",)]


def test_a_schema_is_built_of_all_values() -> None:
    """The documentation's example."""
    bags = [{"x": 1, "y": 3.5}, {"x": "somevalue", "z": [1, 2, 3]}, {"y": {"w": "zzz"}, "t": ["aa"], "z": ["foo"]}]
    rows = [{"tags": bag} for bag in bags]
    assert ask("resources | summarize buildschema(tags)", rows).rows == [
        ({"x": ["long", "string"], "y": ["double", {"w": "string"}], "z": {"`indexer`": ["long", "string"]}, "t": {"`indexer`": "string"}},)
    ]  # fmt: skip


def test_a_column_that_only_a_query_which_names_it_sees() -> None:
    """Resource Graph's documentation shows `distinct type, apiVersion`; no answer shows the column by itself."""
    rows = [{"id": "1", "type": "a"}]
    assert ask("resources | distinct type, apiVersion | where isnotnull(apiVersion)", rows).rows == [("a", "")]
    assert "apiVersion" not in [column.name for column in ask("resources | extend x = 1", rows).columns]
    assert ask("resources | project id | union withsource=t resources | summarize count() by t", rows).rows == [
        ("union_arg0", 1),
        ("resources", 1),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("let a = materialize(resources | where name == 'b'); a | count", [(2,)]),
        ("resources | where name matches regex tostring(properties.at) | count", [(2,)]),
        ("resources | extend limit = 1, top = 2 | where limit == 1 and top != 3 | count", [(4,)]),
        ("resources | take 1 | extend order = 3, take = 4 | project order, take | order by order asc", [(3, 4)]),
        ("resources | extend 1st = 1 | where 1st == 1 | count", [(4,)]),
        ("resources | where name notcontains 'B' and name containscs 'a' | project id", [("1",)]),
        (
            "resources | take 1 | project datetime(2020), datetime(2020-03)",
            [("2020-01-01T00:00:00.0000000Z", "2020-03-01T00:00:00.0000000Z")],
        ),
    ],
)
def test_forms_that_are_seldom_written(text: str, expected: list[tuple[object, ...]]) -> None:
    """An operand from a row, names like words of the language, older spellings, parts of a date."""
    assert answer(text) == expected


def test_odd_decimals_are_null() -> None:
    """What has too many digits, no value or no end; nothing raises."""
    row = answer(
        "resources | take 1 | extend big = todecimal('1e39'), zero = todecimal(0) "
        "| project a = big * big, b = big / zero, c = big % zero, d = todecimal('1e99'), e = todecimal('nan'), "
        "f = round(big, 30), g = bin(big, decimal(0.001)), h = -big, i = toreal(big), j = tolong(big)"
    )[0]
    assert row[:5] == (None, None, None, None, None)
    assert row[6:] == (None, "-1" + "0" * 39, 1e39, 9223372036854775807)


@pytest.mark.parametrize(
    "text",
    ["union resources, resourcecontainers", "resources | mv-apply x = tags on (take 1)", "resources | serialize",
     "resources | lookup (resourcecontainers) on id", "datatable (a:long) [1]", "resources | project-keep id",
     "resources | join (union resources) on id"],
)  # fmt: skip
def test_operators_that_are_not_documented_can_be_refused(text: str) -> None:
    """`graph_operators` of the profile; what is documented goes on to run."""
    compile_query(text, now=NOW)
    with pytest.raises(KqlError, match="is not part of"):
        compile_query(text, now=NOW, listed_only=True)
    compile_query("resources | union resourcecontainers | parse id with 'a' b | count", now=NOW, listed_only=True)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "summarize count(), count_ = sum(1), arg_max(id, name), name = dcount(id)",
            ["count_", "count_1", "id", "name", "name1"],
        ),
        ("project a = 1, now() | summarize strcat(count(), 'x'), strcat(count(), 'y')", ["Column2", "Column3"]),
        (
            "summarize take_any(strcat(name, 'a'), name), arg_min(id, strcat(name, 'b'))",
            ["any_arg0", "name", "id", "min_id_arg1"],
        ),
        (
            "project split(id, '/')[-1], split(id, '/')[0], properties.a[name], parse_json(strcat(name, 'x')).b",
            ["id_", "id_0", "properties_a_", "b"],
        ),
    ],
)
def test_columns_that_a_query_does_not_name(text: str, names: list[str]) -> None:
    """As Microsoft's binder calls them, for whoever refers to them behind the pipe."""
    assert [column.name for column in ask(f"resources | {text}", ROWS).columns] == names


def test_a_name_is_written_once() -> None:
    """Two columns of one written name are refused, and one of a key; one that an aggregate brings is numbered."""
    for text in ("x = count(), x = sum(1)", "name = count() by name"):
        with pytest.raises(KqlError, match="already declared"):
            compile_query(f"resources | summarize {text}", now=NOW)
