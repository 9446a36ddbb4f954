"""Records for the tests of the report formats: an audit and a run whose machines bear names that mean harm."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from msgspec import structs
from tests.unit.store.plans import TARGET, change, full_plan, machine_id

from patchmode.documents.audit import (
    AuditDocument,
    AuditMachine,
    AuditReason,
    AuditSchedule,
)
from patchmode.documents.base import LeftOutRow, SubscriptionRow, TargetRow, UnreadableRow, WantedRow
from patchmode.documents.run import run_document
from patchmode.model.finding import Severity
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import OutcomeKind, Readiness
from patchmode.model.patch_settings import OperatingSystem, Orchestration
from patchmode.model.plan import Plan
from patchmode.model.record import Record
from patchmode.model.run import ChangeResult, Difference, Result, RunReport, Verification
from patchmode.model.schedule import Timing
from patchmode.reports.formats.audit_record import audit_record
from patchmode.reports.formats.run_record import run_record
from patchmode.rules.registry import rule_texts
from patchmode.workflow.run.report import make_report

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
OTHER = "33333333-3333-3333-3333-333333333333"
NOON = datetime(2030, 1, 8, 12, 0, tzinfo=UTC)
HOSTILE = (
    "=cmd|' /C calc'!A1",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    " =1+1",
    "'=already quoted",
    "＝1+1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><svg onload=alert(1)>",
    "]]><x>&amp;",
    "{{ 7 * 7 }}{% raw %}",
    "[x](javascript:alert(1)) | **b** `c` @everyone #1",
    'a"b\\c{d}',
    "zürich-ß-日本-👩‍💻",
    "o'hara; rm -rf /",
)
"""Names that a machine, a group or a tag might have; each would do something in one of the formats."""


def vm_id(name: str, subscription: str = SUBSCRIPTION) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"


def machine(name: str, **members: Any) -> AuditMachine:
    """A machine that is as wanted and patched by its schedule."""
    schedule = AuditSchedule(
        id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Maintenance/m/nightly",
        name="nightly",
        via="static",
        clause="attached to it",
        also=(),
        next_window=NOON,
        local_start="2030-01-08T13:00:00+01:00",
        timing=Timing.COMING,
        because=None,
        doubt=None,
    )
    standard: dict[str, Any] = {
        "id": vm_id(name),
        "name": name,
        "subscription_id": SUBSCRIPTION,
        "resource_group": "rg",
        "location": "westeurope",
        "os": OperatingSystem.WINDOWS,
        "kind": MachineKind.VM,
        "orchestration": Orchestration.CUSTOMER_MANAGED_SCHEDULES,
        "patch_mode": "AutomaticByPlatform",
        "bypass": True,
        "assessment_mode": "ImageDefault",
        "reboot_setting": None,
        "hotpatch": None,
        "power_state": "running",
        "eligible": True,
        "reasons": (),
        "schedules": (schedule,),
        "outcome": OutcomeKind.SCHEDULED,
        "outcome_reason": "patched as the schedule says",
        "schedules_known": True,
        "as_wanted": True,
    }
    return AuditMachine(**{**standard, **members})


def unset(name: str, **members: Any) -> AuditMachine:
    """A machine that is not as wanted, and of which a rule has a word to say."""
    reason = AuditReason(
        rule="client-os",
        severity=Severity.BLOCKS,
        message=f"{name} is a client",
        evidence=f"publisher = {name}",
        fix="Manage it with Intune, or exclude it.",
    )
    standard: dict[str, Any] = {
        "orchestration": Orchestration.AZURE_MANAGED,
        "bypass": None,
        "eligible": False,
        "reasons": (reason,),
        "schedules": (),
        "outcome": OutcomeKind.AUTOPATCHED,
        "outcome_reason": f"Azure patches {name}",
        "as_wanted": False,
    }
    return machine(name, **{**standard, **members})


def audit(*machines: AuditMachine, skipped: tuple[str, ...] = (), unreadable: tuple[str, ...] = ()) -> AuditDocument:
    """An audit of these machines, its counts as they should be."""
    bad = sum(not one.as_wanted for one in machines)
    kinds = [one.outcome for one in machines]
    return AuditDocument(
        format="patchmode/audit/v1",
        created_at=NOON,
        target=TargetRow(cloud="AzureCloud", endpoint="https://management.azure.com", tenant_id=OTHER),
        scope=("--all",),
        wanted=WantedRow(
            orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES,
            periodic_assessment=None,
            reboot=None,
            hotpatch_off=False,
            include_scale_set_members=False,
        ),
        counts={
            "scope": len(machines) + len(skipped) + len(unreadable),
            "machines": len(machines),
            "skipped": len(skipped),
            "unreadable": len(unreadable),
            "asWanted": len(machines) - bad,
            "eligible": sum(one.eligible for one in machines),
            "findings": bad + len(unreadable),
            "failsAtNextWindow": kinds.count(OutcomeKind.SCHEDULE_FAILS),
            "rebootedByAzure": kinds.count(OutcomeKind.AUTOPATCHED),
            "patchedByNobody": kinds.count(OutcomeKind.PARKED),
        },
        orchestrations={one: sum(m.orchestration is one for m in machines) for one in Orchestration},
        outcomes={kind: kinds.count(kind) for kind in OutcomeKind},
        machines=machines,
        skipped=tuple(LeftOutRow(id=vm_id(name), rule="filter-tag", reason="its tags differ") for name in skipped),
        unreadable=tuple(UnreadableRow(id=one, reason="403 AuthorizationFailed") for one in unreadable),
        notes=("Locks could not be read.",),
    )


def audit_of(names: tuple[str, ...] = HOSTILE) -> Record:
    """An audit in which every other machine is not as wanted, one was left out and a subscription not read."""
    machines = tuple((unset if place % 2 else machine)(name) for place, name in enumerate(names))
    document = audit(*machines, skipped=("left-out",), unreadable=(f"/subscriptions/{OTHER}",))
    return audit_record(document, rule_texts())


def measured_audit() -> Record:
    """An audit that has a sample of every metric."""
    document = audit(machine("web-1"), unset("web-2"), unreadable=(f"/subscriptions/{OTHER}",))
    named = (SubscriptionRow(subscription_id=SUBSCRIPTION, display_name="Prod"),)
    document = structs.replace(document, readiness=dict.fromkeys(Readiness, 1), subscriptions=named)
    return audit_record(document, rule_texts())


def run_report(plan: Plan) -> RunReport:
    """One change was applied and then found otherwise, one failed."""
    error = MachineError("ScopeLocked", "the lock '<b>' refuses it", False, "Remove the lock.", 409)
    seen = Verification(machine_id("vm-0"), False, (Difference("properties.x", '"a"', "(absent)"),))
    return make_report(
        "20300108T120000000Z-abcdef",
        plan,
        state="finished",
        requests={"GET": 4, "PATCH": 2},
        results=(
            ChangeResult(machine_id("vm-0"), Result.APPLIED, None, "r-0", "c-0", NOON, NOON, seen),
            ChangeResult(machine_id("vm-1"), Result.FAILED, error, "r-1", "c-1", NOON, NOON),
        ),
    )


def run_of(plan: Plan | None = None, *, with_plan: bool = True) -> Record:
    """A run of `plan`; without the plan: as a saved report tells it."""
    plan = plan or replace(full_plan(), rollback_of=None, changes=(change("vm-0"), change("vm-1", etag=None)))
    report = run_report(plan)
    document = run_document(report, TARGET)
    return run_record(report, TARGET, rule_texts(), document=document, plan=plan if with_plan else None)
