"""Reports and evidence as a user gets them: live, of a run, of a saved document; whole files; exit codes."""

import json
import os
import stat
import zipfile
from pathlib import Path

import jsonschema
import pytest
from tests.cli.conftest import Program, Start

from patchmode.documents.published import render_schemas

FORMATS = {
    "html": ".html",
    "markdown": ".md",
    "xlsx": ".xlsx",
    "junit": ".xml",
    "sarif": ".sarif",
    "prometheus": ".prom",
}


def test_one_audit_in_every_format(start: Start, tmp_path: Path) -> None:
    """From one saved record, with nobody signed in; the ending of the name tells the format."""
    program = start("demo")
    saved = program("audit", "-o", "json")
    (tmp_path / "audit.json").write_text(saved.out, encoding="utf-8")
    offline = Program(tmp_path, {**program.environment, "PATCHMODE_CLOUD": "https://localhost:1"})
    begins = {
        "html": b"<!doctype html>",
        "markdown": b"# Patch orchestration audit",
        "xlsx": b"PK",
        "junit": b"<?xml",
        "sarif": b'{\n  "$schema"',
        "prometheus": b"# HELP",
    }
    for form, suffix in FORMATS.items():
        done = offline("report", "--from", "audit.json", "--out", f"report{suffix}")
        assert (done.code, done.out, done.err) == (10, "", f"Report: report{suffix} ({form})\n")
        assert (tmp_path / f"report{suffix}").read_bytes().startswith(begins[form])
    again = offline("report", "--from", "-", "-o", "json", stdin=saved.out)
    assert json.loads(again.out) == json.loads(saved.out)
    assert json.loads(offline("report", "--from", "audit.json", "--query", "counts.scope").out) == 48
    table = offline("report", "--from", "audit.json")
    assert (table.code, "cannot be shown as a table" in table.err) == (2, True)


def test_a_live_report_ends_as_the_audit_does(start: Start) -> None:
    """10 with findings, 0 without, and 0 all the same where it was asked for."""
    program = start("small")
    assert program("report", "-o", "markdown").code == 10
    assert program("report", "-o", "markdown", "--exit-zero").code == 0
    program("apply", "--all", "--yes")
    assert program("report", "--all", "-o", "prometheus").code == program("audit", "--all").code
    assert program("report", "--all").out == program("audit", "--all").out
    assert "--from" in program("report", "--help").out


def test_a_runs_report_is_made_of_its_journal(start: Start) -> None:
    """What was changed, from what to what, and whether it was verified."""
    program = start("small")
    program("apply", "--all", "--yes")
    done = program("report", "--run", "latest", "-o", "csv")
    assert done.code == 0
    heading, first, *_ = done.out.splitlines()
    assert heading.startswith("name,resourceGroup,subscriptionId,location,os,result,verified,changed,")
    assert ",applied,true," in first
    assert "patchMode: " in first
    shown = program("runs", "show", "-o", "json")
    (program.folder / "run.json").write_text(shown.out, encoding="utf-8")
    assert (
        "settings before and after are in its journal" in program("report", "--from", "run.json", "-o", "markdown").out
    )


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_who_may_read_a_report(start: Start) -> None:
    """Reports name machines and are their owner's; metrics name none, and the collector is another user."""
    program = start("small")
    for name, mode in (("a.html", 0o600), ("a.xlsx", 0o600), ("a.prom", 0o644)):
        program("report", "--all", "--out", name)
        assert stat.S_IMODE((program.folder / name).stat().st_mode) == mode, name


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (("--out", "report.pdf"), 2, "does not say which format"),
        (("--run", "latest", "--all"), 2, "hold their own machines"),
        (("--run", "latest", "--from", "x.json"), 2, "hold their own machines"),
        (("--from", "nothing.json", "-o", "html"), 2, "could not read nothing.json"),
        (("--from", "other.json", "-o", "html"), 12, "is patchmode/plan/v1; a report is made of"),
        (("--from", "text.json", "-o", "html"), 12, "not a JSON document of patchmode"),
        (("--from", "cut.json", "-o", "html"), 12, "is not valid patchmode/audit/v1"),
        (("--run", "latest", "-o", "html"), 2, "no runs yet"),
        (("-o", "pdf"), 2, "'pdf' is not one of"),
        (("--out", "a.html", "--query", "x"), 2, "--query selects"),
        (("-o", "sarif", "--query", "x"), 2, "--query selects"),
        (("--from", "cut.json", "-o", "table"), 12, "is not valid"),
    ],
)
def test_what_cannot_be_reported_is_said(offline: Program, args: tuple[str, ...], code: int, told: str) -> None:
    """In one sentence, with nothing written."""
    files = {
        "other.json": '{"format": "patchmode/plan/v1"}',
        "text.json": "hello",
        "cut.json": '{"format": "patchmode/audit/v1"}',
    }
    for name, text in files.items():
        (offline.folder / name).write_text(text, encoding="utf-8")
    done = offline("report", *args)
    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert {path.name for path in offline.folder.iterdir()} <= {*files, "state"}


