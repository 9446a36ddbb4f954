"""A copy of a journal, taken while somebody writes to it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.store.plans import change, plan

from patchmode.errors import StorageError
from patchmode.store.run_copy import copy_journal
from patchmode.store.runs import RunStore
from patchmode.workflow.ports import Step

NOW = datetime(2030, 1, 8, 12, tzinfo=UTC)


async def test_a_copy_holds_what_is_only_in_the_log(tmp_path: Path) -> None:
    """The writer is at work, so its last steps have not reached the main file."""
    journal = RunStore(tmp_path / "state").create(plan(change("vm-0"), change("vm-1")))
    await journal.intend(journal.plan.changes[0].id, etag='"1"', at=NOW)
    copied = tmp_path / "copy" / "runs" / f"{journal.run}.sqlite"
    copied.parent.mkdir(parents=True)
    copy_journal(tmp_path / "state" / "runs" / copied.name, copied)
    await journal.intend(journal.plan.changes[1].id, etag='"1"', at=NOW)
    journal.release()
    assert [path.name for path in copied.parent.iterdir()] == [copied.name]
    reader = RunStore(tmp_path / "copy").open(journal.run)
    assert [entry.step for entry in reader.entries()] == [Step.INTENDED, Step.PENDING]
    reader.release()


def test_a_copy_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    journal = RunStore(tmp_path).create(plan(change("vm-0")))
    journal.release()
    source = tmp_path / "runs" / f"{journal.run}.sqlite"
    with pytest.raises(StorageError, match="could not copy"):
        copy_journal(source, tmp_path / "nowhere" / "copy.sqlite")
    with pytest.raises(StorageError, match="could not open"):
        copy_journal(tmp_path / "runs" / "none.sqlite", tmp_path / "copy.sqlite")
