"""Clocks, running together, refusals in words, and reports that add up."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workflow.azure_double import machine
from tests.unit.workflow.fleet_double import fleet_of

from patchmode.errors import NotSentError, PatchmodeError, RejectedError
from patchmode.model.machine import PatchExtension, Surroundings
from patchmode.model.run import ChangeResult, Difference, Result, Verification
from patchmode.ports.run import JournalEntry, Step
from patchmode.rules.settings.precondition import SincePlan
from patchmode.timing import ScaledClock, SystemClock, all_of
from patchmode.workflow.inventory.bulk_reading import with_surroundings_of
from patchmode.workflow.run.refusals import advice_for, is_gone, machine_error, stale_error
from patchmode.workflow.run.report import count, make_report
from patchmode.workflow.run.state import result_of

# ------------------------------------------------------------------------------------------------ clocks


async def test_system_clock_is_aware_and_goes_forward() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(-1)
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() >= before


async def test_scaled_clock_runs_faster_on_all_hands() -> None:
    """Ten thousand seconds pass in one of the system's; the wall clock and the stop watch agree on it."""
    clock = ScaledClock(1e6)
    wall, started = clock.now(), clock.monotonic()
    await clock.sleep(10_000)
    assert clock.monotonic() - started >= 10_000
    assert (clock.now() - wall).total_seconds() >= 10_000


@pytest.mark.parametrize("factor", [0, -1.0])
def test_clock_that_stands_still_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="cannot run"):
        ScaledClock(factor)


@pytest.mark.parametrize(
    ("setting", "zone"),
    [("Asia/Kolkata", "Asia/Kolkata"), (":Europe/Berlin", "Europe/Berlin"), ("Nowhere/Else", "None")],
)
def test_the_time_zone_of_this_computer(setting: str, zone: str) -> None:
    """In a process of its own, since it is looked up once; a zone that does not exist is not guessed at."""
    code = "from patchmode.timing import local_zone; print(local_zone())"
    environment = {**os.environ, "TZ": setting}
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=environment).strip() == zone


# ------------------------------------------------------------------------------------------------ together


async def test_results_come_in_the_order_given() -> None:
    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await all_of(after(turns) for turns in (3, 1, 2)) == [3, 1, 2]
    assert await all_of([]) == []


async def test_first_failure_is_raised_as_itself_and_nothing_is_left_running() -> None:
    cancelled: list[str] = []

    async def fail() -> None:
        await all_of([nested()])

    async def nested() -> None:
        raise RejectedError("no", code="No")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("wait")
            raise

    with pytest.raises(RejectedError, match="no"):
        await all_of([fail(), wait()])
    assert cancelled == ["wait"]


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        (
            "InvalidParameter",
            "Hotpatch updates require platform safety checks.",
            "--hotpatch off",
        ),
        ("InvalidParameter", "The selected VM image is not supported for VM Guest patch operations.", "image"),
        (
            "PropertyChangeNotAllowed",
            "Changing property 'windowsConfiguration.enableAutomaticUpdates' is not allowed.",
            "fixed at creation",
        ),
        ("InvalidParameter", "Parameter 'osProfile' is not allowed.", "specialised disk"),
        ("scopelocked", "The scope is locked.", "ReadOnly lock"),
        ("NeverSeen", "", "the wire's own advice"),
    ],
)
def test_advice_fits_the_words_first_and_the_code_second(code: str, message: str, advice: str) -> None:
    assert advice in advice_for(code, message, otherwise="the wire's own advice")


def test_error_of_a_machine_keeps_what_azure_said() -> None:
    wire = RejectedError("PATCH x was answered 409 ScopeLocked: locked", code="ScopeLocked", status=409)
    error = machine_error(wire, may_have_been_applied=True)
    assert (error.code, error.http_status, error.may_have_been_applied) == ("ScopeLocked", 409, True)
    assert error.message == wire.message


@pytest.mark.parametrize("advice", ["", "Look at the proxy."])
def test_what_azure_never_got_is_in_no_activity_log(advice: str) -> None:
    """Called off, no connection, no secure address: there is nothing to look up, and something to go on with."""
    error = machine_error(NotSentError("x", code="Stopped", advice=advice), may_have_been_applied=False)
    told = "Nothing was sent for this machine: continue with `patchmode runs resume`."
    assert error.advice == f"{advice} {told}".strip()


