"""Apply updates and pending updates on a resource, and the cancellation of one run of a configuration.

Recorded: ``PUT .../applyUpdates/default`` answers 200 with the body ``null`` where nothing was pending, a later GET
says ``Completed`` at the year 1; ``updates`` is an empty list; a cancellation answers the configuration's name as
``name``. The emulator has no host maintenance, so nothing is ever pending. Whether a cancelled run is left out is
decided when its window opens, not here.

Sources: the recorded test of azure-cli's maintenance extension (2024); "Manage pre and post events" for the ten
minutes.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from arm_emulator.patching import Patching
from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.providers.maintenance.assignments import MACHINE_TYPES
from arm_emulator.providers.maintenance.configurations import CONFIGURATIONS, body_of, find_configuration, scope_of
from arm_emulator.providers.maintenance.errors import capitalised, not_found, unsupported_scope
from arm_emulator.providers.maintenance.run_rows import RUN_TYPE, graph_time
from arm_emulator.providers.maintenance.windows import read_window
from arm_emulator.resource_id import parse_id
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

APPLY_UPDATES = "Microsoft.Maintenance/applyUpdates"
CANCEL_SINCE = "2023-09-01"
LATEST_CANCEL = timedelta(minutes=10)
_STAMP = re.compile(r"^\d{14}$")
_API_STATUS = {"Succeeded": "Completed"}
"""Resource Graph's words for the end of a run that the API's enumeration does not have."""


def put_update(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``PUT {resource}/providers/Microsoft.Maintenance/applyUpdates/{name}``: apply what is pending, or cancel a run.

    Raises:
        ArmError: 404 for a machine or configuration that is not there, 400 for a run that cannot be cancelled.
    """
    target = "/" + params["scope"]
    if parse_id(target).type == CONFIGURATIONS.lower():
        return _cancelled(cloud, request, target, params["name"])
    _check_machine(cloud, target)
    return Response(200, b"null", {"Content-Type": "application/json; charset=utf-8"})


