"""A slip in a name: every option that takes one says what was perhaps meant, and where that stands."""

from collections.abc import Iterator

import click
import pytest
from tests.cli.conftest import Program, clean_environment
from tests.cli.test_help import COMMANDS

from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import Running, running
from patchmode.cli.choices import Fixed, Named

FREE = {
    "--assignment-name": "a name to be given",
    "--classifications": "fixed words in a list, which `wishes` knows",
    "--cloud": "named clouds, which `clouds` knows; tested with the choices",
    "--digest": "a number",
    "--duration": "a span",
    "--dynamic": "a name to be given; of `detach` one to be found, tested below",
    "--expires": "a time",
    "--failed-since": "a time",
    "--filter-location": "Azure evaluates the filter at each window, also of what is still to come",
    "--exchanges": "a file to be written",
    "--filter-os": "fixed words, which `wishes` knows",
    "--filter-tag": "Azure evaluates the filter at each window, also of what is still to come",
    "--filter-type": "fixed words, which `wishes` knows",
    "--exempt": "a whole id: nothing that is merely alike may be left out",
    "--freeze": "a span",
    "--from-run": "a run and ends of its machines; a slip in either is told, tested in test_next_command",
    "--graph-query": "a query",
    "--host": "an address",
    "--interval": "a span",
    "--kb-exclude": "updates",
    "--kb-include": "updates",
    "--linux-classifications": "fixed words in a list, which `wishes` knows",
    "--longest-wait": "a span",
    "--maintenance-group": "one that is absent is refused by name",
    "--management-group": "named with the reason where nothing is below it",
    "--max-changes": "a number",
    "--max-failures": "a number",
    "--max-failures-per-region": "a number",
    "--max-failures-per-wave": "a number",
    "--out": "a file to be written",
    "--param": "names of the definition's parameters, refused with those that it has",
    "--package-exclude": "packages",
    "--package-include": "packages",
    "--profile-file": "a file to be written",
    "--query": "a query",
    "--recur": "a rule with a grammar",
    "--role": "a guid, or one of the names that the refusal lists",
    "--shard": "a number",
    "--share": "a number",
    "--since": "a time",
    "--start": "a time",
    "--state-dir": "a folder that is made",
    "--tenant": "an id or a domain; of an identity file, refused with those that it names",
    "--throttle-patience": "a span",
    "--time-zone": "a name of Windows, refused with the nearest by the rules of creation",
    "--vm": "the whole id, typed or pasted: nothing that is merely alike may be written to",
    "--wave-pause": "a span",
    "--waves": "keys with a grammar",
    "--windows-classifications": "fixed words in a list, which `wishes` knows",
    "assignment": "a whole id: no other assignment may be carried out",
    "name": "a name to be given",
}
"""What names nothing that is there, and why."""
FILTERS = {"--location", "--name", "--os", "--power", "--tag"}
FILES = {
    "--baseline",
    "--from",
    "--from-log",
    "--identity-file",
    "--ids-file",
    "--notify-file",
    "file",
    "path",
    "paths",
}
SLIPS = {
    "subscription": ("Contoso Prodction", "cannot see it", "'Contoso Production'"),
    "resource group": ("rg-ap", "'rg-app' in Contoso Production"),
    "schedule": ("mc-nigtly", "Did you mean 'mc-nightly'?"),
    "run": ("lates", "Did you mean latest?"),
    "run or file": ("lates", "Did you mean latest?"),
    "machine": ("wbe-01", "'web-01', in rg-app of Contoso Production"),
}
CREATED = ["mc-new", "--location", "westeurope", "--start", "2030-01-01 22:00", "--duration", "03:00"]
CREATED += ["--time-zone", "UTC", "--recur", "Day", "--yes"]
BESIDES = {
    "schedule attach": ["mc-nightly"],
    "schedule detach": ["mc-nightly"],
    "watch": ["--count", "1"],
    "evidence pack": ["--out", "pack"],
}
"""What a command needs before it looks anything up."""


def parameters() -> Iterator[tuple[str, click.Parameter]]:
    for path, (command, context) in COMMANDS.items():
        if isinstance(command, click.Group) and path:
            continue  # their options are the program's
        for param in command.get_params(context):
            if not isinstance(param, click.Option) or not (param.is_flag or param.count):
                yield path, param


def called(param: click.Parameter) -> str:
    return param.opts[-1] if isinstance(param, click.Option) else str(param.name)


def test_every_parameter_names_something_or_says_why_not() -> None:
    """A new option with names of things is forgotten nowhere: it is `Named`, or stands in one of the tables above."""
    for path, param in parameters():
        if isinstance(param.type, (Named, Fixed, click.types.IntRange, click.types.FloatRange)):
            continue
        name = called(param).replace("--exclude-", "--")
        known = name in FREE or name in FILTERS or name in FILES or name == "--ids"
        # A schedule's own tag and region are to be given.
        assert known, f"{path} {called(param)}"


NAMED = [(path, param) for path, param in parameters() if isinstance(param.type, Named)]
NOT_ASKED = {("console", None), ("schedule attach", "--filter-group")}
"""The console reads when a page is opened; a dynamic scope's groups may still be to come."""


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running(fleet=read_fleet("schedules"), lro_seconds=0, limits=limits_from("off")) as one:
        yield one


@pytest.fixture
def program(served: Running, tmp_path: object) -> Program:
    environment = {**clean_environment(), **served.env, "PATCHMODE_STATE_DIR": f"{tmp_path}/state", "COLUMNS": "900"}
    return Program(tmp_path, environment, served.endpoint)  # type: ignore[arg-type]


