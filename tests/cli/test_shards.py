"""Shards as they are run: processes of their own, at once, by the script that the ready-made definitions call."""

import json
import os
import signal
import ssl
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import PROGRAM, Program, Start, clean_environment
from tests.cli.forked import shell_environment

from arm_emulator.fleet_generator import fleet_document, subscription_ids
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import Running, running
from patchmode.model.scope import Shard

SCRIPT = Path(__file__).parents[2] / "deploy" / "shard.sh"
SUBSCRIPTIONS = 6
FLEET = fleet_document(machines=90, subscriptions=SUBSCRIPTIONS, seed=4)
SCOPE = ("--all", "--exclude-name", "*7")


@contextmanager
def served(folder: Path, **options: Any) -> Iterator[tuple[Running, dict[str, str]]]:
    """A fleet, and the environment of whoever works on it."""
    with running(fleet=FLEET, limits=limits_from("off"), **{"lro_seconds": 0, **options}) as emulator:
        environment = {**clean_environment(), **emulator.env, "SHARDS_DIR": str(folder / "shards")}
        yield emulator, {**environment, **shell_environment(folder / "bin")}


def installed(environment: dict[str, str]) -> dict[str, str]:
    """The same, for a shell that is to find the installed program: signals reach it and nothing before it."""
    return {**environment, "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"}


