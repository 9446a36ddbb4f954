"""What the pages show is run: every marked block, its exit code, and the excerpts of its output."""

import ast
import inspect
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.docs.conftest import Terminal, plain, undated
from tests.docs.pages import DOCS, PAGES, ROOT, blocks, fleet_of, name_of

RUN_PAGES = [page for page in PAGES if any(block.is_run for block in blocks(page))]


@pytest.mark.skipif(shutil.which("sh") is None, reason="the pages' commands are for a POSIX shell")
@pytest.mark.parametrize("page", RUN_PAGES, ids=name_of)
def test_the_commands_of_a_page_do_what_it_says(terminal: Callable[[str], Terminal], page: Path) -> None:
    """An example that no longer works is worse than none."""
    wrong = _what_is_wrong(page, terminal(fleet_of(page)))
    assert wrong is None, wrong


def _what_is_wrong(page: Path, shell: Terminal) -> str | None:
    """The first example of a page that does not do as the page says; None: all do."""
    printed = ""
    for block in blocks(page):
        if block.is_run:
            done = shell.run(block.text, last_code=block.exit_code)
            printed = plain(done.text)
            if done.code != block.exit_code:
                return f"{block.where} ended with {done.code} instead of {block.exit_code}:\n{done.text}"
        elif block.is_output:
            same = undated if block.are_dates_aside else str
            if line := _not_printed(same(block.text), same(printed)):
                return f"{block.where}: {line!r} is not printed, or not there:\n{printed}"
    return None


def _not_printed(excerpt: str, printed: str) -> str | None:
    """The first line of an excerpt that is not found behind those before it; None: all are there."""
    rest = iter(printed.splitlines())
    for line in plain(excerpt).splitlines():
        if line.strip() in {"", "…"}:
            continue
        shown, is_cut = line.rstrip().removesuffix("…").rstrip(), line.rstrip().endswith("…")
        if not any(_same(shown, other, is_cut) for other in rest):
            return line
    return None


def _same(shown: str, printed: str, is_cut: bool) -> bool:
    # The width of a table's columns hangs on what stands in them.
    one, other = " ".join(shown.split()), " ".join(printed.split())
    return other.startswith(one) if is_cut else one == other


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CONTRIBUTING.md"], ids=name_of)
def test_every_block_of_commands_says_whether_it_is_run(page: Path) -> None:
    """So that nobody has to guess which examples are known to work; a reason is owed for those that are not."""
    for block in blocks(page):
        if block.language == "sh":
            assert block.is_run or re.fullmatch(r"not run: \w.+", block.mark), f"{block.where} has no mark"
        else:
            assert not block.is_run, f"{block.where}: only sh blocks are run"


def test_the_quick_start_and_the_readme_are_run() -> None:
    """The convention must not be met by marking everything as not run."""
    ran = [block for page in RUN_PAGES for block in blocks(page) if block.is_run]
    assert {"README.md", "docs/quickstart.md"} <= {name_of(block.page) for block in ran}
    assert len([block for block in ran if block.page == ROOT / "docs/quickstart.md"]) >= 6


@pytest.mark.parametrize(
    ("printed", "missing"),
    [
        ("zero\none two\nand\nthree four\n", None),
        ("one two\n", "three fo…"),
        ("three four\none two\n", "three fo…"),
        ("one two three\nthree four\n", "one  two"),
    ],
    ids=["all there", "cut short", "another order", "more on the line"],
)
def test_what_an_excerpt_asks_for(printed: str, missing: str | None) -> None:
    """Order counts, width of columns does not, and a cut line must begin the same."""
    assert _not_printed("one  two\n…\nthree fo…\n", printed) == missing


def test_the_library_example_of_the_readme_runs(terminal: Callable[[str], Terminal]) -> None:
    """With the target and the subscription of the local server in place of the reader's."""
    (example,) = (block.text for block in blocks(ROOT / "README.md") if block.language == "python")
    shell = terminal("demo")
    example = example.replace('"AzureCloud"', repr(shell.endpoint)).replace('"Production"', '"Contoso Production"')
    (shell.folder / "example.py").write_text(example, encoding="utf-8")
    done = shell.run("python example.py")
    assert done.code == 0, done.text
    assert "web-01 AutomaticByOS guest-managed" in done.text


async def test_the_cells_of_the_library_page_run_as_in_a_notebook(
    terminal: Callable[[str], Terminal], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one namespace, where a loop runs already, and with `await` outside a function, as IPython compiles cells."""
    page = DOCS / "how-to" / "use-from-python.md"
    shell, names, ran = terminal("demo"), dict[str, Any](), 0
    for name, value in shell.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(shell.folder)
    printed = ""
    for block in blocks(page):
        if block.language == "python":
            cell = block.text.replace('"AzureCloud"', repr(shell.endpoint))
            result = eval(compile(cell, block.where, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
            if inspect.isawaitable(result):
                await result
            printed, ran = capsys.readouterr().out, ran + 1
        elif block.is_output:
            assert _not_printed(block.text, printed) is None, f"{block.where}: printed was {printed}"
    assert ran == 4
