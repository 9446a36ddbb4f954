"""The end of each operation is learned from the provider, cheaply, and never guessed."""

from datetime import UTC, datetime

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import FleetDouble, VirtualLoop, fleet_of, machine_id, settings_of, vm

from patchmode.model.resource_id import ResourceId
from patchmode.model.run import Result, RunCounts
from patchmode.workflow.run.guardrails import MaxFailures
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.pending import PendingOperation, PollInterval, waiting_text


def polls_of(azure: FleetDouble) -> int:
    return sum(what == "operation" for _, what in azure.log)


def lists_of(azure: FleetDouble) -> int:
    return sum(what.startswith("list ") for _, what in azure.log)


def test_ordinary_operation_is_not_polled() -> None:
    """The first poll would ask for half a minute of patience, and tells less than a read."""
    azure = fleet_of(1)
    report = runs.apply_all(azure)
    assert (report.counts.verified, polls_of(azure)) == (1, 0)


def test_a_fleet_is_read_by_the_page() -> None:
    azure = fleet_of(500)
    runs.apply_all(azure)
    assert lists_of(azure) <= 20
    assert azure.count("GET") <= 40


def test_answer_without_operation_is_read_until_it_has_ended() -> None:
    azure = fleet_of(4)
    azure.no_operation_url = True
    assert runs.apply_all(azure).counts == RunCounts(scope=4, applied=4, verified=4)


def test_slow_operation_is_asked_at_the_times_it_names() -> None:
    azure = fleet_of(1, duration_s=300.0)
    assert runs.apply_all(azure).counts.verified == 1
    assert 1 <= polls_of(azure) <= 16
    (operation,) = [kept.operation for kept in azure.machines.values()]
    assert operation is not None
    assert operation.polls == polls_of(azure)


def test_operation_that_never_ends_is_unknown_and_its_address_is_named() -> None:
    azure = fleet_of(2, duration_s=1e9)
    report = runs.apply_all(azure, options=ApplyOptions(operation_timeout_s=600))
    assert report.counts == RunCounts(scope=2, unknown=2)
    error = runs.error_of(report.results[0])
    assert (error.code, error.may_have_been_applied) == ("StillRunning", True)
    assert error.advice.endswith("Its operation: https://management.azure.com/operations/1"), "without its signature"


@pytest.mark.parametrize(("machines", "concurrency"), [(29, 64), (29, 4), (300, 64), (1_000, 64)])
def test_failure_budget_does_not_make_ends_wait_for_company(machines: int, concurrency: int) -> None:
    """Where no change is sent until another ends, nothing is gained by leaving machines unread."""
    azure = fleet_of(machines, duration_s=0.5)
    options = ApplyOptions(concurrency=concurrency, max_failures=MaxFailures(count=1))
    began = VirtualLoop.elapsed()
    report = runs.apply_all(azure, options=options)
    rounds = -(-machines // concurrency)
    assert report.counts.verified == machines
    assert VirtualLoop.elapsed() - began <= 3 * rounds + 2
    assert sum(report.requests.values()) / machines < 1.3


def test_who_is_waited_for_is_told_each_minute() -> None:
    """In a pipe nothing else would be written until the last operation has ended."""
    azure = fleet_of(3, duration_s=lambda number: 250.0 if number == 1 else 5.0)
    watcher = runs.Watcher()
    assert runs.apply_all(azure, observer=watcher).counts.applied == 3
    waiting = [remark for remark in watcher.remarks if remark.startswith("Still waiting")]
    assert (
        waiting == [f"Still waiting for 1 machine: vm-0000 ({minutes} min)" for minutes in (1, 2, 3, 4)][: len(waiting)]
    )
    assert len(waiting) in (3, 4)


def test_nobody_is_named_while_changes_go_on_ending() -> None:
    watcher = runs.Watcher()
    runs.apply_all(fleet_of(30), observer=watcher)
    assert watcher.remarks == []


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "Still waiting for 1 machine: vm-0000 (2 min)"),
        (2, "Still waiting for 2 machines: vm-0000, vm-0001 (2 min)"),
        (7, "Still waiting for 7 machines: vm-0000, vm-0001, vm-0002, vm-0003, vm-0004 and 2 more (2 min)"),
    ],
)
def test_remark_on_waiting_names_a_few_and_counts_the_rest(count: int, text: str) -> None:
    flights = [
        PendingOperation(change, datetime(2030, 1, 31, tzinfo=UTC), since=float(place), due=0.0)
        for place, change in enumerate(fleet_of(count).plan().changes)
    ]
    assert waiting_text(flights, now=150.0) == text


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("VMExtensionProvisioningError", "an extension failed"),
        ("VMAgentStatusCommunicationError", "repair the agent"),
        ("SomethingNew", "patchmode verify"),
    ],
)
def test_failed_operation_tells_why_and_whether_the_settings_stand(code: str, advice: str) -> None:
    azure = fleet_of(3)
    azure.failing_operations[machine_id("vm-0001")] = (code, "the words of Azure")
    report = runs.apply_all(azure)
    assert report.counts == RunCounts(scope=3, applied=2, failed=1, verified=2)
    error = runs.error_of(report.results[1])
    assert (error.code, error.may_have_been_applied) == (code, True)
    assert "the words of Azure (its model shows the settings)" in error.message
    assert advice in error.advice


