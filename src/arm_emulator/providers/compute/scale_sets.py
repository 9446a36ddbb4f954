"""Scale sets, read only: enough that ``virtualMachineScaleSet.id`` of a Flexible member leads somewhere.

Uniform instances are not emulated: they are out of Update Manager's reach.
"""

from functools import partial
from typing import TYPE_CHECKING

from arm_emulator.protocol.http import Request, Response
from arm_emulator.protocol.paging import list_page
from arm_emulator.providers.compute.errors import resource_not_found
from arm_emulator.providers.compute.members import Json
from arm_emulator.providers.compute.reads import etag_header
from arm_emulator.providers.compute.rendering import rendered
from arm_emulator.providers.compute.views import machine_view, with_callers_group, with_upper_group
from arm_emulator.state import Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

SCALE_SETS = "Microsoft.Compute/virtualMachineScaleSets"


def get_scale_set(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """``GET .../virtualMachineScaleSets/{name}``."""
    stored = cloud.state.get(
        f"/subscriptions/{params['subscription']}/resourceGroups/{params['group']}"
        f"/providers/{SCALE_SETS}/{params['name']}"
    )
    if stored is None:
        raise resource_not_found(SCALE_SETS, params["name"], params["group"])
    document = with_callers_group(_view(request, stored), params["group"])
    return rendered(document, headers=etag_header(stored, request.api_version))


def list_scale_sets(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """The scale sets of a resource group, or of a subscription (groups of ids in upper case then)."""
    group = params.get("group")
    rows = partial(_rows, cloud, params["subscription"], group)

    def render(stored: Stored) -> Json:
        document = _view(request, stored)
        return with_callers_group(document, group) if group else with_upper_group(document)

    return rendered(list_page(cloud, request, rows, render))


def _rows(cloud: "Cloud", subscription: str, group: str | None) -> list[Stored]:
    return list(cloud.state.of_type(SCALE_SETS, subscription=subscription, group=group))


def _view(request: Request, stored: Stored) -> Json:
    return machine_view(stored.document, stored.etag, request.api_version)