@pytest.mark.parametrize(("path", "param"), NAMED, ids=[f"{path} {called(param)}" for path, param in NAMED])
def test_a_slip_in_a_name_is_told_with_the_nearest(program: Program, path: str, param: click.Parameter) -> None:
    if (path, None) in NOT_ASKED or (path, called(param)) in NOT_ASKED:
        return
    assert isinstance(param.type, Named)
    slip, *told = SLIPS[param.type.name]
    given = [called(param), slip] if isinstance(param, click.Option) else [slip]
    besides = BESIDES.get(path, [])
    if not isinstance(param, click.Option) and path.startswith("schedule "):
        besides = ["-g", "rg-app"] if path in {"schedule attach", "schedule detach"} else []
        besides += ["--duration", "02:00"] if path == "schedule update" else []
    if path in {"plan", "apply"} and param.name == "then_attach":
        besides = ["-g", "rg-app"]
    if path == "policy assign":
        besides = ["prerequisite", "--location", "westeurope", "--yes"]
        besides += ["-s", "Contoso Production"] if param.name == "group" else []
    if path == "schedule create":
        other = ["-g", "rg-app"] if param.name == "place" else ["-s", "Contoso Production"]
        besides = [*CREATED, *other]
        told = ["'rg-app' in Contoso Production"] if param.name == "group" else told
    done = program(*path.split(), *besides, *given)
    text = " ".join(f"{done.out} {done.err}".split())
    assert all(one in text for one in told), text
    assert done.code not in {0, 1}


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["audti"], "No such command 'audti'. Did you mean audit?"),
        (["schedule", "nxt"], "No such command 'nxt'. Did you mean next?"),
        (["runs", "shwo"], "No such command 'shwo'. Did you mean show?"),
        (["evidence", "chekc", "x.zip"], "No such command 'chekc'. Did you mean check?"),
        (["audit", "--subscripton", "x"], "--subscription"),
    ],
)
def test_a_slip_in_a_command_is_told_with_the_nearest(offline: Program, args: list[str], told: str) -> None:
    done = offline(*args)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


PRODUCTION, DEVELOPMENT = "22222222-2222-2222-2222-222222222222", "55555555-5555-5555-5555-555555555555"
VM = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/web-011"
ELSEWHERE = (
    f"/subscriptions/{DEVELOPMENT}/resourceGroups/rg-app/providers/Microsoft.Maintenance"
    "/maintenanceConfigurations/mc-nightly"
)


@pytest.mark.parametrize(
    ("args", "told", "code"),
    [
        (["audit", "--ids", VM], "The nearest name is 'web-01', in rg-app of Contoso Production.", 10),
        (["audit", "-g", "rg-app", "--name", "wbe-01"], "--name wbe-01 matches no machine. Did you mean web-01?", 3),
        (["audit", "-g", "rg-app", "--location", "westeurop"], "Did you mean westeurope?", 3),
        (["audit", "-g", "rg-app", "--power", "runnin"], "Did you mean running?", 3),
        (
            ["plan", "-g", "rg-app", "--exclude-tag", "rin"],
            "rin matches no machine. Did you mean ring?",
            10,
        ),
        (["audit", "-g", "rg-app", "-g", "rg-dve"], "'rg-dev' in Contoso Development", 10),
        (["audit", "-g", "rg-dev", "-g", "rg-images"], "Note: Resource group rg-images holds no machine that you", 10),
        (["audit", "-g", "rg-images"], "Resource group rg-images holds no machine that you can see.", 3),
        (["schedule", "detach", "mc-nightly", "--dynamic", "ring", "-s", PRODUCTION], "Did you mean 'rings'?", 0),
        (["audit", "-g", f"/subscriptions/{DEVELOPMENT}/resourceGroups/rg-dve"], "'rg-dev' in Contoso Development", 3),
    ],
)
def test_a_name_that_matches_nothing_is_never_passed_over(
    program: Program, args: list[str], told: str, code: int
) -> None:
    """Least of all one of two groups, or an exclusion that excludes nothing."""
    done = program(*args)
    assert told in " ".join(f"{done.out} {done.err}".split())
    assert done.code == code


def test_a_pattern_and_a_value_that_is_there_are_no_slips(program: Program) -> None:
    done = program(
        "audit", "-g", "rg-app", "--name", "web*", "--location", "West Europe", "--exclude-name", "nothing-*"
    )
    assert "Did you mean" not in done.out + done.err


@pytest.mark.parametrize(
    "args",
    [
        ["audit", "-g", f"/subscriptions/{DEVELOPMENT}/resourceGroups/rg-app"],
        ["audit", "--schedule", ELSEWHERE],
        ["schedule", "show", ELSEWHERE],
        ["plan", "-g", "rg-dev", "--then-attach", ELSEWHERE],
        ["audit", "-s", "Contoso Produktion"],
    ],
)
def test_what_is_alike_in_another_subscription_is_told_as_another(program: Program, args: list[str]) -> None:
    """Whoever named one subscription must not be led into another: theirs may be there, and invisible."""
    done = program(*args)
    text = " ".join(f"{done.out} {done.err}".split())
    assert "cannot see it" in text
    assert "another" in text or "not the subscription that you named" in text
    assert "Did you mean" not in text


def test_a_slip_in_a_files_name_is_told_with_the_nearest(offline: Program) -> None:
    (offline.folder / "plan.json").write_text("{}")
    for args in (
        ["apply", "plna.json"],
        ["audit", "--ids-file", "plna.json"],
        ["runs", "merge", "plna.json"],
        ["verify", "plan.jsn"],
    ):
        done = offline(*args)
        assert (done.code, "Did you mean plan.json?" in done.err) == (2, True), done.err
