"""The schedules of some machines, read once and indexed for the rules.

Must not: decide. Called by audit, plan and explain, once a command.
"""

from collections.abc import Iterable
from datetime import datetime

from patchmode.model.machine import Machine
from patchmode.rules.memberships import ScheduleIndex
from patchmode.workflow.ports import Azure
from patchmode.workflow.schedules import read_schedules


async def look_up(azure: Azure, machines: Iterable[Machine], *, now: datetime) -> ScheduleIndex:
    """Read what reaches the machines' subscriptions.

    Args:
        azure: a connection; reading is enough.
        machines: in any order; empty: nothing is read.
        now: aware; windows from then on are coming.

    Returns:
        An index that knows, and whose book's notes say, what could not be looked up. It never fails for that.
    """
    read = tuple(machines)
    subscriptions = {machine.id.subscription_id for machine in read}
    return ScheduleIndex(await read_schedules(azure, subscriptions), now=now, machines=read)
