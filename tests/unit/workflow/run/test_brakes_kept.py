"""What held a run back when it began holds it back when it is taken up: each of it, by what the fleet is sent."""

from datetime import datetime, timedelta

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.dying_journal import DyingJournal
from tests.unit.workflow.fleet_double import (
    FleetDouble,
    LoopClock,
    VirtualLoop,
    fleet_of,
    machine_id,
    run_virtually,
    vm,
)
from tests.unit.workflow.run.test_waves import Timeline, codes, failing, in_waves

from patchmode.errors import RefusedError, UsageError
from patchmode.model.guardrails import NAMES, Halt, KeptFreeze, RunGuardrails
from patchmode.model.plan import Plan
from patchmode.model.run import Result, RunReport
from patchmode.store.runs import RunStore
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.guardrails import Budgets, FailureCount, MaxFailures
from patchmode.workflow.run.options import ApplyOptions, brakes_of, options_of
from patchmode.workflow.run.resuming import Interrupted, agreed, in_force

EVERYTHING = RunGuardrails(
    max_failures="3",
    max_failures_per_wave="20%",
    max_failures_per_region="2",
    concurrency=4,
    operation_timeout=12.0,
    throttle_patience=300.0,
    wave_pause=1800.0,
    last_wave=2,
    strict=True,
    freeze=(KeptFreeze("Fri 16:00-Mon 06:00", "Europe/Berlin"),),
    share="50%",
    max_changes="400",
)


def killed(
    store: RunStore, azure: FleetDouble, brakes: RunGuardrails, *, plan: Plan | None = None, at: int = 0
) -> None:
    """A run that is begun with brakes and dies before its step `at` is written down."""

    def die() -> None:
        raise runs.Killed

    async def main() -> None:
        journal = store.create(plan or azure.plan(), brakes=brakes)
        dying = DyingJournal(journal, at=at, committed=False, die=die)  # type: ignore[arg-type]  # it never returns
        await apply_plan(dying, azure, clock=LoopClock())

    with pytest.raises(runs.Killed):
        run_virtually(main())


def resumed(azure: FleetDouble, brakes: RunGuardrails, *, plan: Plan | None = None, at: int = 0) -> RunReport:
    with runs.temporary_store() as store:
        killed(store, azure, brakes, plan=plan, at=at)
        return runs.resume(store, azure)


def test_the_examples_here_name_every_brake() -> None:
    assert [name for name in NAMES if not getattr(EVERYTHING, name)] == []


def test_max_failures_is_in_force_on_resume() -> None:
    """And counts what failed before the kill: two then, one now."""
    azure = failing(fleet_of(12), *(f"vm-{number:04}" for number in range(12)))
    report = resumed(azure, RunGuardrails(max_failures="3", concurrency=1), at=4)
    assert (report.counts.failed, report.counts.not_sent, report.state) == (3, 9, "stopped")
    assert report.halts == (Halt("FailureBudgetSpent", "the failure budget was spent"),)


def test_max_failures_per_wave_is_in_force_on_resume() -> None:
    azure = failing(fleet_of(8), *(f"vm-{number:04}" for number in range(8)))
    brakes = RunGuardrails(max_failures_per_wave="2", concurrency=1)
    report = resumed(azure, brakes, plan=in_waves(azure.plan(), 6, 2), at=2)
    assert [(one.failed, one.not_sent) for one in report.waves] == [(2, 4), (0, 2)]
    assert set(codes(report).values()) == {"WaveBudgetSpent"}


def test_a_wave_that_used_its_budget_up_holds_up_the_waves_after_it_for_good() -> None:
    azure = failing(fleet_of(4), "vm-0000", "vm-0001")
    plan = in_waves(azure.plan(), 2, 2)
    with runs.temporary_store() as store:
        options = ApplyOptions(concurrency=1, max_failures_per_wave=MaxFailures(count=2))
        runs.apply_in(store, azure, plan=plan, options=options)
        again = runs.resume(store, azure)
    assert [(one.failed, one.not_sent) for one in again.waves] == [(2, 0), (0, 2)]


