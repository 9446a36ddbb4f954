"""`--log-format json`: every line of standard error is an object of the schema, and the last has the exit code."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import jsonschema
import pytest
from tests.cli.conftest import Program, Start
from tests.cli.test_help import COMMANDS
from tests.leaks import ECHOED, SIGNED, leaks, marks_of

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from patchmode.cli import logs, signals
from patchmode.cli.main import command_of, run
from patchmode.cli.settings import Settings
from patchmode.documents.published import FOLDER

SCHEMA = json.loads((FOLDER / "log-v1.json").read_text(encoding="utf-8"))
PRODUCTION = "22222222-2222-2222-2222-222222222222"
WEB = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/web-01"
JSON = ("--log-format", "json")


def lines_of(text: str) -> list[dict[str, Any]]:
    """Each line, which must be an object of the schema."""
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        jsonschema.validate(one, SCHEMA)
        assert one["time"].endswith("Z")
    return found


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """What goes below a standard error that is a log."""
    before, below, handlers = sys.stderr, io.StringIO(), list(logging.getLogger().handlers)
    sys.stderr = below
    try:
        logs.begin(Settings(log_format="json"))
        yield below
        logs.choose(None)
        assert sys.stderr is below
    finally:
        logging.captureWarnings(False)
        logging.getLogger().handlers[:] = handlers
        sys.stderr, sys.excepthook = before, sys.__excepthook__


def told(program: Program, *args: str, **environment: str) -> tuple[int, list[dict[str, Any]]]:
    """A command's exit code and its lines; the last says the code."""
    code = program(*args, **environment).code
    found = lines_of(program.ran_raw[-1])
    assert [one["exitCode"] for one in found if one["event"] == "end"] == [code]
    assert found[-1]["event"] == "end"
    return code, found


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_line_that_is_wrong_is_a_line_of_every_command(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """It is told before the options are understood, so the words, the environment and the file are asked."""
    wrong = [*path.split(), "--no-such-option"]
    with logged() as log:
        logs.choose(None)
        assert run([*wrong, *JSON]) == 2
        logs.choose(None)
        monkeypatch.setenv("PATCHMODE_LOG_FORMAT", "JSON")
        assert run(wrong) == 2
    found = lines_of(log.getvalue())
    assert [(one["level"], one["event"]) for one in found] == [("error", "error")] * 2
    assert all(one["message"].startswith("No such option '--no-such-option'.") for one in found)
    assert command_of(wrong) == path


def test_the_file_chooses_too(offline: Program) -> None:
    (offline.folder / "mine.toml").write_text('log-format = "json"\n')
    here = {"PATCHMODE_CONFIG": str(offline.folder / "mine.toml")}
    assert told(offline, "audit", "--no-such-option", **here)[0] == 2
    assert told(offline, "runs", **here)[0] == 0
    assert offline("runs", *JSON[:1], "text", **here).err.startswith("No run in ")


def test_requests_name_what_they_are_about(start: Start) -> None:
    program = start("small")
    code, found = told(program, "plan", "--ids", WEB, "--out", "plan.json", "-v", *JSON)
    assert code == 10
    read = next(one for one in found if one.get("path", "").casefold() == WEB.casefold())
    assert (read["logger"], read["level"], read["event"]) == ("patchmode.arm.pipeline", "debug", "log")
    assert (read["method"], read["status"], read["subscription"]) == ("GET", 200, PRODUCTION)
    assert read["machine"].casefold() == WEB.casefold()
    assert read["requestId"]
    assert read["correlationId"]
    assert read["clientRequestId"]
    assert read["durationMs"] >= 0


def test_a_run_that_fails_says_what_a_collector_must_not_miss(start: Start) -> None:
    """The machine, Azure's code and its ids, the run in each line from its beginning, the exit code: and no secret."""
    program = start("small")
    message = f"The token {ECHOED} is known, see {SIGNED} (Bearer {ECHOED})."
    refused = Respond(status=400, json={"error": {"code": "BadRequest", "message": message}})
    rule = Rule(do=Action(respond=refused), match=Matcher(method="PATCH", path="*/web-01"))
    program.served.emulator.faults.arm(FaultPlan(rules=[rule]))  # type: ignore[attr-defined]
    code, found = told(program, "apply", "--all", "--yes", "-o", "json", "--debug", "-vv", *JSON)
    assert code == 11
    (journal,) = (program.folder / "state/runs").glob("*.sqlite")
    name = journal.stem
    (failed,) = (one for one in found if one["event"] == "machine" and one["level"] == "error")
    assert failed["machine"].casefold() == WEB.casefold()
    assert (failed["code"], failed["status"], failed["result"]) == ("BadRequest", 400, "failed")
    assert failed["requestId"]
    assert failed["run"] == name
    assert (found[-1]["level"], found[-1]["run"], found[-1]["command"]) == ("error", name, "apply")
    begun = next(at for at, one in enumerate(found) if "run" in one)
    assert all(one["run"] == name for one in found[begun:])
    # `--debug`: the lines of one request and its answer have one id.
    asked = next(one for one in found if one["message"] == "Request method: 'PATCH'")
    of_it = [one["message"] for one in found if one.get("clientRequestId") == asked["clientRequestId"]]
    assert any(text.startswith("Response status: ") for text in of_it)
    assert not list(leaks("standard error", program.ran_raw[-1].encode(), marks_of(program.served)))  # type: ignore[attr-defined]


def test_an_error_of_azure_has_its_code_and_ids(start: Start) -> None:
    program = start("small")
    refused = Respond(403, json={"error": {"code": "AuthorizationFailed", "message": "No."}})
    everything = Rule(do=Action(respond=refused), match=Matcher("GET", "/subscriptions"))
    program.served.emulator.faults.arm(FaultPlan(rules=[everything]))  # type: ignore[attr-defined]
    code, found = told(program, "audit", "--all", *JSON)
    error = found[-2]
    assert (code, error["event"], error["code"], error["status"]) == (1, "error", "AuthorizationFailed", 403)
    assert error["requestId"]


def test_nobody_is_asked_where_a_program_reads(start: Start) -> None:
    program = start("small")
    code, found = told(program, "apply", "--all", *JSON)
    assert code == 2
    assert found[-2]["message"].startswith("Standard error is a log (--log-format json), so nobody can be asked")


def test_whatever_is_written_is_a_line() -> None:
    """Also by those who know nothing of it: click, warnings, another library's logger, a defect."""
    with logged() as log:
        click.echo("two\nlines", err=True)
        sys.stderr.write("a ")
        click.echo("whole", err=True)
        logging.getLogger("aiohttp.client").warning("Unclosed %s\x1b[2J\u202e", WEB)
        sys.excepthook(ValueError, ValueError("x"), None)
        assert not sys.stderr.isatty()
    raw = log.getvalue()
    assert "\x1b" not in raw
    assert "\u202e" not in raw
    found = lines_of(raw)
    assert [one["message"] for one in found[:2]] == ["two\nlines", "a whole"]
    assert (found[2]["logger"], found[2]["level"]) == ("aiohttp.client", "warning")
    assert found[2]["message"] == f"Unclosed {WEB}\x1b[2J\u202e"
    assert (found[3]["message"], found[3]["exception"]) == ("ValueError: x", "ValueError: x\n")
    assert (found[4]["event"], found[4]["exitCode"]) == ("end", 1)


def test_a_line_about_two_machines_names_none() -> None:
    with logged() as log:
        click.echo(f"{WEB}: {WEB.upper()}", err=True)
        click.echo(f"{WEB} and {WEB.replace('web-01', 'web-02')}", err=True)
    first, second = lines_of(log.getvalue())
    assert first["machine"].casefold() == WEB.casefold()
    assert "machine" not in second
    assert second["subscription"] == PRODUCTION


def test_the_last_words_of_a_process_that_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    with logged(), monkeypatch.context() as patched:
        patched.setattr(signals.os, "write", lambda _, text: written.append(text))
        patched.setattr(signals.os, "isatty", lambda _: False)
        signals._write_at_once("patchmode: stopped immediately.")
    left, end = lines_of(b"".join(written).decode())
    assert (left["level"], left["message"]) == ("warning", "patchmode: stopped immediately.")
    assert (end["event"], end["exitCode"]) == ("end", 130)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (["audit", "-s", "runs"], "audit"),
        (["--cloud", "AzureCloud", "runs", "-v", "show", "latest"], "runs show"),
        (["iac", "check", "audit"], "iac check"),
        ([], ""),
        (["nonsense"], ""),
    ],
)
def test_the_words_of_a_command(line: list[str], command: str) -> None:
    assert command_of(line) == command
