"""Automatic VM guest patching: Azure installs updates on machines that nobody schedules, at night, once a month.

A machine takes part while its mode is AutomaticByPlatform, the bypass flag is not true and no schedule is attached to
it. Nights begin at 01:00 UTC and installations within the next four hours; the service goes by the time zone of the
region, which is not emulated. A machine that is off waits for the next night.

Source: "Automatic VM guest patching" (off-peak, within 30 days, listed marketplace images only, retried when the
machine is on again), scenario 4 of the prerequisites' article.
"""

import logging
import zlib
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from arm_emulator.providers.compute.images import is_marketplace, takes_automatic_patching
from arm_emulator.providers.compute.patches import Install, PatchBook, duration_on, reboot_word, wave_of
from arm_emulator.providers.maintenance.membership import VIRTUAL_MACHINE, Membership, os_of
from arm_emulator.providers.maintenance.runner import KEPT, Runner, reboot_setting
from arm_emulator.providers.maintenance.runs import stable_guid
from arm_emulator.providers.maintenance.verdicts import (
    broken_extension,
    is_off,
    takes_extensions,
    unsupported_reason,
)
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

_LOG = logging.getLogger(__name__)

NIGHT_BEGINS = 1
"""The hour, UTC."""
_SPREAD_MINUTES = 220
"""Installations begin within so many minutes, and so end before 05:00."""
_URGENT = frozenset({"Security", "Critical"})


class Autopatch:
    """Runs the nights as the clock passes them."""

    def __init__(self, cloud: "Cloud", members: Membership, runner: Runner, book: PatchBook) -> None:
        self._cloud = cloud
        self._members = members
        self._runner = runner
        self._book = book
        self._installs: deque[Install] = deque()
        self._settled: tuple[int, int, datetime] | None = None
        self._attached: tuple[int, int, frozenset[str]] | None = None
        self._turn = 0
        self._has_run_id = cloud.profile.autopatch_run_id == "present"

    def forget(self) -> None:
        """Forget every installation; nights that are armed do nothing any more."""
        self._installs.clear()
        self._settled = None
        self._attached = None
        self._turn += 1

    def begin(self) -> None:
        """Arm the coming night."""
        self._turn += 1
        self._arm(self._cloud.clock.now(), self._turn)

    def installs(self) -> Iterator[Install]:
        """The installations of the last thirty days, oldest first."""
        return iter(list(self._installs))

    def _arm(self, after: datetime, turn: int) -> None:
        night = after.replace(hour=NIGHT_BEGINS, minute=0, second=0, microsecond=0)
        night = night if night > after else night + timedelta(days=1)
        self._cloud.clock.call_at(night, lambda: self._pass(night, turn))

    def _pass(self, night: datetime, turn: int) -> None:
        if turn != self._turn:
            return
        try:
            self._patch_all(night)
        except Exception:  # noqa: BLE001  a defect here must not fail the request that moved the clock
            _LOG.exception("the night of %s could not be run", night)
        self._arm(night, turn)

    def _patch_all(self, night: datetime) -> None:
        while self._installs and self._installs[0].ends < night - KEPT - timedelta(days=1):
            self._installs.popleft()
        # Nothing has changed since a night that already patched everything it could.
        stand = (self._cloud.state.changes, self._runner.idle_changes, wave_of(night))
        if stand == self._settled:
            return
        self._settled = stand
        candidates = [one for one in self._cloud.state.of_type(VIRTUAL_MACHINE) if is_platform_managed(one.document)]
        attached = self._attached_machines() if candidates else frozenset()
        for machine in candidates:
            if machine.key not in attached and self._is_patched(machine):
                is_failed = self._patch(machine, night)
                # What failed is tried again the next night; the service's own pace is not published.
                self._settled = None if is_failed else self._settled

    def _is_patched(self, machine: Stored) -> bool:
        document = machine.document
        is_listed = takes_automatic_patching(document)
        if not is_listed and not (is_marketplace(document) and self._cloud.profile.autopatch_unlisted_image == "yes"):
            return False
        return (
            unsupported_reason(self._cloud, machine) is None
            and takes_extensions(document)
            and not is_off(machine)
            and broken_extension(self._cloud, machine) is None
        )

    def _patch(self, machine: Stored, night: datetime) -> bool:
        """Install what a machine needs; whether that fails."""
        os = os_of(machine.document)
        wave = wave_of(night)
        missing = self._book.missing(machine.key, os, wave)
        urgent = tuple(patch for patch in missing if patch.classification in _URGENT)
        if not urgent:
            return False
        drawn = zlib.crc32(f"{machine.key} {night:%Y-%m-%d} night".encode())
        begins = night + timedelta(minutes=drawn % _SPREAD_MINUTES)
        trouble = self._book.trouble(machine.key, begins)
        install = Install(
            machine,
            os,
            begins,
            begins + duration_on(machine.key, begins),
            False,
            urgent,
            tuple(patch for patch in missing if patch not in urgent),
            reboot_word(reboot_setting(machine)),
            "Platform",
            stable_guid(machine.key, begins.isoformat()) if self._has_run_id else "",
            None if trouble is None or trouble.fails == "window" else trouble,
        )
        self._installs.append(install)
        self._book.note(install, wave)
        return install.is_failed

    def _attached_machines(self) -> frozenset[str]:
        """The keys of machines to which some schedule is attached."""
        stand = (self._cloud.state.changes, self._runner.idle_changes)
        if self._attached is None or self._attached[:2] != stand:
            found = {
                machine.key
                for key in self._members.configurations()
                if self._counts(key)
                for machine in self._members.members(key)
            }
            self._attached = (*stand, frozenset(found))
        return self._attached[2]

    def _counts(self, configuration_key: str) -> bool:
        """Whether being assigned to a configuration keeps Azure from patching; for one that never runs: a switch."""
        if self._runner.next_opening(configuration_key) is not None:
            return True
        stored = self._cloud.state.get(configuration_key)
        properties = (stored.document.get("properties") or {}) if stored is not None else {}
        is_guest = stored is None or str(properties.get("maintenanceScope") or "").lower() == "inguestpatch"
        return is_guest and self._cloud.profile.idle_schedule_counts_as_attached == "yes"


def is_platform_managed(machine: Document) -> bool:
    """Whether a machine's settings hand its patching to Azure: AutomaticByPlatform without the bypass flag."""
    profile: Any = (machine.get("properties") or {}).get("osProfile")
    if not isinstance(profile, dict):
        return False
    for name in ("windowsConfiguration", "linuxConfiguration"):
        block = profile.get(name)
        settings = block.get("patchSettings") if isinstance(block, dict) else None
        if isinstance(settings, dict) and str(settings.get("patchMode") or "").lower() == "automaticbyplatform":
            platform = settings.get("automaticByPlatformSettings") or {}
            return platform.get("bypassPlatformSafetyChecksOnUserSchedule") is not True
    return False
