"""`schedule list`, `show`, `next` and `check`: what is read once, looked at from four sides.

Must not: write.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import chain

from patchmode.errors import RequestError, UsageError
from patchmode.model.finding import Severity
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import MachineRun, MaintenanceConfiguration
from patchmode.model.schedule_view import (
    Calendar,
    CalendarEntry,
    CheckReport,
    FailedMember,
    LastRun,
    Member,
    ScheduleDetail,
    ScheduleFinding,
    ScheduleList,
    ScheduleView,
)
from patchmode.model.scope import Scope
from patchmode.rules.memberships import LONGEST_WAIT
from patchmode.rules.recurrence import windows_between
from patchmode.rules.run_remedies import WORDS
from patchmode.rules.schedule_findings import book_findings, overlap_findings, view_findings
from patchmode.rules.schedule_limits import configuration_limits, limits_of, place_limits
from patchmode.rules.upcoming import upcoming
from patchmode.workflow.ports import Azure, Clock, GraphScope
from patchmode.workflow.run_records import unread_records
from patchmode.workflow.schedule_reading import EVERYTHING, Estate, find_configuration, read_estate, views_of
from patchmode.workflow.scoping import resolve
from patchmode.workflow.unread import Unread, parted

KEPT = timedelta(days=30)
"""Source: Microsoft's article on query logs: runs stay in Resource Graph for 30 days."""
WINDOWS_SHOWN = 5
_RANK = {Severity.BLOCKS: 0, Severity.WARNS: 1, Severity.NOTES: 2}


async def list_schedules(azure: Azure, *, clock: Clock, subscriptions: Sequence[str] = ()) -> ScheduleList:
    """Every guest-patching configuration that can be seen, with members and what is wrong.

    Args:
        azure: a connection; reading is enough.
        clock: for the next windows.
        subscriptions: ids or display names of those whose configurations are listed; empty: all. Members count from
            wherever they stand.

    Raises:
        UsageError: a name that no subscription has. RequestError: Resource Graph does not answer.
    """
    wanted = await _subscription_ids(azure, subscriptions)
    return _listed(azure, await read_estate(azure, clock=clock), wanted)


async def overview(azure: Azure, *, clock: Clock, days: int) -> tuple[ScheduleList, Calendar]:
    """`list_schedules` and `next_windows` of everything, from one reading.

    Raises:
        RequestError: Resource Graph does not answer.
    """
    estate = await read_estate(azure, clock=clock)
    return _listed(azure, estate, None), _calendar(azure, estate, days, None)


def _listed(azure: Azure, estate: Estate, wanted: frozenset[str] | None) -> ScheduleList:
    chosen = [one for one in estate.guest if wanted is None or one.id.subscription_id in wanted]
    return ScheduleList(
        azure.target,
        _judged(estate, chosen, azure.target.cloud),
        estate.now,
        estate.other_scopes,
        estate.notes,
    )


async def show_schedule(azure: Azure, text: str, *, clock: Clock) -> ScheduleDetail:
    """One configuration in full, compared with its last recorded run.

    Args:
        azure: a connection; reading is enough.
        text: its id, name, or `group/name`.
        clock: for the next windows.

    Raises:
        UsageError: there is none, or several. RequestError: Resource Graph does not answer.
    """
    estate = await read_estate(azure, clock=clock)
    configuration = find_configuration(text, estate.book)
    (view,) = _judged(estate, [configuration], azure.target.cloud)
    windows = upcoming(configuration.window, after=estate.now, count=WINDOWS_SHOWN)
    last, notes = await _last_run(azure, view, estate)
    return ScheduleDetail(azure.target, view, estate.now, windows, last, (*estate.notes, *notes))


async def next_windows(azure: Azure, *, clock: Clock, days: int, scope: Scope | None = None) -> Calendar:
    """A calendar of coming windows.

    Args:
        azure: a connection; reading is enough.
        clock: the calendar begins at its time.
        days: how far it goes, > 0.
        scope: the machines to count; configurations that reach none of them are left out. None: all machines, and every
            configuration.

    Raises:
        UsageError, EmptyScopeError, RequestError: as `inventory.take_inventory`.
    """
    return _calendar(azure, await read_estate(azure, clock=clock, scope=scope or EVERYTHING), days, scope)


def _calendar(azure: Azure, estate: Estate, days: int, scope: Scope | None) -> Calendar:
    end = estate.now + timedelta(days=days)
    views = [view for view in views_of(estate) if view.members or scope is None]
    entries = [
        CalendarEntry(view.configuration, window, view.members)
        for view in views
        for window in windows_between(view.configuration.window, start=estate.now, end=end)
    ]
    return Calendar(
        azure.target,
        scope.describe() if scope else (),
        estate.now,
        end,
        tuple(sorted(entries, key=lambda entry: (entry.window.starts_at, entry.configuration.id.key))),
        tuple(view for view in views if view.next.window is None and view.members),
        estate.notes,
    )


