"""The three numbers, in words that fit their number and lines that fit a terminal."""

import re

import pytest
from tests.unit.workflow.azure_double import AzureDouble, machine
from tests.unit.workflow.fleet_double import LoopClock, run_virtually

from patchmode.model.outcome import Headline, Outcome, OutcomeKind
from patchmode.model.scope import Scope
from patchmode.reports.audit_text import audit_lines
from patchmode.reports.headline import change_lines, headline_lines
from patchmode.reports.machine_formats import cell_text
from patchmode.reports.paint import Paint
from patchmode.workflow.auditing import audit

NARROW = Paint(width=80)


def test_outcomes_are_counted_by_what_they_mean_for_the_owner() -> None:
    """Parked and not patched are both nobody's."""
    assert Headline.of(Outcome(kind, "") for kind in OutcomeKind) == Headline(1, 1, 2, 1)


def test_one_and_many() -> None:
    """A zero is an answer; of the unknown only where there are any."""
    assert list(headline_lines(Headline(1, 0, 1234), paint=NARROW)) == [
        "       1  fails at its next window",
        "       0  rebooted by Azure without a window",
        "   1,234  patched by nobody",
    ]
    assert list(headline_lines(Headline(2, 1, 0, 1), paint=NARROW))[3:] == ["       1  not known: its reason says why"]


def test_before_and_after() -> None:
    """The words follow the number after the plan."""
    assert list(change_lines(Headline(12, 3, 0), Headline(1, 0, 4), paint=NARROW)) == [
        "      12 -> 1  fails at its next window",
        "       3 -> 0  rebooted by Azure without a window",
        "       0 -> 4  patched by nobody",
    ]


def test_a_schedule_in_a_cell_is_its_name_and_its_next_window() -> None:
    """A table has no room for clauses."""
    rows = [
        {"id": "/x", "via": "static", "name": "nightly", "nextWindow": "2030-02-01T03:00:00Z", "timing": "coming"},
        {"id": "/y", "via": "dynamic", "name": "old", "nextWindow": None, "timing": "over"},
    ]
    assert cell_text(rows) == "nightly 2030-02-01T03:00:00Z; old over"


@pytest.mark.parametrize("width", [None, 80])
def test_the_counts_of_an_audit_stand_below_each_other(width: int | None) -> None:
    """On a terminal as in a pipe."""
    azure = AzureDouble([machine(f"vm{number}") for number in range(12)] + [machine("db", mode="AutomaticByPlatform")])
    report = run_virtually(audit(azure, Scope(everything=True), clock=LoopClock()))
    told = "\n".join(audit_lines(report, paint=Paint(width=width)))
    counts = re.findall(r"^( *[\d,]+)  \S", told, flags=re.MULTILINE)
    assert len(counts) >= 5
    assert {len(count) for count in counts} == {8}
