"""Replays a recorded exchange: an emulator of its own, what stood before in it, the call sent, the answer taken."""

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.contract.comparing import Answer
from tests.contract.recordings import Exchange, machine_before

from arm_emulator.app import Emulator
from arm_emulator.directory import DEFAULT_CLIENT, DEFAULT_SECRET
from arm_emulator.profile import Profile
from arm_emulator.protocol.throttle import Limits
from arm_emulator.protocol.wire import Call

HOST = "localhost:8443"
LONG_S = 3600.0
"""Operations last this long here; the replay moves the clock when the recording saw one ended."""
_NOT_SENT = frozenset({"host", "content-length", "connection", "accept-encoding", "authorization", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Start:
    """What is loaded before a call, and where it comes from."""

    documents: tuple[dict[str, Any], ...]
    origin: str
    """``read`` (the last GET before), ``answer`` (what the recorded answer shows: no GET was recorded before),"
    " ``nothing``."""


class Replay:
    """One emulator with a few recorded documents in it, spoken to as a client would."""

    def __init__(self, documents: Iterable[dict[str, Any]], exchange: Exchange, profile: Profile | None = None) -> None:
        segments = exchange.path.strip("/").split("/")
        subscription = segments[1] if segments[0].lower() == "subscriptions" and len(segments) > 1 else ""
        fleet: dict[str, Any] = {"resources": [copy.deepcopy(document) for document in documents]}
        if subscription:
            fleet["subscriptions"] = [{"subscriptionId": subscription, "displayName": "recorded", "tenantId": TENANT}]
        if len(segments) > 3 and segments[2].lower() == "resourcegroups":
            group = "/" + "/".join(segments[:4])
            fleet["resources"].insert(0, {"id": group, "location": "westus", "properties": {}})
        self.emulator = Emulator(fleet=fleet, limits=Limits(is_off=True), lro_seconds=LONG_S, profile=profile)
        self._token = self._sign_in()
        self._is_finished = False

    def _sign_in(self) -> str:
        form = (
            f"grant_type=client_credentials&client_id={DEFAULT_CLIENT}&client_secret={DEFAULT_SECRET}"
            f"&scope=https://{HOST}/.default"
        )
        headers = {"host": HOST, "content-type": "application/x-www-form-urlencoded"}
        call = Call("POST", f"/{self.emulator.directory.tenant_id}/oauth2/v2.0/token", headers, form.encode())
        token: str = json.loads(self.emulator.serve(call).body)["access_token"]
        return token

    def send(self, exchange: Exchange) -> Answer:
        """Send a recorded call as it was recorded, but for host, length and token."""
        return self.call(exchange.method, exchange.target, exchange.headers, exchange.body)

    def call(self, method: str, target: str, headers: dict[str, str], body: Any) -> Answer:
        """Send any call."""
        kept = {name.lower(): value for name, value in headers.items() if name.lower() not in _NOT_SENT}
        kept |= {"host": HOST, "authorization": f"Bearer {self._token}"}
        content = b"" if body is None else json.dumps(body).encode()
        answered = self.emulator.serve(Call(method, target, kept, content))
        names = {name.lower(): value for name, value in answered.headers.items()}
        return Answer(answered.status, names, _decoded(answered.body, names.get("content-type", "")))

    def finish(self) -> None:
        """Let everything that runs come to its end; the time is that end, then."""
        if not self._is_finished:
            self.emulator.clock.advance(timedelta(seconds=LONG_S))
            self._is_finished = True

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.emulator.clock.advance(timedelta(seconds=seconds))


TENANT = "11111111-1111-1111-1111-111111111111"


def _decoded(content: bytes, content_type: str) -> Any:
    if not content:
        return None
    return json.loads(content) if "json" in content_type else content.decode()


def start_of(exchange: Exchange) -> Start:
    """What to load before a call on a machine."""
    if exchange.method == "GET":
        has_body = exchange.status == 200 and isinstance(exchange.answer, dict)
        return Start((_as_machine(exchange),), "answer") if has_body else Start((), "nothing")
    before = machine_before(exchange)
    if before is not None:
        return Start((before,), "read")
    if exchange.shows_machine:
        return Start((_step_back(exchange.answer),), "answer")
    return Start((), "nothing")


def _as_machine(exchange: Exchange) -> dict[str, Any]:
    """The machine that a GET showed; of a bare instance view, the machine that has it."""
    document: dict[str, Any] = exchange.answer
    if "id" in document or not exchange.path.lower().endswith("/instanceview"):
        return document
    return {"id": exchange.path.rpartition("/")[0], "location": "westus", "properties": {"instanceView": document}}


def _step_back(document: dict[str, Any]) -> dict[str, Any]:
    """A machine as it may have stood before the write whose answer this is: one etag less, not updating."""
    before = copy.deepcopy(document)
    before["properties"]["provisioningState"] = "Succeeded"
    if isinstance(before.get("etag"), str):
        before["etag"] = f'"{int(before["etag"].strip(chr(34))) - 1}"'
    return before
