"""Schedules on the wire: the fixed queries for them, and how rows and documents become configurations and assignments.

What cannot be read is None here; whoever reads it says so.

Source: recorded answers of Microsoft.Maintenance (ids in any casing; an assignment names its configuration in lower
case; a dynamic scope states unused filter members as null), azure-mgmt-maintenance 2.1; for Resource Graph's
`maintenanceresources` the documented query samples of Azure Update Manager: a row follows the assignment's own shape.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from patchmode.arm.wire import member
from patchmode.model.left_alone import Unreadable
from patchmode.model.resource_id import ResourceId, ResourceIdError, subscription_of
from patchmode.model.schedule import (
    ConfigurationAssignment,
    DynamicScope,
    MaintenanceConfiguration,
    ScopeFilter,
    WindowRule,
)

IS_CONFIGURATION = "type =~ 'microsoft.maintenance/maintenanceconfigurations'"

CONFIGURATIONS = f"""\
resources
| where {IS_CONFIGURATION}
| project id, name, location, tags, properties
| order by id asc"""

IS_ASSIGNMENT = "type =~ 'microsoft.maintenance/configurationassignments'"
ASSIGNMENT_COLUMNS = """\
    configuration = properties.maintenanceConfigurationId,
    filter = properties.filter"""

ASSIGNMENTS = f"""\
maintenanceresources
| where {IS_ASSIGNMENT}
| project id, name,
{ASSIGNMENT_COLUMNS}
| order by id asc"""

MACHINE_TYPES = frozenset({"microsoft.compute/virtualmachines", "microsoft.hybridcompute/machines"})
"""What guest patching schedules reach; in lower case."""

_CHILD = "/providers/microsoft.maintenance/configurationassignments/"
_PLACE = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"(?:/resourceGroups/(?P<group>[^/]+))?",
    re.IGNORECASE,
)
_LISTS = {
    "resourcetypes": "resource_types",
    "resourcegroups": "resource_groups",
    "ostypes": "os_types",
    "locations": "locations",
}
_EMPTY: tuple[Any, ...] = (None, "", [], {})


class AssignmentRow(msgspec.Struct, gc=False):
    """One row of `ASSIGNMENTS`, of which a fleet may have 100,000; a strange one must not spoil its page."""

    id: Any = None
    name: Any = None
    configuration: Any = None
    filter: Any = None


class UnreadableRowError(ValueError):
    """A row or document is not what it should be; the message says what is wrong with it."""


def configuration_of(document: Mapping[str, Any]) -> MaintenanceConfiguration:
    """Read a maintenance configuration, from Resource Graph or from the provider.

    Args:
        document: `id`, `name`, `location`, `tags` and `properties`, as a GET answers them. The id may be in lower case
            where `name` keeps the spelling of whoever created it (recorded lists); the id then takes that over.

    Raises:
        UnreadableRowError: it has no id of a resource, or no properties.
    """
    identity, properties = _spelled(_resource(document.get("id")), document.get("name")), document.get("properties")
    if not isinstance(properties, Mapping):
        msg = f"{identity} has no properties"
        raise UnreadableRowError(msg)
    window = member(properties, "maintenanceWindow")
    tags = member(document, "tags")
    return MaintenanceConfiguration(
        id=identity,
        location=_text(document.get("location")) or "",
        scope=_text(properties.get("maintenanceScope")) or "",
        patch_mode=_text(_anycase(member(properties, "extensionProperties")).get("inguestpatchmode")),
        window=WindowRule(
            start=_text(window.get("startDateTime")),
            expiration=_text(window.get("expirationDateTime")),
            duration=_text(window.get("duration")),
            time_zone=_text(window.get("timeZone")),
            recur_every=_text(window.get("recurEvery")),
        ),
        reboot_setting=_text(member(properties, "installPatches").get("rebootSetting")),
        properties=properties,
        tags={key: _text(value) or "" for key, value in tags.items()},
    )


def assignment_of(row: AssignmentRow) -> ConfigurationAssignment | DynamicScope | None:
    """Read one assignment.

    Returns:
        What it attaches to, as its own id says; None: neither a machine nor a place that holds machines, so it is about
        hosts, scale sets, clusters or databases.

    Raises:
        UnreadableRowError: the id is no assignment's, or the configuration's id is none.
    """
    text = row.id if isinstance(row.id, str) else ""
    at = text.casefold().rfind(_CHILD)
    if at <= 0:
        msg = f"{row.id!r} is not the id of a configuration assignment"
        raise UnreadableRowError(msg)
    holder, name = text[:at], row.name if isinstance(row.name, str) and row.name else text[at + len(_CHILD) :]
    if place := _PLACE.fullmatch(holder):
        return DynamicScope(
            name=name,
            subscription_id=place["subscription"].lower(),
            resource_group=place["group"],
            configuration=_named_configuration(row),
            filter=filter_of(row.filter),
        )
    machine = _resource(holder)
    if machine.full_type not in MACHINE_TYPES:
        return None
    return ConfigurationAssignment(name, machine, _named_configuration(row))


def assignment_row(document: Mapping[str, Any]) -> AssignmentRow:
    """The provider's own document of an assignment in the shape of a row."""
    properties = member(document, "properties")
    return AssignmentRow(
        document.get("id"),
        document.get("name"),
        properties.get("maintenanceConfigurationId"),
        properties.get("filter"),
    )


