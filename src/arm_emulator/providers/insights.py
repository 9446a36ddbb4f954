"""Microsoft.Insights: the activity log, in which Azure keeps who wrote what, and how it ended.

Source: "Activity Logs - List" of the public REST reference (the members, the filters, that a filter is required), and
Microsoft's article on the activity log (90 days; what reads is not in it). Kept in memory, outside of the state.

What is refused before a provider sees it (no sign-in, no right, a limit, not emulated) leaves no event here; which of
those Azure logs is not confirmed.
"""

import re
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from arm_emulator.protocol.http import ArmError, Principal, Request, Response
from arm_emulator.protocol.paging import list_page
from arm_emulator.protocol.routing import Route
from arm_emulator.resource_id import parse_id
from arm_emulator.state import Document

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

KEPT = timedelta(days=90)
_UNSEEN = frozenset({401, 403, 429, 501})
_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_CLAUSE = re.compile(r"\s*(\w+)\s+(eq|ge|le)\s+(?:'([^']*)'|(\S+))\s*", re.IGNORECASE)
_CLAIMS = "http://schemas.microsoft.com/identity/claims"
_Status = Literal["Started", "Accepted", "Succeeded", "Failed"]


@dataclass(frozen=True, slots=True)
class _Write:
    """One call that a provider answered."""

    method: str
    resource: str
    action: str
    principal: Principal
    at: datetime
    status: int
    correlation_id: str
    request_id: str
    client_request_id: str
    operation: str
    """The guid of the long-running operation that it began; ``''``: it began none."""


