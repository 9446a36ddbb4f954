"""`--then-attach` of plan and apply: its options, and the lookup behind them.

Must not: attach anything.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli.settings import Settings

if TYPE_CHECKING:
    from patchmode.model.plan import Plan
    from patchmode.workflow.ports import Azure


def then_attach_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--then-attach` and `--assignment-name` to a command that makes a plan."""
    attach = click.option(
        "--then-attach",
        metavar="ID|NAME",
        help="Then attach this maintenance configuration to each machine whose settings stand and were verified.",
    )
    name = click.option(
        "--assignment-name", metavar="NAME", help="Name of the assignments (default: the configuration's name)."
    )
    return attach(name(function))


def attachment_from(options: dict[str, Any]) -> tuple[str | None, str | None]:
    """Take both options out of a command's options: configuration, and assignment name.

    Raises:
        UsageError: a name of the assignment without a configuration, or one that cannot stand in a resource id.
    """
    from patchmode.errors import UsageError

    configuration, name = options.pop("then_attach"), options.pop("assignment_name")
    if name is not None and configuration is None:
        raise UsageError("--assignment-name means nothing without --then-attach.", advice="Add --then-attach ID|NAME.")
    if name is not None and (not name or set(name) & set("/?#%\\ ")):
        raise UsageError(f"{name!r} is no name of an assignment.", advice="Give letters, digits, - and _.")
    return configuration, name


async def attached(azure: "Azure", plan: "Plan", wanted: tuple[str | None, str | None], settings: Settings) -> "Plan":
    """The plan with the wish to attach, where there is one.

    Raises:
        UsageError, RefusedError: as `attach_wish.with_attachment`.
    """
    configuration, name = wanted
    if configuration is None:
        return plan
    from patchmode.cli import composition
    from patchmode.cli.output import say
    from patchmode.workflow.attach_wish import with_attachment

    return await with_attachment(
        azure,
        plan,
        configuration,
        name=name,
        clock=composition.clock(),
        remark=lambda note: say(f"Note: {note}", settings),
    )
