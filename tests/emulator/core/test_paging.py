"""Pages over a snapshot: complete, disjoint, in order, whatever happens meanwhile."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.core.conftest import SUBSCRIPTION, Client, Start, machine

from arm_emulator.app import Emulator
from arm_emulator.profile import Profile
from arm_emulator.protocol.paging import decode_token, encode_token
from arm_emulator.protocol.throttle import Limits

SUB = f"/subscriptions/{SUBSCRIPTION}"
V = "?api-version=2021-04-01"


def fleet_of(count: int) -> dict[str, Any]:
    return {
        "subscriptions": [{"subscriptionId": SUBSCRIPTION}],
        "resources": [machine(f"m{number:04d}") for number in range(count)],
    }


def pages(client: Client, first: str) -> list[list[str]]:
    found, target = [], first
    while target:
        body = client("GET", target).json
        found.append([row["name"] for row in body["value"]])
        target = body.get("nextLink", "")
    return found


@given(count=st.integers(0, 60), size=st.integers(1, 25))
def test_pages_are_the_list_cut_up(count: int, size: int) -> None:
    """No row twice, none left out, no empty last page, no nextLink where nothing follows."""
    client = Client(Emulator(fleet=fleet_of(count), profile=Profile(list_page_size=size), limits=Limits(is_off=True)))
    found = pages(client, f"{SUB}/resources{V}")
    assert [name for page in found for name in page] == [f"m{number:04d}" for number in range(count)]
    assert len(found) == max(1, -(-count // size))


def test_a_snapshot_does_not_move(start: Start) -> None:
    """A machine deleted or added between two pages changes neither."""
    client = start(fleet_of(6), profile=Profile(list_page_size=3))
    first = client("GET", f"{SUB}/resources{V}").json
    client.emulator.state.delete(f"{machine('m0004')['id']}")
    client.emulator.state.put(machine("m9999"), etag=1)
    second = client("GET", first["nextLink"]).json
    assert [row["name"] for row in second["value"]] == ["m0003", "m0004", "m0005"]
    assert "nextLink" not in second


def test_pages_are_uneven_by_default(start: Start) -> None:
    """1,000 machines come in pages of the reported sizes, not of one."""
    client = start(fleet_of(1000), seed=3)
    sizes = [len(page) for page in pages(client, f"{SUB}/resources{V}")]
    assert sum(sizes) == 1000
    assert len(set(sizes)) > 2
    assert max(sizes) <= 299


def test_the_link_has_the_reported_form(start: Start) -> None:
    """%24skiptoken, escapes in lower case, the caller's other parameters kept."""
    client = start(fleet_of(4), profile=Profile(list_page_size=2))
    link = client("GET", f"{SUB}/resources{V}&$expand=createdTime").json["nextLink"]
    assert re.fullmatch(
        rf"https://localhost:1{SUB}/resources\?api-version=2021-04-01&\$expand=createdTime"
        r"&%24skiptoken=([A-Za-z0-9]|%2b|%2f|%3d)+",
        link,
    )


@given(st.text(max_size=80))
def test_tokens_come_back(text: str) -> None:
    """Any text survives."""
    assert decode_token(encode_token(text)) == text


@pytest.mark.parametrize("token", ["", "x", "AAAA", "!!!!", encode_token("s99!2"), encode_token("nothing")])
def test_a_foreign_token_is_refused(start: Start, token: str) -> None:
    """Never a page of something else."""
    client = start(fleet_of(4), profile=Profile(list_page_size=2))
    client("GET", f"{SUB}/resources{V}")
    assert client("GET", f"{SUB}/resources{V}&%24skiptoken={token}").status == 400


def test_a_token_of_one_list_does_not_open_another(start: Start) -> None:
    """The token is bound to its path."""
    client = start(fleet_of(4), profile=Profile(list_page_size=2))
    link = client("GET", f"{SUB}/resources{V}").json["nextLink"]
    assert client("GET", link.replace("/resources?", "/resourceGroups/rg-app/resources?")).status == 400
