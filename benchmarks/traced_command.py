"""Run one command and write down whose code ran: `python -m benchmarks.traced_command OUT ARGUMENT…`.

A profile hook sees every call of a Python function; what is written is JSON: file → names of its functions that ran.

Must not: change what the command does, or count what only was imported.
"""

import atexit
import json
import sys
import threading
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

import patchmode

ROOM = str(Path(patchmode.__file__).parent)


def main(out: Path, arguments: list[str]) -> int:
    """Run the command with the hook on; what ran is written when the process ends."""
    seen: set[Any] = set()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            seen.add(frame.f_code)

    atexit.register(lambda: out.write_text(json.dumps(_ours(seen))))
    sys.argv = ["patchmode", *arguments]
    threading.setprofile(note)
    sys.setprofile(note)
    from patchmode.cli.main import main as run

    return run()


def _ours(seen: set[Any]) -> dict[str, list[str]]:
    """Bodies of modules, comprehensions and lambdas are no functions; a class body runs once, at import."""
    ran: defaultdict[str, set[str]] = defaultdict(set)
    for code in seen:
        is_function = not code.co_name.startswith("<") and code.co_flags & 0x02  # CO_NEWLOCALS: no module, no class
        if is_function and code.co_filename.startswith(ROOM):
            ran[code.co_filename[len(ROOM) + 1 :]].add(code.co_qualname)
    return {name: sorted(functions) for name, functions in sorted(ran.items())}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
