"""Tab: what each shell is answered, that it is fast and silent, and where the script is put."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pexpect
import pytest
from click.shell_completion import get_completion_class
from tests.cli.conftest import Program, clean_environment, unmeasured
from tests.cli.forked import shell_environment
from tests.cli.test_suggestions import parameters

from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import Running, running
from patchmode.cli import completing
from patchmode.cli.choices import Fixed
from patchmode.cli.main import program as main_program
from patchmode.store.name_cache import KEPT_S, keep_names, read_names

SHELLS = ("bash", "zsh", "fish", "powershell")


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running(fleet=read_fleet("schedules"), lro_seconds=0, limits=limits_from("off")) as one:
        yield one


@pytest.fixture
def program(served: Running, tmp_path: Path) -> Program:
    environment = {
        **clean_environment(),
        **served.env,
        "PATCHMODE_STATE_DIR": str(tmp_path / "state"),
        # A busy computer must not decide what is completed.
        "PATCHMODE_COMPLETION_SECONDS": "50",
    }
    return Program(tmp_path, environment, served.endpoint)


def answered(program: Program, *words: str, shell: str = "bash", **environment: str) -> list[str]:
    """What a shell gets for the last word, by click's protocol."""
    said = "\n".join(("patchmode", *words)) if shell == "bash" else " ".join(("patchmode", *words))
    at = words[-1] if shell == "fish" else str(len(words))
    done = program(_PATCHMODE_COMPLETE=f"{shell}_complete", COMP_WORDS=said, COMP_CWORD=at, **environment)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sch"], ["plain,schedule", "plain,schema"]),
        (["schedule", "ne"], ["plain,next"]),
        (["audit", "--peri"], ["plain,--periodic-assessment"]),
        (["plan", "--to", "cus"], ["plain,customer-managed-schedules"]),
        (["audit", "-s", "cont"], [f"plain,Contoso\\ {one}" for one in ("Development", "Production", "Sandbox")]),
        (["audit", "-s", "'Contoso P"], ["plain,Contoso Production"]),
        (["audit", "--subscription", "Contoso\\ P"], ["plain,Contoso\\ Production"]),
        (["schedule", "create", "x", "-s", "contoso\\ d"], ["plain,Contoso\\ Development"]),
        (["plan", "-g", "rg-d"], ["plain,RG-DATA-PROD", "plain,rg-dev"]),
        (["plan", "-g", "rg-g"], ["plain,rg-Größe\\ \\(EU\\)"]),
        (["audit", "--schedule", ""], ["plain,mc-nightly", "plain,mc-weekly"]),
        (["plan", "--then-attach", "mc-n"], ["plain,mc-nightly"]),
        (["schedule", "attach", "mc-w"], ["plain,mc-weekly"]),
        (["schedule", "check", "mc-nightly", "mc-w"], ["plain,mc-weekly"]),
        (["completion", "z"], ["plain,zsh"]),
    ],
)
def test_values_are_completed(program: Program, words: list[str], told: list[str]) -> None:
    """Of every kind that the walk of options knows, and fixed ones."""
    assert answered(program, *words) == told


def test_runs_and_plan_files_are_completed_from_the_disk(program: Program) -> None:
    """Nobody is asked: no cloud answers here."""
    assert answered(program, "runs", "show", "") == []
    program("plan", "-g", "rg-dev", "--out", "ring1.json")
    (program.folder / "other.json").write_text("{}")
    program("apply", "ring1.json", "--yes")
    away = {"PATCHMODE_CLOUD": "https://localhost:1"}
    assert answered(program, "runs", "show", "", **away) == ["plain,latest", "plain,RUN"]
    assert answered(program, "rollback", "la", **away) == ["plain,latest"]
    assert answered(program, "report", "--run", "20", **away) == ["plain,RUN"]
    assert answered(program, "apply", "--from-run", "la", **away) == ["plain,latest"]
    assert answered(program, "rollback", "latest", "--from-run", "la", **away) == ["plain,latest"]
    assert answered(program, "apply", "", **away) == ["plain,ring1.json"]
    assert answered(program, "apply", "oth", **away) == ["file,oth"]
    assert answered(program, "verify", "ring", **away) == ["file,ring"]


