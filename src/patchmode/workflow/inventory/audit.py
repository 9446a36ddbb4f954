"""Audit, explain and watch: machines in scope with who patches them and what is wrong; one in full; again and again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from patchmode.errors import (
    CloudError,
    EmptyScopeError,
    PatchmodeError,
    RequestError,
    SignInError,
    UsageError,
    WrongTargetError,
)
from patchmode.model.drift import Drift, Look, ResourceChange
from patchmode.model.machine import Machine, MachineKind, Subscription, surroundings_of, worse
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.report import AuditReport, Explanation, TenantAudit
from patchmode.model.scope import Filters, Scope
from patchmode.model.target import SubscriptionNames, in_a_list, labels
from patchmode.ports.azure import Azure, Clock, GraphScope
from patchmode.rules.audit_merging import merged, scopes_of
from patchmode.rules.drift import carried, drifts, look_of, with_authors
from patchmode.rules.eligibility.judgement import audit_machine
from patchmode.rules.schedules.after_plan import nobody_among
from patchmode.rules.schedules.memberships import LONGEST_WAIT
from patchmode.timing import all_of
from patchmode.workflow.inventory.inventory import take_inventory
from patchmode.workflow.inventory.suggestions import near_machine
from patchmode.workflow.schedules.reading import look_up, read_assessments

TENANTS_AT_ONCE = 4
_ELSEWHERE = "All that the scope names is in other tenants."
DEFAULT_WANTED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
"""What machines are measured against when the user names nothing: the prerequisite of schedules."""


async def audit(
    azure: Azure,
    scope: Scope,
    *,
    wanted: WantedSettings = DEFAULT_WANTED,
    clock: Clock,
    longest_wait: timedelta = LONGEST_WAIT,
) -> AuditReport:
    """Audit every machine in scope, read through Resource Graph where that is allowed.

    Args:
        azure: a connection; reading is enough.
        scope: selectors united, filters narrowing.
        wanted: the settings to measure against.
        clock: for the report's time, and for what counts as the next window.
        longest_wait: a next window that is farther away is told.

    Returns:
        Each machine in scope stands once in the report; machines ordered by id.

    Raises:
        UsageError, EmptyScopeError, RequestError: as `inventory.take_inventory`.
    """
    azure.graph.forget()
    inventory = await take_inventory(azure, scope, documents=False, now=clock.now())
    now = clock.now()
    index = await look_up(azure, inventory.machines, now=now, longest_wait=longest_wait)
    machines = tuple(audit_machine(machine, wanted, index) for machine in inventory.machines)
    return AuditReport(
        target=azure.target.with_names_of(inventory.subscription_ids),
        scope=scope.describe(),
        wanted=wanted,
        machines=machines,
        nobody=nobody_among(((one.machine, one.outcome, one.machine.settings) for one in machines), index),
        skipped=inventory.skipped,
        unreadable=inventory.unreadable,
        notes=(*inventory.notes, *index.book.notes),
        created_at=now,
    )


async def audit_tenants(
    connects: Mapping[str, Callable[[], AbstractAsyncContextManager[Azure]]],
    scope: Scope,
    *,
    wanted: WantedSettings = DEFAULT_WANTED,
    clock: Clock,
    longest_wait: timedelta = LONGEST_WAIT,
) -> AuditReport:
    """Audit the machines of a scope in several tenants, each through a connection of its own.

    Steps:
        1. sign in to each, and list its subscriptions: what the scope names is looked for where it is seen;
        2. audit each, some at a time;
        3. join the reports, each machine once.

    Args:
        connects: tenant → what connects to it, for reading.
        scope, wanted, clock, longest_wait: as for `audit`.

    Returns:
        A tenant that could not be read is one entry of `unreadable`, and the others are reported.

    Raises:
        SignInError, RequestError: no tenant could be read; the message is that of the first.
        UsageError, EmptyScopeError: the same of a scope that is wrong everywhere, or matches nothing in any.
    """
    failed: dict[str, PatchmodeError] = {}
    async with AsyncExitStack() as stack:
        opened: dict[str, Azure] = {}
        seen: dict[str, Sequence[Subscription]] = {}
        for tenant_id, connect in connects.items():
            try:
                azure = await stack.enter_async_context(connect())
                seen[tenant_id] = await azure.authorization.subscriptions()
                opened[tenant_id] = azure
            except (RequestError, SignInError) as error:
                failed[tenant_id] = error
        if not opened:
            raise next(iter(failed.values()))
        scopes, slots = scopes_of(scope, seen), asyncio.Semaphore(TENANTS_AT_ONCE)

        async def one(tenant_id: str, azure: Azure) -> TenantAudit:
            name, part = await _tenant_name(azure), scopes[tenant_id]
            if part is None:
                return TenantAudit(tenant_id, name, failure=_ELSEWHERE)
            try:
                async with slots:
                    report = await audit(azure, part, wanted=wanted, clock=clock, longest_wait=longest_wait)
            except (RequestError, SignInError, UsageError, EmptyScopeError) as error:
                failed[tenant_id] = error
                is_unread = not isinstance(error, EmptyScopeError)
                return TenantAudit(tenant_id, name, failure=_in_a_line(error), is_unread=is_unread)
            return TenantAudit(tenant_id, name, replace(report, scope=scope.describe()))

        read = await all_of([one(tenant_id, azure) for tenant_id, azure in opened.items()])
    parts = {entry.tenant_id: entry for entry in read}
    if not any(entry.report for entry in read):
        raise _nowhere(failed)
    unread = {one: TenantAudit(one, failure=_in_a_line(error), is_unread=True) for one, error in failed.items()}
    return merged([parts.get(one) or unread[one] for one in connects])


async def _tenant_name(azure: Azure) -> str:
    """The display name; empty where it cannot be read: the id alone names the tenant then."""
    with suppress(RequestError):
        return await azure.authorization.tenant_name()
    return ""


def _in_a_line(error: PatchmodeError) -> str:
    return " ".join(error.message.split())


def _nowhere(failed: Mapping[str, PatchmodeError]) -> PatchmodeError:
    """Why no tenant could be read: what no scope explains first, then a scope that is wrong, then one without machines.

    Where several tenants gave different reasons for a scope, the message has each.
    """
    errors = failed.values()
    worst = next((one for one in errors if not isinstance(one, UsageError | EmptyScopeError)), None)
    if worst is not None:
        return worst
    first = next((one for one in errors if isinstance(one, UsageError)), next(iter(errors)))
    if len({one.message for one in errors}) == 1:
        return first
    told = "\n".join(f"  tenant {tenant_id}: {_in_a_line(one)}" for tenant_id, one in failed.items())
    kind = UsageError if isinstance(first, UsageError) else EmptyScopeError
    return kind(f"Nothing was selected in {len(failed)} tenants:\n{told}", advice=first.advice)


async def explain(
    azure: Azure,
    machine: str,
    *,
    wanted: WantedSettings = DEFAULT_WANTED,
    clock: Clock,
    longest_wait: timedelta = LONGEST_WAIT,
) -> Explanation:
    """Explain one machine.

    Args:
        azure: a connection; reading is enough.
        machine: its resource id, or its name where only one machine of that name can be seen; as reports print it, with
            its group (`GROUP/NAME`) or also the id or name of its subscription (`SUBSCRIPTION/GROUP/NAME`).
        wanted: the settings to measure against.
        clock: for what counts as the next window.
        longest_wait: a next window that is farther away is told.

    Raises:
        UsageError: the id is not a machine's, or several machines have the name.
        EmptyScopeError: there is no such machine, or it could not be read; the message says what was answered.
    """
    azure.graph.forget()
    by_id = machine.startswith("/")
    scope = Scope(ids=(machine,)) if by_id else await _named(azure, machine)
    inventory = await take_inventory(azure, scope, documents=True)
    if not inventory.machines:
        reason = inventory.unreadable[0].reason if inventory.unreadable else "nothing was answered"
        raise EmptyScopeError(f"{machine} could not be read: {reason}")
    found = inventory.machines[0]
    notes = list(inventory.notes)
    view = await _instance_view(azure, found, notes)
    index = await look_up(azure, (found,), now=clock.now(), longest_wait=longest_wait)
    notes += index.book.notes
    pending = await read_assessments(azure, (found.id,))
    notes += pending.notes
    return Explanation(
        target=azure.target,
        audit=audit_machine(_with_view(found, view), wanted, index),
        document=found.document or {},
        instance_view=view,
        wanted=wanted,
        notes=tuple(notes),
        pending=pending,
        created_at=clock.now(),
    )


async def _named(azure: Azure, text: str) -> Scope:
    place, _, name = text.rpartition("/")
    subscription, _, group = place.rpartition("/")
    # The name is compared as text, not as a pattern, and never becomes part of a query.
    pattern = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
    machines: tuple[Machine, ...] = ()
    with suppress(EmptyScopeError):
        named = Scope(everything=True, include=Filters(names=(pattern,)))
        machines = (await take_inventory(azure, named, documents=False)).machines
    subscriptions = await azure.authorization.subscriptions()
    known = [one.id.lower() for one in subscriptions]
    if group:
        machines = tuple(one for one in machines if one.id.resource_group.casefold() == group.casefold())
    if subscription:
        called = labels(SubscriptionNames.of((one.id, one.name) for one in subscriptions), known)
        wanted = subscription.casefold()
        meant = {
            one.id.lower()
            for one in subscriptions
            for label in (one.id, one.name, called[one.id.lower()])
            if wanted in {label.casefold(), in_a_list(label).casefold()}
        }
        machines = tuple(one for one in machines if one.id.subscription_id.lower() in meant)
    if not machines:
        near = await near_machine(azure, name, known)
        raise EmptyScopeError(
            f"You see no machine named {text!r}: there is none, or this sign-in cannot see it.",
            advice=f"{near} Otherwise give its resource id." if near else "Check the name, or give its resource id.",
        )
    if len(machines) > 1:
        ids = "\n    ".join(str(entry.id) for entry in machines)
        raise UsageError(f"{len(machines)} machines are named {text!r}:\n    {ids}", advice="Give the id.")
    return Scope(ids=(str(machines[0].id),))


async def _instance_view(azure: Azure, machine: Machine, notes: list[str]) -> Mapping[str, Any] | None:
    if machine.kind is MachineKind.ARC:
        return None
    try:
        return await azure.provider.get_instance_view(machine.id)
    except RequestError as error:
        notes.append(f"The instance view could not be read: {error.message}")
        return None


def _with_view(machine: Machine, view: Mapping[str, Any] | None) -> Machine:
    """The machine with what only the instance view tells at this moment: agent, power, system, patch extension."""
    if view is None:
        return machine
    surroundings, seen = machine.surroundings, surroundings_of(view)
    known = replace(
        surroundings,
        agent_status=seen.agent_status or surroundings.agent_status,
        power_state=seen.power_state or surroundings.power_state,
        os_name=seen.os_name or surroundings.os_name,
        os_version=seen.os_version or surroundings.os_version,
        patch_extension=worse(seen.patch_extension, surroundings.patch_extension),
    )
    return replace(machine, surroundings=known)


LAG = timedelta(minutes=5)
"""A record of a change is there "in less than five minutes". Source: "Get resource changes" of Resource Graph."""
PASSING = (RequestError, SignInError, CloudError)
"""What a later look may find gone."""
Connect = Callable[[], AbstractAsyncContextManager[Azure]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look brought."""

    number: int
    """From 1."""
    look: Look | None
    """None: it failed."""
    drift: tuple[Drift, ...] = ()
    """Empty also for a first look, which has nothing to be compared with."""
    failure: PatchmodeError | None = None
    notes: tuple[str, ...] = ()
    """What a reader must know about how it was read."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How long and how often."""

    interval_s: float = 900.0
    count: int | None = None
    """So many looks, failed ones included; None: until stopped."""
    until_change: bool = False
    """Stop at the first audit that finds a change."""


