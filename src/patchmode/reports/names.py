"""What machines and their subscriptions are called in one output.

Production and development often hold the same groups and machines. Where an output speaks of more than one
subscription, each machine carries its own: `Production/rg-web/web-01`.

Must not: make labels; `model/target.py` does.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from patchmode.model.plain_text import printable
from patchmode.model.resource_id import ResourceId, ResourceIdError, subscription_of
from patchmode.model.target import Target, in_a_list, labels
from patchmode.reports.text.layout import Section, plural

SUBSCRIPTIONS_SHOWN = 5
_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_GUID = re.compile(_ID, re.IGNORECASE)
_PLACES = re.compile(rf"((?<![-/\w])subscriptions? )({_ID}(?:(?:, | and ){_ID})*)", re.IGNORECASE)
_RESOURCE = re.compile(
    rf"(?<![\w-])/subscriptions/{_ID}/resourceGroups/[^/,;:\n]{{1,90}}/providers/[\w.]+/\w+/[\w.-]*[\w-]", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class MachineNames:
    """The names of one output."""

    labels: Mapping[str, str]
    """Subscription id in lower case → what it is called, fit to stand in a list of names."""
    subscriptions: Mapping[str, int]
    """Subscription id in lower case → how often the output speaks of it; those of which it does not are left out."""

    @classmethod
    def of(cls, target: Target, ids: Iterable[ResourceId | str]) -> Self:
        """The names for an output.

        Args:
            target: has the subscriptions' names.
            ids: of every machine, schedule and place that the output may name, repeated as often as it is to be
                counted; subscription ids among them.
        """
        told = Counter(filter(None, map(_subscription, ids)))
        made = labels(target.names, told)
        return cls({one: in_a_list(label) for one, label in made.items()}, told)

    def short(self, any_id: ResourceId | str) -> str:
        """Group and name, with the subscription where the output speaks of several; other texts as they are."""
        try:
            one = any_id if isinstance(any_id, ResourceId) else ResourceId.parse(any_id)
        except ResourceIdError:
            return printable(str(any_id))
        name = printable(f"{one.resource_group}/{one.name}")
        return f"{self.subscription(one.subscription_id)}/{name}" if self.are_several else name

    def sections(self, ids: Iterable[ResourceId], *, is_short: bool = False) -> Iterator[Section]:
        """Where each is: columns of subscription and group in a pipe, a line above its rows on a terminal.

        Args:
            ids: of machines or schedules; a group is one, in whatever casing they name it.
            is_short: without the subscription, where the output names it elsewhere.
        """
        made: dict[tuple[str, str], Section] = {}
        for one in ids:
            place = one.subscription_id.lower(), one.resource_group.casefold()
            if place not in made:
                group, label = printable(one.resource_group), self.subscription(one.subscription_id)
                whole = Section((label, group), f"{group}  (subscription {label})")
                made[place] = Section((group,), group) if is_short else whole
            yield made[place]

    def schedule(self, configuration: ResourceId) -> str:
        """A schedule's name, with group and subscription where the output speaks of several."""
        return self.short(configuration) if self.are_several else printable(configuration.name)

    def named(self, text: str) -> str:
        """A sentence of ours in which names stand for ids: of `subscription {id}`, and of whole resources.

        Not for a command: it needs the ids.
        """

        def with_names(found: re.Match[str]) -> str:
            return found[1] + _GUID.sub(lambda one: self.subscription(one[0]), found[2])

        return _RESOURCE.sub(lambda found: self.short(found[0]), _PLACES.sub(with_names, text))

    @property
    def are_several(self) -> bool:
        """Whether the output speaks of more than one subscription."""
        return len(self.subscriptions) > 1

    def subscription(self, subscription_id: str) -> str:
        """What a subscription is called."""
        return self.labels.get(subscription_id.lower(), subscription_id)

    @property
    def place(self) -> str:
        """`subscription Production`, `2 subscriptions: Production, Development`; empty where there is none.

        In the order of the ids, as machines are listed.
        """
        names = [self.subscription(one) for one in sorted(self.subscriptions)]
        if len(names) < 2:
            return "".join(f"subscription {name}" for name in names)
        more = len(names) - SUBSCRIPTIONS_SHOWN
        shown = ", ".join(names[:SUBSCRIPTIONS_SHOWN])
        return f"{len(names):,} subscriptions: {shown}" + (f" and {more:,} more" if more > 0 else "")

    def spread(self, counts: Mapping[str, int]) -> str:
        """What follows a number of machines: ` in subscription Production`, ` (Production: 12 machines, …)`, nothing.

        Args:
            counts: subscription id in lower case → machines.
        """
        if len(counts) < 2:
            return "".join(f" in subscription {self.subscription(one)}" for one in counts)
        return f" ({self.counted(counts)})"

    def counted(self, counts: Mapping[str, int]) -> str:
        """`Production: 12 machines, Development: 3 machines`, the most first; empty where there are none.

        Args:
            counts: subscription id in lower case → machines.
        """
        order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        shown = [f"{self.subscription(one)}: {plural(count, 'machine')}" for one, count in order[:SUBSCRIPTIONS_SHOWN]]
        rest = order[SUBSCRIPTIONS_SHOWN:]
        if rest:
            machines = plural(sum(count for _, count in rest), "machine")
            shown.append(f"{plural(len(rest), 'more subscription')}: {machines}")
        return ", ".join(shown)


def _subscription(one: ResourceId | str) -> str | None:
    if isinstance(one, ResourceId):
        return one.subscription_id
    # What names no resource is told in words, such as the row of Resource Graph that it was.
    return one.lower() if _GUID.fullmatch(one) else subscription_of(one)
