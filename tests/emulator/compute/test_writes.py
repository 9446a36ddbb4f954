"""PUT, PATCH and DELETE: the shapes of their answers, preconditions, and every switch that touches them."""

from datetime import timedelta
from typing import Any

import pytest
from tests.emulator.compute.caller import (
    GROUP,
    PATH,
    TARGET,
    WINDOWS,
    Caller,
    machine,
    patch_body,
    settings_of,
)

TAGS = {"tags": {"owner": "me"}}
SIZE = {"properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v3"}}}


class TestTheShapeOfAnUpdate:
    """Recorded: 200 with the new values at once; the operation tells the end."""

    def test_it_names_an_operation_and_no_location(self) -> None:
        answer = Caller.of(machine(etag=1)).patch(PATH, SIZE)
        assert answer.status == 200
        assert answer.headers["azure-asyncnotification"] == "Enabled"
        assert {"location", "retry-after"}.isdisjoint(answer.headers)
        assert f"/operations/{answer.headers['x-ms-request-id']}?p=" in answer.headers["azure-asyncoperation"]
        assert len(answer.headers["azure-asyncoperation"]) > 2500

    def test_the_next_read_differs_by_succeeded_alone(self) -> None:
        caller = Caller.of(machine(etag=1))
        answered = caller.patch(PATH, SIZE).body
        caller.finish()
        answered["properties"]["provisioningState"] = "Succeeded"
        assert caller.get(PATH).body == answered

    def test_tags_alone_need_no_operation(self) -> None:
        caller = Caller.of(machine(etag=1))
        answer = caller.patch(PATH, TAGS)
        assert (answer.status, answer.body["properties"]["provisioningState"]) == (200, "Updating")
        assert "azure-asyncoperation" not in answer.headers
        assert caller.get(PATH).body["properties"]["provisioningState"] == "Succeeded"

    def test_a_put_of_the_unchanged_model_needs_no_operation(self) -> None:
        caller = Caller.of(machine(etag=1))
        answer = caller.put(PATH, caller.get(PATH).body)
        assert (answer.status, answer.headers["etag"]) == (200, '"2"')
        assert "azure-asyncoperation" not in answer.headers

    def test_a_put_of_tags_alone_had_an_operation_with_older_versions(self) -> None:
        caller = Caller.of(machine())
        body = {"location": "westeurope", **TAGS}
        assert "azure-asyncoperation" in caller.put(PATH, body, version="2021-03-01").headers
        caller.finish()
        again = caller.put(PATH, {**body, "tags": {}}, version="2022-08-01")
        assert "azure-asyncoperation" not in again.headers

    def test_the_body_is_crlf_with_a_compact_network_profile(self) -> None:
        caller = Caller.of(machine())
        from arm_emulator.protocol.wire import Call

        headers = {"host": "localhost", "authorization": f"Bearer {caller.token}"}
        text = caller.emulator.serve(Call("GET", f"{PATH}?api-version=2024-07-01", headers)).body.decode()
        assert text.startswith('{\r\n  "name": "vm1",\r\n')
        assert '"networkProfile": {"networkInterfaces":[{"id":' in text
        assert "\n" not in text.replace("\r\n", "")

    def test_a_put_keeps_what_it_leaves_out(self) -> None:
        """az leaves imageReference and identity out of every PUT."""
        document = machine(etag=1)
        document["identity"] = {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"}
        document["zones"] = ["1"]
        caller = Caller.of(document)
        before = caller.get(PATH).body
        answer = caller.put(PATH, {"location": "westeurope", "tags": {}, **patch_body(**TARGET)}).body
        assert answer["properties"]["storageProfile"] == before["properties"]["storageProfile"]
        assert (answer["identity"], answer["zones"]) == (before["identity"], ["1"])
        assert answer["properties"]["vmId"] == before["properties"]["vmId"]

    def test_passwords_and_read_only_members_leave_no_trace(self) -> None:
        caller = Caller.of(machine())
        body = {
            "id": "/other",
            "etag": '"99"',
            "properties": {
                "vmId": "33333333-3333-3333-3333-333333333333",
                "provisioningState": "Failed",
                "osProfile": {"adminPassword": "not-kept", "customData": "not-kept"},
            },
        }
        answer = caller.patch(PATH, body).body
        assert "not-kept" not in str(answer)
        assert answer["id"] == PATH
        assert answer["properties"]["vmId"] == "22222222-2222-2222-2222-222222222222"


class TestPreconditions:
    """If-Match is compared as opaque quoted text, from api-version 2023-09-01 on."""

    def test_the_right_etag_is_accepted_and_counts_up(self) -> None:
        answer = Caller.of(machine(etag=7)).patch(PATH, SIZE, if_match='"7"')
        assert (answer.status, answer.body["etag"], answer.headers["etag"]) == (200, '"8"', '"8"')

    @pytest.mark.parametrize(
        ("given", "quoted"),
        [('"6"', '"6"'), ('"invalid"', '"invalid"'), ("invalid", '"invalid"'), ("7", '"7"'), ('W/"7"', 'W/"7"')],
    )
    def test_any_other_is_refused_with_both_etags_and_changes_nothing(self, given: str, quoted: str) -> None:
        caller = Caller.of(machine(etag=7))
        answer = caller.patch(PATH, SIZE, if_match=given)
        assert (answer.status, answer.code) == (412, "PreconditionFailed")
        assert answer.message == f'Etag provided in if-match header {quoted} does not match etag "7" of resource.'
        assert "etag" not in answer.headers
        assert caller.get(PATH).body["etag"] == '"7"'

    def test_older_versions_do_not_look(self) -> None:
        assert Caller.of(machine(etag=7)).patch(PATH, SIZE, version="2023-07-01", if_match='"1"').status == 200

    def test_a_star_takes_any(self) -> None:
        assert Caller.of(machine(etag=7)).patch(PATH, SIZE, if_match="*").status == 200

    def test_if_none_match_keeps_a_put_from_overwriting(self) -> None:
        caller = Caller.of(machine(etag=7))
        assert caller.put(PATH, {"location": "westeurope"}, if_none_match="*").status == 412

    def test_a_machine_without_etag_counts_as_one(self) -> None:
        caller = Caller.of(machine())
        assert "etag" not in caller.get(PATH).body
        assert caller.patch(PATH, SIZE, if_match='"2"').status == 412
        answer = caller.patch(PATH, SIZE, if_match='"1"')
        assert (answer.status, answer.body["etag"]) == (200, '"2"')

    def test_the_switch_never_numbers_it(self) -> None:
        caller = Caller.of(machine(), machine_without_etag="never-numbered")
        assert "etag" not in caller.patch(PATH, SIZE).body
        assert "etag" not in caller.get(PATH).body


class TestWritesAtOneTime:
    """A second write while the first runs."""

    @pytest.mark.parametrize(
        ("switch", "status", "code"),
        [
            ("accepted", 200, ""),
            ("conflict", 409, "Conflict"),
            ("conflicting-concurrent-write", 409, "ConflictingConcurrentWriteNotAllowed"),
            ("preempts", 200, ""),
        ],
    )
    def test_it_is_answered_as_the_profile_says(self, switch: str, status: int, code: str) -> None:
        caller = Caller.of(machine(), concurrent_write=switch)
        caller.patch(PATH, SIZE)
        answer = caller.patch(PATH, patch_body(**TARGET))
        assert (answer.status, answer.code) == (status, code)

    def test_the_preempted_operation_fails_and_the_machine_does_not(self) -> None:
        caller = Caller.of(machine(), concurrent_write="preempts")
        first = caller.patch(PATH, SIZE).headers["azure-asyncoperation"].partition("8443")[2]
        caller.patch(PATH, patch_body(**TARGET))
        polled = caller.call("GET", first).body
        assert (polled["status"], polled["error"]["code"]) == ("Failed", "OperationPreempted")
        caller.finish()
        assert caller.get(PATH).body["properties"]["provisioningState"] == "Succeeded"

    def test_after_the_end_nothing_conflicts(self) -> None:
        caller = Caller.of(machine(), concurrent_write="conflict")
        caller.patch(PATH, SIZE)
        caller.finish()
        assert caller.patch(PATH, TAGS).status == 200

    def test_a_machine_that_is_being_deleted_takes_no_write(self) -> None:
        caller = Caller.of(machine())
        caller.call("DELETE", PATH)
        answer = caller.patch(PATH, SIZE)
        assert (answer.status, answer.code) == (409, "OperationNotAllowed")


class TestFailedOperations:
    """An operation that fails says so in its body, with 200, and leaves the machine Failed."""

    @pytest.mark.parametrize(("switch", "mode"), [("stored", "AutomaticByPlatform"), ("reverted", "AutomaticByOS")])
    def test_the_setting_is_stored_or_reverted(self, switch: str, mode: str) -> None:
        caller = Caller.of(machine(), failed_operation=switch)
        answer = caller.patch(PATH, patch_body(**TARGET))
        operation = caller.emulator.operations.get(answer.headers["x-ms-request-id"])
        assert operation is not None
        operation.outcome = "Failed"
        operation.error = {"code": "VMExtensionProvisioningTimeout", "message": "Provisioning timed out."}
        caller.finish()
        document = caller.get(PATH).body
        assert document["properties"]["provisioningState"] == "Failed"
        assert settings_of(document)["patchMode"] == mode


class TestSwitches:
    """Each remaining switch, both ways."""

    @pytest.mark.parametrize(
        ("switch", "status", "has_operation"),
        [("operation", 200, True), ("no-operation", 200, False), ("refused", 409, False)],
    )
    def test_a_change_to_a_deallocated_machine(self, switch: str, status: int, has_operation: bool) -> None:
        caller = Caller.of(machine(power="deallocated"), deallocated_update=switch)
        answer = caller.patch(PATH, patch_body(**TARGET))
        assert answer.status == status
        assert ("azure-asyncoperation" in answer.headers) is has_operation

    @pytest.mark.parametrize(("switch", "mode"), [("kept", "AutomaticByPlatform"), ("defaulted", "AutomaticByOS")])
    def test_a_put_whose_os_profile_has_no_patch_settings(self, switch: str, mode: str) -> None:
        document = machine(settings={"patchMode": "AutomaticByPlatform", "assessmentMode": "AutomaticByPlatform"})
        caller = Caller.of(document, put_without_patch_settings=switch)
        body = {
            "location": "westeurope",
            "properties": {"osProfile": {"windowsConfiguration": {"provisionVMAgent": True}}},
        }
        assert settings_of(caller.put(PATH, body).body)["patchMode"] == mode

    @pytest.mark.parametrize(("switch", "is_there"), [("ignored", True), ("removed", False)])
    def test_a_null(self, switch: str, is_there: bool) -> None:
        caller = Caller.of(machine(licenseType="Windows_Server"), null_members=switch)
        answer = caller.patch(PATH, {"properties": {"licenseType": None}}).body
        assert ("licenseType" in answer["properties"]) is is_there

    @pytest.mark.parametrize(
        ("switch", "tags"), [("merged", {"old": "1", "owner": "me"}), ("replaced", {"owner": "me"})]
    )
    def test_a_patch_of_tags(self, switch: str, tags: dict[str, str]) -> None:
        caller = Caller.of({**machine(), "tags": {"old": "1"}}, patched_tags=switch)
        assert caller.patch(PATH, TAGS).body["tags"] == tags


UNKNOWN = [
    ("2019-07-01", patch_body(patchMode="AutomaticByPlatform"), "patchSettings", "WindowsConfiguration"),
    ("2020-06-01", patch_body(assessmentMode="ImageDefault"), "assessmentMode", "PatchSettings"),
    (
        "2022-11-01",
        patch_body(**TARGET),
        "bypassPlatformSafetyChecksOnUserSchedule",
        "WindowsVMGuestPatchAutomaticByPlatformSettings",
    ),
    ("2024-07-01", patch_body(bypassPlatformChecks=True), "bypassPlatformChecks", "PatchSettings"),
]


@pytest.mark.parametrize(("version", "body", "member", "type_name"), UNKNOWN)
def test_a_member_that_the_version_does_not_have_is_refused(
    version: str, body: dict[str, Any], member: str, type_name: str
) -> None:
    """The classic: a new flag sent with an old api-version must not be swallowed."""
    answer = Caller.of(machine()).patch(PATH, body, version=version)
    assert (answer.status, answer.code) == (400, "BadRequest")
    sentence = f"Could not find member '{member}' on object of type '{type_name}'. Path 'properties."
    assert answer.message.startswith(sentence)
    assert ", line 1, position " in answer.message


@pytest.mark.parametrize("body", [{"properties": []}, {"properties": {"osProfile": "x"}}, {"tags": [1]}, {"zones": {}}])
def test_a_value_of_the_wrong_kind_is_refused(body: dict[str, Any]) -> None:
    """It must not end up in the stored machine."""
    answer = Caller.of(machine()).patch(PATH, body)
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert answer.message.startswith("Error converting value ")


@pytest.mark.parametrize("body", [None, [], "text"])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    """No body at all is no PATCH."""
    answer = Caller.of(machine()).patch(PATH, body)
    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


FIXED = [
    ({"osProfile": {"computerName": "other"}}, "osProfile.computerName"),
    ({"osProfile": {"windowsConfiguration": {"provisionVMAgent": False}}}, "windowsConfiguration.provisionVMAgent"),
    ({"storageProfile": {"osDisk": {"createOption": "Attach"}}}, "osDisk.createOption"),
    ({"storageProfile": {"imageReference": {"offer": "Other"}}}, "imageReference"),
    ({"priority": "Spot"}, "priority"),
]


@pytest.mark.parametrize(("properties", "name"), FIXED)
def test_what_is_fixed_at_creation_cannot_be_changed(properties: dict[str, Any], name: str) -> None:
    """409 with the property's name, in the sentence and as target."""
    answer = Caller.of(machine()).patch(PATH, {"properties": properties})
    assert (answer.status, answer.code) == (409, "PropertyChangeNotAllowed")
    assert answer.message == f"Changing property '{name}' is not allowed."
    assert answer.body["error"]["target"] == name


def test_a_put_to_another_region_is_refused() -> None:
    """A resource does not move by a PUT."""
    answer = Caller.of(machine()).put(PATH, {"location": "eastus"})
    assert (answer.status, answer.code) == (409, "InvalidResourceLocation")


def test_the_placement_of_a_running_machine_cannot_be_changed() -> None:
    """Recorded in 2020; without a known power state nothing is refused."""
    body = {
        "properties": {
            "proximityPlacementGroup": {"id": f"{GROUP}/providers/Microsoft.Compute/proximityPlacementGroups/p"}
        }
    }
    answer = Caller.of(machine(power="running")).patch(PATH, body)
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")
    accepted = Caller.of(machine()).patch(PATH, body)
    assert "/resourceGroups/RG/" in accepted.body["properties"]["proximityPlacementGroup"]["id"]


NEW: dict[str, Any] = {
    "location": "West Europe",
    "properties": {
        "hardwareProfile": {"vmSize": "Standard_D2s_v3"},
        "storageProfile": {"imageReference": WINDOWS},
        "osProfile": {"computerName": "vm1", "adminUsername": "operator", "adminPassword": "not-kept"},
    },
}


class TestCreating:
    """PUT of a machine that is not there."""

    def test_it_answers_201_with_the_defaults_of_the_service(self) -> None:
        caller = Caller.of(lro_seconds=10)
        answer = caller.put(PATH, NEW)
        assert (answer.status, answer.headers["retry-after"]) == (201, "10")
        assert "azure-asyncoperation" in answer.headers
        properties = answer.body["properties"]
        assert properties["provisioningState"] == "Creating"
        assert properties["osProfile"] == {
            "computerName": "vm1",
            "adminUsername": "operator",
            "windowsConfiguration": {
                "provisionVMAgent": True,
                "enableAutomaticUpdates": True,
                "patchSettings": {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"},
                "enableVMAgentPlatformUpdates": False,
            },
            "secrets": [],
            "allowExtensionOperations": True,
            "requireGuestProvisionSignal": True,
        }
        caller.finish()
        assert caller.get(PATH).body["properties"]["provisioningState"] == "Succeeded"

    def test_hotpatching_with_bypass_is_refused_at_creation(self) -> None:
        body = {**NEW, "properties": {**NEW["properties"]}}
        settings = patch_body(**TARGET, enableHotpatching=True)["properties"]["osProfile"]
        body["properties"]["osProfile"] = {**NEW["properties"]["osProfile"], **settings}
        answer = Caller.of(hotpatch_with_bypass_on_update="accepted").put(PATH, body)
        assert (answer.status, answer.code) == (400, "InvalidParameter")

    def test_a_hotpatch_machine_shows_the_flag_as_false(self) -> None:
        body = {**NEW, "properties": {**NEW["properties"]}}
        settings = patch_body(patchMode="AutomaticByPlatform", enableHotpatching=True)["properties"]["osProfile"]
        body["properties"]["osProfile"] = {**NEW["properties"]["osProfile"], **settings}
        settings = settings_of(Caller.of().put(PATH, body).body)
        assert settings["automaticByPlatformSettings"] == {"bypassPlatformSafetyChecksOnUserSchedule": False}

    def test_without_an_administrator_it_is_refused(self) -> None:
        body = {**NEW, "properties": {"osProfile": {"computerName": "vm1"}}}
        answer = Caller.of().put(PATH, body)
        assert answer.message == "Required parameter 'adminUsername' is missing (null)."

    def test_without_a_location_it_is_refused(self) -> None:
        assert Caller.of().put(PATH, {"properties": {}}).code == "LocationRequired"


class TestDeleting:
    """202 with an operation, then gone; 204 where there is nothing."""

    def test_it_goes_when_the_operation_is_over(self) -> None:
        caller = Caller.of(machine(), lro_seconds=10)
        answer = caller.call("DELETE", PATH)
        assert (answer.status, answer.body, answer.headers["retry-after"]) == (202, None, "10")
        assert "monitor=true" in answer.headers["location"]
        assert caller.get(PATH).body["properties"]["provisioningState"] == "Deleting"
        caller.finish()
        assert caller.get(PATH).status == 404

    def test_an_absent_machine_is_no_error(self) -> None:
        assert Caller.of().call("DELETE", PATH).status == 204


class TestDisks:
    """Data disks: defaults, ids at the end, detaching."""

    def test_a_new_disk_gets_its_defaults_then_its_id(self) -> None:
        caller = Caller.of(machine())
        new = {"lun": 0, "createOption": "Empty", "diskSizeGB": 8, "managedDisk": {}}
        answer = caller.patch(PATH, {"properties": {"storageProfile": {"dataDisks": [new]}}}).body
        assert answer["properties"]["storageProfile"]["dataDisks"] == [
            {
                "lun": 0,
                "createOption": "Empty",
                "caching": "None",
                "managedDisk": {"storageAccountType": "Premium_LRS"},
                "deleteOption": "Detach",
                "diskSizeGB": 8,
                "toBeDetached": False,
            }
        ]
        caller.finish()
        disk = caller.get(PATH).body["properties"]["storageProfile"]["dataDisks"][0]
        assert disk["managedDisk"]["id"].endswith(f"/disks/{disk['name']}")

    def test_a_disk_that_is_left_out_says_that_it_leaves(self) -> None:
        document = machine()
        disk = {"lun": 0, "name": "d", "createOption": "Empty", "caching": "None", "toBeDetached": False}
        document["properties"]["storageProfile"]["dataDisks"] = [disk]
        caller = Caller.of(document)
        answer = caller.patch(PATH, {"properties": {"storageProfile": {"dataDisks": []}}}).body
        assert answer["properties"]["storageProfile"]["dataDisks"][0]["toBeDetached"] is True
        assert caller.get(PATH, version="2017-12-01").body["properties"]["storageProfile"]["dataDisks"] == []
        caller.finish()
        assert caller.get(PATH).body["properties"]["storageProfile"]["dataDisks"] == []


IDENTITY = [
    (None, {"type": "SystemAssigned"}, {"type": "SystemAssigned", "principalId": "new", "tenantId": "new"}),
    (
        {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"},
        {"type": "UserAssigned", "userAssignedIdentities": {"/ids/A": {}}},
        {"type": "UserAssigned", "userAssignedIdentities": {"/ids/A": {}}},
    ),
    (
        {"type": "UserAssigned", "userAssignedIdentities": {"/ids/A": {"clientId": "c"}, "/ids/B": {}}},
        {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {"/IDS/a": None}},
        {
            "type": "SystemAssigned, UserAssigned",
            "principalId": "new",
            "tenantId": "new",
            "userAssignedIdentities": {"/ids/B": {}},
        },
    ),
    (
        {
            "type": "SystemAssigned, UserAssigned",
            "principalId": "p",
            "tenantId": "t",
            "userAssignedIdentities": {"/A": {}},
        },
        {"type": "SystemAssigned"},
        {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"},
    ),
    ({"type": "SystemAssigned", "principalId": "p", "tenantId": "t"}, {"type": "None"}, None),
]


@pytest.mark.parametrize(("before", "sent", "after"), IDENTITY)
def test_a_patch_of_identity_is_no_plain_merge(
    before: dict[str, Any] | None, sent: dict[str, Any], after: dict[str, Any] | None
) -> None:
    """Read off recorded exchanges, before and after."""
    document = machine() if before is None else {**machine(), "identity": before}
    answered = Caller.of(document).patch(PATH, {"identity": sent}).body.get("identity")
    if after is not None and answered is not None and after.get("principalId") == "new":
        assert len(answered["principalId"]) == 36
        after = {**after, "principalId": answered["principalId"], "tenantId": answered["tenantId"]}
    assert answered == after


def test_an_identity_that_is_named_has_its_ids_in_the_end() -> None:
    """Also one that stood there without them, as the answer to its own creation shows it."""
    document = machine()
    document["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {"/ids/A": {}}}
    caller = Caller.of(document)
    sent = {"type": "UserAssigned", "userAssignedIdentities": {"/ids/a": {}, "/ids/B": {}}}
    assert caller.patch(PATH, {"identity": sent}).body["identity"]["userAssignedIdentities"] == {
        "/ids/A": {},
        "/ids/B": {},
    }
    caller.finish()
    after = caller.get(PATH).body["identity"]["userAssignedIdentities"]
    assert {name: sorted(value) for name, value in after.items()} == {
        "/ids/A": ["clientId", "principalId"],
        "/ids/B": ["clientId", "principalId"],
    }


def test_an_identity_type_that_there_is_not_is_refused() -> None:
    """It would leave a machine with an identity that no client understands."""
    assert Caller.of(machine()).patch(PATH, {"identity": {"type": "Robot"}}).code == "InvalidParameter"


def test_the_price_of_a_running_spot_machine_cannot_be_changed() -> None:
    """Recorded in 2020, with the same code again in details."""
    document = machine(power="running", priority="Spot", billingProfile={"maxPrice": 1.0})
    answer = Caller.of(document).patch(PATH, {"properties": {"billingProfile": {"maxPrice": 2.0}}})
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")
    assert answer.body["error"]["details"][0] == {
        "code": "OperationNotAllowed",
        "message": (
            "Max price change is not allowed when the VM 'vm1' is currently allocated. "
            "Please deallocate and try again. "
            "For more information, see http://aka.ms/AzureSpot/errormessages"
        ),
        "target": "vm1",
    }


def test_low_priority_becomes_spot() -> None:
    """The one change of priority that was recorded as accepted; the value comes back in the service's spelling."""
    answer = Caller.of(machine(priority="Low")).patch(PATH, {"properties": {"priority": "spot"}})
    assert (answer.status, answer.body["properties"]["priority"]) == (200, "Spot")


def test_if_match_on_a_machine_that_is_not_there_is_refused() -> None:
    """Nothing may be created under a precondition on something that exists."""
    assert Caller.of().put(PATH, NEW, if_match='"1"').status == 412


def test_a_delete_whose_operation_fails_leaves_the_machine() -> None:
    """Failed, and still to be read."""
    caller = Caller.of(machine())
    operation = caller.emulator.operations.get(caller.call("DELETE", PATH).headers["x-ms-request-id"])
    assert operation is not None
    operation.outcome = "Failed"
    caller.finish()
    assert caller.get(PATH).body["properties"]["provisioningState"] == "Failed"


def test_what_was_loaded_incomplete_stays_so() -> None:
    """A write completes what it brought, and nothing that stood there before: real documents are full of gaps."""
    document = machine()
    disks = [
        {"lun": 0, "createOption": "Empty", "managedDisk": {}},
        {"lun": 1, "createOption": "Attach", "toBeDetached": True, "vhd": {"uri": "https://x"}},
    ]
    document["properties"]["storageProfile"]["dataDisks"] = disks
    document["properties"]["proximityPlacementGroup"] = {"id": "/subscriptions/s/resourceGroups/rg/providers/x/y/z"}
    document["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {"/ids/A": {}}}
    caller = Caller.of(document)
    before = caller.get(PATH).body
    caller.patch(PATH, patch_body(**TARGET))
    caller.finish()
    after = caller.get(PATH).body
    assert after["properties"]["storageProfile"] == before["properties"]["storageProfile"]
    assert after["properties"]["proximityPlacementGroup"] == before["properties"]["proximityPlacementGroup"]
    assert after["identity"] == before["identity"]


def test_two_operations_at_once_end_in_one_succeeded_machine() -> None:
    """The machine is Updating until the last of them is over, and nothing of either is lost."""
    caller = Caller.of(machine())
    new = {"lun": 0, "createOption": "Empty", "diskSizeGB": 8, "managedDisk": {}}
    caller.patch(PATH, {"properties": {"storageProfile": {"dataDisks": [new]}}})
    caller.patch(PATH, patch_body(**TARGET))
    caller.finish()
    document = caller.get(PATH).body
    assert document["properties"]["provisioningState"] == "Succeeded"
    assert "id" in document["properties"]["storageProfile"]["dataDisks"][0]["managedDisk"]
    assert settings_of(document)["patchMode"] == "AutomaticByPlatform"


def test_a_delete_that_a_store_remembered_still_deletes() -> None:
    """After a restart the operation's own ending is gone; the default one must do the same."""
    caller = Caller.of(machine())
    operation = caller.emulator.operations.get(caller.call("DELETE", PATH).headers["x-ms-request-id"])
    assert operation is not None
    caller.emulator.operations.settle(operation)
    assert caller.get(PATH).status == 404


class TestAfterADelete:
    """For a moment the provider answers a GET itself, then Resource Manager does. Recorded: both."""

    @staticmethod
    def _deleted(**switches: Any) -> Caller:
        caller = Caller.of(machine(), **switches)
        caller.call("DELETE", PATH)
        caller.emulator.clock.advance(timedelta(seconds=5))
        return caller

    @pytest.mark.parametrize("path", [PATH, f"{PATH}/instanceView"])
    def test_at_first_the_provider_has_no_such_entity(self, path: str) -> None:
        caller = self._deleted()
        answer = caller.get(path)
        assert (answer.status, answer.code) == (404, "NotFound")
        assert answer.message == "The entity was not found in this Azure location."
        assert "x-ms-failure-cause" not in answer.headers
        caller.emulator.clock.advance(timedelta(seconds=10))
        later = caller.get(path)
        assert (later.code, later.headers["x-ms-failure-cause"]) == ("ResourceNotFound", "gateway")

    def test_how_long_is_a_switch(self) -> None:
        assert self._deleted(deleted_machine_seconds=0).get(PATH).code == "ResourceNotFound"

    def test_a_machine_of_that_name_made_since_is_there(self) -> None:
        caller = self._deleted()
        assert caller.put(PATH, {"location": "westeurope"}).status == 201
        assert caller.get(PATH).status == 200


@pytest.mark.parametrize("profile", [{"computerName": "m"}, None])
def test_a_put_that_leaves_the_configuration_out_keeps_it(profile: dict[str, Any] | None) -> None:
    """Recorded: a PUT whose osProfile had names alone left ``enableVMAgentPlatformUpdates`` and all else as it was."""
    document = machine()
    document["properties"]["osProfile"]["computerName"] = "m"
    before_put = document["properties"]["osProfile"]
    system = next(name for name in before_put if name.endswith("Configuration"))
    before_put[system]["enableVMAgentPlatformUpdates"] = True
    caller = Caller.of(document)
    before = caller.get(PATH).body["properties"]["osProfile"]
    properties = {"osProfile": profile} if profile is not None else {}
    answer = caller.put(PATH, {"location": "westeurope", "properties": properties})
    assert answer.body["properties"]["osProfile"] == before
    assert before[system]["enableVMAgentPlatformUpdates"] is True
    assert "azure-asyncoperation" not in answer.headers


VHD = ("properties", "storageProfile", "osDisk", "vhd")


@pytest.mark.parametrize(("answer", "kept"), [("stored", {}), ("dropped", None)])
def test_what_becomes_of_empty_objects_is_a_switch(answer: str, kept: object) -> None:
    """Ansible's PUT sends `vhd: {}`; nobody has recorded what the service makes of it."""
    caller = Caller.of(machine(), empty_objects=answer)
    sent = {"storageProfile": {"osDisk": {"vhd": {}}}, "diagnosticsProfile": {"bootDiagnostics": {}}}
    assert caller.patch(PATH, {"properties": sent, "tags": {}}).status == 200
    caller.finish()
    found = caller.get(PATH).body
    assert found["properties"]["storageProfile"]["osDisk"].get("vhd") == kept
    assert ("diagnosticsProfile" in found["properties"]) is (answer == "stored")
    assert "tags" in found


@pytest.mark.parametrize(("system", "mode"), [("Windows", "AutomaticByOS"), ("Linux", "ImageDefault")])
@pytest.mark.parametrize("answer", ["absent", "defaults"])
def test_whether_older_machines_show_default_settings_is_a_switch(answer: str, system: str, mode: str) -> None:
    """Made before there were patch settings; only what is shown differs, and an older api-version shows none."""
    old = machine(system=system)
    block = f"{system.lower()}Configuration"
    del old["properties"]["osProfile"][block]["patchSettings"]
    caller = Caller.of(old, settings_of_older_machines=answer)
    wanted = {"patchMode": mode, "assessmentMode": "ImageDefault"} if answer == "defaults" else None
    assert caller.get(PATH).body["properties"]["osProfile"][block].get("patchSettings") == wanted
    listed = caller.get(f"{GROUP}/providers/Microsoft.Compute/virtualMachines").body["value"][0]
    assert listed["properties"]["osProfile"][block].get("patchSettings") == wanted
    assert "patchSettings" not in caller.get(PATH, version="2019-12-01").body["properties"]["osProfile"][block]
    stored = caller.emulator.state.get(PATH)
    assert stored is not None
    assert "patchSettings" not in stored.document["properties"]["osProfile"][block]


@pytest.mark.parametrize("system", ["Windows", "Linux"])
def test_the_first_gallery_application_brings_its_extension(system: str) -> None:
    """Recorded: Creating in the answer to the write, Succeeded once it is over; the second one brings nothing."""
    name = f"{system.lower()}Configuration"
    stood = machine(osProfile={name: {"provisionVMAgent": True}})
    caller = Caller.of(stood, lro_seconds=60)
    package = f"{GROUP}/providers/Microsoft.Compute/galleries/g/applications/a/versions"

    def applications(*versions: str) -> dict[str, Any]:
        listed = [{"packageReferenceId": f"{package}/{version}"} for version in versions]
        return {"location": "westeurope", "properties": {"applicationProfile": {"galleryApplications": listed}}}

    made = {
        "name": "VMAppExtension",
        "id": f"{PATH}/extensions/VMAppExtension",
        "type": "Microsoft.Compute/virtualMachines/extensions",
        "location": "westeurope",
        "properties": {
            "autoUpgradeMinorVersion": True,
            "provisioningState": "Creating",
            "publisher": "Microsoft.CPlat.Core",
            "type": f"VMApplicationManager{system}",
            "typeHandlerVersion": "1.0",
            "settings": {},
        },
    }
    assert caller.call("PUT", PATH, applications("1.0.0")).body["resources"] == [made]
    caller.finish()
    made["properties"]["provisioningState"] = "Succeeded"
    assert caller.get(PATH).body["resources"] == [made]
    assert caller.get(f"{PATH}/extensions/VMAppExtension").body == made
    caller.call("PUT", PATH, applications("1.0.0", "2.0.0"))
    assert caller.get(PATH).body["resources"] == [made]


def test_the_name_of_an_availability_set_is_answered_in_upper_case() -> None:
    """Recorded of every machine in one; the group keeps its casing, and the same set in another is no change."""
    sets = f"{GROUP}/providers/Microsoft.Compute/availabilitySets"
    body = {"location": "westeurope", "properties": {"availabilitySet": {"id": f"{sets}/Av-Set1"}}}
    caller = Caller.of()
    assert caller.call("PUT", PATH, body).body["properties"]["availabilitySet"] == {"id": f"{sets}/AV-SET1"}
    caller.finish()
    again = caller.call("PUT", PATH, body)
    assert (again.status, "azure-asyncoperation" in again.headers) == (200, False)
    assert caller.get(PATH).body["properties"]["availabilitySet"] == {"id": f"{sets}/AV-SET1"}


def test_what_a_new_data_disk_has_beside_what_was_sent() -> None:
    """Recorded of creates: the name of one that is attached by its id, the kind of one that is made."""
    disk = f"{GROUP}/providers/Microsoft.Compute/disks/dsk8472"
    sent = [
        {"lun": 0, "createOption": "Attach", "managedDisk": {"id": disk}},
        {"lun": 1, "createOption": "Empty", "diskSizeGB": 30},
        {"lun": 2, "createOption": "Empty", "name": "old", "vhd": {"uri": "https://disks.example/d.vhd"}},
    ]
    body = {
        "location": "westeurope",
        "properties": {"hardwareProfile": {"vmSize": "Standard_A1_v2"}, "storageProfile": {"dataDisks": sent}},
    }
    disks = Caller.of().call("PUT", PATH, body).body["properties"]["storageProfile"]["dataDisks"]
    assert [(one.get("name"), one.get("managedDisk")) for one in disks] == [
        ("dsk8472", {"id": disk}),
        (None, {"storageAccountType": "Standard_LRS"}),
        ("old", None),
    ]
