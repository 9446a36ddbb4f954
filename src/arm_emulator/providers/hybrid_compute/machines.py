"""Arc machines: GET, lists, extensions, assessment on demand, DELETE, and PATCH of the assessment mode.

An Arc machine has no orchestration to set: its ``patchSettings`` hold ``assessmentMode``, ``patchMode`` and a
``status``, and the built-in policies write the first alone. Every other write is refused as not emulated.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

from arm_emulator.patching import Patching
from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.operations import Operation, wire_time
from arm_emulator.protocol.paging import list_page
from arm_emulator.providers.compute.identity import merged_identity
from arm_emulator.providers.maintenance.membership import os_of
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

MACHINES = "Microsoft.HybridCompute/machines"
_EXTENSIONS = f"{MACHINES}/extensions"
_SYSTEMS = {"windowsconfiguration": "windowsConfiguration", "linuxconfiguration": "linuxConfiguration"}
_PLAIN = {
    name.lower(): name
    for name in ("locationData", "parentClusterResourceId", "privateLinkScopeResourceId", "identityKeyStore")
}
"""Members of ``MachineUpdateProperties`` that are kept as sent (azure-mgmt-hybridcompute 10)."""
_UPGRADE = {name.lower(): name for name in ("desiredVersion", "correlationId", "enableAutomaticUpgrade")}
"""What of ``AgentUpgrade`` may be written (azure-mgmt-hybridcompute 10); the rest says how the last attempt went."""
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
    """``PATCH .../machines/{name}`` of the assessment mode, identity, tags and what is kept as sent: 200 at once.

    Recorded: the answer says ``Updating`` and leaves ``resources`` out, no operation is named, and the next GET says
    ``Succeeded``.

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
            case "identity" if _is_a_systems(value):
                document["identity"] = merged_identity(
                    document.get("identity"), value, tenant_id=cloud.directory.tenant_id, random=cloud.random
                )
            case "properties" if isinstance(value, dict):
                _patch_properties(document, value)
            case _:
                raise _not_emulated(name)
    kept = cloud.state.put(document, etag=stored.etag).document
    answer = {name: value for name, value in kept.items() if name != "resources"}
    if "provisioningState" in kept.get("properties", {}):
        answer["properties"] = {**kept["properties"], "provisioningState": "Updating"}
    return Response(200, answer)


def delete_machine(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``DELETE .../machines/{name}``: 200 without a body (recorded); 204 where there is none (the REST reference)."""
    path = _path(params)
    if cloud.state.get(path) is None:
        return Response(204)
    for child in list(cloud.state.of_type(_EXTENSIONS, parent=path)):
        cloud.state.delete(child.id)
    cloud.state.delete(path)
    return Response(200)


def list_extensions(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET .../machines/{name}/extensions``; those that the fleet holds."""
    stored = _require(cloud, params)
    rows = list(cloud.state.of_type(_EXTENSIONS, parent=stored.id))
    return Response(200, list_page(cloud, request, lambda: rows, lambda child: child.document))


def get_extension(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET .../machines/{name}/extensions/{extension}``."""
    _require(cloud, params)
    found = cloud.state.get(request.path)
    if found is None:
        raise _not_found(_EXTENSIONS, f"{params['name']}/{params['extension']}", params["group"])
    return Response(200, found.document)


def assess_patches(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``POST .../machines/{name}/assessPatches``: 202, and the result at its end from the ``Location`` URL.

    Source: azure-mgmt-hybridcompute 10, ``begin_assess_patches`` and ``MachineAssessPatchesResult``; the URLs are those
    of a recorded POST of the same provider. A machine that is not connected is refused in words of ours.
    """
    stored = _require(cloud, params)
    properties = stored.document.get("properties") or {}
    status = str(properties.get("status", "Connected"))
    if status.lower() != "connected":
        message = f"The machine '{stored.id}' cannot be assessed: its status is '{status}'."
        raise ArmError(409, "OperationNotAllowed", message)
    patching, now = cloud.parts[Patching], cloud.clock.now()
    is_windows = os_of(stored.document) == "windows"
    missing = patching.missing(stored)
    counts = Counter(_member(patch.classification) for patch in missing)
    result = {
        "status": "Succeeded",
        "assessmentActivityId": request.request_id,
        "startDateTime": wire_time(now),
        "lastModifiedDateTime": wire_time(now),
        "startedBy": "User",
        # Which package manager a Linux machine has is not in its document.
        "patchServiceUsed": "WU" if is_windows else "Unknown",
        "osType": "Windows" if is_windows else "Linux",
        "rebootPending": False,
        "availablePatchCountByClassification": dict(counts),
        "errorDetails": {"code": "Success", "message": "", "details": []},
    }

    def end(operation: Operation) -> None:
        if operation.outcome == "Succeeded":
            patching.note_assessment(stored)

    operation = cloud.operations.start(
        request,
        location=stored.location,
        target_id=stored.id,
        kind="assess",
        on_done=end,
        output=result,
        namespace="Microsoft.HybridCompute",
    )
    base = request.base_url
    return Response(
        202, None, {"Azure-AsyncOperation": operation.async_url(base), "Location": operation.location_url(base)}
    )


def _member(classification: str) -> str:
    """``UpdateRollUp`` as ``availablePatchCountByClassification`` names it: ``updateRollup``."""
    known = {"updaterollup": "updateRollup", "featurepack": "featurePack", "servicepack": "servicePack"}
    plain = classification.replace(" ", "").lower()
    return known.get(plain, plain)


def _patch_properties(document: Document, properties: dict[str, Any]) -> None:
    for name, profile in properties.items():
        if name.lower() in _PLAIN:
            document.setdefault("properties", {})[_PLAIN[name.lower()]] = profile
            continue
        if name.lower() == "agentupgrade" and isinstance(profile, dict):
            _patch_upgrade(document, profile)
            continue
        if name.lower() == "cloudmetadata":
            continue  # read-only: which cloud the agent found itself in
        if name.lower() != "osprofile" or not isinstance(profile, dict):
            raise _not_emulated(f"properties.{name}")
        for system, block in profile.items():
            proper = _SYSTEMS.get(system.lower())
            if proper is None or not isinstance(block, dict) or {key.lower() for key in block} != {"patchsettings"}:
                raise _not_emulated(f"properties.osProfile.{system}")
            _patch_settings(document, proper, next(iter(block.values())))


def _patch_upgrade(document: Document, sent: dict[str, Any]) -> None:
    """Which version the agent is to have, kept as sent beside the rest; no agent is upgraded here."""
    wanted = {_UPGRADE[name.lower()]: value for name, value in sent.items() if name.lower() in _UPGRADE}
    properties = document.setdefault("properties", {})
    properties["agentUpgrade"] = {**(properties.get("agentUpgrade") or {}), **wanted}


def _is_a_systems(identity: Any) -> bool:
    """Whether an identity is the machine's own, which it has from its agent or is given (recorded)."""
    return isinstance(identity, dict) and str(identity.get("type")).lower() == "systemassigned"


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
    stored = cloud.state.get(_path(params))
    if stored is None:
        raise _not_found(MACHINES, params["name"], params["group"])
    return stored


def _path(params: dict[str, str]) -> str:
    group = f"/subscriptions/{params['subscription']}/resourceGroups/{params['group']}"
    return f"{group}/providers/{MACHINES}/{params['name']}"


def _not_found(type_: str, name: str, group: str) -> ArmError:
    message = (
        f"The Resource '{type_}/{name}' under resource group '{group}' was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix"
    )
    return ArmError(404, "ResourceNotFound", message, gateway=True)
