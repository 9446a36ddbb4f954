"""A plan for Terraform, Bicep, Ansible and Update-AzVM: what each language is asked to do, read by its own grammar."""

import re
from dataclasses import replace
from typing import Any

import pytest
import tree_sitter_powershell
import yaml
from hypothesis import given, settings
from tests.examples import examples
from tests.unit.reports.exported import Playbooks, Unsafe, blocks, exported, hostile_plans, linux, nodes, tree, words
from tests.unit.store.plans import SUBSCRIPTION, TARGET, change, plan

from patchmode.model.machine import MachineKind
from patchmode.model.plan import Plan, Wave


def prose(text: str) -> str:
    """The comments on one line."""
    return " ".join(re.sub(r"^(#|//) ?", "", text, flags=re.MULTILINE).split())


def test_update_azvm_gets_what_the_cmdlets_need_and_an_arc_server_does_not() -> None:
    """The names of the types are those of Microsoft's own pages; an Arc server is no virtual machine."""
    arc = replace(change("arc", etag=None), kind=MachineKind.ARC)
    text = exported(plan(linux("it's"), arc), "powershell-update-azvm")
    place = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web/providers/Microsoft.Compute/virtualMachines/it''s"
    known = f"@{{ Subscription = '{SUBSCRIPTION}'; Group = 'web'; Name = 'it''s'; Id = '{place}' }}"
    assert text.count("Subscription = '") == 1
    assert f" `\n    {known}\n" in text
    for system in ("Windows", "Linux"):
        models = "Microsoft.Azure.Management.Compute.Models"
        assert f"'{models}.{system}VMGuestPatchAutomaticByPlatformSettings'" in text
    called = {words(one) for one in nodes(tree(tree_sitter_powershell, text), "command_name")}
    assert {one for one in called if "-Az" in one} == {
        "Invoke-AzRestMethod",
        "Get-AzContext",
        "Set-AzContext",
        "Get-AzVM",
        "Update-AzVM",
    }


def test_update_azvm_adds_no_os_profile() -> None:
    """A VM from a specialised disk has none, and Update-AzVM could not add one: it gets the settings alone."""
    text = exported(plan(linux("vm-0")), "powershell-update-azvm")
    assert "if ($Cmdlet -and (Test-Block $machine $Body)) { Update-Machine $machine $Body $Cmdlet }" in text
    assert "$null -ne $Machine.properties.osProfile.$system" in text
    assert "A machine without osProfile" in prose(text) or "a machine without osProfile" in prose(text)
    assert not re.search(r"OSProfile = |WindowsConfiguration = New|LinuxConfiguration = New", text)


def test_terraform_sends_by_patch_with_the_precondition_and_compares_afterwards() -> None:
    """azapi_update_resource would send the whole machine back."""
    made = plan(linux("vm-0"), change("vm-1", etag=None), waves=(Wave("a", 1, 0), Wave("b", 1, 0)))
    text = exported(made, "terraform")
    found = dict(blocks(text))
    block = "osProfile.linuxConfiguration.patchSettings"
    assert [head for head in found if head[0] != "terraform"] == [
        ("provider", "azapi"),
        ("resource", "azapi_resource_action", "machine_1"),
        ("data", "azapi_resource", "machine_1"),
        ("resource", "terraform_data", "section_1"),
        ("resource", "azapi_resource_action", "machine_2"),
        ("data", "azapi_resource", "machine_2"),
    ]
    assert found["provider", "azapi"] == {"tenant_id": TARGET.tenant_id, "environment": "public"}
    first = found["resource", "azapi_resource_action", "machine_1"]
    assert {name: first[name] for name in ("type", "method", "headers")} == {
        "type": "Microsoft.Compute/virtualMachines@2024-07-01",
        "method": "PATCH",
        "headers": {"If-Match": '"1"'},
    }
    assert found["data", "azapi_resource", "machine_1"]["depends_on"] == ["azapi_resource_action.machine_1"]
    assert found["resource", "terraform_data", "section_1"] == {"depends_on": ["data.azapi_resource.machine_1"]}
    second = found["resource", "azapi_resource_action", "machine_2"]
    assert second["depends_on"] == ["terraform_data.section_1"]
    assert "headers" not in second
    bypass = f"{block}.automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule"
    for condition in (
        'try(self.output.properties.provisioningState, null) == "Succeeded",',
        f'try(self.output.properties.{block}.patchMode, null) == "AutomaticByPlatform",',
        f"try(self.output.properties.{bypass}, null) == true,",
    ):
        assert condition in text, condition


