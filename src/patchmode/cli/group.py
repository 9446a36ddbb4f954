"""Commands that load late, take the global options anywhere, and print help in sections."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from patchmode.cli import logs
from patchmode.cli.configuring import FileDefaults, az_offer
from patchmode.cli.examples import EXAMPLES
from patchmode.cli.exits import ENDS, MEANINGS, Exit
from patchmode.cli.options import (
    FORMATS,
    GLOBAL_NAMES,
    RARE_NAMES,
    SCOPE_NAMES,
    SETTINGS_NAMES,
    global_options,
    patience_option,
)
from patchmode.cli.settings import Settings, absorb, settings_of
from patchmode.errors import NoSelectorError, PatchmodeError
from patchmode.model.nearest import nearest

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

ADVANCED = "Advanced options"
"""The last section of options: what most people never need."""


UNITED = "Selectors are united: -s A -g B takes all machines of both. Filters such as --name narrow what they select."


class Command(click.Command):
    """A command that also takes the global options.

    Args:
        formats: what its `-o` takes.
    """

    def __init__(self, *args: Any, formats: Sequence[str] = FORMATS, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.params.extend(global_options(formats))
        if not any("--throttle-patience" in param.opts for param in self.params):
            self.params.append(patience_option())

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Parse, with several ids allowed after one `--ids`, and the config file behind the environment."""
        context.default_map = FileDefaults()
        try:
            return super().parse_args(context, spread_ids(args))
        except click.NoSuchOption as error:
            raise _no_such_option(error, context) from error

    def invoke(self, context: click.Context) -> Any:
        """Run the command with the global options set aside for `settings_of`."""
        absorb(context)
        settings = settings_of(context)
        if context.get_parameter_source("throttle_patience") is ParameterSource.COMMANDLINE:
            # What a run is given holds for what is read before it, too.
            settings = context.obj = replace(settings, patience=context.params["throttle_patience"])
        prepare(settings)
        try:
            return super().invoke(context)
        except PatchmodeError as error:
            from patchmode.cli.output import completed

            error.advice = completed(error.advice, settings)
            if isinstance(error, NoSelectorError) and (offer := az_offer(settings, sys.argv[1:])):
                error.advice = f"{error.advice}\n  {offer}"
            raise

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does, and its examples."""
        ctx.default_map = None  # the defaults that help shows are the program's, whatever a file says
        super().format_help_text(ctx, formatter)
        _write_examples(formatter, ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in sections: scope, settings, the command's own, global, and last the advanced ones."""
        _write_options(formatter, ctx)
        _write_exit_codes(formatter, ENDS.get(path_of(ctx), {}))


