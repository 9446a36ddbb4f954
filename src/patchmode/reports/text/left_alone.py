"""Machines that were not touched, not read or failed, and runs that hold some, for people."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from shlex import quote

from patchmode.model.left_alone import MachineError, Skipped, Unreadable
from patchmode.model.plain_text import printable
from patchmode.model.resource_id import ResourceId, subscription_of
from patchmode.model.run import HeldMachines
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import Paint, name_lines, plural, some, way_out, wrapped

_NOT_DONE = {
    "failed": "failed",
    "unknown": "unknown",
    "stale": "stale",
    "notSent": "not sent",
    "notAsPlanned": "not as planned",
    "notAttached": "without the schedule as asked",
    "blocked": "blocked",
    "unreadable": "unreadable",
}


def not_done_text(not_done: Mapping[str, int], blocked: Iterable[Skipped]) -> str:
    """What was asked for and is not so, in a few words: `1 failed, 2 blocked (client-os 1, read-only-lock 1)`.

    Args:
        not_done: as `RunReport.not_done` and `Plan.not_done` have it; empty: an empty text.
        blocked: the machines that a rule left alone, for the names of the rules.
    """
    rules = ", ".join(f"{rule} {count:,}" for rule, count in sorted(Counter(one.rule for one in blocked).items()))
    parts = []
    for kind, count in not_done.items():
        by_rule = f" ({rules})" if kind == "blocked" and rules else ""
        parts.append(f"{count:,} {_NOT_DONE[kind]}{by_rule}")
    return ", ".join(parts)


def skipped_lines(skipped: Iterable[Skipped], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """Skipped machines by rule: reason, machines, way out."""
    by_rule: dict[tuple[str, str, str | None], list[str]] = defaultdict(list)
    for entry in skipped:
        by_rule[entry.rule, entry.reason, entry.fix].append(names.short(entry.id))
    for (rule, reason, fix), members in sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0][0])):
        yield f"  {paint('warn', rule)} ({len(members):,})"
        yield from name_lines(members, paint=paint, indent=6)
        yield from wrapped(reason, paint=paint, indent=6)
        if fix:
            yield from way_out(fix, paint=paint)


def unreadable_lines(unreadable: Iterable[Unreadable], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """What could not be read, and why."""
    for entry in unreadable:
        place = subscription_of(entry.id)
        label = names.subscription(place) if place else ""
        whose = f"  (subscription {label})" if label and label != place else ""
        yield f"  {paint('bad', printable(entry.id))}{whose}"
        yield from wrapped(entry.reason, paint=paint, indent=6)


ANY_ID, ANY_NAME = "\ue000", "\ue001"
"""Stand for the machine's id and name where errors are compared: no text of Azure's has these (private use) marks."""
_ANY_OF_THEM = re.compile(rf"{ANY_ID}(?P<below>/)?|{ANY_NAME}")
_IDS_OPTION = re.compile(rf"(?:(?<=rollback )(?P<run>\S+) )?--ids '?{ANY_ID}'?")
"""In a command that is told it must be every machine's, so that the command runs as it stands."""
NAMED_ON_A_LINE = 3
"""So many ids fit into a command; more are those of the run that failed."""


@dataclass(frozen=True, slots=True)
class FailedMachine:
    """One machine and what it met."""

    id: ResourceId
    error: MachineError | None
    """None: it is not known."""
    correlation_id: str | None = None
    """Azure's, for a support case."""


@dataclass(frozen=True, slots=True)
class FailedGroup:
    """Machines that met the same error, as it is true of each of them."""

    code: str
    """Empty: nothing is known."""
    message: str
    advice: str
    members: Sequence[FailedMachine]

    @property
    def correlation_ids(self) -> Sequence[str]:
        """Azure's, as far as they are known."""
        return [one.correlation_id for one in self.members if one.correlation_id]


def failed_groups(failed: Iterable[FailedMachine]) -> Sequence[FailedGroup]:
    """Each error once, with its machines.

    Args:
        failed: in the order in which they are told; empty: no group.
    """
    groups: dict[tuple[str, str, str], list[FailedMachine]] = defaultdict(list)
    for one in failed:
        error = one.error
        key = (error.code, without(one.id, error.message), without(one.id, error.advice)) if error else ("", "", "")
        groups[key].append(one)
    found = []
    for (code, *shared), members in groups.items():
        alone = members[0].error if len(members) == 1 else None
        message, advice = (alone.message, alone.advice) if alone else shared
        advice = _IDS_OPTION.sub(partial(_every_id, members), advice)
        found.append(FailedGroup(code, of_all(message), of_all(advice), members))
    return found


def failed_lines(failed: Iterable[FailedMachine], names: MachineNames, *, paint: Paint) -> Iterator[str]:
    """Each error once: its machines and code, Azure's words, what to do, and one correlation id.

    Args:
        failed: in the order in which they are told; empty: no line.
        names: of the whole output.
        paint: colours and width.
    """
    for group in failed_groups(failed):
        called = [names.short(one.id) for one in group.members]
        title = name_lines(called, paint=paint, after=f"  {group.code}" if group.code else "", indent=2, hang=4)
        yield from (paint("strong", line) for line in title)
        if group.message:
            yield from wrapped(group.message, paint=paint, indent=6)
        if group.advice:
            yield from wrapped(f"→ {group.advice}", paint=paint, indent=6, hang=8)
        if group.correlation_ids and group.code:
            yield from wrapped(f"correlation id {some(group.correlation_ids, 1)}", paint=paint, indent=6)


def _every_id(members: Sequence[FailedMachine], found: re.Match[str]) -> str:
    run = found["run"]
    if run and len(members) > NAMED_ON_A_LINE:
        return f"{run} --from-run {run}:failed"
    ids = " ".join(quote(str(one.id)) for one in members)
    return f"{run} --ids {ids}" if run else f"--ids {ids}"


def of_all(text: str) -> str:
    """A shared text as it is true of each machine named above it: a path below one is shortened, not invented."""

    def told(found: re.Match[str]) -> str:
        return "…/" if found["below"] else "the machine" if found.start() else "The machine"

    return _ANY_OF_THEM.sub(told, text)


def without(machine_id: ResourceId, text: str) -> str:
    """A text in which nothing tells which machine it is about."""
    # Patterns cost more than the rest together, and the plain spellings are the usual ones.
    text = text.replace(str(machine_id), ANY_ID).replace(machine_id.key, ANY_ID)
    if machine_id.name.casefold() not in text.casefold():
        return text
    text = re.sub(re.escape(str(machine_id)), ANY_ID, text, flags=re.IGNORECASE)
    name = rf"(?<![\w.-]){re.escape(machine_id.name)}(?![\w-])"
    return re.sub(name, ANY_NAME, text, flags=re.IGNORECASE)


_STATES = {"running": "is under way", "interrupted": "was interrupted", "stopped": "was stopped"}


def held_text(held: HeldMachines) -> str:
    """One sentence about one run."""
    machines = plural(held.machines, "machine")
    return f"Run {held.run} {_STATES[held.state]} and holds {machines} of this plan that it has not finished."


def held_lines(runs: Iterable[HeldMachines], *, paint: Paint) -> Iterator[str]:
    """Each run with the command that goes on with it; a command stays on a line of its own."""
    for one in runs:
        yield from (paint("warn", line) for line in wrapped(f"! {held_text(one)}", paint=paint, hang=2))
        if one.state == "running":
            yield f"  See how far it is: patchmode runs show {one.run}"
        else:
            yield f"  Continue it:       patchmode runs resume {one.run}"
