"""Filters, order and pages: pure functions of the fleet and the URL."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.console.fleet import Fleet, Row, ScheduleNote
from patchmode.console.fleet_query import FACETS, ORDERS, PAGE_SIZES, Orders, Query, parse_query
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Headline, OutcomeKind, Readiness
from patchmode.model.patch_settings import Orchestration
from patchmode.model.target import Target

NIGHT = datetime(2030, 1, 8, 21, tzinfo=UTC)
NIGHTLY = ScheduleNote("/s/mc-nightly", "mc-nightly", "static", "coming", NIGHT, NIGHT.isoformat(), is_certain=True)
DOUBTFUL = ScheduleNote("/s/mc-odd", "mc-odd", "dynamic", "coming", NIGHT, NIGHT.isoformat(), is_certain=False)


def row(name: str, **members: Any) -> Row:
    """A machine; what a test does not name is the same for all."""
    group = members.pop("resource_group", "rg-app")
    values: dict[str, Any] = {
        "subscription_id": "s1",
        "location": "westeurope",
        "os": "Linux",
        "kind": MachineKind.VM,
        "orchestration": Orchestration.IMAGE_DEFAULT,
        "outcome": OutcomeKind.GUEST_MANAGED,
        "readiness": Readiness.NOT_READY,
        "outcome_reason": "",
        "is_as_wanted": False,
        "eligible": True,
        "rules": (),
        "schedules": (),
        "schedules_known": True,
        "tags": (),
        "settings": (None,) * 6,
        **members,
    }
    machine_id = f"/subscriptions/{values['subscription_id']}/resourceGroups/{group}/providers/x/y/{name}"
    return Row(id=machine_id, name=name, resource_group=group, folded=f"{group}/{name}".casefold(), **values)


def fleet(*rows: Row) -> Fleet:
    return Fleet(
        target=Target("AzureCloud", "https://example", "t"),
        principals={},
        scope=("--all",),
        rows=rows,
        by_key={one.id.casefold(): place for place, one in enumerate(rows)},
        subscriptions={},
        headline=Headline(),
        readiness={},
        skipped=(),
        unreadable=(),
        notes=(),
    )


ROWS = (
    row("Web-01", os="Windows", tags=(("Env", "prod"), ("ring", "1")), rules=("prerequisite-missing",)),
    row("web-02", resource_group="RG-Data", outcome=OutcomeKind.SCHEDULE_FAILS, schedules=(NIGHTLY,)),
    row("db-01", subscription_id="s2", location="northeurope", outcome=OutcomeKind.SCHEDULED, schedules=(DOUBTFUL,)),
    row("db-02", orchestration=Orchestration.MANUAL, tags=(("env", "Prod"), ("a=b", "c=d"))),
)


def found(**members: Any) -> list[str]:
    """Names of the machines that a query lets through, in the order of the table."""
    return [one.name for one in Orders(fleet(*ROWS)).found(Query(**members))]


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({}, ["db-01", "db-02", "Web-01", "web-02"]),
        ({"q": "WEB"}, ["Web-01", "web-02"]),
        ({"q": "data 02"}, ["web-02"]),
        ({"q": "/SUBSCRIPTIONS/s2/"}, ["db-01"]),
        ({"q": "no-such"}, []),
        ({"subscription": ("s1",), "q": "db"}, ["db-02"]),
        ({"subscription": ("s1", "s2"), "q": "db"}, ["db-01", "db-02"]),
        ({"group": "rg-data"}, ["web-02"]),
        ({"location": ("northeurope",)}, ["db-01"]),
        ({"os": ("Windows",)}, ["Web-01"]),
        ({"tag": "ENV"}, ["db-02", "Web-01"]),
        ({"tag": "env=prod"}, ["Web-01"]),
        ({"tag": "env="}, []),
        ({"tag": "A=b"}, ["db-02"]),
        ({"tag": "a=b=c=d"}, ["db-02"]),
        ({"tag": "a=b=c"}, []),
        ({"schedule": ("/S/MC-NIGHTLY",)}, ["web-02"]),
        ({"outcome": ("scheduled", "schedule-fails")}, ["db-01", "web-02"]),
        ({"orchestration": ("Manual",)}, ["db-02"]),
        ({"reason": ("prerequisite-missing",)}, ["Web-01"]),
        ({"sort": "-name"}, ["web-02", "Web-01", "db-02", "db-01"]),
        ({"sort": "group"}, ["Web-01", "db-01", "db-02", "web-02"]),
        # Membership that is not certain is no window: those without one come last.
        ({"sort": "window"}, ["web-02", "Web-01", "db-01", "db-02"]),
        ({"sort": "outcome", "q": "web"}, ["web-02", "Web-01"]),
    ],
)
def test_filters_and_orders(members: dict[str, Any], names: list[str]) -> None:
    assert found(**members) == names


def test_a_facet_is_counted_with_every_filter_but_its_own() -> None:
    """So that choosing one outcome does not make all others look empty."""
    shown = Orders(fleet(*ROWS)).show(Query(outcome=("scheduled",), subscription=("s1", "s2")))
    assert [one.name for one in shown.rows] == ["db-01"]
    assert shown.facets["outcome"] == Counter({"guest-managed": 2, "schedule-fails": 1, "scheduled": 1})
    assert shown.facets["orchestration"] == Counter({"ImageDefault": 1})


def test_pages() -> None:
    rows = [row(f"vm-{number:03}") for number in range(120)]
    orders = Orders(fleet(*rows))
    shown = orders.show(Query(page=3))
    assert (shown.first, shown.last, shown.total, shown.page, shown.pages) == (101, 120, 120, 3, 3)
    assert [one.name for one in shown.rows][:2] == ["vm-100", "vm-101"]
    assert orders.show(Query(page=99)).page == 3
    empty = orders.show(Query(q="nothing", page=2))
    assert (empty.first, empty.last, empty.total, empty.page, empty.pages) == (0, 0, 0, 1, 1)


texts = st.text(max_size=8)
lists = st.lists(texts.filter(lambda text: text.strip() == text != ""), max_size=3, unique=True).map(tuple)
queries = st.builds(
    Query,
    q=texts.map(str.strip),
    subscription=lists,
    group=texts.map(str.strip),
    tag=texts.map(str.strip),
    schedule=lists,
    outcome=st.lists(st.sampled_from([kind.value for kind in OutcomeKind]), max_size=3, unique=True).map(tuple),
    reason=lists,
    sort=st.sampled_from([*ORDERS, *(f"-{key}" for key in ORDERS)]),
    page=st.integers(1, 500),
    size=st.sampled_from(PAGE_SIZES),
)


@given(queries)
def test_a_query_is_read_back_from_its_own_url(query: Query) -> None:
    """A link on the page leads to what it says, whatever the values hold."""
    url = query.url(page=query.page)
    assert parse_query(parse_qsl(url.removeprefix("?"))) == query


@given(st.lists(st.tuples(st.sampled_from(["q", "sort", "page", "size", "outcome", "os", "odd"]), texts), max_size=8))
def test_no_url_is_refused(pairs: list[tuple[str, str]]) -> None:
    """A link that somebody typed wrong shows the fleet, not an error."""
    query = parse_query(pairs)
    assert query.sort.removeprefix("-") in ORDERS
    assert query.size in PAGE_SIZES
    assert query.page >= 1
    Orders(fleet(*ROWS)).show(query)


@given(queries, st.sampled_from(["outcome", "reason"]), st.sampled_from(["a", "scheduled"]))
def test_toggling_twice_changes_nothing(query: Query, member: str, value: str) -> None:
    once = parse_query(parse_qsl(query.toggled(member, value).removeprefix("?")))
    twice = parse_query(parse_qsl(once.toggled(member, value).removeprefix("?")))
    assert set(getattr(twice, member)) == set(getattr(query, member))
    assert (value in getattr(once, member)) is not (value in getattr(query, member))


@given(queries)
def test_the_table_and_the_counts_agree(query: Query) -> None:
    """What a page's heading counts is what the export holds, and what each facet's chosen values count."""
    orders = Orders(fleet(*ROWS))
    shown, exported = orders.show(query), orders.found(query)
    assert shown.total == len(exported)
    for facet in FACETS:
        chosen = getattr(query, facet)
        counts = shown.facets[facet]
        assert sum(counts[value] for value in chosen or counts) == shown.total
