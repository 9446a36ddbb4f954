"""Which buckets a request spends from, whose they are, who sends it, and what its answer says about them."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from patchmode.arm.failures import ServiceFault
from patchmode.arm.rate_limits import Bucket, Limit, QuotaWindow, Tell, Ticket, span_text
from patchmode.ports.azure import Clock, GraphQuota, GraphQuotas

_FIRST = (0,)


class Identities:
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


class Policy(StrEnum):
    """Compute's throttling policies that this tool spends from, as the rate-limit header names them."""

    UPDATE_VM = "UpdateVM"
    LOW_COST_GET = "LowCostGet"
    HIGH_COST_GET = "HighCostGet"
    GET_OPERATION = "GetOperation"


class Verb(StrEnum):
    """Resource Manager's own buckets, as `x-ms-ratelimit-remaining-subscription-…` names them."""

    READS = "reads"
    WRITES = "writes"
    DELETES = "deletes"


COMPUTE_LIMITS: Mapping[Policy, Limit] = {
    Policy.UPDATE_VM: Limit(1_500, 500 / 60),
    Policy.LOW_COST_GET: Limit(24_000, 8_000 / 60),
    Policy.HIGH_COST_GET: Limit(900, 300 / 60),
    Policy.GET_OPERATION: Limit(15_000, 5_000 / 60),
}
ARM_LIMITS: Mapping[Verb, Limit] = {
    Verb.READS: Limit(250, 25),
    Verb.WRITES: Limit(200, 10),
    Verb.DELETES: Limit(200, 10),
}
GRAPH_QUERIES, GRAPH_WINDOW_S = 15, 5.0


class Cost(NamedTuple):
    """What one request costs. No subscription, no graph: it is not counted by any bucket known here."""

    subscription_id: str | None = None
    verb: Verb = Verb.READS
    policy: Policy | None = None
    region: str = ""
    """As in the machine's `location`; empty where the request is not about one region."""
    is_graph: bool = False
    identity: int | None = None
    """Who must send it, by its number in the roster; None: whoever sees the subscription and can leave first."""


class Permit(NamedTuple):
    """Leave to send one request as one identity; handed back with the answer."""

    spend: Cost
    tickets: tuple[tuple[Bucket, Ticket], ...]
    """The provider's bucket first, Resource Manager's last."""
    query: Ticket | None = None
    """Of Resource Graph's window; None: the request is no query."""
    identity: int = 0
    """The number in the roster of whose bucket granted it: the request must be signed by that one."""


class GovernedTurn:
    """A pass taken before its request is made; fulfils `ports.Turn`."""

    __slots__ = ("_governor", "_pass")

    def __init__(self, governor: "Governor", leave: Permit) -> None:
        self._governor = governor
        self._pass: Permit | None = leave

    def take(self) -> Permit | None:
        """The pass, once; None afterwards: a repeat of the request waits like any other."""
        leave, self._pass = self._pass, None
        return leave

    def give_back(self) -> None:
        """No request will use it. Safe to repeat, and after use: nothing happens then."""
        leave = self.take()
        if leave is not None:
            self._governor.returned(leave)


class _IdentityBuckets(NamedTuple):
    """One identity's way past Resource Manager."""

    identity: int
    own: tuple[Bucket, ...]
    """One bucket, or none where Resource Manager counts by no subscription."""


class _BucketsFor(NamedTuple):
    """Where a kind of request has to pass."""

    shared: tuple[Bucket, ...]
    """The provider's bucket, which counts whoever sends; none: it has no limit known here."""
    doors: tuple[_IdentityBuckets, ...]
    """Of every identity that may send it; at least one."""


