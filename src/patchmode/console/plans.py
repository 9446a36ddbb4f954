"""Changes on their way to becoming runs: machines and settings chosen, planned, and shown on their page."""

import re
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from patchmode.console.background import Loading, Reader
from patchmode.console.brakes import ChosenBrakes
from patchmode.console.fleet import Fleet
from patchmode.console.rooms import Rooms
from patchmode.errors import EmptyScopeError, UsageError
from patchmode.model.outcome import Headline, OutcomeKind
from patchmode.model.patch_settings import OperatingSystem, WantedSettings
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import Via
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure
from patchmode.reports.text.attachments import lasting_texts, turned_by_schedule
from patchmode.reports.text.doctor import access_lines
from patchmode.reports.text.layout import Paint, no_change_text
from patchmode.reports.text.left_alone import not_done_text
from patchmode.reports.text.next_steps import nobody_lines
from patchmode.reports.text.plan import LeafChange, sent_leaves
from patchmode.version import __version__
from patchmode.workflow.inventory.access import check_plan_access, nothing_allowed
from patchmode.workflow.inventory.inventory import take_inventory
from patchmode.workflow.inventory.planning import check_attachable, make_plan
from patchmode.workflow.run.applying import check_applicable
from patchmode.workflow.run.rollback import make_rollback_plan, renamed

_SHOWN = 5
"""Notes that are shown where nothing was found."""
KEPT = 10
"""So many are kept; a plan holds each machine's document, and nobody looks at eleven."""


@dataclass(frozen=True, slots=True)
class Found:
    """Machines that were looked up."""

    machines: Sequence[str]
    """Ids."""
    notes: Sequence[str]
    """What must be known of how they were found, and of those that were not: a sentence each."""


@dataclass(slots=True)
class ChangeDraft:
    """One change that has not been carried out."""

    id: str
    machines: tuple[str, ...] = ()
    """Ids, as they were chosen; empty: a rollback, which names its run."""
    rollback_of: str | None = None
    called: str = ""
    """How the machines were chosen, where it was not by hand."""
    looking: Loading[Found] | None = None
    """Looks its machines up; None: they were chosen by hand."""
    file: str = ""
    """The name of the plan file that was uploaded; empty: the plan is made here."""
    uploaded: Plan | None = None
    """As that file has it, which is what is applied; None: it was refused, or is still checked."""
    wanted: WantedSettings | None = None
    """None: not chosen yet, or a rollback."""
    attach: str = ""
    """The schedule that each machine gets afterwards: its id, or a name; empty: none."""
    brakes: ChosenBrakes | None = None
    """What holds it back; None: not chosen yet, so that what the form begins with is."""
    planning: Loading[Plan] | None = None
    """None: nothing was planned yet."""
    notes: list[str] = field(default_factory=list)
    """What the planning remarked."""
    refused: str = ""
    """Why Azure would refuse all of it, half a sentence; empty: it would not, as far as the roles are known."""
    run: str | None = None
    """The run that carries it out; None: none does."""

    @property
    def is_chosen(self) -> bool:
        """Whether its machines are known, or need not be."""
        return self.looking is None or self.looking.value is not None

    @property
    def plan(self) -> Plan | None:
        """The plan, where it stands."""
        return None if self.planning is None or self.planning.is_busy else self.planning.value


