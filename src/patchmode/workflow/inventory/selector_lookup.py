"""Machines that schedules and failed runs name, looked up in Resource Graph; those of pasted text are added."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from patchmode.errors import NotSentError, RejectedError, RequestError, UsageError
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import Orchestration
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import FailureKind, MachineRun, ScheduleBook
from patchmode.model.scope import Scope, Since
from patchmode.ports.azure import Azure, GraphScope
from patchmode.rules.schedules.dynamic_scope import UNKNOWN_FILTER_MEMBER
from patchmode.rules.schedules.history import last_ended
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.workflow.inventory.bulk_reading import parted
from patchmode.workflow.inventory.scoping import KINDS, Selection
from patchmode.workflow.inventory.text_lookup import look_up_texts
from patchmode.workflow.schedules.reading import (
    checked,
    named_configuration,
    near_schedule,
    raise_if_named_only,
    read_history,
    read_schedules,
    retention_note,
)


@dataclass(frozen=True, slots=True)
class Membership:
    """A machine's membership."""

    is_certain: bool
    rule: str = ""
    """The rule of the doubt."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """What some configurations reach."""

    configurations: tuple[ResourceId, ...]
    index: ScheduleIndex
    assigned: tuple[ResourceId, ...]
    """Machines with a static assignment, whether or not they exist."""
    places: frozenset[str]
    """Subscriptions, lower case, that can hold members."""
    notes: tuple[str, ...] = ()

    def narrowed(self, takes: Callable[[str], bool]) -> "Reached":
        """The same without what stands in subscriptions that `takes` does not take."""
        assigned = tuple(entry for entry in self.assigned if takes(entry.subscription_id))
        return replace(self, assigned=assigned, places=frozenset(filter(takes, self.places)))

    def judge(self, machine: Machine) -> Membership | None:
        """Whether a machine is a member of any of the configurations; None: of none."""
        doubt: Membership | None = None
        for configuration in self.configurations:
            hit = self.index.hits_of(configuration, machine)
            if hit is None:
                continue
            if hit.doubt is None:
                return Membership(is_certain=True)
            reason = f"It is not certain that {configuration.name} reaches it: {hit.doubt}"
            doubt = doubt or Membership(
                is_certain=False, rule=hit.doubt_rule or UNKNOWN_FILTER_MEMBER.id, reason=reason
            )
        return doubt


async def reached_by(azure: Azure, schedules: Sequence[str], readable: Sequence[str], *, now: datetime) -> Reached:
    """Find configurations by id or name, and what attaches them.

    Args:
        azure: a connection; reading is enough.
        schedules: ids, or names that exactly one visible configuration has.
        readable: the subscriptions to look in, lower case.
        now: aware.

    Raises:
        UsageError: a configuration is unknown, not unique, or of another maintenance scope.
        RequestError: schedules cannot be read at all.
    """
    book = await read_schedules(azure, readable)
    if readable and book == ScheduleBook(notes=book.notes):
        await _raise_what_hides(azure, readable)
    found: dict[ResourceId, None] = {}
    notes: list[str] = []
    for text in schedules:
        book, configuration_id = await _find(azure, text, book, notes)
        found.setdefault(configuration_id)
    assigned = dict.fromkeys(entry.machine for entry in book.assignments if entry.configuration in found)
    places = {entry.subscription_id for entry in assigned}
    places |= {entry.subscription_id for entry in book.dynamic_scopes if entry.configuration in found}
    return Reached(
        configurations=tuple(found),
        index=ScheduleIndex(book, now=now),
        assigned=tuple(assigned),
        places=frozenset(places),
        notes=(*book.notes, *notes),
    )


async def _raise_what_hides(azure: Azure, readable: Sequence[str]) -> None:
    """Where nothing at all was read, ask again, so that a refusal is not taken for an empty answer."""
    async for _ in azure.graph.configuration_assignments(GraphScope(tuple(readable))):
        return


async def _find(azure: Azure, text: str, book: ScheduleBook, notes: list[str]) -> tuple[ScheduleBook, ResourceId]:
    is_id = text.startswith("/")
    if not is_id and not any(entry.name.casefold() == text.casefold() for entry in book.configurations):
        raise_if_named_only(text, book)
    wanted = named_configuration(text, book.configurations)
    if any(entry.id == wanted for entry in book.configurations):
        return book, wanted
    attached = sum(entry.configuration == wanted for entry in book.assignments)
    attached += sum(entry.configuration == wanted for entry in book.dynamic_scopes)
    return await _from_provider(azure, wanted, book, attached, notes)


async def _from_provider(
    azure: Azure, wanted: ResourceId, book: ScheduleBook, attached: int, notes: list[str]
) -> tuple[ScheduleBook, ResourceId]:
    """A configuration that Resource Graph does not show: too new, out of sight, or not there."""
    try:
        read = checked(await azure.maintenance.configuration(wanted))
    except RejectedError as error:
        if error.status == 404:
            still = f" {attached:,} assignments still name it (configuration-missing)." if attached else ""
            raise UsageError(
                f"There is not a maintenance configuration {wanted}.{still}",
                advice=near_schedule(wanted.name, book.configurations, place=wanted.subscription_id),
            ) from error
        if not attached:
            raise UsageError(f"--schedule: {wanted} could not be read: {error.message}", advice=error.advice) from error
        notes.append(f"{wanted.name} itself could not be read, only its assignments: {error.message}")
        return book, wanted
    except RequestError as error:
        if not attached:
            raise
        notes.append(f"{wanted.name} itself could not be read, only its assignments: {error.message}")
        return book, wanted
    return replace(book, configurations=(*book.configurations, read)), read.id


_AT_ONCE = 8
_NAMES_SHOWN = 5


@dataclass(slots=True)
class SelectorMatches:
    """What was pointed at, as far as it could be looked up."""

    machines: dict[ResourceId, Machine] = field(default_factory=dict)
    named: dict[ResourceId, None] = field(default_factory=dict)
    """Ids in pasted text: read from the provider, as ids on the command line are."""
    doubtful: dict[ResourceId, tuple[Machine, Skipped]] = field(default_factory=dict)
    """Machines that perhaps belong to a schedule."""
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    by_text: dict[str, tuple[ResourceId, ...]] = field(default_factory=dict)
    """Option and file of each pasted text → its machines."""


async def look_up_selectors(azure: Azure, scope: Scope, selection: Selection, *, now: datetime) -> SelectorMatches:
    """Look up what a scope's schedules, failures and logs point at.

    Args:
        azure: a connection; reading is enough.
        scope: only those three selectors and the shard are looked at.
        selection: the other selectors, resolved. All visible subscriptions are looked through, with a shard the others'
            too: whether a name is unique must not depend on who asks.
        now: aware; what `7d` counts from.

    Raises:
        UsageError: a schedule that is unknown, not unique, or patches no guests; a machine's name that is not unique.
        RequestError: Resource Graph is refused or fails: schedules and run records have no other source.
    """
    pointed = SelectorMatches()
    readable = selection.visible
    reached = [await reached_by(azure, scope.schedules, readable, now=now)] if scope.schedules else []
    failed = None if scope.failed_since is None else await _failed(azure, scope.failed_since, readable, now, pointed)
    if scope.shard is not None:
        reached = [entry.narrowed(scope.takes) for entry in reached]
        failed = failed and [run for run in failed if scope.takes(run.machine.subscription_id)]
    places = {place for entry in reached for place in entry.places}
    places |= {run.machine.subscription_id for run in failed or ()}
    seen = await _survey(azure, places & set(readable), pointed)
    for entry in reached:
        await _take_reached(azure, entry, seen, pointed)
    if failed is not None and scope.failed_since is not None:
        await _take_failed(azure, failed, seen, pointed, since=scope.failed_since)
    texts = await look_up_texts(azure, scope, selection)
    pointed.named.update(dict.fromkeys(texts.machines))
    pointed.unreadable.update(texts.unreadable)
    pointed.notes += texts.notes
    pointed.by_text = texts.by_text
    if scope.shard is not None:
        pointed.machines = {one: found for one, found in pointed.machines.items() if scope.takes(one.subscription_id)}
        pointed.named = {one: None for one in pointed.named if scope.takes(one.subscription_id)}
        pointed.doubtful = {one: found for one, found in pointed.doubtful.items() if scope.takes(one.subscription_id)}
    return pointed


async def _survey(azure: Azure, subscriptions: Collection[str], pointed: SelectorMatches) -> dict[ResourceId, Machine]:
    """Every machine of some subscriptions as Resource Graph shows it; a row that names none may be one of them."""
    seen: dict[ResourceId, Machine] = {}
    if subscriptions:
        async for page in azure.graph.machines(GraphScope(tuple(sorted(subscriptions)))):
            seen.update((machine.id, machine) for machine in parted(page, pointed.unreadable))
    return seen


async def _ask_singly(azure: Azure, ids: Iterable[ResourceId], pointed: SelectorMatches) -> list[ResourceId]:
    """Take from the provider what Resource Graph does not show.

    Returns:
        The ids of machines that do not exist.
    """
    slots = asyncio.Semaphore(_AT_ONCE)
    gone: list[ResourceId] = []

    async def ask(machine_id: ResourceId) -> None:
        try:
            async with slots:
                pointed.machines[machine_id] = await azure.provider.get(machine_id, KINDS[machine_id.full_type])
        except NotSentError:
            raise
        except RejectedError as error:
            if error.status == 404:
                gone.append(machine_id)
            else:
                pointed.unreadable[str(machine_id)] = Unreadable(str(machine_id), error.message)
        except RequestError as error:
            pointed.unreadable[str(machine_id)] = Unreadable(str(machine_id), error.message)

    await asyncio.gather(*(ask(entry) for entry in ids if entry.full_type in KINDS))
    return sorted(gone)


# ------------------------------------------------------------------------------------------------ schedules


async def _take_reached(
    azure: Azure, reached: Reached, seen: Mapping[ResourceId, Machine], pointed: SelectorMatches
) -> None:
    pointed.notes += reached.notes
    assigned = [entry for entry in reached.assigned if entry not in seen]
    for machine in seen.values():
        doubt = reached.judge(machine)
        if doubt is None:
            continue
        if doubt.is_certain:
            pointed.machines[machine.id] = machine
        else:
            pointed.doubtful.setdefault(machine.id, (machine, Skipped(machine.id, doubt.rule, doubt.reason)))
    gone = await _ask_singly(azure, assigned, pointed)
    if gone:
        count = (
            "1 assignment names a machine that does"
            if len(gone) == 1
            else f"{len(gone):,} assignments name machines that do"
        )
        pointed.notes.append(f"{count} not exist (assignment-orphaned): {_some(gone)}.")


# ------------------------------------------------------------------------------------------------ failed runs


async def _failed(
    azure: Azure, since: Since, readable: Sequence[str], now: datetime, pointed: SelectorMatches
) -> list[MachineRun]:
    """Each machine's last run where it failed, for whatever reason."""
    history = await read_history(azure, readable, since=since.moment(now))
    pointed.notes += [*history.notes, *retention_note(since.moment(now), now)]
    return [run for run in last_ended(history.runs).values() if run.failure is not None]


