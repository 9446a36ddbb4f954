"""``POST /batch``: several reads in one call, as the portal, Ansible's inventory and public scripts send them.

Microsoft documents none of it. Source of both forms: azure.azcollection 3.12.0, ``plugins/inventory/azure_rm.py``, and
public scripts that send ``url`` or ``relativeUrl`` and read ``responses[].content``. Each read passes the front door by
itself, with its own permission and its own place in Azure's limits. Other methods than GET are not emulated.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from arm_emulator.protocol.azure_clouds import PUBLIC, cloud_of
from arm_emulator.protocol.http import ArmError, Response
from arm_emulator.protocol.wire import Answer

PATH = "/batch"
API_VERSION = "2015-11-01"
_ABSOLUTE = re.compile(r"^(https://[^/]+)(/.*)$", re.IGNORECASE)
_READABLE = ("/subscriptions", "/providers/", "/tenants")
_OF_A_BATCH = frozenset({"content-length", "content-type", "date"})


def answer(body: object, api_version: str, base: str, read: Callable[[str], Answer]) -> Response:
    """The answers of every read, in the order in which they were asked for.

    Args:
        body: of the batch.
        api_version: of the batch.
        base: ``https://host:port`` that was called; absolute URLs must name it, or Azure's public name.
        read: answers a GET of a path with its query.

    Raises:
        ArmError: 400 for what is no batch of this service, 501 for what is not emulated.
    """
    if api_version != API_VERSION:
        raise ArmError(501, "NotEmulated", f"The emulator does not emulate POST {PATH} at api-version {api_version}.")
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list) or not all(isinstance(one, dict) for one in requests):
        raise _invalid("a list of requests is required")
    places = [_place(one, base) for one in requests]
    shown = [_shown(one, read(place)) for one, place in zip(requests, places, strict=True)]
    return Response(200, {"responses": shown})


def _place(request: dict[str, Any], base: str) -> str:
    method = str(request.get("httpMethod", ""))
    if method.upper() != "GET":
        raise ArmError(501, "NotEmulated", f"The emulator emulates GET in a batch alone, and not {method or 'none'}.")
    url = str(request.get("url") or request.get("relativeUrl") or "")
    absolute = _ABSOLUTE.match(url)
    if absolute and absolute[1].lower() not in {base.lower(), *(cloud_of(base) or PUBLIC).audiences}:
        raise _invalid(f"{absolute[1]} is not this service")
    place = absolute[2] if absolute else url
    if not place.lower().startswith(_READABLE):
        raise _invalid(f"'{url}' names no resource of this service")
    return place


def _shown(request: dict[str, Any], found: Answer) -> dict[str, Any]:
    name = {"name": request["name"]} if "name" in request else {}
    headers = {key: value for key, value in found.headers.items() if key.lower() not in _OF_A_BATCH}
    return {
        **name,
        "httpStatusCode": found.status,
        "headers": headers,
        "content": _content(found.body),
        "contentLength": len(found.body),
    }


def _content(body: bytes) -> object:
    try:
        return msgspec.json.decode(body) if body else None
    except msgspec.DecodeError:
        # A fault may have put HTML in its place.
        return body.decode("utf-8", "replace")


def _invalid(what: str) -> ArmError:
    return ArmError(400, "InvalidRequestContent", f"The request content was invalid: {what}.", gateway=True)
