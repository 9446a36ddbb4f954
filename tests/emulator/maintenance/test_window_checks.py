"""What a PUT or PATCH of a guest patching configuration is refused for, and what it must never be refused for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.recordings import ABSENT, exchanges, is_here
from tests.emulator.compute.caller import GROUP, SUBSCRIPTION, Caller

from arm_emulator.profile import Profile
from arm_emulator.protocol.http import ArmError
from arm_emulator.providers.maintenance import window_checks

VERSION = "2023-04-01"
CONFIGURATION = f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/weekly"
WINDOW = {
    "startDateTime": "2024-04-30 08:00",
    "expirationDateTime": "9999-12-31 00:00",
    "duration": "02:00",
    "timeZone": "Pacific Standard Time",
    "recurEvery": "Week Saturday",
}


def _guest(**changes: Any) -> dict[str, Any]:
    """A guest configuration's properties; ``window`` replaces members of the window, a None member is left out."""
    window = {**WINDOW, **changes.pop("window", {})}
    return {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": {name: value for name, value in window.items() if value is not None},
        **changes,
    }


def _refusal(properties: dict[str, Any], **switches: Any) -> str:
    """The sentence of the refusal, ``''`` where there is none."""
    try:
        window_checks.check(properties, Profile(**switches))
    except ArmError as error:
        refusal = error
    else:
        return ""
    assert refusal.status == 400
    assert refusal.body == {"Error": {"Code": refusal.code, "Message": refusal.message}}
    return refusal.message


BEGINNING = "Invalid maintenance window. Error: "


class TestWindows:
    """Each member of a window, at and beyond its limits."""

    @pytest.mark.parametrize("duration", ["01:30", "01:31", "02:00", "03:55", None])
    def test_durations_within_the_limits(self, duration: str | None) -> None:
        assert _refusal(_guest(window={"duration": duration})) == ""

    @pytest.mark.parametrize("duration", ["01:29", "00:00", "03:56", "05:00", "24:00"])
    def test_durations_beyond_them(self, duration: str) -> None:
        expected = "Duration must be between 01:30 and 03:55 for maintenance scope InGuestPatch."
        assert _refusal(_guest(window={"duration": duration})) == BEGINNING + expected

    @pytest.mark.parametrize("duration", ["2", "02:60", "two", 120, "PT2H"])
    def test_durations_of_another_form(self, duration: object) -> None:
        assert _refusal(_guest(window={"duration": duration})).endswith("is not of the form HH:mm.")

    def test_a_window_without_a_start_word_for_word(self) -> None:
        expected = "Invalid maintenance window. Error: StartDateTime is not set for maintenance window."
        assert _refusal(_guest(window={"startDateTime": None})) == expected

    @pytest.mark.parametrize(
        "text", ["2024-04-30", "2024-4-30 08:00", "2024-04-30T08:00", "2024-02-30 08:00", "2024-04-30 25:00", 5]
    )
    @pytest.mark.parametrize("member", ["startDateTime", "expirationDateTime"])
    def test_dates_of_another_form(self, member: str, text: object) -> None:
        assert "is not of the form YYYY-MM-DD HH:mm." in _refusal(_guest(window={member: text}))

    def test_an_end_before_the_start(self) -> None:
        for text in ("2024-04-30 08:00", "2024-04-30 07:59"):
            expected = BEGINNING + "ExpirationDateTime must be later than StartDateTime."
            assert _refusal(_guest(window={"expirationDateTime": text})) == expected
        assert _refusal(_guest(window={"expirationDateTime": "2024-04-30 08:01"})) == ""
        assert _refusal(_guest(window={"expirationDateTime": None})) == ""

    def test_a_start_long_past_is_accepted(self) -> None:
        """Recorded: the service takes any start that lies behind."""
        assert _refusal(_guest(window={"startDateTime": "1970-01-01 00:00"})) == ""

    @pytest.mark.parametrize(
        ("zone", "ending"),
        [
            (None, "TimeZone is not set for maintenance window."),
            ("Europe/Berlin", "The time zone 'Europe/Berlin' is not known."),
            ("Middle Earth Standard Time", "The time zone 'Middle Earth Standard Time' is not known."),
            (7, "The time zone '7' is not known."),
        ],
    )
    def test_time_zones_nobody_knows(self, zone: object, ending: str) -> None:
        assert _refusal(_guest(window={"timeZone": zone})) == BEGINNING + ending

    @pytest.mark.parametrize("zone", ["UTC", "W. Europe Standard Time", "UTC-02", "india standard time"])
    def test_time_zones_of_windows(self, zone: str) -> None:
        assert _refusal(_guest(window={"timeZone": zone})) == ""

    @pytest.mark.parametrize("rule", ["Month", "2Months", " 1month "])
    def test_a_bare_month_word_for_word_in_every_scope(self, rule: str) -> None:
        expected = BEGINNING + "Monthly maintenance window is missing day of month or week of month."
        assert _refusal(_guest(window={"recurEvery": rule})) == expected
        assert _refusal(_guest(maintenanceScope="Host", window={"recurEvery": rule})) == expected

    @pytest.mark.parametrize("rule", ["Fortnight", "0Days", "Week Caturday", "Month day32", "Month Fifth Monday", 3])
    def test_recurrences_that_the_grammar_lacks(self, rule: object) -> None:
        assert _refusal(_guest(window={"recurEvery": rule})).startswith(BEGINNING)

    def test_hours_from_six_on(self) -> None:
        """Recorded as ``6Hour``, ``8Hours``, ``12Hour``; the documentation's floor is six hours."""
        for rule in ("6Hour", "6Hours", "8Hours", "12Hour"):
            assert _refusal(_guest(window={"recurEvery": rule})) == ""
            assert _refusal(_guest(window={"recurEvery": rule}), hourly_recurrence="refused").startswith(BEGINNING)
        for rule in ("Hour", "2Hours", "5Hour"):
            expected = BEGINNING + "A maintenance window must not recur within 6 hours."
            assert _refusal(_guest(window={"recurEvery": rule})) == expected

    def test_lists_of_weeks_and_weekdays(self) -> None:
        """Recorded for hosts and databases; whether guest patching takes them is a switch."""
        for rule in ("1Month Third,Fourth Monday,Tuesday", "1Month Last Thursday,Friday", "Month First,Last Sunday"):
            assert _refusal(_guest(window={"recurEvery": rule})) == ""
            expected = BEGINNING + f"The recurrence '{rule}' names more than one week or weekday of a month."
            assert _refusal(_guest(window={"recurEvery": rule}), week_list_recurrence="refused") == expected
        assert _refusal(_guest(window={"recurEvery": "Month Last Friday"}), week_list_recurrence="refused") == ""

    def test_no_window_and_no_recurrence_are_accepted(self) -> None:
        """A recorded configuration has no window; both kinds never run."""
        assert _refusal(_guest(window={"recurEvery": None})) == ""
        without = _guest()
        del without["maintenanceWindow"]
        assert _refusal(without) == ""

    def test_other_scopes_keep_what_is_recorded_of_them(self) -> None:
        """Recorded for Host: a duration of 00:00 and no start; for OSImage: five hours."""
        assert _refusal({"maintenanceScope": "Host", "maintenanceWindow": {"duration": "00:00"}}) == ""
        assert _refusal({"maintenanceScope": "OSImage", "maintenanceWindow": {**WINDOW, "duration": "05:00"}}) == ""


