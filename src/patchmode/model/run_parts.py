"""Runs that together carried out one scope, each a part of it.

Must not: read or add up; the store reads, the rules add up.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchmode.model.shard import Shard

if TYPE_CHECKING:
    from patchmode.model.outcome import RunCounts, RunReport


@dataclass(frozen=True, slots=True)
class RunPart:
    """One run of several, in the report that unites them."""

    source: str
    """Where it was read: a file, or the run's id."""
    run: str
    """Its id; empty where the shard had nothing to do, so that no run was made."""
    state: str
    """`running`, `interrupted`, `stopped`, `finished`."""
    counts: "RunCounts"
    shard: Shard | None = None
    """None: the run took a scope of its own."""


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run's report as it was found somewhere."""

    source: str
    """The file, or the run's id, for messages."""
    report: "RunReport"
    """Its `target` stands."""
    others: tuple[str, ...] = ()
    """Ids of what the run left alone or could not read; a report in JSON does not say them, a journal does."""
    is_journal: bool = False
