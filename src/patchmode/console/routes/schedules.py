"""Schedules: coming windows, configurations, past runs; read when first asked for. Must not: write anything."""

from datetime import date

from aiohttp import web

from patchmode.console import calendar
from patchmode.console.answers import page, see
from patchmode.console.calendar import view_of
from patchmode.console.state import KEY


def add_routes(router: web.UrlDispatcher) -> None:
    """The routes of this room."""
    router.add_get("/schedules", show)
    router.add_post("/schedules/refresh", refresh)


async def show(request: web.Request) -> web.StreamResponse:
    """The calendar; while it is read for the first time, that it is."""
    console = request.app[KEY]
    schedules = console.schedules
    if schedules.value is None:
        if schedules.error is None:
            schedules.refresh()
        return page(request, "loading.html", what="the schedules", failure=schedules.error, loading=schedules)
    found = schedules.value
    shown = view_of(found.weeks, request.query.get("view", ""), _day(request.query.get("day", ""), found.start.date()))
    return page(
        request,
        "schedules.html",
        found=found,
        reading=schedules,
        calendar=shown,
        views=calendar.VIEWS,
        limits=calendar,
        bars=calendar.bars,
    )


def _day(text: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return otherwise


async def refresh(request: web.Request) -> web.StreamResponse:
    """Read the schedules anew."""
    request.app[KEY].schedules.refresh()
    return see("/schedules")
