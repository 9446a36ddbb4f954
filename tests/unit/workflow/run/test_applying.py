"""Apply executes the plan and nothing else, and every machine ends as exactly one honest result."""

import asyncio
import copy
from dataclasses import replace

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import (
    SUBSCRIPTION,
    FleetDouble,
    VirtualLoop,
    fleet_of,
    machine_id,
    run_virtually,
    settings_of,
    vm,
)

from patchmode.arm.machine_reading import machine_from_document
from patchmode.errors import BrokenPlanError, UnsafeError, WrongTargetError
from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Plan
from patchmode.model.run import Difference, Result, RunCounts
from patchmode.model.target import Target
from patchmode.ports.run import Progress
from patchmode.rules.settings.planning import change_with
from patchmode.workflow.run.guardrails import MaxFailures
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.verification import verify_run

SET = {
    "patchMode": "AutomaticByPlatform",
    "assessmentMode": "ImageDefault",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}


def one_machine(*faults: str, etag: bool = True) -> FleetDouble:
    azure = FleetDouble([vm("web", etag=etag)])
    azure.machines[machine_id("web")].faults.extend(faults)
    return azure


# ------------------------------------------------------------------------------------------------ the whole


def test_every_machine_is_set_and_verified_and_nothing_else_changes() -> None:
    azure = fleet_of(120)
    before = azure.fleet()
    report = runs.apply_all(azure)
    assert report.counts == RunCounts(scope=120, applied=120, verified=120)
    assert (report.state, report.target) == ("finished", azure.target)
    for machine, document in azure.fleet().items():
        assert settings_of(document) == SET
        settings_of(before[machine]).update(SET)
    assert azure.fleet() == before
    assert set(azure.writes().values()) == {1}


def test_results_name_the_request_for_a_support_case() -> None:
    (result,) = runs.apply_all(one_machine()).results
    assert (result.request_id, result.correlation_id) == ("request-web", "correlation")
    assert result.started_at is not None
    assert result.ended_at is not None
    assert result.ended_at > result.started_at


def test_requests_are_counted_from_the_run_on() -> None:
    azure = fleet_of(3)
    azure.log.append(("POST", "Resource Graph, while planning"))
    report = runs.apply_all(azure)
    assert report.requests == {"GET": azure.count("GET"), "PATCH": 3}


@pytest.mark.parametrize(("machines", "most"), [(1_000, 1.25), (200, 1.3)])
def test_requests_per_machine_stay_low(machines: int, most: float) -> None:
    """Operations somewhat slower than those recorded: 5 s in the median, a tenth of them 30 s, a few 89 s."""
    spread = [2.0, 3.0, 4.0, 4.5, 5.0, 5.2, 6.0, 7.5, 11.0, 30.0]
    azure = fleet_of(machines, duration_s=lambda number: 89.0 if number % 150 == 0 else spread[number % 10])
    report = runs.apply_all(azure)
    assert report.counts.verified == machines
    assert sum(report.requests.values()) / machines < most


def test_no_more_patches_are_under_way_than_asked_for() -> None:
    azure = fleet_of(40)
    runs.apply_all(azure, options=ApplyOptions(concurrency=7))
    assert azure.most_under_way == 7


@pytest.mark.parametrize(
    ("options", "subscriptions", "at_once"),
    [
        (ApplyOptions(), 1, 64),
        (ApplyOptions(), 4, 64),
        (ApplyOptions(), 5, 80),
        (ApplyOptions(), 40, 512),
        (ApplyOptions(concurrency=7), 40, 7),
        (ApplyOptions(max_failures=MaxFailures(count=1)), 40, 512),
        (ApplyOptions(concurrency=300, max_failures=MaxFailures(count=1)), 40, 300),
    ],
)
def test_how_many_requests_are_in_flight(options: ApplyOptions, subscriptions: int, at_once: int) -> None:
    """Failure budgets bound what is under way, which is another matter: see test_under_way.py."""
    places = [f"{number:08}-1111-1111-1111-111111111111" for number in range(subscriptions)]
    azure = FleetDouble([vm("one", subscription=place) for place in places])
    assert options.at_once(azure.plan()) == at_once


