"""What a person reads, word for word where the words matter."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from patchmode.cli.output import as_values
from patchmode.cli.progress import Lines, duration_text, failure_text, tally_text
from patchmode.cli.results import runs_result
from patchmode.cli.settings import Settings
from patchmode.documents.verification import verify_counts, verify_document
from patchmode.model.left_alone import MachineError, Skipped, Unreadable
from patchmode.model.machine import MachineKind, Subscription
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import OperatingSystem, Orchestration, WantedSettings
from patchmode.model.plan import Change, Plan
from patchmode.model.report import Diagnosis, SubscriptionCheck, VerifyReport
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import (
    ChangeResult,
    Difference,
    Result,
    RunCounts,
    RunPart,
    RunReport,
    RunSummary,
    Verification,
    WaveCounts,
)
from patchmode.model.schedule import AttachEnd, AttachResult
from patchmode.model.scope import Shard, scope_text
from patchmode.model.target import Target
from patchmode.ports.run import JournalEntry, Progress, Step
from patchmode.reports.text.doctor import diagnosis_lines
from patchmode.reports.text.layout import Paint, name_lines, plural, some
from patchmode.reports.text.plan import LeafChange, leaf_changes, plan_lines
from patchmode.reports.text.run import left_text, run_lines, runs_lines
from patchmode.reports.text.verification import csv_rows, verification_lines
from patchmode.rules.settings.patch import request_body
from patchmode.workflow.run.state import is_over

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
TARGET = Target("AzureCloud", "https://management.azure.com", "99999999-9999-9999-9999-999999999999")
PLAIN = Paint()
PLATFORM = {"automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True}}


def machine_id(name: str) -> ResourceId:
    subscription = "11111111-1111-1111-1111-111111111111"
    return ResourceId.parse(
        f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}"
    )


def change(name: str = "vm1", **facts: Any) -> Change:
    after = facts.setdefault("after", {"patchMode": "AutomaticByPlatform", **PLATFORM})
    standard = Change(
        id=machine_id(name),
        kind=MachineKind.VM,
        os=OperatingSystem.LINUX,
        location="westeurope",
        etag='"1"',
        body=request_body(facts.get("os", OperatingSystem.LINUX), after),
        before={"patchMode": "ImageDefault"},
        after=after,
        document={},
        outcome_before=Outcome(OutcomeKind.GUEST_MANAGED, ""),
        outcome_after=Outcome(OutcomeKind.PARKED, ""),
        reversible=True,
    )
    return replace(standard, **facts)


def plan(*changes: Change, **facts: Any) -> Plan:
    wanted = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
    return Plan(target=TARGET, scope=("--all",), wanted=wanted, changes=changes, **facts)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, {"patchMode": "Manual"}, [LeafChange("patchMode", None, '"Manual"')]),
        ({"patchMode": "Manual"}, {"patchMode": "Manual"}, []),
        ({"a": 1, "patchMode": "X"}, {"patchMode": "Y"}, [LeafChange("patchMode", '"X"', '"Y"')]),
        ({"p": {"q": False}}, {"p": {"q": True, "r": None}}, [
            LeafChange("p.q", "false", "true"), LeafChange("p.r", None, "null"),
        ]),
    ],
)  # fmt: skip
def test_leaves_that_change(before: Any, after: Any, told: list[LeafChange]) -> None:
    """Absent, null and false are three things."""
    assert leaf_changes(change(before=before, after=after)) == told


def test_what_is_sent_again_as_it_is_is_shown_too() -> None:
    """Azure gets both fields in one write; a diff that leaves one out tells less than what is sent."""
    half = change(before={"patchMode": "AutomaticByPlatform"})
    lines = [line for line in plan_lines(plan(half), paint=PLAIN) if line.startswith(("    =", "    +"))]
    assert lines[:2] == [
        '    = patchMode                                 "AutomaticByPlatform" (sent again)',
        "    + bypassPlatformSafetyChecksOnUserSchedule  true",
    ]


def test_a_plan_reads_like_a_diff() -> None:
    """Machine, leaf, before and after."""
    text = list(plan_lines(plan(change()), paint=PLAIN))
    assert text == [
        "Plan for AzureCloud (https://management.azure.com), tenant 99999999-9999-9999-9999-999999999999",
        f"Scope: --all, in subscription {SUBSCRIPTION}",
        "",
        "~ rg/vm1  Linux, westeurope  ! patched by nobody",
        '    ~ patchMode                                 "ImageDefault" -> "AutomaticByPlatform"',
        "    + bypassPlatformSafetyChecksOnUserSchedule  true",
        "      orchestration: Image Default -> Customer Managed Schedules",
        "      outcome: guest-managed -> parked",
        "",
        f"OUTCOME: parked = {OutcomeKind.PARKED.words}; guest-managed = {OutcomeKind.GUEST_MANAGED.words}.",
        "",
        "Now and after the plan:",
        "       0 -> 0  fail at their next window",
        "       0 -> 0  rebooted by Azure without a window",
        "       0 -> 1  patched by nobody",
        "",
        "! 1 machine will be patched by nobody:",
        "      → Schedules could not be looked for. See those that you can read:",
        "        patchmode schedule list",
        "",
        "Plan: 1 to change, 0 already compliant, 0 skipped, 0 unreadable; 1 in scope.",
    ]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (OutcomeKind.SCHEDULE_FAILS, "patched by nobody: a schedule is attached and its runs fail"),
        (OutcomeKind.NOT_PATCHED, "patched by nobody"),
    ],
)
def test_a_way_back_tells_what_it_no_longer_lets_be_patched_and_what_becomes_of_bypass(
    kind: OutcomeKind, words: str
) -> None:
    """The diff showed the patch mode alone, and that a schedule's runs will fail stood in small print."""
    back = change(
        before={"patchMode": "AutomaticByPlatform", **PLATFORM},
        after={"patchMode": "Manual"},
        outcome_before=Outcome(OutcomeKind.SCHEDULED, ""),
        outcome_after=Outcome(kind, ""),
    )
    text = list(plan_lines(plan(back), paint=PLAIN))
    assert (
        "      bypassPlatformSafetyChecksOnUserSchedule is not sent: Azure clears or keeps it, and outside "
        "AutomaticByPlatform it has no effect"
    ) in text
    assert f"! 1 machine patched now will be {words}: rg/vm1." in text
    as_before = replace(back, outcome_before=Outcome(OutcomeKind.PARKED, ""))
    assert "patched now" not in "\n".join(plan_lines(plan(as_before), paint=PLAIN))


