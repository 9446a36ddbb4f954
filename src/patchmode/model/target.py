"""Where a plan, a journal or a report belongs: cloud, endpoint, tenant.

Must not: hold credentials.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from patchmode.model.subscription_names import SubscriptionNames


@dataclass(frozen=True, slots=True)
class Target:
    """One Azure Resource Manager and one tenant. A plan for one target is refused on another."""

    cloud: str
    """`AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`, or the name that a custom cloud's metadata gives."""
    endpoint: str
    """Resource Manager's https URL without a trailing slash."""
    tenant_id: str
    names: SubscriptionNames = field(default_factory=SubscriptionNames)
    """Of its subscriptions, as far as they were listed; empty: nobody looked, or a version kept none."""

    def with_names_of(self, ids: Iterable[str]) -> "Target":
        """The same with the names that tell these subscriptions, ids in any case, and no more."""
        return replace(self, names=self.names.kept_for(ids))

    def same_as(self, other: "Target") -> bool:
        """Whether both speak of one tenant on one endpoint; no display name counts."""
        return (
            self.endpoint.casefold() == other.endpoint.casefold()
            and self.tenant_id.casefold() == other.tenant_id.casefold()
        )
