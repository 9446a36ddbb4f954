"""Clients that this project did not write do the same change on the same emulator."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
EXTENSION = HERE.parents[1] / ".venv-clients" / "extensions"
pytestmark = pytest.mark.clients


def test_the_python_sdk_converts_the_fleet(emulator: dict[str, Any], client_environment: dict[str, str]) -> None:
    """Microsoft's SDK, told only the endpoint, lists, PATCHes under If-Match, waits and reads back."""
    subscription = _subscriptions(client_environment, emulator)[0]
    environment = {**client_environment, "ENDPOINT": emulator["endpoint"], "SUBSCRIPTION": subscription}
    output = subprocess.run(
        [sys.executable, str(HERE / "sdk_script.py")], env=environment, capture_output=True, text=True, check=False
    )
    assert output.returncode == 0, output.stderr
    counts = json.loads(output.stdout)
    assert counts["seen"] > 0
    assert counts["changed"] == counts["ready"] > 0


def test_az_finds_changes_and_checks_a_machine(
    emulator: dict[str, Any], client_environment: dict[str, str], az_program: str, tmp_path: Path
) -> None:
    """An unmodified az: register the cloud, sign in, list, query Resource Graph, update by GET and PUT, show, PATCH."""
    az = _signed_in(az_program, emulator, client_environment, tmp_path)
    machines = az("vm", "list")
    assert len(machines) > 0
    machine = next(vm for vm in machines if _linux_settings(vm).get("patchMode") == "ImageDefault")
    where = ["-g", machine["resourceGroup"], "-n", machine["name"]]
    path = "osProfile.linuxConfiguration.patchSettings"
    pair = '{"bypassPlatformSafetyChecksOnUserSchedule":true}'
    az(
        "vm",
        "update",
        *where,
        "--set",
        f"{path}.patchMode=AutomaticByPlatform",
        f"{path}.automaticByPlatformSettings={pair}",
    )
    shown = _linux_settings(az("vm", "show", *where))
    assert shown["patchMode"] == "AutomaticByPlatform"
    assert shown["automaticByPlatformSettings"]["bypassPlatformSafetyChecksOnUserSchedule"] is True
    for wheel in sorted(EXTENSION.glob("*.whl")):
        az("extension", "add", "-y", "--source", str(wheel))
    query = (
        "resources | where type =~ 'microsoft.compute/virtualmachines' "
        f"| where name =~ '{machine['name']}' | project id, mode = tostring(properties.{path}.patchMode)"
    )
    rows = az("graph", "query", "-q", query)["data"]
    assert [row["mode"] for row in rows] == ["AutomaticByPlatform"]
    url = f"{emulator['endpoint']}{machine['id']}?api-version=2024-07-01"
    body = {"properties": {"osProfile": {"linuxConfiguration": {"patchSettings": {"patchMode": "ImageDefault"}}}}}
    az("rest", "--method", "patch", "--url", url, "--body", json.dumps(body), "--resource", f"{emulator['endpoint']}/")
    assert _linux_settings(az("vm", "show", *where))["patchMode"] == "ImageDefault"


WINDOW = {
    "startDateTime": "2030-01-05 22:00",
    "duration": "03:00",
    "timeZone": "W. Europe Standard Time",
    "recurEvery": "Week Saturday",
}
PAIR = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}


def test_az_rest_leads_a_schedule_through_its_life(
    emulator: dict[str, Any], client_environment: dict[str, str], az_program: str, tmp_path: Path
) -> None:
    """Configuration, the refused attach, the one PATCH, both kinds of assignment, lists, and all deleted again."""
    az = _signed_in(az_program, emulator, client_environment, tmp_path)
    machine = next(vm for vm in az("vm", "list") if _linux_settings(vm).get("patchMode") == "ImageDefault")
    group = machine["id"].partition("/providers/")[0]
    configuration = f"{group}/providers/Microsoft.Maintenance/maintenanceConfigurations/weekly"
    properties = {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": WINDOW,
        "installPatches": {"rebootSetting": "IfRequired"},
    }
    made = az.rest("put", configuration, {"location": machine["location"], "properties": properties})
    assert made["properties"]["maintenanceWindow"] == WINDOW
    refused = az.refused("put", configuration, {"location": "eastus", "properties": {**properties, **_bare_month()}})
    assert "Monthly maintenance window is missing day of month or week of month." in refused

    assigned = "providers/Microsoft.Maintenance/configurationAssignments"
    static, dynamic = f"{machine['id']}/{assigned}/weekly", f"{group}/{assigned}/all"
    body = {"location": machine["location"], "properties": {"maintenanceConfigurationId": made["id"]}}
    assert "Patch orchestration mode is not set to AutomaticByPlatform" in az.refused("put", static, body)
    patch = {"properties": {"osProfile": {"linuxConfiguration": {"patchSettings": PAIR}}}}
    az.rest("patch", machine["id"], patch, version="2024-07-01")
    az.rest("put", static, body)
    listed = az.rest("get", f"{machine['id']}/{assigned}")["value"]
    assert [row["properties"]["maintenanceConfigurationId"] for row in listed] == [made["id"].lower()]
    chosen = {"location": "global", "properties": {**body["properties"], "filter": {"osTypes": ["Linux"]}}}
    assert az.rest("put", dynamic, chosen)["properties"]["resourceId"] == group
    assert az.rest("get", dynamic)["properties"]["filter"]["osTypes"] == ["Linux"]

    for gone in (static, dynamic, configuration):
        az.rest("delete", gone)
        assert "was not found" in az.refused("get", gone)


