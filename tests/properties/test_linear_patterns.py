"""Every regular expression of the program takes time in proportion to the text, whatever the text is.

One that does not is a switch to stop the program for whoever writes the text: a page of a gateway of 192 kB kept the
event loop busy for 41 s. Steps are counted, and no time is taken.
"""

import ast
import fnmatch
import importlib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from tests.properties.pattern_steps import growth
from tests.sources import SOURCE, trees

from arm_emulator.kql.regexes import term_pattern
from arm_emulator.wildcards import wildcard
from patchmode.arm import failures
from patchmode.cli.demonstration import short_story
from patchmode.rules.eligibility import images
from patchmode.rules.scrubbing import texts as scrubbing

LINEAR = 2.8
"""Between 2, for steps in proportion to the text, and 4, for their square."""
CALLS = {"compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
FLAGS_AT = {"compile": 1, "search": 2, "match": 2, "fullmatch": 2, "findall": 2, "finditer": 2, "split": 3}
ANCHORED = {"match", "fullmatch"}


@dataclass(frozen=True)
class Pattern:
    """An expression, and how it is used."""

    place: str
    text: str
    flags: int
    how: str


def image_patterns() -> Iterator[str]:
    """Those with a wildcard; the others are names one beside the other."""
    for entry in images._document().values():
        for row in entry.get("rows", ()) if isinstance(entry, dict) else ():
            for key in ("offer", "sku", "not_offer", "not_sku"):
                if any("*" in name for name in row.get(key, ())):
                    yield images._any_of(row[key]).pattern


@dataclass(frozen=True)
class Made:
    """A call whose expression is only known when it is made: with what a test makes it, or why that is not needed."""

    examples: tuple[str, ...] = ()
    reason: str = ""
    how: str = "search"


OWN_QUERY = "a query that the emulator's own user writes, as it stands; Azure's engine has its own bounds"
STORY_PATTERNS = tuple(dict.fromkeys((*short_story._RUN, *short_story._SCHEDULE, "~ ", "Now and after")))
MADE = {
    "arm_emulator/faults.py:_arm": Made((fnmatch.translate("*/a*/b*c"),), how="match"),
    "arm_emulator/wildcards.py:wildcard": Made(
        tuple(wildcard(text).pattern for text in ("*", "a*a*a*b", "*a*/*a*")), how="fullmatch"
    ),
    "arm_emulator/kql/functions_text.py:_replace_strings": Made(reason=OWN_QUERY),
    "arm_emulator/kql/patterns.py:_pattern": Made(reason=OWN_QUERY),
    "arm_emulator/kql/regexes.py:compile_pattern": Made(reason=OWN_QUERY),
    "arm_emulator/kql/regexes.py:term_pattern": Made(
        (term_pattern("aa", prefix=True, suffix=True, case=False).pattern,),
    ),
    "patchmode/arm/failures.py:_advice_on_missing": Made(tuple(mark for mark, _ in failures._MISSED_BY_PATH)),
    "patchmode/arm/governor.py:compute_remaining": Made((r"/UpdateVMSubscriptionMaximum;(\d+)",)),
    "patchmode/cli/demonstration/telling.py:cut": Made(STORY_PATTERNS, how="match"),
    "patchmode/cli/demonstration/telling.py:_ends": Made(STORY_PATTERNS, how="match"),
    "patchmode/reports/text/left_alone.py:without": Made((r"(?<![\w.-])web\-01(?![\w-])", "/a/b")),
    "patchmode/rules/scrubbing/texts.py:_any_of": Made((scrubbing._any_of(["aa", "a-a", "aab", "a.*"]).pattern,)),
    "patchmode/rules/eligibility/images.py:_any_of": Made(tuple(dict.fromkeys(image_patterns())), how="fullmatch"),
}
"""`package/module.py:function` → how its expressions are made, or why that is no matter."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path, tree in trees().items():
        yield path.relative_to(SOURCE).as_posix(), tree


def namespace(path: str) -> dict[str, Any]:
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return vars(importlib.import_module(name))


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Each call of `re`, with the name of the function that it stands in."""

    def within(node: ast.AST, function: str) -> Iterator[tuple[str, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            if (
                isinstance(child, ast.Call)
                and isinstance(child.func, ast.Attribute)
                and isinstance(child.func.value, ast.Name)
                and child.func.value.id == "re"
                and child.func.attr in CALLS
            ):
                yield inner, child
            yield from within(child, inner)

    yield from within(tree, "")


def valued(node: ast.expr | None, names: dict[str, Any]) -> Any:
    """The value of an expression of module level.

    Raises:
        NameError: it depends on what is only known within a function.
    """
    if node is None:
        return 0
    return eval(compile(ast.Expression(node), "<pattern>", "eval"), names)


def flags_of(call: ast.Call, method: str, names: dict[str, Any]) -> int:
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "flags"), None)
    at = FLAGS_AT.get(method, 4)
    return int(valued(given or (call.args[at] if len(call.args) > at else None), names))


def uses(tree: ast.Module, name: str) -> set[str]:
    """The methods of `re.Pattern` that are called on a constant, or on one taken out of a table."""
    where = [tree] if name.startswith("_") else [one for _, one in modules()]
    return {method for one in where for method in _called_on(one).get(name, ())} or _methods_in(tree)


@cache
def _called_on(tree: ast.Module) -> Mapping[str, set[str]]:
    """Of each name in a module, the methods of `re.Pattern` that are called on it or on one taken out of it."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CALLS:
            holder = node.value.value if isinstance(node.value, ast.Subscript) else node.value
            if isinstance(holder, ast.Name):
                found.setdefault(holder.id, set()).add(node.attr)
    return found


def _methods_in(tree: ast.Module) -> set[str]:
    """What a module does with expressions that it hands around: `for form in (_ONE, _OTHER): form.fullmatch(…)`."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in nodes if not (isinstance(node.value, ast.Name) and node.value.id == "re")} & (
        CALLS - {"split", "compile"}
    )


