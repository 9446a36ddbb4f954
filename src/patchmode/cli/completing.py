"""What a shell is answered when Tab is pressed: click's completion, with names from Azure and the state folder.

Whoever presses Tab asked for nothing else: no traceback, no sign-in, no message, no wait that is felt as one.
Must not: be imported by a command that runs.
"""

import hashlib
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    PowerShellComplete,
    add_completion_class,
    get_completion_class,
)

from patchmode.cli.configuring import az_folder
from patchmode.cli.settings import Settings, state_folder
from patchmode.errors import PatchmodeError
from patchmode.store.name_cache import KEPT_S, Names, keep_names, read_names

if TYPE_CHECKING:
    from patchmode.ports.azure import Azure

VARIABLE = "_PATCHMODE_COMPLETE"
PATIENCE = "PATCHMODE_COMPLETION_SECONDS"
"""Says how long Azure is waited for, where signing in takes its time."""
LIMIT_S = 3.0
"""How long it is waited for otherwise: az alone takes one second or two for a token."""
_MORE_S = 1.0
"""After so long beyond that the process ends, whatever holds it."""
_FAILURE_KEPT_S = 20.0
"""Seconds for which nothing is asked again where nothing was answered."""
_MOST = 2000
"""Names of one kind that are offered."""
_RUNS = 30
_PLAN = b'"digest"'
"""With what a plan file begins; its format stands behind its changes."""
_HEAD = 20
_SPECIAL = re.compile(r"([^\w@%+=:,./~-])")


class Bash(BashComplete):
    """Bash, where a name may hold blanks: it is inserted as one word."""

    source_template = """\
%(complete_func)s() {
    local response type value
    response=$(IFS=$'\\n'; env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done <<< "$response"
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def source(self) -> str:
        """The script; whether this computer's bash is too old is told by `completion`, not by a subprocess."""
        return self.source_template % self.source_vars()

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """One line: the kind, and the value as it is typed, with its blanks and quotes escaped."""
        words = os.environ.get("COMP_WORDS", "").split("\n")
        at = int(os.environ.get("COMP_CWORD", "0"))
        is_quoted = at < len(words) and words[at][:1] in {"'", '"'}
        value = item.value if is_quoted or item.type != "plain" else _SPECIAL.sub(r"\\\1", item.value)
        return f"{item.type},{value}"


