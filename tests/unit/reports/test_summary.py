"""The summary before a table that is longer than the screen: its numbers add up, and its lines are in order."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.model.resource_id import ResourceId
from patchmode.model.target import SubscriptionNames, Target
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.summary import Counted, SummaryBy, Tally, summary_lines

PRODUCTION, DEVELOPMENT = "22222222-2222-2222-2222-222222222222", "33333333-3333-3333-3333-333333333333"
TARGET = Target(
    "AzureCloud",
    "https://management.azure.com",
    "11111111-1111-1111-1111-111111111111",
    SubscriptionNames.of([(PRODUCTION, "Production"), (DEVELOPMENT, "Development")]),
)
TALLIES = (
    Tally("fine", "COMPLIANT"),
    Tally("change", "NEEDS CHANGE"),
    Tally("blocked", "BLOCKED"),
    Tally("parked", "BY NOBODY", is_part=False),
)
SCREEN = Paint(width=80, height=24)


def machine(subscription: str, group: str, number: int) -> ResourceId:
    return ResourceId.parse(
        f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/vm{number}"
    )


def told(
    found: Sequence[Counted], by: SummaryBy | None = None, *, rows: int = 25, paint: Paint = SCREEN
) -> Sequence[str]:
    names = MachineNames.of(TARGET, [one.id for one in found])
    return list(summary_lines(found, TALLIES, names, whole="MACHINES", by=by, rows=rows, paint=paint))


FOUND = (
    *(Counted(machine(DEVELOPMENT, "rg-dev", number), ("fine", "parked")) for number in range(2)),
    *(Counted(machine(PRODUCTION, "rg-app", number), ("change",)) for number in range(3)),
    Counted(machine(PRODUCTION, "RG-APP", 9), ("fine",)),
    Counted(machine(PRODUCTION, "rg-data", 1), ("change",)),
)


def test_by_subscription_the_most_machines_first() -> None:
    assert told(FOUND) == [
        "SUBSCRIPTION  MACHINES  COMPLIANT  NEEDS CHANGE  BY NOBODY",
        "Production    5         1          4             0",
        "Development   2         2          0             2",
        "all           7         3          4             2",
        "MACHINES = COMPLIANT + NEEDS CHANGE. BY NOBODY: how the same machines are",
        "  patched now.",
        "",
    ]


def test_by_group_on_request() -> None:
    """One group, in whatever casing its machines name it."""
    assert told(FOUND, SummaryBy.GROUP, rows=1) == [
        "GROUP    MACHINES  COMPLIANT  NEEDS CHANGE  BY NOBODY",
        "subscription Production",
        "rg-app   4         1          3             0",
        "rg-data  1         0          1             0",
        "subscription Development",
        "rg-dev   2         2          0             2",
        "all subscriptions",
        "all      7         3          4             2",
        "MACHINES = COMPLIANT + NEEDS CHANGE. BY NOBODY: how the same machines are",
        "  patched now.",
        "",
    ]


def test_on_a_narrow_screen_headings_fold_and_then_what_is_no_part_of_the_sum_is_left_out() -> None:
    """The table says it of each machine all the same."""
    assert told(FOUND, paint=Paint(width=55, height=24))[:3] == [
        "SUBSCRIPTION  MACHINES  COMPLIANT  NEEDS      BY NOBODY",
        "                                   CHANGE",
        "Production    5         1          4          0",
    ]
    assert told(FOUND, paint=Paint(width=44, height=24))[:3] == [
        "SUBSCRIPTION  MACHINES  COMPLIANT  NEEDS",
        "                                   CHANGE",
        "Production    5         1          4",
    ]


def test_a_group_is_one_section_in_whatever_casing_its_machines_name_it() -> None:
    """Resource Graph and the providers spell it differently."""
    ids = [machine(PRODUCTION, "rg-app", 1), machine(DEVELOPMENT, "rg-app", 1), machine(PRODUCTION, "RG-APP", 2)]
    sections = list(MachineNames.of(TARGET, ids).sections(ids))
    assert [one.title for one in sections] == [
        "rg-app  (subscription Production)",
        "rg-app  (subscription Development)",
        "rg-app  (subscription Production)",
    ]
    assert [one.title for one in MachineNames.of(TARGET, ids).sections(ids[:1], is_short=True)] == ["rg-app"]


def test_within_one_subscription_the_groups_are_what_is_not_known_yet() -> None:
    assert [line.split()[0] for line in told(FOUND[2:])[:4]] == ["GROUP", "subscription", "rg-app", "rg-data"]


@pytest.mark.parametrize(
    ("rows", "paint", "by", "is_there"),
    [
        (24, SCREEN, None, False),
        (25, SCREEN, None, True),
        (25, SCREEN, SummaryBy.NONE, False),
        (25_000, Paint(), None, False),
        (1, Paint(), SummaryBy.SUBSCRIPTION, True),
    ],
)
def test_it_is_there_where_the_rows_leave_the_screen(
    rows: int, paint: Paint, by: SummaryBy | None, is_there: bool
) -> None:
    """A pipe begins with the table, as ever, unless a summary is asked for."""
    assert bool(told(FOUND, by, rows=rows, paint=paint)) is is_there


def test_one_group_alone_is_no_summary() -> None:
    """The numbers of the whole stand below the table."""
    assert told(FOUND[:2]) == []
    assert told(FOUND[:2], SummaryBy.GROUP) != []


def test_what_could_not_be_read_as_a_whole_is_counted_at_its_place() -> None:
    found = (*FOUND, Counted(f"/subscriptions/{DEVELOPMENT}", ("blocked",)), Counted("row 7", ("blocked",)))
    text = "\n".join(told(found, SummaryBy.GROUP))
    assert "(whole subscription)  1         0          0             1        0" in text
    assert "subscription (not known where)" in text


@given(
    st.lists(
        st.tuples(
            st.sampled_from((PRODUCTION, DEVELOPMENT)), st.sampled_from("abc"), st.sampled_from(("fine", "change"))
        ),
        min_size=1,
    ),
    st.sampled_from((SummaryBy.SUBSCRIPTION, SummaryBy.GROUP)),
)
def test_every_line_adds_up_and_so_do_the_lines(entries: list[tuple[str, str, str]], by: SummaryBy) -> None:
    found = [Counted(machine(place, group, at), (state,)) for at, (place, group, state) in enumerate(entries)]
    head, *lines = told(found, by, paint=Paint())
    columns = head.split("  ")
    assert columns
    numbers = [[int(part) for part in line.split() if part.isdigit()] for line in lines[:-2]]
    assert all(row[0] == sum(row[1:]) for row in numbers)
    *rows, last = numbers
    if rows:
        assert last == [sum(column) for column in zip(*rows, strict=True)]
        assert [row[0] for row in rows] == sorted((row[0] for row in rows), reverse=True)
    assert last[0] == len(entries)
