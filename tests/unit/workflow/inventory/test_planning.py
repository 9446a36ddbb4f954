"""Every machine in scope ends as exactly one of change, unchanged, skipped, unreadable."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workflow.azure_double import ALPHA, TARGET, AzureDouble, FixedClock, machine, machine_id
from tests.unit.workflow.maintenance_double import configuration, configuration_id

from patchmode.errors import UnsafeError, UsageError
from patchmode.model.left_alone import Unreadable
from patchmode.model.machine import Machine
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import Orchestration, RebootSetting, WantedSettings
from patchmode.model.plan import Plan, Wave, wave_rules
from patchmode.model.schedule import ConfigurationAssignment
from patchmode.model.scope import Filters, Scope
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.plan import plan_lines
from patchmode.workflow.inventory.inventory import take_inventory
from patchmode.workflow.inventory.planning import check_plan_adds_up, make_plan, narrowed

SCHEDULED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
EVERYTHING = Scope(everything=True)
FLEET = (
    machine("ready"),
    machine("done", mode="AutomaticByPlatform", bypass=True),
    machine("arc", arc=True),
    machine("left-out"),
)


async def plan_of(
    azure: AzureDouble,
    scope: Scope = EVERYTHING,
    wanted: WantedSettings = SCHEDULED,
    *,
    remark: Callable[[str], None] | None = None,
    is_reviewed: bool = True,
) -> Plan:
    return await make_plan(
        azure, scope, wanted, clock=FixedClock(), tool_version="1.2.3", remark=remark, is_reviewed=is_reviewed
    )


async def test_each_machine_ends_once_and_the_counts_add_up() -> None:
    """The sixth sentence of the architecture, on one machine of each kind."""
    azure = AzureDouble(FLEET, graph_machines=(*FLEET, machine("vanished")))
    plan = await plan_of(azure, Scope(everything=True, exclude=Filters(names=("left-*",))))
    assert plan.counts == {"scope": 5, "changes": 1, "unchanged": 1, "skipped": 2, "unreadable": 1}
    assert [change.id.name for change in plan.changes] == ["ready"]
    assert {entry.id.name: entry.rule for entry in plan.skipped} == {
        "left-out": "exclude-name",
        "arc": "arc-no-orchestration",
    }
    assert (plan.target, plan.scope, plan.tool_version) == (TARGET, ("--all", "--exclude-name left-*"), "1.2.3")


async def test_the_body_holds_both_fields_and_the_etag_of_the_provider() -> None:
    """One write, both fields; the precondition is the provider's."""
    (change,) = (await plan_of(AzureDouble([machine("vm1", mode="AutomaticByPlatform", bypass=False)]))).changes
    assert change.etag == '"1"'
    assert change.body == {
        "properties": {
            "osProfile": {
                "linuxConfiguration": {
                    "patchSettings": {
                        "patchMode": "AutomaticByPlatform",
                        "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
                    }
                }
            }
        }
    }


@pytest.mark.parametrize("wanted", [WantedSettings(), WantedSettings(include_scale_set_members=True)])
async def test_nothing_wanted_is_a_usage_error(wanted: WantedSettings) -> None:
    """A plan of nothing would look like a fleet that is as wanted."""
    with pytest.raises(UsageError, match="No setting was named"):
        await plan_of(AzureDouble(FLEET), wanted=wanted)


async def test_a_group_inside_a_selected_subscription_is_told_or_refused() -> None:
    """Who means to narrow would otherwise change the whole subscription, unless a person reads the plan first."""
    scope = Scope(subscriptions=(ALPHA,), resource_groups=("RG",))
    notes: list[str] = []
    await plan_of(AzureDouble(FLEET), scope, remark=notes.append)
    assert notes[0].startswith("--resource-group RG adds nothing")
    with pytest.raises(UsageError, match="--resource-group RG adds nothing"):
        await plan_of(AzureDouble(FLEET), scope, is_reviewed=False)


def arc_machine() -> Machine:
    """One that is not assessed yet."""
    settings = {"patchSettings": {"assessmentMode": "ImageDefault"}}
    document = {
        "id": str(machine_id("arc", arc=True)),
        "properties": {"osProfile": {"linuxConfiguration": settings}},
    }
    return replace(machine("arc", arc=True), document=document)


