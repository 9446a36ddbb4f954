"""The fleet's page, its export and its refresh; names and tags that are no HTML and no formulas."""

import csv
import io
import json
import os
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from tests.cli import forked
from tests.cli.conftest import PROGRAM, installed
from tests.console.conftest import JSON, Asker, Open, machine_id

from arm_emulator.fleet_generator import fleet_document
from arm_emulator.named_fleets import read_fleet
from patchmode.console.fleet_query import parse_query

HOSTILE_TAG = {"<img src=x onerror=alert(1)>": "\"'><script>alert(2)</script>", "=cmd()": "{{7*7}}"}
HOSTILE_NAME = 'o\'hara-"01"<b>'


def hostile_fleet() -> dict[str, Any]:
    """The small fleet with a name and tags that somebody chose in order to be seen as something else."""
    fleet = json.loads(json.dumps(read_fleet("small")))
    for resource in fleet["resources"]:
        if resource["id"].endswith("/web-01"):
            resource["id"] = resource["id"].replace("web-01", HOSTILE_NAME)
            resource["name"] = HOSTILE_NAME
            resource["tags"] = HOSTILE_TAG
    return fleet


def command_line(asker: Asker, *arguments: str) -> str:
    """What the command line writes of the same fleet."""
    run = forked.run if forked.IS_POSSIBLE else installed
    given = ("--cloud", asker.served.endpoint, *arguments)
    return run(PROGRAM, given, cwd=asker.state.parent, env=os.environ, stdin="", timeout_s=60).stdout


def audit_csv(asker: Asker, *options: str) -> list[dict[str, str]]:
    """Its lines as it writes them for a spreadsheet."""
    return list(csv.DictReader(io.StringIO(command_line(asker, "audit", *options, "-o", "csv"))))


def marked(text: str) -> str:
    """The text behind the mark by which Excel knows UTF-8, which is there once."""
    assert text.startswith("\ufeff")
    assert text.count("\ufeff") == 1
    return text[1:]


async def test_the_export_is_what_the_audit_writes(opened: Open) -> None:
    """Whoever compares the two finds one truth, members, order of columns and odd names included."""
    asker = await opened("schedules")
    theirs = {line["id"]: line for line in audit_csv(asker, "--all")}
    answer = await asker.get("/fleet.csv")
    ours = {line["id"]: line for line in csv.DictReader(io.StringIO(marked(answer.text)))}
    assert answer.headers["Content-Disposition"] == 'attachment; filename="fleet.csv"'
    assert len(ours) == 48
    assert ours == theirs
    assert list(next(iter(ours.values()))) == list(next(iter(theirs.values())))


async def test_the_export_is_what_is_shown(opened: Open) -> None:
    asker = await opened("schedules")
    lines = list(
        csv.DictReader(io.StringIO(marked((await asker.get("/fleet.csv?outcome=schedule-fails&q=rg-app")).text)))
    )
    assert sorted(line["name"] for line in lines) == ["api-01", "web-01", "web-02", "web-05"]
    ids = (await asker.get("/fleet-ids.txt?outcome=schedule-fails&q=rg-app")).text.splitlines()
    assert sorted(ids) == sorted(line["id"] for line in lines)
    assert list(csv.DictReader(io.StringIO(marked((await asker.get("/fleet.csv?q=nothing")).text)))) == []


async def test_a_large_export_keeps_one_heading(opened: Open) -> None:
    """It is written in pieces."""
    fleet = read_fleet("small")
    machine = next(one for one in fleet["resources"] if one["id"].endswith("/db-01"))
    many = [{**machine, "id": f"{machine['id']}-{place}", "name": f"db-01-{place}"} for place in range(1100)]
    asker = await opened({**fleet, "resources": [*fleet["resources"], *many]})
    lines = list(csv.reader(io.StringIO(marked((await asker.get("/fleet.csv")).text))))
    assert len(lines) == 1 + 4 + 1100
    assert [line[0] for line in lines].count("id") == 1


async def test_the_page_says_where_and_when_and_who(opened: Open) -> None:
    asker = await opened("schedules")
    words = (await asker.get("/")).words
    assert asker.served.endpoint in words
    assert "11111111-1111-1111-1111-111111111111" in words
    assert "arm-emulator operator" in words
    assert "Read-only" in words
    assert "1–48 of 48 machines" in words
    assert "6 not ready and scheduled: will fail" in words
    assert "6 rebooted by Azure without a window" in words
    assert "3 patched by nobody" in words