async def check_schedules(
    azure: Azure, names: Sequence[str], *, clock: Clock, longest_wait: timedelta = LONGEST_WAIT
) -> CheckReport:
    """What is wrong with configurations, assignments, and members.

    Args:
        azure: a connection; reading is enough.
        names: configurations by id, name, or `group/name`; empty: all, and what concerns none of them alone.
        clock: for what is too close.
        longest_wait: a next window that is farther away is told.

    Raises:
        UsageError: a name that none has, or several. RequestError: Resource Graph does not answer.
    """
    estate = await read_estate(azure, clock=clock, longest_wait=longest_wait)
    chosen = [find_configuration(name, estate.book) for name in names] if names else list(estate.guest)
    views = _judged(estate, _each_once(chosen), azure.target.cloud)
    limits = limits_of(azure.target.cloud)
    found = list(chain.from_iterable(view.findings for view in views))
    everywhere = views if not names else views_of(estate)
    ids = {view.configuration.id for view in views}
    found += [one for one in overlap_findings(everywhere, estate.index) if not names or _concerns(one, ids)]
    if not names:
        rest = _orphans(estate)
        found += chain.from_iterable(rest[key] for key in rest.keys() - {one.key for one in ids})
        found += place_limits(estate.book.configurations, estate.book.dynamic_scopes, limits)
    ordered = sorted(found, key=lambda one: (_RANK[one.severity], one.rule, one.configuration or ""))
    return CheckReport(azure.target, estate.now, views, tuple(ordered), estate.notes, estate.unreadable)


def _judged(estate: Estate, wanted: Sequence[MaintenanceConfiguration], cloud: str) -> tuple[ScheduleView, ...]:
    """Configurations with their members and all that is wrong with each by itself: one count, for every command."""
    orphans, limits = _orphans(estate), limits_of(cloud)
    return tuple(
        replace(
            view,
            findings=(
                *view_findings(view, now=estate.now),
                *configuration_limits(view, limits),
                *orphans.get(view.configuration.id.key, ()),
            ),
        )
        for view in views_of(estate, wanted)
    )


def _orphans(estate: Estate) -> Mapping[str, Sequence[ScheduleFinding]]:
    """Assignments whose machine or configuration is not there, by the configuration's id in lower case."""
    machines = {machine.id: machine for machine in estate.machines}
    found: dict[str, list[ScheduleFinding]] = defaultdict(list)
    for one in book_findings(estate.book, machines, seen=estate.seen, locks=estate.locks):
        found[(one.configuration or "").casefold()].append(one)
    return found


def _concerns(finding: ScheduleFinding, ids: set[ResourceId]) -> bool:
    """Whether an overlap has one of these configurations in it."""
    told = f"{finding.configuration} {finding.evidence}".casefold().split()
    return any(one.key in told for one in ids)


def _each_once(found: Sequence[MaintenanceConfiguration]) -> list[MaintenanceConfiguration]:
    return list({one.id: one for one in found}.values())


async def _subscription_ids(azure: Azure, texts: Sequence[str]) -> frozenset[str] | None:
    """The subscriptions that are meant; None: all."""
    if not texts:
        return None
    selection = await resolve(azure, Scope(subscriptions=tuple(texts)))
    if selection.unreadable:
        first = selection.unreadable[0]
        raise UsageError(
            f"{first.id}: {first.reason}", advice="`patchmode doctor` lists the subscriptions you can see."
        )
    return frozenset(selection.subscriptions)


async def _last_run(azure: Azure, view: ScheduleView, estate: Estate) -> tuple[LastRun | None, tuple[str, ...]]:
    """The latest recorded run of a configuration, beside its members now."""
    rows: list[MachineRun] = []
    unread: Unread = {}
    try:
        async for page in azure.graph.machine_runs(GraphScope(), since=estate.now - KEPT):
            rows += [row for row in parted(page, unread) if row.configuration == view.configuration.id]
    except RequestError as error:
        return None, (f"Its past runs could not be read: {error.message}",)
    if not rows:
        return None, unread_records(unread)
    latest = max(rows, key=lambda row: (row.started_at is not None, row.started_at or estate.now))
    run = [row for row in rows if _same_run(row, latest)]
    members = {member.machine.id: member for member in view.members}
    took_part = {row.machine for row in run}
    certain = {identifier for identifier, member in members.items() if member.is_certain}
    return (
        LastRun(
            latest.correlation_id,
            min((row.started_at for row in run if row.started_at is not None), default=None),
            Counter(row.status for row in run),
            tuple(sorted(str(one) for one in certain - took_part)),
            tuple(sorted(str(one) for one in took_part - set(members))),
            tuple(_failed(row, members.get(row.machine)) for row in run if row.failure is not None),
        ),
        unread_records(unread),
    )


def _same_run(row: MachineRun, latest: MachineRun) -> bool:
    if latest.correlation_id is not None:
        return row.correlation_id == latest.correlation_id
    return row.started_at == latest.started_at


def _failed(row: MachineRun, member: Member | None) -> FailedMember:
    assert row.failure is not None  # noqa: S101 - the caller has asked
    return FailedMember(row.machine, row.failure, row.message, WORDS[row.failure], member.forecast if member else None)
