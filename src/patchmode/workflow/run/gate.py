"""The gate at the entrance of a run: waves, budgets and freezes; whether anything more may be sent, and if not, why.

Once a halt takes hold nothing more begins; each stage asks once more at the last moment before its request leaves.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from patchmode.model.guardrails import Halt
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.ports.azure import Clock
from patchmode.ports.run import AttachmentEntry, JournalEntry, Step
from patchmode.rules.guardrails.freezes import ends_at, freeze_text, frozen_by
from patchmode.timing import unless
from patchmode.workflow.run.events import AttachmentEnded, Ended, Event, Halted, RunEvents, WaveBegan
from patchmode.workflow.run.guardrails import (
    STOPPED,
    WAVE_NOT_APPLIED,
    WAVE_SPENT,
    Budgets,
    FailureCount,
    is_failure,
)
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.refusals import ALREADY_SET
from patchmode.workflow.run.state import RunState, is_settled
from patchmode.workflow.run.waves import LATER_WAVE, WaveWork

_LOOK_EVERY_S = 1.0
"""The calendar is asked before each request, of which there may be hundreds a second; a freeze has no fractions."""


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
        state: of the run, as it is at any time.
    """

    def __init__(self, budgets: Budgets, state: RunState) -> None:
        self._budget = budgets.wave
        self._state = state
        self._failures = 0
        self._is_spent = False
        self._left_alone = 0
        self._ended_at: datetime | None = None

    def before(self, wave: WaveWork) -> Before:
        """What stands now; every wave before was passed."""
        failures = sum(map(is_failure, self._ends(wave)))
        attachments = (self._state.attachments[one] for one in wave.unchanged if one in self._state.attachments)
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
            if machine_id in self._state.ends:
                yield self._state.ends[machine_id]
            if machine_id in self._state.attached:
                yield self._state.attached[machine_id]


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


