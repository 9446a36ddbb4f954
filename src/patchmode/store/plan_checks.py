"""What a plan may hold at all: patch settings and nothing else, each machine once, counts that add up.

A digest proves only that a file was not changed by accident: anyone can calculate one. These checks are what keeps a
made-up plan file from sending anything but patch settings.

Must not: judge whether a change is wanted or possible; the rules and Azure do.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from patchmode.errors import BrokenPlanError
from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.plan import Change, Plan, Wave
from patchmode.store.formats import PlanCountsRow

_ADVICE = "Make the plan again with `patchmode plan`, and do not edit the file."
_CONFIGURATION = "microsoft.maintenance/maintenanceconfigurations"
_NAME = re.compile(r"[^/?#%\s]{1,128}")
_PLATFORM = "automaticByPlatformSettings"
_PLATFORM_LEAVES = {"bypassPlatformSafetyChecksOnUserSchedule": bool, "rebootSetting": str}
_LINUX_LEAVES = {"patchMode": str, "assessmentMode": str, _PLATFORM: dict}
_WINDOWS_LEAVES = {**_LINUX_LEAVES, "enableHotpatching": bool}
_ARC_LEAVES = {"assessmentMode": str}
"""Azure Arc machines have no patch mode to set and no `automaticByPlatformSettings`."""


def check_plan(plan: Plan, *, name: str, counts: PlanCountsRow | None) -> None:
    """Refuse a plan that contradicts itself or would send anything but patch settings.

    Args:
        plan: the plan.
        name: how messages call it.
        counts: what the file states; None where there is no file yet.

    Raises:
        BrokenPlanError: the message names the machine and the member.
    """
    if counts is not None and msgspec.structs.asdict(counts) != plan.counts:
        msg = f"{name} contradicts itself: its counts do not add up to what it lists."
        raise BrokenPlanError(msg, advice=_ADVICE)
    machines = Counter(one.id.key for group in (plan.changes, plan.unchanged, plan.skipped) for one in group)
    twice = [key for key, times in machines.items() if times > 1]
    if twice:
        msg = f"{name} contradicts itself: it names {twice[0]} more than once."
        raise BrokenPlanError(msg, advice=_ADVICE)
    schedules = _problem_of_schedules(plan)
    if schedules:
        msg = f"{name} may not be applied: {schedules}."
        raise BrokenPlanError(msg, advice=_ADVICE)
    waves = _problem_of_waves(plan)
    if waves:
        msg = f"{name} contradicts itself: {waves}."
        raise BrokenPlanError(msg, advice=_ADVICE)
    for change in plan.changes:
        problem = _problem_of(change)
        if problem:
            msg = f"{name} may not be applied: the request for {change.id} {problem}."
            raise BrokenPlanError(msg, advice=_ADVICE)


def _problem_of_schedules(plan: Plan) -> str | None:
    wish = plan.then_attach
    named = [*((one.configuration, one.name) for one in plan.first_detach)]
    if wish is not None:
        named.append((wish.configuration, wish.name))
        if plan.first_detach:
            return "it would attach and detach at once"
    for configuration, name in named:
        if configuration.full_type != _CONFIGURATION:
            return f"{configuration} is no maintenance configuration"
        if not _NAME.fullmatch(name) or not name.isprintable() or name in {".", ".."}:
            return f"{name!r} is no name of an assignment"
    known = {one.id for group in (plan.changes, plan.unchanged, plan.skipped) for one in group}
    strange = next((one.id for one in plan.first_detach if one.id not in known), None)
    return f"it would detach a schedule from {strange}, which is not in its scope" if strange else None


def _problem_of_waves(plan: Plan) -> str | None:
    if not plan.waves:
        return None
    names = [one.name for one in plan.waves]
    odd = next((name for name in names if not name or not name.isprintable()), None)
    if odd is not None:
        return f"{odd!r} is no name of a wave"
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        return f"two of its waves are named {twice!r}"
    empty = next((one.name for one in plan.waves if not _holds_machines(one)), None)
    if empty is not None:
        return f"its wave {empty!r} holds no machine"
    held = sum(one.changes for one in plan.waves), sum(one.unchanged for one in plan.waves)
    if held != (len(plan.changes), len(plan.unchanged) if plan.then_attach else 0):
        return "its waves do not add up to what it changes and attaches"
    return "it would detach schedules wave by wave" if plan.first_detach else None


def _holds_machines(wave: Wave) -> bool:
    return min(wave.changes, wave.unchanged) >= 0 and wave.changes + wave.unchanged > 0


def _problem_of(change: Change) -> str | None:
    settings: Any = change.body
    for member in ("properties", "osProfile", change.os.configuration, "patchSettings"):
        if not isinstance(settings, Mapping) or set(settings) != {member}:
            return f"holds something other than {change.os.configuration}.patchSettings"
        settings = settings[member]
    if not settings:
        return "would change nothing"
    return _problem_of_members(settings, _leaves_for(change), "patchSettings")


def _leaves_for(change: Change) -> Mapping[str, type]:
    if change.kind is MachineKind.ARC:
        return _ARC_LEAVES
    return _WINDOWS_LEAVES if change.os is OperatingSystem.WINDOWS else _LINUX_LEAVES


def _problem_of_members(members: object, allowed: Mapping[str, type], path: str) -> str | None:
    if not isinstance(members, Mapping):
        return f"has {path} that is not an object"
    for name, value in members.items():
        if name not in allowed:
            return f"sends {path}.{name}, which no plan may send"
        if not isinstance(value, allowed[name]):
            return f"sends {path}.{name} with a value of the wrong type"
        if name == _PLATFORM:
            problem = _problem_of_members(value, _PLATFORM_LEAVES, f"{path}.{_PLATFORM}")
            if problem:
                return problem
    return None
