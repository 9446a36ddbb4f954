"""One page of a list. Must not: know what is listed, or HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Page(Generic[Entry]):
    """What one page shows, and where in the list it is."""

    rows: Sequence[Entry]
    """Of the page."""
    total: int
    """On all pages."""
    before: int
    """On earlier pages."""
    page: int
    """From 1 to `pages`."""
    pages: int
    """At least 1."""

    @classmethod
    def of(cls, found: Sequence[Entry], page: int, size: int, **more: Any) -> Self:
        """A page of a list.

        Args:
            found: the whole list, in its order.
            page: as asked for; what is out of bounds is the nearest.
            size: rows on a page, at least 1.
            more: what a kind of page has besides.
        """
        pages = max(1, -(-len(found) // size))
        page = min(max(1, page), pages)
        before = (page - 1) * size
        return cls(found[before : before + size], len(found), before, page, pages, **more)

    @property
    def first(self) -> int:
        """The number of the page's first row, from 1; 0 where there is none."""
        return self.before + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """The number of the page's last row."""
        return self.before + len(self.rows)
