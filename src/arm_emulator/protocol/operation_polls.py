"""Polling a long-running operation, and the route of it.

A poll answers 200 always, and ``Retry-After`` comes with the first InProgress answer only: recorded exchanges of 2024.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.operations import Operation, wire_time
from arm_emulator.protocol.routing import Route

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

FIRST_POLL_RETRY_AFTER = (30, 35, 36, 37, 50, 61, 70, 97)
"""Seconds; the values that recorded first InProgress polls carried."""
_HYBRID_COMPUTE = "Microsoft.HybridCompute"


def poll(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET .../locations/{location}/operations/{operation}``: both the status form and the ``monitor=true`` form.

    Raises:
        ArmError: 404 where no such operation is known in that location, or the signed query is not the one given out.
    """
    operation = cloud.operations.get(params["operation"])
    if operation is None or operation.location != params["location"].lower() or not _is_verbatim(operation, request):
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.", crlf=True)
    cloud.clock.run_due()
    if request.query.get("monitor", "").lower() == "true" or "/operationresults/" in request.path.lower():
        return _monitor(cloud, request, operation)
    if operation.namespace == _HYBRID_COMPUTE:
        return _hybrid_status(cloud, request, operation)
    body: dict[str, Any] = {"startTime": wire_time(operation.started)}
    headers: dict[str, str] = {}
    if operation.is_over and operation.ends is not None:
        body["endTime"] = wire_time(operation.ends)
    elif not operation.retry_after_sent:
        operation.retry_after_sent = True
        headers["Retry-After"] = _first_wait(cloud)
    body["status"] = operation.status
    if operation.is_over and operation.output is not None:
        body["properties"] = {"output": operation.output}
    if operation.is_over and operation.error is not None:
        body["error"] = operation.error
    body["name"] = operation.id
    return Response(200, body, headers, crlf=True)


def _hybrid_status(cloud: "Cloud", request: Request, operation: Operation) -> Response:
    """Microsoft.HybridCompute's own form, as recorded in 2024: compact, ``Z`` times, no end time, URLs while it runs.

    It was ``Queued`` in the second in which it was started and ``InProgress`` later, and ended with the result itself
    as ``properties``.
    """
    body: dict[str, Any] = {"name": operation.id, "status": operation.status}
    headers: dict[str, str] = {}
    if not operation.is_over:
        if (cloud.clock.now() - operation.started).total_seconds() < 1:
            body["status"] = "Queued"
        base = request.base_url
        headers = {"Azure-AsyncOperation": operation.async_url(base), "Location": operation.location_url(base)}
        if not operation.retry_after_sent:
            operation.retry_after_sent = True
            headers["Retry-After"] = _first_wait(cloud)
    body["startTime"] = wire_time(operation.started).replace("+00:00", "Z")
    if operation.is_over and operation.error is not None:
        body["error"] = operation.error
    elif operation.is_over and operation.output is not None:
        body["properties"] = operation.output
    return Response(200, body, headers)


def _monitor(cloud: "Cloud", request: Request, operation: Operation) -> Response:
    if operation.is_over:
        return Response(200, operation.output, crlf=True)
    headers = {"Location": operation.location_url(request.base_url)}
    if not operation.retry_after_sent:
        operation.retry_after_sent = True
        headers["Retry-After"] = _first_wait(cloud)
    return Response(202, None, headers)


def _first_wait(cloud: "Cloud") -> str:
    return cloud.clock.retry_after(cloud.operations.told(cloud.random.choice(FIRST_POLL_RETRY_AFTER)))


def _is_verbatim(operation: Operation, request: Request) -> bool:
    given, made = parse_qs(request.raw_query), parse_qs(operation.query)
    return all(given.get(name) == made.get(name) for name in ("t", "c", "s", "h"))


_HYBRID = f"/subscriptions/{{subscription}}/providers/{_HYBRID_COMPUTE}/locations/{{location}}"
ROUTES: tuple[Route, ...] = (
    *(
        Route("GET", f"{_HYBRID}/{kind}/{{operation}}", poll, f"Microsoft.HybridCompute/locations/{kind}/read")
        for kind in ("operationstatus", "operationresults")
    ),
    Route(
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/operations/{operation}",
        poll,
        "Microsoft.Compute/locations/operations/read",
        throttle=("GetOperationResource", "GetOperationSubscriptionMaximum"),
    ),
)
