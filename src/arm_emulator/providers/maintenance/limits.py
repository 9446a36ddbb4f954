"""The limits of Microsoft.Maintenance, and the count of assignments that they need.

The figures are those of "Managing VM updates with maintenance configurations", section "Service limits"; what the
service answers beyond them is not known. A fleet file may hold more. How many machines a dynamic scope may take in is
known only when its window opens, and so not checked here.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from arm_emulator.providers.maintenance.errors import over_limit
from arm_emulator.resource_id import parse_id

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud
    from arm_emulator.state import Stored

CONFIGURATIONS_PER_REGION = 250
"""Of one subscription."""
ASSOCIATIONS_PER_CONFIGURATION = 3_000
SCOPES_PER_PLACE_AND_REGION = 250
"""Dynamic scopes at one subscription, or at one resource group."""
SCOPES_PER_CONFIGURATION = 200
SUBSCRIPTIONS_PER_CONFIGURATION = 200
"""Over all dynamic scopes of a configuration."""
TAG_FILTERS = 50
GROUP_FILTERS = 50
_CONFIGURATION = "Microsoft.Maintenance/maintenanceConfigurations"
_ASSIGNMENT = "microsoft.maintenance/configurationassignments"
_SCOPE_SEGMENTS = {2, 4}
"""``/subscriptions/s`` and ``/subscriptions/s/resourceGroups/g``: what a dynamic scope stands at."""


@dataclass(frozen=True, slots=True)
class Association:
    """What counts of one assignment; ids in lower case."""

    configuration: str
    place: str
    """The machine, subscription or resource group."""
    subscription: str
    location: str
    is_dynamic: bool


class Associations:
    """Every assignment by the configuration that it names; kept up with each change, so that no write counts anew."""

    def __init__(self) -> None:
        self._known: dict[str, Association] = {}
        self._by_configuration: dict[str, dict[str, Association]] = {}
        self._statics: dict[str, int] = {}
        self._scopes_at: dict[str, dict[str, Association]] = {}

    def on_change(self, key: str, stored: "Stored | None") -> None:
        """Observe the state."""
        if stored is None:
            if key in self._known:
                self._forget(key)
        elif stored.type == _ASSIGNMENT:
            self._forget(key)
            self._take(key, stored)

    def of_configuration(self, configuration_id: str) -> list[str]:
        """The keys of the assignments that name a configuration, in order of insertion."""
        return list(self._by_configuration.get(parse_id(configuration_id).key, {}))

    def machines(self, configuration_id: str) -> int:
        """How many assignments on resources name a configuration."""
        return self._statics.get(parse_id(configuration_id).key, 0)

    def get(self, assignment_key: str) -> Association | None:
        """What counts of an assignment, or None where there is none of that key."""
        return self._known.get(assignment_key)

    def scopes(self, configuration_id: str) -> dict[str, Association]:
        """The dynamic scopes of a configuration, by key."""
        found = self._by_configuration.get(parse_id(configuration_id).key, {})
        return {key: association for key, association in found.items() if association.is_dynamic}

    def scopes_at(self, place: str) -> dict[str, Association]:
        """The dynamic scopes at a subscription or a resource group (lower case), by key."""
        return dict(self._scopes_at.get(place, {}))

    def _take(self, key: str, stored: "Stored") -> None:
        properties = stored.document.get("properties") or {}
        place = key.rpartition("/providers/")[0]
        configuration = parse_id(str(properties.get("maintenanceConfigurationId") or "")).key
        is_dynamic = len(place.strip("/").split("/")) in _SCOPE_SEGMENTS
        made = Association(configuration, place, stored.subscription, stored.location, is_dynamic)
        self._known[key] = made
        self._by_configuration.setdefault(configuration, {})[key] = made
        if is_dynamic:
            self._scopes_at.setdefault(place, {})[key] = made
        else:
            self._statics[configuration] = self._statics.get(configuration, 0) + 1

    def _forget(self, key: str) -> None:
        gone = self._known.pop(key, None)
        if gone is None:
            return
        self._by_configuration[gone.configuration].pop(key)
        if gone.is_dynamic:
            self._scopes_at[gone.place].pop(key)
        else:
            self._statics[gone.configuration] -= 1


def check_configurations(cloud: "Cloud", subscription: str, location: str) -> None:
    """Refuse one more configuration than a subscription may have in a region.

    Raises:
        ArmError: 400.
    """
    region = location.replace(" ", "").lower()
    rows = cloud.state.of_type(_CONFIGURATION, subscription=subscription)
    if sum(1 for stored in rows if stored.location == region) >= CONFIGURATIONS_PER_REGION:
        raise over_limit("The number of maintenance configurations per region", CONFIGURATIONS_PER_REGION)


def check_machine(cloud: "Cloud", configuration_id: str, assignment_key: str) -> None:
    """Refuse one more assignment on a resource than a configuration may have.

    Raises:
        ArmError: 400.
    """
    known = cloud.parts[Associations].get(assignment_key)
    if known is not None and known.configuration == parse_id(configuration_id).key:
        return
    if cloud.parts[Associations].machines(configuration_id) >= ASSOCIATIONS_PER_CONFIGURATION:
        raise over_limit("The number of resources of a maintenance configuration", ASSOCIATIONS_PER_CONFIGURATION)


def check_scope(cloud: "Cloud", configuration_id: str, assignment_key: str, location: str) -> None:
    """Refuse one more dynamic scope than a configuration, a subscription or a resource group may have.

    Raises:
        ArmError: 400.
    """
    place = assignment_key.rpartition("/providers/")[0]
    others = cloud.parts[Associations].scopes(configuration_id)
    others.pop(assignment_key, None)
    if len(others) >= SCOPES_PER_CONFIGURATION:
        raise over_limit("The number of dynamic scopes of a maintenance configuration", SCOPES_PER_CONFIGURATION)
    reached = {entry.subscription for entry in others.values()} | {parse_id(place).subscription}
    if len(reached) > SUBSCRIPTIONS_PER_CONFIGURATION:
        what = "The number of subscriptions over all dynamic scopes of a maintenance configuration"
        raise over_limit(what, SUBSCRIPTIONS_PER_CONFIGURATION)
    region = location.replace(" ", "").lower()
    beside = cloud.parts[Associations].scopes_at(place)
    beside.pop(assignment_key, None)
    if sum(1 for entry in beside.values() if entry.location == region) >= SCOPES_PER_PLACE_AND_REGION:
        raise over_limit("The number of dynamic scopes at a subscription or group", SCOPES_PER_PLACE_AND_REGION)
