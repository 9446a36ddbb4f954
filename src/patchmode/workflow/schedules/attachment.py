"""Attaching one configuration to machines, and taking it off: look, write, look again.

Each write is one synchronous request that is safe to repeat, so there is no journal: a run that was cut off is simply
repeated, and what already stands ends as unchanged.

Must not: trust Resource Graph for anything that it writes by; assignments are read from Microsoft.Maintenance, settings
from the machine's own provider.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from patchmode.errors import MaybeAppliedError, NotSentError, RejectedError, RequestError, ThrottledError
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import Machine, ReadFrom
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import AttachEnd, AttachResult, ConfigurationAssignment, MaintenanceConfiguration
from patchmode.ports.azure import Azure, Clock
from patchmode.rules.schedules.attaching import AttachObstacle, attach_obstacle, name_obstacle
from patchmode.timing import all_of
from patchmode.workflow.inventory.scoping import KINDS
from patchmode.workflow.run.refusals import is_gone, is_signed_out, signed_out

AT_ONCE = 8
"""Machines under way at the same time; the wire's own throttle bounds their rate."""
REPEAT = "repeat the command"
_UNSENT = (NotSentError, ThrottledError)
"""Nothing was changed, and nothing is wrong with the machine: it is sent another time."""
_ADVICE = {
    "unsupportedresourceoperation": "Make the machine ready first: patchmode apply --then-attach.",
    "authorizationfailed": (
        "Grant Microsoft.Maintenance/configurationAssignments/write (and /delete) on the machine, and "
        "Microsoft.Maintenance/maintenanceConfigurations/read on the configuration."
    ),
    "scopelocked": "Remove the lock that the message names, then {again}.",
    "missingsubscriptionregistration": "Register Microsoft.Maintenance in the machine's subscription.",
    "resourcenotfound": "The machine or the configuration was moved or deleted: check both ids.",
    "notfound": "The machine or the configuration was moved or deleted: check both ids.",
}


async def attach_one(
    azure: Azure, machine: Machine, configuration: MaintenanceConfiguration, *, name: str | None = None
) -> AttachResult:
    """Attach a configuration to one machine and see that it stands.

    Steps:
        1. read the machine, where Resource Graph described it;
        2. refuse what would fail, see that it is not attached already, under whatever name;
        3. PUT the assignment, which the wire repeats where answers are lost; where they all are, look;
        4. read the machine's assignments.

    Args:
        azure: a connection that may write.
        machine: one whose provider was read just now is taken as it is.
        configuration: as Microsoft.Maintenance answered it.
        name: of the assignment; None: the configuration's name, as Terraform has it.

    Returns:
        Its end, whatever it is: what concerns this machine alone is never raised.

    Raises:
        SignInError: the service no longer knows who asks.
    """
    wanted = name or configuration.name
    try:
        if machine.read_from is ReadFrom.GRAPH:
            machine = await azure.provider.get(machine.id, machine.kind)
        standing = await azure.maintenance.assignments_on(machine.id)
    except RequestError as error:
        return _unread(machine.id, error)
    obstacle = attach_obstacle(machine, configuration)
    if obstacle is not None:
        return refused(str(machine.id), obstacle)
    there = _of(standing, configuration.id)
    if there is not None:
        return AttachResult(str(machine.id), AttachEnd.UNCHANGED, assignment=there.name)
    obstacle = name_obstacle(standing, wanted)
    if obstacle is not None:
        return refused(str(machine.id), obstacle)

    async def write() -> str | None:
        made = await azure.maintenance_writer.attach(machine.id, machine.location, wanted, configuration.id)
        return made.request_id

    async def stands() -> bool:
        found = _of(await azure.maintenance.assignments_on(machine.id), configuration.id)
        return found is not None and found.name.casefold() == wanted.casefold()

    return await written(str(machine.id), wanted, AttachEnd.ATTACHED, write, stands)


Keeps = Callable[[Machine, Sequence[ConfigurationAssignment]], AttachObstacle | None]
"""Of a machine and its static assignments, both read just now: why it must not lose the configuration."""


