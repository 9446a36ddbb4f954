"""Machines that pasted text names: portal errors, activity logs, Terraform, az, PowerShell, deployments, exports."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.scope import LoggedError, LoggedMachine, LoggedName, LogReading, MachineName
from patchmode.rules.pasted_text.commands import ARC, QUOTE, VM, commands, names
from patchmode.rules.pasted_text.documents import fragments, read_document
from patchmode.rules.pasted_text.tables import of_rows, read_names, read_table, ruled_tables, spaced_tables
from patchmode.rules.pasted_text.text import (
    PREREQUISITE,
    Findings,
    FlatText,
    Mention,
    Who,
    errors_of,
    flatten,
    is_failure,
    plain,
    successes_of,
)

LOOKED_FOR = (
    "resource ids of Microsoft.Compute/virtualMachines and Microsoft.HybridCompute/machines, alone or inside "
    "addresses and JSON; names such as virtual machine 'web-01', or in commands of az and PowerShell; tables with "
    "headings such as name, resource group and subscription; lists of names"
)
"""What a text is searched for, for the message about one that has none of it."""

_SLASH = r"(?:\\{0,7}/|%(?:25){0,3}2F|\\{1,7}u002F|&#(?:x2F|47);)"
"""Plain, escaped for JSON once or several times, or encoded for an address or for HTML."""
_S = rf"{_SLASH}{{1,3}}"
"""Between two segments; who puts addresses together writes it twice."""
_GUID = r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}"
_MARKS = r"\u0300-\u036f"
_GROUP = rf"(?:[\w{_MARKS}.()-]| (?=[\w(])|%(?:25){{0,3}}(?:2[089DE]|5F|[89A-F][0-9A-F])){{1,90}}"
_NAME = rf"(?:[\w{_MARKS}.-]|%(?:25){{0,3}}(?:2[DE]|5F|[89A-F][0-9A-F]))+"
_SET = r"virtualMachineScaleSets"
_WHOLE = re.compile(
    rf"/subscriptions/(?P<subscription>{_GUID})/resourceGroups/(?P<group>[^/\\?#%&\x00-\x1f]{{1,90}})/providers/"
    rf"(?:(?P<vm>Microsoft\.Compute/(?:{_SET}/(?P<set>[^/]{{1,64}})/)?virtualMachines)|Microsoft\.HybridCompute/machines)/"
    r"(?P<name>[^\s/\\?#%&:;,\"<>|*=+{}\[\]]{1,64})(?:/[^\s?#]*)?",
    re.IGNORECASE,
)
"""A value of JSON that is an id and nothing else, so that no letter in it can be a quotation mark or a line's end."""
_APOSTROPHE = re.compile(r"(?:'[\w.-]+)+")
"""What may be a name's rest, or `'s`; no machine made today may have such a name, and servers of Arc do."""
_PLACE = rf"subscriptions{_S}(?P<subscription>{_GUID}){_S}resourceGroups?{_S}(?P<group>{_GROUP}){_S}providers{_S}"
_ID = re.compile(
    rf"{_PLACE}(?:(?P<vm>Microsoft\.Compute{_S}(?:{_SET}{_S}(?P<set>[\w.-]{{1,64}}){_S})?virtualMachines)"
    rf"|Microsoft\.HybridCompute{_S}machines){_S}(?P<name>{_NAME})",
    re.IGNORECASE,
)
_SCHEDULE = re.compile(
    rf"{_PLACE}Microsoft\.Maintenance{_S}maintenanceConfigurations{_S}(?P<name>{_NAME})", re.IGNORECASE
)
_DEPLOYMENT = re.compile(
    rf"(?:subscriptions{_S}(?P<subscription>{_GUID})(?:{_S}resourceGroups?{_S}(?P<group>{_GROUP}))?"
    rf"|managementGroups{_S}(?P<above>[\w.()-]{{1,90}})){_S}providers{_S}Microsoft\.Resources{_S}deployments{_S}"
    r"(?P<name>[\w.()-]{1,64})",
    re.IGNORECASE,
)
_ENDS_IN_SLASH = re.compile(rf"{_SLASH}\Z", re.IGNORECASE)
_BLANK = r"(?:\s|\\{1,7}[nrt])*"
_IN_WORDS = re.compile(
    rf"Subscription(?:\s*Id)?:{_BLANK}{QUOTE}(?P<subscription>{_GUID}){QUOTE}{_BLANK}"
    rf"Resource\s*Group(?:\s*Name)?:{_BLANK}{QUOTE}(?P<group>[\w.()-]{{1,90}}){QUOTE}{_BLANK}"
    rf"(?:(?P<vm>Virtual\s*)|)Machine\s*Name:{_BLANK}{QUOTE}(?P<name>[\w.-]{{1,64}}){QUOTE}",
    re.IGNORECASE,
)
"""How terraform-provider-azurerm writes an id for people: `(Subscription: "…"\\nResource Group Name: "…"\\n…)`."""
_LONGEST_NAME = 64
_CLOSERS = {'"': '"', "'": "'", "`": "`", "‘": "’", "“": "”"}
_MARK = re.compile("\x01(\\d{1,9})\x02")
_NO_MARKS = {1: None, 2: None}
"""What stands in a text for a document or a table that has been read already."""


