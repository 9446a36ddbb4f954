"""The schedules that a plan attaches or takes off, and what became of them, for people.

Must not: call a machine attached that was not seen to be.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from patchmode.model.attachment import AttachEnd, AttachResult
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.reports.columns import wrapped
from patchmode.reports.failed_machines import FailedMachine, failed_lines
from patchmode.reports.headings import plural, some
from patchmode.reports.machine_names import MachineNames
from patchmode.reports.paint import Paint

_TITLES = {
    AttachEnd.FAILED: "Not attached or taken off: Azure refused it",
    AttachEnd.UNKNOWN: "Schedule not known: sent, but the answer never came",
    AttachEnd.MISMATCH: "Schedule not as written",
    AttachEnd.REFUSED: "Schedule left alone, because it would fail or do harm",
    AttachEnd.NOT_SENT: "Schedule not attached or taken off, nothing was sent",
}
_WORDS = {
    AttachEnd.ATTACHED: ("attached", "good"),
    AttachEnd.DETACHED: ("taken off", "good"),
    AttachEnd.UNCHANGED: ("unchanged", "dim"),
    AttachEnd.REFUSED: ("refused", "bad"),
    AttachEnd.FAILED: ("failed", "bad"),
    AttachEnd.UNKNOWN: ("unknown", "bad"),
    AttachEnd.MISMATCH: ("not as written", "bad"),
    AttachEnd.NOT_SENT: ("not sent", "warn"),
}


def wish_lines(plan: Plan, *, paint: Paint) -> Iterator[str]:
    """What a plan attaches or takes off, in a sentence or two; nothing where it does neither."""
    if plan.then_attach is not None:
        wish, count = plan.then_attach, len(plan.changes) + len(plan.unchanged)
        right = f", {len(plan.unchanged):,} of them already as wanted" if plan.unchanged else ""
        text = (
            f"Then attach: {wish.configuration.name} to {plural(count, 'machine')}{right}; each only once its settings "
            "were verified."
        )
        yield from (paint("strong", line) for line in wrapped(text, paint=paint, hang=6))
        yield from wrapped(f"{wish.configuration}, assignment {wish.name}", paint=paint, indent=6)
        yield from _already(plan, paint)
        yield from _turned(plan, paint)
        for one in wish.kept_by:
            text = (
                f"! {one.machines:,} of the schedules cannot be taken off again, by `patchmode rollback` either, while "
                f"the lock '{one.lock}' stands on {one.scope}."
            )
            yield from (paint("warn", line) for line in wrapped(text, paint=paint, indent=6, hang=8))
    yield from _detach_lines(plan, paint)


def _already(plan: Plan, paint: Paint) -> Iterator[str]:
    """Who gets the schedule without a change of settings, which no diff shows."""
    if plan.unchanged:
        called = MachineNames.of(plan.target, plan.subscription_ids, paint=paint)
        names = some([called.short(one.id) for one in plan.unchanged])
        yield from wrapped(f"already as wanted: {names}", paint=paint, indent=6, hang=8)


def _detach_lines(plan: Plan, paint: Paint) -> Iterator[str]:
    """Which assignment is deleted from which machines, by configuration and name."""
    called = MachineNames.of(plan.target, plan.subscription_ids, paint=paint)
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in plan.first_detach:
        found[str(one.configuration), one.name].append(called.short(one.id))
    for (configuration, name), names in found.items():
        text = f"First detach: the schedule of {plural(len(names), 'machine')}, before any setting is changed: "
        yield from wrapped(text + some(names), paint=paint, hang=6)
        yield from wrapped(f"{configuration}, assignment {name}", paint=paint, indent=6)


def _turned(plan: Plan, paint: Paint) -> Iterator[str]:
    """What the schedule makes of machines that are as wanted, which the diff does not show."""
    turned = Counter((one.outcome.kind, one.outcome_after.kind) for one in plan.unchanged if one.outcome_after)
    for (before, after), count in turned.items():
        if before is not after:
            yield from wrapped(
                f"{plural(count, 'machine')} already as wanted: {before} -> {after}", paint=paint, indent=6
            )


def question_for(plan: Plan, *, paint: Paint) -> str:
    """What is to be agreed to: `Change 3 machines and attach weekly to 5, in subscription Production`."""
    parts = [f"change {plural(len(plan.changes), 'machine')}"] if plan.changes else []
    if plan.then_attach is not None:
        parts.append(f"attach {plan.then_attach.configuration.name} to {len(plan.changes) + len(plan.unchanged):,}")
    if plan.first_detach:
        parts.insert(0, f"take the schedule off {len(plan.first_detach):,}")
    text = " and ".join(parts)
    touched = plan.touched_in
    called = MachineNames.of(plan.target, touched, paint=paint)
    return text[:1].upper() + text[1:] + called.spread(touched)


def attachment_lines(found: Sequence[AttachResult], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """Attachments that did not end as planned, by kind and reason, followed by an empty line; nothing where all did."""
    for end, title in _TITLES.items():
        entries = [entry for entry in found if entry.result is end]
        if entries:
            yield paint("warn" if end is AttachEnd.NOT_SENT else "bad", f"{title} ({len(entries):,}):")
            failed = (FailedMachine(ResourceId.parse(entry.id), entry.error, entry.correlation_id) for entry in entries)
            yield from failed_lines(failed, names, paint=paint)
            yield ""


def tally_line(found: Sequence[AttachResult], *, paint: Paint) -> Iterator[str]:
    """How many schedules ended in which way, one line; nothing where there are none."""
    if found:
        tally = Counter(entry.result for entry in found)
        parts = [paint(meaning, f"{tally[end]:,} {word}") for end, (word, meaning) in _WORDS.items() if tally[end]]
        yield f"  Schedule: {', '.join(parts)}; {plural(len(found), 'machine')}."
