"""The plain part of YAML that the ready-made definitions are written in, read without a library.

Mappings and lists by indentation of two, lists in brackets, plain and double-quoted scalars, comments on lines of their
own. Must not: guess; whatever else YAML knows is refused, so that a definition stays as plain as this.
"""

import json
import re
from typing import Any

_KEY = re.compile(r"(?P<key>[A-Za-z0-9_./-]+):(?: (?P<rest>.+))?")
_REFUSED = re.compile(r"[&*!|>%@`{]")


class NotPlainError(ValueError):
    """The text holds more of YAML than is read here."""


def load_all(text: str) -> list[Any]:
    """Every document of a file.

    Raises:
        NotPlainError: it holds what is not read here; the message names the line.
    """
    return [_document(part) for part in re.split(r"^---$", text, flags=re.MULTILINE)]


def _document(text: str) -> Any:
    lines: list[tuple[int, str]] = []
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if "\t" in line or line != line.rstrip():
            raise NotPlainError(f"white space: {line!r}")
        # `- key: …` is a list whose member begins on the same line.
        indent = len(line) - len(bare)
        while bare.startswith("- ") and _KEY.fullmatch(bare[2:]):
            lines.append((indent, "-"))
            indent, bare = indent + 2, bare[2:]
        lines.append((indent, bare))
    value, rest = _block(lines, 0)
    if rest:
        raise NotPlainError(f"not understood: {rest[0][1]!r}")
    return value


def _block(lines: list[tuple[int, str]], indent: int) -> tuple[Any, list[tuple[int, str]]]:
    if not lines or lines[0][0] != indent:
        raise NotPlainError(f"indentation of {lines[0][1]!r}" if lines else "an empty block")
    return _list(lines, indent) if lines[0][1].startswith("-") else _mapping(lines, indent)


def _list(lines: list[tuple[int, str]], indent: int) -> tuple[Any, list[tuple[int, str]]]:
    found = []
    while lines and lines[0][0] == indent and lines[0][1].startswith("-"):
        (_, text), lines = lines[0], lines[1:]
        if text == "-":
            value, lines = _block(lines, indent + 2)
        else:
            value = _scalar(text[2:])
        found.append(value)
    return found, lines


def _mapping(lines: list[tuple[int, str]], indent: int) -> tuple[Any, list[tuple[int, str]]]:
    found: dict[str, Any] = {}
    while lines and lines[0][0] == indent:
        (_, text), lines = lines[0], lines[1:]
        match = _KEY.fullmatch(text)
        if match is None or match["key"] in found:
            raise NotPlainError(f"no key, or one given twice: {text!r}")
        if match["rest"] is not None:
            found[match["key"]] = _scalar(match["rest"])
        else:
            found[match["key"]], lines = _block(lines, indent + 2)
    return found, lines


def _scalar(text: str) -> Any:
    if text.startswith(("[", '"')):
        return json.loads(text)
    if _REFUSED.match(text) or ": " in text or " #" in text:
        raise NotPlainError(f"more than a plain scalar: {text!r}")
    return json.loads(text) if re.fullmatch(r"-?\d+|true|false|null", text) else text
