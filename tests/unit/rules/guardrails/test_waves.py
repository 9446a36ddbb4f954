"""Which machines go first: rules as they are written, values in their order, canaries spread over the fleet."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.rules.builders import arc_document, machine_from, vm_document

from patchmode.model.machine import Machine
from patchmode.model.patch_settings import OperatingSystem, Orchestration, WantedSettings
from patchmode.model.plan import Change, Unchanged, Wave, WaveKey, WaveRule, WaveRuleError, wave_rules
from patchmode.model.resource_id import ResourceId
from patchmode.packing import Packer
from patchmode.rules.guardrails.waves import in_waves, unheard_of
from patchmode.rules.settings.planning import plan_machine

WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
A, B = "aaaaaaaa-0000-0000-0000-000000000000", "bbbbbbbb-0000-0000-0000-000000000000"


def machine(name: str, *, place: str = A, system: str = "Linux", **document: Any) -> Machine:
    made = {**vm_document(system), "tags": {}, **document}
    made["id"] = f"/subscriptions/{place}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
    return machine_from(made)


def change_of(one: Machine) -> Change:
    change = plan_machine(one, WANTED)
    assert isinstance(change, Change)
    return change


class InOrder(dict[str, list[str]]):
    """Equal to a mapping only where that has the same order, in which waves are carried out."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and [*self.items()] == [*other.items()]


def told(machines: Sequence[Machine], *rules: str, canary: int = 0) -> InOrder:
    """Wave → names of its machines, in order."""
    made = in_waves([change_of(one) for one in machines], (), machines, wave_rules(rules), canary=canary)
    names = iter([one.id.name for one in made.changes])
    return InOrder({wave.name: [next(names) for _ in range(wave.changes)] for wave in made.waves})


# ------------------------------------------------------------------------------------------------ as it is written


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("tag:ring", WaveRule(WaveKey.TAG, "ring")),
        ("tag:ring=canary|early|broad", WaveRule(WaveKey.TAG, "ring", ("canary", "early", "broad"))),
        (" Tag: Patch Ring = A | b ", WaveRule(WaveKey.TAG, "Patch Ring", ("A", "b"))),
        ("tag:a:b", WaveRule(WaveKey.TAG, "a:b")),
        ("zone", WaveRule(WaveKey.ZONE)),
        ("zone=3|1", WaveRule(WaveKey.ZONE, order=("3", "1"))),
        ("region=West Europe|northeurope", WaveRule(WaveKey.REGION, order=("westeurope", "northeurope"))),
    ],
)
def test_rules_are_read(text: str, rule: WaveRule) -> None:
    assert WaveRule.parse(text) == rule
    assert WaveRule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["ring"], "not a way to divide"),
        (["tag"], "not a way to divide"),
        (["tag:"], "not a way to divide"),
        (["zone:1"], "not a way to divide"),
        ([""], "not a way to divide"),
        (["tag:ring=canary||broad"], "an empty value"),
        (["zone="], "an empty value"),
        (["tag:ring=a|b|a"], "names a twice"),
        (["region=West Europe|westeurope"], "names westeurope twice"),
        (["tag:ring=a|b", "zone", "tag:RING"], "tag ring is given twice"),
        (["zone", "zone=1"], "zone is given twice"),
    ],
)
def test_what_says_no_way_is_refused_with_the_reason(texts: list[str], words: str) -> None:
    with pytest.raises(WaveRuleError, match=words):
        wave_rules(texts)


# ------------------------------------------------------------------------------------------------ values


def test_values_come_in_natural_order_and_machines_without_the_tag_last() -> None:
    fleet = [
        machine("none"),
        machine("ten", tags={"Ring": "10"}),
        machine("two", tags={"ring": "2"}),
        machine("also-two", tags={"RING": "2"}),
        machine("other-case", tags={"ring": "A"}),
        machine("case", tags={"ring": "a"}),
    ]
    assert told(fleet, "tag:ring") == {
        "ring=2": ["also-two", "two"],
        "ring=10": ["ten"],
        "ring=A": ["other-case"],
        "ring=a": ["case"],
        "no tag ring": ["none"],
    }


def test_an_order_comes_before_all_values_that_it_does_not_name() -> None:
    fleet = [
        machine("odd", tags={"ring": "aaa"}),
        machine("broad", tags={"ring": "broad"}),
        machine("canary", tags={"ring": "canary"}),
        machine("shouted", tags={"ring": "CANARY"}),
        machine("empty", tags={"ring": ""}),
        machine("none"),
    ]
    assert told(fleet, "tag:ring=canary|early|broad") == {
        "ring=canary": ["canary"],
        "ring=broad": ["broad"],
        "ring=(other)": ["empty", "odd", "shouted"],
        "no tag ring": ["none"],
    }


def test_zones_stand_in_the_document_also_where_it_is_packed() -> None:
    fleet = [machine("two", zones=["2"]), machine("one", zones=["1"]), machine("several", zones=["3", "1"])]
    fleet += [machine("none"), machine("null", zones=None), machine_from(arc_document())]
    packer = Packer()
    changes = [change_of(one) for one in fleet[:5]]
    packed = [replace(one, document=packer.pack(one.document or {})) for one in fleet]
    made = in_waves(changes, (), packed, wave_rules(["zone"]))
    assert made.waves == (
        Wave("zone 1", 1, 0),
        Wave("zone 1+3", 1, 0),
        Wave("zone 2", 1, 0),
        Wave("no zone", 2, 0),
    )
    assert [one.id.name for one in made.changes] == ["one", "several", "two", "none", "null"]


