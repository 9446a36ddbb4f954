"""Machines that are left alone, cannot be read, or met an error, each with its reason."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchmode.model.outcome import Outcome
from patchmode.model.resource_id import ResourceId

if TYPE_CHECKING:
    from patchmode.model.patch_settings import WantedSettings


@dataclass(frozen=True, slots=True)
class Skipped:
    """A machine that will not be changed, and the rule that says so."""

    id: ResourceId
    rule: str
    reason: str
    fix: str | None = None
    outcome: Outcome | None = None

    @property
    def is_filtered_out(self) -> bool:
        """Whether a filter of the user left it out, so that nothing is asked of it; every other rule is an obstacle."""
        return self.rule.startswith(("filter-", "exclude-"))

    def is_asked_for(self, wanted: "WantedSettings", *, attaches: bool = False) -> bool:
        """Whether the wish concerns the machine, so that leaving it alone leaves something asked for undone.

        Not asked for is what a filter left out; a machine that a rolled-back run had not changed; and an Arc server
        where neither periodic assessment is wanted nor a schedule: it has no patch mode, and a schedule needs none.

        Args:
            wanted: the whole wish.
            attaches: whether a schedule was to be attached as well.
        """
        if self.rule == "arc-no-orchestration":
            return attaches or wanted.concerns_arc
        return not self.is_filtered_out and self.rule != "not-changed-by-run"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A machine, a row that names none, or a whole subscription, that could not be read."""

    id: str
    """A machine id, or `/subscriptions/{guid}` where not even the machines' names are known; of a row or an entry of a
    list that is no machine's, which one it is, as words that are no id."""
    reason: str
    subscription: str | None = None
    """Of a row: the subscription (lower case) that its id names; None: it names none, so it may be about any."""


@dataclass(frozen=True, slots=True)
class MachineError:
    """Why a change did not end as planned, for the person at 3 a.m."""

    code: str
    """Azure's error code, or ours in CamelCase where Azure gave none."""
    message: str
    """What was attempted and what Azure answered, in one or two sentences."""
    may_have_been_applied: bool
    advice: str
    """What to do next."""
    http_status: int | None = None
