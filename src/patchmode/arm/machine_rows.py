"""Resource Graph's rows of machines and of changes: the fixed queries, and how rows become values."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from patchmode.arm.event_rows import IS_TOPIC, TOPIC_TYPE
from patchmode.arm.machine_reading import MachineFacts
from patchmode.arm.run_rows import moment_of
from patchmode.arm.schedule_rows import IS_CONFIGURATION, UnreadableRowError
from patchmode.arm.wire import text_of
from patchmode.errors import RejectedError
from patchmode.model.drift import ResourceChange
from patchmode.model.machine import PatchExtension
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.ports.azure import ResourceGroup

_IS_MACHINE = "type =~ 'microsoft.compute/virtualmachines' or type =~ 'microsoft.hybridcompute/machines'"
_MACHINE_COLUMNS = """\
    provisioningState = properties.provisioningState,
    vmId = properties.vmId,
    diskOs = properties.storageProfile.osDisk.osType,
    arcOs = properties.osType,
    osDiskCreateOption = properties.storageProfile.osDisk.createOption,
    image = properties.storageProfile.imageReference,
    plan,
    licenseType = properties.licenseType,
    scaleSet = properties.virtualMachineScaleSet.id,
    osProfile = isnotnull(properties.osProfile),
    allowExtensions = properties.osProfile.allowExtensionOperations,
    windowsConfiguration = isnotnull(properties.osProfile.windowsConfiguration),
    windows = properties.osProfile.windowsConfiguration.patchSettings,
    windowsAgent = properties.osProfile.windowsConfiguration.provisionVMAgent,
    windowsUpdates = properties.osProfile.windowsConfiguration.enableAutomaticUpdates,
    linuxConfiguration = isnotnull(properties.osProfile.linuxConfiguration),
    linux = properties.osProfile.linuxConfiguration.patchSettings,
    linuxAgent = properties.osProfile.linuxConfiguration.provisionVMAgent,
    power = properties.extended.instanceView.powerState,
    osName = properties.extended.instanceView.osName,
    osVersion = properties.extended.instanceView.osVersion,
    arcStatus = properties.status,
    arcEdition = properties.osSku"""

MACHINES = f"""\
resources
| where {_IS_MACHINE}
| project id, type, location, tags, managedBy,
{_MACHINE_COLUMNS}
| order by id asc"""


def named_query(names: Sequence[str]) -> str:
    """The query for the ids of machines that have one of some names.

    Args:
        names: any text; quotation marks are escaped as Kusto's string literals ask for.
    """
    texts = ", ".join("'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'" for name in names)
    return f"""\
resources
| where {_IS_MACHINE}
| where name in~ ({texts})
| project id
| order by id asc"""


def id_of(row: Mapping[str, Any]) -> ResourceId:
    """The id of a row of `named_query`.

    Raises:
        UnreadableRowError: it names no resource.
    """
    try:
        return ResourceId.parse(str(row.get("id")))
    except ResourceIdError as error:
        raise UnreadableRowError(str(error)) from error


_UNSUPPORTED = """\
patchassessmentresources
| where type =~ 'microsoft.compute/virtualmachines/patchassessmentresults'
| extend support = tostring(properties.configurationStatus.vmGuestPatchReadiness.detectedVMGuestPatchSupportState)
| where isnotempty(support) and support !~ 'Supported'"""

UNSUPPORTED = f"""\
{_UNSUPPORTED}
| project id, support
| order by id asc"""
"""Only what is not supported is asked for: one page as a rule. A row for each machine would cost as much again."""

_IS_FAILED_EXTENSION = """\
type in~ ('microsoft.compute/virtualmachines/extensions', 'microsoft.hybridcompute/machines/extensions')
    and tostring(properties.publisher) in~ ('Microsoft.CPlat.Core', 'Microsoft.SoftwareUpdateManagement')
    and (tostring(properties.provisioningState) in~ ('Failed', 'Canceled')
        or strcat(properties.instanceView.statuses[0].level, properties.instanceView.status.level) =~ 'Error')"""

FAILED_PATCH_EXTENSIONS = f"""\
resources
| where {_IS_FAILED_EXTENSION}
| project id, name, type, properties
| order by id asc"""
"""Only what failed is asked for: no row at all as a rule. Whether rows hold an `instanceView` is stated nowhere."""

_MANAGED_GROUPS = """\
resourcecontainers
| where type =~ 'microsoft.resources/subscriptions/resourcegroups' and isnotempty(managedBy)"""

MANAGED_GROUPS = f"""\
{_MANAGED_GROUPS}
| project id, name, subscriptionId, managedBy
| order by id asc"""

ALL_GROUPS = """\
resourcecontainers
| where type =~ 'microsoft.resources/subscriptions/resourcegroups'
| project id, name, subscriptionId
| order by id asc"""

SUBSCRIPTIONS = """\
resourcecontainers
| where type =~ 'microsoft.resources/subscriptions'
| project id, subscriptionId
| order by id asc"""


class InventoryRow(MachineFacts, gc=False, rename="camel"):
    """One row of `inventory_query`: of a machine, or of what its `rank` says."""

    rank: Any = None
    name: Any = None
    subscription_id: Any = None
    support: Any = None
    """Of a machine that its last assessment found not to be supported: the state."""
    properties: Any = None
    """Not of a machine."""

    @property
    def document(self) -> dict[str, Any]:
        """The members that rows of other queries have too, by their names on the wire."""
        return {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "location": self.location,
            "tags": self.tags,
            "managedBy": self.managed_by,
            "subscriptionId": self.subscription_id,
            "properties": self.properties,
        }


class Rank(IntEnum):
    """What a row of `inventory_query` is about, in the order in which rows come.

    What a machine is joined with comes before it. Configurations come last, so that whoever needs none may stop there.
    """

    GROUP = 0
    EXTENSION = 1
    MACHINE = 2
    CONFIGURATION = 3


NARROWED_TO_AT_MOST = 50
"""Subscriptions that a query names in its text; of more, the request's own list is used."""


