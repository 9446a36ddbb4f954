"""What must hold of waves for every fleet and every way to divide it."""

from collections import Counter
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rules.builders import machine_from, vm_document

from patchmode.model.machine import Machine
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Change, Plan, ThenAttach, Unchanged, WaveKey, WaveRule
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target
from patchmode.rules.guardrails.waves import Division, in_waves
from patchmode.rules.settings.planning import plan_machine
from patchmode.store.plan_file import decode_plan, encode_plan

WEEKLY = ResourceId.parse(
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Maintenance"
    "/maintenanceConfigurations/weekly"
)
PLACES = ("aaaaaaaa-0000-0000-0000-000000000000", "bbbbbbbb-0000-0000-0000-000000000000")
RINGS = ("1", "2", "10", "a", "A", "", "x\ny", "(other)")
RULES = (
    WaveRule(WaveKey.TAG, "ring"),
    WaveRule(WaveKey.TAG, "RING", ("2", "a")),
    WaveRule(WaveKey.ZONE),
    WaveRule(WaveKey.ZONE, order=("3",)),
    WaveRule(WaveKey.REGION),
    WaveRule(WaveKey.REGION, order=("westeurope",)),
)


class Case(NamedTuple):
    """A fleet, what of it changes, and how it is divided."""

    machines: list[Machine]
    changes: list[Change]
    unchanged: list[Unchanged]
    rules: list[WaveRule]
    canary: int

    def divided(self) -> Division:
        return in_waves(self.changes, self.unchanged, self.machines, self.rules, canary=self.canary)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    machines = [_machine(draw, number) for number in range(draw(st.integers(0, 12)))]
    wanted = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
    changes, unchanged = [], []
    for machine in machines:
        change = plan_machine(machine, wanted)
        assert isinstance(change, Change)
        if draw(st.booleans()):
            changes.append(change)
        elif draw(st.booleans()):
            unchanged.append(Unchanged(machine.id, machine.kind, change.outcome_after))
    rules = draw(st.lists(st.sampled_from(RULES), max_size=3, unique_by=lambda rule: rule.key))
    return Case(machines, changes, unchanged, rules, draw(st.integers(0, 8)))


def _machine(draw: st.DrawFn, number: int) -> Machine:
    document: dict[str, Any] = vm_document(draw(st.sampled_from(("Windows", "Linux"))))
    place = draw(st.sampled_from(PLACES))
    document |= {
        "id": f"/subscriptions/{place}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/VM-{number}",
        "location": draw(st.sampled_from(("westeurope", "West Europe", "northeurope"))),
        "tags": draw(st.fixed_dictionaries({}, optional={"Ring": st.sampled_from(RINGS)})),
        "zones": draw(st.sampled_from(([], ["1"], ["3"], None))),
    }
    return machine_from(document)


@given(cases())
def test_waves_are_a_partition(case: Case) -> None:
    """A machine that stands in no wave would never be changed, and one in two would be changed too early."""
    made = case.divided()
    assert Counter(one.id for one in made.changes) == Counter(one.id for one in case.changes)
    assert Counter(one.id for one in made.unchanged) == Counter(one.id for one in case.unchanged)
    assert sum(wave.changes for wave in made.waves) == len(case.changes)
    assert sum(wave.unchanged for wave in made.waves) == len(case.unchanged)
    assert all(wave.changes + wave.unchanged for wave in made.waves)
    names = [wave.name for wave in made.waves]
    assert len(set(names)) == len(names)
    assert all(name and name.isprintable() for name in names)


@given(cases(), st.randoms())
def test_the_order_of_reading_makes_no_difference(case: Case, shuffler: Any) -> None:
    """Providers answer in any order; the same fleet must give the same plan, and dividing twice must change nothing."""
    made = case.divided()
    for part in (case.machines, case.changes, case.unchanged):
        shuffler.shuffle(part)
    assert case.divided() == made
    again = in_waves(made.changes, made.unchanged, case.machines, case.rules, canary=case.canary)
    assert again == made


@given(cases())
def test_a_wave_is_in_order_of_ids_and_knows_its_machines(case: Case) -> None:
    made = case.divided()
    plan = Plan(
        Target("AzureCloud", "https://management.azure.com", PLACES[0]),
        (),
        WantedSettings(),
        made.changes,
        made.unchanged,
        then_attach=ThenAttach(WEEKLY, "weekly"),
        waves=made.waves,
    )
    waves = range(len(made.waves))
    assert tuple(one for wave in waves for one in plan.changes_of(wave)) == made.changes
    assert tuple(one for wave in waves for one in plan.unchanged_of(wave)) == made.unchanged
    for wave in waves:
        assert [one.id for one in plan.changes_of(wave)] == sorted(one.id for one in plan.changes_of(wave))
    assert decode_plan(encode_plan(plan)[0], name="plan") == plan


@given(cases())
def test_canaries_come_first_and_are_as_many_as_asked_for(case: Case) -> None:
    made = case.divided()
    named = [wave for wave in made.waves if wave.name == "canary"]
    everyone = len(case.changes) + len(case.unchanged)
    assert sum(wave.changes + wave.unchanged for wave in named) == min(case.canary, everyone)
    assert named == list(made.waves[: len(named)])


@given(cases())
def test_no_canary_overtakes_an_earlier_wave(case: Case) -> None:
    """Canaries are the first machines, so those behind them keep the order of the waves without canaries."""
    made, plain = case.divided(), in_waves(case.changes, case.unchanged, case.machines, case.rules)
    wave_of = {one: wave for wave, members in enumerate(_members(plain)) for one in members}
    order = [wave_of[one] for ids in _members(made)[1 if case.canary else 0 :] for one in ids]
    first = [wave_of[one] for one in (_members(made)[0] if case.canary and made.waves else [])]
    assert all(before <= after for before, after in pairwise(order))
    assert not first or not order or max(first) <= min(order)


def _members(made: Division) -> list[list[ResourceId]]:
    changes, unchanged = iter(made.changes), iter(made.unchanged)
    return [
        [next(changes).id for _ in range(wave.changes)] + [next(unchanged).id for _ in range(wave.unchanged)]
        for wave in made.waves
    ]