class Gate:
    """Opens for one wave after the other, and closes for a region or for all. A reader of the run's events.

    Args:
        state: of the run; reads each event first.
        options: budgets, waves and freezes.
        failures: counts for the run's budgets; it has counted those of earlier sessions.
        refused: machines that are not begun, and why.
        events: is told of each halt and of each wave that begins.
        stop: set from outside when the run shall end.
        clock: the time.
    """

    def __init__(
        self,
        state: RunState,
        options: ApplyOptions,
        failures: FailureCount,
        refused: Mapping[ResourceId, Halt],
        events: RunEvents,
        *,
        stop: asyncio.Event,
        clock: Clock,
    ) -> None:
        self._state = state
        self._options = options
        self._failures = failures
        self._refused = refused
        self._events = events
        self._stop = stop
        self._clock = clock
        self._history = WaveHistory(options.budgets, state)
        self._halt: Halt | None = None
        self._regions: dict[str, Halt] = {}
        self._look_at = clock.monotonic()
        """The calendar is not looked at before."""

    # -------------------------------------------------------------------------------------------- whether, and why not

    @property
    def halts(self) -> Sequence[Halt]:
        """Everything that holds now, but for a stop from outside; empty: nothing does."""
        return ([self._halt] if self._halt else []) + list(self._regions.values())

    def why(self, machine_id: ResourceId) -> Halt | None:
        """What keeps a machine from having its turn; None: nothing does."""
        return self._refused.get(machine_id) or self.halted(machine_id)

    def may_send(self, machine_id: ResourceId) -> bool:
        """Whether a machine may have its turn."""
        return self.why(machine_id) is None

    def halted(self, machine_id: ResourceId | None = None) -> Halt | None:
        """What halts the run, or the machine's region; None: nothing does.

        Args:
            machine_id: None, or one that the plan does not change: its region is not known, so that none holds it.
        """
        if self._options.freezes and self._halt is None and self._clock.monotonic() >= self._look_at:
            self._look_at = self._clock.monotonic() + _LOOK_EVERY_S
            self._look_at_the_calendar()
        if self._halt is not None:
            return self._halt
        if self._stop.is_set():
            return STOPPED
        return self._regions.get(self._state.regions.get(machine_id, "")) if machine_id and self._regions else None

    def held(self, machine_id: ResourceId) -> Halt | None:
        """What a machine that had no turn is told to have been held back by; None: nothing holds it back now."""
        held = self._refused.get(machine_id) or self._state.held_by(machine_id, self.halts)
        return STOPPED if held is None and self._stop.is_set() else held

    # -------------------------------------------------------------------------------------------- budgets and freezes

    def read(self, event: Event) -> None:
        """Count a change or a schedule that failed, and halt where a budget is spent by it."""
        match event:
            case Ended(result) if is_failure(result):
                self._failed(result.id)
            case AttachmentEnded(machine_id, end):
                if machine_id in self._state.retried:
                    # What an earlier session saw fail has a new end, and counts by that.
                    self._failures.take_back(self._state.regions.get(machine_id))
                if is_failure(end):
                    self._failed(machine_id)
            case _:
                pass

    def _failed(self, machine_id: ResourceId) -> None:
        region = self._state.regions.get(machine_id)
        self._failures.count(region)
        self.check_budgets(() if region is None else (region,))

    def check_budgets(self, regions: Iterable[str]) -> None:
        """Halt where a budget is spent: after a failure, and before the first change of a run that is taken up.

        Args:
            regions: whose budgets are looked at, in lower case.
        """
        failures = self._failures
        if failures.run_is_spent:
            told = f"The failure budget is spent ({failures.failures} failed): nothing more is sent."
            self._hold(Halt("FailureBudgetSpent", "the failure budget was spent"), told)
        if failures.wave_is_spent:
            told = f"The wave's failure budget is spent ({failures.wave_failures} failed): nothing more is sent."
            self._hold(WAVE_SPENT, told)
        for region in regions:
            if region not in self._regions and failures.region_is_spent(region):
                because = f"the failure budget of {region} was spent"
                self._regions[region] = Halt("RegionBudgetSpent", because, region=region)
                told = f"{failures.region_failures[region]} failed): nothing more is sent there."
                self._events.tell(Halted(region))
                self._events.remark(f"The failure budget of {region} is spent ({told}")

    def _hold(self, halt: Halt, told: str = "") -> None:
        """Let nothing more be sent, for this reason; the first one stands. `told`: for whoever watches."""
        if self._halt is None:
            self._halt = halt
            self._events.tell(Halted())
            self._events.remark(told)

    def _look_at_the_calendar(self) -> None:
        freezes, now = self._options.freezes, self._clock.now()
        freeze = frozen_by(freezes, now)
        if freeze is not None:
            text = freeze_text(freeze, ends_at(freezes, now))
            told = f"Frozen: {text}. Nothing more is sent; what is under way is followed to its end."
            self._hold(Halt("Frozen", f"the freeze {freeze} began"), told)

    async def halt_when_stopped(self) -> None:
        """Pass the stop from outside on: whoever waits for a turn hears of it at once."""
        await self._stop.wait()
        self._events.tell(Halted())

    # -------------------------------------------------------------------------------------------- wave by wave

    async def opens(self, wave: WaveWork) -> bool:
        """Whether a wave may begin, after the pause where there is one; its failures are counted from then on.

        Args:
            wave: the next one; those before were passed.
        """
        if not self._state.is_left(wave):
            return False
        before = self._history.before(wave)
        self._look_back(before)
        last = self._options.waves.last
        if last is not None and wave.number > last:
            self._hold(Halt(LATER_WAVE, f"wave {last} had ended, the last one asked for"))
        if before.ended_at is not None and not before.is_begun and self.halted() is None:
            await self._rest(wave, before.ended_at)
        if self.halted() is None:
            self._failures.begin_wave(wave.machines, before.failures)
            self.check_budgets(())
        if self.halted() is not None:
            return False
        if wave.of > 1:
            self._events.tell(WaveBegan(wave.number))
            self._events.remark(f"Starting {wave}: {wave.machines:,} machine{'s' * (wave.machines != 1)}.")
        return True

    def _look_back(self, before: Before) -> None:
        failures, rules = before.failures_before, self._options.waves
        if before.is_spent_before:
            self._hold(WAVE_SPENT)
        if before.is_begun:
            return
        if failures > rules.accepted_failures and self._options.max_failures_per_wave is None:
            halt = Halt("WaveHadFailures", f"a wave had ended in which {failures:,} failed")
            told = f"{failures:,} failed so far: the next wave is not started (--max-failures-per-wave allows some)."
            self._hold(halt, told)
        if before.left_alone_before:
            count = f"{before.left_alone_before:,} stale or refused"
            halt = Halt(WAVE_NOT_APPLIED, f"a wave had ended without any machine applied ({count})")
            told = f"No machine of the wave was applied ({count}): the next wave is not started."
            self._hold(halt, told)

    def passed(self, wave: WaveWork) -> None:
        """A wave has ended, now or in an earlier session, or may not begin.

        The waves to come are held where it could not be sent as a whole: what it was to show was not seen.
        """
        unsent = self._state.unsent(wave, self.halted)
        if unsent and not wave.is_last and self.halted() is None:
            halt = Halt("WaveNotSent", f"a wave had ended of which {unsent:,} could not be sent or read")
            told = f"{unsent:,} of this wave could not be sent or read: the next wave is not started."
            self._hold(halt, told)
        self._history.passed(wave)

    async def _rest(self, wave: WaveWork, since: datetime) -> None:
        until = since + timedelta(seconds=self._options.waves.pause_s)
        left_s = (until - self._clock.now()) / timedelta(seconds=1)
        if left_s > 0:
            self._events.remark(f"Pausing before {wave}, until {until:%Y-%m-%d %H:%M:%S}Z.")
            await unless(self._clock.sleep(left_s), self._stop, otherwise=None)
