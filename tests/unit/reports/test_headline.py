"""The three numbers, in words that fit their number and lines that fit a terminal."""

import re
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.workflow.azure_double import AzureDouble, machine
from tests.unit.workflow.fleet_double import LoopClock, run_virtually

from patchmode.model.left_alone import Skipped
from patchmode.model.outcome import Headline, Outcome, OutcomeKind
from patchmode.model.report import AuditReport
from patchmode.model.scope import Scope
from patchmode.reports.formats.structured import cell_text
from patchmode.reports.text.audit import audit_lines, change_lines, headline_lines
from patchmode.reports.text.layout import Paint
from patchmode.workflow.inventory.audit import audit

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


def told_of(report: AuditReport, *, width: int | None = None) -> list[str]:
    return list(audit_lines(report, paint=Paint(width=width)))


def audited(*names: str, **changes: Any) -> AuditReport:
    azure = AzureDouble([machine(name, mode="AutomaticByOS") for name in names])
    return replace(run_virtually(audit(azure, Scope(everything=True), clock=LoopClock())), **changes)


@pytest.mark.parametrize("width", [None, 80])
def test_the_reasons_of_what_is_not_known_are_told_by_reason(width: int | None) -> None:
    """The headline said "their reasons say why", and no reason was printed."""
    report = audited("a", "b", "c", "d")
    reasons = ["one reason", "another", "one reason"]
    unknown = [
        replace(entry, outcome=Outcome(OutcomeKind.UNKNOWN, reason))
        for entry, reason in zip(report.machines, reasons, strict=False)
    ]
    told = told_of(replace(report, machines=(*unknown, report.machines[3])), width=width)
    start = told.index("Outcome not known (3):")
    group = report.machines[0].machine.id.resource_group
    assert told[start + 1 : start + 5] == [
        f"  2: {group}/a, {group}/c",
        "      one reason",
        f"  1: {group}/b",
        "      another",
    ]
    assert "Outcome not known" not in "\n".join(told_of(report))


def test_many_reasons_leave_the_rest_to_the_json() -> None:
    report = audited(*(f"m{number:02}" for number in range(12)))
    unknown = tuple(
        replace(entry, outcome=Outcome(OutcomeKind.UNKNOWN, f"reason {number}"))
        for number, entry in enumerate(report.machines)
    )
    assert (
        told_of(replace(report, machines=unknown))[-1] == "  and 2 more machines; `-o json` has all, as outcomeReason"
    )


def test_the_last_sentence_tells_filters_from_doubt_and_adds_up() -> None:
    """A machine of which nobody knows whether a schedule reaches it was "left out by filters"."""
    report = audited("a", "b", "c", "d")
    one, two, three, four = report.machines
    skipped = (
        Skipped(two.machine.id, "filter-os", "It runs Linux."),
        Skipped(three.machine.id, "schedule-not-certain", "Its tags could not be read."),
        Skipped(four.machine.id, "exclude-name", "Its name is excluded."),
    )
    told = told_of(replace(report, machines=(one,), skipped=skipped))
    assert (
        "0 compliant, 1 eligible for Customer Managed Schedules, 0 blocked, 2 filtered out, 1 not known to be in "
        "scope, 0 unreadable." in told
    )
    assert "Filtered out (2):" in told
    assert "Not known whether in scope (1):" in told
