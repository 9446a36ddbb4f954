"""Signing in: who it is, which tenant, and what is said when nothing works."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import ChainedTokenCredential

from arm_emulator.protocol import assertions
from patchmode.arm.clouds import KNOWN
from patchmode.arm.credentials import SignIn, claims_of, default_chain
from patchmode.arm.sign_in_codes import sign_in_advice
from patchmode.errors import SignInError

CLOUD = KNOWN["azurecloud"]
TENANT = "11111111-1111-1111-1111-111111111111"
FOREVER = 4_000_000_000


def jwt(**claims: str) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


class Fixed:
    def __init__(self, *tokens: AccessTokenInfo | Exception) -> None:
        self.tokens = list(tokens)
        self.options: list[Any] = []
        self.is_closed = False

    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        self.options.append(options)
        token = self.tokens.pop(0)
        if isinstance(token, Exception):
            raise token
        return token

    async def close(self) -> None:
        self.is_closed = True


async def test_the_principal_is_read_from_the_token() -> None:
    sign_in = SignIn(lambda: Fixed(AccessTokenInfo(jwt(oid="o", tid=TENANT, aud="x"), FOREVER)), CLOUD, None)
    assert sign_in.principal == {}
    await sign_in.get_token_info(CLOUD.scope)
    assert sign_in.principal == {"oid": "o", "tid": TENANT}
    assert sign_in.tenant_id == TENANT


async def test_a_token_that_lasts_is_not_asked_for_again() -> None:
    inner = Fixed(AccessTokenInfo("a", FOREVER), AccessTokenInfo("b", FOREVER))
    sign_in = SignIn(lambda: inner, CLOUD, TENANT)
    assert (await sign_in.get_token_info(CLOUD.scope)).token == "a"
    assert (await sign_in.get_token_info(CLOUD.scope)).token == "a"
    assert (await sign_in.get_token_info(CLOUD.scope, options={"claims": "{}"})).token == "b"
    assert inner.options == [{"tenant_id": TENANT}, {"claims": "{}", "tenant_id": TENANT}]


async def test_a_refused_token_is_forgotten_with_its_cache_and_only_once() -> None:
    made = [Fixed(AccessTokenInfo("old", FOREVER)), Fixed(AccessTokenInfo("new", FOREVER))]
    remaining = iter(made)
    sign_in = SignIn(lambda: next(remaining), CLOUD, None)
    await sign_in.get_token_info(CLOUD.scope)
    await sign_in.renew("old")
    assert (await sign_in.get_token_info(CLOUD.scope)).token == "new"
    await sign_in.renew("old")
    assert (await sign_in.get_token_info(CLOUD.scope)).token == "new"
    assert [one.is_closed for one in made] == [True, False]


async def test_the_error_lists_what_was_tried() -> None:
    said = (
        "DefaultAzureCredential failed to retrieve a token from the included credentials.\n"
        "Attempted credentials:\n\tEnvironmentCredential: not configured\n"
        "\tAzureCliCredential: Azure CLI not found on path\n"
        "To mitigate this issue, please refer to the troubleshooting guidelines here at https://aka.ms/x."
    )
    sign_in = SignIn(lambda: Fixed(ClientAuthenticationError(message=said)), CLOUD, None)
    with pytest.raises(SignInError) as caught:
        await sign_in.get_token_info(CLOUD.scope)
    message = caught.value.message
    assert "AzureCloud (https://login.microsoftonline.com)" in message
    assert "EnvironmentCredential: not configured" in message
    assert "AzureCliCredential: Azure CLI not found on path" in message
    assert "aka.ms" not in message


async def test_the_browser_is_offered_last_and_only_on_request() -> None:
    """azure-identity's chain stops for good at a chain inside it that found nothing, so ours is flat."""
    transport = AioHttpTransport()
    plain = default_chain(CLOUD, transport, tenant_id=None, interactive=False)
    offered = default_chain(CLOUD, transport, tenant_id=None, interactive=True)
    assert isinstance(plain, ChainedTokenCredential)
    assert isinstance(offered, ChainedTokenCredential)
    names = [type(one).__name__ for one in offered.credentials]
    assert names[0] == "EnvironmentCredential"
    assert names[-2:] == ["AzureCliCredential", "_Browser"]
    assert names[:-1] == [type(one).__name__ for one in plain.credentials]


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.b.c", "a.!!.c", "a.W10.c", "a.e30.c"])
def test_opaque_tokens_have_no_claims(token: str) -> None:
    assert claims_of(token) == {}


