"""Schedules changed from their page: attached and detached, static and dynamic, created; confirmed and undone."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from tests.cli.test_then_attach import CONFIGURATIONS, NIGHTLY
from tests.console.conftest import JSON, PRODUCTION, Asker, Open, Told, machine_id
from tests.console.test_attach import fleet
from tests.console.test_changes import TWO, writes

from arm_emulator.schedules_fleet import assignment_document
from patchmode.console.schedule_forms import recurrence_from, scope_from, wish_from
from patchmode.errors import PatchmodeError, UsageError
from patchmode.model.guardrails import KeptFreeze, RunGuardrails

GROUP = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-app"
SCOPE = [("schedule", NIGHTLY), ("name", "all-linux"), ("subscription", PRODUCTION), ("os", "Linux")]
NEW = [
    ("name", "weekly"),
    ("subscription", PRODUCTION),
    ("group", "rg-app"),
    ("location", "westeurope"),
    ("date", f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"),
    ("time", "22:00"),
    ("duration", "02:00"),
    ("zone", "w. europe standard time"),
    ("repeat", "week"),
    ("weekday", "Saturday"),
    ("classification", "Critical"),
    ("reboot", "IfRequired"),
]


def attached() -> dict[str, Any]:
    """The same fleet, with the schedule on two machines that are not prepared, as a portal of last year left it."""
    found = fleet()
    found["resources"] += [assignment_document(machine_id(name), "nightly", NIGHTLY) for name in ("web-01", "db-01")]
    return found


async def looked_at(asker: Asker, answer: Told) -> tuple[str, Told]:
    """The page of a change of a schedule, once it was looked at: its path and the page."""
    assert answer.status == 303, answer.words
    path = answer.location
    await asker.console.schedule_changes.get(path.rpartition("/")[2]).reading.settled()
    return path, await asker.get(path)


async def allowed(asker: Asker, path: str) -> None:
    """Tick that Azure may patch machines at a time it chooses, and look again."""
    await asker.post(f"{path}/preview", [("allow_azure_managed", "yes")])
    await asker.console.schedule_changes.get(path.rpartition("/")[2]).reading.settled()


async def done(asker: Asker, path: str, count: str | None) -> str:
    """Confirm it and wait for its end; the words of its page."""
    begun = await asker.post(f"{path}/apply", [] if count is None else [("count", count)])
    assert (begun.status, begun.headers.get("Location")) == (303, path), begun.words
    await asker.ended()
    return (await asker.get(path)).words


def picked(machines: list[str]) -> list[tuple[str, str]]:
    """What the fleet's table sends where machines are chosen to lose the schedule."""
    return [("take", "ids"), ("query", f"?detach={NIGHTLY}"), *(("id", machine_id(one)) for one in machines)]


async def test_the_schedules_page_leads_to_each_change(opened: Open) -> None:
    asker = await opened(attached())
    asker.console.schedules.refresh()
    await asker.console.schedules.settled()
    page = await asker.get("/schedules")
    named = quote(NIGHTLY, safe="/")
    for address in (f"/?attach={named}", f"/schedules/scope?schedule={named}", f"/?detach={named}&", "/schedules/new"):
        assert f'href="{address}' in page.text.replace("&amp;", "&"), address


async def test_machines_are_chosen_for_a_schedule_with_the_fleets_filters(opened: Open) -> None:
    """The purpose stays while one filters; the form has the schedule chosen."""
    asker = await opened(fleet())
    page = await asker.get(f"/?attach={NIGHTLY}&q=web")
    assert "Attach nightly to: choose the machines below." in page.words
    assert f'<input type="hidden" name="attach" value="{NIGHTLY}">' in page.text
    form = await asker.post("/changes", [("take", "all"), ("query", f"?attach={NIGHTLY}&q=web-01")])
    settings = await asker.get(form.location)
    assert f'<option value="{NIGHTLY}" selected>' in settings.text
    assert "Detach nightly from: choose the machines below." in (await asker.get(f"/?detach={NIGHTLY}")).words


