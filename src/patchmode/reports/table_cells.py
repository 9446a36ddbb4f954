"""What stands in one cell of the machines' table, for pages that people read.

Must not: escape; each format has its own way.
"""

from datetime import UTC, datetime

from patchmode.model.record import Column, RecordedMachine

_ENDS = ("outcome", "result")


def shown_text(machine: RecordedMachine, column: Column) -> str:
    """The cell's text; empty where nothing is known."""
    value = machine.values.get(column.name)
    if value is None:
        # A machine that was left out has no outcome; that it was left out is what there is to say.
        return machine.end if column.name in _ENDS else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    return str(value)
