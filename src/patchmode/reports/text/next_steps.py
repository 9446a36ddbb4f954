"""The next command: what attaches a schedule where none reaches, and what takes up again what is not as asked.

A command stands on a line of its own, whole whatever the width, and runs as it is pasted.
Must not: name a machine or a schedule by anything that the program does not take.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from shlex import quote

from patchmode.model.outcome import Outcome, OutcomeKind, PatchedByNobody
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId, is_resource
from patchmode.model.run import RunReport
from patchmode.reports.text.layout import Paint, plural, way_out, wrapped
from patchmode.reports.text.left_alone import NAMED_ON_A_LINE

NOBODY = "patched by nobody"
_AGAIN = ("failed", "unknown", "stale", "notAsPlanned", "blocked", "unreadable")
"""Kinds of `RunReport.not_done` that a new plan of just these machines takes up, in the order of that property."""


def command(*words: str) -> str:
    """A command as a shell takes it."""
    return " ".join(["patchmode", *map(_word, words)])


def _word(text: str) -> str:
    # An apostrophe in apostrophes is five letters that nobody can read.
    return f'"{text}"' if "'" in text and not _SPECIAL.intersection(text) else quote(text)


_SPECIAL = frozenset('"$`\\!\n')
"""What a shell looks at inside quotation marks."""


def nobody_lines(plan: Plan, *, again: Sequence[str] | None, paint: Paint, after_run: bool = False) -> Iterator[str]:
    """The machines that a plan leaves without a schedule, why, and what attaches one; nothing where it leaves none.

    Args:
        plan: any plan.
        again: words of the command that makes this plan once more; None: there is none that could be pasted.
        paint: gives the width.
        after_run: the plan cannot be made anew before it is applied, so that a schedule is attached afterwards.
    """
    count, seen = len(plan.patched_by_nobody), plan.nobody or PatchedByNobody(0, looked=False)
    if count:
        verb = "will be" if plan.has_work else "are"
        text = f"! {plural(count, 'machine')} {verb} {NOBODY}:"
        yield from (paint("warn", line) for line in wrapped(text, paint=paint, hang=2))
        for reason, machines in Counter(filter(None, _reasons(plan))).most_common():
            yield from wrapped(f"{machines:,}: {reason}", paint=paint, indent=4, hang=6)
        yield from way_out(_in_the_same_plan(plan, seen, again, after_run=after_run), paint=paint)
    yield from _not_known(seen, paint)
    if count or seen.not_known:
        yield ""


def _reasons(plan: Plan) -> Iterator[str]:
    ends: list[Outcome] = [one.outcome_after for one in plan.changes]
    ends += [one.outcome_in_the_end for one in plan.unchanged]
    yield from (one.reason for one in ends if one.kind is OutcomeKind.PARKED)


def _in_the_same_plan(plan: Plan, seen: PatchedByNobody, again: Sequence[str] | None, *, after_run: bool) -> str:
    if after_run or plan.rollback_of is not None or plan.then_attach is not None:
        which = seen.usable[0] if after_run and seen.usable else "a schedule"
        return f"Once it is applied, the run shows the command that attaches {which}.{_none(seen)}"
    if seen.usable:
        attach = ("--then-attach", seen.usable[0])
        if again is None:
            typed = command(*attach).removeprefix("patchmode ")
            return f"Attach a schedule in the same plan{_where(seen)}: repeat the command with {typed}"
        return f"Attach a schedule in the same plan{_where(seen)}:\n{command(*again, *attach)}"
    if seen.across_tenants:
        return f"{_ACROSS}\n{command('schedule', 'list')}"
    if not seen.create:
        return f"Schedules could not be looked for. See those that you can read:\n{command('schedule', 'list')}"
    made = f"{_none(seen).strip()} Create one (its window is an example), then attach it in the same plan:"
    attach = ("--then-attach", seen.create[2])
    then = "" if again is None else f"\n{command(*again, *attach)}"
    return f"{made}\n{command(*seen.create)}{then}"


_ACROSS = (
    "These belong to several tenants, and a schedule is attached within its own: attach one for the subscriptions of "
    "each tenant. See the schedules:"
)


def _where(seen: PatchedByNobody) -> str:
    return " (the nearest is in another subscription)" if seen.elsewhere else ""


def _none(seen: PatchedByNobody) -> str:
    is_none = seen.looked and not seen.usable
    return " No schedule was seen that patches guests and has a window to come." if is_none else ""


def _not_known(seen: PatchedByNobody, paint: Paint) -> Iterator[str]:
    if seen.not_known:
        whether = f"? Whether a schedule reaches {plural(seen.not_known, 'machine')} is not known, so perhaps nobody"
        text = f"{whether} patches {'it' if seen.not_known == 1 else 'them'}: {seen.because}."
        yield from (paint("warn", line) for line in wrapped(text, paint=paint, hang=2))
        yield from way_out(f"See what is missing to read schedules:\n{command('doctor')}", paint=paint)


def nobody_text(seen: PatchedByNobody) -> str:
    """How many machines of a run nobody patches, one sentence; empty: of none it is known."""
    if not seen.machines:
        return ""
    verb, which = ("is", "it") if seen.machines == 1 else ("are", "them")
    # A run is shown for weeks, and what was attached since is not known to it.
    unless = f"unless a schedule was attached since: none reached {which} when the run was planned"
    return f"{plural(seen.machines, 'machine')} {verb} {NOBODY} {unless}."


def attach_commands(seen: PatchedByNobody | None, *which: str) -> Sequence[str]:
    """What gives machines that nobody patches a schedule; empty: there are none, or it is not known which.

    Args:
        seen: how many they are, and what was seen of schedules.
        which: words that name them, as `schedule attach` takes them.
    """
    if seen is None or not seen.machines or not which:
        return ()
    if seen.usable:
        return (command("schedule", "attach", seen.usable[0], *which),)
    if seen.create:
        return command(*seen.create), command("schedule", "attach", seen.create[2], *which)
    return (command("schedule", "list"),)


def _attach_lines(seen: PatchedByNobody, commands: Sequence[str], paint: Paint) -> Iterator[str]:
    said = _ACROSS if seen.across_tenants else "Schedules could not be looked for. See those that you can read:"
    if seen.usable:
        said = f"Attach a schedule{_where(seen)}:"
    elif seen.create:
        said = "Create a schedule (its window is an example), then attach it:"
    if commands:
        yield from way_out("\n".join((said, *commands)), paint=paint)


def nobody_in_run_lines(seen: PatchedByNobody | None, run: str, *, paint: Paint) -> Iterator[str]:
    """The machines of a run that nobody patches, and what attaches a schedule; nothing where there are none.

    Args:
        seen: how many they are; None: there are none.
        run: its id; empty: several runs, or a plan that none has carried out here.
        paint: gives the width.
    """
    if seen is None:
        return
    text = nobody_text(seen)
    if text:
        which = ("--from-run", f"{run}:patchedByNobody") if run else ()
        yield from (paint("warn", line) for line in wrapped(f"! {text}", paint=paint, hang=2))
        yield from _attach_lines(seen, attach_commands(seen, *which), paint)
    yield from _not_known(seen, paint)


def nobody_now_lines(
    machines: Sequence[ResourceId], seen: PatchedByNobody | None, *, again: Sequence[str] | None, paint: Paint
) -> Iterator[str]:
    """The machines of an audit that nobody patches, and what attaches a schedule; nothing where there are none.

    Args:
        machines: prepared, and without a schedule.
        seen: what was seen of schedules; None: nothing is known of them.
        again: words of the audit; None: it cannot be pasted.
        paint: gives the width.
    """
    if seen is None:
        return
    yield ""
    if machines:
        reached = "no schedule reaches it" if len(machines) == 1 else "no schedule reaches them"
        told = plural(len(machines), f"machine is {NOBODY}", f"machines are {NOBODY}")
        text = f"! {told}: prepared for schedules, and {reached}."
        yield from (paint("warn", line) for line in wrapped(text, paint=paint, hang=2))
        if len(machines) <= NAMED_ON_A_LINE:
            yield from _attach_lines(seen, attach_commands(seen, "--ids", *map(str, machines)), paint)
        elif again is not None:
            chosen = ("-o", "json", "--query", f"machines[?outcome=='{OutcomeKind.PARKED}'].id")
            attach = attach_commands(seen, "--ids-file", "parked.json")
            listed = [f"{command(*again, *chosen)} > parked.json"] if seen.usable or seen.create else []
            yield from _attach_lines(seen, (*listed, *attach), paint)
    yield from _not_known(seen, paint)


def again_commands(report: RunReport) -> Sequence[str]:
    """What takes up just those machines of a run that are not as asked, but for a resume.

    Args:
        report: of one run; of several united, or of one that is under way, there is no such command.
    """
    if not report.run or report.state == "running":
        return ()
    missing = report.not_done
    kinds = [kind for kind in _AGAIN if missing.get(kind)]
    if "unreadable" in kinds and not any(is_resource(one.id) for one in report.unread):
        # Of a subscription that could not be read nobody knows the machines: its scope has to be planned once more.
        kinds.remove("unreadable")
    if report.rollback_of is not None:
        bad = [kind for kind in kinds if kind != "blocked"]
        return (command("rollback", report.rollback_of, *report.options),) if bad or missing.get("notAttached") else ()
    found = []
    if kinds:
        found.append(command("apply", "--from-run", f"{report.run}:{','.join(kinds)}", *report.options))
    if missing.get("notAttached") and "--then-attach" in report.options:
        place = report.options.index("--then-attach")
        configuration, *name = report.options[place + 1 :]
        found.append(command("schedule", "attach", configuration, "--from-run", f"{report.run}:notAttached", *name))
    return found


def next_lines(report: RunReport, *, paint: Paint) -> Iterator[str]:
    """What gives a run's machines a schedule, and what takes up again what is not as asked; nothing where all is well.

    Args:
        report: the run; one without an id sent nothing.
        paint: gives the width.
    """
    yield from nobody_in_run_lines(report.nobody, report.run, paint=paint)
    found = again_commands(report)
    if not report.run and report.blocked and report.again:
        # Machines that are compliant stay so: the same command takes up those that are left.
        found = (command(*report.again),)
    if found:
        yield from wrapped("Once the cause is fixed, repeat it for just these machines:", paint=paint)
        yield from (f"  {one}" for one in found)