def test_an_empty_plan_is_done_at_once() -> None:
    azure = fleet_of(0)
    assert runs.apply_all(azure).counts == RunCounts(scope=0)
    assert azure.log == []


def test_a_region_that_azure_holds_back_holds_up_no_other() -> None:
    """Five minutes of throttle in one region, with fewer places than it has machines."""
    azure = FleetDouble([vm(f"w{n}") for n in range(6)] + [vm(f"n{n}", location="northeurope") for n in range(6)])
    azure.lane_waits[SUBSCRIPTION, "westeurope"] = 300.0
    started = VirtualLoop.elapsed()
    ends: dict[str, float] = {}

    def note(progress: Progress) -> None:
        if progress.latest is not None:
            ends[progress.latest.id.name] = VirtualLoop.elapsed() - started

    report = runs.apply_all(azure, options=ApplyOptions(concurrency=2), observer=runs.Watcher(at_progress=note))
    assert report.counts.verified == 12
    assert max(end for name, end in ends.items() if name.startswith("n")) < 60
    assert min(end for name, end in ends.items() if name.startswith("w")) > 300
    assert azure.turns == 12


def test_a_stop_does_not_wait_for_a_throttle() -> None:
    azure = FleetDouble([vm("w1"), vm("n1", location="northeurope")])
    azure.lane_waits[SUBSCRIPTION, "westeurope"] = 3_600.0
    stop = asyncio.Event()
    watcher = runs.Watcher(at_progress=lambda one: stop.set() if one.done else None)
    began = VirtualLoop.elapsed()
    report = runs.apply_all(azure, observer=watcher, stop=stop)
    assert (report.state, report.counts.applied, report.counts.not_sent) == ("interrupted", 1, 1)
    assert VirtualLoop.elapsed() - began < 60


def test_progress_adds_up_at_each_moment_and_tells_the_ends_apart() -> None:
    azure = fleet_of(30)
    plan = azure.plan()
    for number in range(4):
        azure.edit_settings(machine_id(f"vm-{number:04}"), assessmentMode="AutomaticByPlatform")
    faults = {4: ["ScopeLocked:409"], 5: ["lost-before"] * 3, 6: ["not-sent"]}
    for number, script in faults.items():
        azure.machines[machine_id(f"vm-{number:04}")].faults.extend(script)
    watcher = runs.Watcher()
    counts = runs.apply_all(azure, plan=plan, observer=watcher).counts
    for one in watcher.progress:
        ended = one.done + one.failed + one.unknown + one.stale + one.not_sent
        assert ended + one.waiting + one.not_started == one.total == 30
    first, last = watcher.progress[0], watcher.progress[-1]
    assert first.not_started == 30
    assert (last.done, last.failed, last.unknown, last.stale, last.not_sent) == (23, 1, 1, 4, 1)
    assert (counts.applied, counts.failed, counts.unknown, counts.stale, counts.not_sent) == (23, 1, 1, 4, 1)
    assert list(last.errors)[-1] in {str(machine_id(f"vm-{number:04}")) for number in range(7)}
    assert len(last.errors) == 7


# ------------------------------------------------------------------------------- the machine changed since the plan


@pytest.mark.parametrize("etag", [True, False])
def test_machine_that_changed_in_what_the_plan_touches_is_refused_and_the_field_is_named(etag: bool) -> None:
    azure = one_machine(etag=etag)
    plan = azure.plan()
    azure.edit_settings(machine_id("web"), assessmentMode="AutomaticByPlatform")
    (result,) = runs.apply_all(azure, plan=plan).results
    assert result.result is Result.STALE
    assert 'patchSettings.assessmentMode was "ImageDefault", is "AutomaticByPlatform"' in runs.error_of(result).message
    assert runs.error_of(result).may_have_been_applied is False
    assert azure.writes() == {"web": 0}


