"""The proxy for clients with a fixed endpoint: Azure's public names lead to the emulator, every other host nowhere."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from arm_emulator.app import Emulator
from arm_emulator.connect_proxy import ConnectProxy
from arm_emulator.environment import environment
from arm_emulator.server import Server
from arm_emulator.tls import PUBLIC_NAMES, kept_certificates, temporary_certificates

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def proxied(use: Callable[[ConnectProxy, list[str]], Awaitable[None]]) -> list[str]:
    """Serve an emulator behind a proxy, use it, stop both; the hosts that were refused."""
    refused: list[str] = []

    async def run() -> None:
        certificates = temporary_certificates(public_names=True)
        server = Server(Emulator(), certificates.server_context())
        await server.start()
        proxy = ConnectProxy(server.port, refused.append)
        await proxy.start()
        try:
            await use(proxy, refused)
        finally:
            await proxy.stop()
            await server.stop()

    asyncio.run(run())
    return refused


async def tunnel(proxy: ConnectProxy, first_line: str) -> tuple[str, Streams]:
    """Say a first line to a proxy; the head of its answer, and the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(f"{first_line}\r\nHost: x\r\n\r\n".encode())
    await writer.drain()
    return (await reader.readuntil(b"\r\n\r\n")).decode(), (reader, writer)


async def asked(proxy: ConnectProxy, name: str, target: str, agent: str = "any") -> str:
    """The answer to a GET under a public name, certified by the emulator's CA."""
    head, (reader, writer) = await tunnel(proxy, f"CONNECT {name}:443 HTTP/1.1")
    assert head.startswith("HTTP/1.1 200 ")
    await writer.start_tls(
        ssl.create_default_context(cafile=str(temporary_certificates(public_names=True).ca)), server_hostname=name
    )
    head = f"GET {target} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        (
            "management.azure.com",
            "/subscriptions?api-version=2022-12-01",
            'authorization_uri="https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111"',
        ),
        (
            "management.azure.com",
            "/metadata/endpoints?api-version=2022-09-01",
            '"loginEndpoint":"https://login.microsoftonline.com"',
        ),
        (
            "login.microsoftonline.com",
            "/11111111-1111-1111-1111-111111111111/v2.0/.well-known/openid-configuration",
            '"token_endpoint":"https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token"',
        ),
        ("login.windows.net", "/common/userrealm/x", '"code":"NotEmulated"'),
        ("graph.microsoft.com", "/v1.0/servicePrincipals", "HTTP/1.1 401 "),
    ],
)
def test_a_public_name_leads_to_the_emulator(name: str, target: str, expected: str) -> None:
    """And its answers name the public names, so that the client goes on with them."""
    answers: list[str] = []

    async def use(proxy: ConnectProxy, _: list[str]) -> None:
        answers.append(await asked(proxy, name, target))

    assert proxied(use) == []
    assert expected in answers[0]


def test_patchmode_is_refused_under_a_public_name() -> None:
    """A plan or run that it made so would name Azure as its target, and could be applied or rolled back there."""
    answers: list[str] = []

    async def use(proxy: ConnectProxy, _: list[str]) -> None:
        target = "/subscriptions?api-version=2022-12-01"
        answers.append(await asked(proxy, "management.azure.com", target, "patchmode/1.0 Python/3.11 (Linux)"))
        answers.append(await asked(proxy, "management.azure.com", target, "AZURECLI/2.91"))

    proxied(use)
    assert [answer.split()[1] for answer in answers] == ["400", "401"]
    assert '"code":"EmulatorUnderPublicName"' in answers[0]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("CONNECT example.com:443 HTTP/1.1", "example.com:443"),
        ("CONNECT azcliprod.blob.core.windows.net:443 HTTP/1.1", "azcliprod.blob.core.windows.net:443"),
        ("CONNECT management.azure.com:80 HTTP/1.1", "management.azure.com:80"),
        ("CONNECT management.azure.com.example.com:443 HTTP/1.1", "management.azure.com.example.com:443"),
        ("CONNECT localhost:22 HTTP/1.1", "localhost:22"),
        ("CONNECT 169.254.169.254:443 HTTP/1.1", "169.254.169.254:443"),
        ("CONNECT management.azure.com HTTP/1.1", "management.azure.com"),
        ("GET http://management.azure.com/?sig=secret HTTP/1.1", "http://management.azure.com/"),
        ("GET http://169.254.169.254/metadata/identity HTTP/1.1", "http://169.254.169.254/metadata/identity"),
        ("nonsense", ""),
    ],
)
def test_every_other_host_is_refused_and_told_once(line: str, told: str) -> None:
    """Nothing leaves the machine, and whoever runs the client learns what it wanted."""

    async def use(proxy: ConnectProxy, _: list[str]) -> None:
        for _ in range(2):
            head, (reader, writer) = await tunnel(proxy, line)
            assert head.startswith("HTTP/1.1 403 ")
            assert "management.azure.com:443" in (await reader.read()).decode()
            writer.close()

    assert proxied(use) == [told]


