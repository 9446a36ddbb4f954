"""Options with fixed values: how help and messages spell them, and what is suggested for a slip."""

from collections.abc import Iterator

import click
import pytest
from tests.cli.conftest import Program

from patchmode.cli.choices import Fixed, nearest
from patchmode.cli.main import program as whole


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
    """Azure writes IfRequired, Never and Always; what is typed may be of any case."""
    assert isinstance(param.type, Fixed), path
    shown = "|".join(param.type.choices)
    record = param.get_help_record(context)
    assert record is not None
    assert f"[{shown}]" in record[0]
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
