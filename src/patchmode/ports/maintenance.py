"""The protocols of Microsoft.Maintenance that `arm/` implements: schedules and assignments, read and written.

Must not: contain behaviour.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from patchmode.model.left_alone import Unreadable
from patchmode.model.maintenance_events import EventSubscription
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ConfigurationAssignment, DynamicScope, MaintenanceConfiguration, ScopeFilter


class Maintenance(Protocol):
    """Microsoft.Maintenance itself: the source of truth for schedules."""

    async def configuration(self, configuration_id: ResourceId) -> MaintenanceConfiguration:
        """Read one configuration.

        Raises:
            RejectedError: with code `ResourceNotFound` and the like; RequestError otherwise.
        """
        ...

    async def assignments_on(self, machine_id: ResourceId) -> Sequence[ConfigurationAssignment]:
        """Every static assignment on one machine."""
        ...

    async def events_of(self, place: ResourceId) -> Sequence[EventSubscription | Unreadable]:
        """Who receives pre or post events: the subscriptions of a system topic, or those on a configuration itself.

        Args:
            place: the system topic, or the configuration.

        Raises:
            RejectedError: it does not exist, or may not be read; RequestError otherwise.
        """
        ...

    async def dynamic_scope(self, subscription_id: str, resource_group: str | None, name: str) -> DynamicScope:
        """Read one dynamic scope.

        Raises:
            RejectedError: it does not exist, or may not be read; RequestError otherwise.
        """
        ...


class MaintenanceWriter(Protocol):
    """The only way to change schedules and assignments. Every call is synchronous in Azure, and safe to repeat.

    All raise, as `Writer.patch`: RejectedError, MaybeAppliedError, NotSentError.
    """

    async def put_configuration(
        self, configuration_id: ResourceId, location: str, properties: Mapping[str, Any], tags: Mapping[str, str]
    ) -> MaintenanceConfiguration:
        """Create a configuration, or replace the one of that id."""
        ...

    async def delete_configuration(self, configuration_id: ResourceId) -> bool:
        """Delete a configuration; False: there was none. What becomes of its assignments is not documented."""
        ...

    async def attach(
        self,
        machine_id: ResourceId,
        location: str,
        name: str,
        configuration_id: ResourceId,
        *,
        may_send: Callable[[], bool] | None = None,
    ) -> ConfigurationAssignment:
        """Assign a configuration to one machine. `may_send`: as of `Writer.patch`."""
        ...

    async def detach(self, machine_id: ResourceId, name: str, *, may_send: Callable[[], bool] | None = None) -> bool:
        """Delete a static assignment; False: there was none. `may_send`: as of `Writer.patch`."""
        ...

    async def attach_scope(
        self,
        subscription_id: str,
        resource_group: str | None,
        name: str,
        configuration_id: ResourceId,
        wanted: ScopeFilter,
    ) -> DynamicScope:
        """Create a dynamic scope on a subscription, or on one of its resource groups.

        Raises:
            ValueError: `wanted.unknown` is not empty.
        """
        ...

    async def detach_scope(self, subscription_id: str, resource_group: str | None, name: str) -> bool:
        """Delete a dynamic scope; False: there was none."""
        ...
