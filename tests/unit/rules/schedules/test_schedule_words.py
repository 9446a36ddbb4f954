"""Windows and dynamic scopes in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import DynamicScope, ScopeFilter, WindowRule
from patchmode.rules.schedules.window import scope_text, window_text

PLACE = "11111111-1111-1111-1111-111111111111"
CONFIGURATION = ResourceId.parse(
    f"/subscriptions/{PLACE}/resourceGroups/rg/providers/Microsoft.Maintenance/maintenanceConfigurations/c"
)


@pytest.mark.parametrize(
    ("recurrence", "told"),
    [
        ("Day", "every day"),
        ("3Days", "every 3 days"),
        ("Week", "every Sunday"),
        ("2Weeks Monday,Thursday", "Monday and Thursday of every 2 weeks"),
        ("Week Saturday,Sunday,Monday", "every Monday, Saturday and Sunday"),
        ("Month day15,day31", "day 15, 31 of every month"),
        ("2Months day1", "day 1 of every 2 months"),
        ("Month Third Sunday Offset3", "Third Sunday +3 days"),
        ("Month Second Tuesday Offset-1", "Second Tuesday -1 day"),
        ("3Months Last Friday", "Last Friday of every 3 months"),
        ("Month Third,Fourth Monday,Tuesday", "Third and fourth Monday, Tuesday"),
        ("1Month First,Second,Last Friday Offset1", "First, second and last Friday +1 day"),
        ("2Months last sunday,monday", "Last Monday, Sunday of every 2 months"),
        ("6Fortnights", "'6Fortnights'"),
        (None, "(no recurrence)"),
    ],
)
def test_recurrences(recurrence: str | None, told: str) -> None:
    """2026-12-06 is a Sunday, so a week without weekdays means Sundays."""
    rule = WindowRule("2026-12-06 02:00", None, "03:55", "W. Europe Standard Time", recurrence)
    assert window_text(rule) == f"{told} 02:00-05:55 W. Europe"


@pytest.mark.parametrize(
    ("recurrence", "told"),
    [
        ("8Hours", "every 8 hours from 22:00 for 02:00 Pacific"),
        ("6Hour", "every 6 hours from 22:00 for 02:00 Pacific"),
        ("1Hours", "every hour from 22:00 for 02:00 Pacific"),
    ],
)
def test_hours_have_an_origin_instead_of_a_time_of_day(recurrence: str, told: str) -> None:
    assert window_text(WindowRule("2026-12-06 22:00", None, "02:00", "Pacific Standard Time", recurrence)) == told


def test_hours_without_start_or_duration() -> None:
    assert window_text(WindowRule("soon", None, "02:00", "UTC", "8Hours")) == "every 8 hours UTC"
    assert window_text(WindowRule("2026-12-06 22:00", None, "x", "UTC", "8Hours")) == "every 8 hours from 22:00 UTC"


def test_what_cannot_be_read_is_left_out() -> None:
    assert window_text(WindowRule("soon", None, "long", "UTC", "Day")) == "every day UTC"
    assert window_text(WindowRule("2026-12-06 23:00", None, "long", "UTC", "Day")) == "every day 23:00 UTC"
    assert window_text(WindowRule()) == "(no recurrence)"


@given(st.builds(WindowRule, *[st.none() | st.text(max_size=12)] * 5))
def test_words_never_fail(rule: WindowRule) -> None:
    """A configuration may hold anything, and the list must show it."""
    assert window_text(rule)


@pytest.mark.parametrize(
    ("group", "wanted", "told"),
    [
        (None, ScopeFilter(), f"subscription {PLACE}: every machine"),
        ("rg-web", ScopeFilter(os_types=("Linux",)), "group rg-web: Linux"),
        (
            "rg",
            ScopeFilter(tags={"env": ("prod", "test"), "ring": ("1",)}),
            "group rg: tag env=prod or test and tag ring=1",
        ),
        ("rg", ScopeFilter(tags={"a": ("1",), "b": ("2",)}, any_tag=True), "group rg: tag a=1 or tag b=2"),
        (
            "rg",
            ScopeFilter(
                resource_types=("Microsoft.Compute/virtualMachines",),
                locations=("eastus", "westus"),
                resource_groups=("a",),
            ),
            "group rg: virtualMachines, in eastus or westus, of group a",
        ),
        (
            "rg",
            ScopeFilter(unknown=("availabilityZones",)),
            "group rg: with availabilityZones, which cannot be evaluated",
        ),
    ],
)
def test_scopes(group: str | None, wanted: ScopeFilter, told: str) -> None:
    assert scope_text(DynamicScope("d", PLACE, group, CONFIGURATION, wanted)) == told
