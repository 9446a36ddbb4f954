"""The assignments of a run: attached once a machine's settings were verified, or taken off before they are touched.

For each machine: see that its settings stand, look at its assignments, commit the intent, send the one request, look
again, commit the end. Azure does it while the request lasts and it is safe to repeat, so that what a kill leaves behind
is settled by looking.

Must not: attach to a machine whose settings were not seen to stand just now, or take a schedule off where Azure would
then patch the machine at will.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from patchmode.errors import RequestError
from patchmode.model.guardrails import Halt
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Plan, Unchanged
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    AttachAction,
    AttachEnd,
    AttachResult,
    ConfigurationAssignment,
    MaintenanceConfiguration,
)
from patchmode.ports.azure import Azure, Clock
from patchmode.ports.run import AttachmentEntry, Step
from patchmode.rules.schedules.attaching import AttachObstacle, attach_obstacle, name_obstacle
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.transitions import wanted_of
from patchmode.rules.settings.verification import differences, touches_settings
from patchmode.timing import all_of
from patchmode.workflow.run.events import AttachmentEnded, AttachmentIntended, RunEvents, Succeeded
from patchmode.workflow.run.guardrails import RESUME
from patchmode.workflow.run.queue import InProgress
from patchmode.workflow.run.refusals import is_signed_out, signed_out
from patchmode.workflow.run.state import RunState, attachment_not_sent, not_verified
from patchmode.workflow.schedules.attachment import AT_ONCE, refused, written

_TAKE_UP = "resume the run with `patchmode runs resume`"
_PLAN_ANEW = "make a new plan with --then-attach"


class Attacher:
    """Attaches or detaches what a run's plan names, a few machines of each subscription at a time.

    Args:
        state: of the run; knows which schedules have ended.
        events: nothing is sent before its intent is committed there.
        azure: a connection that may write.
        in_progress: lets each machine in, and out again when its end was told.
        clock: the time of each end.
        may_send: asked before each machine, where a no gives it no turn in this session; and once more at the last
            moment before its request leaves, which may be long after.
    """

    def __init__(
        self,
        state: RunState,
        events: RunEvents,
        azure: Azure,
        in_progress: InProgress,
        *,
        clock: Clock,
        may_send: Callable[[ResourceId], bool],
    ) -> None:
        self._plan = state.plan
        self._state = state
        self._events = events
        self._azure = azure
        self._in_progress = in_progress
        self._clock = clock
        self._may_send = may_send
        # A queue for each subscription, which has a throttle of its own: one that is held back holds up no other.
        self._queues: dict[str, asyncio.Queue[AttachmentEntry | None]] = {
            one.subscription_id: asyncio.Queue() for one in state.attachments
        }
        self._configuration: MaintenanceConfiguration | RequestError | None = None
        self._reading = asyncio.Lock()

    def verified(self, machine_id: ResourceId) -> None:
        """A machine's settings were seen to be as planned: attach its schedule. One that gets none has succeeded."""
        if self._plan.first_detach or not self._state.is_to_attach(machine_id):
            self._events.tell(Succeeded(machine_id))
        else:
            self.offer([machine_id])

    def offer(self, machine_ids: Iterable[ResourceId]) -> None:
        """Give these machines their turn; one that has none in the plan, or had it before, is passed over."""
        for machine_id in filter(self._state.is_to_attach, machine_ids):
            self._queues[machine_id.subscription_id].put_nowait(self._state.attachments[machine_id])

    async def refuse(self, refused: Mapping[ResourceId, Halt]) -> None:
        """End as not sent what these machines would get or lose; it has its turn when the run is taken up.

        What may have been sent, or failed, keeps what is known of it; a schedule that waits for its machine's settings
        is told by the end of those.

        Args:
            refused: why, by machine; one that has none in the plan is passed over.
        """
        for entry in self._state.attachments.values():
            is_unsent = entry.step is Step.PENDING or (entry.result and entry.result.result is AttachEnd.NOT_SENT)
            waits = entry.action is AttachAction.ATTACH and entry.change is not None
            if entry.id in refused and is_unsent and not waits:
                end = attachment_not_sent(entry, refused[entry.id].code, refused[entry.id].told)
                await self._events.commit(AttachmentEnded(entry.id, end))

    def close(self) -> None:
        """Nothing more will be offered: `run` returns once every machine offered has ended."""
        for queue in self._queues.values():
            for _ in range(AT_ONCE):
                queue.put_nowait(None)

    async def run(self) -> None:
        """Work until `close` was called and the queues are empty.

        Raises:
            PatchmodeError: what is no matter of one machine: the journal cannot be written, nobody is signed in.
        """
        await all_of(self._work(queue) for queue in self._queues.values() for _ in range(AT_ONCE))

    async def drained(self) -> None:
        """Return once every machine offered so far has ended, or had no turn."""
        for queue in self._queues.values():
            await queue.join()

    async def _work(self, queue: "asyncio.Queue[AttachmentEntry | None]") -> None:
        while (entry := await queue.get()) is not None:
            await self._in_progress.enter(entry.id, self._state.regions.get(entry.id))
            try:
                if self._may_send(entry.id):
                    end = (await self._carry_out(entry)).at(self._clock.now())
                    await self._events.commit(AttachmentEnded(entry.id, end))
                    if end.is_fine:
                        self._events.tell(Succeeded(entry.id))
            finally:
                self._in_progress.leave(entry.id)
                queue.task_done()

    async def _carry_out(self, entry: AttachmentEntry) -> AttachResult:
        try:
            machine = await self._azure.provider.get(entry.id, entry.kind)
            standing = await self._azure.maintenance.assignments_on(entry.id)
        except RequestError as error:
            return _unread(entry, error)
        if entry.action is AttachAction.DETACH:
            return await self._detach(entry, machine, standing)
        unverified = unverified_because(entry, machine, self._plan)
        if unverified is not None:
            return not_verified(entry, unverified)
        configuration = await self._read_configuration()
        if isinstance(configuration, RequestError):
            return _unread(entry, configuration)
        obstacle = attach_obstacle(machine, configuration)
        return refused(str(entry.id), obstacle) if obstacle else await self._attach(entry, machine, standing)

    async def _attach(
        self, entry: AttachmentEntry, machine: Machine, standing: Sequence[ConfigurationAssignment]
    ) -> AttachResult:
        there = next((one for one in standing if one.configuration == entry.configuration), None)
        if there is not None:
            # It was not there when this run committed its intent, so it is this run's: a rollback takes it off again.
            is_ours = entry.step is Step.INTENDED and _is_called(there, entry.name)
            end = AttachEnd.ATTACHED if is_ours else AttachEnd.UNCHANGED
            return AttachResult(str(entry.id), end, assignment=there.name)
        taken = name_obstacle(standing, entry.name)
        if taken is not None:
            return refused(str(entry.id), taken)
        await self._events.commit(AttachmentIntended(entry.id, self._clock.now()))

        async def write() -> None:
            may_send = partial(self._may_send, entry.id)
            await self._azure.maintenance_writer.attach(
                machine.id, machine.location, entry.name, entry.configuration, may_send=may_send
            )

        async def stands() -> bool:
            return await self._find(entry) is not None

        # A resume sends what was not sent; what was refused has had its turn, and is attached by another plan.
        return await written(
            str(entry.id), entry.name, AttachEnd.ATTACHED, write, stands, again=_PLAN_ANEW, unsent=_TAKE_UP
        )

    async def _detach(
        self, entry: AttachmentEntry, machine: Machine, standing: Sequence[ConfigurationAssignment]
    ) -> AttachResult:
        if not any(_is(one, entry) for one in standing):
            end = AttachEnd.DETACHED if entry.step is Step.INTENDED else AttachEnd.UNCHANGED
            return AttachResult(str(entry.id), end, assignment=entry.name)
        obstacle = detach_obstacle(machine, self._plan.wanted)
        if obstacle is not None:
            return refused(str(entry.id), obstacle)
        await self._events.commit(AttachmentIntended(entry.id, self._clock.now()))

        async def write() -> None:
            may_send = partial(self._may_send, entry.id)
            await self._azure.maintenance_writer.detach(entry.id, entry.name, may_send=may_send)

        async def gone() -> bool:
            return await self._find(entry) is None

        return await written(str(entry.id), entry.name, AttachEnd.DETACHED, write, gone, again=_TAKE_UP)

    async def _find(self, entry: AttachmentEntry) -> ConfigurationAssignment | None:
        standing = await self._azure.maintenance.assignments_on(entry.id)
        return next((one for one in standing if _is(one, entry)), None)

    async def _read_configuration(self) -> MaintenanceConfiguration | RequestError:
        wish = self._plan.then_attach
        assert wish is not None  # noqa: S101 - only such plans attach, for the type checker
        async with self._reading:
            if self._configuration is None:
                try:
                    self._configuration = await self._azure.maintenance.configuration(wish.configuration)
                except RequestError as error:
                    self._configuration = error
        return self._configuration


