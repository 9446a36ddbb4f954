"""What the console is handed by whoever starts it: connections, the runs on disk, and how a document is written.

Must not: contain behaviour. `cli/commands/console.py` fulfils this.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from patchmode.model.evidence import Evidence
from patchmode.model.guardrails import RunGuardrails
from patchmode.model.plan import Plan
from patchmode.model.reading import Reading
from patchmode.model.report import AuditReport
from patchmode.model.run import RunReport, RunSummary
from patchmode.model.scope import Scope
from patchmode.model.target import Target
from patchmode.ports.azure import Azure, Clock
from patchmode.ports.run import RunJournal


class OpenJournal(RunJournal, Protocol):
    """A journal that can be put away without a word on the run's state."""

    def release(self) -> None:
        """Close it. Safe to repeat."""
        ...


class Runs(Protocol):
    """The runs of the state folder; a journal must be opened, used and released on one thread."""

    def create(self, plan: Plan, *, brakes: RunGuardrails | None = None) -> OpenJournal:
        """Begin a run of a plan; raises as `RunStore.create`."""
        ...

    def open(self, run: str = ..., *, for_writing: bool = False, plan: Plan | None = None) -> OpenJournal:
        """Open a run's journal; raises as `RunStore.open`."""
        ...

    def check_not_begun(self, plan: Plan) -> None:
        """Refuse a plan of which there is a run; raises as `RunStore.check_not_begun`."""
        ...

    def list(self) -> Sequence[RunSummary]:
        """Every run, oldest first."""
        ...


class Connect(Protocol):
    """Opens a signed-in connection."""

    def __call__(
        self,
        *,
        read_only: bool,
        concurrency: int = 0,
        brakes: RunGuardrails | None = None,
        remark: Callable[[str], None],
    ) -> AbstractAsyncContextManager[Azure]:
        """A connection; closed at the end of the block.

        Args:
            read_only: refuse everything but reading.
            concurrency: changes under way at once.
            brakes: a run's, for its share of Azure's limits and its patience with them; None: for reading.
            remark: is told of throttle pauses and retries.
        """
        ...


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that the console reaches the world through."""

    connect: Connect
    clock: Clock
    runs: Runs
    keep_plan: Callable[[Plan], tuple[Path, Plan]]
    """Writes a plan file into the state folder and reads it back: what is applied stands in that file."""
    plan_pieces: Callable[[Plan], Iterable[bytes]]
    """A plan file's content."""
    plan_from: Callable[[bytes, str, Callable[[str], None]], Plan]
    """The plan in a file's content; the name is for messages, and remarks are told. Refuses a file that is no plan, was
    edited, or is not what the rules make of its documents, as `patchmode apply FILE` does."""
    run_document: Callable[[RunReport, Target], Any]
    """`patchmode/run/v1`."""
    journal_pieces: Callable[[str], Iterable[bytes]]
    """A consistent copy of a run's journal, also of one that is under way; read on one thread."""
    keep_reading: Callable[[Reading], Sequence[Reading]]
    """Adds one to those in the state folder; all that are kept, oldest first."""
    audit_file: Callable[[AuditReport, str], bytes]
    """An audit's report in a format of `patchmode report`: `html`, `xlsx`, `markdown`, `csv-excel`."""
    run_file: Callable[[RunReport, Plan, str], bytes]
    """A run's report, likewise."""
    evidence_zip: Callable[[str, Evidence], bytes]
    """A run's evidence as `patchmode evidence pack` writes it, from what was gathered of that run."""


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """How the console was started."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free one."""
    allow_writes: bool = False
    scope: Scope = field(default_factory=lambda: Scope(everything=True))
    """The machines that are shown."""
    brakes: RunGuardrails = field(default_factory=RunGuardrails)
    """What holds back every run that is begun here, and what is added to one that is taken up."""
