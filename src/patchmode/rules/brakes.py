"""The blast-radius brake: how much of a scope one plan may change before somebody must say that so much is meant.

Must not: know how a plan is carried out; whoever is about to send anything asks here first.
"""

from dataclasses import dataclass
from typing import Self

from patchmode.errors import UnsafeError, UsageError
from patchmode.model.plan import Plan

OPTION = "--max-changes"
UNWATCHED_FLOOR = 500
"""Where nobody looks at a plan, up to so many machines may change whatever the scope is: a small fleet, or a first
ring, is changed as a whole every day."""


@dataclass(frozen=True, slots=True)
class MaxChanges:
    """How many machines may change at most. Exactly one of `count` and `percent` is set."""

    count: int | None = None
    """>= 0."""
    percent: float | None = None
    """0 to 100, of the machines in scope."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `N` or `P%`.

        Raises:
            UsageError: it is neither, is below zero, or above 100 %.
        """
        stripped = text.strip()
        try:
            limit = cls(percent=float(stripped[:-1])) if stripped.endswith("%") else cls(count=int(stripped))
        except ValueError:
            limit = cls()
        is_percent = limit.percent is not None and 0 <= limit.percent <= 100
        if not is_percent and not (limit.count is not None and limit.count >= 0):
            msg = f"{OPTION}: {text!r} is not a limit."
            raise UsageError(
                msg,
                advice="Give a number of machines such as 400, or a part of the scope such as 50%; "
                "PATCHMODE_MAX_CHANGES is read where the option is not given.",
            )
        return limit

    def allows(self, machines: int, scope: int) -> bool:
        """Whether so many machines of so many in scope may change."""
        if self.count is not None:
            return machines <= self.count
        return self.percent is None or machines * 100 <= self.percent * scope

    def __str__(self) -> str:
        return f"{self.count:,}" if self.count is not None else f"{self.percent:g} %"


UNWATCHED = MaxChanges(percent=50)


def limit_for(plan: Plan, stated: MaxChanges | None, *, is_watched: bool) -> MaxChanges | None:
    """The limit that holds for a plan; None: none.

    Args:
        plan: any plan.
        stated: what the user said; it counts alone.
        is_watched: whether somebody reviewed the plan, or is asked about it.
    """
    if stated is not None:
        return stated
    return None if is_watched or plan.touched <= UNWATCHED_FLOOR else UNWATCHED


def check_blast_radius(plan: Plan, limit: MaxChanges | None) -> None:
    """Refuse a plan that would change more of its scope than is allowed.

    What counts is each machine that is written to: its settings, or a schedule put on or taken off.

    Args:
        plan: any plan.
        limit: None allows everything.

    Raises:
        UnsafeError: the advice names the value that would allow it.
    """
    machines, scope = plan.touched, plan.counts["scope"]
    if limit is None or limit.allows(machines, scope):
        return
    # Rounded up, so that it is never told as the limit itself, and can be given as the limit.
    percent = -(-machines * 100 // scope)
    raise UnsafeError(
        f"The plan would change {machines:,} of {scope:,} machines in scope ({percent} %), and the limit is {limit}. "
        "Nothing was sent.",
        advice=f"Is the scope the one you mean? If so much is meant, give {OPTION} "
        f"{machines if limit.count is not None else f'{percent}%'}.",
    )
