"""Windows that the clock passes: who takes part, how it ends, what Resource Graph then shows."""

from typing import Any

import pytest
from tests.emulator.compute.caller import GROUP, TARGET, machine, patch_body
from tests.emulator.maintenance.estate import (
    Estate,
    arc,
    assigned,
    configuration,
    prepared,
    scoped,
    vm_id,
    with_members,
)

VERSION = "2023-04-01"
PHRASE = "bypassPlatformChecksOnUserSchedule as true"
NO_AGENT = {"vmAgent": {"statuses": [{"displayStatus": "Not Ready"}]}}
WIN11 = {"publisher": "MicrosoftWindowsDesktop", "offer": "windows-11", "sku": "win11-23h2-pro", "version": "latest"}
CENTOS_HPC = {"publisher": "OpenLogic", "offer": "CentOS-HPC", "sku": "7_9-gen2", "version": "latest"}
UNSUPPORTED = {
    "id": f"{vm_id('vm1')}/patchAssessmentResults/latest",
    "properties": {
        "configurationStatus": {"vmGuestPatchReadiness": {"detectedVMGuestPatchSupportState": "Unsupported"}}
    },
}
DEVELOPER = {"publisher": "MicrosoftVisualStudio", "offer": "visualstudio2022", "version": "latest"}
FIREWALL = {"publisher": "paloaltonetworks", "offer": "vmseries-flex", "sku": "byol", "version": "latest"}


def extension(kind: str, publisher: str, state: str) -> dict[str, Any]:
    """An extension as it stands in a machine's document."""
    members = {"publisher": publisher, "type": kind, "provisioningState": state}
    return {"name": kind, "type": "Microsoft.Compute/virtualMachines/extensions", "properties": members}


