"""Plan files are derived, not believed: of earlier versions they are applied, made up they are refused as a whole."""

import copy
import json
from typing import Any

import pytest
from tests.cli.conftest import Program, Start
from tests.unit.store.frozen_plans import frozen, pointed_at, resealed


def write(program: Program, document: dict[str, Any]) -> None:
    (program.folder / "plan.json").write_bytes(resealed(pointed_at(document, program.endpoint)))


def patches(program: Program) -> list[Any]:
    emulator = program.served.emulator  # type: ignore[attr-defined]
    return [one for one in emulator.ledger.entries if one.method in {"PATCH", "PUT", "DELETE"}]


@pytest.mark.parametrize(
    ("fleet", "names", "applied"),
    [("demo", ["apply", "rollback"], [6, 2]), ("schedules", ["waves"], [3]), ("schedules", ["arc"], [1])],
)
def test_plans_of_earlier_versions_are_still_applied(
    start: Start, fleet: str, names: list[str], applied: list[int]
) -> None:
    program = start(fleet)
    for name, count in zip(names, applied, strict=True):
        write(program, frozen(name))
        done = program("apply", "plan.json", "--yes", "-q", "-o", "json")
        assert done.out, done.err
        counts = json.loads(done.out)["counts"]
        assert (counts["applied"], counts["verified"], counts["stale"]) == (count, count, 0), done.err


def settings_of(change: dict[str, Any]) -> dict[str, Any]:
    system = "windowsConfiguration" if change["os"] == "Windows" else "linuxConfiguration"
    return change["body"]["properties"]["osProfile"][system]["patchSettings"]  # type: ignore[no-any-return]


def also_always(change: dict[str, Any]) -> None:
    """The diff does not tell of it, and the machine would reboot after each run."""
    settings_of(change)["automaticByPlatformSettings"]["rebootSetting"] = "Always"


def mode_alone(change: dict[str, Any]) -> None:
    """With a document that says so, this would pass for a machine that is half set already."""
    claimed = {"patchMode": "AutomaticByPlatform"}
    change["before"] = claimed
    change["document"]["properties"]["osProfile"]["linuxConfiguration"]["patchSettings"] = claimed
    del settings_of(change)["automaticByPlatformSettings"]


def bypass_alone(change: dict[str, Any]) -> None:
    del settings_of(change)["patchMode"]


def any_etag(change: dict[str, Any]) -> None:
    change["etag"] = change["document"]["etag"] = "*"


def etag_of_two_lines(change: dict[str, Any]) -> None:
    change["etag"] = change["document"]["etag"] = '"1"\r\nX-Else: 1'


def other_machine(change: dict[str, Any]) -> None:
    change["id"] = change["id"].replace("api-01", "api-02")


def path_up(change: dict[str, Any]) -> None:
    change["id"] = change["document"]["id"] = change["id"].replace("api-01", "..")


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (also_always, "body sends patchSettings"),
        (mode_alone, "body sends patchSettings"),
        (bypass_alone, "body sends patchSettings"),
        (any_etag, "etag is '*'"),
        (etag_of_two_lines, "etag is"),
        (other_machine, "id is"),
        (path_up, "is not the id of a machine"),
    ],
)
def test_a_made_up_plan_is_refused_as_a_whole_and_names_machine_and_member(start: Start, forge: Any, told: str) -> None:
    """Its digest fits, and each of these was sent or ended the run half-way. Nothing is shown, journalled or sent."""
    program = start("demo")
    document = copy.deepcopy(frozen("apply"))
    forge(next(one for one in document["changes"] if one["id"].endswith("api-01")))
    write(program, document)
    done = program("apply", "plan.json", "--yes")
    assert (done.code, done.out) == (12, "")
    assert told in done.err
    assert "rg-app/providers/Microsoft.Compute/virtualMachines/" in done.err
    assert program("verify", "plan.json").code == 12
    assert patches(program) == []
    assert json.loads(program("runs", "-o", "json").out)["runs"] == []


def test_a_rollback_restores_what_its_journal_recorded_and_nothing_else(start: Start) -> None:
    """A made-up way back holds together with its own documents; the run's journal knows better."""
    program = start("small")
    assert program("apply", "--all", "--yes", "-q").code == 0
    assert program("rollback", "latest", "--yes", "-q").code == 10  # one may not go back to Azure unasked
    (path,) = [one for one in (program.folder / "state" / "plans").iterdir() if 'rollbackOf": "' in one.read_text()]
    document = json.loads(path.read_text(encoding="utf-8"))
    windows = next(one for one in document["changes"] if one["os"] == "Windows")
    settings_of(windows)["patchMode"] = windows["after"]["patchMode"] = "Manual"
    (program.folder / "plan.json").write_bytes(resealed(document))
    done = program("apply", "plan.json", "--yes")
    assert done.code == 12
    assert "body sends patchSettings {'patchMode': 'Manual'}" in done.err
