"""The built-in fleet ``schedules``: the machines of ``demo``, with schedules attached to some of them.

Every state that a schedule can meet: members that are prepared, members that are not (as they were left by the time
before the prerequisite, or because a dynamic scope took them in), an orphaned assignment and one without its
configuration. The nightly window opens every evening, so it lies within a day of any clock. The nightly schedule has a
pre-event and a post-event, the weekly one neither.
"""

from typing import Any

from arm_emulator.demo_fleet import PRODUCTION, demo_fleet
from arm_emulator.fleet_documents import Json, group_id
from arm_emulator.state import Document

_APP, _DATA = group_id(PRODUCTION, "rg-app"), group_id(PRODUCTION, "RG-DATA-PROD")
NIGHTLY = f"{_APP}/providers/Microsoft.Maintenance/maintenanceConfigurations/mc-nightly"
WEEKLY = f"{_APP}/providers/Microsoft.Maintenance/maintenanceConfigurations/mc-weekly"
_GONE = f"{_APP}/providers/Microsoft.Maintenance/maintenanceConfigurations/mc-retired"
_MACHINES = "providers/Microsoft.Compute/virtualMachines"
_ASSIGNED = "providers/Microsoft.Maintenance/configurationAssignments"


def schedules_fleet() -> dict[str, Any]:
    """The demo fleet with a nightly and a weekly schedule.

    At the nightly window the dynamic scope (tag ``ring`` 1 or 2) takes in web-01, web-02 and api-01, none of them
    prepared; web-04 and api-04 are assigned and prepared, web-05 is assigned and was never prepared. So four members
    fail on the prerequisite and two succeed.
    """
    fleet = demo_fleet()
    schedules: list[Document] = [
        configuration_document(NIGHTLY, recur_every="Day"),
        dynamic_document(
            f"/subscriptions/{PRODUCTION}",
            "rings",
            NIGHTLY,
            {"tagSettings": {"tags": {"ring": ["1", "2"]}, "filterOperator": "All"}},
        ),
        *(
            assignment_document(f"{_APP}/{_MACHINES}/{name}", "nightly", NIGHTLY)
            for name in ("web-04", "web-05", "api-04")
        ),
        *(assignment_document(f"{_DATA}/{_MACHINES}/{name}", "weekly", WEEKLY) for name in ("SQL-01", "rhel-01")),
        assignment_document(f"{_APP}/providers/Microsoft.HybridCompute/machines/onprem-lin-01", "weekly", WEEKLY),
        assignment_document(f"{_APP}/{_MACHINES}/web-moved-away", "nightly", NIGHTLY),
        assignment_document(f"{_APP}/{_MACHINES}/web-08", "retired", _GONE),
        *event_documents(f"{_APP}/providers/Microsoft.EventGrid/systemTopics/mc-nightly-events", NIGHTLY),
    ]
    return {**fleet, "resources": [*fleet["resources"], *schedules]}


def configuration_document(
    configuration_id: str, *, recur_every: str, starts: str = "2024-04-30 22:00", zone: str = "W. Europe Standard Time"
) -> Document:
    """A guest patching configuration as a PUT stores it: windows of three hours.

    Args:
        configuration_id: its id.
        recur_every: in the service's grammar.
        starts: ``YYYY-MM-DD HH:mm``, local to ``zone``.
        zone: a Windows time-zone name.
    """
    classes = ["Critical", "Security"]
    return {
        "location": "westeurope",
        "tags": {},
        "properties": {
            "extensionProperties": {"InGuestPatchMode": "User"},
            "maintenanceScope": "InGuestPatch",
            "maintenanceWindow": {
                "startDateTime": starts,
                "expirationDateTime": "9999-12-31 00:00",
                "duration": "03:00",
                "timeZone": zone,
                "recurEvery": recur_every,
            },
            "visibility": "Custom",
            "installPatches": {
                "rebootSetting": "IfRequired",
                "windowsParameters": {"classificationsToInclude": classes},
                "linuxParameters": {"classificationsToInclude": classes},
            },
            "configurationType": "Regular",
        },
        "id": configuration_id,
        "name": configuration_id.rsplit("/", 1)[-1],
        "type": "Microsoft.Maintenance/maintenanceConfigurations",
    }


def event_documents(topic_id: str, configuration_id: str) -> list[Document]:
    """A system topic of a configuration, a runbook's webhook for its pre-event and a function for its post-event.

    Args:
        topic_id: the topic's id.
        configuration_id: whose events they are.
    """
    group = topic_id.partition("/providers/")[0]
    runbook = "https://0f1e2d3c.webhook.we.azure-automation.net/webhooks?token=made-up-token"
    function = f"{group}/providers/Microsoft.Web/sites/patch-hooks/functions/stop-machines"
    topic = {
        "location": "westeurope",
        "tags": None,
        "properties": {
            "provisioningState": "Succeeded",
            "source": configuration_id,
            "topicType": "Microsoft.Maintenance.MaintenanceConfigurations",
            "metricResourceId": "5b1d8a52-6a1d-4d43-9d53-4f0a9a0f5c11",
        },
        "id": topic_id,
        "name": topic_id.rsplit("/", 1)[-1],
        "type": "Microsoft.EventGrid/systemTopics",
    }
    receivers: tuple[tuple[str, str, Json], ...] = (
        ("start-machines", "PreMaintenanceEvent", {"endpointType": "WebHook", "properties": {"endpointUrl": runbook}}),
        (
            "stop-machines",
            "PostMaintenanceEvent",
            {"endpointType": "AzureFunction", "properties": {"resourceId": function}},
        ),
    )
    return [
        topic,
        *(
            {
                "properties": {
                    "topic": topic_id,
                    "provisioningState": "Succeeded",
                    "destination": destination,
                    "filter": {"includedEventTypes": [f"Microsoft.Maintenance.{event}"]},
                    "eventDeliverySchema": "EventGridSchema",
                    "retryPolicy": {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440},
                },
                "id": f"{topic_id}/eventSubscriptions/{name}",
                "name": name,
                "type": "Microsoft.EventGrid/systemTopics/eventSubscriptions",
            }
            for name, event, destination in receivers
        ),
    ]


def assignment_document(machine_id: str, name: str, configuration_id: str) -> Document:
    """A static assignment as a PUT stores it, ids in lower case."""
    return {
        "location": "westeurope",
        "properties": {"maintenanceConfigurationId": configuration_id.lower(), "resourceId": machine_id.lower()},
        "id": f"{machine_id.lower()}/{_ASSIGNED}/{name}",
        "name": name,
        "type": "Microsoft.Maintenance/configurationAssignments",
    }


def dynamic_document(scope: str, name: str, configuration_id: str, narrowed_by: Json) -> Document:
    """A dynamic scope as a PUT stores it: at a subscription or a group, with explicit nulls in its filter."""
    members = (
        "tagSettings",
        "resourceTypes",
        "locations",
        "resourceGroups",
        "osTypes",
        "resourceIds",
        "availabilityZones",
    )
    return {
        "location": "global",
        "properties": {
            "maintenanceConfigurationId": configuration_id,
            "resourceId": scope,
            "filter": {member: narrowed_by.get(member) for member in members},
        },
        "id": f"{scope}/{_ASSIGNED.lower()}/{name}",
        "name": name,
        "type": "microsoft.maintenance/configurationassignments",
    }
