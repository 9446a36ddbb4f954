# ruff: noqa: E501 - a form is one line
"""One call of every function and aggregate, and every operator, with the types that stand in them in braces.

`table()` puts each type into each place in turn, the others being as written, and tells what our binder makes of it:
the type of the result, or that it is refused. `types.txt` keeps the answer; Microsoft's binder judges it (`make
oracles`). After a change that is meant, write it anew:

    python -m tests.emulator.kql.signatures > tests/emulator/kql/types.txt
"""

import re
import sys
from collections.abc import Iterator

from tests.emulator.kql.asking import NOW

from arm_emulator.kql import KqlError
from arm_emulator.kql.binder_queries import QueryBinder
from arm_emulator.kql.binder_tables import TableOperators
from arm_emulator.kql.parser import parse
from arm_emulator.kql.plan import Scan
from arm_emulator.kql.relation import Relation
from arm_emulator.kql.scopes import Lets, Row
from arm_emulator.kql.types import Slot, Type

LETTERS = {
    "bool": "b", "int": "i", "long": "l", "real": "r", "decimal": "m", "string": "s", "datetime": "d",
    "timespan": "t", "guid": "g", "dynamic": "y",
}  # fmt: skip
REFUSED = "-"
OPERATORS = [
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "=~",
    "!~",
    "contains",
    "!contains",
    "contains_cs",
    "startswith",
    "endswith",
    "has",
    "has_cs",
    "hasprefix",
    "hassuffix",
    "and",
    "or",
]
PAIRS = [
    *(f"{{a}} {word} {{b}}" for word in OPERATORS),
    "{a} in ({b})", "{a} !in ({b})", "{a} in~ ({b})", "{a} has_any ({b})", "{a} has_all ({b})",
    "{a} between ({b} .. {b})", "{a} !between ({b} .. {b})", "{b}[{a}]",
    "iff(true, {a}, {b})", "case(true, {a}, {b})", "coalesce({a}, {b})", "max_of({a}, {b})", "min_of({a}, {b})",
]  # fmt: skip
CALLS = """
iff({bool}, 1, 2) | iif({bool}, 1, 2) | case({bool}, 1, 2) | -{long} | +{long} | {string} matches regex 'a' | not({bool})
tostring({long}) | toint({long}) | tolong({int}) | toreal({long}) | todouble({long}) | todecimal({long}) | tobool({long})
toboolean({long}) | todatetime({string}) | totimespan({string}) | totime({string}) | toguid({string}) | todynamic({string})
parse_json({string}) | parsejson({string}) | toobject({string}) | isnull({long}) | isnotnull({long}) | notnull({long})
isempty({string}) | isnotempty({string}) | notempty({string}) | gettype({long}) | strcat({string}, {string})
abs({long}) | bin({long}, {long}) | bin({datetime}, {timespan}) | floor({real}, {real}) | bin_at({long}, {long}, {long})
bin_at({datetime}, {timespan}, {datetime}) | around({long}, {long}, {long}) | around({datetime}, {datetime}, {timespan})
ceiling({real}) | round({real}, 2) | round({real}) | sign({real}) | sqrt({real}) | exp({real}) | exp2({real})
exp10({real}) | log({real}) | log2({real}) | log10({real}) | pow({real}, {real}) | isnan({real}) | isinf({real})
isfinite({real}) | pi() | sin({real}) | cos({real}) | tan({real}) | asin({real}) | acos({real}) | atan({real})
atan2({real}, {real}) | cot({real}) | degrees({real}) | radians({real}) | gamma({real}) | loggamma({real}) | erf({real})
erfc({real}) | rand() | new_guid() | binary_and({long}, {long}) | binary_or({long}, {long}) | binary_xor({long}, {long})
binary_not({long}) | binary_shift_left({long}, {long}) | binary_shift_right({long}, {long}) | bitset_count_ones({long})
format_bytes({long}, 1) | hash({string}) | hash({string}, {long}) | hash_xxhash64({string}) | parse_version({string})
hash_md5({string}) | hash_sha1({string}) | hash_sha256({string}) | tohex({long}) | tohex({long}, {long})
tolower({string}) | toupper({string}) | strlen({string}) | string_size({string}) | reverse({string})
substring({string}, {long}) | substring({string}, {long}, {long}) | indexof({string}, {string})
indexof({string}, {string}, 0, -1, 1) | indexof_regex({string}, 'a') | split({string}, {string})
split({string}, {string}, {long}) | strcat_delim({string}, {string}, {string}) | strcat_array({dynamic}, {string})
array_strcat({dynamic}, {string}) | strrep({string}, {long}, {string}) | strcmp({string}, {string})
replace_string({string}, {string}, {string}) | replace_strings({string}, {dynamic}, {dynamic})
replace_regex({string}, 'a', 'b') | replace('a', 'b', {string}) | regex_quote({string}) | extract('(a)', 1, {string})
extract('(a)', 1, {string}, typeof(long)) | extract_all('(a)', {string}) | extractall('(a)', {string})
trim('a', {string}) | trim_start('a', {string}) | trim_end('a', {string}) | countof({string}, {string})
translate({string}, {string}, {string}) | url_encode({string}) | url_encode_component({string}) | url_decode({string})
base64_encode_tostring({string}) | base64_encodestring({string}) | base64_decode_tostring({string})
base64_decodestring({string}) | base64_decode_toarray({string}) | base64_encode_fromarray({dynamic})
base64_decode_toguid({string}) | base64_encode_fromguid({guid}) | isascii({string}) | isutf8({string})
unicode_codepoints_from_string({string}) | to_utf8({string}) | unicode_codepoints_to_string({long}, {long})
make_string({long}) | parse_csv({string}) | parse_url({string}) | parseurl({string}) | parse_urlquery({string})
parseurlquery({string}) | parse_path({string}) | has_any_index({string}, {dynamic})
array_length({dynamic}) | arraylength({dynamic}) | array_reverse({dynamic}) | array_sum({dynamic}) | bag_keys({dynamic})
array_index_of({dynamic}, {string}) | array_index_of({dynamic}, {long}, {long}) | array_slice({dynamic}, {long}, {long})
array_concat({dynamic}, {dynamic}) | array_sort_asc({dynamic}) | array_sort_desc({dynamic}) | set_union({dynamic}, {dynamic})
set_intersect({dynamic}, {dynamic}) | set_difference({dynamic}, {dynamic}) | set_has_element({dynamic}, {string})
set_equals({dynamic}, {dynamic}) | jaccard_index({dynamic}, {dynamic}) | bag_has_key({dynamic}, {string})
bag_merge({dynamic}, {dynamic}) | bag_remove_keys({dynamic}, {dynamic}) | bag_set_key({dynamic}, 'a', {long})
bag_zip({dynamic}, {dynamic}) | bag_pack({string}, {long}) | pack({string}, {long}) | pack_dictionary({string}, {long})
bag_pack_columns({string}, {long}) | pack_array({long}, {string}) | pack_all() | zip({dynamic}, {dynamic})
repeat({long}, {long}) | range({long}, {long}) | range({long}, {long}, {long}) | array_iff({dynamic}, {dynamic}, {dynamic})
array_iif({dynamic}, {dynamic}, {dynamic}) | array_split({dynamic}, {long}) | array_rotate_left({dynamic}, {long})
array_rotate_right({dynamic}, {long}) | array_shift_left({dynamic}, {long}, {long}) | array_shift_right({dynamic}, {long})
treepath({dynamic}) | dynamic_to_json({dynamic}) | extract_json('$.a', {string}) | extractjson('$.a', {string})
column_ifexists('string_', {string}) | columnifexists('none', {long}) | iscolumnexists('string_')
parse_ipv4({string}) | parse_ipv4_mask({string}, {long}) | ipv4_compare({string}, {string}, {long})
ipv4_is_match({string}, {string}) | ipv4_is_in_range({string}, {string}) | ipv4_is_in_any_range({string}, {string})
ipv4_is_private({string}) | ipv4_netmask_suffix({string}) | ipv4_range_to_cidr_list({string}, {string})
format_ipv4({string}, {long}) | format_ipv4_mask({string}, {long}) | parse_ipv6({string}) | parse_ipv6_mask({string}, {long})
ipv6_compare({string}, {string}) | ipv6_is_match({string}, {string}) | ipv6_is_in_range({string}, {string})
ipv6_is_in_any_range({string}, {string}) | has_ipv4({string}, {string}) | has_any_ipv4({string}, {string})
has_ipv4_prefix({string}, {string}) | has_any_ipv4_prefix({string}, {string})
now({timespan}) | ago({timespan}) | startofday({datetime}, {long}) | startofweek({datetime}) | startofmonth({datetime})
startofyear({datetime}) | endofday({datetime}, {long}) | endofweek({datetime}) | endofmonth({datetime})
endofyear({datetime}) | dayofweek({datetime}) | dayofmonth({datetime}) | dayofyear({datetime}) | weekofyear({datetime})
week_of_year({datetime}) | monthofyear({datetime}) | getmonth({datetime}) | getyear({datetime}) | hourofday({datetime})
datetime_add('day', {long}, {datetime}) | datetime_diff('day', {datetime}, {datetime}) | datetime_part('day', {datetime})
datepart('day', {datetime}) | make_datetime({long}, {long}, {long}) | make_timespan({long}, {long})
unixtime_seconds_todatetime({long}) | unixtime_milliseconds_todatetime({long}) | unixtime_microseconds_todatetime({long})
unixtime_nanoseconds_todatetime({long}) | datetime_local_to_utc({datetime}, 'UTC')
datetime_utc_to_local({datetime}, 'UTC') | datetime_list_timezones() | format_datetime({datetime}, 'yyyy')
format_timespan({timespan}, 'd')
"""
AGGREGATES = """
count() | countif({bool}) | sum({long}) | sumif({long}, {bool}) | avg({long}) | avgif({long}, {bool}) | min({long})
minif({long}, {bool}) | max({long}) | maxif({long}, {bool}) | dcount({string}) | dcountif({string}, {bool})
count_distinct({string}) | count_distinctif({string}, {bool}) | stdev({long}) | stdevif({long}, {bool}) | stdevp({long})
variance({long}) | varianceif({long}, {bool}) | variancep({long}) | variancepif({long}, {bool}) | make_list({string})
make_list({string}, 5) | makelist({string}) | make_list_if({string}, {bool}) | make_list_with_nulls({string})
make_set({string}) | makeset({string}) | make_set_if({string}, {bool}) | make_bag({dynamic}) | make_dictionary({dynamic})
make_bag_if({dynamic}, {bool}) | percentile({long}, 50) | percentiles({long}, 50, 90) | percentiles_array({long}, 50, 90)
take_any({string}) | any({string}) | take_anyif({string}, {bool}) | anyif({string}, {bool}) | arg_max({long}, {string})
arg_min({long}, {string}) | argmax({long}, {string}) | argmin({long}, {string}) | binary_all_and({long})
binary_all_or({long}) | binary_all_xor({long}) | buildschema({dynamic})
"""
PLACE = re.compile(r"\{(\w+)\}")


