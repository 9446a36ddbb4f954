"""Azure Resource Graph: bulk discovery by a handful of fixed queries, page by page, totals checked."""

import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence, Set
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from patchmode.arm.channel import Channel
from patchmode.arm.event_rows import SYSTEM_TOPICS, TOPIC_TYPE, topic_of
from patchmode.arm.governor import Identities
from patchmode.arm.graph_answers import Answers, Table
from patchmode.arm.graph_queries import PAGE, SUBSCRIPTION_LIMIT, Queries, merged
from patchmode.arm.machine_reading import MachineFacts, machine_of
from patchmode.arm.machine_rows import (
    ALL_GROUPS,
    FAILED_PATCH_EXTENSIONS,
    MACHINES,
    MANAGED_GROUPS,
    NARROWED_TO_AT_MOST,
    UNSUPPORTED,
    InventoryRow,
    Rank,
    change_of,
    changes_query,
    failed_extension_of,
    group_of,
    id_of,
    inventory_query,
    managed_group_of,
    named_query,
    support_of,
)
from patchmode.arm.run_rows import (
    MaintenanceRow,
    RecordRow,
    assessment_of,
    assessments_query,
    installation_of,
    installations_query,
    run_of,
    runs_and_assignments_query,
    runs_query,
)
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
from patchmode.model.maintenance_events import SystemTopic
from patchmode.model.resource_id import ResourceId, subscription_of
from patchmode.model.schedule import (
    Assessment,
    ConfigurationAssignment,
    DynamicScope,
    Installation,
    MachineRun,
    MaintenanceConfiguration,
)
from patchmode.ports.azure import GraphScope, ResourceGroup

NAMES_AT_ONCE = 1_000
"""Names in one query. No source states how long a query may be; a thousand of 64 letters are 67 KB."""

_LOG = logging.getLogger(__name__)
_OF_ONE_TABLE = frozenset({400, 403, 404, 413})
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
T = TypeVar("T")


class _ApartError(Exception):
    """A query of several tables was refused; each of them may still be allowed by itself."""


class _Tables:
    """The rows of one reading of `inventory_query`, as long as they are few enough to be kept."""

    def __init__(self) -> None:
        self.machines: list[Any] | None = []
        """With their extensions; None: too many."""
        self.groups: list[Any] = []
        self.configurations: list[Any] = []
        self.topics: list[Any] = []
        self.is_whole = True
        """Whether every configuration and topic was read."""

    def take(self, rows: Sequence[Any]) -> list[Any]:
        """Note the rows of a page; gives back those of machines and their extensions."""
        own = []
        for row in rows:
            rank = _rank_of(row)
            if rank is Rank.GROUP:
                self.groups.append(row.document)
            elif rank is Rank.CONFIGURATION:
                is_topic = str(row.document.get("type")).casefold() == TOPIC_TYPE
                (self.topics if is_topic else self.configurations).append(row.document)
            else:
                own.append(row)
        if self.machines is not None:
            self.machines = [*self.machines, *own] if len(self.machines) + len(own) <= PAGE else None
        return own


