"""JSON in pasted text: which machines a document names, and the error of each."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from patchmode.model.scope import LoggedError
from patchmode.rules.pasted_text.commands import ARC, VM, is_group, is_name, named
from patchmode.rules.pasted_text.tables import heading
from patchmode.rules.pasted_text.text import (
    NO_ERRORS,
    Finder,
    Findings,
    Mention,
    Who,
    error_in,
    is_failure,
    is_success,
)

_PATIENCE = 16
"""Letters that may be looked at for each letter of a text while it is searched for documents."""
_DEEPEST = 8
"""JSON inside JSON inside JSON, …"""
_TOO_DEEP = 2_000
"""What a try costs that gives no place at which it failed."""
_BRACKET = re.compile(r"\{\s{0,99}\"|\[\s{0,99}[\[{\"]")
"""How an object begins, or an array of texts, objects or arrays."""
_WINDOW = 65_536
_DECODER = json.JSONDecoder()
_CAUSES = frozenset(
    {"cause", "details", "error", "errordetails", "errors", "exception", "innererror", "message", "statusmessage"}
)
"""Members in which the cause stands of the error that surrounds them, in lower case, without marks."""
_STATES = frozenset({"operationstatus", "provisioningstate", "result", "resulttype", "state", "status"})
_MACHINE_KEYS = ("vmname", "virtualmachinename", "machinename")
_GROUP_KEYS = ("resourcegroup", "resourcegroupname", "rg")
_SUBSCRIPTION_KEYS = ("subscriptionid", "subscription", "subscriptionname", "subscriptiondisplayname")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A JSON document inside a text."""

    start: int
    end: int
    value: Any


def fragments(text: str) -> Iterator[Fragment]:
    """Every JSON object, and every array of objects or texts, that a text holds and that no other one surrounds.

    The work is linear in the text's length: what cannot be read is tried again from a later bracket only as long as
    that costs no more than so many times the text.
    """
    patience = _PATIENCE * len(text) + _TOO_DEEP
    window, anchor = text, 0
    start = _BRACKET.search(text)
    while start is not None and patience > 0:
        at = start.start()
        after = at + 1
        try:
            value, end = _DECODER.raw_decode(window, at - anchor)
        except json.JSONDecodeError as error:
            # The library counts the lines up to the place of an error, from the beginning of what it was given.
            patience -= error.pos - (at - anchor) + error.pos // 8 + 1
            if at - anchor > _WINDOW:
                window, anchor = text[at:], at
                patience -= len(window) // 32
        except (ValueError, RecursionError):  # a number of thousands of digits, or brackets without end
            patience -= _TOO_DEEP
        else:
            after = end + anchor
            patience -= after - at
            if _is_document(value):
                yield Fragment(at, after, value)
        start = _BRACKET.search(text, after)


def _is_document(value: Any) -> bool:
    """Whether it is more than a word in brackets, such as `["1"]` in a sentence."""
    if isinstance(value, list):
        return any(_is_document(entry) or (isinstance(entry, str) and "/" in entry) for entry in value)
    return isinstance(value, dict) and bool(value)


def read_document(value: Any, find: Finder) -> Findings:
    """The machines that a document names, and the error of each; of several the prerequisite's, else the first.

    Args:
        value: as decoded.
        find: the machines that one text in it names.
    """
    walk = _Walk(find)
    walk.found.error = walk.value(value).error
    return walk.found


@dataclass(slots=True)
class _Part:
    """What one value holds: machines that no error was given to yet, and the first error."""

    open: list[Who] = field(default_factory=list)
    has_machines: bool = False
    error: LoggedError | None = None


