"""Processes of `patchmode` without the start of an interpreter each: most of what a command costs a test is imports.

A process of its own imports the program once, and forks for every command that is asked for over its socket. What runs
there is `patchmode.cli.main.main`, or a module of the tests' own that uses the library (`run_module`), with the
arguments, folder, environment and streams of the asker, in a process that ends as a program does; only `python`, the
console script and the imports come before instead of at each command.
`test_start.py` compares it with the installed program; tests of signals, terminals and closed streams start that one.
"""

import atexit
import fcntl
import gc
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from runpy import run_module as run_as_main
from typing import Any

from tests.cli import asking
from tests.cli.asking import Asked

ROOT = Path(__file__).resolve().parents[2]
IS_POSSIBLE = sys.platform == "linux"
"""Elsewhere a process with imported libraries is not safely forked, or not at all."""
_LATE = ("aiohttp", "azure.core.pipeline.policies", "azure.identity.aio", "cryptography.x509", "jmespath", "rich.table")
"""What commands import while they run, and no module of ours at its top."""
_ASKING = (sys.executable, "-IS", str(Path(asking.__file__)))
_INTERPRETER = "FORKED_INTERPRETER"
"""The variable that names what a command takes for its interpreter."""
_MODULE = "-m"
"""In a program's place: what follows is the name of a module to run."""


# ------------------------------------------------------------------------------------------------ who asks


@dataclass(frozen=True, slots=True)
class _Forker:
    process: "subprocess.Popen[bytes]"
    address: str

    def end(self) -> None:
        """It ends with the end of its standard input, so also when this process is killed."""
        self.process.communicate()


@cache
def _forker() -> _Forker:
    folder = tempfile.TemporaryDirectory(prefix="forked-")
    address = str(Path(folder.name) / "socket")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.forked", address],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    forker = _Forker(process, address)
    atexit.register(lambda: (forker.end(), folder.cleanup()))
    return forker


