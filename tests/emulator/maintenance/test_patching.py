"""Azure's own patching and periodic assessment, and what holds of every run whatever the fleet is."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.emulator.compute.caller import APPLIANCE, TARGET, WINDOWS, machine, patch_body
from tests.emulator.maintenance.estate import (
    MANAGED,
    NOW,
    PREPARED,
    Estate,
    arc,
    assigned,
    configuration,
    prepared,
    scoped,
    vm_id,
    with_members,
)
from tests.examples import examples

from arm_emulator.app import Emulator
from arm_emulator.cli import main
from arm_emulator.clock import Clock
from arm_emulator.fleet_generator import fleet_document
from arm_emulator.fleets import FleetError, checked
from arm_emulator.named_fleets import read_fleet
from arm_emulator.store import Store

GALLERY = {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/x/images/y"}
ASSESSED = {**PREPARED, "assessmentMode": "AutomaticByPlatform"}
UNLISTED = {**WINDOWS, "sku": "2022-datacenter-made-up"}


def managed(name: str = "vm1", **changes: Any) -> dict[str, Any]:
    """A machine that Azure patches at will."""
    return machine(name, **{"settings": MANAGED, **changes})


class TestAutopatch:
    """Scenario 4 of the prerequisites, and what keeps it from happening."""

    def test_it_installs_once_a_month_at_night(self) -> None:
        """Critical and security updates only, started by the platform, in no schedule's run."""
        estate = Estate(managed()).advance(days=20)
        installs = sorted(estate.installs(), key=lambda one: str(one["startDateTime"]))
        assert [one["startedBy"] for one in installs] == ["Platform", "Platform"]
        assert [one["startDateTime"][:10] for one in installs] == ["2026-03-03", "2026-03-10"]
        assert all("01:00" <= one["startDateTime"][11:16] < "05:00" for one in installs)
        assert not any("maintenanceRunId" in one for one in installs)
        assert all(one["installedPatchCount"] > 0 for one in installs)

    @pytest.mark.parametrize(
        "document",
        [
            machine(),
            prepared(),
            managed(image=GALLERY),
            managed(image=UNLISTED),
            managed(image=APPLIANCE),
            managed(block={"provisionVMAgent": False}),
            managed(power="deallocated"),
            arc(),
        ],
    )
    def test_who_is_left_alone(self, document: dict[str, Any]) -> None:
        """Other modes, other images, and machines that nothing can reach."""
        assert Estate(document).advance(days=20).installs() == []

    @pytest.mark.parametrize(("switch", "count"), [("no", 0), ("yes", 1)])
    def test_an_unlisted_marketplace_image_is_a_switch(self, switch: str, count: int) -> None:
        """The documentation's list lags."""
        estate = Estate(managed(image=UNLISTED), autopatch_unlisted_image=switch).advance(days=3)
        assert len(estate.installs()) == count

    @pytest.mark.parametrize(("switch", "has"), [("absent", False), ("present", True)])
    def test_its_run_id_is_a_switch(self, switch: str, has: bool) -> None:
        """The article on query logs can be read either way."""
        (install,) = Estate(managed(), autopatch_run_id=switch).advance(days=3).installs()
        assert ("maintenanceRunId" in install) is has

    @pytest.mark.parametrize("attached", [assigned(vm_id("vm1")), scoped(osTypes=["Windows"])])
    def test_an_attached_schedule_keeps_it_away(self, attached: dict[str, Any]) -> None:
        """Scenario 3: nothing but failing runs."""
        estate = Estate(managed(), configuration(), attached).advance(days=3)
        assert estate.installs() == []
        assert {part["status"] for part in estate.parts()} == {"Failed"}

    @pytest.mark.parametrize(("switch", "count"), [("yes", 0), ("no", 1)])
    @pytest.mark.parametrize(
        "schedule",
        [[], [configuration(window={"expirationDateTime": "2026-03-01 00:00"})]],
        ids=["deleted", "expired"],
    )
    def test_a_schedule_that_never_runs_again_is_a_switch(
        self, schedule: list[dict[str, Any]], switch: str, count: int
    ) -> None:
        """UNCONFIRMED whether it counts as attached."""
        estate = Estate(managed(), *schedule, assigned(vm_id("vm1")), idle_schedule_counts_as_attached=switch)
        assert len(estate.advance(days=3).installs()) == count

    def test_a_machine_that_comes_back_is_patched_the_next_night(self) -> None:
        """It was off for a week."""
        estate = Estate(managed(power="deallocated")).advance(days=7)
        assert estate.installs() == []
        estate.caller.call("POST", f"{vm_id('vm1')}/start")
        assert [one["startDateTime"][:10] for one in estate.advance(days=1).installs()] == ["2026-03-10"]

    def test_the_bypass_flag_ends_it(self) -> None:
        """Parked: neither Azure nor a schedule."""
        estate = Estate(managed())
        estate.caller.patch(vm_id("vm1"), patch_body(**TARGET))
        assert estate.advance(days=20).installs() == []

    @pytest.mark.parametrize(
        ("setting", "status"),
        [(None, "Completed"), ("IfRequired", "Completed"), ("Never", "Required"), ("Always", "Completed")],
    )
    def test_the_reboot_setting_shows(self, setting: str | None, status: str) -> None:
        """The month's first update needs a reboot."""
        block = {} if setting is None else {"automaticByPlatformSettings": {"rebootSetting": setting}}
        (install,) = Estate(managed(settings={**MANAGED, **block})).advance(days=3).installs()
        assert install["rebootStatus"] == status


