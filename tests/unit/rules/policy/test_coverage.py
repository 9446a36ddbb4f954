"""What assignments of the built-ins do about a machine, judged by definitions of the published form."""

import json
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import pytest
from tests.unit.rules.builders import SUBSCRIPTION, VM_ID, arc_document, machine_from, vm, vm_document

from arm_emulator.providers.policy_definitions import built_in_policies
from patchmode.arm.policies import definition_of
from patchmode.model.machine import Machine
from patchmode.model.policy import (
    BuiltIn,
    PolicyAssignment,
    PolicyExemption,
    PolicyReference,
    PolicySet,
    PolicyState,
    PolicyVerdict,
)
from patchmode.rules.eligibility.images import schedule_patching
from patchmode.rules.policy.coverage import Ground, judge, uses_of
from patchmode.rules.policy.selection import Prepared, select, with_defaults

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PLACE = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{PLACE}/resourceGroups/rg-web"
MG = "/providers/Microsoft.Management/managementGroups/prod"
READY = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
NOT_LISTED = {"publisher": "contoso", "offer": "appliance", "sku": "v1"}
ATTACHED = "microsoft.maintenance/configurationassignments"
MC = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/mc"


_SUPPORT = json.loads(resources.files("patchmode.rules").joinpath("image_support.json").read_text(encoding="utf-8"))
LISTED = {
    (row["publisher"], offer.removeprefix("LITERAL:").replace("*", rest), sku.replace("*", rest))
    for key in ("schedule_patching_marketplace", "schedule_patching_explicitly_unsupported", "hotpatch_capable")
    for row in _SUPPORT[key]["rows"]
    for offer in (*row["offer"], *row.get("not_offer", ()), "another")
    for sku in (*row["sku"], *row.get("not_sku", ()), "another")
    for rest in ("", "-x")
}


def prepared(policy: BuiltIn) -> Prepared:
    """The definition as the wire reads it."""
    return Prepared.of(definition_of(built_in_policies()[policy.guid]))


def assigned(policy: BuiltIn = BuiltIn.PREREQUISITE, scope: str = PLACE, **members: Any) -> PolicyAssignment:
    """An assignment with an identity."""
    given = {"identity_type": "SystemAssigned", "definition_id": policy.definition_id, **members}
    return PolicyAssignment(f"{scope}/providers/Microsoft.Authorization/policyAssignments/a", "a", scope, **given)


def verdict(
    machine: Machine,
    *assignments: PolicyAssignment,
    policy: BuiltIn = BuiltIn.PREREQUISITE,
    exemptions: tuple[PolicyExemption, ...] = (),
    above: tuple[str, ...] = (),
    problem: str = "",
    schedules: tuple[str, ...] | None = (),
) -> PolicyVerdict:
    """What the policy does about the machine."""
    ground = Ground(tuple(uses_of(policy, assignments, {})), exemptions, above, problem)
    documents = [{"type": ATTACHED, "properties": {"maintenanceConfigurationId": one}} for one in (schedules or ())]
    related = {} if schedules is None else {ATTACHED: documents}
    return judge(policy, prepared(policy), machine, ground, related=related, now=NOW)


def subjects(found: PolicyVerdict) -> list[str]:
    """What its reasons are about."""
    return [one.subject for one in found.reasons]


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        (READY, PolicyState.COMPLIANT),
        (None, PolicyState.NON_COMPLIANT),
        ({"patchMode": "AutomaticByPlatform"}, PolicyState.NON_COMPLIANT),
        (
            {"patchMode": "Manual", "automaticByPlatformSettings": READY["automaticByPlatformSettings"]},
            PolicyState.NON_COMPLIANT,
        ),
    ],
)
def test_the_condition_of_the_prerequisite(settings: dict[str, Any] | None, state: PolicyState) -> None:
    """Both leaves, in either block."""
    assert verdict(vm("Windows", settings), assigned()).state is state


