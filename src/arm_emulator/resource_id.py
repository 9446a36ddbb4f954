"""Azure Resource Manager ids: what their parts say. Pure text, no state."""

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class IdParts:
    """What an id says about its resource; all lower case, ``''`` where the id has no such part."""

    key: str
    """The whole id in lower case, no trailing slash: the identity of a resource."""
    type: str
    """E.g. ``microsoft.compute/virtualmachines``."""
    subscription: str
    group: str
    parent: str
    """For a child (``.../virtualMachines/a/extensions/b``) the parent's key; for an extension resource
    (``{scope}/providers/Microsoft.Authorization/locks/x``) the scope's key; ``''`` for a resource of its own."""
    name: str


@lru_cache(maxsize=200_000)
def parse_id(resource_id: str) -> IdParts:
    """Take an id apart. Never fails: text that is no id has only a key and a name."""
    key = resource_id.rstrip("/").lower()
    segments = key.strip("/").split("/")
    subscription = segments[1] if len(segments) > 1 and segments[0] == "subscriptions" else ""
    group = segments[3] if subscription and len(segments) > 3 and segments[2] == "resourcegroups" else ""
    type_, parent = _type_and_parent(key, segments)
    return IdParts(key, type_, subscription, group, parent, segments[-1])


def _type_and_parent(key: str, segments: list[str]) -> tuple[str, str]:
    if "providers" not in segments:
        kinds = {2: "microsoft.resources/subscriptions", 4: "microsoft.resources/subscriptions/resourcegroups"}
        return kinds.get(len(segments), ""), ""
    last = len(segments) - 1 - segments[::-1].index("providers")
    tail = segments[last + 1 :]
    if len(tail) < 3:
        return "/".join(tail), ""
    type_ = "/".join([tail[0], *tail[1::2]])
    if type_ == "microsoft.maintenance/applyupdates" and "maintenanceconfigurations" in segments[:last]:
        # Resource Graph names the runs of a configuration so, though their ids are those of an extension resource.
        type_ = "microsoft.maintenance/maintenanceconfigurations/applyupdates"
    if len(tail) > 3:
        return type_, key.rsplit("/", 2)[0]
    scope = segments[:last]
    is_own = len(scope) <= 4 and "providers" not in scope and tail[0] not in EXTENSION_NAMESPACES
    return type_, "" if is_own else "/" + "/".join(scope) if scope else ""


EXTENSION_NAMESPACES = frozenset({"microsoft.authorization", "microsoft.policyinsights"})
"""Namespaces whose resources always extend a scope, also where that is a subscription or a resource group."""