@pytest.mark.parametrize(
    ("shell", "told"),
    [
        ("zsh", ["plain", "Contoso Development", "55555555-5555-5555-5555-555555555555"]),
        ("fish", ["plain,Contoso Development\t55555555-5555-5555-5555-555555555555"]),
        ("powershell", ["plain", "'Contoso Development'", "55555555-5555-5555-5555-555555555555"]),
    ],
)
def test_each_shell_is_answered_in_its_own_form(program: Program, shell: str, told: list[str]) -> None:
    """zsh and fish quote what they insert; bash and PowerShell insert what they get."""
    assert (
        answered(program, "audit", "-s", "contoso\\ d" if shell != "fish" else "contoso", shell=shell)[: len(told)]
        == told
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"PATCHMODE_CLOUD": "https://localhost:1"},
        {"PATCHMODE_CLOUD": "no such cloud"},
        {"AZURE_CLIENT_SECRET": "wrong"},
        {"AZURE_CLIENT_ID": "", "AZURE_CLIENT_SECRET": "", "AZURE_TENANT_ID": ""},
        {"PATCHMODE_CONFIG": "/nowhere/config.toml"},
        {"PATCHMODE_IDENTITY_FILE": "/nowhere.json"},
        {"PATCHMODE_STATE_DIR": "/proc/nowhere"},
        {"COMP_CWORD": "x"},
        {"COMP_WORDS": 'patchmode "'},
    ],
    ids=" ".join,
)
def test_whatever_is_wrong_the_prompt_stays_clean(program: Program, environment: dict[str, str]) -> None:
    """No traceback, no message, no prompt to sign in, and 0: a shell shows all of it in the line that is typed."""
    around = {"_PATCHMODE_COMPLETE": "bash_complete", "COMP_WORDS": "patchmode\naudit\n-s\n", "COMP_CWORD": "3"}
    for _ in range(2):
        done = program(**{**around, **environment})
        assert (done.code, done.err) == (0, "")


def test_names_are_asked_for_once_in_five_minutes(program: Program, served: Running) -> None:
    """Tab is pressed several times for one word, and Azure allows 15 queries in 5 s."""
    first = answered(program, "plan", "-g", "rg-a")
    away = {"SSL_CERT_FILE": os.devnull, "REQUESTS_CA_BUNDLE": os.devnull}
    assert answered(program, "plan", "-g", "rg-a", **away) == first == ["plain,rg-app"]
    assert answered(program, "plan", "-g", "rg-a", AZURE_CLIENT_ID="another", **away) == []


def test_kept_names_are_private_and_grow_old(tmp_path: Path) -> None:
    keep_names(tmp_path, "k", [("a", "b")], now=1000.0)
    assert read_names(tmp_path, "k", now=1000.0 + KEPT_S) == [("a", "b")]
    assert read_names(tmp_path, "k", now=1000.0 + KEPT_S + 1) is None
    assert read_names(tmp_path, "k", now=999.0) is None
    (path,) = (tmp_path / "completion").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    path.write_text("{")
    assert read_names(tmp_path, "k", now=time.time()) is None
    keep_names(Path("/proc/nowhere"), "k", [], now=0.0)


