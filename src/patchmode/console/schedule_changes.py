"""Changes of schedules on their way: previewed, shown on their page, carried out there, and undone by another.

What is previewed and what is sent is decided where `patchmode schedule` has it decided, too. As there they keep no
journal: each write is safe to repeat, and what is already as wanted is not sent again.

Must not: carry out what nobody has seen.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from patchmode.console.background import Loading, Reader
from patchmode.console.operation import ScheduleOperation
from patchmode.console.rooms import Rooms
from patchmode.console.run_groups import Group, Section, schedule_groups
from patchmode.console.words import Word
from patchmode.errors import EmptyScopeError, RefusedError
from patchmode.model.access import Principals
from patchmode.model.left_alone import Skipped
from patchmode.model.report import CreateReport, ScheduleWish
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    AttachAction,
    AttachEnd,
    AttachReport,
    AttachResult,
    DynamicScope,
    RunForecast,
)
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure
from patchmode.reports.text.attachments import ATTACH_WORDS, LAST_SCHEDULE, property_leaves
from patchmode.reports.text.doctor import access_lines
from patchmode.reports.text.layout import Paint
from patchmode.workflow.schedules.attach_many import Preview, carry_out, preview_attach, preview_detach
from patchmode.workflow.schedules.creating import ConfigurationDraft, create, draft
from patchmode.workflow.schedules.dynamic_scopes import (
    ScopePreview,
    carry_out_scope,
    preview_attach_scope,
    preview_detach_scope,
)

KEPT = 10
"""So many are kept; each holds a preview."""
Previewed = Preview | ScopePreview | ConfigurationDraft
Look = Callable[[Azure, bool], Awaitable[Previewed]]
"""Previews a change; the flag: also where Azure would then patch machines at a time it chooses."""


@dataclass(slots=True)
class ScheduleDraft:
    """One change of a schedule."""

    id: str
    title: str
    look: Look
    back: str
    """Where it was begun: an address of this console."""
    form: Mapping[str, str]
    """What was filled in; empty: it was begun without a form."""
    reading: Loading[Previewed]
    is_azure_managed_allowed: bool = False
    operation: ScheduleOperation | None = None
    """That carries it out; None: none does."""

    @property
    def change(self) -> str:
        """The change of machines that goes on with the schedule that this one creates; empty: none."""
        return self.form.get("change", "")

    @property
    def report(self) -> AttachReport | CreateReport | None:
        """How it ended; None: it has not, or not as it should."""
        return None if self.operation is None else self.operation.report


class ScheduleChanges:
    """The changes of schedules of one console, the oldest dropped first."""

    def __init__(self, rooms: Rooms, reader: Reader) -> None:
        self._rooms = rooms
        self._reader = reader
        self._drafts: dict[str, ScheduleDraft] = {}

    def get(self, draft_id: str) -> ScheduleDraft:
        """One of them.

        Raises:
            EmptyScopeError: there is none of that id any more.
        """
        found = self._drafts.get(draft_id)
        if found is None:
            raise EmptyScopeError(
                "This change of a schedule is no longer kept: the console was restarted, or newer ones replaced it.",
                advice="Begin it again under Schedules. What was done is done, and is not sent twice.",
            )
        return found

    def machines(self, action: AttachAction, schedule: str, machines: Sequence[str], *, back: str) -> ScheduleDraft:
        """Begin to attach a schedule to machines as they are, or to detach it from them.

        Args:
            action: which of the two.
            schedule: its id.
            machines: their ids.
            back: where it was begun.
        """
        scope, clock = Scope(ids=tuple(machines)), self._rooms.clock

        async def look(azure: Azure, allow: bool) -> Previewed:
            if action is AttachAction.ATTACH:
                return await preview_attach(azure, schedule, scope, clock=clock)
            return await preview_detach(azure, schedule, scope, clock=clock, allow_azure_managed=allow)

        return self._begin(f"{_VERBS[action]} {_name(schedule)}", look, back)

    def scope(
        self,
        action: AttachAction,
        wanted: DynamicScope,
        *,
        form: Mapping[str, str] | None = None,
        back: str = "/schedules",
        replace: bool = False,
    ) -> ScheduleDraft:
        """Begin to attach a schedule to a dynamic scope, or to detach it.

        Args:
            action: which of the two.
            wanted: to detach, only its place, name and configuration are looked at.
            form: that described it; None: no form did.
            back: where it was begun without one.
            replace: whether one of that name that differs may be written over.
        """
        schedule, clock = str(wanted.configuration), self._rooms.clock

        async def look(azure: Azure, allow: bool) -> Previewed:
            if action is AttachAction.ATTACH:
                return await preview_attach_scope(azure, schedule, wanted, replace=replace, clock=clock)
            return await preview_detach_scope(azure, schedule, wanted, clock=clock, allow_azure_managed=allow)

        title = f"{_VERBS[action]} {wanted.configuration.name}: dynamic scope {wanted.name}"
        return self._begin(title, look, "/schedules/scope" if form else back, form)

    def creation(self, wish: ScheduleWish, form: Mapping[str, str]) -> ScheduleDraft:
        """Begin to create a schedule; none is written over.

        Args:
            wish: the schedule.
            form: that described it.
        """

        async def look(azure: Azure, _: bool) -> Previewed:
            return await draft(azure, wish, replace=False, clock=self._rooms.clock)

        return self._begin(f"Create {wish.id.name}", look, "/schedules/new", form)

    def look_again(self, found: ScheduleDraft, *, allow_azure_managed: bool) -> None:
        """Preview it anew; what was carried out stays as it is."""
        if found.operation is None:
            found.is_azure_managed_allowed = allow_azure_managed
            found.reading.value = None
            found.reading.refresh()

    def may_undo(self, found: ScheduleDraft) -> bool:
        """Whether anything of it was done that can be undone here."""
        report = found.report
        return isinstance(report, AttachReport) and any(one.result is _DONE[report.action] for one in report.results)

    def undo(self, found: ScheduleDraft) -> ScheduleDraft:
        """Begin the change that undoes one; it is previewed and confirmed like any other.

        Raises:
            RefusedError: nothing of it was done, or it cannot be undone here.
        """
        preview, report = found.reading.value, found.report
        back = f"/schedules/changes/{found.id}"
        if isinstance(report, AttachReport):
            done = [one.id for one in report.results if one.result is _DONE[report.action]]
            if done and isinstance(preview, Preview):
                return self.machines(_OPPOSITE[report.action], str(report.configuration), done, back=back)
            if done and isinstance(preview, ScopePreview):
                before = preview.standing
                if before is None:
                    return self.scope(AttachAction.DETACH, preview.scope, back=back)
                return self.scope(AttachAction.ATTACH, before, back=back, replace=report.action is AttachAction.ATTACH)
        raise RefusedError("There is nothing of it to undo.", advice="Its page says what was done.")

    def _begin(self, title: str, look: Look, back: str, form: Mapping[str, str] | None = None) -> ScheduleDraft:
        while len(self._drafts) >= KEPT:
            del self._drafts[next(iter(self._drafts))]

        async def read() -> Previewed:
            return await self._reader.run(partial(_looked, begun))

        own = secrets.token_urlsafe(9)
        where = f"{back}?from={own}" if form else back
        begun = ScheduleDraft(own, title, look, where, form or {}, Loading(read, self._rooms.clock))
        self._drafts[begun.id] = begun
        begun.reading.refresh()
        return begun


async def _looked(begun: ScheduleDraft, azure: Azure) -> Previewed:
    return await begun.look(azure, begun.is_azure_managed_allowed)


async def carried_out(
    previewed: Previewed,
    rooms: Rooms,
    azure: Azure,
    stop: asyncio.Event,
    progressed: Callable[[AttachResult], None],
) -> AttachReport | CreateReport:
    """Do what was previewed, each machine looked at anew, and read it back.

    Raises:
        PatchmodeError: as the workflow's `carry_out`, `carry_out_scope` and `create`.
    """
    if isinstance(previewed, Preview):
        return await carry_out(azure, previewed, name=None, clock=rooms.clock, stop=stop, progressed=progressed)
    if isinstance(previewed, ScopePreview):
        return await carry_out_scope(azure, previewed, clock=rooms.clock)
    return await create(azure, previewed)


# ------------------------------------------------------------------------------------------------ as a page shows it


def writes(previewed: Previewed) -> bool:
    """Whether carrying it out would send anything."""
    if isinstance(previewed, Preview):
        return previewed.writes > 0
    if isinstance(previewed, ScopePreview):
        return not previewed.is_unchanged and previewed.obstacle is None
    return not previewed.is_unchanged


def count_to_type(previewed: Previewed) -> int | None:
    """The number of machines to type: those written to, or reached by the scope now. None: no machine has it yet."""
    if isinstance(previewed, Preview):
        return previewed.writes
    return len(previewed.members) if isinstance(previewed, ScopePreview) else None


def may_allow(previewed: Previewed) -> bool:
    """Whether some of a detach is refused only because Azure would then patch machines at a time it chooses."""
    if isinstance(previewed, Preview):
        return any(one.rule == LAST_SCHEDULE for one in previewed.refused)
    return isinstance(previewed, ScopePreview) and (
        previewed.obstacle is not None
        and previewed.obstacle.rule == LAST_SCHEDULE
        and previewed.action is AttachAction.DETACH
    )


def access_texts(preview: Preview, principals: Principals) -> Sequence[str]:
    """What whoever is signed in may not do, and what grants it, one text a line; empty: nothing of it."""
    return [line.strip() for line in access_lines(preview.access, principals, paint=Paint())]


def sent_leaves(drafted: ConfigurationDraft) -> Sequence[tuple[str, str]]:
    """What is sent of a new schedule, a path and its value each; empty: nothing is."""
    return () if drafted.is_unchanged else tuple(property_leaves(drafted.properties))


@dataclass(frozen=True, slots=True)
class MachinesPage:
    """A preview of machines, laid out."""

    written: Sequence[ResourceId]
    refused: Sequence[Group]
    skipped: Sequence[Skipped]


def machines_page(preview: Preview) -> MachinesPage:
    """Lay it out."""
    written = [*(one.id for one in preview.machines), *preview.gone]
    return MachinesPage(written, schedule_groups(preview.refused), preview.skipped)


@dataclass(frozen=True, slots=True)
class MemberGroup:
    """Members of a dynamic scope of whose next run the same is expected, for one reason."""

    forecast: RunForecast
    reason: str
    """Empty: they run, or the scope goes and what is expected of it says nothing."""
    machines: Sequence[ResourceId]


def member_groups(previewed: ScopePreview) -> Sequence[MemberGroup]:
    """The members of a dynamic scope by what is expected of their next run, and why; each member once."""
    found: dict[tuple[RunForecast, str], list[ResourceId]] = defaultdict(list)
    for one in previewed.members:
        if previewed.action is AttachAction.DETACH or one.result is RunForecast.RUNS:
            key = RunForecast.RUNS, ""
        else:
            key = one.result, one.hit.doubt or one.forecast.reason
        found[key].append(one.machine.id)
    order = list(RunForecast)
    groups = [MemberGroup(*key, machines) for key, machines in found.items()]
    return sorted(groups, key=lambda group: (order.index(group.forecast), -len(group.machines)))


def ended_sections(report: AttachReport) -> Sequence[Section]:
    """How an attach or detach of machines ended, the worst first."""
    order = sorted(AttachEnd, key=lambda end: ("bad", "warn", "good", "dim").index(ATTACH_WORDS[end][1]))
    tones = {"dim": "plain"}
    found = []
    for end in order:
        results = [one for one in report.results if one.result is end]
        if results:
            text, tone = ATTACH_WORDS[end]
            word = Word(text[:1].upper() + text[1:], tones.get(tone, tone))
            found.append(Section(end.value, word, schedule_groups(results, dynamic=report.dynamic)))
    return found


def _name(schedule: str) -> str:
    return schedule.rstrip("/").rpartition("/")[2]


_VERBS = {AttachAction.ATTACH: "Attach", AttachAction.DETACH: "Detach"}
_DONE = {AttachAction.ATTACH: AttachEnd.ATTACHED, AttachAction.DETACH: AttachEnd.DETACHED}
_OPPOSITE = {AttachAction.ATTACH: AttachAction.DETACH, AttachAction.DETACH: AttachAction.ATTACH}