WITHOUT_EXTENSIONS = prepared()
WITHOUT_EXTENSIONS["properties"]["osProfile"]["allowExtensionOperations"] = False
OTHER_CASE = {
    "patchMode": "automaticbyplatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}


class TestOneMember:
    """How a window ends for a machine, state by state."""

    @pytest.mark.parametrize(
        ("member", "outcome"),
        [
            (prepared(), "Succeeded"),
            (prepared(system="Linux"), "Succeeded"),
            (prepared(settings=OTHER_CASE), "Succeeded"),
            (machine(), "UnsupportedResourceOperation"),
            (machine(settings={"patchMode": "AutomaticByPlatform"}), "UnsupportedResourceOperation"),
            (prepared(power="deallocated"), "ShutdownOrUnresponsive"),
            (prepared(power="stopped"), "ShutdownOrUnresponsive"),
            (prepared(power="starting"), "Succeeded"),
            (prepared(instanceView=NO_AGENT), "ShutdownOrUnresponsive"),
            (prepared(block={"provisionVMAgent": False}), "OperationNotAllowed"),
            (WITHOUT_EXTENSIONS, "OperationNotAllowed"),
            (prepared(image=WIN11), "Unsupported"),
            (prepared(system="Linux", image=CENTOS_HPC), "Unsupported"),
            (machine(power="deallocated"), "UnsupportedResourceOperation"),
            (machine(image=WIN11), "Unsupported"),
            (prepared(image=DEVELOPER | {"sku": "vs-2022-comm-latest-win11-n-gen2"}), "Unsupported"),
            (prepared(image=DEVELOPER | {"sku": "vs-2022-comm-latest-ws2022"}), "Succeeded"),
            (prepared(image=DEVELOPER | {"sku": "windows-10-for-server-2019"}), "Succeeded"),
            (prepared(instanceView={"osName": "Windows 10 Enterprise N"}), "Unsupported"),
            (prepared(image=WIN11, instanceView={"osName": "Windows Server 2022 Datacenter"}), "Succeeded"),
            (prepared(licenseType="Windows_Client"), "Unsupported"),
            (prepared(system="Linux", image=FIREWALL), "Unsupported"),
            (prepared(system="Linux", instanceView={"osName": "freebsd"}), "Unsupported"),
            (arc(), "Succeeded"),
            (arc(status="Disconnected"), "ShutdownOrUnresponsive"),
            (arc(status="Expired"), "ShutdownOrUnresponsive"),
            (arc(osType="windows", osSku="Windows 11 Enterprise"), "Unsupported"),
        ],
    )
    def test_it_ends_so(self, member: dict[str, Any], outcome: str) -> None:
        """The first reason in the order of the contract is the one recorded."""
        estate = Estate(*with_members(member)).advance(hours=10)
        assert list(estate.outcomes().values()) == [outcome]
        assert len(estate.installs()) == (outcome == "Succeeded")

    @pytest.mark.parametrize(("switch", "outcome"), [("fails", "VMExtensionProvisioningError"), ("reinstalled", None)])
    @pytest.mark.parametrize("state", ["Failed", "canceled"])
    @pytest.mark.parametrize("apart", [True, False])
    def test_a_failed_patch_extension(self, switch: str, outcome: str | None, state: str, apart: bool) -> None:
        """A switch: nobody says whether the platform installs it again. Stored in the machine's document or apart."""
        member = prepared(system="Linux")
        kept = extension("LinuxPatchExtension", "Microsoft.CPlat.Core", state)
        others = [{**kept, "id": f"{vm_id('vm1')}/extensions/{kept['name']}"}] if apart else []
        member |= {} if apart else {"resources": [kept]}
        estate = Estate(*with_members(member), *others, failed_patch_extension=switch).advance(hours=10)
        assert estate.outcomes() == {"vm1": outcome or "Succeeded"}

    def test_other_extensions_and_states_do_not_matter(self) -> None:
        """Another one that failed, and a patch extension that is well."""
        member = prepared(system="Linux") | {
            "resources": [
                extension("LinuxPatchExtension", "Microsoft.CPlat.Core", "Succeeded"),
                extension("RunCommandLinux", "Microsoft.CPlat.Core", "Failed"),
            ]
        }
        assert Estate(*with_members(member)).advance(hours=10).outcomes() == {"vm1": "Succeeded"}

    def test_the_last_assessment_can_say_unsupported(self) -> None:
        """Support of a custom image is found out by an assessment only."""
        estate = Estate(*with_members(prepared()), UNSUPPORTED).advance(hours=10)
        assert estate.outcomes() == {"vm1": "Unsupported"}

    @pytest.mark.parametrize(("switch", "outcome"), [("unsupported", "Unsupported"), ("runs", "Succeeded")])
    def test_a_member_of_a_flexible_scale_set(self, switch: str, outcome: str) -> None:
        """UNCONFIRMED, hence both."""
        member = prepared(virtualMachineScaleSet={"id": "/s"})
        estate = Estate(*with_members(member), schedule_on_flexible_member=switch).advance(hours=10)
        assert estate.outcomes() == {"vm1": outcome}

    @pytest.mark.parametrize(("duration", "outcome"), [("00:24", "MaintenanceWindowExceeded"), ("00:25", "Succeeded")])
    def test_a_window_needs_25_minutes(self, duration: str, outcome: str) -> None:
        """The service refuses such windows, but a fleet may be loaded with anything."""
        estate = Estate(*with_members(prepared(), window={"duration": duration})).advance(hours=10)
        assert estate.outcomes() == {"vm1": outcome}
        (install,) = estate.installs()
        assert install["maintenanceWindowExceeded"] is (outcome != "Succeeded")
        assert (install["installedPatchCount"] == 0) is (outcome != "Succeeded")


class TestRows:
    """What a run shows before, during and after."""

    def test_the_run_is_in_progress_and_then_over(self) -> None:
        """The unprepared machine fails at once, the other takes its minutes."""
        estate = Estate(*with_members(prepared(), machine("vm2")))
        assert estate.runs() == []
        (run,) = estate.advance(hours=8, minutes=5).runs()
        assert (run["status"], run["resourceUpdateSummary"]["inProgress"]) == ("InProgress", 1)
        assert {one["status"] for one in estate.parts()} == {"InProgress", "Failed"}
        assert estate.installs()[0]["status"] == "InProgress"
        (run,) = estate.advance(hours=1).runs()
        assert run["status"] == "Failed"
        assert run["resourceUpdateSummary"] == {
            "total": 2,
            "succeeded": 1,
            "failed": 1,
            "inProgress": 0,
            "cancelled": 0,
        }
        assert run["startDateTime"] == "2026-03-02T20:00:00Z"
        assert run["maintenanceConfiguration"]["name"] == "nightly"
        assert run["correlationId"].endswith("/microsoft.maintenance/applyupdates/20260302200000")

    def test_the_published_query_finds_the_failed_machine(self) -> None:
        """ "Sample query logs", the list of a machine's maintenance runs, as it is printed there."""
        estate = Estate(*with_members(prepared(), machine("vm2"))).advance(hours=10)
        rows = estate.ask(
            f"""maintenanceresources
            | where ['id'] contains "{vm_id("vm2")}" //VM Id here
            | where ['type'] == "microsoft.maintenance/applyupdates"
            | where properties.maintenanceScope == "InGuestPatch" """
        )
        assert [row["properties"]["status"] for row in rows] == ["Failed"]
        assert PHRASE in str(rows[0]["properties"])

    def test_the_published_queries_find_installations(self) -> None:
        """The other queries of the article: one installation, and its updates by name."""
        estate = Estate(*with_members(prepared(), prepared("vm2", "Linux"))).advance(hours=10)
        rows = estate.ask(
            """patchinstallationresources
            | where type !has "softwarepatches"
            | extend machineName = tostring(split(id, "/", 8)), resourceType = tostring(split(type, "/", 0))
            | extend prop = parse_json(properties)
            | extend lTime = todatetime(prop.lastModifiedDateTime), OS = tostring(prop.osType)
            | extend installedPatchCount = tostring(prop.installedPatchCount)
            | where lTime > ago(7d)
            | project lTime, RunID=name, machineName, resourceType, OS, installedPatchCount"""
        )
        assert {row["OS"] for row in rows} == {"Windows", "Linux"}
        for system, has in (("!has", "kbId"), ("has", "version")):
            rows = estate.ask(
                f"""patchinstallationresources
                | where type has "softwarepatches" and properties {system} "version"
                | extend prop = parse_json(properties)
                | extend patchName = tostring(prop.patchName), told = tostring(prop.{has})
                | extend installationState = tostring(prop.installationState)
                | project patchName, told, installationState"""
            )
            assert rows
            assert all(row["patchName"] and row["told"] and row["installationState"] == "Installed" for row in rows)

    def test_the_correlation_id_leads_to_the_machines(self) -> None:
        """As the sample script of "Create pre and post events using Automation" looks its machines up."""
        estate = Estate(*with_members(prepared(), machine("vm2"))).advance(hours=10)
        (run,) = estate.runs()
        found = estate.ask(
            "maintenanceresources | where type =~ 'microsoft.maintenance/applyupdates' "
            f"| where properties.correlationId =~ '{run['correlationId']}' "
            "| where id has '/providers/microsoft.compute/virtualmachines/' "
            "| project id, resourceId = tostring(properties.resourceId) | order by id asc"
        )
        assert [row["resourceId"] for row in found] == [vm_id("vm1").lower(), vm_id("vm2").lower()]

    @pytest.mark.parametrize(
        ("shape", "member"), [("error-object", "errorDetails"), ("error-text", "errorMessage"), ("absent", None)]
    )
    def test_where_the_reason_stands_is_a_switch(self, shape: str, member: str | None) -> None:
        """No documentation shows it."""
        (part,) = Estate(*with_members(machine()), run_error_shape=shape).advance(hours=10).parts()
        assert {"errorDetails", "errorMessage"} & set(part) == ({member} if member else set())
        assert (PHRASE in str(part)) is (member is not None)

    def test_runs_and_installations_are_kept_thirty_days(self) -> None:
        """The last one of a schedule that ended."""
        window = {"expirationDateTime": "2026-03-02 20:30"}
        estate = Estate(*with_members(prepared(), window=window)).advance(days=30, hours=8)
        assert (len(estate.runs()), len(estate.parts()), len(estate.installs())) == (1, 1, 1)
        estate.advance(hours=1)
        assert (estate.runs(), estate.parts(), estate.installs()) == ([], [], [])

    def test_the_graphs_lag_counts(self) -> None:
        """A run is not visible before a change of the same moment would be."""
        estate = Estate(*with_members(machine()))
        estate.emulator.graph.lag_s = 60.0
        assert estate.advance(hours=8, seconds=30).runs() == []
        assert len(estate.advance(seconds=40).runs()) == 1

    def test_the_instance_view_tells_of_the_last_installation(self) -> None:
        """The machine's document and its etag stay as they are."""
        estate = Estate(*with_members(prepared(etag=4))).advance(hours=10)
        view = estate.caller.get(f"{vm_id('vm1')}/instanceView").body
        summary = view["patchStatus"]["lastPatchInstallationSummary"]
        assert (summary["status"], summary["startTime"]) == ("Succeeded", "2026-03-02T20:00:00.0000000+00:00")
        assert summary["installedPatchCount"] > 0
        assert estate.caller.get(vm_id("vm1")).body["etag"] == '"4"'


class TestMembers:
    """Static assignments and dynamic scopes."""

    def test_a_machine_takes_part_once_however_it_is_named(self) -> None:
        """Twice statically, once dynamically."""
        again = assigned(vm_id("vm1"))
        again["id"] += "-2"
        estate = Estate(*with_members(prepared()), again, scoped(osTypes=["windows"])).advance(hours=10)
        assert estate.outcomes() == {"vm1": "Succeeded"}

    @pytest.mark.parametrize(
        ("narrowed", "members"),
        [
            ({}, {"vm1", "vm2", "arc1"}),
            ({"osTypes": None, "locations": [], "tagSettings": {"tags": {}}}, {"vm1", "vm2", "arc1"}),
            ({"osTypes": ["WINDOWS"]}, {"vm1"}),
            ({"osTypes": ["linux"]}, {"vm2", "arc1"}),
            ({"resourceTypes": ["microsoft.hybridcompute/Machines"]}, {"arc1"}),
            ({"resourceGroups": ["RG"]}, {"vm1", "vm2", "arc1"}),
            ({"resourceGroups": ["other"]}, set()),
            ({"locations": ["West Europe"], "osTypes": ["Windows"]}, {"vm1"}),
            ({"locations": ["northeurope"]}, set()),
            ({"tagSettings": {"tags": {"RING": ["1", "2"]}}}, {"vm1", "vm2"}),
            ({"tagSettings": {"tags": {"ring": ["1"], "env": ["prod"]}}}, {"vm1"}),
            ({"tagSettings": {"tags": {"ring": ["1"], "env": ["prod"]}, "filterOperator": "Any"}}, {"vm1", "arc1"}),
            ({"tagSettings": {"tags": {"env": ["PROD"]}}}, set()),
        ],
    )
    def test_a_filter_takes_in(self, narrowed: dict[str, Any], members: set[str]) -> None:
        """Every non-empty member narrows, case does not matter but in the values of tags."""
        machines = (
            {**prepared("vm1"), "tags": {"ring": "1", "env": "prod"}},
            {**prepared("vm2", "Linux"), "tags": {"Ring": "2"}},
            {**arc(), "tags": {"env": "prod"}},
        )
        estate = Estate(configuration(), *machines, scoped(**narrowed)).advance(hours=10)
        assert set(estate.outcomes()) == members

    @pytest.mark.parametrize(
        ("switch", "members"),
        [("values-exact", {"same", "key"}), ("exact", {"same"}), ("ignored", {"same", "key", "value"})],
    )
    def test_the_case_of_tags_is_a_switch(self, switch: str, members: set[str]) -> None:
        """UNCONFIRMED for keys and for values."""
        tags = {"same": {"Ring": "A"}, "key": {"ring": "A"}, "value": {"Ring": "a"}}
        machines = ({**prepared(name), "tags": given} for name, given in tags.items())
        scope = scoped(tagSettings={"tags": {"Ring": ["A"]}})
        estate = Estate(configuration(), *machines, scope, dynamic_scope_tag_case=switch).advance(hours=10)
        assert set(estate.outcomes()) == members

    @pytest.mark.parametrize(
        ("narrowed", "honoured"),
        [
            ({"availabilityZones": ["1"]}, {"vm1"}),
            ({"resourceIds": [vm_id("VM2")]}, {"vm2"}),
            ({"moonPhases": ["full"]}, set()),
        ],
    )
    def test_further_members_of_a_filter_are_a_switch(self, narrowed: dict[str, Any], honoured: set[str]) -> None:
        """UNCONFIRMED whether they narrow."""
        machines = ({**prepared("vm1"), "zones": ["1"]}, prepared("vm2"))
        documents = (configuration(), *machines, scoped(**narrowed))
        assert set(Estate(*documents).advance(hours=10).outcomes()) == honoured
        ignoring = Estate(*documents, dynamic_scope_extra_filters="ignored").advance(hours=10)
        assert set(ignoring.outcomes()) == {"vm1", "vm2"}

    def test_a_scope_at_a_group_ends_there(self) -> None:
        """The machine of another group is no member."""
        elsewhere = prepared("far")
        elsewhere["id"] = elsewhere["id"].replace("/Rg/", "/Other/")
        estate = Estate(configuration(), prepared(), elsewhere, scoped(scope=GROUP)).advance(hours=10)
        assert set(estate.outcomes()) == {"vm1"}

    @pytest.mark.parametrize(("switch", "count"), [("first-thousand", 1000), ("all", 1001)])
    def test_a_dynamic_scope_takes_in_a_thousand(self, switch: str, count: int) -> None:
        """What happens beyond is UNCONFIRMED."""
        machines = [arc(f"arc{number:04d}") for number in range(1001)]
        estate = Estate(configuration(), *machines, scoped(), dynamic_scope_over_limit=switch).advance(hours=10)
        assert estate.runs()[0]["resourceUpdateSummary"]["total"] == count

    def test_orphans_do_nothing(self) -> None:
        """A machine that was moved away, a configuration that was deleted."""
        documents = (configuration(), prepared(), assigned(vm_id("gone")), assigned(vm_id("vm1"), "retired"))
        assert Estate(*documents).advance(days=2).runs() == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"maintenanceScope": "Host"},
            {"window": {"recurEvery": "6Hours 20:00"}},
            {"window": {"recurEvery": None}},
            {"window": {"timeZone": "Middle Earth Standard Time"}},
            {"window": {"expirationDateTime": "2026-03-01 00:00"}},
            {"window": {"recurEvery": "12Months day31", "startDateTime": "2026-02-01 20:00"}},
            {"window": {"duration": "long"}},
            {"window": {"startDateTime": "tomorrow"}},
            {"window": {"timeZone": ["UTC"], "recurEvery": {}, "duration": 3}},
            {"maintenanceWindow": "always"},
            {"extensionProperties": "User", "window": {"recurEvery": "Never"}},
        ],
    )
    def test_what_never_opens(self, changes: dict[str, Any]) -> None:
        """Whatever a fleet file holds, loading it does not fail."""
        assert Estate(*with_members(prepared(), **changes)).advance(days=40).runs() == []

    @pytest.mark.parametrize(("switch", "runs"), [("as-user", 1), ("idle", 0)])
    def test_the_platform_mode_is_a_switch(self, switch: str, runs: int) -> None:
        """UNCONFIRMED what InGuestPatchMode Platform does."""
        for key in ("InGuestPatchMode", "inGuestPatchMode"):  # recorded in both spellings
            documents = with_members(prepared(), extensionProperties={key: "Platform"})
            assert len(Estate(*documents, platform_mode_configuration=switch).advance(hours=10).runs()) == runs


