"""The made-up updates that emulated machines need, and what installing them leaves behind.

New updates appear on the second Tuesday of each month, as Microsoft's do; one month's updates are a *wave*. A machine
that was never patched needs the current wave at once. Names say that they are emulated; everything follows from the
machine's id and the wave, so the same run always tells the same story. Nothing here reads the state or writes to it.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal

import msgspec

from arm_emulator.state import Stored

_DURATIONS = tuple(timedelta(minutes=minutes) for minutes in range(8, 21))
"""An installation takes 8 to 20 minutes of the emulator's time: it fits whatever a window must leave for one."""
NEEDED_TIME = timedelta(minutes=25)
"""What a window must still hold: 15 minutes, and 10 for the reboot. Source: "Troubleshoot issues with Azure Update
Manager"."""
StartedBy = Literal["User", "Platform"]
Fails = Literal["run", "window", "all", "some", "none"]


class Trouble(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong inside one machine when updates are to be installed. An entry of a fleet's ``guests`` has it."""

    fails: Fails
    """``run``: no installation begins. ``window``: the time is over before anything is installed. ``all`` or ``some``
    of the updates fail. ``none`` does in the end, but errors were reported on the way."""
    code: str
    message: str
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """Of the attempts that it affects, drawn from machine and moment: an error that comes and goes."""

    def affects(self, machine_key: str, moment: datetime) -> bool:
        """Whether it shows at an attempt."""
        drawn = zlib.crc32(f"{machine_key} {moment:%Y-%m-%dT%H:%M} trouble".encode())
        return drawn % 1000 < self.share * 1000


@dataclass(frozen=True, slots=True)
class Patch:
    """One update."""

    name: str
    classification: str
    kb: str
    """``''`` on Linux."""
    version: str
    """``''`` on Windows."""
    needs_reboot: bool
    published: datetime


class Install(msgspec.Struct, frozen=True):
    """One installation on one machine, from its beginning to its end. Later than now: in progress, or still to come."""

    machine: Stored
    os: str
    begins: datetime
    ends: datetime
    is_cut_off: bool
    """The window left no time: nothing was installed."""
    selected: tuple[Patch, ...]
    not_selected: tuple[Patch, ...]
    reboot_setting: str
    started_by: StartedBy
    run_id: str
    """The schedule's run, or ``''``."""
    trouble: Trouble | None = None
    """What went wrong; None: nothing, or the window was cut off from the start."""

    @property
    def failed(self) -> tuple[Patch, ...]:
        """The updates that were tried and could not be installed."""
        fails = self.trouble.fails if self.trouble is not None else "none"
        if fails == "all":
            return self.selected
        if fails == "some" and self.selected:
            return (self.selected[zlib.crc32(self.machine.key.encode()) % len(self.selected)],)
        return ()

    @property
    def installed(self) -> tuple[Patch, ...]:
        """The updates that are on the machine when it has ended."""
        if self.is_cut_off:
            return ()
        failed = self.failed
        return tuple(patch for patch in self.selected if patch not in failed) if failed else self.selected

    @property
    def is_failed(self) -> bool:
        """Whether it ends as failed: one update that fails is enough (Azure/LinuxPatchExtension, PatchInstaller)."""
        return self.is_cut_off or (self.trouble is not None and self.trouble.fails != "none")

    @property
    def reboot_status(self) -> str:
        """``NotNeeded``, ``Required`` or ``Completed``, as the reboot setting makes of it."""
        if self.is_cut_off:
            return "NotNeeded"
        if self.reboot_setting == "always":
            return "Completed"
        if not any(patch.needs_reboot for patch in self.installed):
            return "NotNeeded"
        return "Required" if self.reboot_setting == "never" else "Completed"


def met(trouble: Trouble | None, selected: Sequence[Patch]) -> Trouble | None:
    """What of a trouble shows: where nothing is to be installed, no update can fail."""
    return None if trouble is not None and not selected and trouble.fails in {"some", "none"} else trouble


def reboot_word(setting: object) -> str:
    """``ifrequired``, ``never`` or ``always`` of any spelling that a model or a configuration has."""
    word = str(setting or "").lower().removesuffix("reboot")
    return word if word in {"never", "always"} else "ifrequired"


def wave_of(moment: datetime) -> datetime:
    """The instant at which the updates that are current at a moment were published."""
    this_month = _second_tuesday(moment.year, moment.month)
    if this_month <= moment:
        return this_month
    before = moment.replace(day=1) - timedelta(days=1)
    return _second_tuesday(before.year, before.month)


@lru_cache(maxsize=256)
def _second_tuesday(year: int, month: int) -> datetime:
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(1 - first.weekday()) % 7 + 7)


