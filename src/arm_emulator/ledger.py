"""Every call that arrived, in order, with what it was answered: the proof that tests and benchmarks count on."""

from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(slots=True)
class Entry:
    """One call. ``status`` is 0 until it was answered, and stays 0 where it never was."""

    method: str
    path: str
    query: str
    api_version: str
    body: bytes
    at: str
    status: int = 0
    request_id: str = ""
    principal: str = ""
    fault: str = ""


class Ledger:
    """The calls since start or reset; the control plane's own are left out."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def note(self, entry: Entry) -> Entry:
        """Add a call as it arrives; its answer is filled in later."""
        self.entries.append(entry)
        return entry

    def clear(self) -> None:
        """Forget every call."""
        self.entries.clear()

    def as_json(self) -> dict[str, Any]:
        """The answer of ``GET /_emulator/requests``."""
        return {"requests": [_shown(entry) for entry in self.entries]}


def _shown(entry: Entry) -> dict[str, Any]:
    return {
        "method": entry.method,
        "path": entry.path,
        "apiVersion": entry.api_version,
        "status": entry.status,
        "requestBody": _decoded(entry.body),
        "at": entry.at,
        "query": entry.query,
        "requestId": entry.request_id,
        "principal": entry.principal,
        "fault": entry.fault,
    }


def _decoded(body: bytes) -> object:
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        # A form or broken JSON: a sign-in form holds a secret, so only its length is shown.
        return f"<{len(body)} bytes, not JSON>"
