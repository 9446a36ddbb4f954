"""`-o tsv` and `-o yaml`, as az prints them: JSON values in, text out.

Must not: know the reports. What az leaves open is closed here: a tab or a line feed inside a value would make two of
it, so it is a blank in TSV.

Source: knack's `output.py`, the library that az prints with (github.com/microsoft/knack, read 30 Nov 2026).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

_BREAKS = re.compile(r"[\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_PLAIN = re.compile(r"[A-Za-z/](?:[\w./()-]| (?=[\w(/]))*", re.ASCII)
_RESERVED = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def write_tsv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], stream: TextIO) -> None:
    """Write rows as values between tabs, without a heading.

    Args:
        rows: JSON values by name; one that is missing is null.
        columns: which, in order.
        stream: a text stream.
    """
    stream.writelines("\t".join(_cell(row.get(column)) for column in columns) + "\n" for row in rows)


def write_selected_tsv(chosen: Any, stream: TextIO) -> None:
    """Write what a query selected: a line for each entry of a list, or one; nothing where it selected nothing.

    Args:
        chosen: JSON values; an object's members stay in the order of the query.
        stream: a text stream.
    """
    if chosen is None:
        return
    for entry in chosen if isinstance(chosen, list) else [chosen]:
        if isinstance(entry, Mapping | list):
            values = entry.values() if isinstance(entry, Mapping) else entry
            stream.write("\t".join(map(_cell, values)) + "\n")
        else:
            # By itself a boolean is as in JSON; in a row it is as Python writes it.
            stream.write(f"{str(entry).lower() if isinstance(entry, bool) else _cell(entry)}\n")


def _cell(value: Any) -> str:
    """One value in a row: null is `None`, a boolean `True` or `False`, a list its length, an object nothing."""
    if isinstance(value, list | tuple):
        return str(len(value))
    if isinstance(value, Mapping):
        return ""
    return _BREAKS.sub(" ", str(value))


def write_yaml(document: Any, stream: TextIO) -> None:
    """Write a document as YAML, in blocks, members in the document's order.

    Args:
        document: JSON values.
        stream: a text stream.
    """
    if _is_block(document):
        stream.writelines(f"{line}\n" for line in _block(document, ""))
    else:
        stream.write(f"{_scalar(document)}\n")


def _is_block(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple) and bool(value)


def _block(value: Any, margin: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            if _is_block(entry):
                yield f"{margin}{_text(name)}:"
                yield from _block(entry, f"{margin}  " if isinstance(entry, Mapping) else margin)
            else:
                yield f"{margin}{_text(name)}: {_scalar(entry)}"
        return
    for entry in value:
        if _is_block(entry):
            lines = _block(entry, f"{margin}  ")
            yield f"{margin}- {next(lines)[len(margin) + 2 :]}"
            yield from lines
        else:
            yield f"{margin}- {_scalar(entry)}"


def _scalar(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        # YAML 1.1 knows an exponent only behind a point.
        text = repr(value)
        return text if "e" not in text or "." in text else text.replace("e", ".0e")
    return str(value) if isinstance(value, int) else _text(value)


def _text(text: str) -> str:
    """A text, in quotation marks where some reader of YAML could take it for anything else."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _RESERVED:
        return text
    return '"' + "".join(map(_letter, text)) + '"'


def _letter(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable() and letter != "\ufeff":
        return letter
    number = ord(letter)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