def test_bypass_alone_is_told() -> None:
    """It looks prepared at a glance and is not."""
    found = verdict(vm("Windows", {"automaticByPlatformSettings": READY["automaticByPlatformSettings"]}), assigned())
    assert found.notes == ("Only the bypass is set: the patch mode is still to be changed.",)


@pytest.mark.parametrize(
    ("changes", "selected", "words"),
    [
        ({}, True, ""),
        ({"image": NOT_LISTED}, False, "image list does not name contoso/appliance/v1"),
        ({"image": {"id": f"{GROUP}/providers/Microsoft.Compute/images/golden"}}, True, ""),
        ({"image": {"communityGalleryImageId": "/CommunityGalleries/c/images/i"}}, False, "communityGalleryImageId"),
        ({"image": {}, "os_profile": False}, True, ""),
        (
            {
                "image": {"id": "/subscriptions/x/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/i"},
                "os_profile": False,
            },
            True,
            "",
        ),
        ({"image": {}}, False, "has osProfile.computerName"),
    ],
)
def test_which_images_the_prerequisite_selects(changes: dict[str, Any], selected: bool, words: str) -> None:
    """The list; custom images; and machines without a computer name only where their disk is attached or custom."""
    found = verdict(vm("Linux", None, **changes), assigned())
    assert found.selected is selected
    assert found.state is (PolicyState.NON_COMPLIANT if selected else PolicyState.MISSED)
    assert words in " ".join(one.message for one in found.reasons)


@pytest.mark.parametrize(
    ("parameters", "subject"),
    [
        ({"tagValues": [{"key": "env", "value": "prod"}]}, "tags"),
        ({"tagValues": [{"key": "env", "value": "Test"}]}, "tags"),
        ({"locations": ["northeurope"]}, "region"),
        ({"resourceGroups": ["rg-other"]}, "resource-group"),
        ({"operatingSystemTypes": ["Linux"]}, "os"),
    ],
)
def test_what_its_parameters_leave_out(parameters: dict[str, Any], subject: str) -> None:
    """Each is told by its subject, and a tag that differs in case only is told as that."""
    found = verdict(vm("Windows", None), assigned(parameters=parameters))
    assert (found.state, subjects(found)) == (PolicyState.MISSED, [subject])
    if parameters.get("tagValues") == [{"key": "env", "value": "Test"}]:
        assert "env=test differs in case" in found.reasons[0].message


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({"scope": f"{PLACE}/resourceGroups/rg-other"}, PolicyState.NOT_ASSIGNED),
        ({"scope": GROUP.upper().replace("/SUBSCRIPTIONS", "/subscriptions")}, PolicyState.NON_COMPLIANT),
        ({"scope": MG}, PolicyState.NON_COMPLIANT),
        ({"scope": VM_ID}, PolicyState.NON_COMPLIANT),
        ({"scope": f"{PLACE}/resourceGroups/rg"}, PolicyState.NOT_ASSIGNED),
        ({"not_scopes": (GROUP,)}, PolicyState.EXCLUDED),
        ({"not_scopes": (f"{PLACE}/resourceGroups/rg-we",)}, PolicyState.NON_COMPLIANT),
        ({"not_scopes": (MG,)}, PolicyState.NON_COMPLIANT),
        ({"enforcement": "DoNotEnforce"}, PolicyState.NOT_ENFORCED),
        ({"parameters": {"effect": "Disabled"}}, PolicyState.NOT_ENFORCED),
        ({"identity_type": "None"}, PolicyState.NOT_ENFORCED),
        (
            {"selectors": ({"selectors": [{"kind": "resourceLocation", "in": ["westeurope"]}]},)},
            PolicyState.NON_COMPLIANT,
        ),
        ({"selectors": ({"selectors": [{"kind": "resourceLocation", "in": ["eastus"]}]},)}, PolicyState.EXCLUDED),
        ({"selectors": ({"selectors": [{"kind": "userPrincipalId", "in": ["x"]}]},)}, PolicyState.UNKNOWN),
        ({"overrides": ({"kind": "policyEffect", "value": "Disabled"},)}, PolicyState.UNKNOWN),
    ],
)
def test_what_an_assignment_covers(members: dict[str, Any], state: PolicyState) -> None:
    """Scopes by whole parts of an id, notScopes, selectors, enforcement, effect and identity."""
    assert verdict(vm("Windows", None), assigned(**members)).state is state


