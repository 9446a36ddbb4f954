"""Every machine in scope once, with as few requests as the scope allows, and nothing missing in silence."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workflow.azure_double import ALPHA, BETA, GONE, TARGET, AzureDouble, machine, machine_id

from patchmode.errors import EmptyScopeError, UsageError
from patchmode.model.machine import Lock, MachineKind, ReadFrom, Subscription
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.scope import Filters, Scope
from patchmode.ports.azure import ResourceGroup
from patchmode.workflow.inventory.inventory import Inventory, take_inventory

TWO = (Subscription(ALPHA, "Alpha", TARGET.tenant_id), Subscription(BETA, "Beta", TARGET.tenant_id))
EVERYTHING = Scope(everything=True)


def names(inventory: Inventory) -> list[str]:
    return [entry.name for entry in inventory.machines]


async def test_audit_reads_the_fleet_through_resource_graph() -> None:
    """A request per thousand machines is what makes an audit of a large fleet possible."""
    azure = AzureDouble([machine(f"vm{number}") for number in range(10)], page=1000)
    inventory = await take_inventory(azure, EVERYTHING, documents=False)
    assert names(inventory) == [f"vm{number}" for number in range(10)]
    assert azure.requests == {"graph": 2, "locks": 1}
    assert {entry.read_from for entry in inventory.machines} == {ReadFrom.GRAPH}


async def test_a_subscription_that_names_no_id_is_counted_where_all_are_asked_for() -> None:
    """A log line would leave `audit --all` green over whatever is in it."""
    azure = AzureDouble([machine("vm1")])
    azure.nameless = 2
    whole = await take_inventory(azure, EVERYTHING, documents=False)
    part = await take_inventory(azure, Scope(subscriptions=(ALPHA,)), documents=False)
    assert [(one.id, one.reason) for one in whole.unreadable] == [
        ("2 entries of the list of subscriptions", "No subscription id is named.")
    ]
    assert part.unreadable == ()


async def test_a_plan_reads_documents_by_the_page_where_the_scope_is_whole() -> None:
    """The budget of 2.2 requests a changed machine cannot be kept with a GET each."""
    azure = AzureDouble([machine(f"vm{number:03}") for number in range(200)], page=50)
    inventory = await take_inventory(azure, EVERYTHING, documents=True)
    assert len(inventory.machines) == 200
    assert all(entry.document is not None and entry.etag == '"1"' for entry in inventory.machines)
    assert azure.requests["list"] == 4
    assert azure.requests["get"] == 0


async def test_few_machines_of_a_large_subscription_are_read_singly() -> None:
    """Listing a thousand machines for two of them would spend the expensive bucket."""
    fleet = [machine(f"vm{number:04}") for number in range(1000)]
    azure = AzureDouble(fleet, page=50)
    inventory = await take_inventory(
        azure, Scope(ids=(str(machine_id("vm0001")), str(machine_id("vm0002")))), documents=True
    )
    assert names(inventory) == ["vm0001", "vm0002"]
    assert azure.requests["get"] == 2
    assert azure.requests["list"] == azure.requests["group"] == 0


async def test_power_and_image_support_of_resource_graph_join_the_provider_s_document() -> None:
    """Lists of the provider do not carry them."""
    azure = AzureDouble([machine("vm1", power="deallocated")])
    inventory = await take_inventory(azure, EVERYTHING, documents=True)
    assert inventory.machines[0].surroundings.power_state == "deallocated"
    assert inventory.machines[0].read_from is ReadFrom.PROVIDER


async def test_machines_named_by_id_are_read_from_the_provider_even_for_an_audit() -> None:
    """Resource Graph lags; who names a machine wants it as it is now."""
    azure = AzureDouble([machine("new")], graph_machines=[])
    inventory = await take_inventory(azure, Scope(ids=(str(machine_id("new")),)), documents=False)
    assert inventory.machines[0].read_from is ReadFrom.PROVIDER


async def test_a_machine_younger_than_resource_graph_is_found_by_the_list() -> None:
    """A machine made a minute ago must not escape a plan of its subscription."""
    azure = AzureDouble([machine("old"), machine("young")], graph_machines=[machine("old")], page=50)
    inventory = await take_inventory(azure, EVERYTHING, documents=True)
    assert names(inventory) == ["old", "young"]


async def test_a_machine_that_vanished_is_unreadable_with_the_provider_s_answer() -> None:
    """It was in scope, so it must be accounted for."""
    azure = AzureDouble([machine("here")], graph_machines=[machine("here"), machine("gone")])
    inventory = await take_inventory(azure, EVERYTHING, documents=True)
    assert names(inventory) == ["here"]
    assert [entry.id for entry in inventory.unreadable] == [str(machine_id("gone"))]
    assert "not found" in inventory.unreadable[0].reason


async def test_selectors_are_united_and_ids_count_once_whatever_their_case() -> None:
    """The same machine comes with different casing from different places."""
    shouted = str(machine_id("vm1")).upper()
    azure = AzureDouble([machine("vm1"), machine("vm2", group="other")])
    scope = Scope(ids=(str(machine_id("vm1")), shouted), resource_groups=("OTHER",))
    inventory = await take_inventory(azure, scope, documents=True)
    assert names(inventory) == ["vm2", "vm1"]


async def test_a_user_s_query_goes_out_as_it_is_and_its_machines_are_read() -> None:
    """Users' text is never put into a query of ours, nor changed."""
    query = "resources | where name =~ 'o''brien' | project id"
    azure = AzureDouble([machine("o'brien"), machine("other")], queries={query: [str(machine_id("o'brien"))]})
    assert names(await take_inventory(azure, Scope(graph_queries=(query,)), documents=True)) == ["o'brien"]