def test_max_failures_per_region_is_in_force_on_resume() -> None:
    west = [vm(f"w{number}") for number in range(4)]
    north = [vm(f"n{number}", location="northeurope") for number in range(4)]
    azure = failing(FleetDouble([*west, *north]), *(f"w{number}" for number in range(4)))
    report = resumed(azure, RunGuardrails(max_failures_per_region="2", concurrency=1), at=2)
    ends = {one.id.name: one.result for one in report.results}
    assert [ends[f"n{number}"] for number in range(4)] == [Result.APPLIED] * 4
    assert [ends[f"w{number}"] for number in range(4)].count(Result.FAILED) == 2
    assert report.halts == (
        Halt("RegionBudgetSpent", "the failure budget of westeurope was spent", region="westeurope"),
    )
    assert report.state == "stopped"


def test_concurrency_is_in_force_on_resume() -> None:
    azure = fleet_of(12)
    resumed(azure, RunGuardrails(concurrency=2))
    assert azure.most_under_way <= 2


def test_operation_timeout_is_in_force_on_resume() -> None:
    azure = fleet_of(1, duration_s=400.0)
    report = resumed(azure, RunGuardrails(operation_timeout=12.0))
    assert (report.counts.unknown, runs.error_of(report.results[0]).code) == (1, "StillRunning")


@pytest.mark.parametrize("strict", [False, True])
def test_strict_is_in_force_on_resume(strict: bool) -> None:
    azure = fleet_of(1)
    with runs.temporary_store() as store:
        killed(store, azure, RunGuardrails(strict=strict))
        azure.edit(machine_id("vm-0000"), tag="somebody else's")
        report = runs.resume(store, azure)
    assert [one.result for one in report.results] == [Result.STALE if strict else Result.APPLIED]


def test_throttle_patience_is_in_force_on_resume() -> None:
    """It is the connection's, which the faces open with what the run keeps."""
    with runs.temporary_store() as store:
        killed(store, fleet_of(1), RunGuardrails(throttle_patience=60.0))
        found = standing(store).kept
    assert found is not None
    assert options_of(found).throttle_patience_s == 60.0


def test_wave_pause_is_in_force_on_resume() -> None:
    azure = fleet_of(2)
    plan = in_waves(azure.plan(), 1, 1)
    with runs.temporary_store() as store:
        killed(store, azure, RunGuardrails(wave_pause=1800.0), plan=plan, at=2)
        seen = Timeline(azure)
        runs.resume(store, azure, observer=seen)
    first, second = (change.id for change in plan.changes)
    assert seen.written[second] - seen.ended[first] >= 1790


def test_last_wave_is_in_force_on_resume() -> None:
    azure = fleet_of(3)
    report = resumed(azure, RunGuardrails(last_wave=1), plan=in_waves(azure.plan(), 2, 1))
    assert [(one.applied, one.not_sent) for one in report.waves] == [(2, 0), (0, 1)]
    assert report.state == "stopped"


def freeze_from(seconds: float) -> KeptFreeze:
    """An hour, beginning so many seconds from now by the clock that the runs here go by; written in Tokyo's time."""
    starts = datetime(2030, 2, 1, 7, 0) + timedelta(seconds=VirtualLoop.elapsed() + seconds)  # noqa: DTZ001 - a wall's
    return KeptFreeze(f"{starts.isoformat()}/{(starts + timedelta(hours=1)).isoformat()}", "Asia/Tokyo")


def test_freeze_is_in_force_on_resume() -> None:
    """Killed before it began, and taken up inside it: by the time zone in which it was written."""
    azure = fleet_of(4)
    with runs.temporary_store() as store:
        killed(store, azure, RunGuardrails(freeze=(freeze_from(30),)))
        run_virtually(LoopClock().sleep(600))
        with pytest.raises(RefusedError, match=r"^Nothing was sent: frozen, .*Asia/Tokyo"):
            runs.resume(store, azure)
        assert azure.count("PATCH") == 0
        run_virtually(LoopClock().sleep(3600))
        assert runs.resume(store, azure).counts.verified == 4


# ------------------------------------------------------------------------------------------------ kept and changed


