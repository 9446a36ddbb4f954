"""Evidence for people: what was packed, what a check found, and the page that lies in the pack.

Must not: claim more than a list of sums can prove.
"""

from collections.abc import Iterator
from typing import Literal

from patchmode.json_edge import Edge
from patchmode.model.evidence import AfterFrom, EvidenceCheck, Fault, PackedEvidence
from patchmode.reports.columns import wrapped
from patchmode.reports.headings import plural
from patchmode.reports.left_alone import not_done_text
from patchmode.reports.paint import Paint
from patchmode.reports.recorded import when

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
  That Azure told the truth, or that nothing changed before or since: documents show one moment each.

Check it with
  patchmode evidence check PATH --digest DIGEST
"""
_AFTER = {
    AfterFrom.PROVIDER: "Each machine was re-read from Azure Resource Manager when this was gathered.",
    AfterFrom.JOURNAL: "Nothing was read when this was gathered: verification.json is what the run itself found and "
    "journalled, and there are no documents afterwards.",
}


class EvidenceProblemRow(Edge, frozen=True):
    """One file that is not as the manifest says."""

    path: str
    fault: Fault
    detail: str


class EvidenceCheckDocument(Edge, frozen=True):
    """`evidence check -o json`."""

    format: Literal["patchmode/evidence-check/v1"]
    path: str
    run: str
    whole: bool
    digest: str
    """Calculated from the manifest as it stands there."""
    tool_version: str
    files: int
    problems: tuple[EvidenceProblemRow, ...]


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


def check_document(check: EvidenceCheck) -> EvidenceCheckDocument:
    """What a check found, as it is published."""
    return EvidenceCheckDocument(
        format="patchmode/evidence-check/v1",
        path=check.path,
        run=check.run,
        whole=not check.problems,
        digest=check.digest,
        tool_version=check.tool_version,
        files=check.files,
        problems=tuple(EvidenceProblemRow(path=one.path, fault=one.fault, detail=one.detail) for one in check.problems),
    )
