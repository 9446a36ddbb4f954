"""From a machine and a wish to the exact request, or to why there is none.

Must not: send anything, or leave anything for apply to compute.
"""

from collections.abc import Mapping
from typing import Any

from patchmode.model.machine import Machine
from patchmode.model.patch_settings import OperatingSystem, PatchSettings
from patchmode.model.plan import Change, Skipped, Unchanged, WantedSettings
from patchmode.model.schedule import NOT_LOOKED_UP, MachineSchedules
from patchmode.rules.judgement import judge
from patchmode.rules.prediction import predict
from patchmode.rules.settings_patch import (
    BYPASS,
    HOTPATCH,
    MODE,
    PLATFORM,
    is_platform_mode,
    merged,
    request_body,
    settings_in,
    smallest_patch,
)
from patchmode.rules.transitions import no_way_back
from patchmode.rules.wanted import target_settings


def plan_machine(
    machine: Machine, wanted: WantedSettings, schedules: MachineSchedules = NOT_LOOKED_UP
) -> Change | Unchanged | Skipped:
    """What the plan does with one machine.

    Args:
        machine: as the provider described it: `document` is present.
        wanted: what was asked for.
        schedules: what reaches the machine, before and after alike; only the outcomes hang on it.

    Returns:
        A change with the complete request; `Unchanged` where the machine already is as wanted (enumerations compare
        without regard to case, an absent bypass is false); `Skipped` with the first rule that blocks.

    Raises:
        ValueError: the machine has no document, or the orchestration asked for cannot be set.
    """
    document_of(machine)
    found = judge(machine, wanted)
    outcome = predict(machine.settings, machine, schedules)
    if found.is_as_wanted and found.makes_sense:
        return Unchanged(machine.id, machine.kind, outcome)
    if found.block is not None:
        return Skipped(machine.id, found.block.rule, found.block.message, found.block.fix, outcome)
    return change_with(machine, found.patch, schedules)


def body_for(machine: Machine, wanted: WantedSettings) -> Mapping[str, Any] | None:
    """The minimal PATCH that leads the machine to the wish; None where nothing has to be sent.

    Legality is not looked at: `plan_machine` does that first.

    Raises:
        ValueError: the machine has no document or no known system, or the orchestration asked for cannot be set.
    """
    system = system_of(machine)
    document_of(machine)
    patch = smallest_patch(machine.settings, target_settings(wanted))
    return request_body(system, patch) if patch else None


def change_with(machine: Machine, patch: Mapping[str, Any], schedules: MachineSchedules = NOT_LOOKED_UP) -> Change:
    """The change that sends this `patchSettings` object to the machine.

    Raises:
        ValueError: the machine has no document or no known system.
    """
    system, document = system_of(machine), document_of(machine)
    before = settings_in(document, system)
    after = merged(before or {}, patch)
    stated = PatchSettings.from_document(before)
    obstacle = no_way_back(stated, patch, system, automatic_updates=machine.enable_automatic_updates)
    return Change(
        id=machine.id,
        kind=machine.kind,
        os=system,
        location=machine.location,
        etag=machine.etag,
        body=request_body(system, patch),
        before=before,
        after=after,
        document=document,
        outcome_before=predict(stated, machine, schedules),
        outcome_after=predict(PatchSettings.from_document(after), machine, schedules),
        reversible=obstacle is None,
        irreversible_because=obstacle,
        tolerated=_tolerated(patch, after),
    )


def _tolerated(patch: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths that the service may drop: what it does there is unconfirmed, and absent means the same.

    Leaving AutomaticByPlatform, it may clear or keep the settings that belong to that mode. A `false` that was sent may
    come back as absence, for bypass and hotpatching alike.
    """
    paths: list[str] = []
    if MODE in patch and not is_platform_mode(patch[MODE]) and PLATFORM in after:
        paths.append(PLATFORM)
    if patch.get(PLATFORM, {}).get(BYPASS) is False:
        paths.append(f"{PLATFORM}.{BYPASS}")
    if patch.get(HOTPATCH) is False:
        paths.append(HOTPATCH)
    return tuple(paths)


def document_of(machine: Machine) -> Mapping[str, Any]:
    """The provider's document of a machine.

    Raises:
        ValueError: Resource Graph described the machine, which is not enough to plan on.
    """
    if machine.document is None:
        msg = f"{machine.id} was not read from its provider, and a plan needs the provider's document"
        raise ValueError(msg)
    return machine.document


def system_of(machine: Machine) -> OperatingSystem:
    """The machine's operating system.

    Raises:
        ValueError: it is not known; rule `unknown-os` skips such machines before anything asks.
    """
    if machine.os is None:
        msg = f"the operating system of {machine.id} is not known"
        raise ValueError(msg)
    return machine.os