async def test_a_schedule_is_detached_from_machines_and_attached_again(opened: Open) -> None:
    """Looked at, counted, carried out, read back; the way back is looked at like any other change."""
    asker = await opened(fleet(), allow_writes=True)
    path = await asker.planned(TWO, [("orchestration", "CustomerManagedSchedules"), ("schedule", NIGHTLY)])
    await asker.post(f"{path}/apply", [("count", "2")])
    await asker.ended()
    asker.served.emulator.ledger.entries.clear()

    path, review = await looked_at(asker, await asker.post("/changes", picked(["web-01", "db-01", "db-02"])))
    assert "Detach nightly" in review.words
    assert "to detach 2 already without an assignment of it 1 refused 0" in review.words
    assert "This detaches nightly from 2 machines" in review.words
    assert "Who patches them without it patched by nobody until a schedule is attached (2)" in review.words
    for typed in ("", "3", "all"):
        wrong = await asker.post(f"{path}/apply", [("count", typed)])
        assert (wrong.status, "Nothing was sent." in wrong.words) == (422, True)
        assert f'action="{path}/apply"' in wrong.text
    assert writes(asker) == []
    ended = await done(asker, path, "2")
    assert writes(asker) == [("DELETE", "nightly"), ("DELETE", "nightly")]
    assert "Finished 2 detached, 1 unchanged. Each was read back after it was written." in ended
    # The second tab, or the back button: it is carried out once.
    assert (await asker.post(f"{path}/apply", [("count", "2")])).location == path
    assert len(writes(asker)) == 2

    asker.served.emulator.ledger.entries.clear()
    path, review = await looked_at(asker, await asker.post(f"{path}/undo"))
    assert "to attach 2 already attached 0 refused 0" in review.words
    assert "2 attached." in await done(asker, path, "2")
    assert writes(asker) == [("PUT", "nightly"), ("PUT", "nightly")]


async def test_what_undoes_a_detach_refuses_what_is_not_prepared(opened: Open) -> None:
    """As `schedule attach` does: their runs would fail."""
    asker = await opened(attached(), allow_writes=True)
    path, _ = await looked_at(asker, await asker.post("/changes", picked(["web-01", "db-01"])))
    await done(asker, path, "2")
    path, review = await looked_at(asker, await asker.post(f"{path}/undo"))
    assert "refused 2" in review.words
    assert "prerequisite-missing" in review.words
    assert "Nothing will be sent." in review.words
    assert (await asker.post(f"{path}/apply", [("count", "0")], JSON)).status == 409


async def test_the_last_schedule_of_an_azure_managed_machine_is_kept_until_allowed(opened: Open) -> None:
    """Without it Azure patches and reboots the machine; the page says so, and asks."""
    found = attached()
    web = next(one for one in found["resources"] if one["id"].endswith("/virtualMachines/web-01"))
    web["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"] = {"patchMode": "AutomaticByPlatform"}
    asker = await opened(found, allow_writes=True)
    path, review = await looked_at(asker, await asker.post("/changes", picked(["web-01"])))
    assert "last-schedule" in review.words
    assert "Allow it below if Azure may patch it" in review.words
    assert "Nothing will be sent." in review.words
    await allowed(asker, path)
    assert "patched and rebooted by Azure at a time it chooses (1)" in (await asker.get(path)).words
    assert "to detach 1" in (await asker.get(path)).words
    assert "1 detached." in await done(asker, path, "1")


async def test_a_dynamic_scope_is_attached_with_the_members_that_it_reaches_and_detached(opened: Open) -> None:
    asker = await opened(fleet(), allow_writes=True)
    form = await asker.get(f"/schedules/scope?schedule={NIGHTLY}")
    assert "Attach nightly to a dynamic scope" in form.words
    path, review = await looked_at(asker, await asker.post("/schedules/scope/preview", SCOPE))
    assert "2 machines match it now" in review.words, review.words
    assert "db-01" in review.words
    assert "fail" in review.words
    assert (await asker.post(f"{path}/apply", [("count", "3")])).status == 422
    assert writes(asker) == []
    ended = await done(asker, path, "2")
    assert writes(asker) == [("PUT", "all-linux")]
    assert "Finished 1 attached." in ended
    # The form is kept, for another try.
    assert 'value="all-linux"' in (await asker.get(f"/schedules/scope?from={path.rpartition('/')[2]}")).text

    path, review = await looked_at(asker, await asker.post(f"{path}/undo"))
    assert "These have the schedule by this scope" in review.words
    # db-02 is Azure Managed: without the schedule Azure patches it at a time it chooses.
    assert "Refused, nothing is sent last-schedule" in review.words
    assert "or allow it below." in review.words
    await allowed(asker, path)
    assert "1 detached." in await done(asker, path, "2")
    path, review = await looked_at(asker, await asker.post(f"{path}/undo"))
    assert "2 machines match it now" in review.words
    await done(asker, path, "2")
    path, review = await looked_at(asker, await asker.post("/schedules/scope/preview", [*SCOPE, ("os", "Windows")]))
    assert "A dynamic scope all-linux exists on" in review.words
    assert "Give another name." in review.words


