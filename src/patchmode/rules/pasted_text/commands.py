"""Machines that text names without their ids: commands of az and PowerShell, and names in sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.scope import MachineName
from patchmode.rules.pasted_text.text import FlatText, Mention, Who

QUOTE = r"\\{0,7}[\"'`‘’“”]"
PLAIN_NAME = r"\w[\w.-]{0,63}"
_PLAIN = re.compile(PLAIN_NAME)
_PLAIN_GROUP = re.compile(r"[\w.()-]{1,90}")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
VM, ARC = "Microsoft.Compute/virtualMachines", "Microsoft.HybridCompute/machines"
_KINDS = {"virtualmachines": VM, VM.lower(): VM, "machines": ARC, ARC.lower(): ARC}

_STARTS = re.compile(r"(?<![\w-])(?:az(?=\s+[a-z])|[A-Za-z]{2,20}-Az[A-Za-z]{2,60}(?![\w-]))")
_WORD = re.compile(r"\"[^\"]{0,300}\"?|'[^']{0,300}'?|[^\s\"'|;]{1,300}|[|;]")
_GOES_ON = ("\\", "`", "^")
_PARTS_OF_A_VM = frozenset(
    {"application", "boot-diagnostics", "encryption", "identity", "run-command", "secret", "user"}
)
"""Groups below `az vm` whose commands call the machine `--name`; in the others that is an extension, an image, …."""
_VM_CMDLETS = re.compile(
    r"(?:get|update|set|new|remove|start|stop|restart|save|invoke)-azvm"
    r"(?:patchassessment|installpatch|runcommand|reimage|reapply|redeploy|size|guestpatch)?"
)
_SUBSCRIPTION = ("subscription", "subscriptionid", "subscriptionname")


@dataclass(frozen=True, slots=True)
class _Command:
    words: tuple[str, ...]
    """What stands before the first option."""
    options: dict[str, str]
    """Name in lower case, without hyphens → value; empty: it is a switch."""

    def first(self, *names: str) -> str:
        return next((self.options[name] for name in names if self.options.get(name)), "")


def is_name(text: str) -> bool:
    """Whether a text may be a machine's name; a variable or a placeholder is none."""
    return _PLAIN.fullmatch(text) is not None


def is_group(text: str) -> bool:
    """Whether a text may be a resource group's name."""
    return _PLAIN_GROUP.fullmatch(text) is not None


def commands(flat: FlatText) -> Iterator[Mention]:
    """Machines that commands of az and PowerShell name.

    Which subscription `az account set` or `Set-AzContext` chose is remembered for the commands behind it.

    Args:
        flat: the text. A command ends with its line, unless that ends in the shell's sign that it goes on.
    """
    chosen = ""
    for start, end, line in _lines(flat):
        found = _command(line)
        subscription = _chosen(found)
        if subscription is not None:
            chosen = subscription
            continue
        name, kind = _machine_of(found)
        if not is_name(name):
            continue
        group = found.first("resource-group", "g", "resourcegroupname", "resourcegroup")
        place = found.first(*_SUBSCRIPTION) or chosen
        yield Mention(start, end, named(name, group if is_group(group) else "", place, kind))


def named(name: str, group: str, subscription: str, kind: str = "") -> Who:
    """A machine by its id, where the parts make one, else by its name.

    Args:
        name: of the machine.
        group: its resource group; empty: not known.
        subscription: id or display name; empty: not known.
        kind: provider and type; empty: not known.
    """
    if kind and group and _GUID.fullmatch(subscription):
        try:
            return ResourceId.parse(f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}")
        except ResourceIdError:
            pass
    return MachineName(name, group, subscription)


def _lines(flat: FlatText) -> Iterator[tuple[int, int, str]]:
    """Start, end and text of each command, with the lines that continue it; what stands before it is a prompt."""
    last = len(flat.starts)
    number = 0
    while number < last:
        line = _line(flat, number)
        match = _STARTS.search(line)
        start, number = flat.starts[number], number + 1
        if match is None:
            continue
        parts = [line[match.start() :].rstrip()]
        while parts[-1].endswith(_GOES_ON) and number < last:
            parts[-1] = parts[-1][:-1]
            parts.append(_line(flat, number).rstrip())
            number += 1
        yield start + match.start(), flat.starts[number] if number < last else len(flat.text), " ".join(parts)


def _line(flat: FlatText, number: int) -> str:
    until = flat.starts[number + 1] if number + 1 < len(flat.starts) else len(flat.text)
    return flat.text[flat.starts[number] : until]


def _command(line: str) -> _Command:
    words: list[str] = []
    options: dict[str, str] = {}
    option = ""
    for match in _WORD.finditer(line):
        word = match[0]
        if word in {"|", ";"}:
            break
        if word.startswith("-") and len(word) > 1:
            bare = word.lstrip("-")
            name, equals, value = bare.partition("=" if word.startswith("--") else ":")
            option = "" if equals and value else name.lower()
            options.setdefault(name.lower(), value.strip("\"'"))
        elif option:
            options[option] = options[option] or word.strip("\"'")
            option = ""
        elif not options:
            words.append(word.strip("\"'"))
    return _Command(tuple(words), options)


