"""The edits of `--fix`: after them nothing is found, and where that is not certain there are none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.rules.iac.declared import read

from patchmode.rules.iac.keeping import safe_edits
from patchmode.store.source_files import edited

MODE = "patch_mode"
BYPASS = "bypass_platform_safety_checks_on_user_schedule_enabled"


def vm(body: str) -> str:
    return f'resource "azurerm_linux_virtual_machine" "web" {{\n{body}}}\n'


def fixed(text: str) -> str:
    edits, _ = safe_edits(read({"main.tf": text}).findings)
    return edited(text.encode(), edits.get("main.tf", ())).decode()


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (
            '  name = "web"\n',
            f'  {MODE:<54} = "AutomaticByPlatform"\n  {BYPASS} = true\n\n  name = "web"\n',
        ),
        (f'    {MODE} = "Manual"\n', f'    {BYPASS} = true\n\n    {MODE} = "AutomaticByPlatform"\n'),
        (
            f'  {MODE} = "AutomaticByPlatform"\n  {BYPASS} = false # why\n',
            f'  {MODE} = "AutomaticByPlatform"\n  {BYPASS} = true # why\n',
        ),
    ],
)
def test_both_settings_are_written_as_terraform_fmt_does(body: str, after: str) -> None:
    assert fixed(vm(body)) == vm(after)
    assert read({"main.tf": fixed(vm(body))}).findings == ()


def test_lines_end_as_those_of_the_file() -> None:
    text = vm('  name = "web"\n').replace("\n", "\r\n")
    after = fixed(text)
    assert after.count("\n") == after.count("\r\n") == text.count("\n") + 3
    assert read({"main.tf": after}).findings == ()


@pytest.mark.parametrize(
    "text",
    [
        vm(f"  {MODE} = null\n"),
        vm(f"  {MODE} = var.mode\n") + 'variable "mode" {\n  default = "Manual"\n}\n',
        vm(f'  {MODE} = "AutomaticByPlatform"\n  hotpatching_enabled = true\n'),
        vm("  hotpatching_enabled = var.hot\n"),
        vm(f'  {MODE} = "AutomaticByPlatform"\n  provision_vm_agent = false\n'),
        vm("  lifecycle {\n    ignore_changes = all\n  }\n"),
        vm("  os_managed_disk_id = azurerm_managed_disk.os.id\n"),
        'resource "azurerm_linux_virtual_machine" "web" {}\n',
        'resource "azurerm_linux_virtual_machine" "web" { name = "x" }\n',
        'resource "azurerm_virtual_machine" "web" {\n}\n',
    ],
)
def test_where_an_edit_of_the_block_is_not_enough_or_not_safe_there_is_none(text: str) -> None:
    report = read({"main.tf": text})
    edits, left = safe_edits(report.findings)
    assert (edits, left) == ({}, report.findings)
    assert left


def test_a_module_is_edited_where_the_edit_solves_every_call() -> None:
    calls = 'module "a" {\n  source = "./vm"\n}\nmodule "b" {\n  source = "./vm"\n}\n'
    edits, left = safe_edits(read({"main.tf": calls, "vm/vm.tf": vm('  name = "web"\n')}).findings)
    assert (list(edits), len(edits["vm/vm.tf"]), left) == (["vm/vm.tf"], 1, ())
    other = vm("  hotpatching_enabled = var.hot\n") + 'variable "hot" {\n  default = false\n}\n'
    hot = calls.replace('"./vm"\n}\nmodule', '"./vm"\n  hot = true\n}\nmodule')
    edits, left = safe_edits(read({"main.tf": hot, "vm/vm.tf": other}).findings)
    assert (edits, len(left)) == ({}, 2)


LINES = st.sampled_from(
    [
        f'{MODE} = "ImageDefault"',
        f'{MODE} = "AutomaticByPlatform"',
        f"{BYPASS} = false",
        f"{BYPASS} = true",
        'name = "ünïcode"',
        "# a comment",
        "",
        'os_disk {\n    caching = "None"\n  }',
        "tags = {\n    a = 1\n  }",
    ]
)


@given(st.lists(LINES, unique=True, max_size=6), st.integers(0, 3))
@settings(max_examples=examples(100))
def test_what_is_edited_has_no_finding_any_more_and_keeps_every_other_line(lines: list[str], blank: int) -> None:
    body = "\n" * blank + "".join(f"  {line}\n" for line in lines)
    # Two of one argument are no configuration.
    if sum(MODE in line for line in lines) > 1 or sum(BYPASS in line for line in lines) > 1:
        return
    report = read({"main.tf": vm(body)})
    _, left = safe_edits(report.findings)
    after = read({"main.tf": fixed(vm(body))})
    assert [one.rule for one in after.findings] == [one.rule for one in left]
    assert after.unread == ()
    kept = [line for line in vm(body).splitlines() if MODE not in line and BYPASS not in line and line.strip()]
    assert [line for line in fixed(vm(body)).splitlines() if line in kept] == kept
