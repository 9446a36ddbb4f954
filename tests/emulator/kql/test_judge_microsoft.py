"""Microsoft's own parser and binder as a judge of what is accepted and of the columns' names and types.

Optional: needs Node and `npm --prefix tests/oracles install`; skipped, saying so, without. It judges Kusto, not
Resource Graph, so what Resource Graph alone refuses or allows is left out by name.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from tests.emulator.kql.asking import NOW
from tests.emulator.kql.corpus import CORPUS
from tests.emulator.kql.published import QUERIES, REFUSED

from arm_emulator.kql import KqlError, compile_query

ORACLES = Path(__file__).parents[2] / "oracles"
MODULES = os.environ.get("NODE_PATH", str(ORACLES / "node_modules"))
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    NODE is None or not (Path(MODULES) / "@kusto/language-service-next").is_dir(),
    reason="the judge is absent: install Node and run `npm --prefix tests/oracles install`",
)

# Starts without a table, which Resource Graph alone allows.
WITHOUT_TABLE = {"q30_default_table"}
# Kusto has these operators, Resource Graph does not.
KUSTO_ONLY = {"b06_make_series_unsupported_in_arg", "b07_evaluate"}


@cache
def judged(texts: tuple[str, ...]) -> list[dict[str, list[object]]]:
    """What the judge says of each text, in one run of Node."""
    asked = "\n".join(json.dumps(text) for text in texts)
    answer = subprocess.run(
        [str(NODE), str(ORACLES / "bind.js")], input=asked, capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "NODE_PATH": MODULES},
    )  # fmt: skip
    return [json.loads(line) for line in answer.stdout.splitlines()]


def accepted_texts() -> list[str]:
    published = [text for name, (_, text) in QUERIES.items() if name not in WITHOUT_TABLE]
    return [*published, *CORPUS]


def test_what_we_accept_kusto_accepts_with_the_same_columns() -> None:
    """Names and types of every column, in order."""
    texts = tuple(accepted_texts())
    for text, verdict in zip(texts, judged(texts), strict=True):
        assert not verdict["errors"], text
        columns = compile_query(text, now=NOW).columns
        assert [[column.name, str(column.type)] for column in columns] == verdict["schema"], text


def test_what_we_refuse_kusto_refuses() -> None:
    """Except for the operators that Resource Graph leaves out."""
    names = [name for name in REFUSED if name not in KUSTO_ONLY]
    verdicts = judged(tuple(REFUSED[name][0] for name in names))
    for name, verdict in zip(names, verdicts, strict=True):
        assert verdict["errors"], name


# Text of an expression, its operands' types put in; refused by us or typed as the judge types it.
OPERATIONS: list[Callable[[str, str], str]] = [
    lambda left, right: f"{left} + {right}",
    lambda left, right: f"{left} - {right}",
    lambda left, right: f"{left} < {right}",
    lambda left, right: f"{left} =~ {right}",
    lambda left, right: f"{left} contains {right}",
    lambda left, right: f"{left} and {right}",
]
TYPED = {
    "bool": "tobool(name)", "long": "strlen(name)", "real": "toreal(name)", "string": "name",
    "datetime": "todatetime(name)", "timespan": "totimespan(name)", "guid": "toguid(name)",
}  # fmt: skip

# The binder lets these by; adding two moments, or taking one from a span, means nothing and is refused here.
STRICTER = {
    "resources | project x = todatetime(name) + todatetime(name)",
    "resources | project x = totimespan(name) - todatetime(name)",
}


def test_operators_take_the_types_that_kusto_gives_them() -> None:
    """Every pair of types under every kind of operator: refused by both, or of one type."""
    texts = tuple(
        f"resources | project x = {write(left, right)}"
        for write in OPERATIONS
        for left in TYPED.values()
        for right in TYPED.values()
    )
    for text, verdict in zip(texts, judged(texts), strict=True):
        try:
            found = [[column.name, str(column.type)] for column in compile_query(text, now=NOW).columns]
        except KqlError:
            assert verdict["errors"] or text in STRICTER, text
        else:
            assert not verdict["errors"], text
            assert found == verdict["schema"], text
