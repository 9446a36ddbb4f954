"""Why a machine's last run failed is told from records that say it in different places, or not at all."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    GUEST_SCOPE,
    FailureKind,
    Installation,
    MachineRun,
    MaintenanceConfiguration,
    WindowRule,
)
from patchmode.model.scope import Since, SinceError
from patchmode.rules.schedules.history import WORDS, by_run, has_ended, last_ended, remedy_for, with_reasons

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
NIGHT = datetime(2030, 1, 30, 21, 0, tzinfo=UTC)
WEEK = Since.parse("7d")


def machine(name: str) -> ResourceId:
    return ResourceId.parse(
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
    )


def configuration(name: str) -> ResourceId:
    kind = "Microsoft.Maintenance/maintenanceConfigurations"
    return ResourceId.parse(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/{kind}/{name}")


def run(name: str = "web", failure: FailureKind | None = None, **facts: object) -> MachineRun:
    known: dict[str, object] = {
        "machine": machine(name),
        "configuration": configuration("weekly"),
        "correlation_id": "c1",
        "status": "Succeeded" if failure is None else "Failed",
        "started_at": NIGHT,
        "ended_at": NIGHT + timedelta(hours=1),
        "failure": failure,
    }
    return MachineRun(**known | facts)  # type: ignore[arg-type]


def installation(name: str = "web", **facts: object) -> Installation:
    known: dict[str, object] = {
        "machine": machine(name),
        "status": "Failed",
        "started_by": "User",
        "started_at": NIGHT + timedelta(minutes=5),
        "ended_at": NIGHT + timedelta(minutes=50),
        "maintenance_run": "c1",
    }
    return Installation(**known | facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "failure", "message"),
    [
        (installation(window_exceeded=True), FailureKind.WINDOW_EXCEEDED, ""),
        (installation(message="disk full"), FailureKind.OTHER, "disk full"),
        (installation(failed=2, installed=3), FailureKind.OTHER, "2 of 5 updates failed"),
        (installation(), FailureKind.NOT_TOLD, ""),
        (installation(message="x", maintenance_run="/…/applyUpdates/20300130210000"), FailureKind.OTHER, "x"),
        (installation(message="x", maintenance_run="/…/applyUpdates/8e1"), FailureKind.OTHER, "x"),
        (
            installation(message="x", maintenance_run="8e1", started_at=NIGHT - timedelta(minutes=1)),
            FailureKind.NOT_TOLD,
            "",
        ),
        (installation(message="x", maintenance_run=None), FailureKind.NOT_TOLD, ""),
        (installation("db", message="x"), FailureKind.NOT_TOLD, ""),
    ],
)
def test_a_silent_record_takes_the_reason_of_what_it_installed(
    found: Installation, failure: FailureKind, message: str
) -> None:
    """Only of the same machine and run; what somebody installed by hand has no say."""
    (told,) = with_reasons([run(failure=FailureKind.NOT_TOLD)], [found])
    assert (told.failure, told.message) == (failure, message)


@pytest.mark.parametrize("failure", [None, FailureKind.PREREQUISITE, FailureKind.OFF])
def test_a_record_that_tells_its_reason_keeps_it(failure: FailureKind | None) -> None:
    """An installation cannot have begun where the prerequisite was not met."""
    assert with_reasons([run(failure=failure)], [installation(window_exceeded=True)]) == (run(failure=failure),)


def test_the_last_run_that_has_ended_counts() -> None:
    """A run that is under way says nothing yet, and an older failure is over when the machine ran since."""
    later = NIGHT + timedelta(days=1)
    runs = [
        run("web", FailureKind.PREREQUISITE),
        run("web", started_at=later),
        run("db", started_at=NIGHT),
        run("db", FailureKind.PREREQUISITE, started_at=later, correlation_id="c2"),
        run("app", FailureKind.PREREQUISITE),
        run("app", status="InProgress", started_at=later),
        run("old", FailureKind.OFF, started_at=None),
        run("tie", FailureKind.OFF),
        run("tie", FailureKind.PREREQUISITE, configuration=configuration("other")),
    ]
    assert {entry.name: found.failure for entry, found in last_ended(runs).items()} == {
        "web": None,
        "db": FailureKind.PREREQUISITE,
        "app": FailureKind.PREREQUISITE,
        "old": FailureKind.OFF,
        "tie": FailureKind.PREREQUISITE,
    }
    assert last_ended(runs) == last_ended(runs[::-1])


def test_runs_are_told_one_by_one_newest_first_with_local_times() -> None:
    """Daylight saving and all: the configuration's own zone."""
    known = MaintenanceConfiguration(
        configuration("Weekly"),
        "westeurope",
        GUEST_SCOPE,
        window=WindowRule("2030-01-01 22:00", None, "02:00", "W. Europe Standard Time", "Week Wednesday"),
    )
    runs = [
        run("b", FailureKind.PREREQUISITE, message="x"),
        run("a", FailureKind.PREREQUISITE, message="x"),
        run("c", FailureKind.OFF),
        run("d"),
        run("e", status="InProgress"),
        run("b", correlation_id="c0", started_at=NIGHT - timedelta(days=7)),
        run("c", correlation_id="c2", started_at=NIGHT + timedelta(days=7)),
        run("z", correlation_id=None, configuration=None, started_at=None),
    ]
    told = by_run(runs, {known.id: known}, since=WEEK)
    assert [(entry.configuration and entry.configuration.name, entry.correlation_id) for entry in told] == [
        ("Weekly", "c2"),
        ("Weekly", "c1"),
        ("Weekly", "c0"),
        (None, None),
    ]
    middle = told[1]
    assert str(middle.local_start) == "2030-01-30 22:00:00+01:00"
    assert (middle.members, len(middle.succeeded), middle.failed, len(middle.unfinished)) == (5, 1, 3, 1)
    first, second = middle.failures
    assert (first.kind, [entry.name for entry in first.machines]) == (FailureKind.PREREQUISITE, ["a", "b"])
    assert first.messages == ("x",)
    assert first.command == "patchmode plan --failed-since 7d --out fix.json"
    assert (second.kind, second.recovered, second.command) == (FailureKind.OFF, 1, None)
    assert told[3].local_start is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from([None, *FailureKind]),
            st.integers(0, 3),
            st.sampled_from(["Succeeded", "InProgress"]),
        )
    )
)
def test_every_machine_of_a_run_is_counted_once(rows: list[tuple[str, FailureKind | None, int, str]]) -> None:
    """Counts that do not add up hide machines."""
    runs = [
        run(name, failure, correlation_id=f"c{day}", started_at=NIGHT + timedelta(days=day), status=status)
        for name, failure, day, status in rows
    ]
    told = by_run(runs, {}, since=WEEK)
    assert sum(entry.members for entry in told) == len({(name, day) for name, _, day, _ in rows})
    for entry in told:
        failed = [machine_id for group in entry.failures for machine_id in group.machines]
        ends = [*entry.succeeded, *entry.unfinished, *failed]
        assert len(ends) == len(set(ends)) == entry.members


