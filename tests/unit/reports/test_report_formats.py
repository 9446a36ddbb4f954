"""Each report format is judged by others: its published schema, its official parser, a program that opens it."""

import csv
import hashlib
import json
import re
from base64 import b64encode
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import html5lib
import openpyxl
import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator, FormatChecker
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.reports.records import HOSTILE, NOON, OTHER, SUBSCRIPTION, audit_of, run_of

from patchmode.model.plain_text import marked, printable
from patchmode.model.record import Record
from patchmode.reports.formats.registry import SUFFIXES, format_of, pieces
from patchmode.reports.formats.structured import needs_guard

DATA = Path(__file__).resolve().parents[2] / "data"
NAMES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20))
RECORDS = {
    "audit": audit_of,
    "run": run_of,
    "saved run": lambda: run_of(with_plan=False),
    "empty": lambda: audit_of(()),
}


@pytest.fixture(params=RECORDS.values(), ids=RECORDS)
def record(request: pytest.FixtureRequest) -> Record:
    """Everything that a report may be made of."""
    made: Record = request.param()
    return made


def written(record: Record, form: str) -> bytes:
    return b"".join(pieces(record, form))


def unguarded(cell: str) -> str:
    """What stood in a cell of CSV: one apostrophe in front stands for itself and for nothing else."""
    return cell.removeprefix("'")


# ------------------------------------------------------------------------------------------------ SARIF


def test_sarif_is_what_its_schema_says(record: Record) -> None:
    """Code scanning refuses a file that is not."""
    schema = json.loads((DATA / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
    log = json.loads(written(record, "sarif"))
    assert [error.message for error in Draft4Validator(schema, format_checker=FormatChecker()).iter_errors(log)] == []


def test_sarif_results_name_rules_and_machines() -> None:
    """Rule by id and index, the machine as a logical location, the fix beside the message."""
    (run,) = json.loads(written(audit_of(("web-1", "web-2")), "sarif"))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [(one["ruleId"], one["level"]) for one in run["results"]] == [
        ("not-as-wanted", "warning"),
        ("client-os", "error"),
        ("unreadable", "error"),
    ]
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])
    found = run["results"][1]
    (place,) = found["locations"]
    machine = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web-2"
    assert place["logicalLocations"] == [{"name": "web-2", "fullyQualifiedName": machine, "kind": "resource"}]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == machine[1:]
    assert (
        found["message"]["text"]
        == f"{SUBSCRIPTION}/rg/web-2: web-2 is a client Fix: Manage it with Intune, or exclude it."
    )
    rule = next(one for one in rules if one["id"] == "client-os")
    assert rule["name"] == "ClientOs"
    assert rule["shortDescription"]["text"] == "Update Manager does not support Windows client systems."
    assert "Fix: Manage its updates with Intune" in rule["help"]["text"]


def test_sarif_knows_a_finding_again_whatever_letters_the_id_came_in() -> None:
    """Otherwise code scanning would close and open the same finding with each upload."""

    def fingerprints(name: str) -> list[str]:
        (run,) = json.loads(written(audit_of(("web-1", name)), "sarif"))["runs"]
        return [one["partialFingerprints"]["patchmodeFinding/v1"] for one in run["results"]]

    assert fingerprints("web-2") == fingerprints("WEB-2")
    assert len(set(fingerprints("web-2"))) == 3
    assert fingerprints("web-3")[:2] != fingerprints("web-2")[:2]


# ------------------------------------------------------------------------------------------------ JUnit


def test_junit_is_what_jenkins_schema_says(record: Record) -> None:
    """The schema of Jenkins' xUnit plugin, which others follow."""
    schema = xmlschema.XMLSchema(DATA / "junit-10.xsd")
    assert [str(error) for error in schema.iter_errors(BytesIO(written(record, "junit")))] == []