@pytest.mark.parametrize("name", NAMES)
def test_each_is_kept_until_an_option_changes_it(name: str) -> None:
    """The environment adds and tightens; only what is typed replaces or lifts."""
    kept, nothing = EVERYTHING, RunGuardrails()
    assert getattr(in_force(kept, nothing, (), nothing), name) == getattr(kept, name)
    lifted = in_force(kept, nothing, (name,), nothing)
    assert getattr(lifted, name) == getattr(nothing, name)
    assert [getattr(lifted, other) for other in NAMES if other != name] == [
        getattr(kept, other) for other in NAMES if other != name
    ]
    assert getattr(in_force(nothing, nothing, (), kept), name) == getattr(kept, name)
    assert getattr(in_force(None, kept, (name,), nothing), name) == getattr(kept, name)


def test_the_environment_tightens_a_share_and_adds_a_freeze() -> None:
    night = KeptFreeze("22:00-06:00", "UTC")
    around = RunGuardrails(
        share="25%", freeze=(night,), sources={"share": "PATCHMODE_SHARE", "freeze": "PATCHMODE_FREEZE"}
    )
    found = in_force(EVERYTHING, RunGuardrails(), (), around)
    assert (found.share, found.freeze) == ("25%", (*EVERYTHING.freeze, night))
    assert found.sources == around.sources
    assert in_force(EVERYTHING, RunGuardrails(), (), RunGuardrails(share="75%")).share == "50%"


def test_a_journal_gives_back_what_it_was_given() -> None:
    azure = fleet_of(2)
    with runs.temporary_store() as store:
        store.create(azure.plan(), brakes=EVERYTHING).release()
        journal = store.open()
        assert journal.brakes == EVERYTHING
        journal.release()


def test_options_and_what_is_kept_of_them_say_the_same() -> None:
    assert brakes_of(options_of(EVERYTHING), EVERYTHING) == EVERYTHING
    assert brakes_of(ApplyOptions(), None) == RunGuardrails()
    assert options_of(RunGuardrails()) == ApplyOptions()


def test_a_library_that_gives_options_has_them_kept_too() -> None:
    azure = failing(fleet_of(6), *(f"vm-{number:04}" for number in range(6)))
    with runs.temporary_store() as store:
        options = ApplyOptions(concurrency=1, max_failures=MaxFailures(count=2))
        runs.apply_in(store, azure, plan=azure.plan(), options=options)
        report = runs.resume(store, azure)
    assert (report.counts.failed, report.state) == (2, "stopped")
    assert report.brakes == RunGuardrails(max_failures="2", concurrency=1)


# ------------------------------------------------------------------------------------------------ the yes


def standing(store: RunStore) -> Interrupted:
    journal = store.open()
    found = Interrupted(journal)
    journal.release()
    return found


@pytest.mark.parametrize(
    ("brakes", "sizes", "because", "option", "raised"),
    [
        (
            {"max_failures": "2"},
            (),
            "The failure budget is spent: 2 failed, and --max-failures is 2.",
            "max_failures",
            "4",
        ),
        (
            {"max_failures": "25%"},
            (),
            "The failure budget is spent: 2 failed, and --max-failures is 25%.",
            "max_failures",
            "50%",
        ),
        (
            {"max_failures_per_wave": "2"},
            (4, 4),
            "The failure budget of a wave is spent, and --max-failures-per-wave is 2.",
            "max_failures_per_wave",
            "4",
        ),
        (
            {},
            (2, 6),
            "2 failed in the waves before wave 2 of 2, w2, which is not begun after failures.",
            "max_failures_per_wave",
            "3",
        ),
        (
            {"max_failures_per_region": "2"},
            (),
            "The failure budget of westeurope is spent, and --max-failures-per-region is 2.",
            "max_failures_per_region",
            "4",
        ),
    ],
)
def test_a_spent_budget_asks_and_a_yes_allows_as_many_again(
    brakes: dict[str, str], sizes: tuple[int, ...], because: str, option: str, raised: str
) -> None:
    azure = failing(fleet_of(8), *(f"vm-{number:04}" for number in range(8)))
    plan = in_waves(azure.plan(), *sizes) if sizes else azure.plan()
    held = RunGuardrails(concurrency=1, **brakes)  # type: ignore[arg-type]  # only texts
    with runs.temporary_store() as store:
        runs.apply_in(store, azure, plan=plan, options=options_of(held))
        found = standing(store)
        (objection,) = found.needs_yes(held)
        assert (objection.because, objection.option, objection.raised) == (because, option, raised)
        allowed = agreed(held, found)
        # After failures in a wave without a budget the yes is enough, and brings no budget about.
        assert getattr(allowed, option) == (raised if brakes else None)
        assert (found.objections(allowed), allowed.accepted_failures) == ([], 2)
        again = runs.resume(store, azure, is_agreed=True)
    assert again.counts.failed == (8 if not brakes else 4)


