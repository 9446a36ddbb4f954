"""Terraform's configuration: what the next apply does to each machine, and what is not known of it."""

import pytest
from tests.unit.rules.iac.declared import read, told

MODE = "patch_mode"
BYPASS = "bypass_platform_safety_checks_on_user_schedule_enabled"
GOOD = f'{MODE} = "AutomaticByPlatform"\n  {BYPASS} = true\n'


def vm(body: str, kind: str = "azurerm_linux_virtual_machine") -> str:
    return f'resource "{kind}" "web" {{\n  {body}\n}}\n'


BACK, FLAG = "error iac-sets-mode-back", "error iac-sets-bypass-back"
NEW, REFUSED, UNKNOWN = "warning iac-creates-unprepared", "error iac-refused", "warning iac-not-known"
LIFECYCLE = "lifecycle {\n    ignore_changes = %s\n  }"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (GOOD, []),
        # Left out, null, and another mode.
        ("", [f"1 {BACK}"]),
        (f"{MODE} = null", [f"1 {BACK}"]),
        (f'{MODE} = "ImageDefault"', [f"2 {BACK}"]),
        (f'{BYPASS} = false\n  {MODE} = "ImageDefault"', [f"3 {BACK}"]),
        # The mode alone is the dangerous half.
        (f'{MODE} = "AutomaticByPlatform"', [f"2 {FLAG}"]),
        (f'{MODE} = "AutomaticByPlatform"\n  {BYPASS} = false', [f"3 {FLAG}"]),
        (f'{MODE} = "AutomaticByPlatform"\n  {BYPASS} = null', [f"2 {FLAG}"]),
        # What contradicts itself.
        (f'{MODE} = "ImageDefault"\n  {BYPASS} = true', [f"2 {REFUSED}"]),
        (f"{BYPASS} = true", [f"2 {REFUSED}"]),
        (f"{GOOD}  provision_vm_agent = false", [f"4 {REFUSED}"]),
        # A value that the setting does not have is refused, and sets nothing back.
        (f'{MODE} = "AutomaticByPlatfrom"\n  {BYPASS} = true', [f"2 {REFUSED}"]),
        (f'{MODE} = "Auto"\n  {BYPASS} = "yes"', [f"2 {REFUSED}", f"3 {REFUSED}"]),
        (f'{MODE} = "AutomaticByPlatform"\n  {BYPASS} = "yes"', [f"3 {REFUSED}"]),
        # Terraform converts these texts.
        (f'{MODE} = "AutomaticByPlatform"\n  {BYPASS} = "true"', []),
        (f'{MODE} = "AutomaticByPlatform"\n  {BYPASS} = "false"', [f"3 {FLAG}"]),
        # Ignored changes keep what is there, and prepare nothing new.
        (LIFECYCLE % f"[{MODE}, {BYPASS}, tags]", [f"1 {NEW}"]),
        (LIFECYCLE % "all", [f"1 {NEW}"]),
        (LIFECYCLE % "[tags]", [f"1 {BACK}"]),
        (LIFECYCLE % f"[{MODE}]", [f"1 {NEW}", f"1 {FLAG}"]),
        (f'{MODE} = "AutomaticByPlatform"\n  {LIFECYCLE % f"[{BYPASS}]"}', [f"2 {NEW}"]),
        (f"{GOOD}  {LIFECYCLE % 'all'}", []),
        # Expressions are never guessed.
        (f"{MODE} = data.x.y.mode\n  {BYPASS} = true", [f"2 {UNKNOWN}"]),
        (f'{MODE} = "AutomaticByPlatform"\n  {BYPASS} = upper(true)', [f"3 {UNKNOWN}"]),
        (f"{MODE} = each.value.mode\n  {BYPASS} = each.value.flag", [f"2 {UNKNOWN}", f"3 {UNKNOWN}"]),
        (f"{MODE} = each.value.mode", [f"2 {FLAG}"]),
        (f'{MODE} = data.a.b ? "AutomaticByPlatform" : null\n  {BYPASS} = true', [f"2 {UNKNOWN}"]),
        (f'{MODE} = data.a.b ? "Manual" : "Manual"', [f"2 {BACK}"]),
        (f'{MODE} = "${{"AutomaticByPlatform"}}"\n  {BYPASS} = (true)', []),
        # Comparisons of values that are known.
        (f'{MODE} = "AutomaticByPlatform" == "x" ? "Manual" : "AutomaticByPlatform"\n  {BYPASS} = !("a" == "b")', []),
        (f'{MODE} = "AutomaticByPlatform"\n  {BYPASS} = "a" != "a"', [f"3 {FLAG}"]),
        (f'{MODE} = "AutomaticByPlatform"\n  {BYPASS} = data.x.y || "a" == "a"', []),
        (f'{MODE} = "AutomaticByPlatform"\n  {BYPASS} = data.x.y && "a" == "a"', [f"3 {UNKNOWN}"]),
        (f'{MODE} = coalesce(null, "AutomaticByPlatform")\n  {BYPASS} = true', []),
        (f'{MODE} = coalesce(data.x.y, "AutomaticByPlatform")\n  {BYPASS} = true', [f"2 {UNKNOWN}"]),
        # A disk that may be attached, or not.
        ("os_managed_disk_id = var.disk", [f"1 {BACK}"]),
        # A disk that is attached: azurerm takes no patch settings.
        ("os_managed_disk_id = azurerm_managed_disk.os.id", [f"1 {NEW}"]),
        ("count = 0", []),
    ],
)
def test_a_machine_of_azurerm(body: str, found: list[str]) -> None:
    place = "azurerm_linux_virtual_machine.web"
    assert told({"main.tf": vm(body)}) == [f"main.tf:{one} {place}" for one in found]


