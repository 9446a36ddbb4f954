"""Microsoft.Management: management groups, what is below them, and the subscriptions under them.

Shapes follow the public REST reference (Management Groups 2020-05-01 and later).
"""

from typing import TYPE_CHECKING

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.routing import Route
from arm_emulator.state import Document

if TYPE_CHECKING:
    from arm_emulator.app import Emulator
    from arm_emulator.directory import ManagementGroup, Subscription

TYPE = "Microsoft.Management/managementGroups"
_BASE = f"/providers/{TYPE}"
_ONE = _BASE + "/{group}"


def group_id(group: "ManagementGroup") -> str:
    """The group's resource id."""
    return f"{_BASE}/{group.name}"


def _found(emulator: "Emulator", params: dict[str, str]) -> "ManagementGroup":
    group = emulator.directory.group(params["group"])
    if group is None:
        message = f"'{params['group']}' cannot be found, or the caller has no access to it."
        raise ArmError(404, "NotFound", message, gateway=True)
    return group


def _entry(emulator: "Emulator", group: "ManagementGroup") -> Document:
    return {
        "id": group_id(group),
        "type": TYPE,
        "name": group.name,
        "properties": {"tenantId": emulator.directory.tenant_id, "displayName": group.display_name},
    }


def _list(emulator: "Emulator", request: Request, _: dict[str, str]) -> Response:
    seen = [
        _entry(emulator, group)
        for group in emulator.directory.all_groups()
        if emulator.authorization.allows(request.principal, f"{TYPE}/read", group_id(group))
    ]
    return Response(200, {"value": seen})


def _get(emulator: "Emulator", request: Request, params: dict[str, str]) -> Response:
    group = _found(emulator, params)
    body = _entry(emulator, group)
    parent = _parent(emulator, group)
    body["properties"]["details"] = {"version": 1} if parent is None else {"version": 1, "parent": _reference(parent)}
    if request.query.get("$expand", "").lower() in ("children", "path,children", "children,path"):
        is_deep = request.query.get("$recurse", "").lower() == "true"
        body["properties"]["children"] = _children(emulator, group, is_deep=is_deep)
    return Response(200, body)


def _parent(emulator: "Emulator", group: "ManagementGroup") -> "ManagementGroup | None":
    chain = emulator.directory.ancestors(group.name)
    return chain[1] if len(chain) > 1 else None


def _reference(group: "ManagementGroup") -> Document:
    return {"id": group_id(group), "name": group.name, "displayName": group.display_name}


def _children(emulator: "Emulator", group: "ManagementGroup", *, is_deep: bool) -> list[Document]:
    children: list[Document] = []
    for child in _groups_below(emulator, group):
        entry = {"type": TYPE, **_reference(child)}
        if is_deep:
            entry["children"] = _children(emulator, child, is_deep=True)
        children.append(entry)
    children.extend(
        {
            "type": "/subscriptions",
            "id": f"/subscriptions/{entry.id}",
            "name": entry.id,
            "displayName": entry.display_name,
        }
        for entry in _subscriptions_of(emulator, group)
    )
    return children


def _groups_below(emulator: "Emulator", group: "ManagementGroup") -> "list[ManagementGroup]":
    return [child for child in emulator.directory.all_groups() if _parent(emulator, child) == group]


def _subscriptions_of(emulator: "Emulator", group: "ManagementGroup") -> "list[Subscription]":
    return [
        entry
        for entry in emulator.directory.subscriptions.values()
        if entry.tenant_id.lower() == emulator.directory.tenant_id.lower()
        and emulator.directory.ancestors(entry.management_group)[:1] == [group]
    ]


def _descendants(emulator: "Emulator", _: Request, params: dict[str, str]) -> Response:
    return Response(200, {"value": list(_below(emulator, _found(emulator, params)))})


def _below(emulator: "Emulator", group: "ManagementGroup") -> list[Document]:
    found: list[Document] = []
    parent = {"id": group_id(group)}
    for child in _groups_below(emulator, group):
        properties = {"displayName": child.display_name, "parent": parent}
        found.append({"id": group_id(child), "type": TYPE, "name": child.name, "properties": properties})
        found.extend(_below(emulator, child))
    for entry in _subscriptions_of(emulator, group):
        properties = {"displayName": entry.display_name, "parent": parent}
        found.append(
            {"id": f"/subscriptions/{entry.id}", "type": "/subscriptions", "name": entry.id, "properties": properties}
        )
    return found


def _subscriptions(emulator: "Emulator", _: Request, params: dict[str, str]) -> Response:
    group = _found(emulator, params)
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
        for entry in _subscriptions_of(emulator, group)
    ]
    return Response(200, {"value": value})


ROUTES: tuple[Route, ...] = (
    Route("GET", _BASE, _list),
    Route("GET", _ONE, _get, f"{TYPE}/read"),
    Route("GET", f"{_ONE}/descendants", _descendants, f"{TYPE}/descendants/read"),
    Route("GET", f"{_ONE}/subscriptions", _subscriptions, f"{TYPE}/subscriptions/read"),
)
