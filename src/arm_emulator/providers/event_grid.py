"""Microsoft.EventGrid, as far as pre and post events of maintenance configurations need it: read, never written.

System topics and event subscriptions are what the fleet holds. No event is sent: a run begins here without its
pre-event, whatever is subscribed to it.

Source: the public REST specification of Microsoft.EventGrid 2022-06-15 (paths, members, `endpointBaseUrl` of a webhook
in place of the `endpointUrl` that was written); Microsoft, "Create pre and post events" (topic type and event types).
Not confirmed: what a list on a configuration holds besides its own.
"""

from typing import TYPE_CHECKING

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.paging import list_page
from arm_emulator.protocol.routing import Route
from arm_emulator.providers.compute.errors import resource_not_found
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

TOPIC = "Microsoft.EventGrid/systemTopics"
_OF_TOPIC = f"{TOPIC}/eventSubscriptions"
_ON_RESOURCE = "Microsoft.EventGrid/eventSubscriptions"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_ONE = f"{_GROUP}/providers/{TOPIC}/{{topic}}"


def _topics(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    rows = list(cloud.state.of_type(TOPIC, subscription=params["subscription"], group=params.get("group")))
    return Response(200, list_page(cloud, request, lambda: rows, lambda stored: stored.document))


def _topic(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    return Response(200, _stored_topic(cloud, params).document)


def _subscriptions_of_topic(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    topic = _stored_topic(cloud, params)
    rows = list(cloud.state.of_type(_OF_TOPIC, parent=topic.id))
    return Response(200, list_page(cloud, request, lambda: rows, _shown))


def _subscriptions_on(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    scope = f"/{params['scope']}"
    rows = list(cloud.state.of_type(_ON_RESOURCE, parent=scope))
    if cloud.profile.event_subscriptions_on_source == "all":
        for topic in cloud.state.of_type(TOPIC):
            source = str(topic.document.get("properties", {}).get("source", ""))
            if source.rstrip("/").lower() == scope.rstrip("/").lower():
                rows += cloud.state.of_type(_OF_TOPIC, parent=topic.id)
    return Response(200, list_page(cloud, request, lambda: rows, _shown))


def _subscription(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    stored = cloud.state.get(request.path)
    if stored is None:
        message = f"The event subscription '{params['name']}' was not found."
        raise ArmError(404, "ResourceNotFound", message)
    return Response(200, _shown(stored))


def _stored_topic(cloud: "Cloud", params: dict[str, str]) -> Stored:
    path = (
        f"/subscriptions/{params['subscription']}/resourceGroups/{params['group']}/providers/{TOPIC}/{params['topic']}"
    )
    stored = cloud.state.get(path)
    if stored is None:
        raise resource_not_found(TOPIC, params["topic"], params["group"])
    return stored


def _shown(stored: Stored) -> Document:
    """As a read answers it: of a webhook's address what is before its query."""
    document = stored.copy()
    properties = document.get("properties") or {}
    for holder in (properties, properties.get("deliveryWithResourceIdentity") or {}):
        told = (holder.get("destination") or {}).get("properties") or {}
        if isinstance(written := told.pop("endpointUrl", None), str):
            told["endpointBaseUrl"] = written.partition("?")[0]
    return document


ROUTES: tuple[Route, ...] = (
    Route("GET", f"/subscriptions/{{subscription}}/providers/{TOPIC}", _topics, f"{TOPIC}/read"),
    Route("GET", f"{_GROUP}/providers/{TOPIC}", _topics, f"{TOPIC}/read"),
    Route("GET", _ONE, _topic, f"{TOPIC}/read"),
    Route("GET", f"{_ONE}/eventSubscriptions", _subscriptions_of_topic, f"{_OF_TOPIC}/read"),
    Route("GET", f"{_ONE}/eventSubscriptions/{{name}}", _subscription, f"{_OF_TOPIC}/read"),
    Route("GET", f"/{{scope+}}/providers/{_ON_RESOURCE}", _subscriptions_on, f"{_ON_RESOURCE}/read"),
    Route("GET", f"/{{scope+}}/providers/{_ON_RESOURCE}/{{name}}", _subscription, f"{_ON_RESOURCE}/read"),
)