@pytest.mark.parametrize("etag", [True, False])
def test_a_tag_added_since_the_plan_is_told_and_stands_in_nobodys_way(etag: bool) -> None:
    """One more read, the same PATCH under the newest etag, and verification against what was read."""
    azure = one_machine(etag=etag)
    plan = azure.plan()
    azure.edit(machine_id("web"), tag="db")
    report = runs.apply_all(azure, plan=plan)
    assert report.counts == RunCounts(scope=1, applied=1, verified=1)
    assert report.results[0].changed_since_plan == (Difference("tags.owner", '"web"', '"db"'),)
    assert azure.writes() == {"web": 1}
    assert azure.count("PATCH") == (2 if etag else 1)


@pytest.mark.parametrize("etag", [True, False])
def test_a_strict_run_refuses_a_machine_for_any_change(etag: bool) -> None:
    azure = one_machine(etag=etag)
    plan = azure.plan()
    azure.edit(machine_id("web"), tag="db")
    (result,) = runs.apply_all(azure, plan=plan, options=ApplyOptions(strict=True)).results
    error = runs.error_of(result)
    assert (result.result, result.changed_since_plan, azure.writes()) == (Result.STALE, (), {"web": 0})
    assert 'tags.owner was "web", is "db"' in error.message
    assert "apply without --strict" in error.advice


def test_a_strict_run_does_not_mind_an_etag_alone() -> None:
    azure = one_machine()
    plan = azure.plan()
    azure.touch(machine_id("web"))
    assert runs.apply_all(azure, plan=plan, options=ApplyOptions(strict=True)).counts.verified == 1


def test_damage_by_the_write_is_seen_beside_a_tag_changed_before_it() -> None:
    """The machine as read just before its PATCH is the proof about siblings: the tag is not ours, the disk is."""
    azure = one_machine()
    plan = azure.plan()
    azure.edit(machine_id("web"), tag="db")
    azure.after_write = lambda one: azure.machines[one].document["properties"].update(licenseType="Windows_Server")
    (result,) = runs.apply_all(azure, plan=plan).results
    assert result.verification is not None
    assert [one.path for one in result.verification.differences] == ["properties.licenseType"]
    assert [one.path for one in result.changed_since_plan] == ["tags.owner"]


@pytest.mark.parametrize("committed", [True, False])
def test_what_was_read_before_the_write_survives_the_process(committed: bool) -> None:
    """A resume, and each later verify, compares with the machine as it was read, not with the plan's document."""
    with runs.temporary_store() as store:
        azure = one_machine()
        plan = azure.plan()
        azure.edit(machine_id("web"), tag="db")
        # Steps: intended, refused by If-Match, intended again with what was read, started.
        assert runs.apply_until(store, azure, plan=plan, at=2, committed=committed)
        report = runs.apply_in(store, azure)
        assert report.counts == RunCounts(scope=1, applied=1, verified=1)
        assert [one.path for one in report.results[0].changed_since_plan] == ["tags.owner"]
        (entry,) = store.open().entries()
        assert entry.change.document["tags"] == {"owner": "db"}
        assert entry.result is not None
        assert entry.result.changed_since_plan == report.results[0].changed_since_plan


@pytest.mark.parametrize("values", [("db", "web"), ("db", "app"), ("db", "app", "web"), ("db", "web", "db")])
def test_the_journal_keeps_the_machine_as_it_was_read_last(values: tuple[str, ...]) -> None:
    """A tag that is written between the tries, also one that comes back: the run and each later verify say the same."""
    azure = one_machine()
    plan = azure.plan()
    rest = iter(values)
    azure.before_patch = lambda one: azure.edit(one, tag=value) if (value := next(rest, None)) else None
    with runs.temporary_store() as store:
        (result,) = runs.apply_in(store, azure, plan=plan).results
        journal = store.open()
        (entry,) = journal.entries()
        (later,) = run_virtually(verify_run(azure, journal, record=False))
        journal.release()
    came_back = values[-1] == "web"
    assert [one.found for one in result.changed_since_plan] == ([] if came_back else [f'"{values[-1]}"'])
    assert entry.change.document["tags"] == {"owner": values[-1]}
    assert entry.changed_since_plan == result.changed_since_plan
    assert (later.verified, later.differences, later.changed_later) == (True, (), ())


