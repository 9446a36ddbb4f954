"""Several reads in one call, as Ansible's inventory sends them (azure.azcollection 3.12.0, inventory/azure_rm.py)."""

from typing import Any

import pytest
from tests.emulator.core.conftest import SUBSCRIPTION, Start

BATCH = "/batch?api-version=2015-11-01"
SUB = f"/subscriptions/{SUBSCRIPTION}"
GROUPS = f"{SUB}/resourcegroups?api-version=2021-04-01"


def _get(url: str, **more: Any) -> dict[str, Any]:
    return {"httpMethod": "GET", "url": url, **more}


def test_each_read_is_answered_by_itself_and_in_order(start: Start, fleet: dict[str, Any]) -> None:
    """With its name where it has one, its status and its content; a refusal is one answer of several."""
    client = start(fleet)
    requests = [
        _get(f"https://localhost:1{GROUPS}", name="a"),
        {"httpMethod": "get", "relativeUrl": GROUPS},
        _get(f"https://management.azure.com{SUB}/resourceGroups/none?api-version=2021-04-01", name="c"),
    ]
    answered = client("POST", BATCH, {"requests": requests})
    assert answered.status == 200
    first, second, third = answered.json["responses"]
    alone = client("GET", GROUPS)
    assert (first["name"], first["httpStatusCode"], first["content"]) == ("a", 200, alone.json)
    assert first["contentLength"] == len(alone.body)
    assert "x-ms-request-id" in first["headers"]
    assert ("name" in second, second["content"]) == (False, alone.json)
    assert (third["name"], third["httpStatusCode"]) == ("c", 404)
    assert third["content"]["error"]["code"] == "ResourceGroupNotFound"


def test_each_read_counts_for_the_limits(start: Start, fleet: dict[str, Any]) -> None:
    """A batch is no way around them."""
    client = start(fleet)
    client("POST", BATCH, {"requests": [_get(GROUPS)] * 3})
    paths = [entry.path.lower() for entry in client.emulator.ledger.entries]
    assert paths.count(GROUPS.partition("?")[0].lower()) == 3
    left = "x-ms-ratelimit-remaining-subscription-reads"
    answered = client("POST", BATCH, {"requests": [_get(GROUPS)] * 2}).json["responses"]
    assert int(answered[1]["headers"][left]) < int(answered[0]["headers"][left])


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"httpMethod": "DELETE", "url": GROUPS}, 501),
        ({"url": GROUPS}, 501),
        (_get("https://example.com/subscriptions?api-version=2021-04-01"), 400),
        (_get("/_emulator/state"), 400),
        (_get(BATCH), 400),
        (_get(""), 400),
        ("none", 400),
    ],
)
def test_what_is_no_read_of_this_service_is_refused(
    start: Start, fleet: dict[str, Any], request_: Any, status: int
) -> None:
    """As a whole, and before any of it is read."""
    client = start(fleet)
    answered = client("POST", BATCH, {"requests": [_get(GROUPS), request_]})
    assert (answered.status, answered.code) == (status, "NotEmulated" if status == 501 else "InvalidRequestContent")
    assert GROUPS.partition("?")[0] not in [entry.path for entry in client.emulator.ledger.entries]


def test_a_batch_needs_a_token_and_its_own_version(start: Start, fleet: dict[str, Any]) -> None:
    """Each is refused as elsewhere."""
    client = start(fleet)
    assert client("POST", BATCH, {"requests": []}, token="none").status == 401
    assert client("POST", "/batch?api-version=2020-06-01", {"requests": []}).status == 501
    assert client("POST", BATCH, []).status == 400
    assert client("POST", BATCH, {"requests": []}).json == {"responses": []}