async def detach_one(
    azure: Azure, machine_id: ResourceId, configuration_id: ResourceId, *, keeps: Keeps | None = None
) -> AttachResult:
    """Take a configuration off one machine, every static assignment of it, and see that it is gone.

    Azure has no precondition for the DELETE, so what stands against it is judged by the machine and its assignments as
    they are right before each request, and once more afterwards: of two detaches at the same time one sees what both
    have done.

    Args:
        azure: a connection that may write.
        machine_id: it need not exist any more: an orphaned assignment can be deleted too.
        configuration_id: it need not exist any more.
        keeps: what stands against it; None: nothing.

    Returns:
        `unchanged` where it is not attached; `mismatch` where it is off, and what `keeps` guards against has come
        about meanwhile.

    Raises:
        SignInError: the service no longer knows who asks.
    """
    try:
        machine, standing = await _look(azure, machine_id, with_machine=keeps is not None)
    except RequestError as error:
        return _unread(machine_id, error)
    names = [entry.name for entry in standing if entry.configuration == configuration_id]
    if not names:
        return AttachResult(str(machine_id), AttachEnd.UNCHANGED)
    obstacle = keeps(machine, standing) if keeps and machine else None
    if obstacle is not None:
        return refused(str(machine_id), obstacle)
    is_repeated = False

    async def write() -> None:
        nonlocal is_repeated, machine
        if is_repeated and keeps:
            machine, now = await _look(azure, machine_id, with_machine=True)
            against = keeps(machine, now) if machine else None
            if against is not None:
                raise NotSentError(f"It was not sent again: {against.message}", code="Refused", advice=against.fix)
        is_repeated = True
        for name in names:
            await azure.maintenance_writer.detach(machine_id, name)

    async def gone() -> bool:
        nonlocal standing
        standing = await azure.maintenance.assignments_on(machine_id)
        return _of(standing, configuration_id) is None

    result = await written(str(machine_id), ", ".join(names), AttachEnd.DETACHED, write, gone)
    left_alone = keeps(machine, standing) if keeps and machine and result.result is AttachEnd.DETACHED else None
    return result if left_alone is None else _too_late(result, left_alone)


def _too_late(result: AttachResult, obstacle: AttachObstacle) -> AttachResult:
    """It is off, and so is what was to stay: Azure refuses to attach a schedule to such a machine, so nobody can."""
    message = f"It was detached, and so were its other schedules meanwhile. {obstacle.message}"
    error = MachineError("LastSchedule", message, True, obstacle.fix)
    return replace(result, result=AttachEnd.MISMATCH, rule=obstacle.rule, error=error, fix=obstacle.fix)


async def _look(
    azure: Azure, machine_id: ResourceId, *, with_machine: bool
) -> tuple[Machine | None, Sequence[ConfigurationAssignment]]:
    """A machine (None: it is gone, or was not asked for) and its assignments, the assignments last."""
    machine = None
    if with_machine:
        try:
            machine = await azure.provider.get(machine_id, KINDS[machine_id.full_type])
        except RejectedError as error:
            if not is_gone(error):
                raise
    return machine, await azure.maintenance.assignments_on(machine_id)


async def written(
    identifier: str,
    name: str,
    end: AttachEnd,
    write: Callable[[], Awaitable[str | None]],
    as_wanted: Callable[[], Awaitable[bool]],
    *,
    again: str = REPEAT,
    unsent: str | None = None,
) -> AttachResult:
    """Write, and read back.

    The wire has repeated a write whose answers were lost as often as it may. Here it is looked at and not begun again,
    so that a service in trouble gets no multiple of that.

    Args:
        identifier: of the machine or dynamic scope.
        name: of the assignment.
        end: what it is called when it stands as wanted.
        write: sends the request; its answer's request id, where there is one.
        as_wanted: reads, and tells whether it now stands as wanted.
        again: what is to be done once what stood in the way is gone, as advice words it.
        unsent: the same where nothing was sent; None: no other.

    Raises:
        SignInError: the service no longer knows who asks.
    """
    try:
        request_id = await write()
    except MaybeAppliedError as lost:
        if await _seen(as_wanted):
            return AttachResult(identifier, end, assignment=name, request_id=lost.request_id)
        return _unknown(identifier, name, lost, again)
    except RequestError as error:
        return _failed(identifier, name, error, unsent if unsent and isinstance(error, _UNSENT) else again)
    return replace(await _checked(identifier, name, end, as_wanted), request_id=request_id)