async def test_totals_filter_when_they_are_chosen(opened: Open) -> None:
    """The link of a bar leads to the machines that it counts."""
    asker = await opened("schedules")
    text = (await asker.get("/")).text
    assert 'href="?outcome=schedule-fails" data-swap' in text
    words = (await asker.get("/?outcome=schedule-fails")).words
    assert "1–6 of 6 machines of 48" in words


async def test_hostile_names_and_tags_stay_text(opened: Open) -> None:
    """Anybody who may tag a machine could otherwise act with the operator's rights."""
    asker = await opened(hostile_fleet())
    page = await asker.get("/")
    machine = await asker.get(f"/machine?id={machine_id('o%27hara-%2201%22%3Cb%3E')}")
    assert machine.status == 200, machine.words
    for answer in (page, machine):
        assert "<img" not in answer.text
        assert "<script>alert" not in answer.text
        assert "<b>alert" not in answer.text
        assert "onerror=alert(1)&gt;" in answer.text
        assert HOSTILE_NAME in answer.words
    assert "{{7*7}}" in machine.words
    exported = (await asker.get("/fleet.csv")).text
    assert HOSTILE_NAME.replace('"', '""') in exported
    chosen = await asker.get((await asker.post("/changes", [("take", "all"), ("query", "?q=o'hara")])).location)
    assert HOSTILE_NAME in chosen.words


async def test_the_fleet_is_read_anew_on_request_only(opened: Open) -> None:
    """The reading before stays until the new one is there, also where that fails."""
    asker = await opened()
    first = asker.console.fleet.value
    assert (await asker.post("/refresh", [("back", "/?q=web")])).location == "/?q=web"
    assert asker.console.fleet.is_busy
    assert "Reading again" in (await asker.get("/")).words
    await asker.console.fleet.settled()
    assert asker.console.fleet.value is not first
    assert (await asker.post("/refresh", [("back", "https://evil.example")])).location == "/"
    await asker.console.fleet.settled()