class Governor:
    """All buckets of a connection, and who sends the next request.

    Resource Manager's buckets and Resource Graph's quota are each identity's own; Compute's are for the subscription
    and region, and so are shared by all identities.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        share: float = 1.0,
        roster: Identities | None = None,
        patience_s: float = math.inf,
        quotas: GraphQuotas | None = None,
        keys: Sequence[str] = (),
        remark: Callable[[str], None] | None = None,
    ) -> None:
        """Start with every bucket full.

        Args:
            clock: time.
            share: the part of each published limit to use at most, 0 < share <= 1; the rest is left to other clients.
            roster: the identities and what they see; it is looked at when a kind of request is first met. None: one.
            patience_s: how long a request waits where a refusal has closed its bucket; longer waits are not begun.
            quotas: what other processes were told of Resource Graph's quota; None: nothing is known of them.
            keys: what `quotas` calls each identity, in their order; an empty text, or none: it is not known there.
            remark: is told of each wait of more than a second, with its reason; None: nobody is.

        Raises:
            ValueError: share is out of range.
        """
        if not 0 < share <= 1:
            msg = f"the share of the limits must be above 0 and at most 1, not {share}"
            raise ValueError(msg)
        self.clock = clock
        self.patience_s = patience_s
        self._share = share
        self._roster = roster or Identities()
        self._ways: dict[Cost, _BucketsFor] = {}
        self._buckets: dict[tuple[object, ...], Bucket] = {}
        self._remark = remark
        told = self._teller(f"Azure Resource Graph, which grants {GRAPH_QUERIES} queries in {GRAPH_WINDOW_S:.0f} s")
        now = clock.monotonic()
        self._graph = tuple(_graph_window(now, share, told) for _ in self._roster.numbers)
        self._quotas = _SharedQuotas(clock, quotas, keys, self._graph)

    def _teller(self, what: str) -> Tell | None:
        """Who is told of waits at a limit."""
        remark = self._remark
        part = "" if self._share == 1 else f", of which this process uses {self._share * 100:g}%"
        return remark and (lambda wait_s: remark(f"Waiting {span_text(math.ceil(wait_s))} for {what}{part}."))

    async def acquire(self, spend: Cost, *, patience_s: float | None = None) -> Permit:
        """Wait until the request may leave, as whichever identity it leaves soonest.

        The provider's bucket is waited for first: a region that has run dry then holds up no other region's requests,
        and who sends is chosen only when it is known when.

        Args:
            spend: what it costs.
            patience_s: what is left of the request's patience; None: all of it.

        Raises:
            HeldTooLongError: a bucket was closed by a refusal for longer than the patience.
        """
        patience = self.patience_s if patience_s is None else patience_s
        query = None
        if spend.is_graph:
            self._quotas.take_over(spend.identity or 0)
            query = await self._graph[spend.identity or 0].pass_through(self.clock, patience_s=patience)
        way = self._ways.get(spend) or self._way_of(spend)
        tickets: list[tuple[Bucket, Ticket]] = []
        try:
            await self._spend(way.shared, tickets, patience)
            door = way.doors[0] if len(way.doors) == 1 else self._soonest(way.doors)
            await self._spend(door.own, tickets, patience)
        except BaseException:
            # Called off while waiting for the second bucket: the first one's request will never leave.
            self.returned(Permit(spend, tuple(tickets)))
            raise
        return Permit(spend, tuple(tickets), query, door.identity)

    def returned(self, leave: Permit) -> None:
        """Put the tokens of a pass that no request used back."""
        now = self.clock.monotonic()
        for bucket, ticket in leave.tickets:
            bucket.returned(ticket, now)

    async def _spend(self, buckets: Iterable[Bucket], tickets: list[tuple[Bucket, Ticket]], patience_s: float) -> None:
        for bucket in buckets:
            ticket = bucket.try_spend(self.clock.monotonic())
            tickets.append((bucket, ticket or await bucket.pass_through(self.clock, patience_s=patience_s)))

    def _soonest(self, doors: Iterable[_IdentityBuckets]) -> _IdentityBuckets:
        """Where the line is shortest in time; among equals, who has sent least there."""
        now = self.clock.monotonic()
        return min(doors, key=lambda door: [(bucket.line_s(now), bucket.sent) for bucket in door.own])

    def _way_of(self, spend: Cost) -> _BucketsFor:
        way = self._ways[spend] = _BucketsFor(tuple(self._shared(spend)), tuple(self._doors(spend)))
        return way

    def _shared(self, spend: Cost) -> Iterator[Bucket]:
        if spend.subscription_id is not None and spend.policy is not None:
            key = (spend.subscription_id, spend.region.casefold(), spend.policy)
            yield self._bucket(key, COMPUTE_LIMITS[spend.policy])

    def _doors(self, spend: Cost) -> Iterator[_IdentityBuckets]:
        if spend.subscription_id is None:
            yield _IdentityBuckets(spend.identity or 0, ())
            return
        chosen = self._roster.serving(spend.subscription_id) if spend.identity is None else (spend.identity,)
        for identity in chosen:
            key = (spend.subscription_id, spend.verb, identity)
            yield _IdentityBuckets(identity, (self._bucket(key, ARM_LIMITS[spend.verb]),))

    def _bucket(self, key: tuple[object, ...], published: Limit) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            limit = Limit(max(1.0, published.burst * self._share), published.per_second * self._share)
            reserve = published.burst - limit.burst
            tell = self._teller(_limit_text(key))
            bucket = self._buckets[key] = Bucket(limit, self.clock.monotonic(), reserve=reserve, tell=tell)
        return bucket

    def answered(self, leave: Permit, headers: Mapping[str, str] | None) -> None:
        """Learn from an answer of any status; None where no answer came."""
        now = self.clock.monotonic()
        if leave.query is not None:
            said = headers or {}
            remaining, resets_after_s = graph_remaining(said), graph_resets_after(said)
            self._graph[leave.identity].answered(leave.query, now, remaining=remaining, resets_after_s=resets_after_s)
            if remaining is not None:
                self._quotas.note(leave.identity, leave.query, remaining)
        for bucket, ticket in leave.tickets:
            remaining = None if headers is None else _remaining_in(bucket, leave, headers)
            bucket.answered(ticket, now, remaining=remaining)

    def refused(self, leave: Permit, fault: ServiceFault, *, retry_after_s: float | None) -> None:
        """Learn from a 429.

        Only the bucket that refused is slowed, as far as the answer tells: Resource Manager says `…RequestsThrottled`,
        a provider anything else, and a limit of one machine alone slows nothing but that machine.
        """
        now = self.clock.monotonic()
        if leave.spend.is_graph:
            self._graph[leave.identity].refused(now, retry_after_s=retry_after_s)
            self._quotas.note(leave.identity, leave.query, 0)
        if not leave.tickets or fault.is_one_resource:
            return
        is_front_door = fault.code.casefold().endswith("requeststhrottled")
        bucket, _ = leave.tickets[-1 if is_front_door else 0]
        bucket.refused(now, retry_after_s=retry_after_s)


class _SharedQuotas:
    """What processes tell each other of Resource Graph's quota, each identity's apart."""

    def __init__(
        self, clock: Clock, quotas: GraphQuotas | None, keys: Sequence[str], windows: Sequence[QuotaWindow]
    ) -> None:
        self._clock = clock
        self._quotas = quotas
        self._keys = tuple(keys)
        self._windows = windows
        self._known: set[int] = set()

    def _key(self, identity: int) -> str:
        return self._keys[identity] if identity < len(self._keys) else ""

    def take_over(self, identity: int) -> None:
        """Before an identity's first query, begin with what is left.

        What was noted in what is now the future, or for longer than anybody waits, was noted by another clock: it
        counts for nothing. SAFETY: and nothing that was noted holds up a query for longer than one window, since then
        Azure itself can say how it is.
        """
        if identity in self._known:
            return
        self._known.add(identity)
        key = self._key(identity)
        if self._quotas is None or not key or (noted := self._quotas.read(key)) is None:
            return
        now = self._clock.now()
        rest = (noted.resets_at - now) / timedelta(seconds=1)
        is_past = noted.noted_at <= now + _CLOCKS_APART and noted.noted_at <= noted.resets_at
        if is_past and 0 < rest <= _LONGEST_QUOTA_S and math.isfinite(noted.remaining):
            monotonic = self._clock.monotonic()
            self._windows[identity].resume(noted.remaining, monotonic + min(rest, GRAPH_WINDOW_S), monotonic)

    def note(self, identity: int, query: Ticket | None, remaining: float) -> None:
        """Tell the others what an answer said."""
        key = self._key(identity)
        if self._quotas is None or not key or query is None:
            return
        window, now = self._windows[identity], self._clock.now()
        rest = window.resets_at - self._clock.monotonic()
        if rest > 0:
            left = max(0.0, window.certain(query, remaining))
            self._quotas.write(key, GraphQuota(left, now, now + timedelta(seconds=rest)))


_CLOCKS_APART = timedelta(seconds=1)
_LONGEST_QUOTA_S = 900.0
"""As long as the throttle patience, which no refusal that was noted exceeds."""
_POLICY_WORDS: Mapping[Policy, str] = {
    Policy.UPDATE_VM: "changes of VMs",
    Policy.LOW_COST_GET: "reads of single VMs",
    Policy.HIGH_COST_GET: "lists of VMs",
    Policy.GET_OPERATION: "reads of operations",
}


def _limit_text(key: tuple[object, ...]) -> str:
    """A bucket by its key, as half a sentence about it calls it."""
    subscription, *_ = key
    for part in key:
        if isinstance(part, Policy):
            region = f" in {key[1]}" if key[1] else ""
            return f"Azure's limit on {_POLICY_WORDS[part]}{region} (subscription {subscription})"
        if isinstance(part, Verb):
            return f"Azure Resource Manager's limit on {part} (subscription {subscription})"
    return "a limit of Azure"


def _graph_window(now: float, share: float, tell: Tell | None) -> QuotaWindow:
    """A part of Resource Graph's quota: fewer queries in its window, or less than one in each as one in a longer."""
    queries = GRAPH_QUERIES * share
    ours = max(1, int(queries))
    return QuotaWindow(ours, GRAPH_WINDOW_S / min(1.0, queries), now, reserve=GRAPH_QUERIES - ours, tell=tell)


