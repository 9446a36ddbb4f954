"""The VM extension through which Azure's schedules reach into a guest, as far as one source tells of it.

Must not: say what a failed one means; the rules do.

Sources: Azure's documentation of Update Manager's extensions (virtual machines: WindowsPatchExtension and
LinuxPatchExtension of Microsoft.CPlat.Core; Arc servers: WindowsOsUpdateExtension and LinuxOsUpdateExtension of
Microsoft.SoftwareUpdateManagement for schedules, those of Microsoft.CPlat.Core for periodic assessment alone). Recorded
GETs of machines show extensions whole under `resources`, lists only their ids; recorded instance views name them
`publisher.type` with `statuses` of code, level and message.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

_TYPES = frozenset(
    {
        "microsoft.cplat.core.windowspatchextension",
        "microsoft.cplat.core.linuxpatchextension",
    }
)
_ARC_TYPES = frozenset(
    {
        "microsoft.softwareupdatemanagement.windowsosupdateextension",
        "microsoft.softwareupdatemanagement.linuxosupdateextension",
    }
)
_FAILED = frozenset({"failed", "canceled"})
_LONGEST_MESSAGE = 600
"""Characters; some extensions answer with a whole log."""


@dataclass(frozen=True, slots=True)
class PatchExtension:
    """One patch extension in the state that was last told."""

    name: str
    """Of the resource, by which it is deleted."""
    state: str
    """`provisioningState`, or what an instance view makes of it: `Succeeded`, `Failed`, `Updating`, …"""
    message: str | None = None
    """What the extension itself says of its state; None: the source does not tell."""

    @property
    def has_failed(self) -> bool:
        """Whether it ended without success; one that is still being installed has not."""
        return self.state.casefold() in _FAILED

    @classmethod
    def of_resource(cls, resource: Mapping[str, Any], *, is_arc: bool) -> "PatchExtension | None":
        """The extension that a document or a row of Resource Graph describes; None: it is another one.

        Args:
            resource: `name` and `properties` with `publisher`, `type`, `provisioningState` and perhaps `instanceView`.
            is_arc: whether it stands on an Arc server, where another extension carries out schedules.
        """
        properties = _object(resource.get("properties"))
        kind = f"{_text(properties.get('publisher'))}.{_text(properties.get('type'))}"
        if kind.casefold() not in (_ARC_TYPES if is_arc else _TYPES):
            return None
        view = _object(properties.get("instanceView"))
        statuses = [*_list(view.get("statuses")), view.get("status")]
        state, message = _read(statuses)
        told = _text(properties.get("provisioningState")) or state
        name = _text(resource.get("name")) or _text(properties.get("type"))
        return _worst(cls(name, told, message), cls(name, state, message))

    @classmethod
    def of_resources(cls, resources: object, *, is_arc: bool = False) -> "PatchExtension | None":
        """The patch extension among the children of a machine's document; None: none is shown.

        Lists show nothing but the ids of extensions, so that nothing is known from them.
        """
        found = (cls.of_resource(_object(child), is_arc=is_arc) for child in _list(resources))
        return next((extension for extension in found if extension is not None and extension.state), None)

    @classmethod
    def of_view(cls, view: Mapping[str, Any]) -> "PatchExtension | None":
        """The patch extension of a virtual machine's instance view; None: it shows none."""
        for entry in map(_object, _list(view.get("extensions"))):
            if _text(entry.get("type")).casefold() in _TYPES:
                state, message = _read(_list(entry.get("statuses")))
                return cls(_text(entry.get("name")) or _text(entry["type"]).rpartition(".")[2], state, message)
        return None

    def with_message_of(self, other: "PatchExtension | None") -> "PatchExtension":
        """The same; where no message is known, with the one that another source tells of the same state."""
        if self.message is not None or other is None or self.has_failed != other.has_failed:
            return self
        return replace(self, message=other.message)


def worse(one: PatchExtension | None, other: PatchExtension | None) -> PatchExtension | None:
    """Of two sources of one moment the one that tells of a failure, with what the other adds to it."""
    if one is None or other is None:
        return one or other
    return _worst(one.with_message_of(other), other.with_message_of(one))


def _worst(one: PatchExtension, other: PatchExtension) -> PatchExtension:
    return other if other.has_failed and not one.has_failed else one


def _read(statuses: Iterable[object]) -> tuple[str, str | None]:
    """State and message of an instance view's statuses: the first error, or the first that there is."""
    entries = [entry for entry in map(_object, statuses) if entry]
    broken = next((entry for entry in entries if _is_error(entry)), None)
    entry = broken or (entries[0] if entries else {})
    code = _text(entry.get("code"))
    state = "Failed" if broken else code.partition("/")[2].partition("/")[0].capitalize()
    return state, _message(entry)


def _is_error(status: Mapping[str, Any]) -> bool:
    failed = _text(status.get("code")).casefold().startswith("provisioningstate/failed")
    return failed or _text(status.get("level")).casefold() == "error"


def _message(status: Mapping[str, Any]) -> str | None:
    words = " ".join(_text(status.get("message")).split())
    if len(words) > _LONGEST_MESSAGE:
        words = words[:_LONGEST_MESSAGE].rstrip() + " …"
    return words or None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
