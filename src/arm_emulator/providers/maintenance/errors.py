"""Microsoft.Maintenance's refusals, in the envelopes that it has: capitals, a bare ``Message``, and the usual one."""

from typing import Literal

from arm_emulator.protocol.http import ArmError


def capitalised(status: int, code: str, message: str) -> ArmError:
    """``{"Error": {"Code", "Message"}}``, recorded with 500 and reported with 400."""
    return ArmError(status, code, message, body={"Error": {"Code": code, "Message": message}})


def bare(status: int, message: str) -> ArmError:
    """``{"Message"}`` alone, reported with 400 and 500."""
    return ArmError(status, "", message, body={"Message": message})


def invalid_window(reason: str) -> ArmError:
    """400 for a window that is refused: the code and the sentence's beginning are reported.

    Source: hashicorp/terraform-provider-azurerm issue 29738, Azure/azure-sdk-for-net issue 34604.
    """
    return capitalised(400, "InvalidMaintenanceWindow", f"Invalid maintenance window. Error: {reason}")


def over_limit(what: str, limit: int) -> ArmError:
    """400 for one more than a documented limit allows; code and wording are ours, the service's are not known."""
    return capitalised(400, "LimitExceeded", f"{what} is limited to {limit}.")


NOT_PREPARED = (
    '"Patch orchestration mode is not set to AutomaticByPlatform",'
    "The prerequisites to patch your machine were not met. "
    "Please set the patchMode to AutomaticByPlatform and bypassPlatformChecksOnUserSchedule as true."
)
"""Word for word, the flag without "Safety" included. Source: hashicorp/terraform-provider-azurerm issue 22487."""


def not_prepared(envelope: Literal["error", "Error"]) -> ArmError:
    """400 for an assignment to a machine without the prerequisites; which envelope it has is not known."""
    if envelope == "Error":
        return capitalised(400, "UnsupportedResourceOperation", NOT_PREPARED)
    return ArmError(400, "UnsupportedResourceOperation", NOT_PREPARED)


def unsupported_scope(scope: str) -> ArmError:
    """400 for a configuration whose scope does not fit the resource; the code is reported, the sentence is ours."""
    message = f"Maintenance scope '{scope}' is not supported for this resource."
    return ArmError(400, "UnsupportedResourceOperation", message)


def not_found(type_: str, name: str, group: str) -> ArmError:
    """404 of the front door."""
    message = (
        f"The Resource '{type_}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return ArmError(404, "ResourceNotFound", message, gateway=True)


def still_assigned(name: str) -> ArmError:
    """409 for deleting a configuration that assignments name; code and wording are ours."""
    message = f"The maintenance configuration '{name}' is still assigned."
    return capitalised(409, "ConfigurationStillAssigned", message)
