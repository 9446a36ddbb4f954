"""What the product says will become of each machine, against what the emulator's clock then does to it.

The two share no code. The product reads the fleet through its own queries, predicts, and the clock is pushed past each
machine's next window and a month beyond; then the product's own queries tell what was recorded.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import HealthCheck, Phase, given, settings
from tests.examples import LONG, examples
from tests.properties.scheduled_fleets import DOUBTS, Fleet, fleets
from tests.properties.within import Product

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.protocol.throttle import Limits
from patchmode.model.machine import Machine
from patchmode.model.outcome import OutcomeKind
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import FailureKind, Installation, MachineRun, MachineSchedules, RunForecast, Timing
from patchmode.rules.schedules.forecast import forecast, predict
from patchmode.rules.schedules.memberships import ScheduleIndex

FLEETS = examples(120, 2_000)
MONTH = timedelta(days=31)
UNDECIDED = timedelta(days=50)
"""By then a window has come whose day two readings put differently: the generator starts none later."""
STEP = timedelta(days=25)
"""Runs can be read for 30 days, so they are read more often than that."""


@dataclass(slots=True)
class History:
    """All that was recorded of one machine."""

    runs: list[MachineRun] = field(default_factory=list)
    installations: list[Installation] = field(default_factory=list)

    @property
    def first_run(self) -> MachineRun | None:
        """The first; of two at one instant the one of the first configuration by id."""
        return min(self.runs, key=lambda run: (run.started_at, run.configuration.key), default=None)  # type: ignore[union-attr]

    @property
    def patched(self) -> list[Installation]:
        """Installations that succeeded, whoever started them."""
        return [one for one in self.installations if one.status == "Succeeded"]


@dataclass(slots=True)
class Tally:
    """What was compared, so that the test can say that it was worth something."""

    fleets: int = 0
    outcomes: Counter[OutcomeKind] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    woken: int = 0


def emulated(fleet: Fleet) -> Emulator:
    """The fleet in a cloud whose clock moves only when it is pushed."""
    clock = Clock(fleet.now, monotonic=lambda: 0.0)
    document = {"resources": list(fleet.resources)}
    return Emulator(clock=clock, profile=fleet.profile, limits=Limits(is_off=True), fleet=document)


def recorded(emulator: Emulator, product: Product, until: datetime) -> dict[ResourceId, History]:
    """Push the clock to a moment, and read all that was recorded on the way."""
    runs: dict[tuple[ResourceId, str | None], MachineRun] = {}
    installations: dict[tuple[ResourceId, datetime | None], Installation] = {}
    while emulator.clock.now() < until:
        before = emulator.clock.now()
        emulator.clock.advance(min(STEP, until - before))
        new_runs, new_installations = product.recorded(before - timedelta(days=1))
        runs |= {(run.machine, run.correlation_id): run for run in new_runs}
        installations |= {(one.machine, one.started_at): one for one in new_installations}
    found: dict[ResourceId, History] = defaultdict(History)
    for run in runs.values():
        found[run.machine].runs.append(run)
    for one in installations.values():
        found[one.machine].installations.append(one)
    return found


def differences(fleet: Fleet, tally: Tally) -> list[str]:
    """Predict, let time pass, compare; then start what was off and compare what Azure itself patches."""
    emulator = emulated(fleet)
    product = Product(emulator)
    machines = product.machines()
    assert {machine.id.key for machine in machines} == set(fleet.machines)
    book = product.book(tuple({machine.id.subscription_id for machine in machines}))
    index = ScheduleIndex(book, now=fleet.now)
    coming = [hit.next for m in machines for hit in index.schedules_of(m).hits if hit.next.timing is Timing.COMING]
    starts = [one.window.starts_at if one.window is not None else fleet.now + UNDECIDED for one in coming]
    histories = recorded(emulator, product, max([fleet.now, *starts]) + MONTH)
    sleeping, wrong = [], []
    for machine in machines:
        schedules = index.schedules_of(machine)
        outcome = predict(machine.settings, machine, schedules)
        tally.outcomes[outcome.kind] += 1
        if outcome.kind is OutcomeKind.AUTOPATCHED and is_asleep(machine):
            sleeping.append(machine)
        found = difference(outcome.kind, machine, histories[machine.id])
        if outcome.kind is OutcomeKind.UNKNOWN:
            doubts = doubts_about(fleet, machine, schedules)
            tally.doubts.update(doubts)
            found = None if doubts else "nothing doubtful was put into the fleet"
        elif found is None and outcome.kind is OutcomeKind.SCHEDULE_FAILS:
            found = other_reason(fleet, machine, schedules, histories[machine.id])
        found = found or other_windows(schedules, histories[machine.id])
        if found is not None:
            wrong.append(f"{machine.name}: {outcome.kind} ({outcome.reason}), but {found}")
    wrong += wakened(emulator, product, sleeping) if sleeping else []
    tally.woken += len(sleeping)
    tally.fleets += 1
    return wrong


def difference(kind: OutcomeKind, machine: Machine, history: History) -> str | None:
    """What happened otherwise than predicted; None: nothing."""
    starters = {one.started_by for one in history.patched}
    match kind:
        case OutcomeKind.SCHEDULED | OutcomeKind.SCHEDULE_FAILS:
            expected = "Succeeded" if kind is OutcomeKind.SCHEDULED else "Failed"
            ended = history.first_run.status if history.first_run is not None else "absent"
            return None if ended == expected else f"its first run was {ended}"
        case OutcomeKind.AUTOPATCHED:
            expected_starters = set() if is_asleep(machine) else {"Platform"}
            return None if starters == expected_starters else f"it was patched by {starters or 'nobody'}"
        case _:
            return f"it was patched by {starters}" if starters else None


def wakened(emulator: Emulator, product: Product, sleeping: list[Machine]) -> list[str]:
    """Start what was off, and see whether Azure patches it now."""
    wake(emulator, sleeping)
    histories = recorded(emulator, product, emulator.clock.now() + MONTH)
    return [
        f"{machine.name}: autopatched once it runs, but it was not"
        for machine in sleeping
        if {one.started_by for one in histories[machine.id].patched} != {"Platform"}
    ]


def other_reason(fleet: Fleet, machine: Machine, schedules: MachineSchedules, history: History) -> str | None:
    """How the first run's failure differs from the one that was forecast; None: it does not, or is not told."""
    run = history.first_run
    first = next(hit for hit in schedules.certain if hit.next.timing is Timing.COMING)
    if run is None or run.configuration != first.configuration:
        return None
    said = forecast(machine.settings, machine, first)
    if said.rule == "window-too-short" and "failed patch extension" in fleet.machines[machine.id.key]:
        return None  # it fails in any case, and nobody says of which of the two
    expected = {"prerequisite-missing": FailureKind.PREREQUISITE, "window-too-short": FailureKind.WINDOW_EXCEEDED}
    wanted = FailureKind.OFF if said.result is RunForecast.MISSED else expected.get(said.rule or "", run.failure)
    if fleet.profile.run_error_shape == "absent":
        wanted = FailureKind.NOT_TOLD
    return None if run.failure is wanted else f"its first run failed as {run.failure}, not {wanted}"


