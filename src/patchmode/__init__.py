"""Set patch orchestration for every Azure VM in scope: one reviewed, verified, reversible operation.

The functions here are those that the command line calls. Everything is typed; I/O is asynchronous; nothing heavy is
imported before it is used.

Example::

    import asyncio
    from pathlib import Path

    import patchmode


    async def main() -> None:
        scope = patchmode.Scope(subscriptions=("Contoso Production",))
        wanted = patchmode.WantedSettings(orchestration=patchmode.Orchestration.CUSTOMER_MANAGED_SCHEDULES)
        clock = patchmode.SystemClock()
        async with patchmode.connect("AzureCloud", read_only=True) as azure:
            report = await patchmode.audit(azure, scope, clock=clock)
            plan = await patchmode.make_plan(azure, scope, wanted, clock=clock)
        print(report.counts, plan.counts)
        plan = patchmode.write_plan(plan, Path("plan.json"))  # review it before going on
        journal = patchmode.RunStore(Path("state")).create(plan)
        async with patchmode.connect("AzureCloud", read_only=False) as azure:
            run = await patchmode.apply_plan(journal, azure, patchmode.ApplyOptions(), clock=clock)
        print(run.counts)


    asyncio.run(main())

What stands in `__all__` is the public interface and changes only with a new major version; everything else may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from patchmode.version import __version__

if TYPE_CHECKING:
    from patchmode.arm.identities import NamedCredential
    from patchmode.arm.session import connect
    from patchmode.errors import (
        BrokenPlanError,
        CloudError,
        EmptyScopeError,
        PatchmodeError,
        RefusedError,
        RequestError,
        RunBusyError,
        SignInError,
        StorageError,
        UnsafeError,
        UsageError,
        WrongTargetError,
    )
    from patchmode.model.freeze import Freeze
    from patchmode.model.identity import ServicePrincipal
    from patchmode.model.machine import Machine
    from patchmode.model.outcome import ChangeResult, Result, RunReport, Verification
    from patchmode.model.pasted_log import LoggedMachine, LogReading
    from patchmode.model.patch_settings import Orchestration, PatchSettings, RebootSetting
    from patchmode.model.plan import Change, Plan, Skipped, Unchanged, Unreadable, WantedSettings, Wave
    from patchmode.model.report import AuditReport, Diagnosis, Explanation, VerifyReport
    from patchmode.model.resource_id import ResourceId
    from patchmode.model.run_history import FailureReport, ScheduleRun
    from patchmode.model.schedule import (
        ConfigurationAssignment,
        DynamicScope,
        FailureKind,
        Installation,
        MachineRun,
        MaintenanceConfiguration,
        ScheduleBook,
        ScopeFilter,
        WindowRule,
    )
    from patchmode.model.scope import Filters, Scope
    from patchmode.model.shard import Shard
    from patchmode.model.since import Since
    from patchmode.model.target import Target
    from patchmode.model.waves import WaveRule
    from patchmode.rules.brakes import MaxChanges, check_blast_radius
    from patchmode.rules.freeze_grammar import freezes_from
    from patchmode.rules.log_reading import read_log
    from patchmode.store.identity_file import read_identities
    from patchmode.store.plan_file import read_plan, write_plan
    from patchmode.store.runs import RunStore
    from patchmode.workflow.after_window import after_window
    from patchmode.workflow.applying import apply_plan
    from patchmode.workflow.auditing import audit
    from patchmode.workflow.budgets import MaxFailures
    from patchmode.workflow.clock import SystemClock, local_zone
    from patchmode.workflow.doctor import examine, least_privilege_role
    from patchmode.workflow.explaining import explain
    from patchmode.workflow.failures import failures
    from patchmode.workflow.inventory import Inventory, take_inventory
    from patchmode.workflow.planning import make_plan
    from patchmode.workflow.ports import Azure, Clock, Observer, Progress
    from patchmode.workflow.rollback import make_rollback_plan
    from patchmode.workflow.run_options import ApplyOptions
    from patchmode.workflow.runs import report_of
    from patchmode.workflow.schedules import read_schedules
    from patchmode.workflow.verifying import verify_plan, verify_run, verify_scope
    from patchmode.workflow.watching import WatchOptions, watch
    from patchmode.workflow.wave_gate import WaveRules

_HOMES = {
    "patchmode.arm.identities": ("NamedCredential",),
    "patchmode.arm.session": ("connect",),
    "patchmode.errors": (
        "BrokenPlanError",
        "CloudError",
        "EmptyScopeError",
        "PatchmodeError",
        "RefusedError",
        "RequestError",
        "RunBusyError",
        "SignInError",
        "StorageError",
        "UnsafeError",
        "UsageError",
        "WrongTargetError",
    ),
    "patchmode.model.freeze": ("Freeze",),
    "patchmode.model.identity": ("ServicePrincipal",),
    "patchmode.model.machine": ("Machine",),
    "patchmode.model.outcome": ("ChangeResult", "Result", "RunReport", "Verification"),
    "patchmode.model.pasted_log": ("LoggedMachine", "LogReading"),
    "patchmode.model.patch_settings": ("Orchestration", "PatchSettings", "RebootSetting"),
    "patchmode.model.plan": ("Change", "Plan", "Skipped", "Unchanged", "Unreadable", "WantedSettings", "Wave"),
    "patchmode.model.report": ("AuditReport", "Diagnosis", "Explanation", "VerifyReport"),
    "patchmode.model.resource_id": ("ResourceId",),
    "patchmode.model.run_history": ("FailureReport", "ScheduleRun"),
    "patchmode.model.schedule": (
        "ConfigurationAssignment",
        "DynamicScope",
        "FailureKind",
        "Installation",
        "MachineRun",
        "MaintenanceConfiguration",
        "ScheduleBook",
        "ScopeFilter",
        "WindowRule",
    ),
    "patchmode.model.scope": ("Filters", "Scope"),
    "patchmode.model.shard": ("Shard",),
    "patchmode.model.since": ("Since",),
    "patchmode.model.target": ("Target",),
    "patchmode.model.waves": ("WaveRule",),
    "patchmode.rules.brakes": ("MaxChanges", "check_blast_radius"),
    "patchmode.rules.freeze_grammar": ("freezes_from",),
    "patchmode.rules.log_reading": ("read_log",),
    "patchmode.store.identity_file": ("read_identities",),
    "patchmode.store.plan_file": ("read_plan", "write_plan"),
    "patchmode.store.runs": ("RunStore",),
    "patchmode.workflow.after_window": ("after_window",),
    "patchmode.workflow.applying": ("apply_plan",),
    "patchmode.workflow.auditing": ("audit",),
    "patchmode.workflow.budgets": ("MaxFailures",),
    "patchmode.workflow.clock": ("SystemClock", "local_zone"),
    "patchmode.workflow.doctor": ("examine", "least_privilege_role"),
    "patchmode.workflow.explaining": ("explain",),
    "patchmode.workflow.failures": ("failures",),
    "patchmode.workflow.inventory": ("Inventory", "take_inventory"),
    "patchmode.workflow.planning": ("make_plan",),
    "patchmode.workflow.ports": ("Azure", "Clock", "Observer", "Progress"),
    "patchmode.workflow.rollback": ("make_rollback_plan",),
    "patchmode.workflow.run_options": ("ApplyOptions",),
    "patchmode.workflow.runs": ("report_of",),
    "patchmode.workflow.schedules": ("read_schedules",),
    "patchmode.workflow.verifying": ("verify_plan", "verify_run", "verify_scope"),
    "patchmode.workflow.watching": ("WatchOptions", "watch"),
    "patchmode.workflow.wave_gate": ("WaveRules",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 - by subject, as a reader looks for them
    "connect",
    "read_identities",
    "ServicePrincipal",
    "NamedCredential",
    "audit",
    "make_plan",
    "write_plan",
    "read_plan",
    "apply_plan",
    "verify_run",
    "verify_plan",
    "verify_scope",
    "after_window",
    "watch",
    "WatchOptions",
    "make_rollback_plan",
    "report_of",
    "explain",
    "examine",
    "least_privilege_role",
    "take_inventory",
    "read_schedules",
    "failures",
    "read_log",
    "Scope",
    "Filters",
    "Shard",
    "Since",
    "LogReading",
    "LoggedMachine",
    "WantedSettings",
    "WaveRule",
    "Orchestration",
    "PatchSettings",
    "RebootSetting",
    "ApplyOptions",
    "MaxFailures",
    "WaveRules",
    "MaxChanges",
    "check_blast_radius",
    "Freeze",
    "freezes_from",
    "RunStore",
    "SystemClock",
    "local_zone",
    "Azure",
    "Clock",
    "Observer",
    "Progress",
    "Machine",
    "Inventory",
    "ScheduleBook",
    "MaintenanceConfiguration",
    "WindowRule",
    "ConfigurationAssignment",
    "DynamicScope",
    "ScopeFilter",
    "MachineRun",
    "Installation",
    "FailureKind",
    "FailureReport",
    "ScheduleRun",
    "AuditReport",
    "Plan",
    "Change",
    "Wave",
    "Unchanged",
    "Skipped",
    "Unreadable",
    "RunReport",
    "ChangeResult",
    "Result",
    "Verification",
    "VerifyReport",
    "Explanation",
    "Diagnosis",
    "ResourceId",
    "Target",
    "PatchmodeError",
    "UsageError",
    "EmptyScopeError",
    "RefusedError",
    "WrongTargetError",
    "BrokenPlanError",
    "UnsafeError",
    "RunBusyError",
    "StorageError",
    "SignInError",
    "CloudError",
    "RequestError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'patchmode' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
