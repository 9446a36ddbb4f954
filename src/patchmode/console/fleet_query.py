"""Which machines of the fleet are shown: filters, order and page, read from a URL and written to one.

Must not: know HTML. Everything here is a pure function of the fleet and the query.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from patchmode.console.fleet import Fleet, Row
from patchmode.console.paging import Page
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plain_text import marked

PAGE_SIZES = (50, 100, 200)
FACETS = ("readiness", "outcome", "orchestration")
"""Counted beside the table: each with every filter but its own."""
Test = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. Empty members do not narrow; several values of one widen."""

    q: str = ""
    """Words that group or name must hold, or a resource id."""
    subscription: tuple[str, ...] = ()
    group: str = ""
    location: tuple[str, ...] = ()
    os: tuple[str, ...] = ()
    tag: str = ""
    """`KEY` or `KEY=VALUE`."""
    schedule: tuple[str, ...] = ()
    """Ids of configurations."""
    readiness: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    orchestration: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    """Ids of rules."""
    sort: str = "name"
    """A key of `ORDERS`, with a `-` before it for the other way round."""
    page: int = 1
    size: int = PAGE_SIZES[0]
    attach: str = ""
    """The schedule to which machines are chosen; it filters nothing."""
    detach: str = ""
    """The schedule from which machines are chosen; it filters nothing."""

    @property
    def cleared(self) -> str:
        """The query string without filters, for the same purpose."""
        return Query(attach=self.attach, detach=self.detach).url()

    @property
    def has_filter(self) -> bool:
        """Whether anything narrows."""
        return bool(tests_of(self))

    def url(self, **changes: Any) -> str:
        """The query string, with some members changed; the page starts anew unless it is one of them."""
        changed = replace(self, **{"page": 1, **changes})
        pairs: list[tuple[str, str]] = []
        for member in fields(self):
            value = getattr(changed, member.name)
            if value == member.default:
                continue
            values = value if isinstance(value, tuple) else (value,)
            pairs += [(member.name, str(one)) for one in values]
        return f"?{urlencode(pairs)}" if pairs else "?"

    def toggled(self, member: str, value: str) -> str:
        """The query string with one value of a member added, or taken away where it is there."""
        values = getattr(self, member)
        kept = tuple(one for one in values if one != value)
        return self.url(**{member: kept if value in values else (*values, value)})

    def sorted_by(self, key: str) -> str:
        """The query string that sorts by a column, the other way round where it is sorted by it already."""
        return self.url(sort=f"-{key}" if self.sort == key else key)


def parse_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """The query in a URL; what it does not know, or cannot be read, is left out.

    Args:
        pairs: names and values in order; a name may come several times.
    """
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        if value.strip():
            values.setdefault(name, []).append(value.strip())
    found: dict[str, Any] = {}
    for member in fields(Query):
        if member.name not in values:
            continue
        given = values[member.name]
        if isinstance(member.default, tuple):
            found[member.name] = tuple(dict.fromkeys(given))
        elif isinstance(member.default, int):
            found[member.name] = whole_number(given[-1], member.default)
        else:
            found[member.name] = given[-1]
    query = Query(**found)
    known_sort = query.sort if query.sort.removeprefix("-") in ORDERS else "name"
    size = query.size if query.size in PAGE_SIZES else PAGE_SIZES[0]
    return replace(query, sort=known_sort, size=size, page=max(1, query.page))


def whole_number(text: str, otherwise: int) -> int:
    """A number of an address; `otherwise` where it is none, or longer than anything that is counted here."""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else otherwise


_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Shown(Page[Row]):
    """One page of what was found, and the counts beside it."""

    facets: Mapping[str, Counter[str]]
    """Facet → value → machines that the other filters let through."""


def tests_of(query: Query) -> dict[str, Test]:
    """What each filter of a query lets through."""
    tests: dict[str, Test] = {}
    if query.q:
        tests["q"] = _search(query.q)
    for member, attribute in (("subscription", "subscription_id"), ("location", "location"), ("os", "os")):
        wanted = frozenset(getattr(query, member))
        if wanted:
            tests[member] = _one_of(attribute, wanted)
    if query.group:
        group = query.group.casefold()
        tests["group"] = lambda row: row.resource_group.casefold() == group
    if query.tag:
        tests["tag"] = _tagged(query.tag)
    if query.schedule:
        ids = frozenset(one.casefold() for one in query.schedule)
        tests["schedule"] = lambda row: any(one.id.casefold() in ids for one in row.schedules)
    for member in FACETS:
        wanted = frozenset(getattr(query, member))
        if wanted:
            tests[member] = _one_of(member, wanted)
    if query.reason:
        rules = frozenset(query.reason)
        tests["reason"] = lambda row: not rules.isdisjoint(row.rules)
    return tests


