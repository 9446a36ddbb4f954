"""Runs: the list, one report, live events, downloads, taking up what the command line left."""

import asyncio
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.console.conftest import JSON, Asker, Open, machine_id

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from arm_emulator.fleet_generator import fleet_document
from patchmode.console.operation import ConsoleOperation
from patchmode.console.run_pages import live_values
from patchmode.model.guardrails import KeptFreeze, RunGuardrails
from patchmode.ports.run import Progress
from patchmode.store.evidence import check_pack
from patchmode.store.plan_file import decode_plan
from patchmode.store.runs import RunStore

TWO = [("take", "ids"), ("id", machine_id("web-01")), ("id", machine_id("db-01"))]


async def begun_and_left(asker: Asker) -> str:
    """A run that a process began and died before it sent anything: its id."""
    path = await asker.planned(TWO)
    plan = asker.console.changes.get(path.rpartition("/")[2]).plan
    assert plan is not None
    journal = RunStore(asker.state).create(plan)
    journal.release()
    return journal.run


async def until(holds: Callable[[], bool]) -> None:
    """Let everything else go on until something holds; what is awaited comes from another thread."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - there is no event of it
            await asyncio.sleep(0)


async def test_no_run_yet(opened: Open) -> None:
    asker = await opened()
    assert "No run yet." in (await asker.get("/runs")).words


async def test_a_run_that_the_command_line_left_is_taken_up(opened: Open) -> None:
    asker = await opened(allow_writes=True)
    run = await begun_and_left(asker)
    listed = (await asker.get("/runs")).words
    assert f"{run} Interrupted" in listed
    assert "0 of 2" in listed
    page = (await asker.get(f"/runs/{run}")).words
    assert "2 changes have not ended" in page
    answer = await asker.post(f"/runs/{run}/resume")
    assert answer.location == f"/runs/{run}"
    await asker.ended()
    assert "applied 2" in (await asker.get(f"/runs/{run}")).words
    again = await asker.post(f"/runs/{run}/resume", headers=JSON)
    assert again.status == 409
    assert json.loads(again.text)["error"]["message"] == "Everything of this run has ended."


async def test_an_interrupted_run_begins_with_what_to_do_and_tells_each_cause_once(opened: Open) -> None:
    """Resume was at the end of a page 20,700 px high, below 431 repeats of the same advice."""
    asker = await opened(fleet_document(machines=150, subscriptions=1, seed=1, plain=True), allow_writes=True)
    path = await asker.planned([("take", "all"), ("query", "?")])
    plan = asker.console.changes.get(path.rpartition("/")[2]).plan
    assert plan is not None
    count = len(plan.changes)
    assert count > 100
    journal = RunStore(asker.state).create(plan)
    journal.release()
    path = f"/runs/{journal.run}"
    answer = await asker.get(path)
    page = answer.words
    order = ["Interrupted", "Its process ended without recording why", "Next: resume it.", "What next", "Not sent"]
    places = [page.index(text) for text in order]
    assert places == sorted(places)
    assert page.count("was not reached in this run") == 1
    assert answer.text.count("/machine?id=") == 12
    (link,) = re.findall(r'href="(/runs/[^"]*list=notSent[^"]*)"', answer.text)
    first = await asker.get(unescape(link))
    assert (first.text.count("/machine?id="), "1–100 of" in first.words) == (100, True)
    last = await asker.get(f"{unescape(link)}&page=99999999999999999999")
    assert "page 1 of" in last.words
    last = await asker.get(f"{unescape(link)}&page=77")
    assert last.text.count("/machine?id=") == count - 100
    every = await asker.get(f"{path}/machines?list=notSent")
    assert every.text.count("was not reached in this run") == 100
    refused = await asker.get(f"{path}/machines?list=nothing", JSON)
    assert refused.status == 400


async def test_a_run_of_another_process_is_not_touched(opened: Open) -> None:
    """Its lock is held: the page says so, and whoever tries to take it up is refused."""
    asker = await opened(allow_writes=True)
    run = await begun_and_left(asker)
    journal = RunStore(asker.state).open(run, for_writing=True)
    try:
        assert "Another process is applying this run." in (await asker.get(f"/runs/{run}")).words
        refused = await asker.post(f"/runs/{run}/resume", headers=JSON)
        assert refused.status == 409
        assert json.loads(refused.text)["error"]["code"] == "RunBusy"
    finally:
        journal.release()


async def test_nothing_is_begun_or_taken_up_during_a_freeze(opened: Open) -> None:
    """The freezes of the house hold here too: the page says which and what to do, and nothing is sent."""
    always = KeptFreeze("00:00-12:00", "UTC"), KeptFreeze("12:00-24:00", "UTC")
    asker = await opened(allow_writes=True, brakes=RunGuardrails(freeze=always))
    run = await begun_and_left(asker)
    path = await asker.planned(TWO)
    for answer in (
        await asker.post(f"{path}/apply", [("count", "2")]),
        await asker.post(f"/runs/{run}/resume"),
    ):
        assert answer.status == 409, answer.words
        assert "Nothing was sent: frozen" in answer.words
        assert "What to do: Wait until it ends." in answer.words
    assert [one.run for one in RunStore(asker.state).list()] == [run]
    assert "2 changes have not ended" in (await asker.get(f"/runs/{run}")).words


async def test_the_short_form_of_an_id_leads_to_the_run(opened: Open) -> None:
    asker = await opened()
    run = await begun_and_left(asker)
    assert (await asker.get("/runs/latest")).location == f"/runs/{run}"
    assert (await asker.get(f"/runs/{run[:20]}")).location == f"/runs/{run}"


async def test_evidence_is_the_plan_the_report_and_the_journal(opened: Open, tmp_path: Path) -> None:
    """Each stands by itself: the plan is a plan file, the report the published document, the journal one file."""
    asker = await opened(allow_writes=True)
    path = await asker.applied(TWO, 2)
    run = path.rpartition("/")[2]
    plan = decode_plan((await asker.get(f"{path}/plan.json")).body, name="the download")
    assert len(plan.changes) == 2
    report = json.loads((await asker.get(f"{path}/report.json")).body)
    assert report["format"] == "patchmode/run/v1"
    assert (report["run"], report["counts"]["applied"], report["counts"]["verified"]) == (run, 2, 2)
    answer = await asker.get(f"{path}/journal.sqlite")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{run}-journal.sqlite"'
    copy = tmp_path / "runs" / f"{run}.sqlite"
    copy.parent.mkdir()
    copy.write_bytes(answer.body)
    with sqlite3.connect(copy) as connection:
        (ended,) = connection.execute("SELECT count(*) FROM step WHERE step = 'ended'").fetchone()
    connection.close()
    assert ended == 2
    assert RunStore(tmp_path).open(run).state == "finished"


async def test_the_journal_of_a_run_under_way_can_be_taken(opened: Open) -> None:
    """What is only in the write-ahead log is in the copy."""
    asker = await opened(allow_writes=True, lro_seconds=2)
    path = await asker.planned(TWO)
    begun = await asker.post(f"{path}/apply", [("count", "2")])
    current = asker.console.operations.current
    assert current is not None
    await until(lambda: live_values(current, datetime.now(UTC))["waiting"] == 2)
    taken = (await asker.get(f"{begun.location}/journal.sqlite")).body
    connection = sqlite3.connect(":memory:")
    connection.deserialize(taken)
    steps = dict(connection.execute("SELECT step, count(*) FROM step GROUP BY step"))
    connection.close()
    assert steps["intended"] == 2
    await asker.ended()


async def test_events_tell_the_tally_to_everybody_who_asks(opened: Open) -> None:
    """Two tabs, one of them late: each hears the tally as it stands, and the end."""
    asker = await opened(allow_writes=True, lro_seconds=2)
    path = await asker.planned(TWO)
    begun = await asker.post(f"{path}/apply", [("count", "2")])
    first = asyncio.create_task(asker.get(f"{begun.location}/events", {"Accept": "text/event-stream"}))
    second = asyncio.create_task(asker.get(f"{begun.location}/events", {"Accept": "text/event-stream"}))
    for answer in await asyncio.gather(first, second):
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        events = answer.text.strip().split("\n\n")
        assert events[-1] == "event: over\ndata: {}"
        tallies = [json.loads(one.partition("data: ")[2]) for one in events[:-1]]
        assert tallies
        parts = ("applied", "failed", "unknown", "stale", "notSent", "waiting", "notStarted")
        assert all(sum(one[part] for part in parts) == one["total"] == 2 for one in tallies)
    await asker.ended()
    late = await asker.get(f"{begun.location}/events", {"Accept": "text/event-stream"})
    assert late.text == "event: over\ndata: {}\n\n"


async def test_a_silent_azure_is_no_pace_and_no_estimate(opened: Open) -> None:
    """Whatever was changed before: how long it will take is not known, and neither is that nothing fails."""
    asker = await opened()
    path = await asker.planned(TWO)
    plan = asker.console.changes.get(path.rpartition("/")[2]).plan
    assert plan is not None
    ledger = SimpleNamespace(unanswered_since=None)
    unused: Any = None
    operation = ConsoleOperation(plan, RunGuardrails(), unused, unused, unused, ledger=ledger)  # type: ignore[arg-type]  # one property
    operation.began -= 10
    operation.progress = Progress(total=30, done=20, not_started=10, ended_here=15)
    at = datetime(2030, 1, 31, 22, 0, tzinfo=UTC)
    well = live_values(operation, at)
    assert (well["pace"], well["silence"], well["noFailure"]) == (
        "10 s so far, 1.5 machines/s, about 6 s left",
        "",
        "None so far.",
    )
    assert well["statement"].startswith("Running.")
    ledger.unanswered_since = at - timedelta(seconds=4)
    assert live_values(operation, at)["silence"] == ""
    ledger.unanswered_since = at - timedelta(seconds=45)
    silent = live_values(operation, at)
    assert silent["pace"] == "10 s so far"
    assert silent["silence"].startswith("Azure has not answered since 2030-01-31 21:59:15Z.")
    assert silent["statement"].startswith("Waiting for Azure.")
    assert silent["noFailure"] == "None known: Azure does not answer."


async def test_failures_come_first_with_what_to_do(opened: Open) -> None:
    asker = await opened("demo", allow_writes=True)
    form = [("take", "ids"), ("id", machine_id("firewall-01")), ("id", machine_id("web-01"))]
    draft = await asker.planned(form, [("orchestration", "CustomerManagedSchedules"), ("assessment", "on")])
    path = (await asker.post(f"{draft}/apply", [("count", "2")])).location
    await asker.ended()
    page = (await asker.get(path)).words
    assert "applied 1" in page
    assert "failed 1" in page
    assert "answered 400 InvalidParameter" in page
    assert "recreate the machine from a supported image" in page
    assert page.index("Failed (1)") < page.index("Applied (1)")
    assert '<section class="box box-bad" aria-labelledby="state-title">' in (await asker.get(path)).text
    assert '<span class="told tone-bad">' in (await asker.get(path)).text.partition("</h2>")[0]


async def test_verified_again(opened: Open) -> None:
    """Also where the console only reads. The answer of the form is the run's page, which can be loaded again."""
    asker = await opened(allow_writes=True)
    path = await asker.applied(TWO, 2)
    assert (await asker.post(f"{path}/verify")).location == path
    good = (await asker.get(path)).words
    assert "2 of 2 applied changes verified, 0 not." in good
    asker.console.options = type(asker.console.options)(allow_writes=False)
    await asker.post(f"{path}/verify")
    read = (await asker.get(path)).words
    assert "Not written into the journal" in read


