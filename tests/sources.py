"""The program's own source, parsed once in a process: several tests look through all of it."""

import ast
import gc
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

SOURCE = Path(__file__).resolve().parents[1] / "src"


@cache
def trees() -> Mapping[Path, ast.Module]:
    """Each module of both packages by its path, in the order of the paths. Nobody changes a tree: others read it."""
    paths = sorted(SOURCE.rglob("*.py"))
    # A million nodes that stay: the collection of garbage would look at all of them again and again.
    gc.disable()
    try:
        return MappingProxyType({path: ast.parse(path.read_text(encoding="utf-8")) for path in paths})
    finally:
        gc.enable()
        gc.freeze()


def product() -> Mapping[Path, ast.Module]:
    """Those of `patchmode` alone."""
    return {path: tree for path, tree in trees().items() if path.is_relative_to(SOURCE / "patchmode")}
