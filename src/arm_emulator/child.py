"""The command of `exec` as a process: signals reach it and what it started, and its end is waited for.

Source of the exit codes: POSIX, `128 + N` for a command that signal N ended.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ENDS_WITHIN_S = 10.0
"""So long is what a command has started given to end, once the command itself has; it may still need the emulator."""
_LOOKS_EVERY_S = 0.05


async def run(command: Sequence[str], environment: Mapping[str, str], *, is_shell: bool) -> int:
    """Run a command to its end and return its exit code.

    SIGTERM and SIGHUP are handed on to the command and to what it has started, and so is SIGINT unless it came from
    the terminal, which sends it to all of them. The second SIGTERM kills.

    Args:
        command: a program and its arguments.
        environment: the whole of it.
        is_shell: a shell that somebody types into; it heeds SIGHUP only.

    Raises:
        OSError: it cannot be run.
    """
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    started: set[int] = set()
    # Windows' loop has no signal handlers; there Ctrl-C reaches the command as well.
    if sys.platform != "win32":
        loop = asyncio.get_running_loop()
        received: list[int] = []

        def hand_on(number: int) -> None:
            if number == signal.SIGINT and _is_foreground():
                return
            received.append(number)
            sent = signal.SIGHUP if is_shell and number == signal.SIGTERM else number
            if received.count(signal.SIGTERM) > 1:
                sent = signal.SIGKILL
            below = descendants(process.pid)
            started.update(below)
            # The command first: a shell that lives on would begin what it has next.
            for pid in (process.pid, *below):
                _send(pid, sent)

        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, hand_on, number)
    code = await process.wait()
    for _ in range(round(ENDS_WITHIN_S / _LOOKS_EVERY_S)):
        if not any(_runs(pid) for pid in started):
            break
        await asyncio.sleep(_LOOKS_EVERY_S)
    return code if code >= 0 else 128 - code


def descendants(pid: int) -> tuple[int, ...]:
    """The processes that a process has started, and what those have, parents first; empty where nothing tells."""
    children: dict[int, list[int]] = {}
    for child, parent in _pairs():
        children.setdefault(parent, []).append(child)
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(0), [])
        found += below
        waiting += below
    return tuple(found)


def _pairs() -> Iterator[tuple[int, int]]:
    """Each process and its parent."""
    processes = Path("/proc")
    if (processes / "self" / "stat").exists():
        for entry in processes.iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError, IndexError, ValueError):
                    # The name, in brackets, may hold anything.
                    yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        return
    try:
        done = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False)
    except OSError:
        return
    for line in done.stdout.splitlines():
        child, parent = line.split()
        yield int(child), int(parent)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_foreground() -> bool:
    """Whether the terminal's Ctrl-C goes to this process and to the command alike."""
    try:
        with Path("/dev/tty").open("rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