def read_log(text: str, *, source: str = "") -> LogReading:
    """Read every machine that a text names.

    Steps:
        1. take away colours and invisible letters;
        2. a table with headings, or a list of names and ids, is read as such;
        3. in any other text JSON documents and ruled tables are read first, each by itself;
        4. around them, with broken lines put together, find ids, whatever their casing, encoding and quotes (an id of
           something below a machine counts as the machine's), and names in commands and sentences;
        5. give each machine the error that stands with it: in JSON the innermost of the same object, in a table the one
           of the same row, else the nearest.

    Args:
        text: any length; the work is linear in it. Empty: nothing is named.
        source: the file's name, kept for reports.

    Returns:
        Machines in the order of first mention, each once. Nothing found gives a reading that names nothing.
    """
    kept = plain(text).translate(_NO_MARKS).replace("\r\n", "\n").replace("\r", "\n")
    listed = read_table(kept, _in_value) or read_names(kept)
    found = _read_text(kept) if listed is None else listed
    if not found.mentions and listed is None:
        spaced = of_rows((("row", row) for table in spaced_tables(kept) for row in table.rows), _in_value)
        spaced.not_understood.clear()  # lines below a table
        found = spaced if spaced.mentions else found
    ids, named = _each_once(found.mentions)
    same = _same(named, ids)
    told = _told_once(found.told, same)
    succeeded = {same.get(entry, entry) if isinstance(entry, MachineName) else entry for entry in found.succeeded}
    return LogReading(
        machines=tuple(
            LoggedMachine(entry, told.get(entry), or_else, has_succeeded=entry in succeeded and entry not in told)
            for entry, or_else in ids.items()
        ),
        names=tuple(
            LoggedName(entry, told.get(entry), has_succeeded=entry in succeeded and entry not in told)
            for entry, one in same.items()
            if one is entry
        ),
        deployments=tuple(_deployments(kept)),
        schedules=tuple(_schedules(kept)),
        not_understood=tuple(found.not_understood),
        is_prerequisite=PREREQUISITE.search(kept) is not None,
        is_list=listed is not None,
        cut_short=tuple(dict.fromkeys(found.cut_short)),
        source=source,
    )


def read_operations(operations: Iterable[Any]) -> LogReading:
    """What the operations of a deployment name that failed: machines with their errors, and deployments inside it.

    Args:
        operations: of one deployment, as Resource Manager answers them; anything else among them is passed over.

    Returns:
        Machines of failed operations only, also where the operation was about something below a machine.
    """
    failed = [one for one in operations if is_failure(_property(one, "provisioningState"))]
    whole = Findings()
    for operation in failed:
        found = read_document(operation["properties"], _in_value)
        whole.mentions += found.mentions
        whole.told.update(found.told)
    ids, _ = _each_once(whole.mentions)
    targets = [_property(one, "targetResource", "id") for one in failed]
    return LogReading(
        machines=tuple(LoggedMachine(entry, whole.told.get(entry)) for entry in ids),
        deployments=tuple(dict.fromkeys(found for target in targets for found in _deployments(target))),
    )


def _property(operation: Any, *names: str) -> str:
    """A text inside an operation's properties; empty: it is not there."""
    found = operation.get("properties") if isinstance(operation, dict) else None
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def _read_text(text: str) -> Findings:
    """A text that may hold documents and tables."""
    blocks = [(entry.start, entry.end, read_document(entry.value, _in_value)) for entry in fragments(text)]
    for table in ruled_tables(text):
        rows = ((f"{number}", row) for number, row in enumerate(table.rows, 1))
        blocks.append((table.start, table.end, of_rows(rows, _in_value)))
    blocks.sort(key=lambda block: block[:2])
    parts: list[str] = []
    at = 0
    taken: list[Findings] = []
    for start, end, found in blocks:
        if start < at:
            continue
        parts += [text[at:start], _instead_of(text[start:end], found, len(taken))]
        taken.append(found)
        at = end
    flat = flatten("".join((*parts, text[at:])))
    whole = Findings()
    marks = [(mark.start(), mark.end(), taken[int(mark[1])]) for mark in _MARK.finditer(flat.text)]
    mentions = [*_ids(flat, whole.cut_short), *_in_words(flat), *commands(flat), *names(flat)]
    mentions += [Mention(start, end, only) for start, end, found in marks if (only := _alone(found)) is not None]
    mentions = _settled(sorted(mentions))
    whole.told, whole.succeeded = errors_of(flat, mentions), successes_of(flat, mentions)
    for start, end, found in marks:
        mentions += [Mention(start, end, entry.id, entry.or_else) for entry in found.mentions]
        whole.told.update(found.told)
        whole.succeeded |= found.succeeded
        whole.cut_short += found.cut_short
        whole.not_understood += found.not_understood
    whole.mentions = sorted(mentions)
    return whole


