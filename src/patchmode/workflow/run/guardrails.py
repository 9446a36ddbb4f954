"""Whether anything more may be sent, and if not, why: stopped, frozen, a failure budget spent, a wave not reached."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Self

from patchmode.errors import RefusedError, UsageError
from patchmode.model.guardrails import Freeze, Halt
from patchmode.model.run import ChangeResult, Result
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.ports.azure import Clock
from patchmode.rules.guardrails.freezes import ends_at, freeze_text, frozen_by

_FAILURES = frozenset(
    {Result.FAILED, Result.UNKNOWN, AttachEnd.FAILED, AttachEnd.UNKNOWN, AttachEnd.MISMATCH},
)


def is_failure(end: ChangeResult | AttachResult) -> bool:
    """What a failure budget counts: a stale machine is a plan that aged, not an operation that fails."""
    return end.result in _FAILURES


_LAST_BIT = 1e-9


@dataclass(frozen=True, slots=True)
class MaxFailures:
    """A failure budget: once it is spent, nothing more is sent, neither settings nor schedules."""

    count: int | None = None
    """>= 1."""
    percent: float | None = None
    """> 0, of the machines that the plan changes, gives a schedule or takes one off: in the whole run, in the wave or
    in the region, whichever the budget is for. Rounded down to whole machines, and at least one: see `allowed`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `N` or `P%`.

        Raises:
            UsageError: it is neither, or not above zero.
        """
        stripped = text.strip()
        try:
            budget = cls(percent=float(stripped[:-1])) if stripped.endswith("%") else cls(count=int(stripped))
        except ValueError:
            budget = cls()
        if not 0 < (budget.count or budget.percent or 0) < float("inf"):
            msg = f"{text!r} is not a failure budget."
            raise UsageError(msg, advice="Give a number above 0, or a percentage such as 5%.")
        return budget

    def allowed(self, machines: int) -> int:
        """How many of so many machines may fail, >= 1: with the last of them the budget is spent.

        A percentage is rounded down, so that no more fail than it says: 5% of 30 machines is one. Where that would be
        none it is one, because a failure is known only once it has happened.
        """
        if self.count is not None:
            return self.count
        # 2.3 * 1000 / 100 must not become 22 by the last bit of a float.
        return max(1, floor((self.percent or 0) * machines / 100 + _LAST_BIT))

    def raised(self, failures: int, machines: int) -> "MaxFailures":
        """The budget that allows as many failures again, after so many among so many machines.

        Args:
            failures: those that it has to allow already.
            machines: what a percentage is of, >= 1.
        """
        allowed = failures + self.allowed(machines)
        return (
            MaxFailures(count=allowed)
            if self.percent is None
            else MaxFailures(percent=float(ceil(allowed * 100 / machines)))
        )

    def __str__(self) -> str:
        return f"{self.count}" if self.count is not None else f"{self.percent:g}%"

    def is_spent(self, failures: int, machines: int) -> bool:
        """Whether so many failures among so many machines use the budget up."""
        return failures >= self.allowed(machines)


@dataclass(frozen=True, slots=True)
class Budgets:
    """What is allowed to fail in a run; None: any number."""

    run: MaxFailures | None = None
    wave: MaxFailures | None = None
    region: MaxFailures | None = None

    @property
    def any(self) -> bool:
        """Whether there is one at all."""
        return any((self.run, self.wave, self.region))


class FailureCount:
    """Failures so far, and which budgets they use up.

    Args:
        budgets: what is allowed.
        machines: of the whole run.
        regions: the region of each machine whose region is known, in lower case.
        earlier: the region of each failure of the run's earlier sessions, None where it is not known.
    """

    def __init__(
        self, budgets: Budgets, *, machines: int, regions: Iterable[str], earlier: Iterable[str | None] = ()
    ) -> None:
        self._budgets = budgets
        self._machines = machines
        self._in_region: Mapping[str, int] = Counter(regions)
        self._in_wave = machines
        self.wave_failures = 0
        self.region_failures: Counter[str] = Counter()
        self.failures = 0
        for region in earlier:
            self.count(region)
        self.wave_failures = 0

    def begin_wave(self, machines: int, failures: int = 0) -> None:
        """Failures count for this wave from now on.

        Args:
            machines: of the wave.
            failures: of the run's earlier sessions in it.
        """
        self._in_wave, self.wave_failures = machines, failures

    def count(self, region: str | None) -> None:
        """One more failure.

        Args:
            region: in lower case; None: not known, so that it counts for no region.
        """
        self.failures += 1
        self.wave_failures += 1
        if region is not None:
            self.region_failures[region] += 1

    def take_back(self, region: str | None) -> None:
        """One failure of an earlier session less; it did not count for this one's wave.

        Args:
            region: as it was counted.
        """
        self.failures -= 1
        if region is not None:
            self.region_failures[region] -= 1

    def left(self) -> list[int]:
        """How many more may fail of all that is under way now: by the run's budget and by the wave's, if there are."""
        run, wave = self._budgets.run, self._budgets.wave
        return [
            *([] if run is None else [run.allowed(self._machines) - self.failures]),
            *([] if wave is None else [wave.allowed(self._in_wave) - self.wave_failures]),
        ]

    def left_in(self, region: str) -> int | None:
        """How many more may fail in a region; None: there is no budget for regions.

        Args:
            region: in lower case.
        """
        budget = self._budgets.region
        return None if budget is None else budget.allowed(self._in_region[region]) - self.region_failures[region]

    def narrowest(self) -> int | None:
        """How many more may fail by the narrowest budget of this moment; None: there is none."""
        regions = (left for region in self._in_region if (left := self.left_in(region)) is not None)
        return min([*self.left(), *regions], default=None)

    @property
    def run_is_spent(self) -> bool:
        """Whether the whole run's budget is used up."""
        budget = self._budgets.run
        return budget is not None and budget.is_spent(self.failures, self._machines)

    @property
    def wave_is_spent(self) -> bool:
        """Whether this wave's budget is used up."""
        budget = self._budgets.wave
        return budget is not None and budget.is_spent(self.wave_failures, self._in_wave)

    def region_is_spent(self, region: str) -> bool:
        """Whether a region's budget is used up."""
        budget = self._budgets.region
        return budget is not None and budget.is_spent(self.region_failures[region], self._in_region[region])