class TestChanges:
    """What is written between windows counts for the next."""

    def test_a_fixed_machine_succeeds_the_next_night(self) -> None:
        """The story of the demo."""
        estate = Estate(*with_members(machine())).advance(hours=10)
        assert estate.caller.patch(vm_id("vm1"), patch_body(**TARGET)).status == 200
        assert [run["status"] for run in estate.advance(days=1).runs()] == ["Failed", "Succeeded"]

    @pytest.mark.parametrize(("switch", "runs"), [("missed", 0), ("included", 1)])
    @pytest.mark.parametrize("what", ["assignment", "configuration"])
    def test_a_late_change_is_a_switch(self, what: str, switch: str, runs: int) -> None:
        """Written ten minutes before the window: the documentation asks for fifteen."""
        first, vm, assignment = with_members(prepared())
        estate = Estate(vm, first, *([assignment] if what == "configuration" else []), late_change=switch)
        estate.advance(hours=7, minutes=50)
        path, body = (
            (f"{vm_id('vm1')}/providers/Microsoft.Maintenance/configurationAssignments/nightly", assignment)
            if what == "assignment"
            else (first["id"], first)
        )
        answer = estate.caller.put(path, {"location": "westeurope", **body}, version=VERSION)
        assert answer.status == 200, answer.body
        assert len(estate.advance(hours=2).runs()) == runs
        assert len(estate.advance(days=1).runs()) == runs + 1

    def test_a_deleted_configuration_opens_no_more(self) -> None:
        """At once."""
        estate = Estate(*with_members(prepared())).advance(hours=10)
        assert estate.caller.call("DELETE", configuration()["id"], version=VERSION).status == 200
        assert len(estate.advance(days=3).runs()) == 1

    def test_a_moved_window_opens_at_its_new_time(self) -> None:
        """And not at the old one."""
        estate = Estate(*with_members(prepared()))
        body = {
            "properties": {
                "maintenanceWindow": configuration(window={"startDateTime": "2026-01-01 22:00"})["properties"][
                    "maintenanceWindow"
                ]
            }
        }
        assert estate.caller.patch(configuration()["id"], body, version=VERSION).status == 200
        assert [run["startDateTime"] for run in estate.advance(days=1).runs()] == ["2026-03-02T22:00:00Z"]

    def test_a_cancelled_run_touches_nothing(self) -> None:
        """Its rows say so; the next one runs."""
        first = configuration()
        cancelled = {
            "id": f"{first['id']}/providers/Microsoft.Maintenance/applyUpdates/20260302200000",
            "name": "20260302200000",
            "properties": {"status": "Cancelled"},
        }
        estate = Estate(*with_members(prepared()), cancelled)
        assert len(estate.ask("maintenanceresources | where type has 'maintenanceconfigurations/applyupdates'")) == 1
        estate.advance(hours=10)
        (run,) = estate.runs()
        assert run["status"] == "Cancelled"
        assert "Maintenance cancelled using cancellation API at " in str(run["errorDetails"])
        assert [part["status"] for part in estate.parts()] == ["Cancelled"]
        assert estate.installs() == []
        assert [one["status"] for one in estate.advance(days=1).runs()] == ["Cancelled", "Succeeded"]

    def test_a_cancellation_through_the_api_counts(self) -> None:
        """The sentence names the moment at which it was asked for."""
        estate = Estate(*with_members(prepared()))
        path = f"{configuration()['id']}/providers/Microsoft.Maintenance/applyUpdates/20260302200000"
        body = {"properties": {"status": "Cancel"}}
        assert estate.caller.put(path, body, version="2023-09-01-preview").status == 200
        (run,) = estate.advance(hours=10).runs()
        assert run["errorDetails"]["message"] == "Maintenance cancelled using cancellation API at 2026-03-02T12:00:00Z"
        assert estate.installs() == []

    def test_a_reset_forgets_runs_and_windows(self) -> None:
        """Each window of the fleet that is loaded then opens once, and no other."""
        estate = Estate(*with_members(prepared())).advance(days=3)
        estate.emulator.reset()
        assert estate.runs() == []
        assert len(estate.advance(days=1).runs()) == 1
        estate.emulator.reset({"resources": []})
        assert estate.advance(days=3).emulator.patching.runner.next_opening(configuration()["id"].lower()) is None


