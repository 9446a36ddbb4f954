"""What an instance view tells of a machine: its power and its agent.

Must not: judge. The view itself stays as the service answered it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from patchmode.model.machine import Surroundings


def surroundings_of(instance_view: Mapping[str, Any]) -> Surroundings:
    """Power state and agent status of an instance view; what is of another type than Azure's tells nothing.

    Source: `statuses[].code` such as `PowerState/running`; `vmAgent.statuses[].displayStatus` such as `Ready`, and
    `ProvisioningState/Unavailable` with `Not Ready` where the agent is silent (recorded instance views).
    """
    powers = (power_state(status.get("code"), None) for status in _statuses(instance_view))
    said = (status.get("displayStatus") for status in _statuses(instance_view.get("vmAgent")))
    return Surroundings(
        power_state=next(filter(None, powers), None),
        agent_status=next((text for text in said if isinstance(text, str) and text), None),
    )


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
