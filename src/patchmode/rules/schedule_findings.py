"""What is wrong with one configuration, its assignments and its members, and with several of them together.

Must not: read anything, or repeat what the limits say.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations

from patchmode.model.finding import Severity
from patchmode.model.machine import Machine
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    ConfigurationAssignment,
    RunForecast,
    ScheduleBook,
    ScheduleHit,
    Timing,
)
from patchmode.model.schedule_view import Member, ScheduleFinding, ScheduleView
from patchmode.rules.window_reading import duration_of

TOO_CLOSE = timedelta(minutes=15)
"""Source: Microsoft's article on maintenance configurations asks for any change to be 15 minutes before the run."""
LEAST_WINDOW = timedelta(hours=1, minutes=30)
LEAST_RUN = timedelta(minutes=25)
"""Source: the troubleshooting article: 15 minutes to install, 10 to restart."""
_FOREVER_BAD = {Timing.OVER, Timing.NEVER, Timing.UNREADABLE}
_TIMING_FIX = {
    Timing.OVER: "Give it a later expiration (patchmode schedule create … --replace), or detach it.",
    Timing.NEVER: "Give it a recurrence that comes (patchmode schedule create … --replace).",
    Timing.UNREADABLE: "Write its window anew (patchmode schedule create … --replace).",
}


def view_findings(view: ScheduleView, *, now: datetime) -> Iterator[ScheduleFinding]:
    """What one configuration's window and members say, without its limits.

    Args:
        view: with its members; its own `findings` are not looked at.
        now: aware.
    """
    yield from _of_window(view, now)
    yield from _of_members(view)
    if not view.members:
        fix = "Attach it (patchmode schedule attach), or delete it."
        yield _finding(view, "schedule-hits-nothing", Severity.WARNS, "It reaches no machine that you can see.", fix)


