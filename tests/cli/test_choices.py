"""Options with fixed values: how help and messages spell them, and what is suggested for a slip."""

import re
from collections.abc import Iterator

import click
import pytest
from tests.cli.conftest import Program

from patchmode.cli.choices import Fixed
from patchmode.cli.main import program as whole
from patchmode.model.nearest import nearest
from patchmode.model.patch_settings import OTHER_NAMES, Orchestration


def options() -> Iterator[tuple[str, click.Option, click.Context]]:
    """Every option of every command."""
    waiting: list[tuple[click.Command, click.Context, str]] = [(whole, click.Context(whole), "patchmode")]
    while waiting:
        command, context, path = waiting.pop()
        for param in command.get_params(context):
            if isinstance(param, click.Option):
                yield path, param, context
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                waiting.append((found, click.Context(found, parent=context, info_name=name), f"{path} {name}"))


CHOICES = [(path, param, context) for path, param, context in options() if isinstance(param.type, click.Choice)]


@pytest.mark.parametrize(
    ("path", "param", "context"), CHOICES, ids=[f"{path} {param.name}" for path, param, _ in CHOICES]
)
def test_each_choice_is_shown_as_it_is_written_and_taken_in_any_case(
    path: str, param: click.Option, context: click.Context
) -> None:
    """Azure writes IfRequired, Never and Always; what is typed may be of any case.

    Where the help explains each choice by its name, they are not listed before it once more.
    """
    assert isinstance(param.type, Fixed), path
    shown = "|".join(param.type.choices)
    record = param.get_help_record(context)
    assert record is not None
    assert f"[{shown}]" in record[0] or all(f"{choice}: " in record[1] for choice in param.type.choices)
    for choice in param.type.choices:
        for typed in (choice, choice.upper(), choice.lower(), choice.replace("-", " ")):
            assert param.type.convert(typed, param, context) == choice
        if len(choice) > 3:
            with pytest.raises(click.BadParameter) as caught:
                param.type.convert(choice[:-2], param, context)
            near = [one for one in param.type.choices if one.startswith(choice[:-2])]
            assert any(f"Did you mean {one}?" in caught.value.message for one in near)
    with pytest.raises(click.BadParameter) as caught:
        param.type.convert("#?", param, context)
    assert "Did you mean" not in caught.value.message
    assert all(choice in caught.value.message for choice in param.type.choices)


def test_azures_spellings_are_choices_somewhere() -> None:
    shown = {choice for _, param, _ in CHOICES for choice in getattr(param.type, "choices", ())}
    assert {"IfRequired", "Never", "Always"} <= shown
    assert not {"ifrequired", "never", "always"} & shown


def test_the_nearest_of_nothing_is_none() -> None:
    assert nearest("", ["windows", "linux"]) is None
    assert nearest("linx", ["windows", "linux"]) == "linux"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["plan", "--all", "--reboot", "ifreq"], "not one of IfRequired, Never, Always. Did you mean IfRequired?"),
        (["plan", "--all", "--to", "custumer-managed"], "Did you mean customer-managed-schedules?"),
        (["audit", "--os", "linx"], "Did you mean linux?"),
        (["audit", "--cloud", "AzureGov"], "Did you mean AzureUSGovernment?"),
        (["audit", "--cloud", "AzureGermany"], "closed in 2021"),
    ],
)
def test_a_slip_is_told_with_what_was_perhaps_meant(offline: Program, args: list[str], told: str) -> None:
    done = offline(*args)
    assert done.code in (1, 2)
    assert told in " ".join(done.err.split())


# ------------------------------------------------------------------------------------------------ time zones

NAMES_A_ZONE = re.compile(r"\b[A-Z][a-z]+/[A-Z][a-z]+\b|Standard Time")
SCHEDULE = (
    *("mc", "-s", "one", "-g", "rg", "--location", "westeurope", "--start", "2030-12-01 02:00"),
    *("--duration", "03:00", "--recur", "Day", "--yes"),
)
ZONED = {
    ("patchmode apply", "--freeze"): (["apply", "--all"], "08:00-18:00 {}", "Europe/Berlin"),
    ("patchmode rollback", "--freeze"): (["rollback", "RUN"], "Fri 16:00-Mon 06:00 {}", "Europe/Berlin"),
    ("patchmode runs resume", "--freeze"): (["runs", "resume", "RUN"], "2026-12-20/2027-01-03 {}", "Europe/Berlin"),
    ("patchmode console", "--freeze"): (["console"], "08:00-18:00 {}", "Europe/Berlin"),
    ("patchmode schedule create", "--time-zone"): (
        ["schedule", "create", *SCHEDULE],
        "{}",
        "W. Europe Standard Time",
    ),
    ("patchmode schedule update", "--time-zone"): (["schedule", "update", "mc"], "{}", "W. Europe Standard Time"),
}
"""An option that takes a zone → a command, how the option's value is written, what `Berlin` perhaps means there."""


def test_every_option_that_takes_a_time_zone_is_walked() -> None:
    """Whoever adds one adds it above."""
    found = {(path, param.opts[0]) for path, param, _ in options() if NAMES_A_ZONE.search(param.help or "")}
    assert found == set(ZONED)


@pytest.mark.parametrize(("path", "option"), ZONED)
def test_a_zone_that_is_none_is_refused_with_the_name_to_type(path: str, option: str, offline: Program) -> None:
    """Before anything is read: there is nothing to connect to here."""
    command, form, meant = ZONED[path, option]
    for zone, told in [("Berlin", f"'{meant}'"), ("CET", "it may mean '"), ("Middle-earth", "'Middle-earth'")]:
        done = offline(*command, option, form.format(zone))
        assert (done.code, done.out) == (2, ""), done.err
        assert told in " ".join(done.err.split())


def test_an_iana_zone_is_refused_for_a_schedule_and_the_windows_name_is_told(offline: Program) -> None:
    """Azure documents Windows names; what it does with another one is recorded nowhere."""
    done = offline("schedule", "create", *SCHEDULE, "--time-zone", "Europe/Berlin")
    assert done.code == 2
    assert (
        "Its time zone 'Europe/Berlin' is an IANA name, and Azure documents Windows names only: use 'W. Europe "
        "Standard Time' (unknown-time-zone)."
    ) in " ".join(done.err.split())


SETTABLE = [one for one in Orchestration if one not in (Orchestration.NOT_SET, Orchestration.NOT_APPLICABLE)]


def to_option() -> tuple[click.Option, click.Context]:
    return next((param, context) for path, param, context in CHOICES if path.endswith("plan") and "--to" in param.opts)


@pytest.mark.parametrize("one", SETTABLE, ids=str)
def test_to_takes_every_spelling_that_we_or_azure_print(one: Orchestration) -> None:
    """Whoever copies an orchestration from a table, from JSON or from the portal does not have to translate it."""
    param, context = to_option()
    names = [one.option, one.portal_name, one.value, *(name for name, named in OTHER_NAMES.items() if named is one)]
    for name in names:
        for typed in (name, name.upper(), name.lower(), name.replace(" ", "-"), name.replace(" ", ""), f" {name} "):
            assert param.type.convert(typed, param, context) == one.option, typed


@pytest.mark.parametrize("name", ["AutomaticByPlatform", "N/A", "N/A (not set)", "NotSet", "not-applicable"])
def test_what_is_printed_and_cannot_be_asked_for_says_why(name: str) -> None:
    """`patchMode: AutomaticByPlatform` is two orchestrations: taking it for one of them would guess."""
    param, context = to_option()
    with pytest.raises(click.BadParameter, match=r"two orchestrations|no patch mode"):
        param.type.convert(name, param, context)
