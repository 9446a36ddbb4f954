"""`patchmode schedule` on a terminal: what is asked, and what a no or Ctrl-C leaves behind."""

import re
import sys
from typing import Any

import pytest
from tests.cli.conftest import Program, Start
from tests.cli.test_bad_input import sent
from tests.cli.test_schedule import unlock
from tests.cli.test_terminal import end, terminal

__all__ = ["terminal"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals on this system")

PLACE = ("-s", "22222222-2222-2222-2222-222222222222", "-g", "rg-app")
IN = "in subscription Contoso Production"


def asked(question: str) -> str:
    """A pattern for a question, wherever the terminal's width breaks it."""
    return r"\s+".join(map(re.escape, question.split()))


WEB = ("--resource-group", "rg-app", "--name", "web-0*")
NEW = (
    *("schedule", "create", "mc-new", *PLACE, "--location", "westeurope", "--start", "2030-12-01 02:00"),
    *("--duration", "03:00", "--time-zone", "UTC", "--recur", "Week Sunday"),
)


def test_a_no_sends_nothing(start: Start, terminal: Any) -> None:
    program = start("schedules")
    state = program.served.emulator.state  # type: ignore[attr-defined]
    for lock in [one for one in state.of_type("microsoft.authorization/locks") if one.id.endswith("/keep")]:
        state.delete(lock.id)  # or there is nothing to detach, and nothing to ask
    for args, question in (
        (
            ("schedule", "attach", "mc-weekly", *WEB),
            f"Attach rg-app/mc-weekly to 2 machines {IN}?",
        ),
        (
            ("schedule", "detach", "mc-nightly", "--all"),
            f"Detach Contoso Production/rg-app/mc-nightly from 3 machines {IN}?",
        ),
        (
            ("schedule", "attach", "mc-weekly", "--dynamic", "d", *PLACE, "--filter-os", "linux"),
            f"Attach rg-app/mc-weekly, dynamic scope d {IN}, on group rg-app: Linux?",
        ),
        (NEW, f"Create mc-new {IN}?"),
        (
            ("schedule", "update", "mc-nightly", "--duration", "02:00"),
            "Change rg-app/mc-nightly, which 7 machines have?",
        ),
        (
            ("schedule", "delete", "mc-nightly"),
            "Delete rg-app/mc-nightly, which 7 machines have (1 not seen); 3 are then patched by nobody?",
        ),
    ):
        child = terminal(program, *args, "--no-color")
        child.expect(asked(question))
        child.sendline("n")
        output, code = end(child)
        assert code == 12
        assert "Not confirmed: nothing was sent." in output
        assert question.partition(" in ")[0] not in str(child.before)  # what is asked is not said before it, too
    assert sent(program) == []


def test_from_25_machines_on_their_number_is_typed(start: Start, terminal: Any) -> None:
    """Whoever types another number has not read what the screen says of them."""
    program = start("schedules")
    unlock(program)
    everything = ("schedule", "attach", "mc-weekly", "--dynamic", "all", "-s", "Contoso Production", "--yes")
    assert program(*everything).code == 0
    writes = len(sent(program))
    for args, question in (
        (("update", "mc-weekly", "--duration", "02:00"), "This changes rg-app/mc-weekly, which 42 machines have."),
        (
            ("delete", "mc-weekly", "--allow-azure-managed"),
            "This deletes rg-app/mc-weekly, which 42 machines have; 6 are then patched by nobody, 7 by Azure",
        ),
    ):
        child = terminal(program, "schedule", *args, "--no-color")
        child.expect(asked(question))
        child.expect(asked("Type the number to continue:"))
        child.sendline("41")
        output, code = end(child)
        assert code == 12
        assert "Not confirmed: nothing was sent." in output
    assert len(sent(program)) == writes


def test_a_yes_is_carried_out(start: Start, terminal: Any) -> None:
    """What is shown before the question names the machines that are refused, and why."""
    program = start("schedules")
    child = terminal(program, "schedule", "attach", "mc-weekly", *WEB, "--no-color")
    child.expect(asked(f"Attach rg-app/mc-weekly to 2 machines {IN}?"))
    before = str(child.before)
    assert "Will be refused, nothing is sent for these (6):" in before
    assert "prerequisite-missing (6)" in before
    child.sendline("y")
    output, code = end(child)
    assert code == 11
    told = "27 machines in subscription Contoso Production: 2 attached, 6 refused, 19 skipped."
    assert told in " ".join(output.split())
    assert sent(program) == ["PUT", "PUT"]


def test_many_machines_are_confirmed_by_their_number(start: Start, terminal: Any) -> None:
    """From 25 machines on a letter is too easily typed."""
    program: Program = start("schedules")
    resources = program.served.emulator.state  # type: ignore[attr-defined]
    for number in range(25):
        stored = resources.get(
            "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app"
            "/providers/Microsoft.HybridCompute/machines/onprem-lin-01"
        )
        copy = {**stored.document, "id": f"{stored.id}-{number}", "name": f"onprem-lin-01-{number}"}
        resources.put(copy, etag=None)
    child = terminal(program, "schedule", "attach", "mc-weekly", "-g", "rg-app", "--name", "onprem-lin-01-*")
    child.expect(asked(f"attaches rg-app/mc-weekly to 25 machines {IN}. Type the number to continue"))
    child.sendline("y")
    assert end(child)[1] == 12
    child = terminal(program, "schedule", "attach", "mc-weekly", "-g", "rg-app", "--name", "onprem-lin-01-*")
    child.expect(asked("Type the number to continue"))
    child.sendline("25")
    output, code = end(child)
    assert code == 0
    assert "25 attached" in output
