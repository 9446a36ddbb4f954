"""How much of the house a reader passes through: files and functions that run in a command, and what the source holds.

Must not: judge beauty. It counts.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from benchmarks.rows import Row, at_most
from benchmarks.stage import emulator, uniform_fleet

SOURCE = Path(__file__).parents[1] / "src" / "patchmode"
MACHINES = 3
_COMMANDS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "plan": (("plan", "--all", "--out", "plan.json"), 52),
    "audit": (("audit", "--all", "-o", "json"), 42),
    "apply plan.json --yes": (("apply", "plan.json", "--yes"), 56),
    "report -o html": (("report", "--all", "-o", "html", "--out", "report.html"), 50),
}
"""Command as the table names it → its arguments, and how many files may run in it."""
_MOST_FUNCTIONS = 420
_WIRE = "the noun's members as JSON has them: camelCase, ids and shards as text, nothing defaulted"
_READ = "the document is read back, and refuses members that it does not know; the noun needs no JSON library"
TWO_ON_PURPOSE: Mapping[frozenset[str], str] = {
    frozenset(("AttachResult", "AttachRow")): _WIRE,
    frozenset(("ChangeResult", "ResultRow")): _WIRE,
    frozenset(("Detachment", "DetachmentRow")): _WIRE,
    frozenset(("LastRun", "LastRunRow")): _WIRE,
    frozenset(("RunPart", "RunPartRow")): _WIRE,
    frozenset(("ScheduleFinding", "ScheduleFindingRow")): _WIRE,
    frozenset(("ThenAttach", "ThenAttachRow")): _WIRE,
    frozenset(("Window", "WindowRow")): _WIRE,
    frozenset(("WindowResult", "WindowResultRow")): _WIRE,
    frozenset(("KeptBy", "KeptByRow")): _READ,
    frozenset(("MachineError", "ErrorRow")): _READ,
    frozenset(("PatchedByNobody", "PatchedByNobodyRow")): _READ,
    frozenset(("Reason", "AuditReason")): _READ,
    frozenset(("WantedSettings", "WantedRow")): _READ,
    frozenset(("Wave", "WaveRow")): _READ,
    frozenset(("WaveCounts", "WaveCountsRow")): _READ,
    frozenset(("RunCounts", "RunCountsRow")): "an earlier report has no `blocked`, which is not the same as none",
    frozenset(("MachineEvidence", "EvidenceMachineRow")): "the noun has documents, the manifest the paths of files",
    frozenset(("Difference", "DifferenceRow")): "the noun has texts for people, the document JSON values",
    frozenset(("Difference", "Leaf")): "a leaf has values and steps of a path while documents are compared",
    frozenset(("DifferenceRow", "Leaf")): "a leaf has values and steps of a path while documents are compared",
    frozenset(("AttachObstacle", "BlockedRow")): "alike by accident: one is of a schedule, one of a verification",
    frozenset(("MaxChanges", "MaxFailures")): "alike by accident: a limit may be 0, a budget is at least one machine",
}
"""Records with the same fields that are two on purpose → why; no other pair may be."""
_ALIKE = 0.6
"""Two records share so much of their fields' names: each is a copy of the other's thought until somebody says why."""


def rows(folder: Path) -> Sequence[Row]:
    """Whose code runs in four commands, and what the source holds."""
    found = []
    with emulator(uniform_fleet(folder, MACHINES)) as ready:
        for name, (arguments, bound) in _COMMANDS.items():
            ran = _ran(folder, ready["endpoint"], os.environ | ready["env"], arguments)
            functions = sum(map(len, ran.values()))
            found.append(at_most(f"files whose code runs in `{name}`", len(ran), bound, more=f"{functions} functions"))
            if name.startswith("apply"):
                found.append(at_most(f"functions that run in `{name}`", functions, _MOST_FUNCTIONS))
    return [*found, *_source_rows()]


def _ran(folder: Path, endpoint: str, environment: Mapping[str, str], arguments: Sequence[str]) -> dict[str, list[str]]:
    out = folder / "ran.json"
    command = [sys.executable, "-m", "benchmarks.traced_command", out, "--cloud", endpoint, *arguments]
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    if not out.exists():
        raise RuntimeError(done.stderr)
    ran: dict[str, list[str]] = json.loads(out.read_text())
    out.unlink()
    return ran


def _source_rows() -> Iterator[Row]:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}
    yield at_most("Python files", len(trees), 230)
    lines = sum(len(code_lines(path.read_text(encoding="utf-8"), tree)) for path, tree in trees.items())
    yield at_most("lines of code, without docstrings, comments and blanks", lines, 23_500)
    records = [one for tree in trees.values() for one in records_of(tree)]
    yield at_most("record types", len(records), 240, more=f"{sum(len(fields) for _, fields in records):,} fields")
    pairs = same_fields(records)
    copies = [one for one in pairs if one not in TWO_ON_PURPOSE]
    said = f"{len(pairs) - len(copies)} more are two on purpose"
    yield at_most("pairs of records with the same fields", len(copies), 0, more=said)
    alike = sum(_share(left, right) >= _ALIKE for (_, left), (_, right) in combinations(records, 2))
    yield Row(f"pairs of records that share {_ALIKE:.0%} of their fields", "", f"{alike:,}")
    yield at_most("circles of imports, those for types included", len(circles(trees)), 0)
    longest = max(len(path.read_text(encoding="utf-8").splitlines()) for path in trees)
    yield at_most("lines of the longest file", longest, 500)


def code_lines(text: str, tree: ast.Module) -> set[int]:
    """The numbers of the lines on which something other than a text by itself stands."""
    texts = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    written = (
        number for number, line in enumerate(text.splitlines(), start=1) if line.strip() and line.strip()[0] != "#"
    )
    return set(written) - texts


def records_of(tree: ast.Module) -> Iterator[tuple[str, frozenset[str]]]:
    """Each dataclass or struct of a file, with the names of its own fields; one without any is none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and _is_record(node):
            fields = frozenset(
                one.target.id
                for one in node.body
                if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
            )
            if fields:
                yield node.name, fields