class TestReboots:
    """The model's own setting beats the schedule's."""

    @pytest.mark.parametrize(
        ("own", "schedules", "status"),
        [
            (None, "NeverReboot", "Required"),
            (None, "AlwaysReboot", "Completed"),
            ("Never", "Always", "Required"),
            ("IfRequired", "Never", "Completed"),
        ],
    )
    def test_reboot_status(self, own: str | None, schedules: str, status: str) -> None:
        """As the article on automatic guest patching says."""
        block = {"bypassPlatformSafetyChecksOnUserSchedule": True, **({"rebootSetting": own} if own else {})}
        document = machine(settings={**PREPARED, "automaticByPlatformSettings": block})
        estate = Estate(*with_members(document, installPatches={"rebootSetting": schedules})).advance(hours=10)
        assert [one["rebootStatus"] for one in estate.installs()] == [status]

    def test_classifications_that_are_not_chosen_stay(self) -> None:
        """They are counted, and the next assessment still finds them."""
        patches = {"rebootSetting": "IfRequired", "windowsParameters": {"classificationsToInclude": ["Critical"]}}
        estate = Estate(*with_members(prepared(), installPatches=patches)).advance(hours=10)
        (install,) = estate.installs()
        assert (install["installedPatchCount"], install["notSelectedPatchCount"] > 0) == (0, True)
        assert estate.assessments()["vm1"]["availablePatchCountByClassification"]["security"] == 1


class TestAssessment:
    """Every 24 hours while the machine is on."""

    def test_a_machine_is_assessed_within_a_day(self) -> None:
        """And again the next."""
        estate = Estate(machine(settings=ASSESSED), machine("vm2"))
        first = estate.advance(days=1).assessments()
        assert set(first) == {"vm1"}
        assert first["vm1"]["startedBy"] == "Platform"
        assert first["vm1"]["availablePatchCountByClassification"]["security"] == 1
        second = estate.advance(days=1).assessments()["vm1"]
        assert first["vm1"]["startDateTime"][:10] < second["startDateTime"][:10]
        assert first["vm1"]["startDateTime"][11:] == second["startDateTime"][11:]

    @pytest.mark.parametrize("kept", [7, 30])
    def test_an_assessment_is_kept_so_many_days(self, kept: int) -> None:
        """Sources differ; a machine that is off is not assessed anew."""
        estate = Estate(machine(settings=ASSESSED), assessment_retention_days=kept).advance(days=2)
        estate.caller.call("POST", f"{vm_id('vm1')}/deallocate")
        estate.clock.run_due()
        assert set(estate.advance(days=kept - 1).assessments()) == {"vm1"}
        assert estate.advance(days=1).assessments() == {}

    def test_an_installation_assesses_too(self) -> None:
        """Nothing is missing after it."""
        estate = Estate(*with_members(prepared())).advance(hours=10)
        assert set(estate.assessments()["vm1"]["availablePatchCountByClassification"].values()) == {0}

    def test_a_loaded_assessment_gives_way_to_a_newer_one(self) -> None:
        """One row a machine; what it said of the image's support stays."""
        state = {"vmGuestPatchReadiness": {"detectedVMGuestPatchSupportState": "UnableToDetermine"}}
        loaded = {
            "id": f"{vm_id('vm1')}/patchAssessmentResults/latest",
            "properties": {"lastModifiedDateTime": "2026-03-01T00:00:00Z", "configurationStatus": state},
        }
        estate = Estate(machine(settings=ASSESSED), loaded)
        assert estate.assessments()["vm1"]["lastModifiedDateTime"] == "2026-03-01T00:00:00Z"
        newer = estate.advance(days=1).assessments()["vm1"]
        assert newer["lastModifiedDateTime"] > "2026-03-02"
        assert newer["configurationStatus"] == state


