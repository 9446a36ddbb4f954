"""Runs as rows of Resource Graph's ``maintenanceresources``: one a run, and one a machine in it.

Source: "Access Azure Update Manager operations data" (properties of a machine's row), "Manage pre and post events"
(the correlation id), public workbooks (``status``, ``maintenanceConfiguration``, ``resourceUpdateSummary``). Where the
reason of a failure stands is not documented: a switch.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Literal

from arm_emulator.providers.maintenance.runs import CANCELLED, Part, Run, stable_guid
from arm_emulator.providers.maintenance.verdicts import Failure
from arm_emulator.state import Document, Stored

RUN_TYPE = "microsoft.maintenance/maintenanceconfigurations/applyupdates"
MACHINE_RUN_TYPE = "microsoft.maintenance/applyupdates"
ErrorShape = Literal["error-object", "error-text", "absent"]


@lru_cache(maxsize=8192)
def graph_time(moment: datetime) -> str:
    """A time as rows have it, UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def run_document(run: Run, now: datetime, shape: ErrorShape) -> Stored:
    """A run as it stands at a moment."""
    counts = Counter(run.status_of(part, now) for part in run.parts)
    configuration = run.configuration.document
    properties: Document = {
        "status": run.status(now),
        "startDateTime": graph_time(run.starts),
        "endDateTime": graph_time(run.ends if now >= run.ends else run.closes),
        "correlationId": run.id,
        "maintenanceConfigurationId": run.configuration.key,
        "maintenanceConfiguration": {
            "id": run.configuration.id,
            "name": configuration.get("name"),
            "location": configuration.get("location"),
            "properties": configuration.get("properties") or {},
        },
        "resourceUpdateSummary": {
            "total": counts.total(),
            "succeeded": counts["Succeeded"],
            "failed": counts["Failed"],
            "inProgress": counts["InProgress"],
            "cancelled": counts["Cancelled"],
        },
        **(error_members(Failure(CANCELLED, run.cancelled), shape) if run.cancelled else {}),
    }
    return _stored(run.id, RUN_TYPE, run.name, run.configuration, properties)


def machine_documents(run: Run, now: datetime, shape: ErrorShape) -> Iterator[Stored]:
    """The rows of a run's machines as they stand at a moment."""
    scope = "InGuestPatch"
    for part in run.parts:
        status = run.status_of(part, now)
        properties: Document = {
            "maintenanceConfigurationId": run.configuration.key,
            "maintenanceScope": scope,
            "resourceId": part.machine.key,
            "correlationId": run.id,
            "startDateTime": graph_time(run.starts),
            "endDateTime": graph_time(run.closes if status == "InProgress" else part.ends),
            "status": status,
            **error_members(_failure(run, part, status), shape),
        }
        name = stable_guid(run.id, part.machine.key)
        id_ = f"{part.machine.key}/providers/microsoft.maintenance/applyupdates/{name}"
        yield _stored(id_, MACHINE_RUN_TYPE, name, part.machine, properties)


def _failure(run: Run, part: Part, status: str) -> Failure | None:
    if status == "Cancelled":
        return Failure(CANCELLED, run.cancelled)
    return part.failure if status == "Failed" else None


def error_members(failure: Failure | None, shape: ErrorShape) -> Document:
    """The members that carry a failure's reason, none where there is no failure or the profile shows none."""
    if failure is None or shape == "absent":
        return {}
    if shape == "error-text":
        return {"errorMessage": f"{failure.code}: {failure.message}"}
    detail = {"code": failure.code, "message": failure.message}
    return {"errorDetails": {**detail, "details": [detail]}}


def _stored(id_: str, type_: str, name: str, owner: Stored, properties: Document) -> Stored:
    document = {
        "id": id_,
        "name": name,
        "type": type_,
        "location": owner.document.get("location"),
        "properties": properties,
    }
    return Stored(id_, type_, owner.subscription, owner.group, document, None, id_, owner.key)
