"""Results to standard output in the format asked for; everything else to standard error, commands ready to paste."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from patchmode.cli import logs
from patchmode.cli.settings import EXCEL_CSV, Settings
from patchmode.cli.terminal import forget_reader, height_of, is_one_place, width_of
from patchmode.model.plain_text import json_escaped, marked, printable
from patchmode.model.run import ChangeResult, RunReport
from patchmode.model.schedule import AttachResult
from patchmode.reports.text.layout import Paint, wrapped

if TYPE_CHECKING:
    from patchmode.documents.log import Level

End = TypeVar("End", ChangeResult, AttachResult)
_RUN = r"\d{8}T\d{9}Z-[0-9a-f]{6}"
_HEADS = (
    # Of a run: without its id they are a name and no command.
    rf"(?:runs (?:show|resume)|rollback) {_RUN}",
    rf"verify(?: {_RUN})?",
    "runs (?:list|merge)",
    "schedule (?:list|show|next|check|failures|create|update|delete|attach|detach)",
    "evidence (?:pack|check)",
    "policy (?:audit|assign|remediate)",
    "(?:audit|plan|apply|export|watch|explain|report|console|doctor|live-check)",
)
_COMMAND = re.compile(rf"(?<![\w/.-])patchmode (?:{'|'.join(_HEADS)})(?![\w-])")
_END = re.compile(r"[`\n]|$")
PLACES = ("cloud", "identity_file", "tenant", "state_dir")
"""Global options without which a command would look elsewhere, or sign in as somebody else."""


def completed(text: str, settings: Settings) -> str:
    """A text whose commands name the places that were typed, each once."""
    typed = [(f"--{name.replace('_', '-')}", getattr(settings, name)) for name in PLACES if name in settings.typed]
    if not typed:
        return text

    def with_places(match: re.Match[str]) -> str:
        end = _END.search(text, match.end())
        rest = text[match.end() : end.start() if end else None]
        return match[0] + "".join(f" {name} {quote(str(value))}" for name, value in typed if name not in rest)

    return _COMMAND.sub(with_places, text)


def completed_report(report: RunReport, settings: Settings) -> RunReport:
    """A run's report whose advice names the places that were typed."""
    if settings.typed.isdisjoint(PLACES):
        return report
    return replace(
        report,
        results=tuple(_completed(one, settings) for one in report.results),
        attachments=tuple(_completed(one, settings) for one in report.attachments),
    )


def _completed(end: End, settings: Settings) -> End:
    if end.error is None:
        return end
    return replace(end, error=replace(end.error, advice=completed(end.error.advice, settings)))


@dataclass(frozen=True, slots=True)
class Result:
    """One command's result, in every form that may be asked for."""

    document: Any
    """The JSON document, as values or a struct that msgspec encodes; or a call that makes it, where it is large and a
    table may be all that is asked for."""
    lines: Callable[[Paint], Iterable[str]]
    """The table for people."""
    rows: Callable[[], Iterable[Any]]
    """One value per line of jsonl and row of csv."""
    columns: Sequence[str]
    """Of csv."""
    text: Callable[[], Iterable[bytes]] | None = None
    """The JSON document's text piece by piece, where there is a way that never holds all of it."""

    def made(self) -> Any:
        """The JSON document itself."""
        return self.document() if callable(self.document) else self.document


def paint_for(stream: TextIO, settings: Settings) -> Paint:
    """Colours and width for a stream: none and unlimited where it is not a terminal."""
    if not stream.isatty():
        return Paint()
    wants_colours = not settings.no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Paint(colours=wants_colours, width=width_of(stream), height=height_of(stream))


def tell(text: str, *, indent: int = 0, hang: int = 2) -> None:
    """Tell a fault on standard error, also when quiet: broken at the terminal's width, whole in a pipe.

    Args:
        text: sentences; each line of it is a paragraph. A command in it is never broken, so that it can be pasted.
        indent: columns before the first line; `hang`: before the others.
    """
    if (log := logs.stream()) is not None:
        log.put("warning", text)
        return
    if not sys.stderr.isatty():
        click.echo(" " * indent + marked(text), err=True)
        return
    paint = Paint(width=width_of(sys.stderr))
    for number, line in enumerate(text.splitlines()):
        own = len(line) - len(line.lstrip())
        first = indent if number == 0 else max(own, indent)
        text = line.strip()
        if number and (text.startswith(("az ", "openssl ")) or _COMMAND.match(text)):
            # Alone on its line; a line feed in it would break it when it is copied.
            click.echo(f"{'':{first}}{printable(text)}", err=True)
            continue
        for part in wrapped(text, paint=paint, indent=first, hang=max(first, own) + hang):
            click.echo(part, err=True)


