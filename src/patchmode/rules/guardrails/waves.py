"""Which machine of a plan belongs to which wave, and which ones go first as canaries.

Must not: decide whether a machine changes, or keep more of a machine than a few words that many of them share: their
documents are looked at one at a time.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from patchmode.model.machine import Machine
from patchmode.model.plan import Change, Unchanged, Wave, WaveKey, WaveRule, plain_region
from patchmode.model.resource_id import ResourceId

CANARY = "canary"
REST = "rest"
"""All but the canaries, where nothing divides them."""
OTHER = "(other)"
"""Stands for all values that an order does not name."""
_NUMBER = re.compile(r"(\d+)")
_NAMED, _UNNAMED, _WITHOUT = range(3)
_PREFIXES = {WaveKey.TAG: "{tag}=", WaveKey.ZONE: "zone ", WaveKey.REGION: "region "}


@dataclass(frozen=True, slots=True)
class Division:
    """The same changes and unchanged machines in the order of their waves."""

    changes: tuple[Change, ...]
    unchanged: tuple[Unchanged, ...]
    waves: tuple[Wave, ...]


class _Place(NamedTuple):
    """Where a machine stands by one rule; places compare in the order of their waves."""

    rank: int
    order: tuple[int | str, ...]
    value: str
    label: str


class _Facts(NamedTuple):
    """What of a machine decides about its wave."""

    places: tuple[_Place, ...]
    spread: tuple[str, str, str]
    """Subscription, region, operating system."""


_Wave = tuple[int, tuple[_Place, ...]]
"""Canaries before the others, and these by their places."""


def in_waves(
    changes: Sequence[Change],
    unchanged: Sequence[Unchanged],
    machines: Iterable[Machine],
    rules: Sequence[WaveRule],
    *,
    canary: int = 0,
) -> Division:
    """Divide what a plan carries out into waves.

    Args:
        changes: of the plan, in any order.
        unchanged: those that get a schedule; empty where none is attached.
        machines: at least those of `changes` and `unchanged`, with their documents, in any order.
        rules: each divides what those before it made; empty: all but the canaries is one wave.
        canary: so many machines form a wave of their own before all others. They are those that come first, so that
            none of them overtakes a machine of an earlier wave; of one wave they are taken in turn from subscriptions,
            regions and operating systems, and those that change before those that only get a schedule.

    Returns:
        Within a wave machines stand in the order of their ids. Values without an order come in natural order, machines
        without the tag or the zone last.

    Raises:
        KeyError: a machine is missing in `machines`.
    """
    wanted = {one.id for one in changes} | {one.id for one in unchanged}
    facts = _facts(machines, wanted, rules)
    first = frozenset(_canaries([one.id for one in changes], [one.id for one in unchanged], facts, canary))

    def wave_of(one: Change | Unchanged) -> _Wave:
        return (0, ()) if one.id in first else (1, facts[one.id].places)

    def place_of(one: Change | Unchanged) -> tuple[_Wave, str]:
        return wave_of(one), one.id.key

    changing, same = Counter(map(wave_of, changes)), Counter(map(wave_of, unchanged))
    waves = sorted(changing.keys() | same.keys())
    return Division(
        tuple(sorted(changes, key=place_of)),
        tuple(sorted(unchanged, key=place_of)),
        tuple(Wave(name, changing[wave], same[wave]) for name, wave in zip(_names(waves), waves, strict=True)),
    )


def unheard_of(machines: Iterable[Machine], rules: Sequence[WaveRule]) -> tuple[str, ...]:
    """Values that an order names and no machine has, each as `ring=canray`: a slip of the keyboard, or nobody's yet.

    Args:
        machines: all of the scope, with their documents.
        rules: those without an order name no values.
    """
    missing = {(rule, value): None for rule in rules for value in rule.order}
    for machine in machines:
        if not missing:
            break
        for rule in rules:
            missing.pop((rule, _value(rule, machine) or ""), None)
    return tuple(_label(rule, value) for rule, value in missing)


def _facts(
    machines: Iterable[Machine], wanted: Collection[ResourceId], rules: Sequence[WaveRule]
) -> Mapping[ResourceId, _Facts]:
    found: dict[ResourceId, _Facts] = {}
    # Machines that are alike share one value: a fleet has few places, and many machines.
    shared: dict[_Facts, _Facts] = {}
    for machine in machines:
        if machine.id in wanted:
            places = tuple(_place(rule, _value(rule, machine)) for rule in rules)
            region = plain_region(machine.location)
            facts = _Facts(places, (machine.id.subscription_id, region, str(machine.os or "")))
            found[machine.id] = shared.setdefault(facts, facts)
    return found


def _value(rule: WaveRule, machine: Machine) -> str | None:
    """What the machine has of the rule's tag or zone; None: nothing."""
    if rule.key is WaveKey.TAG:
        wanted = rule.tag.casefold()
        return next((value for name, value in machine.tags.items() if name.casefold() == wanted), None)
    if rule.key is WaveKey.REGION:
        return plain_region(machine.location) or None
    zones = (machine.document or {}).get("zones") or ()
    return "+".join(sorted(map(str, zones), key=_natural)) or None


def _place(rule: WaveRule, value: str | None) -> _Place:
    if value is None:
        return _Place(_WITHOUT, (), "", f"no {rule.subject}")
    if not rule.order:
        return _Place(_UNNAMED, _natural(value), value, _label(rule, value))
    if value in rule.order:
        return _Place(_NAMED, (rule.order.index(value),), value, _label(rule, value))
    return _Place(_UNNAMED, (), "", _label(rule, OTHER))


def _natural(text: str) -> tuple[int | str, ...]:
    """Sorts `ring2` before `ring10`: texts at even places, numbers at odd ones."""
    parts = _NUMBER.split(text.casefold())
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts))


def _label(rule: WaveRule, value: str) -> str:
    return _PREFIXES[rule.key].format(tag=rule.tag) + value


def _names(waves: Iterable[_Wave]) -> Iterator[str]:
    """One for each wave, all different, though the values of two tags may read like those of one."""
    taken: set[str] = set()
    for is_rest, places in waves:
        base = (_printable(" / ".join(one.label for one in places)) or REST) if is_rest else CANARY
        name, times = base, 1
        while name in taken:
            times += 1
            name = f"{base} ({times})"
        taken.add(name)
        yield name


def _printable(text: str) -> str:
    # A tag holds whatever a person typed; a wave's name is shown on terminals and stands on one line.
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _canaries(
    changes: Iterable[ResourceId], unchanged: Iterable[ResourceId], facts: Mapping[ResourceId, _Facts], count: int
) -> Iterator[ResourceId]:
    """The machines of the canary wave, spread as well as their waves allow."""
    if count <= 0:
        return
    pools: dict[tuple[tuple[_Place, ...], bool], dict[tuple[str, str, str], list[ResourceId]]]
    pools = defaultdict(lambda: defaultdict(list))
    for only_schedule, ids in ((False, changes), (True, unchanged)):
        for one in sorted(ids, reverse=True):
            pools[facts[one].places, only_schedule][facts[one].spread].append(one)
    taken: Counter[str | tuple[str, str, str]] = Counter()
    for _, pool in sorted(pools.items()):
        while pool and count:
            # The least represented subscription, of these the least represented region, and so on.
            spread = min(pool, key=lambda one: (*(taken[part] for part in one), taken[one], one))
            taken.update((*spread, spread))
            yield pool[spread].pop()
            count -= 1
            if not pool[spread]:
                del pool[spread]
