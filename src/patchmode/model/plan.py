"""A plan: the exact requests that apply sends, in which waves, and why every other machine in scope is left alone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind, PatchedByNobody
from patchmode.model.patch_settings import (
    OperatingSystem,
    Orchestration,
    PatchSettings,
    WantedSettings,
    orchestration_of,
)
from patchmode.model.resource_id import ResourceId, subscription_of
from patchmode.model.target import Target

KEEP = "keep"
"""`--to keep`: leave the orchestration alone and set the other settings only."""


@dataclass(frozen=True, slots=True)
class Change:
    """One PATCH of one machine."""

    id: ResourceId
    kind: MachineKind
    os: OperatingSystem
    location: str
    etag: str | None
    """Sent as `If-Match`; None: the service gave none, so a fresh read is compared with `document` before the PATCH."""
    body: Mapping[str, Any]
    """The request body, complete and verbatim."""
    before: Mapping[str, Any] | None
    """The machine's `patchSettings` as read; None: absent."""
    after: Mapping[str, Any]
    """The `patchSettings` that the machine must show afterwards."""
    document: Mapping[str, Any]
    """The provider's whole document the plan was made from: the precondition, and the proof that siblings stayed."""
    outcome_before: Outcome
    outcome_after: Outcome
    reversible: bool
    irreversible_because: str | None = None
    """Stands whenever `reversible` is false: what cannot be undone, in one sentence."""
    tolerated: tuple[str, ...] = ()
    """Paths below `patchSettings` that may stay or go unnoticed: what the service does there is unconfirmed."""

    @property
    def ends_azure_managed(self) -> bool:
        """Whether Azure may patch and reboot the machine before the change and not after it.

        A rollback restores that only where it is allowed by name, which the plan must say before the change.
        """
        before, after = (orchestration_of(PatchSettings.from_document(one)) for one in (self.before, self.after))
        return before is Orchestration.AZURE_MANAGED and after is not Orchestration.AZURE_MANAGED


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A machine that already is as wanted; nothing is sent."""

    id: ResourceId
    kind: MachineKind
    outcome: Outcome
    outcome_after: Outcome | None = None
    """Where the schedule that the plan attaches or takes off makes another of it; None: it stays as it is."""

    @property
    def outcome_in_the_end(self) -> Outcome:
        """Who patches it once the plan was carried out."""
        return self.outcome_after or self.outcome


@dataclass(frozen=True, slots=True)
class KeptBy:
    """A lock under which the schedules that a plan attaches cannot be taken off again."""

    lock: str
    """Its name."""
    scope: str
    """The id of the subscription, group or resource that it stands on."""
    machines: int
    """How many of those that get the schedule it covers."""


@dataclass(frozen=True, slots=True)
class ThenAttach:
    """The wish to attach a schedule to each machine of the plan once its settings stand and were seen to."""

    configuration: ResourceId
    name: str
    """Of the assignment on each machine."""
    kept_by: tuple[KeptBy, ...] = ()
    """`CanNotDelete` locks, as they stood when the plan was made."""


@dataclass(frozen=True, slots=True)
class Detachment:
    """An assignment to delete from a machine before its settings are touched."""

    id: ResourceId
    """The machine."""
    kind: MachineKind
    configuration: ResourceId
    name: str
    """Of the assignment."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Machines that are carried out together, before those of the next wave: so many that come next in the plan."""

    name: str
    """Unlike that of any other wave of the plan, printable: `ring=canary / zone 1`."""
    changes: int
    unchanged: int
    """Machines as wanted that get the plan's schedule; 0 where it attaches none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A reviewed operation. `digest` is filled in by the store when the plan is written or read."""

    target: Target
    scope: tuple[str, ...]
    """The selectors and filters as the user gave them, one text each: `--subscription Prod`."""
    wanted: WantedSettings
    changes: tuple[Change, ...]
    unchanged: tuple[Unchanged, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    created_at: datetime | None = None
    """UTC."""
    tool_version: str = ""
    rollback_of: str | None = None
    """The run that this plan undoes; None for an ordinary plan."""
    then_attach: ThenAttach | None = None
    """For the changed machines, and for those that already are as wanted."""
    first_detach: tuple[Detachment, ...] = ()
    """Only in the plan of a rollback."""
    waves: tuple[Wave, ...] = ()
    """In the order in which they are carried out; `changes`, and with `then_attach` `unchanged`, stand in that order,
    and each stands in exactly one. Empty: everything at once."""
    nobody: PatchedByNobody | None = None
    """What was seen of schedules where it leaves machines without one, or may; None: it leaves none so, or an earlier
    version made it."""
    digest: str = field(default="", compare=False)

    @property
    def patched_by_nobody(self) -> tuple[ResourceId, ...]:
        """The machines that it leaves prepared for schedules and that none reaches: changed, or compliant already."""
        changed = (one.id for one in self.changes if one.outcome_after.kind is OutcomeKind.PARKED)
        return (*changed, *(one.id for one in self.unchanged if one.outcome_in_the_end.kind is OutcomeKind.PARKED))

    @property
    def options(self) -> tuple[str, ...]:
        """Its settings and its schedule as `apply` and `plan` take them, each word by itself; defaults are left out.

        Of a rollback: what `rollback` was given beside the run.
        """
        if self.rollback_of is not None:
            allowed = self.wanted.orchestration is Orchestration.AZURE_MANAGED
            named = (word for one in self.only for word in ("--ids", str(one)))
            return (*(("--allow-azure-managed",) if allowed else ()), *named)
        wanted, wish = self.wanted, self.then_attach
        to = None if wanted.orchestration is None else wanted.orchestration.option
        words = [] if to == Orchestration.CUSTOMER_MANAGED_SCHEDULES.option else ["--to", to or KEEP]
        if wanted.periodic_assessment is not None:
            words += ["--periodic-assessment", "on" if wanted.periodic_assessment else "off"]
        words += ["--reboot", str(wanted.reboot)] if wanted.reboot is not None else []
        words += ["--hotpatch", "off"] if wanted.hotpatch_off else []
        words += ["--include-scale-set-members"] if wanted.include_scale_set_members else []
        if wish is not None:
            words += ["--then-attach", str(wish.configuration)]
            words += ["--assignment-name", wish.name] if wish.name != wish.configuration.name else []
        return tuple(words)

    @property
    def blocked(self) -> tuple[Skipped, ...]:
        """The skipped machines of which something was asked that is not so: they keep the plan's scope from ready."""
        attaches = self.then_attach is not None
        return tuple(one for one in self.skipped if one.is_asked_for(self.wanted, attaches=attaches))

    @property
    def not_done(self) -> dict[str, int]:
        """What was asked for and stays undone even once the plan was carried out: the kind → how many machines."""
        kinds = {"blocked": len(self.blocked), "unreadable": len(self.unreadable)}
        return {kind: count for kind, count in kinds.items() if count}

    @property
    def has_work(self) -> bool:
        """Whether carrying it out would send anything."""
        return bool(self.changes or self.first_detach or (self.then_attach and self.unchanged))

    @property
    def only(self) -> tuple[ResourceId, ...]:
        """Of a rollback: the machines that it was narrowed to; empty: it undoes the whole run."""
        option = "--ids "
        named = (text.removeprefix(option) for text in self.scope if text.startswith(option))
        return tuple(map(ResourceId.parse, named)) if self.rollback_of else ()

    @property
    def touched(self) -> int:
        """How many machines carrying it out would write to: settings, or a schedule put on or taken off."""
        return sum(self.touched_in.values())

    @property
    def subscription_ids(self) -> Iterator[str]:
        """Of each machine, and of each subscription that could not be read; repeated as often as it has any."""
        for part in (self.changes, self.unchanged, self.skipped):
            yield from (one.id.subscription_id for one in part)
        yield from filter(None, (subscription_of(one.id) for one in self.unreadable))

    @property
    def touched_in(self) -> Mapping[str, int]:
        """`touched` by subscription: id in lower case → machines; those of none are left out."""
        machines = {one.id for one in self.changes} | {one.id for one in self.first_detach}
        if self.then_attach is not None:
            machines |= {one.id for one in self.unchanged}
        return Counter(one.subscription_id for one in machines)

    def changes_of(self, wave: int) -> tuple[Change, ...]:
        """The changes of a wave, counted from 0; without waves all of them are wave 0."""
        if not self.waves:
            return self.changes
        before = sum(one.changes for one in self.waves[:wave])
        return self.changes[before : before + self.waves[wave].changes]

    def unchanged_of(self, wave: int) -> tuple[Unchanged, ...]:
        """The machines of a wave that are as wanted and get the plan's schedule; none where it attaches none."""
        if self.then_attach is None or not self.waves:
            return self.unchanged if self.then_attach is not None else ()
        before = sum(one.unchanged for one in self.waves[:wave])
        return self.unchanged[before : before + self.waves[wave].unchanged]

    @property
    def counts(self) -> dict[str, int]:
        """Scope and its parts; `scope` is the sum of the others."""
        parts = {
            "changes": len(self.changes),
            "unchanged": len(self.unchanged),
            "skipped": len(self.skipped),
            "unreadable": len(self.unreadable),
        }
        return {"scope": sum(parts.values()), **parts}


FORMS = "tag:NAME, zone or region, each with an optional order: tag:ring=canary|early|broad"


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
            msg = f"{text!r} is not a way to divide machines: expected {FORMS}"
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
