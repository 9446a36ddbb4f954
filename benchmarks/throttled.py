"""Apply under Azure's published buckets, on one virtual clock: how close to the buckets' own time a run comes.

Run it with `python -m benchmarks throttled` (5,000 machines, one subscription and region) or `throttled-large`
(100,000 machines in 100 subscriptions, each in 2 regions).

The bound, as issue-tracked: for each subscription the time that its buckets need to let its PATCHes through, and the
longest operation of the last burst. What the requests themselves take on a network is not in it.

Must not: count on the product for the truth. What was sent and what stands is read from the emulator.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, at_most
from benchmarks.stage import client, control, is_as_wanted, machines_of, served, uniform_fleet

REGIONS = ("westeurope", "northeurope")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket: so many at once, and so many more a second."""

    burst: float
    per_second: float

    def seconds_for(self, requests: int) -> float:
        """When the last of so many requests can leave, the bucket being full at 0."""
        return max(0.0, (requests - self.burst) / self.per_second)


WRITES = Bucket(200, 10)
"""Of Resource Manager, for each subscription and principal.

Source: Microsoft's "Understand how Azure Resource Manager throttles requests".
"""
UPDATES = Bucket(1500, 500 / 60)
"""Of Compute, for each subscription and region. Source: Microsoft's "Throttling limits for Compute"."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What the buckets allow."""

    seconds: float
    """For the last PATCH to leave."""
    binds: str
    """Which of the buckets takes that long."""


def bound_of(machines: Mapping[tuple[str, str], int], *, writes: Bucket = WRITES, updates: Bucket = UPDATES) -> Bound:
    """The earliest time at which the last PATCH can leave.

    Args:
        machines: subscription and region → how many are changed there; at least one.
        writes: a subscription's bucket.
        updates: a subscription and region's.
    """
    by_subscription: Counter[str] = Counter()
    for (subscription, _), count in machines.items():
        by_subscription[subscription] += count
    by_writes = max(map(writes.seconds_for, by_subscription.values()))
    by_updates = max(map(updates.seconds_for, machines.values()))
    if by_writes >= by_updates:
        return Bound(by_writes, f"Resource Manager's writes, {writes.burst:g} + {writes.per_second:g}/s")
    return Bound(by_updates, f"Compute's updates, {updates.burst:g} + {updates.per_second * 60:g}/min")


@dataclass(frozen=True, slots=True)
class Case:
    """One fleet and how it is worked on."""

    machines: int
    subscriptions: int = 1
    regions: tuple[str, ...] = REGIONS[:1]
    concurrency: int | None = None
    """As `patchmode apply --concurrency` takes it; None: its default."""
    max_failures: str | None = None
    """As `patchmode apply --max-failures` takes it; None: no failure budget."""
    operation_s: float = 5.0
    """How long each operation takes. Recorded PATCHes: median 5 s."""
    latency_s: float = 0.25
    """How long each request takes, there and back, in virtual time."""
    throttle: str = "azure"
    """As `arm-emulator serve --throttle` takes it."""
    writes: Bucket = WRITES
    updates: Bucket = UPDATES

    @property
    def name(self) -> str:
        """As it stands in the table."""
        many = "subscriptions" if self.subscriptions > 1 else "subscription"
        regions = "regions" if len(self.regions) > 1 else "region"
        budget = f", --max-failures {self.max_failures}" if self.max_failures else ""
        return f"{self.machines:,} machines in {self.subscriptions} {many} × {len(self.regions)} {regions}{budget}"


