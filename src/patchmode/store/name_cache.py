"""Names that the shell completes, kept for minutes: a key that is pressed must not ask Azure each time.

Must not: be read by anything that decides; what stands here may be gone.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from patchmode.errors import PatchmodeError
from patchmode.store.files import make_private_folder, write_whole

KEPT_S = 300.0
"""Seconds for which a list counts as current."""
Names = Sequence[tuple[str, str]]
"""Each name with what it is, in words."""


def read_names(folder: Path, key: str, *, now: float) -> Names | None:
    """The names that were kept under a key; None: none were, or they are too old, or cannot be read.

    Args:
        folder: the state folder.
        key: what they depend on, as letters and digits: who asks whom about what.
        now: seconds since the epoch.
    """
    path = _path(folder, key)
    try:
        if not 0 <= now - path.stat().st_mtime <= KEPT_S:
            return None
        return [(str(name), str(what)) for name, what in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None


def keep_names(folder: Path, key: str, names: Names, *, now: float) -> None:
    """Keep names under a key; where that cannot be, nothing is kept."""
    path = _path(folder, key)
    with suppress(OSError, PatchmodeError):
        make_private_folder(path.parent)
        write_whole(path, json.dumps(list(names)).encode())
        os.utime(path, (now, now))


def _path(folder: Path, key: str) -> Path:
    return folder / "completion" / f"{key}.json"
