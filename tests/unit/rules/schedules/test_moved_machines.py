"""A hint is given only where one place and one machine of a name are left over."""

from dataclasses import replace

import pytest
from tests.unit.rules.builders import vm
from tests.unit.rules.memberships import NOW, assignment, book, configuration

from patchmode.model.finding import Severity
from patchmode.model.machine import Machine
from patchmode.model.resource_id import ResourceId
from patchmode.rules.schedules.checks import schedule_reasons
from patchmode.rules.schedules.memberships import ScheduleIndex, left_behind

HERE = vm("Linux")
OTHER = "99999999-9999-9999-9999-999999999999"


def at(group: str, *, subscription: str = HERE.id.subscription_id, name: str = HERE.name) -> ResourceId:
    kind = "Microsoft.Compute/virtualMachines"
    return ResourceId.parse(f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}")


def one(machine_id: ResourceId) -> Machine:
    return replace(HERE, id=machine_id)


OLD = at("rg-old", name=HERE.name.upper())


@pytest.mark.parametrize(
    ("machines", "assigned", "standing", "found"),
    [
        ([HERE], [OLD], [], [HERE.id]),
        ([HERE], [at("rg", subscription=OTHER)], [], [HERE.id]),
        ([HERE], [OLD, OLD], [], [HERE.id]),
        ([HERE], [OLD], [OLD], []),
        ([HERE, one(OLD)], [OLD], [], []),
        ([HERE], [OLD, HERE.id], [], []),
        ([HERE], [OLD, at("rg-older")], [], []),
        ([HERE, one(at("rg-new"))], [OLD], [], []),
        ([HERE], [at("rg-old", name="another")], [], []),
        ([HERE], [], [], []),
    ],
    ids=[
        *("moved", "another-subscription", "two-schedules", "stands-there", "stands-there-in-scope", "attached-here"),
        *("two-places", "two-machines", "another-name", "nothing"),
    ],
)
def test_only_what_is_unmistakable(
    machines: list[Machine], assigned: list[ResourceId], standing: list[ResourceId], found: list[ResourceId]
) -> None:
    entries = [assignment(place, name=f"a{number}") for number, place in enumerate(assigned)]
    assert list(left_behind(machines, entries, standing=standing)) == found


def test_the_note_names_the_old_place_and_attaches_here() -> None:
    contents = book([configuration()], [assignment(OLD)])
    index = ScheduleIndex(contents, now=NOW, left_behind=left_behind([HERE], contents.assignments))
    (reason,) = schedule_reasons(HERE, index.schedules_of(HERE), index)
    assert (reason.rule, reason.severity) == ("assignment-orphaned", Severity.NOTES)
    assert "in resource group rg-old, where you see none" in reason.message
    assert reason.fix.startswith("patchmode schedule attach /subscriptions/")
    assert reason.fix.endswith(f" --ids {HERE.id}")