def _bare_month() -> dict[str, Any]:
    return {"maintenanceWindow": {**WINDOW, "recurEvery": "Month"}}


def _signed_in(program: str, emulator: dict[str, Any], environment: dict[str, str], folder: Path) -> "_Az":
    az = _Az(program, _az_environment(emulator, environment, folder), emulator["endpoint"])
    az("cloud", "register", "-n", "Local", "--endpoint-resource-manager", emulator["endpoint"])
    az("cloud", "set", "-n", "Local")
    secret = ["-u", emulator["clientId"], "-p", emulator["clientSecret"], "--tenant", emulator["tenantId"]]
    az("login", "--service-principal", *secret)
    return az


class _Az:
    def __init__(self, program: str, environment: dict[str, str], endpoint: str) -> None:
        self.program, self.environment, self.endpoint = program, environment, endpoint

    def __call__(self, *arguments: str) -> Any:
        result = self._run(*arguments)
        assert result.returncode == 0, f"az {' '.join(arguments[:3])}: {result.stderr[-2000:]}"
        return json.loads(result.stdout) if result.stdout.strip() else None

    def rest(self, method: str, path: str, body: Any = None, *, version: str = "2023-04-01") -> Any:
        """`az rest` on a resource."""
        return self(*self._rest(method, path, body, version))

    def refused(self, method: str, path: str, body: Any = None) -> str:
        """What `az rest` says of a call that is refused."""
        result = self._run(*self._rest(method, path, body, "2023-04-01"))
        assert result.returncode != 0, f"{method} {path} was accepted: {result.stdout[-2000:]}"
        return result.stderr

    def _rest(self, method: str, path: str, body: Any, version: str) -> list[str]:
        url = f"{self.endpoint}{path}?api-version={version}"
        sent = [] if body is None else ["--body", json.dumps(body)]
        return ["rest", "--method", method, "--url", url, "--resource", f"{self.endpoint}/", *sent]

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [self.program, *arguments, "-o", "json"]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)


def _az_environment(emulator: dict[str, Any], environment: dict[str, str], folder: Path) -> dict[str, str]:
    return {
        **environment,
        "AZURE_CONFIG_DIR": str(folder / "azure"),
        "AZURE_EXTENSION_DIR": str(folder / "extensions"),
        "REQUESTS_CA_BUNDLE": emulator["caBundle"],
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "AZURE_CORE_NO_COLOR": "true",
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
        "AZURE_CORE_DISABLE_CONCURRENT_IDS": "true",
    }


def _linux_settings(machine: dict[str, Any]) -> dict[str, Any]:
    configuration = (machine.get("osProfile") or {}).get("linuxConfiguration") or {}
    settings: dict[str, Any] = configuration.get("patchSettings") or {}
    return settings


def _subscriptions(environment: dict[str, str], emulator: dict[str, Any]) -> list[str]:
    program = (
        "import json, os\n"
        "from azure.identity import ClientSecretCredential\n"
        "from azure.mgmt.resourcegraph import ResourceGraphClient\n"
        "e = os.environ\n"
        "c = ClientSecretCredential(e['AZURE_TENANT_ID'], e['AZURE_CLIENT_ID'], e['AZURE_CLIENT_SECRET'],\n"
        "    authority=e['AZURE_AUTHORITY_HOST'], disable_instance_discovery=True)\n"
        "g = ResourceGraphClient(c, base_url=e['ENDPOINT'], credential_scopes=[e['ENDPOINT'] + '/.default'])\n"
        "from azure.mgmt.resourcegraph.models import QueryRequest\n"
        'rows = g.resources(QueryRequest(query="resourcecontainers | where type =~ '
        "'microsoft.resources/subscriptions' | project id, subscriptionId\")).data\n"
        "print(json.dumps([row['subscriptionId'] for row in rows]))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "ENDPOINT": emulator["endpoint"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    ids: list[str] = json.loads(answer.stdout)
    return ids
