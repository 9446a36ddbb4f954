"""Plain REST calls, as the portal or Terraform would send them: what patchmode itself does not do in this story.

Must not: be used by anything but the demo. TLS is checked against the server's own CA.
"""

import json
import ssl
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from patchmode.cli.demonstration.server import Server

MAINTENANCE_API = "2023-04-01"
TIMEOUT_S = 20.0


class Rest:
    """A signed-in client of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        trust = ssl.create_default_context(cafile=server.ca_bundle)
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=trust))
        self._token = self._sign_in()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send one request and return the status and the JSON answer, whatever the status.

        Args:
            method: `GET`, `PUT`, ….
            path: below the endpoint, api-version included, not yet percent-encoded.
            body: JSON values; None: no body.
        """
        request = Request(  # noqa: S310 - the endpoint is the server that this process started, over https
            self._server.endpoint + quote(path, safe="/?=&()'"),
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        return self._answer(request)

    def maintenance_configurations(self, subscription_id: str) -> list[dict[str, Any]]:
        """The maintenance configurations of a subscription."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.Maintenance/maintenanceConfigurations"
        status, answer = self.call("GET", f"{path}?api-version={MAINTENANCE_API}")
        return list(answer["value"]) if status == 200 else []

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
