"""The file in which processes tell each other what Resource Graph still grants: nothing depends on it."""

import json
import logging
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from patchmode.ports.azure import GraphQuota
from patchmode.store.files import FileLock
from patchmode.store.quota_file import NAME, QuotaFile

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ME = "https://management.azure.com|11111111-1111-1111-1111-111111111111|22222222-2222-2222-2222-222222222222"
QUOTA = GraphQuota(9, NOW, NOW + timedelta(seconds=4.5))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    QuotaFile(folder).write(ME, QUOTA)
    QuotaFile(folder).write("somebody else", GraphQuota(3, NOW, NOW + timedelta(seconds=2)))
    assert QuotaFile(folder).read(ME) == QUOTA
    assert QuotaFile(folder).read("nobody") is None


def test_nothing_in_it_names_anybody(tmp_path: Path) -> None:
    QuotaFile(tmp_path).write(ME, QUOTA)
    text = (tmp_path / NAME).read_text(encoding="utf-8")
    assert not any(part in text for part in ("1111", "2222", "azure.com"))
    assert set(json.loads(text)) == {"format", "granted"}
    if sys.platform != "win32":
        assert (tmp_path / NAME).stat().st_mode & 0o077 == 0


def test_entries_of_yesterday_are_dropped(tmp_path: Path) -> None:
    """An emulator has another address at each start: the file must not grow for ever."""
    file = QuotaFile(tmp_path)
    for days in range(3):
        file.write(f"day {days}", GraphQuota(1, NOW + timedelta(days=days), NOW + timedelta(days=days)))
    assert [file.read(f"day {days}") is not None for days in range(3)] == [False, True, True]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"null",
        b'{"format":"patchmode/resource-graph-quota/v2","granted":{}}',
        b'{"format":"patchmode/resource-graph-quota/v1","granted":{"x":{"remaining":"many"}}}',
        b'{"format":"patchmode/resource-graph-quota/v1","granted":{"x":{"remaining":1}}}',
        b" " * 2_000_000,
    ],
)
def test_a_file_of_anything_else_is_written_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    file = QuotaFile(tmp_path)
    assert file.read(ME) is None
    file.write(ME, QUOTA)
    assert file.read(ME) == QUOTA


@pytest.mark.parametrize("place", [0, 1])
def test_an_instant_without_a_zone_is_none(tmp_path: Path, place: int) -> None:
    """Either of an entry's two."""
    file = QuotaFile(tmp_path)
    file.write(ME, QUOTA)
    path = tmp_path / NAME
    first, second, end = path.read_text(encoding="utf-8").split('Z"')
    path.write_text(first + ('"', 'Z"')[place] + second + ('Z"', '"')[place] + end, encoding="utf-8")
    assert file.read(ME) is None


def test_a_file_that_grew_beyond_all_use_is_not_read(tmp_path: Path) -> None:
    file = QuotaFile(tmp_path)
    file.write(ME, QUOTA)
    with (tmp_path / NAME).open("ab") as stream:
        stream.write(b" " * 1_000_000)
    assert file.read(ME) is None


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="who may write everywhere is not refused")
def test_a_folder_that_cannot_be_written_is_no_matter(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    QuotaFile(tmp_path).write(ME, QUOTA)
    assert QuotaFile(tmp_path).read(ME) is None
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("what", ["folder", "file", "lock"])
def test_what_stands_in_its_place_is_no_matter(tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried once, and told to the log only."""
    folder = tmp_path / "state"
    if what == "folder":
        folder.write_text("a file", encoding="utf-8")
    else:
        (folder / NAME).with_suffix(".json" if what == "file" else ".lock").mkdir(parents=True)
    file = QuotaFile(folder)
    with caplog.at_level(logging.DEBUG):
        file.write(ME, QUOTA)
        file.write(ME, QUOTA)
    assert file.read(ME) is None
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


def test_a_lock_that_another_process_holds_is_not_waited_for(tmp_path: Path) -> None:
    """A stopped process would hold up every command; its entry is as good."""
    file = QuotaFile(tmp_path)
    file.write(ME, QUOTA)
    lock = FileLock((tmp_path / NAME).with_suffix(".lock"), what="it")
    file.write(ME, GraphQuota(1, NOW, NOW))
    assert file.read(ME) == QUOTA
    lock.release()
    file.write(ME, GraphQuota(1, NOW, NOW))
    assert file.read(ME) == GraphQuota(1, NOW, NOW)


def test_many_at_once_leave_a_file_that_can_be_read(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for left in range(20):
            QuotaFile(tmp_path).write(f"identity {number}", GraphQuota(left, NOW, NOW))
            QuotaFile(tmp_path).read(f"identity {number}")

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    document = json.loads((tmp_path / NAME).read_bytes())
    assert 1 <= len(document["granted"]) <= 4
    assert {path.name for path in tmp_path.iterdir()} == {NAME, NAME.replace(".json", ".lock")}