class TestOnDemand:
    """What somebody asks for finds and leaves the same updates as a schedule."""

    def test_an_assessment_that_was_asked_for_shows_everywhere(self) -> None:
        """In the operation's result, in the instance view and in Resource Graph."""
        estate = Estate(machine())
        started = estate.caller.call("POST", f"{vm_id('vm1')}/assessPatches")
        estate.advance(minutes=10)
        result = estate.caller.get(started.headers["location"].removeprefix("https://localhost:8443")).body
        assert result["criticalAndSecurityPatchCount"] == 1
        assert len(result["availablePatches"]) == 1 + result["otherPatchCount"]
        row = estate.assessments()["vm1"]
        assert (row["startedBy"], row["availablePatchCountByClassification"]["security"]) == ("User", 1)
        view = estate.caller.get(f"{vm_id('vm1')}/instanceView").body["patchStatus"]["availablePatchSummary"]
        assert view["criticalAndSecurityPatchCount"] == 1

    def test_an_installation_that_was_asked_for_leaves_nothing_to_a_schedule(self) -> None:
        """And stands in Resource Graph without a run."""
        estate = Estate(*with_members(prepared()))
        estate.caller.call("POST", f"{vm_id('vm1')}/installPatches", {"rebootSetting": "Never"})
        (asked,) = estate.advance(minutes=10).installs()
        assert (asked["startedBy"], asked["rebootStatus"]) == ("User", "Required")
        assert "maintenanceRunId" not in asked
        assert asked["installedPatchCount"] > 0
        installs = estate.advance(hours=10).installs()
        assert [one["installedPatchCount"] for one in installs if "maintenanceRunId" in one] == [0]


THREE = "vm3"
"""A machine that needs three updates at `NOW`."""
PARTLY = {"fails": "some", "code": "OPERATION_FAILED", "message": "[X] a failure occurred during the operation"}


def guest(name: str = "vm1", **members: Any) -> dict[str, Any]:
    """An entry of a fleet's ``guests``."""
    return {"id": vm_id(name), **members}