def run_module(
    name: str, args: Sequence[str], *, env: Mapping[str, str], timeout_s: float
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m NAME ARGS` in this repository's root to its end, which may be a signal: then the code is below 0.

    Raises:
        subprocess.TimeoutExpired: it ran longer than that, and was killed.
    """
    if not IS_POSSIBLE:
        command = [sys.executable, "-m", name, *args]
        return subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    return run(Path(_MODULE), (name, *args), cwd=ROOT, env=env, stdin="", timeout_s=timeout_s)


def run(
    program: Path, args: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: str, timeout_s: float
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, as `subprocess.run` does.

    Raises:
        subprocess.TimeoutExpired: it ran longer than that, and was killed.
    """
    (their_in, our_in), (our_out, their_out), (our_err, their_err) = (os.pipe() for _ in range(3))
    argv = [str(program), *args]
    is_late = threading.Event()

    def end(asked: Asked) -> None:
        is_late.set()
        os.kill(asked.pid, signal.SIGKILL)

    with Asked(_forker().address, argv, str(cwd), env, (their_in, their_out, their_err)) as asked:
        for theirs in (their_in, their_out, their_err):
            os.close(theirs)
        timer = threading.Timer(timeout_s, end, (asked,))
        timer.start()
        out, err = _communicate(stdin, our_in, our_out, our_err)
        code = asked.wait()
        timer.cancel()
        timer.join()
    if is_late.is_set():
        raise subprocess.TimeoutExpired(argv, timeout_s)
    return subprocess.CompletedProcess(argv, code, out, err)


def on_terminal(
    program: Path, args: Sequence[str], *, cwd: Path, env: Mapping[str, str], columns: int, lines: int = 24
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end with standard output on a terminal of that size, and nobody to ask."""
    argv = [str(program), *args]
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    with (
        Path(os.devnull).open("rb") as nothing,
        tempfile.TemporaryFile("w+") as errors,
        Asked(_forker().address, argv, str(cwd), env, (nothing.fileno(), theirs, errors.fileno())) as asked,
    ):
        os.close(theirs)
        pieces: list[bytes] = []
        # The end of a terminal is an error.
        with suppress(OSError):
            while piece := os.read(ours, 1 << 16):
                pieces.append(piece)
        os.close(ours)
        code = asked.wait()
        errors.seek(0)
        shown = b"".join(pieces).decode().replace("\r\n", "\n")
        return subprocess.CompletedProcess(argv, code, shown, errors.read())


def begun(program: Path, environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """With what a command goes on beside a test: the words before its arguments, and its environment.

    The process asks for the fork, hands on what signals it gets, has the same streams, of whatever kind, and ends as
    the program does. What is ignored or closed before the program begins is not handed on: that asks for the installed
    one.
    """
    if not IS_POSSIBLE:
        return [str(program)], {**environment}
    return list(_ASKING), {**environment, asking.ADDRESS: _forker().address}


def shell_environment(folder: Path) -> dict[str, str]:
    """Variables with which a shell finds `patchmode`, and then Python and `arm-emulator` as they are installed.

    Args:
        folder: where the program is written that asks for a command.
    """
    bins = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    if not IS_POSSIBLE:
        return {"PATH": os.pathsep.join(bins)}
    folder.mkdir()
    program = folder / "patchmode"
    program.write_text(f'#!/bin/sh\nexec {" ".join(_ASKING)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": os.pathsep.join((str(folder), *bins)), asking.ADDRESS: _forker().address}


def interpreter_environment(folder: Path) -> dict[str, str]:
    """The variable with which a forked command that starts `python -m patchmode` has that forked as well.

    Args:
        folder: where the program is written that asks for it.
    """
    if not IS_POSSIBLE:
        return {}
    folder.mkdir(exist_ok=True)
    program = folder / "python"
    text = f'#!/bin/sh\n[ "$1 $2" = "-m patchmode" ] || exit 1\nshift 2\nexec {" ".join(_ASKING)} "$@"\n'
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    return {_INTERPRETER: str(program)}


def _communicate(said: str, to: int, out: int, err: int) -> tuple[str, str]:
    def speak() -> None:
        try:
            with os.fdopen(to, "w", encoding="utf-8") as stream:
                stream.write(said)
        except BrokenPipeError:
            pass

    def listen() -> None:
        with os.fdopen(err, encoding="utf-8") as stream:
            heard.append(stream.read())

    heard: list[str] = []
    beside = [threading.Thread(target=listen)]
    if said:
        beside.append(threading.Thread(target=speak))
    else:
        os.close(to)
    for one in beside:
        one.start()
    with os.fdopen(out, encoding="utf-8") as stream:
        text = stream.read()
    for one in beside:
        one.join()
    return text, heard[0]


# ------------------------------------------------------------------------------------------------ who forks


def _serve(address: str) -> None:
    under_way: dict[int, tuple[int, socket.socket]] = {}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(16)
        os.write(1, b"ready\n")
        while True:
            ready, _, _ = select.select([listener, 0, *under_way], [], [])
            for ended in under_way.keys() & set(ready):
                _tell_the_end(*under_way.pop(ended))
                os.close(ended)
            if 0 in ready:
                return
            if listener in ready:
                asking, _ = listener.accept()
                _begin(asking, under_way, listener)


def _begin(asking: socket.socket, under_way: dict[int, tuple[int, socket.socket]], listener: socket.socket) -> None:
    """Fork the program, and tell its number to who asked.

    It is noted under a descriptor that is readable once it has ended: one more fork for who waits would take as long.
    """
    text, streams, _, _ = socket.recv_fds(asking, 1 << 16, 3)
    while not text.endswith(b"\n"):
        piece = asking.recv(1 << 16)
        if not piece:  # who asked was killed meanwhile
            asking.close()
            for stream in streams:
                os.close(stream)
            return
        text += piece
    pid = os.fork()
    if not pid:
        for one in (listener, asking, *(holder for _, holder in under_way.values())):
            one.close()
        for descriptor in under_way:
            os.close(descriptor)
        _become(json.loads(text), streams)
    for stream in streams:
        os.close(stream)
    under_way[os.pidfd_open(pid)] = (pid, asking)
    with suppress(BrokenPipeError):
        asking.sendall(b"%d\n" % pid)


def _tell_the_end(pid: int, asking: socket.socket) -> None:
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError), asking:
        asking.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(asked: dict[str, Any], streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    _open_streams()
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    sys.argv = asked["argv"]
    sys.executable = os.environ.pop(_INTERPRETER, sys.executable)
    code: Any = 0
    try:
        if sys.argv[0] == _MODULE:
            sys.argv = sys.argv[1:]
            run_as_main(sys.argv[0], run_name="__main__", alter_sys=True)
            sys.stdout.flush()
        else:
            from patchmode.cli.main import main

            main()
    except SystemExit as end:
        code = end.code
    # As the interpreter ends, but for taking apart what was imported: that costs more than most commands do.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(int(code or 0))


def _open_streams() -> None:
    """As the interpreter opens them at its start in UTF-8 mode."""
    sys.stdin = os.fdopen(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def _import_all() -> None:
    import patchmode

    for module in walk_packages(patchmode.__path__, "patchmode."):
        import_module(module.name)
    for name in _LATE:
        import_module(name)


def _write_what_was_measured() -> None:
    """Let this process alone write what the imports ran and which files there are: each fork of it would, too.

    Where coverage is measured, that made most of what a command costs.
    Its lock goes: once the handler of a signal raised KeyboardInterrupt while it was held, nobody let it go, and the
    command waited for it for ever when it told of the interruption. What it guards is one step of C in the tracer.
    """
    coverage = sys.modules.get("coverage")
    if coverage is not None and (measuring := coverage.Coverage.current()) is not None:
        measuring.save()
        measuring._inorout.source_pkgs.clear()
        measuring._collector.data_lock = None


if __name__ == "__main__":
    _import_all()
    _write_what_was_measured()
    gc.freeze()  # else each child looks at, and so copies, all that was imported
    _serve(sys.argv[1])
