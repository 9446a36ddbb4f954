"""A remediation task for people: what would be started, and what came of it."""

from collections import Counter
from collections.abc import Iterator

from patchmode.model.policy import BuiltIn, PolicyState, RemediationDraft, RemediationReport, RemediationTask
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import Paint, name_lines, plural, target_text, wrapped
from patchmode.reports.text.next_steps import command
from patchmode.reports.text.policy import TITLES, place_text

_EFFECTS = {
    PolicyState.NON_COMPLIANT: "would be changed",
    PolicyState.COMPLIANT: "already as the definition asks",
    PolicyState.MISSED: "not selected by the definition",
    PolicyState.EXEMPT: "exempt",
    PolicyState.EXCLUDED: "left out by the assignment",
    PolicyState.NOT_ENFORCED: "not changed, because the assignment does not enforce it",
    PolicyState.NOT_APPLICABLE: "of another type",
    PolicyState.UNKNOWN: "not known",
}
_NAMED = (PolicyState.NON_COMPLIANT, PolicyState.UNKNOWN)
_AGE = (
    "! Azure takes the machines that its own last evaluation found not compliant. It is repeated about once a day, so "
    "that these may be others than above; an assignment that is new may not be evaluated yet. --re-evaluate has Azure "
    "evaluate first."
)
_AGE_AT_GROUP = (
    "! Azure takes the machines that its own last evaluation found not compliant. It is repeated about once a day, so "
    "that these may be others than above; an assignment that is new may not be evaluated yet."
)
_CAUSES = {
    "authorizationfailed": "The assignment's managed identity lacks a role there. `patchmode policy assign` with the "
    "same place, name and parameters gives it the roles that it needs; then start another task.",
    "linkedauthorizationfailed": "The assignment's managed identity may not read something that the machine refers to, "
    "such as its gallery image. Give it a role there; then start another task.",
    "scopelocked": "A lock refuses every write there: have its owner remove it, or exempt the machine.",
    "denyassignmentauthorizationfailed": "A deny assignment refuses every write there: exempt the machine.",
}
"""Code in lower case → what is to be done. Others are told as Azure words them."""
_AGAIN = "Azure evaluates the machines again before it starts; what it finds may differ from the above."


def remediation_draft_lines(drafted: RemediationDraft, *, paint: Paint) -> Iterator[str]:
    """What would be started, and what the definition says of the machines now."""
    wish = drafted.wish
    names = MachineNames.of(drafted.target, [*drafted.states, wish.scope])
    title = f"{wish.name}: a remediation task of {wish.assignment_id.rsplit('/', 1)[-1]}"
    yield f"{paint('add', '+')} {paint('strong', title)}"
    about = f"{drafted.policy.value}: {TITLES[drafted.policy]}; at {place_text(wish.scope, names)}"
    yield from wrapped(about, paint=paint, indent=4)
    if drafted.count:
        most = f"+ at most {plural(drafted.count, 'machine')}, {wish.parallel} at a time"
        yield from wrapped(f"{most}; {_threshold(wish.threshold)}", paint=paint, indent=4, hang=6)
    yield ""
    yield f"By the definition and the machines as they are now ({len(drafted.states):,} in its scope):"
    states = Counter(drafted.states.values())
    for state, words in _EFFECTS.items():
        if states[state]:
            number = f"{states[state]:,}"
            yield from wrapped(f"{number}  {words}", paint=paint, indent=max(0, 6 - len(number)), hang=8)
        if states[state] and state in _NAMED:
            members = [names.short(one) for one, found in drafted.states.items() if found is state]
            yield from name_lines(members, paint=paint, indent=8)
    if drafted.unreadable:
        yield paint("warn", f"{drafted.unreadable:>6,}  could not be read")
    if drafted.count:
        is_at_group = wish.scope.lower().startswith("/providers/")
        told = _AGAIN if wish.re_evaluate else _AGE_AT_GROUP if is_at_group else _AGE
        yield from wrapped(told, paint=paint, hang=2)
        yield from wrapped(
            "! There is no undo: neither the task nor patchmode keeps the values of before. Machines that a rule of "
            "patchmode blocks are changed too, unless they are exempt.",
            paint=paint,
            hang=2,
        )


def _threshold(percent: int) -> str:
    if percent == 100:
        return "failures do not stop it"
    return f"Azure stops it when more than {percent} % of them failed"


def task_text(task: RemediationTask) -> str:
    """How far a task is."""
    done = task.succeeded + task.failed
    failed = f", {task.failed:,} failed" if task.failed else ""
    return f"{task.state}: {done:,} of {plural(task.total, 'machine')} done{failed}."


