"""Which machines a dynamic scope takes in, by which clause, and where that is not certain."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rules.builders import ARC_ID, SUBSCRIPTION, VM_ID, vm
from tests.unit.rules.memberships import scope_of

from patchmode.model.machine import Machine, MachineKind
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import DynamicScope
from patchmode.rules.schedules.dynamic_scope import Facts, Match, match, prepared

OTHER = "22222222-2222-2222-2222-222222222222"
MACHINE = vm("Linux", tags={"Env": "prod", "Ring": "1"})
HEADING = f"dynamic scope 'prod' on subscription {SUBSCRIPTION}"
IN_GROUP = f"dynamic scope 'prod' on resource group RG-WEB of subscription {SUBSCRIPTION}"


def found(machine: Machine = MACHINE, **scope: Any) -> Match | None:
    return match(scope_of(**scope), machine)


@pytest.mark.parametrize(
    ("scope", "clause"),
    [
        ({}, f"{HEADING}: every machine"),
        ({"group": "RG-WEB"}, f"{IN_GROUP}: every machine"),
        ({"resource_types": ("microsoft.compute/VIRTUALMACHINES",)},
         f"{HEADING}: type Microsoft.Compute/virtualMachines"),
        ({"resource_groups": ("other", "Rg-Web")}, f"{HEADING}: resource group rg-web"),
        ({"os_types": ("linux",)}, f"{HEADING}: system Linux"),
        ({"locations": ("West Europe",)}, f"{HEADING}: location westeurope"),
        ({"tags": {"Env": ("test", "prod")}, "locations": ("westeurope",)},
         f"{HEADING}: tag Env = prod, location westeurope"),
        ({"tags": {"Env": ("prod",), "Ring": ("1",)}}, f"{HEADING}: tag Env = prod, tag Ring = 1"),
        ({"tags": {"Env": ("prod",), "Ring": ("2",)}, "any_tag": True}, f"{HEADING}: tag Env = prod"),
    ],
)  # fmt: skip
def test_what_is_taken_in_and_by_what(scope: Mapping[str, Any], clause: str) -> None:
    """The clause says which part of the filter matched, with the machine's own words."""
    assert found(**scope) == Match(clause)


@pytest.mark.parametrize(
    "scope",
    [
        {"subscription": OTHER},
        {"group": "rg-other"},
        {"resource_types": ("Microsoft.HybridCompute/machines",)},
        {"resource_groups": ("rg-other",)},
        {"os_types": ("Windows",)},
        {"locations": ("northeurope",)},
        {"tags": {"Env": ("test",)}},
        {"tags": {"Owner": ("prod",)}},
        {"tags": {"Env": ("prod",), "Ring": ("2",)}},
        {"tags": {"Env": ("test",), "Ring": ("2",)}, "any_tag": True},
        {"tags": {"Env": ("prod",)}, "locations": ("northeurope",)},
        {"locations": ("northeurope",), "unknown": ("availabilityZones",)},
        {"tags": {"Env": ("PROD",)}, "os_types": ("Windows",)},
    ],
)
def test_what_is_certainly_left_out(scope: Mapping[str, Any]) -> None:
    """One part that does not match is enough, whatever is not known of the others."""
    assert found(**scope) is None


@pytest.mark.parametrize("tags", [{"Env": ("Prod",)}, {"env": ("prod",)}, {"ENV": ("PROD", "x")}])
def test_tags_that_differ_by_case_leave_a_doubt(tags: Mapping[str, tuple[str, ...]]) -> None:
    """Names and values alike: no source says which of them Azure tells apart."""
    result = found(tags=tags)
    assert result is not None
    assert result.doubt_rule == "tag-case"
    assert "its tag Env = prod differs from the filter's" in (result.doubt or "")


def test_of_several_tags_one_certain_match_is_enough_for_any_and_none_may_be_doubtful_for_all() -> None:
    """The doubt of a tag that is not needed does not count."""
    tags = {"Env": ("Prod",), "Ring": ("1",)}
    everything, anything = found(tags=tags), found(tags=tags, any_tag=True)
    assert everything is not None
    assert everything.doubt_rule == "tag-case"
    assert anything == Match(f"{HEADING}: tag Ring = 1")


