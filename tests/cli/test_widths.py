"""Nothing that matters is cut on a terminal, whatever its width: names at their longest, states, reasons."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

import click
import msgspec
import pytest
from tests.cli import forked
from tests.cli.conftest import PROGRAM, Done, Program, clean_environment

from arm_emulator.named_fleets import read_fleet
from patchmode.cli.main import program as patchmode
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration, PatchMode
from patchmode.model.plain_text import cells_wide

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not forked.IS_POSSIBLE, reason="no pseudo-terminals of this kind")

SUBSCRIPTION = "Contoso Produktion Westeuropa Finanzen und Controlling 2026 EA 1"
GROUP = "rg-" + "anwendung-" * 8 + "produkt"
SCHEDULE = "Wartung Produktion Nacht Frankfurt am Main Gruppe A"
"""The service takes names with blanks."""


def machine(name: str) -> str:
    """A name of 64 letters, the most that Azure gives a VM."""
    return f"{name}-{'x' * 58}"[:64]


MACHINES = tuple(machine(f"web-0{number}") for number in (1, 2, 3, 4, 5))


def long_names() -> dict[str, object]:
    """The fleet `schedules` with every name of its subscription, group, schedule and web servers at its longest."""
    text = json.dumps(read_fleet("schedules"))
    text = text.replace("Contoso Production", SUBSCRIPTION).replace("rg-app", GROUP).replace("RG-APP", GROUP.upper())
    text = re.sub(r"mc-nightly", SCHEDULE, text)
    text = text.replace(SCHEDULE.lower(), SCHEDULE)
    text = re.sub(r"\bweb-0([1-5])(?!\d)", lambda found: machine(f"web-0{found[1]}"), text)
    fleet: dict[str, object] = json.loads(text)
    return fleet


TABLES: dict[str, tuple[str, ...]] = {
    "audit": ("audit", "--all"),
    "plan": ("plan", "-g", GROUP, "--name", "web-*"),
    "apply": ("apply", "-g", GROUP, "--name", "web-01*", "--yes"),
    "verify": ("verify", "--all"),
    "watch": ("watch", "--all", "--once", "--baseline", "before.json"),
    "rollback": ("rollback", "latest", "--yes"),
    "runs list": ("runs", "list"),
    "runs show": ("runs", "show"),
    "runs resume": ("runs", "resume", "--yes"),
    "explain": ("explain", MACHINES[0]),
    "schedule list": ("schedule", "list"),
    "schedule show": ("schedule", "show", SCHEDULE),
    "schedule next": ("schedule", "next"),
    "schedule check": ("schedule", "check"),
    "schedule failures": ("schedule", "failures"),
    "schedule attach": ("schedule", "attach", SCHEDULE, "-g", GROUP, "--name", "web-0*", "--yes"),
    "schedule detach": ("schedule", "detach", SCHEDULE, "-g", GROUP, "--name", "web-0*", "--yes"),
    "policy assign": (
        *("policy", "assign", "prerequisite", "-s", SUBSCRIPTION, "-g", GROUP),
        *("--location", "westeurope", "--yes"),
    ),
    "policy audit": ("policy", "audit", "--policy", "all"),
    "doctor": ("doctor",),
}
SHOWS = {
    "audit": (*MACHINES, GROUP, SUBSCRIPTION),
    "plan": (MACHINES[0], MACHINES[1], MACHINES[4], GROUP, SUBSCRIPTION),
    "verify": (MACHINES[1], GROUP, SUBSCRIPTION),
    "explain": (MACHINES[0], GROUP, SUBSCRIPTION, SCHEDULE),
    "schedule list": (SCHEDULE, GROUP),
    "schedule show": (MACHINES[1], SCHEDULE, GROUP, SUBSCRIPTION),
    "schedule next": (SCHEDULE, GROUP, SUBSCRIPTION),
    "schedule check": (MACHINES[1], GROUP, SUBSCRIPTION),
    "schedule attach": (SCHEDULE, GROUP, SUBSCRIPTION),
    "policy audit": (*MACHINES, GROUP, SUBSCRIPTION),
    "doctor": (SUBSCRIPTION,),
}
WITHOUT_A_TABLE = {
    "completion": "prints a script",
    "schema": "prints JSON",
    "report": "writes files",
    "export": "prints scripts and Markdown, which are read elsewhere",
    "evidence pack": "says one sentence",
    "evidence check": "says one sentence",
    "console": "serves pages",
    "demo": "runs the others",
    "iac check": "says sentences of files; tests/cli/test_iac.py",
    "mcp": "serves a client; tests/cli/test_mcp.py",
    "live-check": "tests/cli/test_live_check.py",
    "runs merge": "tests/cli/test_shards.py",
    "policy remediate": "says sentences and lists of names; tests/cli/test_policy_remediate.py",
    "schedule create": "says one sentence",
    "schedule update": "says one sentence",
    "schedule delete": "says one sentence, and of machines what `schedule detach` says",
}


def leaves(group: click.Group, before: str = "") -> Iterator[str]:
    """Every command that can be called."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def test_every_command_is_walked() -> None:
    """The next one is named here, or says why it has no table."""
    assert {*TABLES, *WITHOUT_A_TABLE} == set(leaves(patchmode))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The fleet of long names after two nights: runs of schedules, a run of ours, a baseline from before it."""
    from arm_emulator.protocol.throttle import limits_from
    from arm_emulator.testing import running

    folder: Path = tmp_path_factory.mktemp("long")
    with running(fleet=long_names(), lro_seconds=0, limits=limits_from("off")) as served:
        environment = {**clean_environment(), **served.env, "PATCHMODE_STATE_DIR": str(folder / "state")}
        program = Program(folder, environment, served.endpoint)
        (folder / "before.json").write_text(program("audit", "--all", "-o", "json").out, encoding="utf-8")
        assert program("apply", "-g", GROUP, "--name", "web-03*", "--yes").code == 0
        yield program


@pytest.fixture(scope="module")
def told(shown: Program) -> Callable[[str], Done]:
    """How each command ends in a pipe: run once, and looked at by several tests."""
    return cache(lambda command: shown(*TABLES[command], "--no-progress"))


@pytest.mark.parametrize("columns", [80, 120, 200])
@pytest.mark.parametrize("command", TABLES, ids=TABLES)
def test_nothing_is_cut(shown: Program, command: str, columns: int) -> None:
    """What is shown of a machine, a group, a subscription or a schedule is its whole name, in one piece."""
    done = forked.on_terminal(
        PROGRAM, (*TABLES[command], "--no-color"), cwd=shown.folder, env=shown.environment, columns=columns
    )
    assert "Traceback" not in done.stderr, done.stderr
    text = done.stdout
    assert "…" not in text
    joined = " ".join(text.split())
    assert [name for name in SHOWS.get(command, ()) if name not in joined] == []
    for begin, whole in (("Contoso Prod", SUBSCRIPTION), ("rg-anw", GROUP), ("Wartung", SCHEDULE), *named()):
        assert joined.lower().count(begin.lower()) == joined.lower().count(whole.lower()), (begin, text)
    for line in text.splitlines():
        if cells_wide(line) > columns:
            # One word that is to be copied: an id, a name with its place, a command.
            rest = re.sub("|".join(map(re.escape, (SUBSCRIPTION, *MACHINES, SCHEDULE))), "", line)
            is_name = re.fullmatch(r"\s*\S+\s*", rest) or line.strip().startswith(f"{SUBSCRIPTION}/")
            assert is_name or max(map(cells_wide, line.split())) > 50 or re.search(r"patchmode |az ", line), line


@pytest.mark.parametrize("command", ["audit", "plan", "verify", "schedule show"])
def test_a_summary_on_request_names_every_group_once(shown: Program, command: str) -> None:
    """In a pipe too, where the table alone is printed otherwise; nothing of it is in the other formats."""
    args = {**TABLES, "plan": ("plan", "--all")}[command]
    done = shown(*args, "--summary", "group")
    head = done.out.partition("\n\nMACHINE")[0]
    assert head.count(GROUP) >= 1
    assert re.search(rf"{re.escape(SUBSCRIPTION)} +{GROUP} +\d+", done.out)
    assert shown(*args, "--summary", "none").out.count("SUBSCRIPTION  ") <= 1
    assert shown(*args, "--summary", "group", "-o", "json").out.startswith("{")


def test_ids_of_a_file_are_told_by_the_file(shown: Program) -> None:
    """A page of ids says nothing that the list of changes does not say better."""
    machines = json.loads(shown("audit", "-g", GROUP, "--name", "web-0[1-3]*", "-o", "json").out)["machines"]
    ids = [one["id"] for one in machines]
    (shown.folder / "ids.txt").write_text("\n".join([*ids[:2], ids[0].upper()]), encoding="utf-8")
    done = shown("plan", "--ids-file", "ids.txt", "--ids", ids[2], "-o", "json")
    assert json.loads(done.out)["scope"] == [f"--ids {ids[2]}", "--ids-file ids.txt (2 machines)"]
    told = shown("plan", "--ids-file", "ids.txt").out
    assert f"\nScope: --ids-file ids.txt (2 machines), in subscription {SUBSCRIPTION}\n" in told
    piped = shown("plan", "--ids-file", "-", stdin=ids[0]).out
    assert "\nScope: --ids-file - (1 machine), in subscription " in piped


@pytest.mark.parametrize("command", sorted(set(TABLES) - {"explain", "watch"}))
def test_a_word_of_ours_is_explained_on_the_same_screen(told: Callable[[str], Done], command: str) -> None:
    """Nobody has met `parked` before; `explain` and `watch` give the reason of the one machine behind the word."""
    done = told(command)
    text = done.out + done.err
    met = [kind for kind in OutcomeKind if "-" in kind or kind in {"parked", "autopatched", "ineligible"}]
    used = [kind for kind in met if re.search(rf"(?<![\w-]){kind}(?![\w=-])", text)]
    assert [kind for kind in used if f"{kind} = {kind.words}" not in text] == []


@pytest.mark.parametrize("command", TABLES)
def test_an_orchestration_has_the_portals_name_and_no_other(told: Callable[[str], Done], command: str) -> None:
    """JSON's names are for programs; Azure's values are shown where the setting itself is the subject, and named."""
    text = told(command).out.partition("JSON view:")[0]
    programs = "|".join(one.value for one in Orchestration if one.value not in {*PatchMode})
    assert re.findall(rf"\b(?:{programs})\b", text) == []
    raw = [line for line in text.splitlines() if re.search(r"AutomaticBy|ImageDefault", line)]
    settings = re.compile(r"patchMode|assessmentMode|AutomaticByPlatform is then")
    assert [line for line in raw if not settings.search(line)] == []


@pytest.mark.parametrize("form", ["html", "markdown", "junit"])
def test_reports_for_people_have_the_portals_names(shown: Program, form: str) -> None:
    """Programs read JSON's names in CSV, TSV, YAML, SARIF and metrics."""
    text = shown("report", "--all", "-o", form, "--exit-zero").out
    assert not re.search(r"\b(CustomerManagedSchedules|AzureManaged|NotApplicable|NotSet)\b", text)
    assert form == "junit" or "Azure Managed - Safe Deployment" in text or "Azure Managed \\- Safe" in text


