"""One run of a maintenance configuration: who took part, and how it ended for each. Values only."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from arm_emulator.providers.compute.patches import Install
from arm_emulator.providers.maintenance.verdicts import Failure
from arm_emulator.state import Stored

CANCELLED = "MaintenanceCancelled"


FAILED_AFTER = timedelta(minutes=1)
"""A machine that cannot be patched has failed a minute after the window opened."""


@dataclass(frozen=True, slots=True)
class Part:
    """One machine's part in a run."""

    machine: Stored
    ends: datetime
    failure: Failure | None


EXCEEDED = Failure(
    "MaintenanceWindowExceeded",
    "The maintenance window had less than 25 minutes left, so the installation of updates was not started.",
)
"""``maintenanceWindowExceeded`` is the installation's own flag; code and sentence of the run are ours."""


@dataclass(frozen=True)
class Run:
    """A window that opened. What it shows depends on the moment of asking: before ``ends`` it is in progress."""

    configuration: Stored
    """As it stood when the window opened."""
    starts: datetime
    closes: datetime
    """When the window ends, whatever happens in it."""
    failed: tuple[tuple[Stored, Failure], ...]
    """Machines on which nothing could be installed. Shared between runs, as is the next."""
    spared: tuple[Stored, ...]
    """The machines of a cancelled run."""
    installs: tuple[Install, ...]
    cancelled: str
    """The sentence of a cancelled run, ``''`` for any other."""

    @cached_property
    def name(self) -> str:
        """The run's name: its start, ``yyyyMMddHHmmss``."""
        return run_name(self.starts)

    @cached_property
    def id(self) -> str:
        """The run's id, which is also its correlation id: all lower case, as published queries compare it."""
        return run_id(self.configuration.key, self.starts)

    @cached_property
    def ends(self) -> datetime:
        """When the last machine is done."""
        first = self.starts + FAILED_AFTER if self.failed else self.starts
        return max((install.ends for install in self.installs), default=first)

    @property
    def parts(self) -> Iterator[Part]:
        """Every machine's part, made when asked."""
        for machine, failure in self.failed:
            yield Part(machine, self.starts + FAILED_AFTER, failure)
        for install in self.installs:
            yield Part(install.machine, install.ends, _failure(install))
        for machine in self.spared:
            yield Part(machine, self.starts, None)

    def status_of(self, part: Part, now: datetime) -> str:
        """``Cancelled``, ``InProgress``, ``Failed`` or ``Succeeded``."""
        if self.cancelled:
            return "Cancelled"
        if now < part.ends:
            return "InProgress"
        return "Failed" if part.failure is not None else "Succeeded"

    def status(self, now: datetime) -> str:
        """The same for the run: failed as soon as all are done and one failed."""
        if self.cancelled:
            return "Cancelled"
        if now < self.ends:
            return "InProgress"
        return "Failed" if self.failed or any(install.is_failed for install in self.installs) else "Succeeded"


def _failure(install: Install) -> Failure | None:
    """Why a machine's part in a run failed, as its installation tells it."""
    if not install.is_failed:
        return None
    return EXCEEDED if install.trouble is None else Failure(install.trouble.code, install.trouble.message)


def run_name(starts: datetime) -> str:
    """How a run that starts then (UTC) is named. Source: the specification's example of a cancellation."""
    return f"{starts:%Y%m%d%H%M%S}"


def run_id(configuration_key: str, starts: datetime) -> str:
    """The id of a run. Source: "Manage pre and post events": the query compares ``properties.correlationId`` so."""
    return f"{configuration_key}/providers/microsoft.maintenance/applyupdates/{run_name(starts)}"


def stable_guid(*texts: str) -> str:
    """A guid that is a digest of some texts."""
    told = hashlib.blake2b("\n".join(texts).lower().encode(), digest_size=16).hexdigest()
    # The digits that say "version 4, variant 1" are set by hand: uuid.UUID takes longer than all the rest of a row.
    return f"{told[:8]}-{told[8:12]}-4{told[13:16]}-8{told[17:20]}-{told[20:]}"
