"""A saved `audit -o json`, read back to compare a later look with it.

Only the members that drift is about are read; others may come and go within `patchmode/audit/v1`.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from patchmode.documents.audit import AUDIT_FORMAT
from patchmode.errors import BrokenPlanError, UsageError
from patchmode.model.drift import Look, MachineLook
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.target import Target
from patchmode.store.files import meant

_FAMILY = "patchmode/audit/"
_AGAIN = "Make it again with `patchmode audit -o json`."


class _Edge(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Members that are not named are passed over."""


class BaselineTarget(_Edge, frozen=True):
    """Where the machines stood."""

    cloud: str
    endpoint: str
    tenant_id: str


class BaselineId(_Edge, frozen=True):
    """A schedule of a machine, or what could not be read."""

    id: str


class BaselineMachine(_Edge, frozen=True):
    """One machine of the audit."""

    id: str
    orchestration: str
    patch_mode: str | None
    bypass: bool | None
    assessment_mode: str | None
    reboot_setting: str | None
    hotpatch: bool | None
    outcome: str
    outcome_reason: str
    schedules: tuple[BaselineId, ...]
    schedules_known: bool = False
    """False: they were not looked up as a whole, or an older audit does not say."""


class BaselineSkipped(_Edge, frozen=True):
    """A machine that a filter left out."""

    id: str
    reason: str


class BaselineDocument(_Edge, frozen=True):
    """The audit."""

    created_at: datetime | None
    target: BaselineTarget
    scope: tuple[str, ...]
    machines: tuple[BaselineMachine, ...]
    skipped: tuple[BaselineSkipped, ...]
    unreadable: tuple[BaselineId, ...]


def read_baseline(path: Path) -> Look:
    """Read a saved audit.

    Raises:
        UsageError: there is no such file, or it may not be read.
        BrokenPlanError: it is not an audit, is cut short, or comes from another version; the message says which.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"could not read the baseline {path}: {error.strerror or error}.",
            advice=f"{meant(path)}Make one with: patchmode audit -o json",
        ) from error
    return decode_baseline(content, name=str(path))


def decode_baseline(content: bytes, *, name: str) -> Look:
    """The look that a saved audit is.

    Args:
        content: the whole file.
        name: how messages call it.

    Raises:
        BrokenPlanError: as `read_baseline`.
    """
    if not content.strip():
        raise BrokenPlanError(f"{name} is empty.", advice=_AGAIN)
    try:
        raw = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = "is cut short" if "truncated" in str(error) else f"is not JSON ({error})"
        raise BrokenPlanError(f"{name} {what}.", advice=_AGAIN) from error
    _check_format(raw, name)
    try:
        document = msgspec.convert(raw, BaselineDocument)
        if not document.target.tenant_id:
            what = f"{name} is an audit of several tenants, and `patchmode watch` works in one."
            raise BrokenPlanError(what, advice="Make one of a tenant with `patchmode audit -o json --tenant ID`.")
        return _look(document)
    except (msgspec.ValidationError, ResourceIdError) as error:
        raise BrokenPlanError(f"{name} is not valid {AUDIT_FORMAT}: {error}.", advice=_AGAIN) from error


def _check_format(raw: Any, name: str) -> None:
    stated = raw.get("format") if isinstance(raw, dict) else None
    if stated == AUDIT_FORMAT:
        return
    if isinstance(stated, str) and stated.startswith(_FAMILY):
        msg = f"{name} has the format {stated}, and this version reads {AUDIT_FORMAT}."
        raise BrokenPlanError(msg, advice="Use the version that wrote it, or make it again with this one.")
    what = f"it has the format {stated}" if isinstance(stated, str) else "it has no format member"
    raise BrokenPlanError(f"{name} is not an audit: {what}.", advice=f"Is it the right file? {_AGAIN}")


def _look(document: BaselineDocument) -> Look:
    target = document.target
    machines = [_machine(row) for row in document.machines]
    return Look(
        target=Target(target.cloud, target.endpoint, target.tenant_id),
        scope=document.scope,
        machines={one.id.key: one for one in machines},
        filtered={row.id.casefold(): row.reason for row in document.skipped},
        unreadable=tuple(row.id for row in document.unreadable),
        taken_at=document.created_at,
    )


def _machine(row: BaselineMachine) -> MachineLook:
    return MachineLook(
        ResourceId.parse(row.id),
        {
            "orchestration": row.orchestration,
            "patchMode": row.patch_mode,
            "bypass": row.bypass,
            "assessmentMode": row.assessment_mode,
            "rebootSetting": row.reboot_setting,
            "hotpatch": row.hotpatch,
        },
        row.outcome,
        row.outcome_reason,
        {ResourceId.parse(one.id).key: one.id for one in row.schedules} if row.schedules_known else None,
    )
