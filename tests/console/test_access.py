"""Who is let in: the Host header, other sites, the cookie."""

from itertools import pairwise

import pytest
from tests.console.conftest import HOST, HTML, JSON, ORIGIN, Open

from patchmode.console import access

OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        *((host, True) for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.5.6.7")),
        *((host, False) for host in ("0.0.0.0", "10.0.0.7", "::", "ops-box", "")),
    ],
)
def test_only_loopback_counts_as_this_computer(host: str, *, is_own: bool) -> None:
    assert access.is_loopback(host) is is_own


@pytest.mark.parametrize(
    "header", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "127.0.0.1.evil.example:8000", ""]
)
def test_another_host_is_refused_on_loopback(header: str) -> None:
    """A name that somebody rebinds to 127.0.0.1 must not read the fleet."""
    allowed = access.allowed_hosts("127.0.0.1", 8000)
    assert not access.is_host_allowed(header, allowed, any_address=False)


@pytest.mark.parametrize("header", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"])
def test_loopback_has_three_names(header: str) -> None:
    assert access.is_host_allowed(header, access.allowed_hosts("127.0.0.1", 8000), any_address=False)


@pytest.mark.parametrize(
    ("header", "is_allowed"),
    [
        *((header, True) for header in ("10.0.0.7:8000", "ops-box:8000", "[fe80::1]:8000")),
        *((header, False) for header in ("10.0.0.7:9", "evil.example:8000", "10.0.0.7.evil.example:8000")),
    ],
)
def test_on_every_address_digits_and_own_names_are_allowed(header: str, *, is_allowed: bool) -> None:
    allowed = access.allowed_hosts("0.0.0.0", 8000, ("ops-box",))
    assert access.is_host_allowed(header, allowed, any_address=True) is is_allowed


@pytest.mark.parametrize(
    ("method", "headers", "is_refused"),
    [
        ("GET", {}, False),
        ("GET", {"Sec-Fetch-Site": "none"}, False),
        ("GET", {"Sec-Fetch-Site": "same-origin"}, False),
        ("GET", {"Sec-Fetch-Site": "same-site"}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, True),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, False),
        ("POST", {"Sec-Fetch-Site": "none"}, True),
        ("POST", {"Sec-Fetch-Site": "same-site"}, True),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}, True),
        ("POST", {"Origin": ORIGIN}, False),
        ("POST", {"Origin": "http://127.0.0.1:9999"}, True),
        ("POST", {"Origin": "null"}, True),
        ("POST", {}, True),
    ],
)
def test_other_sites_are_refused(method: str, headers: dict[str, str], *, is_refused: bool) -> None:
    """Writing needs proof that a page of ours sent it; reading must not come from another site."""
    assert access.is_from_elsewhere(method, headers, origin=ORIGIN) is is_refused


def test_each_session_has_secrets_of_its_own() -> None:
    sessions = [access.Session() for _ in range(4)]
    secrets = {text for one in sessions for text in (one.token, one.cookie)}
    assert len(secrets) == 8
    assert min(map(len, secrets)) >= 43  # 256 bits
    assert all(not one.use_token(other.token) for one, other in pairwise(sessions))


async def test_the_token_gives_a_cookie_that_scripts_and_other_sites_cannot_use(opened: Open) -> None:
    asker = await opened(read=False)
    token = asker.console.session.token
    answer = await asker.ask("GET", f"/enter?token={token}", HTML, cookie=False)
    assert answer.status == 200
    set_cookie = answer.headers.get("Set-Cookie", "")
    assert "HttpOnly" in set_cookie
    assert "SameSite=Strict" in set_cookie
    assert token not in answer.text + set_cookie


