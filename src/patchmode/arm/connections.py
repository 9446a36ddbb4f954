"""Sockets: TLS trust, proxies and pools, and whether an address that a service names may be followed."""

import os
import re
import ssl
import sys
from asyncio import sslproto
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import AioHttpTransport
from yarl import URL

from patchmode.arm.rate_limits import held_text, span_text
from patchmode.errors import CloudError
from patchmode.model.plain_text import printable
from patchmode.model.report import SettingValue

CONNECT_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 120.0
"""Resource Manager's gateway gives a provider 60 s; twice that, so that its own answer is what is seen."""
_TLS_READ = 32 * 1024
"""Bytes that a TLS connection reads at once, at most. asyncio's own 256 KiB, kept for each connection and once more by
OpenSSL, made 0.8 MB of one that ever read a page of a list: 300 MB for a run with 400 of them. A TLS record holds 16
KiB, and reading in smaller pieces took no measurable time."""
_NOTICED_S = 5.0
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Which name the CA certificates to trust; the first that is set counts."""
_OTHER_FILES = 64
"""Files besides the sockets: the journal, certificates, what the interpreter has open."""


def trust() -> ssl.SSLContext:
    """Which certificates to believe: the system's, or those of `SSL_CERT_FILE`, else `REQUESTS_CA_BUNDLE`.

    Raises:
        CloudError: the file that the variable names cannot be read as certificates.
    """
    for variable in CA_VARIABLES:
        file = os.environ.get(variable)
        if not file:
            continue
        is_folder = Path(file).is_dir()
        try:
            return ssl.create_default_context(cafile=None if is_folder else file, capath=file if is_folder else None)
        except (OSError, ssl.SSLError) as error:
            msg = f"{variable} names {file!r}, which cannot be read as CA certificates: {error}"
            raise CloudError(msg, advice=f"Correct or unset {variable}.") from error
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that the environment names."""

    url: str
    """As it is named, so with a password where it has one: never to be shown."""
    variable: str
    """Which names it."""

    @property
    def address(self) -> str:
        """It without what signs in to it, to be shown."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def __str__(self) -> str:
        return f"{self.address} ({self.variable})"


def proxy_of(url: str) -> Proxy | None:
    """The proxy that the environment names for a URL, `NO_PROXY` honoured; None: go straight.

    Where a computer hands out its own managed identity no proxy is asked: it would answer with its own identity, if it
    answered. Source: Microsoft, "Azure Instance Metadata Service": calls to it must bypass web proxies.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if not parts.hostname or _is_this_computers_identity(url, parts.hostname) or _is_excepted(parts):
        return None
    proxies = getproxies()
    for kind in (parts.scheme, "all"):
        if proxies.get(kind):
            return Proxy(proxies[kind], _variable_of(kind, proxies[kind]))
    return None


def proxy_for(url: str) -> str | None:
    """The address of `proxy_of`, with its password.

    It is asked once a connection and not once a request where one host is asked often, because reading the environment
    costs more than sending.
    """
    proxy = proxy_of(url)
    return None if proxy is None else proxy.url


def _is_excepted(parts: SplitResult) -> bool:
    host = parts.netloc.rpartition("@")[2]
    return bool(proxy_bypass(host) or proxy_bypass(parts.hostname or ""))


def _is_this_computers_identity(url: str, host: str) -> bool:
    """Whether a URL is where the virtual machine, or the platform of the app, hands out tokens of its identity."""
    with suppress(ValueError):
        if ip_address(host).is_link_local:
            return True
    told = (os.environ.get(name) for name in _IDENTITY_ENDPOINTS)
    return any(origin(url) == origin(place) for place in told if place)


_IDENTITY_ENDPOINTS = ("IDENTITY_ENDPOINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST")


def _variable_of(kind: str, value: str) -> str:
    """The variable that names a proxy; elsewhere than in the environment Windows and macOS keep theirs."""
    names = (f"{kind}_proxy", f"{kind.upper()}_PROXY")
    return next((name for name in names if os.environ.get(name) == value), "the system's settings")


def network_in_force(url: str) -> tuple[SettingValue, ...]:
    """How a URL is reached and what is trusted there, each with where that comes from; without a password."""
    proxy = proxy_of(url)
    if proxy is not None:
        reached = SettingValue("proxy", proxy.address, proxy.variable)
    elif any(getproxies().get(kind) for kind in ("https", "all")):
        variable = next((name for name in ("no_proxy", "NO_PROXY") if os.environ.get(name)), "the system's settings")
        reached = SettingValue("proxy", f"none for {host_of(url)}", variable)
    else:
        reached = SettingValue("proxy", "none", "default")
    variable = next((name for name in CA_VARIABLES if os.environ.get(name)), "")
    trusted = (os.environ[variable], variable) if variable else ("those of the system", "default")
    return reached, SettingValue("trusted-ca", *trusted)