def test_a_management_group_among_the_not_scopes() -> None:
    """It counts where it is known to hold the subscription."""
    found = verdict(vm("Windows", None), assigned(not_scopes=(MG,)), above=(MG.lower(),))
    assert found.state is PolicyState.EXCLUDED


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({}, PolicyState.EXEMPT),
        ({"expires_on": datetime(2026, 4, 30, tzinfo=UTC)}, PolicyState.NON_COMPLIANT),
        ({"expires_on": datetime(2026, 6, 1, tzinfo=UTC)}, PolicyState.EXEMPT),
        ({"scope": f"{PLACE}/resourceGroups/rg-other"}, PolicyState.NON_COMPLIANT),
        ({"assignment_id": "/other"}, PolicyState.NON_COMPLIANT),
        ({"reference_ids": ("another",)}, PolicyState.NON_COMPLIANT),
    ],
)
def test_exemptions(members: dict[str, Any], state: PolicyState) -> None:
    """Of this assignment, at or above the machine, until they expire."""
    one = assigned()
    given: dict[str, Any] = {"id": f"{GROUP}/x/e", "scope": GROUP, "assignment_id": one.id.upper(), **members}
    assert verdict(vm("Windows", None), one, exemptions=(PolicyExemption(**given),)).state is state


def test_of_several_assignments_the_one_that_does_most_is_told() -> None:
    """One that misses the machine does not hide another that changes it."""
    missing, idle = assigned(parameters={"locations": ["eastus"]}), assigned(enforcement="DoNotEnforce")
    found = verdict(vm("Windows", None), missing, idle, assigned(scope=GROUP))
    assert found.state is PolicyState.NON_COMPLIANT
    assert len(found.assignments) == 3


def test_without_an_assignment_it_is_told_whether_one_would_select_it() -> None:
    """That is the question of somebody who thinks about assigning it."""
    found = [verdict(vm("Linux", None, image=image)) for image in (NOT_LISTED, None)]
    assert [(one.state, one.selected) for one in found] == [
        (PolicyState.NOT_ASSIGNED, False),
        (PolicyState.NOT_ASSIGNED, True),
    ]


def test_an_assignment_of_one_system_misses_the_other() -> None:
    """Periodic assessment has one operating system an assignment; Azure then counts the other as compliant."""
    found = verdict(vm("Linux", None), assigned(BuiltIn.PERIODIC_ASSESSMENT), policy=BuiltIn.PERIODIC_ASSESSMENT)
    assert (found.state, subjects(found), found.counts_as_compliant) == (PolicyState.MISSED, ["os"], True)
    of_linux = assigned(BuiltIn.PERIODIC_ASSESSMENT, parameters={"osType": "Linux"})
    assert verdict(vm("Linux", None), of_linux, policy=BuiltIn.PERIODIC_ASSESSMENT).state is PolicyState.NON_COMPLIANT
    on = vm("Linux", {"assessmentMode": "AutomaticByPlatform"})
    assert verdict(on, of_linux, policy=BuiltIn.PERIODIC_ASSESSMENT).state is PolicyState.COMPLIANT


def test_a_definition_that_deploys_does_not_count_whom_it_misses_as_compliant() -> None:
    """Source: "What is applicability in Azure Policy?": with deployIfNotExists the whole if decides."""
    assert not verdict(vm("Linux", None, image=NOT_LISTED), assigned()).counts_as_compliant


