"""Who may talk to the console: the token and the cookie, the Host header, and where a request comes from.

Any page that is open in the same browser can send requests to a loopback port, and any name can be made to resolve to
it. So each request must name this server (Host), must not come from another site (Sec-Fetch-Site or Origin), and must
hold the session's cookie, which only the URL printed at the start gives.

Must not: know the pages.

Source of the cross-site part: the Fetch Metadata specification, and datasette's `csrf.py`, which does without tokens in
forms for the same reasons.
"""

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

SAFE_METHODS = frozenset({"GET", "HEAD"})
HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer, errors included. Not even an inline style is allowed, and no host but this one."""


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(slots=True)
class Session:
    """The secrets of one console, as long as it runs."""

    token: str = field(default_factory=_secret)
    """In the URL that is printed; whoever is the first to use it gets the cookie."""
    cookie: str = field(default_factory=_secret)

    def use_token(self, token: str) -> bool:
        """Whether this is the token, compared in constant time; where it is, another one replaces it."""
        is_it = secrets.compare_digest(token.encode(), self.token.encode())
        if is_it:
            self.token = _secret()
        return is_it

    def takes_cookie(self, value: str) -> bool:
        """Whether this is the cookie's value, compared in constant time."""
        return secrets.compare_digest(value.encode(), self.cookie.encode())


def cookie_name(port: int) -> str:
    """What the session's cookie is called: browsers keep cookies by host and not by port, and two consoles may run."""
    return f"patchmode-{port}"


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this computer only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed_hosts(host: str, port: int, machine_names: tuple[str, ...] = ()) -> frozenset[str]:
    """The Host headers that name this server.

    Args:
        host: the address it listens on.
        port: as bound.
        machine_names: further names of this computer; looked at only where it listens beyond loopback.
    """
    names = {"127.0.0.1", "localhost", "[::1]"}
    if not is_loopback(host):
        names |= {host, f"[{host}]", *(name.casefold() for name in machine_names)}
    return frozenset(f"{name}:{port}" for name in names)


def is_host_allowed(header: str, allowed: frozenset[str], *, any_address: bool) -> bool:
    """Whether a Host header names this server.

    Args:
        header: as sent.
        allowed: from `allowed_hosts`.
        any_address: listening on every address: an address in digits is allowed too, since no name that somebody
            rebinds is one.
    """
    if header.casefold() in allowed:
        return True
    if not any_address:
        return False
    name, _, port = header.rpartition(":")
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return any(entry.endswith(f":{port}") for entry in allowed)


def is_from_elsewhere(method: str, headers: Mapping[str, str], *, origin: str) -> bool:
    """Whether a request was caused by another site, or cannot show that it was not.

    Args:
        method: in upper case.
        headers: looked up by their usual names, in any case the mapping knows.
        origin: this server's own, as the request's Host names it.

    Returns:
        For reading: another site caused it. For writing: anything but proof that a page of ours did; a program that is
        no browser has to send `Origin`.
    """
    site = headers.get("Sec-Fetch-Site")
    if method in SAFE_METHODS:
        return site in {"cross-site", "same-site"}
    if site is not None:
        return site != "same-origin"
    return headers.get("Origin") != origin
