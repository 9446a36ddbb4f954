"""What Azure recorded of scheduled runs: the fixed queries, how rows become values, and why a run failed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from patchmode.arm.schedule_rows import (
    ASSIGNMENT_COLUMNS,
    IS_ASSIGNMENT,
    MACHINE_TYPES,
    AssignmentRow,
    UnreadableRowError,
)
from patchmode.arm.wire import decode
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.schedule import ENDED_WELL, GUEST_SCOPE, Assessment, FailureKind, Installation, MachineRun

PHRASES: tuple[tuple[FailureKind, tuple[str, ...]], ...] = (
    (
        FailureKind.PREREQUISITE,
        (
            r"patch orchestration mode is not set to automaticbyplatform",
            r"bypassplatform(safety)?checksonuserschedule",
            r"\bprerequisites?\b",
        ),
    ),
    (FailureKind.OFF, (r"shutdown\s*or\s*unresponsive",)),
    (FailureKind.WINDOW_EXCEEDED, (r"maintenance\s*window\s*exceeded",)),
    (FailureKind.CANCELLED, (r"\bmaintenance cancell?ed\b", r"^cancell?ed$")),
    (FailureKind.TIMED_OUT, (r"timed?[\s-]?out",)),
    (FailureKind.UNSUPPORTED, (r"\bunsupported(?!resourceoperation)", r"\bnot supported\b")),
)
"""The first kind of which one expression is found decides. A prerequisite goes first: its code is
`UnsupportedResourceOperation`, and its text may stand among others."""

_SEARCHES = tuple((kind, re.compile("|".join(phrases), re.IGNORECASE)) for kind, phrases in PHRASES)
_TELLING = re.compile(r"error|message|detail|code|status|reason|exceeded", re.IGNORECASE)
_SILENT = frozenset({"", "success", "succeeded", "failed", "failure"})
"""Texts that give no reason. A result without errors is recorded as code `Success`, `0 error/s reported`."""
_NOT_ENDED = frozenset({"", "inprogress", "pending", "notstarted", "retrynow", "retrylater", "unknown"})
_DEPTH = 12


def failure_of(status: str, bag: object) -> FailureKind | None:
    """Classify a run on one machine.

    Args:
        status: as Azure words it.
        bag: the record's whole `properties`.

    Returns:
        None: it did not fail, or it has not ended. A run that gives no status is a failure only where a reason stands.
    """
    word = status.strip().casefold()
    if word in ENDED_WELL or (word and word in _NOT_ENDED):
        return None
    told = list(_strings(bag))
    kind = _kind_in([status, *(text for text, is_telling in told if is_telling)])
    kind = kind or _kind_in([text for text, _ in told])
    if kind is not None or not word:
        return kind
    return FailureKind.OTHER if reasons_in(bag) or word != "failed" else FailureKind.NOT_TOLD


def _kind_in(texts: list[str]) -> FailureKind | None:
    return next((kind for kind, search in _SEARCHES if any(map(search.search, texts))), None)


def reasons_in(bag: object) -> str:
    """The text of a record's errors, as recorded.

    Args:
        bag: the record's whole `properties`.

    Returns:
        Every message once, outermost first; the codes where there is no message; empty where there is neither.
    """
    errors = list(_errors(bag))
    if any(str(node.get("code", "")).casefold() == "success" for node in errors):
        return ""
    for name in ("message", "code"):
        texts = [text for node in errors if isinstance(text := node.get(name), str)]
        wanted = [text.strip() for text in texts if text.strip().casefold() not in _SILENT]
        if wanted:
            return " ".join(dict.fromkeys(wanted))
    return ""


def _errors(bag: object, *, is_error: bool = False, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The error objects of a record, their members' names in lower case; a plain text counts as a message."""
    bag = _unwrapped(bag)
    if depth > _DEPTH:
        return
    if isinstance(bag, list):
        for entry in bag:
            yield from _errors(entry, is_error=is_error, depth=depth + 1)
    elif isinstance(bag, Mapping):
        if is_error:
            yield {name.casefold(): value for name, value in bag.items()}
        for name, value in bag.items():
            lowered = name.casefold()
            if "error" in lowered or (is_error and lowered in ("details", "innererror")):
                yield from _errors(value, is_error="count" not in lowered, depth=depth + 1)
    elif is_error and isinstance(bag, str):
        yield {"message": bag}


