"""Everything that patches emulated machines while time passes: schedules, Azure's own nights, periodic assessment.

The one door to it: the emulator tells it of changes and of a reset, Resource Graph asks it for rows, instance views ask
it for summaries. It writes nothing to the state.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from arm_emulator.providers.compute.assessments import Assessments
from arm_emulator.providers.compute.autopatch import Autopatch
from arm_emulator.providers.compute.patch_rows import (
    assessment_rows,
    assessment_summary,
    install_rows,
    installation_summary,
)
from arm_emulator.providers.compute.patches import Install, Patch, PatchBook, Trouble, wave_of
from arm_emulator.providers.maintenance.membership import (
    ASSIGNMENT_TYPE,
    CONFIGURATION_TYPE,
    MACHINE_TYPES,
    Membership,
    os_of,
)
from arm_emulator.providers.maintenance.run_rows import MACHINE_RUN_TYPE, RUN_TYPE, machine_documents, run_document
from arm_emulator.providers.maintenance.runner import KEPT, Runner
from arm_emulator.providers.maintenance.runs import Run
from arm_emulator.providers.maintenance.verdicts import support_state, unsupported_reason
from arm_emulator.providers.resource_graph.index import GraphIndex
from arm_emulator.resource_id import parse_id
from arm_emulator.state import Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

_WATCHED = frozenset({ASSIGNMENT_TYPE, CONFIGURATION_TYPE})
_MEAN_LAG_S = 10.0
"""Resource Graph's where it lags as Azure's does: drawn lags would let one table contradict another."""
_SUPPORT = {"supported": "Supported", "unsupported": "Unsupported", "unabletodetermine": "UnableToDetermine"}


class Patching:
    """The patching of one emulated cloud.

    Args:
        cloud: whose clock drives it.
    """

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self._book = PatchBook()
        self._members = Membership(cloud)
        self.runner = Runner(cloud, self._members, self._book)
        self._autopatch = Autopatch(cloud, self._members, self.runner, self._book)
        self._assessments = Assessments()
        self._asked: list[Install] = []

    def on_change(self, key: str, stored: Stored | None) -> None:
        """A resource was written or deleted."""
        type_ = stored.type if stored is not None else parse_id(key).type
        if type_ in MACHINE_TYPES:
            self._assessments.on_change(key, stored, self._cloud.clock.now())
        elif type_ in _WATCHED:
            self.runner.on_change(key, stored)

    def begin(self) -> None:
        """A fleet was loaded: from now on nights count."""
        self._autopatch.begin()

    def know_guests(self, guests: Iterable[Mapping[str, Any]], now: datetime | None) -> None:
        """Take in what the fleet says of the inside of machines.

        Args:
            guests: entries of a checked fleet.
            now: the moment from which the age of an assessment is counted; None: assessments are past and forgotten.
        """
        for entry in guests:
            key = entry["id"].rstrip("/").lower()
            members = {name: value for name, value in entry.items() if name not in {"id", "assessedDaysAgo"}}
            if members:
                self._book.troubles[key] = msgspec.convert(members, Trouble)
            if "assessedDaysAgo" in entry and now is not None:
                self._assessments.note(key, now - timedelta(days=entry["assessedDaysAgo"]))

    def trouble(self, machine: Stored, moment: datetime) -> Trouble | None:
        """What goes wrong when a machine installs updates at a moment, as the fleet has it; None: nothing."""
        return self._book.trouble(machine.key, moment)

    def forget(self) -> None:
        """Forget every run, installation and assessment (a reset does, after it emptied the clock)."""
        self.runner.forget()
        self._members.forget()
        self._autopatch.forget()
        self._assessments.forget()
        self._book.forget()
        self._asked.clear()

    def rows(self, table: str, types: frozenset[str] | None = None) -> Iterator[Stored]:
        """The rows of a table that come from runs, installations and assessments, as Resource Graph knows them now.

        Args:
            table: in lower case; any but the three of Update Manager has none.
            types: in lower case: rows of others need not be made. None: all.
        """
        lag = self._cloud.parts[GraphIndex].lag_s
        now = self._cloud.clock.now() - timedelta(seconds=_MEAN_LAG_S if lag is None else lag)
        match table:
            case "maintenanceresources":
                yield from self._run_rows(now, types)
            case "patchinstallationresources":
                made = (row for install in self._installs(now) for row in install_rows(install, now))
                yield from map(self._spelled, made)
            case "patchassessmentresources":
                yield from map(self._spelled, self._assessment_rows(now))

    def _spelled(self, row: Stored) -> Stored:
        """A row with its id as the profile has it."""
        if self._cloud.profile.patch_row_ids == "documented":
            return row
        return replace(row, id=row.key, document={**row.document, "id": row.key})

    def runs(self) -> Iterator[Run]:
        """The runs that have opened and are still kept, oldest first."""
        now = self._cloud.clock.now()
        return (run for run in self.runner.runs(now - KEPT) if run.starts <= now)

    def missing(self, machine: Stored) -> tuple[Patch, ...]:
        """The updates that a machine needs now."""
        return self._missing_at(machine, os_of(machine.document), self._cloud.clock.now())

    def note_assessment(self, machine: Stored) -> None:
        """Somebody had a machine assessed, just now."""
        self._assessments.note(machine.key, self._cloud.clock.now())

    def note_install(self, install: Install) -> None:
        """Somebody had updates installed, outside of any schedule."""
        self._book.note(install, wave_of(install.begins))
        self._asked = [one for one in self._asked if one.ends >= install.ends - KEPT]
        self._asked.append(install)

    def summaries(self, machine: Stored) -> dict[str, Any]:
        """The members of an instance view's ``patchStatus`` that time has brought about; empty where it has none."""
        now = self._cloud.clock.now()
        found = {}
        install = self._book.last(machine.key)
        if install is not None and now >= install.begins:
            found["lastPatchInstallationSummary"] = installation_summary(install, now)
        at = self._assessed_at(machine, now)
        if at is not None:
            missing = self._missing_at(machine, os_of(machine.document), at)
            found["availablePatchSummary"] = assessment_summary(machine, at, missing)
        return found

    def _run_rows(self, now: datetime, types: frozenset[str] | None) -> Iterator[Stored]:
        shape = self._cloud.profile.run_error_shape
        # A cancellation is a run of its configuration before its window opens; ids alone would take it for a machine's.
        for stored in self._cloud.state.of_type(MACHINE_RUN_TYPE):
            if parse_id(stored.parent).type == CONFIGURATION_TYPE:
                yield replace(stored, type=RUN_TYPE)
        for run in self.runner.runs(now - KEPT):
            if run.starts > now:
                continue
            if types is None or RUN_TYPE in types:
                yield run_document(run, now, shape)
            if types is None or MACHINE_RUN_TYPE in types:
                yield from machine_documents(run, now, shape)

    def _installs(self, now: datetime) -> Iterator[Install]:
        for run in self.runner.runs(now - KEPT):
            yield from run.installs
        others = (*self._autopatch.installs(), *self._asked)
        yield from (install for install in others if install.ends >= now - KEPT)

    def _assessed_at(self, machine: Stored, now: datetime) -> datetime | None:
        assessed = self._assessments.latest(machine.key, now)
        install = self._book.last(machine.key)
        if install is None or install.is_cut_off or install.ends > now:
            return assessed
        return install.ends if assessed is None else max(assessed, install.ends)

    def _missing_at(self, machine: Stored, os: str, at: datetime) -> tuple[Patch, ...]:
        """What a machine lacked when it was assessed: an installation that ended later had not helped yet."""
        wave = wave_of(at)
        install = self._book.last(machine.key)
        is_later = install is not None and not install.is_cut_off and install.ends > at
        if install is not None and is_later and wave_of(install.begins) == wave:
            return install.selected + install.not_selected
        return self._book.missing(machine.key, os, wave)

    def _assessment_rows(self, now: datetime) -> Iterator[Stored]:
        kept = timedelta(days=self._cloud.profile.assessment_retention_days)
        for type_ in MACHINE_TYPES:
            for machine in self._cloud.state.of_type(type_):
                at = self._assessed_at(machine, now)
                if at is None or at < now - kept:
                    continue
                os = os_of(machine.document)
                is_by_itself = at == self._assessments.by_itself(machine.key, now)
                yield from assessment_rows(
                    machine,
                    os,
                    at,
                    self._missing_at(machine, os, at),
                    support=self._support(machine),
                    mode_on=is_by_itself,
                )

    def _support(self, machine: Stored) -> str:
        if unsupported_reason(self._cloud, machine) is not None:
            return "Unsupported"
        return _SUPPORT.get(support_state(self._cloud, machine), "Supported")
