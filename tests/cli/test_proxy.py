"""Behind a company's proxy: everything goes through it, what it refuses is told, and its password never is."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Done, Program, Start
from tests.proxying import Proxy, company, proxying

PRIVATE = "arm.corp.example"
"""It resolves nowhere: what reaches it went through the proxy."""
VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "NO_PROXY", "no_proxy")


@pytest.fixture
def behind(start: Start, tmp_path: Path) -> Iterator[Callable[..., tuple[Program, Proxy]]]:
    """Start a fleet and a proxy in front of it; the program is told of neither proxy nor exception."""
    with ExitStack() as stack:

        def make(**how: Any) -> tuple[Program, Proxy]:
            program = start("small")
            for name in VARIABLES:
                program.environment.pop(name, None)
            port = int(program.endpoint.rpartition(":")[2])
            routes = {f"localhost:{port}": port, f"{PRIVATE}:443": port}
            return program, stack.enter_context(proxying(Proxy(routes, **how)))

        yield make


def intercepting(program: Program, proxy: Proxy, folder: Path) -> dict[str, str]:
    """Let the proxy inspect TLS by a company's CA, and name the private cloud and both CAs."""
    proxy.upstream = Path(program.environment["SSL_CERT_FILE"])
    ca, proxy.server = company(folder / "company", PRIVATE)
    return {"PATCHMODE_CLOUD": f"https://{PRIVATE}", "SSL_CERT_FILE": str(ca), "REQUESTS_CA_BUNDLE": str(ca)}


def named(address: str, **names: str) -> Mapping[str, str]:
    """The variables, with ADDRESS in their texts replaced."""
    return {name: text.replace("ADDRESS", address) for name, text in names.items()}


def test_a_whole_change_through_a_proxy_with_a_password(
    behind: Callable[..., tuple[Program, Proxy]], tmp_path: Path
) -> None:
    """Sign-in and Resource Manager alike, in tunnels; the password is in no output, journal or log of requests."""
    program, proxy = behind(password="patcher:s3cr@t")
    through = {"HTTPS_PROXY": proxy.url.replace("//", "//patcher:s3cr%40t@")}
    assert program("plan", "-g", "rg-app", "--out", "plan.json", "--debug", **through).code == 10
    assert program("apply", "plan.json", "--yes", **through).code == 0
    assert program("verify", "latest", **through).code == 0
    doctor = program("doctor", "-o", "json", **through)
    told = json.loads(doctor.out)["network"]
    assert told["proxy"] == {"value": proxy.url, "source": "HTTPS_PROXY"}
    assert told["trusted-ca"] == {"value": "TLS/ca.pem", "source": "SSL_CERT_FILE"}
    assert set(proxy.seen) == {f"CONNECT localhost:{program.endpoint.rpartition(':')[2]}"}
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for text in (*(done.out + done.err for done in program.ran), *program.ran_raw, *map(repr, kept)):
        assert "s3cr" not in text
        assert "cGF0Y2hlcjpzM2NyQHQ" not in text


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_host_that_only_the_proxy_reaches(
    behind: Callable[..., tuple[Program, Proxy]], tmp_path: Path, variable: str
) -> None:
    """By every variable, and by a proxy that inspects TLS, whose CA is named as for az or as for OpenSSL."""
    program, proxy = behind()
    around = intercepting(program, proxy, tmp_path)
    del around["REQUESTS_CA_BUNDLE" if variable == "HTTPS_PROXY" else "SSL_CERT_FILE"]
    program.environment.pop("SSL_CERT_FILE"), program.environment.pop("REQUESTS_CA_BUNDLE")
    done = program("doctor", **around, **{variable: proxy.url})
    assert done.code == 0, done.err
    assert f"Cloud           arm-emulator (https://{PRIVATE})" in done.out
    assert f"  proxy              {proxy.url}  ({variable})" in done.out
    assert set(proxy.seen) == {f"CONNECT {PRIVATE}:443"}
    assert len(proxy.seen) > 1


def test_a_proxy_that_is_spoken_to_by_tls(behind: Callable[..., tuple[Program, Proxy]], tmp_path: Path) -> None:
    """Both CAs are in the file: the proxy's, and Resource Manager's."""
    ca, front = company(tmp_path / "company")
    program, proxy = behind(front=front)
    both = tmp_path / "both.pem"
    both.write_bytes(ca.read_bytes() + Path(program.environment["SSL_CERT_FILE"]).read_bytes())
    done = program("doctor", HTTPS_PROXY=proxy.url, SSL_CERT_FILE=str(both))
    assert done.code == 0, done.err
    assert set(proxy.seen) == {f"CONNECT localhost:{program.endpoint.rpartition(':')[2]}"}


