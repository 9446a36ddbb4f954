"""State in a file: an emulator that stops comes back as it was."""

from pathlib import Path
from typing import Any

import pytest
from tests.emulator.core.conftest import START, Client, StandingTime

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.demo_fleet import demo_fleet
from arm_emulator.store import Store, StoreError

VM = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/Microsoft.Compute"
    "/virtualMachines/a"
)
V = "?api-version=2024-07-01"


def opened(path: Path, fleet: dict[str, Any], time: StandingTime, **options: Any) -> Client:
    return Client(Emulator(clock=Clock(START, monotonic=time), store=Store(path), fleet=fleet, **options))


def closed(client: Client) -> None:
    assert client.emulator.store is not None
    client.emulator.store.close()


def test_everything_comes_back(tmp_path: Path, fleet: dict[str, Any]) -> None:
    """Writes, deletes, etags, order, locks and groups; the fleet of the second start is not loaded over them."""
    time = StandingTime()
    client = opened(tmp_path / "s.db", demo_fleet(), time, lro_seconds=0)
    vm = VM.replace("/a", "/web-01")
    client("PATCH", f"{vm}{V}", {"tags": {"kept": "yes"}})
    client("PATCH", f"{vm.replace('web-01', 'api-05')}{V}", {"tags": {}})
    client.emulator.state.delete(vm.replace("web-01", "web-02"))
    before = client("GET", "/_emulator/state").json
    groups = client("GET", "/providers/Microsoft.Management/managementGroups?api-version=2020-05-01").json
    closed(client)
    again = opened(tmp_path / "s.db", fleet, time)
    assert again("GET", "/_emulator/state").json == before
    assert again("GET", "/providers/Microsoft.Management/managementGroups?api-version=2020-05-01").json == groups
    seen = again("GET", f"{vm}{V}")
    assert (seen.json["tags"]["kept"], seen.json["etag"]) == ("yes", '"3"')
    closed(again)


def test_an_operation_in_flight_ends_after_the_restart(tmp_path: Path, fleet: dict[str, Any]) -> None:
    """Its URL stays good, and the machine becomes Succeeded when its time is up."""
    time = StandingTime()
    client = opened(tmp_path / "s.db", fleet, time, lro_seconds=60)
    url = client("PATCH", f"{VM}{V}", {"properties": {"licenseType": "RHEL_BYOS"}}).headers["Azure-AsyncOperation"]
    closed(client)
    again = opened(tmp_path / "s.db", fleet, time)
    assert again("GET", url).json["status"] == "InProgress"
    assert again("GET", f"{VM}{V}").json["properties"]["provisioningState"] == "Updating"
    again("POST", "/_emulator/clock", {"advance": "PT1M"})
    assert again("GET", url).json["status"] == "Succeeded"
    assert again("GET", f"{VM}{V}").json["properties"]["provisioningState"] == "Succeeded"
    closed(again)


def test_a_reset_empties_the_file_too(tmp_path: Path, fleet: dict[str, Any]) -> None:
    """What was reset does not come back."""
    time = StandingTime()
    client = opened(tmp_path / "s.db", demo_fleet(), time)
    client("POST", "/_emulator/reset", fleet)
    before = client("GET", "/_emulator/state").json
    closed(client)
    again = opened(tmp_path / "s.db", {}, time)
    assert again("GET", "/_emulator/state").json == before
    closed(again)


def test_a_file_that_is_no_state_is_refused(tmp_path: Path) -> None:
    """In one sentence, and the file is left alone."""
    path = tmp_path / "s.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match=r"s\.db"):
        Store(path)
    assert path.read_bytes() == b"not a database" * 100


def test_two_emulators_do_not_share_a_file(tmp_path: Path, fleet: dict[str, Any]) -> None:
    """The second is told so."""
    client = opened(tmp_path / "s.db", fleet, StandingTime())
    with pytest.raises(StoreError):
        Store(tmp_path / "s.db")
    closed(client)