class _Walk:
    """One pass through a document."""

    def __init__(self, find: Finder) -> None:
        self.find = find
        self.found = Findings()
        self.depth = 0

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
        if '"' in text and ("{" in text or "[" in text) and self.depth < _DEEPEST:
            inner = list(fragments(text))
            if inner:
                return self._around(text, inner)
        return self._plain(text)

    def _plain(self, text: str) -> _Part:
        mentions = list(self.find(text)) if _may_name(text) else []
        self.found.mentions += mentions
        return _Part([mention.id for mention in mentions], bool(mentions), error_in(text))

    def _around(self, text: str, inner: list[Fragment]) -> _Part:
        """Documents in a text: what stands between them counts like the object around the one that it speaks of."""
        whole, at = _Part(), 0
        self.depth += 1
        causes: list[LoggedError] = []
        for entry in inner:
            for part in (self._plain(text[at : entry.start]), self.value(entry.value)):
                whole.open += part.open
                whole.has_machines = whole.has_machines or part.has_machines
                causes += [part.error] if part.error is not None else []
            at = entry.end
        rest = self._plain(text[at:])
        self.depth -= 1
        whole.open += rest.open
        whole.has_machines = whole.has_machines or rest.has_machines
        causes += [rest.error] if rest.error is not None else []
        whole.error = next((cause for cause in causes if cause.is_prerequisite), causes[-1] if causes else None)
        return whole

    def _object(self, value: Mapping[str, Any]) -> _Part:
        own = _own(value)
        whole, cause = _Part(), None
        for key, entry in _as_rows(value):
            key_part = self._plain(key) if "/" in key else _Part()
            part = self.value(entry)
            whole.open += [*key_part.open, *part.open]
            whole.has_machines = whole.has_machines or part.has_machines or key_part.has_machines
            if _bare(key) in _CAUSES and ("{" in entry if isinstance(entry, str) else True):
                cause = _stronger(cause, part.error)
            else:
                whole.error = _stronger(whole.error, part.error)
        whole.error = _stronger(_deeper(own, cause), whole.error)
        self._name(value, whole)
        state = _state(value)
        if whole.error is None and is_failure(state) and whole.open:
            whole.error = LoggedError("", state)
        if whole.error is not None:
            for machine in whole.open:
                self.found.told[machine] = _stronger(self.found.told.get(machine), whole.error) or whole.error
            whole.open = []
        elif is_success(state):
            self.found.succeeded.update(whole.open)
            whole.open = []
        return whole

    def _name(self, value: Mapping[str, Any], whole: _Part) -> None:
        """The machine that an object without an id names by its members."""
        texts = {_bare(key): entry for key, entry in value.items() if isinstance(entry, str)}
        machine = None if whole.has_machines else _named(texts)
        if machine is not None:
            self.found.mentions.append(Mention(0, 0, machine))
            whole.open.append(machine)
            whole.has_machines = True

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


def _may_name(text: str) -> bool:
    lowered = text.lower()
    return "subscription" in lowered or "machine" in lowered or "vm" in lowered


def _as_rows(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Members; a table in columns and rows, as Resource Graph answers it, as one of objects."""
    columns, rows = value.get("columns"), value.get("rows")
    if isinstance(columns, list) and isinstance(rows, list):
        names = [column.get("name") if isinstance(column, dict) else column for column in columns]
        tables = [dict(zip(map(str, names), row, strict=False)) for row in rows if isinstance(row, list)]
        yield "rows", tables
        yield from ((key, entry) for key, entry in value.items() if key not in {"columns", "rows"})
    else:
        yield from value.items()


def _named(texts: Mapping[str, str]) -> Who | None:
    """The machine of an object's texts (bare key → text); None: they name none, or something else."""
    group = next((texts[key] for key in _GROUP_KEYS if texts.get(key)), "")
    subscription = next((texts[key] for key in _SUBSCRIPTION_KEYS if texts.get(key)), "")
    own = next((texts[key] for key in _MACHINE_KEYS if texts.get(key)), "")
    kind = texts.get("type", texts.get("resourcetype", ""))
    machine_kind = next((entry for entry in (VM, ARC) if entry.casefold() == kind.casefold()), "")
    if not own and not kind and group and not texts.get("id"):
        own = next((text for key, text in texts.items() if heading(key) == "name"), "")
    elif not own and machine_kind and group:
        own = texts.get("name", "")
    if not is_name(own):
        return None
    return named(own, group if is_group(group) else "", subscription, machine_kind)


def _state(value: Mapping[str, Any]) -> str:
    """What an object says of its state: a text, or Azure Monitor's object with a `value`."""
    for key, entry in value.items():
        if _bare(key) in _STATES:
            text = entry.get("value") if isinstance(entry, dict) else entry
            if isinstance(text, str) and (is_success(text) or is_failure(text)):
                return text
    return ""


@lru_cache(maxsize=4_096)
def _bare(key: str) -> str:
    return key.casefold().replace("_", "").replace("-", "").replace(" ", "")


def _own(value: Mapping[str, Any]) -> LoggedError | None:
    """The error that an object is: it has a code, however the key is cased, and perhaps a message."""
    texts = {_bare(key): entry for key, entry in value.items() if isinstance(entry, str)}
    code = texts.get("code", texts.get("errorcode", ""))
    message = texts.get("message", texts.get("errormessage", ""))
    told = error_in(message)
    if told is not None and told.is_prerequisite and not message.lstrip().startswith(("{", "[")):
        return LoggedError(code, told.sentence, is_prerequisite=True)
    if code.isidentifier() and code[:1].isupper() and code.casefold() not in NO_ERRORS:
        return LoggedError(code, message)
    return None


def _deeper(own: LoggedError | None, cause: LoggedError | None) -> LoggedError | None:
    """Of an error and its cause the one that says more: the cause, unless it is the error's own sentence."""
    if own is None or cause is None:
        return own or cause
    if cause.is_prerequisite:
        return cause if cause.code else replace(cause, code=own.code)
    return own if own.is_prerequisite or not cause.code else cause


def _stronger(first: LoggedError | None, second: LoggedError | None) -> LoggedError | None:
    """Of two errors the prerequisite's, else the first."""
    if first is None or (second is not None and second.is_prerequisite and not first.is_prerequisite):
        return second
    return first