async def test_a_run_beside_a_machine_that_is_gone_does_not_look_done(opened: Open) -> None:
    """The page, and the box of its verification, were all green; the command line ended with 10."""
    asker = await opened(allow_writes=True)
    path = await asker.applied([*TWO, ("id", machine_id("gone-01"))], 2)
    page = (await asker.get(path)).words
    assert "Not everything is as asked: 1 unreadable." in page
    assert page.index("Could not be read (1)") < page.index("Applied (2)")
    await asker.post(f"{path}/verify")
    verified = await asker.get(path)
    assert "2 of 2 applied changes verified, 0 not. Only what the run applied was compared." in verified.words
    assert 'class="box box-good" role="status"' not in verified.text


@pytest.mark.parametrize("path", ["/runs/..%2f..%2fetc", "/runs/no run", "/runs/nothing"])
async def test_what_is_no_run_is_refused(opened: Open, path: str) -> None:
    asker = await opened()
    answer = await asker.get(path.replace(" ", "%20"), JSON)
    assert answer.status in {400, 404}
    assert set(json.loads(answer.text)) == {"error"}


async def test_the_pack_of_evidence_is_whole_by_the_command_lines_own_check(opened: Open, tmp_path: Path) -> None:
    asker = await opened(allow_writes=True)
    run = await begun_and_left(asker)
    await asker.post(f"/runs/{run}/resume")
    await asker.ended()
    answer = await asker.get(f"/runs/{run}/evidence.zip")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{run}-evidence.zip"'
    pack = tmp_path / "evidence.zip"
    pack.write_bytes(answer.body)
    found = check_pack(pack)
    assert (found.run, found.problems) == (run, ())
    with zipfile.ZipFile(pack) as opened_pack:
        afters = [name for name in opened_pack.namelist() if name.endswith("after.json")]
        shown = [json.loads(opened_pack.read(name)) for name in afters]
    profiles = [one["properties"]["osProfile"] for one in shown]
    settings = [(one.get("linuxConfiguration") or one["windowsConfiguration"])["patchSettings"] for one in profiles]
    assert [one["patchMode"] for one in settings] == ["AutomaticByPlatform"] * 2


