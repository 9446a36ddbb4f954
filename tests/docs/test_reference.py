"""Whatever a user can type, get back or meet has its place in the reference. A name without one does not exist."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from tests.docs.pages import DOCS, ROOT, code_spans, name_of, read
from tests.docs.reference_pages import RENDERED, leaf_commands
from tests.unit.reports.records import measured_audit, run_of

from arm_emulator.profile import Profile
from patchmode import errors
from patchmode.cli.exits import ENDS, EVERYWHERE, MEANINGS, Exit, of_error
from patchmode.cli.main import program, run
from patchmode.cli.options import FORMATS, REPORT_FORMATS
from patchmode.documents.audit import CSV_COLUMNS
from patchmode.documents.plan import PlanDocument
from patchmode.documents.published import DOCUMENTS, FOLDER
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import Orchestration
from patchmode.model.run import Result
from patchmode.ports.run import Step
from patchmode.reports.formats.recorded import OWN_RULES
from patchmode.reports.formats.registry import SUFFIXES
from patchmode.rules.registry import RULES
from patchmode.workflow.inventory import doctor
from patchmode.workflow.run import refusals

REFERENCE = DOCS / "reference"
SOURCES = ROOT / "src" / "patchmode"


@pytest.mark.parametrize("page", RENDERED, ids=name_of)
def test_generated_pages_are_current(page: Path) -> None:
    """`make docs` writes them anew."""
    assert read(page) == RENDERED[page](), "run: make docs"


def test_every_exit_code_is_documented() -> None:
    """In the README and in the reference, by the same number; and each is one that some command ends with."""
    assert set(MEANINGS) == set(Exit) == {code for ends in (*ENDS.values(), EVERYWHERE) for code in ends}
    for page in (ROOT / "README.md", REFERENCE / "exit-codes.md"):
        shown = {int(code) for code in re.findall(r"^\| (\d+) \|", read(page), re.MULTILINE)}
        assert shown == {int(code) for code in Exit}, name_of(page)


def test_every_command_has_its_exit_codes_in_the_reference_and_in_its_help() -> None:
    """A command without a row would end with something that nobody can look up."""
    assert {path for path, _ in leaf_commands()} == set(ENDS)
    for path, command in leaf_commands():
        root = click.Context(program, info_name="patchmode")
        context = click.Context(command, info_name=path, parent=root, terminal_width=1000, max_content_width=1000)
        shown = " ".join(command.get_help(context).partition("Exit codes:")[2].split())
        for code, when in ENDS[path].items():
            assert f"{int(code)} {when.replace('`', '')}" in shown, path


def test_every_error_class_is_documented_with_its_exit_code() -> None:
    """What a library user catches, and what a script sees."""
    rows = dict(re.findall(r"^\| `(\w+Error)` \| (\d+) \|", read(REFERENCE / "exit-codes.md"), re.MULTILINE))
    classes = {
        name: found
        for name, found in vars(errors).items()
        if isinstance(found, type) and issubclass(found, errors.PatchmodeError)
    }
    assert set(rows) == set(classes)
    for name, found in classes.items():
        made = found("x", code="x") if issubclass(found, errors.RequestError) else found("x")
        assert int(rows[name]) == of_error(made), name


def test_every_rule_is_documented_in_order() -> None:
    """Rule ids stand in JSON and in scripts; the order tells which one is named first."""
    assert re.findall(r"^## `([\w-]+)`$", read(REFERENCE / "rules.md"), re.MULTILINE) == [rule.id for rule in RULES]


def test_every_profile_switch_is_documented_with_its_answers() -> None:
    """What is unconfirmed about Azure is a switch, and the page of the emulator lists them all."""
    page = read(REFERENCE / "emulator.md")
    for switch in dataclasses.fields(Profile):
        assert f"`{switch.name}`" in page, switch.name


def test_every_environment_variable_is_documented() -> None:
    """Those that our own sources read, and those that they hand to others."""
    read_by_us = set[str]()
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        read_by_us |= set(re.findall(r"(?:environ(?:\.get\(|\[)|envvar=)\"(\w+)\"", text))
    handed = set(re.findall(r"\"(\w+)\": ", read(ROOT / "src/arm_emulator/environment.py").split("def ready_line")[0]))
    assert {"PATCHMODE_CLOUD", "NO_COLOR"} <= read_by_us
    assert read_by_us | handed <= set(code_spans(REFERENCE / "environment.md"))


def test_every_member_of_the_json_formats_is_documented() -> None:
    """Members of the published schemas, and of an audit's machine."""
    page = set(code_spans(REFERENCE / "json-formats.md"))
    for schema in SOURCES.glob("*/schemas/*.json"):
        assert _members(json.loads(schema.read_text(encoding="utf-8"))) <= page, schema.name
    assert set(CSV_COLUMNS) <= page
    values = {*OutcomeKind, *Result, *Orchestration}
    assert {value.value for value in values} <= page


