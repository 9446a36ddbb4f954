"""Azure's published limits on one clock: how several identities and a share of them add up, and that nobody gets a 429.

The emulator keeps the limits as published, and its clock is the product's, so what is measured is what the buckets
allow and nothing else. The figures in the tests are worked out from the limits: a burst, and so much a second.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.emulator_wire.principals import BOTH_EVERYTHING, EACH_ITS_OWN, GREEN, SECRETS, fleet_for, principals
from tests.faults.one_clock import OneClock, environment_of, run_leaping, serving
from tests.unit.workflow.fleet_double import OTHER_SUBSCRIPTION, SUBSCRIPTION, machine_id, vm
from tests.unit.workflow.run_doubles import temporary_store

from arm_emulator.app import Emulator
from patchmode.arm.session import connect
from patchmode.errors import SignInError
from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.run import RunReport
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure, GraphScope
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions

BODY = {"properties": {"osProfile": {"windowsConfiguration": {"patchSettings": {"patchMode": "AutomaticByPlatform"}}}}}
CONCURRENCY = 64
ANSWER_S = 0.5
"""What the last answers may take beyond what the buckets allow."""

Work = Callable[[Azure, int], Awaitable[object]]


async def locks(azure: Azure, _: int) -> None:
    """One read that Resource Manager alone counts: 250, and 25 a second."""
    await azure.authorization.locks(SUBSCRIPTION)


async def listing(azure: Azure, _: int) -> None:
    """One read that Compute counts too, whoever asks: 900, and 5 a second."""
    _ = [page async for page in azure.provider.list_group(SUBSCRIPTION, "web", MachineKind.VM)]


async def patch(azure: Azure, number: int) -> None:
    """One write: Resource Manager's 200, and 10 a second; of Compute's 1,500 far from all."""
    machine = machine_id(f"m-{number:04}")
    await azure.writer.patch(machine, MachineKind.VM, "westeurope", BODY, etag=None)


async def query(azure: Azure, _: int) -> None:
    """One query of a subscription: 15 in 5 seconds."""
    _ = [rows async for rows in azure.graph.resource_groups(GraphScope((SUBSCRIPTION,)))]


async def each_queries(azure: Azure, _: int) -> None:
    """One query of everything: each identity asks about its part."""
    _ = [rows async for rows in azure.graph.resource_groups(GraphScope())]


async def took(azure: Azure, work: Work, count: int) -> float:
    """Seconds of the clock until so many were done."""
    left, clock = iter(range(count)), asyncio.get_running_loop()
    begun = clock.time()

    async def worker() -> None:
        for number in left:
            await work(azure, number)

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return clock.time() - begun


@asynccontextmanager
async def stage(machines: int = 1, roles: object = BOTH_EVERYTHING) -> AsyncIterator[tuple[Emulator, str]]:
    """An emulator that throttles as Azure does, with two principals who see everything."""
    documents = [vm(f"m-{number:04}") for number in range(machines)]
    fleet = fleet_for(roles, machines=documents)  # type: ignore[arg-type]
    async with serving(fleet=fleet, lro_seconds=0) as served:
        with environment_of(SECRETS):
            yield served


def refused(emulator: Emulator) -> int:
    return sum(entry.status == 429 for entry in emulator.ledger.entries)


def measured(work: Work, count: int, *names: str, share: float = 1.0) -> float:
    """Seconds that so many took as these identities; nobody was refused."""

    async def story() -> float:
        async with stage(count if work is patch else 1) as (emulator, endpoint):
            options = {"read_only": False, "clock": OneClock(), "share": share}
            async with connect(endpoint, identities=principals(*names), **options) as azure:  # type: ignore[arg-type]
                seconds = await took(azure, work, count)
            assert refused(emulator) == 0
            return seconds

    return run_leaping(story())


@pytest.mark.parametrize(
    ("work", "count", "alone_s", "together_s"),
    [
        (locks, 1_000, 750 / 25, 500 / 50),
        (patch, 600, 400 / 10, 200 / 20),
        (listing, 1_000, 750 / 25, 100 / 5),
    ],
    ids=["reads", "writes", "lists, which Compute bounds"],
)
def test_the_limits_of_two_identities_add_up(work: Work, count: int, alone_s: float, together_s: float) -> None:
    """Resource Manager counts each for itself; Compute's bucket is one for both and is not overdrawn."""
    assert alone_s <= measured(work, count, "blue") <= alone_s * 1.03 + ANSWER_S
    assert together_s <= measured(work, count) <= together_s * 1.03 + ANSWER_S


def test_graph_quotas_add_up() -> None:
    """60 times both subscriptions: one query each of two identities takes as long as one of one, 60 at 15 in 5 s."""
    assert measured(query, 60, "blue") == pytest.approx(15, abs=ANSWER_S)
    assert measured(each_queries, 60) == pytest.approx(15, abs=ANSWER_S)


