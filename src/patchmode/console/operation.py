"""The one operation of a console that writes: a plan carried out, a run taken up, or a schedule changed, on a thread.

A browser that goes away, reloads or looks twice changes nothing of it.

Must not: change the plan, or run twice at a time.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from patchmode.console.background import SideLoop
from patchmode.console.rooms import OpenJournal, Rooms
from patchmode.errors import PatchmodeError, RunBusyError
from patchmode.model.guardrails import RunGuardrails
from patchmode.model.plan import Plan
from patchmode.model.report import CreateReport
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result, RunReport
from patchmode.model.schedule import AttachReport, AttachResult
from patchmode.ports.azure import Azure, RequestLedger
from patchmode.ports.run import Progress
from patchmode.workflow.run.applying import apply_plan, check_applicable
from patchmode.workflow.run.guardrails import check_not_frozen
from patchmode.workflow.run.options import options_of

_BAD = frozenset({Result.FAILED, Result.UNKNOWN, Result.STALE})
TOLD = 50
"""So many remarks and failures are kept for who watches; the journal has all."""
_log = logging.getLogger(__name__)


Write = Callable[[Azure, asyncio.Event, Callable[[AttachResult], None]], Awaitable[AttachReport | CreateReport]]
"""Changes a schedule: given a connection, when to begin no other machine, and who is told of each end."""


@dataclass(slots=True, eq=False)
class ConsoleOperation:
    """One plan on its way. Fulfils `ports.Observer`; what it keeps is read by the server's thread."""

    plan: Plan
    brakes: RunGuardrails
    open_journal: Callable[[], OpenJournal]
    side: SideLoop
    loop: asyncio.AbstractEventLoop
    """The server's."""
    is_new: bool = True
    """Nothing of the plan was sent yet."""
    rolled_back: Mapping[ResourceId, str] = field(default_factory=dict)
    """As `apply_plan` has it."""
    run: str | None = None
    """None until its journal stands."""
    progress: Progress | None = None
    remarks: deque[str] = field(default_factory=lambda: deque(maxlen=TOLD))
    failures: deque[ChangeResult] = field(default_factory=lambda: deque(maxlen=TOLD))
    is_stopping: bool = False
    report: RunReport | None = None
    """Once it has ended as it should."""
    error: PatchmodeError | None = None
    """Why it ended otherwise."""
    began: float = field(default_factory=time.monotonic)
    ledger: RequestLedger | None = None
    """Of its connection; None: it is not connected yet."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Its journal stands, or it never will."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _halt: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_under_way(self) -> bool:
        """Whether it has not come to its end."""
        return not self.over.is_set()

    @property
    def where(self) -> str:
        """The address of its page; empty: it has none yet."""
        return f"/runs/{self.run}" if self.run else ""

    @property
    def called(self) -> str:
        """What people call it."""
        return f"run {self.run or '(about to begin)'}"

    def stop(self) -> None:
        """Send nothing more and follow what is under way to its end. Safe to repeat."""
        if not self.is_stopping and self.is_under_way:
            self.is_stopping = True
            self.side.call(self._halt.set)

    def progressed(self, progress: Progress) -> None:
        """Keep the tally, and the failure that moved it."""
        self.progress = progress
        latest = progress.latest
        if latest is not None and latest.result in _BAD:
            self.failures.append(latest)

    def remarked(self, text: str) -> None:
        """Keep one line."""
        self.remarks.append(text)

    async def carry_out(self, rooms: Rooms) -> None:
        """Connect, open the journal, apply. Runs on the operation's own thread."""
        options = options_of(self.brakes)
        at_once = options.at_once(self.plan)
        connection = rooms.connect(read_only=False, concurrency=at_once, brakes=self.brakes, remark=self.remarked)
        async with connection as azure:
            self.ledger = azure.ledger
            check_applicable(self.plan, azure, is_new=self.is_new)
            journal = self.open_journal()
            journal.keep_brakes(self.brakes)
            self.run = journal.run
            self.loop.call_soon_threadsafe(self.begun.set)
            self.report = await apply_plan(
                journal,
                azure,
                options,
                clock=rooms.clock,
                observer=self,
                stop=self._halt,
                rolled_back=self.rolled_back,
            )


@dataclass(slots=True, eq=False)
class ScheduleOperation:
    """One change of a schedule on its way: it keeps no journal, and is repeated where it was cut off."""

    where: str
    """The address of its page."""
    total: int
    """How many machines it looks at; at least 1."""
    side: SideLoop
    ended: int = 0
    is_stopping: bool = False
    report: AttachReport | CreateReport | None = None
    """Once it has ended as it should."""
    error: PatchmodeError | None = None
    """Why it ended otherwise."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    run: str | None = None
    """Always None: it is no run."""
    _halt: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_under_way(self) -> bool:
        """Whether it has not come to its end."""
        return not self.over.is_set()

    @property
    def called(self) -> str:
        """What people call it."""
        return "a change of a schedule"

    def stop(self) -> None:
        """Begin no other machine and bring those under way to their end. Safe to repeat."""
        if not self.is_stopping and self.is_under_way:
            self.is_stopping = True
            self.side.call(self._halt.set)

    def progressed(self, _: AttachResult) -> None:
        """Count the end of a machine."""
        self.ended += 1

    async def carry_out(self, rooms: Rooms, brakes: RunGuardrails, work: Write) -> None:
        """Connect and do it. Runs on the operation's own thread."""
        async with rooms.connect(read_only=False, brakes=brakes, remark=lambda _: None) as azure:
            self.report = await work(azure, self._halt, self.progressed)


