"""The doubles take what their ports take: nothing checks the types of tests, and a double that lags proves nothing."""

import inspect

import pytest
from tests.unit.workflow.azure_double import AzureDouble, FixedClock
from tests.unit.workflow.fleet_double import FleetDouble, LoopClock
from tests.unit.workflow.maintenance_double import MaintenanceDouble

from patchmode.ports import azure

PAIRS = [
    (azure.Azure, AzureDouble()),
    (azure.Authorization, AzureDouble()),
    (azure.Graph, AzureDouble().graph),
    (azure.Provider, AzureDouble().provider),
    (azure.Maintenance, MaintenanceDouble()),
    (azure.MaintenanceWriter, MaintenanceDouble()),
    (azure.Azure, FleetDouble(())),
    (azure.Provider, FleetDouble(())),
    (azure.Writer, FleetDouble(())),
    (azure.RequestLedger, FleetDouble(())),
    (azure.Clock, FixedClock()),
    (azure.Clock, LoopClock()),
]
Shape = list[tuple[str, object]]


def shape(function: object) -> Shape:
    """Names and kinds of a function's parameters; what a caller may write."""
    assert callable(function)
    return [(one.name, one.kind) for one in inspect.signature(function).parameters.values() if one.name != "self"]


@pytest.mark.parametrize(
    ("port", "double"), PAIRS, ids=[f"{port.__name__}-{type(double).__name__}" for port, double in PAIRS]
)
def test_a_double_has_every_member_of_its_port(port: type, double: object) -> None:
    members = {name: member for name, member in vars(port).items() if not name.startswith("_")}
    assert members
    for name, member in members.items():
        own = inspect.getattr_static(double, name)
        if isinstance(member, property):
            assert not inspect.isfunction(own), name
        else:
            assert shape(own) == shape(member), name
