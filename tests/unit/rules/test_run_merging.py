"""Shards' reports as one: nothing lost, nothing twice, and what is missing named."""

from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from patchmode.documents.published import render_schemas
from patchmode.documents.run import encode_run
from patchmode.errors import RefusedError, WrongTargetError
from patchmode.model.left_alone import MachineError
from patchmode.model.outcome import PatchedByNobody
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Difference, Result, RunCounts, RunReport, ToldRun, Verification
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.model.scope import Shard
from patchmode.model.target import Target
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.run import run_lines
from patchmode.rules.run_merging import merge_runs
from patchmode.store.runs import files_in, read_report

TARGET = Target("AzureCloud", "https://management.azure.com", "99999999-9999-9999-9999-999999999999")
TALLY = {Result.APPLIED: "applied", Result.FAILED: "failed", Result.UNKNOWN: "unknown", Result.STALE: "stale"}
PLAIN = Paint()


def vm(number: int) -> ResourceId:
    subscription = "11111111-1111-1111-1111-111111111111"
    kind = "Microsoft.Compute/virtualMachines"
    return ResourceId.parse(f"/subscriptions/{subscription}/resourceGroups/rg/providers/{kind}/vm{number}")


def report(
    run: str, *results: ChangeResult, shard: Shard | None = None, skipped: int = 0, **members: object
) -> RunReport:
    """A run whose counts are those of its results."""
    tally = {name: sum(one.result is result for one in results) for result, name in TALLY.items()}
    verified = sum(bool(one.verification and one.verification.verified) for one in results)
    counts = RunCounts(len(results) + skipped, **tally, skipped=skipped, verified=verified)
    made = RunReport(run, "finished", counts, {"PATCH": len(results)} if results else {}, results, TARGET, shard=shard)
    return replace(made, **members)  # type: ignore[arg-type]


def applied(number: int) -> ChangeResult:
    return ChangeResult(vm(number), Result.APPLIED, verification=Verification(vm(number), verified=True))


def thirds(*reports: RunReport) -> list[ToldRun]:
    return [ToldRun(f"part{place}.json", one) for place, one in enumerate(reports, 1)]


@given(
    ends=st.lists(st.tuples(st.sampled_from(list(TALLY)), st.integers(1, 4)), max_size=20),
    order=st.permutations(range(4)),
    states=st.lists(st.sampled_from(["finished", "interrupted", "running"]), min_size=4, max_size=4),
)
def test_the_union_adds_up_in_any_order(
    ends: list[tuple[Result, int]], order: Sequence[int], states: list[str]
) -> None:
    """Scope, each end, requests: of all parts together what one run of all would tell."""
    results = [(ChangeResult(vm(place), result), number) for place, (result, number) in enumerate(ends)]
    parts = [
        report(
            f"R{number}",
            *(one for one, mine in results if mine == number),
            shard=Shard(number, 4),
            skipped=number,
            state=states[number - 1],
        )
        for number in range(1, 5)
    ]
    united = merge_runs([ToldRun(parts[place].run, parts[place]) for place in order])
    whole = report("", *(one for one, _ in results), skipped=1 + 2 + 3 + 4)
    assert astuple(united.counts) == astuple(whole.counts)
    assert united.requests == whole.requests
    assert {one.id: one.result for one in united.results} == {one.id: one.result for one in whole.results}
    assert [part.run for part in united.parts] == ["R1", "R2", "R3", "R4"]
    assert united.missing == ()
    worst = next((state for state in ("running", "interrupted") if state in states), "finished")
    assert (united.state, united.run, united.target) == (worst, "", TARGET)


def test_missing_shards_are_named() -> None:
    """A shard that told nothing may have done anything."""
    united = merge_runs(thirds(report("A", applied(1), shard=Shard(2, 3))))
    assert united.missing == (Shard(1, 3), Shard(3, 3))
    text = "\n".join(run_lines(united, TARGET, paint=PLAIN))
    assert "Missing: of 2 shards nothing is known: 1/3, 3/3." in text
    assert "1 part in subscription 11111111-1111-1111-1111-111111111111, on AzureCloud" in text


def test_a_machine_in_two_parts_is_refused_by_name() -> None:
    """Whichever of the two were taken, the other might be the truth."""
    told = thirds(report("A", applied(1)), report("B", applied(1)))
    with pytest.raises(RefusedError, match=r"vm1 is in two parts: part1.json and part2.json"):
        merge_runs(told)
    alone = ToldRun("b.sqlite", report("B", applied(2), skipped=1), (str(vm(1)).upper(),), is_journal=True)
    with pytest.raises(RefusedError, match=r"vm1 is in two parts: part1.json and b.sqlite"):
        merge_runs([told[0], alone])
    attached = report("C", attachments=(AttachResult(str(vm(1)), AttachEnd.ATTACHED),))
    with pytest.raises(RefusedError, match="two parts"):
        merge_runs(thirds(report("A", applied(1)), attached))