async def test_the_token_works_once(opened: Open) -> None:
    """An address in a terminal's scrollback, a browser's history or a log lets nobody in any more."""
    asker = await opened(read=False)
    told: list[str] = []
    asker.console.entered = lambda: told.append(asker.console.session.token)
    first = asker.console.session.token
    # Who only checks links uses nothing up.
    assert (await asker.ask("HEAD", f"/enter?token={first}", HTML, cookie=False)).status == 403
    assert told == []
    assert (await asker.ask("GET", f"/enter?token={first}", HTML, cookie=False)).status == 200
    (second,) = told
    assert second != first
    again = await asker.ask("GET", f"/enter?token={first}", HTML, cookie=False)
    assert (again.status, "used already" in again.text, "Set-Cookie" in again.headers) == (403, True, False)
    # The browser that is in goes on, and uses up nothing.
    assert (await asker.ask("GET", f"/enter?token={second}", HTML)).status == 200
    assert (await asker.ask("GET", f"/enter?token={second}", HTML, cookie=False)).status == 200
    assert len(told) == 2


async def test_a_wrong_token_gives_nothing(opened: Open) -> None:
    asker = await opened(read=False)
    for token in ("", "wrong", asker.console.session.cookie):
        answer = await asker.ask("GET", f"/enter?token={token}", HTML, cookie=False)
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("accept", [HTML, JSON])
async def test_without_the_cookie_nothing_is_shown(opened: Open, accept: dict[str, str]) -> None:
    """Every page, every download and every asset; not even where the console is signed in to."""
    asker = await opened()
    for route in asker.app.router.routes():
        path = (route.resource.canonical if route.resource else "").replace("{", "").replace("}", "")
        if path == "/enter":
            continue
        answer = await asker.ask(route.method, path, {**OWN, **accept}, cookie=False)
        assert answer.status == 401, path
        assert "web-01" not in answer.text
        assert asker.served.endpoint not in answer.text


async def test_the_wrong_host_and_another_site_are_refused_with_the_cookie(opened: Open) -> None:
    asker = await opened()
    assert (await asker.ask("GET", "/", {**HTML, "Host": "evil.example"})).status == 421
    assert (await asker.ask("GET", "/", {**HTML, "Sec-Fetch-Site": "cross-site"})).status == 403
    assert (await asker.ask("POST", "/refresh", {**HTML, "Origin": "http://evil.example"})).status == 403
    assert (await asker.ask("POST", "/refresh", {**HTML, "Origin": f"http://{HOST}"})).status == 303


async def test_every_answer_carries_the_headers(opened: Open) -> None:
    """Errors and assets included: one page without a policy is one too many."""
    asker = await opened()
    for path in ("/", "/nowhere", "/machine", "/fleet.csv", "/assets/console.js", "/runs", "/enter", "/runs/x/events"):
        answer = await asker.get(path)
        assert {name: answer.headers.get(name) for name in access.HEADERS} == dict(access.HEADERS), path


async def test_no_page_needs_more_than_the_policy_allows(opened: Open) -> None:
    """No inline script or style, no handler in an attribute, no address of another host."""
    asker = await opened("schedules")
    asker.console.schedules.refresh()
    await asker.console.schedules.settled()
    machine = asker.console.fleet.value.orders.fleet.rows[0].id  # type: ignore[union-attr]
    for path in ("/", "/schedules", "/runs", f"/machine?id={machine}", "/nowhere"):
        text = (await asker.get(path)).text
        assert "<script defer src=" in text
        assert text.count("<script") == 1, path
        assert "<style" not in text
        assert " style=" not in text
        assert not [word for word in text.split() if word.startswith("on") and "=" in word]
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        own = text.replace(asker.served.endpoint, "")
        assert "https://" not in own


async def test_nothing_is_changed_by_a_get(opened: Open) -> None:
    """Each route that is called with GET answers, and the emulator has seen nothing but reads."""
    asker = await opened("small", allow_writes=True)
    path = await asker.planned([("take", "all"), ("query", "?")])
    for route in asker.app.router.routes():
        if route.method == "POST" and route.resource is not None:
            wanted = route.resource.canonical.replace("{id}", path.rpartition("/")[2]).replace("{run}", "latest")
            assert (await asker.get(wanted)).status in {404, 405}, wanted
    methods = {(entry.method, entry.path) for entry in asker.served.emulator.ledger.entries}
    assert {method for method, where in methods if "Microsoft.Compute" in where} == {"GET"}
