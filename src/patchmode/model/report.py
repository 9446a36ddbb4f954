"""What audit, explain and doctor answer: values for people and programs to read.

Must not: judge or format.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from patchmode.model.access import MissingAction
from patchmode.model.finding import MachineAudit
from patchmode.model.identity import Principals
from patchmode.model.machine import Lock, Machine, Subscription
from patchmode.model.outcome import Headline, Verification
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plan import Skipped, Unreadable, WantedSettings
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
        """What becomes of the machines as they stand."""
        return Headline.of(entry.outcome for entry in self.machines)

    @property
    def orchestrations(self) -> Mapping[Orchestration, int]:
        """How many machines have each orchestration; those with none are left out."""
        return Counter(entry.machine.orchestration for entry in self.machines)


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

    @property
    def unregistered(self) -> tuple[str, ...]:
        """Namespaces that the job needs and that are not registered here."""
        states = ((name, self.registrations.get(name, "")) for name in NEEDED_NAMESPACES)
        return tuple(name for name, state in states if state.casefold() in {"notregistered", "unregistered"})


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

    @property
    def has_findings(self) -> bool:
        """Whether anything would stand in the way of an apply."""
        return (
            bool(self.unreadable)
            or not self.subscriptions
            or any(check.missing or check.locks or check.notes or check.unregistered for check in self.subscriptions)
        )
