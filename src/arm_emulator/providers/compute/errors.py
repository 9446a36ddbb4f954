"""Compute's refusals. Every body is pretty-printed with CRLF, as recorded."""

from arm_emulator.protocol.http import ArmError


def invalid_parameter(message: str, target: str | None = None) -> ArmError:
    """400 ``InvalidParameter``; ``target`` is absent from the body where None."""
    return ArmError(400, "InvalidParameter", message, target=target, crlf=True)


def property_change(name: str) -> ArmError:
    """409 ``PropertyChangeNotAllowed`` for a property of the machine, e.g. ``osDisk.createOption`` (recorded: 409)."""
    message = f"Changing property '{name}' is not allowed."
    return ArmError(409, "PropertyChangeNotAllowed", message, target=name, crlf=True)


def operation_not_allowed(message: str) -> ArmError:
    """409 ``OperationNotAllowed``: a refusal, not a throttle."""
    return ArmError(409, "OperationNotAllowed", message, crlf=True)


def precondition_failed(given: str, etag: int) -> ArmError:
    """412 with the recorded sentence, which quotes both etags, a bare one, too; no ETag header."""
    shown = given if given.endswith('"') else f'"{given}"'
    message = f'Etag provided in if-match header {shown} does not match etag "{etag}" of resource.'
    return ArmError(412, "PreconditionFailed", message, crlf=True)


def gone() -> ArmError:
    """404 of the provider itself for what was deleted a moment ago: Resource Manager still passes the call on."""
    return ArmError(404, "NotFound", "The entity was not found in this Azure location.", crlf=True)


def resource_not_found(type_: str, name: str, group: str) -> ArmError:
    """404 of the front door for a machine that is not there.

    Args:
        type_: as Azure spells it, e.g. ``Microsoft.Compute/virtualMachines``.
        name: as the caller spelled it.
        group: the resource group as the caller spelled it.
    """
    message = (
        f"The Resource '{type_}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return ArmError(404, "ResourceNotFound", message, gateway=True)
