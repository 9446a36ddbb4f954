"""A record as an Excel workbook: a summary with a chart, every machine, every finding.

Cells have types: numbers, dates and truth values are what they are, and a text is a text whatever it begins with. A
text that would run as a formula when somebody edits it carries Excel's quote prefix, which is what the apostrophe in
our CSV stands for; the cell's value stays as Azure wrote it.

Must not: write a formula.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from patchmode.model.plain_text import printable
from patchmode.model.record import Chart, Meaning, Record
from patchmode.reports.formats.recorded import named_value
from patchmode.reports.formats.structured import needs_guard

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet


MAX_TEXT = 32_767
"""Characters that a cell holds. Source: Microsoft, "Excel specifications and limits"."""
_COLOURS = {Meaning.GOOD: "#1B7F4B", Meaning.WARN: "#B25E00", Meaning.BAD: "#B3261E", Meaning.DIM: "#5F6B7A"}
_FINDING_COLUMNS = (
    "Machine",
    "Resource group",
    "Subscription",
    "Rule",
    "Level",
    "Message",
    "Evidence",
    "Fix",
    "Resource id",
)
_WIDEST = 60


def spreadsheet(record: Record) -> bytes:
    """The workbook."""
    # Not at the top: the library is needed for this format alone.
    from xlsxwriter.workbook import Workbook

    buffer = BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "remove_timezone": False,
    }
    book = Workbook(buffer, options)
    if record.taken_at is not None:
        # The record's own time, so that one record makes one and the same file.
        book.set_properties({"title": record.title, "created": record.taken_at.replace(tzinfo=None)})
    sheets = _Sheets(book)
    sheets.summary(record)
    columns = record.columns
    rows = [[named_value(machine, column) for column in columns] for machine in record.machines]
    sheets.table("Machines", [column.heading for column in columns], rows)
    findings = [
        [
            one.name,
            one.group,
            one.subscription,
            found.rule,
            found.level.value,
            found.message,
            found.evidence,
            found.fix,
            one.id,
        ]
        for one in record.machines
        for found in one.findings
    ]
    sheets.table("Findings", _FINDING_COLUMNS, findings)
    book.close()
    return buffer.getvalue()


class _Sheets:
    """The sheets of one workbook, which share its formats."""

    def __init__(self, book: "Workbook") -> None:
        self._book = book
        self._heading = book.add_format({"bold": True, "bg_color": "#1F3A5F", "font_color": "#FFFFFF", "valign": "top"})
        self._title = book.add_format({"bold": True, "font_size": 18})
        self._strong = book.add_format({"bold": True})
        self._time = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        self._count = book.add_format({"num_format": "#,##0"})
        self._quoted = book.add_format({"quote_prefix": True})

    def summary(self, record: Record) -> None:
        """Title, verdict, facts, numbers, and a chart for each tally."""
        sheet = self._book.add_worksheet("Summary")
        sheet.hide_gridlines(2)
        sheet.set_column(0, 0, 34)
        sheet.set_column(1, 1, 58)
        sheet.set_column(2, 2, 12)
        sheet.write_string(0, 0, printable(record.title), self._title)
        verdict = self._book.add_format({"bold": True, "font_color": _COLOURS[record.meaning]})
        sheet.write_string(1, 0, printable(record.verdict), verdict)
        row = 3
        for name, text in record.facts:
            sheet.write_string(row, 0, name, self._strong)
            self._write(sheet, row, 1, text)
            row += 1
        row += 1
        for figure in record.figures:
            sheet.write_string(row, 0, figure.label, self._strong)
            sheet.write_number(row, 1, figure.number, self._book.add_format({"num_format": "#,##0", "align": "left"}))
            row += 1
        for chart in record.charts:
            if chart.bars:
                row = self._chart(sheet, chart, row + 1)
        for note in record.notes:
            sheet.write_string(row + 1, 0, printable(f"Note: {note}"))
            row += 1
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)

    def table(self, name: str, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """One sheet with a frozen heading and a filter."""
        sheet = self._book.add_worksheet(name)
        widths = [len(heading) + 3 for heading in headings]
        for column, heading in enumerate(headings):
            sheet.write_string(0, column, heading, self._heading)
        for number, values in enumerate(rows, 1):
            for column, value in enumerate(values):
                self._write(sheet, number, column, value)
                widths[column] = max(widths[column], min(_WIDEST, len(str(value or "")) + 1))
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, max(1, len(rows)), len(headings) - 1)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)

    def _write(self, sheet: "Worksheet", row: int, column: int, value: Any) -> None:
        match value:
            case None | "":
                pass
            case bool():
                sheet.write_boolean(row, column, value)
            case int() | float():
                sheet.write_number(row, column, value, self._count)
            case datetime():
                sheet.write_datetime(row, column, value.astimezone(UTC).replace(tzinfo=None), self._time)
            case _:
                text = printable(str(value))[:MAX_TEXT]
                sheet.write_string(row, column, text, self._quoted if needs_guard(text) else None)

    def _chart(self, sheet: "Worksheet", chart: Chart, row: int) -> int:
        for column, heading in enumerate((chart.title, "Meaning", "Machines")):
            sheet.write_string(row, column, heading, self._heading)
        first = row + 1
        for number, bar in enumerate(chart.bars, first):
            sheet.write_string(number, 0, bar.name)
            sheet.write_string(number, 1, bar.label)
            sheet.write_number(number, 2, bar.count, self._count)
        last = first + len(chart.bars) - 1
        drawn = self._book.add_chart({"type": "bar"})
        points = [{"fill": {"color": _COLOURS[bar.meaning]}} for bar in chart.bars]
        drawn.add_series(
            {
                "name": chart.title,
                "categories": ["Summary", first, 0, last, 0],
                "values": ["Summary", first, 2, last, 2],
                "points": points,
                "data_labels": {"value": True},
            }
        )
        drawn.set_legend({"none": True})
        drawn.set_y_axis({"reverse": True})
        # A bar is its share of the whole: with the axis that Excel chooses, 3 of 48 could fill the line.
        whole = sum(bar.count for bar in chart.bars)
        drawn.set_x_axis({"visible": False, "major_gridlines": {"visible": False}, "min": 0, "max": whole or 1})
        drawn.set_size({"width": 480, "height": 90 + 28 * len(chart.bars)})
        sheet.insert_chart(row, 4, drawn, {"description": chart.title})
        return max(last + 1, row + 6 + 2 * len(chart.bars))