def check_proxies() -> None:
    """See that what the environment names as proxies are ones: signing in goes to several hosts, by either of them.

    Raises:
        CloudError: one is none, or not of a kind that can be used; its text is not told, since it may hold a password.
    """
    for kind, text in getproxies().items():
        if kind not in ("http", "https", "all") or not text:
            continue
        try:
            parts = urlsplit(text)
            is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
            URL(text)
        except ValueError:
            is_good = False
        if not is_good or not text.isprintable() or " " in text:
            name = f"{kind.upper()}_PROXY"
            raise CloudError(
                f"{name} does not name a proxy that can be used.",
                advice=f"Set {name} (or {name.lower()}) to a URL such as http://proxy.example:8080, or unset it.",
            )


def room_for(wanted: int) -> int:
    """How many sockets this process may have open, up to so many; the system is asked for more files where it has them.

    A socket counts as a file, of which macOS lets a program open 256 unless it asks for more, and many Linux systems
    1,024.
    """
    if sys.platform == "win32":
        return wanted
    import resource

    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        with suppress(ValueError, OSError):
            asked = needed if most == resource.RLIM_INFINITY else min(needed, most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (asked, most))
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if allowed == resource.RLIM_INFINITY else max(1, min(wanted, allowed - _OTHER_FILES))


def open_pool(context: ssl.SSLContext, *, limit: int) -> aiohttp.ClientSession:
    """A pool of connections; the caller closes it.

    Args:
        context: whom to believe.
        limit: connections at a time, > 0; aiohttp's own default of 100 would be a second, silent limit on concurrency.
    """
    # HACK: asyncio has no argument for it, so it holds for every TLS connection that this process opens from now on.
    sslproto.SSLProtocol.max_size = min(sslproto.SSLProtocol.max_size, _TLS_READ)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, ssl=context),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Nothing from the environment but what `proxy_of` takes: aiohttp would leave ALL_PROXY and https proxies out.
        trust_env=False,
        auto_decompress=False,  # azure-core does it
        raise_for_status=False,
        middlewares=(_only_once,),
    )


async def _only_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating by itself what it takes for harmless.

    It sends GET, PUT and DELETE a second time when their connection is lost, so that a DELETE which was carried out
    would be answered as if there had been nothing to delete, and the ledger would not know of it. It does so for two
    kinds of error only, so a lost connection leaves here as their common parent.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(describe(error)) from error


class SignInTransport(AioHttpTransport):  # type: ignore[misc]  # azure-core loads it lazily
    """Connections for azure-identity, whose own policies wait as long as a sign-in service asks, whatever that is.

    Args:
        pool: it stays the caller's to close.
        patience_s: how long one such wait may be.
        remark: told of a wait that one notices.
    """

    def __init__(self, pool: aiohttp.ClientSession, *, patience_s: float, remark: Callable[[str], None]) -> None:
        super().__init__(session=pool, session_owner=False)
        self._patience_s = patience_s
        self._remark = remark
        self.advice = ""
        """What to do about the last connection to a sign-in service that did not come about; empty: none failed."""

    async def send(self, request: Any, **options: Any) -> Any:
        """Send, through the proxy of the request's host.

        Raises:
            ClientAuthenticationError: that proxy refused or cannot be reached: nothing is tried again, and no other
                credential, since all go through it.
        """
        proxy = proxy_of(request.url)
        try:
            return await super().send(request, **{**options, "proxy": proxy.url if proxy else None})
        except (ServiceRequestError, ServiceResponseError) as error:
            cause = error.inner_exception
            if cause is not None and was_not_sent(cause) and request.url.startswith("https:"):
                self.advice = advice_on(cause, proxy)
            if proxy is None or not is_of_proxy(cause):
                raise
            raise ClientAuthenticationError(message=describe(cause, proxy)) from error

    async def sleep(self, duration: float) -> None:
        """Wait before a request is repeated.

        Raises:
            ClientAuthenticationError: it would be past the patience.
        """
        if duration > self._patience_s:
            why = held_text(duration, self._patience_s)
            raise ClientAuthenticationError(message=f"the sign-in service is busy: {why}")
        if duration >= _NOTICED_S:
            self._remark(f"Signing in: the sign-in service is busy; next try in {span_text(duration)}")
        await super().sleep(duration)


class Verbatim:
    """A pool as azure-core's transport wants one, which sends URLs as they stand.

    aiohttp would normalise the escapes in a string (`%24skiptoken` becomes `$skiptoken`, `%2f` becomes `/`), and
    recorded next links and operation URLs do not survive that.
    """

    auto_decompress = False

    def __init__(self, pool: aiohttp.ClientSession, *, proxy: str | None) -> None:
        self._pool = pool
        self._proxy = proxy

    async def request(self, method: str, url: str, **options: Any) -> aiohttp.ClientResponse:
        """Send; `options` are those of aiohttp."""
        options["proxy"] = self._proxy
        return await self._pool.request(method, URL(url, encoded=True), **options)

    async def __aenter__(self) -> "Verbatim":
        return self


