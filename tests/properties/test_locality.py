"""What is local to a row stays there: no odd row, entry or list of one subscription ends a command for the fleet.

The emulator in this process answers everything; one answer is then spoiled on its way to the product. The shapes are
generated, and the commands are the functions that `patchmode` calls.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from tests.properties.odd_documents import put
from tests.properties.test_one_judgement import CLOCK, EVERYTHING, NIGHTLY, WANTED, assignment, numbered
from tests.properties.within import Refusing, connection
from tests.unit.rules.builders import vm_document

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.protocol.http import Response
from arm_emulator.protocol.throttle import Limits
from patchmode.arm import machine_rows, schedule_rows
from patchmode.arm.channel import Answer
from patchmode.arm.machine_rows import Rank, inventory_query
from patchmode.arm.run_rows import installations_query, runs_and_assignments_query, runs_query
from patchmode.errors import ForbiddenError, RejectedError
from patchmode.model.scope import Scope, Since
from patchmode.ports.azure import Azure
from patchmode.reports.text.audit import audit_lines
from patchmode.reports.text.layout import Paint, no_change_text
from patchmode.workflow.inventory.audit import audit, explain
from patchmode.workflow.inventory.history import after_window, failures
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.verification import verify_scope
from patchmode.workflow.schedules.views import check_schedules, list_schedules, next_windows, show_schedule

ID = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"
_MACHINE = f"/subscriptions/{ID}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/m-0"
ODD_ROWS: tuple[Any, ...] = (
    None,
    5,
    "x",
    [],
    [{}],
    True,
    {},
    {"id": None},
    {"id": 5},
    {"id": ""},
    {"id": []},
    {"id": {"a": 1}},
    {"id": "/subscriptions/1"},
    {"id": f"/subscriptions/{ID}"},
    {"id": f"/subscriptions/{ID}/resourceGroups/rg-web/providers/Microsoft.Compute/disks/d"},
    {"id": "\x1b[31m/subscriptions/x"},
    {"id": f"/subscriptions/{ID}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/"},
    {"id": 10**40, "properties": [], "name": {}, "type": 5, "tags": "x"},
)
TABLES = {
    "machines": "microsoft.hybridcompute/machines'",
    "assessments": "patchassessmentresources",
    "patch extensions": "machines/extensions'",
    "managed groups": "resourcegroups'",
    "configurations": "maintenanceconfigurations'",
    "assignments": "configurationassignments'",
    "runs": "applyupdates'",
    "installations": "patchinstallationresources",
}
"""Table → what its query has in it."""
TOLD_BY: dict[str, dict[str, Any]] = {
    "managed groups": {"rank": Rank.GROUP},
    "patch extensions": {"rank": Rank.EXTENSION},
    "machines": {"rank": Rank.MACHINE},
    "configurations": {"rank": Rank.CONFIGURATION},
    "assignments": {"isAssignment": True},
    "runs": {"isAssignment": False},
}
"""Table → what tells its rows from others where one query brings several tables."""


class Spoiled(Refusing):
    """Answers of which some are spoiled: rows of a query, or what a list of a subscription holds."""

    table = ""
    row: Any = None
    entry: Any = None
    is_list = False
    whole: tuple[Any, ...] = ()
    """What the lists of the first subscription answer instead of a page; empty: the page."""
    is_graph_refused = False
    told_by: Mapping[str, Any] = {}

    def read_answer(self, method: str, url: str, body: object, response: Response) -> Response:
        if method == "POST" and isinstance(body, Mapping) and self.table and self.table in str(body["query"]).lower():
            assert isinstance(response.body, dict)
            row = {**self.told_by, **self.row} if isinstance(self.row, dict) else self.row
            rows = [row, *response.body["data"]]
            total = {"totalRecords": len(rows), "count": len(rows)}
            return Response(200, {**response.body, **total, "data": rows}, response.headers)
        if self.whole and method == "GET" and "/virtualMachines?" in url and ID in url:
            return Response(200, self.whole[0], response.headers)
        if self.is_list and method == "GET" and "/virtualMachines?" in url:
            assert isinstance(response.body, bytes)
            page = json.loads(response.body)
            return Response(200, {**page, "value": [self.entry, *page["value"]]}, response.headers)
        return response

    async def _send(self, order: Any, url: str, *, body: object = None, shape: Any = Any, **options: Any) -> Answer:
        if self.is_graph_refused and order.attempt.method == "POST":
            raise ForbiddenError("Resource Graph is refused", code="AuthorizationFailed", status=403)
        response = self.answered(order.attempt.method, url, body, {})
        if not 200 <= response.status < 300:
            raise self.refused(order, response)
        try:
            answer = self.read(self.read_answer(order.attempt.method, url, body, response), shape)
        except ValueError as error:  # as `Channel` does
            raise RejectedError(f"{order.attempt}: {error}", code="UnusableAnswer", status=200) from error
        if answer.document is None and not options.get("may_be_empty", False):
            raise RejectedError(f"{order.attempt} was answered without a body", code="UnusableAnswer", status=200)
        return answer


def fleet(*, with_other: bool = False) -> Emulator:
    machines = list(numbered([vm_document("Windows"), vm_document("Linux", {"patchMode": "ImageDefault"})]))
    if with_other:
        machines += [{**one, "id": one["id"].replace(ID, OTHER)} for one in machines]
    document = {"resources": [*machines, NIGHTLY, assignment(machines[0])]}
    clock = Clock(CLOCK.now(), monotonic=lambda: 0.0)
    return Emulator(clock=clock, limits=Limits(is_off=True), fleet=document)


def spoiled(table: str, row: Any) -> Azure:
    channel = Spoiled(fleet())
    channel.table, channel.row, channel.told_by = TABLES[table], row, TOLD_BY.get(table, {})
    return connection(channel)


def _connect(azure: Azure) -> Any:
    class Connected:
        async def __aenter__(self) -> Azure:
            return azure

        async def __aexit__(self, *_: object) -> None:
            return None

    return Connected


COMMANDS: dict[str, Callable[[Azure], Awaitable[Any]]] = {
    "audit": lambda azure: audit(azure, EVERYTHING, clock=CLOCK),
    "plan": lambda azure: make_plan(azure, EVERYTHING, WANTED, clock=CLOCK),
    "verify": lambda azure: verify_scope(azure, EVERYTHING, WANTED),
    "explain": lambda azure: explain(azure, "m-0", clock=CLOCK),
    "schedule list": lambda azure: list_schedules(azure, clock=CLOCK),
    "schedule show": lambda azure: show_schedule(azure, NIGHTLY["id"], clock=CLOCK),
    "schedule next": lambda azure: next_windows(azure, clock=CLOCK, days=7),
    "schedule check": lambda azure: check_schedules(azure, (), clock=CLOCK),
    "schedule failures": lambda azure: failures(azure, Scope(), Since.parse("7d"), clock=CLOCK),
    "verify --after-window": lambda azure: after_window(
        _connect(azure), EVERYTHING, since=CLOCK.now() - timedelta(days=1), clock=CLOCK
    ),
}


def test_every_query_is_spoiled() -> None:
    """A query that is added must be spoiled here; the one below management groups is refused as a whole."""
    modules = (machine_rows, schedule_rows)
    # Who changed what is read after the machines are known; its odd rows have tests of their own.
    named = ((name, text) for one in modules for name, text in vars(one).items() if name != "_CHANGES")
    queries = [text for _, text in named if isinstance(text, str) and "| project id" in text]
    queries += [runs_query(CLOCK.now()), installations_query(CLOCK.now())]
    queries += [inventory_query(), runs_and_assignments_query(CLOCK.now())]
    told = {tuple(name for name, part in TABLES.items() if part in query.lower()) for query in queries}
    together = {
        ("machines", "assessments", "patch extensions", "managed groups", "configurations"),
        ("assignments", "runs"),
    }
    assert together <= told
    assert told - together - {()} <= {(name,) for name in TABLES}
    assert {name for names in told for name in names} == set(TABLES)


@pytest.mark.parametrize("row", ODD_ROWS, ids=lambda row: repr(row)[:40])
@pytest.mark.parametrize("table", TABLES)
def test_no_row_ends_a_command(table: str, row: Any) -> None:
    """Issue 10: one odd id in one row of Resource Graph ended audit, plan and the schedule commands for the fleet."""
    azure = spoiled(table, row)
    for name, command in COMMANDS.items():
        assert asyncio.run(command(azure)) is not None, name


@pytest.mark.parametrize("row", ODD_ROWS, ids=lambda row: repr(row)[:40])
def test_a_row_that_names_no_machine_is_counted(row: Any) -> None:
    azure = spoiled("machines", row)
    report = asyncio.run(audit(azure, EVERYTHING, clock=CLOCK))
    assert ([one.machine.name for one in report.machines], len(report.unreadable)) == (["m-0", "m-1"], 1)
    assert (report.counts["unreadable"], report.counts["scope"]) == (1, 3)
    (headline,) = (line for line in audit_lines(report, paint=Paint()) if line.startswith("Audit of "))
    assert headline.startswith("Audit of 2 machines in subscription "), "a row is no subscription"
    plan = asyncio.run(make_plan(azure, EVERYTHING, WANTED, clock=CLOCK))
    assert (len(plan.changes), len(plan.unreadable), plan.counts["unreadable"]) == (2, 1, 1)
    verified = asyncio.run(verify_scope(azure, EVERYTHING, WANTED))
    assert len(verified.unread) == 1
    assert not asyncio.run(check_schedules(azure, (), clock=CLOCK)).is_clean


@pytest.mark.parametrize("row", ODD_ROWS[:-3], ids=lambda row: repr(row)[:40])
def test_a_row_about_schedules_is_counted_and_leaves_doubt(row: Any) -> None:
    """A machine of which no schedule was seen may be reached by the one that could not be read."""
    azure = spoiled("assignments", row)
    report = asyncio.run(audit(azure, EVERYTHING, clock=CLOCK))
    assert [one.schedules.looked_up for one in report.machines] == [False, False]
    assert any(note.startswith("1 row about assignments could not be read, so a machine may") for note in report.notes)
    assert asyncio.run(check_schedules(azure, (), clock=CLOCK)).unreadable == 1


@pytest.mark.parametrize("entry", ODD_ROWS, ids=lambda row: repr(row)[:40])
def test_an_entry_of_a_list_is_its_own_affair(entry: Any) -> None:
    """A document without an id ended the whole list, and with it every machine of the subscription."""
    channel = Spoiled(fleet())
    channel.is_list, channel.entry = True, entry
    plan = asyncio.run(make_plan(connection(channel), EVERYTHING, WANTED, clock=CLOCK))
    assert [change.id.name for change in plan.changes] == ["m-0", "m-1"]
    assert [entry.id.startswith("entry 1 of the list /subscriptions/") for entry in plan.unreadable] == [True]


def test_a_machine_of_another_subscription_never_comes_in_by_a_list() -> None:
    """SAFETY: what nobody selected is not planned, whatever a list brings."""
    other = "99999999-9999-9999-9999-999999999999"
    stray = vm_document("Windows")
    stray["id"] = stray["id"].replace(ID, other)
    channel = Spoiled(fleet())
    channel.is_list, channel.entry = True, stray
    plan = asyncio.run(make_plan(connection(channel), EVERYTHING, WANTED, clock=CLOCK))
    assert [change.id.name for change in plan.changes] == ["m-0", "m-1"]
    assert "it is outside the scope that was listed: " in plan.unreadable[0].reason


MEMBERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "configurations": (
        ("name",),
        ("location",),
        ("tags",),
        ("properties",),
        ("properties", "maintenanceScope"),
        ("properties", "extensionProperties"),
        ("properties", "extensionProperties", "InGuestPatchMode"),
        ("properties", "maintenanceWindow"),
        *(("properties", "maintenanceWindow", name) for name in NIGHTLY["properties"]["maintenanceWindow"]),
        ("properties", "maintenanceWindow", "expirationDateTime"),
        ("properties", "installPatches"),
        ("properties", "installPatches", "rebootSetting"),
        *(
            ("properties", "installPatches", system, name)
            for system in ("windowsParameters", "linuxParameters")
            for name in ("classificationsToInclude", "kbNumbersToInclude", "packageNameMasksToInclude")
        ),
        ("properties", "installPatches", "windowsParameters"),
        ("properties", "installPatches", "linuxParameters"),
    ),
    "assignments": (
        ("name",),
        ("configuration",),
        ("filter",),
        ("filter", "osTypes"),
        ("filter", "locations"),
        ("filter", "resourceGroups"),
        ("filter", "resourceTypes"),
        ("filter", "tagSettings"),
        ("filter", "tagSettings", "tags"),
        ("filter", "tagSettings", "tags", "env"),
        ("filter", "tagSettings", "filterOperator"),
    ),
    "runs": tuple(
        ("properties", name)
        for name in (
            "startDateTime",
            "endDateTime",
            "status",
            "maintenanceConfigurationId",
            "correlationId",
            "maintenanceScope",
            "errorDetails",
            "errorMessage",
        )
    ),
    "installations": tuple(
        ("properties", name)
        for name in (
            "startDateTime",
            "lastModifiedDateTime",
            "status",
            "startedBy",
            "maintenanceRunId",
            "installedPatchCount",
            "failedPatchCount",
            "maintenanceWindowExceeded",
            "rebootStatus",
            "errorDetails",
        )
    ),
}
"""Members that are read of rows about schedules and runs."""
READING: dict[str, tuple[str, ...]] = {
    "configurations": (
        "audit",
        "schedule list",
        "schedule show",
        "schedule next",
        "schedule check",
        "schedule failures",
    ),
    "assignments": ("audit", "schedule list", "schedule check"),
    "runs": ("schedule show", "schedule failures", "verify --after-window"),
    "installations": ("schedule failures", "verify --after-window"),
}
"""Which commands look at the members of a table's rows."""
_RECORD = f"{_MACHINE}/providers/Microsoft.Maintenance/applyUpdates/20300131030000"
ROWS: dict[str, dict[str, Any]] = {
    "configurations": {**NIGHTLY, "id": NIGHTLY["id"].replace("nightly", "odd"), "name": "odd"},
    "assignments": {
        "id": f"/subscriptions/{ID}/providers/Microsoft.Maintenance/configurationAssignments/dynamic",
        "name": "dynamic",
        "configuration": NIGHTLY["id"],
        "filter": {"osTypes": ["Windows"], "tagSettings": {"tags": {"env": ["test"]}, "filterOperator": "Any"}},
    },
    "runs": {
        "id": _RECORD,
        "properties": {
            "startDateTime": "2030-01-31T03:00:00Z",
            "status": "Failed",
            "maintenanceConfigurationId": NIGHTLY["id"],
        },
    },
    "installations": {
        "id": f"{_MACHINE}/patchInstallationResults/1",
        "properties": {"startDateTime": "2030-01-31T03:00:00Z", "status": "Failed", "startedBy": "Platform"},
    },
}


