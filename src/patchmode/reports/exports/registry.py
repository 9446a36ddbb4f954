"""The forms of a plan, and which plans each can hold."""

from collections.abc import Iterator, Mapping
from pathlib import PurePath

from patchmode.model.plan import Plan
from patchmode.reports.exports.scripted import ApiVersion
from patchmode.reports.text.layout import plural
from patchmode.reports.text.left_alone import not_done_text

CHANGE_REQUEST = "change-request"
SUFFIXES: Mapping[str, str] = {
    "az": ".sh",
    "powershell": ".ps1",
    "rest": ".http",
    CHANGE_REQUEST: ".md",
}
"""Every form → the ending of its files."""


def form_of(name: str) -> str | None:
    """The form that a file's name asks for; None: it asks for none."""
    ending = PurePath(name).suffix.lower()
    return next((form for form, suffix in SUFFIXES.items() if suffix == ending), None)


def obstacle(plan: Plan, form: str) -> str | None:
    """Why a plan cannot be exported, without the full stop; None: it can.

    Args:
        plan: any plan that `apply` takes.
        form: a key of `SUFFIXES`.
    """
    if not plan.has_work:
        rest = (
            f" (not in it, although asked for: {not_done_text(plan.not_done, plan.blocked)})" if plan.not_done else ""
        )
        return f"it changes nothing{rest}"
    if form == CHANGE_REQUEST:
        return None
    if plan.first_detach:
        count = plural(len(plan.first_detach), "schedule")
        return f"it detaches {count} before it changes the settings, and a script does only the second"
    return None if plan.changes else "it only attaches a schedule, and a script changes settings only"


def pieces(plan: Plan, form: str, *, source: str, api_version: ApiVersion) -> Iterator[str]:
    """A plan in a form, in pieces.

    Args:
        plan: one without an `obstacle`.
        form: a key of `SUFFIXES`.
        source: how the plan file is called.
        api_version: of each kind of machine.

    Raises:
        KeyError: there is no such form.
    """
    match form:
        case "az":
            from patchmode.reports.exports.az import az_script

            return az_script(plan, source, api_version)
        case "powershell":
            from patchmode.reports.exports.powershell import powershell_script

            return powershell_script(plan, source, api_version)
        case "rest":
            from patchmode.reports.exports.rest import rest_file

            return rest_file(plan, source, api_version)
        case "change-request":
            from patchmode.reports.exports.change_request import change_request

            return change_request(plan, source)
        case _:
            raise KeyError(form)
