"""Exchanges with marked secrets in every place, in every spelling; and what could still be read out of a file."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from hypothesis import strategies as st

from patchmode.model.exchange import Exchange

CORE = "zqxj"
"""Begins every secret; nothing else does."""
AT = datetime(2030, 1, 1, tzinfo=UTC)
WORDS = ("a", "vm", "name", "Standard", "Manual", "patchMode", "latest", "westeurope", "Succeeded", "properties", "42")
"""Names that are Azure's own words somewhere else."""
PLAIN_MEMBERS = (
    "id", "name", "type", "location", "tags", "properties", "message", "code", "patchMode", "vmSize", "sku", "version",
    "publisher", "imageReference", "timeCreated", "etag", "status", "displayStatus", "query", "settings", "customData",
    "computerName", "adminUsername", "keyData", "path", "userAssignedIdentities", "value", "error", "details", "lun",
    "createdBy", "principalId", "recurEvery", "timeZone", "duration", "$skipToken", "resourceGroups", "osVersion",
)  # fmt: skip
HEADERS = (
    "etag", "if-match", "location", "azure-asyncoperation", "x-ms-request-id", "x-ms-routing-request-id", "date",
    "retry-after", "x-ms-ratelimit-remaining-resource", "x-ms-ratelimit-remaining-subscription-reads", "content-type",
    "x-ms-failure-cause", "www-authenticate", "x-ms-operation-identifier", "server", "x-unheard-of", "cache-control",
)  # fmt: skip
SENTENCES = (
    "The Resource 'Microsoft.Compute/virtualMachines/{}' under resource group '{}' was not found.",
    'The client "{}" does not have authorization to perform action over scope /subscriptions/{}/resourceGroups/{}.',
    "Allocation failed for {}, owner={}; see https://example.org/{}?sig={}#x",
    "{}", "{}{}", "patchMode {} is not supported.", "\\\"{}\\\" and `{}`",
    "resources | where name =~ '{}' | project {}",
    "10.1.2.{} or {}:8080", "a@{}.example, <{}>", "{{\"error\": \"{}\"}}", "({})[{}]",
)  # fmt: skip

_letters = st.text("abcdefghijklmnopqrstuvwxyz", min_size=5, max_size=9)
_odd = st.sampled_from(
    ["", " ", "-", "_", ".", "'", '"', "\\", "%", "%41", "é", "ß", "名", "İ", "\u2003", "\n", "@", ":"]
)
cores = _letters.map(lambda text: CORE + text)


@st.composite
def secrets(draw: st.DrawFn) -> str:
    """A secret, with what may stand around it in a name, in one of its spellings."""
    core = draw(cores)
    text = f"{draw(_odd)}{core}{draw(_odd)}{draw(st.sampled_from(['', '01', 'Vm', 'standard']))}"
    return draw(st.sampled_from([text, text.upper(), text.title(), quote(text, safe=""), quote(quote(text, safe=""))]))


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A secret as it may stand in a value: alone, in a sentence, an id, an address, JSON, base64, or beside a word."""
    one, other = draw(secrets()), draw(secrets())
    encoded = base64.b64encode(one.encode("utf-8", "surrogatepass")).decode()
    sentence = draw(st.sampled_from(SENTENCES))
    machine = f"/subscriptions/{other}/resourceGroups/{one}/providers/Microsoft.Compute/virtualMachines/{other}"
    return draw(
        st.sampled_from(
            [
                one,
                sentence.format(*(draw(st.sampled_from([one, other, "vm"])) for _ in range(sentence.count("{}")))),
                machine,
                machine.upper(),
                f"https://{one}.blob.core.windows.net/{other}?sv=2020-01-01&sig={one}&{other}=1",
                f"https://{one}:{other}@management.azure.com{machine}?api-version={one}&$filter=name eq '{other}'",
                json.dumps({"error": {"code": "Conflict", "message": f"'{one}' at {machine}", other: [one, 1]}}),
                json.dumps(json.dumps({"a": one})),
                encoded,
                f"ssh-rsa {encoded} {other}@{one}",
                f'"{one}"',
                f'W/"{one}"',
                f"Succeeded {one}",
                f"Microsoft.Compute/{one}",
                f"Standard_D2s_v3{one}",
                f"2030-01-01T00:00:00Z{one}",
                f"{one}, Security",
            ]
        )
    )


members = st.one_of(st.sampled_from(PLAIN_MEMBERS), texts())
values = st.recursive(
    st.one_of(texts(), st.booleans(), st.none(), st.sampled_from([1, 2.5, -1])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(members, inner, max_size=4)),
    max_leaves=6,
)
bodies = st.one_of(
    st.just(b""),
    values.map(lambda value: json.dumps(value).encode()),
    values.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    texts().map(lambda text: f"<html>{text}".encode("utf-8", "surrogatepass")),
)
headers = st.dictionaries(
    st.one_of(st.sampled_from(HEADERS), cores.map("x-ms-ratelimit-{}".format)), texts(), max_size=5
)
urls = st.builds(
    "https://{}/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines/{}/{}?api-version={}&{}={}".format,
    *[st.one_of(secrets(), st.sampled_from(WORDS)).map(lambda text: quote(text, safe="%"))] * 8,
)
exchanges = st.builds(
    Exchange,
    method=st.sampled_from(["GET", "PATCH", "PUT", "POST", "DELETE"]),
    url=urls,
    request_headers=headers,
    request_body=bodies,
    status=st.sampled_from([200, 202, 400, 404, 412, 429]),
    response_headers=headers,
    response_body=bodies,
    answered_at=st.just(AT),
)


def readings(content: bytes) -> Iterator[str]:
    """Everything that a reader can get out of a file: its text, its strings, and what they hold, decoded."""
    waiting = [content.decode("ascii"), *_strings(json.loads(content))]
    seen: set[str] = set()
    while waiting:
        text = waiting.pop()
        if text in seen:
            continue
        seen.add(text)
        yield text
        waiting.append(unquote(text))
        waiting.extend(_nested(text))
        waiting.extend(_from_base64(part) for part in text.split() if len(part) > 7)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
    elif isinstance(value, str):
        yield value


def _nested(text: str) -> Iterator[str]:
    if text[:1] in ("{", "[", '"'):
        try:
            yield from _strings(json.loads(text))
        except ValueError:
            return


def _from_base64(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_") + "==").decode("utf-8", "replace")
    except ValueError:
        return ""


def shape(value: Any) -> Any:
    """JSON without its words: what kind of value is where, and how many."""
    if isinstance(value, dict):
        return [shape(one) for one in value.values()]
    if isinstance(value, list):
        return [[shape(one)] for one in value]
    return value if value is None or isinstance(value, bool) else type(value).__name__
