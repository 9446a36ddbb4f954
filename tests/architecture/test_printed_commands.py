"""Every command about a run that is printed carries the run's id: found in the sources, so that none is forgotten."""

import ast
import re
from collections.abc import Iterator

import pytest
from tests.sources import SOURCE, product

from patchmode.model.run import with_run

PRODUCT = SOURCE / "patchmode"
COMMAND = re.compile(r"patchmode (?:runs resume|runs show|verify|rollback)(?![-\w])")
FILLED_IN = re.compile(r"`patchmode (?:runs resume|runs show|verify|rollback)`")
"""What `with_run` puts the id into: the command alone, between backticks."""
NAMED = re.compile(
    r"patchmode (?:runs resume|runs show|verify|rollback) (?:RUN|FILE|latest|\{\}|\{\{ (?:report\.)?run \}\})"
)
"""With an id, or with a word in capitals where the text is about any run."""
OF_NO_RUN = {"cannot be undone by `patchmode rollback`", "by `patchmode rollback` either"}
"""Said of a plan that no run has carried out yet."""
GETS_ITS_ID_HERE = {"workflow", "reports/formats/recorded.py", "reports/formats/run_record.py"}
"""Advice that is told of a run only, by `make_report`, `apply_plan` and `run_record`."""


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each text that the program may print: line and text, values as `{}`; docstrings are for developers."""
    nodes = [*ast.walk(tree)]
    inner = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    stated = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values)
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (inner | stated):
            yield node.lineno, node.value


def _printed() -> Iterator[tuple[str, str]]:
    """Where, and the text, of everything printed that names such a command."""
    for path, tree in product().items():
        if path == PRODUCT / "cli/examples.py":
            continue  # what the help shows is said of no run
        for line, text in _texts(tree):
            if COMMAND.search(text):
                yield f"{path.relative_to(PRODUCT).as_posix()}:{line}", text
    for path in sorted(PRODUCT.rglob("*.html")):
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if COMMAND.search(text):
                yield f"{path.relative_to(PRODUCT).as_posix()}:{number}", text


def _without_id(place: str, text: str) -> Iterator[str]:
    """What is wrong with the commands of a text."""
    if any(said in text for said in OF_NO_RUN):
        return
    for match in COMMAND.finditer(text):
        rest = text[match.start() :]
        is_named = NAMED.match(rest) is not None
        is_filled = FILLED_IN.match(text[max(0, match.start() - 1) :]) is not None
        if is_filled and not any(place.startswith(one) for one in GETS_ITS_ID_HERE):
            yield f"{place} prints {rest[:40]!r} of no run"
        if not is_named and not is_filled:
            yield f"{place} prints {rest[:60]!r} without the run's id"


def test_each_carries_the_id_of_its_run() -> None:
    """Without one it takes the latest run, which may be another."""
    found = [*_printed()]
    assert [wrong for place, text in found for wrong in _without_id(place, text)] == []
    assert len(found) > 20
    assert {place.split("/")[0] for place, _ in found} >= {"cli", "console", "reports", "store", "workflow"}


@pytest.mark.parametrize(
    ("place", "text", "says"),
    [
        ("cli/x.py:1", "Look: patchmode verify", "cli/x.py:1 prints 'patchmode verify' without the run's id"),
        ("cli/x.py:1", "`patchmode rollback`", "cli/x.py:1 prints 'patchmode rollback`' of no run"),
        (
            "workflow/x.py:1",
            "patchmode runs show RUN, patchmode verify now",
            "'patchmode verify now' without the run's id",
        ),
    ],
)
def test_one_without_it_is_found(place: str, text: str, says: str) -> None:
    """A check over all files that finds nothing anywhere must be seen to find something."""
    (found,) = _without_id(place, text)
    assert says in found


@pytest.mark.parametrize("command", ["runs resume", "runs show", "verify", "rollback"])
def test_what_is_filled_in_is_what_is_looked_for_here(command: str) -> None:
    run = "20261130T080000000Z-0123ab"
    assert with_run(f"Look: `patchmode {command}`.", run) == f"Look: `patchmode {command} {run}`."
    assert with_run(f"Look: `patchmode {command}`.", "") == f"Look: `patchmode {command} RUN`."
    assert with_run(f"`patchmode {command} {run}`", "other") == f"`patchmode {command} {run}`"
