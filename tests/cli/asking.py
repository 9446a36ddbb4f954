"""Ask the process of `forked.py` for a command; as a program, `patchmode` for shells that find it in their PATH.

Light to import: the program starts once for each command of a page.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType

ADDRESS = "FORKED_PATCHMODE"
"""The variable that names the socket."""


class Asked:
    """A command that runs: its process, and how that ends.

    Args:
        address: of the socket.
        argv: the program's name and its arguments.
        streams: standard input, output and error, as numbers of this process.
    """

    def __init__(
        self, address: str, argv: Sequence[str], cwd: str, env: Mapping[str, str], streams: Sequence[int]
    ) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        text = f"{json.dumps({'argv': list(argv), 'cwd': cwd, 'env': dict(env)})}\n".encode()
        sent = socket.send_fds(self._socket, [text], list(streams))
        self._socket.sendall(text[sent:])
        self._answers = self._socket.makefile()
        self.pid = int(self._answers.readline())

    def __enter__(self) -> "Asked":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._answers.close()
        self._socket.close()

    def wait(self) -> int:
        """Its exit code, as `subprocess` gives it: below zero for a signal."""
        return int(self._answers.readline())


def main() -> None:
    folder = os.getcwd()  # noqa: PTH109 - pathlib takes longer to import than all of this
    with Asked(os.environ[ADDRESS], ["patchmode", *sys.argv[1:]], folder, os.environ, (0, 1, 2)) as asked:
        # Signals are for the program, and this ends when that has ended.
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, lambda number, _: os.kill(asked.pid, number))
        code = asked.wait()
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
