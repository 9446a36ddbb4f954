"""Files that are cut, mixed up or filled with anything: what can be read is, the rest is reported, nothing raised."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from patchmode.model.iac import SourceFile
from patchmode.rules.iac import syntax
from patchmode.rules.iac.reading import report_of

VM = "Microsoft.Compute/virtualMachines"
RESOURCE = {"type": VM, "name": "[variables('a')]", "properties": {"osProfile": {"linuxConfiguration": {}}}}
CHANGE = {
    "address": "a.b",
    "type": "azurerm_linux_virtual_machine",
    "change": {
        "actions": ["update"],
        "before": {"patch_mode": "x"},
        "after": {"patch_mode": "y"},
        "replace_paths": [["a"]],
    },
}
SEEDS = {
    "a.tf": 'variable "m" {\n  default = 1\n}\nresource "azurerm_linux_virtual_machine" "w" {\n patch_mode=var.m\n}\n',
    "a.tfvars": 'm = "x"\n',
    "a.bicep": f"param m string = 'x'\nresource v '{VM}@2024-03-01' = [for i in x: if (y) {{\n  name: m\n}}]\n",
    "a.bicepparam": "using 'a.bicep'\nparam m = 'x'\n",
    "t.json": json.dumps({"contentVersion": "1", "resources": [RESOURCE], "variables": {"a": "[parameters('b')]"}}),
    "p.json": json.dumps({"format_version": "1.2", "resource_changes": [CHANGE]}),
    "p.yml": "- tasks:\n    - azure_rm_virtualmachine: &a\n        name: x\n        vm: *a\n",
    "Pulumi.yaml": "resources:\n  w:\n    type: azure-native:compute:VirtualMachine\n    properties: {osProfile: {}}\n",
}
PIECES = [
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "${",
    "null",
    "=",
    ":",
    ",",
    "\n",
    "\x00",
    "é",
    "&a ",
    "*a",
    "<<: ",
    "|",
    "...",
    "(",
]


@st.composite
def broken(draw: st.DrawFn) -> SourceFile:
    """One of the files, with a few places cut out or filled in."""
    name = draw(st.sampled_from(sorted(SEEDS)))
    text = SEEDS[name]
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, len(text)))
        last = min(len(text), first + draw(st.integers(0, 20)))
        text = text[:first] + draw(st.sampled_from(["", *PIECES])) + text[last:]
    return SourceFile(f"infra/{name}", text.encode())


@pytest.fixture(autouse=True, scope="module")
def _little_patience() -> object:
    patch = pytest.MonkeyPatch()
    patch.setattr(syntax, "PATIENCE_S", 0.2)
    yield
    patch.undo()


@given(st.lists(broken(), max_size=3))
@settings(max_examples=examples(150), deadline=None)
def test_nothing_in_a_file_ends_the_program(files: list[SourceFile]) -> None:
    report = report_of(("infra",), files, [])
    assert report.files == len(files)
    assert all(one.line >= 1 for one in report.findings)


@given(st.sampled_from(sorted(SEEDS)), st.binary(max_size=200))
@settings(max_examples=examples(100), deadline=None)
def test_nor_do_any_bytes(name: str, content: bytes) -> None:
    report = report_of(("infra",), [SourceFile(name, content + SEEDS[name].encode())], [])
    assert report.machines or report.unread or not report.findings
