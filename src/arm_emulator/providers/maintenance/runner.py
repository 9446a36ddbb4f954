"""Opens windows as the emulator's clock passes them, and remembers what each did to every member.

The clock runs callbacks only when somebody asks, in order, and stands at the instant that was due. One callback is
armed at a time, for the earliest opening. A run is settled when its window opens: who takes part, who fails and why,
when each installation begins and ends; what a query then shows depends on its moment. Nothing is written to the state.
"""

import heapq
import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from arm_emulator.providers.compute.patches import (
    NEEDED_TIME,
    Install,
    PatchBook,
    chosen,
    duration_on,
    met,
    reboot_word,
    wave_of,
)
from arm_emulator.providers.maintenance.membership import ARC_MACHINE, CONFIGURATION_TYPE, Membership, os_of
from arm_emulator.providers.maintenance.runs import Run, run_id, run_name
from arm_emulator.providers.maintenance.verdicts import Failure, failure_of
from arm_emulator.providers.maintenance.windows import WindowRule, read_window
from arm_emulator.providers.resource_graph.index import GraphIndex
from arm_emulator.resource_id import parse_id
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

_LOG = logging.getLogger(__name__)

LATE = timedelta(minutes=15)
"""Changes closer to a window than this may miss it (documentation of maintenance configurations)."""
KEPT = timedelta(days=30)
"""How long runs and installations can be queried ("Access Azure Update Manager operations data")."""


@dataclass(frozen=True, slots=True)
class _Lineup:
    """A configuration's members, parted by what a window does to them. True while the state does not change."""

    changes: int
    failed: tuple[tuple[Stored, Failure], ...]
    able: tuple[tuple[Stored, str, str], ...]
    """Machine, system, reboot setting in effect."""
    trigger: bytes
    """The settings: of two configurations with equal ones that open at one moment, only one fires on a machine."""
    classifications: dict[str, list[str]]
    """System → the chosen classifications; empty: all."""
    unnamed: frozenset[str]
    """Systems for which the configuration names no update."""