def test_the_proxy_opens_no_connection_but_to_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a client asks for."""
    opened: list[tuple[object, ...]] = []
    real = asyncio.open_connection

    async def noted(*place: object) -> Streams:
        opened.append(place)
        return await real("127.0.0.1", int(str(place[1])))

    async def use(proxy: ConnectProxy, _: list[str]) -> None:
        monkeypatch.setattr("arm_emulator.connect_proxy.asyncio.open_connection", noted)
        for name in (*PUBLIC_NAMES, "MANAGEMENT.AZURE.COM", "example.com"):
            reader, writer = await real("127.0.0.1", proxy.port)
            writer.write(f"CONNECT {name}:443 HTTP/1.1\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

    assert proxied(use) == ["example.com:443"]
    assert len(set(opened)) == 1
    assert opened[0][0] == "127.0.0.1"
    assert len(opened) == len(PUBLIC_NAMES) + 1


def test_a_client_that_goes_away_or_says_nothing_is_no_trouble() -> None:
    """The proxy stops at once all the same."""

    async def use(proxy: ConnectProxy, _: list[str]) -> None:
        _, gone = await asyncio.open_connection("127.0.0.1", proxy.port)
        gone.write(b"CONN")
        gone.close()
        silent = [(await asyncio.open_connection("127.0.0.1", proxy.port))[1]]
        head, (_, writer) = await tunnel(proxy, "CONNECT graph.microsoft.com:443 HTTP/1.1")
        assert head.startswith("HTTP/1.1 200 ")
        await proxy.stop()
        for one in (*silent, writer):
            one.close()

    assert proxied(use) == []


def test_the_environment_leaves_clients_in_the_public_cloud() -> None:
    """Every proxy variable leads here, also those that a user set; no variable leads to another cloud."""
    directory = Emulator().directory
    plain = environment("https://localhost:1", Path("ca.pem"), directory)
    env = environment("https://localhost:1", Path("ca.pem"), directory, "http://127.0.0.1:2")
    assert set(plain) - set(env) == {"AZURE_AUTHORITY_HOST", "ARM_CLOUD_METADATA_URL"}
    assert {name for name in env if env[name] == "http://127.0.0.1:2"} == {
        *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    }
    assert env["NO_PROXY"] == env["no_proxy"] == "localhost,127.0.0.1,::1"
    assert env["SSL_CERT_FILE"] == env["REQUESTS_CA_BUNDLE"] == env["NODE_EXTRA_CA_CERTS"] == "ca.pem"


def test_exec_with_a_proxy_serves_a_client_that_knows_azures_own_names_alone(tmp_path: Path) -> None:
    """As a program: what leads elsewhere is gone from the environment, and what a client wanted outside is told."""
    client = (
        "import os, urllib.request as u\n"
        "print('AZURE_AUTHORITY_HOST' in os.environ, os.environ['AZURE_CONFIG_DIR'].startswith(os.environ['HOME']))\n"
        "url = 'https://management.azure.com/metadata/endpoints?api-version=2022-09-01'\n"
        "print(u.urlopen(url).status)\n"
        "try: u.urlopen('https://example.com/')\n"
        "except OSError as error: print(error)\n"
    )
    own = {**os.environ, "HOME": str(tmp_path), "AZURE_AUTHORITY_HOST": "https://login.example", "NO_PROXY": "*"}
    own.pop("AZURE_CONFIG_DIR", None)
    command = [sys.executable, "-m", "arm_emulator.cli", "exec", "--proxy", "--fleet", "empty", "--"]
    done = subprocess.run(
        [*command, sys.executable, "-c", client], env=own, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["False False", "200", "<urlopen error Tunnel connection failed: 403 Forbidden>"]
    proxies = [line for line in done.stderr.splitlines() if " proxy " in line]
    assert proxies[0].endswith(" for " + ", ".join(PUBLIC_NAMES))
    assert proxies[1] == ("arm-emulator: the proxy refused a client's call to example.com:443; nothing was sent there.")


def test_no_client_gets_at_azs_own_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sign-ins are of Azure, and az would keep the emulator's address in it; the extensions remain."""
    mine = tmp_path / "mine"
    (mine / "cliextensions").mkdir(parents=True)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(mine))
    monkeypatch.delenv("AZURE_EXTENSION_DIR", raising=False)
    directory = Emulator(fleet={}).directory
    for proxy in ("", "http://127.0.0.1:2"):
        env = environment("https://localhost:1", Path("ca.pem"), directory, proxy, tmp_path / "az")
        assert env["AZURE_CONFIG_DIR"] == str(tmp_path / "az")
        assert env["AZURE_EXTENSION_DIR"] == str(mine / "cliextensions")
    assert "AZURE_CONFIG_DIR" not in environment("https://localhost:1", Path("ca.pem"), directory)


def test_exec_and_serve_hand_out_a_profile_for_az_that_ends_with_them(tmp_path: Path) -> None:
    """As a program, also where the user has said where az's profile is."""
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "arm_emulator.cli", "exec", "--fleet", "empty", "--ready-file", str(ready), "--"]
    client = "import os; print(os.environ['AZURE_CONFIG_DIR']); print(os.path.isdir(os.environ['AZURE_CONFIG_DIR']))"
    done = subprocess.run(
        [*command, sys.executable, "-c", client],
        env={**os.environ, "AZURE_CONFIG_DIR": str(tmp_path)}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    folder, was_there = done.stdout.splitlines()
    assert (folder, was_there) == (json.loads(ready.read_text("utf-8"))["env"]["AZURE_CONFIG_DIR"], "True")
    assert folder != str(tmp_path)
    assert not Path(folder).exists()


def test_kept_certificates_without_the_public_names_are_made_anew(tmp_path: Path) -> None:
    """They were used as they were, and no client accepted them; those that hold the names are kept."""
    before = kept_certificates(tmp_path).chain.read_bytes()
    assert kept_certificates(tmp_path).chain.read_bytes() == before
    wide = kept_certificates(tmp_path, public_names=True).chain.read_bytes()
    assert wide != before
    assert kept_certificates(tmp_path, public_names=True).chain.read_bytes() == wide
    assert kept_certificates(tmp_path).chain.read_bytes() == wide
