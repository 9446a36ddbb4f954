"""Azure Resource Graph: bulk discovery by a handful of fixed queries, page by page, totals checked."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence, Set
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from patchmode.arm.channel import Channel, Trail
from patchmode.arm.governor import Cost, Identities
from patchmode.arm.machine_reading import MachineFacts, machine_of
from patchmode.arm.machine_rows import (
    ALL_GROUPS,
    FAILED_PATCH_EXTENSIONS,
    MACHINES,
    MANAGED_GROUPS,
    SUBSCRIPTIONS,
    UNSUPPORTED,
    change_of,
    changes_query,
    failed_extension_of,
    group_of,
    managed_group_of,
    subscription_in,
    support_of,
)
from patchmode.arm.pipeline import GRAPH_PATH
from patchmode.arm.run_rows import RecordRow, installation_of, installations_query, run_of, runs_query
from patchmode.arm.schedule_rows import (
    ASSIGNMENTS,
    CONFIGURATIONS,
    AssignmentRow,
    assignment_of,
    configuration_of,
    rows_read,
)
from patchmode.errors import ForbiddenError, RejectedError, RequestError
from patchmode.model.drift import ResourceChange
from patchmode.model.left_alone import Unreadable
from patchmode.model.machine import Machine, PatchExtension, ReadFrom
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    ConfigurationAssignment,
    DynamicScope,
    Installation,
    MachineRun,
    MaintenanceConfiguration,
)
from patchmode.ports.azure import GraphScope, ResourceGroup

T2 = TypeVar("T2")


async def merged(streams: Sequence[AsyncIterator[T2]]) -> AsyncIterator[T2]:
    """The pages of all streams, each stream's in its order, and among the streams as they come.

    The next page of a stream is asked for before the present one is handed on, so that all go on at the same time. A
    single stream is handed through, and nothing is read ahead.

    Args:
        streams: read from here on by this function alone.

    Raises:
        Exception: whatever a stream raises; the others are ended then.
    """
    if len(streams) == 1:
        async for only in streams[0]:
            yield only
        return
    reading = {asyncio.create_task(_next(stream)): stream for stream in streams}
    try:
        while reading:
            done, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                stream = reading.pop(task)
                page = task.result()
                if page is not None:
                    reading[asyncio.create_task(_next(stream))] = stream
                    yield page
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _next(stream: AsyncIterator[T2]) -> T2 | None:
    """The next page; None: there is none."""
    return await anext(stream, None)


API = "2021-03-01"
"""What azure-mgmt-resourcegraph 8 and most recordings speak."""
PAGE = 1_000
SUBSCRIPTIONS_AT_ONCE = 1_000
GROUPS_AT_ONCE = 10
"""The most that one query takes, as documented for Search-AzGraph; more are asked for in turn."""

_LOG = logging.getLogger(__name__)
_NOT_THEIRS = frozenset({400, 403, 404})
"""How a management group may be refused to somebody who has no part in it."""
_ODD = bool | int | float | str | list[Any] | None
"""A row that is no object: it is the row's own affair, and must not spoil its page."""
T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], rename="camel"):
    """One answer. `resultTruncated` is a text on the wire."""

    data: list[T]
    total_records: int | None = None
    result_truncated: str | None = None
    skip_token: str | None = msgspec.field(default=None, name="$skipToken")


