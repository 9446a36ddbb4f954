"""Resources as rows of Resource Graph's tables: explicit nulls, lower-case type, the resource group's true name.

Source: recorded answers of 2021-03-01; ``properties.extended.instanceView.powerState`` is what the portal's own Update
Manager query reads.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from arm_emulator.fleets import GROUP_TYPE
from arm_emulator.providers.compute.instance_view import POWER_STATES, known_power
from arm_emulator.state import State, Stored

if TYPE_CHECKING:
    from arm_emulator.directory import Directory, ManagementGroup, Subscription
    from arm_emulator.protocol.cloud import Cloud

Row = dict[str, Any]

SUBSCRIPTION_TYPE = "microsoft.resources/subscriptions"
MANAGEMENT_GROUP_TYPE = "microsoft.management/managementgroups"
VIRTUAL_MACHINE_TYPE = "microsoft.compute/virtualmachines"
_CONFIGURATION_TYPE = "microsoft.maintenance/maintenanceconfigurations"


def table_of(type_: str) -> str:
    """The table, in lower case, in which resources of a type in lower case stand; ``''`` for none."""
    if type_ in (GROUP_TYPE, SUBSCRIPTION_TYPE, MANAGEMENT_GROUP_TYPE):
        return "resourcecontainers"
    if type_ == "microsoft.resources/changes":
        return "resourcechanges"
    if "/patchassessmentresults" in type_:
        return "patchassessmentresources"
    if "/patchinstallationresults" in type_:
        return "patchinstallationresources"
    if type_.startswith("microsoft.maintenance/") and type_ != _CONFIGURATION_TYPE:
        return "maintenanceresources"
    if type_ in ("microsoft.authorization/roleassignments", "microsoft.authorization/roledefinitions"):
        return "authorizationresources"
    if type_.endswith("/eventsubscriptions"):
        return ""  # the reference of tables lists Event Grid's topics alone
    hidden = ("microsoft.authorization/", "microsoft.policyinsights/", "microsoft.resources/deployments")
    is_hidden = type_.startswith(hidden)
    return "" if is_hidden else "resources"


class Rows:
    """Makes rows and remembers them until their resource changes."""

    def __init__(self, state: State, directory: "Directory") -> None:
        self._state = state
        self._directory = directory
        self._made: dict[str, tuple[Stored, str, Row]] = {}

    def row(self, stored: Stored) -> Row:
        """The row of a resource. Shared between queries: read only."""
        group = self._group_name(stored)
        known = self._made.get(stored.key)
        if known is not None and known[0] is stored and known[1] == group:
            return known[2]
        made = self._make(stored, group)
        self._made[stored.key] = (stored, group, made)
        return made

    def fresh(self, stored: Stored) -> Row:
        """The row of a resource that is in no state and changes with every moment."""
        return self._make(stored, self._group_name(stored))

    def forget(self) -> None:
        """Drop every remembered row."""
        self._made.clear()

    def _group_name(self, stored: Stored) -> str:
        if not stored.group:
            return ""
        found = self._state.get(f"/subscriptions/{stored.subscription}/resourcegroups/{stored.group}")
        return str(found.document.get("name", stored.group)) if found is not None else stored.group

    def _make(self, stored: Stored, group: str) -> Row:
        document = stored.document
        properties = document.get("properties")
        if stored.type == VIRTUAL_MACHINE_TYPE:
            properties = _with_extended_view(stored)
        subscription = self._directory.subscription(stored.subscription)
        return {
            "id": _true_id(stored, group),
            "name": document.get("name", ""),
            "type": stored.type,
            "tenantId": subscription.tenant_id if subscription else self._directory.tenant_id,
            "kind": document.get("kind") or "",
            "location": document.get("location") or "",
            "resourceGroup": group,
            "subscriptionId": subscription.id if subscription else stored.subscription,
            "managedBy": document.get("managedBy") or "",
            "sku": document.get("sku"),
            "plan": document.get("plan"),
            "properties": properties,
            "tags": document.get("tags"),
            "identity": document.get("identity"),
            "zones": document.get("zones"),
            "extendedLocation": document.get("extendedLocation"),
        }


def _true_id(stored: Stored, group: str) -> str:
    if not group:
        return stored.id
    segments = stored.id.split("/")
    segments[4] = group
    return "/".join(segments)


def extension_children(machine: Stored) -> Iterator[Stored]:
    """The extensions that stand in a machine's document, as resources of their own: Resource Graph has a row for each.

    A fleet file may hold them as resources by themselves as well, as for Arc servers, whose documents show none.
    """
    children = machine.document.get("resources")
    for child in children if isinstance(children, list) else ():
        if isinstance(child, dict) and isinstance(child.get("name"), str):
            identifier = f"{machine.id}/extensions/{child['name']}"
            document = {**child, "id": identifier}
            yield replace(
                machine,
                id=identifier,
                key=identifier.lower(),
                type=f"{machine.type}/extensions",
                document=document,
                etag=None,
                parent=machine.key,
            )


def _with_extended_view(stored: Stored) -> Row:
    """The properties with what Resource Graph tells of the instance view: power, and the system where an agent told it.

    Source of `osName` and `osVersion` there: public queries, which read them beside `powerState`.
    """
    properties = {
        name: value for name, value in stored.document.get("properties", {}).items() if name != "instanceView"
    }
    power = known_power(stored.document) or "running"
    state = {"code": f"PowerState/{power}", "displayStatus": POWER_STATES.get(power, power), "level": "Info"}
    view = stored.document.get("properties", {}).get("instanceView")
    told = view if isinstance(view, dict) else {}
    system = {name: told[name] for name in ("osName", "osVersion") if name in told}
    properties["extended"] = {"instanceView": {**system, "powerState": state}}
    return properties


def container_rows(cloud: "Cloud", subscriptions: "Iterable[Subscription]") -> Iterator[Row]:
    """The rows of subscriptions, and of every management group above one of them."""
    seen: dict[str, ManagementGroup] = {}
    for subscription in subscriptions:
        above = cloud.directory.groups_above(subscription)
        seen.update((group.name.lower(), group) for group in above)
        properties = {
            "state": subscription.state,
            "managementGroupAncestorsChain": _chain(above),
            "managedByTenants": subscription.managed_by_tenants(),
            "subscriptionPolicies": {
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
                "locationPlacementId": "Public_2014-09-01",
            },
        }
        stored = cloud.state.get(f"/subscriptions/{subscription.id}")
        tags = stored.document.get("tags") if stored is not None else None
        yield {
            **_blank(f"/subscriptions/{subscription.id}", subscription.display_name, SUBSCRIPTION_TYPE),
            "tenantId": subscription.tenant_id,
            "subscriptionId": subscription.id,
            "properties": properties,
            "tags": tags or {},
        }
    for group in seen.values():
        yield _management_group_row(cloud, group)


def _management_group_row(cloud: "Cloud", group: "ManagementGroup") -> Row:
    above = cloud.directory.ancestors(group.name)[1:]
    details: Row = {
        "managementGroupAncestors": [parent.name for parent in above],
        "managementGroupAncestorsChain": _chain(above),
    }
    if above:
        parent_id = f"/providers/Microsoft.Management/managementGroups/{above[0].name}"
        details["parent"] = {"id": parent_id, "name": above[0].name, "displayName": above[0].display_name}
    group_id = f"/providers/Microsoft.Management/managementGroups/{group.name}"
    return {
        **_blank(group_id, group.name, MANAGEMENT_GROUP_TYPE),
        "tenantId": cloud.directory.tenant_id,
        "properties": {
            "tenantId": cloud.directory.tenant_id,
            "displayName": group.display_name,
            "details": details,
        },
    }


def _chain(groups: "list[ManagementGroup]") -> list[dict[str, str]]:
    return [{"displayName": group.display_name, "name": group.name} for group in groups]


def _blank(resource_id: str, name: str, type_: str) -> Row:
    empty = dict.fromkeys(("kind", "location", "resourceGroup", "subscriptionId", "managedBy"), "")
    nothing = dict.fromkeys(("sku", "plan", "tags", "identity", "zones", "extendedLocation"))
    return {"id": resource_id, "name": name, "type": type_, "tenantId": "", **empty, **nothing, "properties": None}
