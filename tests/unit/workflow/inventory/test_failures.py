"""The history of scheduled runs: whose runs are told, with which reasons, and what fixes them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from tests.unit.workflow.azure_double import ALPHA, BETA, TARGET, AzureDouble, FixedClock, machine, machine_id
from tests.unit.workflow.maintenance_double import DAILY, MaintenanceDouble, configuration, configuration_id

from patchmode.documents.history import FailuresDocument, failure_rows, failures_document
from patchmode.documents.published import render_schemas
from patchmode.errors import EmptyScopeError, ForbiddenError, UsageError
from patchmode.model.machine import Subscription
from patchmode.model.maintenance_events import EventKind, EventSubscription
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.resource_id import ResourceId
from patchmode.model.run_history import FailureReport
from patchmode.model.schedule import FailureKind, Installation, MachineRun
from patchmode.model.scope import Filters, Scope, Since
from patchmode.reports.text.history import failure_lines
from patchmode.reports.text.layout import Paint
from patchmode.workflow.inventory.history import failures

NOW = FixedClock().now()
NIGHT = NOW - timedelta(hours=20)
WEEK = Since.parse("7d")
TWO = (Subscription(ALPHA, "Alpha", TARGET.tenant_id), Subscription(BETA, "Beta", TARGET.tenant_id))
WEEKLY = configuration_id("Weekly", subscription=ALPHA)
OTHER = configuration_id("Nightly", subscription=ALPHA)
DELETED = configuration_id("deleted", subscription=ALPHA)
PRE = EventSubscription("/e", "start-db", (EventKind.PRE,), "WebHook", "hooks.example")
PREREQUISITE = "The prerequisites to patch your machine were not met."


def run(
    name: str, failure: FailureKind | None = None, *, of: ResourceId = WEEKLY, subscription: str = ALPHA, days: int = 0
) -> MachineRun:
    started = NIGHT - timedelta(days=days)
    return MachineRun(
        machine=machine_id(name, subscription=subscription),
        configuration=of,
        correlation_id=f"{of.name}-{days}",
        status="Succeeded" if failure is None else "Failed",
        started_at=started,
        ended_at=started + timedelta(hours=1),
        failure=failure,
        message=PREREQUISITE if failure is FailureKind.PREREQUISITE else "",
    )


def azure_with(*runs: MachineRun, installations: tuple[Installation, ...] = ()) -> AzureDouble:
    berlin = replace(DAILY, time_zone="W. Europe Standard Time")
    return AzureDouble(
        [
            machine("web"),
            machine("db", os=OperatingSystem.WINDOWS),
            machine("app"),
            machine("far", subscription=BETA),
        ],
        known=TWO,
        schedules=MaintenanceDouble(
            configurations=[configuration(WEEKLY, berlin), configuration(OTHER)],
            runs=list(runs),
            found_installations=list(installations),
        ),
    )


async def told(azure: AzureDouble, scope: Scope | None = None, *, since: Since = WEEK) -> FailureReport:
    return await failures(azure, scope or Scope(), since, clock=FixedClock())


def seen(report: FailureReport) -> dict[str, list[str]]:
    """Run → the machines that are told of it."""
    return {
        str(entry.correlation_id): sorted(
            machine_id.name
            for group in (entry.succeeded, entry.unfinished, *(failed.machines for failed in entry.failures))
            for machine_id in group
        )
        for entry in report.runs
    }


EVERYTHING = (
    run("web", FailureKind.PREREQUISITE),
    run("db", FailureKind.OFF),
    run("app"),
    run("vanished", FailureKind.PREREQUISITE),
    run("web", of=OTHER),
    run("far", FailureKind.OTHER, of=OTHER, subscription=BETA),
    run("web", FailureKind.PREREQUISITE, days=1),
    run("web", days=8),
)


async def test_without_a_scope_every_record_is_told_also_of_machines_that_are_gone() -> None:
    """The record is what there is; today's fleet has no say in it."""
    report = await told(azure_with(*EVERYTHING))
    assert seen(report) == {
        "Nightly-0": ["far", "web"],
        "Weekly-0": ["app", "db", "vanished", "web"],
        "Weekly-1": ["web"],
    }
    assert report.counts == {
        "runs": 3,
        "runsWithFailures": 3,
        "members": 7,
        "succeeded": 2,
        "failed": 5,
        "unfinished": 0,
    }


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(subscriptions=(BETA,)), {"Nightly-0": ["far"]}),
        (
            Scope(schedules=("weekly",)),
            {"Weekly-0": ["app", "db", "vanished", "web"], "Weekly-1": ["web"]},
        ),
        (
            Scope(schedules=("weekly",), subscriptions=("Beta",)),
            {"Nightly-0": ["far"], "Weekly-0": ["app", "db", "vanished", "web"], "Weekly-1": ["web"]},
        ),
        (Scope(schedules=("weekly",), include=Filters(os=("windows",))), {"Weekly-0": ["db"]}),
        (Scope(include=Filters(names=("f*",))), {"Nightly-0": ["far"]}),
        (Scope(schedules=(str(DELETED),)), {}),
    ],
)
async def test_a_scope_narrows_and_a_schedule_means_its_runs(scope: Scope, expected: dict[str, list[str]]) -> None:
    """Also on machines that are no members any more, which today's membership would hide."""
    assert seen(await told(azure_with(*EVERYTHING), scope)) == expected


