"""A record: what an audit found, or what a run did, ready to be told in any format.

One shape for all of them, so that a format knows nothing of audits or runs, and none of them can tell another story.

Must not: know any format, or judge; whoever makes a record takes both from the audit or the run.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from patchmode.model.finding import Severity
from patchmode.model.target import Target, in_a_list


class Meaning(StrEnum):
    """Whether something told is good or bad news."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    DIM = "dim"
    """Neither."""


class Level(StrEnum):
    """How bad a finding is; the values are SARIF's."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


LEVELS = {Severity.BLOCKS: Level.ERROR, Severity.WARNS: Level.WARNING, Severity.NOTES: Level.NOTE}
"""A severity as formats tell it that have levels."""


class RecordState(StrEnum):
    """How a machine stands, for formats that know no more than pass and fail."""

    FINE = "fine"
    FINDING = "finding"
    UNREADABLE = "unreadable"
    """Nothing is known of it, or not whether it was changed."""
    SKIPPED = "skipped"
    """Left out by a filter or a rule, or there is nothing to set on it."""


@dataclass(frozen=True, slots=True)
class RuleText:
    """What a rule id means, in words."""

    id: str
    title: str
    description: str
    """What it sees and why that matters."""
    fix: str
    level: Level
    """The worst that it gives."""


@dataclass(frozen=True, slots=True)
class RecordedFinding:
    """One rule's verdict on one machine."""

    rule: str
    level: Level
    message: str
    evidence: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class RecordedMachine:
    """One machine, or a subscription that could not be read."""

    id: str
    name: str
    group: str
    subscription: str
    """What it is called: its name where that tells it apart from the others of the record."""
    standing: RecordState
    end: str
    """What becomes or became of it, one word: an outcome, or a change's result."""
    meaning: Meaning
    because: str
    values: Mapping[str, Any]
    """Column → JSON value or datetime; what is missing is not known, or has no meaning here."""
    findings: tuple[RecordedFinding, ...] = ()

    def called(self, *, several: bool) -> str:
        """Group and name; `several`: with the subscription, because the record has more than one."""
        if not self.group:
            return self.name
        return f"{in_a_list(self.subscription)}/{self.group}/{self.name}" if several else f"{self.group}/{self.name}"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the machines' table."""

    name: str
    """The JSON member."""
    heading: str
    is_shown: bool = False
    """Whether a page for people has room for it; a spreadsheet has all."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that is told large."""

    number: int
    label: str
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart."""

    name: str
    """The value as our JSON has it."""
    label: str
    count: int
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Chart:
    """How many machines there are of each kind."""

    title: str
    heading: str
    """What a bar's label is: `Outcome`."""
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """One Prometheus gauge; every label is a bounded set."""

    name: str
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]
    """Labels and value, one entry a series."""


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that a report tells."""

    kind: str
    """`audit` or `run`."""
    title: str
    verdict: str
    """The whole in one sentence."""
    meaning: Meaning
    target: Target
    taken_at: datetime | None
    """UTC; None: not known."""
    facts: tuple[tuple[str, str], ...]
    """Where, when, from what: name and text."""
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]
    columns: tuple[Column, ...]
    machines: tuple[RecordedMachine, ...]
    rules: Mapping[str, RuleText]
    """At least the rules that the findings name."""
    metrics: tuple[Metric, ...]
    document: Any
    """The JSON document that it tells of, as a struct or values."""
    glossary: tuple[tuple[str, str], ...] = ()
    """The words of `end`, and what they mean."""
    notes: tuple[str, ...] = ()

    @property
    def has_several_subscriptions(self) -> bool:
        """Whether a machine's group and name do not tell which one it is."""
        return len({machine.subscription for machine in self.machines}) > 1

    @property
    def standings(self) -> Mapping[RecordState, int]:
        """How many machines stand how; none are left out."""
        tally = Counter(machine.standing for machine in self.machines)
        return {standing: tally[standing] for standing in RecordState}

    def by_rule(self) -> Sequence["FindingGroup"]:
        """The findings by rule: the worst first, then the most frequent."""
        groups: dict[str, FindingGroup] = {}
        for machine in self.machines:
            for finding in machine.findings:
                group = groups.setdefault(finding.rule, FindingGroup(self.rules[finding.rule]))
                group.members.append((machine, finding))
        order = tuple(Level)
        return sorted(groups.values(), key=lambda one: (order.index(one.level), -len(one.members), one.rule.id))


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """All findings of one rule."""

    rule: RuleText
    members: list[tuple[RecordedMachine, RecordedFinding]] = field(default_factory=list)

    @property
    def level(self) -> Level:
        """The worst that it gave here."""
        order = tuple(Level)
        return min((finding.level for _, finding in self.members), key=order.index)

    @property
    def fixes(self) -> Sequence[str]:
        """What to do about it, each way out once."""
        return tuple(dict.fromkeys(finding.fix for _, finding in self.members if finding.fix))
