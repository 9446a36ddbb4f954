"""`--then-attach` and `--after-window` as a user has them: from the plan to the proof of the window, and back."""

import json
import ssl
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import jsonschema
import pytest
from tests.cli.conftest import Program, Start

from arm_emulator.named_fleets import read_fleet
from patchmode.documents.published import render_schemas

GROUP = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"
CONFIGURATIONS = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations"
NIGHTLY = f"{CONFIGURATIONS}/nightly"


def configuration(name: str, scope: str = "InGuestPatch") -> dict[str, Any]:
    return {
        "id": f"{CONFIGURATIONS}/{name}",
        "name": name,
        "type": "Microsoft.Maintenance/maintenanceConfigurations",
        "location": "westeurope",
        "properties": {
            "maintenanceScope": scope,
            "extensionProperties": {"InGuestPatchMode": "User"},
            "maintenanceWindow": {
                "startDateTime": "2024-01-01 03:00",
                "duration": "02:00",
                "timeZone": "UTC",
                "recurEvery": "Day",
            },
            "installPatches": {"rebootSetting": "IfRequired"},
        },
    }


@pytest.fixture
def program(start: Start) -> Program:
    fleet = read_fleet("small")
    fleet["resources"] += [configuration("nightly"), configuration("hosts", scope="Host")]
    return start_with(start, fleet)


def start_with(start: Start, fleet: dict[str, Any]) -> Program:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.json"
        path.write_text(json.dumps(fleet))
        return start(str(path))


def control(program: Program, path: str, body: Any = None, *, method: str | None = None) -> Any:
    served = program.served  # type: ignore[attr-defined]
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=ssl.create_default_context(cafile=served.ca)))
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{served.endpoint}/_emulator/{path}", data=data, method=method)
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)


def writes(program: Program) -> Counter[str]:
    return Counter(
        one["method"] for one in control(program, "requests")["requests"] if one["method"] in {"PATCH", "PUT", "DELETE"}
    )


def document(program: Program, *args: str) -> Any:
    return json.loads(program(*args, "-o", "json").out)


def test_from_the_plan_to_the_proof(program: Program) -> None:
    planned = program("plan", "--all", "--then-attach", "nightly", "--out", "plan.json")
    assert planned.code == 10
    assert "Then attach: nightly to 4 machines" in planned.out
    plan = json.loads((program.folder / "plan.json").read_text())
    assert plan["thenAttach"] == {"configuration": NIGHTLY, "name": "nightly"}
    jsonschema.validate(plan, json.loads(render_schemas()["plan-v1.json"]))
    applied = program("apply", "plan.json", "--yes", "--no-progress")
    assert applied.code == 0, applied.err
    assert "Schedule: 4 attached; 4 machines." in applied.out
    run = document(program, "runs", "show")
    jsonschema.validate(run, json.loads(render_schemas()["run-v1.json"]))
    assert run["attachCounts"] == {"attached": 4}
    assert {one["assignment"] for one in run["attachments"]} == {"nightly"}
    not_yet = program("verify", "--after-window")
    assert not_yet.code == 10
    assert "next window of 'nightly'" in not_yet.out
    assert "what Azure Resource Graph recorded" in not_yet.out
    control(program, "clock", {"advance": "P2D"})
    proved = document(program, "verify", "--after-window")
    jsonschema.validate(proved, json.loads(render_schemas()["after-window-v1.json"]))
    assert proved["counts"] == {
        "scope": 4,
        "succeeded": 4,
        "failed": 0,
        "missed": 0,
        "notYet": 0,
        "noSchedule": 0,
        "unknown": 0,
    }
    assert program("verify", "--after-window").code == 0


def test_edited_wish_is_refused(program: Program) -> None:
    program("plan", "--all", "--then-attach", "nightly", "--out", "plan.json")
    path = program.folder / "plan.json"
    path.write_text(path.read_text().replace("/nightly", "/hosts"))
    assert program("apply", "plan.json", "--yes").code == 12
    assert writes(program) == {}


def test_plan_without_the_wish_is_as_it_was(program: Program) -> None:
    program("plan", "--all", "--out", "plan.json")
    plan = json.loads((program.folder / "plan.json").read_text())
    assert not {"thenAttach", "firstDetach"} & set(plan)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["nope"], 12, "you see no maintenance configuration named 'nope'"),
        ([f"{CONFIGURATIONS}/nope"], 12, "there is not a maintenance configuration"),
        (["hosts"], 12, "hosts has the maintenance scope Host, which patches no guests"),
        ([f"{VM}/web-01"], 2, "is not a maintenance configuration"),
        (["nightly", "--to", "azure-managed"], 2, "--then-attach excludes every other --to"),
        (["nightly", "--assignment-name", "a/b"], 2, "is not a valid assignment name"),
    ],
)
def test_wish_that_cannot_come_true_is_refused_as_a_whole(
    program: Program, args: list[str], code: int, words: str
) -> None:
    done = program("apply", "--all", "--yes", "--then-attach", *args)
    assert done.code == code, done.err
    assert words in done.err
    assert writes(program) == {}


def test_configuration_deleted_since_the_plan_refuses_the_file(start: Start) -> None:
    fleet = read_fleet("small")
    program = start_with(start, {**fleet, "resources": [*fleet["resources"], configuration("nightly")]})
    program("plan", "--all", "--then-attach", "nightly", "--out", "plan.json")
    control(program, "reset", fleet)
    done = program("apply", "plan.json", "--yes")
    assert done.code == 12
    assert "there is not a maintenance configuration" in done.err
    assert writes(program) == {}


