"""The schedules of some machines, read once and indexed for the rules.

Must not: decide. Called by audit, plan and explain, once a command.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from patchmode.errors import RequestError
from patchmode.model.machine import Machine
from patchmode.model.schedule import ScheduleBook
from patchmode.rules.memberships import LONGEST_WAIT, ScheduleIndex
from patchmode.rules.moved_machines import LeftBehind, left_behind
from patchmode.workflow.ports import Azure, GraphScope
from patchmode.workflow.schedules import read_schedules


async def look_up(
    azure: Azure, machines: Iterable[Machine], *, now: datetime, longest_wait: timedelta = LONGEST_WAIT
) -> ScheduleIndex:
    """Read what reaches the machines' subscriptions.

    Args:
        azure: a connection; reading is enough.
        machines: in any order; empty: nothing is read.
        now: aware; windows from then on are coming.
        longest_wait: a next window that is farther away is told.

    Returns:
        An index that knows, and whose book's notes say, what could not be looked up. It never fails for that.
    """
    read = tuple(machines)
    subscriptions = {machine.id.subscription_id for machine in read}
    book = await read_schedules(azure, subscriptions)
    left = await _left_behind(azure, read, book)
    return ScheduleIndex(book, now=now, machines=read, left_behind=left, longest_wait=longest_wait)


async def _left_behind(azure: Azure, machines: Sequence[Machine], book: ScheduleBook) -> LeftBehind:
    """Machines that were perhaps moved; what stands outside the scope is asked for by its id, and only such."""
    suspects = left_behind(machines, book.assignments)
    places = {entry.machine for left in suspects.values() for entry in left}
    if not places:
        return suspects
    scope = GraphScope(tuple(sorted({place.subscription_id for place in places})))
    try:
        pages = azure.graph.machines(scope, ids=sorted(map(str, places)))
        standing = {machine.id async for page in pages for machine in page if isinstance(machine, Machine)}
    except RequestError:
        return {}  # A hint only: whoever cannot look there says nothing of it.
    return left_behind(machines, book.assignments, standing=standing)
