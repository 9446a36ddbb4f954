"""Audits of several tenants as one: each machine once, and nothing lost."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rules import builders

from patchmode.model.finding import MachineAudit
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import Subscription
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import WantedSettings
from patchmode.model.report import AuditReport, TenantAudit
from patchmode.model.resource_id import ResourceId
from patchmode.model.scope import Scope
from patchmode.model.target import SubscriptionNames, Target
from patchmode.rules.audit_merging import merged, scopes_of

BLUE, GREEN = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"
BLUES, SHARED = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
"""Blue's own subscription, and Green's, which is delegated to Blue."""
WHERE = {BLUE: [(BLUES, "Blues"), (SHARED, "Shared")], GREEN: [(SHARED, "Shared")]}


def vm(name: str, subscription: str = SHARED) -> ResourceId:
    return ResourceId.parse(
        f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
    )


def audited(machine_id: ResourceId) -> MachineAudit:
    one = replace(builders.vm(), id=machine_id)
    return MachineAudit(one, as_wanted=True, eligible=True, reasons=(), outcome=Outcome(OutcomeKind.SCHEDULED, "x"))


def part(tenant: str, *machines: ResourceId, **members: Any) -> TenantAudit:
    owners = [(SHARED, GREEN)] if tenant == BLUE else []
    target = Target("AzureCloud", "https://arm.example", tenant, SubscriptionNames.of(WHERE[tenant], owners))
    report = AuditReport(target, ("--all",), WantedSettings(), tuple(map(audited, machines)), **members)
    return TenantAudit(tenant, tenant[:1].upper(), report)


def test_a_machine_that_two_tenants_read_counts_as_its_own_tenants() -> None:
    whole = merged([part(BLUE, vm("a", BLUES), vm("b")), part(GREEN, vm("b"), vm("c"))])
    assert [one.machine.id for one in whole.machines] == [vm("a", BLUES), vm("b"), vm("c")]
    assert [[one.machine.id for one in each.report.machines] for each in whole.tenants if each.report] == [
        [vm("a", BLUES)],
        [vm("b"), vm("c")],
    ]
    assert whole.counts["machines"] == sum(one.report.counts["machines"] for one in whole.tenants if one.report)
    assert (whole.target.tenant_id, whole.target.names.delegated()) == ("", {})


def test_what_only_the_managing_tenant_reads_is_not_lost() -> None:
    """The owner's principal sees one group of the subscription, and the other one's is delegated."""
    whole = merged([part(BLUE, vm("b")), part(GREEN, vm("c"))])
    assert [one.machine.id for one in whole.machines] == [vm("b"), vm("c")]


def test_read_is_more_than_left_out_and_that_more_than_unreadable() -> None:
    skipped = (Skipped(vm("b"), "filter-os", "Left out."),)
    unreadable = (Unreadable(str(vm("c")), "403"), Unreadable(f"/subscriptions/{SHARED}", "503"))
    whole = merged([part(BLUE, vm("b"), vm("c")), part(GREEN, skipped=skipped, unreadable=unreadable)])
    assert [one.machine.id for one in whole.machines] == [vm("b"), vm("c")]
    assert whole.skipped == ()
    assert [one.id for one in whole.unreadable] == [f"/subscriptions/{SHARED}"]


def test_a_name_that_one_tenant_knows_is_unreadable_in_none() -> None:
    """A resource group or a management group is looked for in every tenant."""
    group, nowhere = Unreadable("resource group web", "None."), Unreadable("resource group typo", "None.")
    whole = merged([part(BLUE, vm("a", BLUES), unreadable=(nowhere,)), part(GREEN, unreadable=(group, nowhere))])
    assert [one.id for one in whole.unreadable] == ["resource group typo"]


def test_a_tenant_that_could_not_be_read_is_one_finding() -> None:
    failed = TenantAudit(GREEN, failure="identity 'green' cannot sign in", is_unread=True)
    empty = TenantAudit(GREEN, failure="The scope holds no machine.")
    for other, count in ((failed, 1), (empty, 0)):
        whole = merged([part(BLUE, vm("a", BLUES)), other])
        assert (whole.counts["unreadable"], whole.counts["findings"]) == (count, count)
        assert [one.id for one in whole.unreadable] == [f"tenant {GREEN}"] * count
    # What nobody else reads stays delegated.
    assert whole.target.names.delegated() == {GREEN: (SHARED,)}


NAMES = st.lists(st.sampled_from("abcdef"), unique=True)


@given(blue=NAMES, green=NAMES, own=NAMES, order=st.booleans())
def test_each_machine_is_there_once_in_any_order(
    blue: list[str], green: list[str], own: list[str], order: bool
) -> None:
    parts = [
        part(BLUE, *(vm(one, BLUES) for one in own), *map(vm, blue)),
        part(GREEN, *map(vm, green)),
    ]
    whole = merged(parts if order else parts[::-1])
    expected = {vm(one, BLUES) for one in own} | {vm(one) for one in (*blue, *green)}
    assert [one.machine.id for one in whole.machines] == sorted(expected, key=lambda one: one.key)
    counted = {each.tenant_id: len(each.report.machines) for each in whole.tenants if each.report}
    assert counted == {BLUE: len(own) + len(set(blue) - set(green)), GREEN: len(green)}


# ------------------------------------------------------------------------------------------------ scopes


SEEN = {tenant: [Subscription(one, name, "") for one, name in known] for tenant, known in WHERE.items()}


def test_what_a_scope_names_is_asked_where_it_is_seen() -> None:
    scope = Scope(
        subscriptions=("blues", "typo"),
        resource_groups=("web", f"/subscriptions/{BLUES}/resourceGroups/x"),
        ids=(str(vm("a", BLUES)), str(vm("b"))),
    )
    asked = scopes_of(scope, SEEN)
    assert asked[BLUE] == scope
    assert asked[GREEN] == replace(scope, subscriptions=(), resource_groups=("web",), ids=(str(vm("b")),))


def test_a_tenant_of_which_nothing_is_named_is_not_asked() -> None:
    assert scopes_of(Scope(subscriptions=(BLUES.upper(),)), SEEN)[GREEN] is None
    assert scopes_of(Scope(everything=True), SEEN) == {BLUE: Scope(everything=True), GREEN: Scope(everything=True)}
