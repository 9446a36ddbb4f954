"""What the exit codes mean, and which result or error ends in which: the one place that decides it.

Every command returns what a function of this module makes of its result. The tables of the README and of
docs/reference/exit-codes.md, and the exit codes in each command's help, are made from `MEANINGS` and `ENDS`.

Must not: print (`main` and the commands do), or import at its head what `patchmode --help` does not need.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

import click

from patchmode.errors import EmptyScopeError, RefusedError, RunBusyError, UsageError

if TYPE_CHECKING:
    from patchmode.model.evidence import PackedEvidence
    from patchmode.model.live_check import LiveCheckReport
    from patchmode.model.plan import Plan
    from patchmode.model.policy import PolicyAssignReport, RemediationReport
    from patchmode.model.report import DeleteReport, Diagnosis, Explanation, VerifyReport
    from patchmode.model.run import ChangeResult, RunReport
    from patchmode.model.run_history import AfterWindowReport
    from patchmode.model.schedule import AttachReport, AttachResult


class Exit(IntEnum):
    """Every exit code that patchmode uses; all others are reserved."""

    DONE = 0
    FAULT = 1
    USAGE = 2
    EMPTY = 3
    FINDINGS = 10
    PARTIAL = 11
    REFUSED = 12
    MISMATCH = 13
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, str] = {
    Exit.DONE: "done, nothing to report",
    Exit.FAULT: "could not run: no sign-in, no connection, no disk",
    Exit.USAGE: "usage: the command line is wrong, a file that it names cannot be read, or nobody can be asked",
    Exit.EMPTY: "the scope matched nothing",
    Exit.FINDINGS: "findings, changes pending, or something asked for was skipped or could not be read",
    Exit.PARTIAL: "some changes or attachments failed, are unknown, were refused or not sent",
    Exit.REFUSED: "refused as a whole, nothing was sent: wrong target, unsafe, broken plan, a run held by another "
    "process, answered no",
    Exit.MISMATCH: "verification mismatch, a maintenance window that failed or was missed, evidence that was "
    "altered or is incomplete",
    Exit.INTERRUPTED: "interrupted after a clean stop",
}
"""Code → what it means wherever it is given, as the documentation prints it."""

WITH_RESULT = frozenset({Exit.DONE, Exit.FINDINGS, Exit.PARTIAL, Exit.MISMATCH})
"""With these a command has printed its whole result; with the others it has none, or not all of it."""

EVERYWHERE: Mapping[Exit, str] = {
    Exit.FAULT: "every command",
    Exit.USAGE: "every command",
    Exit.EMPTY: "every command that takes a scope",
    Exit.INTERRUPTED: "every command",
}
"""Codes that no command gives a meaning of its own → who ends with them."""

_CARRIED_OUT = {
    Exit.DONE: "every machine asked for is compliant, and each change was verified",
    Exit.FINDINGS: "all that was sent is verified, and something asked for is not done: a rule blocks a machine, "
    "one could not be read, or waves were left out with `--last-wave`",
    Exit.PARTIAL: "a change or an attachment failed, is unknown, stale, refused or was not sent",
    Exit.REFUSED: "nothing was sent: wrong target, unsafe, broken plan, a freeze, a run held by another process, "
    "answered no",
    Exit.MISMATCH: "each change was applied, and another property of a machine differs",
}
_ATTACHED = {
    Exit.DONE: "every machine of the scope, or the dynamic scope, is as asked",
    Exit.FINDINGS: "all that could be read is as asked, and a part of the scope could not be read, or it is not known "
    "whether a machine is in scope",
    Exit.PARTIAL: "a machine was refused, failed, is unknown or was not sent",
    Exit.REFUSED: "nothing was sent: no such schedule, unsafe, answered no",
    Exit.MISMATCH: "Azure accepted what a read afterwards does not show",
}
_AUDITED = {
    Exit.DONE: "every machine in scope was read and is compliant",
    Exit.FINDINGS: "a machine is not compliant, could not be read, or it is not known whether it is in scope",
}
_SHOWN_RUN = {
    **_CARRIED_OUT,
    Exit.PARTIAL: "a change or an attachment failed, is unknown, stale, refused or was not sent; or the run is under "
    "way or was stopped",
    Exit.REFUSED: "the journal is of a version that is not known here",
}
ENDS: Mapping[str, Mapping[Exit, str]] = {
    "audit": _AUDITED,
    "plan": {
        Exit.DONE: "every machine asked for was read and is compliant",
        Exit.FINDINGS: "changes are pending, a rule blocks a machine asked for, or one could not be read",
        Exit.REFUSED: "the schedule of `--then-attach` cannot be attached",
    },
    "apply": _CARRIED_OUT,
    "verify": {
        Exit.DONE: "every machine asked about was read and is as it should be",
        Exit.FINDINGS: "of a run or a file: every machine compared is as it should be, and something else of it is not "
        "as asked (failed, not sent, blocked); `--after-window`: a machine has no success on record yet",
        Exit.REFUSED: "wrong target, broken plan, or the run is held by another process",
        Exit.MISMATCH: "a machine asked about is not as it should be, whatever the reason (it needs change, a rule "
        "blocks its change), or could not be read; `--after-window`: one failed or missed its window",
    },
    "watch": {
        Exit.DONE: "nothing changed between the audits, whether the machines are compliant or not",
        Exit.FINDINGS: "a machine changed, or the last audit failed or could not read a part of the scope",
        Exit.REFUSED: "the baseline is not a saved audit",
    },
    "rollback": _CARRIED_OUT,
    "runs list": {Exit.DONE: "the runs were listed, however they ended"},
    "runs show": _SHOWN_RUN,
    "runs resume": {
        **_CARRIED_OUT,
        Exit.DONE: f"{_CARRIED_OUT[Exit.DONE]}; or no run is open",
        Exit.REFUSED: f"{_CARRIED_OUT[Exit.REFUSED]}; or a failure budget is spent and nobody said yes to more",
    },
    "runs merge": {
        **_SHOWN_RUN,
        Exit.PARTIAL: f"{_SHOWN_RUN[Exit.PARTIAL]}; or a shard is missing",
        Exit.REFUSED: "a machine or a shard is given twice, or the runs are of different targets",
    },
    "explain": {Exit.DONE: "the machine is compliant", Exit.FINDINGS: "the machine is not compliant"},
    "schedule list": {Exit.DONE: "the schedules were listed, with or without problems; `schedule check` tests them"},
    "schedule show": {Exit.DONE: "the schedule was shown, with or without problems; `schedule check` tests it"},
    "schedule next": {Exit.DONE: "the windows were listed, whether members fail or not; `schedule check` tests them"},
    "schedule check": {
        Exit.DONE: "no finding, or only something to note, and everything could be read",
        Exit.FINDINGS: "a finding blocks or warns, or something could not be read",
    },
    "schedule failures": {Exit.DONE: "no machine failed", Exit.FINDINGS: "a machine failed"},
    "schedule create": {
        Exit.DONE: "the schedule is as asked",
        Exit.REFUSED: "a rule refuses it, one of that name differs, or answered no",
        Exit.MISMATCH: "a read afterwards shows something else than was sent",
    },
    "schedule update": {
        Exit.DONE: "the schedule is as asked",
        Exit.REFUSED: "nothing was sent: a rule refuses it, it patches no guests, a lock, a missing role, changed "
        "since it was shown, answered no",
        Exit.MISMATCH: "a read afterwards shows something else than was sent",
    },
    "schedule delete": {
        Exit.DONE: "the schedule is deleted, and nothing names it any more",
        Exit.PARTIAL: "an assignment or the schedule itself failed, is unknown, was refused or was not sent",
        Exit.REFUSED: "nothing was sent: it patches no guests, a lock, a missing role, members that Azure would patch "
        "or that cannot be seen, changed since it was shown, answered no",
        Exit.MISMATCH: "Azure accepted what a read afterwards does not show",
    },
    "schedule attach": _ATTACHED,
    "schedule detach": _ATTACHED,
    "policy audit": {
        Exit.DONE: "every machine was read; each definition has an assignment that evaluates it and whose condition is "
        "met, or it was left out on purpose",
        Exit.FINDINGS: "a machine is missed, not covered or not compliant, counts as compliant without the setting, or "
        "something is not known",
    },
    "policy assign": {
        Exit.DONE: "assignment, exemptions and the identity's roles are as asked; no machine is changed by that alone",
        Exit.FINDINGS: "the same, and a machine refuses its exemption, because a lock or a deny assignment is there",
        Exit.REFUSED: "nothing was sent: an assignment of that name differs, or answered no",
        Exit.MISMATCH: "a read afterwards shows something else than was sent",
    },
    "policy remediate": {
        Exit.DONE: "the task ended and no machine failed, or no machine would be changed; what Azure reports is not "
        "verified by this",
        Exit.FINDINGS: "the task was started and its end not awaited; or it ended, and a machine that the definition "
        "would change was not taken, or it is not known of one",
        Exit.PARTIAL: "a machine failed, Azure ended the task as failed or canceled, or what came of it is not known",
        Exit.REFUSED: "nothing was sent: no such assignment, it assigns none of the built-ins or does not act, a task "
        "of that name is there, answered no",
    },
    "report": {
        Exit.DONE: "as `audit`, or for a run as `runs show`; or `--exit-zero` was given",
        Exit.FINDINGS: "as `audit`, or for a run as `runs show`",
        Exit.PARTIAL: "as `runs show`",
        Exit.REFUSED: "`--from` is not a record, or its version is not known here",
        Exit.MISMATCH: "as `runs show`",
    },
    "export": {
        Exit.DONE: "exported; machines that a rule leaves out or that could not be read are named in the export",
        Exit.REFUSED: "broken plan, unsafe, or a plan that changes nothing or more than the form can hold",
    },
    "iac check": {
        Exit.DONE: "every file was read, and no machine that they declare would be set back, replaced or created "
        "unprepared, modules that are not among them left aside; or `--fix` has edited all that was found",
        Exit.EMPTY: "no file that is read was found",
        Exit.FINDINGS: "there are findings, a value is not known, or a file could not be read",
        Exit.REFUSED: "answered no: no file was edited",
    },
    "evidence pack": {
        Exit.DONE: "packed; every machine asked for was applied and is as planned",
        Exit.FINDINGS: "packed; every applied machine is as planned, and something else of the run is not as asked",
        Exit.REFUSED: "wrong target",
        Exit.MISMATCH: "packed, and an applied machine is not as planned or could not be read",
    },
    "evidence check": {
        Exit.DONE: "the pack is complete and unchanged; the machines were not read",
        Exit.REFUSED: "it is not an evidence pack, its version is not known here, or it is unsafe to read",
        Exit.MISMATCH: "a file was altered, is missing or was added",
    },
    "console": {Exit.DONE: "the console was ended; each run's own state is on its page and in `runs show`"},
    "doctor": {
        Exit.DONE: "nothing is missing; or `--role-json` was given",
        Exit.FINDINGS: "a permission or registration is missing, a lock blocks changes, or something could not be read",
    },
    "mcp": {Exit.DONE: "the client ended the session"},
    "live-check": {
        Exit.DONE: "the VM is as it was, and each experiment that applies to it was answered as patchmode assumes; or "
        "there was nothing to undo",
        Exit.FINDINGS: "the VM is as it was, and Azure answered otherwise than assumed, or something was not decided",
        Exit.REFUSED: "nothing was sent: the VM does not have the tag, is not at rest, is locked or has a schedule; or "
        "answered no",
        Exit.MISMATCH: "the VM is not as it was, or something that was created could not be deleted",
    },
    "completion": {
        Exit.DONE: "the script was printed, or is where the shell looks for it",
        Exit.REFUSED: "another program's file is where the script would be written",
    },
    "schema": {Exit.DONE: "the schema was printed"},
    "demo": {
        Exit.DONE: "every step had the expected result",
        Exit.FAULT: "the step that is named had another result, or the emulator could not be started",
    },
}
"""Command → code → when it ends so. Every command stands here; what `EVERYWHERE` names goes without saying."""


def meaning_of(command: str, code: int) -> str:
    """What an exit code of a command means, in words; of a code that its table does not have, what it means anywhere.

    Args:
        command: its words without options, such as `runs resume`.
        code: one of `Exit`.
    """
    one = Exit(code)
    return (ENDS.get(command, {}).get(one) or MEANINGS[one]).replace("`", "")


def level_of(code: int) -> Literal["info", "warning", "error"]:
    """How grave an exit code is to whoever reads the log of a command."""
    if code == Exit.DONE:
        return "info"
    return "warning" if code in {Exit.EMPTY, Exit.FINDINGS, Exit.INTERRUPTED} else "error"


def of_error(error: BaseException) -> Exit:
    """The exit code that an error ends in.

    Args:
        error: any `PatchmodeError`, one of click's, or another exception that was foreseen.

    Returns:
        `FAULT` for everything that is not the user's mistake, an empty scope, a refusal or an interruption.
    """
    match error:
        case KeyboardInterrupt() | click.Abort():
            return Exit.INTERRUPTED
        case UsageError() | click.UsageError():
            return Exit.USAGE
        case EmptyScopeError():
            return Exit.EMPTY
        case RefusedError() | RunBusyError():
            return Exit.REFUSED
        case _:
            return Exit.FAULT


def of_audit(counts: Mapping[str, int]) -> Exit:
    """An audit, by its published counts."""
    return Exit.FINDINGS if counts["findings"] else Exit.DONE


def of_plan(plan: "Plan") -> Exit:
    """A plan that was made and not carried out: work is pending, or something asked for is no part of it."""
    return Exit.FINDINGS if plan.has_work or plan.not_done else Exit.DONE


def of_run(report: "RunReport") -> Exit:
    """A run that this command carried out. Where several fit: the first of 130, 11, 13, 10."""
    counts = report.counts
    mismatch = any(entry.verification is not None and not entry.verification.verified for entry in report.results)
    later = sum(map(_is_for_later, report.results))
    if report.state == "interrupted":
        return Exit.INTERRUPTED
    if counts.failed or counts.unknown or counts.stale or counts.not_sent > later:
        return Exit.PARTIAL
    if not all(one.is_fine or _is_for_later(one) for one in report.attachments):
        return Exit.PARTIAL
    if mismatch:
        return Exit.MISMATCH
    return Exit.FINDINGS if report.not_done else Exit.DONE


def of_shown_run(report: "RunReport") -> Exit:
    """A run, or several merged, that this command only shows: what was stopped is a fact about the past there."""
    code = of_run(report)
    return Exit.PARTIAL if code is Exit.INTERRUPTED or report.missing else code


def _is_for_later(end: "ChangeResult | AttachResult") -> bool:
    """Whether a machine was left to a later wave, as was asked."""
    from patchmode.workflow.run.waves import LATER_WAVE

    return end.error is not None and end.error.code == LATER_WAVE


def of_verification(report: "VerifyReport") -> Exit:
    """What `verify` found: 13 where a machine asked about is not known to be as it should be, whatever stops it.

    10 where each machine compared is, and something else of the run or the plan is not as asked.
    """
    if report.mismatches:
        return Exit.MISMATCH
    return Exit.FINDINGS if report.not_done else Exit.DONE


def of_evidence(packed: "PackedEvidence") -> Exit:
    """A pack of evidence that was written, by what it tells of the run: as `verify RUN`."""
    if packed.mismatches:
        return Exit.MISMATCH
    return Exit.FINDINGS if packed.not_done else Exit.DONE


def of_attach(report: "AttachReport") -> Exit:
    """A schedule attached to machines or detached from them. Where several fit: the first of 130, 11, 13, 10."""
    from patchmode.model.schedule import AttachEnd

    ends = {entry.result for entry in report.results}
    if report.state == "interrupted":
        return Exit.INTERRUPTED
    if ends & {AttachEnd.FAILED, AttachEnd.UNKNOWN, AttachEnd.REFUSED, AttachEnd.NOT_SENT}:
        return Exit.PARTIAL
    if AttachEnd.MISMATCH in ends:
        return Exit.MISMATCH
    in_doubt = any(not one.is_filtered_out for one in report.skipped)
    return Exit.FINDINGS if report.unreadable or in_doubt else Exit.DONE


def of_delete(report: "DeleteReport") -> Exit:
    """A schedule deleted with its assignments: as `of_attach`, by all of these and the schedule's own end."""
    from patchmode.model.schedule import AttachEnd

    ends = {report.end.result, *(entry.result for entry in report.detached)}
    if report.state == "interrupted":
        return Exit.INTERRUPTED
    if ends & {AttachEnd.FAILED, AttachEnd.UNKNOWN, AttachEnd.REFUSED, AttachEnd.NOT_SENT}:
        return Exit.PARTIAL
    return Exit.MISMATCH if AttachEnd.MISMATCH in ends else Exit.DONE