def test_junit_has_what_ants_schema_asks_for_besides(record: Record) -> None:
    """Ant's asks for attributes and for an order that Jenkins' does not; other readers (Azure Pipelines) follow it."""
    for number, suite in enumerate(fromstring(written(record, "junit"))):
        attributes = {"name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "time"}
        assert set(suite.attrib) == {*attributes, "skipped"}
        assert suite.attrib["id"] == str(number)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        order = [child.tag for child in suite]
        assert order == ["properties", *["testcase"] * (len(order) - 3), "system-out", "system-err"]
        for case in suite.iter("testcase"):
            assert set(case.attrib) == {"name", "classname", "time"}
            assert len(case) <= 1


def test_junit_shows_a_name_with_dots_as_one_folder() -> None:
    """Readers part a class from its package at each dot."""
    record = audit_of(("web-1",))
    machine = replace(record.machines[0], subscription="contoso.com", group="rg.web")
    root = fromstring(written(replace(record, machines=(machine,)), "junit"))
    assert [case.attrib["classname"] for case in root.iter("testcase")] == ["contoso_com.rg_web"]


def test_junit_has_a_case_for_each_machine_of_the_scope() -> None:
    """Failure: not as wanted. Error: not readable. Skipped: left out."""
    root = fromstring(written(audit_of(("web-1", "web-2")), "junit"))
    told = {case.attrib["name"]: [child.tag for child in case] for case in root.iter("testcase")}
    assert told == {"web-1": [], "web-2": ["failure"], "left-out": ["skipped"], OTHER: ["error"]}
    first, second = root
    assert [first.attrib[name] for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    assert [second.attrib[name] for name in ("tests", "failures", "errors", "skipped")] == ["1", "0", "1", "0"]
    failure = next(root.iter("failure"))
    assert failure.attrib == {"type": "client-os", "message": "web-2 is a client"}
    assert "    fix: Manage it with Intune, or exclude it." in (failure.text or "").splitlines()


# ------------------------------------------------------------------------------------------------ Prometheus


def families(record: Record) -> dict[str, Any]:
    return {one.name: one for one in text_string_to_metric_families(written(record, "prometheus").decode())}


def test_prometheus_text_is_read_by_the_official_parser(record: Record) -> None:
    """Every family is a gauge with a help, named by the conventions, and no series stands twice."""
    for name, family in families(record).items():
        assert re.fullmatch(r"patchmode_(audit|run)_[a-z_]+", name)
        assert not name.endswith("_total")
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        keys = [(sample.name, *sorted(sample.labels.items())) for sample in family.samples]
        assert len(set(keys)) == len(keys)


def test_prometheus_counts_an_audit() -> None:
    """By subscription, orchestration and outcome; when it was made; what the headline says."""
    found = families(audit_of(("web-1", "web-2", "web-3")))
    machines = {
        (one.labels["subscription"], one.labels["orchestration"], one.labels["outcome"]): one.value
        for one in found["patchmode_audit_machines"].samples
    }
    assert machines == {
        (SUBSCRIPTION, "AzureManaged", "autopatched"): 1,
        (SUBSCRIPTION, "CustomerManagedSchedules", "scheduled"): 2,
    }
    assert found["patchmode_audit_timestamp_seconds"].samples[0].value == NOON.timestamp()
    assert found["patchmode_audit_finding_machines"].samples[0].value == 2
    assert found["patchmode_audit_rebooted_by_azure_machines"].samples[0].value == 1


@given(st.integers(1, 60))
def test_prometheus_has_no_series_of_a_single_machine(count: int) -> None:
    """A time series database falls over series that grow with the fleet."""
    few, many = audit_of(("a", "b")), audit_of(tuple(f"vm-{number}" for number in range(2 * count)))
    series = [sum(len(family.samples) for family in families(one).values()) for one in (few, many)]
    assert series[0] == series[1]


def test_prometheus_counts_a_run() -> None:
    """Results that no change had stand there as nought, so that an alert can rest on them."""
    found = families(run_of())
    results = {one.labels["result"]: one.value for one in found["patchmode_run_machines"].samples}
    assert results == {
        "applied": 1,
        "failed": 1,
        "unknown": 0,
        "stale": 0,
        "notSent": 0,
        "unchanged": 1,
        "skipped": 1,
        "unreadable": 1,
    }
    assert sum(results.values()) == found["patchmode_run_scope_machines"].samples[0].value


# ------------------------------------------------------------------------------------------------ tables


@given(NAMES.map(tuple))
def test_csv_and_excel_keep_every_name_and_run_none(names: tuple[str, ...]) -> None:
    """Reopened by others, each name stands there, with marks for what is not seen or turns it; none is a formula."""
    record = audit_of(names)
    rows = list(csv.DictReader(StringIO(written(record, "csv").decode(), newline="")))
    assert [unguarded(row["name"]) for row in rows[: len(names)]] == list(map(marked, names))
    assert not any(
        needs_guard(cell.removeprefix("'")) and not cell.startswith("'") for row in rows for cell in row.values()
    )
    book = openpyxl.load_workbook(BytesIO(written(record, "xlsx")))
    cells = list(book["Machines"].iter_rows(min_row=2, max_row=1 + len(names), min_col=1, max_col=1)) if names else []
    # Excel writes a character that XML lacks as _xHHHH_, and a text that looks so is escaped alike.
    shown = [printable(name) for name in names]
    assert [cell.value for (cell,) in cells if "_x" not in str(cell.value)] == [one for one in shown if "_x" not in one]
    assert all(cell.data_type != "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def test_hostile_names_survive_in_csv_and_excel() -> None:
    """The names as written, one by one."""
    record = audit_of()
    rows = list(csv.DictReader(StringIO(written(record, "csv").decode(), newline="")))
    assert [unguarded(row["name"]) for row in rows[: len(HOSTILE)]] == list(map(marked, HOSTILE))
    assert [row["name"] for row in rows[:4]] == ["'=cmd|' /C calc'!A1", "'+1+1", "'-2+3", "'@SUM(A1:A9)"]
    sheet = openpyxl.load_workbook(BytesIO(written(record, "xlsx")))["Machines"]
    cells = [sheet.cell(row, 1) for row in range(2, 2 + len(HOSTILE))]
    assert [cell.value for cell in cells] == [printable(name) for name in HOSTILE]
    assert [cell.data_type for cell in cells] == ["s"] * len(HOSTILE)
    # What would run once somebody edits the cell is marked as text, and nothing else is.
    assert [bool(cell.quotePrefix) for cell in cells] == [needs_guard(printable(name)) for name in HOSTILE]


def test_excel_has_types_a_frozen_heading_and_a_filter() -> None:
    """So that it sorts by date and filters by truth value."""
    book = openpyxl.load_workbook(BytesIO(written(audit_of(("web-1", "web-2")), "xlsx")))
    assert book.sheetnames == ["Summary", "Machines", "Findings"]
    sheet = book["Machines"]
    headings = {cell.value: cell.column for cell in sheet[1]}
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref == f"A1:{sheet.cell(1, sheet.max_column).coordinate[:-1]}5"
    assert sheet.cell(2, headings["Compliant"]).value is True
    assert sheet.cell(3, headings["Compliant"]).value is False
    assert sheet.cell(2, headings["Next window (UTC)"]).value == NOON.replace(tzinfo=None)
    assert [cell.value for cell in book["Findings"]["D"]] == ["Rule", "not-as-wanted", "client-os", "unreadable"]
    assert book["Summary"]["A2"].value == "2 of 4 machines in scope need attention."


# ------------------------------------------------------------------------------------------------ HTML


def page(record: Record) -> Any:
    """The page's tree; the parser refuses every error that the standard names."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(written(record, "html").decode())


def test_html_holds_to_the_standard(record: Record) -> None:
    """And has what a page needs: a language, a title, one heading of the first order, tables with captions."""
    tree = page(record)
    assert tree.attrib["lang"] == "en"
    assert tree.find("head/title").text.startswith(record.title)
    assert [heading.text for heading in tree.iter("h1")] == [record.title]
    for table in tree.iter("table"):
        assert table.find("caption") is not None
        assert table.find("thead") is not None
        assert all(cell.attrib.get("scope") in {"row", "col"} for cell in table.iter("th"))
    anchors = [link.attrib["href"][1:] for link in tree.iter("a")]
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    assert set(anchors) <= set(ids)
    assert len(set(ids)) == len(ids)


def test_html_asks_nobody_for_anything(record: Record) -> None:
    """No script, no address, no handler, no style but the one that the page's policy names by its digest."""
    tree = page(record)
    tags = {element.tag for element in tree.iter() if isinstance(element.tag, str)}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    for element in tree.iter():
        for name, value in element.attrib.items():
            assert not str(name).startswith("on")
            assert name not in {"src", "style", "srcset", "action"}
            assert name != "href" or value.startswith("#")
    (style,) = tree.iter("style")
    digest = b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    (policy,) = (
        one.attrib["content"] for one in tree.iter("meta") if one.attrib.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not re.search(r"url\(|@import", style.text)


@given(NAMES.map(tuple))
def test_html_shows_names_as_text(names: tuple[str, ...]) -> None:
    """Whatever a machine is called, the page shows it and does nothing else with it."""
    tree = page(audit_of((*names, *HOSTILE)))
    shown = [cell.text for cell in tree.iter("th") if cell.attrib.get("scope") == "row"]
    for name in HOSTILE:
        assert marked(name) in shown
    assert "script" not in {element.tag for element in tree.iter()}


def test_html_says_in_numbers_what_its_charts_draw() -> None:
    """A chart that only eyes can read leaves people out."""
    tree = page(audit_of(("web-1", "web-2", "web-3", "web-4")))
    charts = {"".join(one.find("caption").itertext()): one for one in tree.iter("table")}
    rows = ["".join(cell.itertext()) for cell in charts["Who patches them"].find("tbody").iter("td")]
    assert [text.strip() for text in rows if text.strip()] == ["2 50 %", "2 50 %"]
    assert all(drawn.attrib["aria-hidden"] == "true" for drawn in tree.iter("svg"))


# ------------------------------------------------------------------------------------------------ Markdown, JSON


def test_markdown_lets_no_name_become_markup() -> None:
    """GitHub renders it: no HTML, no mention, no link, no further column."""
    text = written(audit_of(), "markdown").decode()
    for line in text.splitlines():
        bare = re.sub(r"`[^`]*`", "", line)
        assert not re.search(r"(?<!\\)<(?!/?details|/?summary)", bare), line
        assert not re.search(r"@(?!&#8205;)\w", bare), line
        assert not re.search(r"(?<!\\)\]\(", bare), line
    table = [line for line in text.splitlines() if "westeurope" in line]
    assert len(table) == len(HOSTILE)
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert columns == {11}


def test_markdown_leaves_no_finding_out_of_a_large_fleet() -> None:
    """Machines that need attention come first, and what is left out is counted."""
    text = written(audit_of(tuple(f"vm-{number:04}" for number in range(1000))), "markdown").decode()
    assert "802 more machines left out here" in text
    assert len(text) < 65_536


def test_json_is_the_record_itself(record: Record) -> None:
    """The same document that the commands print, so that a report can be made of it again."""
    assert json.loads(written(record, "json"))["format"] in {"patchmode/audit/v1", "patchmode/run/v1"}


@pytest.mark.parametrize(
    ("name", "form"), [("a/b.HTML", "html"), ("x.prom", "prometheus"), ("x", None), ("x.pdf", None)]
)
def test_a_files_name_tells_the_format(name: str, form: str | None) -> None:
    """As one expects of a program that writes files."""
    assert format_of(name) == form


def test_there_is_a_writer_for_every_suffix() -> None:
    """And none for what is no format."""
    record = audit_of(("web-1",))
    empty = [form for form in sorted(set(SUFFIXES.values())) if not written(record, form)]
    assert not empty, f"nothing is written as {empty}: a report says at least what was looked at"
    with pytest.raises(KeyError):
        written(record, "pdf")


# ------------------------------------------------------------------------------------------------ what a record says


def test_a_run_tells_the_settings_before_and_after() -> None:
    """By the setting's own name, as the plan shows it."""
    rows = list(csv.DictReader(StringIO(written(run_of(), "csv").decode(), newline="")))
    told = {row["name"]: (row["result"], row["verified"], row["changed"]) for row in rows}
    changed = (
        'patchMode: "AutomaticByOS" → "AutomaticByPlatform"; bypassPlatformSafetyChecksOnUserSchedule: (absent) → true'
    )
    assert told == {
        "vm-0": ("applied", "false", changed),
        "vm-1": ("failed", "", changed),
        "vm-2": ("unchanged", "", ""),
        "vm-3": ("skipped", "", ""),
        OTHER: ("", "", ""),
    }
    findings = {row["name"]: row["findings"] for row in rows}
    assert findings["vm-0"] == "not-as-planned"
    assert findings["vm-1"] == "change-failed"
    assert findings["vm-3"] == "client-os"


def test_a_record_counts_each_machine_of_the_scope_once() -> None:
    """Whatever it is made of; a saved run tells of its changes and of what was not done, and says so.

    A machine that a rule left alone is a finding: a report must not look better than the command ended.
    """
    record = run_of()
    assert sum(record.standings.values()) == len(record.machines) == 5
    assert [standing.value for standing, count in record.standings.items() if count] == [
        "fine",
        "finding",
        "unreadable",
    ]
    saved = run_of(with_plan=False)
    assert [(one.name, one.standing.value) for one in saved.machines[2:]] == [
        ("vm-3", "finding"),
        (OTHER, "unreadable"),
    ]
    assert "Only the run's report was kept" in saved.notes[0]
