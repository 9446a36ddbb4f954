"""What becomes of each kind of value, written out; `tests/properties/test_scrubbing.py` looks for the rest."""

import json
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import pytest

from patchmode.model.exchange import Exchange
from patchmode.rules.scrubbing import allowed
from patchmode.rules.scrubbing.exchanges import scrub

AT = datetime(2030, 1, 1, tzinfo=UTC)
SUBSCRIPTION = "2b2b2b2b-2222-2222-2222-222222222222"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-Payroll"
MACHINE = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/payroll-01"
URL = f"https://management.azure.com{MACHINE}?api-version=2024-07-01"
GUID = "abcdefab-cdef-4abc-8def-000000000001"
SCRUBBED = f"/subscriptions/{GUID}/resourceGroups/Name0001/providers/Microsoft.Compute/virtualMachines/name0002"


def _exchange(body: Any = None, url: str = URL, **headers: str) -> Exchange:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    content = b"" if body is None else json.dumps(body).encode()
    return Exchange("GET", url, {}, b"", 200, told, content, AT)


def _body(body: Any) -> Any:
    (made,) = scrub([_exchange(body)])
    return json.loads(made.response_body)


def test_an_address_keeps_what_is_azures() -> None:
    (made,) = scrub([_exchange()])
    assert made.url == f"https://management.azure.com{SCRUBBED}?api-version=2024-07-01"


@pytest.mark.parametrize(
    ("value", "scrubbed"),
    [
        (MACHINE, SCRUBBED),
        (MACHINE.upper(), SCRUBBED.upper()),
        (f"{MACHINE}/extensions/Payroll", f"{SCRUBBED}/extensions/Name0003"),
        (MACHINE.replace("-", "%2D"), SCRUBBED),
        (MACHINE.replace("-", "%252D"), SCRUBBED),
        ("https://anna:pw@management.azure.com/status/anna", "https://management.azure.com/status/name0003"),
        ("payroll-01", "name0002"),
        ("Payroll-01", "Name0002"),
        ("payroll", "name0003"),
        (SUBSCRIPTION, GUID),
        ("{" + SUBSCRIPTION.upper() + "}", "{" + GUID.upper() + "}"),
        (SUBSCRIPTION.replace("-", ""), GUID.replace("-", "")),
        ("00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"),
        ("10.1.2.3", "198.18.0.1"),
        ("10.1.2.0/24", "198.18.0.1/24"),
        ("fe80::1ff:fe23:4567:890a", "2001:db8::1"),
        ("00-0D-3A-1B-2C-3D", "02-00-00-00-00-01"),
        ("anna@payroll.example", "user0001@example.com"),
        ("4711471147", "1000000001"),
        ("ssh-rsa AAAAB3NzaC1yc2E anna@home", "ssh-rsa Name0003"),
        ("https://paysa.blob.core.windows.net/vhds/a.vhd?sv=1&sig=S1G", None),
        ("/status", "name0003"),
        ("/home/anna/.ssh/authorized_keys", "name0003"),
        ("", ""),
    ],
)
def test_a_value_by_its_form(value: str, scrubbed: str | None) -> None:
    made = _body({"principalId": value})["principalId"]
    if scrubbed is None:
        assert made == "https://name0003.blob.core.windows.net/name0007/name0008?name0004=100001&name0005=NAME0006"
    else:
        assert made == scrubbed


def test_a_machine_as_azure_shows_it() -> None:
    """Settings, images, sizes, regions and times stay; a person's choices do not."""
    shown = {
        "id": MACHINE,
        "name": "payroll-01",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": {"owner": "Anna", "name": "Manual"},
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v3"},
            "provisioningState": "Succeeded",
            "vmId": "33333333-3333-3333-3333-333333333333",
            "storageProfile": {
                "imageReference": {"publisher": "Canonical", "offer": "payroll-image", "version": "latest"},
                "osDisk": {"osType": "Linux", "name": "payroll-01_OsDisk", "diskSizeGB": 30},
            },
            "osProfile": {
                "computerName": "Manual",
                "adminUsername": "standard",
                "linuxConfiguration": {"patchSettings": {"patchMode": "Manual"}},
                "customData": "c2VjcmV0",
            },
            "payrollSystem": {"phone": 4711471147, "isOn": True},
            "timeCreated": "2024-05-24T21:03:30.0312203+00:00",
        },
        "systemData": {"createdBy": "anna@payroll.example", "createdByType": "User"},
        "etag": '"7"',
    }
    assert _body(shown) == {
        "id": SCRUBBED,
        "name": "name0002",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": {"name0003": "Name0004", "name0005": "Name0006"},
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v3"},
            "provisioningState": "Succeeded",
            "vmId": "abcdefab-cdef-4abc-8def-000000000002",
            "storageProfile": {
                "imageReference": {"publisher": "Canonical", "offer": "name0007", "version": "latest"},
                "osDisk": {"osType": "Linux", "name": "Name0008", "diskSizeGB": 30},
            },
            "osProfile": {
                "computerName": "Name0006",
                "adminUsername": "name0009",
                "linuxConfiguration": {"patchSettings": {"patchMode": "Manual"}},
                "customData": "Name0010",
            },
            "Name0013": {"name0011": 100001, "Name0012": True},
            "timeCreated": "2024-05-24T21:03:30.0312203+00:00",
        },
        "systemData": {"createdBy": "user0001@example.com", "createdByType": "User"},
        "etag": '"7"',
    }


