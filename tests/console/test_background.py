"""What is read beside the server: one reading at a time, and a failure that leaves what was there."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from patchmode.console.background import Loading, SideLoop
from patchmode.errors import PatchmodeError
from patchmode.timing import SystemClock


class Source:
    """Something that can be read; the test says what comes of it."""

    def __init__(self) -> None:
        self.answers: list[str | Exception] = []
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def read(self) -> str:
        self.asked += 1
        await self.may_answer.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_value_stays_until_the_next_reading_has_succeeded() -> None:
    source = Source()
    source.answers = ["first", PatchmodeError("no answer", advice="try again"), "second"]
    source.may_answer.set()
    loading = Loading(source.read, SystemClock())
    assert (loading.value, loading.read_at, loading.is_busy) == (None, None, False)
    before = datetime.now(UTC)
    for value, error in (("first", None), ("first", "no answer"), ("second", None)):
        loading.refresh()
        assert loading.is_busy
        await loading.settled()
        assert loading.value == value
        assert (loading.error.message if loading.error else None) == error
        assert not loading.is_busy
    assert loading.read_at is not None
    assert loading.read_at >= before


async def test_one_reading_at_a_time() -> None:
    """Pressing Refresh ten times asks once."""
    source = Source()
    source.answers = ["only"]
    loading = Loading(source.read, SystemClock())
    for _ in range(10):
        loading.refresh()
        await asyncio.sleep(0)
    source.may_answer.set()
    await loading.settled()
    assert (source.asked, loading.value) == (1, "only")


async def test_a_defect_is_told_and_not_left_loading(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    source.answers = [KeyError("oops")]
    source.may_answer.set()
    loading = Loading(source.read, SystemClock())
    loading.refresh()
    await loading.settled()
    assert loading.error is not None
    assert "KeyError" in loading.error.message
    assert "report" in loading.error.advice
    assert "Traceback" in caplog.text


async def test_what_runs_on_another_thread_can_be_given_up() -> None:
    """Closing the console does not wait for a reading that hangs."""
    side = SideLoop("test")
    hanging = asyncio.create_task(side.run(asyncio.Event().wait()))
    await side.run(asyncio.sleep(0))
    await side.cancel_all()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    await side.stop()


class Ticks(SystemClock):
    """Waits end when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.tick = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self.tick.wait()
        self.tick.clear()


async def test_it_is_read_again_at_an_interval_until_that_is_taken_back() -> None:
    source, clock = Source(), Ticks()
    source.answers = ["first", "second"]
    source.may_answer.set()
    loading = Loading(source.read, clock)
    loading.repeat(timedelta(minutes=5))
    for value in ("first", "second"):
        await asyncio.sleep(0)
        assert clock.asked[-1] == 300
        clock.tick.set()
        for _ in range(3):
            await asyncio.sleep(0)
        await loading.settled()
        assert loading.value == value
    loading.repeat(None)
    await asyncio.sleep(0)
    clock.tick.set()
    await asyncio.sleep(0)
    assert (loading.every, source.asked) == (None, 2)
