"""How many Resource Graph queries each command costs on a small scope: Azure grants 15 in 5 seconds, to all of them.

The walk goes over the program's own commands, so that one that is added fails here until it is walked too.
"""

import json
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Program, Start, clean_environment
from tests.cli.test_from_failure_to_fix import advance
from tests.emulator_wire.principals import BLUE, ONE, READER, SECRETS, TWO, fleet_for

from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import running
from patchmode.arm.pipeline import GRAPH_PATH
from patchmode.cli.main import program as patchmode

MOST = 3
"""Three commands in a row must not meet the quota."""
PRODUCTION = "/subscriptions/22222222-2222-2222-2222-222222222222"
APP = f"{PRODUCTION}/resourceGroups/rg-app/providers"
WEB_01 = f"{APP}/Microsoft.Compute/virtualMachines/web-01"
WEEKLY = f"{APP}/Microsoft.Maintenance/maintenanceConfigurations/mc-weekly"
PASTED, NAMES = "web-01.log", "names.txt"
CREATE = (
    *("schedule", "create", "mc-new", "-s", PRODUCTION.rpartition("/")[2], "-g", "rg-app", "--yes"),
    *("--location", "westeurope", "--start", "2031-01-01 02:00", "--duration", "02:00", "--time-zone", "UTC"),
    *("--recur", "Day"),
)
SETUP: tuple[tuple[str, ...], ...] = (
    ("schedule", "attach", WEEKLY, "--dynamic", "all", "-s", "Contoso Production", "--filter-os", "linux", "--yes"),
    ("apply", "--ids", WEB_01, "--yes"),
    ("plan", "-g", "rg-dev", "--out", "plan.json"),
    ("audit", "--all", "-o", "json"),
)
"""What runs before the walk, so that there is a run, a plan file and a baseline."""
WALK: tuple[tuple[str, ...], ...] = (
    ("audit",),
    ("audit", "--all"),
    ("audit", "-s", "Contoso Production"),
    ("audit", "-g", "rg-app"),
    ("audit", "--ids", WEB_01),
    ("audit", "-m", "mg-contoso"),
    ("audit", "--schedule", "mc-weekly"),
    ("audit", "--failed-since", "30d"),
    ("audit", "--from-log", PASTED),
    ("audit", "--graph-query", "resources | where name startswith 'web' and type endswith 'virtualmachines'"),
    ("explain", "web-01"),
    ("explain", WEB_01),
    ("doctor",),
    ("doctor", "-s", "Contoso Production"),
    ("doctor", "--failed-since", "30d"),
    ("report", "--all"),
    ("schedule", "list"),
    ("schedule", "list", "-s", "Contoso Production"),
    ("schedule", "show", "mc-weekly"),
    ("schedule", "next", "--days", "14"),
    ("schedule", "next", "--days", "14", "-g", "rg-app"),
    ("schedule", "check"),
    ("schedule", "check", "mc-weekly"),
    ("schedule", "failures", "--since", "30d"),
    ("schedule", "failures", "--since", "30d", "-g", "rg-app"),
    CREATE,
    ("schedule", "attach", "mc-weekly", "--ids", WEB_01, "--yes"),
    ("schedule", "attach", "mc-weekly", "-g", "rg-app", "--yes"),
    ("schedule", "attach", WEEKLY, "--dynamic", "d", "-s", "Contoso Production", "--filter-os", "linux", "--yes"),
    ("schedule", "detach", "mc-weekly", "--ids", WEB_01, "--yes"),
    ("schedule", "detach", "mc-weekly", "--failed-since", "30d", "--yes"),
    ("schedule", "attach", "mc-weekly", "--failed-since", "30d", "--yes"),
    ("schedule", "detach", "mc-weekly", "--all", "--yes"),
    ("schedule", "update", "mc-new", "--duration", "03:00", "--yes"),
    ("schedule", "create", "mc-old", "-s", "Contoso Development", "-g", "rg-dev", *CREATE[7:]),
    ("schedule", "delete", "mc-old", "--yes"),
    ("plan", "--all"),
    ("plan", "-g", "rg-app"),
    ("plan", "--schedule", "mc-weekly"),
    ("plan", "--failed-since", "30d"),
    ("plan", "--from-log", PASTED),
    ("plan", "-g", "rg-app", "--then-attach", "mc-weekly"),
    ("plan", "-g", "rg-app", "--then-attach", WEEKLY),
    ("plan", "--failed-since", "30d", "--then-attach", "mc-weekly"),
    ("plan", "--schedule", "mc-weekly", "--then-attach", "mc-weekly"),
    ("plan", "--from-log", NAMES),
    ("plan", "--from-log", NAMES, "-g", "rg-app"),
    ("apply", "plan.json", "--yes"),
    ("apply", "-g", "rg-app", "--yes"),
    ("apply", "-g", "rg-app", "--then-attach", "mc-weekly", "--yes"),
    ("apply", "--failed-since", "30d", "--yes"),
    ("verify",),
    ("verify", "plan.json"),
    ("verify", "--all"),
    ("verify", "--after-window"),
    ("verify", "--all", "--after-window", "--since", "30d"),
    ("watch", "--all", "--once", "--baseline", "baseline.json"),
    ("runs", "list"),
    ("runs", "show", "latest"),
    ("runs", "resume", "latest", "--yes"),
    ("report", "--run", "latest"),
    ("evidence", "pack", "latest", "--out", "evidence.zip"),
    ("evidence", "check", "evidence.zip"),
    ("rollback", "latest", "--yes"),
)
ELSEWHERE = {
    ("console",): "its first page is counted in tests/console/test_fleet.py",
    ("demo",): "it runs these commands",
    ("runs", "merge"): "it reads files only",
}


