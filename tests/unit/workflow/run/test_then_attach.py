"""Settings, verify, attach, verify: for each machine in that order, whatever dies meanwhile; and all of it undone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import (
    OTHER_SUBSCRIPTION,
    SUBSCRIPTION,
    FleetDouble,
    LoopClock,
    VirtualLoop,
    machine_id,
    run_virtually,
    settings_of,
    vm,
)
from tests.unit.workflow.maintenance_double import configuration, configuration_id

from patchmode.errors import RejectedError
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.plan import Plan, ThenAttach, Unchanged
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result, RunReport
from patchmode.model.schedule import AttachAction, AttachEnd, ConfigurationAssignment
from patchmode.ports.run import AttachmentEntry, JournalEntry, Step
from patchmode.rules.guardrails.freezes import freezes_from
from patchmode.store.runs import RunStore
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.guardrails import MaxFailures
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.report import report_of
from patchmode.workflow.run.rollback import make_rollback_plan
from patchmode.workflow.run.state import result_of, result_of_attachment

WEEKLY = configuration_id("weekly", subscription=SUBSCRIPTION)
OTHER = configuration_id("other", subscription=SUBSCRIPTION)
ASSIGNMENT = "weekly"
STEPS = 16
"""What an undisturbed run of the mixed fleet writes down, three machines at a time."""


def prepared(name: str, **place: str) -> dict[str, object]:
    document = vm(name, **place)
    settings_of(document).update(
        patchMode="AutomaticByPlatform", automaticByPlatformSettings={"bypassPlatformSafetyChecksOnUserSchedule": True}
    )
    return document


def fleet(*changed: str, right: tuple[str, ...] = ()) -> FleetDouble:
    azure = FleetDouble([*(vm(name) for name in changed), *(prepared(name) for name in right)])
    azure.schedules.configurations = [configuration(WEEKLY), configuration(OTHER)]
    azure.schedules.before_attach = lambda one: _refuse_unprepared(azure, one)
    return azure


def _refuse_unprepared(azure: FleetDouble, one: ResourceId) -> None:
    settings = settings_of(azure.machines[one].document)
    bypass = settings.get("automaticByPlatformSettings", {}).get("bypassPlatformSafetyChecksOnUserSchedule")
    if settings["patchMode"] != "AutomaticByPlatform" or not bypass:
        raise RejectedError("not prepared", code="UnsupportedResourceOperation", status=400)


def plan_of(azure: FleetDouble, *, right: tuple[str, ...] = ()) -> Plan:
    outcome = Outcome(OutcomeKind.PARKED, "it waits for a schedule")
    return replace(
        azure.plan(),
        unchanged=tuple(Unchanged(machine_id(name), MachineKind.VM, outcome) for name in right),
        then_attach=ThenAttach(WEEKLY, ASSIGNMENT),
    )


def attached(azure: FleetDouble) -> set[tuple[str, str, str]]:
    return {(one.machine.name, one.name, one.configuration.name) for one in azure.schedules.assignments}


def ends(report: RunReport) -> dict[str, AttachEnd]:
    return {ResourceId.parse(one.id).name: one.result for one in report.attachments}


def code_of(report: RunReport, name: str) -> str:
    error = next(one.error for one in report.attachments if one.id.endswith(f"/{name}"))
    assert error is not None
    return error.code


def test_changed_and_right_machines_are_attached_and_others_are_unchanged() -> None:
    azure = fleet("web", right=("db", "app"))
    azure.schedules.assignments = [ConfigurationAssignment("by-hand", machine_id("app"), WEEKLY)]
    report = runs.apply_all(azure, plan=plan_of(azure, right=("db", "app")))
    assert report.counts.applied == report.counts.verified == 1
    assert ends(report) == {"web": AttachEnd.ATTACHED, "db": AttachEnd.ATTACHED, "app": AttachEnd.UNCHANGED}
    assert attached(azure) == {("web", "weekly", "weekly"), ("db", "weekly", "weekly"), ("app", "by-hand", "weekly")}


def test_settings_are_verified_before_each_attach_and_the_attach_after() -> None:
    azure = fleet("web")
    runs.apply_all(azure, plan=plan_of(azure))
    told = [f"{method} {what.split('/')[-1].split(' of ')[0]}" for method, what in azure.log]
    patched, put = told.index("PATCH web"), next(at for at, text in enumerate(told) if text.startswith("PUT"))
    assert patched < put
    assert any(text in {"GET web", "GET list web"} for text in told[patched + 1 : put])
    assert azure.log[-1] == ("GET", f"assignments of {machine_id('web')}")


def test_machine_whose_change_failed_is_not_attached() -> None:
    azure = fleet("web", "bad")
    azure.machines[machine_id("bad")].faults.extend(["ScopeLocked:409"] * 9)
    report = runs.apply_all(azure, plan=plan_of(azure))
    assert ends(report) == {"web": AttachEnd.ATTACHED, "bad": AttachEnd.NOT_SENT}
    assert code_of(report, "bad") == "SettingsNotVerified"
    assert report.state == "finished"
    assert attached(azure) == {("web", "weekly", "weekly")}


def test_machine_with_another_leaf_changed_is_applied_and_not_attached() -> None:
    azure = fleet("web")
    azure.after_write = lambda one: azure.machines[one].document["tags"].update(owner="someone")
    report = runs.apply_all(azure, plan=plan_of(azure))
    assert (report.counts.applied, report.counts.verified) == (1, 0)
    assert ends(report) == {"web": AttachEnd.NOT_SENT}
    assert attached(azure) == set()


def test_right_machine_that_was_set_back_since_the_plan_is_not_attached() -> None:
    azure = fleet(right=("db",))
    plan = plan_of(azure, right=("db",))
    settings_of(azure.machines[machine_id("db")].document)["patchMode"] = "Manual"
    report = runs.apply_all(azure, plan=plan)
    assert ends(report) == {"db": AttachEnd.NOT_SENT}
    assert code_of(report, "db") == "SettingsNotVerified"
    assert azure.count("PUT") == 0


def test_name_that_holds_another_configuration_is_not_overwritten() -> None:
    azure = fleet("web")
    azure.schedules.assignments = [ConfigurationAssignment("weekly", machine_id("web"), OTHER)]
    report = runs.apply_all(azure, plan=plan_of(azure))
    assert ends(report) == {"web": AttachEnd.REFUSED}
    assert attached(azure) == {("web", "weekly", "other")}


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("lost-after", AttachEnd.ATTACHED),
        ("lost-before", AttachEnd.UNKNOWN),
        ("not-sent", AttachEnd.NOT_SENT),
        ("LinkedAuthorizationFailed:403", AttachEnd.FAILED),
    ],
)
def test_each_answer_of_the_attach(fault: str, end: AttachEnd) -> None:
    azure = fleet("web")
    azure.schedules.faults["weekly"].append(fault)
    report = runs.apply_all(azure, plan=plan_of(azure))
    assert ends(report) == {"web": end}
    assert report.counts.applied == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("ScopeLocked:409", "Remove the lock that the message names, then make a new plan with --then-attach."),
        ("LinkedAuthorizationFailed:403", "ake a new plan with --then-attach."),
        ("AuthorizationFailed:403", "on the configuration. Then make a new plan with --then-attach."),
        ("UnsupportedResourceOperation:400", "Make the machine ready first: patchmode apply --then-attach."),
        ("not-sent", "esume the run with `patchmode runs resume RUN`."),
    ],
)
def test_advice_inside_a_run_is_what_helps_there(fault: str, words: str) -> None:
    """To repeat the command would make another plan and another run, or be refused because this one is not over."""
    azure = fleet("web")
    azure.schedules.faults["weekly"].append(fault)
    report = runs.apply_all(azure, plan=plan_of(azure))
    (result,) = report.attachments
    assert result.error is not None
    assert result.error.advice.replace(report.run, "RUN").endswith(words)
    assert "epeat the command" not in result.error.advice


def test_answer_that_is_lost_again_and_again_asks_for_another_plan() -> None:
    azure = fleet("web")
    azure.schedules.faults["weekly"].extend(["lost-before"] * 9)
    (result,) = runs.apply_all(azure, plan=plan_of(azure)).attachments
    assert result.error is not None
    assert (result.result, result.error.advice) == (
        AttachEnd.UNKNOWN,
        "Make a new plan with --then-attach: what is already done is skipped.",
    )


def test_what_does_not_come_off_is_tried_again_by_a_resume() -> None:
    azure = fleet("web")
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure))
        azure.schedules.faults["weekly"].append("ScopeLocked:409")
        _, report = roll_back(store, azure)
    (result,) = report.attachments
    assert result.error is not None
    assert result.error.advice == (
        f"Remove the lock that the message names, then resume the run with `patchmode runs resume {report.run}`."
    )


def test_configuration_deleted_meanwhile_attaches_nothing_and_a_resume_does() -> None:
    azure = fleet("web")
    azure.schedules.configurations = []
    with runs.temporary_store() as store:
        report = runs.apply_in(store, azure, plan=plan_of(azure))
        assert ends(report) == {"web": AttachEnd.NOT_SENT}
        assert report.counts.verified == 1
        azure.schedules.configurations = [configuration(WEEKLY)]
        assert ends(runs.apply_in(store, azure)) == {"web": AttachEnd.ATTACHED}


def test_failures_of_attaching_spend_the_budget() -> None:
    names = tuple(f"db-{number}" for number in range(30))
    azure = fleet(right=names)
    azure.schedules.faults["weekly"].extend(["AuthorizationFailed:403"] * 30)
    options = ApplyOptions(max_failures=MaxFailures(count=1))
    plan = plan_of(azure, right=names)
    report = runs.apply_all(azure, plan=plan, options=options)
    failed = [one for one in report.attachments if one.result is AttachEnd.FAILED]
    assert 1 <= len(failed) <= 8
    assert azure.count("PUT") == len(failed)
    unsent = [one.error for one in report.attachments if one.result is AttachEnd.NOT_SENT]
    assert len(unsent) == 30 - len(failed)
    assert {error.code for error in unsent if error} == {"FailureBudgetSpent"}
    assert {error.advice for error in unsent if error} == {f"Resume the run with `patchmode runs resume {report.run}`."}


def test_a_freeze_that_begins_while_a_schedule_waits_for_azures_limits_holds_it() -> None:
    """Asked at the last moment, as for a PATCH: the wait may be long."""
    azure = fleet("web")
    azure.schedules.queue_s = 600
    with runs.temporary_store() as store:

        async def main() -> RunReport:
            clock = LoopClock()
            begins = clock.now() + timedelta(seconds=120)
            frozen = f"{begins:%Y-%m-%dT%H:%M}/{begins + timedelta(hours=5):%Y-%m-%dT%H:%M}"
            options = ApplyOptions(freezes=freezes_from((frozen,), ZoneInfo("UTC")))
            return await apply_plan(store.create(plan_of(azure)), azure, options, clock=clock)

        report = run_virtually(main())
        assert (report.counts.applied, ends(report), attached(azure)) == (1, {"web": AttachEnd.NOT_SENT}, set())
        assert (report.state, code_of(report, "web"), azure.count("PUT")) == ("stopped", "Stopped", 0)
        again = runs.apply_in(store, azure)
    assert (again.state, ends(again)) == ("finished", {"web": AttachEnd.ATTACHED})


def test_failed_attachments_stop_the_settings_too() -> None:
    """One budget for the run: whatever fails, nothing more is sent."""
    azure = fleet(*(f"web-{number:02}" for number in range(30)))
    azure.schedules.faults["weekly"].extend(["AuthorizationFailed:403"] * 30)
    options = ApplyOptions(concurrency=1, max_failures=MaxFailures(count=1))
    report = runs.apply_all(azure, plan=plan_of(azure), options=options)
    assert azure.count("PUT") == sum(end is AttachEnd.FAILED for end in ends(report).values()) <= 8
    assert azure.count("PATCH") < 30
    assert report.counts.not_sent == 30 - azure.count("PATCH")


def test_a_subscription_that_is_held_back_holds_up_no_others_schedules() -> None:
    """Twenty machines wait an hour each for their PUT; one of another subscription is attached meanwhile."""
    slow = tuple(f"slow-{number:02}" for number in range(20))
    quick = prepared("quick", subscription=OTHER_SUBSCRIPTION)
    azure = FleetDouble([*(prepared(name) for name in slow), quick])
    azure.schedules.configurations = [configuration(WEEKLY)]
    arrive, when = azure.schedules.arrive, {}

    async def held_back(method: str, what: str) -> None:
        if method == "PUT" and SUBSCRIPTION in what.split("/providers/", maxsplit=1)[0]:
            await asyncio.sleep(3_600)
        await arrive(method, what)
        if method == "PUT":
            when[what] = VirtualLoop.elapsed()

    azure.schedules.arrive = held_back
    ids = [*(machine_id(name) for name in slow), machine_id("quick", subscription=OTHER_SUBSCRIPTION)]
    outcome = Outcome(OutcomeKind.PARKED, "it waits for a schedule")
    plan = replace(
        azure.plan(),
        changes=(),
        unchanged=tuple(Unchanged(one, MachineKind.VM, outcome) for one in ids),
        then_attach=ThenAttach(WEEKLY, ASSIGNMENT),
    )
    began = VirtualLoop.elapsed()
    report = runs.apply_all(azure, plan=plan)
    assert {one.result for one in report.attachments} == {AttachEnd.ATTACHED}
    (first,) = (at - began for what, at in when.items() if OTHER_SUBSCRIPTION in what.split("/providers/")[0])
    assert first < 60
    assert len(when) == 21


@pytest.mark.parametrize(("percent", "is_spent"), [(10.0, True), (20.0, False)])
def test_percentage_is_of_all_machines_that_something_is_sent_to(percent: float, is_spent: bool) -> None:
    """Of the changes alone it would be spent by the first failure of a plan that only attaches."""
    names = tuple(f"db-{number}" for number in range(9))
    azure = fleet("web", right=names)
    azure.schedules.faults["weekly"].append("AuthorizationFailed:403")
    watcher = runs.Watcher()
    options = ApplyOptions(max_failures=MaxFailures(percent=percent))
    runs.apply_all(azure, plan=plan_of(azure, right=names), options=options, observer=watcher)
    assert any("failure budget is spent" in text for text in watcher.remarks) is is_spent


# ------------------------------------------------------------------------------------------------ killed and resumed


def mixed() -> FleetDouble:
    azure = fleet("plain", "refused", "lost", right=("db", "app", "kept"))
    azure.machines[machine_id("refused")].faults.extend(["ScopeLocked:409"] * 99)
    azure.schedules.assignments = [ConfigurationAssignment("by-hand", machine_id("kept"), WEEKLY)]
    return azure


RIGHT = ("db", "app", "kept")


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("step", range(STEPS))
def test_killed_at_any_step_and_resumed_ends_the_same(step: int, committed: bool) -> None:
    expected = mixed()
    undisturbed = runs.apply_all(expected, plan=plan_of(expected, right=RIGHT))
    azure = mixed()
    with runs.temporary_store() as store:
        dies = runs.apply_until(store, azure, plan=plan_of(azure, right=RIGHT), at=step, committed=committed)
        resumed = runs.apply_in(store, azure)
        journal = store.open()
        assert ends(report_of(journal)) == ends(resumed)
        journal.release()
    assert dies
    assert ends(resumed) == ends(undisturbed)
    assert attached(azure) == attached(expected)
    assert azure.fleet() == expected.fleet()
    assert azure.writes() == expected.writes()


def test_the_steps_above_are_all_there_are() -> None:
    azure = mixed()
    with runs.temporary_store() as store:
        assert not runs.apply_until(store, azure, plan=plan_of(azure, right=RIGHT), at=STEPS, committed=False)


@pytest.mark.parametrize("step", [Step.INTENDED, Step.STARTED])
def test_attachment_of_a_change_that_has_no_end_yet_waits_for_it(step: Step) -> None:
    azure = fleet("web")
    (change,) = plan_of(azure).changes
    waiting = AttachmentEntry(machine_id("web"), MachineKind.VM, AttachAction.ATTACH, WEEKLY, ASSIGNMENT, change)
    result = result_of_attachment(waiting, result_of(JournalEntry(change, step)))
    assert result.error is not None
    assert (result.error.code, result.error.advice) == (
        "Pending",
        "Resume the run with `patchmode runs resume`.",
    )


def test_attachment_of_a_change_that_was_given_up_needs_another_plan() -> None:
    azure = fleet("web")
    (change,) = plan_of(azure).changes
    waiting = AttachmentEntry(machine_id("web"), MachineKind.VM, AttachAction.ATTACH, WEEKLY, ASSIGNMENT, change)
    given_up = ChangeResult(change.id, Result.UNKNOWN, ended_at=datetime(2026, 11, 1, tzinfo=UTC))
    result = result_of_attachment(waiting, given_up)
    assert result.error is not None
    assert result.error.code == "SettingsNotVerified"


# ------------------------------------------------------------------------------------------------ rollback


def roll_back(store: RunStore, azure: FleetDouble, *, allow: bool = False) -> tuple[Plan, RunReport]:
    async def main() -> tuple[Plan, RunReport]:
        journal = store.open()
        plan = await make_rollback_plan(azure, journal, allow_azure_managed=allow, clock=LoopClock())
        journal.release()
        undoing = store.create(plan)
        return plan, await apply_plan(undoing, azure, ApplyOptions(), clock=LoopClock())

    return run_virtually(main())


def test_a_stop_while_a_detachment_waits_for_azures_limits_holds_it() -> None:
    """The schedule stays, so do the settings beneath it, and a resume does both."""
    azure = fleet("web")
    stop = asyncio.Event()
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure))
        azure.schedules.queue_s = 600

        async def main() -> RunReport:
            journal = store.open()
            plan = await make_rollback_plan(azure, journal, allow_azure_managed=False, clock=LoopClock())
            journal.release()
            asyncio.get_running_loop().call_later(60, stop.set)
            return await apply_plan(store.create(plan), azure, ApplyOptions(), clock=LoopClock(), stop=stop)

        report = run_virtually(main())
        assert (ends(report), azure.count("DELETE")) == ({"web": AttachEnd.NOT_SENT}, 0)
        assert (report.state, report.counts.not_sent) == ("interrupted", 1)
        again = runs.apply_in(store, azure)
    assert (again.state, ends(again), again.counts.applied) == ("finished", {"web": AttachEnd.DETACHED}, 1)
    assert attached(azure) == set()


def test_rollback_takes_off_what_the_run_attached_and_nothing_else() -> None:
    azure = fleet("web", right=("db", "app"))
    azure.schedules.assignments = [ConfigurationAssignment("by-hand", machine_id("app"), WEEKLY)]
    before = settings_of(azure.fleet()[str(machine_id("web"))])["patchMode"]
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure, right=("db", "app")))
        plan, report = roll_back(store, azure)
    assert {one.id.name for one in plan.first_detach} == {"web", "db"}
    assert plan.counts["scope"] == 2
    assert ends(report) == {"web": AttachEnd.DETACHED, "db": AttachEnd.DETACHED}
    assert attached(azure) == {("app", "by-hand", "weekly")}
    assert settings_of(azure.fleet()[str(machine_id("web"))])["patchMode"] == before


def test_every_schedule_is_off_before_any_setting_is_touched() -> None:
    azure = fleet("web", "app")
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure))
        sent = len(azure.log)
        roll_back(store, azure)
    methods = [method for method, _ in azure.log[sent:] if method in {"DELETE", "PATCH"}]
    assert methods == ["DELETE", "DELETE", "PATCH", "PATCH"]


def test_settings_stay_until_the_schedule_comes_off() -> None:
    azure = fleet("web")
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure))
        azure.schedules.faults["weekly"].append("ScopeLocked:409")
        _, report = roll_back(store, azure)
        assert ends(report) == {"web": AttachEnd.FAILED}
        assert report.results[0].result is Result.NOT_SENT
        assert report.results[0].error is not None
        assert report.results[0].error.code == "StillAttached"
        assert azure.writes() == {"web": 1}
        assert ends(runs.apply_in(store, azure)) == {"web": AttachEnd.DETACHED}
    assert azure.writes() == {"web": 2}


def _azure_managed(azure: FleetDouble, name: str) -> None:
    settings_of(azure.machines[machine_id(name)].document)["automaticByPlatformSettings"] = {
        "bypassPlatformSafetyChecksOnUserSchedule": False
    }


@pytest.mark.parametrize("when", ["before-plan", "after-plan"])
def test_no_machine_becomes_autopatched_by_losing_its_schedule(when: str) -> None:
    azure = fleet(right=("db",))
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure, right=("db",)))

        async def main() -> tuple[Plan, RunReport | None]:
            journal = store.open()
            if when == "before-plan":
                _azure_managed(azure, "db")
            plan = await make_rollback_plan(azure, journal, allow_azure_managed=False, clock=LoopClock())
            journal.release()
            if when == "before-plan":
                return plan, None
            _azure_managed(azure, "db")
            return plan, await apply_plan(store.create(plan), azure, ApplyOptions(), clock=LoopClock())

        plan, report = run_virtually(main())
    if report is None:
        assert [one.rule for one in plan.skipped] == ["would-autopatch"]
        assert plan.first_detach == ()
    else:
        assert ends(report) == {"db": AttachEnd.REFUSED}
    assert attached(azure) == {("db", "weekly", "weekly")}


def killing(step: int) -> Callable[[RunStore, FleetDouble], None]:
    def kill(store: RunStore, azure: FleetDouble) -> None:
        async def plan() -> Plan:
            journal = store.open()
            made = await make_rollback_plan(azure, journal, allow_azure_managed=False, clock=LoopClock())
            journal.release()
            return made

        runs.apply_until(store, azure, plan=run_virtually(plan()), at=step, committed=bool(step % 2))

    return kill


@pytest.mark.parametrize("step", range(14))
def test_rollback_killed_at_a_step_and_resumed_ends_the_same(step: int) -> None:
    azure = fleet("web", right=("db",))
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan_of(azure, right=("db",)))
        killing(step // 2)(store, azure)
        runs.apply_in(store, azure)
    assert attached(azure) == set()
    assert settings_of(azure.machines[machine_id("web")].document)["patchMode"] == "AutomaticByOS"
    assert azure.writes() == {"web": 2, "db": 0}