class TestOtherMembers:
    """Patch mode, patches, names."""

    @pytest.mark.parametrize("extension", [None, {}, [], {"InGuestPatchMode": "Nobody"}, {"InGuestPatchMode": None}])
    def test_the_patch_mode_is_needed_word_for_word(self, extension: object) -> None:
        expected = (
            "Extension properties must contain Patch mode. "
            "e.g. InGuestPatchMode = 'User' or InGuestPatchMode = 'Platform'"
        )
        assert _refusal(_guest(extensionProperties=extension)) == expected

    @pytest.mark.parametrize("extension", [{"inGuestPatchMode": "User"}, {"InGuestPatchMode": "platform"}])
    def test_the_patch_mode_in_the_casings_recorded(self, extension: dict[str, str]) -> None:
        assert _refusal(_guest(extensionProperties=extension)) == ""

    @pytest.mark.parametrize(
        ("patches", "says"),
        [
            ([], "installPatches is not an object."),
            ({"rebootSetting": "Sometimes"}, "'Sometimes' is not a reboot setting"),
            ({"windowsParameters": "all"}, "windowsParameters is not of the form"),
            ({"windowsParameters": {"classificationsToInclude": "Critical"}}, "windowsParameters is not of the form"),
            (
                {"windowsParameters": {"classificationsToInclude": ["Other"]}},
                "'Other' is not a classification of windows",
            ),
            ({"linuxParameters": {"classificationsToInclude": ["Tools"]}}, "'Tools' is not a classification of linux"),
        ],
    )
    def test_patches_that_cannot_be_read(self, patches: object, says: str) -> None:
        assert _refusal(_guest(installPatches=patches)).startswith(says)

    @pytest.mark.parametrize(
        ("sent", "answered"),
        [
            ("IfRequired", "IfRequired"),
            ("ifrequired", "IfRequired"),
            ("Never", "NeverReboot"),
            ("Always", "AlwaysReboot"),
            ("AlwaysReboot", "AlwaysReboot"),
        ],
    )
    def test_reboot_settings_come_back_in_the_services_words(self, sent: str, answered: str) -> None:
        body = {"location": "westeurope", "properties": _guest(installPatches={"rebootSetting": sent})}
        answer = Caller.of().put(CONFIGURATION, body, version=VERSION)
        assert answer.body["properties"]["installPatches"] == {"rebootSetting": answered}

    def test_names_have_fewer_than_128_characters(self) -> None:
        caller = Caller.of()
        body = {"location": "westeurope", "properties": _guest()}
        base = CONFIGURATION.rpartition("/")[0]
        assert caller.put(f"{base}/{'n' * 127}", body, version=VERSION).status == 200
        answer = caller.put(f"{base}/{'n' * 128}", body, version=VERSION)
        assert (answer.status, answer.body["Error"]["Code"]) == (400, "InvalidRequestContent")

    def test_a_location_is_needed(self) -> None:
        answer = Caller.of().put(CONFIGURATION, {"properties": _guest()}, version=VERSION)
        assert (answer.status, answer.code) == (400, "LocationRequired")

    def test_a_patch_is_held_to_the_same_and_changes_nothing(self) -> None:
        caller = Caller.of()
        caller.put(CONFIGURATION, {"location": "westeurope", "properties": _guest()}, version=VERSION)
        before = caller.get(CONFIGURATION, version=VERSION).body
        body = {"properties": {"maintenanceWindow": {**WINDOW, "duration": "04:00"}}}
        assert caller.patch(CONFIGURATION, body, version=VERSION).status == 400
        assert caller.get(CONFIGURATION, version=VERSION).body == before

    def test_a_fleet_may_hold_what_a_put_may_not(self) -> None:
        document = {"id": CONFIGURATION, "location": "westeurope", "properties": _guest(window={"duration": "09:00"})}
        got = Caller.of(document).get(CONFIGURATION, version=VERSION).body
        assert got["properties"]["maintenanceWindow"]["duration"] == "09:00"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(st.text(max_size=8), deeper, max_size=3),
    max_leaves=6,
)


