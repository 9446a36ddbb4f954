"""What Microsoft.Maintenance refuses of a guest patching configuration (scope InGuestPatch), and in which words.

Checks requests only: a fleet file may hold any configuration, as real subscriptions do. Other scopes keep what is
recorded of them.

Sources: the limits of "Managing VM updates with maintenance configurations", section "Guest"; the documentation of
``MaintenanceWindow`` in azure-mgmt-maintenance 2.1; 2,251 guest configurations in one recorded list of 2024 (in the
test of azure-cli's own maintenance extension): hourly recurrences stand there as ``6Hour`` and ``8Hours``, and in other
scopes monthly ones as ``1Month Third,Fourth Monday,Tuesday``. Two sentences are quoted in public reports
(``StartDateTime is not set ...`` and ``Monthly maintenance window is ...``); the others are ours, in the same envelope.
"""

import re
from datetime import timedelta
from typing import Any

from arm_emulator.profile import Profile
from arm_emulator.protocol.http import ArmError
from arm_emulator.providers.maintenance.errors import capitalised, invalid_window
from arm_emulator.providers.maintenance.recurrence import Hourly, MonthlyByWeekday, RecurrenceError, parse, zone_of
from arm_emulator.providers.maintenance.windows import local_time, window_duration

SHORTEST = timedelta(hours=1, minutes=30)
LONGEST = timedelta(hours=3, minutes=55)
SHORTEST_RECURRENCE_H = 6
NAME_LIMIT = 128
"""A name and its resource group's have fewer characters."""
REBOOT_SETTINGS = {
    "ifrequired": "IfRequired",
    "never": "NeverReboot",
    "neverreboot": "NeverReboot",
    "always": "AlwaysReboot",
    "alwaysreboot": "AlwaysReboot",
}
"""What comes back for what was sent. Recorded as a pair for ``Always`` and ``IfRequired``; of ``Never`` the recorded
list has no other spelling than ``NeverReboot``."""
CLASSIFICATIONS = {
    "windowsParameters": frozenset(
        {"critical", "security", "updaterollup", "featurepack", "servicepack", "definition", "tools", "updates"}
    ),
    "linuxParameters": frozenset({"critical", "security", "other"}),
}
PATCH_MODE = (
    "Extension properties must contain Patch mode. e.g. InGuestPatchMode = 'User' or InGuestPatchMode = 'Platform'"
)
_DATE_TIME = re.compile(r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}$")
_BARE_MONTH = re.compile(r"^\s*(?:\d+\s*)?months?\s*$", re.IGNORECASE)


def check(properties: dict[str, Any], profile: Profile) -> None:
    """Refuse a configuration that the service is known, or documented, to refuse.

    Args:
        properties: as sent, or as a PATCH merges them.
        profile: decides ``hourly_recurrence`` and ``week_list_recurrence``.

    Raises:
        ArmError: 400 in the capitalised envelope.
    """
    window = properties.get("maintenanceWindow")
    if isinstance(window, dict) and _BARE_MONTH.match(str(window.get("recurEvery", ""))):
        raise invalid_window("Monthly maintenance window is missing day of month or week of month.")
    if str(properties.get("maintenanceScope", "")).lower() != "inguestpatch":
        return
    _check_patch_mode(properties.get("extensionProperties"))
    # A recorded configuration of this scope has no window at all; it never runs.
    if window is not None:
        _check_window(window, profile)
    patches = properties.get("installPatches")
    if patches is not None:
        _check_patches(patches)


def check_names(name: str, group: str, properties: dict[str, Any]) -> None:
    """Refuse names that are too long for a guest configuration.

    Raises:
        ArmError: 400 InvalidRequestContent; the wording is ours.
    """
    if str(properties.get("maintenanceScope", "")).lower() != "inguestpatch":
        return
    for what, text in (("maintenance configuration", name), ("resource group", group)):
        if len(text) >= NAME_LIMIT:
            raise _content(f"The name of the {what} must have fewer than {NAME_LIMIT} characters.")


