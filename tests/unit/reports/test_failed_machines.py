"""What thousands of machines met alike is told once; what one met alone keeps its own words."""

import pytest

from patchmode.model.left_alone import MachineError, Unreadable
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import ChangeResult, Result, RunCounts, RunReport
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.model.target import Target
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.left_alone import FailedMachine, failed_lines
from patchmode.reports.text.next_steps import again_commands
from patchmode.reports.text.run import attachment_lines, run_lines

GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-web"
TARGET = Target("AzureCloud", "https://management.azure.com", "99999999-9999-9999-9999-999999999999")

NAMES = MachineNames.of(TARGET, ())


def vm(name: str) -> ResourceId:
    return ResourceId.parse(f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}")


def refusal(one: ResourceId) -> MachineError:
    told = f"PUT {one}/a was answered 403 AuthorizationFailed: no rights over scope '{str(one).upper()}' of {one.name}."
    return MachineError("AuthorizationFailed", told, False, f"Grant it on {one}.")


def test_twelve_refusals_are_one() -> None:
    found = [vm(f"web-{number:02}") for number in range(12)]
    assert list(failed_lines((FailedMachine(one, refusal(one), "c") for one in found), NAMES, paint=Paint())) == [
        "  rg-web/web-00, rg-web/web-01, rg-web/web-02, rg-web/web-03, rg-web/web-04 and 7 more  AuthorizationFailed",
        "      PUT …/a was answered 403 AuthorizationFailed: no rights over scope 'the machine' of the machine.",
        "      → Grant it on the machine.",
        "      correlation id c and 11 more",
    ]


def test_one_refusal_keeps_its_words() -> None:
    told = list(failed_lines([FailedMachine(vm("web"), refusal(vm("web")))], NAMES, paint=Paint()))
    assert told[1:] == [f"      {refusal(vm('web')).message}", f"      → Grant it on {vm('web')}."]


def test_other_words_are_another_group() -> None:
    """A name that is a part of another word, or of another machine's name, is not taken out."""
    failed = [
        FailedMachine(vm("web"), MachineError("E", "web-2 is in the way of websites.", False, "")),
        FailedMachine(vm("app"), MachineError("E", "app-2 is in the way of websites.", False, "")),
        FailedMachine(vm("db"), None),
    ]
    assert list(failed_lines(failed, NAMES, paint=Paint())) == [
        "  rg-web/web  E",
        "      web-2 is in the way of websites.",
        "  rg-web/app  E",
        "      app-2 is in the way of websites.",
        "  rg-web/db",
    ]


@pytest.mark.parametrize("count", [2, 500])
def test_a_run_s_lines_do_not_grow_with_its_failures(count: int) -> None:
    found = [vm(f"web-{number}") for number in range(count)]
    attachments = tuple(AttachResult(str(one), AttachEnd.FAILED, error=refusal(one)) for one in found)
    results = tuple(ChangeResult(one, Result.FAILED, refusal(one)) for one in found)
    report = RunReport("run", "finished", RunCounts(count, failed=count), {}, results, TARGET, attachments)
    assert len(list(attachment_lines(attachments, NAMES, paint=Paint()))) == 5
    assert len(list(run_lines(report, TARGET, paint=Paint()))) == 16


@pytest.mark.parametrize(
    ("unread", "told"),
    [(str(vm("web")), ["patchmode apply --from-run run:unreadable"]), (GROUP.partition("/resourceGroups")[0], [])],
)
def test_what_could_not_be_read_is_repeated_where_its_machine_is_known(unread: str, told: list[str]) -> None:
    """Of a whole subscription no machine is known, and so there is none to take from the run."""
    one = Unreadable(unread, "403")
    report = RunReport("run", "finished", RunCounts(1, unreadable=1), {}, (), TARGET, unread=(one,))
    assert list(again_commands(report)) == told
