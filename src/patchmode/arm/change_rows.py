"""Who changed a resource: the fixed query of Resource Graph's `resourcechanges`, and how its rows become values.

Must not: guess. What a row does not say is None.

Source: Microsoft, "Get resource changes" (`properties.targetResourceId`, `changeType`, `changes` by dotted path, and
`changeAttributes` with timestamp, changedBy, changedByType, clientType, operation, correlationId), as public queries
use them. The members of a row are documented by an example only, so every one but the id may be absent here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from patchmode.arm.run_rows import moment_of
from patchmode.arm.wire import text_of
from patchmode.model.drift import ResourceChange

_CHANGES = """\
resourcechanges
| extend changedAt = todatetime(properties.changeAttributes.timestamp)
| where changedAt >= datetime({since})
| extend targetType = tolower(tostring(properties.targetResourceType))
| where targetType == 'microsoft.compute/virtualmachines' or targetType == 'microsoft.hybridcompute/machines'
    or targetType startswith 'microsoft.maintenance/'
| project id, properties
| order by id asc"""


def changes_query(since: datetime) -> str:
    """The query for changes of machines, schedules and assignments at or after a moment, aware."""
    return _CHANGES.format(since=f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")


def change_of(row: Mapping[str, Any]) -> ResourceChange | None:
    """The change in a row of the query; None: the row does not say which resource was changed."""
    properties = _object(row.get("properties"))
    target = text_of(properties.get("targetResourceId")) or _target_in(text_of(row.get("id")) or "")
    if target is None:
        return None
    attributes = _object(properties.get("changeAttributes"))
    return ResourceChange(
        resource_id=target,
        at=moment_of(attributes.get("timestamp")),
        change_type=text_of(properties.get("changeType")),
        changed_by=text_of(attributes.get("changedBy")),
        changed_by_type=text_of(attributes.get("changedByType")),
        client_type=text_of(attributes.get("clientType")),
        operation=text_of(attributes.get("operation")),
        correlation_id=text_of(attributes.get("correlationId")),
        paths=tuple(_object(properties.get("changes"))),
    )


def _target_in(identifier: str) -> str | None:
    """A change is a child of what was changed: `{resource}/providers/Microsoft.Resources/changes/{name}`."""
    at = identifier.casefold().rfind("/providers/microsoft.resources/changes/")
    return identifier[:at] if at > 0 else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
