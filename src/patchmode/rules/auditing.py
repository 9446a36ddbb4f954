"""One machine with everything that audit says of it.

Must not: read or group; the workflow does.
"""

from patchmode.model.finding import MachineAudit
from patchmode.model.machine import Machine
from patchmode.model.plan import WantedSettings
from patchmode.model.schedule import NOT_LOOKED_UP
from patchmode.rules.judgement import judge
from patchmode.rules.memberships import ScheduleIndex
from patchmode.rules.prediction import predict
from patchmode.rules.registry import RULE_ORDER
from patchmode.rules.schedule_checks import schedule_reasons
from patchmode.rules.wanted import wanted_of


def audit_machine(machine: Machine, wanted: WantedSettings, index: ScheduleIndex | None = None) -> MachineAudit:
    """Whether the wanted settings may be set, every reason, and who patches the machine today.

    A machine that may not be set still has the outcome that its settings give it: a locked machine in Azure's hands is
    patched and rebooted by Azure all the same. `ineligible` is the outcome of those that Update Manager never patches.

    Args:
        machine: from any source.
        wanted: what the audit judges against; by custom Customer Managed Schedules.
        index: the schedules; None: none were looked up.

    Raises:
        ValueError: the orchestration asked for cannot be set.
    """
    schedules = NOT_LOOKED_UP if index is None else index.schedules_of(machine)
    found = judge(machine, wanted_of(machine, wanted))
    reasons = (*found.reasons, *schedule_reasons(machine, schedules, index))
    return MachineAudit(
        machine=machine,
        as_wanted=found.is_as_wanted,
        eligible=found.block is None,
        reasons=tuple(sorted(reasons, key=lambda reason: RULE_ORDER[reason.rule])),
        outcome=predict(machine.settings, machine, schedules),
        schedules=schedules,
    )
