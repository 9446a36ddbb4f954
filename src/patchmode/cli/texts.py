"""Files and pasted text that name machines, read and told before anything is asked of Azure."""

import codecs
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from patchmode.cli.settings import settings_of
from patchmode.errors import UsageError
from patchmode.model.scope import IdFile, LogReading

_SAMPLE = 4096
"""Bytes of a file that are looked at to tell its encoding."""
_SHOWN = 3
_LISTS = ("value", "data", "machines")
"""Where the answers of Resource Manager and Resource Graph, and an audit of patchmode, list what they are about."""
_LONGEST_SHOWN = 60


def texts_of(ids_files: Sequence[str], logs: Sequence[str]) -> tuple[tuple[IdFile, ...], tuple[LogReading, ...]]:
    """Read the files of `--ids-file` and `--from-log`, and tell what the texts say of their machines.

    Args:
        ids_files: names; `-` is standard input.
        logs: as well.

    Returns:
        Files of resource ids, as they are written, and readings: of texts, and of lists and tables that hold names.

    Raises:
        UsageError: a file cannot be read, or names no machine; or standard input is to be read twice.
    """
    if [*ids_files, *logs].count("-") > 1:
        raise UsageError(
            "Standard input can be read only once.", advice="Give - once, and a file for each of the others."
        )
    files: list[IdFile] = []
    readings: list[LogReading] = []
    for name in ids_files:
        found = _ids_in(name)
        if isinstance(found, LogReading):
            readings.append(found)
        else:
            files.append(IdFile(name, tuple(found)))
    readings += map(_log_in, logs)
    for reading in readings:
        _tell(reading)
    return tuple(files), tuple(readings)


def _tell(reading: LogReading) -> None:
    from patchmode.cli.output import say
    from patchmode.reports.text.readings import reading_lines

    settings = settings_of(click.get_current_context())
    for line in reading_lines(reading, source=_called(reading.source)):
        say(line, settings)


def _called(name: str) -> str:
    return "standard input" if name == "-" else name


def _log_in(name: str) -> LogReading:
    from patchmode.rules.pasted_text.reading import read_log
    from patchmode.rules.pasted_text.tables import unknown_headings

    text = decoded(_bytes_of(name))
    reading = read_log(text, source=name)
    if reading.names_nothing and not reading.deployments:
        raise _names_nothing(reading, _called(name), unknown_headings(text))
    return reading


def _names_nothing(reading: LogReading, source: str, headings: Sequence[str]) -> UsageError:
    """Why a text is of no use, and what finds the machines: a schedule's failure is known to Azure, too."""
    from patchmode.rules.pasted_text.reading import LOOKED_FOR

    count = len(reading.cut_short)
    cut = (" 1 name in it is cut short." if count == 1 else f" {count:,} names in it are cut short.") if count else ""
    odd = f" Not understood: {'; '.join(reading.not_understood[:_SHOWN])}." if reading.not_understood else ""
    if not reading.is_prerequisite and headings:
        shown = ", ".join(map(repr, headings[:_SHOWN]))
        return UsageError(
            f"{source} is a table, and no heading of it is known to hold names of machines: {shown}.",
            advice="Call the columns id, or name, resource group and subscription, in its first line.",
        )
    if not reading.is_prerequisite:
        return UsageError(
            f"{source} names no machine.{cut}{odd} Looked for: {LOOKED_FOR}.",
            advice="Paste the whole error or log, or name the machines with --ids.",
        )
    commands = [
        ("patchmode plan --failed-since 7d --out fix.json", "Machines whose last scheduled run failed for this reason"),
        ("patchmode schedule failures --since 7d", "The failed runs, with the machines of each"),
    ]
    commands += [
        (f"patchmode schedule show '{schedule}'", f"The members of {schedule.name}")
        for schedule in reading.schedules[:_SHOWN]
    ]
    if not reading.schedules:
        told = "The schedules; `patchmode schedule show` and the name of one shows its members"
        commands.append(("patchmode schedule list", told))
    commands.append(("patchmode audit --all", "Every machine, and whether its schedule will work"))
    listed = "\n".join(f"{told}:\n    {command}" for command, told in commands)
    return UsageError(
        f"{source} names no machine.{cut}{odd} It is the error of Azure Update Manager that the prerequisites to patch "
        "a machine are not met; the error's own text does not say which machine.",
        advice=f"Find the machines with one of these commands.\n{listed}",
    )