def test_failed_operation_that_cannot_be_asked_is_a_failure_without_a_reason() -> None:
    azure = fleet_of(1)
    azure.failing_operations[machine_id("vm-0000")] = ("X", "y")
    azure.operations_unknown = True
    (end,) = runs.apply_all(azure).results
    assert (end.result, runs.error_of(end).code) == (Result.FAILED, "ProvisioningFailed")


def test_slow_operation_that_failed_is_told_by_its_poll() -> None:
    azure = fleet_of(1, duration_s=100.0)
    azure.failing_operations[machine_id("vm-0000")] = ("OperationNotAllowed", "not now")
    (end,) = runs.apply_all(azure).results
    assert (end.result, runs.error_of(end).code) == (Result.FAILED, "OperationNotAllowed")


def test_slow_operation_that_cannot_be_asked_is_read_to_its_end() -> None:
    azure = fleet_of(1, duration_s=120.0)
    azure.operations_unknown = True
    watcher = runs.Watcher()
    assert runs.apply_all(azure, observer=watcher).counts.verified == 1
    assert polls_of(azure) == 1
    assert watcher.remarks[0] == "vm-0000: its operation can no longer be read (NotFound); reading the machine instead."


def test_operation_that_does_not_answer_for_a_while_is_asked_again() -> None:
    azure = fleet_of(1, duration_s=200.0)
    azure.operations_silent = 2
    watcher = runs.Watcher()
    assert runs.apply_all(azure, observer=watcher).counts.verified == 1
    silent = [remark for remark in watcher.remarks if "Still waiting" not in remark]
    assert len(silent) == 2
    assert "did not answer (InternalServerError); reading the machine instead." in silent[0]
    assert polls_of(azure) >= 3


