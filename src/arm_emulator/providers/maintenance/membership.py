"""Which machines a maintenance configuration takes in: static assignments united with dynamic scopes, resolved now.

Reads the state and remembers what it made of each machine until that machine changes. Decides nothing about success.

Source: "About Dynamic Scoping" and the assignments' specification (stable/2023-04-01) for the filter; what is
UNCONFIRMED in it is a switch.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arm_emulator.resource_id import parse_id
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.profile import Profile
    from arm_emulator.protocol.cloud import Cloud

ASSIGNMENT_TYPE = "microsoft.maintenance/configurationassignments"
CONFIGURATION_TYPE = "microsoft.maintenance/maintenanceconfigurations"
VIRTUAL_MACHINE = "microsoft.compute/virtualmachines"
ARC_MACHINE = "microsoft.hybridcompute/machines"
MACHINE_TYPES = (VIRTUAL_MACHINE, ARC_MACHINE)
DYNAMIC_SCOPE_LIMIT = 1000
"""Machines that one dynamic scope takes in (documentation of maintenance configurations, limits)."""
_KNOWN = frozenset({"resourcetypes", "resourcegroups", "ostypes", "locations", "tagsettings"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What a filter can ask of a machine; all in lower case but the tags."""

    stored: Stored
    os: str
    location: str
    tags: Mapping[str, str]
    """As the machine has them."""
    zones: frozenset[str]


@dataclass(frozen=True, slots=True)
class Scope:
    """A dynamic scope, taken apart once."""

    subscription: str
    group: str
    """``''``: the whole subscription."""
    types: frozenset[str]
    groups: frozenset[str]
    systems: frozenset[str]
    locations: frozenset[str]
    tags: Mapping[str, frozenset[str]]
    needs_all_tags: bool
    zones: frozenset[str]
    ids: frozenset[str]
    is_impossible: bool
    """A member that nobody knows narrows it, and the profile honours such members: then nothing matches."""

    def takes(self, machine: Facts, tag_case: str) -> bool:
        """Whether a machine that stands in this scope's place passes the filter."""
        stored = machine.stored
        return (
            not self.is_impossible
            and (not self.types or stored.type in self.types)
            and (not self.groups or stored.group in self.groups)
            and (not self.systems or machine.os in self.systems)
            and (not self.locations or machine.location in self.locations)
            and (not self.zones or bool(self.zones & machine.zones))
            and (not self.ids or stored.key in self.ids)
            and (not self.tags or self._takes_tags(machine.tags, tag_case))
        )

    def _takes_tags(self, tags: Mapping[str, str], tag_case: str) -> bool:
        found = (_has_tag(tags, key, values, tag_case) for key, values in self.tags.items())
        return all(found) if self.needs_all_tags else any(found)


def _has_tag(tags: Mapping[str, str], key: str, values: frozenset[str], tag_case: str) -> bool:
    if tag_case == "exact":
        return tags.get(key) in values
    for name, value in tags.items():
        if name.lower() == key.lower():
            return value in values if tag_case == "values-exact" else value.lower() in {one.lower() for one in values}
    return False


def read_scope(assignment: Stored, profile: "Profile") -> Scope:
    """The dynamic scope that an assignment at a subscription or a group is. Null, absent and [] do not narrow."""
    given = (assignment.document.get("properties") or {}).get("filter")
    parts = {str(name).lower(): value for name, value in given.items()} if isinstance(given, dict) else {}
    settings = parts.get("tagsettings")
    settings = settings if isinstance(settings, dict) else {}
    tags = settings.get("tags")
    tags = tags if isinstance(tags, dict) else {}
    is_honoured = profile.dynamic_scope_extra_filters == "honoured"
    unknown = [
        name for name, value in parts.items() if value and name not in _KNOWN | {"resourceids", "availabilityzones"}
    ]
    return Scope(
        subscription=assignment.subscription,
        group=assignment.group,
        types=_words(parts.get("resourcetypes")),
        groups=_words(parts.get("resourcegroups")),
        systems=_words(parts.get("ostypes")),
        locations=frozenset(word.replace(" ", "") for word in _words(parts.get("locations"))),
        tags={str(key): frozenset(map(str, values)) for key, values in tags.items() if isinstance(values, list)},
        needs_all_tags=str(settings.get("filterOperator") or "All").lower() != "any",
        zones=_words(parts.get("availabilityzones")) if is_honoured else frozenset(),
        ids=frozenset(word.rstrip("/") for word in _words(parts.get("resourceids"))) if is_honoured else frozenset(),
        is_impossible=is_honoured and bool(unknown),
    )


def _words(values: Any) -> frozenset[str]:
    return frozenset(str(value).strip().lower() for value in values) if isinstance(values, list) else frozenset()


