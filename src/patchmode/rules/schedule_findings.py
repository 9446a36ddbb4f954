"""What is wrong with one configuration, its assignments and its members, and with several of them together.

Must not: read anything, or repeat what the limits say.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from shlex import quote

from patchmode.model.finding import Severity
from patchmode.model.machine import Machine
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    ConfigurationAssignment,
    DynamicScope,
    RunForecast,
    ScheduleBook,
    Timing,
)
from patchmode.model.schedule_view import Member, ScheduleFinding, ScheduleView
from patchmode.rules.memberships import Clash, ScheduleIndex
from patchmode.rules.schedule_limits import SCOPE_LIMIT
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
        yield _of_group(view, rule, severity, members, _together([one.forecast.reason for one in members]))
    for rule, members in sorted(doubts.items()):
        yield _of_group(view, rule, Severity.NOTES, members, _together([one.hit.doubt or "" for one in members]))
    twice = [member for member in view.members if member.is_certain and member.hit.also]
    if twice:
        message = "Several assignments or dynamic scopes name it for the same machine; it still runs once there."
        yield _of_group(view, "assigned-twice", Severity.NOTES, twice, message)


def _together(reasons: Sequence[str]) -> str:
    """Several members' reasons as one sentence: what they share once, then each with how many it holds for."""
    counted = Counter(reasons).most_common()
    head, colon, _ = counted[0][0].partition(": ")
    if len(counted) == 1:
        return _sentence(counted[0][0])
    shared = f"{head}{colon}" if colon and all(reason.startswith(f"{head}: ") for reason, _ in counted) else ""
    return _sentence(shared + "; ".join(f"{reason.removeprefix(shared)} ({count:,})" for reason, count in counted))


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
        "prerequisite-missing": f"patchmode apply --schedule {quote(str(view.configuration.id))}",
        "off-at-window": "Start them at least 15 minutes before the window, or accept that they are missed.",
        "tag-case": "Write the tag and the filter in the same case.",
        "unknown-filter-member": "Look at the members in the portal; this version cannot evaluate that filter.",
        SCOPE_LIMIT: "Narrow the filter, and add a second dynamic scope for the rest.",
        "assigned-twice": "Nothing to do; a detach leaves the others, and the schedule with them.",
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
    missing: dict[ResourceId, tuple[list[str], list[DynamicScope]]] = defaultdict(lambda: ([], []))
    for assignment in book.assignments:
        if assignment.machine not in machines and assignment.machine.subscription_id in seen:
            yield _orphan(assignment, by_name[assignment.machine.name.casefold()])
        if assignment.configuration not in known:
            missing[assignment.configuration][0].append(str(assignment.machine))
    for scope in book.dynamic_scopes:
        if scope.configuration not in known:
            missing[scope.configuration][1].append(scope)
    for configuration, (ids, scopes) in sorted(missing.items()):
        yield _missing(configuration, ids, scopes, is_visible=configuration.subscription_id in book.visible)


def _orphan(assignment: ConfigurationAssignment, namesakes: Sequence[Machine]) -> ScheduleFinding:
    configuration = quote(str(assignment.configuration))
    detach = f"patchmode schedule detach {configuration} --ids {quote(str(assignment.machine))}"
    message = (
        f"The assignment {assignment.name} names {_short(assignment.machine)}, which is not there: moved or deleted."
    )
    if namesakes:
        message += f" A machine of that name stands at {_short(namesakes[0].id)}."
        attach = f"patchmode schedule attach {configuration} --ids {quote(str(namesakes[0].id))}"
        fix = f"If it is the same:\n{attach}\n{detach}"
    else:
        fix = detach
    return ScheduleFinding(
        "assignment-orphaned", Severity.WARNS, message, fix, str(assignment.configuration), (str(assignment.machine),)
    )


