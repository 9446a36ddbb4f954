"""The plan file: write a plan, read it back, and refuse whatever is not exactly what was reviewed."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec

from patchmode.documents.plan import PLAN_FORMAT, PlanCountsRow, PlanDocument, plan_of
from patchmode.errors import BrokenPlanError, StorageError, UsageError
from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.plan import Change, Plan, Wave
from patchmode.store.files import buffered, make_private_folder, meant, write_named, write_whole
from patchmode.store.plan_documents import Readable, canonical_pieces, indented_pieces, read_pieces

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
    """Refuse a plan that is inconsistent or would send anything but patch settings.

    Args:
        plan: the plan.
        name: how messages call it.
        counts: what the file states; None where there is no file yet.

    Raises:
        BrokenPlanError: the message names the machine and the member.
    """
    if counts is not None and msgspec.structs.asdict(counts) != plan.counts:
        msg = f"{name} is inconsistent: its counts do not add up to what it lists."
        raise BrokenPlanError(msg, advice=_ADVICE)
    machines = Counter(one.id.key for group in (plan.changes, plan.unchanged, plan.skipped) for one in group)
    twice = [key for key, times in machines.items() if times > 1]
    if twice:
        msg = f"{name} is inconsistent: it names {twice[0]} more than once."
        raise BrokenPlanError(msg, advice=_ADVICE)
    if plan.nobody is not None and plan.nobody.machines != len(plan.patched_by_nobody):
        msg = f"{name} is inconsistent: it states another number of machines that nobody patches than it lists."
        raise BrokenPlanError(msg, advice=_ADVICE)
    schedules = _problem_of_schedules(plan)
    if schedules:
        msg = f"{name} cannot be applied: {schedules}."
        raise BrokenPlanError(msg, advice=_ADVICE)
    waves = _problem_of_waves(plan)
    if waves:
        msg = f"{name} is inconsistent: {waves}."
        raise BrokenPlanError(msg, advice=_ADVICE)
    for change in plan.changes:
        problem = _problem_of(change)
        if problem:
            msg = f"{name} cannot be applied: the request for {change.id} {problem}."
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
            return f"{configuration} is not a maintenance configuration"
        if not _NAME.fullmatch(name) or not name.isprintable() or name in {".", ".."}:
            return f"{name!r} is not a valid assignment name"
    known = {one.id for group in (plan.changes, plan.unchanged, plan.skipped) for one in group}
    strange = next((one.id for one in plan.first_detach if one.id not in known), None)
    return f"it would detach a schedule from {strange}, which is not in its scope" if strange else None


def _problem_of_waves(plan: Plan) -> str | None:
    if not plan.waves:
        return None
    names = [one.name for one in plan.waves]
    odd = next((name for name in names if not name or not name.isprintable()), None)
    if odd is not None:
        return f"{odd!r} is not a valid wave name"
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


_FAMILY = PLAN_FORMAT.rpartition("/")[0] + "/"
_DIGEST_LENGTH = len('"digest":"",') + 64
_AGAIN = "Make the plan again with `patchmode plan`."


def write_plan(plan: Plan, path: Path) -> Plan:
    """Write a plan file, whole or not at all, readable by its owner only; into a pipe or a device, as far as it goes.

    Args:
        plan: any plan; its digest is calculated anew.
        path: replaced if it exists.

    Returns:
        The plan with its digest filled in.

    Raises:
        StorageError: the file cannot be written; what was there before is untouched.
        BrokenPlanError: the plan holds what no plan may hold, which is a defect of whoever made it.
    """
    digest = seal_plan(plan).digest
    write_named(path, buffered(indented_pieces(plan, digest)))
    return replace(plan, digest=digest)


def keep_plan(plan: Plan, state_dir: Path, now: datetime) -> Path:
    """Write a plan into the state folder, as `write_plan` does, under a name of its own.

    Returns:
        The new file.

    Raises:
        StorageError, BrokenPlanError: as `write_plan`.
    """
    folder = state_dir / "plans"
    make_private_folder(folder)
    path = folder / f"{now:%Y%m%dT%H%M%S.%fZ}.json"
    write_whole(path, buffered(indented_pieces(plan, seal_plan(plan).digest)))
    return path


def read_plan(path: Path) -> Plan:
    """Read a plan file that is whole, unedited and of a version that this program knows.

    Raises:
        UsageError: there is no such file, or it may not be read.
        BrokenPlanError: it is not a plan, is cut short, was edited, comes from another version, or is inconsistent;
            the message says which.
    """
    try:
        with path.open("rb") as stream:
            # What cannot be read twice (a pipe) is read whole.
            plan = _as_written(stream, name=str(path)) if stream.seekable() else None
            if plan is not None:
                return plan
            if stream.seekable():
                stream.seek(0)
            content = stream.read()
    except OSError as error:
        raise UsageError(
            f"could not read the plan {path}: {error.strerror or error}.",
            advice=f"{meant(path)}Check the path, and that you may read the file; "
            "`patchmode plan --all --out plan.json` writes one.",
        ) from error
    return _decode_any(content, name=str(path))


def encode_plan(plan: Plan) -> tuple[bytes, str]:
    """A plan as the plan file's content, laid out for reading, and its digest.

    Raises:
        BrokenPlanError: the plan holds what no plan may hold.
        StorageError: a document holds something that JSON cannot carry.
    """
    digest = seal_plan(plan).digest
    return b"".join(indented_pieces(plan, digest)), digest


def plan_pieces(plan: Plan) -> Iterator[bytes]:
    """The same content in pieces, none of them larger than a few documents.

    Raises:
        BrokenPlanError, StorageError: as `encode_plan`.
    """
    return buffered(indented_pieces(plan, seal_plan(plan).digest))


@dataclass(frozen=True, slots=True)
class Seal:
    """What is known of a plan's text once all of it was seen."""

    digest: str
    length: int
    """Of the compact text with its digest, in bytes."""


