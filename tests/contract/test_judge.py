"""The judge itself: what it takes for the machine before a call, and when a call came."""

import dataclasses
from typing import Any

import pytest
from tests.contract.cases import OTHER_DISKS, left_out_of
from tests.contract.judging import seconds_after_end
from tests.contract.recordings import Exchange, settled
from tests.contract.replay import Start, start_of

MACHINE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m"


def _exchange(
    method: str = "GET", position: int = 0, status: int = 200, answer: Any = None, **headers: str
) -> Exchange:
    return Exchange(
        case="vm_get/x.json",
        source="recording.yaml",
        position=position,
        notes="",
        method=method,
        url=f"https://management.azure.com{MACHINE}?api-version=2024-07-01",
        headers={},
        body=None,
        is_body_lost=False,
        status=status,
        answer_headers={name.replace("_", "-"): value for name, value in headers.items()},
        answer=answer,
    )


def test_times_go_before_the_order_of_the_file() -> None:
    """A recorder that several calls share writes them down as they end."""
    early = _exchange(position=96, date="Tue, 12 Sep 2017 20:08:42 GMT")
    late = _exchange(position=90, date="Tue, 12 Sep 2017 20:08:43 GMT")
    assert late.is_after(early)
    assert not early.is_after(late)


@pytest.mark.parametrize("date", ["", "scrubbed"])
def test_where_no_time_is_known_the_order_counts(date: str) -> None:
    """Some recorders drop or blank the date."""
    assert _exchange(position=2, date=date).is_after(_exchange(position=1, date="Tue, 12 Sep 2017 20:08:43 GMT"))


def test_a_refusal_is_never_loaded_as_a_machine() -> None:
    """Its body is an object, too."""
    refused = _exchange(status=404, answer={"error": {"code": "ResourceNotFound", "message": "…"}})
    assert start_of(refused).documents == ()
    assert not refused.shows_machine


def test_a_write_that_is_over_leaves_a_settled_machine() -> None:
    """What its answer shows is the machine in the middle of it."""
    disks = [{"lun": 0, "toBeDetached": True}, {"lun": 1, "toBeDetached": False}]
    answer = {"id": MACHINE, "properties": {"provisioningState": "Updating", "storageProfile": {"dataDisks": disks}}}
    after = settled(answer)["properties"]
    assert (after["provisioningState"], after["storageProfile"]["dataDisks"]) == ("Succeeded", disks[1:])
    assert answer["properties"]["provisioningState"] == "Updating"


def test_how_long_after_the_end_a_call_came() -> None:
    """By the waits that the client was told, by the call's own time, or not known."""
    times = {"startTime": "2024-02-06T22:17:49.959045+00:00", "endTime": "2024-02-06T22:18:20.2253012+00:00"}
    flow = [
        _exchange("DELETE", status=202, retry_after="10"),
        _exchange(answer={"startTime": times["startTime"], "status": "InProgress"}, retry_after="30"),
        _exchange(answer={**times, "status": "Succeeded"}),
    ]
    assert seconds_after_end(flow, _exchange()) == 9.0
    assert seconds_after_end(flow, _exchange(date="Tue, 06 Feb 2024 22:18:23 GMT")) == 3.0
    assert seconds_after_end(flow, _exchange(date="Tue, 06 Feb 2024 22:18:01 GMT")) == 0.0
    assert seconds_after_end(flow[:2], _exchange()) == 60.0


@pytest.mark.parametrize(
    ("sent", "after", "left_out"),
    [
        ([], {"caching": "ReadWrite", "toBeDetached": True}, OTHER_DISKS),
        ([], {"caching": "None", "toBeDetached": True}, ""),
        ([{"lun": 0, "caching": "ReadWrite"}], {"caching": "ReadWrite", "toBeDetached": False}, ""),
    ],
)
def test_a_write_that_was_not_recorded_is_seen_by_what_it_left(sent: Any, after: Any, left_out: str) -> None:
    """A disk that the request does not name is what somebody else made of it."""

    def machine(disks: Any) -> Any:
        return {"id": MACHINE, "properties": {"storageProfile": {"dataDisks": disks}}}

    stood = machine([{"lun": 0, "caching": "None", "createOption": "Empty", "toBeDetached": False}])
    answer = machine([{"lun": 0, "createOption": "Empty", **after}])
    call = dataclasses.replace(_exchange("PUT", answer=answer), body=machine(sent))
    assert left_out_of(call, Start((stood,), "read")) == left_out