def test_an_answer_that_never_comes_is_not_waited_for(program: Program) -> None:
    """And the next key pressed does not wait for it again; a while later it is asked for once more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        away = {"PATCHMODE_CLOUD": f"https://localhost:{silent.getsockname()[1]}"}
        assert answered(program, "audit", "-s", "", **away, PATCHMODE_COMPLETION_SECONDS="0.2") == []
    (path,) = (program.folder / "state/completion").iterdir()
    assert json.loads(path.read_text()) == []
    assert time.time() - path.stat().st_mtime > KEPT_S - completing._FAILURE_KEPT_S - 1


# ------------------------------------------------------------------------------------------------ shells


def shell_around(served: Running, folder: Path) -> dict[str, str]:
    own = shell_environment(folder / "bin")
    around = {**unmeasured(clean_environment()), **served.env, **own, "PATCHMODE_STATE_DIR": str(folder / "state")}
    return {**around, "HOME": str(folder), "TERM": "dumb", "PATCHMODE_COMPLETION_SECONDS": "50"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_a_real_bash_inserts_a_name_with_blanks_as_one_word(served: Running, program: Program) -> None:
    environment = shell_around(served, program.folder)
    (program.folder / "rc").write_text(
        program("completion", "bash").out + "PS1='$ '\nbind 'set enable-bracketed-paste off'\n"
    )
    answered(program, "audit", "-s", "")  # asked for already, so that no time is waited for
    bash = pexpect.spawn(
        "bash",
        ["--noprofile", "--rcfile", "rc", "-i"],
        cwd=program.folder,
        env=environment,
        encoding="utf-8",
        dimensions=(24, 200),
    )
    bash.expect_exact("$ ")
    bash.send("printf '[%s]' patchmode")
    bash.send("\x15patchmode audit -s contoso\\ p\t")
    bash.expect_exact("Contoso\\ Production ")
    bash.send("\x15patchmode explain web-01 --peri\t")
    bash.expect_exact("--periodic-assessment ")
    bash.send("\x15exit\n")
    bash.expect(pexpect.EOF)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not here")
def test_a_real_zsh_completes(served: Running, program: Program) -> None:
    environment = shell_around(served, program.folder)
    folder = program.folder / "zfunc"
    folder.mkdir()
    (folder / "_patchmode").write_text(program("completion", "zsh").out)
    (program.folder / ".zshrc").write_text("PS1='$ '\nfpath+=~/zfunc\nautoload -Uz compinit && compinit -u\n")
    answered(program, "audit", "-s", "")
    zsh = pexpect.spawn("zsh", ["-i"], cwd=program.folder, env=environment, encoding="utf-8", dimensions=(24, 200))
    zsh.expect_exact("$ ")
    zsh.send("patchmode audit -s Contoso\\ P\t")
    zsh.expect_exact("roduction")
    zsh.send("\x15exit\n")
    zsh.expect(pexpect.EOF)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not here")
def test_a_real_fish_completes(served: Running, program: Program) -> None:
    environment = shell_around(served, program.folder)
    (program.folder / "p.fish").write_text(program("completion", "fish").out)
    answered(program, "audit", "-s", "")
    done = subprocess.run(
        ["fish", "--no-config", "-c", "source p.fish; complete -C 'patchmode audit -s Contoso'"],
        cwd=program.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[0].startswith("Contoso Development\t")


# ------------------------------------------------------------------------------------------------ the script


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_is_printed_alone(offline: Program, shell: str) -> None:
    """It is redirected into files and evaluated, so nothing else may stand in it."""
    done = offline("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert "_PATCHMODE_COMPLETE" in done.out
    assert f"{shell}_complete" in done.out
    assert offline("completion", shell.upper()).out == done.out


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", ".local/share/bash-completion/completions/patchmode"),
        ("fish", ".config/fish/completions/patchmode.fish"),
    ],
)
def test_it_is_installed_where_the_shell_looks_and_says_so(offline: Program, shell: str, place: str) -> None:
    home = {"HOME": str(offline.folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "BASH_COMPLETION_USER_DIR": ""}
    path = offline.folder / place
    done = offline("completion", shell, "--install", **home)
    assert (done.code, done.out) == (0, "")
    assert f"Wrote FOLDER/{place}; nothing else was changed." in done.err
    assert path.read_text() == offline("completion", shell).out
    assert "is current" in offline("completion", shell, "--install", **home).err
    path.write_text("an older _PATCHMODE_COMPLETE")
    assert "Replaced" in offline("completion", shell, "--install", **home).err
    path.write_text("somebody else's")
    refused = offline("completion", shell, "--install", **home)
    assert refused.code == 12
    assert path.read_text() == "somebody else's"


@pytest.mark.parametrize(("shell", "line"), [("zsh", "fpath+=~/.zfunc"), ("powershell", "Invoke-Expression")])
def test_no_start_up_file_is_edited(offline: Program, shell: str, line: str) -> None:
    """A broken start-up file locks somebody out of their shell; the lines are shown instead."""
    done = offline("completion", shell, "--install", HOME=str(offline.folder))
    assert done.code == 2
    assert "Nothing was changed." in done.err
    assert line in done.err
    assert not [one for one in offline.folder.iterdir() if one.name != "state"]


def test_a_slip_in_the_shell_is_told(offline: Program) -> None:
    assert "Did you mean powershell?" in offline("completion", "power").err


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_the_bash_script_is_bash(offline: Program) -> None:
    script = offline("completion", "bash").out
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


# ------------------------------------------------------------------------------------------- every option, every shell


def completed(shell: str, path: str, param: click.Parameter, begun: str = "") -> list[tuple[str, str]]:
    """Kind and value of what a shell is answered where a value of this parameter stands."""
    made = get_completion_class(shell)
    assert made is not None
    asked = made(main_program, {}, "patchmode", completing.VARIABLE)
    before = [*path.split(), param.opts[-1]] if isinstance(param, click.Option) else path.split()
    answers = [asked.format_completion(one) for one in asked.get_completions(before, begun)]
    if shell == "bash":
        return [(one.split(",", 1)[0], one.split(",", 1)[1]) for one in answers]
    if shell == "fish":
        return [(one.split(",", 1)[0], one.split(",", 1)[1].split("\t")[0]) for one in answers]
    return [(one.split("\n")[0], one.split("\n")[1]) for one in answers]


TAKING = [
    (path, param)
    for path, param in parameters()
    if isinstance(param, click.Option) and not (param.is_flag or param.count)
]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_fixed_value_of_every_option_is_completed_as_it_is_written(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--reboot ifrequired` is taken and is no word of Azure's; each beginning, in any case, finds its value."""
    monkeypatch.setenv("COMP_WORDS", "patchmode")
    walked = 0
    for path, param in TAKING:
        if isinstance(param.type, Fixed):
            walked += 1
            assert completed(shell, path, param) == [("plain", one) for one in param.type.choices], (path, param)
            last = param.type.choices[-1]
            assert ("plain", last) in completed(shell, path, param, last[:2].upper()), (path, param)
    assert walked > 50