async def test_a_schedule_is_created_in_the_flow_and_attached(opened: Open) -> None:
    """From the change form to the schedule and back, with what was chosen; three windows are shown before."""
    asker = await opened(fleet(), allow_writes=True)
    change = (await asker.post("/changes", TWO)).location
    form = (await asker.post(f"{change}/schedule", [("orchestration", ""), ("assessment", "on")])).location
    assert form == f"/schedules/new?change={change.rpartition('/')[2]}"
    page = await asker.get(form)
    assert f'name="change" value="{change.rpartition("/")[2]}"' in page.text
    began = [*NEW, ("change", change.rpartition("/")[2])]
    path, review = await looked_at(asker, await asker.post("/schedules/new/preview", began))
    assert "Begins, in W. Europe Standard Time" in review.words
    assert review.text.count('<tr><th scope="row">Sat ') == 3
    assert "maintenanceWindow.recurEvery Week Saturday" in review.words
    assert writes(asker) == []
    ended = await done(asker, path, None)
    assert writes(asker) == [("PUT", "weekly")]
    assert "Created" in ended
    assert f"patchmode schedule delete {CONFIGURATIONS}/weekly" in ended
    link = f"{change}/settings?schedule={CONFIGURATIONS}/weekly"
    assert f'href="{link}#attach"' in (await asker.get(path)).text
    settings = await asker.get(link)
    assert f'<option value="{CONFIGURATIONS}/weekly" selected>' in settings.text
    assert 'name="assessment" value="on" checked' in settings.text
    # It stands there, and differs from what is asked for now: nothing is written over here.
    _, review = await looked_at(asker, await asker.post("/schedules/new/preview", [*NEW, ("weekday", "Sunday")]))
    assert "exists already, and differs" in review.words
    assert "Give it another name." in review.words
    assert "--replace" not in review.text
    _, review = await looked_at(asker, await asker.post("/schedules/new/preview", NEW))
    assert "It exists already, just as described: nothing is sent." in review.words


@pytest.mark.parametrize(
    ("member", "value", "told"),
    [
        ("name", "", "The name is missing."),
        ("name", "a/b", "'a/b' is not a name that Azure takes."),
        ("date", "soon", "(unreadable-recurrence)"),
        ("duration", "00:30", "01:30"),
        ("zone", "Mars", "(unknown-time-zone)"),
        ("weekday", "", "No day of the week is ticked."),
    ],
)
async def test_what_a_schedule_cannot_be_is_refused_in_the_form(
    opened: Open, member: str, value: str, told: str
) -> None:
    """With everything that was filled in, and without a word on the command line's options."""
    asker = await opened(fleet(), allow_writes=True)
    form = [(name, value if name == member else given) for name, given in NEW]
    answer = await asker.post("/schedules/new/preview", form)
    assert answer.status == 422
    assert told in answer.words
    assert "--help" not in answer.text
    assert 'value="rg-app"' in answer.text
    assert writes(asker) == []


@pytest.mark.parametrize(
    ("form", "rule"),
    [
        ({"repeat": "day"}, "Day"),
        ({"repeat": "week", "weekday": "Saturday,Sunday"}, "Week Saturday,Sunday"),
        ({"repeat": "month", "ordinal": "Second", "monthday": "Tuesday", "later": "0"}, "Month Second Tuesday"),
        ({"repeat": "month", "ordinal": "Second", "monthday": "Tuesday", "later": "4"}, "Month Second Tuesday Offset4"),
        ({"repeat": "rule", "rule": "2Weeks Monday"}, "2Weeks Monday"),
    ],
)
def test_the_form_says_when_a_schedule_repeats(form: dict[str, str], rule: str) -> None:
    assert recurrence_from(form) == rule