class TestTroubles:
    """What a fleet says that goes wrong inside a machine, in each table that tells of it."""

    def night(self, **trouble: Any) -> Estate:
        """One prepared Linux machine that needs three updates, with a trouble, after its window."""
        estate = Estate(*with_members(prepared(THREE, "Linux")), guests=[guest(THREE, **trouble)])
        return estate.advance(hours=12)

    def test_one_failed_update_fails_the_installation(self) -> None:
        """The others are installed; the one that failed is still needed and fails again."""
        estate = self.night(**PARTLY)
        (install,) = estate.installs()
        assert (install["status"], install["failedPatchCount"], install["pendingPatchCount"]) == ("Failed", 1, 0)
        assert install["installedPatchCount"] == 2
        assert install["errorDetails"] == {
            "code": "1",
            "message": "1 error/s reported. The latest 1 error/s are shared in detail. To view all errors, review this "
            "log file on the machine: /var/log/azure/Microsoft.CPlat.Core.LinuxPatchExtension/0.core.log",
            "details": [{"code": "OPERATION_FAILED", "message": "[X] a failure occurred during the operation"}],
        }
        states = estate.ask("patchinstallationresources | where type has 'softwarepatches'")
        told = sorted(row["properties"]["installationState"] for row in states)
        assert told == ["Failed", "Installed", "Installed"]
        assert estate.outcomes() == {THREE: "OPERATION_FAILED"}
        assert [run["resourceUpdateSummary"]["failed"] for run in estate.runs()] == [1]
        assert sum(estate.assessments()[THREE]["availablePatchCountByClassification"].values()) == 1
        again = estate.advance(days=1).installs()
        assert sorted(one["installedPatchCount"] for one in again) == [0, 2]

    @pytest.mark.parametrize(
        ("fails", "status", "counts", "is_exceeded"),
        [
            ("all", "Failed", {"failedPatchCount": 3, "installedPatchCount": 0, "pendingPatchCount": 0}, False),
            ("window", "Failed", {"failedPatchCount": 0, "installedPatchCount": 0, "pendingPatchCount": 3}, True),
            (
                "none",
                "CompletedWithWarnings",
                {"failedPatchCount": 0, "installedPatchCount": 3, "pendingPatchCount": 0},
                False,
            ),
        ],
    )
    def test_each_way_to_fail(self, fails: str, status: str, counts: dict[str, int], is_exceeded: bool) -> None:
        """Status and counts of the installation, and the machine's part in the run."""
        estate = self.night(fails=fails, code="ERROR", message="As told.")
        (install,) = estate.installs()
        assert (install["status"], install["maintenanceWindowExceeded"]) == (status, is_exceeded)
        assert {name: install[name] for name in counts} == counts
        assert estate.outcomes() == {THREE: "Succeeded" if fails == "none" else "ERROR"}

    def test_a_run_that_never_begins_on_a_machine_leaves_no_installation(self) -> None:
        """Its row has the code; on another day, when the error has gone, the updates are installed."""
        estate = self.night(fails="run", code="TimeOut", message="Schedule timeout.", share=0.5)
        for _ in range(12):
            estate.advance(days=1)
        ended = Counter(part.get("errorDetails", {}).get("code", part["status"]) for part in estate.parts())
        assert set(ended) == {"TimeOut", "Succeeded"}
        assert len(estate.installs()) == ended["Succeeded"]

    def test_installing_on_demand_meets_it_too(self) -> None:
        """The operation succeeds and its result tells of the failure."""
        estate = Estate(machine(), guests=[guest(fails="all", code="0x8024402C", message="HRESULT: 0x8024402C")])
        started = estate.caller.call("POST", f"{vm_id('vm1')}/installPatches", {"rebootSetting": "IfRequired"})
        estate.advance(minutes=10)
        result = estate.caller.get(started.headers["location"].removeprefix("https://localhost:8443")).body
        assert (result["status"], result["installedPatchCount"], result["rebootStatus"]) == ("Failed", 0, "NotNeeded")
        assert result["error"]["details"] == [{"code": "0x8024402C", "message": "HRESULT: 0x8024402C"}]
        assert {patch["installationState"] for patch in result["patches"]} == {"Failed"}

    def test_azures_own_night_meets_it_too(self) -> None:
        """It tries again the next night."""
        estate = Estate(managed(), guests=[guest(fails="all", code="0x80072EE2", message="No connection.")])
        installs = estate.advance(days=3).installs()
        assert [(one["startedBy"], one["status"]) for one in installs] == [("Platform", "Failed")] * len(installs)
        assert len(installs) > 1

    def test_they_outlive_the_process(self, tmp_path: Path) -> None:
        """Where the state is kept."""
        fleet = {"resources": with_members(prepared()), "guests": [guest(**PARTLY)]}
        first = _emulator(fleet, Store(tmp_path / "s.db"))
        assert first.store is not None
        first.store.close()
        second = _emulator({}, Store(tmp_path / "s.db"))
        second.clock.advance(timedelta(hours=10))
        told = [row.document["properties"].get("status") for row in second.patching.rows("patchinstallationresources")]
        assert "Failed" in told

    @pytest.mark.parametrize(
        "fleet",
        [
            {"guests": [{"id": vm_id("vm1"), "fails": "sometimes", "code": "x", "message": "y"}]},
            {"guests": [{"id": vm_id("vm1"), "fails": "all"}]},
            {"guests": [{"id": vm_id("vm1"), "fails": "all", "code": "x", "message": "y", "share": 2}]},
            {"guests": [{"id": vm_id("vm1"), "mood": "bad"}]},
            {"guests": [{"id": vm_id("vm1"), "assessedDaysAgo": -1}]},
            {"pastDays": 31},
            {"pastDays": "7"},
        ],
    )
    def test_what_cannot_be_read_is_refused(self, fleet: dict[str, Any]) -> None:
        """Instead of a machine that is sound by mistake."""
        with pytest.raises(FleetError, match=r"guests\[0\]|pastDays"):
            checked(fleet)


