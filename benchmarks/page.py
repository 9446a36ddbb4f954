"""The tables of docs/reference/performance.md: each stands between two marks, and the text around them stays.

    <!-- benchmark: NAME -->
    …
    <!-- end -->

Each table carries the circumstances under which it was taken, so a page never mixes figures of two machines unsaid.
"""

import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.rows import Row, table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "performance.md"
_LIBRARIES = ("aiohttp", "azure-core", "azure-mgmt-compute", "msgspec")
_MEASURED = ("src", "benchmarks", "requirements", "pyproject.toml", "tests/faults/one_clock.py")
"""What a figure hangs on: a change to it that is not committed is told."""


class PageError(ValueError):
    """The page has no place for a table."""


def marked(page: str) -> list[str]:
    """The names of the benchmarks that have a place on the page, in its order."""
    return re.findall(r"^<!-- benchmark: (\S+) -->$", page, re.MULTILINE)


def with_table(page: str, name: str, rows: Sequence[Row], circumstances: str) -> str:
    """The page with a benchmark's table replaced.

    Args:
        page: its text.
        name: the benchmark's.
        rows: at least one.
        circumstances: a sentence for below the table.

    Raises:
        PageError: the page does not have the pair of marks exactly once.
    """
    return _replaced(page, name, f"{table(rows)}\n\n{circumstances}")


def without_table(page: str, name: str, why: str) -> str:
    """The page with a benchmark's table taken out, since it could not be measured.

    Raises:
        PageError: the page does not have the pair of marks exactly once.
    """
    return _replaced(page, name, f"Not measured: {why}")


def _replaced(page: str, name: str, text: str) -> str:
    place = re.compile(rf"(^<!-- benchmark: {re.escape(name)} -->\n).*?(^<!-- end -->$)", re.MULTILINE | re.DOTALL)
    if len(place.findall(page)) != 1:
        raise PageError(f"{PAGE.name} has no place for the table of {name}, or several")
    return place.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page)


def circumstances(today: date | None = None) -> str:
    """Date, commit, machine and versions in one sentence."""
    day = today or datetime.now(UTC).date()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    return (
        f"Taken on {day.isoformat()} at commit {_commit()}: {os.cpu_count()} cores, {_memory()}{_system()}, "
        f"Python {platform.python_version()}, {versions}."
    )


def _commit() -> str:
    """The commit's short name; where files that a figure hangs on differ from it, that is said."""
    name = _git("rev-parse", "--short=10", "HEAD").strip()
    is_changed = bool(_git("status", "--porcelain", "--", *_MEASURED).strip())
    return f"`{name or 'unknown'}`" + (" with changes that are not committed" if is_changed else "")


def _git(*arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return ran.stdout if ran.returncode == 0 else ""


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB, "
    except (AttributeError, OSError, ValueError):
        return ""


def _system() -> str:
    return f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}"
