"""Machines that pasted text names: which of Azure's are meant by a name, and by an id that a line break left open."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from patchmode.errors import NotSentError, RequestError, UsageError
from patchmode.model.left_alone import Unreadable
from patchmode.model.resource_id import ResourceId
from patchmode.model.scope import LoggedMachine, LogReading, MachineName, Scope
from patchmode.ports.azure import Azure, GraphScope
from patchmode.rules.pasted_text.reading import read_operations
from patchmode.workflow.inventory.bulk_reading import parted
from patchmode.workflow.inventory.scoping import GUID, Selection

_SHOWN = 5
_MOST_DEPLOYMENTS = 100
"""Deployments inside deployments that are looked into."""


@dataclass(slots=True)
class TextMatches:
    """The machines of pasted text, as far as they could be told."""

    machines: list[ResourceId] = field(default_factory=list)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    """Names that no machine has, or none where it was looked for."""
    notes: list[str] = field(default_factory=list)
    by_text: dict[str, tuple[ResourceId, ...]] = field(default_factory=dict)
    """Option and file of each text → its machines."""


async def look_up_texts(azure: Azure, scope: Scope, selection: Selection) -> TextMatches:
    """Find out which machines pasted texts mean.

    All names of all texts are asked of Resource Graph by one query. Where subscriptions, management groups or resource
    groups are selected too, a name means a machine in them and no other; of several the one that `--ids` names.

    Args:
        azure: a connection; reading is enough.
        scope: its texts and its ids are looked at.
        selection: the other selectors, resolved.

    Raises:
        UsageError: a name that several machines have; all are listed.
        RequestError: Resource Graph is refused or fails: names have no other source.
    """
    matches = TextMatches()
    search = _Search(selection, {ResourceId.parse(text) for text in scope.ids})
    await search.look(azure, scope.logs, matches)
    for reading in scope.logs:
        source = source_of(reading)
        before = len(matches.machines)
        if reading.deployments and reading.names_nothing:
            matches.machines += await _Deployments(azure, matches, source).failed(reading.deployments)
        matches.machines += [_meant(entry, search.exists, source, matches.notes) for entry in reading.machines]
        for entry in reading.names:
            found = search.found(entry.machine)
            if len(found) > 1:
                search.ambiguous.setdefault(f"{source} names {str(entry.machine)!r}", found)
            elif found:
                matches.machines.append(found[0])
            elif scope.takes(str(entry.machine)):  # one shard tells it
                told = f"{source} names it without an id, and {search.told(entry.machine)}"
                matches.unreadable[f"{source}: {entry.machine}"] = Unreadable(str(entry.machine), told)
        matches.notes += _notes(reading, source)
        matches.by_text[f"{reading.option} {reading.source or '-'}"] = tuple(matches.machines[before:])
    _refuse(search.ambiguous)
    return matches


@dataclass(slots=True)
class _Deployments:
    """The machines of failed deployments, and of the deployments that those began."""

    azure: Azure
    matches: TextMatches
    source: str

    async def failed(self, deployments: Sequence[str]) -> list[ResourceId]:
        """The machines that failed, each once; what each failed on is noted."""
        found: dict[ResourceId, LoggedMachine] = {}
        waiting, seen = list(deployments), {one.casefold() for one in deployments}
        count = 0
        while waiting and len(seen) <= _MOST_DEPLOYMENTS:
            deployment = waiting.pop(0)
            operations = await self._operations(deployment)
            count += len(operations)
            reading = read_operations(operations)
            for entry in reading.machines:
                found.setdefault(entry.id, entry)
            inner = [one for one in reading.deployments if one.casefold() not in seen]
            seen.update(one.casefold() for one in inner)
            waiting += inner
        if waiting:
            self.matches.notes.append(
                f"{self.source}: more than {_MOST_DEPLOYMENTS} deployments are nested; not all were read."
            )
        self._note(deployments, found, count)
        return list(found)

    async def _operations(self, deployment: str) -> list[Any]:
        try:
            pages = self.azure.provider.deployment_operations(deployment)
            return [one async for page in pages for one in page if isinstance(one, dict)]
        except NotSentError:
            raise
        except RequestError as error:
            reason = f"{self.source} names this deployment, and its operations could not be read: {error.message}"
            self.matches.unreadable[deployment] = Unreadable(deployment, reason)
            return []

    def _note(self, deployments: Sequence[str], found: Mapping[ResourceId, LoggedMachine], count: int) -> None:
        if not count:
            return
        which = _some([one.rpartition("/")[2] for one in deployments])
        told = [entry for entry in found.values() if entry.error is not None and entry.error.is_prerequisite]
        other = [entry for entry in found.values() if entry not in told]
        codes = [entry.error.code if entry.error else "" for entry in other]
        why = [f"{entry.id.name} ({code or 'no reason'})" for entry, code in zip(other, codes, strict=True)]
        operations = "1 operation" if count == 1 else f"{count:,} operations"
        machines = "1 machine" if len(found) == 1 else f"{len(found):,} machines"
        named = f"{machines}: {len(told):,} because the prerequisites to patch it were not met"
        named += f", {len(other):,} for another reason: {_some(why)}" if why else ""
        self.matches.notes.append(
            f"{self.source} names deployment {which}. Of its {operations} those that failed name "
            + (f"{named}." if found else "no machine.")
        )


def source_of(reading: LogReading) -> str:
    """What to call a text."""
    return "standard input" if reading.source == "-" else reading.source or "the text"


@dataclass(slots=True)
class _Search:
    """What Resource Graph knows of the names, and within what they were to be found."""

    selection: Selection
    ids: set[ResourceId]
    by_name: dict[str, list[ResourceId]] = field(default_factory=lambda: defaultdict(list))
    exists: set[ResourceId] = field(default_factory=set)
    ambiguous: dict[str, list[ResourceId]] = field(default_factory=dict)

    async def look(self, azure: Azure, logs: Sequence[LogReading], matches: TextMatches) -> None:
        wanted = {entry.machine.name for reading in logs for entry in reading.names}
        doubts = [entry for reading in logs for entry in reading.machines if entry.or_else is not None]
        wanted |= {one.name for entry in doubts for one in (entry.id, entry.or_else) if one is not None}
        if not wanted or not self.selection.visible:
            return
        async for page in azure.graph.machines_named(sorted(wanted), GraphScope(self.selection.visible)):
            for machine_id in parted(page, matches.unreadable):
                if machine_id not in self.exists:
                    self.exists.add(machine_id)
                    self.by_name[machine_id.name.casefold()].append(machine_id)

    def found(self, name: MachineName) -> list[ResourceId]:
        """The machines that a name may mean."""
        fitting = [one for one in self._fitting(name) if self._is_within(one)]
        chosen = [one for one in fitting if one in self.ids]
        return chosen if len(chosen) == 1 else fitting

    def _fitting(self, name: MachineName) -> list[ResourceId]:
        places = self._subscriptions(name.subscription)
        group = name.resource_group.casefold()
        return [
            one
            for one in self.by_name.get(name.name.casefold(), ())
            if (not group or one.resource_group.casefold() == group)
            and (not name.subscription or one.subscription_id in places)
        ]

    def _subscriptions(self, text: str) -> set[str]:
        if GUID.fullmatch(text):
            return {text.lower()}
        return {entry.id.lower() for entry in self.selection.known if entry.name.casefold() == text.casefold()}

    @property
    def _is_bounded(self) -> bool:
        return bool(self.selection.given or self.selection.given_groups)

    def _is_within(self, machine_id: ResourceId) -> bool:
        if not self._is_bounded or machine_id.subscription_id in self.selection.given:
            return True
        group = machine_id.resource_group.casefold()
        return any(
            name == group and place in {"", machine_id.subscription_id} for place, name in self.selection.given_groups
        )

    def told(self, name: MachineName) -> str:
        """Where a machine was looked for that was not found."""
        outside = self._fitting(name)
        if outside:
            return f"the scope holds none of that name; outside of it there is {_some(map(str, outside))}."
        places = self.selection.visible
        names = {entry.id.lower(): entry.name for entry in self.selection.known}
        where = f"in {_some([names.get(place) or place for place in places])}" if places else "in no subscription"
        count = "subscription" if len(places) == 1 else "subscriptions"
        told = [f"resource group {name.resource_group}" if name.resource_group else ""]
        told += [f"subscription {name.subscription}" if name.subscription else ""]
        asked = " and ".join(filter(None, told))
        hidden = name.subscription and not self._subscriptions(name.subscription) & set(places)
        unseen = f" You see no subscription {name.subscription!r}." if hidden else ""
        return (
            f"no machine of that name was found{f' in {asked}' if asked else ''}. "
            f"Searched: Resource Graph, {len(places):,} {count}: {where.removeprefix('in ')}.{unseen}"
        )


def _meant(entry: LoggedMachine, exists: set[ResourceId], source: str, notes: list[str]) -> ResourceId:
    if entry.or_else is None or entry.or_else not in exists:
        return entry.id
    if entry.id not in exists:
        return entry.or_else
    notes.append(
        f"{source}: a line ends in {entry.id.name!r} and the next begins with letters; {entry.id.name!r} was selected, "
        f"although {entry.or_else.name!r} exists too."
    )
    return entry.id


def _notes(reading: LogReading, source: str) -> list[str]:
    notes = []
    if reading.cut_short:
        names = _some([f"{name}…" for name in reading.cut_short])
        count = len(reading.cut_short)
        what = "1 name that is cut short and was" if count == 1 else f"{count:,} names that are cut short and were"
        notes.append(f"{source} holds {what} not taken: {names}.")
    if reading.not_understood:
        count = len(reading.not_understood)
        what = "1 entry that names no machine" if count == 1 else f"{count:,} entries that name no machine"
        notes.append(f"{source} holds {what}: {'; '.join(reading.not_understood[:_SHOWN])}.")
    return notes


def _refuse(ambiguous: Mapping[str, Sequence[ResourceId]]) -> None:
    """Refuse names that several machines have.

    Raises:
        UsageError: there is one.
    """
    if not ambiguous:
        return
    told = [
        f"{text} without an id, and {len(found)} machines have that name: {_some(map(str, found))}."
        for text, found in list(ambiguous.items())[:_SHOWN]
    ]
    more = len(ambiguous) - len(told)
    told += [f"{more:,} more names are not unique."] if more else []
    first = next(iter(ambiguous.values()))[0]
    raise UsageError(
        " ".join(told),
        advice=f"Name the one that is meant as well, for example: --ids '{first}'; or give its resource group or "
        "subscription with its name.",
    )


def _some(texts: Iterable[str]) -> str:
    every = list(texts)
    shown = ", ".join(every[:_SHOWN])
    return shown + (f" and {len(every) - _SHOWN:,} more" if len(every) > _SHOWN else "")