async def watch(
    connect: Connect, scope: Scope, options: WatchOptions, *, clock: Clock, baseline: Look | None = None
) -> AsyncIterator[Seen]:
    """Look at a scope at an interval, and yield what each look brought.

    Args:
        connect: gives a connection; each look takes one of its own, so that one that is lost costs one look.
        scope: selectors and filters, as an audit takes them.
        options: interval and end.
        clock: the time between looks.
        baseline: what the first look is compared with; None: the first look is only remembered.

    Raises:
        WrongTargetError: the baseline is of another target. UsageError: it is of another scope, or the scope is wrong.
        EmptyScopeError: the first look matched nothing, and there is no baseline.
    """
    known, number = baseline, 0
    while True:
        number += 1
        began = clock.monotonic()
        seen = await _look(connect, scope, known, number, clock)
        if seen.look is not None:
            known = seen.look if known is None else carried(known, seen.look)
        yield seen
        if number == options.count or (options.until_change and seen.drift):
            return
        await clock.sleep(max(0.0, options.interval_s - (clock.monotonic() - began)))


async def _look(connect: Connect, scope: Scope, known: Look | None, number: int, clock: Clock) -> Seen:
    try:
        async with connect() as azure:
            if known is not None:
                _check_comparable(known, azure, scope)
            report = await audit(azure, scope, clock=clock)
            look = look_of(report)
            found = drifts(known, look) if known is not None else ()
            if found and known is not None:
                found = with_authors(found, await _changes(azure, found, known, clock))
    except PASSING as error:
        return Seen(number, None, failure=error)
    except EmptyScopeError as error:
        if known is None:
            raise
        # A role that was taken away looks the same as machines that were deleted: it is not told as such.
        return Seen(number, None, failure=error)
    return Seen(number, look, found, notes=report.notes)


def _check_comparable(known: Look, azure: Azure, scope: Scope) -> None:
    if not known.target.same_as(azure.target):
        msg = (
            f"The baseline is of tenant {known.target.tenant_id} on {known.target.endpoint}, and this is tenant "
            f"{azure.target.tenant_id} on {azure.target.endpoint}."
        )
        raise WrongTargetError(msg, advice="Sign in to that target (--cloud), or make a baseline of this one.")
    if sorted(known.scope) != sorted(scope.describe()):
        before, now = " ".join(known.scope) or "nothing", " ".join(scope.describe())
        msg = f"The baseline was made with {before}, and this audit selects {now}: the two cannot be compared."
        raise UsageError(msg, advice="Give the same selectors and filters to both.")


async def _changes(azure: Azure, found: Sequence[Drift], known: Look, clock: Clock) -> list[ResourceChange]:
    """Azure's records of who changed what since the look before; none where they cannot be had."""
    since = (known.taken_at or clock.now()) - LAG
    scope = GraphScope(tuple(sorted({drift.id.subscription_id for drift in found})))
    changes: list[ResourceChange] = []
    try:
        async for page in azure.graph.resource_changes(scope, since=since):
            changes += page
    except RequestError:
        return []
    return changes
