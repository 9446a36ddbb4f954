"""``POST /providers/Microsoft.ResourceGraph/resources``: options, paging by token over a snapshot, both result formats.

Rules and limits: the public "Work with large data sets" and "Guidance for throttled requests" pages, recorded answers.
The query language itself is ``arm_emulator.kql``'s.
"""

import base64
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from arm_emulator import kql
from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.routing import Route
from arm_emulator.protocol.throttle import GRAPH_SUPPORT
from arm_emulator.providers.resource_graph.rows import Rows
from arm_emulator.providers.resource_graph.scope import Source, subscriptions_in_scope

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

API_VERSIONS = frozenset(
    {
        "2018-09-01-preview",
        "2019-04-01",
        "2020-04-01-preview",
        "2021-03-01",
        "2021-06-01-preview",
        "2022-10-01",
        "2024-04-01",
    }
)
_TABLE_BY_DEFAULT = frozenset({"2018-09-01-preview", "2019-04-01"})
_BETWEEN = "2020-04-01-preview"
"""Which format is its own is not known here."""
DEFAULT_TOP, MAX_TOP = 100, 1000
KEPT_RESULTS = 64
_OPTIONS = frozenset({"$top", "$skip", "$skipToken", "resultFormat", "allowPartialScopes", "authorizationScopeFilter"})
_COLUMN_TYPES = {
    kql.Type.BOOL: "boolean",
    kql.Type.INT: "integer",
    kql.Type.LONG: "integer",
    kql.Type.REAL: "number",
    kql.Type.DATETIME: "datetime",
    kql.Type.DYNAMIC: "object",
}


@dataclass(frozen=True, slots=True)
class Result:
    """The whole answer of a query, computed once; tokens page over it."""

    columns: Sequence[kql.Column]
    rows: Sequence[tuple[Any, ...]]
    can_continue: bool
    """Whether Resource Graph gives out tokens for it: it projects ``id`` and does not cut itself off."""
    owner: str


@dataclass(frozen=True, slots=True)
class _Page:
    top: int
    skip: int
    is_table: bool


