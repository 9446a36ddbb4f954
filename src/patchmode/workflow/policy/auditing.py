"""Policy audit: the machines of a scope, and what Azure Policy's built-ins do about each.

Must not: write.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from patchmode.errors import NotSentError, RequestError
from patchmode.model.left_alone import Unreadable
from patchmode.model.machine import Machine
from patchmode.model.policy import (
    BuiltIn,
    PolicyAssignment,
    PolicyAudit,
    PolicyExemption,
    PolicyLook,
    PolicySet,
)
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ConfigurationAssignment
from patchmode.model.scope import Scope
from patchmode.ports.azure import Clock, GraphScope
from patchmode.ports.policy import PolicyAzure
from patchmode.rules.policy.coverage import Ground, judge, uses_of
from patchmode.rules.policy.selection import Prepared
from patchmode.workflow.inventory.bulk_reading import counted
from patchmode.workflow.inventory.inventory import take_inventory

_AT_ONCE = 16
"""Subscriptions that are read at the same time; the wire's own throttle bounds their rate."""
_ATTACHED = "microsoft.maintenance/configurationassignments"
_SET = "/policysetdefinitions/"
_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"


@dataclass(slots=True)
class _Book:
    """What was read of policies."""

    assignments: dict[str, tuple[PolicyAssignment, ...]] = field(default_factory=dict)
    """Subscription id → what applies there."""
    exemptions: dict[str, tuple[PolicyExemption, ...]] = field(default_factory=dict)
    sets: dict[str, PolicySet] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    """Subscription id → why not all is known of it."""
    below: dict[str, frozenset[str]] = field(default_factory=dict)
    """Management group of a notScope, as its id in lower case → the subscriptions below it."""


async def audit_policies(azure: PolicyAzure, scope: Scope, policies: Sequence[BuiltIn], *, clock: Clock) -> PolicyAudit:
    """Look at the machines of a scope as some built-ins do.

    Steps:
        1. read the machines with their providers' documents;
        2. read each definition as Azure has it now;
        3. read the assignments and exemptions of each subscription, and the sets that are assigned;
        4. judge each machine by each built-in.

    Args:
        azure: a connection; reading is enough.
        scope: selectors united, filters narrowing.
        policies: at least one, each once.
        clock: for the report's time, and for exemptions that expire.

    Raises:
        UsageError, EmptyScopeError, RequestError: as `inventory.take_inventory`.
    """
    azure.graph.forget()
    now = clock.now()
    inventory = await take_inventory(azure, scope, documents=True, now=now)
    subscriptions = sorted({machine.id.subscription_id for machine in inventory.machines})
    book = _Book()
    slots = asyncio.Semaphore(_AT_ONCE)
    await asyncio.gather(*(_read_subscription(azure, one, book, slots) for one in subscriptions))
    await _read_sets(azure, book)
    await _read_groups(azure, book)
    attached, notes = (
        await attached_schedules(azure, subscriptions) if BuiltIn.RECURRING_UPDATES in policies else (None, ())
    )
    looks = []
    for policy in policies:
        prepared, problem = await _definition(azure, policy)
        grounds = {one: _ground(policy, one, book) for one in subscriptions}
        verdicts = tuple(
            judge(
                policy,
                prepared,
                machine,
                grounds[machine.id.subscription_id],
                related=related_of(machine, attached),
                now=now,
            )
            for machine in inventory.machines
        )
        used = {use.assignment.id.lower(): use.assignment for ground in grounds.values() for use in ground.uses}
        definition = prepared.definition if prepared else None
        looks.append(PolicyLook(policy, definition, problem, tuple(used[key] for key in sorted(used)), verdicts))
    return PolicyAudit(
        target=azure.target.with_names_of(inventory.subscription_ids),
        scope=scope.describe(),
        looks=tuple(looks),
        machines=len(inventory.machines),
        skipped=inventory.skipped,
        unreadable=inventory.unreadable,
        unread=tuple(Unreadable(f"/subscriptions/{one}", why) for one, why in sorted(book.problems.items())),
        notes=(*inventory.notes, *notes),
        created_at=now,
    )


async def _definition(azure: PolicyAzure, policy: BuiltIn) -> tuple[Prepared | None, str]:
    try:
        return Prepared.of(await azure.policies.definition(policy.definition_id)), ""
    except NotSentError:
        raise
    except RequestError as error:
        return None, error.message


