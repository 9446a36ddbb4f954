"""JSON, JSON lines and CSV of any report, and JMESPath over it.

Must not: know the reports; a document is what the published schema says, a row is one mapping.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TextIO

from patchmode.errors import UsageError
from patchmode.model.plain_text import json_escaped, marked

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that a spreadsheet would run. Source: OWASP, "CSV Injection"; the last four are full-width."""


def select(document: Any, expression: str) -> Any:
    """What a JMESPath expression selects from a document of JSON values.

    Raises:
        UsageError: the expression is wrong; the message points at the place.
    """
    import jmespath

    try:
        return jmespath.search(expression, document)
    except jmespath.exceptions.JMESPathError as error:
        reason = " ".join(str(error).split("\n")[0].split()).rstrip(".:")
        raise UsageError(
            f"--query {expression!r} is not JMESPath: {reason}.",
            advice="Quote it for your shell, for example 'machines[].id'.",
        ) from error


def check_expression(expression: str) -> None:
    """Refuse a JMESPath expression that cannot be read, before anything is done for it.

    Raises:
        UsageError: as `select`. A value of a type that a function does not take is found only when there is one.
    """
    from jmespath.exceptions import JMESPathTypeError

    try:
        select(None, expression)
    except UsageError as error:
        if not isinstance(error.__cause__, JMESPathTypeError):
            raise


def write_json(document: Any, stream: TextIO) -> None:
    """Write a document, indented by two; the rows of a report one by one, so that its text is never held as a whole."""
    stream.writelines(indented(document))
    stream.write("\n")


def indented(document: Any) -> Iterator[str]:
    """A document's text, indented by two, in pieces; empty values are `{}` and `[]`.

    Args:
        document: JSON values, or a struct that msgspec encodes.
    """
    members = _members_of(document)
    if not members:
        yield _laid_out(document, "")
        return
    mark = "{"
    for name, value in members:
        yield f"{mark}\n  {_laid_out(name, '')}: "
        if isinstance(value, list | tuple) and value:
            yield from _rows(value)
        else:
            yield _laid_out(value, "  ")
        mark = ","
    yield "\n}"


def _rows(values: Iterable[Any]) -> Iterator[str]:
    mark = "["
    for value in values:
        yield f"{mark}\n    {_laid_out(value, '    ')}"
        mark = ","
    yield "\n  ]"


def _laid_out(value: Any, margin: str) -> str:
    import msgspec

    text = json_escaped(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
    # A line feed inside a text is escaped, so that these are all between members.
    return text.replace("\n", f"\n{margin}") if margin else text


def _members_of(document: Any) -> list[tuple[str, Any]] | None:
    """What an object holds, in order; None: it is no object, or one that only msgspec knows how to write."""
    import msgspec

    if isinstance(document, dict):
        return list(document.items()) if all(type(name) is str for name in document) else None
    if not isinstance(document, msgspec.Struct):
        return None
    config = document.__struct_config__
    if config.array_like or config.tag is not None or config.omit_defaults:
        return None
    names = zip(document.__struct_encode_fields__, document.__struct_fields__, strict=True)
    held = [(shown, getattr(document, name)) for shown, name in names]
    return [(shown, value) for shown, value in held if value is not msgspec.UNSET]


def write_jsonl(rows: Iterable[Any], stream: TextIO) -> None:
    """Write one compact JSON value a line."""
    import msgspec

    encoder = msgspec.json.Encoder()
    for row in rows:
        stream.write(json_escaped(encoder.encode(row).decode()))
        stream.write("\n")


def write_csv(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], stream: TextIO, *, for_excel: bool = False
) -> None:
    r"""Write rows with a heading line; cells that a spreadsheet would run as a formula begin with an apostrophe.

    CSV has no escapes, and is shown by terminals and spreadsheets alike: what would steer them is shown as a mark
    (`\x1b`). Where a cell is JSON, and in the formats that are JSON, such a character can be had back.

    Args:
        rows: members that are not in `columns` are left out, missing ones are empty.
        columns: headings and members, in order.
        stream: opened so that it does not translate line feeds, or a plain text stream.
        for_excel: begin with the mark by which Excel knows UTF-8; a program that reads the first heading would have
            it there.
    """
    if for_excel:
        stream.write("\ufeff")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_guarded(column) for column in columns])
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    text = cell_text(value)
    # Numbers and JSON are no formulas; a number's minus must stay a minus.
    return _guarded(text) if isinstance(value, str | list | tuple) else text


def cell_text(value: Any) -> str:
    """One JSON value as a table's cell: JSON again, but for what reads better plain.

    Args:
        value: None gives no text, a text itself, a list of texts its entries, a list of reasons their rules, a list of
            schedules their names and next windows.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        entries = [_short(entry) if isinstance(entry, Mapping) else entry for entry in value]
        texts = [entry for entry in entries if isinstance(entry, str)]
        if len(texts) == len(entries):
            return "; ".join(texts)
    import msgspec

    return json_escaped(msgspec.json.encode(value).decode())


def _short(entry: Mapping[str, Any]) -> str | None:
    """A reason by its rule, a schedule by its name and its next window; None: any other object."""
    if "rule" in entry or "via" not in entry:
        return entry.get("rule")
    return f"{entry.get('name')} {entry.get('nextWindow') or entry.get('timing')}"


def _guarded(text: str) -> str:
    # A carriage return by itself ends a line for some readers, quoted or not: it is one of what is marked.
    return f"'{marked(text)}" if needs_guard(text) else marked(text)


def needs_guard(text: str) -> bool:
    """Whether a spreadsheet could take a text for a formula, also behind white space that some strip away.

    A text that begins with an apostrophe counts too: so that whoever takes one apostrophe off again gets back what
    stood there, whatever it was.
    """
    return text.startswith(("'", *_FORMULA)) or text.lstrip().startswith(_FORMULA)
