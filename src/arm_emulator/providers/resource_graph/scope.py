"""Which rows a query may see: the subscriptions it names, and among them what the caller can read."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from arm_emulator.fleets import GROUP_TYPE
from arm_emulator.patching import Patching
from arm_emulator.protocol.http import ArmError, Request
from arm_emulator.providers.resource_graph import changes
from arm_emulator.providers.resource_graph.changes import Changes
from arm_emulator.providers.resource_graph.index import GraphIndex
from arm_emulator.providers.resource_graph.rows import (
    VIRTUAL_MACHINE_TYPE,
    Row,
    Rows,
    container_rows,
    extension_children,
    table_of,
)

if TYPE_CHECKING:
    from arm_emulator.directory import Subscription
    from arm_emulator.protocol.cloud import Cloud
    from arm_emulator.state import Stored


EXTENSION_TYPE = f"{VIRTUAL_MACHINE_TYPE}/extensions"


def subscriptions_in_scope(cloud: "Cloud", request: Request, body: dict[str, Any]) -> "list[Subscription]":
    """The subscriptions that a query body names and the caller can see; none named: all that it can see.

    Raises:
        ArmError: 403 where one cannot be seen and the profile says that Azure refuses then.
    """
    named = body.get("subscriptions") or ()
    groups = body.get("managementGroups") or ()
    wanted: Iterable[Subscription] = cloud.directory.subscriptions.values()
    if named or groups:
        found = [cloud.directory.subscription(str(id_)) for id_ in named]
        below = [entry for name in groups for entry in cloud.directory.subscriptions_under(str(name))]
        wanted = {entry.id.lower(): entry for entry in (*found, *below) if entry is not None}.values()
    seen = [entry for entry in wanted if cloud.authorization.can_see(request.principal, f"/subscriptions/{entry.id}")]
    visible = {entry.id.lower() for entry in seen}
    missing = [str(id_) for id_ in named if str(id_).lower() not in visible]
    if missing and cloud.profile.unreadable_subscription_graph == "forbidden":
        message = f"The client does not have access to the subscription(s) {', '.join(missing)}."
        raise ArmError(403, "AuthorizationFailed", message)
    return seen


class Source:
    """Gives the evaluator a table's rows for one query."""

    def __init__(self, cloud: "Cloud", request: Request, rows: Rows, subscriptions: "list[Subscription]") -> None:
        self._cloud = cloud
        self._request = request
        self._rows = rows
        self._subscriptions = subscriptions
        self._ids = {entry.id.lower() for entry in subscriptions}
        self._answers: dict[tuple[str, str, str], bool] = {}

    def rows(self, table: str, types: frozenset[str] | None) -> Iterator[Row]:
        """The rows of a table that the caller may read; ``types`` (lower case) leaves out others early."""
        index = self._cloud.parts[GraphIndex]
        if table == "resourcecontainers" and types != frozenset({GROUP_TYPE}):
            yield from container_rows(self._cloud, self._subscriptions)
        if table == changes.TABLE and (types is None or changes.TYPE in types):
            yield from self._changes()
        made = {stored.key: stored for stored in self._cloud.parts[Patching].rows(table, types)}
        for type_ in index.types():
            if table_of(type_) != table or (types is not None and type_ not in types):
                continue
            if type_ == "microsoft.resources/subscriptions":
                continue
            found = index.of_type(type_)
            if made:
                found = [stored for stored in found if stored.key not in made]
            yield from (self._rows.row(stored) for stored in found if self._is_readable(stored))
        if table == "resources" and (types is None or EXTENSION_TYPE in types):
            yield from self._extensions()
        # These change with the moment of asking, so nothing is remembered of them.
        wanted = (stored for stored in made.values() if types is None or stored.type in types)
        yield from (self._rows.fresh(stored) for stored in wanted if self._is_readable(stored))

    def _extensions(self) -> Iterator[Row]:
        """The extensions inside machines' documents; one that is stored by itself too has its row already."""
        index = self._cloud.parts[GraphIndex]
        apart = {stored.key for stored in index.of_type(EXTENSION_TYPE)}
        for machine in index.of_type(VIRTUAL_MACHINE_TYPE):
            for child in extension_children(machine):
                if child.key not in apart and self._is_readable(child):
                    yield self._rows.fresh(child)

    def _changes(self) -> Iterator[Row]:
        for machine, change in self._cloud.parts[Changes].rows():
            if self._is_readable(machine):
                row = self._rows.fresh(change)
                yield {**row, "resourceGroup": row["resourceGroup"].lower()}

    def _is_readable(self, stored: "Stored") -> bool:
        if stored.subscription not in self._ids:
            return False
        action = f"{stored.type}/read"
        at_subscription = (stored.type, stored.subscription, "")
        if self._allowed(at_subscription, action, f"/subscriptions/{stored.subscription}"):
            return True
        group = f"/subscriptions/{stored.subscription}/resourcegroups/{stored.group}"
        if stored.group and self._allowed((stored.type, stored.subscription, stored.group), action, group):
            return True
        return self._cloud.authorization.allows(self._request.principal, action, stored.key)

    def _allowed(self, place: tuple[str, str, str], action: str, scope: str) -> bool:
        known = self._answers.get(place)
        if known is None:
            known = self._answers[place] = self._cloud.authorization.allows(self._request.principal, action, scope)
        return known
