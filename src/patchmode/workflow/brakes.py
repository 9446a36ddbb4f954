"""Whether anything more may be sent, and if not, why: stopped, frozen, a budget spent, a wave not reached.

Must not: send, wait or cancel. It is asked before each step, and told what fails.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from patchmode.errors import RefusedError
from patchmode.model.brakes import Halt
from patchmode.model.freeze import Freeze
from patchmode.rules.freeze import ends_at, freeze_text, frozen_by
from patchmode.workflow.budgets import Tally
from patchmode.workflow.ports import Clock

_LOOK_EVERY_S = 1.0
STOPPED = Halt("Stopped", "the run was stopped")
WAVE_NOT_APPLIED = "WaveNotApplied"
"""The code of machines after a wave that showed nothing. No resume applies that wave: only a new plan does."""
PLAN_BROKEN = "PlanBroken"
"""The code of machines whose change is not what the rules make of its document."""
_BY_NEW_PLAN = {
    WAVE_NOT_APPLIED: "Make a new plan: it takes in the machines that changed meanwhile.",
    PLAN_BROKEN: "Make a new plan.",
}
"""Code → what to do, where taking the run up changes nothing."""
RESUME = "Take the run up with `patchmode runs resume`."
WAVE_SPENT = Halt("WaveBudgetSpent", "the failure budget of its wave, or of one before, was spent")


class Brakes:
    """What holds one call of `apply_plan` back.

    Args:
        stop: set from outside when the run shall end.
        tally: the failures so far.
        freezes: during these nothing may be sent.
        clock: the time.
        braked: called once for each brake that takes hold, with its region (None: the whole run) and one sentence.
    """

    def __init__(
        self,
        stop: asyncio.Event,
        tally: Tally,
        *,
        freezes: Sequence[Freeze],
        clock: Clock,
        braked: Callable[[str | None, str], None],
    ) -> None:
        self._stop = stop
        self._tally = tally
        self._freezes = freezes
        self._clock = clock
        self._braked = braked
        self._halt: Halt | None = None
        self._look_at = clock.monotonic()
        """The calendar is not looked at before."""
        self._regions: dict[str, Halt] = {}

    @property
    def is_stopped(self) -> bool:
        """Whether the end was asked for from outside."""
        return self._stop.is_set()

    @property
    def halts(self) -> Sequence[Halt]:
        """Everything that holds now, but for a stop from outside; empty: nothing does."""
        return ([self._halt] if self._halt else []) + list(self._regions.values())

    def why(self, region: str | None = None) -> Halt | None:
        """What keeps a machine from having its turn; None: nothing does.

        Args:
            region: the machine's, in lower case; None: not known, so that no region's brake holds it.
        """
        if self._freezes and self._halt is None and self._clock.monotonic() >= self._look_at:
            self._look_at = self._clock.monotonic() + _LOOK_EVERY_S
            self._look_at_the_calendar()
        if self._halt is not None:
            return self._halt
        if self._stop.is_set():
            return STOPPED
        return None if region is None else self._regions.get(region)

    def hold(self, halt: Halt, told: str = "") -> None:
        """Let nothing more be sent, for this reason; the first one stands.

        Args:
            halt: why.
            told: one sentence for whoever watches; empty: it needs no telling.
        """
        if self._halt is None:
            self._halt = halt
            self._braked(None, told)

    def failed(self, region: str | None) -> None:
        """A change or a schedule failed: count it, and brake where a budget is spent by it.

        Args:
            region: in lower case; None: not known.
        """
        self._tally.count(region)
        self.check(() if region is None else (region,))

    def tried_again(self, region: str | None) -> None:
        """What an earlier session of the run saw fail has a new end, and counts by that.

        Args:
            region: in lower case; None: not known.
        """
        self._tally.take_back(region)

    def check(self, regions: Iterable[str]) -> None:
        """Brake where a budget is spent: after a failure, and before the first change of a run that is taken up.

        Args:
            regions: whose budgets are looked at, in lower case.
        """
        tally = self._tally
        if tally.run_is_spent:
            told = f"The failure budget is spent ({tally.failures} failed): nothing more is sent."
            self.hold(Halt("FailureBudgetSpent", "the failure budget was spent"), told)
        if tally.wave_is_spent:
            told = f"The wave's failure budget is spent ({tally.wave_failures} failed): nothing more is sent."
            self.hold(WAVE_SPENT, told)
        for region in regions:
            if region not in self._regions and tally.region_is_spent(region):
                self._regions[region] = Halt(
                    "RegionBudgetSpent", f"the failure budget of {region} was spent", region=region
                )
                told = f"{tally.region_failures[region]} failed): nothing more goes there."
                self._braked(region, f"The failure budget of {region} is spent ({told}")

    def _look_at_the_calendar(self) -> None:
        now = self._clock.now()
        freeze = frozen_by(self._freezes, now)
        if freeze is not None:
            text = freeze_text(freeze, ends_at(self._freezes, now))
            told = f"Frozen: {text}. Nothing more is sent; what is under way is followed to its end."
            self.hold(Halt("Frozen", f"the freeze {freeze} began"), told)


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
