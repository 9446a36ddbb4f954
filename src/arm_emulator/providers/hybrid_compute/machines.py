"""Arc machines: GET, lists, and PATCH of the assessment mode, answered 200 at once.

An Arc machine has no orchestration to set: its ``patchSettings`` hold ``assessmentMode``, ``patchMode`` and a
``status``, and the built-in policies write the first alone. Every other write is refused as not emulated.
"""

from typing import TYPE_CHECKING, Any

from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.paging import list_page
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

MACHINES = "Microsoft.HybridCompute/machines"
_SYSTEMS = {"windowsconfiguration": "windowsConfiguration", "linuxconfiguration": "linuxConfiguration"}
_MODES = ("ImageDefault", "AutomaticByPlatform")


def get_machine(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``GET .../machines/{name}``; the document as it was loaded."""
    return Response(200, _require(cloud, params).document)


def list_machines(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """The machines of a resource group or a subscription."""

    def rows() -> list[Stored]:
        return list(cloud.state.of_type(MACHINES, subscription=params["subscription"], group=params.get("group")))

    return Response(200, list_page(cloud, request, rows, lambda stored: stored.document))


def patch_machine(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``PATCH .../machines/{name}`` of ``osProfile.*.patchSettings.assessmentMode`` and of tags: 200 at once.

    Raises:
        ArmError: 404; 400 for an unknown mode; 501 NotEmulated for anything else in the body.
    """
    stored = _require(cloud, params)
    if not isinstance(request.body, dict):
        message = "The request content was invalid and could not be deserialized: 'a JSON object is needed'."
        raise ArmError(400, "InvalidRequestContent", message, gateway=True)
    document = stored.copy()
    for name, value in request.body.items():
        match name.lower():
            case "tags" if isinstance(value, dict):
                document["tags"] = value
            case "properties" if isinstance(value, dict):
                _patch_properties(document, value)
            case _:
                raise _not_emulated(name)
    return Response(200, cloud.state.put(document, etag=stored.etag).document)


def _patch_properties(document: Document, properties: dict[str, Any]) -> None:
    for name, profile in properties.items():
        if name.lower() != "osprofile" or not isinstance(profile, dict):
            raise _not_emulated(f"properties.{name}")
        for system, block in profile.items():
            proper = _SYSTEMS.get(system.lower())
            if proper is None or not isinstance(block, dict) or {key.lower() for key in block} != {"patchsettings"}:
                raise _not_emulated(f"properties.osProfile.{system}")
            _patch_settings(document, proper, next(iter(block.values())))


def _patch_settings(document: Document, system: str, settings: Any) -> None:
    if not isinstance(settings, dict) or {key.lower() for key in settings} != {"assessmentmode"}:
        raise _not_emulated(f"properties.osProfile.{system}.patchSettings")
    sent = str(next(iter(settings.values())))
    mode = next((word for word in _MODES if word.lower() == sent.lower()), None)
    if mode is None:
        message = f"The value '{sent}' of assessmentMode is invalid."
        raise ArmError(400, "InvalidParameter", message, target=f"{system}.patchSettings.assessmentMode")
    profile = document.setdefault("properties", {}).setdefault("osProfile", {})
    profile.setdefault(system, {}).setdefault("patchSettings", {})["assessmentMode"] = mode


def _not_emulated(what: str) -> ArmError:
    return ArmError(501, "NotEmulated", f"The emulator does not emulate a write of {what} on an Arc machine.")


def _require(cloud: "Cloud", params: dict[str, str]) -> Stored:
    stored = cloud.state.get(
        f"/subscriptions/{params['subscription']}/resourceGroups/{params['group']}/providers/{MACHINES}/{params['name']}"
    )
    if stored is None:
        message = (
            f"The Resource '{MACHINES}/{params['name']}' under resource group '{params['group']}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        )
        raise ArmError(404, "ResourceNotFound", message, gateway=True)
    return stored