def test_what_cannot_be_undone_stands_before_the_changes() -> None:
    """Said before it is done."""
    text = list(plan_lines(plan(change(reversible=False, irreversible_because="No way back.")), paint=PLAIN))
    warning = text.index("! 1 change cannot be undone by `patchmode rollback`:")
    assert text[warning + 1 : warning + 3] == ["    No way back.", "      1: rg/vm1"]
    assert warning < text.index("~ rg/vm1  Linux, westeurope  ! cannot be undone  ! patched by nobody")


def test_what_a_rollback_restores_only_when_allowed_is_said_before_the_changes() -> None:
    """An operator who reads that 2 changes cannot be undone believes that the third can, without a further word."""
    managed = change("vm2", before={"patchMode": "AutomaticByPlatform"})
    text = list(plan_lines(plan(change(), managed), paint=PLAIN))
    warning = text.index("! 1 change is rolled back only with --allow-azure-managed:")
    assert text[warning + 1 : warning + 3] == [
        "    Azure may patch and reboot these machines at a time it chooses now, and could again.",
        "      1: rg/vm2",
    ]
    assert warning < text.index("~ rg/vm2  Linux, westeurope  ! patched by nobody")


def test_many_equal_changes_are_shown_once_with_their_machines() -> None:
    """A thousand times the same three lines is not a review."""
    many = [change(f"vm{number:02}") for number in range(60)]
    other = change("odd", before=None)
    text = "\n".join(plan_lines(plan(*many, other), paint=PLAIN))
    assert text.count('"ImageDefault" -> "AutomaticByPlatform"') == 1
    assert "~ 60 machines  Linux" in text
    assert "rg/vm39 and 20 more" in text
    assert "~ 1 machine  Linux" in text


