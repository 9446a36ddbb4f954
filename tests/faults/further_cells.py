"""The rows of the fault matrix that need more than an answer: operations, subscriptions, pages, the disk, the clock.

`WITHOUT_SENSE` names every cell that is not run, with its reason; `ELSEWHERE` every cell that a test of its own runs.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from tests.faults.hooked_journal import JournalStep
from tests.faults.matrix import PLACES, ROWS, Cell, Column, cells_of
from tests.faults.stage import FOREIGN_WRITE, GROUP_LIST, LIST, Phase, Strike
from tests.unit.workflow.fleet_double import machine_id, vm

from arm_emulator.faults import Action, BendOperation, Matcher, Meanwhile
from patchmode.model.machine import MachineKind

FAILS, CANCELLED, PREEMPTED, HANGS = (f"operation {end}" for end in ("fails", "is cancelled", "is preempted", "hangs"))
DISABLED = "subscription disabled half-way"
LAG = "Resource Graph lag"
PAGES = "pages that change while they are read"
DISK, TERM, KILL = "disk full", "SIGTERM", "SIGKILL"
JUMPS = "clock jumps"
_PATCH_OF_WEB = Matcher("PATCH", "*/virtualMachines/web")
_SEEN_BY = {Column.GET: 0.0, Column.WATCH: 30.0, Column.POLL: 150.0}
"""How long an operation takes whose end is seen there first."""
_DISABLED = "failed ReadOnlyDisabledSubscription"
_UNVERIFIED = "notSent SettingsNotVerified"


def _operations() -> Iterator[Cell]:
    ends = {FAILS: ("failed", "failed InternalExecutionError"), CANCELLED: ("canceled", "failed OperationCanceled")}
    for row, (result, end) in ends.items():
        for column, seconds in _SEEN_BY.items():
            bend = Action(operation=BendOperation(result))  # type: ignore[arg-type]  # both are among its results
            strike = Strike(Phase.APPLY, _PATCH_OF_WEB, bend, operation_s=seconds)
            state = "Failed" if result == "failed" else "Canceled"
            yield Cell(row, column, "the settings stand", strike, change=end, schedule=_UNVERIFIED, ends_in=state)
    hang = Strike(Phase.APPLY, _PATCH_OF_WEB, Action(operation=BendOperation("hang")))
    end = "unknown StillRunning"
    yield Cell(HANGS, Column.POLL, "for good", hang, change=end, schedule=_UNVERIFIED, ends_in="Updating")
    for column, seconds in {Column.GET: 3.0, Column.WATCH: 30.0, Column.POLL: 150.0}.items():
        preempts = Strike(Phase.APPLY, operation_s=seconds, concurrent_write="preempts", hook=_write_meanwhile)
        yield Cell(PREEMPTED, column, "by another writer", preempts, is_resumable=True, foreign_writes=1)


async def _write_meanwhile(step: JournalStep) -> None:
    if step.kind == "start" and step.committed and "web" in step.machines:
        await step.azure.writer.patch(machine_id("web"), MachineKind.VM, "westeurope", FOREIGN_WRITE, etag=None)


def _disabled() -> Iterator[Cell]:
    others = frozenset({_DISABLED, _UNVERIFIED})
    for column in (Column.PATCH, Column.GET, Column.LIST, Column.WATCH, Column.POLL, Column.PUT, Column.DELETE):
        strike = replace(PLACES[column], do=Action(disable_subscription=True), count=1)
        cell = Cell(DISABLED, column, "for good", strike, others=others)
        match column:
            case Column.GET:
                yield replace(cell, machine="old", change=_DISABLED, schedule=_UNVERIFIED, others=frozenset())
            case Column.PATCH | Column.LIST:
                yield replace(cell, change=_DISABLED, schedule=_UNVERIFIED)
            case Column.DELETE:
                yield replace(
                    cell,
                    change="notSent StillAttached",
                    schedule=_DISABLED,
                    sent=0,
                    others=others | {"notSent StillAttached"},
                )
            case Column.POLL:
                # The others are seen to end by the page; whoever stands alone in its subscription is polled.
                yield replace(cell, machine="old", schedule=_DISABLED, others=frozenset())
            case _:
                yield replace(cell, schedule=_DISABLED)


def _pages() -> Iterator[Cell]:
    cases = {"one is left out": Action(shift_pages=1), "one stands on two": Action(shift_pages=-1)}
    for column, where, seconds in ((Column.LIST, LIST, 0.0), (Column.WATCH, GROUP_LIST, 30.0)):
        phase = PLACES[column].phase
        for case, do in cases.items():
            strike = Strike(phase, Matcher("GET", where), do, nth=2, page=2, operation_s=seconds)
            yield Cell(PAGES, column, case, strike, is_resumable=True)


def _jumps() -> Iterator[Cell]:
    places = {
        Column.PATCH: ("intend", "start"),
        Column.WATCH: ("start", "end"),
        Column.POLL: ("start",),
        Column.PUT: ("intend_attachment", "end_attachment"),
        Column.DELETE: ("intend_attachment", "end_attachment"),
    }
    for column, kinds in places.items():
        for hours in (6, -6):
            for kind in kinds:
                strike = replace(PLACES[column], sets_clock=timedelta(hours=hours), at_kind=kind)
                yield Cell(JUMPS, column, f"{hours:+} hours after {kind}", strike, is_resumable=True)


CELLS = (
    *(cell for row in ROWS for cell in cells_of(row)),
    *_operations(),
    *_disabled(),
    *_pages(),
    *_jumps(),
)
NAMES = (*(row.name for row in ROWS), FAILS, CANCELLED, PREEMPTED, HANGS, DISABLED, LAG, PAGES, DISK, TERM, KILL, JUMPS)
"""Every row of the matrix."""

_AT_A_JOURNAL_STEP = {
    Column.GET: "a change's end is written after a GET or a page: see the list page while polling",
    Column.LIST: "planning keeps no journal",
    Column.POLL: "after a poll a change's end is written in the same way: see the list page while polling",
    Column.GRAPH: "planning keeps no journal",
}
_OF_AN_OPERATION = {
    Column.PATCH: "the PATCH is answered before its operation ends",
    Column.LIST: "planning starts no operation",
    Column.GRAPH: "planning starts no operation",
    Column.PUT: "an assignment is created before its request is answered: there is no operation",
    Column.DELETE: "an assignment is deleted before its request is answered: there is no operation",
}
_FROM_THE_PROVIDER = "apply reads nothing from Resource Graph"
_ONE_ANSWER = "one answer has no pages"
WITHOUT_SENSE: dict[tuple[str, Column], str] = {
    **{(row.name, column): reason for row in ROWS for column, reason in row.reasons.items()},
    **{
        (row, column): reason
        for row in (FAILS, CANCELLED, PREEMPTED, HANGS)
        for column, reason in _OF_AN_OPERATION.items()
    },
    (HANGS, Column.GET): "it is read, listed and polled in turn: see the operation poll",
    (HANGS, Column.WATCH): "it is read, listed and polled in turn: see the operation poll",
    (DISABLED, Column.GRAPH): "a query names no subscription in its path, and a disabled one can be read",
    **{(LAG, column): _FROM_THE_PROVIDER for column in Column if column is not Column.GRAPH},
    **{(PAGES, column): _ONE_ANSWER for column in Column if column not in (Column.LIST, Column.WATCH)},
    (PAGES, Column.GRAPH): "the answer for so small a fleet is one page",
    **{
        (row, column): reason
        for row in (DISK, TERM, KILL, JUMPS)
        for column, reason in _AT_A_JOURNAL_STEP.items()
        if (row, column) != (JUMPS, Column.POLL)
    },
    (TERM, Column.DELETE): "it stops the run at the same steps as a full disk",
    (KILL, Column.DELETE): "it stops the run at the same steps as a full disk",
}
"""(row, column) → why it is not run."""

_OWN = "tests.faults.test_matrix"
_SIGKILL = "tests.faults.test_sigkill"
ELSEWHERE: dict[tuple[str, Column], tuple[str, str]] = {
    (LAG, Column.GRAPH): (_OWN, "test_resource_graph_lags"),
    **{(DISK, column): (_OWN, "test_disk_full_at_a_step") for column in (Column.PATCH, Column.WATCH, Column.PUT)},
    (DISK, Column.DELETE): (_OWN, "test_disk_full_at_a_step_of_a_rollback"),
    **{
        (TERM, column): ("tests.faults.test_sigterm", "test_stopped_at_a_step_and_resumed")
        for column in (Column.PATCH, Column.WATCH, Column.PUT)
    },
    **{(KILL, column): (_SIGKILL, "test_killed_at_a_step_and_resumed") for column in (Column.PATCH, Column.WATCH)},
    (KILL, Column.PUT): (_SIGKILL, "test_killed_at_a_step_of_attaching_and_resumed"),
}
"""(row, column) → the module and the test that runs it."""
MEANWHILE = Meanwhile(put=[vm("late")], delete=[str(machine_id("web"))])
"""What happens to the fleet behind Resource Graph's back."""