def _unknown(identifier: str, name: str, lost: RequestError, again: str) -> AttachResult:
    advice = f"{_sentence(again)}: what is already done is skipped."
    return AttachResult(
        identifier,
        AttachEnd.UNKNOWN,
        assignment=name,
        error=MachineError(lost.code, lost.message, True, advice, lost.status),
        request_id=lost.request_id,
        correlation_id=lost.correlation_id,
    )


def refused(identifier: str, obstacle: AttachObstacle) -> AttachResult:
    """Nothing was sent, and the rule that says why."""
    return AttachResult(
        identifier,
        AttachEnd.REFUSED,
        rule=obstacle.rule,
        error=MachineError("Refused", obstacle.message, False, obstacle.fix),
        fix=obstacle.fix,
    )


async def each(
    work: Sequence[Callable[[], Awaitable[AttachResult]]],
    ids: Sequence[str],
    *,
    clock: Clock,
    stop: asyncio.Event,
    progressed: Callable[[AttachResult], None],
) -> list[AttachResult]:
    """Carry many out, a few at once; what had no turn before the stop ends as not sent.

    Args:
        work: one call per machine.
        ids: of the same machines, in the same order.
        clock: for the time of each end.
        stop: set: what is under way is brought to its end, nothing new begins.
        progressed: told of each end.

    Returns:
        One result for each, in the order given.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(call: Callable[[], Awaitable[AttachResult]], identifier: str) -> AttachResult:
        async with slots:
            if stop.is_set():
                error = MachineError(
                    "Stopped", "The command was stopped before it reached this machine.", False, "Repeat the command."
                )
                return AttachResult(identifier, AttachEnd.NOT_SENT, error=error)
            result = (await call()).at(clock.now())
        progressed(result)
        return result

    return await all_of(one(call, identifier) for call, identifier in zip(work, ids, strict=True))


def _of(standing: Sequence[ConfigurationAssignment], configuration: ResourceId) -> ConfigurationAssignment | None:
    return next((entry for entry in standing if entry.configuration == configuration), None)


async def _seen(as_wanted: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await as_wanted()
    except RequestError as error:
        if is_signed_out(error):
            raise signed_out(error) from error
        return False


async def _checked(
    identifier: str, name: str, end: AttachEnd, as_wanted: Callable[[], Awaitable[bool]]
) -> AttachResult:
    try:
        if await as_wanted():
            return AttachResult(identifier, end, assignment=name)
        message = "Azure accepted the request, and a read right afterwards does not show it."
        error = MachineError("NotAsWritten", message, True, "Look again with `patchmode schedule show`.")
    except RequestError as failure:
        if is_signed_out(failure):
            raise signed_out(failure) from failure
        message = f"Azure accepted the request, and reading it back failed: {failure.message}"
        error = MachineError(failure.code, message, True, "Look again with `patchmode schedule show`.", failure.status)
    return AttachResult(identifier, AttachEnd.MISMATCH, assignment=name, error=error)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _failed(identifier: str, name: str, error: RequestError, again: str) -> AttachResult:
    if is_signed_out(error):
        raise signed_out(error) from error
    return AttachResult(
        identifier,
        AttachEnd.NOT_SENT if isinstance(error, _UNSENT) else AttachEnd.FAILED,
        assignment=name,
        error=MachineError(error.code, error.message, False, _advice(error, again), error.status),
        request_id=error.request_id,
        correlation_id=error.correlation_id,
    )


def _advice(error: RequestError, again: str) -> str:
    """What to do next; inside a run that is something else than repeating the command."""
    known = _ADVICE.get(error.code.casefold())
    if known is not None:
        told = known.replace("{again}", again)
        return told if again == REPEAT or again in told or "--then-attach" in told else f"{told} Then {again}."
    if again == REPEAT:
        return error.advice or "Azure's message says why."
    return f"{error.advice} {_sentence(again)}." if error.advice else f"Azure's message says why; then {again}."


def _unread(machine_id: ResourceId, error: RequestError) -> AttachResult:
    if is_signed_out(error):
        raise signed_out(error) from error
    advice = "It was moved or deleted: check the id." if is_gone(error) else error.advice
    return AttachResult(
        str(machine_id),
        AttachEnd.NOT_SENT,
        error=MachineError(error.code, error.message, False, advice, error.status),
        request_id=error.request_id,
        correlation_id=error.correlation_id,
    )