def test_every_reason_has_words_and_a_way_out() -> None:
    """A reason that is added must be told too."""
    assert set(WORDS) == set(FailureKind)
    for kind in FailureKind:
        assert remedy_for(kind, since=WEEK, configuration=None, is_over=False).advice
        assert remedy_for(kind, since=WEEK, configuration=None, is_over=True).command is None


def test_suggested_commands_can_be_copied() -> None:
    """Whatever the group is called."""
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg (EU)"
    odd = ResourceId.parse(f"{group}/providers/Microsoft.Maintenance/maintenanceConfigurations/n")
    remedy = remedy_for(FailureKind.OFF, since=WEEK, configuration=odd, is_over=False)
    assert remedy.command == f"patchmode audit --schedule '{odd}' --power deallocated --power stopped"


def test_a_status_that_says_nothing_is_no_end() -> None:
    """Azure's words for it are not documented whole."""
    assert has_ended(run(status="completedWithWarnings"))
    assert not has_ended(run(status="Pending"))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", datetime(2030, 1, 24, 22, 0, tzinfo=UTC)),
        ("36h", datetime(2030, 1, 30, 10, 0, tzinfo=UTC)),
        ("90M", datetime(2030, 1, 31, 20, 30, tzinfo=UTC)),
        ("2w", datetime(2030, 1, 17, 22, 0, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T06:00+02:00", datetime(2026, 11, 1, 4, 0, tzinfo=UTC)),
        (" 2026-11-01T06:00Z ", datetime(2026, 11, 1, 6, 0, tzinfo=UTC)),
    ],
)
def test_since_is_read_as_people_write_it(text: str, moment: datetime) -> None:
    """So long ago, or a date."""
    assert Since.parse(text).moment(datetime(2030, 1, 31, 22, 0, tzinfo=UTC)) == moment


@pytest.mark.parametrize("text", ["", "d", "7", "0d", "-7d", "7 days", "yesterday", "2026-13-01", "7.5d"])
def test_since_refuses_what_it_cannot_read(text: str) -> None:
    """A wrong guess would take the wrong machines."""
    with pytest.raises(SinceError, match="is not a point in the past"):
        Since.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("7d", "in the last 7 days"),
        ("1D", "in the last day"),
        ("36h", "in the last 36 hours"),
        ("2w", "in the last 2 weeks"),
        ("90m", "in the last 90 minutes"),
        ("2026-11-01", "since 2026-11-01"),
    ],
)
def test_a_time_ago_as_a_sentence_has_it(text: str, words: str) -> None:
    assert Since.parse(text).words == words
