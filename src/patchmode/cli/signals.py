"""What the signals that end a program do: Ctrl-C, SIGTERM, a terminal that is gone (SIGHUP), Ctrl-Break on Windows.

The first one asks for a clean end, the second leaves at once, whatever is being done at that moment: no exception is
raised then, the process ends. That is safe because every intent is journalled before it is carried out; what a kill at
any instant leaves behind is what `runs resume` goes on from.

A SIGHUP is never a second one. When a connection is lost, the shell and the kernel both send it, and service managers
send it after SIGTERM: nobody pressed a key to leave at once.

Must not: know what is run, or import anything heavy.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from patchmode.cli import exits

Handler = Callable[[int, FrameType | None], Any] | int | None
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Those of them that the system knows are listened to."""
_LEFT = "patchmode: stopped immediately."
_INTERRUPTED = exits.of_error(KeyboardInterrupt())
_STANDARD_ERROR = 2
_SHOW_CURSOR = "\x1b[?25h"
"""Whoever draws a bar has hidden it."""


class Signals:
    """What has been asked for by signals, and what is done at the next one."""

    def __init__(self) -> None:
        self.is_asked = False
        """Whether the end was asked for."""
        self.is_hung_up = False
        """Whether the terminal is gone: what is written to it reaches nobody."""
        self.when_asked: Callable[[], object] | None = None
        """Called at the first signal instead of raising KeyboardInterrupt, in the middle of whatever is being done."""
        self.last_words: Callable[[], str] = lambda: ""
        """What is told when the process leaves at once; it must not wait for anything."""
        self.last_acts: list[Callable[[], object]] = []
        """Done then, each whatever becomes of the others."""
        self._code: int | None = None
        self._is_leaving = False

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take one signal.

        Raises:
            KeyboardInterrupt: it is the first one, and nobody said what is to be done then.
        """
        is_hang_up = number == getattr(signal, "SIGHUP", None)
        self.is_hung_up = self.is_hung_up or is_hang_up
        if self._code is not None:
            os._exit(self._code)
        if self.is_asked:
            if not is_hang_up:
                self._leave()
            return
        self.is_asked = True
        if self.when_asked is None:
            raise KeyboardInterrupt
        self.when_asked()

    def over(self, code: int) -> None:
        """Everything is done and told: from now on a signal only ends the process, with this exit code."""
        self._code = code

    def _leave(self) -> None:
        if not self._is_leaving:
            self._is_leaving = True
            with suppress(BaseException):
                _write_at_once(self.last_words() or _LEFT)
            for act in self.last_acts:
                with suppress(BaseException):
                    act()
        os._exit(_INTERRUPTED)


def _write_at_once(text: str) -> None:
    """Past Python's buffers: the signal may have come in the middle of a write to them."""
    if as_lines := getattr(sys.stderr, "last_lines", None):
        text = as_lines(text, _INTERRUPTED)
    begin = f"{_SHOW_CURSOR}\n" if os.isatty(_STANDARD_ERROR) else ""
    os.write(_STANDARD_ERROR, f"{begin}{text}\n".encode(errors="replace"))


_heard: Signals | None = None


def listen() -> Signals:
    """Listen until the process ends. SIGHUP stays ignored where it was, as `nohup` asks for."""
    global _heard  # noqa: PLW0603 - signals belong to the process, and so does what was heard
    if _heard is None:
        _heard = Signals()
        _install(_heard)
    return _heard


@contextmanager
def listening() -> Iterator[Signals]:
    """Listen for the length of a `with` block; where the process listens already, that goes on."""
    global _heard  # noqa: PLW0603 - see `listen`
    if _heard is not None:
        yield _heard
        return
    _heard = Signals()
    before = _install(_heard)
    try:
        yield _heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _heard = None


def is_hung_up() -> bool:
    """Whether the terminal is gone: what is written to it reaches nobody."""
    return _heard is not None and _heard.is_hung_up


@contextmanager
def at_leaving(act: Callable[[], object]) -> Iterator[None]:
    """Do this as well if the process leaves at once inside the `with` block."""
    with listening() as heard:
        heard.last_acts.append(act)
        try:
            yield
        finally:
            heard.last_acts.remove(act)


def _install(heard: Signals) -> dict[int, Handler]:
    before: dict[int, Handler] = {}
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            before[number] = signal.signal(number, heard.handle)
    return before
