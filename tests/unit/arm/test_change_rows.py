"""Who changed what, as rows of Resource Graph tell it; what they do not tell is None."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from patchmode.arm.machine_rows import change_of, changes_query

GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg"
VM = f"{GROUP}/providers/microsoft.compute/virtualMachines/web"
LEAF = "properties.osProfile.linuxConfiguration.patchSettings.patchMode"


def row(**properties: Any) -> dict[str, Any]:
    """As in the example of Microsoft's "Get resource changes"."""
    attributes = {
        "previousResourceSnapshotId": "1_2_3",
        "correlationId": "11111111-1111-1111-1111-111111111111",
        "changedByType": "User",
        "changesCount": 1,
        "clientType": "Azure Portal",
        "changedBy": "john@contoso.example",
        "operation": "microsoft.compute/virtualmachines/write",
        "timestamp": "2030-01-31T22:00:00.123Z",
    }
    known = {
        "targetResourceId": VM,
        "targetResourceType": "microsoft.compute/virtualmachines",
        "changeType": "Update",
        "changeAttributes": attributes,
        "changes": {LEAF: {"previousValue": "Manual", "newValue": "ImageDefault", "propertyChangeType": "Update"}},
    }
    return {"id": f"{VM}/providers/Microsoft.Resources/changes/0_1", "properties": {**known, **properties}}


def test_every_member_is_read() -> None:
    change = change_of(row())
    assert change is not None
    assert change.resource_id == VM
    assert change.at == datetime(2030, 1, 31, 22, 0, 0, 123000, UTC)
    assert (change.change_type, change.operation) == ("Update", "microsoft.compute/virtualmachines/write")
    assert (change.changed_by, change.changed_by_type, change.client_type) == (
        "john@contoso.example",
        "User",
        "Azure Portal",
    )
    assert change.paths == (LEAF,)


@pytest.mark.parametrize("attributes", [None, {}, "text", {"changedBy": "", "timestamp": "soon"}])
def test_what_is_not_told_is_none(attributes: Any) -> None:
    change = change_of(row(changeAttributes=attributes, changes=None, changeType=None))
    assert change is not None
    assert (change.changed_by, change.client_type, change.operation, change.at) == (None, None, None, None)
    assert (change.change_type, change.paths) == (None, ())


def test_target_stands_in_the_id_too() -> None:
    change = change_of(row(targetResourceId=None))
    assert change is not None
    assert change.resource_id == VM


@pytest.mark.parametrize("strange", [{}, {"id": "x"}, {"id": None, "properties": None}, {"id": 7, "properties": []}])
def test_row_of_no_resource_is_left_out(strange: dict[str, Any]) -> None:
    assert change_of(strange) is None


def test_moment_is_written_in_utc() -> None:
    moment = datetime(2030, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=1)))
    assert "where changedAt >= datetime(2030-01-31T22:30:00Z)" in changes_query(moment)
