"""Which recorded exchanges are judged, what is loaded before each, and which are left out with what reason."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.contract.recordings import Exchange, exchanges, flows, machine_before
from tests.contract.replay import Start, start_of

from arm_emulator.providers.compute.instance_view import known_power

LOST = "the recorder lost the request's body"
ELSEWHERE = "a type or an action that is not emulated (answers 501 NotEmulated)"
FAULT = "an outage of the service: the emulator shows it on request only (--faults)"
SEEDED = (
    "no GET was recorded before it: from its own answer nothing is left to change, so there is no operation to follow"
)
OTHER_EXTENSIONS = "its extensions are others than in the last recorded GET: calls on them lie between"
REPEATED = "the recorder made several ids equal, so the list cannot be loaded"
UNSEEN = "the answer does not show enough of the resources behind it to load them, or they are of a table not emulated"
NO_STATE = "a refusal that depends on the machine's state, and no GET was recorded before it that shows this state"
_POWER = re.compile(r"\b(running|stopped|(de)?allocated?)\b", re.IGNORECASE)
OTHER_DISKS = "a disk that the request does not name is another than in the last recorded GET: a write lies between"
UNKNOWN_STATE = "its etag shows that other writes lie between the last recorded GET and this call"

EMULATED_ACTIONS = frozenset(
    {
        "start", "restart", "poweroff", "deallocate", "redeploy", "reapply", "generalize", "simulateeviction",
        "assesspatches", "installpatches",
    }
)  # fmt: skip
_ACTION = re.compile(r"/microsoft\.compute/virtualmachines/[^/]+/(?P<action>[^/]+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Case:
    """One judged file."""

    flow: tuple[Exchange, ...]
    start: Start
    left_out: str = ""
    """Why it is not judged; ``''`` where it is."""

    @property
    def first(self) -> Exchange:
        """The call that the case begins with."""
        return self.flow[0]

    @property
    def name(self) -> str:
        """The file: group and name."""
        return self.first.case.partition("[")[0]


@lru_cache(maxsize=32)
def cases(group: str) -> tuple[Case, ...]:
    """Every case of a group, in the order of the files."""
    return tuple(_BUILDERS[group](group))


def _reads(group: str) -> Iterator[Case]:
    for exchange in exchanges(group):
        yield Case((exchange,), start_of(exchange))


def _lists(group: str) -> Iterator[Case]:
    for exchange in exchanges(group):
        yield Case((exchange,), Start(tuple(exchange.answer["value"]), "answer"))


def _writes(group: str) -> Iterator[Case]:
    for exchange in exchanges(group):
        start = start_of(exchange)
        yield Case((exchange,), start, LOST if exchange.is_body_lost else left_out_of(exchange, start))


def left_out_of(exchange: Exchange, start: Start) -> str:
    """Why a write is not judged: the machine was provably written to after the GET that is loaded; ``''``: it is.

    A jump of the etag by more than one proves it, and so do another set of extensions, which have calls of their own,
    and another disk that the request does not name: it is on its way out and nothing else becomes of it.
    """
    if start.origin != "read" or not isinstance(exchange.answer, dict):
        return ""
    loaded, answer = start.documents[0], exchange.answer
    applications = "applicationProfile" in exchange.answer.get("properties", {})
    if loaded.get("resources") != answer.get("resources") and not applications:
        return OTHER_EXTENSIONS
    if _other_disks(exchange.body, loaded, answer):
        return OTHER_DISKS
    before, after = loaded.get("etag"), answer.get("etag")
    if not isinstance(before, str) or not isinstance(after, str):
        return ""
    return UNKNOWN_STATE if int(after.strip('"')) - int(before.strip('"')) > 1 else ""


def _other_disks(body: Any, loaded: dict[str, Any], answer: dict[str, Any]) -> bool:
    """Whether a data disk that the request leaves out of its list is cached or made otherwise than it was."""
    sent, before, after = (_disks(document) for document in (body, loaded, answer))
    if sent is None or before is None or after is None:
        return False
    gone = (before.keys() & after.keys()) - sent.keys()
    return any(before[lun].get(name) != after[lun].get(name) for lun in gone for name in ("caching", "createOption"))


def _disks(document: Any) -> dict[Any, dict[str, Any]] | None:
    """The data disks of a machine or of a request by lun; None where it has no list of them."""
    properties = document.get("properties") if isinstance(document, dict) else None
    storage = properties.get("storageProfile") if isinstance(properties, dict) else None
    disks = storage.get("dataDisks") if isinstance(storage, dict) else None
    return {disk.get("lun"): disk for disk in disks} if isinstance(disks, list) else None


def _flows(group: str) -> Iterator[Case]:
    for flow in flows(group):
        first = flow[0]
        start = machine_start(first)
        left_out = "" if _is_emulated(first) else ELSEWHERE
        if not left_out and first.is_body_lost:
            left_out = LOST
        if not left_out and start.origin == "answer" and first.method == "PUT" and len(flow) > 1:
            left_out = SEEDED
        yield Case(tuple(flow), start, left_out or left_out_of(first, start))


def machine_start(exchange: Exchange) -> Start:
    """What to load before a call on a machine or one of its actions."""
    if exchange.is_machine and exchange.method in ("PUT", "PATCH", "GET"):
        return start_of(exchange)
    if exchange.status == 204 and exchange.method == "DELETE":
        return Start((), "nothing")
    action = _ACTION.search(exchange.path)
    path = exchange.path if exchange.is_machine or action is None else exchange.path[: action.start("action") - 1]
    before = machine_before(exchange, path)
    if before is not None:
        return Start((before,), "read")
    made: dict[str, Any] = {"id": path, "location": "westus", "properties": {"provisioningState": "Succeeded"}}
    if action is not None and action["action"].lower() == "simulateeviction":
        made["properties"]["priority"] = "Spot"
    return Start((made,), "made")


def _is_emulated(exchange: Exchange) -> bool:
    if exchange.is_machine:
        return exchange.method in ("PUT", "PATCH", "DELETE", "GET")
    action = _ACTION.search(exchange.path)
    return exchange.method == "POST" and action is not None and action["action"].lower() in EMULATED_ACTIONS


def _actions(group: str) -> Iterator[Case]:
    for exchange in exchanges(group):
        yield Case((exchange,), machine_start(exchange), "" if _is_emulated(exchange) else ELSEWHERE)


def _operations(group: str) -> Iterator[Case]:
    for exchange in exchanges(group):
        is_compute = "/providers/microsoft.compute/locations/" in exchange.path.lower()
        is_poll = exchange.method == "GET" and "/operations/" in exchange.path.lower()
        yield Case((exchange,), Start((), "nothing"), "" if is_compute and is_poll else ELSEWHERE)


def _patch_operations(group: str) -> Iterator[Case]:
    for exchange in exchanges(group):
        if exchange.method == "POST":
            yield Case((exchange,), machine_start(exchange))
        else:
            yield Case((exchange,), Start((), "nothing"))


def _errors(group: str) -> Iterator[Case]:
    for exchange in exchanges(group):
        yield Case((exchange,), machine_start(exchange) if exchange.is_machine else Start((), ""), _no_error(exchange))


def _no_error(exchange: Exchange) -> str:
    if exchange.status >= 500:
        return FAULT
    if "/providers/microsoft.compute/locations/" in exchange.path.lower() and "/operations/" in exchange.path.lower():
        return ""
    if exchange.path.lower().startswith("/providers/microsoft.resourcegraph/") and exchange.status == 400:
        return ""
    is_arc = "/microsoft.hybridcompute/machines/" in exchange.path.lower()
    if not exchange.is_machine and not is_arc:
        return ELSEWHERE
    if exchange.is_body_lost:
        return LOST
    before = machine_before(exchange)
    needs_power = before is not None and not known_power(before) and _POWER.search(str(exchange.answer))
    return NO_STATE if exchange.status == 409 and (before is None or needs_power) else ""


def _scale_sets(group: str) -> Iterator[Case]:
    for exchange in exchanges(group):
        is_read = exchange.method == "GET"
        documents = (exchange.answer,) if is_read else ()
        yield Case((exchange,), Start(documents, "answer"), "" if is_read else ELSEWHERE)


_ARC = re.compile(
    r"/providers/Microsoft\.HybridCompute/machines/[^/]+(?P<extension>/extensions/[^/]+)?$", re.IGNORECASE
)


def _arc(group: str) -> Iterator[Case]:
    """Arc machines and their extensions, read; a machine's PATCH and DELETE; polls of the provider's operations."""
    known: dict[tuple[str, str], dict[str, Any]] = {}
    for exchange in exchanges(group):
        path, place = exchange.path.lower(), (exchange.source, exchange.path.lower())
        own = _ARC.search(exchange.path)
        if "/microsoft.hybridcompute/locations/" in path and "/operationstatus/" in path:
            yield Case((exchange,), Start((), "nothing"))
        elif own is None or (own["extension"] and exchange.method != "GET"):
            yield Case((exchange,), Start((), "nothing"), ELSEWHERE)
        elif exchange.method == "GET":
            found = exchange.answer if "id" in (exchange.answer or {}) else None
            known.update({place: found} if found else {})
            yield Case((exchange,), Start(_with_machine(exchange, found), "answer"))
        else:
            before = known.get(place)
            left_out = "" if before is not None and exchange.method in ("PATCH", "DELETE") else ELSEWHERE
            yield Case((exchange,), Start((before,) if before is not None else (), "read"), left_out)


def _with_machine(exchange: Exchange, found: dict[str, Any] | None) -> tuple[dict[str, Any], ...]:
    """What a GET showed, and around an extension the machine that it is on."""
    if found is None:
        return ()
    machine = exchange.path.rpartition("/extensions/")[0]
    return ({"id": machine, "location": found["location"], "properties": {}}, found) if machine else (found,)


_MAINTAINED = re.compile(r"/((public)?maintenanceconfigurations|configurationassignments|applyupdates|updates)(/|$)")


def _maintenance(group: str) -> Iterator[Case]:
    """Configurations and assignments: what a GET or DELETE needs, what a PATCH changes, and the configuration "
    "of a PUT."""
    for exchange in exchanges(group):
        lowered = exchange.path.lower()
        is_ours = _MAINTAINED.search(lowered) is not None
        documents = tuple(_maintained(exchange)) if is_ours else ()
        names = [str(document["id"]).lower() for document in documents]
        left_out = (REPEATED if len(set(names)) < len(names) else "") if is_ours else ELSEWHERE
        yield Case((exchange,), Start(documents, "answer"), left_out)


