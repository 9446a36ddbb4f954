"""How a machine is brought back to what it was, and where it is not.

SAFETY: no request here leaves a machine at AutomaticByPlatform without bypass, unless it was so before the live check.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from patchmode.model.live_check import Asked
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.run import Difference
from patchmode.rules.live_check.experiment import COMPUTE_API, PREPARED, object_in
from patchmode.rules.settings.patch import BYPASS, MODE, PLATFORM, is_platform_mode, merged, settings_in
from patchmode.rules.settings.verification import ABSENT, Leaf, Path, difference_of, exact_leaves

Json = Mapping[str, Any]


def differences(before: Json, now: Json) -> tuple[Difference, ...]:
    """Every property in which a machine is not as it was, but for what the service counts and reports itself.

    Args:
        before: the document of a GET before the first request.
        now: of one after the last.
    """
    return tuple(difference_of(leaf) for leaf in exact_leaves(before, now))


def ways(before: Json, now: Json, system: OperatingSystem) -> Iterator[tuple[Asked, ...]]:
    """Requests that may bring a machine back, the mildest first; each way is tried once, and a read decides.

    1. What was there is sent again. What is there now and was not before is left out.
    2. The same, with a null for each member that was not there before.
    3. What is neither mode nor block, alone: it may be accepted where these are refused.
    4. Where only the block of AutomaticByPlatform is too much: into that mode and out of it again, or the reverse.

    Args:
        before: the document to return to.
        now: the machine's document.
        system: its operating system.
    """
    machine = str(now.get("id") or before.get("id"))
    leaves = list(exact_leaves(before, now))
    if not leaves:
        return
    for nulls in (False, True):
        body = _body(before, leaves, system, nulls=nulls)
        if body:
            yield (Asked("PATCH", machine, COMPUTE_API, body),)
    apart = [leaf for leaf in leaves if leaf.path[4:5] not in {(MODE,), (PLATFORM,)}]
    others = _body(before, apart, system, nulls=True)
    if others:
        yield (Asked("PATCH", machine, COMPUTE_API, others),)
    yield from _round_about(before, leaves, machine, system)


def leaves_to_azure(before: Json, now: Json, body: Json, system: OperatingSystem) -> bool:
    """Whether a PATCH or PUT would put the machine into Azure's own patching, in which it was not before.

    Args:
        before: the document before the live check.
        now: the machine's document.
        body: what is to be sent.
        system: its operating system.
    """
    return _is_azures(merged(now, body), system) and not _is_azures(before, system)


def _is_azures(document: Json, system: OperatingSystem) -> bool:
    settings = settings_in(document, system) or {}
    bypass = object_in(settings.get(PLATFORM)).get(BYPASS)
    return is_platform_mode(str(settings.get(MODE) or "")) and bypass is not True


def _body(before: Json, leaves: list[Leaf], system: OperatingSystem, *, nulls: bool) -> dict[str, Any]:
    body: dict[str, Any] = {}
    touched = [leaf for leaf in leaves if _is_ours(leaf.path)]
    for leaf in touched:
        if leaf.expected is not ABSENT:
            _put(body, leaf.path, leaf.expected)
        elif nulls:
            _put(body, _top_of(before, leaf.path), None)
    if not body or set(body) == {"tags"}:
        return {"tags": dict(object_in(before.get("tags")))} if body else {}
    if "tags" in body:
        body["tags"] = dict(object_in(before.get("tags")))
    return _with_pair(body, before, system)


def _is_ours(path: Path) -> bool:
    """Whether an experiment can have changed it; nothing else is ever written."""
    return path[:1] == ("tags",) or path[:2] in {("properties", "osProfile"), ("properties", "scheduledEventsProfile")}


def _top_of(before: Json, path: Path) -> Path:
    """The shortest beginning of a path that was absent before."""
    found: Any = before
    for length, step in enumerate(path, 1):
        if not isinstance(found, Mapping) or step not in found:
            return path[:length]
        found = found[step]
    return path


def _put(body: dict[str, Any], path: Path, value: Any) -> None:
    holder: Any = body
    for step in path[:-1]:
        holder = holder.setdefault(str(step), {})
        if holder is None:  # a member above is removed as a whole
            return
    holder[str(path[-1])] = value


def _with_pair(body: dict[str, Any], before: Json, system: OperatingSystem) -> dict[str, Any]:
    """With AutomaticByPlatform its block, bypass named in it."""
    settings = settings_in(before, system) or {}
    sent = settings_in(body, system)
    if not isinstance(sent, dict) or not settings or not {MODE, PLATFORM} & set(sent):
        return body
    if is_platform_mode(str(settings.get(MODE) or "")):
        sent[PLATFORM] = {BYPASS: False, **object_in(settings.get(PLATFORM)), **object_in(sent.get(PLATFORM))}
    return body


def _round_about(
    before: Json, leaves: list[Leaf], machine: str, system: OperatingSystem
) -> Iterator[tuple[Asked, ...]]:
    block = ("properties", "osProfile", system.configuration, "patchSettings", PLATFORM)
    if not any(leaf.path[:5] == block and leaf.expected is ABSENT for leaf in leaves):
        return
    settings = settings_in(before, system) or {}
    enter, leave = dict(PREPARED), _out_of(settings, system)
    if is_platform_mode(str(settings.get(MODE) or "")):
        again = {MODE: settings[MODE], PLATFORM: {BYPASS: False, **object_in(settings.get(PLATFORM))}}
        yield (_patch(machine, system, leave), _patch(machine, system, again))
    else:
        yield (_patch(machine, system, enter), _patch(machine, system, leave))


def _out_of(settings: Json, system: OperatingSystem) -> dict[str, Any]:
    mode = str(settings.get(MODE) or "")
    if mode and not is_platform_mode(mode):
        return {MODE: mode}
    return {MODE: "ImageDefault" if system is OperatingSystem.LINUX else "AutomaticByOS"}


def _patch(machine: str, system: OperatingSystem, settings: Mapping[str, Any]) -> Asked:
    body = {"properties": {"osProfile": {system.configuration: {"patchSettings": settings}}}}
    return Asked("PATCH", machine, COMPUTE_API, body)
