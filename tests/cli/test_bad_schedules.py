"""Schedules that are wrong: each has a behaviour, a rule, and places that show it, and none is guessed at.

One table over one fleet. What Azure would do is the emulator's part; here is what the commands say of it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.cli.conftest import Program, clean_environment

from arm_emulator.fleet_documents import Machine, group_id, machine_document
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.schedules_fleet import assignment_document, configuration_document, dynamic_document
from arm_emulator.testing import running

SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
GROUP = group_id(SUBSCRIPTION, "rg-app")
CONFIGURATIONS = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations"
NIGHTLY = f"{CONFIGURATIONS}/mc-nightly"
PREPARED = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}
AUDIT, EXPLAIN, SHOW, CHECK = "audit", "explain", "show", "check"


@dataclass(frozen=True)
class Row:
    """One kind of bad input, and what is said of it."""

    what: str
    machine: str
    configuration: str
    rule: str
    outcome: str
    places: frozenset[str]
    """Which of the four commands name the rule."""
    told: str
    """Words of the outcome's reason."""
    member: str | None
    """How `schedule show` has the machine: the result for its next window; None: it is no member."""


def everywhere(*without: str) -> frozenset[str]:
    return frozenset({AUDIT, EXPLAIN, SHOW, CHECK}) - set(without)


