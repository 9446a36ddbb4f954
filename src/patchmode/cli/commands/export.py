"""`patchmode export`. Must not: sign in, read Azure, or write anything but the file that was asked for."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from patchmode.cli import exits
from patchmode.cli.choices import Fixed, PlanFile
from patchmode.cli.group import Command
from patchmode.cli.settings import Settings, settings_of
from patchmode.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from patchmode.model.plan import Plan

EXPORT_FORMS = (
    "az",
    "powershell",
    "powershell-update-azvm",
    "rest",
    "terraform",
    "bicep",
    "ansible",
    "markdown",
)
"""Those of `reports/exports/registry.py`, which help and completion are not to import."""
_ALSO = {
    "change-request": "markdown",
    "http": "rest",
    "sh": "az",
    "update-azvm": "powershell-update-azvm",
    "azapi": "terraform",
    "playbook": "ansible",
}


@click.command(cls=Command)
@click.argument("file", metavar="PLAN", type=PlanFile(path_type=Path))
@click.option(
    "--as",
    "--format",
    "form",
    metavar="FORM",
    type=Fixed(EXPORT_FORMS, also=_ALSO),
    help="az: a shell script. powershell: a script of Invoke-AzRestMethod; powershell-update-azvm: one of Get-AzVM and "
    "Update-AzVM. rest: a .http file. terraform: a configuration of the provider azapi. bicep: what to merge into your "
    "templates. ansible: a playbook. markdown: a change request. Without it the ending of --out decides.",
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write this file instead of printing.",
)
@click.pass_context
def command(context: click.Context, /, file: Path, form: str | None, out: Path | None) -> exits.Exit:
    """A plan for az, PowerShell, REST, Terraform, Bicep or Ansible, or as a change request.

    The plan file is read, checked as by apply, and written in another form. Nothing is read from Azure or sent. A
    form for another client does less than apply: its first lines name what is missing, and each machine that the plan
    leaves out but for the filters. The form for Bicep changes nothing by itself.
    """
    from patchmode.arm.machines import api_version
    from patchmode.cli.confirming import reviewed_plan
    from patchmode.reports.exports.registry import obstacle, pieces
    from patchmode.store.files import buffered, write_named
    from patchmode.workflow.run.applying import check_asked_for

    settings = settings_of(context)
    form = _form(form, out, settings)
    plan = reviewed_plan(file, settings)
    check_asked_for(plan)
    why_not = obstacle(plan, form)
    if why_not is not None:
        msg = f"{file} cannot be exported as {form}: {why_not}."
        raise RefusedError(msg, advice=_advice(plan, file))
    if out is not None and out.exists() and out.samefile(file):
        msg = f"--out {out} is the plan file itself."
        raise UsageError(msg, advice="Name another file.")
    if out is not None and _is_foreign(out):
        msg = f"--out {out} exists already and is not an export of patchmode; it was left as it is."
        raise UsageError(msg, advice="Name another file, or delete this one first.")
    texts = (piece.encode() for piece in pieces(plan, form, source=file.name, api_version=api_version))
    if out is not None:
        write_named(out, buffered(texts))
    else:
        for text in texts:
            sys.stdout.buffer.write(text)
        sys.stdout.flush()
    _tell(plan, form, out, settings)
    return exits.of_listing()


def _is_foreign(out: Path) -> bool:
    """Whether a file has content that is no earlier export: it may be somebody's own `main.tf`, written by hand."""
    if not out.is_file() or not out.stat().st_size:
        return False
    with out.open("rb") as stream:
        return b"by patchmode" not in stream.read(4096)  # every export says so in its first lines


def _form(form: str | None, out: Path | None, settings: Settings) -> str:
    """The form asked for.

    Raises:
        UsageError: none is, or one of `-o` or `--query`, which are about results in JSON.
    """
    from patchmode.reports.exports.registry import form_of

    given = {"output": "-o", "query": "--query"}.keys() & settings.typed
    if given:
        name = "-o" if "output" in given else "--query"
        msg = f"{name} chooses what of a result is printed, and export has a form instead."
        raise UsageError(msg, advice=f"Give --as {', '.join(EXPORT_FORMS)}.")
    found = form or (form_of(out.name) if out is not None else None)
    if found is None:
        what = f"--out {out} does not say which form it is to have." if out is not None else "Missing option '--as'."
        raise UsageError(what, advice=f"Give --as {', '.join(EXPORT_FORMS)}.")
    return found


def _advice(plan: "Plan", file: Path) -> str:
    from patchmode.reports.text.next_steps import command as command_of

    if not plan.has_work:
        return "Make a plan of machines that need a change."
    return f"`{command_of('apply', str(file))}` does all of it."


def _tell(plan: "Plan", form: str, out: Path | None, settings: Settings) -> None:
    from patchmode.cli.output import say
    from patchmode.reports.exports.registry import BICEP, CHANGE_REQUEST
    from patchmode.reports.exports.scripted import attaching_text, left_out_text
    from patchmode.reports.text.layout import plural
    from patchmode.reports.text.left_alone import not_done_text

    where = "" if out is None else f" Written to {out}."
    say(f"Exported as {form}: {plural(len(plan.changes), 'machine')}. Nothing was sent.{where}", settings)
    say(f"Not in it: {left_out_text(plan)}.", settings)
    if plan.not_done:
        where = "It names each." if form == CHANGE_REQUEST else "Its first lines name each."
        say(f"Asked for and not in it: {not_done_text(plan.not_done, plan.blocked)}. {where}", settings)
    if form == CHANGE_REQUEST:
        return
    if form == BICEP:
        say("It changes nothing by itself: its first lines say what to merge where.", settings)
    else:
        say("It has no journal, no rollback and no failure budget: its first lines name what is missing.", settings)
    attaches = attaching_text(plan)
    if attaches is not None:
        say(f"The plan also {attaches}; this {form} export does not.", settings)