async def _read_subscription(azure: PolicyAzure, subscription_id: str, book: _Book, slots: asyncio.Semaphore) -> None:
    """Missing rights are a value: the machines of that subscription are not known, the others are judged."""
    book.assignments[subscription_id] = book.exemptions[subscription_id] = ()
    try:
        async with slots:
            assignments = await azure.policies.assignments(subscription_id)
            exemptions = await azure.policies.exemptions(subscription_id)
    except NotSentError:
        raise
    except RequestError as error:
        book.problems[subscription_id] = f"Its policy assignments and exemptions could not be read: {error.message}"
        return
    book.assignments[subscription_id] = tuple(one for one in assignments if isinstance(one, PolicyAssignment))
    book.exemptions[subscription_id] = tuple(one for one in exemptions if isinstance(one, PolicyExemption))
    odd = [one for one in (*assignments, *exemptions) if isinstance(one, Unreadable)]
    if odd:
        told = "; ".join(f"{one.id}: {one.reason}" for one in odd[:3])
        book.problems[subscription_id] = f"{len(odd)} of its policy assignments and exemptions cannot be read: {told}"


async def _read_sets(azure: PolicyAzure, book: _Book) -> None:
    named: dict[str, tuple[str, list[str]]] = {}
    for subscription_id, assignments in book.assignments.items():
        for one in assignments:
            if _SET in one.definition_id.lower():
                named.setdefault(one.definition_id.lower(), (one.definition_id, []))[1].append(subscription_id)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def read(key: str, set_id: str, users: Iterable[str]) -> None:
        try:
            async with slots:
                book.sets[key] = await azure.policies.definition_set(set_id)
        except NotSentError:
            raise
        except RequestError as error:
            for one in users:
                book.problems.setdefault(one, f"An assigned set of policies could not be read: {error.message}")

    await asyncio.gather(*(read(key, *entry) for key, entry in named.items()))


async def _read_groups(azure: PolicyAzure, book: _Book) -> None:
    """Which subscriptions are below the management groups that notScopes name."""
    wanted = {
        scope.lower().rstrip("/"): subscription_id
        for subscription_id, assignments in book.assignments.items()
        for one in assignments
        if BuiltIn.of(one.definition_id) or one.definition_id.lower() in book.sets
        for scope in one.not_scopes
        if scope.lower().startswith(_MANAGEMENT_GROUP)
    }
    for group, subscription_id in wanted.items():
        try:
            found = await azure.graph.subscriptions_under(group.removeprefix(_MANAGEMENT_GROUP))
        except NotSentError:
            raise
        except RequestError as error:
            told = f"Whether it is below a management group of a notScope could not be read: {error.message}"
            book.problems.setdefault(subscription_id, told)
        else:
            book.below[group] = frozenset(one.lower() for one in found)


def _ground(policy: BuiltIn, subscription_id: str, book: _Book) -> Ground:
    return Ground(
        uses=tuple(uses_of(policy, book.assignments[subscription_id], book.sets)),
        exemptions=book.exemptions[subscription_id],
        above=tuple(group for group, members in book.below.items() if subscription_id in members),
        problem=book.problems.get(subscription_id, ""),
    )


Attached = Mapping[ResourceId, Sequence[Mapping[str, object]]]


async def attached_schedules(
    azure: PolicyAzure, subscriptions: Sequence[str]
) -> tuple[Attached | None, tuple[str, ...]]:
    """The static assignments of schedules on machines; None: they could not be read."""
    found: dict[ResourceId, list[Mapping[str, object]]] = defaultdict(list)
    unread: dict[str, Unreadable] = {}
    try:
        async for page in azure.graph.configuration_assignments(GraphScope(tuple(subscriptions))):
            for one in page:
                if isinstance(one, ConfigurationAssignment):
                    found[one.machine].append(_document(one))
                elif isinstance(one, Unreadable):
                    unread.setdefault(one.id, one)
    except NotSentError:
        raise
    except RequestError as error:
        return None, (f"Which schedules are attached to machines could not be read: {error.message}",)
    return found, counted(unread, "schedules", "more machines may have a schedule")


def _document(one: ConfigurationAssignment) -> Mapping[str, object]:
    return {
        "type": "Microsoft.Maintenance/configurationAssignments",
        "properties": {"maintenanceConfigurationId": str(one.configuration)},
    }


def related_of(machine: Machine, attached: Attached | None) -> Mapping[str, Sequence[Mapping[str, object]]]:
    """What belongs to a machine, by type, as `selection.select` takes it; None: schedules were not read."""
    return {} if attached is None else {_ATTACHED: attached.get(machine.id, ())}
