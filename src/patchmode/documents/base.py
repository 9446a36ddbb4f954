"""The base of every JSON document: camelCase members, nothing unknown, frozen; and the text of its schema."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec

from patchmode.model.target import SubscriptionNames

if TYPE_CHECKING:
    from collections.abc import Iterable


Document = TypeVar("Document", bound=msgspec.Struct)
_SUBSCRIPTION = re.compile(rb"/subscriptions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)


class Edge(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """The base of a document's structs. A reader of one refuses members that it does not know."""


class SubscriptionRow(Edge, frozen=True):
    """What a subscription is called."""

    subscription_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    display_name: str
    """As Azure gave it: not unique, and whatever its owner typed."""


Subscriptions = tuple[SubscriptionRow, ...] | msgspec.UnsetType
"""The type of a document's `subscriptions`; UNSET: no name is known."""


def subscription_rows(names: SubscriptionNames) -> Subscriptions:
    """The structs for names; UNSET where none are known."""
    rows = (SubscriptionRow(subscription_id=one, display_name=name) for one, name in names.pairs)
    return tuple(rows) or msgspec.UNSET


def subscriptions_in(document: object, names: SubscriptionNames) -> Subscriptions:
    """The structs for the names of every subscription that a document speaks of, and of others that bear one of them.

    Args:
        document: JSON values or structs, without `subscriptions`.
        names: every name that is known.
    """
    if not names.pairs:
        return msgspec.UNSET
    told = {one.decode().lower() for one in _SUBSCRIPTION.findall(msgspec.json.encode(document))}
    return subscription_rows(names.kept_for(told))


def with_subscriptions(document: Document, names: SubscriptionNames) -> Document:
    """A document with what its subscriptions are called, as `subscriptions_in` tells it.

    Args:
        document: a struct with a member `subscriptions`.
        names: every name that is known.
    """
    return msgspec.structs.replace(document, subscriptions=subscriptions_in(document, names))


def subscriptions_member(document: object, names: SubscriptionNames) -> dict[str, object]:
    """`subscriptions` of a document of JSON values, as `subscriptions_in` tells it; empty where no name is known."""
    rows = subscriptions_in(document, names)
    return {} if rows is msgspec.UNSET else {"subscriptions": msgspec.to_builtins(rows)}


def subscription_names(rows: "Iterable[SubscriptionRow] | msgspec.UnsetType") -> SubscriptionNames:
    """The names in their structs."""
    if rows is msgspec.UNSET:
        return SubscriptionNames()
    return SubscriptionNames.of((row.subscription_id, row.display_name) for row in rows)


def schema_text(struct: type[msgspec.Struct]) -> str:
    """The JSON Schema (draft 2020-12) of a struct, laid out for reading, ending in a line feed."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(struct)}
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def write_schemas(folder: Path, schemas: Mapping[str, str]) -> None:
    """Write schemas into a folder, over what is there.

    Args:
        folder: must exist.
        schemas: file name → text.

    Raises:
        OSError: the folder cannot be written.
    """
    for name, text in schemas.items():
        (folder / name).write_text(text, encoding="utf-8")
