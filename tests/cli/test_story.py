"""The main job as a user does it: exact output in a pipe, JSON as published, exit codes as documented."""

import csv
import io
import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest
from syrupy.assertion import SnapshotAssertion
from tests.cli.conftest import Start

from patchmode.documents import published
from patchmode.documents.plan import PlanDocument
from patchmode.documents.published import render_schemas
from patchmode.documents.run import RunDocument

GROUP = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"


def test_the_whole_story_in_a_pipe(start: Start, snapshot: SnapshotAssertion) -> None:
    """Every word that a user reads, reviewed as a diff when it changes."""
    program = start("small")
    steps = [
        ("audit", "--all"),
        ("plan", "--all", "--out", "plan.json"),
        ("apply", "plan.json", "--yes", "--no-progress"),
        ("audit", "--all"),
        ("verify",),
        ("plan", "--all"),
        ("apply", "--all", "--yes", "--no-progress"),
        ("rollback", "latest", "--yes", "--no-progress"),
        ("runs",),
        ("explain", "db-01"),
        ("doctor",),
    ]
    told = []
    for args in steps:
        done = program(*args)
        told.append(f"$ patchmode {' '.join(args)}\n{done.out}[stderr]\n{done.err}[exit {done.code}]\n")
    assert "\n".join(told) == snapshot


def test_machines_in_every_state(start: Start, snapshot: SnapshotAssertion) -> None:
    """The demonstration fleet holds one of each kind; nothing of it may be lost on the way to the reader."""
    program = start("demo")
    assert program("audit", "--all").out == snapshot(name="audit")
    assert program("plan", "--all").out == snapshot(name="plan")


def loaded(text: str) -> Any:
    return json.loads(text)


def test_audit_json_is_what_is_published(start: Start) -> None:
    """Other programs read it; its shape may not change without a new version."""
    program = start("demo")
    done = program("audit", "-o", "json")
    document = loaded(done.out)
    jsonschema.validate(document, json.loads((published.FOLDER / "audit-v1.json").read_text(encoding="utf-8")))
    counts = document["counts"]
    assert done.code == 10
    assert counts["scope"] == counts["machines"] + counts["skipped"] + counts["unreadable"]
    assert counts["machines"] == len(document["machines"])
    assert sum(document["orchestrations"].values()) == counts["machines"]
    first = next(entry for entry in document["machines"] if entry["name"] == "web-04")
    assert {name: first[name] for name in ("orchestration", "patchMode", "bypass", "kind", "os", "schedules")} == {
        "orchestration": "CustomerManagedSchedules",
        "patchMode": "AutomaticByPlatform",
        "bypass": True,
        "kind": "vm",
        "os": "Windows",
        "schedules": [],
    }


def test_every_other_document_is_what_is_published(start: Start) -> None:
    """verify with and without differences, runs, doctor with findings, explain of a machine of each kind."""
    program = start("demo")
    assert program("apply", "-g", "rg-app", "--name", "web-*", "--yes", "-q").code in {0, 11}
    ids = loaded(program("audit", "--query", "machines[?kind=='arc'].id | [:1]").out)
    for args in (
        ["verify"],
        ["verify", "--all"],
        ["runs"],
        ["doctor", "-m", "nope"],
        ["doctor"],
        ["explain", "web-04"],
    ):
        document = loaded(program(*args, "-o", "json").out)
        jsonschema.validate(document, loaded(render_schemas()[f"{args[0]}-v1.json"]))
    jsonschema.validate(loaded(program("explain", *ids, "-o", "json").out), loaded(render_schemas()["explain-v1.json"]))


