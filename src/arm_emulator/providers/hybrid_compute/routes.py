"""The routes of Microsoft.HybridCompute with the action each needs."""

from arm_emulator.protocol.routing import Route
from arm_emulator.providers.hybrid_compute import machines

_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}"
_MACHINES = "/providers/Microsoft.HybridCompute/machines"
_ACTION = "Microsoft.HybridCompute/machines"

ROUTES: tuple[Route, ...] = (
    Route("GET", f"{_GROUP}{_MACHINES}/{{name}}", machines.get_machine, f"{_ACTION}/read"),
    Route("PATCH", f"{_GROUP}{_MACHINES}/{{name}}", machines.patch_machine, f"{_ACTION}/write"),
    Route("GET", f"{_GROUP}{_MACHINES}", machines.list_machines, f"{_ACTION}/read"),
    Route("GET", f"{_SUBSCRIPTION}{_MACHINES}", machines.list_machines, f"{_ACTION}/read"),
)
"""Every operation of Microsoft.HybridCompute that is emulated."""