def filter_of(document: object) -> ScopeFilter:
    """Read the filter of a dynamic scope.

    Args:
        document: the object as it stands; None and members that are null or empty do not narrow.

    Returns:
        Members that this version does not know, and known ones of another type than documented, are named in `unknown`
        where they are set: they may narrow, and nobody here can say how.

    Source: recorded answers: `locations`, `osTypes`, `resourceGroups`, `resourceTypes`, `tagSettings{tags,
    filterOperator}`, and always null so far `resourceIds` and `availabilityZones`.
    """
    if document in _EMPTY:
        return ScopeFilter()
    if not isinstance(document, Mapping):
        return ScopeFilter(unknown=("filter",))
    known: dict[str, tuple[str, ...]] = {}
    unknown: list[str] = []
    tags: Mapping[str, Any] = {}
    for name, value in document.items():
        if value in _EMPTY:
            continue
        lowered = name.casefold()
        if lowered in _LISTS and _is_texts(value):
            known[_LISTS[lowered]] = tuple(value)
        elif lowered == "tagsettings" and isinstance(value, Mapping):
            tags = value
        else:
            unknown.append(name)
    values, any_tag, strange = _tag_settings(tags)
    return ScopeFilter(**known, tags=values, any_tag=any_tag, unknown=(*unknown, *strange))


def _tag_settings(settings: Mapping[str, Any]) -> tuple[dict[str, tuple[str, ...]], bool, list[str]]:
    """The tags, whether one is enough, and what cannot be evaluated."""
    values: dict[str, tuple[str, ...]] = {}
    any_tag = False
    strange = []
    for name, value in settings.items():
        if value in _EMPTY:
            continue
        lowered = name.casefold()
        if lowered == "filteroperator" and isinstance(value, str) and value.casefold() in ("all", "any"):
            any_tag = value.casefold() == "any"
        elif lowered == "tags" and isinstance(value, Mapping) and all(map(_is_texts, value.values())):
            values = {key: tuple(entries) for key, entries in value.items()}
        else:
            strange.append(f"tagSettings.{name}")
    return values, any_tag, strange


def filter_document(wanted: ScopeFilter) -> dict[str, Any]:
    """The filter as a request carries it: members that narrow, and no others.

    Raises:
        ValueError: `wanted.unknown` is not empty; what it stands for is not known, so it cannot be written.
    """
    if wanted.unknown:
        msg = f"these members of the filter are not known to this version: {', '.join(wanted.unknown)}"
        raise ValueError(msg)
    lists = {
        "resourceTypes": wanted.resource_types,
        "resourceGroups": wanted.resource_groups,
        "osTypes": wanted.os_types,
        "locations": wanted.locations,
    }
    document: dict[str, Any] = {name: list(values) for name, values in lists.items() if values}
    if wanted.tags:
        document["tagSettings"] = {
            "tags": {key: list(values) for key, values in wanted.tags.items()},
            "filterOperator": "Any" if wanted.any_tag else "All",
        }
    return document


def rows_read(read: Callable[[Any], Any], shape: type, rows: Sequence[Any], *, before: int, what: str) -> list[Any]:
    """Each row as what it is, or as an `Unreadable`; only what is about something else, None of `read`, is left out.

    Args:
        read: raises UnreadableRowError where a row is not what it should be.
        shape: what every row should be: a struct, or `Mapping`.
        rows: of one page.
        before: how many rows the pages before it had.
        what: the rows are about, as words: `assignments`.
    """
    found = []
    for number, row in enumerate(rows, before + 1):
        try:
            value = read(_of_shape(row, shape))
        except UnreadableRowError as error:
            value = Unreadable(f"row {number:,} of Resource Graph's {what}", str(error), _place_of(row))
        if value is not None:
            found.append(value)
    return found


def _place_of(row: Any) -> str | None:
    """The subscription, in lower case, that the id of a row names; None: none."""
    text = row.get("id") if isinstance(row, Mapping) else getattr(row, "id", None)
    return subscription_of(text) if isinstance(text, str) else None


def _of_shape(row: Any, shape: type) -> Any:
    if not isinstance(row, shape):
        msg = f"it is not a JSON object: {json.dumps(row)[:80]}"
        raise UnreadableRowError(msg)
    return row


def _named_configuration(row: AssignmentRow) -> ResourceId:
    try:
        return _configuration(row.configuration)
    except (ResourceIdError, TypeError, AttributeError) as error:
        msg = f"{row.id} names no maintenance configuration: {row.configuration!r}"
        raise UnreadableRowError(msg) from error


@lru_cache(maxsize=4096)
def _configuration(text: str) -> ResourceId:
    """The id of a configuration, which thousands of assignments share."""
    return ResourceId.parse(text)


def _resource(text: object) -> ResourceId:
    try:
        return ResourceId.parse(text if isinstance(text, str) else "")
    except ResourceIdError as error:
        raise UnreadableRowError(str(error)) from error


def _spelled(identity: ResourceId, name: object) -> ResourceId:
    """The same id, its last segment spelled like the resource's own name."""
    if not isinstance(name, str) or name == identity.name or name.casefold() != identity.name.casefold():
        return identity
    return ResourceId.parse(identity.text.removesuffix(identity.name) + name)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _text(value: object) -> str | None:
    """A text as it stands; a value of another type as its JSON, so that whoever reads it says that it is unreadable."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _anycase(holder: Mapping[str, Any]) -> dict[str, Any]:
    """Members by their names without case: `extensionProperties` is a dictionary of the service's, not a schema."""
    return {name.casefold(): value for name, value in holder.items()}
