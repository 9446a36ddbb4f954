"""The waves of a plan as a reviewer reads them, at 80 columns and without a terminal."""

from dataclasses import replace

from tests.unit.store.plans import GUEST, change, machine_id, plan
from tests.unit.store.test_plan_schedules import WEEKLY

from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.plan import ThenAttach, Unchanged, Wave
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.plan import plan_lines, summary_lines, wave_lines

CHANGES = (
    replace(change("a"), os=OperatingSystem.LINUX),
    *(change(f"b{number}") for number in range(4)),
    replace(change("c"), location="northeurope"),
    *(replace(change(f"d{number}"), location=f"region{number}") for number in range(3)),
)
WAVED = plan(*CHANGES, waves=(Wave("canary", 1, 0), Wave("ring=broad / zone 1", 8, 0)))
ATTACHING = replace(
    WAVED,
    unchanged=(Unchanged(machine_id("right"), MachineKind.VM, GUEST),),
    then_attach=ThenAttach(WEEKLY, "weekly"),
    waves=(*WAVED.waves, Wave("no tag ring", 0, 1)),
)


def test_each_wave_is_one_line_in_order() -> None:
    assert list(wave_lines(WAVED, paint=Paint())) == [
        "2 waves, one after the other:",
        "   WAVE                 CHANGE  SYSTEMS    REGIONS",
        "1  canary               1       1 Linux    1 westeurope",
        "2  ring=broad / zone 1  8       8 Windows  4 westeurope, 1 northeurope, 1 region0 and 2 more",
        "",
    ]


def test_machines_that_only_get_the_schedule_have_a_column_of_their_own() -> None:
    assert list(wave_lines(ATTACHING, paint=Paint()))[-2] == "3  no tag ring          0       1"
    assert "ONLY SCHEDULE" in list(wave_lines(ATTACHING, paint=Paint()))[1]


def test_it_fits_a_terminal_of_80_columns() -> None:
    """A wave is named after a tag's value; one that is too long for the table has a line of its own."""
    many = replace(ATTACHING, waves=(replace(ATTACHING.waves[0], name="x" * 200), *ATTACHING.waves[1:]))
    assert [line for line in wave_lines(many, paint=Paint(width=80)) if len(line) > 80] == ["x" * 200]


def test_many_waves_are_counted_and_it_is_said_where_they_stand() -> None:
    changes = tuple(change(f"m{number:02}") for number in range(34))
    many = plan(*changes, waves=tuple(Wave(f"n={number}", 1, 0) for number in range(34)))
    lines = list(wave_lines(many, paint=Paint()))
    assert lines[0] == "34 waves, one after the other:"
    assert lines[31].startswith("30  n=29")
    assert lines[32] == "and 4 more waves of 4 machines: they are in the plan file, and in this command's JSON."


def test_a_plan_shows_its_waves_before_its_diff_and_counts_them() -> None:
    lines = list(plan_lines(WAVED, paint=Paint()))
    assert lines.index("2 waves, one after the other:") < next(
        place for place, line in enumerate(lines) if line.startswith("~ ")
    )
    assert lines[-1].endswith("9 in scope. 2 waves.")


def test_a_plan_without_waves_says_nothing_of_them() -> None:
    assert list(wave_lines(plan(), paint=Paint())) == []
    assert list(summary_lines(plan(), paint=Paint()))[-1].endswith("1 in scope.")