@pytest.mark.parametrize(
    ("work", "count", "whole_s", "half_s"),
    [(locks, 1_000, 750 / 25, 875 / 12.5), (patch, 600, 400 / 10, 500 / 5), (query, 63, 20, 40)],
    ids=["reads", "writes", "queries"],
)
def test_half_of_the_limits_takes_the_time_of_half_of_the_limits(
    work: Work, count: int, whole_s: float, half_s: float
) -> None:
    """Half the burst, then half the rate. Of 15 queries 7 are used."""
    assert whole_s <= measured(work, count, "blue") + ANSWER_S <= whole_s * 1.03 + 2 * ANSWER_S
    assert half_s <= measured(work, count, "blue", share=0.5) + ANSWER_S <= half_s * 1.03 + 2 * ANSWER_S


@pytest.mark.parametrize(("work", "count"), [(locks, 600), (query, 40)], ids=["reads", "queries"])
def test_two_processes_with_half_each_do_not_get_in_each_others_way(work: Work, count: int) -> None:
    """The same principal twice, as two shards of one estate or as somebody else's automation: no 429 for either."""

    async def story() -> int:
        async with stage() as (emulator, endpoint):

            async def process() -> None:
                options = {"read_only": True, "clock": OneClock(), "share": 0.5}
                async with connect(endpoint, identities=principals("blue"), **options) as azure:  # type: ignore[arg-type]
                    await took(azure, work, count)

            await asyncio.gather(process(), process())
            return refused(emulator)

    assert run_leaping(story()) == 0


def test_a_share_leaves_tokens_to_others() -> None:
    """When all of its half is used up, somebody else of the same principal finds the other half: 120 reads at once."""

    async def story() -> tuple[float, int]:
        async with stage() as (emulator, endpoint):
            options = {"read_only": True, "clock": OneClock(), "share": 0.5}
            async with connect(endpoint, identities=principals("blue"), **options) as azure:  # type: ignore[arg-type]
                await took(azure, locks, 1_000)
            async with connect(endpoint, read_only=True, clock=OneClock(), identities=principals("blue")) as other:
                return await took(other, locks, 120), refused(emulator)

    seconds, refusals = run_leaping(story())
    assert seconds <= ANSWER_S
    assert refusals == 0


# ------------------------------------------------------------------------------------------------ revoked in mid-run


WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)


async def applied(endpoint: str, emulator: Emulator, *, disabled: bool) -> tuple[str, RunReport, RunReport]:
    """A run of both in which green's token is revoked after the third PATCH, and how it ends once it is taken up.

    Args:
        endpoint: of the emulator.
        emulator: it.
        disabled: the principal itself is taken away, so that no new token can be had.
    """
    clock = OneClock()
    error = ""
    with temporary_store() as store:
        async with connect(endpoint, read_only=False, clock=clock, identities=principals()) as azure:
            plan = await make_plan(azure, Scope(everything=True), WANTED, clock=clock)
            revoke_after(emulator, 3, disabled=disabled)
            try:
                first = await apply_plan(store.create(plan), azure, ApplyOptions(concurrency=1), clock=clock)
            except SignInError as failure:
                error, first = failure.message, None  # type: ignore[assignment]
        async with connect(endpoint, read_only=False, clock=clock, identities=principals("blue")) as azure:
            journal = store.open(for_writing=True)
            last = await apply_plan(journal, azure, ApplyOptions(), clock=clock)
        return error, first, last


def revoke_after(emulator: Emulator, patches: int, *, disabled: bool) -> None:
    """Every token is refused from then on, as after a revocation of sessions."""
    issued = emulator.tokens.read
    seen = Counter[str]()

    def read(*args: object) -> object:
        principal = issued(*args)  # type: ignore[arg-type]
        sent = sum(entry.method == "PATCH" for entry in emulator.ledger.entries)
        if sent >= patches and not seen["revoked"]:
            seen["revoked"] += 1
            if disabled:
                del emulator.directory.accounts[GREEN]
            emulator.tokens.expire_all()
            principal = issued(*args)  # type: ignore[arg-type]
        return principal

    emulator.tokens.read = read  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize("roles", [EACH_ITS_OWN, BOTH_EVERYTHING], ids=["each its own", "both everything"])
def test_revoked_tokens_are_renewed_each_by_its_own(roles: object) -> None:
    async def story() -> tuple[str, RunReport, int]:
        async with serving(fleet=fleet_for(roles), lro_seconds=0) as (emulator, endpoint):  # type: ignore[arg-type]
            with environment_of(SECRETS):
                error, first, _ = await applied(endpoint, emulator, disabled=False)
            return error, first, sum(entry.status == 401 for entry in emulator.ledger.entries)

    error, first, refusals = run_leaping(story())
    assert error == ""
    assert refusals > 0
    assert (first.counts.applied, first.counts.verified, first.counts.failed) == (5, 5, 0)


def test_a_principal_that_is_taken_away_in_mid_run_is_named_and_the_others_end_it() -> None:
    """Nothing is done as somebody else in silence: the run stops, and is taken up without the one that is gone."""

    async def story() -> tuple[str, RunReport, RunReport]:
        async with serving(fleet=fleet_for(BOTH_EVERYTHING), lro_seconds=0) as (emulator, endpoint):
            with environment_of(SECRETS):
                return await applied(endpoint, emulator, disabled=True)

    error, _, last = run_leaping(story())
    assert "identity 'green' cannot sign in" in error
    assert (last.counts.applied, last.counts.verified, last.counts.failed) == (5, 5, 0)
    assert OTHER_SUBSCRIPTION in {one.id.subscription_id for one in last.results}
