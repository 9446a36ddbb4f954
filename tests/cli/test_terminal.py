"""On a terminal: the question, the bar, Ctrl-C, and 80 columns."""

import re
import shlex
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from tests.cli.conftest import Program, Start
from tests.cli.test_resuming import ALL_LOCKED

from patchmode.cli.output import tell
from patchmode.reports.text.layout import Paint, wrapped

pexpect = pytest.importorskip("pexpect", reason="no pseudo-terminals on this system")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals on this system")
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def terminal() -> Iterator[Any]:
    """Run the program on a terminal of 80 columns: a fork of it (`forked.begun`), or the installed one."""
    children: list[Any] = []

    def spawn(program: Program, *args: str, is_installed: bool = False, **environment: str) -> Any:
        (first, *words), variables = program.command(is_installed=is_installed)
        child = pexpect.spawn(
            first,
            [*words, *args],
            cwd=str(program.folder),
            env={**variables, "TERM": "xterm-256color", **environment},
            encoding="utf-8",
            dimensions=(50, 80),
            timeout=60,
        )
        children.append(child)
        return child

    yield spawn
    for child in children:
        child.close(force=True)


def end(child: Any) -> tuple[str, int]:
    """The rest of what is said, and the exit code."""
    child.expect(pexpect.EOF)
    child.wait()
    return str(child.before), child.exitstatus


def patches(program: Program) -> int:
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    return sum(entry.method == "PATCH" for entry in entries)


def test_everything_fits_eighty_columns(start: Start, terminal: Any, snapshot: SnapshotAssertion) -> None:
    """Nothing is cut, and a line that wraps by itself cannot be read."""
    program = start("demo")
    output, code = end(terminal(program, "audit", "--all", "--no-color"))
    lines = program.plain(output).replace("\r", "").split("\n")
    told = [line for line in lines if not line.strip(" →").startswith("patchmode ")]  # a command is there to be pasted
    wide = [line for line in told if sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) > 80]
    assert wide == []
    assert code == 10
    assert "\n".join(lines) == snapshot