class Results:
    """The answers behind the tokens that were given out; the oldest are forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Result] = OrderedDict()
        self._count = 0

    def keep(self, result: Result) -> str:
        """Remember an answer; returns its name."""
        self._count += 1
        name = f"r{self._count}"
        self._kept[name] = result
        while len(self._kept) > KEPT_RESULTS:
            self._kept.popitem(last=False)
        return name

    def find(self, name: str) -> Result | None:
        """The answer of a name, or None where it was forgotten."""
        return self._kept.get(name)


def query(cloud: "Cloud", request: Request, _: dict[str, str]) -> Response:
    """Answer a query.

    Raises:
        ArmError: 429 where the caller's quota is used up, 400 for what Resource Graph refuses, 501 for facets.
    """
    begun = time.perf_counter()
    headers = _quota(cloud, request)
    try:
        body = _body(cloud, request)
        options = body.get("options") or {}
        page = _page(cloud, request, options)
        token = options.get("$skipToken")
        name, page, result = (
            ("", page, _computed(cloud, request, body))
            if not token
            else _continued(cloud, request, str(token), page, has_top="$top" in options)
        )
        answer = _answer(cloud, page, name, result)
    except ArmError as error:
        error.headers.update(headers)
        raise
    spent = time.perf_counter() - begun
    headers["x-ms-resource-graph-request-duration"] = f"0:00:00:{spent:010.7f}"
    return Response(200, answer, headers)


def _quota(cloud: "Cloud", request: Request) -> dict[str, str]:
    try:
        return cloud.throttle.spend_graph(request.principal.object_id)
    except ArmError as error:
        error.message = _support(cloud, request)
        raise


def _support(cloud: "Cloud", request: Request) -> str:
    now = cloud.clock.now()
    timestamp = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}0Z"
    return GRAPH_SUPPORT.format(timestamp=timestamp, correlation=request.correlation_id)


def _refused(cloud: "Cloud", request: Request, *details: dict[str, Any]) -> ArmError:
    return ArmError(400, "BadRequest", _support(cloud, request), details=details)


def _body(cloud: "Cloud", request: Request) -> dict[str, Any]:
    body = request.body
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        detail = {
            "code": "InvalidRequest",
            "message": "The request body must be an object with a 'query' of type string.",
        }
        raise _refused(cloud, request, detail)
    if body.get("facets"):
        raise ArmError(501, "NotEmulated", "The emulator does not emulate facets of Resource Graph.")
    return body


def _page(cloud: "Cloud", request: Request, options: Any) -> _Page:
    unknown = sorted(set(options) - _OPTIONS) if isinstance(options, dict) else ["options"]
    if unknown:
        raise ArmError(501, "NotEmulated", f"The emulator does not emulate the option {', '.join(unknown)}.")
    top, skip = options.get("$top", DEFAULT_TOP), options.get("$skip", 0)
    shape = options.get("resultFormat")
    top = DEFAULT_TOP if top is None else top
    skip = 0 if skip is None else skip
    if not isinstance(top, int) or not 1 <= top <= MAX_TOP:
        detail = {"code": "InvalidTop", "message": f"The option '$top' must be between 1 and {MAX_TOP}."}
        raise _refused(cloud, request, detail)
    if not isinstance(skip, int) or skip < 0:
        raise _refused(cloud, request, {"code": "InvalidSkip", "message": "The option '$skip' must not be negative."})
    if shape is not None and str(shape).lower() not in ("table", "objectarray"):
        detail = {
            "code": "InvalidResultFormat",
            "message": "The option 'resultFormat' must be 'table' or 'objectArray'.",
        }
        raise _refused(cloud, request, detail)
    return _Page(top, skip, str(shape or _own_format(cloud, request.api_version.lower())).lower() == "table")


def _own_format(cloud: "Cloud", api_version: str) -> str:
    """The format of an answer to a query that names none."""
    if api_version == _BETWEEN:
        return cloud.profile.graph_preview_format
    return "table" if api_version in _TABLE_BY_DEFAULT else "objects"


def _computed(cloud: "Cloud", request: Request, body: dict[str, Any]) -> Result:
    subscriptions = subscriptions_in_scope(cloud, request, body)
    source = Source(cloud, request, cloud.parts[Rows], subscriptions)
    try:
        plan = kql.compile_query(
            body["query"],
            now=cloud.clock.now(),
            checks_tables=cloud.profile.graph_tables_together == "documented",
            listed_only=cloud.profile.graph_operators == "documented",
        )
        table = plan.run(lambda name: source.rows(name, plan.type_filter(name)))
    except kql.KqlError as error:
        invalid = (
            "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the "
            "error before retrying."
        )
        raise _refused(cloud, request, {"code": "InvalidQuery", "message": invalid}, dict(error.detail())) from error
    can_continue = plan.projects_id and not plan.has_limit
    return Result(table.columns, table.rows, can_continue, request.principal.object_id)


def _continued(
    cloud: "Cloud", request: Request, token: str, page: _Page, *, has_top: bool
) -> tuple[str, _Page, Result]:
    try:
        told = msgspec.json.decode(base64.b64decode(token, validate=True))
        name = str(told["KustoClusterUrl"]).rsplit("/", 1)[-1]
        skip, top = int(told["RowsToSkip"]), int(told["MaxRows"])
    except (ValueError, KeyError, TypeError) as error:
        raise _bad_token(cloud, request) from error
    result = cloud.parts[Results].find(name)
    if result is None or result.owner != request.principal.object_id:
        raise _bad_token(cloud, request)
    return name, _Page(page.top if has_top else top, skip, page.is_table), result


def _bad_token(cloud: "Cloud", request: Request) -> ArmError:
    return _refused(cloud, request, {"code": "InvalidSkipToken", "message": "The skip token is invalid or expired."})


def _answer(cloud: "Cloud", page: _Page, name: str, result: Result) -> dict[str, Any]:
    end = page.skip + page.top
    rows = result.rows[page.skip : end]
    has_more = end < len(result.rows)
    body: dict[str, Any] = {"totalRecords": len(result.rows), "count": len(rows)}
    body["data"] = _table(result, rows) if page.is_table else _objects(result, rows)
    body["facets"] = []
    # A result that is cut off without a token to go on with is a truncated one.
    body["resultTruncated"] = "true" if has_more and not result.can_continue else "false"
    if has_more and result.can_continue:
        body["$skipToken"] = _token(name or cloud.parts[Results].keep(result), page.top, end)
    return body


def _table(result: Result, rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    columns = [{"name": column.name, "type": _COLUMN_TYPES.get(column.type, "string")} for column in result.columns]
    return {"columns": columns, "rows": rows}


def _objects(result: Result, rows: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    names = [column.name for column in result.columns]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _token(name: str, top: int, skip: int) -> str:
    told = {
        "$id": "1",
        "MaxRows": top,
        "RowsToSkip": skip,
        "KustoClusterUrl": f"https://graph.arm-emulator.example/{name}",
    }
    text = msgspec.json.format(msgspec.json.encode(told), indent=2).replace(b"\n", b"\r\n")
    return base64.b64encode(text).decode()


ROUTES: tuple[Route, ...] = (
    Route("POST", "/providers/Microsoft.ResourceGraph/resources", query, api_versions=API_VERSIONS),
)