def _maintained(exchange: Exchange) -> Iterator[dict[str, Any]]:
    if isinstance(exchange.body, dict):
        configuration = exchange.body.get("properties", {}).get("maintenanceConfigurationId")
        if configuration:
            scope = "InGuestPatch" if "filter" in exchange.body["properties"] else "Host"
            yield {"id": configuration, "location": "westus", "properties": {"maintenanceScope": scope}}
    match exchange.method, exchange.answer:
        case "GET", {"value": [*rows]}:
            yield from rows
        case (("GET" | "PATCH"), dict()):
            yield exchange.answer
        case "DELETE", _:
            yield {"id": exchange.path, "location": "westus", "properties": {}}


def _graph(group: str) -> Iterator[Case]:
    """Queries whose answer tells enough of the resources behind it to load them."""
    for exchange in exchanges(group):
        documents = tuple(graphed(exchange)) if exchange.path.lower().endswith("/resources") else ()
        left_out = "" if documents else LOST if exchange.is_body_lost else UNSEEN
        yield Case((exchange,), Start(documents, "answer"), left_out)


def graphed(exchange: Exchange) -> Iterator[dict[str, Any]]:
    """The resources behind the rows of a query, as far as the rows show them; empty: they do not."""
    rows = exchange.answer.get("data") if isinstance(exchange.answer, dict) else None
    if (
        not isinstance(rows, list)
        or not isinstance(exchange.body, dict)
        or exchange.answer["totalRecords"] != len(rows)
    ):
        return
    asked = [str(name).lower() for name in exchange.body.get("subscriptions", ())]
    shown = {str(row.get("id", "")).split("/")[2].lower() for row in rows if str(row.get("id", "")).count("/") > 1}
    if asked and not shown <= set(asked):
        return  # the recorder blanked the subscriptions of the answer, not those of the question
    named = re.search(r"devCenterName =~ '(\w+)'", exchange.body["query"])
    for row in rows:
        if set(row) == {"id", "tags", "properties"}:
            yield {"location": "westus", **row}
        elif set(row) == {"name", "devCenterUri"} and named is not None:
            group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/judge"
            properties = {"devCenterId": f"/any/devcenters/{named[1]}", "devCenterUri": row["devCenterUri"]}
            identifier = f"{group}/providers/Microsoft.DevCenter/projects/{row['name']}"
            yield {"id": identifier, "location": "westus", "properties": properties}


_BUILDERS: dict[str, Callable[[str], Iterator[Case]]] = {
    "vm_get": _reads,
    "vm_get_instanceview": _reads,
    "vmss_flex_instances": _reads,
    "vm_list": _lists,
    "vm_patch": _writes,
    "vm_put_update": _writes,
    "lro_flows": _flows,
    "vm_actions": _actions,
    "vm_delete": _actions,
    "operation_status": _operations,
    "patch_operations": _patch_operations,
    "errors": _errors,
    "resource_graph": _graph,
    "vmss_flex": _scale_sets,
    "hybrid_compute": _arc,
    "maintenance": _maintenance,
    "maintenance_powershell": _maintenance,
}
GROUPS = tuple(_BUILDERS)
"""The groups that are judged here; creates are judged within ``lro_flows``."""
