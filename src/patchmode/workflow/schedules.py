"""Schedules: every configuration that can be seen, and what attaches them to the machines of some subscriptions.

Must not: resolve dynamic scopes or windows; the rules do. It asks by the page and by the subscription, never by the
machine or by the schedule.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from patchmode.errors import RequestError
from patchmode.model.schedule import (
    ConfigurationAssignment,
    DynamicScope,
    MaintenanceConfiguration,
    ScheduleBook,
)
from patchmode.rules.permissions import lacking
from patchmode.workflow.ports import Azure, GraphScope
from patchmode.workflow.unread import Unread, counted, parted

READ_ASSIGNMENTS = "Microsoft.Maintenance/configurationAssignments/read"
READ_CONFIGURATIONS = "Microsoft.Maintenance/maintenanceConfigurations/read"
AT_ONCE = 8
_NAMED = 3


async def read_schedules(azure: Azure, subscriptions: Iterable[str]) -> ScheduleBook:
    """Read the schedules of some subscriptions, as far as they can be seen.

    Args:
        azure: a connection; reading is enough.
        subscriptions: ids, any casing, of the subscriptions whose machines are of interest. Empty: an empty book.

    Returns:
        Assignments and dynamic scopes of those subscriptions, and configurations of every subscription that is seen,
        because a configuration may stand in another one. `covered` holds the subscriptions in which the principal may
        read every assignment. A subscription counts as `visible` when the principal sees it and, where something there
        is named and was not found, may read every configuration of it: who sees one resource group alone must not say
        that a configuration of another does not exist. Where Resource Graph does not answer, the book is empty, covers
        nothing and says why, so that a command can go on without schedules. A row that cannot be read
        leaves the subscription that its id names uncovered, or where it names none every one; of configurations none
        that was not found there is called missing.
    """
    wanted = tuple(sorted({entry.lower() for entry in subscriptions}))
    if not wanted:
        return ScheduleBook()
    seen, notes = await _seen(azure)
    hidden, nameless = Unread(), Unread()
    try:
        assignments, configurations = await asyncio.gather(
            _assignments(azure, GraphScope(wanted), hidden),
            _configurations(azure, GraphScope(tuple(sorted(seen))), nameless),
        )
    except RequestError as error:
        return ScheduleBook(notes=(*notes, f"Schedules were not looked up: {error.message}"))
    unfound = {entry.configuration for entry in assignments} - {entry.id for entry in configurations}
    doubtful = {entry.subscription_id for entry in unfound} & seen
    grants = await _grants(azure, {*wanted, *doubtful})
    covered = {entry for entry in wanted if _may(grants[entry], READ_ASSIGNMENTS)}
    visible = seen - {entry for entry in doubtful if not _may(grants[entry], READ_CONFIGURATIONS)}
    return ScheduleBook(
        configurations=tuple(sorted(configurations, key=lambda entry: entry.id.key)),
        assignments=tuple(entry for entry in assignments if isinstance(entry, ConfigurationAssignment)),
        dynamic_scopes=tuple(entry for entry in assignments if isinstance(entry, DynamicScope)),
        covered=_without(covered, hidden),
        visible=_without(visible, nameless),
        notes=(
            *notes,
            *counted(hidden, "assignments", "a machine may have a schedule that is not shown"),
            *counted(nameless, "configurations", "one that seems to be missing may be there"),
            *_uncovered(wanted, grants),
        ),
        unread=(*hidden.values(), *nameless.values()),
    )


@dataclass(frozen=True, slots=True)
class _Grant:
    """What may be done on one subscription."""

    permissions: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Identity's name → its permissions."""
    refusal: str = ""
    """Why it cannot be told; empty: it can."""


def _may(grant: _Grant, action: str) -> bool:
    return not grant.refusal and not lacking(action, grant.permissions)


async def _seen(azure: Azure) -> tuple[frozenset[str], tuple[str, ...]]:
    """The subscriptions that are seen; none where they cannot be listed, with a note that says so."""
    try:
        return frozenset(entry.id.lower() for entry in await azure.authorization.subscriptions()), ()
    except RequestError as error:
        return frozenset(), (
            f"Subscriptions could not be listed, so no schedule can be called missing: {error.message}",
        )


async def _assignments(azure: Azure, scope: GraphScope, unread: Unread) -> list[ConfigurationAssignment | DynamicScope]:
    found: list[ConfigurationAssignment | DynamicScope] = []
    async for page in azure.graph.configuration_assignments(scope):
        found += parted(page, unread)
    return found


async def _configurations(azure: Azure, scope: GraphScope, unread: Unread) -> list[MaintenanceConfiguration]:
    found: dict[str, MaintenanceConfiguration] = {}
    async for page in azure.graph.maintenance_configurations(scope):
        found.update((entry.id.key, entry) for entry in parted(page, unread))
    return list(found.values())


async def _grants(azure: Azure, subscriptions: Iterable[str]) -> dict[str, _Grant]:
    """What may be done on each subscription; one request each."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(subscription_id: str) -> tuple[str, _Grant]:
        async with slots:
            try:
                found = await azure.authorization.permissions(f"/subscriptions/{subscription_id}")
            except RequestError as error:
                return subscription_id, _Grant(refusal=error.code)
            return subscription_id, _Grant(found)

    return dict(await asyncio.gather(*map(one, sorted(subscriptions))))


def _without(subscriptions: Set[str], unread: Unread) -> frozenset[str]:
    """Those in which no row that could not be read may belong."""
    places = {entry.subscription for entry in unread.values()}
    return frozenset() if None in places else frozenset(subscriptions - places)


def _uncovered(wanted: Sequence[str], grants: Mapping[str, _Grant]) -> list[str]:
    """What a reader must know of the subscriptions that are not covered: one sentence for each reason."""
    notes = []
    may = {entry for entry in wanted if _may(grants[entry], READ_ASSIGNMENTS)}
    missing = [entry for entry in wanted if entry not in may and not grants[entry].refusal]
    if missing:
        notes.append(f"Schedules may be hidden in {_names(missing)}: {READ_ASSIGNMENTS} is not granted there.")
    silent = [entry for entry in wanted if grants[entry].refusal]
    if silent:
        codes = ", ".join(sorted({grants[entry].refusal for entry in silent}))
        notes.append(f"Schedules may be hidden in {_names(silent)}: permissions could not be read there ({codes}).")
    return notes


def _names(subscriptions: Sequence[str]) -> str:
    word = "subscription" if len(subscriptions) == 1 else "subscriptions"
    more = len(subscriptions) - _NAMED
    return f"{word} {', '.join(subscriptions[:_NAMED])}" + (f" and {more} more" if more > 0 else "")
