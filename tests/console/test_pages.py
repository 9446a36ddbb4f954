"""Machine and schedule pages, errors of one shape, and the pure functions behind them."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.console.conftest import HTML, JSON, Open, machine_id

from arm_emulator.clock import Clock
from patchmode import console
from patchmode.console.rendering import ago_text, sentence, share
from patchmode.console.routes.machine import json_lines
from patchmode.console.schedule_pages import Coming, weeks_of
from patchmode.console.words import on_the_page
from patchmode.errors import (
    CloudError,
    ForbiddenError,
    MaybeAppliedError,
    NotSentError,
    PatchmodeError,
    RejectedError,
    StorageError,
)
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import RunForecast

NIGHTLY = ResourceId.parse(machine_id("mc-nightly"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=5), values, max_size=4))
def test_the_json_view_leaves_nothing_out(document: dict[str, Any]) -> None:
    assert json.loads("\n".join(line.text for line in json_lines(document))) == document


def test_the_patch_settings_are_marked_and_nothing_beside_them() -> None:
    document = {
        "name": "web-01",
        "properties": {
            "osProfile": {
                "windowsConfiguration": {
                    "enableAutomaticUpdates": True,
                    "patchSettings": {"patchMode": "Manual", "automaticByPlatformSettings": {"rebootSetting": "Never"}},
                    "timeZone": "UTC",
                }
            }
        },
    }
    marked = [line.text.strip() for line in json_lines(document) if line.is_marked]
    assert marked == [
        '"enableAutomaticUpdates": true,',
        '"patchSettings": {',
        '"patchMode": "Manual",',
        '"automaticByPlatformSettings": {',
        '"rebootSetting": "Never"',
        "}",
        "},",
    ]


moments = st.integers(1_577_836_800, 2_208_988_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(moments, st.integers(1, 40))
def test_the_calendar_is_whole_weeks_that_hold_every_window_once(start: datetime, days: int) -> None:
    end = start + timedelta(days=days)
    windows = [
        Coming(NIGHTLY, at, at, at, {}, 0, ())
        for at in (start, start + timedelta(hours=13), end - timedelta(seconds=1))
    ]
    weeks = weeks_of(windows, start, end)
    flat = [day for week in weeks for day in week]
    assert all(len(week) == 7 for week in weeks)
    assert flat[0].date.weekday() == 0
    assert [day.date for day in flat] == [flat[0].date + timedelta(days=place) for place in range(len(flat))]
    assert flat[0].date <= start.date() <= end.date() <= flat[-1].date
    assert sum(len(day.windows) for day in flat) == 3


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_how_long_ago(seconds: int, told: str) -> None:
    assert ago_text(timedelta(seconds=seconds)) == told


@pytest.mark.parametrize(
    ("part", "whole", "drawn"), [(0, 10, 0), (0, 0, 0), (5, 10, 50), (1, 100000, 1), (10, 10, 100)]
)
def test_a_bar_never_hides_what_is_there(part: int, whole: int, drawn: float) -> None:
    assert share(part, whole) == drawn


def test_half_sentences_become_sentences() -> None:
    assert sentence("patched as it says") == "Patched as it says."
    assert sentence("Done.") == "Done."
    assert sentence("") == "."


def test_no_template_and_no_module_trusts_a_text() -> None:
    """One value that is marked as safe would undo the escaping of all others."""
    folder = Path(console.__file__).parent
    sources = [path for path in folder.rglob("*") if path.suffix in {".py", ".html", ".js"}]
    assert len(sources) > 30
    for path in sources:
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"\|\s*safe\b|Markup\(|autoescape\s*(false|=\s*False)|innerHTML|insertAdjacent|eval\(", text
        ), path


async def test_the_machine_page_holds_what_is_promised(opened: Open) -> None:
    """Settings by both names, rules with evidence and fix, the schedule with its clause, the window, the JSON."""
    asker = await opened("schedules")
    page = await asker.get(f"/machine?id={machine_id('web-05')}")
    for told in (
        "Fails at its next window",
        "Manual updates",
        "patchMode Manual",
        "Blocks" if "Blocks" in page.words else "Warns",
        "prerequisite-missing",
        "Evidence:",
        "Fix:",
        "mc-nightly",
        "assignment 'nightly'",
        "22:00",
        "No run of this state folder has it.",
    ):
        assert told in page.words, told
    assert "<mark>" in page.text
    assert '"patchMode": "Manual"' in page.words


@pytest.mark.parametrize(
    "name", ["flex_0a1b2c3d", "onprem-win-01", "restored-01", "zürich-01", "aks-pool1-0", "web-08"]
)
async def test_odd_machines_have_pages_too(opened: Open, name: str) -> None:
    """Arc, scale sets, no osProfile, letters beyond ASCII."""
    asker = await opened("schedules")
    loaded = asker.console.fleet.value
    assert loaded is not None
    row = next(one for one in loaded.fleet.rows if one.name == name)
    page = await asker.get(f"/machine?id={quote(row.id)}")
    assert page.status == 200, page.words
    assert row.name in page.words


async def test_the_calendar_counts_what_will_run_and_fail(opened: Open) -> None:
    asker = await opened("schedules")
    waiting = await asker.get("/schedules")
    assert "Reading the schedules" in waiting.words
    await asker.console.schedules.settled()
    page = (await asker.get("/schedules")).words
    assert "mc-nightly" in page
    assert "2 run 4 fail" in page
    assert "1 run 2 fail" in page
    assert "Maintenance configurations (2)" in page
    found = asker.console.schedules.value
    assert found is not None
    windows = [one for week in found.weeks for day in week for one in day.windows]
    nightly = [one for one in windows if one.configuration.name == "mc-nightly"]
    assert len(nightly) == 35
    assert nightly[0].counts[RunForecast.FAILS] == 4
    day = nightly[1].local_start.date()
    shown = (await asker.get(f"/schedules?view=day&day={day}")).words
    assert "web-05" in shown
    assert f"{nightly[1].starts_at:%Y-%m-%d %H:%M} UTC, 180 min" in shown
    assert (await asker.get("/schedules?view=year&day=tomorrow")).status == 200
    assert (await asker.post("/schedules/refresh")).location == "/schedules"
    await asker.console.schedules.settled()


async def test_past_runs_tell_why_they_failed(opened: Open) -> None:
    """Of two nights, so that one at least has ended: how many, why, and what to do."""
    now = datetime.now(UTC)
    asker = await opened("schedules", clock=Clock(now - timedelta(hours=49)))
    await asker.control("POST", "clock", {"advance": "P2D"})
    asker.console.schedules.refresh()
    await asker.console.schedules.settled()
    page = (await asker.get("/schedules")).words
    assert "Past runs" in page
    assert "4: not prepared for schedules (the prerequisite)" in page
    assert "patchmode plan --failed-since 7d" in page


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NotFound"),
        ("GET", "/changes", 405, "MethodNotAllowed"),
        ("GET", "/machine", 400, "Usage"),
        ("GET", "/machine?id=/subscriptions/x", 400, "Usage"),
        ("GET", f"/machine?id={machine_id('gone-01')}", 404, "EmptyScope"),
        ("GET", "/changes/none", 404, "EmptyScope"),
        ("GET", "/runs/none", 400, "Usage"),
        ("GET", "/runs/none/plan.json", 400, "Usage"),
        ("GET", "/assets/none.js", 404, "NotFound"),
        ("POST", "/runs/none/verify", 400, "Usage"),
    ],
)
async def test_every_error_has_one_shape(opened: Open, method: str, path: str, status: int, code: str) -> None:
    """A program reads it; a person sees the same on a page, with what to do."""
    asker = await opened()
    send = asker.get if method == "GET" else asker.post
    answer = await send(path, headers=JSON)
    told = json.loads(answer.text)
    assert answer.status == status
    assert set(told) == {"error"}
    assert set(told["error"]) == {"code", "message", "advice"}
    assert told["error"]["code"] == code
    assert told["error"]["message"]
    page = await send(path, headers=HTML)
    assert page.status == status
    assert on_the_page(told["error"]["message"]) in page.words


async def test_a_form_that_is_too_large_is_refused(opened: Open) -> None:
    asker = await opened()
    answer = await asker.post("/changes", [("id", "x" * 2_000_000)], JSON)
    assert answer.status == 413
    assert set(json.loads(answer.text)) == {"error"}


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (
            RejectedError("GET x was answered 500", code="InternalServerError", status=500),
            502,
            "Azure refused or failed",
        ),
        (
            ForbiddenError("GET x was answered 403", code="AuthorizationFailed", status=403),
            502,
            "Azure refused or failed",
        ),
        (MaybeAppliedError("GET x got no answer", code="NoAnswer"), 504, "Azure did not answer"),
        (NotSentError("GET x was not sent: refused", code="NotSent"), 504, "Azure did not answer"),
        (CloudError("the metadata could not be read"), 502, "Azure refused or failed"),
        (StorageError("the disk is full", advice="Free some room."), 500, "This page failed"),
    ],
)
async def test_a_failure_is_a_page_with_its_cause_and_the_next_step(
    opened: Open, monkeypatch: pytest.MonkeyPatch, error: PatchmodeError, status: int, title: str
) -> None:
    asker = await opened()

    async def fails(_: Any) -> Any:
        raise error

    monkeypatch.setattr(asker.console.quick, "run", fails)
    answer = await asker.get(f"/machine?id={machine_id('web-01')}")
    assert answer.status == status
    assert f"{title} {error.message} What to do: {error.advice or 'Open the page again.'}" in answer.words


async def test_a_machine_that_azure_does_not_show_is_not_called_absent(opened: Open) -> None:
    """403 was a page that said "Not Found"."""
    asker = await opened()
    refused = {"status": 403, "json": {"error": {"code": "AuthorizationFailed", "message": "no"}}}
    rule = {"match": {"path": "*/virtualMachines/web-01"}, "do": {"respond": refused}}
    await asker.control("PUT", "faults", {"rules": [rule]})
    answer = await asker.get(f"/machine?id={machine_id('web-01')}")
    assert (answer.status, "AuthorizationFailed" in answer.words) == (502, True)
    assert (await asker.get(f"/machine?id={machine_id('no-such')}")).status == 404


async def test_a_line_break_in_an_address_is_a_bad_request(opened: Open) -> None:
    """It was a defect, since no header may have one."""
    asker = await opened()
    answer = await asker.post("/refresh", [("back", "/?q=a\r\nX-Own: 1")])
    assert answer.status == 400
    assert "X-Own" not in answer.headers
    assert (await asker.get("/?page=" + "9" * 5000)).status == 200


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Add --hotpatch off if it matters.", "Add “Turn hotpatch off where it blocks the wanted mode” if it matters."),
        ("and --max-failures is 1.", "and the failure budget is 1."),
        ("Set it with --reboot.", "Set it with the command line's option “reboot”."),
        ("Run:\npatchmode apply --ids x --hotpatch off", "Run:\npatchmode apply --ids x --hotpatch off"),
        ("`schedule create` with `--replace`", "`schedule create` with `--replace`"),
        ("a--b and -- and x", "a--b and -- and x"),
    ],
)
def test_a_page_names_no_option_of_the_command_line(text: str, told: str) -> None:
    """Nobody can type one there; a whole command is kept, since it can be pasted into a terminal."""
    assert on_the_page(text) == told
