"""A plan file, or a run, stands alone: nothing typed beside it narrows or changes what is in it.

And `verify` says the same of a plan and of the run that carried it out.
"""

import json
from typing import Any

import pytest
from tests.cli.conftest import Program, Start

WEB_01 = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app/providers/Microsoft.Compute"
    "/virtualMachines/web-01"
)


def tag(program: Program, machine: str, **tags: str) -> None:
    """Somebody tags a machine in the portal."""
    state = program.served.emulator.state  # type: ignore[attr-defined]
    stored = state.get(machine)
    document: dict[str, Any] = stored.copy()
    document["tags"] = {**(document.get("tags") or {}), **tags}
    state.put(document, etag=stored.matching_etag + 1)


def test_a_tag_of_later_ends_verify_of_the_plan_as_verify_of_its_run(start: Start) -> None:
    """FILE said "Not as planned" with 13 where RUN told the same tag as a later change with 0."""
    program = start("small")
    program("plan", "--ids", WEB_01, "--out", "plan.json")
    assert program("apply", "plan.json", "--yes", "-q").code == 0
    tag(program, WEB_01, ring="7")
    run, file = program("verify", "latest"), program("verify", "plan.json")
    assert (run.code, file.code) == (0, 0)
    assert "Changed after the run, outside the patch settings (1):" in run.out
    assert "Changed since the plan, outside the patch settings (1):" in file.out
    assert 'tags.ring: was (absent), is "7"' in file.out
    assert "other properties of 1 machine were changed since the plan." in " ".join(file.out.split())
    assert "this plan was applied by run RUN" in file.err
    rows = [json.loads(program("verify", one, "-o", "json").out)["results"] for one in ("latest", "plan.json")]
    assert rows[0] == rows[1]


def test_a_plan_that_nobody_carried_out_says_what_it_is_compared_with(start: Start) -> None:
    """There is no run to compare with; its settings are not there, and a tag of later is no mismatch by itself."""
    program = start("small")
    program("plan", "--ids", WEB_01, "--out", "plan.json")
    tag(program, WEB_01, ring="7")
    done = program("verify", "plan.json")
    assert done.code == 13
    assert "no run in the state folder FOLDER/state applied this plan" in done.err
    assert "compared with the plan itself" in done.err
    assert "Not as planned (1):" in done.out
    assert done.out.count("tags.ring") == 1
    assert "Changed since the plan, outside the patch settings (1):" in done.out


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
    assert f"holds its own machines and settings, so it cannot be given with {beside[0]}." in done.err.replace(
        "\n", " "
    )


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
    assert f"holds its own machines and settings, so it cannot be given with {beside[0]}." in done.err.replace(
        "\n", " "
    )
