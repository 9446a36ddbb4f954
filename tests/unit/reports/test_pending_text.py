"""What is pending on machines, for people: an age, no false zero, and no machine called never assessed."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.workflow.azure_double import FixedClock, machine_id
from tests.unit.workflow.schedule_doubles import assigned, azure, ready, schedule_id

from patchmode.documents.schedules import show_document
from patchmode.model.schedule import Assessment, Assessments
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.pending import pending_text, total_text
from patchmode.reports.text.schedules import detail_lines
from patchmode.workflow.schedules.views import show_schedule

CLOCK = FixedClock()
NOW = datetime(2030, 2, 1, tzinfo=UTC)
VM = machine_id("a")


def made(hours: float, status: str = "Succeeded") -> Assessment:
    return Assessment(VM, status, NOW - timedelta(hours=hours), 1, 20, 3000, reboot_pending=False)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (made(0.5), "1 critical, 20 security, 3,000 other; assessed 2030-01-31 23:30 UTC (30 minutes ago)"),
        (made(47), "1 critical, 20 security, 3,000 other; assessed 2030-01-30 01:00 UTC (47 hours ago)"),
        (made(24 * 6), "1 critical, 20 security, 3,000 other; assessed 2030-01-26 00:00 UTC (6 days ago)"),
        (made(-5), "1 critical, 20 security, 3,000 other; assessed 2030-02-01 05:00 UTC"),
        (made(3, "Failed"), "not known; assessed 2030-01-31 21:00 UTC (3 hours ago), Failed"),
        (None, "no assessment on record"),
    ],
)
def test_one_machine(found: Assessment | None, told: str) -> None:
    assert pending_text(found, Assessments(), NOW) == told


def test_what_could_not_be_read_is_not_nothing() -> None:
    refused = Assessments(refusal="no right")
    assert pending_text(None, refused, NOW) == "not known, the assessments could not be read: no right"
    assert total_text(refused, 3) == "not known, the assessments could not be read: no right"
    assert total_text(Assessments(), 3) == "not known for any member"
    assert total_text(Assessments({VM: made(1)}), 3) == "1 critical, 20 security, 3,000 other on 1 of 3 members"


@pytest.mark.parametrize("is_refused", [False, True])
async def test_the_members_of_a_schedule(is_refused: bool) -> None:
    one, two = ready("one"), ready("two")
    double = azure(one, two, assignments=[assigned(one), assigned(two)])
    double.schedules.found_assessments = [Assessment(one.id, "Succeeded", CLOCK.now() - timedelta(days=2), 1, 2, 3)]
    double.schedules.refused = frozenset({"assessments"} if is_refused else ())
    detail = await show_schedule(double, str(schedule_id()), clock=CLOCK)
    text = "\n".join(detail_lines(detail, paint=Paint()))
    pending = show_document(detail).pending
    if is_refused:
        assert "Pending updates, as last assessed: not known, the assessments could not be read: " in text
        assert pending is None
        return
    assert "Pending updates, as last assessed: 1 critical, 2 security, 3 other on 1 of 2 members." in text
    (first,) = [line for line in text.splitlines() if "2 days ago" in line]
    assert first.split()[1:5] == ["one", "1", "2", "3"]
    (second,) = [line for line in text.splitlines() if "no assessment on record" in line]
    assert second.split()[:3] == ["rg", "two", "no"]
    assert "Without a record a machine was never assessed, or not since." in " ".join(text.split())
    assert pending is not None
    assert [(entry.id.rpartition("/")[2], entry.critical, entry.status) for entry in pending] == [
        ("one", 1, "Succeeded"),
        ("two", None, None),
    ]
