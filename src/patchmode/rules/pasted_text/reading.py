"""Machines that pasted text names: portal errors, activity logs, Terraform, az, PowerShell, ARM deployments, JSON."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.scope import LoggedError, LoggedMachine, LogReading
from patchmode.rules.pasted_text.text import NO_ERRORS, FlatText, Mention, error_in, errors_of, flatten, plain

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


LOOKED_FOR = (
    "resource ids of Microsoft.Compute/virtualMachines and Microsoft.HybridCompute/machines, alone or inside "
    "addresses and JSON, and names such as virtual machine 'web-01'"
)
"""What a text is searched for, for the message about one that has none of it."""

_SLASH = r"(?:\\{0,7}/|%(?:25){0,3}2F|\\{1,7}u002F|&#(?:x2F|47);)"
"""Plain, escaped for JSON once or several times, or encoded for an address or for HTML."""
_QUOTE = r"\\{0,7}[\"'`‘’“”]"
_GUID = r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}"
_MARKS = r"\u0300-\u036f"
_GROUP = rf"(?:[\w{_MARKS}.()-]| (?=[\w(])|%(?:25){{0,3}}(?:2[089DE]|5F|[89A-F][0-9A-F])){{1,90}}"
_NAME = rf"(?:[\w{_MARKS}.-]|%(?:25){{0,3}}(?:2[DE]|5F|[89A-F][0-9A-F]))+"
_WHOLE = re.compile(
    rf"/subscriptions/(?P<subscription>{_GUID})/resourceGroups/(?P<group>[^/\\?#%&\x00-\x1f]{{1,90}})/providers/"
    r"(?:(?P<vm>Microsoft\.Compute/virtualMachines)|Microsoft\.HybridCompute/machines)/"
    r"(?P<name>[^\s/\\?#%&:;,\"<>|*=+{}\[\]]{1,64})(?:/[^\s?#]*)?",
    re.IGNORECASE,
)
"""A value of JSON that is an id and nothing else, so that no letter in it can be a quotation mark or a line's end."""
_APOSTROPHE = re.compile(r"(?:'[\w.-]+)+")
"""What may be a name's rest, or `'s`; no machine made today may have such a name, and servers of Arc do."""
_ID = re.compile(
    rf"subscriptions{_SLASH}(?P<subscription>{_GUID}){_SLASH}resourceGroups{_SLASH}(?P<group>{_GROUP}){_SLASH}providers"
    rf"{_SLASH}(?:(?P<vm>Microsoft\.Compute{_SLASH}virtualMachines)|Microsoft\.HybridCompute{_SLASH}machines){_SLASH}"
    rf"(?P<name>{_NAME})",
    re.IGNORECASE,
)
_ENDS_IN_SLASH = re.compile(rf"{_SLASH}\Z", re.IGNORECASE)
_BLANK = r"(?:\s|\\{1,7}[nrt])*"
_IN_WORDS = re.compile(
    rf"Subscription(?:\s*Id)?:{_BLANK}{_QUOTE}(?P<subscription>{_GUID}){_QUOTE}{_BLANK}"
    rf"Resource\s*Group(?:\s*Name)?:{_BLANK}{_QUOTE}(?P<group>[\w.()-]{{1,90}}){_QUOTE}{_BLANK}"
    rf"(?:(?P<vm>Virtual\s*)|)Machine\s*Name:{_BLANK}{_QUOTE}(?P<name>[\w.-]{{1,64}}){_QUOTE}",
    re.IGNORECASE,
)
"""How terraform-provider-azurerm writes an id for people: `(Subscription: "…"\\nResource Group Name: "…"\\n…)`."""
_PLAIN_NAME = r"\w[\w.-]{0,63}"
_NAMES = re.compile(
    rf"\b(?:virtual\s*machine|vm|machine|server)(?:\s*name)?\s{{0,3}}[:=]?\s{{0,3}}(?:\(Name\s*)?"
    rf"{_QUOTE}(?P<quoted>{_PLAIN_NAME}){_QUOTE}"
    rf"|\b(?:vm[-_ ]?name|virtual[-_ ]?machine[-_ ]?name|machine[-_ ]?name)(?:{_QUOTE})?"
    rf"(?:\s{{0,3}}[:=]\s{{0,3}}(?:{_QUOTE})?|(?<=-vm-name)\s+|(?<=-vmname)\s+)(?P<labelled>{_PLAIN_NAME})(?![\w.-])"
    rf"|\bResource\s{{0,3}}{_QUOTE}Microsoft\.(?:Compute/virtualMachines|HybridCompute/machines)/"
    rf"(?P<typed>{_PLAIN_NAME}){_QUOTE}",
    re.IGNORECASE,
)
"""Names of machines; an action such as `Microsoft.Compute/virtualMachines/write` is none."""
_LONGEST_NAME = 64
_CLOSERS = {'"': '"', "'": "'", "`": "`", "‘": "’", "“": "”"}


def read_log(text: str, *, source: str = "") -> LogReading:
    """Read every machine that a text names.

    Steps:
        1. take away colours and invisible letters, put broken lines together;
        2. find ids, whatever their casing, encoding and quotes; an id of something below a machine counts as the
           machine's;
        3. give each machine the error that stands with it: in JSON the one of the same object, else the nearest;
        4. find names of machines whose id does not stand there.

    Args:
        text: any length; the work is linear in it. Empty: nothing is named.
        source: the file's name, kept for reports.

    Returns:
        Machines in the order of first mention, each once. Nothing found gives a reading that names nothing.
    """
    flat = flatten(text)
    cut_short: list[str] = []
    mentions = sorted([*_ids(flat, cut_short), *_in_words(flat)])
    documents = read_documents(text, _in_value)
    if documents is None:
        told = errors_of(flat, mentions)
    else:
        mentions, told = documents
    ids = _each_once(mentions)
    return LogReading(
        machines=tuple(LoggedMachine(machine_id, told.get(machine_id), or_else) for machine_id, or_else in ids.items()),
        names_only=tuple(_names(flat, {machine_id.name.casefold() for machine_id in ids})),
        cut_short=tuple(dict.fromkeys(cut_short)),
        source=source,
    )