PLATFORM = {"bypassPlatformSafetyChecksOnUserSchedule": True, "rebootSetting": "IfRequired"}


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        (
            {
                "patchMode": "AutomaticByPlatform",
                "assessmentMode": "AutomaticByPlatform",
                "automaticByPlatformSettings": PLATFORM,
            },
            [
                'patch_mode = "AutomaticByPlatform"',
                'patch_assessment_mode = "AutomaticByPlatform"',
                "bypass_platform_safety_checks_on_user_schedule_enabled = true",
                'reboot_setting = "IfRequired"',
            ],
        ),
        # azurerm refuses both members beside another patch mode.
        (
            {"patchMode": "AutomaticByOS", "enableHotpatching": False, "automaticByPlatformSettings": PLATFORM},
            ['patch_mode = "AutomaticByOS"', "hotpatching_enabled = false"],
        ),
    ],
)
def test_the_attributes_of_azurerm_are_beside_each_machine(after: dict[str, Any], lines: list[str]) -> None:
    """Without them the next apply of the team's own configuration sets the machine back."""
    text = exported(plan(replace(change(), after=after)), "terraform")
    found = re.search(r'^# resource "azurerm_windows_virtual_machine" .*?\n# }\n', text, re.DOTALL | re.MULTILINE)
    assert found is not None
    pasted = re.sub(r"^# ", "", found[0], flags=re.MULTILINE)
    assert [re.sub(" +", " ", line.strip()) for line in pasted.splitlines()[1:-1]] == lines
    ((head, attributes),) = blocks(pasted)
    assert (head[1], len(attributes)) == ("azurerm_windows_virtual_machine", len(lines))


def test_bicep_only_reads() -> None:
    """A deployment of it must leave every machine as it is: no resource but such that exist."""
    arc = replace(change("arc"), kind=MachineKind.ARC)
    text = exported(plan(linux("vm-0"), change("vm-1"), arc), "bicep")
    assert "This file changes nothing: deployed, it only reads." in prose(text)
    assert re.findall(r"^resource (\w+) '([^']+)' (\w+)", text, re.MULTILINE) == [
        ("linuxNow", "Microsoft.Compute/virtualMachines@2024-07-01", "existing"),
        ("windowsNow", "Microsoft.Compute/virtualMachines@2024-07-01", "existing"),
        ("arcWindowsNow", "Microsoft.HybridCompute/machines@2024-07-10", "existing"),
    ]
    assert len(re.findall(r"^(?:resource|module)\b", text, re.MULTILINE)) == 3


@given(made=hostile_plans())
@settings(max_examples=examples(20))
def test_ansible_replaces_nothing_in_a_plans_texts(made: Plan) -> None:
    """Jinja reads every text of a playbook that is not marked as unsafe."""
    plays = yaml.load(exported(made, "ansible"), Playbooks)

    def texts(value: Any) -> Any:
        if isinstance(value, dict):
            yield from (one for pair in value.items() for inner in pair for one in texts(inner))
        elif isinstance(value, str):
            yield value

    for play in plays:
        found = [play["name"], *texts(play["vars"])]
        assert [one for one in found if "{" in one and not isinstance(one, Unsafe)] == []
        assert play["tasks"] == plays[0]["tasks"]
        assert (play["hosts"], play["connection"]) == ("localhost", "local")