def _instead_of(text: str, found: Findings, number: int) -> str:
    """What is read in the place of a block: a mark, where it tells all by itself; else what goes with its surroundings.

    An error without a machine belongs to one outside, and a machine without an error may have it outside.
    """
    if found.mentions:
        between = "\n\n" if _alone(found) is None else "\n"
        return f"{between}\x01{number}\x02{between}"
    error = found.error
    return text if error is None else f"\n({error.code or 'Error'}) {error.sentence}\n"


def _alone(found: Findings) -> Who | None:
    """The one machine of a block that tells no error of it; None: there are several, or it needs none from outside."""
    machines = {mention.id for mention in found.mentions}
    return machines.pop() if len(machines) == 1 and not found.told and not found.succeeded else None


def _settled(mentions: Sequence[Mention]) -> list[Mention]:
    """Mentions in which a name is the id of the one machine of that name that the text names by its id."""
    ids, named = _each_once(mentions)
    same = _same(named, ids)
    return [
        Mention(entry.start, entry.end, same.get(entry.id, entry.id), entry.or_else)
        if isinstance(entry.id, MachineName)
        else entry
        for entry in mentions
    ]


def _same(named: Sequence[MachineName], ids: Iterable[ResourceId]) -> dict[MachineName, Who]:
    """What each name means: the id of that name that the text has too, in the same group where one is told.

    A name alone is that of a machine whose group the text tells elsewhere.
    """
    by_name: dict[str, list[Who]] = defaultdict(list)
    every: list[Who] = [*ids, *(entry for entry in named if entry.resource_group)]
    for one in every:
        by_name[one.name.casefold()].append(one)
    return {
        entry: next((one for one in by_name.get(entry.name.casefold(), ()) if _may_be(entry, one)), entry)
        for entry in named
    }


def _may_be(entry: MachineName, one: Who) -> bool:
    group = entry.resource_group.casefold()
    if isinstance(one, MachineName) and entry.resource_group:
        return one is entry
    return not group or group == one.resource_group.casefold()


def _told_once(told: dict[Who, LoggedError], same: dict[MachineName, Who]) -> dict[Who, LoggedError]:
    """Errors by machine, those of names by the ids that they mean."""
    found: dict[Who, LoggedError] = {}
    for machine, error in told.items():
        who = same.get(machine, machine) if isinstance(machine, MachineName) else machine
        if who not in found or (error.is_prerequisite and not found[who].is_prerequisite):
            found[who] = error
    return found


def _deployments(text: str) -> Iterator[str]:
    seen: set[str] = set()
    if "deployments" not in text:  # no client writes it otherwise, and a long log is searched once less
        return
    for match in _DEPLOYMENT.finditer(text):
        place = (
            f"/providers/Microsoft.Management/managementGroups/{match['above']}"
            if match["above"]
            else f"/subscriptions/{match['subscription']}"
        )
        place += f"/resourceGroups/{_decoded(match['group'])}" if match["group"] else ""
        found = f"{place}/providers/Microsoft.Resources/deployments/{match['name'].rstrip('.-')}"
        if found.casefold() not in seen:
            seen.add(found.casefold())
            yield found


def _schedules(text: str) -> Iterator[ResourceId]:
    seen: set[ResourceId] = set()
    if "maintenanceconfigurations" not in text.lower():
        return
    for match in _SCHEDULE.finditer(text):
        kind, name = "Microsoft.Maintenance/maintenanceConfigurations", _decoded(match["name"]).rstrip(".-")
        found = _made(match["subscription"], _decoded(match["group"]), kind, name)
        if found is not None and found not in seen:
            seen.add(found)
            yield found


def _in_value(text: str) -> list[Mention]:
    """The machines that one text in a document or a table names."""
    whole = _WHOLE.fullmatch(text.strip())
    if whole is None:
        flat = flatten(text)
        return sorted([*_ids(flat, []), *_in_words(flat), *names(flat)])
    machine_id = _of_match(whole, whole["name"].rstrip(".-'"))
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
        machine_id = _of_match(match, name)
        if machine_id is not None:
            longer = _longer_name(flat, match, end)
            yield Mention(match.start(), end, machine_id, _of_match(match, longer) if longer else None)


def _of_match(match: re.Match[str], name: str) -> ResourceId | None:
    """The machine of an id.

    An instance of a Flexible scale set is a virtual machine of the set's group and has its name (recorded:
    `vmss_flex_instances`); one of a Uniform set has a number and is none.
    """
    if match["set"] and name.isdecimal():
        return None
    return _made(match["subscription"], _decoded(match["group"]), _kind(match), name)


def _each_once(mentions: Iterable[Mention]) -> tuple[dict[ResourceId, ResourceId | None], list[MachineName]]:
    """Each machine by its first mention; one mention without a doubt settles what another leaves open."""
    ids: dict[ResourceId, ResourceId | None] = {}
    named: dict[tuple[str, ...], MachineName] = {}
    for mention in mentions:
        if isinstance(mention.id, MachineName):
            key = mention.id.name.casefold(), mention.id.resource_group.casefold(), mention.id.subscription.casefold()
            named.setdefault(key, mention.id)
        elif mention.or_else is None or mention.id not in ids:
            ids[mention.id] = mention.or_else
    return ids, list(named.values())


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
    return VM if match["vm"] else ARC


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