def test_jsonl_and_csv_hold_a_machine_a_line(start: Start) -> None:
    """For jq, and for spreadsheets."""
    program = start("small")
    lines = program("audit", "-o", "jsonl").out.splitlines()
    rows = list(csv.DictReader(io.StringIO(program("audit", "-o", "csv").out)))
    assert [loaded(line)["name"] for line in lines] == ["db-01", "db-02", "web-01", "web-02"]
    assert [row["name"] for row in rows] == ["db-01", "db-02", "web-01", "web-02"]
    assert rows[1]["bypass"] in {"", "false"}
    plans = list(csv.DictReader(io.StringIO(program("plan", "--all", "-o", "csv").out)))
    documents = loaded(program("plan", "--all", "-o", "json").out)["changes"]
    assert [loaded(row["body"]) for row in plans if row["end"] == "change"] == [one["body"] for one in documents]


@pytest.mark.parametrize(
    ("args", "out"),
    [
        (["--query", "counts.machines"], "4\n"),
        (["--query", "machines[?os=='Linux'].name", "-o", "table"], "db-01\ndb-02\n"),
        (["--query", "machines[:1].{name:name,mode:patchMode}", "-o", "csv"], "name,mode\ndb-01,ImageDefault\n"),
        (["--query", "machines[:1].{name:name,mode:patchMode}", "-o", "table"], "name   mode\ndb-01  ImageDefault\n"),
        (["--query", "machines[].name", "-o", "jsonl"], '"db-01"\n"db-02"\n"web-01"\n"web-02"\n'),
        (["--query", "nothing", "-o", "table"], ""),
    ],
)
def test_queries_select_from_the_json(start: Start, args: list[str], out: str) -> None:
    """As az has it, in any format."""
    assert start("small")("audit", *args).out == out


def test_run_json_counts_add_up(start: Start) -> None:
    """The parts of a run's counts are its scope, and verified is counted beside them."""
    program = start("demo")
    done = program("apply", "--all", "--yes", "-o", "json", "-q")
    document = loaded(done.out)
    msgspec.convert(document, RunDocument)
    counts = document["counts"]
    parts = ("applied", "failed", "unknown", "stale", "notSent", "unchanged", "skipped", "unreadable")
    assert sum(counts[name] for name in parts) == counts["scope"] == 48
    assert (counts["applied"], counts["verified"], counts["blocked"], done.code) == (30, 30, 10, 10)
    assert done.err == ""
    assert loaded(program("runs", "show", "-o", "json").out) == document
    again = loaded(program("verify", "-o", "json").out)
    assert again["counts"] == {"scope": 30, "verified": 30, "differing": 0, "unreadable": 0}


def test_few_requests_for_each_changed_machine(start: Start) -> None:
    """Discovery, documents, PATCH and verification together; az needs four to five a machine."""
    program = start("demo")
    assert program("apply", "--all", "--yes", "-q").code == 10
    entries = program.served.emulator.ledger.entries  # type: ignore[attr-defined]
    arm = [entry for entry in entries if "/oauth2/" not in entry.path and "/metadata/" not in entry.path]
    patched = [entry for entry in arm if entry.method == "PATCH"]
    assert len(patched) == 30
    assert len(arm) / len(patched) <= 2.2


def test_plan_json_is_whole(start: Start) -> None:
    """It is the plan file itself."""
    document = loaded(start("demo")("plan", "--all", "-o", "json").out)
    plan = msgspec.convert(document, PlanDocument)
    assert plan.counts.scope == 48
    assert len(document["digest"]) == 64


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["audit", "--ids", f"{VM}/web-02"], 0),
        (["audit", "--ids", f"{VM}/web-01"], 10),
        (["audit", "--all"], 10),
        (["audit", "--all", "--to", "keep"], 0),
        (["plan", "--ids", f"{VM}/web-02"], 0),
        (["plan", "--ids", f"{VM}/web-01", f"{VM}/web-02"], 10),
        (["apply", "--ids", f"{VM}/web-02", "--yes"], 0),
        (["apply", "--ids", f"{VM}/web-01", "--yes"], 0),
        (["apply", "--ids", f"{VM}/web-01", f"{VM}/gone", "--yes"], 10),
        (["verify", "--ids", f"{VM}/web-02"], 0),
        (["verify", "--ids", f"{VM}/web-01"], 13),
        (["explain", f"{VM}/web-02"], 0),
        (["explain", f"{VM}/web-01"], 10),
        (["doctor"], 0),
        (["doctor", "--role-json"], 0),
        (["runs", "list"], 0),
    ],
    ids=lambda value: " ".join(value).replace(VM, "") if isinstance(value, list) else None,
)
def test_exit_codes(start: Start, args: list[str], code: int) -> None:
    """Pipelines branch on them."""
    done = start("small")(*args)
    assert done.code == code, done.err


