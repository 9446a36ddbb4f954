"""The assignments of a run: attached once a machine's settings were verified, or taken off before they are touched.

For each machine: see that its settings stand, look at its assignments, commit the intent, send the one request, look
again, commit the end. Azure does it while the request lasts and it is safe to repeat, so that what a kill leaves behind
is settled by looking.

Must not: attach to a machine whose settings were not seen to stand just now, or take a schedule off where Azure would
then patch the machine at will.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from patchmode.errors import RequestError
from patchmode.model.guardrails import Halt
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Plan, Unchanged
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result
from patchmode.model.schedule import (
    AttachAction,
    AttachEnd,
    AttachResult,
    ConfigurationAssignment,
    MaintenanceConfiguration,
)
from patchmode.ports.azure import Azure, Clock
from patchmode.ports.run import AttachmentEntry, RunJournal, Step
from patchmode.rules.schedules.attaching import AttachObstacle, attach_obstacle, name_obstacle
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.transitions import wanted_of
from patchmode.rules.settings.verification import differences, touches_settings
from patchmode.timing import all_of
from patchmode.workflow.run.guardrails import RESUME, is_failure, next_step
from patchmode.workflow.run.refusals import is_signed_out, signed_out
from patchmode.workflow.schedules.attachment import AT_ONCE, refused, written

NOT_VERIFIED = "SettingsNotVerified"
_TAKE_UP = "take the run up with `patchmode runs resume`"
_PLAN_ANEW = "make a new plan with --then-attach"
Ended = Callable[[AttachmentEntry, AttachResult | None], Awaitable[None]]


class Attacher:
    """Attaches or detaches what a run's plan names, a few machines of each subscription at a time.

    Args:
        journal: the run's: nothing is sent that it has not committed.
        azure: a connection that may write.
        clock: the time of each end.
        may_send: asked before each machine, where a no gives it no turn in this session; and once more at the last
            moment before its request leaves, which may be long after.
        ended: called with each end, which it commits, or with None for a machine that had no turn; awaited.
        under_way: lets each machine in, and out again when its end was told.
    """

    def __init__(
        self,
        journal: RunJournal,
        azure: Azure,
        *,
        clock: Clock,
        may_send: Callable[[AttachmentEntry], bool],
        ended: Ended,
        under_way: Callable[[AttachmentEntry], AbstractAsyncContextManager[None]],
    ) -> None:
        self._journal = journal
        self._azure = azure
        self._clock = clock
        self._may_send = may_send
        self._ended = ended
        self._plan = journal.plan
        self.entries = {entry.id: entry for entry in journal.attachments()}
        """By machine, as they were when this session began."""
        self.results = {entry.id: entry.result for entry in self.entries.values() if entry.result and is_over(entry)}
        """What has ended for good."""
        self.failed_before = {one: end for one, end in attached_so_far(self.entries.values()) if is_failure(end)}
        """What had failed when this session began, be it tried again."""
        # A queue for each subscription, which has a throttle of its own: one that is held back holds up no other.
        self._queues: dict[str, asyncio.Queue[AttachmentEntry | None]] = {
            one.subscription_id: asyncio.Queue() for one in self.entries
        }
        self._under_way = under_way
        self._configuration: MaintenanceConfiguration | RequestError | None = None
        self._reading = asyncio.Lock()

    def offer(self, machine_ids: Iterable[ResourceId]) -> int:
        """Give these machines their turn; one that has none in the plan, or had it before, is passed over.

        Returns:
            How many have one; `ended` is called as often.
        """
        found = [self.entries[one] for one in machine_ids if one in self.entries and one not in self.results]
        for entry in found:
            self._queues[entry.id.subscription_id].put_nowait(entry)
        return len(found)

    async def refuse(self, refused: Mapping[ResourceId, Halt]) -> None:
        """End as not sent what these machines would get or lose; it has its turn when the run is taken up.

        What may have been sent, or failed, keeps what is known of it; a schedule that waits for its machine's settings
        is told by the end of those.

        Args:
            refused: why, by machine; one that has none in the plan is passed over.
        """
        for entry in self.entries.values():
            is_unsent = entry.step is Step.PENDING or (entry.result and entry.result.result is AttachEnd.NOT_SENT)
            waits = entry.action is AttachAction.ATTACH and entry.change is not None
            if entry.id in refused and is_unsent and not waits:
                self.results[entry.id] = _unsent(entry, refused[entry.id].code, refused[entry.id].told)
                await self._ended(entry, self.results[entry.id])

    def is_unsent(self, machine_id: ResourceId) -> bool:
        """Whether a machine had its turn and was not sent, which a resume makes good."""
        result = self.results.get(machine_id)
        return result is not None and result.result is AttachEnd.NOT_SENT and not is_settled(result)

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

    async def _work(self, queue: "asyncio.Queue[AttachmentEntry | None]") -> None:
        while (entry := await queue.get()) is not None:
            async with self._under_way(entry):
                result = (await self._carry_out(entry)).at(self._clock.now()) if self._may_send(entry) else None
                if result is not None:
                    self.results[entry.id] = result
                await self._ended(entry, result)

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
        await self._journal.intend_attachment(entry.id, at=self._clock.now())

        async def write() -> None:
            may_send = partial(self._may_send, entry)
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
        await self._journal.intend_attachment(entry.id, at=self._clock.now())

        async def write() -> None:
            may_send = partial(self._may_send, entry)
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


def is_over(entry: AttachmentEntry) -> bool:
    """What was never sent has its turn when the run is taken up, and what still has to come off has it again."""
    if entry.action is AttachAction.DETACH:
        return entry.result is not None and entry.result.is_fine
    return entry.result is not None and entry.result.result is not AttachEnd.NOT_SENT


def attached_so_far(entries: Iterable[AttachmentEntry]) -> Iterator[tuple[ResourceId, AttachResult]]:
    """Each machine's end, those that have their turn again included: a budget counts what failed until it is done."""
    return ((one.id, one.result) for one in entries if one.step is Step.ENDED and one.result is not None)


