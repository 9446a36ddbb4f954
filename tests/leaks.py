"""What opens a door, looked for in everything that a program wrote, printed or served."""

import re
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

from arm_emulator.testing import Running

ECHOED = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiIxMTExIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
"""A token, for an answer that repeats one."""
SIGNED = "https://store.example/c/blob?sv=2026-01-01&sig=U2lnbmF0dXJlT2ZUaGVCbG9i"
"""An address that opens what it names, for such an answer."""
_TOKENS = re.compile(rb"eyJ[\w-]{8}|Bearer (?!\*)\S{9}")
"""Every JSON Web Token begins so: base64 of `{"`."""


def marks_of(served: Running) -> Mapping[str, bytes]:
    """What stands for each kind of secret of an emulator: its name in a message → what is looked for."""
    emulator = served.emulator
    return {
        "client secret": served.env["AZURE_CLIENT_SECRET"].encode(),
        "signed address of an operation": emulator.operations._certificate.encode(),
        "signed address in a message": b"U2lnbmF0dXJlT2ZUaGVCbG9i",
    }


def leaks(name: str, content: bytes, marks: Mapping[str, bytes]) -> Iterator[str]:
    """What of it stands in a text or a file, and in which: `evidence.zip/run.json: token`."""
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for entry in archive.namelist():
                yield from leaks(f"{name}/{entry}", archive.read(entry), marks)
        return
    for kind, mark in marks.items():
        if mark in content:
            yield f"{name}: {kind}"
    if found := _TOKENS.search(content):
        yield f"{name}: token {found[0][:12]!r}"


def leaks_below(folder: Path, marks: Mapping[str, bytes]) -> list[str]:
    """The same of every file below a folder.

    A run's journal has the addresses that it needs to follow its operations; whoever may read it may ask them.
    """
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file():
            kept = name.startswith("state/runs/")
            known = {kind: mark for kind, mark in marks.items() if not (kept and kind.endswith("operation"))}
            found += leaks(name, path.read_bytes(), known)
    return found