async def test_only_the_subscriptions_in_scope_are_asked_for_records() -> None:
    """A large tenant has a hundred thousand records."""
    azure = azure_with(*EVERYTHING)
    azure.schedules.page = 1
    before = azure.requests["graph"]
    await told(azure, Scope(subscriptions=(BETA,)))
    assert azure.requests["graph"] - before < len(EVERYTHING)


async def test_wrong_scopes_are_refused_as_everywhere() -> None:
    """The same sentences as audit and plan have."""
    azure = azure_with(*EVERYTHING)
    with pytest.raises(UsageError, match="You see no maintenance configuration named 'weakly'"):
        await told(azure, Scope(schedules=("weakly",)))
    with pytest.raises(EmptyScopeError):
        await told(azure, Scope(include=Filters(names=("nobody",))))


async def test_a_reason_that_only_the_installation_has_is_told() -> None:
    """The run's record is silent, the result on the machine is not."""
    found = Installation(machine_id("web"), "Failed", "User", NIGHT, NOW, "weekly-0", window_exceeded=True)
    report = await told(azure_with(run("web", FailureKind.NOT_TOLD), installations=(found,)))
    assert report.runs[0].failures[0].kind is FailureKind.WINDOW_EXCEEDED


async def test_records_that_may_not_be_read_are_an_error_and_lesser_ones_a_note() -> None:
    """Without runs there is no history; without the rest there are gaps, and they are told."""
    azure = azure_with(run("web", FailureKind.NOT_TOLD))
    azure.schedules.refused = frozenset({"runs"})
    with pytest.raises(ForbiddenError):
        await told(azure)
    azure.schedules.refused = frozenset({"installations", "configurations"})
    report = await told(azure)
    assert [note.split(":")[0] for note in report.notes] == [
        "Configurations could not be read, so times are in UTC only",
        "What was installed could not be read, so some failures have no reason",
    ]
    assert report.runs[0].local_start is None


async def test_the_history_of_a_night_as_a_person_reads_it() -> None:
    """At 80 columns: which run, how many, why, who, and what to type."""
    report = await told(azure_with(*EVERYTHING[:4]))
    assert list(failure_lines(report, paint=Paint(width=80))) == [
        "Weekly  Thu 2030-01-31 03:00 +01:00 (2030-01-31 02:00 UTC)",
        "  4 machines: 1 succeeded, 3 failed",
        "    not prepared for schedules (the prerequisite) (2)",
        "      rg/vanished, rg/web",
        "      “The prerequisites to patch your machine were not met.”",
        "      → To fix every machine that last failed for this reason, plan and apply:",
        "        patchmode plan --failed-since 7d --out fix.json",
        "    off, or its agent did not answer (1)",
        "      rg/db",
        "      → Start them before the window, or repair their agent; those that are off",
        "        now:",
        f"        patchmode audit --schedule {WEEKLY} --power deallocated --power stopped",
        "",
        "1 run in the last 7 days in subscription 11111111-1111-1111-1111-111111111111,",
        "on AzureCloud (https://management.azure.com), tenant",
        "99999999-9999-9999-9999-999999999999",
        "  4 machine runs: 1 succeeded, 3 failed, 0 not ended.",
    ]


def said(name: str, text: str, **more: Any) -> MachineRun:
    """A run that failed for a reason of its own."""
    return replace(run(name, FailureKind.OTHER, **more), message=text)


async def test_each_text_of_azures_is_told_with_its_machines() -> None:
    """One reason of ours may be several of Azure's: nobody can repair a machine by the text of another."""
    runs = (said("web", "Access denied."), said("db", "No connection."), said("app", "No connection."))
    report = await told(azure_with(*runs))
    assert list(failure_lines(report, paint=Paint(width=80)))[2:10] == [
        "    another reason (3)",
        "      rg/app, rg/db",
        "      “No connection.”",
        "      rg/web",
        "      “Access denied.”",
        "      → Where an update or the package manager failed, repair it on the machine;",
        "        what Azure shows of each:",
        f"        patchmode audit --schedule {WEEKLY}",
    ]
    (row,) = failures_document(report).runs[0].failures
    recorded = dict(zip((one.rpartition("/")[2] for one in row.machines), row.texts, strict=True))
    assert recorded == {"web": "Access denied.", "db": "No connection.", "app": "No connection."}
    rows = [(str(one["machine"]).rpartition("/")[2], one["messages"]) for one in failure_rows(report)]
    assert dict(rows) == {"web": ("Access denied.",), "db": ("No connection.",), "app": ("No connection.",)}


async def test_more_texts_than_a_screen_takes_are_counted() -> None:
    """And a machine of which nothing was recorded comes last."""
    silent = replace(said("web", ""), failure=FailureKind.OTHER)
    runs = [silent, *(said(f"m{number}", f"text {number}") for number in range(7))]
    lines = list(failure_lines(await told(azure_with(*runs)), paint=Paint(width=80)))
    assert lines[11:15] == [
        "      rg/m4",
        "      “text 4”",
        "      and 3 more machines with other texts; `-o json` has all",
        "      → Where an update or the package manager failed, repair it on the machine;",
    ]


