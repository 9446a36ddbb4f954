"""What a connection tells of its requests and answers: every try, and nothing that signs in."""

import logging

import pytest
from multidict import CIMultiDict
from tests.unit.arm.scripted import ENDPOINT, Scripted, answer, wire

from patchmode.arm.governor import Cost, Policy, Verb
from patchmode.model.exchange import Exchange

MACHINE = f"{ENDPOINT}/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m"
URL = f"{MACHINE}?api-version=2024-07-01"
OPERATION = f"{ENDPOINT}/subscriptions/s/providers/Microsoft.Compute/locations/westeurope/operations/o?p=1&s=SIG"
WRITE = Cost("s", Verb.WRITES, Policy.UPDATE_VM, "westeurope")
READ = Cost("s", Verb.READS, Policy.GET_OPERATION, "westeurope")


async def test_a_write_its_refusals_and_its_poll_are_told_in_order() -> None:
    """Retries and 429s are exchanges of their own."""
    made = wire(
        answer(429, b'{"error":{"code":"TooManyRequests","message":"later"}}', Retry_After="1"),
        answer(200, b'{"id":"x"}', ETag='"2"', Azure_AsyncOperation=OPERATION),
        answer(200, b'{"status":"Succeeded"}'),
    )
    await made.channel.patch(URL, {"a": 1}, WRITE, etag='"1"')
    await made.channel.get(OPERATION, READ)
    told = [(one.method, one.url, one.request_body, one.status, one.response_body) for one in made.exchanges]
    assert told == [
        ("PATCH", URL, b'{"a":1}', 429, b'{"error":{"code":"TooManyRequests","message":"later"}}'),
        ("PATCH", URL, b'{"a":1}', 200, b'{"id":"x"}'),
        ("GET", OPERATION, b"", 200, b'{"status":"Succeeded"}'),
    ]
    assert made.exchanges[1].response_headers == {"etag": '"2"', "azure-asyncoperation": OPERATION}
    assert made.exchanges[1].request_headers["if-match"] == '"1"'
    assert [one.answered_at for one in made.exchanges] == sorted(one.answered_at for one in made.exchanges)
    assert made.exchanges[0].answered_at.tzinfo is not None


async def test_the_token_and_the_cookies_are_not_told() -> None:
    """Nor who runs this: the user agent has the operating system, and what the environment adds."""
    headers = CIMultiDict([("Set-Cookie", "a=b"), ("X-Two", "1"), ("x-two", "2")])
    made = wire(Scripted(200, b"{}", headers))
    await made.channel.get(URL, READ)
    (only,) = made.exchanges
    assert set(only.request_headers) == {"accept", "x-ms-client-request-id"}
    assert only.response_headers == {"x-two": "1, 2"}
    assert "token-1" not in repr(only)


async def test_a_renewed_sign_in_is_two_tries_without_either_token() -> None:
    made = wire(answer(401, b"{}", WWW_Authenticate='Bearer error="invalid_token"'), answer(200))
    await made.channel.get(URL, READ)
    assert [one.status for one in made.exchanges] == [401, 200]
    assert "token-" not in repr([one.request_headers for one in made.exchanges])


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING])
async def test_they_are_told_once_whatever_is_logged(level: int, caplog: pytest.LogCaptureFixture) -> None:
    made = wire(answer(200))
    with caplog.at_level(level, logger="patchmode"):
        await made.channel.get(URL, READ)
    assert [type(one) for one in made.exchanges] == [Exchange]
