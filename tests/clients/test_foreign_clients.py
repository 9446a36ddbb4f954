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
    az = _Az(az_program, _az_environment(emulator, client_environment, tmp_path))
    az("cloud", "register", "-n", "Local", "--endpoint-resource-manager", emulator["endpoint"])
    az("cloud", "set", "-n", "Local")
    secret = ["-u", emulator["clientId"], "-p", emulator["clientSecret"], "--tenant", emulator["tenantId"]]
    az("login", "--service-principal", *secret)
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


class _Az:
    def __init__(self, program: str, environment: dict[str, str]) -> None:
        self.program, self.environment = program, environment

    def __call__(self, *arguments: str) -> Any:
        command = [self.program, *arguments, "-o", "json"]
        result = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"az {' '.join(arguments[:3])}: {result.stderr[-2000:]}"
        return json.loads(result.stdout) if result.stdout.strip() else None


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