@pytest.mark.parametrize(
    ("message", "scrubbed"),
    [
        (
            "Resource 'Microsoft.Compute/virtualMachines/payroll-01' under resource group 'rg-Payroll' was not found.",
            "Resource 'Microsoft.Compute/virtualMachines/name0002' under resource group 'Name0001' was not found.",
        ),
        (
            f"Client 'anna@payroll.example' may not 'Microsoft.Compute/virtualMachines/write' over scope '{MACHINE}'.",
            f"Client 'user0001@example.com' may not 'Microsoft.Compute/virtualMachines/write' over scope '{SCRUBBED}'.",
        ),
        (
            "payroll-01 at 10.1.2.3:22 failed 3 times at 2030-01-01T03:00:00Z, PAYROLL-01_disk too; wait '324'.",
            "name0002 at 198.18.0.1:22 failed 3 times at 2030-01-01T03:00:00Z, NAME0002name0003 too; wait '324'.",
        ),
        (
            '{"error": {"code": "Conflict", "message": "payroll-01 is busy"}}',
            '{"error": {"code": "Conflict", "message": "name0002 is busy"}}',
        ),
        (
            "It took 01:02:03 from fe80::1 and 00:0d:3a:1b:2c:3d, not a::b.",
            "It name0003 01:02:03 from 2001:db8::1 and 02:00:00:00:00:01, not 2001:db8::2.",
        ),
        (
            "See /etc/payroll/status; call 555123456 or 4711.4711471 about 10.0.14393.2",
            "See /name0003/name0004/status; call 100000001 or name0005 about 10.0.14393.2",
        ),
        (
            '{"tags": {"status": "Succeeded"}, "vmId": "payroll-01"}',
            '{"tags": {"name0003": "Name0004"}, "vmId": "name0002"}',
        ),
        ("Parameter 'patchMode' has value 'Payroll'.", "Parameter 'patchMode' has value 'Name0003'."),
    ],
)
def test_a_message_keeps_azures_words(message: str, scrubbed: str) -> None:
    assert _body({"error": {"code": "NotFound", "message": message}}) == {
        "error": {"code": "NotFound", "message": scrubbed}
    }


def test_an_errors_target_may_be_a_machine() -> None:
    named = {"name": "status", "error": {"code": "Conflict", "target": "status"}}
    assert _body(named) == {"name": "name0003", "error": {"code": "Conflict", "target": "name0003"}}
    assert _body({"error": {"target": "status"}}) == {"error": {"target": "status"}}


def test_headers_that_are_known_are_kept_and_others_left_out() -> None:
    place = "providers/Microsoft.Compute/locations/westeurope/operations"
    operation = f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/{place}/{SUBSCRIPTION}?p={SUBSCRIPTION}"
    rates = "Microsoft.Compute/UpdateVMSubscriptionMaximum;1499,Microsoft.Compute/UpdateVMResource;11"
    (made,) = scrub(
        [
            _exchange(
                azure_asyncoperation=f"{operation}&api-version=2024-07-01&t=638602510284889118&c=MIIHhzCCBm-gAwIB&s=S1G",
                etag=f'W/"{SUBSCRIPTION}"',
                retry_after="30",
                x_ms_ratelimit_remaining_resource=rates,
                x_ms_ratelimit_remaining_subscription_writes="199",
                x_ms_routing_request_id=f"WESTEUROPE:20300101T030000Z:{SUBSCRIPTION}",
                date="Tue, 01 Jan 2030 03:00:00 GMT",
                www_authenticate="Bearer claims=anna",
                x_ms_operation_identifier="tenantId=1,objectId=2",
            )
        ]
    )
    assert made.response_headers == {
        "azure-asyncoperation": f"https://management.azure.com/subscriptions/{GUID}/{place}/{GUID}?p={GUID}"
        "&api-version=2024-07-01&t=100000000000000001&c=opaque0001xxxxxx&s=opaque0002",
        "etag": f'W/"{GUID}"',
        "retry-after": "30",
        "x-ms-ratelimit-remaining-resource": rates,
        "x-ms-ratelimit-remaining-subscription-writes": "199",
        "x-ms-routing-request-id": f"WESTEUROPE:20300101T030000Z:{GUID}",
        "date": "Tue, 01 Jan 2030 03:00:00 GMT",
    }


