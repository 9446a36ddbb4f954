"""How much of a scope may change, and what allows it all the same."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.store.plans import GUEST, change, machine_id, plan
from tests.unit.store.test_plan_schedules import WEEKLY

from patchmode.errors import UnsafeError, UsageError
from patchmode.model.left_alone import Skipped
from patchmode.model.machine import MachineKind
from patchmode.model.plan import Detachment, Plan, ThenAttach, Unchanged
from patchmode.rules.guardrails.limits import OPTION, UNWATCHED, MaxChanges, check_blast_radius, limit_for

HALF = MaxChanges(percent=50)


def fleet(changes: int, *, unchanged: int = 0, skipped: int = 0) -> Plan:
    made = plan(
        unchanged=tuple(Unchanged(machine_id(f"same-{n}"), MachineKind.VM, GUEST) for n in range(unchanged)),
        skipped=tuple(Skipped(machine_id(f"left-{n}"), "filter-os", "Left out.") for n in range(skipped)),
    )
    return replace(made, changes=tuple(change(f"vm-{n}") for n in range(changes)))


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("400", MaxChanges(count=400)),
        (" 0 ", MaxChanges(count=0)),
        ("50%", HALF),
        ("12.5 %", MaxChanges(percent=12.5)),
        ("100%", MaxChanges(percent=100)),
    ],
)
def test_limits_are_read(text: str, limit: MaxChanges) -> None:
    assert MaxChanges.parse(text) == limit


@pytest.mark.parametrize("text", ["", "%", "many", "-1", "-1%", "101%", "nan%", "inf%", "inf", "1.5", "5%%"])
def test_what_is_no_limit_is_refused_by_name(text: str) -> None:
    """A limit that is misread is no limit."""
    with pytest.raises(UsageError, match=r"--max-changes: .* is not a limit"):
        MaxChanges.parse(text)


def test_the_refusal_tells_the_ratio_and_the_value_that_allows_it() -> None:
    with pytest.raises(UnsafeError) as caught:
        check_blast_radius(fleet(412, unchanged=40, skipped=28), HALF)
    assert caught.value.message == (
        "The plan would change 412 of 480 machines in scope (86 %), and the limit is 50 %. Nothing was sent."
    )
    assert caught.value.advice == ("Is the scope the one you mean? If so much is meant, give --max-changes 86%.")


def test_a_limit_in_machines_is_answered_in_machines() -> None:
    with pytest.raises(UnsafeError) as caught:
        check_blast_radius(fleet(1200, skipped=800), MaxChanges(count=1000))
    assert caught.value.message == (
        "The plan would change 1,200 of 2,000 machines in scope (60 %), and the limit is 1,000. Nothing was sent."
    )
    assert caught.value.advice.endswith("give --max-changes 1200.")


def test_a_limit_that_is_just_reached_allows_it() -> None:
    check_blast_radius(fleet(5, skipped=5), HALF)
    check_blast_radius(fleet(5), MaxChanges(count=5))
    check_blast_radius(fleet(5), None)
    check_blast_radius(fleet(0), MaxChanges(count=0))
    check_blast_radius(fleet(0, unchanged=3), MaxChanges(percent=0))


def test_machines_that_get_or_lose_a_schedule_count() -> None:
    """Attaching to 40 machines that are as wanted is a change of 40 machines."""
    attaching = replace(fleet(1, unchanged=40, skipped=9), then_attach=ThenAttach(WEEKLY, "weekly"))
    with pytest.raises(UnsafeError, match="41 of 50 machines"):
        check_blast_radius(attaching, HALF)
    same = Detachment(machine_id("vm-0"), MachineKind.VM, WEEKLY, "weekly")
    other = Detachment(machine_id("same-0"), MachineKind.VM, WEEKLY, "weekly")
    detaching = replace(fleet(1, unchanged=2), first_detach=(same, other))
    with pytest.raises(UnsafeError, match="2 of 3 machines"):
        check_blast_radius(detaching, HALF)


@pytest.mark.parametrize(
    ("changes", "is_watched", "limit"),
    [(500, False, None), (501, False, UNWATCHED), (501, True, None)],
)
def test_without_a_limit_half_of_a_large_fleet_may_change_unwatched(
    changes: int, is_watched: bool, limit: MaxChanges | None
) -> None:
    assert limit_for(fleet(changes), None, is_watched=is_watched) == limit


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_stated_limit_holds_whoever_looks(is_watched: bool) -> None:
    assert limit_for(fleet(1), MaxChanges(count=0), is_watched=is_watched) == MaxChanges(count=0)
    assert limit_for(fleet(501), MaxChanges(percent=100), is_watched=is_watched) == MaxChanges(percent=100)


@given(
    changes=st.integers(0, 30),
    rest=st.integers(0, 30),
    limit=st.builds(MaxChanges, st.integers(0, 40)) | st.builds(MaxChanges, st.none(), st.floats(0, 100)),
)
def test_the_value_of_the_advice_allows_what_was_refused(changes: int, rest: int, limit: MaxChanges) -> None:
    """Who follows the advice must not be refused again."""
    made = fleet(changes, skipped=rest)
    try:
        check_blast_radius(made, limit)
    except UnsafeError as error:
        advised = MaxChanges.parse(error.advice.rpartition(OPTION)[2].rstrip("."))
        assert not limit.allows(changes, changes + rest)
        check_blast_radius(made, advised)
