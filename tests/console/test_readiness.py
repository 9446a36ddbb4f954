"""The page Readiness: by subscription, over time from kept readings, and the fleet as a report."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from tests.console.conftest import Open
from tests.console.test_runs import TWO

from patchmode.console.timeline import readiness_over
from patchmode.model.outcome import Readiness
from patchmode.model.reading import Reading
from patchmode.store.readings import KEPT, NAME, keep_reading, read_readings

AT = datetime(2026, 12, 1, tzinfo=UTC)


def reading(hours: int, **counts: int) -> Reading:
    found = {Readiness[kind]: count for kind, count in counts.items()}
    return Reading(AT + timedelta(hours=hours), "0123456789abcdef", found)


def test_readings_are_kept_and_bounded(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert read_readings(folder) == ()
    for hours in range(KEPT + 3):
        kept = keep_reading(folder, reading(hours, NOT_READY=2)) if hours < 3 or hours >= KEPT else ()
        if hours == 2:
            path = folder / NAME
            path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:1]) * KEPT)
    assert len(kept) == KEPT
    assert kept[-1] == reading(KEPT + 2, NOT_READY=2)
    assert read_readings(folder) == kept
    assert (folder / NAME).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_line_of_another_version_is_passed_over(tmp_path: Path) -> None:
    keep_reading(tmp_path, reading(0, NOT_READY=2))
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"at":"later"}\nnot JSON\n')
    assert read_readings(tmp_path) == [reading(0, NOT_READY=2)]


def test_lines_go_from_the_first_reading_to_the_last() -> None:
    assert readiness_over([reading(0, NOT_READY=4)]) is None
    found = readiness_over(
        [reading(0, NOT_READY=4), reading(1, NOT_READY=4), reading(4, NOT_READY=1, READY_SCHEDULED=3)]
    )
    assert found is not None
    assert (found.top, found.began, found.ended) == (4, AT, AT + timedelta(hours=4))
    lines = {one.name: (one.count, one.path) for one in found.lines}
    assert lines["not ready"] == (1, "M0 0H250V0H1000V75")
    assert lines["ready and scheduled"] == (3, "M0 100H250V100H1000V25")
    assert lines["unknown"] == (0, "")


async def test_the_page_adds_up_by_subscription_and_over_time(opened: Open) -> None:
    asker = await opened("schedules")
    page = (await asker.get("/readiness")).words
    assert "3 subscriptions, 48 machines" in page
    assert "This is the first reading of this scope" in page
    asker.console.fleet.refresh()
    await asker.console.fleet.settled()
    page = (await asker.get("/readiness")).words
    assert "Over time 2 readings" in page
    assert "ready and scheduled 3 ready, no schedule 5 not ready and scheduled: will fail 6 not ready 24" in page
    (first, _) = map(json.loads, (asker.state / NAME).read_text().splitlines())
    assert set(first) == {"at", "of", "readiness"}
    assert sum(first["readiness"].values()) == 48


@pytest.mark.parametrize(
    ("ending", "begins"), [("html", b"<!doctype html>"), ("csv", b"\xef\xbb\xbfname"), ("md", b"#")]
)
async def test_the_fleet_is_a_report(opened: Open, ending: str, begins: bytes) -> None:
    asker = await opened()
    answer = await asker.get(f"/report.{ending}")
    assert answer.status == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="patchmode-audit.{ending}"'
    assert answer.body.lstrip().startswith(begins)
    assert b"web-01" in answer.body


async def test_a_run_is_a_report_too(opened: Open) -> None:
    asker = await opened(allow_writes=True)
    run = await asker.applied(TWO, 2)
    assert f'href="{run}/report.xlsx"' in (await asker.get(run)).text
    html = await asker.get(f"{run}/report.html")
    assert html.status == 200
    assert b"web-01" in html.body
    with zipfile.ZipFile(BytesIO((await asker.get(f"{run}/report.xlsx")).body)) as book:
        assert "xl/workbook.xml" in book.namelist()
    assert (await asker.get(f"{run}/report.exe")).status == 404