ZONE = re.compile(r"UTC|\dZ\b|[+-]\d\d:\d\d|Standard Time|W\. Europe")


@pytest.mark.parametrize("command", sorted(set(TABLES) - {"explain"}))
def test_a_time_of_day_has_its_zone_beside_it(told: Callable[[str], Done], command: str) -> None:
    """Whoever reads 22:00 at night in another zone must not have to look for whose it is."""
    lines = told(command).out.splitlines()
    assert [line for line in lines if re.search(r"(?<![\d:T])\d\d:\d\d(?![\d:])", line) and not ZONE.search(line)] == []


WRITES = {"apply", "rollback", "runs resume", "schedule attach", "schedule detach"}


@pytest.mark.parametrize("command", sorted(set(TABLES) - WRITES - {"watch"}))
def test_every_command_has_the_forms_of_az(shown: Program, command: str) -> None:
    """TSV: CSV's columns without their headings. YAML: the published document. CSV for Excel begins with a mark."""
    document = json.loads(shown(*TABLES[command], "-o", "json").out)
    yaml = shown(*TABLES[command], "-o", "yaml").out
    assert f"format: {document['format']}" in yaml.splitlines()
    assert list(msgspec.yaml.decode(yaml)) == list(document)
    head, *rows = csv.reader(io.StringIO(shown(*TABLES[command], "-o", "csv").out))
    lines = shown(*TABLES[command], "-o", "tsv").out.splitlines()
    assert len(lines) == len(rows)
    assert {line.count("\t") + 1 for line in lines} <= {len(head)}
    marked = shown(*TABLES[command], "-o", "csv-excel").out
    assert marked.startswith("\ufeff" + ",".join(head))


