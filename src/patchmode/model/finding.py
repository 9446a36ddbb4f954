"""Findings: what a rule saw on a machine, why it matters, and what to do.

Must not: judge; rules make these, reports print them.
"""

from dataclasses import dataclass
from enum import StrEnum

from patchmode.model.machine import Machine
from patchmode.model.outcome import Outcome, Readiness
from patchmode.model.schedule import NOT_LOOKED_UP, MachineSchedules


class Severity(StrEnum):
    """How much a finding stands in the way of the wanted setting."""

    BLOCKS = "blocks"
    """The machine cannot or must not be set; plan skips it with this rule."""
    WARNS = "warns"
    """It can be set, but something will or may not work as hoped."""
    NOTES = "notes"
    """Worth knowing."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule's verdict on one machine, with the evidence it rests on."""

    rule: str
    """A stable id such as `client-os`; every id has a section in docs/reference/rules.md."""
    severity: Severity
    message: str
    evidence: str
    """The leaf and its value, or the other fact, that the verdict rests on."""
    fix: str


@dataclass(frozen=True, slots=True)
class MachineAudit:
    """One machine with everything that audit says of it."""

    machine: Machine
    as_wanted: bool
    """Every setting that was named stands in the model; what plan leaves unchanged, and an Arc server on which nothing
    of the wish can be set."""
    eligible: bool
    """May the wanted orchestration be set at all: no reason blocks."""
    reasons: tuple[Reason, ...]
    outcome: Outcome
    schedules: MachineSchedules = NOT_LOOKED_UP
    """The configurations that reach it."""
    readiness: Readiness = Readiness.UNKNOWN
    """Of the prerequisite of schedules, whatever was wanted."""
