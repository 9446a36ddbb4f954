"""Change update settings: chosen, planned, confirmed by the number, carried out, rolled back."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import clean_environment
from tests.console.conftest import JSON, Asker, Open, machine_id

from patchmode.console.routes.changes import wanted_from
from patchmode.errors import UsageError
from patchmode.model.patch_settings import Orchestration, RebootSetting, WantedSettings
from patchmode.store.plan_file import read_plan
from patchmode.store.runs import RunStore

TWO = [("take", "ids"), ("id", machine_id("web-01")), ("id", machine_id("db-01"))]


def writes(asker: Asker) -> list[tuple[str, str]]:
    """What was sent to change a machine."""
    entries = asker.served.emulator.ledger.entries
    return [(one.method, one.path.rpartition("/")[2]) for one in entries if one.method not in {"GET", "POST"}]


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        (
            {"orchestration": "CustomerManagedSchedules", "assessment": "", "reboot": ""},
            WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES),
        ),
        ({"orchestration": "", "assessment": "on"}, WantedSettings(periodic_assessment=True)),
        ({"assessment": "off"}, WantedSettings(periodic_assessment=False)),
        ({"reboot": "Never"}, WantedSettings(reboot=RebootSetting.NEVER)),
        (
            {"orchestration": "Manual", "hotpatch": "off", "scale_sets": "yes"},
            WantedSettings(orchestration=Orchestration.MANUAL, hotpatch_off=True, include_scale_set_members=True),
        ),
    ],
)
def test_the_form_says_what_is_wanted(form: dict[str, str], wanted: WantedSettings) -> None:
    assert wanted_from(form) == wanted


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"orchestration": "", "assessment": "", "reboot": "", "scale_sets": "yes"},
        {"orchestration": "NotSet"},
        {"orchestration": "AutomaticByPlatform"},
        {"assessment": "maybe"},
        {"reboot": "Sometimes"},
    ],
)
def test_what_the_form_does_not_offer_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        wanted_from(form)


async def test_the_whole_change(opened: Open) -> None:
    """The plan says all, nothing is sent before the number is typed, and the run is an ordinary one."""
    asker = await opened(allow_writes=True)
    path = await asker.planned(TWO)
    plan = await asker.get(path)
    for told in ("to change 2", "in scope 2", "patchMode &#34;AutomaticByOS&#34; → &#34;AutomaticByPlatform&#34;"):
        assert told in plan.words or told in plan.text, plan.words
    assert "Every change of this plan can be rolled back." in plan.words
    assert "This writes to 2 machines" in plan.words

    for typed in ("", "3", "yes", "2 machines"):
        wrong = await asker.post(f"{path}/apply", [("count", typed)])
        assert wrong.status == 422
        assert "Nothing was sent." in wrong.words
    assert writes(asker) == []

    begun = await asker.post(f"{path}/apply", [("count", "2")])
    assert begun.status == 303
    await asker.ended()
    assert sorted(writes(asker)) == [("PATCH", "db-01"), ("PATCH", "web-01")]
    run = begun.location.rpartition("/")[2]
    page = (await asker.get(begun.location)).words
    for told in ("Finished", "applied 2", "verified 2", "Applied (2)", "Roll back", "Prove it again"):
        assert told in page, page
    # The second tab, or the back button: there is one run of this plan.
    assert (await asker.post(f"{path}/apply", [("count", "2")])).location == begun.location
    assert (await asker.get(path)).location == begun.location
    assert len(writes(asker)) == 2

    (plan_file,) = (asker.state / "plans").glob("*.json")
    journal = RunStore(asker.state).open(run)
    assert journal.plan == read_plan(plan_file)
    journal.release()


async def test_machines_that_nobody_patches_are_marked_before_and_after(opened: Open) -> None:
    """Prepared and without a schedule: the review marks and counts them, the run's page has the command to paste."""
    asker = await opened(allow_writes=True)
    path = await asker.planned(TWO)
    review = (await asker.get(path)).words
    assert review.count("patched by nobody") >= 3  # the table, the mark of each kind of change, the sentence
    assert "! 2 machines will be patched by nobody:" in review
    assert "2: waits for a schedule and none is attached" in review
    assert "No schedule was seen that patches guests and has a window to come." in review
    stated = json.loads((await asker.get(f"{path}/plan.json")).text)["patchedByNobody"]
    assert (stated["machines"], stated["usable"]) == (2, [])
    begun = await asker.post(f"{path}/apply", [("count", "2")])
    await asker.ended()
    page = (await asker.get(begun.location)).words
    unless = "unless a schedule was attached since: none reached them when the run was planned."
    assert f"2 machines are patched by nobody {unless}" in page
    run = begun.location.rpartition("/")[2]
    assert "patchmode schedule create patch-weekly --subscription " in page
    assert f"patchmode schedule attach patch-weekly --from-run {run}:patchedByNobody" in page
    assert json.loads((await asker.get(f"{begun.location}/report.json")).text)["patchedByNobody"]["machines"] == 2