async def fetch(pool: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
    """Read a public document: no token is sent and no redirect followed.

    Returns:
        Status and body.

    Raises:
        CloudError: no answer.
    """
    timeout, proxy = aiohttp.ClientTimeout(total=30, sock_connect=CONNECT_TIMEOUT_S), proxy_of(url)
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        through = proxy.url if proxy else None
        async with pool.get(url, headers=headers, timeout=timeout, allow_redirects=False, proxy=through) as answer:
            return answer.status, await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        msg = f"{url} gave no answer: {describe(error, proxy)}"
        raise CloudError(msg, advice=advice_on(error, proxy)) from error


def is_of_proxy(error: BaseException | None) -> bool:
    """Whether a proxy refused, or could not be reached."""
    return isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError)


def describe(error: BaseException | None, proxy: Proxy | None = None) -> str:
    """An exception of the network in one line; never empty.

    Args:
        error: what happened.
        proxy: through which it was sent; None: through none, or that is not known.
    """
    named = f"the proxy {proxy}" if proxy else "the proxy"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        # Its own text holds the proxy's address as it is named, password and all.
        return f"{named} answered {error.status} ({printable(error.message)[:80]})"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.os_error
        return f"{named} cannot be reached: {why}"
    said = str(error) or type(error).__name__
    return f"{said}, through {named}" if proxy else said


def told_of(error: BaseException, url: str) -> tuple[str, str]:
    """What became of a request to a URL, in one line, and what to do where it was not sent."""
    proxy = proxy_of(url)
    return describe(error, proxy), advice_on(error, proxy)


def advice_on(error: BaseException, proxy: Proxy | None = None) -> str:
    """What to do about a connection that did not come about."""
    if is_distrust(error):
        inspects = " A proxy that inspects TLS shows its own certificate, of a CA of your company." if proxy else ""
        return f"The server's certificate is not trusted: name its CA in SSL_CERT_FILE (a PEM file).{inspects}"
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return f"{_PROXY_SIGN_IN} {_PAST_THE_PROXY}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"Ask whoever runs the proxy to allow this host. {_PAST_THE_PROXY}"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"Check the proxy's address and that it runs. {_PAST_THE_PROXY}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        if proxy and error.host == urlsplit(proxy.url).hostname:
            return f"The proxy's name does not resolve: correct {proxy.variable}. {_PAST_THE_PROXY}"
        return "The name does not resolve: check the cloud's URL and the network; behind a proxy set HTTPS_PROXY."
    return "Check the network, and HTTPS_PROXY and NO_PROXY where there is a proxy."


_PROXY_SIGN_IN = (
    "The proxy asks for a name and a password and has accepted none. Put them into its address, as "
    "http://NAME:PASSWORD@HOST:PORT, a special character as its % code; only Basic authentication is possible."
)
_PAST_THE_PROXY = "Where it is not to be used for this host, add the host to NO_PROXY."


def is_distrust(error: BaseException) -> bool:
    """Whether the server's certificate was refused."""
    return isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError)


def was_not_sent(error: BaseException) -> bool:
    """Whether a request certainly did not reach the service: no connection, no name, no trust, no proxy.

    A connection that was lost later (`ServerDisconnectedError`, a reset) is not among them, although azure-core calls
    it a `ServiceRequestError` too: what was written before may have been read.
    """
    return isinstance(
        error,
        aiohttp.ClientConnectorError
        | aiohttp.ClientSSLError
        | aiohttp.ConnectionTimeoutError
        | aiohttp.ClientProxyConnectionError
        | aiohttp.ClientHttpProxyError
        | aiohttp.InvalidURL,
    )


_PRINTABLE = re.compile(r"[\x21-\x7e]+")


def origin(url: str) -> tuple[str, str | None, int]:
    """Scheme, host and port of a URL, the default port filled in.

    Returns:
        What no endpoint has where it is no URL: an empty scheme, or port 0 for a port that is none.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", None, 0
    try:
        port = parts.port or 443
    except ValueError:
        port = 0
    return parts.scheme, parts.hostname, port


def is_below(url: str, endpoint: str) -> bool:
    """Whether a URL may be asked on a connection to this endpoint, whose token would go with it.

    Args:
        url: as a service or a file names it. Spaces, line ends and what is not ASCII stand in no URL: sent as they are
            they would end the request's first line.
        endpoint: an https URL without a trailing slash.
    """
    return _PRINTABLE.fullmatch(url) is not None and (url.startswith(f"{endpoint}/") or origin(url) == origin(endpoint))


def path_of(url: str) -> str:
    """The path of a URL, for messages; the beginning of the text where it is none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return url[:80]


def host_of(url: str) -> str:
    """The host and port of a URL, for messages; the beginning of the text where it names none."""
    try:
        named = urlsplit(url).netloc
    except ValueError:
        named = ""
    return named or url[:80]
