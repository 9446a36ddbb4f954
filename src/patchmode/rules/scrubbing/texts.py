"""Ids, addresses and sentences without what is personal in them.

Must not: decide by the member or header that a text stands in (`exchanges`); let stay what `allowed` does not name.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, unquote

from patchmode.rules.scrubbing import allowed
from patchmode.rules.scrubbing.substitutes import Substitutes

GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_WHOLE_GUID = re.compile(rf"([{{(]?)({GUID}|[0-9a-fA-F]{{32}})([}})]?)")
_EMAIL = re.compile(r"[^\s@/'\"<>]+@[^\s@/'\"<>]+")
_IPV4 = re.compile(r"((?:[0-9]{1,3}[.]){3}[0-9]{1,3})(/[0-9]{1,2}|:[0-9]{1,5})?")
_IPV6 = re.compile(r"(?=[^:]*:[^:]*:)([0-9a-fA-F:]{3,39})(/[0-9]{1,3})?")
_MAC = re.compile(r"[0-9a-fA-F]{2}([-:])[0-9a-fA-F]{2}(\1[0-9a-fA-F]{2}){4}|(?=[0-9]*[a-fA-F])[0-9a-fA-F]{12}")
_DIGITS = re.compile(r"[0-9]+")
_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:[?]([^#]*))?(?:#(.*))?", re.IGNORECASE | re.DOTALL | re.ASCII)
_PIECE = re.compile(
    rf"(?P<time>(?<![\w-]){allowed.MOMENT}(?![\w-]))"
    r"|(?P<url>https?://[^\s\"'<>\\]+)"
    r"|(?P<path>(?<![\w.~-])/[^\s\"'<>\\,;]+)"
    r"|(?P<colons>(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:]))"
    r"|(?P<quoted>(?<![^\W_])(?P<mark>\\{0,9}[\"'`])(?P<inner>(?:(?!(?P=mark)).)*?)(?P=mark)(?![^\W_]))",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)
_TOKEN = re.compile(r"[^\s\"'`,;:()\[\]{}<>=|!?&*+\\^~]+", re.ASCII)
_RESOURCE_PATH = re.compile(
    r"/(subscriptions|providers|tenants|sharedgalleries|communitygalleries)(/|$)", re.IGNORECASE | re.ASCII
)
_KEY = re.compile(r"(ssh-[a-z0-9]+|ecdsa-[a-z0-9-]+)\s", re.ASCII)
_SHORT = re.compile("[0-9]{1,2}")
"""Too short to tell anything, and in many sentences."""
_TAIL = ".,;:!?)]}"
_LITERALS: Mapping[str, frozenset[str]] = {
    "patchassessmentresults": frozenset({"latest"}),
    "versions": frozenset({"latest"}),
    "extensions": allowed.SERVICE_EXTENSIONS,
}
"""Type of a resource → names of which the service gives each machine the same."""
_PLAIN_PARAMETERS: Mapping[str, Callable[[str], bool]] = {
    "api-version": allowed.is_version,
    "monitor": allowed.is_term,
    "statusonly": allowed.is_term,
    "recurse": allowed.is_term,
    "$expand": allowed.are_terms,
    "$top": allowed.is_number,
    "$skip": allowed.is_number,
}
_SIGNED_PARAMETERS = frozenset({"c", "s", "h", "$skiptoken"})
_KNOWN_PARAMETERS = frozenset({*_PLAIN_PARAMETERS, *_SIGNED_PARAMETERS, "p", "t", "$filter", "$select", "$orderby"})
_MOST_LAYERS = 4
"""Times that a text is decoded; what is still encoded then is a name as it stands."""


class Texts:
    """Scrubs texts with one set of substitutes.

    Args:
        substitutes: of the set of exchanges.
        nested: scrubs the JSON values that a text holds.
    """

    def __init__(self, substitutes: Substitutes, nested: Callable[[object], object]) -> None:
        self.substitutes = substitutes
        self._nested_values = nested
        self._known: re.Pattern[str] | None = None
        self._is_learning = True

    def learn(self) -> None:
        """From here on, sentences are scrubbed, too: what is a name is known, and found also within a word.

        Before, only ids and addresses in them are looked at, so that no part of a sentence is taken for a name.
        """
        self._is_learning = False
        names = [one for one in self.substitutes.names if len(one) > 2 and not _says_nothing(one)]
        self._known = _any_of(names) if names else None

    def value(self, text: str) -> str:
        """A text that is an id, an address, a GUID or a name, by its form."""
        if is_id(text):
            return self.path(text)
        if _URL.fullmatch(text):
            return self.url(text)
        key = _KEY.match(text)
        if key:
            return f"{'ssh-rsa' if key[1] not in _KEY_KINDS else key[1]} {self.substitutes.name(text)}"
        return self.formed_or_name(text)

    def formed_or_name(self, text: str) -> str:
        """The substitute of a text that is neither an id nor an address."""
        return self._formed(text) or self.substitutes.name(text)

    def _formed(self, text: str) -> str:
        """The substitute of a text that has a form of its own; empty: it has none."""
        made = self.substitutes
        made.note(text)
        if guid := _WHOLE_GUID.fullmatch(text):
            return f"{guid[1]}{made.guid(guid[2])}{guid[3]}"
        if _EMAIL.fullmatch(text):
            return made.email(text)
        if _MAC.fullmatch(text):
            return made.mac(text)
        if found := _IPV4.fullmatch(text) or _IPV6.fullmatch(text):
            return made.address(found[1]) + (found[2] or "")
        return made.digits(text) if _DIGITS.fullmatch(text) and text.isascii() else ""

    # ------------------------------------------------------------------------------------------------ addresses

    def url(self, text: str) -> str:
        """An address: host, path and parameters, none of which is dropped; who signs in by it is."""
        parts = _URL.fullmatch(text)
        if parts is None:
            return self.substitutes.name(text)
        scheme, place, path, query, fragment = parts.groups()
        host = self._host(place.rpartition("@")[2])
        told = "" if query is None else "?" + "&".join(self._parameter(one) for one in query.split("&"))
        end = "" if fragment is None else f"#{self.substitutes.name(fragment)}"
        shown = self.path(path) if is_id(path) else self._names_of(path, is_public=allowed.is_host(host))
        return f"{scheme.lower()}://{host}{shown}{told}{end}"

    def _host(self, text: str) -> str:
        if allowed.is_host(text):
            return text
        suffix = allowed.host_suffix(text)
        if suffix:
            labels = text[: -len(suffix) - 1].split(".")
            return ".".join([*(self.substitutes.name(label) for label in labels), suffix])
        return self.substitutes.host(text)

    def _names_of(self, path: str, *, is_public: bool) -> str:
        """A path of another service: every part is a name, but for words on a host that is the same for everybody."""
        parts = path.split("/")
        return "/".join(one if is_public and allowed.is_term(one) else self._segment(one, self.value) for one in parts)

    def _parameter(self, text: str) -> str:
        name, sign, given = text.partition("=")
        key = unquote(name).lower()
        shown = (
            name if key in _KNOWN_PARAMETERS and unquote(name).isascii() else quote(self.value(unquote(name)), safe="")
        )
        return f"{shown}{sign}{self._segment(given, lambda one: self._argument(key, one))}"

    def _argument(self, key: str, text: str) -> str:
        if not text or (key in _PLAIN_PARAMETERS and _PLAIN_PARAMETERS[key](text)):
            return text
        if key in _SIGNED_PARAMETERS:
            return self.substitutes.opaque(text)
        if key in ("$filter", "$select", "$orderby"):
            return self.sentence(text)
        return self.value(text)

    def _segment(self, text: str, scrub: Callable[[str], str]) -> str:
        """A part of an address, decoded as often as it is encoded; encoded again as often where it was changed."""
        plain, layers = text, 0
        while layers < _MOST_LAYERS and unquote(plain) != plain:
            plain, layers = unquote(plain), layers + 1
        made = scrub(plain) if plain else plain
        if made == plain:
            return text
        for _ in range(layers):
            made = quote(made, safe="" if "/" in plain else "/")
        return made

    def path(self, text: str) -> str:
        """An id, or any other path: types stay, the names that follow them do not."""
        return "/".join(self._path(text.split("/")))

    def _path(self, segments: list[str]) -> Iterator[str]:
        kind = ""
        """Of the resource whose name comes next; empty: a type comes next."""
        for segment in segments:
            plain = unquote(segment)
            if not segment:
                yield segment
            elif kind:
                yield self._named(segment, plain, kind)
                kind = ""
            else:
                yield segment if allowed.is_term(plain) and segment == plain else self._segment(segment, self.value)
                kind = plain.lower() if plain.lower() != "providers" else "providers"

    def _named(self, segment: str, plain: str, kind: str) -> str:
        """The segment after a type."""
        if kind == "providers":
            return segment if allowed.is_term(segment) and "." in segment else self._segment(segment, self.value)
        if kind == "locations" and allowed.is_region(plain):
            return segment
        if plain.lower() in _LITERALS.get(kind, ()):
            return segment
        return self._segment(segment, self._name_or_id)

    def _name_or_id(self, text: str) -> str:
        return self.path(text) if is_id(text) else self.formed_or_name(text)

    # ------------------------------------------------------------------------------------------------ sentences

    def sentence(self, text: str) -> str:
        """A message, a query or a filter: Azure's words stay, and what they speak of does not."""
        nested = self._nested(text)
        if nested is not None:
            return nested
        made, at = [], 0
        for piece in _PIECE.finditer(text):
            made.append(self._words(text[at : piece.start()]))
            made.append(self._piece(piece))
            at = piece.end()
        return "".join([*made, self._words(text[at:])])

    def _nested(self, text: str) -> str | None:
        """JSON in a text, scrubbed as a body is; None: it is none."""
        if text.lstrip()[:1] not in ("{", "["):
            return None
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            return None
        return json.dumps(self._nested_values(values), separators=(", ", ": ") if '": ' in text else (",", ":"))

    def _piece(self, piece: re.Match[str]) -> str:
        if piece["quoted"] is not None:
            return f"{piece['mark']}{self._quoted(piece['inner'])}{piece['mark']}"
        whole = piece[0]
        if piece["time"] is not None or not whole.strip(":"):
            return whole
        if piece["colons"] is not None:
            return whole if allowed.is_span(whole) else self.formed_or_name(whole)
        kept = whole.rstrip(_TAIL)
        scrub = self.url if piece["url"] else self.path if is_id(kept) else self._slashed
        return scrub(kept) + whole[len(kept) :]

    def _quoted(self, text: str) -> str:
        """What stands in quotes: most often the very thing that the sentence is about."""
        if not text or self.substitutes.is_given(text):
            return text
        if self.substitutes.is_name(text) and not _SHORT.fullmatch(text):
            return self.value(text)
        if is_id(text) or _URL.fullmatch(text):
            return self.value(text)
        if re.search(r"\s", text):
            return self.sentence(text)
        return self._token(text)

    def _words(self, text: str) -> str:
        """Text without quotes and addresses."""
        if self._is_learning:
            return text
        made, at = [], 0
        for found in self._known.finditer(text) if self._known else ():
            made.append(_TOKEN.sub(lambda one: self._word(one[0]), text[at : found.start()]))
            made.append(self.formed_or_name(found[0]))
            at = found.end()
        return "".join([*made, _TOKEN.sub(lambda one: self._word(one[0]), text[at:])])

    def _word(self, text: str) -> str:
        kept = text.strip(".")
        if allowed.is_word(kept) or not kept:
            return text
        before, _, after = text.partition(kept)
        return f"{before}{self._token(kept)}{after}"

    def _token(self, text: str) -> str:
        """One word, or several that are joined without a blank."""
        if self._is_learning or self.substitutes.is_given(text):
            return text
        if "%" in text and unquote(text) != text:
            return self._segment(text, self.sentence)
        if self.substitutes.is_name(text) and not allowed.is_word(text) and not _SHORT.fullmatch(text):
            return self.value(text)
        if _IPV4.fullmatch(text):
            return self._formed(text)
        if "/" in text:
            return text if allowed.is_listed(text) else self._slashed(text)
        if _is_harmless(text) or allowed.is_term(text):
            return text
        return self.formed_or_name(text)

    def _slashed(self, text: str) -> str:
        """`Microsoft.Compute/virtualMachines/web-01`, an action, or words."""
        first, *rest = text.split("/")
        if "." not in first or not allowed.is_term(first):
            return "/".join(self._token(one) if one else one for one in (first, *rest))
        if all(allowed.is_term(one) and not self.substitutes.is_name(one) for one in rest):
            return text
        return "/".join([first, *self._path(rest)])


_KEY_KINDS = frozenset({"ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"})


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """What finds each of some names, the longest first, where no letter and no digit joins it."""
    told = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.compile(rf"(?<![a-z0-9])(?:{told})(?![a-z0-9])", re.IGNORECASE)


def is_id(text: str) -> bool:
    """Whether it is the path of a resource, or of a list of them."""
    return _RESOURCE_PATH.match(text) is not None


def _says_nothing(text: str) -> bool:
    return allowed.is_word(text) or _is_harmless(text)


def _is_harmless(text: str) -> bool:
    return any(
        is_so(text)
        for is_so in (
            allowed.is_number,
            allowed.is_region,
            allowed.is_time,
            allowed.is_span,
            allowed.is_short_version,
            allowed.is_size,
            allowed.is_system,
        )
    )
