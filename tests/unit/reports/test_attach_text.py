"""Attach and create reports: documents are what their structs say, lines name every end."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rules.schedules.builders import configuration_id, machine, member

from patchmode.documents.attachments import ATTACH_COLUMNS, attach_document, create_document, flat_row
from patchmode.model.left_alone import MachineError, Skipped, Unreadable
from patchmode.model.report import CreateReport
from patchmode.model.run import Difference
from patchmode.model.schedule import AttachAction, AttachEnd, AttachReport, AttachResult, Forecast, RunForecast, Window
from patchmode.model.target import Target
from patchmode.reports.names import MachineNames
from patchmode.reports.text.attachments import attach_lines, create_lines, draft_lines, member_lines, written_lines
from patchmode.reports.text.layout import Paint, way_out

TARGET = Target("AzureCloud", "https://management.azure.com", "99999999-9999-9999-9999-999999999999")
NAMES = MachineNames.of(TARGET, ())
START = datetime(2030, 1, 31, 22, 0, tzinfo=UTC)
WINDOW = Window(START, START.replace(hour=23), START)
ERROR = MachineError("Conflict", "It was busy.", may_have_been_applied=False, advice="Try again.", http_status=409)


def result(number: int, end: AttachEnd) -> AttachResult:
    fine = end in {AttachEnd.ATTACHED, AttachEnd.DETACHED, AttachEnd.UNCHANGED}
    return AttachResult(str(machine(f"vm{number}").id), end, error=None if fine else ERROR)


@given(st.lists(st.sampled_from(AttachEnd), max_size=12), st.integers(0, 3), st.integers(0, 3))
def test_counts_add_up_and_every_trouble_is_named(ends: list[AttachEnd], skipped: int, unreadable: int) -> None:
    """Nothing that did not end well is left out of what a person reads."""
    results = tuple(result(number, end) for number, end in enumerate(ends))
    report = AttachReport(
        AttachAction.ATTACH,
        TARGET,
        configuration_id(),
        "finished",
        results,
        skipped=tuple(Skipped(machine(f"s{number}").id, "filter-os", "Left out.") for number in range(skipped)),
        unreadable=tuple(Unreadable(f"/u{number}", "No.") for number in range(unreadable)),
    )
    counts = report.counts
    assert counts.pop("scope") == sum(counts.values()) == len(ends) + skipped + unreadable
    document = attach_document(report)
    assert msgspec.json.decode(msgspec.json.encode(document), type=type(document)) == document
    assert all(set(flat_row(one)) == set(ATTACH_COLUMNS) for one in results)
    text = "\n".join(attach_lines(report, paint=Paint()))
    in_trouble = [one for one in results if not one.is_fine]
    shown = [one for one in in_trouble if f"rg/{one.id.rpartition('/')[2]}" in text or "more" in text]
    assert shown == in_trouble
    assert f"{len(ends) + skipped + unreadable} machine" in text


def test_refusals_share_one_way_out() -> None:
    """One command prepares and attaches them all: their ids stand in it, or go into a file where they are many."""
    error = MachineError("Refused", "Not prepared.", may_have_been_applied=False, advice="fix")
    fix = f"patchmode apply --ids X --then-attach {configuration_id()}"
    results = tuple(
        AttachResult(f"/vm{number}", AttachEnd.REFUSED, rule="prerequisite-missing", error=error, fix=fix)
        for number in range(4)
    )
    few = AttachReport(AttachAction.ATTACH, TARGET, configuration_id(), "finished", results[:2])
    text = "\n".join(attach_lines(few, paint=Paint()))
    assert text.count("→") == 1
    assert f"patchmode apply --ids /vm0 /vm1 --then-attach {configuration_id()}" in text
    many = replace(few, results=results)
    text = "\n".join(attach_lines(many, paint=Paint(), again=("schedule", "attach", "nightly", "-g", "rg (a)")))
    assert text.count("→") == 1
    listed = "-o json --query \"results[?rule=='prerequisite-missing'].id\" > ids.json"
    assert f"        patchmode schedule attach nightly -g 'rg (a)' {listed}\n" in text
    assert f"        patchmode apply --ids-file ids.json --then-attach {configuration_id()}\n" in text


@pytest.mark.parametrize(
    ("outcome", "differences", "told"),
    [
        ("created", (), "a read afterwards shows what was sent."),
        ("replaced", (Difference("properties.a", '"x"', "(absent)"),), 'properties.a: expected "x", found (absent)'),
        ("unchanged", (), "Already compliant, nothing was sent"),
    ],
)
def test_creations(outcome: str, differences: tuple[Difference, ...], told: str) -> None:
    report = CreateReport(TARGET, configuration_id(), outcome, {"a": {"b": [1]}}, (WINDOW,), (), differences)
    text = "\n".join(create_lines(report, paint=Paint()))
    assert told in text
    assert ("shows what was sent" in text) is (outcome == "created")
    document = create_document(report)
    assert msgspec.json.decode(msgspec.json.encode(document), type=type(document)) == document


def test_a_draft_shows_every_leaf_or_every_difference() -> None:
    properties = {"window": {"start": "x", "days": ["a", "b"]}}
    made = "\n".join(
        draft_lines(
            configuration_id(), properties, (), (WINDOW,), (), NAMES, text="daily", replaces=False, paint=Paint()
        )
    )
    assert "    + window.start: x\n    + window.days: a, b" in made
    assert "Thu 2030-01-31 22:00-23:00 UTC  =  2030-01-31 22:00 UTC" in made
    before = (Difference("properties.window.start", '"x"', '"y"'),)
    changed = "\n".join(
        draft_lines(configuration_id(), properties, before, (), (), NAMES, text="daily", replaces=True, paint=Paint())
    )
    assert '    ~ window.start: "y" -> "x"' in changed
    assert "No window comes." in changed


def test_members_of_a_scope_are_told_by_what_becomes_of_them() -> None:
    fails = Forecast(RunForecast.FAILS, "it is not prepared", "prerequisite-missing")
    text = "\n".join(
        member_lines(
            [member("a"), member("b", fails), member("c", doubt="the tag differs in case")], NAMES, paint=Paint()
        )
    )
    assert "It has 3 members now:" in text
    assert "  will run (1)\n      rg/a\n  will fail (1)\n      rg/b\n      it is not prepared" in text
    assert "  not known (1)\n      rg/c\n      the tag differs in case" in text


def test_a_command_is_never_broken_by_the_width() -> None:
    """What is copied from a terminal has to be one command."""
    command = "patchmode apply --ids " + "x" * 60
    told = list(way_out(f"First a sentence that needs two lines:\n{command}", paint=Paint(width=40)))
    assert told == [
        "      → First a sentence that needs two",
        "        lines:",
        f"        {command}",
    ]


def test_the_machines_that_will_be_written_to_are_named_before_the_question() -> None:
    """The first ten, and how many more there are."""
    found = [machine(f"web-{number:02}").id for number in range(12)]
    names = MachineNames.of(TARGET, found)
    shown = ", ".join(f"rg/web-{number:02}" for number in range(10))
    lines = list(written_lines(AttachAction.DETACH, found, names, paint=Paint()))
    assert lines == ["To be detached (12):", f"      {shown} and 2 more"]
    assert list(written_lines(AttachAction.ATTACH, [], names, paint=Paint())) == []
