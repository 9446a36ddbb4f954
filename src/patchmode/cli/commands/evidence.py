"""`patchmode evidence`: pack what a run did, check such a pack."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from patchmode.cli import exits
from patchmode.cli.choices import FILE, RUN
from patchmode.cli.group import Command, Group
from patchmode.cli.settings import settings_of
from patchmode.documents.run import run_document
from patchmode.documents.verification import (
    EvidenceFileRow,
    EvidenceMachineRow,
    ManifestDocument,
    manifest_of,
    verify_document,
)
from patchmode.model.evidence import Evidence, PackedEvidence
from patchmode.model.nearest import nearest
from patchmode.model.plain_text import json_escaped
from patchmode.model.report import VerifyReport
from patchmode.packing import canonical_text
from patchmode.reports.formats.registry import pieces
from patchmode.reports.formats.run_record import run_record
from patchmode.reports.text.verification import readme
from patchmode.rules.registry import rule_texts
from patchmode.store.evidence import PackedFile, write_pack
from patchmode.store.journal import Journal
from patchmode.store.plan_documents import indented_pieces
from patchmode.version import __version__
from patchmode.workflow.run.report import report_of


class _Evidence(Group):
    """`evidence RUN` packs a run; `evidence check PATH` checks a pack."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take whatever names no subcommand for a run to pack."""
        near = nearest(args[0], self.commands) if args and "--out" not in args else None
        if near is not None:
            # A run's id begins with a digit, so this is no run: it is a mistyped subcommand.
            return super().parse_args(ctx, args)
        known = {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if not args or args[0] in known else ["pack", *args])


@click.group(cls=_Evidence, name="evidence")
def command() -> None:
    """What a run did, as a folder or zip that can be checked.

    Documents of each machine before and after, plan, journal, report, verification, and a manifest with the SHA-256 of
    every file. `evidence RUN --out FILE.zip` is short for `evidence pack RUN --out FILE.zip`.
    """


@command.command("pack", cls=Command)
@click.argument("run", type=RUN, default="latest")
@click.option(
    "--out", required=True, type=FILE, metavar="FOLDER|FILE.zip", help="Where to write it; it must not exist yet."
)
@click.option("--offline", is_flag=True, help="Read nothing from Azure: only what the journal holds.")
@click.pass_context
def pack_run(context: click.Context, run: str, out: str, offline: bool) -> exits.Exit:
    """Pack a run's evidence; RUN is its id, its beginning, or latest.

    Each machine that the plan changes is re-read from Azure Resource Manager and compared; nothing is written to the
    run.
    The command prints the manifest's digest. Keep it elsewhere: it shows later that the manifest is the same.
    """
    from patchmode.cli import composition
    from patchmode.cli.output import Result, emit
    from patchmode.cli.running import run_reading
    from patchmode.reports.text.verification import packed_lines
    from patchmode.workflow.run.verification import gather, gather_offline

    settings = settings_of(context)
    journal = composition.run_store(settings).open(run)

    async def work() -> "Evidence":
        async with composition.connected(settings, read_only=True) as azure:
            composition.check_target(journal.plan, azure)
            return await gather(azure, journal, clock=composition.clock())

    try:
        clock = composition.clock()
        evidence = gather_offline(journal, clock=clock) if offline else run_reading(work)
        packed, manifest = pack(journal, evidence, Path(out))
    finally:
        journal.release()
    result = Result(
        document=manifest,
        lines=lambda paint: packed_lines(packed, paint=paint),
        rows=lambda: manifest.files,
        columns=("path", "sha256", "bytes"),
    )
    emit(result, settings)
    return exits.of_evidence(packed)


@command.command("check", cls=Command)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--digest", metavar="HEX", help="The digest that was printed when the pack was made; the manifest must match it."
)
@click.pass_context
def check(context: click.Context, /, path: Path, **options: Any) -> exits.Exit:
    """Check that a pack is unchanged: every file present, none altered, none added.

    PATH is the folder or the zip. Nothing is unpacked, and nobody is signed in.
    """
    from patchmode.cli.output import Result, emit
    from patchmode.documents.verification import check_document
    from patchmode.reports.text.verification import check_lines
    from patchmode.store.evidence import check_pack

    settings = settings_of(context)
    found = check_pack(path, digest=options["digest"])
    document = check_document(found)
    result = Result(
        document=document,
        lines=lambda paint: check_lines(found, paint=paint),
        rows=lambda: document.problems,
        columns=("path", "fault", "detail"),
    )
    emit(result, settings)
    return exits.of_comparison(len(found.problems))


def pack(journal: Journal, evidence: Evidence, out: Path) -> tuple[PackedEvidence, ManifestDocument]:
    """Write a run's evidence, whole or not at all.

    Args:
        journal: open for reading.
        evidence: gathered from this very journal.
        out: a new folder, or a new file that ends in `.zip`.

    Raises:
        UsageError: something stands at `out`. StorageError: it cannot be written.
    """
    begun = manifest_of(evidence, run=journal.run, state=journal.state, plan=journal.plan, tool_version=__version__)
    machines = begun.machines

    def listing(files: tuple[EvidenceFileRow, ...]) -> ManifestDocument:
        return msgspec.structs.replace(begun, files=files)

    manifest = write_pack(out, _members(journal, evidence, machines), listing, at=evidence.gathered_at)
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


def _members(journal: Journal, evidence: Evidence, machines: Iterable[EvidenceMachineRow]) -> Iterator[PackedFile]:
    plan, report = journal.plan, report_of(journal)
    document = run_document(report, plan.target)
    record = run_record(report, plan.target, rule_texts(), document=document, plan=plan)
    verified = verify_document(
        VerifyReport(plan.target, f"run {journal.run}", evidence.verifications, journal.run, not_done=report.not_set)
    )
    yield PackedFile("README.txt", (readme(journal.run, evidence.after_from).encode(),))
    yield PackedFile("run.html", pieces(record, "html"))
    yield PackedFile("run.json", pieces(record, "json"))
    yield PackedFile("plan.json", indented_pieces(plan, plan.digest))
    yield PackedFile("journal.sqlite", journal.snapshot())
    yield PackedFile("verification.json", (_laid_out(msgspec.json.encode(verified)),))
    for row, machine in zip(machines, evidence.machines, strict=True):
        yield PackedFile(row.before, (_document(machine.before),))
        if row.after is not None and machine.after is not None:
            yield PackedFile(row.after, (_document(machine.after),))


def _document(document: Mapping[str, Any]) -> bytes:
    return _laid_out(canonical_text(document))


def _laid_out(text: bytes) -> bytes:
    return json_escaped(msgspec.json.format(text, indent=2).decode()).encode() + b"\n"
