"""Records of runs and installations: read whole, cut at the moment asked for, never guessed."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.arm.run_rows import RecordRow, installation_of, installations_query, moment_of, run_of, runs_query
from patchmode.arm.schedule_rows import UnreadableRowError
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import FailureKind, Installation, MachineRun

GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/web"
VM = f"{GROUP}/providers/microsoft.compute/virtualmachines/web-1"
CONFIGURATION = f"{GROUP}/providers/microsoft.maintenance/maintenanceconfigurations/night"
SINCE = datetime(2030, 1, 1, tzinfo=UTC)
RUN_ID = f"{VM}/providers/microsoft.maintenance/applyupdates/20300105030000"
INSTALLATION_ID = f"{VM}/patchInstallationResults/44444444-4444-4444-4444-444444444444"


def run(identity: Any = RUN_ID, **properties: Any) -> MachineRun | None:
    return run_of(RecordRow(identity, properties), since=SINCE)


def installation(identity: Any = INSTALLATION_ID, **properties: Any) -> Installation | None:
    return installation_of(RecordRow(identity, properties), since=SINCE)


def test_a_failed_run() -> None:
    found = run(
        maintenanceConfigurationId=CONFIGURATION,
        maintenanceScope="InGuestPatch",
        resourceId=VM,
        correlationId="c-1",
        startDateTime="2030-01-05T03:00:00.1234567Z",
        endDateTime="2030-01-05T04:00:00+00:00",
        status="Failed",
        errorDetails={"code": "ShutdownOrUnresponsive", "message": "no answer"},
    )
    assert found == MachineRun(
        machine=ResourceId.parse(VM),
        configuration=ResourceId.parse(CONFIGURATION),
        correlation_id="c-1",
        status="Failed",
        started_at=datetime(2030, 1, 5, 3, 0, 0, 123456, tzinfo=UTC),
        ended_at=datetime(2030, 1, 5, 4, tzinfo=UTC),
        failure=FailureKind.OFF,
        message="no answer",
    )


def test_a_run_that_succeeded_has_neither_failure_nor_message() -> None:
    found = run(status="Succeeded", errorDetails={"code": "Success", "message": "0 error/s reported"})
    assert found is not None
    assert (found.failure, found.message, found.configuration, found.ended_at) == (None, "", None, None)


@pytest.mark.parametrize("start", [None, "soon", 3, "0001-01-01T00:00:00"])
def test_a_start_that_is_not_told_stands_in_the_name(start: Any) -> None:
    found = run(startDateTime=start)
    assert found is not None
    assert found.started_at == datetime(2030, 1, 5, 3, tzinfo=UTC)


def test_what_began_before_is_left_out_and_what_gives_no_time_is_kept() -> None:
    assert run(startDateTime="2029-12-31T23:59:59Z") is None
    assert run(startDateTime="2030-01-01T00:00:00Z") is not None
    assert run(f"{VM}/providers/microsoft.maintenance/applyupdates/20291231235959") is None
    unknown = run(f"{VM}/providers/microsoft.maintenance/applyupdates/default", status="Failed")
    assert unknown is not None
    assert (unknown.started_at, unknown.failure) == (None, FailureKind.NOT_TOLD)


def test_hosts_and_other_scopes_are_no_concern() -> None:
    host = f"{GROUP}/providers/microsoft.compute/hostgroups/g/hosts/h"
    assert run(f"{host}/providers/microsoft.maintenance/applyupdates/20300105030000") is None
    assert run(maintenanceScope="Host") is None
    assert run(maintenanceScope="inguestpatch") is not None


def test_a_machine_that_only_the_properties_name() -> None:
    found = run("/strange/id", resourceId=VM.upper())
    assert found is not None
    assert found.machine == ResourceId.parse(VM)


@pytest.mark.parametrize("identity", [None, 3, "", "/strange/id"])
def test_a_record_of_nothing(identity: Any) -> None:
    with pytest.raises(UnreadableRowError):
        run(identity)
    with pytest.raises(UnreadableRowError):
        installation(identity)


def test_an_installation() -> None:
    found = installation(
        startedBy="User",
        status="CompletedWithWarnings",
        startDateTime="2030-01-05T03:10:00Z",
        lastModifiedDateTime="2030-01-05T03:40:00Z",
        maintenanceRunId="/run/1",
        installedPatchCount=3,
        failedPatchCount="2",
        maintenanceWindowExceeded=True,
        rebootStatus="Completed",
        errorDetails={"code": "X", "message": "one failed"},
    )
    assert found == Installation(
        machine=ResourceId.parse(VM),
        status="CompletedWithWarnings",
        started_by="User",
        started_at=datetime(2030, 1, 5, 3, 10, tzinfo=UTC),
        ended_at=datetime(2030, 1, 5, 3, 40, tzinfo=UTC),
        maintenance_run="/run/1",
        installed=3,
        failed=2,
        window_exceeded=True,
        reboot_status="Completed",
        message="one failed",
    )


def test_an_installation_under_way_has_not_ended() -> None:
    found = installation(status="InProgress", lastModifiedDateTime="2030-01-05T03:40:00Z", maintenanceRunId="")
    assert found is not None
    assert (found.ended_at, found.maintenance_run, found.installed, found.window_exceeded) == (None, None, 0, False)
    assert installation(startDateTime="2029-12-31T23:59:59Z") is None


def test_a_single_update_is_no_result() -> None:
    with pytest.raises(UnreadableRowError):
        installation(f"{INSTALLATION_ID}/softwarePatches/5")


@given(st.integers(min_value=-2_000_000_000_000_000, max_value=200_000_000_000_000_000))
def test_moments_read_back(microseconds: int) -> None:
    moment = SINCE + timedelta(microseconds=microseconds)
    assert moment_of(moment.isoformat()) == moment
    assert moment_of(moment.astimezone(timezone(timedelta(hours=-5))).isoformat()) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2021-04-08T04:37:27.7219599+00:00", datetime(2021, 4, 8, 4, 37, 27, 721959, tzinfo=UTC)),
        (" 2021-04-08T04:37:27Z ", datetime(2021, 4, 8, 4, 37, 27, tzinfo=UTC)),
        ("2021-04-08T04:37:27", datetime(2021, 4, 8, 4, 37, 27, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("9999-12-31T23:59:59-08:00", None),
        ("", None),
        (None, None),
        (1_700_000_000, None),
    ],
)
def test_moments(text: Any, moment: datetime | None) -> None:
    assert moment_of(text) == moment


def test_queries_hold_the_moment_in_utc_and_nothing_else() -> None:
    since = datetime(2030, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    for query in (runs_query(since), installations_query(since)):
        assert "datetime(2029-12-31T23:00:00Z)" in query
        assert query.endswith("| order by id asc")
