"""Bicep files and ARM templates: what a deployment does to each machine, and what is not known of it."""

import json
from typing import Any

import pytest
from tests.unit.rules.iac.declared import read, told

from patchmode.rules.iac import syntax

KIND = "Microsoft.Compute/virtualMachines"
FLAG = "bypassPlatformSafetyChecksOnUserSchedule"
BACK, UNKNOWN = "error iac-sets-mode-back", "warning iac-not-known"
NEW, FLAG_BACK = "warning iac-creates-unprepared", "warning iac-sets-bypass-back"


def settings(mode: Any, flag: Any = True) -> Any:
    return {"patchMode": mode, "automaticByPlatformSettings": {FLAG: flag}}


def template(patch_settings: Any, **more: Any) -> dict[str, str]:
    machine = {
        "type": KIND,
        "name": "web",
        "properties": {"osProfile": {"linuxConfiguration": {"patchSettings": patch_settings}}},
    }
    document = {"contentVersion": "1.0.0.0", "resources": [machine], **more}
    return {"t.json": json.dumps(document)}


def parameters(**values: Any) -> dict[str, Any]:
    return {name: {"type": "string", "defaultValue": value} for name, value in values.items()}


GIVEN = json.dumps(
    {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
        "parameters": {"mode": {"value": "ImageDefault"}},
    }
)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (template(settings("AutomaticByPlatform")), []),
        (template(settings("automaticbyplatform")), []),
        (template(settings("ImageDefault")), [BACK]),
        # Whether Azure takes the flag without the mode is not confirmed; that the mode is set back is.
        (template(settings("ImageDefault", flag=False)), [BACK]),
        (template(settings("AutomaticByPlatform", flag=False)), ["error iac-sets-bypass-back"]),
        (template({"patchMode": "AutomaticByPlatform"}), [FLAG_BACK]),
        (template(None), [NEW]),
        (template("[variables('s')]", variables={"s": settings("AutomaticByPlatform")}), []),
        (template("[variables('s').inner]", variables={"s": {"inner": settings("Manual")}}), [BACK]),
        (template(settings("[parameters('mode')]"), parameters=parameters(mode="AutomaticByPlatform")), []),
        (template(settings("[parameters('mode')]"), parameters=parameters(mode="Manual")), [BACK]),
        (template(settings("[parameters('mode')]"), parameters={"mode": {"type": "string"}}), [UNKNOWN]),
        (template(settings("[if(true(), 'a', 'b')]")), [UNKNOWN]),
        (template(settings("[[literal]")), ["error iac-refused"]),  # known, and no patch mode
        # A file of parameters beside it that sets another value.
        (
            {
                **template(settings("[parameters('mode')]"), parameters=parameters(mode="AutomaticByPlatform")),
                "t.parameters.json": GIVEN,
            },
            [UNKNOWN],
        ),
        (
            {
                **template(settings("[parameters('mode')]"), parameters={"mode": {"type": "string"}}),
                "t.parameters.json": GIVEN,
            },
            [BACK],
        ),
    ],
)
def test_a_machine_of_an_arm_template(files: dict[str, str], found: list[str]) -> None:
    assert [line.partition(" ")[2] for line in told(files)] == [f"{one} {KIND}/web" for one in found]


@pytest.mark.parametrize(("scope", "found"), [("inner", []), ("outer", [BACK])])
def test_a_nested_template_has_the_parameters_of_its_scope(scope: str, found: list[str]) -> None:
    inner = json.loads(template(settings("[parameters('mode')]"), parameters=parameters(mode="Manual"))["t.json"])
    deployment = {
        "type": "Microsoft.Resources/deployments",
        "name": "d",
        "properties": {
            "expressionEvaluationOptions": {"scope": scope},
            "parameters": {"mode": {"value": "AutomaticByPlatform"}},
            "template": inner,
        },
    }
    outer = {"contentVersion": "1.0.0.0", "resources": {"d": deployment}, "parameters": parameters(mode="ImageDefault")}
    assert [line.partition(" ")[2] for line in told({"t.json": json.dumps(outer)})] == [
        f"{one} {KIND}/web" for one in found
    ]


def test_a_machine_that_a_template_only_names_is_not_looked_at() -> None:
    document = json.loads(template(None)["t.json"])
    document["resources"][0]["existing"] = True
    off = json.loads(template(None)["t.json"])
    off["resources"][0]["condition"] = False
    assert read({"a.json": json.dumps(document), "b.json": json.dumps(off)}).machines == ()


# -------------------------------------------------------------------------------------------------------------- Bicep


def bicep(patch_settings: str, *declared: str, head: str = "") -> str:
    profile = f"{{ windowsConfiguration: {{ patchSettings: {patch_settings} }} }}"
    body = f"{{ name: 'web', properties: {{ osProfile: {profile} }} }}"
    return "".join(f"{one}\n" for one in declared) + f"resource vm '{KIND}@2024-03-01' = {head}{body}\n"


