"""A remediation task: looked at first, started, waited for, and what came of each machine.

Must not: start one for an assignment that it did not look at.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from patchmode.errors import MaybeAppliedError, RefusedError, RequestError
from patchmode.model.policy import (
    PolicyState,
    PolicyVerdict,
    RemediationDraft,
    RemediationReport,
    RemediationTask,
    RemediationWish,
)
from patchmode.ports.azure import Clock
from patchmode.ports.policy import PolicyAzure
from patchmode.rules.policy.remediating import check_assignment, check_wish, remediation_body
from patchmode.workflow.policy.auditing import audit_policies

_FIRST_S, _LONGEST_S = 1.0, 15.0
"""Between two looks at the task; each wait is twice the one before."""


async def draft_remediation(azure: PolicyAzure, wish: RemediationWish, *, clock: Clock) -> RemediationDraft:
    """Look at the assignment, and evaluate its definition for each machine in its scope as they are now.

    Args:
        azure: a connection; reading is enough.
        wish: as the user gave it.
        clock: for exemptions that expire.

    Raises:
        UsageError, RefusedError: see `rules.policy.remediating`; or a task of that name is there. EmptyScopeError: no
            machine is in its scope. RequestError: something could not be read.
    """
    scope = check_wish(wish)
    policy = check_assignment(wish, await azure.policies.assignment(wish.assignment_id))
    if await azure.policies.remediation(wish.id) is not None:
        raise RefusedError(
            f"A remediation task {wish.id} exists already, and its settings are fixed.",
            advice="Nothing was sent. Give another --name.",
        )
    audit = await audit_policies(azure, scope, (policy,), clock=clock)
    states = {one.id: _state(one, wish.assignment_id.lower()) for one in audit.looks[0].verdicts}
    in_doubt = sum(not one.is_filtered_out for one in audit.skipped)
    return RemediationDraft(wish, policy, states, len(audit.unreadable) + in_doubt, audit.target)


def _state(verdict: PolicyVerdict, key: str) -> PolicyState:
    """What one assignment does about a machine in its scope; not known where Azure's lists do not show it there."""
    shown = (one.state for one in verdict.assignments if one.assignment.id.lower() == key)
    return next(shown, PolicyState.UNKNOWN)


async def remediate(
    azure: PolicyAzure,
    drafted: RemediationDraft,
    *,
    waits: bool,
    clock: Clock,
    stop: asyncio.Event,
    progressed: Callable[[RemediationTask], None],
) -> RemediationReport:
    """Start the task, wait for its end, and list what came of each machine.

    Args:
        azure: a connection that may write.
        drafted: as `draft_remediation` made it, with at least one machine.
        waits: whether its end is awaited.
        clock: sleeps between two looks.
        stop: ends the waiting; the task continues in Azure.
        progressed: is told the task whenever its figures have changed.

    Raises:
        RejectedError: Azure refused the task. MaybeAppliedError: the answer was lost, and a read does not show it.
        NotSentError. Once it is started nothing is raised: what could not be read is the report's `problem`.
    """
    name = drafted.wish.id
    try:
        await azure.policy_writer.put_remediation(name, remediation_body(drafted))
    except MaybeAppliedError:
        if await azure.policies.remediation(name) is None:
            raise
    begun = RemediationReport(drafted, "started", RemediationTask(name, "Accepted", 0, 0, 0))
    try:
        task = await azure.policies.remediation(name)
        if task is None:
            return replace(begun, problem="Azure accepted the task, and a read afterwards does not show it.")
        begun = replace(begun, task=task)
        if not waits and not task.is_over:
            return begun
        pause_s = _FIRST_S
        while not task.is_over and not stop.is_set():
            await _pause(clock, pause_s, stop)
            pause_s = min(pause_s * 2, _LONGEST_S)
            found = await azure.policies.remediation(name)
            if found is None:
                return replace(begun, problem="The task was deleted while it ran.")
            if found != task:
                progressed(found)
            task = found
            begun = replace(begun, task=task)
        if not task.is_over:
            return replace(begun, result="interrupted")
        machines = tuple(await azure.policies.remediated(name))
    except RequestError as error:
        is_over = begun.task is not None and begun.task.is_over
        return replace(begun, result="finished" if is_over else "started", problem=error.message)
    is_stopped = task.state.lower() != "succeeded" and task.state.lower() != "complete"
    return replace(begun, result="stopped" if is_stopped else "finished", machines=machines)


async def _pause(clock: Clock, seconds: float, stop: asyncio.Event) -> None:
    """Wait for some time, or until the waiting is to end."""
    tasks = {asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(stop.wait())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in tasks:
            one.cancel()
