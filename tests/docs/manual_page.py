"""The manual page `patchmode(1)`, made from the programs' own help: one page for all commands.

It is written in man(7), whose readers are mandoc and groff, in ASCII: other letters are `\\[uXXXX]`.
Must not: say anything that the help does not say.
"""

import re
from collections.abc import Iterable, Iterator
from textwrap import wrap

import click
from tests.docs.pages import DOCS

from patchmode.cli.configuring import KEYS
from patchmode.cli.examples import EXAMPLES
from patchmode.cli.exits import ENDS, MEANINGS
from patchmode.cli.group import path_of, section_of
from patchmode.cli.main import program
from patchmode.cli.options import GLOBAL_NAMES, SCOPE_NAMES, SETTINGS_NAMES, global_options, patience_option
from patchmode.version import __version__

PAGE = DOCS / "man" / "patchmode.1"
_WIDTH = 79
_SHARED = {"SCOPE": SCOPE_NAMES, "SETTINGS": SETTINGS_NAMES}
_FILES = (
    ("~/.config/patchmode/config.toml", "Defaults of options; PATCHMODE_CONFIG names another file."),
    ("~/.local/state/patchmode", "Journals of runs and plans of apply, unless --state-dir names another folder."),
)


def render_manual() -> str:
    """The page's text."""
    lines = [
        r".\" Made by `make docs` from the help of the program; do not edit it.",
        f'.TH PATCHMODE 1 "" "patchmode {__version__}" "patchmode"',
        *_section("NAME", [f"patchmode \\- {_text((program.help or '').rstrip('.'))}"]),
        *_section("SYNOPSIS", [".B patchmode", r"[\fIglobal options\fR] \fIcommand\fR [\fIoptions\fR]"]),
        *_section("DESCRIPTION", [_text(" ".join((program.epilog or "").split()))]),
        *_section("GLOBAL OPTIONS", _options([*global_options(), patience_option()])),
        *_section("SCOPE", _options(_only("audit", SCOPE_NAMES))),
        *_section("SETTINGS", _options(_only("audit", SETTINGS_NAMES))),
        ".SH COMMANDS",
        *_commands(program, click.Context(program, info_name="patchmode")),
        *_section("EXIT STATUS", _tagged((str(int(code)), text) for code, text in MEANINGS.items())),
        *_section("ENVIRONMENT", _tagged(_variables())),
        *_section("FILES", _tagged(_FILES)),
        *_section("EXAMPLES", _examples("")),
        *_section("SEE ALSO", [r".BR az (1)"]),
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f".SH {title}"
    yield from lines


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        own = click.Context(command, parent=context, info_name=name)
        yield from _command(command, own)
        if isinstance(command, click.Group):
            yield from _commands(command, own)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f'.SS "{_escaped(context.command_path)}"'
    yield f".B {_escaped(context.command_path)}"
    yield _text(" ".join(command.collect_usage_pieces(context))) or r"\&"
    for paragraph in re.split(r"\n\s*\n", (command.help or "").strip()):
        yield ".PP"
        yield _text(" ".join(paragraph.split()))
    names = {param.name for param in command.params}
    taken = [title for title, shared in _SHARED.items() if names >= shared]
    if taken:
        yield ".PP"
        yield _text(f"Takes the options under {' and '.join(taken)}.")
    hidden = GLOBAL_NAMES.union(*(_SHARED[title] for title in taken))
    yield from _options(param for param in command.params if param.name not in hidden)
    path = path_of(context)
    if path in ENDS:
        yield ".PP"
        yield "Exit status:"
        yield from _tagged((str(int(code)), text) for code, text in ENDS[path].items())
    if path in EXAMPLES:
        yield from _examples(path)


def _options(params: Iterable[click.Parameter]) -> Iterator[str]:
    context = click.Context(click.Command("any"))
    options = [one for one in params if isinstance(one, click.Option) and one.name != "help" and section_of(one)]
    records = (one.get_help_record(context) for one in options)
    yield from _tagged(record for record in records if record is not None)


def _tagged(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for tag, text in pairs:
        yield ".TP"
        yield rf"\fB{_escaped(tag)}\fR"
        yield _text(text.replace("`", ""))


def _examples(path: str) -> Iterator[str]:
    for number, example in enumerate(EXAMPLES[path]):
        if path or number:
            yield ".PP"
        yield _text(example.text)
        yield from (".RS 4", ".nf", *(_escaped(line) for line in example.line.splitlines()), ".fi", ".RE")


def _variables() -> Iterator[tuple[str, str]]:
    yield "PATCHMODE_CONFIG", "The config file."
    for text, key in KEYS.items():
        yield key.variable, f"As --{text}."
    yield "PATCHMODE_NOTIFY_URL", "The address of a web hook, which is sent a notice."
    yield "PATCHMODE_SHARD", "As --shard."


def _only(name: str, names: frozenset[str]) -> list[click.Parameter]:
    command = program.get_command(click.Context(program), name)
    assert command is not None
    return [param for param in command.params if param.name in names]


def _text(text: str) -> str:
    r"""A text in lines of at most 80 letters, in which nothing is a request, an escape, or a hyphen of another kind."""
    lines = wrap(_escaped(text), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in lines)


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    escaped = escaped.replace("~", "\\(ti").replace("^", "\\(ha").replace('"', "\\(dq")
    return "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in escaped)
