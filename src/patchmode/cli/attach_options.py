"""`--then-attach` of plan and apply: its options.

Must not: attach anything.
"""

from collections.abc import Callable
from typing import Any

import click


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