def _forms(text: str) -> list[str]:
    return [form.strip() for line in text.strip().splitlines() for form in line.split(" | ")]


def forms() -> Iterator[tuple[str, str]]:
    """Every call with the operator that it stands in."""
    yield from (("project", form) for form in _forms(CALLS))
    yield from (("summarize", form) for form in _forms(AGGREGATES))


def _columned(form: str) -> str:
    return PLACE.sub(r"\1_", form)


def rows() -> Iterator[tuple[str, str, list[str]]]:
    """The rows of the table: a title, an operator, and one expression for each type in the order of `LETTERS`."""
    for pair in PAIRS:
        for left in LETTERS:
            title = pair.replace("{a}", left).replace("{b}", "*")
            texts = [pair.replace("{a}", f"{left}_").replace("{b}", f"{right}_") for right in LETTERS]
            yield title, "project", texts
    for operator, form in forms():
        places = list(PLACE.finditer(form))
        if not places:
            yield form, operator, [form]
        for place in places:
            before, behind = form[: place.start()], form[place.end() :]
            texts = [f"{_columned(before)}{kind}_{_columned(behind)}" for kind in LETTERS]
            yield f"{before}*{behind}", operator, texts


class Asked:
    """Binds expressions over a row that has one column of each type, called `long_` and so on."""

    def __init__(self) -> None:
        scalars = QueryBinder(NOW).scalars
        self._space = scalars.space
        self._operators = TableOperators(scalars)
        self._slots = tuple(Slot(f"{kind}_", Type(kind)) for kind in LETTERS)

    def columns(self, operator: str, text: str) -> list[tuple[str, str]]:
        """The names and types of what `project` or `summarize` makes of an expression; none where it is refused."""
        relation = Relation(Scan("kinds", self._slots, self._space), Row(self._slots), self._space)
        try:
            tree = parse(f"kinds | {operator} {text}").query.operators[0]
            bind = self._operators.project if operator == "project" else self._operators.summarize
            return [(slot.name, str(slot.type)) for slot in bind(relation, tree, Lets()).row.slots]
        except KqlError:
            return []


def table() -> Iterator[str]:
    """The lines of the table: a row's title, and for each type that stands at its `*` the letter of the result."""
    asked = Asked()
    for title, operator, texts in rows():
        found = [asked.columns(operator, text) for text in texts]
        yield f"{title}\t{''.join(LETTERS[columns[0][1]] if columns else REFUSED for columns in found)}"


if __name__ == "__main__":
    sys.stdout.write("\n".join([*table(), ""]))
