"""Names, tags and messages that would steer a terminal, turn a line or hide in it, in every form that is written."""

import csv
import json
import re
import sys
import unicodedata
import zipfile
from dataclasses import replace
from io import BytesIO, StringIO
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.reports.records import audit, machine, run_report, unset
from tests.unit.store.plans import TARGET, change, full_plan

from patchmode.cli.options import FORMATS
from patchmode.cli.output import Result, _emit, tell
from patchmode.cli.settings import Settings
from patchmode.documents.run import run_document
from patchmode.model.plain_text import json_escaped, marked, printable
from patchmode.model.record import Record
from patchmode.reports.formats.audit_record import audit_record
from patchmode.reports.formats.registry import SUFFIXES, pieces
from patchmode.reports.formats.run_record import run_record
from patchmode.reports.text.layout import TableColumn, lines
from patchmode.rules.registry import rule_texts
from patchmode.store.plan_file import decode_plan, plan_pieces

NEVER_RAW = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what steers, turns, hides or ends a line."""
RANGES = (
    *((0x00, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069), (0xFEFF, 0xFEFF)),
    *((0xAD, 0xAD), (0x61C, 0x61C), (0x2060, 0x2064), (0xE0020, 0xE007F)),
)
ODD = tuple(chr(code) for first, last in RANGES for code in range(first, last + 1))
SEQUENCES = (
    "\x1b[2J",
    "\x1b]8;;https://example.com\x07x\x1b]8;;\x07",
    "\x1b]52;c;eA==\x07",
    "\x9b31m",
    "\u202egnp.exe",
)
TEXT = st.lists(st.sampled_from((*ODD, *SEQUENCES, *"aZ0ß日-\\'\"<&=")), max_size=8).map("".join)
REPORTS = sorted(set(SUFFIXES.values()))


def raw_in(text: str) -> list[str]:
    """The characters that stand there raw and must not."""
    odd = {letter for letter in text if unicodedata.category(letter) in NEVER_RAW} - set("\n\t")
    return sorted(letter.encode("unicode_escape").decode() for letter in odd)


def audit_of(name: str, message: str) -> Record:
    """An audit in which machines, reasons, schedules and what could not be read bear such texts."""
    known = machine(name)
    (schedule,) = known.schedules
    known = msgspec.structs.replace(
        known,
        schedules=(msgspec.structs.replace(schedule, name=message, clause=message, because=message, doubt=message),),
        outcome_reason=message,
        location=message,
        resource_group=name,
    )
    document = audit(known, unset(message), skipped=(name,), unreadable=(message, f"/subscriptions/{name}"))
    return audit_record(msgspec.structs.replace(document, notes=(message,), scope=(name, message)), rule_texts())


def run_of(name: str, message: str) -> Record:
    """A run of which a change failed with such a message, with or without its plan."""
    plan = replace(full_plan(), rollback_of=None, changes=(change("vm-0"), change("vm-1", etag=None)))
    report = run_report(plan)
    told = tuple(
        replace(one, error=one.error and replace(one.error, message=message, advice=name), request_id=name)
        for one in report.results
    )
    report = replace(report, results=told)
    return run_record(report, TARGET, rule_texts(), document=run_document(report, TARGET), plan=plan)


def written(record: Record, form: str) -> str:
    content = b"".join(pieces(record, form))
    if form == "xlsx":
        with zipfile.ZipFile(BytesIO(content)) as book:
            return "".join(book.read(name).decode().replace("\r\n", "\n") for name in book.namelist())
    return content.decode().removeprefix("\ufeff") if form == "csv-excel" else content.decode()


def values_of(document: Any) -> Any:
    return json.loads(msgspec.json.encode(document))


@settings(max_examples=examples(25))
@given(TEXT, TEXT)
def test_no_report_holds_what_steers_turns_or_hides(name: str, message: str) -> None:
    """Whatever a machine, a schedule or an error is called, in each format; JSON parses to what it was."""
    for record in (audit_of(f"vm{name}", f"x{message}"), run_of(name, message)):
        for form in REPORTS:
            text = written(record, form)
            assert raw_in(text) == [], form
            if form == "json":
                assert json.loads(text) == values_of(record.document)
            if form == "yaml":
                assert msgspec.yaml.decode(text) == values_of(record.document)
            if form == "sarif":
                json.loads(text)


@settings(max_examples=examples(25))
@given(TEXT, TEXT)
def test_no_output_holds_what_steers_turns_or_hides(name: str, message: str) -> None:
    """Of every `-o`, with and without `--query`; members may be named so too, as tags are."""
    row = {"name": name, "tags": {name: message, f"{message}k": [message]}, "reasons": [{"rule": name}], "n": 1}
    document = {"machines": [row], "notes": [message], name: 1}

    def table(paint: Any) -> Any:
        return lines([TableColumn("NAME"), TableColumn("WHY", 5)], [[name, message]], paint=paint)

    whole = Result(document, table, lambda: [row], ("name", "tags", "reasons", "n"))
    for form in FORMATS:
        for query in (None, "machines[]", "machines[].tags", "machines[].name", "notes", "@"):
            stream = StringIO()
            _emit(whole, Settings(output=form, query=query), stream)
            text = stream.getvalue().removeprefix("\ufeff") if form == "csv-excel" else stream.getvalue()
            assert raw_in(text) == [], (form, query)
            if (form, query) == ("json", None):
                assert json.loads(text) == document
            if (form, query) == ("jsonl", None):
                assert json.loads(text) == row
            if (form, query) == ("yaml", None):
                assert msgspec.yaml.decode(text) == document


@settings(max_examples=examples(25))
@given(TEXT, TEXT)
def test_csv_keeps_letters_and_tells_the_rest(name: str, message: str) -> None:
    """An object's cell is JSON and comes back as it was; a text shows marks."""
    row = {"name": f"a{name}", "tags": {name: message}}
    stream = StringIO()
    _emit(Result({}, lambda _: (), lambda: [row], ("name", "tags")), Settings(output="csv"), stream)
    _, (shown, tags) = csv.reader(StringIO(stream.getvalue(), newline=""))
    assert shown == f"a{marked(name)}"
    assert json.loads(tags) == {name: message}