def of_live_check(report: "LiveCheckReport") -> Exit:
    """A live check. Where several fit: the first of 13, 130, 10."""
    if not report.is_restored:
        return Exit.MISMATCH
    if report.state == "interrupted":
        return Exit.INTERRUPTED
    return Exit.FINDINGS if report.surprises or report.undecided else Exit.DONE


def of_windows(report: "AfterWindowReport") -> Exit:
    """What became of machines in their windows: 13 where one failed or missed it, 10 where not all have succeeded.

    Machines of a subscription that could not be read may have none, nor one that the run or the plan left undone.
    """
    from patchmode.model.run_history import WindowEnd

    ends = {entry.result for entry in report.results}
    if ends & {WindowEnd.FAILED, WindowEnd.MISSED}:
        return Exit.MISMATCH
    if report.unread or report.not_done or not ends <= {WindowEnd.SUCCEEDED}:
        return Exit.FINDINGS
    return Exit.DONE


def of_watch(*, changed: int, is_blind: bool) -> Exit:
    """Repeated looks: whether anything changed, or the last look could not see all that it was to see."""
    return Exit.FINDINGS if changed or is_blind else Exit.DONE


def of_explanation(explanation: "Explanation") -> Exit:
    """One machine in full: whether it is as wanted, as an audit of it alone would end."""
    return Exit.DONE if explanation.audit.as_wanted else Exit.FINDINGS