def test_regions_are_compared_as_azure_compares_them() -> None:
    fleet = [machine("a", location="northeurope"), machine("b", location="West Europe"), machine("c")]
    assert told(fleet, "region=westeurope") == {"region westeurope": ["b", "c"], "region (other)": ["a"]}


def test_a_later_rule_divides_what_those_before_it_made() -> None:
    fleet = [
        machine("b2", tags={"ring": "broad"}, zones=["2"]),
        machine("b1", tags={"ring": "broad"}, zones=["1"]),
        machine("c2", tags={"ring": "canary"}, zones=["2"]),
        machine("b0", tags={"ring": "broad"}),
    ]
    assert told(fleet, "tag:ring=canary|broad", "zone") == {
        "ring=canary / zone 2": ["c2"],
        "ring=broad / zone 1": ["b1"],
        "ring=broad / zone 2": ["b2"],
        "ring=broad / no zone": ["b0"],
    }


def test_names_are_printable_and_unlike_each_other() -> None:
    """Tags hold what people type: two values may read like one value of another tag, and some hold line feeds."""
    fleet = [
        machine("x", tags={"a": "x / b=y", "b": "z"}),
        machine("y", tags={"a": "x", "b": "y / b=z"}),
        machine("z", tags={"a": "line\nfeed", "b": "\x1b[31m"}),
    ]
    assert told(fleet, "tag:a", "tag:b") == {
        "a=line\\nfeed / b=\\x1b[31m": ["z"],
        "a=x / b=y / b=z": ["y"],
        "a=x / b=y / b=z (2)": ["x"],
    }


def test_a_named_value_that_no_machine_has_is_told() -> None:
    fleet = [machine("a", tags={"ring": "canary"}), machine("b")]
    rules = wave_rules(["tag:ring=canray|canary", "zone=1", "region=westeurope|uksouth"])
    assert unheard_of(fleet, rules) == ("ring=canray", "zone 1", "region uksouth")
    assert unheard_of(fleet, wave_rules(["tag:ring"])) == ()


# ------------------------------------------------------------------------------------------------ canaries


def test_canaries_are_taken_in_turn_from_subscriptions_regions_and_systems() -> None:
    fleet = [
        machine(f"{system}-{region[0]}{place[0]}{number}".lower(), place=place, system=system, location=region)
        for place in (A, B)
        for region in ("northeurope", "westeurope")
        for system in ("Linux", "Windows")
        for number in range(5)
    ]
    waves = told(fleet, canary=8)
    assert waves["canary"] == [
        "linux-na0", "linux-wa0", "windows-na0", "windows-wa0", "linux-nb0", "linux-wb0", "windows-nb0", "windows-wb0",
    ]  # fmt: skip
    assert len(waves["rest"]) == 32
    assert told(fleet, canary=2)["canary"] == ["linux-na0", "windows-wb0"]


def test_canaries_overtake_nobody_of_an_earlier_wave() -> None:
    """Who says that production comes last does not want its machines among the canaries."""
    fleet = [machine(f"p{number}", place=B, tags={"ring": "prod"}) for number in range(3)]
    fleet += [machine(f"t{number}", tags={"ring": "test"}) for number in range(3)]
    assert told(fleet, "tag:ring=test|prod", canary=2) == {
        "canary": ["t0", "t1"],
        "ring=test": ["t2"],
        "ring=prod": ["p0", "p1", "p2"],
    }
    assert told(fleet, "tag:ring=test|prod", canary=4) == {
        "canary": ["t0", "t1", "t2", "p0"],
        "ring=prod": ["p1", "p2"],
    }
    assert told(fleet, canary=99) == {"canary": ["t0", "t1", "t2", "p0", "p1", "p2"]}


def test_machines_that_only_get_a_schedule_are_canaries_only_where_too_few_change() -> None:
    fleet = [machine(name) for name in ("a", "b", "c")]
    same = [Unchanged(one.id, one.kind, change_of(one).outcome_after) for one in fleet[:2]]
    made = in_waves([change_of(fleet[2])], same, fleet, (), canary=2)
    assert made.waves == (Wave("canary", 1, 1), Wave("rest", 0, 1))
    assert [one.id.name for one in made.unchanged] == ["a", "b"]


def test_nothing_to_carry_out_makes_no_wave() -> None:
    assert in_waves((), (), [machine("a")], wave_rules(["zone"]), canary=5).waves == ()


def test_canaries_of_a_small_subscription_do_not_starve_the_others() -> None:
    fleet = [machine("only", place=B, system="Windows"), *(machine(f"m{number}") for number in range(9))]
    made = in_waves([change_of(one) for one in fleet], (), fleet, (), canary=4)
    taken = made.changes[:4]
    assert Counter(one.id.subscription_id for one in taken) == {A: 3, B: 1}
    assert {one.os for one in taken} == {OperatingSystem.WINDOWS, OperatingSystem.LINUX}
    assert isinstance(taken[0].id, ResourceId)
