"""Every report format by its name on the command line, and the saved audit that a report can be made of."""

from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import PurePath
from typing import Any

import msgspec

from patchmode.documents.audit import AUDIT_FORMAT, AuditDocument
from patchmode.errors import RefusedError
from patchmode.model.record import Record

SUFFIXES: Mapping[str, str] = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".xlsx": "xlsx",
    ".xml": "junit",
    ".sarif": "sarif",
    ".prom": "prometheus",
    ".csv": "csv-excel",
    ".tsv": "tsv",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
}
"""How a file's name ends → its format. A CSV file is opened in Excel, which must be told that it is UTF-8."""


def format_of(name: str) -> str | None:
    """The format that a file's name asks for; None: it names none."""
    return SUFFIXES.get(PurePath(name).suffix.lower())


def pieces(record: Record, form: str) -> Iterable[bytes]:
    """A record in one format, piece by piece.

    Args:
        record: what to tell.
        form: a value of `SUFFIXES`.

    Raises:
        KeyError: there is no such format.
    """
    match form:
        case "html":
            from patchmode.reports.formats.html import html

            return (text.encode() for text in html(record))
        case "markdown":
            from patchmode.reports.formats.markdown import markdown

            return (text.encode() for text in markdown(record))
        case "xlsx":
            from patchmode.reports.formats.spreadsheet import spreadsheet

            return (spreadsheet(record),)
        case "junit":
            from patchmode.reports.formats.junit import junit

            return (junit(record),)
        case "prometheus":
            from patchmode.reports.formats.prometheus import prometheus

            return (text.encode() for text in prometheus(record))
        case "sarif":
            from patchmode.reports.formats.sarif import sarif

            return _json(sarif(record))
        case "json":
            return _json(record.document)
        case "csv" | "csv-excel" | "tsv" | "yaml":
            return (_plain(record, form),)
    raise KeyError(form)


def _json(document: object) -> Iterable[bytes]:
    from patchmode.reports.formats.structured import indented

    yield from (text.encode() for text in indented(document))
    yield b"\n"


def _plain(record: Record, form: str) -> bytes:
    from patchmode.reports.formats.az_forms import write_tsv, write_yaml
    from patchmode.reports.formats.structured import write_csv

    stream, columns = StringIO(), [column.name for column in record.columns]
    if form == "yaml":
        write_yaml(_values(record.document), stream)
    elif form == "tsv":
        write_tsv((_values(one.values) for one in record.machines), columns, stream)
    else:
        write_csv((one.values for one in record.machines), columns, stream, for_excel=form == "csv-excel")
    return stream.getvalue().encode()


def _values(document: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(document))


def read_audit(content: bytes, *, name: str) -> AuditDocument:
    """The audit in a document whose format says that it is one.

    Args:
        content: the whole file.
        name: how messages call it.

    Raises:
        RefusedError: it does not hold together, or holds members that this version does not know.
    """
    try:
        return msgspec.json.decode(content, type=AuditDocument)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(
            f"{name} is not valid {AUDIT_FORMAT}: {error}.",
            advice="Another version may have written it. Make it again with `patchmode audit -o json`.",
        ) from error
