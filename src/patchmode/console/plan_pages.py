"""A plan as its page shows it: what cannot be undone first, then the diff by kind of change, then what is left alone.

Must not: leave a machine of the plan out.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from patchmode.model.outcome import Headline
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.reports.headings import no_change_text
from patchmode.reports.left_alone import not_done_text
from patchmode.reports.plan_text import LeafChange, sent_leaves


@dataclass(frozen=True, slots=True)
class Group:
    """Machines to which the same happens."""

    os: OperatingSystem
    leaves: Sequence[LeafChange]
    outcome_before: str
    outcome_after: str
    machines: Sequence[ResourceId]
    irreversible: bool


@dataclass(frozen=True, slots=True)
class Cause:
    """Machines with one reason."""

    rule: str
    reason: str
    fix: str | None
    machines: Sequence[ResourceId]


@dataclass(frozen=True, slots=True)
class Detached:
    """Machines that lose the same assignment."""

    configuration: ResourceId
    name: str
    machines: Sequence[ResourceId]


@dataclass(frozen=True, slots=True)
class PlanPage:
    """A plan, laid out."""

    plan: Plan
    count: int
    """Machines that carrying it out touches: the number to type."""
    irreversible: Sequence[Cause]
    groups: Sequence[Group]
    """The largest first."""
    skipped: Sequence[Cause]
    headline: Sequence[tuple[str, int, int]]
    """(words, before, after)."""
    nothing: str
    """What to say where the plan has nothing to do."""
    detached: Sequence[Detached]
    """Before any setting is touched."""
    not_done: str
    """What was asked for that the plan leaves undone, in words; empty: nothing."""


def make_page(plan: Plan) -> PlanPage:
    """Lay a plan out."""
    lasting: dict[str, list[ResourceId]] = defaultdict(list)
    for change in plan.changes:
        if not change.reversible:
            lasting[change.irreversible_because or "The platform allows no way back."].append(change.id)
    left: dict[tuple[str, str, str | None], list[ResourceId]] = defaultdict(list)
    for entry in plan.skipped:
        left[entry.rule, entry.reason, entry.fix].append(entry.id)
    return PlanPage(
        plan=plan,
        count=touched(plan),
        irreversible=_largest_first([Cause("", reason, None, ids) for reason, ids in lasting.items()]),
        groups=_groups(plan.changes),
        skipped=_largest_first([Cause(*key, ids) for key, ids in left.items()]),
        headline=_headline(plan),
        nothing=no_change_text(blocked=len(plan.blocked), unreadable=len(plan.unreadable)),
        detached=_detached(plan),
        not_done=not_done_text(plan.not_done, plan.blocked),
    )


def _detached(plan: Plan) -> Sequence[Detached]:
    found: dict[tuple[ResourceId, str], list[ResourceId]] = defaultdict(list)
    for one in plan.first_detach:
        found[one.configuration, one.name].append(one.id)
    return [Detached(*key, machines) for key, machines in found.items()]


def touched(plan: Plan) -> int:
    """How many machines carrying a plan out touches."""
    found = {one.id for one in plan.changes} | {one.id for one in plan.first_detach}
    if plan.then_attach is not None:
        found |= {one.id for one in plan.unchanged}
    return len(found)


def is_count(text: str, plan: Plan) -> bool:
    """Whether somebody typed the number of machines that a plan touches, with or without separators."""
    return text.replace(",", "").replace(" ", "") == str(touched(plan))


def _largest_first(causes: Sequence[Cause]) -> Sequence[Cause]:
    return sorted(causes, key=lambda cause: (-len(cause.machines), cause.rule, cause.reason))


def _groups(changes: Sequence[Change]) -> Sequence[Group]:
    found: dict[tuple[object, ...], tuple[Sequence[LeafChange], list[Change]]] = {}
    for change in changes:
        leaves = sent_leaves(change)
        outcomes = change.outcome_before.kind, change.outcome_after.kind
        found.setdefault((change.os, tuple(leaves), outcomes, change.reversible), (leaves, []))[1].append(change)
    groups = [
        Group(
            members[0].os,
            leaves,
            members[0].outcome_before.kind,
            members[0].outcome_after.kind,
            [one.id for one in members],
            not members[0].reversible,
        )
        for leaves, members in found.values()
    ]
    return sorted(groups, key=lambda group: -len(group.machines))


_HEADLINE: Mapping[str, str] = {
    "fails_at_next_window": "fail at their next window",
    "rebooted_by_azure": "rebooted by Azure without a window",
    "patched_by_nobody": "patched by nobody",
    "unknown": "not known",
}


def _headline(plan: Plan) -> Sequence[tuple[str, int, int]]:
    same = [entry.outcome for entry in plan.skipped if entry.outcome is not None]
    before = [*(one.outcome for one in plan.unchanged), *(change.outcome_before for change in plan.changes)]
    after = [one.outcome_after or one.outcome for one in plan.unchanged]
    after += [change.outcome_after for change in plan.changes]
    was, then = Headline.of((*same, *before)), Headline.of((*same, *after))
    return [(words, getattr(was, member), getattr(then, member)) for member, words in _HEADLINE.items()]
