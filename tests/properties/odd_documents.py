"""Machines' documents that are not as Azure writes them: wrong types, nulls, other spellings, missing parents.

Every member that `patchmode` reads is spoiled somewhere; the list of them is taken from the reader, so that a member
that is read from tomorrow on is spoiled too.
"""

import copy
import inspect
import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from tests.properties.strategies import documents

from patchmode.arm import machine_reading

BYPASS = "bypassPlatformSafetyChecksOnUserSchedule"
_SETTINGS = ("patchMode", "assessmentMode", "enableHotpatching", "automaticByPlatformSettings")
_PROFILE = ("properties", "osProfile")
Path = tuple[str, ...]


def _configuration(system: str) -> tuple[Path, ...]:
    top: Path = (*_PROFILE, f"{system}Configuration")
    settings: Path = (*top, "patchSettings")
    platform: Path = (*settings, "automaticByPlatformSettings")
    return (
        top,
        settings,
        *((*settings, name) for name in _SETTINGS),
        (*platform, BYPASS),
        (*platform, BYPASS),
        (*platform, "rebootSetting"),
        (*top, "provisionVMAgent"),
        (*top, "enableAutomaticUpdates"),
    )


PATHS: tuple[Path, ...] = (
    ("tags",),
    ("managedBy",),
    ("etag",),
    ("type",),
    ("resources",),
    ("plan",),
    *(("plan", name) for name in ("publisher", "product", "name")),
    ("properties", "provisioningState"),
    ("properties", "vmId"),
    ("properties", "licenseType"),
    ("properties", "virtualMachineScaleSet"),
    ("properties", "virtualMachineScaleSet", "id"),
    ("properties", "storageProfile"),
    ("properties", "storageProfile", "osDisk"),
    ("properties", "storageProfile", "osDisk", "osType"),
    ("properties", "storageProfile", "osDisk", "createOption"),
    ("properties", "storageProfile", "imageReference"),
    *(("properties", "storageProfile", "imageReference", name) for name in ("publisher", "offer", "sku", "id")),
    ("properties", "instanceView"),
    ("properties", "instanceView", "osName"),
    ("properties", "instanceView", "extensions"),
    ("resources",),
    ("plan",),
    *(("plan", name) for name in ("publisher", "product", "name")),
    ("properties", "osType"),
    ("properties", "osSku"),
    ("properties", "status"),
    _PROFILE,
    (*_PROFILE, "allowExtensionOperations"),
    *_configuration("windows"),
    *_configuration("linux"),
)
"""Paths of the members that are read, and of their parents."""

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    "true",
    "True",
    "false",
    1,
    0,
    1.5,
    123456789012345678901234567890,
    "",
    "x",
    "AutomaticByPlatform",
    " AutomaticByPlatform",
    "AUTOMATICBYPLATFORM",
    "Windows",
    "LINUX",
    "FreeBSD",
    [],
    [5],
    ["x", None],
    [[]],
    {},
    {"a": None},
    {"a": 5},
    {"a": {"b": [1]}},
    {BYPASS: True},
    {"patchSettings": {"patchMode": "AutomaticByPlatform", "automaticByPlatformSettings": {BYPASS: True}}},
)


def members_read() -> frozenset[str]:
    """The names of members that the reader asks documents for, as its source has them."""
    source = inspect.getsource(machine_reading.facts_in) + inspect.getsource(machine_reading.machine_from_document)
    return frozenset(re.findall(r'"([a-zA-Z]+)"', source)) - {"id", "location", "properties"}


def put(document: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy with a value at a path; absent parents are made, and those that are no objects are left alone."""
    changed = copy.deepcopy(dict(document))
    holder: Any = changed
    for step in path[:-1]:
        following = holder.setdefault(step, {})
        if following is None:
            following = holder[step] = {}
        if not isinstance(following, dict):
            return changed
        holder = following
    holder[path[-1]] = copy.deepcopy(value)
    return changed


def respelled(document: Mapping[str, Any], path: Path, spelling: str, *, keeps: bool) -> dict[str, Any]:
    """A copy with a member under another spelling; `keeps`: beside the one that stands."""
    changed = copy.deepcopy(dict(document))
    holder: Any = changed
    for step in path[:-1]:
        holder = holder.get(step) if isinstance(holder, dict) else None
    if isinstance(holder, dict) and path[-1] in holder:
        value = holder[path[-1]] if keeps else holder.pop(path[-1])
        holder[{"lower": str.lower, "upper": str.upper, "title": str.title}[spelling](path[-1])] = value
    return changed


@st.composite
def odd_documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document that the service may hold, spoiled in one to four places."""
    document = draw(documents())
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(PATHS))
        match draw(st.sampled_from(("value", "value", "value", "gone", "spelled", "twice"))):
            case "value":
                document = put(document, path, draw(st.sampled_from(VALUES)))
            case "gone":
                document = put(document, path, None)
            case "spelled" | "twice" as way:
                spelling = draw(st.sampled_from(("lower", "upper", "title")))
                document = respelled(document, path, spelling, keeps=way == "twice")
    if not isinstance(document.get("properties"), dict):
        document["properties"] = {}
    return document
