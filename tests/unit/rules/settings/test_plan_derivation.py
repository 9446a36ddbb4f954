"""A plan of another version: what decides a request is compared, the words around it are not."""

from dataclasses import replace

import pytest
from tests.unit.store.frozen_plans import NAMES, frozen, resealed

from patchmode.errors import BrokenPlanError
from patchmode.model.plan import Plan
from patchmode.rules.settings.plan_derivation import check_derived
from patchmode.store.plan_file import decode_plan


def lasting() -> Plan:
    """A plan of an earlier version with a change that cannot be undone."""
    plans = [decode_plan(resealed(frozen(name)), name="plan.json") for name in NAMES]
    return next(one for one in plans if any(not change.reversible for change in one.changes))


def with_reason(plan: Plan, reason: str | None, *, of_reversible: bool) -> Plan:
    changes = (
        replace(one, irreversible_because=reason) if one.reversible is of_reversible else one for one in plan.changes
    )
    return replace(plan, changes=tuple(changes))


def test_a_reason_may_be_worded_otherwise() -> None:
    """Else each better sentence would refuse every plan and every open run of the version before."""
    check_derived(with_reason(lasting(), "Said in other words.", of_reversible=False), name="plan.json")


@pytest.mark.parametrize("reason", [None, ""])
def test_what_cannot_be_undone_has_a_reason(reason: str | None) -> None:
    """The reader is told why."""
    with pytest.raises(BrokenPlanError, match=r"irreversibleBecause is .*, which is not a reason"):
        check_derived(with_reason(lasting(), reason, of_reversible=False), name="plan.json")


def test_what_can_be_undone_has_none() -> None:
    """A reason beside `reversible` would contradict it."""
    plan = decode_plan(resealed(frozen("apply")), name="plan.json")
    assert any(change.reversible for change in plan.changes)
    with pytest.raises(BrokenPlanError, match=r"irreversibleBecause is 'No way back[.]', and it is reversible"):
        check_derived(with_reason(plan, "No way back.", of_reversible=True), name="plan.json")


def test_whether_it_can_be_undone_is_compared() -> None:
    """That is no wording."""
    plan = lasting()
    changes = tuple(replace(one, reversible=True, irreversible_because=None) for one in plan.changes)
    with pytest.raises(BrokenPlanError, match="reversible is True, and its body makes it False"):
        check_derived(replace(plan, changes=changes), name="plan.json")