def how_used(tree: ast.Module, call: ast.Call) -> str:
    """`search` unless every use of the constant that it makes is anchored."""
    for name, node in _named(tree):
        if any(one is call for one in ast.walk(node)):
            methods = uses(tree, name)
            if methods and methods <= ANCHORED:
                return "match" if "match" in methods else "fullmatch"
    return "search"


@cache
def _named(tree: ast.Module) -> list[tuple[str, ast.AST]]:
    """What gives a value to a name, in the order of `ast.walk`."""
    found = []
    for node in ast.walk(tree):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name):
            found.append((target.id, node))
    return found


def tabled(value: Any) -> Iterator[re.Pattern[str]]:
    """Every compiled expression within tables, however deep."""
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, re.Pattern):
            yield one
        elif isinstance(one, tuple | list):
            yield from tabled(one)


def patterns() -> Iterator[Pattern]:
    for path, tree in modules():
        for function, call in calls(tree):
            method = call.func.attr  # type: ignore[attr-defined]  # `calls` has looked
            how = how_used(tree, call) if method == "compile" else method if method in ANCHORED else "search"
            place = f"{path}:{function}" if function else path
            try:
                text, flags = valued(call.args[0], namespace(path)), flags_of(call, method, namespace(path))
            except NameError:
                if not function:
                    # Made one by one in a table of the module, where it stands compiled.
                    yield from (Pattern(place, one.pattern, one.flags, "search") for one in tabled(namespace(path)))
                    continue
                made = MADE.get(place)
                assert made is not None, f"{place}:{call.lineno} makes an expression that nobody has looked at"
                yield from (Pattern(place, example, 0, made.how) for example in made.examples)
            else:
                yield Pattern(f"{place}:{text[:60]}", text, flags, how)


def test_each_takes_time_in_proportion_to_the_text() -> None:
    """One test for all: what is found in the sources would else be looked for by every worker that collects tests."""
    found = list(dict.fromkeys(patterns()))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        slow = [one.place for one in found if growth(one.text, one.flags, one.how) >= LINEAR]
    finally:
        sys.setrecursionlimit(limit)
    assert slow == []
    assert len(found) > 200


def test_each_place_that_was_looked_at_is_still_there() -> None:
    there = {f"{path}:{function}" for path, tree in modules() for function, _ in calls(tree)}
    assert MADE.keys() <= there


@pytest.mark.parametrize(
    ("text", "how"),
    [
        (r"<(?:style|script)\b.*?</(?:style|script)>|<[^>]+>", "search"),
        (r"(a+)+b", "match"),
        (r"(?:a|aa)+b", "fullmatch"),
        (r"\s*,?\s*$", "fullmatch"),
        (r"\d+x", "search"),
        (r".*a.*b", "match"),
    ],
)
def test_expressions_that_are_known_to_be_slow_are_found(text: str, how: str) -> None:
    assert growth(text, re.DOTALL, how) > LINEAR


@pytest.mark.parametrize(
    ("text", "how"),
    [(r"[a-z]+", "fullmatch"), (r"a{2,5}b", "search"), (r"(?:[^']|'')*'", "match"), (r"x", "search")],
)
def test_expressions_that_are_known_to_be_quick_are_not(text: str, how: str) -> None:
    assert growth(text, 0, how) < LINEAR
