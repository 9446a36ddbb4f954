"""What names mean at one place of a query: columns of the row, and let names of the text.

Column names are case-sensitive; table names are not. Must not bind expressions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from arm_emulator.kql.code import Bound
from arm_emulator.kql.syntax import Lambda, Query
from arm_emulator.kql.types import Slot, Type

_TEXT_COLUMNS = (
    "id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy",
)  # fmt: skip
_DYNAMIC_COLUMNS = ("sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation")

# The columns of every table, in the order in which recorded answers show them.
COMMON_COLUMNS: tuple[tuple[str, Type], ...] = (
    *((name, Type.STRING) for name in _TEXT_COLUMNS),
    *((name, Type.DYNAMIC) for name in _DYNAMIC_COLUMNS),
)

# Answers do not show it, and a query may name it. Source: "Azure Resource Graph starter query samples", `Resources |
# distinct type, apiVersion`. The fleet keeps no api-version of a resource: the text is empty.
HIDDEN_COLUMN = ("apiVersion", Type.STRING)

# Source: "Understanding the Azure Resource Graph query language", Resource Graph tables (learn.microsoft.com), and
# recorded queries (ConnectedVMwareVsphereResources).
TABLES = frozenset(
    {
        "resources", "resourcecontainers", "advisorresources", "alertsmanagementresources", "appserviceresources",
        "authorizationresources", "awsresources", "azurebusinesscontinuityresources", "chaosresources",
        "communitygalleryresources", "computeresources", "connectedvmwarevsphereresources",
        "desktopvirtualizationresources", "dnsresources", "edgeorderresources", "elasticsanresources",
        "extendedlocationresources", "featureresources", "guestconfigurationresources", "healthresourcechanges",
        "healthresources", "insightsresources", "iotsecurityresources", "kubernetesconfigurationresources",
        "kustoresources", "maintenanceresources", "managedservicesresources", "migrateresources", "networkresources",
        "orbitalresources", "patchassessmentresources", "patchinstallationresources", "policyresources",
        "quotaresources", "recoveryservicesresources", "resourcechanges", "resourcecontainerchanges",
        "securityresources", "servicefabricresources", "servicehealthresources", "spotresources", "supportresources",
        "tagsresources", "workloadmonitorresources",
    }
)  # fmt: skip
DEFAULT_TABLE = "resources"


@dataclass(frozen=True, slots=True)
class Named:
    """What a let name stands for: a query or a function, with the let names that its text sees."""

    tree: Query | Lambda
    lets: "Lets"


@dataclass(frozen=True, slots=True)
class Lets:
    """The let names visible at one place; later ones hide earlier ones."""

    names: dict[str, Bound | Named] = field(default_factory=dict)

    def with_name(self, name: str, value: Bound | Named) -> "Lets":
        """Return these names and one more."""
        return Lets({**self.names, name: value})


class Row:
    """The columns at one place of a pipeline, in order; names are unique.

    `hidden` columns are there for those who name them, and in no answer otherwise.
    """

    __slots__ = ("_by_name", "_hidden", "slots")

    def __init__(self, slots: Iterable[Slot], hidden: Iterable[Slot] = ()) -> None:
        self.slots = tuple(slots)
        self._hidden = tuple(hidden)
        self._by_name = {slot.name: slot for slot in self.slots}

    def find(self, name: str) -> Slot | None:
        """Return the column of that name, or None."""
        return self._by_name.get(name) or next((slot for slot in self._hidden if slot.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(slot.name for slot in self.slots)

    def replaced(self, changes: dict[str, Slot]) -> "Row":
        """Return the row with columns replaced where they stand, and new ones at the end."""
        kept = [changes.get(slot.name, slot) for slot in self.slots]
        added = [slot for name, slot in changes.items() if name not in self._by_name]
        return Row(kept + added, self._hidden)


EMPTY_ROW = Row(())


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return `wanted`, or the first of `wanted1`, `wanted2`, ... that is not taken."""
    names = set(taken)
    if wanted not in names:
        return wanted
    number = 1
    while f"{wanted}{number}" in names:
        number += 1
    return f"{wanted}{number}"
