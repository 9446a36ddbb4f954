"""Changes of schedules: created, attached to dynamic scopes, detached; looked at, confirmed by the number, undone.

Must not: carry out what nobody has seen.
"""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus

from aiohttp import web

from patchmode.console import run_groups
from patchmode.console.answers import page, require_writes, see
from patchmode.console.plans import is_number, mistyped
from patchmode.console.schedule_changes import (
    ScheduleDraft,
    access_texts,
    carried_out,
    count_to_type,
    ended_sections,
    machines_page,
    may_allow,
    member_groups,
    sent_leaves,
    writes,
)
from patchmode.console.schedule_forms import ORDINALS, WEEKDAYS, schedule_of, scope_from, wish_from
from patchmode.console.state import KEY, Console
from patchmode.errors import RefusedError, UsageError
from patchmode.model.report import CreateReport
from patchmode.model.schedule import AttachAction, AttachReport, DynamicScope
from patchmode.reports.text.attachments import left_texts
from patchmode.reports.text.next_steps import command
from patchmode.workflow.schedules.attach_many import Preview
from patchmode.workflow.schedules.creating import CLASSIFICATIONS, REBOOTS, ConfigurationDraft, time_zones
from patchmode.workflow.schedules.dynamic_scopes import ScopePreview


def add_routes(router: web.UrlDispatcher) -> None:
    """The routes of this room."""
    router.add_get("/schedules/new", new)
    router.add_post("/schedules/new/preview", begin_new)
    router.add_get("/schedules/scope", scope)
    router.add_post("/schedules/scope/preview", begin_scope)
    router.add_post("/schedules/scope/detach", detach_scope)
    router.add_get("/schedules/changes/{id}", show)
    router.add_post("/schedules/changes/{id}/preview", look_again)
    router.add_post("/schedules/changes/{id}/apply", apply)
    router.add_post("/schedules/changes/{id}/stop", stop)
    router.add_post("/schedules/changes/{id}/undo", undo)


async def new(request: web.Request) -> web.StreamResponse:
    """The form of a new schedule."""
    return _new_page(request, _filled_in(request))


async def begin_new(request: web.Request) -> web.StreamResponse:
    """Check what the form says, and compare it with what is there."""
    form = await _form(request)
    console = request.app[KEY]
    try:
        wish = wish_from(form)
    except (UsageError, RefusedError) as error:
        return _new_page(request, form, wrong=f"{error.message} {error.advice}")
    begun = console.schedule_changes.creation(wish, form)
    return see(f"/schedules/changes/{begun.id}")


async def scope(request: web.Request) -> web.StreamResponse:
    """The form of a dynamic scope of one schedule."""
    return _scope_page(request, _filled_in(request))


async def begin_scope(request: web.Request) -> web.StreamResponse:
    """Look whom the scope would reach."""
    form = await _form(request)
    try:
        wanted = scope_from(form)
    except UsageError as error:
        return _scope_page(request, form, wrong=f"{error.message} {error.advice}")
    begun = request.app[KEY].schedule_changes.scope(AttachAction.ATTACH, wanted, form=form)
    return see(f"/schedules/changes/{begun.id}")


async def detach_scope(request: web.Request) -> web.StreamResponse:
    """Look what deleting a dynamic scope would do."""
    form = await _form(request)
    group = form.get("group") or None
    wanted = DynamicScope(form.get("name", ""), form.get("subscription", ""), group, schedule_of(form))
    begun = request.app[KEY].schedule_changes.scope(AttachAction.DETACH, wanted)
    return see(f"/schedules/changes/{begun.id}")


async def show(request: web.Request) -> web.StreamResponse:
    """What it would do; while it is carried out, how far it is; then how it ended."""
    _, draft = _draft(request)
    return _page(request, draft)


async def look_again(request: web.Request) -> web.StreamResponse:
    """Preview it anew, also where Azure would then patch machines at a time it chooses, if that is ticked."""
    console, draft = _draft(request)
    allow = (await _form(request)).get("allow_azure_managed") == "yes"
    console.schedule_changes.look_again(draft, allow_azure_managed=allow)
    return see(f"/schedules/changes/{draft.id}")


