"""Evidence says what was read and what was only written down, and is made of runs that nobody carries out."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.store import plans

from patchmode.errors import RunBusyError
from patchmode.model.evidence import AfterFrom
from patchmode.model.run import ChangeResult, Result, Verification
from patchmode.ports.run import JournalEntry, Step
from patchmode.workflow.run.verification import gather_offline

NOON = datetime(2030, 1, 8, 12, 0, tzinfo=UTC)


class StoppedClock:
    """It is always noon."""

    def now(self) -> datetime:
        return NOON


class WrittenDown:
    """A journal of two changes: one applied and verified, one that had no turn."""

    run = "20300108T120000000Z-abcdef"

    def __init__(self, state: str) -> None:
        self.state = state

    def entries(self) -> list[JournalEntry]:
        seen = Verification(plans.machine_id("vm-0"), verified=True)
        result = ChangeResult(plans.machine_id("vm-0"), Result.APPLIED, verification=seen)
        return [
            JournalEntry(plans.change("vm-0"), Step.ENDED, result=result),
            JournalEntry(plans.change("vm-1"), Step.PENDING),
        ]


def offline(state: str) -> Any:
    return gather_offline(WrittenDown(state), clock=StoppedClock())  # type: ignore[arg-type]  # as much as is used


@pytest.mark.parametrize("state", ["finished", "interrupted"])
def test_offline_evidence_has_no_document_afterwards_and_says_why(state: str) -> None:
    """What the plan promised is no document that anybody read."""
    found = offline(state)
    assert (found.after_from, found.gathered_at) == (AfterFrom.JOURNAL, NOON)
    assert [(one.id.name, one.result, one.after) for one in found.machines] == [
        ("vm-0", "applied", None),
        ("vm-1", "notSent", None),
    ]
    assert all(one.after_missing.startswith("nothing was read") for one in found.machines)
    assert [one.id.name for one in found.verifications] == ["vm-0"]


def test_a_run_that_is_under_way_is_not_packed() -> None:
    """Report and journal in one pack would tell of two moments."""
    with pytest.raises(RunBusyError, match="is under way"):
        offline("running")
