"""Every signal that means "go": the first ends cleanly, the second at once, and neither ends in a traceback."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import PROGRAM, Program, Start, unmeasured, wait_for_words, wait_until
from tests.examples import LONG

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as other systems have them")

ROOT = Path(__file__).parents[2]
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
LEFT = "Stopped immediately: what was sent continues in Azure. Continue with: patchmode runs resume "
RUN_ID = r"\d{8}T\d{9}Z-[0-9a-f]{6}"
RESUME = "Continue with: patchmode runs resume "


@pytest.fixture(autouse=True)
def hang_up_ends() -> Iterator[None]:
    """SIGHUP as a shell leaves it: a test run that was itself begun with nohup hands on that it is ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def begun(program: Program, *args: str, until: str, **how: Any) -> "subprocess.Popen[str]":
    """A program that runs on beside the test, once it says this on standard error."""
    process = program.beside(*args, **how)
    wait_for_words(until, process)
    return process


def report(program: Program) -> Any:
    return json.loads(program("runs", "show", "-o", "json").out)


# ------------------------------------------------------------------------------------------------ at any instant


def walk(phase: str, signals: str, points: range) -> list[dict[str, Any]]:
    """What became of a child that was sent its further signals at each point."""
    command = [sys.executable, "-m", "tests.cli.signal_walk", phase, signals, ",".join(map(str, points))]
    environment = unmeasured(os.environ)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def is_end_of_signal(one: dict[str, Any], signals: str) -> bool:
    """Ended with 130, or by the signal itself: when all is told, Python's last act hands signals back to the system."""
    return one["code"] in {130, *(-signal.Signals[name] for name in signals.split(","))}


@pytest.mark.parametrize("signals", ["SIGINT,SIGINT", "SIGTERM,SIGINT,SIGINT", "SIGHUP,SIGTERM"])
@pytest.mark.parametrize("first", [1, 53])
def test_a_second_signal_leaves_a_run_at_once_at_any_instant(signals: str, first: int) -> None:
    """In the event loop, in a callback, while the journal is written or closed, in the loop's end, while printing."""
    for one in walk("writing", signals, range(first, 2_400, 106 if LONG else 265)):
        assert is_end_of_signal(one, signals), one
        assert "Traceback" not in one["said"], one
        assert "Exception" not in one["said"], one
        assert "asyncio" not in one["said"], one
        said = one["said"].splitlines()
        if said[0].startswith("Stopping: "):
            said.pop(0)
        # Late points come after the end: then the run has told its own.
        (last,) = said
        assert last.startswith(LEFT) or last in {"interrupted 1 of 3", "patchmode: stopped immediately."}, one


@pytest.mark.parametrize("signals", ["SIGINT,SIGINT", "SIGHUP,SIGTERM,SIGTERM"])
def test_a_second_signal_leaves_a_reading_command_at_once_at_any_instant(signals: str) -> None:
    for one in walk("reading", signals, range(1, 900, 38 if LONG else 114)):
        assert is_end_of_signal(one, signals), one
        assert one["said"] in {"patchmode: stopped immediately.\n", "patchmode: interrupted.\n"}, one


def test_a_connection_that_is_lost_is_one_signal_however_often_it_is_told() -> None:
    """The shell sends SIGHUP, and the kernel another one; service managers send it after SIGTERM."""
    for signals in ("SIGHUP,SIGHUP,SIGHUP", "SIGTERM,SIGHUP", "SIGINT,SIGHUP"):
        for one in walk("writing", signals, range(5, 1_500, 700)):
            assert (one["code"], one["said"].splitlines()[-1]) == (130, "interrupted 1 of 3"), one


AFTER_THE_END = """
import atexit, signal
from patchmode.cli.main import main
atexit.register(signal.raise_signal, signal.{name})
main()
"""


