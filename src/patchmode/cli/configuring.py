"""Where an option's value comes from: command line, environment, config file, default, in this order.

The file holds how patchmode works on this computer, never what it works on or whether it asks: what a command selects,
sets or confirms stands on its command line (docs/decisions/0022).
Must not: read the file before a value of it is asked for, so that help needs none.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from patchmode.cli.settings import Settings, state_folder
from patchmode.errors import PatchmodeError, UsageError

if TYPE_CHECKING:
    from patchmode.model.report import SettingValue

VARIABLE = "PATCHMODE_CONFIG"
"""Names the file; where it is not set, the platform's own place for it is looked at."""
ADDRESS = "PATCHMODE_NOTIFY_URL"
"""Holds the address of a web hook, which is a secret; it goes before the file of `--notify-file`."""


@dataclass(frozen=True, slots=True)
class Key:
    """A setting that the file may hold."""

    name: str
    """Of the option's value among a command's parameters."""
    default: str
    """What holds where nothing says otherwise, in words."""
    variable: str = ""
    """The environment variable that overrides the file."""
    kind: type = str
    """`str`, `bool`, or `list`: a text or several."""


KEYS: Mapping[str, Key] = {
    "cloud": Key("cloud", "AzureCloud", "PATCHMODE_CLOUD"),
    "identity-file": Key("identity_file", "none: az login, or what azure-identity finds", "PATCHMODE_IDENTITY_FILE"),
    "tenant": Key("tenant", "the credential's own", "PATCHMODE_TENANT"),
    "output": Key("output", "table, or json with --query", "PATCHMODE_OUTPUT"),
    "no-color": Key("no_color", "false", "NO_COLOR", bool),
    "no-progress": Key("no_progress", "false", "PATCHMODE_NO_PROGRESS", bool),
    "log-format": Key("log_format", "text", "PATCHMODE_LOG_FORMAT"),
    "state-dir": Key("state_dir", "the platform's user state folder", "PATCHMODE_STATE_DIR"),
    "share": Key("share", "100%", "PATCHMODE_SHARE"),
    "throttle-patience": Key("patience", "15m", "PATCHMODE_THROTTLE_PATIENCE"),
    "longest-wait": Key("longest_wait", "45d", "PATCHMODE_LONGEST_WAIT"),
    "max-changes": Key("max_changes", "50%, of a scope with --yes and more than 500 changes", "PATCHMODE_MAX_CHANGES"),
    "notify-file": Key("notify_file", "none: no notice is sent", "PATCHMODE_NOTIFY_FILE"),
    "notify-as": Key("notify_as", "auto", "PATCHMODE_NOTIFY_AS"),
    "freeze": Key("freeze", "none", "PATCHMODE_FREEZE", list),
}
"""Key of the file, which is the option without its hyphens → the setting."""
_BY_NAME = {key.name: text for text, key in KEYS.items()}
ELSEWHERE = "It is given on the command line only, where everyone sees what a command selects, sets or confirms."


class FileDefaults(dict[str, Any]):
    """The file's settings as click looks for defaults: by a parameter's name, read when the first is asked for."""

    def __getitem__(self, name: str) -> Any:
        return settings_in_file()[_BY_NAME[name]]

    def __contains__(self, name: object) -> bool:
        return name in _BY_NAME and _BY_NAME[str(name)] in settings_in_file()

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping; a name that is not one of the settings, such as a command's, reads nothing."""
        if name not in self:
            return default
        return self[name]


