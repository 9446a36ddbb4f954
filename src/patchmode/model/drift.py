"""What moved between two looks at the same machines, and who moved it as far as Azure tells.

Must not: compare or read; the rules and the wire do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target


@dataclass(frozen=True, slots=True)
class MachineLook:
    """One machine as one look found it, reduced to what drift is about."""

    id: ResourceId
    settings: Mapping[str, Any]
    """Field of the audit (`patchMode`, `bypass`, …) → its JSON value; None: the model does not say."""
    outcome: str
    outcome_reason: str
    schedules: Mapping[str, str] | None = None
    """Key of the configuration's id → the id as it was written; None: they were not looked up."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a scope: an audit, reduced to what drift is about."""

    target: Target
    scope: tuple[str, ...]
    """The selectors and filters of the audit, one text each."""
    machines: Mapping[str, MachineLook]
    """By the key of the machine's id."""
    filtered: Mapping[str, str] = field(default_factory=dict)
    """Key of a machine that a filter left out → the reason."""
    unreadable: tuple[str, ...] = ()
    """Ids of machines and of subscriptions that could not be read: nothing may be concluded from their absence."""
    taken_at: datetime | None = None
    """UTC; None: an older audit that does not say."""


class DriftKind(StrEnum):
    """What became of a machine. The values stand in our JSON as `change`."""

    CHANGED = "changed"
    CAME = "came"
    """It is in the scope and was not before."""
    WENT = "went"
    """It is no longer in the scope: deleted, moved, or left out by a filter."""


@dataclass(frozen=True, slots=True)
class Move:
    """One field that moved; the values are JSON values, None where the model does not say."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One record of Resource Graph's `resourcechanges`: who changed a resource, in Azure's own words.

    Source: "Get resource changes" in Microsoft's documentation of Resource Graph; a record is there "in less than five
    minutes" as a rule and for 14 days. An absent member is None.
    """

    resource_id: str
    """The changed resource, as Azure wrote it: a machine, or something that is attached to it."""
    at: datetime | None
    change_type: str | None
    """`Create`, `Update`, `Delete`."""
    changed_by: str | None
    """An email address, or the id of an application."""
    changed_by_type: str | None
    """`User`, `Application`, `System`."""
    client_type: str | None
    """Which client: `Azure Portal`, `Terraform`, …"""
    operation: str | None
    """`Microsoft.Compute/virtualMachines/write`."""
    correlation_id: str | None = None
    paths: tuple[str, ...] = ()
    """The properties that the record says were changed, as dotted paths."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One machine that is not as it was at the look before."""

    id: ResourceId
    kind: DriftKind
    moves: tuple[Move, ...] = ()
    outcome_before: str | None = None
    """None: it was not there."""
    outcome_after: str | None = None
    """None: it is not there any more."""
    outcome_reason: str = ""
    """Of the outcome after; empty where the machine went."""
    schedules_gained: tuple[str, ...] = ()
    """Ids of configurations."""
    schedules_lost: tuple[str, ...] = ()
    because: str = ""
    """Why it went, where that is known: the filter that leaves it out."""
    author: ResourceChange | None = None
    """None: Azure did not tell (yet)."""

    @property
    def is_outcome_change(self) -> bool:
        """Whether another patches it now than before."""
        return self.outcome_before != self.outcome_after
