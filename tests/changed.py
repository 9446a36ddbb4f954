"""Runs the tests that concern what was changed since `main`: `make quick`.

Taken are changed test files, and the tests below `tests/unit` and `tests/emulator` that import a changed module by its
name. What starts programs is left to `make test`.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_NEAR = ("tests/unit", "tests/emulator")
_LONG = ("tests/cli", "tests/clients", "tests/faults", "tests/emulator_wire", "tests/console/browser", "tests/bench")


def main() -> int:
    """The exit code of pytest; 0 where nothing concerns the change."""
    found = sorted(concerned(changed()))
    if not found:
        sys.stdout.write("No quick test concerns what was changed; `make test` runs all.\n")
        return 0
    sys.stdout.write(f"{len(found)} test files concern what was changed.\n")
    sys.stdout.flush()
    return subprocess.call([sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", *map(str, found)], cwd=ROOT)


def changed() -> set[Path]:
    """Files that differ from where this branch left `main`, those not committed or not tracked yet included."""
    base = _git("merge-base", "HEAD", "main") or ["HEAD"]
    names = {*_git("diff", "--name-only", base[0]), *_git("ls-files", "--others", "--exclude-standard")}
    return {Path(name) for name in names if (ROOT / name).is_file()}


def concerned(files: Iterable[Path]) -> Iterator[Path]:
    """The test files that a change of these files concerns, relative to the checkout.

    Args:
        files: relative to the checkout, any order.
    """
    files = set(files)
    for file in files:
        if file.name.startswith("test_") and not file.as_posix().startswith(_LONG):
            yield file
    modules = {".".join(file.relative_to("src").with_suffix("").parts) for file in files if _is_source(file)}
    for folder in _NEAR:
        for test in (ROOT / folder).rglob("test_*.py"):
            text = test.read_text(encoding="utf-8")
            if any(f"{module} import" in text or f"import {module}" in text for module in modules):
                yield test.relative_to(ROOT)


def _is_source(file: Path) -> bool:
    return file.parts[0] == "src" and file.suffix == ".py"


def _git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []


if __name__ == "__main__":
    raise SystemExit(main())
