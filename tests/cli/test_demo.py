"""The demonstration tells the truth: it ends well only if every step did, and what it shows can be typed."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import click
import pytest
from tests.cli import forked
from tests.cli.conftest import Program, Start, installed

from arm_emulator.clock import Clock
from patchmode.cli.demonstration import short_story, whole_story
from patchmode.cli.demonstration.server import Server
from patchmode.cli.demonstration.telling import Catch, Telling, cut, started
from patchmode.reports.text.layout import Paint

WIDTH = 80
FORKED = forked.run if forked.IS_POSSIBLE else installed
Tell = Callable[[ModuleType, datetime], list[str]]
"""Tells a story on standard output by a clock that begins then, and returns the commands that it ran and showed."""


@pytest.fixture
def tell(start: Start, tmp_path: Path) -> Tell:
    """Each command that is shown is typed into a shell, as in `arm-emulator exec`; there `patchmode` is forked."""
    story = tmp_path / "story"
    story.mkdir()
    shell = forked.shell_environment(tmp_path / "bin")

    def told(module: ModuleType, begins: datetime) -> list[str]:
        program = start("schedules", clock=Clock(begins))
        environment = program.environment
        typed: list[str] = []

        def begin(words: Sequence[str], folder: Path, env: Mapping[str, str], catch: Catch) -> tuple[int, str]:
            if "-q" in words:
                done = FORKED(Path("patchmode"), words[3:], cwd=folder, env=env, stdin="", timeout_s=60)
                return done.returncode, done.stdout
            own = ["patchmode", *words[3:]] if words[0] == sys.executable else ["arm-emulator", *words[1:]]
            typed.append(shlex.join(word for word in own if word != "--no-progress"))
            line = ["sh", "-c", typed[-1]]
            code, text = started(line, folder, {**env, **shell, "COLUMNS": str(WIDTH)}, Catch.OUTPUT)
            if catch is Catch.NOTHING:
                click.echo(text, nl=False)
            return code, text

        server = Server(
            program.endpoint,
            environment["AZURE_TENANT_ID"],
            environment["AZURE_CLIENT_ID"],
            environment["AZURE_CLIENT_SECRET"],
            environment["SSL_CERT_FILE"],
            environment,
        )
        module.tell(Telling(server, story, Paint(width=WIDTH), start=begin))
        return typed

    return told


def typed(text: str) -> list[str]:
    """The commands that a story shows, as they are to be typed."""
    return [line[2:] for line in text.splitlines() if line.startswith("$ ")]


def titles(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("── ")]


def test_the_short_story_ends_as_told_and_is_short(tell: Tell, capsys: pytest.CaptureFixture[str]) -> None:
    """The first thing a visitor runs: at most twelve steps, what failed, that exactly this was mended, the way back.

    Told by the clock of `arm-emulator exec`, so that who types its commands there sees the same.
    """
    ran = tell(short_story, datetime.now(UTC))
    out = capsys.readouterr().out
    assert [title.split(".")[0] for title in titles(out)] == [f"── {number}" for number in range(1, 12)]
    assert typed(out) == ran
    assert "Patch orchestration mode is not set to AutomaticByPlatform" in " ".join(out.split())
    order = ["2 succeeded, 4 failed", "4 applied; 4 in scope, 4 verified.", "4 succeeded; 4", "Schedule: 1 attached"]
    assert sorted(order, key=out.index) == order
    assert out.index("Schedule: 1 attached") < out.index("Schedule: 1 detached") < out.index("Current state:")
    ending = out[out.index("Current state:") :]
    assert "       2  fail at their next window\n" in ending
    assert "All 11 steps succeeded.\nShown: a night that failed for 4 machines" in ending
    assert "rest.json was not applied." in " ".join(ending.split())
    # On a screen of 80 columns, where the target's name is a line more in some places, about 120 lines.
    assert sum(max(1, -(-len(line) // WIDTH)) for line in out.splitlines()) <= 125
    assert sum("left out" in line for line in out.splitlines()) >= 6
    # Nothing waits: few programs are started, and their operations take less than two seconds together.
    programs = [line.split()[0] for line in ran]
    assert (programs.count("patchmode"), programs.count("arm-emulator")) == (9, 2)
    assert sum("apply fix" in line or "--yes" in line for line in ran) * short_story.LRO_SECONDS <= 2
    assert short_story.SERVER_OPTIONS[-2:] == ("--throttle", "off")


def test_the_whole_story_ends_as_told(tell: Tell, capsys: pytest.CaptureFixture[str]) -> None:
    """`--full`: also what Azure refuses, the whole fleet, and drift. Told by the demo's own clock."""
    ran = tell(whole_story, short_story.begins(datetime.now(UTC)))
    out = capsys.readouterr().out
    assert [title.split(".")[0] for title in titles(out)] == [f"── {number}" for number in range(1, 14)]
    assert [line.removesuffix(" > base.json") for line in typed(out)] == ran
    assert "Patch orchestration mode is not set to AutomaticByPlatform" in out
    assert out.index("2 succeeded, 4 failed") < out.index("4 succeeded; 4 machines ")
    assert out.index("400 UnsupportedResourceOperation") < out.index("Schedule: 1 attached; 1 machine.")
    assert "The emulated clock is more than a day ahead" in out
    assert "by: 33333333-3333-3333-3333-333333333333 (Application) with Terraform" in out
    assert "31 changes applied and 31 of them verified" in out
    assert "All 13 steps succeeded." in out


