"""Where a value comes from: command line, environment, config file, default; and what no file may say."""

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Program, Start
from tests.cli.test_help import COMMANDS

from patchmode.cli.configuring import ELSEWHERE, KEYS, settings_in_file, values_in_force
from patchmode.cli.settings import Settings, absorb, settings_of
from patchmode.errors import UsageError

FILE, AROUND, TYPED = "the config file", "the environment", "the command line"
VALUES = {
    "cloud": ("InFile", "Around", "Typed"),
    "identity-file": ("in-file.json", "around.json", "typed.json"),
    "tenant": ("in-file.example", "around.example", "typed.example"),
    "output": ("json", "jsonl", "csv"),
    "no-color": (True, "1", None),
    "no-progress": (True, "1", None),
    "log-format": ("json", "text", "json"),
    "state-dir": ("in-file", "around", "typed"),
    "share": ("10%", "20%", "30%"),
    "throttle-patience": ("1m", "2m", "3m"),
    "longest-wait": ("1d", "2d", "3d"),
    "max-changes": ("1", "2", "3"),
    "notify-file": ("in-file", "around", "typed"),
    "notify-as": ("teams", "slack", "json"),
    "freeze": (["08:00-09:00"], "10:00-11:00", "12:00-13:00"),
}
"""Setting → what the file, the environment and the command line say in turn."""
TAKING = {"longest-wait": "audit"} | dict.fromkeys(("max-changes", "freeze", "notify-file", "notify-as"), "apply")
"""A command that takes a setting that is no global one."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A config file of one's own."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("PATCHMODE_CONFIG", str(path))
    for key in KEYS.values():
        monkeypatch.delenv(key.variable, raising=False)
    settings_in_file.cache_clear()
    yield path
    settings_in_file.cache_clear()


def write(path: Path, **settings: object) -> None:
    lines = (f"{key.replace('_', '-')} = {json.dumps(value)}\n" for key, value in settings.items())
    path.write_text("".join(lines), encoding="utf-8")
    settings_in_file.cache_clear()


def parsed(key: str, *args: str) -> tuple[object, object]:
    """The value of a setting's option and its source, as a command that takes it reads both."""
    command, parent = COMMANDS[TAKING.get(key, "audit")][0], COMMANDS[""][1]
    context = command.make_context(command.name, list(args), parent=parent)
    return context.params[KEYS[key].name], context.get_parameter_source(KEYS[key].name)


@pytest.mark.parametrize("key", KEYS)
def test_the_command_line_goes_before_the_environment_and_this_before_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    source = click.core.ParameterSource
    in_file, around, typed = VALUES[key]
    home.write_text("")
    assert parsed(key)[1] is source.DEFAULT
    write(home, **{key: in_file})
    assert parsed(key) == (tuple(in_file) if isinstance(in_file, list) else in_file, source.DEFAULT_MAP)
    if key != "no-color":  # NO_COLOR is looked at where colours are chosen
        monkeypatch.setenv(KEYS[key].variable, str(around))
        told = {"freeze": (around,), "no-progress": True}.get(key, around)
        assert parsed(key) == (told, source.ENVIRONMENT)
    args = [f"--{key}"] if typed is None else [f"--{key}", str(typed)]
    assert parsed(key, *args)[1] is source.COMMANDLINE


def test_the_file_and_the_environment_hold_the_same_settings() -> None:
    """One list: whoever adds a variable adds a setting, but for a shard, which is one process's and never a file's."""
    variables = {}
    for command, context in COMMANDS.values():
        for param in command.get_params(context):
            if isinstance(param, click.Option) and param.envvar:
                variables[str(param.envvar)] = param.name
    assert variables.pop("PATCHMODE_SHARD") == "shard"
    assert variables | {"NO_COLOR": "no_color"} == {key.variable: key.name for key in KEYS.values()}
    assert set(VALUES) == set(KEYS)


