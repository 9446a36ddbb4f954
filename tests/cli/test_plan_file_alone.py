"""A plan file, or a run, stands alone: nothing typed beside it narrows or changes what is in it."""

import pytest
from tests.cli.conftest import Program


@pytest.mark.parametrize("command", ["apply", "verify"])
@pytest.mark.parametrize(
    "beside",
    [
        ["--resource-group", "rg"],
        ["--all"],
        ["--name", "web-01"],
        ["--exclude-tag", "ring"],
        ["--to", "manual"],
        ["--periodic-assessment", "on"],
        ["--include-scale-set-members"],
    ],
    ids=lambda beside: beside[0],
)
def test_nothing_beside_a_plan_file_is_silently_ignored(offline: Program, command: str, beside: list[str]) -> None:
    """`apply plan.json --name web-01` must not change the whole plan, nor `--to manual` set something else."""
    done = offline(command, "plan.json", *beside)
    assert (done.code, done.out) == (2, "")
    assert "holds its own machines and settings" in done.err


@pytest.mark.parametrize("command", ["apply", "verify"])
def test_filters_without_a_selector_need_one(offline: Program, command: str) -> None:
    """A filter narrows; alone it says nothing of where to look, and `verify` must not take the latest run instead."""
    done = offline(command, "--name", "web-01")
    assert done.code == 2
    assert f"{command} needs to know which machines" in done.err


@pytest.mark.parametrize("beside", [["--waves", "zone"], ["--canary", "5"]], ids=lambda beside: beside[0])
def test_waves_beside_a_plan_file_are_refused(offline: Program, beside: list[str]) -> None:
    """Its waves stand in the file, and were reviewed with it."""
    done = offline("apply", "plan.json", *beside)
    assert (done.code, done.out) == (2, "")
    assert "holds its own machines and settings" in done.err
