"""What stands for a value: the same for the same, another for another, of the same kind, and case for case.

Must not: hold a part of what it stands for, or its length (an operation's signed query aside, whose length matters).
"""

import re
from collections.abc import Callable, Iterator
from itertools import count

ZERO_GUID = "0" * 32
_GUID_LETTERS = "abcdefab-cdef-4abc-8def-"
_MOST_CASINGS = 200
"""Of one word. Further ones are taken for other words: they stay distinct, and are no longer seen to be variants."""


class Substitutes:
    """The substitutes of one set of exchanges.

    Args:
        taken: everything that the set holds, as text: what stands in there by chance is never given as a substitute.
    """

    def __init__(self, taken: str) -> None:
        self._taken = taken.casefold()
        self._made: dict[tuple[str, str], str] = {}
        self._bases: dict[tuple[str, str, int], str] = {}
        self._numbers: dict[str, Iterator[int]] = {}
        self._given: set[str] = set()
        self._names: set[str] = set()

    @property
    def names(self) -> frozenset[str]:
        """Everything that was replaced so far, case-folded."""
        return frozenset(self._names)

    def is_given(self, text: str) -> bool:
        """Whether this is a substitute, exactly as it was given."""
        return text in self._given

    def is_name(self, text: str) -> bool:
        """Whether this was replaced before, in any case."""
        return text.casefold() in self._names

    def note(self, original: str) -> None:
        """Remember a text as one that is replaced wherever it stands."""
        self._names.add(original.casefold())

    def name(self, original: str) -> str:
        """Of what somebody chose, or of what is not known; empty stays empty."""
        if not original:
            return original
        self.note(original)
        return self._variant("name", original, "name{:04d}".format)

    def guid(self, original: str) -> str:
        """Of a GUID with or without dashes, braces aside; the one of zeros says nothing and stays."""
        compact = original.replace("-", "")
        if compact == ZERO_GUID:
            return original
        whole = self._variant("guid", compact, lambda number: f"{_GUID_LETTERS}{number:012x}")
        return whole if "-" in original else whole.replace("-", "")

    def digits(self, original: str) -> str:
        """Of a text of digits: digits, six or more."""
        length = max(6, len(original))
        return self._plain(f"digits{length}", original, lambda number: str(10 ** (length - 1) + number))

    def number(self, original: float) -> int | float:
        """Of a JSON number."""
        made = int(self._plain("number", repr(original), lambda number: str(100_000 + number)))
        return made + 0.5 if isinstance(original, float) else made

    def address(self, original: str) -> str:
        """Of an IP address, by its form: of the ranges that are kept for tests and documents (RFC 2544, RFC 3849)."""
        if ":" in original:
            return self._plain("ipv6", original.lower(), "2001:db8::{:x}".format)
        return self._plain("ipv4", original, _test_address)

    def mac(self, original: str) -> str:
        """Of a MAC address, with its own separators."""
        made = self._plain("mac", re.sub("[-:]", "", original).lower(), lambda number: f"02{number:010x}")
        separator = next((one for one in "-:" if one in original), "")
        return separator.join(re.findall("..", made))

    def email(self, original: str) -> str:
        """Of an e-mail address or a user principal name."""
        return self._variant("email", original, "user{:04d}@example.com".format)

    def host(self, original: str) -> str:
        """Of a host's name."""
        return self._plain("host", original.lower(), "host{:04d}.example".format)

    def opaque(self, original: str) -> str:
        """Of a part of a signed address, whose length is kept; at least ten characters."""
        made = self._plain("opaque", original, "opaque{:04d}".format)
        return made.ljust(len(original), "x")

    def _plain(self, kind: str, key: str, make: Callable[[int], str]) -> str:
        known = self._made.get((kind, key))
        if known is None:
            known = self._made[kind, key] = self._new(kind, make)
            self._given.add(known)
        return known

    def _variant(self, kind: str, original: str, make: Callable[[int], str]) -> str:
        """The substitute of a word in one casing; its other casings get other casings of the same."""
        known = self._made.get((kind, original))
        if known is not None:
            return known
        for form in count():
            place = (kind, original.casefold(), form)
            if place not in self._bases:
                self._bases[place] = self._new(kind, make)
            for casing in _casings(self._bases[place], original):
                if casing not in self._given:
                    self._given.add(casing)
                    self._made[kind, original] = casing
                    return casing
        raise AssertionError

    def _new(self, kind: str, make: Callable[[int], str]) -> str:
        numbers = self._numbers.setdefault(kind, count(1))
        return next(made for made in map(make, numbers) if made.casefold() not in self._taken)


def _test_address(number: int) -> str:
    return f"198.{18 + number // 65_536}.{number // 256 % 256}.{number % 256}"


def _casings(base: str, original: str) -> Iterator[str]:
    """The casings of a substitute, those first that are like the original's: all lower, all upper, or mixed."""
    lower, upper = original == original.lower(), original == original.upper()
    if lower:
        yield base.lower()
    elif upper:
        yield base.upper()
    letters = [at for at, letter in enumerate(base) if letter.isalpha()]
    for bits in range(1, min(2 ** len(letters) - 1, _MOST_CASINGS)):
        raised = {letters[at] for at in range(len(letters)) if bits >> at & 1}
        yield "".join(letter.upper() if at in raised else letter for at, letter in enumerate(base))
