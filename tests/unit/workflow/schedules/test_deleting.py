"""Deleting a schedule: nothing that names it stays, whoever would be harmed keeps it, and a half end is told as one."""

import asyncio
from dataclasses import replace

import pytest
from tests.unit.workflow.azure_double import ALPHA, BETA, FixedClock, machine
from tests.unit.workflow.maintenance_double import configuration
from tests.unit.workflow.schedule_doubles import WritableAzure, assigned, azure, ready, schedule_id

from patchmode.errors import RefusedError, UnsafeError, UsageError
from patchmode.model.machine import Lock, Subscription
from patchmode.model.outcome import OutcomeKind
from patchmode.model.report import DeleteReport
from patchmode.model.schedule import DynamicScope, ScopeFilter, WindowRule
from patchmode.workflow.schedules.deleting import Deletion, carry_out_delete, preview_delete

CLOCK = FixedClock()
RINGS = DynamicScope("rings", ALPHA, None, schedule_id(), ScopeFilter(tags={"ring": ("1",)}))


async def looked(double: WritableAzure, **facts: bool) -> Deletion:
    return await preview_delete(double, "nightly", clock=CLOCK, **facts)


async def carried(double: WritableAzure, deletion: Deletion, *, stop: bool = False) -> DeleteReport:
    event = asyncio.Event()
    if stop:
        event.set()
    return await carry_out_delete(double, deletion, clock=CLOCK, stop=event, progressed=lambda _: None)


def fleet() -> WritableAzure:
    """One by an assignment, one by a dynamic scope, one with another schedule too; one that does not exist."""
    static, both, tagged, gone = ready("static"), ready("both"), ready("tagged", tags={"ring": "1"}), ready("gone")
    double = azure(
        static,
        both,
        tagged,
        assignments=[assigned(static), assigned(both), assigned(both, "weekly"), assigned(gone)],
        dynamic_scopes=[RINGS],
    )
    double.schedules.configurations.append(configuration(schedule_id("weekly")))
    return double


async def test_who_patches_its_members_without_it_is_told_before() -> None:
    deletion = await looked(fleet())
    names = {kind: [one.name for one in ids] for kind, ids in deletion.left.items()}
    assert names == {OutcomeKind.SCHEDULED: ["both"], OutcomeKind.PARKED: ["static", "tagged"]}
    assert [one.name for one in deletion.nobody] == ["static", "tagged"]
    assert (deletion.touched, [one.name for one in deletion.view.unseen]) == (4, ["gone"])
    assert [one.name for one in deletion.others] == ["weekly"]


async def test_everything_that_names_it_goes_first_and_then_it() -> None:
    double = fleet()
    seen: list[str] = []

    async def arrive(method: str, what: str) -> None:
        if method == "DELETE":
            seen.append(what)

    double.schedules.arrive = arrive
    report = await carried(double, await looked(double))
    assert (report.result, report.state, len(report.detached)) == ("deleted", "finished", 4)
    assert seen[-2:] == ["dynamic scope rings", str(schedule_id())]
    assert [one.name for one in double.schedules.assignments] == ["weekly"]
    assert double.schedules.dynamic_scopes == []
    assert [one.name for one in double.schedules.configurations] == ["weekly"]


@pytest.mark.parametrize("fault", ["not-sent", "Conflict:409", "lost-before"])
async def test_what_is_still_attached_keeps_the_schedule(fault: str) -> None:
    """A dynamic scope that stays would name a schedule that does not exist."""
    double = fleet()
    double.schedules.faults["rings"].append(fault)
    deletion = await looked(double)
    report = await carried(double, deletion)
    assert report.result == "notSent"
    assert report.end.error is not None
    assert "1 of its 4 assignments are still there" in report.end.error.message
    assert len(double.schedules.configurations) == 2
    again = await carried(double, await looked(double))
    assert again.result == "deleted", "repeating does what is left"


