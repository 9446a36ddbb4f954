"""Runs that do not end as planned: stale machines, a spent budget, a lock that came later, two applies at once."""

import json
import subprocess
from typing import Any

from tests.cli.conftest import PROGRAM, Done, Start

VM = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/Microsoft.Compute"
    "/virtualMachines"
)


def loaded(done: Done) -> Any:
    return json.loads(done.out)


def test_a_machine_that_moved_since_the_plan_is_refused_by_name(start: Start) -> None:
    """And the others are changed all the same."""
    program = start("small")
    assert program("plan", "--all", "--out", "plan.json").code == 10
    assert program("apply", "--ids", f"{VM}/web-01", "--to", "azure-managed", "--yes", "-q").code == 0
    done = program("apply", "plan.json", "--yes", "--no-progress")
    assert done.code == 11
    assert "Stale: the machine moved since the plan, nothing was changed (1):" in done.out
    assert "rg-app/web-01" in done.out
    assert "patchMode" in done.out
    assert "2 applied, 1 stale, 1 unchanged; 4 in scope, 2 verified." in done.out
    assert program("runs", "show").code == 11


def test_a_machine_changed_after_the_run_fails_its_verification(start: Start) -> None:
    """What was proven yesterday is proven again, or it is not."""
    program = start("small")
    assert program("apply", "--all", "--yes", "-q").code == 0
    (run,) = (path.stem for path in (program.folder / "state" / "runs").glob("*.sqlite"))
    assert program("apply", "--ids", f"{VM}/db-01", "--to", "image-default", "--yes", "-q").code == 0
    done = program("verify", run, "-o", "json")
    assert done.code == 13
    assert loaded(done)["counts"] == {"scope": 3, "verified": 2, "differing": 1, "unreadable": 0}
    wrong = [entry for entry in loaded(done)["results"] if not entry["verified"]]
    assert [entry["id"].rsplit("/", 1)[1] for entry in wrong] == ["db-01"]
    assert wrong[0]["differences"][0]["expected"] == '"AutomaticByPlatform"'


def test_two_applies_of_one_plan_at_once(start: Start) -> None:
    """The second is told who holds it, and sends nothing."""
    program = start("small", lro_seconds=4)
    assert program("plan", "--all", "--out", "plan.json").code == 10
    first = subprocess.Popen(
        [PROGRAM, "apply", "plan.json", "--yes"],
        cwd=program.folder,
        env=program.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert first.stderr is not None
    while "Applying" not in first.stderr.readline():
        assert first.poll() is None
    second = program("apply", "plan.json", "--yes")
    assert first.wait(60) == 0
    first.communicate()
    assert second.code == 12
    assert "is carrying this plan out" in second.err
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    assert sum(entry.method == "PATCH" for entry in entries) == 3


def test_rollback_leaves_what_it_may_not_restore_and_says_why(start: Start) -> None:
    """Handing a machine back to Azure's own patching needs a word of its own."""
    program = start("small")
    assert program("apply", "--all", "--yes", "-q").code == 0
    done = program("rollback", "latest", "--yes", "-q", "-o", "json")
    assert done.code == 0
    assert loaded(done)["counts"]["applied"] == 2
    assert loaded(done)["counts"]["skipped"] == 1
    modes = {row["name"]: row["orchestration"] for row in loaded(program("audit", "-o", "json"))["machines"]}
    assert modes == {
        "db-01": "ImageDefault",
        "db-02": "CustomerManagedSchedules",
        "web-01": "AutomaticByOS",
        "web-02": "CustomerManagedSchedules",
    }
    again = program("rollback", "latest", "--yes", "-q", "--allow-azure-managed")
    assert again.code == 0
