"""One machine in full, found by id or by name."""

import pytest
from tests.unit.workflow.azure_double import ALPHA, AzureDouble, FixedClock, machine, machine_id
from tests.unit.workflow.maintenance_double import configuration, configuration_id

from patchmode.errors import EmptyScopeError, UsageError
from patchmode.model.schedule import DynamicScope, ScopeFilter, WindowRule
from patchmode.reports.text.audit import explanation_lines
from patchmode.reports.text.layout import Paint
from patchmode.workflow.inventory.audit import explain


async def test_by_id_with_what_only_the_instance_view_tells() -> None:
    """Agent and power as they are at this moment."""
    explanation = await explain(AzureDouble([machine("vm1")]), str(machine_id("vm1")), clock=FixedClock())
    surroundings = explanation.audit.machine.surroundings
    assert (surroundings.agent_status, surroundings.power_state) == ("Ready", "deallocated")
    assert explanation.document["id"] == str(machine_id("vm1"))


async def test_what_the_guest_runs_and_its_patch_extension_says() -> None:
    """A list and Resource Graph may tell neither; the machine that is asked about by itself does."""
    kind = "Microsoft.CPlat.Core.WindowsPatchExtension"
    failed = {"code": "ProvisioningState/failed", "level": "Error", "message": "no disk space"}
    view = {
        "osName": "Windows 11 Enterprise",
        "osVersion": "10.0.22631.1",
        "extensions": [{"name": "WindowsPatchExtension", "type": kind, "statuses": [failed]}],
    }
    azure = AzureDouble([machine("vm1")], views={"vm1": view})
    explanation = await explain(azure, str(machine_id("vm1")), clock=FixedClock())
    rules = {reason.rule: reason for reason in explanation.audit.reasons}
    assert rules["client-os"].evidence == "instanceView.osName = Windows 11 Enterprise"
    assert "no disk space" in rules["patch-extension-failed"].message
    assert explanation.audit.machine.surroundings.os_version == "10.0.22631.1"
    told = list(explanation_lines(explanation, paint=Paint(width=60)))
    assert "  running system        Windows 11 Enterprise" in told
    assert "  patch extension       WindowsPatchExtension: Failed" in told
    command = next(line for line in told if "az vm extension delete" in line)
    assert command.strip() == (
        f"az vm extension delete --name WindowsPatchExtension --vm-name vm1 --resource-group rg --subscription {ALPHA}"
    ), "it must run when it is pasted"


@pytest.mark.parametrize("name", ["web*", "WEB*", "o'brien\"", "[x]"])
async def test_a_name_is_compared_as_text(name: str) -> None:
    """It is neither a pattern nor part of a query."""
    found = await explain(AzureDouble([machine(name.lower()), machine("web1"), machine("x")]), name, clock=FixedClock())
    assert found.audit.machine.name == name.lower()


async def test_an_unknown_name_and_a_name_of_two() -> None:
    """The ids of both are told, ready to be pasted."""
    azure = AzureDouble([machine("twin", group="a"), machine("Twin", group="b")])
    with pytest.raises(EmptyScopeError, match="no machine named 'nobody'"):
        await explain(azure, "nobody", clock=FixedClock())
    with pytest.raises(UsageError, match="2 machines are named 'twin'"):
        await explain(azure, "twin", clock=FixedClock())


@pytest.mark.parametrize("text", ["A/twin", f"{ALPHA}/a/twin", "alpha/a/twin"])
async def test_a_name_as_reports_print_it(text: str) -> None:
    """With its group, or also its subscription's id or name, in any case."""
    azure = AzureDouble([machine("twin", group="a"), machine("twin", group="b")])
    found = await explain(azure, text, clock=FixedClock())
    assert found.audit.machine.id.resource_group == "a"


@pytest.mark.parametrize("text", ["c/twin", "Beta/a/twin", "nowhere/a/twin"])
async def test_a_name_in_another_place_is_not_the_one_that_was_asked_for(text: str) -> None:
    azure = AzureDouble([machine("twin", group="a")])
    with pytest.raises(EmptyScopeError, match=f"no machine named '{text}'") as caught:
        await explain(azure, text, clock=FixedClock())
    assert "The nearest name is 'twin', in a of " in caught.value.advice


async def test_a_machine_that_is_gone_tells_what_was_answered() -> None:
    """Not an empty page."""
    with pytest.raises(EmptyScopeError, match=r"gone could not be read: GET .* not found"):
        await explain(AzureDouble(), str(machine_id("gone")), clock=FixedClock())


async def test_an_instance_view_that_is_refused_is_a_note() -> None:
    """The rest is worth reading all the same."""
    azure = AzureDouble([machine("vm1")], refused=frozenset({"view:vm1"}))
    explanation = await explain(azure, str(machine_id("vm1")), clock=FixedClock())
    assert explanation.instance_view is None
    assert explanation.notes == ("The instance view could not be read: view:vm1 is refused",)


async def test_an_arc_machine_has_no_instance_view() -> None:
    """And is not asked for one."""
    azure = AzureDouble([machine("arc1", arc=True)])
    explanation = await explain(azure, str(machine_id("arc1", arc=True)), clock=FixedClock())
    assert explanation.instance_view is None
    assert azure.requests["view"] == 0


async def test_each_schedule_with_its_clause_and_its_window_in_both_times() -> None:
    """A person asks when, and by which rule."""
    azure = AzureDouble([machine("vm1", location="westeurope")])
    window = WindowRule("2024-01-01 03:00", None, "02:00", "W. Europe Standard Time", "Day")
    for name, group in (("nightly", None), ("twin", "rg")):
        found = configuration(configuration_id(name, subscription=ALPHA), window)
        azure.schedules.configurations.append(found)
        scope = DynamicScope("west", ALPHA, group, found.id, ScopeFilter(locations=("West Europe",)))
        azure.schedules.dynamic_scopes.append(scope)
    explanation = await explain(azure, str(machine_id("vm1")), clock=FixedClock())
    text = list(explanation_lines(explanation, paint=Paint()))
    start = text.index("Schedules (2):")
    assert text[start : start + 4] == [
        "Schedules (2):",
        "  nightly",
        f"      by dynamic scope 'west' on subscription {ALPHA}: location westeurope",
        "      next window: 2030-02-01 03:00 +01:00, Europe/Berlin (2030-02-01 02:00 to 04:00 UTC)",
    ]
    assert "schedules-same-trigger" in [reason.rule for reason in explanation.audit.reasons]
    at = text.index("  Results of its runs, which are not read here:")
    assert text[at + 1] == f"    patchmode schedule failures --ids {machine_id('vm1')} --since 30d"


async def test_a_schedule_that_is_over_is_told_as_one() -> None:
    """Its next window is known: there is none."""
    azure = AzureDouble([machine("vm1")])
    window = WindowRule("2024-01-01 03:00", "2024-06-30 00:00", "02:00", "UTC", "Day")
    found = configuration(configuration_id("old", subscription=ALPHA), window)
    azure.schedules.configurations.append(found)
    azure.schedules.dynamic_scopes.append(DynamicScope("all", ALPHA, None, found.id, ScopeFilter()))
    explanation = await explain(azure, str(machine_id("vm1")), clock=FixedClock())
    told = list(explanation_lines(explanation, paint=Paint()))
    assert "      it will not run again: it expired on 2024-06-30 00:00 (UTC)" in told