def test_a_mistyped_mode_is_not_called_what_the_next_apply_sets() -> None:
    (finding,) = read({"main.tf": vm(f'{MODE} = "AutomaticByPlatfrom"')}).findings
    assert finding.message == (
        'patch_mode = "AutomaticByPlatfrom": no patch mode has this name. The next apply is refused by azurerm.'
    )
    assert finding.fix == "Set patch_mode to AutomaticByPlatform. --fix does so."


def test_hotpatching_and_the_bypass_flag_exclude_each_other() -> None:
    windows = vm(f"{GOOD}  hotpatching_enabled = true", "azurerm_windows_virtual_machine")
    assert told({"main.tf": windows}) == [f"main.tf:4 {REFUSED} azurerm_windows_virtual_machine.web"]
    mode_only = vm(f'{MODE} = "AutomaticByPlatform"\n  hotpatching_enabled = true', "azurerm_windows_virtual_machine")
    (finding,) = read({"main.tf": mode_only}).findings
    assert finding.fix.startswith("Set hotpatching_enabled to false first")
    assert finding.edits == ()


def test_what_a_default_is_depends_on_the_system_and_the_version_of_the_provider() -> None:
    """Both are said: in either case the VM is not as it was."""
    (linux,) = read({"main.tf": vm("")}).findings
    (windows,) = read({"main.tf": vm("", "azurerm_windows_virtual_machine")}).findings
    assert "set ImageDefault; later ones keep the mode and set the bypass flag to false" in linux.message
    assert "set AutomaticByOS; later ones keep the mode" in windows.message


AZAPI = 'type = "Microsoft.Compute/virtualMachines@2024-03-01"\n  body = '
BODY = '{ properties = { osProfile = { linuxConfiguration = { patchSettings = { patchMode = "%s" } } } } }'


@pytest.mark.parametrize(
    ("kind", "body", "found"),
    [
        ("azurerm_virtual_machine", "os_profile_linux_config {\n  }", f"1 {NEW}"),
        ("azapi_resource", 'type = "Microsoft.Compute/virtualMachines@2024-03-01"', f"1 {NEW}"),
        (
            "azapi_resource",
            f"{AZAPI}jsonencode({BODY % 'ImageDefault'})",
            f"3 {BACK}",
        ),
        (
            "azapi_resource",
            AZAPI + BODY % "AutomaticByPlatform",
            "3 warning iac-sets-bypass-back",
        ),
    ],
)
def test_other_resources(kind: str, body: str, found: str) -> None:
    assert told({"main.tf": vm(body, kind)}) == [f"main.tf:{found} {kind}.web"]


def test_resources_that_are_no_machine_are_left_alone() -> None:
    other = vm('type = "Microsoft.Compute/disks@2024-03-01"', "azapi_resource")
    assert told({"main.tf": other + vm("", "azurerm_linux_virtual_machine_scale_set")}) == []
    assert read({"main.tf": 'data "azurerm_linux_virtual_machine" "x" {\n}\n'}).machines == ()


# -------------------------------------------------------------------------------------------------- variables, modules