@pytest.mark.parametrize("hour", range(24))
def test_at_whatever_hour_it_is_told_a_night_has_passed_and_another_comes(hour: int) -> None:
    """The nightly window is 22:00 to 01:00 in Berlin, 20:00 to 00:00 UTC over the year; a change comes after it."""
    now = datetime(2026, 7, 14, hour, 30, tzinfo=UTC)
    begun = short_story.begins(now)
    after_one, after_three = begun + timedelta(days=1), begun + timedelta(days=3)
    last_night = after_one.replace(hour=0, minute=0)
    assert begun <= last_night - timedelta(hours=4)
    assert last_night <= after_one <= now < after_one + timedelta(days=1)
    # The window that begins next after now has ended by then.
    coming = now.replace(hour=20, minute=0) + timedelta(days=1 if hour >= 20 else 0)
    assert now < coming
    assert coming + timedelta(hours=4) <= after_three


def test_a_step_that_ends_otherwise_is_not_glossed_over(offline: Program, tmp_path: Path) -> None:
    """A fleet without a schedule cannot tell the story, and the demo names the step, fails, and leaves nothing."""
    code = (
        "import sys\n"
        "from patchmode.cli.demonstration import short_story\n"
        "short_story.SERVER_OPTIONS = ('--fleet', 'small', '--lro-seconds', '0')\n"
        "from patchmode.cli.main import run\n"
        "sys.exit(run(['demo']))\n"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**offline.environment, "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (
        "The demo failed in step 3 (What failed, and why?): "
        "`patchmode schedule failures --since 2d` ended with 0 instead of 10."
    ) in done.stderr
    assert "steps succeeded" not in done.stdout
    assert [path.name for path in scratch.iterdir() if path.name.startswith("patchmode-")] == []
    assert not (tmp_path / "state").exists()


def test_step_needs_somebody_at_a_terminal(offline: Program) -> None:
    """Nothing is started where nobody can press Enter."""
    done = offline("demo", "--step")
    assert (done.code, done.out) == (2, "")
    assert "Leave --step out." in done.err


def test_step_waits_before_each_step_and_says_what_comes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The question is on standard error; standard output is the story."""
    answers = iter(["", "go on"])
    server = Server("https://localhost:1", "", "", "", "", {})
    telling = Telling(
        server, tmp_path, Paint(), is_paused=True, pause=lambda text: click.echo(next(answers) or text, err=True)
    )
    telling.step("First")
    telling.step("Second")
    said = capsys.readouterr()
    assert said.out == "\n── 1. First\n\n── 2. Second\n"
    assert said.err.splitlines() == ["", "Press Enter for step 1 (First), or Ctrl-C to end:", "", "go on"]


TEXT = "one\n\n~ two\n  three\n\nfour\n\x1b[1mfive\x1b[0m\nsix\n"


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([("", None)], ["one", "", "~ two", "  three", "", "four", "\x1b[1mfive\x1b[0m", "six"]),
        ([("", "")], ["one", "  … 7 lines left out"]),
        (
            [("~ ", ""), ("five", None)],
            ["  … 2 lines left out", "~ two", "  three", "  … 2 lines left out", "\x1b[1mfive\x1b[0m", "six"],
        ),
        ([(r"fo?ur", "si")], ["  … 5 lines left out", "four", "\x1b[1mfive\x1b[0m", "  … 1 line left out"]),
        ([("nowhere", "")], ["one", "  … 7 lines left out"]),
        ([("four", "nowhere")], ["  … 5 lines left out", "four", "\x1b[1mfive\x1b[0m", "six"]),
    ],
)
def test_what_is_cut_is_counted(parts: list[tuple[str, str | None]], shown: list[str]) -> None:
    """Nobody takes a part for the whole."""
    assert list(cut(TEXT, parts, Paint())) == shown


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_at_a_terminal_a_cut_command_has_a_terminal_of_its_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that its colours and lines are those that somebody sees who types it."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "97")
    code = (
        "import os, sys; print(os.get_terminal_size(1).columns, sys.stderr.isatty());"
        "print('err', file=sys.stderr); sys.exit(3)"
    )
    assert started([sys.executable, "-c", code], tmp_path, {}, Catch.SCREEN) == (3, "97 True\nerr\n")
    assert started([sys.executable, "-c", "print(1)"], tmp_path, {}, Catch.OUTPUT) == (0, "1\n")


def test_where_both_streams_go_to_one_place_a_cut_command_keeps_their_order(tmp_path: Path) -> None:
    """As in `make demo > log 2>&1`; what a command tells of its progress is cut with the rest."""
    words = "echo first; echo second >&2; echo third"
    code = (
        "from pathlib import Path; from patchmode.cli.demonstration.telling import Catch, started;"
        f"print(started(['sh', '-c', '{words}'], Path('.'), {{}}, Catch.SCREEN))"
    )
    for errors, caught in ((subprocess.STDOUT, "first\\nsecond\\nthird\\n"), (subprocess.PIPE, "first\\nthird\\n")):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=errors, text=True, check=True
        )
        assert done.stdout == f"(0, '{caught}')\n"
