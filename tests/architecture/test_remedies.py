"""Remedies: what a rule advises can be typed, and is not what was asked for already."""

import re
from collections.abc import Iterator

import click
import pytest
from tests.unit.rules.builders import arc_document, machine_from, vm

from patchmode.cli.main import program
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import Orchestration, RebootSetting, WantedSettings
from patchmode.rules.eligibility.judgement import audit_machine
from patchmode.rules.registry import rule_texts

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
INSTEAD = re.compile(r"patchmode [^`]*(?:…|\b(?:ID|NAME|RUN|FILE|CONFIGURATION|MACHINE)\b)")
CSM = Orchestration.CUSTOMER_MANAGED_SCHEDULES
MEMBER = vm(scale_set_id="/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/flex")
ARC = machine_from(arc_document())
HOT = vm("Windows", {"patchMode": "AutomaticByPlatform", "enableHotpatching": True})


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for param in command.get_params(context):
        yield from (one for one in param.opts if one.startswith("--"))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _options(found, click.Context(found, parent=context))


def test_every_option_that_a_remedy_names_exists() -> None:
    known = set(_options(program, click.Context(program)))
    for name, rule in rule_texts().items():
        for option in OPTION.findall(rule.fix):
            assert option in known or option.startswith("--exclude-"), f"{name}: there is no option {option}"


def test_no_remedy_of_a_rule_holds_a_word_that_stands_for_another() -> None:
    for name, rule in rule_texts().items():
        assert not INSTEAD.search(rule.fix), f"{name}: {rule.fix!r} cannot be pasted"


@pytest.mark.parametrize(
    ("machine", "wanted", "rule", "told", "not_told"),
    [
        (MEMBER, WantedSettings(CSM), "scale-set-member", "--include-scale-set-members", "by name"),
        (
            MEMBER,
            WantedSettings(CSM, include_scale_set_members=True),
            "scale-set-member",
            "Check after its next window",
            "--include-scale-set-members",
        ),
        (HOT, WantedSettings(CSM), "hotpatch-on", "--hotpatch off", "Nothing to do"),
        (HOT, WantedSettings(CSM, hotpatch_off=True), "hotpatch-on", "Nothing to do", "--hotpatch"),
        (ARC, WantedSettings(CSM), "arc-no-orchestration", "--then-attach", "--reboot"),
        (
            ARC,
            WantedSettings(None, periodic_assessment=True, reboot=RebootSetting.NEVER),
            "arc-no-orchestration",
            "Leave --reboot out",
            "--periodic-assessment",
        ),
        (
            vm("Linux"),
            WantedSettings(Orchestration.MANUAL),
            "mode-os-mismatch",
            "--to image-default",
            "--to manual",
        ),
        (
            vm("Windows"),
            WantedSettings(Orchestration.IMAGE_DEFAULT),
            "mode-os-mismatch",
            "--to automatic-by-os or manual",
            "--to image-default",
        ),
        (
            vm("Windows", {"patchMode": "Manual"}),
            WantedSettings(None, reboot=RebootSetting.NEVER),
            "reboot-needs-platform-mode",
            "--to customer-managed-schedules",
            "Ask for",
        ),
    ],
)
def test_what_was_asked_already_is_not_the_remedy(
    machine: Machine, wanted: WantedSettings, rule: str, told: str, not_told: str
) -> None:
    """Somebody who named a scale-set member was told to name scale-set members."""
    reasons = [one for one in audit_machine(machine, wanted).reasons if one.rule == rule]
    assert reasons
    assert all(told in (one.fix or "") and not_told not in (one.fix or "") for one in reasons), reasons