STOPPED = Halt("Stopped", "the run was stopped")
WAVE_NOT_APPLIED = "WaveNotApplied"
"""The code of machines after a wave that showed nothing. No resume applies that wave: only a new plan does."""
PLAN_BROKEN = "PlanBroken"
"""The code of machines whose change is not what the rules make of its document."""
_BY_NEW_PLAN = {
    WAVE_NOT_APPLIED: "Make a new plan: it includes the machines that changed meanwhile.",
    PLAN_BROKEN: "Make a new plan.",
}
"""Code → what to do, where taking the run up changes nothing."""
RESUME = "Resume the run with `patchmode runs resume`."
WAVE_SPENT = Halt("WaveBudgetSpent", "the failure budget of its wave, or of one before, was spent")


def next_step(code: str) -> str:
    """What to do about a machine that had no turn, by the code of what held it back."""
    return _BY_NEW_PLAN.get(code, RESUME)


def check_not_frozen(freezes: Sequence[Freeze], clock: Clock) -> None:
    """Refuse to begin during a freeze.

    Raises:
        RefusedError: one holds now; the message says until when.
    """
    now = clock.now()
    freeze = frozen_by(freezes, now)
    if freeze is not None:
        raise RefusedError(
            f"Nothing was sent: frozen, {freeze_text(freeze, ends_at(freezes, now))}.",
            advice="Wait until it ends, or give --freeze none if this change may break it.",
        )
