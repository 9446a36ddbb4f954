"""Event Grid's reads, judged by azure-mgmt-eventgrid, a client that this project did not write, and by raw HTTP.

Shapes: azure-rest-api-specs, Microsoft.EventGrid 2022-06-15, SystemTopicEventSubscriptions_Get.json and
EventSubscriptions_GetForCustomTopic_WebhookDestination.json (a read answers `endpointBaseUrl`, without the query).
"""

import json
from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.eventgrid import EventGridManagementClient
from tests.emulator.core.conftest import Client

from arm_emulator.app import Emulator
from arm_emulator.demo_fleet import PRODUCTION
from arm_emulator.profile import Profile
from arm_emulator.protocol.throttle import Limits
from arm_emulator.schedules_fleet import NIGHTLY, schedules_fleet
from arm_emulator.testing import running

API = "api-version=2022-06-15"
GROUP = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-app"
TOPIC = (
    f"/subscriptions/{PRODUCTION}/resourceGroups/rg-app/providers/Microsoft.EventGrid/systemTopics/mc-nightly-events"
)
OF_CONFIGURATION = ("rg-app", "Microsoft.Maintenance", "maintenanceConfigurations", "mc-nightly")


def emulator(profile: Profile | None = None) -> Emulator:
    on_it = {
        "id": f"{NIGHTLY}/providers/Microsoft.EventGrid/eventSubscriptions/direct",
        "name": "direct",
        "type": "Microsoft.EventGrid/eventSubscriptions",
        "properties": {
            "destination": {
                "endpointType": "WebHook",
                "properties": {"endpointUrl": "https://hooks.example/x?t=secret"},
            }
        },
    }
    fleet = schedules_fleet()
    return Emulator(
        fleet={**fleet, "resources": [*fleet["resources"], on_it]},
        limits=Limits(is_off=True),
        profile=profile or Profile(),
    )


@pytest.fixture(scope="module")
def sdk() -> Iterator[EventGridManagementClient]:
    with running(emulator()) as served:
        env, trust = served.env, {"connection_verify": str(served.ca)}
        credential = ClientSecretCredential(
            env["AZURE_TENANT_ID"],
            env["AZURE_CLIENT_ID"],
            env["AZURE_CLIENT_SECRET"],
            authority=served.endpoint,
            disable_instance_discovery=True,
            **trust,
        )
        with EventGridManagementClient(
            credential,
            PRODUCTION,
            base_url=served.endpoint,
            credential_scopes=[f"{served.endpoint}/.default"],
            api_version="2022-06-15",
            **trust,
        ) as made:
            yield made


def test_topics(sdk: EventGridManagementClient) -> None:
    (topic,) = sdk.system_topics.list_by_subscription()
    assert (topic.topic_type, topic.source) == ("Microsoft.Maintenance.MaintenanceConfigurations", NIGHTLY)
    assert [one.name for one in sdk.system_topics.list_by_resource_group("rg-app")] == ["mc-nightly-events"]
    assert sdk.system_topics.get("RG-APP", "MC-nightly-events").id == TOPIC
    with pytest.raises(ResourceNotFoundError):
        sdk.system_topics.get("rg-app", "other")


def test_event_subscriptions_of_a_topic(sdk: EventGridManagementClient) -> None:
    calls = sdk.system_topic_event_subscriptions
    found = {one.name: one for one in calls.list_by_system_topic("rg-app", "mc-nightly-events")}
    pre, post = found["start-machines"], found["stop-machines"]
    assert pre.filter.included_event_types == ["Microsoft.Maintenance.PreMaintenanceEvent"]
    assert pre.destination.endpoint_base_url == "https://0f1e2d3c.webhook.we.azure-automation.net/webhooks"
    assert pre.destination.endpoint_url is None
    assert post.filter.included_event_types == ["Microsoft.Maintenance.PostMaintenanceEvent"]
    assert post.destination.resource_id.endswith("/functions/stop-machines")
    assert calls.get("rg-app", "mc-nightly-events", "stop-machines").id == post.id
    with pytest.raises(HttpResponseError):
        calls.get("rg-app", "mc-nightly-events", "none")


def test_event_subscriptions_on_a_configuration(sdk: EventGridManagementClient) -> None:
    (found,) = sdk.event_subscriptions.list_by_resource(*OF_CONFIGURATION)
    assert (found.name, found.destination.endpoint_base_url) == ("direct", "https://hooks.example/x")
    assert sdk.event_subscriptions.get(NIGHTLY.strip("/"), "direct").id == found.id


@pytest.mark.parametrize(
    ("answer", "names"),
    [("own", ["direct"]), ("all", ["direct", "start-machines", "stop-machines"])],
)
def test_what_a_list_on_a_configuration_holds_is_a_switch(answer: str, names: list[str]) -> None:
    client = Client(emulator(Profile(event_subscriptions_on_source=answer)))  # type: ignore[arg-type]
    listed = client("GET", f"{NIGHTLY}/providers/Microsoft.EventGrid/eventSubscriptions?{API}").json["value"]
    assert [one["name"] for one in listed] == names
    assert "token" not in json.dumps(listed)
    assert "secret" not in json.dumps(listed)


def test_resource_graph_has_topics_and_no_event_subscription() -> None:
    """Microsoft's reference of tables lists Event Grid's topics alone."""
    body = {"query": "resources | where type startswith 'microsoft.eventgrid' | project id, type"}
    path = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    rows = Client(emulator())("POST", path, body).json["data"]
    assert [(one["id"], one["type"]) for one in rows] == [(TOPIC, "microsoft.eventgrid/systemtopics")]