@pytest.mark.parametrize(("args", "code", "out"), [("--version", 0, "patchmode 0.1.0\n"), ("audti", 2, "")])
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_after_the_end_leaves_the_exit_code_and_what_was_said(
    name: str, args: str, code: int, out: str
) -> None:
    """While the interpreter ends: nothing is interrupted any more, and who waits for the code gets the command's."""
    command = [sys.executable, "-c", AFTER_THE_END.format(name=name), args]
    done = subprocess.run(command, env=unmeasured(os.environ), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (code, out)
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------------------------------------ a run


@pytest.mark.parametrize("name", SIGNALS)
def test_the_first_signal_stops_a_run_cleanly_and_says_once_how_to_go_on(start: Start, name: str) -> None:
    program = start("demo", lro_seconds=2)
    command = ("apply", "--all", "--yes", "--concurrency", "1")
    applying = begun(program, *command, until="Applying", is_installed=True)
    wait_until(lambda: sent(program) > 0, applying)
    applying.send_signal(signal.Signals[name])
    _, said = applying.communicate(timeout=60)
    shown = report(program)
    assert applying.returncode == 130, said
    assert len(re.findall(f"{RESUME}{RUN_ID}", said)) == said.count("runs resume") == 1, said
    assert "Traceback" not in said
    assert (shown["state"], shown["counts"]["unknown"]) == ("interrupted", 0)
    assert 0 < shown["counts"]["applied"] < 30


@pytest.mark.parametrize("second", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("name", SIGNALS)
def test_the_second_signal_leaves_a_run_at_once_and_says_how_to_go_on(start: Start, name: str, second: str) -> None:
    program = start("demo", lro_seconds=600)
    applying = begun(program, "apply", "--all", "--yes", until="Applying")
    wait_until(lambda: sent(program) > 0, applying)
    applying.send_signal(signal.Signals[name])
    wait_for_words("Stopping", applying)
    applying.send_signal(signal.Signals[second])
    _, said = applying.communicate(timeout=60)
    shown = report(program)
    assert applying.returncode == 130
    assert re.fullmatch(f"{LEFT}{RUN_ID}", said.splitlines()[-1])
    assert said.count("runs resume") == 1
    assert shown["state"] == "interrupted"


def on_a_terminal(program: Program, *args: str, **how: Any) -> tuple["subprocess.Popen[str]", int]:
    """The program as the leader of a session, and the other end of its terminal."""
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    program.environment["TERM"] = "xterm"
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = program.beside(*args, start_new_session=True, preexec_fn=take_terminal, **streams, **how)
    os.close(theirs)
    return process, ours


@pytest.mark.parametrize("progress", [[], ["--no-progress"]])
def test_a_lost_connection_stops_a_run_cleanly_though_nobody_can_be_told(start: Start, progress: list[str]) -> None:
    """Every write to the terminal fails from then on."""
    program = start("demo", lro_seconds=2)
    command = ("apply", "--all", "--yes", "--concurrency", "1", *progress)
    process, ours = on_a_terminal(program, *command, is_installed=True)

    def is_under_way() -> bool:
        while select.select([ours], [], [], 0)[0]:
            os.read(ours, 1 << 16)
        return sent(program) > 1

    wait_until(is_under_way, process)
    os.close(ours)
    assert process.wait(60) == 130
    shown = report(program)
    assert (shown["state"], shown["counts"]["unknown"], shown["counts"]["failed"]) == ("interrupted", 0, 0)
    assert 0 < shown["counts"]["applied"] < 30
    assert program("runs", "resume", "--concurrency", "1000", "-q").code == 10  # all is sent; blocked ones stay


def sent(program: Program) -> int:
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    return sum(entry.method == "PATCH" for entry in entries)


def test_nohup_is_honoured(start: Start) -> None:
    """Who starts a run with it wants it to outlive the connection."""
    program = start("small", lro_seconds=2)
    applying = begun(
        program, "apply", "--all", "--yes", until="Applying", preexec_fn=_ignore_hang_up, is_installed=True
    )
    applying.send_signal(signal.SIGHUP)
    _, said = applying.communicate(timeout=60)
    assert (applying.returncode, "Stopping" in said) == (0, False)


def _ignore_hang_up() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_a_run_goes_on_when_nobody_reads_what_it_says(start: Start) -> None:
    """`apply … 2>&1 | head -1`: what it has to say is dropped, and every machine is followed to its end."""
    program = start("small", lro_seconds=2)
    applying = begun(program, "apply", "--all", "--yes", until="Applying")
    assert applying.stderr is not None
    applying.stderr.close()
    applying.communicate(timeout=60)
    assert applying.returncode == 0
    assert report(program)["counts"]["verified"] == 3


def test_a_run_whose_result_nobody_reads_ends_with_its_own_code(start: Start) -> None:
    """`apply … | head -1` is no reason to say that it could not run."""
    program = start("small")
    applying = begun(program, "apply", "--all", "--yes", "-o", "json", until="Signed in")
    assert applying.stdout is not None
    applying.stdout.close()
    assert applying.stderr is not None
    said = applying.stderr.read()
    applying.stderr.close()
    assert applying.wait(60) == 0
    assert "Undo it with:" in said


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "<&- 2>&-"])
def test_a_stream_that_was_closed_beforehand_is_not_taken_by_a_file(start: Start, closed: str) -> None:
    """The journal would get its number, and the progress would be written into it."""
    program = start("small")
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" apply --all --yes -o json {closed}', PROGRAM],
        cwd=program.folder,
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout)["counts"]["verified"] == 3
    assert report(program)["counts"]["verified"] == 3


# ------------------------------------------------------------------------------------------------ at a question


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("fleet", ["small", "demo"])
def test_a_signal_at_the_question_says_that_nothing_was_sent(start: Start, fleet: str, name: str) -> None:
    program = start(fleet)
    process, ours = on_a_terminal(program, "apply", "--all", "--no-color")
    seen = ""
    while not seen.rstrip().endswith(("[y/N]:", "continue:")):
        assert select.select([ours], [], [], 60)[0], seen
        seen += os.read(ours, 1 << 16).decode()
    process.send_signal(signal.Signals[name])
    code = process.wait(60)
    rest = os.read(ours, 1 << 16).decode().replace("\r", "")
    os.close(ours)
    assert (code, sent(program)) == (130, 0)
    assert rest == "\npatchmode: interrupted; nothing was sent.\n"


# ------------------------------------------------------------------------------------------------ other commands


@pytest.mark.parametrize("name", SIGNALS)
def test_a_watch_ends_with_each_of_them(start: Start, name: str) -> None:
    program = start("small")
    watching = begun(program, "watch", "--interval", "1h", until="machines")
    watching.send_signal(signal.Signals[name])
    out, said = watching.communicate(timeout=60)
    assert (watching.returncode, out, said.strip()) == (130, "", "patchmode: interrupted.")


@pytest.mark.parametrize("name", SIGNALS)
def test_the_console_ends_with_each_of_them(start: Start, name: str) -> None:
    program = start("small")
    serving = begun(program, "console", until="Open:")
    assert serving.stdout is not None
    assert serving.stdout.readline().startswith("http://")
    serving.send_signal(signal.Signals[name])
    _, said = serving.communicate(timeout=60)
    assert (serving.returncode, said) == (0, "")
