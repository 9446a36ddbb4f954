"""What an instance view tells of a machine: its power, its agent, the system it runs, its patch extension.

Must not: judge. The view itself stays as the service answered it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from patchmode.model.machine import Surroundings
from patchmode.model.patch_extension import PatchExtension


def surroundings_of(instance_view: Mapping[str, Any]) -> Surroundings:
    """Power, agent, running system and patch extension of an instance view.

    What is of another type than Azure's tells nothing.

    Source: `statuses[].code` such as `PowerState/running`; `vmAgent.statuses[].displayStatus` such as `Ready`, and
    `ProvisioningState/Unavailable` with `Not Ready` where the agent is silent (recorded instance views).
    """
    powers = (power_state(status.get("code"), None) for status in _statuses(instance_view))
    said = (status.get("displayStatus") for status in _statuses(instance_view.get("vmAgent")))
    return Surroundings(
        power_state=next(filter(None, powers), None),
        agent_status=next((text for text in said if isinstance(text, str) and text), None),
        os_name=_text(instance_view.get("osName")),
        os_version=_text(instance_view.get("osVersion")),
        patch_extension=PatchExtension.of_view(instance_view),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _statuses(holder: object) -> Iterable[Mapping[str, Any]]:
    found = holder.get("statuses") if isinstance(holder, Mapping) else None
    entries = found if isinstance(found, Sequence) and not isinstance(found, str) else ()
    return (entry for entry in entries if isinstance(entry, Mapping))


def power_state(code: object, display: object) -> str | None:
    """The part after `PowerState/`, in lower case, or the display text (`VM running`) without its first word."""
    if isinstance(code, str) and code.lower().startswith("powerstate/"):
        return code.split("/", 1)[1].lower()
    if isinstance(display, str) and display.lower().startswith("vm "):
        return display.split(" ", 1)[1].lower()
    return None