def same_fields(records: Sequence[tuple[str, frozenset[str]]]) -> list[frozenset[str]]:
    """The names of each two records that have the same fields to the letter, and more than one."""
    alike = (one for one in combinations(records, 2) if len(one[0][1]) > 1 and one[0][1] == one[1][1])
    return [frozenset((left, right)) for (left, _), (right, _) in alike]


def _is_record(node: ast.ClassDef) -> bool:
    words = [ast.unparse(one) for one in (*node.decorator_list, *node.bases)]
    return any(word.split("(")[0].split(".")[-1] in {"dataclass", "Struct", "Edge", "NamedTuple"} for word in words)


def _share(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right) if min(len(left), len(right)) > 1 else 0.0


def circles(trees: Mapping[Path, ast.Module]) -> list[list[str]]:
    """Groups of modules of which each reaches each other by imports at the top of files, those for types included."""
    names = {_module(path): tree for path, tree in trees.items()}
    imports = {name: {one for one in _imported(tree, names) if one != name} for name, tree in names.items()}
    reached = {name: _reached(name, imports) for name in names}
    groups = {frozenset({name, *(one for one in reached[name] if name in reached[one])}) for name in names}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _module(path: Path) -> str:
    name = ".".join(("patchmode", *path.relative_to(SOURCE).with_suffix("").parts))
    return name.removesuffix(".__init__")


def _imported(tree: ast.AST, names: Mapping[str, ast.Module]) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for one in node.names:
                whole = f"{node.module}.{one.name}"
                yield from (name for name in ([whole] if whole in names else [node.module]) if name in names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _imported(node, names)


def _reached(start: str, imports: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    left = [start]
    while left:
        for one in imports[left.pop()]:
            if one not in seen:
                seen.add(one)
                left.append(one)
    return seen
