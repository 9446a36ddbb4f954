"""Where a change may begin besides the fleet's table: machines whose scheduled run failed, and pasted text.

Must not: change anything; what is found is a choice like that of the table.
"""

from http import HTTPStatus

from aiohttp import web

from patchmode.console.answers import page, see
from patchmode.console.state import KEY
from patchmode.model.scope import Scope, Since, SinceError
from patchmode.reports.text.readings import reading_lines
from patchmode.rules.pasted_text.reading import LOOKED_FOR, read_log

SINCE = "7d"
"""What the form begins with."""
PASTED = "the pasted text"
_FAILED = "Machines whose last scheduled run since {since} failed because the settings were missing"


def add_routes(router: web.UrlDispatcher) -> None:
    """The routes of this room."""
    router.add_get("/start", show)
    router.add_post("/start/failed", failed)
    router.add_post("/start/pasted", pasted)


async def show(request: web.Request) -> web.StreamResponse:
    """The forms."""
    return _forms(request)


async def failed(request: web.Request) -> web.StreamResponse:
    """Begin with the machines whose last scheduled run since then failed on the prerequisite, as `--failed-since`."""
    text = str((await request.post()).get("since", "")).strip()
    try:
        since = Since.parse(text)
    except SinceError as error:
        return _forms(request, since=text, wrong=f"{error}.")
    draft = request.app[KEY].changes.look_up(Scope(failed_since=since), _FAILED.format(since=since))
    return see(f"/changes/{draft.id}")


async def pasted(request: web.Request) -> web.StreamResponse:
    """Begin with the machines that a text names, as `--from-log`."""
    text = str((await request.post()).get("text", ""))
    reading = read_log(text, source="")
    if reading.names_nothing and not reading.deployments:
        more = (
            " It is the error of machines that are not prepared for a schedule, without their names: begin with failed "
            "runs instead."
            if reading.is_prerequisite
            else ""
        )
        return _forms(request, text=text, wrong=f"The text names no machine.{more} Looked for: {LOOKED_FOR}.")
    notes = tuple(line.strip() for line in reading_lines(reading, source=PASTED))
    draft = request.app[KEY].changes.look_up(Scope(logs=(reading,)), "Machines that the pasted text names", notes)
    return see(f"/changes/{draft.id}")


def _forms(request: web.Request, *, since: str = SINCE, text: str = "", wrong: str = "") -> web.Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return page(request, "start.html", status=status, since=since, text=text, wrong=wrong)
