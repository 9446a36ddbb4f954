"""A run's brakes, and what held it back, as the journal keeps them: JSON texts, members named as in the model.

Must not: read or write files; `journal` does.
"""

from collections.abc import Sequence
from dataclasses import fields

import msgspec

from patchmode.errors import RefusedError, StorageError
from patchmode.model.brakes import Halt, RunBrakes

_MEMBERS = frozenset(one.name for one in fields(RunBrakes))


def brakes_text(brakes: RunBrakes) -> str:
    """The text for a run's brakes."""
    return msgspec.json.encode(brakes).decode()


def read_brakes(text: str, *, name: str) -> RunBrakes:
    """A run's brakes from their text.

    Args:
        text: of `brakes_text`, by this version or another.
        name: where it was read, for messages.

    Raises:
        RefusedError: it holds a brake that this version does not know, and could not keep.
        StorageError: it is damaged.
    """
    try:
        unknown = sorted(msgspec.json.decode(text, type=dict[str, object]).keys() - _MEMBERS)
        if unknown:
            raise RefusedError(
                f"{name} keeps {', '.join(unknown)}, which this version of patchmode does not know.",
                advice="Use the version that wrote it.",
            )
        return msgspec.json.decode(text, type=RunBrakes)
    except msgspec.MsgspecError as error:
        raise StorageError(f"{name} is damaged: {error}.", advice="Restore it from a backup.") from error


def halts_text(halts: Sequence[Halt]) -> str:
    """The text for what held a run back."""
    return msgspec.json.encode(halts).decode()


def read_halts(text: str) -> Sequence[Halt]:
    """What held a run back, from its text; one that cannot be read holds nothing that is needed to go on."""
    try:
        return msgspec.json.decode(text, type=tuple[Halt, ...])
    except msgspec.MsgspecError:
        return ()
