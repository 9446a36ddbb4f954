"""The public interface: complete, lazy, typed, and its documented example runs."""

import ast
import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.cli.conftest import Start

import patchmode
import patchmode.sync


def test_every_public_name_is_there_and_has_a_docstring() -> None:
    """A name in `__all__` that cannot be imported breaks `from patchmode import *`."""
    for name in patchmode.__all__:
        value = getattr(patchmode, name)
        assert name == "__version__" or value.__doc__, name


def test_what_type_checkers_see_is_what_is_imported_late() -> None:
    """The names stand twice in the file, once for type checkers; they must not drift."""
    tree = ast.parse(Path(patchmode.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (statement.module, alias.name)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert seen == {(module, name) for name, module in patchmode._HOME_OF.items()}
    assert {name for _, name in seen} | {"__version__"} == set(patchmode.__all__)
    assert all(hasattr(importlib.import_module(str(module)), name) for module, name in seen)


def test_importing_the_package_loads_nothing() -> None:
    """A library must not make its user's program slow to start."""
    code = "import sys, patchmode; print([n for n in sys.modules if n.startswith(('patchmode.', 'azure', 'aiohttp'))])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "['patchmode.version']\n"


def test_the_documented_example_runs(start: Start) -> None:
    """An example that does not run is worse than none."""
    program = start("small")
    documentation = patchmode.__doc__ or ""
    example = textwrap.dedent(documentation.partition("Example::\n")[2].partition("\nWhat stands in")[0])
    example = example.replace('"AzureCloud"', repr(program.endpoint))
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=program.folder,
        env={**os.environ, **program.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert "'changes': 3" in done.stdout
    assert "applied=3" in done.stdout
    assert "verified=3" in done.stdout


async def test_the_functions_without_await_read_where_a_loop_runs(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a notebook; and nothing that they do can write."""
    program = start("small")
    for name, value in program.environment.items():
        monkeypatch.setenv(name, value)
    scope = patchmode.Scope(everything=True)
    assert patchmode.sync.audit(scope, cloud=program.endpoint).counts["machines"] == 4
    assert patchmode.sync.make_plan(scope, cloud=program.endpoint).counts["changes"] == 3
    assert patchmode.sync.explain("web-01", cloud=program.endpoint).audit.machine.name == "web-01"
    with pytest.raises(patchmode.EmptyScopeError):
        patchmode.sync.explain("web-99", cloud=program.endpoint)


def test_ctrl_c_ends_the_reading_too() -> None:
    """Not only the waiting for it. In a process of its own: who measures holds locks that a signal leaves locked."""
    code = """
        import asyncio, contextlib, os, signal, patchmode, patchmode.sync

        @contextlib.asynccontextmanager
        async def connect(cloud, *, read_only):
            try:
                await asyncio.sleep(0.2)  # until who called waits for the answer
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.Event().wait()
                yield
            finally:
                print("ended", cloud, read_only, flush=True)

        patchmode.connect = connect
        try:
            patchmode.sync.audit(patchmode.Scope(everything=True))
        except KeyboardInterrupt:
            print("interrupted")
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.split("\n"), done.stderr) == (["ended AzureCloud True", "interrupted", ""], "")
