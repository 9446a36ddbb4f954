"""Exchanges without anything personal: which member and which header may keep what.

Must not: know a form of text (`texts`) or a word (`allowed`). A member or header that is not named here keeps nothing.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources

from patchmode.model.exchange import Exchange
from patchmode.rules.scrubbing import allowed
from patchmode.rules.scrubbing.substitutes import Substitutes
from patchmode.rules.scrubbing.texts import Texts, is_id

_ETAGS = frozenset({"etag", "if-match", "if-none-match"})
_RATE = re.compile(r"x-ms-(ratelimit|user-quota|tenant|resource-graph)-[a-z-]{1,80}")
_WORDS_OF_RATE = re.compile(r"[a-z]+")
_ETAG = re.compile(r'(W/)?"([^"]*)"')
_TAG_CHANGE = re.compile(r"(tags?[.])(.+)", re.IGNORECASE | re.ASCII | re.DOTALL)
_KINDS_OF_CHANGE = frozenset({"changecategory", "propertychangetype"})
_ADDRESSES = frozenset({"azure-asyncoperation", "location", "operation-location"})
_TOLD = frozenset(
    {
        "accept", "azure-asyncnotification", "cache-control", "content-type", "date", "expires", "pragma",
        "retry-after", "vary", "x-cache", "x-content-type-options",
        "x-ms-client-request-id", "x-ms-correlation-request-id", "x-ms-failure-cause", "x-ms-request-id",
        "x-ms-routing-request-id",
    }
)  # fmt: skip
"""Headers whose values are sentences of Azure's words, GUIDs, times and numbers."""
_SHORT_NUMBER = 10_000_000


