"""Assessments of Resource Graph: counts are what was recorded, and what is not readable is not zero."""

import pytest

from patchmode.arm.run_rows import RecordRow, assessment_of, assessments_query
from patchmode.arm.schedule_rows import UnreadableRowError
from patchmode.model.resource_id import ResourceId

GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/a"


def row(counts: object, status: object = "Succeeded", tail: str = "patchAssessmentResults/latest") -> RecordRow:
    properties = {
        "status": status,
        "lastModifiedDateTime": "2026-03-01T10:00:00.1234567Z",
        "availablePatchCountByClassification": counts,
        "rebootPending": True,
    }
    return RecordRow(f"{VM}/{tail}", properties)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"critical": 1, "security": 2, "other": 3}, (1, 2, 3)),
        ({"critical": 1, "security": 2, "updateRollup": 3, "definition": 4, "tools": None}, (1, 2, 7)),
        ({"Critical": 1.0, "Security": "2", "other": None}, (1, 2, 0)),
        ({"security": 2, "other": 0}, (0, 2, 0)),
        ({"critical": "many", "security": 2, "other": 0}, None),
        ({"critical": 1, "security": 2, "other": -1}, None),
        ({"critical": True, "security": 2, "other": 0}, None),
        ({}, None),
        (None, None),
        ("12", None),
    ],
)
def test_counts(counts: object, expected: tuple[int, int, int] | None) -> None:
    found = assessment_of(row(counts))
    assert found is not None
    assert found.counts == expected
    assert (found.machine, found.reboot_pending) == (ResourceId.parse(VM), True)


@pytest.mark.parametrize("status", ["Failed", "InProgress", "", None, 7])
def test_what_did_not_succeed_counts_nothing(status: object) -> None:
    """Its counts may be those of an earlier assessment, or of a part."""
    found = assessment_of(row({"critical": 0, "security": 0, "other": 0}, status))
    assert found is not None
    assert found.counts is None


def test_a_row_of_one_update_is_no_assessment() -> None:
    with pytest.raises(UnreadableRowError):
        assessment_of(row({}, tail="patchAssessmentResults/latest/softwarePatches/x"))


def test_only_plain_ids_become_part_of_the_query() -> None:
    one = ResourceId.parse(VM)
    assert f"in ('{one.key}')" in assessments_query([one])
    odd = ResourceId.parse(VM.replace("/rg/", "/rg (x)/"))
    assert " in (" not in assessments_query([one, odd])
    assert " in (" not in assessments_query([])