async def test_an_arc_machine_is_planned_for_assessment_beside_any_orchestration() -> None:
    """`plan --periodic-assessment on` names the default orchestration too, which an Arc machine cannot have."""
    arc = arc_machine()
    wanted = replace(SCHEDULED, periodic_assessment=True)
    (change,) = (await plan_of(AzureDouble([arc]), wanted=wanted)).changes
    assert change.body == {
        "properties": {
            "osProfile": {"linuxConfiguration": {"patchSettings": {"assessmentMode": "AutomaticByPlatform"}}}
        }
    }


async def test_the_reader_is_told_that_an_arc_machine_gets_its_assessment_only() -> None:
    """The plan's heading says Customer Managed Schedules."""
    told: list[str] = []
    azure = AzureDouble([arc_machine(), machine("vm", mode="ImageDefault")])
    wanted = replace(SCHEDULED, periodic_assessment=True)
    await plan_of(azure, wanted=wanted, remark=told.append)
    assert told == ["Of 1 Arc server only periodic assessment is planned: it has no orchestration to set."]


@pytest.mark.parametrize(
    ("beside", "option"), [({"reboot": RebootSetting.NEVER}, "--reboot"), ({"hotpatch_off": True}, "--hotpatch")]
)
async def test_what_an_arc_machine_cannot_have_is_not_dropped_in_silence(beside: dict[str, Any], option: str) -> None:
    """`--periodic-assessment on --reboot Never` names two wishes, and half of them is not what was asked for."""
    wanted = replace(SCHEDULED, periodic_assessment=True, **beside)
    plan = await plan_of(AzureDouble([arc_machine()]), wanted=wanted)
    (skipped,) = plan.skipped
    assert (skipped.rule, plan.changes) == ("arc-no-orchestration", ())
    assert skipped.fix == f"Leave {option} out: then its periodic assessment is set."


async def test_notes_are_passed_on() -> None:
    """A plan made without knowing the locks must not look like one that knew them."""
    told: list[str] = []
    azure = AzureDouble(FLEET, refused=frozenset({"locks"}))
    await make_plan(azure, EVERYTHING, SCHEDULED, clock=FixedClock(), remark=told.append)
    assert told == [f"Locks in subscription {ALPHA} are not known: locks is refused"]


async def test_narrowing_a_plan_keeps_the_counts_and_names_strangers() -> None:
    """Rollback of some machines of a run: the others are skipped and not forgotten."""
    plan = await plan_of(AzureDouble([machine("a"), machine("b")]))
    some = narrowed(plan, (machine_id("B"),))
    assert [change.id.name for change in some.changes] == ["b"]
    assert [(entry.id.name, entry.rule) for entry in some.skipped] == [("a", "filter-ids")]
    assert some.counts["scope"] == plan.counts["scope"]
    with pytest.raises(UsageError, match="/c is not among the machines"):
        narrowed(plan, (machine_id("c"),))


@pytest.mark.parametrize(
    "place",
    [f"/subscriptions/{ALPHA}", "/providers/Microsoft.Management/managementGroups/contoso", str(machine_id("c"))],
)
async def test_narrowing_a_plan_that_could_not_read_a_place(place: str) -> None:
    """What could not be read may be a subscription or a management group, which is no resource id."""
    plan = replace(await plan_of(AzureDouble([machine("a"), machine("b")])), unreadable=(Unreadable(place, "refused"),))
    some = narrowed(plan, (machine_id("a"),))
    assert [change.id.name for change in some.changes] == ["a"]
    assert some.unreadable == plan.unreadable
    if place == str(machine_id("c")):
        assert narrowed(plan, (machine_id("C"),)).changes == ()
        return
    with pytest.raises(UsageError, match="/c is not among the machines"):
        narrowed(plan, (machine_id("c"),))


async def test_waves_order_what_is_carried_out() -> None:
    """A person reviews the plan, so the order stands in it; what is as wanted is sent nothing and waits for nothing."""
    fleet = [
        machine("a", tags={"ring": "broad"}),
        machine("b", tags={"ring": "canary"}),
        machine("c", mode="AutomaticByPlatform", bypass=True, tags={"ring": "canary"}),
    ]
    rules = wave_rules(["tag:ring=canary|eraly|broad"])
    told: list[str] = []
    plan = await make_plan(
        AzureDouble(fleet), EVERYTHING, SCHEDULED, clock=FixedClock(), remark=told.append, waves=rules
    )
    assert plan.waves == (Wave("ring=canary", 1, 0), Wave("ring=broad", 1, 0))
    assert [change.id.name for change in plan.changes] == ["b", "a"]
    assert [entry.id.name for entry in plan.unchanged] == ["c"]
    assert told == ["--waves: no machine in scope has ring=eraly."]
    some = narrowed(plan, (machine_id("a"),))
    assert (some.waves, [change.id.name for change in some.changes]) == ((Wave("ring=broad", 1, 0),), ["a"])


