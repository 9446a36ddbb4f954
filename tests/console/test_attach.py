"""Attaching a schedule where settings are changed: offered, reviewed, carried out, undone; as `--then-attach` does."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.cli.test_then_attach import CONFIGURATIONS, NIGHTLY, configuration
from tests.console.conftest import JSON, Asker, Open, machine_id
from tests.console.test_changes import TWO, writes

from arm_emulator.named_fleets import read_fleet
from patchmode.console.words import on_the_page
from patchmode.store.plan_file import read_plan

CUSTOMER_MANAGED = ("orchestration", "CustomerManagedSchedules")


def fleet() -> dict[str, Any]:
    """The fleet `small` with a schedule that patches guests and one that maintains hosts."""
    found = read_fleet("small")
    found["resources"] += [configuration("nightly"), configuration("hosts", scope="Host")]
    return found


async def planned(asker: Asker, schedule: str, form: Any = TWO, wanted: Sequence[tuple[str, str]] = ()) -> str:
    """The path of a change whose plan also attaches a schedule."""
    return await asker.planned(form, [*(wanted or [CUSTOMER_MANAGED]), ("schedule", schedule)])


async def rolled_back(asker: Asker, run: str) -> str:
    """The path of the planned way back."""
    back = (await asker.post(f"{run}/rollback")).location
    planning = asker.console.changes.get(back.rpartition("/")[2]).planning
    assert planning is not None
    await planning.settled()
    return back


async def test_the_form_offers_the_schedules_that_patch_guests(opened: Open) -> None:
    """By subscription, with when they run; one that maintains hosts is none, and none is chosen."""
    asker = await opened(fleet())
    path = (await asker.post("/changes", TWO)).location
    form = await asker.get(path)
    assert 'name="schedule"' in form.text
    assert f'<option value="{NIGHTLY}">nightly · rg-app · ' in form.text
    assert "nightly · rg-app · every day 03:00-05:00 UTC; next " in form.words
    assert "hosts" not in form.words
    assert '<option value="">None: attach one later</option>' in form.text


async def test_settings_then_the_schedule_and_back(opened: Open) -> None:
    """One plan, one number to type, one run; the rollback detaches before it touches a setting."""
    asker = await opened(fleet(), allow_writes=True)
    path = await planned(asker, NIGHTLY)
    review = await asker.get(path)
    for told in (
        "to attach 2",
        "Then attach nightly to 2 machines",
        f"Each only once its settings were verified. {NIGHTLY}, assignment nightly.",
        "nightly is attached to each after that, and the attachment is read back.",
        "Change these machines and attach the schedule",
    ):
        assert told in review.words, review.words
    assert "will be patched by nobody" not in review.words
    assert (await asker.post(f"{path}/apply", [("count", "1")])).status == 422
    assert writes(asker) == []
    begun = await asker.post(f"{path}/apply", [("count", "2")])
    await asker.ended()
    assert sorted(writes(asker)) == [("PATCH", "db-01"), ("PATCH", "web-01"), ("PUT", "nightly"), ("PUT", "nightly")]
    (plan_file,) = (asker.state / "plans").glob("*.json")
    wish = read_plan(plan_file).then_attach
    assert wish is not None
    assert (str(wish.configuration), wish.name) == (NIGHTLY, "nightly")
    page = (await asker.get(begun.location)).words
    for told in (
        "2 of 2 changes applied, all of them verified. Schedule of 2 machines: 2 attached.",
        f"Attaches {NIGHTLY}.",
        "schedule attached 2",
        "Schedules (2)",
    ):
        assert told in page, page
    asker.served.emulator.ledger.entries.clear()
    back = await rolled_back(asker, begun.location)
    assert "2 schedule assignments that the run made are detached first" in (await asker.get(back)).words
    undone = await asker.post(f"{back}/apply", [("count", "2")])
    await asker.ended()
    assert "schedule detached 2" in (await asker.get(undone.location)).words
    assert [method for method, _ in writes(asker)][:1] == ["DELETE"]
    assert sorted(writes(asker)) == [
        ("DELETE", "nightly"),
        ("DELETE", "nightly"),
        ("PATCH", "db-01"),
        ("PATCH", "web-01"),
    ]


async def test_machines_that_are_prepared_get_only_the_schedule(opened: Open) -> None:
    """The page of the run that prepared them leads to it; nothing of their settings is sent."""
    asker = await opened(fleet(), allow_writes=True)
    run = await asker.applied(TWO, 2)
    told = await asker.get(run)
    assert "Choose a schedule for 2 machines…" in told.words
    form = (await asker.post(f"{run}/attach")).location
    assert form.endswith("/settings#attach")
    path = form.removesuffix("/settings#attach")
    await asker.post(f"{path}/plan", [CUSTOMER_MANAGED, ("schedule", NIGHTLY)])
    planning = asker.console.changes.get(path.rpartition("/")[2]).planning
    assert planning is not None
    await planning.settled()
    review = (await asker.get(path)).words
    assert "2 machines already compliant: only the schedule is attached. 2: Parked, patched by nobody" in review
    assert "No setting is changed." in review
    assert "Attach the schedule to these machines" in review
    asker.served.emulator.ledger.entries.clear()
    begun = await asker.post(f"{path}/apply", [("count", "2")])
    await asker.ended()
    assert writes(asker) == [("PUT", "nightly"), ("PUT", "nightly")]
    page = (await asker.get(begun.location)).words
    assert "Schedule of 2 machines: 2 attached." in page
    assert "0 of 0 changes" not in page
    # Another one beside it is told before it is attached.
    again = await planned(asker, NIGHTLY)
    assert "2 machines had it already when the fleet was read" in (await asker.get(again)).words


async def test_what_schedules_do_not_run_on_is_refused_in_the_form(opened: Open) -> None:
    """As the command line refuses it, in words of the form; what was chosen stays chosen."""
    asker = await opened(fleet(), allow_writes=True)
    path = (await asker.post("/changes", TWO)).location
    refused = await asker.post(f"{path}/plan", [("orchestration", "AzureManaged"), ("schedule", NIGHTLY)])
    assert refused.status == 422
    assert (
        "Azure runs schedules only on Customer Managed Schedules, so it cannot be combined with another patch "
        "orchestration. Choose Customer Managed Schedules, or no schedule."
    ) in refused.words
    assert f'<option value="{NIGHTLY}" selected>' in refused.text
    assert asker.console.changes.get(path.rpartition("/")[2]).planning is None


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("nope", "You see no maintenance configuration named 'nope'."),
        (f"{CONFIGURATIONS}/nope", "There is not a maintenance configuration"),
        (f"{CONFIGURATIONS}/hosts", "Hosts has the maintenance scope Host, which patches no guests."),
        (machine_id("web-01"), "is not a maintenance configuration"),
    ],
)
async def test_a_schedule_that_cannot_be_attached_leaves_no_plan(opened: Open, schedule: str, told: str) -> None:
    asker = await opened(fleet(), allow_writes=True)
    path = await planned(asker, schedule)
    page = await asker.get(path)
    assert "There is no plan" in page.words
    assert told in page.words
    assert "--then-attach" not in page.text
    assert (await asker.post(f"{path}/apply", [("count", "2")])).status == 409
    assert writes(asker) == []


async def test_where_the_schedules_cannot_be_listed_one_is_typed(opened: Open) -> None:
    """The form stands with the reason; Microsoft.Maintenance is asked for the one that is named."""
    asker = await opened(fleet())
    refused = {"status": 403, "json": {"error": {"code": "AuthorizationFailed", "message": "no"}}}
    rule = {"match": {"path": "*/providers/Microsoft.ResourceGraph/resources"}, "do": {"respond": refused}}
    await asker.control("PUT", "faults", {"rules": [rule]})
    path = (await asker.post("/changes", TWO)).location
    form = await asker.get(path)
    assert form.status == 200
    assert "Schedule, by name or resource id; empty: none" in form.words
    assert "The schedules could not be listed:" in form.words
    await asker.control("PUT", "faults", {"rules": []})
    assert "None: attach one later" in (await asker.get(path)).words


async def test_an_attachment_that_azure_refuses_stands_on_the_run(opened: Open) -> None:
    """The settings stay, the schedule is not there, and nothing of it is green."""
    asker = await opened(fleet(), allow_writes=True)
    path = await planned(asker, NIGHTLY)
    refused = {"status": 409, "json": {"error": {"code": "Conflict", "message": "not now"}}}
    rule = {"match": {"method": "PUT", "path": "*/web-01/*"}, "do": {"respond": refused}}
    await asker.control("PUT", "faults", {"rules": [rule]})
    begun = await asker.post(f"{path}/apply", [("count", "2")])
    await asker.ended()
    page = await asker.get(begun.location)
    assert "Schedule of 2 machines: 1 attached, 1 failed." in page.words
    assert "Not everything is as asked: 1 without the schedule as asked" in page.words
    assert 'class="box box-bad" aria-labelledby="t-schedules"' in page.text


async def test_a_console_that_reads_plans_an_attachment_and_attaches_nothing(opened: Open) -> None:
    asker = await opened(fleet())
    path = await planned(asker, NIGHTLY)
    plan = json.loads((await asker.get(f"{path}/plan.json", JSON)).text)
    assert plan["thenAttach"] == {"configuration": NIGHTLY, "name": "nightly"}
    assert (await asker.post(f"{path}/apply", [("count", "2")], JSON)).status == 409
    assert writes(asker) == []


def test_a_message_that_begins_with_an_option_begins_with_a_capital_on_the_page() -> None:
    told = on_the_page("--then-attach: you see no maintenance configuration named 'a'.")
    assert told == "You see no maintenance configuration named 'a'."
