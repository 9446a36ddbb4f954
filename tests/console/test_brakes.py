"""Canaries, waves and limits where settings are changed: pre-set, read, reviewed with counts, carried out."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from multidict import MultiDict
from tests.console.conftest import Asker, Open, machine_id
from tests.console.test_changes import TWO, writes

from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule
from arm_emulator.named_fleets import read_fleet
from patchmode.console.brakes import ChosenBrakes, chosen_brakes, preset
from patchmode.console.operation import ConsoleOperation
from patchmode.console.run_pages import live_values
from patchmode.console.words import on_the_page
from patchmode.errors import UsageError
from patchmode.model.guardrails import KeptFreeze, RunGuardrails
from patchmode.model.plan import WaveKey, WaveRule
from patchmode.store.runs import RunStore

CUSTOMER_MANAGED = ("orchestration", "CustomerManagedSchedules")
RINGS = [("wave_by", "tag"), ("wave_tag", "ring"), ("wave_order", "1 | 2"), ("wave_by", ""), ("wave_tag", "")]


def fleet(count: int) -> dict[str, Any]:
    """The fleet `small` with so many Linux machines like db-01 besides, their rings 0 to 3 in turn."""
    found = read_fleet("small")
    like = next(one for one in found["resources"] if one["id"].endswith("/db-01"))
    for number in range(count):
        name = f"many-{number:02}"
        one = {**like, "id": like["id"].replace("db-01", name), "name": name, "tags": {"ring": str(number % 4)}}
        found["resources"].append(one)
    return found


def many(count: int) -> list[tuple[str, str]]:
    """The form that ticks these machines."""
    return [("take", "ids"), *(("id", machine_id(f"many-{number:02}")) for number in range(count))]


async def planned(asker: Asker, form: Any, brakes: Sequence[tuple[str, str]]) -> str:
    return await asker.planned(form, [CUSTOMER_MANAGED, *brakes])


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ([], ChosenBrakes(5, (), RunGuardrails(max_failures="5%"))),
        ([("canary", ""), ("max_failures", "")], ChosenBrakes()),
        ([("canary", "1,000"), ("max_failures", "10")], ChosenBrakes(1000, (), RunGuardrails(max_failures="10"))),
        (
            [("canary", "0"), ("max_failures", " 2.5 % "), ("concurrency", "8"), *RINGS],
            ChosenBrakes(
                0,
                (WaveRule(WaveKey.TAG, "ring", ("1", "2")),),
                RunGuardrails(max_failures="2.5%", concurrency=8),
            ),
        ),
        (
            [("wave_by", "zone"), ("wave_tag", ""), ("wave_order", ""), ("wave_by", "region"), ("wave_tag", "x")],
            ChosenBrakes(5, (WaveRule(WaveKey.ZONE),), RunGuardrails(max_failures="5%")),
        ),
    ],
)
def test_the_form_is_read_as_the_command_line_reads_its_options(
    form: list[tuple[str, str]], expected: ChosenBrakes
) -> None:
    """A field that was not sent keeps what the form began with; one that was emptied lifts it."""
    found = chosen_brakes(MultiDict(form), preset(50), RunGuardrails())
    assert found == expected
    typed = MultiDict((name, value) for name, values in found.fields.items() for value in values)
    assert chosen_brakes(typed, ChosenBrakes(), RunGuardrails()) == found, "what is shown again says the same"


def test_every_limit_is_read_and_shown_again() -> None:
    typed = {
        "max_failures": "10",
        "wave_failures": "2",
        "region_failures": "10%",
        "concurrency": "16",
        "wave_pause": "30m",
        "freeze": "Fri 16:00-Mon 06:00 Europe/Berlin; 2026-12-20/2027-01-03 UTC",
        "share": "50%",
    }
    found = chosen_brakes(MultiDict(typed), ChosenBrakes(), RunGuardrails())
    freezes = (
        KeptFreeze("Fri 16:00-Mon 06:00", "Europe/Berlin"),
        KeptFreeze("2026-12-20/2027-01-03", "UTC"),
    )
    assert found.limits == RunGuardrails(
        max_failures="10",
        max_failures_per_wave="2",
        max_failures_per_region="10%",
        concurrency=16,
        wave_pause=1800.0,
        freeze=freezes,
        share="50%",
    )
    assert {name: found.fields[name][0] for name in typed} == typed
    emptied = chosen_brakes(MultiDict(dict.fromkeys(typed, "")), found, RunGuardrails())
    assert emptied.limits == RunGuardrails()


def test_what_the_console_was_started_with_holds_besides() -> None:
    around = RunGuardrails(
        freeze=(KeptFreeze("08:00-18:00", "UTC"),), share="50%", sources={"share": "PATCHMODE_SHARE"}
    )
    own = chosen_brakes(MultiDict({"freeze": "20:00-22:00 UTC", "share": ""}), ChosenBrakes(), around)
    assert [str(one) for one in own.in_force(around).freeze] == ["08:00-18:00 UTC", "20:00-22:00 UTC"]
    assert own.in_force(around).share == "50%"
    assert chosen_brakes(MultiDict({"share": "20%"}), own, around).in_force(around).share == "20%"


def test_a_change_of_fewer_machines_begins_without() -> None:
    assert preset(49) == ChosenBrakes()
    assert preset(50, has_waves=False) == ChosenBrakes(limits=RunGuardrails(max_failures="5%"))


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ([("canary", "many")], "'many' is not a number of canaries."),
        ([("canary", "1001")], "'1001' is not a number of canaries."),
        ([("canary", "-1")], "'-1' is not a number of canaries."),
        ([("canary", "²")], "'²' is not a number of canaries."),
        ([("concurrency", "0.5")], "'0.5' is not a number of machines at a time."),
        ([("max_failures", "0")], "'0' is not a failure budget."),
        ([("wave_failures", "x")], "'x' is not a failure budget."),
        ([("region_failures", "-1%")], "'-1%' is not a failure budget."),
        ([("wave_pause", "soon")], "Pause between waves: 'soon' is not a duration."),
        ([("freeze", "Friday")], "Freeze: 'Friday' is not a time for a freeze."),
        ([("freeze", "08:00-18:00 Mars")], "Freeze: 'Mars' is not a time zone"),
        ([("share", "0%")], "'0%' is not a share of Azure's limits."),
        ([("share", "51%")], "This console was started with a share of 50%."),
        ([("wave_by", "tag"), ("wave_tag", " "), ("wave_order", "")], "Waves by tag need the tag's name."),
        ([("wave_by", "rack"), ("wave_tag", ""), ("wave_order", "")], "Waves: 'rack' is not a way to divide machines"),
        ([("wave_by", "zone"), ("wave_tag", ""), ("wave_order", "1|1")], "Waves: 'zone=1|1' names 1 twice."),
        ([("wave_by", "zone"), ("wave_tag", ""), ("wave_order", "")] * 2, "Waves: zone is given twice."),
    ],
)
def test_what_cannot_be_read_is_refused(form: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen_brakes(MultiDict(form), ChosenBrakes(), RunGuardrails(share="50%"))
    assert on_the_page(refused.value.message).startswith(told)
    assert "--" not in on_the_page(f"{refused.value.message} {refused.value.advice}")


async def test_a_mistake_is_told_in_the_form_with_what_was_typed(opened: Open) -> None:
    asker = await opened()
    path = (await asker.post("/changes", TWO)).location
    refused = await asker.post(f"{path}/plan", [CUSTOMER_MANAGED, ("canary", "many"), ("max_failures", "7%"), *RINGS])
    assert refused.status == 422
    assert "'many' is not a number of canaries." in refused.words
    for typed in ('name="canary" inputmode="numeric" value="many"', 'value="7%"', 'value="1 | 2"'):
        assert typed in refused.text
    assert asker.console.changes.get(path.rpartition("/")[2]).planning is None


async def test_a_large_change_begins_with_canaries_and_a_budget(opened: Open) -> None:
    """They are in the form, in the plan, and in the review with counts."""
    asker = await opened(fleet(50), allow_writes=True)
    path = (await asker.post("/changes", many(50))).location
    form = await asker.get(path)
    assert "A canary wave and a failure budget are set, because 50 machines are chosen." in form.words
    assert 'name="canary" inputmode="numeric" value="5"' in form.text
    assert 'name="max_failures" value="5%"' in form.text
    path = await planned(asker, many(50), [("canary", "5"), ("max_failures", "5%"), *RINGS])
    review = await asker.get(path)
    for told in (
        "4 waves, one after the other.",
        "1 canary 5 5 Linux 5 westeurope",
        "2 ring=1 8 8 Linux 8 westeurope",
        "3 ring=2 12 12 Linux 12 westeurope",
        "4 ring=(other) 25 25 Linux 25 westeurope",
        "Failure budget 5%: after 2 failures of 50 machines nothing more is sent.",
        "At a time Starting with 1 machine under way; each that succeeds adds 1, up to the 2 that may fail.",
    ):
        assert told in review.words, review.words
    waves = json.loads((await asker.get(f"{path}/plan.json")).text)["waves"]
    assert [wave["changes"] for wave in waves] == [5, 8, 12, 25]


async def test_canaries_and_budget_are_taken_away_knowingly(opened: Open) -> None:
    """Emptied fields are as asked, and the review says what that means."""
    asker = await opened(fleet(50))
    bare = await asker.get(await planned(asker, many(50), [("canary", ""), ("max_failures", "")]))
    told = "No canary wave, no other waves and no failure budget: all 50 machines are written to however many fail."
    assert told in bare.words
    assert "Failure budget None: the run continues however many machines fail." in bare.words
    assert "At a time As many machines as Azure's rate limits allow." in bare.words
    assert told not in (await asker.get(await planned(asker, many(50), [("canary", "")]))).words
    assert "written to however many fail" not in (await asker.get(await planned(asker, TWO, []))).words


async def test_limits_changed_on_the_review_are_shown_before_anything_is_sent(opened: Open) -> None:
    """Nobody confirms what the page did not show: in this window, or in another one."""
    asker = await opened(allow_writes=True)
    path = await planned(asker, TWO, [("max_failures", "2")])
    review = await asker.get(path)
    shown = review.text.partition('name="shown" value="')[2].partition('"')[0]
    fields = [("count", "2"), ("shown", shown)]
    other = await asker.post(f"{path}/apply", [*fields, ("max_failures", "1"), ("concurrency", "")])
    assert other.status == 422
    assert "The plan or its limits changed since that page; this page shows them." in other.words
    assert "Failure budget 1: after 1 failure of 2 machines nothing more is sent." in other.words
    stale = await asker.post(f"{path}/apply", fields)
    assert stale.status == 422
    assert writes(asker) == []
    shown = other.text.partition('name="shown" value="')[2].partition('"')[0]
    begun = await asker.post(f"{path}/apply", [("count", "2"), ("shown", shown), ("max_failures", "1")])
    assert begun.status == 303
    await asker.ended()
    journal = RunStore(asker.state).open(begun.location.rpartition("/")[2])
    assert journal.brakes == RunGuardrails(max_failures="1")
    journal.release()


async def test_the_review_tells_what_each_limit_does(opened: Open) -> None:
    """In machines of this plan, not as it was typed; a freeze that holds now is told before somebody types a number."""
    asker = await opened(fleet(12), allow_writes=True)
    limits = [("max_failures", ""), ("wave_failures", "25%"), ("region_failures", "3"), ("wave_pause", "1h")]
    limits += [("freeze", "2000-01-01/2998-01-01 UTC"), ("share", "50%"), ("canary", "2"), *RINGS]
    path = await planned(asker, many(12), limits)
    review = (await asker.get(path)).words
    for told in (
        "A wave begins 60 minutes after the one before has ended, if all of it was sent and its failure budget was",
        "Of a wave 25%: after 1 failure in one wave nothing more is sent.",
        "Of a region 3. Nothing more is sent to westeurope: after 3 failures of 12 machines.",
        "Rate limits At most 50% of each of Azure's rate limits; the rest is left to others.",
        "Frozen now 2000-01-01/2998-01-01 (UTC), until Tue 2998-01-02 00:00 UTC. The run cannot begin until then.",
    ):
        assert told in review, review
    refused = await asker.post(f"{path}/apply", [("count", "12")])
    assert refused.status == 409
    assert "Nothing was sent: frozen," in refused.words
    assert writes(asker) == []


async def test_a_run_whose_budget_is_spent_does_not_look_as_if_it_ran_on(opened: Open) -> None:
    """What is under way may take minutes to end; until then the page said "Running"."""
    locked = Respond(409, json={"error": {"code": "ScopeLocked", "message": "The scope is locked."}})
    asker = await opened(
        allow_writes=True, faults=FaultPlan([Rule(do=Action(respond=locked), match=Matcher(method="PATCH"))])
    )
    path = await planned(asker, TWO, [("max_failures", "1")])
    await asker.post(f"{path}/apply", [("count", "2")])
    operation = asker.console.operations.current
    assert isinstance(operation, ConsoleOperation)
    assert live_values(replace(operation, progress=None), datetime.now(UTC))["statement"].startswith("Running.")
    await asker.ended()
    shown = live_values(operation, datetime.now(UTC))
    assert shown["statement"].startswith("Nothing more is sent; changes under way are followed to their end.")
    assert any("The failure budget is spent (1 failed)" in text for text in shown["remarks"]), shown["remarks"]


async def test_a_canary_that_fails_holds_the_rest(opened: Open) -> None:
    """The page of the run says which wave was reached and why the next was not begun."""
    locked = Respond(409, json={"error": {"code": "ScopeLocked", "message": "The scope is locked."}})
    asker = await opened(
        fleet(8), allow_writes=True, faults=FaultPlan([Rule(do=Action(respond=locked), match=Matcher(method="PATCH"))])
    )
    path = await planned(asker, many(8), [("canary", "2"), ("concurrency", "1")])
    begun = await asker.post(f"{path}/apply", [("count", "8")])
    await asker.ended()
    assert len(writes(asker)) == 2
    page = await asker.get(begun.location)
    assert "a wave had ended in which 2 failed" in page.words
    assert "Next: resume it." in page.words
    waves = page.words.partition(" Waves ")[2]
    assert "1 canary ended 2 0 2 0 0 0" in waves, waves
    assert "2 rest nothing sent 6 0 0 0 0 6" in waves


async def test_a_frozen_run_says_until_when(opened: Open) -> None:
    """Resume would be refused: the page says so, and until when, instead of offering it."""
    asker = await opened(allow_writes=True)
    path = await planned(asker, TWO, [])
    plan = asker.console.changes.get(path.rpartition("/")[2]).plan
    assert plan is not None
    frozen = RunGuardrails(freeze=(KeptFreeze("2000-01-01/2998-01-01", "UTC"),))
    journal = RunStore(asker.state).create(plan, brakes=frozen)
    journal.release()
    page = await asker.get(f"/runs/{journal.run}")
    assert "Frozen now: 2000-01-01/2998-01-01 (UTC), until Tue 2998-01-02 00:00 UTC." in page.words, page.words
    assert "It cannot be resumed here until then." in page.words
    assert "Next: resume it when the freeze has ended." in page.words
    assert f'action="/runs/{journal.run}/resume"' not in page.text


async def test_a_run_tells_its_options_in_the_words_of_the_form(opened: Open) -> None:
    """No option of the command line, which nobody can type on a page."""
    asker = await opened(allow_writes=True)
    path = await planned(asker, TWO, [])
    plan = asker.console.changes.get(path.rpartition("/")[2]).plan
    assert plan is not None
    freeze = (KeptFreeze("2998-01-01/2998-01-02", "UTC"),)
    limits = RunGuardrails(max_failures="5%", concurrency=4, wave_pause=60.0, freeze=freeze, share="50%")
    journal = RunStore(asker.state).create(plan, brakes=limits)
    journal.release()
    page = (await asker.get(f"/runs/{journal.run}")).words
    told = (
        "Run options: the failure budget 5%, “Machines at a time” 4, the pause between waves 1m, "
        "the freeze '2998-01-01/2998-01-02 UTC', the share of the rate limits 50%."
    )
    assert told in page, page
    assert "somebody stopped it, it was killed, or the computer stopped" in page


async def test_a_wave_of_which_nothing_was_applied_needs_a_new_plan(opened: Open) -> None:
    """Resuming would stop at the same place; the page sent people there."""
    asker = await opened(fleet(8), allow_writes=True)
    path = await planned(asker, many(8), [("canary", "1"), ("concurrency", "1")])
    plan = asker.console.changes.get(path.rpartition("/")[2]).plan
    assert plan is not None
    other = await asker.planned([("take", "ids"), ("id", str(plan.changes[0].id))], [("orchestration", "AzureManaged")])
    await asker.post(f"{other}/apply", [("count", "1")])
    await asker.ended()
    begun = await asker.post(f"{path}/apply", [("count", "8")])
    await asker.ended()
    page = await asker.get(begun.location)
    assert "Next: Make a new plan: it includes the machines that changed meanwhile." in page.words, page.words
    assert "Next: resume it" not in page.words
    assert f'action="{begun.location}/resume"' not in page.text
