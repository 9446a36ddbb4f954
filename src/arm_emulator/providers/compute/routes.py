"""The routes of Microsoft.Compute, with the action each needs and the buckets each spends.

Source of the buckets: "Compute throttling limits" (2024-05), and the names of recorded
``x-ms-ratelimit-remaining-resource`` headers.
"""

from functools import partial

from arm_emulator.protocol.routing import Handler, Route
from arm_emulator.providers.compute import actions, reads, scale_sets, writes

_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}"
_COMPUTE = "/providers/Microsoft.Compute"
_MACHINES = f"{_GROUP}{_COMPUTE}/virtualMachines"
_MACHINE = f"{_MACHINES}/{{name}}"
_SETS = f"{_COMPUTE}/virtualMachineScaleSets"
_ACTION = "Microsoft.Compute/virtualMachines"

LOW_COST_GET = ("LowCostGetSubscriptionMaximum", "LowCostGetResource")
HIGH_COST_GET = ("HighCostGetSubscriptionMaximum",)
UPDATE = ("UpdateVMSubscriptionMaximum", "UpdateVMResource")
PUT = ("PutVMSubscriptionMaximum", "PutVMResource")
DELETE = ("DeleteVMSubscriptionMaximum", "DeleteVMResource")
PATCHING = ("VMGuestPatchOperationSubscriptionMaximum", "VMGuestPatchOperationResource")


def _post(action: str, handler: Handler, buckets: tuple[str, ...] = UPDATE) -> Route:
    return Route("POST", f"{_MACHINE}/{action}", handler, f"{_ACTION}/{action}/action", throttle=buckets)


def _power(action: str, buckets: tuple[str, ...] = UPDATE) -> Route:
    return _post(action, partial(actions.power, action), buckets)


_NOT_EMULATED = ("runCommand", "capture", "convertToManagedDisks", "reimage", "performMaintenance")

ROUTES: tuple[Route, ...] = (
    Route("GET", _MACHINE, reads.get_machine, f"{_ACTION}/read", throttle=LOW_COST_GET),
    Route(
        "GET",
        f"{_MACHINE}/instanceView",
        reads.get_instance_view,
        f"{_ACTION}/instanceView/read",
        throttle=LOW_COST_GET,
    ),
    Route("GET", f"{_MACHINE}/extensions", reads.list_extensions, f"{_ACTION}/extensions/read", throttle=LOW_COST_GET),
    Route(
        "GET",
        f"{_MACHINE}/extensions/{{extension}}",
        reads.get_extension,
        f"{_ACTION}/extensions/read",
        throttle=LOW_COST_GET,
    ),
    Route("GET", _MACHINES, reads.list_group, f"{_ACTION}/read", throttle=HIGH_COST_GET),
    Route(
        "GET",
        f"{_SUBSCRIPTION}{_COMPUTE}/virtualMachines",
        reads.list_subscription,
        f"{_ACTION}/read",
        throttle=HIGH_COST_GET,
    ),
    Route(
        "GET",
        f"{_SUBSCRIPTION}{_COMPUTE}/locations/{{location}}/virtualMachines",
        reads.list_location,
        f"{_ACTION}/read",
        throttle=HIGH_COST_GET,
    ),
    Route("PATCH", _MACHINE, writes.patch_machine, f"{_ACTION}/write", throttle=UPDATE),
    Route("PUT", _MACHINE, writes.put_machine, f"{_ACTION}/write", throttle=PUT),
    Route("DELETE", _MACHINE, writes.delete_machine, f"{_ACTION}/delete", throttle=DELETE),
    _power("start"),
    _power("restart"),
    _power("powerOff"),
    _power("redeploy"),
    _power("reapply"),
    _power("deallocate", DELETE),
    _post("generalize", actions.generalize),
    _post("simulateEviction", actions.simulate_eviction),
    _post("assessPatches", actions.assess_patches, PATCHING),
    _post("installPatches", actions.install_patches, PATCHING),
    *(_post(action, actions.not_emulated) for action in _NOT_EMULATED),
    Route(
        "GET", f"{_GROUP}{_SETS}/{{name}}", scale_sets.get_scale_set, "Microsoft.Compute/virtualMachineScaleSets/read"
    ),
    Route("GET", f"{_GROUP}{_SETS}", scale_sets.list_scale_sets, "Microsoft.Compute/virtualMachineScaleSets/read"),
    Route(
        "GET", f"{_SUBSCRIPTION}{_SETS}", scale_sets.list_scale_sets, "Microsoft.Compute/virtualMachineScaleSets/read"
    ),
)
"""Every operation of Microsoft.Compute that is emulated."""
