"""Every experiment in its order, which of them this machine is asked, and what follows from what was seen.

The order: what only reads first; then what is undone by one PATCH; then what enters or leaves AutomaticByPlatform; and
last what looks back at all of it. An experiment may use what an earlier one decided.
"""

from collections.abc import Sequence
from dataclasses import replace

from patchmode.model.live_check import Decision, ExperimentResult, Observed, Outcome, Switch, SwitchResult
from patchmode.rules.live_check import lists, machine, records, schedules, settings
from patchmode.rules.live_check.experiment import Experiment, Step, Subject, undecided
from patchmode.rules.live_check.switches import SWITCHES, UNDECIDABLE

EXPERIMENTS: tuple[Experiment, ...] = (
    *lists.EXPERIMENTS,
    *records.BEFORE,
    *machine.MILD,
    *settings.EXPERIMENTS,
    *machine.OTHERS,
    records.ROW,
    *schedules.EXPERIMENTS,
    *records.AFTER,
)
LASTING = "the VM has no patchMode, and Azure may not let one be removed again; --allow-lasting runs it"
NO_GROUP = "no --maintenance-group was given"
NOT_REGISTERED = "the subscription is not registered for Microsoft.Maintenance"
NO_DELETE = "a CanNotDelete lock, or locks that could not be read, may block deleting what it creates"


def why_not(experiment: Experiment, subject: Subject, *, allow_lasting: bool) -> tuple[Outcome, str] | None:
    """Why an experiment is not run on a machine; None: it is.

    Args:
        experiment: any of the list.
        subject: the machine now.
        allow_lasting: whether what cannot be surely undone may be sent.
    """
    if (reason := experiment.applies(subject)) is not None:
        return Outcome.NOT_APPLICABLE, reason
    if experiment.needs_group and subject.group is None:
        return Outcome.NOT_RUN, NO_GROUP
    if experiment.needs_group and "Microsoft.Maintenance" in subject.unregistered:
        return Outcome.NOT_RUN, NOT_REGISTERED
    if experiment.needs_group and not subject.may_delete:
        return Outcome.NOT_RUN, NO_DELETE
    if experiment.writes_settings and not subject.settings.patch_mode and not allow_lasting:
        return Outcome.NOT_RUN, LASTING
    return None


def skipped(experiment: Experiment, outcome: Outcome, because: str) -> ExperimentResult:
    """The result of an experiment that was not run."""
    return ExperimentResult(experiment.name, experiment.sends, outcome, because)


def conclude(experiment: Experiment, subject: Subject, seen: Sequence[Observed]) -> ExperimentResult:
    """What follows from an experiment's observations.

    Args:
        experiment: the one that was run.
        subject: the machine as the experiment found it, with the answers of before.
        seen: one entry for each request that was sent, in order.
    """
    decisions = _decisions(experiment, subject, seen)
    return ExperimentResult(
        experiment.name,
        experiment.sends,
        _outcome(decisions),
        experiment.tells(subject, seen),
        tuple(decisions),
        tuple(_request_text(one) for one in seen),
    )


def _decisions(experiment: Experiment, subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    steps = experiment.steps(subject)
    if any(one.answered is None for one in seen):
        return undecided("a request got no usable answer", *experiment.switches)
    for step, one in zip(steps, seen, strict=False):
        if step.is_setup and one.answered is not None and not one.answered.is_success:
            return undecided(f"{one.asked.method} before it was refused: {one.answered.told}", *experiment.switches)
    if len(seen) < len(steps) and not _was_ended(steps, seen):
        return undecided("it was interrupted", *experiment.switches)
    found = experiment.read(subject, seen)
    return [_checked(one) for one in found]


def _was_ended(steps: Sequence[Step], seen: Sequence[Observed]) -> bool:
    """Whether the last request was refused, and nothing more was to be sent then."""
    last = seen[-1].answered if seen else None
    return last is not None and not last.is_success and steps[len(seen) - 1].ends


def _checked(decision: Decision) -> Decision:
    """A decision whose answer is one of its switch's. Anything else is a defect, and must not go into a profile."""
    if decision.answer is None or decision.answer in SWITCHES[decision.switch].answers:
        return decision
    return replace(decision, answer=None, because=f"{decision.answer!r} is not an answer of this switch")


def _outcome(decisions: Sequence[Decision]) -> Outcome:
    answers = [one.answer is not None for one in decisions if one.applies]
    if all(answers):
        return Outcome.ANSWERED
    return Outcome.PARTLY if any(answers) else Outcome.UNDECIDED


def _request_text(one: Observed) -> str:
    told = "no usable answer" if one.answered is None else one.answered.told
    return f"{one.asked}: {told}"


def switch_results(results: Sequence[ExperimentResult]) -> tuple[SwitchResult, ...]:
    """Every switch, decided or with the reason why it is not.

    Args:
        results: of the experiments, in their order; of a check that was interrupted some are missing.
    """
    return tuple(_switch_result(switch, results) for switch in SWITCHES.values())


def _switch_result(switch: Switch, results: Sequence[ExperimentResult]) -> SwitchResult:
    if (reason := UNDECIDABLE.get(switch.name)) is not None:
        return SwitchResult(switch, None, None, reason)
    # Each is decided by one experiment; a test holds the list to that.
    name = next(one.name for one in EXPERIMENTS if switch.name in one.switches)
    result = next((one for one in results if one.name == name), None)
    if result is None:
        return SwitchResult(switch, None, name, "the experiment was not reached")
    found = [one for one in result.decisions if one.switch == switch.name]
    for decision in sorted(found, key=lambda one: one.answer is None):
        return SwitchResult(switch, decision.answer, name, decision.because)
    return SwitchResult(switch, None, name, result.because)
