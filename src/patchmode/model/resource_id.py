"""Azure Resource Manager ids: parsed once, compared without regard to case.

Must not: look anything up. An id that parses may still name nothing.

Source: the same machine comes back with different casing from a GET, a subscription-wide list (which upper-cases the
resource group) and Resource Graph (recorded exchanges), so ids are never compared as text.
"""

import re
import sys
from dataclasses import dataclass, field
from typing import Self

_ID = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"/resourceGroups/(?P<group>[^/\\?#%&\x00-\x1f]{1,90})"
    r"/providers/(?P<namespace>[A-Za-z0-9.]+)/(?P<path>[^?#\x00-\x1f]+?)/?",
    re.IGNORECASE,
)

_SUBSCRIPTION = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/|$)", re.IGNORECASE
)


def is_resource(text: str) -> bool:
    """Whether a text is the id of a resource, and not of what holds resources."""
    return "/providers/" in text.casefold()


def subscription_of(any_id: str) -> str | None:
    """The subscription, in lower case, in which what an id names stands; None: it stands in none.

    Args:
        any_id: of a machine, a group, a subscription, a management group, …
    """
    match = _SUBSCRIPTION.match(any_id.strip())
    return match["subscription"].lower() if match else None


class ResourceIdError(ValueError):
    """The text is not the id of a resource in a resource group; the message says what was expected."""


@dataclass(frozen=True, slots=True, eq=False)
class ResourceId:
    """One resource in a resource group.

    Equality and hashing ignore case; `str()` gives the text as it was read, for display and for request paths.
    """

    text: str
    subscription_id: str
    resource_group: str
    namespace: str
    type: str
    """Provider type without the namespace, slash-separated for children, as written: `virtualMachines`."""
    name: str
    key: str = field(repr=False)
    """The casefolded id: the only form to compare, sort or index by."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the id of a resource in a resource group.

        Args:
            text: `/subscriptions/{guid}/resourceGroups/{group}/providers/{namespace}/{type}/{name}[/{type}/{name}…]`,
                any casing, surrounding white space and one trailing slash ignored.

        Raises:
            ResourceIdError: when the text has another form.
        """
        stripped = text.strip()
        match = _ID.fullmatch(stripped)
        segments = match["path"].split("/") if match else []
        if match is None or len(segments) % 2 or not all(segments):
            msg = (
                f"{text!r} is not a resource id: expected "
                "/subscriptions/{guid}/resourceGroups/{group}/providers/{namespace}/{type}/{name}"
            )
            raise ResourceIdError(msg)
        canonical = stripped.rstrip("/")
        return cls(
            text=canonical,
            # One copy of what thousands of machines share.
            subscription_id=sys.intern(match["subscription"].lower()),
            resource_group=sys.intern(match["group"]),
            namespace=sys.intern(match["namespace"]),
            type=sys.intern("/".join(segments[::2])),
            name=segments[-1],
            key=canonical.casefold(),
        )

    @property
    def full_type(self) -> str:
        """Namespace and type in lower case: `microsoft.compute/virtualmachines`."""
        return f"{self.namespace}/{self.type}".lower()

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceId) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: "ResourceId") -> bool:
        return self.key < other.key
