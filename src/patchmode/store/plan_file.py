"""The plan file: write a plan, read it back, and refuse whatever is not exactly what was reviewed.

Must not: decide whether a plan is wise. It checks only that the file is whole, unedited, and holds nothing that a plan
may not hold; `plan_checks` has those rules.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from patchmode.errors import BrokenPlanError, StorageError, UsageError
from patchmode.model.plan import Plan
from patchmode.store.atomic import write_whole
from patchmode.store.formats import PLAN_FORMAT, PlanDocument
from patchmode.store.plan_checks import check_plan
from patchmode.store.plan_rows import plan_from_document, plan_to_document

_FAMILY = PLAN_FORMAT.rpartition("/")[0] + "/"
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
    content, digest = encode_plan(plan)
    write_whole(path, content)
    return replace(plan, digest=digest)


def read_plan(path: Path) -> Plan:
    """Read a plan file that is whole, unedited and of a version that this program knows.

    Raises:
        UsageError: there is no such file, or it may not be read.
        BrokenPlanError: it is not a plan, is cut short, was edited, comes from another version, or contradicts itself;
            the message says which.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"could not read the plan {path}: {error.strerror or error}.",
            advice="Check the path, and that you may read the file; `patchmode plan --out FILE` writes one.",
        ) from error
    return decode_plan(content, name=str(path))


def encode_plan(plan: Plan) -> tuple[bytes, str]:
    """A plan as the plan file's content, laid out for reading, and its digest.

    Raises:
        BrokenPlanError: the plan holds what no plan may hold.
        StorageError: a document holds something that JSON cannot carry.
    """
    canonical, digest = canonical_plan(plan)
    return msgspec.json.format(_sealed(canonical, digest), indent=2) + b"\n", digest


def seal_plan(plan: Plan) -> tuple[bytes, str]:
    """The same as compact JSON, which costs a third: for the journal.

    Raises:
        BrokenPlanError, StorageError: as `encode_plan`.
    """
    canonical, digest = canonical_plan(plan)
    return _sealed(canonical, digest), digest


def canonical_plan(plan: Plan) -> tuple[bytes, str]:
    """A plan's canonical text (keys sorted, no white space, no digest) and its digest.

    Raises:
        BrokenPlanError, StorageError: as `encode_plan`.
    """
    check_plan(plan, name="the new plan", counts=None)
    try:
        canonical = msgspec.json.encode(plan_to_document(plan), order="sorted")
    except (TypeError, OverflowError, ValueError) as error:
        msg = f"could not write the plan: a machine's document holds something that JSON cannot carry ({error})."
        raise StorageError(msg) from error
    return canonical, hashlib.sha256(canonical).hexdigest()


def _sealed(canonical: bytes, digest: str) -> bytes:
    # The format and the digest come first, where a reader looks for them.
    return b'{"digest":"%s",' % digest.encode() + canonical[1:]


def decode_plan(content: bytes, *, name: str) -> Plan:
    """The plan in a plan file's content.

    Args:
        content: the whole file.
        name: how messages call it.

    Raises:
        BrokenPlanError: as `read_plan`.
    """
    raw = _parse(content, name)
    _check_format(raw, name)
    stated = raw.pop("digest", None)
    digest = hashlib.sha256(msgspec.json.encode(raw, order="sorted")).hexdigest()
    if stated != digest:
        msg = f"{name} was changed after it was written: its digest does not match its content."
        raise BrokenPlanError(msg, advice=f"A plan is applied as it was reviewed or not at all. {_AGAIN}")
    try:
        document = msgspec.convert(raw, PlanDocument)
        plan = plan_from_document(document, digest=digest)
    except (msgspec.ValidationError, ValueError) as error:
        msg = f"{name} does not hold together as {PLAN_FORMAT}: {error}."
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