class ActivityLog:
    """The writes of the last ninety days, of one emulated cloud."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self._writes: deque[_Write] = deque()

    def note(self, request: Request, action: str, response: Response) -> None:
        """A provider answered a call; reads are not kept.

        Args:
            request: the call.
            action: the RBAC action of its route.
            response: its answer.
        """
        # A query may come by POST.
        is_write = request.method not in ("GET", "HEAD") and action and not action.endswith("/read")
        if not is_write or response.status in _UNSEEN or not request.path.lower().startswith("/subscriptions/"):
            return
        polled = response.headers.get("Azure-AsyncOperation", "").partition("?")[0]
        resource = request.path.rstrip("/")
        self._writes.append(
            _Write(
                request.method,
                resource.rpartition("/")[0] if action.endswith("/action") else resource,
                action,
                request.principal,
                self._cloud.clock.now(),
                response.status,
                request.correlation_id,
                request.request_id,
                request.headers.get("x-ms-client-request-id", ""),
                polled.rpartition("/")[2],
            )
        )

    def forget(self) -> None:
        """Drop every event (a reset does)."""
        self._writes.clear()

    def events(self, subscription: str) -> Iterator[Document]:
        """The events of a subscription, the newest first."""
        now = self._cloud.clock.now()
        while self._writes and self._writes[0].at <= now - KEPT:
            self._writes.popleft()
        place = f"/subscriptions/{subscription.lower()}/"
        found = [
            event
            for write in self._writes
            if f"{write.resource.lower()}/".startswith(place)
            for event in self._of(write, now)
        ]
        # Of those of one moment too the later one comes first.
        found.sort(key=lambda event: str(event["eventTimestamp"]))
        yield from reversed(found)

    def _of(self, write: _Write, now: datetime) -> Iterator[Document]:
        yield self._event(write, "Started", write.at)
        operation = self._cloud.operations.get(write.operation) if write.operation else None
        if write.status >= HTTPStatus.BAD_REQUEST:
            yield self._event(write, "Failed", write.at)
        elif not write.operation:
            yield self._event(write, "Succeeded", write.at)
        else:
            yield self._event(write, "Accepted", write.at)
            if operation is not None and operation.is_over and operation.ends is not None and operation.ends <= now:
                yield self._event(write, "Succeeded" if operation.status == "Succeeded" else "Failed", operation.ends)

    def _event(self, write: _Write, status: _Status, at: datetime) -> Document:
        parts = parse_id(write.resource)
        namespace = write.action.partition("/")[0]
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{write.request_id}/{status}"))
        ticks = int((at - _EPOCH) / timedelta(microseconds=1)) * 10
        ended = "" if status == "Started" else HTTPStatus(write.status).phrase.replace(" ", "")
        time = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
        by_app = self._cloud.profile.activity_log_caller == "application"
        return {
            "authorization": {"action": write.action, "scope": write.resource},
            "caller": write.principal.client_id if by_app else write.principal.object_id,
            "channels": "Operation",
            "claims": {
                "appid": write.principal.client_id,
                f"{_CLAIMS}/objectidentifier": write.principal.object_id,
                f"{_CLAIMS}/tenantid": write.principal.tenant_id,
            },
            "correlationId": write.correlation_id,
            "description": "",
            "eventDataId": name,
            "eventName": _shown("BeginRequest" if status == "Started" else "EndRequest"),
            "category": _shown("Administrative"),
            "eventTimestamp": time,
            "httpRequest": {"clientRequestId": write.client_request_id, "method": write.method},
            "id": f"{write.resource}/events/{name}/ticks/{ticks}",
            "level": "Error" if status == "Failed" else "Informational",
            "operationId": write.correlation_id,
            "operationName": _shown(write.action),
            "properties": {"serviceRequestId": write.request_id, **({"statusCode": ended} if ended else {})},
            "resourceGroupName": _group_of(write.resource),
            "resourceId": write.resource,
            "resourceProviderName": _shown(namespace),
            "resourceType": _shown(parts.type),
            "status": _shown(status),
            "subStatus": _shown(ended),
            "submissionTimestamp": time,
            "subscriptionId": parts.subscription,
            "tenantId": write.principal.tenant_id,
        }


def _shown(text: str) -> Document:
    """Azure has a translated text beside each; here it is the same."""
    return {"value": text, "localizedValue": text}


def _group_of(resource: str) -> str:
    segments = resource.split("/")
    return segments[4] if len(segments) > 4 and segments[3].lower() == "resourcegroups" else ""


def _list(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    text = request.query.get("$filter", "")
    if not text.strip():
        raise ArmError(400, "BadRequest", "The $filter query parameter is required, and names eventTimestamp.")
    tests = [_test(clause.strip(), text) for clause in re.split(r"\sand\s", text, flags=re.IGNORECASE)]
    chosen = {name.strip().lower() for name in request.query.get("$select", "").split(",") if name.strip()}

    def rows() -> list[Document]:
        events = cloud.parts[ActivityLog].events(params["subscription"])
        return [event for event in events if all(test(event) for test in tests)]

    def shown(event: Document) -> Document:
        return {name: value for name, value in event.items() if not chosen or name.lower() in chosen}

    return Response(200, list_page(cloud, request, rows, shown))


def _test(clause: str, whole: str) -> Callable[[Document], bool]:
    match = _CLAUSE.fullmatch(clause)
    name, operator = (match[1].lower(), match[2].lower()) if match else ("", "")
    value = (match[3] if match[3] is not None else match[4]) if match else ""
    if name == "eventtimestamp" and operator in ("ge", "le"):
        return _in_time(operator, value)
    if operator == "eq" and name in _MEMBERS:
        wanted = value.rstrip("/").lower()
        return lambda event: _MEMBERS[name](event).lower() == wanted
    if operator == "eq" and name == "eventchannels":
        # What az always adds, `Admin, Operation`; every event here is one of Operation.
        return lambda event: str(event["channels"]).lower() in [part.strip() for part in value.lower().split(",")]
    raise ArmError(501, "NotEmulated", f"The emulator does not emulate this filter of the activity log: {whole}")


def _in_time(operator: str, value: str) -> Callable[[Document], bool]:
    # Seven digits of a second's fraction are usual, and Python reads six.
    text = re.sub(r"(\.\d{6})\d+", r"\1", value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArmError(400, "BadRequest", f"The filter's eventTimestamp '{value}' is not a time.") from error
    limit = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

    def test(event: Document) -> bool:
        at = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", str(event["eventTimestamp"])))
        return at >= limit if operator == "ge" else at <= limit

    return test


_MEMBERS: dict[str, Callable[[Document], str]] = {
    "resourcegroupname": lambda event: str(event["resourceGroupName"]),
    "resourceuri": lambda event: str(event["resourceId"]),
    "resourceid": lambda event: str(event["resourceId"]),
    "resourceprovider": lambda event: str(event["resourceProviderName"]["value"]),
    "correlationid": lambda event: str(event["correlationId"]),
    "caller": lambda event: str(event["caller"]),
    "status": lambda event: str(event["status"]["value"]),
}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values",
        _list,
        "Microsoft.Insights/eventtypes/values/read",
    ),
)