GOOD = f"{{ patchMode: 'AutomaticByPlatform', automaticByPlatformSettings: {{ {FLAG}: true }} }}"
VARIABLE = f"{{ patchMode: mode, automaticByPlatformSettings: {{ {FLAG}: true }} }}"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a.bicep": bicep(GOOD)}, []),
        ({"a.bicep": bicep(GOOD, head="if (x) ")}, []),
        ({"a.bicep": bicep("{ patchMode: 'Manual' }")}, [f"a.bicep:1 {BACK}"]),
        ({"a.bicep": bicep("{ patchMode: 'AutomaticByPlatform' }")}, [f"a.bicep:1 {FLAG_BACK}"]),
        ({"a.bicep": bicep("{ assessmentMode: 'ImageDefault' }")}, [f"a.bicep:1 {NEW}"]),
        ({"a.bicep": bicep("s", f"var s = {GOOD}")}, []),
        ({"a.bicep": bicep("s.a", f"var s = {{ a: {GOOD} }}")}, []),
        ({"a.bicep": bicep(VARIABLE, "param mode string = 'Manual'")}, [f"a.bicep:2 {BACK}"]),
        ({"a.bicep": bicep(VARIABLE, "param mode string")}, [f"a.bicep:2 {UNKNOWN}"]),
        ({"a.bicep": bicep(VARIABLE, "param x bool", "var mode = x ? 'Manual' : 'Manual'")}, [f"a.bicep:3 {BACK}"]),
        ({"a.bicep": bicep(VARIABLE, "param x bool", "var mode = x ? 'Manual' : 'B'")}, [f"a.bicep:3 {UNKNOWN}"]),
        ({"a.bicep": bicep(VARIABLE, "var mode = 'a' == 'b' ? 'Manual' : 'AutomaticByPlatform'")}, []),
        ({"a.bicep": bicep("union(a, b)")}, [f"a.bicep:1 {UNKNOWN}", f"a.bicep:1 {UNKNOWN}"]),
        # Files of parameters beside it.
        (
            {"a.bicep": bicep(VARIABLE, "param mode string = 'AutomaticByPlatform'"), "a.parameters.json": GIVEN},
            [f"a.bicep:2 {UNKNOWN}"],
        ),
        (
            {
                "a.bicep": bicep(VARIABLE, "param mode string = 'AutomaticByPlatform'"),
                "a.bicepparam": "using 'a.bicep'\nparam mode = 'x'\n",
            },
            [f"a.bicep:2 {UNKNOWN}"],
        ),
        # A module, as it is called.
        (
            {
                "m.bicep": bicep(VARIABLE, "param mode string = 'Manual'"),
                "a.bicep": "module m './m.bicep' = {\n  name: 'm'\n  params: { mode: 'AutomaticByPlatform' }\n}\n",
            },
            [],
        ),
        (
            {
                "d/m.bicep": bicep(VARIABLE, "param mode string = 'AutomaticByPlatform'"),
                "a.bicep": "module m 'd/m.bicep' = [for i in x: {\n  name: 'm'\n  params: { mode: 'Manual' }\n}]\n",
            },
            [f"d/m.bicep:2 {BACK}"],
        ),
        ({"a.bicep": f"resource vm '{KIND}@2024-03-01' existing = {{\n  name: 'x'\n}}\n"}, []),
        ({"a.bicep": "resource vm 'Microsoft.Compute/disks@2024-03-01' = {\n  name: 'x'\n}\n"}, []),
    ],
)
def test_a_machine_of_bicep(files: dict[str, str], found: list[str]) -> None:
    assert told(files) == [f"{one} {KIND}/web" for one in found]


def test_modules_of_a_registry_are_named() -> None:
    report = read({"a.bicep": "module vm 'br/public:avm/res/compute/virtual-machine:0.1.0' = {\n  name: 'x'\n}\n"})
    assert report.elsewhere == ("a.bicep:1 br/public:avm/res/compute/virtual-machine:0.1.0",)


@pytest.mark.parametrize("text", ["}{'$" * 20_000, "{" * 50_000, "var x = " + "[" * 50_000, "x " * 50_000])
def test_what_is_no_bicep_ends_soon_and_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The grammar alone takes a minute and more for these."""
    monkeypatch.setattr(syntax, "PATIENCE_S", 0.1)
    (unread,) = read({"a.bicep": text}).unread
    assert unread.path == "a.bicep"


def test_variables_that_name_each_other_in_a_circle_are_not_known() -> None:
    circle = bicep(VARIABLE, "var mode = other", "var other = mode")
    assert told({"a.bicep": circle}) == [f"a.bicep:3 {UNKNOWN} {KIND}/web"]
    arm = template("[variables('a')]", variables={"a": "[variables('b')]", "b": "[variables('a')]"})
    assert {line.split(" ")[2] for line in told(arm)} == {"iac-not-known"}
