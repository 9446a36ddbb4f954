"""What is missing to do the job, and the role that would be enough."""

from typing import Any

import pytest
from tests.unit.workflow.azure_double import ALPHA, BETA, TARGET, AzureDouble, machine

from patchmode.cli.output import as_values
from patchmode.documents.access import doctor_document
from patchmode.errors import EmptyScopeError
from patchmode.model.machine import Lock, Subscription
from patchmode.model.scope import Scope
from patchmode.reports.text.doctor import diagnosis_lines
from patchmode.reports.text.layout import Paint
from patchmode.rules.guardrails.permissions import is_allowed
from patchmode.workflow.inventory.doctor import ACTIONS, examine, least_privilege_role

VM_CONTRIBUTOR = {
    "actions": [
        "Microsoft.Authorization/*/read",
        "Microsoft.Compute/locations/*",
        "Microsoft.Compute/virtualMachines/*",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
    ],
    "notActions": [],
}
READER = {"actions": ["*/read"], "notActions": []}
SCHEDULED_PATCHING_CONTRIBUTOR = {
    "actions": [
        f"Microsoft.Maintenance/{kind}{part}/{verb}"
        for kind in ("maintenanceConfigurations", "configurationAssignments")
        for part in ("", "/maintenanceScope/InGuestPatch")
        for verb in ("read", "write", "delete")
    ],
    "notActions": [],
}
"""The built-in role cd08ab90-6b14-449c-ad9a-8f8e549482c6."""


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ([], False),
        ([{"actions": ["*"], "notActions": []}], True),
        ([{"actions": ["*/read"], "notActions": []}], False),
        ([{"actions": ["microsoft.compute/VIRTUALMACHINES/*"], "notActions": []}], True),
        ([{"actions": ["Microsoft.Compute/virtualMachines/write"]}], True),
        ([{"actions": ["Microsoft.Compute/virtualMachines/write/more"]}], False),
        ([{"actions": ["Microsoft.Compute/virtualMachines/w.ite"]}], False),
        ([{"actions": ["*"], "notActions": ["Microsoft.Compute/*/write"]}], False),
        (
            [
                {"actions": ["*"], "notActions": ["Microsoft.Compute/*"]},
                {"actions": ["Microsoft.Compute/virtualMachines/*"], "notActions": []},
            ],
            True,
        ),
        ([{"actions": None, "notActions": None}], False),
    ],
)
def test_wildcards_and_exceptions(permissions: list[Any], allowed: bool) -> None:
    """As Azure evaluates role definitions: one role's notActions take nothing from another's actions."""
    assert is_allowed("Microsoft.Compute/virtualMachines/write", permissions) is allowed


async def test_nothing_missing_is_nothing_told() -> None:
    """An owner has all."""
    diagnosis = await examine(AzureDouble(), Scope())
    (check,) = diagnosis.subscriptions
    assert (check.missing, check.locks, check.notes, check.unregistered) == ((), (), (), ())
    assert not diagnosis.has_findings
    assert diagnosis.graph == "answers"


async def test_missing_actions_are_named_with_what_needs_them() -> None:
    """Reader alone can audit and cannot apply."""
    azure = AzureDouble(permission_list=[READER])
    (check,) = (await examine(azure, Scope())).subscriptions
    assert {one.action: one.needed_for for one in check.missing} == {
        "Microsoft.Compute/virtualMachines/write": "apply, rollback",
        "Microsoft.HybridCompute/machines/write": "periodic assessment of Arc machines",
        "Microsoft.Maintenance/maintenanceConfigurations/write": "schedule create, schedule update",
        "Microsoft.Maintenance/maintenanceConfigurations/delete": "schedule delete",
        "Microsoft.Maintenance/configurationAssignments/write": "schedule attach, apply --then-attach",
        "Microsoft.Maintenance/configurationAssignments/delete": "schedule detach, schedule delete",
    }


async def test_of_several_identities_the_one_that_lacks_an_action_is_named() -> None:
    """Each may be sent to any subscription that it sees, so what one lacks fails every so often."""
    azure = AzureDouble(granted={"blue": [READER, VM_CONTRIBUTOR, SCHEDULED_PATCHING_CONTRIBUTOR], "green": [READER]})
    diagnosis = await examine(azure, Scope())
    (check,) = diagnosis.subscriptions
    assert check.identities == ("blue", "green")
    lacking = {(one.identity, one.action) for one in check.missing}
    assert ("green", "Microsoft.Compute/virtualMachines/write") in lacking
    assert ("blue", "Microsoft.Compute/virtualMachines/write") not in lacking
    text = "\n".join(diagnosis_lines(diagnosis, paint=Paint()))
    assert "missing for green: Microsoft.Compute/virtualMachines/write" in " ".join(text.split())
    assert "seen by blue, green" in text


async def test_arc_s_actions_are_not_missed_where_there_can_be_no_arc_machine() -> None:
    """The documented roles for virtual machines and schedules are enough there."""
    azure = AzureDouble(
        permission_list=[READER, VM_CONTRIBUTOR, SCHEDULED_PATCHING_CONTRIBUTOR],
        registrations={"Microsoft.HybridCompute": "NotRegistered"},
    )
    diagnosis = await examine(azure, Scope())
    assert diagnosis.subscriptions[0].missing == ()
    assert not diagnosis.has_findings


