"""Evidence: what a run's machines were before it, what they are now, and whether that is as planned.

Must not: write, or pass off as read what was only written down.
"""

from patchmode.errors import RunBusyError
from patchmode.model.evidence import AfterFrom, Evidence, MachineEvidence
from patchmode.model.outcome import Result
from patchmode.rules.later_changes import told_apart
from patchmode.workflow.ports import Azure, Clock, JournalEntry, RunJournal
from patchmode.workflow.runs import result_of
from patchmode.workflow.sweeping import packing
from patchmode.workflow.verifying import read_and_compare

_OFFLINE = "nothing was read: the evidence was gathered offline, and a journal holds no document after the change"


async def gather(azure: Azure, journal: RunJournal, *, clock: Clock) -> Evidence:
    """Gather a run's evidence, reading each of its machines from the provider now.

    Args:
        azure: a connection to the run's target; reading is enough.
        journal: of a run that nobody carries out at the moment.
        clock: for the time at which the machines were read.

    Raises:
        RunBusyError: the run is under way. StorageError: the journal is damaged.
    """
    entries = _entries(journal)
    found = await read_and_compare(azure, [entry.change for entry in entries], packing(), known=journal.plan)
    machines, verifications = [], []
    for entry, (reading, verification) in zip(entries, found, strict=True):
        because = None if reading.machine else verification.unreadable_because
        after = reading.machine.document if reading.machine else None
        result = result_of(entry).result
        machines.append(MachineEvidence(entry.change.id, result.value, entry.change.document, after, because))
        if result is Result.APPLIED:
            verifications.append(told_apart(verification, entry.verification_at_end))
    return Evidence(AfterFrom.PROVIDER, clock.now(), tuple(machines), tuple(verifications))


def gather_offline(journal: RunJournal, *, clock: Clock) -> Evidence:
    """Gather what the journal alone holds: documents before, and what the run's own verifications found.

    Raises:
        RunBusyError, StorageError: as `gather`.
    """
    results = [(entry, result_of(entry)) for entry in _entries(journal)]
    return Evidence(
        AfterFrom.JOURNAL,
        clock.now(),
        tuple(
            MachineEvidence(entry.change.id, result.result.value, entry.change.document, None, _OFFLINE)
            for entry, result in results
        ),
        tuple(
            result.verification
            for _, result in results
            if result.verification is not None and result.result is Result.APPLIED
        ),
    )


def _entries(journal: RunJournal) -> list[JournalEntry]:
    if journal.state == "running":
        raise RunBusyError(
            f"run {journal.run} is under way, and evidence of it would be out of date at once.",
            advice=f"Wait until it ends; `patchmode runs show {journal.run}` tells how far it is.",
        )
    return list(journal.entries())