def _missing(
    configuration: ResourceId, machines: Sequence[str], scopes: Sequence[DynamicScope], *, is_visible: bool
) -> ScheduleFinding:
    subjects = (*machines, *(scope.place for scope in scopes))
    if is_visible:
        message = f"Assignments name {_short(configuration)}, which does not exist, so they do nothing."
        detach = f"patchmode schedule detach {quote(str(configuration))}"
        commands = [f"{detach} --ids {' '.join(map(quote, machines))}"] if machines else []
        commands += [f"{detach} --dynamic {quote(scope.name)} {_selectors(scope)}" for scope in scopes]
        fix = "\n".join(("Create it anew under the same name and group, or detach it:", *commands))
        return ScheduleFinding("configuration-missing", Severity.WARNS, message, fix, str(configuration), subjects)
    message = f"Assignments name {configuration}, which stands where you cannot read: its windows are not known."
    fix = "Ask for Reader on that subscription."
    return ScheduleFinding("configuration-unseen", Severity.NOTES, message, fix, str(configuration), subjects)


def _selectors(scope: DynamicScope) -> str:
    """The options that name a dynamic scope's place."""
    group = f" --resource-group {quote(scope.resource_group)}" if scope.resource_group else ""
    return f"--subscription {scope.subscription_id}{group}"


def overlap_findings(views: Iterable[ScheduleView], index: ScheduleIndex) -> Iterator[ScheduleFinding]:
    """Pairs of configurations with windows that overlap on machines that both reach.

    Args:
        views: with their members.
        index: says which windows of the next 92 days meet.

    Source: the troubleshooting articles: of two with the same start and the same updates one fires; of overlapping ones
    the second waits for the first.
    """
    pairs: dict[tuple[ResourceId, ResourceId], list[ResourceId]] = defaultdict(list)
    for together, machines in _sets_of(views).items():
        for pair in combinations(together, 2):
            if index.clash(*pair) is not None:
                pairs[pair] += machines
    for pair, machines in sorted(pairs.items()):
        clash = index.clash(*pair)
        assert clash is not None  # noqa: S101 - only such pairs were kept
        yield _overlap(*pair, clash, [str(machine) for machine in sorted(machines)])


def _sets_of(views: Iterable[ScheduleView]) -> dict[tuple[ResourceId, ...], list[ResourceId]]:
    """Sets of coming configurations, by id, that reach the same machines: most machines share a few."""
    by_machine: dict[ResourceId, list[ResourceId]] = defaultdict(list)
    for view in sorted(views, key=lambda view: view.configuration.id):
        if view.next.timing is Timing.COMING:
            for member in view.members:
                if member.is_certain:
                    by_machine[member.machine.id].append(view.configuration.id)
    by_set: dict[tuple[ResourceId, ...], list[ResourceId]] = defaultdict(list)
    for machine, configurations in by_machine.items():
        if len(configurations) > 1:
            by_set[tuple(configurations)].append(machine)
    return by_set


def _overlap(left: ResourceId, right: ResourceId, clash: Clash, machines: Sequence[str]) -> ScheduleFinding:
    names = f"{left.name} and {right.name}"
    first = min(clash.first.starts_at, clash.second.starts_at)
    when = f"for the first time in the window that starts {first:%Y-%m-%d %H:%M} UTC"
    rule, message = (
        "schedules-overlap",
        f"{names} overlap on these machines, {when}: the later one waits for the other.",
    )
    if clash.same_trigger:
        rule = "schedules-same-trigger"
        message = (
            f"{names} start together with the same settings, {when}: Azure runs only one of them on these machines."
        )
    fix = "Move one of them, or detach one from these machines."
    return ScheduleFinding(rule, Severity.WARNS, message, fix, str(left), tuple(machines), f"the other is {right}")


def _finding(view: ScheduleView, rule: str, severity: Severity, message: str, fix: str) -> ScheduleFinding:
    return ScheduleFinding(rule, severity, message, fix, str(view.configuration.id))


def _short(identifier: ResourceId) -> str:
    """What a person calls a resource; its id stands in the finding's own members."""
    return f"{identifier.resource_group}/{identifier.name}"


def _sentence(text: str) -> str:
    stripped = text.strip().rstrip(".")
    return f"{stripped[:1].upper()}{stripped[1:]}." if stripped else ""
