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
    from patchmode.arm.credentials import NamedCredential
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
    from patchmode.model.access import ServicePrincipal
    from patchmode.model.guardrails import Freeze
    from patchmode.model.left_alone import Skipped, Unreadable
    from patchmode.model.machine import Machine
    from patchmode.model.patch_settings import Orchestration, PatchSettings, RebootSetting, WantedSettings
    from patchmode.model.plan import Change, Plan, Unchanged, Wave, WaveRule
    from patchmode.model.report import AuditReport, Diagnosis, Explanation, VerifyReport
    from patchmode.model.resource_id import ResourceId
    from patchmode.model.run import ChangeResult, Result, RunReport, Verification
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
    from patchmode.model.scope import Filters, LoggedMachine, LoggedName, LogReading, MachineName, Scope, Shard, Since
    from patchmode.model.target import Target
    from patchmode.ports.azure import Azure, Clock
    from patchmode.ports.run import Observer, Progress
    from patchmode.rules.guardrails.freezes import freezes_from
    from patchmode.rules.guardrails.limits import MaxChanges, check_blast_radius
    from patchmode.rules.pasted_text.reading import read_log
    from patchmode.store.identity_file import read_identities
    from patchmode.store.plan_file import read_plan, write_plan
    from patchmode.store.runs import RunStore
    from patchmode.timing import SystemClock, local_zone
    from patchmode.workflow.inventory.audit import WatchOptions, audit, explain, watch
    from patchmode.workflow.inventory.doctor import examine, least_privilege_role
    from patchmode.workflow.inventory.history import after_window, failures
    from patchmode.workflow.inventory.inventory import Inventory, take_inventory
    from patchmode.workflow.inventory.planning import make_plan
    from patchmode.workflow.run.applying import apply_plan
    from patchmode.workflow.run.guardrails import MaxFailures
    from patchmode.workflow.run.options import ApplyOptions
    from patchmode.workflow.run.report import report_of
    from patchmode.workflow.run.rollback import make_rollback_plan
    from patchmode.workflow.run.verification import verify_plan, verify_run, verify_scope
    from patchmode.workflow.run.waves import WaveRules
    from patchmode.workflow.schedules.reading import read_schedules

_HOMES = {
    "patchmode.arm.credentials": ("NamedCredential",),
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
    "patchmode.model.access": ("ServicePrincipal",),
    "patchmode.model.guardrails": ("Freeze",),
    "patchmode.model.left_alone": (
        "Skipped",
        "Unreadable",
    ),
    "patchmode.model.machine": ("Machine",),
    "patchmode.model.patch_settings": (
        "Orchestration",
        "PatchSettings",
        "RebootSetting",
        "WantedSettings",
    ),
    "patchmode.model.plan": (
        "Change",
        "Plan",
        "Unchanged",
        "Wave",
        "WaveRule",
    ),
    "patchmode.model.report": (
        "AuditReport",
        "Diagnosis",
        "Explanation",
        "VerifyReport",
    ),
    "patchmode.model.resource_id": ("ResourceId",),
    "patchmode.model.run": (
        "ChangeResult",
        "Result",
        "RunReport",
        "Verification",
    ),
    "patchmode.model.run_history": (
        "FailureReport",
        "ScheduleRun",
    ),
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
    "patchmode.model.scope": (
        "Filters",
        "LogReading",
        "LoggedMachine",
        "LoggedName",
        "MachineName",
        "LoggedName",
        "MachineName",
        "Scope",
        "Shard",
        "Since",
    ),
    "patchmode.model.target": ("Target",),
    "patchmode.ports.azure": (
        "Azure",
        "Clock",
    ),
    "patchmode.ports.run": (
        "Observer",
        "Progress",
    ),
    "patchmode.rules.guardrails.freezes": ("freezes_from",),
    "patchmode.rules.guardrails.limits": (
        "MaxChanges",
        "check_blast_radius",
    ),
    "patchmode.rules.pasted_text.reading": ("read_log",),
    "patchmode.store.identity_file": ("read_identities",),
    "patchmode.store.plan_file": (
        "read_plan",
        "write_plan",
    ),
    "patchmode.store.runs": ("RunStore",),
    "patchmode.timing": (
        "SystemClock",
        "local_zone",
    ),
    "patchmode.workflow.inventory.audit": (
        "WatchOptions",
        "audit",
        "explain",
        "watch",
    ),
    "patchmode.workflow.inventory.doctor": (
        "examine",
        "least_privilege_role",
    ),
    "patchmode.workflow.inventory.history": (
        "after_window",
        "failures",
    ),
    "patchmode.workflow.inventory.inventory": (
        "Inventory",
        "take_inventory",
    ),
    "patchmode.workflow.inventory.planning": ("make_plan",),
    "patchmode.workflow.run.applying": ("apply_plan",),
    "patchmode.workflow.run.guardrails": ("MaxFailures",),
    "patchmode.workflow.run.options": ("ApplyOptions",),
    "patchmode.workflow.run.report": ("report_of",),
    "patchmode.workflow.run.rollback": ("make_rollback_plan",),
    "patchmode.workflow.run.verification": (
        "verify_plan",
        "verify_run",
        "verify_scope",
    ),
    "patchmode.workflow.run.waves": ("WaveRules",),
    "patchmode.workflow.schedules.reading": ("read_schedules",),
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
    "LoggedName",
    "MachineName",
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
