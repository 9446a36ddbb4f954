"""The demonstration tells the truth: it ends well only if every step did."""

import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Program, unmeasured


def test_the_demo_ends_as_told_and_leaves_nothing(offline: Program, tmp_path: Path) -> None:
    """The first thing a visitor runs. No cloud, no account, nothing left behind."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    offline.timeout_s = 180.0
    offline.environment = unmeasured(offline.environment)
    done = offline("demo", TMPDIR=str(scratch))
    assert done.code == 0, done.err
    titles = [line for line in done.out.splitlines() if line.startswith("── ")]
    assert [title.split(".")[0] for title in titles] == [f"── {number}" for number in range(1, 13)]
    assert "Patch orchestration mode is not set to AutomaticByPlatform" in done.out
    assert done.out.index("2 succeeded, 4 failed") < done.out.index("4 succeeded; 4 machines ")
    assert done.out.index("400 UnsupportedResourceOperation") < done.out.index("Schedule: 1 attached; 1 machine.")
    assert "The emulated clock is more than a day ahead" in done.out
    assert "by: 33333333-3333-3333-3333-333333333333 (Application) with Terraform" in done.out
    assert "All 12 steps succeeded." in done.out
    assert [path.name for path in scratch.iterdir() if path.name.startswith("patchmode-")] == []
    assert not (tmp_path / "state").exists()


def test_a_step_that_ends_otherwise_is_not_glossed_over(offline: Program, tmp_path: Path) -> None:
    """A fleet without a schedule cannot tell the story, and the demo says so and fails."""
    code = (
        "import sys\n"
        "from patchmode.cli.commands import demo\n"
        "demo.SERVER_OPTIONS = ('--fleet', 'small', '--lro-seconds', '0')\n"
        "from patchmode.cli.main import run\n"
        "sys.exit(run(['demo']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**offline.environment, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "The demo failed: `patchmode schedule failures` should not have ended with 0" in done.stderr
    assert "steps succeeded" not in done.stdout
