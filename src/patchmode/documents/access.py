"""`patchmode/identities/v1` and `patchmode/doctor/v1`: who may sign in, and what doctor found of whom and where.

Must not: read files, or judge what stands in them beyond shape.
"""

from typing import Annotated, Literal

import msgspec

from patchmode.documents.base import Edge, TargetRow, UnreadableRow, target_row, unreadable_rows
from patchmode.model.access import MissingAction
from patchmode.model.report import Diagnosis, SettingValue, SubscriptionCheck

_GUID = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"

Guid = Annotated[str, msgspec.Meta(pattern=_GUID)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")]


class IdentityRow(Edge, frozen=True):
    """One service principal; exactly one of the members from `clientSecretFile` to `managedIdentity` stands in it."""

    name: Name
    tenant_id: Guid
    client_id: Guid | msgspec.UnsetType = msgspec.UNSET
    """May be left out with `managedIdentity` only: then it is the system-assigned one."""
    client_secret_file: Text | msgspec.UnsetType = msgspec.UNSET
    """Files are relative to the folder of this one."""
    client_secret_env: Text | msgspec.UnsetType = msgspec.UNSET
    certificate_file: Text | msgspec.UnsetType = msgspec.UNSET
    certificate_password_env: Text | msgspec.UnsetType = msgspec.UNSET
    """Beside `certificateFile` only."""
    federated_token_file: Text | msgspec.UnsetType = msgspec.UNSET
    managed_identity: bool | msgspec.UnsetType = msgspec.UNSET


class IdentitiesDocument(Edge, frozen=True):
    """The identity file."""

    format: Literal["patchmode/identities/v1"]
    identities: Annotated[tuple[IdentityRow, ...], msgspec.Meta(min_length=1)]


class MissingActionRow(Edge, frozen=True):
    """An action that an identity lacks."""

    scope: str
    action: str
    needed_for: str
    identity: str | msgspec.UnsetType = msgspec.UNSET
    """Left out without an identity file, as every member about identities."""
    machines: int | msgspec.UnsetType = msgspec.UNSET
    """How many machines of the scope it is missing on; left out where it was asked of the subscription alone."""
    role: str | msgspec.UnsetType = msgspec.UNSET
    """A built-in role that has it; left out where none is named."""


class ReadOnlyLockRow(Edge, frozen=True):
    """A lock that stops writes."""

    name: str
    scope: str


class OtherLockRow(ReadOnlyLockRow, frozen=True):
    """A lock that stops no PATCH."""

    level: str


class SubscriptionCheckRow(Edge, frozen=True):
    """What doctor found in one subscription."""

    id: str
    name: str
    state: str
    registrations: dict[str, str]
    missing_actions: tuple[MissingActionRow, ...]
    read_only_locks: tuple[ReadOnlyLockRow, ...]
    other_locks: tuple[OtherLockRow, ...]
    notes: tuple[str, ...]
    identities: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Who sees it, and so may be sent there."""
    home_tenant_id: str | msgspec.UnsetType = msgspec.UNSET
    """The tenant that it belongs to, where that one delegates it to the tenant of `target`; left out otherwise."""


class SettingRow(Edge, frozen=True):
    """A default of this computer."""

    value: str
    source: str
    """The command line, an environment variable, the config file, or `default`."""


class DoctorDocument(Edge, frozen=True):
    """`doctor -o json`."""

    format: Literal["patchmode/doctor/v1"]
    target: TargetRow
    principal: dict[str, str]
    """The token's claims that identify who is signed in; of several identities, the first."""
    resource_graph: str
    """`answers`, or why it does not."""
    subscriptions: tuple[SubscriptionCheckRow, ...]
    unreadable: tuple[UnreadableRow, ...]
    identities: dict[str, dict[str, str]] | msgspec.UnsetType = msgspec.UNSET
    """Name in the identity file → claims."""
    scope: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """What was asked about, as options; left out where every subscription was."""
    scope_notes: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """What a reader must know about how that was looked up; left out where there is nothing to say."""
    settings: dict[str, SettingRow] | msgspec.UnsetType = msgspec.UNSET
    """Setting of the config file → its value in force."""
    network: dict[str, SettingRow] | msgspec.UnsetType = msgspec.UNSET
    """`proxy` (without its password) and `trusted-ca` → what is in force."""
    config_file: str | msgspec.UnsetType = msgspec.UNSET
    az_subscription: str | msgspec.UnsetType = msgspec.UNSET
    """The subscription chosen in az; left out where none is chosen for this cloud."""


def doctor_document(diagnosis: Diagnosis) -> DoctorDocument:
    """Doctor's answer as it is published."""
    named = {name: dict(one) for name, one in diagnosis.principals.items() if name}
    return DoctorDocument(
        format="patchmode/doctor/v1",
        target=target_row(diagnosis.target),
        principal=dict(next(iter(diagnosis.principals.values()), {})),
        resource_graph=diagnosis.graph,
        subscriptions=tuple(map(subscription_check_row, diagnosis.subscriptions)),
        unreadable=unreadable_rows(diagnosis.unreadable),
        identities=named or msgspec.UNSET,
        scope=diagnosis.scope or msgspec.UNSET,
        scope_notes=diagnosis.notes or msgspec.UNSET,
        settings=_setting_rows(diagnosis.settings),
        network=_setting_rows(diagnosis.network),
        config_file=diagnosis.config_file or msgspec.UNSET,
        az_subscription=diagnosis.az_subscription or msgspec.UNSET,
    )


def _setting_rows(settings: tuple[SettingValue, ...]) -> dict[str, SettingRow] | msgspec.UnsetType:
    return {one.setting: SettingRow(value=one.value, source=one.source) for one in settings} or msgspec.UNSET


def subscription_check_row(check: SubscriptionCheck) -> SubscriptionCheckRow:
    """One subscription as it stands in `subscriptions`."""
    return SubscriptionCheckRow(
        id=check.subscription.id,
        name=check.subscription.name,
        state=check.subscription.state,
        registrations=dict(check.registrations),
        missing_actions=tuple(map(_missing_row, check.missing)),
        read_only_locks=tuple(ReadOnlyLockRow(name=lock.name, scope=lock.scope) for lock in check.locks),
        other_locks=tuple(
            OtherLockRow(name=lock.name, scope=lock.scope, level=lock.level) for lock in check.harmless_locks
        ),
        notes=check.notes,
        identities=check.identities or msgspec.UNSET,
        home_tenant_id=check.owner or msgspec.UNSET,
    )


def _missing_row(one: MissingAction) -> MissingActionRow:
    return MissingActionRow(
        scope=one.scope,
        action=one.action,
        needed_for=one.needed_for,
        identity=one.identity or msgspec.UNSET,
        machines=len(one.machines) or msgspec.UNSET,
        role=one.role or msgspec.UNSET,
    )
