"""Who a connection works as, by number, and which of them sees which subscription.

Why: Resource Manager counts requests per subscription and principal, and Resource Graph per user, so several service
principals have several times the limits (Microsoft, "Understand how Azure Resource Manager throttles requests", advises
large estates to distribute their work over service principals).

Must not: send or wait.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

_FIRST = (0,)


class Roster:
    """The identities of a connection. One alone is never asked what it sees: whatever there is to do, it does."""

    def __init__(self, names: Sequence[str] = ("",)) -> None:
        """Begin knowing nothing of what they see.

        Args:
            names: what messages call them, in order; an identity's number is its place here. At least one.
        """
        self.names = tuple(names)
        self._serving: dict[str, tuple[int, ...]] = {}
        self._homes: dict[str, int] = {}
        self._whole: tuple[tuple[int, tuple[str, ...]], ...] = ((0, ()),)

    @property
    def numbers(self) -> range:
        """The number of every identity."""
        return range(len(self.names))

    def learn(self, seen: Sequence[Iterable[str]]) -> None:
        """Take over what each identity sees.

        Each subscription gets a home among those that see it, where Resource Graph is asked about it: those that fewest
        see are given out first, each to whoever has least, so that the parts are alike in size. The same lists give the
        same homes.

        Args:
            seen: ids of subscriptions in any case, one entry for each identity.
        """
        serving: dict[str, list[int]] = defaultdict(list)
        for number, subscriptions in enumerate(seen):
            for subscription_id in sorted({entry.lower() for entry in subscriptions}):
                serving[subscription_id].append(number)
        self._serving = {subscription_id: tuple(numbers) for subscription_id, numbers in serving.items()}
        load: Counter[int] = Counter()
        self._homes = {}
        for subscription_id in sorted(serving, key=lambda entry: (len(serving[entry]), entry)):
            home = min(serving[subscription_id], key=lambda number: (load[number], number))
            load[home] += 1
            self._homes[subscription_id] = home
        if self._homes:
            self._whole = self.divided(sorted(self._homes))

    def serving(self, subscription_id: str) -> tuple[int, ...]:
        """The identities that see a subscription; the first where none does, whom Azure's own answer then tells so."""
        return self._serving.get(subscription_id.lower(), _FIRST)

    def divided(self, subscriptions: Sequence[str]) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Who asks Resource Graph about what, so that each subscription is asked about once.

        Args:
            subscriptions: ids in any case; empty: all that the identities see.

        Returns:
            (identity, its subscriptions), each identity at most once; without subscriptions, everything that it sees.
        """
        if not subscriptions:
            return self._whole
        parts: dict[int, list[str]] = defaultdict(list)
        for subscription_id in subscriptions:
            parts[self._homes.get(subscription_id.lower(), 0)].append(subscription_id)
        return tuple((number, tuple(part)) for number, part in sorted(parts.items()))
