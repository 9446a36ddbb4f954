"""A plan as a change request in Markdown, for a change advisory board: people who do not read requests.

Must not: say when it is done or who approves it, which no plan holds; a blank is left for that.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import Orchestration
from patchmode.model.plain_text import printable
from patchmode.model.plan import Change, Plan
from patchmode.reports.exports.scripted import left_out_text, made_text, place_text
from patchmode.reports.formats.markdown import escaped
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import plural
from patchmode.reports.text.next_steps import command
from patchmode.reports.text.plan import AZURE_AGAIN, leaf_changes, sent_leaves

_BLANK = "to be filled in"
_WHY = (
    "Azure Update Manager patches a machine on a schedule only when its model has both `patchMode` = "
    "`AutomaticByPlatform` and `bypassPlatformSafetyChecksOnUserSchedule` = `true`. Without them the run of the "
    "schedule fails on that machine."
)


def change_request(plan: Plan, source: str) -> Iterator[str]:
    """The document, in pieces.

    Args:
        plan: with something to do.
        source: the plan file's name.
    """
    names = MachineNames.of(plan.target, plan.subscription_ids)
    undone = f": rollback of run {plan.rollback_of}" if plan.rollback_of else ""
    yield f"# Change request: patch settings of {plural(plan.touched, 'machine')}{escaped(undone)}\n\n"
    yield from _facts(plan, source)
    yield from _what(plan)
    yield from _why(plan)
    yield from _who(plan)
    yield from _when(plan)
    yield from _risk(plan)
    yield from _how(source)
    yield from _back_out(plan)
    yield from _machines(plan, names)
    yield from _left_out(plan, names)


def _facts(plan: Plan, source: str) -> Iterator[str]:
    rows = [
        ("Plan", f"{source}, {made_text(plan)}"),
        ("Digest", plan.digest or "none"),
        ("Target", place_text(plan)),
        ("Scope", ", ".join(plan.scope) or "not recorded"),
        ("Settings changed on", plural(len(plan.changes), "machine")),
        ("Not changed", left_out_text(plan)),
        ("Planned start", _BLANK),
        ("Requested by", _BLANK),
        ("Approved by", _BLANK),
    ]
    yield from _table(("", ""), rows)


def _what(plan: Plan) -> Iterator[str]:
    yield "## What\n\n"
    if plan.changes:
        yield "One request for each machine. It holds these settings and no other property:\n\n"
        counted = Counter(
            (leaf.path, leaf.before or "(absent)", leaf.after) for one in plan.changes for leaf in sent_leaves(one)
        )
        rows = [(*setting, f"{count:,}") for setting, count in sorted(counted.items())]
        yield from _table(("Setting", "Before", "After", "Machines"), rows)
        if any(before == after for _, before, after in counted):
            yield "A value that is the same before and after is sent with the others, because Azure needs both.\n\n"
    if plan.first_detach:
        yield f"Before that, {plural(len(plan.first_detach), 'schedule assignment')} will be deleted.\n\n"
    if plan.then_attach is not None:
        count = plural(len(plan.changes) + len(plan.unchanged), "machine")
        yield (
            f"Then the schedule {escaped(plan.then_attach.configuration)} is attached to {count}, each once its "
            "settings were verified.\n\n"
        )


def _why(plan: Plan) -> Iterator[str]:
    yield "## Why\n\n"
    if plan.rollback_of:
        yield f"To undo run {escaped(plan.rollback_of)}.\n\n"
    elif plan.wanted.orchestration is Orchestration.CUSTOMER_MANAGED_SCHEDULES:
        yield f"{_WHY} Source: Microsoft, Prerequisites for schedule patching.\n\n"
    else:
        options = " ".join(plan.options) or "none"
        yield f"Requested settings, as options of patchmode: {escaped(options)}\n\n"
    yield f"Reason for this change at this time: {_BLANK}.\n\n"


def _who(plan: Plan) -> Iterator[str]:
    yield "## Who patches the machines\n\n"
    pairs = [(one.outcome_before, one.outcome_after) for one in plan.changes]
    if plan.then_attach is not None:
        pairs += [(one.outcome, one.outcome_in_the_end) for one in plan.unchanged]
    before, after = Counter(one.kind for one, _ in pairs), Counter(one.kind for _, one in pairs)
    rows = [
        (_words(kind), f"{before[kind]:,}", f"{after[kind]:,}") for kind in OutcomeKind if before[kind] or after[kind]
    ]
    yield from _table(("Machines that are", "Before", "After"), rows)
    yield "As computed when the plan was made.\n\n"


def _when(plan: Plan) -> Iterator[str]:
    yield "## When\n\n"
    yield f"The plan has no date: it is applied when somebody starts the command. Planned start: {_BLANK}.\n\n"
    if plan.waves:
        yield "One wave after the other, in this order:\n\n"
        rows = [
            (f"{number}", wave.name, f"{wave.changes:,}", f"{wave.unchanged:,}")
            for number, wave in enumerate(plan.waves, 1)
        ]
        yield from _table(("", "Wave", "Settings changed", "Only schedule attached"), rows)


def _risk(plan: Plan) -> Iterator[str]:
    yield "## Risk\n\n"
    reasons = Counter(
        one.irreversible_because or "Azure does not allow it." for one in plan.changes if not one.reversible
    )
    risks = [
        f"{plural(count, 'change')} cannot be undone by `patchmode rollback`: {escaped(reason)}"
        for reason, count in reasons.most_common()
    ]
    again = sum(one.reversible and one.ends_azure_managed for one in plan.changes)
    if again:
        changes = plural(again, "change is", "changes are")
        risks.append(f"{changes} rolled back only with `--allow-azure-managed`. {AZURE_AGAIN}")
    # As in the table above: a machine that waits for a schedule already is no risk of this change.
    parked = sum(one.outcome_after.kind is OutcomeKind.PARKED for one in plan.changes)
    if parked:
        machines = plural(parked, "machine is", "machines are")
        risks.append(f"Afterwards {machines} patched by nobody until a schedule is attached.")
    for kind in (OutcomeKind.AUTOPATCHED, OutcomeKind.SCHEDULE_FAILS, OutcomeKind.NOT_PATCHED, OutcomeKind.UNKNOWN):
        count = sum(one.outcome_after.kind is kind for one in plan.changes)
        if count:
            risks.append(f"Afterwards {plural(count, 'machine is', 'machines are')} {_words(kind)}.")
    if plan.not_done:
        parts = ", ".join(f"{count:,} {kind}" for kind, count in plan.not_done.items())
        risks.append(f"Asked for and not part of this change: {parts}. These machines stay as they are.")
    yield "".join(f"- {one}\n" for one in risks or ["None was found when the plan was made."]) + "\n"


def _how(source: str) -> Iterator[str]:
    yield "## How it is applied and verified\n\n"
    yield f"    {command('apply', printable(source))}\n\n"
    yield (
        "It shows the plan and asks. A machine that changed since the plan, in anything that the change depends on, is "
        "not changed. Each request is in a journal before it is sent, and each machine is read again and compared.\n\n"
    )


def _back_out(plan: Plan) -> Iterator[str]:
    yield "## Back-out\n\n    patchmode rollback RUN\n\n"
    final = sum(not one.reversible for one in plan.changes)
    except_for = f", except for {plural(final, 'change')} (see Risk)" if final else ""
    yield (
        f"RUN is the id that `patchmode apply` prints. It restores the settings of before{except_for}. It needs the "
        "journal of the run: a script that was exported from the plan has none, and is undone by hand with the values "
        "below.\n\n"
    )


def _machines(plan: Plan, names: MachineNames) -> Iterator[str]:
    if not plan.changes:
        return
    yield "## Machines\n\n"
    for number in range(len(plan.waves) or 1):
        changes = plan.changes_of(number)
        if plan.waves:
            yield f"### Wave {number + 1}: {escaped(plan.waves[number].name)}\n\n"
        if changes:
            headings = ("Machine", "System", "Region", "Change", "Patched before", "Patched after", "Undo")
            yield from _table(headings, [_row(one, names) for one in changes])


def _row(change: Change, names: MachineNames) -> Sequence[str]:
    changed = "; ".join(f"{one.path}: {one.before or '(absent)'} -> {one.after}" for one in leaf_changes(change))
    undo = "no" if not change.reversible else "only with --allow-azure-managed" if change.ends_azure_managed else "yes"
    before, after = map(_patched, (change.outcome_before, change.outcome_after))
    return names.short(change.id), str(change.os), change.location, changed, before, after, undo


def _words(kind: OutcomeKind) -> str:
    return "not known" if kind is OutcomeKind.UNKNOWN else kind.words


def _patched(outcome: Outcome) -> str:
    is_known = outcome.kind is not OutcomeKind.UNKNOWN
    return outcome.kind.words if is_known else f"{_words(outcome.kind)}: {outcome.reason}"


def _left_out(plan: Plan, names: MachineNames) -> Iterator[str]:
    rows = [(names.short(one.id), one.rule, one.reason) for one in plan.skipped if not one.is_filtered_out]
    filtered = len(plan.skipped) - len(rows)
    if plan.skipped:
        yield "## Skipped\n\n"
    if filtered:
        yield f"{plural(filtered, 'machine was', 'machines were')} left out by the filters of the scope.\n\n"
    if rows:
        yield from _table(("Machine", "Rule", "Reason"), rows)
    if plan.unreadable:
        yield "## Could not be read\n\n"
        yield from _table(("What", "Reason"), [(names.short(one.id), one.reason) for one in plan.unreadable])


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |\n|{'---|' * len(headings)}\n"
    yield from (f"| {' | '.join(map(escaped, row))} |\n" for row in rows)
    yield "\n"
