"""Runs: the list, one run while it goes and after it, taking it up, verifying it again, and the way back.

Must not: send anything that a run's plan does not hold.
"""

import asyncio
import json
from functools import partial

from aiohttp import web

from patchmode.console import run_groups
from patchmode.console.answers import attached, page, require_writes, see
from patchmode.console.fleet_query import whole_number
from patchmode.console.routes.readiness import FORMS
from patchmode.console.run_groups import list_page, section_of
from patchmode.console.run_pages import Verified, live_values, view_of
from patchmode.console.state import KEY, Console
from patchmode.errors import RefusedError, UsageError
from patchmode.model.run import Verification
from patchmode.ports.azure import Azure
from patchmode.reports.formats.structured import indented
from patchmode.workflow.run.applying import check_applicable
from patchmode.workflow.run.resuming import agreed, check_not_rolled_back, rolled_back_in_part
from patchmode.workflow.run.verification import gather, verify_run

TICK_S = 0.4
"""How often the tally is told at most."""
HEARTBEAT_S = 15.0
"""After so long in silence a comment is sent, so that a connection that died is noticed."""


def add_routes(router: web.UrlDispatcher) -> None:
    """The routes of this room."""
    router.add_get("/runs", show_all)
    router.add_get("/runs/{run}", show)
    router.add_get("/runs/{run}/events", events)
    router.add_get("/runs/{run}/machines", machines)
    router.add_get("/runs/{run}/plan.json", download_plan)
    router.add_get("/runs/{run}/report.json", download_report)
    router.add_get("/runs/{run}/report.{form:html|xlsx|md|csv}", download_rendered)
    router.add_get("/runs/{run}/journal.sqlite", download_journal)
    router.add_get("/runs/{run}/evidence.zip", download_evidence)
    router.add_post("/runs/{run}/stop", stop)
    router.add_post("/runs/{run}/resume", resume)
    router.add_post("/runs/{run}/verify", verify)
    router.add_post("/runs/{run}/rollback", roll_back)
    router.add_post("/runs/{run}/attach", attach)


async def show_all(request: web.Request) -> web.StreamResponse:
    """Every run in the state folder, the newest first."""
    return page(request, "runs.html", runs=await request.app[KEY].past_runs.list())


async def show(request: web.Request) -> web.StreamResponse:
    """One run: live where this console carries it out, else as its journal tells it."""
    console, run = _named(request)
    operation = console.operations.under_way(run)
    if operation is not None:
        return page(
            request,
            "run_live.html",
            target=operation.plan.target,
            run=run,
            live=live_values(operation, console.rooms.clock.now()),
            operation_plan=operation.plan,
        )
    found = await console.past_runs.read(run)
    if found.report.run != run:
        return see(f"/runs/{found.report.run}")
    current = console.operations.current
    failure = current.error if current is not None and current.run == run else None
    verified = console.past_runs.verified.get(run)
    view = view_of(found, console.rooms.clock)
    target = found.plan.target
    return page(request, "run.html", target=target, view=view, failure=failure, verified=verified, limits=run_groups)


async def machines(request: web.Request) -> web.StreamResponse:
    """One of the lists of a run's page in full, by pages."""
    console, run = _named(request)
    found = await console.past_runs.read(run)
    section = section_of(found.report, request.query.get("list", ""))
    shown = list_page(section, request.query.get("group", ""), whole_number(request.query.get("page", ""), 1))
    return page(request, "run_machines.html", target=found.plan.target, run=found.report.run, shown=shown)


async def events(request: web.Request) -> web.StreamResponse:
    """The tally as server-sent events, from now on: whoever comes late or again misses nothing that counts."""
    console, run = _named(request)
    answer = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
    answer.content_type, answer.charset = "text/event-stream", "utf-8"
    await answer.prepare(request)
    operation = console.operations.under_way(run)
    told, silent = "", 0.0
    while operation is not None and operation.is_under_way:
        text = json.dumps(live_values(operation, console.rooms.clock.now()))
        if text != told:
            await answer.write(f"event: progress\ndata: {text}\n\n".encode())
            told, silent = text, 0.0
        elif silent >= HEARTBEAT_S:
            await answer.write(b": still here\n\n")
            silent = 0.0
        silent += TICK_S
        try:
            await asyncio.wait_for(operation.over.wait(), TICK_S)
        except TimeoutError:
            continue
    await answer.write(b"event: over\ndata: {}\n\n")
    return answer


async def stop(request: web.Request) -> web.StreamResponse:
    """Send nothing more; what is under way is followed to its end."""
    console, run = _named(request)
    require_writes(console)
    operation = console.operations.under_way(run)
    if operation is not None:
        operation.stop()
    return see(f"/runs/{run}")


