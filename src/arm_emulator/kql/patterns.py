"""What the parse operator does to one text.

A pattern is texts, columns and stars in turn. It must reach the end of the text; a column takes as little as it can up
to the next text. Where one column's value does not convert, all columns are null. Must not know columns of a row.

Source: Kusto documentation of the parse operator (simple, regex and relaxed kinds).
"""

import re
from collections.abc import Callable

from arm_emulator.kql import values
from arm_emulator.kql.conversions import FROM_DYNAMIC
from arm_emulator.kql.regexes import BadPatternError, compile_pattern
from arm_emulator.kql.syntax import Parse, ParsePart
from arm_emulator.kql.types import Type
from arm_emulator.kql.values import Value

# What a typed column takes in front of a `*`, where nothing else says where it ends.
_SHAPES = {
    Type.LONG: r"\s*[-+]?\d+",
    Type.INT: r"\s*[-+]?\d+",
    Type.REAL: r"\s*[-+]?(?:\d+(?:\.\d+)?|\.\d+)",
    Type.BOOL: r"(?:true|false|\d+)",
}
# Under `kind=regex` every typed column has a shape.
_REGEX_SHAPES = {
    Type.STRING: ".*",
    Type.DYNAMIC: ".*",
    Type.LONG: r"\s*[-+]?\d+",
    Type.INT: r"\s*[-+]?\d+",
    Type.REAL: r"\s*[-+]?\d+(?:\.\d+)?",
    Type.BOOL: r"(?:true|false)",
}

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
_PIECES = re.compile(r"\\.|\[\^?\]?[^\]]*\]|\(\?|(?P<quantifier>(?:[*+?]|\{\d+(?:,\d*)?\})\??)", re.DOTALL)


def reader(tree: Parse) -> Callable[[str], tuple[Value, ...] | None]:
    """Return the function from a text to the columns' values.

    Where the text does not fit: None for parse-where, else a null for each column. Raises `BadPatternError` for a regex
    pattern that cannot be carried out.
    """
    pattern = _pattern(tree)
    kinds = [part.type for part in tree.parts if part.name]
    blank = None if tree.only_matches else tuple("" if kind is Type.STRING else None for kind in kinds)
    relaxed = tree.mode == "relaxed"
    find = pattern.search if tree.mode == "regex" else pattern.fullmatch
    readers = [FROM_DYNAMIC.get(kind, values.parse_json) for kind in kinds]

    def read(text: str) -> tuple[Value, ...] | None:
        match = find(text)
        if match is None:
            return blank
        found = [read_one(match.group(f"v{number}")) for number, read_one in enumerate(readers)]
        if not relaxed and any(value is None for value in found):
            return blank
        return tuple(found)

    return read


def _pattern(tree: Parse) -> re.Pattern[str]:
    """Return the whole pattern: anchored at both ends, but under `kind=regex` at neither."""
    out: list[str] = []
    number = 0
    for index, part in enumerate(tree.parts):
        following = tree.parts[index + 1] if index + 1 < len(tree.parts) else None
        if part.text is not None:
            out.append(_text(tree, part.text))
        elif not part.name:
            out.append(".*?")
        else:
            out.append(f"(?P<v{number}>{_shape(tree, part, following)})")
            number += 1
    options = re.ASCII
    for flag, option in _FLAGS.items():
        options |= option if flag in tree.flags else 0
    try:
        return re.compile("".join(out), options)
    except re.error as error:
        raise BadPatternError(str(error)) from error


def _text(tree: Parse, text: str) -> str:
    if not text:
        raise BadPatternError("an empty text is not allowed in a parse pattern")
    if tree.mode != "regex":
        return re.escape(text)
    if "(?P<" in text or "(?<" in text:
        raise BadPatternError("named groups are not allowed in a parse pattern")
    if set(tree.flags) - set("imsU"):
        raise BadPatternError(f"the flags {tree.flags!r} are not known")
    pattern = compile_pattern(text).pattern
    return f"(?:{_turned(pattern) if 'U' in tree.flags else pattern})"


def _turned(pattern: str) -> str:
    """Make greedy quantifiers lazy and lazy ones greedy, which is RE2's flag `U`."""

    def turn(match: re.Match[str]) -> str:
        quantifier = match["quantifier"]
        if quantifier is None:
            return match.group()
        return quantifier[:-1] if quantifier.endswith("?") and len(quantifier) > 1 else f"{quantifier}?"

    return _PIECES.sub(turn, pattern)


def _shape(tree: Parse, part: ParsePart, following: ParsePart | None) -> str:
    """Return what a column takes; a text in front of a `*` has no end and is refused, as Kusto does (SEM0476)."""
    before_star = following is not None and following.text is None and not following.name
    if before_star and part.type in {Type.STRING, Type.DYNAMIC}:
        raise BadPatternError("'*' behind a string column is ambiguous")
    if tree.mode == "regex":
        if part.type not in _REGEX_SHAPES:
            raise BadPatternError(f"a {part.type} column is not supported under kind=regex")
        shape = _REGEX_SHAPES[part.type]
        return f"{shape}?" if shape == ".*" and "U" in tree.flags else shape
    if not before_star:
        return ".*?"
    if part.type not in _SHAPES:
        raise BadPatternError(f"a {part.type} column in front of '*' is not supported")
    return _SHAPES[part.type]
