"""The tools for assistants: a client that we did not write lists them, calls them, and asks its user before a write."""

import json
import os
import select
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client, types
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.cli import forked
from tests.cli.conftest import PROGRAM, Program, Start, installed
from tests.cli.test_signals import on_a_terminal

from patchmode.cli.assistant.server import LARGEST_ANSWER, Handed, answered
from patchmode.cli.assistant.tools import TOOLS, offered
from patchmode.cli.main import program as patchmode

OLD, NEW = "legacy", "2026-07-28"
"""How a client asks its user: by a request of the server, or by an answer to it."""


class User:
    """Who is asked by the client, and what they say."""

    def __init__(self, action: str = "accept", confirmed: int | None = None) -> None:
        self.action, self.confirmed, self.read = action, confirmed, list[str]()

    async def ask(self, _context: Any, params: Any) -> types.ElicitResult:
        self.read.append(params.message)
        content = None if self.confirmed is None else {"confirmed": self.confirmed}
        return types.ElicitResult(action=self.action, content=content)  # type: ignore[arg-type]


@asynccontextmanager
async def client(
    program: Program, *args: str, user: User | None = None, mode: str = OLD, with_forked: bool = True
) -> AsyncIterator[Client]:
    """A session with the server; without `with_forked` its tools begin with an interpreter each, as its users' do."""
    command, environment = program.command()
    if with_forked:
        environment |= forked.interpreter_environment(program.folder / "interpreter")
    where = StdioServerParameters(
        command=command[0], args=[*command[1:], "mcp", *args], env=environment, cwd=program.folder
    )
    asks = None if user is None else user.ask
    async with Client(stdio_client(where), mode=mode, elicitation_callback=asks) as session:
        yield session


def said(result: types.CallToolResult) -> dict[str, Any]:
    """The structured answer, which the text repeats for clients that know no other."""
    assert isinstance(result.content[0], types.TextContent)
    assert result.structured_content == json.loads(result.content[0].text)
    return dict(result.structured_content or {})


def why(result: types.CallToolResult) -> str:
    assert result.is_error
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


def written(program: Program) -> int:
    return sum(entry.method == "PATCH" for entry in program.served.emulator.ledger.entries)  # type: ignore[attr-defined]


async def test_an_assistant_reads_what_a_person_reads(start: Start) -> None:
    """The published document, the command that gives it, its exit code with its meaning; and the schema to check it."""
    program = start("small")
    async with client(program, with_forked=False) as session:
        listed = (await session.list_tools()).tools
        assert [tool.name for tool in listed] == list(offered(with_writes=False))
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed)
        answer = said(await session.call_tool("audit", {"all": True}))
        schema = await session.read_resource("patchmode://schema/audit")
        refused = await session.call_tool("apply", {"file": "plan.json"})
        unknown = await session.call_tool("audit", {"subscriptions": ["--yes"]})
    assert (answer["command"], answer["exitCode"]) == ("patchmode audit --all", 10)
    assert answer["meaning"].startswith("findings")
    assert isinstance(schema.contents[0], types.TextResourceContents)
    Draft202012Validator(json.loads(schema.contents[0].text)).validate(answer["document"])
    assert "--allow-writes" in why(refused)
    assert said(unknown)["exitCode"] == 2
    assert "You see no subscription named '--yes'" in said(unknown)["notes"]


@pytest.mark.parametrize("mode", [OLD, NEW])
async def test_a_plan_is_applied_once_a_person_confirmed_the_number_of_its_machines(start: Start, mode: str) -> None:
    """The wrong number, a no and a client that cannot ask send nothing; the question says what would be done."""
    program, user = start("small"), User(confirmed=1)
    async with client(program, "--allow-writes", user=user, mode=mode) as session:
        planned = said(await session.call_tool("plan", {"all": True, "query": "counts"}))
        machines = planned["selected"]["changes"]
        assert machines > 1
        wrong = why(await session.call_tool("apply", {"file": planned["file"]}))
        user.action = "decline"
        no = why(await session.call_tool("apply", {"file": planned["file"]}))
        nothing = written(program)
        user.action, user.confirmed = "accept", machines
        done = said(await session.call_tool("apply", {"file": planned["file"], "query": "counts"}))
    assert wrong == "Not confirmed: 1 is not the number of machines. Nothing was sent."
    assert no == "Not confirmed: nothing was sent."
    assert nothing == 0
    assert (done["exitCode"], done["selected"]["applied"]) == (0, machines)
    assert len(user.read) == 3
    assert f"Change {machines} machines in subscription" in user.read[0]
    assert "rg-app/web-01" in user.read[0]
    assert user.read[0].endswith(f"Type the number of machines to continue: {machines}.")


