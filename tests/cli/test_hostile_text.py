"""Names, tags and messages that would steer a terminal, in the commands that show them: no screen holds one raw."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.cli import forked
from tests.cli.conftest import PROGRAM, Program, Start
from tests.unit.reports.test_hostile_text import ODD, SEQUENCES, raw_in

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from arm_emulator.named_fleets import read_fleet
from patchmode.cli.commands.export import EXPORT_FORMS

HOSTILE = "".join((*ODD, *SEQUENCES))
IN_A_NAME = "\u202e\u2066\u200b\ufeff\x9b"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
REFUSAL = Respond(status=409, json={"error": {"code": "Conflict", "message": f"held by {HOSTILE}"}})


@pytest.fixture
def program(start: Start, tmp_path: Path) -> Program:
    """A fleet whose machines, tags, schedules and subscriptions are named so, and whose changes are refused so."""
    text = json.dumps(read_fleet("demo"))
    for name in ("web-01", "mc-nightly"):
        text = text.replace(name, json.dumps(f"{name}{IN_A_NAME}")[1:-1])
    fleet: dict[str, Any] = json.loads(text)
    for one in fleet["resources"]:
        one["tags"] = {**(one.get("tags") or {}), f"k{HOSTILE}": f"v{HOSTILE}"}
    for one in fleet["subscriptions"]:
        one["displayName"] += HOSTILE
    (tmp_path / "fleet.json").write_text(json.dumps(fleet), encoding="utf-8")
    program = start(str(tmp_path / "fleet.json"))
    rule = Rule(do=Action(respond=REFUSAL), match=Matcher(method="PATCH"))
    program.served.emulator.faults.arm(FaultPlan(rules=[rule]))  # type: ignore[attr-defined]
    return program


def test_no_command_shows_one_raw(program: Program) -> None:
    """Neither on standard output nor on standard error."""
    machines = json.loads(program("audit", "--all", "-o", "json").out)["machines"]
    one = next(entry["id"] for entry in machines if entry["name"].startswith("web-01"))
    plan = program("plan", "-g", "rg-app", "--exclude-name", "web-01*", "--out", "plan.json")
    assert plan.code == 10, plan.err
    assert program("apply", "plan.json", "--yes").code == 11
    for command in (
        ("audit", "--all"),
        ("audit", "--all", "--summary", "subscription"),
        ("plan", "--all"),
        ("schedule", "list"),
        ("schedule", "check"),
        ("schedule", "next"),
        ("doctor",),
        ("explain", one),
        ("explain", one, "--debug"),
        ("runs", "list"),
        ("runs", "show", "latest"),
        ("verify", "latest"),
        ("report", "--run", "latest", "-o", "markdown"),
        ("plan", "-g", "rg-app", "--exclude-name", "web-01*", "--waves", f"tag:k{HOSTILE}", "--out", "waves.json"),
        *(("export", name, "--as", form) for name in ("plan.json", "waves.json") for form in EXPORT_FORMS),
        ("audit", "--all", "--tag", f"k{HOSTILE[-9:]}=x"),
    ):
        program(*command)
    assert [done.code for done in program.ran if done.code not in {0, 3, 10, 11, 13}] == []
    for done, errors in zip(program.ran, program.ran_raw, strict=True):
        assert raw_in(done.out) == []
        assert raw_in(errors) == []
    assert raw_in((program.folder / "plan.json").read_text(encoding="utf-8")) == []
    assert sum(r"\x1b[2J" in done.out + done.err for done in program.ran) > 3


def test_no_terminal_is_steered_but_by_our_colours(program: Program) -> None:
    """CSV too is often printed on one."""
    for command in (("audit", "--all"), ("plan", "--all"), ("audit", "--all", "-o", "csv"), ("schedule", "list")):
        done = forked.on_terminal(PROGRAM, command, cwd=program.folder, env=program.environment, columns=100)
        assert done.returncode in {0, 10}
        assert raw_in(COLOUR.sub("", done.stdout)) == []
