"""Schedules: coming windows, configurations, past runs; read when first asked for. Must not: write anything."""

from aiohttp import web

from patchmode.console.answers import page, see
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
    return page(request, "schedules.html", found=schedules.value, reading=schedules)


async def refresh(request: web.Request) -> web.StreamResponse:
    """Read the schedules anew."""
    request.app[KEY].schedules.refresh()
    return see("/schedules")
