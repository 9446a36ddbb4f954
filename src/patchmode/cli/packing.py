"""What goes into a pack of evidence, from a run's journal and what was gathered.

Must not: read Azure or decide what is verified.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from patchmode.model.evidence import Evidence, MachineEvidence, PackedEvidence
from patchmode.model.report import VerifyReport
from patchmode.packing import canonical_text
from patchmode.reports.evidence_text import readme
from patchmode.reports.formats import pieces
from patchmode.reports.run_record import run_record
from patchmode.reports.verification import verification_document
from patchmode.rules.rule_texts import rule_texts
from patchmode.store.evidence_formats import EvidenceFileRow, EvidenceMachineRow, ManifestDocument
from patchmode.store.evidence_pack import Member, write_pack
from patchmode.store.journal import Journal
from patchmode.store.plan_rows import target_row
from patchmode.store.plan_stream import indented_pieces
from patchmode.store.run_rows import run_to_document
from patchmode.version import __version__
from patchmode.workflow.runs import report_of

_ODD = re.compile(r"[^A-Za-z0-9._-]")
_NAME_LENGTH = 40
_STATES: Mapping[str, Literal["interrupted", "stopped"]] = {"interrupted": "interrupted", "stopped": "stopped"}


def pack(journal: Journal, evidence: Evidence, out: Path) -> tuple[PackedEvidence, ManifestDocument]:
    """Write a run's evidence, whole or not at all.

    Args:
        journal: open for reading.
        evidence: gathered from this very journal.
        out: a new folder, or a new file that ends in `.zip`.

    Raises:
        UsageError: something stands at `out`. StorageError: it cannot be written.
    """
    machines = tuple(map(_machine_row, range(1, len(evidence.machines) + 1), evidence.machines))

    def manifest_of(files: tuple[EvidenceFileRow, ...]) -> ManifestDocument:
        return ManifestDocument(
            format="patchmode/evidence/v1",
            tool_version=__version__,
            created_at=evidence.gathered_at,
            run=journal.run,
            state=_STATES.get(journal.state, "finished"),
            target=target_row(journal.plan.target),
            plan_digest=journal.plan.digest,
            after_from=evidence.after_from,
            machines=machines,
            files=files,
        )

    manifest = write_pack(out, _members(journal, evidence, machines), manifest_of, at=evidence.gathered_at)
    packed = PackedEvidence(
        path=str(out),
        run=journal.run,
        digest=str(manifest.digest),
        files=len(manifest.files) + 1,
        size=sum(row.bytes for row in manifest.files),
        machines=len(machines),
        with_after=sum(row.after is not None for row in machines),
        after_from=evidence.after_from,
        mismatches=sum(not one.verified for one in evidence.verifications),
        not_done=report_of(journal).not_set,
    )
    return packed, manifest


def _machine_row(number: int, machine: MachineEvidence) -> EvidenceMachineRow:
    # The number makes it one of its kind; the name is for whoever looks through the folder.
    folder = f"machines/{number:06}-{_ODD.sub('_', machine.id.name)[:_NAME_LENGTH]}"
    return msgspec.convert(
        {
            "id": str(machine.id),
            "result": machine.result,
            "before": f"{folder}/before.json",
            "after": None if machine.after is None else f"{folder}/after.json",
            "afterMissing": machine.after_missing,
        },
        EvidenceMachineRow,
    )


def _members(journal: Journal, evidence: Evidence, machines: Iterable[EvidenceMachineRow]) -> Iterator[Member]:
    plan, report = journal.plan, report_of(journal)
    document = run_to_document(report, plan.target)
    record = run_record(report, plan.target, rule_texts(), document=document, plan=plan)
    verified = verification_document(
        VerifyReport(plan.target, f"run {journal.run}", evidence.verifications, journal.run, not_done=report.not_set)
    )
    yield Member("README.txt", (readme(journal.run, evidence.after_from).encode(),))
    yield Member("run.html", pieces(record, "html"))
    yield Member("run.json", pieces(record, "json"))
    yield Member("plan.json", indented_pieces(plan, plan.digest))
    yield Member("journal.sqlite", journal.snapshot())
    yield Member("verification.json", (_laid_out(msgspec.json.encode(verified)),))
    for row, machine in zip(machines, evidence.machines, strict=True):
        yield Member(row.before, (_document(machine.before),))
        if row.after is not None and machine.after is not None:
            yield Member(row.after, (_document(machine.after),))


def _document(document: Mapping[str, Any]) -> bytes:
    return _laid_out(canonical_text(document))


def _laid_out(text: bytes) -> bytes:
    return msgspec.json.format(text, indent=2) + b"\n"