# ------------------------------------------------------------------------------------------------ evidence


def test_evidence_holds_what_an_auditor_asks_for(start: Start) -> None:
    """Before, after, plan, journal, verification, report; and it can be checked by whoever gets it."""
    program = start("small")
    program("plan", "--all", "--out", "plan.json")
    program("apply", "plan.json", "--yes")
    done = program("evidence", "latest", "--out", "evidence.zip", "-o", "json")
    assert done.code == 0
    manifest = json.loads(done.out)
    jsonschema.validate(manifest, json.loads(render_schemas()["evidence-v1.json"]))
    assert manifest["afterFrom"] == "provider"
    with zipfile.ZipFile(program.folder / "evidence.zip") as archive:
        assert archive.read("plan.json") == (program.folder / "plan.json").read_bytes()
        machine = manifest["machines"][0]
        before, after = (json.loads(archive.read(machine[when])) for when in ("before", "after"))
        assert json.loads(archive.read("verification.json"))["counts"]["differing"] == 0
        archive.extractall(program.folder / "unpacked")
    settings = [
        (system, (document["properties"]["osProfile"].get(system) or {}).get("patchSettings", {}).get("patchMode"))
        for document in (before, after)
        for system in ("windowsConfiguration", "linuxConfiguration")
    ]
    assert [mode for _, mode in settings[2:] if mode] == ["AutomaticByPlatform"]
    assert settings[:2] != settings[2:]
    for path in ("evidence.zip", "unpacked"):
        checked = program("evidence", "check", path, "--digest", manifest["digest"], "-o", "json")
        assert checked.code == 0
        document = json.loads(checked.out)
        jsonschema.validate(document, json.loads(render_schemas()["evidence-check-v1.json"]))
        assert document["whole"]
    (program.folder / "unpacked/run.json").write_text("{}", encoding="utf-8")
    altered = program("evidence", "check", "unpacked")
    assert altered.code == 13
    assert altered.out.startswith("altered  run.json: ")


def test_the_journal_in_the_evidence_is_a_run_again(start: Start, tmp_path: Path) -> None:
    """Put into a state folder it is shown as it was, without Azure."""
    program = start("small")
    program("apply", "--all", "--yes")
    manifest = json.loads(program("evidence", "--out", "evidence", "--offline", "-o", "json").out)
    runs = tmp_path / "other/runs"
    runs.mkdir(parents=True)
    listed = json.loads((program.folder / "evidence/run.json").read_text(encoding="utf-8"))
    (tmp_path / "evidence/journal.sqlite").rename(runs / f"{listed['run']}.sqlite")
    shown = program("runs", "show", "latest", "--state-dir", str(tmp_path / "other"), "-o", "json")
    assert json.loads(program.plain(json.dumps(listed))) == json.loads(shown.out)
    assert manifest["afterFrom"] == "journal"
    assert {row["after"] for row in manifest["machines"]} == {None}


def test_evidence_of_machines_that_moved_says_so(start: Start) -> None:
    """What is read now is what counts, whatever the run itself had verified."""
    program = start("small")
    program("apply", "--all", "--yes")
    program("rollback", "latest", "--yes")
    runs = json.loads(program("runs", "-o", "json").out)["runs"]
    assert len(runs) == 2
    first = min(path.stem for path in (program.folder / "state/runs").glob("*.sqlite"))
    done = program("evidence", first, "--out", "moved")
    assert done.code == 13
    assert "not as planned or unreadable" in done.out
    assert program("evidence", "check", "moved").code == 0
    again = program("evidence", first, "--out", "moved")
    assert (again.code, again.out) == (2, "")
    assert "is not overwritten" in again.err


def test_evidence_needs_a_run_and_a_place(offline: Program) -> None:
    """Each said in one sentence."""
    assert "no runs yet" in offline("evidence", "--out", "x.zip").err
    assert "Missing option '--out'" in offline("evidence", "latest").err
    assert offline("evidence").code == 2
    refused = offline("evidence", "check", ".")
    assert (refused.code, "has no manifest.json" in refused.err) == (12, True)