def decoded(content: bytes) -> str:
    """The text of a file of unknown make: UTF-8, or UTF-16 as PowerShell's `>` writes it.

    What is no text in its encoding is replaced and not refused: ids are ASCII, and one odd letter must not hide them.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    if b"\x00" in content[:_SAMPLE]:
        # No text in UTF-8 holds zeros; in UTF-16 every second byte of ASCII is one, the first or the second.
        return content.decode("utf-16-be" if content[:1] == b"\x00" else "utf-16-le", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def _bytes_of(name: str) -> bytes:
    try:
        if name != "-":
            return _checked(Path(name).read_bytes(), name)
        if sys.stdin.isatty():
            end = "Ctrl-Z and Enter" if os.name == "nt" else "Ctrl-D"
            click.echo(f"Reading standard input: paste the text, then press Enter and {end} to end it.", err=True)
        return _checked(sys.stdin.buffer.read(), _called(name))
    except OSError as error:
        from patchmode.store.files import meant

        raise UsageError(
            f"{name} could not be read: {error.strerror}.",
            advice=f"{meant(Path(name))}Check the path, and that you may read the file.",
        ) from error


_WORKBOOKS = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""How a zip archive begins, which an `.xlsx` is, and a compound file, which an `.xls` is."""


def _checked(content: bytes, source: str) -> bytes:
    """The content of a file that may be text.

    Raises:
        UsageError: it is an Excel workbook, or an archive.
    """
    if not content.startswith(_WORKBOOKS):
        return content
    if b"xl/" in content or Path(source).suffix.casefold() in {".xlsx", ".xlsm", ".xls"}:
        raise UsageError(
            f"{source} is an Excel workbook, which is not read.",
            advice="Save it as CSV in Excel (File, Save As, CSV UTF-8) and give that file.",
        )
    raise UsageError(f"{source} is a zip archive or an Office document, no text.", advice="Give a file of text.")


def _ids_in(name: str) -> list[str] | LogReading:
    """Ids as they are written; a reading, where the file is a list of names or a table."""
    from patchmode.rules.pasted_text.reading import read_log

    text, source = decoded(_bytes_of(name)), _called(name)
    is_json = text.lstrip().startswith(("[", "{"))
    lines = [] if is_json else _lines(text)
    ids = _ids_of_json(text, source) if is_json else lines if all(line.startswith("/") for line in lines) else None
    if ids is None:
        reading = replace(read_log(text, source=name), option="--ids-file")
        if reading.not_understood or reading.cut_short:
            odd = [*reading.not_understood, *(f"{name}… is cut short" for name in reading.cut_short)]
            raise UsageError(
                f"{source} holds entries that name no machine: {'; '.join(odd[:_SHOWN])}.",
                advice="Remove them, or read the file with --from-log, which ignores what it does not understand.",
            )
        if reading.is_list or (is_json and not reading.names_nothing):
            return reading
        if is_json:
            raise UsageError(f"{source} holds an entry without an id.", advice="Select ids with --query '[].id'.")
        odd_line = next((line for line in lines if not line.startswith("/")), "")
        raise UsageError(
            f"{source} is not a list of machines: {odd_line[:_LONGEST_SHOWN]!r} is not a resource id, nor one name.",
            advice="Put one resource id or one name on a line, or give a table with the headings id, or name, resource "
            "group and subscription. An error or a log is read with --from-log.",
        )
    if not ids:
        raise UsageError(
            f"{source} holds no resource id.",
            advice="Put one resource id or one name on a line. An error or a log is read with --from-log.",
        )
    return ids


def _lines(text: str) -> list[str]:
    """Lines without quotation marks and remarks; of `-o tsv` the first column, where that is an id."""
    stripped = (line.strip().strip("\"',") for line in text.splitlines())
    kept = (line for line in stripped if line and not line.startswith("#"))
    return [line.partition("\t")[0].rstrip("\"',") if line.startswith("/") else line for line in kept]


def _ids_of_json(text: str, source: str) -> list[str] | None:
    """What `az … -o json` prints: a list of ids, or of objects with an id; None: there is an entry without one."""
    import json

    lines = _lines(text)
    is_by_line = len(lines) > 1 and lines[1].startswith("{")
    try:
        # One document, or one on each line, as `-o jsonl` prints them.
        values: Any = list(map(json.loads, lines)) if is_by_line else json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"{source} begins like JSON but is not: {error}.", advice="One id a line works too."
        ) from error
    if isinstance(values, dict):
        values = next((values[name] for name in _LISTS if isinstance(values.get(name), list)), [values])
    ids = [value.get("id") if isinstance(value, dict) else value for value in values]
    if not all(isinstance(value, str) and value.lstrip().startswith("/") for value in ids):
        return None
    return [str(value) for value in ids]