def test_what_is_left_alone_and_what_was_not_read_have_their_reasons() -> None:
    """Nothing in scope without a line."""
    text = "\n".join(
        plan_lines(
            plan(
                skipped=(Skipped(machine_id("s"), "client-os", "Not supported.", "Use Intune."),),
                unreadable=(Unreadable("/subscriptions/x", "Refused."),),
            ),
            paint=PLAIN,
        )
    )
    assert "  client-os (1)\n      rg/s\n      Not supported.\n      → Use Intune." in text
    assert "Could not be read (1):\n  /subscriptions/x\n      Refused." in text


def failed(name: str, result: Result = Result.FAILED) -> ChangeResult:
    error = MachineError("AuthorizationFailed", f"PATCH {name} was refused.", False, "Ask for the role.", 403)
    return ChangeResult(machine_id(name), result, error, correlation_id="c-1")


def test_a_run_tells_failures_first_with_what_to_do() -> None:
    """The person at 3 a.m. reads from the top."""
    counts = RunCounts(scope=3, applied=1, failed=1, stale=1, verified=1)
    results = (ChangeResult(machine_id("ok"), Result.APPLIED), failed("bad"), failed("old", Result.STALE))
    report = RunReport("R1", "finished", counts, {"PATCH": 3, "GET": 1}, results)
    text = "\n".join(run_lines(report, TARGET, paint=PLAIN))
    assert text.startswith(
        "Failed (1):\n"
        "  rg/bad  AuthorizationFailed\n"
        "      PATCH bad was refused.\n"
        "      → Ask for the role.\n"
        "      correlation id c-1\n"
    )
    assert "Stale: the machine changed since the plan, nothing was changed (1):" in text
    assert text.endswith(
        "  1 applied, 1 failed, 1 stale; 3 in scope, 1 verified.\n"
        "  4 requests to apply and verify: 1 GET, 3 PATCH (sign-in, planning and permission checks not counted).\n"
        "Once the cause is fixed, repeat it for just these machines:\n"
        "  patchmode apply --from-run R1:failed,stale\n"
        "Not everything is as asked: 1 failed, 1 stale."
    )


def test_a_run_names_last_what_was_asked_for_and_is_not_so() -> None:
    """It ended with "12 skipped", dim, and whoever had asked for those twelve read that all was well."""
    lock = Skipped(machine_id("b"), "read-only-lock", "A lock refuses every write.", "Have it removed.")
    rest = (Unreadable("/subscriptions/s", "Refused."),)
    counts = RunCounts(scope=4, applied=1, skipped=2, unreadable=1, verified=1, blocked=1)
    result = ChangeResult(machine_id("ok"), Result.APPLIED)
    report = RunReport("R1", "finished", counts, {}, (result,), TARGET, blocked=(lock,), unread=rest)
    text = "\n".join(run_lines(report, TARGET, paint=PLAIN))
    assert text.startswith(
        "Blocked (1):\n"
        "  read-only-lock (1)\n"
        "      rg/b\n"
        "      A lock refuses every write.\n"
        "      → Have it removed.\n"
        "\n"
        "Could not be read (1):\n"
        "  /subscriptions/s\n"
        "      Refused.\n"
    )
    assert text.endswith("\nNot everything is as asked: 1 blocked (read-only-lock 1), 1 unreadable.")
    nothing = RunReport("", "finished", RunCounts(scope=1, skipped=1, blocked=1), blocked=(lock,))
    told = "\n".join(run_lines(nothing, TARGET, paint=PLAIN))
    assert "\nNo change is planned on AzureCloud " in told
    assert told.endswith("\nNot everything is as asked: 1 blocked (read-only-lock 1).")
    ready = RunReport("", "finished", RunCounts(scope=1, unchanged=1))
    assert "\n".join(run_lines(ready, TARGET, paint=PLAIN)).startswith("Nothing has to be changed on")


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("--all", "--os linux"), "--all  --os linux"),
        (("--ids a", "--ids b"), "--ids a  --ids b"),
        (
            ("--subscription Prod", "--resource-group web", "--os linux"),
            "--subscription Prod  --resource-group web (united: all machines of each)  --os linux",
        ),
    ],
)
def test_a_scope_of_several_selectors_says_that_they_do_not_narrow(texts: tuple[str, ...], told: str) -> None:
    """With az the group alone would be meant, and whoever reads the Scope line believes so."""
    assert scope_text(texts) == told


