"""Between two waves: whether the next one may begin, and the pause before it.

Must not: carry a wave out, or count failures; it reads the tally and holds the brakes.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from patchmode.model.brakes import Halt
from patchmode.workflow.brakes import WAVE_NOT_APPLIED, WAVE_SPENT, Brakes
from patchmode.workflow.budgets import Tally
from patchmode.workflow.ports import Clock
from patchmode.workflow.wave_history import Before
from patchmode.workflow.wave_work import WaveWork

LATER_WAVE = "LaterWave"
"""The code of machines whose wave was not asked for: nothing went wrong."""


@dataclass(frozen=True, slots=True)
class WaveRules:
    """What is asked of a wave before the next one begins."""

    pause_s: float = 0.0
    """From the end of one to the beginning of the next."""
    last: int | None = None
    """Counted from 1: those after it are not begun. None: all are."""
    accepted_failures: int = 0
    """So many failures in the waves before do not hold up the next one: somebody said yes to going on."""


class WaveGate:
    """Opens for one wave after the other.

    Args:
        rules: what is asked.
        brakes: asked, and held where a wave may not begin.
        tally: the failures of the wave before.
        may_fail: whether the next one begins after failures too, as long as no budget is spent.
        clock: the time.
        stop: ends a pause.
        remark: one line for whoever watches.
    """

    def __init__(
        self,
        rules: WaveRules,
        brakes: Brakes,
        tally: Tally,
        *,
        may_fail: bool,
        clock: Clock,
        stop: asyncio.Event,
        remark: Callable[[str], None],
    ) -> None:
        self._rules = rules
        self._brakes = brakes
        self._tally = tally
        self._may_fail = may_fail
        self._clock = clock
        self._stop = stop
        self._remark = remark

    async def opens(self, wave: WaveWork, before: Before) -> bool:
        """Whether a wave may begin, after the pause where there is one; its failures are counted from then on.

        Args:
            wave: the next one that has anything to do.
            before: what is known of it and of the waves before.
        """
        self._look_back(before)
        last = self._rules.last
        if last is not None and wave.number > last:
            self._brakes.hold(Halt(LATER_WAVE, f"wave {last} had ended, the last one asked for"))
        if before.ended_at is not None and not before.is_begun and self._brakes.why() is None:
            await self._rest(wave, before.ended_at)
        if self._brakes.why() is None:
            self._tally.begin_wave(wave.machines, before.failures)
            self._brakes.check(())
        if self._brakes.why() is not None:
            return False
        if wave.of > 1:
            self._remark(f"Begins {wave}: {wave.machines:,} machine{'s' * (wave.machines != 1)}.")
        return True

    def _look_back(self, before: Before) -> None:
        failures = before.failures_before
        if before.is_spent_before:
            self._brakes.hold(WAVE_SPENT)
        if before.is_begun:
            return
        if failures > self._rules.accepted_failures and not self._may_fail:
            halt = Halt("WaveHadFailures", f"a wave had ended in which {failures:,} failed")
            told = f"{failures:,} failed so far: the next wave is not begun (--max-failures-per-wave allows some)."
            self._brakes.hold(halt, told)
        if before.left_alone_before:
            count = f"{before.left_alone_before:,} stale or refused"
            halt = Halt(WAVE_NOT_APPLIED, f"a wave had ended without any machine applied ({count})")
            told = f"A wave was left without any machine applied ({count}): the next one is not begun."
            self._brakes.hold(halt, told)

    def left_unsent(self, wave: WaveWork, unsent: int) -> None:
        """Hold the waves to come where this one could not be sent as a whole: what it was to show was not seen.

        Args:
            wave: the one that has ended, now or in an earlier session.
            unsent: its machines that had their turn and were not sent, or of which nobody could see what was.
        """
        if unsent and not wave.is_last and self._brakes.why() is None:
            halt = Halt("WaveNotSent", f"a wave had ended of which {unsent:,} could not be sent or looked at")
            told = f"{unsent:,} of this wave could not be sent or looked at: the next one is not begun."
            self._brakes.hold(halt, told)

    async def _rest(self, wave: WaveWork, since: datetime) -> None:
        until = since + timedelta(seconds=self._rules.pause_s)
        left_s = (until - self._clock.now()) / timedelta(seconds=1)
        if left_s <= 0:
            return
        self._remark(f"Pauses before {wave}, until {until:%Y-%m-%d %H:%M:%S}Z.")
        sleeping = asyncio.ensure_future(self._clock.sleep(left_s))
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            stopping.cancel()