async def test_what_held_a_run_back_holds_it_back_here_and_a_spent_budget_asks(opened: Open) -> None:
    """Resume was a button that sent what was left, whatever had stopped the run."""
    locked = Respond(409, json={"error": {"code": "ScopeLocked", "message": "The scope is locked."}})
    asker = await opened(
        "demo", allow_writes=True, faults=FaultPlan([Rule(do=Action(respond=locked), match=Matcher(method="PATCH"))])
    )
    three = [("take", "ids"), *(("id", machine_id(f"web-0{number}")) for number in (1, 2, 3))]
    path = await asker.planned(three)
    await asker.post(f"{path}/apply", [("count", "3"), ("max_failures", "1")])
    await asker.ended()
    (run,) = (one.run for one in RunStore(asker.state).list())
    page = (await asker.get(f"/runs/{run}")).words
    assert "Stopped" in page
    assert "Run options: the failure budget 1." in page
    assert "The failure budget is spent: 1 failed, and the failure budget is 1." in page
    for typed in ([], [("failed", "2")]):
        refused = await asker.post(f"/runs/{run}/resume", typed)
        assert refused.status == 409
        assert "Nothing was sent." in refused.words
    await asker.post(f"/runs/{run}/resume", [("failed", "1")])
    await asker.ended()
    journal = RunStore(asker.state).open(run)
    assert journal.brakes is not None
    assert (journal.brakes.max_failures, journal.state) == ("2", "stopped")
    journal.release()


async def test_a_plan_says_which_open_run_holds_its_machines(opened: Open) -> None:
    asker = await opened(allow_writes=True)
    run = await begun_and_left(asker)
    page = (await asker.get(await asker.planned(TWO))).words
    assert f"Run {run} was interrupted and holds 2 machines of this plan that it has not finished." in page