async def test_the_fleet_is_read_anew_after_a_run(opened: Open) -> None:
    asker = await opened(allow_writes=True)
    await asker.applied(TWO, 2)
    row = asker.console.fleet.value.fleet.row(machine_id("web-01"))  # type: ignore[union-attr]
    assert row is not None
    assert row.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES
    history = (await asker.get(f"/machine?id={machine_id('web-01')}")).words
    assert "What patchmode changed" in history
    assert "Applied verified" in history
    assert "No run of this state folder has it." in (await asker.get(f"/machine?id={machine_id('web-02')}")).words


async def test_rolled_back(opened: Open) -> None:
    """The way back is shown, confirmed and carried out like any other plan."""
    asker = await opened(allow_writes=True)
    run = await asker.applied(TWO, 2)
    back = (await asker.post(f"{run}/rollback")).location
    planning = asker.console.changes.get(back.rpartition("/")[2]).planning
    assert planning is not None
    await planning.settled()
    page = (await asker.get(back)).words
    assert f"Review the rollback of run {run.rpartition('/')[2]}" in page
    assert '"AutomaticByPlatform" → "AutomaticByOS"' in page
    begun = await asker.post(f"{back}/apply", [("count", "2")])
    await asker.ended()
    told = (await asker.get(begun.location)).words
    assert f"Undoes run {run.rpartition('/')[2]}" in told
    assert "applied 2" in told
    listed = (await asker.get("/runs")).words
    assert f"undoes {run.rpartition('/')[2]}" in listed
    assert f"undone by {begun.location.rpartition('/')[2]}" in listed
    row = asker.console.fleet.value.fleet.row(machine_id("web-01"))  # type: ignore[union-attr]
    assert row is not None
    assert row.orchestration is Orchestration.AUTOMATIC_BY_OS


async def test_all_that_the_filters_found_is_taken(opened: Open) -> None:
    """Exactly what was shown, and nothing that came since."""
    asker = await opened("schedules")
    path = (await asker.post("/changes", [("take", "all"), ("query", "?outcome=schedule-fails&q=rg-app")])).location
    draft = asker.console.changes.get(path.rpartition("/")[2])
    assert sorted(one.rpartition("/")[2] for one in draft.machines) == ["api-01", "web-01", "web-02", "web-05"]
    page = (await asker.get(path)).words
    assert "4 machines chosen" in page
    assert "web-05" in page


async def test_a_reading_console_plans_and_changes_nothing(opened: Open) -> None:
    """The plan can be looked at and kept; each route that writes says how to be allowed to."""
    asker = await opened()
    path = await asker.planned(TWO)
    page = (await asker.get(path)).words
    assert "This console only reads." in page
    assert "patchmode apply plan.json" in page
    plan = json.loads((await asker.get(f"{path}/plan.json", JSON)).text)
    assert plan["format"] == "patchmode/plan/v1"
    assert len(plan["changes"]) == 2
    for where in (f"{path}/apply", "/runs/latest/stop", "/runs/latest/resume", "/runs/latest/rollback"):
        refused = await asker.post(where, [("count", "2")], JSON)
        assert refused.status == 409, where
        assert "--allow-writes" in json.loads(refused.text)["error"]["advice"]
    assert writes(asker) == []
    assert not (asker.state / "runs").exists()


async def test_one_operation_at_a_time(opened: Open) -> None:
    """A second plan waits, and says which run it waits for; both tabs see the same run."""
    asker = await opened(allow_writes=True, lro_seconds=2)
    first = await asker.planned([("take", "ids"), ("id", machine_id("web-01"))])
    second = await asker.planned([("take", "ids"), ("id", machine_id("db-01"))])
    begun = await asker.post(f"{first}/apply", [("count", "1")])
    run = begun.location.rpartition("/")[2]
    live = await asker.get(begun.location)
    assert "Stop: send nothing more" in live.words
    assert "A run is under way in this console." in (await asker.get("/")).words
    assert f"run {run}" in (await asker.get(second)).words
    busy = await asker.post(f"{second}/apply", [("count", "1")], JSON)
    assert busy.status == 409
    assert run in json.loads(busy.text)["error"]["message"]
    await asker.ended()
    after = await asker.post(f"{second}/apply", [("count", "1")])
    assert after.status == 303
    await asker.ended()
    assert sorted(writes(asker)) == [("PATCH", "db-01"), ("PATCH", "web-01")]


async def test_a_failure_budget_that_cannot_be_read_is_refused_before_anything_is_sent(opened: Open) -> None:
    asker = await opened(allow_writes=True)
    path = await asker.planned(TWO)
    refused = await asker.post(f"{path}/apply", [("count", "2"), ("max_failures", "many")])
    assert refused.status == 422
    assert "'many' is not a failure budget." in refused.words
    assert "Type the number of machines to continue" in refused.words
    assert writes(asker) == []
    assert (await asker.post(f"{path}/apply", [("count", "2"), ("max_failures", "5%")])).status == 303
    await asker.ended()


