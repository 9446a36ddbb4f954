"""What every JSON document shares: camelCase members, nothing unknown, frozen; rows that several have; schemas.

Must not: change what a published version means; a change of meaning is a new version.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import msgspec

from patchmode.model.left_alone import MachineError, Skipped, Unreadable
from patchmode.model.outcome import PatchedByNobody
from patchmode.model.patch_settings import Orchestration, RebootSetting, WantedSettings
from patchmode.model.run import Difference
from patchmode.model.target import SubscriptionNames, Target

Document = TypeVar("Document", bound=msgspec.Struct)
_SUBSCRIPTION = re.compile(rb"/subscriptions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)


class Edge(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """The base of a document's structs. A reader of one refuses members that it does not know."""


class SubscriptionRow(Edge, frozen=True):
    """What a subscription is called."""

    subscription_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    display_name: str
    """As Azure gave it: not unique, and whatever its owner typed."""
    home_tenant_id: str | msgspec.UnsetType = msgspec.UNSET
    """The tenant that it belongs to, as az calls it, where that one delegates it to the tenant of `target`; left out of
    every other."""


Subscriptions = tuple[SubscriptionRow, ...] | msgspec.UnsetType
"""The type of a document's `subscriptions`; UNSET: no name is known."""


def subscription_rows(names: SubscriptionNames) -> Subscriptions:
    """The structs for names; UNSET where none are known."""
    owners = dict(names.owners)
    rows = (
        SubscriptionRow(subscription_id=one, display_name=name, home_tenant_id=owners.get(one, msgspec.UNSET))
        for one, name in names.pairs
    )
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


def subscription_names(rows: Iterable[SubscriptionRow] | msgspec.UnsetType) -> SubscriptionNames:
    """The names in their structs."""
    if rows is msgspec.UNSET:
        return SubscriptionNames()
    known = tuple(rows)
    return SubscriptionNames.of(
        ((row.subscription_id, row.display_name) for row in known),
        ((row.subscription_id, row.home_tenant_id) for row in known if row.home_tenant_id is not msgspec.UNSET),
    )


class TargetRow(Edge, frozen=True):
    """Where the document belongs."""

    cloud: str
    endpoint: str
    tenant_id: str


def target_row(target: Target) -> TargetRow:
    """The struct for a target."""
    return TargetRow(cloud=target.cloud, endpoint=target.endpoint, tenant_id=target.tenant_id)


def target_of(row: TargetRow, subscriptions: Iterable[SubscriptionRow] | msgspec.UnsetType) -> Target:
    """The target in its struct, with the names that stand beside it."""
    names = subscription_names(subscriptions)
    return Target(cloud=row.cloud, endpoint=row.endpoint, tenant_id=row.tenant_id, names=names)


class WantedRow(Edge, frozen=True):
    """What the user asked for by name; null and false mean "leave alone"."""

    orchestration: Orchestration | None
    periodic_assessment: bool | None
    reboot: RebootSetting | None
    hotpatch_off: bool
    include_scale_set_members: bool


def wanted_row(wanted: WantedSettings) -> WantedRow:
    """The struct for settings that are wanted."""
    return WantedRow(**asdict(wanted))


class LeftOutRow(Edge, frozen=True):
    """A machine that a filter left out."""

    id: str
    rule: str
    reason: str


class BlockedMachineRow(LeftOutRow, frozen=True):
    """A machine of which something was asked that is not so, and the rule that left it alone."""

    fix: str | None


def left_out_rows(machines: Iterable[Skipped]) -> tuple[LeftOutRow, ...]:
    """The structs for machines that are left alone."""
    return tuple(LeftOutRow(id=str(one.id), rule=one.rule, reason=one.reason) for one in machines)


class PatchedByNobodyRow(Edge, frozen=True):
    """Machines that are prepared for schedules and that none reaches, and how they can be given one."""

    machines: int
    not_known: int
    """Further machines of which it is not known whether any schedule reaches them, and why."""
    because: str
    """Empty where it is known of each."""
    usable: tuple[str, ...]
    """Schedules that can be attached, by a name that only one has or by id, the most fitting first."""
    elsewhere: bool
    """true: the first of them is in a subscription in which none of the machines is."""
    looked: bool
    """false: schedules could not be looked for, so that none in `usable` does not mean that there is none."""
    create: tuple[str, ...]
    """Where there is none: the words of a `patchmode schedule create` that makes one where the machines are."""
    across_tenants: bool | msgspec.UnsetType = msgspec.UNSET
    """true: they belong to several tenants, so that no schedule can be attached to all; left out otherwise."""


def nobody_row(found: PatchedByNobody | None) -> PatchedByNobodyRow | msgspec.UnsetType:
    """The row; left out where there is no such machine."""
    if found is None:
        return msgspec.UNSET
    return PatchedByNobodyRow(**{**asdict(found), "across_tenants": found.across_tenants or msgspec.UNSET})


def nobody_of(row: PatchedByNobodyRow | msgspec.UnsetType) -> PatchedByNobody | None:
    """What a row tells; None: it was left out."""
    if row is msgspec.UNSET:
        return None
    return PatchedByNobody(**{**msgspec.structs.asdict(row), "across_tenants": row.across_tenants is True})


class UnreadableRow(Edge, frozen=True):
    """A machine or a subscription that could not be read."""

    id: str
    reason: str


def unreadable_rows(places: Iterable[Unreadable]) -> tuple[UnreadableRow, ...]:
    """The structs for what could not be read."""
    return tuple(UnreadableRow(id=one.id, reason=one.reason) for one in places)


class ErrorRow(Edge, frozen=True):
    """Why a change did not end as planned."""

    code: str
    message: str
    may_have_been_applied: bool
    advice: str
    http_status: int | None


def error_row(error: MachineError | None) -> ErrorRow | None:
    """The struct for a machine's error; None: there is none."""
    return None if error is None else ErrorRow(**asdict(error))


def error_of(row: ErrorRow | None) -> MachineError | None:
    """The machine's error in its struct; None: there is none."""
    return None if row is None else MachineError(**msgspec.structs.asdict(row))


class DifferenceRow(Edge, frozen=True):
    """One leaf that is not what it should be; a member that is left out means that the leaf is absent."""

    path: str
    expected: Any = msgspec.UNSET
    found: Any = msgspec.UNSET


def difference_rows(differences: Iterable[Difference]) -> tuple[DifferenceRow, ...]:
    """The structs for leaves that are not what they should be.

    Raises:
        ValueError: a text of one is neither JSON nor `(absent)`.
    """
    return tuple(DifferenceRow(**one.members()) for one in differences)
