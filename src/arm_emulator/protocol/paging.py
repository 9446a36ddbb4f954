"""Pages of a list, over a snapshot that later writes do not disturb.

The link has the reported form (``&%24skiptoken=`` with deflated base64 in lower-case escapes) and the pages the
reported unevenness: 1,200 machines once came as 299, 250, 211, 116, 81, 50, 50, 50, 50, 48.
"""

import base64
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from arm_emulator.protocol.http import ArmError, Request
from arm_emulator.state import Document

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

Row = TypeVar("Row")
KEPT_SNAPSHOTS = 256
UNEVEN = (299, 250, 211, 116, 81, 50)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a list held when its first page was asked for."""

    rows: Sequence[Any]
    principal: str
    path: str


class Snapshots:
    """The snapshots behind the links that were given out; the oldest are forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Snapshot] = OrderedDict()
        self._count = 0

    def keep(self, snapshot: Snapshot) -> str:
        """Remember a snapshot; returns its name."""
        self._count += 1
        name = f"s{self._count:x}"
        self._kept[name] = snapshot
        while len(self._kept) > KEPT_SNAPSHOTS:
            self._kept.popitem(last=False)
        return name

    def find(self, name: str) -> Snapshot | None:
        """The snapshot of a name, or None where it was forgotten."""
        return self._kept.get(name)

    def shift(self, by: int) -> None:
        """Have what follows in every list begin ``by`` members late, or early where ``by`` is below 0.

        No recorded exchange shows a list that changes while it is read, and no document rules it out.
        """
        for name, kept in self._kept.items():
            rows = [*[kept.rows[0]] * -by, *kept.rows] if by < 0 else kept.rows[by:]
            self._kept[name] = replace(kept, rows=rows)


def list_page(
    cloud: "Cloud",
    request: Request,
    rows: Callable[[], Sequence[Row]],
    render: Callable[[Row], Document],
) -> dict[str, Any]:
    """The body of one page: ``{"value": [...]}``, with ``nextLink`` only where more follows.

    Args:
        cloud: its profile says how long pages are.
        request: the call; a ``$skiptoken`` in it continues an earlier snapshot.
        rows: the whole list; called for a first page only.
        render: a member of it as this api-version shows it.

    Raises:
        ArmError: 400 where the ``$skiptoken`` is not one that was given out for this list.
    """
    token = request.query.get("$skiptoken")
    if token is None:
        name, offset, snapshot = "", 0, Snapshot(rows(), request.principal.object_id, request.path.lower())
    else:
        name, offset, snapshot = _continued(cloud, request, token)
    size = _page_size(cloud, offset)
    page = snapshot.rows[offset : offset + size]
    body: dict[str, Any] = {"value": [render(stored) for stored in page]}
    if offset + size < len(snapshot.rows):
        name = name or cloud.parts[Snapshots].keep(snapshot)
        body["nextLink"] = _link(request, encode_token(f"{name}!{offset + size}"))
    return body


def _page_size(cloud: "Cloud", offset: int) -> int:
    fixed = cloud.profile.list_page_size
    return fixed if fixed > 0 else cloud.random.choice(UNEVEN[:3] if offset == 0 else UNEVEN)


def _continued(cloud: "Cloud", request: Request, token: str) -> tuple[str, int, Snapshot]:
    name, _, offset = decode_token(token).partition("!")
    snapshot = cloud.parts[Snapshots].find(name)
    is_ours = snapshot is not None and offset.isdigit() and snapshot.path == request.path.lower()
    if snapshot is None or not is_ours or snapshot.principal != request.principal.object_id:
        message = "The provided skip token is not valid for this list."
        raise ArmError(400, "InvalidParameter", message, target="$skiptoken")
    return name, int(offset), snapshot


def encode_token(text: str) -> str:
    """Text as a skip token: deflated, base64."""
    squeeze = zlib.compressobj(wbits=-15)
    return base64.b64encode(squeeze.compress(text.encode()) + squeeze.flush()).decode()


def decode_token(token: str) -> str:
    """The text of a skip token; ``''`` where it is none."""
    try:
        return zlib.decompress(base64.b64decode(token, validate=True), wbits=-15).decode()
    except (ValueError, zlib.error):
        return ""


def _link(request: Request, token: str) -> str:
    ours = ("$skiptoken=", "%24skiptoken=")
    kept = [part for part in request.raw_query.split("&") if not part.lower().startswith(ours)]
    escaped = quote(token, safe="")
    # The recorded link escapes in lower case (%2f, %2b, %3d), which quote() does in upper case.
    parts = escaped.split("%")
    lowered = parts[0] + "".join("%" + part[:2].lower() + part[2:] for part in parts[1:])
    return f"{request.base_url}{request.path}?{'&'.join([*kept, '%24skiptoken=' + lowered])}"
