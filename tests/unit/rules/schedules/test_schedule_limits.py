"""Limits: exactly at the edges, and by cloud."""

import pytest
from tests.unit.rules.builders import SUBSCRIPTION
from tests.unit.rules.schedules.builders import configuration, configuration_id, machine, member, view

from patchmode.model.schedule import ConfigurationAssignment, DynamicScope, ScopeFilter, Via
from patchmode.rules.schedules.limits import (
    Limits,
    configuration_limits,
    filter_excess,
    filter_limits,
    limits_of,
    place_limits,
)

SMALL = Limits(configurations=10, machines=10, scope_machines=10, scopes_in_place=10, scopes=10, subscriptions=10)


def scope(name: str, **facts: object) -> DynamicScope:
    return DynamicScope(name, SUBSCRIPTION, None, configuration_id(), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "rules"), [(8, []), (9, ["schedule-limit-near"]), (10, ["schedule-limit"]), (11, ["schedule-limit"])]
)
def test_edges(count: int, rules: list[str]) -> None:
    """Near from nine tenths on; a limit that is reached leaves no room, so it is told as reached."""
    members = [member(f"m{number}") for number in range(count)]
    assert [one.rule for one in configuration_limits(view(*members), SMALL)] == rules
    scopes = [scope(f"d{number}") for number in range(count)]
    assert [one.rule for one in place_limits((), scopes, SMALL)] == rules
    known = [configuration(f"c{number}") for number in range(count)]
    assert [one.rule for one in place_limits(known, (), SMALL)] == rules


def test_machines_that_are_not_seen_count_and_doubtful_ones_do_not() -> None:
    gone = [ConfigurationAssignment("a", machine(f"gone{number}").id, configuration_id()) for number in range(5)]
    members = [member(f"m{number}") for number in range(4)] + [member("maybe", doubt="who knows")]
    found = list(configuration_limits(view(*members, assignments=tuple(gone)), SMALL))
    assert [one.evidence for one in found] == ["9 of 10"]


def test_machines_of_one_dynamic_scope() -> None:
    members = [member(f"m{number}", via=Via.DYNAMIC) for number in range(10)]
    limits = Limits(scope_machines=10)
    found = list(configuration_limits(view(*members, dynamic_scopes=(scope("RING"), scope("other"))), limits))
    assert [one.rule for one in found] == ["schedule-limit"]
    assert "The dynamic scope RING has 10 machines" in found[0].message


def test_filters() -> None:
    """Fifty of each are allowed, and told as the limit; one more is refused."""
    fifty = ScopeFilter(tags={"env": tuple(map(str, range(50)))}, resource_groups=tuple(map(str, range(50))))
    assert [one.rule for one in filter_limits(fifty, "c", "d")] == ["schedule-limit"] * 2
    assert list(filter_excess(fifty)) == []
    more = ScopeFilter(tags={"env": tuple(map(str, range(51)))}, resource_groups=tuple(map(str, range(51))))
    assert len(list(filter_excess(more))) == 2


def test_regions_are_counted_apart_however_they_are_written() -> None:
    known = [configuration(f"a{number}", location="West Europe") for number in range(5)]
    known += [configuration(f"b{number}", location="westeurope") for number in range(4)]
    known += [configuration(f"c{number}", location="northeurope") for number in range(4)]
    assert [one.evidence for one in place_limits(known, (), SMALL)] == ["9 of 10"]


def test_other_clouds_have_the_lower_numbers() -> None:
    assert (limits_of("azurecloud").scopes, limits_of("AzureUSGovernment").scopes) == (200, 100)
    assert (limits_of("AzureCloud").subscriptions, limits_of("AzureChinaCloud").subscriptions) == (200, 100)
