"""Reads the page on which the remaining differences stand with their reasons."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "emulator-differences.md"
_ROW = re.compile(r"^\| `(?P<case>[^`]+\.json)` \| (?P<why>.+?) \|$", re.MULTILINE)


def listed() -> dict[str, str]:
    """Case → reason."""
    return {match["case"]: match["why"] for match in _ROW.finditer(PAGE.read_text(encoding="utf-8"))}