def test_the_forms_make_what_the_command_line_makes() -> None:
    wish = wish_from({**dict(NEW), "classification": "Security,Other"})
    assert str(wish.id) == f"{CONFIGURATIONS}/weekly"
    assert wish.window.time_zone == "W. Europe Standard Time"
    assert (wish.windows_classifications, wish.linux_classifications) == (("Security",), ("Security", "Other"))
    tags = {"tags": "env=prod,test\n\nring = 1\n", "any": "yes", "locations": "West Europe, northeurope"}
    scope = scope_from({**dict(SCOPE), **tags})
    assert scope.filter.tags == {"env": ("prod", "test"), "ring": ("1",)}
    assert scope.filter.locations == ("westeurope", "northeurope")
    assert (scope.filter.any_tag, scope.filter.os_types, scope.resource_group) == (True, ("Linux",), None)
    for wrong in ({"tags": "env"}, {"name": "a b"}, {"schedule": ""}):
        with pytest.raises(UsageError):
            scope_from({**dict(SCOPE), **wrong})
    with pytest.raises(PatchmodeError):
        wish_from({**dict(NEW), "duration": "09:00"})


async def test_a_console_that_reads_looks_at_everything_and_changes_nothing(opened: Open) -> None:
    asker = await opened(attached())
    begun = [
        await looked_at(asker, await asker.post("/changes", picked(["web-01"]))),
        await looked_at(asker, await asker.post("/schedules/scope/preview", SCOPE)),
        await looked_at(asker, await asker.post("/schedules/new/preview", NEW)),
    ]
    for path, page in begun:
        assert "This console only reads." in page.words, page.words
        refused = await asker.post(f"{path}/apply", [("count", "1")], JSON)
        assert (refused.status, "--allow-writes" in json.loads(refused.text)["error"]["advice"]) == (409, True)
        assert (await asker.post(f"{path}/stop", [], JSON)).status == 409
    assert writes(asker) == []


async def test_a_schedule_is_not_changed_while_a_plan_is_applied(opened: Open) -> None:
    """One operation at a time, whichever it is."""
    asker = await opened(attached(), allow_writes=True, lro_seconds=2)
    plan = await asker.planned([("take", "ids"), ("id", machine_id("web-01"))])
    path, _ = await looked_at(asker, await asker.post("/changes", picked(["db-01"])))
    begun = await asker.post(f"{plan}/apply", [("count", "1")])
    run = begun.location.rpartition("/")[2]
    assert f"run {run} is under way" in (await asker.get(path)).words
    busy = await asker.post(f"{path}/apply", [("count", "1")], JSON)
    assert (busy.status, run in json.loads(busy.text)["error"]["message"]) == (409, True)
    await asker.ended()
    assert "1 detached." in await done(asker, path, "1")


async def test_a_detach_that_azure_refuses_is_told_with_its_cause(opened: Open) -> None:
    asker = await opened(attached(), allow_writes=True)
    path, _ = await looked_at(asker, await asker.post("/changes", picked(["web-01", "db-01"])))
    refused = {"status": 409, "json": {"error": {"code": "Conflict", "message": "not now"}}}
    rule = {"match": {"method": "DELETE", "path": "*/web-01/*"}, "do": {"respond": refused}}
    await asker.control("PUT", "faults", {"rules": [rule]})
    ended = await done(asker, path, "2")
    assert "1 failed, 1 detached." in ended
    assert "Repeat it" in ended
    assert "Conflict" in ended


async def test_a_console_in_a_freeze_changes_no_schedule(opened: Open) -> None:
    """Nor does it begin a run then."""
    always = KeptFreeze("00:00-12:00", "UTC"), KeptFreeze("12:00-24:00", "UTC")
    asker = await opened(attached(), allow_writes=True, brakes=RunGuardrails(freeze=always))
    path, _ = await looked_at(asker, await asker.post("/changes", picked(["web-01"])))
    assert (await asker.post(f"{path}/apply", [("count", "1")])).status == 409
    assert writes(asker) == []


@pytest.mark.parametrize("path", ["/schedules/changes/none", "/schedules/new?from=none", "/schedules/scope?from=none"])
async def test_a_change_of_a_schedule_that_is_no_longer_kept_says_so(opened: Open, path: str) -> None:
    asker = await opened(read=False)
    answer = await asker.get(path)
    assert (answer.status, "no longer kept" in answer.words) == (404, True)
    assert (await asker.get("/schedules/scope")).status == 400
