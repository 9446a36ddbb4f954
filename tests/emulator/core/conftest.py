"""An in-process client: calls go through the emulator's own entry point, without a socket."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.directory import DEFAULT_CLIENT, DEFAULT_SECRET
from arm_emulator.protocol.wire import Answer, Call

SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
START = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)


def sign_in_form(
    client_id: str = DEFAULT_CLIENT, secret: str = DEFAULT_SECRET, scope: str = "https://localhost:1/.default"
) -> str:
    """The body of a client credentials request."""
    return urlencode(
        {"client_id": client_id, "client_secret": secret, "grant_type": "client_credentials", "scope": scope}
    )


class StandingTime:
    """A monotonic clock that only moves when told."""

    def __init__(self) -> None:
        self.value = 0.0

    def __call__(self) -> float:
        return self.value


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw."""

    status: int
    headers: dict[str, str]
    body: bytes
    answer: Answer

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class Client:
    """Calls one emulator as one principal."""

    def __init__(self, emulator: Emulator, client_id: str = DEFAULT_CLIENT) -> None:
        self.emulator = emulator
        form = sign_in_form(client_id, emulator.directory.accounts[client_id].secret)
        answer = emulator.serve(Call("POST", "/adfs/oauth2/token", {"host": "localhost:1"}, form.encode()))
        self.token = json.loads(answer.body)["access_token"]

    def __call__(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Seen:
        target = target.removeprefix("https://localhost:1")
        given = {"host": "localhost:1", "authorization": f"Bearer {token or self.token}", **(headers or {})}
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.emulator.serve(Call(method, target, given, content))
        return Seen(answer.status, answer.headers, answer.body, answer)

    def graph(self, query: str, **body: Any) -> Seen:
        target = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
        return self("POST", target, {"query": query, **body})


Start = Callable[..., Client]


@pytest.fixture
def time() -> StandingTime:
    """The time under every emulator of a test: it stands still."""
    return StandingTime()


@pytest.fixture
def start(time: StandingTime) -> Start:
    """Makes an emulator whose clock stands still, and a client for it."""

    def make(fleet: dict[str, Any] | None = None, *, speed: float = 1.0, **options: Any) -> Client:
        clock = Clock(START, speed=speed, monotonic=time)
        return Client(Emulator(clock=clock, fleet=fleet, **options))

    return make


def machine(name: str, group: str = "rg-app", subscription: str = SUBSCRIPTION, **more: Any) -> dict[str, Any]:
    """The least document of a virtual machine."""
    scope = f"/subscriptions/{subscription}/resourceGroups/{group}"
    return {
        "id": f"{scope}/providers/Microsoft.Compute/virtualMachines/{name}",
        "name": name,
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded", "storageProfile": {"osDisk": {"osType": "Linux"}}},
        "etag": '"2"',
        **more,
    }


@pytest.fixture
def make_machine() -> Callable[..., dict[str, Any]]:
    """Builds the least document of a virtual machine."""
    return machine


@pytest.fixture
def fleet() -> dict[str, Any]:
    """One subscription, two groups, three machines."""
    return {
        "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "Alpha"}],
        "resources": [machine("a"), machine("b"), machine("c", "RG-Data")],
    }
