"""What a service, or a proxy before it, may answer instead of what was asked for; made from a good answer."""

import copy
import json
import zlib
from collections.abc import Iterator
from typing import Any

PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad</h1></body></html>"
BODIES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n",
    "null": b"null",
    "list": b"[]",
    "number": b"5",
    "text": b'"x"',
    "truth": b"true",
    "object": b"{}",
    "page": PAGE,
    "huge page": b"<" + b"<style" * 32_000,
    "huge page of scripts": b"<html>" + b"<script>x</scrip" * 12_000,
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "half deep": b'{"value":' + b"[" * 500 + b"]" * 500 + b"}",
    "not a number": b'{"value":NaN}',
    "infinite": b'{"value":1e999}',
    "long number": b'{"value":' + b"9" * 5_000 + b"}",
    "lone surrogate": b'{"value":"\\ud800"}',
    "utf-16": '{"value":[]}'.encode("utf-16"),
    "latin-1": '{"value":"é"}'.encode("latin-1"),
    "zeros": bytes(1_000),
    "gzip not undone": zlib.compress(b'{"value":[]}', wbits=31),
}
WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    5,
    -1.5,
    10**30,
    "",
    "x",
    "\x00\ud7ff\n",
    "9" * 5_000,
    "0001-01-01T00:00:00+14:00",
    "[" * 100_000,
    "//",
    [],
    [None],
    [5],
    [[]],
    ["x"],
    [{"a": None}],
    {},
    {"a": None},
    {"a": 5},
    {"x": {"y": []}},
)
NEXT_LINKS = (
    5,
    True,
    [],
    {},
    "x",
    "//",
    "https://[",
    "https://arm.example:99999/x",
    "https://evil.example/x",
    "https://arm.example@evil.example/x",
    "https://arm.example/x y",
    "https://arm.example/x\r\nHost: evil.example",
    "https://arm.example/é",
    "http://arm.example/x",
    "https://arm.example/again",
)


def paths_in(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every member of a document, the deepest too."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in items:
        yield (*path, name)
        if isinstance(value, dict | list):
            yield from paths_in(value, (*path, name))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> bytes:
    made = copy.deepcopy(document)
    holder = made
    for name in path[:-1]:
        holder = holder[name]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return json.dumps(made).encode()