async def test_what_cannot_be_read_is_told_with_what_to_do(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    asker = await opened(read=False)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    waiting = await asker.get("/")
    asker.console.fleet.refresh()
    assert "Reading the fleet" in (await asker.get("/")).words
    assert waiting.status == 200
    await asker.console.fleet.settled()
    told = (await asker.get("/")).words
    assert "Could not read the fleet" in told
    assert "What to do:" in told
    assert "Try again" in told
    refused = await asker.get("/fleet.csv", JSON)
    assert refused.status == 409
    assert json.loads(refused.text)["error"]["code"] == "Refused"


async def test_an_empty_estate_says_so(opened: Open) -> None:
    asker = await opened("empty", read=False)
    asker.console.fleet.refresh()
    await asker.console.fleet.settled()
    words = (await asker.get("/")).words
    assert "Could not read the fleet" in words
    assert "The scope holds no machine." in words


async def test_rows_share_what_they_have_in_common(opened: Open) -> None:
    """What keeps 100,000 rows small: equal texts and lists are one object."""
    asker = await opened("schedules")
    loaded = asker.console.fleet.value
    assert loaded is not None
    for member in ("subscription_id", "location", "outcome_reason", "rules", "schedules", "tags", "settings"):
        values = [getattr(row, member) for row in loaded.fleet.rows]
        assert len({id(value) for value in values}) == len(set(values)) < len(values), member


async def test_the_first_page_costs_few_queries(opened: Open) -> None:
    """Azure grants 15 in 5 seconds to all that somebody runs; tests/cli/test_graph_queries.py counts the commands."""
    asker = await opened("demo")
    entries = asker.served.emulator.ledger.entries
    assert (await asker.get("/")).status == 200
    assert sum("ResourceGraph/resources" in one.path for one in entries) <= 3


async def test_a_window_is_shown_in_its_schedules_time_and_in_utc_and_sorted_by_the_instant(opened: Open) -> None:
    """Two rows with "Sat 05 Dec 14:00" were two instants, and the column looked unsorted."""
    fleet = json.loads(json.dumps(read_fleet("schedules")))
    for resource in fleet["resources"]:
        if resource["id"].endswith("/mc-nightly"):
            resource["properties"]["maintenanceWindow"]["timeZone"] = "Tokyo Standard Time"
    asker = await opened(fleet)
    page = (await asker.get("/?sort=window&size=200")).text
    told = re.findall(r'<time datetime="([^"]+)" title="([^"]+)">([^<]+)</time><span class="under">([^<]+)<', page)
    assert len(told) == 9
    assert [one[0] for one in told] == sorted(one[0] for one in told)
    assert {one[2][-6:] for one in told} == {"+01:00", "+09:00"}
    for instant, title, local, utc in told:
        assert title == utc
        at = datetime.strptime(utc, "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)
        assert datetime.fromisoformat(instant) == at
        shown = local.replace(" UTC", " +00:00")
        assert datetime.strptime(shown, "%a %Y-%m-%d %H:%M %z") == at


async def test_how_many_are_ready_is_one_set_of_figures_everywhere(opened: Open) -> None:
    """The page, the command line, its JSON and a report: same names, same numbers, and they add up to the machines."""
    asker = await opened("schedules")
    expected = {
        "ready and scheduled": 3,
        "ready, no schedule": 5,
        "not ready and scheduled: will fail": 6,
        "not ready": 24,
        "cannot be made ready": 10,
        "unknown": 0,
    }
    page = await asker.get("/")
    tiles = re.findall(r'<a id="ready-([a-z-]+)" href="([^"]+)" data-swap><b>(\d+)</b> ([^<]+)</a>', page.text)
    assert {words: int(count) for _, _, count, words in tiles} == expected
    assert sum(expected.values()) == 48
    for kind, address, count, _ in tiles:
        found = await asker.get(f"/{unescape(address)}")
        assert f"of {count} machine" in found.words or count == "0", kind
        assert f'id="ready-{kind}"' in found.text
        assert "(chosen; take away)" in found.words
    told = command_line(asker, "audit", "--all")
    sentence = "; ".join(f"{count} {words}" for words, count in expected.items())
    assert f"Ready for a schedule: {sentence}." in " ".join(told.split())
    document = json.loads(command_line(asker, "audit", "--all", "-o", "json"))
    assert [*document["readiness"].values()] == [*expected.values()]
    assert Counter(one["readiness"] for one in document["machines"]) == +Counter(document["readiness"])
    report = command_line(asker, "report", "--all", "-o", "html")
    figures = re.findall(r"<dt>([^<]+)</dt>\s*<dd[^>]*>([\d,]+)</dd>", report)
    assert {words: int(count) for words, count in figures if words in expected} == expected


async def test_an_old_reading_says_so_and_can_be_repeated_by_itself(opened: Open) -> None:
    """After a quarter of an hour in one tone, after an hour in another; a page that is open asks when it was read."""
    asker = await opened()
    loading = asker.console.fleet
    assert loading.read_at is not None
    for minutes, tone in ((0, ""), (14, ""), (16, "tone-warn"), (61, "tone-bad")):
        loading.read_at = datetime.now(UTC) - timedelta(minutes=minutes, seconds=5)
        page = await asker.get("/")
        assert f'<span class="{tone}" data-age=' in page.text
        assert ("<b data-old>: old. What has changed" in page.text) is (tone != "")
    told = json.loads((await asker.get("/reading", JSON)).text)
    assert told["isBusy"] is False
    assert datetime.fromisoformat(told["readAt"]) == loading.read_at
    assert '<option value="0" selected>only when asked' in page.text
    assert (await asker.post("/interval", [("minutes", "15")])).location == "/"
    assert loading.every == timedelta(minutes=15)
    assert '<option value="15" selected>every 15 minutes' in (await asker.get("/")).text
    for wrong in ("7", "", "x"):
        assert (await asker.post("/interval", [("minutes", wrong)])).status == 400
    await asker.post("/interval", [("minutes", "0")])
    assert loading.every is None


async def test_ticks_are_kept_on_another_page_without_the_script(opened: Open) -> None:
    """The page that is sent back carries them; a machine that is on it is ticked there, the others are hidden."""
    asker = await opened(fleet_document(machines=60, subscriptions=1, seed=1, plain=True))
    loaded = asker.console.fleet.value
    assert loaded is not None
    rows = [row.id for row in loaded.orders.found(parse_query([]))]
    ticks = [("query", "?"), ("go", "2"), ("id", rows[0]), ("id", rows[55])]
    page = await asker.post("/ticks", ticks)
    assert page.status == 200
    assert f'<input type="checkbox" name="id" value="{rows[55]}" checked' in page.text
    assert page.text.count(" checked") == 1
    assert f'<input type="hidden" name="id" value="{rows[0]}">' in page.text
    assert "2 machines ticked, 1 of them not on this page." in page.words