async def test_a_query_that_yields_other_resources_is_refused() -> None:
    """Leaving them out in silence would hide a wrong query."""
    disk = f"/subscriptions/{ALPHA}/resourceGroups/rg/providers/Microsoft.Compute/disks/d1"
    azure = AzureDouble([machine("vm1")], queries={"q": [disk]})
    with pytest.raises(UsageError, match=r"--graph-query: .*disks/d1 is a Microsoft\.Compute/disks, not a machine"):
        await take_inventory(azure, Scope(graph_queries=("q",)), documents=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vm1", "--ids: 'vm1' is not a resource id"),
        (f"/subscriptions/{ALPHA}/resourceGroups/rg", "is not a resource id"),
        ("/subscriptions/nope/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/x", "not a resource id"),
        (f"/subscriptions/{ALPHA}/resourceGroups/rg/providers/Microsoft.Web/sites/x", "is a Microsoft.Web/sites, not"),
    ],
)
async def test_wrong_ids_are_named(text: str, message: str) -> None:
    """One clear sentence with the id that is wrong."""
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        await take_inventory(AzureDouble(), Scope(ids=(text,)), documents=True)


async def test_a_subscription_is_found_by_name_and_an_unknown_one_gets_a_suggestion() -> None:
    """People know names, not GUIDs; a typing error must not select nothing."""
    azure = AzureDouble([machine("vm1")], known=TWO)
    assert names(await take_inventory(azure, Scope(subscriptions=("aLPHA",)), documents=False)) == ["vm1"]
    with pytest.raises(UsageError, match="no subscription named 'Alhpa'") as caught:
        await take_inventory(azure, Scope(subscriptions=("Alhpa",)), documents=False)
    assert "cannot see it" in caught.value.message
    assert caught.value.advice.endswith("the nearest of those that you can see is 'Alpha'.")


async def test_a_name_that_two_subscriptions_share_is_refused_with_their_ids() -> None:
    """Azure does not keep names unique."""
    azure = AzureDouble(known=(TWO[0], replace(TWO[1], name="ALPHA")))
    with pytest.raises(UsageError, match=f"2 subscriptions are named 'alpha': {ALPHA}, {BETA}"):
        await take_inventory(azure, Scope(subscriptions=("alpha",)), documents=False)


async def test_subscriptions_that_cannot_be_read_are_named() -> None:
    """A fleet report that silently lacks a subscription is a wrong report."""
    azure = AzureDouble([machine("vm1")], known=(TWO[0], replace(TWO[1], state="Disabled")))
    inventory = await take_inventory(azure, Scope(subscriptions=(ALPHA, GONE), everything=True), documents=False)
    assert {entry.id: entry.reason.split(":")[0] for entry in inventory.unreadable} == {
        f"/subscriptions/{BETA}": "The subscription 'Beta' is Disabled, so its machines were not read",
        f"/subscriptions/{GONE}": "The subscription does not exist, or you cannot see it",
    }