OTHERS = sorted(
    {
        text.lstrip("-")
        for command, context in COMMANDS.values()
        for param in command.get_params(context)
        if isinstance(param, click.Option)
        for text in (*param.opts, *param.secondary_opts)
        if text.startswith("--")
    }
    - set(KEYS)
)


@pytest.mark.parametrize("option", OTHERS)
def test_nothing_that_selects_sets_or_confirms_comes_from_a_file(home: Path, option: str) -> None:
    """A file nobody looks at must neither answer a question nor widen what is written; each option is tried."""
    write(home, **{option: True})
    with pytest.raises(UsageError) as caught:
        parsed("cloud")
    assert caught.value.advice == ELSEWHERE
    assert str(home) in caught.value.message


@pytest.mark.parametrize(
    ("text", "told", "advice"),
    [
        ("outputt = 'json'", "there is no setting 'outputt'", "Did you mean output?"),
        ("throttle_patience = '1m'", "there is no setting 'throttle_patience'", "Did you mean throttle-patience?"),
        ("[audit]\noutput = 'json'", "there is no setting 'audit'", "The settings are cloud"),
        ("output = 'xml'", "output: 'xml' is not one of table", ""),
        ("share = 50", "share is a text in quotes", ""),
        ("share = '500%'", "share: '500%' is not a share of Azure's limits", "--share"),
        ("no-color = 'yes'", "no-color is true or false", ""),
        ("freeze = ['x']", "freeze: --freeze: 'x' is not a time for a freeze", "For example"),
        ("max-changes = 'x'", "max-changes: ", ""),
        ("throttle-patience = 'x'", "throttle-patience: ", "15m"),
        ("share 50%", "is not TOML", "One setting a line"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_place(
    offline: Program, tmp_path: Path, text: str, told: str, advice: str
) -> None:
    """And stops every command but help, which must tell the way out."""
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    done = offline("audit", PATCHMODE_CONFIG=str(path))
    assert done.code == 2
    assert told in done.err
    assert advice in done.err
    assert "wrong.toml" in done.err
    for args in (["--help"], ["audit", "--help"], ["apply", "--help"], ["runs", "show", "--help"], ["--version"]):
        assert offline(*args, PATCHMODE_CONFIG=str(path)).code == 0, args


def test_a_file_that_is_named_must_be_there_and_the_default_one_need_not(offline: Program, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("")
    done = offline("audit", PATCHMODE_CONFIG=str(tmp_path / "mien.toml"))
    assert (done.code, "Did you mean FOLDER/mine.toml?" in done.err) == (2, True)
    assert offline("runs", PATCHMODE_CONFIG="", XDG_CONFIG_HOME=str(tmp_path)).code == 0
    (tmp_path / "patchmode").mkdir()
    (tmp_path / "patchmode/config.toml").write_text("output = 'json'")
    assert offline("runs", PATCHMODE_CONFIG="", XDG_CONFIG_HOME=str(tmp_path)).out.startswith("{")
    assert offline("runs", "list", PATCHMODE_CONFIG="", XDG_CONFIG_HOME=str(tmp_path)).out.startswith("{")


def test_help_shows_the_programs_defaults_and_not_a_files(offline: Program, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("longest-wait = '9d'")
    assert "[default: 45d]" in offline("audit", "--help", PATCHMODE_CONFIG=str(tmp_path / "c.toml")).out


def test_doctor_shows_each_setting_with_where_it_comes_from(start: Start, tmp_path: Path) -> None:
    program = start("small")
    path = tmp_path / "c.toml"
    write(path, share="50%", freeze=["2030-12-20/2031-01-03"])
    done = program(
        "doctor", "-o", "json", "--throttle-patience", "2m", PATCHMODE_CONFIG=str(path), PATCHMODE_LONGEST_WAIT="9d"
    )
    document = json.loads(done.out)
    rows = {key: (row["value"], row["source"]) for key, row in document["settings"].items()}
    assert list(rows) == [*KEYS, "shard", "tracing"]
    assert rows["share"] == ("50%", f"the config file {program.plain(str(path))}")
    assert rows["freeze"] == ("2030-12-20/2031-01-03", f"the config file {program.plain(str(path))}")
    assert rows["longest-wait"] == ("9d", "PATCHMODE_LONGEST_WAIT")
    assert rows["output"] == ("json", "the command line")
    assert rows["throttle-patience"] == ("2m", "the command line")
    assert rows["cloud"] == ("https://ENDPOINT", "PATCHMODE_CLOUD")
    assert rows["max-changes"][1] == "default"
    text = program("doctor", PATCHMODE_CONFIG=str(path)).out
    assert "Config file     FOLDER/c.toml" in text
    assert "share              50%  (the config file FOLDER/c.toml)" in text


@pytest.mark.parametrize("key", KEYS)
def test_doctor_shows_of_each_setting_what_commands_go_by(
    home: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Default, file, environment and, of a global option, the command line: its value and its source."""

    def shown(*args: str) -> tuple[str, str]:
        command, parent = COMMANDS["doctor"]
        context = click.Context(command, parent=parent, obj=Settings())
        context = command.make_context("doctor", list(args), parent=context.parent)
        absorb(context)
        found = {one.setting: one for one in values_in_force(settings_of(context))}
        return found[key].value, found[key].source

    in_file, around, typed = VALUES[key]
    home.write_text("")
    assert shown()[1] == "default"
    write(home, **{key: in_file})
    told = {True: "true"}.get(in_file, in_file) if isinstance(in_file, bool | str) else "; ".join(in_file)
    assert shown() == (told, f"the config file {home}")
    monkeypatch.setenv(KEYS[key].variable, str(around))
    assert shown() == ("true" if in_file is True else around, KEYS[key].variable)
    if key not in TAKING:
        args = [f"--{key}"] if typed is None else [f"--{key}", str(typed)]
        assert shown(*args) == ("true" if typed is None else typed, "the command line")


def test_doctor_shows_each_variable_that_an_option_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever adds an option with a variable adds it to what doctor shows."""
    for command, context in COMMANDS.values():
        for param in command.get_params(context):
            if isinstance(param, click.Option) and param.envvar:
                monkeypatch.setenv(str(param.envvar), "x")
    sources = {one.source for one in values_in_force(Settings())}
    assert {name for name in os.environ if name.startswith("PATCHMODE_") and os.environ[name] == "x"} <= sources


def test_doctor_names_the_state_folder_that_nobody_set(start: Start, tmp_path: Path) -> None:
    """Whoever wants to keep or delete the journals needs its path."""
    done = start("small")("doctor", "-o", "json", PATCHMODE_STATE_DIR="", XDG_STATE_HOME=str(tmp_path))
    row = json.loads(done.out)["settings"]["state-dir"]
    assert (row["value"], row["source"]) == ("FOLDER/patchmode", "default")


def test_a_brake_of_the_file_is_told_kept_and_can_be_lifted(start: Start, tmp_path: Path) -> None:
    """What the file holds back is named before anything is sent, so that nobody wonders; and so is what it allows."""
    program = start("small")
    path = tmp_path / "c.toml"
    write(path, max_changes="1")
    refused = program("apply", "--all", "--yes", PATCHMODE_CONFIG=str(path))
    assert refused.code == 12
    assert "--max-changes 1 (from the config file FOLDER/c.toml)" in refused.err
    lifted = program("apply", "--all", "--yes", "--max-changes", "none", PATCHMODE_CONFIG=str(path))
    assert "config file" not in lifted.err
    assert lifted.code == 0


def test_the_emulators_shell_knows_no_config_file(start: Start) -> None:
    """A real sign-in of the file must not be sent to it."""
    assert start("small").environment["PATCHMODE_CONFIG"] == os.devnull


# ------------------------------------------------------------------------------------------------ az


def az(folder: Path, endpoint: str, **subscription: object) -> dict[str, str]:
    """What az keeps after `az account set`, for a registered cloud."""
    folder.mkdir()
    entry = {
        "id": "55555555-5555-5555-5555-555555555555",
        "name": "Contoso Development",
        "state": "Enabled",
        "isDefault": True,
        "tenantId": "11111111-1111-1111-1111-111111111111",
        "environmentName": "Local",
        **subscription,
    }
    other = {**entry, "id": "22222222-2222-2222-2222-222222222222", "name": "Contoso Production", "isDefault": False}
    (folder / "azureProfile.json").write_text(json.dumps({"subscriptions": [other, entry]}), encoding="utf-8-sig")
    (folder / "clouds.config").write_text(f"[Local]\nendpoint_resource_manager = {endpoint}/\n")
    return {"AZURE_CONFIG_DIR": str(folder)}


def test_the_subscription_chosen_in_az_is_offered_and_never_taken(start: Start, tmp_path: Path) -> None:
    """A command that writes says what it needs, and the whole command that names it, which runs when pasted."""
    program = start("demo")
    environment = az(tmp_path / "az", program.endpoint)
    for args in (["plan", "--out", "a b.json"], ["apply", "--yes"], ["schedule", "attach", "mc-weekly"]):
        done = program(*args, **environment)
        assert done.code == 2
        offer = done.err.splitlines()[-2:]
        assert offer[0].strip().startswith("For the subscription chosen in az, 'Contoso Development' (5555")
        assert shlex.split(offer[1]) == ["patchmode", *args, "-s", "Contoso Development"]
    pasted = program(*shlex.split(program("plan", **environment).err.splitlines()[-1])[1:], **environment)
    assert pasted.code == 10
    assert "dev-01" in pasted.out
    assert "web-01" not in pasted.out


def test_an_audit_without_a_scope_reads_everything_and_says_how_to_ask_for_one(start: Start, tmp_path: Path) -> None:
    program = start("demo")
    done = program("audit", "-o", "jsonl", **az(tmp_path / "az", program.endpoint))
    assert "web-01" in done.out
    assert "Every subscription that you can see was read." in done.err
    assert done.err.splitlines()[-1].strip() == "patchmode audit -o jsonl -s 'Contoso Development'"
    assert "az" not in program("audit", "-g", "rg-app", "-o", "jsonl", **az(tmp_path / "az2", program.endpoint)).err


@pytest.mark.parametrize(
    "subscription",
    [{"environmentName": "AzureCloud"}, {"environmentName": ""}, {"isDefault": False}, {"id": None, "name": None}],
)
def test_a_choice_for_another_cloud_or_none_is_not_offered(
    offline: Program, tmp_path: Path, subscription: dict[str, object]
) -> None:
    environment = az(tmp_path / "az", "https://localhost:1", **subscription)
    done = offline("plan", PATCHMODE_CLOUD="https://elsewhere.example", **environment)
    assert (done.code, "chosen in az" in done.err) == (2, False)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"subscriptions": [1]}', b"\xff\xfe"])
def test_a_profile_that_cannot_be_read_is_no_fault(offline: Program, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "azureProfile.json").write_bytes(content)
    done = offline("plan", AZURE_CONFIG_DIR=str(tmp_path))
    assert done.code == 2
    assert done.err.endswith("or --all.\n  Help: patchmode plan --help\n") or "or --all." in done.err


def test_two_subscriptions_of_one_name_are_told_apart_by_id(offline: Program, tmp_path: Path) -> None:
    environment = az(tmp_path / "az", "", environmentName="AzureCloud", name="Contoso Production")
    done = offline("plan", **environment)
    assert done.err.splitlines()[-1].strip() == "patchmode plan -s 55555555-5555-5555-5555-555555555555"
