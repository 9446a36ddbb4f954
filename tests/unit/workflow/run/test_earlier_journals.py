"""Journals as version 0.1.0 wrote them before a run's brakes were kept: still read, shown, taken up, verified, undone.

How they were made stands in `tests/data/README.md`.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.workflow import run_doubles as runs
from tests.unit.workflow.fleet_double import SUBSCRIPTION, FleetDouble, LoopClock, run_virtually
from tests.unit.workflow.maintenance_double import configuration, configuration_id

from patchmode.model.guardrails import RunGuardrails
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import RunReport
from patchmode.model.schedule import ConfigurationAssignment
from patchmode.store.runs import RunStore
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.report import report_of
from patchmode.workflow.run.resuming import Interrupted
from patchmode.workflow.run.rollback import make_rollback_plan
from patchmode.workflow.run.verification import verify_run

DATA = Path(__file__).parents[3] / "data" / "journals"
RUN = "20261130T080000000Z-0123ab"
STATES = {
    "finished": "finished",
    "interrupted": "interrupted",
    "interrupted-with-failures": "interrupted",
    "then-attach": "interrupted",
    # All three called themselves finished.
    "budget-spent": "stopped",
    "last-wave": "stopped",
    "wave-with-failures": "stopped",
}


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path)


def laid(store: RunStore, tmp_path: Path, name: str) -> FleetDouble:
    """The journal in the state folder, and the fleet as that run left it."""
    (tmp_path / "runs").mkdir()
    shutil.copy(DATA / f"{name}.sqlite", tmp_path / "runs" / f"{RUN}.sqlite")
    left = json.loads((DATA / f"{name}.fleet.json").read_text(encoding="utf-8"))
    azure = FleetDouble(left["machines"])
    azure.operations_unknown = True
    azure.schedules.configurations = [configuration(configuration_id("weekly", subscription=SUBSCRIPTION))]
    azure.schedules.assignments = [
        ConfigurationAssignment(one["name"], ResourceId.parse(one["machine"]), ResourceId.parse(one["configuration"]))
        for one in left["assignments"]
    ]
    return azure


def told(store: RunStore) -> Iterator[RunReport]:
    journal = store.open(RUN)
    yield report_of(journal)
    journal.release()


@pytest.mark.parametrize(("name", "state"), STATES.items())
def test_it_is_listed_and_shown_with_what_became_of_it(store: RunStore, tmp_path: Path, name: str, state: str) -> None:
    laid(store, tmp_path, name)
    (summary,) = store.list()
    (report,) = told(store)
    assert (summary.run, summary.state, summary.problem) == (RUN, state, None)
    assert (report.state, report.brakes, report.halts) == (state, None, ())


@pytest.mark.parametrize("name", ["interrupted", "last-wave", "then-attach", "finished"])
def test_it_is_taken_up_and_ends_as_it_would_have(store: RunStore, tmp_path: Path, name: str) -> None:
    azure = laid(store, tmp_path, name)
    report = runs.resume(store, azure)
    changes = len(report.results)
    assert (report.counts.applied, report.counts.verified, report.state) == (changes, changes, "finished")
    journal = store.open(RUN)
    assert journal.brakes == RunGuardrails()
    journal.release()


@pytest.mark.parametrize(
    ("name", "failed"), [("budget-spent", 3), ("interrupted-with-failures", 2), ("wave-with-failures", 1)]
)
def test_where_something_failed_somebody_must_say_yes(store: RunStore, tmp_path: Path, name: str, failed: int) -> None:
    """Its budget was not written down, so that it may have been spent."""
    azure = laid(store, tmp_path, name)
    journal = store.open(RUN)
    found = Interrupted(journal)
    journal.release()
    objections = found.needs_yes(RunGuardrails())
    assert objections[0].because == (
        f"{failed} failed, and the version that began this run did not write its failure budget down."
    )
    report = runs.resume(store, azure, is_agreed=True)
    assert (report.counts.failed, report.counts.not_sent, report.state) == (failed, 0, "finished")


@pytest.mark.parametrize("name", ["finished", "last-wave"])
def test_it_is_verified_and_undone(store: RunStore, tmp_path: Path, name: str) -> None:
    azure = laid(store, tmp_path, name)
    journal = store.open(RUN, for_writing=True)
    clock = LoopClock()

    async def main() -> RunReport:
        found = await verify_run(azure, journal, record=True)
        assert [one.verified for one in found] == [True, True]
        plan = await make_rollback_plan(
            azure, journal, allow_azure_managed=False, clock=clock, tool_version="0.1.0", remark=lambda _: None
        )
        journal.release()
        return await apply_plan(store.create(plan), azure, ApplyOptions(), clock=clock)

    report = run_virtually(main())
    assert (report.counts.applied, report.counts.verified) == (2, 2)
    # Verifying alone says nothing about brakes, so that the earlier version can still read it.
    journal = store.open(RUN)
    assert journal.brakes is None
    journal.release()