async def test_a_management_group_brings_its_subscriptions_and_an_empty_one_is_named() -> None:
    """At any depth, as the port says."""
    azure = AzureDouble(
        [machine("a1"), machine("b1", subscription=BETA)], known=TWO, under={"platform": [BETA.upper()]}
    )
    inventory = await take_inventory(azure, Scope(management_groups=("platform", "nowhere")), documents=False)
    assert names(inventory) == ["b1"]
    assert [entry.id for entry in inventory.unreadable] == ["/providers/Microsoft.Management/managementGroups/nowhere"]


async def test_where_resource_graph_is_refused_the_providers_are_listed_and_the_report_says_so() -> None:
    """Some tenants do not allow Resource Graph at all."""
    azure = AzureDouble([machine("vm1"), machine("arc1", arc=True)], refused=frozenset({"graph"}))
    inventory = await take_inventory(azure, EVERYTHING, documents=False)
    assert sorted(names(inventory)) == ["arc1", "vm1"]
    assert inventory.notes[0].startswith("The Resource Graph query was refused (AuthorizationFailed)")


async def test_a_subscription_whose_list_is_refused_too_is_unreadable() -> None:
    """Neither source answered, so nothing is known of it."""
    azure = AzureDouble(
        [machine("a1"), machine("b1", subscription=BETA)], known=TWO, refused=frozenset({"graph", f"list:{BETA}"})
    )
    inventory = await take_inventory(azure, EVERYTHING, documents=False)
    assert names(inventory) == ["a1"]
    assert [entry.id for entry in inventory.unreadable] == [f"/subscriptions/{BETA}"]


async def test_a_refused_list_falls_back_to_narrower_reads() -> None:
    """A role on one resource group does not allow the subscription's list, and is enough."""
    fleet = [machine(f"vm{number}") for number in range(4)]
    azure = AzureDouble(fleet, refused=frozenset({f"list:{ALPHA}", "get:vm3", "group:rg"}))
    inventory = await take_inventory(azure, EVERYTHING, documents=True)
    assert names(inventory) == ["vm0", "vm1", "vm2"]
    assert [entry.id for entry in inventory.unreadable] == [str(machine_id("vm3"))]


async def test_locks_and_managed_groups_are_joined() -> None:
    """The rules that look at them must see them on every machine they cover."""
    azure = AzureDouble(
        [machine("vm1"), machine("vm2", group="MC_nodes")],
        lock_list=[
            Lock(f"/subscriptions/{ALPHA}/resourceGroups/RG", "freeze", "ReadOnly"),
            Lock(str(machine_id("vm2", group="mc_nodes")), "keep", "CanNotDelete"),
        ],
        managed=[ResourceGroup(ALPHA, "mc_NODES", "/subscriptions/x/aks")],
    )
    inventory = await take_inventory(azure, EVERYTHING, documents=True)
    seen = {
        entry.name: ([lock.name for lock in entry.surroundings.locks], entry.surroundings.group_managed_by)
        for entry in inventory.machines
    }
    assert seen == {"vm1": (["freeze"], None), "vm2": (["keep"], "/subscriptions/x/aks")}


async def test_locks_that_may_not_be_read_are_a_note_and_not_no_locks() -> None:
    """Unknown is a state of its own."""
    azure = AzureDouble([machine("vm1")], refused=frozenset({"locks"}))
    inventory = await take_inventory(azure, EVERYTHING, documents=False)
    assert inventory.notes == (f"Locks in subscription {ALPHA} are not known: locks is refused",)


