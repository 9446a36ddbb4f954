"""Microsoft's own Python SDKs as judges: clients that this project did not write, over TLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.credentials import AccessToken, TokenRequestOptions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.maintenance import MaintenanceManagementClient
from tests.emulator.compute.caller import SUBSCRIPTION, Caller, machine, patch_body, specialised

from arm_emulator.testing import Running, running

WANTED = patch_body(patchMode="AutomaticByPlatform", bypass=True)


class _Credential:
    """A token from the emulator's own endpoint, without azure-identity."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self._token, 4_102_444_800)

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> Any:
        from azure.core.credentials import AccessTokenInfo

        return AccessTokenInfo(self._token, 4_102_444_800)


@contextmanager
def _clients(
    *documents: dict[str, Any], monkeypatch: pytest.MonkeyPatch, **switches: Any
) -> Iterator[tuple[ComputeManagementClient, MaintenanceManagementClient, Running]]:
    caller = Caller.of(*documents, lro_seconds=0, **switches)
    with running(caller.emulator) as served:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(served.ca))
        credential: Any = _Credential(caller.token)
        options: dict[str, Any] = {
            "base_url": served.endpoint,
            "credential_scopes": [f"{served.endpoint}/.default"],
        }
        with (
            ComputeManagementClient(credential, SUBSCRIPTION, **options) as compute,
            MaintenanceManagementClient(credential, SUBSCRIPTION, **options) as maintenance,
        ):
            yield compute, maintenance, served


def test_list_get_and_instance_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paging and models take what the emulator answers."""
    documents = [machine(f"m{at}", "Linux" if at % 2 else "Windows") for at in range(7)]
    with _clients(*documents, specialised("bare"), monkeypatch=monkeypatch, list_page_size=3) as (compute, _, _served):
        names = [item.name for item in compute.virtual_machines.list_all()]
        assert names == [f"m{at}" for at in range(7)] + ["bare"]
        assert len(list(compute.virtual_machines.list("Rg"))) == 8
        found = compute.virtual_machines.get("Rg", "m0", expand="instanceView")
        assert found.os_profile.windows_configuration.patch_settings.patch_mode == "AutomaticByOS"
        assert found.instance_view.statuses[1].code == "PowerState/running"
        assert compute.virtual_machines.get("Rg", "bare").os_profile is None


def test_begin_update_follows_the_operation_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """PATCH, poll, GET: three requests, as measured with the real service's shapes."""
    with _clients(machine(etag=1), monkeypatch=monkeypatch) as (compute, _, served):
        updated = compute.virtual_machines.begin_update("Rg", "vm1", WANTED).result()
        settings = updated.os_profile.windows_configuration.patch_settings
        assert settings.automatic_by_platform_settings.bypass_platform_safety_checks_on_user_schedule is True
        assert (updated.provisioning_state, updated.etag) == ("Succeeded", '"2"')
        sent = [entry.method for entry in served.emulator.ledger.entries if "/providers/" in entry.path]
        assert sent == ["PATCH", "GET", "GET"]


def test_an_update_without_an_operation_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 Updating without Azure-AsyncOperation: the poller reads the machine."""
    with _clients(machine(etag=1), monkeypatch=monkeypatch) as (compute, _, _served):
        assert compute.virtual_machines.begin_update("Rg", "vm1", {"tags": {"a": "b"}}).result().tags == {"a": "b"}


def test_a_stale_etag_is_a_modified_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """412 is what the SDK makes of it, and nothing was written."""
    with _clients(machine(etag=5), monkeypatch=monkeypatch) as (compute, _, _served):
        call = compute.virtual_machines.begin_update
        with pytest.raises(ResourceModifiedError):
            call("Rg", "vm1", WANTED, etag='"4"', match_condition=MatchConditions.IfNotModified)
        assert compute.virtual_machines.get("Rg", "vm1").etag == '"5"'
        updated = call("Rg", "vm1", WANTED, etag='"5"', match_condition=MatchConditions.IfNotModified).result()
        assert updated.etag == '"6"'


def test_get_and_put_back_changes_one_leaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """The full-model PUT that people script: it works where nothing forbids it."""
    with _clients(machine(etag=1), monkeypatch=monkeypatch) as (compute, _, _served):
        model = compute.virtual_machines.get("Rg", "vm1")
        model.license_type = "Windows_Server"
        updated = compute.virtual_machines.begin_create_or_update("Rg", "vm1", model).result()
        assert updated.license_type == "Windows_Server"
        assert updated.storage_profile.image_reference.sku == "2022-datacenter-g2"


def test_errors_reach_the_client_with_code_and_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-core parses Compute's envelope, and the front door's."""
    with _clients(machine(), monkeypatch=monkeypatch) as (compute, _, _served):
        with pytest.raises(HttpResponseError) as refused:
            compute.virtual_machines.begin_update("Rg", "vm1", patch_body(patchMode="Manual"))
        assert refused.value.error is not None
        assert refused.value.error.code == "InvalidParameter"
        with pytest.raises(ResourceNotFoundError):
            compute.virtual_machines.get("Rg", "nobody")


def test_assess_and_delete_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """POST with a result from the monitor URL, and a DELETE with a Location."""
    with _clients(machine(), monkeypatch=monkeypatch) as (compute, _, _served):
        result = compute.virtual_machines.begin_assess_patches("Rg", "vm1").result()
        assert (result.status, result.critical_and_security_patch_count) == ("Succeeded", 1)
        assert result.available_patches[0].classifications == ["Security"]
        compute.virtual_machines.begin_delete("Rg", "vm1").result()
        assert list(compute.virtual_machines.list_all()) == []


def test_the_story_of_a_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attach fails, one PATCH, attach succeeds: with Microsoft's own clients."""
    configuration = {
        "location": "westeurope",
        "properties": {"maintenanceScope": "InGuestPatch", "extensionProperties": {"InGuestPatchMode": "User"}},
    }
    target = ("Rg", "Microsoft.Compute", "virtualMachines", "vm1", "weekly")
    with _clients(machine(), monkeypatch=monkeypatch) as (compute, maintenance, _served):
        made: Any = maintenance.maintenance_configurations.create_or_update("Rg", "Weekly", configuration)  # type: ignore[arg-type]
        body: Any = {"location": "westeurope", "properties": {"maintenanceConfigurationId": made.id}}
        with pytest.raises(HttpResponseError, match="Patch orchestration mode is not set to AutomaticByPlatform"):
            maintenance.configuration_assignments.create_or_update(*target, body)
        compute.virtual_machines.begin_update("Rg", "vm1", WANTED).result()
        maintenance.configuration_assignments.create_or_update(*target, body)
        found = maintenance.configuration_assignments.list(*target[:4])
        assert [item.maintenance_configuration_id for item in found] == [made.id.lower()]
        maintenance.configuration_assignments.delete(*target)
        assert list(maintenance.configuration_assignments.list(*target[:4])) == []
