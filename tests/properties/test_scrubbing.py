"""Nothing personal stays in scrubbed exchanges; what is equal stays equal, and the shape stays."""

import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.properties.personal_sessions import AT, CORE, WORDS, exchanges, readings, secrets, shape

from patchmode.documents.exchanges import exchange_rows
from patchmode.model.exchange import Exchange
from patchmode.rules.scrubbing.exchanges import scrub


def _file(session: Sequence[Exchange]) -> bytes:
    return msgspec.json.encode(exchange_rows(scrub(session), "test"))


@settings(max_examples=examples(30))
@given(st.lists(exchanges, min_size=1, max_size=2))
def test_no_secret_can_be_read_out_of_the_file(session: list[Exchange]) -> None:
    """In no spelling, and no letter beyond ASCII, which no word of Azure's needs."""
    content = _file(session)
    for text in readings(content):
        assert CORE not in text.lower(), text
    assert all(text.isascii() for text in readings(content) if not text.startswith("\ufffd") and "\ufffd" not in text)


@settings(max_examples=examples(20))
@given(st.lists(exchanges, min_size=1, max_size=2))
def test_the_shape_of_a_session_stays(session: list[Exchange]) -> None:
    scrubbed = scrub(session)
    assert [(one.method, one.status, one.answered_at) for one in scrubbed] == [
        (one.method, one.status, one.answered_at) for one in session
    ]
    for before, after in zip(session, scrubbed, strict=True):
        for old, new in ((before.request_body, after.request_body), (before.response_body, after.response_body)):
            assert shape(_parsed(old)) == shape(_parsed(new))
    assert scrub(session) == scrubbed


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return "text"


SLOTS = ("group", "machine", "disk", "computer", "admin", "tag", "owner", "schedule")
GUIDS = st.uuids().map(str)
named = st.one_of(secrets(), st.sampled_from(WORDS), st.sampled_from(WORDS).map(str.upper))


def _session(chosen: dict[str, str], subscription: str) -> list[Exchange]:
    """A read and a refusal whose values all come from `chosen`, each where Azure would have it."""
    path = f"/subscriptions/{subscription}/resourceGroups/{{group}}/providers"
    machine = f"{path}/Microsoft.Compute/virtualMachines/{{machine}}"
    answer = {
        "id": machine,
        "name": "{machine}",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": {"{tag}": "{owner}"},
        "properties": {
            "osProfile": {
                "computerName": "{computer}",
                "adminUsername": "{admin}",
                "linuxConfiguration": {"patchSettings": {"patchMode": "Manual"}},
            },
            "storageProfile": {
                "osDisk": {"name": "{disk}", "managedDisk": {"id": f"{path}/Microsoft.Compute/disks/{{disk}}"}}
            },
            "schedule": f"{path}/Microsoft.Maintenance/maintenanceConfigurations/{{schedule}}",
        },
        "etag": '"1"',
    }
    body = json.dumps(_filled(answer, chosen)).encode()
    return [Exchange("GET", "https://management.azure.com/subscriptions", {}, b"", 200, {}, body, AT)]


def _filled(value: Any, chosen: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {_filled(name, chosen): _filled(one, chosen) for name, one in value.items()}
    if not isinstance(value, str):
        return value
    for slot, text in chosen.items():
        encoded = text.replace("/", "%2F") if value.startswith("/") else text
        value = value.replace(f"{{{slot}}}", encoded)
    return value


def _read_back(body: bytes) -> dict[str, str]:
    found = json.loads(body)
    profile, storage = found["properties"]["osProfile"], found["properties"]["storageProfile"]
    segments = found["id"].split("/")
    ((tag, owner),) = found["tags"].items()
    return {
        "group": segments[4],
        "machine": found["name"],
        "machine in the id": segments[-1],
        "disk": storage["osDisk"]["name"],
        "disk in the id": storage["osDisk"]["managedDisk"]["id"].split("/")[-1],
        "computer": profile["computerName"],
        "admin": profile["adminUsername"],
        "tag": tag,
        "owner": owner,
        "schedule": found["properties"]["schedule"].split("/")[-1],
        "mode": profile["linuxConfiguration"]["patchSettings"]["patchMode"],
        "location": found["location"],
    }


@settings(max_examples=examples(30))
@given(
    st.fixed_dictionaries(dict.fromkeys(SLOTS, named.filter(lambda text: "%" not in text and "{" not in text))), GUIDS
)
def test_names_that_are_equal_stay_equal_and_words_of_azure_stay(chosen: dict[str, str], subscription: str) -> None:
    """Also where a machine is called `Manual` or `name`: its names are replaced, and the mode is not."""
    (before,) = _session(chosen, subscription)
    (after,) = scrub([before])
    was, became = _read_back(before.response_body), _read_back(after.response_body)
    assert (became["mode"], became["location"]) == ("Manual", "westeurope")
    slots = [name for name in was if name not in ("mode", "location")]
    for one in slots:
        assert became[one].lower() != was[one].lower()
        assert became[one].isascii()
    for one, other in combinations(slots, 2):
        assert (was[one] == was[other]) == (became[one] == became[other])
        if was[one].isascii() and was[other].isascii():
            assert (was[one].lower() == was[other].lower()) == (became[one].lower() == became[other].lower())


@settings(max_examples=examples(20))
@given(GUIDS, st.sampled_from([str.lower, str.upper]))
def test_a_guid_is_found_in_every_form(guid: str, cased: Any) -> None:
    """With and without dashes and braces, alone, in an address, in a sentence and in an etag."""
    text, plain = cased(guid), cased(guid.replace("-", ""))
    body = {"vmId": text, "message": f"correlation {{{text}}}, request {plain}.", "etag": f'"{text}"', "name": plain}
    headers = {"x-ms-request-id": text, "x-ms-routing-request-id": f"WESTEUROPE:20300101T000000Z:{text}"}
    url = f"https://management.azure.com/subscriptions/{text}/providers/Microsoft.Compute/operations/{plain}?p={text}"
    session = [Exchange("GET", url, headers, b"", 200, headers, json.dumps(body).encode(), AT)]
    content = _file(session).decode().lower()
    assert guid not in content
    assert guid.replace("-", "") not in content
    made = json.loads(scrub(session)[0].response_body)
    assert made["message"] == f"correlation {{{made['vmId']}}}, request {made['name']}."
    assert made["etag"] == f'"{made["vmId"]}"'
    assert made["name"] == made["vmId"].replace("-", "")
    assert made["vmId"] == cased(made["vmId"])