async def test_a_client_that_cannot_ask_applies_nothing(start: Start) -> None:
    """And what is no plan is refused before anybody is asked."""
    program, user = start("small"), User(confirmed=1)
    (program.folder / "note.txt").write_text("not a plan", encoding="utf-8")
    async with client(program, "--allow-writes") as session:
        refused = why(await session.call_tool("apply", {"file": "note.txt"}))
    async with client(program, "--allow-writes", user=user) as session:
        broken = why(await session.call_tool("apply", {"file": "note.txt"}))
    assert "cannot ask its user" in refused
    assert "note.txt" in broken
    assert (user.read, written(program)) == ([], 0)


def test_an_argument_cannot_become_an_option() -> None:
    """Whatever an assistant gives stays a value: of its option, or behind the end of the options."""
    hostile = "--yes"
    for name, tool in TOOLS.items():
        given = {key: _value(one.schema, hostile) for key, one in tool.arguments.items()}
        assert list(Draft202012Validator(tool.input_schema).iter_errors(given)) == [], name
        words = tool.words(given)
        assert hostile not in words[: words.index("--") if "--" in words else len(words)], name
        more = {**given, "yes": True}
        assert list(Draft202012Validator(tool.input_schema).iter_errors(more)) != []


def _value(schema: Mapping[str, Any], text: str) -> Any:
    match schema.get("type"):
        case "array":
            return [text]
        case "integer":
            return 1
        case "boolean":
            return True
        case _:
            return schema["enum"][0] if "enum" in schema else text


def test_every_tool_names_a_command_and_its_options() -> None:
    """Of the program as it is; one that takes `--yes` is a tool that writes."""
    for name, tool in TOOLS.items():
        command: Any = patchmode
        for word in tool.command:
            command = command.get_command(None, word)
        options = {option for parameter in command.params for option in parameter.opts}
        assert {one.option for one in tool.arguments.values() if one.option} <= options | {"--query"}, name
        assert tool.is_writing == ("--yes" in options), name


async def test_a_long_answer_is_refused_with_what_makes_it_shorter() -> None:
    """A document that was cut would look whole."""

    def handed(length: int) -> Handed:
        printing = f"print('[' + '1,' * {length} + '1]')"
        return Handed(
            program=[sys.executable, "-Ic", printing],
            with_writes=False,
            meanings={0: "done"},
            answers=frozenset({0}),
            schemas={},
            plan_file=lambda: "",
            review=lambda _: pytest.fail("nothing is applied"),
            version="1",
        )

    short = await answered(handed(10), TOOLS["runs"], {})
    assert said(short)["document"] == [1] * 11
    long = await answered(handed(LARGEST_ANSWER), TOOLS["runs"], {})
    assert long.is_error
    assert "document" not in said(long)
    assert "The answer has 400,004 characters, and at most 200,000 are given." in said(long)["notes"]
    applied = await answered(handed(LARGEST_ANSWER), TOOLS["apply"], {"file": "plan.json"})
    assert not applied.is_error
    assert "The run has ended, as the exit code says." in said(applied)["notes"]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no terminals of this kind")
def test_who_types_it_is_told_what_it_waits_for_and_ends_it_with_ctrl_c(offline: Program) -> None:
    """No client writes the line on which the thread that reads standard input would end."""
    process, ours = on_a_terminal(offline, "mcp", is_installed=True)
    said = b""
    while b"Ctrl-C ends it" not in b" ".join(said.split()):
        assert select.select([ours], [], [], 60)[0], said
        said += os.read(ours, 1 << 12)
    os.write(ours, b"\x03")
    assert process.wait(60) == 130
    os.close(ours)


def test_without_the_library_the_command_says_how_to_install_it(offline: Program, tmp_path: Path) -> None:
    """It is an extra."""
    (tmp_path / "mcp.py").write_text("raise ImportError", encoding="utf-8")
    environment = {**offline.environment, "PYTHONPATH": str(tmp_path)}
    done = installed(PROGRAM, ["mcp"], cwd=tmp_path, env=environment, stdin="", timeout_s=60)
    advice = f"{sys.executable} -m pip install 'mcp>=2.3,<3'"
    assert (done.returncode, advice in " ".join(done.stderr.split())) == (2, True), done.stderr