def _strings(bag: object, *, is_telling: bool = False, depth: int = 0) -> Iterator[tuple[str, bool]]:
    """Every text in a record, and whether it stands where reasons do.

    Ids and names are left out: a configuration may be called `prerequisites`. Of a flag that is true its name counts,
    as in `maintenanceWindowExceeded`.
    """
    bag = _unwrapped(bag)
    if depth > _DEPTH:
        return
    if isinstance(bag, str):
        if not bag.startswith("/"):
            yield bag, is_telling
    elif isinstance(bag, list):
        for entry in bag:
            yield from _strings(entry, is_telling=is_telling, depth=depth + 1)
    elif isinstance(bag, Mapping):
        for name, value in bag.items():
            if value is True or (isinstance(value, str) and value.casefold() == "true"):
                yield name, True
            elif not re.search(r"^id$|Id$|^name$|Name$", name) and name != "maintenanceConfiguration":
                found = is_telling or _TELLING.search(name) is not None
                yield from _strings(value, is_telling=found, depth=depth + 1)


def _unwrapped(value: object) -> object:
    """JSON inside a text, as services nest it; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return decode(value.encode())
    except ValueError:
        return value


_IS_RUN = "type =~ 'microsoft.maintenance/applyupdates'"
_TIMED = """\
| extend begun = todatetime(properties.startDateTime), scope = tostring(properties.maintenanceScope)"""
_IS_ASKED = "(isnull(begun) or begun >= {since}) and (isempty(scope) or scope =~ 'InGuestPatch')"

_RUNS = f"""\
maintenanceresources
| where {_IS_RUN}
{_TIMED}
| where {_IS_ASKED}
| project id, properties
| order by id asc"""

_RUNS_AND_ASSIGNMENTS = f"""\
maintenanceresources
| where {_IS_RUN} or {IS_ASSIGNMENT}
{_TIMED}
| where {IS_ASSIGNMENT} or ({_IS_ASKED})
| extend isAssignment = {IS_ASSIGNMENT}
| project id, name, isAssignment,
    properties = iff(isAssignment, dynamic(null), properties),
{ASSIGNMENT_COLUMNS}
| order by isAssignment asc, id asc"""

_INSTALLATIONS = """\
patchinstallationresources
| where type =~ 'microsoft.compute/virtualmachines/patchinstallationresults'
    or type =~ 'microsoft.hybridcompute/machines/patchinstallationresults'
