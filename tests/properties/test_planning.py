"""What must hold for every machine and every wish."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.properties.strategies import Planned, leaf_paths, machines, planned_changes, wishes
from tests.unit.rules.builders import Merging, machine_from, served

from patchmode.model.left_alone import Skipped
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import Orchestration, PatchSettings, WantedSettings, orchestration_of
from patchmode.model.plan import Change, Unchanged
from patchmode.rules.eligibility.judgement import reasons_for
from patchmode.rules.registry import rule
from patchmode.rules.settings.patch import settings_in
from patchmode.rules.settings.planning import body_for, plan_machine
from patchmode.rules.settings.verification import differences

_OURS = {
    ("patchMode",),
    ("assessmentMode",),
    ("enableHotpatching",),
    ("automaticByPlatformSettings", "bypassPlatformSafetyChecksOnUserSchedule"),
    ("automaticByPlatformSettings", "rebootSetting"),
}


@given(machines(), wishes())
def test_every_machine_ends_as_exactly_one_value(machine: Machine, wanted: WantedSettings) -> None:
    """The counts of a plan add up to the scope only if no machine falls out and none counts twice."""
    planned = plan_machine(machine, wanted)
    assert type(planned) in (Change, Unchanged, Skipped)
    assert planned.id == machine.id


@given(planned_changes())
def test_the_body_touches_patch_settings_only(planned: Planned) -> None:
    """A leaf that the plan does not own must never be sent."""
    change = planned.change
    prefix = ("properties", "osProfile", change.os.configuration, "patchSettings")
    paths = leaf_paths(change.body)
    assert paths
    for path in paths:
        assert path[:4] == prefix
        assert path[4:] in _OURS
    assert "enableAutomaticUpdates" not in json.dumps(change.body)
    assert "location" not in change.body


@given(planned_changes())
def test_patch_mode_and_bypass_go_together(planned: Planned) -> None:
    """One of them alone could leave a machine in Azure's hands."""
    change = planned.change
    sent = settings_in(change.body, change.os) or {}
    if sent.get("patchMode") == "AutomaticByPlatform" or "automaticByPlatformSettings" in sent:
        assert sent["patchMode"] == "AutomaticByPlatform"
        assert type(sent["automaticByPlatformSettings"]["bypassPlatformSafetyChecksOnUserSchedule"]) is bool
    elif "patchMode" in sent:
        assert set(sent) <= {"patchMode", "assessmentMode", "enableHotpatching"}


@given(planned_changes())
def test_an_existing_reboot_setting_is_sent_again_with_its_parent(planned: Planned) -> None:
    """No source says that the service merges inside automaticByPlatformSettings."""
    _, wanted, change = planned
    stated = (change.before or {}).get("automaticByPlatformSettings", {}).get("rebootSetting")
    sent = (settings_in(change.body, change.os) or {}).get("automaticByPlatformSettings")
    if stated is not None and sent is not None:
        assert sent["rebootSetting"] == (wanted.reboot or stated)


@given(planned_changes())
def test_every_leaf_sent_is_new_or_stands_beside_one_that_is(planned: Planned) -> None:
    """A machine that is right is not written to: what is sent changes something."""
    change = planned.change
    assert PatchSettings.from_document(change.before) != PatchSettings.from_document(change.after)


@given(planned_changes(), st.sampled_from(("deep", "shallow")))
def test_planning_again_after_the_patch_gives_unchanged(planned: Planned, merging: Merging) -> None:
    """Apply twice is apply once."""
    _, wanted, change = planned
    after = served(change.document, change.body, merging=merging)
    again = plan_machine(machine_from(after), wanted)
    assert isinstance(again, Unchanged)


@given(planned_changes())
def test_the_wanted_orchestration_stands_afterwards(planned: Planned) -> None:
    """The point of the whole tool."""
    _, wanted, change = planned
    if wanted.orchestration is not None:
        assert orchestration_of(PatchSettings.from_document(change.after)) is wanted.orchestration


@given(planned_changes())
def test_no_change_hands_a_machine_to_azure_unasked(planned: Planned) -> None:
    """The never-create-autopatch rule."""
    _, wanted, change = planned
    before, after = PatchSettings.from_document(change.before), PatchSettings.from_document(change.after)
    if wanted.orchestration is not Orchestration.AZURE_MANAGED:
        assert (
            orchestration_of(after) is not Orchestration.AZURE_MANAGED
            or orchestration_of(before) is Orchestration.AZURE_MANAGED
        )


@given(machines(), wishes())
def test_a_scale_set_member_is_never_changed_unasked(machine: Machine, wanted: WantedSettings) -> None:
    """Whether schedules run on members is unconfirmed."""
    member = replace(machine, kind=MachineKind.VMSS_FLEX) if machine.kind is MachineKind.VM else machine
    planned = plan_machine(member, replace(wanted, include_scale_set_members=False))
    assert member.kind is MachineKind.ARC or not isinstance(planned, Change)


@given(st.lists(machines(), max_size=6), wishes(), st.randoms())
def test_planning_does_not_depend_on_order(fleet: list[Machine], wanted: WantedSettings, random: Any) -> None:
    """A plan made from a list that came in another order is the same plan."""
    shuffled = list(enumerate(fleet))
    random.shuffle(shuffled)
    planned = {index: plan_machine(machine, wanted) for index, machine in shuffled}
    assert [planned[index] for index in range(len(fleet))] == [plan_machine(machine, wanted) for machine in fleet]


@given(machines(), wishes())
def test_the_document_is_never_changed(machine: Machine, wanted: WantedSettings) -> None:
    """The document is the precondition and the proof; planning must leave it as it was read."""
    text = json.dumps(machine.document)
    plan_machine(machine, wanted)
    assert json.dumps(machine.document) == text


@given(planned_changes())
def test_a_change_that_cannot_be_undone_says_why(planned: Planned) -> None:
    """The user learns before the change, not after."""
    change = planned.change
    assert change.reversible is (change.irreversible_because is None)
    if change.before is None:
        assert not change.reversible


@given(machines(), wishes())
def test_every_reason_is_registered_in_order_and_says_what_to_do(machine: Machine, wanted: WantedSettings) -> None:
    """Rule ids are an interface: documented, ordered, with a severity the registry knows."""
    reasons = reasons_for(machine, wanted)
    assert [reason.rule for reason in reasons] == [reason.rule for reason in reasons_for(machine, wanted)]
    for reason in reasons:
        assert reason.severity in rule(reason.rule).severities
        assert reason.message
        assert reason.evidence
        assert reason.fix


@settings(max_examples=examples(50))
@given(planned_changes())
def test_the_body_is_the_one_that_body_for_gives(planned: Planned) -> None:
    """Two ways to the same request must not drift apart."""
    machine, wanted, change = planned
    assert body_for(machine, wanted) == change.body
    assert differences(change, served(change.document, change.body)) == ()
