"""What the web console is handed: the composition root's other half, for the one face that is not a command line.

Must not: know pages. Beside `commands/console.py` nothing of `cli` knows `patchmode.console`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from patchmode.cli import composition
from patchmode.cli.packing import pack
from patchmode.cli.settings import Settings
from patchmode.console.rooms import Rooms
from patchmode.model.brakes import RunBrakes
from patchmode.model.evidence import Evidence
from patchmode.model.plan import Plan
from patchmode.store.plan_file import plan_pieces, read_plan, write_plan
from patchmode.store.run_rows import run_to_document
from patchmode.workflow.ports import Azure


def rooms_for(settings: Settings) -> Rooms:
    """The rooms of one console.

    Args:
        settings: cloud and state folder are looked at.
    """
    clock = composition.clock()

    def connect(
        *,
        read_only: bool,
        concurrency: int = 0,
        brakes: RunBrakes | None = None,
        remark: Callable[[str], None],
    ) -> AbstractAsyncContextManager[Azure]:
        own = settings if brakes is None else replace(settings, share=brakes.share)
        patience_s = None if brakes is None else brakes.throttle_patience
        return composition.connected(
            own, read_only=read_only, concurrency=concurrency, throttle_patience_s=patience_s, remark=remark
        )

    def keep_plan(plan: Plan) -> tuple[Path, Plan]:
        path = composition.new_plan_path(settings, clock)
        write_plan(plan, path)
        return path, read_plan(path)

    def journal_pieces(run: str) -> Iterator[bytes]:
        journal = composition.run_store(settings).open(run)
        try:
            yield from journal.snapshot()
        finally:
            journal.release()

    def evidence_zip(run: str, evidence: Evidence) -> bytes:
        journal = composition.run_store(settings).open(run)
        try:
            with TemporaryDirectory(prefix="patchmode-") as folder:
                path = Path(folder) / "evidence.zip"
                pack(journal, evidence, path)
                return path.read_bytes()
        finally:
            journal.release()

    return Rooms(
        connect=connect,
        clock=clock,
        runs=composition.run_store(settings),
        keep_plan=keep_plan,
        plan_pieces=plan_pieces,
        run_document=run_to_document,
        journal_pieces=journal_pieces,
        evidence_zip=evidence_zip,
    )