@pytest.mark.parametrize(
    ("options", "environment", "coloured"),
    [((), {}, True), (("--no-color",), {}, False), ((), {"NO_COLOR": "1"}, False), ((), {"TERM": "dumb"}, False)],
)
def test_colours_where_they_are_wanted(
    start: Start, terminal: Any, options: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    """On a terminal, and nowhere else."""
    output, _ = end(terminal(start("small"), "plan", "--all", *options, **environment))
    assert bool(COLOURS.search(output)) is coloured


def test_a_no_sends_nothing(start: Start, terminal: Any) -> None:
    """Enter alone is a no."""
    program = start("small")
    child = terminal(program, "apply", "--all")
    child.expect(r"Change 3 machines in subscription Contoso Production\? \[y/N\]: ")
    child.sendline("")
    output, code = end(child)
    assert "Not confirmed: nothing was sent" in output
    assert (code, patches(program)) == (12, 0)
    file = str(next((program.folder / "state" / "plans").iterdir()))
    assert f"patchmode apply {file}\r\n" in output
    child = terminal(program, "apply", file)
    child.expect(r"Change 3 machines in subscription Contoso Production\? \[y/N\]: ")
    child.sendline("y")
    assert end(child)[1] == 0
    child = terminal(program, "rollback", "latest")
    child.expect(r"Change \d machines? in subscription Contoso Production\? \[y/N\]: ")
    child.sendline("n")
    output, code = end(child)
    file = str(max((program.folder / "state" / "plans").iterdir()))
    assert (code, f"patchmode apply {file}\r\n" in output) == (12, True)


def test_a_yes_carries_the_plan_out_under_a_bar(start: Start, terminal: Any) -> None:
    """The tally is what people look at for hours."""
    program = start("small")
    child = terminal(program, "apply", "--all", is_installed=True)
    child.expect(r"Change 3 machines in subscription Contoso Production\? \[y/N\]: ")
    child.sendline("y")
    output, code = end(child)
    plain = COLOURS.sub("", output)
    assert "3/3 3 done" in plain
    assert "skipped" not in plain  # the fourth machine is compliant already
    assert "3 applied, 1 unchanged" in plain
    assert (code, patches(program)) == (0, 3)


def test_what_is_not_as_asked_is_said_once_and_last(start: Start, terminal: Any) -> None:
    """On one screen the hints on how to go on come before it, and a sentence said twice is read as two."""
    program = start("demo", faults=ALL_LOCKED)
    output, code = end(terminal(program, "apply", "-g", "rg-app", "--max-failures", "1", "--yes"))
    lines = COLOURS.sub("", output).strip().splitlines()
    assert code == 11
    assert output.count("Not everything is as asked") == 1
    last = next(number for number, line in enumerate(lines) if line.startswith("Not everything is as asked"))
    assert all(line.startswith("    ") for line in lines[last + 1 :])  # it alone goes on, indented


def test_on_one_screen_what_is_blocked_is_named_once_above_the_question(start: Start, terminal: Any) -> None:
    """Rule, machine and way out stood above the question and once more below it; the verdict is what is left to say."""
    program = start("demo")
    child = terminal(program, "apply", "-g", "rg-locked", "-g", "rg-sandbox", "--no-color")
    child.expect_exact("Change 2 machines")
    before = str(child.before)
    child.sendline("y")
    after, code = end(child)
    assert code == 10
    for told in ("read-only-lock (1)", "Have the lock's owner remove it"):
        assert (before.count(told), after.count(told)) == (1, 0)
    assert before.count("Not in this plan, although asked for: 1 blocked (read-only-lock 1).") == 1
    assert after.count("Not everything is as asked: 1 blocked (read-only-lock 1).") == 1


@pytest.mark.parametrize("command", ["apply", "plan"])
def test_on_one_screen_a_plan_without_a_change_is_told_once(start: Start, terminal: Any, command: str) -> None:
    output, code = end(terminal(start("demo"), command, "-g", "rg-locked", "--no-color"))
    assert code == 10
    assert output.count("read-only-lock (1)") == 1
    assert output.count("1 blocked (read-only-lock 1)") == 1
    assert output.count("No change is planned") == 1
    assert "machine is blocked" not in output


def test_many_machines_are_confirmed_by_their_number(start: Start, terminal: Any) -> None:
    """A reflex must not change a fleet."""
    program = start("demo")
    child = terminal(program, "apply", "--all")
    child.expect(r"This changes 30 machines \(Contoso Production: (.|\n)*Type\s+the\s+number\s+to\s+continue: ")
    child.sendline("y")
    assert end(child)[1] == 12
    assert patches(program) == 0
    child = terminal(program, "apply", "--all")
    child.expect(r"Type\s+the\s+number\s+to\s+continue: ")
    child.sendline("30")
    assert end(child)[1] == 10  # the others of the fleet cannot be changed
    assert patches(program) == 30


def test_ctrl_c_at_the_question_sends_nothing(start: Start, terminal: Any) -> None:
    """The first one, at once."""
    program = start("small")
    child = terminal(program, "apply", "--all", is_installed=True)
    # The whole question: a signal between its first word and the read would be noticed with the next key only.
    child.expect_exact("Change 3 machines")
    child.expect_exact("[y/N]: ")
    child.sendintr()
    _, code = end(child)
    assert (code, patches(program)) == (130, 0)


def test_the_first_ctrl_c_stops_cleanly_and_the_run_can_be_resumed(start: Start, terminal: Any) -> None:
    """What was sent is followed to its end, nothing more is sent, and nothing is forgotten."""
    program = start("demo", lro_seconds=2)
    options = ("--all", "--yes", "--concurrency", "1", "--max-failures", "1")
    child = terminal(program, "apply", *options, is_installed=True)
    child.expect("1/30")
    child.sendintr()
    child.expect("Stopping: changes under way are followed to their end")
    output, code = end(child)
    sent_before = patches(program)
    assert code == 130
    assert "Continue with: patchmode runs resume" in " ".join(COLOURS.sub("", output).split())
    assert 0 < sent_before < 30
    shown = program("runs", "show", "-o", "json")
    assert f'"applied": {sent_before}' in shown.out
    assert f'"notSent": {30 - sent_before}' in shown.out
    # The run keeps its concurrency, and one at a time takes two seconds each.
    resumed = program("runs", "resume", "-q", "--concurrency", "64")
    assert resumed.code == 10  # all is applied, and the others of the fleet cannot be changed
    assert patches(program) == 30


def test_the_second_ctrl_c_leaves_at_once(start: Start, terminal: Any) -> None:
    """The journal is enough to go on, so nobody has to wait."""
    program = start("demo", lro_seconds=600)
    child = terminal(program, "apply", "--all", "--yes")
    child.expect("under way")
    child.sendintr()
    child.expect("Stopping")
    child.sendintr()
    output, code = end(child)
    assert code == 130
    assert "patchmode runs resume" in COLOURS.sub("", output)
    assert program("runs", "show", "-o", "json").code == 11


@pytest.mark.parametrize(("answer", "code", "sent"), [("n", 12, 3), ("y", 11, 6)])
def test_after_a_spent_budget_the_question_names_what_failed(
    start: Start, terminal: Any, answer: str, code: int, sent: int
) -> None:
    """Whoever says yes knows to what, and the yes allows as many failures again, not any number."""
    program = start("demo", faults=ALL_LOCKED)
    program("apply", "-g", "rg-app", "--max-failures", "3", "--concurrency", "1", "--yes", "-q")
    child = terminal(program, "runs", "resume")
    child.expect(
        r"Continue with --max-failures 6, and send the 12 changes left in subscription Contoso Production\? ".replace(
            " ", r"\s+"
        )
    )
    asked = str(child.before)
    assert "Failed so far (3):" in asked
    assert "ScopeLocked" in asked
    child.sendline(answer)
    assert (end(child)[1], patches(program)) == (code, sent)


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_fault_is_broken_between_words(offline: Program, columns: int) -> None:
    """By the width of its own terminal, whatever standard output is; in a pipe a line stays one, for whoever greps."""
    words, environment = offline.command()
    child = pexpect.spawn(
        "sh",
        ["-c", f"{shlex.join(words)} audit --cloud AzureGermany >out.txt"],
        cwd=str(offline.folder),
        env=environment,
        encoding="utf-8",
        dimensions=(24, columns),
    )
    output, code = end(child)
    told = output.replace("\r", "").splitlines()
    piped = offline("audit", "--cloud", "AzureGermany")
    assert code == piped.code == 1
    assert " ".join(told).split() == piped.err.split()
    assert len(told) > len(piped.err.splitlines()) == 2
    assert max(map(len, told)) <= columns
    assert all(line.startswith("  ") for line in told[1:])


def test_a_command_in_a_fault_is_never_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one of az with four words before its options, and one behind other words."""
    scope = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-app"
    grant = f"az role assignment create --assignee OBJECT-ID --role 'VM Role' --scope {scope}"
    told: list[str] = []
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("patchmode.cli.output.width_of", lambda _: 80)
    monkeypatch.setattr("patchmode.cli.output.click.echo", lambda text, err: told.append(text))
    again = "patchmode apply --then-attach mc-nightly plan.json --max-failures-per-region 3 --state-dir /var/lib"
    tell(f"What to do: Have this run:\n{grant}\nThen repeat:\n{again}", indent=2)
    assert told == ["  What to do: Have this run:", f"  {grant}", "  Then repeat:", f"  {again}"]
    assert list(wrapped(f"Run this: {grant}", paint=Paint(width=40))) == ["Run this:", grant]


SHOWN = (
    ("audit", "--all"),
    ("plan", "--all", "--out", "plan.json"),
    ("apply", "plan.json"),
    ("apply", "-g", "rg-app", "--yes", "--max-failures", "7"),
    ("verify", "--all"),
    ("explain", "web-04"),
    ("doctor",),
    ("runs", "list"),
    ("runs", "resume"),
    ("runs", "show"),
    ("schedule", "list"),
    ("schedule", "show", "mc-nightly"),
    ("schedule", "check"),
    ("schedule", "detach", "mc-nightly", "-g", "rg-app"),
    ("apply", "no-such-file.json"),
)


@pytest.mark.parametrize("command", SHOWN, ids=" ".join)
def test_the_terminal_never_cuts_a_word(start: Start, terminal: Any, command: tuple[str, ...]) -> None:
    """A line wider than the screen is one word that has to be pasted: a command, an id, an address, a path."""
    program = start("demo", faults=ALL_LOCKED)
    program("plan", "--all", "--out", "plan.json")
    if command[0] == "runs":
        program("apply", "plan.json", "--yes", "--max-failures", "7")
    child = terminal(program, *command, "--no-color", COLUMNS="60")
    child.sendline("n")  # for those that ask
    output, _ = end(child)
    # What follows an answer stands on the question's line here: the echo came before it.
    shown = re.sub(r"(\[y/N\]:|continue:) ", r"\1\n", COLOURS.sub("", output))
    wide = [line for line in shown.splitlines() if len(line) > 60]
    commands = re.compile(r"(patchmode|az|arm-emulator) [a-z-]+")
    prose = (line for line in wide if not re.search(r"\S  +\S", line))  # a table has columns
    can_be_broken = (line for line in prose if max(map(len, line.split())) < 50 and not commands.search(line))
    assert list(can_be_broken) == []
