"""Ansible's tasks, and Pulumi's programs and stacks."""

import json

import pytest
from tests.unit.rules.iac.declared import read, told

FLAG = "bypassPlatformSafetyChecksOnUserSchedule"
NEW, BACK = "warning iac-creates-unprepared", "error iac-sets-mode-back"
BODY = "{properties: {osProfile: {linuxConfiguration: {patchSettings: %s}}}}"
GOOD = f"{{patchMode: AutomaticByPlatform, automaticByPlatformSettings: {{{FLAG}: true}}}}"


def playbook(task: str) -> str:
    return f"- hosts: localhost\n  tasks:\n    - block:\n        - name: x\n          {task}\n"


def resource(patch_settings: str, method: str = "PUT") -> str:
    arguments = "provider: Compute, resource_type: virtualMachines, resource_name: web"
    return playbook(f"azure_rm_resource: {{{arguments}, method: {method}, body: {BODY % patch_settings}}}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (playbook("azure_rm_virtualmachine: {name: web}"), [f"5 {NEW} azure_rm_virtualmachine web"]),
        (
            playbook("azure.azcollection.azure_rm_virtualmachine: {name: '{{ n }}'}"),
            [f"5 {NEW} azure.azcollection.azure_rm_virtualmachine"],
        ),
        (playbook("azure_rm_virtualmachine: {name: web, state: absent}"), []),
        (playbook("azure_rm_virtualmachine_info: {name: web}"), []),
        (resource("{patchMode: ImageDefault}"), [f"5 {BACK} Microsoft.Compute/virtualMachines/web"]),
        (resource("{patchMode: ImageDefault}", "PATCH"), [f"5 {BACK} Microsoft.Compute/virtualMachines/web"]),
        (resource(GOOD), []),
        (resource("{}"), [f"5 {NEW} Microsoft.Compute/virtualMachines/web"]),
        (resource("{}", "PATCH"), []),
        (resource("{}", "DELETE"), []),
        (
            resource(GOOD.replace("AutomaticByPlatform,", "'{{ mode }}',")),
            ["5 warning iac-not-known Microsoft.Compute/virtualMachines/web"],
        ),
    ],
)
def test_a_task_of_ansible(text: str, found: list[str]) -> None:
    assert told({"p.yml": text}) == [f"p.yml:{one}" for one in found]


PULUMI = "name: x\nruntime: yaml\nresources:\n  web:\n    type: %s\n    properties: %s\n"
NATIVE, CLASSIC = "azure-native:compute:VirtualMachine", "azure:compute/linuxVirtualMachine:LinuxVirtualMachine"
INSIDE = "{osProfile: {linuxConfiguration: {patchSettings: %s}}}"


@pytest.mark.parametrize(
    ("kind", "properties", "found"),
    [
        (NATIVE, INSIDE % GOOD, []),
        (NATIVE, INSIDE % "{patchMode: ImageDefault}", [f"6 {BACK}"]),
        (NATIVE, "{}", [f"4 {NEW}"]),
        ("azure-native:compute/v20240301:VirtualMachine", "{}", [f"4 {NEW}"]),
        (CLASSIC, "{}", [f"4 {BACK}"]),
        (CLASSIC, f"{{patchMode: AutomaticByPlatform, {FLAG}Enabled: true}}", []),
        (CLASSIC, f"{{patchMode: AutomaticByPlatform, {FLAG}Enabled: '${{flag}}'}}", ["6 warning iac-not-known"]),
        (CLASSIC, "{}\n    options: {ignoreChanges: [patchMode, " + FLAG + "Enabled]}", [f"4 {NEW}"]),
        ("azure-native:compute:Disk", "{}", []),
        ("aws:compute:VirtualMachine", "{}", []),
    ],
)
def test_a_resource_of_pulumi(kind: str, properties: str, found: list[str]) -> None:
    assert told({"Pulumi.yaml": PULUMI % (kind, properties)}) == [f"Pulumi.yaml:{one} {kind} web" for one in found]


def test_a_stack_tells_what_was_applied() -> None:
    one = {"urn": f"urn:pulumi:dev::x::{NATIVE}::web", "type": NATIVE, "inputs": {"osProfile": {}}}
    stack = json.dumps({"version": 3, "deployment": {"resources": [one]}})
    assert told({"stack.json": stack}) == [f"stack.json:1 warning iac-not-known {NATIVE} web"]


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("azure_rm_virtualmachine: [", False),
        ("{% for %}\nazure_rm_virtualmachine: 1\n", False),
        ("azure_rm_virtualmachine:\n\t- x\n", False),
        ("# azure_rm_virtualmachine\n" + "[" * 100_000, False),
        (LAUGHS + "azure_rm_virtualmachine: {name: *a39, os_type: {x: *a39}}\n", True),
        ("azure_rm_virtualmachine: &a {name: x, self: *a}\n", True),
        ("azure_rm_virtualmachine: !vault |\n  x\n", True),
        ("a: !unknown {azure_rm_virtualmachine: {name: !x y}}\n--- \n--- x\n", True),
        ("azure_rm_virtualmachine: {? [a, b] : c, name: x}\n", True),
    ],
)
def test_hostile_yaml_ends_soon_and_in_no_fault_of_the_program(text: str, is_read: bool) -> None:
    assert (read({"p.yml": text}).unread == ()) is is_read
