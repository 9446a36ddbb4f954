"""One machine's JSON, line by line, with the patch settings marked. Must not: leave anything out of it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

MARKED = "patchSettings"
ALSO_MARKED = frozenset({"enableAutomaticUpdates", "provisionVMAgent", "allowExtensionOperations"})
"""What bears on patching beside the settings themselves."""


class Line(NamedTuple):
    """One line of JSON."""

    text: str
    is_marked: bool


def json_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """A document as JSON indented by two; every line of a `patchSettings` object is marked, wherever it stands."""
    yield from _lines(dict(document), "", "", marked=False)


def _lines(value: Any, indent: str, lead: str, *, marked: bool, tail: str = "") -> Iterator[Line]:
    if not isinstance(value, Mapping | list) or not value:
        yield Line(f"{indent}{lead}{json.dumps(value, ensure_ascii=False, default=str)}{tail}", marked)
        return
    is_object = isinstance(value, Mapping)
    opening, closing = "{}" if is_object else "[]"
    yield Line(f"{indent}{lead}{opening}", marked)
    members = list(value.items()) if isinstance(value, Mapping) else [(None, one) for one in value]
    for place, (name, member) in enumerate(members):
        told = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
        is_marked = marked or name == MARKED or name in ALSO_MARKED
        comma = "," if place + 1 < len(members) else ""
        yield from _lines(member, indent + "  ", told, marked=is_marked, tail=comma)
    yield Line(f"{indent}{closing}{tail}", marked)
