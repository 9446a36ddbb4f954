"""How many configurations, machines and dynamic scopes Azure allows, and how near a fleet is to it.

Must not: know where the numbers come from that it compares with them.

Source: the limits in Microsoft's article on maintenance configurations, where two are halved outside the public cloud.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from patchmode.model.finding import Severity
from patchmode.model.plan import plain_region
from patchmode.model.report import Member, ScheduleFinding, ScheduleView
from patchmode.model.schedule import DynamicScope, MaintenanceConfiguration, ScopeFilter, Via
from patchmode.rules.rule import NOTES, REFUSES, WARNS, Rule

NEAR = 0.9
"""From this share of a limit on it is told."""
PUBLIC_CLOUD = "AzureCloud"
TAG_FILTERS = 50
GROUP_FILTERS = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that Azure allows of each."""

    configurations: int = 250
    """Per subscription and region."""
    machines: int = 3000
    """Resources associated with one configuration."""
    scope_machines: int = 1000
    """Machines of one dynamic scope."""
    scopes_in_place: int = 250
    """Dynamic scopes per subscription or resource group and region."""
    scopes: int = 200
    """Dynamic scopes of one configuration."""
    subscriptions: int = 200
    """Subscriptions over all dynamic scopes of one configuration."""


def limits_of(cloud: str) -> Limits:
    """The limits of a cloud, by its name; a cloud that is not the public one gets the lower numbers."""
    return Limits() if cloud.casefold() == PUBLIC_CLOUD.casefold() else Limits(scopes=100, subscriptions=100)


def configuration_limits(view: ScheduleView, limits: Limits) -> Iterator[ScheduleFinding]:
    """Limits that one configuration has reached or comes near."""
    identifier = str(view.configuration.id)
    certain = sum(_counts(member) for member in view.members)
    attached = {assignment.machine for assignment in view.assignments}
    unseen = len(attached - {member.machine.id for member in view.members})
    places = {scope.subscription_id for scope in view.dynamic_scopes}
    measures = (
        (certain + unseen, limits.machines, "machines", "Divide the machines among several configurations."),
        (len(view.dynamic_scopes), limits.scopes, "dynamic scopes", "Join scopes that differ in one filter member."),
        (len(places), limits.subscriptions, "subscriptions over its dynamic scopes", "Use a second configuration."),
    )
    for count, limit, what, fix in measures:
        yield from _measured(count, limit, f"{view.configuration.name} has", what, fix, identifier)
    reached = Counter(
        (member.hit.assignment.casefold(), member.machine.id.subscription_id)
        for member in view.members
        if _counts(member) and member.hit.via is Via.DYNAMIC
    )
    for scope in view.dynamic_scopes:
        count = reached[scope.name.casefold(), scope.subscription_id]
        fix = "Change the filter so that it matches fewer machines, and add a second scope for the rest."
        yield from _measured(
            count, limits.scope_machines, f"The dynamic scope {scope.name} has", "machines", fix, identifier, scope.id
        )
        yield from filter_limits(scope.filter, identifier, scope.name)


def filter_limits(wanted: ScopeFilter, configuration: str, name: str) -> Iterator[ScheduleFinding]:
    """Limits on the filter of one dynamic scope."""
    fix = "Divide the filter among several dynamic scopes."
    values = sum(len(entries) for entries in wanted.tags.values())
    begins = f"The dynamic scope {name} has"
    yield from _measured(values, TAG_FILTERS, begins, "tag filters", fix, configuration)
    yield from _measured(len(wanted.resource_groups), GROUP_FILTERS, begins, "group filters", fix, configuration)


def filter_excess(wanted: ScopeFilter) -> Iterator[str]:
    """What of a filter is more than Azure takes, a sentence each without its stop."""
    values = sum(len(entries) for entries in wanted.tags.values())
    for count, limit, what in (
        (values, TAG_FILTERS, "tag filters"),
        (len(wanted.resource_groups), GROUP_FILTERS, "group filters"),
    ):
        if count > limit:
            yield f"The filter has {count:,} {what}; Azure allows {limit:,} in one dynamic scope"


