"""Taking a run up again: what is left, what is in force, and what somebody must say yes to first.

Failures count for the whole run. A run whose budget is spent goes on only after a yes that names what failed, and with
a budget that allows more.

Must not: ask or send; the faces ask, `applying` sends.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar

from patchmode.errors import RefusedError
from patchmode.model.guardrails import NAMES, RunGuardrails
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, HeldMachines, RunSummary
from patchmode.model.schedule import AttachResult
from patchmode.ports.run import AttachmentEntry, JournalEntry, RunJournal, Step
from patchmode.workflow.run.gate import Before, WaveHistory
from patchmode.workflow.run.guardrails import FailureCount, MaxFailures, is_failure
from patchmode.workflow.run.not_begun import rolled_back_changes, rolled_back_schedules
from patchmode.workflow.run.options import options_of
from patchmode.workflow.run.state import RunState
from patchmode.workflow.run.waves import WaveWork, waves_of

Entry = TypeVar("Entry", JournalEntry, AttachmentEntry)
OPEN_STATES = frozenset({"running", "interrupted", "stopped"})
"""Of runs that have not done with all their machines."""


class ReadJournal(RunJournal, Protocol):
    """A journal that was opened for reading."""

    def release(self) -> None:
        """Close it. Safe to repeat."""
        ...


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason why a run does not go on by itself."""

    because: str
    """A sentence."""
    option: str = ""
    """The field of `RunGuardrails` that would have to be raised; empty: none would."""
    raised: str = ""
    """Its value that allows as many failures again."""


def rolled_back_by(runs: Iterable[RunSummary], run: str) -> list[RunSummary]:
    """The runs that took back what a run did, as far as they sent anything, in the order given."""
    return [one for one in runs if one.rollback_of == run and one.sent]


def rolled_back_in_part(runs: Iterable[RunSummary], run: str) -> Mapping[ResourceId, str]:
    """Machine → the run that rolled it back, and not the whole run with it; a resume leaves these alone."""
    return {machine: back.run for back in rolled_back_by(runs, run) for machine in back.only}


def rolled_back_whole(runs: Iterable[RunSummary], run: str) -> str | None:
    """The first run that rolled a whole run back, so that it is not taken up again; None: none did."""
    return next((back.run for back in rolled_back_by(runs, run) if not back.only), None)


def check_not_rolled_back(runs: Iterable[RunSummary], run: str) -> None:
    """Refuse to go on with a run that was rolled back whole: it would set again what somebody took back.

    One of which only some machines were rolled back goes on with the others.

    Args:
        runs: every run of the state folder.
        run: the id of the one that is to be taken up.

    Raises:
        RefusedError: it was.
    """
    back = rolled_back_whole(runs, run)
    if back is not None:
        raise RefusedError(
            f"Run {run} was rolled back by run {back}: resuming would apply again what was rolled back. "
            "Nothing was sent.",
            advice="Make a new plan for the machines that are to be changed after all.",
        )