async def _take_failed(
    azure: Azure,
    failed: Sequence[MachineRun],
    seen: Mapping[ResourceId, Machine],
    pointed: SelectorMatches,
    *,
    since: Since,
) -> None:
    certain = [run.machine for run in failed if run.failure is FailureKind.PREREQUISITE]
    silent = [run.machine for run in failed if run.failure is FailureKind.NOT_TOLD]
    others: Counter[FailureKind | None] = Counter(
        run.failure for run in failed if run.failure not in {FailureKind.PREREQUISITE, FailureKind.NOT_TOLD}
    )
    inferred = [entry for entry in silent if entry in seen and _is_unprepared(seen[entry])]
    for machine_id in (*certain, *inferred):
        if machine_id in seen:
            pointed.machines[machine_id] = seen[machine_id]
    gone = await _ask_singly(azure, [entry for entry in certain if entry not in seen], pointed)
    pointed.notes += _failure_notes(since, certain, gone, inferred, len(silent) - len(inferred), others)


def _is_unprepared(machine: Machine) -> bool:
    """Whether the prerequisite is not met as the machine was read; Arc servers need none."""
    if machine.kind is MachineKind.ARC:
        return False
    return machine.orchestration is not Orchestration.CUSTOMER_MANAGED_SCHEDULES


