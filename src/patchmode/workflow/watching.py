"""Watch: look at a scope again and again, and tell only what changed since the look before.

A look that fails says nothing about the machines: it is told, and tried again. Only two looks are kept at a time.

Must not: write anything, or decide what drift is; the rules do.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta

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
from patchmode.model.scope import Scope
from patchmode.rules.drift import carried, drifts, look_of, with_authors
from patchmode.workflow.auditing import audit
from patchmode.workflow.ports import Azure, Clock, GraphScope

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
    """End with the first look that shows a change."""


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
        msg = f"The baseline was made with {before}, and this looks at {now}: every other machine would come or go."
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