def test_what_a_query_selects_is_as_az_prints_it(shown: Program) -> None:
    """`az … --query … -o tsv` is what scripts read line by line."""
    query = f"machines[?name=='{MACHINES[3]}'].[name, bypass, hotpatch, reasons, schedules]"
    done = shown("audit", "--all", "--query", query, "-o", "tsv")
    assert done.out == f"{MACHINES[3]}\tTrue\tNone\t0\t1\n"
    assert shown("audit", "--all", "--query", "counts.unreadable == `0`", "-o", "tsv").out == "true\n"
    assert shown("audit", "--all", "--query", "{all: counts.machines}", "-o", "yaml").out == "all: 48\n"


def test_a_query_that_selects_nothing_says_what_there_is(shown: Program) -> None:
    """`[].name`, as of `az vm list`, would look like a fleet without machines."""
    done = shown("audit", "--all", "--query", "[].name", "-o", "tsv")
    assert done.out == ""
    assert re.search(
        r"^Note: --query selects nothing\. Members of the result: format, .*\bmachines\b", done.err, re.MULTILINE
    )


def test_watch_has_lines_only(shown: Program) -> None:
    for form in ("yaml", "tsv", "csv", "csv-excel"):
        assert shown(*TABLES["watch"], "-o", form).code == 2


def test_a_csv_file_is_for_excel_and_a_pipe_is_for_programs(shown: Program) -> None:
    """Without the mark Excel reads the system's old code page; a program would have the mark in a heading."""
    shown("report", "--all", "--out", "machines.csv", "--exit-zero")
    content = (shown.folder / "machines.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfname,resourceGroup,")
    assert "zürich-01" in content.decode("utf-8-sig")
    assert shown("report", "--all", "-o", "csv", "--exit-zero").out.startswith("name,")
    shown("report", "--all", "-o", "csv", "--out", "plain.csv", "--exit-zero")
    assert (shown.folder / "plain.csv").read_bytes().startswith(b"name,")
    assert "48 in scope" in shown("plan", "--from-log", "machines.csv").out
    for name in ("machines.tsv", "machines.yaml", "machines.yml"):
        shown("report", "--all", "--out", name, "--exit-zero")
    assert (shown.folder / "machines.yaml").read_text().startswith("format: patchmode/audit/v1\n")


def named() -> list[tuple[str, str]]:
    return [(one[:6], one) for one in MACHINES]