def detach_obstacle(machine: Machine, wanted: WantedSettings) -> AttachObstacle | None:
    """Why a schedule is not taken off a machine: Azure would patch and reboot it at will from then on.

    Args:
        machine: as its provider shows it now.
        wanted: whether that was asked for by name.

    Source: an Azure-Managed machine with a schedule attached has failing runs only, and without one Azure patches it
    (the decision table of "Scheduled patching prerequisites" and of "Automatic guest patching").
    """
    asked_for = wanted.orchestration is Orchestration.AZURE_MANAGED
    if asked_for or not machine.may_be_azure_managed:
        return None
    return AttachObstacle(
        "would-autopatch",
        "Its patch orchestration is now Azure Managed: without a schedule "
        "Azure patches and reboots it at a time it chooses."
        if machine.orchestration is Orchestration.AZURE_MANAGED
        else "Its patch settings can no longer be read: without a schedule "
        "Azure may patch and reboot it at a time it chooses.",
        "Set another orchestration first, or roll back with --allow-azure-managed.",
    )


def unverified_because(entry: AttachmentEntry, machine: Machine, plan: Plan) -> str | None:
    """Why a machine's settings do not stand as the plan wants them, as just read; None: they do."""
    if entry.change is not None:
        moved = [one for one in differences(entry.change, machine.document or {}) if touches_settings(one)]
        return None if not moved else f"{moved[0].path} is {moved[0].found} instead of {moved[0].expected}"
    if isinstance(plan_machine(machine, wanted_of(machine, plan.wanted, attaches=True)), Unchanged):
        return None
    return "it is no longer compliant, which it was when the plan was made"


def _is_called(assignment: ConfigurationAssignment, name: str) -> bool:
    return assignment.name.casefold() == name.casefold()


def _is(assignment: ConfigurationAssignment, entry: AttachmentEntry) -> bool:
    return assignment.configuration == entry.configuration and _is_called(assignment, entry.name)


def _unread(entry: AttachmentEntry, error: RequestError) -> AttachResult:
    if is_signed_out(error):
        raise signed_out(error) from error
    is_uncertain = entry.step is Step.INTENDED
    return AttachResult(
        str(entry.id),
        AttachEnd.UNKNOWN if is_uncertain else AttachEnd.NOT_SENT,
        assignment=entry.name if is_uncertain else None,
        error=MachineError(error.code, error.message, is_uncertain, error.advice or RESUME, error.status),
        request_id=error.request_id,
        correlation_id=error.correlation_id,
    )