def _of_window(view: ScheduleView, now: datetime) -> Iterator[ScheduleFinding]:
    following = view.next
    if following.timing in _FOREVER_BAD or (following.because and following.timing is Timing.COMING):
        rule = following.rule or "unreadable-recurrence"
        fix = _TIMING_FIX.get(following.timing, "Write its recurrence so that it can be read in one way only.")
        yield _finding(view, rule, Severity.WARNS, _sentence(following.because), fix)
    duration = duration_of(view.configuration.window.duration)
    if duration is not None and duration < LEAST_WINDOW:
        what = "a run needs 25 minutes to install and restart" if duration < LEAST_RUN else "Azure asks for 01:30"
        message = f"Its window is {view.configuration.window.duration} long, and {what}."
        yield _finding(view, "window-too-short", Severity.WARNS, message, "Give it 01:30 to 03:55.")
    if (view.configuration.patch_mode or "").casefold() == "platform":
        message = "Its InGuestPatchMode is Platform, and Microsoft does not say what that does to a schedule."
        fix = "Write it anew with InGuestPatchMode User (patchmode schedule create … --replace)."
        yield _finding(view, "platform-mode-schedule", Severity.WARNS, message, fix)
    if following.window is not None and following.window.starts_at - now < TOO_CLOSE:
        minutes = max(0, int((following.window.starts_at - now).total_seconds() // 60))
        message = f"Its next window starts in {minutes} minutes; a change now may not count for it."
        fix = "Make changes at least 15 minutes before a window."
        yield _finding(view, "window-too-close", Severity.WARNS, message, fix)


def _of_members(view: ScheduleView) -> Iterator[ScheduleFinding]:
    groups: dict[tuple[str, RunForecast], list[Member]] = defaultdict(list)
    doubts: dict[str, list[Member]] = defaultdict(list)
    for member in view.members:
        if not member.is_certain:
            doubts[member.hit.doubt_rule or "unknown-filter-member"].append(member)
        elif member.forecast.rule is not None and member.forecast.result is not RunForecast.RUNS:
            groups[member.forecast.rule, member.forecast.result].append(member)
    for (rule, result), members in sorted(groups.items()):
        if rule == view.next.rule:
            continue  # said once, of the configuration
        severity = Severity.NOTES if result is RunForecast.UNKNOWN else Severity.WARNS
        yield _of_group(
            view, rule, severity, members, _sentence("; ".join(dict.fromkeys(one.forecast.reason for one in members)))
        )
    for rule, members in sorted(doubts.items()):
        yield _of_group(view, rule, Severity.NOTES, members, _sentence(members[0].hit.doubt or ""))


def _of_group(
    view: ScheduleView, rule: str, severity: Severity, members: Sequence[Member], message: str
) -> ScheduleFinding:
    return ScheduleFinding(
        rule,
        severity,
        message,
        _fix_of(rule, view),
        str(view.configuration.id),
        tuple(str(member.machine.id) for member in members),
        f"{len(members)} of {len(view.members)} members",
    )


def _fix_of(rule: str, view: ScheduleView) -> str:
    fixes = {
        "prerequisite-missing": f"patchmode apply --schedule {view.configuration.id}",
        "off-at-window": "Start them at least 15 minutes before the window, or accept that they are missed.",
        "tag-case": "Write the tag and the filter in the same case.",
        "unknown-filter-member": "Look at the members in the portal; this version cannot evaluate that filter.",
    }
    return fixes.get(rule, "patchmode explain tells more of a machine.")


def book_findings(
    book: ScheduleBook, machines: Mapping[ResourceId, Machine], *, seen: frozenset[str]
) -> Iterator[ScheduleFinding]:
    """Assignments whose machine or configuration is not there.

    Args:
        book: every assignment.
        machines: every machine that can be seen.
        seen: subscriptions (lower case) whose machines were read whole; of others nothing is concluded.
    """
    known = {configuration.id for configuration in book.configurations}
    by_name: dict[str, list[Machine]] = defaultdict(list)
    for machine in machines.values():
        by_name[machine.name.casefold()].append(machine)
    missing: dict[ResourceId, list[str]] = defaultdict(list)
    for assignment in book.assignments:
        if assignment.machine not in machines and assignment.machine.subscription_id in seen:
            yield _orphan(assignment, by_name[assignment.machine.name.casefold()])
        if assignment.configuration not in known:
            missing[assignment.configuration].append(str(assignment.machine))
    for scope in book.dynamic_scopes:
        if scope.configuration not in known:
            missing[scope.configuration].append(scope.place)
    for configuration, subjects in sorted(missing.items()):
        yield _missing(configuration, subjects, is_visible=configuration.subscription_id in book.visible)


def _orphan(assignment: ConfigurationAssignment, namesakes: Sequence[Machine]) -> ScheduleFinding:
    detach = f"patchmode schedule detach {assignment.configuration} --ids {assignment.machine}"
    message = f"The assignment {assignment.name} names {assignment.machine}, which is not there: moved, or deleted."
    if namesakes:
        message += f" A machine of that name stands at {namesakes[0].id}."
        fix = (
            f"If it is the same: patchmode schedule attach {assignment.configuration} --ids {namesakes[0].id}; {detach}"
        )
    else:
        fix = detach
    return ScheduleFinding(
        "assignment-orphaned", Severity.WARNS, message, fix, str(assignment.configuration), (str(assignment.machine),)
    )


def _missing(configuration: ResourceId, subjects: Sequence[str], *, is_visible: bool) -> ScheduleFinding:
    if is_visible:
        message = f"Assignments name {configuration}, which does not exist, so they do nothing."
        fix = "Detach it (patchmode schedule detach), or create it anew under the same name and group."
        return ScheduleFinding(
            "configuration-missing", Severity.WARNS, message, fix, str(configuration), tuple(subjects)
        )
    message = f"Assignments name {configuration}, which stands where you cannot read: its windows are not known."
    fix = "Ask for Reader on that subscription."
    return ScheduleFinding("configuration-unseen", Severity.NOTES, message, fix, str(configuration), tuple(subjects))


def overlap_findings(views: Iterable[ScheduleView]) -> Iterator[ScheduleFinding]:
    """Pairs of configurations whose next windows overlap on machines that both reach.

    Source: the troubleshooting articles: of two with the same start and the same updates one fires; of overlapping ones
    the second waits for the first.
    """
    by_machine: dict[ResourceId, list[ScheduleHit]] = defaultdict(list)
    by_id: dict[ResourceId, ScheduleView] = {}
    for view in views:
        by_id[view.configuration.id] = view
        if view.next.window is not None:
            for member in view.members:
                if member.is_certain:
                    by_machine[member.machine.id].append(member.hit)
    pairs: dict[tuple[ResourceId, ResourceId], list[str]] = defaultdict(list)
    for machine, hits in by_machine.items():
        for left, right in combinations(sorted(hits, key=lambda hit: hit.configuration), 2):
            pairs[left.configuration, right.configuration].append(str(machine))
    for (left_id, right_id), machines in sorted(pairs.items()):
        yield from _overlap(by_id[left_id], by_id[right_id], machines)


def _overlap(left: ScheduleView, right: ScheduleView, machines: Sequence[str]) -> Iterator[ScheduleFinding]:
    one, other = left.next.window, right.next.window
    if one is None or other is None or one.starts_at >= other.ends_at or other.starts_at >= one.ends_at:
        return
    names = f"{left.configuration.name} and {right.configuration.name}"
    rule, message = "schedules-overlap", f"{names} overlap on these machines: the later one waits for the other."
    if one.starts_at == other.starts_at and _installs(left) == _installs(right):
        rule = "schedules-same-trigger"
        message = f"{names} start together with the same settings: Azure runs only one of them on these machines."
    fix = "Move one of them, or detach one from these machines."
    ids = str(left.configuration.id), str(right.configuration.id)
    yield ScheduleFinding(rule, Severity.WARNS, message, fix, ids[0], tuple(machines), f"the other is {ids[1]}")


def _installs(view: ScheduleView) -> object:
    return view.configuration.properties.get("installPatches")


def _finding(view: ScheduleView, rule: str, severity: Severity, message: str, fix: str) -> ScheduleFinding:
    return ScheduleFinding(rule, severity, message, fix, str(view.configuration.id))


def _sentence(text: str) -> str:
    stripped = text.strip().rstrip(".")
    return f"{stripped[:1].upper()}{stripped[1:]}." if stripped else ""