def test_every_report_format_finding_and_metric_is_documented() -> None:
    """Scripts, alerts and code scanning rest on these names."""
    page = set(code_spans(REFERENCE / "reports.md"))
    missing = {*REPORT_FORMATS, *FORMATS, *SUFFIXES} - {".htm"} - page
    assert not missing, f"docs/reference/reports.md has no row and no section of {missing}"
    written = {*REPORT_FORMATS, *FORMATS} - {"table", "jsonl", "csv"}
    assert written == set(SUFFIXES.values()), "REPORT_FORMATS and SUFFIXES differ"
    assert set(OWN_RULES) <= page
    assert not set(OWN_RULES) & {rule.id for rule in RULES}
    metrics = {metric.name for record in (measured_audit(), run_of()) for metric in record.metrics}
    assert metrics <= page
    assert {span for span in page if re.fullmatch(r"patchmode_(audit|run)_\w+", span)} <= metrics


def _members(schema: dict[str, Any]) -> set[str]:
    return {member for struct in schema["$defs"].values() for member in struct.get("properties", {})}


def test_every_format_is_documented_by_its_version() -> None:
    """A reader refuses what it does not know, so the names matter."""
    named = {
        found
        for path in SOURCES.rglob("*.py")
        for found in re.findall(r"\"(patchmode/\w+/v\d+)\"", path.read_text(encoding="utf-8"))
    }
    assert PlanDocument.__doc__
    assert "patchmode/plan/v1" in named
    assert named <= set(code_spans(REFERENCE / "json-formats.md"))


def test_every_step_of_the_journal_is_documented() -> None:
    """What a kill leaves behind is told step by step."""
    assert {step.value for step in Step} <= set(code_spans(REFERENCE / "journal.md"))


def test_every_action_is_documented() -> None:
    """The permissions page says for each what it is for and what its absence means."""
    page = set(code_spans(DOCS / "how-to" / "permissions.md"))
    assert set(doctor.ACTIONS) <= page
    role = next(
        json.loads(text) for text in re.findall(r"```json\n(.*?)```", read(DOCS / "how-to/permissions.md"), re.DOTALL)
    )
    assert role == doctor.least_privilege_role(())


def test_every_error_code_with_advice_of_its_own_is_documented() -> None:
    """Azure's codes that patchmode knows a way out of, and the codes that are patchmode's own."""
    spans = {span.casefold() for span in code_spans(DOCS / "how-to" / "read-the-error.md")}
    assert set(refusals._ADVICE_BY_CODE) <= spans
    pattern = re.compile(r"(?:MachineError\(\s*|not_sent\(entry, |code=)\"([A-Z]\w+)\"")
    ours = {code for path in SOURCES.rglob("*.py") for code in pattern.findall(path.read_text(encoding="utf-8"))}
    assert "MachineChanged" in ours
    assert {code.casefold() for code in ours} <= spans


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_schema_is_printed_as_it_is_published(name: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """By its name, by what a document's `format` says, and by its file's name: what a reader has at hand."""
    published = (FOLDER / f"{name}-v1.json").read_bytes()
    for spelled in (name, f"patchmode/{name}/v1", f"{name}-v1.json"):
        assert run(["schema", spelled]) == 0
        assert capsysbinary.readouterr() == (published, b"")


def test_a_schema_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names that do: an empty file must not be used as a schema."""
    assert run(["schema", "plann"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "'plann' is not one of after-window, audit, " in err
    assert "Did you mean plan?" in err
