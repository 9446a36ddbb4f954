"""The policies over a scripted transport: what is repeated, what is never repeated, what never leaves."""

import asyncio
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from azure.core.exceptions import (
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from tests.unit.arm.scripted import ENDPOINT, Scripted, Wire, answer, wire

from patchmode.arm.connections import origin
from patchmode.arm.governor import Cost, Policy, Verb
from patchmode.errors import (
    ForbiddenError,
    MaybeAppliedError,
    NotSentError,
    PreconditionError,
    RejectedError,
    RequestError,
    ThrottledError,
    UnsafeError,
)

URL = f"{ENDPOINT}/subscriptions/s/x?api-version=2024-07-01"
WRITE = Cost("s", Verb.WRITES, Policy.UPDATE_VM, "westeurope")
OK = answer(200, b'{"id":"x"}')
BUSY = b'{"error":{"code":"ConflictingConcurrentWriteNotAllowed","message":"later"}}'
REFUSED = b'{"error":{"code":"PropertyChangeNotAllowed","message":"no"}}'
KEY = ConnectionKey("arm.example", 443, True, True, None, None, None)


OTHER_POSTS = (
    "subscriptions/s/providers/Microsoft.Compute/register",
    "providers/Microsoft.ResourceGraph/resourcesHistory",
)


def connection_error(kind: type[aiohttp.ClientConnectorError]) -> aiohttp.ClientConnectorError:
    return kind(KEY, OSError(111, "refused"))


def not_sent() -> ServiceRequestError:
    return ServiceRequestError("x", error=connection_error(aiohttp.ClientConnectorError))


def lost() -> ServiceRequestError:
    """azure-core calls a connection lost after sending a request error too."""
    return ServiceRequestError("x", error=aiohttp.ServerDisconnectedError())


async def patch(made: Wire) -> Any:
    return await made.channel.patch(URL, {"a": 1}, WRITE, etag='"1"')


async def get(made: Wire) -> Any:
    return await made.channel.get(URL, Cost("s"))


async def test_a_write_that_is_called_off_while_it_waits_never_leaves() -> None:
    made = wire(OK)
    with pytest.raises(NotSentError) as caught:
        await made.channel.patch(URL, {"a": 1}, WRITE, etag=None, may_send=lambda: False)
    assert caught.value.code == "Stopped"
    assert made.ledger.by_method() == {}


async def test_a_write_that_is_called_off_after_one_try_has_left_may_have_been_applied() -> None:
    """A freeze holds for the repeat too, and "not sent" would be false of the first try."""
    made = wire(answer(503, b""), OK)
    wishes = iter([True, False])
    with pytest.raises(MaybeAppliedError) as caught:
        await made.channel.patch(URL, {"a": 1}, WRITE, etag=None, may_send=lambda: next(wishes))
    assert caught.value.code == "Stopped"
    assert made.ledger.by_method() == {"PATCH": 1}


async def test_the_ledger_tells_since_when_nothing_is_answered() -> None:
    """From the first request without an answer on, over every repeat; any answer ends it, an error too."""
    made = wire(lost(), lost(), answer(503, b""), OK, *[not_sent()] * 6, answer(403, REFUSED))
    seen: list[object] = []
    made.clock.at_sleep = lambda: seen.append(made.ledger.unanswered_since)
    assert made.ledger.unanswered_since is None
    began = made.clock.now()
    await get(made)
    assert seen == [began, began, None]
    assert made.ledger.unanswered_since is None
    began = made.clock.now()
    with pytest.raises(NotSentError):
        await get(made)
    assert made.ledger.unanswered_since == began
    with pytest.raises(ForbiddenError):
        await get(made)
    assert made.ledger.unanswered_since is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_read_is_repeated(status: int) -> None:
    made = wire(answer(status, b""), OK)
    assert (await get(made)).status == 200
    assert made.ledger.by_method() == {"GET": 2}


@pytest.mark.parametrize("status", [400, 403, 404, 409, 412])
async def test_a_refused_read_is_not_repeated(status: int) -> None:
    made = wire(answer(status, REFUSED, Retry_After="1"), OK)
    with pytest.raises(RejectedError, match="PropertyChangeNotAllowed"):
        await get(made)
    assert made.ledger.by_method() == {"GET": 1}


@pytest.mark.parametrize(
    "first", [answer(429, b""), answer(429, b"", Retry_After="3"), answer(503, b""), answer(409, BUSY)]
)
async def test_a_write_is_repeated_where_that_is_safe(first: Scripted) -> None:
    made = wire(first, OK)
    assert (await patch(made)).status == 200
    assert made.ledger.by_method() == {"PATCH": 2}
    assert [headers["If-Match"] for _, _, headers, _ in made.transport.asked] == ['"1"', '"1"']
    assert [body for *_, body in made.transport.asked] == [b'{"a":1}', b'{"a":1}']


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (answer(400, REFUSED), RejectedError),
        (answer(403, REFUSED), ForbiddenError),
        (answer(409, REFUSED), RejectedError),
        (answer(409, REFUSED, Retry_After="1"), RejectedError),
        (answer(412, b""), PreconditionError),
        (answer(408, b""), MaybeAppliedError),
        (answer(500, b""), MaybeAppliedError),
        (answer(502, b""), MaybeAppliedError),
        (answer(504, b""), MaybeAppliedError),
        (lost(), MaybeAppliedError),
        (ServiceResponseError("x", error=aiohttp.ClientPayloadError()), MaybeAppliedError),
        (ServiceResponseTimeoutError("x", error=TimeoutError()), MaybeAppliedError),
        (IncompleteReadError("x", error=aiohttp.ClientPayloadError("cut")), MaybeAppliedError),
    ],
)
async def test_a_write_that_may_have_been_applied_is_never_repeated(
    first: Scripted | BaseException, kind: type[RequestError]
) -> None:
    made = wire(first, OK)
    with pytest.raises(RequestError) as caught:
        await patch(made)
    assert type(caught.value) is kind
    assert made.ledger.by_method() == {"PATCH": 1}