def _one_of(attribute: str, wanted: frozenset[str]) -> Test:
    return lambda row: getattr(row, attribute) in wanted


def _search(text: str) -> Test:
    folded = text.casefold()
    if folded.startswith("/"):
        return lambda row: row.id.casefold().startswith(folded)
    words = folded.split()
    return lambda row: all(word in row.folded for word in words)


def _tagged(text: str) -> Test:
    """Keys ignore case, as Azure's do; values do not. Either may hold an equals sign."""
    folded = text.casefold()

    def is_it(key: str, value: str) -> bool:
        own = key.casefold()
        return folded == own or (folded.startswith(f"{own}=") and text[len(key) + 1 :] == value)

    # What a page offers has marks in place of what would steer it.
    return lambda row: any(is_it(key, value) or is_it(marked(key), marked(value)) for key, value in row.tags)


def _moment(row: Row) -> tuple[bool, float]:
    window = row.next_window
    return window is None, window.timestamp() if window else 0.0


_OUTCOME_ORDER = {kind: place for place, kind in enumerate(OutcomeKind)}
_ORCHESTRATION_ORDER = {one: place for place, one in enumerate(Orchestration)}
ORDERS: dict[str, Callable[[Row], Any]] = {
    "name": lambda row: row.name.casefold(),
    "group": lambda row: row.resource_group.casefold(),
    "subscription": lambda row: row.subscription_id,
    "location": lambda row: row.location,
    "os": lambda row: row.os,
    "orchestration": lambda row: _ORCHESTRATION_ORDER[row.orchestration],
    "outcome": lambda row: _OUTCOME_ORDER[row.outcome],
    "window": _moment,
}
"""Columns that the table can be sorted by; rows that are equal there stay in the order of their ids."""


class Orders:
    """The rows of one fleet in each order asked for, sorted once."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._sorted: dict[str, Sequence[Row]] = {}

    def by(self, sort: str) -> Sequence[Row]:
        """Every row in an order of `Query.sort`."""
        if sort not in self._sorted:
            key = ORDERS[sort.removeprefix("-")]
            self._sorted[sort] = sorted(self.fleet.rows, key=key, reverse=sort.startswith("-"))
        return self._sorted[sort]

    def found(self, query: Query) -> list[Row]:
        """Every row that the query lets through, in its order."""
        tests = tuple(tests_of(query).values())
        return [row for row in self.by(query.sort) if all(test(row) for test in tests)]

    def show(self, query: Query) -> Shown:
        """The page asked for, or the last one where there are fewer."""
        found, facets = self._found_and_counted(query)
        return Shown.of(found, query.page, query.size, facets=facets)

    def _found_and_counted(self, query: Query) -> tuple[list[Row], dict[str, Counter[str]]]:
        """One pass: a row that a facet's own filter alone keeps out counts for that facet."""
        tests = tests_of(query)
        own = {facet: tests.pop(facet, None) for facet in FACETS}
        plain = tuple(tests.values())
        facets: dict[str, Counter[str]] = {facet: Counter() for facet in FACETS}
        found = []
        for row in self.by(query.sort):
            if not all(test(row) for test in plain):
                continue
            failing = [facet for facet, test in own.items() if test is not None and not test(row)]
            if not failing:
                found.append(row)
            for facet in FACETS:
                if not failing or failing == [facet]:
                    facets[facet][getattr(row, facet)] += 1
        return found, facets


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer, with counts of the whole fleet; the most frequent first."""

    subscription: Sequence[tuple[str, int]]
    group: Sequence[tuple[str, int]]
    location: Sequence[tuple[str, int]]
    os: Sequence[tuple[str, int]]
    tag: Sequence[tuple[str, int]]
    schedule: Sequence[tuple[tuple[str, str], int]]
    """(id, name)."""
    reason: Sequence[tuple[str, int]]


OFFERED = 200
"""Groups and tags are typed, and so many offered while typing: a large fleet has thousands."""


def choices_of(fleet: Fleet) -> Choices:
    """Count once what the filters of a fleet offer."""
    rows = fleet.rows
    tags = Counter(text for row in rows for key, value in row.tags for text in (key, f"{key}={value}"))
    schedules = Counter((one.id, one.name) for row in rows for one in row.schedules)
    return Choices(
        subscription=Counter(row.subscription_id for row in rows).most_common(),
        group=Counter(row.resource_group for row in rows).most_common(OFFERED),
        location=Counter(row.location for row in rows).most_common(),
        os=Counter(row.os for row in rows if row.os).most_common(),
        tag=tags.most_common(OFFERED),
        schedule=schedules.most_common(),
        reason=Counter(rule for row in rows for rule in row.rules).most_common(),
    )