def _chosen(command: _Command) -> str | None:
    """The subscription that a command chooses for those behind it; None: it chooses none."""
    words = tuple(word.lower() for word in command.words[:3])
    if words == ("az", "account", "set"):
        return command.first("subscription", "s", "name", "n")
    if words[:1] in {("set-azcontext",), ("select-azsubscription",), ("connect-azaccount",)}:
        return command.first(*_SUBSCRIPTION) or (command.words[1] if len(words) > 1 else "")
    return None


def _machine_of(command: _Command) -> tuple[str, str]:
    """Name and kind of the machine that a command is about; an empty name: about none."""
    words = [word.lower() for word in command.words]
    program, rest = words[0] if words else "", words[1:]
    of_resource = _of_resource(command)
    if program == "az":
        group = rest[:1]
        if group == ["vm"]:
            is_own = len(rest) == 2 or (len(rest) > 2 and rest[1] in _PARTS_OF_A_VM)
            return command.first("vm-name") or (command.first("name", "n") if is_own else ""), VM
        if group == ["connectedmachine"]:
            is_own = len(rest) == 2
            return command.first("machine-name") or (command.first("name", "n") if is_own else ""), ARC
        return of_resource if group in (["maintenance"], ["resource"]) else ("", "")
    if "azconnectedmachine" in program:
        is_own = program.endswith("-azconnectedmachine")
        return command.first("machinename") or (command.first("name") if is_own else ""), ARC
    if "-azvmss" in program:
        return "", ""
    if command.first("vmname"):
        return command.first("vmname"), VM
    if _VM_CMDLETS.fullmatch(program):
        return command.first("name"), VM
    return of_resource


def _of_resource(command: _Command) -> tuple[str, str]:
    """A resource that is named with its type."""
    kind = command.first("resource-type", "resourcetype")
    provider = command.first("provider-name", "providername", "namespace")
    whole = _KINDS.get(kind.lower(), "")
    if not whole or (provider and not whole.lower().startswith(f"{provider.lower()}/")):
        return "", ""
    own = command.first("resource-name", "resourcename")
    is_generic = command.words[:2] == ("az", "resource") or command.words[0].lower().endswith("-azresource")
    return own or (command.first("name", "n") if is_generic else ""), whole


_GROUP_BEHIND = (
    rf"(?:\s{{0,3}}[(/,]?\s{{0,3}}\(?(?:under\s{{1,3}}|in\s{{1,3}})?resource\s{{0,3}}group(?:\s{{0,3}}name)?:?\s{{0,3}}"
    rf"{QUOTE}(?P<group>[\w.()-]{{1,90}}){QUOTE})?"
)
_NO_NAMES = (
    "(?:in|of|is|was|are|and|or|the|with|from|has|name|names|state|status|size|type|image|agent|extension|extensions|"
    "scale|set|sets|instances|resource|resources|running|located)"
)
"""What stands behind the word machine in a sentence and is no machine's name."""
_NAMES = re.compile(
    rf"(?:\b(?:virtual\s*machine|vm|machine|server)(?:\s*name)?\s{{0,3}}[:=]?\s{{0,3}}(?:\(Name\s*)?"
    rf"{QUOTE}(?P<quoted>{PLAIN_NAME}){QUOTE}"
    rf"|\b(?:vm[-_ ]?name|virtual[-_ ]?machine[-_ ]?name|machine[-_ ]?name)(?:{QUOTE})?"
    rf"(?:\s{{0,3}}[:=]\s{{0,3}}(?:{QUOTE})?|(?<=-vm-name)\s+|(?<=-vmname)\s+)(?P<labelled>{PLAIN_NAME})(?![\w.-])"
    rf"|\bResource\s{{0,3}}{QUOTE}Microsoft\.(?:Compute/virtualMachines|HybridCompute/machines)/"
    rf"(?P<typed>{PLAIN_NAME}){QUOTE}){_GROUP_BEHIND}"
    # A name without quotation marks is one only where its group follows: `VM web-01 in resource group rg-app`.
    rf"|\b(?:virtual\s*machine|vm|machine|server)\s{{1,3}}(?!{_NO_NAMES}\b)(?P<bare>{PLAIN_NAME})\s{{0,3}}"
    rf"(?:[(,]|\bin\s)\s{{0,3}}(?:the\s{{1,3}})?resource\s{{0,3}}group(?:\s{{0,3}}name)?:?\s{{0,3}}(?:{QUOTE})?"
    r"(?P<place>\w[\w.()-]{0,89})",
    re.IGNORECASE,
)
"""Names of machines; an action such as `Microsoft.Compute/virtualMachines/write` is none."""
_KINDS_OF_NAMES = ("quoted", "labelled", "typed", "bare")


def names(flat: FlatText) -> Iterator[Mention]:
    """Machines that sentences and labels name."""
    for match in _NAMES.finditer(flat.text):
        kind = next(entry for entry in _KINDS_OF_NAMES if match[entry])
        start, end = match.span(kind)
        if kind != "quoted":
            end = next((entry.at for entry in flat.breaks_within(start, end)), end)
        name = flat.text[start:end].rstrip(".-")
        if name:
            yield Mention(start, end, MachineName(name, match["group"] or (match["place"] or "").rstrip(".-,)")))