class ResourceGraph:
    """Fulfils `ports.Graph`."""

    def __init__(self, channel: Channel, roster: Identities) -> None:
        """Ask through a channel.

        Args:
            channel: of a connection.
            roster: its identities; each is asked about a part of the scope, all at the same time.
        """
        self._channel = channel
        self._roster = roster
        self._url = channel.url(GRAPH_PATH, API)

    async def machines(
        self, scope: GraphScope, *, resource_groups: Sequence[str] = (), ids: Sequence[str] = ()
    ) -> AsyncIterator[Sequence[Machine | Unreadable]]:
        """Machines, page by page. See `ports.Graph.machines`.

        Groups and ids are compared here and not in the query: names may hold quotes, and a page costs the same.
        """
        groups = {name.casefold() for name in resource_groups}
        wanted = {text.strip().rstrip("/").casefold() for text in ids}
        narrowed = _narrowed(scope, ids)
        unsupported = await self._unsupported(narrowed)
        broken = await self._failed_extensions(narrowed)
        seen: set[str] = set()
        read = 0
        async for rows in self._pages(MACHINES, narrowed, MachineFacts):
            found: list[Machine | Unreadable] = []
            for number, row in enumerate(rows, read + 1):
                machine = _machine(row, number)
                if isinstance(machine, Unreadable):
                    # Of ids each is asked of its provider anyway; of groups the row may name one, or none.
                    if not wanted and _may_be_in(row, groups):
                        found.append(machine)
                    continue
                key = machine.id.key
                if key in seen or (wanted and key not in wanted):
                    continue
                if groups and machine.id.resource_group.casefold() not in groups:
                    continue
                seen.add(key)
                found.append(_with_findings(machine, unsupported.get(key), broken.get(key)))
            read += len(rows)
            yield found

    async def _unsupported(self, scope: GraphScope) -> dict[str, str]:
        """Machine key → what the last assessment found, where it is not `Supported`.

        It is an extra: where it cannot be had the state stays unknown, which is what the model says of None.
        """
        found: dict[str, str] = {}
        try:
            async for rows in self._pages(UNSUPPORTED, scope, dict[str, Any]):
                found.update(pair for row in rows if (pair := support_of(row)))
        except RequestError as error:
            _LOG.debug("assessment results could not be read: %s", error)
        return found

    async def _failed_extensions(self, scope: GraphScope) -> dict[str, PatchExtension]:
        """Machine key → its patch extension, where that has failed.

        It is an extra as well, but one whose absence hides a failure, so that whoever reads the log is told.
        """
        found: dict[str, PatchExtension] = {}
        try:
            async for rows in self._pages(FAILED_PATCH_EXTENSIONS, scope, dict[str, Any]):
                found.update(pair for row in rows if (pair := failed_extension_of(row)))
        except ForbiddenError as error:
            _LOG.debug("patch extensions could not be read: %s", error)
        except RequestError as error:
            _LOG.warning("whether patch extensions have failed is not known: %s", error)
        return found

    async def machine_ids(self, query: str, scope: GraphScope) -> AsyncIterator[Sequence[str]]:
        """The ids of the user's own query, which is sent as it was written. See `ports.Graph.machine_ids`."""
        async for rows in self._pages(query, scope, dict[str, Any]):
            ids = [row.get("id") if isinstance(row, dict) else None for row in rows]
            if not all(isinstance(text, str) and text for text in ids):
                raise RejectedError(
                    "the Resource Graph query gave rows without an `id`",
                    code="NoIdColumn",
                    status=200,
                    advice="Let the query project `id`, for example with `| project id` at its end.",
                )
            yield [str(text) for text in ids]

    async def resource_groups(self, scope: GraphScope) -> AsyncIterator[Sequence[ResourceGroup | Unreadable]]:
        """Resource groups that something manages. See `ports.Graph.resource_groups`."""
        async for found in self._read_rows(MANAGED_GROUPS, scope, dict[str, Any], managed_group_of, "managed groups"):
            yield found

    async def all_resource_groups(self, scope: GraphScope) -> AsyncIterator[Sequence[ResourceGroup | Unreadable]]:
        """Every resource group. See `ports.Graph.all_resource_groups`."""
        async for found in self._read_rows(ALL_GROUPS, scope, dict[str, Any], group_of, "resource groups"):
            yield found

    async def subscriptions_under(self, management_group: str) -> Sequence[str]:
        """Subscriptions below a management group. See `ports.Graph.subscriptions_under`.

        Each identity is asked, since each is told only of what it sees. One that is refused is passed over where
        another is answered: a group that is one identity's work need not be open to all.
        """
        scope = GraphScope(management_groups=(management_group,))
        found: dict[str, None] = {}
        refusals: list[RejectedError] = []
        for identity in self._roster.numbers:
            try:
                async for rows in self._read(SUBSCRIPTIONS, scope, dict[str, Any], identity):
                    found.update((subscription_in(row, management_group), None) for row in rows)
            except RejectedError as error:
                if error.status not in _NOT_THEIRS:
                    raise
                refusals.append(error)
        if len(refusals) == len(self._roster.names):
            raise refusals[0]
        for refusal in refusals:
            _LOG.warning("an identity may not look below management group %s: %s", management_group, refusal)
        return list(found)

    async def maintenance_configurations(
        self, scope: GraphScope
    ) -> AsyncIterator[Sequence[MaintenanceConfiguration | Unreadable]]:
        """Maintenance configurations of every kind. See `ports.Graph.maintenance_configurations`."""
        async for found in self._read_rows(CONFIGURATIONS, scope, dict[str, Any], configuration_of, "configurations"):
            yield found

    async def configuration_assignments(
        self, scope: GraphScope
    ) -> AsyncIterator[Sequence[ConfigurationAssignment | DynamicScope | Unreadable]]:
        """Assignments on machines, and dynamic scopes. See `ports.Graph.configuration_assignments`."""
        async for found in self._read_rows(ASSIGNMENTS, scope, AssignmentRow, assignment_of, "assignments"):
            yield found

    async def machine_runs(
        self, scope: GraphScope, *, since: datetime
    ) -> AsyncIterator[Sequence[MachineRun | Unreadable]]:
        """What became of machines in scheduled runs. See `ports.Graph.machine_runs`."""
        read = partial(run_of, since=since)
        async for found in self._read_rows(runs_query(since), scope, RecordRow, read, "scheduled runs"):
            yield found

    async def installations(
        self, scope: GraphScope, *, since: datetime
    ) -> AsyncIterator[Sequence[Installation | Unreadable]]:
        """Results of installing updates. See `ports.Graph.installations`."""
        read = partial(installation_of, since=since)
        async for found in self._read_rows(installations_query(since), scope, RecordRow, read, "installations"):
            yield found

    async def resource_changes(self, scope: GraphScope, *, since: datetime) -> AsyncIterator[Sequence[ResourceChange]]:
        """Who changed machines and assignments. See `ports.Graph.resource_changes`."""
        async for rows in self._pages(changes_query(since), scope, dict[str, Any]):
            yield [change for row in rows if isinstance(row, dict) and (change := change_of(row)) is not None]

    async def _read_rows(
        self, query: str, scope: GraphScope, shape: type[T], read: Callable[[Any], Any], what: str
    ) -> AsyncIterator[list[Any]]:
        """The rows of a query as what they are; one that cannot be read as an `Unreadable`."""
        before = 0
        async for rows in self._pages(query, scope, shape):
            yield rows_read(read, dict if shape == dict[str, Any] else shape, rows, before=before, what=what)
            before += len(rows)

    async def _pages(self, query: str, scope: GraphScope, row: type[T]) -> AsyncIterator[list[T]]:
        parts = await self._divided(scope)
        async for rows in merged([self._read(query, part, row, identity) for identity, part in parts]):
            yield rows

    async def _divided(self, scope: GraphScope) -> list[tuple[int, GraphScope]]:
        """Which identity asks about what. No part: the management groups hold nothing that any of them sees."""
        if len(self._roster.names) == 1:
            return [(0, scope)]
        if scope.management_groups:
            # Asked by the group, two identities would both tell of the subscriptions that both see.
            below = [entry for group in scope.management_groups for entry in await self.subscriptions_under(group)]
            scope = GraphScope(tuple(dict.fromkeys((*map(str.lower, scope.subscriptions), *below))))
            if not scope.subscriptions:
                return []
        return [(identity, GraphScope(part)) for identity, part in self._roster.divided(scope.subscriptions)]

    async def _read(self, query: str, scope: GraphScope, row: type[T], identity: int) -> AsyncIterator[list[T]]:
        spend = Cost(is_graph=True, identity=identity)
        for part in _parts(scope):
            trail = Trail("a query of Resource Graph")
            token: str | None = None
            read = 0
            while True:
                page = await self._page(query, part, token, row, spend)
                read += len(page.data)
                if page.data:
                    yield page.data
                token = page.skip_token
                trail.follow(token, is_empty=not page.data)
                if not token:
                    break
            _check_total(page, read)

    async def _page(self, query: str, part: dict[str, Any], token: str | None, row: type[T], spend: Cost) -> Page[T]:
        options: dict[str, Any] = {"$top": PAGE, "resultFormat": "objectArray"}
        if token:
            options["$skipToken"] = token
        body = {**part, "query": query, "options": options}
        answer = await self._channel.query(self._url, body, spend, shape=Page[row | _ODD])  # type: ignore[valid-type]
        if answer.headers.get("x-ms-tenant-subscription-limit-hit", "").casefold() == "true":
            raise RejectedError(
                "Resource Graph looked at the first 10,000 subscriptions only",
                code="TenantSubscriptionLimit",
                status=answer.status,
                advice="Name subscriptions or management groups.",
            )
        page: Page[T] = answer.document
        return page


