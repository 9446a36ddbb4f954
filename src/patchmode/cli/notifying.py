"""`--notify-file`: a notice to a web hook when a run or a watch has ended.

The address is a secret: who has it can write to the channel. So it is no option: it stands in a file or in the
environment, and is never printed, logged or kept. Whatever becomes of the notice, the command ends as it would have.

Must not: send what names a machine.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from patchmode.cli import exits
from patchmode.cli.choices import FILE, Fixed
from patchmode.cli.configuring import ADDRESS as VARIABLE
from patchmode.cli.group import path_of
from patchmode.cli.run_options import NONE
from patchmode.cli.settings import Settings, settings_of
from patchmode.errors import UsageError

if TYPE_CHECKING:
    from patchmode.documents.notice import NoticeDocument
    from patchmode.model.run import RunReport
    from patchmode.model.target import Target

AUTO = "auto"
NOTICE_KINDS = (AUTO, "teams", "slack", "json")
_TOLD = "patchmode.notice"
"""In a context's `meta`: what is known of the command's end."""
_ADVICE = f"Put the address of the web hook, and nothing else, into the file, or into {VARIABLE}."


@dataclass
class Known:
    """What the command has found out so far."""

    run: str | None = None
    report: "RunReport | None" = None
    target: "Target | None" = None
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def has_begun(self) -> bool:
        """Whether anything happened that is worth a notice, whoever sits at the terminal."""
        return self.run is not None or bool(self.counts)


def known() -> Known:
    """Of the command that runs; what is noted there is told when it ends, if that was asked for."""
    context = click.get_current_context(silent=True)
    return Known() if context is None else context.meta.setdefault(_TOLD, Known())


def notice_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--notify-file` and `--notify-as`, and send the notice when the command has ended."""

    @wraps(function)
    def notified(*args: Any, notify_file: str | None, notify_as: str, **options: Any) -> Any:
        context = click.get_current_context()
        address = address_from(context, notify_file)
        if address is None:
            return function(*args, **options)
        try:
            code = function(*args, **options)
        except click.exceptions.Exit:
            raise
        except BaseException as error:
            _send(address, notify_as, exits.of_error(error), context)
            raise
        _send(address, notify_as, int(code or 0), context)
        return code

    as_ = click.option(
        "--notify-as",
        type=Fixed(NOTICE_KINDS),
        default=AUTO,
        show_default=True,
        envvar="PATCHMODE_NOTIFY_AS",
        help="What the web hook takes; auto: by its host, json where it is none of Teams' or Slack's.",
    )
    file = click.option(
        "--notify-file",
        metavar="FILE",
        type=FILE,
        envvar="PATCHMODE_NOTIFY_FILE",
        help="At the end, send a notice to the web hook whose address is in this file (or in PATCHMODE_NOTIFY_URL): "
        "exit code, counts, run, next command, no machine. none: send none.",
    )
    return file(as_(notified))


def address_from(context: click.Context, file: str | None) -> str | None:
    """The address of the web hook; None: there is none, and nothing is sent.

    Args:
        context: of the command, for where the option comes from: the environment's address goes before its file.
        file: as the option has it.

    Raises:
        UsageError: there is no such file, or no http or https address in it; it is not repeated.
    """
    is_typed = context.get_parameter_source("notify_file") is ParameterSource.COMMANDLINE
    around = os.environ.get(VARIABLE)
    if around and not is_typed:
        return _checked(around, VARIABLE)
    if file is None or file.strip().casefold() == NONE:
        return None
    from patchmode.store.files import meant

    path = Path(file).expanduser()
    try:
        return _checked(path.read_text(encoding="utf-8-sig"), f"The file {file}")
    except OSError as error:
        msg = f"could not read the file of --notify-file, {file}: {error.strerror or error}."
        raise UsageError(msg, advice=f"{meant(path)}{_ADVICE}") from error
    except UnicodeDecodeError:
        # Without its cause, which would repeat the content.
        raise UsageError(f"The file {file} holds no address.", advice=_ADVICE) from None


def _checked(text: str, where: str) -> str:
    address = text.strip()
    try:
        parts = urlsplit(address)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_one = False
    if not is_one or not address.isascii() or not address.isprintable() or " " in address:
        raise UsageError(f"{where} holds no http or https address.", advice=_ADVICE) from None
    return address


def _send(address: str, kind: str, code: int, context: click.Context) -> None:
    """Send it, and say so where it did not arrive; no fault of it changes how the command ends."""
    from patchmode.cli import output
    from patchmode.cli.terminal import is_answered

    found: Known = context.meta.get(_TOLD) or Known()
    if not found.has_begun and is_answered():
        return  # whoever sits there reads it
    from patchmode.arm.web_hooks import host_named
    from patchmode.cli.running import run_at_the_end

    try:
        notice = _notice(found, code, context)
        why = run_at_the_end(lambda: _posted(address, kind, notice))
    except Exception as error:  # noqa: BLE001 - the command has ended, and ends as it would have
        why = getattr(error, "message", type(error).__name__)
    if why:
        output.tell(
            f"Sending the notice to {host_named(address)} failed: {why.rstrip('.')}. The exit code stays as it is."
        )


async def _posted(address: str, kind: str, notice: "NoticeDocument") -> str:
    from patchmode.arm.web_hooks import post_notice
    from patchmode.reports.formats.notices import kind_for, notice_body

    body = notice_body(notice, kind_for(address) if kind == AUTO else kind)
    return await post_notice(address, body)


def _notice(found: Known, code: int, context: click.Context) -> "NoticeDocument":
    from patchmode.cli.composition import clock
    from patchmode.documents.base import target_row
    from patchmode.documents.notice import NoticeDocument

    command, report = path_of(context), found.report
    target = found.target or (report.target if report else None)
    counts = found.counts
    halts: tuple[str, ...] = ()
    if report is not None:
        counts = {_camel(name): number for name, number in _counted(report).items()}
        halts = tuple(dict.fromkeys(one.code for one in report.halts))
    return NoticeDocument(
        format="patchmode/notice/v1",
        sent_at=clock().now(),
        command=command,
        exit_code=code,
        verdict=exits.meaning_of(command, code),
        run=found.run,
        state=report.state if report else None,
        halts=halts,
        target=target_row(target) if target else None,
        counts=counts,
        next=_next(found, settings_of(context)),
    )


def _counted(report: "RunReport") -> dict[str, int]:
    from dataclasses import asdict

    attached = sum(one.is_fine for one in report.attachments)
    schedules = {"attached": attached, "not_attached": len(report.attachments) - attached}
    return asdict(report.counts) | (schedules if report.attachments else {})


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


def _next(found: Known, settings: Settings) -> tuple[str, ...]:
    from patchmode.cli.output import completed

    if found.run is None:
        return ()
    report = found.report
    is_open = report is None or report.state != "finished" or bool(report.counts.not_sent)
    commands = [f"patchmode runs show {found.run}"]
    commands += [f"patchmode runs resume {found.run}"] if is_open else []
    commands += [f"patchmode verify {found.run}"] if report and report.counts.applied else []
    return tuple(completed(one, settings) for one in commands)
