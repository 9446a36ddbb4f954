"""`patchmode console` as a whole process: its address, its warnings, and how it ends."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.console.process import Process

from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import running
from patchmode.store.runs import RunStore

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start consoles on an emulator with the small fleet."""
    with ExitStack() as stack:

        def make(*options: str, **served_options: object) -> Process:
            choices = {"lro_seconds": 0, "limits": limits_from("off"), **served_options}
            served = stack.enter_context(running(fleet=read_fleet("small"), **choices))
            process = Process(tmp_path / "state", served.env, *options)
            stack.callback(process.process.kill)
            return process

        yield make


def test_it_prints_one_address_and_ends_with_ctrl_c(start: Start) -> None:
    """Loopback, a free port, a token; what is left behind is what Resource Graph still grants, and the figures."""
    console = start()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/enter\?token=[\w-]{43}", console.url)
    first = console.url
    cookie = console.enter()
    assert console.url.partition("=")[0] == first.partition("=")[0]
    assert console.url != first
    assert "1–4 of 4 machines" in console.page("/", cookie)
    assert console.ask("GET", "/")[0] == 401
    code, err = console.end()
    assert code == 0
    assert "only reads" in err
    assert "that address works no more" in " ".join(err.split())
    assert "Warning" not in err
    assert {path.stem for path in console.state.iterdir()} == {"resource-graph-quota", "readings"}


def test_a_scope_narrows_what_is_shown(start: Start) -> None:
    console = start("--resource-group", "rg-app", "--name", "db-*")
    text = console.page("/", console.enter())
    assert "1–2 of 2 machines" in text
    assert "--resource-group rg-app" in text
    console.end()


def test_listening_beyond_this_computer_is_warned_about(start: Start) -> None:
    console = start("--host", "0.0.0.0", "--allow-writes")
    _, err = console.end()
    assert "can be reached from other computers" in err
    assert "SSH tunnel" in " ".join(err.split())


def test_a_port_that_is_taken_is_told(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        console = start("--port", str(taken.getsockname()[1]))
        code, err = console.end()
    assert console.url == ""
    assert code == 2
    assert "address already in use" in err
    assert "Leave --port out" in err


def change(console: Process, cookie: dict[str, str]) -> str:
    """Set all four machines; the path of the run."""
    console.page("/", cookie)
    _, _, chosen = console.ask("POST", "/changes", "take=all&query=?", **cookie)
    draft = chosen["Location"]
    console.ask("POST", f"{draft}/plan", "orchestration=CustomerManagedSchedules", **cookie)
    assert "This writes to <b>3 machines" in console.page(draft, cookie)
    status, text, begun = console.ask("POST", f"{draft}/apply", "count=3", **cookie)
    assert status == 303, text
    return begun["Location"]


def test_ctrl_c_during_a_run_follows_it_to_its_end(start: Start) -> None:
    """What was sent is not left alone, and the journal says that the run has ended."""
    console = start("--allow-writes", lro_seconds=2)
    cookie = console.enter()
    path = change(console, cookie)
    while 'data-live="waiting">3<' not in console.ask("GET", path, **cookie)[1]:
        assert console.process.poll() is None
    run = path.rpartition("/")[2]
    code, err = console.end()
    assert code == 0
    assert f"Run {run} is under way" in " ".join(err.split())
    report = RunStore(console.state).open(run)
    assert report.state == "finished"
    assert all(entry.result is not None for entry in report.entries())
    report.release()


def test_a_kill_in_mid_run_leaves_a_run_to_take_up(start: Start) -> None:
    """Another console, or the command line, finds it interrupted and ends it."""
    console = start("--allow-writes", lro_seconds=30)
    path = change(console, console.enter())
    console.process.kill()
    console.process.communicate()
    (summary,) = RunStore(console.state).list()
    assert (summary.run, summary.state) == (path.rpartition("/")[2], "interrupted")
    assert summary.changes == 3
