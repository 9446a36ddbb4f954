"""What may stay as it is: words of Azure's own vocabulary, and forms that tell nothing of whose machines these are.

Must not: let anything stay because nobody thought of it. What is not allowed here is replaced.
"""

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources

from patchmode.rules.schedules.time_zones import as_windows_writes

_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+[0-9]*|[A-Z]+[0-9]*")
_SHORT = re.compile(r"[0-9]{1,2}")
_PART = re.compile(r"[./]")
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,9})?)?"
MOMENT = rf"{_DAY}[T ]{_CLOCK}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})?"
"""A day and a time, as a pattern that groups nothing."""
_TIME = re.compile(rf"{_DAY}|{MOMENT}|[0-9]{{8}}T[0-9]{{6}}Z")
_HTTP_TIME = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)
_SPAN = re.compile(
    rf"{_CLOCK}|[0-9]{{1,3}}:{_CLOCK}|[0-9]:[0-9]{{2}}:{_CLOCK}|P([0-9]+[YMWD])*(T([0-9]+([.][0-9]+)?[HMS])*)?|[0-9]{{1,3}}[smhd]"
)
_RECURRENCE = re.compile(r"([0-9]{1,3})?(Hour|Day|Week|Month)s?", re.IGNORECASE)
_VERSION = re.compile(r"[0-9]{1,9}([.][0-9]{1,9}){0,4}|latest|[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview|-beta)?")
_SHORT_VERSION = re.compile(r"[0-9]{1,5}([.][0-9]{1,5}){1,4}")
_NUMBER = re.compile(r"-?[0-9]{1,6}([.][0-9]{1,6})?")
_SIZE = re.compile(r"(Standard|Basic)_[A-Z]{1,3}[0-9]{1,4}(-[0-9]{1,4})?[a-z]{0,6}(_v[0-9]{1,2})?", re.IGNORECASE)


SERVICE_EXTENSIONS = frozenset(
    {
        "linuxosupdateextension", "linuxpatchextension", "vmappextension", "windowsosupdateextension",
        "windowspatchextension",
    }
)  # fmt: skip
"""Names of the extensions that Azure itself puts on machines, in lower case."""


@cache
def _lists() -> Mapping[str, frozenset[str]]:
    text = resources.files("patchmode.rules.scrubbing").joinpath("harmless.json").read_text(encoding="utf-8")
    return {name: frozenset(" ".join(lines).split()) for name, lines in json.loads(text).items()}


@cache
def _images() -> frozenset[str]:
    """Publishers, offers and SKUs of the platform's images, in lower case; patterns name none."""
    text = resources.files("patchmode.rules").joinpath("image_support.json").read_text(encoding="utf-8")
    found = set(_lists()["images"])
    for listed in json.loads(text).values():
        for row in listed.get("rows", ()) if isinstance(listed, dict) else ():
            found |= {row["publisher"], *row["offer"], *row["sku"]}
    return frozenset(one.lower() for one in found if "*" not in one)


def is_word(text: str) -> bool:
    """Whether it is one word of the vocabulary, which says nothing even where a machine is called so."""
    return text.isascii() and text.lower() in _lists()["words"]


def is_listed(text: str) -> bool:
    """Whether it is on the list as it stands, such as `application/json`."""
    return text.isascii() and text.lower() in _lists()["terms"]


@lru_cache(maxsize=20_000)
def is_term(text: str) -> bool:
    """Whether it is a word, or made of words only, as Azure makes its identifiers: `osProfile.patchSettings`."""
    if not text or not text.isascii():
        return False
    if is_word(text) or is_listed(text):
        return True
    first, *rest = _PART.split(text)
    return _CAMEL.match(first) is not None and all(_is_made_of_words(part) for part in (first, *rest))


def _is_made_of_words(part: str) -> bool:
    words = _CAMEL.findall(part)
    is_whole = bool(words) and "".join(words) == part
    return _SHORT.fullmatch(part) is not None or (is_whole and all(one.lower() in _lists()["words"] for one in words))


def are_terms(text: str) -> bool:
    """Whether it is one term or a list of them, small numbers among them."""
    return all(is_term(one.strip()) or _SHORT.fullmatch(one.strip()) for one in text.split(","))


def are_systems(text: str) -> bool:
    """Whether it is an operating system as Azure writes it: `Windows Server 2022 Datacenter`."""
    return all(is_term(one) or is_system(one) or is_version(one) or is_number(one) for one in text.split(" "))


def is_service_name(text: str) -> bool:
    """Whether it is an extension that Azure itself puts on machines, by name."""
    return text.lower() in SERVICE_EXTENSIONS


def is_region(text: str) -> bool:
    """Whether it is one of Azure's public regions, as an id or as the portal names it."""
    return text.isascii() and text.replace(" ", "").lower() in _lists()["regions"]


def is_time(text: str) -> bool:
    """Whether it is a moment, as Azure or HTTP writes it."""
    return _TIME.fullmatch(text) is not None or _HTTP_TIME.fullmatch(text) is not None


def is_span(text: str) -> bool:
    """Whether it is a duration or a recurrence's step."""
    return _SPAN.fullmatch(text) is not None or _RECURRENCE.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Whether it is a version of numbers, or a dated one."""
    return _VERSION.fullmatch(text) is not None


def is_short_version(text: str) -> bool:
    """Whether it is a version whose parts are too short to be anything else that identifies somebody."""
    return _SHORT_VERSION.fullmatch(text) is not None


def is_number(text: str) -> bool:
    """Whether it is a number too short to identify anything."""
    return _NUMBER.fullmatch(text) is not None


def is_size(text: str) -> bool:
    """Whether it is a size of VMs, by the form of their names."""
    return _SIZE.fullmatch(text) is not None


def is_time_zone(text: str) -> bool:
    """Whether it is a time zone as Windows names it."""
    return text.isascii() and as_windows_writes(text) is not None


def is_of_an_image(text: str) -> bool:
    """Whether it is the publisher, offer or SKU of a platform image on one of our lists."""
    return text.isascii() and text.lower() in _images()


def is_system(text: str) -> bool:
    """Whether it is a distribution's or an edition's word."""
    return text.isascii() and text.lower() in _lists()["systems"]


def is_host(text: str) -> bool:
    """Whether it is a public host of Azure, the same for everybody."""
    return text.isascii() and text.lower() in _lists()["hosts"]


def host_suffix(text: str) -> str:
    """The end of a host's name that is the same for everybody, without its dot; empty: there is none."""
    lowered = text.lower()
    return next((one for one in _lists()["host_suffixes"] if lowered.endswith(f".{one}")), "")
