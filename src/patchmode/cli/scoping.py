"""Scope and settings options and spans of time, as the model's values."""

from datetime import timedelta
from typing import Any

import click
from click.core import ParameterSource

from patchmode.cli.texts import texts_of
from patchmode.errors import EmptyScopeError, NoSelectorError, UsageError
from patchmode.model.nearest import nearest
from patchmode.model.patch_settings import Orchestration, RebootSetting, WantedSettings
from patchmode.model.plan import KEEP
from patchmode.model.scope import OPTION, Filters, IdFile, Scope, Shard, ShardError, Since, SinceError

_SYSTEMS = ("windows", "linux")


def scope_from(options: dict[str, Any]) -> Scope:
    """Take the scope's options out of a command's options.

    Args:
        options: a command's keyword arguments; those of the scope are removed from it.

    Raises:
        UsageError: a filter or a file of ids cannot be understood, or a file cannot be read.
    """
    ids = [text for value in options.pop("ids") for text in _split(value)]
    files, logs = texts_of(options.pop("ids_file"), options.pop("from_log"))
    files += tuple(IdFile(text, tuple(ids_of_run(text)), "--from-run") for text in options.pop("from_run"))
    return Scope(
        subscriptions=options.pop("subscription"),
        management_groups=options.pop("management_group"),
        resource_groups=options.pop("resource_group"),
        ids=(*ids, *(one for file in files for one in file.ids)),
        id_files=files,
        graph_queries=options.pop("graph_query"),
        schedules=options.pop("schedule"),
        failed_since=_since_or_none(options.pop("failed_since")),
        logs=logs,
        everything=options.pop("everything"),
        include=_filters(options, "only_"),
        exclude=_filters(options, "exclude_"),
        shard=_shard_or_none(options.pop("shard")),
    )


def ids_of_run(text: str) -> list[str]:
    """The machines of a run that ended in some ways: `RUN:failed,stale`; of `RUN` alone all that it was asked for.

    Raises:
        UsageError: there is no such run, or no such end. EmptyScopeError: none of its machines ended so. Whether the
            run belongs to the target is seen by `composition.connected`, which knows the target.
    """
    from patchmode.cli import composition
    from patchmode.cli.settings import settings_of
    from patchmode.workflow.run.report import ENDS_TAKEN, machines_of

    run, _, listed = text.partition(":")
    ends = [one.strip() for one in listed.split(",") if one.strip()]
    known = {one.casefold(): one for one in ENDS_TAKEN}
    for end in ends:
        if end.casefold() not in known:
            near = nearest(end, ENDS_TAKEN)
            hint = f" Did you mean {near}?" if near else ""
            raise UsageError(
                f"--from-run: {end!r} is not an end of a machine.", advice=f"Known are {', '.join(ENDS_TAKEN)}.{hint}"
            )
    context = click.get_current_context()
    journal = composition.run_store(settings_of(context)).open(run)
    context.meta.setdefault(composition.RUNS_ASKED, []).append(journal.plan.target)
    try:
        found = machines_of(journal, [known[end.casefold()] for end in ends])
    finally:
        journal.release()
    if not found:
        which = f" that is {' or '.join(ends)}" if ends else ""
        raise EmptyScopeError(
            f"--from-run: run {journal.run} has no machine{which}.",
            advice=f"`patchmode runs show {journal.run}` shows how each ended.",
        )
    return found


def set_ambient_shard_aside(context: click.Context, options: dict[str, Any]) -> None:
    """Forget a shard that only the environment names, where no other option asks for a scope.

    `verify` without a scope means a run, and a run holds its own machines; in a shard's own shell it must still work.

    Args:
        context: the command's.
        options: its scope and settings; `shard` is emptied in place.
    """
    is_ambient = context.get_parameter_source("shard") is ParameterSource.ENVIRONMENT
    if is_ambient and not any(value for name, value in options.items() if name != "shard"):
        options["shard"] = None


