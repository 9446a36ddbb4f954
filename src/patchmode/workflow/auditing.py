"""Audit: every machine in scope, with its orchestration, who patches it, and what stands in the way.

Must not: decide (the rules do) or write (the connection may be opened for reading only).
"""

from datetime import timedelta

from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import WantedSettings
from patchmode.model.report import AuditReport
from patchmode.model.scope import Scope
from patchmode.rules.auditing import audit_machine
from patchmode.rules.memberships import LONGEST_WAIT
from patchmode.workflow.inventory import take_inventory
from patchmode.workflow.ports import Azure, Clock
from patchmode.workflow.schedule_lookup import look_up

DEFAULT_WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
"""What machines are measured against when the user names nothing: the prerequisite of schedules."""


async def audit(
    azure: Azure,
    scope: Scope,
    *,
    wanted: WantedSettings = DEFAULT_WANTED,
    clock: Clock,
    longest_wait: timedelta = LONGEST_WAIT,
) -> AuditReport:
    """Audit every machine in scope, read through Resource Graph where that is allowed.

    Args:
        azure: a connection; reading is enough.
        scope: selectors united, filters narrowing.
        wanted: the settings to measure against.
        clock: for the report's time, and for what counts as the next window.
        longest_wait: a next window that is farther away is told.

    Returns:
        Each machine in scope stands once in the report; machines ordered by id.

    Raises:
        UsageError, EmptyScopeError, RequestError: as `inventory.take_inventory`.
    """
    inventory = await take_inventory(azure, scope, documents=False, now=clock.now())
    now = clock.now()
    index = await look_up(azure, inventory.machines, now=now, longest_wait=longest_wait)
    return AuditReport(
        target=azure.target.with_names_of(inventory.subscription_ids),
        scope=scope.describe(),
        wanted=wanted,
        machines=tuple(audit_machine(machine, wanted, index) for machine in inventory.machines),
        skipped=inventory.skipped,
        unreadable=inventory.unreadable,
        notes=(*inventory.notes, *index.book.notes),
        created_at=now,
    )
