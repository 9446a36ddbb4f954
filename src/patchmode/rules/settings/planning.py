"""From a machine and a wish to the exact request, or to why there is none.

Must not: send anything, or leave anything for apply to compute.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from patchmode.model.left_alone import Skipped
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import OperatingSystem, PatchSettings, WantedSettings
from patchmode.model.plan import Change, Unchanged
from patchmode.model.schedule import NOT_LOOKED_UP, MachineSchedules
from patchmode.rules.eligibility.judgement import judge
from patchmode.rules.schedules.forecast import predict
from patchmode.rules.settings.patch import (
    BYPASS,
    HOTPATCH,
    MODE,
    PLATFORM,
    configuration_in,
    is_platform_mode,
    merged,
    request_body,
    settings_in,
    smallest_patch,
)
from patchmode.rules.settings.transitions import no_way_back, target_settings

_ENTITY_TAG = re.compile(r'(?:W/)?"[!#-~]*"')


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


@dataclass(frozen=True, slots=True)
class Derived:
    """What of a change follows from the machine's document and the settings to send; see `Change`."""

    body: Mapping[str, Any]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    reversible: bool
    irreversible_because: str | None
    tolerated: tuple[str, ...]


def derived(document: Mapping[str, Any], system: OperatingSystem, patch: Mapping[str, Any]) -> Derived:
    """The request around a `patchSettings` object, and all that a plan says of it: the one place that makes them.

    Args:
        document: the machine's whole document.
        system: the machine's.
        patch: what to send; not empty.
    """
    before = settings_in(document, system)
    after = merged(before or {}, patch)
    updates = configuration_in(document, system).get("enableAutomaticUpdates")
    obstacle = no_way_back(
        PatchSettings.from_document(before),
        patch,
        system,
        automatic_updates=updates if isinstance(updates, bool) else None,
    )
    body = request_body(system, patch)
    return Derived(body, before, after, obstacle is None, obstacle, _tolerated(patch, after))


def change_with(machine: Machine, patch: Mapping[str, Any], schedules: MachineSchedules = NOT_LOOKED_UP) -> Change:
    """The change that sends this `patchSettings` object to the machine.

    Raises:
        ValueError: the machine has no document or no known system.
    """
    system, document = system_of(machine), document_of(machine)
    made = derived(document, system, patch)
    return Change(
        id=machine.id,
        kind=machine.kind,
        os=system,
        location=machine.location,
        etag=sendable_etag(machine.etag),
        body=made.body,
        before=made.before,
        after=made.after,
        document=document,
        outcome_before=predict(PatchSettings.from_document(made.before), machine, schedules),
        outcome_after=predict(PatchSettings.from_document(made.after), machine, schedules),
        reversible=made.reversible,
        irreversible_because=made.irreversible_because,
        tolerated=made.tolerated,
    )


def sendable_etag(etag: object) -> str | None:
    """An etag that may stand in `If-Match`; None for any other value, and then the machine is read before its PATCH.

    SAFETY: `*` fits whatever the machine has become, and a line feed would end the header. Source: RFC 9110, 8.8.3.
    """
    return etag if isinstance(etag, str) and _ENTITY_TAG.fullmatch(etag) else None


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
