"""The routes of Microsoft.HybridCompute with the action each needs."""

from arm_emulator.protocol.routing import Route
from arm_emulator.providers.hybrid_compute import machines

_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}"
_MACHINES = "/providers/Microsoft.HybridCompute/machines"
_MACHINE = f"{_GROUP}{_MACHINES}/{{name}}"
_ACTION = "Microsoft.HybridCompute/machines"

ROUTES: tuple[Route, ...] = (
    Route("GET", _MACHINE, machines.get_machine, f"{_ACTION}/read"),
    Route("PATCH", _MACHINE, machines.patch_machine, f"{_ACTION}/write"),
    Route("DELETE", _MACHINE, machines.delete_machine, f"{_ACTION}/delete"),
    Route("POST", f"{_MACHINE}/assessPatches", machines.assess_patches, f"{_ACTION}/assessPatches/action"),
    Route("GET", f"{_MACHINE}/extensions", machines.list_extensions, f"{_ACTION}/extensions/read"),
    Route("GET", f"{_MACHINE}/extensions/{{extension}}", machines.get_extension, f"{_ACTION}/extensions/read"),
    Route("GET", f"{_GROUP}{_MACHINES}", machines.list_machines, f"{_ACTION}/read"),
    Route("GET", f"{_SUBSCRIPTION}{_MACHINES}", machines.list_machines, f"{_ACTION}/read"),
)
"""Every operation of Microsoft.HybridCompute that is emulated."""