async def test_registrations_locks_and_disabled_subscriptions_are_findings() -> None:
    """Each of them stops an apply half-way when nobody looked."""
    scope = f"/subscriptions/{ALPHA}/resourceGroups/rg"
    azure = AzureDouble(
        known=(
            Subscription(ALPHA, "Alpha", TARGET.tenant_id),
            Subscription(BETA, "Beta", TARGET.tenant_id, state="Disabled"),
        ),
        lock_list=[Lock(scope, "freeze", "ReadOnly"), Lock(scope, "keep", "CanNotDelete")],
        registrations={"Microsoft.Maintenance": "NotRegistered"},
        refused=frozenset({"graph"}),
    )
    diagnosis = await examine(azure, Scope())
    alpha, beta = diagnosis.subscriptions
    assert alpha.unregistered == ("Microsoft.Maintenance",)
    assert [lock.name for lock in alpha.locks] == ["freeze"]
    assert [lock.name for lock in alpha.harmless_locks] == ["keep"]
    assert beta.notes == ("The subscription is Disabled: nothing in it can be changed.",)
    assert diagnosis.graph == "AuthorizationFailed: graph is refused"


async def test_only_the_subscriptions_of_the_scope_are_looked_at() -> None:
    """A tenant may have thousands."""
    azure = AzureDouble(
        known=(Subscription(ALPHA, "Alpha", TARGET.tenant_id), Subscription(BETA, "Beta", TARGET.tenant_id))
    )
    diagnosis = await examine(azure, Scope(subscriptions=("beta",)))
    assert [check.subscription.name for check in diagnosis.subscriptions] == ["Beta"]


async def test_what_the_scope_names_and_nobody_sees_is_told_by_its_name() -> None:
    """`You can see no subscription` is not the answer to a mistyped management group."""
    missing = "44444444-4444-4444-4444-444444444444"
    diagnosis = await examine(AzureDouble(), Scope(management_groups=("nope",), subscriptions=(missing,)))
    assert diagnosis.subscriptions == ()
    assert diagnosis.has_findings
    text = "\n".join(diagnosis_lines(diagnosis, paint=Paint()))
    assert "management group nope: it does not exist, or you can read no subscription below it." in text
    assert f"/subscriptions/{missing}" in text
    assert "You can see no subscription" not in text
    assert [entry.id for entry in doctor_document(diagnosis).unreadable] == [
        "/providers/Microsoft.Management/managementGroups/nope",
        f"/subscriptions/{missing}",
    ]


async def test_a_group_by_name_is_looked_up_and_only_its_subscription_is_spoken_of() -> None:
    """Whoever asks about one group must not search its answer among all subscriptions."""
    machines = [machine("web", subscription=ALPHA), machine("db", subscription=BETA, group="other")]
    azure = AzureDouble(
        machines,
        known=(Subscription(ALPHA, "Alpha", "t"), Subscription(BETA, "Beta", "t")),
        lock_list=[
            Lock(f"/subscriptions/{ALPHA}/resourceGroups/rg", "ours", "ReadOnly"),
            Lock(f"/subscriptions/{ALPHA}/resourceGroups/else", "theirs", "ReadOnly"),
        ],
    )
    diagnosis = await examine(azure, Scope(resource_groups=("rg",)))
    assert [check.subscription.id for check in diagnosis.subscriptions] == [ALPHA]
    assert [lock.name for lock in diagnosis.subscriptions[0].locks] == ["ours"]
    assert diagnosis.scope == ("--resource-group rg",)
    whole = await examine(azure, Scope())
    assert [check.subscription.id for check in whole.subscriptions] == [ALPHA, BETA]


async def test_a_scope_of_no_machine_is_told_as_empty() -> None:
    with pytest.raises(EmptyScopeError):
        await examine(AzureDouble(), Scope(resource_groups=("rg",)))


async def test_a_lock_against_deletion_is_told_and_is_no_finding() -> None:
    """Whoever knows of the lock must see that it was looked at."""
    azure = AzureDouble(lock_list=[Lock(f"/subscriptions/{ALPHA}", "keep", "CanNotDelete")])
    diagnosis = await examine(azure, Scope())
    assert not diagnosis.has_findings
    text = "\n".join(diagnosis_lines(diagnosis, paint=Paint()))
    told = (
        f"CanNotDelete lock 'keep' at /subscriptions/{ALPHA}: does not block changes of settings; blocks detaching "
        "schedules, and the rollback of a run that attached one\n        → Before you detach a schedule there"
    )
    assert told in text
    assert "schedules below a CanNotDelete lock cannot be detached, not by rollback either." in text.splitlines()[-1]
    (row,) = as_values(doctor_document(diagnosis))["subscriptions"]
    assert row["readOnlyLocks"] == []
    assert row["otherLocks"] == [{"name": "keep", "scope": f"/subscriptions/{ALPHA}", "level": "CanNotDelete"}]


async def test_what_may_not_be_read_is_a_note() -> None:
    """Unknown is not fine."""
    azure = AzureDouble(refused=frozenset({f"permissions:/subscriptions/{ALPHA}", "locks"}))
    diagnosis = await examine(azure, Scope())
    assert len(diagnosis.subscriptions[0].notes) == 2
    assert diagnosis.has_findings


def test_the_role_allows_every_action_and_nothing_else() -> None:
    """Least privilege: no wildcard, nothing that patchmode does not send."""
    role = least_privilege_role([ALPHA])
    assert role["Actions"] == sorted(ACTIONS)
    assert role["AssignableScopes"] == [f"/subscriptions/{ALPHA}"]
    assert all(is_allowed(action, [{"actions": role["Actions"], "notActions": []}]) for action in ACTIONS)