@settings(max_examples=examples(10))
@given(TEXT, TEXT)
def test_a_plan_file_is_shown_safely_and_read_as_it_was(name: str, message: str) -> None:
    """It is reviewed on a terminal, and its digest is that of the values."""
    plan = full_plan()
    document = {**plan.changes[0].document, "tags": {f"a{name}": message}}
    plan = replace(plan, changes=(replace(plan.changes[0], document=document), *plan.changes[1:]))
    content = b"".join(plan_pieces(plan))
    assert raw_in(content.decode()) == []
    read = decode_plan(content, name="it")
    assert dict(read.changes[0].document)["tags"] == {f"a{name}": message}


@given(TEXT)
def test_an_error_in_a_pipe_steers_no_terminal(text: str) -> None:
    """A job's log is shown by terminals as well."""
    stream, before = StringIO(), sys.stderr
    sys.stderr = stream
    try:
        tell(f"patchmode: {text}")
    finally:
        sys.stderr = before
    assert raw_in(stream.getvalue()) == []


def test_every_character_of_those_categories_is_marked() -> None:
    """Unicode grows: a newer Python may know more of them."""
    for code in range(sys.maxunicode + 1):
        letter = chr(code)
        is_marked = marked(letter) != letter
        if unicodedata.category(letter) in NEVER_RAW and letter not in "\n\t":
            assert is_marked, f"U+{code:04X}"
        elif letter.isprintable() or letter in "\n\t\u00a0":
            assert not is_marked, f"U+{code:04X}"


@pytest.mark.parametrize(
    ("text", "shown", "escaped"),
    [
        ("web-01 Größe\u00a0日本", "web-01 Größe\u00a0日本", "web-01 Größe\u00a0日本"),
        ("a\tb\nc", "a\tb\nc", "a\tb\nc"),
        ("\u202egnp.exe", r"\u202egnp.exe", r"\u202egnp.exe"),
        ("\x9b2J\x7f", r"\x9b2J\x7f", r"\u009b2J\u007f"),
        ("\U000e0041", r"\U000e0041", r"\udb40\udc41"),
    ],
)
def test_a_mark_and_an_escape(text: str, shown: str, escaped: str) -> None:
    """Marks are Python's escapes, as the tables have them; those of JSON are JSON's."""
    assert (marked(text), json_escaped(text)) == (shown, escaped)
    assert re.sub(r"[\n\t]", "", printable(text)).isascii() or "日" in text
