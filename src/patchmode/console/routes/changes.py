"""Change update settings: choose machines, choose settings, see the exact diff, type the count.

Must not: carry out a plan that nobody has seen; the number that is typed stands on the plan's own page.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from pathlib import PurePath
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from patchmode.console.answers import page, require_writes, see, wants_page
from patchmode.console.brakes import ChosenBrakes, Fields, chosen_brakes, preset, typed_fields, view_of_brakes
from patchmode.console.fleet_query import parse_query
from patchmode.console.plans import ChangeDraft, is_number, make_page, mistyped, touched
from patchmode.console.routes.fleet import NOTHING_TICKED
from patchmode.console.state import KEY, Console
from patchmode.errors import RefusedError, UsageError
from patchmode.model.patch_settings import Orchestration, RebootSetting, WantedSettings
from patchmode.model.plan import Plan
from patchmode.model.schedule import AttachAction
from patchmode.rules.guardrails.limits import LARGE_CHANGE
from patchmode.workflow.inventory.planning import check_takes_schedule
from patchmode.workflow.schedules.reading import OfferedSchedule

SETTABLE = (
    Orchestration.CUSTOMER_MANAGED_SCHEDULES,
    Orchestration.AZURE_MANAGED,
    Orchestration.AUTOMATIC_BY_OS,
    Orchestration.MANUAL,
    Orchestration.IMAGE_DEFAULT,
)
REBOOTS = (RebootSetting.IF_REQUIRED, RebootSetting.NEVER, RebootSetting.ALWAYS)
OFFERS_KEPT = timedelta(minutes=1)
"""Older offers of schedules are read again before a form shows them."""
PATIENCE_S = 5.0
"""So long a form waits for them; then it asks for a name instead."""
OTHERWISE = "The plan or its limits changed since that page; this page shows them. Review them. Nothing was sent."
LARGEST_PLAN = 256 * 2**20
"""Bytes: some fifty thousand machines with their documents."""
_PIECE = 2**16
_ASSESSMENT = {"on": True, "off": False}


def add_routes(router: web.UrlDispatcher) -> None:
    """The routes of this room."""
    router.add_post("/changes", choose)
    router.add_post("/plans", upload)
    router.add_get("/changes/{id}", show)
    router.add_get("/changes/{id}/settings", settings)
    router.add_post("/changes/{id}/plan", plan)
    router.add_post("/changes/{id}/schedule", create_schedule)
    router.add_get("/changes/{id}/plan.json", download)
    router.add_post("/changes/{id}/apply", apply)


async def choose(request: web.Request) -> web.StreamResponse:
    """Take the machines that were ticked, or all that the filters found, to change them or to detach a schedule."""
    console = request.app[KEY]
    form = await request.post()
    query = parse_query(parse_qsl(str(form.get("query", "")).removeprefix("?")))
    if form.get("take") == "all":
        loaded = console.fleet.value
        if loaded is None:
            raise RefusedError("The fleet has not been read yet.", advice="Wait until the page shows it.")
        machines = [row.id for row in loaded.orders.found(query)]
    else:
        machines = [str(value) for value in form.getall("id", [])]
        if not machines and wants_page(request):
            return see(f"/{query.url(page=query.page)}&{NOTHING_TICKED}#choose")
    if query.detach and machines:
        back = f"/{query.url(page=query.page)}"
        begun = console.schedule_changes.machines(AttachAction.DETACH, query.detach, machines, back=back)
        return see(f"/schedules/changes/{begun.id}")
    draft = console.changes.choose(machines)
    draft.attach = query.attach
    return see(f"/changes/{draft.id}")


async def upload(request: web.Request) -> web.StreamResponse:
    """Take a plan file to be reviewed and applied; it is checked in the background."""
    console = request.app[KEY]
    name, content = await _uploaded(request)
    if not content:
        raise UsageError("No plan file was sent.", advice="Choose a file under Runs, one that `patchmode plan` wrote.")
    return see(f"/changes/{console.changes.upload(content, name).id}")


async def _uploaded(request: web.Request) -> tuple[str, bytes]:
    """The name and the content of the first file of a form; both empty: there is none."""
    if request.content_type != "multipart/form-data":
        return "", b""
    parts = await request.multipart()
    while (part := await parts.next()) is not None:
        if not isinstance(part, BodyPartReader) or part.name != "file":
            continue
        content = bytearray()
        while piece := await part.read_chunk(_PIECE):
            content += piece
            if len(content) > LARGEST_PLAN:
                raise UsageError(
                    f"The plan file is larger than {LARGEST_PLAN // 2**20} MB, which is as much as this page takes.",
                    advice="Apply it in a terminal: `patchmode apply FILE`.",
                )
        return PurePath((part.filename or "").replace("\\", "/")).name or "the file", bytes(content)
    return "", b""


async def show(request: web.Request) -> web.StreamResponse:
    """The step that the change has come to."""
    console, draft = _draft(request)
    if draft.run is not None:
        return see(f"/runs/{draft.run}")
    if not draft.is_chosen and draft.looking is not None:
        return page(request, "planning.html", draft=draft, failure=draft.looking.error)
    if draft.planning is None:
        return await _settings_page(request, draft)
    if draft.planning.is_busy:
        return page(request, "planning.html", draft=draft)
    if draft.planning.error is not None:
        return page(request, "planning.html", draft=draft, failure=draft.planning.error)
    return await _plan_page(request, console, draft)


async def settings(request: web.Request) -> web.StreamResponse:
    """Choose other settings for the same machines."""
    _, draft = _draft(request)
    if draft.rollback_of or draft.file or draft.run or not draft.is_chosen:
        return see(f"/changes/{draft.id}")
    # A schedule that was just created leads back here.
    draft.attach = request.query.get("schedule", draft.attach)
    return await _settings_page(request, draft)


async def plan(request: web.Request) -> web.StreamResponse:
    """Plan the settings that were chosen; reading is enough for that."""
    console, draft = _draft(request)
    if draft.run is None and not draft.rollback_of and not draft.file and draft.is_chosen:
        sent = await request.post()
        form = {name: str(value) for name, value in sent.items()}
        draft.attach = form.get("schedule", "").strip()
        try:
            wanted = wanted_from(form)
            if draft.attach:
                check_takes_schedule(wanted)
            brakes = chosen_brakes(sent, _brakes(draft), console.options.brakes)
        except (UsageError, RefusedError) as error:
            wrong = f"{error.message} {error.advice}"
            return await _settings_page(request, draft, wrong=wrong, typed=typed_fields(sent))
        console.changes.plan(draft, wanted, brakes, draft.attach)
    return see(f"/changes/{draft.id}")


async def create_schedule(request: web.Request) -> web.StreamResponse:
    """Keep what was chosen, and go to the form of a new schedule; it leads back."""
    _, draft = _draft(request)
    if draft.run is None and not draft.rollback_of:
        form = {name: str(value) for name, value in (await request.post()).items()}
        with suppress(UsageError):
            draft.wanted = wanted_from(form)
    return see(f"/schedules/new?change={draft.id}")


async def download(request: web.Request) -> web.StreamResponse:
    """The plan file, to be kept, reviewed by somebody else, or carried out by the command line."""
    console, draft = _draft(request)
    found = _planned(draft)
    answer = web.StreamResponse(headers={"Content-Disposition": 'attachment; filename="plan.json"'})
    answer.content_type = "application/json"
    await answer.prepare(request)
    for piece in console.rooms.plan_pieces(draft.uploaded or found):
        await answer.write(piece)
    await answer.write_eof()
    return answer


async def apply(request: web.Request) -> web.StreamResponse:
    """Write the plan file and carry it out, once the number of machines was typed."""
    console, draft = _draft(request)
    require_writes(console)
    if draft.run is not None:
        # The second tab, or a second click: there is one run of this plan.
        return see(f"/runs/{draft.run}")
    found = _planned(draft)
    form = await request.post()
    typed = str(form.get("count", "")).strip()
    try:
        draft.brakes = chosen_brakes(form, _brakes(draft), console.options.brakes)
    except (UsageError, RefusedError) as error:
        wrong = f"{error.message} {error.advice} Nothing was sent."
        return await _plan_page(request, console, draft, wrong=wrong, fields=typed_fields(form))
    if str(form.get("shown", "")) not in {"", _shown(draft)}:
        return await _plan_page(request, console, draft, wrong=OTHERWISE)
    if not is_number(typed, touched(found)):
        return await _plan_page(request, console, draft, wrong=mistyped(typed, touched(found)))
    if draft.refused:
        raise RefusedError(
            f"Nothing was sent: {draft.refused}.", advice="The notes of the plan's page say what grants it; plan again."
        )
    brakes = draft.brakes.in_force(console.options.brakes)
    kept = draft.uploaded or (await asyncio.to_thread(console.rooms.keep_plan, found))[1]
    begun = console.operations.start(kept, brakes, lambda: console.rooms.runs.create(kept, brakes=brakes))
    draft.run = await begun
    # From here on the journal has the plan.
    draft.planning = draft.uploaded = None
    return see(f"/runs/{draft.run}")


def wanted_from(form: Mapping[str, str]) -> WantedSettings:
    """The wanted settings of the form; what is left alone there is left alone.

    Raises:
        UsageError: nothing is wanted, or a value is none that the form offers.
    """
    orchestration, assessment, reboot = (form.get(name, "") for name in ("orchestration", "assessment", "reboot"))
    try:
        wanted = WantedSettings(
            orchestration=Orchestration(orchestration) if orchestration else None,
            periodic_assessment=_ASSESSMENT[assessment] if assessment else None,
            reboot=RebootSetting(reboot) if reboot else None,
            hotpatch_off=form.get("hotpatch") == "off",
            include_scale_set_members=form.get("scale_sets") == "yes",
        )
    except (ValueError, KeyError) as error:
        raise UsageError(f"{error.args[0]!r} is not one of the settings.", advice="Choose from the form.") from error
    if wanted.orchestration is not None and wanted.orchestration not in SETTABLE:
        raise UsageError(f"{wanted.orchestration.portal_name} cannot be set.", advice="Choose from the form.")
    if wanted == WantedSettings(include_scale_set_members=wanted.include_scale_set_members):
        raise UsageError("No setting was chosen.", advice="Choose at least one that is to change.")
    return wanted


def _brakes(draft: ChangeDraft) -> ChosenBrakes:
    """What was chosen to hold a change back, or what its form begins with."""
    if draft.brakes is not None:
        return draft.brakes
    machines = draft.plan.touched if draft.plan is not None else len(draft.machines)
    return preset(machines, has_waves=not draft.rollback_of and not draft.file)


def _shown(draft: ChangeDraft) -> str:
    """Names what a review shows: its plan and what holds it back."""
    made = draft.plan.created_at if draft.plan is not None else None
    return sha256(repr((made, draft.brakes)).encode()).hexdigest()[:16]


def _draft(request: web.Request) -> tuple[Console, ChangeDraft]:
    console = request.app[KEY]
    return console, console.changes.get(request.match_info["id"])


def _planned(draft: ChangeDraft) -> Plan:
    if draft.plan is None:
        raise RefusedError("This change has no plan yet.", advice="Wait until its page shows one.")
    return draft.plan


async def _settings_page(
    request: web.Request, draft: ChangeDraft, *, wrong: str = "", typed: Fields | None = None
) -> web.Response:
    console = request.app[KEY]
    await console.offers.fresh(OFFERS_KEPT, PATIENCE_S)
    loaded = console.fleet.value
    known = [loaded.fleet.row(one) for one in draft.machines] if loaded else []
    return page(
        request,
        "settings.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        wrong=wrong,
        draft=draft,
        settable=SETTABLE,
        reboots=REBOOTS,
        offers=console.offers,
        fields=typed or _brakes(draft).fields,
        is_large=len(draft.machines) >= LARGE_CHANGE,
        rows=[row for row in known if row is not None],
        wanted=draft.wanted or WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES),
    )


def _offer(console: Console, plan: Plan) -> OfferedSchedule | None:
    """What was read of the schedule that a plan attaches; None: it attaches none, or nothing was read of it."""
    offers = console.offers.value
    return None if plan.then_attach is None or offers is None else offers.get(str(plan.then_attach.configuration))


async def _plan_page(
    request: web.Request, console: Console, draft: ChangeDraft, *, wrong: str = "", fields: Fields | None = None
) -> web.Response:
    found = _planned(draft)
    draft.brakes = _brakes(draft)
    return page(
        request,
        "plan.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        draft=draft,
        laid_out=make_page(found, console.fleet.value.fleet if console.fleet.value else None),
        offer=_offer(console, found),
        run_options=view_of_brakes(found, draft.brakes, console.options.brakes, console.rooms.clock),
        fields=fields or draft.brakes.fields,
        shown=_shown(draft),
        plan=found,
        held=await console.past_runs.holding(found),
        target=found.target,
        wrong=wrong,
        busy=console.operations.current if console.operations.is_busy else None,
    )