class ResourceGraph:
    """Fulfils `ports.Graph`.

    What a command needs of a small fleet comes in few queries: tables that one query may bring come together, and what
    was read whole is kept for the command's next question. Nothing is read twice for it where a fleet is large: a query
    of several tables has no more pages than they have, and where it is refused each is asked for by itself.
    """

    def __init__(self, channel: Channel, roster: Identities) -> None:
        """Ask through a channel.

        Args:
            channel: of a connection.
            roster: its identities; each is asked about a part of the scope, all at the same time.
        """
        self._queries = Queries(channel, roster)
        self._answers = Answers(channel.clock.monotonic, lambda: channel.writes)
        self._apart: set[str] = set()
        """What was refused together."""

    def forget(self) -> None:
        """See `ports.Graph.forget`."""
        self._answers.forget()

    async def machines(
        self, scope: GraphScope, *, resource_groups: Sequence[str] = (), ids: Sequence[str] = ()
    ) -> AsyncIterator[Sequence[Machine | Unreadable]]:
        """Machines, page by page. See `ports.Graph.machines`.

        Groups and ids are compared here and not in the query: names may hold quotes, and a page costs the same.
        """
        groups = {name.casefold() for name in resource_groups}
        wanted = {text.strip().rstrip("/").casefold() for text in ids}
        broken: dict[str, PatchExtension] = {}
        seen: set[str] = set()
        read = 0
        async with aclosing(self._inventory(_narrowed(scope, ids))) as pages:
            async for rows in pages:
                found: list[Machine | Unreadable] = []
                for row in rows:
                    if _rank_of(row) is Rank.EXTENSION:
                        broken.update(filter(None, (failed_extension_of(row.document),)))
                        continue
                    read += 1
                    machine = _machine(row, read)
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
                    found.append(_with_findings(machine, row.support or None, broken.get(key)))
                yield found

    async def _inventory(self, scope: GraphScope) -> AsyncGenerator[Sequence[Any], None]:
        """Rows of failed patch extensions and, after those of the same place, of machines.

        What the same query brings besides is kept: managed groups, and the configurations of every subscription.
        """
        kept = self._answers.find(Table.MACHINES, scope, _place_of)
        if kept is not None:
            yield kept
            return
        tables, narrowed = _Tables(), _named(scope)
        asked = GraphScope() if narrowed else scope
        try:
            async for page in self._together(inventory_query(narrowed), asked, InventoryRow, _is_configuration, tables):
                yield tables.take(page)
        except _ApartError:
            async for rows in self._inventory_apart(scope):
                yield rows
            return
        self._answers.keep(Table.GROUPS, scope, tables.groups)
        if tables.machines is not None:
            self._answers.keep(Table.MACHINES, scope, tables.machines)
        if tables.is_whole:
            self._answers.keep(Table.CONFIGURATIONS, asked, tables.configurations)
            self._answers.keep(Table.TOPICS, asked, tables.topics)

    async def _inventory_apart(self, scope: GraphScope) -> AsyncIterator[Sequence[Any]]:
        """The same rows by a query for each table."""
        unsupported = await self._unsupported(scope)
        yield await self._failed_extensions(scope)
        async for rows in self._queries.pages(MACHINES, scope, InventoryRow):
            for row in rows:
                if isinstance(row, InventoryRow) and isinstance(row.id, str):
                    row.support = unsupported.get(row.id.casefold())
            yield rows

    async def _together(
        self, query: str, scope: GraphScope, row: type[T], is_besides: Callable[[Any], bool], tables: "_Tables"
    ) -> AsyncIterator[list[T]]:
        """The pages of a query of several tables; where it is refused, it is not tried again on this connection.

        Args:
            query: orders what is asked for before what comes besides.
            scope: where to look.
            row: of every table.
            is_besides: whether a row is of the table that comes last: its rows are welcome, but no page is read for
                them alone.
            tables: is told where that table was left.

        Raises:
            _ApartError: no row was read.
        """
        name = query.partition("\n")[0]
        if name in self._apart:
            raise _ApartError
        has_begun: set[int] = set()

        def enough(rows: Sequence[Any]) -> bool:
            is_left = bool(rows) and is_besides(rows[-1])
            tables.is_whole = tables.is_whole and not is_left
            return is_left

        async def one(identity: int, part: GraphScope) -> AsyncIterator[list[T]]:
            try:
                async for rows in self._queries.read(query, part, row, identity, enough):
                    has_begun.add(identity)
                    yield rows
            except RejectedError as error:
                if identity in has_begun or not _may_be_of_one_table(error):
                    raise
                _LOG.debug("tables are asked for one by one, since together they were refused: %s", error)
                self._apart.add(name)
                raise _ApartError from error

        async for rows in merged([one(identity, part) for identity, part in await self._queries.divided(scope)]):
            yield rows

    async def _unsupported(self, scope: GraphScope) -> dict[str, str]:
        """Machine key → what the last assessment found, where it is not `Supported`.

        It is an extra: where it cannot be had the state stays unknown, which is what the model says of None.
        """
        found: dict[str, str] = {}
        try:
            async for rows in self._queries.pages(UNSUPPORTED, scope, dict[str, Any]):
                found.update(pair for row in rows if (pair := support_of(row)))
        except RequestError as error:
            _LOG.debug("assessment results could not be read: %s", error)
        return found

    async def _failed_extensions(self, scope: GraphScope) -> list[InventoryRow]:
        """Patch extensions that have failed.

        It is an extra as well, but one whose absence hides a failure, so that whoever reads the log is told.
        """
        found: list[InventoryRow] = []
        try:
            async for rows in self._queries.pages(FAILED_PATCH_EXTENSIONS, scope, InventoryRow):
                found += (row for row in rows if isinstance(row, InventoryRow))
        except ForbiddenError as error:
            _LOG.debug("patch extensions could not be read: %s", error)
        except RequestError as error:
            _LOG.warning("whether patch extensions have failed is not known: %s", error)
        for row in found:
            row.rank = Rank.EXTENSION
        return found

    async def machine_ids(self, query: str, scope: GraphScope) -> AsyncIterator[Sequence[str]]:
        """The ids of the user's own query, which is sent as it was written. See `ports.Graph.machine_ids`."""
        async for rows in self._queries.pages(query, scope, dict[str, Any]):
            ids = [row.get("id") if isinstance(row, dict) else None for row in rows]
            if not all(isinstance(text, str) and text for text in ids):
                raise RejectedError(
                    "the Resource Graph query gave rows without an `id`",
                    code="NoIdColumn",
                    status=200,
                    advice="Let the query project `id`, for example with `| project id` at its end.",
                )
            yield [str(text) for text in ids]

    async def machines_named(
        self, names: Sequence[str], scope: GraphScope
    ) -> AsyncIterator[Sequence[ResourceId | Unreadable]]:
        """Ids of machines by name. See `ports.Graph.machines_named`."""
        wanted = sorted({name.casefold() for name in names})
        for at in range(0, len(wanted), NAMES_AT_ONCE):
            query = named_query(wanted[at : at + NAMES_AT_ONCE])
            async for found in self._read_rows(query, scope, dict[str, Any], id_of, "machines by name"):
                yield found

    async def resource_groups(self, scope: GraphScope) -> AsyncIterator[Sequence[ResourceGroup | Unreadable]]:
        """Resource groups that something manages. See `ports.Graph.resource_groups`."""
        async for found in self._read_table(Table.GROUPS, MANAGED_GROUPS, scope, managed_group_of, "managed groups"):
            yield found

    async def all_resource_groups(self, scope: GraphScope) -> AsyncIterator[Sequence[ResourceGroup | Unreadable]]:
        """Every resource group. See `ports.Graph.all_resource_groups`."""
        async for found in self._read_rows(ALL_GROUPS, scope, dict[str, Any], group_of, "resource groups"):
            yield found

    async def subscriptions_under(self, management_group: str) -> Sequence[str]:
        """Subscriptions below a management group. See `ports.Graph.subscriptions_under`."""
        return await self._queries.subscriptions_under(management_group)

    async def maintenance_configurations(
        self, scope: GraphScope
    ) -> AsyncIterator[Sequence[MaintenanceConfiguration | Unreadable]]:
        """Maintenance configurations of every kind. See `ports.Graph.maintenance_configurations`."""
        async for found in self._read_table(
            Table.CONFIGURATIONS, CONFIGURATIONS, scope, configuration_of, "configurations"
        ):
            yield found

    async def configuration_assignments(
        self, scope: GraphScope
    ) -> AsyncIterator[Sequence[ConfigurationAssignment | DynamicScope | Unreadable]]:
        """Assignments on machines, and dynamic scopes. See `ports.Graph.configuration_assignments`."""
        async for found in self._read_table(
            Table.ASSIGNMENTS, ASSIGNMENTS, scope, assignment_of, "assignments", AssignmentRow
        ):
            yield found

    async def system_topics(self, scope: GraphScope) -> AsyncIterator[Sequence[SystemTopic | Unreadable]]:
        """Where configurations publish their events. See `ports.Graph.system_topics`."""
        async for found in self._read_table(Table.TOPICS, SYSTEM_TOPICS, scope, topic_of, "system topics"):
            yield found

    async def machine_runs(
        self, scope: GraphScope, *, since: datetime
    ) -> AsyncIterator[Sequence[MachineRun | Unreadable]]:
        """What became of machines in scheduled runs. See `ports.Graph.machine_runs`."""
        read, what = partial(run_of, since=since), "scheduled runs"
        if self._answers.find(Table.ASSIGNMENTS, scope, _place_of) is None:
            try:
                async for rows, before in self._runs_with_assignments(scope, since):
                    yield rows_read(read, MaintenanceRow, rows, before=before, what=what)
            except _ApartError:
                pass
            else:
                return
        async for found in self._read_rows(runs_query(since), scope, RecordRow, read, what):
            yield found

    async def _runs_with_assignments(
        self, scope: GraphScope, since: datetime
    ) -> AsyncIterator[tuple[list[MaintenanceRow], int]]:
        """Rows of runs, and how many there were before; the assignments that the same query brings are kept."""
        tables, before = _Tables(), 0
        assignments: list[AssignmentRow] = []
        query = runs_and_assignments_query(since)
        async for rows in self._together(query, scope, MaintenanceRow, _is_assignment, tables):
            runs = [row for row in rows if not _is_assignment(row)]
            assignments += (row.assignment for row in rows if _is_assignment(row))
            yield runs, before
            before += len(runs)
        if tables.is_whole:
            self._answers.keep(Table.ASSIGNMENTS, scope, assignments)

    async def installations(
        self, scope: GraphScope, *, since: datetime
    ) -> AsyncIterator[Sequence[Installation | Unreadable]]:
        """Results of installing updates. See `ports.Graph.installations`."""
        read = partial(installation_of, since=since)
        async for found in self._read_rows(installations_query(since), scope, RecordRow, read, "installations"):
            yield found

    async def assessments(
        self, scope: GraphScope, machines: Sequence[ResourceId] = ()
    ) -> AsyncIterator[Sequence[Assessment | Unreadable]]:
        """What is pending on machines. See `ports.Graph.assessments`."""
        query = assessments_query(machines if len(machines) <= NARROWED_TO_AT_MOST else ())
        async for found in self._read_rows(query, scope, RecordRow, assessment_of, "assessments"):
            yield found

    async def resource_changes(self, scope: GraphScope, *, since: datetime) -> AsyncIterator[Sequence[ResourceChange]]:
        """Who changed machines and assignments. See `ports.Graph.resource_changes`."""
        async for rows in self._queries.pages(changes_query(since), scope, dict[str, Any]):
            yield [change for row in rows if isinstance(row, dict) and (change := change_of(row)) is not None]

    async def _read_rows(
        self, query: str, scope: GraphScope, shape: type[T], read: Callable[[Any], Any], what: str
    ) -> AsyncIterator[list[Any]]:
        """The rows of a query as what they are; one that cannot be read as an `Unreadable`."""
        before = 0
        async for rows in self._queries.pages(query, scope, shape):
            yield rows_read(read, dict if shape == dict[str, Any] else shape, rows, before=before, what=what)
            before += len(rows)

    async def _read_table(
        self,
        table: Table,
        query: str,
        scope: GraphScope,
        read: Callable[[Any], Any],
        what: str,
        shape: Any = dict[str, Any],
    ) -> AsyncIterator[list[Any]]:
        """As `_read_rows`, of a table that this connection may have read whole a moment ago."""
        of_row = dict if shape == dict[str, Any] else shape
        kept = self._answers.find(table, scope, _place_of)
        if kept is not None:
            if kept:
                yield rows_read(read, of_row, kept, before=0, what=what)
            return
        whole: list[Any] = []
        before = 0
        async for rows in self._queries.pages(query, scope, shape):
            yield rows_read(read, of_row, rows, before=before, what=what)
            before += len(rows)
            whole = [*whole, *rows] if before <= PAGE else []
        if before <= PAGE:
            self._answers.keep(table, scope, whole)


