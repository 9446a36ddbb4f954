"""What a verification found, for people and as `patchmode/verify/v1`.

Must not: call a machine verified that could not be read.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from patchmode.model.outcome import Verification
from patchmode.model.target import Target
from patchmode.reports.columns import wrapped
from patchmode.reports.headings import plural, short
from patchmode.reports.paint import Paint

CSV_COLUMNS = ("id", "verified", "path", "expected", "found", "unreadableBecause")


def verification_lines(found: Sequence[Verification], target: Target, *, what: str, paint: Paint) -> Iterator[str]:
    """The lines of a verification, without line feeds.

    Args:
        found: one entry per machine; empty: there was nothing to verify.
        target: where the machines stand.
        what: what they were compared with, for example `run 20300131T220000Z-1a2b3c`.
        paint: colours and width.
    """
    yield from mismatch_lines(found, paint=paint)
    if not found:
        yield f"There is nothing to verify: no machine was changed ({what})."
        return
    counts = counts_of(found)
    text = f"Verified {counts['verified']:,} of {plural(len(found), 'machine')} against {what} on {target.endpoint}"
    fine = counts["verified"] == len(found)
    if fine:
        text += ": each shows the settings, and no other leaf differs, as the provider itself answers."
    else:
        text += f": {counts['differing']:,} differ, {counts['unreadable']:,} could not be read."
    for line in wrapped(text, paint=paint):
        yield paint("good" if fine else "bad", line)


def mismatch_lines(found: Sequence[Verification], *, paint: Paint) -> Iterator[str]:
    """Machines that are not as planned, leaf by leaf, followed by an empty line; nothing where all are."""
    bad = [entry for entry in found if not entry.verified]
    if not bad:
        return
    yield paint("bad", f"Not as planned ({len(bad):,}):")
    for entry in bad:
        yield f"  {paint('strong', short(entry.id))}"
        if entry.unreadable_because:
            yield from wrapped(f"could not be read: {entry.unreadable_because}", paint=paint, indent=6)
        for difference in entry.differences:
            # From the root a path is wider than a terminal; whoever reads this knows the patch settings.
            path = difference.path.partition(".patchSettings.")[2] or difference.path
            text = f"{path}: expected {difference.expected}, found {difference.found}"
            yield from wrapped(text, paint=paint, indent=6, hang=8)
    yield ""


def counts_of(found: Sequence[Verification]) -> dict[str, int]:
    """`scope` is the sum of the others."""
    verified = sum(entry.verified for entry in found)
    unreadable = sum(entry.unreadable_because is not None for entry in found)
    return {
        "scope": len(found),
        "verified": verified,
        "differing": len(found) - verified - unreadable,
        "unreadable": unreadable,
    }


def verification_document(found: Sequence[Verification], target: Target, *, run: str | None) -> dict[str, Any]:
    """A verification as JSON values; `run` is null where a file or a scope was verified."""
    return {
        "format": "patchmode/verify/v1",
        "run": run,
        "target": {"cloud": target.cloud, "endpoint": target.endpoint, "tenantId": target.tenant_id},
        "counts": counts_of(found),
        "results": [verification_row(entry) for entry in found],
    }


def verification_row(entry: Verification) -> dict[str, Any]:
    """One machine as it stands in `results`."""
    return {
        "id": str(entry.id),
        "verified": entry.verified,
        "differences": [one.members() for one in entry.differences],
        "unreadableBecause": entry.unreadable_because,
    }


def csv_rows(found: Sequence[Verification]) -> Iterator[dict[str, Any]]:
    """One row a machine, or one a difference where there are some."""
    for entry in found:
        plain = {"id": str(entry.id), "verified": entry.verified, "unreadableBecause": entry.unreadable_because}
        if not entry.differences:
            yield plain
        for one in entry.differences:
            yield {**plain, "path": one.path, "expected": one.expected, "found": one.found}