def _remaining_in(bucket: Bucket, leave: Permit, headers: Mapping[str, str]) -> float | None:
    if leave.spend.policy is not None and bucket is leave.tickets[0][0]:
        return compute_remaining(headers, leave.spend.policy)
    return arm_remaining(headers, leave.spend.verb)


def compute_remaining(headers: Mapping[str, str], policy: Policy) -> float | None:
    """What `x-ms-ratelimit-remaining-resource` says is left of a policy in this subscription and region.

    Args:
        headers: names in any case; a repeated header joined by commas, as HTTP allows and azure-core does.
        policy: the policy.

    Returns:
        None: the header is absent or does not name the policy.

    Source: recorded `Microsoft.Compute/UpdateVMSubscriptionMaximum;1499,Microsoft.Compute/UpdateVMResource;11`.
    """
    text = headers.get("x-ms-ratelimit-remaining-resource")
    if text is None:
        return None
    found = re.search(rf"/{policy}SubscriptionMaximum;(\d+)", text)
    return float(found[1]) if found else None


def arm_remaining(headers: Mapping[str, str], verb: Verb) -> float | None:
    """What is left for this principal, or for all of them together where that is less. None: not said."""
    names = (f"x-ms-ratelimit-remaining-subscription-{verb}", f"x-ms-ratelimit-remaining-subscription-global-{verb}")
    said = [value for name in names if (value := _number(headers.get(name))) is not None]
    return min(said, default=None)


def graph_remaining(headers: Mapping[str, str]) -> float | None:
    """Queries left in the present window. Source: recorded `x-ms-user-quota-remaining: 14`."""
    return _number(headers.get("x-ms-user-quota-remaining"))


def graph_resets_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until the quota is whole again. Source: recorded `x-ms-user-quota-resets-after: 00:00:05`."""
    parts = (headers.get("x-ms-user-quota-resets-after") or "").split(":")
    numbers = [_number(part) for part in parts]
    if len(numbers) != 3 or None in numbers:
        return None
    hours, minutes, seconds = (number or 0.0 for number in numbers)
    return hours * 3600 + minutes * 60 + seconds


def _number(text: str | None) -> float | None:
    """A count that is not negative; None for anything else, since a header must never stop a run."""
    if text is None or not re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", text):
        return None
    return float(text)