class TestPastDays:
    """A fleet that was loaded with days behind it."""

    @settings(max_examples=examples(5, 100), deadline=None)
    @given(seed=st.integers(0, 10_000), days=st.integers(1, 20))
    def test_it_is_as_if_the_clock_had_passed_them(self, seed: int, days: int) -> None:
        """The same rows as of a fleet that was loaded then and has lived until now."""
        fleet = _fleet(seed)
        lived = Emulator(clock=Clock(NOW - timedelta(days=days), monotonic=lambda: 0.0), fleet=fleet)
        lived.clock.advance(timedelta(days=days))
        loaded = _emulator({**fleet, "pastDays": days})
        assert loaded.clock.now() == NOW
        assert _tables(loaded) == _tables(lived)
        for emulator in (lived, loaded):
            emulator.clock.advance(timedelta(days=3))
        assert _tables(loaded) == _tables(lived)

    def test_a_reset_has_them_too(self) -> None:
        """Counted from the clock at that moment."""
        estate = Estate(*with_members(prepared()), past_days=3).advance(days=10)
        assert len(estate.runs()) == 13
        estate.caller.call("POST", "/_emulator/reset")
        assert [run["startDateTime"][:10] for run in estate.runs()] == ["2026-03-09", "2026-03-10", "2026-03-11"]

    def test_an_assessment_is_as_old_as_the_fleet_says(self) -> None:
        """On a machine that nobody assesses since."""
        estate = Estate(machine(), guests=[guest(assessedDaysAgo=5)], past_days=2)
        assert estate.assessments()["vm1"]["lastModifiedDateTime"] == "2026-02-25T12:00:00Z"


def _fleet(seed: int) -> dict[str, Any]:
    return fleet_document(machines=30, subscriptions=2, seed=seed, schedules=6, scopes=4)


def _tables(emulator: Emulator) -> dict[str, list[Any]]:
    tables = ("maintenanceresources", "patchinstallationresources", "patchassessmentresources")
    return {table: sorted((row.id, str(row.document)) for row in emulator.patching.rows(table)) for table in tables}


def _emulator(fleet: dict[str, Any], store: Store | None = None) -> Emulator:
    return Emulator(clock=Clock(NOW, monotonic=lambda: 0.0), fleet=fleet, store=store)


class TestEveryFleet:
    """Properties over generated fleets."""

    @settings(max_examples=examples(15, 100), deadline=None)
    @given(seed=st.integers(0, 10_000), steps=st.lists(st.integers(1, 40 * 60), min_size=2, max_size=12))
    def test_one_step_is_as_good_as_many(self, seed: int, steps: list[int]) -> None:
        """The state of the tables depends on the moment, not on how the clock came there or who asked on the way."""
        at_once, slowly = _emulator(_fleet(seed)), _emulator(_fleet(seed))
        at_once.clock.advance(timedelta(minutes=sum(steps)))
        for step in steps:
            slowly.clock.advance(timedelta(minutes=step))
            _tables(slowly)
        assert _tables(at_once) == _tables(slowly)

    @settings(max_examples=examples(10, 100), deadline=None)
    @given(seed=st.integers(0, 10_000))
    def test_every_member_has_one_row_in_every_run(self, seed: int) -> None:
        """And the run's counts are those of its rows; a success has an installation, a failure none of its own."""
        emulator = _emulator(_fleet(seed))
        emulator.clock.advance(timedelta(days=15))
        rows = list(emulator.patching.rows("maintenanceresources"))
        runs = {row.key: row.document["properties"] for row in rows if row.type.endswith("configurations/applyupdates")}
        parts = [row.document["properties"] for row in rows if row.type == "microsoft.maintenance/applyupdates"]
        counted = Counter((part["correlationId"], part["resourceId"]) for part in parts)
        assert not counted or max(counted.values()) == 1
        installed = {
            (row.document["properties"]["maintenanceRunId"], row.parent)
            for row in emulator.patching.rows("patchinstallationresources")
            if "maintenanceRunId" in row.document["properties"]
        }
        for key, run in runs.items():
            mine = [part for part in parts if part["correlationId"] == key]
            summary = run["resourceUpdateSummary"]
            assert summary["total"] == len(mine) > 0
            for word, status in (("succeeded", "Succeeded"), ("failed", "Failed"), ("inProgress", "InProgress")):
                assert summary[word] == sum(part["status"] == status for part in mine)
            done = {part["resourceId"] for part in mine if part["status"] == "Succeeded"}
            assert done <= {machine_key for run_key, machine_key in installed if run_key == key}


