"""A program to be struck: `python signal_walk.py PHASE SIGNALS POINTS`.

In one process: for each point a child is forked, which runs a small apply (or a read) as a command does, and is sent
its further signals at exactly that point: so many calls of Python functions after the first signal was taken. Prints a
JSON line for each point: the point, how the child ended and what it said.
"""

# ruff: noqa: T201 - a program that prints

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from tests.unit.workflow.fleet_double import fleet_of

from patchmode.cli import signals, terminal
from patchmode.cli.running import left_at_once_text, run_reading, run_writing
from patchmode.cli.settings import Settings
from patchmode.model.run import RunReport
from patchmode.store.runs import RunStore
from patchmode.timing import SystemClock
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions

if TYPE_CHECKING:
    from patchmode.ports.run import RunJournal

AT_ONCE = 6


def strike_at(point: int, numbers: list[signal.Signals]) -> None:
    """From now on count calls, and send the signals, one right after the other, at the given one."""
    seen = 0

    def count(frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal seen
        if event != "call" or frame.f_code.co_filename == signals.__file__:
            return
        seen += 1
        if seen == point:
            sys.setprofile(None)
            for number in numbers:
                signal.raise_signal(number)

    sys.setprofile(count)


def writing(first: Callable[[], None]) -> int:
    journals: list[RunJournal] = []
    azure = fleet_of(3, duration_s=0.2)

    async def work(stop: asyncio.Event) -> RunReport:
        with tempfile.TemporaryDirectory() as folder:
            journals.append(RunStore(Path(folder)).create(azure.plan()))
            azure.after_write = lambda _: first()
            how = ApplyOptions(concurrency=1)
            return await apply_plan(journals[0], azure, how, clock=SystemClock(), stop=stop)

    report = run_writing(
        work,
        remark=lambda text: print(text, file=sys.stderr),
        last_words=lambda: left_at_once_text(journals, Settings()),
    )
    print(f"{report.state} {report.counts.applied} of {report.counts.scope}", file=sys.stderr)
    return 130 if report.state == "interrupted" else 0


def reading(first: Callable[[], None]) -> int:
    async def work() -> int:
        first()
        await asyncio.to_thread(time.sleep, 0.05)
        await asyncio.sleep(0.1)
        return 0

    return run_reading(work)


def child(phase: str, point: int, numbers: list[signal.Signals]) -> int:
    is_struck = False

    def first() -> None:
        nonlocal is_struck
        if not is_struck:
            is_struck = True
            if numbers[1:]:
                strike_at(point, numbers[1:])
            signal.raise_signal(numbers[0])

    heard = signals.listen()
    terminal.prepare()
    try:
        code = {"writing": writing, "reading": reading}[phase](first)
    except KeyboardInterrupt:
        print("patchmode: interrupted.", file=sys.stderr)
        code = 130
    sys.stdout.flush()
    heard.over(code)
    return code


def strike(phase: str, point: int, numbers: list[signal.Signals]) -> tuple[int, int]:
    """Fork and strike: the child, and the end of a pipe that tells what it says."""
    said, saying = os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(saying, 2)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a number, for good
        # As a program ends: with all that the interpreter does then.
        sys.exit(child(phase, point, numbers))
    os.close(saying)
    return pid, said


def ended(pid: int, said: int) -> dict[str, Any]:
    """How a child ended and what it said."""
    with os.fdopen(said, encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    _, status = os.waitpid(pid, 0)
    return {"code": os.waitstatus_to_exitcode(status), "said": text}


def main() -> None:
    phase, names, points = sys.argv[1], sys.argv[2].split(","), [int(one) for one in sys.argv[3].split(",")]
    numbers = [signal.Signals[name] for name in names]
    # They mostly wait for their operations, so some wait side by side.
    for first in range(0, len(points), AT_ONCE):
        some = points[first : first + AT_ONCE]
        struck = [strike(phase, point, numbers) for point in some]
        for point, one in zip(some, struck, strict=True):
            print(json.dumps({"point": point, **ended(*one)}), flush=True)


if __name__ == "__main__":
    main()