def seal_plan(plan: Plan) -> Seal:
    """Check a plan and calculate its digest; `plan_stream.sealed_pieces` is the text that it seals.

    Raises:
        BrokenPlanError, StorageError: as `encode_plan`.
    """
    check_plan(plan, name="the new plan", counts=None)
    digest, length = hashlib.sha256(), 0
    try:
        for piece in canonical_pieces(plan):
            digest.update(piece)
            length += len(piece)
    except (TypeError, OverflowError, ValueError) as error:
        msg = f"could not write the plan: a machine's document holds something that JSON cannot carry ({error})."
        raise StorageError(msg) from error
    return Seal(digest.hexdigest(), length + _DIGEST_LENGTH)


def decode_plan(content: bytes, *, name: str) -> Plan:
    """The plan in a plan file's content.

    Args:
        content: the whole file.
        name: how messages call it.

    Raises:
        BrokenPlanError: as `read_plan`.
    """
    return _as_written(BytesIO(content), name=name) or _decode_any(content, name=name)


def stored_plan(open_source: Callable[[], Readable], *, name: str) -> Plan:
    """The plan in a text that is read piece by piece, such as that of a journal.

    Args:
        open_source: gives the text from its beginning, each time anew.
        name: how messages call it.

    Raises:
        BrokenPlanError: as `read_plan`. OSError, sqlite3.Error: it cannot be read.
    """
    return _as_written(open_source(), name=name) or _decode_any(open_source().read(), name=name)


def _as_written(source: Readable, *, name: str) -> Plan | None:
    found = read_pieces(source)
    if found is None:
        return None
    plan, counts = found
    check_plan(plan, name=name, counts=counts)
    return plan


def _decode_any(content: bytes, *, name: str) -> Plan:
    """The plan in any JSON, however it is laid out; whatever is wrong with it is told."""
    raw = _parse(content, name)
    _check_format(raw, name)
    stated = raw.pop("digest", None)
    digest = hashlib.sha256(msgspec.json.encode(raw, order="sorted")).hexdigest()
    if stated != digest:
        msg = f"{name} was changed after it was written: its digest does not match its content."
        raise BrokenPlanError(msg, advice=f"patchmode applies a plan only as it was reviewed. {_AGAIN}")
    try:
        document = msgspec.convert(raw, PlanDocument)
        plan = plan_of(document, digest=digest)
    except (msgspec.ValidationError, ValueError) as error:
        msg = f"{name} is not valid {PLAN_FORMAT}: {error}."
        raise BrokenPlanError(msg, advice=_AGAIN) from error
    check_plan(plan, name=name, counts=document.counts)
    return plan


def _parse(content: bytes, name: str) -> dict[str, Any]:
    if not content.strip():
        msg = f"{name} is empty."
        raise BrokenPlanError(msg, advice=_AGAIN)
    try:
        raw = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        cut = "truncated" in str(error)
        what = "is cut short" if cut else f"is not JSON ({error})"
        advice = "The disk may have been full, or a copy was not complete. " if cut else "Is it the right file? "
        msg = f"{name} {what}."
        raise BrokenPlanError(msg, advice=advice + _AGAIN) from error
    if not isinstance(raw, dict):
        msg = f"{name} is JSON, but not a plan."
        raise BrokenPlanError(msg, advice=f"Is it the right file? {_AGAIN}")
    return raw


def _check_format(raw: dict[str, Any], name: str) -> None:
    stated = raw.get("format")
    if stated == PLAN_FORMAT:
        return
    if isinstance(stated, str) and stated.startswith(_FAMILY):
        writer = raw.get("toolVersion") or "of an unknown version"
        msg = f"{name} has the format {stated}, written by patchmode {writer}; this version reads {PLAN_FORMAT}."
        raise BrokenPlanError(
            msg, advice="Apply it with the version that wrote it, or make the plan again with this one."
        )
    what = f"it has the format {stated}" if isinstance(stated, str) else "it has no format member"
    msg = f"{name} is JSON, but not a plan: {what}."
    raise BrokenPlanError(msg, advice=f"Is it the right file? {_AGAIN}")
