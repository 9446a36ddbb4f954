"""Production and its twin in development: no line of any command leaves open which of the two it speaks of.

The walk goes over the program's own commands, so that one that is added fails here until it is walked too.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Program, Start
from tests.cli.speaking import Speaking
from tests.twins import DEVELOPMENT, NAMES, PRODUCTION, twins

from patchmode.cli.commands.export import EXPORT_FORMS
from patchmode.cli.main import program as patchmode

GROUP = "/resourceGroups/rg-app/providers"
WEEKLY = f"/subscriptions/{PRODUCTION}{GROUP}/Microsoft.Maintenance/maintenanceConfigurations/mc-weekly"
NIGHTLY = WEEKLY.replace("mc-weekly", "mc-nightly").replace(PRODUCTION, DEVELOPMENT)
NEW = NIGHTLY.replace("mc-nightly", "mc-new").replace("/rg-app/", "/rg-data-prod/")
WEB_01 = f"/subscriptions/{DEVELOPMENT}{GROUP}/Microsoft.Compute/virtualMachines/web-01"
WEB_04 = f"/subscriptions/{PRODUCTION}{GROUP}/Microsoft.Compute/virtualMachines/web-04"
WALK: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    ("doctor",): ((),),
    ("audit",): (("--all",), ("--all", "--name", "web-*")),
    ("explain",): ((WEB_01,),),
    ("schedule", "list"): ((),),
    ("schedule", "show"): ((NIGHTLY,),),
    ("schedule", "next"): (("--days", "2"),),
    ("schedule", "check"): ((),),
    ("schedule", "failures"): (("--since", "7d"),),
    ("schedule", "attach"): (
        (WEEKLY, "-g", "rg-app", "--yes"),
        (WEEKLY, "--dynamic", "d", "-s", "Development", "-g", "rg-app", "--filter-os", "linux", "--yes"),
    ),
    ("schedule", "detach"): ((WEEKLY, "--all", "--yes"),),
    ("schedule", "create"): (
        (
            *("mc-new", "-s", "Development", "-g", "rg-data-prod", "--location", "westeurope"),
            *("--start", "2031-01-01 02:00", "--duration", "02:00", "--time-zone", "UTC", "--recur", "Day", "--yes"),
        ),
    ),
    ("schedule", "update"): ((NIGHTLY, "--duration", "02:30", "--yes"),),
    ("schedule", "delete"): ((NEW, "--yes"),),
    ("policy", "audit"): (("--policy", "all"),),
    ("policy", "assign"): (("prerequisite", "-s", "Development", "--location", "westeurope", "--yes"),),
    ("policy", "remediate"): (
        (
            f"/subscriptions/{DEVELOPMENT}/providers/Microsoft.Authorization/policyAssignments/patchmode-prerequisite",
            *("--re-evaluate", "--yes", "--failure-threshold", "100"),
        ),
    ),
    ("plan",): (("-g", "rg-app", "--out", "plan.json"), ("--all", "--waves", "zone", "--out", "waves.json")),
    ("export",): tuple(("plan.json", "--as", form) for form in EXPORT_FORMS),
    ("apply",): (("plan.json", "--yes"),),
    ("runs", "list"): ((),),
    ("runs", "show"): (("latest",),),
    ("runs", "resume"): (("latest", "--yes"),),
    ("verify",): ((), ("--all",), ("plan.json",), ("--after-window",)),
    ("report",): (("--all",), ("--run", "latest")),
    ("evidence", "pack"): (("latest", "--out", "evidence.zip"),),
    ("evidence", "check"): (("evidence.zip",),),
    ("runs", "merge"): (("run.json", "other.json"),),
    ("watch",): (("--all", "--once", "--baseline", "before.json"),),
    ("rollback",): (("latest", "--yes"),),
}
ELSEWHERE = {
    ("completion",): "it prints a script; the values it completes with are not told to anybody",
    ("schema",): "it prints a published file, and asks Azure nothing",
    ("iac", "check"): "it reads files, and asks Azure nothing",
    ("mcp",): "each of its tools is one of these commands",
    ("console",): "its pages are walked in tests/console",
    ("live-check",): "it is given one machine by its id",
    ("demo",): "it tells its own fleet of three subscriptions by these commands",
}
NO_ROWS = {("evidence", "pack"), ("evidence", "check"), ("report",), ("watch",)}


@pytest.fixture
def twin_program(start: Start, tmp_path: Path) -> Program:
    fleet = tmp_path / "twins.json"
    fleet.write_text(json.dumps(twins()), encoding="utf-8")
    return start(str(fleet))


@pytest.fixture
def speaking() -> Speaking:
    ids = [one["id"] for one in twins()["resources"]]
    machines = [one for one in ids if one.split("/")[-2].lower() in {"virtualmachines", "machines"}]
    times = Counter(one.rpartition("/")[2] for one in machines)
    return Speaking([name for name, count in times.items() if count > 1], NAMES)


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every command of the program that is no group."""
    if not isinstance(command, click.Group):
        return {path}
    context = click.Context(command)
    found = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return set().union(*(leaves(one, (*path, name)) for name, one in found if one is not None))


def test_every_command_is_walked() -> None:
    """A new command tells machines too: it stands here, or says why not."""
    assert leaves(patchmode) == {*WALK, *ELSEWHERE}