def os_of(machine: Document) -> str:
    """``windows``, ``linux`` or ``''``: of the OS disk, else of the configuration block, else of an Arc machine."""
    properties = machine.get("properties") or {}
    disk = (properties.get("storageProfile") or {}).get("osDisk") or {}
    named = disk.get("osType") or properties.get("osType")
    if named:
        return str(named).lower()
    profile = properties.get("osProfile") or {}
    return next((system for system in ("windows", "linux") if f"{system}Configuration" in profile), "")


def configuration_of(assignment: Stored) -> str:
    """The key of the configuration that an assignment names, ``''`` where it names none."""
    named = (assignment.document.get("properties") or {}).get("maintenanceConfigurationId")
    return named.rstrip("/").lower() if isinstance(named, str) else ""


class Membership:
    """Who belongs to which configuration, as the state stands."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self._facts: dict[str, Facts] = {}
        self._taken_at = -1
        self._static: dict[str, list[Stored]] = {}
        self._dynamic: dict[str, list[Stored]] = {}
        self._members: dict[str, tuple[Stored, ...]] = {}
        self._scopes: dict[str, tuple[Stored, Scope]] = {}

    def forget(self) -> None:
        """Drop everything that was remembered."""
        self._facts.clear()
        self._scopes.clear()
        self._taken_at = -1

    def configurations(self) -> set[str]:
        """The keys of every configuration that some assignment names, whether it exists or not."""
        self._refresh()
        return {*self._static, *self._dynamic}

    def members(self, configuration: str, *, left_out: frozenset[str] = frozenset()) -> tuple[Stored, ...]:
        """The machines of a configuration, each once, in order of their keys.

        Args:
            configuration: its key.
            left_out: keys of assignments that do not count (written too late for a window).
        """
        self._refresh()
        if left_out:
            return self._resolved(configuration, left_out)
        known = self._members.get(configuration)
        if known is None:
            known = self._members[configuration] = self._resolved(configuration, left_out)
        return known

    def assignments(self, configuration: str) -> Iterator[Stored]:
        """The assignments, static and dynamic, that name a configuration."""
        self._refresh()
        yield from self._static.get(configuration, ())
        yield from self._dynamic.get(configuration, ())

    def _refresh(self) -> None:
        state = self._cloud.state
        if state.changes == self._taken_at:
            return
        self._taken_at = state.changes
        self._members = {}
        self._static, self._dynamic = {}, {}
        for assignment in state.of_type(ASSIGNMENT_TYPE):
            # An assignment at a subscription or a group stands on no resource.
            index = self._static if parse_id(assignment.id).parent else self._dynamic
            index.setdefault(configuration_of(assignment), []).append(assignment)

    def _resolved(self, configuration: str, left_out: frozenset[str]) -> tuple[Stored, ...]:
        found: dict[str, Stored] = {}
        for assignment in self._static.get(configuration, ()):
            machine = self._cloud.state.get(parse_id(assignment.id).parent)
            if machine is not None and machine.type in MACHINE_TYPES and assignment.key not in left_out:
                found[machine.key] = machine
        for assignment in self._dynamic.get(configuration, ()):
            if assignment.key not in left_out:
                found.update((machine.key, machine) for machine in self._taken_by(assignment))
        return tuple(found[key] for key in sorted(found))

    def _taken_by(self, assignment: Stored) -> list[Stored]:
        profile = self._cloud.profile
        kept = self._scopes.get(assignment.key)
        if kept is None or kept[0] is not assignment:
            kept = self._scopes[assignment.key] = (assignment, read_scope(assignment, profile))
        scope = kept[1]
        taken = [
            machine
            for machine in self._standing_in(scope)
            if scope.takes(self._facts_of(machine), profile.dynamic_scope_tag_case)
        ]
        if len(taken) <= DYNAMIC_SCOPE_LIMIT or profile.dynamic_scope_over_limit == "all":
            return taken
        return sorted(taken, key=lambda one: one.key)[:DYNAMIC_SCOPE_LIMIT]

    def _standing_in(self, scope: Scope) -> Iterable[Stored]:
        """The machines of the scope's place; of the groups that its filter names alone, where it names some."""
        state = self._cloud.state
        groups: Iterable[str | None] = [scope.group or None]
        if scope.groups:
            groups = sorted(scope.groups & {scope.group}) if scope.group else sorted(scope.groups)
        for type_ in MACHINE_TYPES:
            if not scope.types or type_ in scope.types:
                for group in groups:
                    yield from state.of_type(type_, subscription=scope.subscription, group=group)

    def _facts_of(self, stored: Stored) -> Facts:
        known = self._facts.get(stored.key)
        if known is None or known.stored is not stored:
            known = self._facts[stored.key] = _facts(stored)
        return known


def _facts(stored: Stored) -> Facts:
    tags = stored.document.get("tags")
    zones = stored.document.get("zones")
    return Facts(
        stored,
        os_of(stored.document),
        stored.location,
        {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {},
        frozenset(map(str, zones)) if isinstance(zones, list) else frozenset(),
    )