class Interrupted:
    """A run that may be taken up, as its journal stands.

    Args:
        journal: read once, when this is made.
        rolled_back: machine → the run that rolled it back since; nothing is left to do there.
    """

    def __init__(self, journal: RunJournal, rolled_back: Mapping[ResourceId, str] | None = None) -> None:
        entries, attachments = journal.entries(), journal.attachments()
        changes = {one.id: one for one in rolled_back_changes(entries, rolled_back or {})}
        schedules = {one.id: one for one in rolled_back_schedules(attachments, entries, rolled_back or {})}
        self.left_alone: Sequence[ResourceId] = sorted({*changes, *map(ResourceId.parse, schedules)}, key=str)
        """Machines that something would be left to do on if they had not been rolled back."""
        self._state = RunState(
            journal.plan,
            [_ended(one, changes.get(one.change.id)) for one in entries],
            [_ended(one, schedules.get(str(one.id))) for one in attachments],
        )
        self.kept = journal.brakes
        """What it was begun with; None: an earlier version began it, which did not write that down."""

    @cached_property
    def failures(self) -> Sequence[tuple[ResourceId, ChangeResult | AttachResult]]:
        """What counts against a budget, all sessions together: machine and end, in plan order."""
        found: list[tuple[ResourceId, ChangeResult | AttachResult]] = [*self._state.ends.items()]
        found += self._state.retried.items()
        return [one for one in found if is_failure(one[1])]

    @property
    def under_way(self) -> int:
        """Changes that may have been sent and whose end is not known: they are looked at, whatever may be written."""
        return sum(one.step in {Step.INTENDED, Step.STARTED} for one in self._state.entries)

    @cached_property
    def left(self) -> int:
        """Changes that have not ended for good."""
        return len(self._state.entries) - len(self._state.ends)

    @cached_property
    def schedules_left(self) -> int:
        """Schedules that have not ended and may still be attached or taken off."""
        return sum(map(self._state.is_to_attach, self._state.attachments))

    @cached_property
    def machines_left(self) -> Set[ResourceId]:
        """Machines that the run has not done with."""
        changes = {one.change.id for one in self._state.entries if one.change.id not in self._state.ends}
        return changes | set(filter(self._state.is_to_attach, self._state.attachments))

    @property
    def left_in(self) -> Mapping[str, int]:
        """Machines that something is left to do on, by subscription id in lower case."""
        return Counter(one.subscription_id for one in self.machines_left)

    @property
    def has_work(self) -> bool:
        """Whether a resume has anything to do."""
        return bool(self.left or self.schedules_left)

    def needs_yes(self, in_force: RunGuardrails) -> Sequence[Objection]:
        """Why somebody must be asked before the run goes on; empty: nobody must.

        Args:
            in_force: what would hold it back from now on.
        """
        if not self.has_work:
            return ()
        if self.kept is not None:
            return self.objections(self.kept) or self.objections(in_force)
        if not self.failures:
            return self.objections(in_force)
        count = len(self.failures)
        told = f"{count:,} failed, and the version that began this run did not write its failure budget down."
        return (Objection(told), *self.objections(in_force))

    def objections(self, brakes: RunGuardrails) -> Sequence[Objection]:
        """What these brakes say against sending anything more; empty: nothing."""
        found = [self._by_run(brakes), self._by_wave(brakes), self._by_region(brakes)]
        return [one for one in found if one is not None]

    def _tally(self, brakes: RunGuardrails) -> FailureCount:
        earlier = [self._state.regions.get(machine_id) for machine_id, _ in self.failures]
        budgets, regions = options_of(brakes).budgets, self._state.regions.values()
        return FailureCount(budgets, machines=len(self._state.machines), regions=regions, earlier=earlier)

    def _by_run(self, brakes: RunGuardrails) -> Objection | None:
        tally = self._tally(brakes)
        if not tally.run_is_spent:
            return None
        budget = MaxFailures.parse(brakes.max_failures or "")
        machines = len(self._state.machines)
        because = f"The failure budget is spent: {tally.failures:,} failed, and --max-failures is {budget}."
        return Objection(because, "max_failures", str(budget.raised(tally.failures, machines)))

    def _by_region(self, brakes: RunGuardrails) -> Objection | None:
        """Where nothing is left but in regions whose budget is spent; the others go on by themselves."""
        tally = self._tally(brakes)
        spent = sorted(region for region in set(self._state.regions.values()) if tally.region_is_spent(region))
        left = {region for one, region in self._state.regions.items() if one not in self._state.ends}
        if not left or not left <= set(spent):
            return None
        budget = MaxFailures.parse(brakes.max_failures_per_region or "")
        in_region = Counter(self._state.regions.values())
        counts = [(tally.region_failures[one], in_region[one]) for one in spent]
        worst = max(counts) if budget.count is not None else max(counts, key=lambda one: one[0] / one[1])
        raised = budget.raised(*worst)
        because = f"The failure budget of {', '.join(spent)} is spent, and --max-failures-per-region is {budget}."
        return Objection(because, "max_failures_per_region", str(raised))

    def _by_wave(self, brakes: RunGuardrails) -> Objection | None:
        options = options_of(brakes)
        history = WaveHistory(options.budgets, self._state)
        worst = 0, 1
        for wave in waves_of(self._state.plan, self._state.entries, self._state.attachments):
            before = history.before(wave)
            # By number or by part of the wave, whichever the budget is of: the first counts where there is none.
            if (brakes.max_failures_per_wave or "").endswith("%"):
                worst = max(worst, (before.failures, max(1, wave.machines)), key=lambda one: one[0] / one[1])
            else:
                worst = max(worst, (before.failures, max(1, wave.machines)))
            if self._state.is_left(wave):
                return self._wave_objection(brakes, before, wave, worst)
            history.passed(wave)
        return None

    def _wave_objection(
        self, brakes: RunGuardrails, before: Before, wave: WaveWork, worst: tuple[int, int]
    ) -> Objection | None:
        option = "max_failures_per_wave"
        if brakes.max_failures_per_wave is not None:
            budget = MaxFailures.parse(brakes.max_failures_per_wave)
            if not (before.is_spent_before or budget.is_spent(before.failures, wave.machines)):
                return None
            because = f"The failure budget of a wave is spent, and --max-failures-per-wave is {budget}."
            return Objection(because, option, str(budget.raised(*worst)))
        if before.is_begun or before.failures_before <= brakes.accepted_failures:
            return None
        because = f"{before.failures_before:,} failed in the waves before {wave}, which is not begun after failures."
        return Objection(because, option, str(MaxFailures(count=worst[0] + 1)))