def test_only_the_first_fields_that_changed_are_shown_with_values() -> None:
    change = fleet_of(1).plan().changes[0]
    found = SincePlan(tuple(Difference(f"tags.{name}", '"a"', '"b"') for name in "pqrst"))
    message = stale_error(change, found, may_have_been_applied=False).message
    assert 'tags.p was "a", is "b"' in message
    assert message.endswith("and 2 more.")


def test_missing_machine_is_known_by_status_or_code() -> None:
    assert is_gone(RejectedError("x", code="Odd", status=404))
    assert is_gone(RejectedError("x", code="resourcegroupnotfound"))
    assert not is_gone(RejectedError("x", code="ScopeLocked", status=409))


# ------------------------------------------------------------------------------------------------ reports


@given(ends=st.lists(st.tuples(st.sampled_from(Result), st.sampled_from([None, False, True])), max_size=12))
def test_no_more_are_verified_than_were_applied(ends: list[tuple[Result, bool | None]]) -> None:
    """What was looked at after a failed operation may show the settings all the same."""
    plan = fleet_of(len(ends)).plan()
    results = [
        ChangeResult(change.id, result, verification=None if seen is None else Verification(change.id, seen))
        for change, (result, seen) in zip(plan.changes, ends, strict=True)
    ]
    counts = count(plan, results)
    assert counts.verified == ends.count((Result.APPLIED, True)) <= counts.applied


def test_counts_that_do_not_add_up_are_refused() -> None:
    plan = fleet_of(2).plan()
    one = ChangeResult(plan.changes[0].id, Result.APPLIED)
    for results in ([one], [one, one], [one, one, one]):
        with pytest.raises(PatchmodeError, match="2 changes: this is a defect"):
            make_report("run", plan, state="finished", requests={}, results=results)


@pytest.mark.parametrize(
    ("step", "result", "code", "may_have_been_applied"),
    [
        (Step.PENDING, Result.NOT_SENT, "Pending", False),
        (Step.INTENDED, Result.UNKNOWN, "Interrupted", True),
        (Step.STARTED, Result.UNKNOWN, "Interrupted", True),
    ],
)
def test_a_step_without_an_end_is_reported_honestly(
    step: Step, result: Result, code: str, may_have_been_applied: bool
) -> None:
    entry = JournalEntry(fleet_of(1).plan().changes[0], step)
    found = result_of(entry)
    assert found.error is not None
    assert (found.result, found.error.code, found.error.may_have_been_applied) == (result, code, may_have_been_applied)
    ended = replace(entry, step=Step.ENDED, result=ChangeResult(entry.change.id, Result.APPLIED))
    assert result_of(ended).result is Result.APPLIED


# ------------------------------------------------------------------------------------------------ joined sources


@pytest.mark.parametrize(
    ("shown", "known", "joined"),
    [
        (None, "Failed", "Failed"),  # a list shows no states
        ("Succeeded", "Failed", "Succeeded"),  # a GET is newer than Resource Graph
        ("Failed", None, "Failed"),
        (None, None, None),
    ],
)
def test_provider_and_graph_on_a_patch_extension(shown: str | None, known: str | None, joined: str | None) -> None:
    """The provider's word counts where it gives one, with the message that only Resource Graph has."""

    def around(state: str | None, message: str | None = None) -> Surroundings:
        extension = None if state is None else PatchExtension("LinuxPatchExtension", state, message)
        return Surroundings(patch_extension=extension, os_name=message)

    document, discovered = (machine("a", surroundings=one) for one in (around(shown), around(known, "why")))
    found = with_surroundings_of(document, discovered).surroundings
    assert found.os_name == "why"
    assert (found.patch_extension.state if found.patch_extension else None) == joined
    if joined == "Failed" and known == "Failed":
        assert found.patch_extension is not None
        assert found.patch_extension.message == "why"
    assert with_surroundings_of(document, None) is document
