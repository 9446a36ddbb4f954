"""JSON to model: what Resource Manager answers becomes the model's values, field by field, each with its source.

What a machine's document means is in `machine_reading`.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from patchmode.model.patch_settings import OperatingSystem

_EMPTY: Mapping[str, Any] = {}


_DEEPEST = 200
"""Levels of a document at most. Recorded answers have up to 14; Python gives up on what is walked beyond about 900."""
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))


class ShapeError(ValueError):
    """JSON that is not what was asked for; the message says where and how."""


def decode(body: bytes, shape: Any = Any) -> Any:
    """Decode a JSON answer. Every answer that is read passes through here.

    Args:
        body: UTF-8; a byte order mark and surrounding white space are allowed, as recorded answers carry both.
        shape: a msgspec type to decode into; booleans and numbers may then stand in quotes, as recorded ones do.

    Returns:
        The value; None for an empty body.

    Raises:
        ShapeError: it is JSON of another shape, or nested without end.
        ValueError: it is not JSON: an HTML page of a gateway, or cut short.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return None
    try:
        document = _decoded(text, shape)
    except msgspec.ValidationError as error:
        msg = f"it is not what was asked for: {error}"
        raise ShapeError(msg) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"the answer cannot be read: {error}"
        raise ValueError(msg) from error
    except RecursionError as error:
        raise ShapeError(_TOO_DEEP) from error
    if not _is_shallow(text):
        raise ShapeError(_TOO_DEEP)
    return document


def _decoded(text: bytes, shape: Any) -> Any:
    """The document; a number that no float or integer of msgspec's holds is its digits as a text, which is odd there.

    Such a number is a member's own affair: it must not spoil the page that it came with.
    """
    try:
        return msgspec.json.decode(text, type=shape, strict=False)
    except msgspec.ValidationError as error:
        if "out of range" not in str(error):
            raise
    try:
        loose = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_no_number)
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from error
    return msgspec.convert(loose, type=shape, strict=False)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def _float(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def _no_number(text: str) -> NoReturn:
    msg = f"{text} is not JSON"
    raise ValueError(msg)


_LONGEST_INTEGER = 1_000
"""Digits; Python refuses to read or print more than 4,300."""
_TOO_DEEP = f"it is nested more than {_DEEPEST} levels deep"


def _is_shallow(text: bytes) -> bool:
    """Whether a JSON text has an ordinary number of levels, whatever its strings hold."""
    # Most strings hold no brackets, or pairs of them; where they may add levels, the text is looked at without them.
    return _folds(text) or _folds(_STRING.sub(b"", text))


def _folds(text: bytes) -> bool:
    """Whether nothing is left of its brackets when the innermost levels were removed as often as there may be levels.

    Each pass is at the speed of bytes: a walk over the decoded document would cost more than decoding it.
    """
    brackets = text.translate(None, _NO_BRACKETS)
    for _ in range(_DEEPEST):
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if not fewer:
            return True
        if len(fewer) == len(brackets):
            return False
        brackets = fewer
    return False


# The end of the text ends a string, too: else each quotation mark of one without an end would be looked at to the end.
_STRING = re.compile(rb'"[^"\\]*(?:\\.?[^"\\]*)*(?:"|\Z)', re.DOTALL)


def member(holder: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The object at a path, or an empty one where a member is absent, null or no object.

    Args:
        holder: any JSON object.
        path: member names, spelled as on the wire.
    """
    found: Any = holder
    for name in path:
        found = found.get(name)
        if not isinstance(found, Mapping):
            return _EMPTY
    return found  # type: ignore[no-any-return]  # narrowed by the loop, or the holder itself


def operating_system(value: object) -> OperatingSystem | None:
    """`osType` without regard to case: Compute writes `Windows`, HybridCompute also `windows`. None: neither."""
    if not isinstance(value, str):
        return None
    return {"windows": OperatingSystem.WINDOWS, "linux": OperatingSystem.LINUX}.get(value.casefold())


def text_of(value: object) -> str | None:
    """A text that is not empty; None for anything else, where a description of the wrong type says nothing."""
    return value if isinstance(value, str) and value else None
