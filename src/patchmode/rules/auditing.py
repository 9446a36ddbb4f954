"""One machine with everything that audit says of it.

Must not: read or group; the workflow does.
"""

from patchmode.model.finding import MachineAudit
from patchmode.model.machine import Machine
from patchmode.model.plan import WantedSettings
from patchmode.rules.eligibility import first_block, reasons_for
from patchmode.rules.prediction import predict


def audit_machine(machine: Machine, wanted: WantedSettings) -> MachineAudit:
    """Whether the wanted settings may be set, every reason, and who patches the machine today.

    A machine that may not be set still has the outcome that its settings give it: a locked machine in Azure's hands is
    patched and rebooted by Azure all the same. `ineligible` is the outcome of those that Update Manager never patches.

    Args:
        machine: from any source.
        wanted: what the audit judges against; by custom Customer Managed Schedules.

    Raises:
        ValueError: the orchestration asked for cannot be set.
    """
    reasons = reasons_for(machine, wanted)
    return MachineAudit(
        machine=machine,
        eligible=first_block(reasons) is None,
        reasons=reasons,
        outcome=predict(machine.settings, machine),
    )
