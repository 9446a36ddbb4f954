"""Periodic assessment: when each machine was assessed last. Computed when asked, from the moment its mode was set.

A machine with assessment mode AutomaticByPlatform is assessed every 24 hours while it is on ("Automatic VM guest
patching"). Only changes of a machine are noted here, so a fleet costs nothing while its clock runs.
"""

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

from arm_emulator.providers.maintenance.verdicts import is_off, takes_extensions
from arm_emulator.state import Stored

_DAY = timedelta(days=1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Assessments:
    """Since when each machine is assessed, or when it was last."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}
        self._last: dict[str, datetime] = {}
        self._asked: dict[str, datetime] = {}

    def forget(self) -> None:
        """Every machine is new again."""
        self._since.clear()
        self._last.clear()
        self._asked.clear()

    def on_change(self, key: str, machine: Stored | None, now: datetime) -> None:
        """A machine was written or deleted."""
        is_on = machine is not None and is_assessed(machine)
        since = self._since.get(key)
        if is_on and since is None:
            self._since[key] = now
        elif not is_on and since is not None:
            latest = self.by_itself(key, now)
            del self._since[key]
            if latest is not None and machine is not None:
                self._last[key] = latest
        if machine is None:
            self._last.pop(key, None)
            self._asked.pop(key, None)

    def note(self, key: str, at: datetime) -> None:
        """A machine was assessed because somebody asked for it."""
        self._asked[key] = at

    def latest(self, key: str, now: datetime) -> datetime | None:
        """When a machine was assessed last, by itself or because somebody asked; None: never."""
        moments = (moment for moment in (self.by_itself(key, now), self._asked.get(key)) if moment is not None)
        return max((moment for moment in moments if moment <= now), default=None)

    def by_itself(self, key: str, now: datetime) -> datetime | None:
        """When a machine was assessed last by itself, or None."""
        since = self._since.get(key)
        if since is not None:
            offset = timedelta(seconds=zlib.crc32(key.encode()) % 86_400)
            turn = _EPOCH + offset + (now - _EPOCH - offset) // _DAY * _DAY
            if turn >= since:
                return turn
        return self._last.get(key)


def is_assessed(machine: Stored) -> bool:
    """Whether the platform assesses this machine by itself, as it stands."""
    return _mode(machine) == "automaticbyplatform" and not is_off(machine) and takes_extensions(machine.document)


def _mode(machine: Stored) -> str:
    profile: Any = (machine.document.get("properties") or {}).get("osProfile")
    if not isinstance(profile, dict):
        return ""
    for name in ("windowsConfiguration", "linuxConfiguration"):
        block = profile.get(name)
        settings = block.get("patchSettings") if isinstance(block, dict) else None
        if isinstance(settings, dict) and settings.get("assessmentMode"):
            return str(settings["assessmentMode"]).lower()
    return ""
