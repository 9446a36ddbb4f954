"""Event Grid's documents: which events a subscription receives, and that no secret of a webhook leaves the wire.

The shapes are those of azure-rest-api-specs, Microsoft.EventGrid 2022-06-15 and 2018-01-01, examples.
"""

from typing import Any

import pytest

from patchmode.arm.event_rows import event_subscription_of, subscriptions_path, topic_of
from patchmode.arm.schedule_rows import UnreadableRowError
from patchmode.model.maintenance_events import EventKind
from patchmode.model.resource_id import ResourceId

GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers"
TOPIC = f"{GROUP}/Microsoft.EventGrid/systemTopics/t"
CONFIGURATION = f"{GROUP}/Microsoft.Maintenance/maintenanceConfigurations/nightly"
PRE, POST = EventKind.PRE, EventKind.POST


def document(types: object = None, destination: object = None, **properties: Any) -> dict[str, Any]:
    told = {"filter": {"includedEventTypes": types}, "destination": destination, **properties}
    return {"id": f"{TOPIC}/eventSubscriptions/start", "name": "start", "properties": told}


@pytest.mark.parametrize(
    ("types", "kinds"),
    [
        (["Microsoft.Maintenance.PreMaintenanceEvent"], (PRE,)),
        (["microsoft.maintenance.postmaintenanceevent"], (POST,)),
        (["Microsoft.Maintenance.PostMaintenanceEvent", "Microsoft.Maintenance.PreMaintenanceEvent"], (PRE, POST)),
        (None, (PRE, POST)),
        (["All"], (PRE, POST)),
        (["Microsoft.Storage.BlobCreated", 3], ()),
        ([], ()),
    ],
)
def test_which_events(types: object, kinds: tuple[EventKind, ...]) -> None:
    """Null means every type; an empty list is told as none, since no document says that it is all."""
    assert event_subscription_of(document(types)).kinds == kinds


def test_a_webhook_is_its_host_alone() -> None:
    """The query of a runbook's webhook and the path of others are what starts them."""
    secret = "https://user:pw@hooks.example:8443/services/T0/SECRET?token=SECRET"
    for name in ("endpointBaseUrl", "endpointUrl"):
        found = event_subscription_of(document(destination={"endpointType": "WebHook", "properties": {name: secret}}))
        assert (found.destination, found.receiver) == ("WebHook", "hooks.example")
    broken = event_subscription_of(document(destination={"properties": {"endpointBaseUrl": "https://[SECRET"}}))
    assert (broken.destination, broken.receiver) == ("", "")


def test_a_receiver_with_an_identity() -> None:
    inner = {"endpointType": "AzureFunction", "properties": {"resourceId": "/f"}}
    found = event_subscription_of(document(deliveryWithResourceIdentity={"destination": inner}))
    assert (found.destination, found.receiver) == ("AzureFunction", "/f")


def test_what_cannot_be_read_is_told() -> None:
    with pytest.raises(UnreadableRowError):
        event_subscription_of({"name": "x"})
    with pytest.raises(UnreadableRowError):
        topic_of({"id": TOPIC, "properties": {"source": "elsewhere"}})
    assert event_subscription_of({"id": "/x/eventSubscriptions/y", "properties": 3}).name == "y"


def test_paths() -> None:
    assert subscriptions_path(ResourceId.parse(TOPIC)) == f"{TOPIC}/eventSubscriptions"
    on_it = f"{CONFIGURATION}/providers/Microsoft.EventGrid/eventSubscriptions"
    assert subscriptions_path(ResourceId.parse(CONFIGURATION)) == on_it
    found = topic_of({"id": TOPIC, "properties": {"source": CONFIGURATION.lower()}})
    assert found.source == ResourceId.parse(CONFIGURATION)
