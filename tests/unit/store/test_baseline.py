"""A saved audit is read back as the very look that it was, or refused with what is wrong with it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.rules.builders import arc_document, machine_from, vm
from tests.unit.rules.schedules.builders import configuration_id

from patchmode.documents.audit import audit_document
from patchmode.errors import BrokenPlanError, UsageError
from patchmode.model.left_alone import Unreadable
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.report import AuditReport
from patchmode.model.schedule import MachineSchedules, NextWindow, ScheduleHit, Timing, Via
from patchmode.model.target import Target
from patchmode.rules.drift import drifts, look_of
from patchmode.rules.eligibility.judgement import audit_machine
from patchmode.store.baseline import decode_baseline, read_baseline

WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
HIT = ScheduleHit(
    configuration_id(), Via.STATIC, "attached to it", "nightly", NextWindow(Timing.NEVER, because="never")
)


def report() -> AuditReport:
    schedules = MachineSchedules(looked_up=True, hits=(HIT,))
    return AuditReport(
        Target("AzureCloud", "https://management.azure.com", "99999999-9999-9999-9999-999999999999"),
        ("--all",),
        WANTED,
        tuple(
            replace(audit_machine(machine, WANTED), schedules=schedules)
            for machine in (machine_from(arc_document()), vm())
        ),
        unreadable=(Unreadable("/subscriptions/22222222-2222-2222-2222-222222222222", "forbidden"),),
        created_at=datetime(2030, 1, 31, 22, 0, tzinfo=UTC),
    )


def test_saved_audit_is_the_look_that_it_was(tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    path.write_bytes(msgspec.json.encode(audit_document(report())))
    assert read_baseline(path) == look_of(report())
    assert drifts(read_baseline(path), look_of(report())) == ()


def document_of(schedules: MachineSchedules) -> dict[str, Any]:
    made = report()
    machines = tuple(replace(entry, schedules=schedules) for entry in made.machines)
    found: dict[str, Any] = json.loads(msgspec.json.encode(audit_document(replace(made, machines=machines))))
    return found


@pytest.mark.parametrize("hits", [(), (HIT,)], ids=["none", "some-seen"])
def test_schedules_that_were_not_looked_up_are_never_lost_or_gained(hits: tuple[ScheduleHit, ...]) -> None:
    """The list stays a list; that it says nothing stands beside it."""
    document = document_of(MachineSchedules(looked_up=False, hits=hits))
    assert [(len(one["schedules"]), one["schedulesKnown"]) for one in document["machines"]] == [(len(hits), False)] * 2
    blind = decode_baseline(json.dumps(document).encode(), name="base.json")
    assert drifts(blind, look_of(report())) == ()
    assert drifts(look_of(report()), blind) == ()


def test_schedules_that_are_known_to_be_none_were_gained() -> None:
    document = document_of(MachineSchedules(looked_up=True))
    assert [(one["schedules"], one["schedulesKnown"]) for one in document["machines"]] == [([], True)] * 2
    found = drifts(decode_baseline(json.dumps(document).encode(), name="base.json"), look_of(report()))
    assert [one.schedules_gained for one in found] == [(str(HIT.configuration),)] * 2


def test_audit_of_an_earlier_version_does_not_say_whether_they_were_looked_up() -> None:
    document = document_of(MachineSchedules(looked_up=True))
    for machine in document["machines"]:
        del machine["schedulesKnown"]
    assert drifts(decode_baseline(json.dumps(document).encode(), name="base.json"), look_of(report())) == ()


def test_members_that_a_later_v1_adds_are_passed_over() -> None:
    document = json.loads(msgspec.json.encode(audit_document(report())))
    document["new"] = document["machines"][0]["new"] = {"a": 1}
    assert decode_baseline(json.dumps(document).encode(), name="base.json") == look_of(report())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "base.json is empty."),
        (b'{"format": "patchmode/audit/v1", "mach', "base.json is cut short."),
        (b"hello", "base.json is not JSON"),
        (b"[]", "base.json is not an audit: it has no format member."),
        (b'{"format": "patchmode/plan/v1"}', "base.json is not an audit: it has the format patchmode/plan/v1."),
        (b'{"format": "patchmode/audit/v2"}', "base.json has the format patchmode/audit/v2, and this version reads"),
        (b'{"format": "patchmode/audit/v1"}', "base.json is not valid patchmode/audit/v1"),
    ],
)
def test_what_is_no_audit_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(BrokenPlanError) as refused:
        decode_baseline(content, name="base.json")
    assert refused.value.message.startswith(words)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="could not read the baseline"):
        read_baseline(tmp_path / "nope.json")
