"""A run over time: counts at each moment, and the beginnings of its waves."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from tests.console.conftest import Open
from tests.console.test_runs import TWO

from patchmode.console.timeline import Line, timeline_of
from patchmode.model.run import Result

BEGAN = datetime(2026, 12, 1, 22, tzinfo=UTC)
NO_WAVES = SimpleNamespace(waves=())


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def entry(sent: float, accepted: float | None, ended: float | None, result: Result = Result.APPLIED) -> Any:
    """A change of a journal: seconds after the beginning."""
    return SimpleNamespace(
        change=SimpleNamespace(id=f"vm-{sent}"),
        intended_at=at(sent),
        started_at=None if accepted is None else at(accepted),
        result=None if ended is None else SimpleNamespace(result=result, ended_at=at(ended)),
        verification_at_end=SimpleNamespace(verified=True) if result is Result.APPLIED and ended else None,
    )


def test_lines_are_counts_over_time() -> None:
    entries = [entry(0, 1, 10), entry(5, 6, None), entry(2, None, 4, Result.FAILED)]
    found = timeline_of(entries, NO_WAVES)  # type: ignore[arg-type]  # no wave is asked of it
    assert found is not None
    assert (found.began, found.ended, found.top) == (BEGAN, at(10), 3)
    assert found.lines == [
        Line("sent", 3, "M0 100H0V66.7H200V33.3H500V0H1000"),
        Line("accepted", 2, "M0 100H100V66.7H600V33.3H1000"),
        Line("verified", 1, "M0 100H1000V66.7H1000"),
        Line("failed, unknown or stale", 1, "M0 100H400V66.7H1000"),
    ]


def test_a_hundred_thousand_changes_are_at_most_a_thousand_steps() -> None:
    entries = [entry(one / 100, None, None) for one in range(0, 100_000, 7)]
    found = timeline_of(entries, NO_WAVES)  # type: ignore[arg-type]  # no wave is asked of it
    assert found is not None
    assert found.lines[0].path.count("V") <= 1001


def test_nothing_sent_is_no_timeline() -> None:
    assert timeline_of([], NO_WAVES) is None  # type: ignore[arg-type]  # no wave is asked of it


def test_waves_begin_with_their_first_request() -> None:
    entries = [entry(0, 1, 2), entry(8, 9, 10)]
    waves = [SimpleNamespace(name="ring=0"), SimpleNamespace(name="ring=1"), SimpleNamespace(name="ring=2")]
    plan = SimpleNamespace(waves=waves, changes_of=lambda number: [one.change for one in entries[number : number + 1]])
    found = timeline_of(entries, plan)  # type: ignore[arg-type]  # only its waves are looked at
    assert found is not None
    assert [(one.name, one.at, one.x) for one in found.waves] == [("ring=0", BEGAN, 0.0), ("ring=1", at(8), 800.0)]


async def test_a_runs_page_has_its_timeline(opened: Open) -> None:
    asker = await opened(allow_writes=True)
    run = await asker.applied(TWO, 2)
    page = (await asker.get(run)).words
    assert "Over time" in page
    assert "sent 2 accepted 2 verified 2 failed, unknown or stale 0" in page