def may_be_attached(result: ChangeResult) -> bool:
    """Whether a change ended so that its machine may be given the schedule: this run set it, and it was verified."""
    return result.result is Result.APPLIED and result.verification is not None and result.verification.verified


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
        "Its patch orchestration is Azure Managed by now: without a schedule Azure patches and reboots it at will."
        if machine.orchestration is Orchestration.AZURE_MANAGED
        else "Its patch settings cannot be read by now: without a schedule Azure may patch and reboot it at will.",
        "Set another orchestration first, or roll back with --allow-azure-managed.",
    )


def unverified_because(entry: AttachmentEntry, machine: Machine, plan: Plan) -> str | None:
    """Why a machine's settings do not stand as the plan wants them, as just read; None: they do."""
    if entry.change is not None:
        moved = [one for one in differences(entry.change, machine.document or {}) if touches_settings(one)]
        return None if not moved else f"{moved[0].path} is {moved[0].found} instead of {moved[0].expected}"
    if isinstance(plan_machine(machine, wanted_of(machine, plan.wanted, attaches=True)), Unchanged):
        return None
    return "it is no longer set as wanted, which it was when the plan was made"


def not_verified(entry: AttachmentEntry, because: str) -> AttachResult:
    """The result of a machine that does not get the schedule because its settings were not seen to stand."""
    error = MachineError(
        NOT_VERIFIED,
        f"The schedule was not attached to {entry.id}: {because}.",
        may_have_been_applied=False,
        advice="Make a new plan with --then-attach once the machine is right.",
    )
    return AttachResult(str(entry.id), AttachEnd.NOT_SENT, error=error)


def is_settled(result: AttachResult) -> bool:
    """Whether nothing was sent because of what became of the machine's settings: a resume finds nothing to do there."""
    return result.error is not None and result.error.code == NOT_VERIFIED


def result_of_attachment(
    entry: AttachmentEntry, settled: ChangeResult | None, *, halt: Halt | None = None
) -> AttachResult:
    """What is known of one attachment, whatever step it has come to.

    Args:
        entry: as the journal has it.
        settled: what became of the machine's change, or how far it is known to have come; None: it has none.
        halt: why it had no turn; None: it is not known here.
    """
    if entry.step is Step.ENDED and entry.result is not None:
        return entry.result
    doing = "attached" if entry.action is AttachAction.ATTACH else "taken off"
    if entry.step is Step.INTENDED:
        message = f"The schedule may have been {doing} on {entry.id}, and how it ended was not written down."
        error = MachineError("Interrupted", message, may_have_been_applied=True, advice=RESUME)
        return AttachResult(str(entry.id), AttachEnd.UNKNOWN, assignment=entry.name, error=error)
    if settled is not None and _has_ended(settled) and not may_be_attached(settled):
        return not_verified(entry, f"its settings were not verified (the change's result is {settled.result.value})")
    code, why = "Pending", "had not had its turn"
    if entry.action is AttachAction.ATTACH and settled is not None and settled.result is Result.NOT_SENT:
        code = settled.error.code if settled.error is not None else code
        why = "waits for the settings of its machine, and those were not sent"
    elif halt is not None:
        code, why = halt.code, halt.told
    return _unsent(entry, code, why)


def _unsent(entry: AttachmentEntry, code: str, why: str) -> AttachResult:
    message = f"Nothing was sent: the schedule of {entry.id} {why}."
    error = MachineError(code, message, may_have_been_applied=False, advice=next_step(code))
    return AttachResult(str(entry.id), AttachEnd.NOT_SENT, error=error)


def _has_ended(change: ChangeResult) -> bool:
    """Whether a resume has nothing to do: what has no end yet goes on then, and what was not sent begins."""
    is_under_way = change.result is Result.UNKNOWN and change.ended_at is None
    return change.result is not Result.NOT_SENT and not is_under_way


def still_attached(entry: AttachmentEntry, result: AttachResult | None) -> ChangeResult:
    """The result of a change that has to wait because its machine's schedule was not taken off."""
    because = f" ({result.error.code})" if result is not None and result.error is not None else ""
    error = MachineError(
        "StillAttached",
        f"Nothing was sent to {entry.id}: its schedule comes off first, and did not come off{because}.",
        may_have_been_applied=False,
        advice=RESUME,
    )
    return ChangeResult(entry.id, Result.NOT_SENT, error)


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
