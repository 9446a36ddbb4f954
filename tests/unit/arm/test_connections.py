"""Trust and proxies come from the environment, and a file that cannot be read is never taken for none."""

import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from azure.core.exceptions import ClientAuthenticationError

from patchmode.arm.connections import SignInTransport, check_proxies, describe, proxy_for, proxy_of, trust, was_not_sent
from patchmode.errors import CloudError

KEY = ConnectionKey("arm.example", 443, True, True, None, None, None)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_read_stops_everything(
    variable: str, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv(variable, str(file))
    with pytest.raises(CloudError, match=f"{variable} names .*ca.pem"):
        trust()


def test_checks_are_always_on() -> None:
    context = trust()
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"


def test_proxies_and_their_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_for("https://arm.example") is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,.private.example")
    assert proxy_for("https://arm.example") == "http://proxy.example:3128"
    assert proxy_for("https://localhost:8443") is None
    assert proxy_for("https://arm.private.example") is None
    assert proxy_for("https://[") is None


def test_the_identity_of_this_computer_is_not_asked_for_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual machine's address is link-local; App Service and Container Apps name theirs."""
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@proxy.example:3128")
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:41566/msi/token")
    assert proxy_for("http://169.254.169.254/metadata/identity/oauth2/token?resource=x") is None
    assert proxy_for("http://127.0.0.1:41566/msi/token?resource=x") is None
    other = proxy_of("http://127.0.0.1:41567/msi/token")
    assert other is not None
    assert (other.url, str(other)) == ("http://me:secret@proxy.example:3128", "http://proxy.example:3128 (HTTP_PROXY)")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (aiohttp.ClientConnectorError(KEY, OSError(111, "refused")), True),
        (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "unknown")), True),
        (aiohttp.ConnectionTimeoutError(), True),
        (aiohttp.ServerDisconnectedError(), False),
        (aiohttp.ClientOSError(104, "reset"), False),
        (aiohttp.ClientConnectionResetError("closing"), False),
        (aiohttp.SocketTimeoutError(), False),
        (aiohttp.ClientPayloadError("cut"), False),
        (TimeoutError(), False),
    ],
)
def test_what_certainly_was_not_sent(error: BaseException, expected: bool) -> None:
    """A reset may come after the service has read the whole request, so it never counts as not sent."""
    assert was_not_sent(error) is expected
    assert describe(error)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows counts no sockets as files")
@pytest.mark.parametrize(
    ("allowed", "most", "wanted", "room", "afterwards"),
    [
        (1_000, 2_000, 512, 512, 1_000),
        (256, 2_000, 512, 512, 576),
        (256, 300, 512, 236, 300),
        (100, 100, 512, 36, 100),
    ],
)
def test_files_are_asked_for_as_many_as_sockets_are_wanted(
    allowed: int, most: int, wanted: int, room: int, afterwards: int
) -> None:
    """In a process of its own, since a limit that was lowered cannot be raised again."""
    program = (
        "import resource, sys; from patchmode.arm.connections import room_for;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({allowed}, {most}));"
        f"print(room_for({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert told.split() == [str(room), str(afterwards)]


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    "text",
    [
        "http://[",
        "proxy.example:3128",
        "http://",
        "socks5://proxy.example",
        "http://proxy.example:99999",
        "http://proxy.example:x",
        "http://user:secret@ho st",
        "http://proxy.example\r\n",
        "//proxy.example",
    ],
)
def test_a_proxy_that_is_no_url_is_refused_before_anything_is_asked(
    variable: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended every command with a traceback, which showed the proxy's password too."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(CloudError, match=f"{variable.upper()} does not name a proxy") as caught:
        check_proxies()
    assert "secret" not in caught.value.message + caught.value.advice


def test_proxies_as_they_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    check_proxies()
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "")
    monkeypatch.setenv("NO_PROXY", "localhost")
    check_proxies()


async def test_a_sign_in_service_is_waited_for_within_the_patience() -> None:
    told: list[str] = []
    async with aiohttp.ClientSession() as pool:
        transport = SignInTransport(pool, patience_s=900, remark=told.append)
        await transport.sleep(0)
        with pytest.raises(
            ClientAuthenticationError, match="asks to wait another 24 h, which is longer than the throttle"
        ):
            await transport.sleep(86_400)
    assert told == []
