"""Whether a plan is what the rules make of its own documents: a plan file is derived, never believed.

A digest proves only that a file was not changed by accident; anyone can calculate one. Here each change is made once
more from the machine's document in the plan and the settings wanted, by the functions that made it when it was planned,
and whatever stands otherwise in the plan refuses it as a whole: so the request is the one that the shown text tells of.

Must not: judge whether a change is wanted, or look at anything but the plan and, for a rollback, what its run recorded.
The document itself may be made up; what is sent is held against the service's own by the precondition.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from patchmode.errors import BrokenPlanError
from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import OperatingSystem, Orchestration, PatchSettings, WantedSettings
from patchmode.model.plan import Change, Plan
from patchmode.model.resource_id import ResourceId
from patchmode.rules.schedules.forecast import contradicts
from patchmode.rules.settings.patch import settings_in, smallest_patch
from patchmode.rules.settings.planning import derived, sendable_etag
from patchmode.rules.settings.rollback import restoring_patch
from patchmode.rules.settings.transitions import target_settings, wanted_of

_ADVICE = "Make the plan again with `patchmode plan`, and do not edit the file."
_RUN = re.compile(r"[0-9A-Za-z-]{1,64}")
_VM, _ARC = "microsoft.compute/virtualmachines", "microsoft.hybridcompute/machines"
_CHECKED = ("body", "before", "after", "reversible", "tolerated")
"""Not `irreversible_because`: it is a sentence for people, and another version may word it otherwise."""

Recorded = Mapping[ResourceId, Change]
"""What a run's journal says of its changes, for the rollback of that run."""


def check_derived(plan: Plan, *, name: str, recorded: Recorded | None = None, is_new: bool = True) -> None:
    """Refuse a plan that is not what the rules make of its documents.

    Args:
        plan: read from a file or a journal, or just made.
        name: how messages call it.
        recorded: the changes of the run that the plan undoes, where its journal is at hand: each change must be the one
            that restores what stood there. None: a rollback is held against its own documents only.
        is_new: nothing of it was sent yet. Otherwise one change that another version made differently is no reason to
            leave what is under way alone: `not_derived` names those.

    Raises:
        BrokenPlanError: the message names the machine and the member. Nothing of the plan may be carried out.
    """
    found = next(_problems(plan, plan.changes if is_new else (), recorded), None)
    if found is not None:
        raise BrokenPlanError(f"{name} cannot be applied: {found}.", advice=_ADVICE)


def not_derived(plan: Plan, changes: Iterable[Change]) -> Mapping[ResourceId, str]:
    """What of some changes of a run is not what the rules make, by machine; empty: all of it is.

    Args:
        plan: the run's.
        changes: those of it that were not sent yet.
    """
    found = ((change.id, _problem_of(change, plan, None)) for change in changes)
    return {machine_id: problem for machine_id, problem in found if problem is not None}


def _problems(plan: Plan, changes: Sequence[Change], recorded: Recorded | None) -> Iterator[str]:
    yield from _problems_of_rollback(plan)
    for change in changes:
        problem = _problem_of(change, plan, recorded)
        if problem is not None:
            yield f"{problem} ({change.id})"
    yield from _problems_of_ids(plan)


def _problems_of_rollback(plan: Plan) -> Iterator[str]:
    if plan.rollback_of is None:
        if plan.first_detach:
            yield "firstDetach is in a plan that undoes no run"
        return
    if not _RUN.fullmatch(plan.rollback_of):
        yield f"rollbackOf is {plan.rollback_of!r}, which is not a run"
    if plan.wanted not in _WISHES_OF_A_ROLLBACK:
        yield "wanted names settings, and a rollback restores what its run recorded"


def _problems_of_ids(plan: Plan) -> Iterator[str]:
    """Of the ids that requests are made of; what is skipped is only told."""
    for group in (plan.changes, plan.unchanged, plan.first_detach):
        for one in group:
            if (one.id.full_type == _ARC) is not (one.kind is MachineKind.ARC):
                yield f"kind is {one.kind.value}, and the id is that of another kind ({one.id})"
            if one.id.full_type not in (_VM, _ARC) or not _is_plain(one.id):
                yield f"id {str(one.id)!r} is not the id of a machine"
    wished = [] if plan.then_attach is None else [plan.then_attach.configuration]
    for configuration in (*wished, *(one.configuration for one in plan.first_detach)):
        if not _is_plain(configuration):
            yield f"configuration {str(configuration)!r} is not the id of a maintenance configuration"


_WISHES_OF_A_ROLLBACK = (WantedSettings(), WantedSettings(orchestration=Orchestration.AZURE_MANAGED))


def _is_plain(one: ResourceId) -> bool:
    """SAFETY: an id is a request's path. A name of dots alone, or an escape, would lead to another resource."""
    is_text = one.text.isprintable() and not {"%", "\\"} & set(one.text)
    return is_text and not {".", ".."} & {one.resource_group, one.name}


