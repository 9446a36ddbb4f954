"""Changes on their way to becoming runs: machines chosen, settings chosen, planned and looked at.

They live in this console's memory only; what is carried out is a plan file and a journal like any other.

Must not: send anything to Azure but reads.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from patchmode.console.background import Loading, Reader
from patchmode.console.rooms import Rooms
from patchmode.errors import EmptyScopeError, UsageError
from patchmode.model.plan import Plan, WantedSettings
from patchmode.model.scope import Scope
from patchmode.reports.diagnosis import access_lines
from patchmode.reports.paint import Paint
from patchmode.version import __version__
from patchmode.workflow.access import check_plan_access
from patchmode.workflow.applying import check_applicable
from patchmode.workflow.planning import make_plan
from patchmode.workflow.ports import Azure
from patchmode.workflow.rollback import make_rollback_plan

KEPT = 10
"""So many are kept; a plan holds each machine's document, and nobody looks at eleven."""


@dataclass(slots=True)
class Draft:
    """One change that has not been carried out."""

    id: str
    machines: tuple[str, ...] = ()
    """Ids, as they were chosen; empty: a rollback, which names its run."""
    rollback_of: str | None = None
    wanted: WantedSettings | None = None
    """None: not chosen yet, or a rollback."""
    planning: Loading[Plan] | None = None
    """None: nothing was planned yet."""
    notes: list[str] = field(default_factory=list)
    """What the planning remarked."""
    run: str | None = None
    """The run that carries it out; None: none does."""

    @property
    def plan(self) -> Plan | None:
        """The plan, where it stands."""
        return None if self.planning is None or self.planning.is_busy else self.planning.value


class Changes:
    """The drafts of one console, the oldest dropped first."""

    def __init__(self, rooms: Rooms, reader: Reader) -> None:
        self._rooms = rooms
        self._reader = reader
        self._drafts: dict[str, Draft] = {}

    def get(self, draft_id: str) -> Draft:
        """A draft.

        Raises:
            EmptyScopeError: there is none of that id any more.
        """
        draft = self._drafts.get(draft_id)
        if draft is None:
            raise EmptyScopeError(
                "This change is not kept any more: the console was started anew, or newer ones took its place.",
                advice="Choose the machines again under Fleet. What was carried out stands under Runs.",
            )
        return draft

    def choose(self, machines: Sequence[str]) -> Draft:
        """Begin a change of some machines.

        Raises:
            UsageError: none was chosen.
        """
        if not machines:
            raise UsageError("No machine was chosen.", advice="Tick machines in the table, or take all that it found.")
        return self._keep(Draft(_new_id(), machines=tuple(machines)))

    def plan(self, draft: Draft, wanted: WantedSettings) -> None:
        """Begin to plan the wanted settings for a draft's machines."""

        async def work(azure: Azure) -> Plan:
            plan = await make_plan(
                azure,
                Scope(ids=draft.machines),
                wanted,
                clock=self._rooms.clock,
                tool_version=__version__,
                remark=draft.notes.append,
            )
            draft.notes += await _access_notes(azure, plan)
            return plan

        draft.wanted = wanted
        draft.notes.clear()
        draft.planning = Loading(lambda: self._reader.run(work), self._rooms.clock)
        draft.planning.refresh()

    def plan_rollback(self, run: str, *, allow_azure_managed: bool) -> Draft:
        """Begin to plan the way back from a run."""
        draft = self._keep(Draft(_new_id(), rollback_of=run))

        async def work(azure: Azure) -> Plan:
            # Held while it is planned from: a run that is carried out has not changed yet what it will change.
            journal = self._rooms.runs.open(run, for_writing=True)
            try:
                check_applicable(journal.plan, azure, is_new=False)
                plan = await make_rollback_plan(
                    azure,
                    journal,
                    allow_azure_managed=allow_azure_managed,
                    clock=self._rooms.clock,
                    tool_version=__version__,
                    remark=draft.notes.append,
                )
                draft.notes += await _access_notes(azure, plan)
                return plan
            finally:
                journal.release()

        draft.planning = Loading(lambda: self._reader.run(work), self._rooms.clock)
        draft.planning.refresh()
        return draft

    def _keep(self, draft: Draft) -> Draft:
        while len(self._drafts) >= KEPT:
            del self._drafts[next(iter(self._drafts))]
        self._drafts[draft.id] = draft
        return draft


async def _access_notes(azure: Azure, plan: Plan) -> list[str]:
    """What of a plan may not be done, and what grants it, one text a line; nothing where everything may."""
    check = await check_plan_access(azure, plan)
    principals = await azure.authorization.principals()
    return [line.strip() for line in access_lines(check, principals, paint=Paint())]


def _new_id() -> str:
    return secrets.token_urlsafe(9)
