"""What the parse operator does to one text.

A pattern is texts, columns and stars in turn. A column takes as little as it can up to the next text, everything at the
end; a column of another type than string takes a value of that type. Must not know columns of a row.

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

_SHAPES = {
    Type.LONG: r"\s*[+-]?\d+\s*",
    Type.INT: r"\s*[+-]?\d+\s*",
    Type.REAL: r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*",
    Type.BOOL: r"\s*(?:true|false|0|1)\s*",
}


def reader(tree: Parse) -> Callable[[str], tuple[Value, ...] | None]:
    """Return the function from a text to the columns' values.

    Where the text does not fit: None for parse-where, else a null for each column. Raises `BadPatternError` for a regex
    pattern that cannot be carried out.
    """
    pattern = _pattern(tree)
    kinds = [part.type for part in tree.parts if part.name]
    blank = None if tree.only_matches else tuple("" if kind is Type.STRING else None for kind in kinds)
    relaxed = tree.mode == "relaxed"
    readers = [FROM_DYNAMIC.get(kind, values.parse_json) for kind in kinds]

    def read(text: str) -> tuple[Value, ...] | None:
        match = pattern.fullmatch(text)
        if match is None:
            return blank
        found = [read_one(match.group(f"v{number}")) for number, read_one in enumerate(readers)]
        if not relaxed and any(value is None for value in found):
            return blank
        return tuple(found)

    return read


def _pattern(tree: Parse) -> re.Pattern[str]:
    out: list[str] = []
    number = 0
    parts = tree.parts
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part.text is not None:
            out.append(_text(tree, part.text))
        elif not part.name:
            out.append("(?s:.*)" if last else "(?s:.*?)")
        else:
            out.append(f"(?P<v{number}>{_shape(tree, part, last=last)})")
            number += 1
    if parts[0].text is not None and tree.mode == "regex":
        out.insert(0, "")
    options = re.IGNORECASE if "i" in tree.flags else 0
    try:
        return re.compile("".join(out), re.ASCII | options)
    except re.error as error:
        raise BadPatternError(str(error)) from error


def _text(tree: Parse, text: str) -> str:
    if tree.mode != "regex":
        return re.escape(text)
    if "(?P<" in text or "(?<" in text:
        raise BadPatternError("named groups cannot stand in a parse pattern")
    if set(tree.flags) - {"i"}:
        raise BadPatternError(f"the flags {tree.flags!r} are not supported")
    return f"(?:{compile_pattern(text).pattern})"


def _shape(tree: Parse, part: ParsePart, *, last: bool) -> str:
    if part.type in _SHAPES and tree.mode == "simple":
        return _SHAPES[part.type]
    return "(?s:.*)" if last else "(?s:.*?)"
