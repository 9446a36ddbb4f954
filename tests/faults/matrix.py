"""The fault matrix: what goes wrong (rows), where it strikes (columns), and how each cell ends.

A cell that makes no sense is named with its reason; no cell is left out. A cell has up to two cases: the fault strikes
`once`, or `lasting`, until the run has ended. An end is what the journal says of the machine that is struck; "" is the
end of an undisturbed run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tests.faults.stage import GROUP_LIST, LIST, Phase, Strike

from arm_emulator.faults import Action, Matcher, Respond


class Column(StrEnum):
    """Where a fault strikes."""

    PATCH = "PATCH"
    GET = "machine GET"
    LIST = "list page"
    WATCH = "list page while polling"
    POLL = "operation poll"
    GRAPH = "Resource Graph query"
    PUT = "assignment PUT"
    DELETE = "assignment DELETE"


_CHILD = "/providers/Microsoft.Maintenance/configurationAssignments/*"
PLACES = {
    Column.PATCH: Strike(Phase.APPLY, Matcher("PATCH", "*/virtualMachines/web")),
    Column.GET: Strike(Phase.APPLY, Matcher("GET", "*/virtualMachines/old")),
    Column.LIST: Strike(Phase.PLAN, Matcher("GET", LIST)),
    Column.WATCH: Strike(Phase.APPLY, Matcher("GET", GROUP_LIST), operation_s=30),
    Column.POLL: Strike(Phase.APPLY, Matcher("GET", "*/Microsoft.Compute/locations/*/operations/*"), operation_s=150),
    Column.GRAPH: Strike(Phase.PLAN, Matcher("POST", "*/providers/Microsoft.ResourceGraph/resources")),
    Column.PUT: Strike(Phase.APPLY, Matcher("PUT", f"*/web{_CHILD}")),
    Column.DELETE: Strike(Phase.ROLLBACK, Matcher("DELETE", f"*/web{_CHILD}")),
}
STRUCK = {Column.GET: "old"}
"""Machine that a column's strikes are about, where it is not `web`."""
UNREADABLE = "unreadable"
SIGNED_OUT = "SignInError"
SEEN_BY_READS = ""
"""Of no consequence: a read of the machine tells the end as well."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault at one place, and how it must end."""

    row: str
    column: Column
    case: str
    strike: Strike
    machine: str = "web"
    """Which is struck."""
    change: str = "applied"
    """Its change's result in the journal, with the error's code."""
    schedule: str = ""
    """The same of its schedule; "": attached, or detached in a rollback."""
    refused: str = ""
    """The error that ends planning or the run, by its class; what became of each machine is then held against what
    may become of any."""
    is_unreadable: bool = False
    """Planning names every machine of the larger subscription as unreadable."""
    others: frozenset[str] = frozenset()
    """What may have become of the other machines besides the undisturbed end."""
    is_resumable: bool = False
    """Whether the run, taken up, ends all as if undisturbed; otherwise a new plan does."""
    sent: int = 1
    """PATCHes of the machine that is struck; of one that is throttled for good, at most."""
    is_throttled: bool = False
    """It was sent again and again until patience ended: how often is left to chance."""
    ends_in: str = "Succeeded"
    """The machine's provisioningState when all is over."""
    foreign_writes: int = 0
    """How often somebody else wrote the machine meanwhile."""

    @property
    def name(self) -> str:
        """As the test is called."""
        return f"{self.row} - {self.column} - {self.case}"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that goes wrong."""

    name: str
    do: Action
    lasting: Mapping[Column, str]
    once: Mapping[Column, str] = field(default_factory=dict)
    """Where it is not the end of an undisturbed run."""
    reasons: Mapping[Column, str] = field(default_factory=dict)
    """Why a cell makes no sense."""
    sent: Mapping[Column, int] = field(default_factory=dict)
    """PATCHes of the machine that is struck, where they are written out: no more than the service allows. Of one that
    is throttled for a patience of 15 minutes that is a burst of 12, and 4 a minute."""


def _error(status: int, code: str, **headers: str) -> Action:
    document = {"error": {"code": code, "message": "Made up for this test."}}
    return Action(respond=Respond(status, json=document, headers=headers))


def _refused(write: str, read: str, code: str, graph: str) -> dict[Column, str]:
    """The ends of a fault that strikes reads and writes alike.

    Args:
        write: result of a change or an attachment whose write meets it for good.
        read: result of a change whose machine cannot be read first.
        code: what the journal names.
        graph: what planning ends with.
    """
    return {
        Column.PATCH: f"{write} {code}",
        Column.GET: f"{read} {code}",
        Column.LIST: UNREADABLE,
        Column.WATCH: SEEN_BY_READS,
        Column.POLL: SEEN_BY_READS,
        Column.GRAPH: graph,
        Column.PUT: f"{write} {code}",
        Column.DELETE: f"{write} {code}",
    }


_READS = (Column.GET, Column.LIST, Column.WATCH, Column.POLL, Column.GRAPH)
_WRITES_ONLY = "Azure refuses only writes with this"
_NOTHING_TO_COMMIT = "a read commits nothing: the same as a reset before"
_NO_PRECONDITION = "assignments have no etag, so no If-Match is sent"
_BY_PATCH = "only a PATCH starts an operation"
_CONFLICT_ENDS = {Column.PUT: "failed Conflict", Column.DELETE: "failed Conflict"}
_COMMITTED = {Column.PATCH: "", Column.PUT: "", Column.DELETE: ""}
"""A read shows that it stands, and nothing is sent again."""


def _reasons(columns: tuple[Column, ...], reason: str) -> dict[Column, str]:
    return dict.fromkeys(columns, reason)


ROWS = (
    Row(
        "429 with Retry-After",
        _error(429, "TooManyRequests", **{"Retry-After": "7"}),
        _refused("notSent", "notSent", "TooManyRequests", "ThrottledError"),
        sent={Column.PATCH: 72},
    ),
    Row(
        "429 without Retry-After",
        _error(429, "TooManyRequests"),
        _refused("notSent", "notSent", "TooManyRequests", "ThrottledError"),
        sent={Column.PATCH: 72},
    ),
    Row(
        "500",
        _error(500, "InternalServerError"),
        _refused("unknown", "notSent", "InternalServerError", "RejectedError"),
        sent={Column.PATCH: 2},
    ),
    Row(
        "500 after the service committed",
        Action(respond=Respond(500), commit=True),
        _COMMITTED,
        reasons=_reasons(_READS, _NOTHING_TO_COMMIT.replace("reset", "500")),
        sent={Column.PATCH: 1},
    ),
    Row(
        "502",
        Action(respond=Respond(502, html="<html>Bad Gateway</html>")),
        _refused("unknown", "notSent", "GatewayPage", "RejectedError"),
        sent={Column.PATCH: 2},
    ),
    Row(
        "503",
        Action(respond=Respond(503)),
        _refused("unknown", "notSent", "NoErrorBody", "RejectedError"),
        sent={Column.PATCH: 12},
    ),
    Row(
        "504",
        _error(504, "GatewayTimeout"),
        _refused("unknown", "notSent", "GatewayTimeout", "RejectedError"),
        sent={Column.PATCH: 2},
    ),
    Row(
        "409 Conflict",
        _error(409, "Conflict"),
        {Column.PATCH: "failed Conflict", **_CONFLICT_ENDS},
        once=_CONFLICT_ENDS,
        reasons=_reasons(_READS, _WRITES_ONLY),
        sent={Column.PATCH: 4},
    ),
    Row(
        "409 ConflictingConcurrentWriteNotAllowed",
        _error(409, "ConflictingConcurrentWriteNotAllowed"),
        dict.fromkeys((Column.PATCH, Column.PUT, Column.DELETE), "failed ConflictingConcurrentWriteNotAllowed"),
        reasons=_reasons(_READS, _WRITES_ONLY),
        sent={Column.PATCH: 24},
    ),
    Row(
        "412",
        _error(412, "ConditionNotMet"),
        {Column.PATCH: "stale MachineKeepsChanging"},
        reasons={**_reasons(_READS, _WRITES_ONLY), **_reasons((Column.PUT, Column.DELETE), _NO_PRECONDITION)},
        sent={Column.PATCH: 4},
    ),
    Row(
        "reset before the service committed",
        Action(reset="connection"),
        _refused("unknown", "notSent", "NoAnswer", "MaybeAppliedError"),
        sent={Column.PATCH: 2},
    ),
    Row(
        "reset after the service committed",
        Action(reset="connection", commit=True),
        _COMMITTED,
        reasons=_reasons(_READS, _NOTHING_TO_COMMIT),
        sent={Column.PATCH: 1},
    ),
    Row(
        "answer cut off in the middle",
        Action(reset="mid-body", commit=True),
        {**_refused("unknown", "notSent", "NoAnswer", "MaybeAppliedError"), **_COMMITTED},
        sent={Column.PATCH: 1},
    ),
    Row(
        "answer in an encoding that cannot be decoded",
        Action(respond=Respond(200, json={"value": []}, headers={"Content-Encoding": "gzip"}), commit=True),
        {**_refused("unknown", "notSent", "NoAnswer", "MaybeAppliedError"), **_COMMITTED},
        sent={Column.PATCH: 1},
    ),
    Row(
        "answer never comes, nothing was committed",
        Action(silence=True),
        _refused("unknown", "notSent", "NoAnswer", "MaybeAppliedError"),
        sent={Column.PATCH: 2},
    ),
    Row(
        "answer never comes, the service committed",
        Action(silence=True, commit=True),
        _COMMITTED,
        reasons=_reasons(_READS, _NOTHING_TO_COMMIT.replace("a reset before", "an answer that never comes")),
        sent={Column.PATCH: 1},
    ),
    Row(
        "token expires in mid-run",
        Action(expire_tokens=True),
        {
            Column.PATCH: SIGNED_OUT,
            Column.GET: SIGNED_OUT,
            Column.LIST: "",
            Column.WATCH: SIGNED_OUT,
            Column.POLL: SIGNED_OUT,
            Column.GRAPH: "ForbiddenError",
            Column.PUT: SIGNED_OUT,
            Column.DELETE: SIGNED_OUT,
        },
    ),
)
"""The rows whose fault strikes a call."""


def cells_of(row: Row) -> Iterator[Cell]:
    """Both cases of each cell of a row that makes sense."""
    for column, lasting in row.lasting.items():
        yield _cell(row, column, "once", row.once.get(column, ""), count=1)
        yield _cell(row, column, "lasting", lasting, count=None)


def _cell(row: Row, column: Column, case: str, end: str, *, count: int | None) -> Cell:
    strike = replace(PLACES[column], do=row.do, count=count)
    cell = Cell(row.name, column, case, strike, machine=STRUCK.get(column, "web"), is_resumable=True)
    if column is Column.PATCH:
        wanted = row.sent.get(column, 1)
        cell = replace(cell, sent=wanted if case == "lasting" else min(wanted, 2))
    if not end:
        return cell
    if column is Column.LIST:
        return replace(cell, is_unreadable=True, is_resumable=False)
    if column is Column.GRAPH or end == SIGNED_OUT:
        return replace(cell, refused=end, is_resumable=end == SIGNED_OUT)
    if column is Column.PUT:
        return replace(cell, schedule=end, is_resumable=end.startswith("notSent"))
    if column is Column.DELETE:
        return replace(cell, change="notSent StillAttached", schedule=end, sent=0)
    never_sent = end.startswith("notSent")
    is_throttled = never_sent and column is Column.PATCH
    # A schedule that waits for settings which were not sent says why these were not.
    schedule = end if never_sent else "notSent SettingsNotVerified"
    sent = 0 if never_sent and not is_throttled else cell.sent
    return replace(cell, change=end, schedule=schedule, is_resumable=never_sent, sent=sent, is_throttled=is_throttled)