def duration_on(machine_key: str, moment: datetime) -> timedelta:
    """How long an installation that begins then takes on a machine."""
    return _DURATIONS[(zlib.crc32(machine_key.encode()) ^ int(moment.timestamp()) // 60 * 31) % len(_DURATIONS)]


def patches_of(machine_key: str, os: str, wave: datetime) -> tuple[Patch, ...]:
    """The updates of a wave that a machine needs: one to four on Windows, to three elsewhere.

    On Windows their classifications, and whether they may restart the machine, are as recorded of such updates.

    Args:
        machine_key: its id in lower case.
        os: ``windows``; anything else counts as Linux.
        wave: from ``wave_of``.
    """
    drawn = zlib.crc32(f"{machine_key} {wave:%Y-%m}".encode())
    offered = _offered(os == "windows", wave)
    return tuple(patch for number, patch in enumerate(offered) if number == 0 or drawn >> number & 1)


@lru_cache(maxsize=512)
def _offered(is_windows: bool, wave: datetime) -> tuple[Patch, ...]:
    month, number = f"{wave:%Y-%m}", f"{wave:%y%m}"
    rows: tuple[tuple[str, str, str, str, bool], ...]
    if is_windows:
        rows = (
            (f"{month} Cumulative Update for Windows Server (emulated)", "Security", f"91{number}", "", True),
            (f"{month} Malicious Software Removal Tool (emulated)", "UpdateRollUp", f"93{number}", "", True),
            (f"{month} Microsoft Defender Antivirus (emulated)", "Definition", f"94{number}", "", False),
            (f"{month} Update for Windows Server (emulated)", "Updates", f"92{number}", "", True),
        )
    else:
        version = f"{wave:%Y}.{wave.month}.1-emulated"
        rows = (
            ("emulated-kernel", "Security", "", version, True),
            ("emulated-tls", "Critical", "", version, False),
            ("emulated-editor", "Other", "", version, False),
        )
    return tuple(Patch(*row, published=wave) for row in rows)


def chosen(
    patches: Iterable[Patch], classifications: Iterable[str] | None
) -> tuple[tuple[Patch, ...], tuple[Patch, ...]]:
    """The updates of some classifications, and the others.

    Args:
        patches: what the machine needs.
        classifications: in any casing; None or empty: all.
    """
    wanted = {str(word).lower().removesuffix("s") for word in classifications or ()}
    found = tuple(patches)
    if not wanted:
        return found, ()
    taken = tuple(patch for patch in found if patch.classification.lower().removesuffix("s") in wanted)
    return taken, tuple(patch for patch in found if patch not in taken)


class PatchBook:
    """Which updates each machine still needs of the current wave, and its last installation. Kept in memory."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[datetime, tuple[Patch, ...]]] = {}
        self._last: dict[str, Install] = {}
        self.troubles: dict[str, Trouble] = {}
        """By the machine's key: what the fleet says that goes wrong there."""

    def forget(self) -> None:
        """Every machine is new again, and sound."""
        self._left.clear()
        self._last.clear()
        self.troubles.clear()

    def trouble(self, machine_key: str, moment: datetime, *, before_it_begins: bool = False) -> Trouble | None:
        """What goes wrong when a machine is to install updates at a moment; None: nothing.

        Args:
            machine_key: its id in lower case.
            moment: when the installation, or its window, begins.
            before_it_begins: ask for what keeps an installation from beginning instead of what happens in it.
        """
        known = self.troubles.get(machine_key)
        if known is None or (known.fails == "run") is not before_it_begins or not known.affects(machine_key, moment):
            return None
        return known

    def missing(self, machine_key: str, os: str, wave: datetime) -> tuple[Patch, ...]:
        """The updates of a wave that a machine needs; empty when it has them all.

        Args:
            machine_key: its id in lower case.
            os: ``windows``; anything else counts as Linux.
            wave: from ``wave_of``.
        """
        known = self._left.get(machine_key)
        return known[1] if known is not None and known[0] == wave else patches_of(machine_key, os, wave)

    def note(self, install: Install, wave: datetime) -> None:
        """Remember an installation of a wave's updates; what it did not select, or what failed, is still needed."""
        key = install.machine.key
        self._last[key] = install
        if install.selected and not install.is_cut_off:
            self._left[key] = (wave, (*install.failed, *install.not_selected))

    def last(self, machine_key: str) -> Install | None:
        """A machine's last installation, or None."""
        return self._last.get(machine_key)
