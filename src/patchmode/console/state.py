"""What one console holds while it runs.

Must not: be shared between servers.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from patchmode.console.access import Session
from patchmode.console.background import Loading, Reader
from patchmode.console.fleet import Fleet, make_fleet
from patchmode.console.fleet_query import Choices, Orders, choices_of
from patchmode.console.operation import ConsoleOperations
from patchmode.console.plans import Changes
from patchmode.console.rendering import make_environment
from patchmode.console.rooms import ConsoleOptions, Rooms
from patchmode.console.run_pages import PastRuns
from patchmode.console.schedule_changes import ScheduleChanges
from patchmode.console.schedule_pages import Offers, SchedulePages, read_offers, read_schedule_pages
from patchmode.errors import PatchmodeError
from patchmode.model.reading import Reading
from patchmode.model.target import SubscriptionNames, labels
from patchmode.workflow.inventory.audit import audit

if TYPE_CHECKING:
    from jinja2 import Environment

    from patchmode.ports.azure import Azure


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedFleet:
    """A fleet with what is worked out of it once."""

    fleet: Fleet
    orders: Orders
    choices: Choices
    readings: Sequence[Reading]
    """Of the same target, scope and principal, oldest first; this one is the last."""


@dataclass(slots=True)
class Console:
    """One console."""

    rooms: Rooms
    options: ConsoleOptions
    session: Session
    heavy: Reader
    """For what takes long: audits, schedules, plans."""
    quick: Reader
    """For what somebody waits for: one machine, a verification."""
    fleet: Loading[LoadedFleet]
    schedules: Loading[SchedulePages]
    offers: Loading[Offers]
    """The schedules that can be attached; read for the forms that offer them."""
    changes: Changes
    operations: ConsoleOperations
    past_runs: PastRuns
    schedule_changes: ScheduleChanges
    templates: "Environment" = field(default_factory=make_environment)
    hosts: frozenset[str] = frozenset()
    """Host headers that name this server; filled in once its port is known."""

    entered: Callable[[], None] = lambda: None
    """Called whenever a browser was let in, whose token works no more."""

    cookie: str = ""
    """The name of the session's cookie; filled in once the port is known."""

    async def close(self) -> None:
        """Close the connections; nothing is read again."""
        self.fleet.repeat(None)
        await self.heavy.close()
        await self.quick.close()


KEY = web.AppKey("console", Console)


def make_console(rooms: Rooms, options: ConsoleOptions) -> Console:
    """A console that has read nothing yet."""
    heavy, quick = Reader(rooms, "console-heavy"), Reader(rooms, "console-quick")
    read_fleet = partial(heavy.run, partial(_read_fleet, rooms=rooms, options=options))
    read_schedules = partial(heavy.run, partial(read_schedule_pages, clock=rooms.clock))
    fleet = Loading(read_fleet, rooms.clock)
    schedules = Loading(read_schedules, rooms.clock)
    offers = Loading(partial(quick.run, partial(read_offers, clock=rooms.clock)), rooms.clock)

    def ended() -> None:
        fleet.refresh()
        for one in (schedules, offers):
            # What nobody has asked for is not read.
            if one.value is not None:
                one.refresh()

    return Console(
        rooms=rooms,
        options=options,
        session=Session(),
        heavy=heavy,
        quick=quick,
        fleet=fleet,
        schedules=schedules,
        offers=offers,
        changes=Changes(rooms, heavy, options.scope),
        operations=ConsoleOperations(rooms, ended=ended),
        past_runs=PastRuns(rooms, options.brakes),
        schedule_changes=ScheduleChanges(rooms, quick),
    )


async def _read_fleet(azure: "Azure", *, rooms: Rooms, options: ConsoleOptions) -> LoadedFleet:
    began = rooms.clock.now()
    seen = await azure.authorization.subscriptions()
    subscriptions = labels(SubscriptionNames.of((one.id, one.name) for one in seen))
    report = await audit(azure, options.scope, clock=rooms.clock)
    fleet = make_fleet(report, await azure.authorization.principals(), subscriptions)
    return LoadedFleet(fleet, Orders(fleet), choices_of(fleet), _kept(fleet, began, rooms))


def _kept(fleet: Fleet, began: datetime, rooms: Rooms) -> Sequence[Reading]:
    """The readings that this one can be compared with; a disk that is full hides no fleet."""
    target = fleet.target
    who = (target.cloud, target.endpoint, target.tenant_id, *fleet.scope, *map(repr, fleet.principals.items()))
    of = hashlib.sha256("\0".join(who).encode()).hexdigest()[:16]
    reading = Reading(began, of, {kind: count for kind, count in fleet.readiness.items() if count})
    try:
        return [one for one in rooms.keep_reading(reading) if one.of == of]
    except PatchmodeError as error:
        _log.warning("the reading was not kept: %s", error.message)
        return [reading]