def emit(result: Result, settings: Settings) -> None:
    """Write a result to standard output.

    Raises:
        UsageError: `--query` is not JMESPath. OSError: standard output cannot be written.
    """
    try:
        _emit(result, settings, sys.stdout)
    except BrokenPipeError:
        # `| head` has what it wanted. What was done is done all the same: the rest is told, and the exit code is true.
        forget_reader(sys.stdout)


def _emit(result: Result, settings: Settings, stream: TextIO) -> None:
    if settings.query:
        _emit_selected(result.made(), settings, stream)
    elif settings.format == "table":
        stream.writelines(completed(line, settings) + "\n" for line in result.lines(paint_for(stream, settings)))
    else:
        _emit_machine(result, settings.format, stream)
    stream.flush()


def _emit_machine(result: Result, form: str, stream: TextIO) -> None:
    from patchmode.reports.formats import az_forms, structured

    if form == "json" and result.text is not None:
        stream.writelines(json_escaped(piece.decode()) for piece in result.text())
    elif form == "json":
        structured.write_json(result.made(), stream)
    elif form == "jsonl":
        structured.write_jsonl(result.rows(), stream)
    elif form == "yaml":
        az_forms.write_yaml(as_values(result.made()), stream)
    elif form == "tsv":
        az_forms.write_tsv(map(as_values, result.rows()), result.columns, stream)
    else:
        structured.write_csv(map(as_values, result.rows()), result.columns, stream, for_excel=form == EXCEL_CSV)


def _emit_selected(document: Any, settings: Settings, stream: TextIO) -> None:
    from patchmode.reports.formats import az_forms, structured

    whole = as_values(document)
    chosen = structured.select(whole, settings.query or "")
    if chosen is None and isinstance(whole, dict):
        # As in az nothing is printed, and an empty answer would pass for "there is none".
        say(f"Note: --query selects nothing. Members of the result: {', '.join(whole)}.", settings)
    rows = chosen if isinstance(chosen, list) else [chosen]
    if settings.format == "json":
        structured.write_json(chosen, stream)
    elif settings.format == "jsonl":
        structured.write_jsonl(rows, stream)
    elif settings.format == "yaml":
        az_forms.write_yaml(chosen, stream)
    elif settings.format == "tsv":
        az_forms.write_selected_tsv(chosen, stream)
    else:
        mappings = [row if isinstance(row, dict) else {"value": row} for row in rows if row is not None]
        columns = list(dict.fromkeys(name for row in mappings for name in row))
        if settings.is_flat:
            is_excel = settings.format == EXCEL_CSV
            structured.write_csv(mappings, columns or ["value"], stream, for_excel=is_excel)
        else:
            _emit_plain(mappings, columns, stream, settings)


def _emit_plain(rows: list[dict[str, Any]], columns: list[str], stream: TextIO, settings: Settings) -> None:
    from patchmode.reports.formats import structured
    from patchmode.reports.text.layout import TableColumn, lines

    if not rows:
        return
    texts = [[structured.cell_text(row.get(name)) for name in columns] for row in rows]
    if columns == ["value"]:
        stream.writelines(f"{marked(text[0])}\n" for text in texts)
        return
    table = lines([TableColumn(printable(name), 6) for name in columns], texts, paint=paint_for(stream, settings))
    stream.writelines(line + "\n" for line in table)


def as_values(document: Any) -> Any:
    """A document as plain JSON values, whatever struct it is made of."""
    import msgspec

    # Through JSON itself: tuples become lists, which is what JMESPath knows.
    return msgspec.json.decode(msgspec.json.encode(document))


def is_one_screen(settings: Settings) -> bool:
    """Whether a reader finds results and remarks in one place, so that what one has said the other need not repeat."""
    return settings.format == "table" and not settings.quiet and is_one_place(sys.stdout, sys.stderr)


def say(text: str, settings: Settings, *, hang: int = 4) -> None:
    """One sentence for the person at the terminal, on standard error; nothing when quiet.

    Args:
        text: one paragraph, broken at the terminal's width.
        settings: quiet is looked at.
        hang: columns before its second and further lines.
    """
    if settings.quiet:
        return
    if (log := logs.stream()) is not None:
        log.put(_level(text), completed(text, settings))
    else:
        for line in wrapped(completed(text, settings), paint=paint_for(sys.stderr, settings), hang=hang):
            click.echo(line, err=True)


def say_lines(lines: Iterable[str], settings: Settings) -> None:
    """Several lines on standard error; nothing when quiet."""
    if settings.quiet:
        return
    if (log := logs.stream()) is not None:
        text = "\n".join(completed(line, settings) for line in lines)
        if text.strip():
            log.put(_level(text), text)
    else:
        for line in lines:
            click.echo(completed(line, settings), err=True)


def _level(text: str) -> "Level":
    """A line that begins with an exclamation mark is one that must not be overlooked."""
    return "warning" if any(line.lstrip().startswith("!") for line in text.splitlines()) else "info"
