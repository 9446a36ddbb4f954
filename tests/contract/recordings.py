"""Reads the folder of recorded exchanges: which there are, and what stood before each of them.

The folder lies beside the project (``../shared/recordings``) or where ``PATCHMODE_RECORDINGS`` says. Nothing is
copied from it. Files that `patchmode` measured itself lie apart (``PATCHMODE_MEASURED``, else ``../shared/measured``):
see ``sessions.py``. Any folder of the same layout can be judged: ``<group>/<name>.json``, each an exchange ``{source,
notes, request{method, url, headers, body}, response{status, headers, body}}`` or a list of them in wire order;
``source`` ends in ``#position``.
"""

import ast
import copy
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(os.environ.get("PATCHMODE_RECORDINGS", Path(__file__).resolve().parents[3] / "shared" / "recordings"))
MEASURED = Path(os.environ.get("PATCHMODE_MEASURED", ROOT.parent / "measured"))
ABSENT = "the recorded exchanges (../shared/recordings) are not here"
MACHINE = re.compile(
    r"^/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.compute/virtualmachines/[^/]+$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded call and its answer."""

    case: str
    """``vm_patch/001-async-….json``; in a flow ``….json[2]``."""
    source: str
    position: int
    """Where in its recording it stood; -1 where unknown."""
    notes: str
    method: str
    url: str
    headers: dict[str, str]
    body: Any
    """Decoded; None where the call had none or the recorder lost it."""
    is_body_lost: bool
    status: int
    answer_headers: dict[str, str]
    answer: Any

    @property
    def group(self) -> str:
        """The folder it lies in."""
        return self.case.partition("/")[0]

    @property
    def path(self) -> str:
        """The path of the call, single slashes."""
        return re.sub("/+", "/", urlsplit(self.url).path)

    @property
    def target(self) -> str:
        """Path and query, as sent."""
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    @property
    def api_version(self) -> str:
        """The api-version of the call, ``''`` without one."""
        match = re.search(r"[?&]api-version=([^&]+)", self.url)
        return match[1] if match else ""

    @property
    def moment(self) -> datetime | None:
        """When it was answered, to the second, where a header of the answer tells."""
        date = self.answer_headers.get("date", "")
        try:
            return parsedate_to_datetime(date) if date else None
        except ValueError:
            return None  # a recorder that blanks dates

    def is_after(self, other: "Exchange") -> bool:
        """Whether it came after another of the same recording: by the answers' times, else by the recorder's order.

        Recorders that several calls share at once do not write them in the order in which they were sent.
        """
        mine, others = self.moment, other.moment
        if mine is not None and others is not None and mine != others:
            return mine > others
        return self.position > other.position

    @property
    def shows_machine(self) -> bool:
        """Whether its answer is the machine itself, and no refusal."""
        return self.status == 200 and isinstance(self.answer, dict) and "id" in self.answer

    @property
    def is_machine(self) -> bool:
        """Whether it is a call on one virtual machine itself."""
        return MACHINE.match(self.path) is not None


def is_here() -> bool:
    """Whether there are recordings to judge by."""
    return ROOT.is_dir()


def flows(group: str) -> Iterator[list[Exchange]]:
    """The exchanges of a group, file by file; a file that holds one exchange is a flow of one."""
    for path in sorted((ROOT / group).glob("*.json")):
        yield read(path)


def exchanges(group: str) -> Iterator[Exchange]:
    """Every exchange of a group."""
    for flow in flows(group):
        yield from flow


@lru_cache(maxsize=4096)
def read(path: Path) -> list[Exchange]:
    """The exchanges of one file, in its order."""
    content = json.loads(path.read_bytes())
    name = f"{path.parent.name}/{path.name}"
    if isinstance(content, list):
        return [_exchange(f"{name}[{at}]", item) for at, item in enumerate(content)]
    return [_exchange(name, content)]


def _exchange(case: str, item: dict[str, Any]) -> Exchange:
    request, response = item["request"], item["response"]
    source, _, position = item["source"].rpartition("#")
    body, is_lost = _body(request["method"], request.get("body"))
    return Exchange(
        case=case,
        source=source or item["source"],
        position=int(position) if position.isdigit() else -1,
        notes=item.get("notes", ""),
        method=request["method"],
        url=request["url"],
        headers=request.get("headers") or {},
        body=body,
        is_body_lost=is_lost,
        status=response["status"],
        answer_headers={name.lower(): value for name, value in (response.get("headers") or {}).items()},
        answer=response.get("body"),
    )


def _body(method: str, body: Any) -> tuple[Any, bool]:
    """The request's body, and whether the recorder lost it.

    Some recorders kept a PUT's body as the text of Python bytes (``b'…'``, even twice over), some not at all.
    """
    for _ in range(3):
        if isinstance(body, str) and body[:2] in ("b'", 'b"'):
            literal = ast.literal_eval(body)
            body = literal.decode() if isinstance(literal, bytes) else literal
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return None, True
    return body, body is None and method in ("PUT", "PATCH")


@lru_cache(maxsize=1)
def _machine_answers() -> dict[tuple[str, str], list[Exchange]]:
    """Every recorded answer that shows a machine, by recording and path; each once."""
    found: dict[tuple[str, str], dict[int, Exchange]] = defaultdict(dict)
    for folder in sorted(path for path in ROOT.iterdir() if path.is_dir()):
        for exchange in exchanges(folder.name):
            if exchange.is_machine and exchange.shows_machine and exchange.position >= 0:
                found[exchange.source, exchange.path.lower()].setdefault(exchange.position, exchange)
    return {place: list(answers.values()) for place, answers in found.items()}


def machine_before(exchange: Exchange, path: str = "") -> dict[str, Any] | None:
    """The machine as it stood before this exchange; None where no GET in the same recording showed it before.

    It is the answer of the last GET, or of the last write since that GET.

    Args:
        exchange: the one that is judged.
        path: of the machine; ``''``: the exchange's own.
    """
    shown = _machine_answers().get((exchange.source, (path or exchange.path).lower()), ())
    earlier = [other for other in shown if exchange.is_after(other)]
    read = _last([other for other in earlier if other.method == "GET"])
    if read is None:
        return None
    written = _last([other for other in earlier if other.method != "GET" and other.is_after(read)])
    return settled(written.answer) if written is not None else dict(read.answer)


def _last(answers: Iterable[Exchange]) -> Exchange | None:
    latest: Exchange | None = None
    for answer in answers:
        latest = answer if latest is None or answer.is_after(latest) else latest
    return latest


def settled(document: dict[str, Any]) -> dict[str, Any]:
    """A machine as it stands once the write is over whose answer this is: not updating, leaving disks gone."""
    after = copy.deepcopy(document)
    after["properties"]["provisioningState"] = "Succeeded"
    storage = after["properties"].get("storageProfile", {})
    if isinstance(storage.get("dataDisks"), list):
        storage["dataDisks"] = [disk for disk in storage["dataDisks"] if not disk.get("toBeDetached")]
    return after
