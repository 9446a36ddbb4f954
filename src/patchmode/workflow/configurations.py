"""Maintenance configurations as users name them: by id, or by a name that only one has.

Must not: read anything.
"""

import difflib
from collections.abc import Iterable

from patchmode.errors import UsageError
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.schedule import MaintenanceConfiguration, ScheduleBook

TYPE = "microsoft.maintenance/maintenanceconfigurations"
_LIST = "`patchmode schedule list` shows those you can see."


def named_configuration(text: str, known: Iterable[MaintenanceConfiguration]) -> ResourceId:
    """The id that a text names; an id need not be known, a name must be.

    Args:
        text: an id, or a name, without regard to case.
        known: the configurations that can be seen, of any maintenance scope.

    Raises:
        UsageError: the id is not a configuration's; no known one or several have the name, and then all candidates are
            named; or it is known and patches no guests.
    """
    known = tuple(known)
    if not text.startswith("/"):
        return checked(_by_name(text, known)).id
    try:
        wanted = ResourceId.parse(text)
    except ResourceIdError as error:
        raise UsageError(f"--schedule: {error}.", advice=_LIST) from error
    if wanted.full_type != TYPE:
        raise UsageError(
            f"--schedule: {wanted} is a {wanted.namespace}/{wanted.type}, not a maintenance configuration.",
            advice=_LIST,
        )
    found = next((entry for entry in known if entry.id == wanted), None)
    return wanted if found is None else checked(found).id


def checked(found: MaintenanceConfiguration) -> MaintenanceConfiguration:
    """The same configuration, where it patches guests.

    Raises:
        UsageError: it is of another maintenance scope.
    """
    if found.is_guest_patching:
        return found
    raise UsageError(
        f"{found.name} has the maintenance scope {found.scope or 'none'}, not InGuestPatch: it patches no guests.",
        advice=_LIST,
    )


def nearest(name: str, known: Iterable[MaintenanceConfiguration]) -> str:
    """Advice for a name that is none: the nearest one, or where to look."""
    names = {entry.name.casefold(): entry.name for entry in known if entry.is_guest_patching}
    near = difflib.get_close_matches(name.casefold(), names, n=1, cutoff=0.5)
    return f"Did you mean {names[near[0]]!r}?" if near else _LIST


def raise_if_named_only(text: str, book: ScheduleBook) -> None:
    """Say what is left of a configuration that is gone, or out of sight: the assignments that name it.

    Args:
        text: as a user gave it.
        book: with every assignment that can be seen, and no configuration that the text means.

    Raises:
        UsageError: assignments or dynamic scopes name it.
    """
    attached = [one.configuration for one in book.assignments]
    attached += [one.configuration for one in book.dynamic_scopes]
    named = [one for one in attached if is_named(text, one)]
    if not named:
        return
    still = "One assignment still names it" if len(named) == 1 else f"{len(named):,} assignments still name it"
    raise UsageError(
        f"You see no maintenance configuration {named[0]}: it does not exist, or you cannot read it. {still}.",
        advice="`patchmode schedule check` says where, and how to take them off.",
    )


def is_named(text: str, identifier: ResourceId) -> bool:
    """Whether a text is the id of a configuration, its name, or `group/name`."""
    wanted = text.strip().rstrip("/").casefold()
    return wanted in {
        identifier.key,
        identifier.name.casefold(),
        f"{identifier.resource_group}/{identifier.name}".casefold(),
    }


def _by_name(name: str, known: tuple[MaintenanceConfiguration, ...]) -> MaintenanceConfiguration:
    named = [entry for entry in known if entry.name.casefold() == name.casefold()]
    if len(named) == 1:
        return named[0]
    if named:
        ids = "\n    ".join(str(entry.id) for entry in named)
        raise UsageError(
            f"{len(named)} maintenance configurations are named {name!r}:\n    {ids}", advice="Give the id instead."
        )
    raise UsageError(f"You see no maintenance configuration named {name!r}.", advice=nearest(name, known))
