"""The page `docs/reference/faults.md`, made from the fault matrix: what the tests hold is what it says."""

from collections.abc import Iterator

from tests.faults.further_cells import CELLS, ELSEWHERE, NAMES, WITHOUT_SENSE
from tests.faults.matrix import Cell, Column
from tests.faults.stage import Phase

_HEAD = """# Faults

This page is made from the fault matrix of the tests by `make docs`; do not edit it.

What happens to a run when something fails, for each fault and each call that it can affect.
Each row below is one or more tests.
On the [emulator](emulator.md), a plan for six machines is made and applied, and a schedule is attached to them.
(At the assignment DELETE the run is then rolled back.)
The fault is injected during the run, and then the run is resumed without it.
In every test the counts add up to the scope, each machine was written as often as it needed, and none is missing.

A result such as `failed Conflict` is what the journal has of the machine with the fault: result and error code.
*As undisturbed* means as in a run without the fault; the other machines end so, unless the row says otherwise.
*Once* means one call; *for good* means every call until the run has ended.
*List page while polling* is a page of the provider's list, read to see whether changes have ended.
`runs resume` does not send again what ended as `failed`, `unknown` or `stale`; a new plan changes those machines.
"""
_OWN_WORDS = {
    "test_resource_graph_lags": "a machine that was just created is found on the provider's list and changed; one that "
    "was just deleted is named as unreadable; no machine's document is read from Resource Graph",
    "test_disk_full_at_a_step": "at every step of the journal, before and after it is written: the run ends with "
    "`StorageError`, nothing was sent that the journal does not know of, `runs resume` ends as undisturbed",
    "test_disk_full_at_a_step_of_a_rollback": "the same at every step of a rollback",
    "test_stopped_at_a_step_and_resumed": "at every step of the journal, before and after it is written: what was sent "
    "is followed to its end, the rest is `notSent`, `runs resume` ends as undisturbed",
    "test_killed_at_a_step_and_resumed": "at every step of the journal, before and after it is written: `runs resume` "
    "ends as undisturbed, and each machine was sent one PATCH",
    "test_killed_at_a_step_of_attaching_and_resumed": "at every step of the journal, before and after it is written: "
    "`runs resume` ends as undisturbed",
}
_CASES = {"once": "once", "lasting": "for good"}


def render_faults() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(line for name in NAMES for line in _section(name))]).rstrip() + "\n"


def _section(row: str) -> Iterator[str]:
    yield f"## {row[0].upper()}{row[1:]}\n"
    yield "| where | how it ends |\n|---|---|"
    told: dict[str, list[str]] = {}
    for column in Column:
        told.setdefault(_told(row, column), []).append(column.value)
    for text, columns in told.items():
        yield f"| {', '.join(columns)} | {text} |"
    yield ""


def _told(row: str, column: Column) -> str:
    reason = WITHOUT_SENSE.get((row, column))
    if reason is not None:
        return f"not run: {reason}"
    if (row, column) in ELSEWHERE:
        return _OWN_WORDS[ELSEWHERE[row, column][1]]
    cases: dict[str, list[str]] = {}
    for cell in CELLS:
        if (cell.row, cell.column) == (row, column):
            cases.setdefault(_end(cell), []).append(_CASES.get(cell.case, cell.case))
    if len(cases) == 1:
        return next(iter(cases))
    return "; ".join(f"{', '.join(names)}: {end}" for end, names in cases.items())


def _end(cell: Cell) -> str:
    if cell.is_unreadable:
        return "its machines are named as unreadable in the plan"
    if cell.refused and cell.strike.phase is Phase.PLAN:
        return f"no plan (`{cell.refused}`), nothing was sent"
    if cell.refused:
        return f"the run ends with `{cell.refused}`, `runs resume` ends it as undisturbed"
    ends = [f"`{cell.change}`"] if cell.change != "applied" else []
    if cell.schedule and not cell.schedule.startswith("notSent"):
        ends.append(f"its schedule `{cell.schedule}`")
    if cell.others:
        ends.append("in the same subscription no write succeeds any more")
    if not ends:
        return "as undisturbed"
    return ", ".join(ends) + (", `runs resume` ends it as undisturbed" if cell.is_resumable else "")
