"""The records that Azure keeps of scheduled runs, each with its reason as far as one is recorded anywhere.

Must not: decide what a failure means; the rules do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from patchmode.errors import RequestError
from patchmode.model.schedule import Installation, MachineRun
from patchmode.rules.run_history import RETENTION, with_reasons
from patchmode.workflow.ports import Azure, GraphScope
from patchmode.workflow.unread import Unread, counted, parted


@dataclass(frozen=True, slots=True)
class History:
    """What Resource Graph keeps of scheduled runs."""

    runs: tuple[MachineRun, ...]
    """One for each machine and run, with its reason as far as one is recorded."""
    notes: tuple[str, ...] = ()


async def read_history(azure: Azure, subscriptions: Sequence[str], *, since: datetime) -> History:
    """Read what became of every machine in every scheduled run.

    Args:
        azure: a connection; reading is enough.
        subscriptions: whose machines; empty: none.
        since: aware; runs that began earlier are left out.

    Raises:
        RequestError: Resource Graph is refused or fails; runs have no other source.
    """
    if not subscriptions:
        return History(())
    scope = GraphScope(tuple(subscriptions))
    runs: list[MachineRun] = []
    unread: Unread = {}
    async for page in azure.graph.machine_runs(scope, since=since):
        runs += parted(page, unread)
    installations: list[Installation] = []
    notes: tuple[str, ...] = ()
    if any(run.failure is not None for run in runs):
        try:
            async for found in azure.graph.installations(scope, since=since):
                installations += parted(found, unread)
        except RequestError as error:
            notes = (f"What was installed could not be read, so some failures stand without a reason: {error.message}",)
    return History(with_reasons(runs, installations), (*notes, *unread_records(unread)))


def unread_records(unread: Unread) -> tuple[str, ...]:
    """The sentence about records of runs that could not be read; none where all could be."""
    return counted(unread, "runs", "what became of a machine may be missing here")


def retention_note(since: datetime, now: datetime) -> tuple[str, ...]:
    """What to say where somebody asks for more than Azure keeps; empty: nothing."""
    if since >= now - RETENTION:
        return ()
    text = (
        f"Azure keeps the record of runs for {RETENTION.days} days: "
        f"of what happened before {now - RETENTION:%Y-%m-%d} nothing is known."
    )
    return (text,)