def of_policy_assignment(report: "PolicyAssignReport") -> Exit:
    """An assignment of a policy. Where both fit: 13 before 10."""
    if report.differences:
        return Exit.MISMATCH
    return Exit.FINDINGS if report.not_exempt else Exit.DONE


def of_remediation(report: "RemediationReport") -> Exit:
    """A remediation task. Where several fit: the first of 130, 11, 10."""
    if report.result == "interrupted":
        return Exit.INTERRUPTED
    by_azure = report.task is not None and report.task.failed
    if report.failed or report.unended or report.problem or by_azure or report.result == "stopped":
        return Exit.PARTIAL
    return Exit.FINDINGS if report.result == "started" or report.left or report.draft.unknown else Exit.DONE


def of_listing() -> Exit:
    """A command that lists what there is and judges nothing of it."""
    return Exit.DONE


def of_diagnosis(diagnosis: "Diagnosis") -> Exit:
    """What `doctor` found."""
    return Exit.FINDINGS if diagnosis.has_findings else Exit.DONE


def of_findings(found: bool | int) -> Exit:
    """A command that asks whether there are findings: changes seen, failures, what warns or blocks."""
    return Exit.FINDINGS if found else Exit.DONE


def of_comparison(differences: int) -> Exit:
    """A command that compares what should be there with what is: in how many places they differ."""
    return Exit.MISMATCH if differences else Exit.DONE
