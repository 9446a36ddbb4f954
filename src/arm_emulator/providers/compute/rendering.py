"""Compute's JSON on the wire: pretty-printed with CRLF, but ``networkProfile`` on one line, as recorded."""

from typing import Any

import msgspec

from arm_emulator.protocol.http import Response
from arm_emulator.providers.compute.members import Json

CONTENT_TYPE = "application/json; charset=utf-8"
_MARK = "\uf8ffnetworkProfile"
"""Stands in for a network profile while the rest is laid out; the private-use character occurs in no document."""


def rendered(body: Json, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer with one machine, or a list of them under ``value``, laid out as Compute does.

    Args:
        body: the document; not changed.
        status: of the answer.
        headers: beside the content type.
    """
    profiles: list[bytes] = []
    marked = _marked(body, profiles)
    if isinstance(body.get("value"), list):
        marked = {**body, "value": [_marked(item, profiles) for item in body["value"]]}
    text = msgspec.json.format(msgspec.json.encode(marked), indent=2).replace(b"\n", b"\r\n")
    # One split, not a replacement each: a page of a list is a megabyte, and each replacement would copy it.
    first, *rest = text.split(f'"{_MARK}"'.encode())
    laid_out = b"".join([first, *(part for pair in zip(profiles, rest, strict=True) for part in pair)])
    return Response(status, laid_out, {"Content-Type": CONTENT_TYPE, **(headers or {})})


def _marked(document: Any, profiles: list[bytes]) -> Any:
    properties = document.get("properties") if isinstance(document, dict) else None
    if not isinstance(properties, dict) or "networkProfile" not in properties:
        return document
    profiles.append(msgspec.json.encode(properties["networkProfile"]))
    return {**document, "properties": {**properties, "networkProfile": _MARK}}