@pytest.mark.parametrize(
    ("fault", "result", "left"),
    [
        ("lost-after", "deleted", 1),
        ("lost-before", "unknown", 2),
        ("Refused:409", "failed", 2),
        ("not-sent", "notSent", 2),
    ],
)
async def test_the_end_of_the_schedule_itself(fault: str, result: str, left: int) -> None:
    double = fleet()
    deletion = await looked(double)
    waiting = double.schedules.faults["nightly"]
    waiting.clear()
    waiting.extend(["", "", "", fault])  # three assignments have its name
    report = await carried(double, deletion)
    assert report.result == result
    assert len(double.schedules.configurations) == left


async def test_a_stop_leaves_the_schedule_and_says_so() -> None:
    double = fleet()
    report = await carried(double, await looked(double), stop=True)
    assert (report.state, report.result) == ("interrupted", "notSent")
    assert len(double.schedules.configurations) == 2


async def test_what_changed_since_it_was_shown_is_refused() -> None:
    """Azure has no precondition for the DELETE: both are compared with what was shown, right before."""
    double = fleet()
    deletion = await looked(double)
    other = configuration(schedule_id(), WindowRule("2024-01-01 04:00", None, "02:00", "UTC", "Day"), tags={"a": "b"})
    kept = double.schedules.configurations
    double.schedules.configurations = [other, *kept[1:]]
    with pytest.raises(RefusedError, match="somebody changed"):
        await carried(double, deletion)
    double.schedules.configurations = kept
    new = ready("new")
    double.schedules.assignments.append(assigned(new))
    with pytest.raises(RefusedError, match=r"attached to more since it was shown: .*/new"):
        await carried(double, deletion)
    double.schedules.assignments.pop()
    double.schedules.dynamic_scopes.append(replace(RINGS, name="more"))
    with pytest.raises(RefusedError, match="attached to more since it was shown"):
        await carried(double, deletion)
    assert len(double.schedules.assignments) == 4


async def test_machines_that_azure_would_patch_keep_it_unless_allowed() -> None:
    mine = machine("mine", mode="AutomaticByPlatform", bypass=False)
    double = azure(mine, assignments=[assigned(mine)])
    with pytest.raises(UnsafeError, match=r"1 of its members .*last-schedule") as caught:
        await looked(double)
    assert caught.value.advice is not None
    assert caught.value.advice.endswith(f"\npatchmode apply --ids {mine.id}")
    report = await carried(double, await looked(double, allow_azure_managed=True))
    assert report.result == "deleted"


async def test_another_maintenance_scope_and_a_schedule_that_is_not_there() -> None:
    double = fleet()
    double.schedules.configurations[0] = configuration(schedule_id(), scope="Host")
    with pytest.raises(RefusedError, match="patches no guests"):
        await looked(double)
    double.schedules.configurations.clear()
    with pytest.raises(UsageError, match="no maintenance configuration"):
        await looked(double)


@pytest.mark.parametrize("place", ["schedule", "machine"])
async def test_a_lock_is_told_before_anything_is_detached(place: str) -> None:
    double = fleet()
    scope = str(schedule_id()) if place == "schedule" else str(ready("static").id)
    double.lock_list = [Lock(scope, "keep", "CanNotDelete")]
    with pytest.raises(RefusedError, match="CanNotDelete lock 'keep'"):
        await looked(double)


async def test_a_subscription_that_cannot_be_read_whole_is_refused_unless_allowed() -> None:
    """Whoever loses it there is not counted, and would be patched by nobody, too."""
    double = fleet()
    double.known = (*double.known, Subscription(BETA, "Beta", double.target.tenant_id))
    double.granted_at = {f"/subscriptions/{BETA}": ()}
    with pytest.raises(UnsafeError, match=f"subscription {BETA} cannot be read"):
        await looked(double)
    deletion = await looked(double, allow_unseen=True)
    assert deletion.warnings[0].startswith(f"Not counted: members in subscription {BETA}")
