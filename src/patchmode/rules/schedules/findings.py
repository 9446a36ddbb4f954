"""What is wrong with one configuration, its assignments and its members, and with several of them together.

Must not: read anything, or repeat what the limits say.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations
from shlex import quote

from patchmode.model.finding import Severity
from patchmode.model.machine import Lock, Machine
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.report import Member, ScheduleFinding, ScheduleView
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import (
    ConfigurationAssignment,
    DynamicScope,
    RunForecast,
    ScheduleBook,
    Timing,
    local_text,
)
from patchmode.rules.rule import NOTES, WARNS, Rule, by_id
from patchmode.rules.schedules import recurrence
from patchmode.rules.schedules import window as window_rules
from patchmode.rules.schedules.attaching import PREREQUISITE_MISSING, delete_lock
from patchmode.rules.schedules.dynamic_scope import TAG_CASE, UNKNOWN_FILTER_MEMBER
from patchmode.rules.schedules.events import MAY_BE_STARTED, OFF_AT_WINDOW, WINDOW_TOO_CLOSE, too_close
from patchmode.rules.schedules.limits import DYNAMIC_SCOPE_LIMIT
from patchmode.rules.schedules.memberships import (
    CONFIGURATION_MISSING,
    CONFIGURATION_UNSEEN,
    PLATFORM_MODE_SCHEDULE,
    Clash,
    ScheduleIndex,
)
from patchmode.rules.schedules.recurrence import LONGEST, RECURRENCE_UNCONFIRMED, WINDOW_TOO_LONG, WINDOW_TOO_SHORT
from patchmode.rules.schedules.window import (
    SCHEDULE_INSTALLS_NOTHING,
    UNREADABLE_RECURRENCE,
    duration_of,
    has_expiration,
    names_nothing_for,
)

LEAST_WINDOW = timedelta(hours=1, minutes=30)
LEAST_RUN = timedelta(minutes=25)
"""Source: the troubleshooting article: 15 minutes to install, 10 to restart."""
_FOREVER_BAD = {Timing.OVER, Timing.NEVER, Timing.UNREADABLE}
_ANEW = "Rewrite its window with `schedule update`."


def view_findings(view: ScheduleView, *, now: datetime) -> Iterator[ScheduleFinding]:
    """What one configuration's window and members say, without its limits.

    Args:
        view: with its members; its own `findings` are not looked at.
        now: aware.
    """
    yield from _of_window(view, now)
    yield from _of_wait(view)
    yield from _of_members(view)
    if not view.members:
        delete = f"patchmode schedule delete {quote(str(view.configuration.id))}"
        fix = f"Attach it to machines (`patchmode schedule attach --help` shows how), or delete it:\n{delete}"
        yield _finding(view, SCHEDULE_HITS_NOTHING, Severity.WARNS, "It reaches no machine that you can see.", fix)


def _of_window(view: ScheduleView, now: datetime) -> Iterator[ScheduleFinding]:
    following = view.next
    # What else the index marks a coming window with is told below, of the configuration as it is written.
    if following.timing in _FOREVER_BAD or following.rule == RECURRENCE_UNCONFIRMED.id:
        rule = _OF_WINDOWS.get(following.rule or "", UNREADABLE_RECURRENCE)
        fix = _ANEW if following.timing is Timing.UNREADABLE else rule.schedule_advice
        yield _finding(view, rule, Severity.WARNS, _sentence(following.because), fix)
    duration = duration_of(view.configuration.window.duration)
    if duration is not None and duration < LEAST_WINDOW:
        what = "a run needs 25 minutes to install and restart" if duration < LEAST_RUN else "Azure asks for 01:30"
        message = f"Its window is {view.configuration.window.duration} long, and {what}."
        yield _finding(view, WINDOW_TOO_SHORT, Severity.WARNS, message)
    if duration is not None and duration > LONGEST:
        message = f"Its window is {view.configuration.window.duration} long, and Azure now accepts 03:55 at most."
        yield _finding(view, WINDOW_TOO_LONG, Severity.NOTES, message)
    if view.configuration.window.expiration is not None and not has_expiration(view.configuration.window):
        message = "Its expirationDateTime is an empty text. It is read as never expiring, which no source confirms."
        yield _finding(view, EXPIRATION_EMPTY, Severity.NOTES, message)
    yield from _of_contents(view)
    yield from _of_mode(view)
    soon = None if following.window is None else too_close(following.window.starts_at, now, view.events)
    if soon is not None:
        yield _finding(view, WINDOW_TOO_CLOSE, Severity.WARNS, f"Its next window starts in {soon}.")


def _is_idle(view: ScheduleView) -> bool:
    """Whether the configuration itself is told to name nothing, so that its members need not be."""
    return len(names_nothing_for(view.configuration.properties)) == len(OperatingSystem)


def _of_contents(view: ScheduleView) -> Iterator[ScheduleFinding]:
    """Where it names updates for no system at all; for one of them alone its members of that system are told."""
    if _is_idle(view):
        idle = names_nothing_for(view.configuration.properties)
        message = f"{_sentence('; '.join(idle.values()))} What Azure then installs is not documented: perhaps nothing."
        yield _finding(view, SCHEDULE_INSTALLS_NOTHING, Severity.WARNS, message)


def _of_mode(view: ScheduleView) -> Iterator[ScheduleFinding]:
    """Where Azure may choose the updates, or another thing that no source names."""
    mode = view.configuration.patch_mode or "User"
    if mode.casefold() != "user":
        is_platform = mode.casefold() == "platform"
        which = "belongs to hotpatching, where Azure chooses the updates" if is_platform else "is not User"
        message = (
            f"Its InGuestPatchMode is {mode}, which {which}. What it does to a machine on Customer Managed Schedules "
            "is not documented."
        )
        yield _finding(view, PLATFORM_MODE_SCHEDULE, Severity.WARNS, message)


def _of_wait(view: ScheduleView) -> Iterator[ScheduleFinding]:
    """A window so far away that updates of more than a month wait for it."""
    following = view.next
    if following.window is None or following.wait_days is None:
        return
    when = local_text(following.window.local_start)
    if following.begins_late:
        message = f"It begins on {when}, in {following.wait_days:,} days: until then it patches nothing."
        fix = "If that is not meant, give it an earlier start with `schedule update --start`."
        yield _finding(view, NEXT_WINDOW_FAR, Severity.WARNS, message, fix)
    else:
        message = f"Its next window is on {when}, in {following.wait_days:,} days; it repeats that rarely."
        fix = "Nothing to do if that is meant; --longest-wait sets what counts as long."
        yield _finding(view, NEXT_WINDOW_FAR, Severity.NOTES, message, fix)


def _of_members(view: ScheduleView) -> Iterator[ScheduleFinding]:
    groups: dict[tuple[str, RunForecast], list[Member]] = defaultdict(list)
    doubts: dict[str, list[Member]] = defaultdict(list)
    for member in view.members:
        if not member.is_certain:
            doubts[member.hit.doubt_rule or UNKNOWN_FILTER_MEMBER.id].append(member)
        elif member.forecast.rule is not None and member.forecast.result is not RunForecast.RUNS:
            groups[member.forecast.rule, member.forecast.result].append(member)
    for (rule, result), members in sorted(groups.items()):
        if rule == view.next.rule or (rule == SCHEDULE_INSTALLS_NOTHING.id and _is_idle(view)):
            continue  # said once, of the configuration
        is_told = result is not RunForecast.UNKNOWN or rule == SCHEDULE_INSTALLS_NOTHING.id
        severity = Severity.WARNS if is_told else Severity.NOTES
        found = _of_group(view, rule, severity, members, _together([one.forecast.reason for one in members]))
        may_be_started = rule == OFF_AT_WINDOW.id and result is RunForecast.UNKNOWN
        yield replace(found, fix=MAY_BE_STARTED) if may_be_started else found
    for rule, members in sorted(doubts.items()):
        yield _of_group(view, rule, Severity.NOTES, members, _together([one.hit.doubt or "" for one in members]))
    twice = [member for member in view.members if member.is_certain and member.hit.also]
    if twice:
        message = "Several assignments or dynamic scopes name it for the same machine; it still runs once there."
        yield _of_group(view, ASSIGNED_TWICE.id, Severity.NOTES, twice, message)


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
    if rule == PREREQUISITE_MISSING.id:
        return f"patchmode apply --schedule {quote(str(view.configuration.id))}"
    known = _OF_MEMBERS.get(rule)
    if known is not None:
        return known.schedule_advice
    return f"See more of its members:\npatchmode audit --schedule {quote(str(view.configuration.id))}"


def book_findings(
    book: ScheduleBook, machines: Mapping[ResourceId, Machine], *, seen: frozenset[str], locks: Sequence[Lock] = ()
) -> Iterator[ScheduleFinding]:
    """Assignments whose machine or configuration is not there.

    Args:
        book: every assignment.
        machines: every machine that can be seen.
        seen: subscriptions (lower case) whose machines were read whole; of others nothing is concluded.
        locks: where something is advised to be detached; one that refuses it is told with the advice.
    """
    known = {configuration.id for configuration in book.configurations}
    by_name: dict[str, list[Machine]] = defaultdict(list)
    for machine in machines.values():
        by_name[machine.name.casefold()].append(machine)
    missing: dict[ResourceId, tuple[list[str], list[DynamicScope]]] = defaultdict(lambda: ([], []))
    for assignment in book.assignments:
        if assignment.machine not in machines and assignment.machine.subscription_id in seen:
            yield _orphan(assignment, by_name[assignment.machine.name.casefold()], locks)
        if assignment.configuration not in known:
            missing[assignment.configuration][0].append(str(assignment.machine))
    for scope in book.dynamic_scopes:
        if scope.configuration not in known:
            missing[scope.configuration][1].append(scope)
    for configuration, (ids, scopes) in sorted(missing.items()):
        found = _missing(configuration, ids, scopes, is_visible=configuration.subscription_id in book.visible)
        places = (*ids, *(scope.place for scope in scopes))
        yield replace(found, fix=_unlocked(found.fix, places, locks)) if found.severity is Severity.WARNS else found


def _unlocked(fix: str, places: Iterable[str], locks: Sequence[Lock]) -> str:
    """The advice, with what has to be done first where a lock refuses to delete what it advises to detach."""
    refusals = (delete_lock(locks, place) for place in places)
    told = dict.fromkeys(one.message for one in refusals if one is not None)
    return "\n".join((*told, "Have the lock's owner remove it for the change first:", fix)) if told else fix


def _orphan(
    assignment: ConfigurationAssignment, namesakes: Sequence[Machine], locks: Sequence[Lock]
) -> ScheduleFinding:
    configuration = quote(str(assignment.configuration))
    detach = f"patchmode schedule detach {configuration} --ids {quote(str(assignment.machine))}"
    message = f"The assignment {assignment.name} names {assignment.machine}, which is not there: moved or deleted."
    if namesakes:
        message += f" A machine of that name is at {namesakes[0].id}."
        attach = f"patchmode schedule attach {configuration} --ids {quote(str(namesakes[0].id))}"
        fix = f"If it is the same:\n{attach}\n{detach}"
    else:
        fix = detach
    fix = _unlocked(fix, [str(assignment.machine)], locks)
    return ScheduleFinding(
        ASSIGNMENT_ORPHANED.id,
        Severity.WARNS,
        message,
        fix,
        str(assignment.configuration),
        (str(assignment.machine),),
    )


def _missing(
    configuration: ResourceId, machines: Sequence[str], scopes: Sequence[DynamicScope], *, is_visible: bool
) -> ScheduleFinding:
    subjects = (*machines, *(scope.place for scope in scopes))
    if is_visible:
        message = f"Assignments name {configuration}, which does not exist, so they do nothing."
        detach = f"patchmode schedule detach {quote(str(configuration))}"
        commands = [f"{detach} --ids {' '.join(map(quote, machines))}"] if machines else []
        commands += [f"{detach} --dynamic {quote(scope.name)} {_selectors(scope)}" for scope in scopes]
        fix = "\n".join(("Recreate it under the same name and group, or detach it:", *commands))
        return ScheduleFinding(CONFIGURATION_MISSING.id, Severity.WARNS, message, fix, str(configuration), subjects)
    message = f"Assignments name {configuration}, which is where you cannot read: its windows are not known."
    fix = "Ask for Reader on that subscription."
    return ScheduleFinding(CONFIGURATION_UNSEEN.id, Severity.NOTES, message, fix, str(configuration), subjects)


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
    rule = SCHEDULES_OVERLAP
    message = f"{names} overlap on these machines, {when}: the later one waits for the other."
    if clash.same_trigger:
        rule = SCHEDULES_SAME_TRIGGER
        message = (
            f"{names} start together with the same settings, {when}: Azure runs only one of them on these machines."
        )
    other = f"the other is {right}"
    return ScheduleFinding(rule.id, Severity.WARNS, message, rule.schedule_advice, str(left), tuple(machines), other)


def _finding(view: ScheduleView, rule: Rule, severity: Severity, message: str, fix: str = "") -> ScheduleFinding:
    """`fix`: where this finding has a remedy of its own."""
    return ScheduleFinding(rule.id, severity, message, fix or rule.schedule_advice, str(view.configuration.id))


def _sentence(text: str) -> str:
    stripped = text.strip().rstrip(".")
    return f"{stripped[:1].upper()}{stripped[1:]}." if stripped else ""


# ------------------------------------------------------------------------------------------------ rules

NEXT_WINDOW_FAR = Rule(
    "next-window-far",
    "no window comes for weeks, and nothing patches it until then",
    (*WARNS, *NOTES),
    """
    What: The earliest window of all the schedules that reach the machine is farther away than `--longest-wait` (45
    days).
    Severity: Warns where the schedule begins then and repeats more often afterwards; notes where it repeats as rarely
    as that, for example once or twice a year.
    Why: Nothing patches the machine before: the outcome is `scheduled`, and it is shown for how many days nobody
    patches.
    Evidence: The start of the next window, in the schedule's own time.
    Fix: If that is not meant, give the schedule an earlier start, or attach another one.
    Source: Microsoft releases security updates monthly; 45 days leave two weeks for a window after a release. The
    number is ours, not Azure's.
    """,
)

EXPIRATION_EMPTY = Rule(
    "expiration-empty",
    "the schedule's expiration is an empty text",
    NOTES,
    """
    What: `expirationDateTime` of the schedule is an empty text.
    Severity: Notes.
    Why: patchmode treats it as an absent one: the schedule never expires. No source confirms that Azure does the same.
    Evidence: The members of `maintenanceWindow`.
    Fix: Check in the portal whether the schedule still runs, or set the expiration again.
    Source: None: no document and no recorded exchange has an empty expiration.
    """,
    schedule_fix="Check in the portal whether it still runs, or set the expiration again.",
)

_APART = "Change the start of one of them, or detach one from these machines."
SCHEDULES_SAME_TRIGGER = Rule(
    "schedules-same-trigger",
    "two schedules start at the same time: Azure runs only one",
    WARNS,
    """
    What: Windows of two schedules on the machine start at the same time, and both install the same.
    Severity: Warns; windows of the next 92 days are compared.
    Why: Only one of them runs.
    Evidence: Both windows, in UTC.
    Fix: Detach one of them, or change the start of one.
    Source: Azure's documentation "Troubleshoot maintenance configurations".
    """,
    schedule_fix=_APART,
)

SCHEDULES_OVERLAP = Rule(
    "schedules-overlap",
    "windows of two schedules overlap",
    WARNS,
    """
    What: Windows of two schedules on the machine overlap.
    Severity: Warns; windows of the next 92 days are compared.
    Why: They run one after the other, and the later one may not have enough time.
    Evidence: Both windows, in UTC.
    Fix: Change the start of one of them, or detach it from this machine.
    Source: "Troubleshoot issues with Azure Update Manager".
    """,
    schedule_fix=_APART,
)

ASSIGNED_TWICE = Rule(
    "assigned-twice",
    "two assignments name the same schedule for the machine",
    NOTES,
    """
    What: Several assignments or dynamic scopes name the same schedule for this machine.
    Severity: Notes.
    Why: The schedule still runs once. Detaching one assignment leaves the others.
    Evidence: Every clause by which it reaches the machine.
    Fix: Nothing to do, if you know of them.
    Source: Azure's documentation of dynamic scoping: members are worked out for each run of a configuration.
    """,
    machine_fix="Nothing to do, but detaching one of them would not detach the schedule.",
    schedule_fix="Nothing to do; a detach deletes only one, so the schedule is still attached.",
)

ASSIGNMENT_ORPHANED = Rule(
    "assignment-orphaned",
    "the assignment's machine was moved or deleted",
    (*WARNS, *NOTES),
    """
    What: An assignment is on a machine that was moved or deleted.
    Severity: Warns in `schedule check` and `schedule show`; notes in `audit` and `explain` on a machine without an
    assignment whose name exactly one such place has, as far as the subscriptions of the machines read show it.
    Why: It does nothing, and the machine at its new place has no schedule.
    Evidence: The assignment's machine id.
    Fix: Detach it, and attach the schedule to the machine where it is now.
    Source: "Troubleshoot issues with Azure Update Manager".
    """,
)

RULES = (SCHEDULES_SAME_TRIGGER, SCHEDULES_OVERLAP, ASSIGNED_TWICE, ASSIGNMENT_ORPHANED)

SCHEDULE_HITS_NOTHING = Rule(
    "schedule-hits-nothing",
    "the configuration reaches no machine",
    WARNS,
    """
    What: Neither an assignment nor a dynamic scope of the configuration reaches a machine that you can see.
    Severity: Warns in `schedule check` and `schedule show`.
    Why: It runs and patches nothing, or it patches machines that you cannot see.
    Evidence: The configuration's assignments and dynamic scopes.
    Fix: Attach it, or delete it.
    Source: The rule is patchmode's own.
    """,
    schedule_fix="Attach it with `schedule attach`, or delete it.",
)

_OF_WINDOWS = by_id(*window_rules.RULES, *recurrence.RULES)
_OF_MEMBERS = by_id(
    SCHEDULE_INSTALLS_NOTHING, OFF_AT_WINDOW, TAG_CASE, UNKNOWN_FILTER_MEMBER, DYNAMIC_SCOPE_LIMIT, ASSIGNED_TWICE
)
