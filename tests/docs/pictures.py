"""Pictures of a terminal for the pages, made from what commands print on the emulator: `make screenshots` writes them.

Must not: draw what no command printed; a test runs the commands again and compares.
"""

import io
import re
import shlex
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.text import Text
from tests.cli import forked
from tests.cli.conftest import PROGRAM, clean_environment
from tests.docs.pages import DOCS

from arm_emulator.clock import Clock
from arm_emulator.named_fleets import read_fleet
from arm_emulator.protocol.throttle import Limits
from arm_emulator.testing import running

IMAGES = DOCS / "images"
PICTURES: Mapping[str, tuple[str, ...]] = {
    "terminal-audit.svg": ("patchmode audit -g rg-app --name 'web-0*'",),
}
"""File → the command lines that it shows with their output, on the fleet `schedules`."""
COLUMNS = 118
"""As wide as a table with a column for the subscription needs, so that nothing in it is cut."""
# Nothing is loaded from another host when a page is read: the reader's own monospaced font is good enough.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace("Fira Code, ", "")


def draw(name: str) -> str:
    """A picture as SVG, from a run of its commands now; dates in it are those of the run."""
    clock = Clock(datetime.now(UTC).replace(hour=10, minute=0))
    serving = running(fleet=read_fleet("schedules"), lro_seconds=0, limits=Limits(is_off=True), clock=clock)
    screen = Console(record=True, file=io.StringIO(), width=COLUMNS, force_terminal=True, color_system="truecolor")
    with tempfile.TemporaryDirectory() as folder, serving as served:
        environment = {**clean_environment(), **served.env, "PATCHMODE_STATE_DIR": folder, "TERM": "xterm-256color"}
        for line in PICTURES[name]:
            screen.print(Text.assemble(("$ ", "green"), (line, "bold")))
            for shown in Text.from_ansi(_printed(line, Path(folder), environment)).split("\n"):
                # As a terminal breaks what is longer than its line: at the last column, not between words.
                for piece in shown.divide(range(COLUMNS, len(shown), COLUMNS)):
                    screen.print(piece, soft_wrap=True)
    return screen.export_svg(title="patchmode", code_format=_FORMAT, unique_id=Path(name).stem)


def _printed(line: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What a command line prints on a terminal of that width, with its colours."""
    _, *args = shlex.split(line)
    return forked.on_terminal(PROGRAM, args, cwd=folder, env=environment, columns=COLUMNS, lines=60).stdout


def write() -> None:
    """Write them all."""
    IMAGES.mkdir(exist_ok=True)
    for name in PICTURES:
        (IMAGES / name).write_text(draw(name), encoding="utf-8")


if __name__ == "__main__":
    write()
