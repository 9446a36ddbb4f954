"""A signed-in client of the local Azure Resource Manager: what the portal, Terraform or another tool would send.

Must not: use the product's own connection; what a step claims is looked up independently.
"""

import json
import ssl
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from patchmode.cli.demonstration.server import Server

MAINTENANCE_API = "2023-04-01"
COMPUTE_API = "2024-03-01"
LOCKS_API = "2016-09-01"
TERRAFORM = "HashiCorp Terraform/1.9 terraform-provider-azurerm/4.1"
TIMEOUT_S = 20.0


class Rest:
    """A signed-in client of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        trust = ssl.create_default_context(cafile=server.ca_bundle)
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=trust))
        self._token = self._sign_in()

    def call(self, method: str, path: str, body: Any = None, *, agent: str = "demo") -> tuple[int, Any]:
        """Send one request and return the status and the JSON answer, whatever the status.

        Args:
            method: `GET`, `PUT`, ….
            path: below the endpoint, api-version included, not yet percent-encoded.
            body: JSON values; None: no body.
            agent: the program that it is sent as.
        """
        request = Request(  # noqa: S310 - the endpoint is the server that this process started, over https
            self._server.endpoint + quote(path, safe="/?=&()'"),
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "User-Agent": agent,
            },
        )
        return self._answer(request)

    def renew(self) -> None:
        """Sign in again: tokens end by the service's clock, which a step may have moved."""
        self._token = self._sign_in()

    def get(self, path: str, api_version: str) -> Any:
        """What stands at a path.

        Raises:
            OSError: it was not answered with 200.
        """
        status, answer = self.call("GET", f"{path}?api-version={api_version}")
        if status != 200:
            raise OSError(f"{path} was answered with {status}: {answer}")
        return answer

    def machines(self, subscription_id: str) -> list[dict[str, Any]]:
        """The virtual machines of a subscription, the first page."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Compute/virtualMachines"
        return list(self.get(path, COMPUTE_API)["value"])

    def schedules_of(self, machine_id: str) -> list[str]:
        """The names of the maintenance configurations assigned to a machine."""
        answer = self.get(f"{machine_id}/providers/Microsoft.Maintenance/configurationAssignments", MAINTENANCE_API)
        return [one["properties"]["maintenanceConfigurationId"].rsplit("/", 1)[-1] for one in answer["value"]]

    def set_back(self, machine_id: str) -> None:
        """Set a machine's patch mode back as Terraform does it, with Terraform's user agent."""
        profile = self.get(machine_id, COMPUTE_API)["properties"]["osProfile"]
        system, mode = (
            ("linuxConfiguration", "ImageDefault")
            if "linuxConfiguration" in profile
            else ("windowsConfiguration", "AutomaticByOS")
        )
        body = {"properties": {"osProfile": {system: {"patchSettings": {"patchMode": mode}}}}}
        status, answer = self.call("PATCH", f"{machine_id}?api-version={COMPUTE_API}", body, agent=TERRAFORM)
        if status != 200:
            raise OSError(f"the machine was not set back: {answer}")

    def locked_groups(self, subscription_id: str) -> set[str]:
        """The resource groups of a subscription, casefolded, on which a lock stands."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/locks"
        answer = self.get(path, LOCKS_API)
        scopes = [lock["id"].casefold().split("/") for lock in answer["value"]]
        return {scope[4] for scope in scopes if scope[3] == "resourcegroups"}

    def attach(self, machine_id: str, configuration: dict[str, Any]) -> tuple[int, Any]:
        """Attach a maintenance configuration to a machine; status and answer."""
        name = "demo-assignment"
        path = f"{machine_id}/providers/Microsoft.Maintenance/configurationAssignments/{name}"
        body = {
            "location": configuration["location"],
            "properties": {"maintenanceConfigurationId": configuration["id"], "resourceId": machine_id},
        }
        return self.call("PUT", f"{path}?api-version={MAINTENANCE_API}", body)

    def _sign_in(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._server.client_id,
            "client_secret": self._server.client_secret,
            "scope": f"{self._server.endpoint}/.default",
        }
        url = f"{self._server.endpoint}/{self._server.tenant_id}/oauth2/v2.0/token"
        request = Request(url, data=urlencode(form).encode(), method="POST")  # noqa: S310 - as above
        status, answer = self._answer(request)
        if status != 200:
            raise OSError(f"the server gave no token: {answer}")
        return str(answer["access_token"])

    def _answer(self, request: Request) -> tuple[int, Any]:
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")


def told(answer: Any) -> tuple[str, str]:
    """Code and message of an error, in whichever of the service's shapes it comes."""
    error = answer.get("error") or answer.get("Error") or answer
    return str(error.get("code") or error.get("Code")), str(error.get("message") or error.get("Message"))


def patch_settings(machine: dict[str, Any]) -> dict[str, Any] | None:
    """The patch settings in a machine's document; None: it has none."""
    profile = machine["properties"].get("osProfile") or {}
    guest = profile.get("windowsConfiguration") or profile.get("linuxConfiguration") or {}
    settings: dict[str, Any] | None = guest.get("patchSettings")
    return settings