def test_difference_while_the_operation_runs_is_not_the_end() -> None:
    """Succeeded with other settings, and an operation in progress: what the provider shows is not final."""
    azure = fleet_of(1, duration_s=40.0)

    def show_early(machine: ResourceId) -> None:
        document = azure.machines[machine].document
        late = document["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]
        early = {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
        azure.while_running = lambda shown, running: shown["properties"].update(
            provisioningState="Succeeded",
            osProfile={
                **document["properties"]["osProfile"],
                "windowsConfiguration": {
                    **document["properties"]["osProfile"]["windowsConfiguration"],
                    "patchSettings": early if running else late,
                },
            },
        )

    azure.after_write = show_early
    assert runs.apply_all(azure).counts == RunCounts(scope=1, applied=1, verified=1)
    assert 1 <= polls_of(azure) <= 3


def test_machine_that_was_deleted_meanwhile_is_a_failure() -> None:
    azure = fleet_of(2)

    def delete(machine: object) -> None:
        azure.machines[machine_id("vm-0000")].gone = azure.count("PATCH") > 0

    azure.before_patch = delete
    report = runs.apply_all(azure)
    assert [result.result for result in report.results] == [Result.FAILED, Result.APPLIED]
    error = runs.error_of(report.results[0])
    assert (error.code, error.may_have_been_applied) == ("ResourceNotFound", True)


def test_reads_that_fail_for_a_while_delay_the_end_only() -> None:
    azure = fleet_of(2)
    for kept in azure.machines.values():
        kept.reads_refused = 4
    assert runs.apply_all(azure).counts.verified == 2


def test_lists_that_break_off_for_good_delay_the_end_only() -> None:
    azure = fleet_of(150)
    azure.lists_break = True
    assert runs.apply_all(azure).counts == RunCounts(scope=150, applied=150, verified=150)


def test_machine_has_the_last_word_when_the_wait_is_over() -> None:
    """The lists show one machine each and break off, so most were never read singly by then."""
    azure = fleet_of(150)
    azure.lists_break, azure.page = True, 1
    options = ApplyOptions(operation_timeout_s=8)
    assert runs.apply_all(azure, options=options).counts == RunCounts(scope=150, applied=150, verified=150)


def test_refused_lists_are_replaced_by_single_reads() -> None:
    azure = FleetDouble([vm(f"vm-{number}", group="a") for number in range(60)])
    azure.lists_forbidden = {"11111111-1111-1111-1111-111111111111", "a"}
    assert runs.apply_all(azure).counts.verified == 60


def test_setting_that_azure_did_not_keep_is_no_success_and_its_consequence_comes_first() -> None:
    """Without bypass Azure restarts the machine when it chooses: who reads one line must read that and the way back."""
    azure = fleet_of(2)

    def forget(machine: ResourceId) -> None:
        if machine.name == "vm-0000":
            del settings_of(azure.machines[machine].document)["automaticByPlatformSettings"]

    azure.after_write = forget
    report = runs.apply_all(azure)
    error = runs.error_of(report.results[0])
    assert (report.counts.failed, report.counts.verified, error.code) == (1, 1, "AzureManagedNow")
    assert error.message.startswith("Azure now patches and restarts vm-0000 at a time it chooses")
    assert "bypassPlatformSafetyChecksOnUserSchedule was true, is (absent)" not in error.message
    assert "bypassPlatformSafetyChecksOnUserSchedule should be true, is (absent)" in error.message
    assert error.advice.startswith(
        f"Restore it now with `patchmode rollback {report.run} --ids {report.results[0].id}`."
    )


def test_setting_that_changes_no_owner_is_told_as_it_is() -> None:
    azure = fleet_of(1)

    def other(machine: ResourceId) -> None:
        settings_of(azure.machines[machine].document)["patchMode"] = "Manual"

    azure.after_write = other
    (end,) = runs.apply_all(azure).results
    assert runs.error_of(end).code == "NotAsPlanned"


def test_list_that_lags_is_not_believed() -> None:
    """A difference seen in a list is confirmed with a read of the machine itself."""
    azure = fleet_of(30)
    azure.as_listed = lambda document: document.update(tags={"owner": "as it was long ago"})
    assert runs.apply_all(azure).counts.verified == 30


def test_probes_that_are_done_early_bring_the_first_looks_forward() -> None:
    """A handful of machines whose operations are over at once must not wait for the recorded median of 5 s."""
    began = VirtualLoop.elapsed()
    report = runs.apply_all(fleet_of(5, duration_s=0.2))
    assert report.counts.verified == 5
    assert VirtualLoop.elapsed() - began < 3.0


def test_pace_is_learned_from_probes_and_corrected_by_first_looks() -> None:
    pace = PollInterval()
    assert [pace.next_is_probe() for _ in range(4)] == [True, True, True, False]
    assert pace.first_look_s(is_probe=False) == 5.0
    pace.probe_done(8.0)
    pace.probe_done(10.0)
    assert pace.typical_s == 9.0
    pace.list_read(100, 99)
    assert pace.typical_s == pytest.approx(8.1)
    pace.list_read(100, 70)
    pace.list_read(4, 0)
    assert pace.typical_s == pytest.approx(8.1)
    for _ in range(20):
        pace.list_read(100, 3)
    assert pace.typical_s == 20.0


@pytest.mark.parametrize(
    ("age_s", "is_probe", "wait_s"),
    [(1.0, True, 1.0), (5.0, True, 3.0), (5.0, False, 2.5), (40.0, False, 10.0), (500.0, False, 20.0)],
)
def test_looks_come_at_growing_intervals(age_s: float, is_probe: bool, wait_s: float) -> None:
    assert PollInterval().next_look_s(age_s, is_probe=is_probe) == wait_s
