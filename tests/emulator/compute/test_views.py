"""What an api-version shows of a machine, and that documents come back exactly as they were loaded."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.compute.caller import PATH, Caller, machine

from arm_emulator.providers.compute.members import first_version, ordered, unknown_member
from arm_emulator.providers.compute.views import machine_view

VERSIONS = [
    "2016-04-30-preview", "2017-03-30", "2018-06-01", "2019-07-01", "2020-06-01", "2020-12-01", "2021-03-01",
    "2022-03-01",
    "2022-11-01", "2023-03-01", "2023-09-01", "2024-03-01", "2024-07-01", "2025-04-01", "2026-04-01",
]  # fmt: skip
FULL: dict[str, Any] = {
    **machine(
        settings={
            "patchMode": "AutomaticByPlatform",
            "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True, "rebootSetting": "Never"},
            "assessmentMode": "ImageDefault",
            "enableHotpatching": False,
        },
        timeCreated="2024-01-01T00:00:00.0000000+00:00",
        securityProfile={"securityType": "TrustedLaunch", "uefiSettings": {"vTpmEnabled": True}},
        unknownToAnyTable={"kept": [1, None]},
        userData="aGVsbG8=",
    ),
    "zones": ["1"],
}

LINUX_BLOCK = "properties.osProfile.linuxConfiguration.patchSettings.automaticByPlatformSettings"
FIRST = [
    ("properties.osProfile.windowsConfiguration.patchSettings.patchMode", "2020-06-01"),
    ("properties.osProfile.linuxConfiguration.patchSettings.patchMode", "2020-06-01"),
    ("properties.osProfile.windowsConfiguration.patchSettings.enableHotpatching", "2020-12-01"),
    ("properties.osProfile.windowsConfiguration.patchSettings.assessmentMode", "2021-03-01"),
    ("properties.osProfile.linuxConfiguration.patchSettings.automaticByPlatformSettings", "2022-03-01"),
    (
        f"{LINUX_BLOCK}.bypassPlatformSafetyChecksOnUserSchedule",
        "2023-03-01",
    ),
    ("etag", "2024-03-01"),
    ("properties.applicationProfile.galleryApplications.manuallyManaged", "2022-08-01"),
]


@pytest.mark.parametrize(("path", "version"), FIRST)
def test_the_members_that_matter_appear_with_their_version(path: str, version: str) -> None:
    """The classic bug: read with an old version, PUT back, setting lost."""
    assert first_version(path) == version


def _leaves(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {path}.union(*(_leaves(item, f"{path}/{name}") for name, item in value.items()))
    return {path}


@given(st.sampled_from(VERSIONS), st.sampled_from(VERSIONS))
def test_a_younger_version_never_shows_less(first: str, second: str) -> None:
    """Members appear and stay."""
    older, younger = sorted((first, second))
    assert _leaves(machine_view(FULL, 3, older)) <= _leaves(machine_view(FULL, 3, younger))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_view_never_changes_what_is_stored(version: str) -> None:
    """Views share their parts with the state."""
    before = repr(FULL)
    machine_view(FULL, 3, version)
    assert repr(FULL) == before


@pytest.mark.parametrize(
    ("version", "settings"),
    [
        ("2019-07-01", None),
        ("2020-06-01", {"patchMode": "AutomaticByPlatform"}),
        ("2022-11-01", {"rebootSetting": "Never"}),
        ("2023-03-01", {"bypassPlatformSafetyChecksOnUserSchedule": True, "rebootSetting": "Never"}),
    ],
)
def test_an_old_version_leaves_out_what_it_does_not_know(version: str, settings: dict[str, Any] | None) -> None:
    """A 2020-06-01 GET shows only the patch mode."""
    block = machine_view(FULL, None, version)["properties"]["osProfile"]["windowsConfiguration"]
    if settings is None:
        assert "patchSettings" not in block
    elif "patchMode" in settings:
        assert block["patchSettings"] == settings
    else:
        assert block["patchSettings"]["automaticByPlatformSettings"] == settings


class TestAsLoaded:
    """A fleet file's documents are real ones; nothing may be tidied."""

    def test_odd_casing_unknown_members_and_order_stay(self) -> None:
        document = {
            "properties": {"zeta": 1, "provisioningState": "Succeeded", "alpha": {"B": None}},
            "type": "microsoft.compute/VirtualMachines",
            "id": PATH,
            "location": "West Europe",
            "name": "VM1",
        }
        answer = Caller.of(document).get(PATH).body
        assert answer == document
        assert list(answer) == list(document)
        assert list(answer["properties"]) == ["zeta", "provisioningState", "alpha"]

    def test_the_etag_stands_behind_properties_from_2024_03_01_on(self) -> None:
        caller = Caller.of({**machine(etag=4), "zones": ["1"]})
        assert list(caller.get(PATH).body)[-3:] == ["properties", "etag", "zones"]
        assert caller.get(PATH).headers["etag"] == '"4"'
        old = caller.get(PATH, version="2023-09-01")
        assert "etag" not in old.body
        assert "etag" not in old.headers

    def test_instance_view_and_user_data_must_be_asked_for(self) -> None:
        caller = Caller.of(machine(power="running", userData="aGVsbG8="))
        assert {"instanceView", "userData"}.isdisjoint(caller.get(PATH).body["properties"])
        asked = caller.get(PATH, query="&$expand=instanceview,USERDATA").body["properties"]
        assert asked["userData"] == "aGVsbG8="
        assert asked["instanceView"]["statuses"][1]["code"] == "PowerState/running"

    def test_the_callers_casing_of_the_group_is_echoed(self) -> None:
        caller = Caller.of(machine())
        path = PATH.replace("/resourceGroups/Rg/", "/resourcegroups/rG/").replace(
            "Microsoft.Compute", "microsoft.compute"
        )
        assert caller.get(path).body["id"] == PATH.replace("/Rg/", "/rG/")


def test_a_member_that_the_stored_machine_has_may_be_sent_back() -> None:
    """SDKs keep what they do not know, and send it with the next PUT."""
    body = {"properties": {"fromTheFuture": {"a": 1}}}
    assert unknown_member(body, "2024-07-01") is not None
    assert unknown_member(body, "2024-07-01", {"properties": {"fromTheFuture": {"a": 0}}}) is None


def test_names_without_a_known_place_keep_their_own() -> None:
    """Only what recorded bodies order is ordered."""
    assert ordered("", ["own", "properties", "name", "etag"]) == ["own", "name", "properties", "etag"]