def test_a_shard_told_twice_or_of_another_division_is_refused() -> None:
    """Their machines that needed nothing stand in no printed report, so that ids alone would not show it."""
    with pytest.raises(RefusedError, match=r"Shard 1/3 is given twice: by part1.json and by part2.json"):
        merge_runs(thirds(report("A", shard=Shard(1, 3)), report("B", shard=Shard(1, 3))))
    with pytest.raises(RefusedError, match=r"part1.json is shard 1/3 and part2.json is shard 2/4"):
        merge_runs(thirds(report("A", shard=Shard(1, 3)), report("B", shard=Shard(2, 4))))


def test_parts_of_different_targets_are_refused() -> None:
    """One report speaks of one target."""
    elsewhere = replace(TARGET, tenant_id="88888888-8888-8888-8888-888888888888")
    with pytest.raises(WrongTargetError, match=r"part1.json is of .* tenant 9999.*part2.json is of .* tenant 8888"):
        merge_runs(thirds(report("A"), report("B", target=elsewhere)))


def test_of_a_run_told_twice_the_journal_counts() -> None:
    """It also holds what was verified after the report was printed."""
    printed = ChangeResult(vm(1), Result.APPLIED)
    journal = ToldRun("A.sqlite", report("A", applied(1)), is_journal=True)
    united = merge_runs([*thirds(report("A", printed)), journal])
    assert (united.counts.scope, united.counts.verified, len(united.parts)) == (1, 1, 1)


def test_a_printed_report_reads_back_whole(tmp_path: Path) -> None:
    """Errors, verifications, attachments, parts: what was printed on one machine is merged on another."""
    error = MachineError("Conflict", "PATCH vm2: busy.", may_have_been_applied=False, advice="Again.", http_status=409)
    found = Verification(vm(1), verified=False, differences=(Difference("a.b", '"x"', "(absent)"),))
    one = report(
        "A",
        ChangeResult(vm(1), Result.APPLIED, request_id="q", correlation_id="c", verification=found),
        ChangeResult(vm(2), Result.FAILED, error),
        shard=Shard(1, 2),
        attachments=(AttachResult(str(vm(1)), AttachEnd.REFUSED, "weekly", "mode", error),),
    )
    (tmp_path / "a.json").write_bytes(encode_run(one, TARGET))
    assert read_report(tmp_path / "a.json").report == one
    united = merge_runs([read_report(tmp_path / "a.json"), ToldRun("b", report("B", applied(3), shard=Shard(2, 2)))])
    (tmp_path / "united.json").write_bytes(encode_run(united, TARGET))
    assert read_report(tmp_path / "united.json").report == united
    assert merge_runs([read_report(tmp_path / "united.json")]) == united
    schema = msgspec.json.decode(render_schemas()["run-v1.json"])
    Draft202012Validator(schema).validate(msgspec.json.decode(encode_run(united, TARGET)))


def test_a_folder_is_searched_for_runs_only(tmp_path: Path) -> None:
    """Plans lie beside journals, and a process that died leaves an empty report."""
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "p.json").write_text('{"format": "patchmode/plan/v1"}')
    (tmp_path / "empty.json").touch()
    (tmp_path / "a.json").write_bytes(encode_run(report("A"), TARGET))
    assert [path.name for path in files_in(tmp_path)] == ["a.json"]
    for name, told in (
        ("plans/p.json", "is patchmode/plan/v1, not patchmode/run/v1"),
        ("empty.json", "not a JSON document"),
    ):
        with pytest.raises(RefusedError, match=told):
            read_report(tmp_path / name)
    (tmp_path / "newer.json").write_text('{"format": "patchmode/run/v1", "run": "A", "surprise": 1}')
    with pytest.raises(RefusedError, match="is not valid"):
        read_report(tmp_path / "newer.json")


def test_that_schedules_were_looked_for_is_said_only_where_all_looked() -> None:
    """Else an empty list would say that there is none."""
    nobody = [PatchedByNobody(1, looked=looked) for looked in (True, False)]
    both = [report(f"run{place}", nobody=one) for place, one in enumerate(nobody)]
    found = merge_runs(thirds(*both)).nobody
    assert found is not None
    assert (found.machines, found.looked) == (2, False)
