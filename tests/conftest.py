"""For every test: an environment without anybody's Azure settings, and hypothesis without deadlines.

Two profiles, chosen by HYPOTHESIS_PROFILE: `repeatable` (the default) draws the same examples each time, so that a
change is judged by what it changed; `long` draws many new ones (`make slow`).
"""

import gc
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from importlib.util import cache_from_source, spec_from_file_location
from pathlib import Path
from py_compile import compile as write_bytecode
from types import ModuleType
from typing import Any

import pytest
from _pytest.assertion.rewrite import PYC_TAIL, AssertionRewritingHook, get_cache_dir
from hypothesis import settings
from hypothesis.internal.constants_ast import constants_from_module, is_local_module_file

_SETTINGS = ("AZURE_", "ARM_", "PATCHMODE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_OURS = frozenset({"PATCHMODE_RECORDINGS", "PATCHMODE_MEASURED"})
"""What tests/contract reads, and no command."""

for _name in list(os.environ):
    if _name.upper().startswith(_SETTINGS) and _name not in _OURS:
        del os.environ[_name]

# Where the environment forbids bytecode, every process that a test starts would compile the whole program again, and
# every worker the tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("repeatable", deadline=None, print_blob=True, derandomize=True, max_examples=40)
settings.register_profile("long", deadline=None, print_blob=True, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


_TESTS = Path(__file__).parent


@contextmanager
def _nothing_is_collected() -> Iterator[None]:
    """While modules are read and tests are made nothing becomes garbage that is worth looking for."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.hookimpl(trylast=True)  # hypothesis keeps nothing before its own turn
def pytest_sessionstart(session: pytest.Session) -> None:
    """Write what a fresh checkout lacks, each worker a part of it: else each would make all of it, at one time."""
    worker: dict[str, Any] | None = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    found = (path for folder in (_TESTS.parent / "src", _TESTS) for path in folder.rglob("*.py"))
    every = sorted(path for path in found if "node_modules" not in path.parts)
    with _nothing_is_collected():
        for path in every[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
            if path.name.startswith(("test_", "conftest.")):
                _write_rewritten(path)
            elif not Path(cache_from_source(str(path))).exists():
                write_bytecode(str(path), quiet=2)
                _write_constants(path)


def _write_rewritten(path: Path) -> None:
    """Let pytest write the bytecode of a test, with its asserts: without builtins nothing of it is run."""
    hook = next((one for one in sys.meta_path if isinstance(one, AssertionRewritingHook)), None)
    if hook is None or (get_cache_dir(path) / f"{path.stem}{PYC_TAIL}").exists():
        return
    module = ModuleType(path.stem)
    module.__spec__ = spec_from_file_location(path.stem, path, loader=hook)
    module.__dict__["__builtins__"] = {}
    with suppress(ImportError):
        hook.exec_module(module)


def _write_constants(path: Path) -> None:
    """Let hypothesis note the constants of a module of the program, which it likes to draw."""
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    if is_local_module_file(module.__file__):
        constants_from_module(module)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """See `_nothing_is_collected`."""
    with _nothing_is_collected():
        return (yield)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: no collection of garbage needs to look at it again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Libraries count what is left of theirs at the end of the process."""
    gc.unfreeze()
