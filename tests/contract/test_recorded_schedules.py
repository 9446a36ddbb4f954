"""Every recorded answer of Microsoft.Maintenance is read by the product's wire: configurations and assignments."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.contract.recordings import ABSENT, Exchange, exchanges, is_here

from patchmode.arm.schedule_rows import assignment_of, assignment_row, configuration_of, filter_document
from patchmode.model.schedule import DynamicScope, NextWindow, WindowRule
from patchmode.rules.schedules.recurrence_grammar import parse
from patchmode.rules.schedules.time_zones import zone_of
from patchmode.rules.schedules.window import read

pytestmark = pytest.mark.skipif(not is_here(), reason=ABSENT)
_MEMBERS = ("startDateTime", "expirationDateTime", "duration", "timeZone", "recurEvery")


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


def _configurations() -> list[Mapping[str, Any]]:
    """Every configuration, the public ones and those of the long list with @ for slashes or no first slash too."""
    answers = [one.answer for one in _exchanges() if isinstance(one.answer, dict)]
    documents = [document for answer in answers for document in answer.get("value", [answer])]
    return [one for one in documents if "maintenanceScope" in (one.get("properties") or {})]


def test_recorded_windows_are_understood() -> None:
    """Of every scope: each recurrence, each time zone, each window whole, save those that state no recurrence."""
    stated = [window for one in _configurations() if (window := one["properties"].get("maintenanceWindow"))]
    windows = [WindowRule(*(window.get(name) for name in _MEMBERS)) for window in stated]
    assert len(windows) >= 2_500
    recurrences = {one.recur_every for one in windows}
    assert {text for text in recurrences if parse(text or "") is None} == {None}
    assert recurrences >= {"6Hour", "8Hours", "12Hour", "1Month Third,Fourth Monday,Tuesday,Wednesday,Thursday,Friday"}
    assert {one.time_zone for one in windows if zone_of(one.time_zone or "") is None} == set()
    unread = {found.because for one in windows if isinstance(found := read(one), NextWindow)}
    assert unread == {"it has no recurrence, so it is not known whether it ever runs"}


def test_recorded_reboot_settings_and_patch_modes_are_read() -> None:
    """The service answers other words for them than its documentation names, and one key in two spellings."""
    documents = [one for one in _configurations() if "public" not in one["id"].casefold()]
    found = [configuration_of({**one, "id": "/" + one["id"].replace("@", "/").lstrip("/")}) for one in documents]
    assert {one.reboot_setting for one in found} == {None, "IfRequired", "NeverReboot", "AlwaysReboot"}
    keys = {key for one in documents for key in one["properties"].get("extensionProperties") or {}}
    assert keys >= {"InGuestPatchMode", "inGuestPatchMode"}
    for read_as, document in zip(found, documents, strict=True):
        extension = document["properties"].get("extensionProperties") or {}
        assert read_as.patch_mode == extension.get("InGuestPatchMode", extension.get("inGuestPatchMode"))


def test_there_is_something_to_read() -> None:
    """A loop over nothing proves nothing."""
    scopes = [
        one for _, found in _recorded("configurationassignments") for one in found if one["properties"].get("filter")
    ]
    assert len(scopes) >= 4
    assert sum(len(found) for _, found in _recorded("maintenanceconfigurations")) >= 500
