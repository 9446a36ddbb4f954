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
    assert "Verified 1 of 2 machines in subscription Contoso Production against --resource-group rg-locked" in done.out
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
    assert done.out.startswith("Verified 1 of 1 machine ")
    assert done.out.endswith("each has the settings asked for; 1 filtered out.\n")
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
        "There is nothing to verify: the settings asked for apply to no machine in scope; 3 Arc servers without a "
        "patch mode to set.\n"
    )


LAST = "Not everything is as asked: 1 blocked (read-only-lock 1)."


def test_plan_and_apply_of_a_blocked_machine_do_not_end_as_done(start: Start) -> None:
    """Both said "Nothing has to be changed" and ended with 0, while audit of the same ended with 10."""
    program = start("demo")
    planned = program("plan", "--ids", FROZEN, "--out", "plan.json")
    assert planned.code == 10
    assert "Nothing has to be changed" not in planned.out + planned.err
    assert planned.err.startswith("No change is planned, but 1 machine is blocked. Written to plan.json.")
    for done in (
        program("apply", "--ids", FROZEN, "--yes"),
        program("apply", "plan.json", "--yes"),
    ):
        assert done.code == 10
        assert "No change is planned on" in done.out
        assert "      → Have the lock's owner remove it" in done.out
        assert last_line(done) == LAST
        assert done.err.rstrip().splitlines()[-1] == LAST
    assert list((program.folder / "state").glob("runs/*")) == []


def test_a_run_beside_a_blocked_machine_says_so_last_and_for_ever(start: Start) -> None:
    """apply, runs show, merge, report and verify of the run and of its plan; quiet or not, saved or live."""
    program = start("demo")
    web = FROZEN.replace("rg-locked", "rg-app").replace("frozen-01", "web-01")
    assert program("plan", "--ids", FROZEN, web, "--out", "plan.json").code == 10
    done = program("apply", "plan.json", "--yes", "--no-progress")
    assert done.code == 10
    assert "1 applied, 1 skipped; 2 in scope, 1 verified." in done.out
    assert last_line(done) == LAST
    assert done.err.rstrip().splitlines()[-1] == LAST
    shown = program("runs", "show", "-o", "json")
    (program.folder / "run.json").write_text(shown.out, encoding="utf-8")
    document = loaded(shown)
    assert (document["counts"]["skipped"], document["counts"]["blocked"]) == (1, 1)
    assert [entry["id"] for entry in document["blocked"]] == [FROZEN]
    for args in (("runs", "show"), ("runs", "merge", "run.json"), ("runs", "resume", "latest", "--no-progress")):
        shown = program(*args)
        assert (shown.code, last_line(shown)) == (10, LAST), args
    for args in (("report", "--run", "latest"), ("report", "--from", "run.json")):
        assert program(*args, "-o", "json").code == 10
        assert "1 need attention" in program(*args, "-o", "markdown").out
    for subject in ("latest", "plan.json"):
        seen = program("verify", subject)
        assert seen.code == 10
        assert "Verified 1 of 1 machine " in seen.out
        assert last_line(seen).endswith(" is as asked: 1 blocked. These machines were not compared.")
        assert loaded(program("verify", subject, "-o", "json"))["notDone"] == {"blocked": 1}
    packed = program("evidence", "latest", "--out", "pack")
    assert packed.code == 10
    assert "Not everything of the run is as asked: 1 blocked." in packed.out
    assert program("evidence", "check", "pack").code == 0


def test_a_report_of_an_earlier_version_does_not_pass_its_skipped_machines_for_ready(start: Start) -> None:
    """It does not say whether a filter or a rule left them out."""
    program = start("demo")
    web = FROZEN.replace("rg-locked", "rg-app").replace("frozen-01", "web-01")
    document = loaded(program("apply", "--ids", web, "--yes", "-q", "-o", "json"))
    assert "blocked" not in document["counts"]
    assert program("runs", "show").code == 0
    document["counts"] |= {"scope": 2, "skipped": 1}
    (program.folder / "run.json").write_text(json.dumps(document), encoding="utf-8")
    assert program("runs", "merge", "run.json").code == 10


def test_what_a_filter_left_out_of_an_apply_was_not_asked_for(start: Start) -> None:
    """Nor has an Arc server a patch mode to set: both are counted, and neither keeps a scope from being done."""
    program = start("demo")
    done = program("apply", "-g", "rg-locked", "--exclude-name", "frozen-01", "--yes")
    assert (done.code, "Not everything" in done.out + done.err) == (0, False)
    ids = [entry["id"] for entry in loaded(program("audit", "-o", "json"))["machines"] if entry["kind"] == "arc"]
    done = program("apply", "--ids", *ids, "--yes")
    assert (done.code, "Not everything" in done.out + done.err) == (0, False)


def test_verify_of_nothing_in_particular_is_refused(start: Start) -> None:
    """Without a setting every machine would be verified, and nothing said."""
    done = start("demo")("verify", "-g", "rg-locked", "--to", "keep")
    assert (done.code, done.out) == (2, "")
    assert "No setting was named." in done.err
