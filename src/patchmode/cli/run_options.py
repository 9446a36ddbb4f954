"""What holds a run back, its waves and its schedule, as the options of the commands and the environment say it."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypedDict

import click
from click.core import ParameterSource

from patchmode.cli.choices import SCHEDULE
from patchmode.model.guardrails import MOST_CANARIES, NAMES, RunGuardrails, option_name
from patchmode.model.plan import WaveRule

if TYPE_CHECKING:
    from patchmode.model.guardrails import KeptFreeze
    from patchmode.model.plan import Plan
    from patchmode.rules.guardrails.limits import MaxChanges


NONE = "none"
"""Lifts a brake: a budget, a freeze, a pause, a limit, also one of the environment or of the run that is resumed."""


def brakes_from(context: click.Context, options: dict[str, Any], share: str | None) -> RunGuardrails:
    """What a new run is held back by, taken out of a command's options.

    Args:
        context: the command's.
        options: its keyword arguments; those that hold a run back are removed from it.
        share: of Azure's limits, as the global options have it.

    Raises:
        UsageError: a value cannot be understood. RefusedError: a freeze names no zone that could be kept.
    """
    given, names, around = asked_on_resume(context, options, share)
    sources = {name: text for name, text in around.sources.items() if name not in names}
    values = {name: getattr(given if name in names else around, name) for name in NAMES}
    return RunGuardrails(**values, sources=sources)


def asked_on_resume(
    context: click.Context, options: dict[str, Any], share: str | None
) -> tuple[RunGuardrails, Collection[str], RunGuardrails]:
    """What a call says of a run's brakes: typed, the names of what was typed, and what only the environment says.

    Args, Raises: as `brakes_from`.
    """
    found = {name: options.pop(name) for name in NAMES if name in options} | {"share": share}
    sources = {name: _source(context, name) for name in found}
    typed = {name for name, source in sources.items() if source is ParameterSource.COMMANDLINE}
    ambient = {name for name, source in sources.items() if source in _AMBIENT}
    given = RunGuardrails(**{name: _value(name, found[name]) for name in typed})
    around = RunGuardrails(
        **{name: _value(name, found[name]) for name in ambient},
        sources={name: _origin(context, name, sources[name]) for name in ambient if found[name]},
    )
    for brakes in (given, around):
        _check(brakes)
    return given, typed, around


def _value(name: str, value: Any) -> Any:
    if name == "freeze":
        return _freezes(tuple(text for text in value if text.strip().casefold() != NONE))
    if value is None or (isinstance(value, str) and value.strip().casefold() == NONE):
        return None
    if name in {"throttle_patience", "wave_pause"}:
        from patchmode.rules.guardrails.limits import seconds_from

        return seconds_from(value, option_name(name))
    return value.strip() if isinstance(value, str) else value


def _freezes(texts: tuple[str, ...]) -> "tuple[KeptFreeze, ...]":
    from patchmode.workflow.run.options import freezes_kept

    return freezes_kept(texts) if texts else ()


def _check(brakes: RunGuardrails) -> None:
    """Refuse what cannot be understood before anything is read."""
    from patchmode.workflow.run.options import options_of

    options_of(brakes)
    limit_from(brakes.max_changes)


def _source(context: click.Context, name: str) -> ParameterSource | None:
    """Where an option's value comes from; a global one may stand before the command."""
    places: list[click.Context] = []
    place: click.Context | None = context
    while place is not None:
        places.append(place)
        place = place.parent
    sources = [one.get_parameter_source(name) for one in places]
    order = (ParameterSource.COMMANDLINE, *_AMBIENT)
    return next((one for one in order if one in sources), None)


_AMBIENT = (ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
"""Where a value comes from that nobody typed for this command: the environment, and the config file behind it."""


def _origin(context: click.Context, name: str, source: ParameterSource | None) -> str:
    """The environment variable of an option, or the config file, in words."""
    if source is ParameterSource.DEFAULT_MAP:
        from patchmode.cli.configuring import source_in_words

        return source_in_words()
    found = next(param.envvar for param in context.command.params if param.name == name)
    return str(found)


def limit_from(text: str | None) -> "MaxChanges | None":
    """What `--max-changes` says; None: it was not given.

    Raises:
        UsageError: it is neither `N` nor `P%`.
    """
    from patchmode.rules.guardrails.limits import MaxChanges

    return None if text is None else MaxChanges.parse(text)


def brake(plan: "Plan", stated: str | None, *, is_watched: bool) -> None:
    """Refuse a plan that would change too much.

    Args:
        plan: before anybody is asked about it.
        stated: what `--max-changes` says.
        is_watched: whether somebody reviewed the plan, or will be asked about it.

    Raises:
        UnsafeError: it would change more than is allowed.
    """
    from patchmode.rules.guardrails.limits import check_blast_radius, limit_for

    check_blast_radius(plan, limit_for(plan, limit_from(stated), is_watched=is_watched))


class Waves(TypedDict):
    """Both, as `make_plan` takes them."""

    waves: tuple[WaveRule, ...]
    canary: int


def wave_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--waves` and `--canary` to a command that makes a plan."""
    waves = click.option(
        "--waves",
        multiple=True,
        metavar="KEY[=A|B|C]",
        help="Apply wave by wave: tag:NAME, zone or region; each further one divides the waves before it.",
    )
    canary = click.option(
        "--canary",
        type=click.IntRange(1, MOST_CANARIES),
        metavar="N",
        help="N machines before all others, spread over subscriptions, regions and systems.",
    )
    return waves(canary(function))


def waves_from(options: dict[str, Any]) -> Waves:
    """Take both options out of a command's options.

    Raises:
        UsageError: `--waves` says no way to divide machines.
    """
    from patchmode.errors import UsageError
    from patchmode.model.plan import WaveRuleError, wave_rules

    try:
        return {"waves": wave_rules(options.pop("waves")), "canary": options.pop("canary") or 0}
    except WaveRuleError as error:
        raise UsageError(
            f"--waves: {error}.", advice="For example: --waves 'tag:ring=canary|broad' --waves zone"
        ) from error


def then_attach_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--then-attach` and `--assignment-name` to a command that makes a plan."""
    attach = click.option(
        "--then-attach",
        type=SCHEDULE,
        metavar="ID|NAME",
        help="Then attach this maintenance configuration to each machine whose settings were verified.",
    )
    name = click.option(
        "--assignment-name", metavar="NAME", help="Name of the assignments (default: the configuration's name)."
    )
    return attach(name(function))


def attachment_from(options: dict[str, Any]) -> tuple[str | None, str | None]:
    """Take both options out of a command's options: configuration, and assignment name.

    Raises:
        UsageError: a name of the assignment without a configuration, or one that cannot be part of a resource id.
    """
    from patchmode.errors import UsageError

    configuration, name = options.pop("then_attach"), options.pop("assignment_name")
    if name is not None and configuration is None:
        raise UsageError("--assignment-name needs --then-attach.", advice="Add --then-attach ID|NAME.")
    if name is not None and (not name or set(name) & set("/?#%\\ ")):
        raise UsageError(f"{name!r} is not a valid assignment name.", advice="Give letters, digits, - and _.")
    return configuration, name
