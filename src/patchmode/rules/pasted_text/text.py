"""Pasted text made readable, and the errors in it with the machine that each belongs to."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from unicodedata import normalize

from patchmode.model.resource_id import ResourceId
from patchmode.model.scope import LoggedError, MachineName

Who = ResourceId | MachineName
"""A machine, by its id or by its name."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
"""Escape sequences of ECMA-48: colours, cursor moves, titles and links."""
_INVISIBLE = dict.fromkeys([0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF])
"""Soft hyphen, zero-width letters, direction marks: web pages put them where a long word may be broken."""
_DRAWN = re.compile(r"[ \t]*(?:[│┃╎╷╵|>]+ ?)*")
"""What is drawn in front of a line: Terraform's frame, PowerShell's bar, the quotation mark of a mail."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place where one line ended and the next began without anything between them."""

    at: int
    """Offset in the flat text."""
    width: int
    """Letters of the line that ended, its frame included: a terminal breaks all long lines at the same width."""
    indent: int
    """Blanks that the next line began with, after what is drawn in front of it."""


@dataclass(frozen=True, slots=True)
class FlatText:
    """A text whose lines follow one another without a line feed; only an empty line leaves one."""

    text: str
    breaks: tuple[Break, ...]
    """In order. A line that ended in a blank is followed by one blank and no break."""
    starts: tuple[int, ...]
    """Offset at which each line that is not empty begins, in order."""

    def breaks_within(self, start: int, end: int) -> tuple[Break, ...]:
        """Breaks strictly between two offsets."""
        first = bisect_right(self.breaks, start, key=_at)
        return self.breaks[first : bisect_left(self.breaks, end, key=_at)]

    def is_break(self, offset: int) -> bool:
        """Whether a line begins at an offset."""
        index = bisect_left(self.starts, offset)
        return index < len(self.starts) and self.starts[index] == offset

    def line_of(self, offset: int) -> int:
        """Number of the line that holds an offset."""
        return bisect_right(self.starts, offset)


def _at(entry: Break) -> int:
    return entry.at


