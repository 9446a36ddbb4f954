"""What every JSON document of ours has in common: camelCase members, nothing unknown, nothing changed after reading.

Must not: know any document; each stands beside what writes or reads it.
"""

from typing import TYPE_CHECKING, Annotated

import msgspec

from patchmode.model.subscription_names import SubscriptionNames

if TYPE_CHECKING:
    from collections.abc import Iterable


class Edge(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """The base of a document's structs. A reader of one refuses members that it does not know."""


class SubscriptionRow(Edge, frozen=True):
    """What a subscription is called."""

    subscription_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    display_name: str
    """As Azure gave it: not unique, and whatever its owner typed."""


def subscription_rows(names: SubscriptionNames) -> "tuple[SubscriptionRow, ...] | msgspec.UnsetType":
    """The structs for names; UNSET where none are known."""
    rows = (SubscriptionRow(subscription_id=one, display_name=name) for one, name in names.pairs)
    return tuple(rows) or msgspec.UNSET


def subscription_names(rows: "Iterable[SubscriptionRow] | msgspec.UnsetType") -> SubscriptionNames:
    """The names in their structs."""
    if rows is msgspec.UNSET:
        return SubscriptionNames()
    return SubscriptionNames.of((row.subscription_id, row.display_name) for row in rows)
