"""Plans and states: what a plan does to each machine, and that a state decides nothing."""

import json
from typing import Any

import pytest
from tests.unit.rules.iac.declared import read, told

BYPASS = "bypass_platform_safety_checks_on_user_schedule_enabled"
GOOD = {"patch_mode": "AutomaticByPlatform", BYPASS: True}
DEFAULT = {"patch_mode": "ImageDefault", BYPASS: False}
ADDRESS = "azurerm_linux_virtual_machine.web"


def plan(actions: list[str], before: Any, after: Any, **change: Any) -> dict[str, str]:
    one = {
        "address": ADDRESS,
        "type": ADDRESS.partition(".")[0],
        "change": {"actions": actions, "before": before, "after": after, **change},
    }
    other = {"address": "null_resource.a", "type": "null_resource", "change": {"actions": ["create"], "after": {}}}
    document = {"format_version": "1.2", "terraform_version": "1.9.8", "resource_changes": [other, one]}
    return {"p.json": json.dumps(document, indent=1)}


@pytest.mark.parametrize(
    ("actions", "before", "after", "found"),
    [
        (["no-op"], GOOD, GOOD, []),
        (["update"], DEFAULT, GOOD, []),
        (["create"], None, GOOD, []),
        (["update"], GOOD, DEFAULT, ["error iac-sets-mode-back"]),
        (["no-op"], DEFAULT, DEFAULT, ["error iac-sets-mode-back"]),
        (["update"], GOOD, {**GOOD, BYPASS: False}, ["error iac-sets-bypass-back"]),
        (["create"], None, DEFAULT, ["warning iac-creates-unprepared"]),
        (["create"], None, {**GOOD, BYPASS: False}, ["warning iac-creates-unprepared"]),
        (["delete"], DEFAULT, None, []),
        (["delete", "create"], GOOD, GOOD, ["error iac-replaces-machine"]),
        (["create", "delete"], GOOD, DEFAULT, ["error iac-replaces-machine", "warning iac-creates-unprepared"]),
    ],
)
def test_a_plan_says_what_becomes_of_a_machine(actions: list[str], before: Any, after: Any, found: list[str]) -> None:
    assert [line.partition(" ")[2] for line in told(plan(actions, before, after))] == [
        f"{one} {ADDRESS}" for one in found
    ]


def test_what_a_plan_changes_is_told_with_both_values_and_its_line() -> None:
    (finding,) = read(plan(["update"], GOOD, DEFAULT)).findings
    assert finding.message == (
        f'This plan changes patch_mode "AutomaticByPlatform" -> "ImageDefault", {BYPASS} true -> false.'
    )
    assert (finding.machine.path, finding.edits) == ("p.json", ())
    lines = plan(["update"], GOOD, DEFAULT)["p.json"].splitlines()
    assert '"patch_mode": "ImageDefault"' in lines[finding.line - 1]


def test_what_forces_a_replacement_is_named() -> None:
    replaced = plan(
        ["delete", "create"], GOOD, GOOD, replace_paths=[["enable_automatic_updates"], ["os_disk", 0, "name"]]
    )
    (finding,) = read(replaced).findings
    assert finding.message == (
        "The plan deletes this VM and creates it again because of enable_automatic_updates, os_disk.0.name."
    )


def test_what_is_known_after_the_apply_only_is_not_guessed() -> None:
    unknown = plan(["create"], None, {BYPASS: True}, after_unknown={"patch_mode": True})
    assert told(unknown)[0].split(" ", 1)[1] == f"warning iac-not-known {ADDRESS}"


RESOURCE = {"address": ADDRESS, "mode": "managed", "type": "azurerm_linux_virtual_machine", "name": "web"}


@pytest.mark.parametrize(
    "state",
    [
        {"format_version": "1.0", "values": {"root_module": {"child_modules": [{"resources": [RESOURCE]}]}}},
        {"version": 4, "terraform_version": "1.9.8", "lineage": "x", "resources": [RESOURCE]},
    ],
)
@pytest.mark.parametrize(("values", "found"), [(GOOD, []), (DEFAULT, ["iac-not-known"])])
def test_a_state_tells_what_was_and_not_what_will_be(state: Any, values: Any, found: list[str]) -> None:
    there = json.dumps(values)
    named = f'"name": "web", "values": {there}, "instances": [{{"attributes": {there}}}]'
    text = json.dumps(state).replace('"name": "web"', named)
    report = read({"s.tfstate": text})
    assert len(report.machines) == 1
    assert [one.rule for one in report.findings] == found
    assert all("The configuration decides what is applied." in one.message for one in report.findings)


@pytest.mark.parametrize("text", ["{", '{"a": azurerm_}', "[" * 20_000 + '"azurerm_"' + "]" * 20_000, '"azurerm_"'])
def test_what_is_no_json_or_something_else_ends_in_no_fault_of_the_program(text: str) -> None:
    assert read({"x.json": text}).machines == ()