def _failure_notes(
    since: Since,
    certain: Sequence[ResourceId],
    gone: Sequence[ResourceId],
    inferred: Sequence[ResourceId],
    unexplained: int,
    others: Mapping[FailureKind | None, int],
) -> list[str]:
    notes = []
    if not certain and not inferred:
        notes.append(f"No machine's last scheduled run {since.words} failed on the prerequisite.")
    if inferred:
        who = "1 machine is" if len(inferred) == 1 else f"{len(inferred):,} machines are"
        notes.append(
            f"{who} selected because its last scheduled run failed, the record names no reason, and it is not prepared "
            f"now; that the prerequisite was the reason is inferred: {_some(inferred)}."
            if len(inferred) == 1
            else f"{who} selected because their last scheduled run failed, the record names no reason, and they are "
            f"not prepared now; that the prerequisite was the reason is inferred: {_some(inferred)}."
        )
    left = {str(kind): count for kind, count in others.items()}
    if unexplained:
        left["no reason recorded, and prepared now"] = unexplained
    if left:
        parts = ", ".join(f"{name} {count:,}" for name, count in sorted(left.items(), key=lambda item: -item[1]))
        notes.append(
            f"{sum(left.values()):,} more failed for other reasons and were not selected ({parts}); "
            "`patchmode schedule failures` shows them."
        )
    if gone:
        notes.append(f"{len(gone):,} that failed on the prerequisite no longer exist: {_some(gone)}.")
    return notes


def _some(ids: Sequence[ResourceId]) -> str:
    names = ", ".join(str(entry) for entry in ids[:_NAMES_SHOWN])
    return names + (f" and {len(ids) - _NAMES_SHOWN:,} more" if len(ids) > _NAMES_SHOWN else "")
