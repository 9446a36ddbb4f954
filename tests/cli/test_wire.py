"""Whole commands over a wire that answers wrongly, and with closed streams: told in one sentence, no traceback.

`Program` refuses a traceback on standard error.
"""

import subprocess
from typing import Any

import pytest
from tests.cli.conftest import PROGRAM, Program, Start

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule

LIST = Matcher("GET", "*/providers/Microsoft.Compute/virtualMachines")
GRAPH = Matcher("POST", "*/providers/Microsoft.ResourceGraph/resources")
GET = Matcher("GET", "*/virtualMachines/web-01")
PATCH = Matcher("PATCH", "*/virtualMachines/web-01")
PLACES = {"list": LIST, "Resource Graph": GRAPH, "GET": GET, "PATCH": PATCH}
VM = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/Microsoft.Compute"
    "/virtualMachines/web-01"
)
LINKS = (5, ["x"], {"a": 1}, "x", "https://[", "https://evil.example/x", "https://localhost\r\nx")
UNDO = Respond(200, json={"value": []}, headers={"Content-Encoding": "gzip"})


def arm(program: Program, where: Matcher, respond: Respond, *, commit: bool = False, count: int | None = None) -> None:
    rule = Rule(do=Action(respond=respond, commit=commit), match=where, count=count)
    program.served.emulator.faults.arm(FaultPlan(rules=[rule]))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("command", "link"),
    [*((("plan",), link) for link in LINKS), *((command, 5) for command in (("audit",), ("apply", "--yes")))],
    ids=repr,
)
def test_a_next_link_that_is_none(start: Start, command: tuple[str, ...], link: Any) -> None:
    """A number was an AttributeError, a list a TypeError, no URL a ValueError."""
    program = start("small")
    arm(program, LIST, Respond(200, json={"value": [], "nextLink": link}))
    done = program(*command, "--all", "-q")
    assert done.code in (0, 1, 10, 11)


@pytest.mark.parametrize("where", PLACES.values(), ids=PLACES)
def test_an_encoding_that_cannot_be_undone(start: Start, where: Matcher) -> None:
    """Over a PATCH it is an answer that was lost: the machine is read, and the run goes on."""
    program = start("small")
    arm(program, where, UNDO, commit=True, count=1)
    done = program("apply", "--all", "--yes", "--no-progress")
    assert done.code == 0
    assert "3 applied" in done.out


def test_an_empty_answer_of_resource_graph(start: Start) -> None:
    program = start("small")
    arm(program, GRAPH, Respond(200))
    done = program("audit", "--all")
    assert done.code == 1
    assert "it has no body" in done.err


def test_an_operation_whose_address_is_none(start: Start) -> None:
    program = start("small")
    for address in ("x", "https://[", "https://evil.example/x", "5"):
        arm(program, PATCH, Respond(200, json={"id": VM}, headers={"Azure-AsyncOperation": address}), commit=True)
        done = program("apply", "--all", "--yes", "--no-progress", "-q")
        assert done.code in (0, 10, 13), done.err


@pytest.mark.parametrize("proxy", ["http://[", "proxy.example:3128", "socks5://proxy.example"])
def test_a_proxy_that_is_no_url(start: Start, proxy: str) -> None:
    done = start("small")("audit", "--all", HTTPS_PROXY=proxy)
    assert done.code == 1
    assert done.err.startswith("patchmode: HTTPS_PROXY does not name a proxy that can be used.")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed(start: Start, closed: str) -> None:
    """The run is carried out and journalled, and its exit code says how it ended."""
    program = start("small")
    command = f'"{PROGRAM}" apply --all --yes {closed}'
    done = subprocess.run(
        command, shell=True, cwd=program.folder, env=program.environment, capture_output=True, check=False, timeout=60
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
    shown = program("runs", "show")
    assert "3 applied" in shown.out


def test_a_question_that_nobody_can_see_is_not_asked(start: Start) -> None:
    """With standard error closed the answer to it would be given blindly."""
    program = start("small")
    command = f"script -qec '\"{PROGRAM}\" apply --all 2>&-' /dev/null"
    done = subprocess.run(
        command,
        shell=True,
        cwd=program.folder,
        env=program.environment,
        input=b"y\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert program("runs", "list", "-o", "json", "--query", "runs").out.strip() == "[]"