def test_a_scope_is_applied_from_a_plan_file_that_is_kept(start: Start) -> None:
    """So that what was done can be looked up, and carried out no other way."""
    program = start("small")
    assert program("apply", "-g", "RG-APP", "--yes", "-q").code == 0
    plans = list((program.folder / "state" / "plans").glob("*.json"))
    assert len(plans) == 1
    assert loaded(plans[0].read_text())["scope"] == ["--resource-group RG-APP"]
    assert program("verify", str(plans[0])).code == 0


def test_ids_come_from_az_through_a_pipe(start: Start) -> None:
    """`az vm list -o json | patchmode plan --ids-file -`, and one id a line."""
    program = start("small")
    from_json = program("plan", "--ids-file", "-", stdin=json.dumps([{"id": f"{VM}/web-01"}, {"id": f"{VM}/db-01"}]))
    from_lines = program("plan", "--ids-file", "-", stdin=f'# two\n{VM}/web-01\n\n"{VM}/db-01",\n')
    assert from_json.code == from_lines.code == 10
    assert "Plan: 2 to change" in from_json.out
    assert "Plan: 2 to change" in from_lines.out


def test_verbose_tells_requests_without_secrets(start: Start) -> None:
    """What a support case needs, and nothing that opens a door."""
    program = start("small")
    done = program("-v", "audit", "--all")
    assert "ResourceGraph" in done.err
    assert program.environment["AZURE_CLIENT_SECRET"] not in done.err
    assert "Bearer " not in done.err


def test_debug_tells_requests_and_answers_without_secrets(start: Start) -> None:
    """As az: address, headers and body of each. No token, no secret and no signed address, whatever was sent."""
    program = start("small")
    plan = program("plan", "--all", "--debug", "--out", "plan.json")
    done = program("apply", "plan.json", "--yes", "--debug")
    assert done.code == plan.code - 10 == 0
    for text in (plan.err, done.err):
        assert "Request method: 'GET'" in text
        assert "Response status: 200" in text
        assert '"vmSize"' in text
        assert "'Authorization': '*****'" in text
        assert program.environment["AZURE_CLIENT_SECRET"] not in text
        assert not re.search(r"eyJ[\w-]{8}", text)
        assert "Bearer " not in text
    assert "Request method: 'PATCH'" in done.err
    assert '"bypassPlatformSafetyChecksOnUserSchedule": true' in done.err
    assert "Request URL:" not in program("audit", "--all", "-vvv").err


def test_the_role_is_enough_and_no_more(start: Start) -> None:
    """As `az role definition create` takes it."""
    role = loaded(start("small")("doctor", "--role-json").out)
    assert "Microsoft.Compute/virtualMachines/write" in role["Actions"]
    assert role["AssignableScopes"] == ["/subscriptions/22222222-2222-2222-2222-222222222222"]
    assert not any("*" in action for action in role["Actions"])


def test_arc_machines_can_be_set_to_periodic_assessment(start: Start) -> None:
    """They have no orchestration; assessment is all that can be set, and one of the three has it already."""
    program = start("demo")
    ids = loaded(program("audit", "--query", "machines[?kind=='arc'].id").out)
    done = program("apply", "--ids", *ids, "--periodic-assessment", "on", "--yes", "-q", "-o", "json")
    counts = loaded(done.out)["counts"]
    assert (counts["scope"], counts["applied"], counts["unchanged"], done.code) == (3, 2, 1, 0)
    assert program("verify", "-q").code == 0