def _check_patch_mode(extension: Any) -> None:
    # Recorded configurations spell the key both InGuestPatchMode and inGuestPatchMode.
    given = extension if isinstance(extension, dict) else {}
    mode = next((value for key, value in given.items() if str(key).lower() == "inguestpatchmode"), None)
    if str(mode or "").lower() not in {"user", "platform"}:
        raise _content(PATCH_MODE)


def _check_window(window: Any, profile: Profile) -> None:
    if not isinstance(window, dict):
        raise invalid_window("The maintenance window is not an object.")
    if not window.get("startDateTime"):
        raise invalid_window("StartDateTime is not set for maintenance window.")
    _check_dates(window)
    _check_duration(window.get("duration"))
    if not window.get("timeZone"):
        raise invalid_window("TimeZone is not set for maintenance window.")
    if not isinstance(window["timeZone"], str) or zone_of(window["timeZone"]) is None:
        raise invalid_window(f"The time zone '{window['timeZone']}' is not known.")
    if window.get("recurEvery") is not None:
        _check_recurrence(window["recurEvery"], profile)


def _check_dates(window: dict[str, Any]) -> None:
    for member in ("startDateTime", "expirationDateTime"):
        text = window.get(member)
        if text is None and member == "expirationDateTime":
            return
        is_formed = isinstance(text, str) and _DATE_TIME.match(text.strip()) is not None
        if not is_formed or local_time(text) is None:
            raise invalid_window(f"{member[0].upper()}{member[1:]} '{text}' is not of the form YYYY-MM-DD HH:mm.")
    starts, expires = local_time(window["startDateTime"]), local_time(window["expirationDateTime"])
    if starts is not None and expires is not None and expires <= starts:
        raise invalid_window("ExpirationDateTime must be later than StartDateTime.")


def _check_duration(text: Any) -> None:
    length = window_duration(text)
    if length is None:
        raise invalid_window(f"Duration '{text}' is not of the form HH:mm.")
    if not SHORTEST <= length <= LONGEST:
        raise invalid_window("Duration must be between 01:30 and 03:55 for maintenance scope InGuestPatch.")


def _check_recurrence(text: Any, profile: Profile) -> None:
    try:
        rule = parse(text)
    except RecurrenceError as error:
        raise invalid_window(str(error)) from error
    if isinstance(rule, Hourly):
        if profile.hourly_recurrence == "refused":
            raise invalid_window(f"The recurrence '{text}' is neither daily nor weekly nor monthly.")
        if rule.every < SHORTEST_RECURRENCE_H:
            raise invalid_window(f"A maintenance window must not recur within {SHORTEST_RECURRENCE_H} hours.")
    is_list = isinstance(rule, MonthlyByWeekday) and len(rule.ordinals) * len(rule.weekdays) > 1
    if is_list and profile.week_list_recurrence == "refused":
        raise invalid_window(f"The recurrence '{text}' names more than one week or weekday of a month.")


def _check_patches(patches: Any) -> None:
    if not isinstance(patches, dict):
        raise _content("installPatches is not an object.")
    setting = patches.get("rebootSetting")
    if setting is not None and str(setting).lower() not in REBOOT_SETTINGS:
        raise _content(f"'{setting}' is not a reboot setting; the values are IfRequired, Never and Always.")
    for member, known in CLASSIFICATIONS.items():
        parameters = patches.get(member)
        if parameters is None:
            continue
        chosen = parameters.get("classificationsToInclude") if isinstance(parameters, dict) else parameters
        if chosen is not None and not isinstance(chosen, list):
            raise _content(f"{member} is not of the form that the service reads.")
        for name in chosen or ():
            if str(name).lower() not in known:
                raise _content(f"'{name}' is not a classification of {member}.")


def _content(message: str) -> ArmError:
    return capitalised(400, "InvalidRequestContent", message)