def _problem_of(change: Change, plan: Plan, recorded: Recorded | None) -> str | None:
    """What of a change is not as its document and the wish make it: the member, and what should stand there."""
    return _problem_of_machine(change) or _problem_of_request(change, plan, recorded) or _problem_of_outcomes(change)


def _problem_of_machine(change: Change) -> str | None:
    document = change.document
    stated: dict[str, tuple[object, object]] = {
        "id": (change.id.key, str(document.get("id")).casefold()),
        "kind": (change.kind, _kind_in(document, change.id)),
        "os": (change.os, _system_in(document)),
        "location": (change.location, _text(document.get("location")) or ""),
        "etag": (change.etag, sendable_etag(document.get("etag"))),
    }
    wrong = next((member for member, (found, expected) in stated.items() if found != expected), None)
    if wrong is None:
        return None
    found, expected = stated[wrong]
    return f"{wrong} is {_shown(found)}, and the machine's document in the plan says {_shown(expected)}"


def _problem_of_request(change: Change, plan: Plan, recorded: Recorded | None) -> str | None:
    now = settings_in(change.document, change.os)
    sent = settings_in(change.body, change.os) or {}
    try:
        patch = _patch_for(change, plan, now, sent, recorded)
    except ValueError as error:
        return f"wanted cannot be planned for it: {error}"
    if not patch or not _same(sent, patch):
        return f"body sends patchSettings {_shown(sent)}, and the rules make {_shown(patch)} of its document"
    expected = derived(change.document, change.os, patch)
    wrong = next((one for one in _CHECKED if not _same(getattr(change, one), getattr(expected, one))), None)
    if wrong is None:
        is_told = bool(change.irreversible_because)
        return None if is_told is not change.reversible else _reason_text(change)
    return f"{wrong} is {_shown(getattr(change, wrong))}, and its body makes it {_shown(getattr(expected, wrong))}"


def _reason_text(change: Change) -> str:
    wanted = "and it is reversible" if change.reversible else "which is not a reason"
    return f"irreversibleBecause is {_shown(change.irreversible_because)}, {wanted}"


def _patch_for(
    change: Change, plan: Plan, now: Mapping[str, Any] | None, sent: Mapping[str, Any], recorded: Recorded | None
) -> Mapping[str, Any]:
    """The `patchSettings` object that the rules send to the machine.

    Raises:
        ValueError: the wish cannot be planned, or the run changed no such machine.
    """
    stated = PatchSettings.from_document(now)
    if plan.rollback_of is None:
        wanted = wanted_of(change, plan.wanted, attaches=plan.then_attach is not None)
        return smallest_patch(stated, target_settings(wanted))
    if recorded is None:
        # What stood there before the run only its journal knows; whatever it was, it is sent whole or not at all.
        return smallest_patch(stated, PatchSettings.from_document(sent) or PatchSettings())
    if change.id not in recorded:
        msg = f"run {plan.rollback_of} has no such machine among its changes"
        raise ValueError(msg)
    return restoring_patch(recorded[change.id], now)


def _problem_of_outcomes(change: Change) -> str | None:
    before, after = (PatchSettings.from_document(settings) for settings in (change.before, change.after))
    told = {"outcomeBefore": (change.outcome_before, before), "outcomeAfter": (change.outcome_after, after)}
    for member, (outcome, settings) in told.items():
        if contradicts(outcome.kind, settings, change.kind):
            return f"{member} is {outcome.kind.value!r}, which no schedule makes of the settings beside it"
    return None


def _kind_in(document: Mapping[str, Any], machine_id: ResourceId) -> MachineKind | None:
    stated = (_text(document.get("type")) or machine_id.full_type).casefold()
    if stated != machine_id.full_type:
        return None
    if stated == _ARC:
        return MachineKind.ARC
    return MachineKind.VMSS_FLEX if _at(document, "virtualMachineScaleSet", "id") else MachineKind.VM


def _system_in(document: Mapping[str, Any]) -> OperatingSystem | None:
    """What the disk (Arc: the server) says; where it does not, the one configuration that is there."""
    stated = _at(document, "storageProfile", "osDisk", "osType") or _at(document, "osType")
    known = {system.value.casefold(): system for system in OperatingSystem}
    if isinstance(stated, str) and stated.casefold() in known:
        return known[stated.casefold()]
    there = [system for system in OperatingSystem if _at(document, "osProfile", system.configuration) is not None]
    return there[0] if len(there) == 1 else None


def _at(document: Mapping[str, Any], *path: str) -> Any:
    found: Any = document.get("properties")
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _same(left: object, right: object) -> bool:
    """Whether two values are the same as JSON: `true` is not 1."""
    return left == right and json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)