class ConsoleOperations:
    """At most one operation at a time; the latest one is kept.

    Args:
        rooms: what it reaches the world through.
        ended: called whenever one has come to its end.
    """

    def __init__(self, rooms: Rooms, *, ended: Callable[[], None]) -> None:
        self._rooms = rooms
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self.current: ConsoleOperation | ScheduleOperation | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an operation is under way."""
        return self.current is not None and self.current.is_under_way

    def under_way(self, run: str) -> ConsoleOperation | None:
        """The operation that carries this run out now; None: none here does."""
        current = self.current
        if isinstance(current, ConsoleOperation) and current.is_under_way and current.run == run:
            return current
        return None

    async def start(
        self,
        plan: Plan,
        brakes: RunGuardrails,
        open_journal: Callable[[], OpenJournal],
        *,
        is_new: bool = True,
        rolled_back: Mapping[ResourceId, str] | None = None,
    ) -> str:
        """Begin to carry a plan out.

        Args:
            plan: what the journal holds.
            brakes: what holds the run back; its journal keeps them.
            open_journal: begins or reopens the run, on the operation's own thread.
            is_new: it begins the run.
            rolled_back: of a run that is taken up, as `apply_plan` has it.

        Returns:
            The run's id, once its journal stands.

        Raises:
            RunBusyError: this console carries another plan out. RefusedError: a freeze holds. PatchmodeError: it
                could not begin. Nothing was sent.
        """
        self._check_free(brakes)
        side, loop = SideLoop("console-run"), asyncio.get_running_loop()
        operation = ConsoleOperation(plan, brakes, open_journal, side, loop, is_new, rolled_back or {})
        self.current = operation
        self._task = asyncio.create_task(self._follow(operation))
        await operation.begun.wait()
        if operation.run is None:
            assert operation.error is not None  # noqa: S101 - `_follow` keeps why, for the type checker
            raise operation.error
        return operation.run

    def write(self, where: str, total: int, brakes: RunGuardrails, work: Write) -> ScheduleOperation:
        """Begin to change a schedule.

        Args:
            where: the address of its page.
            total: how many machines it looks at; at least 1.
            brakes: those of the console, for the freezes and the share of Azure's limits.
            work: does it.

        Raises:
            RunBusyError: this console carries something else out. RefusedError: a freeze holds. Nothing was sent.
        """
        self._check_free(brakes)
        operation = ScheduleOperation(where, total, SideLoop("console-schedule"))
        self.current = operation
        self._task = asyncio.create_task(self._follow_write(operation, operation.carry_out(self._rooms, brakes, work)))
        return operation

    def _check_free(self, brakes: RunGuardrails) -> None:
        if self.current is not None and self.is_busy:
            raise RunBusyError(
                f"In this console {self.current.called} is under way; one at a time.",
                advice="Watch it, or stop it there. What you began is kept.",
            )
        check_not_frozen(options_of(brakes).freezes, self._rooms.clock)

    async def _follow_write(self, operation: ScheduleOperation, work: Coroutine[None, None, None]) -> None:
        try:
            await operation.side.run(work)
        except PatchmodeError as error:
            operation.error = error
        except Exception as error:  # noqa: BLE001 - whoever waits for its end must hear of it
            _log.exception("changing a schedule failed")
            message = f"A defect of patchmode stopped the change: {type(error).__name__}: {error}"
            operation.error = PatchmodeError(message, advice="Look at the schedule, and please report this.")
        finally:
            await operation.side.stop()
            operation.over.set()
        self._ended()

    async def _follow(self, operation: ConsoleOperation) -> None:
        try:
            await operation.side.run(operation.carry_out(self._rooms))
        except PatchmodeError as error:
            operation.error = error
        except Exception as error:  # noqa: BLE001 - whoever waits for its end must hear of it
            _log.exception("run %s failed", operation.run)
            message = f"A defect of patchmode stopped the run: {type(error).__name__}: {error}"
            advice = "Its journal holds how far each change has come; resume it. Please report this."
            operation.error = PatchmodeError(message, advice=advice)
        finally:
            await operation.side.stop()
            operation.over.set()
            operation.begun.set()
        if operation.run is not None:
            self._ended()


def finished(progress: Progress) -> int:
    """How many changes have come to an end."""
    return progress.done + progress.failed + progress.unknown + progress.stale + progress.not_sent