@pytest.mark.parametrize(
    "token",
    ["a\r\nX-Evil: 1", "a b", "", "tøken", "a\n", None, 5, ["a"], {"a": 1}],
)
async def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token: Any) -> None:
    """A line end in it would begin a header of its own; aiohttp ended the command with a traceback."""
    sign_in = SignIn(lambda: Fixed(AccessTokenInfo(token, FOREVER)), CLOUD, None)
    with pytest.raises(SignInError, match="a token that cannot be sent") as caught:
        await sign_in.get_token_info(CLOUD.scope)
    assert "Evil" not in str(caught.value)


@pytest.mark.parametrize("expires", [None, "soon", [], float("nan"), float("inf")])
async def test_a_token_without_an_end_is_refused(expires: Any) -> None:
    sign_in = SignIn(lambda: Fixed(AccessTokenInfo("a", expires)), CLOUD, None)
    with pytest.raises(SignInError, match="does not say when it ends"):
        await sign_in.get_token_info(CLOUD.scope)


@pytest.mark.parametrize(
    "error",
    [KeyError("access_token"), TypeError("x"), AttributeError("y"), RecursionError("z"), OverflowError("o"), OSError()],
)
async def test_whatever_azure_identity_makes_of_an_odd_answer_is_a_failed_sign_in(error: Exception) -> None:
    sign_in = SignIn(lambda: Fixed(error), CLOUD, None)
    with pytest.raises(SignInError, match="answer could not be read"):
        await sign_in.get_token_info(CLOUD.scope)


def test_a_payload_without_end_has_no_claims() -> None:
    payload = base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=")
    assert claims_of(f"e30.{payload}.c2ln") == {}


@pytest.mark.parametrize(
    ("number", "wrong", "to_do"),
    [
        (7000215, "The client secret is wrong.", "not its id"),
        (7000222, "The client secret has expired.", "Certificates & secrets"),
        (700016, "no such application in that tenant", "AZURE_CLIENT_ID"),
        (90002, "no such tenant in this cloud", "--cloud"),
        (50034, "does not exist in that tenant", "az login --tenant"),
        (50076, "multifactor", "az login"),
        (53003, "Conditional Access", "sign-in logs"),
        (700024, "not valid now", "clock"),
        (700213, "federated identity credential", "subject"),
        (50059, "which tenant", "AZURE_TENANT_ID"),
    ],
)
@pytest.mark.parametrize("name", ["", "blue"])
async def test_what_entra_refused_is_advised_on(number: int, wrong: str, to_do: str, name: str) -> None:
    """What is wrong and what to do, for one identity or several; the service's own words stay."""
    said = f"Authentication failed: AADSTS{number}: Words of the service. Trace ID: t Correlation ID: c"
    whole = f'{said}\nContent: {{"error_description":"AADSTS{number}: Words of the service."}}'
    sign_in = SignIn(lambda: Fixed(ClientAuthenticationError(message=whole)), CLOUD, None, name=name)
    with pytest.raises(SignInError) as caught:
        await sign_in.get_token_info(CLOUD.scope)
    assert said in caught.value.message
    assert "Content:" not in caught.value.message
    assert wrong in caught.value.advice
    assert to_do in caught.value.advice
    assert ("Correct it where it is defined" in caught.value.advice) is bool(name)


@pytest.mark.parametrize(
    ("cloud", "where"),
    [
        ("azurecloud", "https://login.microsoftonline.com/error?code=424242 explains it"),
        ("azureusgovernment", "https://login.microsoftonline.us/error?code=424242 explains it"),
        ("azurechinacloud", "Microsoft's page of its error codes explains it"),
    ],
)
async def test_what_entra_refused_by_an_unknown_number_is_named(cloud: str, where: str) -> None:
    """With the page of the cloud that refused it, where it is known to have one."""
    said = "AADSTS424242: Words of the service. Trace ID: t Correlation ID: c Timestamp: x"
    sign_in = SignIn(lambda: Fixed(ClientAuthenticationError(message=said)), KNOWN[cloud], None)
    with pytest.raises(SignInError) as caught:
        await sign_in.get_token_info(CLOUD.scope)
    assert where in caught.value.advice
    assert "trace id, correlation id" in caught.value.advice


def test_whatever_the_emulator_refuses_of_an_assertion_has_advice() -> None:
    """So that a refusal which somebody teaches it next is not left to Entra's page."""
    source = Path(assertions.__file__).read_text(encoding="utf-8")
    numbers = set(re.findall(r"_refuse\((\d+)", source))
    assert {"700027", "700024", "700213", "7002138", "7000272", "50013"} <= numbers
    for number in numbers:
        assert "explains it" not in sign_in_advice(f"AADSTS{number}: words", CLOUD.authority), number
