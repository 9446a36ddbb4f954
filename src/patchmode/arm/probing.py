"""Single requests for a live check: sent once, with their answers as they came."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from patchmode.arm.channel import Channel
from patchmode.arm.failures import read_fault
from patchmode.arm.governor import Cost, Policy, Verb
from patchmode.arm.machines import spend_of
from patchmode.errors import OUR_CODES
from patchmode.model.live_check import Answered, Asked
from patchmode.model.resource_id import subscription_of

GRAPH_PATH = "/providers/Microsoft.ResourceGraph/resources"
_MACHINES = "/providers/microsoft.compute/virtualmachines/"


class SingleRequests:
    """Fulfils `ports.Probe`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def send(self, asked: Asked, *, location: str = "") -> Answered:
        """Send one request. See `ports.Probe.send`."""
        url = self._channel.url(asked.path, asked.api_version)
        url += "".join(f"&{name}={quote(value, safe='')}" for name, value in asked.query)
        spend = _spend(asked, location)
        answer = await self._channel.once(
            asked.method, url, spend, body=asked.body, etag=asked.etag, is_read=not asked.is_write
        )
        return _answered(answer.status_code, answer.headers, answer.content)

    async def follow(self, url: str) -> Answered | None:
        """Ask an operation's address once. See `ports.Probe.follow`."""
        own = self._channel.own(url)
        if own is None:
            return None
        answer = await self._channel.once("GET", own, spend_of(own), is_read=True)
        return _answered(answer.status_code, answer.headers, answer.content)


def _spend(asked: Asked, location: str) -> Cost:
    if asked.path == GRAPH_PATH:
        return Cost(is_graph=True)
    verb = Verb.DELETES if asked.method == "DELETE" else Verb.WRITES if asked.is_write else Verb.READS
    before, _, below = asked.path.casefold().partition(_MACHINES)
    is_machine = bool(before and below) and "/providers/" not in below
    policy = (Policy.UPDATE_VM if asked.is_write else Policy.LOW_COST_GET) if is_machine else None
    return Cost(subscription_of(asked.path), verb, policy, location.casefold() if asked.is_write else "")


def _answered(status: int, headers: Mapping[str, str], content: bytes) -> Answered:
    lowered = {name.lower(): text for name, text in headers.items()}
    try:
        body: Any = msgspec.json.decode(content) if content else None
    except msgspec.DecodeError:
        body = None
    if 200 <= status < 300:
        return Answered(status, lowered, body)
    fault = read_fault(content)
    code = "" if fault.code in OUR_CODES else fault.code
    return Answered(status, lowered, body, code, fault.message, fault.target or "")
