"""Which machines a dynamic scope takes in, by which part of its filter, and where that cannot be told.

A scope is prepared once and matched many times: `prepared(scope).match(Facts(machine))`. `match` does both.

Must not: look at configurations, or take a machine in on a guess. What no source states leaves the machine in doubt,
with the rule that says so.

Sources: azure-mgmt-maintenance's `ConfigurationAssignmentFilterProperties` and `TagSettingsProperties`; Microsoft's
"Dynamic scoping overview" (membership is worked out when the schedule runs). Whether tags compare with regard to case
is stated nowhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from patchmode.model.machine import Machine
from patchmode.model.plan import plain_region
from patchmode.model.schedule import DynamicScope
from patchmode.rules.eligibility.request_checks import UNKNOWN_OS
from patchmode.rules.rule import WARNS, Rule

Handle = tuple[str, ...]
"""What a machine must have for a scope to be worth a look: a group, a tag with its value, a region, or nothing."""


@dataclass(frozen=True, slots=True)
class Match:
    """A dynamic scope takes a machine in, for certain or perhaps."""

    clause: str
    """The scope and the part of its filter that matched, in words."""
    doubt: str | None = None
    """Why it is not certain, one sentence without a full stop; None: it is certain."""
    doubt_rule: str | None = None


@dataclass(frozen=True, slots=True)
class _Tags:
    """What the tags say: nothing against the machine, nothing for it, or something in between."""

    taken: tuple[str, ...]
    """The tags that matched, in the filter's words."""
    doubt: str | None = None
    rule: str | None = None


_NO_TAGS = _Tags(())


@dataclass(frozen=True, slots=True)
class _TagRule:
    key: str
    folded: str
    values: frozenset[str]
    folded_values: frozenset[str]


class Facts:
    """A machine in the form in which scopes compare it, worked out once for all of them."""

    __slots__ = ("group", "location", "machine", "subscription_id", "system", "tags", "type")

    def __init__(self, machine: Machine) -> None:
        """Describe a machine."""
        machine_id = machine.id
        self.machine = machine
        self.subscription_id = machine_id.subscription_id
        self.group = machine_id.resource_group.casefold()
        self.location = plain_region(machine.location)
        self.type = machine_id.full_type
        self.system = None if machine.os is None else machine.os.casefold()
        self.tags = {key.casefold(): (key, value) for key, value in machine.tags.items()}
        """Folded key → key and value as written."""

    def handles(self) -> list[Handle]:
        """Every handle by which a prepared scope may be found that takes the machine in."""
        place = self.subscription_id
        handles: list[Handle] = [(place,), (place, "group", self.group), (place, "location", self.location)]
        handles += [(place, "tag", folded, value.casefold()) for folded, (_, value) in self.tags.items()]
        return handles


@dataclass(slots=True)
class PreparedScope:
    """A dynamic scope with its filter in the form in which Azure compares it."""

    scope: DynamicScope
    group: str | None
    types: frozenset[str]
    groups: frozenset[str]
    systems: frozenset[str]
    locations: frozenset[str]
    tags: tuple[_TagRule, ...]
    _known: dict[tuple[object, ...], Match] = field(default_factory=dict)
    """Matches by what decided them: most machines of a scope share a few."""

    def handles(self) -> list[Handle]:
        """A machine that has none of these is certainly not taken in; the narrowest part of the filter gives them."""
        place = self.scope.subscription_id
        if self.group is not None:
            return [(place, "group", self.group)]
        if self.groups:
            return [(place, "group", name) for name in self.groups]
        decisive = self.tags if self.scope.filter.any_tag else self.tags[:1]
        if decisive and all(rule.values for rule in decisive):
            return [(place, "tag", rule.folded, value) for rule in decisive for value in rule.folded_values]
        if self.locations:
            return [(place, "location", name) for name in self.locations]
        return [(place,)]

    def match(self, facts: Facts) -> Match | None:
        """Whether the scope takes the machine in; None: certainly not."""
        if facts.subscription_id != self.scope.subscription_id:
            return None
        group, system = facts.group, facts.system
        if (self.group is not None and group != self.group) or (self.groups and group not in self.groups):
            return None
        if self.locations and facts.location not in self.locations:
            return None
        if self.types and facts.type not in self.types:
            return None
        if self.systems and system is not None and system not in self.systems:
            return None
        tags = self._tags(facts.tags) if self.tags else _NO_TAGS
        if tags is None:
            return None
        # The machine's own words, which the clause repeats: `westeurope` and `West Europe` decide alike, read apart.
        machine = facts.machine
        decided = (
            tags,
            machine.id.resource_group if self.groups else None,
            (machine.id.namespace, machine.id.type) if self.types else None,
            (system,) if self.systems else None,
            machine.location if self.locations else None,
        )
        found = self._known.get(decided)
        if found is None:
            found = self._known[decided] = self._told(machine, tags)
        return found

    def _tags(self, tags: Mapping[str, tuple[str, str]]) -> _Tags | None:
        if self.scope.filter.any_tag:
            hits = [found for rule in self.tags if (found := _tag(rule, tags)) is not None]
            return _together([entry for entry in hits if entry.doubt is None] or hits) if hits else None
        needed: list[_Tags] = []
        for rule in self.tags:
            found = _tag(rule, tags)
            if found is None:
                return None
            needed.append(found)
        return _together(needed)

    def _told(self, machine: Machine, tags: _Tags) -> Match:
        doubt, rule = tags.doubt, tags.rule
        unknown = self.scope.filter.unknown
        if doubt is None and self.systems and machine.os is None:
            doubt, rule = "it is not known which system the machine runs, and the filter asks for one", UNKNOWN_OS.id
        if doubt is None and unknown:
            many = "members" if len(unknown) > 1 else "the member"
            doubt = f"the filter also has {many} {', '.join(unknown)}, which this version cannot evaluate"
            rule = UNKNOWN_FILTER_MEMBER.id
        return Match(self._clause(machine, tags), doubt, rule)

    def _clause(self, machine: Machine, tags: _Tags) -> str:
        parts = [f"tag {text}" for text in tags.taken]
        if self.locations:
            parts.append(f"location {machine.location}")
        if self.groups:
            parts.append(f"resource group {machine.id.resource_group}")
        if self.types:
            parts.append(f"type {machine.id.namespace}/{machine.id.type}")
        if self.systems and machine.os is not None:
            parts.append(f"system {machine.os.value}")
        return f"{_heading(self.scope)}: {', '.join(parts) or 'every machine'}"


