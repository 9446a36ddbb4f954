"""Rows that could not be read: each page parted into what was read and what was not, and the sentence that counts them.

Must not: drop a row. What is local to a row stands in docs/decisions/0017.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from patchmode.model.plan import Unreadable

T = TypeVar("T")
Unread = dict[str, Unreadable]
"""What could not be read, by its id, so that what two queries both bring counts once."""
_SHOWN = 3


def parted(page: Iterable[T | Unreadable], unread: Unread) -> list[T]:
    """What could be read of a page; the rest is put into `unread`."""
    read: list[T] = []
    for entry in page:
        if isinstance(entry, Unreadable):
            unread.setdefault(entry.id, entry)
        else:
            read.append(entry)
    return read


def counted(unread: Mapping[str, Unreadable], what: str, so: str) -> tuple[str, ...]:
    """The sentence about rows that could not be read; none where all could be.

    Args:
        unread: the rows.
        what: they are about: `schedules`.
        so: what the reader must not conclude, as half a sentence.
    """
    if not unread:
        return ()
    rows = "1 row" if len(unread) == 1 else f"{len(unread):,} rows"
    told = [f"{entry.id}: {entry.reason}" for entry in unread.values()]
    more = f"; and {len(told) - _SHOWN:,} more" if len(told) > _SHOWN else ""
    return (f"{rows} about {what} could not be read, so {so}: {'; '.join(told[:_SHOWN])}{more}.",)