@dataclass(frozen=True, slots=True)
class Sent:
    """What the emulator saw of an apply."""

    statuses: Counter[int]
    patches: Counter[str]
    """Machine's path → PATCHes that were accepted."""
    places: Counter[tuple[str, str]]
    """Subscription and region → machines."""
    last_s: dict[str, float]
    """Subscription → when its last PATCH arrived, from the begin of the run."""
    as_wanted: int

    @property
    def changed_once(self) -> int:
        """Machines that were PATCHed exactly once."""
        return sum(count == 1 for count in self.patches.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case, carried out."""

    case: Case
    plan: Mapping[str, Any]
    """What `virtual_run` printed."""
    apply: Mapping[str, Any]
    sent: Sent
    bound: Bound = field(init=False)

    def __post_init__(self) -> None:
        bound = bound_of(self.sent.places, writes=self.case.writes, updates=self.case.updates)
        object.__setattr__(self, "bound", bound)

    @property
    def allowed_s(self) -> float:
        """The bound of the whole run."""
        return self.bound.seconds + self.case.operation_s

    @property
    def ratio(self) -> float:
        """The run's time to what is allowed."""
        taken: float = self.apply["clock_s"]
        return taken / self.allowed_s


def carry_out(case: Case, folder: Path) -> Outcome:
    """Plan and apply a case, each as a process of its own, against an emulator on the same clock."""
    fleet = uniform_fleet(folder, case.machines, subscriptions=case.subscriptions, regions=case.regions)
    time_file, plan = folder / "time", folder / "plan.json"
    serving = [sys.executable, "-m", "benchmarks.virtual_emulator", "--fleet", fleet, "--time-file", time_file]
    with served([*serving, "--throttle", case.throttle, "--lro-seconds", str(case.operation_s)]) as ready:
        common = ["--endpoint", ready["endpoint"], "--time-file", time_file, "--plan", plan]
        how = ["--state", folder / "state", "--latency", str(case.latency_s)]
        how += [] if case.concurrency is None else ["--concurrency", str(case.concurrency)]
        how += [] if case.max_failures is None else ["--max-failures", case.max_failures]
        program = [sys.executable, "-m", "benchmarks.virtual_run"]
        planned = json.loads(client(ready, *program, "plan", *common, *how).stdout)
        before = len(control(ready, "requests")["requests"])
        applied = json.loads(client(ready, *program, "apply", *common, *how).stdout)
        return Outcome(case, planned, applied, seen(ready, before))


def seen(ready: dict[str, Any], skip: int) -> Sent:
    """Read what the emulator saw and holds.

    Args:
        ready: its ready line.
        skip: so many requests were before the apply.
    """
    requests = control(ready, "requests")["requests"][skip:]
    machines = machines_of(ready)
    accepted = [one for one in requests if one["method"] == "PATCH" and one["status"] < 300]
    start = datetime.fromisoformat(requests[0]["at"])
    last: dict[str, float] = defaultdict(float)
    for one in accepted:
        subscription = one["path"].split("/")[2]
        last[subscription] = max(last[subscription], (datetime.fromisoformat(one["at"]) - start).total_seconds())
    patched = Counter(one["path"].lower() for one in accepted)
    return Sent(
        statuses=Counter(one["status"] for one in requests),
        patches=patched,
        places=Counter((one["id"].split("/")[2], one["location"]) for one in machines if one["id"].lower() in patched),
        last_s=dict(last),
        as_wanted=sum(is_as_wanted(one) for one in machines),
    )


def rows_of(outcome: Outcome, ratio: float, *, memory_mb: float | None = None) -> list[Row]:
    """The rows of one case.

    Args:
        outcome: what came of it.
        ratio: the bound of the ratio.
        memory_mb: the bound of the peak memory, in 10⁶ bytes; None: there is none.
    """
    case, apply, sent = outcome.case, outcome.apply, outcome.sent
    times = sorted(sent.last_s.values())
    tail = apply["clock_s"] - times[-1]
    spread = f"after {times[-1]:.1f} s" if len(times) == 1 else f"after {times[0]:.1f} to {times[-1]:.1f} s"
    bytes_text = f"{apply['peak_mb']:.0f} MB"
    requests = ", ".join(f"{count:,} {method}" for method, count in sorted(apply["requests"].items()))
    per_change = sum(apply["requests"].values()) / max(1, apply["changes"])
    return [
        at_most(
            f"{case.name}: time to what the buckets allow",
            outcome.ratio,
            ratio,
            digits=3,
            more=f"{apply['clock_s']:.1f} s to {outcome.allowed_s:.1f} s; what binds: {outcome.bound.binds}",
        ),
        Row(
            "of it: the last PATCH of a subscription, and from there to the last verification",
            "",
            f"{spread} (the buckets: {outcome.bound.seconds:.1f} s), then {tail:.1f} s (the operation: "
            f"{case.operation_s:g} s)",
        ),
        at_most("429 answers", sent.statuses[429], 0),
        Row(
            "machines that were PATCHed exactly once, and that are compliant",
            f"{case.machines:,}",
            f"{sent.changed_once:,} and {sent.as_wanted:,} ({apply['verified']:,} verified)",
            sent.changed_once == sent.as_wanted == len(sent.patches) == case.machines,
        ),
        Row("requests of the apply", "", f"{requests} ({per_change:.2f} a machine)"),
        Row("memory at its peak", "", bytes_text)
        if memory_mb is None
        else Row("memory at its peak", f"{memory_mb:g} MB", bytes_text, apply["peak_mb"] <= memory_mb),
        Row(
            "CPU and wall time of the apply, emulator's answers waited for",
            "",
            f"{apply['cpu_s']:.0f} s and {apply['wall_s']:.0f} s",
        ),
        Row(
            "the plan before it: time, memory",
            "",
            f"{outcome.plan['clock_s']:.1f} s, {outcome.plan['peak_mb']:.0f} MB",
        ),
        Row(
            "latency of a request, operations, requests in flight at most",
            "",
            f"{case.latency_s:g} s, {case.operation_s:g} s, {apply['concurrency']}",
        ),
    ]


def one_region(folder: Path) -> Sequence[Row]:
    """5,000 machines in one subscription and region."""
    return rows_of(carry_out(Case(5_000), folder), 1.03)


def with_budget(folder: Path) -> Sequence[Row]:
    """The same with a failure budget, which begins slowly and bounds what is under way."""
    return rows_of(carry_out(Case(5_000, max_failures="5%"), folder), 1.15)


def estate(folder: Path) -> Sequence[Row]:
    """100,000 machines in 100 subscriptions, each in two regions."""
    return rows_of(carry_out(LARGE, folder), 1.10, memory_mb=600)


LARGE = Case(100_000, 100, REGIONS)


def main(machines: int, subscriptions: int, regions: int, concurrency: int = 0, operation_s: float = 5.0) -> None:
    """Print any other case. Concurrency 0 is the default's."""
    import tempfile

    case = Case(machines, subscriptions, REGIONS[:regions], concurrency or None, operation_s=operation_s)
    with tempfile.TemporaryDirectory() as folder:
        for row in rows_of(carry_out(case, Path(folder)), 1.10, memory_mb=600):
            print(row.told())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]), *map(float, sys.argv[5:6]))