def _ended(entry: Entry, result: Any) -> Entry:
    return entry if result is None else replace(entry, step=Step.ENDED, result=result)


def machines_held(
    plan: Plan, runs: Sequence[RunSummary], open_journal: Callable[[str], ReadJournal]
) -> Sequence[HeldMachines]:
    """The open runs that hold machines of a plan, the newest first; empty: none does.

    Args:
        plan: about to be carried out by a run of its own.
        runs: of the state folder, oldest first.
        open_journal: opens one for reading.
    """
    touched = {change.id for change in plan.changes} | {one.id for one in plan.first_detach}
    touched |= {one.id for one in plan.unchanged} if plan.then_attach else set()
    found = []
    for one in reversed(runs):
        if one.state not in OPEN_STATES or one.target is None or not one.target.same_as(plan.target):
            continue
        journal = open_journal(one.run)
        try:
            held = len(touched & Interrupted(journal).machines_left)
        finally:
            journal.release()
        if held:
            found.append(HeldMachines(one.run, one.state, held))
    return found


def in_force(
    kept: RunGuardrails | None, given: RunGuardrails, names: Collection[str], around: RunGuardrails
) -> RunGuardrails:
    """What holds a run back from now on.

    Args:
        kept: what it was begun with; None: that is not known.
        given: what the options of this call say; it replaces what the run keeps.
        names: the fields that were given, be it to lift a brake.
        around: what the environment says; it adds and tightens, and lifts nothing.
    """
    base = kept or RunGuardrails()
    found = {name: getattr(given if name in names else base, name) for name in NAMES}
    sources = {name: text for name, text in base.sources.items() if name not in names}
    sources |= {name: text for name, text in given.sources.items() if name in names}
    for name in NAMES:
        here = getattr(around, name)
        if name in names or not here:
            continue
        tightened = _tightened(name, found[name], here)
        if tightened != found[name]:
            found[name] = tightened
            sources[name] = around.sources.get(name, "the environment")
    return RunGuardrails(**found, accepted_failures=base.accepted_failures, sources=sources)


def _tightened(name: str, kept: Any, here: Any) -> Any:
    if name == "freeze":
        return (*kept, *(one for one in here if one not in kept))
    if name == "share" and kept:
        return min(kept, here, key=lambda text: float(text.strip().rstrip("% ")))
    return kept or here


def agreed(brakes: RunGuardrails, run: Interrupted) -> RunGuardrails:
    """The brakes after somebody was told what failed and said yes: what is spent is raised by as much again."""
    raised: dict[str, Any] = {one.option: one.raised for one in run.objections(brakes) if _is_set(brakes, one.option)}
    sources = {**brakes.sources, **dict.fromkeys(raised, "your confirmation")}
    return replace(brakes, **raised, accepted_failures=len(run.failures), sources=sources)


def _is_set(brakes: RunGuardrails, option: str) -> bool:
    # After failures in a wave without a budget the yes alone is enough; no budget comes into being by it.
    return bool(option) and getattr(brakes, option) is not None