class Group(click.Group):
    """A group of commands whose help texts are known without importing them.

    Args:
        late: command → its first line of help, in the order in which one would use them.
        rooms: the package that holds a module of each late command's name, with the command as its `command`.
    """

    command_class = Command

    def __init__(
        self,
        *args: Any,
        late: Mapping[str, str] | None = None,
        rooms: str = "patchmode.cli.commands",
        **keywords: Any,
    ) -> None:
        super().__init__(*args, **keywords)
        self.params.extend(global_options())
        self.late = dict(late or {})
        self.rooms = rooms

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order in which one would use them."""
        return [*self.late, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None when there is none of that name."""
        if cmd_name not in self.late:
            return super().get_command(ctx, cmd_name)
        command = import_module(f"{self.rooms}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101 - a programming error, not a user's
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with the config file behind the environment; help of what stands below needs none."""
        if not set(args) & set(ctx.help_option_names):
            ctx.default_map = FileDefaults()
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names; of one that it does not name, the nearest is told."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if args[0].startswith("-"):
                raise
            meant = OTHER_COMMANDS.get(args[0].casefold()) if ctx.parent is None else None
            near = None if meant else nearest(args[0], self.list_commands(ctx))
            hint = f" Did you mean {near}?" if near else f" Here that is {meant}." if meant else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[Any]]":
        """Commands and options that begin so; none of the commands is imported for it."""
        if not self.late:
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        begun = [CompletionItem(one, help=text) for one, text in self.late.items() if one.startswith(incomplete)]
        return begun + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command with the global options set aside for `settings_of`."""
        absorb(ctx)
        return super().invoke(ctx)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the group is for, and its examples."""
        ctx.default_map = None
        super().format_help_text(ctx, formatter)
        _write_examples(formatter, ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, the options in sections, and at the root what the exit codes mean."""
        self.format_commands(ctx, formatter)
        _write_options(formatter, ctx)
        if ctx.parent is None:
            _write_exit_codes(formatter, MEANINGS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, from the texts at hand where they load late."""
        del ctx
        known = self.late or {name: (one.help or "").split("\n")[0] for name, one in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(list(known.items()))


OTHER_COMMANDS = {
    "show": "`patchmode explain MACHINE`, `patchmode schedule show NAME`, or `patchmode runs list` for runs",
    "list": "`patchmode audit` for machines, `patchmode runs list`, or `patchmode schedule list`",
    "destroy": "rollback, which restores what a run changed",
    "undo": "rollback, which restores what a run changed",
    "validate": "`patchmode plan`, which shows the changes and sends nothing, or `patchmode doctor` for permissions",
    "what-if": "`patchmode plan`, which shows the changes and sends nothing",
    "refresh": "`patchmode audit`",
    "status": "`patchmode audit` for machines, or `patchmode runs list`",
    "login": "`az login`: patchmode signs in as az does",
    "init": "nothing: `patchmode doctor` checks sign-in and permissions",
}
"""Words of az and Terraform for which there is another command here."""
_YES_WORDS = ("--auto-approve", "-auto-approve", "--no-prompt", "--force", "--confirm", "--assume-yes")
_PLAN_WORDS = ("--dry-run", "--dryrun", "--what-if", "--whatif", "--validate-only", "--check", "--noop")
_ALIKE = 0.75
"""Of the letters of two options; less alike are different words, such as --auto-approve and --last-wave."""


def _no_such_option(error: click.NoSuchOption, ctx: click.Context) -> click.UsageError:
    """An option that is not there, with what it is called here, or the one that is nearly spelled so."""
    import difflib

    name = error.option_name.casefold()
    own = {text for param in ctx.command.params for text in param.opts}
    told = f"No such option {error.option_name!r}."
    if name in _PLAN_WORDS:
        does = "changes nothing and asks nothing" if path_of(ctx) == "plan" else "shows the changes and sends nothing"
        return click.UsageError(f"{told} Here that is `patchmode plan`, which {does}.", ctx)
    if name in (*_YES_WORDS, "--yes", "-y"):
        text = "Here that is --yes." if "--yes" in own and name not in {"--yes", "-y"} else "This command never asks."
        changes = " It changes nothing in Azure." if "--yes" not in own and path_of(ctx) in _READING else ""
        return click.UsageError(f"{told} {text}{changes}", ctx)
    near = difflib.get_close_matches(name, sorted(own), n=1, cutoff=_ALIKE) if name.startswith("--") else []
    return click.UsageError(f"{told} Did you mean {near[0]}?" if near else told, ctx)


_READING = frozenset({"audit", "plan", "verify", "explain", "doctor", "watch"})


def path_of(ctx: click.Context) -> str:
    """A command's path as `ENDS` and `EXAMPLES` name it; empty: the program itself."""
    return ctx.command_path.partition(" ")[2]


def section_of(param: click.Option) -> str:
    """The section of the help in which an option is shown."""
    if param.name in RARE_NAMES:
        return ADVANCED
    if param.name in SCOPE_NAMES:
        return "Scope"
    if param.name in SETTINGS_NAMES:
        return "Settings"
    return "Global options" if param.name in GLOBAL_NAMES or "--help" in param.opts else "Options"


def _write_options(formatter: click.HelpFormatter, ctx: click.Context) -> None:
    sections: dict[str, list[tuple[str, str]]] = {
        title: [] for title in ("Scope", "Settings", "Options", "Global options", ADVANCED)
    }
    has_filters = any(param.name == "only_name" for param in ctx.command.params)
    for param in ctx.command.get_params(ctx):
        # An argument stands in the usage line; what it means stands in the text.
        if isinstance(param, click.Option) and (record := param.get_help_record(ctx)) is not None:
            sections[section_of(param)].append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                if title == "Scope" and has_filters:
                    formatter.write_text(UNITED)
                formatter.write_dl(records, col_max=26)


def _write_examples(formatter: click.HelpFormatter, ctx: click.Context) -> None:
    if not (examples := EXAMPLES.get(path_of(ctx))):
        return
    with formatter.section("Examples"):
        for number, example in enumerate(examples):
            if number:
                formatter.write_paragraph()
            # A command is never broken, so that it can be pasted.
            for line in (f"# {example.text}", *example.line.splitlines()):
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _write_exit_codes(formatter: click.HelpFormatter, meanings: Mapping[Exit, str]) -> None:
    if meanings:
        with formatter.section("Exit codes"):
            # In a terminal the marks of code spans are only in the way.
            formatter.write_dl([(str(int(code)), text.replace("`", "")) for code, text in meanings.items()])


def prepare(settings: Settings) -> None:
    """Begin what the global options ask for, and refuse what they ask for in vain, before the command does anything."""
    logs.begin(settings)
    if settings.query:
        from patchmode.reports.formats.structured import check_expression

        # A mistyped expression must not show only after an apply.
        check_expression(settings.query)


def spread_ids(args: list[str]) -> list[str]:
    """Repeat `--ids` before every further resource id that follows it.

    `--ids A B` is how az takes lists; click takes one value an option. Only texts that begin like a resource id are
    taken, so a file name or another argument behind the list keeps its meaning.
    """
    spread: list[str] = []
    inside = False
    for position, arg in enumerate(args):
        if inside and arg.lower().startswith("/subscriptions/") and args[position - 1] != "--ids":
            spread.append("--ids")
        elif arg.startswith("-"):
            inside = arg == "--ids" or arg.startswith("--ids=")
        elif inside and position and args[position - 1] != "--ids":
            inside = False
        spread.append(arg)
    return spread
