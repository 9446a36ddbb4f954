"""What a benchmark returns: rows of what was measured, its bound, the figure, and whether the bound is met.

Must not: measure anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    measured: str
    """What, in words; holds no `|`."""
    bound: str
    """As text; empty: there is none."""
    figure: str
    is_met: bool | None = None
    """None: there is no bound."""

    @property
    def verdict(self) -> str:
        """`yes`, `no`, or nothing where there is no bound."""
        return "" if self.is_met is None else "yes" if self.is_met else "no"

    def told(self) -> str:
        """The row as a line for a terminal."""
        missed = "" if self.is_met is None else " MET" if self.is_met else " MISSED"
        return f"{self.measured}: {self.figure}" + (f" (bound {self.bound}:{missed})" if self.bound else "")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark of the registry."""

    run: Callable[[Path], Sequence[Row]]
    """Given a folder that is its own, empty and removed afterwards."""
    is_long: bool = False
    """Runs only when it is named, or for the page."""


def at_most(measured: str, value: float, bound: float, *, unit: str = "", digits: int = 0, more: str = "") -> Row:
    """A row whose figure may not exceed its bound.

    Args:
        measured: what.
        value: the figure; it is compared unrounded.
        bound: in the same unit.
        unit: set behind both.
        digits: decimals of the figure.
        more: told in brackets behind the figure.
    """
    space = f" {unit}" if unit else ""
    figure = f"{value:,.{digits}f}{space}" + (f" ({more})" if more else "")
    return Row(measured, f"{bound:,g}{space}", figure, value <= bound)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table; a bound that is missed stands out."""
    lines = ["| measured | bound | figure | met |", "|---|---|---|---|"]
    for row in rows:
        verdict = "**no**" if row.is_met is False else row.verdict
        lines.append(f"| {row.measured} | {row.bound or 'none'} | {row.figure} | {verdict} |")
    return "\n".join(lines)
