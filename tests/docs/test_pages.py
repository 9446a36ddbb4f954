"""The pages themselves: links resolve, nothing is bound to a machine, every command line that is shown exists."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest
from tests.cli import forked
from tests.docs import pictures
from tests.docs.conftest import plain, undated
from tests.docs.pages import DOCS, PAGES, ROOT, anchors, blocks, command_lines, links, name_of, programs, prose, read

from arm_emulator.cli import main as emulator
from patchmode.cli.main import program
from patchmode.cli.options import global_options, patience_option

_PROGRAMS: dict[str, click.Command] = {"patchmode": program, "arm-emulator": emulator}
_GLOBAL = {name for option in [*global_options(), patience_option()] for name in option.opts} | {
    "--help",
    "-h",
    "--version",
}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Inside the project, to files and headings that exist."""
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {link}"
        assert target.is_relative_to(ROOT), f"{name_of(page)} links out of the project: {link}"
        if anchor:
            assert anchor in anchors(target), f"{name_of(page)} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_are_bound_to_no_machine(page: Path) -> None:
    """No folder of the machine they were written on, no registry, no address that is not a placeholder."""
    text = read(page)
    assert not re.search(r"/(home|root|work|Users)/\w|[A-Z]:\\Users\\\w", text)
    hosts = re.findall(r"https?://([\w.-]+)", text)
    allowed = re.compile(r"(localhost|management\.(azure\.com|usgovcloudapi\.net|chinacloudapi\.cn)|[\w.]+\.example)")
    named = {"keepachangelog.com", "semver.org"} if page.name == "CHANGELOG.md" else set()
    assert [host for host in hosts if not allowed.fullmatch(host) and host not in named] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_command_lines_that_are_shown_exist(page: Path) -> None:
    """Commands and options, also in examples that are not run and in code within a sentence."""
    for where, line in command_lines(page):
        for words in _calls(line):
            _check_call(words, where)


def _calls(line: str) -> Iterator[list[str]]:
    """The calls of our programs in a command line, each from the program's name on."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return  # a fragment in a sentence, not a command line
    starts = [
        place
        for place, word in enumerate(words)
        # `from patchmode import …` and `pip install patchmode` are no calls of it.
        if _name(word) in _PROGRAMS and (place == 0 or words[place - 1] not in {"from", "import", "install"})
    ]
    for start, end in pairwise([*starts, len(words)]):
        yield [_name(words[start]), *words[start + 1 : end]]


def _name(word: str) -> str:
    return re.split(r"[/\\]", word)[-1]


def _check_call(words: list[str], where: str) -> None:
    name, *rest = words
    command, options = _PROGRAMS[name], set(_GLOBAL)
    for word in rest:
        if word in {"|", "||", "&&", ";", ">", "--"}:
            return
        if isinstance(command, click.Group) and re.fullmatch(r"[a-z-]+", word) and not word.startswith("-"):
            found = command.get_command(click.Context(command), word)
            if found is None:
                assert command is not _PROGRAMS[name], f"{where}: {name} has no command {word!r}"
                continue
            command = found
            options |= {spelling for parameter in command.params for spelling in parameter.opts}
        elif word.startswith("-") and word != "-":
            spelling = word.split("=")[0].rstrip(".,;:…")
            assert spelling in options, f"{where}: {name} {command.name} has no option {spelling}"


def test_every_page_is_reached_from_the_index() -> None:
    """A page that nothing leads to is not read. Decisions are a folder of their own, with an index of their own."""
    index = DOCS / "README.md"
    reached = {(DOCS / link.partition("#")[0]).resolve() for link in links(index)}
    decisions = set((DOCS / "decisions").glob("0*.md"))
    assert set(DOCS.rglob("*.md")) - decisions - {index} <= reached


def test_decisions_are_numbered_one_after_another() -> None:
    """Each number once, and the heading has the file's: code and pages name a decision by it."""
    found = sorted((DOCS / "decisions").glob("0*.md"))
    assert [int(path.name[:4]) for path in found] == list(range(1, len(found) + 1))
    assert [read(path).split(".")[0] for path in found] == [f"# {number}" for number in range(1, len(found) + 1)]


def test_the_changelog_tells_nothing_twice() -> None:
    """A line that was rewritten on two branches is easily kept in both forms; their first words tell it."""
    told = [line[:60] for line in read(ROOT / "CHANGELOG.md").splitlines() if line.startswith("- ")]
    assert sorted(line for line in set(told) if told.count(line) > 1) == []


