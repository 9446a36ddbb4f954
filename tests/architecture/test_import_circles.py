"""No module imports, however far around, a module that imports it; imports for types alone count, too.

What a function imports for itself does not count: it is no need of the module.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
MODULES_IN_CIRCLES = {"arm_emulator": 0, "patchmode": 6}
"""At most so many modules of a package are part of a circle. Only ever lower these: where a circle was opened, this
number follows."""

Graph = dict[str, set[str]]


def _imports(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that a module's own body makes, those under a condition or a guard included."""
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        for part in ("body", "orelse", "finalbody", "handlers"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _imports(getattr(statement, part, []))


def _named(statement: ast.Import | ast.ImportFrom, known: set[str]) -> set[str]:
    if isinstance(statement, ast.Import):
        return {alias.name for alias in statement.names} & known
    deep = {f"{statement.module}.{alias.name}" for alias in statement.names}
    found = deep & known
    return found | ({str(statement.module)} & known if found != deep else set())


def graph_of(modules: dict[str, str]) -> Graph:
    """Which module imports which, of modules by name and text."""
    known = set(modules)
    return {
        name: {target for found in _imports(ast.parse(text).body) for target in _named(found, known)} - {name}
        for name, text in modules.items()
    }


def in_circles(graph: Graph) -> set[str]:
    """The modules that reach themselves."""

    @cache
    def reached(start: str) -> frozenset[str]:
        seen: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting.extend(graph[name])
        return frozenset(seen)

    return {name for name in graph if name in reached(name)}


@pytest.mark.parametrize("package", MODULES_IN_CIRCLES)
def test_no_more_modules_import_in_circles(package: str) -> None:
    """In a circle nothing can be understood, tested or moved alone."""
    modules = {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path.read_text("utf-8")
        for path in (SOURCE / package).rglob("*.py")
    }
    found = in_circles(graph_of(modules))
    assert len(found) <= MODULES_IN_CIRCLES[package], sorted(found)


def test_what_counts_as_a_circle() -> None:
    """Types and conditions count, a function's own import does not."""
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.a import A\n"
    inside = "def f():\n    from p.a import A\n"
    assert in_circles(graph_of({"p.a": "from p import b", "p.b": typed})) == {"p.a", "p.b"}
    assert in_circles(graph_of({"p.a": "import p.b", "p.b": inside})) == set()
    assert in_circles(graph_of({"p.a": "from p.b import x", "p.b": "", "p": "from p.a import A"})) == set()
    guarded = "try:\n    from p.a import A\nexcept ImportError:\n    pass\n"
    assert in_circles(graph_of({"p.a": "from p.c import x", "p.c": "import p.b", "p.b": guarded})) == {
        "p.a",
        "p.b",
        "p.c",
    }