@pytest.mark.parametrize(
    "error",
    [
        not_sent(),
        ServiceRequestError("x", error=connection_error(aiohttp.ClientConnectorDNSError)),
        ServiceRequestTimeoutError("x", error=aiohttp.ConnectionTimeoutError()),
    ],
)
async def test_a_write_that_did_not_leave_is_repeated(error: BaseException) -> None:
    made = wire(error, OK)
    assert (await patch(made)).status == 200


async def test_a_write_that_never_leaves_is_not_sent() -> None:
    made = wire(not_sent())
    with pytest.raises(NotSentError, match="was not sent"):
        await patch(made)
    assert made.ledger.by_method() == {"PATCH": 6}
    assert made.clock.slept == [0.25, 0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("etag", ['"1"\r\nX-Evil: 1', '"é"', "\x00"])
async def test_an_etag_that_no_header_may_have_is_not_sent(etag: str) -> None:
    """It ended the run with a traceback, after other machines were written."""
    made = wire(OK)
    with pytest.raises(NotSentError, match="no header may have"):
        await made.channel.patch(URL, {}, WRITE, etag=etag)
    assert made.transport.asked == []


async def test_a_certificate_that_is_not_trusted_is_not_asked_twice() -> None:
    distrust = aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("self-signed"))
    made = wire(ServiceRequestError("x", error=distrust))
    with pytest.raises(NotSentError) as caught:
        await get(made)
    assert "SSL_CERT_FILE" in caught.value.advice
    assert made.ledger.by_method() == {"GET": 1}


async def test_412_after_a_lost_answer_may_be_our_own_doing() -> None:
    """The first attempt was given up by the service after it had been received; its success moved the etag."""
    made = wire(answer(503, b""), answer(412, b'{"error":{"code":"PreconditionFailed","message":"moved"}}'))
    with pytest.raises(MaybeAppliedError, match="PreconditionFailed"):
        await patch(made)


async def test_a_throttle_is_waited_for_as_it_asks_and_remarked() -> None:
    made = wire(answer(429, b"", Retry_After="7"), OK, chance=lambda: 0.5)
    await patch(made)
    assert made.clock.slept[0] == 7.5
    assert made.remarks == ["PATCH /subscriptions/s/x was throttled; next try in 8 s"]


@pytest.mark.parametrize("times", [1, 3])
async def test_a_write_that_waits_for_another_operation_says_so_once(times: int) -> None:
    """It is repeated for up to a minute, here and by its sender, and the screen must not be silent meanwhile."""
    vm = f"{ENDPOINT}/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm?api-version=1"
    made = wire(*[answer(409, BUSY)] * times, OK, answer(409, BUSY), OK, OK)
    told = (
        "PATCH /subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm is waiting: another "
        "operation holds the VM (409); it is repeated for up to a minute"
    )
    await made.channel.patch(vm, {"a": 1}, WRITE, etag='"1"')
    assert made.remarks == [told]
    await made.channel.patch(vm, {"a": 1}, WRITE, etag='"1"')
    assert made.remarks == [told, told]
    await made.channel.patch(vm, {"a": 1}, WRITE, etag='"1"')
    assert made.remarks == [told, told]