class Runner:
    """Every configuration's next opening, and the runs of the last thirty days.

    Args:
        cloud: whose clock, state and profile count.
        members: who belongs where.
        book: what each machine has installed.
    """

    def __init__(self, cloud: "Cloud", members: Membership, book: PatchBook) -> None:
        self._cloud = cloud
        self._members = members
        self._book = book
        self._rules: dict[str, WindowRule] = {}
        self._next: dict[str, datetime] = {}
        self._openings: list[tuple[datetime, str]] = []
        self._armed: datetime | None = None
        self._written: dict[str, datetime] = {}
        self._last_write: datetime | None = None
        self._busy: dict[str, datetime] = {}
        self._runs: deque[Run] = deque()
        self._verdicts: dict[str, tuple[Stored, int, Failure | None]] = {}
        self._lineups: dict[str, _Lineup] = {}
        self.idle_changes = 0
        """How often a configuration's windows came to an end: who is attached to a living schedule may differ then."""

    def forget(self) -> None:
        """Forget runs, openings and late changes. The caller has emptied the clock, or is about to."""
        for kept in (self._rules, self._next, self._openings, self._written, self._busy, self._runs):
            kept.clear()
        self._verdicts.clear()
        self._lineups.clear()
        self._armed = None
        self._last_write = None

    def on_change(self, key: str, stored: Stored | None) -> None:
        """A configuration was written or deleted, or an assignment written: plan anew, remember when."""
        if not self._cloud.parts[GraphIndex].is_loading and stored is not None:
            self._written[key] = self._last_write = self._cloud.clock.now()
        if stored is None:
            self._written.pop(key, None)
        if parse_id(key).type == CONFIGURATION_TYPE:
            self._plan(key, stored)

    def next_opening(self, configuration_key: str) -> datetime | None:
        """When a configuration's window opens next; None where it never does again, or is no guest patching."""
        return self._next.get(configuration_key)

    def runs(self, since: datetime) -> Iterator[Run]:
        """The runs that ended at or after a moment, oldest first."""
        return (run for run in list(self._runs) if run.ends >= since)

    def _plan(self, key: str, stored: Stored | None) -> None:
        self._rules.pop(key, None)
        had = self._next.pop(key, None)
        rule = self._rule_of(stored) if stored is not None else None
        if rule is not None:
            self._rules[key] = rule
            self._schedule(key, self._cloud.clock.now(), is_strict=False)
        elif had is not None:
            self.idle_changes += 1
        self._arm()

    def _rule_of(self, stored: Stored) -> WindowRule | None:
        properties = stored.document.get("properties") or {}
        if str(properties.get("maintenanceScope") or "").lower() != "inguestpatch":
            return None
        extension = properties.get("extensionProperties")
        # Recorded configurations spell the key both InGuestPatchMode and inGuestPatchMode.
        given = extension.items() if isinstance(extension, dict) else ()
        modes = {str(value).lower() for key, value in given if str(key).lower() == "inguestpatchmode"}
        if "platform" in modes and self._cloud.profile.platform_mode_configuration == "idle":
            return None
        return read_window(properties.get("maintenanceWindow"))

    def _schedule(self, key: str, after: datetime, *, is_strict: bool) -> None:
        profile = self._cloud.profile
        opening = self._rules[key].next_start(
            after,
            week_start=profile.recurrence_week_start,
            offset_month=profile.recurrence_offset_month,
            hourly_count=profile.hourly_count,
            is_strict=is_strict,
        )
        if opening is None:
            self._next.pop(key, None)
            self.idle_changes += 1
        else:
            self._next[key] = opening
            heapq.heappush(self._openings, (opening, key))

    def _arm(self) -> None:
        if self._openings and (self._armed is None or self._openings[0][0] < self._armed):
            self._armed = self._openings[0][0]
            self._cloud.clock.call_at(self._armed, self._run_due)

    def _run_due(self) -> None:
        now = self._cloud.clock.now()
        if self._armed is not None and self._armed <= now:
            self._armed = None
        while self._openings and self._openings[0][0] <= now:
            opening = self._openings[0][0]
            keys = set()
            while self._openings and self._openings[0][0] == opening:
                _, key = heapq.heappop(self._openings)
                if self._next.get(key) == opening:
                    keys.add(key)
            self._open(opening, sorted(keys))
        self._arm()

    def _open(self, opening: datetime, keys: list[str]) -> None:
        fired: dict[bytes, set[str]] = {}
        for key in keys:
            try:
                self._open_one(opening, key, fired if len(keys) > 1 else None)
            except Exception:  # noqa: BLE001  a defect in a run must not fail the request that moved the clock
                _LOG.exception("the window of %s at %s could not be run", key, opening)
            self._schedule(key, opening, is_strict=True)
        while self._runs and self._runs[0].closes < opening - KEPT - timedelta(days=1):
            self._runs.popleft()

    def _open_one(self, opening: datetime, key: str, fired: dict[bytes, set[str]] | None) -> None:
        configuration = self._cloud.state.get(key)
        if configuration is None or self._is_late(key, opening):
            return
        lineup = self._lineup(configuration, opening)
        failed, able = lineup.failed, lineup.able
        if fired is not None:
            before = fired.setdefault(lineup.trigger, set())
            if before:
                failed = tuple(one for one in failed if one[0].key not in before)
                able = tuple(one for one in able if one[0].key not in before)
            before.update(machine.key for machine, _ in failed)
            before.update(machine.key for machine, _, _ in able)
        if not failed and not able:
            return
        if self._book.troubles:
            failed, able = self._kept_from(failed, able, opening)
        closes = opening + self._rules[key].duration
        cancelled = self._cancellation(key, opening)
        if cancelled:
            named = [*(machine for machine, _ in failed), *(machine for machine, _, _ in able)]
            spared = tuple(sorted(named, key=lambda machine: machine.key))
            self._runs.append(Run(configuration, opening, closes, (), spared, (), cancelled))
            return
        installs = self._installs(able, opening, closes, lineup, run_id(key, opening))
        self._runs.append(Run(configuration, opening, closes, failed, (), installs, ""))

    def _kept_from(
        self,
        failed: tuple[tuple[Stored, Failure], ...],
        able: tuple[tuple[Stored, str, str], ...],
        opening: datetime,
    ) -> tuple[tuple[tuple[Stored, Failure], ...], tuple[tuple[Stored, str, str], ...]]:
        """The two lists after what keeps an installation from beginning in this window alone."""
        kept = {
            machine.key: (machine, Failure(trouble.code, trouble.message))
            for machine, _, _ in able
            if (trouble := self._book.trouble(machine.key, opening, before_it_begins=True)) is not None
        }
        if not kept:
            return failed, able
        return (*failed, *kept.values()), tuple(one for one in able if one[0].key not in kept)

    def _lineup(self, configuration: Stored, opening: datetime) -> _Lineup:
        key, changes = configuration.key, self._cloud.state.changes
        late = frozenset(one.key for one in self._late_assignments(key, opening))
        known = self._lineups.get(key)
        if known is not None and known.changes == changes and not late:
            return known
        failed: list[tuple[Stored, Failure]] = []
        able: list[tuple[Stored, str, str]] = []
        settings = (configuration.document.get("properties") or {}).get("installPatches") or {}
        for machine in self._members.members(key, left_out=late):
            failure = self._verdict(machine)
            if failure is not None:
                failed.append((machine, failure))
            else:
                reboot = reboot_word(reboot_setting(machine) or settings.get("rebootSetting"))
                able.append((machine, os_of(machine.document), reboot))
        trigger = msgspec.json.encode(settings, order="deterministic")
        classes = {os: _classifications(settings, os) for os in ("windows", "linux", "")}
        unnamed = frozenset(os for os in ("windows", "linux") if names_nothing(settings, os))
        made = _Lineup(changes, tuple(failed), tuple(able), trigger, classes, unnamed)
        if not late:
            self._lineups[key] = made
        return made

    def _late_assignments(self, key: str, opening: datetime) -> Iterator[Stored]:
        if self._last_write is not None and opening - self._last_write < LATE:
            yield from (one for one in self._members.assignments(key) if self._is_late(one.key, opening))

    def _is_late(self, key: str, opening: datetime) -> bool:
        written = self._written.get(key)
        return written is not None and opening - written < LATE and self._cloud.profile.late_change == "missed"

    def _cancellation(self, key: str, opening: datetime) -> str:
        """The sentence of a run that was cancelled through the API, ``''`` otherwise.

        Source: "Manage pre and post events" for the sentence.
        """
        name = run_name(opening)
        for path in (f"{key}/providers/microsoft.maintenance/applyupdates/{name}", f"{key}/applyupdates/{name}"):
            kept = self._cloud.state.get(path)
            properties: Any = (kept.document.get("properties") or {}) if kept is not None else {}
            if str(properties.get("status") or "").lower() in {"cancelled", "cancel"}:
                at = properties.get("lastUpdateTime") or f"{opening:%Y-%m-%dT%H:%M:%SZ}"
                return f"Maintenance cancelled using cancellation API at {at}"
        return ""

    def _verdict(self, machine: Stored) -> Failure | None:
        changes = self._cloud.state.changes
        known = self._verdicts.get(machine.key)
        if known is None or known[0] is not machine or known[1] != changes:
            known = self._verdicts[machine.key] = (machine, changes, failure_of(self._cloud, machine))
        return known[2]

    def _installs(
        self,
        able: tuple[tuple[Stored, str, str], ...],
        opening: datetime,
        closes: datetime,
        lineup: _Lineup,
        run: str,
    ) -> tuple[Install, ...]:
        """The installations of a window, each after what its machine is busy with."""
        made = []
        wave_at_opening = wave_of(opening)
        for machine, os, reboot in able:
            key = machine.key
            begins, wave = opening, wave_at_opening
            busy = self._busy.get(key)
            if busy is not None and busy > opening:
                begins = min(busy, closes)
                wave = wave_of(begins)
            trouble = None if closes - begins < NEEDED_TIME else self._book.trouble(key, begins)
            is_cut_off = closes - begins < NEEDED_TIME or (trouble is not None and trouble.fails == "window")
            missing = self._book.missing(key, os, wave)
            wanted = lineup.classifications.get(os)
            selected, others = chosen(missing, wanted) if missing and wanted else (missing, ())
            if os in lineup.unnamed and self._cloud.profile.unnamed_updates == "nothing":
                selected, others = (), (*selected, *others)
            ends = closes if is_cut_off else begins + duration_on(key, begins)
            install = Install(
                machine, os, begins, ends, is_cut_off, selected, others, reboot, "User", run, met(trouble, selected)
            )
            if not is_cut_off:
                self._busy[key] = ends
            self._book.note(install, wave)
            made.append(install)
        return tuple(made)