def config_path() -> Path:
    """The file that is read, whether or not it is there."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_config_path("patchmode", appauthor=False) / "config.toml"


@cache
def settings_in_file() -> Mapping[str, Any]:
    """The settings of the file, each checked; empty: there is no file.

    Raises:
        UsageError: it cannot be read, names what is no setting, or holds a value that is none.
    """
    path = config_path()
    if not os.environ.get(VARIABLE) and not path.exists():
        return {}
    from patchmode.store.config_file import read_config

    found = read_config(path)
    return {key: _checked(key, value, path) for key, value in found.items()}


def source_in_words() -> str:
    """The file as a message names it."""
    return f"the config file {config_path()}"


def _checked(key: str, value: Any, path: Path) -> Any:
    if key not in KEYS:
        raise _not_a_setting(key, path)
    kind = KEYS[key].kind
    if kind is list:
        values = [value] if isinstance(value, str) else value
        fits = isinstance(values, list) and all(isinstance(one, str) for one in values)
        value = tuple(values) if fits else None
    elif not isinstance(value, kind):
        value = None
    if value is None:
        shape = {str: "a text in quotes", bool: "true or false", list: "a text in quotes, or a list of them"}[kind]
        raise UsageError(f"{path}: {key} is {shape}.", advice=f"{_PAGE}")
    try:
        _parse(key, value)
    except (PatchmodeError, click.UsageError) as error:
        message = error.message.rstrip(".")
        raise UsageError(f"{path}: {key}: {message}.", advice=getattr(error, "advice", "") or _PAGE) from error
    return value


_PAGE = "docs/reference/configuration.md lists the settings."


def _parse(key: str, value: Any) -> None:
    """Refuse a value that the option would refuse, while it is known that it came from the file."""
    from patchmode.cli.options import FORMATS
    from patchmode.cli.run_options import NONE, limit_from

    match key:
        case "share":
            _ = Settings(share=value).share_of_limits
        case "output" | "log-format" | "notify-as":
            from patchmode.cli.choices import Fixed
            from patchmode.cli.logs import LOG_FORMATS
            from patchmode.cli.notifying import NOTICE_KINDS

            values = {"output": FORMATS, "log-format": LOG_FORMATS, "notify-as": NOTICE_KINDS}[key]
            Fixed(values).convert(value, None, None)
        case "throttle-patience" | "longest-wait":
            from patchmode.rules.guardrails.limits import seconds_from

            seconds_from(value, key)
        case "max-changes" if value.strip().casefold() != NONE:
            limit_from(value)
        case "freeze":
            from patchmode.rules.guardrails.freezes import freezes_from
            from patchmode.timing import local_zone

            freezes_from(tuple(one for one in value if one.strip().casefold() != NONE), local_zone())
        case _:
            pass


def _not_a_setting(key: str, path: Path) -> UsageError:
    from patchmode.model.nearest import nearest, plain

    options = {plain(name) for name in _every_option()}
    if plain(key) in options and plain(key) not in {plain(name) for name in KEYS}:
        return UsageError(f"{path}: {key} is not a setting of the config file.", advice=ELSEWHERE)
    near = nearest(key, list(KEYS))
    hint = f"Did you mean {near}? " if near else ""
    known = ", ".join(KEYS)
    return UsageError(f"{path}: there is no setting {key!r}.", advice=f"{hint}The settings are {known}.")


def _every_option() -> Iterator[str]:
    """Every option of every command, without its hyphens; asked only where a file holds what is no setting."""
    from patchmode.cli.main import program

    waiting: list[click.Command] = [program]
    while waiting:
        command = waiting.pop()
        context = click.Context(command)
        yield from (text.lstrip("-") for param in command.get_params(context) for text in _spellings(param))
        if isinstance(command, click.Group):
            below = (command.get_command(context, name) for name in command.list_commands(context))
            waiting += [one for one in below if one is not None]


def _spellings(param: click.Parameter) -> tuple[str, ...]:
    return (*param.opts, *param.secondary_opts)


def values_in_force(settings: Settings) -> "tuple[SettingValue, ...]":
    """Every setting of the file with its value in force and where that comes from, for `doctor`.

    Args:
        settings: of this command; what it does not take itself is told as other commands would have it.
    """
    from patchmode.model.report import SettingValue

    found = []
    in_file = settings_in_file()
    for text, key in KEYS.items():
        around = os.environ.get(key.variable) if key.variable else None
        if text == "notify-file" and os.environ.get(ADDRESS):
            value, source = "an address, which is not shown", ADDRESS
        elif key.name in settings.typed:
            value, source = _told(getattr(settings, key.name)), "the command line"
        elif around:
            value, source = "true" if key.kind is bool else around, key.variable
        elif text in in_file:
            value, source = _told(in_file[text]), source_in_words()
        else:
            value, source = key.default, "default"
            if text == "state-dir":  # a user who looks for the journals needs the path
                value = str(state_folder(settings))
        found.append(SettingValue(text, value, source))
    from patchmode.arm.tracing import tracing

    spans = tracing()
    return (*found, _shard(), SettingValue("tracing", spans.told, spans.source))


def _shard() -> "SettingValue":
    """No file says it, and a process whose environment does changes only a part of what it is asked for."""
    from patchmode.model.report import SettingValue

    context, around = click.get_current_context(silent=True), os.environ.get("PATCHMODE_SHARD")
    if context is not None and context.get_parameter_source("shard") is ParameterSource.COMMANDLINE:
        return SettingValue("shard", str(context.params["shard"]), "the command line")
    return SettingValue("shard", around or "none: the whole scope", "PATCHMODE_SHARD" if around else "default")


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "; ".join(value) if isinstance(value, tuple) else str(value)


# ------------------------------------------------------------------------------------------------ az


def az_folder() -> Path:
    """Where az keeps its own state."""
    return Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")


def az_choice(settings: Settings) -> tuple[str, str] | None:
    """The subscription chosen in az for this cloud: what `-s` takes, and what to call it; None: there is none."""
    from patchmode.store.config_file import AZURE_CLOUD, az_subscription

    found = az_subscription(az_folder(), settings.cloud or AZURE_CLOUD)
    if found is None:
        return None
    subscription, is_alone = found
    return (subscription.name if is_alone else subscription.id), f"{subscription.name!r} ({subscription.id})"


def az_offer(settings: Settings, args: "list[str]") -> str:
    """The command for the subscription that is chosen in az, as a sentence; empty: none is chosen for this cloud.

    It is offered and not taken: what a command writes to is to be seen on its command line.

    Args:
        settings: the cloud is looked at.
        args: the command as it was typed, without the program's name.
    """
    chosen = az_choice(settings)
    if chosen is None:
        return ""
    from shlex import join

    value, called = chosen
    return f"For the subscription chosen in az, {called}:\n    {join(['patchmode', *args, '-s', value])}"


def tell_az_choice(settings: Settings) -> None:
    """Say on standard error how to ask about the subscription alone that is chosen in az; nothing where none is."""
    from patchmode.cli.output import say_lines

    if offer := az_offer(settings, sys.argv[1:]):
        say_lines([f"Every subscription that you can see was read. {offer}"], settings)