def test_every_option_that_takes_a_file_completes_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bash has a function for a command, it offers no file by itself."""
    monkeypatch.setenv("COMP_WORDS", "patchmode")
    kinds = {}
    for path, param in TAKING:
        if re.match(r"(FILE|DIR|FOLDER)", str(param.metavar)):
            (answer,) = completed("bash", path, param, "some")
            kinds[param.opts[-1]] = answer
    assert kinds == {name: ("dir" if name == "--state-dir" else "file", "some") for name in FILE_OPTIONS}


FILE_OPTIONS = {
    "--baseline",
    "--exchanges",
    "--from",
    "--from-log",
    "--identity-file",
    "--ids-file",
    "--notify-file",
    "--out",
    "--profile-file",
    "--state-dir",
}


@pytest.mark.parametrize(
    ("path", "option", "told"),
    [
        ("audit", "--cloud", ["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"]),
        ("audit", "--os", ["windows", "linux"]),
        ("apply", "--exclude-power", ["running", "deallocated", "stopped"]),
        ("schedule attach", "--filter-type", ["vm", "arc"]),
    ],
)
def test_known_words_of_a_free_text_are_completed(path: str, option: str, told: list[str]) -> None:
    (param,) = (param for where, param in TAKING if where == path and param.opts[-1] == option)
    assert [value for _, value in completed("fish", path, param)] == told
