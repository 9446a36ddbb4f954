"""How much of a scope one plan may change unasked, how many machines at a time; spans of time and shares as typed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Self

from patchmode.errors import UnsafeError, UsageError
from patchmode.model.plan import Plan
from patchmode.model.scope import Since, SinceError

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
LARGE_CHANGE = 50
"""From so many machines on, a form begins with canaries and a failure budget."""


class Precautions(NamedTuple):
    """What a form begins with; whoever fills it in may take it away."""

    canary: int = 0
    """0: none."""
    max_failures: str = ""
    """`P%`; empty: none."""


def precautions_for(machines: int) -> Precautions:
    """The canaries and the failure budget that a change begins with where it is made in a form.

    Five canaries are enough to see a failure that all machines share, and few enough to be mended by hand. The budget
    is a percentage: a count that suits fifty machines would stop a fleet at its first locked resource group, and would
    hold it to as many machines at a time.

    Args:
        machines: that were chosen, >= 0.
    """
    return Precautions(5, "5%") if machines >= LARGE_CHANGE else Precautions()


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


def most_under_way(asked: int | None, *, begins_slowly: bool, succeeded: int, left: Iterable[int] = ()) -> int | None:
    """How many machines may be under way now; None: any number.

    A slow start lets one more be under way for each machine that succeeded, so that the width doubles with each round
    of machines that all succeed: 1, 2, 4, 8. A failure does not narrow it; it uses up the budget, which does.

    Args:
        asked: what was asked for by name, >= 1; it goes before everything else, and a budget may then be overrun.
        begins_slowly: whether the run has a failure budget or canaries.
        succeeded: machines that came to their verified end in this session, >= 0.
        left: how many more may fail, of each budget that holds for all that is under way; 0 or less: it is spent.
    """
    if asked is not None:
        return asked
    bounds = [max(0, one) for one in left]
    if begins_slowly:
        bounds.append(1 + succeeded)
    return min(bounds, default=None)


def pace_text(asked: int | None, *, begins_slowly: bool, left: int | None, machines: int) -> str:
    """One sentence on how fast a run goes and how much may fail, for whoever watches; empty: nothing is special.

    Args:
        asked: what was asked for by name.
        begins_slowly: whether the run has a failure budget or canaries.
        left: how many more may fail by the narrowest budget; None: there is none.
        machines: how many the run has still to touch.
    """
    if machines <= 1:
        return ""
    if asked is not None:
        if left is None or asked <= 1:
            return ""
        most = min(machines, left - 1 + asked)
        return (
            f"--concurrency {asked}: as many may be under way when a failure is seen, so up to {most:,} may fail "
            f"although the failure budget allows {left:,}."
        )
    if left == 1:
        return (
            "One machine at a time, because the failure budget allows 1 failure. "
            "--concurrency N goes faster, and then more may fail."
        )
    if not begins_slowly:
        return ""
    bound = "" if left is None else f", up to the {left:,} that may fail"
    return f"Starting with 1 machine under way; each that succeeds adds 1{bound}."


def seconds_from(text: str, option: str) -> float:
    """A span of time in seconds, > 0.

    Args:
        text: a number of minutes, hours, days or weeks.
        option: as messages call it.

    Raises:
        UsageError: it is none.
    """
    try:
        span = Since.parse(text).ago
    except SinceError:
        span = None
    if span is None:
        raise UsageError(
            f"{option}: {text!r} is not a duration.",
            advice="A number of minutes, hours, days or weeks: 15m, 1h, 1d, 1w.",
        )
    return span / timedelta(seconds=1)


_PERCENTAGE = re.compile(r"(?P<number>\d{1,9}(\.\d{1,9})?)\s*%", re.ASCII)


def share_from(text: str | None) -> float:
    """A share of Azure's limits as a part of 1.

    Args:
        text: as it was typed; None: all of them.

    Raises:
        UsageError: it is not a percentage, or not above 0 and up to 100.
    """
    if text is None:
        return 1.0
    match = _PERCENTAGE.fullmatch(text.strip())
    percent = float(match["number"]) if match else 0.0
    if not 0 < percent <= 100:
        msg = f"{text!r} is not a share of Azure's limits."
        raise UsageError(msg, advice="Give --share a percentage above 0 and up to 100, such as 50%.")
    return percent / 100