def other_windows(schedules: MachineSchedules, history: History) -> str | None:
    """What ran on the machine that was not said to reach it, or at another time than told; None: nothing."""
    ran: dict[ResourceId | None, list[datetime | None]] = defaultdict(list)
    for run in history.runs:
        ran[run.configuration].append(run.started_at)
    strangers = ran.keys() - {hit.configuration for hit in schedules.hits}
    if strangers:
        return f"{strangers} ran on it"
    for hit in schedules.certain:
        window = hit.next.window
        if window is None or hit.next.rule is not None:
            continue
        first = min((start for start in ran[hit.configuration] if start is not None), default=None)
        rivals = [other for other in schedules.hits if other is not hit and other.next.window is not None]
        # Of several with one trigger and the same settings only one fires.
        fired = {start for other in rivals for start in ran[other.configuration]}
        if first != window.starts_at and window.starts_at not in fired:
            return f"{hit.configuration.name} ran first at {first}, not at {window.starts_at}"
    return None


def is_asleep(machine: Machine) -> bool:
    """Off, or with an agent that does not answer."""
    around = machine.surroundings
    return (around.power_state or "running") not in {"running", "starting"} or (
        around.agent_status or "Ready"
    ).lower() == "not ready"


def wake(emulator: Emulator, machines: list[Machine]) -> None:
    """Start them: what is loaded without an instance view is on."""
    for machine in machines:
        stored = emulator.state.get(machine.id.key)
        assert stored is not None
        properties = {key: value for key, value in stored.document["properties"].items() if key != "instanceView"}
        emulator.state.put({**stored.document, "properties": properties}, etag=None)


def doubts_about(fleet: Fleet, machine: Machine, schedules: MachineSchedules) -> set[str]:
    """Which of the doubts that were put into the fleet bear on this machine, by what reaches it."""
    own = set(fleet.machines[machine.id.key])
    reaching: set[str] = set()
    for hit in schedules.hits:
        reaching |= fleet.configurations[hit.configuration.key]
        clauses = (hit.clause, *hit.also)
        reaching |= {
            doubt
            for name, doubts in fleet.scopes.items()
            if hit.doubt is not None and any(f"'{name}'" in clause for clause in clauses)
            for doubt in doubts
        }
    starts = Counter(hit.next.window.starts_at for hit in schedules.hits if hit.next.window is not None)
    if any(count > 1 for count in starts.values()):
        reaching.add("same trigger")
    if not schedules.hits:
        own.discard("flexible member")
    if "azure managed" not in own:
        reaching.discard("idle schedule")
    return (own | reaching) & DOUBTS


def test_what_is_predicted_is_what_happens() -> None:
    """Over hundreds of fleets, each with its own answers to what is unconfirmed about Azure."""
    tally = Tally()

    @settings(
        max_examples=FLEETS,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(fleets())
    def compare(fleet: Fleet) -> None:
        assert differences(fleet, tally) == []

    compare()
    machines = tally.outcomes.total()
    assert tally.fleets >= FLEETS
    assert all(tally.outcomes[kind] >= FLEETS / 10 for kind in OutcomeKind), tally
    assert tally.outcomes[OutcomeKind.UNKNOWN] <= 0.35 * machines, tally
    assert tally.doubts.keys() <= DOUBTS, tally
    if LONG:  # what is rare is seen in many fleets only
        assert tally.doubts.keys() == DOUBTS, tally
        assert tally.woken >= FLEETS / 25, tally
