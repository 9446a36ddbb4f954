"""`patchmode report`. Must not: change anything in Azure, or write but to the file it is given."""

from typing import Any

import click

from patchmode.cli import exits
from patchmode.cli.group import Command
from patchmode.cli.options import FORMATS, REPORT_FORMATS, longest_wait_option, scope_options, settings_options
from patchmode.cli.settings import settings_of


@click.command(cls=Command, formats=(*FORMATS, *REPORT_FORMATS))
@scope_options
@settings_options
@longest_wait_option
@click.option("--run", metavar="RUN", help="What a run did, by its journal: its id, its beginning, or latest.")
@click.option(
    "--from", "source", metavar="FILE|-", help="What `audit -o json` or `apply -o json` printed; - reads stdin."
)
@click.option("--out", metavar="FILE", help="Where to write it; without -o the name's ending tells the format.")
@click.option("--exit-zero", is_flag=True, help="End with 0 once the report is written, whatever it tells.")
@click.pass_context
def command(
    context: click.Context,
    /,
    run: str | None,
    source: str | None,
    out: str | None,
    exit_zero: bool,
    longest_wait: str,
    **options: Any,
) -> exits.Exit:
    """One audit or run as HTML, Excel, Markdown, JUnit, SARIF, metrics, CSV or JSON.

    The record is an audit of a scope as it stands now (without any: everything that you can see), what a run changed
    and verified (--run), or a document that was saved earlier (--from), for which nobody is signed in. Every format
    tells the same machines and findings. The file is there whole or not at all.
    """
    from patchmode.cli import reporting
    from patchmode.cli.scoping import scope_from, set_ambient_shard_aside, wanted_from
    from patchmode.cli.spans import wait_from
    from patchmode.errors import UsageError

    settings = settings_of(context)
    if run is not None or source is not None:
        set_ambient_shard_aside(context, options)
        if any(options.values()) or (run is not None and source is not None):
            raise UsageError(
                "--run and --from hold their own machines and settings, so a scope, a filter, a setting, or the other "
                "of the two beside them means nothing.",
                advice="Give a scope, --run or --from.",
            )
    form = reporting.format_asked(settings, out)
    if run is not None:
        told = reporting.of_run(run, settings)
    elif source is not None:
        told = reporting.of_file(source)
    else:
        wanted = wanted_from(options)
        told = reporting.of_scope(scope_from(options), wanted, settings, longest_wait=wait_from(longest_wait))
    reporting.tell(told, form, out, settings)
    return exits.of_listing() if exit_zero else told.code
