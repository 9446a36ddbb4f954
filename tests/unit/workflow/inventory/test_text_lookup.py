"""Names that pasted text gives without an id: which machine is meant, and what is told where none or several are."""

import json
from typing import Any

import pytest
from tests.unit.workflow.azure_double import ALPHA, BETA, TARGET, AzureDouble, FixedClock, machine, machine_id

from patchmode.errors import EmptyScopeError, UsageError
from patchmode.model.machine import Subscription
from patchmode.model.scope import Scope, Shard
from patchmode.rules.pasted_text.reading import read_log
from patchmode.workflow.inventory.inventory import Inventory, take_inventory

TWO = (Subscription(ALPHA, "Alpha", TARGET.tenant_id), Subscription(BETA, "Beta", TARGET.tenant_id))
TWINS = (machine("twin"), machine("twin", group="other"), machine("twin", subscription=BETA))
FIRST, SECOND, THIRD = (str(one.id) for one in TWINS)


async def taken(azure: AzureDouble, text: str, **selectors: tuple[str, ...]) -> Inventory:
    scope = Scope(logs=(read_log(text, source="error.txt"),), **selectors)  # type: ignore[arg-type]
    return await take_inventory(azure, scope, documents=True, now=FixedClock().now())


def ids(inventory: Inventory) -> list[str]:
    return [str(one.id) for one in inventory.machines]


async def test_all_names_are_looked_up_by_one_query() -> None:
    """However many there are, and without reading the rest of the fleet."""
    azure = AzureDouble([machine(f"vm{number}") for number in range(8)], page=50)
    inventory = await taken(azure, "VM1\nvm2\nvm3\nVm4\n")
    assert [one.id.name for one in inventory.machines] == ["vm1", "vm2", "vm3", "vm4"]
    assert azure.requests["names"] == 1


async def test_ids_and_names_of_one_text_are_taken() -> None:
    """By id, whether or not it exists; by name where the name is unique; what is cut short is not."""
    azure = AzureDouble([machine("by-id"), machine("by-name"), machine("bystander")])
    inventory = await taken(
        azure,
        f"{str(machine_id('by-id')).upper()} (UnsupportedResourceOperation) The prerequisites to patch your machine "
        f"were not met.\nvirtual machine 'By-Name'\n"
        f"{machine_id('deleted')} (Conflict)\n{machine_id('cut')}… (Conflict)\n",
    )
    assert [one.id.name for one in inventory.machines] == ["by-id", "by-name"]
    assert [entry.id for entry in inventory.unreadable] == [str(machine_id("deleted"))]
    assert inventory.notes == ("error.txt holds 1 name that is cut short and was not taken: cut….",)


async def test_a_name_that_no_machine_has_is_unreadable_with_what_was_searched() -> None:
    """Nobody may believe that it was taken."""
    inventory = await taken(AzureDouble([machine("web")], known=TWO), "web\nnobody\nrg-app/db\n")
    assert ids(inventory) == [str(machine_id("web"))]
    begin = "error.txt names it without an id, and "
    searched = "Searched: Resource Graph, 2 subscriptions: Alpha, Beta."
    assert {entry.id: entry.reason for entry in inventory.unreadable} == {
        "nobody": f"{begin}no machine of that name was found. {searched}",
        "rg-app/db": f"{begin}no machine of that name was found in resource group rg-app. {searched}",
    }


async def test_a_name_that_several_have_is_refused_with_all_of_them() -> None:
    """And with the option that says which is meant."""
    with pytest.raises(UsageError) as caught:
        await taken(AzureDouble(TWINS, known=TWO), "Failed to update virtual machine 'twin'.")
    assert caught.value.message == (
        f"error.txt names 'twin' without an id, and 3 machines have that name: {FIRST}, {SECOND}, {THIRD}."
    )
    assert f"--ids '{FIRST}'" in str(caught.value.advice)


@pytest.mark.parametrize(
    ("text", "selectors", "expected"),
    [
        ("other/twin", {}, SECOND),
        ("VM 'twin' (Resource Group 'OTHER')", {}, SECOND),
        ("az vm start -g rg -n twin --subscription beta", {}, THIRD),
        (f"name,subscription\ntwin,{BETA}\n", {}, THIRD),
        ("twin", {"subscriptions": ("Beta",)}, THIRD),
        ("twin", {"resource_groups": ("Other",)}, SECOND),
        ("twin", {"resource_groups": (f"/subscriptions/{BETA}/resourceGroups/RG",)}, THIRD),
        ("twin", {"ids": (FIRST,)}, FIRST),
        ("twin", {"management_groups": ("corp",)}, THIRD),
    ],
)
async def test_what_text_and_scope_tell_settles_which_is_meant(
    text: str, selectors: dict[str, tuple[str, ...]], expected: str
) -> None:
    """Its group, its subscription by id or name, the scope that was given, and an id beside it."""
    azure = AzureDouble(TWINS, known=TWO, under={"corp": (BETA,)})
    assert ids(await taken(azure, text, **selectors)) == [expected]


async def test_within_a_given_scope_no_machine_outside_is_taken() -> None:
    """Production must not be taken for its twin in development."""
    azure = AzureDouble([machine("web"), machine("db", subscription=BETA)], known=TWO)
    inventory = await taken(azure, "db", subscriptions=("Alpha",))
    assert ids(inventory) == [str(machine_id("web"))]
    (entry,) = inventory.unreadable
    assert entry.reason.endswith(
        f"the scope holds none of that name; outside of it there is {machine_id('db', subscription=BETA)}."
    )