def prepared(scope: DynamicScope) -> PreparedScope:
    """A dynamic scope, ready to be matched with many machines."""
    filters = scope.filter
    return PreparedScope(
        scope=scope,
        group=None if scope.resource_group is None else scope.resource_group.casefold(),
        types=_folded(filters.resource_types),
        groups=_folded(filters.resource_groups),
        systems=_folded(filters.os_types),
        locations=frozenset(map(plain_region, filters.locations)),
        tags=tuple(
            _TagRule(key, key.casefold(), frozenset(values), _folded(values)) for key, values in filters.tags.items()
        ),
    )


def match(scope: DynamicScope, machine: Machine) -> Match | None:
    """Whether a dynamic scope takes a machine in.

    Returns:
        None: certainly not. A match with a `doubt`: perhaps; what it hangs on is stated nowhere or not known here.
    """
    return prepared(scope).match(Facts(machine))


def _folded(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(text.casefold() for text in texts)


def _heading(scope: DynamicScope) -> str:
    place = f"subscription {scope.subscription_id}"
    if scope.resource_group is not None:
        place = f"resource group {scope.resource_group} of {place}"
    return f"dynamic scope '{scope.name}' on {place}"


def _tag(rule: _TagRule, tags: Mapping[str, tuple[str, str]]) -> _Tags | None:
    """What one key of the filter says of a machine; `tags`: folded key → key and value as written."""
    if not rule.values:
        reason = f"the filter lists no value for the tag {rule.key}, and how Azure treats that is not documented"
        return _Tags((), reason, UNKNOWN_FILTER_MEMBER.id)
    written = tags.get(rule.folded)
    if written is None or written[1].casefold() not in rule.folded_values:
        return None
    key, value = written
    text = f"{key} = {value}"
    if key == rule.key and value in rule.values:
        return _Tags((text,))
    asked = f"{rule.key} = {' or '.join(sorted(rule.values))}"
    reason = (
        f"its tag {text} differs from the filter's {asked} by case, and whether Azure ignores case is not documented"
    )
    return _Tags((text,), reason, TAG_CASE.id)


def _together(found: Iterable[_Tags]) -> _Tags:
    entries = list(found)
    taken = tuple(text for entry in entries for text in entry.taken)
    doubtful = next((entry for entry in entries if entry.doubt is not None), _NO_TAGS)
    return _Tags(taken, doubtful.doubt, doubtful.rule)


# ------------------------------------------------------------------------------------------------ rules

TAG_CASE = Rule(
    "tag-case",
    "a dynamic scope's tags match only when case is ignored",
    WARNS,
    """
    What: The machine's tags match a dynamic scope only when case is ignored.
    Severity: Warns; the outcome is `unknown` unless another schedule decides.
    Why: Whether Azure compares the tags of a dynamic scope case-sensitively is unconfirmed.
    Evidence: The dynamic scope, and the tag as the machine has it.
    Fix: Write the tag exactly as the filter has it.
    Source: None: no source states it. Resource Manager itself compares tag names case-insensitively, and values
    case-sensitively.
    """,
    schedule_fix="Write the tag and the filter in the same case.",
)

UNKNOWN_FILTER_MEMBER = Rule(
    "unknown-filter-member",
    "a dynamic scope filters by what this version cannot evaluate",
    WARNS,
    """
    What: A dynamic scope filters by a member that this version cannot evaluate, such as `availabilityZones`, or lists
    no value for a tag.
    Severity: Warns on every machine that matches the rest of the filter; the outcome is `unknown` unless another
    schedule decides.
    Why: Whether the machine is a member depends on it.
    Evidence: The dynamic scope and the part of its filter that matched.
    Fix: Check in the portal whether the schedule lists the machine, or use a newer patchmode.
    Source: Azure REST API of configuration assignments: answers hold members that its documentation does not describe.
    """,
    schedule_fix="Check the members in the portal; this version cannot evaluate that filter.",
)

RULES = (TAG_CASE, UNKNOWN_FILTER_MEMBER)