def test_bypass_is_not_turned_off_unasked_before_the_services_document_was_seen() -> None:
    """A made-up plan states any document: that Azure may not newly patch a machine is judged by the service's own."""
    azure = one_machine()
    settings_of(azure.machines[machine_id("web")].document).update(SET)
    unbypass = {"bypassPlatformSafetyChecksOnUserSchedule": False, "rebootSetting": "Never"}
    sent = {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": unbypass}
    (result,) = runs.apply_all(azure, plan=made_up(azure, HALF, sent)).results
    assert (result.result, azure.count("PATCH")) == (Result.STALE, 0)


def test_etag_alone_may_change() -> None:
    """Extension and agent work changes the etag; the machine is as planned, so the PATCH goes out under the new one."""
    azure = one_machine()
    plan = azure.plan()
    azure.touch(machine_id("web"))
    assert runs.apply_all(azure, plan=plan).counts.verified == 1
    assert azure.count("PATCH") == 2


def test_machine_that_never_rests_is_given_up() -> None:
    azure = one_machine("touched", "touched", "touched", "touched", "touched")
    (result,) = runs.apply_all(azure).results
    assert (result.result, runs.error_of(result).code) == (Result.STALE, "MachineKeepsChanging")
    assert (azure.count("PATCH"), azure.writes()) == (4, {"web": 0})


def test_machine_without_etag_is_read_first() -> None:
    azure = one_machine(etag=False)
    assert runs.apply_all(azure).counts.verified == 1
    assert azure.log[:2] == [("GET", str(machine_id("web"))), ("PATCH", str(machine_id("web")))]


@pytest.mark.parametrize("etag", [True, False])
def test_machine_that_somebody_else_set_is_stale_and_not_ours(etag: bool) -> None:
    """A change of somebody else's is never reported as applied, so a rollback of this run leaves it alone."""
    azure = one_machine(etag=etag)
    plan = azure.plan()
    settings_of(azure.machines[machine_id("web")].document).update(SET)
    if etag:
        azure.touch(machine_id("web"))
    (result,) = runs.apply_all(azure, plan=plan).results
    error = runs.error_of(result)
    assert (result.result, error.code, error.may_have_been_applied) == (Result.STALE, "AlreadySet", False)
    assert 'patchSettings.patchMode was "AutomaticByOS", is "AutomaticByPlatform"' in error.message
    assert "Somebody else set web" in error.message
    assert "new plan" in error.advice
    assert azure.writes() == {"web": 0}


def test_machine_that_somebody_else_set_while_a_concurrent_write_was_waited_out_is_stale() -> None:
    azure = one_machine("Conflict:409")
    azure.before_patch = lambda machine: settings_of(azure.machines[machine].document).update(SET)
    (result,) = runs.apply_all(azure).results
    assert (result.result, runs.error_of(result).code) == (Result.STALE, "AlreadySet")


@pytest.mark.parametrize("etag", [True, False])
def test_two_applies_of_one_plan_claim_each_machine_once(etag: bool) -> None:
    """From two state folders, which know nothing of each other."""
    azure = FleetDouble([vm(f"vm-{number}", etag=etag) for number in range(6)])
    plan = azure.plan()
    first, second = runs.apply_all(azure, plan=plan), runs.apply_all(azure, plan=plan)
    assert first.counts == RunCounts(scope=6, applied=6, verified=6)
    assert second.counts == RunCounts(scope=6, stale=6)
    assert set(azure.writes().values()) == {1}


@pytest.mark.parametrize(
    ("faults", "reads_refused", "result", "applied"),
    [
        ((), 1, Result.NOT_SENT, False),
        (("lost-after",), 1, Result.UNKNOWN, True),
        (("lost-before",), 1, Result.UNKNOWN, True),
    ],
)
def test_machine_that_cannot_be_read_is_not_guessed_at(
    faults: tuple[str, ...], reads_refused: int, result: Result, applied: bool
) -> None:
    azure = one_machine(*faults, etag=bool(faults))
    azure.machines[machine_id("web")].reads_refused = reads_refused
    (end,) = runs.apply_all(azure).results
    assert (end.result, runs.error_of(end).may_have_been_applied) == (result, applied)


def test_refused_by_if_match_and_unreadable_is_stale() -> None:
    azure = one_machine("touched")
    azure.machines[machine_id("web")].reads_refused = 1
    (end,) = runs.apply_all(azure).results
    assert (end.result, runs.error_of(end).may_have_been_applied) == (Result.STALE, False)


# ------------------------------------------------------------------------------------------------ answers that are lost


@pytest.mark.parametrize("etag", [True, False])
@pytest.mark.parametrize(("fault", "patches"), [("lost-after", 1), ("lost-before", 2)])
def test_lost_answer_is_settled_by_reading(fault: str, patches: int, etag: bool) -> None:
    azure = one_machine(fault, etag=etag)
    assert runs.apply_all(azure).counts == RunCounts(scope=1, applied=1, verified=1)
    assert (azure.count("PATCH"), azure.writes()) == (patches, {"web": 1})


def test_answers_lost_again_and_again_end_as_unknown() -> None:
    azure = one_machine("lost-before", "lost-before", "lost-before")
    (end,) = runs.apply_all(azure).results
    assert (end.result, runs.error_of(end).may_have_been_applied) == (Result.UNKNOWN, True)
    assert azure.count("PATCH") == 2


def test_machine_that_changed_after_a_lost_answer_is_unknown() -> None:
    azure = one_machine("lost-before")
    azure.before_patch = lambda machine: azure.edit_settings(machine, assessmentMode="AutomaticByPlatform")
    (end,) = runs.apply_all(azure).results
    assert (end.result, runs.error_of(end).code) == (Result.UNKNOWN, "MachineChanged")


def test_machine_that_never_rests_after_a_lost_answer_is_unknown() -> None:
    azure = one_machine("lost-before")
    azure.before_patch = lambda machine: azure.edit(machine, tag=f"{VirtualLoop.elapsed()}")
    (end,) = runs.apply_all(azure).results
    assert (end.result, runs.error_of(end).code) == (Result.UNKNOWN, "MachineKeepsChanging")
    assert runs.error_of(end).may_have_been_applied is True


def test_what_was_never_sent_can_be_sent_by_resume() -> None:
    azure = one_machine("not-sent")
    with runs.temporary_store() as store:
        (end,) = runs.apply_in(store, azure, plan=azure.plan()).results
        assert (end.result, runs.error_of(end).may_have_been_applied) == (Result.NOT_SENT, False)
        assert runs.apply_in(store, azure).counts == RunCounts(scope=1, applied=1, verified=1)


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("code", "status", "advice"),
    [
        ("ScopeLocked", 409, "Remove the ReadOnly lock"),
        ("DenyAssignmentAuthorizationFailed", 403, "deny assignment"),
        ("AuthorizationFailed", 403, "Microsoft.Compute/virtualMachines/write"),
        ("RequestDisallowedByPolicy", 403, "owner of the policy"),
        ("MissingSubscriptionRegistration", 409, "Register the resource provider"),
        ("ResourceNotFound", 404, "deleted or moved"),
        ("OperationNotAllowed", 409, "present state"),
        ("ReadOnlyDisabledSubscription", 409, "have it enabled again"),
        ("SomethingNew", 400, "patchmode explain"),
        ("SomethingNew", 409, "activity log"),
    ],
)
def test_refusal_is_a_value_with_advice_and_stops_nobody_else(code: str, status: int, advice: str) -> None:
    azure = fleet_of(5)
    azure.machines[machine_id("vm-0002")].faults.append(f"{code}:{status}")
    report = runs.apply_all(azure)
    assert report.counts == RunCounts(scope=5, applied=4, failed=1, verified=4)
    error = runs.error_of(report.results[2])
    assert (error.code, error.http_status, error.may_have_been_applied) == (code, status, False)
    assert advice in error.advice
    assert "vm-0002" in error.message