@given(
    member=st.sampled_from(["maintenanceWindow", "installPatches", "extensionProperties", "maintenanceScope"]),
    value=json_values,
)
def test_any_json_is_accepted_or_refused_with_400(member: str, value: Any) -> None:
    """A member of any shape never ends in a failure of the emulator."""
    properties = {**_guest(), member: value}
    assert isinstance(_refusal(properties), str)


@given(member=st.sampled_from(sorted(WINDOW)), value=json_values)
def test_any_member_of_a_window_is_accepted_or_refused_with_400(member: str, value: Any) -> None:
    """The same, one level down."""
    assert isinstance(_refusal(_guest(window={member: value})), str)


@pytest.mark.skipif(not is_here(), reason=ABSENT)
def test_what_recordings_show_accepted_is_not_refused() -> None:
    """Every recorded PUT and PATCH, and each listed guest configuration that keeps to today's limits."""
    sent = [
        exchange.body["properties"]
        for exchange in exchanges("maintenance")
        if "/maintenanceconfigurations/" in exchange.path.lower() and isinstance(exchange.body, dict)
    ]
    assert len(sent) > 3
    assert [_refusal(properties) for properties in sent] == [""] * len(sent)


@pytest.mark.skipif(not is_here(), reason=ABSENT)
def test_the_recorded_list_is_refused_for_nothing_but_limits_that_came_later() -> None:
    """2,251 guest configurations, some older than the limits on duration and repetition."""
    listed = next(
        exchange.answer["value"]
        for exchange in exchanges("maintenance")
        if exchange.method == "GET" and exchange.path.lower().endswith("/maintenanceconfigurations")
    )
    guests = [row["properties"] for row in listed if row["properties"]["maintenanceScope"] == "InGuestPatch"]
    refused = [(text, json.dumps(row)) for row in guests if (text := _refusal(row))]
    assert len(guests) == 2251
    assert {text for text, _ in refused} <= {
        BEGINNING + "Duration must be between 01:30 and 03:55 for maintenance scope InGuestPatch.",
        BEGINNING + "A maintenance window must not recur within 6 hours.",
        window_checks.PATCH_MODE,
    }
    assert len(refused) < 30


def test_a_subscription_has_at_most_250_configurations_in_a_region() -> None:
    """A replacement is no new one, and another region has its own count."""
    base = CONFIGURATION.rpartition("/")[0]
    documents = [{"id": f"{base}/c{at}", "location": "West Europe", "properties": _guest()} for at in range(250)]
    caller = Caller.of(*documents)
    body = {"location": "westeurope", "properties": _guest()}
    answer = caller.put(f"{base}/c250", body, version=VERSION)
    assert (answer.status, answer.body["Error"]["Code"]) == (400, "LimitExceeded")
    assert caller.put(f"{base}/c249", body, version=VERSION).status == 200
    assert caller.put(f"{base}/c250", {**body, "location": "northeurope"}, version=VERSION).status == 200
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Maintenance/maintenanceConfigurations"
    assert len(caller.get(path, version=VERSION).body["value"]) == 251
