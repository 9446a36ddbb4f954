"""What a verification finds and the run did not do: leaves that were as planned, and that were changed afterwards.

Must not: excuse a patch setting, or a machine that was made anew under its id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from patchmode.model.drift import ResourceChange
from patchmode.model.outcome import Difference, LaterChange, Verification
from patchmode.rules.verification import touches_settings

_IDENTITY = frozenset({"properties.vmId", "properties.timeCreated"})
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def told_apart(found: Verification, at_end: Verification | None) -> Verification:
    """A verification whose later changes are told beside its mismatches.

    Args:
        found: what differs now from what the change must leave.
        at_end: what the run itself found when the change ended; of a plan of which no run is known, a verification
            without differences. A leaf that differed then is the run's; with None, or where the machine could not be
            read then, nothing shows that it is not.
    """
    if at_end is None or at_end.unreadable_because is not None or found.unreadable_because is not None:
        return found
    then = {one.path for one in at_end.differences}
    later = [one for one in found.differences if one.path not in then and _is_beside_the_plan(one)]
    rest = tuple(one for one in found.differences if one not in later)
    return replace(found, verified=not rest, differences=rest, changed_later=tuple(map(LaterChange, later)))


def _is_beside_the_plan(one: Difference) -> bool:
    return not touches_settings(one) and one.path not in _IDENTITY


def with_authors(found: Verification, changes: Iterable[ResourceChange]) -> Verification:
    """The same with Azure's record of each later change where one names machine and leaf; of several the latest."""
    own = [one for one in changes if one.resource_id.casefold() == found.id.key]
    told = (replace(one, author=_author(one.difference.path, own)) for one in found.changed_later)
    return replace(found, changed_later=tuple(told))


def _author(path: str, changes: Sequence[ResourceChange]) -> ResourceChange | None:
    fitting = [one for one in changes if any(_names(stated, path) for stated in one.paths)]
    return max(fitting, key=lambda one: one.at or _EARLIEST, default=None)


def _names(stated: str, path: str) -> bool:
    """Whether a record's path is that of the leaf, or of an object that holds it."""
    left, right = stated.casefold(), path.casefold()
    return right == left or right.startswith((f"{left}.", f"{left}["))
