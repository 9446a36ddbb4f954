"""Explain: one machine in full, as its provider shows it.

Must not: write, or hide what could not be read.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from patchmode.errors import EmptyScopeError, RequestError, UsageError
from patchmode.model.instance_view import surroundings_of
from patchmode.model.machine import Machine, MachineKind
from patchmode.model.patch_extension import worse
from patchmode.model.plan import WantedSettings
from patchmode.model.report import Explanation
from patchmode.model.scope import Filters, Scope
from patchmode.rules.auditing import audit_machine
from patchmode.rules.memberships import LONGEST_WAIT
from patchmode.workflow.auditing import DEFAULT_WANTED
from patchmode.workflow.inventory import take_inventory
from patchmode.workflow.ports import Azure, Clock
from patchmode.workflow.schedule_lookup import look_up


async def explain(
    azure: Azure,
    machine: str,
    *,
    wanted: WantedSettings = DEFAULT_WANTED,
    clock: Clock,
    longest_wait: timedelta = LONGEST_WAIT,
) -> Explanation:
    """Explain one machine.

    Args:
        azure: a connection; reading is enough.
        machine: its resource id, or its name where only one machine of that name can be seen.
        wanted: the settings to measure against.
        clock: for what counts as the next window.
        longest_wait: a next window that is farther away is told.

    Raises:
        UsageError: the id is not a machine's, or several machines have the name.
        EmptyScopeError: there is no such machine, or it could not be read; the message says what was answered.
    """
    by_id = machine.startswith("/")
    scope = Scope(ids=(machine,)) if by_id else await _named(azure, machine)
    inventory = await take_inventory(azure, scope, documents=True)
    if not inventory.machines:
        reason = inventory.unreadable[0].reason if inventory.unreadable else "nothing was answered"
        raise EmptyScopeError(f"{machine} could not be read: {reason}")
    found = inventory.machines[0]
    notes = list(inventory.notes)
    view = await _instance_view(azure, found, notes)
    index = await look_up(azure, (found,), now=clock.now(), longest_wait=longest_wait)
    notes += index.book.notes
    return Explanation(
        target=azure.target,
        audit=audit_machine(_with_view(found, view), wanted, index),
        document=found.document or {},
        instance_view=view,
        wanted=wanted,
        notes=tuple(notes),
    )


async def _named(azure: Azure, name: str) -> Scope:
    # The name is compared as text, not as a pattern, and never becomes part of a query.
    pattern = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
    try:
        inventory = await take_inventory(
            azure, Scope(everything=True, include=Filters(names=(pattern,))), documents=False
        )
    except EmptyScopeError as error:
        raise EmptyScopeError(
            f"You see no machine named {name!r}.", advice="Give its resource id, or check the name."
        ) from error
    if not inventory.machines:
        raise EmptyScopeError(f"You see no machine named {name!r}.", advice="Give its resource id, or check the name.")
    if len(inventory.machines) > 1:
        ids = "\n    ".join(str(entry.id) for entry in inventory.machines)
        raise UsageError(f"{len(inventory.machines)} machines are named {name!r}:\n    {ids}", advice="Give the id.")
    return Scope(ids=(str(inventory.machines[0].id),))


async def _instance_view(azure: Azure, machine: Machine, notes: list[str]) -> Mapping[str, Any] | None:
    if machine.kind is MachineKind.ARC:
        return None
    try:
        return await azure.provider.get_instance_view(machine.id)
    except RequestError as error:
        notes.append(f"The instance view could not be read: {error.message}")
        return None


def _with_view(machine: Machine, view: Mapping[str, Any] | None) -> Machine:
    """The machine with what only the instance view tells at this moment: agent, power, system, patch extension."""
    if view is None:
        return machine
    surroundings, seen = machine.surroundings, surroundings_of(view)
    known = replace(
        surroundings,
        agent_status=seen.agent_status or surroundings.agent_status,
        power_state=seen.power_state or surroundings.power_state,
        os_name=seen.os_name or surroundings.os_name,
        os_version=seen.os_version or surroundings.os_version,
        patch_extension=worse(seen.patch_extension, surroundings.patch_extension),
    )
    return replace(machine, surroundings=known)