def get_update(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``GET`` of one: a run that took place or was cancelled, or ``default``, which is always complete."""
    target = "/" + params["scope"]
    stored = _find(cloud, f"{target}/providers/{APPLY_UPDATES}/{params['name']}".lower())
    if stored is not None:
        return Response(200, _shown(stored))
    _check_machine(cloud, target)
    if params["name"].lower() != "default" or find_configuration(cloud, target) is not None:
        segments = params["scope"].split("/")
        raise not_found(APPLY_UPDATES, params["name"], segments[3] if len(segments) > 3 else "")
    properties = {"status": "Completed", "resourceId": target, "lastUpdateTime": "0001-01-01T00:00:00"}
    return Response(200, _document(properties, f"{target}/providers/{APPLY_UPDATES}/default", "default"))


def list_of_scope(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``GET`` of all at a subscription or a group; whether the service implements it is a switch of the profile."""
    if cloud.profile.apply_updates_list == "not-implemented":
        raise capitalised(501, "NotImplemented", "Listing apply updates of a subscription or group is not implemented.")
    subscription, group = params["subscription"].lower(), params.get("group", "").lower()
    found = (row for row in _rows(cloud) if row.subscription == subscription and group in ("", row.group))
    return Response(200, {"value": [_shown(row) for row in found if row.type == APPLY_UPDATES.lower()]})


def list_pending(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``GET {resource}/providers/Microsoft.Maintenance/updates``: nothing is pending."""
    _check_machine(cloud, "/" + params["scope"])
    return Response(200, {"value": []})


def _rows(cloud: "Cloud") -> Iterator[Stored]:
    """Runs that took place, and those that a fleet file holds."""
    yield from cloud.state.of_type(APPLY_UPDATES)
    yield from cloud.parts[Patching].rows("maintenanceresources")


def _find(cloud: "Cloud", key: str) -> Stored | None:
    stored = cloud.state.get(key)
    if stored is not None:
        return stored
    return next((row for row in _rows(cloud) if row.key == key), None)


def _check_machine(cloud: "Cloud", target: str) -> None:
    kind = MACHINE_TYPES.get(parse_id(target).type)
    if kind is not None and cloud.state.get(target) is None:
        segments = target.strip("/").split("/")
        raise not_found(kind, segments[-1], segments[3] if len(segments) > 3 else "")


def _cancelled(cloud: "Cloud", request: Request, target: str, stamp: str) -> Response:
    configuration = find_configuration(cloud, target)
    if configuration is None:
        segments = target.strip("/").split("/")
        raise not_found(CONFIGURATIONS, segments[-1], segments[3] if len(segments) > 3 else "")
    starts = _checked(cloud, request, configuration, stamp)
    now = cloud.clock.now()
    document = {
        "properties": {
            "status": "Cancelled",
            "startDateTime": graph_time(starts),
            "lastUpdateTime": graph_time(now),
            "maintenanceConfigurationId": configuration.key,
        },
        "id": f"{configuration.id}/providers/{APPLY_UPDATES}/{stamp}",
        "name": stamp,
        "type": RUN_TYPE,
    }
    cloud.state.put(document, etag=None)
    return Response(200, _cancellation(target, stamp))


def _cancellation(target: str, stamp: str) -> Document:
    """As recorded: the path's scope as written, the rest of ``id`` in lower case, the configuration's name."""
    at = target.lower().rfind("/providers/")
    tail = f"{target[at:]}/providers/{APPLY_UPDATES}/".lower()
    properties: Document = {"status": "Cancelled", "resourceId": target}
    return _document(properties, f"{target[:at]}{tail}{stamp}", target.rpartition("/")[2])


def _checked(cloud: "Cloud", request: Request, configuration: Stored, stamp: str) -> datetime:
    """The start of the run that is to be cancelled.

    Raises:
        ArmError: 400; the wording is ours.
    """
    properties = body_of(request).get("properties")
    status = properties.get("status") if isinstance(properties, dict) else None
    if str(status or "").lower() != "cancel" or request.api_version < CANCEL_SINCE:
        raise _refused("A run of a maintenance configuration can only be cancelled, from api-version 2023-09-01 on.")
    if scope_of(configuration).lower() != "inguestpatch":
        raise unsupported_scope(scope_of(configuration))
    starts = _instant(stamp)
    if starts is None:
        raise _refused(f"'{stamp}' is not the start of a run; the form is yyyyMMddHHmmss.")
    if not _is_opening(cloud, configuration, starts):
        raise _refused(f"No run of the maintenance configuration starts at {stamp}.")
    left = starts - cloud.clock.now()
    if left <= timedelta(0):
        raise _refused(f"The run of {stamp} has started.")
    if left < LATEST_CANCEL and cloud.profile.late_cancel == "refused":
        raise _refused(f"The run of {stamp} starts in less than 10 minutes.")
    return starts


def _is_opening(cloud: "Cloud", configuration: Stored, starts: datetime) -> bool:
    rule = read_window((configuration.document.get("properties") or {}).get("maintenanceWindow"))
    profile = cloud.profile
    return rule is not None and starts == rule.next_start(
        starts,
        week_start=profile.recurrence_week_start,
        offset_month=profile.recurrence_offset_month,
        hourly_count=profile.hourly_count,
    )


def _instant(stamp: str) -> datetime | None:
    if _STAMP.match(stamp) is None:
        return None
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _refused(message: str) -> ArmError:
    return capitalised(400, "InvalidRequestContent", message)


def _shown(stored: Stored) -> Document:
    """A stored run in the form of the API: what it does not name stays in Resource Graph."""
    scope, _, _ = stored.id.rpartition("/providers/")
    known = stored.document.get("properties") or {}
    status = str(known.get("status", ""))
    if status == "Cancelled" and stored.type == RUN_TYPE:
        return _cancellation(scope, str(stored.document.get("name")))
    ended = known.get("lastUpdateTime") or known.get("endDateTime") or known.get("startDateTime")
    properties = {"status": _API_STATUS.get(status, status), "resourceId": scope, "lastUpdateTime": ended}
    named = {key: value for key, value in properties.items() if value is not None}
    return _document(named, stored.id, str(stored.document.get("name")))


def _document(properties: Document, identifier: str, name: str) -> Document:
    return {"properties": properties, "id": identifier, "name": name, "type": APPLY_UPDATES}
