"""What of a machine a planned change depends on: while it is as the plan saw it, the change may be sent.

These are the leaves that the change touches, what tells one machine from another made anew under its id, and whatever
of the document the rules looked at when they allowed the change and made its body. Anything else of the machine may
change between the plan and the write (a tag, a disk, an extension): it is told, and the write goes on under the
machine's newest etag. docs/reference/plan-file.md says why each leaf is here.

Must not: read anything, or decide what becomes of a change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.plan import Change
from patchmode.model.run import Difference
from patchmode.rules.eligibility.owner_checks import names_owner
from patchmode.rules.settings.planning import document_of, sendable_etag
from patchmode.rules.settings.verification import ABSENT, Leaf, Path, changed_leaves, difference_of, leaf_differences

_PROFILE = ("properties", "osProfile")
_STORAGE = ("properties", "storageProfile")
_OF_A_CONFIGURATION = ("patchSettings", "enableAutomaticUpdates", "provisionVMAgent")
_OF_AN_IMAGE = ("publisher", "offer", "sku", "id", "sharedGalleryImageId", "communityGalleryImageId")
_DEPENDED_ON: tuple[Path, ...] = (
    ("id",),
    ("type",),
    ("location",),
    ("managedBy",),
    ("plan",),
    ("properties", "vmId"),
    ("properties", "timeCreated"),
    ("properties", "osType"),
    ("properties", "osSku"),
    ("properties", "licenseType"),
    ("properties", "virtualMachineScaleSet", "id"),
    (*_STORAGE, "osDisk", "osType"),
    (*_STORAGE, "osDisk", "createOption"),
    *((*_STORAGE, "imageReference", member) for member in _OF_AN_IMAGE),
    (*_PROFILE, "allowExtensionOperations"),
    *((*_PROFILE, system.configuration, member) for system in OperatingSystem for member in _OF_A_CONFIGURATION),
)
"""What the checks of `eligibility`, `patch` and `transitions` take from a document; the tags that
tell an owner besides. Not here: `provisioningState`, which says what runs on the machine now and which Azure judges
itself (409)."""
_EDITION = ("properties", "osSku")
"""The agent reports it with its heartbeats, so verification leaves it aside; a client system is told by it."""


@dataclass(frozen=True, slots=True)
class SincePlan:
    """How a machine differs from the document that a change was planned from."""

    depended_on: tuple[Difference, ...] = ()
    """What the change touches or depends on."""
    others: tuple[Difference, ...] = ()

    @property
    def all(self) -> tuple[Difference, ...]:
        """Every leaf that differs, what is depended on first."""
        return self.depended_on + self.others


def since_plan(change: Change, observed: Mapping[str, Any]) -> SincePlan:
    """What of a machine changed since the plan.

    Args:
        change: `document` is what it was planned from.
        observed: the provider's document now.

    Returns:
        Without anything depended on the change may be sent as it is: the rules would make the same of the machine.
    """
    found = [*changed_leaves(change, observed), *_edition(change, observed)]
    depended = [leaf for leaf in found if _is_depended_on(leaf)]
    others = [leaf for leaf in found if not _is_depended_on(leaf)]
    return SincePlan(tuple(map(difference_of, depended)), tuple(map(difference_of, others)))


def rebased(change: Change, observed: Machine) -> Change:
    """A change whose precondition holds, on the machine's document as it is now: what verification compares with.

    Raises:
        ValueError: the observed machine has no document.
    """
    return replace(change, etag=sendable_etag(observed.etag), document=document_of(observed))


def summed(earlier: Sequence[Difference], later: Sequence[Difference]) -> tuple[Difference, ...]:
    """Two steps of change as one: each path with its first value and its last; what came back to it is left out."""
    first = {one.path: one.expected for one in (*later, *earlier)}
    last = {one.path: one.found for one in (*earlier, *later)}
    told = (Difference(path, first[path], found) for path, found in last.items())
    return tuple(one for one in told if one.expected != one.found)


def _edition(change: Change, observed: Mapping[str, Any]) -> list[Leaf]:
    if change.kind is not MachineKind.ARC:
        return []
    planned, now = _value(change.document, _EDITION), _value(observed, _EDITION)
    return [] if planned is now else list(leaf_differences(planned, now, _EDITION))


def _value(document: Mapping[str, Any], path: Path) -> Any:
    found: Any = document
    for step in path:
        if not isinstance(found, Mapping) or step not in found:
            return ABSENT
        found = found[step]
    return found


def _is_depended_on(leaf: Leaf) -> bool:
    """Whether a leaf is one of those depended on, lies below one, or took one along with an object above it."""
    if leaf.path[0] == "tags":
        return any(map(names_owner, _tags_of(leaf)))
    return is_depended_on(leaf.path)


def is_depended_on(path: Path) -> bool:
    """Whether a member of a machine's document, no tag, is one of those that a change depends on, or holds one."""
    return any(_overlap(path, one) for one in _DEPENDED_ON)


def _tags_of(leaf: Leaf) -> list[str]:
    if len(leaf.path) > 1:
        return [str(leaf.path[1])]
    return [str(key) for side in (leaf.expected, leaf.found) if isinstance(side, Mapping) for key in side]


def _overlap(left: Path, right: Path) -> bool:
    length = min(len(left), len(right))
    return left[:length] == right[:length]
