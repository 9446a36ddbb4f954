"""Maintenance configurations, their windows, what attaches them to machines, and what became of attaching."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from patchmode.model.left_alone import MachineError, Skipped, Unreadable
from patchmode.model.maintenance_events import ScheduleEvents
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target

GUEST_SCOPE = "InGuestPatch"
"""The one maintenance scope that patches guests; the others maintain hosts, extensions, images and SQL."""


# ------------------------------------------------------------------------------------------------ as Azure stores it


@dataclass(frozen=True, slots=True)
class WindowRule:
    """`maintenanceWindow` of a configuration, every text as it stands there. None: the member is absent."""

    start: str | None = None
    """`YYYY-MM-DD hh:mm`, local time in `time_zone`."""
    expiration: str | None = None
    """The same form; None and `9999-12-31 …`: never."""
    duration: str | None = None
    """`HH:mm`."""
    time_zone: str | None = None
    """A Windows time-zone name: `W. Europe Standard Time`."""
    recur_every: str | None = None
    """`3Days`, `Week Saturday,Sunday`, `Month Third Sunday Offset-3`, …"""


@dataclass(frozen=True, slots=True)
class MaintenanceConfiguration:
    """One maintenance configuration, which users call a schedule."""

    id: ResourceId
    location: str
    scope: str
    """`maintenanceScope` as written; only `InGuestPatch` concerns guest patching."""
    patch_mode: str | None = None
    """`extensionProperties.InGuestPatchMode`: `User` or `Platform`; None: absent."""
    window: WindowRule = field(default_factory=WindowRule)
    reboot_setting: str | None = None
    """`installPatches.rebootSetting` as written; the service answers `Always` as `AlwaysReboot`."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """The whole `properties` object as it was answered."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The configuration's name."""
        return self.id.name

    @property
    def is_guest_patching(self) -> bool:
        """Whether it patches guests at all."""
        return self.scope.casefold() == GUEST_SCOPE.casefold()


@dataclass(frozen=True, slots=True)
class ConfigurationAssignment:
    """A static assignment: one configuration on one machine."""

    name: str
    machine: ResourceId
    configuration: ResourceId
    request_id: str | None = field(default=None, compare=False)
    """Azure's id of the request that wrote it; None: it was read, or the answer carried none."""


@dataclass(frozen=True, slots=True)
class ScopeFilter:
    """`filter` of a dynamic scope. An empty member does not narrow; members narrow one another."""

    resource_types: tuple[str, ...] = ()
    resource_groups: tuple[str, ...] = ()
    os_types: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Tag key → the values that match."""
    any_tag: bool = False
    """`filterOperator` Any: one of the keys is enough. All is the default."""
    unknown: tuple[str, ...] = ()
    """Names of members that are set and that this version cannot evaluate, such as `availabilityZones`."""


@dataclass(frozen=True, slots=True)
class DynamicScope:
    """A dynamic assignment: a configuration for whatever a subscription or a resource group holds at run time."""

    name: str
    subscription_id: str
    """Lower case."""
    resource_group: str | None
    """None: the scope is the whole subscription."""
    configuration: ResourceId
    filter: ScopeFilter = field(default_factory=ScopeFilter)
    request_id: str | None = field(default=None, compare=False)
    """Azure's id of the request that wrote it; None: it was read, or the answer carried none."""

    @property
    def place(self) -> str:
        """The id of the subscription or group that the scope stands on."""
        group = "" if self.resource_group is None else f"/resourceGroups/{self.resource_group}"
        return f"/subscriptions/{self.subscription_id}{group}"

    @property
    def id(self) -> str:
        """The id of the assignment that makes it."""
        return f"{self.place}/providers/Microsoft.Maintenance/configurationAssignments/{self.name}"