def plain(text: str) -> str:
    """A text without colours and invisible letters, each letter in its composed form."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return text if text.isascii() else normalize("NFC", text.translate(_INVISIBLE))


def flatten(text: str) -> FlatText:
    """Put a text's broken lines together; linear in its length.

    Args:
        text: as pasted, any line ends, any length; empty gives an empty text.
    """
    lines = plain(text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    parts: list[str] = []
    breaks: list[Break] = []
    starts: list[int] = []
    length = 0
    before: int | None = None  # width of the line before, when nothing stands between it and this one
    for line in lines:
        drawn = _DRAWN.match(line)
        body = line[drawn.end() if drawn else 0 :]
        content = body.strip(" \t")
        if not content:
            parts.append("\n")
            length += 1
            before = None
            continue
        if before is not None:
            breaks.append(Break(length, before, len(body) - len(body.lstrip(" \t")) + _blanks(line)))
        starts.append(length)
        trailing = " " if body[-1] in " \t" else ""
        parts.append(content + trailing)
        length += len(content) + len(trailing)
        before = None if trailing else len(line)
    return FlatText("".join(parts), tuple(breaks), tuple(starts))


def _blanks(line: str) -> int:
    """Blanks at the very beginning of a line that has no frame."""
    return 0 if line.lstrip(" \t")[:1] in set("│┃╎╷╵|>") else len(line) - len(line.lstrip(" \t"))


PREREQUISITE_SENTENCE = (
    "The prerequisites to patch your machine were not met. Please set the patchMode to AutomaticByPlatform and "
    "bypassPlatformChecksOnUserSchedule as true."
)
"""As Azure words it (terraform-provider-azurerm#22487)."""
PREREQUISITE = re.compile(
    r"Patch\s*orchestration\s*mode\s*is\s*not\s*set\s*to\s*AutomaticByPlatform"
    r"|prerequisites\s*to\s*patch\s*your\s*machine\s*were\s*not\s*met",
    re.IGNORECASE,
)
_QUOTED_CODE = r"\\{0,7}[\"'](?i:error)?[Cc]ode\\{0,7}[\"']\s{0,9}:\s{0,9}\\{0,7}[\"'](?P<json>[A-Z]\w{3,79})"
_CODE = re.compile(
    rf"{_QUOTED_CODE}"
    r"|\b(?:Error\s{0,3})?Code\s{0,3}[=:]\s{0,3}\\{0,7}[\"']?(?P<label>[A-Z]\w{3,79})"
    r"|\((?!\w{1,80}Client\))(?P<az>Conflict|Forbidden|[A-Z][a-z]+(?:[A-Z][a-z]+)+)\)"
    r"|\bwith\s{0,3}error:\s{0,3}(?P<terraform>[A-Z][A-Za-z]{3,79}):"
)
NO_ERRORS = frozenset(
    {
        "accepted",
        "automaticbyos",
        "automaticbyplatform",
        "completed",
        "created",
        "false",
        "ifrequired",
        "imagedefault",
        "inprogress",
        "none",
        "null",
        "running",
        "succeeded",
        "success",
    }
)
"""Words that stand where a code may stand and report no error, in lower case: states, and patch settings."""
_SUCCESS = re.compile(r"\b(?:Succeeded|succeeded|Success)\b")
_WORDS_OF_SUCCESS = (
    "succeeded success completed ok erfolgreich réussi correcto riuscito geslaagd başarılı başarıldı êxito "
    "успешно 成功 성공 lyckades powodzenie úspěch sikeres"
)
_WORDS_OF_FAILURE = (
    "failed failure error canceled cancelled fehler fehlgeschlagen échec échoué incorrecto errore mislukt "
    "başarısız falha falhou ошибка 失敗 失败 실패 misslyckades niepowodzenie selhalo sikertelen"
)
_SUCCESSES, _FAILURES = frozenset(_WORDS_OF_SUCCESS.split()), frozenset(_WORDS_OF_FAILURE.split())
"""The portal speaks its user's language. A word that is left out here only means that nothing is said of the entry."""
_ONE_ERROR = 400
"""Letters between a code and its sentence, at most."""


@dataclass(frozen=True, slots=True, order=True)
class Mention:
    """One place where a machine is named."""

    start: int
    end: int
    id: Who = field(compare=False)
    or_else: ResourceId | None = field(default=None, compare=False)
    """What is named if the break right behind it belongs to no line end."""


Finder = Callable[[str], Iterable[Mention]]
"""The machines that one text names."""


@dataclass(slots=True)
class Findings:
    """The machines that one part of a text names, and what it tells of them."""

    mentions: list[Mention] = field(default_factory=list)
    told: dict[Who, LoggedError] = field(default_factory=dict)
    succeeded: set[Who] = field(default_factory=set)
    cut_short: list[str] = field(default_factory=list)
    not_understood: list[str] = field(default_factory=list)
    """Entries of a list or a table that name no machine, in words."""
    error: LoggedError | None = None
    """What no machine of this part was given, because it names none."""


@dataclass(frozen=True, slots=True)
class _Error:
    start: int
    end: int
    error: LoggedError


def errors_of(flat: FlatText, mentions: Sequence[Mention]) -> dict[Who, LoggedError]:
    """The error that stands with each machine: on its line, else nearest in its paragraph.

    Args:
        flat: the text.
        mentions: every place where a machine is named, in order.

    Returns:
        Only machines that an error stands with; of several the prerequisite's, else the first.
    """
    told: dict[Who, LoggedError] = {}
    if not mentions:
        return told
    alone = len({mention.id for mention in mentions}) == 1
    by_line = _by_line(flat, mentions)
    starts = [mention.start for mention in mentions]
    for found in _errors(flat.text, starts):
        lines = range(flat.line_of(found.start), flat.line_of(found.end - 1) + 1)
        owners = list(dict.fromkeys(machine_id for line in lines for machine_id in by_line.get(line, ())))
        if not owners:
            nearest = _nearest(flat.text, mentions, starts, found, alone=alone)
            owners = [] if nearest is None else [nearest]
        for machine_id in owners:
            known = told.get(machine_id)
            if known is None or (found.error.is_prerequisite and not known.is_prerequisite):
                told[machine_id] = found.error
    return told


def successes_of(flat: FlatText, mentions: Sequence[Mention]) -> set[Who]:
    """The machines on whose lines a success is reported.

    Args:
        flat: the text.
        mentions: every place where a machine is named, in order.
    """
    by_line = _by_line(flat, mentions)
    lines = {flat.line_of(match.start()) for match in _SUCCESS.finditer(flat.text)} if by_line else set()
    return {machine for line in lines for machine in by_line.get(line, ())}


def is_success(text: str) -> bool:
    """Whether a state is a success, as Azure and its portal word it."""
    return text.strip().casefold() in _SUCCESSES


def is_failure(text: str) -> bool:
    """Whether a state is a failure, as Azure and its portal word it."""
    return text.strip().casefold() in _FAILURES


def code_in(text: str) -> str:
    """The first error code in a text; empty where there is none."""
    return next((code for _, _, code in _codes(text)), "")


def error_in(text: str) -> LoggedError | None:
    """The error that a short text tells of: its first code, and whether the prerequisite's sentence stands in it."""
    code = code_in(text)
    if PREREQUISITE.search(text):
        return LoggedError(code, PREREQUISITE_SENTENCE, is_prerequisite=True)
    return LoggedError(code) if code else None


def _codes(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _CODE.finditer(text):
        code = match[match.lastgroup or 0]
        if code.casefold() not in NO_ERRORS:
            yield match.start(), match.end(), code


def _errors(text: str, mentions: Sequence[int]) -> Iterator[_Error]:
    """Codes and sentences in order; a code and the sentence that follows it are one error."""
    found = [_Error(start, end, LoggedError(code)) for start, end, code in _codes(text)]
    sentence = LoggedError("", PREREQUISITE_SENTENCE, is_prerequisite=True)
    found += [_Error(match.start(), match.end(), sentence) for match in PREREQUISITE.finditer(text)]
    found.sort(key=lambda entry: entry.start)
    last: _Error | None = None
    for entry in found:
        if last is not None and entry.start - last.end <= _ONE_ERROR and entry.error.is_prerequisite:
            between = bisect_left(mentions, entry.start) - bisect_left(mentions, last.end)
            if between == 0:
                error = replace(entry.error, code=last.error.code)
                last = _Error(last.start, entry.end, error)
                continue
        if last is not None:
            yield last
        last = entry
    if last is not None:
        yield last


def _by_line(flat: FlatText, mentions: Sequence[Mention]) -> dict[int, list[Who]]:
    by_line: dict[int, list[Who]] = {}
    for mention in mentions:
        for line in range(flat.line_of(mention.start), flat.line_of(mention.end - 1) + 1):
            by_line.setdefault(line, []).append(mention.id)
    return by_line


def _nearest(
    text: str, mentions: Sequence[Mention], starts: Sequence[int], found: _Error, *, alone: bool
) -> Who | None:
    index = bisect_left(starts, found.start)
    around = []
    if index:
        around.append((found.start - mentions[index - 1].end, mentions[index - 1].end, found.start, index - 1))
    if index < len(mentions):
        around.append((mentions[index].start - found.end, found.end, mentions[index].start, index))
    near = [(gap, number) for gap, start, end, number in around if alone or "\n" not in text[start:end]]
    return mentions[min(near)[1]].id if near else None
