"""One part of a scope that several processes divide among themselves, by subscription.

Must not: look at anything but a subscription's id: what else a fleet holds must never move a machine to another part.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

MOST = 10_000
"""Parts that a scope may be divided into; more than that is a slip of the keyboard."""
OPTION = "--shard"
_TEXT = re.compile(r"(?P<number>\d{1,6})/(?P<count>\d{1,6})", re.ASCII)


class ShardError(ValueError):
    """A text that names no shard; the message says why and is no whole sentence."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`, counted from 1.

    A subscription belongs to the shard `1 + (first 8 bytes of SHA-256 of its id in lower case, as a number) mod count`.
    So each belongs to exactly one shard of a count, on every computer and in every run, whatever else there is.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that `I/N` names.

        Raises:
            ShardError: it is not of that form, or I is not between 1 and N.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            msg = f"{text!r} is not of the form I/N"
            raise ShardError(msg)
        number, count = int(match["number"]), int(match["count"])
        if not 1 <= count <= MOST:
            msg = f"{text!r} asks for {count:,} shards; there are 1 to {MOST:,}"
            raise ShardError(msg)
        if not 1 <= number <= count:
            msg = f"{text!r}: the shards of {count:,} are numbered from 1 to {count:,}"
            raise ShardError(msg)
        return cls(number, count)

    @classmethod
    def of_scope(cls, texts: Iterable[str]) -> "Shard | None":
        """The shard that a plan's scope was narrowed to; None: it was not, or not in a way that is known here.

        Args:
            texts: a scope as its options, one text each: `--shard 2/8`.
        """
        found = next((text for text in texts if text.startswith(f"{OPTION} ")), None)
        try:
            return None if found is None else cls.parse(found.removeprefix(OPTION))
        except ShardError:
            return None

    def takes(self, identifier: str) -> bool:
        """Whether a subscription belongs to this shard.

        Args:
            identifier: its id in any case; or the name of something that stands above subscriptions, of which exactly
                one shard is to speak.
        """
        digest = hashlib.sha256(identifier.lower().encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