@pytest.mark.parametrize(
    ("around", "told"),
    [
        ({"NO_PROXY": "localhost", "HTTPS_PROXY": "ADDRESS"}, "none for localhost:PORT  (NO_PROXY)"),
        ({"no_proxy": ".corp.example,localhost", "https_proxy": "ADDRESS"}, "none for localhost:PORT  (no_proxy)"),
        ({"HTTP_PROXY": "ADDRESS"}, "none  (default)"),
    ],
)
def test_what_is_excepted_goes_straight(
    behind: Callable[..., tuple[Program, Proxy]], around: dict[str, str], told: str
) -> None:
    program, proxy = behind()
    done = program("doctor", **named(proxy.url, **around))
    assert done.code == 0, done.err
    assert f"  proxy              {told.replace('PORT', program.endpoint.rpartition(':')[2])}" in done.out
    assert proxy.seen == []


REFUSALS: list[tuple[str, dict[str, Any], str, str]] = [
    ("a password that is missing", {"password": "a:b"}, "answered 407 (Refused)",
     "Put them into its address, as http://NAME:PASSWORD@HOST:PORT"),
    ("a host that is forbidden", {"refuses": 403}, "answered 403 (Refused)", "Ask whoever runs the proxy to allow"),
    ("a proxy that fails", {"refuses": 502}, "answered 502 (Refused)", "add the host to NO_PROXY."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "words", "advice"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
@pytest.mark.parametrize("is_named", [True, False], ids=["a cloud by URL", "a cloud by name"])
def test_what_the_proxy_refuses_is_told_as_that(
    behind: Callable[..., tuple[Program, Proxy]], how: dict[str, Any], words: str, advice: str, is_named: bool
) -> None:
    """Before the metadata, or by azure-identity's client: the proxy, its variable, its answer, the next step; once."""
    program, proxy = behind(**how)
    cloud = program.endpoint if is_named else "AzureUSGovernment"
    wrong = proxy.url.replace("//", "//somebody:s3cret@")
    done = program("--cloud", cloud, "audit", "--all", HTTPS_PROXY=wrong)
    assert (done.code, done.out) == (1, "")
    assert f"the proxy {proxy.url} (HTTPS_PROXY) {words}" in done.err
    assert advice in done.err
    assert "s3cret" not in done.err + "".join(program.ran_raw)
    assert len(proxy.seen) == 1


def test_a_proxy_that_is_not_there_or_goes_away(behind: Callable[..., tuple[Program, Proxy]]) -> None:
    """The first was not sent; the second is told with the proxy in between."""
    program, proxy = behind(dies=True)
    gone: Done = program("audit", "--all", HTTPS_PROXY="http://me:s3cret@127.0.0.1:9")
    assert gone.code == 1
    assert (
        "gave no answer: the proxy http://127.0.0.1:9 (HTTPS_PROXY) cannot be reached: Connection refused" in gone.err
    )
    assert "Check the proxy's address and that it runs." in gone.err
    unknown = program("audit", "--all", HTTPS_PROXY="http://proxy.corp.example:3128")
    assert "The proxy's name does not resolve: correct HTTPS_PROXY." in unknown.err
    dead = program("audit", "--all", HTTPS_PROXY=proxy.url)
    assert dead.code == 1
    assert f"through the proxy {proxy.url} (HTTPS_PROXY)" in dead.err
    assert "s3cret" not in gone.err


def test_a_proxy_that_inspects_tls_by_an_unknown_ca(
    behind: Callable[..., tuple[Program, Proxy]], tmp_path: Path
) -> None:
    program, proxy = behind()
    around = intercepting(program, proxy, tmp_path)
    own = program.environment["SSL_CERT_FILE"]
    done = program("audit", "--all", HTTPS_PROXY=proxy.url, **{**around, "SSL_CERT_FILE": own})
    assert done.code == 1
    assert f"through the proxy {proxy.url} (HTTPS_PROXY)" in done.err
    assert "name its CA in SSL_CERT_FILE (a PEM file). A proxy that inspects TLS shows its own certificate" in done.err


def test_a_managed_identity_is_never_asked_for_through_a_proxy(
    behind: Callable[..., tuple[Program, Proxy]], tmp_path: Path
) -> None:
    """It would be the proxy's own identity, if the proxy's computer has one; Resource Manager is behind the proxy."""
    program, proxy = behind()
    around = intercepting(program, proxy, tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(Path(around["SSL_CERT_FILE"]).read_bytes() + proxy.upstream.read_bytes())  # type: ignore[union-attr]
    program.served.emulator.directory.give_default(managed="system")  # type: ignore[attr-defined]
    for name in ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"):
        del program.environment[name]
    identity = {"IDENTITY_ENDPOINT": f"{program.endpoint}/msi/token", "IDENTITY_HEADER": "not-a-secret-header"}
    asked = {**around, **identity, "SSL_CERT_FILE": str(both), "HTTPS_PROXY": proxy.url, "HTTP_PROXY": proxy.url}
    done = program("audit", "--all", **asked)
    # The token is for the host that was asked, as Azure's would be: the proxy's name is another one here.
    assert "AADSTS500011" in done.err
    assert set(proxy.seen) == {f"CONNECT {PRIVATE}:443"}