DECLARED = 'variable "mode" {\n  default = "%s"\n}\n'
FOLLOWS = vm(f'{MODE} = var.mode\n  {BYPASS} = var.mode == "AutomaticByPlatform"')
USES = vm(f"{MODE} = var.mode\n  {BYPASS} = true")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"vars.tf": DECLARED % "AutomaticByPlatform"}, []),
        ({"vars.tf": DECLARED % "Manual"}, [REFUSED]),
        ({"vars.tf": 'variable "mode" {}\n'}, [UNKNOWN]),
        ({}, [UNKNOWN]),
        # The flag follows the mode, as modules often have it.
        ({"vars.tf": DECLARED % "AutomaticByPlatform", "main.tf": FOLLOWS}, []),
        # Terraform reads these by itself …
        ({"vars.tf": DECLARED % "Manual", "terraform.tfvars": 'mode = "AutomaticByPlatform"\n'}, []),
        ({"vars.tf": DECLARED % "AutomaticByPlatform", "x.auto.tfvars": 'mode = "Manual"\n'}, [REFUSED]),
        # … and these only where somebody names them.
        ({"vars.tf": DECLARED % "AutomaticByPlatform", "prod.tfvars": 'mode = "Manual"\n'}, [UNKNOWN]),
        ({"vars.tf": DECLARED % "AutomaticByPlatform", "env/prod.tfvars": 'mode = "Manual"\n'}, [UNKNOWN]),
        ({"vars.tf": DECLARED % "AutomaticByPlatform", "prod.tfvars": 'mode = "AutomaticByPlatform"\n'}, []),
        # A local that is a variable.
        (
            {"vars.tf": 'locals {\n  m = local.n\n  n = "x"\n}\n' + DECLARED % "AutomaticByPlatform"},
            [],
        ),
    ],
)
def test_a_variable_is_looked_up_where_it_is_literal(files: dict[str, str], found: list[str]) -> None:
    place = "azurerm_linux_virtual_machine.web"
    assert told({"main.tf": USES, **files}) == [f"main.tf:2 {one} {place}" for one in found]


def test_the_place_of_a_value_is_told() -> None:
    text = vm(f"{MODE} = local.s.mode")
    (finding,) = read({"main.tf": text, "l.tf": 'locals {\n\n  s = { mode = "Manual" }\n}\n'}).findings
    assert finding.message.startswith('patch_mode = "Manual" (local.s, l.tf:3).') or "Manual" in finding.message
    assert finding.edits == ()


def test_locals_that_refer_to_each_other_in_a_circle_are_not_known() -> None:
    circle = "locals {\n  a = local.b\n  b = local.a\n}\n"
    assert told({"main.tf": circle + vm(f"{MODE} = local.a\n  {BYPASS} = true")}) == [
        f"main.tf:6 {UNKNOWN} azurerm_linux_virtual_machine.web"
    ]


def test_a_module_is_looked_at_as_each_call_has_it() -> None:
    """What one call passes says nothing of another."""
    module = 'variable "mode" {\n  default = null\n}\n' + USES
    calls = (
        'module "good" {\n  source = "../vm"\n  mode = "AutomaticByPlatform"\n}\n'
        'module "bad" {\n  source = "../vm"\n  mode = "ImageDefault"\n}\n'
        'module "default" {\n  source = "../vm"\n}\n'
    )
    report = read({"root/main.tf": calls, "vm/vm.tf": module})
    assert [(one.rule, one.machine.address, one.machine.via) for one in report.findings] == [
        ("iac-refused", "module.bad.azurerm_linux_virtual_machine.web", "root/main.tf:5"),
        ("iac-refused", "module.default.azurerm_linux_virtual_machine.web", "root/main.tf:9"),
    ]
    assert "(set at root/main.tf:5)" in report.findings[0].message
    assert [one.edits for one in report.findings] == [(), ()]


def test_calls_of_modules_that_are_not_there_are_told() -> None:
    """Their machines were not looked at, and nobody may think they were."""
    report = read({"main.tf": 'module "a" {\n  source = "Azure/vm/azurerm"\n}\nmodule "b" {\n  source = "./gone"\n}\n'})
    assert report.elsewhere == ("main.tf:1 Azure/vm/azurerm", "main.tf:4 ./gone")
    assert report.is_clean


def test_modules_that_call_each_other_end() -> None:
    loop = 'module "x" {\n  source = "../%s"\n}\n'
    report = read({"a/m.tf": loop % "b" + vm(""), "b/m.tf": loop % "a", "c/m.tf": loop % "c"})
    assert {one.machine.path for one in report.findings} == {"a/m.tf"}


# ------------------------------------------------------------------------------------------------------ what is no HCL


@pytest.mark.parametrize(
    ("text", "line"),
    [("resource {{{\n", 1), ('a = "b"\n\n}\n', 3), ('}{"$' * 20_000, 1), ("\x00\x01", 1)],
)
def test_what_is_no_hcl_is_told_with_its_line(text: str, line: int) -> None:
    (unread,) = read({"main.tf": text}).unread
    assert (unread.path, unread.line) == ("main.tf", line)


def test_what_is_around_a_fault_is_still_looked_at() -> None:
    report = read({"main.tf": vm("") + "resource = {{\n"})
    assert [one.rule for one in report.findings] == ["iac-sets-mode-back"]
    assert not report.is_clean


@pytest.mark.parametrize(
    "nested", ["[" * 5_000 + "]" * 5_000, "{a=" * 5_000 + "1" + "}" * 5_000, "(" * 5_000 + ")" * 5_000]
)
def test_deep_nesting_is_not_known_and_no_fault_of_the_program(nested: str) -> None:
    report = read({"main.tf": vm(f"{MODE} = {nested}\n  {BYPASS} = true")})
    assert {one.rule for one in report.findings} <= {"iac-not-known"}
    assert report.findings or report.unread
