"""Who patches a machine where the principal may not see every schedule: never a guess, and never less than was seen."""

import pytest
from tests.unit.rules.memberships import NOW, coming, hit
from tests.unit.rules.schedules.test_prediction import (
    ARC,
    AZURE,
    BY_OS,
    FLEX,
    MANUAL,
    OFF,
    OVER,
    READY,
    TWO_READINGS,
    UNSEEN,
    WINDOWS,
)

from patchmode.model.machine import Machine
from patchmode.model.outcome import OutcomeKind
from patchmode.model.patch_settings import PatchSettings
from patchmode.model.schedule import MachineSchedules, NextWindow, ScheduleBook, ScheduleHit
from patchmode.rules.schedules.forecast import predict
from patchmode.rules.schedules.memberships import ScheduleIndex

KIND = OutcomeKind
GUEST = PatchSettings(patch_mode=BY_OS)
SHORT = coming(minutes=20)


def half_seen(*hits: ScheduleHit) -> MachineSchedules:
    """What a reader of one resource group sees."""
    return MachineSchedules(looked_up=False, hits=hits, why_not="schedules may be hidden")


@pytest.mark.parametrize(
    ("settings", "machine", "hits", "kind"),
    [
        (AZURE, WINDOWS, (), KIND.UNKNOWN),
        (READY, WINDOWS, (), KIND.UNKNOWN),
        (GUEST, WINDOWS, (), KIND.GUEST_MANAGED),
        (AZURE, FLEX, (hit(),), KIND.UNKNOWN),
        (AZURE, WINDOWS, (hit(following=UNSEEN),), KIND.UNKNOWN),
        (GUEST, WINDOWS, (hit(following=UNSEEN),), KIND.UNKNOWN),
        (AZURE, WINDOWS, (hit(following=OVER),), KIND.UNKNOWN),
        (GUEST, WINDOWS, (hit(doubt="by case"),), KIND.UNKNOWN),
        (AZURE, WINDOWS, (hit(),), KIND.SCHEDULE_FAILS),
        (GUEST, WINDOWS, (hit(),), KIND.SCHEDULE_FAILS),
        (PatchSettings(patch_mode=MANUAL, bypass=True), WINDOWS, (hit(),), KIND.SCHEDULE_FAILS),
        (AZURE, WINDOWS, (hit(following=TWO_READINGS),), KIND.SCHEDULE_FAILS),
        (READY, OFF, (hit(),), KIND.SCHEDULE_FAILS),
        (READY, WINDOWS, (hit(),), KIND.UNKNOWN),
        (READY, WINDOWS, (hit(following=SHORT),), KIND.UNKNOWN),
        (None, ARC, (hit(),), KIND.UNKNOWN),
    ],
)
def test_what_was_seen_decides_only_if_it_decides_whatever_is_hidden(
    settings: PatchSettings | None, machine: Machine, hits: tuple[ScheduleHit, ...], kind: OutcomeKind
) -> None:
    """A machine that lets every run fail lets the one that was seen fail; all else hangs on what was not seen."""
    outcome = predict(settings, machine, half_seen(*hits))
    assert outcome.kind is kind
    if kind is not KIND.SCHEDULE_FAILS:
        assert "schedules may be hidden" in outcome.reason


@pytest.mark.parametrize("following", [coming(), UNSEEN])
def test_a_schedule_that_was_seen_is_named(following: NextWindow) -> None:
    """Whoever reads the reason must not conclude that none was found."""
    assert "'weekly'" in predict(READY, WINDOWS, half_seen(hit("weekly", following))).reason


def test_a_look_that_was_cut_short_is_not_called_none() -> None:
    """Two sentences that contradict each other help nobody."""
    book = ScheduleBook(notes=("Schedules may be hidden in subscription x.",))
    found = ScheduleIndex(book, now=NOW).schedules_of(WINDOWS)
    assert not found.looked_up
    assert "could not be looked up as a whole" in found.why_not