| extend begun = todatetime(properties.startDateTime)
| where isnull(begun) or begun >= {since}
| project id, properties
| order by id asc"""

_ASSESSMENTS = """\
patchassessmentresources
| where type =~ 'microsoft.compute/virtualmachines/patchassessmentresults'
    or type =~ 'microsoft.hybridcompute/machines/patchassessmentresults'
{narrowed}| project id, properties
| order by id asc"""
"""Source of table, types and members: Microsoft, "Access Azure Update Manager operations data"."""

_RUN = "/providers/microsoft.maintenance/applyupdates/"
_INSTALLATION = "/patchinstallationresults/"
_PLAIN_ID = re.compile(r"[a-z0-9/_.-]+")
_ASSESSMENT = "/patchassessmentresults/"
_DIGITS = 18
"""Of a count at most; Python refuses to read numbers of some thousand."""
_ENDED = frozenset({"succeeded", "completed", "completedwithwarnings", "failed", "cancelled", "canceled"})


class RecordRow(msgspec.Struct, gc=False):
    """One row of either query; whatever is of another type than documented spoils itself and not its page."""

    id: Any = None
    properties: Any = None

    @property
    def text(self) -> str:
        """The id; empty where there is none."""
        return self.id if isinstance(self.id, str) else ""

    @property
    def bag(self) -> Mapping[str, Any]:
        """The properties; empty where there are none."""
        return self.properties if isinstance(self.properties, Mapping) else {}


class MaintenanceRow(RecordRow, gc=False, rename="camel"):
    """One row of `runs_and_assignments_query`."""

    is_assignment: Any = None
    """Resource Graph writes 1 and 0."""
    name: Any = None
    configuration: Any = None
    filter: Any = None

    @property
    def assignment(self) -> AssignmentRow:
        """The row as one of `ASSIGNMENTS`."""
        return AssignmentRow(self.id, self.name, self.configuration, self.filter)


def runs_query(since: datetime) -> str:
    """The query for each machine in each scheduled run that began at or after a moment, aware."""
    return _RUNS.format(since=_literal(since))


def runs_and_assignments_query(since: datetime) -> str:
    """The same and, after them, every assignment: one table holds both. Whoever needs none may stop there."""
    return _RUNS_AND_ASSIGNMENTS.format(since=_literal(since))


def installations_query(since: datetime) -> str:
    """The query for results of installing updates that began at or after a moment, aware."""
    return _INSTALLATIONS.format(since=_literal(since))


def assessments_query(machines: Sequence[ResourceId]) -> str:
    """The query for the last assessments; empty: of every machine in the scope.

    SAFETY: an id becomes part of the query only where it has no other characters than ids mostly have.
    """
    are_plain = all(_PLAIN_ID.fullmatch(one.key) for one in machines)
    keys = ", ".join(f"'{one.key}'" for one in machines) if are_plain else ""
    narrowed = f"| where tostring(split(tolower(id), '{_ASSESSMENT}')[0]) in ({keys})\n" if keys else ""
    return _ASSESSMENTS.format(narrowed=narrowed)


def assessment_of(row: RecordRow) -> Assessment | None:
    """Read the last assessment of one machine.

    Returns:
        None: it is not about a machine.

    Raises:
        UnreadableRowError: the row names no resource.
    """
    bag = row.bag
    machine = _owner(row.text, _ASSESSMENT, "an assessment")
    if machine is None:
        return None
    critical, security, other = _pending(bag.get("availablePatchCountByClassification"))
    is_pending = str(bag.get("rebootPending")).casefold()
    return Assessment(
        machine,
        _string(bag, "status"),
        moment_of(bag.get("lastModifiedDateTime")),
        critical,
        security,
        other,
        {"true": True, "false": False}.get(is_pending),
    )


def _pending(counts: object) -> tuple[int | None, int | None, int | None]:
    """Critical, security and other updates; a classification that the system does not have is null or absent."""
    if not isinstance(counts, Mapping) or not counts:
        return None, None, None
    found = {str(name).casefold(): _number(value) for name, value in counts.items()}
    others = [value for name, value in found.items() if name not in {"critical", "security"}]
    known = [value for value in others if value is not None]
    other = sum(known) if len(known) == len(others) else None
    return found.get("critical", 0), found.get("security", 0), other


def _number(value: object) -> int | None:
    """A count; None: it is none, and not taken for zero."""
    if value is None:
        return 0
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if value >= 0 else None
    return int(value) if isinstance(value, str) and len(value) <= _DIGITS and value.isdecimal() else None


def _literal(moment: datetime) -> str:
    return f"datetime({moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ})"


def run_of(row: RecordRow, *, since: datetime) -> MachineRun | None:
    """Read one machine in one run.

    Args:
        row: of `runs_query`.
        since: what began before is left out; what gives no time at all is kept, since the graph keeps 30 days only.

    Returns:
        None: it began before, or is not about a machine.

    Raises:
        UnreadableRowError: the row names no resource.
    """
    bag, text = row.bag, row.text
    at = text.casefold().rfind(_RUN)
    machine = _machine(text[:at] if at > 0 else _string(bag, "resourceId"), text)
    started_at = moment_of(bag.get("startDateTime"))
    if started_at is None and at > 0:
        started_at = _moment_of_name(text[at + len(_RUN) :])
    scope = _string(bag, "maintenanceScope")
    is_other = bool(scope) and scope.casefold() != GUEST_SCOPE.casefold()
    if machine is None or is_other or (started_at is not None and started_at < since):
        return None
    status = _string(bag, "status")
    failure = failure_of(status, bag)
    return MachineRun(
        machine=machine,
        configuration=_configuration(bag.get("maintenanceConfigurationId")),
        correlation_id=_string(bag, "correlationId") or None,
        status=status,
        started_at=started_at,
        ended_at=moment_of(bag.get("endDateTime")),
        failure=failure,
        message=reasons_in(bag) if failure is not None else "",
    )


def installation_of(row: RecordRow, *, since: datetime) -> Installation | None:
    """Read one result of installing updates.

    Returns:
        None: it began before `since`, or is not about a machine.

    Raises:
        UnreadableRowError: the row names no resource.
    """
    bag = row.bag
    machine = _owner(row.text, _INSTALLATION, "a result of installing updates")
    started_at = moment_of(bag.get("startDateTime"))
    if machine is None or (started_at is not None and started_at < since):
        return None
    status = _string(bag, "status")
    return Installation(
        machine=machine,
        status=status,
        started_by=_string(bag, "startedBy"),
        started_at=started_at,
        ended_at=moment_of(bag.get("lastModifiedDateTime")) if status.casefold() in _ENDED else None,
        maintenance_run=_string(bag, "maintenanceRunId") or None,
        installed=_count(bag.get("installedPatchCount")),
        failed=_count(bag.get("failedPatchCount")),
        window_exceeded=str(bag.get("maintenanceWindowExceeded")).casefold() == "true",
        reboot_status=_string(bag, "rebootStatus"),
        message=reasons_in(bag),
    )


def moment_of(value: object) -> datetime | None:
    """A time as Azure writes it, aware and in UTC; None: none, or not readable.

    Seven digits of a second are recorded, `Z` and `+00:00` as well; a time without a zone is UTC. The years 1
    (recorded `lastUpdateTime`) and 9999 stand for no time.
    """
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if not 1900 <= found.year < 9999:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _moment_of_name(name: str) -> datetime | None:
    """The start of a run as its name has it: `yyyyMMddHHmmss` and perhaps more."""
    try:
        return datetime.strptime(name[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _owner(row_id: str, child: str, what: str) -> ResourceId | None:
    """The machine that a record belongs to by its id; None: it is not about a machine.

    Args:
        row_id: the id of the record.
        child: what stands between the machine's id and the record's name.
        what: the record, with an article.

    Raises:
        UnreadableRowError: it is not the id of such a record.
    """
    at = row_id.casefold().rfind(child)
    if at <= 0 or "/" in row_id[at + len(child) :]:
        msg = f"{row_id!r} is not the id of {what}"
        raise UnreadableRowError(msg)
    return _machine(row_id[:at], row_id)


def _machine(text: str, row_id: str) -> ResourceId | None:
    try:
        found = ResourceId.parse(text)
    except ResourceIdError as error:
        msg = f"{row_id!r} is not the record of a machine"
        raise UnreadableRowError(msg) from error
    return found if found.full_type in MACHINE_TYPES else None


def _configuration(text: object) -> ResourceId | None:
    try:
        return ResourceId.parse(text) if isinstance(text, str) else None
    except ResourceIdError:
        return None


def _string(bag: Mapping[str, Any], name: str) -> str:
    value = bag.get(name)
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    if isinstance(value, int | float):
        return int(value)
    return int(value) if isinstance(value, str) and len(value) <= _DIGITS and value.isdecimal() else 0
