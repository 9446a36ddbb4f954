"""One odd entry of a list, or one number that no integer holds, costs itself and not the command."""

import json
from typing import Any

import pytest
from tests.unit.arm.test_every_answer import CALLS, Call, connected, outcome, reply

from patchmode.arm.wire import decode

HUGE = ("1e999", "-1e999", "9" * 5_000, "-" + "9" * 30)
ODD: tuple[Any, ...] = (None, 5, "x", [], {}, {"id": 5}, {"id": None, "properties": []}, {"subscriptionId": ["x"]})
WHOLE = {
    # What a query of the user's own, or a management group, takes in: a scope that is smaller unseen would be worse.
    "machine_ids",
    "subscriptions_under",
    # Of one machine, and what is written there depends on every entry: it costs that machine.
    "assignments_on",
}
LISTS = {
    name: call
    for name, call in CALLS.items()
    if name not in WHOLE
    and isinstance(call.document, dict)
    and isinstance(call.document.get("value", call.document.get("data")), list)
}


@pytest.mark.parametrize("name", LISTS)
async def test_an_odd_entry_costs_itself(name: str) -> None:
    """Before and behind the good ones, for every reader of a list."""
    call: Call = LISTS[name]
    key = "value" if "value" in call.document else "data"
    for odd in ODD:
        for entries in ([odd, *call.document[key]], [*call.document[key], odd]):
            found = await outcome(call, reply(json.dumps({**call.document, key: entries}).encode()))
            assert not isinstance(found, Exception), (odd, found)


@pytest.mark.parametrize("digits", HUGE)
@pytest.mark.parametrize("name", CALLS)
async def test_a_number_that_nothing_holds_is_its_members_own_affair(name: str, digits: str) -> None:
    """In an entry or a document, beside what is read."""
    call = CALLS[name]
    text = json.dumps(call.document)
    at = max(0, text.find('{"', 1))
    spoiled = f'{text[: at + 1]}"oddNumber": {digits}, {text[at + 1 :]}'
    assert json.loads(spoiled, parse_int=str)
    found = await outcome(call, reply(spoiled.encode()))
    good = await outcome(call, reply(text.encode()))
    assert isinstance(found, Exception) is isinstance(good, Exception), found


def test_numbers_that_nothing_holds_are_texts() -> None:
    nines = "9" * 5_000
    spoiled = f'{{"a": 1e999, "b": {nines}, "c": 7, "d": 1.5}}'
    assert decode(spoiled.encode()) == {"a": "1e999", "b": nines, "c": 7, "d": 1.5}
    with pytest.raises(ValueError, match="cannot be read"):
        decode(b'{"a": 1e999, "b": NaN}')


LOCK = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Authorization/locks/keep"


@pytest.mark.parametrize(
    ("entry", "scope"),
    [
        ({"id": LOCK, "properties": {"level": 5}}, "/subscriptions/s/resourceGroups/g"),
        ({"id": LOCK}, "/subscriptions/s/resourceGroups/g"),
        (5, "/subscriptions/s"),
        ({"id": 5, "properties": {"level": "CanNotDelete"}}, "/subscriptions/s"),
    ],
)
async def test_a_lock_that_cannot_be_read_holds_back(entry: Any, scope: str) -> None:
    """The other reading would let a write through."""
    azure, made = connected(reply(json.dumps({"value": [entry]}).encode()))
    (lock,) = await azure.authorization.locks("s")
    assert (lock.scope, lock.level) == (scope, "ReadOnly")
    assert "cannot be read" in lock.name
    assert made.ledger.by_method() == {"GET": 1}


async def test_subscriptions_that_name_no_id_are_counted_anew_by_each_list() -> None:
    """Whoever asks for all of them must learn that some are not known."""
    page = json.dumps({"value": [{"subscriptionId": "s", "displayName": "S"}, {"displayName": "T"}, 5]}).encode()
    azure, _ = connected(reply(page), reply(page))
    for _ in range(2):
        assert [one.id for one in await azure.authorization.subscriptions()] == ["s"]
        assert azure.authorization.nameless == 2