def test_one_set_has_one_set_of_substitutes() -> None:
    """Also where the sentence comes before the member that tells that a word is a name."""
    early = _exchange({"error": {"code": "Conflict", "message": "The name status is taken by 'status'."}})
    late = _exchange({"name": "status"})
    first, second = scrub([early, late])
    name = json.loads(second.response_body)["name"]
    assert json.loads(first.response_body)["error"]["message"] == f"The name status is taken by '{name}'."


def test_a_substitute_never_stands_in_the_set_already() -> None:
    """Otherwise what is kept and what is replaced could be taken for each other."""
    assert _body({"name": "x", "computerName": "name0003", "adminUsername": "y"}) == {
        "name": "name0004",
        "computerName": "name0005",
        "adminUsername": "name0006",
    }


def test_a_change_keeps_settings_and_not_tags() -> None:
    """As `resourcechanges` has them; a tag's value may be a word of Azure's."""
    kinds = {"propertyChangeType": "Update", "changeCategory": "User"}
    mode = {"newValue": "AutomaticByPlatform", "previousValue": "Manual", **kinds}
    shown = {"properties.osProfile.patchMode": mode, "tags.status": {"newValue": "Manual", **kinds}}
    assert _body({"changes": shown}) == {
        "changes": {
            "properties.osProfile.patchMode": mode,
            "tags.name0004": {"newValue": "Name0003", **kinds},
        }
    }


def test_a_number_that_is_known_to_be_small_stays() -> None:
    assert _body({"lun": 3, "diskSizeGB": 4711471147, "salary": 3}) == {
        "lun": 3,
        "diskSizeGB": 100001,
        "name0003": 100002,
    }


def test_words_that_fold_to_the_same_letters_stay_apart() -> None:
    """Their casings are told apart by the letters themselves."""
    shown = {"name": "straße", "computerName": "strasse", "adminUsername": "STRASSE", "principalId": "Straße"}
    made = _body(shown)
    assert made == {
        "name": "name0003",
        "computerName": "Name0003",
        "adminUsername": "NAME0003",
        "principalId": "nAme0003",
    }


def test_a_name_made_of_azures_words_is_replaced_within_a_path_too() -> None:
    named = {"name": "PatchServer", "error": {"code": "NotFound", "message": "No /PatchServer/status on PatchServer."}}
    assert _body(named)["error"]["message"] == "No /Name0003/status on Name0003."


def test_names_that_azure_gives_everybody_stay() -> None:
    """But not where somebody gave them."""
    kept = f"{SCRUBBED}/extensions/WindowsPatchExtension"
    extension = {"id": f"{MACHINE}/extensions/WindowsPatchExtension", "name": "WindowsPatchExtension"}
    assert _body(extension) == {"id": kept, "name": "WindowsPatchExtension"}
    assert _body({"id": f"{MACHINE}/patchAssessmentResults/latest", "name": "latest"})["name"] == "latest"
    assert _body({"id": f"{GROUP}/providers/Microsoft.Compute/virtualMachines/latest", "name": "latest"}) == {
        "id": SCRUBBED.replace("name0002", "name0003"),
        "name": "name0003",
    }


def test_what_is_no_json_is_one_text() -> None:
    page = Exchange("GET", URL, {}, b"", 503, {}, b"<html>proxy.payroll.example</html>", AT)
    assert scrub([page])[0].response_body == b'"name0003"'


def test_nothing_is_scrubbed_to_nothing() -> None:
    assert scrub([]) == []


def test_members_of_azure_keep_their_names() -> None:
    """Every member of a VM that the emulator knows: a new one may need a word in `harmless.json`."""
    text = resources.files("arm_emulator.providers.compute").joinpath("vm_members.json").read_text(encoding="utf-8")
    names = {part for path in json.loads(text)["members"] for part in path.split(".")}
    assert sorted(name for name in names if not allowed.is_term(name)) == []


@pytest.mark.parametrize(
    "text", ["payroll", "web-01", "server01", "VM1", "prod", "contoso", "Größe", "latest1", "x", "vm-os", "os vm"]
)
def test_what_people_call_things_is_no_word_of_azures(text: str) -> None:
    assert not allowed.is_term(text)
