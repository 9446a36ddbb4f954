"""The entry point: build the program, run it, turn every foreseeable fault into one sentence and an exit code.

Must not: import anything heavy. Called by the `patchmode` console script.
"""

import errno
import gc
import os
import sys
from collections.abc import Sequence
from http import HTTPStatus

import click

from patchmode.cli import exits, logs, signals, terminal
from patchmode.cli.group import Group
from patchmode.cli.settings import Settings
from patchmode.cli.terminal import UnansweredError
from patchmode.errors import PatchmodeError, RequestError

COMMANDS = {
    "audit": "Every machine: its orchestration, who patches it, and why.",
    "plan": "The exact changes, as a diff and as a file.",
    "apply": "Apply a plan file, or plan and apply a scope.",
    "verify": "Re-read every VM from Azure Resource Manager and compare its settings.",
    "watch": "Repeat the audit, and show only what changed.",
    "rollback": "Restore what a run changed, where Azure allows it.",
    "runs": "List, show, resume and merge runs.",
    "explain": "One machine in full: settings, rules, schedules, outcome, JSON.",
    "schedule": "Maintenance configurations: members, windows, and whether they will work.",
    "policy": "Azure Policy's built-in definitions for patch settings: which machines they cover.",
    "report": "One audit or run as HTML, Excel, Markdown, JUnit, SARIF, metrics, CSV or JSON.",
    "export": "A plan for az, PowerShell, REST, Terraform, Bicep or Ansible, or as a change request.",
    "iac": "Terraform, Bicep, ARM, Ansible and Pulumi files that would set machines back.",
    "evidence": "What a run did, as a folder or zip that can be checked.",
    "console": "The web console on loopback: fleet, schedules, changes, runs.",
    "mcp": "The tools of patchmode for assistants, over the Model Context Protocol.",
    "live-check": "Settle, on one throw-away VM, what nobody could confirm about Azure.",
    "doctor": "Check sign-in, subscriptions and permissions.",
    "completion": "Print the script that completes commands, options and names.",
    "schema": "Print the JSON Schema of a document, such as plan or run.",
    "demo": "A short story on a local emulator; no Azure needed.",
}

_COLLECT_EVERY = 20_000
"""Objects more than there were before the collector of cycles looks again; Python's own 700 is for small programs.
A fleet's values last until the end and form no cycles: looking at them that often was a fourth of an audit's CPU."""


@click.command(
    cls=Group,
    name="patchmode",
    late=COMMANDS,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A result goes to standard output, everything else to standard error. Settings of machines are changed only "
    "by a plan (apply, rollback), and by Azure Policy itself where you assign it (policy assign) or start a "
    "remediation task, which has no undo (policy remediate). The commands of schedule and policy that write ask first, "
    "unless --yes is given; the others of them print the commands that undo them. "
    "The commands audit, policy audit, plan, export, verify, explain and doctor cannot write; iac check edits "
    "files only with --fix.",
)
@click.version_option(package_name="patchmode", message="%(prog)s %(version)s")
def program() -> None:
    """Set patch orchestration for every Azure VM in scope: one reviewed, verified, reversible operation."""


def main() -> None:
    """Run the program and end the process."""
    if asked := os.environ.get("_PATCHMODE_COMPLETE"):
        from patchmode.cli import completing

        if asked.endswith("_complete"):
            completing.answer(program, asked)
    heard = signals.listen()
    terminal.prepare()
    gc.set_threshold(_COLLECT_EVERY)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _after_output_fault(error)
    if tracing := sys.modules.get("patchmode.arm.tracing"):
        tracing.finish()
    logs.put_end(code, command_of(sys.argv[1:]))
    heard.over(code)
    sys.exit(code)


def run(args: Sequence[str]) -> int:
    """Run the program on these arguments.

    Args:
        args: without the program's name.

    Returns:
        The exit code. Foreseeable faults have been told on standard error; only a defect of patchmode raises.
    """
    try:
        known = Settings(args=tuple(args))
        result = program.main(args=list(args), prog_name="patchmode", standalone_mode=False, obj=known)
        return int(result or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        logs.choose_by(args)
        click.echo(error.format_message(), err=True)
        return exits.of_error(error)
    except click.UsageError as error:
        logs.choose_by(args)
        _tell_usage(error)
        return exits.of_error(error)
    except (KeyboardInterrupt, click.Abort) as error:
        nothing = "; nothing was sent" if isinstance(error, UnansweredError) else ""
        click.echo(f"patchmode: interrupted{nothing}.", err=True)
        return exits.of_error(error)
    except PatchmodeError as error:
        logs.choose_by(args)
        tell(error)
        return exits.of_error(error)
    except OSError as error:
        return _after_output_fault(error)


def command_of(args: Sequence[str]) -> str:
    """The words of a command line that name the command: `runs show`; empty: none does."""
    words: list[str] = []
    place: click.Command | None = program
    for word in args:
        if isinstance(place, click.Group) and word in place.list_commands(click.Context(place)):
            words.append(word)
            place = place.get_command(click.Context(place), word)
        elif words and not word.startswith("-"):
            break
    return " ".join(words)


def _tell_usage(error: click.UsageError) -> None:
    from patchmode.cli import output

    if (log := logs.stream()) is not None:
        help_at = f"Help: {error.ctx.command_path} --help" if error.ctx is not None else None
        log.put("error", error.format_message(), "error", advice=help_at)
        return
    output.tell(f"patchmode: {error.format_message()}")
    if error.ctx is not None:
        output.tell(f"Help: {error.ctx.command_path} --help", indent=2)


def tell(error: PatchmodeError) -> None:
    """Tell an error on standard error: what happened, what to do, and what identifies it to Azure's support."""
    from patchmode.cli import output

    if logs.put_error(error):
        return
    output.tell(f"patchmode: {error.message}")
    if error.advice:
        output.tell(f"What to do: {error.advice}", indent=2)
    if isinstance(error, RequestError):
        facts = [
            # A fault that patchmode found in a good answer is no HTTP error.
            ("HTTP status", None if error.status == HTTPStatus.OK else error.status),
            ("code", error.service_code),
            ("request id", error.request_id),
            ("correlation id", error.correlation_id),
        ]
        told = [f"{name} {value}" for name, value in facts if value]
        if told:
            output.tell(", ".join(told), indent=2)


def _after_output_fault(error: OSError) -> int:
    """Say what became of an output that could not be written; a reader that left early is not a fault worth telling."""
    is_hung_up = signals.is_hung_up()
    if is_hung_up or isinstance(error, BrokenPipeError):
        terminal.forget_reader(sys.stdout)
        return exits.of_error(KeyboardInterrupt() if is_hung_up else error)
    from patchmode.cli import output

    what = error.filename or "standard output"
    output.tell(f"patchmode: Could not write or read {what}: {os.strerror(error.errno or errno.EIO)}.")
    if error.errno == errno.ENOSPC:
        output.tell("What to do: free space there, or name another folder with --state-dir.", indent=2)
    return exits.of_error(error)