README = ROOT / "README.md"


@pytest.mark.parametrize("page", [README, DOCS / "quickstart.md", *sorted((DOCS / "how-to").glob("*.md"))], ids=name_of)
def test_sentences_stand_on_lines_of_their_own(page: Path) -> None:
    """One sentence a line: a change of a sentence is then a change of a line."""
    for line in prose(page).splitlines():
        if line.startswith(("|", "#", ">", "<!--")):
            continue
        text = re.sub(r"`[^`]*`|\([^)]*\)|\"[^\"]*\"|“[^”]*”", "x", line.removeprefix("- ").strip())
        assert not re.search(r"[a-z)x]\. [A-Z]\w", text), f"{name_of(page)}: {line}"


def test_pages_without_blocks_parse() -> None:
    """The parser sees the marks: the README has blocks of commands, each with one."""
    found = [block for block in blocks(ROOT / "README.md") if block.language == "sh"]
    assert len(found) >= 2
    assert all(block.mark for block in found)


@pytest.mark.parametrize("page", [README, DOCS / "quickstart.md"], ids=name_of)
def test_the_first_commands_need_only_what_is_there_by_then(page: Path) -> None:
    """They are typed first, in a fresh clone: one that ends with 127 is often the last."""
    install, *others = [block for block in blocks(page) if block.language == "sh"]
    targets = re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE)
    assert programs(install) == ["make", "."], install.where
    assert re.findall(r"^make (\S+)", install.text, re.MULTILINE) == ["setup"]
    assert "setup" in targets
    assert "Python 3.11 or newer (with venv), git and make" in read(page).partition(install.text)[0]
    given = set(tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["scripts"])
    # What installs it elsewhere or signs in is named before, as something that the reader has.
    first, *_ = [block for block in others if not set(programs(block)) & {"pipx", "az"}]
    assert set(programs(first)) <= given, first.where
    used = {name for block in others for name in programs(block)} - given
    assert used <= {"pipx", "az", "make"}


def test_the_readme_says_what_it_is_before_how_it_is_rehearsed() -> None:
    """The emulator is a means: a reader who does not know the program yet cannot tell what it is for."""
    before, _, after = read(README).partition("\n## Install\n")
    assert "patchMode = AutomaticByPlatform" in before
    assert "emulator" not in before
    assert "make demo" in after
    assert "make test" in after


def test_every_picture_is_shown_with_a_text_instead() -> None:
    """One that no page shows is never looked at again; and not everybody sees it."""
    shown = [
        (text, (page.parent / target).resolve())
        for page in PAGES
        for text, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", prose(page))
    ]
    assert {path for _, path in shown} == set(pictures.IMAGES.iterdir())
    assert all(text.strip() for text, _ in shown)


@pytest.mark.skipif(not forked.IS_POSSIBLE, reason="it starts the program on a terminal of Linux")
@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_terminal_is_drawn_as_it_prints_today(name: str) -> None:
    """Old words in a picture are found by nobody's search. `make screenshots` draws it."""
    drawn, kept = pictures.draw(name), read(pictures.IMAGES / name)
    assert undated(plain(drawn)) == undated(plain(kept)), "run: python -m tests.docs.pictures"
    # Nothing is loaded from elsewhere when the page is read.
    assert re.findall(r"(?:url|href)[(=]\W?https?:", kept) == []


def test_nothing_installs_the_bare_name_while_it_is_not_published() -> None:
    """It would install whatever somebody else publishes under that name, with the reader's rights in Azure.

    Pages and the definitions to copy alike.
    """
    installs = re.compile(r"\b(?:pipx?|uvx?)\b.*\binstall\b.*(?<![\w./*-])patchmode(?![\w./*-])")
    assert installs.search("- run: pipx install patchmode")
    assert not installs.search("- run: pipx install wheels/patchmode-*.whl")
    texts = [*PAGES, *(path for path in sorted((ROOT / "deploy").iterdir()) if path.is_file())]
    found = [(name_of(path), line) for path in texts for line in read(path).splitlines() if installs.search(line)]
    assert [path for path, line in found if "Once it is published" in line] == ["README.md"]
    assert [(path, line) for path, line in found if "Once it is published" not in line] == []