class PowerShell(PowerShellComplete):
    """PowerShell, which inserts what it is given: a name with blanks is put in quotes."""

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Three lines: the kind, the value as it is typed, what it is."""
        kind, value, what = super().format_completion(item).split("\n")
        if kind == "plain" and _SPECIAL.search(value):
            value = "'" + value.replace("'", "''") + "'"
        return f"{kind}\n{value}\n{what}"


add_completion_class(Bash)
add_completion_class(PowerShell)


def script(program: click.Command, shell: str) -> str:
    """The script that a shell reads once."""
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - the command takes known shells only
    return made(program, {}, "patchmode", VARIABLE).source().strip() + "\n"


def answer(program: click.Command, instruction: str) -> NoReturn:
    """Answer the shell and end the process, with 0 and without a word on standard error whatever happens."""
    timer = threading.Timer(limit_s() + _MORE_S, os._exit, (0,))
    timer.daemon = True
    timer.start()
    with suppress(BaseException):
        silence = os.open(os.devnull, os.O_RDWR)
        os.dup2(silence, sys.stdin.fileno())
        os.dup2(silence, sys.stderr.fileno())
        made = get_completion_class(instruction.partition("_")[0])
        if made is not None:
            sys.stdout.write(made(program, {}, "patchmode", VARIABLE).complete())
            sys.stdout.flush()
    # Not the ordinary end: it waits for threads, and one may wait for a name server.
    os._exit(0)


def limit_s() -> float:
    """How long Azure is waited for, in seconds, > 0."""
    try:
        return max(0.1, float(os.environ.get(PATIENCE) or LIMIT_S))
    except ValueError:
        return LIMIT_S


def names_of(kind: str, context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """What completes a name of a kind; empty where nothing does, or nobody may look.

    Args:
        kind: as `choices.Named` calls it.
        context: of the command that is typed, parsed as far as it goes.
        incomplete: what stands there already.
    """
    settings = _settings(context)
    if kind in {"run", "run or file"}:
        found = _matching(_runs(settings), incomplete)
        return found or ([CompletionItem(incomplete, type="file")] if kind != "run" else [])
    if kind in _READERS:
        return _matching(_from_azure(kind, settings), incomplete)
    return []


def plan_files(incomplete: str) -> list[CompletionItem[str]]:
    """The plan files of the folder that is typed; any file where there is none."""
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") else typed.parent
    found = []
    with suppress(OSError):
        for path in sorted(folder.glob("*.json"))[:_MOST]:
            told = str(path) if incomplete[:2] != "./" else f"./{path}"
            if told.startswith(incomplete) and _is_plan(path):
                found.append(CompletionItem(told))
    return found or [CompletionItem(incomplete, type="file")]


def _is_plan(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as stream:
        return _PLAN in stream.read(_HEAD)
    return False


def _settings(context: click.Context) -> Settings:
    """The places that the command line, the environment and the config file name, wherever they stand."""
    found: dict[str, Any] = {}
    place: click.Context | None = context
    while place is not None:
        for name in ("cloud", "identity_file", "tenant", "state_dir", "share"):
            found[name] = found.get(name) or place.params.get(name)
        place = place.parent
    return Settings(**found, quiet=True)


def _matching(names: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem[str]]:
    begun = incomplete.casefold()
    return [CompletionItem(name, help=what) for name, what in names if name.casefold().startswith(begun)]


def _runs(settings: Settings) -> Names:
    from patchmode.cli import composition

    runs = composition.run_store(settings).list()[::-1][:_RUNS]
    told = [(one.run, f"{one.state}, {one.changes} to change") for one in runs]
    return [("latest", "the newest run"), *told] if told else []


def _from_azure(kind: str, settings: Settings) -> Names:
    folder = state_folder(settings)
    key = _key(kind, settings)
    now = time.time()
    known = read_names(folder, key, now=now)
    if known is None:
        import asyncio

        try:
            known = asyncio.run(_asked(kind, settings))
        except (PatchmodeError, TimeoutError, OSError):
            # Kept too, for a while: the next key pressed must not wait for the same answer again.
            known, now = [], now - KEPT_S + _FAILURE_KEPT_S
        keep_names(folder, key, known, now=now)
    return known


def _key(kind: str, settings: Settings) -> str:
    """What a list of names depends on: who is signed in where, as far as that shows without signing in."""
    who = [os.environ.get(name, "") for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")]
    with suppress(OSError):
        who.append(str((az_folder() / "azureProfile.json").stat().st_mtime_ns))
    text = "\n".join((kind, settings.cloud or "", settings.identity_file or "", settings.tenant or "", *who))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


async def _asked(kind: str, settings: Settings) -> Names:
    import asyncio

    from patchmode.cli import composition

    async with (
        asyncio.timeout(limit_s()),
        composition.connected(settings, read_only=True, throttle_patience_s=limit_s(), remark=_unsaid) as azure,
    ):
        return await _READERS[kind](azure)


def _unsaid(text: str) -> None:
    del text


async def _subscriptions(azure: "Azure") -> Names:
    found = await azure.authorization.subscriptions()
    same = Counter(one.name.casefold() for one in found)
    return sorted((one.name, one.id) if same[one.name.casefold()] == 1 else (one.id, one.name) for one in found)


async def _groups(azure: "Azure") -> Names:
    from patchmode.ports.azure import GraphScope, ResourceGroup

    called = await _called(azure)
    places: dict[str, list[str]] = {}
    async for page in azure.graph.all_resource_groups(GraphScope()):
        for one in page:
            if isinstance(one, ResourceGroup):
                places.setdefault(one.name, []).append(called.get(one.subscription_id, one.subscription_id))
        if len(places) > _MOST:
            break
    return sorted(
        (name, where[0] if len(where) == 1 else f"{len(where)} subscriptions") for name, where in places.items()
    )


async def _schedules(azure: "Azure") -> Names:
    from patchmode.model.schedule import MaintenanceConfiguration
    from patchmode.ports.azure import GraphScope

    called = await _called(azure)
    found = [
        one
        async for page in azure.graph.maintenance_configurations(GraphScope())
        for one in page
        if isinstance(one, MaintenanceConfiguration) and one.is_guest_patching
    ]
    same = Counter(one.name.casefold() for one in found)
    return sorted(
        (
            one.name if same[one.name.casefold()] == 1 else str(one.id),
            f"{one.id.resource_group} in {called.get(one.id.subscription_id, one.id.subscription_id)}",
        )
        for one in found
    )


async def _called(azure: "Azure") -> Mapping[str, str]:
    from patchmode.model.target import SubscriptionNames, labels

    names = SubscriptionNames.of((one.id, one.name) for one in await azure.authorization.subscriptions())
    return labels(names)


_READERS: Mapping[str, Callable[["Azure"], Awaitable[Names]]] = {
    "subscription": _subscriptions,
    "resource group": _groups,
    "schedule": _schedules,
}