def place_limits(
    configurations: Sequence[MaintenanceConfiguration], scopes: Iterable[DynamicScope], limits: Limits
) -> Iterator[ScheduleFinding]:
    """Limits that a subscription or a resource group has reached or comes near.

    Args:
        configurations: of every maintenance scope: the limit counts them all.
        scopes: every dynamic scope that can be seen; their region is not told, so a place's are counted together.
        limits: of the cloud.
    """
    regions = Counter((one.id.subscription_id, plain_region(one.location)) for one in configurations)
    for (subscription, region), count in sorted(regions.items()):
        begins = f"Subscription {subscription} has in {region}"
        fix = "Delete configurations that reach nothing."
        yield from _measured(count, limits.configurations, begins, "maintenance configurations", fix, None)
    places = Counter(scope.place for scope in scopes)
    for place, count in sorted(places.items()):
        fix = "Join scopes that differ in one filter member."
        yield from _measured(count, limits.scopes_in_place, f"{place} has", "dynamic scopes", fix, None, place)


def _counts(member: Member) -> bool:
    """Whether a member is one but for the limit itself."""
    return member.is_certain or member.hit.doubt_rule == DYNAMIC_SCOPE_LIMIT.id


def _measured(
    count: int, limit: int, begins: str, what: str, fix: str, configuration: str | None, subject: str | None = None
) -> Iterator[ScheduleFinding]:
    if count < limit * NEAR:
        return
    is_over = count >= limit
    yield ScheduleFinding(
        SCHEDULE_LIMIT.id if is_over else SCHEDULE_LIMIT_NEAR.id,
        Severity.WARNS if is_over else Severity.NOTES,
        f"{begins} {count:,} {what}; Azure allows {limit:,}.",
        fix,
        configuration,
        () if subject is None else (subject,),
        f"{count} of {limit}",
    )


# ------------------------------------------------------------------------------------------------ rules

_PUBLIC, _SOVEREIGN = limits_of(PUBLIC_CLOUD), limits_of("")

DYNAMIC_SCOPE_LIMIT = Rule(
    "dynamic-scope-limit",
    "a dynamic scope matches more machines than Azure allows",
    WARNS,
    f"""
    What: A dynamic scope matches more than {_PUBLIC.scope_machines:,} machines, the most that Azure allows in one, as
    far as the machines that were read show it.
    Severity: Warns on every machine that only such a scope reaches; the outcome is `unknown` unless another schedule
    decides.
    Why: Which of them are members for Azure, or whether all are, is not documented.
    Evidence: The dynamic scope and the part of its filter that matched.
    Fix: Change the filter so that it matches fewer machines, and add a second dynamic scope for the rest.
    Source: Azure's documentation of dynamic scoping for the limit; no source says what happens beyond it.
    """,
)
"""A membership is in doubt for it; `memberships` counts."""

SCHEDULE_LIMIT = Rule(
    "schedule-limit",
    "a limit of Azure is reached",
    REFUSES,
    f"""
    What: A limit of Azure is reached.
    Severity: Blocks `schedule create` and `schedule attach`; warns in `schedule check`.
    Why: Azure refuses what goes beyond it: {_PUBLIC.configurations} configurations in a subscription and region,
    {_PUBLIC.machines:,} machines on a configuration, {_PUBLIC.scope_machines:,} in a dynamic scope,
    {_PUBLIC.scopes_in_place} dynamic scopes in a subscription or group and region, {_PUBLIC.scopes} dynamic scopes and
    {_PUBLIC.subscriptions} subscriptions on a configuration ({_SOVEREIGN.scopes} each in sovereign clouds),
    {TAG_FILTERS} tag filters and {GROUP_FILTERS} group filters in a dynamic scope.
    Evidence: The number and the limit.
    Fix: Split the schedule.
    Source: Azure's documentation of dynamic scoping and of maintenance configurations.
    """,
)

SCHEDULE_LIMIT_NEAR = Rule(
    "schedule-limit-near",
    "a limit of Azure is nearly reached",
    NOTES,
    """
    What: 90 % of a limit of Azure are used.
    Severity: Notes in `schedule check`.
    Why: Further ones may be refused.
    Evidence: The number and the limit.
    Fix: Split the schedule before it is full.
    Source: The sources of `schedule-limit`.
    """,
)

RULES = (SCHEDULE_LIMIT, SCHEDULE_LIMIT_NEAR)