def test_recurring_updates_looks_at_the_schedule_only() -> None:
    """A machine that has the schedule and lost its patch mode counts as compliant."""
    one = assigned(BuiltIn.RECURRING_UPDATES, parameters={"maintenanceConfigurationResourceId": MC})
    found = verdict(vm("Linux", None), one, policy=BuiltIn.RECURRING_UPDATES, schedules=(MC.upper(),))
    assert (found.state, found.is_set, found.counts_as_compliant) == (PolicyState.COMPLIANT, False, True)
    assert found.is_finding
    without = verdict(vm("Linux", READY), one, policy=BuiltIn.RECURRING_UPDATES)
    assert (without.state, without.is_set) == (PolicyState.NON_COMPLIANT, True)
    not_read = verdict(vm("Linux", READY), one, policy=BuiltIn.RECURRING_UPDATES, schedules=None)
    assert not_read.state is PolicyState.UNKNOWN


def test_arc_servers() -> None:
    """Only recurring updates is for them."""
    arc = machine_from(arc_document())
    assert verdict(arc, assigned()).state is PolicyState.NOT_APPLICABLE
    document = arc_document()
    document["properties"]["osName"] = "linux"
    one = assigned(BuiltIn.RECURRING_UPDATES, parameters={"maintenanceConfigurationResourceId": MC})
    found = verdict(machine_from(document), one, policy=BuiltIn.RECURRING_UPDATES, schedules=(MC,))
    assert found.state is PolicyState.COMPLIANT


def test_a_set_gives_its_parameters() -> None:
    """Through its own defaults and the assignment's values; what cannot be told is not guessed."""
    reference = PolicyReference(
        BuiltIn.PREREQUISITE.definition_id.upper().replace("/PROVIDERS", "/providers"),
        "prep",
        {"locations": "[parameters('regions')]", "effect": "[parameters('none')]"},
    )
    whole = PolicySet("/sets/x", {"regions": {"defaultValue": ["eastus"]}}, (reference,))
    alone, named = (
        assigned(definition_id="/Sets/X"),
        assigned(definition_id="/Sets/X", parameters={"Regions": ["westeurope"]}),
    )
    found = list(uses_of(BuiltIn.PREREQUISITE, (alone, named), {"/sets/x": whole}))
    assert [(dict(one.parameters), one.reference_id, one.unknown) for one in found] == [
        ({"locations": ["eastus"]}, "prep", ("effect",)),
        ({"locations": ["westeurope"]}, "prep", ("effect",)),
    ]


def test_a_part_that_was_not_read_is_not_taken_for_nothing() -> None:
    """Where assignments are not all known, only what is compliant is certain."""
    assert verdict(vm("Windows", None), problem="No right.").state is PolicyState.UNKNOWN
    assert verdict(vm("Windows", READY), assigned(), problem="No right.").state is PolicyState.COMPLIANT


def test_a_definition_that_was_not_read() -> None:
    """Nothing is said of its machines."""
    ground = Ground(tuple(uses_of(BuiltIn.PREREQUISITE, (assigned(),), {})), ())
    found = judge(BuiltIn.PREREQUISITE, None, machine_from(vm_document()), ground, related={}, now=NOW)
    assert (found.state, found.selected) == (PolicyState.UNKNOWN, None)


def test_the_definition_selects_the_images_of_the_list() -> None:
    """The definition is the emulator's and the list is ours; neither was made from the other."""
    definition = prepared(BuiltIn.PREREQUISITE)
    parameters = with_defaults(definition.definition, {})
    wrong = []
    for publisher, offer, sku in sorted(LISTED):
        machine = vm("Linux", None, image={"publisher": publisher.upper(), "offer": offer, "sku": sku})
        listed = schedule_patching().names(machine.image)
        if select(definition, machine, parameters, {}).selected is not listed:
            wrong.append((publisher, offer, sku, listed))
    assert wrong == []