@pytest.mark.parametrize(("table", "path"), [(table, path) for table, paths in MEMBERS.items() for path in paths])
def test_no_member_of_a_row_about_schedules_ends_a_command(table: str, path: tuple[str, ...]) -> None:
    channel = Spoiled(fleet())
    channel.table, channel.told_by = TABLES[table], TOLD_BY.get(table, {})
    azure = connection(channel)
    for value in (None, 5, "x", [], [5], {"a": [5]}, 10**30, True):
        channel.row = put(ROWS[table], path, value)
        for name in READING[table]:
            assert asyncio.run(COMMANDS[name](azure)) is not None, (name, value)


WHOLE_ANSWERS: tuple[Any, ...] = (
    None,
    5,
    [],
    "x",
    {},
    {"value": None},
    {"value": 5},
    {"value": {}},
    {"value": [], "nextLink": 5},
    {"value": [], "nextLink": "https://elsewhere.contoso.com/next"},
    {"value": [], "nextLink": "no url"},
    {"value": [], "nextLink": ["x"]},
)


@pytest.mark.parametrize("whole", WHOLE_ANSWERS, ids=lambda whole: repr(whole)[:50])
@pytest.mark.parametrize("is_graph_refused", [False, True])
def test_a_list_of_one_subscription_spoils_no_other(whole: Any, is_graph_refused: bool) -> None:
    """Issue 10: a foreign next link in one subscription's list ended the command for all."""
    channel = Spoiled(fleet(with_other=True))
    channel.whole, channel.is_graph_refused = (whole,), is_graph_refused
    azure = connection(channel)
    plan = asyncio.run(make_plan(azure, EVERYTHING, WANTED, clock=CLOCK))
    assert [change.id.subscription_id for change in plan.changes] == [OTHER, OTHER]
    unread = {entry.id.split("/resourceGroups/")[0] for entry in plan.unreadable}
    assert unread == {f"/subscriptions/{ID}"}
    assert len(plan.unreadable) == (1 if is_graph_refused else 2)
    verified = asyncio.run(verify_scope(azure, EVERYTHING, WANTED))
    assert sum(one.unreadable_because is not None for one in verified.found) + len(verified.unread) >= 1


@pytest.mark.parametrize(
    ("blocked", "unreadable", "text"),
    [
        (0, 0, "Nothing has to be changed."),
        (
            0,
            3,
            "No change is planned, but 3 could not be read, so whether anything has to be changed there is not known.",
        ),
        (1, 0, "No change is planned, but 1 machine is blocked."),
        (2, 1, "No change is planned, but 2 machines are blocked and 1 could not be read, so whether"),
    ],
)
def test_nothing_is_called_unnecessary_that_nobody_could_read(blocked: int, unreadable: int, text: str) -> None:
    """Issue 10: plan said "Nothing has to be changed" where every list was unreadable."""
    assert no_change_text(blocked=blocked, unreadable=unreadable).startswith(text)
