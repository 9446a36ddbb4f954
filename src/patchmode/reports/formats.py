"""Every report format by its name on the command line.

Must not: hold a format; each has a module of its own, which is loaded when it is asked for.
"""

from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import PurePath

from patchmode.model.record import Record

SUFFIXES: Mapping[str, str] = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".xlsx": "xlsx",
    ".xml": "junit",
    ".sarif": "sarif",
    ".prom": "prometheus",
    ".csv": "csv",
    ".json": "json",
}
"""How a file's name ends → its format."""


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
            from patchmode.reports.html import html

            return (text.encode() for text in html(record))
        case "markdown":
            from patchmode.reports.markdown import markdown

            return (text.encode() for text in markdown(record))
        case "xlsx":
            from patchmode.reports.spreadsheet import spreadsheet

            return (spreadsheet(record),)
        case "junit":
            from patchmode.reports.junit import junit

            return (junit(record),)
        case "prometheus":
            from patchmode.reports.prometheus import prometheus

            return (text.encode() for text in prometheus(record))
        case "sarif":
            from patchmode.reports.sarif import sarif

            return _json(sarif(record))
        case "json":
            return _json(record.document)
        case "csv":
            return (_csv(record),)
    raise KeyError(form)


def _json(document: object) -> Iterable[bytes]:
    from patchmode.reports.machine_formats import indented

    yield from (text.encode() for text in indented(document))
    yield b"\n"


def _csv(record: Record) -> bytes:
    from patchmode.reports.machine_formats import write_csv

    stream = StringIO()
    write_csv((one.values for one in record.machines), [column.name for column in record.columns], stream)
    return stream.getvalue().encode()
