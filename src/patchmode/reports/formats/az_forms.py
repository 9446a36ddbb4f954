"""`-o tsv` and `-o yaml`, as az prints them: JSON values in, text out.

Must not: know the reports. What az leaves open is closed here: a tab or a line feed inside a value would make two of
it, so it is a blank in TSV.

Source: knack's `output.py`, the library that az prints with (github.com/microsoft/knack, read 30 Nov 2026).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

import msgspec

from patchmode.model.plain_text import json_escaped, marked

_BREAKS = re.compile(r"[\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")


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
    return marked(_BREAKS.sub(" ", str(value)))


def write_yaml(document: Any, stream: TextIO) -> None:
    """Write a document as YAML, in blocks, members in the document's order; what steers a terminal is escaped.

    Args:
        document: JSON values.
        stream: a text stream.
    """
    text = msgspec.yaml.encode(document).decode()
    if marked(text) != text:
        # Only texts between quotation marks have escapes, which are those of JSON, and the writer leaves some out.
        text = json_escaped(_dumped(document))
    stream.write(text)


def _dumped(document: Any) -> str:
    """As `msgspec.yaml` writes it, but for texts with what steers a terminal, which stand between quotation marks."""
    import yaml

    def of_text(dumper: Any, text: str) -> Any:
        style = None if marked(text) == text else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    own: Any = type("Dumper", (yaml.SafeDumper,), {})
    own.add_representer(str, of_text)
    # Wide, so that no line is folded within a text: its escapes would be in the way.
    text: str = yaml.dump(document, Dumper=own, allow_unicode=True, sort_keys=False, width=1 << 30)
    return text
