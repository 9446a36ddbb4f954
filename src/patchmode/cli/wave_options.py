"""`--waves` and `--canary` of plan and apply: their options.

Must not: divide anything; `rules/waves.py` does.
"""

from collections.abc import Callable
from typing import Any, TypedDict

import click

from patchmode.model.waves import WaveRule

MOST_CANARIES = 1000
"""More than that is a wave, and `--waves` makes waves."""


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
        help="Carry out wave by wave: tag:NAME, zone or region; each further one divides the waves before it.",
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
    from patchmode.model.waves import WaveRuleError, wave_rules

    try:
        return {"waves": wave_rules(options.pop("waves")), "canary": options.pop("canary") or 0}
    except WaveRuleError as error:
        raise UsageError(
            f"--waves: {error}.", advice="For example: --waves 'tag:ring=canary|broad' --waves zone"
        ) from error