async def test_the_reasons_of_several_runs_are_added_up() -> None:
    """Below a list that is longer than the screen, with the command that most need."""
    runs = (
        run("web", FailureKind.PREREQUISITE),
        run("db", FailureKind.OFF),
        run("web", FailureKind.PREREQUISITE, days=1),
    )
    lines = list(failure_lines(await told(azure_with(*runs)), paint=Paint(width=80)))
    assert lines[-5:] == [
        "  3 machine runs: 0 succeeded, 3 failed, 0 not ended.",
        "  Failed: not prepared for schedules (the prerequisite) 2, off, or its agent did",
        "  not answer 1.",
        "  → To fix those that last failed on the prerequisite, plan and apply:",
        "    patchmode plan --failed-since 7d --out fix.json",
    ]


async def test_a_remedy_is_told_once_with_the_newest_run_that_needs_it() -> None:
    """Under each of 30 nights it would be most of the screen."""
    runs = [run("web", FailureKind.PREREQUISITE, days=days) for days in range(4)]
    lines = list(failure_lines(await told(azure_with(*runs)), paint=Paint(width=80)))
    remedy = "      → To fix every machine that last failed for this reason, plan and apply:"
    assert lines.count(remedy) == 1
    assert lines.index(remedy) < lines.index("")
    assert lines[-1] == "    patchmode plan --failed-since 7d --out fix.json"


async def test_a_failure_that_is_over_is_told_as_such() -> None:
    """Yesterday's failure must not send anybody to work again."""
    report = await told(azure_with(run("web", FailureKind.PREREQUISITE, days=1), run("web")))
    assert list(failure_lines(report, paint=Paint()))[3:9] == [
        "Weekly  Wed 2030-01-30 03:00 +01:00 (2030-01-30 02:00 UTC)",
        "  1 machine: 0 succeeded, 1 failed",
        "    not prepared for schedules (the prerequisite) (1)",
        "      rg/web",
        "      “The prerequisites to patch your machine were not met.”",
        "      → Nothing is left to do: their last run succeeded.",
    ]


@pytest.mark.parametrize(
    ("events", "refused", "said"),
    [
        ({}, frozenset(), "and it has no pre-event that would start them: db."),
        ({WEEKLY: [PRE]}, frozenset(), "although it has a pre-event ('start-db'): check what its receiver starts: db."),
        ({}, frozenset({"events"}), "and whether it has a pre-event that would start them is not known: db."),
    ],
)
async def test_a_machine_that_is_off_at_each_window_is_told_with_what_would_start_it(
    events: dict[ResourceId, list[EventSubscription]], refused: frozenset[str], said: str
) -> None:
    """It may run in the daytime, when nobody sees that every window misses it."""
    runs = [run("db", FailureKind.OFF, days=days) for days in (0, 1)]
    once = [run("web", FailureKind.OFF), run("web", days=1), run("app", FailureKind.OFF, days=1), run("app")]
    azure = azure_with(*runs, *once)
    azure.schedules.events, azure.schedules.refused = events, refused
    begin = "1 machine was off, or without an answer of the agent, in both of the last two recorded runs of 'Weekly', "
    assert (await told(azure)).notes == (f"{begin}{said}",)
    assert (await told(azure_with(*once))).notes == ()


async def test_nothing_recorded_is_told() -> None:
    """Empty output would leave the reader guessing."""
    text = "\n".join(failure_lines(await told(azure_with()), paint=Paint()))
    assert "Azure has no record of a scheduled run in that time." in text
    text = "\n".join(failure_lines(await told(azure_with(run("app"))), paint=Paint()))
    assert "No run failed." in text


async def test_names_are_cut_for_people_and_whole_for_programs() -> None:
    """A thousand machines that failed for one reason take one line; programs get them all."""
    many = [run(f"vm{number:04}", FailureKind.PREREQUISITE) for number in range(1000)]
    report = await told(azure_with(*many))
    assert "      rg/vm0000, rg/vm0001, rg/vm0002, rg/vm0003, rg/vm0004 and 995 more" in list(
        failure_lines(report, paint=Paint(width=80))
    )
    assert len(failures_document(report).runs[0].failures[0].machines) == 1000
    assert len(list(failure_rows(report))) == 1000


async def test_the_document_is_what_the_published_schema_says() -> None:
    """Programs read it for years."""
    document = msgspec.json.encode(failures_document(await told(azure_with(*EVERYTHING))))
    schema = msgspec.json.decode(render_schemas()["schedule-failures-v1.json"])
    Draft202012Validator(schema).validate(msgspec.json.decode(document))
    again = msgspec.json.decode(document, type=FailuresDocument)
    assert [(entry.name, entry.members, entry.failed) for entry in again.runs] == [
        ("Nightly", 2, 1),
        ("Weekly", 4, 3),
        ("Weekly", 1, 1),
    ]
