"""Look after look: only what moved, a failing look repeated, and no machine lost because it could not be read."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.workflow.azure_double import ALPHA, TARGET, AzureDouble, machine

from patchmode.errors import EmptyScopeError, RequestError, UsageError, WrongTargetError
from patchmode.model.drift import DriftKind, Look, ResourceChange
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import PatchSettings
from patchmode.model.scope import Scope
from patchmode.workflow.inventory.audit import LAG, Seen, WatchOptions, watch

EVERYTHING = Scope(everything=True)
WEB = machine("web", mode="AutomaticByPlatform", bypass=True)
DB = machine("db", mode="AutomaticByPlatform", bypass=True)
Happening = Callable[[AzureDouble], None]


class Ticking:
    """A clock that only moves when somebody waits; then things happen, one in each wait."""

    def __init__(self, azure: AzureDouble, happenings: tuple[Happening, ...]) -> None:
        self.azure = azure
        self.happenings = iter(happenings)
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime(2030, 1, 31, 22, 0, tzinfo=UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds
        next(self.happenings)(self.azure)


def set_to(**settings: Any) -> Happening:
    def happen(azure: AzureDouble) -> None:
        moved = replace(WEB, settings=replace(WEB.settings or PatchSettings(), **settings))
        azure.machines = (moved, *azure.machines[1:])

    return happen


def nothing(azure: AzureDouble) -> None:
    """Time passes."""


def having(*machines: Machine) -> Happening:
    def happen(azure: AzureDouble) -> None:
        azure.machines = machines

    return happen


def refusing(*what: str) -> Happening:
    def happen(azure: AzureDouble) -> None:
        azure.refused = frozenset(what)

    return happen


async def watched(
    *happenings: Happening,
    options: WatchOptions | None = None,
    azure: AzureDouble | None = None,
    baseline: Look | None = None,
    offline_at: frozenset[int] = frozenset(),
) -> list[Seen]:
    """What each look brought; by default one look more than things happen."""
    azure = azure or AzureDouble((WEB, DB))
    attempts = iter(range(1, 99))

    @asynccontextmanager
    async def connect() -> AsyncIterator[Any]:
        if next(attempts) in offline_at:
            raise RequestError("the network is unreachable", code="NotSent")
        yield azure

    how = options or WatchOptions(count=len(happenings) + 1)
    clock = Ticking(azure, happenings)
    return [seen async for seen in watch(connect, EVERYTHING, how, clock=clock, baseline=baseline)]


def names(seen: Seen) -> list[tuple[str, DriftKind]]:
    return [(drift.id.name, drift.kind) for drift in seen.drift]


async def test_only_what_moved_since_the_look_before() -> None:
    looks = await watched(set_to(bypass=False), nothing, set_to(bypass=True))
    assert [names(seen) for seen in looks] == [
        [],
        [("web", DriftKind.CHANGED)],
        [],
        [("web", DriftKind.CHANGED)],
    ]
    (drift,) = looks[1].drift
    assert [(move.field, move.before, move.after) for move in drift.moves] == [
        ("orchestration", "CustomerManagedSchedules", "AzureManaged"),
        ("bypass", True, False),
    ]


async def test_machines_that_come_and_go() -> None:
    looks = await watched(having(WEB), having(WEB, DB))
    assert [names(seen) for seen in looks[1:]] == [[("db", DriftKind.WENT)], [("db", DriftKind.CAME)]]


async def test_failing_look_is_told_and_repeated_and_takes_nothing_away() -> None:
    looks = await watched(set_to(bypass=False), nothing, nothing, offline_at=frozenset({2, 3}))
    assert [seen.failure is not None for seen in looks] == [False, True, True, False]
    assert [names(seen) for seen in looks] == [[], [], [], [("web", DriftKind.CHANGED)]]


async def test_scope_that_suddenly_holds_nothing_is_a_failing_look() -> None:
    looks = await watched(having(), having(WEB, DB))
    assert isinstance(looks[1].failure, EmptyScopeError)
    assert [names(seen) for seen in looks] == [[], [], []]


async def test_subscription_that_cannot_be_read_takes_no_machine_away() -> None:
    looks = await watched(refusing("graph", f"list:{ALPHA}"), refusing())
    assert looks[1].look is not None
    assert looks[1].look.machines == {}
    assert [names(seen) for seen in looks] == [[], [], []]


async def test_first_look_with_nothing_in_scope_is_the_users_mistake() -> None:
    with pytest.raises(EmptyScopeError):
        await watched(azure=AzureDouble(()))


async def test_until_change_ends_with_it() -> None:
    looks = await watched(
        nothing, set_to(bypass=False), nothing, options=WatchOptions(until_change=True, interval_s=60.0)
    )
    assert [seen.number for seen in looks] == [1, 2, 3]
    assert names(looks[-1]) == [("web", DriftKind.CHANGED)]


async def test_interval_is_from_look_to_look() -> None:
    azure = AzureDouble((WEB,))
    clock = Ticking(azure, (nothing, nothing))

    @asynccontextmanager
    async def connect() -> AsyncIterator[Any]:
        clock.passed += 100.0
        yield azure

    async for _ in watch(connect, EVERYTHING, WatchOptions(interval_s=900.0, count=3), clock=clock):
        pass
    assert clock.passed == 900.0 + 900.0 + 100.0


def record(minutes: float, **facts: Any) -> ResourceChange:
    path = "properties.osProfile.linuxConfiguration.patchSettings.automaticByPlatformSettings"
    at = datetime(2030, 1, 31, 22, 0, tzinfo=UTC) + timedelta(minutes=minutes)
    facts = {"paths": (f"{path}.bypassPlatformSafetyChecksOnUserSchedule",), **facts}
    return ResourceChange(str(WEB.id), at, "Update", "a@contoso.example", "User", "Azure Portal", None, **facts)


@pytest.mark.parametrize(("minutes", "is_told"), [(1.0, True), (-1.0, True), (-LAG / timedelta(minutes=1) - 1, False)])
async def test_author_is_azures_record_of_about_that_time(minutes: float, is_told: bool) -> None:
    azure = AzureDouble((WEB,), changes=(record(minutes),))
    looks = await watched(set_to(bypass=False), azure=azure)
    (drift,) = looks[1].drift
    assert (drift.author == record(minutes)) is is_told


async def test_records_that_cannot_be_had_are_no_failure() -> None:
    azure = AzureDouble((WEB,), refused=frozenset({"changes"}), changes=(record(1),))
    looks = await watched(set_to(bypass=False), azure=azure)
    assert [drift.author for drift in looks[1].drift] == [None]


async def test_nothing_moved_asks_nobody_who_did_it() -> None:
    azure = AzureDouble((WEB,))
    await watched(nothing, azure=azure)
    assert azure.requests["changes"] == 0


async def test_baseline_is_the_look_before_the_first() -> None:
    (first,) = await watched()
    assert first.look is not None
    moved = AzureDouble((replace(WEB, settings=PatchSettings(patch_mode="Manual")), DB))
    looks = await watched(azure=moved, baseline=first.look)
    assert names(looks[0]) == [("web", DriftKind.CHANGED)]


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"target": replace(TARGET, tenant_id="88888888-8888-8888-8888-888888888888")}, WrongTargetError),
        ({"scope": ("--resource-group rg",)}, UsageError),
    ],
)
async def test_baseline_of_something_else_is_refused(facts: dict[str, Any], error: type[Exception]) -> None:
    (first,) = await watched()
    assert first.look is not None
    with pytest.raises(error):
        await watched(baseline=replace(first.look, **facts))