def _in_value(text: str) -> list[Mention]:
    """The machines that one text in a JSON document names."""
    whole = _WHOLE.fullmatch(text.strip())
    if whole is None:
        flat = flatten(text)
        return sorted([*_ids(flat, []), *_in_words(flat)])
    machine_id = _made(whole["subscription"], whole["group"], _kind(whole), whole["name"].rstrip(".-'"))
    return [] if machine_id is None else [Mention(0, len(text), machine_id)]


def _ids(flat: FlatText, cut_short: list[str]) -> Iterator[Mention]:
    for match in _ID.finditer(flat.text):
        if _is_inside_a_word(flat, match.start()):
            continue
        end = _end_of_name(flat, match)
        name = _decoded(flat.text[match.start("name") : end]).rstrip(".-")
        if _is_cut_short(flat.text, end):
            cut_short.append(name)
            continue
        place = match["subscription"], _decoded(match["group"]), _kind(match)
        machine_id = _made(*place, name)
        if machine_id is not None:
            longer = _longer_name(flat, match, end)
            yield Mention(match.start(), end, machine_id, _made(*place, longer) if longer else None)


def _each_once(mentions: Iterable[Mention]) -> dict[ResourceId, ResourceId | None]:
    """Each machine by its first mention; one mention without a doubt settles what another leaves open."""
    found: dict[ResourceId, ResourceId | None] = {}
    for mention in mentions:
        if mention.id in found and mention.or_else is not None:
            continue
        found[mention.id] = mention.or_else
    return found


def _is_inside_a_word(flat: FlatText, start: int) -> bool:
    """Whether a longer word ends like the first word of an id; an encoded slash before it also ends in a letter."""
    before = flat.text[max(0, start - 1) : start]
    if not (before.isalnum() or before == "_") or flat.is_break(start):
        return False
    return _ENDS_IN_SLASH.search(flat.text[max(0, start - 12) : start]) is None


def _in_words(flat: FlatText) -> Iterator[Mention]:
    for match in _IN_WORDS.finditer(flat.text):
        machine_id = _made(match["subscription"], match["group"], _kind(match), match["name"])
        if machine_id is not None:
            yield Mention(match.start(), match.end(), machine_id)


def _longer_name(flat: FlatText, match: re.Match[str], end: int) -> str:
    """What the name is if the break or the apostrophe behind it belongs to it; empty: neither stands there."""
    if end < match.end("name"):
        return _decoded(match["name"]).rstrip(".-")
    rest = _APOSTROPHE.match(flat.text, end) if _opening_quote(flat.text, match.start()) != "'" else None
    if rest is None:
        return ""
    until = next((entry.at for entry in flat.breaks_within(end, rest.end())), rest.end())
    return _decoded(match["name"] + flat.text[end:until]).rstrip(".-'")


def _kind(match: re.Match[str]) -> str:
    return "Microsoft.Compute/virtualMachines" if match["vm"] else "Microsoft.HybridCompute/machines"


def _made(subscription: str, group: str, kind: str, name: str) -> ResourceId | None:
    if not name or len(name) > _LONGEST_NAME:
        return None
    try:
        return ResourceId.parse(f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}")
    except ResourceIdError:
        return None


def _decoded(text: str) -> str:
    while "%" in text and (plain := unquote(text)) != text:
        text = plain
    return text


def _is_cut_short(text: str, end: int) -> bool:
    """Whether a table cut the name: what is left of it is another machine's name, or nobody's."""
    return text.startswith("…", end) or text.endswith("...", 0, end)


def _end_of_name(flat: FlatText, match: re.Match[str]) -> int:
    """Where the name ends, when lines were put together in the middle of what looks like one."""
    start, end = match.span("name")
    for entry in flat.breaks_within(start, end):
        if not _goes_on(flat, match, entry.at, entry.width, entry.indent):
            return entry.at
    return end


def _goes_on(flat: FlatText, match: re.Match[str], at: int, width: int, indent: int) -> bool:
    """Whether a name goes on behind a break."""
    text = flat.text
    if text[at - 1] == "-":
        return True  # no machine's name may end in a hyphen
    opening = _opening_quote(text, match.start())
    if opening is not None:
        return text.startswith(_CLOSERS[opening], match.end()) or text.startswith("\\", match.end())
    earlier = flat.breaks_within(match.start(), match.start("name") + 1)
    return any(entry.width == width and entry.indent == indent for entry in earlier)


def _opening_quote(text: str, start: int) -> str | None:
    """The quotation mark right before an id, which must then be closed behind it."""
    before = text[max(0, start - 1) : start]
    if before == "/":
        before = text[max(0, start - 2) : start - 1]
    return before if before in _CLOSERS and before else None


def _names(flat: FlatText, known: set[str]) -> Iterator[str]:
    for match in _NAMES.finditer(flat.text):
        group = match.lastgroup or "quoted"
        start, end = match.span(group)
        if group != "quoted":
            end = next((entry.at for entry in flat.breaks_within(start, end)), end)
        name = flat.text[start:end].rstrip(".-")
        if name and name.casefold() not in known:
            known.add(name.casefold())
            yield name