def test_the_fleet_with_schedules_fails_on_exactly_the_unprepared_members() -> None:
    """The demo's story: a day passes, and four members of the nightly schedule have failed on the prerequisite."""
    emulator = _emulator(read_fleet("schedules"))
    emulator.clock.advance(timedelta(days=1))
    parts = [
        row.document["properties"]
        for row in emulator.patching.rows("maintenanceresources")
        if row.type == "microsoft.maintenance/applyupdates"
    ]
    ended = {part["resourceId"].rsplit("/", 1)[-1]: part for part in parts}
    assert {name for name, part in ended.items() if part["status"] == "Failed"} == {
        "web-01",
        "web-02",
        "web-05",
        "api-01",
    }
    assert {name for name, part in ended.items() if part["status"] == "Succeeded"} == {"web-04", "api-04"}
    assert all("The prerequisites" in str(part) for part in ended.values() if part["status"] == "Failed")


def test_a_fleet_file_with_schedules(tmp_path: Path) -> None:
    """The same bytes for the same seed, and schedules that have members."""
    files = [tmp_path / name for name in ("one.json", "two.json")]
    for file in files:
        arguments = ["fleet", "--machines", "80", "--schedules", "5", "--dynamic-scopes", "6", "-o", str(file)]
        assert CliRunner().invoke(main, arguments).exit_code == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    fleet = read_fleet(str(files[0]))
    types = Counter(document["type"].lower().removeprefix("microsoft.maintenance/") for document in fleet["resources"])
    assert types["maintenanceconfigurations"] == 5
    assert types["configurationassignments"] > 6
    emulator = _emulator(fleet)
    emulator.clock.advance(timedelta(days=29))
    assert len({run.configuration.key for run in emulator.patching.runs()}) == 5


def test_a_restart_goes_on_with_the_next_window(tmp_path: Path) -> None:
    """Openings are computed anew from the clock; runs that were shown are gone, as the reference says."""
    fleet = {"resources": with_members(prepared())}
    store = Store(tmp_path / "s.db")
    emulator = _emulator(fleet, store)
    emulator.clock.advance(timedelta(days=1))
    assert len(list(emulator.patching.runs())) == 1
    store.close()
    again = _emulator({}, Store(tmp_path / "s.db"))
    assert list(again.patching.runs()) == []
    again.clock.advance(timedelta(days=2))
    assert len(list(again.patching.runs())) == 2


def test_a_defect_in_a_run_fails_no_request() -> None:
    """A configuration that no reader foresaw is logged, and the clock goes on."""
    broken = configuration("broken", installPatches="everything")
    estate = Estate(broken, assigned(vm_id("vm1"), "broken"), *with_members(prepared()))
    estate.advance(days=1)
    assert [run["maintenanceConfiguration"]["name"] for run in estate.runs()] == ["nightly"]


class TestIdsOfPatchRows:
    """Public queries take these ids apart with `split`, `parse` and `extract`, which look at case."""

    QUERIES = (
        "patchassessmentresources | extend machine = tostring(split(id, '/patchAssessmentResults/')[0])",
        "patchassessmentresources | parse id with machine '/patchAssessmentResults' *",
        "patchinstallationresources | extend machine = tostring(split(id, '/patchInstallationResults/')[0])",
        "patchinstallationresources | extend machine = extract('^(.*)/patchInstallationResults/', 1, id)",
        "patchassessmentresources | extend machine = tostring(split(id, '/patchAssessmentResults/latest/soft')[0])",
    )

    @pytest.mark.parametrize("query", QUERIES)
    def test_a_case_sensitive_query_finds_the_machine(self, query: str) -> None:
        documents = [*with_members(machine(settings=ASSESSED)), machine("vm2", settings=ASSESSED)]
        estate = Estate(*documents).advance(hours=10)
        joined = f"{query} | join kind=inner (resources | project machine = id, found = name) on machine"
        rows = estate.ask(f"{joined} | distinct found, type")
        assert rows
        assert {row["found"] for row in rows} <= {"vm1", "vm2"}
        assert all(row["type"] == row["type"].lower() for row in rows)

    def test_in_lower_case_it_finds_none(self) -> None:
        """The other answer of the switch; queries that ignore case go on."""
        documents = with_members(machine(settings=ASSESSED))
        estate = Estate(*documents, patch_row_ids="lower-case").advance(hours=10)
        assert estate.ask("patchassessmentresources | where id contains_cs '/patchAssessmentResults/'") == []
        assert estate.ask("patchassessmentresources | where id contains '/patchAssessmentResults/'")