def shard(environment: dict[str, str], text: str, *args: str) -> "subprocess.Popen[str]":
    """The script, running."""
    return subprocess.Popen(
        ["sh", str(SCRIPT), *(args or SCOPE)],
        env={**environment, "PATCHMODE_SHARD": text},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(processes: Sequence["subprocess.Popen[str]"]) -> list[int]:
    """Their exit codes."""
    codes = []
    for process in processes:
        _, told = process.communicate(timeout=120)
        assert "Traceback" not in told, told
        codes.append(process.returncode)
    return codes


def merged(environment: dict[str, str], *sources: str) -> tuple[int, Any]:
    """Exit code and report of `runs merge`."""
    command = ["patchmode", "runs", "merge", *(sources or (environment["SHARDS_DIR"],)), "-o", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout or "null")


def ask(emulator: Running, path: str) -> Any:
    trust = ssl.create_default_context(cafile=str(emulator.ca))
    with urllib.request.urlopen(f"{emulator.endpoint}/_emulator/{path}", context=trust) as answer:
        return json.load(answer)


def fleet_of(emulator: Running) -> dict[str, Any]:
    """Every document by its id; a machine's etag says how often it was written."""
    return {one["id"]: one for one in ask(emulator, "state")["resources"]}


def writes_of(emulator: Running) -> Counter[str]:
    """PATCHes by machine."""
    return Counter(one["path"].lower() for one in ask(emulator, "requests")["requests"] if one["method"] == "PATCH")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The fleet and the report of one process that does all."""
    folder = tmp_path_factory.mktemp("single")
    with served(folder) as (emulator, environment):
        command = ["patchmode", "apply", *SCOPE, "--yes", "-q", "-o", "json", "--state-dir", str(folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        return fleet_of(emulator), done.returncode, json.loads(done.stdout)


def test_three_shards_at_once_do_what_one_process_does(single: Any, tmp_path: Path) -> None:
    """The same fleet at the end, the same counts and ends, and no machine written twice."""
    fleet, code, whole = single
    assert whole["counts"]["applied"] > 20 < whole["counts"]["scope"]
    with served(tmp_path) as (emulator, environment):
        codes = ended([shard(environment, f"{number}/3") for number in (1, 2, 3)])
        assert max(codes) == code
        assert fleet_of(emulator) == fleet
        writes = writes_of(emulator)
        assert (set(writes.values()), len(writes)) == ({1}, whole["counts"]["applied"])
        merge_code, united = merged(environment)
    assert merge_code == code
    assert united["counts"] == whole["counts"]
    assert {one["id"]: one["result"] for one in united["results"]} == {
        one["id"]: one["result"] for one in whole["results"]
    }
    assert [part["shard"] for part in united["runs"]] == ["1/3", "2/3", "3/3"]
    assert united["requests"]["PATCH"] == whole["requests"]["PATCH"]
    assert united["missingShards"] == []


def test_a_shard_that_was_stopped_is_taken_up_by_its_next_attempt(single: Any, tmp_path: Path) -> None:
    """SIGTERM reaches the program, what is under way ends, the next attempt goes on, and nothing is sent twice."""
    fleet, code, whole = single
    with served(tmp_path, lro_seconds=1) as (emulator, environment):
        slow = {**installed(environment), "CARRYING": "--concurrency 1"}
        # What only `apply` takes is no obstacle to taking up.
        process = shard(slow, "1/1", *SCOPE, "--max-changes", "100%")
        while not writes_of(emulator):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert ended([process]) == [130]
        early, united = merged(environment)
        assert early == 11
        assert 0 < united["counts"]["applied"] < whole["counts"]["applied"]
        # A run keeps how many it sends at once; one by one the others would take a minute.
        quick = {**environment, "CARRYING": "--concurrency 64"}
        assert ended([shard(quick, "1/1", *SCOPE, "--max-changes", "100%")]) == [code]
        assert set(writes_of(emulator).values()) == {1}
        assert fleet_of(emulator) == fleet
        assert merged(environment)[1]["counts"] == whole["counts"]


def test_more_shards_than_subscriptions_and_one_that_never_ran(tmp_path: Path) -> None:
    """An empty shard is done and says so; one that is missing is named, and the merge does not end well."""
    owners = {
        number for one in subscription_ids(SUBSCRIPTIONS) for number in range(1, 9) if Shard(number, 8).takes(one)
    }
    empty = [number for number in range(1, 9) if number not in owners]
    with served(tmp_path) as (emulator, environment):
        assert ended([shard(environment, f"{number}/8") for number in empty]) == [0] * len(empty)
        assert writes_of(emulator) == {}
        code, united = merged(environment)
    assert code == 11
    assert united["missingShards"] == [f"{number}/8" for number in sorted(owners)]
    assert united["counts"]["scope"] == 0
    assert [part["run"] for part in united["runs"]] == [""] * len(empty)


def test_a_slip_in_a_shard_sends_nothing(start: Start) -> None:
    """Wrong numbers, a plan file divided, a shard without a scope."""
    program = start("small")
    for text in ("0/2", "3/2", "x"):
        done = program("audit", "--shard", text)
        assert (done.code, "--shard" in done.err) == (2, True)
    assert program("plan", "--all", "--out", "plan.json").code == 10
    done = program("apply", "plan.json", "--yes", PATCHMODE_SHARD="1/2")
    assert (done.code, "divide a scope, not a file" in done.err) == (2, True)
    assert program("apply", "--yes", PATCHMODE_SHARD="1/2").code == 2
    assert writes_of(program.served) == {}  # type: ignore[attr-defined]


def test_in_a_shard_s_shell_a_run_is_still_verified_whole(start: Start) -> None:
    """The variable divides scopes; a run holds its own machines."""
    program = start("small")
    assert program("apply", "--all", "--yes", "-q", "--shard", "1/1").code == 0
    for args in (("verify",), ("verify", "latest"), ("verify", "--all", "--shard", "1/1")):
        done = program(*args, "-o", "json", PATCHMODE_SHARD="2/2")
        assert (done.code, json.loads(done.out)["counts"]["scope"] > 0) == (0, True), args


def test_every_command_tells_its_shard(start: Start) -> None:
    """Two halves of an audit are the whole, and each says which half it is."""
    program: Program = start("schedules")
    whole = json.loads(program("audit", "-o", "json").out)
    halves = [json.loads(program("audit", "-o", "json", PATCHMODE_SHARD=text).out) for text in ("1/2", "2/2")]
    assert Counter(one["id"] for half in halves for one in half["machines"]) == Counter(
        one["id"] for one in whole["machines"]
    )
    for number, half in enumerate(halves, 1):
        assert half["scope"] == ["--all", f"--shard {number}/2"]
        assert f"Shard {number}/2 selects" in half["notes"][0]
    plan = program("plan", "--all", "--shard", "1/2")
    assert "Shard 1/2 selects" in plan.err
    assert "--shard 1/2" in plan.out
    calendars = [json.loads(program("schedule", "next", "--shard", text, "-o", "json").out) for text in ("1/2", "2/2")]
    assert [one["scope"] for one in calendars] == [["--all", "--shard 1/2"], ["--all", "--shard 2/2"]]


def test_merging_refuses_what_does_not_belong_together(start: Start) -> None:
    """Two runs on one machine, a file that is none, a folder that holds none."""
    program = start("small")
    assert program("apply", "--all", "--yes", "-q").code == 0
    assert program("apply", "--all", "--to", "azure-managed", "--yes", "-q").code == 0
    done = program("runs", "merge", "state")
    assert done.code == 12
    assert "is in two parts" in done.err
    assert program("runs", "merge", "latest", "state/runs").code == 12
    assert program("runs", "merge", "latest").code == 0
    assert program("runs", "merge", "absent.json").code == 2
    (program.folder / "empty").mkdir()
    assert program("runs", "merge", "empty").code == 3
    assert program("runs", "merge").code == 2
