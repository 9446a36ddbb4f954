"""Readiness: over time, by subscription, and the fleet as a report. Must not: write anything."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from patchmode.console.answers import attached, page
from patchmode.console.fleet import Fleet
from patchmode.console.state import KEY
from patchmode.console.timeline import readiness_over
from patchmode.model.outcome import Readiness
from patchmode.ports.azure import Azure
from patchmode.workflow.inventory.audit import audit

FORMS = {
    "html": ("html", "text/html"),
    "xlsx": ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "md": ("markdown", "text/markdown"),
    "csv": ("csv-excel", "text/csv"),
}
"""How a report's name ends → its format, and its media type."""
SHOWN = 200
"""Subscriptions in the table."""


def add_routes(router: web.UrlDispatcher) -> None:
    """The routes of this room."""
    router.add_get("/readiness", show)
    router.add_get("/report.{form:html|xlsx|md|csv}", report)


@dataclass(frozen=True, slots=True)
class Piece:
    """One kind's part of a subscription's bar, in hundredths of it."""

    kind: Readiness
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Place:
    """The machines of one subscription."""

    id: str
    machines: int
    counts: Mapping[Readiness, int]
    bar: Sequence[Piece]


def by_subscription(fleet: Fleet) -> Sequence[Place]:
    """Every subscription: those with most machines that will fail first, then with most that are not ready."""
    counted: dict[str, Counter[Readiness]] = defaultdict(Counter)
    for row in fleet.rows:
        counted[row.subscription_id][row.readiness] += 1
    order = sorted(
        counted, key=lambda one: (-counted[one][Readiness.WILL_FAIL], -counted[one][Readiness.NOT_READY], one)
    )
    return [_place(one, counted[one]) for one in order]


def _place(identifier: str, counts: Counter[Readiness]) -> Place:
    whole, x, bar = counts.total(), 0.0, []
    for kind in Readiness:
        width = 100 * counts[kind] / whole
        if width:
            bar.append(Piece(kind, round(x, 2), round(width, 2)))
        x += width
    return Place(identifier, whole, counts, bar)


async def show(request: web.Request) -> web.StreamResponse:
    """The page; while the fleet is read for the first time, how far that is."""
    fleet = request.app[KEY].fleet
    if fleet.value is None:
        return page(request, "loading.html", what="the fleet", failure=fleet.error)
    return page(
        request,
        "readiness.html",
        places=by_subscription(fleet.value.fleet),
        shown=SHOWN,
        over=readiness_over(fleet.value.readings),
        readings=fleet.value.readings,
    )


async def report(request: web.Request) -> web.StreamResponse:
    """The fleet as a report of `patchmode report`: everything is read from Azure now."""
    console = request.app[KEY]
    ending = request.match_info["form"]
    form, kind = FORMS[ending]

    async def work(azure: Azure) -> bytes:
        found = await audit(azure, console.options.scope, clock=console.rooms.clock)
        return console.rooms.audit_file(found, form)

    return attached(await console.heavy.run(work), f"patchmode-audit.{ending}", kind=kind)
