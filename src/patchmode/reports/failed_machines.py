"""Errors of many machines, each told once with the machines that met it.

Azure's words name the machine, so that no two errors are equal as they stand: they are compared without it.

Must not: leave a machine's words out where it met an error of its own.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from patchmode.model.outcome import MachineError
from patchmode.model.resource_id import ResourceId
from patchmode.reports.columns import wrapped
from patchmode.reports.headings import some
from patchmode.reports.machine_names import MachineNames
from patchmode.reports.paint import Paint

ANY_ID, ANY_NAME = "ID", "MACHINE"
"""What stands for the machine's id and name in words that several machines share."""
_IDS_OPTION = f"--ids {ANY_ID}"
"""In a command that is told it must be every machine's, so that the command runs as it stands."""


@dataclass(frozen=True, slots=True)
class FailedMachine:
    """One machine and what it met."""

    id: ResourceId
    error: MachineError | None
    """None: it is not known."""
    correlation_id: str | None = None
    """Azure's, for a support case."""


def failed_lines(failed: Iterable[FailedMachine], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """Each error once: its machines and code, Azure's words, what to do, and one correlation id.

    Args:
        failed: in the order in which they are told; empty: no line.
        names: of the whole output.
        paint: colours and width.
    """
    groups: dict[tuple[str, str, str], list[FailedMachine]] = defaultdict(list)
    for one in failed:
        error = one.error
        key = (error.code, _without(one.id, error.message), _without(one.id, error.advice)) if error else ("", "", "")
        groups[key].append(one)
    for (code, *shared), members in groups.items():
        alone = members[0].error if len(members) == 1 else None
        message, advice = (alone.message, alone.advice) if alone else shared
        advice = advice.replace(_IDS_OPTION, f"--ids {' '.join(str(one.id) for one in members)}")
        yield f"  {paint('strong', some([names.short(one.id) for one in members]))}{f'  {code}' if code else ''}"
        if message:
            yield from wrapped(message, paint=paint, indent=6)
        if advice:
            yield from wrapped(f"→ {advice}", paint=paint, indent=6, hang=8)
        yield from _correlation(members, code, paint)


def _correlation(members: Sequence[FailedMachine], code: str, paint: Paint) -> Iterator[str]:
    ids = [one.correlation_id for one in members if one.correlation_id]
    if ids and code:
        yield from wrapped(f"correlation id {some(ids, 1)}", paint=paint, indent=6)


def _without(machine_id: ResourceId, text: str) -> str:
    """A text in which nothing tells which machine it is about."""
    # Patterns cost more than the rest together, and the plain spellings are the usual ones.
    text = text.replace(str(machine_id), ANY_ID).replace(machine_id.key, ANY_ID)
    if machine_id.name.casefold() not in text.casefold():
        return text
    text = re.sub(re.escape(str(machine_id)), ANY_ID, text, flags=re.IGNORECASE)
    name = rf"(?<![\w.-]){re.escape(machine_id.name)}(?![\w-])"
    return re.sub(name, ANY_NAME, text, flags=re.IGNORECASE)
