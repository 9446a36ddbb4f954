"""A run that Azure asks to come later: what it waits for, what it leaves unsent, and that `resume` sends the rest."""

from typing import Any

import pytest
from tests.faults.one_clock import OneClock, run_leaping, serving
from tests.faults.stage import CHANGED, FLEET, LIST, WANTED, ends_of
from tests.unit.workflow.run_doubles import temporary_store

from arm_emulator.app import Emulator
from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from patchmode.arm.session import connect
from patchmode.errors import SignInError, ThrottledError
from patchmode.model.plan import Plan
from patchmode.model.run import RunReport
from patchmode.model.scope import Scope
from patchmode.store.runs import RunStore
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions

WITHIN = {
    "seconds": "600",
    "more than six minutes": "361",
    "IMF-fixdate": "Thu, 31 Jan 2030 22:10:00 GMT",
    "RFC 850": "Thursday, 31-Jan-30 22:10:00 GMT",
    "asctime": "Thu Jan 31 22:10:00 2030",
}
"""Clock of the stage: 2030-01-31 22:00."""
BEYOND = {"one second more": "901", "ten digits": "9999999999", "a date": "Sat, 02 Feb 2030 22:00:00 GMT"}
PATCH_OF_WEB = Matcher("PATCH", "*/virtualMachines/web")
GRAPH = Matcher("POST", "*/providers/Microsoft.ResourceGraph/resources")
POLL = Matcher("GET", "*/Microsoft.Compute/locations/*/operations/*")
OTHER_SUBSCRIPTION = "old"
"""The machine that a closed bucket of the larger subscription does not concern."""


def refusal(status: int, said: str, where: Matcher, count: int | None = 1) -> FaultPlan:
    document = {"error": {"code": "TooManyRequests", "message": "Made up for this test."}}
    do = Action(respond=Respond(status, json=document, headers={"Retry-After": said}))
    return FaultPlan(rules=[Rule(do=do, match=where, count=count)])


async def planned(endpoint: str, clock: OneClock) -> Plan:
    async with connect(endpoint, read_only=True, clock=clock) as azure:
        return await make_plan(azure, Scope(everything=True), WANTED, clock=clock)


async def applied(store: RunStore, endpoint: str, clock: OneClock, plan: Plan | None) -> RunReport:
    """One process: a connection of its own; without a plan it takes the run up."""
    async with connect(endpoint, read_only=False, clock=clock) as azure:
        journal = store.create(plan) if plan else store.open(for_writing=True)
        return await apply_plan(journal, azure, ApplyOptions(), clock=clock)


def patches(emulator: Emulator) -> int:
    return sum(one["method"] == "PATCH" for one in emulator.ledger.as_json()["requests"])


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("said", WITHIN.values(), ids=WITHIN)
def test_a_wait_within_the_patience_ends_as_undisturbed(status: int, said: str) -> None:
    async def play() -> None:
        clock = OneClock()
        async with serving(fleet=FLEET) as (emulator, endpoint):
            plan = await planned(endpoint, clock)
            emulator.faults.arm(refusal(status, said, PATCH_OF_WEB))
            with temporary_store() as store:
                begun = clock.monotonic()
                report = await applied(store, endpoint, clock, plan)
                assert ends_of(report)[0] == dict.fromkeys(CHANGED, "applied")
                assert 361 <= clock.monotonic() - begun < 700

    run_leaping(play())


@pytest.mark.parametrize("said", BEYOND.values(), ids=BEYOND)
def test_a_wait_past_the_patience_is_left_to_resume(said: str) -> None:
    """It was `failed`, which resume leaves alone, and everybody behind it waited for as long as was asked."""

    async def play() -> None:
        clock = OneClock()
        async with serving(fleet=FLEET) as (emulator, endpoint):
            plan = await planned(endpoint, clock)
            emulator.faults.arm(refusal(429, said, PATCH_OF_WEB))
            with temporary_store() as store:
                begun = clock.monotonic()
                first = await applied(store, endpoint, clock, plan)
                ends = ends_of(first)[0]
                assert ends.pop("web") == "notSent TooManyRequests"
                assert ends.pop(OTHER_SUBSCRIPTION) == "applied"
                assert set(ends.values()) <= {"notSent Throttled", "applied"}
                assert clock.monotonic() - begun < 60
                advice = {one.error.advice for one in first.results if one.error}
                assert len(advice) == 1
                assert "patchmode runs resume" in advice.pop()
                again = await applied(store, endpoint, clock, None)
                assert ends_of(again)[0] == dict.fromkeys(CHANGED, "applied")
                # One was refused; each machine was then written once.
                assert patches(emulator) == len(CHANGED) + 1

    run_leaping(play())


