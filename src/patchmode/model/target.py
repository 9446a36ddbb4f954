"""Where a plan, a journal or a report belongs: cloud, endpoint and tenant, and what its subscriptions are called."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from patchmode.model.plain_text import printable

_WHOLE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}", re.IGNORECASE)
_SHORT_ID = re.compile(r"(?:^|[(\[])[0-9a-f]{8}(?![0-9a-z])", re.IGNORECASE)
_ID_CUTS = (8, 13, 18, 23)
"""Where an id's short form may end: with its first group, or a later one where another subscription begins alike."""
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Printable by their category, and not seen. Source: Unicode's Default_Ignorable_Code_Point, and its blank letters."""


@dataclass(frozen=True, slots=True)
class SubscriptionNames:
    """Display names as Azure gave them; empty: none are known."""

    pairs: tuple[tuple[str, str], ...] = ()
    """(id in lower case, display name), ordered by id, each id once."""
    owners: tuple[tuple[str, str], ...] = ()
    """(id in lower case, tenant that it belongs to) of those that another tenant delegates to the one signed in to."""

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], owners: Iterable[tuple[str, str]] = ()) -> Self:
        """The names of subscriptions, given as (id in any case, display name) in any order; of twice one the first.

        Args:
            pairs: see there.
            owners: (id in any case, home tenant) of delegated subscriptions, in any order; of twice one the first.
        """
        return cls(_first_of_each(pairs), _first_of_each(owners))

    def joined(self, others: Self) -> Self:
        """These names, and the others' of subscriptions that have none here."""
        return self.of((*self.pairs, *others.pairs), (*self.owners, *others.owners))

    def kept_for(self, ids: Iterable[str]) -> Self:
        """The names of these subscriptions and of every other that bears one of their names.

        What is kept this way makes the same labels for `ids` later as all names make now, wherever that is told by a
        name.

        Args:
            ids: subscription ids, any case, repeats allowed.
        """
        wanted = {one.lower() for one in ids}
        keys = {_key(name) for subscription_id, name in self.pairs if subscription_id in wanted}
        kept = (pair for pair in self.pairs if pair[0] in wanted or _key(pair[1]) in keys)
        return type(self)(tuple(kept), tuple(pair for pair in self.owners if pair[0] in wanted))

    def name_of(self, subscription_id: str) -> str:
        """The display name as Azure gave it; empty where it is not known."""
        return dict(self.pairs).get(subscription_id.lower(), "")

    def owner_of(self, subscription_id: str) -> str:
        """The tenant that delegates a subscription to the one signed in to; empty: it is not delegated."""
        return dict(self.owners).get(subscription_id.lower(), "")

    def delegated(self) -> Mapping[str, tuple[str, ...]]:
        """Tenant → its subscriptions that it delegates to the one signed in to, in the order of their ids.

        Azure lists a subscription of another tenant only where that tenant delegates something in it. Source:
        Microsoft, "Cross-tenant management experiences" of Azure Lighthouse (homeTenantId and managedByTenants, which
        also name the partner tenants of managed applications); azure-cli takes the list's tenantId for homeTenantId.
        """
        found: dict[str, tuple[str, ...]] = {}
        for subscription_id, tenant_id in self.owners:
            found[tenant_id] = (*found.get(tenant_id, ()), subscription_id)
        return found


def _first_of_each(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for subscription_id, text in pairs:
        found.setdefault(subscription_id.lower(), text)
    return tuple(sorted(found.items()))


def labels(names: SubscriptionNames, ids: Iterable[str] = ()) -> Mapping[str, str]:
    """What to call each subscription: its name where that tells it apart, with its short id where not, else its id.

    Args:
        names: every name that is known.
        ids: further subscriptions that are to be called something, any case.

    Returns:
        Id in lower case → printable label, of every id in `names` and `ids`. No two are equal, also without regard to
        case and white space; none reads as another subscription's id. They hang on the set alone, not on its order.
    """
    known = dict(names.pairs)
    every = {*known, *(one.lower() for one in ids)}
    short = _short_ids(every)
    shared = Counter(_key(name) for name in known.values())
    made = {one: _label(one, known.get(one, ""), short[one], shared) for one in every}
    taken = Counter(_key(label) for label in made.values())
    return {one: label if taken[_key(label)] == 1 else one for one, label in made.items()}


def in_a_list(label: str) -> str:
    """A label that holds what parts names in a list, or in a path, in quotation marks; any other as it is."""
    return '"' + label.replace('"', '\\"') + '"' if set(label) & set('/,:;"') else label


def _label(subscription_id: str, name: str, short: str, shared: Mapping[str, int]) -> str:
    text = printable(name.strip(" "))
    if not _key(text) or _WHOLE_ID.search(unicodedata.normalize("NFKC", text)):
        return subscription_id
    is_plain = shared[_key(name)] == 1 and not _SHORT_ID.search(unicodedata.normalize("NFKC", text))
    return text if is_plain else f"{text} ({short})"


def _short_ids(ids: Iterable[str]) -> Mapping[str, str]:
    """Id → its beginning that none of the others has."""
    every = tuple(ids)
    starts = {cut: Counter(one[:cut] for one in every) for cut in _ID_CUTS}
    return {one: next((one[:cut] for cut in _ID_CUTS if starts[cut][one[:cut]] == 1), one) for one in every}


def _key(name: str) -> str:
    """What two names that people take for the same have in common: neither case nor what is not seen counts."""
    seen = _UNSEEN.sub("", printable(name.strip(" ")))
    return "".join(unicodedata.normalize("NFKC", seen).casefold().split())


@dataclass(frozen=True, slots=True)
class Target:
    """One Azure Resource Manager and one tenant. A plan for one target is refused on another."""

    cloud: str
    """`AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`, or the name that a custom cloud's metadata gives."""
    endpoint: str
    """Resource Manager's https URL without a trailing slash."""
    tenant_id: str
    names: SubscriptionNames = field(default_factory=SubscriptionNames)
    """Of its subscriptions, as far as they were listed; empty: nobody looked, or a version kept none."""

    def with_names_of(self, ids: Iterable[str]) -> "Target":
        """The same with the names that tell these subscriptions, ids in any case, and no more."""
        return replace(self, names=self.names.kept_for(ids))

    def same_as(self, other: "Target") -> bool:
        """Whether both speak of one tenant on one endpoint; no display name counts."""
        return (
            self.endpoint.casefold() == other.endpoint.casefold()
            and self.tenant_id.casefold() == other.tenant_id.casefold()
        )