async def test_a_plan_that_does_not_add_up_is_refused() -> None:
    """A machine that a defect lost or counted twice must stop everything."""
    azure = AzureDouble(FLEET)
    plan = await plan_of(azure)
    inventory = await take_inventory(azure, EVERYTHING, documents=True)
    check_plan_adds_up(plan, inventory)
    with pytest.raises(UnsafeError, match="/ready is missing from it"):
        check_plan_adds_up(replace(plan, changes=plan.changes[:-1]), inventory)
    with pytest.raises(UnsafeError, match="/left-out is in it twice"):
        check_plan_adds_up(replace(plan, changes=(*plan.changes, plan.changes[0])), inventory)


@given(
    modes=st.lists(
        st.tuples(
            st.sampled_from(["ImageDefault", "AutomaticByPlatform", None, "Brandnew"]),
            st.sampled_from([True, False, None]),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    ),
    to=st.sampled_from(
        [Orchestration.CUSTOMER_MANAGED_SCHEDULES, Orchestration.AZURE_MANAGED, Orchestration.IMAGE_DEFAULT]
    ),
    assessment=st.sampled_from([True, False, None]),
)
async def test_whatever_the_fleet_counts_add_up(
    modes: list[tuple[str | None, bool | None, bool]], to: Orchestration, assessment: bool | None
) -> None:
    """For any settings and any wish."""
    fleet = [
        machine(f"vm{index}", arc=True) if arc else machine(f"vm{index}", mode=mode, bypass=bypass)
        for index, (mode, bypass, arc) in enumerate(modes)
    ]
    wanted = WantedSettings(orchestration=to, periodic_assessment=assessment)
    plan = await plan_of(AzureDouble(fleet), wanted=wanted)
    ends = [entry.id for part in (plan.changes, plan.unchanged, plan.skipped) for entry in part]
    assert sorted(ends) == sorted(entry.id for entry in fleet)


async def test_outcomes_before_and_after_hang_on_the_same_schedules() -> None:
    """What the plan is for: the run that fails today will work."""
    azure = AzureDouble([machine("vm1")])
    nightly = configuration(configuration_id("nightly", subscription=ALPHA))
    azure.schedules.configurations.append(nightly)
    azure.schedules.assignments.append(ConfigurationAssignment("n", machine_id("vm1"), nightly.id))
    (change,) = (await plan_of(azure)).changes
    assert change.outcome_before.kind is OutcomeKind.SCHEDULE_FAILS
    assert change.outcome_after.kind is OutcomeKind.SCHEDULED
    assert (
        change.outcome_after.reason
        == "patched as the schedule 'nightly' (attached to it; next 2030-02-01 03:00 UTC) says"
    )


async def test_an_outcome_that_stays_failing_is_told_with_its_reason() -> None:
    """Or the diff would read as if all were well afterwards."""
    azure = AzureDouble([machine("vm1")])
    nightly = configuration(configuration_id("nightly", subscription=ALPHA))
    azure.schedules.configurations.append(nightly)
    azure.schedules.assignments.append(ConfigurationAssignment("n", machine_id("vm1"), nightly.id))
    plan = await plan_of(azure)
    (change,) = plan.changes
    still = replace(change, outcome_after=Outcome(OutcomeKind.SCHEDULE_FAILS, "its region has no schedules"))
    text = "\n".join(plan_lines(replace(plan, changes=(still,)), paint=Paint()))
    assert "      outcome: schedule-fails -> schedule-fails: its region has no schedules\n" in text


async def test_what_could_not_be_looked_up_is_remarked() -> None:
    """Outcomes then say what they hang on."""
    told: list[str] = []
    azure = AzureDouble([machine("vm1")], permission_list=())
    (change,) = (await plan_of(azure, remark=told.append)).changes
    assert change.outcome_after.kind is OutcomeKind.UNKNOWN
    assert any(note.startswith("Schedules may be hidden") for note in told)
