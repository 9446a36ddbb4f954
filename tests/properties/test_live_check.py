"""A live check under random answers of every switch: it names each answer rightly, and leaves all as it was."""

import copy
import typing
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.properties.live_checks import GROUP, RETRY_AFTER_S, SUBSCRIPTION, Bench, KilledError, cloud, throw_away

from arm_emulator.profile import Profile, allowed_answers
from patchmode.errors import RefusedError, UsageError
from patchmode.model.live_check import Outcome
from patchmode.model.patch_settings import OperatingSystem
from patchmode.rules.live_check.catalogue import EXPERIMENTS
from patchmode.rules.live_check.restoration import leaves_to_azure
from patchmode.rules.live_check.switches import SWITCHES, UNDECIDABLE
from patchmode.workflow.live_check.preparing import group_id, machine_id

Json = dict[str, Any]
BYPASS = "bypassPlatformSafetyChecksOnUserSchedule"
PREPARED: Json = {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": {BYPASS: True}}
HINTS = typing.get_type_hints(Profile)
CHOICES = {one.name: allowed_answers(HINTS[one.name]) for one in fields(Profile)}
DECIDABLE = {name for one in EXPERIMENTS for name in one.switches}


def test_every_switch_of_the_profile_is_decided_by_an_experiment_or_listed_with_a_reason() -> None:
    assert list(SWITCHES) == [one.name for one in fields(Profile)]
    for one in fields(Profile):
        assert SWITCHES[one.name].answers == CHOICES[one.name]
        assert SWITCHES[one.name].assumed == one.default
    named = [name for one in EXPERIMENTS for name in one.switches]
    assert len(named) == len(set(named)), "a switch is decided by one experiment"
    assert not DECIDABLE & set(UNDECIDABLE)
    assert set(SWITCHES) == {*DECIDABLE, *UNDECIDABLE}


def test_experiments_have_names_of_their_own() -> None:
    assert len({one.name for one in EXPERIMENTS}) == len(EXPERIMENTS)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Every switch that has a list of answers, drawn."""
    return Profile(**{name: draw(st.sampled_from(answers)) for name, answers in CHOICES.items() if answers})


IMAGES: tuple[Json | None, ...] = (
    {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2"},
    {"publisher": "Contoso", "offer": "appliance", "sku": "1"},
    {"id": f"{GROUP}/providers/Microsoft.Compute/images/own"},
    None,
)


@st.composite
def machines(draw: st.DrawFn) -> Json:
    """A throw-away machine of one of many kinds, at rest and consistent with itself."""
    document = throw_away(etag=draw(st.booleans()))
    properties = document["properties"]
    is_windows, automatic = draw(st.booleans()), draw(st.booleans())
    other = ("AutomaticByOS" if automatic else "Manual") if is_windows else "ImageDefault"
    chosen: Json = draw(
        st.sampled_from(
            [
                {"patchMode": other},
                PREPARED,
                {**PREPARED, "automaticByPlatformSettings": {BYPASS: True, "rebootSetting": "Never"}},
                {"patchMode": other, "enableHotpatching": False},
                {**PREPARED, "enableHotpatching": False},
                {**PREPARED, "automaticByPlatformSettings": {BYPASS: False}, "enableHotpatching": True},
            ]
        )
    )
    chosen = copy.deepcopy(chosen)
    properties["storageProfile"] = draw(storage(is_windows=is_windows))
    if not is_windows:
        chosen.pop("enableHotpatching", None)
        if chosen.get("automaticByPlatformSettings", {}).get(BYPASS) is False:
            chosen["automaticByPlatformSettings"] = {BYPASS: True}
    if draw(st.booleans()):
        chosen["assessmentMode"] = "ImageDefault"
    block: Json = {"provisionVMAgent": draw(st.sampled_from([True, True, True, False])), "patchSettings": chosen}
    if is_windows:
        block["enableAutomaticUpdates"] = automatic
    if draw(st.integers(0, 5)) == 0:
        del block["patchSettings"]
    properties["osProfile"] = {
        "computerName": "web",
        "windowsConfiguration" if is_windows else "linuxConfiguration": block,
    }
    if draw(st.integers(0, 5)) == 0:
        del properties["osProfile"]
    draw(surroundings(document))
    return document


@st.composite
def storage(draw: st.DrawFn, *, is_windows: bool) -> Json:
    image = draw(st.sampled_from(IMAGES))
    disk = {"osType": "Windows" if is_windows else "Linux", "createOption": "FromImage"}
    return {"osDisk": disk, **({} if image is None else {"imageReference": dict(image)})}


@st.composite
def surroundings(draw: st.DrawFn, document: Json) -> None:
    """Power, scale set and further tags, put into a machine's document."""
    properties = document["properties"]
    if draw(st.integers(0, 3)) == 0:
        properties["instanceView"] = {"statuses": [{"code": "PowerState/deallocated"}]}
    if draw(st.integers(0, 3)) == 0:
        properties["virtualMachineScaleSet"] = {
            "id": f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/flexible"
        }
    if draw(st.booleans()):
        del document["tags"]["owner"]


def settings_of(document: Json) -> Json | None:
    profile = document["properties"].get("osProfile") or {}
    block: Json = profile.get("windowsConfiguration") or profile.get("linuxConfiguration") or {}
    return block.get("patchSettings")


@dataclass(frozen=True)
class Case:
    """What surrounds the machine."""

    is_registered: bool
    is_locked: bool
    is_assessed: bool
    is_lasting: bool


LOCK: Json = {
    "id": f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/locks/keep",
    "name": "keep",
    "type": "Microsoft.Authorization/locks",
    "properties": {"level": "CanNotDelete"},
}


def bench_of(profile: Profile, machine: Json, case: Case, folder: str) -> Bench:
    others = {} if case.is_registered else {"unregisteredProviders": ["Microsoft.HybridCompute"]}
    emulator, clock = cloud(machine, *([LOCK] if case.is_locked else []), profile=profile, **others)
    if case.is_assessed:
        stored = emulator.state.get(machine["id"])
        assert stored is not None
        emulator.patching.note_assessment(stored)
    return Bench(emulator, clock, Path(folder), machine["id"])


def may_differ(profile: Profile, machine: Json, case: Case) -> bool:
    """Whether Azure, if it is so, lets nobody bring the machine back: what was stored can then not be removed."""
    if profile.null_members == "removed":
        return False
    found = settings_of(machine)
    if found is None:
        return case.is_lasting
    return found["patchMode"] != "AutomaticByPlatform" and profile.leaving_automatic_by_platform != "cleared"


@given(
    profile=profiles(),
    machine=machines(),
    case=st.builds(Case, st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_each_answer_is_named_rightly_and_all_is_as_it_was(profile: Profile, machine: Json, case: Case) -> None:
    with TemporaryDirectory() as folder:
        bench = bench_of(profile, machine, case, folder)
        before = copy.deepcopy(bench.before[bench.machine.key])  # as a GET shows it, with defaults or without
        report = bench.run(group=GROUP, lasting=case.is_lasting)
    for one in report.decided:
        assert one.answer == getattr(profile, one.switch.name), one
    assert [one.name for one in report.results] == [one.name for one in EXPERIMENTS]
    assert not report.left
    assert report.is_restored or may_differ(profile, before, case), report.remaining
    if report.is_restored:
        assert bench.shown() == bench.before
    assert bench.unattended() is is_unattended(before)
    assert bench.wire.was_unattended is is_unattended(before), "not for a moment"


def is_unattended(document: Json) -> bool:
    found = settings_of(document) or {}
    return found.get("patchMode") == "AutomaticByPlatform" and not found["automaticByPlatformSettings"][BYPASS]


def of_kind(configuration: Json | None, *, is_windows: bool = True, **properties: Any) -> Json:
    """A machine with an osProfile of its own; None: it has none."""
    document = throw_away(etag="etag" not in properties)
    found = document["properties"]
    found["storageProfile"]["osDisk"]["osType"] = "Windows" if is_windows else "Linux"
    if configuration is None:
        del found["osProfile"]
    else:
        name = "windowsConfiguration" if is_windows else "linuxConfiguration"
        found["osProfile"] = {"computerName": "web", name: configuration}
    found.update(properties)
    return document


USUAL: Json = {"provisionVMAgent": True, "enableAutomaticUpdates": True}
MODES: Json = {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
FLEXIBLE = {"id": f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/flexible"}
DEALLOCATED = {"statuses": [{"code": "PowerState/deallocated"}]}
UNLISTED = {"imageReference": dict(IMAGES[1] or {}), "osDisk": {"osType": "Windows", "createOption": "FromImage"}}
SHOWN: tuple[tuple[Json, Case], ...] = (
    (of_kind({**USUAL, "patchSettings": MODES}), Case(False, False, True, False)),
    (of_kind({**USUAL, "patchSettings": MODES}, instanceView=DEALLOCATED), Case(True, True, False, False)),
    (of_kind({**USUAL, "patchSettings": MODES}, virtualMachineScaleSet=FLEXIBLE), Case(True, False, False, False)),
    (of_kind({**USUAL, "patchSettings": MODES}, storageProfile=UNLISTED), Case(True, False, False, False)),
    (of_kind({**USUAL, "patchSettings": {**MODES, "enableHotpatching": False}}), Case(True, False, False, False)),
    (
        of_kind({**USUAL, "provisionVMAgent": False, "patchSettings": MODES}, is_windows=False),
        Case(True, False, False, False),
    ),
    (
        of_kind(
            {**USUAL, "enableAutomaticUpdates": False, "patchSettings": {**MODES, "patchMode": "Manual"}}, etag=None
        ),
        Case(True, False, False, False),
    ),
    (of_kind({"provisionVMAgent": True}, is_windows=False), Case(True, False, False, True)),
    (of_kind(None), Case(True, False, False, True)),
)


def test_most_switches_that_an_experiment_decides_were_decided_here() -> None:
    """Whatever is drawn: these machines decide all but what takes a limit that was reached."""
    found: set[str] = set()
    for machine, case in SHOWN:
        with TemporaryDirectory() as folder:
            bench = bench_of(Profile(), copy.deepcopy(machine), case, folder)
            report = bench.run(group=GROUP, lasting=case.is_lasting)
        found |= {one.switch.name for one in report.decided}
    assert DECIDABLE - found == {
        "arm_throttled_retry_after",
        "empty_objects",
        "specialised_os_profile_error",
        "throttled_retry_after",
    }


# ------------------------------------------------------------------------------------------------ deaths

MACHINE = of_kind({**USUAL, "patchSettings": MODES})
WRITES = 50
"""More than a live check of this machine sends."""


@given(at=st.integers(0, WRITES), dies_after=st.booleans(), goes_on=st.booleans())
@settings(max_examples=examples(25, 400))
def test_a_death_between_any_two_requests_leaves_nothing_once_it_is_resumed_or_undone(
    at: int, *, dies_after: bool, goes_on: bool
) -> None:
    emulator, clock = cloud(copy.deepcopy(MACHINE))
    with TemporaryDirectory() as folder:
        bench = Bench(emulator, clock, Path(folder), MACHINE["id"])
        bench.wire.writes_left, bench.wire.dies_after = at, dies_after
        try:
            bench.run(group=GROUP)
        except KilledError:
            bench.wire.writes_left = None
            assert not bench.unattended()
            report = bench.run() if goes_on else bench.undo()
            assert report is not None
            assert report.is_restored
            assert report.state == ("finished" if goes_on else "undone")
        assert bench.shown() == bench.before
        assert bench.store.open_for(bench.machine) is None, "nothing is left to undo"


def test_a_resumed_check_asks_what_was_not_asked_and_ends_as_one_that_nothing_disturbed() -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        whole = bench_of(Profile(), copy.deepcopy(MACHINE), Case(True, False, False, False), one).run(group=GROUP)
        bench = bench_of(Profile(), copy.deepcopy(MACHINE), Case(True, False, False, False), other)
        bench.wire.writes_left = 20
        with pytest.raises(KilledError):
            bench.run(group=GROUP)
        bench.wire.writes_left = None
        resumed = bench.run()
    assert [(one.switch.name, one.answer) for one in resumed.switches] == [
        (one.switch.name, one.answer) for one in whole.switches
    ]
    began = [line for line in bench.watching.lines if "/" in line.partition(" ")[0]]
    again = {line for line in began if began.count(line) > 1}
    assert len(again) == 1, "only the experiment in which it died is asked again"


def test_the_undo_after_the_machine_was_deleted_deletes_what_was_created() -> None:
    emulator, clock = cloud(copy.deepcopy(MACHINE))
    with TemporaryDirectory() as folder:
        bench = Bench(emulator, clock, Path(folder), MACHINE["id"])
        bench.wire.dies_at = "maintenanceConfigurations"
        with pytest.raises(KilledError):
            bench.run(group=GROUP)
        bench.wire.dies_at = ""
        assert [one.id for one in emulator.state if "patchmode-live-check-" in one.id]
        emulator.state.delete(MACHINE["id"])
        report = bench.undo()
        assert report is not None
        assert report.is_restored
        assert not [one.id for one in emulator.state if "patchmode-live-check-" in one.id]
        assert bench.store.open_for(bench.machine) is None


def test_a_machine_whose_last_operation_failed_is_not_as_it_was() -> None:
    emulator, clock = cloud(copy.deepcopy(MACHINE))
    with TemporaryDirectory() as folder:
        bench = Bench(emulator, clock, Path(folder), MACHINE["id"])
        bench.wire.writes_left = 20
        with pytest.raises(KilledError):
            bench.run()
        bench.wire.writes_left = None
        stored = emulator.state.get(MACHINE["id"])
        assert stored is not None
        failed = copy.deepcopy(MACHINE)
        failed["properties"]["provisioningState"] = "Failed"
        emulator.state.put(failed, etag=9)
        report = bench.undo()
    assert report is not None
    assert [(one.path, one.found) for one in report.remaining] == [("properties.provisioningState", '"Failed"')]


def test_the_undo_of_nothing_sends_nothing() -> None:
    emulator, clock = cloud(copy.deepcopy(MACHINE))
    with TemporaryDirectory() as folder:
        bench = Bench(emulator, clock, Path(folder), MACHINE["id"])
        assert bench.undo() is None
        assert not bench.wire.sent


# ------------------------------------------------------------------------------------------------ refusals

SCHEDULE: Json = {
    "id": f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/nightly",
    "name": "nightly",
    "type": "Microsoft.Maintenance/maintenanceConfigurations",
    "location": "westeurope",
    "properties": {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": {
            "startDateTime": "2024-01-01 03:00",
            "duration": "02:00",
            "timeZone": "UTC",
            "recurEvery": "Day",
        },
        "installPatches": {"rebootSetting": "IfRequired"},
    },
}
ASSIGNMENT: Json = {
    "id": f"{MACHINE['id']}/providers/Microsoft.Maintenance/configurationAssignments/nightly",
    "name": "nightly",
    "type": "Microsoft.Maintenance/configurationAssignments",
    "properties": {"maintenanceConfigurationId": SCHEDULE["id"], "resourceId": MACHINE["id"]},
}
DYNAMIC: Json = {
    "id": f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Maintenance/configurationAssignments/all",
    "name": "all",
    "type": "Microsoft.Maintenance/configurationAssignments",
    "properties": {
        "maintenanceConfigurationId": SCHEDULE["id"],
        "resourceId": f"/subscriptions/{SUBSCRIPTION}",
        "filter": {"osTypes": ["Windows"]},
    },
}
READ_ONLY = {**LOCK, "properties": {"level": "ReadOnly"}}


def tagged(**tags: str) -> Json:
    return {**copy.deepcopy(MACHINE), "tags": {name.replace("_", "-"): value for name, value in tags.items()}}


def in_state(state: str) -> Json:
    document = copy.deepcopy(MACHINE)
    document["properties"]["provisioningState"] = state
    return document


@pytest.mark.parametrize(
    ("machine", "others", "said", "advice"),
    [
        (tagged(owner="web"), (), "does not have the tag patchmode-live-check=yes", "az tag update --operation Merge"),
        (tagged(patchmode_live_check="no"), (), "its tag patchmode-live-check is 'no'", "az tag update"),
        (tagged(patchmode_live_check="running"), (), "'running'", "az tag update"),
        (in_state("Updating"), (), "its provisioningState is Updating", "Wait"),
        (in_state("Failed"), (), "its provisioningState is Failed", "repair the VM"),
        (
            of_kind({**USUAL, "patchSettings": {"patchMode": "AutomaticByPlatform"}}),
            (),
            "Azure patches",
            "patchmode apply",
        ),
        (MACHINE, (READ_ONLY,), "the ReadOnly lock 'keep'", "without this lock"),
        (MACHINE, (SCHEDULE, ASSIGNMENT), "it has a schedule (nightly)", "patchmode schedule detach"),
        (MACHINE, (SCHEDULE, DYNAMIC), "a dynamic scope of nightly reaches it", "patchmode schedule list"),
    ],
    ids=["no tag", "tag no", "tag running", "updating", "failed", "azure-managed", "locked", "assigned", "dynamic"],
)
def test_a_machine_that_may_not_be_asked_is_refused_before_anything_is_sent(
    machine: Json, others: tuple[Json, ...], said: str, advice: str
) -> None:
    emulator, clock = cloud(copy.deepcopy(machine), *copy.deepcopy(others))
    with TemporaryDirectory() as folder:
        bench = Bench(emulator, clock, Path(folder), machine["id"])
        with pytest.raises(RefusedError) as refused:
            bench.run(group=GROUP)
        assert not list(bench.store.folder.glob("*")), "there is no journal"
    assert said in refused.value.message
    assert advice in refused.value.advice
    assert set(bench.wire.sent) <= {"GET", "POST"}
    assert bench.shown() == bench.before


@pytest.mark.parametrize(
    ("text", "said"),
    [("dev-01", "is not a resource id"), (f"{GROUP}/providers/Microsoft.HybridCompute/machines/x", "is not a virtual")],
)
def test_what_is_not_the_id_of_a_virtual_machine_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        machine_id(text)


def test_a_group_is_named_or_given_by_its_id() -> None:
    machine = machine_id(MACHINE["id"])
    assert group_id(None, machine) is None
    assert group_id("web", machine) == group_id(GROUP, machine) == GROUP
    with pytest.raises(UsageError, match="neither the name nor the id"):
        group_id("/subscriptions/x", machine)


def test_without_a_group_no_configuration_is_created() -> None:
    emulator, clock = cloud(copy.deepcopy(MACHINE))
    with TemporaryDirectory() as folder:
        bench = Bench(emulator, clock, Path(folder), MACHINE["id"])
        report = bench.run()
    assert {one.name for one in report.results if one.outcome is Outcome.NOT_RUN} == {
        "assign-and-delete",
        "assign-unprepared",
        "hourly",
        "week-list",
    }
    assert bench.wire.sent["DELETE"] == 0


def test_no_request_may_leave_the_machine_to_azure() -> None:
    before, prepared = copy.deepcopy(MACHINE), of_kind({**USUAL, "patchSettings": copy.deepcopy(PREPARED)})
    alone = {
        "properties": {"osProfile": {"windowsConfiguration": {"patchSettings": {"patchMode": "AutomaticByPlatform"}}}}
    }
    off = {
        "properties": {
            "osProfile": {"windowsConfiguration": {"patchSettings": {"automaticByPlatformSettings": {BYPASS: False}}}}
        }
    }
    assert leaves_to_azure(before, before, alone, OperatingSystem.WINDOWS)
    assert leaves_to_azure(before, prepared, off, OperatingSystem.WINDOWS)
    assert not leaves_to_azure(before, prepared, alone, OperatingSystem.WINDOWS)
    assert not leaves_to_azure(before, before, off, OperatingSystem.WINDOWS)


def test_an_answer_429_is_waited_for_and_decides_the_switch_on_retry_after() -> None:
    emulator, clock = cloud(copy.deepcopy(MACHINE))
    with TemporaryDirectory() as folder:
        bench = Bench(emulator, clock, Path(folder), MACHINE["id"])
        bench.wire.throttled_at = 3
        began = clock.elapsed
        report = bench.run()
    found = {one.switch.name: one.answer for one in report.decided}
    assert found["throttled_retry_after"] == "present"
    assert clock.elapsed - began > RETRY_AFTER_S
    assert bench.shown() == bench.before


def test_a_machine_that_could_not_return_to_its_mode_is_not_taken_out_of_it() -> None:
    """Neither by a PATCH of another mode nor by a PUT without settings: its own are sent first, and refused."""
    settings = {**copy.deepcopy(PREPARED), "assessmentMode": "ImageDefault"}
    answers: Json = {
        "automatic_by_platform_without_automatic_updates": "refused",
        "put_without_patch_settings": "defaulted",
    }
    machine = of_kind({**USUAL, "enableAutomaticUpdates": False, "patchSettings": settings})
    emulator, clock = cloud(machine, profile=Profile(**answers))
    with TemporaryDirectory() as folder:
        bench = Bench(emulator, clock, Path(folder), MACHINE["id"])
        report = bench.run(group=GROUP)
    assert report.is_restored
    assert bench.shown() == bench.before
    found = {one.switch.name: one.answer for one in report.switches}
    assert (found["leaving_automatic_by_platform"], found["put_without_patch_settings"]) == (None, None)


def test_a_refusal_that_names_bypass_says_nothing_of_hotpatch_in_another_mode() -> None:
    """A block that Azure kept from an earlier experiment is refused together with hotpatch, in any mode."""
    settings = {**MODES, "enableHotpatching": False, "automaticByPlatformSettings": {BYPASS: True}}
    emulator, clock = cloud(
        of_kind({**USUAL, "patchSettings": settings}),
        profile=Profile(hotpatch_outside_automatic_by_platform="accepted", leaving_automatic_by_platform="kept"),
    )
    with TemporaryDirectory() as folder:
        report = Bench(emulator, clock, Path(folder), MACHINE["id"]).run()
    found = next(one for one in report.switches if one.switch.name == "hotpatch_outside_automatic_by_platform")
    assert (found.answer, found.because) == (None, "the request was refused for another reason: 400 InvalidParameter")