@dataclass(frozen=True, slots=True)
class ScheduleBook:
    """Every schedule and assignment that was read, for as many machines as one likes."""

    configurations: tuple[MaintenanceConfiguration, ...] = ()
    assignments: tuple[ConfigurationAssignment, ...] = ()
    dynamic_scopes: tuple[DynamicScope, ...] = ()
    covered: frozenset[str] = frozenset()
    """Subscriptions (lower case) in which assignments and dynamic scopes were looked up and could be seen whole.
    Of a machine in any other, having found no schedule says nothing."""
    visible: frozenset[str] = frozenset()
    """Subscriptions (lower case) in which configurations can be seen: one that is named, stands in such a subscription
    and was not found does not exist (or is too new for Resource Graph)."""
    notes: tuple[str, ...] = ()
    """What a reader must know about how it was read, one sentence each."""
    unread: tuple[Unreadable, ...] = ()
    """Rows that could not be read as an assignment or a configuration; `notes` counts them."""
    owners: tuple[tuple[str, str], ...] = ()
    """(subscription in lower case, tenant) of delegated subscriptions: of another tenant than the one signed in to."""


# ------------------------------------------------------------------------------------------------ resolved by rules


@dataclass(frozen=True, slots=True)
class Window:
    """One maintenance window."""

    starts_at: datetime
    """UTC, aware."""
    ends_at: datetime
    """UTC, aware."""
    local_start: datetime
    """The same instant as `starts_at`, aware, in the configuration's own zone."""


def local_text(moment: datetime) -> str:
    """An instant in the zone that it is in, as every face shows it: `2026-11-28 22:00 +01:00`.

    An offset names the instant; abbreviations (CET, CST) do not, and some zones have none. Where there is room, UTC is
    shown beside it.

    Args:
        moment: aware.
    """
    return f"{moment:%Y-%m-%d %H:%M} {offset_text(moment)}"


def offset_text(moment: datetime) -> str:
    """What an aware moment's clock is ahead of UTC, `+01:00`; `UTC` where its zone is that."""
    if moment.tzname() == "UTC":
        return "UTC"
    offset = moment.strftime("%z")
    return f"{offset[:3]}:{offset[3:5]}"


class Via(StrEnum):
    """How a configuration reaches a machine; the values stand in our JSON as `via`."""

    STATIC = "static"
    DYNAMIC = "dynamic"


class Timing(StrEnum):
    """What is known of a configuration's next window."""

    COMING = "coming"
    """There is a next window."""
    OVER = "over"
    """The configuration has expired."""
    NEVER = "never"
    """Its recurrence names no day that exists, such as 31 February."""
    UNREADABLE = "unreadable"
    """The recurrence, the start, the duration or the time zone is none that this version knows."""
    MISSING = "missing"
    """The configuration that is named does not exist."""
    UNSEEN = "unseen"
    """The configuration stands where the principal cannot read."""


@dataclass(frozen=True, slots=True)
class NextWindow:
    """When a configuration runs next, or why that cannot be told."""

    timing: Timing
    window: Window | None = None
    """Only with `COMING`. None there: it comes, but two readings of the rule name different days; see `because`."""
    because: str = ""
    """One sentence; empty where `window` says all."""
    rule: str | None = None
    """The rule id that says so, for example `unknown-time-zone`."""
    wait_days: int | None = None
    """Whole days until `window`, where it is farther away than is thought right; None: it is not."""
    begins_late: bool = False
    """With `wait_days`: only its start lies so far ahead, and from then on it runs more often."""

    @property
    def never_again(self) -> bool:
        """Whether it is known that no window comes any more."""
        return self.timing in {Timing.OVER, Timing.NEVER}


@dataclass(frozen=True, slots=True)
class ScheduleHit:
    """One configuration that reaches one machine, by one or several clauses."""

    configuration: ResourceId
    via: Via
    """Static where any clause is."""
    clause: str
    """What made it match, in words: the assignment's name, or the dynamic scope with the part of the filter that
    matched."""
    assignment: str
    """The name of the assignment or dynamic scope of `clause`."""
    next: NextWindow
    doubt: str | None = None
    """Why it is not certain that the machine is a member, one sentence; None: it is certain."""
    doubt_rule: str | None = None
    idle_on: Mapping[OperatingSystem, str] = field(default_factory=dict)
    """The systems for which the configuration names no update, each with why, half a sentence."""
    also: tuple[str, ...] = ()
    """Further clauses that name the same configuration for this machine: it still runs once."""
    events: ScheduleEvents | None = None
    """The configuration's pre and post events; None: they were not looked up."""


