"""The fault matrix: every row of `matrix` and `further_cells` at every place, on a small fleet of the emulator.

Each cell is held against an undisturbed run: what the journal says of each machine, how often each was written, and
that the run, taken up once the fault is gone, or a new plan where the run has said its last word, ends as undisturbed.
"""

from functools import cache
from importlib import import_module
from itertools import product
from typing import Any

import pytest
from tests.faults.further_cells import CELLS, ELSEWHERE, MEANWHILE, NAMES, WITHOUT_SENSE
from tests.faults.hooked_journal import Hook, JournalStep
from tests.faults.matrix import PLACES, Cell, Column
from tests.faults.stage import CHANGED, Phase, Seen, Strike, play

from arm_emulator.faults import Action
from patchmode.errors import StorageError

SIGNED_OUT = frozenset(
    {"unknown Interrupted", "notSent Pending", "notSent SettingsNotVerified", "notSent ExpiredAuthenticationToken"}
)
"""What may have become of a machine when the run broke off."""
FINE = {"applied", "attached", "detached"}


@cache
def undisturbed(*, rollback: bool) -> Seen:
    seen = play(None, rollback=rollback)
    assert seen.is_whole
    assert seen.changes == dict.fromkeys(CHANGED, "applied")
    assert set(seen.schedules) == {*CHANGED, "right"}
    assert seen.patches == dict.fromkeys(CHANGED, 1)
    return seen


def test_each_cell_is_run_or_reasoned_away() -> None:
    run = {(cell.row, cell.column) for cell in CELLS}
    groups = (run, set(ELSEWHERE), set(WITHOUT_SENSE))
    assert set().union(*groups) == set(product(NAMES, Column))
    assert sum(map(len, groups)) == len(NAMES) * len(Column)
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    for module, test in ELSEWHERE.values():
        assert callable(getattr(import_module(module), test))


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_cell(cell: Cell) -> None:
    is_rollback = cell.strike.phase is Phase.ROLLBACK
    seen, reference = play(cell.strike), undisturbed(rollback=is_rollback)
    expected = _fleet(reference.fleet, cell)
    expected[cell.machine]["etag"] += cell.foreign_writes
    assert seen.struck or cell.strike.is_on_the_journal
    if cell.refused or cell.is_unreadable:
        _check_broken_off(cell, seen)
    else:
        assert (seen.refused, seen.unreadable) == ("", ())
        _check_journal(cell, seen)
    if cell.is_resumable:
        assert seen.is_whole
        assert _fleet(seen.fleet, cell) == expected
        assert seen.assignments == reference.assignments
    assert _fleet(seen.renewed, cell) == expected
    assert seen.renewed_assignments == reference.assignments
    assert seen.renewed[cell.machine]["properties"]["provisioningState"] == cell.ends_in


def _check_broken_off(cell: Cell, seen: Seen) -> None:
    assert seen.refused == cell.refused
    if cell.strike.phase is Phase.PLAN:
        assert seen.unreadable == (("app", "cache", "db", "right", "web") if cell.is_unreadable else ())
        assert set(seen.changes.items()) <= {("old", "applied")}
        assert set(seen.patches) <= {"old"}
        return
    assert seen.state == "interrupted"
    assert {*seen.changes.values(), *seen.schedules.values()} <= SIGNED_OUT | FINE


def _check_journal(cell: Cell, seen: Seen) -> None:
    ends = {*seen.changes.values(), *seen.schedules.values()} - {"notSent SettingsNotVerified"}
    left = any(end.startswith("notSent") for end in ends)
    assert seen.state == ("stopped" if left else "finished")
    assert seen.changes.pop(cell.machine) == cell.change
    done = "detached" if cell.strike.phase is Phase.ROLLBACK else "attached"
    assert seen.schedules.pop(cell.machine) == (cell.schedule or done)
    assert set(seen.changes) == set(CHANGED) - {cell.machine}
    assert set(seen.changes.values()) <= {"applied"} | cell.others
    assert set(seen.schedules.values()) <= {done} | cell.others
    sent = seen.patches.pop(cell.machine, 0)
    assert 12 < sent <= cell.sent if cell.is_throttled else sent == cell.sent
    assert set(seen.patches.values()) <= {1}


def _fleet(machines: dict[str, Any], cell: Cell) -> dict[str, Any]:
    """The documents, etags included: each accepted write makes a new one, so none was written twice, and none lost."""
    return {name: _compared(name, document, cell) for name, document in machines.items()}


def _compared(name: str, document: dict[str, Any], cell: Cell) -> dict[str, Any]:
    if name != cell.machine:
        return document
    properties = {key: value for key, value in document["properties"].items() if key != "provisioningState"}
    return {**document, "properties": properties}


# ------------------------------------------------------------------------------------------------ Resource Graph


def test_resource_graph_lags() -> None:
    """Minutes after a machine was made and another deleted: the one is planned, the other named, and none is lost."""
    lags = Action(stale_graph_seconds=600, meanwhile=MEANWHILE)
    seen = play(Strike(PLACES[Column.GRAPH].phase, PLACES[Column.GRAPH].where, lags, nth=1))
    assert seen.unreadable == ("web",)
    assert seen.changes == dict.fromkeys(("app", "cache", "db", "late", "old"), "applied")
    assert seen.patches == dict.fromkeys(("app", "cache", "db", "late", "old"), 1)
    assert set(seen.schedules.values()) == {"attached"}
    assert seen.fleet.pop("late")["etag"] == 2
    expected = undisturbed(rollback=False).fleet
    assert seen.fleet == {name: document for name, document in expected.items() if name != "web"}


# ------------------------------------------------------------------------------------------------ a full disk

STEPS = 27
"""Of the journal of an undisturbed run (and of its rollback), one change at a time."""


def full_from(at: int, *, committed: bool) -> Hook:
    """A disk that is full from a step on, before or after that step is written."""

    async def write(step: JournalStep) -> None:
        if step.number > at or (step.number == at and step.committed is committed):
            raise StorageError("could not write the journal: database or disk is full.")

    return write


@pytest.mark.parametrize("phase", [Phase.APPLY, Phase.ROLLBACK])
def test_as_many_steps_as_are_struck(phase: Phase) -> None:
    steps: set[int] = set()

    async def count(step: JournalStep) -> None:
        steps.add(step.number)

    assert play(Strike(phase, hook=count, concurrency=1)).is_whole
    assert steps == set(range(STEPS))


@pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(STEPS))
def test_disk_full_at_a_step(step: int, committed: bool) -> None:
    check_disk_full(Phase.APPLY, step, committed=committed)


@pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(STEPS))
def test_disk_full_at_a_step_of_a_rollback(step: int, committed: bool) -> None:
    check_disk_full(Phase.ROLLBACK, step, committed=committed)


def check_disk_full(phase: Phase, step: int, *, committed: bool) -> None:
    seen = play(Strike(phase, hook=full_from(step, committed=committed), concurrency=1))
    reference = undisturbed(rollback=phase is Phase.ROLLBACK)
    assert seen.refused == "StorageError"
    # Nothing was sent that the journal does not know of.
    assert {name for name in seen.patches if seen.changes[name].startswith("notSent")} == set()
    assert {*seen.changes.values(), *seen.schedules.values()} <= SIGNED_OUT | FINE
    assert seen.is_whole
    assert (seen.fleet, seen.assignments) == (reference.fleet, reference.assignments)
