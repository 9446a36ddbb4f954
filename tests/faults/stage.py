"""One small fleet, carried through plan, apply and rollback while a fault strikes, and then to its end without it."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from tests.faults.hooked_journal import Hook, HookedJournal, JournalStep
from tests.faults.one_clock import OneClock, run_leaping, serving
from tests.faults.test_sigkill import CONFIGURATION, TENANT, WITH_SCHEDULE, prepared
from tests.unit.workflow.fleet_double import OTHER_SUBSCRIPTION, SUBSCRIPTION, vm
from tests.unit.workflow.run_doubles import temporary_store

from arm_emulator.app import Emulator
from arm_emulator.faults import Action, FaultPlan, Matcher, Rule
from arm_emulator.profile import Profile
from patchmode.arm.session import connect
from patchmode.errors import PatchmodeError
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Plan
from patchmode.model.run import RunReport
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure
from patchmode.store.journal import Journal
from patchmode.store.runs import RunStore
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.report import report_of
from patchmode.workflow.run.rollback import make_rollback_plan

CHANGED = ("app", "cache", "db", "old", "web")
"""Machines that the plan changes; `old` has no etag and stands in a subscription of its own."""
FOREIGN_WRITE = {"tags": {"owner": "web"}}
"""What somebody else sends: it changes nothing, and is a write all the same."""
WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
LIST = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines"
"""What lists the machines of the larger subscription."""
GROUP_LIST = "*/resourceGroups/web/providers/Microsoft.Compute/virtualMachines"
"""What lists the machines of one group: the watch takes it for many at a time."""
FLEET = {
    "subscriptions": [
        {"subscriptionId": SUBSCRIPTION, "displayName": "Prod", "tenantId": TENANT},
        {"subscriptionId": OTHER_SUBSCRIPTION, "displayName": "Test", "tenantId": TENANT},
    ],
    "resources": [
        vm("app"),
        vm("cache"),
        vm("db"),
        vm("old", etag=False, subscription=OTHER_SUBSCRIPTION),
        vm("web"),
        prepared("right"),
        WITH_SCHEDULE["resources"][-1],
    ],
}


class Phase(StrEnum):
    """When a fault begins to strike."""

    PLAN = "plan"
    APPLY = "apply"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault and where it strikes."""

    phase: Phase
    where: Matcher = field(default_factory=Matcher)
    do: Action = field(default_factory=Action)
    count: int | None = None
    """None: until the run has ended."""
    nth: int | None = None
    operation_s: float = 0.0
    """How long operations take."""
    page: int = 0
    concurrent_write: str = "accepted"
    hook: Hook | None = None
    """What strikes beside the wire: the disk, the clock, another writer."""
    concurrency: int = 64
    sets_clock: timedelta = timedelta(0)
    """How far the wall clock is set forward (or back) once a step of `at_kind` is written down."""
    at_kind: str = ""

    @property
    def is_on_the_journal(self) -> bool:
        """Whether it strikes at the run's journal, and no call."""
        return self.hook is not None or bool(self.at_kind)