async def apply(request: web.Request) -> web.StreamResponse:
    """Carry it out, once the number of machines was typed."""
    console, draft = _draft(request)
    require_writes(console)
    here = f"/schedules/changes/{draft.id}"
    if draft.operation is not None:
        # The second tab, or a second click: it is carried out once.
        return see(here)
    previewed = None if draft.reading.is_busy else draft.reading.value
    if previewed is None or not writes(previewed):
        raise RefusedError("Nothing is to be sent here.", advice="Its page says why.")
    wanted = count_to_type(previewed)
    typed = (await _form(request)).get("count", "").strip()
    if wanted is not None and not is_number(typed, wanted):
        return _page(request, draft, wrong=mistyped(typed, wanted))
    work = partial(carried_out, previewed, console.rooms)
    draft.operation = console.operations.write(here, wanted or 1, console.options.brakes, work)
    return see(here)


async def stop(request: web.Request) -> web.StreamResponse:
    """Begin no other machine; those under way are brought to their end."""
    console, draft = _draft(request)
    require_writes(console)
    if draft.operation is not None:
        draft.operation.stop()
    return see(f"/schedules/changes/{draft.id}")


async def undo(request: web.Request) -> web.StreamResponse:
    """Begin the change that undoes it."""
    console, draft = _draft(request)
    return see(f"/schedules/changes/{console.schedule_changes.undo(draft).id}")


def _page(request: web.Request, draft: ScheduleDraft, *, wrong: str = "") -> web.Response:
    console = request.app[KEY]
    if draft.operation is not None:
        return _ended_page(request, draft)
    previewed = None if draft.reading.is_busy else draft.reading.value
    principals = console.fleet.value.fleet.principals if console.fleet.value else {}
    return page(
        request,
        "schedule_change.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        draft=draft,
        previewed=previewed,
        machines=machines_page(previewed) if isinstance(previewed, Preview) else None,
        members=member_groups(previewed) if isinstance(previewed, ScopePreview) else None,
        may_allow=previewed is not None and may_allow(previewed),
        access=access_texts(previewed, principals) if isinstance(previewed, Preview) else (),
        sent=sent_leaves(previewed) if isinstance(previewed, ConfigurationDraft) else (),
        left=() if isinstance(previewed, ConfigurationDraft | None) else list(left_texts(previewed.left)),
        writes=previewed is not None and writes(previewed),
        count=None if previewed is None else count_to_type(previewed),
        wrong=wrong,
        busy=console.operations.current if console.operations.is_busy else None,
    )


def _ended_page(request: web.Request, draft: ScheduleDraft) -> web.Response:
    console = request.app[KEY]
    report = draft.report
    return page(
        request,
        "schedule_changed.html",
        draft=draft,
        report=report,
        sections=ended_sections(report) if isinstance(report, AttachReport) else (),
        may_undo=console.schedule_changes.may_undo(draft),
        created=report if isinstance(report, CreateReport) else None,
        delete=command("schedule", "delete", str(report.id)) if isinstance(report, CreateReport) else "",
        limits=run_groups,
    )


def _new_page(request: web.Request, form: Mapping[str, str], *, wrong: str = "") -> web.Response:
    return page(
        request,
        "schedule_new.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        form=form,
        wrong=wrong,
        zones=time_zones(),
        ordinals=ORDINALS,
        weekdays=WEEKDAYS,
        reboots=REBOOTS,
        classifications=CLASSIFICATIONS,
        loaded=request.app[KEY].fleet.value,
    )


def _scope_page(request: web.Request, form: Mapping[str, str], *, wrong: str = "") -> web.Response:
    return page(
        request,
        "schedule_scope.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        form=form,
        schedule=schedule_of(form),
        wrong=wrong,
        loaded=request.app[KEY].fleet.value,
    )


def _filled_in(request: web.Request) -> Mapping[str, str]:
    """What a form shows: what was filled in before, or what its address says."""
    begun = request.query.get("from")
    return request.app[KEY].schedule_changes.get(begun).form if begun else dict(request.query)


async def _form(request: web.Request) -> dict[str, str]:
    """What was sent; several values of one name with a comma between them."""
    found = await request.post()
    return {name: ",".join(str(one) for one in found.getall(name)) for name in found}


def _draft(request: web.Request) -> tuple[Console, ScheduleDraft]:
    console = request.app[KEY]
    return console, console.schedule_changes.get(request.match_info["id"])
