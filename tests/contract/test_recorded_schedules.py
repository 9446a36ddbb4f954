"""Every recorded answer of Microsoft.Maintenance is read by the product's wire: configurations and assignments."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.contract.recordings import ABSENT, Exchange, exchanges, is_here

from patchmode.arm.schedule_rows import assignment_of, assignment_row, configuration_of, filter_document
from patchmode.model.schedule import DynamicScope

pytestmark = pytest.mark.skipif(not is_here(), reason=ABSENT)


def _recorded(kind: str) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The documents of a kind in each answer, with where it stands."""
    found = []
    for exchange in _exchanges():
        body = exchange.answer if isinstance(exchange.answer, dict) else {}
        documents = [one for one in body.get("value", [body]) if f"/{kind}/" in str(one.get("id", "")).casefold()]
        if documents:
            found.append((exchange.case, documents))
    return found


def _exchanges() -> list[Exchange]:
    return [one for group in ("maintenance", "maintenance_powershell") for one in exchanges(group)] if is_here() else []


@pytest.mark.parametrize(("case", "documents"), _recorded("maintenanceconfigurations"))
def test_recorded_configurations_are_read(case: str, documents: list[Mapping[str, Any]]) -> None:
    for document in documents:
        found = configuration_of(document)
        window = document["properties"].get("maintenanceWindow") or {}
        assert (found.name, found.location) == (document["name"], document["location"]), case
        assert found.scope == document["properties"]["maintenanceScope"]
        read = (found.window.start, found.window.duration, found.window.time_zone, found.window.recur_every)
        assert read == tuple(window.get(name) for name in ("startDateTime", "duration", "timeZone", "recurEvery"))


@pytest.mark.parametrize(("case", "documents"), _recorded("configurationassignments"))
def test_recorded_assignments_are_read(case: str, documents: list[Mapping[str, Any]]) -> None:
    """Those of hosts are none of ours; each dynamic scope is understood whole, and is written as it was recorded."""
    for document in documents:
        found = assignment_of(assignment_row(document))
        recorded = document["properties"].get("filter")
        if recorded is None:
            assert found is None, case
            continue
        assert isinstance(found, DynamicScope), case
        assert found.filter.unknown == ()
        assert filter_document(found.filter) == {name: value for name, value in recorded.items() if value is not None}
        assert found.place.casefold() == document["properties"]["resourceId"].casefold()


def test_there_is_something_to_read() -> None:
    """A loop over nothing proves nothing."""
    scopes = [
        one for _, found in _recorded("configurationassignments") for one in found if one["properties"].get("filter")
    ]
    assert len(scopes) >= 4
    assert sum(len(found) for _, found in _recorded("maintenanceconfigurations")) >= 500
