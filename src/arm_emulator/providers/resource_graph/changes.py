"""Resource Graph's ``resourcechanges``: who changed a machine's patch settings or tags, when, and from what to what.

Only updates of patch settings and tags leave a row here; Azure records every change of every resource. Kept in memory,
outside of the state: a change record is history, not a resource. A note costs a comparison and one append; rows are
made when they are asked for.

Source: "Get resource changes" (the members, ``null`` as text, 14 days, what Unknown means), and a public answer to that
query of 2025 (the ids, the group in lower case).
"""

import json
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from arm_emulator.protocol.http import Principal, Request
from arm_emulator.providers.resource_graph.index import GraphIndex
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

TABLE = "resourcechanges"
TYPE = "microsoft.resources/changes"
KEPT = timedelta(days=14)
_SYSTEMS = ("windowsConfiguration", "linuxConfiguration")
_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_LARGEST_TICK = 2**63 - 1
_AGENTS = (
    ("azurecli", "Azure CLI"),
    ("azurepowershell", "Azure PowerShell"),
    ("terraform", "Terraform"),
)
"""Part of a user agent → how the client is named; of these names no source is known."""
_Leaves = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Note:
    machine: Stored
    """As it was after the write."""
    before: Document
    at: datetime
    principal: Principal
    agent: str
    correlation_id: str
    request_id: str
    seen: datetime
    """From when Resource Graph knows of it."""


class Changes:
    """The last fourteen days of changes of one emulated cloud."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self._notes: deque[_Note] = deque()

    def note(self, request: Request, before: Stored, after: Stored) -> None:
        """An accepted write replaced a machine; remembered only where its patch settings or tags are others now."""
        if _told(before.document) == _told(after.document):
            return
        now = self._cloud.clock.now()
        self._drop(now)
        seen = now + timedelta(seconds=self._cloud.parts[GraphIndex].draw_lag())
        agent = request.headers.get("user-agent", "")
        self._notes.append(
            _Note(
                after, before.document, now, request.principal, agent, request.correlation_id, request.request_id, seen
            )
        )

    def forget(self) -> None:
        """Drop every change (a reset does)."""
        self._notes.clear()

    def rows(self) -> Iterator[tuple[Stored, Stored]]:
        """Each change that Resource Graph knows of, oldest first: the machine, and the change on it."""
        now = self._cloud.clock.now()
        self._drop(now)
        for note in list(self._notes):
            if note.seen > now:
                continue
            profile = self._cloud.profile
            changes = dict(
                _changes(note, as_text=profile.change_values == "text", tags_as_one=profile.change_tag_path == "tags")
            )
            # An empty block that came or went holds no property.
            if changes:
                yield note.machine, _as_resource(note.machine, self._document(note, changes))

    def _drop(self, now: datetime) -> None:
        while self._notes and self._notes[0].at <= now - KEPT:
            self._notes.popleft()

    def _document(self, note: _Note, changes: Document) -> Document:
        name = f"{_ticks(note.at)}_{uuid.uuid5(uuid.NAMESPACE_URL, note.request_id)}"
        return {
            "id": f"{note.machine.id}/providers/Microsoft.Resources/changes/{name}",
            "name": name,
            "type": TYPE,
            "location": note.machine.document.get("location"),
            "properties": {
                "targetResourceId": note.machine.id,
                "targetResourceType": note.machine.type,
                "changeType": "Update",
                "changeAttributes": {
                    "previousResourceSnapshotId": _snapshot(note, "before"),
                    "newResourceSnapshotId": _snapshot(note, "after"),
                    "correlationId": note.correlation_id,
                    "changedByType": "Application",
                    "changesCount": len(changes),
                    "clientType": self._client(note.agent),
                    "changedBy": note.principal.client_id,
                    "operation": f"{note.machine.type}/write",
                    "timestamp": f"{note.at:%Y-%m-%dT%H:%M:%S}.{note.at.microsecond // 1000:03d}Z",
                },
                "changes": changes,
            },
        }

    def _client(self, agent: str) -> str:
        if self._cloud.profile.change_client_type == "unknown":
            return "Unknown"
        lowered = agent.lower()
        return next((name for part, name in _AGENTS if part in lowered), "Unknown")


def _as_resource(machine: Stored, document: Document) -> Stored:
    key = str(document["id"]).lower()
    return Stored(document["id"], TYPE, machine.subscription, machine.group, document, None, key, machine.key)


def _settings(document: Document) -> list[Any]:
    profile = document.get("properties", {}).get("osProfile") or {}
    return [(profile.get(system) or {}).get("patchSettings") for system in _SYSTEMS]


def _told(document: Document) -> tuple[list[Any], Any]:
    return _settings(document), document.get("tags") or {}


def _leaves_of(document: Document, *, tags_as_one: bool) -> _Leaves:
    settings = {
        path: value
        for system, found in zip(_SYSTEMS, _settings(document), strict=True)
        for path, value in _leaves(found or {}, f"properties.osProfile.{system}.patchSettings").items()
    }
    tags = document.get("tags") or {}
    if tags_as_one:
        return {**settings, "tags": json.dumps(tags, sort_keys=True)}
    return {**settings, **{f"tags.{name}": value for name, value in tags.items()}}


def _changes(note: _Note, *, as_text: bool, tags_as_one: bool) -> Iterator[tuple[str, Document]]:
    before, after = (_leaves_of(document, tags_as_one=tags_as_one) for document in (note.before, note.machine.document))
    for path in [*before, *(path for path in after if path not in before)]:
        if path in before and path in after and before[path] == after[path]:
            continue
        kind = "Update" if path in before and path in after else "Insert" if path in after else "Remove"
        previous, new = before.get(path), after.get(path)
        yield (
            path,
            {
                "previousValue": _text(previous) if as_text else previous,
                "newValue": _text(new) if as_text else new,
                "changeCategory": "User",
                "propertyChangeType": kind,
            },
        )


def _leaves(value: Any, path: str) -> _Leaves:
    if isinstance(value, dict):
        return {deep: leaf for name, part in value.items() for deep, leaf in _leaves(part, f"{path}.{name}").items()}
    return {path: value}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _ticks(moment: datetime) -> str:
    """What change ids begin with: the time in units of 100 ns, counted down, so that the newest sorts first."""
    passed = moment - _EPOCH
    return f"{_LARGEST_TICK - (passed.days * 86_400 + passed.seconds) * 10_000_000 - passed.microseconds * 10:020d}"


def _snapshot(note: _Note, which: str) -> str:
    digest = uuid.uuid5(uuid.NAMESPACE_URL, f"{note.request_id}/{which}")
    return f"{_ticks(note.at)}_{digest}_{digest.int % 2**32}_{int(note.at.timestamp())}"
