"""What `patchmode schedule` answers: configurations with their members and windows, a calendar, and what is wrong.

Must not: resolve, predict or format.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from patchmode.model.finding import Severity
from patchmode.model.machine import Machine
from patchmode.model.outcome import Difference
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
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
