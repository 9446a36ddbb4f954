"""An Azure in memory whose schedules may be written, and that counts what was sent."""

from typing import Any

from tests.unit.workflow.azure_double import ALPHA, AzureDouble, machine
from tests.unit.workflow.maintenance_double import MaintenanceDouble, configuration, configuration_id

from patchmode.model.machine import Machine
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ConfigurationAssignment


class _Ledger:
    def by_method(self) -> dict[str, int]:
        return {"GET": 1}


class WritableAzure(AzureDouble):
    """The double with a ledger."""

    @property
    def ledger(self) -> Any:
        return _Ledger()


def azure(*machines: Machine, **facts: Any) -> WritableAzure:
    """Machines, and one configuration named nightly that runs every night at 03:00 UTC."""
    nightly = configuration(configuration_id("nightly", subscription=ALPHA))
    schedules = MaintenanceDouble(configurations=[nightly], **facts)
    return WritableAzure(machines=machines, schedules=schedules, is_writable=True)


def ready(name: str, **facts: Any) -> Machine:
    """A machine with Customer Managed Schedules."""
    return machine(name, mode="AutomaticByPlatform", bypass=True, **facts)


def assigned(one: Machine, schedule: str = "nightly", name: str | None = None) -> ConfigurationAssignment:
    """A static assignment."""
    return ConfigurationAssignment(name or schedule, one.id, schedule_id(schedule))


def schedule_id(name: str = "nightly") -> ResourceId:
    """The id of a configuration."""
    return configuration_id(name, subscription=ALPHA)
