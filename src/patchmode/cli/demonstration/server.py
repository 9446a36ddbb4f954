"""Starting and stopping the local Azure Resource Manager, a program of its own that is reached over TLS by URL.

Must not: import it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from patchmode.cli.signals import at_leaving
from patchmode.errors import PatchmodeError
from patchmode.store.files import open_private

PROGRAM = "arm-emulator"
READY_WITHIN_S = 20.0
STOPPED_WITHIN_S = 5.0
_FOREIGN = ("AZURE_", "PATCHMODE_", "ARM_")
"""Variables of the user's own sign-in; the demo must never reach a real cloud."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running local Azure Resource Manager."""

    endpoint: str
    tenant_id: str
    client_id: str
    client_secret: str
    ca_bundle: str
    environment: dict[str, str]
    """What a client's process needs; the user's own Azure variables are not in it."""


@contextmanager
def serving(folder: Path, options: Sequence[str]) -> Iterator[Server]:
    """A server for the length of a `with` block, stopped at its end whatever happens.

    Args:
        folder: for its files; the caller removes it.
        options: of `arm-emulator serve`.

    Raises:
        PatchmodeError: it is not installed, or did not start.
    """
    ready = folder / "ready.json"
    log = folder / "server.log"
    command = [program(), "serve", "--ready-file", str(ready), *options]
    with os.fdopen(open_private(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as stream:
        # A session of its own: Ctrl-C must reach the story first, which then stops the server in order.
        process = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
        try:
            with at_leaving(process.kill):
                yield _ready(process, ready, log)
        finally:
            _stop(process)


def program() -> str:
    """The path of the emulator's program.

    Raises:
        PatchmodeError: it is not installed.
    """
    beside = Path(sys.executable).with_name(PROGRAM)
    found = str(beside) if beside.exists() else shutil.which(PROGRAM)
    if found is None:
        raise PatchmodeError(
            f"The program {PROGRAM} was not found beside {sys.executable} or in PATH.",
            advice="Install patchmode again: its package brings both programs.",
        )
    return found


def _ready(process: "subprocess.Popen[bytes]", ready: Path, log: Path) -> Server:
    deadline = time.monotonic() + READY_WITHIN_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            why = tail[-1] if tail else "it said nothing"
            raise PatchmodeError(f"{PROGRAM} did not start: {why}.", advice=f"Try `{PROGRAM} serve` by itself.")
        time.sleep(0.02)
    said = json.loads(ready.read_text(encoding="utf-8"))
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return Server(
        endpoint=said["endpoint"],
        tenant_id=said["tenantId"],
        client_id=said["clientId"],
        client_secret=said["clientSecret"],
        ca_bundle=said["caBundle"],
        environment={**own, **said["env"]},
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