async def resume(request: web.Request) -> web.StreamResponse:
    """Take an interrupted run up; what is done stays done. Its plan was confirmed when it began.

    What held it back holds it back still. Where a failure budget is spent the number of failures must be typed.
    """
    console, run = _named(request)
    require_writes(console)
    if console.operations.under_way(run) is not None:
        return see(f"/runs/{run}")
    found = await console.past_runs.read(run)
    if not found.standing.has_work:
        raise RefusedError("Everything of this run has ended.", advice="Make a new plan for what is still to do.")
    plan, name = found.plan, found.report.run
    runs = await console.past_runs.list()
    check_not_rolled_back(runs, name)
    brakes = found.brakes
    if found.objections:
        typed = str((await request.post()).get("failed", "")).replace(",", "").strip()
        if typed != str(len(found.standing.failures)):
            because = " ".join(one.because for one in found.objections)
            raise RefusedError(
                f"{because} Nothing was sent.",
                advice="Look at what failed on the run's page, and type the number of failures there to continue.",
            )
        brakes = agreed(brakes, found.standing)
    console.past_runs.verified.pop(name, None)
    journal = partial(console.rooms.runs.open, name, for_writing=True, plan=plan)
    await console.operations.start(plan, brakes, journal, is_new=False, rolled_back=rolled_back_in_part(runs, name))
    return see(f"/runs/{name}")


async def verify(request: web.Request) -> web.StreamResponse:
    """Read the machines again from their providers and compare; written down where this console may write."""
    console, run = _named(request)
    record = console.options.allow_writes

    async def work(azure: Azure) -> tuple[Verification, ...]:
        journal = console.rooms.runs.open(run, for_writing=record)
        try:
            check_applicable(journal.plan, azure, is_new=False)
            return await verify_run(azure, journal, record=record)
        finally:
            journal.release()

    found = await console.quick.run(work)
    good = sum(one.verified for one in found)
    console.past_runs.verified[run] = Verified(console.rooms.clock.now(), good, len(found), is_recorded=record)
    return see(f"/runs/{run}")


async def roll_back(request: web.Request) -> web.StreamResponse:
    """Plan the way back; it is looked at, confirmed and carried out like any other plan."""
    console, run = _named(request)
    require_writes(console)
    form = await request.post()
    draft = console.changes.plan_rollback(run, allow_azure_managed=form.get("allow_azure_managed") == "yes")
    return see(f"/changes/{draft.id}")


async def attach(request: web.Request) -> web.StreamResponse:
    """Begin a change of the run's machines that no schedule reaches: it attaches one to them."""
    console, run = _named(request)
    machines = await console.past_runs.unscheduled(run)
    return see(f"/changes/{console.changes.choose(machines).id}/settings#attach")


async def download_plan(request: web.Request) -> web.StreamResponse:
    """The plan that the run carries out."""
    console, run = _named(request)
    found = await console.past_runs.read(run)
    body = await asyncio.to_thread(lambda: b"".join(console.rooms.plan_pieces(found.plan)))
    return attached(body, f"{run}-plan.json")


async def download_report(request: web.Request) -> web.StreamResponse:
    """`patchmode/run/v1`, as `runs show -o json` prints it."""
    console, run = _named(request)
    found = await console.past_runs.read(run)
    document = console.rooms.run_document(found.report, found.plan.target)
    text = await asyncio.to_thread(lambda: "".join(indented(document)))
    return attached(f"{text}\n".encode(), f"{run}-report.json")


async def download_rendered(request: web.Request) -> web.StreamResponse:
    """The run's report in a format of `patchmode report --run`."""
    console, run = _named(request)
    found = await console.past_runs.read(run)
    ending = request.match_info["form"]
    form, kind = FORMS[ending]
    body = await asyncio.to_thread(console.rooms.run_file, found.report, found.plan, form)
    return attached(body, f"{run}-report.{ending}", kind=kind)


async def download_journal(request: web.Request) -> web.StreamResponse:
    """The journal as it stands now, as one SQLite file."""
    console, run = _named(request)

    def copied() -> bytes:
        return b"".join(console.rooms.journal_pieces(run))

    return attached(await asyncio.to_thread(copied), f"{run}-journal.sqlite", kind="application/vnd.sqlite3")


async def download_evidence(request: web.Request) -> web.StreamResponse:
    """A pack for an auditor, as `patchmode evidence` makes it: every machine is read from its provider now."""
    console, run = _named(request)

    async def work(azure: Azure) -> bytes:
        journal = console.rooms.runs.open(run)
        try:
            check_applicable(journal.plan, azure, is_new=False)
            evidence = await gather(azure, journal, clock=console.rooms.clock)
        finally:
            journal.release()
        return console.rooms.evidence_zip(run, evidence)

    return attached(await console.heavy.run(work), f"{run}-evidence.zip", kind="application/zip")


def _named(request: web.Request) -> tuple[Console, str]:
    run = request.match_info["run"]
    if not run.replace("-", "").isalnum():
        raise UsageError("That is not a run id.", advice="Choose one under Runs.")
    return request.app[KEY], run
