"""`--max-changes` of apply: its option, and the check before anything is sent.

Must not: decide what is too much; `rules/brakes.py` does.
"""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from patchmode.model.plan import Plan
    from patchmode.rules.brakes import MaxChanges

max_changes_option = click.option(
    "--max-changes",
    metavar="N|P%",
    envvar="PATCHMODE_MAX_CHANGES",
    help="Refuse a plan that would change more machines, or more of the scope "
    "(default: 50% where a scope is applied with --yes and more than 500 machines would change).",
)


def limit_from(text: str | None) -> "MaxChanges | None":
    """What the option says; None: it was not given.

    Raises:
        UsageError: it is neither `N` nor `P%`.
    """
    from patchmode.rules.brakes import MaxChanges

    return None if text is None else MaxChanges.parse(text)


def brake(plan: "Plan", stated: "MaxChanges | None", *, is_watched: bool) -> None:
    """Refuse a plan that would change too much.

    Args:
        plan: before anybody is asked about it.
        stated: what the option says.
        is_watched: whether somebody reviewed the plan, or will be asked about it.

    Raises:
        UnsafeError: it would change more than is allowed.
    """
    from patchmode.rules.brakes import check_blast_radius, limit_for

    check_blast_radius(plan, limit_for(plan, stated, is_watched=is_watched))
