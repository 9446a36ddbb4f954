"""Drift for people: one machine a paragraph, what moved, and who moved it as far as Azure tells.

Must not: name anybody whom Azure does not name.
"""

import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from patchmode.model.drift import Drift, DriftKind, ResourceChange
from patchmode.model.outcome import OutcomeKind
from patchmode.model.plain_text import printable
from patchmode.model.resource_id import ResourceId
from patchmode.reports.columns import wrapped
from patchmode.reports.machine_names import MachineNames
from patchmode.reports.paint import Paint

NOT_TOLD = "not told by Azure"
_NO_CLIENT = frozenset({"", "unknown", "unspecified"})
"""What Azure writes where it does not know the client."""
_MARKS = {DriftKind.CHANGED: ("~", "change"), DriftKind.CAME: ("+", "add"), DriftKind.WENT: ("-", "remove")}
_BAD = frozenset({OutcomeKind.AUTOPATCHED, OutcomeKind.SCHEDULE_FAILS, OutcomeKind.PARKED, OutcomeKind.NOT_PATCHED})


def drift_lines(drift: Drift, names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """One machine's drift as lines, without line feeds.

    Args:
        drift: of one machine.
        names: of everything that was looked at.
        paint: colours and width.
    """
    mark, meaning = _MARKS[drift.kind]
    said = {
        DriftKind.CHANGED: "",
        DriftKind.CAME: "  came into the scope",
        DriftKind.WENT: "  is gone from the scope",
    }
    yield f"{paint(meaning, mark)} {paint('strong', names.short(drift.id))}{said[drift.kind]}"
    for move in drift.moves:
        yield from wrapped(f"{move.field}: {_text(move.before)} -> {_text(move.after)}", paint=paint, indent=4, hang=6)
    if drift.is_outcome_change:
        yield from _outcome(drift, paint)
    for what, ids in (("gained", drift.schedules_gained), ("lost", drift.schedules_lost)):
        for text in ids:
            yield from wrapped(
                f"schedule {what}: {names.schedule(ResourceId.parse(text))}", paint=paint, indent=4, hang=6
            )
    if drift.because:
        yield from wrapped(drift.because, paint=paint, indent=4)
    yield from wrapped(f"by: {author_text(drift.author)}", paint=paint, indent=4, hang=8)


def _outcome(drift: Drift, paint: Paint) -> Iterator[str]:
    before, after = drift.outcome_before or "(not there)", drift.outcome_after or "(gone)"
    is_bad = drift.outcome_after in _BAD
    for line in wrapped(f"outcome: {before} -> {after}", paint=paint, indent=4, hang=6):
        yield paint("bad" if is_bad else "strong", paint("strong", line) if is_bad else line)
    if drift.kind is not DriftKind.WENT:
        yield from wrapped(drift.outcome_reason, paint=paint, indent=6)


def author_text(author: ResourceChange | None) -> str:
    """Who did it, in Azure's own words; what it leaves out is left out."""
    if author is None:
        return NOT_TOLD
    who = author.changed_by or "(who: not told)"
    kind = f" ({author.changed_by_type})" if author.changed_by_type else ""
    client = f" with {author.client_type}" if (author.client_type or "").casefold() not in _NO_CLIENT else ""
    operation = f", {author.operation}" if author.operation else ""
    at = f", {author.at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if author.at else ""
    return f"{who}{kind}{client}{operation}{at}"


def _text(value: Any) -> str:
    return "(absent)" if value is None else printable(json.dumps(value, ensure_ascii=False))
