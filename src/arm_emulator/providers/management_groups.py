"""Microsoft.Management: management groups, what is below them, and the subscriptions under them.

Shapes follow the public REST reference (Management Groups 2020-05-01 and later).
"""

from typing import TYPE_CHECKING

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.routing import Route
from arm_emulator.state import Document

if TYPE_CHECKING:
    from arm_emulator.directory import ManagementGroup, Subscription
    from arm_emulator.protocol.cloud import Cloud

TYPE = "Microsoft.Management/managementGroups"
_BASE = f"/providers/{TYPE}"
_ONE = _BASE + "/{group}"


def group_id(group: "ManagementGroup") -> str:
    """The group's resource id."""
    return f"{_BASE}/{group.name}"


def _found(cloud: "Cloud", params: dict[str, str]) -> "ManagementGroup":
    group = cloud.directory.group(params["group"])
    if group is None:
        message = f"'{params['group']}' cannot be found, or the caller has no access to it."
        raise ArmError(404, "NotFound", message, gateway=True)
    return group


def _entry(cloud: "Cloud", group: "ManagementGroup") -> Document:
    return {
        "id": group_id(group),
        "type": TYPE,
        "name": group.name,
        "properties": {"tenantId": cloud.directory.tenant_id, "displayName": group.display_name},
    }


def _list(cloud: "Cloud", request: Request, _: dict[str, str]) -> Response:
    seen = [
        _entry(cloud, group)
        for group in cloud.directory.all_groups()
        if cloud.authorization.allows(request.principal, f"{TYPE}/read", group_id(group))
    ]
    return Response(200, {"value": seen})


def _get(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    group = _found(cloud, params)
    body = _entry(cloud, group)
    parent = _parent(cloud, group)
    body["properties"]["details"] = {"version": 1} if parent is None else {"version": 1, "parent": _reference(parent)}
    if request.query.get("$expand", "").lower() in ("children", "path,children", "children,path"):
        is_deep = request.query.get("$recurse", "").lower() == "true"
        body["properties"]["children"] = _children(cloud, group, is_deep=is_deep)
    return Response(200, body)


def _parent(cloud: "Cloud", group: "ManagementGroup") -> "ManagementGroup | None":
    chain = cloud.directory.ancestors(group.name)
    return chain[1] if len(chain) > 1 else None


def _reference(group: "ManagementGroup") -> Document:
    return {"id": group_id(group), "name": group.name, "displayName": group.display_name}


def _children(cloud: "Cloud", group: "ManagementGroup", *, is_deep: bool) -> list[Document]:
    children: list[Document] = []
    for child in _groups_below(cloud, group):
        entry = {"type": TYPE, **_reference(child)}
        if is_deep:
            entry["children"] = _children(cloud, child, is_deep=True)
        children.append(entry)
    children.extend(
        {
            "type": "/subscriptions",
            "id": f"/subscriptions/{entry.id}",
            "name": entry.id,
            "displayName": entry.display_name,
        }
        for entry in _subscriptions_of(cloud, group)
    )
    return children


def _groups_below(cloud: "Cloud", group: "ManagementGroup") -> "list[ManagementGroup]":
    return [child for child in cloud.directory.all_groups() if _parent(cloud, child) == group]


def _subscriptions_of(cloud: "Cloud", group: "ManagementGroup") -> "list[Subscription]":
    return [
        entry
        for entry in cloud.directory.subscriptions.values()
        if entry.tenant_id.lower() == cloud.directory.tenant_id.lower()
        and cloud.directory.ancestors(entry.management_group)[:1] == [group]
    ]


def _descendants(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    return Response(200, {"value": list(_below(cloud, _found(cloud, params)))})


def _below(cloud: "Cloud", group: "ManagementGroup") -> list[Document]:
    found: list[Document] = []
    parent = {"id": group_id(group)}
    for child in _groups_below(cloud, group):
        properties = {"displayName": child.display_name, "parent": parent}
        found.append({"id": group_id(child), "type": TYPE, "name": child.name, "properties": properties})
        found.extend(_below(cloud, child))
    for entry in _subscriptions_of(cloud, group):
        properties = {"displayName": entry.display_name, "parent": parent}
        found.append(
            {"id": f"/subscriptions/{entry.id}", "type": "/subscriptions", "name": entry.id, "properties": properties}
        )
    return found


def _subscriptions(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    group = _found(cloud, params)
    value = [
        {
            "id": f"{group_id(group)}/subscriptions/{entry.id}",
            "type": f"{TYPE}/subscriptions",
            "name": entry.id,
            "properties": {
                "tenant": entry.tenant_id,
                "displayName": entry.display_name,
                "parent": {"id": group_id(group)},
                "state": "Active" if entry.state == "Enabled" else entry.state,
            },
        }
        for entry in _subscriptions_of(cloud, group)
    ]
    return Response(200, {"value": value})


ROUTES: tuple[Route, ...] = (
    Route("GET", _BASE, _list),
    Route("GET", _ONE, _get, f"{TYPE}/read"),
    Route("GET", f"{_ONE}/descendants", _descendants, f"{TYPE}/descendants/read"),
    Route("GET", f"{_ONE}/subscriptions", _subscriptions, f"{TYPE}/subscriptions/read"),
)