class Changes:
    """The drafts of one console, the oldest dropped first."""

    def __init__(self, rooms: Rooms, reader: Reader, scope: Scope) -> None:
        self._rooms = rooms
        self._scope = scope
        self._reader = reader
        self._drafts: dict[str, ChangeDraft] = {}

    def get(self, draft_id: str) -> ChangeDraft:
        """A draft.

        Raises:
            EmptyScopeError: there is none of that id any more.
        """
        draft = self._drafts.get(draft_id)
        if draft is None:
            raise EmptyScopeError(
                "This change is no longer kept: the console was restarted, or newer ones replaced it.",
                advice="Choose the machines again under Fleet. What was applied is under Runs.",
            )
        return draft

    def choose(self, machines: Sequence[str]) -> ChangeDraft:
        """Begin a change of some machines.

        Raises:
            UsageError: none was chosen.
        """
        if not machines:
            raise UsageError(
                "No machine was chosen.", advice="Tick machines in the table, or select all that match the filters."
            )
        return self._keep(ChangeDraft(_new_id(), machines=tuple(machines)))

    def look_up(self, scope: Scope, called: str, notes: Sequence[str] = ()) -> ChangeDraft:
        """Begin a change of machines that are looked up first; of those outside the console's own scope none is taken.

        Args:
            scope: selects them.
            called: what they are, for the page.
            notes: what is known of them already.
        """
        draft = self._keep(ChangeDraft(_new_id(), called=called))

        async def work(azure: Azure) -> Found:
            now, own = self._rooms.clock.now(), self._scope
            found = await take_inventory(azure, scope, documents=False, now=now)
            machines = [str(one.id) for one in found.machines]
            told = [*notes, *found.notes, *(f"Left out: {one.id}: {one.reason}." for one in found.skipped)]
            told += [f"Not read: {one.id}: {one.reason}." for one in found.unreadable]
            if not own.everything:
                shown = {one.id.key for one in (await take_inventory(azure, own, documents=False, now=now)).machines}
                outside = [one for one in machines if one.casefold() not in shown]
                machines = [one for one in machines if one.casefold() in shown]
                told += [f"Left out: {one}: it is not in the scope of this console." for one in outside]
            if not machines:
                raise EmptyScopeError(
                    " ".join(["No machine can be chosen.", *told[:_SHOWN]]),
                    advice="Choose machines otherwise.",
                )
            draft.machines = tuple(machines)
            return Found(machines, told)

        draft.looking = Loading(lambda: self._reader.run(work), self._rooms.clock)
        draft.looking.refresh()
        return draft

    def plan(self, draft: ChangeDraft, wanted: WantedSettings, brakes: ChosenBrakes, attach: str = "") -> None:
        """Begin to plan the wanted settings for a draft's machines.

        Args:
            draft: whose machines were chosen.
            wanted: at least one setting.
            brakes: what holds it back; the plan has its canaries and waves.
            attach: the schedule that each of them gets afterwards, by its id or a name that only one has; empty: none.
        """

        async def work(azure: Azure) -> Plan:
            plan = await make_plan(
                azure,
                Scope(ids=draft.machines),
                wanted,
                clock=self._rooms.clock,
                tool_version=__version__,
                remark=draft.notes.append,
                then_attach=attach or None,
                waves=brakes.waves,
                canary=brakes.canary,
            )
            await _look_at_access(azure, plan, draft)
            return plan

        draft.wanted, draft.attach, draft.brakes = wanted, attach, brakes
        draft.notes.clear()
        draft.planning = Loading(lambda: self._reader.run(work), self._rooms.clock)
        draft.planning.refresh()

    def plan_rollback(self, run: str, *, allow_azure_managed: bool) -> ChangeDraft:
        """Begin to plan the way back from a run."""
        draft = self._keep(ChangeDraft(_new_id(), rollback_of=run))

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
                await _look_at_access(azure, plan, draft)
                return plan
            finally:
                journal.release()

        draft.planning = Loading(lambda: self._reader.run(work), self._rooms.clock)
        draft.planning.refresh()
        return draft

    def upload(self, content: bytes, name: str) -> ChangeDraft:
        """Begin to check a plan file, as `patchmode apply FILE` does before it asks.

        Args:
            content: the whole file.
            name: as messages call it.
        """
        draft = self._keep(ChangeDraft(_new_id(), file=name))

        async def work(azure: Azure) -> Plan:
            plan = self._rooms.plan_from(content, name, draft.notes.append)
            self._rooms.runs.check_not_begun(plan)
            check_applicable(plan, azure, is_new=True)
            await check_attachable(azure, plan, clock=self._rooms.clock, remark=draft.notes.append)
            target = await renamed(azure, plan, remark=draft.notes.append)
            await _look_at_access(azure, plan, draft)
            draft.uploaded = plan
            # Shown with the names of now; what is applied is the plan of the file.
            return replace(plan, target=target)

        draft.planning = Loading(lambda: self._reader.run(work), self._rooms.clock)
        draft.planning.refresh()
        return draft

    def _keep(self, draft: ChangeDraft) -> ChangeDraft:
        while len(self._drafts) >= KEPT:
            del self._drafts[next(iter(self._drafts))]
        self._drafts[draft.id] = draft
        return draft


