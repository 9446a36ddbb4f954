"""GET of one machine, its parts, and the lists with their casing, filters and pages."""

from typing import Any

import pytest
from tests.emulator.compute.caller import GROUP, PATH, SUBSCRIPTION, Caller, machine

MACHINES = "/providers/Microsoft.Compute/virtualMachines"
SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/Flex"
EXTENSION: dict[str, Any] = {
    "name": "Agent",
    "id": f"{PATH}/extensions/Agent",
    "type": "Microsoft.Compute/virtualMachines/extensions",
    "location": "westeurope",
    "properties": {"publisher": "contoso", "settings": None},
}


def _ids(caller: Caller, path: str, query: str = "") -> list[str]:
    return [item["id"] for item in caller.get(path, query=query).body["value"]]


def test_an_absent_machine_is_the_front_doors_404() -> None:
    """Compact JSON and x-ms-failure-cause, not Compute's own form."""
    answer = Caller.of().get(PATH)
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    assert answer.message == (
        "The Resource 'Microsoft.Compute/virtualMachines/vm1' under resource group 'Rg' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )


class TestLists:
    """A group's list keeps the caller's casing of the group, a subscription's has it in upper case."""

    def test_a_groups_list(self) -> None:
        caller = Caller.of(machine("a"), machine("b", "Linux"))
        assert _ids(caller, f"{GROUP}{MACHINES}") == [f"{GROUP}{MACHINES}/a", f"{GROUP}{MACHINES}/b"]

    def test_a_subscriptions_list(self) -> None:
        expected = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG{MACHINES}/vm1"
        assert _ids(Caller.of(machine()), f"/subscriptions/{SUBSCRIPTION}{MACHINES}") == [expected]

    def test_a_regions_list(self) -> None:
        caller = Caller.of(machine("a"), {**machine("b"), "location": "eastus"})
        path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/WestEurope/virtualMachines"
        assert [item.rpartition("/")[2] for item in _ids(caller, path)] == ["a"]

    def test_no_list_shows_an_instance_view(self) -> None:
        caller = Caller.of(machine(power="running"))
        for path in (f"{GROUP}{MACHINES}", f"/subscriptions/{SUBSCRIPTION}{MACHINES}"):
            assert "instanceView" not in caller.get(path, query="&$expand=instanceView").body["value"][0]["properties"]

    @pytest.mark.parametrize("path", [GROUP, f"/subscriptions/{SUBSCRIPTION}"])
    def test_a_list_shows_only_the_ids_of_extensions(self, path: str) -> None:
        """az fails on a list that shows them whole, as only a GET does."""
        caller = Caller.of({**machine(), "resources": [EXTENSION]})
        listed = caller.get(f"{path}{MACHINES}").body["value"][0]["resources"]
        assert [list(child) for child in listed] == [["id"]]
        assert caller.get(PATH).body["resources"][0]["properties"]["publisher"] == "contoso"

    def test_status_only_shows_who_and_the_state(self) -> None:
        caller = Caller.of(machine(power="stopped"))
        item = caller.get(f"/subscriptions/{SUBSCRIPTION}{MACHINES}", query="&statusOnly=true").body["value"][0]
        assert set(item) == {"name", "id", "type", "location", "properties"}
        assert set(item["properties"]) == {"provisioningState", "vmId", "instanceView"}

    def test_pages_hold_every_machine_once(self) -> None:
        caller = Caller.of(*(machine(f"m{at:03}") for at in range(120)), list_page_size=50)
        found, path = [], f"{GROUP}{MACHINES}?api-version=2024-07-01"
        while path:
            body = caller.get(path).body
            found += [item["name"] for item in body["value"]]
            path = body.get("nextLink", "").partition("8443")[2]
        assert found == [f"m{at:03}" for at in range(120)]

    def test_an_empty_list_has_no_next_link(self) -> None:
        assert Caller.of().get(f"{GROUP}{MACHINES}").body == {"value": []}


class TestTheScaleSetFilter:
    """``'virtualMachineScaleSet/id' eq '...'``: the members of one Flexible scale set."""

    QUERY = f"&$filter='virtualMachineScaleSet/id'%20eq%20'{SET.upper()}'"

    def _caller(self, **switches: Any) -> Caller:
        member = machine("member", virtualMachineScaleSet={"id": SET}, platformFaultDomain=0, power="running")
        scale_set = {"id": SET, "location": "westeurope", "properties": {"orchestrationMode": "Flexible"}}
        return Caller.of(member, machine("other"), scale_set, **switches)

    @pytest.mark.parametrize(("switch", "group"), [("kept", "Rg"), ("upper", "RG")])
    def test_it_leaves_the_others_out(self, switch: str, group: str) -> None:
        caller = self._caller(filtered_list_groups=switch)
        found = _ids(caller, f"{GROUP}{MACHINES}", self.QUERY)
        assert found == [f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}{MACHINES}/member"]

    def test_it_makes_expand_count(self) -> None:
        answer = self._caller().get(f"{GROUP}{MACHINES}", query=f"{self.QUERY}&$expand=instanceView")
        assert "instanceView" in answer.body["value"][0]["properties"]

    def test_another_filter_is_refused(self) -> None:
        answer = self._caller().get(f"{GROUP}{MACHINES}", query="&$filter=name%20eq%20'x'")
        assert (answer.status, answer.code) == (400, "InvalidParameter")

    def test_the_scale_set_leads_somewhere(self) -> None:
        caller = self._caller()
        assert caller.get(SET).body["properties"] == {"orchestrationMode": "Flexible"}
        assert len(caller.get(f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets").body["value"]) == 1
        assert caller.get(f"{SET}x").status == 404


class TestTheInstanceView:
    """A stored one is shown; without one it is made from the model."""

    def test_a_made_one_says_running_and_the_state_of_the_model(self) -> None:
        caller = Caller.of(machine("vm1", "Linux"))
        view = caller.get(f"{PATH}/instanceView").body
        assert [status["code"] for status in view["statuses"]] == ["ProvisioningState/succeeded", "PowerState/running"]
        assert "time" in view["statuses"][0]
        assert "time" not in view["statuses"][1]
        assert view["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"

    def test_it_follows_the_provisioning_state(self) -> None:
        caller = Caller.of(machine(power="running"))
        caller.patch(PATH, {"properties": {"licenseType": "Windows_Server"}})
        status = caller.get(PATH, query="&$expand=instanceView").body["properties"]["instanceView"]["statuses"][0]
        assert status == {"code": "ProvisioningState/updating", "level": "Info", "displayStatus": "Updating"}

    @pytest.mark.parametrize("power", ["running", "deallocated", None])
    @pytest.mark.parametrize(
        ("settings", "shown"),
        [
            ({"enabled": True}, {}),
            ({"enabled": False}, None),
            (
                {"enabled": True, "storageUri": "https://kept.blob.core.windows.net/"},
                {
                    "consoleScreenshotBlobUri": "https://kept.blob.core.windows.net/bootdiagnostics-vm1-"
                    "22222222-2222-2222-2222-222222222222/vm1.22222222-2222-2222-2222-222222222222.screenshot.bmp",
                    "serialConsoleLogBlobUri": "https://kept.blob.core.windows.net/bootdiagnostics-vm1-"
                    "22222222-2222-2222-2222-222222222222/vm1.22222222-2222-2222-2222-222222222222.serialconsole.log",
                },
            ),
        ],
    )
    def test_boot_diagnostics_show_as_the_model_has_them(self, power: str | None, settings: Any, shown: Any) -> None:
        """A loaded view shows them, too: recorded in each power state (azure-cli, test_vm_boot_diagnostics)."""
        profile = {"diagnosticsProfile": {"bootDiagnostics": settings}}
        caller = Caller.of(machine(power=power, **profile) if power else machine(**profile))
        assert caller.get(f"{PATH}/instanceView").body.get("bootDiagnostics") == shown


class TestExtensions:
    """Extensions inside the document, and those stored by themselves."""

    def test_they_are_read_from_the_document(self) -> None:
        caller = Caller.of({**machine(), "resources": [EXTENSION]})
        assert caller.get(f"{PATH}/extensions").body == {"value": [EXTENSION]}
        assert caller.get(f"{PATH}/extensions/AGENT").body == EXTENSION

    def test_they_are_read_from_the_fleet(self) -> None:
        caller = Caller.of(machine(), EXTENSION)
        assert caller.get(f"{PATH}/extensions/agent").body == EXTENSION

    def test_an_absent_one_is_404(self) -> None:
        assert Caller.of(machine()).get(f"{PATH}/extensions/agent").code == "ResourceNotFound"


def test_what_is_not_emulated_says_so() -> None:
    """Never a plausible guess."""
    caller = Caller.of(machine())
    assert caller.call("POST", f"{PATH}/runCommand", {}).code == "NotEmulated"