def test_a_mismatch_is_told_leaf_by_leaf() -> None:
    """Where, what was expected, what is there."""
    found = (
        Verification(machine_id("a"), True),
        Verification(machine_id("b"), False, (Difference("properties.x", '"1"', "(absent)"),)),
        Verification(machine_id("c"), False, unreadable_because="gone"),
    )
    report = VerifyReport(TARGET, "run R1", found, "R1")
    text = "\n".join(verification_lines(report, paint=PLAIN))
    assert '  rg/b\n      properties.x: expected "1", found (absent)' in text
    assert "  rg/c\n      could not be read: gone" in text
    assert text.endswith(
        f"Verified 1 of 3 machines in subscription {SUBSCRIPTION} "
        "against run R1, as read from Azure Resource Manager (https://management.azure.com): "
        "1 not as planned, 1 unreadable."
    )
    assert as_values(verify_counts(report)) == {"scope": 3, "verified": 1, "differing": 1, "unreadable": 1}


def test_a_scope_that_is_not_ready_tells_every_machine_and_adds_up() -> None:
    """Blocked, unreadable, of no concern, filtered out: each was once simply missing from the answer."""
    lock = Skipped(machine_id("b"), "read-only-lock", "A lock refuses every write.", "Have it removed.")
    report = VerifyReport(
        TARGET,
        "--all",
        (
            Verification(machine_id("a"), True),
            Verification(machine_id("b"), False, blocked_by=lock),
            Verification(machine_id("c"), False, (Difference("properties.x", '"1"', "(absent)"),)),
            Verification(machine_id("d"), False, unreadable_because="gone"),
        ),
        unread=(Unreadable("/subscriptions/s", "Refused."),),
        not_applicable=(Skipped(machine_id("e"), "arc-no-orchestration", "No mode."),),
        filtered_out=(Skipped(machine_id("f"), "filter-name", "Not that name."),) * 2,
        is_scope=True,
    )
    text = "\n".join(verification_lines(report, paint=PLAIN))
    assert (
        "Blocked (1):\n  read-only-lock (1)\n      rg/b\n      A lock refuses every write.\n      → Have it removed.\n"
    ) in text
    assert "  /subscriptions/s\n      Refused." in text
    assert text.splitlines()[-1] == (
        f"Verified 1 of 4 machines in subscription {SUBSCRIPTION} against --all, as read from Azure "
        "Resource Manager (https://management.azure.com): "
        "1 needs change, 1 blocked, "
        "1 unreadable, 1 subscription or group unreadable as a whole; 1 Arc server without a patch mode to set, "
        "2 filtered out."
    )
    assert as_values(verify_counts(report)) == {
        "scope": 8,
        "verified": 1,
        "differing": 1,
        "unreadable": 2,
        "blocked": 1,
        "notApplicable": 1,
        "filteredOut": 2,
    }
    document = as_values(verify_document(report))
    assert [row.get("reason") for row in document["results"]] == [
        None,
        {"rule": "read-only-lock", "message": "A lock refuses every write.", "fix": "Have it removed."},
        *[None] * 3,
    ]
    assert [row["unreadableBecause"] for row in document["results"]] == [None, None, None, "gone", "Refused."]
    assert {row["id"]: row.get("rule") for row in csv_rows(report)}[str(machine_id("b"))] == "read-only-lock"


def test_a_scope_of_arc_servers_alone_has_nothing_to_verify_and_says_so() -> None:
    """They vanished, and "no machine was changed" was no answer."""
    arc = (Skipped(machine_id("e"), "arc-no-orchestration", "No mode."),)
    report = VerifyReport(TARGET, "--all", (), not_applicable=arc, is_scope=True)
    (line,) = verification_lines(report, paint=PLAIN)
    assert line == (
        "There is nothing to verify: the settings asked for apply to no machine in scope; 1 Arc server without a "
        "patch mode to set."
    )


