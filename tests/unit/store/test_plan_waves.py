"""The waves of a plan survive its file, are part of what was reviewed, and account for all that is carried out."""

import json
from dataclasses import replace

import jsonschema
import pytest
from tests.unit.store.plans import GUEST, change, machine_id, plan
from tests.unit.store.test_plan_schedules import DETACHING, WEEKLY

from patchmode.documents.published import render_schemas
from patchmode.errors import BrokenPlanError
from patchmode.model.machine import MachineKind
from patchmode.model.plan import Plan, ThenAttach, Unchanged, Wave
from patchmode.store.plan_file import decode_plan, encode_plan

RIGHT = tuple(Unchanged(machine_id(name), MachineKind.VM, GUEST) for name in ("right-0", "right-1"))
CHANGES = tuple(change(f"vm-{number}") for number in range(3))
WAVED = plan(*CHANGES, unchanged=RIGHT, waves=(Wave("ring=canary", 1, 0), Wave("ring=broad", 2, 0)))
ATTACHING = replace(
    WAVED,
    then_attach=ThenAttach(WEEKLY, "weekly"),
    waves=(Wave("ring=canary", 1, 1), Wave("ring=broad", 2, 0), Wave("no tag ring", 0, 1)),
)


@pytest.mark.parametrize("made", [WAVED, ATTACHING], ids=["settings", "attaching"])
def test_waves_survive_the_file_and_its_schema(made: Plan) -> None:
    content, digest = encode_plan(made)
    assert decode_plan(content, name="p") == made
    jsonschema.validate(json.loads(content), json.loads(render_schemas()["plan-v1.json"]))
    assert digest != encode_plan(replace(made, waves=()))[1]


def test_waves_are_told_as_rows() -> None:
    assert json.loads(encode_plan(ATTACHING)[0])["waves"] == [
        {"name": "ring=canary", "changes": 1, "unchanged": 1},
        {"name": "ring=broad", "changes": 2, "unchanged": 0},
        {"name": "no tag ring", "changes": 0, "unchanged": 1},
    ]


def test_a_plan_without_them_is_readable_by_versions_that_know_none() -> None:
    assert "waves" not in json.loads(encode_plan(plan())[0])


def test_waves_are_part_of_what_was_reviewed() -> None:
    content, _ = encode_plan(WAVED)
    assert content.count(b"ring=canary") == 1
    with pytest.raises(BrokenPlanError, match="was changed after it was written"):
        decode_plan(content.replace(b"ring=canary", b"ring=others"), name="p")


def test_a_wave_knows_its_machines() -> None:
    assert [one.id.name for one in ATTACHING.changes_of(1)] == ["vm-1", "vm-2"]
    assert [one.id.name for one in ATTACHING.changes_of(2)] == []
    assert [[one.id.name for one in ATTACHING.unchanged_of(wave)] for wave in range(3)] == [
        ["right-0"],
        [],
        ["right-1"],
    ]
    assert [one.id.name for one in WAVED.changes_of(0)] == ["vm-0"]
    assert WAVED.unchanged_of(1) == ()


def test_without_waves_everything_is_one() -> None:
    assert replace(WAVED, waves=()).changes_of(0) == CHANGES
    assert replace(WAVED, waves=()).unchanged_of(0) == ()
    assert replace(ATTACHING, waves=()).unchanged_of(0) == RIGHT


def test_how_many_machines_a_plan_writes_to() -> None:
    assert (WAVED.touched, ATTACHING.touched, DETACHING.touched) == (3, 5, 1)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (replace(WAVED, waves=WAVED.waves[:1]), "do not add up"),
        (replace(WAVED, waves=(*WAVED.waves, Wave("more", 0, 2))), "do not add up"),
        (replace(ATTACHING, waves=WAVED.waves), "do not add up"),
        (replace(WAVED, waves=(Wave("a", 3, 0), Wave("b", 0, 0))), "its wave 'b' holds no machine"),
        (replace(WAVED, waves=(Wave("a", 4, 0), Wave("b", -1, 2))), "its wave 'b' holds no machine"),
        (replace(WAVED, waves=(Wave("a", 1, 0), Wave("a", 2, 0))), "two of its waves are named 'a'"),
        (replace(WAVED, waves=(Wave("", 3, 0),)), "'' is not a valid wave name"),
        (replace(WAVED, waves=(Wave("a\nb", 3, 0),)), "is not a valid wave name"),
        (replace(DETACHING, waves=(Wave("a", 1, 0),)), "detach schedules wave by wave"),
    ],
)
def test_waves_that_do_not_account_for_the_plan_are_refused(made: Plan, words: str) -> None:
    with pytest.raises(BrokenPlanError, match=words):
        encode_plan(made)