async def test_a_sender_that_comes_back_to_a_busy_machine_is_not_told_again() -> None:
    """The wire gives up after its tries, and the sender reads the machine and sends anew."""
    made = wire(*[answer(409, BUSY)] * 20)
    for _ in range(3):
        with pytest.raises(RejectedError):
            await patch(made)
        with pytest.raises(RejectedError):
            await get(made)
    assert made.remarks == [
        "PATCH /subscriptions/s/x is waiting: another operation holds it (409); it is repeated for up to a minute"
    ]


async def test_seconds_in_the_text_count_where_the_header_is_missing() -> None:
    body = b'{"error":{"code":"SubscriptionRequestsThrottled","message":"Please try again after \'6\' seconds."}}'
    made = wire(answer(429, body), OK)
    await patch(made)
    assert made.clock.slept[0] == 6


async def test_a_wait_that_is_too_long_is_handed_on() -> None:
    made = wire(answer(429, b"", Retry_After="100000"))
    with pytest.raises(ThrottledError):
        await patch(made)
    assert made.ledger.by_method() == {"PATCH": 1}


async def test_patience_with_a_throttle_ends() -> None:
    """Ever less often, never sooner than asked, and not beyond the patience."""
    made = wire(answer(429, b"", Retry_After="1"))
    with pytest.raises(ThrottledError) as caught:
        await patch(made)
    assert made.ledger.by_method() == {"PATCH": 66}
    assert made.clock.slept[0] == 1.0
    assert 880 < made.clock.monotonic() < 930
    assert caught.value.message == (
        "PATCH /subscriptions/s/x was answered 429: the answer had no body. "
        "Azure asks to wait another 1 s, which is longer than the throttle patience of 15 min."
    )


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "said",
    [
        "400",
        "Thu, 01 Jan 2026 00:06:40 GMT",
        "Thursday, 01-Jan-26 00:06:40 GMT",
        "Thu Jan  1 00:06:40 2026",
    ],
)
async def test_a_long_wait_is_waited_for_within_the_patience(status: int, said: str) -> None:
    """Above 360 s it was a failure of the machine; a date was no wait at all."""
    made = wire(answer(status, b"", Retry_After=said), OK)
    assert (await patch(made)).status == 200
    assert made.clock.slept[0] == 400.0
    assert made.remarks[0].endswith("next try in 7 min, at 00:06:40 UTC (throttle patience left: 15 min)")


@pytest.mark.parametrize("said", ["901", "9999999999", "Thu, 01 Jan 2026 00:15:01 GMT"])
async def test_a_wait_past_the_patience_is_not_begun(said: str) -> None:
    for call in (patch, get):
        made = wire(answer(429, b"", Retry_After=said), OK)
        with pytest.raises(ThrottledError, match="longer than the throttle patience of 15 min"):
            await call(made)
        assert len(made.transport.asked) == 1
        assert made.clock.slept == []


async def test_what_waits_behind_a_closed_bucket_is_not_sent_either() -> None:
    """The bucket of one refused request held up all others for as long as the service had asked: 27 hours."""
    made = wire(answer(429, b"", Retry_After="100000"))
    with pytest.raises(ThrottledError):
        await patch(made)
    with pytest.raises(ThrottledError) as caught:
        await made.channel.turn("PATCH", URL, WRITE)
    assert caught.value.message == (
        "PATCH /subscriptions/s/x was not sent: Azure asks to wait another 27 h 47 min, "
        "which is longer than the throttle patience of 15 min"
    )
    assert caught.value.code == "Throttled"


async def test_an_answer_lost_before_a_throttle_stays_lost() -> None:
    """A 503 was received and given up; the 429 after it says nothing of what became of that."""
    made = wire(answer(503, b""), answer(429, b"", Retry_After="100000"))
    with pytest.raises(MaybeAppliedError):
        await patch(made)


async def test_resource_graph_is_not_waited_for_past_the_patience() -> None:
    graph = f"{ENDPOINT}/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    made = wire(answer(429, b"", Retry_After="100000"))
    for _ in range(2):
        with pytest.raises(ThrottledError):
            await made.channel.query(graph, {}, Cost(is_graph=True))
    assert made.ledger.by_method() == {"POST": 1}
    assert made.clock.slept == []