def test_a_run_whose_ends_were_not_read_is_not_said_to_have_changed_no_machine() -> None:
    report = VerifyReport(TARGET, "run R1", (), run="R1", not_done={"unknown": 2})
    first, *_ = verification_lines(report, paint=PLAIN)
    assert first == "There is nothing to verify: no change is known to have been applied (run R1)."
    (first,) = verification_lines(replace(report, not_done={}), paint=PLAIN)
    assert first == "There is nothing to verify: no machine was changed (run R1)."


def test_runs_are_listed_newest_first_and_a_damaged_one_says_so() -> None:
    """A file that cannot be read must not hide the others."""
    runs = (
        RunSummary("R1", "finished", datetime(2030, 1, 1, tzinfo=UTC), TARGET, 3, 3),
        RunSummary("R2", "unreadable", problem="R2.sqlite is damaged."),
    )
    text = list(runs_lines(runs, paint=PLAIN))
    assert text[1].split()[:3] == ["R1", "finished", "3/3"]
    assert text[2].split()[:2] == ["R2", "unreadable"]
    assert text[2].endswith("R2.sqlite is damaged.")


LATER, EARLIER = "20300102T080000000Z-0123ab", "20300101T080000000Z-4567cd"
UNDONE = (
    RunSummary(LATER, "finished", None, TARGET, 2, 2, sent=2, rollback_of=EARLIER),
    RunSummary(EARLIER, "stopped", None, TARGET, 3, 2, sent=2),
)


@pytest.mark.parametrize("width", [80, 120])
def test_on_a_terminal_a_list_of_runs_tells_every_id_whole(width: int) -> None:
    """What a run undoes and where it ran were cut to a few characters, and a run that was undone bore no mark."""
    text = list(runs_lines(UNDONE, paint=Paint(width=width)))
    assert text[:5] == [
        "RUN                         STATE     ENDED",
        f"{LATER}  finished  2/2",
        f"    undoes {EARLIER}",
        f"{EARLIER}  stopped   2/3",
        f"    undone by {LATER}",
    ]
    assert " ".join(" ".join(text[5:]).split()).startswith("Target: ")
    assert TARGET.tenant_id in "".join(text[5:])
    assert (max(map(len, text)) <= width, "…" in "".join(text)) == (True, False)


def test_in_a_pipe_each_line_of_a_list_of_runs_tells_all_of_its_run() -> None:
    heading, first, second = runs_lines(UNDONE, paint=PLAIN)
    assert heading.split() == ["RUN", "STATE", "ENDED", "UNDOES", "UNDONE", "BY", "TARGET"]
    assert first.split()[:4] == [LATER, "finished", "2/2", EARLIER]
    assert second.split()[:4] == [EARLIER, "stopped", "2/3", LATER]
    assert second.endswith(f"{TARGET.endpoint} tenant {TARGET.tenant_id}")


@pytest.mark.parametrize("width", [80, None])
def test_a_list_of_runs_says_how_many_of_the_ended_changes_were_not_sent(width: int | None) -> None:
    """30/30 read as done, where 18 of them had ended as not sent."""
    runs = (
        RunSummary(LATER, "stopped", None, TARGET, 30, 30, sent=12, not_sent=18),
        RunSummary(EARLIER, "interrupted", None, TARGET, 2_537, 1_241, sent=1_240, not_sent=1, not_begun=1_296),
    )
    text = list(runs_lines(runs, paint=Paint(width=width)))
    assert text[0].split()[:5] == ["RUN", "STATE", "ENDED", "NOT", "SENT"]
    assert text[1].split()[:4] == [LATER, "stopped", "12/30", "18"]
    assert next(line for line in text if line.startswith(EARLIER)).split()[:4] == [
        EARLIER,
        "interrupted",
        "1,240/2,537",
        "1,297",
    ]
    told = " ".join(" ".join(text).split())
    assert "ENDED counts the changes that have a result, NOT SENT those for which nothing was sent" in told
    rows = runs_result(runs).document.runs
    assert [(one.ended, one.not_sent, one.not_begun) for one in rows] == [(1_241, 1, 1_296), (30, 18, 0)]