def _narrowed(scope: GraphScope, ids: Sequence[str]) -> GraphScope:
    """Ids carry their subscriptions, so no others need be looked through."""
    if not ids or scope.subscriptions or scope.management_groups:
        return scope
    return GraphScope(subscriptions=tuple(sorted({ResourceId.parse(text).subscription_id for text in ids})))


def _rank_of(row: object) -> Rank:
    """What a row is about; one that does not tell is taken for a machine's, so that it is counted."""
    rank = row.rank if isinstance(row, InventoryRow) else None
    return Rank(rank) if rank in (Rank.GROUP, Rank.EXTENSION, Rank.CONFIGURATION) else Rank.MACHINE


def _may_be_of_one_table(error: RejectedError) -> bool:
    """Whether a refusal of a query may be about one of its tables, or about where it looks besides."""
    return error.code == SUBSCRIPTION_LIMIT or error.status in _OF_ONE_TABLE or (error.status or 0) >= 500


def _is_configuration(row: object) -> bool:
    return _rank_of(row) is Rank.CONFIGURATION


def _is_assignment(row: object) -> bool:
    return isinstance(row, MaintenanceRow) and row.is_assignment in (True, 1)


def _place_of(row: object) -> str | None:
    """The subscription, in lower case, that a row's id names; None: none."""
    text = row.get("id") if isinstance(row, dict) else getattr(row, "id", None)
    return subscription_of(text) if isinstance(text, str) else None


def _named(scope: GraphScope) -> frozenset[str]:
    """The subscriptions to name in a query's text, which then looks everywhere else too; none: the request names them.

    SAFETY: nothing but GUIDs becomes part of a query.
    """
    named = frozenset(one.lower() for one in scope.subscriptions)
    is_short = not scope.management_groups and len(named) <= NARROWED_TO_AT_MOST
    return named if is_short and all(map(_GUID.fullmatch, named)) else frozenset()


def _machine(row: object, number: int) -> Machine | Unreadable:
    name = f"row {number:,} of Resource Graph's machines"
    if not isinstance(row, MachineFacts):
        return Unreadable(name, f"it is not a JSON object: {json.dumps(row)[:80]}")
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
