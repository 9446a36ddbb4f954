"""What `-v` and `--debug` log, and `--log-format json`: every line on standard error is one JSON object.

In JSON, standard error is replaced by a stream that turns whatever is written to it into such a line, so that nothing a
collector reads is anything else; what knows more about itself (level, machine, exit code) is given to `put`.

Must not: decide what is told; or be heavy to import, since every command does.
"""

import logging
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from patchmode.arm.wire_log import without_tokens
from patchmode.cli import exits
from patchmode.cli.settings import Settings
from patchmode.cli.terminal import LOG
from patchmode.errors import PatchmodeError, RequestError
from patchmode.model.plain_text import json_escaped, marked

if TYPE_CHECKING:
    from patchmode.documents.log import Event, Level

VARIABLE = "PATCHMODE_LOG_FORMAT"
JSON = "json"
LOG_FORMATS = ("text", JSON)
_FORMAT = "%(asctime)s %(name)s %(message)s"
_LOGGERS = ("patchmode", "azure.identity", "patchmode-wire")
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SUBSCRIPTION = re.compile(rf"/subscriptions/({_GUID})", re.IGNORECASE)
_MACHINE = re.compile(
    rf"/subscriptions/{_GUID}/resourceGroups/[^/\s]+/providers/"
    r"Microsoft\.(?:Compute/virtualMachines|HybridCompute/machines)/[^/\s?:;,'\"]+",
    re.IGNORECASE,
)


class LogStream:
    """Standard error as lines of `patchmode/log/v1`.

    Args:
        below: where they go.
    """

    encoding, errors, name = "utf-8", "replace", LOG

    def __init__(self, below: TextIO) -> None:
        self.below = below
        self.run: str | None = None
        self._begun = ""

    def write(self, text: str) -> int:
        """Make one line of a text; what ends in no line feed waits for the rest of its line.

        Raises:
            TypeError: it is no text.
        """
        if not isinstance(text, str):
            raise TypeError("text is expected")
        whole = self._begun + text
        if not whole.endswith("\n"):
            self._begun = whole
        else:
            self._begun = ""
            if whole.strip():
                self.put("info", whole)
        return len(text)

    def flush(self) -> None:
        """Write on what the stream below holds back."""
        self.below.flush()

    def isatty(self) -> bool:
        """Never: neither colours nor bars nor questions belong into a log."""
        return False

    def fileno(self) -> int:
        """Of the stream below."""
        return self.below.fileno()

    def put(self, level: "Level", text: str, event: "Event" = "said", **members: Any) -> None:
        """Write one line.

        Args:
            level: how grave it is.
            text: for people, of any number of lines.
            event: what the line is.
            members: others of `LogDocument`.
        """
        self.below.write(self.line(level, text, event, **members) + "\n")
        self.below.flush()

    def last_lines(self, text: str, code: int) -> str:
        """The JSON with which a process ends that must not wait for this stream: a remark, and the exit code."""
        return f"{self.line('warning', text)}\n{self.line(*_end(code), exit_code=code)}"

    def line(self, level: "Level", text: str, event: "Event" = "said", **members: Any) -> str:
        """The JSON that `put` writes."""
        from patchmode.documents.log import LogDocument, log_text

        text = without_tokens(text.strip())
        about = f"{members.get('path') or ''} {text}"
        found: dict[str, Any] = {
            "time": datetime.now(UTC),
            "logger": "patchmode",
            "run": self.run,
            "machine": _one_of(_MACHINE.findall(about)),
            "subscription": _one_of(_SUBSCRIPTION.findall(about)),
        }
        document = LogDocument(
            format="patchmode/log/v1", level=level, event=event, message=text, **{**found, **members}
        )
        return json_escaped(log_text(document))


def _one_of(found: Sequence[str]) -> str | None:
    """What a line is about, where it is about one thing; ids are the same in any case."""
    alike = {one.casefold(): one for one in found}
    return next(iter(alike.values())) if len(alike) == 1 else None


# ------------------------------------------------------------------------------------------- what is chosen, and begun


def stream() -> LogStream | None:
    """Where lines of JSON go; None: text was chosen."""
    return sys.stderr if isinstance(sys.stderr, LogStream) else None


