"""Every option that shapes how a run is carried out is kept by the run; a new option must say which kind it is."""

import ast
from pathlib import Path

import click
import pytest

from patchmode.cli.commands.apply import command as apply
from patchmode.cli.commands.rollback import command as rollback
from patchmode.cli.commands.runs import resume
from patchmode.cli.options import SCOPE_NAMES, SETTINGS_NAMES
from patchmode.model.guardrails import NAMES

ROOT = Path(__file__).resolve().parents[2]
ABOUT_THE_PLAN = (
    {"file", "run", "ids", "allow_azure_managed", "then_attach", "assignment_name", "waves", "canary"}
    | SCOPE_NAMES
    | SETTINGS_NAMES
)
"""What is carried out: it stands in the plan, which the journal holds."""
ABOUT_WHO_AND_WHERE = {"cloud", "identity_file", "tenant", "state_dir"}
"""The plan names its target, and a run for another one is refused; who signs in is told before anything is sent."""
ABOUT_THE_SCREEN = {"yes", "output", "query", "no_color", "no_progress", "log_format", "verbose", "debug", "quiet"}
ABOUT_WHO_IS_TOLD = {"notify_file", "notify_as"}
"""A notice when the command has ended: each command's own."""
KINDS = {
    "kept by the run": set(NAMES),
    "about the plan": ABOUT_THE_PLAN,
    "about who and where": ABOUT_WHO_AND_WHERE,
    "about the screen": ABOUT_THE_SCREEN,
    "about who is told": ABOUT_WHO_IS_TOLD,
}
WITHOUT_WAVES = {"max_failures_per_wave", "wave_pause", "last_wave", "max_changes"}
"""A rollback has no waves and no limit on changes."""


def _names(command: click.Command) -> set[str]:
    return {str(param.name) for param in command.params}


@pytest.mark.parametrize("command", [apply, rollback, resume], ids=["apply", "rollback", "runs resume"])
def test_each_option_is_of_exactly_one_kind(command: click.Command) -> None:
    """An option that nobody classified would be forgotten by `runs resume`, as all of them once were."""
    for name in _names(command):
        kinds = [kind for kind, names in KINDS.items() if name in names]
        assert len(kinds) == 1, f"{name} is {kinds or 'of no kind: keep it in RunBrakes, or say why the run need not'}"


def test_whatever_holds_a_run_back_can_be_said_when_it_begins_and_when_it_is_taken_up() -> None:
    assert set(NAMES) <= _names(apply)
    assert set(NAMES) <= _names(resume)
    assert set(NAMES) - WITHOUT_WAVES <= _names(rollback)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_shown_to_be_in_force_on_resume(name: str) -> None:
    """By a test of its own, which this one finds by its name."""
    places = ("tests/unit/workflow/run/test_brakes_kept.py", "tests/cli/test_resuming.py")
    shown = {
        node.name
        for place in places
        for node in ast.walk(ast.parse((ROOT / place).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert f"test_{name}_is_in_force_on_resume" in shown
