"""Machines and errors in JSON: activity logs, deployment errors, az output.

A machine's error is that of the object it stands in.

Must not: read anything that is not JSON as a whole, or line by line; such text is read as text.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from patchmode.model.pasted_log import LoggedError
from patchmode.model.resource_id import ResourceId
from patchmode.rules.log_errors import NO_ERRORS, Mention, error_in
from patchmode.rules.log_text import plain

_BEGIN = re.compile(r"^[\[{]", re.MULTILINE)
Finder = Callable[[str], Iterable[Mention]]


@dataclass(slots=True)
class _Part:
    """What one value holds: machines that no error was given to yet, and the first error."""

    open: list[ResourceId] = field(default_factory=list)
    has_machines: bool = False
    error: LoggedError | None = None


def read_documents(text: str, find: Finder) -> tuple[list[Mention], dict[ResourceId, LoggedError]] | None:
    """The machines that JSON names, and the error of each.

    Args:
        text: a JSON document, or one document on each line.
        find: the machines that one text in it names.

    Returns:
        Every mention in order, and the machines that an error stands with; None: the text is no JSON.
    """
    walk = _Walk(find)
    try:
        for document in _documents(text):
            walk.value(document)
    except (ValueError, RecursionError):
        return None
    return walk.mentions, walk.told


def _documents(text: str) -> list[Any]:
    """Every document, and before them what stands in front of the first: a warning, a shell's prompt."""
    stripped = plain(text).strip()
    start = _BEGIN.search(stripped)
    if start is None:
        msg = "no JSON"
        raise ValueError(msg)
    head, body = stripped[: start.start()], stripped[start.start() :]
    try:
        return [head, json.loads(body)]
    except ValueError:
        return [head, *(json.loads(line) for line in body.splitlines() if line.strip())]


class _Walk:
    """One pass through documents."""

    def __init__(self, find: Finder) -> None:
        self.find = find
        self.mentions: list[Mention] = []
        self.told: dict[ResourceId, LoggedError] = {}

    def value(self, value: Any) -> _Part:
        """Any value."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            return self._list(value)
        return _Part()

    def _text(self, text: str) -> _Part:
        found = list(self.find(text)) if "subscription" in text.lower() else []
        self.mentions += found
        return _Part([mention.id for mention in found], bool(found), error_in(text))

    def _object(self, value: dict[str, Any]) -> _Part:
        whole = _Part(error=_own(value))
        for key, entry in value.items():
            named = self._text(key) if "/" in key else _Part()
            part = self.value(entry)
            whole.open += [*named.open, *part.open]
            whole.has_machines = whole.has_machines or part.has_machines or named.has_machines
            whole.error = _stronger(whole.error, part.error)
        if whole.error is not None:
            for machine_id in whole.open:
                self.told[machine_id] = _stronger(self.told.get(machine_id), whole.error) or whole.error
            whole.open = []
        return whole

    def _list(self, value: list[Any]) -> _Part:
        """Entries are strangers to one another: an error that stands with machines in one goes no further."""
        whole = _Part()
        for entry in value:
            part = self.value(entry)
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
