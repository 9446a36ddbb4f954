"""`patchmode/notice/v1`: what is sent to a web hook when a run or a watch has ended.

Must not: name a machine, or hold what opens a door; whoever reads a channel of a chat may read it.
"""

from datetime import datetime
from typing import Literal

from patchmode.documents.base import Edge, TargetRow


class NoticeDocument(Edge, frozen=True):
    """How a command ended."""

    format: Literal["patchmode/notice/v1"]
    sent_at: datetime
    command: str
    """Its words without options, such as `runs resume`."""
    exit_code: int
    verdict: str
    """What the exit code means for this command, in a sentence without its period."""
    run: str | None
    """Null: no run had begun, or the command has none."""
    state: str | None
    """Of the run, as in its report; null: it is not known."""
    halts: tuple[str, ...]
    """Codes of what held the run back, such as a spent failure budget; empty: nothing did."""
    target: TargetRow | None
    """Null: it is not known."""
    counts: dict[str, int]
    """Of a run as in its report, with `attached` and `notAttached` where it attaches schedules; of a watch `looks`,
    `machines`, `changed` and `failedLooks`. Empty: none is known."""
    next: tuple[str, ...]
    """Commands with which to go on; empty: none is needed."""