@pytest.mark.parametrize(
    ("include", "exclude", "kept", "rule", "reason"),
    [
        (
            Filters(os=("LINUX",)),
            Filters(),
            ["lin"],
            "filter-os",
            "Left out by --os LINUX: its operating system is Windows.",
        ),
        (
            Filters(locations=("West Europe",)),
            Filters(),
            ["lin"],
            "filter-location",
            "Left out by --location West Europe: its region is eastus.",
        ),
        (
            Filters(tags=(("ENV", "prod"),)),
            Filters(),
            ["lin"],
            "filter-tag",
            "Left out by --tag ENV=prod: it has no such tag.",
        ),
        (
            Filters(tags=(("env", None),)),
            Filters(),
            ["lin"],
            "filter-tag",
            "Left out by --tag env: it has no such tag.",
        ),
        (
            Filters(names=("L*", "x")),
            Filters(),
            ["lin"],
            "filter-name",
            "Left out by --name L* or x: it has another name.",
        ),
        (
            Filters(power=("running",)),
            Filters(),
            ["lin"],
            "filter-power",
            "Left out by --power running: its power state is deallocated.",
        ),
        (Filters(), Filters(os=("windows",)), ["lin"], "exclude-os", "Left out by --exclude-os windows."),
        (Filters(), Filters(tags=(("env", "prod"),)), ["win"], "exclude-tag", "Left out by --exclude-tag env=prod."),
        (
            Filters(),
            Filters(tags=(("env", "PROD"), ("Env", None))),
            ["win"],
            "exclude-tag",
            "Left out by --exclude-tag Env.",
        ),
    ],
)
async def test_filters_leave_machines_out_by_name_and_reason(
    include: Filters, exclude: Filters, kept: list[str], rule: str, reason: str
) -> None:
    """Counts must still add up to the scope, and the reader must see which filter it was."""
    azure = AzureDouble(
        [
            machine("lin", tags={"env": "prod"}),
            machine("win", os=OperatingSystem.WINDOWS, location="eastus", power="deallocated"),
        ]
    )
    inventory = await take_inventory(azure, Scope(everything=True, include=include, exclude=exclude), documents=False)
    assert names(inventory) == kept
    assert [(entry.rule, entry.reason) for entry in inventory.skipped] == [(rule, reason)]


async def test_machines_left_out_by_a_filter_cost_no_document() -> None:
    """Reading what will not be changed would spend the request budget."""
    azure = AzureDouble([machine("web-1"), machine("db-1")])
    scope = Scope(everything=True, include=Filters(names=("web-*",)))
    inventory = await take_inventory(azure, scope, documents=True)
    assert (names(inventory), azure.requests["get"] + azure.requests["list"]) == (["web-1"], 1)


async def test_an_empty_scope_says_what_emptied_it() -> None:
    """ "No machine" and "all filtered away" need different answers from the user."""
    with pytest.raises(EmptyScopeError, match="The scope holds no machine"):
        await take_inventory(AzureDouble(), EVERYTHING, documents=False)
    scope = Scope(everything=True, include=Filters(names=("x",)))
    with pytest.raises(EmptyScopeError, match=r"left out every machine in scope \(1: filter-name 1\)"):
        await take_inventory(AzureDouble([machine("vm1")]), scope, documents=False)


async def test_without_a_selector_nothing_is_read() -> None:
    """A forgotten selector must not mean "everything"."""
    with pytest.raises(UsageError, match="No machines were named"):
        await take_inventory(AzureDouble([machine("vm1")]), Scope(), documents=True)


@given(
    fleet=st.lists(
        st.tuples(
            st.sampled_from(["web", "db", "Api"]), st.sampled_from(["rg", "RG2"]), st.sampled_from([ALPHA, BETA])
        ),
        unique_by=lambda entry: (entry[0].casefold(), entry[1].casefold(), entry[2]),
    ),
    shown=st.sets(st.integers(0, 11)),
    pattern=st.sampled_from(["*", "w*", "d*", "nothing"]),
    documents=st.booleans(),
)
async def test_every_machine_ends_exactly_once(
    fleet: list[tuple[str, str, str]], shown: set[int], pattern: str, documents: bool
) -> None:
    """Whatever Resource Graph shows and a filter says, none is lost and none is counted twice."""
    machines = [machine(name, group=group, subscription=subscription) for name, group, subscription in fleet]
    visible = [entry for index, entry in enumerate(machines) if index in shown]
    azure = AzureDouble(machines, graph_machines=visible, known=TWO)
    scope = Scope(ids=tuple(str(entry.id) for entry in machines), everything=True, exclude=Filters(names=(pattern,)))
    try:
        inventory = await take_inventory(azure, scope, documents=documents)
    except EmptyScopeError:
        assert not machines or pattern in {"*", "w*", "d*"}
        return
    ends = [entry.id for entry in (*inventory.machines, *inventory.skipped)]
    assert sorted(ends) == sorted(entry.id for entry in machines)
    assert len(set(ends)) == len(ends)


async def test_arc_machines_are_discovered_and_read_as_such() -> None:
    """They live under another provider."""
    azure = AzureDouble([machine("arc1", arc=True), machine("vm1")])
    inventory = await take_inventory(azure, EVERYTHING, documents=True)
    assert {entry.name: entry.kind for entry in inventory.machines} == {"arc1": MachineKind.ARC, "vm1": MachineKind.VM}