def refuse_beside(context: click.Context, options: dict[str, Any], held: str, advice: str) -> None:
    """Refuse a scope, a filter or a setting beside what holds its own: a plan file or a run.

    A filter or a setting alone, too: whoever types one beside a file believes that it narrows what is sent.

    Args:
        context: the command's, which knows how each option is spelled.
        options: the command's scope, settings and waves; empty values were not given.
        held: the begin of the message: what holds its own machines, and what else ("A run holds its own machines").
        advice: what to type instead.

    Raises:
        UsageError: one was given; the message names each as it is spelled.
    """
    given = {name for name, value in options.items() if value}
    if given:
        named = ", ".join(max(param.opts, key=len) for param in context.command.params if param.name in given)
        raise UsageError(
            f"{held} holds its own machines and settings, so it cannot be given with {named}.", advice=advice
        )


def wanted_from(options: dict[str, Any]) -> WantedSettings:
    """Take the settings' options out of a command's options; Customer Managed Schedules where no `--to` is given."""
    to = options.pop("orchestration") or Orchestration.CUSTOMER_MANAGED_SCHEDULES.option
    assessment = options.pop("periodic_assessment")
    reboot = options.pop("reboot")
    return WantedSettings(
        orchestration=None if to == KEEP else next(entry for entry in Orchestration if entry.option == to),
        periodic_assessment=None if assessment is None else assessment == "on",
        reboot=RebootSetting(reboot) if reboot else None,
        hotpatch_off=options.pop("hotpatch") == "off",
        include_scale_set_members=options.pop("include_scale_set_members"),
    )


def require_selector(scope: Scope, command: str) -> None:
    """Refuse a command that may write where the user pointed at nothing.

    Raises:
        UsageError: the scope has no selector.
    """
    if not scope.has_selector:
        raise NoSelectorError(
            f"{command} needs to know which machines.",
            advice="Give --subscription, --resource-group, --ids, --schedule, --failed-since, …, or --all.",
        )


def since_from(text: str, option: str) -> Since:
    """A point in the past as an option gives it.

    Raises:
        UsageError: it is none; the message names the option.
    """
    try:
        return Since.parse(text)
    except SinceError as error:
        raise UsageError(f"{option}: {error}.", advice="For example: 7d, 36h, 2026-11-01.") from error


def _shard_or_none(text: str | None) -> Shard | None:
    try:
        return None if text is None else Shard.parse(text)
    except ShardError as error:
        raise UsageError(
            f"{OPTION}: {error}.", advice="For example 2/8; PATCHMODE_SHARD is read where the option is not given."
        ) from error


def _since_or_none(text: str | None) -> Since | None:
    return None if text is None else since_from(text, "--failed-since")


def _filters(options: dict[str, Any], prefix: str) -> Filters:
    systems = options.pop(f"{prefix}os")
    for name in systems:
        if name.casefold() not in _SYSTEMS:
            near = nearest(name, _SYSTEMS)
            hint = f" Did you mean {near}?" if near else ""
            raise UsageError(f"{name!r} is not an operating system here.", advice=f"Give windows or linux.{hint}")
    return Filters(
        os=systems,
        locations=options.pop(f"{prefix}location"),
        tags=tuple(_tag(text) for text in options.pop(f"{prefix}tag")),
        names=options.pop(f"{prefix}name"),
        power=options.pop(f"{prefix}power"),
    )


def _tag(text: str) -> tuple[str, str | None]:
    key, equals, value = text.partition("=")
    if not key:
        raise UsageError(f"{text!r} is not a tag filter.", advice="Give KEY or KEY=VALUE.")
    return key, value if equals else None


def _split(value: str) -> list[str]:
    """Several ids in one shell word: `--ids "$(az vm list --query '[].id' -o tsv)"`."""
    several = value.split() if value.strip().count("\n") or " /" in value.strip() else [value]
    # JSON, and a shell that keeps them, leave quotation marks around an id; no id begins or ends with one.
    return [one.strip("\"',") if one.lstrip("\"'").startswith("/") else one for one in several]


def wait_from(text: str) -> timedelta:
    """What `--longest-wait` says.

    Raises:
        UsageError: it is not a duration.
    """
    from patchmode.rules.guardrails.limits import seconds_from

    return timedelta(seconds=seconds_from(text, "--longest-wait"))
