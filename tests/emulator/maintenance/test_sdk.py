"""azure-mgmt-maintenance, a client that this project did not write, over TLS: the whole life of a schedule.

What the SDK sends and what it makes of the answers is its own; the expected values are its models'.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.maintenance import MaintenanceManagementClient
from azure.mgmt.maintenance.models import (
    ConfigurationAssignment,
    ConfigurationAssignmentFilterProperties,
    InputPatchConfiguration,
    InputWindowsParameters,
    MaintenanceConfiguration,
    TagSettingsProperties,
)
from tests.emulator.compute.caller import SUBSCRIPTION, Caller, machine

from arm_emulator.testing import running

PREPARED = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
ARC = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Rg/providers/Microsoft.HybridCompute/machines/arc1"
VM = ("Rg", "Microsoft.Compute", "virtualMachines", "vm1")
SERVER = ("Rg", "Microsoft.HybridCompute", "machines", "arc1")


@pytest.fixture
def client() -> Iterator[MaintenanceManagementClient]:
    documents = [machine(settings=PREPARED), machine("unprepared"), {"id": ARC, "location": "eastus", "properties": {}}]
    switches: dict[str, Any] = {"assignments_of_subscription": "listed", "apply_updates_list": "listed"}
    with running(Caller.of(*documents, **switches).emulator) as served:
        env, trust = served.env, {"connection_verify": str(served.ca)}
        credential = ClientSecretCredential(
            SUBSCRIPTION,
            env["AZURE_CLIENT_ID"],
            env["AZURE_CLIENT_SECRET"],
            authority=served.endpoint,
            disable_instance_discovery=True,
            **trust,
        )
        scopes = [f"{served.endpoint}/.default"]
        with MaintenanceManagementClient(
            credential, SUBSCRIPTION, base_url=served.endpoint, credential_scopes=scopes, **trust
        ) as made:
            yield made


def _wanted(**changes: Any) -> MaintenanceConfiguration:
    window = {
        "start_date_time": "2030-01-05 22:00",
        "duration": "03:00",
        "time_zone": "W. Europe Standard Time",
        "recur_every": "Month Second Tuesday Offset4",
    }
    patches = InputPatchConfiguration(
        reboot_setting="IfRequired",
        windows_parameters=InputWindowsParameters(classifications_to_include=["Critical", "Security"]),
    )
    return MaintenanceConfiguration(
        location="westeurope",
        tags={"owner": "platform"},
        maintenance_scope="InGuestPatch",
        extension_properties={"InGuestPatchMode": "User"},
        install_patches=patches,
        **{**window, **changes},
    )


def _assignment(configuration: MaintenanceConfiguration, **more: Any) -> ConfigurationAssignment:
    return ConfigurationAssignment(location="global", maintenance_configuration_id=configuration.id, **more)


def test_configurations_are_made_changed_listed_and_deleted(client: MaintenanceManagementClient) -> None:
    """Each member of the model comes back as it was sent."""
    made = client.maintenance_configurations.create_or_update("Rg", "monthly", _wanted())
    assert made.recur_every == "Month Second Tuesday Offset4"
    got = client.maintenance_configurations.get("Rg", "monthly")
    assert (got.start_date_time, got.duration, got.time_zone) == (
        "2030-01-05 22:00",
        "03:00",
        "W. Europe Standard Time",
    )
    assert got.install_patches is not None
    assert got.install_patches.windows_parameters is not None
    assert got.install_patches.windows_parameters.classifications_to_include == ["Critical", "Security"]
    changed = client.maintenance_configurations.update("Rg", "monthly", _wanted(duration="02:00"))
    assert changed.duration == "02:00"
    assert [item.name for item in client.maintenance_configurations.list()] == ["monthly"]
    assert [item.name for item in client.maintenance_configurations_for_resource_group.list("Rg")] == ["monthly"]
    client.maintenance_configurations.delete("Rg", "monthly")
    with pytest.raises(ResourceNotFoundError):
        client.maintenance_configurations.get("Rg", "monthly")


def test_a_refused_window_reaches_the_caller_in_words(client: MaintenanceManagementClient) -> None:
    """azure-core does not parse the capitals: no code, but the sentence is in the text."""
    with pytest.raises(HttpResponseError, match="Monthly maintenance window is missing day of month") as refused:
        client.maintenance_configurations.create_or_update("Rg", "monthly", _wanted(recur_every="Month"))
    assert (refused.value.status_code, refused.value.error) == (400, None)


def test_static_assignments_on_machine_and_arc_server(client: MaintenanceManagementClient) -> None:
    """Created, read, listed, deleted; the unprepared machine is refused by name."""
    made = client.maintenance_configurations.create_or_update("Rg", "monthly", _wanted())
    for target in (VM, SERVER):
        client.configuration_assignments.create_or_update(*target, "monthly", _assignment(made))
        got = client.configuration_assignments.get(*target, "monthly")
        assert got.maintenance_configuration_id == str(made.id).lower()
        assert [item.name for item in client.configuration_assignments.list(*target)] == ["monthly"]
    with pytest.raises(HttpResponseError, match="prerequisites to patch your machine were not met") as refused:
        client.configuration_assignments.create_or_update(*VM[:3], "unprepared", "monthly", _assignment(made))
    assert refused.value.error is not None
    assert refused.value.error.code == "UnsupportedResourceOperation"
    assert len(list(client.configuration_assignments_within_subscription.list())) == 2
    for target in (VM, SERVER):
        client.configuration_assignments.delete(*target, "monthly")
        assert list(client.configuration_assignments.list(*target)) == []


def test_dynamic_scopes_at_subscription_and_group(client: MaintenanceManagementClient) -> None:
    """Created, read, updated and deleted at both places."""
    made = client.maintenance_configurations.create_or_update("Rg", "monthly", _wanted())
    chosen = ConfigurationAssignmentFilterProperties(
        os_types=["Windows"],
        locations=["westeurope"],
        tag_settings=TagSettingsProperties(tags={"env": ["prod", "test"]}, filter_operator="Any"),
    )
    body = _assignment(made, filter=chosen)
    everywhere, in_group = (
        client.configuration_assignments_for_subscriptions,
        client.configuration_assignments_for_resource_group,
    )
    created = everywhere.create_or_update("all", body)
    assert created.resource_id == f"/subscriptions/{SUBSCRIPTION}"
    assert created.as_dict()["type"] == "microsoft.maintenance/configurationassignments"
    in_group.create_or_update("Rg", "some", body)
    for found in (everywhere.get("all"), in_group.get("Rg", "some")):
        assert found.filter is not None
        assert found.filter.tag_settings is not None
        assert found.filter.tag_settings.tags == {"env": ["prod", "test"]}
        assert found.filter.os_types == ["Windows"]
        assert found.filter.resource_types is None
    chosen.os_types = ["Linux"]
    updated = everywhere.update("all", body)
    assert updated.filter is not None
    assert updated.filter.os_types == ["Linux"]
    everywhere.delete("all")
    in_group.delete("Rg", "some")
    with pytest.raises(ResourceNotFoundError):
        everywhere.get("all")


def test_apply_updates_and_pending_updates(client: MaintenanceManagementClient) -> None:
    """The body ``null`` and the year 1 are what the service was recorded to answer."""
    assert client.apply_updates.create_or_update(*VM) is None
    got = client.apply_updates.get(*VM, "default")
    assert got.last_update_time is not None
    assert (got.status, got.last_update_time.year) == ("Completed", 1)
    assert list(client.updates.list(*VM)) == []
    assert list(client.apply_updates.list()) == []
    assert list(client.apply_update_for_resource_group.list("Rg")) == []
    assert list(client.public_maintenance_configurations.list()) == []
