"""A scope that is not ready: no command that was asked for something ends green over it, and each says why last."""

import json
from typing import Any

from tests.cli.conftest import Done, Start

GROUP = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-locked"
FROZEN = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/frozen-01"
"""Under a ReadOnly lock, and without patch settings; frozen-02 beside it is under the lock and as wanted."""


def loaded(done: Done) -> Any:
    return json.loads(done.out)


def last_line(done: Done) -> str:
    return done.out.rstrip().splitlines()[-1]


def test_verify_of_a_scope_names_each_machine_that_is_not_ready(start: Start) -> None:
    """It said "Verified 1 of 1" with exit code 0, and the locked machine was not even named."""
    program = start("demo")
    done = program("verify", "-g", "rg-locked")
    assert done.code == 13
    assert "read-only-lock (1)" in done.out
    assert "rg-locked/frozen-01" in done.out
    assert "Have the lock's owner remove it" in done.out
    assert "Verified 1 of 2 machines against --resource-group rg-locked" in done.out
    assert "1 blocked" in last_line(done)
    document = loaded(program("verify", "-g", "rg-locked", "-o", "json"))
    assert document["counts"] == {
        "scope": 2,
        "verified": 1,
        "differing": 0,
        "unreadable": 0,
        "blocked": 1,
        "notApplicable": 0,
        "filteredOut": 0,
    }
    (blocked,) = (entry for entry in document["results"] if not entry["verified"])
    assert blocked["id"] == FROZEN
    assert blocked["reason"]["rule"] == "read-only-lock"
    assert blocked["reason"]["fix"].startswith("Have the lock's owner")


def test_verify_of_a_scope_accounts_for_every_machine_that_audit_sees(start: Start) -> None:
    """Counts add up to the scope, and what audit finds not as wanted verify does not call verified."""
    program = start("demo")
    seen = loaded(program("audit", "--all", "-o", "json"))
    done = program("verify", "--all", "-o", "json")
    document = loaded(done)
    counts = document["counts"]
    assert counts["scope"] == sum(count for name, count in counts.items() if name != "scope") == seen["counts"]["scope"]
    assert len(document["results"]) == counts["scope"] - counts["notApplicable"] - counts["filteredOut"]
    named = {entry["id"]: entry["verified"] for entry in document["results"]}
    aside = {entry["id"] for entry in document["notApplicable"]}
    as_wanted = {entry["id"]: entry["asWanted"] for entry in seen["machines"]}
    assert {name: as_wanted[name] for name in named} == named
    assert {entry["id"] for entry in seen["machines"] if entry["kind"] == "arc"} == aside
    assert (counts["notApplicable"], done.code) == (3, 13)


def test_verify_says_what_a_filter_left_out(start: Start) -> None:
    """Green means that all that was asked for is ready, and the last line says how much was not asked for."""
    program = start("demo")
    done = program("verify", "-g", "rg-locked", "--exclude-name", "frozen-01")
    assert done.code == 0
    assert done.out.startswith("Verified 1 of 1 machine against ")
    assert done.out.endswith("as the provider itself answers; 1 filtered out.\n")
    counts = loaded(program("verify", "-g", "rg-locked", "--exclude-name", "frozen-01", "-o", "json"))["counts"]
    assert (counts["scope"], counts["verified"], counts["filteredOut"]) == (2, 1, 1)


def test_verify_of_a_machine_that_is_gone_is_not_green(start: Start) -> None:
    """What the provider does not know was left out of the answer as well."""
    done = start("demo")("verify", "--ids", FROZEN.replace("frozen-01", "frozen-02"), FROZEN.replace("-01", "-99"))
    assert done.code == 13
    assert "rg-locked/frozen-99\n      could not be read: " in done.out
    assert "Verified 1 of 2 machines" in done.out


def test_verify_asks_an_arc_server_what_plan_would_set_there(start: Start) -> None:
    """Periodic assessment concerns it, an orchestration does not: the same machines are asked as `plan` changes."""
    program = start("demo")
    ids = [entry["id"] for entry in loaded(program("audit", "-o", "json"))["machines"] if entry["kind"] == "arc"]
    asked = ("--ids", *ids, "--periodic-assessment", "on")
    planned = loaded(program("plan", *asked, "-o", "json"))["counts"]
    counts = loaded(program("verify", *asked, "-o", "json"))["counts"]
    assert (counts["verified"], counts["differing"]) == (planned["unchanged"], planned["changes"]) == (1, 2)
    nothing = program("verify", "--ids", *ids)
    assert nothing.code == 0
    assert nothing.out == (
        "There is nothing to verify: the settings asked for concern no machine in scope; 3 Arc servers without a patch "
        "mode to set.\n"
    )


def test_verify_of_nothing_in_particular_is_refused(start: Start) -> None:
    """Without a setting every machine would be verified, and nothing said."""
    done = start("demo")("verify", "-g", "rg-locked", "--to", "keep")
    assert (done.code, done.out) == (2, "")
    assert "No setting was named." in done.err
