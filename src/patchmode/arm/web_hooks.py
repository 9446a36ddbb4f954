"""One POST to a web hook of the user's own, by the proxies and CAs of every other request.

Must not: send what a sign-in gave, follow a redirect, or repeat the address, which is itself a secret.
"""

import asyncio
import os
from typing import Any

import aiohttp
import msgspec

from patchmode.arm.connections import check_proxies, describe, host_of, is_distrust, open_pool, proxy_of, trust
from patchmode.version import __version__

TIMEOUT_S = 10.0
PAUSE_S = 1.0
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


async def post_notice(address: str, body: Any, *, timeout_s: float = TIMEOUT_S, pause_s: float = PAUSE_S) -> str:
    """Send it, and once more where that may help.

    Args:
        address: an http or https URL.
        body: JSON values.
        timeout_s: seconds, > 0, for each of the two.
        pause_s: seconds between them.

    Returns:
        Why it did not arrive, without the address; empty: it did.

    Raises:
        CloudError: the CA file or the proxy that the environment names cannot be used.
    """
    context = trust()
    check_proxies()
    async with open_pool(context, limit=1) as pool:
        why, may_help = await _posted(pool, address, body, timeout_s)
        if why and may_help:
            await asyncio.sleep(pause_s)
            why, _ = await _posted(pool, address, body, timeout_s)
        return why


async def _posted(pool: aiohttp.ClientSession, address: str, body: Any, timeout_s: float) -> tuple[str, bool]:
    """Why it did not arrive, and whether a second try may help."""
    proxy = proxy_of(address)
    headers = {"Content-Type": "application/json", "User-Agent": f"patchmode/{__version__}"}
    try:
        async with pool.post(
            address,
            data=msgspec.json.encode(body),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            allow_redirects=False,
            proxy=proxy.url if proxy else None,
        ) as answer:
            is_taken = 200 <= answer.status < 300
            return ("" if is_taken else f"it was answered {answer.status}"), answer.status in _AGAIN
    except TimeoutError:
        return f"no answer within {timeout_s:g} s", True
    except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
        return describe(error, proxy), True
    except aiohttp.ClientConnectorError as error:
        if is_distrust(error):
            return "the server's certificate is not trusted: name its CA in SSL_CERT_FILE (a PEM file)", False
        code = error.os_error.errno
        reason = os.strerror(code) if code and code > 0 else "the name does not resolve"
        return f"no connection ({reason})", True
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # Their texts may repeat the address.
        return f"no usable answer ({type(error).__name__})", True


def host_named(address: str) -> str:
    """The host of an address, which is no secret."""
    return host_of(address).rpartition("@")[2]