@dataclass(slots=True)
class Seen:
    """What came of it."""

    refused: str = ""
    """Why there was no plan, or how the run broke off: the exception's name."""
    state: str = ""
    changes: dict[str, str] = field(default_factory=dict)
    """Machine → its result in the journal, with the error's code: `failed Conflict`."""
    schedules: dict[str, str] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    struck: int = 0
    patches: Counter[str] = field(default_factory=Counter)
    """Machine → PATCHes that were sent before the run was taken up; those without a token that counts are no such."""
    resumed: dict[str, str] = field(default_factory=dict)
    resumed_schedules: dict[str, str] = field(default_factory=dict)
    fleet: dict[str, Any] = field(default_factory=dict)
    """Machine → its document, once the run was taken up without the fault."""
    assignments: frozenset[str] = frozenset()
    renewed: dict[str, Any] = field(default_factory=dict)
    """The same after a new plan, where the run left something to do."""
    renewed_assignments: frozenset[str] = frozenset()
    elapsed_s: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether the run, taken up, left nothing to do."""
        ends = {*self.resumed.values(), *self.resumed_schedules.values()}
        return bool(ends) and not self.unreadable and ends <= {"applied", "attached", "detached", "unchanged"}


def play(strike: Strike | None, *, rollback: bool = False) -> Seen:
    """Let a fault strike, and see what comes of it.

    Args:
        strike: None: nothing disturbs the run.
        rollback: roll the run back as well; a strike in that phase does it anyway.
    """
    is_rollback = rollback or (strike is not None and strike.phase is Phase.ROLLBACK)
    return run_leaping(_play(strike, is_rollback=is_rollback))


async def _play(strike: Strike | None, *, is_rollback: bool) -> Seen:
    options: dict[str, Any] = {"fleet": FLEET, "lro_seconds": strike.operation_s if strike else 0.0}
    if strike is not None:
        options["profile"] = Profile(list_page_size=strike.page, concurrent_write=strike.concurrent_write)
    clock = OneClock()
    async with serving(**options) as (emulator, endpoint), connect(endpoint, read_only=False, clock=clock) as azure:
        with temporary_store() as store:
            seen = await _Stage(emulator, azure, clock, store, strike).act(is_rollback=is_rollback)
        seen.elapsed_s = clock.monotonic()
        return seen


class _Stage:
    def __init__(
        self, emulator: Emulator, azure: Azure, clock: OneClock, store: RunStore, strike: Strike | None
    ) -> None:
        self.emulator, self.azure, self.clock, self.store, self.strike = emulator, azure, clock, store, strike
        self.seen = Seen()

    async def act(self, *, is_rollback: bool) -> Seen:
        try:
            plan = await self._planned()
            if plan is not None and is_rollback:
                plan = await self._rolled_back(plan)
            if plan is not None:
                await self._carried_out(plan)
        finally:
            self._calm()
        if plan is not None:
            await self._taken_up()
        self.seen.fleet, self.seen.assignments = fleet_of(self.emulator)
        if not self.seen.is_whole:
            await self._anew(is_rollback=is_rollback)
        self.seen.renewed, self.seen.renewed_assignments = fleet_of(self.emulator)
        return self.seen

    async def _plan(self) -> Plan:
        return await make_plan(self.azure, Scope(everything=True), WANTED, clock=self.clock, then_attach=CONFIGURATION)

    async def _planned(self) -> Plan | None:
        self._arm(Phase.PLAN)
        try:
            plan = await self._plan()
        except PatchmodeError as error:
            self.seen.refused = type(error).__name__
            return None
        self.seen.unreadable = tuple(sorted(one.id.rpartition("/")[2] for one in plan.unreadable))
        self._arm(Phase.APPLY)
        return plan

    async def _rolled_back(self, plan: Plan) -> Plan:
        await apply_plan(self.store.create(plan), self.azure, ApplyOptions(), clock=self.clock)
        inverse = await self._inverse()
        self._arm(Phase.ROLLBACK)
        return inverse

    async def _inverse(self) -> Plan:
        journal = self.store.open(self.store.list()[0].run, for_writing=True)
        try:
            return await make_rollback_plan(self.azure, journal, allow_azure_managed=True, clock=self.clock)
        finally:
            journal.release()

    async def _carried_out(self, plan: Plan) -> None:
        before = _patches(self.emulator)
        begun = self.store.create(plan)
        journal: Journal | HookedJournal = begun
        if self.strike is not None and self.strike.is_on_the_journal:
            journal = self._hooked(begun, self.strike)
        options = ApplyOptions(concurrency=self.strike.concurrency if self.strike else 64)
        try:
            report = await apply_plan(journal, self.azure, options, clock=self.clock)
        except PatchmodeError as error:
            self.seen.refused = type(error).__name__
            opened = self.store.open()
            report = report_of(opened)
            opened.release()
        self.seen.state = report.state
        self.seen.changes, self.seen.schedules = ends_of(report)
        self.seen.patches = _patches(self.emulator) - before

    def _hooked(self, journal: Journal, strike: Strike) -> HookedJournal:
        async def act(step: JournalStep) -> None:
            if strike.hook is not None:
                await strike.hook(step)
            if step.committed and step.kind == strike.at_kind:
                self.clock.set_by = strike.sets_clock

        return HookedJournal(journal, act, self.azure)

    async def _taken_up(self) -> None:
        journal = self.store.open(for_writing=True)
        report = await apply_plan(journal, self.azure, ApplyOptions(), clock=self.clock)
        self.seen.resumed, self.seen.resumed_schedules = ends_of(report)

    async def _anew(self, *, is_rollback: bool) -> None:
        plan = await (self._inverse() if is_rollback else self._plan())
        await apply_plan(self.store.create(plan), self.azure, ApplyOptions(), clock=self.clock)

    def _arm(self, phase: Phase) -> None:
        strike = self.strike
        if strike is not None and strike.phase is phase and not strike.is_on_the_journal:
            rule = Rule(do=strike.do, match=strike.where, count=strike.count, nth=strike.nth)
            self.emulator.faults.arm(FaultPlan(rules=[rule]))

    def _calm(self) -> None:
        self.seen.struck = sum(rule["struck"] for rule in self.emulator.faults.as_json()["rules"])
        self.emulator.faults.arm(FaultPlan())
        self.emulator.graph.lag_s = 0.0
        self.clock.set_by = timedelta(0)
        for subscription in self.emulator.directory.subscriptions.values():
            subscription.state = "Enabled"


def ends_of(report: RunReport) -> tuple[dict[str, str], dict[str, str]]:
    """Machine → how its change ended, and how its attachment ended; the counts add up to the scope."""
    counts = asdict(report.counts)
    assert counts.pop("verified") <= report.counts.applied
    assert counts.pop("scope") == sum(counts.values())
    changes = {one.id.name: _told(one.result.value, one.error) for one in report.results}
    schedules = {one.id.rpartition("/")[2]: _told(one.result.value, one.error) for one in report.attachments}
    return changes, schedules


def _told(result: str, error: Any) -> str:
    return result if error is None else f"{result} {error.code}"


def fleet_of(emulator: Emulator) -> tuple[dict[str, Any], frozenset[str]]:
    """Each machine's whole document, etag included, and what is attached."""
    machines = {
        one.id.rpartition("/")[2]: {**one.document, "etag": one.etag}
        for one in emulator.state
        if one.type.lower().endswith("/virtualmachines")
    }
    attached = frozenset(
        one.id.lower() for one in emulator.state if one.type.lower().endswith("/configurationassignments")
    )
    return machines, attached


def _patches(emulator: Emulator) -> Counter[str]:
    sent = emulator.ledger.as_json()["requests"]
    return Counter(
        one["path"].rpartition("/")[2]
        for one in sent
        if one["method"] == "PATCH" and one["status"] != 401 and one["requestBody"] != FOREIGN_WRITE
    )
