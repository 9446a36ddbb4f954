"""The journal of a live check: what a crash leaves of it, and which files it refuses."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.workflow.fleet_double import TARGET, vm

from patchmode.errors import RefusedError, RunBusyError, StorageError
from patchmode.model.live_check import Answered, Asked, Decision, ExperimentResult, Outcome
from patchmode.model.resource_id import ResourceId
from patchmode.ports.live_check import Begun
from patchmode.store.live_checks import FileJournal, LiveCheckStore, read_journal

DOCUMENT = vm("web")
MACHINE = ResourceId.parse(DOCUMENT["id"])
CONFIGURATION = (
    f"{DOCUMENT['id'].partition('/providers/')[0]}/providers/Microsoft.Maintenance/maintenanceConfigurations/x"
)
RESULT = ExperimentResult("tags", "PATCH a tag.", Outcome.ANSWERED, "200", (Decision("patched_tags", "merged", "200"),))


def begun(store: LiveCheckStore, *, second: int = 0) -> FileJournal:
    check = store.new_id(datetime(2030, 1, 1, 0, 0, second, tzinfo=UTC))
    return store.create(Begun(check, TARGET, MACHINE, DOCUMENT, "2030-01-01T00:00:00Z", group="/subscriptions/x"))


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    journal = begun(LiveCheckStore(tmp_path))
    journal.throttled(Answered(429, {"retry-after": "7", "azure-asyncoperation": "https://signed"}, None, "Busy"))
    journal.ended(RESULT)
    read = read_journal(journal.path)
    assert read == journal.recorded
    assert (read.begun.machine, read.begun.document, read.begun.target) == (MACHINE, DOCUMENT, TARGET)
    assert read.results == [RESULT]
    assert read.throttled == [Answered(429, {"retry-after": "7"}, None, "Busy")]


def test_what_a_put_may_have_created_counts_until_a_delete_is_known_to_have_ended(tmp_path: Path) -> None:
    journal = begun(LiveCheckStore(tmp_path))
    put, delete = (Asked(method, CONFIGURATION, "2023-04-01") for method in ("PUT", "DELETE"))
    journal.intended("hourly", put, None)
    assert read_journal(journal.path).created == [CONFIGURATION]
    journal.answered(put, None)
    assert read_journal(journal.path).created == [CONFIGURATION]
    journal.intended("restore", delete, None)
    journal.answered(delete, Answered(409, {}, None, "Assigned"))
    assert read_journal(journal.path).created == [CONFIGURATION]
    journal.answered(delete, Answered(204, {}, None))
    assert read_journal(journal.path).created == []
    journal.intended("hourly", put, None)
    journal.answered(put, Answered(400, {}, None, "InvalidMaintenanceWindow"))
    assert read_journal(journal.path).created == []


def test_a_line_that_a_crash_cut_short_counts_as_not_written(tmp_path: Path) -> None:
    journal = begun(LiveCheckStore(tmp_path))
    journal.ended(RESULT)
    whole = journal.path.read_bytes()
    for cut in (1, 10, len(whole.splitlines()[-1])):
        journal.path.write_bytes(whole[:-cut])
        opened = LiveCheckStore(tmp_path).open_for(MACHINE)
        assert opened is not None
        assert opened.recorded.results == ([RESULT] if cut == 1 else [])
        opened.ended(RESULT)
        assert read_journal(journal.path).results[-1] == RESULT


def test_one_that_ended_with_the_machine_as_it_was_is_not_open(tmp_path: Path) -> None:
    store = LiveCheckStore(tmp_path)
    assert store.open_for(MACHINE) is None
    first = begun(store)
    first.closed("finished", is_restored=False)
    opened = store.open_for(MACHINE)
    assert opened is not None
    assert opened.path == first.path
    first.closed("undone", is_restored=True)
    assert store.open_for(MACHINE) is None
    assert begun(store, second=1).path != first.path


def test_another_file_and_a_newer_version_are_refused(tmp_path: Path) -> None:
    store = LiveCheckStore(tmp_path)
    path = begun(store).path
    row = json.loads(path.read_text())
    path.write_text(json.dumps({**row, "format": "patchmode/live-check-journal/v2"}))
    with pytest.raises(RefusedError, match="v2"):
        store.open_for(MACHINE)
    path.write_text("{}\n")
    with pytest.raises(RefusedError, match="is not the journal of a live check"):
        store.open_for(MACHINE)
    path.write_text(json.dumps({**row, "machine": "nothing"}))
    with pytest.raises(StorageError, match="damaged"):
        store.open_for(MACHINE)


def test_a_machine_is_asked_by_one_process_at_a_time(tmp_path: Path) -> None:
    store = LiveCheckStore(tmp_path)
    lock = store.lock(MACHINE)
    with pytest.raises(RunBusyError, match="live check"):
        store.lock(MACHINE)
    lock.release()
    store.lock(MACHINE).release()