def _narrowed(scope: GraphScope, ids: Sequence[str]) -> GraphScope:
    """Ids carry their subscriptions, so no others need be looked through."""
    if not ids or scope.subscriptions or scope.management_groups:
        return scope
    return GraphScope(subscriptions=tuple(sorted({ResourceId.parse(text).subscription_id for text in ids})))


def _parts(scope: GraphScope) -> Iterator[dict[str, Any]]:
    """The scope members of the bodies to send: subscriptions and management groups exclude each other in one query."""
    if not scope.subscriptions and not scope.management_groups:
        yield {}
    for at in range(0, len(scope.subscriptions), SUBSCRIPTIONS_AT_ONCE):
        yield {"subscriptions": list(scope.subscriptions[at : at + SUBSCRIPTIONS_AT_ONCE])}
    for at in range(0, len(scope.management_groups), GROUPS_AT_ONCE):
        yield {"managementGroups": list(scope.management_groups[at : at + GROUPS_AT_ONCE])}


def _check_total(last: Page[Any], read: int) -> None:
    """A fleet that was read in part must never pass for the whole.

    Raises:
        RejectedError: the service says that rows are missing.
    """
    is_short = last.total_records is not None and read < last.total_records
    if is_short or (last.result_truncated or "").casefold() == "true":
        raise RejectedError(
            f"Resource Graph gave {read} of {last.total_records} rows and no token for the rest",
            code="ResultTruncated",
            status=200,
            advice="Let the query project `id` and order its rows; drop `limit` and `take`; or run it again.",
        )


def _machine(row: object, number: int) -> Machine | Unreadable:
    name = f"row {number:,} of Resource Graph's machines"
    if not isinstance(row, MachineFacts):
        return Unreadable(name, f"it is no JSON object: {json.dumps(row)[:80]}")
    try:
        return machine_of(row, read_from=ReadFrom.GRAPH)
    except ValueError as error:
        return Unreadable(name, str(error))


def _may_be_in(row: object, groups: Set[str]) -> bool:
    """Whether a row that names no machine may be of one of these groups; none: everything is in."""
    text = row.id.casefold() if isinstance(row, MachineFacts) and isinstance(row.id, str) else ""
    return not groups or "/resourcegroups/" not in text or any(f"/resourcegroups/{name}/" in text for name in groups)


def _with_findings(machine: Machine, support: str | None, extension: PatchExtension | None) -> Machine:
    """The machine with what other tables and rows say of it."""
    if support is None and extension is None:
        return machine
    around = replace(machine.surroundings, detected_support=support, patch_extension=extension)
    return replace(machine, surroundings=around)
