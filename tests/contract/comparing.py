"""Compares an emulator's answer with a recorded one: status, the headers of note, and every leaf of the body.

What must differ from run to run is listed in ``VARIABLE``, once, with the reason; everything else has to be equal.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.contract.recordings import Exchange

VARIABLE: tuple[tuple[str, str], ...] = (
    (r"identity/principalId$", "drawn by the service for a new identity"),
    (r"identity/tenantId$", "the emulated tenant, or a recorder's placeholder"),
    (r"identity/userAssignedIdentities/[^>]*/(principalId|clientId)$", "drawn by the service"),
    (r"^(name|startTime|endTime)$", "an operation's guid and times"),
    (r"^(startDateTime|assessmentActivityId|installationActivityId)$", "a patch operation's guid and times"),
    (r"properties/(vmId|timeCreated)$ of a create", "drawn by the service for a new machine"),
)
"""Body paths (members joined by ``/``) whose values are compared for presence only, and why."""
_VARIABLE = tuple(re.compile(pattern.partition(" of ")[0]) for pattern, _ in VARIABLE if " of " not in pattern)
_CREATED = re.compile(r"properties/(vmId|timeCreated)$")

PRESENCE = ("azure-asyncoperation", "location", "x-ms-failure-cause")
"""Headers that must be there or not as recorded.

The URLs hold a guid, a time and signatures; their form has tests of its own."""
WHEN_RECORDED = ("azure-asyncnotification",)
"""Headers of a certain age: compared where recorded, because older recordings of the same call lack them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the emulator said."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: Any
    """Decoded JSON, text, or None."""


def differences(exchange: Exchange, answer: Answer) -> list[str]:
    """Every difference, as ``place: recorded … emulated …``; empty where the answers agree."""
    found: list[str] = []
    if answer.status != exchange.status:
        found.append(f"status: recorded {exchange.status}, emulated {answer.status}")
    found.extend(_headers(exchange, answer))
    is_create = exchange.status == 201
    found.extend(_values(exchange.answer, answer.body, "", is_create=is_create))
    return found


def _headers(exchange: Exchange, answer: Answer) -> Iterator[str]:
    recorded, emulated = exchange.answer_headers, answer.headers
    for name in PRESENCE:
        if (name in recorded) != (name in emulated):
            yield f"header {name}: recorded {name in recorded}, emulated {name in emulated}"
    for name in WHEN_RECORDED:
        if name in recorded and recorded[name] != emulated.get(name):
            yield f"header {name}: recorded {recorded[name]}, emulated {emulated.get(name)}"
    if "etag" in recorded and recorded["etag"] != emulated.get("etag"):
        yield f"header etag: recorded {recorded['etag']}, emulated {emulated.get('etag')}"
    has_whole_headers = "headers complete" in exchange.notes or "Retry-After kept" in exchange.notes
    if has_whole_headers and ("retry-after" in recorded) != ("retry-after" in emulated):
        yield f"header retry-after: recorded {recorded.get('retry-after')}, emulated {emulated.get('retry-after')}"
    wanted = recorded.get("content-type", "").partition(";")[0]
    if wanted and exchange.answer is not None and wanted != emulated.get("content-type", "").partition(";")[0]:
        yield f"header content-type: recorded {wanted}, emulated {emulated.get('content-type')}"


def _values(recorded: Any, emulated: Any, path: str, *, is_create: bool) -> Iterator[str]:
    if isinstance(recorded, dict) and isinstance(emulated, dict):
        for name in [*recorded, *(name for name in emulated if name not in recorded)]:
            below = f"{path}/{name}" if path else name
            if name not in emulated:
                yield f"{below}: recorded {_short(recorded[name])}, emulated absent"
            elif name not in recorded:
                yield f"{below}: recorded absent, emulated {_short(emulated[name])}"
            else:
                yield from _values(recorded[name], emulated[name], below, is_create=is_create)
    elif isinstance(recorded, list) and isinstance(emulated, list) and len(recorded) == len(emulated):
        for at, (left, right) in enumerate(zip(recorded, emulated, strict=True)):
            yield from _values(left, right, f"{path}[{at}]", is_create=is_create)
    elif (
        _untimed(recorded, path) != _untimed(emulated, path)
        and not _may_vary(path, is_create=is_create)
        and not is_scrubbed(recorded, emulated, path)
    ):
        yield f"{path or 'body'}: recorded {_short(recorded)}, emulated {_short(emulated)}"


def _untimed(value: Any, path: str) -> Any:
    """An error's message without the times and guids that it quotes."""
    if not path.endswith("message") or not isinstance(value, str):
        return value
    return _GUID.sub("<guid>", _TIME.sub("<time>", value))


_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")


def is_scrubbed(recorded: Any, emulated: Any, path: str) -> bool:
    """Whether two ids differ only in what a recorder scrubbed.

    azure-cli's recorder replaces the random end of a group's name (``clitest.rg000001``) wherever it finds the name,
    which it does not in upper case; so a group that the service upper-cases keeps its real end in the answer. Both
    spellings must be upper case, but for the ids of managed disks, which the service is known to spell both ways.
    """
    if not isinstance(recorded, str) or not isinstance(emulated, str):
        return False
    left, right = _GROUP.search(recorded), _GROUP.search(emulated)
    if left is None or right is None:
        return False
    rest = (recorded[: left.start()] + recorded[left.end() :], emulated[: right.start()] + emulated[right.end() :])
    spelled_alike = right.group() == right.group().upper() or path.endswith("managedDisk/id")
    stem = re.sub(r"\d{6}$", "", right.group()).lower()
    return rest[0] == rest[1] and spelled_alike and left.group().lower().startswith(stem)


_GROUP = re.compile(r"(?<=/resourceGroups/)[^/]+", re.IGNORECASE)


def _may_vary(path: str, *, is_create: bool) -> bool:
    return any(pattern.search(path) for pattern in _VARIABLE) or (is_create and _CREATED.search(path) is not None)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
