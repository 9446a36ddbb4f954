"""What audit, explain, doctor and the schedule commands answer: values for people and programs to read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from patchmode.model.access import MissingAction, Principals
from patchmode.model.finding import MachineAudit, Severity
from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import Lock, Machine, Subscription
from patchmode.model.maintenance_events import ScheduleEvents
from patchmode.model.outcome import Headline, OutcomeKind, PatchedByNobody, Readiness
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import Difference, Verification
from patchmode.model.schedule import (
    Assessments,
    AttachEnd,
    AttachResult,
    ConfigurationAssignment,
    DynamicScope,
    FailureKind,
    Forecast,
    MaintenanceConfiguration,
    NextWindow,
    RunForecast,
    ScheduleHit,
    Via,
    Window,
    WindowRule,
)
from patchmode.model.target import Target


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Every machine in scope as it stands; each in exactly one of `machines`, `skipped` and `unreadable`."""

    target: Target
    scope: tuple[str, ...]
    """Selectors and filters as the user gave them, one text each."""
    wanted: WantedSettings
    """What machines were measured against."""
    machines: tuple[MachineAudit, ...]
    """Ordered by id."""
    skipped: tuple[Skipped, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must know about how this was read, one sentence each."""
    created_at: datetime | None = None
    """UTC."""
    nobody: PatchedByNobody | None = None
    """What was seen of schedules where machines are prepared and none reaches them; None: there is no such machine."""
    tenants: tuple["TenantAudit", ...] = ()
    """Where several tenants were read, each with what counts as its own; `target` has none then. Empty: it was one."""

    @property
    def counts(self) -> dict[str, int]:
        """`scope` is the sum of `machines`, `skipped` and `unreadable`; the others count among `machines`.

        Only `findings` also counts what could not be read, and skipped machines that may or may not be in scope.
        """
        headline = self.headline
        as_wanted = sum(entry.as_wanted for entry in self.machines)
        # Whether they are in scope is not known, so that nothing is known of what was asked.
        in_doubt = sum(not entry.is_filtered_out for entry in self.skipped)
        return {
            "scope": len(self.machines) + len(self.skipped) + len(self.unreadable),
            "machines": len(self.machines),
            "skipped": len(self.skipped),
            "unreadable": len(self.unreadable),
            "asWanted": as_wanted,
            "eligible": sum(entry.eligible for entry in self.machines),
            "findings": len(self.machines) - as_wanted + len(self.unreadable) + in_doubt,
            "failsAtNextWindow": headline.fails_at_next_window,
            "rebootedByAzure": headline.rebooted_by_azure,
            "patchedByNobody": headline.patched_by_nobody,
        }

    @property
    def headline(self) -> Headline:
        """What will happen to the machines as they stand."""
        return Headline.of(entry.outcome for entry in self.machines)

    @property
    def readiness(self) -> Mapping[Readiness, int]:
        """How many machines are ready for a schedule, and have one; each kind is there, and they add up."""
        counted = Counter(entry.readiness for entry in self.machines)
        return {kind: counted[kind] for kind in Readiness}

    @property
    def orchestrations(self) -> Mapping[Orchestration, int]:
        """How many machines have each orchestration; those with none are left out."""
        return Counter(entry.machine.orchestration for entry in self.machines)


@dataclass(frozen=True, slots=True)
class TenantAudit:
    """One tenant's part of an audit of several."""

    tenant_id: str
    name: str = ""
    """As Azure gave it; empty: it is not known."""
    report: AuditReport | None = None
    """None: it could not be read, or nothing of the scope is in it."""
    failure: str = ""
    """Why there is no report; empty: there is one."""
    is_unread: bool = False
    """Whether it may hold machines of the scope that nobody read."""

    @property
    def label(self) -> str:
        """Its name and id; the id where it has none."""
        return f"{self.name} ({self.tenant_id})" if self.name else self.tenant_id


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Whether every machine that was asked about is as it should be; each stands in exactly one of the tuples."""

    target: Target
    what: str
    """What they were compared with: `run 20300131T220000Z-1a2b3c`, `plan ring1.json`, `--resource-group rg-app`."""
    found: tuple[Verification, ...]
    """Machines that were asked about: verified, or with the reason why not."""
    run: str | None = None
    """The run that was verified; None: a plan file or a scope was."""
    unread: tuple[Unreadable, ...] = ()
    """Subscriptions and the like that could not be read: how many machines are in them nobody knows."""
    not_applicable: tuple[Skipped, ...] = ()
    """Machines of which the wish asks nothing: Arc servers have no patch mode."""
    filtered_out: tuple[Skipped, ...] = ()
    """Machines that a filter left out; only of a scope."""
    is_scope: bool = False
    """Whether a scope was asked about, so that the last two say something."""
    not_done: Mapping[str, int] = field(default_factory=dict)
    """What else of a run or a plan is not as asked, and was not compared here: as `RunReport.not_done` has it."""
    notes: tuple[str, ...] = ()
    """What a reader must know about how a scope was read, one sentence each."""
    nobody: PatchedByNobody | None = None
    """Of a run or a plan: its machines that no schedule reached when it was planned; None: none is known."""

    @property
    def mismatches(self) -> int:
        """How many machines or places are not known to be as they should be."""
        return sum(not one.verified for one in self.found) + len(self.unread)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One machine in full."""

    target: Target
    audit: MachineAudit
    document: Mapping[str, Any]
    """The provider's answer, as the portal's JSON View shows it."""
    instance_view: Mapping[str, Any] | None
    """None: an Arc machine, or it could not be read; `notes` says."""
    wanted: WantedSettings
    """What it was measured against."""
    notes: tuple[str, ...] = ()
    pending: Assessments | None = None
    """What its last assessment found; None: nobody looked."""
    created_at: datetime | None = None
    """UTC; None: not told."""


NEEDED_NAMESPACES = ("Microsoft.Compute", "Microsoft.Maintenance")
"""Compute holds the machines, Maintenance the schedules; Arc's is needed only where there are such machines."""


@dataclass(frozen=True, slots=True)
class SubscriptionCheck:
    """What doctor found in one subscription."""

    subscription: Subscription
    registrations: Mapping[str, str]
    """Provider namespace → registration state as Azure words it, or why it is not known."""
    missing: tuple[MissingAction, ...] = ()
    locks: tuple[Lock, ...] = ()
    """Only read-only locks: these are what blocks writes."""
    notes: tuple[str, ...] = ()
    harmless_locks: tuple[Lock, ...] = ()
    """Every other lock: `CanNotDelete` does not stop a PATCH."""
    identities: tuple[str, ...] = ()
    """Who may be sent here; empty where there is but one identity, or it is not known."""
    machines: tuple[Machine, ...] = ()
    """Those at whose scope permissions were asked, because the subscription's own roles lack something."""
    owner: str = ""
    """The tenant that delegates it to the one signed in to; empty: it is not delegated."""

    @property
    def unregistered(self) -> tuple[str, ...]:
        """Namespaces that the job needs and that are not registered here."""
        states = ((name, self.registrations.get(name, "")) for name in NEEDED_NAMESPACES)
        return tuple(name for name, state in states if state.casefold() in {"notregistered", "unregistered"})


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A setting of this computer, as it is in force."""

    setting: str
    """As the config file calls it."""
    value: str
    """In words where nothing was given."""
    source: str
    """The command line, an environment variable, the config file, or `default`."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Who is signed in, where, and what is missing to do the job."""

    target: Target
    principals: Principals
    """Everybody who is signed in."""
    graph: str
    """`answers`, or why Resource Graph does not."""
    subscriptions: tuple[SubscriptionCheck, ...]
    unreadable: tuple[Unreadable, ...] = ()
    """What the scope names and could not be looked at: subscriptions and management groups."""
    scope: tuple[str, ...] = ()
    """What was asked about, as options; empty: every subscription."""
    notes: tuple[str, ...] = ()
    """What a reader must know about how the scope was looked up, one sentence each."""
    settings: tuple[SettingValue, ...] = ()
    """Defaults of this computer, each with where it comes from."""
    network: tuple[SettingValue, ...] = ()
    """How Resource Manager is reached from here and what is trusted: the proxy, and the CA certificates."""
    config_file: str = ""
    """Where the config file is, or would be."""
    az_subscription: str = ""
    """The subscription chosen in az, in words; empty: none is chosen for this cloud."""

    @property
    def has_findings(self) -> bool:
        """Whether anything would stand in the way of an apply."""
        return (
            bool(self.unreadable)
            or not self.subscriptions
            or any(check.missing or check.locks or check.notes or check.unregistered for check in self.subscriptions)
        )


@dataclass(frozen=True, slots=True)
class ScheduleFinding:
    """What is wrong with a schedule, or worth knowing of it, by rule."""

    rule: str
    severity: Severity
    message: str
    fix: str
    configuration: str | None = None
    """The configuration's id, in the casing at hand; None: it concerns none, or several."""
    subjects: tuple[str, ...] = ()
    """Ids of the machines, assignments or dynamic scopes that it concerns; empty: the configuration itself."""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One machine that a configuration reaches."""

    machine: Machine
    hit: ScheduleHit
    forecast: Forecast

    @property
    def is_certain(self) -> bool:
        """Whether it is known to be a member."""
        return self.hit.doubt is None

    @property
    def result(self) -> RunForecast:
        """What becomes of it; whether it is a member counts only where a window may come."""
        is_told = self.is_certain or self.forecast.result is RunForecast.NO_WINDOW
        return self.forecast.result if is_told else RunForecast.UNKNOWN


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """One configuration with everything that is known of it."""

    configuration: MaintenanceConfiguration
    window_text: str
    """When it runs, in words: `Third Sunday +3 days 02:00-05:55 W. Europe`."""
    next: NextWindow
    members: tuple[Member, ...] = ()
    """The machines that it reaches now, as far as they can be seen; ordered by id. Those in doubt are among them."""
    assignments: tuple[ConfigurationAssignment, ...] = ()
    """Every static assignment, also of machines that are not seen."""
    dynamic_scopes: tuple[DynamicScope, ...] = ()
    scope_texts: tuple[str, ...] = ()
    """Each of `dynamic_scopes` in words: `group rg-web: Linux, tag env=prod`."""
    findings: tuple[ScheduleFinding, ...] = ()
    events: ScheduleEvents | None = None
    """Its pre and post events; None: they were not looked up, because nothing depends on them."""

    @property
    def via(self) -> Mapping[Via, int]:
        """How many members are certain, by the way that they are reached."""
        return Counter(member.hit.via for member in self.members if member.is_certain)

    @property
    def unseen(self) -> tuple[ResourceId, ...]:
        """Machines with an assignment that are no members: they are not there any more, or are not seen."""
        return tuple(sorted({one.machine for one in self.assignments} - {one.machine.id for one in self.members}))

    @property
    def in_doubt(self) -> int:
        """How many machines may or may not be members."""
        return sum(not member.is_certain for member in self.members)

    @property
    def forecasts(self) -> Mapping[RunForecast, int]:
        """How many members will end how in the next window; a machine in doubt counts as unknown."""
        return forecast_counts(self.members)


def forecast_counts(members: tuple[Member, ...]) -> Mapping[RunForecast, int]:
    """How many members run, fail, are missed, have no window or are unknown, every kind present."""
    found = Counter(member.result for member in members)
    return {kind: found[kind] for kind in RunForecast}


@dataclass(frozen=True, slots=True)
class ScheduleList:
    """`schedule list`."""

    target: Target
    schedules: tuple[ScheduleView, ...]
    """Ordered by id."""
    created_at: datetime
    other_scopes: int = 0
    """Configurations that maintain hosts, extensions, images or SQL and are not listed."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FailedMember:
    """One machine of a past run that was not patched."""

    machine: ResourceId
    kind: FailureKind
    message: str
    words: str
    """The kind in plain words."""
    forecast: Forecast | None = None
    """What becomes of it next time; None: it is no member any more, or is not seen."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """A configuration's last recorded run, beside its members now."""

    correlation_id: str | None
    started_at: datetime | None
    statuses: Mapping[str, int]
    """Status as Azure words it → machines."""
    came: tuple[str, ...] = ()
    """Ids of members now that had no part in it."""
    went: tuple[str, ...] = ()
    """Ids of machines that had a part in it and are no members now."""
    failed: tuple[FailedMember, ...] = ()


@dataclass(frozen=True, slots=True)
class ScheduleDetail:
    """`schedule show`."""

    target: Target
    schedule: ScheduleView
    created_at: datetime
    windows: tuple[Window, ...] = ()
    """The next ones, by the default reading of the rule; empty where none can be told."""
    last_run: LastRun | None = None
    """None: none is recorded in the 30 days that Azure keeps, or it could not be read; `notes` says."""
    notes: tuple[str, ...] = ()
    pending: Assessments = field(default_factory=Assessments)
    """What the last assessment of each member found."""
    events: ScheduleEvents | None = None
    """Its pre and post events; None: they were not looked up."""


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """One coming window."""

    configuration: MaintenanceConfiguration
    window: Window
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Calendar:
    """`schedule next`."""

    target: Target
    scope: tuple[str, ...]
    """The machines that were counted, as options; empty: all that can be seen."""
    start: datetime
    end: datetime
    entries: tuple[CalendarEntry, ...]
    """By time, then by id."""
    silent: tuple[ScheduleView, ...] = ()
    """Configurations that reach machines and of which no window can be told."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckReport:
    """`schedule check`."""

    target: Target
    created_at: datetime
    checked: tuple[ScheduleView, ...]
    findings: tuple[ScheduleFinding, ...]
    """What warns or blocks first."""
    notes: tuple[str, ...] = ()
    unreadable: int = 0
    """Rows, machines and subscriptions that could not be read: of them nothing is known; `notes` names them."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing warns or blocks, and everything could be read."""
        return not self.unreadable and all(finding.severity is Severity.NOTES for finding in self.findings)


@dataclass(frozen=True, slots=True)
class ScheduleWish:
    """A configuration that the user wants to exist."""

    id: ResourceId
    location: str
    window: WindowRule
    reboot_setting: str = "IfRequired"
    windows_classifications: tuple[str, ...] = ()
    linux_classifications: tuple[str, ...] = ()
    kb_include: tuple[str, ...] = ()
    kb_exclude: tuple[str, ...] = ()
    package_include: tuple[str, ...] = ()
    package_exclude: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreateReport:
    """`schedule create`."""

    target: Target
    id: ResourceId
    result: str
    """`created`, `replaced` or `unchanged`."""
    properties: Mapping[str, object]
    """What was sent."""
    windows: tuple[Window, ...]
    """The first ones."""
    before: tuple[Difference, ...] = ()
    """Where another one of that name differed: `expected` is the wish, `found` what stood there."""
    differences: tuple[Difference, ...] = ()
    """Where a read afterwards shows something else than was sent."""
    warnings: tuple[ScheduleFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteReport:
    """`schedule delete`: every assignment detached, then the schedule deleted."""

    target: Target
    configuration: MaintenanceConfiguration
    """As it was."""
    state: str
    """`finished`, or `interrupted`: repeating the command does what is left."""
    end: AttachResult
    """Of the schedule itself; `detached`: it was deleted, and a read afterwards did not find it."""
    detached: tuple[AttachResult, ...]
    """One for each machine with a static assignment and each dynamic scope, ordered by id."""
    left: Mapping[OutcomeKind, int]
    """Who patches its members once it is deleted, as predicted before: machines of each kind that there is."""
    unseen: int
    """Machines with an assignment that do not exist or are not seen."""
    notes: tuple[str, ...] = ()
    requests: Mapping[str, int] | None = None
    """As of an `AttachReport`."""

    @property
    def result(self) -> str:
        """`deleted`, or how else it ended."""
        return "deleted" if self.end.result is AttachEnd.DETACHED else self.end.result.value
