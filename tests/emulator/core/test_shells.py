"""Whoever types into a shell of `exec` sees that it is the emulator's, and when that is over; SIGTERM ends it all."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arm_emulator.child import descendants
from arm_emulator.shells import MARK, Shell, shell_of

pexpect = pytest.importorskip("pexpect", reason="no pseudo-terminals on this system")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither these shells nor these signals")
_STEERING = frozenset({"PROMPT_COMMAND", "PS1", "ZDOTDIR", "COLUMNS", "LINES"})
PROGRAM = ["-m", "arm_emulator.cli", "exec", "--fleet", "small"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user whose files set the prompt, as nearly everybody's do, and bash's before each prompt anew."""
    folder = tmp_path / "home"
    (folder / ".config" / "fish").mkdir(parents=True)
    files = {
        ".bashrc": "export SEEN=bashrc\nPS1='own> '\nPROMPT_COMMAND='PS1=\"anew> \";'\n",
        "other": "export SEEN=other\nPS1='own> '\nPROMPT_COMMAND=('PS1=\"anew> \"' true)\n",
        ".profile": "export SEEN=profile\nPS1='own> '\n",
        ".zshrc": "export SEEN=zshrc\nprecmd() { PS1='own> '; }\n",
        ".shrc": "export SEEN=shrc\nPS1='own> '\n",
        ".config/fish/config.fish": "set -x SEEN fish\nfunction fish_prompt; echo -n 'own> '; end\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _STEERING}
    return {**kept, "HOME": str(home), "ENV": str(home / ".shrc"), "TERM": "dumb"}


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        ("bash", "bashrc"),
        ("bash --norc", ""),
        ("bash --rcfile {home}/other -i", "other"),
        ("bash -l", "profile"),
        ("bash --posix", "shrc"),
        ("zsh", "zshrc"),
        ("zsh -f", ""),
        ("sh", "shrc"),
        ("dash", "shrc"),
        ("ksh", "shrc"),
    ],
)
def test_the_prompt_bears_the_mark_whatever_the_users_files_set(
    command: str, seen: str, home: Path, tmp_path: Path
) -> None:
    """The user's own files are read as ever, the mark comes after them, and once."""
    words = command.format(home=home).split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed here")
    own = environment(home)
    shell = shell_of(words, own, tmp_path, at_terminal=True)
    assert shell is not None
    child = pexpect.spawn(
        shell.command[0],
        list(shell.command[1:]),
        env={**own, **shell.environment},
        encoding="utf-8",
        timeout=60,
        dimensions=(24, 200),
    )
    child.expect_exact(MARK)
    child.sendline("echo seen=$SEEN.")
    child.expect_exact(f"seen={seen}.\r\n")
    child.expect_exact(MARK)
    child.sendline("echo :$PS1:")
    child.expect(r"\n:(.*):\r")
    assert child.match[1].count(MARK) == 1
    assert seen == "" or child.match[1].endswith(("own> ", "anew> ", "own>", "anew>"))
    child.close(force=True)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed here")
def test_fish_has_it_too(home: Path, tmp_path: Path) -> None:
    """Its prompt is a function."""
    own = environment(home)
    shell = shell_of(["fish"], own, tmp_path, at_terminal=True)
    assert shell is not None
    command = [*shell.command, "-i", "-c", "fish_prompt; echo; echo $SEEN"]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert done.stdout == f"{MARK} own> \nfish\n"


@pytest.mark.parametrize(
    ("command", "at_terminal", "is_shell"),
    [
        ("bash", True, True),
        ("/usr/local/bin/zsh", True, True),
        ("bash -i", False, True),
        ("bash -x -o pipefail", True, True),
        ("bash", False, False),
        ("bash script.sh", True, False),
        ("bash -c true", True, False),
        ("sh -ec true", True, False),
        ("bash --rcfile x script.sh", True, False),
        ("sh -- script.sh", True, False),
        ("patchmode audit", True, False),
        ("python", True, False),
    ],
)
def test_only_a_shell_that_somebody_types_into_is_changed(
    command: str, at_terminal: bool, is_shell: bool, tmp_path: Path
) -> None:
    """A script runs as it does elsewhere."""
    assert (shell_of(command.split(), {}, tmp_path, at_terminal=at_terminal) is not None) is is_shell


def test_the_environments_own_hook_of_a_login_shell_is_kept(tmp_path: Path) -> None:
    shell = shell_of(["bash", "-l"], {"PROMPT_COMMAND": "history -a;"}, tmp_path, at_terminal=True)
    assert isinstance(shell, Shell)
    assert shell.environment["PROMPT_COMMAND"].startswith("history -a;\ncase ")


