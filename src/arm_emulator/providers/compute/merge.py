"""What a PUT or a PATCH makes of a stored machine: the merge, without any refusal.

Both are merges. A recorded PUT that left out ``imageReference``, ``identity`` or ``resources`` lost none of them, and
the built-in policy for scheduled patching PUTs a partial ``osProfile`` in full trust of that. Lists of things with an
identity (disks, network interfaces, applications) are replaced as a list, but a thing that stays keeps the members
that the request does not name. Documents handed in are never changed.
"""

from dataclasses import dataclass
from typing import Any, Literal

from arm_emulator.providers.compute.identity import GuidSource, merged_identity
from arm_emulator.providers.compute.list_merge import merged_list
from arm_emulator.providers.compute.members import (
    READ_ONLY,
    WRITE_ONLY,
    Json,
    is_boolean,
    ordered,
    proper_name,
    proper_value,
)

NullMembers = Literal["ignored", "removed"]
SHALLOW = frozenset(
    f"properties.osProfile.{system}Configuration.patchSettings.automaticByPlatformSettings"
    for system in ("windows", "linux")
)
"""The objects that a shallow merge replaces as a whole."""


@dataclass(frozen=True, slots=True)
class MergeRules:
    """What a merge needs to know besides the two documents."""

    tenant_id: str
    random: GuidSource
    nulls: NullMembers = "ignored"
    is_shallow: bool = False
    """Whether ``automaticByPlatformSettings`` is replaced instead of merged."""
    replaces_tags: bool = False


_KEPT_APART = frozenset({"identity", "tags", "location"})


def merged(stored: Json, body: Json, rules: MergeRules) -> Json:
    """The machine after an accepted write, before the service fills in its own defaults.

    Args:
        stored: as it stands.
        body: the decoded request; read-only members in it are ignored, names take any casing.
        rules: see ``MergeRules``.
    """
    rest = {name: value for name, value in body.items() if proper_name("", name) not in _KEPT_APART}
    result = _merge(stored, rest, "", rules)
    for name, value in body.items():
        match proper_name("", name):
            case "tags":
                result["tags"] = _merged_tags(stored.get("tags"), value, rules)
            case "identity" if isinstance(value, dict):
                result = _with_identity(result, value, rules)
    return {name: result[name] for name in ordered("", result)} if list(result) != list(stored) else result


def without_empty(document: Json) -> Json:
    """The machine without the empty objects among its properties, and without those that hold nothing else."""
    properties = document.get("properties")
    return {**document, "properties": _filled(properties)} if isinstance(properties, dict) else document


def _filled(value: Any) -> Any:
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _filled(item) for name, item in value.items()}
    return {name: item for name, item in kept.items() if item != {}}


def _merged_tags(stored: Any, wanted: Any, rules: MergeRules) -> Any:
    if not isinstance(wanted, dict):
        return stored or {}
    kept = {} if rules.replaces_tags or not isinstance(stored, dict) else stored
    return {**kept, **{name: value for name, value in wanted.items() if value is not None}}


def _with_identity(document: Json, wanted: Json, rules: MergeRules) -> Json:
    identity = merged_identity(document.get("identity"), wanted, tenant_id=rules.tenant_id, random=rules.random)
    if identity is None:
        return {name: value for name, value in document.items() if name != "identity"}
    return {**document, "identity": identity}


def _merge(stored: Json, wanted: Json, path: str, rules: MergeRules) -> Json:
    result = dict(stored)
    for name, value in wanted.items():
        key = _stored_name(result, proper_name(path, name))
        below = f"{path}.{key}" if path else key
        if below in READ_ONLY or below in WRITE_ONLY:
            continue
        if value is None:
            if rules.nulls == "removed":
                result.pop(key, None)
            continue
        result[key] = _merged_value(result.get(key), value, below, rules)
    if len(result) != len(stored):
        return {name: result[name] for name in ordered(path, result)}
    return result


def _merged_value(stored: Any, wanted: Any, path: str, rules: MergeRules) -> Any:
    if isinstance(wanted, dict):
        base = stored if isinstance(stored, dict) and not (rules.is_shallow and path in SHALLOW) else {}
        return _merge(base, wanted, path, rules)
    if isinstance(wanted, list):
        return merged_list(stored, wanted, path, lambda old, new: _merged_value(old, new, path, rules))
    if isinstance(wanted, str) and is_boolean(path) and wanted.lower() in {"true", "false"}:
        return wanted.lower() == "true"
    return proper_value(path.rpartition(".")[2], wanted) if isinstance(wanted, str) else wanted


def _stored_name(stored: Json, name: str) -> str:
    if name in stored:
        return name
    lowered = name.lower()
    return next((other for other in stored if other.lower() == lowered), name)
