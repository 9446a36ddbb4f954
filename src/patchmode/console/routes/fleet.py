"""The fleet: totals that filter, the table, its export, and reading it anew.

Must not: filter by itself; `fleet_query` does.
"""

import io
from collections.abc import Iterator, Mapping
from datetime import timedelta
from urllib.parse import parse_qsl

from aiohttp import web

from patchmode.console.answers import json_answer, page, see
from patchmode.console.fleet import Row, export_row
from patchmode.console.fleet_query import PAGE_SIZES, Query, parse_query, whole_number
from patchmode.console.state import KEY, LoadedFleet
from patchmode.documents.audit import CSV_COLUMNS
from patchmode.errors import RefusedError, UsageError
from patchmode.reports.formats.structured import write_csv

NOTHING_TICKED = "nothing-ticked"
"""In an address: the table was sent without a tick, and says so in its place."""
INTERVALS = (0, 5, 15, 60)
"""Minutes; 0: only when somebody asks."""
_AT_ONCE = 500
"""Rows of an export that are written between two turns of the loop."""


def add_routes(router: web.UrlDispatcher) -> None:
    """The routes of this room."""
    router.add_get("/", show)
    router.add_post("/ticks", keep_ticks)
    router.add_get("/fleet.csv", export_csv)
    router.add_get("/fleet-ids.txt", export_ids)
    router.add_post("/refresh", refresh)
    router.add_post("/interval", set_interval)
    router.add_get("/reading", reading)


async def show(request: web.Request) -> web.StreamResponse:
    """The fleet; while it is read for the first time, how far that is."""
    loaded = request.app[KEY].fleet.value
    if loaded is None:
        return page(request, "loading.html", what="the fleet", failure=request.app[KEY].fleet.error)
    return _table(request, loaded, parse_query(request.query.items()))


async def keep_ticks(request: web.Request) -> web.StreamResponse:
    """Another page of the table with what was ticked on this one, for browsers that run no script."""
    loaded = request.app[KEY].fleet.value
    if loaded is None:
        return see("/")
    form = await request.post()
    pairs = [pair for pair in parse_qsl(str(form.get("query", "")).removeprefix("?")) if pair[0] != "page"]
    query = parse_query([*pairs, ("page", str(form.get("go", "1")))])
    return _table(request, loaded, query, {str(one): None for one in form.getall("id", [])})


def _table(
    request: web.Request, loaded: LoadedFleet, query: Query, ticked: Mapping[str, None] | None = None
) -> web.Response:
    """The table. `ticked`: machines, in the order in which they were ticked; None: the script keeps them."""
    shown = loaded.orders.show(query)
    here = {row.id for row in shown.rows}
    return page(
        request,
        "fleet.html",
        nothing_ticked=request.query.get(NOTHING_TICKED) is not None,
        ticked=ticked or {},
        ticked_elsewhere=[one for one in ticked or {} if one not in here],
        query=query,
        shown=shown,
        choices=loaded.choices,
        sizes=PAGE_SIZES,
        intervals=INTERVALS,
    )


async def refresh(request: web.Request) -> web.StreamResponse:
    """Read the fleet anew; what is there stays until that is done."""
    console = request.app[KEY]
    console.fleet.refresh()
    form = await request.post()
    back = str(form.get("back", "/"))
    return see(back if back.startswith("/?") else "/")


async def set_interval(request: web.Request) -> web.StreamResponse:
    """Read the fleet again by itself every so many minutes, or only when asked."""
    minutes = whole_number(str((await request.post()).get("minutes", "")), -1)
    if minutes not in INTERVALS:
        raise UsageError("That is not one of the intervals.", advice="Choose one below the table.")
    request.app[KEY].fleet.repeat(timedelta(minutes=minutes) if minutes else None)
    return see("/")


async def reading(request: web.Request) -> web.StreamResponse:
    """When the reading that pages show began, for those that are open."""
    fleet = request.app[KEY].fleet
    return json_answer({"readAt": fleet.read_at, "isBusy": fleet.is_busy})


async def export_csv(request: web.Request) -> web.StreamResponse:
    """Every machine that the filters let through, as `patchmode audit -o csv-excel` writes it."""
    loaded, query = _asked(request)
    rows = loaded.orders.found(query)
    return await _download(request, "fleet.csv", "text/csv", _csv_pieces(rows, dict(loaded.fleet.target.names.pairs)))


async def export_ids(request: web.Request) -> web.StreamResponse:
    """Their resource ids, one a line, for `--ids-file`."""
    loaded, query = _asked(request)
    rows = loaded.orders.found(query)
    return await _download(request, "fleet-ids.txt", "text/plain", (f"{row.id}\n" for row in rows))


def _asked(request: web.Request) -> tuple[LoadedFleet, Query]:
    loaded = request.app[KEY].fleet.value
    if loaded is None:
        raise RefusedError("The fleet has not been read yet.", advice="Wait until the page shows it.")
    return loaded, parse_query(request.query.items())


def _csv_pieces(rows: list[Row], names: Mapping[str, str]) -> Iterator[str]:
    for begin in range(0, max(len(rows), 1), _AT_ONCE):
        stream = io.StringIO(newline="")
        values = (export_row(row, names) for row in rows[begin : begin + _AT_ONCE])
        write_csv(values, CSV_COLUMNS, stream, for_excel=not begin)
        # Only the first piece keeps the heading.
        yield stream.getvalue() if not begin else stream.getvalue().partition("\n")[2]


async def _download(request: web.Request, name: str, kind: str, pieces: Iterator[str]) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Disposition": f'attachment; filename="{name}"'})
    answer.content_type, answer.charset = kind, "utf-8"
    await answer.prepare(request)
    for piece in pieces:
        await answer.write(piece.encode())
    await answer.write_eof()
    return answer