def scrub(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """The same exchanges of nobody in particular.

    What stands for a value is the same throughout the set, and another for another value; another casing of a value
    gets another casing. So whoever hands a session on gives all of it at once.

    Args:
        exchanges: of one session, in the order of their answers; empty: the result is empty.

    Returns:
        As many, in the same order: methods, statuses, times and the shape of every JSON body are kept.
    """
    scrubber = _Scrubber(Substitutes("\n".join(map(_whole_text, exchanges))))
    for exchange in exchanges:
        scrubber.exchange(exchange)  # Sentences come before the members that tell what is a name: names first.
    scrubber.learn()
    return [scrubber.exchange(exchange) for exchange in exchanges]


def _whole_text(exchange: Exchange) -> str:
    headers = [*exchange.request_headers.values(), *exchange.response_headers.values()]
    bodies = [one.decode("utf-8", "replace") for one in (exchange.request_body, exchange.response_body)]
    return "\n".join([exchange.url, *headers, *bodies])


class _Scrubber:
    def __init__(self, substitutes: Substitutes) -> None:
        self._substitutes = substitutes
        self._texts = Texts(substitutes, self._whole)

    def learn(self) -> None:
        self._texts.learn()

    def exchange(self, exchange: Exchange) -> Exchange:
        return replace(
            exchange,
            url=self._texts.url(exchange.url),
            request_headers=self._headers(exchange.request_headers),
            request_body=self._body(exchange.request_body),
            response_headers=self._headers(exchange.response_headers),
            response_body=self._body(exchange.response_body),
        )

    # -------------------------------------------------------------------------------------------------- headers

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Those that are known; others, whose names may tell something too, are left out."""
        told = {name: self._header(name, value) for name, value in headers.items() if name in _TOLD or _is_known(name)}
        return {name: value for name, value in told.items() if value}

    def _header(self, name: str, value: str) -> str:
        if name in _ADDRESSES:
            return self._texts.value(value)
        if name in _ETAGS:
            return self._etag(value)
        if allowed.is_time(value):
            return value
        return self._texts.sentence(value)

    def _etag(self, text: str) -> str:
        """`"2"`, Azure's own counter of writes, stays; `*` does; any other is replaced inside its quotes."""
        if text == "*":
            return text
        parts = _ETAG.fullmatch(text)
        if parts is None:
            return text if allowed.is_number(text) else self._texts.value(text)
        inner = parts[2] if allowed.is_number(parts[2]) else self._texts.formed_or_name(parts[2])
        return f'{parts[1] or ""}"{inner}"'

    # --------------------------------------------------------------------------------------------------- bodies

    def _body(self, body: bytes) -> bytes:
        if not body:
            return body
        try:
            made = json.dumps(self._whole(json.loads(body)), separators=(",", ":"), allow_nan=False)
        except (ValueError, RecursionError):
            made = json.dumps(self._substitutes.name(body.decode("utf-8", "replace")))
        return made.encode()

    def _whole(self, values: object) -> object:
        """JSON values by the members that they stand in."""
        return self._value(values, "", "")

    def _value(self, value: object, parent: str, member: str) -> object:
        if isinstance(value, dict):
            return self._object(value, member)
        if isinstance(value, list):
            return [self._value(one, parent, member) for one in value]
        if isinstance(value, str):
            return self._text(value, parent, member)
        if isinstance(value, bool) or value is None:
            return value
        return self._number(value, member)  # type: ignore[arg-type]

    def _object(self, values: Mapping[str, object], member: str) -> dict[str, object]:
        if member in _members()["chosen"]:
            return {self._texts.value(name): self._chosen(value) for name, value in values.items()}
        made: dict[str, object] = {}
        for name, value in values.items():
            if of_tag := _TAG_CHANGE.fullmatch(name):
                made[of_tag[1] + self._texts.value(of_tag[2])] = self._change(value)
            elif allowed.is_term(name.removeprefix("$")):
                made[name] = self._named(values, value, member, name)
            elif is_id(name):
                made[self._texts.path(name)] = self._value(value, member, "")
            else:
                made[self._texts.value(name)] = self._chosen(value)
        return made

    def _named(self, values: Mapping[str, object], value: object, parent: str, name: str) -> object:
        """The value of a member whose name is Azure's: a name that the service gives everybody is told by the id."""
        place = values.get("id")
        if name.lower() == "name" and isinstance(place, str) and isinstance(value, str) and value:
            told = self._texts.path(place).rpartition("/")[2]
            if told == value == place.rpartition("/")[2]:
                return value
        return self._value(value, parent, name.lower())

    def _change(self, value: object) -> object:
        """What `resourcechanges` says of one tag: its values are a person's, what kind of change it is is not."""
        if not isinstance(value, dict):
            return self._chosen(value)
        return {
            name if allowed.is_term(name) else self._texts.value(name): self._value(one, "", name.lower())
            if name.lower() in _KINDS_OF_CHANGE
            else self._chosen(one)
            for name, one in value.items()
        }

    def _chosen(self, value: object) -> object:
        """What stands below a member whose content is anybody's."""
        if isinstance(value, dict):
            return {self._texts.value(name): self._chosen(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._chosen(one) for one in value]
        if isinstance(value, str):
            return self._texts.value(value)
        return value if isinstance(value, bool) or value is None else self._substitutes.number(value)  # type: ignore[arg-type]

    def _number(self, value: float, member: str) -> int | float:
        is_told = member in _members()["numbers"] and abs(value) < _SHORT_NUMBER
        return value if is_told else self._substitutes.number(value)

    def _text(self, text: str, parent: str, member: str) -> str:
        if member in _members()["chosen"]:
            return self._texts.value(text)
        if member == "target" and self._substitutes.is_name(text):
            return self._texts.value(text)
        if not text or _stays(text, f"{parent}/{member}", member):
            return text
        if member in _ETAGS:
            return self._etag(text)
        if member in _members()["sentences"]:
            return self._texts.sentence(text)
        return self._substitutes.opaque(text) if member == "$skiptoken" else self._texts.value(text)


def _stays(text: str, place: str, member: str) -> bool:
    """Whether what stands in this member may stay as it is."""
    return any(is_so(text) for kind, is_so in _KINDS.items() if member in _members()[kind] or place in _members()[kind])


_KINDS: Mapping[str, Callable[[str], bool]] = {
    "terms": allowed.are_terms,
    "times": allowed.is_time,
    "versions": allowed.is_version,
    "spans": allowed.is_span,
    "regions": allowed.is_region,
    "sizes": allowed.is_size,
    "images": allowed.is_of_an_image,
    "public_names": allowed.is_term,
    "systems": allowed.are_systems,
    "service_names": allowed.is_service_name,
    "time_zones": allowed.is_time_zone,
}
"""Kind of member in `members.json` → what it may keep."""


@cache
def _members() -> Mapping[str, frozenset[str]]:
    text = resources.files("patchmode.rules.scrubbing").joinpath("members.json").read_text(encoding="utf-8")
    return {kind: frozenset(" ".join(lines).split()) for kind, lines in json.loads(text).items()}


def _is_known(name: str) -> bool:
    if name in _ADDRESSES | _ETAGS:
        return True
    return _RATE.fullmatch(name) is not None and all(map(allowed.is_word, _WORDS_OF_RATE.findall(name[5:])))
