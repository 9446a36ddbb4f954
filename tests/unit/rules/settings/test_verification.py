"""Verification, leaf by leaf: what counts, what does not, and why."""

import copy
from typing import Any

import pytest
from tests.unit.rules.builders import VM_ID, arc_document, machine_from, served, vm, vm_document

from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Change
from patchmode.model.run import Difference
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.precondition import since_plan
from patchmode.rules.settings.verification import differences, dotted, expected_document, leaf_differences, shown

TO_CMS = WantedSettings(Orchestration.CUSTOMER_MANAGED_SCHEDULES)
BY_OS = {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
SETTINGS = "properties.osProfile.windowsConfiguration.patchSettings"


@pytest.fixture
def change() -> Change:
    """Windows default → Customer Managed Schedules."""
    return planned(vm("Windows", BY_OS), TO_CMS)


def planned(machine: Any, wanted: WantedSettings) -> Change:
    """The change that the plan makes."""
    made = plan_machine(machine, wanted)
    assert isinstance(made, Change)
    return made


def applied(change: Change) -> dict[str, Any]:
    """A fresh document after the change."""
    return copy.deepcopy(served(change.document, change.body))


def test_each_leaf_that_is_not_as_planned_is_named(change: Change) -> None:
    """A machine that was never changed shows both leaves, and a difference shows both values."""
    assert differences(change, change.document) == (
        Difference(f"{SETTINGS}.patchMode", '"AutomaticByPlatform"', '"AutomaticByOS"'),
        Difference(
            f"{SETTINGS}.automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule", "true", "(absent)"
        ),
    )


def test_an_empty_object_that_came_or_went_is_no_damage(change: Change) -> None:
    """Ansible's PUT leaves `vhd: {}`; whether the service keeps such objects is not confirmed. Settings count."""
    change.document["properties"]["diagnosticsProfile"] = {}
    after = applied(change)
    after["properties"]["storageProfile"]["osDisk"]["vhd"] = {}
    after["properties"]["storageProfile"]["dataDisks"][0]["vhd"] = {}
    after["properties"]["additionalCapabilities"] = {"one": {"two": {}}}
    del after["properties"]["diagnosticsProfile"]
    assert differences(change, after) == ()
    after["properties"]["storageProfile"]["osDisk"]["vhd"] = {"uri": "https://x"}
    after["properties"]["extras"] = []
    after["properties"]["storageProfile"]["dataDisks"].append({"vhd": {}})
    after["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]["more"] = {}
    assert sorted((one.path, one.found) for one in differences(change, after)) == [
        ("properties.extras", "[]"),
        (f"{SETTINGS}.more", "{}"),
        ("properties.storageProfile.dataDisks[2].vhd", "{}"),
        ("properties.storageProfile.osDisk.vhd.uri", '"https://x"'),
    ]


def test_siblings_count(change: Change) -> None:
    """Changed, gone and new leaves outside the patch settings are all seen."""
    after = applied(change)
    after["tags"] = {"env": "prod", "a.b": "new"}
    del after["properties"]["storageProfile"]["dataDisks"][1]
    after["zones"] = ["1"]
    assert [(d.path, d.expected, d.found) for d in differences(change, after)] == [
        ("tags.env", '"test"', '"prod"'),
        ('tags["a.b"]', "(absent)", '"new"'),
        ("properties.storageProfile.dataDisks[1].lun", "1", "(absent)"),
        ("properties.storageProfile.dataDisks[1].name", '"data-1"', "(absent)"),
        ("zones[0]", "(absent)", '"1"'),
    ]


def test_what_the_service_writes_by_itself_does_not_count(change: Change) -> None:
    """Each of these changes without anybody touching the machine."""
    after = applied(change)
    after["etag"] = '"17"'
    after["resources"] = [{"id": f"{VM_ID}/extensions/WindowsPatchExtension"}]
    after["properties"]["provisioningState"] = "Updating"
    after["properties"]["instanceView"] = {"statuses": []}
    assert differences(change, after) == ()
    assert since_plan(change, {**change.document, "etag": '"3"', "resources": []}).all == ()


def test_only_who_modified_it_last_is_left_out_of_system_data() -> None:
    """The creation time tells a machine made anew."""
    document = vm_document("Windows", BY_OS)
    document["systemData"] = {"createdAt": "2024-01-01T00:00:00Z", "lastModifiedAt": "2024-01-01T00:00:00Z"}
    change = planned(machine_from(document), TO_CMS)
    after = applied(change)
    after["systemData"]["lastModifiedAt"] = "2024-06-01T00:00:00Z"
    after["systemData"]["lastModifiedBy"] = "somebody"
    assert differences(change, after) == ()
    after["systemData"]["createdAt"] = "2024-06-01T00:00:00Z"
    assert [d.path for d in differences(change, after)] == ["systemData.createdAt"]


def test_ids_compare_without_regard_to_case(change: Change) -> None:
    """A subscription-wide list upper-cases the resource group; texts that are no ids keep their case."""
    after = applied(change)
    after["id"] = VM_ID.replace("rg-web", "RG-WEB")
    nic = after["properties"]["networkProfile"]["networkInterfaces"][0]
    nic["id"] = nic["id"].replace("resourceGroups", "resourcegroups").upper()
    assert differences(change, after) == ()
    after["location"] = "WestEurope"
    assert [d.path for d in differences(change, after)] == ["location"]


def test_members_named_by_ids_compare_without_regard_to_case() -> None:
    """`identity.userAssignedIdentities` uses ids as names, in a fifth of the recorded cases with resourcegroups."""
    document = vm_document("Windows", BY_OS)
    name = "/subscriptions/x/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a"
    document["identity"] = {"userAssignedIdentities": {name: {"clientId": "c"}}}
    change = planned(machine_from(document), TO_CMS)
    after = applied(change)
    after["identity"] = {"userAssignedIdentities": {name.replace("Groups", "groups"): {"clientId": "d"}}}
    assert [d.path for d in differences(change, after)] == [f'identity.userAssignedIdentities["{name}"].clientId']


def test_the_order_of_members_never_counts(change: Change) -> None:
    """JSON objects have none."""
    after = applied(change)
    reordered = dict(reversed(after.items()))
    reordered["properties"] = dict(reversed(after["properties"].items()))
    assert differences(change, reordered) == ()


def test_enumerations_of_the_patch_settings_ignore_case(change: Change) -> None:
    """Azure compares them so; any other text keeps its case."""
    after = applied(change)
    after["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]["patchMode"] = "automaticByPlatform"
    assert differences(change, after) == ()


def test_a_tolerated_leaf_may_go_but_not_change() -> None:
    """Clear or keep is open; another value is a difference."""
    before = {
        "patchMode": "AutomaticByPlatform",
        "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True, "rebootSetting": "Never"},
    }
    change = planned(vm("Windows", before), WantedSettings(Orchestration.AUTOMATIC_BY_OS))
    after = applied(change)
    settings = after["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]
    for block in ({"rebootSetting": "Never"}, {}):
        settings["automaticByPlatformSettings"] = block
        assert differences(change, after) == ()
    del settings["automaticByPlatformSettings"]
    assert differences(change, after) == ()
    settings["automaticByPlatformSettings"] = {"rebootSetting": "Always"}
    assert [d.path for d in differences(change, after)] == [f"{SETTINGS}.automaticByPlatformSettings.rebootSetting"]


def test_a_sent_false_may_come_back_as_absence() -> None:
    """An absent bypass is false for the portal and for the built-in policy."""
    change = planned(vm("Windows", BY_OS), WantedSettings(Orchestration.AZURE_MANAGED))
    after = applied(change)
    del after["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]["automaticByPlatformSettings"]
    assert differences(change, after) == ()


@pytest.mark.parametrize("system", ["Windows", "Linux"])
def test_defaults_may_appear_where_the_parent_was_absent(system: str) -> None:
    """Written member by member: what the service states by itself in an osProfile that was not there."""
    change = planned(vm(system, os_profile=False), TO_CMS)
    after = applied(change)
    profile = after["properties"]["osProfile"]
    (guest,) = profile.values()
    profile["secrets"] = []
    profile["allowExtensionOperations"] = True
    profile["requireGuestProvisionSignal"] = True
    guest["provisionVMAgent"] = True
    guest["enableVMAgentPlatformUpdates"] = False
    guest["patchSettings"]["assessmentMode"] = "ImageDefault"
    assert differences(change, after) == ()
    profile["allowExtensionOperations"] = False
    profile["computerName"] = "surprise"
    guest["patchSettings"]["assessmentMode"] = "AutomaticByPlatform"
    guest["unheardOf"] = 1
    profile["secrets"] = [{}]
    assert {d.path.rsplit(".", 1)[-1] for d in differences(change, after)} == {
        "allowExtensionOperations",
        "computerName",
        "assessmentMode",
        "unheardOf",
        "secrets[0]",
    }


def test_defaults_do_not_count_where_the_parent_was_there(change: Change) -> None:
    """A member that appears in an existing object is somebody's doing."""
    after = applied(change)
    after["properties"]["osProfile"]["windowsConfiguration"]["enableVMAgentPlatformUpdates"] = False
    assert [d.path for d in differences(change, after)] == [
        "properties.osProfile.windowsConfiguration.enableVMAgentPlatformUpdates"
    ]


def test_a_default_patch_mode_may_appear_but_never_the_platforms() -> None:
    """Setting the assessment alone may make the service state the default mode; AutomaticByPlatform is none."""
    change = planned(vm("Windows", None), WantedSettings(periodic_assessment=True))
    after = applied(change)
    settings = after["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]
    settings["patchMode"] = "AutomaticByOS"
    assert differences(change, after) == ()
    settings["patchMode"] = "AutomaticByPlatform"
    assert [d.path for d in differences(change, after)] == [f"{SETTINGS}.patchMode"]


def test_what_an_arc_server_reports_does_not_count() -> None:
    """Heartbeats change these all day, and the setting's own status comes with it."""
    change = planned(machine_from(arc_document("Linux", {})), WantedSettings(periodic_assessment=True))
    after = applied(change)
    after["properties"]["status"] = "Disconnected"
    after["properties"]["agentVersion"] = "1.39"
    settings = after["properties"]["osProfile"]["linuxConfiguration"]["patchSettings"]
    settings["status"] = {"code": "Succeeded"}
    assert differences(change, after) == ()
    after["properties"]["vmId"] = "another"
    assert [d.path for d in differences(change, after)] == ["properties.vmId"]


def test_what_changed_since_the_plan_is_named_with_its_values(change: Change) -> None:
    """The operator learns what changed, not only that something did."""
    now = copy.deepcopy(dict(change.document))
    now["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]["assessmentMode"] = "AutomaticByPlatform"
    (found,) = since_plan(change, now).depended_on
    assert found == Difference(f"{SETTINGS}.assessmentMode", '"ImageDefault"', '"AutomaticByPlatform"')


def test_the_expected_document_leaves_the_planned_one_alone(change: Change) -> None:
    """The plan's document is the proof and must stay as it was read."""
    before = copy.deepcopy(change.document)
    assert expected_document(change)["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"] == change.after
    assert change.document == before


@pytest.mark.parametrize(
    ("left", "right", "leaves"),
    [
        ({}, {}, []),
        ({"a": {}}, {}, [("a", "{}", "(absent)")]),
        ({}, {"a": []}, [("a", "(absent)", "[]")]),
        ({"a": {"b": 1}}, {}, [("a.b", "1", "(absent)")]),
        ({"a": {"b": 1}}, {"a": 2}, [("a", '{"b": 1}', "2")]),
        ({"a": [1]}, {"a": {"0": 1}}, [("a", "[1]", '{"0": 1}')]),
        ({"a": [1, 2]}, {"a": [2, 1]}, [("a[0]", "1", "2"), ("a[1]", "2", "1")]),
        ({"a": None}, {}, [("a", "null", "(absent)")]),
        ({"a_b": 1}, {"a_b": "ü"}, [("a_b", "1", '"ü"')]),
        ({"": 1}, {}, [('[""]', "1", "(absent)")]),
        ({"a": "/subscriptions/X"}, {"a": "/Subscriptions/x"}, []),
        ({"a": "/Subscriptions/X"}, {"a": 1}, [("a", '"/Subscriptions/X"', "1")]),
    ],
)
def test_leaves(left: Any, right: Any, leaves: list[tuple[str, str, str]]) -> None:
    """Absent, null, empty and other kinds are all told apart."""
    found = [(dotted(leaf.path), shown(leaf.expected), shown(leaf.found)) for leaf in leaf_differences(left, right)]
    assert found == leaves
