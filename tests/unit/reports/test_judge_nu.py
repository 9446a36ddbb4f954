"""The Nu Html Checker, which the W3C's validator is made of, as one more judge of our pages.

Optional: needs Java and `npm --prefix tests/oracles install`; skipped, saying so, without. The ordinary suite parses
the same pages strictly; this one also knows which element may stand in which.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.reports.records import audit_of, run_of

from patchmode.model.record import Record
from patchmode.reports.formats.html import html

ORACLES = Path(__file__).parents[2] / "oracles"
JAR = Path(os.environ.get("NODE_PATH", str(ORACLES / "node_modules"))) / "vnu-jar/build/dist/vnu.jar"
JAVA = shutil.which("java")
pytestmark = pytest.mark.skipif(
    JAVA is None or not JAR.is_file(),
    reason="the judge is absent: install Java and run `npm --prefix tests/oracles install`",
)
# It does not calculate a style's digest, and so cannot tell that the policy lets it in; a test of ours does.
KNOWN = "Inline style violates Content Security Policy"


@pytest.mark.parametrize("record", [audit_of(), audit_of(()), run_of(), run_of(with_plan=False)])
def test_pages_have_neither_errors_nor_warnings(record: Record, tmp_path: Path) -> None:
    """Each message would be one more reader for whom the page may not work."""
    file = tmp_path / "page.html"
    file.write_text("".join(html(record)), encoding="utf-8")
    done = subprocess.run(
        [str(JAVA), "-jar", str(JAR), "--format", "json", "--also-check-css", str(file)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    messages = [one["message"] for one in json.loads(done.stderr)["messages"]]
    assert [one for one in messages if not one.startswith(KNOWN)] == []