def test_concurrent_write_is_waited_out() -> None:
    azure = one_machine("ConflictingConcurrentWriteNotAllowed:409", "Conflict:409")
    assert runs.apply_all(azure).counts.verified == 1
    assert azure.count("PATCH") == 3


def test_concurrent_writes_without_end_are_a_failure() -> None:
    azure = one_machine(*["Conflict:409"] * 9)
    (end,) = runs.apply_all(azure).results
    assert (end.result, runs.error_of(end).code, azure.count("PATCH")) == (Result.FAILED, "Conflict", 4)


# ------------------------------------------------------------------------------------------------ refused as a whole


def test_plan_for_another_target_is_refused_before_anything_is_sent() -> None:
    azure = one_machine()
    plan = azure.plan()
    azure.target = Target("AzureCloud", "https://management.azure.com", "88888888-8888-8888-8888-888888888888")
    with pytest.raises(WrongTargetError, match=r"tenant 99999999-.* and this is tenant 88888888-"):
        runs.apply_all(azure, plan=plan)
    assert azure.log == []


def test_read_only_connection_is_refused() -> None:
    azure = one_machine()
    azure.read_only = True
    with pytest.raises(UnsafeError, match="reading only"):
        runs.apply_all(azure)


HANDING_OVER = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": False},
}
HALF: dict[str, object] = {"patchMode": "AutomaticByPlatform"}
OTHER_HALF = {"automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True}}


def made_up(azure: FleetDouble, before: object, sent: dict[str, object]) -> Plan:
    """The plan of a rollback, which may restore anything, for a machine that it says is set so."""
    plan, document = one_machine().plan(), copy.deepcopy(azure.machines[machine_id("web")].document)
    document["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"] = before
    change = change_with(machine_from_document(document, MachineKind.VM), sent)
    return replace(plan, wanted=WantedSettings(), rollback_of="20260301T083000000Z-abcdef", changes=(change,))


@pytest.mark.parametrize(
    ("before", "sent", "is_refused"),
    [
        ({"patchMode": "Manual"}, HANDING_OVER, True),
        (None, HANDING_OVER, True),
        (SET, HANDING_OVER, True),
        (HALF, {"assessmentMode": "AutomaticByPlatform"}, False),
        (SET, {"patchMode": "Manual"}, False),
    ],
)
def test_nothing_is_newly_handed_to_azure_unasked(before: object, sent: dict[str, object], is_refused: bool) -> None:
    azure = one_machine()
    unasked = made_up(azure, before, sent)
    asked = replace(unasked, wanted=WantedSettings(orchestration=Orchestration.AZURE_MANAGED))
    if is_refused:
        with pytest.raises(UnsafeError, match="that orchestration was not requested by name"):
            runs.apply_all(azure, plan=unasked)
        assert azure.log == []
    else:
        runs.apply_all(azure, plan=unasked)
    runs.apply_all(one_machine(), plan=asked)


@pytest.mark.parametrize("sent", [HALF, OTHER_HALF, {**HALF, "assessmentMode": "AutomaticByPlatform"}])
@pytest.mark.parametrize("before", [{"patchMode": "Manual"}, None, SET, HALF])
def test_half_of_the_pair_is_never_sent_whatever_the_plan_says_of_the_machine(
    before: object, sent: dict[str, object]
) -> None:
    """The state that this program exists to prevent: the mode without bypass, or bypass without the mode."""
    azure = one_machine()
    for wanted in (WantedSettings(), WantedSettings(orchestration=Orchestration.AZURE_MANAGED)):
        plan = replace(made_up(azure, before, sent), wanted=wanted)
        with pytest.raises(BrokenPlanError, match="the rules make"):
            runs.apply_all(azure, plan=plan)
    assert azure.log == []