def reboot_setting(machine: Stored) -> str:
    """The model's own reboot setting, ``''`` where it has none.

    Source: "Automatic VM guest patching" says that it beats the schedule's.
    """
    if machine.type == ARC_MACHINE:
        return ""
    value: Any = (machine.document.get("properties") or {}).get("osProfile")
    blocks = (
        [value.get(name) for name in ("windowsConfiguration", "linuxConfiguration")] if isinstance(value, dict) else []
    )
    for block in blocks:
        settings = (block or {}).get("patchSettings") or {} if isinstance(block, dict) else {}
        setting = (settings.get("automaticByPlatformSettings") or {}).get("rebootSetting")
        if setting and str(setting).lower() != "unknown":
            return str(setting)
    return ""


_LISTS = {
    "windows": ("kbNumbersToInclude", "kbNumbersToExclude"),
    "linux": ("packageNameMasksToInclude", "packageNameMasksToExclude"),
}


def names_nothing(settings: Document, os: str) -> bool:
    """Whether a configuration's installPatches name no update for one system and have a block for either."""
    blocks = {name: settings.get(f"{name}Parameters") for name in _LISTS}
    if not any(blocks.values()):
        return False
    block = blocks[os] or {}
    included, excluded = _LISTS[os]
    excludes_all = "*" in (block.get(excluded) or ())
    return excludes_all or not (block.get("classificationsToInclude") or block.get(included))


def _classifications(settings: Document, os: str) -> list[str]:
    wanted = (settings.get(f"{os or 'linux'}Parameters") or {}).get("classificationsToInclude")
    return [str(word) for word in wanted] if isinstance(wanted, list) else []