class TestOverlap:
    """Several configurations on one machine."""

    def test_the_same_trigger_and_settings_fire_once(self) -> None:
        """ "Troubleshoot issues with maintenance configurations"."""
        documents = (*with_members(prepared()), configuration("twin"), assigned(vm_id("vm1"), "twin"))
        estate = Estate(*documents).advance(hours=10)
        assert [run["maintenanceConfiguration"]["name"] for run in estate.runs()] == ["nightly"]

    def test_other_settings_run_one_after_the_other(self) -> None:
        """The second begins where the first ends."""
        other = configuration("twin", installPatches={"rebootSetting": "Never"})
        estate = Estate(*with_members(prepared()), other, assigned(vm_id("vm1"), "twin")).advance(hours=10)
        first, second = sorted(estate.installs(), key=lambda one: str(one["startDateTime"]))
        assert (first["startDateTime"], second["startDateTime"]) == (
            "2026-03-02T20:00:00Z",
            first["lastModifiedDateTime"],
        )

    def test_the_second_may_find_no_time_left(self) -> None:
        """Its window is shorter than the rest of the first's installation and 25 minutes."""
        late = configuration("short", window={"duration": "00:26"}, installPatches={"rebootSetting": "Never"})
        estate = Estate(*with_members(prepared()), late, assigned(vm_id("vm1"), "short")).advance(hours=10)
        assert sorted(one["status"] for one in estate.parts()) == ["Failed", "Succeeded"]
