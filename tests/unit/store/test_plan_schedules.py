"""A plan's schedules survive its file, are part of what was reviewed, and can name nothing but a schedule."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.store.plans import GUEST, change, machine_id, plan

from patchmode.documents.published import render_schemas
from patchmode.errors import BrokenPlanError
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.plan import Detachment, KeptBy, Plan, ThenAttach, Unchanged
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import AttachAction, AttachEnd, AttachResult
from patchmode.ports.run import Step
from patchmode.store.journal_rows import (
    attachment_ended_row,
    attachment_intended_row,
    attachments_of,
    fold_attachments,
    places_of,
)
from patchmode.store.plan_file import decode_plan, encode_plan

WEEKLY = ResourceId.parse(
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Maintenance"
    "/maintenanceConfigurations/weekly"
)
RIGHT = Unchanged(machine_id("right"), MachineKind.VM, GUEST)
ATTACHING = plan(change(), then_attach=ThenAttach(WEEKLY, "weekly"), unchanged=(RIGHT,))
DETACHING = plan(change(), first_detach=(Detachment(machine_id("vm-0"), MachineKind.VM, WEEKLY, "weekly"),))


FORESEEN = replace(
    ATTACHING,
    unchanged=(replace(RIGHT, outcome_after=Outcome(OutcomeKind.SCHEDULED, "patched as 'weekly' says")),),
    then_attach=ThenAttach(
        WEEKLY, "weekly", (KeptBy("keep", "/subscriptions/11111111-1111-1111-1111-111111111111", 2),)
    ),
)


@pytest.mark.parametrize("made", [ATTACHING, DETACHING, FORESEEN], ids=["attaching", "detaching", "foreseen"])
def test_schedules_survive_the_file_and_its_schema(made: Plan) -> None:
    content, digest = encode_plan(made)
    assert decode_plan(content, name="p") == made
    jsonschema.validate(json.loads(content), json.loads(render_schemas()["plan-v1.json"]))
    assert digest != encode_plan(replace(made, then_attach=None, first_detach=()))[1]


def test_a_plan_without_them_is_readable_by_versions_that_know_none() -> None:
    assert not {"thenAttach", "firstDetach"} & set(json.loads(encode_plan(plan())[0]))


def test_what_a_schedule_makes_of_a_right_machine_stands_only_where_it_differs() -> None:
    """A plan file of an earlier version has neither member, and keeps its digest."""
    (same,) = json.loads(encode_plan(ATTACHING)[0])["unchanged"]
    assert set(same) == {"id", "kind", "outcome", "outcomeReason"}
    assert set(json.loads(encode_plan(ATTACHING)[0])["thenAttach"]) == {"configuration", "name"}
    foreseen = json.loads(encode_plan(FORESEEN)[0])
    (other,) = foreseen["unchanged"]
    assert (other["outcomeAfter"], other["outcomeAfterReason"]) == ("scheduled", "patched as 'weekly' says")
    assert [row["machines"] for row in foreseen["thenAttach"]["keptBy"]] == [2]


@pytest.mark.parametrize("edit", [b'"machines": 2', b"patched as"], ids=["lock", "outcome"])
def test_what_was_foreseen_is_part_of_what_was_reviewed(edit: bytes) -> None:
    content, _ = encode_plan(FORESEEN)
    assert edit in content
    with pytest.raises(BrokenPlanError, match="was changed after it was written"):
        decode_plan(content.replace(edit, edit.replace(b"2", b"3").replace(b"as", b"if")), name="p")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            replace(ATTACHING, then_attach=ThenAttach(machine_id("vm-0"), "weekly")),
            "is not a maintenance configuration",
        ),
        (replace(ATTACHING, then_attach=ThenAttach(WEEKLY, "a/../b")), "is not a valid assignment name"),
        (replace(ATTACHING, then_attach=ThenAttach(WEEKLY, "")), "is not a valid assignment name"),
        (replace(ATTACHING, first_detach=DETACHING.first_detach), "attach and detach at once"),
        (
            plan(change(), first_detach=(Detachment(machine_id("strange"), MachineKind.VM, WEEKLY, "weekly"),)),
            "which is not in its scope",
        ),
    ],
)
def test_plan_that_would_write_anything_else_is_refused(made: Plan, words: str) -> None:
    with pytest.raises(BrokenPlanError, match=words):
        encode_plan(made)


def test_edited_schedule_is_refused() -> None:
    content, _ = encode_plan(ATTACHING)
    with pytest.raises(BrokenPlanError, match="was changed after it was written"):
        decode_plan(content.replace(b"/weekly", b"/monthly"), name="p")


def test_changed_machines_come_before_right_ones_and_no_place_is_a_changes() -> None:
    entries = attachments_of(ATTACHING)
    assert [(entry.id.name, entry.change is not None, entry.action) for entry in entries] == [
        ("vm-0", True, AttachAction.ATTACH),
        ("right", False, AttachAction.ATTACH),
    ]
    assert list(places_of(ATTACHING).values()) == [1, 2]


ERRORS = st.builds(MachineError, st.just("Code"), st.text(), st.booleans(), st.text(), st.none() | st.just(403))
RESULTS = st.builds(
    AttachResult,
    st.just(str(machine_id("right"))),
    st.sampled_from(AttachEnd),
    assignment=st.none() | st.just("weekly"),
    rule=st.none() | st.just("would-autopatch"),
    error=st.none() | ERRORS,
    fix=st.none() | st.text(),
    request_id=st.none() | st.just("r"),
    correlation_id=st.none() | st.just("c"),
)


@given(RESULTS)
def test_each_end_survives_the_journal(result: AttachResult) -> None:
    at = ATTACHING.created_at
    assert at is not None
    rows: list[Any] = [attachment_intended_row(2, at=at), attachment_ended_row(2, result, at=at)]
    untouched, ended = fold_attachments(ATTACHING, rows)
    assert (untouched.step, ended.step, ended.result) == (Step.PENDING, Step.ENDED, result.at(at))
    (_, intended) = fold_attachments(ATTACHING, rows[:1])
    assert (intended.step, intended.result) == (Step.INTENDED, None)


@pytest.mark.parametrize("place", [0, 3, 99])
def test_row_of_another_place_is_damage(place: int) -> None:
    with pytest.raises(IndexError):
        fold_attachments(ATTACHING, [(place, "attachIntended", 0.0, b"{}")])


def test_torn_row_is_damage() -> None:
    with pytest.raises(msgspec.DecodeError):
        fold_attachments(ATTACHING, [(1, "attachEnded", 0.0, b"{")])
