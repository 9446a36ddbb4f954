"""The house rules that no linter checks: sizes, strangers, no test mode, no machine-bound text."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sources import product

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_files_and_functions_stay_small() -> None:
    """Large files and functions are where every comparable project went wrong first."""
    offenders = [found for path in SOURCES for found in _too_large(path)]
    assert not offenders, "\n".join(offenders)


def _too_large(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if (lines := text.count("\n")) > MAX_FILE_LINES:
        yield f"{_relative(path)} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{_relative(path)}:{node.lineno} {node.name} has {length} lines"


def test_what_is_too_large_is_told_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check over all files that finds nothing anywhere must be seen to find something."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "long.py"
    path.write_text("\n" * 441 + "def long():\n" + "    pass\n" * 60, encoding="utf-8")
    assert list(_too_large(path)) == ["long.py has 502 lines", "long.py:442 long has 61 lines"]
    path.write_text("\n" * 440 + "def long():\n" + "    pass\n" * 59, encoding="utf-8")
    assert list(_too_large(path)) == []


def test_the_product_does_not_know_that_it_is_tested() -> None:
    """Code that behaves otherwise under test is code that no test has seen."""
    words = re.compile(r"\b(pytest|unittest|hypothesis|mock|PYTEST_CURRENT_TEST|arm_emulator)\b")
    offenders = {
        f"{_relative(path)}:{number}"
        for path in (ROOT / "src/patchmode").rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    }
    assert offenders == set()


def test_import_contracts_hold() -> None:
    """Who may know whom is written in .importlinter."""
    script = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([script, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_requirements_hold_no_addresses() -> None:
    """A lock file that records hosts would tie the project to one registry."""
    for path in (ROOT / "requirements").glob("*.txt"):
        assert not re.search(r"https?://|file:|--(extra-)?index|--find", path.read_text(encoding="utf-8"))


def test_only_the_command_line_prints_or_exits() -> None:
    """Results go to standard output and nothing else does, so one room owns it."""
    offenders = set()
    for path, tree in product().items():
        if "cli" in path.parts:
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name in {"print", "sys.exit", "exit", "quit", "os._exit", "SystemExit"}:
                offenders.add(f"{_relative(path)}:{node.lineno} {name}")
    assert offenders == set()


def test_one_module_decides_exit_codes() -> None:
    """A code chosen beside the others is one that no table tells. The demonstration names those it expects."""
    stories = [f"demonstration/{name}.py" for name in ("short_story", "whole_story", "telling")]
    may_name_them = {ROOT / "src/patchmode/cli" / name for name in ("exits.py", *stories)}
    for path, tree in product().items():
        if path in may_name_them:
            continue
        named = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and re.fullmatch(r"(exits\.)?Exit\.[A-Z]+", ast.unparse(node))
        ]
        # The third Ctrl-C leaves the process from within a signal handler.
        leaves_at_once = path.name == "running.py"
        assert len(named) <= leaves_at_once, f"{_relative(path)} chooses exit codes of its own"


def test_no_command_returns_a_bare_number() -> None:
    """Each returns what `cli/exits.py` made of its result, and its annotation lets mypy hold it to that."""
    commands = 0
    for path, tree in product().items():
        for node in ast.walk(tree) if "cli" in path.parts else ():
            if not isinstance(node, ast.FunctionDef):
                continue
            if not any("Command" in ast.unparse(one) for one in node.decorator_list):
                continue
            commands += 1
            assert node.returns is not None
            assert ast.unparse(node.returns).removeprefix("exits.") == "Exit", f"{_relative(path)} {node.name}"
    assert commands > 20


def test_verification_switches_do_not_exist() -> None:
    """There is no way to turn TLS checks off and none that allows plain http."""
    for path in (ROOT / "src/patchmode").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"verify\s*=\s*False|CERT_NONE|enforce_https\s*=\s*False|check_hostname\s*=\s*False", text
        ), path