ROWS = [
    Row(
        "a filter member that nobody knows",
        "filtered",
        "mc-filter",
        "unknown-filter-member",
        "unknown",
        everywhere(),
        "machineSizes",
        "runs",
    ),
    Row(
        "tags that differ only by case",
        "tagged",
        "mc-tags",
        "tag-case",
        "unknown",
        everywhere(),
        "by case",
        "runs",
    ),
    Row(
        "a configuration that was deleted",
        "deserted",
        "mc-retired",
        "configuration-missing",
        "parked",
        everywhere(SHOW),
        "does not exist",
        None,
    ),
    Row(
        "a machine that was moved to another group",
        "moved",
        "mc-nightly",
        "assignment-orphaned",
        "parked",
        everywhere(),
        "none is attached",
        None,
    ),
    Row(
        "a time zone that nobody knows",
        "lost",
        "mc-zone",
        "unknown-time-zone",
        "unknown",
        everywhere(),
        "Middle-earth Standard Time",
        "unknown",
    ),
    Row(
        "a window that never comes",
        "waiting",
        "mc-february",
        "window-never-comes",
        "parked",
        everywhere(),
        "never",
        "noWindow",
    ),
    Row(
        "two assignments that name the same configuration",
        "twice",
        "mc-nightly",
        "assigned-twice",
        "scheduled",
        everywhere(),
        "mc-nightly",
        "runs",
    ),
]
MACHINES = {row.machine: f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{row.machine}" for row in ROWS}
MACHINES["moved"] = f"{group_id(SUBSCRIPTION, 'rg-new')}/providers/Microsoft.Compute/virtualMachines/moved"


def bad_fleet() -> dict[str, Any]:
    """Seven prepared machines, each with one thing wrong about its schedule."""
    tags = {"filtered": {"tier": "web"}, "tagged": {"env": "prod"}}
    machines = [
        Machine(
            SUBSCRIPTION,
            "rg-new" if name == "moved" else "rg-app",
            name,
            patch=PREPARED,
            tags=tags.get(name, {}),
        )
        for name in MACHINES
    ]
    unknown = dynamic_document(
        f"/subscriptions/{SUBSCRIPTION}",
        "web",
        f"{CONFIGURATIONS}/mc-filter",
        {"tagSettings": {"tags": {"tier": ["web"]}, "filterOperator": "All"}},
    )
    unknown["properties"]["filter"]["machineSizes"] = ["Standard_D2s_v5"]
    retired = f"{CONFIGURATIONS}/mc-retired"
    old_place = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/moved"
    return {
        "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "Production"}],
        "resources": [
            *map(machine_document, machines),
            *(
                configuration_document(f"{CONFIGURATIONS}/{name}", **window)
                for name, window in {
                    "mc-nightly": {"recur_every": "Day"},
                    "mc-filter": {"recur_every": "Day"},
                    "mc-tags": {"recur_every": "Day"},
                    "mc-zone": {"recur_every": "Day", "zone": "Middle-earth Standard Time"},
                    "mc-february": {"recur_every": "12Months day31", "starts": "2024-02-01 22:00"},
                }.items()
            ),
            unknown,
            dynamic_document(
                f"/subscriptions/{SUBSCRIPTION}",
                "prod",
                f"{CONFIGURATIONS}/mc-tags",
                {"tagSettings": {"tags": {"env": ["Prod"]}, "filterOperator": "All"}},
            ),
            assignment_document(MACHINES["deserted"], "retired", retired),
            assignment_document(old_place, "nightly", NIGHTLY),
            assignment_document(MACHINES["lost"], "zone", f"{CONFIGURATIONS}/mc-zone"),
            assignment_document(MACHINES["waiting"], "february", f"{CONFIGURATIONS}/mc-february"),
            assignment_document(MACHINES["twice"], "first", NIGHTLY),
            assignment_document(MACHINES["twice"], "second", NIGHTLY),
        ],
    }


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One server for the whole table: nothing here writes."""
    folder = tmp_path_factory.mktemp("bad")
    with running(fleet=bad_fleet(), lro_seconds=0, limits=limits_from("off")) as served:
        own = {**clean_environment(), **served.env, "PATCHMODE_STATE_DIR": str(folder / "state")}
        yield Program(folder, own, served.endpoint)


def document(program: Program, *args: str, codes: tuple[int, ...] = (0, 10)) -> dict[str, Any]:
    done = program(*args, "-o", "json")
    assert done.code in codes, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.fixture(scope="module")
def audited(program: Program) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in document(program, "audit", "--all")["machines"]}


@pytest.fixture(scope="module")
def checked(program: Program) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document(program, "schedule", "check", codes=(10,))["findings"]
    return found


each = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what.replace(" ", "-"))


@each
def test_audit_states_outcome_and_rule(audited: dict[str, dict[str, Any]], row: Row) -> None:
    machine = audited[row.machine]
    assert machine["outcome"] == row.outcome
    assert row.told in machine["outcomeReason"]
    rules = [reason["rule"] for reason in machine["reasons"]]
    assert rules.count(row.rule) == (AUDIT in row.places)
    assert all(reason["fix"] for reason in machine["reasons"] if reason["rule"] == row.rule)


@each
def test_explain_says_the_same(program: Program, audited: dict[str, dict[str, Any]], row: Row) -> None:
    done = program("explain", MACHINES[row.machine])
    assert row.outcome in done.out
    assert (row.rule in done.out) == (EXPLAIN in row.places)


@each
def test_check_names_machine_rule_and_way_out(checked: list[dict[str, Any]], row: Row) -> None:
    concerned = f"{CONFIGURATIONS}/{row.configuration}".lower()
    found = [one for one in checked if one["rule"] == row.rule and one["configuration"].lower() == concerned]
    assert len(found) == (CHECK in row.places)
    assert all(one["message"] and one["fix"] for one in found)
    # What is wrong with a configuration itself is said of it, not of each member.
    for one in found:
        named = {subject.rpartition("/")[2] for subject in one["subjects"]}
        assert named == (set() if row.rule in {"unknown-time-zone", "window-never-comes"} else {row.machine})


@each
def test_show_counts_the_machine_as_what_it_is(program: Program, row: Row) -> None:
    shown = program("schedule", "show", row.configuration, "-o", "json")
    if row.rule == "configuration-missing":
        assert (shown.code, shown.out) == (2, "")
        assert "One assignment still names it" in shown.err
        return
    answer = json.loads(shown.out)
    assert [one["rule"] for one in answer["schedule"]["findings"]].count(row.rule) == (SHOW in row.places)
    members = [one for one in answer["members"] if one["id"].endswith(f"/{row.machine}")]
    assert [one["result"] for one in members] == ([] if row.member is None else [row.member])
    assert sum(answer["schedule"]["forecast"].values()) == len(answer["members"])


def test_nothing_else_is_found(checked: list[dict[str, Any]]) -> None:
    """Every finding is one of the table, or follows from it; or from the time of day, 40 minutes before a window."""
    assert {one["rule"] for one in checked} <= {row.rule for row in ROWS} | {"window-too-close"}