@dataclass(frozen=True, slots=True)
class MachineSchedules:
    """What is known of the configurations that reach one machine."""

    looked_up: bool
    """False: nothing may be concluded from `hits` being empty."""
    hits: tuple[ScheduleHit, ...] = ()
    """Guest-patching configurations only, each once, the next to run first."""
    why_not: str = ""
    """Why they were not looked up."""

    @property
    def certain(self) -> tuple[ScheduleHit, ...]:
        """Those of which membership is certain."""
        return tuple(hit for hit in self.hits if hit.doubt is None)


NOT_LOOKED_UP = MachineSchedules(looked_up=False, why_not="no schedule was looked up")


class RunForecast(StrEnum):
    """What will become of one machine in one window, as things stand."""

    RUNS = "runs"
    FAILS = "fails"
    """The prerequisite is not met, or something else about the machine lets the run fail."""
    MISSED = "missed"
    """The machine is off: it is not patched in that window."""
    NO_WINDOW = "noWindow"
    """No window will come: the schedule has expired, never comes, or does not exist."""
    UNKNOWN = "unknown"


NEVER_RUN = frozenset({Timing.OVER, Timing.NEVER, Timing.MISSING})
"""No window of such a schedule will come."""
LOST = frozenset({RunForecast.FAILS, RunForecast.MISSED})
"""A window comes, and does not patch the machine."""
ENDED_WELL = frozenset({"succeeded", "completed", "completedwithwarnings"})
"""What Azure calls a run, or an installation of updates, that did what it should; lower case."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One machine in one configuration's next window."""

    result: RunForecast
    reason: str
    rule: str | None = None
    """The rule behind it; None where it simply runs."""


# ------------------------------------------------------------------------------------------------ as Azure recorded it


class FailureKind(StrEnum):
    """Why a scheduled run failed on a machine, as far as its record says. The values stand in our JSON."""

    PREREQUISITE = "prerequisite"
    OFF = "off"
    """`ShutdownOrUnresponsive`."""
    TIMED_OUT = "timed-out"
    WINDOW_EXCEEDED = "window-exceeded"
    CANCELLED = "cancelled"
    UNSUPPORTED = "unsupported"
    """The image or the system cannot be patched."""
    OTHER = "other"
    """The record names a reason of another kind."""
    NOT_TOLD = "not-told"
    """The record names no reason."""


