"""Several audits, each of one tenant, as one; and what of a scope each of these tenants is asked.

A subscription that one tenant delegates to another is seen by both: a machine that both read counts once, as its own
tenant's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from patchmode.model.finding import MachineAudit
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import Subscription
from patchmode.model.report import AuditReport, TenantAudit
from patchmode.model.resource_id import subscription_of
from patchmode.model.scope import Scope
from patchmode.model.target import SubscriptionNames, Target

Entry = MachineAudit | Skipped | Unreadable


def scopes_of(scope: Scope, seen: Mapping[str, Sequence[Subscription]]) -> Mapping[str, Scope | None]:
    """What each tenant is asked: subscriptions, groups and machines that are named are looked for where they are seen.

    Args:
        scope: with a selector.
        seen: tenant → the subscriptions that its sign-in lists; at least one tenant.

    Returns:
        Tenant → its scope; None: all that the scope names is in other tenants. What no tenant sees is asked of the
        first, so that it is reported once.
    """
    known = {tenant: _names(subscriptions) for tenant, subscriptions in seen.items()}
    everywhere = {name for names in known.values() for name in names}
    first = next(iter(seen))
    found: dict[str, Scope | None] = {}
    for tenant, names in known.items():

        def is_asked(text: str, names: set[str] = names, tenant: str = tenant) -> bool:
            return text in names or (tenant == first and text not in everywhere)

        part = replace(
            scope,
            subscriptions=tuple(one for one in scope.subscriptions if is_asked(one.casefold())),
            resource_groups=tuple(one for one in scope.resource_groups if is_asked(_place(one)) or one[:1] != "/"),
            ids=tuple(one for one in scope.ids if is_asked(_place(one))),
        )
        found[tenant] = part if part.has_selector else None
    return found


def _names(subscriptions: Iterable[Subscription]) -> set[str]:
    return {text.casefold() for one in subscriptions for text in (one.id, one.name)}


def _place(text: str) -> str:
    return (subscription_of(text) or "").lower()


def merged(parts: Sequence[TenantAudit]) -> AuditReport:
    """One audit of several tenants, each machine once, ordered by id.

    Args:
        parts: at least one with a report; scope and wanted settings are the same in all.

    Returns:
        `tenants` holds the parts, each with what counts as its own. A tenant that could not be read is `unreadable`. A
        group or management group that one tenant knows is not unreadable for the others.
    """
    reports = [part.report for part in parts if part.report is not None]
    first = reports[0]
    own = _divided(reports)
    divided = iter(own)
    tenants = tuple(part if part.report is None else replace(part, report=next(divided)) for part in parts)
    unread = (Unreadable(f"tenant {one.tenant_id}", one.failure) for one in parts if one.is_unread)
    return replace(
        first,
        target=Target(first.target.cloud, first.target.endpoint, "", _joined(reports)),
        machines=tuple(sorted((one for part in own for one in part.machines), key=lambda one: one.machine.id.key)),
        skipped=tuple(sorted((one for part in own for one in part.skipped), key=lambda one: one.id.key)),
        unreadable=(*unread, *(one for part in own for one in part.unreadable)),
        notes=tuple(f"{part.label}: {note}" for part in tenants if part.report for note in part.report.notes),
        # What attaches a schedule is a command of one tenant.
        nobody=None,
        tenants=tenants,
    )


def _joined(reports: Sequence[AuditReport]) -> SubscriptionNames:
    """Every name; what a tenant reads as its own is delegated to nobody here."""
    names = SubscriptionNames()
    for report in reports:
        names = names.joined(report.target.names)
    own = {one for report in reports for one, _ in report.target.names.pairs if not report.target.names.owner_of(one)}
    return replace(names, owners=tuple(pair for pair in names.owners if pair[0] not in own))


@dataclass(frozen=True, slots=True, order=True)
class _Rank:
    """Which of several entries about one machine counts: the least."""

    kind: int
    """Read, left out, unreadable."""
    is_delegated: bool
    part: int


def _divided(reports: Sequence[AuditReport]) -> list[AuditReport]:
    """The reports, each with the entries that count as its own."""
    best: dict[str, _Rank] = {}
    for number, report in enumerate(reports):
        for kind, entry in _entries(report):
            key = _key(entry)
            rank = _Rank(kind, bool(report.target.names.owner_of(subscription_of(key) or "")), number)
            if key not in best or rank < best[key]:
                best[key] = rank
    divided = []
    for number, report in enumerate(reports):
        mine = {key for key, rank in best.items() if rank.part == number}
        unreadable = (one for one in report.unreadable if _key(one) in mine and not _is_known(one, reports))
        divided.append(
            replace(
                report,
                machines=tuple(one for one in report.machines if _key(one) in mine),
                skipped=tuple(one for one in report.skipped if _key(one) in mine),
                unreadable=tuple(unreadable),
            )
        )
    return divided


def _entries(report: AuditReport) -> Iterator[tuple[int, Entry]]:
    yield from ((0, one) for one in report.machines)
    yield from ((1, one) for one in report.skipped)
    yield from ((2, one) for one in report.unreadable)


def _key(entry: Entry) -> str:
    return (entry.machine.id.key if isinstance(entry, MachineAudit) else str(entry.id)).casefold()


def _is_known(entry: Unreadable, reports: Sequence[AuditReport]) -> bool:
    """Whether what one tenant could not read, and what is in no subscription, is there in another one."""
    if subscription_of(entry.id) is not None:
        return False
    return not all(any(one.id == entry.id for one in report.unreadable) for report in reports)