@pytest.mark.parametrize("keeps", [False, True])
def test_leaving_the_shell_says_that_it_is_over_and_what_is_left(keeps: bool, home: Path, tmp_path: Path) -> None:
    """Its exit code is the program's; the fleet is lost unless it was kept in a file, then the way back is told."""
    options = ["--state", str(tmp_path / "s.db")] if keeps else []
    child = pexpect.spawn(
        sys.executable,
        [*PROGRAM, *options, "--", "sh"],
        env=environment(home),
        encoding="utf-8",
        timeout=60,
        dimensions=(24, 200),
    )
    child.expect(r"arm-emulator: https://localhost:(\d+), 6 resources")
    port = child.match[1]
    child.expect_exact("This shell uses the emulator and not Azure, as its prompt says. End it with `exit`.")
    child.expect_exact(f"{MARK} own> ")
    child.sendline("exit 7")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 7
    kept = [
        f"  Kept: the fleet (6 resources) in {tmp_path}/s.db. To continue with it and with those runs:",
        f"  arm-emulator exec --state {tmp_path}/s.db --port {port} -- COMMAND",
    ]
    lost = [
        "  Lost: the fleet (6 resources) and every change to it; --state FILE would keep them.",
        "  So those runs can still be shown, but no longer be resumed, verified or rolled back.",
    ]
    assert child.before.splitlines()[-4:] == [
        "The emulator has ended. Commands now use the same cloud as before this shell.",
        "  Kept: the files that commands wrote, such as plan files, and the runs in patchmode's state folder.",
        *(kept if keeps else lost),
    ]


def test_what_is_said_at_the_terminal_is_broken_between_words(home: Path) -> None:
    """At 60 columns too."""
    narrow = {**environment(home), "COLUMNS": "60"}
    command = [*PROGRAM, "--", "sh"]
    child = pexpect.spawn(sys.executable, command, env=narrow, encoding="utf-8", timeout=60, dimensions=(24, 60))
    child.expect_exact("as its prompt\r\n    says. End it with `exit`.\r\n")
    child.expect_exact(f"{MARK} own> ")
    child.sendline("exit")
    child.expect(pexpect.EOF)
    child.close()
    said = child.before[child.before.index("The emulator has ended") :].splitlines()
    assert max(map(len, said)) <= 60
    assert " ".join(" ".join(said).split()).endswith("but no longer be resumed, verified or rolled back.")


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text() if Path("/proc/self/stat").exists() else True
    return False


def running(tmp_path: Path, code: str) -> "tuple[subprocess.Popen[str], int]":
    """`exec` in whose command, below a shell, Python runs; and the process id of that."""
    script = tmp_path / "command.py"
    script.write_text(f"import os, sys, time, signal\n{code}\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, *PROGRAM, "--", "sh", "-c", f"{sys.executable} {script}; echo next"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def ended(process: "subprocess.Popen[str]") -> tuple[str, int]:
    """The rest of what it wrote, and its exit code."""
    rest, _ = process.communicate(timeout=60)
    return rest, process.returncode


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_ends_the_command_and_what_it_started(number: int, code: int, tmp_path: Path) -> None:
    """The command went on without the emulator, and a shell began what came next."""
    process, below = running(tmp_path, "")
    process.send_signal(number)
    assert (ended(process), alive(below)) == (("", code), False)


def test_what_the_command_started_still_has_the_emulator_while_it_ends(tmp_path: Path) -> None:
    """A run that stops in order reads the machines to their end."""
    ask = (
        "def end(*_):\n"
        "    import ssl, urllib.request as u\n"
        "    c = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])\n"
        "    print(u.urlopen(os.environ['PATCHMODE_CLOUD'] + '/_emulator/clock', context=c).status, flush=True)\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)"
    )
    process, _ = running(tmp_path, ask)
    process.terminate()
    assert ended(process) == ("200\n", 143)


def test_the_second_sigterm_kills(tmp_path: Path) -> None:
    """A command that heeds no signal must not keep the emulator for ever."""
    code = "signal.signal(signal.SIGTERM, lambda *_: print('heard', flush=True))"
    script = tmp_path / "stubborn.py"
    script.write_text(f"import signal, time\n{code}\nprint('ready', flush=True)\nwhile True: time.sleep(60)\n")
    command = [sys.executable, *PROGRAM, "--", sys.executable, str(script)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.stdout.readline() == "heard\n"
    process.terminate()
    assert ended(process) == ("", 137)


def test_sigterm_ends_a_shell_that_somebody_types_into(home: Path) -> None:
    """Interactive shells ignore SIGTERM, so they get SIGHUP, as when their terminal is closed."""
    child = pexpect.spawn(sys.executable, [*PROGRAM, "--", "bash"], env=environment(home), encoding="utf-8", timeout=60)
    child.expect_exact(MARK)
    child.kill(signal.SIGTERM)
    child.expect_exact("The emulator has ended.")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 129


def test_ctrl_c_at_the_terminal_is_the_commands_own(home: Path, tmp_path: Path) -> None:
    """The terminal sends it to both; the emulator stays until the command has ended in order."""
    script = tmp_path / "command.py"
    script.write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *_: (print('heard', flush=True), time.sleep(0.1), sys.exit(5)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    child = pexpect.spawn(
        sys.executable,
        [*PROGRAM, "--", sys.executable, str(script)],
        env=environment(home),
        encoding="utf-8",
        timeout=60,
    )
    child.expect_exact("ready")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert (child.before.count("heard"), child.exitstatus) == (1, 5)


def test_descendants_are_found_over_generations() -> None:
    """Parents first."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        while not descendants(process.pid):
            time.sleep(0.01)
        assert len(descendants(process.pid)) == 1
        assert process.pid in descendants(os.getpid())
        assert process.stdin is not None
        process.stdin.close()
