"""One machine in full, read from its provider when the page is asked for. Must not: write anything anywhere."""

from aiohttp import web

from patchmode.console.answers import page
from patchmode.console.machine_pages import json_lines
from patchmode.console.state import KEY
from patchmode.errors import UsageError
from patchmode.workflow.explaining import explain


def add_routes(router: web.UrlDispatcher) -> None:
    """The routes of this room."""
    router.add_get("/machine", show)


async def show(request: web.Request) -> web.StreamResponse:
    """Settings, rules, schedules, history and the JSON view."""
    console = request.app[KEY]
    machine_id = request.query.get("id", "")
    if not machine_id.startswith("/subscriptions/"):
        raise UsageError("No machine was named.", advice="Choose one under Fleet.")
    found = await console.quick.run(lambda azure: explain(azure, machine_id, clock=console.rooms.clock))
    return page(
        request,
        "machine.html",
        found=found,
        entry=found.audit,
        machine=found.audit.machine,
        lines=tuple(json_lines(found.document)),
        view_lines=tuple(json_lines(found.instance_view or {})),
        history=await console.past_runs.history(str(found.audit.machine.id)),
    )
