"""The waves of a run: what belongs to each, what is known of those before, and whether the next may begin."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from patchmode.model.guardrails import Halt
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.ports.azure import Clock
from patchmode.ports.run import AttachmentEntry, JournalEntry, Step
from patchmode.workflow.run.attach import is_settled
from patchmode.workflow.run.guardrails import (
    WAVE_NOT_APPLIED,
    WAVE_SPENT,
    Budgets,
    FailureCount,
    StopConditions,
    is_failure,
)
from patchmode.workflow.run.refusals import ALREADY_SET


@dataclass(frozen=True, slots=True)
class WaveWork:
    """What is carried out together."""

    number: int
    """Counted from 1."""
    of: int
    """How many there are; 1 where the plan has no waves."""
    name: str
    """Empty where the plan has no waves."""
    entries: tuple[JournalEntry, ...]
    """Its changes, in plan order."""
    unchanged: tuple[ResourceId, ...]
    """Machines as wanted that get the plan's schedule."""

    @property
    def machines(self) -> int:
        """How many machines it touches."""
        return len(self.entries) + len(self.unchanged)

    @property
    def is_last(self) -> bool:
        """Whether none comes after it."""
        return self.number == self.of

    def __str__(self) -> str:
        return f"wave {self.number} of {self.of}, {self.name}"


def waves_of(plan: Plan, entries: Sequence[JournalEntry], attached: Collection[ResourceId]) -> Iterator[WaveWork]:
    """The waves of a plan in their order; everything as one where it has none.

    Args:
        plan: whose changes `entries` are.
        entries: one for each change, in plan order.
        attached: machines that the plan attaches a schedule to.
    """
    same = [one.id for one in plan.unchanged if one.id in attached]
    if not plan.waves:
        yield WaveWork(1, 1, "", tuple(entries), tuple(same))
        return
    changing, attaching = iter(entries), iter(same)
    for number, wave in enumerate(plan.waves, start=1):
        ours = tuple(islice(changing, wave.changes)), tuple(islice(attaching, wave.unchanged))
        yield WaveWork(number, len(plan.waves), wave.name, *ours)


def asked_for(last: int | None, waves: Iterable[WaveWork]) -> Set[ResourceId]:
    """The machines of the waves up to the last one asked for.

    Args:
        last: counted from 1; None: no wave was named, so none is left to a later session.
        waves: of the run.
    """
    ours = (one for one in waves if last is None or one.number <= last)
    return {machine for one in ours for machine in (*(entry.change.id for entry in one.entries), *one.unchanged)}


@dataclass(frozen=True, slots=True)
class Before:
    """What stands when a wave may begin."""

    failures: int = 0
    """In the wave itself, from an earlier session."""
    failures_before: int = 0
    """In the waves before it."""
    is_spent_before: bool = False
    """Whether one of those used its failure budget up."""
    left_alone_before: int = 0
    """Machines that were stale or refused, in waves before it in which none was applied."""
    is_begun: bool = False
    """Whether an earlier session sent something of the wave."""
    ended_at: datetime | None = None
    """When the waves before it came to an end; None: there is none, or nothing of them was done."""


class WaveHistory:
    """Adds up, wave by wave in their order.

    Args:
        budgets: the wave's is looked at.
        changes: what has ended, as it stands at any time.
        attachments: machine → its attachment, as it was when this session began.
        attached: what of attaching has ended, as it stands at any time.
    """

    def __init__(
        self,
        budgets: Budgets,
        changes: Mapping[ResourceId, ChangeResult],
        attachments: Mapping[ResourceId, AttachmentEntry],
        attached: Mapping[ResourceId, AttachResult],
    ) -> None:
        self._budget = budgets.wave
        self._changes = changes
        self._attachments = attachments
        self._attached = attached
        self._failures = 0
        self._is_spent = False
        self._left_alone = 0
        self._ended_at: datetime | None = None

    def before(self, wave: WaveWork) -> Before:
        """What stands now; every wave before was passed."""
        failures = sum(map(is_failure, self._ends(wave)))
        attachments = (self._attachments[one] for one in wave.unchanged if one in self._attachments)
        is_begun = any(map(_had_its_turn, wave.entries)) or any(map(_had_its_turn, attachments))
        return Before(failures, self._failures, self._is_spent, self._left_alone, is_begun, self._ended_at)

    def passed(self, wave: WaveWork) -> None:
        """Add a wave up that was carried out, or had been before."""
        ends = list(self._ends(wave))
        failures = sum(map(is_failure, ends))
        self._failures += failures
        self._is_spent |= self._budget is not None and self._budget.is_spent(failures, wave.machines)
        if not any(map(_is_applied, ends)):
            self._left_alone += sum(map(_was_left_alone, ends))
        times = [one.ended_at for one in ends if one.ended_at is not None]
        self._ended_at = max([*times, *([self._ended_at] if self._ended_at else [])], default=None)

    def _ends(self, wave: WaveWork) -> Iterator[ChangeResult | AttachResult]:
        for machine_id in (*(entry.change.id for entry in wave.entries), *wave.unchanged):
            if machine_id in self._changes:
                yield self._changes[machine_id]
            if machine_id in self._attached:
                yield self._attached[machine_id]


def _had_its_turn(entry: JournalEntry | AttachmentEntry) -> bool:
    """Whether a machine was touched or looked at; to one that ended as not sent it happens only now."""
    is_unsent = entry.result is not None and entry.result.result in {Result.NOT_SENT, AttachEnd.NOT_SENT}
    return entry.step is not Step.PENDING and not is_unsent


def _is_applied(end: ChangeResult | AttachResult) -> bool:
    return end.is_fine if isinstance(end, AttachResult) else end.result is Result.APPLIED


def _was_left_alone(end: ChangeResult | AttachResult) -> bool:
    """Whether a machine is not as wanted though nothing failed, and no resume of the run would touch it."""
    if isinstance(end, AttachResult):
        return end.result is AttachEnd.REFUSED or is_settled(end)
    return end.result is Result.STALE and not (end.error is not None and end.error.code == ALREADY_SET)


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
        brakes: StopConditions,
        tally: FailureCount,
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