@pytest.mark.parametrize(
    ("selectors", "is_swallowed"),
    [
        ({"subscriptions": ("Alpha",)}, True),
        ({"resource_groups": ("RG",)}, True),
        ({"resource_groups": ("other",)}, False),
        ({"subscriptions": ("Beta",)}, False),
        ({}, False),
    ],
)
async def test_a_text_that_adds_nothing_to_a_whole_subscription_or_group_is_told(
    selectors: dict[str, tuple[str, ...]], is_swallowed: bool
) -> None:
    """Who means to narrow `--subscription Prod` with a text must not change all of Prod unseen."""
    azure = AzureDouble([machine("web"), machine("db"), machine("x", group="other")], known=TWO)
    inventory = await taken(azure, str(machine_id("web")), **selectors)
    assert inventory.swallowed_texts == (("--from-log error.txt",) if is_swallowed else ())
    assert any("--from-log error.txt adds nothing" in note for note in inventory.notes) is is_swallowed
    inventory.check_swallowed(is_reviewed=True)
    if is_swallowed:
        with pytest.raises(UsageError, match=r"--from-log error\.txt adds nothing"):
            inventory.check_swallowed(is_reviewed=False)
    else:
        inventory.check_swallowed(is_reviewed=False)


async def test_a_subscription_that_is_not_seen_is_told() -> None:
    """The usual reason why nothing is found."""
    inventory = await taken(
        AzureDouble([machine("web")]),
        "VM 'web'\naz vm start -n db -g rg --subscription Gamma\n",
    )
    (entry,) = inventory.unreadable
    assert entry.reason.endswith("You see no subscription 'Gamma'.")


DEPLOYMENT = f"/subscriptions/{ALPHA}/resourceGroups/rg/providers/Microsoft.Resources/deployments/main"
INNER = DEPLOYMENT.replace("main", "inner")
NOT_MET = {"code": "UnsupportedResourceOperation", "message": "The prerequisites to patch your machine were not met."}


def operation(target: str, state: str = "Failed", error: object = NOT_MET) -> dict[str, Any]:
    """One operation of a deployment, as Resource Manager answers it."""
    message = {"statusMessage": {"error": error}} if state == "Failed" else {}
    return {
        "id": f"{DEPLOYMENT}/operations/1",
        "operationId": "1",
        "properties": {"provisioningState": state, "targetResource": {"id": target}, **message},
    }


async def test_a_deployment_s_operations_name_the_machines_that_failed() -> None:
    """The portal's own JSON says only that something failed; deployments inside it are looked into, too."""
    attachment = "providers/Microsoft.Maintenance/configurationAssignments/weekly"
    azure = AzureDouble(
        [machine("fails"), machine("busy"), machine("fine"), machine("inner")],
        deployments={
            DEPLOYMENT: [
                operation(f"{machine_id('fails')}/{attachment}"),
                operation(f"{machine_id('fine')}/{attachment}", "Succeeded"),
                operation(str(machine_id("busy")), error={"code": "Conflict", "message": "busy"}),
                operation(INNER, error={"code": "DeploymentFailed", "message": "x"}),
                operation(DEPLOYMENT),
                "odd",
            ],
            INNER: [operation(str(machine_id("inner")))],
        },
    )
    text = json.dumps({"code": "DeploymentFailed", "target": DEPLOYMENT, "message": "At least one … failed."})
    inventory = await taken(azure, text)
    assert [one.id.name for one in inventory.machines] == ["busy", "fails", "inner"]
    (note,) = inventory.notes
    assert note == (
        "error.txt names deployment main. Of its 6 operations those that failed name 3 machines: 2 because the "
        "prerequisites to patch it were not met, 1 for another reason: busy (Conflict)."
    )


async def test_a_deployment_that_is_gone_is_unreadable() -> None:
    """Azure deletes the oldest of a scope's deployments."""
    inventory = await taken(AzureDouble([machine("web")]), f"failed: {DEPLOYMENT}")
    (entry,) = inventory.unreadable
    assert (entry.id, inventory.machines) == (DEPLOYMENT, ())
    assert entry.reason.startswith("error.txt names this deployment, and its operations could not be read: ")


async def test_a_deployment_without_failed_machines_is_an_empty_scope_that_says_so() -> None:
    """A storage account failed."""
    azure = AzureDouble([machine("web")], deployments={DEPLOYMENT: [operation(str(machine_id("web")), "Succeeded")]})
    with pytest.raises(EmptyScopeError, match="Of its 1 operation those that failed name no machine"):
        await taken(azure, f"failed: {DEPLOYMENT}")


async def test_a_text_that_names_machines_needs_no_deployment() -> None:
    """What it says is enough."""
    azure = AzureDouble([machine("web")])
    await taken(azure, f"{machine_id('web')} failed in {DEPLOYMENT}")
    assert azure.requests["deployment"] == 0


async def test_every_shard_refuses_what_is_not_unique() -> None:
    """Whether a name is unique does not depend on who looks."""
    for number in (1, 2, 3):
        scope = Scope(logs=(read_log("twin", source="error.txt"),), shard=Shard(number, 3))
        with pytest.raises(UsageError):
            await take_inventory(AzureDouble(TWINS, known=TWO), scope, documents=True, now=FixedClock().now())


async def test_what_a_list_holds_besides_machines_is_told() -> None:
    """A disk among the exported resources."""
    text = "Name,Type,Resource group\nweb,Virtual machine,rg\ndisk-1,Disk,rg\n"
    inventory = await taken(AzureDouble([machine("web")]), text)
    assert ids(inventory) == [str(machine_id("web"))]
    assert inventory.notes == ("error.txt holds 1 entry that names no machine: row 3: 'disk-1 Disk rg' is a Disk.",)