def test_a_run_undone_in_part_or_not_to_the_end_says_so_and_one_that_nothing_was_sent_for_bears_no_mark() -> None:
    back, run = UNDONE
    in_part = replace(back, only=(machine_id("a"),))
    assert "    undone by " + LATER + " (1 machine only)" in runs_lines((in_part, run), paint=Paint(width=80))
    assert "    undone by " + LATER + " (stopped)" in runs_lines(
        (replace(back, state="stopped"), run), paint=Paint(width=80)
    )
    assert "undone by" not in "\n".join(runs_lines((replace(back, sent=0), run), paint=Paint(width=80)))
    rows = runs_result((run, in_part)).document.runs
    assert [(one.undone_by, one.undone_in_part) for one in rows] == [(None, False), (LATER, True)]


def test_what_is_not_as_asked_counts_each_machine_once() -> None:
    """It said "1 failed, 1 not as planned, 1 without the schedule" of one machine."""
    differs = Verification(machine_id("a"), False)
    attachment = AttachResult(str(machine_id("a")), AttachEnd.NOT_SENT)
    failed = ChangeResult(machine_id("a"), Result.FAILED, verification=differs)
    report = RunReport("R1", "finished", RunCounts(scope=1, failed=1), results=(failed,), attachments=(attachment,))
    assert report.not_done == {"failed": 1}
    applied = replace(failed, result=Result.APPLIED)
    counts = RunCounts(scope=1, applied=1)
    assert replace(report, counts=counts, results=(applied,)).not_done == {"notAsPlanned": 1}
    verified = replace(applied, verification=Verification(machine_id("a"), True))
    assert replace(report, counts=counts, results=(verified,)).not_done == {"notAttached": 1}


def test_runs_are_told_newest_first_in_every_format() -> None:
    """The store lists them oldest first, and a reader of the table may also read the JSON."""
    told = runs_result((RunSummary("R1", "finished"), RunSummary("R2", "finished")))
    assert [line.split()[0] for line in told.lines(PLAIN)] == ["RUN", "R2", "R1"]
    assert [run["run"] for run in as_values(told.document)["runs"]] == ["R2", "R1"]
    assert [run["run"] for run in map(as_values, told.rows())] == ["R2", "R1"]


def test_a_difference_in_the_patch_settings_fits_the_terminal() -> None:
    """The path from the root is 119 columns long; the JSON has it whole."""
    bypass = "automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule"
    path = f"properties.osProfile.windowsConfiguration.patchSettings.{bypass}"
    found = (Verification(machine_id("b"), False, (Difference(path, "true", "(absent)"),)),)
    report = VerifyReport(TARGET, "run R1", found, "R1")
    text = list(verification_lines(report, paint=Paint(width=80)))
    assert f"      {bypass}:" in text
    assert max(map(len, text)) <= 80
    assert path in json.dumps(as_values(verify_document(report)))


def test_doctor_fits_the_terminal() -> None:
    """Names and ids are long in real tenants."""
    principals = {"": {"upn": "first.last@contoso.example", "oid": "44444444-4444-4444-4444-444444444444"}}
    lost = Unreadable("/providers/Microsoft.Management/managementGroups/nope", "It does not exist.")
    told = diagnosis_lines(Diagnosis(TARGET, principals, "answers", (), (lost,)), paint=Paint(width=80))
    assert max(map(len, told)) <= 80


def test_doctor_tells_apart_two_subscriptions_of_one_name() -> None:
    """It said "Needs attention: Contoso, Contoso."."""
    other = SUBSCRIPTION.replace("1", "2")
    checks = tuple(
        SubscriptionCheck(Subscription(one, "Contoso", TARGET.tenant_id, "Enabled"), {}, notes=("Read no locks.",))
        for one in (SUBSCRIPTION, other)
    )
    told = list(diagnosis_lines(Diagnosis(TARGET, {}, "answers", checks), paint=PLAIN))
    assert told[-1] == "Needs attention: Contoso (11111111), Contoso (22222222)."


