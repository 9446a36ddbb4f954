"""What a plan attaches, what became of it, what drifted and how a window went: every line fits, nothing is promised."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from patchmode.cli.exits import of_windows
from patchmode.model.drift import Drift, DriftKind, Move, ResourceChange
from patchmode.model.left_alone import MachineError
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import WantedSettings
from patchmode.model.plan import Detachment, KeptBy, Plan, ThenAttach, Unchanged
from patchmode.model.resource_id import ResourceId
from patchmode.model.run_history import AfterWindowReport, WindowEnd, WindowResult
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.model.target import Target
from patchmode.reports.names import MachineNames
from patchmode.reports.text.history import after_window_lines, author_text, drift_lines
from patchmode.reports.text.layout import Paint
from patchmode.reports.text.plan import plan_lines
from patchmode.reports.text.run import attachment_lines, question_for, tally_line, wish_lines

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web"
TARGET = Target("AzureCloud", "https://management.azure.com", "99999999-9999-9999-9999-999999999999")
NAMES = MachineNames.of(TARGET, ())
WEEKLY = ResourceId.parse(f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/weekly")
PARKED = Outcome(OutcomeKind.PARKED, "it waits for a schedule")
AT = datetime(2030, 1, 31, 22, 0, tzinfo=UTC)
NARROW = Paint(width=80)
KEEP = f"the lock 'keep' is on {GROUP}"


def vm(name: str) -> ResourceId:
    return ResourceId.parse(f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}")


def plan(*names: str, **facts: Any) -> Plan:
    unchanged = tuple(Unchanged(vm(name), MachineKind.VM, PARKED) for name in names)
    return Plan(TARGET, ("--all",), WantedSettings(), (), unchanged, **facts)


def assert_fits(lines: Iterable[str]) -> list[str]:
    """A word that is longer than a line, such as an id, stands on a line of its own."""
    found = list(lines)
    # A command stays whole: it is there to be pasted.
    told = [line for line in found if not line.strip(" →").startswith("patchmode ")]
    assert [line for line in told if len(line) > 80 and len(line.split()) > 2] == []
    return found


def test_wish_is_told_and_asked_for() -> None:
    wish = plan("web", "db", then_attach=ThenAttach(WEEKLY, "w"))
    assert list(wish_lines(wish, paint=Paint())) == [
        "Then attach: weekly to 2 machines, 2 of them already compliant; each only once its settings were verified.",
        f"      {WEEKLY}, assignment w",
        "      already compliant: rg-web/web, rg-web/db",
    ]
    assert question_for(wish) == f"Attach weekly to 2 in subscription {SUBSCRIPTION}"
    assert_fits(wish_lines(wish, paint=NARROW))


def test_what_becomes_of_right_machines_and_what_keeps_the_schedule_on_them_is_told() -> None:
    """The diff shows changes alone, and who attaches under a lock should know before that there is no way back."""
    scheduled = Outcome(OutcomeKind.SCHEDULED, "patched as 'weekly' says")
    wish = plan("web", "db", then_attach=ThenAttach(WEEKLY, "w", (KeptBy("keep", GROUP, 2),)))
    turned, same = wish.unchanged
    wish = replace(wish, unchanged=(replace(turned, outcome_after=scheduled), same))
    assert list(wish_lines(wish, paint=Paint()))[3:] == [
        "      1 machine already compliant: parked -> scheduled",
        f"      ! From 2 machines it cannot be detached again, not by `patchmode rollback` either, while {KEEP}.",
    ]
    assert_fits(wish_lines(wish, paint=NARROW))
    other = ResourceId.parse(str(vm("far")).replace(SUBSCRIPTION, SUBSCRIPTION.replace("1", "2")))
    both = replace(wish, unchanged=(turned, Unchanged(other, MachineKind.VM, PARKED)))
    shown = "\n".join(plan_lines(both, paint=Paint()))
    assert "Plan: 0 to change, 2 already compliant" in shown
    assert "\nTo change or attach: " in shown, "those that only get the schedule are counted there, too"
    told = "\n".join(plan_lines(wish, paint=Paint()))
    assert "Now and after the plan:" in told
    assert "2 -> 1  patched by nobody" in told


def test_detachments_are_told_and_asked_for() -> None:
    back = plan("web", first_detach=(Detachment(vm("web"), MachineKind.VM, WEEKLY, "w"),))
    assert list(wish_lines(back, paint=Paint())) == [
        "First detach: the schedule of 1 machine, before any setting is changed: rg-web/web",
        f"      {WEEKLY}, assignment w",
    ]
    assert question_for(back) == f"Detach the schedule from 1 in subscription {SUBSCRIPTION}"


def test_plan_without_schedules_says_nothing_of_them() -> None:
    assert list(wish_lines(plan("web"), paint=Paint())) == []
    assert list(tally_line((), paint=Paint())) == []


@pytest.mark.parametrize("end", [end for end in AttachEnd if not AttachResult("x", end).is_fine])
def test_every_end_that_is_not_fine_is_told_with_its_reason(end: AttachEnd) -> None:
    error = MachineError("SomeCode", "Azure said why.", False, "Do this.")
    lines = assert_fits(attachment_lines([AttachResult(str(vm("web")), end, error=error)], NAMES, paint=NARROW))
    assert lines[0].endswith("(1):")
    assert lines[1:4] == ["  rg-web/web  SomeCode", "      Azure said why.", "      → Do this."]


def test_fine_ends_are_counted_only() -> None:
    found = [AttachResult(str(vm("web")), end) for end in (AttachEnd.ATTACHED, AttachEnd.UNCHANGED)]
    assert list(attachment_lines(found, NAMES, paint=Paint())) == []
    assert list(tally_line(found, paint=Paint())) == ["  Schedule: 1 attached, 1 unchanged; 2 machines."]


AUTHOR = ResourceChange(str(vm("web")), AT, "Update", "a@contoso.example", "User", "Azure Portal", "write")


@pytest.mark.parametrize(
    ("author", "text"),
    [
        (None, "not reported by Azure"),
        (AUTHOR, "a@contoso.example (User) with Azure Portal, write, 2030-01-31 22:00:00Z"),
        (replace(AUTHOR, client_type="Unknown"), "a@contoso.example (User), write, 2030-01-31 22:00:00Z"),
        (replace(AUTHOR, client_type="Unspecified"), "a@contoso.example (User), write, 2030-01-31 22:00:00Z"),
        (ResourceChange(str(vm("web")), None, None, None, None, None, None), "(who: not reported)"),
    ],
)
def test_author_is_told_in_azures_words_or_not_at_all(author: ResourceChange | None, text: str) -> None:
    assert author_text(author) == text


def test_machine_that_azure_now_patches_at_will_stands_out() -> None:
    drift = Drift(vm("web"), DriftKind.CHANGED, (Move("bypass", True, None),), "scheduled", "autopatched", "because")
    lines = list(drift_lines(drift, NAMES, paint=Paint(colours=True, width=80)))
    (bold,) = [line for line in lines if "scheduled -> autopatched" in line]
    assert "\x1b[1m" in bold
    assert "    bypass: true -> (absent)" in lines


def test_machine_that_went_says_why() -> None:
    drift = Drift(vm("web"), DriftKind.WENT, outcome_before="parked", because="Left out by --power running.")
    assert list(drift_lines(drift, NAMES, paint=Paint())) == [
        "- rg-web/web  is no longer in the scope",
        "    outcome: parked -> (gone)",
        "    Left out by --power running.",
        "    by: not reported by Azure",
    ]


def test_names_cannot_steer_the_terminal() -> None:
    author = ResourceChange(str(vm("web")), None, None, "a\x1b[31m", None, None, None)
    drift = Drift(vm("web"), DriftKind.CHANGED, (Move("patchMode", "\x1b[2J", None),), "a", "a", author=author)
    assert not any("\x1b" in line for line in drift_lines(drift, NAMES, paint=Paint()))


def test_window_report_groups_by_reason_and_names_a_lone_fix() -> None:
    results = (
        WindowResult(vm("a"), WindowEnd.FAILED, "it was not prepared", f"patchmode apply --ids {vm('a')}"),
        WindowResult(vm("b"), WindowEnd.FAILED, "it was not prepared", f"patchmode apply --ids {vm('b')}"),
        WindowResult(vm("c"), WindowEnd.MISSED, "it was off", "Start it."),
        WindowResult(vm("d"), WindowEnd.SUCCEEDED, "its run succeeded"),
    )
    report = AfterWindowReport(TARGET, AT, AT, results, ("Only a record.",))
    lines = list(after_window_lines(report, what="run 1", paint=Paint()))
    assert lines == [
        "Failed in its window (2):",
        "  rg-web/a, rg-web/b",
        "      it was not prepared",
        f"      → patchmode apply --ids {vm('a')} {vm('b')}",
        "",
        "Missed its window: powered off or not responding (1):",
        "  rg-web/c",
        "      it was off",
        "      → Start it.",
        "",
        (
            "After the window (run 1, since 2030-01-31 22:00Z): 1 succeeded, 2 failed, 1 missed; "
            f"4 machines in subscription {SUBSCRIPTION}."
        ),
        "Note: Only a record.",
    ]
    assert_fits(after_window_lines(report, what="run 1", paint=NARROW))
    many = tuple(replace(results[3], id=vm(f"a-longer-name-{n}"), result=WindowEnd.NO_SCHEDULE) for n in range(6))
    assert_fits(after_window_lines(replace(report, results=many), what="run 1", paint=NARROW))


@pytest.mark.parametrize(("unread", "code"), [((), 0), (("/subscriptions/s",), 10)])
def test_success_is_not_told_of_what_nobody_read(unread: tuple[str, ...], code: int) -> None:
    """Machines of a subscription that could not be read may have failed."""
    report = AfterWindowReport(TARGET, AT, AT, (WindowResult(vm("a"), WindowEnd.SUCCEEDED, ""),), unread=unread)
    assert of_windows(report) == code
    (line,) = after_window_lines(report, what="--all", paint=Paint(colours=True))
    assert ("could not be read" in line) is bool(unread)
    assert line.startswith("\x1b[31m" if unread else "\x1b[32m")
