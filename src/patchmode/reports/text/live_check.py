"""A live check for people: what will be sent, what Azure answered, and whether the VM is as it was."""

from collections.abc import Iterator, Sequence

from patchmode.model.live_check import ExperimentResult, LiveCheckReport, Outcome
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import Cell, Paint, TableColumn, lines, plural, target_text, wrapped

CSV_COLUMNS = ("name", "answer", "assumed", "experiment", "because")


def planned_lines(
    planned: Sequence[tuple[str, str]], skipped: Sequence[ExperimentResult], *, patches: int, paint: Paint
) -> Iterator[str]:
    """What a live check is about to send, and what it will not.

    Args:
        planned: name of each experiment, and what it sends, a sentence.
        skipped: those that do not apply, or are not run.
        patches: about how many writes the VM gets, those that restore it included.
        paint: colours and width.
    """
    yield paint("strong", f"Experiments ({len(planned):,}):")
    width = max((len(name) for name, _ in planned), default=0)
    for name, sends in planned:
        yield from wrapped(f"{name:{width}}  {sends}", paint=paint, indent=2, hang=width + 4)
    for outcome, title in ((Outcome.NOT_RUN, "Not run"), (Outcome.NOT_APPLICABLE, "Not applicable to this VM")):
        chosen = [one for one in skipped if one.outcome is outcome]
        if chosen:
            yield paint("strong", f"{title} ({len(chosen):,}):")
            for one in chosen:
                yield from wrapped(f"{one.name}: {one.because}", paint=paint, indent=2, hang=4)
    yield ""
    minutes = plural(max(0, patches - _BURST) // _EACH_MINUTE + 1, "minute")
    limit = f"Azure allows {_BURST} to one VM at once, then {_EACH_MINUTE} a minute"
    yield from wrapped(f"The VM gets about {patches} writes, in {minutes} or more: {limit}.", paint=paint)
    for text in (_THROW_AWAY, _NOT_RESTORED):
        for line in wrapped(f"! {text}", paint=paint, hang=2):
            yield paint("warn", line)


_BURST, _EACH_MINUTE = 12, 4
"""Compute's limit on updates of one VM (Microsoft, "Compute throttling limits")."""
_THROW_AWAY = (
    "Only for a VM that may be thrown away. Its patch settings and a tag change again and again; each experiment is "
    "undone before the next."
)
_NOT_RESTORED = (
    "Where Azure refuses to leave AutomaticByPlatform, or keeps what it stored there, the VM cannot be restored. It "
    "then keeps bypass true, so that Azure does not patch it, and the result names what is left."
)


def live_check_lines(report: LiveCheckReport, *, paint: Paint) -> Iterator[str]:
    """What came of a live check, without line feeds."""
    if report.decided:
        yield paint("strong", f"Decided ({len(report.decided):,}):")
        columns = (TableColumn("SWITCH", is_name=True), TableColumn("ANSWER"), TableColumn("AZURE ANSWERED", 20))
        rows = (
            (one.switch.name, Cell(f"{one.answer}", "good" if one.is_as_assumed else "warn"), one.because)
            for one in report.decided
        )
        yield from lines(columns, rows, paint=paint)
        yield ""
    yield from _surprises(report, paint)
    yield from _observed(report, paint)
    yield from _not_decided(report, paint)
    yield from _restored(report, paint)


def _surprises(report: LiveCheckReport, paint: Paint) -> Iterator[str]:
    if not report.surprises:
        if report.decided:
            yield "Each is what patchmode assumes."
            yield ""
        return
    yield paint("warn", f"Not as patchmode assumes ({len(report.surprises):,}):")
    for one in report.surprises:
        text = f"{one.switch.name}: Azure {one.answer}, assumed {one.switch.assumed}"
        yield from wrapped(text, paint=paint, indent=2, hang=4)
    yield ""


def _observed(report: LiveCheckReport, paint: Paint) -> Iterator[str]:
    telling = {one.experiment for one in report.decided}
    chosen = [one for one in report.results if one.outcome is Outcome.ANSWERED and one.name not in telling]
    if not chosen:
        return
    yield paint("strong", f"Observed ({len(chosen):,}):")
    for one in chosen:
        yield from wrapped(f"{one.name}: {one.because}", paint=paint, indent=2, hang=4)
    yield ""


def _not_decided(report: LiveCheckReport, paint: Paint) -> Iterator[str]:
    rest = [one for one in report.switches if one.answer is None]
    if not rest:
        return
    yield paint("strong", f"Not decided ({len(rest):,}):")
    by_reason: dict[str, list[str]] = {}
    for one in rest:
        by_reason.setdefault(one.because, []).append(one.switch.name)
    for because, names in by_reason.items():
        yield from wrapped(f"{', '.join(names)}: {because}", paint=paint, indent=2, hang=4)
    yield ""


def _restored(report: LiveCheckReport, paint: Paint) -> Iterator[str]:
    names = MachineNames.of(report.target, [report.machine])
    name = names.short(report.machine)
    if report.remaining:
        yield paint("bad", f"{name} is not as it was ({plural(len(report.remaining), 'property', 'properties')}):")
        for one in report.remaining:
            text = f"{one.path}: was {one.expected}, is {one.found}"
            yield from wrapped(text, paint=paint, indent=2, hang=4)
    for path in report.left:
        yield paint("bad", f"Not deleted: {path}")
    if report.is_restored:
        text = f"{name} is as it was: every property was read back and compared."
        for line in wrapped(f"{text} {_state_text(report)}".rstrip(), paint=paint):
            yield paint("good", line)
    sent = ", ".join(f"{count:,} {method}" for method, count in sorted(report.requests.items()))
    yield from wrapped(f"Requests: {sent}, to {target_text(report.target)}.", paint=paint, hang=4)


def _state_text(report: LiveCheckReport) -> str:
    if report.state == "undone":
        return "The live check was undone."
    return "It was interrupted; some experiments were not reached." if report.state == "interrupted" else ""