def test_a_rollback_s_plan_names_its_run_once() -> None:
    """`--run` is no option; what was typed beside the run still stands there."""
    plan = Plan(TARGET, ("--run R1",), WantedSettings(), (change(),), (), (), (), rollback_of="R1")
    told = list(plan_lines(plan, paint=PLAIN))
    assert told[1:3] == ["Undoes run R1.", f"Scope: subscription {SUBSCRIPTION}"]
    narrowed = list(plan_lines(replace(plan, scope=("--run R1", "--ids /x")), paint=PLAIN))
    assert narrowed[1:4] == ["Undoes run R1.", f"Scope: --ids /x, in subscription {SUBSCRIPTION}", ""]


@pytest.mark.parametrize(
    ("left", "of", "under_way", "text"),
    [
        (0, 33, 0, "its 33 changes have ended; nothing is left to send"),
        (0, 1, 0, "its change has ended; nothing is left to send"),
        (1, 1234, 0, "1 of 1,234 changes left: 1 not sent"),
        (5, 33, 2, "5 of 33 changes left: 3 not sent, 2 sent, and the end not read"),
        (2, 33, 2, "2 of 33 changes left: 2 sent, and the end not read"),
    ],
)
def test_how_much_of_a_run_is_left(left: int, of: int, under_way: int, text: str) -> None:
    """Before anything is taken up; what was never sent is not told as if Azure were at it."""
    assert left_text(left, of, under_way=under_way) == text


@pytest.mark.parametrize(
    ("step", "result", "left"),
    [
        (Step.PENDING, None, True),
        (Step.STARTED, None, True),
        (Step.ENDED, Result.APPLIED, False),
        (Step.ENDED, Result.FAILED, False),
        (Step.ENDED, Result.NOT_SENT, True),
    ],
)
def test_what_a_resume_takes_up(step: Step, result: Result | None, left: bool) -> None:
    """Also what the stop of an earlier process left unsent."""
    end = None if result is None else ChangeResult(machine_id("vm1"), result)
    assert is_over(JournalEntry(change(), step, 1, result=end)) is not left


def test_one_request_is_no_requests() -> None:
    """The tally is read by people."""
    report = RunReport("R1", "finished", RunCounts(scope=1, applied=1), {"GET": 1}, ())
    assert list(run_lines(report, TARGET, paint=PLAIN))[-1] == (
        "  1 request to apply and verify: 1 GET (sign-in, planning and permission checks not counted)."
    )


def test_requests_that_may_not_be_all_are_never_told_as_all() -> None:
    report = RunReport("R1", "finished", RunCounts(scope=1), {"GET": 4, "PATCH": 1}, requests_at_least=True)
    assert list(run_lines(report, TARGET, paint=PLAIN))[-1] == (
        "  At least 5 requests to apply and verify: 4 GET, 1 PATCH; a process of this run did not report all "
        "that it sent (sign-in, planning and permission checks not counted)."
    )
    assert max(map(len, run_lines(report, TARGET, paint=Paint(width=80)))) <= 80


def test_the_tally_leaves_out_what_is_nought() -> None:
    """Done, failed, skipped, under way at Azure, not sent yet, rate, time left."""
    progress = Progress(total=100, done=40, failed=2, waiting=8, not_started=50, ended_here=42)
    assert tally_text(progress, skipped=7, elapsed_s=21) == (
        "40 done  2 failed  7 skipped  8 under way  50 not sent yet  2.0 VMs/s  29 s left"
    )
    sent = Progress(total=4, waiting=4)
    assert tally_text(sent, skipped=0, elapsed_s=0) == "0 done  4 under way"
    others = Progress(total=9, done=1, failed=1, unknown=2, stale=4, not_sent=1)
    assert tally_text(others, skipped=0, elapsed_s=0) == "1 done  1 failed  2 unknown  4 stale  1 not sent"
    assert tally_text(Progress(total=3, not_started=3), skipped=0, elapsed_s=0) == "0 done  3 not sent yet"
    assert tally_text(Progress(total=3, done=3, ended_here=3), skipped=0, elapsed_s=2) == "3 done  1.5 VMs/s"


