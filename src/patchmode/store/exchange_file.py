"""The file of scrubbed exchanges that a user may hand on."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from patchmode.documents.exchanges import exchange_rows
from patchmode.model.exchange import Exchange
from patchmode.store.files import write_whole


def write_exchanges(path: Path, exchanges: Sequence[Exchange], source: str) -> None:
    """Write exchanges in the shape of the recordings: a list, in the order of the answers.

    Args:
        path: replaced if it is there.
        exchanges: as `rules.scrubbing.exchanges.scrub` made them; empty: the file holds an empty list.
        source: see `documents.exchanges.exchange_rows`.

    Raises:
        StorageError: it cannot be written; a file that was there before is untouched.
    """
    rows = msgspec.json.encode(exchange_rows(exchanges, source))
    write_whole(path, msgspec.json.format(rows, indent=1) + b"\n")