@pytest.fixture
def fleet(start: Start, tmp_path: Path) -> Program:
    """The demo's fleet after a window that failed for some, and a run."""
    program = start("demo")
    (tmp_path / PASTED).write_text(f"Error: {WEB_01}: UnsupportedResourceOperation\n", encoding="utf-8")
    (tmp_path / NAMES).write_text("web-01\nrhel-02\n", encoding="utf-8")
    for args in SETUP:
        assert program(*args).code in {0, 10, 11}, program.ran[-1]
    report = program.ran[-1].out.replace("https://ENDPOINT", program.endpoint)
    (tmp_path / "baseline.json").write_text(report, encoding="utf-8")
    advance(program, "P8D")
    return program


def queries(program: Program) -> list[str]:
    """What was asked of Resource Graph so far, in order of arrival."""
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    return [json.loads(one.body)["query"] for one in entries if one.path.casefold() == GRAPH_PATH.casefold()]


def test_a_command_begins_with_what_the_last_one_left(start: Start, tmp_path: Path) -> None:
    """Also one that only reads: the state folder holds what Azure's last answer said, and nothing of whose it is."""
    program = start("small", limits=limits_from("azure"))
    left = []
    for args in (("audit", "--all"), ("explain", "web-01"), ("plan", "--all")):
        assert program(*args).code == 10
        text = (tmp_path / "state" / "resource-graph-quota.json").read_text(encoding="utf-8")
        (entry,) = json.loads(text)["granted"].values()
        left.append(entry["remaining"])
    assert left == [13, 10, 8]  # `explain` asks for the machine's last assessment, too
    assert program.environment["AZURE_CLIENT_ID"] not in text


def test_a_state_folder_that_cannot_be_used_is_no_matter_to_a_command_that_reads(start: Start, tmp_path: Path) -> None:
    program = start("small")
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = program("audit", "--all", PATCHMODE_STATE_DIR=str(tmp_path / "file"))
    assert (done.code, done.err) == (10, "")


def test_a_doctor_who_sees_groups_only_asks_once_about_all_subscriptions(tmp_path: Path) -> None:
    """Roles on groups are asked for machine by machine, and the machines of all subscriptions come together."""
    groups = [(f"{place}/resourceGroups/web", READER) for place in (ONE, TWO)]
    with running(fleet=fleet_for({"blue": groups}), limits=limits_from("off")) as served:
        signed_in = {"AZURE_CLIENT_ID": BLUE, "AZURE_CLIENT_SECRET": SECRETS["BLUE_SECRET"]}
        state = {"PATCHMODE_STATE_DIR": str(tmp_path / "state")}
        program = Program(tmp_path, {**clean_environment(), **served.env, **signed_in, **state}, served.endpoint)
        program.served = served  # type: ignore[attr-defined]
        assert program("doctor").code == 10
        assert len(queries(program)) == 1


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return {path}
    found = [leaves(one, (*path, name)) for name, one in command.commands.items()]
    return set().union(*found) | ({path} if path and command.invoke_without_command else set())


def test_every_command_is_walked() -> None:
    """A command that is added is counted, or is told here why not."""
    walked = {one[:length] for one in WALK for length in (1, 2)}
    assert {one for one in leaves(patchmode) if one not in walked and one not in ELSEWHERE} <= {("runs",)}


def test_no_command_costs_more_than_three_queries(fleet: Program) -> None:
    """Over the demo's fleet; each command does what it says, and is not refused."""
    counts: dict[str, int] = {}
    ends: dict[str, str] = {}
    for args in WALK:
        before = len(queries(fleet))
        done = fleet(*args)
        asked = queries(fleet)[before:]
        name = " ".join(args)
        counts[name] = len(asked)
        if done.code not in {0, 10, 11, 13}:
            ends[name] = done.err
    assert ends == {}
    assert {name: count for name, count in counts.items() if count > MOST} == {}