def test_second_apply_has_nothing_left_to_do(program: Program) -> None:
    assert program("apply", "--all", "--yes", "-q", "--then-attach", "nightly").code == 0
    before = writes(program)
    again = program("apply", "--all", "--yes", "--no-progress", "--then-attach", "nightly")
    assert again.code == 0
    assert "Schedule: 4 unchanged; 4 machines." in again.out
    assert writes(program) == before


def test_attachment_that_azure_refuses_is_partial(program: Program) -> None:
    refusal = {"status": 403, "json": {"error": {"code": "AuthorizationFailed", "message": "not allowed"}}}
    rule = {"match": {"method": "PUT", "path": "*/web-01/*"}, "do": {"respond": refusal}}
    control(program, "faults", {"rules": [rule]}, method="PUT")
    done = program("apply", "--all", "--yes", "--no-progress", "--then-attach", "nightly")
    assert done.code == 11
    assert "Not attached or detached: Azure refused it (1):" in done.out
    assert "Schedule: 3 attached, 1 failed; 4 machines." in done.out
    assert "3 verified" in done.out


def test_rollback_takes_the_schedule_off_first_and_restores(program: Program) -> None:
    """What Azure patched at will before is not handed back unasked: it keeps the run's settings and its schedule."""
    before = document(program, "audit", "--all")["machines"]
    handed_over = {one["name"] for one in before if one["outcome"] == "autopatched"}
    assert handed_over
    assert program("apply", "--all", "--yes", "-q", "--then-attach", "nightly").code == 0
    back = program("rollback", "latest", "--yes", "--no-progress")
    restored = len(before) - len(handed_over)
    assert f"First detach: the schedule of {restored} machines" in back.err
    assert f"{restored} detached; {restored} machines." in back.out
    assert "It keeps the run's schedule" in " ".join(back.err.split())
    assert_off_before_restored(program)
    after = {one["name"]: one for one in document(program, "audit", "--all")["machines"]}
    for machine in before:
        now = after[machine["name"]]
        if machine["name"] in handed_over:
            assert (now["orchestration"], now["outcome"]) == ("CustomerManagedSchedules", "scheduled")
            assert now["schedules"]
        else:
            assert (now["orchestration"], now["schedules"]) == (machine["orchestration"], [])


def test_rollback_that_hands_machines_back_takes_every_schedule_off(program: Program) -> None:
    before = document(program, "audit", "--all")["machines"]
    assert program("apply", "--all", "--yes", "-q", "--then-attach", "nightly").code == 0
    back = program("rollback", "latest", "--allow-azure-managed", "--yes", "--no-progress")
    assert f"First detach: the schedule of {len(before)} machines" in back.err
    assert_off_before_restored(program)
    after = {one["name"]: one for one in document(program, "audit", "--all")["machines"]}
    for machine in before:
        now = after[machine["name"]]
        assert (now["orchestration"], now["outcome"]) == (machine["orchestration"], machine["outcome"])
        assert now["schedules"] == []


def assert_off_before_restored(program: Program) -> None:
    """Every schedule came off before the first setting was touched again."""
    methods = [one["method"] for one in control(program, "requests")["requests"]]
    last_delete = max(place for place, method in enumerate(methods) if method == "DELETE")
    first_restore = next(
        place for place, method in enumerate(methods) if method == "PATCH" and place > methods.index("DELETE")
    )
    assert last_delete < first_restore


def test_lock_that_keeps_the_schedule_is_told_before_anything_is_sent(start: Start) -> None:
    """And the rollback meets exactly what the plan said."""
    lock = {
        "id": f"{GROUP}/providers/Microsoft.Authorization/locks/keep",
        "name": "keep",
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": "CanNotDelete"},
    }
    fleet = read_fleet("small")
    fleet["resources"] += [configuration("nightly"), lock]
    program = start_with(start, fleet)
    planned = program("plan", "--ids", f"{VM}/web-01", "--then-attach", "nightly", "--out", "plan.json")
    words = f"detached again, not by `patchmode rollback` either, while the lock 'keep' is on {GROUP}."
    assert words in " ".join(planned.out.split())
    assert writes(program) == {}
    plan = json.loads((program.folder / "plan.json").read_text())
    jsonschema.validate(plan, json.loads(render_schemas()["plan-v1.json"]))
    assert plan["thenAttach"]["keptBy"] == [{"lock": "keep", "scope": GROUP, "machines": 1}]
    applied = program("apply", "plan.json", "--yes", "--no-progress")
    assert applied.code == 0, applied.err
    assert words in " ".join(applied.err.split())
    back = program("rollback", "latest", "--yes", "--no-progress")
    assert back.code == 11
    assert "ScopeLocked" in back.out
    assert "resume the run with `patchmode runs resume RUN`" in " ".join(back.out.split())


def test_after_window_of_a_scope_names_what_failed_and_how_to_fix_it(program: Program) -> None:
    assert program("apply", "--all", "--yes", "-q", "--then-attach", "nightly").code == 0
    assert program("apply", "--ids", f"{VM}/web-01", "--to", "automatic-by-os", "--yes", "-q").code == 0
    control(program, "clock", {"advance": "P2D"})
    done = program("verify", "--after-window", "--all", "--since", "1d")
    assert done.code == 13
    assert "Failed in its window (1):" in done.out
    assert f"→ patchmode apply --ids {VM}/web-01" in done.out
    assert "3 succeeded, 1 failed; 4 machines in subscription Contoso Production." in done.out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--wait"], "belong to --after-window"),
        (["--since", "1d"], "belong to --after-window"),
        (["--after-window", "--since", "soon"], "--since"),
    ],
)
def test_options_that_mean_nothing(program: Program, args: list[str], words: str) -> None:
    program("apply", "--all", "--yes", "-q")
    done = program("verify", *args)
    assert done.code == 2
    assert words in done.err