async def test_an_expired_token_is_renewed_once_in_mid_run() -> None:
    made = wire(OK, answer(401, b""), OK)
    await get(made)
    await get(made)
    assert [headers["Authorization"] for _, _, headers, _ in made.transport.asked] == [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
    ]


async def test_a_principal_without_access_is_told_so_after_one_renewal() -> None:
    made = wire(answer(401, b'{"error":{"code":"InvalidAuthenticationToken","message":"no"}}'))
    with pytest.raises(ForbiddenError, match="InvalidAuthenticationToken"):
        await patch(made)
    assert made.ledger.by_method() == {"PATCH": 2}


async def test_a_claims_challenge_is_answered() -> None:
    """Continuous access evaluation: the claims of the challenge go into the next token request."""
    challenge = 'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
    made = wire(answer(401, b"", WWW_Authenticate=challenge), OK)
    await get(made)
    assert made.tokens.given[1]["claims"] == '{"access_token":{}}'


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/subscriptions/s?api-version=1",
        "https://arm.example.evil.example/x",
        "https://arm.example:8443/x",
        "https://arm.example@evil.example/x",
        "http://arm.example/x",
    ],
)
async def test_no_token_leaves_for_another_host(url: str) -> None:
    """A next link or a journalled operation may name anything."""
    made = wire(OK)
    with pytest.raises(NotSentError):
        await made.channel.get(url, Cost())
    assert made.transport.asked == []


async def test_the_default_port_is_the_same_host() -> None:
    made = wire(OK)
    assert (await made.channel.get("https://arm.example:443/x", Cost())).status == 200


async def test_reading_cannot_write() -> None:
    made = wire(OK, read_only=True)
    with pytest.raises(UnsafeError):
        await patch(made)
    for path in OTHER_POSTS:
        with pytest.raises(UnsafeError):
            await made.channel.query(f"{ENDPOINT}/{path}?api-version=1", {}, Cost())
    assert made.transport.asked == []
    graph = f"{ENDPOINT}/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    await made.channel.query(graph, {"query": "resources"}, Cost(is_graph=True))
    assert made.ledger.by_method() == {"POST": 1}


async def test_a_provider_is_never_registered() -> None:
    """azure-mgmt-core's default policies POST /register in answer to this; ours hand it on."""
    made = wire(answer(409, b'{"error":{"code":"MissingSubscriptionRegistration","message":"register"}}'))
    with pytest.raises(RejectedError, match="MissingSubscriptionRegistration"):
        await get(made)
    assert made.ledger.by_method() == {"GET": 1}


async def test_pages_follow_their_links_verbatim() -> None:
    link = f"{ENDPOINT}/subscriptions/s/x?api-version=1&%24skiptoken=DczN%2ft%2fnm"
    made = wire(answer(200, b'{"value":[{"a":1}],"nextLink":"' + link.encode() + b'"}'), answer(200, b'{"value":[]}'))
    pages = [page async for page in made.channel.pages(URL, Cost(), Any)]
    assert pages == [[{"a": 1}], []]
    assert [url for _, url, _, _ in made.transport.asked] == [URL, link]


async def test_pages_that_lead_in_a_circle_end() -> None:
    made = wire(answer(200, b'{"value":[],"nextLink":"' + URL.encode() + b'"}'))
    with pytest.raises(RejectedError, match="already read"):
        _ = [page async for page in made.channel.pages(URL, Cost(), Any)]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"values":[]}', b"<html>", b'{"value":3}'])
async def test_what_is_no_page_is_an_error(body: bytes) -> None:
    made = wire(answer(200, body))
    with pytest.raises(RejectedError):
        _ = [page async for page in made.channel.pages(URL, Cost(), Any)]


def test_names_are_escaped_once() -> None:
    url = wire(OK).channel.url("/subscriptions/s/resourceGroups/a b'c(ü)%/x", "2024-07-01", _filter="a eq 'b'")
    assert url.removeprefix(ENDPOINT) == (
        "/subscriptions/s/resourceGroups/a%20b'c(%C3%BC)%25/x?api-version=2024-07-01&$filter=a%20eq%20%27b%27"
    )


def test_a_port_that_is_none_is_no_origin() -> None:
    assert origin("https://arm.example:99999/x")[2] == 0


async def test_a_cancelled_request_gives_its_place_back() -> None:
    """Ctrl-C in mid-request: the bucket must not count it as on its way for ever."""
    made = wire(asyncio.CancelledError(), OK)
    with pytest.raises(asyncio.CancelledError):
        await get(made)
    assert (await get(made)).status == 200