def inventory_query(subscriptions: Collection[str] = ()) -> str:
    """Machines with what surrounds them, and maintenance configurations with their system topics, in one query.

    Resource Graph takes three `join` and `union` in a query, one of them a join with another table, and a union only of
    one table or of `resources` and `resourcecontainers`; here are one of each, and no table comes twice on the right.
    Source: "Understanding the Azure Resource Graph query language", as revised in 2021 and 2024. There is no batch of
    queries: azure-mgmt-resourcegraph has one operation, which takes one query.

    Args:
        subscriptions: ids of those whose machines are asked for; empty: of all that the request is about.
            Configurations are asked for in all of them in either case, since a machine's may stand in another one.
    """
    where = ""
    if subscriptions:
        where = " and subscriptionId in~ (" + ", ".join(f"'{one}'" for one in sorted(subscriptions)) + ")"
    return f"""\
resources
| where {IS_CONFIGURATION}
    or {IS_TOPIC}
    or (({_IS_MACHINE}){where})
    or ({_IS_FAILED_EXTENSION}{where})
| extend rank = case({_IS_MACHINE}, {Rank.MACHINE:d}, {IS_CONFIGURATION} or type =~ '{TOPIC_TYPE}',
    {Rank.CONFIGURATION:d}, {Rank.EXTENSION:d})
| project id, type, location, tags, managedBy, rank, name, subscriptionId,
    properties = iff(rank == {Rank.MACHINE:d}, dynamic(null), properties),
{_MACHINE_COLUMNS}
| union (
    {_MANAGED_GROUPS.replace(chr(10), chr(10) + "    ")}{where}
    | project id, name, type, subscriptionId, managedBy, rank = {Rank.GROUP:d})
| extend machine = tolower(id)
| join kind=leftouter (
    {_UNSUPPORTED.replace(chr(10), chr(10) + "    ")}
    | project machine = tostring(split(tolower(id), '/patchassessmentresults/')[0]), support) on machine
| project-away machine, machine1
| order by rank asc, id asc"""


def failed_extension_of(row: object) -> tuple[str, PatchExtension] | None:
    """The machine's key and its patch extension, of a row of `FAILED_PATCH_EXTENSIONS`; None: it is another one.

    An extension is a child of its machine, `{machine}/extensions/{name}`.
    """
    if not isinstance(row, Mapping):
        return None
    text, kind = row.get("id"), row.get("type")
    if not isinstance(text, str) or not isinstance(kind, str):
        return None
    at = text.casefold().rfind("/extensions/")
    extension = PatchExtension.of_resource(row, is_arc=kind.casefold().startswith("microsoft.hybridcompute/"))
    if at <= 0 or extension is None or not extension.has_failed:
        return None
    return text[:at].casefold(), extension


def managed_group_of(row: Mapping[str, Any]) -> ResourceGroup:
    """The group of a row of `MANAGED_GROUPS`. SAFETY: an owner that cannot be read counts as an owner.

    Raises:
        UnreadableRowError: the row does not say which group it is.
    """
    subscription, name, owner = row.get("subscriptionId"), row.get("name"), row.get("managedBy")
    if not isinstance(subscription, str) or not isinstance(name, str) or not subscription or not name:
        msg = f"{row.get('id')!r} does not say which resource group it is"
        raise UnreadableRowError(msg)
    return ResourceGroup(subscription.lower(), name, owner if isinstance(owner, str) else json.dumps(owner))


def group_of(row: Mapping[str, Any]) -> ResourceGroup:
    """The group of a row of `ALL_GROUPS`, which says nothing of owners.

    Raises:
        UnreadableRowError: the row does not say which group it is.
    """
    return replace(managed_group_of({**row, "managedBy": ""}), managed_by=None)


def subscription_in(row: object, management_group: str) -> str:
    """The subscription of a row of `SUBSCRIPTIONS`, in lower case.

    Raises:
        RejectedError: the row names none, so what stands below the management group is not known as a whole.
    """
    found = row.get("subscriptionId") if isinstance(row, Mapping) else None
    if not isinstance(found, str) or not found:
        text = f"a row about the contents of management group {management_group} names no subscription"
        raise RejectedError(text, code="UnusableAnswer", status=200)
    return found.lower()


def support_of(row: object) -> tuple[str, str] | None:
    """The machine and the state of a row of `UNSUPPORTED`; None: the row is of another shape.

    An assessment is a child of its machine, `{machine}/patchAssessmentResults/latest`.
    """
    text, state = (row.get("id"), row.get("support")) if isinstance(row, Mapping) else (None, None)
    if not isinstance(text, str) or not isinstance(state, str):
        return None
    at = text.casefold().rfind("/patchassessmentresults/")
    return (text[:at].casefold(), state) if at > 0 else None


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
