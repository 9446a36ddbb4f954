"""One machine in full, read from its provider when the page is asked for, its JSON line by line."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from patchmode.console.answers import page
from patchmode.console.state import KEY
from patchmode.errors import EmptyScopeError, MaybeAppliedError, RejectedError, UsageError
from patchmode.model.report import Explanation
from patchmode.ports.azure import Azure
from patchmode.workflow.inventory.audit import explain

MARKED = "patchSettings"
ALSO_MARKED = frozenset({"enableAutomaticUpdates", "provisionVMAgent", "allowExtensionOperations"})
"""What bears on patching beside the settings themselves."""
_FAILED = re.compile(r"was answered (?!404)\d{3}")


class Line(NamedTuple):
    """One line of JSON."""

    text: str
    is_marked: bool


def json_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """A document as JSON indented by two; every line of a `patchSettings` object is marked, wherever it stands."""
    yield from _lines(dict(document), "", "", marked=False)


def _lines(value: Any, indent: str, lead: str, *, marked: bool, tail: str = "") -> Iterator[Line]:
    if not isinstance(value, Mapping | list) or not value:
        yield Line(f"{indent}{lead}{json.dumps(value, ensure_ascii=False, default=str)}{tail}", marked)
        return
    is_object = isinstance(value, Mapping)
    opening, closing = "{}" if is_object else "[]"
    yield Line(f"{indent}{lead}{opening}", marked)
    members = list(value.items()) if isinstance(value, Mapping) else [(None, one) for one in value]
    for place, (name, member) in enumerate(members):
        told = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
        is_marked = marked or name == MARKED or name in ALSO_MARKED
        comma = "," if place + 1 < len(members) else ""
        yield from _lines(member, indent + "  ", told, marked=is_marked, tail=comma)
    yield Line(f"{indent}{closing}{tail}", marked)


def add_routes(router: web.UrlDispatcher) -> None:
    """The routes of this room."""
    router.add_get("/machine", show)


async def show(request: web.Request) -> web.StreamResponse:
    """Settings, rules, schedules, history and the JSON view."""
    console = request.app[KEY]
    machine_id = request.query.get("id", "")
    if not machine_id.startswith("/subscriptions/"):
        raise UsageError("No machine was named.", advice="Choose one under Fleet.")

    async def work(azure: Azure) -> Explanation:
        try:
            return await explain(azure, machine_id, clock=console.rooms.clock)
        except EmptyScopeError as error:
            # Whether the machine is there is not known where nothing was answered, or something else than 404.
            if azure.ledger.unanswered_since is not None:
                raise MaybeAppliedError(error.message, code="NoAnswer", advice=error.advice) from error
            if _FAILED.search(error.message):
                raise RejectedError(error.message, code="CouldNotBeRead", advice=error.advice) from error
            raise

    found = await console.quick.run(work)
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