async def _look_at_access(azure: Azure, plan: Plan, draft: ChangeDraft) -> None:
    """Note what of a plan may not be done, and what grants it, one text a line; nothing where everything may."""
    check = await check_plan_access(azure, plan)
    principals = await azure.authorization.principals()
    draft.notes += [line.strip() for line in access_lines(check, principals, paint=Paint())]
    draft.refused = nothing_allowed(check)


def _new_id() -> str:
    return secrets.token_urlsafe(9)


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Machines to which the same happens."""

    os: OperatingSystem
    leaves: Sequence[LeafChange]
    outcome_before: str
    outcome_after: str
    machines: Sequence[ResourceId]
    irreversible: bool

    @property
    def is_for_nobody(self) -> bool:
        """Whether nobody patches its machines afterwards, for want of a schedule."""
        return self.outcome_after == OutcomeKind.PARKED


@dataclass(frozen=True, slots=True)
class Cause:
    """Machines with one reason."""

    rule: str
    reason: str
    fix: str | None
    machines: Sequence[ResourceId]


@dataclass(frozen=True, slots=True)
class Detached:
    """Machines that lose the same assignment."""

    configuration: ResourceId
    name: str
    machines: Sequence[ResourceId]


@dataclass(frozen=True, slots=True)
class Attached:
    """The schedule that a plan attaches, and to which machines."""

    configuration: ResourceId
    name: str
    """Of the assignment on each machine."""
    count: int
    compliant: Sequence[ResourceId]
    """Those whose settings are not changed."""
    turned: Mapping[tuple[OutcomeKind, OutcomeKind], int]
    """(before, after) → how many of these."""
    kept: Sequence[str]
    """Where locks keep it from being detached again, a sentence each."""
    there: Sequence[ResourceId]
    """By the fleet's reading they have it already, so that nothing is sent to attach it."""
    by_scope: Sequence[ResourceId]
    """By the fleet's reading a dynamic scope of this schedule reaches them already."""
    others: Mapping[ResourceId, Sequence[ResourceId]]
    """By the fleet's reading: another schedule → machines that it reaches, and still reaches afterwards."""


def attached_of(plan: Plan, fleet: Fleet | None) -> Attached | None:
    """What a plan attaches; None: nothing.

    Args:
        plan: any plan.
        fleet: for the schedules that reach its machines already; None: it has not been read.
    """
    wish = plan.then_attach
    if wish is None:
        return None
    machines = [*(one.id for one in plan.changes), *(one.id for one in plan.unchanged)]
    same: dict[str, list[ResourceId]] = defaultdict(list)
    others: dict[str, list[ResourceId]] = defaultdict(list)
    for machine in machines:
        row = fleet.row(str(machine)) if fleet is not None else None
        for note in row.schedules if row is not None else ():
            if note.id.casefold() == wish.configuration.key:
                same[note.via].append(machine)
            else:
                others[note.id].append(machine)
    return Attached(
        wish.configuration,
        wish.name,
        len(machines),
        [one.id for one in plan.unchanged],
        turned_by_schedule(plan),
        tuple(lasting_texts(plan)),
        same[Via.STATIC],
        same[Via.DYNAMIC],
        {ResourceId.parse(other): found for other, found in others.items()},
    )


@dataclass(frozen=True, slots=True)
class PlanPage:
    """A plan, laid out."""

    plan: Plan
    count: int
    """Machines that carrying it out touches: the number to type."""
    irreversible: Sequence[Cause]
    undone_when_allowed: Sequence[ResourceId]
    """A rollback restores them only where Azure's own patching is allowed by name."""
    groups: Sequence[ChangeGroup]
    """The largest first."""
    skipped: Sequence[Cause]
    headline: Sequence[tuple[str, int, int]]
    """(words, before, after)."""
    nothing: str
    """What to say where the plan has nothing to do."""
    detached: Sequence[Detached]
    """Before any setting is touched."""
    attached: Attached | None
    """Once a machine's settings were verified; None: no schedule."""
    not_done: str
    """What was asked for that the plan leaves undone, in words; empty: nothing."""
    nobody: Sequence[str]
    """What the plan leaves without a schedule, why, and how one is attached, one line each; empty: nothing."""