def test_a_service_that_is_away_for_longer_leaves_it_open() -> None:
    """A recorded 503 was received and given up, so a write that met one may have been applied: that is said."""

    async def play() -> None:
        clock = OneClock()
        async with serving(fleet=FLEET) as (emulator, endpoint):
            plan = await planned(endpoint, clock)
            emulator.faults.arm(refusal(503, "86400", PATCH_OF_WEB, count=None))
            with temporary_store() as store:
                report = await applied(store, endpoint, clock, plan)
                expected = {**dict.fromkeys(CHANGED, "applied"), "web": "unknown TooManyRequests"}
                assert ends_of(report)[0] == expected

    run_leaping(play())


@pytest.mark.parametrize("status", [429, 503])
def test_a_list_that_is_held_back_names_its_machines_as_unreadable(status: int) -> None:
    async def play() -> None:
        clock = OneClock()
        async with serving(fleet=FLEET) as (emulator, endpoint):
            emulator.faults.arm(refusal(status, "86400", Matcher("GET", LIST), count=None))
            plan = await planned(endpoint, clock)
            assert [one.id.name for one in plan.changes] == [OTHER_SUBSCRIPTION]
            assert len(plan.unreadable) == 5
            assert all("longer than the throttle patience of 15 min" in one.reason for one in plan.unreadable)
            assert clock.monotonic() < 60

    run_leaping(play())


def test_resource_graph_that_is_held_back_ends_planning_with_the_reason() -> None:
    async def play() -> None:
        clock = OneClock()
        async with serving(fleet=FLEET) as (emulator, endpoint):
            emulator.faults.arm(refusal(429, "86400", GRAPH, count=None))
            with pytest.raises(
                ThrottledError, match="asks to wait another 24 h, which is longer than the throttle patience"
            ):
                await planned(endpoint, clock)

    run_leaping(play())


@pytest.mark.parametrize("said", ["361", "9999999999"])
@pytest.mark.parametrize("status", [200, 429, 503])
def test_an_operation_that_asks_to_come_later_is_seen_to_end(status: int, said: str) -> None:
    """The machine goes on being read: what its operation asks for delays no run."""

    async def play() -> None:
        clock = OneClock()
        async with serving(fleet=FLEET, lro_seconds=150) as (emulator, endpoint):
            plan = await planned(endpoint, clock)
            document: Any = {"status": "InProgress"} if status == 200 else None
            do = Action(respond=Respond(status, json=document, headers={"Retry-After": said}))
            emulator.faults.arm(FaultPlan(rules=[Rule(do=do, match=POLL)]))
            with temporary_store() as store:
                report = await applied(store, endpoint, clock, plan)
                assert ends_of(report)[0] == dict.fromkeys(CHANGED, "applied")

    run_leaping(play())


def test_a_sign_in_service_that_is_away_for_longer_ends_with_the_reason() -> None:
    """azure-identity would wait for a day, and say nothing."""

    async def play() -> None:
        clock = OneClock()
        async with serving(fleet=FLEET) as (emulator, endpoint):
            emulator.faults.arm(refusal(429, "86400", Matcher("POST", "*/oauth2/v2.0/token"), count=None))
            with pytest.raises(
                SignInError, match="asks to wait another 24 h, which is longer than the throttle patience"
            ):
                await planned(endpoint, clock)

    run_leaping(play())


def test_a_sign_in_service_that_is_away_for_a_while_is_waited_for_and_told() -> None:
    async def play() -> None:
        clock, told = OneClock(), list[str]()
        async with serving(fleet=FLEET) as (emulator, endpoint):
            emulator.faults.arm(refusal(429, "400", Matcher("POST", "*/oauth2/v2.0/token")))
            async with connect(endpoint, read_only=True, clock=clock, remark=told.append):
                assert told == ["Signing in: the sign-in service is busy; next try in 7 min"]

    run_leaping(play())
