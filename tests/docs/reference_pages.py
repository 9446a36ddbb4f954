"""The generated pages of the reference: `python -m tests.docs.reference_pages` (`make docs`) writes them anew.

Must not: say anything that the programs' own help and tables, or the fault matrix of the tests, do not say.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import click
from tests.docs.exit_code_tables import README, REFERENCE, render
from tests.docs.libraries_page import PAGE as LIBRARIES_PAGE
from tests.docs.libraries_page import render_libraries
from tests.docs.manual_page import PAGE as MANUAL_PAGE
from tests.docs.manual_page import render_manual
from tests.docs.pages import DOCS
from tests.docs.routes_page import PAGE as ROUTES_PAGE
from tests.docs.routes_page import render_routes
from tests.docs.rules_page import PAGE as RULES_PAGE
from tests.docs.rules_page import render_rules
from tests.faults.page import render_faults

from arm_emulator.cli import main as emulator
from arm_emulator.cli_help import EXAMPLES as EMULATORS
from patchmode.cli.examples import EXAMPLES
from patchmode.cli.main import COMMANDS, program
from patchmode.cli.options import GLOBAL_NAMES, SCOPE_NAMES, SETTINGS_NAMES, global_options, patience_option

_HEAD = """# Command line

This page is made from the programs' own help by `make docs`; do not edit it.
The names in the examples are those of the emulator's fleet `schedules`, on which they can be tried:
`arm-emulator exec --fleet schedules -- bash`.

"""
_SHARED = {
    "Scope": SCOPE_NAMES,
    "Settings": SETTINGS_NAMES,
    "Limits of a run": frozenset(
        {
            "concurrency",
            "freeze",
            "max_failures",
            "max_failures_per_region",
            "operation_timeout",
            "strict",
        }
    ),
}
"""Options that several commands take: they are shown once, under this title."""
_SCOPE_TEXT = (
    "Selectors are united; filters leave machines out, and a machine that is left out is listed as skipped with the "
    "filter as its reason. What `--shard` leaves to other shards is not listed. A command that may write refuses "
    "to run with no selector."
)


def render_cli() -> str:
    """The page of every command and option."""
    return _HEAD + "\n".join([*_product(), *_emulator()]).rstrip() + "\n"


def _product() -> Iterator[str]:
    audit = _command("audit")
    yield _examples("")
    yield "## Global options\n\nThey may be given before or after the command; the one after it wins.\n"
    yield "`--throttle-patience` is given after it, and a run keeps its own.\n"
    yield from _table([*global_options(), patience_option()])
    yield f"## Scope\n\n{_SCOPE_TEXT}\n"
    yield from _table(_only(audit, SCOPE_NAMES))
    yield "## Settings\n"
    yield from _table(_only(audit, SETTINGS_NAMES))
    yield "## Limits of a run\n\nA run keeps them; how they work is in [rings](../how-to/rings-and-budgets.md).\n"
    yield from _table(_only(_command("apply"), _SHARED["Limits of a run"]))
    for name in COMMANDS:
        yield from _section("patchmode", _command(name), name)


def _emulator() -> Iterator[str]:
    assert isinstance(emulator, click.Group)
    yield f"## arm-emulator\n\n{_prose(emulator.help)}\n"
    yield _emulators_examples("")
    shown = dict[str, str]()
    for name in sorted(emulator.commands):
        *before, table = _section("arm-emulator", emulator.commands[name], name)
        yield from before
        yield f"Its options are those of [{shown[table]}](#arm-emulator-{shown[table]}).\n" if table in shown else table
        shown.setdefault(table, name)


def _section(program_name: str, command: click.Command, name: str) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(click.Context(command, info_name=name)))
    yield f"## {program_name} {name}\n\n```text\n{program_name} {name} {pieces}\n```\n\n{_prose(command.help)}\n"
    yield _examples(name) if program_name == "patchmode" else _emulators_examples(name)
    names = {parameter.name for parameter in command.params}
    taken = [title for title, shared in _SHARED.items() if names & shared]
    whole = [title for title in taken if names >= _SHARED[title]]
    if whole:
        anchors = {title: title.lower().replace(" ", "-") for title in whole}
        yield "Takes " + ", ".join(f"[{title.lower()}](#{anchors[title]})" for title in whole) + ".\n"
    shared = GLOBAL_NAMES if program_name == "patchmode" else frozenset({"help"})
    hidden = shared.union(*(_SHARED[title] for title in whole))
    yield from _table(parameter for parameter in command.params if parameter.name not in hidden)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from _section(program_name, found, f"{name} {below}")


def _examples(path: str) -> str:
    lines = "\n\n".join(f"# {example.text}\n{example.line}" for example in EXAMPLES[path])
    return f"<!-- not run: each is run by itself, by the test of the help -->\n```sh\n{lines}\n```\n"


def _emulators_examples(path: str) -> str:
    lines = "\n\n".join(f"# {text}\n{line}" for text, line in EMULATORS[path])
    return f"<!-- not run: each is run by itself, by the test of the help -->\n```sh\n{lines}\n```\n"


def _table(parameters: Iterable[click.Parameter]) -> Iterator[str]:
    rows = list(_rows(parameters))
    if rows:
        yield "\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n"


def _rows(parameters: Iterable[click.Parameter]) -> Iterator[str]:
    for parameter in parameters:
        if not isinstance(parameter, click.Option) or parameter.name == "help":
            continue
        record = parameter.get_help_record(click.Context(click.Command("any")))
        if record is not None:
            option, meaning = (text.replace("|", "\\|") for text in record)
            yield f"| `{option}` | {meaning} |"


def _only(command: click.Command, names: Iterable[str]) -> list[click.Parameter]:
    wanted = set(names)
    return [parameter for parameter in command.params if parameter.name in wanted]


def _command(name: str) -> click.Command:
    command = program.get_command(click.Context(program), name)  # type: ignore[attr-defined]
    assert command is not None
    return command


def _prose(text: str | None) -> str:
    paragraphs = " \n".join((text or "").strip().splitlines()).split("\n \n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def leaf_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command of patchmode that does something, by its path: `schedule next`."""

    def below(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
        if not isinstance(command, click.Group):
            yield path, command
            return
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from below(found, f"{path} {name}".strip())

    yield from below(program, "")


RENDERED: Mapping[Path, Callable[[], str]] = {
    DOCS / "reference" / "cli.md": render_cli,
    DOCS / "reference" / "faults.md": render_faults,
    MANUAL_PAGE: render_manual,
    LIBRARIES_PAGE: render_libraries,
    README: partial(render, README),
    REFERENCE: partial(render, REFERENCE),
    ROUTES_PAGE: render_routes,
    RULES_PAGE: render_rules,
}


def write_pages(pages: Iterable[Path] = RENDERED) -> None:
    """Write the generated pages over what is there."""
    for page in pages:
        page.write_text(RENDERED[page](), encoding="utf-8")


if __name__ == "__main__":
    write_pages()
