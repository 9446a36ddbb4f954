"""POST actions: their answers, and what they leave behind."""

import pytest
from tests.emulator.compute.caller import PATH, Caller, machine

POWER = [
    ("start", "running", True),
    ("restart", "running", True),
    ("powerOff", "stopped", False),
    ("deallocate", "deallocated", True),
    ("redeploy", "running", False),
]


@pytest.mark.parametrize(("action", "power", "names_retry_after"), POWER)
def test_a_power_action_ends_in_its_state(action: str, power: str, names_retry_after: bool) -> None:
    """202 with both operation headers, an empty body, and one etag more."""
    caller = Caller.of(machine(etag=1, power="stopped"))
    answer = caller.call("POST", f"{PATH}/{action}")
    assert (answer.status, answer.body) == (202, None)
    assert {"azure-asyncoperation", "location"} <= set(answer.headers)
    assert ("retry-after" in answer.headers) is names_retry_after
    assert caller.get(PATH).body["properties"]["provisioningState"] == "Updating"
    caller.finish()
    statuses = caller.get(f"{PATH}/instanceView").body["statuses"]
    assert [status["code"] for status in statuses] == ["ProvisioningState/succeeded", f"PowerState/{power}"]
    assert caller.get(PATH).body["etag"] == '"2"'


def test_a_machine_that_is_off_has_no_agent_to_report() -> None:
    """Recorded: no vmAgent while deallocated."""
    caller = Caller.of(machine())
    caller.call("POST", f"{PATH}/deallocate")
    caller.finish()
    assert "vmAgent" not in caller.get(f"{PATH}/instanceView").body
    caller.call("POST", f"{PATH}/start")
    caller.finish()
    assert "vmAgent" in caller.get(f"{PATH}/instanceView").body


def test_generalize_is_over_at_once() -> None:
    """200, no operation."""
    caller = Caller.of(machine(power="deallocated"))
    answer = caller.call("POST", f"{PATH}/generalize")
    assert (answer.status, "azure-asyncoperation" in answer.headers) == (200, False)
    codes = [status["code"] for status in caller.get(f"{PATH}/instanceView").body["statuses"]]
    assert codes == ["ProvisioningState/succeeded", "OSState/generalized", "PowerState/deallocated"]


def test_only_spot_machines_are_evicted() -> None:
    """204 for a spot machine."""
    assert Caller.of(machine(priority="Spot")).call("POST", f"{PATH}/simulateEviction").status == 204
    assert Caller.of(machine()).call("POST", f"{PATH}/simulateEviction").status == 409


PATCHING = [
    ("assessPatches", None, "availablePatchSummary", "assessmentActivityId"),
    ("installPatches", {"rebootSetting": "IfRequired"}, "lastPatchInstallationSummary", "installationActivityId"),
]


@pytest.mark.parametrize(("action", "body", "summary", "activity"), PATCHING)
def test_patching_gives_its_result_at_the_monitor_url(
    action: str, body: dict[str, str] | None, summary: str, activity: str
) -> None:
    """202, then 200 with the result; the status form carries it as output; the instance view keeps a summary."""
    caller = Caller.of(machine(power="running"))
    accepted = caller.call("POST", f"{PATH}/{action}", body)
    assert (accepted.status, "retry-after" in accepted.headers) == (202, False)
    monitor = accepted.headers["location"].partition("8443")[2]
    assert caller.call("GET", monitor).status == 202
    caller.finish()
    result = caller.call("GET", monitor).body
    assert (result["status"], result[activity]) == ("Succeeded", accepted.headers["x-ms-request-id"])
    polled = caller.call("GET", accepted.headers["azure-asyncoperation"].partition("8443")[2]).body
    assert polled["properties"]["output"] == result
    assert caller.get(f"{PATH}/instanceView").body["patchStatus"][summary]["status"] == "Succeeded"


def test_patching_needs_a_running_machine() -> None:
    """And an installation needs to know about reboots."""
    assert Caller.of(machine(power="deallocated")).call("POST", f"{PATH}/assessPatches").status == 409
    answer = Caller.of(machine()).call("POST", f"{PATH}/installPatches", {})
    assert answer.message == "Required parameter 'rebootSetting' is missing (null)."