def begin(settings: Settings) -> None:
    """Make standard error what `--log-format` says, and send logs to it.

    `-v` sends patchmode's own, twice those of azure-identity too, and `--debug` adds requests and answers. In JSON,
    warnings of every library are lines as well.
    """
    choose(settings.log_format)
    log = stream()
    if log is None and not (settings.verbose or settings.debug):
        return
    handler: logging.Handler = _Lines(log) if log else logging.StreamHandler()
    handler.setFormatter(_Marking(_FORMAT, datefmt="%H:%M:%S%z"))
    if log:
        logging.captureWarnings(True)
        logging.getLogger().addHandler(handler)
    for name in _LOGGERS if settings.debug else _LOGGERS[: min(settings.verbose, 2)]:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
        logger.propagate = False


def choose(form: str | None) -> None:
    """Make standard error lines of JSON, or text; None is text."""
    log = stream()
    if form == JSON and log is None:
        sys.stderr = LogStream(sys.stderr)
        sys.excepthook = _told_as_line
    elif form != JSON and log is not None:
        sys.stderr, sys.excepthook = log.below, sys.__excepthook__


def choose_by(args: Sequence[str]) -> None:
    """As `choose`, for a command line that could not be read: an error in it must not be lost to a collector."""
    if stream() is None and _asked_for(args) == JSON:
        choose(JSON)


def _asked_for(args: Sequence[str]) -> str | None:
    for at, word in reversed(list(enumerate(args))):
        name, mark, value = word.partition("=")
        if name == "--log-format":
            return (value if mark else "".join(args[at + 1 : at + 2])).casefold()
    if around := os.environ.get(VARIABLE):
        return around.casefold()
    from patchmode.cli.configuring import settings_in_file

    with suppress(PatchmodeError):
        return settings_in_file().get("log-format")
    return None


# --------------------------------------------------------------------------------------------------------- lines


def about(run: str) -> None:
    """Name the run that is carried out in every line from now on."""
    if (log := stream()) is not None:
        log.run = run


def put_error(error: PatchmodeError) -> bool:
    """Write the error that ended the command as a line; False: text was chosen, and nothing is written."""
    log = stream()
    if log is None:
        return False
    facts: dict[str, Any] = {"advice": without_tokens(error.advice) or None}
    if isinstance(error, RequestError):
        facts |= {"code": error.code, "status": error.status}
        facts |= {"request_id": error.request_id, "correlation_id": error.correlation_id}
    log.put("error", error.message, "error", **facts)
    return True


def put_end(code: int, command: str) -> None:
    """Write the last line, with the exit code; nothing where text was chosen.

    Args:
        code: of this process.
        command: its words without its options, such as `runs show`; empty: it is not known.
    """
    if (log := stream()) is None:
        return
    log.put(*_end(code), exit_code=code, command=command or None)


def _end(code: int) -> "tuple[Level, str, Event]":
    """The level and the text of a process's last line."""
    return exits.level_of(code), f"exit code {code}: {exits.meaning_of('', code)}", "end"


class _Lines(logging.Handler):
    """Each record of `logging` as a line."""

    def __init__(self, log: LogStream) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write it."""
        levels: tuple[Level, ...] = ("debug", "info", "warning", "error")
        level = levels[max(0, min(record.levelno // 10 - 1, 3))]
        members = dict(getattr(record, "members", {}))
        if record.exc_info:
            members["exception"] = _traceback(record.exc_info[1])
        self._log.put(level, record.getMessage(), "log", logger=record.name, **members)


class _Marking(logging.Formatter):
    """What is logged holds names and answers from elsewhere, which must not steer the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """As the base does, with marks."""
        return marked(super().format(record))


def _traceback(error: BaseException | None) -> str | None:
    import traceback

    return without_tokens("".join(traceback.format_exception(error))) if error else None


def _told_as_line(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """A defect of patchmode, whose process ends with 1."""
    if (log := stream()) is not None:
        log.put("error", f"{kind.__name__}: {error}", "error", exception=_traceback(error))
        put_end(exits.of_error(error), "")
