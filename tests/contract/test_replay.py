"""Every recorded exchange that concerns what is emulated, replayed: the emulator must answer what Azure answered."""

from collections.abc import Callable

import pytest
from tests.contract.cases import GROUPS, cases
from tests.contract.differences_page import listed
from tests.contract.judging import verdicts
from tests.contract.recordings import ABSENT, is_here

pytestmark = pytest.mark.skipif(not is_here(), reason=ABSENT)

FLOORS = {
    "vm_get": (354, 354),
    "vm_get_instanceview": (354, 354),
    "vmss_flex_instances": (5, 5),
    "vm_list": (32, 32),
    "vm_patch": (42, 43),
    "vm_put_update": (119, 126),
    "lro_flows": (101, 108),
    "vm_actions": (47, 47),
    "vm_delete": (15, 15),
    "operation_status": (81, 81),
    "patch_operations": (16, 16),
    "errors": (6, 6),
    "resource_graph": (7, 7),
    "vmss_flex": (28, 28),
    "hybrid_compute": (11, 11),
    "maintenance": (16, 16),
    "maintenance_powershell": (5, 5),
}
"""Group → how many agree of how many that are judged. A change for the better raises the numbers in the same commit."""


def _judged() -> list[str]:
    return [case.name for group in GROUPS for case in cases(group) if not case.left_out] if is_here() else []


@pytest.mark.parametrize("name", _judged(), ids=str)
def test_the_emulator_answers_as_recorded_or_the_page_says_why_not(name: str) -> None:
    """An unlisted difference is a defect of the emulator; a listed one that is gone is a defect of the page."""
    found = verdicts(name.partition("/")[0])[name]
    if name in listed():
        assert found, "it agrees now: take its row out of docs/reference/emulator-differences.md"
    else:
        assert not found, "\n".join(found)


@pytest.mark.parametrize("group", GROUPS)
def test_the_share_that_agrees_does_not_fall(group: str, record_property: Callable[[str, object], None]) -> None:
    """The floor is what was reached; run with -s to see the shares."""
    found = verdicts(group)
    agree = sum(1 for differences in found.values() if not differences)
    left_out = sum(1 for case in cases(group) if case.left_out)
    share = f"{agree} of {len(found)} agree ({agree / len(found):.1%}), {left_out} left out"
    record_property(group, share)
    print(f"\n{group}: {share}")  # noqa: T201  the judge's result is to be read
    assert (agree, len(found)) == FLOORS[group]


def test_every_listed_case_is_judged() -> None:
    """A row for a case that is not there would never be noticed."""
    assert set(listed()) <= set(_judged())


def test_every_reason_says_something() -> None:
    """A reason is a sentence, not a placeholder."""
    assert all(len(why) > 15 for why in listed().values())