def test_a_larger_budget_that_is_given_does_not_stand_for_the_yes() -> None:
    """What the run was begun with is spent: somebody is told what failed, whatever the options of now allow."""
    azure = failing(fleet_of(8), *(f"vm-{number:04}" for number in range(8)))
    with runs.temporary_store() as store:
        runs.apply_in(
            store, azure, plan=azure.plan(), options=options_of(RunGuardrails(max_failures="2", concurrency=1))
        )
        (objection,) = standing(store).needs_yes(RunGuardrails(max_failures="8"))
    assert objection.because == "The failure budget is spent: 2 failed, and --max-failures is 2."


def test_failures_of_earlier_sessions_leave_a_wave_its_budget_until_it_begins() -> None:
    """Which wave they were in is told then; what is said of the pace before must not count them for each."""
    count = FailureCount(Budgets(wave=MaxFailures(count=2)), machines=10, regions=(), earlier=[None])
    assert (count.failures, count.narrowest()) == (1, 2)
    count.begin_wave(5, failures=1)
    assert count.narrowest() == 1


def test_what_was_raised_is_spent_again_and_asks_again() -> None:
    azure = failing(fleet_of(9), *(f"vm-{number:04}" for number in range(9)))
    with runs.temporary_store() as store:
        options = options_of(RunGuardrails(max_failures="2", concurrency=1))
        runs.apply_in(store, azure, plan=azure.plan(), options=options)
        failed = [runs.resume(store, azure, is_agreed=True).counts.failed for _ in range(4)]
        assert not standing(store).needs_yes(RunGuardrails(max_failures="2"))
    assert failed == [4, 8, 9, 9]


def test_nobody_is_asked_where_no_budget_is_spent_or_nothing_is_left() -> None:
    azure = failing(fleet_of(6), "vm-0000")
    with runs.temporary_store() as store:
        killed(store, azure, RunGuardrails(max_failures="2", concurrency=1), at=3)
        found = standing(store)
        assert (len(found.failures), found.left, found.needs_yes(found.kept or RunGuardrails())) == (1, 5, [])
        assert runs.resume(store, azure).counts.applied == 5
        assert standing(store).needs_yes(RunGuardrails(max_failures="1")) == ()


@pytest.mark.parametrize(
    ("failures", "budget", "raised"), [(3, "3", "6"), (7, "3", "10"), (5, "5%", "10%"), (9, "5%", "14%")]
)
def test_a_raised_budget_is_not_spent(failures: int, budget: str, raised: str) -> None:
    found = MaxFailures.parse(budget).raised(failures, 100)
    assert (str(found), found.is_spent(failures, 100)) == (raised, False)


@pytest.mark.parametrize("text", ["5", "5%", "12.5%", "0.1%"])
def test_a_budget_is_written_as_it_is_read(text: str) -> None:
    assert MaxFailures.parse(str(MaxFailures.parse(text))) == MaxFailures.parse(text)


def test_a_freeze_of_a_zone_that_is_not_known_here_is_no_freeze_to_forget() -> None:
    brakes = RunGuardrails(freeze=(KeptFreeze("22:00-06:00", "Atlantis/Sunken"),))
    with pytest.raises(RefusedError, match="does not know the time zone Atlantis/Sunken"):
        options_of(brakes)
    with pytest.raises(UsageError):
        options_of(RunGuardrails(max_failures="many"))
