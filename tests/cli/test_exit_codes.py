"""Every command over a scope that is not ready, found by introspection, so that the next command cannot be forgotten.

The scope holds one machine that a lock blocks, one as wanted under the same lock, and one that the run changed and
that no rollback may hand back.
"""

import json
from dataclasses import dataclass

from tests.cli.conftest import Start
from tests.cli.test_from_failure_to_fix import advance
from tests.docs.reference_pages import leaf_commands

from patchmode.cli.exits import ENDS, Exit
from patchmode.cli.options import SETTINGS_NAMES

SUBSCRIPTION = "/subscriptions/22222222-2222-2222-2222-222222222222"
LOCKED = f"{SUBSCRIPTION}/resourceGroups/rg-locked/providers/Microsoft.Compute/virtualMachines/frozen-01"
AZURES_OWN = f"{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/web-03"
"""Azure patches and reboots it when it likes, until the run sets it."""
SCOPE = ("-g", "rg-locked")


@dataclass(frozen=True)
class Walk:
    """How a command is called over the scope, and what it ends with."""

    args: tuple[str, ...]
    code: Exit


NOT_READY = {
    "audit": Walk(SCOPE, Exit.FINDINGS),
    "plan": Walk((*SCOPE, "--out", "plan.json"), Exit.FINDINGS),
    "export": Walk(("plan.json", "--as", "az"), Exit.REFUSED),
    "apply": Walk((*SCOPE, "--yes", "--no-progress"), Exit.FINDINGS),
    "verify": Walk(SCOPE, Exit.MISMATCH),
    "explain": Walk((LOCKED,), Exit.FINDINGS),
    "report": Walk((*SCOPE, "-o", "markdown"), Exit.FINDINGS),
    "doctor": Walk(SCOPE, Exit.FINDINGS),
    "live-check": Walk(("--vm", LOCKED, "--yes"), Exit.REFUSED),
    "runs show": Walk((), Exit.FINDINGS),
    "runs resume": Walk(("latest", "--no-progress"), Exit.FINDINGS),
    "runs merge": Walk(("run.json",), Exit.FINDINGS),
    "evidence pack": Walk(("--out", "pack"), Exit.FINDINGS),
    "policy audit": Walk(SCOPE, Exit.FINDINGS),
    "schedule check": Walk((), Exit.FINDINGS),
    "schedule failures": Walk(("--since", "30d"), Exit.FINDINGS),
    "schedule attach": Walk(("mc-nightly", *SCOPE, "--yes"), Exit.PARTIAL),
    "rollback": Walk(("latest", "--yes", "--no-progress"), Exit.FINDINGS),
    # What these ask is so: whether anything changed since, whether the pack's files are whole, no assignment there.
    "watch": Walk((*SCOPE, "--once", "--baseline", "base.json"), Exit.DONE),
    "evidence check": Walk(("pack",), Exit.DONE),
    "schedule detach": Walk(("mc-nightly", *SCOPE, "--yes"), Exit.DONE),
    # These ask nothing of machines: they list, and judge nothing of what they list.
    "runs list": Walk((), Exit.DONE),
    "schedule list": Walk((), Exit.DONE),
    "schedule show": Walk(("mc-nightly",), Exit.DONE),
    "schedule next": Walk(SCOPE, Exit.DONE),
}
"""In this order: what is made by one command is read by those after it."""
ELSEWHERE = {
    "console": "it serves until it is ended; what its pages say of such a run stands in tests/console/test_runs.py",
    "mcp": "it serves until its client ends it; tests/cli/test_mcp.py",
    "demo": "it brings its own fleet; tests/cli/test_demo.py",
    "schema": "it asks about no machine; tests/docs/test_reference.py",
    "iac check": "it asks about no machine of Azure; tests/cli/test_iac.py",
    "completion": "it asks about no machine; tests/cli/test_completion.py",
    "policy assign": "it takes a place; tests/cli/test_policy_assign.py",
    "policy remediate": "it takes an assignment; tests/cli/test_policy_remediate.py",
    "schedule create": "it takes no machines",
    "schedule update": "it takes no machines; tests/cli/test_schedule_changes.py",
    "schedule delete": "it takes no machines; tests/cli/test_schedule_changes.py",
}


def test_every_command_over_a_scope_that_is_not_ready(start: Start) -> None:
    """Green means ready: 0 over it only where what the command asks is so in spite of it."""
    program = start("schedules")
    advance(program, "P1D")
    assert program("apply", "--ids", LOCKED, AZURES_OWN, "--yes", "-q").code == Exit.FINDINGS
    for name, args in (("run.json", ("runs", "show")), ("base.json", ("audit", *SCOPE))):
        told = program(*args, "-o", "json").out.replace("https://ENDPOINT", program.endpoint)
        (program.folder / name).write_text(told, encoding="utf-8")
    ended = {path: program(*path.split(), *walk.args) for path, walk in NOT_READY.items()}
    assert {path: done.code for path, done in ended.items()} == {path: walk.code for path, walk in NOT_READY.items()}
    for path, done in ended.items():
        if done.code != Exit.DONE and path not in {"schedule check", "schedule failures", "doctor"}:
            told = done.out + done.err
            assert "frozen-01" in told or "would-autopatch" in told or "1 blocked" in told, path
    assert json.loads((program.folder / "run.json").read_text(encoding="utf-8"))["counts"]["blocked"] == 1


def test_the_walk_knows_every_command() -> None:
    """A command that is not listed fails here; so does one that takes settings and is to end green."""
    commands = dict(leaf_commands())
    assert {*NOT_READY, *ELSEWHERE} == set(commands) == set(ENDS)
    for path, walk in NOT_READY.items():
        assert walk.code in ENDS[path], f"{path} ends with a code that its table does not have"
        takes_settings = {parameter.name for parameter in commands[path].params} & SETTINGS_NAMES
        assert not (takes_settings and walk.code is Exit.DONE), f"{path} asks for settings and ends green without them"