async def test_what_goes_wrong_before_the_run_stands_on_the_page(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """No journal was made, so there is no run to look at; the plan is kept."""
    asker = await opened(allow_writes=True)
    path = await asker.planned(TWO)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    refused = await asker.post(f"{path}/apply", [("count", "2")])
    assert refused.status == 502
    assert "What to do:" in refused.words
    assert not list((asker.state / "runs").glob("*.sqlite")) if (asker.state / "runs").exists() else True
    monkeypatch.setenv("AZURE_CLIENT_SECRET", asker.served.env["AZURE_CLIENT_SECRET"])
    assert (await asker.post(f"{path}/apply", [("count", "2")])).status == 303
    await asker.ended()


async def test_a_machine_that_is_gone_is_named(opened: Open) -> None:
    asker = await opened()
    gone = machine_id("gone-01")
    path = await asker.planned([("take", "ids"), ("id", gone)])
    page = (await asker.get(path)).words
    assert "Could not be read (1)" in page
    assert "Nothing has to be changed." not in page
    assert "No change is planned, but 1 could not be read" in page
    assert "Not in this plan, although asked for: 1 unreadable." in page
    assert "Other settings" in page


@pytest.mark.parametrize(
    ("path", "form", "status", "told"),
    [
        ("/changes/nothing/plan", [], 404, "no longer kept"),
        ("/changes/nothing/apply", [("count", "1")], 404, "no longer kept"),
        ("/runs/no-such-run/stop", [], 303, ""),
        ("/runs/no-such-run/resume", [], 400, "no run"),
    ],
)
async def test_errors_of_the_forms(
    opened: Open, path: str, form: list[tuple[str, str]], status: int, told: str
) -> None:
    asker = await opened(allow_writes=True)
    answer = await asker.post(path, form)
    assert answer.status == status
    assert told in answer.words


async def test_the_oldest_draft_is_dropped_first(opened: Open) -> None:
    """A plan holds a document a machine; a console that is left open must not grow."""
    asker = await opened()
    paths = [(await asker.post("/changes", TWO)).location for _ in range(11)]
    assert (await asker.get(paths[0])).status == 404
    assert all([(await asker.get(path)).status == 200 for path in paths[1:]])


async def test_the_command_line_takes_up_what_the_console_left(opened: Open) -> None:
    """Stopped in the browser, listed and resumed in the terminal."""
    asker = await opened(allow_writes=True)
    path = await asker.planned(TWO)
    throttled = {"status": 429, "headers": {"Retry-After": "1"}}
    await asker.control("PUT", "faults", {"rules": [{"match": {"method": "PATCH"}, "do": {"respond": throttled}}]})
    begun = await asker.post(f"{path}/apply", [("count", "2")])
    await asker.post(f"{begun.location}/stop")
    assert asker.console.operations.current is not None
    assert asker.console.operations.current.is_stopping
    await asker.ended()
    stopped = (await asker.get(begun.location)).words
    assert "Interrupted" in stopped
    assert "not sent 2" in stopped
    await asker.control("PUT", "faults", {"rules": []})
    program = Path(sys.executable).with_name("patchmode")
    process = await asyncio.create_subprocess_exec(
        program,
        "runs",
        "resume",
        begun.location.rpartition("/")[2],
        "-o",
        "json",
        env={**clean_environment(), **asker.served.env, "PATCHMODE_STATE_DIR": str(asker.state)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    assert json.loads(out)["counts"]["applied"] == 2
    page = (await asker.get(begun.location)).words
    assert "applied 2" in page


async def test_a_form_with_nothing_chosen_explains_itself_in_its_place(opened: Open) -> None:
    """The table keeps its filters, the settings keep their machines; a program gets the error."""
    asker = await opened(allow_writes=True)
    answer = await asker.post("/changes", [("take", "ids"), ("query", "?q=web&page=1")])
    assert (answer.status, answer.location) == (303, "/?q=web&nothing-ticked#choose")
    page = await asker.get("/?q=web&nothing-ticked")
    assert "No machine is ticked. Tick machines in the table" in page.words
    assert "nothing-ticked" not in page.text
    assert "No machine is ticked" not in (await asker.get("/?q=web")).words
    answer = await asker.post("/changes", [("take", "ids"), ("query", "?")])
    assert "No machine is ticked" in (await asker.get(answer.location.partition("#")[0])).words
    refused = await asker.post("/changes", [("take", "ids")], JSON)
    assert (refused.status, json.loads(refused.text)["error"]["message"]) == (400, "No machine was chosen.")
    path = (await asker.post("/changes", TWO)).location
    settings = await asker.post(f"{path}/plan", [("orchestration", ""), ("assessment", ""), ("reboot", "")])
    assert settings.status == 422
    assert "No setting was chosen. Choose at least one that is to change." in settings.words
    assert "2 machines chosen" in settings.words
