"""`patchmode evidence`: pack what a run did, check such a pack. Must not: change anything in Azure or in the run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command, Group
from patchmode.cli.settings import settings_of

if TYPE_CHECKING:
    from patchmode.model.evidence import Evidence


class _Evidence(Group):
    """`evidence RUN` packs a run; `evidence check PATH` checks a pack."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take whatever names no subcommand for a run to pack."""
        known = {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if not args or args[0] in known else ["pack", *args])


@click.group(cls=_Evidence, name="evidence")
def command() -> None:
    """What a run did, as a folder or zip that can be checked.

    Documents of each machine before and after, plan, journal, report, verification, and a manifest with the SHA-256 of
    every file. `evidence RUN --out FILE.zip` is short for `evidence pack RUN --out FILE.zip`.
    """


@command.command("pack", cls=Command)
@click.argument("run", default="latest")
@click.option("--out", required=True, metavar="FOLDER|FILE.zip", help="Where to write it; it must not exist yet.")
@click.option("--offline", is_flag=True, help="Read nothing from Azure: only what the journal holds.")
@click.pass_context
def pack_run(context: click.Context, run: str, out: str, offline: bool) -> exits.Exit:
    """Pack a run's evidence; RUN is its id, its beginning, or latest.

    Each machine that the plan changes is re-read from Azure Resource Manager and compared; nothing is written to the
    run.
    Prints the manifest's digest: kept elsewhere, it shows later that the manifest is the same.
    """
    from patchmode.cli import composition
    from patchmode.cli.output import Result, emit
    from patchmode.cli.packing import pack
    from patchmode.cli.running import run_reading
    from patchmode.reports.evidence_text import packed_lines
    from patchmode.workflow.evidence import gather, gather_offline

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
    "--digest", metavar="HEX", help="What was printed when the pack was made: is the manifest still that one?"
)
@click.pass_context
def check(context: click.Context, /, path: Path, **options: Any) -> exits.Exit:
    """Check that a pack is whole: every file present, none altered, none added.

    PATH is the folder or the zip. Nothing is unpacked, and nobody is signed in.
    """
    from patchmode.cli.output import Result, emit
    from patchmode.reports.evidence_text import check_document, check_lines
    from patchmode.store.evidence_check import check_pack

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
