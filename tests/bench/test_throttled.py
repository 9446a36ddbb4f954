"""The harness of the throttled benchmarks: its bound, its clock for two processes, and what it reads from the emulator.

No figure of the product is held to a bound here, and no wall time is looked at.
"""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from benchmarks.shared_clock import SharedTime, run_on
from benchmarks.throttled import REGIONS, Bound, Case, Outcome, Sent, bound_of, carry_out, rows_of
from tests.faults.one_clock import LeapingLoop


@pytest.mark.parametrize(
    ("machines", "seconds", "binds"),
    [
        ({("a", "x"): 5_000}, 480.0, "Resource Manager's writes, 200 + 10/s"),
        ({("a", "x"): 200}, 0.0, "Resource Manager's writes, 200 + 10/s"),
        # Two regions share the subscription's writes; another subscription has its own.
        ({("a", "x"): 500, ("a", "y"): 500, ("b", "x"): 900}, 80.0, "Resource Manager's writes, 200 + 10/s"),
        # 10 a second beside 500 a minute: the provider's burst of 1,500 is used up after so many.
        ({("a", "x"): 12_000}, 1260.0, "Compute's updates, 1500 + 500/min"),
    ],
)
def test_the_bound_is_the_slower_bucket(machines: dict[tuple[str, str], int], seconds: float, binds: str) -> None:
    """The published figures, worked out by hand."""
    bound = bound_of(machines)
    assert bound.seconds == pytest.approx(seconds)
    assert bound.binds == binds


def test_time_is_shared_and_leaps(tmp_path: Path) -> None:
    """What the loop leapt stands in the file, where another process reads it, and the next loop goes on from there."""
    time, other = SharedTime(tmp_path / "time"), SharedTime(tmp_path / "time")

    async def hours() -> None:
        assert isinstance(asyncio.get_running_loop(), LeapingLoop)
        await asyncio.sleep(7200)

    run_on(time, hours)
    assert other.read() == pytest.approx(7200)
    run_on(time, hours, after_s=60)
    assert other.read() == pytest.approx(14460)


def test_two_processes_on_one_clock_keep_to_the_buckets(tmp_path: Path) -> None:
    """Product and emulator, each a program: no 429, each machine once, close to what the buckets allow."""
    outcome = carry_out(Case(300, 1, REGIONS), tmp_path)
    assert outcome.bound == Bound(pytest.approx(10.0), "Resource Manager's writes, 200 + 10/s")
    assert outcome.allowed_s == pytest.approx(15.0)
    assert outcome.ratio <= 1.5
    assert outcome.sent.statuses[429] == 0
    assert set(outcome.sent.patches.values()) == {1}
    assert outcome.sent.changed_once == outcome.sent.as_wanted == 300
    assert sorted(outcome.sent.places.values()) == [150, 150]
    # The operation's 5 s have passed on the emulator's clock too: otherwise nothing could have been verified.
    assert outcome.apply["verified"] == 300
    assert outcome.apply["clock_s"] >= 5


def outcome_of(*, clock_s: float, refused: int = 0, patches: int = 1) -> Outcome:
    """A run of two machines that are let through at once."""
    figures: dict[str, Any] = {
        "clock_s": clock_s,
        "peak_mb": 99.0,
        "concurrency": 64,
        "changes": 2,
        "verified": 2,
        "requests": {"PATCH": 2},
        "cpu_s": 1.0,
        "wall_s": 2.0,
    }
    sent = Sent(
        statuses=Counter({200: 2, 429: refused}),
        patches=Counter({"one": patches, "other": 1}),
        places=Counter({("a", "x"): 2}),
        last_s={"a": 0.5},
        as_wanted=2,
    )
    return Outcome(Case(2), figures, figures, sent)


@pytest.mark.parametrize(
    ("outcome", "verdicts"),
    [
        (outcome_of(clock_s=5.1), ["yes", "yes", "yes", "yes"]),
        (outcome_of(clock_s=5.2), ["no", "yes", "yes", "yes"]),
        (outcome_of(clock_s=5.0, refused=1), ["yes", "no", "yes", "yes"]),
        (outcome_of(clock_s=5.0, patches=2), ["yes", "yes", "no", "yes"]),
    ],
)
def test_what_is_missed_is_told(outcome: Outcome, verdicts: list[str]) -> None:
    """Too late, throttled, or written twice: each has a row that says no."""
    assert [row.verdict for row in rows_of(outcome, 1.03, memory_mb=100) if row.bound] == verdicts


def test_too_much_memory_is_told() -> None:
    """The bound on memory is one as the others."""
    rows = rows_of(outcome_of(clock_s=5.0), 1.03, memory_mb=98)
    assert [(row.figure, row.verdict) for row in rows if row.bound == "98 MB"] == [("99 MB", "no")]
