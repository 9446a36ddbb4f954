"""How machines are divided into waves, as the user says it: by a tag, by availability zone, by region.

Must not: look at machines; `rules/waves.py` does.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

FORMS = "tag:NAME, zone or region, each with an order if you like: tag:ring=canary|early|broad"


class WaveRuleError(ValueError):
    """A text that says no way to divide machines; the message says why and is no whole sentence."""


class WaveKey(StrEnum):
    """What machines are divided by."""

    TAG = "tag"
    ZONE = "zone"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class WaveRule:
    """One way to divide machines. Where there are several, each divides what those before it made."""

    key: WaveKey
    tag: str = ""
    """The tag's name, as it was written; empty for the other keys. Compared without regard to case, as Azure does."""
    order: tuple[str, ...] = ()
    """Values in the order of their waves; empty: in natural order, so that 2 comes before 10. Values that are not named
    form one wave after those that are."""

    @classmethod
    def parse(cls, text: str) -> "WaveRule":
        """Read `tag:NAME`, `zone` or `region`, each optionally with an order: `=A|B|C`.

        Raises:
            WaveRuleError: it is none of these, or the order names a value twice or an empty one.
        """
        name, equals, listed = text.strip().partition("=")
        kind, colon, tag = name.partition(":")
        key = next((one for one in WaveKey if one == kind.strip().casefold()), None)
        if key is None or (key is WaveKey.TAG) != bool(colon) or (colon and not tag.strip()):
            msg = f"{text!r} is no way to divide machines: expected {FORMS}"
            raise WaveRuleError(msg)
        order = tuple(value.strip() for value in listed.split("|")) if equals else ()
        if key is WaveKey.REGION:
            order = tuple(map(plain_region, order))
        if "" in order:
            msg = f"{text!r} names an empty value"
            raise WaveRuleError(msg)
        twice = _repeated(order)
        if twice is not None:
            msg = f"{text!r} names {twice} twice"
            raise WaveRuleError(msg)
        return cls(key, tag.strip(), order)

    @property
    def subject(self) -> str:
        """What it divides by, in words: `tag ring`, `zone`, `region`."""
        return f"tag {self.tag}" if self.tag else str(self.key)

    def __str__(self) -> str:
        name = f"{self.key}:{self.tag}" if self.tag else str(self.key)
        return f"{name}={'|'.join(self.order)}" if self.order else name


def wave_rules(texts: Iterable[str]) -> tuple[WaveRule, ...]:
    """Several rules, each dividing what those before it made.

    Raises:
        WaveRuleError: as `WaveRule.parse`, or two of them divide by the same.
    """
    rules = tuple(map(WaveRule.parse, texts))
    twice = _repeated(one.subject.casefold() for one in rules)
    if twice is not None:
        msg = f"{twice} is given twice"
        raise WaveRuleError(msg)
    return rules


def plain_region(text: str) -> str:
    """A region as ids have it: `West Europe` and `westeurope` are one."""
    return text.replace(" ", "").casefold()


def _repeated(values: Iterable[str]) -> str | None:
    return next((value for value, times in Counter(values).items() if times > 1), None)
