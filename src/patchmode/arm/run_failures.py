"""Why a scheduled run failed on a machine, read from whatever its record holds.

Must not: depend on where in the record a reason stands. What Resource Graph keeps of an error is not documented: it may
be an object, a text, JSON inside a text, or nothing.

Source of the phrases: the refusal of an attach (recorded in public threads; it names the flag without `Safety`, which
is no property), Microsoft's "Troubleshoot issues with Azure Update Manager", "Troubleshoot maintenance configurations"
and "Manage pre and post maintenance events".
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from patchmode.arm.wire import decode
from patchmode.model.schedule import FailureKind

PHRASES: tuple[tuple[FailureKind, tuple[str, ...]], ...] = (
    (
        FailureKind.PREREQUISITE,
        (
            r"patch orchestration mode is not set to automaticbyplatform",
            r"bypassplatform(safety)?checksonuserschedule",
            r"\bprerequisites?\b",
        ),
    ),
    (FailureKind.OFF, (r"shutdown\s*or\s*unresponsive",)),
    (FailureKind.WINDOW_EXCEEDED, (r"maintenance\s*window\s*exceeded",)),
    (FailureKind.CANCELLED, (r"\bmaintenance cancell?ed\b", r"^cancell?ed$")),
    (FailureKind.TIMED_OUT, (r"timed?[\s-]?out",)),
    (FailureKind.UNSUPPORTED, (r"\bunsupported(?!resourceoperation)", r"\bnot supported\b")),
)
"""The first kind of which one expression is found decides. A prerequisite goes first: its code is
`UnsupportedResourceOperation`, and its text may stand among others."""

_SEARCHES = tuple((kind, re.compile("|".join(phrases), re.IGNORECASE)) for kind, phrases in PHRASES)
_TELLING = re.compile(r"error|message|detail|code|status|reason|exceeded", re.IGNORECASE)
_SILENT = frozenset({"", "success", "succeeded", "failed", "failure"})
"""Texts that give no reason. A result without errors is recorded as code `Success`, `0 error/s reported`."""
_ENDED_WELL = frozenset({"succeeded", "completed", "completedwithwarnings"})
_NOT_ENDED = frozenset({"", "inprogress", "pending", "notstarted", "retrynow", "retrylater", "unknown"})
_DEPTH = 12


def failure_of(status: str, bag: object) -> FailureKind | None:
    """Classify a run on one machine.

    Args:
        status: as Azure words it.
        bag: the record's whole `properties`.

    Returns:
        None: it did not fail, or it has not ended. A run that gives no status is a failure only where a reason stands.
    """
    word = status.strip().casefold()
    if word in _ENDED_WELL or (word and word in _NOT_ENDED):
        return None
    told = list(_strings(bag))
    kind = _kind_in([status, *(text for text, is_telling in told if is_telling)])
    kind = kind or _kind_in([text for text, _ in told])
    if kind is not None or not word:
        return kind
    return FailureKind.OTHER if reasons_in(bag) or word != "failed" else FailureKind.NOT_TOLD


def _kind_in(texts: list[str]) -> FailureKind | None:
    return next((kind for kind, search in _SEARCHES if any(map(search.search, texts))), None)


def reasons_in(bag: object) -> str:
    """The text of a record's errors, as recorded.

    Args:
        bag: the record's whole `properties`.

    Returns:
        Every message once, outermost first; the codes where there is no message; empty where there is neither.
    """
    errors = list(_errors(bag))
    if any(str(node.get("code", "")).casefold() == "success" for node in errors):
        return ""
    for name in ("message", "code"):
        texts = [text for node in errors if isinstance(text := node.get(name), str)]
        wanted = [text.strip() for text in texts if text.strip().casefold() not in _SILENT]
        if wanted:
            return " ".join(dict.fromkeys(wanted))
    return ""


def _errors(bag: object, *, is_error: bool = False, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The error objects of a record, their members' names in lower case; a plain text counts as a message."""
    bag = _unwrapped(bag)
    if depth > _DEPTH:
        return
    if isinstance(bag, list):
        for entry in bag:
            yield from _errors(entry, is_error=is_error, depth=depth + 1)
    elif isinstance(bag, Mapping):
        if is_error:
            yield {name.casefold(): value for name, value in bag.items()}
        for name, value in bag.items():
            lowered = name.casefold()
            if "error" in lowered or (is_error and lowered in ("details", "innererror")):
                yield from _errors(value, is_error="count" not in lowered, depth=depth + 1)
    elif is_error and isinstance(bag, str):
        yield {"message": bag}


def _strings(bag: object, *, is_telling: bool = False, depth: int = 0) -> Iterator[tuple[str, bool]]:
    """Every text in a record, and whether it stands where reasons do.

    Ids and names are left out: a configuration may be called `prerequisites`. Of a flag that is true its name counts,
    as in `maintenanceWindowExceeded`.
    """
    bag = _unwrapped(bag)
    if depth > _DEPTH:
        return
    if isinstance(bag, str):
        if not bag.startswith("/"):
            yield bag, is_telling
    elif isinstance(bag, list):
        for entry in bag:
            yield from _strings(entry, is_telling=is_telling, depth=depth + 1)
    elif isinstance(bag, Mapping):
        for name, value in bag.items():
            if value is True or (isinstance(value, str) and value.casefold() == "true"):
                yield name, True
            elif not re.search(r"^id$|Id$|^name$|Name$", name) and name != "maintenanceConfiguration":
                found = is_telling or _TELLING.search(name) is not None
                yield from _strings(value, is_telling=found, depth=depth + 1)


def _unwrapped(value: object) -> object:
    """JSON inside a text, as services nest it; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return decode(value.encode())
    except ValueError:
        return value
