"""What a verification found, for people; what was packed as evidence, and what a check found."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from patchmode.documents.verification import verify_counts
from patchmode.model.drift import ResourceChange
from patchmode.model.evidence import AfterFrom, EvidenceCheck, PackedEvidence
from patchmode.model.left_alone import Skipped
from patchmode.model.patch_settings import MODE_OF_ORCHESTRATION, Orchestration
from patchmode.model.plain_text import printable
from patchmode.model.report import VerifyReport
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import Verification
from patchmode.reports.formats.recorded import when
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import Paint, note_lines, plural, wrapped
from patchmode.reports.text.left_alone import not_done_text, skipped_lines, unreadable_lines
from patchmode.reports.text.next_steps import command, nobody_in_run_lines
from patchmode.reports.text.summary import Counted, SummaryBy, Tally, summary_lines

CSV_COLUMNS = ("id", "verified", "path", "expected", "found", "unreadableBecause", "rule", "reason", "fix")

_HANDED_OVER = "Azure patches and restarts it at a time it chooses, unless a schedule is attached, whose runs fail:"
"""What it means that bypass is gone beside AutomaticByPlatform."""


def verification_lines(report: VerifyReport, *, paint: Paint, by: SummaryBy | None = None) -> Iterator[str]:
    """The lines of a verification, without line feeds.

    Args:
        report: the verification. Its last sentences say whether all is as it should be.
        paint: colours, width and height.
        by: what its summary counts by; None: as `summary_lines` says.
    """
    open_ends = [entry for entry in report.found if entry.blocked_by is None]
    names = MachineNames.of(report.target, _ids(report))
    differing = Tally("differing", "NEEDS CHANGE" if report.is_scope else "NOT AS PLANNED")
    tallies, rows = (_TALLIES[0], differing, *_TALLIES[1:]), report.mismatches
    yield from summary_lines(_counted(report), tallies, names, whole="SCOPE", by=by, rows=rows, paint=paint)
    yield from mismatch_lines(
        open_ends, names, paint=paint, title="Needs change" if report.is_scope else "Not as planned"
    )
    yield from _later_lines(report, names, paint)
    blocked = _blocked(report)
    if blocked:
        yield paint("bad", f"Blocked ({len(blocked):,}):")
        yield from skipped_lines(blocked, names, paint=paint)
        yield ""
    if report.unread:
        told = "Could not be read, so their machines are not known" if _are_places(report) else "Could not be read"
        yield paint("bad", f"{told} ({len(report.unread):,}):")
        yield from unreadable_lines(report.unread, names, paint=paint)
        yield ""
    yield from note_lines(map(names.named, report.notes), paint=paint)
    yield from nobody_in_run_lines(report.nobody, report.run or "", paint=paint)
    yield from _again_lines(report, paint)
    meaning = "bad" if report.mismatches else "good"
    for line in wrapped(_last_line(report, names), paint=paint):
        yield paint(meaning, line)
    if report.not_done:
        text = (
            f"Not everything of {report.what} is as asked: {not_done_text(report.not_done, ())}. These machines were "
            "not compared."
        )
        yield from (paint("warn", line) for line in wrapped(text, paint=paint, hang=4))


_TALLIES = (
    Tally("verified", "VERIFIED"),
    Tally("blocked", "BLOCKED"),
    Tally("unreadable", "UNREADABLE"),
    Tally("aside", "ARC"),
    Tally("filtered", "FILTERED OUT"),
)


def _counted(report: VerifyReport) -> Iterator[Counted]:
    """Everything in scope with what was found."""
    for entry in report.found:
        if entry.verified:
            state = "verified"
        elif entry.blocked_by is not None:
            state = "blocked"
        else:
            state = "unreadable" if entry.unreadable_because else "differing"
        yield Counted(entry.id, (state,))
    yield from (Counted(entry.id, ("unreadable",)) for entry in report.unread)
    yield from (Counted(entry.id, ("aside",)) for entry in report.not_applicable)
    yield from (Counted(entry.id, ("filtered",)) for entry in report.filtered_out)


def _again_lines(report: VerifyReport, paint: Paint) -> Iterator[str]:
    """What takes up the machines of a run that are not as planned; nothing where all are."""
    if report.run and any(not one.verified for one in report.found):
        yield from wrapped("Once the cause is fixed, repeat it for just these machines:", paint=paint)
        yield f"  {command('apply', '--from-run', f'{report.run}:notAsPlanned')}"


def _ids(report: VerifyReport) -> Iterator[ResourceId | str]:
    yield from (entry.id for entry in report.found)
    yield from (entry.id for part in (report.not_applicable, report.filtered_out) for entry in part)
    yield from (entry.id for entry in report.unread)


def _blocked(report: VerifyReport) -> list[Skipped]:
    return [entry.blocked_by for entry in report.found if entry.blocked_by is not None]


def _last_line(report: VerifyReport, names: MachineNames) -> str:
    if not report.found and not report.unread:
        if not report.is_scope:
            known = (
                "no change is known to have been applied"
                if report.not_done.get("unknown")
                else "no machine was changed"
            )
            return f"There is nothing to verify: {known} ({report.what})."
        return f"There is nothing to verify: the settings asked for apply to no machine in scope{_aside(report)}."
    counts = verify_counts(report)
    where = f" in {names.place}" if names.place else ""
    text = (
        f"Verified {counts.verified:,} of {plural(len(report.found), 'machine')}{where} against {report.what}, as "
        f"read from Azure Resource Manager ({report.target.endpoint})"
    )
    if not report.mismatches:
        return f"{text}: {_all_is_well(report)}{_aside(report)}."
    unreadable = counts.unreadable - len(report.unread)
    if not report.is_scope:
        return f"{text}: {counts.differing:,} not as planned, {unreadable:,} unreadable."
    differing = plural(counts.differing, "needs change", "need change")
    parts = [differing, f"{counts.blocked:,} blocked", f"{unreadable:,} unreadable"]
    places = f"{plural(len(report.unread), 'subscription or group', 'subscriptions or groups')} unreadable as a whole"
    entries = f"{plural(len(report.unread), 'other entry', 'other entries')} of the scope unreadable"
    parts += [places if _are_places(report) else entries]
    return f"{text}: {', '.join(parts[: None if report.unread else -1])}{_aside(report)}."


def _are_places(report: VerifyReport) -> bool:
    """Whether each entry is a subscription or a group, and none a name that no machine has."""
    return all(entry.id.startswith("/") for entry in report.unread)


def _all_is_well(report: VerifyReport) -> str:
    if report.is_scope:
        return "each has the settings asked for"
    later = sum(bool(entry.changed_later) for entry in report.found)
    if not later:
        return "each has the planned settings, and no other property was changed"
    changed = f"other properties of {plural(later, 'machine')} were changed {_afterwards(report)}"
    return f"each has the planned settings; {changed}"


def _afterwards(report: VerifyReport) -> str:
    return "after the run" if report.run else "since the plan"


def _aside(report: VerifyReport) -> str:
    """Machines in scope of which nothing was asked."""
    parts = []
    if report.not_applicable:
        parts.append(f"{plural(len(report.not_applicable), 'Arc server')} without a patch mode to set")
    if report.filtered_out:
        parts.append(f"{len(report.filtered_out):,} filtered out")
    return f"; {', '.join(parts)}" if parts else ""


def mismatch_lines(
    found: Sequence[Verification], names: MachineNames, *, paint: Paint, title: str = "Not as planned"
) -> Iterator[str]:
    """Machines that are not as planned, by property, followed by an empty line; nothing where all are."""
    bad = [entry for entry in found if not entry.verified]
    if not bad:
        return
    yield paint("bad", f"{title} ({len(bad):,}):")
    for entry in bad:
        yield f"  {paint('strong', names.short(entry.id))}"
        if entry.unreadable_because:
            yield from wrapped(f"could not be read: {entry.unreadable_because}", paint=paint, indent=6)
        if _is_handed_over(entry):
            yield from (paint("bad", line) for line in wrapped(_HANDED_OVER, paint=paint, indent=6, hang=8))
        for difference in entry.differences:
            # From the root a path is wider than a terminal; whoever reads this knows the patch settings.
            path = difference.path.partition(".patchSettings.")[2] or difference.path
            yield from wrapped(replace(difference, path=path).text, paint=paint, indent=6, hang=8)
    yield from _mode_legend(bad, paint)
    yield ""


def _mode_legend(bad: Sequence[Verification], paint: Paint) -> Iterator[str]:
    """What the portal calls the patch modes that were named; nothing where none was."""
    modes = {
        value.strip('"')
        for entry in bad
        for one in entry.differences
        if one.path.endswith(".patchMode")
        for value in (one.expected, one.found)
    }
    text = "; ".join(
        f"{one.leaves} = {one.portal_name}" for one in Orchestration if MODE_OF_ORCHESTRATION.get(one) in modes
    )
    if text:
        yield from (paint("dim", line) for line in wrapped(f"{text}.", paint=paint, indent=2, hang=4))


def _later_lines(report: VerifyReport, names: MachineNames, paint: Paint) -> Iterator[str]:
    """Machines of which something else was changed after the run, or since the plan; nothing where none was."""
    later = [entry for entry in report.found if entry.changed_later]
    if not later:
        return
    yield f"Changed {_afterwards(report)}, outside the patch settings ({len(later):,}):"
    for entry in later:
        yield f"  {paint('strong', names.short(entry.id))}"
        for one in entry.changed_later:
            left = one.difference
            text = f"{left.path}: was {left.expected}, is {left.found}{_by(one.author)}"
            yield from wrapped(text, paint=paint, indent=6, hang=8)
    yield ""


def _by(author: ResourceChange | None) -> str:
    if author is None or author.changed_by is None:
        return ""
    when = f" at {author.at:%Y-%m-%d %H:%MZ}" if author.at else ""
    client = f" with {author.client_type}" if author.client_type else ""
    return printable(f" (by {author.changed_by}{client}{when})")


def _is_handed_over(entry: Verification) -> bool:
    """Whether bypass alone is gone, so that the patch mode leaves the machine to Azure."""
    settings = {one.path.rpartition(".")[2]: one for one in entry.differences if ".patchSettings." in one.path}
    bypass = settings.get("bypassPlatformSafetyChecksOnUserSchedule")
    return bypass is not None and bypass.expected == "true" and "patchMode" not in settings


def csv_rows(report: VerifyReport) -> Iterator[dict[str, Any]]:
    """One row a machine, or one a difference where there are some."""
    for entry in report.found:
        plain = {"id": str(entry.id), "verified": entry.verified, "unreadableBecause": entry.unreadable_because}
        if entry.blocked_by is not None:
            by = entry.blocked_by
            plain |= {"rule": by.rule, "reason": by.reason, "fix": by.fix}
        if not entry.differences:
            yield plain
        for one in entry.differences:
            yield {**plain, "path": one.path, "expected": one.expected, "found": one.found}
    for place in report.unread:
        yield {"id": place.id, "verified": False, "unreadableBecause": place.reason}


SHOWN = 50
README = """Evidence of run {run}

