"""What Resource Graph granted last, in a file that the processes of one user share.

It holds numbers, instants and digests of who was signed in: no name, no id, no token. Nothing depends on it: without
it a query may be refused and is sent again.
"""

import hashlib
import logging
from datetime import timedelta
from pathlib import Path

import msgspec

from patchmode.errors import RunBusyError, StorageError
from patchmode.ports.azure import GraphQuota
from patchmode.store.files import FileLock, make_private_folder, write_whole

NAME = "resource-graph-quota.json"
FORMAT = "patchmode/resource-graph-quota/v1"
_KEPT = timedelta(days=1)
"""After that an entry tells nothing any more, whatever the clock did in between."""
_MOST_BYTES = 1_000_000
_LOG = logging.getLogger(__name__)


class _Document(msgspec.Struct):
    format: str
    granted: dict[str, GraphQuota]
    """By the digest of whom it was granted to."""


class QuotaFile:
    """Fulfils `ports.GraphQuotas`.

    Args:
        folder: the state folder; it is made with the first entry.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._is_usable = True

    def read(self, identity: str) -> GraphQuota | None:
        """See `ports.GraphQuotas.read`."""
        return self._entries().get(_digest(identity))

    def write(self, identity: str, quota: GraphQuota) -> None:
        """See `ports.GraphQuotas.write`.

        Where another process is writing at the same moment, its entry is as good as this one.
        """
        if not self._is_usable:
            return
        try:
            make_private_folder(self._path.parent)
            lock = FileLock(self._path.with_suffix(".lock"), what="Resource Graph's quota")
        except RunBusyError:
            return
        except (StorageError, OSError) as error:
            self._give_up(error)
            return
        try:
            self._put(_digest(identity), quota)
        except (StorageError, OSError, ValueError) as error:
            self._give_up(error)
        finally:
            lock.release()

    def _put(self, key: str, entry: GraphQuota) -> None:
        young = entry.noted_at - _KEPT
        kept = {name: one for name, one in self._entries().items() if young <= one.noted_at}
        document = _Document(FORMAT, {**kept, key: entry})
        write_whole(self._path, msgspec.json.encode(document), is_lasting=False)

    def _entries(self) -> dict[str, GraphQuota]:
        """What can be read; a file of another format, or of none, holds nothing."""
        try:
            if self._path.stat().st_size > _MOST_BYTES:
                return {}
            document = msgspec.json.decode(self._path.read_bytes(), type=_Document)
        except (OSError, ValueError):
            return {}
        if document.format != FORMAT:
            return {}
        entries = document.granted.items()
        return {
            name: one for name, one in entries if one.noted_at.tzinfo is not None and one.resets_at.tzinfo is not None
        }

    def _give_up(self, error: Exception) -> None:
        _LOG.debug("what Resource Graph still grants is not noted: %s", error)
        self._is_usable = False


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:32]