@pytest.mark.parametrize(
    ("scope", "rule", "part"),
    [
        ({"unknown": ("availabilityZones",)}, "unknown-filter-member", "the member availabilityZones"),
        ({"unknown": ("a", "b")}, "unknown-filter-member", "members a, b"),
        ({"tags": {"Env": ()}}, "unknown-filter-member", "no value for the tag Env"),
    ],
)
def test_what_this_version_cannot_evaluate_leaves_a_doubt(scope: Mapping[str, Any], rule: str, part: str) -> None:
    """On the machines that match the rest."""
    result = found(**scope)
    assert result is not None
    assert result.doubt_rule == rule
    assert part in (result.doubt or "")


def test_a_machine_of_which_nobody_knows_the_system_is_in_doubt() -> None:
    """Azure may know it all the same."""
    result = found(replace(MACHINE, os=None), os_types=("Linux",))
    assert result is not None
    assert result.doubt_rule == "unknown-os"


def test_an_arc_machine_is_taken_in_like_any_other() -> None:
    """Scheduled patching serves both."""
    arc = replace(MACHINE, id=ResourceId.parse(ARC_ID), kind=MachineKind.ARC)
    assert found(arc, resource_types=("Microsoft.HybridCompute/machines",)) is not None
    assert found(arc, resource_types=("Microsoft.Compute/virtualMachines",)) is None


WORDS = st.sampled_from(["a", "A", "b", "B", "c"])
SOME = st.lists(WORDS, max_size=2).map(tuple)


@st.composite
def scopes(draw: st.DrawFn) -> DynamicScope:
    return scope_of(
        group=draw(st.sampled_from([None, "a", "B"])),
        subscription=draw(st.sampled_from([SUBSCRIPTION, OTHER])),
        resource_groups=draw(SOME),
        locations=draw(SOME),
        os_types=draw(st.sampled_from([(), ("Linux",), ("windows",)])),
        tags=draw(st.dictionaries(WORDS, SOME, max_size=2)),
        any_tag=draw(st.booleans()),
        unknown=draw(st.sampled_from([(), ("zones",)])),
    )


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    text = VM_ID.replace("rg-web", draw(WORDS)).replace(SUBSCRIPTION, draw(st.sampled_from([SUBSCRIPTION, OTHER])))
    tags = draw(st.dictionaries(WORDS, WORDS, max_size=2))
    unique = {key.casefold(): key for key in tags}
    return replace(
        MACHINE,
        id=ResourceId.parse(text),
        location=draw(WORDS),
        tags={key: tags[key] for key in unique.values()},
    )


def folded(values: Any) -> set[str]:
    return {value.casefold() for value in values}


def says(scope: DynamicScope, machine: Machine, *, ignoring_case: bool) -> bool:
    """The contract's sentence, word by word, without any index."""
    rules, tags = scope.filter, machine.tags
    place = machine.id.subscription_id == scope.subscription_id
    group = machine.id.resource_group.casefold()
    place = place and (scope.resource_group is None or group == scope.resource_group.casefold())
    rest = (not rules.resource_groups or group in folded(rules.resource_groups)) and (
        not rules.locations or machine.location.casefold() in folded(rules.locations)
    )
    rest = rest and (not rules.os_types or "linux" in folded(rules.os_types))
    if ignoring_case:
        small = {key.casefold(): value.casefold() for key, value in tags.items()}
        keys = [small.get(key.casefold()) in folded(values) or not values for key, values in rules.tags.items()]
    else:
        keys = [tags.get(key) in values for key, values in rules.tags.items()]
    together = any if rules.any_tag and keys else all
    return place and rest and together(keys)


@given(scopes(), machines())
def test_certain_members_match_exactly_and_others_do_not_match_however_one_reads(
    scope: DynamicScope, machine: Machine
) -> None:
    """Between the two stands the doubt."""
    result = match(scope, machine)
    certain = says(scope, machine, ignoring_case=False) and not scope.filter.unknown
    assert (result is not None) is says(scope, machine, ignoring_case=True)
    assert (result is not None and result.doubt is None) is certain


@given(scopes(), machines())
def test_a_scope_that_takes_a_machine_in_is_found_by_one_of_its_handles(scope: DynamicScope, machine: Machine) -> None:
    """The index looks at nothing else."""
    if match(scope, machine) is not None:
        assert set(prepared(scope).handles()) & set(Facts(machine).handles())
