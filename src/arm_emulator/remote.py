"""Asks the control plane of an emulator that another process serves, which `exec` names in the environment.

Must not: be imported by what serves.
"""

import json
import os
import ssl
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

TIMEOUT_S = 60.0
"""A long way of the clock runs many windows."""


class RemoteError(Exception):
    """There is no emulator here, or it refused; a sentence for people."""


def ask(method: str, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Call the control plane and return what it answered.

    Args:
        method: `GET`, `POST`, ….
        name: what is below `/_emulator/`.
        body: JSON values; None: no body.

    Raises:
        RemoteError: no emulator is named in the environment, none answers there, or it refused.
    """
    endpoint, ca = os.environ.get("PATCHMODE_CLOUD", ""), os.environ.get("SSL_CERT_FILE")
    if not endpoint.startswith("https://localhost:"):
        raise RemoteError("this shell names no emulator. Run this in a shell of `arm-emulator exec -- bash`.")
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{endpoint}/_emulator/{name}", data=data, method=method)  # noqa: S310 - checked above
    try:
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            found: dict[str, Any] = json.loads(answer.read())
    except HTTPError as error:
        with error:
            raise RemoteError(json.loads(error.read())["error"]["message"]) from error
    except (URLError, OSError) as error:
        raise RemoteError(f"no emulator answers at {endpoint}: {getattr(error, 'reason', error)}") from error
    return found