def test_no_line_names_a_twin_ambiguously(twin_program: Program, speaking: Speaking) -> None:
    """The operator acts on lines, not on documents: each says which of the two it means."""
    program = twin_program
    program("report", "--all", "--out", "before.json")
    odd: list[str] = []
    for path, calls in WALK.items():
        for args in calls:
            done = program(*path, *args)
            assert done.code in {0, 10, 11, 13}, (path, args, done)
            odd += [f"{' '.join(path)}: {line}" for line in speaking.in_lines(done.out)]
            odd += [f"{' '.join(path)} (stderr): {line}" for line in speaking.in_lines(done.err)]
        if path == ("runs", "show"):
            program("report", "--run", "latest", "--out", "run.json")
            program("apply", "-g", "rg-data-prod", "--yes")
            program("report", "--run", "latest", "--out", "other.json")
    assert odd == []


@pytest.mark.parametrize("subject", [("--all",), ("--run", "latest")], ids=["audit", "run"])
def test_no_report_names_a_twin_ambiguously(
    twin_program: Program, speaking: Speaking, subject: tuple[str, ...]
) -> None:
    """A report is read by somebody who has nothing else at hand."""
    program = twin_program
    program("apply", "-g", "rg-app", "--yes")
    made = {form: program("report", *subject, "-o", form).out for form in _READERS}
    odd = [f"{form}: {text}" for form, read in _READERS.items() for text in read(speaking, made[form])]
    assert odd == []
    assert all(name in made[form] for name in NAMES.values() for form in made)


_READERS = {
    "html": Speaking.in_html,
    "markdown": Speaking.in_lines,
    "junit": Speaking.in_xml,
    "sarif": Speaking.in_json,
    "csv": Speaking.in_csv,
    "json": Speaking.in_json,
}


def test_the_checker_finds_what_it_is_for(speaking: Speaking) -> None:
    """A checker that finds nothing would make the walk green for ever."""
    both = "Production and Development\n"
    assert list(speaking.in_lines(f"{both}\n  rg-app/web-01, rg-app/web-02")) == ["  rg-app/web-01, rg-app/web-02"]
    assert list(speaking.in_lines(f"{both}\n  Production/rg-app/web-01, rg-app/web-02")) == []
    assert list(speaking.in_lines(f"{both}\nPatch Production/rg-app/web-01, Development/rg-app/web-01")) == []
    assert list(speaking.in_lines(f"{both}\nin Development:\n  web-01 failed")) == []
    assert list(speaking.in_values({"id": WEB_01, "name": "web-01"})) == []
    assert list(speaking.in_values({"note": "web-01 failed"})) == ["web-01 failed"]
    assert list(speaking.in_csv("name,group\nweb-01,rg-app")) == ["web-01 rg-app"]
    assert list(speaking.in_html("<p>Production</p><p>Development</p><ul><li>web-01</li></ul>")) == ["web-01"]


def test_a_question_counts_machines_by_subscription(twin_program: Program) -> None:
    """Who meant one of the two sees it before anything is sent."""
    done = twin_program("apply", "-g", "rg-app", "--yes")
    assert "Scope: --resource-group rg-app, in 2 subscriptions: Production, Development" in done.err
    assert "To change: Production: 15 machines, Development: 15 machines." in done.err
    assert "Machines     Production: 15 machines, Development: 15 machines" in done.err


def test_subscriptions_of_one_name_go_by_name_and_id(start: Start, tmp_path: Path) -> None:
    """Where the name does not tell, the id does, from the audit to the journal."""
    fleet = tmp_path / "same.json"
    fleet.write_text(json.dumps(twins({PRODUCTION: "Shared", DEVELOPMENT: "shared"})), encoding="utf-8")
    program = start(str(fleet))
    done = program("apply", "-g", "rg-app", "--yes")
    assert "in 2 subscriptions: Shared (22222222), shared (55555555)" in done.err
    assert "Shared (22222222): 15 applied." in program("runs", "show").out


def test_a_renamed_subscription_is_told_before_anything_is_sent(twin_program: Program) -> None:
    """A plan may be old, or edited: the question names the subscriptions as Azure does now."""
    program = twin_program
    program("plan", "-g", "rg-app", "--out", "plan.json")
    known = program.served.emulator.directory.subscriptions  # type: ignore[attr-defined]
    known[PRODUCTION] = replace(known[PRODUCTION], display_name="Old production")
    done = program("apply", "plan.json", "--yes")
    assert f"Note: {PRODUCTION} is named 'Old production' now, and was 'Production' in the plan." in done.err
    assert "Machines     Old production: 15 machines, Development: 15 machines" in done.err


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("verify", "--all"), NAMES),
        (("verify", "-s", "Development"), {DEVELOPMENT: "Development"}),
        (("verify", "--after-window", "--all"), NAMES),
        (("explain", WEB_04), {PRODUCTION: "Production"}),
        (("schedule", "list"), NAMES),
        (("schedule", "show", WEEKLY), {PRODUCTION: "Production"}),
        (("schedule", "next"), NAMES),
        (("schedule", "check"), NAMES),
        (("schedule", "attach", WEEKLY, "--ids", WEB_04, "--yes"), {PRODUCTION: "Production"}),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_each_document_says_what_its_subscriptions_are_called(
    twin_program: Program, args: tuple[str, ...], told: Mapping[str, str]
) -> None:
    """Audit, plan and run did; whoever reads the others had to ask Azure again for the names."""
    document = json.loads(twin_program(*args, "-o", "json").out)
    assert next(iter(document)) == "format"
    assert {row["subscriptionId"]: row["displayName"] for row in document["subscriptions"]} == told