What is here
  manifest.json        what this is, and the SHA-256 of every other file
  SHA256SUMS           the same sums, for: sha256sum -c SHA256SUMS
  run.html, run.json   the run's report
  plan.json            the plan as it was applied
  journal.sqlite       the run's journal: each step, written to disk before the next
  verification.json    what was compared with the plan: the settings and every other property
  machines/            for each machine of the plan: before.json, and after.json where it was read

After the run
  {after}

What it proves
  The manifest's sums show whether a file was altered, removed or added since the manifest was made.
  The digest that was printed then, kept elsewhere, shows whether the manifest is still the same.
What it does not prove
  Who made it: the sums are not a signature. Whoever can write here can make another pack.
  That Azure answered truthfully, or that nothing changed before or since: documents show one moment each.

Check it with
  patchmode evidence check PATH --digest DIGEST
"""
_AFTER = {
    AfterFrom.PROVIDER: "Each machine was re-read from Azure Resource Manager when this was gathered.",
    AfterFrom.JOURNAL: "Nothing was read when this was gathered: verification.json is what the run itself found and "
    "journalled, and there are no documents afterwards.",
}


def readme(run: str, after_from: AfterFrom) -> str:
    """The page that lies in the pack."""
    return README.format(run=run, after=_AFTER[after_from])


def packed_lines(packed: PackedEvidence, *, paint: Paint) -> Iterator[str]:
    """What was packed, without line feeds."""
    text = f"Evidence of run {packed.run}: {plural(packed.files, 'file')}, {packed.size:,} bytes, in {packed.path}"
    yield from (paint("strong", line) for line in wrapped(text, paint=paint, hang=4))
    read = f"{packed.with_after:,} of {plural(packed.machines, 'machine')} re-read from Azure Resource Manager"
    if packed.after_from is AfterFrom.JOURNAL:
        read = "nothing was read: the verification is that of the journal, and no document of afterwards is in the pack"
    yield from wrapped(f"Afterwards: {read}.", paint=paint, indent=2, hang=4)
    if packed.mismatches:
        text = f"{plural(packed.mismatches, 'machine')} not as planned or unreadable: see verification.json."
        yield from (paint("bad", line) for line in wrapped(text, paint=paint, indent=2, hang=4))
    if packed.not_done:
        text = f"Not everything of the run is as asked: {not_done_text(packed.not_done, ())}."
        yield from (paint("warn", line) for line in wrapped(text, paint=paint, indent=2, hang=4))
    yield f"  Digest: {packed.digest}"
    text = (
        "Keep the digest elsewhere, in a ticket or a signed mail: it shows later that the manifest is still this one."
    )
    yield from wrapped(text, paint=paint, indent=2, hang=4)


def check_lines(check: EvidenceCheck, *, paint: Paint) -> Iterator[str]:
    """What a check found, the files that are not as they were first."""
    for problem in check.problems[:SHOWN]:
        text = f"{problem.fault.value}  {problem.path}: {problem.detail}"
        yield from (paint("bad", line) for line in wrapped(text, paint=paint, hang=4))
    if len(check.problems) > SHOWN:
        yield f"and {len(check.problems) - SHOWN:,} more; -o json lists all"
    about = f"run {check.run}, made {when(check.created_at)} by patchmode {check.tool_version}"
    if check.problems:
        text = f"Not whole: {plural(len(check.problems), 'problem')} in {check.path} ({about})."
    else:
        text = f"Whole: each of {plural(check.files, 'file')} in {check.path} matches the manifest ({about})."
    yield from (paint("bad" if check.problems else "good", line) for line in wrapped(text, paint=paint, hang=4))
    yield f"Digest: {check.digest}"
