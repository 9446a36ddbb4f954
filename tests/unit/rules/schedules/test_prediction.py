"""Who patches a machine: the documented decision table, row by row, and honesty about what is not known."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rules.builders import SUBSCRIPTION, arc_document, machine_from, vm
from tests.unit.rules.memberships import attached, coming, hit

from patchmode.model.machine import Machine, MachineKind, Surroundings
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import PatchSettings
from patchmode.model.schedule import NOT_LOOKED_UP, MachineSchedules, NextWindow, RunForecast, ScheduleHit, Timing, Via
from patchmode.rules.schedules.forecast import forecast, predict

KIND = OutcomeKind
PLATFORM, MANUAL, BY_OS, BY_IMAGE = "AutomaticByPlatform", "Manual", "AutomaticByOS", "ImageDefault"
SKU = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2019-Datacenter"}
WINDOWS = vm("Windows", image=SKU)
CUSTOM = vm(
    "Windows",
    image={"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/images/i"},
    surroundings=Surroundings(os_name="Windows Server 2022 Datacenter"),
)
UNLISTED = vm("Windows", image={"publisher": "contoso", "offer": "appliance", "sku": "v1"})
NO_IMAGE = vm("Windows", os_profile=False, image={})
ARC = machine_from(arc_document())
NODE = vm("Linux", tags={"aks-managed-poolName": "p"})
CLIENT = vm("Windows", license_type="Windows_Client")
FLEX = vm("Windows", image=SKU, kind=MachineKind.VMSS_FLEX)
OFF = replace(WINDOWS, surroundings=Surroundings(power_state="deallocated"))

NONE, SCHEDULE = MachineSchedules(looked_up=True), attached()
READY = PatchSettings(patch_mode=PLATFORM, bypass=True)
AZURE = PatchSettings(patch_mode=PLATFORM)

OVER = NextWindow(Timing.OVER, because="it expired on 2026-01-01", rule="schedule-expired")
NEVER = NextWindow(Timing.NEVER, because="31 February does not exist", rule="window-never-comes")
GONE = NextWindow(Timing.MISSING, because="the configuration weekly does not exist", rule="configuration-missing")
UNSEEN = NextWindow(Timing.UNSEEN, because="it is where you cannot read", rule="configuration-unseen")
UNREADABLE = NextWindow(Timing.UNREADABLE, because="its recurrence cannot be read", rule="unreadable-recurrence")
TWO_READINGS = NextWindow(Timing.COMING, because="two readings name different days", rule="recurrence-unconfirmed")
PLATFORM_SCHEDULE = replace(coming(), because="InGuestPatchMode is Platform", rule="platform-mode-schedule")


@pytest.mark.parametrize(
    ("row", "mode", "bypass", "schedules", "kind"),
    [
        (1, PLATFORM, True, SCHEDULE, KIND.SCHEDULED),
        (2, PLATFORM, True, NONE, KIND.PARKED),
        (3, PLATFORM, False, SCHEDULE, KIND.SCHEDULE_FAILS),
        (3, PLATFORM, None, SCHEDULE, KIND.SCHEDULE_FAILS),
        (4, PLATFORM, False, NONE, KIND.AUTOPATCHED),
        (4, PLATFORM, None, NONE, KIND.AUTOPATCHED),
        (5, MANUAL, True, SCHEDULE, KIND.SCHEDULE_FAILS),
        (6, MANUAL, True, NONE, KIND.NOT_PATCHED),
        (7, MANUAL, False, SCHEDULE, KIND.SCHEDULE_FAILS),
        (7, BY_OS, False, SCHEDULE, KIND.SCHEDULE_FAILS),
        (7, None, None, SCHEDULE, KIND.SCHEDULE_FAILS),
        (8, MANUAL, False, NONE, KIND.NOT_PATCHED),
        (8, BY_OS, False, NONE, KIND.GUEST_MANAGED),
        (8, BY_IMAGE, None, NONE, KIND.GUEST_MANAGED),
        (8, None, None, NONE, KIND.UNKNOWN),
        (8, "AutomaticByFuture", None, NONE, KIND.UNKNOWN),
    ],
)
def test_the_documented_table(
    row: int, mode: str | None, bypass: bool | None, schedules: MachineSchedules, kind: OutcomeKind
) -> None:
    """Each row of "User scenarios", row 8 told apart by who else may patch."""
    assert predict(PatchSettings(patch_mode=mode, bypass=bypass), WINDOWS, schedules).kind is kind, row


@pytest.mark.parametrize(
    ("mode", "bypass", "kind"),
    [
        (PLATFORM, True, KIND.UNKNOWN),
        (PLATFORM, None, KIND.UNKNOWN),
        (MANUAL, None, KIND.NOT_PATCHED),
        (BY_OS, None, KIND.GUEST_MANAGED),
    ],
)
def test_where_nobody_looked_the_reason_says_so(mode: str, bypass: bool | None, kind: OutcomeKind) -> None:
    """And says what a schedule would change."""
    outcome = predict(PatchSettings(patch_mode=mode, bypass=bypass), WINDOWS)
    assert outcome.kind is kind
    assert "no schedule was looked up" in outcome.reason


@pytest.mark.parametrize(
    ("machine", "schedules", "kind", "part"),
    [
        (CUSTOM, NONE, KIND.NOT_PATCHED, "custom images"),
        (CUSTOM, NOT_LOOKED_UP, KIND.NOT_PATCHED, "with one attached nothing would run"),
        (CUSTOM, attached(hit(following=OVER)), KIND.NOT_PATCHED, "never runs"),
        (UNLISTED, NONE, KIND.UNKNOWN, "the published list does not name it"),
        (UNLISTED, SCHEDULE, KIND.SCHEDULE_FAILS, "prerequisite"),
        (NO_IMAGE, NONE, KIND.UNKNOWN, "names no image"),
        (replace(WINDOWS, provision_vm_agent=False), NONE, KIND.NOT_PATCHED, "without the VM agent"),
        (replace(WINDOWS, allow_extension_operations=False), NONE, KIND.NOT_PATCHED, "no extensions"),
        (replace(WINDOWS, surroundings=Surroundings(detected_support="Unsupported")), NONE, KIND.NOT_PATCHED, "assess"),
        (OFF, NONE, KIND.AUTOPATCHED, "it is deallocated now"),
        (NODE, NONE, KIND.INELIGIBLE, "AKS"),
        (NODE, SCHEDULE, KIND.INELIGIBLE, "AKS"),
        (CLIENT, SCHEDULE, KIND.INELIGIBLE, "Windows client"),
        (replace(ARC, os_edition="Windows 11 Enterprise"), SCHEDULE, KIND.INELIGIBLE, "Windows client"),
        (replace(ARC, os_edition="Windows Server 2019 Standard"), SCHEDULE, KIND.SCHEDULED, "needs no patch mode"),
        (FLEX, SCHEDULE, KIND.UNKNOWN, "Flexible scale sets"),
        (FLEX, NONE, KIND.AUTOPATCHED, "outside peak hours"),
        (ARC, NOT_LOOKED_UP, KIND.UNKNOWN, "no schedule was looked up"),
        (ARC, NONE, KIND.GUEST_MANAGED, "own configuration"),
        (ARC, SCHEDULE, KIND.SCHEDULED, "needs no patch mode"),
        (ARC, attached(hit(following=OVER)), KIND.GUEST_MANAGED, "never runs"),
    ],
)
def test_azure_managed_on_other_machines(
    machine: Machine, schedules: MachineSchedules, kind: OutcomeKind, part: str
) -> None:
    """Image, agent and workload can outweigh the settings."""
    outcome = predict(AZURE, machine, schedules)
    assert outcome.kind is kind
    assert part in outcome.reason


@pytest.mark.parametrize("following", [OVER, NEVER, GONE])
def test_a_schedule_that_never_runs_again(following: NextWindow) -> None:
    """It parks a prepared machine; whether it still keeps Azure away from one in its hands is stated nowhere."""
    schedules = attached(hit(following=following))
    assert predict(READY, WINDOWS, schedules).kind is KIND.PARKED
    assert following.because in predict(READY, WINDOWS, schedules).reason
    assert predict(AZURE, WINDOWS, schedules).kind is KIND.UNKNOWN
    assert predict(PatchSettings(patch_mode=MANUAL), WINDOWS, schedules).kind is KIND.NOT_PATCHED
    assert predict(PatchSettings(patch_mode=BY_OS), WINDOWS, schedules).kind is KIND.GUEST_MANAGED


@pytest.mark.parametrize("following", [UNSEEN, UNREADABLE, PLATFORM_SCHEDULE])
@pytest.mark.parametrize("settings", [READY, AZURE, PatchSettings(patch_mode=MANUAL)])
def test_a_schedule_that_cannot_be_understood_leaves_the_outcome_open(
    following: NextWindow, settings: PatchSettings
) -> None:
    """Whatever the settings, unless another schedule decides."""
    outcome = predict(settings, WINDOWS, attached(hit(following=following)))
    assert outcome.kind is KIND.UNKNOWN
    assert following.because in outcome.reason
    assert predict(READY, WINDOWS, attached(hit(following=following), hit("other"))).kind is KIND.SCHEDULED


def test_a_doubtful_member_is_unknown_unless_another_schedule_reaches_it() -> None:
    """The reason names the doubt."""
    doubtful = hit(doubt="its tag Env = Prod differs by case", doubt_rule="tag-case")
    outcome = predict(READY, WINDOWS, attached(doubtful))
    assert outcome.kind is KIND.UNKNOWN
    assert "its tag Env = Prod differs by case" in outcome.reason
    assert "without it the outcome would be parked" in outcome.reason
    assert predict(READY, WINDOWS, attached(doubtful, hit("other"))).kind is KIND.SCHEDULED


def test_a_doubtful_member_of_a_dead_schedule_is_parked_either_way() -> None:
    """Attached or not, nothing comes."""
    dead = hit(following=OVER, doubt="by case", doubt_rule="tag-case")
    assert predict(READY, WINDOWS, attached(dead)).kind is KIND.PARKED


def test_the_earliest_window_decides_and_a_different_later_one_is_named() -> None:
    """Ten minutes are too short for any run."""
    short, long = hit("short", coming(1, minutes=10)), hit("long", coming(2))
    outcome = predict(READY, WINDOWS, attached(short, long))
    assert outcome.kind is KIND.SCHEDULE_FAILS
    assert outcome.reason == (
        "the next run of the schedule 'short' (attached to it; next 2026-11-23 13:00 +01:00) fails: its window is "
        "shorter than the 25 minutes a run needs; a later window, of 'long', would end otherwise"
    )
    assert predict(READY, WINDOWS, attached(hit("short", coming(3, minutes=10)), long)).kind is KIND.SCHEDULED


def test_a_doubtful_earlier_window_that_ends_otherwise_leaves_it_open() -> None:
    """It may be the one that comes first."""
    short = hit("short", coming(1, minutes=10), doubt="by case", doubt_rule="tag-case")
    outcome = predict(READY, WINDOWS, attached(short, hit("long", coming(2))))
    assert outcome.kind is KIND.UNKNOWN
    assert "'short'" in outcome.reason


@pytest.mark.parametrize(
    "other",
    [
        hit("other", UNREADABLE),
        hit("other", UNSEEN),
        hit("other", TWO_READINGS),
        hit("other", PLATFORM_SCHEDULE),
        hit("other", coming(2)),
    ],
)
def test_what_may_come_first_and_would_end_otherwise_leaves_it_open(other: ScheduleHit) -> None:
    """Nobody knows when it opens, or which of two at one instant fires; where both end alike, it does not matter."""
    short = hit("short", coming(2, minutes=10))
    outcome = predict(READY, WINDOWS, attached(short, other))
    assert outcome.kind is KIND.UNKNOWN
    assert "'other'" in outcome.reason
    assert "may come first" in outcome.reason
    assert predict(READY, OFF, attached(short, other)).kind is KIND.SCHEDULE_FAILS
    assert predict(AZURE, WINDOWS, attached(short, other)).kind is KIND.SCHEDULE_FAILS
    assert predict(READY, WINDOWS, attached(hit("long", coming(2)), other)).kind is KIND.SCHEDULED


def test_two_readings_of_a_rule_still_patch_the_machine() -> None:
    """The day is not known; that one comes is."""
    assert predict(READY, WINDOWS, attached(hit(following=TWO_READINGS))).kind is KIND.SCHEDULED


def test_the_reason_tells_by_which_clause_and_when() -> None:
    """Configuration, clause, local time."""
    dynamic = hit(via=Via.DYNAMIC, clause="dynamic scope 'prod' on subscription s: tag Env = prod")
    assert predict(READY, WINDOWS, attached(dynamic)).reason == (
        "patched as the schedule 'weekly' (dynamic scope 'prod' on subscription s: tag Env = prod; "
        "next 2026-11-23 13:00 +01:00) says"
    )


HOT = replace(AZURE, hotpatch=True)


@pytest.mark.parametrize(
    ("settings", "machine", "result", "rule", "part"),
    [
        (READY, WINDOWS, RunForecast.RUNS, None, "expected to succeed"),
        (READY, CUSTOM, RunForecast.RUNS, None, ""),
        (AZURE, WINDOWS, RunForecast.FAILS, "prerequisite-missing", "bypassPlatformSafetyChecksOnUserSchedule"),
        (HOT, WINDOWS, RunForecast.FAILS, "prerequisite-missing", "which hotpatching excludes"),
        (PatchSettings(patch_mode=MANUAL), WINDOWS, RunForecast.FAILS, "prerequisite-missing", "is Manual updates ("),
        (None, WINDOWS, RunForecast.FAILS, "prerequisite-missing", "is not set (no patchMode) instead"),
        (None, ARC, RunForecast.RUNS, None, ""),
        (READY, CLIENT, RunForecast.FAILS, "client-os", "Windows client"),
        (READY, OFF, RunForecast.MISSED, "off-at-window", "it is deallocated now"),
        (AZURE, OFF, RunForecast.FAILS, "prerequisite-missing", ""),
        (READY, replace(WINDOWS, surroundings=Surroundings(agent_status="Not Ready")), RunForecast.MISSED,
         "agent-not-ready", "VM agent"),
        (None, replace(ARC, surroundings=Surroundings(arc_status="Disconnected")), RunForecast.MISSED,
         "off-at-window", "it is disconnected now"),
        (None, replace(ARC, surroundings=Surroundings(arc_status="Expired")), RunForecast.MISSED, "off-at-window", ""),
        (None, replace(ARC, surroundings=Surroundings(arc_status="Connected")), RunForecast.RUNS, None, ""),
        (READY, replace(WINDOWS, provision_vm_agent=False), RunForecast.FAILS, "agent-missing", ""),
        (READY, replace(WINDOWS, allow_extension_operations=False), RunForecast.FAILS, "extensions-not-allowed", ""),
        (READY, replace(WINDOWS, surroundings=Surroundings(detected_support="unsupported")), RunForecast.FAILS,
         "detected-unsupported", ""),
        (READY, UNLISTED, RunForecast.UNKNOWN, "image-not-in-schedule-list", "may be out of date"),
        (AZURE, UNLISTED, RunForecast.FAILS, "prerequisite-missing", ""),
        (READY, FLEX, RunForecast.UNKNOWN, "scale-set-member", "not confirmed"),
    ],
)  # fmt: skip
def test_one_run_of_one_machine(
    settings: PatchSettings | None, machine: Machine, result: RunForecast, rule: str | None, part: str
) -> None:
    """First match wins; the order is that of what a run would record."""
    found = forecast(settings, machine, hit())
    assert (found.result, found.rule) == (result, rule)
    assert part in found.reason


@pytest.mark.parametrize(("minutes", "result"), [(24, RunForecast.FAILS), (25, RunForecast.RUNS)])
def test_a_run_needs_twenty_five_minutes(minutes: int, result: RunForecast) -> None:
    """The published sum of 15 and 10."""
    assert forecast(READY, WINDOWS, hit(following=coming(minutes=minutes))).result is result


def test_an_excluded_image_fails() -> None:
    """CentOS HPC stands in the support matrix as unsupported, and on no other list."""
    excluded = vm("Linux", image={"publisher": "OpenLogic", "offer": "CentOS-HPC", "sku": "7.7"})
    found = forecast(READY, excluded, hit())
    assert (found.result, found.rule) == (RunForecast.FAILS, "image-excluded")


# ------------------------------------------------------------------------------------------------ properties

settings_of_any_kind = st.one_of(
    st.none(),
    st.builds(
        PatchSettings,
        patch_mode=st.sampled_from([None, PLATFORM, "automaticbyplatform", MANUAL, BY_OS, BY_IMAGE, "Future"]),
        bypass=st.sampled_from([None, False, True]),
        hotpatch=st.sampled_from([None, False, True]),
    ),
)
machines_of_any_kind = st.sampled_from([WINDOWS, CUSTOM, UNLISTED, NO_IMAGE, ARC, NODE, CLIENT, FLEX, OFF])
followings = st.sampled_from(
    [OVER, NEVER, GONE, UNSEEN, UNREADABLE, TWO_READINGS, PLATFORM_SCHEDULE, coming(1), coming(2, minutes=10)]
)
hits_of_any_kind = st.builds(
    lambda name, following, doubt: hit(name, following, doubt=doubt),
    st.sampled_from(["a", "b", "c"]),
    followings,
    st.sampled_from([None, None, "by case"]),
)


@given(settings_of_any_kind, machines_of_any_kind, st.lists(hits_of_any_kind, max_size=3))
def test_prediction_is_total_and_a_lookup_never_contradicts_the_outcome_without_one(
    settings: PatchSettings | None, machine: Machine, hits: list[ScheduleHit]
) -> None:
    """Without a lookup: unknown, or the same, or a reason that names what a schedule would change."""
    before, after = (
        predict(settings, machine),
        predict(settings, machine, MachineSchedules(looked_up=True, hits=tuple(hits))),
    )
    assert after.reason
    conditional = "would fail" in before.reason or "nothing would run" in before.reason
    assert before.kind is KIND.UNKNOWN or before.kind is after.kind or (hits and conditional)


@given(settings_of_any_kind, machines_of_any_kind, st.lists(hits_of_any_kind, max_size=3))
def test_nothing_certain_is_said_of_what_nobody_knows(
    settings: PatchSettings | None, machine: Machine, hits: list[ScheduleHit]
) -> None:
    """`scheduled` and `schedule-fails` need a window that certainly comes, and a machine that is certainly a member."""
    outcome: Any = predict(settings, machine, MachineSchedules(looked_up=True, hits=tuple(hits)))
    if outcome.kind in {KIND.SCHEDULED, KIND.SCHEDULE_FAILS}:
        assert any(entry.doubt is None and entry.next.timing is Timing.COMING for entry in hits)
    if outcome.kind is KIND.AUTOPATCHED:
        assert not hits
