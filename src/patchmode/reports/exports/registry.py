"""The forms of a plan, and which plans each can hold."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from patchmode.model.plain_text import printable
from patchmode.model.plan import Plan
from patchmode.reports.exports.scripted import ApiVersion, members
from patchmode.reports.text.layout import plural
from patchmode.reports.text.left_alone import not_done_text

CHANGE_REQUEST = "markdown"
BY_CMDLET = "powershell-update-azvm"
BICEP = "bicep"
SUFFIXES: Mapping[str, str] = {
    "az": ".sh",
    "powershell": ".ps1",
    BY_CMDLET: ".ps1",
    "rest": ".http",
    "terraform": ".tf",
    BICEP: ".bicep",
    "ansible": ".yml",
    CHANGE_REQUEST: ".md",
}
"""Every form → the ending of its files. Of two with the same ending it means the first."""
_ALSO = {".yaml": "ansible"}


def form_of(name: str) -> str | None:
    """The form that a file's name asks for; None: it asks for none."""
    ending = PurePath(name).suffix.lower()
    return next((form for form, suffix in SUFFIXES.items() if suffix == ending), _ALSO.get(ending))


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
    if not plan.changes:
        return "it only attaches a schedule, and a script changes settings only"
    return _too_many(plan) if form == BICEP else _unwritable(plan, form)


def _too_many(plan: Plan) -> str | None:
    from patchmode.reports.exports.bicep import MOST, part_of

    most = max(Counter(part_of(one) for one in plan.changes).values())
    return (
        f"a loop of Bicep has at most {MOST:,} machines of one system, and it changes {most:,}" if most > MOST else None
    )


def _unwritable(plan: Plan, form: str) -> str | None:
    """A value that cannot be compared in a script: its strings have no escapes, and PowerShell's file is ASCII."""
    if form not in {"az", "powershell", BY_CMDLET}:
        return None
    values = (value for one in plan.changes for _, value in members(one.body) if isinstance(value, str))
    odd = next((one for one in values if not one.isprintable() or (form != "az" and not one.isascii())), None)
    return None if odd is None else f"it sends the value {printable(odd)}, which a script of that form cannot hold"


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
        case "powershell" | "powershell-update-azvm":
            from patchmode.reports.exports.powershell import powershell_script

            return powershell_script(plan, source, api_version, by_cmdlet=form == BY_CMDLET)
        case "rest":
            from patchmode.reports.exports.rest import rest_file

            return rest_file(plan, source, api_version)
        case "terraform":
            from patchmode.reports.exports.terraform import terraform_file

            return terraform_file(plan, source, api_version)
        case "bicep":
            from patchmode.reports.exports.bicep import bicep_file

            return bicep_file(plan, source, api_version)
        case "ansible":
            from patchmode.reports.exports.ansible import ansible_playbook

            return ansible_playbook(plan, source, api_version)
        case "markdown":
            from patchmode.reports.exports.change_request import change_request

            return change_request(plan, source)
        case _:
            raise KeyError(form)
