"""`patchmode/live-check/v1`: what one throw-away machine showed of Azure, and whether it is as it was."""

from typing import Literal

import msgspec

from patchmode.documents.base import (
    DifferenceRow,
    Edge,
    Subscriptions,
    TargetRow,
    difference_rows,
    subscriptions_in,
    target_row,
)
from patchmode.model.live_check import LiveCheckReport


class ExperimentRow(Edge, frozen=True):
    """One experiment."""

    name: str
    sends: str
    """What it sends, a sentence."""
    outcome: Literal["answered", "partly", "undecided", "notApplicable", "notRun"]
    because: str
    """What Azure answered; or why it does not apply or was not run."""
    requests: tuple[str, ...]
    """In order, each with what it was answered; those that restore the VM are not among them."""


class SwitchRow(Edge, frozen=True):
    """One behaviour that no source confirms, as `arm-emulator --profile` names it."""

    name: str
    answer: str | None
    """null: it was not decided."""
    assumed: str | int
    """What patchmode and the emulator assume."""
    experiment: str | None
    """null: none decides it on one VM."""
    because: str
    """What Azure answered; or why it was not decided."""


class LiveCheckDocument(Edge, frozen=True):
    """A live check."""

    format: Literal["patchmode/live-check/v1"]
    check: str
    target: TargetRow
    machine: str
    state: Literal["finished", "interrupted", "undone"]
    restored: bool
    """Whether the VM was read back as it was, and nothing that was created is left."""
    remaining: tuple[DifferenceRow, ...]
    """Where the VM is not as it was: `expected` is what it was."""
    left: tuple[str, ...]
    """Ids of what was created and could not be deleted."""
    experiments: tuple[ExperimentRow, ...]
    switches: tuple[SwitchRow, ...]
    requests: dict[str, int]
    subscriptions: Subscriptions = msgspec.UNSET


def live_check_document(report: LiveCheckReport) -> LiveCheckDocument:
    """The struct for a live check."""
    document = LiveCheckDocument(
        format="patchmode/live-check/v1",
        check=report.check,
        target=target_row(report.target),
        machine=str(report.machine),
        state=report.state,  # type: ignore[arg-type]  # one of the three, by its docstring
        restored=report.is_restored,
        remaining=difference_rows(report.remaining),
        left=report.left,
        experiments=tuple(
            ExperimentRow(
                name=one.name,
                sends=one.sends,
                outcome=one.outcome.value,
                because=one.because,
                requests=one.requests,
            )
            for one in report.results
        ),
        switches=tuple(
            SwitchRow(
                name=one.switch.name,
                answer=one.answer,
                assumed=one.switch.assumed,
                experiment=one.experiment,
                because=one.because,
            )
            for one in report.switches
        ),
        requests=dict(report.requests),
    )
    return msgspec.structs.replace(document, subscriptions=subscriptions_in(document, report.target.names))
