"""The reference page says what the program does: options, switches, faults, limits, control calls."""

from pathlib import Path

import msgspec
import pytest

from arm_emulator.cli import main
from arm_emulator.control import _HANDLERS
from arm_emulator.faults import Action, Matcher, Rule, faults_from
from arm_emulator.fleets import MEMBERS
from arm_emulator.profile import describe
from arm_emulator.protocol.throttle import ARM_LIMITS, COMPUTE_LIMITS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "emulator.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_switch_has_its_row(page: str) -> None:
    """Word for word, so the page cannot lag behind the code."""
    for row in describe():
        assert "| `{}` | {} | {} | {} |".format(*row) in page


def test_every_option_is_there(page: str) -> None:
    """Of serve and of exec, which are the same; this page sends its readers to that of the command line for some."""
    page += (PAGE.parent / "cli.md").read_text(encoding="utf-8")
    options = {option for name in ("serve", "exec") for one in main.commands[name].params for option in one.opts}
    assert [option for option in sorted(options) if option.startswith("--") and f"`{option}" not in page] == []


def test_every_control_call_fault_and_member_is_there(page: str) -> None:
    """A name that is not documented does not exist."""
    faults = [field.encode_name for struct in (Action, Rule) for field in msgspec.structs.fields(struct)]
    faults += [f"match.{field.encode_name}" for field in msgspec.structs.fields(Matcher)]
    calls = [f"{method} {name}" for method, name in _HANDLERS]
    wanted = [*calls, *(name for name in faults if name != "match"), *MEMBERS]
    assert [name for name in wanted if f"`{name}`" not in page] == []


def test_every_limit_is_there(page: str) -> None:
    """With its figures."""
    for name, limit in {**ARM_LIMITS, **COMPUTE_LIMITS}.items():
        rows = [line for line in page.splitlines() if line.startswith(f"| `{name}`")]
        assert [row.split("|")[2].strip() for row in rows] == [f"{limit.burst:g}"]


def test_the_example_is_a_fault_file(page: str) -> None:
    """Examples that do not parse mislead."""
    example = page.partition("```json\n")[2].partition("```")[0]
    assert faults_from(example.encode()).rules[0].nth == 3
