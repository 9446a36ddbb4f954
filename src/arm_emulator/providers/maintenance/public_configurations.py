"""Public maintenance configurations: those that the service offers to everybody. Read only.

Recorded: a GET and the list answer ids below the subscription of the caller. Which ones there are is said by the fleet
file, under any subscription; by itself the emulator offers none.
"""

from typing import TYPE_CHECKING

from arm_emulator.protocol.http import Request, Response
from arm_emulator.providers.maintenance.errors import not_found
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

PUBLIC = "Microsoft.Maintenance/publicMaintenanceConfigurations"


def get_public(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """``GET /subscriptions/{s}/providers/Microsoft.Maintenance/publicMaintenanceConfigurations/{name}``."""
    wanted = params["name"].lower()
    for stored in cloud.state.of_type(PUBLIC):
        if str(stored.document.get("name", "")).lower() == wanted:
            return Response(200, _shown(stored, params["subscription"]))
    raise not_found(PUBLIC, params["name"], "")


def list_public(cloud: "Cloud", _request: Request, params: dict[str, str]) -> Response:
    """The list of them, in one page (recorded with 187)."""
    rows = {str(stored.document.get("name", "")).lower(): stored for stored in cloud.state.of_type(PUBLIC)}
    return Response(200, {"value": [_shown(stored, params["subscription"]) for stored in rows.values()]})


def _shown(stored: Stored, subscription: str) -> Document:
    name = stored.document.get("name")
    return {**stored.document, "id": f"/subscriptions/{subscription}/providers/{PUBLIC}/{name}"}
