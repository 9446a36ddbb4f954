"""Errors in JSON: activity logs, deployment errors, az output. A machine's error is that of the object it stands in.

Must not: read anything that is not JSON as a whole, or line by line; such text is read as text.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from patchmode.model.pasted_log import LoggedError
from patchmode.model.resource_id import ResourceId
from patchmode.rules.log_errors import NO_ERRORS, error_in

Finder = Callable[[str], Iterable[ResourceId]]


@dataclass(slots=True)
class _Part:
    """What one value holds: machines that no error was given to yet, and the first error."""

    open: list[ResourceId] = field(default_factory=list)
    has_machines: bool = False
    error: LoggedError | None = None


def errors_in_documents(text: str, find: Finder) -> dict[ResourceId, LoggedError] | None:
    """The error of each machine, where the text is JSON.

    Args:
        text: a JSON document, or one document on each line.
        find: the machines that a text names.

    Returns:
        Machines that an error stands with; None: the text is no JSON.
    """
    told: dict[ResourceId, LoggedError] = {}
    try:
        for document in _documents(text):
            _walk(document, find, told)
    except (ValueError, RecursionError):
        return None
    return told


def _documents(text: str) -> list[Any]:
    stripped = text.lstrip("\ufeff").strip()
    if not stripped.startswith(("{", "[")):
        msg = "no JSON"
        raise ValueError(msg)
    try:
        return [json.loads(stripped)]
    except ValueError:
        return [json.loads(line) for line in stripped.splitlines() if line.strip()]


def _walk(value: Any, find: Finder, told: dict[ResourceId, LoggedError]) -> _Part:
    if isinstance(value, str):
        return _of_text(value, find)
    if isinstance(value, dict):
        return _of_object(value, find, told)
    if isinstance(value, list):
        return _of_list(value, find, told)
    return _Part()


def _of_text(text: str, find: Finder) -> _Part:
    machines = list(find(text)) if "subscriptions" in text.lower() else []
    return _Part(machines, bool(machines), error_in(text))


def _of_object(value: dict[str, Any], find: Finder, told: dict[ResourceId, LoggedError]) -> _Part:
    whole = _Part(error=_own(value))
    for key, entry in value.items():
        part = _walk(entry, find, told)
        named = _of_text(key, find) if "/" in key else _Part()
        whole.open += [*named.open, *part.open]
        whole.has_machines = whole.has_machines or part.has_machines or named.has_machines
        whole.error = _stronger(whole.error, part.error)
    if whole.error is not None:
        for machine_id in whole.open:
            told[machine_id] = _stronger(told.get(machine_id), whole.error) or whole.error
        whole.open = []
    return whole


def _of_list(value: list[Any], find: Finder, told: dict[ResourceId, LoggedError]) -> _Part:
    """Entries are strangers to one another: an error that stands with machines in one of them leaves it no further."""
    whole = _Part()
    for entry in value:
        part = _walk(entry, find, told)
        whole.open += part.open
        whole.has_machines = whole.has_machines or part.has_machines
        if not part.has_machines:
            whole.error = _stronger(whole.error, part.error)
    return whole


def _own(value: dict[str, Any]) -> LoggedError | None:
    """The error that an object is: it has a code, however the key is cased, and perhaps a message."""
    texts = {key.casefold(): entry for key, entry in value.items() if isinstance(entry, str)}
    code = texts.get("code", texts.get("errorcode", ""))
    told = error_in(texts.get("message", ""))
    if told is not None and told.is_prerequisite:
        return LoggedError(code, told.sentence, is_prerequisite=True)
    if code.isidentifier() and code[:1].isupper() and code.casefold() not in NO_ERRORS:
        return LoggedError(code, texts.get("message", ""))
    return None


def _stronger(first: LoggedError | None, second: LoggedError | None) -> LoggedError | None:
    """Of two errors the prerequisite's, else the first."""
    if first is None or (second is not None and second.is_prerequisite and not first.is_prerequisite):
        return second
    return first