def remediation_lines(report: RemediationReport, *, paint: Paint) -> Iterator[str]:
    """The lines of a task, without line feeds."""
    drafted, task = report.draft, report.task
    names = MachineNames.of(drafted.target, [*drafted.states, *(one.id for one in report.machines)])
    if report.failed:
        yield paint("bad", f"Not changed ({len(report.failed):,}):")
        yield from _failures(report, names, paint)
        yield ""
    if report.unended:
        yield paint(
            "bad",
            f"Begun, and not known how {'it' if len(report.unended) == 1 else 'they'} ended ({len(report.unended):,}):",
        )
        yield from name_lines([names.short(one.id) for one in report.unended], paint=paint, indent=4)
        yield ""
    if report.left:
        count = plural(len(report.left), "machine")
        yield paint("warn", f"Not taken, though the definition would change {_it(len(report.left))} ({count}):")
        yield from name_lines([names.short(one) for one in report.left], paint=paint, indent=4)
        yield from wrapped(_why_left(report), paint=paint, indent=4)
        yield ""
    for line in wrapped(_sentence(report), paint=paint, hang=4):
        yield paint(_meaning(report), line)
    if task is not None and task.message:
        yield from wrapped(f"Azure says: {task.message}", paint=paint, hang=4)
    if report.problem:
        yield from wrapped(f"! What came of it is not known: {report.problem}", paint=paint, hang=2)


def _failures(report: RemediationReport, names: MachineNames, paint: Paint) -> Iterator[str]:
    """Each error once with all its machines, and what it says of the assignment's identity."""
    by_error: dict[tuple[str, str], list[str]] = {}
    for one in report.failed:
        by_error.setdefault((one.code, one.message), []).append(names.short(one.id))
    for (code, message), members in by_error.items():
        said = ": ".join(filter(None, (code, message))) or "Azure names no error."
        yield from wrapped(said, paint=paint, indent=4, hang=6)
        yield from name_lines(members, len(members), paint=paint, indent=6)
    for code in dict.fromkeys(code.lower() for code, _ in by_error):
        if (advice := _CAUSES.get(code)) is not None:
            yield from wrapped(f"→ {advice}", paint=paint, indent=4, hang=6)


def _it(count: int) -> str:
    return "it" if count == 1 else "them"


def _why_left(report: RemediationReport) -> str:
    task = report.task
    if task is not None and task.total >= report.draft.count and report.draft.count < len(report.draft.expected):
        return f"The task takes no more than {plural(report.draft.count, 'machine')} (--count)."
    if report.result == "stopped":
        return "The task ended before their turn, or Azure's evaluation does not have them."
    if report.draft.wish.re_evaluate:
        return "Azure's own evaluation did not find them."
    return "Azure's last evaluation did not find them; it may be older than the assignment or their change."


def _sentence(report: RemediationReport) -> str:
    drafted, task = report.draft, report.task
    where = f"{drafted.wish.id} on {target_text(drafted.target)}"
    if report.result == "nothing" or task is None:
        return f"No machine would be changed, nothing was sent to {target_text(drafted.target)}."
    changed = f"{plural(task.succeeded, 'machine')} changed, {task.failed:,} failed, by Azure's own count"
    match report.result:
        case "started":
            return f"Started {where}; its end was not awaited."
        case "interrupted":
            return f"Stopped waiting for {where}. The task continues in Azure: {task_text(task)}"
        case "stopped":
            return f"Azure ended {where} as {task.state}: {changed}."
    return f"Ended {where}: {changed}."


def _meaning(report: RemediationReport) -> str:
    if report.result == "stopped" or report.failed or report.unended or report.problem:
        return "bad"
    return "warn" if report.left or report.result in ("started", "interrupted") else "good"


def remediation_next_lines(report: RemediationReport) -> Iterator[str]:
    """The commands that come next: for a task that runs, how it is followed and cancelled; else what proves it."""
    wish, policy = report.draft.wish, report.draft.policy
    if report.result == "nothing":
        return
    if report.task is None or not report.task.is_over:
        where = az_place(wish.scope)
        yield "To see how far it is, and to cancel what has not begun:"
        yield f"  az policy remediation show --name '{wish.name}'{where}"
        yield f"  az policy remediation cancel --name '{wish.name}'{where}"
        yield "Once it has ended:"
    else:
        yield "To prove what the machines have now:"
    place = _place(wish.scope)
    if policy is BuiltIn.PERIODIC_ASSESSMENT:
        yield f"  {command('policy', 'audit', '--policy', policy.value, *place)}"
    else:
        yield f"  {command('verify', *place)}"


def _place(scope: str) -> tuple[str, str]:
    parts = scope.strip("/").split("/")
    match [part.lower() for part in parts]:
        case ["providers", _, "managementgroups", _]:
            return "-m", parts[3]
        case ["subscriptions", _, "resourcegroups", _]:
            return "-g", scope
    return "-s", parts[1]


def az_place(scope: str) -> str:
    """Options of `az policy remediation` for a place, with a blank before them."""
    parts = scope.strip("/").split("/")
    match [part.lower() for part in parts]:
        case ["providers", _, "managementgroups", _]:
            return f" --management-group '{parts[3]}'"
        case ["subscriptions", _, "resourcegroups", _]:
            return f" --subscription {parts[1]} --resource-group '{parts[3]}'"
    return f" --subscription {parts[1]}"
