"""Where a plan, a journal or a report belongs: cloud, endpoint, tenant.

Must not: hold credentials.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One Azure Resource Manager and one tenant. A plan for one target is refused on another."""

    cloud: str
    """`AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`, or the name that a custom cloud's metadata gives."""
    endpoint: str
    """Resource Manager's https URL without a trailing slash."""
    tenant_id: str

    def same_as(self, other: "Target") -> bool:
        """Whether both speak of one tenant on one endpoint; the cloud's display name does not count."""
        return (
            self.endpoint.casefold() == other.endpoint.casefold()
            and self.tenant_id.casefold() == other.tenant_id.casefold()
        )