def test_a_rate_counts_what_ended_while_one_looked() -> None:
    """A run that is resumed at its end has no rate, and one resumed half-way not that of the first half."""
    assert tally_text(Progress(total=3, done=3), skipped=0, elapsed_s=20) == "3 done"
    half = Progress(total=100, done=60, not_started=40, ended_here=10)
    assert tally_text(half, skipped=0, elapsed_s=10) == "60 done  40 not sent yet  1.0 VMs/s  40 s left"
    assert tally_text(Progress(total=3, done=3, ended_here=3), skipped=0, elapsed_s=0.4) == "3 done"


def test_a_finished_run_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a rate, however often the engine tells that nothing is left."""
    lines = Lines(Settings(), skipped=0, doing="Applying")
    for _ in range(3):
        lines.progressed(Progress(total=2, done=2))
    assert capsys.readouterr().err == "Applying: 2/2  2 done\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (59, "59 s"), (60, "1:00"), (65.4, "1:05"), (3599.6, "1:00:00"), (7384, "2:03:04")],
)
def test_durations(seconds: float, text: str) -> None:
    """Short while it is short."""
    assert duration_text(seconds) == text


def test_a_failure_is_one_line_that_cannot_steer_the_terminal() -> None:
    """A message comes from outside."""
    error = MachineError("Bad", "line one\nline \x1b[2Jtwo", False, "")
    line = failure_text(ChangeResult(machine_id("vm"), Result.FAILED, error), "Production/rg/vm")
    assert line == "✗ Production/rg/vm  Bad: line one\\nline \\x1b[2Jtwo"


def test_counting_words() -> None:
    """One machine, two machines; the first names and how many more."""
    assert (plural(1, "machine"), plural(1234, "machine")) == ("1 machine", "1,234 machines")
    assert (some(["a", "b"]), some(list("abcdefg"), 2)) == ("a, b", "a, b and 5 more")


def test_a_missing_shard_is_told_in_red_and_not_with_the_codes_of_red() -> None:
    counts = RunCounts(scope=1, applied=1, verified=1)
    part = RunPart("shards/shard-1", "20300131T220000000Z-abcdef", "finished", counts, Shard(1, 2))
    report = RunReport("", "finished", counts, parts=(part,), missing=(Shard(2, 2),))
    lines = list(run_lines(report, TARGET, paint=Paint(colours=True, width=80)))
    assert "\x1b[31mMissing: of 1 shard nothing is known: 2/2.\x1b[0m" in lines


def test_waves_are_told_one_a_line() -> None:
    waves = (WaveCounts("canary", 2, applied=1, failed=1), WaveCounts("ring=broad / zone 1", 1_200, not_sent=1_200))
    report = RunReport("r", "finished", RunCounts(scope=1_202, applied=1, failed=1, not_sent=1_200), waves=waves)
    lines = list(run_lines(report, TARGET, paint=Paint()))
    assert lines[:4] == [
        "WAVE                 CHANGES  APPLIED  FAILED  UNKNOWN  STALE  NOT SENT",
        "canary               2        1        1       0        0      0",
        "ring=broad / zone 1  1,200    0        0       0        0      1,200",
        "",
    ]
    assert max(map(len, run_lines(report, TARGET, paint=Paint(width=80)))) <= 80


def test_names_are_broken_between_and_not_within() -> None:
    """That of a subscription has blanks, and SUBSCRIPTION/GROUP/NAME is what other commands take."""
    names = [f"Contoso Production 0{number}/rg-web/web-{number}" for number in range(4)]
    for width in range(40, 120):
        told = list(name_lines(names, 3, paint=Paint(width=width), before="3: ", indent=2, hang=4))
        assert all(any(name in line for line in told) for name in names[:3])
        assert all(len(line) <= width for line in told)
        assert " ".join(line.strip() for line in told) == f"3: {', '.join(names[:3])} and 1 more"
    narrow = list(name_lines(names[:1], paint=Paint(width=30)))
    assert narrow == ["Contoso Production", "00/rg-web/web-0"]
    assert list(name_lines(names, paint=Paint(), indent=2)) == [f"  {', '.join(names)}"]
