"""The machines that named maintenance configurations reach, now.

Must not: read machines; whoever has read them asks `Reached.judge` about each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from patchmode.errors import RejectedError, RequestError, UsageError
from patchmode.model.machine import Machine
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ScheduleBook
from patchmode.rules.memberships import ScheduleIndex
from patchmode.workflow.configurations import checked, named_configuration, nearest, raise_if_named_only
from patchmode.workflow.ports import Azure, GraphScope
from patchmode.workflow.schedules import read_schedules

_DOUBT_RULE = "membership-in-doubt"


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
            doubt = doubt or Membership(is_certain=False, rule=hit.doubt_rule or _DOUBT_RULE, reason=reason)
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
                f"There is no maintenance configuration {wanted}.{still}",
                advice=nearest(wanted.name, book.configurations),
            ) from error
        if not attached:
            raise UsageError(f"--schedule: {wanted} could not be read: {error.message}", advice=error.advice) from error
        notes.append(f"{wanted.name} itself could not be read, only what attaches it: {error.message}")
        return book, wanted
    except RequestError as error:
        if not attached:
            raise
        notes.append(f"{wanted.name} itself could not be read, only what attaches it: {error.message}")
        return book, wanted
    return replace(book, configurations=(*book.configurations, read)), read.id
