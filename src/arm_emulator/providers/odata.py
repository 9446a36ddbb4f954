"""The ``$filter`` of resource lists: ``eq``, ``ne``, ``startswith``, ``substringof``, ``and``, ``or``.

What it does not understand is refused with 501 rather than ignored: a filter that is dropped lists too much.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from arm_emulator.protocol.http import ArmError
from arm_emulator.resource_id import parse_id

_COMPARISON = re.compile(r"^\(?\s*(?P<field>[\w./]+)\s+(?P<op>eq|ne)\s+'(?P<value>(?:[^']|'')*)'\s*\)?$", re.IGNORECASE)
_FUNCTION = re.compile(
    r"^\(?\s*(?:startswith\(\s*(?P<start>[\w.]+)\s*,\s*'(?P<prefix>(?:[^']|'')*)'\s*\)"
    r"|substringof\(\s*'(?P<part>(?:[^']|'')*)'\s*,\s*(?P<whole>[\w.]+)\s*\))\s*\)?$",
    re.IGNORECASE,
)
_WORD = re.compile(r"'(?:[^']|'')*'|\S+|\s+")

Test = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter: alternatives, each a list of tests that must all pass. No alternatives: everything passes."""

    alternatives: tuple[tuple[Test, ...], ...] = ()

    def fits(self, document: Mapping[str, Any]) -> bool:
        """Whether a resource document passes."""
        return not self.alternatives or any(all(test(document) for test in tests) for tests in self.alternatives)


def parse_filter(text: str) -> Filter:
    """The filter of a ``$filter`` value; ``''`` passes everything.

    Raises:
        ArmError: 501 NotEmulated for what is not understood.
    """
    if not text.strip():
        return Filter()
    alternatives = tuple(_tests(part) for part in _split(text, "or"))
    return Filter(alternatives)


def _tests(text: str) -> tuple[Test, ...]:
    clauses = _split(text, "and")
    tags: dict[str, str] = {}
    tests: list[Test] = []
    for clause in clauses:
        match = _COMPARISON.match(clause)
        if match and match["field"].lower() in ("tagname", "tagvalue") and match["op"].lower() == "eq":
            tags[match["field"].lower()] = _unquoted(match["value"])
        elif match:
            tests.append(_comparison(match))
        else:
            tests.append(_function(clause))
    return (*tests, _tag_test(tags)) if tags else tuple(tests)


def _split(text: str, word: str) -> list[str]:
    parts, current = [], ""
    for token in _WORD.findall(text):
        if token.lower() == word:
            parts.append(current.strip())
            current = ""
        else:
            current += token
    return [*parts, current.strip()]


def _comparison(match: re.Match[str]) -> Test:
    field, wanted = match["field"].lower(), _unquoted(match["value"]).lower()
    is_wanted = match["op"].lower() == "eq"
    read = _reader(field)
    return lambda document: (read(document).lower() == wanted) == is_wanted


def _function(clause: str) -> Test:
    match = _FUNCTION.match(clause)
    if match is None:
        raise ArmError(501, "NotEmulated", f"The emulator does not emulate the filter clause: {clause}")
    if match["start"]:
        read, prefix = _reader(match["start"].lower()), _unquoted(match["prefix"]).lower()
        return lambda document: read(document).lower().startswith(prefix)
    read, part = _reader(match["whole"].lower()), _unquoted(match["part"]).lower()
    return lambda document: part in read(document).lower()


def _reader(field: str) -> Callable[[Mapping[str, Any]], str]:
    readers: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "resourcetype": lambda document: str(document.get("type", "")),
        "name": lambda document: str(document.get("name", "")),
        "location": lambda document: str(document.get("location", "")),
        "resourcegroup": lambda document: parse_id(str(document.get("id", ""))).group,
        "resourceid": lambda document: str(document.get("id", "")),
        "identity/principalid": lambda document: str(document.get("identity", {}).get("principalId", "")),
    }
    if field not in readers:
        raise ArmError(501, "NotEmulated", f"The emulator does not emulate a filter on '{field}'.")
    return readers[field]


def _tag_test(tags: dict[str, str]) -> Test:
    name, value = tags.get("tagname", ""), tags.get("tagvalue")

    def test(document: Mapping[str, Any]) -> bool:
        held = {key.lower(): content for key, content in (document.get("tags") or {}).items()}
        return name.lower() in held and (value is None or held[name.lower()] == value)

    return test


def _unquoted(text: str) -> str:
    return text.replace("''", "'")