def make_page(plan: Plan, fleet: Fleet | None = None) -> PlanPage:
    """Lay a plan out.

    Args:
        plan: any plan.
        fleet: for the schedules that its machines have already; None: it has not been read.
    """
    lasting: dict[str, list[ResourceId]] = defaultdict(list)
    for change in plan.changes:
        if not change.reversible:
            lasting[change.irreversible_because or "Azure does not allow this change to be undone."].append(change.id)
    left: dict[tuple[str, str, str | None], list[ResourceId]] = defaultdict(list)
    for entry in plan.skipped:
        left[entry.rule, entry.reason, entry.fix].append(entry.id)
    return PlanPage(
        plan=plan,
        count=touched(plan),
        irreversible=_largest_first([Cause("", reason, None, ids) for reason, ids in lasting.items()]),
        undone_when_allowed=[one.id for one in plan.changes if one.reversible and one.ends_azure_managed],
        groups=_groups(plan.changes),
        skipped=_largest_first([Cause(*key, ids) for key, ids in left.items()]),
        headline=_headline(plan),
        nothing=no_change_text(blocked=len(plan.blocked), unreadable=len(plan.unreadable)),
        detached=_detached(plan),
        attached=attached_of(plan, fleet),
        not_done=not_done_text(plan.not_done, plan.blocked),
        nobody=[line.strip() for line in nobody_lines(plan, again=None, after_run=True, paint=Paint()) if line],
    )


def _detached(plan: Plan) -> Sequence[Detached]:
    found: dict[tuple[ResourceId, str], list[ResourceId]] = defaultdict(list)
    for one in plan.first_detach:
        found[one.configuration, one.name].append(one.id)
    return [Detached(*key, machines) for key, machines in found.items()]


def touched(plan: Plan) -> int:
    """How many machines carrying a plan out touches."""
    found = {one.id for one in plan.changes} | {one.id for one in plan.first_detach}
    if plan.then_attach is not None:
        found |= {one.id for one in plan.unchanged}
    return len(found)


def is_number(text: str, count: int) -> bool:
    """Whether somebody typed this number, with or without separators."""
    return text.replace(",", "").replace(" ", "") == str(count)


def mistyped(text: str, count: int) -> str:
    """What is told to whom has typed another one; an arbitrary text is not repeated."""
    told = f"You typed {text}" if re.fullmatch(r"[\d, ]{1,12}", text) else "That is not the number"
    return f"{told}; the number is {count:,}. Nothing was sent."


def _largest_first(causes: Sequence[Cause]) -> Sequence[Cause]:
    return sorted(causes, key=lambda cause: (-len(cause.machines), cause.rule, cause.reason))


def _groups(changes: Sequence[Change]) -> Sequence[ChangeGroup]:
    found: dict[tuple[object, ...], tuple[Sequence[LeafChange], list[Change]]] = {}
    for change in changes:
        leaves = sent_leaves(change)
        outcomes = change.outcome_before.kind, change.outcome_after.kind
        found.setdefault((change.os, tuple(leaves), outcomes, change.reversible), (leaves, []))[1].append(change)
    groups = [
        ChangeGroup(
            members[0].os,
            leaves,
            members[0].outcome_before.kind,
            members[0].outcome_after.kind,
            [one.id for one in members],
            not members[0].reversible,
        )
        for leaves, members in found.values()
    ]
    return sorted(groups, key=lambda group: -len(group.machines))


_HEADLINE: Mapping[str, str] = {
    "fails_at_next_window": "fail at their next window",
    "rebooted_by_azure": "rebooted by Azure without a window",
    "patched_by_nobody": "patched by nobody",
    "unknown": "not known",
}


def _headline(plan: Plan) -> Sequence[tuple[str, int, int]]:
    same = [entry.outcome for entry in plan.skipped if entry.outcome is not None]
    before = [*(one.outcome for one in plan.unchanged), *(change.outcome_before for change in plan.changes)]
    after = [one.outcome_after or one.outcome for one in plan.unchanged]
    after += [change.outcome_after for change in plan.changes]
    was, then = Headline.of((*same, *before)), Headline.of((*same, *after))
    return [(words, getattr(was, member), getattr(then, member)) for member, words in _HEADLINE.items()]