@dataclass(frozen=True, slots=True)
class MachineRun:
    """What Resource Graph keeps of one machine in one run of a configuration, for 30 days."""

    machine: ResourceId
    configuration: ResourceId | None
    correlation_id: str | None
    """Common to all machines of one run."""
    status: str
    """As Azure words it: `Succeeded`, `Failed`, `InProgress`, `Cancelled`, …"""
    started_at: datetime | None
    """UTC."""
    ended_at: datetime | None
    failure: FailureKind | None = None
    """None: it did not fail."""
    message: str = ""
    """The error's text as recorded; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The latest results of installing updates on one machine, whoever started it."""

    machine: ResourceId
    status: str
    started_by: str
    """As Azure words it: `User`, `Platform`, …"""
    started_at: datetime | None
    ended_at: datetime | None
    maintenance_run: str | None
    """`maintenanceRunId`; None: no schedule started it."""
    installed: int = 0
    failed: int = 0
    window_exceeded: bool = False
    reboot_status: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the last assessment of one machine found pending, as Resource Graph records it."""

    machine: ResourceId
    status: str
    """As Azure words it: `Succeeded`, `Failed`, `InProgress`, …"""
    assessed_at: datetime | None
    """UTC; None: the record has no time."""
    critical: int | None = None
    """Updates of that classification that could be installed. None: the record counts none, or not readably."""
    security: int | None = None
    other: int | None = None
    """Of all other classifications together."""
    reboot_pending: bool | None = None

    @property
    def counts(self) -> tuple[int, int, int] | None:
        """Critical, security and other updates; None: not known, as where the assessment failed or has not ended."""
        is_done = self.status.casefold() in {"succeeded", "completedwithwarnings"}
        if not is_done or self.critical is None or self.security is None or self.other is None:
            return None
        return self.critical, self.security, self.other


@dataclass(frozen=True, slots=True)
class Assessments:
    """The last assessments of some machines, as far as they are recorded."""

    found: Mapping[ResourceId, Assessment] = field(default_factory=dict)
    refusal: str = ""
    """Why they could not be read; empty: they were, and a machine that is not among `found` has none on record."""
    notes: tuple[str, ...] = ()


class AttachAction(StrEnum):
    """What was asked for. The values stand in our JSON as `action`."""

    ATTACH = "attach"
    DETACH = "detach"


class AttachEnd(StrEnum):
    """What became of one machine, or of one dynamic scope. The values stand in our JSON as `result`."""

    ATTACHED = "attached"
    """Azure accepted the assignment, and a read afterwards showed it."""
    DETACHED = "detached"
    """Azure deleted the assignment, and a read afterwards did not show it."""
    UNCHANGED = "unchanged"
    """It already was as wanted; nothing was sent."""
    REFUSED = "refused"
    """Nothing was sent, because a rule says that it would fail or do harm."""
    FAILED = "failed"
    """Azure refused it; nothing was changed."""
    UNKNOWN = "unknown"
    """Sent, and neither the answer nor a read afterwards tells: it may have been done."""
    MISMATCH = "mismatch"
    """Azure accepted it, and a read afterwards shows something else."""
    NOT_SENT = "notSent"
    """Nothing was sent: stopped before its turn, or the machine could not be read first."""


@dataclass(frozen=True, slots=True)
class AttachResult:
    """One machine's or dynamic scope's end."""

    id: str
    """The machine's id, or the dynamic scope's."""
    result: AttachEnd
    assignment: str | None = None
    """The name of the assignment that was written, found or deleted; None: there is none."""
    rule: str | None = None
    """With `refused`: the rule that says so."""
    error: MachineError | None = None
    """Why it did not end as wanted; None where it did."""
    fix: str | None = None
    """A command or step that clears the way."""
    request_id: str | None = None
    """Azure's id of the write, for a support case; None: nothing was sent, or the answer carried none."""
    correlation_id: str | None = None
    ended_at: datetime | None = None
    """UTC; None: it had no turn."""

    @property
    def is_fine(self) -> bool:
        """Whether it stands as wanted now, and was seen to."""
        return self.result in {AttachEnd.ATTACHED, AttachEnd.DETACHED, AttachEnd.UNCHANGED}

    def at(self, moment: datetime) -> "AttachResult":
        """The same with the time of its end."""
        return replace(self, ended_at=moment)


@dataclass(frozen=True, slots=True)
class AttachReport:
    """An attach or detach of one configuration; every machine of the scope stands in exactly one of the tuples."""

    action: AttachAction
    target: Target
    configuration: ResourceId
    state: str
    """`finished`, or `interrupted`: repeating the command does what is left."""
    results: tuple[AttachResult, ...] = ()
    """One per machine, ordered by id; or exactly one, of a dynamic scope."""
    dynamic: bool = False
    """Whether a dynamic scope was attached or detached."""
    skipped: tuple[Skipped, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    notes: tuple[str, ...] = ()
    requests: Mapping[str, int] | None = None
    """HTTP method → requests sent to attach or detach and to read it back, without sign-in, planning and permission
    checks; None: not counted."""

    @property
    def counts(self) -> dict[str, int]:
        """`scope` is the sum of the others."""
        ends = Counter(entry.result for entry in self.results)
        parts = {end.value: ends[end] for end in AttachEnd}
        parts |= {"skipped": len(self.skipped), "unreadable": len(self.unreadable)}
        return {"scope": sum(parts.values()), **parts}
