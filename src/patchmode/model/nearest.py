"""What was perhaps meant by a name that nothing has: the nearest of the names that there are."""

import re
from collections.abc import Iterable, Mapping

_NOTHING = re.compile(r"[\W_]+")
"""What people leave out or mistake most: blanks, hyphens, underscores."""


_ALIKE = 0.7
"""The least likeness, as `difflib` measures it; with its own 0.6 words that share a few letters would be suggested."""


def nearest(text: str, known: Mapping[str, str] | Iterable[str]) -> str | None:
    """The value that was perhaps meant; None: none is near.

    Args:
        text: as it was given.
        known: the values, or their names as `plain` makes them → the value.
    """
    import difflib  # Only where somebody slipped.

    names = known if isinstance(known, Mapping) else {plain(one): one for one in known}
    given = plain(text)
    begun = [name for name in names if given and name.startswith(given)]
    near = begun or difflib.get_close_matches(given, names, n=1, cutoff=_ALIKE)
    return names[near[0]] if near else None


def plain(text: str) -> str:
    """A name without case, blanks and marks, so that only its letters and digits are compared."""
    return _NOTHING.sub("", text.casefold())
